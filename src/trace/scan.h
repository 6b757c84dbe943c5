/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading text: what the formats share.
 *
 *   scan_...        for line(): a cursor that walks over one line, checks everything, and reports
 *                   the problem as a phrase (NULL: none)
 *   fast_hex()      for parse(): up to 16 hexadecimal digits at once
 *   trace_parse_lines()   the loop of every parse()
 */
#ifndef VMM_TRACE_SCAN_H
#define VMM_TRACE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../base/compiler.h"
#include "format.h"

/*
 * For tests: VMM_TRACE_PORTABLE, without vector instructions also where there are some;
 * VMM_TRACE_BASELINE, with none that not every x86-64 processor has.
 */
#if defined(__x86_64__) && defined(__SSE2__) && !defined(VMM_TRACE_PORTABLE)
#include <immintrin.h>
#define FAST_VECTOR 1
#else
#define FAST_VECTOR 0
#endif
#ifdef VMM_TRACE_BASELINE
#define FAST_WIDE 0
#else
#define FAST_WIDE 1
#endif

/* ---- One line, carefully -------------------------------------------------------------------- */

typedef struct Scan {
    const char *at;
    const char *end;
} Scan;

static inline bool scan_is_blank(char c) {
    return c == ' ' || c == '\t';
}

static inline bool scan_is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The value of a hexadecimal digit, or 16. */
static inline unsigned scan_hex_digit(char c) {
    unsigned digit = (unsigned char)c - (unsigned)'0';
    unsigned letter = ((unsigned char)c | 0x20u) - (unsigned)'a';
    return digit <= 9 ? digit : letter <= 5 ? letter + 10 : 16;
}

static inline void scan_blanks(Scan *scan) {
    while (scan->at < scan->end && scan_is_blank(*scan->at)) {
        scan->at++;
    }
}

/* At the end of the line, or at a blank. */
static inline bool scan_at_gap(const Scan *scan) {
    return scan->at == scan->end || scan_is_blank(*scan->at);
}

/* "0x" or "0X" ahead? Steps over it. */
static inline bool scan_hex_prefix(Scan *scan) {
    if (scan->end - scan->at >= 2 && scan->at[0] == '0' && (scan->at[1] | 0x20) == 'x') {
        scan->at += 2;
        return true;
    }
    return false;
}

static inline const char *scan_decimal(Scan *scan, uint64_t max, uint64_t *value) {
    uint64_t sum = 0;
    const char *start = scan->at;
    for (; scan->at < scan->end && scan_is_digit(*scan->at); scan->at++) {
        unsigned digit = (unsigned char)*scan->at - (unsigned)'0';
        if (sum > (max - digit) / 10) {
            return "a number is too large";
        }
        sum = sum * 10 + digit;
    }
    if (scan->at == start) {
        return "a decimal number is missing";
    }
    *value = sum;
    return NULL;
}

/* Digits without prefix; at most 16, leading zeros included. */
static inline const char *scan_hex(Scan *scan, uint64_t *value) {
    uint64_t sum = 0;
    const char *start = scan->at;
    for (; scan->at < scan->end && scan_hex_digit(*scan->at) < 16; scan->at++) {
        sum = sum << 4 | scan_hex_digit(*scan->at);
    }
    if (scan->at == start) {
        return "a hexadecimal number is missing";
    }
    if (scan->at - start > 16) {
        return "an address has more than 16 hexadecimal digits";
    }
    *value = sum;
    return NULL;
}

/* A field that is an address in hexadecimal, with or without a prefix; blanks before it. */
static inline const char *scan_hex_address(Scan *scan, uint64_t *addr) {
    scan_blanks(scan);
    (void)scan_hex_prefix(scan);
    const char *problem = scan_hex(scan, addr);
    return problem != NULL || scan_at_gap(scan) ? problem : "the address is not hexadecimal";
}

/*
 * The beginning of every line(): rejects what is bad in any format, takes the '\r' of CRLF off,
 * and recognises blank lines and '#' comments. *scan is the rest, blanks at its start included.
 * True: go on; false: the line is decided, as *kind says.
 */
static inline bool scan_begin(TraceLine *line, Scan *scan, TraceLineKind *kind) {
    *scan = (Scan){line->text, line->text + line->length};
    *kind = TRACE_LINE_BAD;
    if (line->length > TRACE_LINE_BYTES) {
        line->problem = "the line is longer than 4096 bytes";
        return false;
    }
    if (scan->end > scan->at && scan->end[-1] == '\r') {
        scan->end--;
    }
    if (scan->end - scan->at >= 3 && memcmp(scan->at, "\xEF\xBB\xBF", 3) == 0) {
        scan->at += 3; /* the byte order mark with which some editors begin a file */
    }
    for (const char *c = scan->at; c < scan->end; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f) {
            line->problem = "the line holds a control character";
            return false;
        }
    }
    Scan ahead = *scan;
    scan_blanks(&ahead);
    if (ahead.at == ahead.end || *ahead.at == '#') {
        *kind = TRACE_LINE_BLANK;
        return false;
    }
    return true;
}

static inline TraceLineKind scan_bad(TraceLine *line, const char *problem) {
    line->problem = problem;
    return TRACE_LINE_BAD;
}

static inline VMMRef scan_ref(uint64_t addr, uint32_t pid, uint32_t size, VMMOp op) {
    return (VMMRef){.addr = addr, .pid = pid, .size = size, .op = (uint8_t)op};
}

/* ---- Many lines, fast ----------------------------------------------------------------------- */

#if FAST_VECTOR

/*
 * The hexadecimal digits from `at` on, at most 16: their number is returned, their value stored.
 * 16 bytes are read in any case.
 *
 *   bytes   '1' 'f' 'f' '8' '\n' ...
 *   nibbles  01  0f  0f  08  >0f      what each is worth, in either alphabet
 *   pairs      1f      f8    ..       packed to 8 bytes, first digit in the top nibble
 *   value   shifted right by what lies behind the last digit
 *
 * A digit moved to the top of the bytes' range is worth what it lies above 0xf0; others saturate,
 * or stay far from there. A letter, made a capital, is worth its distance from 'A' and 10. The
 * smaller one of both is below 16 if the byte is a digit of either kind.
 */
VMM_ALWAYS_INLINE __m128i fast_nibbles(const char *at) {
    __m128i text = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i digit =
        _mm_subs_epu8(_mm_add_epi8(text, _mm_set1_epi8((char)(0xff - '9'))), _mm_set1_epi8(6));
    digit = _mm_sub_epi8(digit, _mm_set1_epi8((char)0xf0));
    __m128i letter =
        _mm_sub_epi8(_mm_and_si128(text, _mm_set1_epi8((char)0xdf)), _mm_set1_epi8('A'));
    letter = _mm_adds_epu8(letter, _mm_set1_epi8(10));
    return _mm_min_epu8(digit, letter);
}

/* How many of the nibbles, from the first on, are below 16. */
VMM_ALWAYS_INLINE unsigned fast_count_nibbles(__m128i nibbles) {
    __m128i sign = _mm_adds_epu8(nibbles, _mm_set1_epi8(0x7f - 15));
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(sign) | 0x10000u);
}

/* The first `count` nibbles, 1 to 16, as a number; of 0, any. */
VMM_ALWAYS_INLINE uint64_t fast_join_nibbles(__m128i nibbles, unsigned count) {
    __m128i factor = _mm_set1_epi16(0x1001);
    __asm__("" : "+x"(factor)); /* else gcc shifts and adds, which takes longer */
    nibbles = _mm_and_si128(nibbles, _mm_set1_epi8(15)); /* those behind may be anything */
    /* first + 256 * second, times 0x1001, has 16 * first + second in the upper byte */
    __m128i pairs = _mm_srli_epi16(_mm_mullo_epi16(nibbles, factor), 8);
    uint64_t packed = (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(pairs, pairs));
    return __builtin_bswap64(packed) >> (-(4 * count) & 63);
}

VMM_ALWAYS_INLINE unsigned fast_hex(const char *at, uint64_t *value) {
    __m128i nibbles = fast_nibbles(at);
    unsigned count = fast_count_nibbles(nibbles);
    *value = fast_join_nibbles(nibbles, count);
    return count;
}

/*
 * The same where it is known from elsewhere how many digits, 1 to 16, there should be. False: there
 * are more or fewer. So the value need not wait until the digits are counted.
 */
VMM_ALWAYS_INLINE bool fast_hex_of(const char *at, unsigned count, uint64_t *value) {
    __m128i nibbles = fast_nibbles(at);
    *value = fast_join_nibbles(nibbles, count);
    return fast_count_nibbles(nibbles) == count;
}

#else

VMM_ALWAYS_INLINE unsigned fast_hex(const char *at, uint64_t *value) {
    uint64_t sum = 0;
    unsigned count = 0;
    for (; count < 16; count++) {
        unsigned digit = scan_hex_digit(at[count]);
        if (digit > 15) {
            break;
        }
        sum = sum << 4 | digit;
    }
    *value = sum;
    return count;
}

VMM_ALWAYS_INLINE bool fast_hex_of(const char *at, unsigned count, uint64_t *value) {
    return fast_hex(at, value) == count;
}

#endif

/*
 * Stores a reference field by field: a whole struct would be put together on the stack and copied
 * from there, and the copy waits for the pieces.
 */
VMM_ALWAYS_INLINE void fast_store(VMMRef **ref, uint64_t addr, uint32_t pid, uint32_t size,
                                  unsigned op) {
    VMMRef *to = (*ref)++;
    to->addr = addr;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* Two stores of 8 bytes for six fields. */
    uint64_t who = pid | (uint64_t)size << 32;
    uint64_t what = (uint64_t)op << 8 * (offsetof(VMMRef, op) - offsetof(VMMRef, tid));
    memcpy((char *)to + offsetof(VMMRef, pid), &who, sizeof who);
    memcpy((char *)to + offsetof(VMMRef, tid), &what, sizeof what);
#else
    to->pid = pid;
    to->size = size;
    to->tid = 0;
    to->core = 0;
    to->op = (uint8_t)op;
    to->flags = 0;
#endif
}

/* The value of a decimal digit; FAST_NONE: it is none. */
#define FAST_NONE 0x80
static const uint8_t fast_digits[256] = {
    [0 ... '0' - 1] = FAST_NONE,
    ['0'] = 0,
    ['1'] = 1,
    ['2'] = 2,
    ['3'] = 3,
    ['4'] = 4,
    ['5'] = 5,
    ['6'] = 6,
    ['7'] = 7,
    ['8'] = 8,
    ['9'] = 9,
    ['9' + 1 ... 255] = FAST_NONE,
};

/*
 * A decimal number of 1 to 9 digits: stores it and returns the byte behind its last digit; NULL
 * if there is none or a tenth digit follows.
 */
VMM_ALWAYS_INLINE const char *fast_decimal(const char *at, uint32_t *value) {
    uint32_t sum = (unsigned char)*at++ - (unsigned)'0';
    unsigned digit = (unsigned char)*at - (unsigned)'0';
    *value = sum;
    if (VMM_LIKELY(digit > 9)) { /* one digit, as most numbers here have */
        return sum <= 9 ? at : NULL;
    }
    if (sum > 9) {
        return NULL;
    }
    const char *limit = at + 8;
    do {
        sum = sum * 10 + digit;
        digit = (unsigned char)*++at - (unsigned)'0';
    } while (digit <= 9 && at < limit);
    *value = sum;
    return digit <= 9 ? NULL : at;
}

/*
 * Where the lines end: the places of '\n' in at .. end, as distances from `at`, are stored until
 * there are at least `wanted` or no more. Returns how many; up to 63 more than wanted, and 6
 * places behind the last one may be overwritten (FAST_INDEX_SLACK).
 *
 * Finding all ends first and parsing then is faster than parsing from one end to the next: the
 * start of a line does not depend on how the line before it was parsed, so the processor works
 * on several lines at once.
 */
#define FAST_INDEX_SLACK 70

#if FAST_VECTOR

/* Stores the place of the lowest bit and takes it off; of no bit, any place. */
VMM_ALWAYS_INLINE uint64_t fast_next_place(uint64_t mask, uint32_t base, uint32_t *place) {
    uint64_t lowest;
    /* What __builtin_ctzll() gives, but that it may be asked of 0, too: any number comes out. */
    __asm__("rep bsfq %1, %0" : "=r"(lowest) : "r"(mask) : "cc");
    *place = base + (uint32_t)lowest;
    return mask & (mask - 1);
}

/*
 * The places of the bits of `mask`, six at a time, which are seldom fewer than there are: a branch
 * that goes now this way, now that, would cost more.
 */
VMM_ALWAYS_INLINE void fast_bit_places(uint64_t mask, uint32_t base, uint32_t *places) {
    do {
        mask = fast_next_place(mask, base, places);
        mask = fast_next_place(mask, base, places + 1);
        mask = fast_next_place(mask, base, places + 2);
        mask = fast_next_place(mask, base, places + 3);
        mask = fast_next_place(mask, base, places + 4);
        mask = fast_next_place(mask, base, places + 5);
        places += 6;
    } while (VMM_UNLIKELY(mask != 0));
}

/* The bytes that are left when no whole block is. */
VMM_ALWAYS_INLINE size_t fast_index_rest(const char *at, size_t base, size_t length,
                                         uint32_t *places, size_t count, size_t wanted) {
    for (; base < length && count < wanted; base++) {
        places[count] = (uint32_t)base;
        count += at[base] == '\n';
    }
    return count;
}

VMM_ALWAYS_INLINE size_t fast_index_sse2(const char *at, const char *end, uint32_t *places,
                                         size_t wanted) {
    const __m128i newline = _mm_set1_epi8('\n');
    size_t count = 0;
    uint32_t base = 0;
    size_t length = (size_t)(end - at);
    for (; length - base >= 64 && count < wanted; base += 64) {
        const __m128i *block = (const __m128i *)(const void *)(at + base);
        __m128i a = _mm_cmpeq_epi8(_mm_loadu_si128(block), newline);
        __m128i b = _mm_cmpeq_epi8(_mm_loadu_si128(block + 1), newline);
        __m128i c = _mm_cmpeq_epi8(_mm_loadu_si128(block + 2), newline);
        __m128i d = _mm_cmpeq_epi8(_mm_loadu_si128(block + 3), newline);
        uint64_t mask = (uint64_t)(unsigned)_mm_movemask_epi8(a) |
                        (uint64_t)(unsigned)_mm_movemask_epi8(b) << 16 |
                        (uint64_t)(unsigned)_mm_movemask_epi8(c) << 32 |
                        (uint64_t)(unsigned)_mm_movemask_epi8(d) << 48;
        fast_bit_places(mask, base, places + count);
        /* A match is -1 in its byte: the sum of all is minus the number of bits. */
        __m128i sum =
            _mm_sub_epi8(_mm_setzero_si128(), _mm_add_epi8(_mm_add_epi8(a, b), _mm_add_epi8(c, d)));
        sum = _mm_sad_epu8(sum, _mm_setzero_si128());
        count += (unsigned)(_mm_cvtsi128_si32(sum) + _mm_extract_epi16(sum, 4));
    }
    return fast_index_rest(at, base, length, places, count, wanted);
}

/* The same for processors with wider vectors and instructions for bits, as most have. */
__attribute__((target("avx2,bmi,popcnt"))) static size_t fast_index_avx2(const char *at,
                                                                         const char *end,
                                                                         uint32_t *places,
                                                                         size_t wanted) {
    const __m256i newline = _mm256_set1_epi8('\n');
    size_t count = 0;
    uint32_t base = 0;
    size_t length = (size_t)(end - at);
    for (; length - base >= 64 && count < wanted; base += 64) {
        const __m256i *block = (const __m256i *)(const void *)(at + base);
        __m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256(block), newline);
        __m256i high = _mm256_cmpeq_epi8(_mm256_loadu_si256(block + 1), newline);
        uint64_t mask = (uint64_t)(unsigned)_mm256_movemask_epi8(low) |
                        (uint64_t)(unsigned)_mm256_movemask_epi8(high) << 32;
        fast_bit_places(mask, base, places + count);
        count += (size_t)_mm_popcnt_u64(mask);
    }
    return fast_index_rest(at, base, length, places, count, wanted);
}

VMM_ALWAYS_INLINE size_t fast_index_lines(const char *at, const char *end, uint32_t *places,
                                          size_t wanted) {
    if (FAST_WIDE && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("popcnt")) {
        return fast_index_avx2(at, end, places, wanted);
    }
    return fast_index_sse2(at, end, places, wanted);
}

#else

VMM_ALWAYS_INLINE size_t fast_index_lines(const char *at, const char *end, uint32_t *places,
                                          size_t wanted) {
    size_t count = 0;
    const char *line = at;
    while (line < end && count < wanted) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        places[count++] = (uint32_t)(newline - at);
        line = newline + 1;
    }
    return count;
}

#endif

/* Does the line end at `at`, with '\n' or "\r\n"? */
VMM_ALWAYS_INLINE bool fast_at_end(const char *at, const char *newline) {
    return VMM_LIKELY(at == newline) || (at + 1 == newline && *at == '\r');
}

/*
 * The common form of a line from `at` to `newline`: stores its references at *ref, steps *ref
 * behind them and returns true; false, and nothing stored, if the line is of any other form.
 */
typedef bool TraceFast(const char *at, const char *newline, VMMRef **ref, uint64_t page_size);

/*
 * "ADDRESS LETTER": hexadecimal, with 0x or without, and one of the letters that have a VMMOp + 1
 * in `letters`. For a TraceFast.
 */
VMM_ALWAYS_INLINE bool fast_address_letter(const char *at, const char *newline, VMMRef **ref,
                                           const uint8_t letters[256]) {
    uint64_t addr;
    if (at[0] == '0' && (at[1] | 0x20) == 'x') {
        at += 2;
    }
    unsigned digits = fast_hex(at, &addr);
    at += digits;
    unsigned op = letters[(unsigned char)at[1]];
    if (VMM_UNLIKELY(digits == 0 || at[0] != ' ' || op == 0 || !fast_at_end(at + 2, newline))) {
        return false;
    }
    fast_store(ref, addr, 0, 1, op - 1);
    return true;
}

/* For formats that are not worth a fast function. */
VMM_ALWAYS_INLINE bool fast_none(const char *at, const char *newline, VMMRef **ref,
                                 uint64_t page_size) {
    (void)at, (void)newline, (void)ref, (void)page_size;
    return false;
}

/* A line that the fast function did not know. TRACE_DONE: it is consumed. */
static VMM_NOINLINE TraceStatus trace_parse_other(TraceParse *parse, const char *at,
                                                  const char *newline, VMMRef **ref,
                                                  TraceLineKind (*read_line)(TraceLine *)) {
    TraceLine line = {.text = at,
                      .length = (size_t)(newline - at),
                      .page_size = parse->page_size,
                      .state = parse->state};
    switch (read_line(&line)) {
    case TRACE_LINE_TWO_REFS:
        *(*ref)++ = line.refs[0];
        *(*ref)++ = line.refs[1];
        break;
    case TRACE_LINE_REF:
        *(*ref)++ = line.refs[0];
        break;
    case TRACE_LINE_IGNORED:
        parse->ignored++;
        break;
    case TRACE_LINE_BLANK:
        break;
    case TRACE_LINE_EVENT:
        return TRACE_EVENT;
    case TRACE_LINE_BAD:
        parse->bad++;
        parse->problem = line.problem;
        return parse->skip_bad ? TRACE_DONE : TRACE_BAD;
    }
    return TRACE_DONE;
}

VMM_ALWAYS_INLINE TraceStatus trace_parse_stop(TraceParse *parse, const char *at, VMMRef *ref,
                                               TraceStatus status) {
    parse->at = at;
    parse->refs = ref;
    return status;
}

/* Both functions are constants where this is called, so that the compiler inlines `fast`. */
VMM_ALWAYS_INLINE TraceStatus trace_parse_lines(TraceParse *parse, TraceFast *fast,
                                                TraceLineKind (*line)(TraceLine *)) {
    uint32_t places[TRACE_SLICE + FAST_INDEX_SLACK];
    const char *at = parse->at;
    VMMRef *ref = parse->refs;
    const VMMRef *full = parse->refs_end - 1;
    const uint64_t page_size = parse->page_size;
    TraceStatus status = TRACE_DONE;
    while (at < parse->end && status == TRACE_DONE) {
        size_t room = (size_t)(parse->refs_end - ref);
        if (room < TRACE_LINE_REFS) {
            return trace_parse_stop(parse, at, ref, TRACE_FULL);
        }
        const char *base = at;
        size_t count =
            fast_index_lines(at, parse->end, places, room < TRACE_SLICE ? room : TRACE_SLICE);
        size_t i = 0;
        for (; i < count; i++) {
            const char *newline = base + places[i];
            if (VMM_UNLIKELY(ref >= full)) {
                status = TRACE_FULL;
                break;
            }
            if (VMM_UNLIKELY(!fast(at, newline, &ref, page_size))) {
                VMMRef *other = ref; /* `ref` stays in a register */
                status = trace_parse_other(parse, at, newline, &other, line);
                if (status != TRACE_DONE) {
                    break;
                }
                ref = other;
            }
            at = newline + 1;
        }
        parse->records += i;
    }
    return trace_parse_stop(parse, at, ref, status);
}

#endif
