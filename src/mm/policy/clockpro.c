/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLOCK-Pro: see clockpro.h for pages, hands and tests. The target for cold pages, at first all of
 * memory, is one more for each page that is used again in its test, and one less for each test that
 * ends without a use, within 1 .. memory. So where pages come back soon more of them may stay to
 * show it.
 *
 * Source: Jiang, Chen and Zhang, "CLOCK-Pro: an effective improvement of the CLOCK replacement",
 * USENIX ATC 2005.
 */
#include "clockpro.h"

static int clockpro_create(Policy *policy, const uint64_t *params, char *error) {
    (void)params;
    (void)error;
    clockpro_init(policy, 100);
    return VMM_OK;
}

static const PolicyType clockpro_policy = {
    .info.name = "clockpro",
    .info.label = "CLOCK-Pro",
    .info.summary = "LIRS on accessed bits: hot pages, cold pages and their tests",
    .info.source = "Jiang, Chen, Zhang, USENIX ATC 2005",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(ClockPro),
    .page_state_size = sizeof(ClockProPage),
    .create = clockpro_create,
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
