/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMIN: the optimum for variable space. After each reference a page stays exactly if its process
 * references it again within `window` page references of its own; else it leaves at once. Source:
 * Prieve and Fabry, "VMIN: an optimal variable-space page replacement algorithm", CACM 19(5), 1976.
 *
 *     window 3, one process
 *     time       1    2    3    4    5    6
 *     page       a    b    a    c    b    b
 *     resident   a    ab   b    b    b              a at 3, c at 4 and b at 6 are not needed again
 *
 * It has the misses of Working Set with the same window, for what either finds in memory is a page
 * whose last reference is at most `window` away, and never holds a page that Working Set does not.
 * If a miss costs as much as `window` references' rent of a frame, no policy costs less.
 *
 * The distance to the next reference is told by the engine: the policy keeps nothing.
 */
#include "policy.h"

typedef struct Vmin {
    Policy base;
    uint64_t window;
} Vmin;

static int vmin_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    ((Vmin *)policy)->window = params[0];
    return VMM_OK;
}

/* The page in `frame` has been referenced. */
static inline void vmin_touch(Policy *policy, uint32_t frame) {
    if (policy->distance > ((Vmin *)policy)->window) {
        vmm_policy_part_with(policy, frame);
    }
}

static void vmin_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)victim;
    if (policy->distance == POLICY_NEVER) {
        snprintf(text, size, "never referenced again");
    } else {
        snprintf(text, size, "next referenced %llu page references of its process from now",
                 (unsigned long long)policy->distance);
    }
}

static const PolicyType vmin_policy = {
    .info.name = "vmin",
    .info.label = "VMIN",
    .info.summary = "optimal with variable space: a page stays if it is needed within the window",
    .info.source = "Prieve and Fabry, CACM 19(5), 1976",
    .info.needs = VMM_NEEDS_FUTURE,
    .info.variable_space = 1,
    .uses_clock = true,
    .parts_on_touch = true,
    .state_size = sizeof(Vmin),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"window", 10000, 1, UINT32_MAX - 1,
             "page references of its process within which a page must be needed again", NULL},
            {.name = NULL},
        },
    .create = vmin_create,
    .insert = vmin_touch,
    .touch = vmin_touch,
    .why = vmin_why,
};
