/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace info: what a trace is and what is in it, for people and as JSON. Both are printed from
 * one TraceCount; --quick prints what a .vmt says of itself, without reading its blocks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trace_cmd.h"

enum { INFO_FILES_SHOWN = 20, INFO_PROCESSES_SHOWN = 50 };
enum { INFO_WRITTEN = 1u << VMM_OP_WRITE | TRACE_PAGE_KERNEL_WRITE };

typedef struct InfoFlags {
    TraceCommon common;
    bool json, quick;
} InfoFlags;

static const CliFlag info_flags[] = {
    {"json", NULL, 0, NULL, NULL, "Output", "an object for programs; holds all processes and files",
     offsetof(InfoFlags, json)},
    {"quick", NULL, 0, NULL, NULL, "Output",
     "only what a .vmt says of itself, without reading its references", offsetof(InfoFlags, quick)},
    TRACE_COMMON_FLAGS(InfoFlags),
    TRACE_FLAGS_END,
};

typedef struct InfoRun {
    InfoFlags flags;
    TraceReading input;
    TraceCount count;
    VMMTraceInfo info;
    bool complete; /* all was read */
} InfoRun;

/* ---- Pieces of both forms ------------------------------------------------------------------- */

static uint64_t info_all_references(const InfoRun *run) {
    const TraceCount *count = &run->count;
    return count->references[VMM_OP_READ] + count->references[VMM_OP_WRITE] +
           count->references[VMM_OP_FETCH] + count->kernel_references;
}

static double info_share(uint64_t part, uint64_t all) {
    return all > 0 ? 100.0 * (double)part / (double)all : 0.0;
}

/* "4.8 MiB"; free() it. */
static char *info_size(uint64_t bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024.0 && unit < 6; unit++) {
        value /= 1024.0;
    }
    return unit == 0 ? cli_format("%" PRIu64 " bytes", bytes)
                     : cli_format("%.1f %s", value, units[unit]);
}

/* "2026-11-25T22:10:11Z"; free() it. */
static char *info_time(uint64_t nanoseconds) {
    time_t seconds = (time_t)(nanoseconds / 1000000000);
    struct tm parts;
    char text[64] = "";
    if (gmtime_r(&seconds, &parts) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return cli_format("%s", text);
}

static char *info_uuid(const uint8_t uuid[16]) {
    char text[37];
    char *at = text;
    for (size_t i = 0; i < 16; i++) {
        at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
    }
    return cli_format("%s", text);
}

static uint64_t info_pages_with(const InfoRun *run, unsigned ops) {
    const TracePages *pages = &run->count.pages;
    uint64_t found = 0;
    for (size_t i = 0; i < (size_t)1 << pages->bits; i++) {
        found += pages->table[i].window != 0 && (pages->table[i].ops & ops) != 0;
    }
    return found;
}

static uint64_t info_threads(const InfoRun *run) {
    uint64_t threads = 0;
    for (uint32_t i = 0; i < run->count.process_count; i++) {
        threads += run->count.processes[i].thread_count;
    }
    return threads;
}

/* ---- Text ----------------------------------------------------------------------------------- */

static void info_line(const char *name, const char *text) {
    if (text != NULL && *text != '\0') {
        char *visible = cli_visible(text);
        printf("  %-14s %s\n", name, visible);
        free(visible);
    }
}

static void info_number(const char *name, uint64_t value, const char *behind) {
    printf("  %-14s %" PRIu64 "%s\n", name, value, behind);
}

/* What the trace says of itself. */
static void info_print_header(const InfoRun *run) {
    const VMMTraceHeader *header = run->input.header;
    if (header == NULL) {
        return;
    }
    char *when = info_time(header->start_time_ns), *uuid = info_uuid(header->uuid);
    char *page = info_size(header->page_size);
    info_line("Command:", header->command);
    info_line("Recorded:", when);
    info_line("Recorder:", header->recorder);
    info_line("Host:", header->host);
    info_line("Note:", header->note);
    info_line("UUID:", uuid);
    printf("  %-14s version %" PRIu32 ", codec %s, pages of %s, mappings %s\n",
           "Format:", header->version, header->codec, page,
           run->info.mappings_complete ? "complete" : "partly known");
    if (header->complete) {
        info_number("Index:", header->total_references, " references");
    } else if (tracecmd_sees_index(&run->input)) {
        info_line("Index:", "none: the trace was cut off");
    }
    if (run->info.reduction != 0) {
        printf("  %-14s exact for LRU memories of at least %" PRIu64 " frames",
               "Reduced:", run->info.reduction);
        if (header->original_references != 0) {
            printf("; %" PRIu64 " references before", header->original_references);
        }
        putchar('\n');
    }
    free(when);
    free(uuid);
    free(page);
}

static void info_print_file(const InfoRun *run) {
    char *path = cli_visible(run->input.path), *size = info_size(run->info.bytes_read);
    printf("%s\n", path);
    printf("  %-14s %s, compression %s\n", "Trace:", run->info.format, run->info.compression);
    if (run->flags.quick) {
        free(size);
        size = info_size(run->info.bytes_total);
        info_line("Size:", size);
    } else {
        printf("  %-14s %s, %.3f bytes a reference\n", "Size:", size,
               (double)run->info.bytes_read /
                   (double)(info_all_references(run) + (info_all_references(run) == 0)));
    }
    free(path);
    free(size);
}

static void info_print_references(const InfoRun *run) {
    static const char *const names[VMM_OP_COUNT] = {"  reads", "  writes", "  fetches"};
    const TraceCount *count = &run->count;
    uint64_t all = info_all_references(run);
    char share[64];
    putchar('\n');
    info_number("References:", all, run->complete ? "" : " so far");
    for (size_t op = 0; op < VMM_OP_COUNT; op++) {
        snprintf(share, sizeof share, " (%.1f %%)", info_share(count->references[op], all));
        info_number(names[op], count->references[op], share);
    }
    if (count->kernel_references > 0) {
        snprintf(share, sizeof share, ", %" PRIu64 " of them writes", count->kernel_writes);
        info_number("  by the kernel", count->kernel_references, share);
    }
    if (count->crossings > 0) {
        info_number("  crossing", count->crossings, " reach into another page");
    }
    if (count->lost > 0) {
        info_number("  lost", count->lost, " at least: they are missing");
    }
}

static void info_print_pages(const InfoRun *run) {
    uint64_t size = UINT64_C(1) << run->count.page_shift, pages = run->count.pages.count;
    char *footprint = info_size(pages * size);
    printf("  %-14s %" PRIu64 " of %" PRIu64 " bytes: a footprint of %s\n", "Pages:", pages, size,
           footprint);
    info_number("  written", info_pages_with(run, INFO_WRITTEN), "");
    info_number("  fetched from", info_pages_with(run, 1u << VMM_OP_FETCH), "");
    info_number("Processes:", run->count.process_count, "");
    info_number("Threads:", info_threads(run), "");
    free(footprint);
}

static void info_print_events(const InfoRun *run) {
    char *text = cli_format("%" PRIu64, run->info.events);
    bool first = true;
    for (uint32_t type = 0; type < TRACE_EVENT_TYPES; type++) {
        if (run->count.events[type] > 0) {
            const char *name = vmm_event_name(type);
            char *longer = cli_format("%s%s %" PRIu64 " %s", text, first ? ":" : ",",
                                      run->count.events[type], name != NULL ? name : "unknown");
            free(text);
            text = longer;
            first = false;
        }
    }
    info_line("Events:", text);
    free(text);
}

static const char *info_executable(const InfoRun *run, const TraceProcess *process) {
    const VMMTraceFile *file =
        process->executable != 0 ? vmm_trace_file(run->input.trace, process->executable) : NULL;
    return file != NULL ? file->path : "";
}

/* "exit 0", "signal 9"; free() it. */
static char *info_end(const TraceProcess *process) {
    uint64_t status = (uint64_t)process->ended;
    return process->ended < 0     ? cli_format("%s", "")
           : (status & 0x7f) != 0 ? cli_format("signal %" PRIu64, status & 0x7f)
                                  : cli_format("exit %" PRIu64, status >> 8 & 0xff);
}

static void info_print_processes(const InfoRun *run) {
    uint32_t count = run->count.process_count;
    printf("\n  %10s %10s %7s %14s %14s %14s %10s %9s  %-9s %s\n", "process", "parent", "threads",
           "reads", "writes", "fetches", "kernel", "pages", "end", "program");
    for (uint32_t i = 0; i < count && i < INFO_PROCESSES_SHOWN; i++) {
        const TraceProcess *process = &run->count.processes[i];
        char *end = info_end(process), *program = cli_visible(info_executable(run, process));
        printf("  %10" PRIu32 " %10" PRIu32 " %7" PRIu32 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64
               " %10" PRIu64 " %9" PRIu64 "  %-9s %s\n",
               process->pid, process->parent, process->thread_count,
               process->references[VMM_OP_READ], process->references[VMM_OP_WRITE],
               process->references[VMM_OP_FETCH], process->kernel_references, process->pages, end,
               program);
        free(end);
        free(program);
    }
    if (count > INFO_PROCESSES_SHOWN) {
        printf("  ... and %" PRIu32 " more (--json has all)\n", count - INFO_PROCESSES_SHOWN);
    }
}

static void info_print_files(const InfoRun *run) {
    uint32_t shown = 0, more = 0;
    for (uint32_t i = 0; i < run->count.file_count; i++) {
        const TraceMapped *mapped = &run->count.files[i];
        const VMMTraceFile *file = vmm_trace_file(run->input.trace, i + 1);
        if (mapped->mappings == 0 || file == NULL) {
            continue;
        }
        if (shown++ == 0) {
            printf("\n  %8s %12s  %s\n", "mappings", "bytes", "file");
        }
        if (shown > INFO_FILES_SHOWN) {
            more++;
            continue;
        }
        char *path = cli_visible(file->path);
        printf("  %8" PRIu64 " %12" PRIu64 "  %s\n", mapped->mappings, mapped->bytes, path);
        free(path);
    }
    if (more > 0) {
        printf("  ... and %" PRIu32 " more (--json has all)\n", more);
    }
}

static void info_print_time(const InfoRun *run) {
    const TracePages *pages = &run->count.pages;
    unsigned level = tracecmd_pages_level(pages);
    size_t windows = tracecmd_pages_windows(pages, level);
    uint64_t length = UINT64_C(1) << (TRACE_WINDOW_SHIFT + level);
    uint32_t sum[TRACE_WINDOWS] = {0};
    uint32_t total = 0;
    for (size_t i = 0; i < windows; i++) {
        total += pages->fresh[level][i];
        sum[i] = total;
    }
    printf("\n  Different pages in each %" PRIu64 " references (working set)\n", length);
    tracecmd_print_picture(pages->touched[level], windows);
    puts("\n  Different pages since the beginning (footprint)");
    tracecmd_print_picture(sum, windows);
    printf("  %10s  0%*s%" PRIu64 " references\n", "", (int)(windows > 20 ? windows - 20 : 2), "",
           pages->references);
}

static void info_print_text(const InfoRun *run) {
    info_print_file(run);
    info_print_header(run);
    if (run->flags.quick) {
        return;
    }
    info_print_references(run);
    info_print_pages(run);
    info_print_events(run);
    info_print_processes(run);
    info_print_files(run);
    info_print_time(run);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void info_json_text(const char *name, const char *text) {
    printf(",\n  \"%s\": ", name);
    cli_print_json_string(stdout, text);
}

static void info_json_number(const char *name, uint64_t value) {
    printf(",\n  \"%s\": %" PRIu64, name, value);
}

static void info_json_header(const InfoRun *run) {
    const VMMTraceHeader *header = run->input.header;
    if (header == NULL) {
        return;
    }
    char *uuid = info_uuid(header->uuid);
    info_json_text("codec", header->codec);
    info_json_text("command", header->command);
    info_json_text("host", header->host);
    info_json_text("recorder", header->recorder);
    info_json_text("note", header->note);
    info_json_text("uuid", uuid);
    info_json_number("version", header->version);
    info_json_number("start_time_ns", header->start_time_ns);
    info_json_number("recorded_page_size", header->page_size);
    info_json_number("index_references", header->total_references);
    info_json_number("original_references", header->original_references);
    info_json_number("reduction", run->info.reduction);
    printf(",\n  \"mappings_complete\": %s", run->info.mappings_complete ? "true" : "false");
    free(uuid);
}

static void info_json_counts(const InfoRun *run) {
    const TraceCount *count = &run->count;
    info_json_number("references", info_all_references(run));
    info_json_number("reads", count->references[VMM_OP_READ]);
    info_json_number("writes", count->references[VMM_OP_WRITE]);
    info_json_number("fetches", count->references[VMM_OP_FETCH]);
    info_json_number("kernel_references", count->kernel_references);
    info_json_number("kernel_writes", count->kernel_writes);
    info_json_number("crossing_references", count->crossings);
    info_json_number("lost_references", count->lost);
    info_json_number("bad_records", run->info.bad_records);
    info_json_number("ignored_records", run->info.ignored_records);
    info_json_number("damaged_bytes", run->info.damaged_bytes);
    info_json_number("page_size", UINT64_C(1) << count->page_shift);
    info_json_number("pages", count->pages.count);
    info_json_number("pages_written", info_pages_with(run, INFO_WRITTEN));
    info_json_number("pages_fetched", info_pages_with(run, 1u << VMM_OP_FETCH));
    info_json_number("threads", info_threads(run));
    printf(",\n  \"complete\": %s", run->complete ? "true" : "false");
}

static void info_json_events(const InfoRun *run) {
    bool first = true;
    fputs(",\n  \"events\": {", stdout);
    for (uint32_t type = 0; type < TRACE_EVENT_TYPES; type++) {
        const char *name = vmm_event_name(type);
        if (run->count.events[type] > 0 && name != NULL) {
            printf("%s\"%s\": %" PRIu64, first ? "" : ", ", name, run->count.events[type]);
            first = false;
        }
    }
    putchar('}');
}

static void info_json_processes(const InfoRun *run) {
    fputs(",\n  \"processes\": [", stdout);
    for (uint32_t i = 0; i < run->count.process_count; i++) {
        const TraceProcess *process = &run->count.processes[i];
        printf("%s\n    {\"pid\": %" PRIu32 ", \"parent\": %" PRIu32 ", \"threads\": %" PRIu32
               ", \"reads\": %" PRIu64 ", \"writes\": %" PRIu64 ", \"fetches\": %" PRIu64
               ", \"kernel_references\": %" PRIu64 ", \"pages\": %" PRIu64 ", \"status\": ",
               i == 0 ? "" : ",", process->pid, process->parent, process->thread_count,
               process->references[VMM_OP_READ], process->references[VMM_OP_WRITE],
               process->references[VMM_OP_FETCH], process->kernel_references, process->pages);
        printf(process->ended < 0 ? "null" : "%" PRId64, process->ended);
        fputs(", \"program\": ", stdout);
        cli_print_json_string(stdout, info_executable(run, process));
        putchar('}');
    }
    fputs("\n  ]", stdout);
}

static void info_json_files(const InfoRun *run) {
    bool first = true;
    fputs(",\n  \"files\": [", stdout);
    for (uint32_t i = 0; i < run->count.file_count; i++) {
        const VMMTraceFile *file = vmm_trace_file(run->input.trace, i + 1);
        if (run->count.files[i].mappings == 0 || file == NULL) {
            continue;
        }
        printf("%s\n    {\"mappings\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"path\": ",
               first ? "" : ",", run->count.files[i].mappings, run->count.files[i].bytes);
        cli_print_json_string(stdout, file->path);
        putchar('}');
        first = false;
    }
    fputs("\n  ]", stdout);
}

static void info_json_windows(const InfoRun *run) {
    const TracePages *pages = &run->count.pages;
    unsigned level = tracecmd_pages_level(pages);
    size_t windows = tracecmd_pages_windows(pages, level);
    printf(",\n  \"windows\": {\"references\": %" PRIu64, UINT64_C(1)
                                                              << (TRACE_WINDOW_SHIFT + level));
    for (size_t part = 0; part < 2; part++) {
        const uint32_t *values = part == 0 ? pages->touched[level] : pages->fresh[level];
        printf(", \"%s\": [", part == 0 ? "pages" : "new_pages");
        for (size_t i = 0; i < windows; i++) {
            printf("%s%" PRIu32, i == 0 ? "" : ", ", values[i]);
        }
        putchar(']');
    }
    putchar('}');
}

static void info_print_json(const InfoRun *run) {
    fputs("{\n  \"path\": ", stdout);
    cli_print_json_string(stdout, run->input.path);
    info_json_text("format", run->info.format);
    info_json_text("compression", run->info.compression);
    info_json_number("bytes", run->flags.quick ? run->info.bytes_total : run->info.bytes_read);
    info_json_header(run);
    if (!run->flags.quick) {
        info_json_counts(run);
        info_json_events(run);
        info_json_processes(run);
        info_json_files(run);
        info_json_windows(run);
    }
    fputs("\n}\n", stdout);
}

/* ---- The verb ------------------------------------------------------------------------------- */

/* With bad input there is a message and no half report; after Ctrl-C, what was seen so far. */
static int info_visit(InfoRun *run) {
    TraceVisit visit = {tracecmd_count_refs, tracecmd_count_event, &run->count};
    int status = CLI_OK;
    if (!run->flags.quick) {
        status = tracecmd_visit(&run->input, &visit);
    }
    run->info = tracecmd_info_of(&run->input);
    run->complete = status == CLI_OK;
    bool shown = status == CLI_OK || status > CLI_SIGNALLED;
    if (shown && run->flags.json) {
        info_print_json(run);
    } else if (shown) {
        info_print_text(run);
    }
    return status;
}

static int info_run(const CliCommand *verb, int argc, char **argv) {
    CliArguments arguments;
    InfoRun run = {.flags = {.json = false}};
    int status =
        tracecmd_start(verb, argc, argv, &run.flags, &run.flags.common, &arguments, 1, 1, "TRACE");
    if (status == CLI_GO_ON) {
        status = tracecmd_open_input(verb, &run.input, &run.flags.common, arguments.words[0]);
        if (status == CLI_OK && run.flags.quick && run.input.header == NULL) {
            cli_error("%s is no .vmt: without reading it nothing is known of it", run.input.path);
            status = CLI_FAILURE;
        }
        if (status == CLI_OK) {
            tracecmd_count_init(&run.count, &run.input);
            run.input.runs = tracecmd_count_takes_runs(&run.count) ? tracecmd_count_runs : NULL;
            status = info_visit(&run);
            tracecmd_count_free(&run.count);
        }
        tracecmd_close_input(&run.input);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand tracecmd_info = {
    .name = "trace info",
    .summary = "show what a trace is and what is in it",
    .synopsis = "[--json | --quick] TRACE",
    .story = "Reads a trace and prints what it says of itself (command, host, time, recorder), its "
             "references, pages, processes, threads, mapping events and mapped files, and how "
             "working set and footprint go over time. Memory is needed for the set of pages only.",
    .examples = "vmm trace info app.vmt\n"
                "vmm trace info --json app.lackey.gz\n"
                "vmm trace info --quick app.vmt",
    .flags = info_flags,
    .takes_words = true,
    .run = info_run,
};
