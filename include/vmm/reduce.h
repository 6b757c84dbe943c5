/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reduction of traces for LRU memories (SAD, "safely allowed drop"): references that no LRU memory
 * of at least k frames can tell apart are left out.
 *
 * Method: S. F. Kaplan, Y. Smaragdakis, P. R. Wilson, "Trace reduction for virtual memory
 * simulations", ACM SIGMETRICS 1999. Of three references to a page the middle one may go when fewer
 * than k different other pages are referenced between the first and the third: in an LRU memory of
 * k or more frames the page stays resident all the while. What it wrote, the next reference to the
 * page that is kept writes instead, so that write-backs stay too.
 *
 * THE GUARANTEE. For LRU, a pool of at least k frames (with a pool for each process: of its own)
 * and pages of the size given here or a multiple of it, the reduced trace has exactly the page
 * faults and the write-backs of the original one, in the same order. It does not hold for the
 * number of accesses and what is derived from it, for TLBs, for other policies, for smaller
 * memories, for references that no mapping allows (of several alike one may stay), or when
 * references are filtered by kind after the reduction.
 */
#ifndef VMM_REDUCE_H
#define VMM_REDUCE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VMMReducer VMMReducer;

/* Takes what is kept, in order. Returns VMM_OK, or a code that ends the reduction. */
typedef int VMMReducerSink(void *user, const VMMRef *refs, size_t count);

#define VMM_REDUCER_MAX_FRAMES (UINT64_C(1) << 28)

/*
 * A reducer for LRU memories of at least `frames` frames, 1 to VMM_REDUCER_MAX_FRAMES, of
 * `page_size` bytes (a power of two; 0: 4096). Its memory grows with `frames`, not with the trace.
 * On failure *reducer is NULL and `error` (may be NULL; VMM_ERROR_TEXT_BYTES) holds the sentence:
 * VMM_E_USAGE, VMM_E_RANGE, VMM_E_NO_MEMORY.
 */
VMM_API int vmm_reducer_create(uint64_t frames, uint64_t page_size, VMMReducerSink *sink,
                               void *user, VMMReducer **reducer, char *error);

/*
 * Adds references. Each page that one of them overlaps is a page reference of its own; those that
 * are kept come out as references to the first byte of the page. VMM_OK, VMM_E_NO_MEMORY, or what
 * the sink returned; after a failure only destroy is of use.
 */
VMM_API int vmm_reducer_add(VMMReducer *reducer, const VMMRef *refs, size_t count);

/*
 * Gives out all that is held back, and forgets what came before: nothing behind this place is
 * dropped for what stands in front of it. To be called at the end, and before an event, whatever it
 * does: a page that is given up and comes back is another page. Behind it the first write to a page
 * is taken for one that makes a copy, and is kept: the copy is another page too.
 */
VMM_API int vmm_reducer_flush(VMMReducer *reducer);

typedef struct VMMReducerInfo {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t references;      /* added */
    uint64_t page_references; /* that they make */
    uint64_t kept;            /* of these, given to the sink */
} VMMReducerInfo;

VMM_API void vmm_reducer_info(const VMMReducer *reducer, VMMReducerInfo *info);

/* Accepts NULL. */
VMM_API void vmm_reducer_destroy(VMMReducer *reducer);

#ifdef __cplusplus
}
#endif

#endif
