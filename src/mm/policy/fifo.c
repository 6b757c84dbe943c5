/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIFO: the page that has been in memory longest leaves, used or not.
 *
 * The simplest policy, and the one with Belady's anomaly: on 1 2 3 4 1 2 5 1 2 3 4 5 it faults 9
 * times with 3 frames and 10 times with 4. Source: Belady, Nelson and Shedler, "An anomaly in
 * space-time characteristics of certain programs running in a paging machine", CACM 12(6), 1969.
 */
#include "ordered.h"

static void fifo_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    (void)victim;
    snprintf(text, size, "longest in memory");
}

static const PolicyType fifo_policy = {
    .info.name = "fifo",
    .info.label = "FIFO",
    .info.summary = "first in, first out: the page longest in memory leaves",
    .info.source = "Belady, Nelson, Shedler, CACM 12(6), 1969",
    .info.needs = VMM_NEEDS_NOTHING,
    .victim_any_time = true,
    .state_size = sizeof(Ordered),
    .destroy = ordered_destroy,
    .reserve = ordered_reserve,
    .insert = ordered_touch,
    .victim = ordered_oldest,
    .remove = ordered_remove,
    .why = fifo_why,
    .order = ordered_oldest_first,
};
