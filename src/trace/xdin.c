/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The extended din format of the cache simulator Dinero IV.
 *
 *     type address size [text]        r 1fff00 8
 *
 * Types, in either case: r read, w write, i instruction fetch. m (miscellaneous), c (copy back)
 * and v (invalidate) are commands to a cache, not references: such records are counted as
 * ignored. Address and size are hexadecimal with or without 0x; what follows them is ignored.
 * There is one process, 0. Blank lines and '#' comments are skipped.
 */
#include "scan.h"

/* Type -> VMMOp + 1, or XDIN_COMMAND; 0: none. */
enum { XDIN_COMMAND = VMM_OP_COUNT + 1 };
static const uint8_t xdin_types[256] = {
    ['r'] = VMM_OP_READ + 1,  ['R'] = VMM_OP_READ + 1,  ['w'] = VMM_OP_WRITE + 1,
    ['W'] = VMM_OP_WRITE + 1, ['i'] = VMM_OP_FETCH + 1, ['I'] = VMM_OP_FETCH + 1,
    ['m'] = XDIN_COMMAND,     ['M'] = XDIN_COMMAND,     ['c'] = XDIN_COMMAND,
    ['C'] = XDIN_COMMAND,     ['v'] = XDIN_COMMAND,     ['V'] = XDIN_COMMAND,
};

/* A number up to a blank or the end. */
static const char *xdin_number(Scan *scan, uint64_t *value) {
    scan_blanks(scan);
    (void)scan_hex_prefix(scan);
    const char *problem = scan_hex(scan, value);
    return problem != NULL || scan_at_gap(scan) ? problem : "a number is not hexadecimal";
}

static TraceLineKind xdin_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    uint64_t addr;
    uint64_t size;
    scan_blanks(&scan);
    unsigned type = xdin_types[(unsigned char)*scan.at++];
    if (type == 0 || !scan_at_gap(&scan)) {
        return scan_bad(line, "the type is not one of r, w, i, m, c, v");
    }
    const char *problem = xdin_number(&scan, &addr);
    if (problem == NULL) {
        problem = xdin_number(&scan, &size);
    }
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    if (type == XDIN_COMMAND) {
        return TRACE_LINE_IGNORED;
    }
    if (size == 0 || size > UINT32_MAX) {
        return scan_bad(line, "the size is not a number from 1 to ffffffff");
    }
    line->refs[0] = scan_ref(addr, 0, (uint32_t)size, (VMMOp)(type - 1));
    return TRACE_LINE_REF;
}

/* "type ADDRESS SIZE", single blanks, nothing behind. */
VMM_ALWAYS_INLINE bool xdin_fast(const char *at, const char *newline, VMMRef **ref,
                                 uint64_t page_size) {
    (void)page_size;
    unsigned type = xdin_types[(unsigned char)at[0]];
    uint64_t addr;
    uint64_t size;
    if (VMM_UNLIKELY(type - 1 > VMM_OP_FETCH || at[1] != ' ')) {
        return false;
    }
    unsigned digits = fast_hex(at + 2, &addr);
    at += 2 + digits;
    if (VMM_UNLIKELY(digits == 0 || *at != ' ')) {
        return false;
    }
    digits = fast_hex(at + 1, &size);
    if (VMM_UNLIKELY(digits == 0 || digits > 8 || size == 0 ||
                     !fast_at_end(at + 1 + digits, newline))) {
        return false;
    }
    fast_store(ref, addr, 0, (uint32_t)size, type - 1);
    return true;
}

static TraceStatus xdin_parse(TraceParse *parse) {
    return trace_parse_lines(parse, xdin_fast, xdin_line);
}

static const TraceFormat xdin_format = {
    .name = "xdin",
    .help = "type address size: Dinero IV; type r, w or i; hexadecimal address and size",
    .expects = "\"type address size\" with type r, w, i, m, c or v, all hexadecimal",
    .marks_writes = true,
    .line = xdin_line,
    .parse = xdin_parse,
};
