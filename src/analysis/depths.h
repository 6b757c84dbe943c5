/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depths: what a stack algorithm finds out of the stack depth of each page reference.
 *
 *     hits[d]     page references that found their page at depth d: hits with d frames or more
 *     written[n]  write-backs with n frames less those with n - 1
 *     left[n]     pages that end up in memory and dirty with n frames or more, not with fewer
 *
 * Between two references to a page its depth only grows, whatever the size of the memory, so the
 * depth d of the second tells that the page left every memory of fewer than d frames once. If it
 * had been written before and not saved, that was a write-back; `dirty_from` is the smallest memory
 * in which it still is dirty: 1 after a write, d once it has been at depth d, for it comes back
 * clean. (Thompson and Smith, ACM TOCS 7(1), 1989, call it the dirty level.)
 *
 *     write          dirty_from = 1
 *     read at 5      a write-back with 1, 2, 3, 4 frames; dirty_from = 5
 *     read at 3      nothing: smaller memories have saved it
 *     read at 8      a write-back with 5, 6, 7 frames; dirty_from = 8
 *
 * finish() sums all this up, so that afterwards each array gives what it counts at size n.
 */
#ifndef VMM_ANALYSIS_DEPTHS_H
#define VMM_ANALYSIS_DEPTHS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/vmm/curve.h"
#include "../base/compiler.h"
#include "../base/error.h"
#include "../base/memory.h"

#define DEPTHS_CLEAN UINT32_MAX /* dirty_from of a page that is dirty in no memory */

#define STACK_NOWHERE UINT32_MAX

/* What is kept of a page. */
typedef struct StackPage {
    uint32_t place; /* in its stack, as the stack counts; STACK_NOWHERE: it is not in it */
    uint32_t dirty_from;
} StackPage;

typedef struct Depths {
    uint64_t *hits; /* by depth, from 1; when finished, misses by size */
    uint64_t
        *written;     /* differences, that may be below 0 and then wrap; then write-backs by size */
    uint64_t *left;   /* likewise */
    uint64_t deepest; /* the arrays end there; when finished the curve does not change behind */
    uint64_t references; /* page references, all */
    uint64_t invalid;
    uint64_t cold;
} Depths;

/* Room for depths up to `deepest`. */
int depths_reserve(Depths *depths, const Memory *memory, uint64_t deepest, Error *error);
void depths_free(Depths *depths, const Memory *memory);

/* The page has gone down to `depth`: it was saved by all smaller memories in which it was dirty. */
static inline void depths_sink(Depths *depths, uint32_t depth, uint32_t *dirty_from) {
    if (VMM_UNLIKELY(*dirty_from < depth)) {
        depths->written[*dirty_from]++;
        depths->written[depth]--;
        *dirty_from = depth;
    }
}

/* A page reference that finds its page at `depth`. */
static inline void depths_hit(Depths *depths, uint32_t depth, uint32_t *dirty_from, bool write) {
    depths->hits[depth]++;
    depths_sink(depths, depth, dirty_from);
    *dirty_from = write ? 1 : *dirty_from;
}

/* A page reference that finds its page nowhere. */
static inline void depths_cold(Depths *depths, uint32_t *dirty_from, bool write) {
    depths->cold++;
    *dirty_from = write ? 1 : DEPTHS_CLEAN;
}

/* The page is at `depth` when the run ends. */
static inline void depths_end(Depths *depths, uint32_t depth, uint32_t *dirty_from) {
    if (*dirty_from != DEPTHS_CLEAN) {
        depths_sink(depths, depth, dirty_from);
        depths->left[*dirty_from]++;
    }
}

/*
 * The run is over: makes `whole` the sum of `count` series, and all of them ready to be read.
 * VMM_OK or VMM_E_NO_MEMORY.
 */
int depths_finish(Depths *whole, Depths *series, size_t count, const Memory *memory, Error *error);

/* What a finished one says; see CurveType. */
void depths_at(const Depths *depths, uint64_t size, VMMCurvePoint *point);
void depths_describe(const Depths *depths, VMMCurveSeries *description);
uint64_t depths_next(const Depths *depths, uint64_t size);

#endif
