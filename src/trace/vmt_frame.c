/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the blocks of a .vmt, and goes on past damage. vmt_frame.h has the picture. */
#include "vmt_frame.h"

#include "../base/memory.h"

/* ---- Opening -------------------------------------------------------------------------------- */

bool vmt_framer_open(VmtFramer *framer, TraceSource *source, bool skip_bad, const void *bytes,
                     size_t count) {
    size_t room = count + VMM_TRACE_BUFFER + VMT_BLOCK_BYTES;
    *framer = (VmtFramer){.source = source, .skip_bad = skip_bad};
    framer->window = memory_zalloc(&memory_default, room, 1);
    if (framer->window == NULL) {
        return false;
    }
    framer->room = room;
    framer->filled = count;
    memcpy(framer->window, bytes, count);
    return true;
}

void vmt_framer_close(VmtFramer *framer) {
    memory_free(&memory_default, framer->window, framer->room, 1);
    framer->window = NULL;
}

void vmt_framer_start(VmtFramer *framer, uint64_t offset, uint64_t ordinal, uint64_t first) {
    framer->at = framer->filled = 0;
    framer->offset = offset;
    framer->next_ordinal = ordinal;
    framer->next_first = first;
    framer->expects_gap = framer->ended = false;
    framer->stop = (Error){.code = VMM_OK};
    framer->bad_records = framer->damaged_bytes = 0;
    framer->passed = framer->summed_in_vain = 0;
    framer->bad_text_count = 0;
}

/* ---- The window ----------------------------------------------------------------------------- */

/* Has `wanted` bytes in the window if the input has them: how many there are. */
size_t vmt_framer_fill(VmtFramer *framer, size_t wanted) {
    if (framer->filled - framer->at >= wanted) {
        return framer->filled - framer->at;
    }
    if (framer->at + wanted > framer->room) {
        memmove(framer->window, framer->window + framer->at, framer->filled - framer->at);
        framer->filled -= framer->at;
        framer->at = 0;
    }
    if (wanted > framer->room) {
        size_t room = wanted + wanted / 2;
        uint8_t *grown = memory_grow(&memory_default, framer->window, framer->room, room, 1);
        if (grown == NULL) {
            error_no_memory(&framer->stop, room, "reading the trace");
            return framer->filled - framer->at;
        }
        framer->window = grown;
        framer->room = room;
    }
    while (framer->filled - framer->at < wanted) {
        size_t space = framer->room - framer->filled;
        long count = trace_source_read(framer->source, (char *)framer->window + framer->filled,
                                       space < VMM_TRACE_BUFFER ? space : VMM_TRACE_BUFFER);
        if (count <= 0) {
            break;
        }
        framer->filled += (size_t)count;
    }
    return framer->filled - framer->at;
}

const uint8_t *vmt_framer_bytes(const VmtFramer *framer) {
    return framer->window + framer->at;
}

void vmt_framer_step(VmtFramer *framer, size_t count) {
    framer->at += count;
    framer->offset += count;
    framer->passed += count;
}

/* The input failed, not just ended: an error, or memory. Damage of its compression is damage. */
static bool framer_failed(VmtFramer *framer) {
    int code = framer->source->error.code;
    if (framer->stop.code == VMM_OK && code != VMM_OK && code != VMM_E_DAMAGED) {
        framer->stop = framer->source->error;
    }
    return framer->stop.code != VMM_OK;
}

/* ---- Damage --------------------------------------------------------------------------------- */

/* The sentence about damage at a byte of the file. */
void vmt_framer_describe(const VmtFramer *framer, uint64_t offset, const char *found,
                         const char *expected, bool advise, Error *error) {
    error_set(error, VMM_E_DAMAGED, "%s: damaged .vmt at byte %llu: found %s, expected %s%s",
              framer->source->name, (unsigned long long)offset, found, expected,
              advise ? "; get the file again, or use --skip-bad-records to take what can be read"
                     : "");
}

/* Counts damage that is passed over, and says of the first what it is. */
void vmt_framer_note_damage(VmtFramer *framer, uint64_t offset, const char *found,
                            const char *expected) {
    framer->bad_records++;
    if (framer->bad_text_count < VMM_TRACE_BAD_TEXTS) {
        vmt_framer_describe(framer, offset, found, expected, false,
                            &framer->bad_texts[framer->bad_text_count++]);
    }
}

/* True: go on past it. False: framing ends, with the sentence in `stop`. */
static bool framer_pass_damage(VmtFramer *framer, const char *found, const char *expected) {
    if (framer->skip_bad) {
        vmt_framer_note_damage(framer, framer->offset, found, expected);
        framer->expects_gap = true;
        return true;
    }
    vmt_framer_describe(framer, framer->offset, found, expected, true, &framer->stop);
    return false;
}

/* Steps to the next place where a block or the trailer begins, or to the end of the input. */
static void framer_resynchronise(VmtFramer *framer) {
    uint64_t from = framer->offset;
    size_t step = 1;
    for (;;) {
        vmt_framer_step(framer, step);
        size_t have = vmt_framer_fill(framer, VMT_BLOCK_BYTES);
        VmtBlock block;
        VmtTrailer trailer;
        if ((have >= VMT_BLOCK_BYTES && vmt_block_get(&block, vmt_framer_bytes(framer))) ||
            (have >= VMT_TRAILER_BYTES && vmt_trailer_get(&trailer, vmt_framer_bytes(framer))) ||
            have == 0) {
            break;
        }
        have = framer->filled - framer->at;
        const uint8_t *next =
            memchr(vmt_framer_bytes(framer) + 1, VMT_BLOCK_MAGIC[0] & 0xff, have - 1);
        step = next != NULL ? (size_t)(next - vmt_framer_bytes(framer)) : have;
    }
    framer->damaged_bytes += framer->offset - from;
}

/*
 * Within damage every header that fits is tried. In an honest file each payload that does not fit
 * is passed before the next is tried; a lying one could have the same bytes hashed for each of
 * thousands of headers, so what is hashed in vain is kept in proportion to what was passed.
 */
static bool framer_may_sum(const VmtFramer *framer, const VmtBlock *block) {
    return framer->summed_in_vain + block->packed_bytes <=
           2 * framer->passed + 2 * (uint64_t)VMT_PACKED_MAX;
}

/* The payload is in the window: does its checksum fit? */
static bool framer_sums(VmtFramer *framer, const VmtBlock *block) {
    if (!framer_may_sum(framer, block)) {
        return false;
    }
    bool fits = vmt_checksum_fits(vmt_framer_bytes(framer) + VMT_BLOCK_BYTES, block->packed_bytes,
                                  block->checksum);
    framer->summed_in_vain += fits ? 0 : block->packed_bytes;
    return fits;
}

/* ---- Framing -------------------------------------------------------------------------------- */

/* A slot that stands for missing references. */
static void framer_take_lost(VmtSlot *slot, uint64_t lost) {
    slot->block = (VmtBlock){.type = 0};
    slot->lost = lost;
}

/* The header of a block fits. Fills the slot with the block, or with what is missing before it. */
static bool framer_take_block(VmtFramer *framer, const VmtBlock *block, VmtSlot *slot) {
    bool follows = block->ordinal == framer->next_ordinal && block->first == framer->next_first;
    if (!follows && !framer->expects_gap &&
        !framer_pass_damage(framer, "a block out of order", "the block after the last one")) {
        return false;
    }
    uint64_t lost = block->first > framer->next_first ? block->first - framer->next_first : 0;
    bool gap = !follows;
    framer->expects_gap = false;
    framer->next_ordinal = block->ordinal;
    framer->next_first = block->first;
    if (gap) {
        framer_take_lost(slot, lost);
        return true;
    }
    slot->block = *block;
    slot->offset = framer->offset;
    if (!vmt_slot_reserve(slot, block->packed_bytes)) {
        error_no_memory(&framer->stop, block->packed_bytes, "reading the trace");
        return false;
    }
    memcpy(slot->packed, vmt_framer_bytes(framer) + VMT_BLOCK_BYTES, block->packed_bytes);
    vmt_framer_step(framer, VMT_BLOCK_BYTES + block->packed_bytes);
    framer->next_ordinal++;
    framer->next_first += block->references;
    return true;
}

/* The trailer is there: the end, unless something is missing or follows. */
static bool framer_take_trailer(VmtFramer *framer, const VmtTrailer *trailer, VmtSlot *slot) {
    if (trailer->references != framer->next_first || trailer->blocks != framer->next_ordinal) {
        if (!framer->expects_gap &&
            !framer_pass_damage(framer, "the end of the trace", "more blocks before it")) {
            return false;
        }
        uint64_t lost = trailer->references - framer->next_first;
        framer_take_lost(slot, trailer->references > framer->next_first ? lost : 0);
        framer->next_first = trailer->references;
        framer->next_ordinal = trailer->blocks;
        return true;
    }
    framer->trailer = *trailer;
    framer->ended = true;
    vmt_framer_step(framer, VMT_TRAILER_BYTES);
    size_t behind = vmt_framer_fill(framer, 1);
    if (behind > 0 && framer_pass_damage(framer, "more bytes", "the end of the file")) {
        uint64_t from = framer->offset;
        while ((behind = vmt_framer_fill(framer, 1)) > 0) {
            vmt_framer_step(framer, behind);
        }
        framer->damaged_bytes += framer->offset - from;
    }
    return false;
}

/* Nothing more comes, and there was no trailer. */
static void framer_cut_off(VmtFramer *framer) {
    if (framer_failed(framer)) {
        return;
    }
    if (framer->source->error.code == VMM_E_DAMAGED && !framer->skip_bad) {
        framer->stop = framer->source->error;
        return;
    }
    size_t left = vmt_framer_fill(framer, 1);
    uint64_t unread = left + trace_source_unread(framer->source);
    if (framer->expects_gap && unread == 0) {
        return; /* the damage that was passed over reaches to the end */
    }
    if (framer_pass_damage(framer, "the end of the file", "a block or the end of the trace")) {
        framer->damaged_bytes += unread > 0 ? unread : 1;
        vmt_framer_step(framer, left);
    }
}

/* Fills the slot with the next block, or with what is missing. False: nothing follows. */
bool vmt_framer_next(VmtFramer *framer, VmtSlot *slot) {
    for (;;) {
        size_t have = vmt_framer_fill(framer, VMT_BLOCK_BYTES);
        VmtBlock block;
        VmtTrailer trailer;
        const char *found = "damaged bytes";
        const char *expected = "the header of a block";
        if (have >= VMT_BLOCK_BYTES && vmt_block_get(&block, vmt_framer_bytes(framer))) {
            size_t whole = VMT_BLOCK_BYTES + block.packed_bytes;
            have = vmt_framer_fill(framer, whole);
            if (have >= whole && framer_sums(framer, &block)) {
                return framer_take_block(framer, &block, slot);
            }
            found = have < whole ? "the end of the file within a block"
                                 : "a block whose checksum does not fit";
            expected = "a whole block";
            if (have < whole && framer->source->error.code == VMM_E_DAMAGED) {
                framer_cut_off(framer);
                return false;
            }
        } else if (have >= VMT_TRAILER_BYTES &&
                   vmt_trailer_get(&trailer, vmt_framer_bytes(framer))) {
            return framer_take_trailer(framer, &trailer, slot);
        } else if (have < VMT_BLOCK_BYTES) {
            framer_cut_off(framer);
            return false;
        }
        if (framer_failed(framer) || !framer_pass_damage(framer, found, expected)) {
            return false;
        }
        framer_resynchronise(framer);
    }
}
