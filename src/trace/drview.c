/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tool `view` of DynamoRIO's memory tracer prints of a trace.
 *
 *     record instruction: thread what
 *
 *           17        1:     2765543 ifetch       3 byte(s) @ 0x00007f1b00401000 48 89 e7  mov ...
 *           18        1:  W0.T2765543 read         8 byte(s) @ 0x00007fdf64e2adc8 by PC 0x...
 *           19        1:     2765543 <marker: timestamp 13334813807921548>
 *
 * ifetch, read and write are references. Anything else behind a thread is a record that is no
 * reference and counted as ignored (markers, prefetches, instructions not fetched again), but for
 * hexadecimal bytes alone, with which the encoding of a long instruction goes on. The output does
 * not name processes: there is one, 0. The thread is taken from the line.
 *
 * Between the records stand the heading, rules, and the tool's closing words: lines without "@"
 * that do not begin like a record. They are counted as ignored, too.
 */
#include "scan.h"

/* "record instruction: thread", and the blanks behind it; false: it is none. */
static bool drview_prefix(Scan *scan, uint64_t *tid) {
    uint64_t number;
    scan_blanks(scan);
    if (scan_decimal(scan, UINT64_MAX, &number) != NULL || !scan_at_gap(scan)) {
        return false;
    }
    scan_blanks(scan);
    if (scan_decimal(scan, UINT64_MAX, &number) != NULL || scan->at == scan->end ||
        *scan->at++ != ':' || !scan_at_gap(scan)) {
        return false;
    }
    scan_blanks(scan);
    if (scan->at < scan->end && *scan->at == 'W') { /* the workload, in traces of several */
        scan->at++;
        if (scan_decimal(scan, UINT64_MAX, &number) != NULL || scan->end - scan->at < 2 ||
            scan->at[0] != '.' || scan->at[1] != 'T') {
            return false;
        }
        scan->at += 2;
    }
    bool fine = scan_decimal(scan, UINT64_MAX, tid) == NULL && scan_at_gap(scan);
    scan_blanks(scan);
    return fine;
}

/* Is this word, and a blank, ahead? Steps over it and the blanks. */
static bool drview_word(Scan *scan, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) <= length || memcmp(scan->at, word, length) != 0 ||
        !scan_is_blank(scan->at[length])) {
        return false;
    }
    scan->at += length;
    scan_blanks(scan);
    return true;
}

/* "N byte(s) @ 0xADDRESS", the problem or NULL. */
static const char *drview_place(Scan *scan, uint64_t *size, uint64_t *addr) {
    const char *problem = scan_decimal(scan, UINT32_MAX, size);
    if (problem != NULL || *size == 0 || !scan_at_gap(scan)) {
        return "the size is not a number from 1 to 4294967295";
    }
    scan_blanks(scan);
    if (!drview_word(scan, "byte(s)") || !drview_word(scan, "@") || !scan_hex_prefix(scan)) {
        return "the size is not followed by \"byte(s) @ 0x\"";
    }
    problem = scan_hex(scan, addr);
    return problem != NULL || scan_at_gap(scan) ? problem : "the address is not hexadecimal";
}

/* Nothing but pairs of hexadecimal digits. */
static bool drview_is_bytes(Scan scan) {
    while (scan.at < scan.end) {
        const char *start = scan.at;
        while (scan.at < scan.end && scan_hex_digit(*scan.at) < 16) {
            scan.at++;
        }
        if (scan.at - start != 2 || !scan_at_gap(&scan)) {
            return false;
        }
        scan_blanks(&scan);
    }
    return true;
}

static TraceLineKind drview_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    uint64_t tid;
    uint64_t size;
    uint64_t addr;
    const char *start = scan.at;
    if (!drview_prefix(&scan, &tid)) {
        return memchr(start, '@', (size_t)(scan.end - start)) == NULL
                   ? TRACE_LINE_IGNORED
                   : scan_bad(line, "the line does not begin with \"number number: thread\"");
    }
    VMMOp op = VMM_OP_FETCH;
    if (drview_word(&scan, "read")) {
        op = VMM_OP_READ;
    } else if (drview_word(&scan, "write")) {
        op = VMM_OP_WRITE;
    } else if (!drview_word(&scan, "ifetch")) {
        return drview_is_bytes(scan) ? TRACE_LINE_BLANK : TRACE_LINE_IGNORED;
    }
    const char *problem = drview_place(&scan, &size, &addr);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    line->refs[0] = scan_ref(addr, 0, (uint32_t)size, op);
    line->refs[0].tid = (uint32_t)tid;
    return TRACE_LINE_REF;
}

static TraceStatus drview_parse(TraceParse *parse) {
    return trace_parse_lines(parse, fast_none, drview_line);
}

static const TraceFormat drview_format = {
    .name = "drview",
    .help = "what DynamoRIO's tool view prints of a drmemtrace trace",
    .expects = "\"record instruction: thread\", ifetch, read or write, and \"N byte(s) @ 0x...\"",
    .marks_writes = true,
    .line = drview_line,
    .parse = drview_parse,
};
