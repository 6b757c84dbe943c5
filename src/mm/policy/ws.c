/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Working Set: a process keeps the pages that it referenced in the last `window` page references
 * of its own. Source: Denning, "The working set model for program behavior", CACM 11(5), 1968.
 *
 *     window 3, one process
 *     time       1    2    3    4    5    6
 *     page       a    b    a    c    b    b
 *     resident   a    ab   ab   abc  abc  bc      b is a hit at 5: distance 3; a leaves at 6
 *
 * A page is resident from its reference at virtual time t to t + window - 1, so a reference at a
 * distance of at most `window` is a hit. Time is that of the process: the pages of one that does
 * not run stay. The policy sees every reference; WSClock (wsclock.c) is its approximation by
 * accessed bits.
 *
 * Each process has its pages in the order of last reference; what is due to leave is at the old
 * end, one page at most for each reference. 24 bytes a page.
 */
#include "resident.h"

/* Pages whose window is over leave. */
static inline void ws_expire(Policy *policy) {
    Resident *ws = (Resident *)policy;
    const ResidentSet *set = resident_set(ws);
    uint64_t now = vmm_policy_time(policy);
    if (set != NULL && now >= ws->limit) {
        resident_part(ws, set, now - ws->limit + 1);
    }
}

static void ws_insert(Policy *policy, uint32_t frame) {
    Resident *ws = (Resident *)policy;
    ResidentSet *set = resident_make_set(ws);
    if (set != NULL) {
        resident_enter(ws, set, frame, vmm_policy_time(policy));
        ws_expire(policy);
    }
}

static inline void ws_touch(Policy *policy, uint32_t frame) {
    resident_renew((Resident *)policy, frame, vmm_policy_time(policy));
    ws_expire(policy);
}

static void ws_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Resident *ws = (const Resident *)policy;
    snprintf(text, size, "last referenced %llu page references of its process ago, window %llu",
             (unsigned long long)(vmm_policy_time(policy) - ws->pages[victim].time),
             (unsigned long long)ws->limit);
}

static const PolicyType ws_policy = {
    .info.name = "ws",
    .info.label = "Working Set",
    .info.summary = "the pages of the last window references of each process; variable space",
    .info.source = "Denning, CACM 11(5), 1968",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .info.variable_space = 1,
    .uses_clock = true,
    .parts_on_touch = true,
    .state_size = sizeof(Resident),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"window", 10000, 1, UINT32_MAX - 1,
             "page references of its process that a page stays after its last one", NULL},
            {.name = NULL},
        },
    .create = resident_create,
    .destroy = resident_destroy,
    .reserve = resident_reserve,
    .insert = ws_insert,
    .touch = ws_touch,
    .passed = ws_expire,
    .remove = resident_remove,
    .why = ws_why,
    .is_valid = resident_is_valid,
};
