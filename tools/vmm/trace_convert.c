/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace convert, cut and reduce: one input, one output, and what happens to a reference on the
 * way between them.
 *
 *     convert   nothing
 *     cut       it stays if it is in the range of references or of time, and of a process asked for
 *     reduce    it stays if an LRU memory of k frames could miss it (vmm/reduce.h)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_cmd.h"

/* ---- convert -------------------------------------------------------------------------------- */

typedef struct ConvertFlags {
    TraceCommon common;
    TraceTarget target;
} ConvertFlags;

static const CliFlag convert_flags[] = {
    TRACE_COMMON_FLAGS(ConvertFlags),
    TRACE_TARGET_FLAGS(ConvertFlags),
    TRACE_FLAGS_END,
};

/* An input on its way into an output. */
typedef struct TraceCopy {
    TraceReading input;
    TraceOutput output;
} TraceCopy;

/* The input, once it is sure that the output is another file. */
static int copy_open(const CliCommand *verb, TraceCopy *copy, const TraceCommon *common,
                     const char *input, const char *output) {
    int status = tracecmd_check_names(&input, 1, output);
    return status == CLI_OK ? tracecmd_open_input(verb, &copy->input, common, input) : status;
}

static int convert_refs(void *user, const VMMRef *refs, size_t count) {
    TraceCopy *copy = user;
    int status = tracecmd_write_time(&copy->output, copy->input.time_ns);
    return status == CLI_GO_ON ? tracecmd_write(&copy->output, refs, count) : status;
}

static int convert_event(void *user, const VMMEvent *event) {
    TraceCopy *copy = user;
    return tracecmd_write_event(&copy->output, &copy->input, event);
}

static int convert_copy(const CliCommand *verb, TraceCopy *copy, const TraceTarget *target) {
    VMMTraceWriterOptions options = tracecmd_options(&copy->input);
    TraceVisit visit = {convert_refs, convert_event, copy};
    int status = tracecmd_open_output(verb, &copy->output, target, &copy->input, &options);
    if (status == CLI_OK) {
        status = tracecmd_visit(&copy->input, &visit);
    }
    return tracecmd_close_output(&copy->output, status);
}

static int convert_run(const CliCommand *verb, int argc, char **argv) {
    ConvertFlags flags = {0};
    CliArguments arguments;
    TraceCopy copy = {.input = {0}};
    int status =
        tracecmd_start(verb, argc, argv, &flags, &flags.common, &arguments, 2, 2, "IN OUT");
    if (status == CLI_GO_ON) {
        flags.target.path = arguments.words[1];
        status = copy_open(verb, &copy, &flags.common, arguments.words[0], flags.target.path);
        if (status == CLI_OK) {
            status = convert_copy(verb, &copy, &flags.target);
        }
        tracecmd_close_input(&copy.input);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand tracecmd_convert = {
    .name = "trace convert",
    .summary = "write a trace in another format",
    .synopsis = "IN OUT [flags]",
    .story = "Reads a trace in any format that vmm knows and writes it in the one that the name of "
             "OUT ends in, or --to says: .vmt; .trace or .txt, the native text; .din, Dinero; "
             ".pages, a list of page numbers; .champsim; .oracleGeneral, libCacheSim. What the "
             "output cannot hold is refused, or told with its count. A - is standard input or "
             "output.",
    .examples = "vmm trace convert app.lackey.gz app.vmt\n"
                "vmm trace convert app.vmt app.oracleGeneral\n"
                "vmm trace convert app.vmt - --to native | xz > app.trace.xz",
    .flags = convert_flags,
    .takes_words = true,
    .run = convert_run,
};

/* ---- cut ------------------------------------------------------------------------------------ */

typedef struct CutFlags {
    TraceCommon common;
    TraceTarget target;
    const char *refs, *pids, *time;
} CutFlags;

static const CliFlag cut_flags[] = {
    {"output", NULL, 'o', "FILE", NULL, "Output", "the trace to write; - is standard output",
     offsetof(CutFlags, target.path)},
    TRACE_TARGET_FLAGS(CutFlags),
    {"refs", NULL, 0, "FROM:TO", NULL, "What stays",
     "references FROM up to, but without, TO, counted from 0; either may be left out",
     offsetof(CutFlags, refs)},
    {"pid", NULL, 0, "P,P...", NULL, "What stays", "references of these processes",
     offsetof(CutFlags, pids)},
    {"time", NULL, 0, "FROM:TO", NULL, "What stays",
     "what happened from FROM to TO seconds after the beginning; only of a .vmt that knows its "
     "time",
     offsetof(CutFlags, time)},
    TRACE_COMMON_FLAGS(CutFlags),
    TRACE_FLAGS_END,
};

typedef struct CutRun {
    TraceCopy copy;
    uint64_t from, to;           /* references */
    uint64_t from_time, to_time; /* nanoseconds; 0, UINT64_MAX: no limit */
    uint64_t start_time;         /* the first that was met; 0: none yet */
    uint32_t *pids;
    size_t pid_count;
    uint64_t seen;
    VMMRef kept[256];
} CutRun;

/* ---- cut: what is asked for ----------------------------------------------------------------- */

/* The two sides of FROM:TO as texts, NULL where nothing stands. free(*copy). False: no colon. */
static bool cut_split(const char *range, char **copy, const char **from, const char **to) {
    *copy = cli_copy(range, strlen(range));
    char *colon = strchr(*copy, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    *from = **copy != '\0' ? *copy : NULL;
    *to = colon[1] != '\0' ? colon + 1 : NULL;
    return true;
}

static int cut_parse_refs(const CliCommand *verb, const char *range, CutRun *run) {
    char *copy;
    const char *from = NULL, *to = NULL;
    int status = CLI_OK;
    if (!cut_split(range, &copy, &from, &to)) {
        status = cli_usage_error(verb->name, "--refs: found \"%s\", expected FROM:TO", range);
    } else if ((from != NULL && tracecmd_count(verb, "--refs", from, &run->from) != 0) ||
               (to != NULL && tracecmd_count(verb, "--refs", to, &run->to) != 0)) {
        status = CLI_FAILURE;
    } else if (run->from >= run->to) {
        status =
            cli_usage_error(verb->name, "--refs %s holds nothing: FROM is not below TO", range);
    }
    free(copy);
    return status;
}

/* Seconds as nanoseconds; false: not a number of seconds. */
static bool cut_seconds(const char *text, uint64_t *nanoseconds) {
    char *end;
    double seconds = strtod(text, &end);
    if (*end != '\0' || !(seconds >= 0.0) || seconds > 1e9) {
        return false;
    }
    *nanoseconds = (uint64_t)(seconds * 1e9);
    return true;
}

static int cut_parse_time(const CliCommand *verb, const char *range, CutRun *run) {
    char *copy;
    const char *from = NULL, *to = NULL;
    bool good = cut_split(range, &copy, &from, &to) &&
                (from == NULL || cut_seconds(from, &run->from_time)) &&
                (to == NULL || cut_seconds(to, &run->to_time));
    free(copy);
    if (!good) {
        return cli_usage_error(
            verb->name, "--time: found \"%s\", expected FROM:TO in seconds, such as 0.5:2", range);
    }
    return run->from_time < run->to_time
               ? CLI_OK
               : cli_usage_error(verb->name, "--time %s holds nothing: FROM is not below TO",
                                 range);
}

static int cut_parse_pids(const CliCommand *verb, const char *list, CutRun *run) {
    run->pids = cli_alloc(strlen(list), sizeof *run->pids);
    for (const char *at = list;; at++) {
        char *end;
        unsigned long long pid = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : UINT64_MAX;
        if (pid > UINT32_MAX || (*end != '\0' && *end != ',')) {
            return cli_usage_error(verb->name,
                                   "--pid: found \"%s\", expected process numbers separated by "
                                   "commas",
                                   list);
        }
        run->pids[run->pid_count++] = (uint32_t)pid;
        if (*end == '\0') {
            return CLI_OK;
        }
        at = end;
    }
}

static int cut_parse(const CliCommand *verb, const CutFlags *flags, CutRun *run) {
    int status = CLI_OK;
    if (flags->target.path == NULL) {
        return cli_usage_error(verb->name, "say where the cut goes: -o OUT");
    }
    if (flags->refs == NULL && flags->pids == NULL && flags->time == NULL) {
        return cli_usage_error(verb->name, "say what stays: --refs, --pid or --time");
    }
    run->to = run->to_time = UINT64_MAX;
    if (flags->refs != NULL) {
        status = cut_parse_refs(verb, flags->refs, run);
    }
    if (status == CLI_OK && flags->pids != NULL) {
        status = cut_parse_pids(verb, flags->pids, run);
    }
    if (status == CLI_OK && flags->time != NULL) {
        status = cut_parse_time(verb, flags->time, run);
    }
    return status;
}

/* ---- cut: the visit ------------------------------------------------------------------------- */

static bool cut_by_time(const CutRun *run) {
    return run->from_time != 0 || run->to_time != UINT64_MAX;
}

static bool cut_keeps_pid(const CutRun *run, uint32_t pid) {
    for (size_t i = 0; i < run->pid_count; i++) {
        if (run->pids[i] == pid) {
            return true;
        }
    }
    return run->pid_count == 0;
}

/* Where a time lies: before the cut -1, in it 0, behind it 1. A time of 0 is not known. */
static int cut_place_of_time(CutRun *run, uint64_t time) {
    if (!cut_by_time(run) || time == 0) {
        return 0;
    }
    if (run->start_time == 0) {
        run->start_time = time;
    }
    uint64_t since = time > run->start_time ? time - run->start_time : 0;
    return since < run->from_time ? -1 : since >= run->to_time ? 1 : 0;
}

static int cut_refs(void *user, const VMMRef *refs, size_t count) {
    CutRun *run = user;
    int place = cut_place_of_time(run, run->copy.input.time_ns);
    size_t kept = 0;
    int status =
        place > 0 ? CLI_OK : tracecmd_write_time(&run->copy.output, run->copy.input.time_ns);
    for (size_t i = 0; i < count && status == CLI_GO_ON; i++, run->seen++) {
        if (run->seen >= run->to) {
            status = CLI_OK;
        } else if (place == 0 && run->seen >= run->from && cut_keeps_pid(run, refs[i].pid)) {
            run->kept[kept++] = refs[i];
        }
        if (kept == sizeof run->kept / sizeof run->kept[0]) {
            int written = tracecmd_write(&run->copy.output, run->kept, kept);
            status = written != CLI_GO_ON ? written : status;
            kept = 0;
        }
    }
    int written = kept > 0 ? tracecmd_write(&run->copy.output, run->kept, kept) : CLI_GO_ON;
    return written != CLI_GO_ON ? written : status;
}

/* What belongs to its place alone, and has no meaning in front of the cut. */
static bool cut_is_local(uint32_t type) {
    return type == VMM_EVENT_MARK || type == VMM_EVENT_PAUSE || type == VMM_EVENT_RESUME ||
           type == VMM_EVENT_LOST;
}

/*
 * Events in front of the cut stay, and those of other processes too: they make the mappings that
 * the cut begins with, and a fork hands them down.
 */
static int cut_event(void *user, const VMMEvent *event) {
    CutRun *run = user;
    int place = cut_place_of_time(run, event->time_ns);
    if (place > 0 || run->seen >= run->to) {
        return CLI_OK;
    }
    if ((place < 0 || run->seen < run->from) && cut_is_local(event->type)) {
        return CLI_GO_ON;
    }
    return tracecmd_write_event(&run->copy.output, &run->copy.input, event);
}

static int cut_check(const CutRun *run) {
    const TraceReading *input = &run->copy.input;
    if (cut_by_time(run) && input->header == NULL) {
        cli_error("%s is no .vmt and knows no time: cut it by --refs", input->path);
        return CLI_FAILURE;
    }
    bool by_place = run->from != 0 || run->to != UINT64_MAX || cut_by_time(run);
    if (by_place && tracecmd_info_of(input).reduction != 0) {
        cli_error("%s is a reduced trace: what was dropped in a part of it may stand for something "
                  "outside; cut the original, then reduce",
                  input->path);
        return CLI_FAILURE;
    }
    return CLI_OK;
}

static int cut_copy(const CliCommand *verb, CutRun *run, const TraceTarget *target) {
    VMMTraceWriterOptions options = tracecmd_options(&run->copy.input);
    TraceVisit visit = {cut_refs, cut_event, run};
    int status = cut_check(run);
    if (status == CLI_OK) {
        status = tracecmd_open_output(verb, &run->copy.output, target, &run->copy.input, &options);
    }
    if (status == CLI_OK) {
        status = tracecmd_visit(&run->copy.input, &visit);
    }
    if (status == CLI_OK && cut_by_time(run) && run->start_time == 0) {
        cli_error("%s does not say when its references were made: cut it by --refs",
                  run->copy.input.path);
        status = CLI_FAILURE;
    }
    return tracecmd_close_output(&run->copy.output, status);
}

static int cut_run(const CliCommand *verb, int argc, char **argv) {
    CutFlags flags = {0};
    CliArguments arguments;
    CutRun run = {.copy = {.input = {0}}};
    int status =
        tracecmd_start(verb, argc, argv, &flags, &flags.common, &arguments, 1, 1, "IN -o OUT");
    if (status == CLI_GO_ON) {
        status = cut_parse(verb, &flags, &run);
        if (status == CLI_OK) {
            status =
                copy_open(verb, &run.copy, &flags.common, arguments.words[0], flags.target.path);
        }
        if (status == CLI_OK) {
            status = cut_copy(verb, &run, &flags.target);
        }
        tracecmd_close_input(&run.copy.input);
    }
    free(run.pids);
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand tracecmd_cut = {
    .name = "trace cut",
    .summary = "take a part out of a trace: references, processes, a time",
    .synopsis = "IN -o OUT [--refs FROM:TO] [--pid P,P...] [--time FROM:TO]",
    .story = "Writes the references that all given limits let through. Events up to the end of the "
             "cut are kept, those before its beginning and of other processes too, so that the "
             "mappings at its beginning are known; marks, pauses and losses before it are not.",
    .examples = "vmm trace cut app.vmt --refs :10M -o part.vmt\n"
                "vmm trace cut app.vmt --pid 100 -o compiler.din\n"
                "vmm trace cut app.vmt --time 0.5:2 -o burst.vmt",
    .flags = cut_flags,
    .takes_words = true,
    .run = cut_run,
};

/* ---- reduce --------------------------------------------------------------------------------- */

typedef struct ReduceFlags {
    TraceCommon common;
    TraceTarget target;
    const char *frames, *refs;
} ReduceFlags;

static const CliFlag reduce_flags[] = {
    {"frames", NULL, 'k', "K", NULL, "Reduction",
     "the smallest LRU memory, in frames, for which the result is exact",
     offsetof(ReduceFlags, frames)},
    {"refs", NULL, 0, "KIND", "all", "Reduction",
     "reduce all references, only loads and stores (data), or only instruction fetches (fetch): a "
     "reduced trace cannot be filtered any more",
     offsetof(ReduceFlags, refs)},
    {"output", NULL, 'o', "FILE", NULL, "Output", "the .vmt to write",
     offsetof(ReduceFlags, target.path)},
    TRACE_COMMON_FLAGS(ReduceFlags),
    TRACE_FLAGS_END,
};

typedef struct ReduceRun {
    TraceCopy copy;
    VMMReducer *reducer;
    uint64_t frames;
    bool data, fetches; /* what is reduced */
    VMMRef chosen[256];
} ReduceRun;

/* The sink of the reducer: any code but VMM_OK ends it; the message is out already. */
static int reduce_keep(void *user, const VMMRef *refs, size_t count) {
    ReduceRun *run = user;
    return tracecmd_write(&run->copy.output, refs, count) == CLI_GO_ON ? VMM_OK : VMM_E_WRITE;
}

static int reduce_status(int code) {
    if (code == VMM_E_NO_MEMORY) {
        cli_error("out of memory");
    }
    return code == VMM_OK ? CLI_GO_ON : CLI_FAILURE;
}

static int reduce_refs(void *user, const VMMRef *refs, size_t count) {
    ReduceRun *run = user;
    int status = tracecmd_write_time(&run->copy.output, run->copy.input.time_ns);
    if (status != CLI_GO_ON || (run->data && run->fetches)) {
        return status != CLI_GO_ON ? status
                                   : reduce_status(vmm_reducer_add(run->reducer, refs, count));
    }
    size_t chosen = 0;
    int code = VMM_OK;
    for (size_t i = 0; i < count && code == VMM_OK; i++) {
        if (refs[i].op == VMM_OP_FETCH ? run->fetches : run->data) {
            run->chosen[chosen++] = refs[i];
        }
        if (chosen == sizeof run->chosen / sizeof run->chosen[0]) {
            code = vmm_reducer_add(run->reducer, run->chosen, chosen);
            chosen = 0;
        }
    }
    return reduce_status(code == VMM_OK ? vmm_reducer_add(run->reducer, run->chosen, chosen)
                                        : code);
}

/* Nothing is dropped across an event, whatever it does. */
static int reduce_event(void *user, const VMMEvent *event) {
    ReduceRun *run = user;
    int status = reduce_status(vmm_reducer_flush(run->reducer));
    return status == CLI_GO_ON ? tracecmd_write_event(&run->copy.output, &run->copy.input, event)
                               : status;
}

static int reduce_parse(const CliCommand *verb, const ReduceFlags *flags, ReduceRun *run) {
    if (flags->target.path == NULL) {
        return cli_usage_error(verb->name, "say where the reduced trace goes: -o OUT.vmt");
    }
    if (flags->frames == NULL) {
        return cli_usage_error(verb->name,
                               "say for which memories the result shall be exact: -k FRAMES");
    }
    if (tracecmd_count(verb, "-k", flags->frames, &run->frames) != 0) {
        return CLI_FAILURE;
    }
    if (run->frames == 0 || run->frames > VMM_REDUCER_MAX_FRAMES) {
        return cli_usage_error(verb->name, "-k: found %s frames, expected 1 to %" PRIu64,
                               flags->frames, VMM_REDUCER_MAX_FRAMES);
    }
    if (tracecmd_check_vmt(verb, flags->target.path) != CLI_OK) {
        return CLI_FAILURE;
    }
    const char *refs = flags->refs != NULL ? flags->refs : "all";
    run->data = strcmp(refs, "all") == 0 || strcmp(refs, "data") == 0;
    run->fetches = strcmp(refs, "all") == 0 || strcmp(refs, "fetch") == 0;
    return run->data || run->fetches
               ? CLI_OK
               : cli_usage_error(verb->name, "--refs: found \"%s\", expected all, data or fetch",
                                 refs);
}

static int reduce_pass(void *user, const VMMRef *refs, size_t count) {
    (void)user;
    (void)refs;
    (void)count;
    return CLI_GO_ON;
}

/* How many references there were before any reduction: as the trace says, or by counting them. */
static int reduce_count(TraceReading *input, uint64_t *references) {
    TraceVisit visit = {reduce_pass, NULL, NULL};
    if (input->header != NULL) {
        uint64_t before = input->header->original_references;
        *references = before != 0 ? before : input->header->total_references;
        return CLI_OK;
    }
    if (vmm_trace_keep(input->trace) != VMM_OK) {
        cli_error("%s", vmm_trace_error_text(input->trace));
        return CLI_FAILURE;
    }
    int status = tracecmd_visit(input, &visit);
    *references = input->references;
    return status == CLI_OK ? tracecmd_rewind(input) : status;
}

static void reduce_tell(const ReduceRun *run, uint64_t frames, uint64_t page_size) {
    VMMReducerInfo info = {.struct_size = sizeof info};
    vmm_reducer_info(run->reducer, &info);
    printf("%s: %" PRIu64 " of %" PRIu64 " page references kept, 1 of %.1f (%" PRIu64
           " references before).\n",
           run->copy.output.path, info.kept, info.page_references,
           (double)info.page_references / (double)(info.kept > 0 ? info.kept : 1), info.references);
    printf("Exact, in page faults and write-backs, for LRU memories of at least %" PRIu64
           " frames of %" PRIu64 " bytes.\n"
           "Not for other policies, smaller memories, TLBs, or the number of accesses.\n",
           frames, page_size);
}

static int reduce_copy(const CliCommand *verb, ReduceRun *run, const ReduceFlags *flags) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceWriterOptions options = tracecmd_options(&run->copy.input);
    TraceTarget target = {.path = flags->target.path, .to = "vmt", .codec = "runs"};
    TraceVisit visit = {reduce_refs, reduce_event, run};
    options.reduction = run->frames > options.reduction ? run->frames : options.reduction;
    int status = reduce_count(&run->copy.input, &options.original_references);
    if (status == CLI_OK) {
        status = tracecmd_open_output(verb, &run->copy.output, &target, &run->copy.input, &options);
    }
    if (status == CLI_OK && vmm_reducer_create(run->frames, options.page_size, reduce_keep, run,
                                               &run->reducer, error) != VMM_OK) {
        cli_error("%s", error);
        status = CLI_FAILURE;
    }
    run->copy.output.loses_addresses = false; /* that goes without saying */
    if (status == CLI_OK) {
        status = tracecmd_visit(&run->copy.input, &visit);
    }
    if (status == CLI_OK && reduce_status(vmm_reducer_flush(run->reducer)) != CLI_GO_ON) {
        status = CLI_FAILURE;
    }
    status = tracecmd_close_output(&run->copy.output, status);
    if (status == CLI_OK && strcmp(flags->target.path, "-") != 0) {
        reduce_tell(run, options.reduction, options.page_size);
    }
    return status;
}

static int reduce_run(const CliCommand *verb, int argc, char **argv) {
    ReduceFlags flags = {0};
    CliArguments arguments;
    ReduceRun run = {.copy = {.input = {0}}};
    int status =
        tracecmd_start(verb, argc, argv, &flags, &flags.common, &arguments, 1, 1, "-k K IN -o OUT");
    if (status == CLI_GO_ON) {
        status = reduce_parse(verb, &flags, &run);
        if (status == CLI_OK) {
            status =
                copy_open(verb, &run.copy, &flags.common, arguments.words[0], flags.target.path);
        }
        if (status == CLI_OK) {
            status = reduce_copy(verb, &run, &flags);
        }
        vmm_reducer_destroy(run.reducer);
        tracecmd_close_input(&run.copy.input);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand tracecmd_reduce = {
    .name = "trace reduce",
    .summary = "drop what no LRU memory of k frames can tell apart (SAD)",
    .synopsis = "-k K IN -o OUT.vmt [flags]",
    .story = "Writes a trace that has the same page faults and write-backs in every LRU memory of "
             "at least K frames, and is often much shorter. The result is a .vmt that says so of "
             "itself; vmm simulates it only where that holds: with LRU and enough frames. Method: "
             "Kaplan, Smaragdakis, Wilson, SIGMETRICS 1999.",
    .examples = "vmm trace reduce -k 64 app.vmt -o app.k64.vmt\n"
                "vmm -t app.k64.vmt -a lru --frames 100 --tlb off",
    .flags = reduce_flags,
    .takes_words = true,
    .run = reduce_run,
};
