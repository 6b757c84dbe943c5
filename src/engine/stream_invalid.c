/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invalid references: the first one is described, and with invalid=stop or kill the batch ends
 * behind the one that ends the run or its process. What follows of the batch waits until all have
 * taken that; then what is not of the killed process becomes the batch.
 *
 *     batch     | 7 R | 9 W | 7 W! | 9 R | 7 R | 9 W |       7 W!: invalid, of process 7
 *     cut       | 7 R | 9 W | 7 W! |                         taken by machines and curves
 *     killed    the resolver gives the space of 7 up         they are told of that
 *     tail      | 9 R | 9 W |                                and take the rest
 *
 * What is invalid follows from trace and options alone, so a second pass ends its batches there
 * too. What the kernel touches for a process does not kill it: the system call fails.
 */
#include <string.h>

#include "../mm/invalid.h"
#include "stream.h"

/* ---- Describing ----------------------------------------------------------------------------- */

/* Pages that a reference looks up, from `first` on. */
static uint64_t stream_pages_of(const Stream *stream, const VMMRef *ref, uint64_t first, bool cut) {
    uint64_t size = ref->size == 0 ? 1 : ref->size;
    uint64_t last_byte = ref->addr + size - 1 < ref->addr ? UINT64_MAX : ref->addr + size - 1;
    uint64_t last = last_byte >> stream->page_shift;
    uint64_t beyond =
        (stream->address_limit + (UINT64_C(1) << stream->page_shift) - 1) >> stream->page_shift;
    if (!cut && ref->addr >= stream->address_limit) {
        return 1;
    }
    return (last < beyond ? last : beyond) - first + 1;
}

/* The reference that element `i` is a part of. */
static void stream_locate(const Stream *stream, size_t i, VMMInvalid *invalid) {
    const StreamSource *source = &stream->source;
    size_t at = source->first;
    uint64_t number = source->number;
    uint64_t vpn = source->vpn;
    for (const VMMRef *ref = source->refs; ref < source->refs + source->count; ref++) {
        bool cut = vpn != UINT64_MAX;
        bool fetch = ref->op == VMM_OP_FETCH && (ref->flags & VMM_REF_KERNEL) == 0;
        uint64_t first = cut ? vpn : ref->addr >> stream->page_shift;
        vpn = UINT64_MAX;
        number += !cut;
        if (resolver_is_killed(&stream->resolver, ref->pid) ||
            (!cut && !stream_wants(stream, fetch))) {
            continue;
        }
        uint64_t pages = stream_pages_of(stream, ref, first, cut);
        if (i - at < pages) {
            bool begins = i == at && !cut;
            invalid->address = begins ? ref->addr : (first + (i - at)) << stream->page_shift;
            invalid->index = number;
            invalid->pid = ref->pid;
            return;
        }
        at += pages;
    }
}

/* The run that element `i` is in. */
static const Run *stream_run_of(const Batch *batch, size_t i) {
    const Run *run = batch->runs;
    for (size_t end = run->length; end <= i; end += run->length) {
        run++;
    }
    return run;
}

/* The same of page runs, where the place in a run of one page is not told. */
static void stream_locate_run(const Stream *stream, size_t i, bool beyond, VMMInvalid *invalid) {
    const Batch *batch = &stream->batch;
    const StreamSource *source = &stream->source;
    invalid->index = source->number + ((batch->op[i] & OP_CONTINUED) == 0);
    for (size_t j = source->first; j < i; j++) {
        invalid->index += (uint64_t)batch_repeat(batch, j) + ((batch->op[j] & OP_CONTINUED) == 0);
    }
    if (batch->left_out_before != NULL) {
        invalid->index += batch->left_out_before[i] - source->left_out;
    }
    invalid->pid = stream->directory.pids[stream_run_of(batch, i)->space];
    invalid->address = beyond ? source->beyond
                              : directory_vpn(&stream->directory, batch->page[i])
                                    << stream->page_shift;
}

static void stream_note_invalid(Stream *stream, size_t i, bool beyond) {
    const Batch *batch = &stream->batch;
    VMMInvalid *invalid = &stream->first_invalid;
    if (stream->sample_below != 0) {
        return; /* a sample keeps nothing of where it comes from */
    }
    if (stream->source.refs == NULL) {
        stream_locate_run(stream, i, beyond, invalid);
    } else {
        stream_locate(stream, i, invalid);
    }
    invalid->op = batch->op[i] & OP_MASK;
    invalid->by_kernel = (batch->op[i] & OP_KERNEL) != 0;
    invalid_describe(invalid, &stream->resolver, stream_run_of(batch, i)->space, beyond);
}

/* ---- Cutting -------------------------------------------------------------------------------- */

/* Adds the page references of elements to a run that has none of them yet. */
static void stream_recount(const Batch *batch, size_t from, size_t to, Run *run) {
    for (size_t i = from; i < to; i++) {
        uint8_t op = batch->op[i];
        bool continued = (op & OP_CONTINUED) != 0;
        uint64_t repeat = batch_repeat(batch, i);
        uint64_t references = repeat + !continued;
        uint64_t writes = batch_stores(batch, i);
        writes -= continued && writes > 0;
        run->length++;
        run->repeats += repeat;
        if ((op & OP_KERNEL) != 0) {
            run->count[PROCESS_KERNEL] += references;
            continue;
        }
        run->count[VMM_OP_WRITE] += writes;
        run->count[(op & OP_MASK) == VMM_OP_FETCH ? VMM_OP_FETCH : VMM_OP_READ] +=
            references - writes;
    }
}

static uint64_t stream_references_of(const Run *run) {
    uint64_t references = 0;
    for (int kind = 0; kind < PROCESS_KINDS; kind++) {
        references += run->count[kind];
    }
    return references;
}

/* How many of the elements [from, to) lie beyond the limit. */
static size_t stream_count_beyond(const Batch *batch, size_t from, size_t to) {
    size_t count = 0;
    for (size_t i = from; i < to; i++) {
        count += batch->page[i] == DIRECTORY_NO_PAGE;
    }
    return count;
}

/* Ends the batch behind element `last`, of which one page reference is left. */
static void stream_cut(Stream *stream, size_t last) {
    Batch *batch = &stream->batch;
    StreamTail *tail = &stream->tail;
    uint32_t extra = batch_repeat(batch, last);
    *tail = (StreamTail){.end = batch->count,
                         .run_count = batch->run_count,
                         .left_out = batch->left_out,
                         .dropped = batch->dropped};
    if (extra != 0) {
        batch->repeat[last] = 0;
        batch->stores[last] = batch->stores[last] != 0;
    }
    size_t first = 0;
    while (first + batch->runs[tail->run].length <= last) {
        first += batch->runs[tail->run++].length;
    }
    Run *run = &batch->runs[tail->run];
    tail->whole = *run;
    *run = (Run){.space = run->space, .memory = run->memory};
    stream_recount(batch, first, last + 1, run);
    batch->run_count = tail->run + 1;
    batch->count = last + 1;
    batch->invalid_count = stream_count_beyond(batch, 0, batch->count);
    batch->repeats = 0;
    for (size_t i = 0; i < batch->run_count; i++) {
        batch->repeats += batch->runs[i].repeats;
    }
    if (batch->left_out_before != NULL) {
        batch->left_out = batch->left_out_before[last];
    }
    if (batch->dropped_before != NULL) {
        batch->dropped = batch->dropped_before[last];
    }
    tail->extra = extra;
    stream->places -= tail->end - batch->count;
    stream->fatal = last + 1;
    stream->halted = true;
}

bool stream_meet_invalid(Stream *stream, size_t i, bool beyond) {
    if (stream->first_invalid.reason == VMM_INVALID_NONE) {
        stream_note_invalid(stream, i, beyond);
    }
    bool spared = stream->invalid == INVALID_KILL && (stream->batch.op[i] & OP_KERNEL) != 0;
    if (stream->invalid == INVALID_COUNT || spared) {
        return false;
    }
    stream_cut(stream, i);
    return true;
}

void stream_check_limit(Stream *stream, size_t from) {
    const Batch *batch = &stream->batch;
    if (stream->invalid == INVALID_COUNT && stream->first_invalid.reason != VMM_INVALID_NONE) {
        return;
    }
    for (size_t i = from; i < batch->count; i++) {
        if (batch->page[i] == DIRECTORY_NO_PAGE && stream_meet_invalid(stream, i, true)) {
            return;
        }
    }
}

/* ---- Going on ------------------------------------------------------------------------------- */

int stream_end_batch(Stream *stream, VMMEvent *kill, bool *killed, Error *error) {
    *killed = false;
    if (stream->fatal == 0) {
        return VMM_OK;
    }
    if (stream->invalid == INVALID_STOP) {
        char text[VMM_ERROR_TEXT_BYTES];
        vmm_invalid_text(&stream->first_invalid, text, sizeof text);
        return error_set(error, VMM_E_INVALID_ADDRESS, "%s", text);
    }
    uint32_t space = stream->batch.runs[stream->batch.run_count - 1].space;
    *kill = (VMMEvent){
        .struct_size = sizeof *kill, .type = RESOLVER_KILL, .pid = stream->directory.pids[space]};
    *killed = true;
    return stream_apply(stream, kill, false, error);
}

/* Moves an element to a place before it. */
static void stream_move_element(Batch *batch, size_t from, size_t to) {
    batch->page[to] = batch->page[from];
    batch->op[to] = batch->op[from];
    if (batch->repeat != NULL) {
        batch->repeat[to] = batch->repeat[from];
        batch->stores[to] = batch->stores[from];
    }
    if (batch->origin != NULL) {
        batch->origin[to] = batch->origin[from];
    }
}

/* The elements [from, to) of a run behind the cut go to the front of the batch, unless their
   process was killed. `before` is what the cut batch has told of references left out. */
static void stream_move_run(Stream *stream, const Run *run, size_t from, size_t to,
                            const StreamTail *before) {
    Batch *batch = &stream->batch;
    Run moved = {.space = run->space, .memory = run->memory};
    if (resolver_is_killed(&stream->resolver, stream->directory.pids[run->space])) {
        stream_recount(batch, from, to, &moved);
        batch->dropped += stream_references_of(&moved);
        return;
    }
    size_t first = batch->count;
    for (size_t i = from; i < to; i++) {
        size_t at = batch->count++;
        stream_move_element(batch, i, at);
        if (batch->left_out_before != NULL) {
            batch->left_out_before[at] = batch->left_out_before[i] - before->left_out;
        }
        uint64_t so_far = batch->dropped_before[i] - before->dropped; /* and in the tail */
        batch->dropped_before[at] = so_far + batch->dropped;
        if (batch->page[at] == DIRECTORY_NO_PAGE) {
            batch->invalid[batch->invalid_count++] = run->space;
        }
    }
    stream_recount(batch, first, batch->count, &moved);
    batch->repeats += moved.repeats;
    batch->runs[batch->run_count++] = moved;
}

int stream_take_tail(Stream *stream, Error *error) {
    Batch *batch = &stream->batch;
    StreamTail tail = stream->tail;
    StreamTail before = {.left_out = batch->left_out, .dropped = batch->dropped};
    size_t from = batch->count;
    size_t first = from - batch->runs[tail.run].length; /* of the run that was cut */
    stream->filtered += batch->left_out;
    batch->first += from;
    batch->count = batch->run_count = batch->invalid_count = batch->special_count = 0;
    batch->repeats = 0;
    batch->dropped = tail.extra;
    for (size_t i = tail.run; i < tail.run_count; i++) {
        Run run = i == tail.run ? tail.whole : batch->runs[i];
        size_t end = first + run.length;
        if (end > from) {
            stream_move_run(stream, &run, first > from ? first : from, end, &before);
        }
        first = end;
    }
    stream->places += batch->count;
    batch->left_out = tail.left_out - before.left_out;
    batch->dropped += tail.dropped - before.dropped;
    stream->tail = (StreamTail){0};
    stream->fatal = 0;
    stream->halted = false;
    return stream_resolve(stream, 0, error);
}
