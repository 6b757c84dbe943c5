/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMIN: the optimum for variable space. After each reference a page stays exactly if its process
 * references it again within `window` page references of its own; else it is only there for that
 * reference, and leaves with the next one that anybody makes. Source:
 * Prieve and Fabry, "VMIN: an optimal variable-space page replacement algorithm", CACM 19(5), 1976.
 *
 *     window 3, one process
 *     time       1    2    3    4    5    6
 *     page       a    b    a    c    b    b
 *     resident   a    ab   ab   bc   b    b       a at 3, c at 4 and b at 6 are not needed again
 *
 * It has the misses of Working Set with the same window, for what either finds in memory is a page
 * whose last reference is at most `window` away, and never holds a page that Working Set does not.
 * If a miss costs as much as `window` references' rent of a frame, no policy costs less.
 *
 * The distance to the next reference is told by the engine: nothing is kept by page.
 */
#include "policy.h"

typedef struct Vmin {
    Policy base;
    uint64_t window;
    uint32_t leaving; /* the frame of the page that is not needed again, or POLICY_NO_FRAME */
} Vmin;

static int vmin_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Vmin *vmin = (Vmin *)policy;
    vmin->window = params[0];
    vmin->leaving = POLICY_NO_FRAME;
    return VMM_OK;
}

/* A page reference is made: the page of the one before leaves if it is not needed. */
static inline void vmin_passed(Policy *policy) {
    Vmin *vmin = (Vmin *)policy;
    if (vmin->leaving != POLICY_NO_FRAME) {
        vmm_policy_part_with(policy, vmin->leaving);
        vmin->leaving = POLICY_NO_FRAME;
    }
}

/* It is one to the page in `frame`. */
static inline void vmin_touch(Policy *policy, uint32_t frame) {
    Vmin *vmin = (Vmin *)policy;
    vmin_passed(policy);
    if (policy->distance > vmin->window) {
        vmin->leaving = frame;
    }
}

static void vmin_remove(Policy *policy, uint32_t frame) {
    Vmin *vmin = (Vmin *)policy;
    vmin->leaving = vmin->leaving == frame ? POLICY_NO_FRAME : vmin->leaving;
}

static void vmin_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)victim;
    snprintf(text, size, "not referenced again within %llu page references of its process",
             (unsigned long long)((const Vmin *)policy)->window);
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
    .passed = vmin_passed,
    .remove = vmin_remove,
    .why = vmin_why,
};
