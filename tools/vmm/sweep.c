/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm sweep: every combination of lists of options and traces, into one table.
 *
 *     flags, experiment file ──► axes ──► plan ──► what the file has ──► the rest is run ──► file
 *
 * sweep.h shows the parts. An SQLite database is made from the finished rows; until then they are
 * in a CSV file beside it, so that both kinds are gone on with in the same way.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sweep.h"

enum { SWEEP_MOST_JOBS = 256, SWEEP_BLOCK = 16, SWEEP_MOST_BLOCK = 256 };

typedef struct SweepFlags {
    const char *trace, *format, *experiment, *config_file, *csv, *sqlite, *jobs, *block, *progress;
    bool skip_bad_records, restart, quiet, help;
} SweepFlags;

static const CliFlag sweepcmd_flags[] = {
    {"experiment", NULL, 'e', "FILE", NULL, "Sweep",
     "read lists from FILE: lines 'option = value, value, ...' and 'trace = FILE'; flags replace "
     "the lists of the same option",
     offsetof(SweepFlags, experiment)},
    {"trace", NULL, 't', "FILE", NULL, "Sweep",
     "a trace; more of them are named as words: vmm sweep -a lru a.vmt b.vmt",
     offsetof(SweepFlags, trace)},
    {"format", NULL, 0, "NAME", "auto", "Sweep", "format of the traces, see vmm list formats",
     offsetof(SweepFlags, format)},
    {"skip-bad-records", NULL, 0, NULL, NULL, "Sweep",
     "go on past bad records and damage, and say how many were left out",
     offsetof(SweepFlags, skip_bad_records)},
    {"config", NULL, 0, "FILE", NULL, "Sweep",
     "read options that do not vary from FILE, lines 'name = value'",
     offsetof(SweepFlags, config_file)},
    {"jobs", NULL, 'j', "N", "all cores", "Sweep",
     "threads that simulate, 1 to 256; the results do not depend on it",
     offsetof(SweepFlags, jobs)},
    {"block", NULL, 0, "N", "16", "Sweep",
     "configurations that share one decoding of the trace, 1 to 256: more are faster, and need "
     "more memory; a sweep that is killed loses the blocks that were running",
     offsetof(SweepFlags, block)},
    {"csv", NULL, 0, "FILE", "-", "Results",
     "write the table as CSV; rows that FILE holds already are kept and not run again; - is "
     "standard output",
     offsetof(SweepFlags, csv)},
    {"sqlite", NULL, 0, "FILE", NULL, "Results",
     "write the table sweep of an SQLite database; until it is complete the rows are in "
     "FILE.partial",
     offsetof(SweepFlags, sqlite)},
    {"restart", NULL, 0, NULL, NULL, "Results", "give up the rows that the file holds",
     offsetof(SweepFlags, restart)},
    {"progress", NULL, 0, "auto|always|never", "auto", "Messages",
     "how far it is and the time left, on standard error; auto: on a terminal; always: elsewhere, "
     "too, a line for each finished block",
     offsetof(SweepFlags, progress)},
    {"quiet", NULL, 'q', NULL, NULL, "Messages", "only errors on standard error",
     offsetof(SweepFlags, quiet)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(SweepFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

typedef struct Sweep {
    const CliCommand *command;
    SweepFlags flags;
    CliArguments arguments;
    SweepPlan plan;
    SweepStore store;
    SweepOrders orders;
    char *partial; /* the file beside a database */
} Sweep;

/* ---- What to run ---------------------------------------------------------------------------- */

static int sweepcmd_number(const CliCommand *command, const char *flag, const char *text,
                           uint32_t most, uint32_t *number) {
    char *end;
    if (text == NULL) {
        return CLI_OK;
    }
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > most) {
        return cli_usage_error(command->name, "%s is \"%s\", expected a number from 1 to %u", flag,
                               text, most);
    }
    *number = (uint32_t)value;
    return CLI_OK;
}

static uint32_t sweepcmd_cores(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > SWEEP_MOST_JOBS ? SWEEP_MOST_JOBS : (uint32_t)count;
}

static int sweepcmd_read_orders(Sweep *sweep) {
    const SweepFlags *flags = &sweep->flags;
    const char *when = flags->progress != NULL ? flags->progress : "auto";
    bool always = cli_name_matches(when, "always"), never = cli_name_matches(when, "never");
    bool terminal = isatty(STDERR_FILENO);
    sweep->orders = (SweepOrders){.jobs = sweepcmd_cores(), .block = SWEEP_BLOCK};
    if (!always && !never && !cli_name_matches(when, "auto")) {
        return cli_usage_error(sweep->command->name,
                               "--progress is \"%s\", expected auto, always or never", when);
    }
    sweep->orders.draws = terminal && !never && !flags->quiet;
    sweep->orders.tells = !terminal && always && !flags->quiet;
    int status = sweepcmd_number(sweep->command, "--jobs", flags->jobs, SWEEP_MOST_JOBS,
                                 &sweep->orders.jobs);
    return status != CLI_OK ? status
                            : sweepcmd_number(sweep->command, "--block", flags->block,
                                              SWEEP_MOST_BLOCK, &sweep->orders.block);
}

static void sweepcmd_add_traces(Sweep *sweep) {
    SweepPlan *plan = &sweep->plan;
    if (sweep->flags.trace == NULL && sweep->arguments.word_count == 0) {
        return; /* those of the experiment, if there are any */
    }
    cli_words_free(&plan->traces);
    if (sweep->flags.trace != NULL) {
        cli_words_add(&plan->traces, cli_format("%s", sweep->flags.trace));
    }
    for (size_t i = 0; i < sweep->arguments.word_count; i++) {
        cli_words_add(&plan->traces, cli_format("%s", sweep->arguments.words[i]));
    }
}

/* Options of the machine on the command line are axes, of one value or more. */
static int sweepcmd_read_axes(Sweep *sweep) {
    const CliArguments none = {0};
    SweepPlan *plan = &sweep->plan;
    int status = cli_configure(sweep->command, &none, sweep->flags.config_file, &plan->base);
    plan->format = sweep->flags.format;
    plan->skip_bad_records = sweep->flags.skip_bad_records;
    if (status == CLI_OK && sweep->flags.experiment != NULL) {
        status = sweep_read_file(sweep->command, plan, sweep->flags.experiment);
    }
    for (size_t i = 0; i < sweep->arguments.setting_count && status == CLI_OK; i++) {
        status = sweep_add_flag(sweep->command, plan, &sweep->arguments.settings[i]);
    }
    sweepcmd_add_traces(sweep);
    return status;
}

static int sweepcmd_check_names(const Sweep *sweep) {
    const SweepFlags *flags = &sweep->flags;
    const CliWords *traces = &sweep->plan.traces;
    CliFileName *names = cli_alloc(traces->count + 4, sizeof *names);
    size_t count = 0;
    if (flags->csv != NULL && flags->sqlite != NULL) {
        free(names);
        return cli_usage_error(sweep->command->name, "--csv and --sqlite exclude each other");
    }
    for (size_t i = 0; i < traces->count; i++) {
        names[count++] = (CliFileName){"the trace", traces->items[i], false};
    }
    names[count++] = (CliFileName){"--experiment", flags->experiment, false};
    names[count++] = (CliFileName){"--config", flags->config_file, false};
    names[count++] = (CliFileName){"--csv", flags->csv, true};
    names[count++] = (CliFileName){"--sqlite", flags->sqlite, true};
    int status = cli_output_check_names(names, count);
    free(names);
    return status;
}

/* ---- The file ------------------------------------------------------------------------------- */

/* The file that grows is beside the database, and holds at first what the database holds. */
static int sweepcmd_open_beside(Sweep *sweep, const char *path) {
    char *held = NULL;
    int status = sweep_sqlite_check(path);
    if (status == CLI_OK && !sweep->flags.restart) {
        char *header = sweep_header(&sweep->plan);
        status = sweep_sqlite_read(path, header, &held);
        free(header);
    }
    if (status == CLI_OK) {
        sweep->partial = cli_format("%s.partial", path);
        status = sweep_store_open(&sweep->store, &sweep->plan, path, sweep->partial,
                                  sweep->flags.restart, held);
    }
    free(held);
    return status;
}

static int sweepcmd_open_store(Sweep *sweep) {
    const SweepFlags *flags = &sweep->flags;
    const char *path = flags->csv != NULL ? flags->csv : "-";
    if (flags->sqlite != NULL) {
        return sweepcmd_open_beside(sweep, flags->sqlite);
    }
    return sweep_store_open(&sweep->store, &sweep->plan, path, path, flags->restart, NULL);
}

static int sweepcmd_finish(Sweep *sweep) {
    const char *database = sweep->flags.sqlite;
    if (database == NULL) {
        return sweep_store_finish(&sweep->store);
    }
    size_t length;
    char *text = sweep_store_text(&sweep->store, &length);
    int status = CLI_FAILURE;
    if (text == NULL) {
        cli_error("out of memory");
    } else {
        status = sweep_sqlite_write(database, text, length);
    }
    free(text);
    if (status == CLI_OK) {
        unlink(sweep->partial);
    }
    return status;
}

/* ---- What is said at the end ---------------------------------------------------------------- */

static size_t sweepcmd_done(const Sweep *sweep) {
    size_t done = 0;
    for (size_t i = 0; i < sweep->plan.count; i++) {
        done += sweep->plan.rows[i].text != NULL;
    }
    return done;
}

/* Rows without numbers, or whose run ended early, by what stands in their column "end". */
static size_t sweepcmd_count_ends(const Sweep *sweep, const char *end) {
    SweepRecord record = {0};
    size_t count = 0;
    for (size_t i = 0; i < sweep->plan.count; i++) {
        const char *text = sweep->plan.rows[i].text;
        sweep_scan(text, strlen(text), &record);
        char *found = sweep_field(text, &record, record.field_count - SWEEP_END_FROM_END);
        count += strcmp(found, end) == 0;
        free(found);
    }
    free(record.field);
    return count;
}

static void sweepcmd_tell_failures(const Sweep *sweep) {
    size_t failed = sweepcmd_count_ends(sweep, SWEEP_FAILED);
    size_t full = sweepcmd_count_ends(sweep, "out_of_memory");
    if (failed > 0) {
        cli_warning("%zu of %zu configurations could not be run; the column error says why", failed,
                    sweep->plan.count);
    }
    if (full > 0) {
        cli_warning("%zu of %zu configurations ran out of swap: their rows count what came before",
                    full, sweep->plan.count);
    }
}

/* A sweep that ends early: what is there, and how to go on. */
static void sweepcmd_tell_rest(const Sweep *sweep, int status) {
    const char *what = status > CLI_SIGNALLED ? "interrupted" : "ended early";
    if (sweep->store.file != NULL) {
        cli_warning("%s: %zu of %zu configurations are in %s; the same command goes on from there",
                    what, sweepcmd_done(sweep), sweep->plan.count, sweep->store.file);
    } else {
        cli_warning("%s after %zu of %zu configurations; with --csv FILE a sweep can be gone on "
                    "with",
                    what, sweepcmd_done(sweep), sweep->plan.count);
    }
}

static void sweepcmd_tell_result(const Sweep *sweep) {
    const char *file = sweep->flags.sqlite != NULL ? sweep->flags.sqlite : sweep->store.file;
    if (file != NULL && sweep->store.file != NULL) {
        char *visible = cli_visible(file);
        printf("%zu configuration%s in %s: %zu run, %zu kept\n", sweep->plan.count,
               sweep->plan.count == 1 ? "" : "s", visible, sweep->plan.count - sweep->store.kept,
               sweep->store.kept);
        free(visible);
    }
}

/* ---- The sub-command ------------------------------------------------------------------------ */

static int sweepcmd_prepare(Sweep *sweep) {
    int status = sweepcmd_read_orders(sweep);
    status = status == CLI_OK ? sweepcmd_read_axes(sweep) : status;
    status = status == CLI_OK ? sweepcmd_check_names(sweep) : status;
    status = status == CLI_OK ? sweep_make_plan(sweep->command, &sweep->plan) : status;
    return status == CLI_OK ? sweepcmd_open_store(sweep) : status;
}

static int sweepcmd_go(Sweep *sweep) {
    bool bad_input = false;
    int status = sweepcmd_prepare(sweep);
    if (status != CLI_OK) {
        return status;
    }
    status = sweep_run(&sweep->plan, &sweep->store, &sweep->orders, &bad_input);
    if (status != CLI_OK) {
        sweepcmd_tell_rest(sweep, status);
        return status;
    }
    status = sweepcmd_finish(sweep);
    if (status != CLI_OK) {
        return status;
    }
    sweepcmd_tell_failures(sweep);
    sweepcmd_tell_result(sweep);
    return bad_input ? CLI_BAD_INPUT : CLI_OK;
}

static int sweepcmd_run(const CliCommand *command, int argc, char **argv) {
    Sweep sweep = {.command = command, .store = {.fd = -1}};
    int status = cli_parse(command, argc, argv, &sweep.flags, &sweep.arguments);
    if (status == CLI_OK && sweep.arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        if (sweep.flags.quiet) {
            cli_set_level(CLI_QUIET);
        }
        status = sweepcmd_go(&sweep);
    }
    sweep_store_close(&sweep.store);
    sweep_free_plan(&sweep.plan);
    cli_arguments_free(&sweep.arguments);
    free(sweep.partial);
    return status;
}

const CliCommand cli_sweep_command = {
    .name = "sweep",
    .summary = "run all combinations of lists of options and traces, into one table",
    .synopsis = "[-t TRACE] [-a POLICIES] [--frames SIZES] [--OPTION LIST] [TRACE...] "
                "[--csv FILE | --sqlite FILE] [options]",
    .story = "Every option of the machine takes a list of values, separated by commas; the sweep "
             "runs each combination with each trace and writes one row for it: the trace, the "
             "options that were named, then all counters. Sizes and counts can be ranges: "
             "64..4096*2 doubles, 100..500+100 adds. Configurations that can share the decoding "
             "of a trace do. A sweep that was interrupted or killed is gone on with by the same "
             "command: the rows in the file are kept. The file is the same, byte for byte, for "
             "any number of jobs.",
    .examples = "vmm sweep -t app.vmt -a lru,clock,opt --frames 64..4096*2 --csv app.csv\n"
                "vmm sweep a.vmt b.vmt -a lru,clock:bits=2,enter=0 -r 1M,2M,4M --page-size 4K,64K "
                "--csv both.csv\n"
                "vmm sweep -e tlb.conf --jobs 8 --sqlite tlb.sqlite",
    .flags = sweepcmd_flags,
    .takes_options = true,
    .takes_words = true,
    .run = sweepcmd_run,
};
