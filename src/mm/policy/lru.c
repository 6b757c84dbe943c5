/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LRU, exact: the page whose last reference is longest ago leaves.
 *
 * A stack algorithm: what is in n frames is also in n + 1, so misses never grow with memory.
 * Source: Mattson, Gecsei, Slutz and Traiger, "Evaluation techniques for storage hierarchies",
 * IBM Systems Journal 9(2), 1970.
 */
#include "ordered.h"

static void lru_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    (void)victim;
    snprintf(text, size, "least recently used");
}

static const PolicyType lru_policy = {
    .info.name = "lru",
    .info.label = "LRU",
    .info.summary = "exact least recently used",
    .info.source = "Mattson, Gecsei, Slutz, Traiger, IBM Systems Journal 9(2), 1970",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .touch_last = true,
    .victim_any_time = true,
    .state_size = sizeof(Ordered),
    .destroy = ordered_destroy,
    .reserve = ordered_reserve,
    .insert = ordered_touch,
    .touch = ordered_touch,
    .victim = ordered_oldest,
    .remove = ordered_remove,
    .why = lru_why,
    .order = ordered_oldest_first,
};
