/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of trace formats, and finding out the format from the first lines. */
#include "format.h"

#include <stdio.h>
#include <string.h>

#include "../../include/vmm/trace.h"
#include "../base/compiler.h"
#include "../base/number.h"
#include "formats.def"

/* clang-format off */
#define VMM_EACH_LIST TRACE_FORMATS
#define VMM_EACH_PATH(name) ../trace/name.c
/* clang-format on */
#include "../base/include_each.h"

#define TRACE_FORMAT_ENTRY(name) &name##_format,
static const TraceFormat *const trace_format_table[] = {TRACE_FORMATS(TRACE_FORMAT_ENTRY)};

const TraceFormat *trace_format_at(size_t index) {
    return index < VMM_COUNT_OF(trace_format_table) ? trace_format_table[index] : NULL;
}

const TraceFormat *trace_format_find(const char *name) {
    for (size_t i = 0; i < VMM_COUNT_OF(trace_format_table); i++) {
        if (name_matches(trace_format_table[i]->name, name)) {
            return trace_format_table[i];
        }
    }
    return NULL;
}

void trace_format_names(char *text, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < VMM_COUNT_OF(trace_format_table) && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ",
                                 trace_format_table[i]->name);
    }
}

const char *vmm_trace_format_name(size_t index) {
    const TraceFormat *format = trace_format_at(index);
    return format != NULL ? format->name : NULL;
}

const char *vmm_trace_format_help(size_t index) {
    const TraceFormat *format = trace_format_at(index);
    return format != NULL ? format->help : NULL;
}

/* How well a format fits the first data lines. */
typedef struct FormatFit {
    unsigned records;
    unsigned bad;
    unsigned ignored;
    const char *end; /* of what was looked at */
} FormatFit;

static FormatFit format_fit(const TraceFormat *format, const char *text, const char *end,
                            uint64_t page_size) {
    FormatFit fit = {0, 0, 0, text};
    _Alignas(max_align_t) unsigned char state[TRACE_STATE_BYTES] = {0};
    while (text < end && fit.records + fit.bad < TRACE_GUESS_LINES) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        TraceLine line = {.text = text,
                          .length = (size_t)(newline - text),
                          .page_size = page_size,
                          .state = state};
        TraceLineKind kind = format->line(&line);
        fit.bad += kind == TRACE_LINE_BAD;
        fit.ignored += kind == TRACE_LINE_IGNORED;
        fit.records +=
            kind == TRACE_LINE_REF || kind == TRACE_LINE_TWO_REFS || kind == TRACE_LINE_EVENT;
        text = newline + 1;
    }
    fit.end = text;
    return fit;
}

/* The first line that is neither blank nor a comment. */
static void format_first_line(TraceGuess *guess, const char *text, const char *end) {
    for (uint64_t number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *start = text;
        while (start < newline && (*start == ' ' || *start == '\t' || *start == '\r')) {
            start++;
        }
        if (start < newline && *start != '#') {
            guess->first = text;
            guess->first_length = (size_t)(newline - text);
            guess->first_line = number;
            return;
        }
        text = newline + 1;
    }
}

/* The rival found, if there is one, and the format become two that are equal. */
static TraceGuess format_decide(TraceGuess guess) {
    if (guess.rival != NULL) {
        guess.equal = guess.format;
        guess.format = NULL;
    }
    return guess;
}

TraceGuess trace_format_sniff(const TraceView *view) {
    TraceGuess guess = {.format = NULL};
    TraceSign best = TRACE_SIGN_NONE;
    for (size_t i = 0; i < VMM_COUNT_OF(trace_format_table); i++) {
        const TraceFormat *format = trace_format_table[i];
        TraceSign sign = format->sniff != NULL ? format->sniff(view) : TRACE_SIGN_NONE;
        if (sign > best) {
            best = sign;
            guess.format = format;
            guess.rival = NULL;
        } else if (sign == best && best != TRACE_SIGN_NONE) {
            guess.rival = format;
        }
    }
    return format_decide(guess);
}

/* Traces with a mark of their own that are not read, and what to do with them. */
static const struct {
    const char *magic; /* 4 or 8 bytes */
    size_t length;
    const char *advice;
} format_strangers[] = {
    {"gem5", 4,
     "a gem5 packet trace, which is not read; gem5's util/decode_packet_trace.py makes text of it, "
     "to be read with --format csv:op=1,addr=2,size=3 (one more for each, if packets have ids)"},
    {"SIFT", 4,
     "a SIFT trace of Sniper, which is not read: it does not tell reads from writes; record the "
     "program anew"},
    {"\xf0\xde\xbc\x9a\x78\x56\x34\x12", 8,
     "an lcs trace of libCacheSim, which is not read; libCacheSim's tracePrint makes a list of it"},
};

const char *trace_format_relative(const TraceView *view) {
    for (size_t i = 0; i < VMM_COUNT_OF(format_strangers); i++) {
        if (view->count >= format_strangers[i].length &&
            memcmp(view->bytes, format_strangers[i].magic, format_strangers[i].length) == 0) {
            return format_strangers[i].advice;
        }
    }
    for (size_t i = 0; i < VMM_COUNT_OF(trace_format_table); i++) {
        const TraceFormat *format = trace_format_table[i];
        const char *advice = format->relative != NULL ? format->relative(view) : NULL;
        if (advice != NULL) {
            return advice;
        }
    }
    return NULL;
}

/* Only comments are in sight: a format whose records look like them, if all are. */
static void format_guess_comments(TraceGuess *guess, const char *text, const char *end,
                                  uint64_t page_size) {
    for (size_t i = 0; i < VMM_COUNT_OF(trace_format_table); i++) {
        const TraceFormat *format = trace_format_table[i];
        FormatFit fit = {0, 0, 0, text};
        if (format->hash_records) {
            fit = format_fit(format, text, end, page_size);
        }
        if (fit.records > 0 && fit.bad == 0) {
            guess->format = format;
            guess->first = text;
            guess->first_length = 0;
            guess->first_line = 1;
        }
    }
}

TraceGuess trace_format_guess(const char *text, const char *end, uint64_t page_size) {
    TraceGuess guess = {.format = NULL};
    format_first_line(&guess, text, end);
    if (guess.first == NULL) {
        format_guess_comments(&guess, text, end, page_size);
        return guess;
    }
    /* The first lines may be nothing but messages of the tool that wrote the trace: no record,
       but no other line either. That is worth less than a single record. */
    unsigned best = 0;
    for (size_t i = 0; i < VMM_COUNT_OF(trace_format_table); i++) {
        const TraceFormat *format = trace_format_table[i];
        if (format->line == NULL || format->named_only || format->hash_records) {
            continue;
        }
        FormatFit fit = format_fit(format, text, end, page_size);
        if (fit.records == TRACE_GUESS_LINES) {
            end = fit.end; /* others need not look further: they cannot have more */
        }
        unsigned score = 2 * fit.records + (fit.bad + fit.ignored == 0);
        if (score > best) {
            best = score;
            guess.format = format;
            guess.rival = NULL;
        } else if (score == best && best > 0) {
            guess.rival = format;
        }
    }
    return format_decide(guess);
}
