/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/trace: formats, bad records, detection, compression and damage, second passes,
 * fingerprints. test_trace_tiny.c runs all of this again with a read buffer of a few bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef VMM_HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef VMM_HAVE_LZMA
#include <lzma.h>
#endif
#ifdef VMM_HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef VMM_HAVE_ZSTD
#include <zstd.h>
#endif

#include "../../include/vmm/trace.h"
#include "../../src/base/compiler.h"
#include "../../src/base/rng.h"
#include "../../src/trace/format.h"
#include "trace_files.h"

/* ---- Formats -------------------------------------------------------------------------------- */

typedef struct LineCase {
    const char *format;
    const char *line;
    uint64_t addr;
    uint32_t pid;
    uint32_t size;
    int op; /* -1: a read and a write; -2: skipped; -3: ignored and counted */
} LineCase;

#define R VMM_OP_READ
#define W VMM_OP_WRITE
#define I VMM_OP_FETCH
enum { BOTH = -1, SKIPPED = -2, IGNORED = -3 };

static const LineCase line_cases[] = {
    {"native", "0 R 0x1000", 0x1000, 0, 1, R},
    {"native", "1 W 0x1fff0005e8 8", 0x1fff0005e8, 1, 8, W},
    {"native", "1 I 0x0401ab70 3", 0x401ab70, 1, 3, I},
    {"native", "2 M 0x20 4", 0x20, 2, 4, BOTH},
    {"native", "2 m 0x20", 0x20, 2, 1, BOTH},
    {"native", "4294967295 r 0xffffffffffffffff 4294967295", UINT64_MAX, UINT32_MAX, UINT32_MAX, R},
    {"native", "7 w 18446744073709551615", UINT64_MAX, 7, 1, W},
    {"native", "7 i 4096 16", 4096, 7, 16, I},
    {"native", "0 R 0", 0, 0, 1, R},
    {"native", "0 R 0x0", 0, 0, 1, R},
    {"native", "0 R 0XaBcDeF", 0xabcdef, 0, 1, R},
    {"native", "0 R 0x0000000000001000", 0x1000, 0, 1, R},
    {"native", "12 R 0x1 23", 1, 12, 23, R},
    {"native", "123456789 R 0x1 987654321", 1, 123456789, 987654321, R},
    {"native", "1234567890 R 0x1 1987654321", 1, 1234567890, 1987654321, R},
    {"native", "0\tR\t0x1000\t8", 0x1000, 0, 8, R},
    {"native", "  0   R   0x1000   8  ", 0x1000, 0, 8, R},
    {"native", "0 R 0x1000 ", 0x1000, 0, 1, R},
    {"native", "0 R 0x1000 malloc at heap.c:17", 0x1000, 0, 1, R},
    {"native", "0 R 0x1000 8 # the head of the list", 0x1000, 0, 8, R},
    {"native", "0 R 0x1000 - 5", 0x1000, 0, 1, R},
    {"native", "# 0 R 0x1000", 0, 0, 0, SKIPPED},
    {"native", "   # indented", 0, 0, 0, SKIPPED},
    {"native", "", 0, 0, 0, SKIPPED},
    {"native", " \t ", 0, 0, 0, SKIPPED},
    {"addrop", "0041f7a0 R", 0x41f7a0, 0, 1, R},
    {"addrop", "13f5e2c0 W", 0x13f5e2c0, 0, 1, W},
    {"addrop", "0x7ffe00001000 w", 0x7ffe00001000, 0, 1, W},
    {"addrop", "0X10 r", 0x10, 0, 1, R},
    {"addrop", "10 R", 0x10, 0, 1, R},
    {"addrop", "ffffffffffffffff R", UINT64_MAX, 0, 1, R},
    {"addrop", " 10\tR ", 0x10, 0, 1, R},
    {"addrop", "# 10 R", 0, 0, 0, SKIPPED},
    {"lackey", "I  04001090,3", 0x4001090, 0, 3, I},
    {"lackey", " L 1ffefff8,8", 0x1ffefff8, 0, 8, R},
    {"lackey", " S 1ffefff0,16", 0x1ffefff0, 0, 16, W},
    {"lackey", " M 0421c7ac,4", 0x421c7ac, 0, 4, BOTH},
    {"lackey", " L 10,1", 0x10, 0, 1, R},
    {"lackey", " L fFfF,1 ", 0xffff, 0, 1, R},
    {"lackey", "==28465== Lackey, an example Valgrind tool", 0, 0, 0, SKIPPED},
    {"lackey", "==28465== Counted 0 calls to main(), 3,4", 0, 0, 0, SKIPPED},
    {"lackey", "--28465-- Reading syms from /usr/lib/libc.so", 0, 0, 0, SKIPPED},
    {"lackey", "**28465** printed by a client request", 0, 0, 0, SKIPPED},
    {"lackey", "total 9624", 0, 0, 0, IGNORED},
    {"lackey", "-rw-r--r-- 1 root root 75 Nov  4 00:00 hello.c", 0, 0, 0, IGNORED},
    {"lackey", "x", 0, 0, 0, IGNORED},
    {"din", "2 408ed4", 0x408ed4, 0, 1, I},
    {"din", "0 10019d94", 0x10019d94, 0, 1, R},
    {"din", "1 0x10019d88", 0x10019d88, 0, 1, W},
    {"din", "1 10019d88 4 and more", 0x10019d88, 0, 1, W},
    {"din", " 1\t10019d88 ", 0x10019d88, 0, 1, W},
    {"din", "3 1000", 0, 0, 0, IGNORED},
    {"din", "4 1000", 0, 0, 0, IGNORED},
    {"din", "5 0", 0, 0, 0, IGNORED},
    {"pages", "0", 0, 0, 1, R},
    {"pages", "8", 8 * 4096, 0, 1, R},
    {"pages", "123456789", UINT64_C(123456789) * 4096, 0, 1, R},
    {"pages", "4503599627370495", UINT64_C(4503599627370495) * 4096, 0, 1, R},
    {"pages", "0x1f", 0x1f * 4096, 0, 1, R},
    {"pages", "\t8 ", 8 * 4096, 0, 1, R},
    {"xdin", "r 1fff00 8", 0x1fff00, 0, 8, R},
    {"xdin", "W 0x1fff00 0x10", 0x1fff00, 0, 16, W},
    {"xdin", "i 400000 4 and more", 0x400000, 0, 4, I},
    {"xdin", " I\t400000\tffffffff ", 0x400000, 0, UINT32_MAX, I},
    {"xdin", "m 400000 0", 0, 0, 0, IGNORED},
    {"xdin", "c 0 0", 0, 0, 0, IGNORED},
    {"xdin", "V 400000 10", 0, 0, 0, IGNORED},
    {"xdin", "# r 1fff00 8", 0, 0, 0, SKIPPED},
    {"addrid", "0x77ad0 I", 0x77ad0, 0, 1, I},
    {"addrid", "0x77ad4 D", 0x77ad4, 0, 1, R},
    {"addrid", "dddd d ", 0xdddd, 0, 1, R},
    {"addrid", "\tFF\ti", 0xff, 0, 1, I},
    {"addrid", "# 0x77ad0 I", 0, 0, 0, SKIPPED},
    {"spec", "# 0 3019b6c8 2", 0x3019b6c8, 0, 1, R},
    {"spec", "# 1 7fffed80 0", 0x7fffed80, 0, 1, W},
    {"spec", "#1 0x10 1234567890123", 0x10, 0, 1, W},
    {"spec", "  #\t0  ffffffffffffffff  1 ", UINT64_MAX, 0, 1, R},
    {"spec", "", 0, 0, 0, SKIPPED},
    {"usimm", "2 W 0x10000000", 0x10000000, 0, 1, W},
    {"usimm", "18446744073709551615 R 0x12345678 0x4005d0", 0x12345678, 0, 1, R},
    {"usimm", "0 r ff", 0xff, 0, 1, R},
    {"usimm", "# 2 W 0x10000000", 0, 0, 0, SKIPPED},
    {"pinatrace", "0x7f2b1c0a1b40: R 0x7ffe10a0", 0x7ffe10a0, 0, 1, R},
    {"pinatrace", "0x7f2b1c0a1b40: W 0x7ffe10a0\t 8", 0x7ffe10a0, 0, 8, W},
    {"pinatrace", "0x1: R 0x7ffe10a0  4 0x00000012", 0x7ffe10a0, 0, 4, R},
    {"pinatrace", " 0X1:  W  0XfF ", 0xff, 0, 1, W},
    {"pinatrace", "#eof", 0, 0, 0, SKIPPED},
    {"pinatrace", "# Memory Access Trace Generated By Pin", 0, 0, 0, SKIPPED},
    {"drview", "  17   1:   0 ifetch       3 byte(s) @ 0x00007f1b00401000 48 89 e7  mov %rsp",
     0x7f1b00401000, 0, 3, I},
    {"drview", "18 1: W0.T0 read         8 byte(s) @ 0x00007fdf64e2adc8 by PC 0x0000000000404a7e",
     0x7fdf64e2adc8, 0, 8, R},
    {"drview", "19 1: 0 write 64 byte(s) @ 0xff by PC 0x1", 0xff, 0, 64, W},
    {"drview", "20 1: 0 write 64 byte(s) @ 0xff", 0xff, 0, 64, W},
    {"drview", "19 1: 0 <marker: timestamp 13334813807921548>", 0, 0, 0, IGNORED},
    {"drview", "19 1: 0 noifetch 2 byte(s) @ 0x401000 f3 a4", 0, 0, 0, IGNORED},
    {"drview", "94 68: 0                                             00", 0, 0, 0, SKIPPED},
    {"drview", "94 68: 0                                     00 ff 3c", 0, 0, 0, SKIPPED},
    {"drview", "<--record#-> <--instr#->: <---tid---> <record details>", 0, 0, 0, IGNORED},
    {"drview", "------------------------------------------------------------", 0, 0, 0, IGNORED},
    {"drview", "              6 : total instructions", 0, 0, 0, IGNORED},
};

static void check_line(const LineCase *one, const Result *result) {
    assert_int_equal(result->open_code, VMM_OK);
    assert_int_equal(result->end, 0);
    assert_int_equal(result->info.bad_records, 0);
    assert_int_equal(result->info.ignored_records, one->op == IGNORED);
    size_t count = one->op == BOTH ? 2 : one->op >= 0 ? 1 : 0;
    assert_int_equal(result->count, count + 1);
    if (count > 0) {
        assert_ref(&result->refs[0], one->addr, one->pid, one->size,
                   one->op == BOTH ? R : (VMMOp)one->op);
    }
    if (count > 1) {
        assert_ref(&result->refs[1], one->addr, one->pid, one->size, W);
    }
}

/* A line of each format that is fine. */
static const char *good_line(const char *format) {
    static const struct {
        const char *format;
        const char *line;
    } good[] = {{"native", "9 R 0x9000"},
                {"addrop", "9000 R"},
                {"lackey", " L 9000,1"},
                {"din", "0 9000"},
                {"pages", "9"},
                {"xdin", "r 9000 1"},
                {"addrid", "9000 D"},
                {"spec", "# 0 9000 1"},
                {"usimm", "9 R 0x9000"},
                {"pinatrace", "0x9: R 0x9000"},
                {"drview", "1 1: 0 read 1 byte(s) @ 0x9000 by PC 0x9"}};
    for (size_t i = 0; i < VMM_COUNT_OF(good); i++) {
        if (strcmp(good[i].format, format) == 0) {
            return good[i].line;
        }
    }
    fail_msg("no good line of %s", format);
    return "";
}

static void lines_of_every_format(void **state) {
    (void)state;
    static const char *const ends[] = {"\n", "\r\n"};
    for (size_t i = 0; i < VMM_COUNT_OF(line_cases); i++) {
        const LineCase *one = &line_cases[i];
        for (size_t e = 0; e < VMM_COUNT_OF(ends); e++) {
            char text[256];
            snprintf(text, sizeof text, "%s%s%s%s", one->line, ends[e], good_line(one->format),
                     e == 0 ? "" : ends[e]); /* once without an end of line at the very end */
            Result result = read_text(text, one->format);
            check_line(one, &result);
            free(result.refs);
        }
    }
}

static void formats_are_listed(void **state) {
    (void)state;
    static const char *const names[] = {"native", "addrop", "lackey", "din", "pages"};
    for (size_t i = 0; i < VMM_COUNT_OF(names); i++) {
        assert_string_equal(vmm_trace_format_name(i), names[i]);
        char text[64];
        snprintf(text, sizeof text, "%s\n", good_line(names[i]));
        Result result = read_text(text, NULL);
        assert_int_equal(result.end, 0);
        assert_int_equal(result.info.marks_writes, strcmp(names[i], "pages") != 0);
        free(result.refs);
    }
}

static void page_size_scales_page_lists(void **state) {
    (void)state;
    put_file("3\n", 2);
    VMMTraceOptions options = {.struct_size = sizeof options, .page_size = 65536};
    VMMTrace *trace;
    VMMRef ref;
    assert_int_equal(vmm_trace_open(file_path, &options, &trace, NULL), VMM_OK);
    assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
    assert_ref(&ref, 3 * 65536, 0, 1, R);
    vmm_trace_close(trace);
}

/* ---- Bad records ---------------------------------------------------------------------------- */

typedef struct BadCase {
    const char *format;
    const char *line;
    size_t length; /* 0: of the string */
} BadCase;

static const BadCase bad_cases[] = {
    {"native", "0 X 0x1000", 0},
    {"native", "0 F 0x1000", 0},
    {"native", "0 READ 0x1000", 0},
    {"native", "0 RW 0x1000", 0},
    {"native", "0,R,0x1000", 0},
    {"native", "0 R,0x1000", 0},
    {"native", "0 R 0x1000,8", 0},
    {"native", "-1 R 0x1000", 0},
    {"native", "+1 R 0x1000", 0},
    {"native", "a R 0x1000", 0},
    {"native", "0x1 R 0x1000", 0},
    {"native", "1/ R 0x1000", 0},
    {"native", "1/x R 0x1000", 0},
    {"native", "1/2/3 R 0x1000", 0},
    {"native", "1/4294967296 R 0x1000", 0},
    {"native", "1 K 0x1000", 0},
    {"native", "1 KI 0x1000", 0},
    {"native", "1 KM 0x1000", 0},
    {"native", "1 KRW 0x1000", 0},
    {"native", "1 K", 0},
    {"native", "1.5 R 0x1000", 0},
    {"native", "4294967296 R 0x1000", 0},
    {"native", "99999999999999999999999 R 0x1000", 0},
    {"native", "0 R 0xZZ", 0},
    {"native", "0 R 0x", 0},
    {"native", "0 R 0x 8", 0},
    {"native", "0 R 0x10g0", 0},
    {"native", "0 R 0x00000000000000001000", 0},
    {"native", "0 R 0x12345678901234567", 0},
    {"native", "0 R 18446744073709551616", 0},
    {"native", "0 R 99999999999999999999", 0},
    {"native", "0 R 40a6", 0},
    {"native", "0 R -4096", 0},
    {"native", "0 R address", 0},
    {"native", "0 R 0x1000 0", 0},
    {"native", "0 R 0x1000 00", 0},
    {"native", "0 R 0x1000 4294967296", 0},
    {"native", "0 R 0x1000 8x", 0},
    {"native", "0 R 0x1000 8.5", 0},
    {"native", "0 R 0x1000 -8", 0},
    {"native", "0 R 0x1000 +8", 0},
    {"native", "0 R 0x1000 8 9", 0},
    {"native", "0", 0},
    {"native", "0 ", 0},
    {"native", "0 R", 0},
    {"native", "0 R ", 0},
    {"native", "R 0x1000", 0},
    {"native", "0 0x1000 R", 0},
    {"native", "0 R 0x1000 \0 text", 18},
    {"native", "0 R 0x10\0", 9},
    {"native", "\0\0\0\0", 4},
    {"native", "# a comment with \x01 in it", 0},
    {"native", "@", 0},
    {"native", "@ map", 0},
    {"native", "@ maps 1 start=0x1000", 0},
    {"native", "@ map one start=0x1000", 0},
    {"native", "@ map 4294967296", 0},
    {"native", "@ map 1/ start=0x1000", 0},
    {"native", "@ map 1 start", 0},
    {"native", "@ map 1 start=", 0},
    {"native", "@ map 1 start=0x10g0", 0},
    {"native", "@ map 1 start=0x1000length=1", 0},
    {"native", "@ map 1 child=2", 0},
    {"native", "@ fork 1 value=2", 0},
    {"native", "@ map 1 prot=rx-", 0},
    {"native", "@ map 1 prot=rw", 0},
    {"native", "@ map 1 prot=0x100000000", 0},
    {"native", "@ map 1 flags=", 0},
    {"native", "@ map 1 flags=fixed,loose", 0},
    {"native", "@ map 1 flags=fixedly", 0},
    {"native", "@ map 1 path=/a", 0},
    {"native", "@ map 1 path=\"/a", 0},
    {"native", "@ map 1 path=\"/a\\x4\"", 0},
    {"native", "@ map 1 path=\"/a\\x00\"", 0},
    {"native", "@ map 1 path=\"/a\\y41\"", 0},
    {"native", "@ map 1 path=\"/a\"b", 0},
    {"native", "@ mappings", 0},
    {"native", "@ mappings completely", 0},
    {"native", "@ page-size", 0},
    {"native", "@ page-size 0", 0},
    {"native", "@ page-size 3000", 0},
    {"native", "@ page-size 4096 8", 0},
    {"native", "@ page-size 18446744073709551616", 0},
    {"native", "@ reduced 0", 0},
    {"native", "@ reduced many", 0},
    {"native",
     "\x7f"
     "ELF\x02\x01\x01",
     0},
    {"native", "0 R 0x1000\r8", 0},
    {"native", "\xff\xfe", 0},
    {"addrop", "0041f7a0 X", 0},
    {"addrop", "0041f7a0 I", 0},
    {"addrop", "0041f7a0 RW", 0},
    {"addrop", "0041f7a0", 0},
    {"addrop", "0041f7a0 ", 0},
    {"addrop", "0041f7g0 R", 0},
    {"addrop", "0x R", 0},
    {"addrop", "R 0041f7a0", 0},
    {"addrop", "0041f7a0 R 4", 0},
    {"addrop", "12345678901234567 R", 0},
    {"addrop", "-10 R", 0},
    {"lackey", " L 04001090", 0},
    {"lackey", " L 04001090,", 0},
    {"lackey", " L 04001090,0", 0},
    {"lackey", " L 04001090,4294967296", 0},
    {"lackey", " L 04001090,4x", 0},
    {"lackey", " L 04001090,4,4", 0},
    {"lackey", " L ,4", 0},
    {"lackey", " L 0x4001090,4", 0},
    {"lackey", " L zzzz,4", 0},
    {"lackey", " L 12345678901234567,4", 0},
    {"lackey", " X 04001090,4", 0},
    {"lackey", "L 04001090,4", 0},
    {"lackey", "I 04001090,4", 0},
    {"lackey", "total I  04001090,4", 0}, /* the program's output ran into a record */
    {"lackey", "  L 04001090,4", 0},
    {"lackey", "=123== I  04001090,4", 0},
    {"lackey", " L 04\0,4", 8},
    {"din", "6 408ed4", 0},
    {"din", "r 408ed4", 0},
    {"din", "2", 0},
    {"din", "2 ", 0},
    {"din", "2 xyz", 0},
    {"din", "2 408ed4,4", 0},
    {"din", "22 408ed4", 0},
    {"din", "-1 408ed4", 0},
    {"din", "2 12345678901234567", 0},
    {"pages", "x", 0},
    {"pages", "-1", 0},
    {"pages", "1 2", 0},
    {"pages", "1,2", 0},
    {"pages", "1.5", 0},
    {"pages", "0x", 0},
    {"pages", "0xg", 0},
    {"pages", "ff", 0},
    {"pages", "4503599627370496", 0}, /* times 4096 is 2^64 */
    {"pages", "18446744073709551616", 0},
    {"pages", "0x12345678901234567", 0},
    {"xdin", "x 400000 4", 0},
    {"xdin", "0 400000 4", 0},
    {"xdin", "r 400000", 0},
    {"xdin", "r 400000 0", 0},
    {"xdin", "r 400000 100000000", 0},
    {"xdin", "r 400000 4,", 0},
    {"xdin", "rw 400000 4", 0},
    {"xdin", "r 4000g0 4", 0},
    {"addrid", "0x77ad0 R", 0},
    {"addrid", "0x77ad0 ID", 0},
    {"addrid", "0x77ad0 I 4", 0},
    {"addrid", "0x77ad0", 0},
    {"addrid", "xyz I", 0},
    {"addrid", "12345678901234567 D", 0},
    {"spec", "0 3019b6c8 2", 0},
    {"spec", "# 2 3019b6c8 2", 0},
    {"spec", "# 0 3019b6c8", 0},
    {"spec", "# 0 3019b6c8 x", 0},
    {"spec", "# 0 3019b6c8 2 3", 0},
    {"spec", "# a comment", 0},
    {"spec", "#", 0},
    {"usimm", "2 X 0x10", 0},
    {"usimm", "x W 0x10", 0},
    {"usimm", "2 W", 0},
    {"usimm", "2 W 0x10g", 0},
    {"usimm", "18446744073709551616 W 0x10", 0},
    {"pinatrace", "0x1 R 0x10", 0},
    {"pinatrace", "0x1:R 0x10", 0},
    {"pinatrace", "1: R 0x10", 0},
    {"pinatrace", "0x1: X 0x10", 0},
    {"pinatrace", "0x1: R 10", 0},
    {"pinatrace", "0x1: R 0x10z", 0},
    {"pinatrace", "0x1: R 0x10 0", 0},
    {"pinatrace", "0x1: R 0x10 8x", 0},
    {"drview", "1 1: 0 read x byte(s) @ 0x10", 0},
    {"drview", "1 1: 0 read 0 byte(s) @ 0x10", 0},
    {"drview", "1 1: 0 read 8 bytes @ 0x10", 0},
    {"drview", "1 1: 0 ifetch 8 byte(s) @ 10", 0},
    {"drview", "1 1: 0 write 8 byte(s) @ 0x10x", 0},
    {"drview", "1 1 0 write 8 byte(s) @ 0x10", 0},
    {"drview", "1 1: W0.0 write 8 byte(s) @ 0x10", 0},
    {"drview", "write 8 byte(s) @ 0x10", 0},
};

/* good, bad, good; every bad record stops the reading, or is counted. */
static void bad_record(const BadCase *one) {
    Bytes text = {NULL, 0, 0};
    append_line(&text, good_line(one->format));
    append(&text, one->line, one->length > 0 ? one->length : strlen(one->line));
    append(&text, "\n", 1);
    append_line(&text, good_line(one->format));

    Result strict = read_bytes(text.data, text.size, one->format, false);
    if (strict.end != VMM_E_BAD_RECORD) {
        fail_msg("%s took \"%s\"", one->format, one->line);
    }
    assert_int_equal(strict.count, 1);
    assert_contains(strict.error, "/t:2: found \"");
    assert_contains(strict.error, "expected ");
    assert_contains(strict.error, "--skip-bad-records");
    free(strict.refs);

    Result skipping = read_bytes(text.data, text.size, one->format, true);
    assert_int_equal(skipping.end, 0);
    assert_int_equal(skipping.count, 2);
    assert_int_equal(skipping.info.bad_records, 1);
    free(skipping.refs);
    free(text.data);
}

static void bad_records(void **state) {
    (void)state;
    for (size_t i = 0; i < VMM_COUNT_OF(bad_cases); i++) {
        bad_record(&bad_cases[i]);
    }
}

static void the_message_of_a_bad_record(void **state) {
    (void)state;
    Result result = read_text("# one\n0 R 0x1\n\n0 R 0x2\n0 X 0x1000\n", "native");
    char expected[VMM_ERROR_TEXT_BYTES];
    snprintf(expected, sizeof expected,
             "%s:5: found \"0 X 0x1000\" (the op is not one of R, W, I, M), expected \"pid op "
             "address [size]\" with op R, W, I or M, or \"@ event pid [field=value]\"; use "
             "--skip-bad-records to go on past bad "
             "lines",
             file_path);
    assert_string_equal(result.error, expected);
    free(result.refs);
    result = read_bytes("0 R 0x1\n\"\x1b[31m\xff\t\\\"\n", 18, "native", false);
    assert_contains(result.error, "found \"\\x22\\x1b[31m\\xff\\t\\x5c\\x22\"");
    free(result.refs);
}

static void native_has_threads_and_the_kernel(void **state) {
    (void)state;
    Result result = read_text("7/12 W 0x1000 8\n7/3 M 1\n7 KR 0x1000 8\n7/5 KW 1\n", "native");
    assert_int_equal(result.count, 5);
    static const uint32_t tids[] = {12, 3, 3, 0, 5};
    for (size_t i = 0; i < result.count; i++) {
        assert_int_equal(result.refs[i].tid, tids[i]);
        assert_int_equal(result.refs[i].flags, i < 3 ? 0 : VMM_REF_KERNEL);
    }
    free(result.refs);
}

/* Far behind the first buffer the line is still the right one. */
static void line_numbers_stay_exact(void **state) {
    (void)state;
    Bytes text = {NULL, 0, 0};
    for (int i = 1; i < 30000; i++) {
        append_line(&text, i % 7 == 0 ? "" : i % 5 == 0 ? "# text" : "3 M 0x1234 8");
    }
    append_line(&text, "3 Q 0x1234");
    Result result = read_bytes(text.data, text.size, NULL, false);
    assert_int_equal(result.end, VMM_E_BAD_RECORD);
    assert_contains(result.error, "/t:30000: found");
    free(result.refs);
    free(text.data);
}

/* A record of `length` bytes between two others. */
static Result read_long_line(size_t length, bool skip, bool last) {
    Bytes text = bytes_of("1 R 0x1\n");
    Bytes line = {malloc(length), length, length};
    memset(line.data, 'x', length);
    memcpy(line.data, "2 R 0x2 ", 8);
    append(&text, line.data, line.size);
    if (!last) {
        append(&text, "\n3 R 0x3\n", 9);
    }
    Result result = read_bytes(text.data, text.size, "native", skip);
    free(line.data);
    free(text.data);
    return result;
}

static void long_lines(void **state) {
    (void)state;
    for (int last = 0; last < 2; last++) {
        Result result = read_long_line(TRACE_LINE_BYTES, false, last);
        assert_int_equal(result.end, 0);
        assert_int_equal(result.count, 3 - last);
        free(result.refs);
        static const size_t lengths[] = {4097, 5000, 65536, 70000, 131072, 131073, 1000000};
        for (size_t i = 0; i < VMM_COUNT_OF(lengths); i++) {
            result = read_long_line(lengths[i], false, last);
            assert_int_equal(result.end, VMM_E_BAD_RECORD);
            assert_int_equal(result.count, 1);
            assert_contains(result.error, ":2: found \"2 R 0x2 xxxxx");
            assert_contains(result.error, "longer than 4096 bytes");
            free(result.refs);
            result = read_long_line(lengths[i], true, last);
            assert_int_equal(result.end, 0);
            assert_int_equal(result.count, 2 - last);
            assert_int_equal(result.info.bad_records, 1);
            free(result.refs);
        }
    }
}

static void nothing_but_bad_records(void **state) {
    (void)state;
    Result result = read_bytes("hello\nworld\n", 12, "native", true);
    assert_int_equal(result.open_code, VMM_OK);
    assert_int_equal(result.end, VMM_E_EMPTY);
    assert_int_equal(result.info.bad_records, 2);
    assert_contains(result.error, "no references");
    result = read_text("@ map 1 0x1000+8K rw-\n@ fork 1 child=2\n", NULL);
    assert_int_equal(result.end, VMM_E_EMPTY);
    assert_contains(result.error, "no references, only 2 events");
    assert_null(strstr(result.error, "--format"));
    result = read_text("# only\n\n", "native");
    assert_int_equal(result.end, VMM_E_EMPTY);
    result = read_text("==1== Lackey\n", NULL);
    assert_int_equal(result.end, VMM_E_EMPTY);
}

/* ---- Detection ------------------------------------------------------------------------------ */

static void formats_are_recognised(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *format;
    } cases[] = {
        {"0 R 0x1000\n", "native"},
        {"0 R 4096 8\n1 W 8192 8\n", "native"},
        {"1 I 0x0401ab70 3\n", "native"},
        {"0 10019d94\n", "din"},
        {"2 408ed4\n0 10\n1 20\n", "din"},
        {"0041f7a0 R\n", "addrop"},
        {"00228340 R\n11 W\n", "addrop"},
        {"0x10 W\n", "addrop"},
        {"8\n7\n4\n", "pages"},
        {"0x10\n", "pages"},
        {"I  04001090,3\n L 10,8\n", "lackey"},
        {" S 00602264,1\n", "lackey"},
        {"==1== Lackey, an example Valgrind tool\n", NULL}, /* recognised, but empty */
        {"# 8\n\n   # 9\n0 R 0x10\n", "native"},
        {"\xEF\xBB\xBF"
         "0 R 0x10\n",
         "native"},
        {"8", "pages"},
        {"8\r\n9\r\n", "pages"},
        {"0 X 0x1000\n0 R 0x1000\n", "native"}, /* first line bad */
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        Result result = read_bytes(cases[i].text, strlen(cases[i].text), "auto", true);
        assert_int_equal(result.open_code, VMM_OK);
        if (cases[i].format != NULL) {
            assert_int_equal(result.end, 0);
            assert_string_equal(result.info.format, cases[i].format);
        }
        free(result.refs);
    }
}

/* Messages and comments in front of the first record, more than detection looks at once. */
static void detection_passes_over_comments(void **state) {
    (void)state;
    Bytes text = {NULL, 0, 0};
    for (int i = 0; i < 40000; i++) {
        append_line(&text, "# a comment");
    }
    Result result = read_bytes(text.data, text.size, NULL, false);
    assert_int_equal(result.open_code, VMM_E_EMPTY);
    append_line(&text, "0 R 0x1");
    append_line(&text, "0 Q 0x1");
    result = read_bytes(text.data, text.size, NULL, false);
    assert_int_equal(result.open_code, VMM_OK);
    assert_int_equal(result.count, 1);
    assert_contains(result.error, ":40002: ");
    free(result.refs);
    free(text.data);

    text = (Bytes){NULL, 0, 0};
    for (int i = 0; i < 100; i++) {
        append_line(&text, "--77-- Reading syms from somewhere");
        append_line(&text, "printed by the program");
    }
    append_line(&text, "I  10,1");
    result = read_bytes(text.data, text.size, NULL, false);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.info.ignored_records, 100);
    free(result.refs);
    free(text.data);
}

static void unknown_formats(void **state) {
    (void)state;
    static const char *const texts[] = {
        "hello world\n",         "# fine\n\nARG addresses -1\n",
        "0 X 0x1000\n",          "{\"json\": 1}\n",
        "\177ELF\002\001\001\n", "0 R 0x10\n8\n", /* native and pages fit equally well */
    };
    for (size_t i = 0; i < VMM_COUNT_OF(texts); i++) {
        Result result = read_text(texts[i], NULL);
        assert_int_equal(result.open_code, VMM_E_UNKNOWN_FORMAT);
        assert_contains(result.error, i == 1 ? "/t:3: found \"ARG addr" : "/t:1: found \"");
        assert_contains(result.error, "name the format with --format");
    }
    assert_contains(read_text(texts[5], NULL).error, "fit native as well as pages");
    Bytes endless = {calloc(300000, 1), 300000, 300000};
    Result result = read_bytes(endless.data, endless.size, NULL, false);
    assert_int_equal(result.open_code, VMM_E_UNKNOWN_FORMAT);
    assert_contains(result.error, "found \"\\x00\\x00");
    assert_contains(result.error, "...\"");
    free(endless.data);
    result = read_text("8\n", "dni");
    assert_int_equal(result.open_code, VMM_E_USAGE);
    assert_contains(result.error, "found \"dni\" as trace format, expected one of: auto, native");
}

/* ---- Fast against careful ------------------------------------------------------------------- */

static void mutate(Rng *rng, char *line, size_t *length, size_t capacity) {
    static const char alphabet[] = "0123456789abcdefABCDEFxX RWIMrwimLS,\t#\r-=.g\x01\x80/:@G`";
    for (uint64_t edits = rng_below(rng, 4); edits > 0; edits--) {
        size_t place = rng_below(rng, *length + 1);
        char c = alphabet[rng_below(rng, sizeof alphabet)];
        uint64_t kind = rng_below(rng, 3);
        if (kind == 0 && place < *length) {
            line[place] = c;
        } else if (kind == 1 && *length + 1 < capacity) {
            memmove(line + place + 1, line + place, *length - place);
            line[place] = c;
            (*length)++;
        } else if (place < *length) {
            memmove(line + place, line + place + 1, *length - place - 1);
            (*length)--;
        }
    }
}

/* parse() on a buffer and line() on its only line must agree in everything. */
static void compare_parsers(const TraceFormat *format, const char *text, size_t length) {
    char *buffer = malloc(length + 1 + TRACE_PADDING); /* exact: a checker sees each byte too far */
    memcpy(buffer, text, length);
    memset(buffer + length, '\n', 1 + TRACE_PADDING);
    VMMRef refs[TRACE_LINE_REFS];
    uint64_t states[2][TRACE_STATE_BYTES / sizeof(uint64_t)] = {{0}, {0}};
    TraceLine line = {.text = buffer, .length = length, .page_size = 4096, .state = states[0]};
    TraceParse parse = {.at = buffer,
                        .end = buffer + length + 1,
                        .refs = refs,
                        .refs_end = refs + TRACE_LINE_REFS,
                        .page_size = 4096,
                        .state = states[1]};
    TraceLineKind kind = format->line(&line);
    TraceStatus status = format->parse(&parse);
    bool stays = kind == TRACE_LINE_BAD || kind == TRACE_LINE_EVENT;
    size_t count = kind == TRACE_LINE_REF ? 1 : kind == TRACE_LINE_TWO_REFS ? 2 : 0;
    bool equal = (status == TRACE_BAD) == (kind == TRACE_LINE_BAD) &&
                 parse.ignored == (kind == TRACE_LINE_IGNORED) &&
                 (status == TRACE_EVENT) == (kind == TRACE_LINE_EVENT) && parse.records == !stays &&
                 parse.at == (stays ? buffer : buffer + length + 1) &&
                 (size_t)(parse.refs - refs) == count &&
                 memcmp(refs, line.refs, count * sizeof *refs) == 0;
    if (!equal) {
        fail_msg("%s: parse and line differ on \"%.*s\"", format->name, (int)length, text);
    }
    free(buffer);
}

static void fast_equals_careful(void **state) {
    (void)state;
    Rng rng = rng_seed(1, "test.trace");
    for (int round = 0; round < 400; round++) {
        for (size_t i = 0; i < VMM_COUNT_OF(line_cases) + VMM_COUNT_OF(bad_cases); i++) {
            size_t bad = i - VMM_COUNT_OF(line_cases);
            bool good = i < VMM_COUNT_OF(line_cases);
            const char *text = good ? line_cases[i].line : bad_cases[bad].line;
            const char *name = good ? line_cases[i].format : bad_cases[bad].format;
            char line[TEST_PATH_BYTES + 64];
            size_t length = strlen(text);
            memcpy(line, text, length);
            mutate(&rng, line, &length, sizeof line);
            if (memchr(line, '\n', length) == NULL) {
                compare_parsers(trace_format_find(name), line, length);
            }
        }
    }
}

/* ---- A long trace --------------------------------------------------------------------------- */

typedef struct Sample {
    Bytes text;
    VMMRef *refs;
    size_t count;
} Sample;

/* Native lines of all lengths, and the references that they are. */
static Sample make_sample(size_t lines) {
    Sample sample = {.refs = calloc(2 * lines, sizeof(VMMRef))};
    Rng rng = rng_seed(2, "test.trace");
    for (size_t i = 0; i < lines; i++) {
        /* One draw a statement: the order within one is the compiler's. */
        uint64_t addr = rng_next(&rng);
        addr >>= rng_below(&rng, 64);
        uint64_t pid = rng_next(&rng) >> 32;
        pid >>= rng_below(&rng, 32);
        VMMRef ref = {
            .addr = addr, .pid = (uint32_t)pid, .size = 1 + (uint32_t)rng_below(&rng, 200)};
        char line[96];
        unsigned kind = (unsigned)rng_below(&rng, 4);
        unsigned size_shown = rng_below(&rng, 3) > 0;
        const char *style = rng_below(&rng, 5) > 0 ? "%u %c 0x%llx" : "%u %c %llu";
        int used =
            snprintf(line, sizeof line, style, ref.pid, "RWIM"[kind], (unsigned long long)ref.addr);
        if (size_shown) {
            snprintf(line + used, sizeof line - (size_t)used, " %u", ref.size);
        } else {
            ref.size = 1;
        }
        append_line(&sample.text, line);
        if (rng_below(&rng, 20) == 0) {
            append_line(&sample.text, "# and something to skip");
        }
        ref.op = (uint8_t)(kind == 3 ? VMM_OP_READ : kind);
        sample.refs[sample.count++] = ref;
        if (kind == 3) {
            ref.op = VMM_OP_WRITE;
            sample.refs[sample.count++] = ref;
        }
    }
    return sample;
}

static void free_sample(Sample *sample) {
    free(sample->text.data);
    free(sample->refs);
}

static void assert_is_sample(const Sample *sample, const Result *result) {
    assert_int_equal(result->open_code, VMM_OK);
    assert_int_equal(result->end, 0);
    assert_int_equal(result->count, sample->count);
    assert_memory_equal(result->refs, sample->refs, sample->count * sizeof(VMMRef));
}

/* Every byte of the buffer's end falls on every place of a record, and so does every batch's. */
static void batches_of_all_sizes(void **state) {
    (void)state;
    Sample sample = make_sample(20000);
    put_file(sample.text.data, sample.text.size);
    static const size_t batches[] = {1, 2, 3, 4, 5, 7, 64, 511, 512, 513, 4096, 100000};
    uint64_t fingerprint = 0;
    for (size_t i = 0; i < VMM_COUNT_OF(batches); i++) {
        Result result = read_path(file_path, NULL, false, batches[i]);
        assert_is_sample(&sample, &result);
        assert_int_equal(result.info.bytes_read, sample.text.size);
        assert_int_equal(result.info.bytes_total, sample.text.size);
        assert_true(i == 0 || result.info.fingerprint == fingerprint);
        fingerprint = result.info.fingerprint;
        free(result.refs);
    }
    free_sample(&sample);
}

/* ---- Fingerprints --------------------------------------------------------------------------- */

/* The definition in src/trace/fingerprint.h, written down a second time. */
static uint64_t define_fingerprint(const VMMRef *refs, size_t count) {
    uint64_t lane[4] = {rng_mix(1), rng_mix(2), rng_mix(3), rng_mix(4)};
    for (size_t i = 0; i < count; i++) {
        uint64_t who = (uint64_t)refs[i].size << 32 | refs[i].pid;
        uint64_t word = refs[i].addr + who * UINT64_C(0x9E3779B97F4A7C15) +
                        refs[i].op * UINT64_C(0xD6E8FEB86659FD93);
        lane[i % 4] = (lane[i % 4] ^ word) * UINT64_C(0xC2B2AE3D27D4EB4F);
        lane[i % 4] ^= lane[i % 4] >> 32;
    }
    uint64_t h = count;
    for (int k = 0; k < 4; k++) {
        h = rng_mix(h ^ lane[k]);
    }
    return h;
}

static uint64_t fingerprint_of(const char *text) {
    Result result = read_text(text, NULL);
    assert_int_equal(result.end, 0);
    assert_true(result.info.fingerprint == define_fingerprint(result.refs, result.count));
    free(result.refs);
    return result.info.fingerprint;
}

static void fingerprints(void **state) {
    (void)state;
    uint64_t reads = fingerprint_of("0 R 0x1000\n0 R 0x2000\n0 R 0x8000\n");
    assert_true(reads == fingerprint_of("1000 R\n2000 R\n8000 R\n"));
    assert_true(reads == fingerprint_of(" L 1000,1\n L 2000,1\n L 8000,1\n"));
    assert_true(reads == fingerprint_of("0 1000\n0 2000\n3 0\n0 8000\n"));
    assert_true(reads == fingerprint_of("1\n2\n8\n"));
    assert_true(reads == fingerprint_of("# text\n0 r 4096 1\r\n0 r 8192\n\n0 R 32768 text"));
    static const char *const others[] = {
        "0 R 0x2000\n0 R 0x1000\n0 R 0x8000\n",   /* order */
        "0 R 0x1000\n0 R 0x2000\n0 R 0x8001\n",   /* address */
        "0 R 0x1000\n1 R 0x2000\n0 R 0x8000\n",   /* pid */
        "0 R 0x1000\n0 W 0x2000\n0 R 0x8000\n",   /* op */
        "0 R 0x1000\n0 R 0x2000 2\n0 R 0x8000\n", /* size */
        "0 R 0x1000\n0 R 0x2000\n",
        "0 R 0x1000\n0 R 0x2000\n0 R 0x8000\n0 R 0x0\n",
    };
    for (size_t i = 0; i < VMM_COUNT_OF(others); i++) {
        assert_true(reads != fingerprint_of(others[i]));
    }
    Sample sample = make_sample(1000);
    Result result = read_bytes(sample.text.data, sample.text.size, NULL, false);
    assert_true(result.info.fingerprint == define_fingerprint(sample.refs, sample.count));
    free(result.refs);
    free_sample(&sample);
}

/* ---- Compression ---------------------------------------------------------------------------- */

typedef Bytes Packer(const char *data, size_t size);

#ifdef VMM_HAVE_ZLIB
static Bytes pack_gzip(const char *data, size_t size) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
    Bytes packed = {malloc(size + 1000), size + 1000, 0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = (Bytef *)packed.data;
    stream.avail_out = (uInt)packed.size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.size -= stream.avail_out;
    deflateEnd(&stream);
    return packed;
}
#endif
#ifdef VMM_HAVE_LZMA
static Bytes pack_xz(const char *data, size_t size) {
    size_t room = lzma_stream_buffer_bound(size);
    Bytes packed = {malloc(room), 0, room};
    assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, (const uint8_t *)data, size,
                                             (uint8_t *)packed.data, &packed.size, room),
                     LZMA_OK);
    return packed;
}
#endif
#ifdef VMM_HAVE_ZSTD
static Bytes pack_zstd(const char *data, size_t size) {
    size_t room = ZSTD_compressBound(size);
    Bytes packed = {malloc(room), 0, room};
    packed.size = ZSTD_compress(packed.data, room, data, size, 3);
    assert_false(ZSTD_isError(packed.size));
    return packed;
}
#endif

#ifdef VMM_HAVE_BZIP2
static Bytes pack_bzip2(const char *data, size_t size) {
    unsigned room = (unsigned)(size + size / 100 + 600);
    Bytes packed = {malloc(room), 0, room};
    char *input = malloc(size + 1); /* libbz2 takes no constant bytes */
    memcpy(input, data, size);
    assert_int_equal(BZ2_bzBuffToBuffCompress(packed.data, &room, input, (unsigned)size, 1, 0, 0),
                     BZ_OK);
    packed.size = room;
    free(input);
    return packed;
}
#endif

static const struct {
    const char *name;
    Packer *pack;
    const char *magic;
    size_t magic_size;
} packers[] = {
#ifdef VMM_HAVE_ZLIB
    {"gzip", pack_gzip, "", 0},
#else
    {"gzip", NULL, "\x1f\x8b\x08\0\0\0\0\0\0\0", 10},
#endif
#ifdef VMM_HAVE_LZMA
    {"xz", pack_xz, "", 0},
#else
    {"xz", NULL,
     "\xFD"
     "7zXZ\0\0\0",
     8},
#endif
#ifdef VMM_HAVE_ZSTD
    {"zstd", pack_zstd, "", 0},
#else
    {"zstd", NULL, "\x28\xB5\x2F\xFD\0\0\0\0", 8},
#endif
#ifdef VMM_HAVE_BZIP2
    {"bzip2", pack_bzip2, "", 0},
#else
    {"bzip2", NULL, "BZh91AY&SY", 10},
#endif
};

static void compressed_files(void **state) {
    (void)state;
    Sample sample = make_sample(20000);
    uint64_t fingerprint = define_fingerprint(sample.refs, sample.count);
    for (size_t i = 0; i < VMM_COUNT_OF(packers); i++) {
        if (packers[i].pack == NULL) {
            Result result = read_bytes(packers[i].magic, packers[i].magic_size, NULL, false);
            assert_int_equal(result.open_code, VMM_E_UNSUPPORTED);
            assert_contains(result.error, packers[i].name);
            continue;
        }
        Bytes packed = packers[i].pack(sample.text.data, sample.text.size);
        Result result = read_bytes(packed.data, packed.size, NULL, false);
        assert_is_sample(&sample, &result);
        assert_string_equal(result.info.compression, packers[i].name);
        assert_int_equal(result.info.bytes_read, packed.size);
        assert_int_equal(result.info.bytes_total, packed.size);
        assert_true(result.info.fingerprint == fingerprint);
        free(result.refs);
        free(packed.data);
    }
    free_sample(&sample);
}

/* Packed pieces one after the other, cut in the middle of a line, are one trace. */
static void concatenated_pieces(void **state) {
    (void)state;
    Sample sample = make_sample(3000);
    for (size_t i = 0; i < VMM_COUNT_OF(packers); i++) {
        if (packers[i].pack == NULL) {
            continue;
        }
        Bytes whole = {NULL, 0, 0};
        static const size_t cuts[] = {0, 5, 5, 12345, 20000};
        for (size_t c = 0; c < VMM_COUNT_OF(cuts); c++) {
            size_t next = c + 1 < VMM_COUNT_OF(cuts) ? cuts[c + 1] : sample.text.size;
            Bytes packed = packers[i].pack(sample.text.data + cuts[c], next - cuts[c]);
            if (strcmp(packers[i].name, "zstd") == 0) {
                append(&whole, "\x51\x2A\x4D\x18\x03\0\0\0xyz", 11); /* a skippable frame */
            }
            append(&whole, packed.data, packed.size);
            free(packed.data);
        }
        if (strcmp(packers[i].name, "gzip") == 0 || strcmp(packers[i].name, "xz") == 0) {
            append(&whole, "\0\0\0\0\0\0\0\0", 8); /* padding */
        }
        Result result = read_bytes(whole.data, whole.size, NULL, false);
        assert_is_sample(&sample, &result);
        assert_string_equal(result.info.compression, packers[i].name);
        free(result.refs);
        free(whole.data);
    }
    free_sample(&sample);
}

/*
 * What damage leaves: an error, or with skipping the true beginning of the trace and a report.
 * Returns the records that were cut in two.
 */
static uint64_t check_damaged(const Sample *sample, const Bytes *packed) {
    Result result = read_bytes(packed->data, packed->size, "native", false);
    int code = result.open_code != VMM_OK ? result.open_code : (int)result.end;
    if (code != VMM_E_DAMAGED) {
        fail_msg("code %d: %s", code, result.error);
    }
    assert_contains(result.error, "/t: damaged ");
    assert_contains(result.error, " at byte ");
    size_t strict = result.count;
    free(result.refs);
    result = read_bytes(packed->data, packed->size, "native", true);
    if (result.open_code != VMM_OK) {
        assert_int_equal(result.open_code, VMM_E_DAMAGED);
        return 0;
    }
    assert_int_equal(result.count, strict);
    assert_true(result.end == 0 || (result.end == VMM_E_EMPTY && result.count == 0));
    assert_true(result.info.damaged_bytes > 0);
    assert_true(result.info.bad_records <= 1);
    assert_true(result.count < sample->count);
    assert_memory_equal(result.refs == NULL ? sample->refs : result.refs, sample->refs,
                        result.count * sizeof(VMMRef));
    free(result.refs);
    return result.info.bad_records;
}

static void truncated_files(void **state) {
    (void)state;
    Sample sample = make_sample(8000);
    for (size_t i = 0; i < VMM_COUNT_OF(packers); i++) {
        if (packers[i].pack == NULL) {
            continue;
        }
        Bytes packed = packers[i].pack(sample.text.data, sample.text.size);
        uint64_t records_cut = 0;
        for (size_t cut = 1; cut <= 8; cut++) {
            Bytes piece = {packed.data, packed.size * cut / 9, 0};
            records_cut += check_damaged(&sample, &piece);
        }
        Bytes piece = {packed.data, 12, 0};
        check_damaged(&sample, &piece);
        assert_true(records_cut > 0);
        free(packed.data);
    }
    free_sample(&sample);
}

static void corrupt_files(void **state) {
    (void)state;
    Sample sample = make_sample(8000);
    for (size_t i = 0; i < VMM_COUNT_OF(packers); i++) {
        if (packers[i].pack == NULL) {
            continue;
        }
        Bytes packed = packers[i].pack(sample.text.data, sample.text.size);
        append(&packed, "garbage", 7);
        Result result = read_bytes(packed.data, packed.size, NULL, false);
        assert_int_equal(result.end, VMM_E_DAMAGED);
        assert_int_equal(result.count, sample.count);
        free(result.refs);
        packed.size -= 7;
        memset(packed.data + packed.size / 2, 0xA5, 64);
        result = read_bytes(packed.data, packed.size, NULL, false);
        int code = result.open_code != VMM_OK ? result.open_code : (int)result.end;
        assert_true(code == VMM_E_DAMAGED || code == VMM_E_BAD_RECORD);
        free(result.refs);
        result = read_bytes(packed.data, packed.size, "native", true);
        assert_true(result.open_code == VMM_E_DAMAGED || result.info.damaged_bytes > 0);
        free(result.refs);
        free(packed.data);
    }
    free_sample(&sample);
}

static void other_compressions(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        const char *name;
    } cases[] = {
        {"\x04\x22\x4D\x18....", "lz4"},
        {"\xFF\x06....", "snappy"},
        {"LZIP....", "lzip"},
        {"\x1F\x9D....", "compress"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        Result result = read_text(cases[i].bytes, NULL);
        assert_int_equal(result.open_code, VMM_E_UNSUPPORTED);
        assert_contains(result.error, cases[i].name);
        assert_contains(result.error, "| vmm -t -");
    }
}

/* ---- Opening -------------------------------------------------------------------------------- */

static void opening_fails(void **state) {
    (void)state;
    Result result = read_path("/nonexistent/trace.txt", NULL, false, 10);
    assert_int_equal(result.open_code, VMM_E_OPEN);
    assert_contains(result.error, "/nonexistent/trace.txt: No such file or directory");
    result = read_path(folder, NULL, false, 10);
    assert_int_equal(result.open_code, VMM_E_OPEN);
    assert_contains(result.error, "directory");
    put_file("8\n", 2);
    chmod(file_path, 0);
    if (geteuid() != 0) {
        result = read_path(file_path, NULL, false, 10);
        assert_int_equal(result.open_code, VMM_E_OPEN);
        assert_contains(result.error, "Permission denied");
    }
    chmod(file_path, 0600);
    assert_int_equal(read_text("", NULL).open_code, VMM_E_EMPTY);
    assert_int_equal(read_text("", "din").open_code, VMM_E_EMPTY);
    assert_int_equal(read_text("\n\n# x\n", NULL).open_code, VMM_E_EMPTY);
    char path[5000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    result = read_path(path, NULL, false, 10);
    assert_int_equal(result.open_code, VMM_E_OPEN);
    assert_contains(result.error, "File name too long");
}

static void arguments_are_checked(void **state) {
    (void)state;
    put_file("8\n", 2);
    char error[VMM_ERROR_TEXT_BYTES];
    VMMTrace *trace;
    VMMRef ref;
    VMMTraceOptions options = {.struct_size = 0};
    assert_int_equal(vmm_trace_open(NULL, NULL, &trace, error), VMM_E_USAGE);
    assert_int_equal(vmm_trace_open(file_path, NULL, NULL, NULL), VMM_E_USAGE);
    assert_int_equal(vmm_trace_open(file_path, &options, &trace, error), VMM_E_USAGE);
    assert_int_equal(vmm_trace_open("/nonexistent", NULL, &trace, NULL), VMM_E_OPEN);

    /* An older caller's options end before `format`, an older caller's info before `path`. */
    options =
        (VMMTraceOptions){.struct_size = offsetof(VMMTraceOptions, format), .format = "garbage"};
    assert_int_equal(vmm_trace_open(file_path, &options, &trace, error), VMM_OK);
    assert_int_equal(vmm_trace_read(trace, &ref, 0), VMM_E_USAGE);
    assert_int_equal(vmm_trace_read(trace, NULL, 1), VMM_E_USAGE);
    assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
    VMMTraceInfo info = {.struct_size = offsetof(VMMTraceInfo, path), .marks_writes = 7};
    vmm_trace_info(trace, &info);
    assert_int_equal(info.marks_writes, 0);
    assert_null(info.path);
    info = (VMMTraceInfo){.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    assert_string_equal(info.path, file_path);
    vmm_trace_close(trace);
    vmm_trace_close(NULL);
}

/* ---- Second passes -------------------------------------------------------------------------- */

/* A process that writes the bytes into a pipe; the path of the pipe's other end is stored. */
typedef struct Pipe {
    int end;
    pid_t writer;
    char path[32];
} Pipe;

static Pipe make_pipe(const Bytes *bytes) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    Pipe made = {.end = ends[0], .writer = fork()};
    if (made.writer == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(ends[0]);
        for (size_t at = 0; at < bytes->size;) {
            ssize_t done = write(ends[1], bytes->data + at, bytes->size - at);
            if (done <= 0) {
                break;
            }
            at += (size_t)done;
        }
        _exit(0);
    }
    close(ends[1]);
    snprintf(made.path, sizeof made.path, "/dev/fd/%d", made.end);
    return made;
}

static void close_pipe(Pipe *made) {
    close(made->end);
    waitpid(made->writer, NULL, 0);
}

static void files_are_rewound(void **state) {
    (void)state;
    Sample sample = make_sample(5000);
    for (size_t i = 0; i <= VMM_COUNT_OF(packers); i++) {
        bool plain = i == VMM_COUNT_OF(packers);
        if (!plain && packers[i].pack == NULL) {
            continue;
        }
        Bytes packed = plain ? sample.text : packers[i].pack(sample.text.data, sample.text.size);
        put_file(packed.data, packed.size);
        VMMTrace *trace;
        VMMRef some[1234];
        Result result = {.end = -1};
        assert_int_equal(vmm_trace_open(file_path, NULL, &trace, NULL), VMM_OK);
        assert_int_equal(vmm_trace_rewind(trace), VMM_OK); /* nothing read yet */
        assert_int_equal(vmm_trace_keep(trace), VMM_OK);
        assert_int_equal(vmm_trace_read(trace, some, 1234), 1234);
        assert_int_equal(vmm_trace_rewind(trace), VMM_OK); /* in the middle */
        for (int pass = 0; pass < 3; pass++) {
            read_rest(trace, 100, &result);
            assert_is_sample(&sample, &result);
            assert_int_equal(result.info.bytes_read, packed.size);
            assert_true(result.info.fingerprint == define_fingerprint(sample.refs, sample.count));
            assert_int_equal(vmm_trace_rewind(trace), VMM_OK);
        }
        vmm_trace_close(trace);
        free(result.refs);
        if (!plain) {
            free(packed.data);
        }
    }
    free_sample(&sample);
}

static void rewinding_forgets_errors(void **state) {
    (void)state;
    put_file("8\nx\n", 4);
    VMMTrace *trace;
    VMMRef refs[4];
    VMMTraceOptions options = {.struct_size = sizeof options, .format = "pages"};
    assert_int_equal(vmm_trace_open(file_path, &options, &trace, NULL), VMM_OK);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(vmm_trace_read(trace, refs, 4), 1);
        assert_int_equal(vmm_trace_read(trace, refs, 4), VMM_E_BAD_RECORD);
        assert_contains(vmm_trace_error_text(trace), ":2: ");
        assert_int_equal(vmm_trace_rewind(trace), VMM_OK);
        assert_string_equal(vmm_trace_error_text(trace), "");
    }
    vmm_trace_close(trace);
}

static void pipes_are_kept(void **state) {
    (void)state;
    Sample sample = make_sample(30000);
    for (size_t i = 0; i <= VMM_COUNT_OF(packers); i++) {
        bool plain = i == VMM_COUNT_OF(packers);
        if (!plain && packers[i].pack == NULL) {
            continue;
        }
        Bytes packed = plain ? sample.text : packers[i].pack(sample.text.data, sample.text.size);
        Pipe feed = make_pipe(&packed);
        VMMTrace *trace;
        VMMRef some[5000];
        Result result = {.end = -1};
        assert_int_equal(vmm_trace_open(feed.path, NULL, &trace, NULL), VMM_OK);
        assert_int_equal(vmm_trace_keep(trace), VMM_OK);
        assert_int_equal(vmm_trace_keep(trace), VMM_OK);
        for (int pass = 0; pass < 2; pass++) { /* the second reads the copy */
            assert_int_equal(vmm_trace_read(trace, some, 5000), 5000);
            assert_memory_equal(some, sample.refs, sizeof some);
            assert_int_equal(vmm_trace_rewind(trace), VMM_OK);
        }
        for (int pass = 0; pass < 2; pass++) { /* the first reads copy and pipe */
            read_rest(trace, 100, &result);
            assert_is_sample(&sample, &result);
            assert_int_equal(result.info.bytes_read, packed.size);
            assert_int_equal(result.info.bytes_total, 0);
            assert_int_equal(vmm_trace_rewind(trace), VMM_OK);
        }
        vmm_trace_close(trace);
        close_pipe(&feed);
        free(result.refs);
        if (!plain) {
            free(packed.data);
        }
    }
    free_sample(&sample);
}

static void pipes_that_are_not_kept(void **state) {
    (void)state;
    Bytes bytes = bytes_of("0 R 0x1\n0 R 0x2\n");
    Pipe feed = make_pipe(&bytes);
    VMMTrace *trace;
    VMMRef refs[4];
    assert_int_equal(vmm_trace_open(feed.path, NULL, &trace, NULL), VMM_OK);
    assert_int_equal(vmm_trace_rewind(trace), VMM_OK); /* nothing read yet */
    assert_int_equal(vmm_trace_read(trace, refs, 1), 1);
    assert_int_equal(vmm_trace_rewind(trace), VMM_E_UNSUPPORTED);
    assert_contains(vmm_trace_error_text(trace), "is a pipe");
    assert_int_equal(vmm_trace_keep(trace), VMM_E_USAGE);
    assert_int_equal(vmm_trace_read(trace, refs, 4), 1); /* and goes on */
    assert_int_equal(vmm_trace_read(trace, refs, 4), 0);
    vmm_trace_close(trace);
    close_pipe(&feed);
    free(bytes.data);
}

static void standard_input(void **state) {
    (void)state;
    Bytes bytes = bytes_of("0 R 0x1\n0 R 0x2\n0 Q 0x3\n");
    int saved = dup(STDIN_FILENO);
    Pipe feed = make_pipe(&bytes);
    assert_int_equal(dup2(feed.end, STDIN_FILENO), STDIN_FILENO);
    Result result = read_path("-", NULL, false, 10);
    assert_int_equal(result.count, 2);
    assert_contains(result.error, "standard input:3: found");
    free(result.refs);
    free(bytes.data);
    close_pipe(&feed);

    /* A file as standard input is read, and read again, from where it stands. */
    put_file("dropped\n0 R 0x7\n", 16);
    int file = open(file_path, O_RDONLY);
    assert_int_equal(lseek(file, 8, SEEK_SET), 8);
    assert_int_equal(dup2(file, STDIN_FILENO), STDIN_FILENO);
    VMMTrace *trace;
    VMMRef refs[4];
    assert_int_equal(vmm_trace_open("-", NULL, &trace, NULL), VMM_OK);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(vmm_trace_read(trace, refs, 4), 1);
        assert_int_equal(refs[0].addr, 7);
        assert_int_equal(vmm_trace_rewind(trace), VMM_OK);
    }
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    assert_string_equal(info.path, "-");
    assert_int_equal(info.bytes_total, 8);
    vmm_trace_close(trace);
    close(file);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
}

/* No room for the copy: an error when keeping begins, or in the middle; nothing is lost before. */
static void the_copy_fails(void **state) {
    (void)state;
    Sample sample = make_sample(30000);
    VMMTrace *trace;
    VMMRef ref;
    setenv("TMPDIR", "/nonexistent", 1);
    Pipe feed = make_pipe(&sample.text);
    assert_int_equal(vmm_trace_open(feed.path, NULL, &trace, NULL), VMM_OK);
    assert_true(vmm_trace_keep(trace) < 0);
    assert_contains(vmm_trace_error_text(trace), "/nonexistent");
    assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
    vmm_trace_close(trace);
    close_pipe(&feed);
    unsetenv("TMPDIR");

    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    feed = make_pipe(&sample.text);
    assert_int_equal(vmm_trace_open(feed.path, NULL, &trace, NULL), VMM_OK);
    assert_int_equal(vmm_trace_keep(trace), VMM_OK);
    struct rlimit small = {.rlim_cur = 300000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    Result result = {.end = 0};
    read_rest(trace, 1000, &result);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(result.end, VMM_E_WRITE);
    assert_contains(result.error, "TMPDIR");
    assert_true(result.count > 0 && result.count < sample.count);
    assert_memory_equal(result.refs, sample.refs, result.count * sizeof(VMMRef));
    vmm_trace_close(trace);
    close_pipe(&feed);
    free(result.refs);
    free_sample(&sample);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_every_format),
        cmocka_unit_test(formats_are_listed),
        cmocka_unit_test(page_size_scales_page_lists),
        cmocka_unit_test(bad_records),
        cmocka_unit_test(the_message_of_a_bad_record),
        cmocka_unit_test(native_has_threads_and_the_kernel),
        cmocka_unit_test(line_numbers_stay_exact),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(nothing_but_bad_records),
        cmocka_unit_test(formats_are_recognised),
        cmocka_unit_test(detection_passes_over_comments),
        cmocka_unit_test(unknown_formats),
        cmocka_unit_test(fast_equals_careful),
        cmocka_unit_test(batches_of_all_sizes),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(compressed_files),
        cmocka_unit_test(concatenated_pieces),
        cmocka_unit_test(truncated_files),
        cmocka_unit_test(corrupt_files),
        cmocka_unit_test(other_compressions),
        cmocka_unit_test(opening_fails),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(files_are_rewound),
        cmocka_unit_test(rewinding_forgets_errors),
        cmocka_unit_test(pipes_are_kept),
        cmocka_unit_test(pipes_that_are_not_kept),
        cmocka_unit_test(standard_input),
        cmocka_unit_test(the_copy_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
