/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace verify: reads all of a trace, past damage, and says what is wrong with it and where.
 * The reader checks what it reads: checksums, the order of blocks, every record; here its counts
 * are compared with what the trace says of itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace_cmd.h"

typedef struct VerifyFlags {
    TraceCommon common;
} VerifyFlags;

static const CliFlag verify_flags[] = {
    TRACE_COMMON_FLAGS(VerifyFlags),
    TRACE_FLAGS_END,
};

enum { VERIFY_PLACES = 5 };

typedef struct VerifyRun {
    TraceReading input;
    uint64_t lost;     /* references, as LOST events tell */
    uint64_t places;   /* where */
    uint64_t problems; /* of the file itself */
} VerifyRun;

static int verify_refs(void *user, const VMMRef *refs, size_t count) {
    (void)user;
    (void)refs;
    (void)count;
    return CLI_GO_ON;
}

static int verify_event(void *user, const VMMEvent *event) {
    VerifyRun *run = user;
    if (event->type == VMM_EVENT_LOST) {
        run->lost = tracecmd_add_lost(run->lost, event->value);
        if (run->places++ >= VERIFY_PLACES) {
            return CLI_GO_ON;
        }
        printf("%s: behind reference %" PRIu64 ": ", run->input.path, run->input.references);
        if (event->value > 0) {
            printf("at least %" PRIu64 " missing\n", event->value);
        } else {
            printf("events, files, or references that nobody counted are missing\n");
        }
    }
    return CLI_GO_ON;
}

static void verify_counts(VerifyRun *run, const VMMTraceInfo *info) {
    const VMMTraceHeader *header = run->input.header;
    if (!tracecmd_sees_index(&run->input)) {
        return;
    }
    if (!header->complete) {
        printf("%s: has no index: it was cut off, or is still being written\n", run->input.path);
        run->problems++;
    } else if (header->total_references != info->references) {
        printf("%s: its index tells of %" PRIu64 " references, and %" PRIu64 " were found\n",
               run->input.path, header->total_references, info->references);
        run->problems++;
    }
}

static void verify_losses(VerifyRun *run, const VMMTraceInfo *info) {
    const char *path = run->input.path, *bad;
    for (size_t i = 0; (bad = vmm_trace_bad_record_text(run->input.trace, i)) != NULL; i++) {
        char *visible = cli_visible(bad);
        printf("%s\n", visible);
        free(visible);
    }
    if (info->bad_records > 0) {
        printf("%s: %" PRIu64 " bad record%s\n", path, info->bad_records,
               info->bad_records == 1 ? "" : "s");
        run->problems++;
    }
    if (info->damaged_bytes > 0) {
        printf("%s: damage made at least %" PRIu64 " byte%s unreadable\n", path,
               info->damaged_bytes, info->damaged_bytes == 1 ? "" : "s");
        run->problems++;
    }
    if (run->lost > 0) {
        printf("%s: at least %" PRIu64 " reference%s missing\n", path, run->lost,
               run->lost == 1 ? " is" : "s are");
    }
}

static int verify_report(VerifyRun *run, int status) {
    VMMTraceInfo info = tracecmd_info_of(&run->input);
    if (status == CLI_OK || status == CLI_BAD_INPUT) {
        verify_losses(run, &info);
        verify_counts(run, &info);
    }
    if (status == CLI_OK && run->problems > 0) {
        printf("%s: damaged; %" PRIu64 " references are readable (--skip-bad-records)\n",
               run->input.path, info.references);
        return CLI_BAD_INPUT;
    }
    if (status == CLI_OK) {
        printf("%s: good%s: %s, %" PRIu64 " references, %" PRIu64 " events\n", run->input.path,
               run->lost > 0 ? ", but references were lost when it was made" : "", info.format,
               info.references, info.events);
    }
    return status;
}

static int verify_run(const CliCommand *verb, int argc, char **argv) {
    VerifyFlags flags = {0};
    CliArguments arguments;
    VerifyRun run = {.input = {0}};
    int status = tracecmd_start(verb, argc, argv, &flags, &flags.common, &arguments, 1, 1, "TRACE");
    if (status == CLI_GO_ON) {
        flags.common.skip_bad_records = flags.common.check = true;
        TraceVisit visit = {verify_refs, verify_event, &run};
        status = tracecmd_open_input(verb, &run.input, &flags.common, arguments.words[0]);
        if (status == CLI_OK) {
            run.input.repeated = true; /* the losses are the report */
            status = verify_report(&run, tracecmd_visit(&run.input, &visit));
        }
        tracecmd_close_input(&run.input);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand tracecmd_verify = {
    .name = "trace verify",
    .summary = "read all of a trace and say what is damaged, and where",
    .synopsis = "TRACE",
    .story = "Reads a trace to its end, past bad records and damage, checks all checksums and "
             "compares what was found with what the trace says of itself. The exit status is 0 for "
             "a good trace and 2 for a damaged one; references that were lost before the file was "
             "written are told, but are no damage.",
    .examples = "vmm trace verify app.vmt",
    .flags = verify_flags,
    .takes_words = true,
    .run = verify_run,
};
