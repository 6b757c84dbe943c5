/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the curves of stack algorithms share: pages, the series of address spaces, reading.
 *
 * There is one stack; with scope = process there is one for each address space. What the depths
 * tell is kept by address space where the curve goes by space, and summed up at the end.
 */
#ifndef VMM_ANALYSIS_STACK_CURVE_H
#define VMM_ANALYSIS_STACK_CURVE_H

#include "curve.h"
#include "depths.h"

typedef struct StackCurve {
    VMMCurve base;
    StackPage *pages; /* by page id */
    Depths *series;   /* by space, or one */
    uint32_t *wanted; /* by stack: the different pages that it must have room for */
    Depths whole;     /* of all series, when finished */
    uint32_t page_count;
    uint32_t count; /* of series and stacks */
    uint32_t met;   /* page ids below it are counted in `wanted` */
    bool wide;      /* the processor has wide vectors */
} StackCurve;

/* The stack that pages of a space are in. */
static inline uint32_t stackcurve_stack(const StackCurve *curve, uint32_t space) {
    return curve->base.settings.scope == SCOPE_PROCESS ? space : 0;
}

/* The series of a space. */
static inline Depths *stackcurve_series(StackCurve *curve, uint32_t space) {
    return &curve->series[curve->base.by_space ? space : 0];
}

/* The space of a page. */
static inline uint32_t stackcurve_space(const StackCurve *curve, uint32_t page) {
    return stream_charged(curve->base.stream, page);
}

void stackcurve_create(VMMCurve *curve);
void stackcurve_destroy(VMMCurve *curve);

/* Room for what the directory knows now; the kind's own array of `size` bytes a stack grows along.
 */
int stackcurve_reserve(VMMCurve *curve, void **stacks, size_t size, Error *error);

/* Counts the page references of a part, and of them those that find their page on top, since the
   one before was to the same page. */
Depths *stackcurve_count(StackCurve *curve, const CurvePart *part);

/* A page of the stack is given up at `depth`. */
void stackcurve_discard(StackCurve *curve, uint32_t page, uint32_t depth);

/* A page of the stack, at `depth`, is as good as clean. */
void stackcurve_clean(StackCurve *curve, uint32_t page, uint32_t depth);

/* A page is at `depth` at the end. `user` is the StackCurve. */
void stackcurve_end(void *user, uint32_t page, uint32_t depth);

/* See CurveType. */
int stackcurve_finish(VMMCurve *curve, Error *error);
void stackcurve_describe(const VMMCurve *curve, size_t series, VMMCurveSeries *description);
void stackcurve_at(const VMMCurve *curve, size_t series, uint64_t size, VMMCurvePoint *point);
uint64_t stackcurve_next(const VMMCurve *curve, size_t series, uint64_t size);

#endif
