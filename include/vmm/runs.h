/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page runs: how a .vmt gives its references without unfolding them.
 *
 * A run is a number of consecutive references of one thread to one page. A stretch of them, at most
 * one block of the file, comes with two dictionaries: the pages it touches, so that each is
 * interned once a stretch, and the shapes of its runs, of which a program has few. (vmm writes
 * each of them once a stretch; from another writer one may come twice.)
 *
 *     pages   | 0x4001 | 0x1ffeff | 0x4a3c |               VPNs
 *     shapes  | fetch x1 | read x3 | 5, write at 2 |        VMMRunShape
 *     page    | 0 | 1 | 0 | 2 | 1 ...                       by run: index into pages
 *     shape   | 0 | 1 | 0 | 2 | 1 ...                       by run: index into shapes
 *
 * A run holds fetches only, or loads and stores only, or touches of the kernel only, so that it can
 * be filtered whole. Of its `count` page references the first `first_write` are loads, the next is
 * a store, and `writes` in all are; the order of the others is not kept, nothing depends on it.
 * `continued` says that the first page reference is the second part of a reference that began in
 * the run before and crossed into this page: it is a page reference, but no reference.
 */
#ifndef VMM_RUNS_H
#define VMM_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VMMRunShape {
    uint32_t count;       /* page references, at least 1 */
    uint32_t writes;      /* of them stores */
    uint32_t first_write; /* index of the first store; `count` if there is none */
    bool fetch;           /* all are instruction fetches */
    bool kernel;          /* all are touches of the kernel */
    bool continued;       /* the first one is the second part of the reference before */
} VMMRunShape;

typedef struct VMMRuns {
    uint32_t pid;
    uint32_t tid;
    uint32_t page_shift; /* of the VPNs */
    uint32_t page_count;
    uint32_t shape_count;
    const uint64_t *pages;
    const VMMRunShape *shapes;
    size_t count; /* runs */
    const uint16_t *page;
    const uint16_t *shape;
} VMMRuns;

/* Whether vmm_trace_next_runs() can be used; else, and always, vmm_trace_read() can. */
VMM_API bool vmm_trace_has_runs(const VMMTrace *trace);

/*
 * The next stretch: 1; 0 at the end of the trace; or a negative code, as vmm_trace_read() gives.
 * Events are told to the trace's handler as there. The stretch is valid until the next call. Within
 * one pass a trace is read by this function or by vmm_trace_read(), not by both.
 */
VMM_API int vmm_trace_next_runs(VMMTrace *trace, const VMMRuns **runs);

#ifdef __cplusplus
}
#endif

#endif
