/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .vmt: finds the blocks in the stream of bytes, has them decoded, and hands out references,
 * runs and events in their order.
 *
 *     source ──► window ──► frame ──► ring of slots ──► references, runs, events ──► caller
 *                           checks headers, checksums   decoded, maybe by threads
 *
 * DAMAGE. A block whose header or payload does not fit its checksum costs only itself: with
 * skip_bad the reader looks for the next place where a header fits. Each header says how many
 * references come before its block, and the trailer how many there are, so what is missing is known
 * and is told by an event LOST. Without skip_bad what stands before the damage is delivered, and
 * then comes the error.
 *
 * Framing runs ahead of delivery by the slots of the ring; an error that framing meets waits in
 * `stop` until everything before it is delivered.
 */
#include "vmt_read.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "../base/rng.h"
#include "vmt_decode.h"
#include "vmt_events.h"

/* One line of the index. */
typedef struct VmtIndexLine {
    uint64_t offset;
    uint64_t first; /* references before the block */
    uint64_t ordinal;
    uint8_t type;
} VmtIndexLine;

struct VmtReader {
    TraceSource *source;
    Error *error;
    bool skip_bad;
    VmtHeader header;
    size_t header_bytes;
    VMMTraceHeader public_header;
    VMMTraceEventHandler *handler;
    void *user;
    VmtFiles files;
    VmtRing *ring;
    bool has_trailer; /* the file can be seeked, and its end is known */
    VmtTrailer trailer;
    VmtIndexLine *index; /* made by the first seek */
    size_t index_count;

    /* The window: window[at] is the byte `offset` of the file. */
    uint8_t *window;
    size_t room;
    size_t at;
    size_t filled;
    uint64_t offset;

    /* Framing. */
    uint64_t next_ordinal;
    uint64_t next_first;
    bool expects_gap; /* damage was passed over: the next block need not follow the last one */
    bool framed;      /* no block follows */
    Error stop;       /* why, if not the end */

    /* Delivery. */
    VmtSlot *current; /* being handed out */
    VmtUnfold unfold;
    size_t next_ref;
    bool told; /* a code was returned that ended the pass */
    int ended; /* that code */

    uint64_t references;
    uint64_t kernel_references;
    uint64_t events;
    uint64_t time_ns;
    uint64_t bad_records;
    uint64_t ignored_records;
    uint64_t damaged_bytes;
    uint64_t fingerprint;
    Error bad_texts[VMM_TRACE_BAD_TEXTS];
    size_t bad_text_count;
};

bool vmt_matches(const void *bytes, size_t count) {
    return count >= VMT_MAGIC_BYTES && memcmp(bytes, VMT_MAGIC, VMT_MAGIC_BYTES) == 0;
}

/* ---- The window ----------------------------------------------------------------------------- */

/* Has `wanted` bytes in the window if the input has them: how many there are. */
static size_t reader_fill(VmtReader *reader, size_t wanted) {
    if (reader->filled - reader->at >= wanted) {
        return reader->filled - reader->at;
    }
    if (reader->at + wanted > reader->room) {
        memmove(reader->window, reader->window + reader->at, reader->filled - reader->at);
        reader->filled -= reader->at;
        reader->at = 0;
    }
    if (wanted > reader->room) {
        size_t room = wanted + wanted / 2;
        uint8_t *grown = memory_grow(&memory_default, reader->window, reader->room, room, 1);
        if (grown == NULL) {
            error_no_memory(&reader->stop, room, "reading the trace");
            return reader->filled - reader->at;
        }
        reader->window = grown;
        reader->room = room;
    }
    while (reader->filled - reader->at < wanted) {
        size_t space = reader->room - reader->filled;
        long count = trace_source_read(reader->source, (char *)reader->window + reader->filled,
                                       space < VMM_TRACE_BUFFER ? space : VMM_TRACE_BUFFER);
        if (count <= 0) {
            break;
        }
        reader->filled += (size_t)count;
    }
    return reader->filled - reader->at;
}

static const uint8_t *reader_bytes(const VmtReader *reader) {
    return reader->window + reader->at;
}

static void reader_step(VmtReader *reader, size_t count) {
    reader->at += count;
    reader->offset += count;
}

/* The input failed, not just ended: a read error, or memory. Damage of its compression is damage.
 */
static bool reader_failed(VmtReader *reader) {
    int code = reader->source->error.code;
    if (reader->stop.code == VMM_OK && code != VMM_OK && code != VMM_E_DAMAGED) {
        reader->stop = reader->source->error;
    }
    return reader->stop.code != VMM_OK;
}

/* ---- Damage --------------------------------------------------------------------------------- */

/* The sentence about damage at a byte of the file. */
static void reader_describe(const VmtReader *reader, uint64_t offset, const char *found,
                            const char *expected, bool advise, Error *error) {
    error_set(error, VMM_E_DAMAGED, "%s: damaged .vmt at byte %llu: found %s, expected %s%s",
              reader->source->name, (unsigned long long)offset, found, expected,
              advise ? "; get the file again, or use --skip-bad-records to take what can be read"
                     : "");
}

/* Counts damage that is passed over, and says of the first what it is. */
static void reader_note_damage(VmtReader *reader, uint64_t offset, const char *found,
                               const char *expected) {
    reader->bad_records++;
    if (reader->bad_text_count < VMM_TRACE_BAD_TEXTS) {
        reader_describe(reader, offset, found, expected, false,
                        &reader->bad_texts[reader->bad_text_count++]);
    }
}

/* True: go on past it. False: framing ends, with the sentence in `stop`. */
static bool reader_pass_damage(VmtReader *reader, const char *found, const char *expected) {
    if (reader->skip_bad) {
        reader_note_damage(reader, reader->offset, found, expected);
        reader->expects_gap = true;
        return true;
    }
    reader_describe(reader, reader->offset, found, expected, true, &reader->stop);
    return false;
}

/* Steps to the next place where a block or the trailer begins, or to the end of the input. */
static void reader_resynchronise(VmtReader *reader) {
    uint64_t from = reader->offset;
    size_t step = 1;
    for (;;) {
        reader_step(reader, step);
        size_t have = reader_fill(reader, VMT_BLOCK_BYTES);
        VmtBlock block;
        VmtTrailer trailer;
        if ((have >= VMT_BLOCK_BYTES && vmt_block_get(&block, reader_bytes(reader))) ||
            (have >= VMT_TRAILER_BYTES && vmt_trailer_get(&trailer, reader_bytes(reader))) ||
            have == 0) {
            break;
        }
        have = reader->filled - reader->at;
        const uint8_t *next = memchr(reader_bytes(reader) + 1, VMT_BLOCK_MAGIC[0] & 0xff, have - 1);
        step = next != NULL ? (size_t)(next - reader_bytes(reader)) : have;
    }
    reader->damaged_bytes += reader->offset - from;
}

/* ---- Framing -------------------------------------------------------------------------------- */

/* A slot that stands for missing references. */
static void reader_frame_lost(VmtSlot *slot, uint64_t lost) {
    slot->block = (VmtBlock){.type = 0};
    slot->lost = lost;
}

/* The header of a block fits. Fills the slot with the block, or with what is missing before it. */
static bool reader_frame_block(VmtReader *reader, const VmtBlock *block, VmtSlot *slot) {
    bool follows = block->ordinal == reader->next_ordinal && block->first == reader->next_first;
    if (!follows && !reader->expects_gap &&
        !reader_pass_damage(reader, "a block out of order", "the block after the last one")) {
        return false;
    }
    uint64_t lost = block->first > reader->next_first ? block->first - reader->next_first : 0;
    bool gap = !follows;
    reader->expects_gap = false;
    reader->next_ordinal = block->ordinal;
    reader->next_first = block->first;
    if (gap) {
        reader_frame_lost(slot, lost);
        return true;
    }
    slot->block = *block;
    slot->offset = reader->offset;
    if (!vmt_slot_reserve(slot, block->packed_bytes)) {
        error_no_memory(&reader->stop, block->packed_bytes, "reading the trace");
        return false;
    }
    memcpy(slot->packed, reader_bytes(reader) + VMT_BLOCK_BYTES, block->packed_bytes);
    reader_step(reader, VMT_BLOCK_BYTES + block->packed_bytes);
    reader->next_ordinal++;
    reader->next_first += block->references;
    return true;
}

/* The trailer is there: the end, unless something is missing or follows. */
static bool reader_frame_trailer(VmtReader *reader, const VmtTrailer *trailer, VmtSlot *slot) {
    if (trailer->references != reader->next_first) {
        if (!reader->expects_gap &&
            !reader_pass_damage(reader, "the end of the trace", "more references")) {
            return false;
        }
        uint64_t lost = trailer->references - reader->next_first;
        reader_frame_lost(slot, trailer->references > reader->next_first ? lost : 0);
        reader->next_first = trailer->references;
        return true;
    }
    reader_step(reader, VMT_TRAILER_BYTES);
    size_t behind = reader_fill(reader, 1);
    if (behind > 0 && reader_pass_damage(reader, "more bytes", "the end of the file")) {
        uint64_t from = reader->offset;
        while ((behind = reader_fill(reader, 1)) > 0) {
            reader_step(reader, behind);
        }
        reader->damaged_bytes += reader->offset - from;
    }
    return false;
}

/* Nothing more comes, and there was no trailer. */
static void reader_cut_off(VmtReader *reader) {
    if (reader_failed(reader)) {
        return;
    }
    if (reader->source->error.code == VMM_E_DAMAGED && !reader->skip_bad) {
        reader->stop = reader->source->error;
        return;
    }
    size_t left = reader_fill(reader, 1);
    if (reader_pass_damage(reader, "the end of the file", "a block or the end of the trace")) {
        uint64_t unread = left + trace_source_unread(reader->source);
        reader->damaged_bytes += unread > 0 ? unread : 1;
        reader_step(reader, left);
    }
}

/* Fills the slot with the next block, or with what is missing. False: nothing follows. */
static bool reader_frame(VmtReader *reader, VmtSlot *slot) {
    for (;;) {
        size_t have = reader_fill(reader, VMT_BLOCK_BYTES);
        VmtBlock block;
        VmtTrailer trailer;
        const char *found = "damaged bytes";
        const char *expected = "the header of a block";
        if (have >= VMT_BLOCK_BYTES && vmt_block_get(&block, reader_bytes(reader))) {
            size_t whole = VMT_BLOCK_BYTES + block.packed_bytes;
            have = reader_fill(reader, whole);
            if (have >= whole && vmt_checksum_fits(reader_bytes(reader) + VMT_BLOCK_BYTES,
                                                   block.packed_bytes, block.checksum)) {
                return reader_frame_block(reader, &block, slot);
            }
            found = "a block whose checksum does not fit";
            expected = "an undamaged block";
            if (have < whole && !reader->skip_bad) {
                reader_cut_off(reader);
                return false;
            }
        } else if (have >= VMT_TRAILER_BYTES && vmt_trailer_get(&trailer, reader_bytes(reader))) {
            return reader_frame_trailer(reader, &trailer, slot);
        } else if (have < VMT_BLOCK_BYTES) {
            reader_cut_off(reader);
            return false;
        }
        if (reader_failed(reader) || !reader_pass_damage(reader, found, expected)) {
            return false;
        }
        reader_resynchronise(reader);
    }
}

/* Fills what is free of the ring. */
static void reader_fill_ring(VmtReader *reader) {
    while (!reader->framed) {
        VmtSlot *slot = vmt_ring_free_slot(reader->ring);
        if (slot == NULL) {
            return;
        }
        reader->framed = !reader_frame(reader, slot);
        if (!reader->framed) {
            vmt_ring_submit(reader->ring);
        }
    }
}

/* ---- Delivery ------------------------------------------------------------------------------- */

static void reader_tell(VmtReader *reader, const VMMEvent *event) {
    reader->events++;
    if (reader->handler != NULL) {
        reader->handler(reader->user, event);
    }
}

static void reader_tell_lost(VmtReader *reader, uint32_t pid, uint32_t tid, uint64_t lost) {
    VMMEvent event = {
        .struct_size = sizeof event, .type = VMM_EVENT_LOST, .pid = pid, .tid = tid, .value = lost};
    reader_tell(reader, &event);
}

/* A whole payload that makes no sense: it cannot be damage of the file, its checksum fits. */
static int reader_bad_block(VmtReader *reader, const VmtSlot *slot, const char *problem) {
    char found[160];
    snprintf(found, sizeof found, "a block that cannot be decoded (%s)", problem);
    if (!reader->skip_bad) {
        reader_describe(reader, slot->offset, found, "a block of .vmt version 1", true,
                        reader->error);
        return VMM_E_DAMAGED;
    }
    reader_note_damage(reader, slot->offset, found, "a block of .vmt version 1");
    reader->damaged_bytes += VMT_BLOCK_BYTES + slot->block.packed_bytes;
    reader_tell_lost(reader, slot->block.pid, slot->block.tid, slot->block.references);
    return VMM_OK;
}

static int reader_tell_events(VmtReader *reader, const VmtSlot *slot) {
    VmtCursor cursor = {slot->raw, slot->raw + slot->block.raw_bytes, false};
    while (cursor.at < cursor.end) {
        VMMEvent event;
        if (!vmt_event_get(&cursor, &event)) {
            return reader_bad_block(reader, slot, "an event is damaged");
        }
        if (vmm_event_name(event.type) == NULL) {
            reader->ignored_records++;
            continue;
        }
        reader->time_ns = event.time_ns != 0 ? event.time_ns : reader->time_ns;
        reader_tell(reader, &event);
    }
    return VMM_OK;
}

static int reader_take_files(VmtReader *reader, const VmtSlot *slot) {
    VmtCursor cursor = {slot->raw, slot->raw + slot->block.raw_bytes, false};
    while (cursor.at < cursor.end) {
        if (!vmt_files_get(&reader->files, &cursor)) {
            return reader_bad_block(reader, slot, "a file is damaged");
        }
    }
    return VMM_OK;
}

/* Does what a block asks for that holds no references to hand out. */
static int reader_pass_slot(VmtReader *reader, const VmtSlot *slot) {
    if (slot->no_memory) {
        return error_no_memory(reader->error, sizeof(VmtRuns), "unpacking the trace");
    }
    if (slot->problem != NULL) {
        return reader_bad_block(reader, slot, slot->problem);
    }
    switch (slot->block.type) {
    case 0:
        reader_tell_lost(reader, 0, 0, slot->lost);
        return VMM_OK;
    case VMT_BLOCK_EVENTS:
        return reader_tell_events(reader, slot);
    case VMT_BLOCK_FILES:
        return reader_take_files(reader, slot);
    case VMT_BLOCK_INDEX:
        return VMM_OK;
    default:
        reader->ignored_records++;
        return VMM_OK;
    }
}

static bool reader_holds_references(const VmtReader *reader, const VmtSlot *slot) {
    unsigned type = reader->header.codec == VMT_CODEC_RUNS ? VMT_BLOCK_RUNS : VMT_BLOCK_FULL;
    return slot->block.type == type && slot->problem == NULL && !slot->no_memory;
}

static int reader_end(VmtReader *reader, int code) {
    reader->told = true;
    reader->ended = code;
    return code;
}

/* Nothing follows: why. */
static int reader_finish(VmtReader *reader) {
    if (reader->stop.code != VMM_OK) {
        *reader->error = reader->stop;
        return reader_end(reader, reader->stop.code);
    }
    if (reader->references == 0) {
        error_set(reader->error, VMM_E_EMPTY,
                  "%s holds no references: %llu events and %llu bad places were found in it; check "
                  "how it was recorded",
                  reader->source->name, (unsigned long long)reader->events,
                  (unsigned long long)reader->bad_records);
        return reader_end(reader, VMM_E_EMPTY);
    }
    return reader_end(reader, VMM_OK);
}

/* Goes on to the next block of references, past events: 1, 0 at the end, or a negative code. */
static int reader_next_block(VmtReader *reader) {
    if (reader->told) {
        return reader->ended;
    }
    for (;;) {
        if (reader->current != NULL) {
            reader->current = NULL;
            vmt_ring_release(reader->ring);
        }
        reader_fill_ring(reader);
        VmtSlot *slot = vmt_ring_take(reader->ring);
        if (slot == NULL) {
            return reader_finish(reader);
        }
        reader->current = slot;
        if (reader_holds_references(reader, slot)) {
            break;
        }
        int code = reader_pass_slot(reader, slot);
        if (code != VMM_OK) {
            return reader_end(reader, code);
        }
    }
    const VmtBlock *block = &reader->current->block;
    reader->unfold = (VmtUnfold){0, 0};
    reader->next_ref = 0;
    reader->time_ns = block->time_ns != 0 ? block->time_ns : reader->time_ns;
    uint64_t who = (uint64_t)block->pid << 32 | block->tid;
    reader->fingerprint = rng_mix(reader->fingerprint ^ block->checksum) + rng_mix(who);
    return 1;
}

/* References of the current block: how many, 0 if it is exhausted. */
static size_t reader_hand_out(VmtReader *reader, VMMRef *refs, size_t capacity) {
    const VmtSlot *slot = reader->current;
    if (slot == NULL || !reader_holds_references(reader, slot)) {
        return 0;
    }
    if (reader->header.codec == VMT_CODEC_RUNS) {
        return vmt_runs_unfold(&slot->runs->runs, &reader->unfold, refs, capacity);
    }
    size_t left = slot->block.entries - reader->next_ref;
    size_t count = left < capacity ? left : capacity;
    memcpy(refs, slot->refs + reader->next_ref, count * sizeof *refs);
    reader->next_ref += count;
    return count;
}

long vmt_reader_read(VmtReader *reader, VMMRef *refs, size_t capacity) {
    size_t count = 0;
    while ((count = reader_hand_out(reader, refs, capacity)) == 0) {
        int code = reader_next_block(reader);
        if (code != 1) {
            return code;
        }
    }
    reader->references += count;
    if (reader->current->block.kernel_references > 0) {
        for (size_t i = 0; i < count; i++) {
            reader->kernel_references += refs[i].flags & VMM_REF_KERNEL;
        }
    }
    return (long)count;
}

int vmt_reader_next_runs(VmtReader *reader, const TraceRuns **runs) {
    int code = reader_next_block(reader);
    if (code == 1) {
        *runs = &reader->current->runs->runs;
        reader->references += reader->current->block.references;
        reader->kernel_references += reader->current->block.kernel_references;
    }
    return code;
}

/* ---- A second pass -------------------------------------------------------------------------- */

static void reader_start_pass(VmtReader *reader) {
    reader->current = NULL;
    if (reader->ring != NULL) {
        vmt_ring_clear(reader->ring);
    }
    reader->at = reader->filled = 0;
    reader->offset = 0;
    reader->next_ordinal = reader->next_first = 0;
    reader->expects_gap = reader->framed = reader->told = false;
    reader->stop = (Error){.code = VMM_OK};
    reader->unfold = (VmtUnfold){0, 0};
    reader->next_ref = 0;
    reader->ended = VMM_OK;
    reader->references = reader->kernel_references = reader->events = reader->time_ns = 0;
    reader->bad_records = reader->ignored_records = reader->damaged_bytes = 0;
    reader->fingerprint = 0;
    reader->bad_text_count = 0;
}

int vmt_reader_rewind(VmtReader *reader) {
    reader_start_pass(reader);
    if (reader_fill(reader, reader->header_bytes) < reader->header_bytes) {
        return error_set(reader->error, VMM_E_READ, "cannot read the header of %s again",
                         reader->source->name);
    }
    reader_step(reader, reader->header_bytes);
    return VMM_OK;
}

/* Not yet: everything is read on. */
bool vmt_reader_can_seek(VmtReader *reader) {
    (void)reader;
    return false;
}

int vmt_reader_seek(VmtReader *reader, uint64_t reference) {
    (void)reader, (void)reference;
    return VMM_E_UNSUPPORTED;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int reader_bad_header(VmtReader *reader, const char *problem) {
    return error_set(reader->error, VMM_E_DAMAGED,
                     "%s: cannot read the .vmt: %s, expected the header of a .vmt version 1; get "
                     "the file again, or a vmm that reads it",
                     reader->source->name, problem);
}

static int reader_read_header(VmtReader *reader) {
    if (reader_fill(reader, VMT_HEADER_FIXED) < VMT_HEADER_FIXED) {
        return reader_bad_header(reader, "it ends within its header");
    }
    size_t length = vmt_header_length(reader_bytes(reader));
    if (length == 0) {
        return reader_bad_header(reader, "its first bytes are damaged");
    }
    if (reader_fill(reader, length) < length) {
        return reader_bad_header(reader, "it ends within its header");
    }
    const char *problem = vmt_header_read(&reader->header, reader_bytes(reader), length);
    if (problem != NULL) {
        return reader_bad_header(reader, problem);
    }
    reader->header_bytes = length;
    reader_step(reader, length);
    return VMM_OK;
}

/* The trailer, if the file can be seeked. Damage there is met again on the way. */
static void reader_read_trailer(VmtReader *reader) {
    const TraceSource *source = reader->source;
    uint8_t bytes[VMT_TRAILER_BYTES];
    if (source->codec != NULL || !source->seekable || source->bytes_total < VMT_TRAILER_BYTES) {
        return;
    }
    off_t at = source->start + (off_t)(source->bytes_total - VMT_TRAILER_BYTES);
    reader->has_trailer = pread(source->fd, bytes, sizeof bytes, at) == (ssize_t)sizeof bytes &&
                          vmt_trailer_get(&reader->trailer, bytes);
}

static void reader_publish_header(VmtReader *reader) {
    const VmtHeader *header = &reader->header;
    VMMTraceHeader *to = &reader->public_header;
    *to = (VMMTraceHeader){
        .struct_size = sizeof *to,
        .version = header->version,
        .codec = header->codec == VMT_CODEC_RUNS ? "runs" : "full",
        .command = header->strings[VMT_STRING_COMMAND - 1],
        .host = header->strings[VMT_STRING_HOST - 1],
        .recorder = header->strings[VMT_STRING_RECORDER - 1],
        .note = header->strings[VMT_STRING_NOTE - 1],
        .start_time_ns = header->start_time_ns,
        .page_size = UINT64_C(1) << header->page_shift,
        .total_references = reader->has_trailer ? reader->trailer.references : 0,
        .original_references = header->original_references,
    };
    memcpy(to->uuid, header->uuid, sizeof to->uuid);
}

static int reader_start(VmtReader *reader, const VmtReaderSetup *setup) {
    reader->room = setup->count + VMM_TRACE_BUFFER + VMT_BLOCK_BYTES;
    reader->window = memory_zalloc(&memory_default, reader->room, 1);
    if (reader->window == NULL) {
        return error_no_memory(reader->error, reader->room, "reading the trace");
    }
    memcpy(reader->window, setup->bytes, setup->count);
    reader->filled = setup->count;
    int code = reader_read_header(reader);
    if (code != VMM_OK) {
        return code;
    }
    reader->ring = vmt_ring_open(reader->header.page_shift, setup->threads);
    if (reader->ring == NULL) {
        return error_no_memory(reader->error, sizeof(VmtSlot), "unpacking the trace");
    }
    reader_read_trailer(reader);
    reader_publish_header(reader);
    return VMM_OK;
}

int vmt_reader_open(const VmtReaderSetup *setup, VmtReader **reader) {
    const char *missing = vmt_missing_libraries();
    if (missing != NULL) {
        return error_set(setup->error, VMM_E_UNSUPPORTED,
                         "%s is a .vmt, which this build cannot read: it was built without %s; "
                         "install it and build again",
                         setup->source->name, missing);
    }
    VmtReader *fresh = memory_zalloc(&memory_default, 1, sizeof *fresh);
    if (fresh == NULL) {
        return error_no_memory(setup->error, sizeof *fresh, "reading the trace");
    }
    fresh->source = setup->source;
    fresh->error = setup->error;
    fresh->skip_bad = setup->skip_bad;
    int code = reader_start(fresh, setup);
    if (code != VMM_OK) {
        vmt_reader_close(fresh);
        return code;
    }
    *reader = fresh;
    return VMM_OK;
}

void vmt_reader_close(VmtReader *reader) {
    if (reader == NULL) {
        return;
    }
    vmt_ring_close(reader->ring);
    vmt_files_free(&reader->files);
    vmt_header_free(&reader->header);
    memory_free(&memory_default, reader->index, reader->index_count, sizeof *reader->index);
    memory_free(&memory_default, reader->window, reader->room, 1);
    memory_free(&memory_default, reader, 1, sizeof *reader);
}

/* ---- What it knows -------------------------------------------------------------------------- */

void vmt_reader_on_event(VmtReader *reader, VMMTraceEventHandler *handler, void *user) {
    reader->handler = handler;
    reader->user = user;
}

bool vmt_reader_has_runs(const VmtReader *reader) {
    return reader->header.codec == VMT_CODEC_RUNS;
}

const VMMTraceHeader *vmt_reader_header(const VmtReader *reader) {
    return &reader->public_header;
}

const VMMTraceFile *vmt_reader_file(const VmtReader *reader, uint32_t number) {
    return number >= 1 && number <= reader->files.count ? reader->files.files[number - 1] : NULL;
}

void vmt_reader_info(const VmtReader *reader, VMMTraceInfo *info) {
    const VmtHeader *header = &reader->header;
    bool runs = vmt_reader_has_runs(reader);
    info->references = reader->references;
    info->kernel_references = reader->kernel_references;
    info->events = reader->events;
    info->time_ns = reader->time_ns;
    info->bad_records = reader->bad_records;
    info->ignored_records = reader->ignored_records;
    info->damaged_bytes = reader->damaged_bytes;
    info->page_size = runs ? UINT64_C(1) << header->page_shift : 0;
    info->reduction = header->reduction;
    info->mappings_complete = (header->flags & VMT_FLAG_MAPPINGS_COMPLETE) != 0;
    if (runs) {
        info->fingerprint = rng_mix(reader->fingerprint ^ reader->references);
    }
}

const char *vmt_reader_bad_text(const VmtReader *reader, size_t index) {
    return index < reader->bad_text_count ? reader->bad_texts[index].text : NULL;
}
