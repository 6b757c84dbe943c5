/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of operating-systems courses: an address and what is done to it.
 *
 *     address op        0041f7a0 R
 *
 * The address is hexadecimal with or without 0x (its digits are hexadecimal also when they are
 * all decimal ones), at most 16 digits; op is R or W in either case. There is one process, 0,
 * and a reference is 1 byte. Blank lines and '#' comments are skipped.
 */
#include "scan.h"

/* op letter -> VMMOp + 1; 0: no op. */
static const uint8_t addrop_ops[256] = {
    ['R'] = VMM_OP_READ + 1,
    ['r'] = VMM_OP_READ + 1,
    ['W'] = VMM_OP_WRITE + 1,
    ['w'] = VMM_OP_WRITE + 1,
};

static TraceLineKind addrop_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    uint64_t addr;
    scan_blanks(&scan);
    (void)scan_hex_prefix(&scan);
    const char *problem = scan_hex(&scan, &addr);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    if (!scan_at_gap(&scan)) {
        return scan_bad(line, "the address is not hexadecimal");
    }
    scan_blanks(&scan);
    uint8_t op = scan.at < scan.end ? addrop_ops[(unsigned char)*scan.at++] : 0;
    if (op == 0 || !scan_at_gap(&scan)) {
        return scan_bad(line, "the op is not R or W");
    }
    scan_blanks(&scan);
    if (scan.at != scan.end) {
        return scan_bad(line, "text follows the op");
    }
    line->refs[0] = scan_ref(addr, 0, 1, (VMMOp)(op - 1));
    return TRACE_LINE_REF;
}

/* "ADDRESS op" or "0xADDRESS op", a single blank. */
VMM_ALWAYS_INLINE bool addrop_fast(const char *at, const char *newline, VMMRef **ref,
                                   uint64_t page_size) {
    (void)page_size;
    uint64_t addr;
    if (at[0] == '0' && (at[1] | 0x20) == 'x') {
        at += 2;
    }
    unsigned digits = fast_hex(at, &addr);
    at += digits;
    uint8_t op = addrop_ops[(unsigned char)at[1]];
    if (VMM_UNLIKELY(digits == 0 || at[0] != ' ' || op == 0 || !fast_at_end(at + 2, newline))) {
        return false;
    }
    fast_store(ref, addr, 0, 1, op - 1u);
    return true;
}

static TraceStatus addrop_parse(TraceParse *parse) {
    return trace_parse_lines(parse, addrop_fast, addrop_line);
}

static const TraceFormat addrop_format = {
    .name = "addrop",
    .help = "address op: hexadecimal address with or without 0x; op R or W (courses)",
    .expects = "\"address op\" with a hexadecimal address and op R or W",
    .marks_writes = true,
    .line = addrop_line,
    .parse = addrop_parse,
};
