/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two-handed clock of 4.3BSD and its descendants. Two hands go round the frames, a fixed
 * distance apart: the front hand clears R bits, the back hand takes the first page whose bit has
 * not been set again since.
 *
 *     frames     0   1   2   3   4   5   6   7
 *     R          1   1   0   0   1   0   1   1        back: frame 2 was not used: it leaves
 *                        ▲           ▲
 *                        back        front            distance 3: `spread` of 37 % of 8 frames
 *
 * What matters is the distance: a page has to be used in the time the front hand is ahead, not in
 * that of a whole lap, so that in a large memory pages are told apart at all. A spread of 100 % is
 * the clock of one hand, which clears what it leaves. Sources: Leffler, McKusick, Karels,
 * Quarterman, "The Design and Implementation of the 4.3BSD UNIX Operating System", 1989; Babaoglu
 * and Joy, SOSP 1981, for the clock of one hand before it.
 *
 * The paging daemon's targets and rates are not modelled: the hands move when a frame is needed.
 * One byte a page.
 */
#include "policy.h"

typedef struct Twohand {
    Policy base;
    uint8_t *referenced; /* by frame */
    uint32_t back;
    uint32_t front;
    uint32_t reserved;
} Twohand;

static int twohand_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Twohand *clock = (Twohand *)policy;
    uint64_t distance = policy->capacity * params[0] / 100;
    clock->front = distance == 0 ? 1 % policy->capacity : (uint32_t)(distance % policy->capacity);
    return VMM_OK;
}

static void twohand_destroy(Policy *policy) {
    Twohand *clock = (Twohand *)policy;
    vmm_policy_free(policy, clock->referenced, clock->reserved, 1);
}

static bool twohand_reserve(Policy *policy, uint32_t frames) {
    Twohand *clock = (Twohand *)policy;
    uint8_t *referenced = vmm_policy_grow(policy, clock->referenced, clock->reserved, frames, 1);
    if (referenced == NULL) {
        return false;
    }
    clock->referenced = referenced;
    clock->reserved = frames;
    return true;
}

static inline void twohand_touch(Policy *policy, uint32_t frame) {
    ((Twohand *)policy)->referenced[frame] = 1;
}

static void twohand_clear_front(Twohand *clock) {
    const Policy *policy = &clock->base;
    if (clock->referenced[clock->front] != 0 && policy->bit_cleared != NULL) {
        policy->bit_cleared(policy->host, clock->front);
    }
    clock->referenced[clock->front] = 0;
}

/* The pool is full when a victim is asked for, so every frame below capacity holds a page. */
static uint32_t twohand_victim(Policy *policy) {
    Twohand *clock = (Twohand *)policy;
    for (;;) {
        uint32_t frame = clock->back;
        bool used = clock->referenced[frame] != 0;
        twohand_clear_front(clock);
        clock->back = clock->back + 1 == policy->capacity ? 0 : clock->back + 1;
        clock->front = clock->front + 1 == policy->capacity ? 0 : clock->front + 1;
        if (!used) {
            return frame;
        }
    }
}

static void twohand_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    snprintf(text, size, "first frame from the back hand not used since the front hand (frame %u)",
             victim);
}

static const PolicyType twohand_policy = {
    .info.name = "twohand",
    .info.label = "Two-handed clock",
    .info.summary = "4.3BSD: a front hand clears accessed bits, a back hand takes unused pages",
    .info.source = "Leffler et al., 4.3BSD UNIX, 1989",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .touch_last = true,
    .state_size = sizeof(Twohand),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"spread", 50, 1, 100, "distance of the hands, per cent of the frames", NULL},
            {.name = NULL},
        },
    .create = twohand_create,
    .destroy = twohand_destroy,
    .reserve = twohand_reserve,
    .insert = twohand_touch,
    .touch = twohand_touch,
    .victim = twohand_victim,
    .why = twohand_why,
};
