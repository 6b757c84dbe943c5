/* SPDX-License-Identifier: Apache-2.0 */
/* Compares what a .vmt says twice. vmt_check.h has the story. */
#include "vmt_check.h"

#include <inttypes.h>
#include <stdio.h>

#include "../base/memory.h"

bool vmt_check_block(VmtCheck *check, const VmtSlot *slot) {
    const VmtBlock *block = &slot->block;
    if (check->count == check->room) {
        size_t room = 2 * check->room + 64;
        VmtCheckLine *grown =
            memory_grow(&memory_default, check->lines, check->room, room, sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        check->lines = grown;
        check->room = room;
    }
    check->lines[check->count++] = (VmtCheckLine){slot->offset, block->type, block->references,
                                                  block->pid,   block->tid,  block->time_ns};
    check->events += block->type == VMT_BLOCK_EVENTS ? block->entries : 0;
    return true;
}

/* The next line; `line` is the one before. */
static void check_next_line(VmtCursor *cursor, VmtCheckLine *line) {
    line->offset += vmt_get_varint(cursor);
    line->type = vmt_get_varint(cursor);
    line->references = vmt_get_varint(cursor);
    line->pid += vmt_unzigzag(vmt_get_varint(cursor));
    line->tid += vmt_unzigzag(vmt_get_varint(cursor));
    line->time_ns += vmt_unzigzag(vmt_get_varint(cursor));
}

/* NULL, or the first field in which they are not the same. */
static const char *check_difference(const VmtCheckLine *a, const VmtCheckLine *b) {
    return a->offset != b->offset           ? "offset"
           : a->type != b->type             ? "type"
           : a->references != b->references ? "number of references"
           : a->pid != b->pid               ? "pid"
           : a->tid != b->tid               ? "tid"
           : a->time_ns != b->time_ns       ? "time"
                                            : NULL;
}

static bool check_lines(const VmtCheck *check, const VmtSlot *slot, char *found) {
    VmtCursor cursor = {slot->raw, slot->raw + slot->block.raw_bytes, false};
    VmtCheckLine line = {.offset = 0};
    if (vmt_get_varint(&cursor) != check->index) {
        snprintf(found, VMT_CHECK_BYTES, "an index that names another one before it");
        return false;
    }
    if (slot->block.entries != check->count) {
        snprintf(found, VMT_CHECK_BYTES, "an index of %" PRIu32 " lines for %zu blocks",
                 slot->block.entries, check->count);
        return false;
    }
    for (size_t i = 0; i < check->count; i++) {
        check_next_line(&cursor, &line);
        const char *field = check_difference(&line, &check->lines[i]);
        if (cursor.bad || field != NULL) {
            snprintf(found, VMT_CHECK_BYTES,
                     "an index whose line %zu has another %s than the block at byte %" PRIu64,
                     i + 1, cursor.bad ? "form" : field, check->lines[i].offset);
            return false;
        }
    }
    if (cursor.bad || cursor.at != cursor.end) {
        snprintf(found, VMT_CHECK_BYTES, "bytes behind the lines of an index");
        return false;
    }
    return true;
}

bool vmt_check_index(VmtCheck *check, const VmtSlot *slot, char found[VMT_CHECK_BYTES]) {
    bool good = check_lines(check, slot, found);
    check->count = 0;
    check->index = slot->offset;
    return good;
}

const char *vmt_check_trailer(const VmtCheck *check, const VmtTrailer *trailer) {
    if (trailer->index != check->index) {
        return "a trailer that names another place than that of the last index block";
    }
    if (trailer->events != VMT_EVENTS_UNKNOWN && trailer->events != check->events) {
        return "a trailer that tells of another number of events";
    }
    return NULL;
}

void vmt_check_free(VmtCheck *check) {
    memory_free(&memory_default, check->lines, check->room, sizeof *check->lines);
    *check = (VmtCheck){.lines = NULL};
}
