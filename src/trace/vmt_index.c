/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the index. Its blocks are a chain from the last one backwards, as the trailer and each of
 * them say; the lines are in the order of the file. No line is believed: offsets must grow, and the
 * references add up to what the trailer says. (The blocks themselves are checked when they are
 * read.)
 */
#include "vmt_index.h"

#include <unistd.h>

#include "../base/memory.h"

/* ---- One block ------------------------------------------------------------------------------ */

static bool index_pread(const TraceSource *source, uint64_t offset, void *to, size_t count) {
    return offset <= source->bytes_total && count <= source->bytes_total - offset &&
           pread(source->fd, to, count, source->start + (off_t)offset) == (ssize_t)count;
}

bool vmt_index_read_block(const TraceSource *source, uint64_t offset, VmtSlot *slot) {
    uint8_t header[VMT_BLOCK_BYTES];
    VmtBlock *block = &slot->block;
    if (!index_pread(source, offset, header, sizeof header) || !vmt_block_get(block, header) ||
        !vmt_slot_reserve(slot, block->packed_bytes) ||
        !index_pread(source, offset + sizeof header, slot->packed, block->packed_bytes) ||
        !vmt_checksum_fits(slot->packed, block->packed_bytes, block->checksum)) {
        return false;
    }
    if (block->type != VMT_BLOCK_INDEX && block->type != VMT_BLOCK_FILES) {
        return false;
    }
    slot->offset = offset;
    vmt_slot_decode(slot, 0);
    return slot->problem == NULL && !slot->no_memory;
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* Where the index blocks are, the last one first. */
typedef struct IndexChain {
    uint64_t *offsets;
    size_t count;
    size_t room;
} IndexChain;

static bool index_chain_add(IndexChain *chain, uint64_t offset) {
    if (chain->count == chain->room) {
        size_t room = 2 * chain->room + 8;
        uint64_t *grown =
            memory_grow(&memory_default, chain->offsets, chain->room, room, sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        chain->offsets = grown;
        chain->room = room;
    }
    chain->offsets[chain->count++] = offset;
    return true;
}

/* Follows the chain; it ends, because each block is before the one that names it. */
static bool index_follow(IndexChain *chain, const TraceSource *source, uint64_t last,
                         VmtSlot *slot) {
    for (uint64_t offset = last; offset != 0;) {
        if (!index_chain_add(chain, offset) || !vmt_index_read_block(source, offset, slot) ||
            slot->block.type != VMT_BLOCK_INDEX) {
            return false;
        }
        VmtCursor cursor = {slot->raw, slot->raw + slot->block.raw_bytes, false};
        uint64_t before = vmt_get_varint(&cursor);
        if (cursor.bad || before >= offset) {
            return false;
        }
        offset = before;
    }
    return true;
}

static bool index_add_line(VmtIndex *index, VmtIndexLine line) {
    if (index->count == index->room) {
        size_t room = 2 * index->room + 64;
        VmtIndexLine *grown =
            memory_grow(&memory_default, index->lines, index->room, room, sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        index->lines = grown;
        index->room = room;
    }
    index->lines[index->count++] = line;
    return true;
}

/* The lines of one index block; `next` is what the next line's block has before it. */
static bool index_take_lines(VmtIndex *index, const VmtSlot *slot, VmtIndexLine *next) {
    VmtCursor cursor = {slot->raw, slot->raw + slot->block.raw_bytes, false};
    vmt_get_varint(&cursor); /* the chain */
    uint64_t offset = 0;
    for (uint32_t i = 0; i < slot->block.entries; i++) {
        offset += vmt_get_varint(&cursor);
        uint64_t type = vmt_get_varint(&cursor);
        uint64_t references = vmt_get_varint32(&cursor);
        for (int field = 0; field < 3; field++) { /* pid, tid, time */
            vmt_get_varint(&cursor);
        }
        if (cursor.bad || type > UINT8_MAX || offset < next->offset || offset >= slot->offset) {
            return false;
        }
        VmtIndexLine line = {offset, next->first, next->ordinal, (uint8_t)type};
        if (!index_add_line(index, line)) {
            return false;
        }
        *next =
            (VmtIndexLine){offset + VMT_BLOCK_BYTES, line.first + references, line.ordinal + 1, 0};
    }
    return cursor.at == cursor.end;
}

static bool index_read_all(VmtIndex *index, const TraceSource *source, const VmtTrailer *trailer,
                           IndexChain *chain, VmtSlot *slot) {
    if (!index_follow(chain, source, trailer->index, slot)) {
        return false;
    }
    VmtIndexLine next = {0, 0, 0, 0};
    for (size_t i = chain->count; i-- > 0;) {
        if (!vmt_index_read_block(source, chain->offsets[i], slot) ||
            !index_take_lines(index, slot, &next)) {
            return false;
        }
        next.offset = slot->offset + VMT_BLOCK_BYTES + slot->block.packed_bytes;
        next.ordinal++;
    }
    index->end = (VmtIndexLine){trailer->index, next.first, next.ordinal - 1, VMT_BLOCK_INDEX};
    return next.first == trailer->references && next.ordinal == trailer->blocks;
}

void vmt_index_read(VmtIndex *index, const TraceSource *source, const VmtTrailer *trailer) {
    IndexChain chain = {NULL, 0, 0};
    VmtSlot slot = {.state = 0};
    if (!index_read_all(index, source, trailer, &chain, &slot)) {
        vmt_index_free(index);
    }
    vmt_slot_free(&slot);
    memory_free(&memory_default, chain.offsets, chain.room, sizeof *chain.offsets);
}

void vmt_index_free(VmtIndex *index) {
    memory_free(&memory_default, index->lines, index->room, sizeof *index->lines);
    *index = (VmtIndex){.lines = NULL};
}

VmtIndexLine vmt_index_find(const VmtIndex *index, uint64_t reference) {
    size_t low = 0; /* the first line with as many references before it, or more */
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->lines[middle].first < reference) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < index->count && index->lines[low].first == reference) {
        return index->lines[low];
    }
    return reference >= index->end.first ? index->end : index->lines[low - 1];
}
