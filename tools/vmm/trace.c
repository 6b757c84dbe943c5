/* SPDX-License-Identifier: Apache-2.0 */
/* vmm trace: picks the verb and gives it the rest of the command line. */
#include <stdlib.h>
#include <string.h>

#include "trace_cmd.h"

typedef struct TraceFlags {
    bool help;
} TraceFlags;

static const CliFlag tracecmd_flags[] = {
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(TraceFlags, help)},
    TRACE_FLAGS_END,
};

static const CliCommand *const tracecmd_verbs[] = {
    &tracecmd_info,  &tracecmd_convert, &tracecmd_head,   &tracecmd_cat, &tracecmd_cut,
    &tracecmd_merge, &tracecmd_verify,  &tracecmd_reduce, NULL,
};

static const char *tracecmd_verb_name(const void *user, size_t index) {
    const CliCommand *const *verbs = user;
    return verbs[index] != NULL ? cli_verb_name(verbs[index]) : NULL;
}

static int tracecmd_unknown(const char *word) {
    const char *nearest = cli_nearest(word, tracecmd_verb_name, tracecmd_verbs);
    char *found = cli_excerpt(word, strlen(word));
    int status = cli_usage_error("trace", "there is no 'vmm trace %s'%s%s%s", found,
                                 nearest != NULL ? "; did you mean 'vmm trace " : "",
                                 nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    free(found);
    return status;
}

static int tracecmd_run(const CliCommand *command, int argc, char **argv) {
    const CliCommand *verb = argc > 0 ? cli_verb_find(command, argv[0]) : NULL;
    if (verb != NULL) {
        return verb->run(verb, argc - 1, argv + 1);
    }
    if (argc > 0 && argv[0][0] != '-') {
        return tracecmd_unknown(argv[0]);
    }
    TraceFlags flags = {0};
    CliArguments arguments;
    int status = cli_parse(command, argc, argv, &flags, &arguments);
    if (status == CLI_OK) {
        status = cli_print_help(command);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand cli_trace_command = {
    .name = "trace",
    .summary = "look into traces, convert, cut, merge, check and reduce them",
    .synopsis = "VERB [...]",
    .story = "Works on traces in any format that vmm reads, .vmt and those of other programs. "
             "'vmm help trace VERB' shows the flags of a verb.",
    .examples = "vmm trace info app.vmt\n"
                "vmm trace convert app.lackey.gz app.vmt\n"
                "vmm trace cat app.vmt | less\n"
                "vmm trace reduce -k 64 app.vmt -o small.vmt",
    .flags = tracecmd_flags,
    .verbs = tracecmd_verbs,
    .run = tracecmd_run,
};
