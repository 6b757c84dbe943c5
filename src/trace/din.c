/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The din format of the cache simulator Dinero, III and IV.
 *
 *     label address [text]        2 408ed4
 *
 * Labels: 0 read, 1 write, 2 instruction fetch. 3 (unclassified), 4 (copy back) and 5
 * (invalidate) are commands to a cache, not references: such records are counted as ignored.
 * The address is hexadecimal with or without 0x, at most 16 digits; what follows it is ignored,
 * as Dinero does. There is one process, 0.
 *
 * The format has no sizes, so a reference is 1 byte, as everywhere where none is given. Dinero IV
 * takes 4 bytes at the address rounded down to 4, which lie in the same page.
 *
 * Blank lines and '#' comments are skipped.
 */
#include "scan.h"

_Static_assert(VMM_OP_READ == 0 && VMM_OP_WRITE == 1 && VMM_OP_FETCH == 2, "labels are ops");

static TraceLineKind din_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    scan_blanks(&scan);
    unsigned label = (unsigned char)*scan.at++ - (unsigned)'0';
    if (label > 5 || !scan_at_gap(&scan)) {
        return scan_bad(line, "the label is not a number from 0 to 5");
    }
    uint64_t addr;
    const char *problem = scan_hex_address(&scan, &addr);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    if (label > 2) {
        return TRACE_LINE_IGNORED;
    }
    line->refs[0] = scan_ref(addr, 0, 1, (VMMOp)label);
    return TRACE_LINE_REF;
}

/* "label ADDRESS", a single blank, nothing behind. */
VMM_ALWAYS_INLINE bool din_fast(const char *at, const char *newline, VMMRef **ref,
                                uint64_t page_size) {
    (void)page_size;
    unsigned label = (unsigned char)at[0] - (unsigned)'0';
    if (VMM_UNLIKELY(label > 2 || at[1] != ' ')) {
        return false;
    }
    uint64_t addr;
    unsigned digits = fast_hex(at + 2, &addr);
    if (VMM_UNLIKELY(digits == 0 || !fast_at_end(at + 2 + digits, newline))) {
        return false;
    }
    fast_store(ref, addr, 0, 1, label);
    return true;
}

static TraceStatus din_parse(TraceParse *parse) {
    return trace_parse_lines(parse, din_fast, din_line);
}

static const TraceFormat din_format = {
    .name = "din",
    .help = "label address: Dinero; label 0 read, 1 write, 2 fetch; hexadecimal address",
    .expects = "\"label address\" with label 0 to 5 and a hexadecimal address",
    .marks_writes = true,
    .line = din_line,
    .parse = din_parse,
};
