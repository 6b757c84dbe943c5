/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The working set over time: which memory a program uses, window by window, and where it changes.
 *
 *     VMMWorkingSetOptions options = {.struct_size = sizeof options, .window = 100000};
 *     VMMWorkingSet *set;
 *     vmm_working_set_create(&config, &options, NULL, &set, error);
 *     vmm_working_set_run(set, trace, NULL, NULL);
 *     vmm_working_set_read(set, 0, windows, capacity);
 *     vmm_working_set_destroy(set);
 *
 * A trace is cut into windows of so many page references, one after the other. The working set of a
 * window is the set of pages that it references: Denning's W(t, T) (CACM 11(5), 1968) with T the
 * window, at the times t where a window ends. How far two windows that follow each other lie apart
 * is the relative working set distance of Dhodapkar and Smith (ISCA 2002):
 *
 *     distance = 1 - |A and B| / |A or B|      0: the same pages, 1: none in common
 *
 * and where it is above the threshold a new phase begins.
 *
 *     pages   120 121 119 120 | 340 338 341 | 119 120
 *     phase    1   1   1   1  |  2   2   2  |  3   3
 */
#ifndef VMM_WORKING_SET_H
#define VMM_WORKING_SET_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "sim.h"
#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VMMWorkingSet VMMWorkingSet;

/* Zeroed memory with struct_size and window set means all defaults. */
typedef struct VMMWorkingSetOptions {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    uint64_t window;   /* page references, from 1 */
    double threshold;  /* of the distance, above 0, at most 1; 0: 0.5, the one of the paper */
} VMMWorkingSetOptions;

/* One window. A page that an event takes away is another page when it is referenced again. */
typedef struct VMMWindow {
    uint64_t first;     /* page references before it */
    uint64_t length;    /* page references in it: of the last one maybe fewer than the window */
    uint64_t pages;     /* different pages referenced in it: the size of the working set */
    uint64_t shared;    /* of these, referenced in the window before, too */
    uint64_t new_pages; /* of these, never referenced before */
    double distance;    /* from the window before; 0 for the first one */
    uint64_t phase;     /* its number, from 1; a last window that is shorter begins none */
} VMMWindow;

/*
 * Makes an analysis. Of the configuration count page-size, vspace, refs, max-accesses and the
 * address width of pt-type. `allocator` NULL: the C library. On failure *set is NULL and `error`
 * (may be NULL; VMM_ERROR_TEXT_BYTES) holds the sentence: VMM_E_USAGE, VMM_E_RANGE, VMM_E_CONFIG,
 * VMM_E_NO_MEMORY.
 */
VMM_API int vmm_working_set_create(const VMMConfig *config, const VMMWorkingSetOptions *options,
                                   const VMMAllocator *allocator, VMMWorkingSet **set, char *error);

/*
 * Takes a whole trace through a fresh analysis. VMM_OK; VMM_E_STOPPED when `progress` (may be NULL)
 * said so: the windows are then those of what was read; VMM_E_LIMIT beyond 2^32 - 2 windows; or an
 * error of the trace or of memory. The sentence is in vmm_working_set_error_text().
 */
VMM_API int vmm_working_set_run(VMMWorkingSet *set, VMMTrace *trace, VMMProgressCallback *progress,
                                void *user);

/* The sentence of the last failure, "" if none. */
VMM_API const char *vmm_working_set_error_text(const VMMWorkingSet *set);

/* Fills up to `capacity` windows from number `first` (from 0) on; returns how many, 0 at the end.
 */
VMM_API size_t vmm_working_set_read(const VMMWorkingSet *set, size_t first, VMMWindow *windows,
                                    size_t capacity);
VMM_API size_t vmm_working_set_count(const VMMWorkingSet *set);

/* Accepts NULL. */
VMM_API void vmm_working_set_destroy(VMMWorkingSet *set);

#ifdef __cplusplus
}
#endif

#endif
