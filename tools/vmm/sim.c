/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm sim: one trace through one machine, one report. The default sub-command.
 *
 *     flags ──► configuration ──► outputs and trace opened ──► run ──► report, JSON, CSV
 *
 * Everything that can be wrong with names and values is found before the run. The report comes
 * whole, after the run: with bad input there is a message and no half report.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

typedef struct SimFlags {
    const char *trace, *format, *threads, *config_file, *json, *csv, *config_name, *memory;
    const char *memory_every, *memory_plot;
    bool csv_append, skip_bad_records, no_timing, verbose, debug, quiet, help;
} SimFlags;

static const CliFlag simcmd_flags[] = {
    {"trace", NULL, 't', "FILE", NULL, "Trace",
     "the trace to simulate; - reads standard input; gzip, xz, zstd, bzip2 and zip are unpacked",
     offsetof(SimFlags, trace)},
    {"format", NULL, 0, "NAME", "auto", "Trace",
     "format of the trace, see vmm list formats; auto finds out from the content",
     offsetof(SimFlags, format)},
    {"skip-bad-records", NULL, 0, NULL, NULL, "Trace",
     "go on past bad records and damage, and say at the end how many were left out",
     offsetof(SimFlags, skip_bad_records)},
    {"threads", NULL, 0, "N", "1", "Trace",
     "threads that decode a .vmt ahead, 0 to 64; the numbers do not depend on it",
     offsetof(SimFlags, threads)},
    {"config", NULL, 0, "FILE", NULL, "Configuration",
     "read options from FILE, lines 'name = value'; flags win over the file",
     offsetof(SimFlags, config_file)},
    {"output", NULL, 'o', "FILE", NULL, "Results",
     "write a JSON report; - writes it to standard output in place of the text",
     offsetof(SimFlags, json)},
    {"csv", NULL, 0, "FILE", NULL, "Results",
     "write a CSV report; - writes it to standard output in place of the text",
     offsetof(SimFlags, csv)},
    {"csv-append", NULL, 0, NULL, NULL, "Results",
     "add a row to the CSV file; the header is written when the file is new or empty",
     offsetof(SimFlags, csv_append)},
    {"config-name", NULL, 0, "NAME", "default", "Results", "first column of the CSV row",
     offsetof(SimFlags, config_name)},
    {"memory", NULL, 0, "FILE", NULL, "Results",
     "write the memory of each process and of all over time as CSV: RSS, USS, PSS, page tables, "
     "...",
     offsetof(SimFlags, memory)},
    {"memory-plot", NULL, 0, "FILE", NULL, "Results",
     "draw the same with gnuplot: RSS, PSS, USS and swap of each process, frames in use and "
     "shared; "
     "FILE ends in .svg, .png or .pdf; - draws with characters below the report",
     offsetof(SimFlags, memory_plot)},
    {"memory-every", NULL, 0, "N", "100000", "Results",
     "references between two points of --memory and --memory-plot",
     offsetof(SimFlags, memory_every)},
    {"no-timing", NULL, 0, NULL, NULL, "Results",
     "write 0 where wall-clock time would stand, so that equal runs give equal bytes",
     offsetof(SimFlags, no_timing)},
    {"verbose", NULL, 'V', NULL, NULL, "Messages",
     "add the table of processes to the report, and say what is done on standard error",
     offsetof(SimFlags, verbose)},
    {"debug", NULL, 'D', NULL, NULL, "Messages",
     "write a line for each page reference to standard error: address split, TLB, walk, fault, "
     "frame, victim and why",
     offsetof(SimFlags, debug)},
    {"quiet", NULL, 'q', NULL, NULL, "Messages", "only errors on standard error",
     offsetof(SimFlags, quiet)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(SimFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

/* A run and all that it holds; simcmd_close() releases it at any stage. */
typedef struct SimRun {
    SimFlags flags;
    CliArguments arguments;
    VMMConfig config;
    uint32_t threads;
    CliOutput json, csv, memory;
    CliOutput memory_plot;
    CliMemory points; /* of --memory and --memory-plot */
    CliProgress progress;
    uint64_t references; /* delivered by the trace so far */
    VMMTrace *trace;
    VMM *vmm;
    CliSteps steps;
    VMMTraceInfo info;
    double wall_time_ms;
    int error; /* of vmm_run() */
} SimRun;

/* ---- Before the run ------------------------------------------------------------------------- */

/* Is the memory of processes drawn with characters? */
static bool simcmd_draws_below(const SimFlags *flags) {
    return flags->memory_plot != NULL && strcmp(flags->memory_plot, "-") == 0;
}

static bool simcmd_replaces_text(const SimFlags *flags) {
    return (flags->json != NULL && strcmp(flags->json, "-") == 0) ||
           (flags->csv != NULL && strcmp(flags->csv, "-") == 0);
}

/* The file to draw into, or NULL. */
static const char *simcmd_plot_file(const SimFlags *flags) {
    return simcmd_draws_below(flags) ? NULL : flags->memory_plot;
}

static int simcmd_check_flags(const CliCommand *command, const SimFlags *flags) {
    if (flags->trace == NULL) {
        return cli_usage_error(command->name, "no trace is named; say -t FILE, or -t - for "
                                              "standard input");
    }
    if (flags->memory_every != NULL && flags->memory == NULL && flags->memory_plot == NULL) {
        return cli_usage_error(command->name,
                               "--memory-every needs --memory FILE or --memory-plot FILE");
    }
    if (simcmd_draws_below(flags) && simcmd_replaces_text(flags)) {
        return cli_usage_error(command->name, "--memory-plot - stands below the text report, which "
                                              "-o - or --csv - replaces; name a file for one of "
                                              "them");
    }
    if (flags->csv_append && flags->csv == NULL) {
        return cli_usage_error(command->name, "--csv-append needs --csv FILE");
    }
    return cli_plot_check(command, "--memory-plot", simcmd_plot_file(flags));
}

static int simcmd_configure(const CliCommand *command, SimRun *run) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    int status = cli_configure(command, &run->arguments, run->flags.config_file, &run->config);
    int code = status == CLI_OK ? vmm_config_check(&run->config, error) : VMM_OK;
    return code == VMM_OK ? status : cli_config_error(command->name, code, error);
}

static int simcmd_open_trace(SimRun *run) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = run->flags.skip_bad_records,
                               .page_size = cli_config_bytes(&run->config, "page-size"),
                               .format = run->flags.format,
                               .threads = run->threads};
    int code = vmm_trace_open(run->flags.trace, &options, &run->trace, error);
    if (code != VMM_OK) {
        cli_error("%s", error);
    }
    return cli_status(code);
}

static int simcmd_open_machine(SimRun *run) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    int code = vmm_create_with(&run->config, NULL, &run->vmm, error);
    if (code != VMM_OK) {
        cli_error("%s", error);
        return CLI_FAILURE;
    }
    if (run->flags.debug) {
        cli_steps_init(&run->steps, &run->config);
        vmm_observe(run->vmm, cli_steps_print, &run->steps);
    }
    return CLI_OK;
}

/* The outputs are tried before the run, and the header of a CSV that is appended to as well. */
static int simcmd_open_outputs(SimRun *run) {
    int status = cli_output_open(&run->json, run->flags.json, false);
    if (status == CLI_OK) {
        status = cli_output_open(&run->csv, run->flags.csv, run->flags.csv_append);
    }
    if (status == CLI_OK) {
        status = cli_output_open(&run->memory, run->flags.memory, false);
    }
    if (status == CLI_OK) {
        status = cli_output_open(&run->memory_plot, simcmd_plot_file(&run->flags), false);
    }
    if (status != CLI_OK || run->csv.path == NULL) {
        return status;
    }
    char *header = cli_report(run->vmm, VMM_REPORT_CSV_HEADER, NULL);
    status = header == NULL ? CLI_FAILURE : cli_output_check_header(&run->csv, header);
    free(header);
    return status;
}

static int simcmd_open(const CliCommand *command, SimRun *run) {
    int status = simcmd_configure(command, run);
    if (status == CLI_OK) {
        status = simcmd_check_flags(command, &run->flags);
    }
    if (status == CLI_OK) {
        status = cli_parse_threads(command, run->flags.threads, &run->threads);
    }
    if (status == CLI_OK && (run->flags.memory != NULL || run->flags.memory_plot != NULL)) {
        status = cli_memory_init(command, &run->points, run->flags.memory_every,
                                 run->flags.memory_plot != NULL);
    }
    if (status == CLI_OK) {
        const SimFlags *flags = &run->flags;
        const CliFiles files = {.trace = flags->trace,
                                .config = flags->config_file,
                                .json = flags->json,
                                .csv = flags->csv,
                                .memory = flags->memory,
                                .memory_plot = simcmd_plot_file(flags)};
        status = cli_output_check_files(command, &files);
    }
    if (status == CLI_OK) {
        status = simcmd_open_trace(run);
    }
    if (status == CLI_OK) {
        status = simcmd_open_machine(run);
    }
    if (status == CLI_OK) {
        status = simcmd_open_outputs(run);
    }
    return status;
}

static void simcmd_close(SimRun *run) {
    cli_output_discard(&run->json);
    cli_output_discard(&run->csv);
    cli_output_discard(&run->memory);
    cli_output_discard(&run->memory_plot);
    cli_memory_free(&run->points);
    vmm_destroy(run->vmm);
    vmm_trace_close(run->trace);
    cli_arguments_free(&run->arguments);
}

/* ---- The run -------------------------------------------------------------------------------- */

static uint64_t simcmd_limit(const VMMConfig *config) {
    char value[CLI_VALUE_BYTES];
    return strtoull(cli_config_text(config, "max-accesses", value), NULL, 10);
}

static int simcmd_step(void *user, const VMMProgress *now) {
    SimRun *run = user;
    if (run->points.every > 0 && now->pass == now->passes) {
        cli_memory_add(&run->points, run->vmm, now->references);
    }
    run->references = now->references;
    return cli_progress_step(&run->progress, now);
}

static void simcmd_simulate(SimRun *run) {
    bool draws = !run->flags.quiet && !run->flags.debug;
    cli_catch_interrupt();
    cli_progress_init(&run->progress, draws, simcmd_limit(&run->config));
    double start = cli_now();
    run->error = vmm_run_every(&run->vmm, 1, run->trace, run->points.every, simcmd_step, run);
    run->wall_time_ms = (cli_now() - start) * 1000.0;
    cli_release_interrupt();
    cli_progress_end(&run->progress);
    run->info = (VMMTraceInfo){.struct_size = sizeof run->info};
    vmm_trace_info(run->trace, &run->info);
    if (run->points.every > 0) {
        cli_memory_end(&run->points, run->vmm, run->references);
    }
}

/* CLI_GO_ON if there is something to report, else the exit status after a message. */
static int simcmd_judge(const SimRun *run) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(run->vmm, &stats);
    if (run->error != VMM_OK && run->error != VMM_E_OUT_OF_MEMORY &&
        run->error != VMM_E_INVALID_ADDRESS && run->error != VMM_E_STOPPED) {
        const char *text = vmm_trace_error_text(run->trace);
        if (text == NULL || *text == '\0') {
            text = vmm_error_text(run->vmm);
        }
        cli_error("%s", *text != '\0' ? text : vmm_error_message(run->error));
        return cli_status(run->error);
    }
    if (stats.accesses + stats.kernel_references + stats.filtered == 0 && run->error == VMM_OK) {
        cli_error("%s: the trace holds no references", run->flags.trace);
        return CLI_BAD_INPUT;
    }
    if (stats.accesses + stats.kernel_references == 0 && run->error == VMM_OK) {
        cli_warning("--refs left out all %" PRIu64 " references", stats.filtered);
    }
    return CLI_GO_ON;
}

static void simcmd_warn(const SimRun *run) {
    const VMMTraceInfo *info = &run->info;
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(run->vmm, &stats);
    cli_warn_losses(run->trace, info);
    cli_warn_unread(&run->config);
    if (run->error != VMM_E_INVALID_ADDRESS) { /* which tells of it by itself */
        cli_warn_invalid(&run->config, stats.faults[VMM_FAULT_invalid], run->vmm);
        cli_warn_killed(run->vmm);
    }
    if (run->flags.memory_plot != NULL && run->points.point_count == 1) {
        cli_warning("--memory-plot has a single point: the trace ends behind reference %" PRIu64
                    "; say --memory-every N with a smaller N",
                    run->references);
    }
    cli_info("%s: format %s, compression %s, %" PRIu64 " references, %" PRIu64
             " records without a reference",
             info->path, info->format, info->compression, info->references, info->ignored_records);
}

/* ---- After the run -------------------------------------------------------------------------- */

static void simcmd_print_part(const SimRun *run, VMMReportKind kind,
                              const VMMReportContext *context) {
    char *text = cli_report(run->vmm, kind, context);
    if (text != NULL) {
        fputs(text, stdout);
    }
    free(text);
}

static void simcmd_print_end(const SimRun *run) {
    if (run->error == VMM_OK && run->info.damaged_bytes > 0) {
        puts("\nSimulation completed on damaged input: the numbers above cover only what could be "
             "read.");
    } else if (run->error == VMM_OK) {
        puts("\nSimulation completed successfully.");
    } else if (run->error == VMM_E_STOPPED) {
        puts("\nSimulation interrupted: the numbers above cover only what was simulated so far.");
    } else {
        printf("\nSimulation ended early: %s.\n", vmm_error_message(run->error));
    }
}

static void simcmd_print(const SimRun *run, const VMMReportContext *context) {
    if (cli_output_is_stdout(&run->json) || cli_output_is_stdout(&run->csv)) {
        return;
    }
    simcmd_print_part(run, VMM_REPORT_TEXT_CONFIG, context);
    simcmd_print_part(run, VMM_REPORT_TEXT_SUMMARY, context);
    if (run->flags.verbose) {
        simcmd_print_part(run, VMM_REPORT_TEXT_PROCESSES, context);
    }
    simcmd_print_end(run);
    if (simcmd_draws_below(&run->flags)) {
        cli_memory_print(&run->points);
    }
}

static int simcmd_write_json(SimRun *run, const VMMReportContext *context) {
    if (run->json.path == NULL) {
        return CLI_OK;
    }
    char *text = cli_report(run->vmm, VMM_REPORT_JSON, context);
    int status = text == NULL ? CLI_FAILURE : cli_output_write(&run->json, text, strlen(text));
    free(text);
    return status;
}

static int simcmd_write_csv(SimRun *run, const VMMReportContext *context) {
    if (run->csv.path == NULL) {
        return CLI_OK;
    }
    char *header = cli_report(run->vmm, VMM_REPORT_CSV_HEADER, context);
    char *row = cli_report(run->vmm, VMM_REPORT_CSV_ROW, context);
    int status = CLI_FAILURE;
    if (header != NULL && row != NULL) {
        status = cli_output_write_csv(&run->csv, header, row);
    }
    free(header);
    free(row);
    return status;
}

/* The series of the memory of processes: the CSV file, and the picture. */
static int simcmd_write_memory(SimRun *run) {
    const char *slash = strrchr(run->flags.trace, '/');
    int csv = run->memory.path == NULL ? CLI_OK : cli_memory_write(&run->points, &run->memory);
    if (run->memory_plot.path == NULL) {
        return csv;
    }
    char *title = cli_format("%s: memory over time", slash != NULL ? slash + 1 : run->flags.trace);
    int plot = cli_memory_plot(&run->points, title, &run->memory_plot);
    free(title);
    return csv != CLI_OK ? csv : plot;
}

/* The report goes out even if a file cannot be written: the run is not lost. */
static int simcmd_report(SimRun *run) {
    VMMReportContext context = {.struct_size = sizeof context,
                                .flags = run->flags.no_timing ? VMM_REPORT_NO_TIMING : 0,
                                .trace = &run->info,
                                .config_name = run->flags.config_name,
                                .wall_time_ms = run->wall_time_ms};
    simcmd_print(run, &context);
    cli_flush_stdout();
    int json = simcmd_write_json(run, &context);
    int csv = simcmd_write_csv(run, &context);
    int memory = simcmd_write_memory(run);
    csv = csv != CLI_OK ? csv : memory;
    if (run->error == VMM_E_OUT_OF_MEMORY || run->error == VMM_E_INVALID_ADDRESS) {
        cli_error("%s", vmm_error_text(run->vmm));
    }
    if (run->error != VMM_OK) {
        return cli_status(run->error);
    }
    return json != CLI_OK ? json : csv;
}

static void simcmd_set_level(const SimFlags *flags) {
    if (flags->quiet) {
        cli_set_level(CLI_QUIET);
    } else if (flags->verbose || flags->debug) {
        cli_set_level(CLI_TALKATIVE);
    }
}

static int simcmd_run(const CliCommand *command, int argc, char **argv) {
    SimRun run = {
        .json = {.fd = -1}, .csv = {.fd = -1}, .memory = {.fd = -1}, .memory_plot = {.fd = -1}};
    int status = cli_parse(command, argc, argv, &run.flags, &run.arguments);
    if (status == CLI_OK && run.arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        simcmd_set_level(&run.flags);
        status = simcmd_open(command, &run);
        if (status == CLI_OK) {
            simcmd_simulate(&run);
            status = simcmd_judge(&run);
            simcmd_warn(&run);
        }
        if (status == CLI_GO_ON) {
            status = simcmd_report(&run);
        }
    }
    simcmd_close(&run);
    return status;
}

const CliCommand cli_sim_command = {
    .name = "sim",
    .summary = "simulate one trace and report (what vmm does when no command is named)",
    .synopsis = "-t TRACE [options]",
    .story = "Sends the memory references of a trace through one simulated machine and prints "
             "what happened: faults, TLB misses, page walks, swap traffic, time. The report goes "
             "to standard output, all else to standard error.",
    .examples = "vmm -t app.trace -r 64 -a clock\n"
                "vmm -t sort.lackey.gz --frames 100 -a lru --pt-type FOUR_LEVEL -o result.json\n"
                "valgrind --tool=lackey --trace-mem=yes ls 2>&1 | vmm -t - -r 1M -a clock:bits=2\n"
                "vmm -t app.trace -r 32 --csv all.csv --csv-append --config-name small",
    .flags = simcmd_flags,
    .takes_options = true,
    .run = simcmd_run,
};
