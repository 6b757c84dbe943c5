/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream: references in, page references out.
 *
 * A stream filters references, splits those that cross page boundaries, and interns each page
 * once. What comes out is a batch, arrays side by side that any number of machines can simulate:
 *
 *     refs   | pid 7 R 0x1ff8 size 16 | pid 7 W 0x5000 | pid 9 R 0x5000 |
 *     page   |    12    |    13    |    40    |    41    |      page ids; 0: beyond the limit
 *     op     |  R       |  R more  |  W       |  R       |
 *     runs   | space 0: 3 page references      | space 1: 1 |
 *
 * Runs are the longest stretches of one address space, with the number of reads, writes and
 * fetches in each. A reference longer than a batch goes on in the next one.
 */
#ifndef VMM_ENGINE_STREAM_H
#define VMM_ENGINE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/types.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../config/settings.h"
#include "../mm/directory.h"

/* Bits of Batch.op beside the VMMOp: this is not the first page of its reference. */
enum { OP_WRITE_BIT = 1, OP_MASK = 3, OP_CONTINUED = 4 };

typedef struct Run {
    uint32_t space;
    uint32_t length;              /* page references */
    uint32_t count[VMM_OP_COUNT]; /* references whose first page is in this run, by VMMOp */
} Run;

typedef struct Batch {
    uint32_t *page;
    uint8_t *op;
    VMMRef *origin; /* by page reference: the reference it is part of; NULL unless watched */
    uint32_t *next; /* by page reference: how far away its page's next one is; NULL: not known */
    uint32_t *left_out_before; /* by page reference: references of the batch that the filter left
                                  out before it; NULL: nothing is filtered */
    Run *runs;
    uint32_t *invalid; /* the spaces of the page references to page 0, in their order */
    size_t count;
    size_t run_count;
    size_t invalid_count;
    uint32_t left_out; /* references that the filter left out, in all */
    size_t capacity;
    uint64_t first; /* place of the first page reference in the stream */
} Batch;

/* Page references that are split first and then interned together. */
#define STREAM_STRETCH 4096

typedef struct Stream {
    Memory memory;
    Directory directory;
    Batch batch;
    uint64_t address_limit;
    uint64_t references; /* taken, after the filter */
    uint64_t filtered;   /* left out by the filter, in all batches */
    uint64_t page_references;
    uint64_t max_references;
    uint64_t refs; /* REFS_ALL, ... */
    unsigned page_shift;
    uint32_t users;    /* machines that hold this stream */
    uint32_t last_pid; /* of the last reference, and its space */
    uint32_t last_space;
    bool any;            /* last_pid is valid */
    uint64_t resume_vpn; /* of a reference cut by the end of a stretch; UINT64_MAX: none */
    size_t stretch_begin, stretch_end; /* the part of the batch that is being filled */
    uint64_t keys[STREAM_STRETCH];     /* of its page references, before they are interned */
} Stream;

/* A stream for machines with these settings, batches of `capacity` page references. */
int stream_create(const Settings *settings, unsigned address_bits, const Memory *memory,
                  size_t capacity, Stream **stream, Error *error);

/* Gives up one use; the last one frees the stream. Accepts NULL. */
void stream_release(Stream *stream);

/* From now on batches carry the references themselves. */
int stream_watch(Stream *stream, Error *error);

/* Forgets the batch, to make place for the next. */
void stream_next_batch(Stream *stream);

/*
 * Adds references to the batch until it is full or all are taken; *taken says how many are done
 * with. After max_references nothing more is taken (stream_is_done).
 */
int stream_add(Stream *stream, const VMMRef *refs, size_t count, size_t *taken, Error *error);

static inline bool stream_is_done(const Stream *stream) {
    return stream->references >= stream->max_references && stream->resume_vpn == UINT64_MAX;
}

static inline bool stream_is_full(const Stream *stream) {
    return stream->batch.count == stream->batch.capacity;
}

#endif
