/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace head and cat: a trace as text. Both are the native form on standard output, so that
 * what cat prints can be simulated.
 */
#include <stdlib.h>

#include "trace_cmd.h"

enum { TEXT_HEAD = 10 };

typedef struct TextFlags {
    TraceCommon common;
    const char *count;
} TextFlags;

static const CliFlag head_flags[] = {
    {"refs", NULL, 'n', "N", "10", "Output", "how many references", offsetof(TextFlags, count)},
    TRACE_COMMON_FLAGS(TextFlags),
    TRACE_FLAGS_END,
};

static const CliFlag cat_flags[] = {
    TRACE_COMMON_FLAGS(TextFlags),
    TRACE_FLAGS_END,
};

typedef struct TextRun {
    TraceReading input;
    TraceOutput output;
    uint64_t left; /* references */
} TextRun;

static int text_refs(void *user, const VMMRef *refs, size_t count) {
    TextRun *run = user;
    size_t some = count < run->left ? count : (size_t)run->left;
    run->left -= some;
    int status = tracecmd_write(&run->output, refs, some);
    return status == CLI_GO_ON && run->left == 0 ? CLI_OK : status;
}

static int text_event(void *user, const VMMEvent *event) {
    TextRun *run = user;
    return tracecmd_write_event(&run->output, &run->input, event);
}

static int text_print(const CliCommand *verb, TextRun *run) {
    TraceTarget target = {.path = "-", .to = "native"};
    VMMTraceWriterOptions options = tracecmd_options(&run->input);
    TraceVisit visit = {text_refs, text_event, run};
    int status = tracecmd_open_output(verb, &run->output, &target, &run->input, &options);
    run->output.is_view = true;
    if (status == CLI_OK) {
        status = tracecmd_visit(&run->input, &visit);
    }
    return tracecmd_close_output(&run->output, status);
}

static int text_run(const CliCommand *verb, int argc, char **argv) {
    TextFlags flags = {0};
    CliArguments arguments;
    TextRun run = {.left = verb == &tracecmd_head ? TEXT_HEAD : UINT64_MAX};
    int status = tracecmd_start(verb, argc, argv, &flags, &flags.common, &arguments, 1, 1, "TRACE");
    if (status == CLI_GO_ON && flags.count != NULL &&
        tracecmd_count(verb, "-n", flags.count, &run.left) != 0) {
        status = CLI_FAILURE;
    } else if (status == CLI_GO_ON && run.left == 0) {
        status = cli_usage_error(verb->name, "-n: found 0, expected at least 1");
    } else if (status == CLI_GO_ON) {
        status = tracecmd_open_input(verb, &run.input, &flags.common, arguments.words[0]);
        if (status == CLI_OK) {
            status = text_print(verb, &run);
        }
        tracecmd_close_input(&run.input);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand tracecmd_head = {
    .name = "trace head",
    .summary = "show the first references and events as text",
    .synopsis = "[-n N] TRACE",
    .story = "Prints the first N references and the events between them, as vmm trace cat does.",
    .examples = "vmm trace head app.vmt\n"
                "vmm trace head -n 1k app.champsimtrace.xz",
    .flags = head_flags,
    .takes_words = true,
    .run = text_run,
};

const CliCommand tracecmd_cat = {
    .name = "trace cat",
    .summary = "show a whole trace as text, which vmm can read again",
    .synopsis = "TRACE",
    .story =
        "Prints a trace in the native form: a line \"pid op address size\" for each reference, "
        "a line that begins with @ for each event. Of a .vmt in page runs the address is that of "
        "the page.",
    .examples = "vmm trace cat app.vmt | less\n"
                "vmm trace cat app.vmt | vmm -t - --frames 64",
    .flags = cat_flags,
    .takes_words = true,
    .run = text_run,
};
