/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace: inputs that are visited, and outputs that are whole or not there.
 *
 * The numbers that events have for files are those of their input; the table of the input turns
 * them into those of the output, each when it is first met.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace_cmd.h"

enum { TRACEIO_REFS = 4096, TRACEIO_DEFAULT_PAGE_SIZE = 4096 };

/* ---- Flags ---------------------------------------------------------------------------------- */

int tracecmd_start(const CliCommand *verb, int argc, char **argv, void *flags, TraceCommon *common,
                   CliArguments *arguments, size_t least, size_t most, const char *words) {
    int status = cli_parse(verb, argc, argv, flags, arguments);
    if (status != CLI_OK) {
        return status;
    }
    if (arguments->help) {
        return cli_print_help(verb);
    }
    if (arguments->word_count < least) {
        return cli_usage_error(verb->name, "expected vmm %s %s", verb->name, words);
    }
    if (arguments->word_count > most) {
        return cli_usage_error(verb->name, "left-over word '%s'; expected vmm %s %s",
                               arguments->words[most], verb->name, words);
    }
    if (common->quiet) {
        cli_set_level(CLI_QUIET);
    }
    return CLI_GO_ON;
}

int tracecmd_count(const CliCommand *verb, const char *flag, const char *text, uint64_t *value) {
    VMMGeneratorOptions options;
    vmm_generator_options_init(&options);
    /* The library's own reading of counts: a seed is any count. */
    if (vmm_generator_options_set(&options, "seed", text, NULL) != VMM_OK) {
        cli_usage_error(verb->name, "%s: found \"%s\", expected a count such as 1000, 64Ki or 10M",
                        flag, text);
        return -1;
    }
    *value = options.seed;
    return 0;
}

/* ---- Inputs --------------------------------------------------------------------------------- */

static int traceio_page_size(const CliCommand *verb, const char *text, uint64_t *bytes) {
    VMMConfig config;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    *bytes = 0;
    if (text == NULL) {
        return CLI_OK;
    }
    vmm_config_init_default(&config);
    if (vmm_config_set(&config, "page-size", text, error) != VMM_OK) {
        return cli_usage_error(verb->name, "%s", error);
    }
    *bytes = cli_config_bytes(&config, "page-size");
    return CLI_OK;
}

/* A trace that knows its addresses by the page has no smaller pages. */
static int traceio_check_page_size(const TraceReading *input) {
    VMMTraceInfo info = tracecmd_info_of(input);
    if (input->page_size == 0 || input->page_size >= info.page_size) {
        return CLI_OK;
    }
    cli_error("%s knows its addresses by pages of %" PRIu64 " bytes, and --page-size asks for "
              "smaller ones, of %" PRIu64 " bytes",
              input->path, info.page_size, input->page_size);
    return CLI_FAILURE;
}

int tracecmd_open_input(const CliCommand *verb, TraceReading *input, const TraceCommon *common,
                        const char *path) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    *input = (TraceReading){.path = path, .status = CLI_GO_ON};
    int status = traceio_page_size(verb, common->page_size, &input->page_size);
    if (status != CLI_OK) {
        return status;
    }
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = common->skip_bad_records,
                               .page_size = input->page_size,
                               .format = common->from,
                               .check = common->check};
    int code = vmm_trace_open(path, &options, &input->trace, error);
    if (code != VMM_OK) {
        cli_error("%s", error);
        return cli_status(code);
    }
    input->header = vmm_trace_header(input->trace);
    cli_progress_init(&input->progress, !common->quiet, 0);
    return traceio_check_page_size(input);
}

void tracecmd_close_input(TraceReading *input) {
    vmm_trace_close(input->trace);
    free(input->files);
    *input = (TraceReading){.trace = NULL};
}

VMMTraceInfo tracecmd_info_of(const TraceReading *input) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(input->trace, &info);
    return info;
}

bool tracecmd_sees_index(const TraceReading *input) {
    VMMTraceInfo info = tracecmd_info_of(input);
    return input->header != NULL && info.bytes_total > 0 && strcmp(info.compression, "none") == 0;
}

uint64_t tracecmd_page_size(const TraceReading *input) {
    VMMTraceInfo info = tracecmd_info_of(input);
    uint64_t known = info.page_size != 0     ? info.page_size
                     : input->header != NULL ? input->header->page_size
                                             : 0;
    return input->page_size != 0 ? input->page_size
           : known != 0          ? known
                                 : TRACEIO_DEFAULT_PAGE_SIZE;
}

/* ---- Visits --------------------------------------------------------------------------------- */

static void traceio_on_event(void *user, const VMMEvent *event) {
    TraceReading *input = user;
    if (input->status == CLI_GO_ON && input->visit->event != NULL) {
        input->status = input->visit->event(input->visit->user, event);
    }
}

/* The status after a read that gave no references. */
static int traceio_end(const TraceReading *input, long code) {
    VMMTraceInfo info = tracecmd_info_of(input);
    if (code == 0 || (code == VMM_E_EMPTY && info.events > 0)) {
        return CLI_OK;
    }
    if (code == VMM_E_STOPPED) {
        return cli_status(VMM_E_STOPPED);
    }
    cli_error("%s", vmm_trace_error_text(input->trace));
    return cli_status((int)code);
}

static void traceio_step(TraceReading *input, const VMMTraceInfo *info) {
    VMMProgress now = {.references = input->references,
                       .bytes_read = info->bytes_read,
                       .bytes_total = info->bytes_total,
                       .pass = 1,
                       .passes = 1};
    if (cli_progress_step(&input->progress, &now) != 0) {
        input->status = cli_status(VMM_E_STOPPED);
    }
}

int tracecmd_visit_some(TraceReading *input, const TraceVisit *visit, size_t room) {
    VMMRef refs[TRACEIO_REFS];
    const VMMRuns *runs = NULL;
    input->visit = visit;
    vmm_trace_on_event(input->trace, traceio_on_event, input);
    long count = input->runs != NULL ? vmm_trace_next_runs(input->trace, &runs)
                                     : vmm_trace_read(input->trace, refs,
                                                      room < TRACEIO_REFS ? room : TRACEIO_REFS);
    if (input->status != CLI_GO_ON) {
        return input->status; /* an event ended it */
    }
    if (count <= 0) {
        input->status = traceio_end(input, count);
        return input->status;
    }
    VMMTraceInfo info = tracecmd_info_of(input);
    input->time_ns = info.time_ns;
    input->status = input->runs != NULL ? input->runs(visit->user, runs)
                                        : visit->refs(visit->user, refs, (size_t)count);
    input->references = input->runs != NULL ? info.references : input->references + (uint64_t)count;
    if (input->status == CLI_GO_ON) {
        traceio_step(input, &info);
    }
    return input->status;
}

int tracecmd_visit(TraceReading *input, const TraceVisit *visit) {
    int status;
    cli_catch_interrupt();
    do {
        status = tracecmd_visit_some(input, visit, TRACEIO_REFS);
    } while (status == CLI_GO_ON);
    cli_release_interrupt();
    cli_progress_end(&input->progress);
    VMMTraceInfo info = tracecmd_info_of(input);
    if (!input->repeated) {
        info.pauses = 0; /* the events say it; of a simulation nothing else would */
        cli_warn_losses(input->trace, &info);
    }
    return status;
}

int tracecmd_rewind(TraceReading *input) {
    int code = vmm_trace_rewind(input->trace);
    input->status = CLI_GO_ON;
    input->references = input->time_ns = 0;
    input->repeated = true;
    if (code != VMM_OK) {
        cli_error("%s", vmm_trace_error_text(input->trace));
    }
    return cli_status(code);
}

/* ---- Outputs -------------------------------------------------------------------------------- */

static const struct {
    const char *ending, *format;
} traceio_endings[] = {
    {".vmt", "vmt"},
    {".trace", "native"},
    {".txt", "native"},
    {".native", "native"},
    {".din", "din"},
    {".pages", "pages"},
    {".champsim", "champsim"},
    {".champsimtrace", "champsim"},
    {".oracleGeneral", "oracleGeneral"},
};

static bool traceio_ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), end = strlen(ending);
    return length >= end && cli_name_matches(path + length - end, ending);
}

bool tracecmd_is_compressed(const char *path) {
    return traceio_ends_with(path, ".gz") || traceio_ends_with(path, ".xz") ||
           traceio_ends_with(path, ".zst") || traceio_ends_with(path, ".bz2");
}

static const char *traceio_format_name(const void *user, size_t index) {
    (void)user;
    return vmm_trace_writer_format_name(index);
}

const char *tracecmd_format_by_ending(const char *path) {
    for (size_t i = 0; i < sizeof traceio_endings / sizeof traceio_endings[0]; i++) {
        if (traceio_ends_with(path, traceio_endings[i].ending)) {
            return traceio_endings[i].format;
        }
    }
    return NULL;
}

const char *tracecmd_ending(const char *format) {
    for (size_t i = 0; i < sizeof traceio_endings / sizeof traceio_endings[0]; i++) {
        if (cli_name_matches(traceio_endings[i].format, format)) {
            return traceio_endings[i].ending;
        }
    }
    return ".vmt";
}

/* A .vmt, and no other, under a name that says nothing else. */
int tracecmd_check_vmt(const CliCommand *verb, const char *path) {
    const char *format = tracecmd_format_by_ending(path);
    return format == NULL || strcmp(format, "vmt") == 0
               ? CLI_OK
               : cli_usage_error(verb->name, "'%s': only a .vmt can hold what is written here",
                                 path);
}

/* The format that is asked for, or NULL after a usage error. */
static const char *traceio_format(const CliCommand *verb, const TraceTarget *target) {
    const char *name;
    for (size_t i = 0; target->to != NULL && (name = traceio_format_name(NULL, i)) != NULL; i++) {
        if (cli_name_matches(name, target->to)) {
            return name;
        }
    }
    if (target->to != NULL) {
        const char *nearest = vmm_nearest_name(target->to, traceio_format_name, NULL);
        cli_usage_error(verb->name, "there is no format '%s' to write%s%s%s", target->to,
                        nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                        nearest != NULL ? "'?" : "");
        return NULL;
    }
    name = tracecmd_format_by_ending(target->path);
    if (name != NULL) {
        return name;
    }
    if (tracecmd_is_compressed(target->path)) {
        cli_usage_error(verb->name,
                        "'%s': text is written unpacked; pipe it, as in vmm %s ... - --to native | "
                        "xz > %s; a .vmt is packed by itself",
                        target->path, verb->name, target->path);
    } else {
        cli_usage_error(verb->name, "the name '%s' does not tell the format to write; say --to vmt",
                        target->path);
    }
    return NULL;
}

VMMTraceWriterOptions tracecmd_options(const TraceReading *input) {
    VMMTraceInfo info = tracecmd_info_of(input);
    VMMTraceWriterOptions options = {.struct_size = sizeof options,
                                     .mappings_complete = info.mappings_complete,
                                     .page_size = tracecmd_page_size(input),
                                     .reduction = info.reduction,
                                     .known_page_size = info.page_size};
    if (input->header != NULL) {
        options.command = input->header->command;
        options.host = input->header->host;
        options.recorder = input->header->recorder;
        options.note = input->header->note;
        options.start_time_ns = input->header->start_time_ns;
        options.original_references = input->header->original_references;
    }
    return options;
}

int tracecmd_check_names(const char *const *inputs, size_t count, const char *output) {
    CliFileName *names = cli_alloc(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        names[i] = (CliFileName){"input", inputs[i], false};
    }
    names[count] = (CliFileName){"output", output, true};
    int status = cli_output_check_names(names, count + 1);
    free(names);
    return status;
}

/* Page runs or full addresses, as asked for and as the input knows them. */
static int traceio_codec(const CliCommand *verb, TraceOutput *output, const TraceTarget *target,
                         const TraceReading *input, VMMTraceWriterOptions *options) {
    bool by_page = tracecmd_info_of(input).page_size != 0;
    options->codec = target->codec;
    if (strcmp(output->format, "vmt") != 0) {
        return target->codec == NULL ? CLI_OK
                                     : cli_usage_error(verb->name,
                                                       "--codec is for .vmt, and the "
                                                       "output is %s",
                                                       output->format);
    }
    if (options->codec == NULL && input->header != NULL) {
        options->codec = input->header->codec;
    }
    bool full = options->codec != NULL && cli_name_matches(options->codec, "full");
    if (full && by_page) {
        cli_error("%s knows its addresses by the page, it cannot become a .vmt of full addresses",
                  input->path);
        return CLI_FAILURE;
    }
    output->loses_addresses = !full && !by_page;
    return CLI_OK;
}

/* Binary formats are not for a terminal. */
static int traceio_check_terminal(const CliCommand *verb, const TraceOutput *output) {
    static const char *const binary[] = {"vmt", "champsim", "oracleGeneral"};
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++) {
        if (strcmp(output->format, binary[i]) == 0 && strcmp(output->path, "-") == 0 &&
            isatty(STDOUT_FILENO)) {
            return cli_usage_error(verb->name,
                                   "the format %s is not for a terminal; send standard output to a "
                                   "file or a pipe",
                                   output->format);
        }
    }
    return CLI_OK;
}

int tracecmd_open_output(const CliCommand *verb, TraceOutput *output, const TraceTarget *target,
                         const TraceReading *input, VMMTraceWriterOptions *options) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    *output = (TraceOutput){.path = target->path, .stream = {.fd = -1}};
    output->format = options->format = traceio_format(verb, target);
    output->known_page_size = options->known_page_size;
    output->reduction = options->reduction;
    if (output->format == NULL) {
        return CLI_FAILURE;
    }
    int status = traceio_codec(verb, output, target, input, options);
    if (status == CLI_OK) {
        status = traceio_check_terminal(verb, output);
    }
    if (status == CLI_OK) {
        status = cli_stream_open(&output->stream, target->path);
    }
    if (status == CLI_OK &&
        vmm_trace_writer_open(output->stream.fd, options, &output->writer, error) != VMM_OK) {
        cli_error("%s: %s", target->path, error);
        status = CLI_FAILURE;
    }
    return status;
}

/* Says why writing failed. What the library says of the part that was written does not hold here.
 */
static int traceio_write_failed(const TraceOutput *output, int code) {
    const char *text = vmm_trace_writer_error_text(output->writer);
    const char *part = strstr(text, "; what was written before");
    bool kept = code == VMM_E_WRITE && output->stream.output.target != NULL && part != NULL;
    char *reason = cli_copy(text, kept ? (size_t)(part - text) : strlen(text));
    cli_error("%s: %s%s", output->path, reason,
              kept                        ? "; the file is as it was before"
              : code == VMM_E_UNSUPPORTED ? "; 'vmm trace cut --pid' takes one process out"
                                          : "");
    free(reason);
    return CLI_FAILURE;
}

int tracecmd_write_time(TraceOutput *output, uint64_t time_ns) {
    if (time_ns == 0 || time_ns == output->time_ns) {
        return CLI_GO_ON;
    }
    output->time_ns = time_ns;
    int code = vmm_trace_write_time(output->writer, time_ns);
    return code == VMM_OK ? CLI_GO_ON : traceio_write_failed(output, code);
}

int tracecmd_write(TraceOutput *output, const VMMRef *refs, size_t count) {
    int code = vmm_trace_write(output->writer, refs, count);
    return code == VMM_OK ? CLI_GO_ON : traceio_write_failed(output, code);
}

/* The number that a file of the input has in the output; 0: none. */
static uint32_t traceio_file(const TraceOutput *output, TraceReading *from, uint32_t number) {
    const VMMTraceFile *file = vmm_trace_file(from->trace, number);
    if (file == NULL) {
        return 0;
    }
    if (number >= from->file_count) {
        from->files = cli_realloc(from->files, number * 2 + 16, sizeof *from->files);
        memset(from->files + from->file_count, 0,
               (number * 2 + 16 - from->file_count) * sizeof *from->files);
        from->file_count = number * 2 + 16;
    }
    if (from->files[number] == 0) {
        from->files[number] = vmm_trace_write_file(output->writer, file);
    }
    return from->files[number];
}

int tracecmd_write_event(TraceOutput *output, TraceReading *from, const VMMEvent *event) {
    VMMEvent copy = *event;
    copy.file = event->file != 0 ? traceio_file(output, from, event->file) : 0;
    int code = vmm_trace_write_event(output->writer, &copy);
    return code == VMM_OK ? CLI_GO_ON : traceio_write_failed(output, code);
}

void tracecmd_warn_losses(VMMTraceWriter *writer, const char *path, const char *format) {
    VMMTraceWriterInfo info = {.struct_size = sizeof info};
    const char *loss;
    vmm_trace_writer_info(writer, &info);
    for (size_t i = 0; (loss = vmm_trace_writer_loss_text(writer, i)) != NULL; i++) {
        cli_warning("%s: the format %s loses %s", path, format, loss);
    }
    if (info.dropped_references > 0) {
        cli_warning("%s: %" PRIu64 " reference%s left out, which the format %s cannot hold "
                    "(touches of the kernel, or address 0)",
                    path, info.dropped_references, info.dropped_references == 1 ? " was" : "s were",
                    format);
    }
    if (info.dropped_events > 0) {
        cli_warning("%s: %" PRIu64 " event%s, which the format %s does not have", path,
                    info.dropped_events,
                    info.dropped_events == 1 ? " was left out" : "s were left out", format);
    }
}

static bool traceio_is(const TraceOutput *output, const char *format) {
    return strcmp(output->format, format) == 0;
}

/* Where the output cannot say for what the trace is exact, nothing will refuse another use of it.
 */
static void traceio_warn_of_traits(const TraceOutput *output) {
    if (traceio_is(output, "vmt") || traceio_is(output, "native")) {
        return;
    }
    if (output->known_page_size != 0 &&
        (traceio_is(output, "din") || traceio_is(output, "champsim"))) {
        cli_warning("%s: addresses are known by pages of %" PRIu64
                    " bytes, which the format %s does "
                    "not say: a simulation with smaller pages would be wrong",
                    output->path, output->known_page_size, output->format);
    }
    if (output->reduction != 0) {
        cli_warning(
            "%s: the trace is reduced, exact for LRU memories of at least %" PRIu64
            " frames, which the format %s does not say: any other simulation would be wrong",
            output->path, output->reduction, output->format);
    }
}

/* What the output does not hold of what it was given. */
static void traceio_warn(const TraceOutput *output) {
    if (output->loses_addresses) {
        cli_warning(
            "%s: addresses are kept by the page, and sizes are not; --codec full keeps both",
            output->path);
    }
    traceio_warn_of_traits(output);
    tracecmd_warn_losses(output->writer, output->path, output->format);
}

static int traceio_finish(TraceOutput *output) {
    VMMTraceWriterInfo info = {.struct_size = sizeof info};
    vmm_trace_writer_info(output->writer, &info);
    if (info.references == 0 && !output->is_view) {
        cli_error("%s: there is no reference to write", output->path);
        return CLI_FAILURE;
    }
    int code = vmm_trace_writer_finish(output->writer);
    if (code != VMM_OK) {
        return traceio_write_failed(output, code);
    }
    int status = cli_stream_finish(&output->stream);
    if (status == CLI_OK) {
        output->finished = true;
        if (!output->is_view) {
            traceio_warn(output);
        }
    }
    return status;
}

int tracecmd_close_output(TraceOutput *output, int status) {
    bool opened = output->writer != NULL;
    if (status == CLI_OK && opened) {
        status = traceio_finish(output);
    }
    if (opened && !output->finished && !cli_output_is_stdout(&output->stream.output)) {
        cli_info("%s is as it was: nothing was written", output->path);
    }
    vmm_trace_writer_close(output->writer);
    output->writer = NULL;
    cli_stream_discard(&output->stream);
    return status;
}
