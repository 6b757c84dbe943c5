/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes oracleGeneral, the binary format of the cache simulator libCacheSim: one record of 24
 * bytes a request, little-endian, not aligned.
 *
 *     0 u32 time   4 u64 object   12 u32 size   16 i64 next: number of the object's next request,
 *                                                      from 1; -1: never
 *
 * A request is a page reference, its object the page: the page number, and if the trace has more
 * than one process, the pid above bit 42. Its size is that of a page. Time is not known; it rises
 * by one each million requests, so that what a reader derives from it is defined. Reads, writes and
 * fetches are one, and touches of the kernel are requests like any other.
 *
 * The next request is known only at the end, so the records wait in a spill file, 8 bytes each:
 *
 *     page id (28 bits)                            written as the references come
 *     page id (28 bits) | distance (36 bits)       the way back: replaced in blocks, in place
 *
 * and are written in a second pass, at finish(). Memory is what the set of pages needs.
 */
#include <unistd.h>

#include "../base/spill.h"
#include "../mm/directory.h"
#include "writer.h"

#define ORACLE_ID_BITS 28
#define ORACLE_PID_SHIFT 42
#define ORACLE_MAX_DISTANCE ((UINT64_C(1) << (64 - ORACLE_ID_BITS)) - 1)

enum {
    ORACLE_RECORD_BYTES = 24,
    ORACLE_BLOCK = 1 << 16,
    ORACLE_REQUESTS_A_SECOND = 1000000,
    ORACLE_LEAST_SHIFT = 9, /* of the page size: the rest of a key is the process */
    ORACLE_MOST_SHIFT = 31  /* a size has 32 bits */
};

typedef struct OracleState {
    int file;
    Directory pages;
    uint64_t count;  /* requests */
    uint64_t *block; /* of requests, the last ones */
    size_t used;
} OracleState;

static int write_oracle_open(VMMTraceWriter *writer) {
    OracleState *state = writer->state;
    unsigned shift = writer->page_shift;
    state->file = -1;
    if (shift < ORACLE_LEAST_SHIFT || shift > ORACLE_MOST_SHIFT) {
        return error_set(&writer->error, VMM_E_UNSUPPORTED,
                         "the format oracleGeneral cannot hold pages of %llu bytes, expected 512 "
                         "to 2147483648",
                         (unsigned long long)writer->options.page_size);
    }
    state->block = memory_zalloc(&memory_default, ORACLE_BLOCK, sizeof *state->block);
    if (state->block == NULL) {
        return error_no_memory(&writer->error, ORACLE_BLOCK * sizeof *state->block, "the requests");
    }
    int code = directory_init(&state->pages, &memory_default, 64 - shift, &writer->error);
    if (code == VMM_OK) {
        state->file = spill_open(&writer->error);
    }
    return writer->error.code;
}

static void write_oracle_close(VMMTraceWriter *writer) {
    OracleState *state = writer->state;
    if (state->block != NULL && state->file >= 0) {
        close(state->file);
    }
    memory_free(&memory_default, state->block, ORACLE_BLOCK, sizeof *state->block);
    directory_free(&state->pages);
}

static int write_oracle_spill(VMMTraceWriter *writer) {
    OracleState *state = writer->state;
    int code = spill_write(state->file, (state->count - state->used) * sizeof *state->block,
                           state->block, state->used * sizeof *state->block, &writer->error);
    state->used = 0;
    return code;
}

static int write_oracle_page(VMMTraceWriter *writer, uint32_t space, uint64_t page) {
    OracleState *state = writer->state;
    int code = directory_reserve(&state->pages, 1, &writer->error);
    if (code == VMM_OK && state->pages.count >> ORACLE_ID_BITS != 0) {
        code = error_set(&writer->error, VMM_E_LIMIT,
                         "more than %u different pages cannot be written as oracleGeneral; a "
                         "larger page size makes them fewer",
                         (1u << ORACLE_ID_BITS) - 1);
    }
    if (code == VMM_OK && state->used == ORACLE_BLOCK) {
        code = write_oracle_spill(writer);
    }
    if (code == VMM_OK) {
        uint64_t key = directory_key(&state->pages, space, page);
        state->block[state->used++] = directory_intern(&state->pages, key);
        state->count++;
    }
    return code;
}

static int write_oracle_refs(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    OracleState *state = writer->state;
    int code = VMM_OK;
    for (size_t i = 0; i < count && code == VMM_OK; i++) {
        uint32_t space = directory_space(&state->pages, refs[i].pid, &writer->error);
        uint64_t page = writer_first_page(writer, &refs[i]);
        uint64_t last = writer_last_page(writer, &refs[i]);
        code = writer->error.code;
        writer_lose_kind(writer, &refs[i]);
        for (uint64_t left = last - page + 1; left > 0 && code == VMM_OK; left--, page++) {
            code = write_oracle_page(writer, space, page);
        }
    }
    return code;
}

/* ---- The way back --------------------------------------------------------------------------- */

/* Adds the distances to one block that begins at request `first`. next[id]: its number from 1. */
static int write_oracle_turn(VMMTraceWriter *writer, size_t length, uint64_t first,
                             uint64_t *next) {
    OracleState *state = writer->state;
    for (size_t i = length; i-- > 0;) {
        uint64_t id = state->block[i];
        uint64_t number = first + i + 1;
        uint64_t distance = next[id] != 0 ? next[id] - number : 0;
        if (distance > ORACLE_MAX_DISTANCE) {
            return error_set(&writer->error, VMM_E_LIMIT,
                             "two references to a page are more than %llu page references apart, "
                             "too far to be written as oracleGeneral",
                             (unsigned long long)ORACLE_MAX_DISTANCE);
        }
        next[id] = number;
        state->block[i] = id | distance << ORACLE_ID_BITS;
    }
    return VMM_OK;
}

static int write_oracle_turn_all(VMMTraceWriter *writer) {
    OracleState *state = writer->state;
    size_t size = sizeof *state->block;
    uint64_t *next = memory_zalloc(&memory_default, state->pages.count, sizeof *next);
    if (next == NULL) {
        return error_no_memory(&writer->error, state->pages.count * sizeof *next,
                               "the next request of each page");
    }
    int code = VMM_OK;
    for (uint64_t end = state->count; end > 0 && code == VMM_OK;) {
        size_t length = end < ORACLE_BLOCK ? (size_t)end : ORACLE_BLOCK;
        end -= length;
        code = spill_read(state->file, end * size, state->block, length * size, &writer->error);
        if (code == VMM_OK) {
            code = write_oracle_turn(writer, length, end, next);
        }
        if (code == VMM_OK) {
            code =
                spill_write(state->file, end * size, state->block, length * size, &writer->error);
        }
    }
    memory_free(&memory_default, next, state->pages.count, sizeof *next);
    return code;
}

/* ---- The records ---------------------------------------------------------------------------- */

static void write_oracle_number(char *to, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++, value >>= 8) {
        to[i] = (char)(value & 0xff);
    }
}

/* The object that a page is; VMM_E_UNSUPPORTED if pid and page do not fit together. */
static int write_oracle_object(VMMTraceWriter *writer, uint32_t id, uint64_t *object) {
    const Directory *pages = &((OracleState *)writer->state)->pages;
    uint64_t pid = pages->pids[directory_space_of(pages, id)];
    uint64_t page = directory_vpn(pages, id);
    *object = page;
    if (pages->space_count == 1) {
        return VMM_OK;
    }
    *object |= pid << ORACLE_PID_SHIFT;
    if (page >> ORACLE_PID_SHIFT != 0 || pid >> (64 - ORACLE_PID_SHIFT) != 0) {
        return error_set(&writer->error, VMM_E_UNSUPPORTED,
                         "the format oracleGeneral cannot hold page 0x%llx of process %llu beside "
                         "other processes: an object has %u bits for the page and %u for the "
                         "process",
                         (unsigned long long)page, (unsigned long long)pid, ORACLE_PID_SHIFT,
                         64 - ORACLE_PID_SHIFT);
    }
    return VMM_OK;
}

static int write_oracle_record(VMMTraceWriter *writer, uint64_t number, uint64_t request) {
    uint64_t object;
    uint64_t distance = request >> ORACLE_ID_BITS;
    uint64_t time = (number - 1) / ORACLE_REQUESTS_A_SECOND;
    uint32_t id = (uint32_t)(request & ((UINT64_C(1) << ORACLE_ID_BITS) - 1));
    int code = write_oracle_object(writer, id, &object);
    char *record = code == VMM_OK ? writer_room(writer, ORACLE_RECORD_BYTES) : NULL;
    if (record == NULL) {
        return writer->error.code;
    }
    write_oracle_number(record, time < UINT32_MAX ? time : UINT32_MAX, 4);
    write_oracle_number(record + 4, object, 8);
    write_oracle_number(record + 12, writer->options.page_size, 4);
    write_oracle_number(record + 16, distance != 0 ? number + distance : UINT64_MAX, 8);
    writer_advance(writer, ORACLE_RECORD_BYTES);
    return VMM_OK;
}

static int write_oracle_finish(VMMTraceWriter *writer) {
    OracleState *state = writer->state;
    size_t size = sizeof *state->block;
    int code = write_oracle_spill(writer);
    if (code == VMM_OK) {
        code = write_oracle_turn_all(writer);
    }
    for (uint64_t first = 0; first < state->count && code == VMM_OK;) {
        uint64_t left = state->count - first;
        size_t length = left < ORACLE_BLOCK ? (size_t)left : ORACLE_BLOCK;
        code = spill_read(state->file, first * size, state->block, length * size, &writer->error);
        for (size_t i = 0; i < length && code == VMM_OK; i++) {
            code = write_oracle_record(writer, first + i + 1, state->block[i]);
        }
        first += length;
    }
    return code;
}

static const TraceExport oracle_general_export = {
    .name = "oracleGeneral",
    .help = "binary of the cache simulator libCacheSim, 24 bytes a page reference with its next "
            "one; reads and writes are not told apart",
    .holds_kernel = true,
    .state_bytes = sizeof(OracleState),
    .open = write_oracle_open,
    .refs = write_oracle_refs,
    .finish = write_oracle_finish,
    .close = write_oracle_close,
};
