/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page lists: one page number a line, decimal or 0x and hexadecimal.
 *
 * A number stands for a read of the first byte of that page, of the page size the trace was
 * opened with, by process 0. The format does not tell reads from writes. A page whose address
 * would not fit 64 bits is a bad record. Blank lines and '#' comments are skipped.
 */
#include "scan.h"

static TraceLineKind pages_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    uint64_t page;
    uint64_t addr;
    scan_blanks(&scan);
    const char *problem =
        scan_hex_prefix(&scan) ? scan_hex(&scan, &page) : scan_decimal(&scan, UINT64_MAX, &page);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    scan_blanks(&scan);
    if (scan.at != scan.end) {
        return scan_bad(line, "text follows the page number");
    }
    if (__builtin_mul_overflow(page, line->page_size, &addr)) {
        return scan_bad(line, "the page lies beyond 64-bit addresses");
    }
    line->refs[0] = scan_ref(addr, 0, 1, VMM_OP_READ);
    return TRACE_LINE_REF;
}

/* A decimal number of up to 9 digits, nothing before or behind. */
VMM_ALWAYS_INLINE bool pages_fast(const char *at, const char *newline, VMMRef **ref,
                                  uint64_t page_size) {
    uint32_t page;
    uint64_t addr;
    at = fast_decimal(at, &page);
    if (VMM_UNLIKELY(at == NULL || !fast_at_end(at, newline) ||
                     __builtin_mul_overflow(page, page_size, &addr))) {
        return false;
    }
    fast_store(ref, addr, 0, 1, VMM_OP_READ);
    return true;
}

static TraceStatus pages_parse(TraceParse *parse) {
    return trace_parse_lines(parse, pages_fast, pages_line);
}

static const TraceFormat pages_format = {
    .name = "pages",
    .help = "one page number a line, decimal or 0x; no reads and writes told apart",
    .expects = "one page number, decimal or 0x",
    .marks_writes = false,
    .line = pages_line,
    .parse = pages_parse,
};
