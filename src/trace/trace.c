/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace: the bytes of a source, cut into lines or records of a fixed size, given to a format,
 * handed out as references.
 *
 *     buffer   | consumed | whole lines ... \n | partial line | free | padding |
 *                         at                   whole_end      filled
 *
 * The format parses from `at` straight into the caller's array. When all whole lines are
 * consumed, the partial one moves to the front and more bytes are read behind it; the room is
 * made for the longest line allowed and one read. At the end of the input a last line without
 * '\n' gets one. A line that outgrows TRACE_LINE_BYTES is a bad record, and what remains of it is
 * passed over when bad records are (`in_long_line`). With records it is the same, but that a
 * partial one at the end of the input is a bad record.
 *
 * A line that tells an event stops the format, and the call that has references; the next one
 * begins with telling it.
 *
 * A record can make two references when the caller has room for one: the second waits in
 * `pending`. An error that comes after references of the same call waits in `failed` until the
 * next call.
 */
#include "../../include/vmm/trace.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "fingerprint.h"
#include "format.h"
#include "source.h"
#include "trace_events.h"
#include "vmt_read.h"

/* What detection reads at most, if the input goes on. */
#define TRACE_GUESS_BYTES (64 * 1024)
/* A view for detection or the longest line, one read behind it, a '\n' that was missing. */
#define TRACE_BUFFER_BYTES (TRACE_GUESS_BYTES + VMM_TRACE_BUFFER + 1 + TRACE_PADDING)
_Static_assert(TRACE_GUESS_BYTES > TRACE_LINE_BYTES, "the buffer holds the longest line");

#define TRACE_DEFAULT_PAGE_SIZE 4096
#define TRACE_NAMES_BYTES 300 /* of the names of all formats, for messages */

typedef enum TraceInput {
    TRACE_INPUT_OPEN,
    TRACE_INPUT_ENDED,
    TRACE_INPUT_CUT,   /* it ended with damage, which is passed over */
    TRACE_INPUT_FAILED /* source.error holds why; comes after the lines that were read */
} TraceInput;

struct VMMTrace {
    TraceSource source;
    const TraceFormat *format;
    char *path;
    size_t path_size;
    uint64_t page_size;
    bool skip_bad;
    bool check;
    unsigned threads;
    VmtReader *vmt; /* of a .vmt: reads in place of all that follows */

    char *buffer; /* TRACE_BUFFER_BYTES */
    size_t at;
    size_t whole_end;
    size_t filled;
    TraceInput input;
    bool in_long_line;
    bool started; /* the first vmm_trace_read() was made */

    VMMRef pending[TRACE_RECORD_REFS];
    size_t pending_count;
    TraceEvents events;

    _Alignas(max_align_t) unsigned char state[TRACE_STATE_BYTES]; /* of the format, in this pass */
    _Alignas(max_align_t) unsigned char parameters[TRACE_STATE_BYTES]; /* `state` at its start */

    uint64_t records; /* lines or records in front of `at` */
    uint64_t references;
    uint64_t bad_records;
    uint64_t ignored_records;
    uint64_t damaged_bytes;
    Fingerprint fingerprint;
    int failed;                           /* the code that ended this pass, VMM_OK if none did */
    Error error;                          /* the sentence of the last failure */
    Error bad_texts[VMM_TRACE_BAD_TEXTS]; /* of the first bad records passed over */
    size_t bad_text_count;
};

/* ---- Messages ------------------------------------------------------------------------------- */

/* The beginning of a line, fit for a message: at most `size` bytes with what replaces others. */
static void trace_excerpt(char *text, size_t size, const char *line, size_t length) {
    size_t used = 0;
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        if (used + sizeof "\\x00..." > size) {
            memcpy(text + used, "...", 3);
            used += 3;
            break;
        }
        unsigned char c = (unsigned char)line[i];
        if (c == '\t') {
            used += (size_t)snprintf(text + used, size - used, "\\t");
        } else if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            used += (size_t)snprintf(text + used, size - used, "\\x%02x", c);
        } else {
            text[used++] = (char)c;
        }
    }
    text[used] = '\0';
}

/* Ends the pass with the error that was set. */
static int trace_fail(VMMTrace *trace) {
    trace->failed = trace->error.code;
    return trace->failed;
}

/* The beginning of a record as hexadecimal numbers; `size` for at least one byte and "...". */
static void trace_hex_excerpt(char *text, size_t size, const char *record, size_t length) {
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (used + sizeof " 00 ..." > size) {
            snprintf(text + used, size - used, " ...");
            return;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%02x", i == 0 ? "" : " ",
                                 (unsigned char)record[i]);
    }
}

static void trace_describe_bad_record(const VMMTrace *trace, const char *record, size_t length,
                                      const char *problem, const char *advice, Error *error) {
    char found[72];
    trace_hex_excerpt(found, sizeof found, record, length);
    error_set(error, VMM_E_BAD_RECORD, "%s: record %llu at byte %llu: found %s (%s), expected %s%s",
              trace->source.name, (unsigned long long)trace->records + 1,
              (unsigned long long)trace->records * trace->format->record_bytes, found, problem,
              trace->format->expects, advice);
}

static void trace_describe_bad(const VMMTrace *trace, const char *line, size_t length,
                               const char *problem, const char *advice, Error *error) {
    if (trace->format->record_bytes != 0) {
        trace_describe_bad_record(trace, line, length, problem, advice, error);
        return;
    }
    char found[72];
    trace_excerpt(found, sizeof found, line, length);
    error_set(error, VMM_E_BAD_RECORD, "%s:%llu: found \"%s\" (%s), expected %s%s",
              trace->source.name, (unsigned long long)trace->records + 1, found, problem,
              trace->format->expects, advice);
}

static VMM_COLD int trace_bad_record(VMMTrace *trace, const char *line, size_t length,
                                     const char *problem) {
    trace_describe_bad(trace, line, length, problem,
                       trace->format->record_bytes != 0
                           ? "; use --skip-bad-records to go on past bad records"
                           : "; use --skip-bad-records to go on past bad lines",
                       &trace->error);
    return trace_fail(trace);
}

static bool trace_keeps_bad_texts(const VMMTrace *trace) {
    return trace->bad_text_count < VMM_TRACE_BAD_TEXTS;
}

/* Counts a bad record that is passed over, and says of the first ones what is wrong with them. */
static VMM_COLD void trace_pass_over(VMMTrace *trace, const char *line, size_t length,
                                     const char *problem) {
    trace->bad_records++;
    if (trace_keeps_bad_texts(trace)) {
        trace_describe_bad(trace, line, length, problem, "",
                           &trace->bad_texts[trace->bad_text_count++]);
    }
}

static VMM_COLD int trace_no_references(VMMTrace *trace) {
    if (trace->events.count > 0 && trace->bad_records == 0) {
        error_set(&trace->error, VMM_E_EMPTY,
                  "%s holds no references, only %llu event%s, and so nothing to simulate: add "
                  "references as in \"1 W 0x1000\", or check how it was recorded",
                  trace->source.name, (unsigned long long)trace->events.count,
                  trace->events.count == 1 ? "" : "s");
        return trace_fail(trace);
    }
    error_set(&trace->error, VMM_E_EMPTY,
              "%s holds no references: %llu %s were read as %s, %llu bad records and %llu "
              "others were left out; check the file and --format",
              trace->source.name, (unsigned long long)trace->records,
              trace->format->record_bytes != 0 ? "records" : "lines", trace->format->name,
              (unsigned long long)trace->bad_records, (unsigned long long)trace->ignored_records);
    return trace_fail(trace);
}

/* ---- The buffer ----------------------------------------------------------------------------- */

/* The input is over, or broke off. */
static void trace_end_input(VMMTrace *trace, long result) {
    if (result == 0) {
        trace->input = TRACE_INPUT_ENDED;
    } else if (result == VMM_E_DAMAGED && trace->skip_bad) {
        uint64_t unread = trace_source_unread(&trace->source);
        trace->damaged_bytes += unread > 0 ? unread : 1;
        trace->input = TRACE_INPUT_CUT;
    } else {
        trace->input = TRACE_INPUT_FAILED;
    }
}

/* Reads once more into the buffer; there is room for it. */
static void trace_read_more(VMMTrace *trace) {
    long count = trace_source_read(&trace->source, trace->buffer + trace->filled, VMM_TRACE_BUFFER);
    if (count <= 0) {
        trace_end_input(trace, count);
    } else {
        trace->filled += (size_t)count;
    }
}

/* Behind the last whole line or record of the buffer. */
static size_t trace_find_whole_end(const VMMTrace *trace) {
    size_t unread = trace->filled - trace->at;
    if (trace->format != NULL && trace->format->record_bytes != 0) {
        return trace->filled - unread % trace->format->record_bytes;
    }
    const char *newline = unread > 0 ? memrchr(trace->buffer + trace->at, '\n', unread) : NULL;
    return newline != NULL ? (size_t)(newline + 1 - trace->buffer) : trace->at;
}

/* After reading, the format being known or lines being looked for: what is whole now? */
static void trace_settle(VMMTrace *trace) {
    trace->whole_end = trace_find_whole_end(trace);
    if (trace->input == TRACE_INPUT_OPEN || trace->filled == trace->whole_end) {
        return;
    }
    if (trace->input != TRACE_INPUT_ENDED) {
        /* Where damage cut a line off, its rest is unknown: it must not pass for a record. */
        trace->filled = trace->whole_end;
        trace->bad_records += trace->input == TRACE_INPUT_CUT;
    } else if (trace->format == NULL || trace->format->record_bytes == 0) {
        trace->buffer[trace->filled++] = '\n';
        trace->whole_end = trace->filled;
    }
}

/* Passes over the rest of a line that was too long. */
static void trace_skip_long_line(VMMTrace *trace) {
    const char *newline = memchr(trace->buffer + trace->at, '\n', trace->filled - trace->at);
    if (newline == NULL) {
        trace->at = trace->filled;
        return;
    }
    trace->at = (size_t)(newline + 1 - trace->buffer);
    trace->records++;
    trace->in_long_line = false;
}

/* No whole line or record is left: gets some. VMM_OK also at the end of the input. */
static int trace_refill(VMMTrace *trace) {
    size_t partial = trace->filled - trace->at;
    if (partial > TRACE_LINE_BYTES) {
        if (!trace->skip_bad) {
            return trace_bad_record(trace, trace->buffer + trace->at, partial,
                                    "the line is longer than 4096 bytes");
        }
        trace_pass_over(trace, trace->buffer + trace->at, partial,
                        "the line is longer than 4096 bytes");
        trace->in_long_line = true;
        partial = 0;
    }
    memmove(trace->buffer, trace->buffer + trace->filled - partial, partial);
    trace->at = 0;
    trace->filled = partial;
    trace_read_more(trace);
    if (trace->in_long_line) {
        trace_skip_long_line(trace);
    }
    trace_settle(trace);
    return VMM_OK;
}

static void trace_start_pass(VMMTrace *trace) {
    trace->at = trace->whole_end = trace->filled = 0;
    trace->input = TRACE_INPUT_OPEN;
    trace->in_long_line = false;
    trace->pending_count = 0;
    trace_events_rewind(&trace->events);
    memcpy(trace->state, trace->parameters, sizeof trace->state);
    trace->records = trace->references = 0;
    trace->bad_records = trace->ignored_records = trace->damaged_bytes = 0;
    trace->bad_text_count = 0;
    trace->fingerprint = fingerprint_start();
    trace->failed = VMM_OK;
    trace->error = (Error){.code = VMM_OK};
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int trace_unknown_format(VMMTrace *trace, const TraceGuess *guess) {
    char found[72];
    char reason[96] = "no format fits its first lines";
    trace_excerpt(found, sizeof found, guess->first, guess->first_length);
    if (guess->rival != NULL) {
        snprintf(reason, sizeof reason, "its first lines fit %s as well as %s", guess->equal->name,
                 guess->rival->name);
    }
    return error_set(&trace->error, VMM_E_UNKNOWN_FORMAT,
                     "%s:%llu: found \"%s\", expected a trace, but %s; name the format with "
                     "--format (vmm list formats shows them)",
                     trace->source.name, (unsigned long long)trace->records + guess->first_line,
                     found, reason);
}

/* Reads until there is enough to look at, or all. */
static void trace_look_ahead(VMMTrace *trace, size_t enough) {
    while (trace->input == TRACE_INPUT_OPEN && trace->filled < enough) {
        trace_read_more(trace);
    }
}

/* Is there anything to read? Some compressed files break off early. */
static int trace_begin(VMMTrace *trace) {
    trace_settle(trace);
    if (trace->filled > 0) {
        return VMM_OK;
    }
    if (trace->input == TRACE_INPUT_FAILED || trace->damaged_bytes > 0) {
        trace->error = trace->source.error;
        return trace->error.code;
    }
    return error_set(&trace->error, VMM_E_EMPTY,
                     trace->records == 0
                         ? "%s is empty, expected a trace"
                         : "%s holds only comments and blank lines, expected a trace",
                     trace->source.name);
}

static uint64_t trace_count_lines(const char *text, const char *end) {
    uint64_t lines = 0;
    while (text < end) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): input was read, into a buffer */
        text = (const char *)memchr(text, '\n', (size_t)(end - text)) + 1;
        lines++;
    }
    return lines;
}

/* Finds out the format of lines; comments that fill the whole view are passed over. */
static int trace_detect_lines(VMMTrace *trace) {
    for (;;) {
        trace_look_ahead(trace, TRACE_GUESS_BYTES);
        int code = trace_begin(trace);
        if (code != VMM_OK) {
            return code;
        }
        const char *text = trace->buffer;
        const char *end = trace->buffer + trace->whole_end;
        TraceGuess guess = trace_format_guess(text, end, trace->page_size);
        if (guess.first == NULL && trace->whole_end == 0) {
            guess.first = text; /* one endless line */
            guess.first_length = trace->filled;
            guess.first_line = 1;
        }
        if (guess.first != NULL) {
            trace->format = guess.format;
            return guess.format != NULL ? VMM_OK : trace_unknown_format(trace, &guess);
        }
        if (trace->input != TRACE_INPUT_OPEN) {
            return error_set(&trace->error, VMM_E_EMPTY,
                             "%s holds only comments and blank lines, expected a trace",
                             trace->source.name);
        }
        trace->records += trace_count_lines(text, end);
        trace->filled -= trace->whole_end;
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): input was read, into a buffer */
        memmove(trace->buffer, end, trace->filled);
    }
}

/* Finds out the format. */
static int trace_detect(VMMTrace *trace) {
    trace_look_ahead(trace, TRACE_GUESS_BYTES);
    TraceView view = {(const unsigned char *)trace->buffer, trace->filled,
                      trace->input == TRACE_INPUT_ENDED};
    const char *relative = trace_format_relative(&view);
    if (relative != NULL) {
        return error_set(&trace->error, VMM_E_UNSUPPORTED, "%s is %s", trace->source.name,
                         relative);
    }
    TraceGuess guess = trace_format_sniff(&view);
    if (guess.rival != NULL) {
        guess.first = trace->buffer;
        guess.first_length = trace->filled;
        guess.first_line = 1;
        return trace_unknown_format(trace, &guess);
    }
    trace->format = guess.format;
    return guess.format != NULL ? trace_begin(trace) : trace_detect_lines(trace);
}

/* A format that has a reader of its own: what was read so far is its beginning. */
static int trace_open_vmt(VMMTrace *trace) {
    VmtReaderSetup setup = {
        .source = &trace->source,
        .error = &trace->error,
        .bytes = trace->buffer,
        .count = trace->filled,
        .skip_bad = trace->skip_bad,
        .check = trace->check,
        .threads = trace->threads,
    };
    return vmt_reader_open(&setup, &trace->vmt);
}

/* The length of the line or record at `at`, and with what ends it. */
static size_t trace_unit_length(const VMMTrace *trace, const char *at, const char *end,
                                size_t *whole) {
    if (trace->format->record_bytes != 0) {
        *whole = trace->format->record_bytes;
        return *whole;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *whole = (size_t)(newline - at) + 1;
    return *whole - 1;
}

/* What the first lines say of the whole trace is known from the beginning. */
static void trace_look_at_first_lines(VMMTrace *trace) {
    const char *end = trace->buffer + trace->whole_end;
    TraceEvent told;
    TraceLine line = {.text = trace->buffer, .page_size = trace->page_size, .state = trace->state};
    while (trace->format->event != NULL && line.text < end) {
        size_t whole;
        line.length = trace_unit_length(trace, line.text, end, &whole);
        TraceLineKind kind = trace->format->line(&line);
        if (kind == TRACE_LINE_EVENT) {
            if (trace->format->event(&line, &told) != NULL || !told.is_trait) {
                return;
            }
            trace_events_add_traits(&trace->events, &told.traits);
        } else if (kind != TRACE_LINE_BLANK) {
            return;
        }
        line.text += whole;
    }
}

static int trace_open_file(VMMTrace *trace, const char *path) {
    trace->path_size = strlen(path) + 1;
    trace->path = memory_zalloc(&memory_default, trace->path_size, 1);
    trace->buffer = memory_zalloc(&memory_default, TRACE_BUFFER_BYTES, 1);
    if (trace->path == NULL || trace->buffer == NULL) {
        return error_no_memory(&trace->error, TRACE_BUFFER_BYTES, "reading the trace");
    }
    memcpy(trace->path, path, trace->path_size);
    int code = trace_source_open(&trace->source, path, &trace->error);
    if (code != VMM_OK) {
        return code;
    }
    if (trace->format == NULL) {
        code = trace_detect(trace);
    } else {
        trace_look_ahead(trace, 1);
        code = trace_begin(trace);
    }
    if (code != VMM_OK) {
        return code;
    }
    trace_look_at_first_lines(trace);
    return trace->format->blocks ? trace_open_vmt(trace) : VMM_OK;
}

/* "NAME" or "NAME:PARAMETERS" */
static int trace_take_format(VMMTrace *trace, const char *text) {
    char name[32];
    size_t length = strcspn(text, ":");
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : 0), text);
    trace->format = trace_format_find(name);
    if (trace->format == NULL || (text[length] == ':' && trace->format->configure == NULL)) {
        char names[TRACE_NAMES_BYTES];
        trace_format_names(names, sizeof names);
        return error_set(&trace->error, VMM_E_USAGE,
                         "found \"%.60s\" as trace format, expected one of: auto, %s", text, names);
    }
    const char *problem =
        text[length] != ':' ? NULL : trace->format->configure(text + length + 1, trace->parameters);
    memcpy(trace->state, trace->parameters, sizeof trace->state);
    return problem == NULL ? VMM_OK
                           : error_set(&trace->error, VMM_E_USAGE,
                                       "found \"%.100s\" as trace format, but %s", text, problem);
}

/* The options that the caller knows of; those behind struct_size are defaults. */
static int trace_take_options(VMMTrace *trace, const VMMTraceOptions *given) {
    VMMTraceOptions options = {.struct_size = sizeof options};
    if (given != NULL) {
        if (given->struct_size == 0) {
            return error_set(&trace->error, VMM_E_USAGE,
                             "VMMTraceOptions.struct_size is 0, expected sizeof(VMMTraceOptions)");
        }
        memcpy(&options, given,
               given->struct_size < sizeof options ? given->struct_size : sizeof options);
    }
    trace->skip_bad = options.skip_bad_records != 0;
    trace->check = options.check != 0;
    trace->threads = options.threads;
    trace->page_size = options.page_size != 0 ? options.page_size : TRACE_DEFAULT_PAGE_SIZE;
    return options.format == NULL || strcmp(options.format, "auto") == 0
               ? VMM_OK
               : trace_take_format(trace, options.format);
}

int vmm_trace_open(const char *path, const VMMTraceOptions *options, VMMTrace **trace,
                   char *error) {
    Error failure = {.code = VMM_OK};
    if (trace == NULL || path == NULL) {
        int code = error_set(&failure, VMM_E_USAGE, "vmm_trace_open: path or trace is NULL");
        error_publish(&failure, error);
        return code;
    }
    *trace = NULL;
    VMMTrace *fresh = memory_zalloc(&memory_default, 1, sizeof *fresh);
    if (fresh == NULL) {
        int code = error_no_memory(&failure, sizeof *fresh, "reading the trace");
        error_publish(&failure, error);
        return code;
    }
    fresh->source = (TraceSource){.fd = -1, .copy_fd = -1};
    trace_start_pass(fresh);
    int code = trace_take_options(fresh, options);
    if (code == VMM_OK) {
        code = trace_open_file(fresh, path);
    }
    if (code != VMM_OK) {
        error_publish(&fresh->error, error);
        vmm_trace_close(fresh);
        return code;
    }
    *trace = fresh;
    return VMM_OK;
}

void vmm_trace_close(VMMTrace *trace) {
    if (trace == NULL) {
        return;
    }
    vmt_reader_close(trace->vmt);
    trace_events_free(&trace->events);
    trace_source_close(&trace->source);
    memory_free(&memory_default, trace->buffer, TRACE_BUFFER_BYTES, 1);
    memory_free(&memory_default, trace->path, trace->path_size, 1);
    memory_free(&memory_default, trace, 1, sizeof *trace);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/*
 * Parses the buffer into room for at least what a record can make; returns how many. A bad record
 * stops the format also when it is passed over, as long as it is one of the first.
 */
static size_t trace_parse_buffer(VMMTrace *trace, VMMRef *refs, size_t room) {
    TraceParse parse = {
        .at = trace->buffer + trace->at,
        .end = trace->buffer + trace->whole_end,
        .refs = refs,
        .refs_end = refs + room,
        .page_size = trace->page_size,
        .state = trace->state,
        .skip_bad = trace->skip_bad && !trace_keeps_bad_texts(trace),
    };
    TraceStatus status = trace->format->parse(&parse);
    trace->at = (size_t)(parse.at - trace->buffer);
    trace->records += parse.records;
    trace->ignored_records += parse.ignored;
    trace->events.wait = status == TRACE_EVENT;
    if (status == TRACE_BAD) {
        size_t whole;
        size_t length = trace_unit_length(trace, parse.at, parse.end, &whole);
        if (trace->skip_bad) {
            trace_pass_over(trace, parse.at, length, parse.problem);
            trace->at += whole;
            trace->records++;
        } else {
            trace_bad_record(trace, parse.at, length, parse.problem);
        }
    } else {
        trace->bad_records += parse.bad;
    }
    return (size_t)(parse.refs - refs);
}

/* Tells the event of the line at `at`. */
static void trace_tell_event(VMMTrace *trace) {
    const char *at = trace->buffer + trace->at;
    size_t whole;
    TraceLine line = {.text = at, .page_size = trace->page_size, .state = trace->state};
    line.length = trace_unit_length(trace, at, trace->buffer + trace->whole_end, &whole);
    trace->events.wait = false;
    trace->at += whole;
    trace->records++;
    int code = trace_events_take(&trace->events, trace->format, &line, &trace->error);
    if (code == VMM_E_BAD_RECORD) {
        Error said = trace->error;
        error_set(&trace->error, code, "%s:%llu: %s", trace->source.name,
                  (unsigned long long)trace->records, said.text);
    }
    if (code != VMM_OK) {
        trace_fail(trace);
    }
}

/* Hands out what waits; returns how many. */
static size_t trace_take_pending(VMMTrace *trace, VMMRef *refs, size_t room) {
    size_t count = trace->pending_count < room ? trace->pending_count : room;
    memcpy(refs, trace->pending, count * sizeof *refs);
    trace->pending_count -= count;
    memmove(trace->pending, trace->pending + count, trace->pending_count * sizeof *refs);
    return count;
}

/* Some references more, at most `room` (not 0); none at the end, on an error, or by chance. */
static size_t trace_advance(VMMTrace *trace, VMMRef *refs, size_t room) {
    if (trace->pending_count > 0) {
        return trace_take_pending(trace, refs, room);
    }
    if (trace->at == trace->whole_end) {
        int code = trace_refill(trace);
        if (code != VMM_OK) {
            return 0;
        }
    }
    size_t needed = trace->format->record_refs != 0 ? trace->format->record_refs : TRACE_LINE_REFS;
    if (room < needed) {
        trace->pending_count = trace_parse_buffer(trace, trace->pending, needed);
        return trace_take_pending(trace, refs, room);
    }
    /* In slices, so that they are still in the first-level cache when they are fingerprinted. */
    return trace_parse_buffer(trace, refs, room < TRACE_SLICE ? room : TRACE_SLICE);
}

/* All that is whole is consumed and no more will come: why, if that is no proper end. */
static void trace_end_pass(VMMTrace *trace) {
    size_t partial = trace->filled - trace->at;
    if (trace->input == TRACE_INPUT_FAILED) {
        trace->error = trace->source.error;
        trace_fail(trace);
    } else if (partial > 0) { /* of a record: a line was given its end */
        const char *record = trace->buffer + trace->at;
        const char *problem = "the file ends within the record";
        trace->at = trace->whole_end = trace->filled;
        if (trace->skip_bad) {
            trace_pass_over(trace, record, partial, problem);
        } else {
            trace_bad_record(trace, record, partial, problem);
        }
    }
}

/* Everything is handed out, and nothing will follow. */
static bool trace_is_over(VMMTrace *trace) {
    if (trace->pending_count > 0) {
        return false;
    }
    bool ended = trace->input != TRACE_INPUT_OPEN && trace->at == trace->whole_end;
    if (ended && trace->failed == VMM_OK) {
        trace_end_pass(trace);
    }
    return ended || trace->failed != VMM_OK;
}

VmtReader *trace_vmt(const VMMTrace *trace) {
    return trace->vmt;
}

TraceEvents *trace_events(VMMTrace *trace) {
    return &trace->events;
}

const VmtFiles *trace_files(const VMMTrace *trace) {
    return &trace->events.files;
}

void trace_go(VMMTrace *trace) {
    if (!trace->started) {
        trace->started = true;
        trace_source_go(&trace->source);
    }
}

static long trace_read_vmt(VMMTrace *trace, VMMRef *refs, size_t capacity) {
    long count = vmt_reader_read(trace->vmt, refs, capacity);
    if (count > 0 && !vmt_reader_has_runs(trace->vmt)) {
        fingerprint_add(&trace->fingerprint, refs, (size_t)count);
    }
    return count;
}

long vmm_trace_read(VMMTrace *trace, VMMRef *refs, size_t capacity) {
    if (trace == NULL) {
        return VMM_E_USAGE;
    }
    if (refs == NULL || capacity == 0) {
        return error_set(&trace->error, VMM_E_USAGE,
                         "vmm_trace_read: there is no room for references");
    }
    trace_go(trace);
    capacity = capacity < LONG_MAX ? capacity : LONG_MAX;
    if (trace->vmt != NULL) {
        return trace_read_vmt(trace, refs, capacity);
    }
    size_t count = 0;
    while (count < capacity && !trace_is_over(trace)) {
        if (trace->events.wait && trace->pending_count == 0) {
            if (count > 0) {
                break;
            }
            trace_tell_event(trace);
            continue;
        }
        size_t fresh = trace_advance(trace, refs + count, capacity - count);
        fingerprint_add(&trace->fingerprint, refs + count, fresh);
        count += fresh;
    }
    trace->references += count;
    if (count > 0) {
        return (long)count;
    }
    if (trace->failed == VMM_OK && trace->references == 0) {
        trace_no_references(trace);
    }
    return trace->failed;
}

/* ---- A second pass, and the rest ------------------------------------------------------------ */

int vmm_trace_keep(VMMTrace *trace) {
    if (trace == NULL) {
        return VMM_E_USAGE;
    }
    return trace_source_keep(&trace->source, &trace->error);
}

int vmm_trace_rewind(VMMTrace *trace) {
    if (trace == NULL) {
        return VMM_E_USAGE;
    }
    if (!trace->started) {
        return VMM_OK;
    }
    int code = trace_source_rewind(&trace->source, &trace->error);
    if (code != VMM_OK) {
        return code;
    }
    trace_start_pass(trace);
    return trace->vmt != NULL ? vmt_reader_rewind(trace->vmt) : VMM_OK;
}

void vmm_trace_info(const VMMTrace *trace, VMMTraceInfo *info) {
    VMMTraceInfo full = {
        .struct_size = sizeof full,
        .marks_writes = trace->format->marks_writes,
        .path = trace->path,
        .format = trace->format->name,
        .compression = trace_source_compression(&trace->source),
        .bytes_read = trace->source.bytes_read,
        .bytes_total = trace->source.bytes_total,
        .references = trace->references,
        .bad_records = trace->bad_records,
        .ignored_records = trace->ignored_records,
        .damaged_bytes = trace->damaged_bytes,
        .fingerprint = fingerprint_value(&trace->fingerprint),
        .events = trace->events.count,
        .lost_references = trace->events.lost,
        .pauses = trace->events.pauses,
        .page_size = trace->events.traits.page_size,
        .reduction = trace->events.traits.reduction,
        .mappings_complete = trace->events.traits.mappings_complete,
    };
    if (trace->vmt != NULL) {
        vmt_reader_info(trace->vmt, &full);
    }
    uint32_t size = info->struct_size;
    if (size == 0 || size > sizeof full) {
        size = sizeof full;
    }
    full.struct_size = size;
    memcpy(info, &full, size);
}

const char *vmm_trace_error_text(const VMMTrace *trace) {
    return trace != NULL ? trace->error.text : "the trace is NULL";
}

const char *vmm_trace_bad_record_text(const VMMTrace *trace, size_t index) {
    if (trace != NULL && trace->vmt != NULL) {
        return vmt_reader_bad_text(trace->vmt, index);
    }
    return trace != NULL && index < trace->bad_text_count ? trace->bad_texts[index].text : NULL;
}
