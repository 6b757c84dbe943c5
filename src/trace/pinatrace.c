/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Pin's example tool pinatrace writes.
 *
 *     0xIP: op 0xADDRESS [size [value]]        0x7f2b1c0a1b40: R 0x7ffe10a0
 *
 * op is R or W. The instruction pointer is no reference: the tool writes a line for each operand
 * in memory and none for other instructions, so that these are not the fetches of the program. The
 * size is decimal, 1 byte where there is none; a value behind it is ignored. There is one process,
 * 0. Blank lines and '#' comments, "#eof" at the end among them, are skipped.
 */
#include "scan.h"

static const char *pinatrace_number(Scan *scan, uint64_t *value) {
    return scan_hex_prefix(scan) ? scan_hex(scan, value) : "a number does not begin with 0x";
}

/* The size, if there is one; what is behind it does not matter. */
static const char *pinatrace_size(Scan *scan, uint64_t *size) {
    *size = 1;
    scan_blanks(scan);
    if (scan->at == scan->end) {
        return NULL;
    }
    const char *problem = scan_decimal(scan, UINT32_MAX, size);
    return problem == NULL && *size != 0 && scan_at_gap(scan)
               ? NULL
               : "the size is not a number from 1 to 4294967295";
}

static TraceLineKind pinatrace_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    uint64_t pointer;
    uint64_t addr;
    uint64_t size;
    scan_blanks(&scan);
    const char *problem = pinatrace_number(&scan, &pointer);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    if (scan.at == scan.end || *scan.at++ != ':' || !scan_at_gap(&scan)) {
        return scan_bad(line, "no colon follows the instruction pointer");
    }
    scan_blanks(&scan);
    int op = scan.at < scan.end ? *scan.at++ : 0;
    if ((op != 'R' && op != 'W') || !scan_at_gap(&scan)) {
        return scan_bad(line, "the op is not R or W");
    }
    scan_blanks(&scan);
    problem = pinatrace_number(&scan, &addr);
    if (problem == NULL && !scan_at_gap(&scan)) {
        problem = "the address is not hexadecimal";
    }
    if (problem == NULL) {
        problem = pinatrace_size(&scan, &size);
    }
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    line->refs[0] = scan_ref(addr, 0, (uint32_t)size, op == 'R' ? VMM_OP_READ : VMM_OP_WRITE);
    return TRACE_LINE_REF;
}

/* "0xIP: op 0xADDRESS", single blanks, nothing behind. */
VMM_ALWAYS_INLINE bool pinatrace_fast(const char *at, const char *newline, VMMRef **ref,
                                      uint64_t page_size) {
    (void)page_size;
    uint64_t addr;
    if (VMM_UNLIKELY(at[0] != '0' || at[1] != 'x')) {
        return false;
    }
    unsigned digits = fast_hex(at + 2, &addr);
    at += 2 + digits;
    if (VMM_UNLIKELY(digits == 0 || at[0] != ':' || at[1] != ' ' || memcmp(at + 3, " 0x", 3) != 0 ||
                     (at[2] != 'R' && at[2] != 'W'))) {
        return false;
    }
    unsigned op = at[2] == 'W' ? VMM_OP_WRITE : VMM_OP_READ;
    digits = fast_hex(at + 6, &addr);
    if (VMM_UNLIKELY(digits == 0 || !fast_at_end(at + 6 + digits, newline))) {
        return false;
    }
    fast_store(ref, addr, 0, 1, op);
    return true;
}

static TraceStatus pinatrace_parse(TraceParse *parse) {
    return trace_parse_lines(parse, pinatrace_fast, pinatrace_line);
}

static const TraceFormat pinatrace_format = {
    .name = "pinatrace",
    .help = "0xIP: op 0xADDRESS: Pin's example tool pinatrace; op R or W",
    .expects = "\"0xIP: op 0xADDRESS\" with op R or W",
    .marks_writes = true,
    .line = pinatrace_line,
    .parse = pinatrace_parse,
};
