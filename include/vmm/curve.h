/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Curves: what a trace costs at every memory size, found out in one pass.
 *
 *     VMMCurveOptions options = {.struct_size = sizeof options, .kind = VMM_CURVE_LRU};
 *     VMMCurve *curve;
 *     vmm_curve_create(&config, &options, NULL, &curve, error);
 *     vmm_curve_run(&curve, 1, trace, NULL, NULL);
 *     VMMCurvePoint point;
 *     vmm_curve_at(curve, 0, 1000, &point);          point.misses with 1000 frames
 *     vmm_curve_destroy(curve);
 *
 * LRU and OPT are stack algorithms: what n frames hold, n + 1 hold too, so that one number of each
 * page reference, the depth of its page in a stack, tells its fate at every size (Mattson, Gecsei,
 * Slutz, Traiger, IBM Systems Journal 9(2), 1970). The points are exactly what vmm_run() counts
 * with that policy and so many frames, events included: misses, and as writebacks swap_outs. OPT
 * makes a first pass over the trace, as the policy does.
 *
 * Working Set and VMIN keep a page for a time, not for a number of frames; their size is a window
 * of page references of the page's own process. A page reference is a hit if its page was
 * referenced at most `size` page references of the process ago, in both. Working Set keeps each
 * page so long (Denning and Slutz, CACM 21(9), 1978); VMIN only those that will be referenced again
 * within the window, the others for the one reference only (Prieve and Fabry, CACM 19(5),
 * 1976), which is the least memory for so few misses. mean_resident is the mean, over all page
 * references, of the pages that the referencing process has in memory at it, the referenced one
 * included: with one process, what a run of the policy counts as space_time, divided by them. In
 * Working Set a page that is never referenced again counts up to the end of its process's
 * references, or to the event that gives it up.
 *
 * SHARDS looks at a sample of the pages only (Waldspurger, Park, Garthwaite, Ahmad, FAST 2015, with
 * the correction called SHARDS-adj there): LRU, approximately, for traces of any length.
 */
#ifndef VMM_CURVE_H
#define VMM_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "sim.h"
#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum VMMCurveKind {
    VMM_CURVE_LRU,
    VMM_CURVE_OPT,
    VMM_CURVE_WS,   /* Working Set */
    VMM_CURVE_VMIN, /* its optimum */
    VMM_CURVE_KIND_COUNT
} VMMCurveKind;

typedef struct VMMCurve VMMCurve;

/* What to find out. Zeroed memory with struct_size set means the whole LRU curve. */
typedef struct VMMCurveOptions {
    uint32_t struct_size;
    uint32_t kind;         /* a VMMCurveKind */
    uint32_t per_process;  /* 1: a series for each process, too */
    uint32_t reserved;     /* 0 */
    double sample_rate;    /* LRU: SHARDS with this share of the pages, above 0, below 1; 0: all */
    uint64_t sample_pages; /* LRU: SHARDS with so many pages at most, from 64; 0: no such bound.
                              sample_rate is then the share to begin with; 0: all */
} VMMCurveOptions;

/* One place of a curve. */
typedef struct VMMCurvePoint {
    uint64_t size; /* frames; of Working Set and VMIN the window, in page references */
    uint64_t misses;
    uint64_t writebacks;  /* pages that left and had been written; LRU and OPT */
    uint64_t dirty_left;  /* pages in memory at the end that were written and not saved; likewise */
    double miss_ratio;    /* misses for each page reference; 0 if there is none */
    double mean_resident; /* pages; Working Set and VMIN */
    double low, high;     /* SHARDS: what the exact miss ratio lies between, over the whole curve in
                             at least 95 of 100 seeds; else both are the ratio */
} VMMCurvePoint;

/* A curve of the whole, or of one process. */
typedef struct VMMCurveSeries {
    uint32_t struct_size;
    uint32_t pid;             /* of a process; 0 for the whole */
    uint64_t page_references; /* those beyond the address space included */
    uint64_t invalid;         /* beyond the address space: neither hit nor miss */
    uint64_t cold_misses;     /* that no size avoids: first references, also after a page was given
                                 up; of SHARDS an estimate */
    uint64_t sampled;         /* SHARDS: page references that were looked at; else all */
} VMMCurveSeries;

/*
 * Makes a curve. Of the configuration count page-size, vspace, refs, max-accesses, the address
 * width of pt-type, seed (SHARDS) and scope: with scope = process each process has a memory of its
 * own of every size, and the whole is their sum; with scope = global, misses and write-backs in the
 * memory they share are put down to the process whose page it is. `allocator` NULL: the C library.
 * On failure *curve is NULL and `error` (may be NULL; VMM_ERROR_TEXT_BYTES) holds the sentence:
 * VMM_E_USAGE, VMM_E_RANGE, VMM_E_CONFIG, VMM_E_NO_MEMORY.
 */
VMM_API int vmm_curve_create(const VMMConfig *config, const VMMCurveOptions *options,
                             const VMMAllocator *allocator, VMMCurve **curve, char *error);

/*
 * Takes a whole trace through `count` fresh curves at once, decoded once (twice if one is OPT).
 * They must agree in page-size, vspace, refs, max-accesses and address width, and a SHARDS curve
 * runs alone (else VMM_E_CONFIG). VMM_OK; VMM_E_STOPPED when `progress` (may be NULL) said so: the
 * curves are then those of what was read; or an error of the trace, of the temporary file or of
 * memory. The sentence is in each curve's vmm_curve_error_text().
 */
VMM_API int vmm_curve_run(VMMCurve *const *curves, size_t count, VMMTrace *trace,
                          VMMProgressCallback *progress, void *user);

/*
 * The same by hand, for references that are in no trace: any number of calls, then the end, after
 * which the curve can be read and takes no more. VMM_E_NEEDS_FUTURE for OPT; VMM_E_USAGE for a
 * curve that took a trace or is at its end; VMM_E_NO_MEMORY, VMM_E_LIMIT.
 */
VMM_API int vmm_curve_feed(VMMCurve *curve, const VMMRef *refs, size_t count);
VMM_API int vmm_curve_end(VMMCurve *curve);

/* The sentence of the last failure of this curve, "" if none. */
VMM_API const char *vmm_curve_error_text(const VMMCurve *curve);

/* Series 0 is the whole; with per_process the processes follow in order of first reference. */
VMM_API size_t vmm_curve_series_count(const VMMCurve *curve);

/* VMM_OK, or VMM_E_USAGE past the last. series->struct_size must be set. */
VMM_API int vmm_curve_series_at(const VMMCurve *curve, size_t index, VMMCurveSeries *series);

/*
 * The points where a series changes in misses, write-backs or (Working Set, VMIN) in the slope of
 * mean_resident, ascending; the first is size 1. Between two points misses and write-backs are
 * those of the lower, mean_resident of Working Set lies on the straight line, and behind the last
 * nothing changes. Fills up to `capacity` points from *cursor on, which is 0 at first and is moved;
 * returns how many, 0 at the end.
 */
VMM_API size_t vmm_curve_read(const VMMCurve *curve, size_t series, uint64_t *cursor,
                              VMMCurvePoint *points, size_t capacity);

/* The point at any size from 1; of Working Set and VMIN interpolated, which is exact too. VMM_OK,
 * or VMM_E_USAGE. point->struct_size must be set.
 */
VMM_API int vmm_curve_at(const VMMCurve *curve, size_t series, uint64_t size, VMMCurvePoint *point);

/* Accepts NULL. */
VMM_API void vmm_curve_destroy(VMMCurve *curve);

#ifdef __cplusplus
}
#endif

#endif
