/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MRU: the page referenced last leaves.
 *
 * Bad for programs with locality, and best for a loop that is larger than memory: there the page
 * just used is the one whose next use is farthest. A textbook policy; Denning, "Working sets past
 * and present", IEEE TSE 6(1), 1980, shows why locality makes it lose.
 */
#include "ordered.h"

static void mru_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    (void)victim;
    snprintf(text, size, "most recently used");
}

static const PolicyType mru_policy = {
    .info.name = "mru",
    .info.label = "MRU",
    .info.summary = "most recently used: best on loops larger than memory",
    .info.source = "textbook; see Denning, IEEE TSE 6(1), 1980",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .touch_last = true,
    .victim_any_time = true,
    .state_size = sizeof(Ordered),
    .destroy = ordered_destroy,
    .reserve = ordered_reserve,
    .insert = ordered_touch,
    .touch = ordered_touch,
    .victim = ordered_youngest,
    .remove = ordered_remove,
    .why = mru_why,
    .order = ordered_youngest_first,
};
