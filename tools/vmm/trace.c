/* SPDX-License-Identifier: Apache-2.0 */
/* vmm trace: its verbs, which have files of their own. */
#include "trace_cmd.h"

static const CliCommand *const tracecmd_verbs[] = {
    &tracecmd_info,  &tracecmd_convert, &tracecmd_head,   &tracecmd_cat, &tracecmd_cut,
    &tracecmd_merge, &tracecmd_verify,  &tracecmd_reduce, NULL,
};

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
    .flags = cli_verb_flags,
    .verbs = tracecmd_verbs,
    .run = cli_run_verb,
};
