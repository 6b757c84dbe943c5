/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format in which course material passes on traces of the SPEC benchmarks.
 *
 *     # kind address instructions        # 0 3019b6c8 2
 *
 * Each line begins with '#'. kind is 0, a load, or 1, a store; the address is hexadecimal with or
 * without 0x; then, in decimal, how many instructions ran since the last access, which is ignored.
 * There is one process, 0, and a reference is 1 byte.
 *
 * What is a record here is a comment in all other formats. So a trace is taken for this format
 * when all of its first lines are records of it, and only when no other format finds anything but
 * comments (format.h).
 */
#include "scan.h"

static TraceLineKind spec_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    uint64_t addr = 0;
    uint64_t instructions;
    if (!scan_begin(line, &scan, &kind)) {
        scan_blanks(&scan);
        if (kind != TRACE_LINE_BLANK || scan.at == scan.end) {
            return kind;
        }
    }
    if (*scan.at++ != '#') {
        return scan_bad(line, "the line does not begin with #");
    }
    scan_blanks(&scan);
    int op = scan.at < scan.end ? *scan.at++ : 0;
    if ((op != '0' && op != '1') || !scan_at_gap(&scan)) {
        return scan_bad(line, "the kind is not 0 or 1");
    }
    const char *problem = scan_hex_address(&scan, &addr);
    scan_blanks(&scan);
    if (problem == NULL) {
        problem = scan_decimal(&scan, UINT64_MAX, &instructions);
    }
    scan_blanks(&scan);
    if (problem == NULL && scan.at != scan.end) {
        problem = "text follows the number of instructions";
    }
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    line->refs[0] = scan_ref(addr, 0, 1, op == '0' ? VMM_OP_READ : VMM_OP_WRITE);
    return TRACE_LINE_REF;
}

/* "# kind ADDRESS number", single blanks, a number of up to 9 digits. */
VMM_ALWAYS_INLINE bool spec_fast(const char *at, const char *newline, VMMRef **ref,
                                 uint64_t page_size) {
    (void)page_size;
    uint64_t addr;
    uint32_t instructions;
    unsigned op = (unsigned char)at[2] - (unsigned)'0';
    if (VMM_UNLIKELY(at[0] != '#' || at[1] != ' ' || op > 1 || at[3] != ' ')) {
        return false;
    }
    unsigned digits = fast_hex(at + 4, &addr);
    at += 4 + digits;
    if (VMM_UNLIKELY(digits == 0 || *at != ' ' ||
                     (at = fast_decimal(at + 1, &instructions)) == NULL ||
                     !fast_at_end(at, newline))) {
        return false;
    }
    fast_store(ref, addr, 0, 1, op);
    return true;
}

static TraceStatus spec_parse(TraceParse *parse) {
    return trace_parse_lines(parse, spec_fast, spec_line);
}

static const TraceFormat spec_format = {
    .name = "spec",
    .help = "# kind address n: kind 0 load, 1 store; hexadecimal address; n ignored (courses)",
    .expects = "\"# kind address number\" with kind 0 or 1 and a hexadecimal address",
    .marks_writes = true,
    .hash_records = true,
    .line = spec_line,
    .parse = spec_parse,
};
