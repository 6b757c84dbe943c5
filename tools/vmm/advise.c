/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm advise: how much memory does this program need?
 *
 *     flags ──► trace ──► pass 1: the LRU curve ──► pass 2: the working set over time ──► answer
 *
 * The second pass needs the length of the trace, which the first one finds out: windows are a two
 * hundredth of it unless a length is given.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise.h"

enum { ADVISE_WINDOWS = 200 };

static const CliFlag advisecmd_flags[] = {
    {"window", NULL, 'w', "N", "1/200 of the trace", "Question",
     "page references in a window of the working set", offsetof(AdviseFlags, window)},
    {"thrash", NULL, 0, "SHARE", "0.5", "Question",
     "a program thrashes when it waits for more than this share of its time, above 0, below 1",
     offsetof(AdviseFlags, thrash)},
    {"trace", NULL, 't', "FILE", NULL, "Trace", "the trace, if it is not named as a word",
     offsetof(AdviseFlags, trace)},
    {"format", NULL, 0, "NAME", "auto", "Trace", "format of the trace, see vmm list formats",
     offsetof(AdviseFlags, format)},
    {"skip-bad-records", NULL, 0, NULL, NULL, "Trace",
     "go on past bad records and damage, and say at the end how many were left out",
     offsetof(AdviseFlags, skip_bad_records)},
    {"threads", NULL, 0, "N", "1", "Trace",
     "threads that decode a .vmt ahead, 0 to 64; the numbers do not depend on it",
     offsetof(AdviseFlags, threads)},
    {"config", NULL, 0, "FILE", NULL, "Configuration",
     "read options from FILE, lines 'name = value'; flags win over the file",
     offsetof(AdviseFlags, config_file)},
    {"output", NULL, 'o', "FILE", NULL, "Results",
     "write all of it as JSON; - writes it to standard output in place of the text",
     offsetof(AdviseFlags, json)},
    {"plot", NULL, 0, "FILE", NULL, "Results",
     "draw the working set over time with gnuplot; FILE ends in .svg, .png or .pdf",
     offsetof(AdviseFlags, plot)},
    {"plot-curve", NULL, 0, "FILE", NULL, "Results",
     "draw misses and waiting by memory size, with the answers marked",
     offsetof(AdviseFlags, plot_curve)},
    {"quiet", NULL, 'q', NULL, NULL, "Messages", "only errors on standard error",
     offsetof(AdviseFlags, quiet)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(AdviseFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

/* ---- Before the passes ---------------------------------------------------------------------- */

static int advisecmd_read_question(Advise *advise) {
    const char *window = advise->flags.window, *thrash = advise->flags.thrash;
    char *end;
    advise->thrash = 0.5;
    if (window != NULL) {
        advise->window = strtoull(window, &end, 10);
        if (*window < '0' || *window > '9' || *end != '\0' || advise->window == 0) {
            return cli_usage_error(advise->command->name,
                                   "--window is \"%s\", expected a number from 1", window);
        }
    }
    if (thrash != NULL) {
        advise->thrash = strtod(thrash, &end);
        if (end == thrash || *end != '\0' || !(advise->thrash > 0.0 && advise->thrash < 1.0)) {
            return cli_usage_error(advise->command->name,
                                   "--thrash is \"%s\", expected a share above 0 and below 1",
                                   thrash);
        }
    }
    return CLI_OK;
}

/* The answer is a memory size: none can be asked for. */
static const char *const advisecmd_refused[] = {"ram", "frames", "policy", NULL};

static int advisecmd_check_settings(const Advise *advise) {
    for (size_t i = 0; i < advise->arguments.setting_count; i++) {
        const char *name = advise->arguments.settings[i].option->name;
        for (size_t k = 0; advisecmd_refused[k] != NULL; k++) {
            if (strcmp(name, advisecmd_refused[k]) != 0) {
                continue;
            }
            return cli_usage_error(advise->command->name,
                                   "--%s: the advice is for LRU, and memory is what it finds; vmm "
                                   "sim runs one size and policy, vmm mrc shows curves of others",
                                   name);
        }
    }
    return CLI_OK;
}

static int advisecmd_check(Advise *advise) {
    AdviseFlags *flags = &advise->flags;
    int status = cli_take_trace(advise->command, &advise->arguments, &flags->trace);
    status = status == CLI_OK ? advisecmd_read_question(advise) : status;
    status = status == CLI_OK ? advisecmd_check_settings(advise) : status;
    if (status == CLI_OK) {
        status = cli_parse_threads(advise->command, flags->threads, &advise->threads);
    }
    if (status == CLI_OK) {
        status =
            cli_configure(advise->command, &advise->arguments, flags->config_file, &advise->config);
    }
    if (status == CLI_OK) {
        status = cli_plot_check(advise->command, "--plot", flags->plot);
    }
    if (status == CLI_OK) {
        status = cli_plot_check(advise->command, "--plot-curve", flags->plot_curve);
    }
    const CliFileName names[] = {{"the trace", flags->trace, false},
                                 {"--config", flags->config_file, false},
                                 {"-o", flags->json, true},
                                 {"--plot", flags->plot, true},
                                 {"--plot-curve", flags->plot_curve, true}};
    return status != CLI_OK ? status
                            : cli_output_check_names(names, sizeof names / sizeof names[0]);
}

/* The trace is read twice: input that cannot be repeated is copied. */
static int advisecmd_open(Advise *advise) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = advise->flags.skip_bad_records,
                               .page_size = cli_config_bytes(&advise->config, "page-size"),
                               .format = advise->flags.format,
                               .threads = advise->threads};
    int code = vmm_trace_open(advise->flags.trace, &options, &advise->trace, error);
    if (code == VMM_OK) {
        code = vmm_trace_keep(advise->trace);
        snprintf(error, sizeof error, "%s", vmm_trace_error_text(advise->trace));
    }
    if (code != VMM_OK) {
        cli_error("%s", error);
        return cli_status(code);
    }
    int status = cli_output_open(&advise->json, advise->flags.json, false);
    if (status == CLI_OK) {
        status = cli_output_open(&advise->plot, advise->flags.plot, false);
    }
    return status == CLI_OK ? cli_output_open(&advise->plot_curve, advise->flags.plot_curve, false)
                            : status;
}

/* ---- The passes ----------------------------------------------------------------------------- */

static int advisecmd_failed(int code, const char *text) {
    if (code == VMM_E_STOPPED) {
        cli_error("interrupted: there is no advice on part of a trace");
    } else {
        cli_error("%s", text != NULL && *text != '\0' ? text : vmm_error_message(code));
    }
    return cli_status(code);
}

static int advisecmd_run_curve(Advise *advise) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMCurveOptions options = {.struct_size = sizeof options, .kind = VMM_CURVE_LRU};
    int code = vmm_curve_create(&advise->config, &options, NULL, &advise->curve, error);
    if (code != VMM_OK) {
        return cli_usage_error(advise->command->name, "%s", error);
    }
    code = vmm_curve_run(&advise->curve, 1, advise->trace, cli_progress_step, &advise->progress);
    if (code != VMM_OK) {
        return advisecmd_failed(code, vmm_curve_error_text(advise->curve));
    }
    advise->about.struct_size = sizeof advise->about;
    vmm_curve_series_at(advise->curve, 0, &advise->about);
    if (advise->about.page_references == 0) {
        cli_error("%s: the trace holds no references to look at", advise->flags.trace);
        return CLI_BAD_INPUT;
    }
    return CLI_OK;
}

static int advisecmd_run_windows(Advise *advise) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    if (advise->window == 0) {
        advise->window = (advise->about.page_references + ADVISE_WINDOWS - 1) / ADVISE_WINDOWS;
    }
    if (advise->window > advise->about.page_references) {
        cli_warning("--window is %" PRIu64 ", and the trace has %" PRIu64
                    " page references: all of it is one window, in which no phases are seen",
                    advise->window, advise->about.page_references);
    }
    VMMWorkingSetOptions options = {.struct_size = sizeof options, .window = advise->window};
    int code = vmm_trace_rewind(advise->trace);
    if (code != VMM_OK) {
        return advisecmd_failed(code, vmm_trace_error_text(advise->trace));
    }
    code = vmm_working_set_create(&advise->config, &options, NULL, &advise->set, error);
    if (code != VMM_OK) {
        return cli_usage_error(advise->command->name, "%s", error);
    }
    code = vmm_working_set_run(advise->set, advise->trace, cli_progress_step, &advise->progress);
    if (code != VMM_OK) {
        return advisecmd_failed(code, vmm_working_set_error_text(advise->set));
    }
    advise->window_count = vmm_working_set_count(advise->set);
    advise->windows = cli_alloc(advise->window_count, sizeof *advise->windows);
    vmm_working_set_read(advise->set, 0, advise->windows, advise->window_count);
    return CLI_OK;
}

static int advisecmd_run_both(Advise *advise) {
    cli_catch_interrupt();
    cli_progress_init(&advise->progress, !advise->flags.quiet, 0);
    advise->progress.parts = 2;
    int status = advisecmd_run_curve(advise);
    cli_progress_end(&advise->progress);
    if (status == CLI_OK) {
        advise->progress.part = 2;
        advise->progress.start = cli_now();
        status = advisecmd_run_windows(advise);
        cli_progress_end(&advise->progress);
    }
    cli_release_interrupt();
    advise->info.struct_size = sizeof advise->info;
    vmm_trace_info(advise->trace, &advise->info);
    cli_warn_losses(advise->trace, &advise->info);
    cli_warn_invalid(&advise->config, advise->about.invalid, NULL);
    return status;
}

/* ---- The sub-command ------------------------------------------------------------------------ */

static int advisecmd_report(Advise *advise) {
    advise_find(advise);
    if (!cli_output_is_stdout(&advise->json)) {
        advise_print(advise);
        cli_flush_stdout();
    }
    int json = advise_write_json(advise);
    int plots = advise_write_plots(advise);
    return json != CLI_OK ? json : plots;
}

static int advisecmd_go(Advise *advise) {
    int status = advisecmd_check(advise);
    status = status == CLI_OK ? advisecmd_open(advise) : status;
    status = status == CLI_OK ? advisecmd_run_both(advise) : status;
    return status == CLI_OK ? advisecmd_report(advise) : status;
}

static int advisecmd_run(const CliCommand *command, int argc, char **argv) {
    Advise advise = {
        .command = command, .json = {.fd = -1}, .plot = {.fd = -1}, .plot_curve = {.fd = -1}};
    int status = cli_parse(command, argc, argv, &advise.flags, &advise.arguments);
    if (status == CLI_OK && advise.arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        if (advise.flags.quiet) {
            cli_set_level(CLI_QUIET);
        }
        status = advisecmd_go(&advise);
    }
    cli_output_discard(&advise.json);
    cli_output_discard(&advise.plot);
    cli_output_discard(&advise.plot_curve);
    vmm_curve_destroy(advise.curve);
    vmm_working_set_destroy(advise.set);
    vmm_trace_close(advise.trace);
    free(advise.windows);
    free(advise.phases);
    cli_arguments_free(&advise.arguments);
    return status;
}

/* What the answers depend on. */
static const char *const advisecmd_options[] = {
    "page-size",  "vspace",         "scope",           "pt-type",     "refs",       "max-accesses",
    "cost-fault", "cost-swap-read", "cost-swap-write", "cost-memory", "swap-write", NULL};

const CliCommand cli_advise_command = {
    .name = "advise",
    .summary = "how much memory does this program need? In words, with the curve behind them",
    .synopsis = "TRACE [options]",
    .story = "Finds the exact LRU curve of a trace and its working set over time, and tells from "
             "them how much memory the program needs, below which it thrashes, and when it "
             "changes what it works on. The costs of the configuration (cost-memory, cost-fault, "
             "cost-swap-read, cost-swap-write) say what waiting is.",
    .examples = "vmm advise app.vmt\n"
                "vmm advise app.vmt --cost-swap-read 100us --cost-swap-write 30us --thrash 0.2\n"
                "vmm advise app.vmt --plot sets.svg --plot-curve curve.svg -o advice.json",
    .flags = advisecmd_flags,
    .takes_options = true,
    .options = advisecmd_options,
    .refused_options = advisecmd_refused,
    .takes_words = true,
    .run = advisecmd_run,
};
