/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OPT, also MIN: the page whose next reference is farthest in the future leaves; first of all
 * pages that are never referenced again, longest dead first. No policy that loads on demand has
 * fewer misses. Source: Belady, IBM Systems Journal 5(2), 1966; a stack algorithm: Mattson et
 * al., IBM Systems Journal 9(2), 1970.
 */
#include "future.h"

static inline void opt_insert(Policy *policy, uint32_t frame) {
    future_enter(policy, frame, false);
}

static inline void opt_touch(Policy *policy, uint32_t frame) {
    future_move(policy, frame, false);
}

static inline void opt_remove(Policy *policy, uint32_t frame) {
    future_take_out((Future *)policy, frame, false);
}

static inline uint32_t opt_victim(Policy *policy) {
    Future *future = (Future *)policy;
    return future->dead_count > 0 ? recency_oldest(&future->dead) : future->heap[0];
}

static uint32_t opt_order(Policy *policy, uint32_t *frames) {
    Future *future = (Future *)policy;
    uint32_t dead = recency_list(&future->dead, frames);
    return dead + future_list(future, false, frames + dead);
}

static bool opt_is_valid(const Policy *policy) {
    return future_is_valid((const Future *)policy, false);
}

static const PolicyType opt_policy = {
    .info.name = "opt",
    .info.label = "OPT",
    .info.summary = "optimal (Belady): the page needed farthest in the future leaves",
    .info.source = "Belady, IBM Systems Journal 5(2), 1966",
    .info.needs = VMM_NEEDS_FUTURE,
    .touch_once = true,
    .victim_any_time = true,
    .state_size = sizeof(Future),
    .destroy = future_destroy,
    .reserve = future_reserve,
    .insert = opt_insert,
    .touch = opt_touch,
    .victim = opt_victim,
    .remove = opt_remove,
    .why = future_why,
    .order = opt_order,
    .is_valid = opt_is_valid,
};
