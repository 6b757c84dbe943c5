/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost model: simulated time from what was counted.
 *
 * Every event has a fixed cost, so time is a sum of products of counters and costs and need not be
 * kept while references run. Costs are integer picoseconds; sums saturate at 2^64 - 1 ps (213
 * days of simulated time).
 */
#ifndef VMM_MM_COST_H
#define VMM_MM_COST_H

#include "../../include/vmm/stats.h"
#include "../config/settings.h"

/* Fills stall_time_ps and background_time_ps from the other counters. */
void cost_fill(VMMStats *stats, const Settings *settings);

#endif
