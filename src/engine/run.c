/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two passes of a run: see run.h.
 *
 * A pass fills the stream's batch from the trace, in references or, where the trace has them, in
 * page runs. When the trace tells an event that matters, what has been read before it is the end of
 * a batch: the consumers take it first, and then the event. The consumer of the first pass writes
 * page ids, and notes the pages that events take.
 */
#include "run.h"

#include <string.h>
#include <unistd.h>

#include "../base/spill.h"
#include "../mm/invalid.h"

enum {
    RUN_READ_REFS = 4096,        /* references read from the trace at a time */
    RUN_PROGRESS_REFS = 1 << 18, /* references between two calls of the progress callback */
    RUN_MOST_LEFT_OUT = 1 << 22, /* references that the filter left out of one batch */
    RUN_BLOCK = 1 << 18,         /* elements of a block on the way back */
    RUN_NOTES = 512,             /* notes of discarded pages in memory at a time */
    RUN_WEIGHTS = 1024           /* elements whose page references are written at a time */
};

/* That a page was given up before the element at `place`. */
typedef struct RunNote {
    uint64_t place;
    uint32_t page;
    uint32_t unused;
} RunNote;

/* One pass over the trace. */
typedef struct RunPass {
    Stream *stream;
    VMMTrace *trace;
    const Outlook *outlook; /* for batches that carry it; NULL: none does */
    RunConsumer *consumers;
    size_t count;
    size_t alive; /* consumers that have not stopped */
    Error *error;
    int status; /* of what an event made necessary */
    bool by_runs;
    const VMMRuns *runs;        /* the stretch that is being taken, NULL: none */
    VMMRef refs[RUN_READ_REFS]; /* references read from the trace and not yet taken */
    size_t ref_count, taken;
    bool ended;        /* the trace */
    uint64_t boundary; /* a batch ends when so many references were taken */
} RunPass;

/* ---- Filling batches ------------------------------------------------------------------------ */

/* The next references. VMM_OK or an error. */
static int run_read_refs(RunPass *pass) {
    const Stream *stream = pass->stream;
    uint64_t wanted = stream->max_references - stream->references;
    size_t room = wanted < RUN_READ_REFS ? (size_t)wanted : RUN_READ_REFS;
    long count = vmm_trace_read(pass->trace, pass->refs, room);
    if (pass->status != VMM_OK) {
        return pass->status;
    }
    if (count < 0) {
        return error_set(pass->error, (int)count, "%s", vmm_trace_error_text(pass->trace));
    }
    pass->ref_count = (size_t)count;
    pass->taken = 0;
    pass->ended = count == 0;
    return VMM_OK;
}

/* The next stretch of page runs. VMM_OK or an error. */
static int run_read_runs(RunPass *pass) {
    int more = vmm_trace_next_runs(pass->trace, &pass->runs);
    if (pass->status != VMM_OK) {
        return pass->status;
    }
    if (more < 0) {
        return error_set(pass->error, more, "%s", vmm_trace_error_text(pass->trace));
    }
    pass->ended = more == 0;
    pass->runs = more == 0 ? NULL : pass->runs;
    return more == 0 ? VMM_OK : stream_begin_runs(pass->stream, pass->runs, pass->error);
}

/* Gives the stream what has been read; *full: the batch takes no more. */
static int run_take(RunPass *pass, bool *full) {
    Stream *stream = pass->stream;
    int status;
    if (pass->by_runs) {
        bool taken;
        status = stream_add_runs(stream, pass->runs, &taken, pass->error);
        pass->runs = taken ? NULL : pass->runs;
        *full = !taken;
    } else {
        size_t taken;
        uint64_t left = pass->boundary - stream->references;
        size_t count = pass->ref_count - pass->taken;
        status = stream_add(stream, pass->refs + pass->taken, count < left ? count : (size_t)left,
                            &taken, pass->error);
        pass->taken += taken;
        *full = stream_is_full(stream);
    }
    return status;
}

/* Fills the stream's batch, or what is left of the trace. VMM_OK or an error. */
static int run_fill_batch(RunPass *pass) {
    Stream *stream = pass->stream;
    bool full = false;
    stream_next_batch(stream);
    /* Where filter or sample leave out all there is, a batch ends too: the watch has to be called.
     */
    while (!full && !pass->ended && !stream_is_done(stream) &&
           stream->references < pass->boundary &&
           stream->batch.left_out + stream->batch.unsampled < RUN_MOST_LEFT_OUT) {
        int status = VMM_OK;
        if (pass->by_runs && pass->runs == NULL) {
            status = run_read_runs(pass);
        } else if (!pass->by_runs && pass->taken == pass->ref_count) {
            status = run_read_refs(pass);
        }
        if (status == VMM_OK && !pass->ended) {
            status = run_take(pass, &full);
        }
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

/* ---- The way back --------------------------------------------------------------------------- */

/* The notes of discarded pages, read from the last one on. */
typedef struct RunNotes {
    const Outlook *outlook;
    uint64_t left;  /* notes in the file before those in memory */
    size_t count;   /* notes in memory that are not done with */
    uint64_t place; /* of the last one; 0: there is none */
    RunNote notes[RUN_NOTES];
} RunNotes;

/* Makes the last note that is not done with the one at hand. */
static int run_next_note(RunNotes *notes, Error *error) {
    notes->place = 0;
    if (notes->count == 0 && notes->left > 0) {
        notes->count = notes->left < RUN_NOTES ? (size_t)notes->left : RUN_NOTES;
        notes->left -= notes->count;
        int status = spill_read(notes->outlook->notes, notes->left * sizeof *notes->notes,
                                notes->notes, notes->count * sizeof *notes->notes, error);
        if (status != VMM_OK) {
            return status;
        }
    }
    if (notes->count > 0) {
        notes->place = notes->notes[notes->count - 1].place;
    }
    return VMM_OK;
}

/* What the walk back carries along. */
typedef struct RunTurn {
    const Outlook *outlook;
    const Stream *stream;
    uint32_t *block; /* page ids, then distances in elements */
    uint32_t *times; /* page references, then distances in virtual time; NULL: not wanted */
    uint64_t *next;  /* by page id: one more than the place of its next reference, 0: none */
    uint64_t *met;   /* by page id: page references of its process from its next one to the end, */
    uint64_t *after; /* by space: those behind the element */
    uint32_t pages, spaces;
    RunNotes notes;
} RunTurn;

/*
 * The distance in virtual time from the end of an element to the next one of its page. `weight`
 * is what run_scout_times() wrote.
 */
static uint32_t run_turn_time(RunTurn *turn, uint32_t page, uint32_t weight) {
    if (page == DIRECTORY_NO_PAGE) {
        turn->after[weight]++;
        return 0;
    }
    uint64_t *after = &turn->after[stream_charged(turn->stream, page)];
    uint64_t distance = turn->next[page] == 0 ? 0 : *after - turn->met[page] + 1;
    *after += (uint64_t)weight + 1;
    turn->met[page] = *after;
    return distance < UINT32_MAX ? (uint32_t)distance : UINT32_MAX;
}

/*
 * Replaces ids by distances in one block that begins at element `first`. A page that is given up
 * on the way has no next reference.
 */
static int run_turn_block(RunTurn *turn, size_t length, uint64_t first, Error *error) {
    uint32_t *block = turn->block;
    uint64_t *next = turn->next;
    RunNotes *notes = &turn->notes;
    for (size_t i = length; i-- > 0;) {
        uint32_t page = block[i];
        uint64_t place = first + i;
        while (VMM_UNLIKELY(notes->place > place)) {
            next[notes->notes[--notes->count].page] = 0;
            int status = run_next_note(notes, error);
            if (status != VMM_OK) {
                return status;
            }
        }
        if (turn->times != NULL) {
            turn->times[i] = run_turn_time(turn, page, turn->times[i]);
        }
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
static int run_turn_file_block(RunTurn *turn, uint64_t first, size_t length, Error *error) {
    uint64_t offset = first * sizeof *turn->block;
    size_t bytes = length * sizeof *turn->block;
    int status = spill_read(turn->outlook->file, offset, turn->block, bytes, error);
    if (status == VMM_OK && turn->times != NULL) {
        status = spill_read(turn->outlook->times, offset, turn->times, bytes, error);
    }
    if (status == VMM_OK) {
        status = run_turn_block(turn, length, first, error);
    }
    if (status == VMM_OK && turn->times != NULL) {
        status = spill_write(turn->outlook->times, offset, turn->times, bytes, error);
    }
    return status != VMM_OK ? status
                            : spill_write(turn->outlook->file, offset, turn->block, bytes, error);
}

/* Memory for the walk. False: there is not enough. */
static bool run_prepare_turn(RunTurn *turn, const Memory *memory) {
    turn->block = memory_zalloc(memory, RUN_BLOCK, sizeof *turn->block);
    turn->next = memory_zalloc(memory, turn->pages, sizeof *turn->next);
    if (turn->outlook->timed) {
        turn->times = memory_zalloc(memory, RUN_BLOCK, sizeof *turn->times);
        turn->met = memory_zalloc(memory, turn->pages, sizeof *turn->met);
        turn->after = memory_zalloc(memory, turn->spaces, sizeof *turn->after);
    }
    return turn->block != NULL && turn->next != NULL &&
           (!turn->outlook->timed ||
            (turn->times != NULL && turn->met != NULL && turn->after != NULL));
}

static void run_end_turn(RunTurn *turn, const Memory *memory) {
    memory_free(memory, turn->block, RUN_BLOCK, sizeof *turn->block);
    memory_free(memory, turn->times, RUN_BLOCK, sizeof *turn->times);
    memory_free(memory, turn->next, turn->pages, sizeof *turn->next);
    memory_free(memory, turn->met, turn->pages, sizeof *turn->met);
    memory_free(memory, turn->after, turn->spaces, sizeof *turn->after);
}

/* The way back through the file of page ids. */
static int run_turn(const Outlook *outlook, const Stream *stream, Error *error) {
    RunTurn turn = {.outlook = outlook,
                    .stream = stream,
                    .pages = stream_object_pages(stream),
                    .spaces = stream->directory.space_count,
                    .notes = {.outlook = outlook, .left = outlook->note_count}};
    int status = VMM_OK;
    if (!run_prepare_turn(&turn, &stream->memory)) {
        status = error_no_memory(error, turn.pages * sizeof *turn.next, "the future of each page");
    } else {
        status = run_next_note(&turn.notes, error);
        for (uint64_t end = outlook->count; status == VMM_OK && end > 0;) {
            size_t length = end < RUN_BLOCK ? (size_t)end : RUN_BLOCK;
            end -= length;
            status = run_turn_file_block(&turn, end, length, error);
        }
    }
    run_end_turn(&turn, &stream->memory);
    return status;
}

/* ---- Finishing batches ---------------------------------------------------------------------- */

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

/* One array of the batch from its file. */
static int run_read_array(const Stream *stream, int file, uint32_t **array, Error *error) {
    const Batch *batch = &stream->batch;
    if (*array == NULL) {
        *array = memory_zalloc(&stream->memory, batch->capacity, sizeof **array);
        if (*array == NULL) {
            return error_no_memory(error, batch->capacity * sizeof **array, "the future");
        }
    }
    return spill_read(file, batch->first * sizeof **array, *array, batch->count * sizeof **array,
                      error);
}

/* The distances that go with the batch. */
static int run_read_outlook(Stream *stream, const Outlook *outlook, Error *error) {
    Batch *batch = &stream->batch;
    if (outlook->file < 0 || batch->count == 0) {
        return VMM_OK;
    }
    if (batch->first + batch->count > outlook->count) {
        return error_set(error, VMM_E_READ,
                         "the trace changed between the two passes that the policy needs");
    }
    int status = run_read_array(stream, outlook->file, &batch->next, error);
    return status != VMM_OK || !outlook->timed
               ? status
               : run_read_array(stream, outlook->times, &batch->distance, error);
}

/* Gives the batch to the consumers. VMM_OK or an error. */
static int run_give_batch(RunPass *pass) {
    const Batch *batch = &pass->stream->batch;
    int status = VMM_OK;
    if (pass->outlook != NULL) {
        status = run_read_outlook(pass->stream, pass->outlook, pass->error);
    }
    pass->alive = 0;
    for (size_t i = 0; status == VMM_OK && i < pass->count; i++) {
        RunConsumer *consumer = &pass->consumers[i];
        if (consumer->status == VMM_OK) {
            consumer->status = consumer->batch(consumer->self, batch);
        }
        pass->alive += consumer->status == VMM_OK;
    }
    return status;
}

/* An event was applied: tells the consumers. */
static void run_tell_event(RunPass *pass, const VMMEvent *event) {
    for (size_t i = 0; i < pass->count; i++) {
        RunConsumer *consumer = &pass->consumers[i];
        if (consumer->status == VMM_OK) {
            consumer->status = consumer->event(consumer->self, event, &pass->stream->resolver);
        }
    }
}

/* The first invalid reference is told with the path of the file that is mapped nearby. */
static void run_name_file(const RunPass *pass) {
    VMMInvalid *invalid = &pass->stream->first_invalid;
    if (invalid->file != 0 && invalid->path[0] == '\0') {
        const VMMTraceFile *file = vmm_trace_file(pass->trace, invalid->file);
        invalid_set_path(invalid, file != NULL ? file->path : "");
    }
}

/* The batch is complete: gives it to the consumers, piece by piece where processes are killed.
   VMM_OK or an error. */
static int run_finish_batch(RunPass *pass) {
    bool killed = true;
    int status = VMM_OK;
    run_name_file(pass);
    while (status == VMM_OK && killed) {
        VMMEvent kill;
        status = run_give_batch(pass);
        killed = false;
        if (status == VMM_OK && pass->alive > 0) {
            status = stream_end_batch(pass->stream, &kill, &killed, pass->error);
        }
        if (status == VMM_OK && killed) {
            run_tell_event(pass, &kill);
            status = stream_take_tail(pass->stream, pass->error);
        }
    }
    return status;
}

/* Whether a file of the trace is none of a device: System V and POSIX segments, memfd_create(2). */
static bool run_is_shared_memory(const VMMTrace *trace, uint32_t number) {
    static const char *const places[] = {"/SYSV", "/dev/shm/", "/memfd:", "/dev/zero"};
    const VMMTraceFile *file = number == 0 ? NULL : vmm_trace_file(trace, number);
    for (size_t i = 0; file != NULL && i < VMM_COUNT_OF(places); i++) {
        if (strncmp(file->path, places[i], strlen(places[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* What an event brings into memory at once, the kernel touches. */
static int run_populate(RunPass *pass, uint32_t pid) {
    uint64_t address = pass->stream->resolver.populate.start;
    bool more = true;
    int status = VMM_OK;
    while (status == VMM_OK && more) {
        status = stream_populate(pass->stream, pid, &address, &more, pass->error);
        if (status == VMM_OK && more) {
            status = run_finish_batch(pass);
        }
    }
    return status;
}

/* An event of the trace. What it makes necessary may fail: the pass then ends behind the call. */
static void run_on_event(void *user, const VMMEvent *event) {
    RunPass *pass = user;
    Stream *stream = pass->stream;
    if (pass->status != VMM_OK) {
        return;
    }
    if (stream->references >= stream->max_references) { /* it comes too late */
        stream->taking.ended = true;
        return;
    }
    if (!resolver_counts(event)) {
        return;
    }
    pass->status = run_finish_batch(pass);
    if (pass->alive == 0) { /* nobody is there any more to whom it would happen */
        return;
    }
    stream_next_batch(stream);
    if (resolver_drops(&stream->resolver, event)) {
        stream->any = false; /* its number may be free now */
        return;
    }
    if (pass->status == VMM_OK) {
        bool is_shared_memory = run_is_shared_memory(pass->trace, event->file);
        pass->status = stream_apply(stream, event, is_shared_memory, pass->error);
    }
    if (pass->status == VMM_OK) {
        run_tell_event(pass, event);
        pass->status = run_populate(pass, event->pid);
    }
}

/* ---- Consumers ------------------------------------------------------------------------------ */

static int run_machine_batch(void *self, const Batch *batch) {
    return engine_consume(self, batch);
}

static int run_machine_event(void *self, const VMMEvent *event, const Resolver *resolver) {
    return machine_apply(self, resolver, event);
}

RunConsumer run_machine(Machine *machine) {
    return (RunConsumer){machine, run_machine_batch, run_machine_event, machine->status};
}

/* What the first pass is for: all page ids into a file, discarded pages into another. */
typedef struct RunScout {
    Outlook *outlook;
    const Stream *stream;
    RunNote notes[RUN_NOTES]; /* not yet written */
    size_t note_count;
    Error *error;
    int status;
} RunScout;

static int run_write_notes(RunScout *scout) {
    Outlook *outlook = scout->outlook;
    if (scout->note_count == 0) {
        return VMM_OK;
    }
    if (outlook->notes < 0) {
        outlook->notes = spill_open(scout->error);
        if (outlook->notes < 0) {
            return scout->error->code;
        }
    }
    int status = spill_write(outlook->notes, outlook->note_count * sizeof *scout->notes,
                             scout->notes, scout->note_count * sizeof *scout->notes, scout->error);
    outlook->note_count += scout->note_count;
    scout->note_count = 0;
    return status;
}

/*
 * For distances in virtual time: of each element how many page references follow its first one, or
 * where there is no page the process.
 */
static int run_scout_times(const RunScout *scout, const Batch *batch) {
    uint32_t weights[RUN_WEIGHTS];
    const uint32_t *invalid = batch->invalid;
    int status = VMM_OK;
    for (size_t done = 0; status == VMM_OK && done < batch->count;) {
        size_t count = batch->count - done < RUN_WEIGHTS ? batch->count - done : RUN_WEIGHTS;
        for (size_t i = 0; i < count; i++) {
            bool valid = batch->page[done + i] != DIRECTORY_NO_PAGE;
            weights[i] = valid ? batch_repeat(batch, done + i) : *invalid++;
        }
        status = spill_write(scout->outlook->times, (batch->first + done) * sizeof *weights,
                             weights, count * sizeof *weights, scout->error);
        done += count;
    }
    return status;
}

static int run_scout_batch(void *self, const Batch *batch) {
    RunScout *scout = self;
    int status = spill_write(scout->outlook->file, batch->first * sizeof *batch->object,
                             batch->object, batch->count * sizeof *batch->page, scout->error);
    return status != VMM_OK || !scout->outlook->timed ? status : run_scout_times(scout, batch);
}

/* A page is given up. */
static void run_note(RunScout *scout, uint32_t page) {
    if (scout->note_count == RUN_NOTES && scout->status == VMM_OK) {
        scout->status = run_write_notes(scout);
    }
    if (scout->status == VMM_OK) {
        scout->notes[scout->note_count++] = (RunNote){.place = scout->stream->places, .page = page};
    }
}

static int run_scout_event(void *self, const VMMEvent *event, const Resolver *resolver) {
    RunScout *scout = self;
    (void)event;
    for (uint32_t i = 0; i < resolver->op_count; i++) {
        if (resolver->ops[i].type == RESOLVE_DROP) {
            run_note(scout, resolver->ops[i].object);
        }
    }
    return scout->status;
}

/* ---- Passes --------------------------------------------------------------------------------- */

/* Whether all mappings are known, if the configuration leaves that to the trace. */
static void run_settle_mappings(RunPass *pass) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(pass->trace, &info);
    if (pass->stream->mappings == MAPPINGS_AUTO) {
        pass->stream->resolver.strict = info.mappings_complete != 0;
    }
}

/* How many references there will have been when the watch wants to be called next. */
static uint64_t run_next_boundary(const RunWatch *watch, const Stream *stream) {
    return watch->every == 0 ? UINT64_MAX : (stream->references / watch->every + 1) * watch->every;
}

/* From the first reference to the last, or to an error. */
static int run_pass(RunPass *pass, RunWatch *watch) {
    const Stream *stream = pass->stream;
    int status;
    pass->by_runs = vmm_trace_has_runs(pass->trace);
    run_settle_mappings(pass);
    pass->alive = pass->count;
    vmm_trace_on_event(pass->trace, run_on_event, pass);
    do {
        pass->boundary = run_next_boundary(watch, stream);
        int filled = run_fill_batch(pass); /* what was read before a bad record is simulated */
        status = pass->status != VMM_OK ? pass->status : run_finish_batch(pass);
        status = filled != VMM_OK ? filled : status;
        if (status == VMM_OK) {
            status = stream->references >= pass->boundary
                         ? run_call_watch(watch, stream, pass->trace, pass->error)
                         : run_report_progress(watch, stream, pass->trace, pass->error);
        }
    } while (status == VMM_OK && pass->alive > 0 && !pass->ended && !stream_is_done(stream));
    vmm_trace_on_event(pass->trace, NULL, NULL);
    pass->stream->taking.any = false; /* what comes by hand now are references */
    return status;
}

/* The first pass, through a fresh stream. */
static int run_collect_outlook(Stream *stream, VMMTrace *trace, RunWatch *watch, Outlook *outlook,
                               Error *error) {
    outlook->file = spill_open(error);
    if (outlook->file >= 0 && outlook->timed) {
        outlook->times = spill_open(error);
    }
    if (outlook->file < 0 || (outlook->timed && outlook->times < 0)) {
        return error->code;
    }
    RunScout scout = {.outlook = outlook, .stream = stream, .error = error};
    RunConsumer consumer = {&scout, run_scout_batch, run_scout_event, VMM_OK};
    RunPass pass = {
        .stream = stream, .trace = trace, .consumers = &consumer, .count = 1, .error = error};
    int status = run_pass(&pass, watch);
    status = status == VMM_E_INVALID_ADDRESS ? VMM_OK : status; /* the next pass ends there, too */
    status = status != VMM_OK ? status : consumer.status;
    if (status == VMM_OK) {
        status = run_write_notes(&scout);
    }
    outlook->count = stream->places;
    run_identify(trace, &outlook->fingerprint, &outlook->references);
    return status != VMM_OK ? status : run_turn(outlook, stream, error);
}

int run_look_ahead(const Settings *settings, unsigned address_bits, const Memory *memory,
                   VMMTrace *trace, RunWatch *watch, Outlook *outlook, Error *error) {
    Stream *stream;
    int status = stream_create(settings, address_bits, memory, RUN_BATCH_ALONE, &stream, error);
    if (status != VMM_OK) {
        return status;
    }
    status = vmm_trace_keep(trace);
    if (status != VMM_OK) {
        error_set(error, status, "%s", vmm_trace_error_text(trace));
    } else {
        status = run_collect_outlook(stream, trace, watch, outlook, error);
    }
    stream_release(stream);
    if (status == VMM_OK) {
        status = vmm_trace_rewind(trace);
        if (status != VMM_OK) {
            error_set(error, status, "%s", vmm_trace_error_text(trace));
        }
    }
    watch->next_call = 0;
    watch->progress.pass++;
    return status;
}

void run_free_outlook(Outlook *outlook) {
    if (outlook->file >= 0) {
        close(outlook->file);
    }
    if (outlook->notes >= 0) {
        close(outlook->notes);
    }
    if (outlook->times >= 0) {
        close(outlook->times);
    }
}

int run_check_page_size(const Settings *settings, const VMMTrace *trace, Error *error) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    if (info.page_size <= settings->page_size) {
        return VMM_OK;
    }
    return error_set(
        error, VMM_E_CONFIG,
        "the trace knows addresses by pages of %llu bytes only: a page-size of %llu is "
        "too small",
        (unsigned long long)info.page_size, (unsigned long long)settings->page_size);
}

int run_simulate(RunConsumer *consumers, size_t count, Stream *stream, Outlook *outlook,
                 VMMTrace *trace, RunWatch *watch, Error *error) {
    RunPass pass = {.stream = stream,
                    .trace = trace,
                    .outlook = outlook,
                    .consumers = consumers,
                    .count = count,
                    .error = error};
    int status = run_pass(&pass, watch);
    if (status == VMM_E_INVALID_ADDRESS) {
        return status; /* the watch has nothing to say to that */
    }
    if (status == VMM_OK && pass.alive > 0) {
        status = run_check_outlook(outlook, trace, error);
    }
    /* The last word: an end of the input may be that of a producer that was interrupted too. */
    return status != VMM_OK ? status : run_call_watch(watch, stream, trace, error);
}
