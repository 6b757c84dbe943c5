/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of computer-architecture courses: an address and what it is fetched for.
 *
 *     address kind        0x77ad0 I
 *
 * The address is hexadecimal with or without 0x, at most 16 digits; kind is I, an instruction
 * fetch, or D, data, in either case. Reads and writes are not told apart: data is taken for read.
 * There is one process, 0, and a reference is 1 byte. Blank lines and '#' comments are skipped.
 */
#include "scan.h"

/* Kind -> VMMOp + 1; 0: none. */
static const uint8_t addrid_kinds[256] = {
    ['I'] = VMM_OP_FETCH + 1,
    ['i'] = VMM_OP_FETCH + 1,
    ['D'] = VMM_OP_READ + 1,
    ['d'] = VMM_OP_READ + 1,
};

static TraceLineKind addrid_line(TraceLine *line) {
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
    uint8_t op = scan.at < scan.end ? addrid_kinds[(unsigned char)*scan.at++] : 0;
    scan_blanks(&scan);
    if (op == 0 || scan.at != scan.end) {
        return scan_bad(line, "the address is not followed by I or D alone");
    }
    line->refs[0] = scan_ref(addr, 0, 1, (VMMOp)(op - 1));
    return TRACE_LINE_REF;
}

/* "ADDRESS kind" or "0xADDRESS kind", a single blank. */
VMM_ALWAYS_INLINE bool addrid_fast(const char *at, const char *newline, VMMRef **ref,
                                   uint64_t page_size) {
    (void)page_size;
    return fast_address_letter(at, newline, ref, addrid_kinds);
}

static TraceStatus addrid_parse(TraceParse *parse) {
    return trace_parse_lines(parse, addrid_fast, addrid_line);
}

static const TraceFormat addrid_format = {
    .name = "addrid",
    .help = "address kind: hexadecimal address with or without 0x; kind I or D (courses)",
    .expects = "\"address kind\" with a hexadecimal address and kind I or D",
    .marks_writes = false,
    .line = addrid_line,
    .parse = addrid_parse,
};
