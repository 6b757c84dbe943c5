/* SPDX-License-Identifier: Apache-2.0 */
/* glance: looks at a few frames, and gives up the page among them that was used longest ago. */
#include <vmm/policy.h>

typedef struct State {
    VMMPolicy base; /* always first; the rest is ours, and zero at first */
    uint64_t *used; /* by frame: when its page was used last */
    uint64_t time, random;
    uint32_t reserved, looks;
} State;

static int glance_create(VMMPolicy *policy, const uint64_t *params, char *error) {
    (void)error;
    ((State *)policy)->random = policy->seed;
    ((State *)policy)->looks = (uint32_t)params[0];
    return VMM_OK;
}

static void glance_destroy(VMMPolicy *policy) {
    vmm_policy_free(policy, ((State *)policy)->used, ((State *)policy)->reserved, sizeof(uint64_t));
}

static bool glance_reserve(VMMPolicy *policy, uint32_t frames) {
    State *state = (State *)policy;
    uint64_t *grown = vmm_policy_grow(policy, state->used, state->reserved, frames, sizeof *grown);
    state->used = grown != NULL ? grown : state->used;
    state->reserved = grown != NULL ? frames : state->reserved;
    return grown != NULL;
}

static void glance_touch(VMMPolicy *policy, uint32_t frame) {
    ((State *)policy)->used[frame] = ++((State *)policy)->time;
}

static uint32_t glance_victim(VMMPolicy *policy) {
    State *state = (State *)policy;
    uint32_t victim = 0;
    for (uint32_t i = 0; i < state->looks; i++) {
        state->random = state->random * 6364136223846793005u + 1442695040888963407u;
        uint32_t frame = (uint32_t)((state->random >> 32) * policy->capacity >> 32);
        victim = i == 0 || state->used[frame] < state->used[victim] ? frame : victim;
    }
    return victim;
}

const VMMPolicyType glance_policy = {
    .interface = VMM_POLICY_INTERFACE,
    .info.name = "glance",
    .info.label = "Glance",
    .info.summary = "the page used longest ago of a few",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .info.parameters =
        (const VMMPolicyParameter[]){{"looks", 5, 1, 1000, "frames to look at", NULL},
                                     {.name = NULL}},
    .state_size = sizeof(State),
    .touch_once = true,
    .touch_last = true,
    .create = glance_create,
    .destroy = glance_destroy,
    .reserve = glance_reserve,
    .insert = glance_touch,
    .touch = glance_touch,
    .victim = glance_victim,
};
