/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm compare: several policies at several memory sizes, over one decoding of the trace.
 *
 *     policies x sizes = cells, in the order of the table's rows
 *     cells ──► chunks of at most COMPARE_CHUNK machines ──► vmm_run() each ──► table, files
 *
 * A cell keeps the numbers of its machine, which itself lives only as long as its chunk. Only a
 * comparison of more than one chunk reads the trace again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { COMPARE_CHUNK = 64 };

typedef struct CompareFlags {
    const char *trace, *format, *threads, *config_file, *policies, *frames, *ram, *metric;
    const char *json, *csv, *plot;
    bool csv_append, skip_bad_records, no_timing, quiet, help;
} CompareFlags;

static const CliFlag comparecmd_flags[] = {
    {"algorithm", "policy", 'a', "LIST", "fifo,lru,clock,opt", "Comparison",
     "policies, separated by commas; parameters follow their policy as ever: "
     "fifo,clock:bits=2,enter=0,lru; all takes every policy",
     offsetof(CompareFlags, policies)},
    {"frames", NULL, 0, "LIST", NULL, "Comparison",
     "memory sizes in frames, separated by commas: 100,200,400", offsetof(CompareFlags, frames)},
    {"ram", NULL, 'r', "LIST", "64M", "Comparison",
     "memory sizes, separated by commas: 512K,1M,2M; without a unit MiB",
     offsetof(CompareFlags, ram)},
    {"metric", NULL, 0, "NAME", "misses", "Comparison",
     "the number to show: a counter (vmm list counters) or avg_memory_access_time_ns",
     offsetof(CompareFlags, metric)},
    {"trace", NULL, 't', "FILE", NULL, "Trace", "the trace; - reads standard input",
     offsetof(CompareFlags, trace)},
    {"format", NULL, 0, "NAME", "auto", "Trace", "format of the trace, see vmm list formats",
     offsetof(CompareFlags, format)},
    {"skip-bad-records", NULL, 0, NULL, NULL, "Trace",
     "go on past bad records and damage, and say at the end how many were left out",
     offsetof(CompareFlags, skip_bad_records)},
    {"threads", NULL, 0, "N", "1", "Trace",
     "threads that decode a .vmt ahead, 0 to 64; the numbers do not depend on it",
     offsetof(CompareFlags, threads)},
    {"config", NULL, 0, "FILE", NULL, "Configuration",
     "read options from FILE, lines 'name = value'; flags win over the file",
     offsetof(CompareFlags, config_file)},
    {"output", NULL, 'o', "FILE", NULL, "Results",
     "write the full reports as a JSON array; - writes it to standard output in place of the "
     "table",
     offsetof(CompareFlags, json)},
    {"csv", NULL, 0, "FILE", NULL, "Results",
     "write a CSV row for each policy and size; - writes to standard output in place of the table",
     offsetof(CompareFlags, csv)},
    {"csv-append", NULL, 0, NULL, NULL, "Results", "add the rows to the CSV file",
     offsetof(CompareFlags, csv_append)},
    {"plot", NULL, 0, "FILE", NULL, "Results",
     "draw the table with gnuplot; FILE ends in .svg, .png or .pdf", offsetof(CompareFlags, plot)},
    {"no-timing", NULL, 0, NULL, NULL, "Results",
     "write 0 where wall-clock time would stand, so that equal runs give equal bytes",
     offsetof(CompareFlags, no_timing)},
    {"quiet", NULL, 'q', NULL, NULL, "Messages", "only errors on standard error",
     offsetof(CompareFlags, quiet)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(CompareFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

typedef struct CompareCell {
    bool done;      /* the machine has run, all or part of the way */
    bool swap_full; /* the machine ran out of memory */
    bool elastic;   /* of variable space */
    uint64_t misses, accesses, page_references, distinct_pages, invalid, events;
    double value;    /* of the metric */
    double resident; /* pages in memory in the mean; counted for variable space */
    char *json;      /* NULL if not asked for */
    char *csv;
} CompareCell;

typedef struct Compare {
    const CliCommand *command;
    CompareFlags flags;
    CliArguments arguments;
    VMMConfig config;        /* all but policy and size */
    CliWords policies;       /* as given */
    CliWords sizes;          /* as vmm_config_get() shows them */
    const char *size_option; /* "frames" or "ram" */
    uint32_t threads;
    const VMMStatInfo *counter; /* NULL: the average access time */
    CompareCell *cells;         /* cells[policy * sizes.count + size] */
    size_t cell_count;
    CliOutput json, csv, plot;
    char *csv_header;
    VMMTrace *trace;
    CliProgress progress;
    int error;
} Compare;

/* ---- What to compare ------------------------------------------------------------------------ */

static int comparecmd_choose_policies(Compare *compare) {
    const char *text = compare->flags.policies;
    if (text == NULL && vmm_config_is_set(&compare->config, "policy")) {
        char value[CLI_VALUE_BYTES];
        cli_config_text(&compare->config, "policy", value);
        cli_words_add(&compare->policies, cli_format("%s", value));
    } else if (text != NULL && cli_name_matches(text, "all")) {
        cli_words_add_policies(&compare->policies);
    } else {
        cli_words_split(&compare->policies, text != NULL ? text : "fifo,lru,clock,opt", true);
    }
    if (compare->policies.count == 0) {
        return cli_usage_error(compare->command->name, "-a: no policy is named");
    }
    for (size_t i = 0; i < compare->policies.count; i++) {
        int status =
            cli_check_policy(compare->command, &compare->config, compare->policies.items[i]);
        if (status != CLI_OK) {
            return status;
        }
    }
    return CLI_OK;
}

/* Checks one size and keeps it as the library writes it: "64" of RAM becomes "64M". */
static int comparecmd_choose_size(const Compare *compare, char **size) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    char value[CLI_VALUE_BYTES];
    VMMConfig config = compare->config;
    int code = vmm_config_set(&config, compare->size_option, *size, error);
    if (code == VMM_OK) {
        code = vmm_config_check(&config, error);
    }
    if (code != VMM_OK) {
        return cli_usage_error(compare->command->name, "%s", error);
    }
    free(*size);
    *size = cli_format("%s", cli_config_text(&config, compare->size_option, value));
    return CLI_OK;
}

static int comparecmd_choose_sizes(Compare *compare) {
    const CompareFlags *flags = &compare->flags;
    char value[CLI_VALUE_BYTES];
    if (flags->frames != NULL && flags->ram != NULL) {
        return cli_usage_error(compare->command->name, "--frames and --ram exclude each other");
    }
    bool frames = flags->frames != NULL ||
                  (flags->ram == NULL && vmm_config_is_set(&compare->config, "frames"));
    const char *text = frames ? flags->frames : flags->ram;
    compare->size_option = frames ? "frames" : "ram";
    if (text == NULL) {
        text = cli_config_text(&compare->config, compare->size_option, value);
    }
    if (!frames) { /* frames of a configuration file would win over the sizes given here */
        vmm_config_set(&compare->config, "frames", "auto", NULL);
    }
    cli_words_split(&compare->sizes, text, false);
    if (compare->sizes.count == 0) {
        return cli_usage_error(compare->command->name, "no memory size is named");
    }
    for (size_t i = 0; i < compare->sizes.count; i++) {
        if (comparecmd_choose_size(compare, &compare->sizes.items[i]) != CLI_OK) {
            return CLI_FAILURE;
        }
    }
    return CLI_OK;
}

static const char comparecmd_time_metric[] = "avg_memory_access_time_ns";

static const char *comparecmd_metric_at(const void *user, size_t index) {
    const VMMStatInfo *info = vmm_stat_at(index);
    (void)user;
    if (info != NULL) {
        return info->name;
    }
    return index == vmm_stat_count() ? comparecmd_time_metric : NULL;
}

static int comparecmd_choose_metric(Compare *compare) {
    const char *name = compare->flags.metric != NULL ? compare->flags.metric : "misses";
    const char *candidate;
    for (size_t i = 0; (candidate = comparecmd_metric_at(NULL, i)) != NULL; i++) {
        if (cli_name_matches(candidate, name)) {
            compare->counter = vmm_stat_at(i);
            return CLI_OK;
        }
    }
    const char *nearest = vmm_nearest_name(name, comparecmd_metric_at, NULL);
    return cli_usage_error(compare->command->name, "--metric: there is no counter '%s'%s%s%s", name,
                           nearest != NULL ? "; did you mean '" : "",
                           nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int comparecmd_check_flags(const Compare *compare) {
    const CompareFlags *flags = &compare->flags;
    if (flags->trace == NULL) {
        return cli_usage_error(compare->command->name, "no trace is named; say -t FILE");
    }
    if (flags->csv_append && flags->csv == NULL) {
        return cli_usage_error(compare->command->name, "--csv-append needs --csv FILE");
    }
    const CliFiles files = {.trace = flags->trace,
                            .config = flags->config_file,
                            .json = flags->json,
                            .csv = flags->csv,
                            .plot = flags->plot};
    int status = cli_plot_check(compare->command, "--plot", flags->plot);
    return status == CLI_OK ? cli_output_check_files(compare->command, &files) : status;
}

static int comparecmd_choose(Compare *compare) {
    int status = cli_configure(compare->command, &compare->arguments, compare->flags.config_file,
                               &compare->config);
    if (status == CLI_OK) {
        status = comparecmd_choose_metric(compare);
    }
    if (status == CLI_OK) {
        status = comparecmd_choose_sizes(compare);
    }
    if (status == CLI_OK) {
        status = comparecmd_choose_policies(compare);
    }
    if (status == CLI_OK) {
        status = comparecmd_check_flags(compare);
    }
    if (status == CLI_OK) {
        status = cli_parse_threads(compare->command, compare->flags.threads, &compare->threads);
    }
    return status;
}

static int comparecmd_open_trace(Compare *compare) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = compare->flags.skip_bad_records,
                               .page_size = cli_config_bytes(&compare->config, "page-size"),
                               .format = compare->flags.format,
                               .threads = compare->threads};
    int code = vmm_trace_open(compare->flags.trace, &options, &compare->trace, error);
    if (code == VMM_OK && compare->cell_count > COMPARE_CHUNK) {
        code = vmm_trace_keep(compare->trace);
        snprintf(error, sizeof error, "%s", vmm_trace_error_text(compare->trace));
    }
    if (code != VMM_OK) {
        cli_error("%s", error);
    }
    return cli_status(code);
}

static int comparecmd_open_outputs(Compare *compare) {
    const CompareFlags *flags = &compare->flags;
    int status = cli_output_open(&compare->json, flags->json, false);
    if (status == CLI_OK) {
        status = cli_output_open(&compare->csv, flags->csv, flags->csv_append);
    }
    if (status == CLI_OK) {
        status = cli_output_open(&compare->plot, flags->plot, false);
    }
    return status;
}

/* ---- Running -------------------------------------------------------------------------------- */

static VMM *comparecmd_create(const Compare *compare, size_t cell) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMConfig config = compare->config;
    VMM *vmm = NULL;
    vmm_config_set(&config, "policy", compare->policies.items[cell / compare->sizes.count], NULL);
    vmm_config_set(&config, compare->size_option, compare->sizes.items[cell % compare->sizes.count],
                   NULL);
    if (vmm_create_with(&config, NULL, &vmm, error) != VMM_OK) {
        cli_error("%s", error);
    }
    return vmm;
}

/* Takes from a machine all that will be shown of it. */
static void comparecmd_collect(const Compare *compare, CompareCell *cell, const VMM *vmm,
                               const VMMReportContext *context) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    cell->done = true;
    cell->swap_full = vmm_last_error(vmm) == VMM_E_OUT_OF_MEMORY;
    cell->misses = stats.misses;
    cell->accesses = stats.accesses;
    cell->page_references = stats.page_references;
    cell->invalid = stats.faults[VMM_FAULT_invalid];
    cell->events = stats.events;
    cell->distinct_pages = stats.distinct_pages;
    cell->elastic = stats.frames == 0;
    cell->resident =
        stats.page_references == 0 ? 0.0 : (double)stats.space_time / (double)stats.page_references;
    if (compare->counter == NULL) {
        cell->value = vmm_average_access_time_ns(vmm);
    } else {
        uint64_t value;
        memcpy(&value, (const char *)&stats + compare->counter->offset, sizeof value);
        cell->value = (double)value;
    }
    if (compare->json.path != NULL) {
        cell->json = cli_report(vmm, VMM_REPORT_JSON, context);
    }
    if (compare->csv.path != NULL) {
        cell->csv = cli_report(vmm, VMM_REPORT_CSV_ROW, context);
    }
}

static void comparecmd_collect_chunk(Compare *compare, VMM **vmms, size_t first, size_t count,
                                     double wall_time_ms) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(compare->trace, &info);
    for (size_t i = 0; i < count; i++) {
        size_t cell = first + i;
        char *name = cli_format("%s/%s", compare->policies.items[cell / compare->sizes.count],
                                compare->sizes.items[cell % compare->sizes.count]);
        VMMReportContext context = {.struct_size = sizeof context,
                                    .flags = compare->flags.no_timing ? VMM_REPORT_NO_TIMING : 0,
                                    .trace = &info,
                                    .config_name = name,
                                    .wall_time_ms = wall_time_ms / (double)count};
        comparecmd_collect(compare, &compare->cells[cell], vmms[i], &context);
        free(name);
    }
}

static int comparecmd_trace_failed(const Compare *compare, VMM *const *vmms, size_t count) {
    const char *text = vmm_trace_error_text(compare->trace);
    for (size_t i = 0; i < count && (text == NULL || *text == '\0'); i++) {
        text = vmm_error_text(vmms[i]);
    }
    cli_error("%s", text != NULL && *text != '\0' ? text : vmm_error_message(compare->error));
    return cli_status(compare->error);
}

static int comparecmd_run_chunk(Compare *compare, size_t first, size_t count) {
    VMM *vmms[COMPARE_CHUNK] = {NULL};
    int status = CLI_OK;
    for (size_t i = 0; i < count && status == CLI_OK; i++) {
        vmms[i] = comparecmd_create(compare, first + i);
        status = vmms[i] == NULL ? CLI_FAILURE : CLI_OK;
    }
    if (status == CLI_OK) {
        double start = cli_now();
        int error = vmm_run(vmms, count, compare->trace, cli_progress_step, &compare->progress);
        double wall_time_ms = (cli_now() - start) * 1000.0;
        cli_progress_end(&compare->progress);
        if (error != VMM_OK) {
            compare->error = error;
        }
        if (error == VMM_OK || error == VMM_E_OUT_OF_MEMORY || error == VMM_E_STOPPED) {
            comparecmd_collect_chunk(compare, vmms, first, count, wall_time_ms);
        } else {
            status = comparecmd_trace_failed(compare, vmms, count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        vmm_destroy(vmms[i]);
    }
    return status;
}

static int comparecmd_rewind(Compare *compare) {
    int code = vmm_trace_rewind(compare->trace);
    if (code != VMM_OK) {
        cli_error("%s", vmm_trace_error_text(compare->trace));
    }
    return cli_status(code);
}

static int comparecmd_run_all(Compare *compare) {
    char limit[CLI_VALUE_BYTES];
    size_t chunks = (compare->cell_count + COMPARE_CHUNK - 1) / COMPARE_CHUNK;
    int status = CLI_OK;
    cli_catch_interrupt();
    cli_progress_init(&compare->progress, !compare->flags.quiet,
                      strtoull(cli_config_text(&compare->config, "max-accesses", limit), NULL, 10));
    compare->progress.parts = (uint32_t)chunks;
    for (size_t chunk = 0; chunk < chunks && status == CLI_OK && cli_interrupted() == 0; chunk++) {
        size_t first = chunk * COMPARE_CHUNK;
        size_t left = compare->cell_count - first;
        compare->progress.part = (uint32_t)chunk + 1;
        compare->progress.pass = 0;
        if (chunk > 0) {
            status = comparecmd_rewind(compare);
        }
        if (status == CLI_OK) {
            status =
                comparecmd_run_chunk(compare, first, left < COMPARE_CHUNK ? left : COMPARE_CHUNK);
        }
    }
    cli_release_interrupt();
    if (status == CLI_OK && compare->cells[0].page_references == 0 && compare->error == VMM_OK) {
        cli_error("%s: the trace holds no references to simulate", compare->flags.trace);
        status = CLI_BAD_INPUT;
    }
    return status;
}

/* ---- The table ------------------------------------------------------------------------------ */

static bool comparecmd_shows_misses(const Compare *compare) {
    return compare->counter != NULL && strcmp(compare->counter->name, "misses") == 0;
}

static const CompareCell *comparecmd_cell(const Compare *compare, size_t policy, size_t size) {
    return &compare->cells[policy * compare->sizes.count + size];
}

/* The policy that knows the future is the bound of misses, not a competitor. */
static bool comparecmd_is_bound(const Compare *compare, size_t policy) {
    return comparecmd_shows_misses(compare) &&
           cli_name_matches(compare->policies.items[policy], "opt");
}

/* One that takes as many frames as it wants: the sizes of the table say nothing of it. */
static bool comparecmd_is_elastic(const Compare *compare, size_t policy) {
    return comparecmd_cell(compare, policy, 0)->elastic;
}

static bool comparecmd_competes(const Compare *compare, size_t policy) {
    return !comparecmd_is_bound(compare, policy) && !comparecmd_is_elastic(compare, policy);
}

static bool comparecmd_is_better(const Compare *compare, double a, double b) {
    bool more = compare->counter != NULL && strstr(compare->counter->name, "hits") != NULL;
    return more ? a > b : a < b;
}

/* The best complete competitor of a column; NULL if none is better than another. */
static const CompareCell *comparecmd_best(const Compare *compare, size_t size) {
    const CompareCell *best = NULL, *worst = NULL;
    for (size_t policy = 0; policy < compare->policies.count; policy++) {
        const CompareCell *cell = comparecmd_cell(compare, policy, size);
        if (!cell->done || cell->swap_full || !comparecmd_competes(compare, policy)) {
            continue;
        }
        if (best == NULL || comparecmd_is_better(compare, cell->value, best->value)) {
            best = cell;
        }
        if (worst == NULL || comparecmd_is_better(compare, worst->value, cell->value)) {
            worst = cell;
        }
    }
    return best != NULL && comparecmd_is_better(compare, best->value, worst->value) ? best : NULL;
}

/* "1234 12.34%*": the number, for misses its share, and the mark. */
static char *comparecmd_cell_text(const Compare *compare, size_t policy, size_t size) {
    const CompareCell *cell = comparecmd_cell(compare, policy, size);
    const CompareCell *best = comparecmd_best(compare, size);
    bool is_best = best != NULL && cell->done && !cell->swap_full &&
                   comparecmd_competes(compare, policy) && cell->value <= best->value &&
                   cell->value >= best->value;
    const char *mark = cell->swap_full                          ? "!"
                       : is_best                                ? "*"
                       : comparecmd_is_elastic(compare, policy) ? "~"
                                                                : " ";
    if (!cell->done) {
        return cli_format("- ");
    }
    if (!comparecmd_shows_misses(compare)) {
        return cli_format("%.*f%s", compare->counter == NULL ? 2 : 0, cell->value, mark);
    }
    double share = cell->page_references == 0
                       ? 0.0
                       : 100.0 * (double)cell->misses / (double)cell->page_references;
    return cli_format("%" PRIu64 " %6.2f%%%s", cell->misses, share, mark);
}

static char *comparecmd_heading(const Compare *compare, size_t size) {
    const char *text = compare->sizes.items[size];
    bool frames = strcmp(compare->size_option, "frames") == 0;
    return cli_format("%s%s ", text, !frames ? "" : strcmp(text, "1") == 0 ? " frame" : " frames");
}

static void comparecmd_widths(const Compare *compare, int *widths) {
    for (size_t size = 0; size < compare->sizes.count; size++) {
        char *heading = comparecmd_heading(compare, size);
        widths[size] = (int)strlen(heading);
        free(heading);
        for (size_t policy = 0; policy < compare->policies.count; policy++) {
            char *text = comparecmd_cell_text(compare, policy, size);
            if ((int)strlen(text) > widths[size]) {
                widths[size] = (int)strlen(text);
            }
            free(text);
        }
    }
}

static int comparecmd_name_width(const Compare *compare) {
    int width = (int)strlen("policy");
    for (size_t i = 0; i < compare->policies.count; i++) {
        if ((int)strlen(compare->policies.items[i]) > width) {
            width = (int)strlen(compare->policies.items[i]);
        }
    }
    return width;
}

/* Right-aligned; the room for the mark is not printed at the end of a line. */
static void comparecmd_print_cell(const Compare *compare, size_t size, int width, char *text) {
    size_t length = strlen(text);
    if (size + 1 == compare->sizes.count && text[length - 1] == ' ') {
        text[length - 1] = '\0';
        width--;
    }
    printf("  %*s", width, text);
    free(text);
}

static void comparecmd_print_rows(const Compare *compare) {
    int *widths = cli_alloc(compare->sizes.count, sizeof *widths);
    int name_width = comparecmd_name_width(compare);
    comparecmd_widths(compare, widths);
    printf("%-*s", name_width, "policy");
    for (size_t size = 0; size < compare->sizes.count; size++) {
        comparecmd_print_cell(compare, size, widths[size], comparecmd_heading(compare, size));
    }
    putchar('\n');
    for (size_t policy = 0; policy < compare->policies.count; policy++) {
        printf("%-*s", name_width, compare->policies.items[policy]);
        for (size_t size = 0; size < compare->sizes.count; size++) {
            comparecmd_print_cell(compare, size, widths[size],
                                  comparecmd_cell_text(compare, policy, size));
        }
        putchar('\n');
    }
    free(widths);
}

static const char *comparecmd_metric_title(const Compare *compare) {
    return compare->counter == NULL ? "average memory access time in ns" : compare->counter->name;
}

/* What the policies of variable space took instead of the sizes of the table. */
static void comparecmd_print_elastic(const Compare *compare, bool first) {
    bool any = false;
    for (size_t policy = 0; policy < compare->policies.count; policy++) {
        const CompareCell *cell = comparecmd_cell(compare, policy, 0);
        if (comparecmd_is_elastic(compare, policy) && cell->done) {
            if (!any) {
                printf("%s~ of variable space: as many pages as it wants, whatever the size says; "
                       "in the mean",
                       first ? "\n" : "");
            }
            printf("%s %s %.1f", any ? "," : "", compare->policies.items[policy], cell->resident);
            any = true;
        }
    }
    if (any) {
        putchar('\n');
    }
}

static void comparecmd_print_legend(const Compare *compare) {
    bool bound = false, best = false, failed = false;
    for (size_t policy = 0; policy < compare->policies.count; policy++) {
        bound = bound || comparecmd_is_bound(compare, policy);
    }
    for (size_t size = 0; size < compare->sizes.count; size++) {
        best = best || comparecmd_best(compare, size) != NULL;
    }
    for (size_t i = 0; i < compare->cell_count; i++) {
        failed = failed || compare->cells[i].swap_full;
    }
    if (best) {
        printf("\n* best of its column%s\n",
               bound ? "; opt knows the future: no policy can miss less" : "");
    }
    comparecmd_print_elastic(compare, !best);
    if (failed) {
        puts("! swap was full: the run ended there, and the number covers only what came before");
    }
    if (compare->error == VMM_E_STOPPED) {
        puts("Interrupted: the numbers cover only what was simulated so far.");
    }
}

/* The machine that saw most: one whose swap was full saw less of the trace than others. */
static const CompareCell *comparecmd_longest(const Compare *compare) {
    const CompareCell *longest = &compare->cells[0];
    for (size_t i = 1; i < compare->cell_count; i++) {
        if (compare->cells[i].page_references > longest->page_references) {
            longest = &compare->cells[i];
        }
    }
    return longest;
}

/* What is to be known of the trace to read the numbers rightly. */
static void comparecmd_print_trace(const Compare *compare) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(compare->trace, &info);
    uint64_t events = comparecmd_longest(compare)->events;
    if (events > 0) {
        printf("\nThe trace has %" PRIu64 " events of mappings and processes.\n", events);
    }
    if (info.reduction > 0) {
        printf("\nThe trace was reduced by SAD, k = %" PRIu64
               ": misses, faults and write-backs are "
               "those of the\nwhole trace, all else counts the references kept.\n",
               info.reduction);
    }
}

static void comparecmd_print_table(const Compare *compare) {
    char page_size[CLI_VALUE_BYTES];
    const CompareCell *longest = comparecmd_longest(compare);
    char *trace = cli_visible(compare->flags.trace);
    printf("%s, %s: %" PRIu64 " references (%" PRIu64 " page references) to %" PRIu64
           " pages of %s\n\n",
           comparecmd_shows_misses(compare) ? "misses and miss ratio"
                                            : comparecmd_metric_title(compare),
           trace, longest->accesses, longest->page_references, longest->distinct_pages,
           cli_config_text(&compare->config, "page-size", page_size));
    free(trace);
    comparecmd_print_rows(compare);
    comparecmd_print_legend(compare);
    comparecmd_print_trace(compare);
}

/* ---- Files ---------------------------------------------------------------------------------- */

static int comparecmd_write_json(Compare *compare) {
    char *text = NULL;
    size_t length = 0;
    if (compare->json.path == NULL) {
        return CLI_OK;
    }
    FILE *array = open_memstream(&text, &length);
    if (array == NULL) {
        return CLI_FAILURE;
    }
    const char *separator = "[\n";
    for (size_t i = 0; i < compare->cell_count; i++) {
        const char *json = compare->cells[i].json;
        if (json == NULL) {
            continue;
        }
        fprintf(array, "%s%.*s", separator, (int)strlen(json) - 1, json);
        separator = ",\n";
    }
    fputs("\n]\n", array);
    fclose(array);
    int status = cli_output_write(&compare->json, text, length);
    free(text);
    return status;
}

static int comparecmd_write_csv(Compare *compare) {
    char *text = NULL;
    size_t length = 0;
    if (compare->csv.path == NULL) {
        return CLI_OK;
    }
    FILE *rows = open_memstream(&text, &length);
    if (rows == NULL) {
        return CLI_FAILURE;
    }
    for (size_t i = 0; i < compare->cell_count; i++) {
        if (compare->cells[i].csv != NULL) {
            fputs(compare->cells[i].csv, rows);
        }
    }
    fclose(rows);
    int status = cli_output_write_csv(&compare->csv, compare->csv_header, text);
    free(text);
    return status;
}

/* Places on the x axis: frames, or MiB of memory. */
static double *comparecmd_plot_places(const Compare *compare) {
    double *places = cli_alloc(compare->sizes.count, sizeof *places);
    bool frames = strcmp(compare->size_option, "frames") == 0;
    for (size_t i = 0; i < compare->sizes.count; i++) {
        VMMConfig config = compare->config;
        vmm_config_set(&config, compare->size_option, compare->sizes.items[i], NULL);
        places[i] = frames ? (double)vmm_config_frames(&config)
                           : (double)cli_config_bytes(&config, "ram") / (1024.0 * 1024.0);
    }
    return places;
}

static double *comparecmd_plot_values(const Compare *compare) {
    double *values = cli_alloc(compare->cell_count, sizeof *values);
    for (size_t i = 0; i < compare->cell_count; i++) {
        const CompareCell *cell = &compare->cells[i];
        values[i] = cell->value;
        if (!cell->done || cell->swap_full) {
            values[i] = -1.0;
        } else if (comparecmd_shows_misses(compare) && cell->page_references > 0) {
            values[i] = 100.0 * (double)cell->misses / (double)cell->page_references;
        }
    }
    return values;
}

static int comparecmd_write_plot(Compare *compare) {
    char page_size[CLI_VALUE_BYTES];
    if (compare->plot.path == NULL) {
        return CLI_OK;
    }
    const char *slash = strrchr(compare->flags.trace, '/');
    bool misses = comparecmd_shows_misses(compare);
    char *title = cli_format("%s: %s%s", slash != NULL ? slash + 1 : compare->flags.trace,
                             misses ? "miss ratio by policy and memory size"
                                    : comparecmd_metric_title(compare),
                             compare->error == VMM_E_STOPPED ? " (interrupted)" : "");
    char *x_title = cli_format(strcmp(compare->size_option, "frames") == 0 ? "memory (frames of %s)"
                                                                           : "memory (pages of %s)",
                               cli_config_text(&compare->config, "page-size", page_size));
    char *y_title = compare->counter == NULL
                        ? cli_format("average memory access time (ns)")
                        : cli_format("%s (%s)", compare->counter->name, compare->counter->unit);
    double *places = comparecmd_plot_places(compare);
    double *values = comparecmd_plot_values(compare);
    CliPlot plot = {.title = title,
                    .x_title = x_title,
                    .percent = misses,
                    .y_title = misses ? "misses (share of page references)" : y_title,
                    .series = (const char *const *)compare->policies.items,
                    .series_count = compare->policies.count,
                    .x = places,
                    .x_names = (const char *const *)compare->sizes.items,
                    .x_count = compare->sizes.count,
                    .y = values};
    int status = cli_plot_write(&plot, &compare->plot);
    free(title);
    free(x_title);
    free(y_title);
    free(places);
    free(values);
    return status;
}

static void comparecmd_report_full_swap(const Compare *compare) {
    size_t full = 0;
    for (size_t i = 0; i < compare->cell_count; i++) {
        full += compare->cells[i].swap_full;
    }
    if (full > 0) {
        cli_error("%zu of %zu machines ran out of memory: swap was full; give more swap or memory",
                  full, compare->cell_count);
    }
}

static int comparecmd_report(Compare *compare) {
    if (!cli_output_is_stdout(&compare->json) && !cli_output_is_stdout(&compare->csv)) {
        comparecmd_print_table(compare);
    }
    cli_flush_stdout();
    int json = comparecmd_write_json(compare);
    int csv = comparecmd_write_csv(compare);
    int plot = comparecmd_write_plot(compare);
    comparecmd_report_full_swap(compare);
    if (compare->error != VMM_OK) {
        return cli_status(compare->error);
    }
    return json != CLI_OK || csv != CLI_OK || plot != CLI_OK ? CLI_FAILURE : CLI_OK;
}

/* ---- The sub-command ------------------------------------------------------------------------ */

static void comparecmd_warn(const Compare *compare) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(compare->trace, &info);
    cli_warn_losses(compare->trace, &info);
    cli_warn_invalid(&compare->config, comparecmd_longest(compare)->invalid, NULL);
}

/* The header needs a machine; the first cell's serves. */
static int comparecmd_check_csv(Compare *compare) {
    if (compare->csv.path == NULL) {
        return CLI_OK;
    }
    VMM *vmm = comparecmd_create(compare, 0);
    if (vmm == NULL) {
        return CLI_FAILURE;
    }
    compare->csv_header = cli_report(vmm, VMM_REPORT_CSV_HEADER, NULL);
    vmm_destroy(vmm);
    return compare->csv_header == NULL
               ? CLI_FAILURE
               : cli_output_check_header(&compare->csv, compare->csv_header);
}

static int comparecmd_go(Compare *compare) {
    int status = comparecmd_choose(compare);
    if (status != CLI_OK) {
        return status;
    }
    compare->cell_count = compare->policies.count * compare->sizes.count;
    compare->cells = cli_alloc(compare->cell_count, sizeof *compare->cells);
    status = comparecmd_open_trace(compare);
    if (status == CLI_OK) {
        status = comparecmd_open_outputs(compare);
    }
    if (status == CLI_OK) {
        status = comparecmd_check_csv(compare);
    }
    if (status == CLI_OK) {
        status = comparecmd_run_all(compare);
    }
    if (status != CLI_OK) {
        return status;
    }
    comparecmd_warn(compare);
    return comparecmd_report(compare);
}

static void comparecmd_close(Compare *compare) {
    cli_output_discard(&compare->json);
    cli_output_discard(&compare->csv);
    cli_output_discard(&compare->plot);
    vmm_trace_close(compare->trace);
    for (size_t i = 0; compare->cells != NULL && i < compare->cell_count; i++) {
        free(compare->cells[i].json);
        free(compare->cells[i].csv);
    }
    free(compare->cells);
    free(compare->csv_header);
    cli_words_free(&compare->policies);
    cli_words_free(&compare->sizes);
    cli_arguments_free(&compare->arguments);
}

static int comparecmd_run(const CliCommand *command, int argc, char **argv) {
    Compare compare = {
        .command = command, .json = {.fd = -1}, .csv = {.fd = -1}, .plot = {.fd = -1}};
    int status = cli_parse(command, argc, argv, &compare.flags, &compare.arguments);
    if (status == CLI_OK && compare.arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        if (compare.flags.quiet) {
            cli_set_level(CLI_QUIET);
        }
        status = comparecmd_go(&compare);
    }
    comparecmd_close(&compare);
    return status;
}

const CliCommand cli_compare_command = {
    .name = "compare",
    .summary = "run several policies and memory sizes over one trace, and show a table",
    .synopsis = "-t TRACE [-a POLICIES] [--frames SIZES | -r SIZES] [options]",
    .story = "Reads the trace once and simulates every policy at every memory size, all other "
             "options being equal. The table has a row for each policy and a column for each "
             "size.",
    .examples = "vmm compare -t app.trace -a fifo,lru,clock,opt --frames 100,200,400\n"
                "vmm compare -t app.trace -a clock:bits=1,clock:bits=2,enter=0 -r 1M,2M,4M\n"
                "vmm compare -t app.trace -a all -r 1M --metric swap_outs --csv all.csv\n"
                "vmm compare -t app.trace -a lru,opt --frames 64,128,256,512 --plot curve.svg",
    .flags = comparecmd_flags,
    .takes_options = true,
    .run = comparecmd_run,
};
