/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of page runs: references become runs (runs.h), a block of runs becomes bytes, and back.
 *
 *     counts of pages, shapes, kinds | pages | shapes | kinds | kind of each run
 *
 * A kind is a page with a shape. A program has few of them at a time, mostly fewer than 256, so
 * that a run is a single byte, and zstd has half of the bytes to look at. (Measured on recordings
 * of gzip, sort, sqlite3 and python3 against a column of pages and one of shapes: 5 to 35 %
 * smaller, packed and unpacked 1.3 to 2 times as fast.)
 *
 * The encoder holds one block in the making and one open run, the last. A run stays open from call
 * to call, so that it does not matter how references are cut into calls.
 */
#ifndef VMM_TRACE_VMT_RUNS_H
#define VMM_TRACE_VMT_RUNS_H

#include "../../include/vmm/runs.h"
#include "vmt_format.h"

typedef struct VmtRunsEncoder VmtRunsEncoder;

/* NULL: no memory. */
VmtRunsEncoder *vmt_runs_open(unsigned page_shift);
void vmt_runs_close(VmtRunsEncoder *encoder);

/*
 * Take references of one thread: how many were taken. Fewer than given: the block is full, and the
 * rest is to be given again once it was taken. Of packed ones, *kernel is raised by how many are
 * the kernel's; after one that is no reference *bad is set, and the encoder is of no more use.
 */
size_t vmt_runs_add(VmtRunsEncoder *encoder, const VMMRef *refs, size_t count);
size_t vmt_runs_add_packed(VmtRunsEncoder *encoder, const VMMPackedRef *refs, size_t count,
                           uint64_t *kernel, bool *bad);

/* Is there anything in the block? */
bool vmt_runs_pending(const VmtRunsEncoder *encoder);

/* The pages of the block so far, all different; the open run is closed. */
const uint64_t *vmt_runs_pages(VmtRunsEncoder *encoder, uint32_t *count);

/* Ends the block: its payload (valid until the next call) and the counts of its header. */
const uint8_t *vmt_runs_take(VmtRunsEncoder *encoder, VmtBlock *block);

/* A page with a shape, by their indices. */
typedef struct VmtKind {
    uint16_t page;
    uint16_t shape;
} VmtKind;

/* What one run adds to the counts of its block: two counts of 32 bits in a word. */
typedef struct VmtTally {
    uint64_t page_references;
    uint64_t reads_writes;
    uint64_t fetches_kernel;
} VmtTally;

VmtTally vmt_runs_tally(const VMMRunShape *shape);

/* Sets the counts of references in *block. False: there are more than 32 bits hold. */
bool vmt_runs_count(VmtTally sum, VmtBlock *block);

/* The arrays of a decoded block. */
typedef struct VmtRuns {
    uint64_t pages[VMT_ENTRIES];
    VMMRunShape shapes[VMT_ENTRIES];
    VmtKind kinds[VMT_ENTRIES];
    VmtTally tallies[VMT_ENTRIES]; /* by kind */
    uint16_t page[VMT_ENTRIES];
    uint16_t shape[VMT_ENTRIES];
    VMMRuns runs; /* points into them */
} VmtRuns;

/* NULL, or the phrase that says what is wrong with the payload of block->raw_bytes. */
const char *vmt_runs_decode(VmtRuns *to, const VmtBlock *block, unsigned page_shift,
                            const uint8_t *payload);

/* Where the unfolding of a block's runs into references stands; zeroed: at their beginning. */
typedef struct VmtUnfold {
    size_t run;
    uint32_t at; /* page references of the run that were handed out */
} VmtUnfold;

/* The next references, at most `room`: how many; 0 at the end of the block. */
size_t vmt_runs_unfold(const VMMRuns *runs, VmtUnfold *unfold, VMMRef *refs, size_t room);

#endif
