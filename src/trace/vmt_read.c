/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .vmt: has the blocks found and decoded, and hands out references, runs and events in their
 * order.
 *
 *     source ──► framer ──► ring of slots ──► references, runs, events ──► caller
 *                           decoded, maybe by threads
 *
 * Framing runs ahead of delivery by the slots of the ring. What is missing is told by an event
 * LOST. An error that framing meets waits until everything before it is delivered.
 */
#include "vmt_read.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "../base/rng.h"
#include "vmt_check.h"
#include "vmt_decode.h"
#include "vmt_events.h"
#include "vmt_frame.h"
#include "vmt_index.h"

struct VmtReader {
    TraceSource *source;
    Error *error;
    VmtHeader header;
    size_t header_bytes;
    VMMTraceHeader public_header;
    VMMTraceEventHandler *handler;
    void *user;
    VmtFiles files;
    VmtRing *ring;
    VmtTrailer trailer;
    VmtIndex index; /* read by the first seek */
    VmtCheck checked;
    bool skip_bad;
    bool check;       /* what the file says twice is compared */
    bool mute;        /* the handler is not called */
    bool has_trailer; /* the file can be seeked, and its end is known */
    bool index_tried;

    bool framed; /* no block follows */
    bool told;   /* a code was returned that ended the pass */
    int ended;   /* that code */
    VmtFramer framer;
    VmtSlot *current; /* being handed out */
    VmtUnfold unfold;
    size_t next_ref;

    uint64_t references;
    uint64_t kernel_references;
    uint64_t events;
    uint64_t lost_references;
    uint64_t pauses;
    uint64_t time_ns;
    uint64_t ignored_records;
    uint64_t fingerprint;
};

bool vmt_matches(const void *bytes, size_t count) {
    return count >= VMT_MAGIC_BYTES && memcmp(bytes, VMT_MAGIC, VMT_MAGIC_BYTES) == 0;
}

/* ---- Delivery ------------------------------------------------------------------------------- */

/* Fills what is free of the ring. */
static void reader_fill_ring(VmtReader *reader) {
    while (!reader->framed) {
        VmtSlot *slot = vmt_ring_free_slot(reader->ring);
        if (slot == NULL) {
            return;
        }
        reader->framed = !vmt_framer_next(&reader->framer, slot);
        if (!reader->framed) {
            vmt_ring_submit(reader->ring);
        }
    }
}

static void reader_tell(VmtReader *reader, const VMMEvent *event) {
    reader->events++;
    reader->pauses += event->type == VMM_EVENT_PAUSE;
    if (event->type == VMM_EVENT_LOST) {
        reader->lost_references = vmt_add_saturated(reader->lost_references, event->value);
    }
    if (reader->handler != NULL && !reader->mute) {
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
        vmt_framer_describe(&reader->framer, slot->offset, found, "a block of .vmt version 1", true,
                            reader->error);
        return VMM_E_DAMAGED;
    }
    vmt_framer_note_damage(&reader->framer, slot->offset, found, "a block of .vmt version 1");
    reader->framer.damaged_bytes += VMT_BLOCK_BYTES + slot->block.packed_bytes;
    reader_tell_lost(reader, slot->block.pid, slot->block.tid, slot->block.references);
    return VMM_OK;
}

/* What the file says is not so: an error, or one more place that is passed over. */
static int reader_object(VmtReader *reader, uint64_t offset, const char *found,
                         const char *expected) {
    if (reader->skip_bad) {
        vmt_framer_note_damage(&reader->framer, offset, found, expected);
        return VMM_OK;
    }
    vmt_framer_describe(&reader->framer, offset, found, expected, true, reader->error);
    return VMM_E_DAMAGED;
}

/* Behind damage, what is missing would be told as a contradiction. */
static bool reader_compares(const VmtReader *reader) {
    return reader->check && reader->framer.damaged_bytes == 0;
}

/* A block is passed, of whatever type. */
static int reader_compare_slot(VmtReader *reader, const VmtSlot *slot) {
    char found[VMT_CHECK_BYTES];
    if (!reader_compares(reader) || slot->block.type == 0 || slot->no_memory) {
        return VMM_OK;
    }
    if (slot->block.type != VMT_BLOCK_INDEX) {
        return vmt_check_block(&reader->checked, slot)
                   ? VMM_OK
                   : error_no_memory(reader->error, sizeof(VmtCheckLine), "checking the index");
    }
    if (slot->problem != NULL || vmt_check_index(&reader->checked, slot, found)) {
        return VMM_OK;
    }
    return reader_object(reader, slot->offset, found, "what the blocks say");
}

/* At the end: the trailer, and the file header. */
static int reader_compare_end(VmtReader *reader) {
    if (!reader_compares(reader) || !reader->framer.ended) {
        return VMM_OK;
    }
    const char *found = vmt_check_trailer(&reader->checked, &reader->framer.trailer);
    int code = VMM_OK;
    if (found != NULL) {
        code = reader_object(reader, reader->framer.offset - VMT_TRAILER_BYTES, found,
                             "what the blocks say");
    }
    if (code == VMM_OK && reader->header.original_references != 0 &&
        reader->header.reduction == 0) {
        code = reader_object(reader, 56, "references before a reduction",
                             "none, in a trace that is not reduced");
    }
    return code;
}

/* An event names a file that came before it. */
static int reader_compare_event(VmtReader *reader, const VmtSlot *slot, const VMMEvent *event) {
    if (!reader_compares(reader) || event->file == 0 ||
        vmt_reader_file(reader, event->file) != NULL) {
        return VMM_OK;
    }
    return reader_object(reader, slot->offset, "an event that names a file which is not there",
                         "a file that came before it");
}

/* After all records of a block of events or files: were they as many as its header says? */
static int reader_check_entries(VmtReader *reader, const VmtSlot *slot, uint32_t count) {
    return count == slot->block.entries
               ? VMM_OK
               : reader_bad_block(reader, slot, "its records are not as many as its header says");
}

static int reader_tell_events(VmtReader *reader, const VmtSlot *slot) {
    VmtCursor cursor = {slot->raw, slot->raw + slot->block.raw_bytes, false};
    uint32_t count = 0;
    for (; cursor.at < cursor.end; count++) {
        VMMEvent event;
        if (!vmt_event_get(&cursor, &event)) {
            return reader_bad_block(reader, slot, "an event is damaged");
        }
        if (vmm_event_name(event.type) == NULL) {
            reader->ignored_records++;
            continue;
        }
        reader->time_ns = event.time_ns != 0 ? event.time_ns : reader->time_ns;
        int code = reader_compare_event(reader, slot, &event);
        if (code != VMM_OK) {
            return code;
        }
        reader_tell(reader, &event);
    }
    return reader_check_entries(reader, slot, count);
}

static int reader_take_files(VmtReader *reader, const VmtSlot *slot) {
    VmtCursor cursor = {slot->raw, slot->raw + slot->block.raw_bytes, false};
    uint32_t count = 0;
    for (; cursor.at < cursor.end; count++) {
        if (!vmt_files_get(&reader->files, &cursor)) {
            return reader_bad_block(reader, slot, "a file is damaged");
        }
    }
    return reader_check_entries(reader, slot, count);
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
    case VMT_BLOCK_RUNS:
        return reader_bad_block(reader, slot, "page runs in a trace of full addresses");
    case VMT_BLOCK_FULL:
        return reader_bad_block(reader, slot, "full addresses in a trace of page runs");
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
    if (reader->framer.stop.code != VMM_OK) {
        *reader->error = reader->framer.stop;
        return reader_end(reader, reader->framer.stop.code);
    }
    int code = reader_compare_end(reader);
    if (code != VMM_OK) {
        return reader_end(reader, code);
    }
    if (reader->references == 0) {
        error_set(reader->error, VMM_E_EMPTY,
                  "%s holds no references: %llu events and %llu bad places were found in it; check "
                  "how it was recorded",
                  reader->source->name, (unsigned long long)reader->events,
                  (unsigned long long)reader->framer.bad_records);
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
        int code = reader_compare_slot(reader, slot);
        if (code == VMM_OK && reader_holds_references(reader, slot)) {
            break;
        }
        code = code == VMM_OK ? reader_pass_slot(reader, slot) : code;
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

int vmt_reader_next_runs(VmtReader *reader, const VMMRuns **runs) {
    int code = reader_next_block(reader);
    const VmtSlot *slot = reader->current;
    if (code == 1 && slot != NULL) {
        *runs = &slot->runs->runs;
        reader->references += slot->block.references;
        reader->kernel_references += slot->block.kernel_references;
    }
    return code;
}

/* ---- A second pass -------------------------------------------------------------------------- */

static void reader_start_pass(VmtReader *reader) {
    reader->current = NULL;
    if (reader->ring != NULL) {
        vmt_ring_clear(reader->ring);
    }
    reader->checked.count = reader->checked.index = reader->checked.events = 0;
    reader->framed = reader->told = false;
    reader->unfold = (VmtUnfold){0, 0};
    reader->next_ref = 0;
    reader->ended = VMM_OK;
    reader->references = reader->kernel_references = reader->events = reader->time_ns = 0;
    reader->ignored_records = reader->lost_references = reader->pauses = reader->fingerprint = 0;
}

int vmt_reader_rewind(VmtReader *reader) {
    reader_start_pass(reader);
    vmt_framer_start(&reader->framer, 0, 0, 0);
    if (vmt_framer_fill(&reader->framer, reader->header_bytes) < reader->header_bytes) {
        return error_set(reader->error, VMM_E_READ, "cannot read the header of %s again",
                         reader->source->name);
    }
    vmt_framer_step(&reader->framer, reader->header_bytes);
    return VMM_OK;
}

bool vmt_reader_can_seek(VmtReader *reader) {
    if (reader->has_trailer && !reader->index_tried) {
        reader->index_tried = true;
        vmt_index_read(&reader->index, reader->source, &reader->trailer);
    }
    return reader->index.count > 0;
}

/* The index tells of a block of files that is not there, or is damaged. */
static int reader_miss_files(VmtReader *reader, const VmtIndexLine *line) {
    const char *found = "a damaged block of files";
    const char *expected = "the files that the index tells of";
    int code = reader_object(reader, line->offset, found, expected);
    return code == VMM_OK ? VMM_OK : reader_end(reader, code);
}

/* Files that are named by events behind the place that is gone to. */
static int reader_take_files_before(VmtReader *reader, uint64_t reference) {
    for (size_t i = 0; i < reader->index.count; i++) {
        const VmtIndexLine *line = &reader->index.lines[i];
        if (line->type != VMT_BLOCK_FILES || line->first > reference) {
            continue;
        }
        VmtSlot slot = {.state = 0};
        bool read = vmt_index_read_block(reader->source, line->offset, &slot) &&
                    slot.block.type == VMT_BLOCK_FILES;
        int code = read ? reader_take_files(reader, &slot) : reader_miss_files(reader, line);
        vmt_slot_free(&slot);
        if (code != VMM_OK) {
            return code;
        }
    }
    return VMM_OK;
}

int vmt_reader_seek(VmtReader *reader, uint64_t reference) {
    VmtIndexLine line = vmt_index_find(&reader->index, reference);
    int code = trace_source_seek(reader->source, line.offset, reader->error);
    if (code != VMM_OK) {
        return code;
    }
    reader_start_pass(reader);
    reader->check = false; /* what was passed over cannot be compared */
    vmt_framer_start(&reader->framer, line.offset, line.ordinal, line.first);
    reader->references = line.first;
    return reader_take_files_before(reader, reference);
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int reader_bad_header(VmtReader *reader, const char *problem) {
    return error_set(reader->error, VMM_E_DAMAGED,
                     "%s: cannot read the .vmt: %s, expected the header of a .vmt version 1; get "
                     "the file again, or a vmm that reads it",
                     reader->source->name, problem);
}

static int reader_read_header(VmtReader *reader) {
    if (vmt_framer_fill(&reader->framer, VMT_HEADER_FIXED) < VMT_HEADER_FIXED) {
        return reader_bad_header(reader, "it ends within its header");
    }
    size_t length = vmt_header_length(vmt_framer_bytes(&reader->framer));
    if (length == 0) {
        return reader_bad_header(reader, "its first bytes are damaged");
    }
    if (vmt_framer_fill(&reader->framer, length) < length) {
        return reader_bad_header(reader, "it ends within its header");
    }
    const char *problem =
        vmt_header_read(&reader->header, vmt_framer_bytes(&reader->framer), length);
    if (problem != NULL) {
        return reader_bad_header(reader, problem);
    }
    reader->header_bytes = length;
    vmt_framer_step(&reader->framer, length);
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
        .complete = reader->has_trailer,
    };
    memcpy(to->uuid, header->uuid, sizeof to->uuid);
}

static int reader_start(VmtReader *reader, const VmtReaderSetup *setup) {
    if (!vmt_framer_open(&reader->framer, setup->source, setup->skip_bad, setup->bytes,
                         setup->count)) {
        return error_no_memory(reader->error, setup->count, "reading the trace");
    }
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
    fresh->check = setup->check;
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
    vmt_index_free(&reader->index);
    vmt_check_free(&reader->checked);
    vmt_framer_close(&reader->framer);
    memory_free(&memory_default, reader, 1, sizeof *reader);
}

/* ---- What it knows -------------------------------------------------------------------------- */

void vmt_reader_on_event(VmtReader *reader, VMMTraceEventHandler *handler, void *user) {
    reader->handler = handler;
    reader->user = user;
}

void vmt_reader_mute(VmtReader *reader, bool mute) {
    reader->mute = mute;
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
    info->lost_references = reader->lost_references;
    info->pauses = reader->pauses;
    info->time_ns = reader->time_ns;
    info->bad_records = reader->framer.bad_records;
    info->ignored_records = reader->ignored_records;
    info->damaged_bytes = reader->framer.damaged_bytes;
    info->page_size = runs ? UINT64_C(1) << header->page_shift : 0;
    info->reduction = header->reduction;
    info->mappings_complete = (header->flags & VMT_FLAG_MAPPINGS_COMPLETE) != 0;
    if (runs) {
        info->fingerprint = rng_mix(reader->fingerprint ^ reader->references);
    }
}

const char *vmt_reader_bad_text(const VmtReader *reader, size_t index) {
    return index < reader->framer.bad_text_count ? reader->framer.bad_texts[index].text : NULL;
}
