/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace merge: several traces as one, as if their programs had run side by side.
 *
 * Each input has a piece at hand: the events up to some references, and these. The next piece comes
 * from the input that is behind in time, if all know their time, else from each in turn, a quantum
 * of references each. An input stays until another one is behind it.
 *
 * Processes that have the same number in two inputs are two processes: the one met later gets a
 * number of its own, from 1000000.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_cmd.h"

enum { MERGE_QUANTUM = 10000, MERGE_PIECE = 4096, MERGE_FIRST_NEW_PID = 1000000 };

typedef struct MergeFlags {
    TraceCommon common;
    TraceTarget target;
    const char *quantum;
} MergeFlags;

static const CliFlag merge_flags[] = {
    {"output", NULL, 'o', "FILE", NULL, "Output", "the trace to write; - is standard output",
     offsetof(MergeFlags, target.path)},
    TRACE_TARGET_FLAGS(MergeFlags),
    {"quantum", NULL, 0, "N", NULL, "Order",
     "take N references of each input in turn; default: by time if all inputs know it, else 10000",
     offsetof(MergeFlags, quantum)},
    TRACE_COMMON_FLAGS(MergeFlags),
    TRACE_FLAGS_END,
};

typedef struct MergePid {
    uint32_t here, there; /* in the input, in the output */
} MergePid;

typedef struct MergeInput {
    TraceReading input;
    MergePid *pids;
    size_t pid_count, last_pid;
    VMMEvent *events; /* of the piece, in front of its references */
    size_t event_count, event_room;
    VMMRef refs[MERGE_PIECE];
    size_t ref_count;
    uint64_t time; /* of the piece */
    bool ended;
} MergeInput;

typedef struct MergeRun {
    MergeInput *inputs;
    size_t count;
    TraceOutput output;
    CliProgress progress; /* of all inputs together */
    uint64_t quantum;     /* 0: by time */
    uint32_t next_pid;
    size_t renamed;
} MergeRun;

/* ---- Processes ------------------------------------------------------------------------------ */

static bool merge_is_taken(const MergeRun *run, uint32_t pid) {
    for (size_t i = 0; i < run->count; i++) {
        for (size_t j = 0; j < run->inputs[i].pid_count; j++) {
            if (run->inputs[i].pids[j].there == pid) {
                return true;
            }
        }
    }
    return false;
}

static uint32_t merge_new_pid(MergeRun *run, MergeInput *from, uint32_t pid) {
    uint32_t there = pid;
    if (merge_is_taken(run, pid)) {
        while (merge_is_taken(run, run->next_pid)) {
            run->next_pid++;
        }
        there = run->next_pid++;
        cli_warning("process %" PRIu32 " of %s is another one than that of an input before it: it "
                    "becomes process %" PRIu32,
                    pid, from->input.path, there);
    }
    from->pids = cli_realloc(from->pids, from->pid_count + 1, sizeof *from->pids);
    from->pids[from->pid_count] = (MergePid){pid, there};
    from->last_pid = from->pid_count++;
    return there;
}

static uint32_t merge_pid(MergeRun *run, MergeInput *from, uint32_t pid) {
    if (from->last_pid < from->pid_count && from->pids[from->last_pid].here == pid) {
        return from->pids[from->last_pid].there;
    }
    for (size_t i = 0; i < from->pid_count; i++) {
        if (from->pids[i].here == pid) {
            from->last_pid = i;
            return from->pids[i].there;
        }
    }
    return merge_new_pid(run, from, pid);
}

/* ---- Pieces --------------------------------------------------------------------------------- */

static int merge_take_refs(void *user, const VMMRef *refs, size_t count) {
    MergeInput *from = user;
    memcpy(from->refs, refs, count * sizeof *refs);
    from->ref_count = count;
    return CLI_GO_ON;
}

static int merge_take_event(void *user, const VMMEvent *event) {
    MergeInput *from = user;
    if (from->event_count == from->event_room) {
        from->event_room = from->event_room * 2 + 16;
        from->events = cli_realloc(from->events, from->event_room, sizeof *from->events);
    }
    from->events[from->event_count++] = *event;
    return CLI_GO_ON;
}

/* The next piece of an input. CLI_GO_ON, also when it ended, or the status of a failure. */
static int merge_fetch(MergeInput *from, size_t room) {
    TraceVisit visit = {merge_take_refs, merge_take_event, from};
    from->ref_count = from->event_count = 0;
    int status = tracecmd_visit_some(&from->input, &visit, room);
    from->time = from->input.time_ns;
    from->ended = status == CLI_OK;
    return from->ended ? CLI_GO_ON : status;
}

static int merge_write_events(MergeRun *run, MergeInput *from) {
    int status = CLI_GO_ON;
    for (size_t i = 0; i < from->event_count && status == CLI_GO_ON; i++) {
        VMMEvent event = from->events[i];
        bool names_process =
            event.type == VMM_EVENT_FORK || (event.type == VMM_EVENT_START && event.value != 0);
        event.pid = merge_pid(run, from, event.pid);
        if (names_process) {
            event.value = merge_pid(run, from, (uint32_t)event.value);
        }
        status = tracecmd_write_event(&run->output, &from->input, &event);
    }
    return status;
}

static void merge_show_progress(MergeRun *run) {
    VMMProgress now = {.pass = 1, .passes = 1};
    bool known = true;
    for (size_t i = 0; run->progress.on_terminal && i < run->count; i++) {
        VMMTraceInfo info = tracecmd_info_of(&run->inputs[i].input);
        now.references += info.references;
        now.bytes_read += info.bytes_read;
        now.bytes_total += info.bytes_total;
        known = known && info.bytes_total > 0;
    }
    now.bytes_total = known ? now.bytes_total : 0;
    (void)cli_progress_step(&run->progress, &now); /* Ctrl-C is seen where an input is read */
}

static int merge_write(MergeRun *run, MergeInput *from) {
    int status = merge_write_events(run, from);
    merge_show_progress(run);
    for (size_t i = 0; i < from->ref_count; i++) {
        from->refs[i].pid = merge_pid(run, from, from->refs[i].pid);
    }
    if (status == CLI_GO_ON && run->quantum == 0) {
        status = tracecmd_write_time(&run->output, from->time);
    }
    return status == CLI_GO_ON && from->ref_count > 0
               ? tracecmd_write(&run->output, from->refs, from->ref_count)
               : status;
}

/* ---- Order ---------------------------------------------------------------------------------- */

/* The input that is behind in time; NULL: all have ended. The current one, if none is behind it. */
static MergeInput *merge_earliest(MergeRun *run, MergeInput *current) {
    MergeInput *earliest = current != NULL && !current->ended ? current : NULL;
    for (size_t i = 0; i < run->count; i++) {
        MergeInput *input = &run->inputs[i];
        if (!input->ended && (earliest == NULL || input->time < earliest->time)) {
            earliest = input;
        }
    }
    return earliest;
}

/* The first piece of each is at hand. */
static int merge_by_time(MergeRun *run) {
    int status = CLI_GO_ON;
    MergeInput *from = NULL;
    while (status == CLI_GO_ON && (from = merge_earliest(run, from)) != NULL) {
        status = merge_write(run, from);
        if (status == CLI_GO_ON) {
            status = merge_fetch(from, MERGE_PIECE);
        }
        if (status == CLI_GO_ON && from->ended) { /* what stood behind its last reference */
            status = merge_write(run, from);
        }
    }
    return status == CLI_GO_ON ? CLI_OK : status;
}

/* One quantum of one input; its first piece is at hand. */
static int merge_turn(MergeRun *run, MergeInput *from) {
    uint64_t left = run->quantum;
    int status = CLI_GO_ON;
    while (status == CLI_GO_ON && left > 0 && (!from->ended || from->event_count > 0)) {
        if (from->ref_count == 0 && !from->ended) {
            status = merge_fetch(from, left < MERGE_PIECE ? (size_t)left : MERGE_PIECE);
        }
        uint64_t taken = from->ref_count;
        if (status == CLI_GO_ON) {
            status = merge_write(run, from);
        }
        from->ref_count = from->event_count = 0;
        left -= taken < left ? taken : left;
    }
    return status;
}

static int merge_in_turn(MergeRun *run) {
    int status = CLI_GO_ON;
    size_t alive = run->count;
    while (status == CLI_GO_ON && alive > 0) {
        alive = 0;
        for (size_t i = 0; i < run->count && status == CLI_GO_ON; i++) {
            status = merge_turn(run, &run->inputs[i]);
            alive += !run->inputs[i].ended;
        }
    }
    return status == CLI_GO_ON ? CLI_OK : status;
}

/* Do all inputs say when their references were made? Their first pieces are at hand. */
static bool merge_knows_time(const MergeRun *run) {
    for (size_t i = 0; i < run->count; i++) {
        if (run->inputs[i].time == 0) {
            return false;
        }
    }
    return true;
}

static int merge_all(MergeRun *run) {
    int status = CLI_GO_ON;
    size_t first = run->quantum != 0 && run->quantum < MERGE_PIECE ? (size_t)run->quantum : 1;
    for (size_t i = 0; i < run->count && status == CLI_GO_ON; i++) {
        status = merge_fetch(&run->inputs[i], first);
    }
    if (status != CLI_GO_ON) {
        return status;
    }
    if (run->quantum == 0 && merge_knows_time(run)) {
        return merge_by_time(run);
    }
    if (run->quantum == 0) {
        run->quantum = MERGE_QUANTUM;
        cli_warning("not all inputs say when their references were made: %u of each are taken in "
                    "turn (--quantum)",
                    MERGE_QUANTUM);
    }
    return merge_in_turn(run);
}

/* ---- The verb ------------------------------------------------------------------------------- */

static int merge_open(const CliCommand *verb, MergeRun *run, const MergeFlags *flags,
                      char *const *paths) {
    int status = CLI_OK;
    for (size_t i = 0; i < run->count && status == CLI_OK; i++) {
        TraceReading *input = &run->inputs[i].input;
        status = tracecmd_open_input(verb, input, &flags->common, paths[i]);
        input->progress.on_terminal = false;
        if (status == CLI_OK && tracecmd_info_of(input).reduction != 0) {
            cli_error("%s is a reduced trace, which is exact only alone; merge the originals, then "
                      "reduce",
                      paths[i]);
            status = CLI_FAILURE;
        }
    }
    return status;
}

/* What the output says of itself: complete mappings and exact addresses only if all have them. */
static VMMTraceWriterOptions merge_options(const MergeRun *run, size_t *coarsest) {
    uint64_t largest = 0;
    *coarsest = 0;
    for (size_t i = 0; i < run->count; i++) {
        uint64_t size = tracecmd_info_of(&run->inputs[i].input).page_size;
        if (size > largest) {
            largest = size;
            *coarsest = i;
        }
    }
    VMMTraceWriterOptions options = tracecmd_options(&run->inputs[*coarsest].input);
    for (size_t i = 0; i < run->count; i++) {
        options.mappings_complete &= tracecmd_info_of(&run->inputs[i].input).mappings_complete;
    }
    return options;
}

static int merge_copy(const CliCommand *verb, MergeRun *run, const MergeFlags *flags) {
    size_t coarsest;
    VMMTraceWriterOptions options = merge_options(run, &coarsest);
    char *note = cli_format("merged from %zu traces", run->count);
    options.note = note;
    int status = tracecmd_open_output(verb, &run->output, &flags->target,
                                      &run->inputs[coarsest].input, &options);
    free(note);
    if (status == CLI_OK) {
        cli_progress_init(&run->progress, !flags->common.quiet, 0);
        cli_catch_interrupt();
        status = merge_all(run);
        cli_release_interrupt();
        cli_progress_end(&run->progress);
    }
    for (size_t i = 0; i < run->count; i++) {
        VMMTraceInfo info = tracecmd_info_of(&run->inputs[i].input);
        info.pauses = 0;
        cli_warn_losses(run->inputs[i].input.trace, &info);
    }
    return tracecmd_close_output(&run->output, status);
}

static int merge_parse(const CliCommand *verb, MergeRun *run, const MergeFlags *flags,
                       const CliArguments *arguments) {
    if (flags->target.path == NULL) {
        return cli_usage_error(verb->name, "say where the merged trace goes: -o OUT");
    }
    if (flags->quantum != NULL) {
        if (tracecmd_count(verb, "--quantum", flags->quantum, &run->quantum) != 0) {
            return CLI_FAILURE;
        }
        if (run->quantum == 0) {
            return cli_usage_error(verb->name, "--quantum: found 0, expected at least 1");
        }
    }
    return tracecmd_check_names((const char *const *)arguments->words, arguments->word_count,
                                flags->target.path);
}

static void merge_close(MergeRun *run) {
    for (size_t i = 0; i < run->count; i++) {
        free(run->inputs[i].pids);
        free(run->inputs[i].events);
        tracecmd_close_input(&run->inputs[i].input);
    }
    free(run->inputs);
}

static int merge_run(const CliCommand *verb, int argc, char **argv) {
    MergeFlags flags = {0};
    CliArguments arguments;
    MergeRun run = {.next_pid = MERGE_FIRST_NEW_PID};
    int status = tracecmd_start(verb, argc, argv, &flags, &flags.common, &arguments, 2,
                                (size_t)argc + 1, "IN IN... -o OUT");
    if (status == CLI_GO_ON) {
        status = merge_parse(verb, &run, &flags, &arguments);
        run.count = arguments.word_count;
        run.inputs = cli_alloc(run.count, sizeof *run.inputs);
        if (status == CLI_OK) {
            status = merge_open(verb, &run, &flags, arguments.words);
        }
        if (status == CLI_OK) {
            status = merge_copy(verb, &run, &flags);
        }
        merge_close(&run);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand tracecmd_merge = {
    .name = "trace merge",
    .summary = "make one trace of several, as if their programs ran side by side",
    .synopsis = "IN IN... -o OUT [flags]",
    .story = "Writes the references and events of all inputs in the order of their times, if all "
             "inputs are .vmt that know them, else a quantum of each in turn. Processes of two "
             "inputs that have the same number stay two: one gets a new number, and that is told.",
    .examples = "vmm trace merge server.vmt client.vmt -o both.vmt\n"
                "vmm trace merge a.trace b.trace --quantum 5000 -o ab.trace",
    .flags = merge_flags,
    .takes_words = true,
    .run = merge_run,
};
