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
    const char *problem = scan_hex_address(&scan, &addr);
    if (problem != NULL) {
        return scan_bad(line, problem);
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
    return fast_address_letter(at, newline, ref, addrop_ops);
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
