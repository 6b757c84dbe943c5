/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLOCK-Pro+: see clockpro.h for pages, hands and tests. Like ARC it weighs what it regrets: an
 * absent page that comes back in its test says that cold pages should have had more room, a page
 * used after it was demoted from hot, that hot ones should. The target for cold pages moves by 1 or
 * by the ratio of the two kinds, whichever is larger:
 *
 *     absent page comes back     target + max(1, demoted / absent)
 *     demoted page is used       target - max(1, absent / demoted)      when HAND_cold finds its
 * bit
 *
 * Divisions are of whole numbers. Cold pages may have at most `cold` per cent of memory, which they
 * have at first; the author's own programs use 50. Source: Li, "CLOCK-Pro+: improving CLOCK-Pro
 * cache replacement with utility-driven adaptation", SYSTOR 2019.
 */
#include "clockpro.h"

static int clockproplus_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    ((ClockPro *)policy)->plus = true;
    clockpro_init(policy, params[0]);
    return VMM_OK;
}

static const PolicyType clockproplus_policy = {
    .info.name = "clockproplus",
    .info.label = "CLOCK-Pro+",
    .info.summary = "CLOCK-Pro whose share of cold pages weighs both kinds of regret",
    .info.source = "Li, SYSTOR 2019",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(ClockPro),
    .page_state_size = sizeof(ClockProPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"cold", 50, 1, 100, "per cent of memory that cold pages may have, at least one page",
             NULL},
            {.name = NULL},
        },
    .create = clockproplus_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .miss = clockpro_miss,
    .insert = clockpro_insert,
    .touch = clockpro_touch,
    .victim = clockpro_victim,
    .remove = clockpro_remove,
    .forget = clockpro_forget,
    .why = clockpro_why,
    .is_valid = clockpro_is_valid,
};
