/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks on their way from the file to the caller: a ring of slots, in the order of the file.
 *
 *     free ──fill──► packed ──decode──► decoded ──take──► in use ──release──► free
 *                            by the caller, or by threads that work ahead
 *
 * The thread that reads the trace fills and takes; `threads` others decode what was filled. With
 * none there is one slot, decoded when it is taken. The order, and so every result, is the same for
 * any number of threads; memory is bounded by the number of slots.
 */
#ifndef VMM_TRACE_VMT_DECODE_H
#define VMM_TRACE_VMT_DECODE_H

#include "vmt_full.h"
#include "vmt_runs.h"

typedef struct VmtSlot {
    VmtBlock block;  /* block.type 0: no block, but references are missing here */
    uint64_t offset; /* of the block in the file */
    uint64_t lost;   /* how many references are missing */
    uint8_t *packed; /* the payload, as it is in the file */
    size_t packed_room;

    /* After decoding. */
    const char *problem; /* what is wrong with the payload; NULL: nothing */
    bool no_memory;      /* it could not be decoded for lack of memory */
    uint8_t *raw;        /* the payload, unpacked; may be `packed` itself */
    uint8_t *unpacked;
    size_t unpacked_room;
    VmtRuns *runs; /* of a block of runs */
    VmtModel *model;
    VMMRef *refs; /* of a block of full addresses: VMT_ENTRIES */
    VmtUnpacker *unpacker;
    int state; /* of the ring */
} VmtSlot;

typedef struct VmtRing VmtRing;

/* NULL: no memory, or no threads. */
VmtRing *vmt_ring_open(unsigned page_shift, unsigned threads);
void vmt_ring_close(VmtRing *ring);

/* A slot to fill; NULL: none is free. The one before is still waiting for vmt_ring_submit(). */
VmtSlot *vmt_ring_free_slot(VmtRing *ring);
void vmt_ring_submit(VmtRing *ring);

/* For a slot that is in no ring, zeroed at first. */
void vmt_slot_decode(VmtSlot *slot, unsigned page_shift);
void vmt_slot_free(VmtSlot *slot);

/* Room for the packed payload; false: no memory. */
bool vmt_slot_reserve(VmtSlot *slot, size_t bytes);

/* The oldest slot that was submitted, decoded; NULL: there is none. It is in use until released. */
VmtSlot *vmt_ring_take(VmtRing *ring);
void vmt_ring_release(VmtRing *ring);

/* Empties the ring. */
void vmt_ring_clear(VmtRing *ring);

#endif
