/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UNOPT: the page whose next reference is nearest leaves; pages never referenced again stay as
 * long as there are others. The opposite of OPT, for teaching how bad a choice can be. Source:
 * Arpaci-Dusseau, "Operating Systems: Three Easy Pieces", homework of the chapter on policies.
 */
#include "future.h"

static inline uint32_t unopt_victim(Policy *policy) {
    Future *future = (Future *)policy;
    return future_is_empty(future) ? recency_oldest(&future->dead)
                                   : future->frame_at[future_first(future)];
}

static uint32_t unopt_order(Policy *policy, uint32_t *frames) {
    Future *future = (Future *)policy;
    uint32_t alive = future_list(future, true, frames);
    return alive + recency_list(&future->dead, frames + alive);
}

static const PolicyType unopt_policy = {
    .info.name = "unopt",
    .info.label = "UNOPT",
    .info.summary = "the worst with hindsight: the page needed soonest leaves",
    .info.source = "Arpaci-Dusseau, OSTEP, homework on policies",
    .info.needs = VMM_NEEDS_FUTURE,
    .state_size = sizeof(Future),
    .create = future_create,
    .destroy = future_destroy,
    .reserve = future_reserve,
    .insert = future_insert,
    .touch = future_touch,
    .victim = unopt_victim,
    .remove = future_remove,
    .why = future_why,
    .order = unopt_order,
};
