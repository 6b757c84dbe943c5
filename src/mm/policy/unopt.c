/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UNOPT: the page whose next reference is nearest leaves; pages never referenced again stay as
 * long as there are others. The opposite of OPT, for teaching how bad a choice can be. Source:
 * Arpaci-Dusseau, "Operating Systems: Three Easy Pieces", homework of the chapter on policies.
 */
#include "future.h"

static inline void unopt_insert(Policy *policy, uint32_t frame) {
    future_enter(policy, frame, true);
}

static inline void unopt_touch(Policy *policy, uint32_t frame) {
    future_move(policy, frame, true);
}

static inline void unopt_remove(Policy *policy, uint32_t frame) {
    future_take_out((Future *)policy, frame, true);
}

static inline uint32_t unopt_victim(Policy *policy) {
    Future *future = (Future *)policy;
    return future->count > 0 ? future->heap[0] : recency_oldest(&future->dead);
}

static uint32_t unopt_order(Policy *policy, uint32_t *frames) {
    Future *future = (Future *)policy;
    uint32_t alive = future_list(future, true, frames);
    return alive + recency_list(&future->dead, frames + alive);
}

static bool unopt_is_valid(const Policy *policy) {
    return future_is_valid((const Future *)policy, true);
}

static const PolicyType unopt_policy = {
    .info.name = "unopt",
    .info.label = "UNOPT",
    .info.summary = "the worst with hindsight: the page needed soonest leaves",
    .info.source = "Arpaci-Dusseau, OSTEP, homework on policies",
    .info.needs = VMM_NEEDS_FUTURE,
    .touch_once = true,
    .victim_any_time = true,
    .state_size = sizeof(Future),
    .destroy = future_destroy,
    .reserve = future_reserve,
    .insert = unopt_insert,
    .touch = unopt_touch,
    .victim = unopt_victim,
    .remove = unopt_remove,
    .why = future_why,
    .order = unopt_order,
    .is_valid = unopt_is_valid,
};
