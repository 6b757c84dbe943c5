/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Valgrind's tool Lackey prints with --trace-mem=yes.
 *
 *     I  04001090,3        instruction fetch       the columns are part of the format:
 *      L 1ffefff8,8        load                    I in the first, L, S and M in the second;
 *      S 1ffefff0,8        store                   then a blank, an address in hexadecimal
 *      M 0421c7ac,4        load and store          without 0x, a comma, a size in decimal
 *
 * Lackey does not say which process or thread it watched: there is one process, 0.
 *
 * Between the records stand
 *   - Valgrind's own messages, "==PID== ...", "--PID-- ..." and "**PID** ...": skipped
 *   - what the watched program itself printed, when both went to the same place. Such a line is
 *     no record: it is ignored and counted in ignored_records. But a line that has anything of a
 *     record in it (it begins like one, or a hexadecimal digit, a comma and a decimal digit
 *     follow each other somewhere) is a bad record: it may be one that was mangled when the
 *     program's output ran into it, and no record is dropped in silence.
 */
#include "scan.h"

/* The kinds of records, by the letter in lower case: what the first three characters must be. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LACKEY_HEAD(a, b) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)' ' << 16)
static const uint32_t lackey_head_mask = 0x00ffffff;
#else
#define LACKEY_HEAD(a, b) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)' ' << 8)
static const uint32_t lackey_head_mask = 0xffffff00;
#endif
static const uint32_t lackey_heads[256] = {
    ['i'] = LACKEY_HEAD('I', ' '),
    ['l'] = LACKEY_HEAD(' ', 'L'),
    ['s'] = LACKEY_HEAD(' ', 'S'),
    ['m'] = LACKEY_HEAD(' ', 'M'),
};
static const uint8_t lackey_ops[256] = {
    ['i'] = VMM_OP_FETCH, ['l'] = VMM_OP_READ, ['s'] = VMM_OP_WRITE, ['m'] = VMM_OP_READ};

/* The letter of a record in lower case, 0 if the line does not begin like one; reads 4 bytes. */
VMM_ALWAYS_INLINE unsigned lackey_letter(const char *at) {
    /* One of the first two characters is a blank, and 'L' | ' ' is 'l'. */
    unsigned letter = (unsigned char)at[0] | (unsigned char)at[1];
    uint32_t head;
    memcpy(&head, at, sizeof head);
    return lackey_heads[letter] == (head & lackey_head_mask) ? letter : 0;
}

/* "==123==", "--123--", "**123**" ahead? */
static bool lackey_is_message(const Scan *scan) {
    const char *at = scan->at;
    if (scan->end - at < 5 || (*at != '=' && *at != '-' && *at != '*') || at[1] != at[0]) {
        return false;
    }
    char mark = *at;
    const char *digits = at += 2;
    while (at < scan->end && scan_is_digit(*at)) {
        at++;
    }
    return at > digits && scan->end - at >= 2 && at[0] == mark && at[1] == mark;
}

static bool lackey_could_be_record(const Scan *scan) {
    Scan start = *scan;
    scan_blanks(&start);
    if (start.end - start.at >= 2 && scan_is_blank(start.at[1]) &&
        memchr("ILSMilsm", *start.at, 8) != NULL) {
        return true;
    }
    for (const char *c = scan->at + 1; c + 1 < scan->end; c++) {
        if (*c == ',' && scan_hex_digit(c[-1]) < 16 && scan_is_digit(c[1])) {
            return true;
        }
    }
    return false;
}

static TraceLineKind lackey_record(TraceLine *line, Scan *scan, unsigned letter) {
    uint64_t addr;
    uint64_t size = 0;
    scan->at += 3;
    const char *problem = scan_hex(scan, &addr);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    if (scan->at == scan->end || *scan->at++ != ',') {
        return scan_bad(line, "no comma follows the address");
    }
    problem = scan_decimal(scan, UINT32_MAX, &size);
    scan_blanks(scan);
    if (problem != NULL || size == 0 || scan->at != scan->end) {
        return scan_bad(line, "the size is not a number from 1 to 4294967295");
    }
    line->refs[0] = scan_ref(addr, 0, (uint32_t)size, (VMMOp)lackey_ops[letter]);
    line->refs[1] = scan_ref(addr, 0, (uint32_t)size, VMM_OP_WRITE);
    return letter == 'm' ? TRACE_LINE_TWO_REFS : TRACE_LINE_REF;
}

static TraceLineKind lackey_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    unsigned letter = scan.end - scan.at >= 3 ? lackey_letter(scan.at) : 0;
    if (letter != 0) {
        return lackey_record(line, &scan, letter);
    }
    if (lackey_is_message(&scan)) {
        return TRACE_LINE_BLANK;
    }
    if (lackey_could_be_record(&scan)) {
        return scan_bad(line, "the line does not begin with \"I  \", \" L \", \" S \" or \" M \"");
    }
    return TRACE_LINE_IGNORED;
}

VMM_ALWAYS_INLINE bool lackey_store(VMMRef **ref, uint64_t addr, uint32_t size, unsigned letter) {
    fast_store(ref, addr, 0, size, lackey_ops[letter]);
    if (VMM_UNLIKELY(letter == 'm')) {
        fast_store(ref, addr, 0, size, VMM_OP_WRITE);
    }
    return true;
}

/* Any record, without blanks behind it. */
VMM_ALWAYS_INLINE bool lackey_fast(const char *at, const char *newline, VMMRef **ref,
                                   uint64_t page_size) {
    (void)page_size;
    unsigned letter = lackey_letter(at);
    if (VMM_UNLIKELY(letter == 0)) {
        return false;
    }
    uint64_t addr;
    uint32_t size = 0;
    size_t digits = (size_t)(newline - at) - strlen(" L ,8"); /* with a size of one digit */
    if (VMM_LIKELY(digits - 1 <= 15 && newline[-2] == ',')) {
        size = fast_digits[(unsigned char)newline[-1]];
    }
    if (VMM_LIKELY(size - 1 < 9 && fast_hex_of(at + 3, (unsigned)digits, &addr))) {
        return lackey_store(ref, addr, size, letter);
    }
    digits = fast_hex(at + 3, &addr);
    at += 3 + digits;
    if (VMM_UNLIKELY(digits == 0 || *at != ',' || (at = fast_decimal(at + 1, &size)) == NULL ||
                     !fast_at_end(at, newline) || size == 0)) {
        return false;
    }
    return lackey_store(ref, addr, size, letter);
}

static TraceStatus lackey_parse(TraceParse *parse) {
    return trace_parse_lines(parse, lackey_fast, lackey_line);
}

static const TraceFormat lackey_format = {
    .name = "lackey",
    .help = "I/L/S/M address,size: what valgrind --tool=lackey --trace-mem=yes prints",
    .expects = "\"I  address,size\", or \" L\", \" S\" or \" M\" and \" address,size\"",
    .marks_writes = true,
    .line = lackey_line,
    .parse = lackey_parse,
};
