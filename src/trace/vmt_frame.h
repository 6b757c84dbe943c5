/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing: finds the blocks of a .vmt in its stream of bytes, and what is missing between them.
 *
 *     source ──► window ──► headers, checksums, order ──► slots
 *
 * A block whose header or payload does not fit its checksum costs only itself: with skip_bad the
 * framer looks for the next place where a header fits. Each header says how many references come
 * before its block, and the trailer how many there are, so what is missing is known.
 */
#ifndef VMM_TRACE_VMT_FRAME_H
#define VMM_TRACE_VMT_FRAME_H

#include "source.h"
#include "vmt_decode.h"

typedef struct VmtFramer {
    TraceSource *source;
    bool skip_bad;

    /* window[at] is the byte `offset` of the file; the framer owns it. */
    uint8_t *window;
    size_t room;
    size_t at;
    size_t filled;
    uint64_t offset;

    uint64_t next_ordinal;
    uint64_t next_first; /* references before the next block */
    VmtTrailer trailer;  /* once it was reached whole */
    bool ended;          /* it was */
    bool expects_gap;    /* damage was passed over: the next block need not follow the last one */
    Error stop;          /* why framing ended, if not at the end */

    /* Headers that fit may name payloads that do not, each over the same bytes: see framer_may_sum.
     */
    uint64_t passed;         /* bytes stepped over in this pass */
    uint64_t summed_in_vain; /* bytes of payloads whose checksum did not fit */

    uint64_t bad_records; /* places that were passed over */
    uint64_t damaged_bytes;
    Error bad_texts[VMM_TRACE_BAD_TEXTS]; /* of the first of them */
    size_t bad_text_count;
} VmtFramer;

/* With the bytes that were already read from the source. False: no memory. */
bool vmt_framer_open(VmtFramer *framer, TraceSource *source, bool skip_bad, const void *bytes,
                     size_t count);
void vmt_framer_close(VmtFramer *framer);

/* The source was set to this byte of the file, where that block begins. */
void vmt_framer_start(VmtFramer *framer, uint64_t offset, uint64_t ordinal, uint64_t first);

/* Has `wanted` bytes in the window if the input has them: how many there are. */
size_t vmt_framer_fill(VmtFramer *framer, size_t wanted);
const uint8_t *vmt_framer_bytes(const VmtFramer *framer);
void vmt_framer_step(VmtFramer *framer, size_t count);

/* Fills the slot with the next block, or with what is missing. False: nothing follows. */
bool vmt_framer_next(VmtFramer *framer, VmtSlot *slot);

/* The sentence about damage at a byte of the file, with advice or without. */
void vmt_framer_describe(const VmtFramer *framer, uint64_t offset, const char *found,
                         const char *expected, bool advise, Error *error);

/* Counts damage that is passed over, and keeps the sentences about the first of it. */
void vmt_framer_note_damage(VmtFramer *framer, uint64_t offset, const char *found,
                            const char *expected);

#endif
