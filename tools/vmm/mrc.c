/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm mrc: miss-ratio curves, for every memory size at once.
 *
 *     flags ──► policies, sizes ──► outputs and trace opened ──► passes ──► table, picture, files
 *
 * Everything that can be wrong with names and values is found before the run.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mrc.h"

static const CliFlag mrccmd_flags[] = {
    {"algorithm", "policy", 'a', "LIST", "lru", "Curves",
     "policies, separated by commas: lru and opt for every size and ws and vmin for every window, "
     "all in one pass; any other one is simulated at some sizes; parameters follow their policy: "
     "lru,clock:bits=2,enter=0",
     offsetof(MrcFlags, policies)},
    {"frames", NULL, 0, "LIST", NULL, "Curves",
     "sizes at which other policies are simulated, in frames, separated by commas",
     offsetof(MrcFlags, frames)},
    {"points", NULL, 0, "N", "24", "Curves",
     "without --frames: how many sizes, in even steps of their logarithm, 2 to 1000",
     offsetof(MrcFlags, points)},
    {"per-process", NULL, 0, NULL, NULL, "Curves",
     "a curve for each process, too: its misses in the memory that all share, or with --scope "
     "process in one of its own",
     offsetof(MrcFlags, per_process)},
    {"sample-rate", NULL, 0, "SHARE", NULL, "Curves",
     "lru of a sample of the pages (SHARDS), that share of them: 0.01; with an interval that "
     "covers "
     "the exact curve",
     offsetof(MrcFlags, sample_rate)},
    {"sample-pages", NULL, 0, "N", NULL, "Curves",
     "lru of a sample of at most N pages, from 64; its share shrinks as pages come",
     offsetof(MrcFlags, sample_pages)},
    {"trace", NULL, 't', "FILE", NULL, "Trace",
     "the trace, if it is not named as a word; - reads standard input", offsetof(MrcFlags, trace)},
    {"format", NULL, 0, "NAME", "auto", "Trace", "format of the trace, see vmm list formats",
     offsetof(MrcFlags, format)},
    {"skip-bad-records", NULL, 0, NULL, NULL, "Trace",
     "go on past bad records and damage, and say at the end how many were left out",
     offsetof(MrcFlags, skip_bad_records)},
    {"threads", NULL, 0, "N", "1", "Trace",
     "threads that decode a .vmt ahead, 0 to 64; the numbers do not depend on it",
     offsetof(MrcFlags, threads)},
    {"config", NULL, 0, "FILE", NULL, "Configuration",
     "read options from FILE, lines 'name = value'; flags win over the file",
     offsetof(MrcFlags, config_file)},
    {"output", NULL, 'o', "FILE", NULL, "Results",
     "write all curves as JSON; - writes it to standard output in place of the table",
     offsetof(MrcFlags, json)},
    {"csv", NULL, 0, "FILE", NULL, "Results",
     "write the curve as CSV, a row where it changes; several curves go to files of their own: "
     "c.csv becomes c.lru.csv, c.opt.csv, c.lru.pid7.csv; - writes to standard output",
     offsetof(MrcFlags, csv)},
    {"plot", NULL, 0, "FILE", NULL, "Results",
     "draw the curves with gnuplot; FILE ends in .svg, .png or .pdf; processes go to files of "
     "their own: c.pid7.svg",
     offsetof(MrcFlags, plot)},
    {"quiet", NULL, 'q', NULL, NULL, "Messages", "only errors on standard error",
     offsetof(MrcFlags, quiet)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(MrcFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

/* ---- What to find out ----------------------------------------------------------------------- */

/* How a policy's curve is found. The four of one pass need no machine; ws and vmin none at all. */
static int mrccmd_choose_policy(const Mrc *mrc, MrcPolicy *policy) {
    static const char *const kinds[VMM_CURVE_KIND_COUNT] = {"lru", "opt", "ws", "vmin"};
    bool samples = mrc->sample_rate > 0.0 || mrc->sample_pages > 0;
    policy->how = MRC_RUNS;
    for (size_t kind = 0; kind < VMM_CURVE_KIND_COUNT; kind++) {
        if (cli_name_matches(policy->name, kinds[kind])) {
            policy->kind = (VMMCurveKind)kind;
            policy->how = samples && kind == VMM_CURVE_LRU ? MRC_SAMPLED : MRC_CURVE;
        }
    }
    if (policy->how != MRC_RUNS) {
        return CLI_OK;
    }
    if (mrc->flags.per_process) {
        return cli_usage_error(mrc->command->name,
                               "--per-process: %s has no curve of each process; lru, opt, ws and "
                               "vmin have",
                               policy->name);
    }
    return cli_check_policy(mrc->command, &mrc->config, policy->name);
}

static int mrccmd_choose_policies(Mrc *mrc) {
    const char *text = mrc->flags.policies != NULL ? mrc->flags.policies : "lru";
    bool lru = false;
    cli_words_split(&mrc->names, text, true);
    if (mrc->names.count == 0) {
        return cli_usage_error(mrc->command->name, "-a: no policy is named");
    }
    mrc->policies = cli_alloc(mrc->names.count, sizeof *mrc->policies);
    for (size_t i = 0; i < mrc->names.count; i++) {
        mrc->policies[i].name = mrc->names.items[i];
        for (size_t j = 0; j < i; j++) {
            if (cli_name_matches(mrc->names.items[i], mrc->names.items[j])) {
                return cli_usage_error(mrc->command->name, "-a: %s is named twice",
                                       mrc->names.items[i]);
            }
        }
        int status = mrccmd_choose_policy(mrc, &mrc->policies[i]);
        if (status != CLI_OK) {
            return status;
        }
        lru = lru || mrc->policies[i].how == MRC_SAMPLED;
    }
    if (!lru && (mrc->flags.sample_rate != NULL || mrc->flags.sample_pages != NULL)) {
        return cli_usage_error(
            mrc->command->name,
            "only the curve of lru can be made of a sample, and -a does not name "
            "it");
    }
    return CLI_OK;
}

/* A whole number of a flag, within bounds; NULL: the default. */
static int mrccmd_number(const Mrc *mrc, const char *flag, const char *text, uint64_t least,
                         uint64_t most, uint64_t *number) {
    char *end;
    if (text == NULL) {
        return CLI_OK;
    }
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < least || value > most) {
        return cli_usage_error(mrc->command->name, "%s is '%s', expected %" PRIu64 " to %" PRIu64,
                               flag, text, least, most);
    }
    *number = value;
    return CLI_OK;
}

static int mrccmd_choose_sample(Mrc *mrc) {
    const char *text = mrc->flags.sample_rate;
    char *end;
    if (text != NULL) {
        mrc->sample_rate = strtod(text, &end);
        if (end == text || *end != '\0' || !(mrc->sample_rate > 0.0 && mrc->sample_rate < 1.0)) {
            return cli_usage_error(mrc->command->name,
                                   "--sample-rate is '%s', expected above 0 and below 1, as 0.01",
                                   text);
        }
    }
    bool samples = text != NULL || mrc->flags.sample_pages != NULL;
    if (samples && mrc->flags.per_process) {
        return cli_usage_error(mrc->command->name,
                               "a sample tells of the whole only: not together with --per-process");
    }
    return mrccmd_number(mrc, "--sample-pages", mrc->flags.sample_pages, 64, UINT64_C(1) << 28,
                         &mrc->sample_pages);
}

/* One size, as a number of frames. */
static int mrccmd_choose_size(const Mrc *mrc, char **size) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMConfig config = mrc->config;
    if (vmm_config_set(&config, "frames", *size, error) != VMM_OK) {
        return cli_usage_error(mrc->command->name, "%s", error);
    }
    if (!vmm_config_is_set(&config, "frames") || cli_name_matches(*size, "auto")) {
        return cli_usage_error(mrc->command->name, "--frames: found '%s', expected a number",
                               *size);
    }
    free(*size);
    *size = cli_format("%" PRIu64, vmm_config_frames(&config));
    return CLI_OK;
}

static int mrccmd_choose_sizes(Mrc *mrc) {
    if (mrc->flags.frames != NULL && mrc->flags.points != NULL) {
        return cli_usage_error(mrc->command->name, "--frames and --points exclude each other");
    }
    for (size_t i = 0; i < mrc->arguments.setting_count; i++) {
        if (strcmp(mrc->arguments.settings[i].option->name, "ram") == 0) {
            return cli_usage_error(mrc->command->name,
                                   "a curve is of all memory sizes: not together with --ram; sizes "
                                   "of other policies are given by --frames");
        }
    }
    mrc->points = 24;
    int status = mrccmd_number(mrc, "--points", mrc->flags.points, 2, 1000, &mrc->points);
    if (mrc->flags.frames != NULL) {
        cli_words_split(&mrc->size_names, mrc->flags.frames, false);
        if (mrc->size_names.count == 0) {
            return cli_usage_error(mrc->command->name, "--frames: no memory size is named");
        }
    }
    for (size_t i = 0; status == CLI_OK && i < mrc->size_names.count; i++) {
        status = mrccmd_choose_size(mrc, &mrc->size_names.items[i]);
    }
    return status;
}

/* The curves of one pass have every size, whatever sizes are asked for. */
static void mrccmd_warn_sizes(const Mrc *mrc) {
    for (size_t i = 0; i < mrc->names.count; i++) {
        if (mrc->policies[i].how == MRC_RUNS) {
            return;
        }
    }
    if (mrc->flags.frames != NULL || mrc->flags.points != NULL) {
        cli_warning("%s is left aside: it chooses the sizes of simulated policies, and -a names "
                    "none; lru and opt have every size",
                    mrc->flags.frames != NULL ? "--frames" : "--points");
    }
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int mrccmd_check_flags(const Mrc *mrc) {
    const MrcFlags *flags = &mrc->flags;
    bool single = mrc->names.count == 1 && !flags->per_process;
    bool csv_is_stdout = flags->csv != NULL && strcmp(flags->csv, "-") == 0;
    if (csv_is_stdout && !single) {
        return cli_usage_error(mrc->command->name,
                               "--csv - has room for one curve only: name a file");
    }
    const CliFiles files = {.trace = flags->trace,
                            .config = flags->config_file,
                            .json = flags->json,
                            .csv = flags->csv,
                            .plot = flags->plot};
    int status = cli_plot_check(mrc->command, "--plot", flags->plot);
    return status == CLI_OK ? cli_output_check_files(mrc->command, &files) : status;
}

static int mrccmd_choose(Mrc *mrc) {
    int status = cli_take_trace(mrc->command, &mrc->arguments, &mrc->flags.trace);
    if (status == CLI_OK) {
        status = cli_configure(mrc->command, &mrc->arguments, mrc->flags.config_file, &mrc->config);
    }
    if (status == CLI_OK) {
        status = mrccmd_choose_sample(mrc);
    }
    if (status == CLI_OK) {
        status = mrccmd_choose_policies(mrc);
    }
    if (status == CLI_OK) {
        status = mrccmd_choose_sizes(mrc);
    }
    if (status == CLI_OK) {
        status = mrccmd_check_flags(mrc);
        mrccmd_warn_sizes(mrc);
    }
    if (status == CLI_OK) {
        status = cli_parse_threads(mrc->command, mrc->flags.threads, &mrc->threads);
    }
    return status;
}

static int mrccmd_open(Mrc *mrc) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = mrc->flags.skip_bad_records,
                               .page_size = cli_config_bytes(&mrc->config, "page-size"),
                               .format = mrc->flags.format,
                               .threads = mrc->threads};
    int code = vmm_trace_open(mrc->flags.trace, &options, &mrc->trace, error);
    if (code != VMM_OK) {
        cli_error("%s", error);
        return cli_status(code);
    }
    bool single = mrc->names.count == 1 && !mrc->flags.per_process;
    int status = cli_output_open(&mrc->json, mrc->flags.json, false);
    if (status == CLI_OK && single) {
        status = cli_output_open(&mrc->csv, mrc->flags.csv, false);
    }
    if (status == CLI_OK) {
        status = cli_output_open(&mrc->plot, mrc->flags.plot, false);
    }
    return status;
}

/* ---- The sub-command ------------------------------------------------------------------------ */

/* Says what of the trace is not in the numbers; CLI_BAD_INPUT if nothing is. */
static int mrccmd_judge(const Mrc *mrc) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(mrc->trace, &info);
    uint64_t references = 0;
    uint64_t invalid = 0;
    for (size_t i = 0; i < mrc->names.count; i++) {
        if (mrc_series_count(&mrc->policies[i]) > 0) {
            MrcRows rows = mrc_read(mrc, &mrc->policies[i], 0);
            references = rows.about.page_references;
            invalid = rows.about.invalid;
            mrc_free_rows(&rows);
        }
    }
    if (references == 0 && mrc->error == VMM_OK) {
        cli_error("%s: the trace holds no references to simulate", mrc->flags.trace);
        return CLI_BAD_INPUT;
    }
    cli_warn_losses(mrc->trace, &info);
    cli_warn_unknown_to_curves(&mrc->config);
    cli_warn_invalid(&mrc->config, invalid, NULL);
    return CLI_OK;
}

static int mrccmd_report(Mrc *mrc) {
    if (!cli_output_is_stdout(&mrc->json) && !cli_output_is_stdout(&mrc->csv)) {
        mrc_print(mrc);
    }
    cli_flush_stdout();
    bool writes = mrc->json.path != NULL || mrc->csv.path != NULL || mrc->plot.path != NULL;
    if (mrc->error == VMM_E_STOPPED && writes) { /* a file of numbers does not look unfinished */
        cli_error("interrupted: what is written covers only what was read so far");
    }
    int json = mrc_write_json(mrc);
    int csv = mrc_write_csv(mrc);
    int plot = mrc_write_plot(mrc);
    if (mrc->error != VMM_OK) {
        return cli_status(mrc->error);
    }
    return json != CLI_OK || csv != CLI_OK || plot != CLI_OK ? CLI_FAILURE : CLI_OK;
}

static int mrccmd_go(Mrc *mrc) {
    int status = mrccmd_choose(mrc);
    if (status == CLI_OK) {
        status = mrccmd_open(mrc);
    }
    if (status == CLI_OK) {
        status = mrc_run(mrc);
    }
    if (status == CLI_OK) {
        status = mrccmd_judge(mrc);
    }
    return status == CLI_OK ? mrccmd_report(mrc) : status;
}

static void mrccmd_close(Mrc *mrc) {
    cli_output_discard(&mrc->json);
    cli_output_discard(&mrc->csv);
    cli_output_discard(&mrc->plot);
    for (size_t i = 0; mrc->policies != NULL && i < mrc->names.count; i++) {
        vmm_curve_destroy(mrc->policies[i].curve);
        free(mrc->policies[i].found);
    }
    vmm_trace_close(mrc->trace);
    free(mrc->policies);
    free(mrc->sizes);
    cli_words_free(&mrc->names);
    cli_words_free(&mrc->size_names);
    cli_arguments_free(&mrc->arguments);
}

static int mrccmd_run(const CliCommand *command, int argc, char **argv) {
    Mrc mrc = {.command = command, .json = {.fd = -1}, .csv = {.fd = -1}, .plot = {.fd = -1}};
    int status = cli_parse(command, argc, argv, &mrc.flags, &mrc.arguments);
    if (status == CLI_OK && mrc.arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        if (mrc.flags.quiet) {
            cli_set_level(CLI_QUIET);
        }
        status = mrccmd_go(&mrc);
    }
    mrccmd_close(&mrc);
    return status;
}

/* What a curve of one pass depends on. */
static const char *const mrccmd_options[] = {"page-size", "vspace", "scope",        "seed",
                                             "pt-type",   "refs",   "max-accesses", NULL};
static const char *const mrccmd_refused[] = {"ram", NULL};

const CliCommand cli_mrc_command = {
    .name = "mrc",
    .summary = "find the misses for every memory size in one pass: miss-ratio curves",
    .synopsis = "TRACE [-a POLICIES] [options]",
    .story = "Reads the trace once and tells the misses of lru and opt for every number of frames, "
             "and of ws (Working Set) and vmin for every window: exactly what single runs would "
             "count. Other policies are simulated at some sizes. Shows a short table, where the "
             "knees are, and a small picture; --csv, -o and --plot have all of it.",
    .examples = "vmm mrc app.vmt\n"
                "vmm mrc app.vmt -a lru --csv curve.csv\n"
                "vmm mrc app.vmt -a lru,opt,clock,ws --plot curves.svg\n"
                "vmm mrc app.vmt --per-process --csv curve.csv\n"
                "vmm mrc huge.vmt --sample-rate 0.01",
    .flags = mrccmd_flags,
    .takes_options = true,
    .options = mrccmd_options,
    .other_options = "Machines of simulated policies; no other curve depends on these",
    .refused_options = mrccmd_refused,
    .takes_words = true,
    .run = mrccmd_run,
};
