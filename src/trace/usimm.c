/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces of the memory simulator USIMM and of what descends from it.
 *
 *     number op address [text]        2 W 0x10000000
 *
 * The number, decimal, is a time or how many other instructions came before; it is ignored, and
 * so is what follows the address (USIMM writes the instruction pointer of reads). op is R or W;
 * the address is hexadecimal with or without 0x. One file a core: there is one process, 0, and a
 * reference is 1 byte.
 *
 * Such a line is one of the native format as well, with the number as a process. So this format
 * is never guessed: --format usimm. Blank lines and '#' comments are skipped.
 */
#include "scan.h"

static TraceLineKind usimm_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    uint64_t number;
    uint64_t addr;
    scan_blanks(&scan);
    const char *problem = scan_decimal(&scan, UINT64_MAX, &number);
    if (problem != NULL || !scan_at_gap(&scan)) {
        return scan_bad(line, "the line does not begin with a decimal number");
    }
    scan_blanks(&scan);
    int op = scan.at < scan.end ? *scan.at++ & ~0x20 : 0;
    if ((op != 'R' && op != 'W') || !scan_at_gap(&scan)) {
        return scan_bad(line, "the op is not R or W");
    }
    problem = scan_hex_address(&scan, &addr);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    line->refs[0] = scan_ref(addr, 0, 1, op == 'R' ? VMM_OP_READ : VMM_OP_WRITE);
    return TRACE_LINE_REF;
}

/* "number op 0xADDRESS", single blanks, a number of up to 9 digits, nothing behind. */
VMM_ALWAYS_INLINE bool usimm_fast(const char *at, const char *newline, VMMRef **ref,
                                  uint64_t page_size) {
    (void)page_size;
    uint32_t number;
    uint64_t addr;
    at = fast_decimal(at, &number);
    if (VMM_UNLIKELY(at == NULL || at[0] != ' ' || memcmp(at + 2, " 0x", 3) != 0 ||
                     (at[1] != 'R' && at[1] != 'W'))) {
        return false;
    }
    unsigned op = at[1] == 'W' ? VMM_OP_WRITE : VMM_OP_READ;
    unsigned digits = fast_hex(at + 5, &addr);
    if (VMM_UNLIKELY(digits == 0 || !fast_at_end(at + 5 + digits, newline))) {
        return false;
    }
    fast_store(ref, addr, 0, 1, op);
    return true;
}

static TraceStatus usimm_parse(TraceParse *parse) {
    return trace_parse_lines(parse, usimm_fast, usimm_line);
}

static const TraceFormat usimm_format = {
    .name = "usimm",
    .help = "number op address: USIMM; number ignored, op R or W; only by --format",
    .expects = "\"number op address\" with op R or W and a hexadecimal address",
    .marks_writes = true,
    .named_only = true,
    .line = usimm_line,
    .parse = usimm_parse,
};
