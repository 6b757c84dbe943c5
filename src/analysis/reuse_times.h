/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reuse times: how many page references lie so far apart, exactly, for any distance.
 *
 *     near    a count for each time below REUSE_NEAR, one array for each series
 *     table   the others: (series, time, last) ──► count, open addressing, at most half full
 *
 * `last` tells the times between references from those between the last reference of a page and the
 * end of its life. Few times are long: between two references to one page lie at least as many page
 * references as the time says, so the table stays small against the trace.
 */
#ifndef VMM_ANALYSIS_REUSE_TIMES_H
#define VMM_ANALYSIS_REUSE_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "../base/rng.h"

enum { REUSE_NEAR = 1 << 12 };

typedef struct ReuseCount {
    uint64_t time; /* 0: an empty place */
    uint64_t count;
    uint32_t series;
    uint32_t last; /* 1: to the end of the page's life */
} ReuseCount;

typedef struct ReuseTable {
    ReuseCount *counts;
    uint64_t places; /* a power of two, or 0 */
    uint64_t used;
} ReuseTable;

/* Room for `more` new counts. False: no memory, nothing has changed. */
bool reuse_reserve(ReuseTable *table, const Memory *memory, uint64_t more);
void reuse_free(ReuseTable *table, const Memory *memory);

/* One more; there is room. */
static inline void reuse_add(ReuseTable *table, uint64_t time, uint32_t series, uint32_t last,
                             uint64_t count) {
    uint64_t mask = table->places - 1;
    uint64_t place = rng_mix(time ^ (uint64_t)series << 40 ^ (uint64_t)last << 63) & mask;
    for (;; place = (place + 1) & mask) {
        ReuseCount *at = &table->counts[place];
        if (at->time == 0) {
            *at = (ReuseCount){time, count, series, last};
            table->used++;
            return;
        }
        if (VMM_LIKELY(at->time == time && at->series == series && at->last == last)) {
            at->count += count;
            return;
        }
    }
}

/* Puts the counts to the front, by series, then by time; returns how many. It then is no table. */
uint64_t reuse_sort(ReuseTable *table);

#endif
