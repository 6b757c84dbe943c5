/* SPDX-License-Identifier: Apache-2.0 */
/* The two passes of a run: see run.h. */
#include "run.h"

#include <string.h>
#include <unistd.h>

#include "../base/spill.h"

enum {
    RUN_READ_REFS = 4096,        /* references read from the trace at a time */
    RUN_PROGRESS_REFS = 1 << 18, /* references between two calls of the progress callback */
    RUN_BLOCK = 1 << 18          /* page references of a block on the way back */
};

/* References read from the trace and not yet given to the stream. */
typedef struct RunInput {
    VMMTrace *trace;
    VMMRef refs[RUN_READ_REFS];
    size_t count, taken;
    bool ended;
} RunInput;

/* Fills the stream's batch, or what is left of the trace. VMM_OK or an error. */
static int run_fill_batch(Stream *stream, RunInput *input, Error *error) {
    stream_next_batch(stream);
    while (!stream_is_full(stream) && !stream_is_done(stream)) {
        if (input->taken == input->count) {
            uint64_t wanted = stream->max_references - stream->references;
            size_t room = wanted < RUN_READ_REFS ? (size_t)wanted : RUN_READ_REFS;
            long count = input->ended ? 0 : vmm_trace_read(input->trace, input->refs, room);
            if (count < 0) {
                return error_set(error, (int)count, "%s", vmm_trace_error_text(input->trace));
            }
            input->count = (size_t)count;
            input->taken = 0;
            input->ended = count == 0;
            if (input->ended) {
                return VMM_OK;
            }
        }
        size_t taken;
        int status = stream_add(stream, input->refs + input->taken, input->count - input->taken,
                                &taken, error);
        input->taken += taken;
        if (status != VMM_OK) {
            return status;
        }
    }
    return VMM_OK;
}

/* Calls the watch, whether it is due or not. */
static int run_call_watch(RunWatch *watch, const Stream *stream, const VMMTrace *trace,
                          Error *error) {
    uint64_t references = stream->references + stream->filtered + stream->batch.left_out;
    if (watch->callback == NULL) {
        return VMM_OK;
    }
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    watch->next_call = references + RUN_PROGRESS_REFS;
    watch->progress.references = references;
    watch->progress.bytes_read = info.bytes_read;
    watch->progress.bytes_total = info.bytes_total;
    if (watch->callback(watch->user, &watch->progress) != 0) {
        return error_set(error, VMM_E_STOPPED, "the run was stopped");
    }
    return VMM_OK;
}

static int run_report_progress(RunWatch *watch, const Stream *stream, const VMMTrace *trace,
                               Error *error) {
    uint64_t references = stream->references + stream->filtered + stream->batch.left_out;
    return references < watch->next_call ? VMM_OK : run_call_watch(watch, stream, trace, error);
}

/*
 * Replaces ids by distances in one block that begins at page reference `first`. next[id] is one
 * more than the place of the next reference to the page, 0 if there is none.
 */
static int run_turn_block(uint32_t *block, size_t length, uint64_t first, uint64_t *next,
                          Error *error) {
    for (size_t i = length; i-- > 0;) {
        uint32_t page = block[i];
        uint64_t place = first + i;
        uint64_t distance =
            page == DIRECTORY_NO_PAGE || next[page] == 0 ? 0 : next[page] - 1 - place;
        if (distance > UINT32_MAX) {
            return error_set(error, VMM_E_LIMIT,
                             "two references to a page are more than %u page references apart, "
                             "too far for a policy that looks into the future",
                             UINT32_MAX);
        }
        next[page] = place + 1;
        block[i] = (uint32_t)distance;
    }
    return VMM_OK;
}

/* Reads one block of page ids, turns it into distances, writes it back. */
static int run_turn_file_block(const Outlook *outlook, uint64_t first, size_t length,
                               uint32_t *block, uint64_t *next, Error *error) {
    uint64_t offset = first * sizeof *block;
    int status = spill_read(outlook->file, offset, block, length * sizeof *block, error);
    if (status == VMM_OK) {
        status = run_turn_block(block, length, first, next, error);
    }
    return status != VMM_OK
               ? status
               : spill_write(outlook->file, offset, block, length * sizeof *block, error);
}

/* The way back through the file of page ids. */
static int run_turn(const Outlook *outlook, const Stream *stream, Error *error) {
    size_t pages = stream->directory.count;
    uint32_t *block = memory_zalloc(&stream->memory, RUN_BLOCK, sizeof *block);
    uint64_t *next = memory_zalloc(&stream->memory, pages, sizeof *next);
    int status = VMM_OK;
    if (block == NULL || next == NULL) {
        status = error_no_memory(error, pages * sizeof *next, "the future of each page");
    } else {
        for (uint64_t end = outlook->count; status == VMM_OK && end > 0;) {
            size_t length = end < RUN_BLOCK ? (size_t)end : RUN_BLOCK;
            end -= length;
            status = run_turn_file_block(outlook, end, length, block, next, error);
        }
    }
    memory_free(&stream->memory, block, RUN_BLOCK, sizeof *block);
    memory_free(&stream->memory, next, pages, sizeof *next);
    return status;
}

/* What tells one reading of a trace from another. */
static void run_identify(const VMMTrace *trace, uint64_t *fingerprint, uint64_t *references) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    *fingerprint = info.fingerprint;
    *references = info.references;
}

/* The second pass must have read what the first one did, or the distances are not the trace's. */
static int run_check_outlook(const Outlook *outlook, const VMMTrace *trace, Error *error) {
    uint64_t fingerprint;
    uint64_t references;
    run_identify(trace, &fingerprint, &references);
    if (outlook->file < 0 ||
        (fingerprint == outlook->fingerprint && references == outlook->references)) {
        return VMM_OK;
    }
    return error_set(error, VMM_E_READ,
                     "the trace changed between the two passes that the policy needs");
}

int run_collect_outlook(Stream *stream, VMMTrace *trace, RunWatch *watch, Outlook *outlook,
                        Error *error) {
    outlook->file = spill_open(error);
    if (outlook->file < 0) {
        return error->code;
    }
    RunInput input = {.trace = trace};
    const Batch *batch = &stream->batch;
    int status = VMM_OK;
    do {
        status = run_fill_batch(stream, &input, error);
        if (status == VMM_OK) {
            status = spill_write(outlook->file, batch->first * sizeof *batch->page, batch->page,
                                 batch->count * sizeof *batch->page, error);
        }
        if (status == VMM_OK) {
            status = run_report_progress(watch, stream, trace, error);
        }
    } while (status == VMM_OK && batch->count > 0 && !stream_is_done(stream));
    outlook->count = stream->page_references;
    run_identify(trace, &outlook->fingerprint, &outlook->references);
    return status != VMM_OK ? status : run_turn(outlook, stream, error);
}

void run_free_outlook(Outlook *outlook) {
    if (outlook->file >= 0) {
        close(outlook->file);
    }
}

/* The distances that go with the batch. */
static int run_read_outlook(Stream *stream, const Outlook *outlook, Error *error) {
    Batch *batch = &stream->batch;
    if (outlook->file < 0 || batch->count == 0) {
        return VMM_OK;
    }
    if (batch->next == NULL) {
        batch->next = memory_zalloc(&stream->memory, batch->capacity, sizeof *batch->next);
        if (batch->next == NULL) {
            return error_no_memory(error, batch->capacity * sizeof *batch->next, "the future");
        }
    }
    if (batch->first + batch->count > outlook->count) {
        return error_set(error, VMM_E_READ,
                         "the trace changed between the two passes that the policy needs");
    }
    return spill_read(outlook->file, batch->first * sizeof *batch->next, batch->next,
                      batch->count * sizeof *batch->next, error);
}

int run_simulate(Machine *const *machines, size_t count, Stream *stream, const Outlook *outlook,
                 VMMTrace *trace, RunWatch *watch, Error *error) {
    RunInput input = {.trace = trace};
    int status = VMM_OK;
    size_t alive = count;
    do {
        status = run_fill_batch(stream, &input, error);
        int bad = status; /* what was read before a bad record is simulated */
        status = run_read_outlook(stream, outlook, error);
        if (status == VMM_OK) {
            alive = 0;
            for (size_t i = 0; i < count; i++) {
                alive += engine_consume(machines[i], &stream->batch) == VMM_OK;
            }
        }
        status = bad != VMM_OK ? bad : status;
        if (status == VMM_OK) {
            status = run_report_progress(watch, stream, trace, error);
        }
    } while (status == VMM_OK && alive > 0 && stream->batch.count > 0 && !stream_is_done(stream));
    if (status == VMM_OK && alive > 0) {
        status = run_check_outlook(outlook, trace, error);
    }
    /* The last word: an end of the input may be that of a producer that was interrupted too. */
    return status != VMM_OK ? status : run_call_watch(watch, stream, trace, error);
}
