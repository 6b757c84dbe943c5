/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes .vmt: collects references into blocks, events and files between them, and the index.
 *
 *     references ──► encoder ────┐
 *     events     ──► events  ────┼──► zstd ──► block header, payload ──► writer_put()
 *     files      ──► files   ────┘                   └──► index, a line for each block
 *
 * What waits is written when something comes that has to stand behind it: events when references
 * come, references when events come or another thread's references. A file is written before the
 * events that may name it. Memory is bounded: the index, too, is written when its buffer is full,
 * and each index block knows where the one before it is.
 */
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "vmt_behind.h"
#include "vmt_events.h"
#include "vmt_format.h"
#include "vmt_full.h"
#include "vmt_pages.h"
#include "vmt_runs.h"
#include "writer.h"

#define VMT_LIST_BYTES (256 * 1024) /* of events, files, index lines that wait */
#define VMT_INDEX_LINE_BYTES (7 * VMT_VARINT_BYTES)

/* Records of one kind that wait to become a block. */
typedef struct VmtList {
    uint8_t bytes[VMT_LIST_BYTES];
    size_t used;
    uint32_t count;
} VmtList;

/* A place between two blocks. */
typedef struct VmtMark {
    uint64_t offset;
    uint64_t references; /* before it */
    uint64_t blocks;
} VmtMark;

typedef struct VmtWriter {
    VmtCodec codec;
    VmtRunsEncoder *runs; /* one of the two */
    VmtFullEncoder *full;
    int level;
    unsigned threads;  /* that are to pack; started with the first block */
    VmtBehind *behind; /* they; NULL: none */
    VmtPacker *packer;
    uint8_t *packed;
    size_t packed_room;
    VmtFiles files;
    VmtPages pages; /* of the codec of page runs */

    uint32_t pid; /* of the references that wait */
    uint32_t tid;
    uint64_t time_ns;       /* last known */
    uint64_t block_time_ns; /* when the waiting references began */

    uint64_t offset;     /* bytes so far */
    uint64_t references; /* in written blocks */
    VmtBlock before;     /* the block that the index tells last; its differences count from it */
    uint64_t before_offset;
    uint64_t blocks;
    uint64_t last_index; /* offset of the last index block; 0: none yet */
    VmtMark indexed;     /* behind it */
    off_t start;         /* of the trace in its file; negative: it cannot be seeked */

    VmtList events_list;
    VmtList files_list;
    VmtList index_list;
} VmtWriter;

/* ---- Blocks --------------------------------------------------------------------------------- */

/* offset, type, references, pid, tid, time: differences to the block before where that is less. */
static void write_vmt_index_line(VmtWriter *state, const VmtBlock *block, uint64_t offset) {
    VmtList *list = &state->index_list;
    uint8_t *at = list->bytes + list->used;
    at = vmt_put_varint(at, offset - state->before_offset);
    at = vmt_put_varint(at, block->type);
    at = vmt_put_varint(at, block->references);
    at = vmt_put_varint(at, vmt_zigzag((uint64_t)block->pid - state->before.pid));
    at = vmt_put_varint(at, vmt_zigzag((uint64_t)block->tid - state->before.tid));
    at = vmt_put_varint(at, vmt_zigzag(block->time_ns - state->before.time_ns));
    list->used = (size_t)(at - list->bytes);
    list->count++;
    state->before = *block;
    state->before_offset = offset;
}

/* Writes a block that is packed. */
static int write_vmt_packed(VMMTraceWriter *writer, VmtBlock *block, const uint8_t *bytes) {
    VmtWriter *state = writer->state;
    block->ordinal = state->blocks;
    block->first = state->references;
    uint8_t header[VMT_BLOCK_BYTES];
    vmt_block_put(block, header);
    int code = writer_put(writer, header, sizeof header);
    if (code == VMM_OK) {
        code = writer_put(writer, bytes, block->packed_bytes);
    }
    if (code != VMM_OK) {
        return code;
    }
    if (block->type != VMT_BLOCK_INDEX) {
        write_vmt_index_line(state, block, state->offset);
    }
    state->offset += VMT_BLOCK_BYTES + block->packed_bytes;
    state->references += block->references;
    state->blocks++;
    writer->info.blocks++;
    return VMM_OK;
}

/* Packs a block and writes it, at once. */
static int write_vmt_block(VMMTraceWriter *writer, VmtBlock *block, const uint8_t *payload) {
    VmtWriter *state = writer->state;
    size_t packed =
        vmt_pack(state->packer, payload, block->raw_bytes, state->packed, state->packed_room);
    block->compression = packed > 0 ? VMT_ZSTD : VMT_STORED;
    block->packed_bytes = packed > 0 ? (uint32_t)packed : block->raw_bytes;
    const uint8_t *bytes = packed > 0 ? state->packed : payload;
    block->checksum = vmt_checksum(bytes, block->packed_bytes);
    return write_vmt_packed(writer, block, bytes);
}

/* An index block begins with where the one before it is; its differences begin anew. */
static int write_vmt_index(VMMTraceWriter *writer) {
    VmtWriter *state = writer->state;
    VmtList *list = &state->index_list;
    uint64_t offset = state->offset;
    VmtBlock block = {.type = VMT_BLOCK_INDEX,
                      .entries = list->count,
                      .raw_bytes = (uint32_t)list->used,
                      .time_ns = state->time_ns};
    int code = write_vmt_block(writer, &block, list->bytes);
    state->last_index = offset;
    state->indexed = (VmtMark){state->offset, state->references, state->blocks};
    state->before = (VmtBlock){.type = 0};
    state->before_offset = 0;
    list->used = (size_t)(vmt_put_varint(list->bytes, offset) - list->bytes);
    list->count = 0;
    return code;
}

static int write_vmt_index_if_full(VMMTraceWriter *writer) {
    const VmtWriter *state = writer->state;
    bool full = state->index_list.used + VMT_INDEX_LINE_BYTES > VMT_LIST_BYTES;
    return full ? write_vmt_index(writer) : VMM_OK;
}

/* Writes the oldest of the blocks that threads pack; *none: there is none, or none yet. */
static int write_vmt_oldest(VMMTraceWriter *writer, bool wait, bool *none) {
    VmtWriter *state = writer->state;
    const VmtPackedBlock *packed = vmt_behind_take(state->behind, wait);
    *none = packed == NULL;
    if (packed == NULL) {
        return VMM_OK;
    }
    VmtBlock block = packed->block;
    int code = write_vmt_packed(writer, &block, packed->bytes);
    vmt_behind_release(state->behind);
    return code == VMM_OK ? write_vmt_index_if_full(writer) : code;
}

/* Writes what threads have packed; `all`: what they still pack, too. */
static int write_vmt_collect(VMMTraceWriter *writer, bool all) {
    const VmtWriter *state = writer->state;
    bool none = state->behind == NULL;
    int code = VMM_OK;
    while (!none && code == VMM_OK) {
        code = write_vmt_oldest(writer, all, &none);
    }
    return code;
}

static int write_vmt_put_behind(VMMTraceWriter *writer, const VmtBlock *block,
                                const uint8_t *payload) {
    VmtWriter *state = writer->state;
    bool none = false;
    int code = write_vmt_collect(writer, false);
    if (code == VMM_OK && vmt_behind_is_full(state->behind)) {
        code = write_vmt_oldest(writer, true, &none);
    }
    if (code == VMM_OK && !vmt_behind_submit(state->behind, block, payload)) {
        code = error_no_memory(&writer->error, block->raw_bytes, "writing .vmt");
    }
    return code;
}

static int write_vmt_put_block(VMMTraceWriter *writer, VmtBlock *block, const uint8_t *payload) {
    VmtWriter *state = writer->state;
    if (state->behind == NULL && state->threads > 0) {
        state->behind = vmt_behind_open(state->threads, state->level);
        state->threads = 0; /* what cannot be had is done without */
    }
    if (state->behind != NULL) {
        return write_vmt_put_behind(writer, block, payload);
    }
    int code = write_vmt_block(writer, block, payload);
    return code == VMM_OK ? write_vmt_index_if_full(writer) : code;
}

/* What waits in a list. */
static int write_vmt_list(VMMTraceWriter *writer, VmtList *list, VmtType type) {
    if (list->count == 0) {
        return VMM_OK;
    }
    VmtBlock block = {.type = (uint8_t)type,
                      .entries = list->count,
                      .raw_bytes = (uint32_t)list->used,
                      .time_ns = ((VmtWriter *)writer->state)->time_ns};
    list->count = 0;
    list->used = 0;
    return write_vmt_put_block(writer, &block, list->bytes);
}

static int write_vmt_lists(VMMTraceWriter *writer) {
    VmtWriter *state = writer->state;
    int code = write_vmt_list(writer, &state->files_list, VMT_BLOCK_FILES);
    return code == VMM_OK ? write_vmt_list(writer, &state->events_list, VMT_BLOCK_EVENTS) : code;
}

/* The references that wait. */
static int write_vmt_references(VMMTraceWriter *writer) {
    VmtWriter *state = writer->state;
    VmtBlock block = {.pid = state->pid, .tid = state->tid, .time_ns = state->block_time_ns};
    const uint8_t *payload;
    if (state->runs != NULL && vmt_runs_pending(state->runs)) {
        uint32_t page_count;
        const uint64_t *pages = vmt_runs_pages(state->runs, &page_count);
        vmt_pages_add(&state->pages, state->pid, pages, page_count);
        writer->info.pages = state->pages.count;
        payload = vmt_runs_take(state->runs, &block);
    } else if (state->full != NULL && vmt_full_pending(state->full)) {
        payload = vmt_full_take(state->full, &block);
    } else {
        return VMM_OK;
    }
    state->block_time_ns = state->time_ns;
    return write_vmt_put_block(writer, &block, payload);
}

static int vmt_flush(VMMTraceWriter *writer) {
    int code = write_vmt_references(writer);
    return code == VMM_OK ? write_vmt_lists(writer) : code;
}

/* ---- References ----------------------------------------------------------------------------- */

/* References of this thread come: what cannot stand in one block with them is written. */
static int write_vmt_switch(VMMTraceWriter *writer, uint32_t pid, uint32_t tid) {
    VmtWriter *state = writer->state;
    int code = VMM_OK;
    if (state->pid != pid || state->tid != tid) {
        code = write_vmt_references(writer);
        state->pid = pid;
        state->tid = tid;
        state->block_time_ns = state->time_ns;
    }
    return code == VMM_OK ? write_vmt_lists(writer) : code;
}

static int vmt_refs(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    VmtWriter *state = writer->state;
    size_t at = 0;
    while (at < count) {
        int code = write_vmt_switch(writer, refs[at].pid, refs[at].tid);
        size_t end = at;
        while (end < count && refs[end].pid == state->pid && refs[end].tid == state->tid) {
            end++;
        }
        while (at < end && code == VMM_OK) {
            at += state->runs != NULL ? vmt_runs_add(state->runs, refs + at, end - at)
                                      : vmt_full_add(state->full, refs + at, end - at);
            code = at < end ? write_vmt_references(writer) : VMM_OK;
        }
        if (code != VMM_OK) {
            return code;
        }
    }
    return VMM_OK;
}

/* Full addresses: in pieces through vmt_refs(). */
static int write_vmt_unpacked(VMMTraceWriter *writer, uint32_t pid, uint32_t tid,
                              const VMMPackedRef *packed, size_t count) {
    VMMRef refs[256];
    for (size_t at = 0; at < count;) {
        size_t some = count - at < VMM_COUNT_OF(refs) ? count - at : VMM_COUNT_OF(refs);
        for (size_t i = 0; i < some; i++) {
            uint64_t op = packed[at + i] >> VMM_PACKED_OP_SHIFT;
            if (op >= VMM_OP_COUNT) {
                return writer_bad_op(writer, (unsigned)op);
            }
            writer_unpack(&refs[i], packed[at + i], pid, tid);
            writer->info.kernel_references += (refs[i].flags & VMM_REF_KERNEL) != 0;
        }
        int code = vmt_refs(writer, refs, some);
        if (code != VMM_OK) {
            return code;
        }
        at += some;
    }
    return VMM_OK;
}

static int write_vmt_packed_runs(VMMTraceWriter *writer, const VMMPackedRef *refs, size_t count) {
    VmtWriter *state = writer->state;
    uint64_t *kernel = &writer->info.kernel_references;
    int code = VMM_OK;
    for (size_t at = 0; at < count && code == VMM_OK;) {
        bool bad;
        at += vmt_runs_add_packed(state->runs, refs + at, count - at, kernel, &bad);
        if (bad) {
            return writer_bad_op(writer, VMM_OP_COUNT);
        }
        code = at < count ? write_vmt_references(writer) : VMM_OK;
    }
    return code;
}

static int vmt_packed(VMMTraceWriter *writer, uint32_t pid, uint32_t tid, const VMMPackedRef *refs,
                      size_t count) {
    VmtWriter *state = writer->state;
    int code = write_vmt_switch(writer, pid, tid);
    if (code == VMM_OK) {
        code = state->runs != NULL ? write_vmt_packed_runs(writer, refs, count)
                                   : write_vmt_unpacked(writer, pid, tid, refs, count);
    }
    if (code == VMM_OK) {
        writer->info.references += count;
    }
    return code;
}

/* ---- Events and files ----------------------------------------------------------------------- */

static int vmt_event(VMMTraceWriter *writer, const VMMEvent *event) {
    VmtWriter *state = writer->state;
    VmtList *list = &state->events_list;
    int code = write_vmt_references(writer);
    if (code == VMM_OK && list->used + VMT_EVENT_BYTES > VMT_LIST_BYTES) {
        code = write_vmt_lists(writer);
    }
    if (code != VMM_OK) {
        return code;
    }
    list->used = (size_t)(vmt_event_put(list->bytes + list->used, event) - list->bytes);
    list->count++;
    if (event->time_ns != 0) {
        state->time_ns = state->block_time_ns = event->time_ns;
    }
    return VMM_OK;
}

static uint32_t vmt_file(VMMTraceWriter *writer, const VMMTraceFile *file) {
    VmtWriter *state = writer->state;
    VmtList *list = &state->files_list;
    uint32_t known = state->files.count;
    size_t path_bytes = file->path != NULL ? strlen(file->path) : VMT_PATH_MAX;
    if (path_bytes >= VMT_PATH_MAX) {
        return 0;
    }
    if (list->used + VMT_FILE_BYTES + path_bytes > VMT_LIST_BYTES) {
        /* The references come first: their block is in the making. */
        if (vmt_flush(writer) != VMM_OK) {
            return 0;
        }
    }
    uint32_t number = vmt_files_number(&state->files, file);
    if (number > known) {
        list->used = (size_t)(vmt_file_put(list->bytes + list->used, number, file) - list->bytes);
        list->count++;
    }
    return number;
}

static int vmt_time(VMMTraceWriter *writer, uint64_t time_ns) {
    VmtWriter *state = writer->state;
    state->time_ns = time_ns;
    bool waiting =
        state->runs != NULL ? vmt_runs_pending(state->runs) : vmt_full_pending(state->full);
    if (!waiting) {
        state->block_time_ns = time_ns;
    }
    return VMM_OK;
}

/* ---- Opening and finishing ------------------------------------------------------------------ */

static int write_vmt_check_options(VMMTraceWriter *writer, VmtCodec *codec) {
    const VMMTraceWriterOptions *options = &writer->options;
    const char *missing = vmt_missing_libraries();
    if (missing != NULL) {
        return error_set(&writer->error, VMM_E_UNSUPPORTED,
                         "this build cannot write .vmt: it was built without %s; install it and "
                         "build again",
                         missing);
    }
    *codec = VMT_CODEC_RUNS;
    if (options->codec != NULL && name_matches(options->codec, "full")) {
        *codec = VMT_CODEC_FULL;
    } else if (options->codec != NULL && !name_matches(options->codec, "runs")) {
        return error_set(&writer->error, VMM_E_USAGE,
                         "found \"%.60s\" as codec of .vmt, expected runs or full", options->codec);
    }
    if (options->page_size < UINT64_C(1) << VMT_MIN_PAGE_SHIFT ||
        options->page_size > UINT64_C(1) << VMT_MAX_PAGE_SHIFT) {
        return error_set(&writer->error, VMM_E_USAGE,
                         "found %llu as page size of a .vmt, expected 64 bytes to 1 TiB",
                         (unsigned long long)options->page_size);
    }
    if (options->level < -100 || options->level > 22) {
        return error_set(&writer->error, VMM_E_USAGE,
                         "found %d as level of compression, expected -100 to 22",
                         (int)options->level);
    }
    return VMM_OK;
}

static uint64_t write_vmt_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int write_vmt_header(VMMTraceWriter *writer) {
    VmtWriter *state = writer->state;
    const VMMTraceWriterOptions *options = &writer->options;
    VmtHeader header = {
        .version = VMT_VERSION,
        .codec = (uint8_t)state->codec,
        .page_shift = (uint8_t)__builtin_ctzll(options->page_size),
        .flags = options->mappings_complete ? VMT_FLAG_MAPPINGS_COMPLETE : 0,
        .start_time_ns = options->start_time_ns != 0 ? options->start_time_ns : write_vmt_now(),
        .reduction = options->reduction,
        .original_references = options->original_references,
        .strings = {options->command, options->host, options->recorder, options->note},
    };
    if (getrandom(header.uuid, sizeof header.uuid, GRND_NONBLOCK) < 0) {
        memset(header.uuid, 0, sizeof header.uuid);
    }
    size_t bytes = 0;
    uint8_t *text = vmt_header_make(&header, &bytes);
    if (text == NULL) {
        return error_no_memory(&writer->error, bytes, "the header of the trace");
    }
    int code = writer_put(writer, text, bytes);
    memory_free(&memory_default, text, bytes, 1);
    state->offset = state->indexed.offset = bytes;
    return code;
}

static int vmt_open(VMMTraceWriter *writer) {
    VmtWriter *state = writer->state;
    int code = write_vmt_check_options(writer, &state->codec);
    if (code != VMM_OK) {
        return code;
    }
    unsigned page_shift = (unsigned)__builtin_ctzll(writer->options.page_size);
    state->start = lseek(writer->fd, 0, SEEK_CUR);
    int level = writer->options.level != 0 ? writer->options.level : VMT_DEFAULT_LEVEL;
    state->level = level;
    state->threads = writer->options.threads;
    state->packed_room = vmt_pack_bound(VMT_RAW_MAX);
    state->packed = memory_zalloc(&memory_default, state->packed_room, 1);
    state->packer = vmt_packer_open(level);
    if (state->codec == VMT_CODEC_RUNS) {
        state->runs = vmt_runs_open(page_shift);
    } else {
        state->full = vmt_full_open();
    }
    if (state->packed == NULL || state->packer == NULL ||
        (state->runs == NULL && state->full == NULL)) {
        return error_no_memory(&writer->error, state->packed_room, "writing .vmt");
    }
    state->index_list.used =
        (size_t)(vmt_put_varint(state->index_list.bytes, 0) - state->index_list.bytes);
    return write_vmt_header(writer);
}

/* The last index block and the trailer. */
static int write_vmt_end(VMMTraceWriter *writer, uint64_t events) {
    VmtWriter *state = writer->state;
    int code = write_vmt_index(writer);
    if (code != VMM_OK) {
        return code;
    }
    VmtTrailer trailer = {.index = state->last_index,
                          .references = state->references,
                          .blocks = state->blocks,
                          .events = events};
    uint8_t bytes[VMT_TRAILER_BYTES];
    vmt_trailer_put(&trailer, bytes);
    return writer_put(writer, bytes, sizeof bytes);
}

static int vmt_flush_all(VMMTraceWriter *writer) {
    int code = vmt_flush(writer);
    return code == VMM_OK ? write_vmt_collect(writer, true) : code;
}

static int vmt_finish(VMMTraceWriter *writer) {
    int code = vmt_flush_all(writer);
    return code == VMM_OK ? write_vmt_end(writer, writer->info.events) : code;
}

/* ---- When the disk is full ------------------------------------------------------------------ */

/*
 * Goes back to the last place between two blocks that is not behind `limit`, and forgets the lines
 * of the index that are. False: that would be before the last index block.
 */
static bool write_vmt_go_back(VmtWriter *state, uint64_t limit) {
    VmtList *list = &state->index_list;
    VmtCursor cursor = {list->bytes, list->bytes + list->used, false};
    VmtMark place = state->indexed;
    VmtBlock before = {.type = 0};
    vmt_get_varint(&cursor); /* the chain */
    size_t used = (size_t)(cursor.at - list->bytes);
    uint32_t lines = 0;
    state->before_offset = 0;
    for (; lines < list->count; lines++) {
        uint64_t end = state->offset;
        uint64_t offset = state->before_offset + vmt_get_varint(&cursor);
        vmt_get_varint(&cursor); /* type */
        uint32_t references = vmt_get_varint32(&cursor);
        uint32_t pid = before.pid + (uint32_t)vmt_unzigzag(vmt_get_varint(&cursor));
        uint32_t tid = before.tid + (uint32_t)vmt_unzigzag(vmt_get_varint(&cursor));
        uint64_t time_ns = before.time_ns + vmt_unzigzag(vmt_get_varint(&cursor));
        if (lines + 1 < list->count) {
            VmtCursor next = cursor;
            end = offset + vmt_get_varint(&next);
        }
        if (end > limit) {
            break;
        }
        used = (size_t)(cursor.at - list->bytes);
        before = (VmtBlock){.pid = pid, .tid = tid, .time_ns = time_ns};
        state->before_offset = offset;
        place = (VmtMark){end, place.references + references, place.blocks + 1};
    }
    list->used = used;
    list->count = lines;
    state->before = before;
    state->offset = place.offset;
    state->references = place.references;
    state->blocks = place.blocks;
    return place.offset <= limit;
}

static bool write_vmt_cut(const VMMTraceWriter *writer) {
    const VmtWriter *state = writer->state;
    off_t end = state->start + (off_t)state->offset;
    return ftruncate(writer->fd, end) == 0 && lseek(writer->fd, end, SEEK_SET) == end;
}

/* Whether as many bytes can be written as the end takes at most. */
static bool write_vmt_has_room(const VMMTraceWriter *writer) {
    static const uint8_t zeros[1024];
    const VmtWriter *state = writer->state;
    size_t bytes = state->index_list.used + sizeof zeros / 2;
    while (bytes > 0) {
        ssize_t done = write(writer->fd, zeros, bytes < sizeof zeros ? bytes : sizeof zeros);
        if (done <= 0) {
            return false;
        }
        bytes -= (size_t)done;
    }
    return true;
}

/* Ends the trace behind its last whole block, with an event about what is missing. */
static int write_vmt_end_early(VMMTraceWriter *writer, uint64_t limit) {
    VmtWriter *state = writer->state;
    if (!write_vmt_go_back(state, limit) || !write_vmt_cut(writer) || !write_vmt_has_room(writer) ||
        !write_vmt_cut(writer)) {
        return VMM_E_WRITE;
    }
    writer->used = 0;
    writer->info.bytes = state->offset;
    writer->info.blocks = state->blocks;
    VMMEvent lost = {.type = VMM_EVENT_LOST, .value = writer->info.references - state->references};
    state->files_list.used = state->events_list.used = 0;
    state->files_list.count = state->events_list.count = 0;
    state->events_list.used =
        (size_t)(vmt_event_put(state->events_list.bytes, &lost) - state->events_list.bytes);
    VmtBlock block = {.type = VMT_BLOCK_EVENTS,
                      .entries = 1,
                      .raw_bytes = (uint32_t)state->events_list.used,
                      .time_ns = state->before.time_ns};
    int code = write_vmt_block(writer, &block, state->events_list.bytes);
    code = code == VMM_OK ? write_vmt_end(writer, VMT_EVENTS_UNKNOWN) : code;
    return code == VMM_OK ? writer_send(writer) : code;
}

/* What truncating frees makes room for the index; if not at once, then further back. */
static void vmt_rescue(VMMTraceWriter *writer) {
    VmtWriter *state = writer->state;
    uint64_t limit = writer->info.bytes;
    if (state->start < 0) {
        return;
    }
    for (uint64_t room = 0; room <= 16 * VMT_LIST_BYTES; room = 4 * room + 1024) {
        if (room > limit || write_vmt_end_early(writer, limit - room) == VMM_OK) {
            return;
        }
    }
}

static void vmt_close(VMMTraceWriter *writer) {
    VmtWriter *state = writer->state;
    vmt_behind_close(state->behind);
    vmt_runs_close(state->runs);
    vmt_full_close(state->full);
    vmt_packer_close(state->packer);
    vmt_files_free(&state->files);
    vmt_pages_free(&state->pages);
    memory_free(&memory_default, state->packed, state->packed_room, 1);
}

static const TraceExport vmt_export = {
    .name = "vmt",
    .help = "this project's own: page runs or full addresses, processes, threads, events, files",
    .holds_kernel = true,
    .state_bytes = sizeof(VmtWriter),
    .open = vmt_open,
    .refs = vmt_refs,
    .packed = vmt_packed,
    .event = vmt_event,
    .file = vmt_file,
    .time = vmt_time,
    .flush = vmt_flush_all,
    .finish = vmt_finish,
    .rescue = vmt_rescue,
    .close = vmt_close,
};
