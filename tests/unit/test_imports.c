/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/trace: what other programs write. Formats of records, tables, zip archives, and that no
 * input is claimed by two formats. test_imports_tiny.c runs all of this again with a read buffer of
 * a few bytes. The lines of the text formats are in test_trace.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef VMM_HAVE_ZLIB
#include <zlib.h>
#endif

#include "../../include/vmm/trace.h"
#include "../../src/base/compiler.h"
#include "../../src/base/rng.h"
#include "../../src/trace/format.h"
#include "trace_files.h"

#define R VMM_OP_READ
#define W VMM_OP_WRITE
#define I VMM_OP_FETCH

/* ---- Making records ------------------------------------------------------------------------- */

static void put(Bytes *bytes, uint64_t value, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)(i < 8 ? value >> (8 * i) : 0);
        append(bytes, &byte, 1);
    }
}

static void put_many(Bytes *bytes, const uint64_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        put(bytes, values[i], 8);
    }
}

static void put_champsim(Bytes *bytes, uint64_t ip, const uint64_t dst[2], const uint64_t src[4]) {
    put(bytes, ip, 8);
    put(bytes, 1, 1);
    put(bytes, 0, 1);
    put(bytes, 0x3f1a20190605, 6);
    put_many(bytes, dst, 2);
    put_many(bytes, src, 4);
}

static void put_cloudsuite(Bytes *bytes, uint64_t ip, const uint64_t dst[4], const uint64_t src[4],
                           unsigned asid) {
    put(bytes, ip, 8);
    put(bytes, 0, 2);
    put(bytes, 0x3f1a20190605, 8);
    put(bytes, 0, 6);
    put_many(bytes, dst, 4);
    put_many(bytes, src, 4);
    put(bytes, asid, 2);
    put(bytes, 0, 6);
}

static void put_drmemtrace(Bytes *bytes, unsigned type, unsigned size, uint64_t value) {
    put(bytes, type, 2);
    put(bytes, size, 2);
    put(bytes, value, 8);
}

static void put_oracle(Bytes *bytes, uint32_t time, uint64_t object, int64_t next) {
    put(bytes, time, 4);
    put(bytes, object, 8);
    put(bytes, 4096, 4);
    put(bytes, (uint64_t)next, 8);
}

static void put_opns(Bytes *bytes, uint32_t time, uint64_t object, unsigned op, unsigned space) {
    put(bytes, time, 4);
    put(bytes, object, 8);
    put(bytes, 4096, 4);
    put(bytes, op, 1);
    put(bytes, space, 2);
    put(bytes, UINT64_MAX, 8);
}

static void put_vscsi(Bytes *bytes, int version, unsigned command, uint32_t length,
                      uint64_t block) {
    if (version == 1) {
        put(bytes, 244, 4);
        put(bytes, length, 4);
        put(bytes, 1, 4);
        put(bytes, command, 2);
        put(bytes, 0x100, 2);
    } else {
        put(bytes, command, 2);
        put(bytes, 0x200, 2);
        put(bytes, 244, 4);
        put(bytes, length, 4);
        put(bytes, 1, 4);
    }
    put(bytes, block, 8);
    put(bytes, 0x51fbe82cf22, 8);
    put(bytes, 17, version == 1 ? 0 : 8);
}

/* ---- Checking references -------------------------------------------------------------------- */

static void assert_refs(const Result *result, const VMMRef *expected, size_t count) {
    assert_int_equal(result->open_code, VMM_OK);
    assert_int_equal(result->end, 0);
    assert_int_equal(result->count, count);
    for (size_t i = 0; i < count; i++) {
        const VMMRef *ref = &result->refs[i];
        if (memcmp(ref, &expected[i], sizeof *ref) != 0) {
            fail_msg("reference %zu: addr 0x%llx size %u op %u pid %u tid %u", i,
                     (unsigned long long)ref->addr, ref->size, ref->op, ref->pid, ref->tid);
        }
    }
}

/* Read at once and by every small batch, twice each: the same references. */
static void check_records(const Bytes *bytes, const char *format, bool guessed,
                          const VMMRef *expected, size_t count) {
    for (size_t batch = 1; batch < 12; batch++) {
        put_file(bytes->data, bytes->size);
        Result result = read_path(file_path, guessed ? NULL : format, false, batch);
        assert_refs(&result, expected, count);
        assert_string_equal(result.info.format, format);
        free(result.refs);
    }
    VMMTrace *trace = NULL;
    VMMRef *refs = calloc(count + 1, sizeof *refs);
    VMMTraceOptions options = {.struct_size = sizeof options, .format = format};
    assert_int_equal(vmm_trace_open(file_path, &options, &trace, NULL), VMM_OK);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(vmm_trace_read(trace, refs, count + 1), count);
        assert_memory_equal(refs, expected, count * sizeof *refs);
        assert_int_equal(vmm_trace_rewind(trace), VMM_OK);
    }
    vmm_trace_close(trace);
    free(refs);
}

/* ---- ChampSim ------------------------------------------------------------------------------- */

static void champsim_records(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put_champsim(&bytes, 0x401000, (uint64_t[]){0, 0x7ffe0008}, (uint64_t[]){0x7ffe0000, 0, 0, 9});
    put_champsim(&bytes, 0x401003, (uint64_t[2]){0}, (uint64_t[4]){0});
    put_champsim(&bytes, 0x401005, (uint64_t[]){1, 2}, (uint64_t[]){3, 4, 5, 6});
    static const VMMRef expected[] = {
        {.addr = 0x401000, .size = 1, .op = I}, {.addr = 0x7ffe0000, .size = 1, .op = R},
        {.addr = 9, .size = 1, .op = R},        {.addr = 0x7ffe0008, .size = 1, .op = W},
        {.addr = 0x401003, .size = 1, .op = I}, {.addr = 0x401005, .size = 1, .op = I},
        {.addr = 3, .size = 1, .op = R},        {.addr = 4, .size = 1, .op = R},
        {.addr = 5, .size = 1, .op = R},        {.addr = 6, .size = 1, .op = R},
        {.addr = 1, .size = 1, .op = W},        {.addr = 2, .size = 1, .op = W},
    };
    check_records(&bytes, "champsim", true, expected, VMM_COUNT_OF(expected));
    free(bytes.data);
}

static void cloudsuite_records(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put_cloudsuite(&bytes, 0x401000, (uint64_t[]){0, 0, 0, 0x7ffe0008},
                   (uint64_t[]){0x7ffe0000, 0, 0, 0}, 0x0103);
    put_cloudsuite(&bytes, 0x401005, (uint64_t[]){1, 2, 3, 4}, (uint64_t[]){5, 6, 7, 8}, 2);
    static const VMMRef expected[] = {
        {.addr = 0x401000, .size = 1, .op = I, .pid = 0x103},
        {.addr = 0x7ffe0000, .size = 1, .op = R, .pid = 0x103},
        {.addr = 0x7ffe0008, .size = 1, .op = W, .pid = 0x103},
        {.addr = 0x401005, .size = 1, .op = I, .pid = 2},
        {.addr = 5, .size = 1, .op = R, .pid = 2},
        {.addr = 6, .size = 1, .op = R, .pid = 2},
        {.addr = 7, .size = 1, .op = R, .pid = 2},
        {.addr = 8, .size = 1, .op = R, .pid = 2},
        {.addr = 1, .size = 1, .op = W, .pid = 2},
        {.addr = 2, .size = 1, .op = W, .pid = 2},
        {.addr = 3, .size = 1, .op = W, .pid = 2},
        {.addr = 4, .size = 1, .op = W, .pid = 2},
    };
    check_records(&bytes, "cloudsuite", true, expected, VMM_COUNT_OF(expected));
    free(bytes.data);
}

/* ---- drmemtrace ----------------------------------------------------------------------------- */

static void put_drmemtrace_start(Bytes *bytes) {
    put_drmemtrace(bytes, 25, 0, 7);
    put_drmemtrace(bytes, 28, 9, 3648);
    put_drmemtrace(bytes, 22, 4, 71);
    put_drmemtrace(bytes, 24, 4, 70);
}

static void drmemtrace_records(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put_drmemtrace_start(&bytes);
    put_drmemtrace(&bytes, 47, 3, 0xe78948);
    put_drmemtrace(&bytes, 10, 3, 0x1000);
    put_drmemtrace(&bytes, 0, 8, 0x2000);
    put_drmemtrace(&bytes, 1, 0, 0x3000); /* of unknown size */
    put_drmemtrace(&bytes, 5, 4, 0x4000); /* a prefetch */
    put_drmemtrace(&bytes, 22, 4, 81);    /* another process */
    put_drmemtrace(&bytes, 24, 4, 80);
    for (unsigned type = 11; type <= 16; type++) {
        put_drmemtrace(&bytes, type, type, 0x1000 + type);
    }
    put_drmemtrace(&bytes, 22, 4, 71); /* back, without its process */
    put_drmemtrace(&bytes, 31, 2, 0x5000);
    put_drmemtrace(&bytes, 48, 2, 0x5002);
    put_drmemtrace(&bytes, 49, 2, 0x5004);
    put_drmemtrace(&bytes, 29, 2, 0x5004);
    put_drmemtrace(&bytes, 17, 3, 0x010405); /* a bundle */
    put_drmemtrace(&bytes, 30, 2, 0x6000);   /* a repeated string instruction */
    put_drmemtrace(&bytes, 30, 2, 0x6000);
    put_drmemtrace(&bytes, 18, 64, 0x7000);
    put_drmemtrace(&bytes, 46, 64, 0x7000);
    put_drmemtrace(&bytes, 23, 4, 71);
    put_drmemtrace(&bytes, 26, 0, 0);
    static const VMMRef expected[] = {
        {.addr = 0x1000, .size = 3, .op = I, .pid = 70, .tid = 71},
        {.addr = 0x2000, .size = 8, .op = R, .pid = 70, .tid = 71},
        {.addr = 0x3000, .size = 1, .op = W, .pid = 70, .tid = 71},
        {.addr = 0x100b, .size = 11, .op = I, .pid = 80, .tid = 81},
        {.addr = 0x100c, .size = 12, .op = I, .pid = 80, .tid = 81},
        {.addr = 0x100d, .size = 13, .op = I, .pid = 80, .tid = 81},
        {.addr = 0x100e, .size = 14, .op = I, .pid = 80, .tid = 81},
        {.addr = 0x100f, .size = 15, .op = I, .pid = 80, .tid = 81},
        {.addr = 0x1010, .size = 16, .op = I, .pid = 80, .tid = 81},
        {.addr = 0x5000, .size = 2, .op = I, .pid = 70, .tid = 71},
        {.addr = 0x5002, .size = 2, .op = I, .pid = 70, .tid = 71},
        {.addr = 0x5004, .size = 2, .op = I, .pid = 70, .tid = 71},
        {.addr = 0x5006, .size = 5, .op = I, .pid = 70, .tid = 71},
        {.addr = 0x500b, .size = 4, .op = I, .pid = 70, .tid = 71},
        {.addr = 0x500f, .size = 1, .op = I, .pid = 70, .tid = 71},
        {.addr = 0x6000, .size = 2, .op = I, .pid = 70, .tid = 71},
    };
    check_records(&bytes, "drmemtrace", true, expected, VMM_COUNT_OF(expected));
    Result result = read_bytes(bytes.data, bytes.size, NULL, false);
    assert_int_equal(result.info.ignored_records, 6); /* marker, prefetches, 29, 30, flush */
    free(result.refs);
    free(bytes.data);
}

/* A thread that was forgotten is of the process of the one before; nothing else happens. */
static void drmemtrace_many_threads(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put_drmemtrace_start(&bytes);
    for (unsigned tid = 100; tid < 200; tid++) {
        put_drmemtrace(&bytes, 22, 4, tid);
        put_drmemtrace(&bytes, 24, 4, tid + 1000);
    }
    put_drmemtrace(&bytes, 22, 4, 199 - 20);
    put_drmemtrace(&bytes, 0, 8, 0x10);
    put_drmemtrace(&bytes, 22, 4, 100);
    put_drmemtrace(&bytes, 0, 8, 0x20);
    static const VMMRef expected[] = {
        {.addr = 0x10, .size = 8, .op = R, .pid = 1179, .tid = 179},
        {.addr = 0x20, .size = 8, .op = R, .pid = 1179, .tid = 100},
    };
    check_records(&bytes, "drmemtrace", true, expected, VMM_COUNT_OF(expected));
    free(bytes.data);
}

static void drmemtrace_bad_records(void **state) {
    (void)state;
    static const struct {
        unsigned type;
        unsigned size;
        uint64_t value;
        const char *problem;
    } cases[] = {
        {50, 0, 0, "the type is not known"},     {0xffff, 0, 0, "the type is not known"},
        {17, 9, 0, "a bundle of more than 8"},   {25, 0, 8, "the version in the header"},
        {25, 0, 0, "the version in the header"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        Bytes bytes = {NULL, 0, 0};
        put_drmemtrace_start(&bytes);
        put_drmemtrace(&bytes, 0, 8, 0x10);
        put_drmemtrace(&bytes, cases[i].type, cases[i].size, cases[i].value);
        put_drmemtrace(&bytes, 0, 8, 0x20);
        Result result = read_bytes(bytes.data, bytes.size, NULL, false);
        assert_int_equal(result.end, VMM_E_BAD_RECORD);
        assert_int_equal(result.count, 1);
        assert_contains(result.error, "/t: record 6 at byte 60: found ");
        assert_contains(result.error, cases[i].problem);
        assert_contains(result.error, "--skip-bad-records to go on past bad records");
        free(result.refs);
        result = read_bytes(bytes.data, bytes.size, NULL, true);
        assert_int_equal(result.end, 0);
        assert_int_equal(result.count, 2);
        assert_int_equal(result.info.bad_records, 1);
        free(result.refs);
        free(bytes.data);
    }
    Bytes bytes = {NULL, 0, 0};
    put_drmemtrace(&bytes, 0, 8, 0x10);
    Result result = read_bytes(bytes.data, bytes.size, "drmemtrace", false);
    assert_int_equal(result.end, VMM_E_BAD_RECORD);
    assert_contains(result.error, "record 1 at byte 0: found 00 00 08 00 10 00");
    assert_contains(result.error, "not a header");
    free(bytes.data);
}

static void drmemtrace_raw_is_refused(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put(&bytes, UINT64_C(6) << 61 | UINT64_C(4) << 56 | 0xe40, 8);
    put(&bytes, UINT64_C(2) << 61 | 71, 8);
    put(&bytes, UINT64_C(3) << 61 | 70, 8);
    put(&bytes, UINT64_C(4) << 61 | 12345, 8);
    Result result = read_bytes(bytes.data, bytes.size, NULL, false);
    assert_int_equal(result.open_code, VMM_E_UNSUPPORTED);
    assert_contains(result.error, "raw2trace");
    free(bytes.data);
}

/* Others with a mark of their own are told apart, too. */
static void strangers_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        const char *name;
    } cases[] = {
        {"gem5....", "gem5 packet trace"},
        {"SIFT....", "Sniper"},
        {"\xf0\xde\xbc\x9a\x78\x56\x34\x12....", "lcs trace"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        Result result = read_text(cases[i].bytes, NULL);
        assert_int_equal(result.open_code, VMM_E_UNSUPPORTED);
        assert_contains(result.error, cases[i].name);
    }
    /* What gem5's own script makes of its trace. */
    Result result = read_text("r,4096,8,1000\nw,64,4,2000\n", "csv:op=1,addr=2,size=3");
    assert_int_equal(result.count, 2);
    assert_ref(&result.refs[0], 4096, 0, 8, R);
    assert_ref(&result.refs[1], 64, 0, 4, W);
    free(result.refs);
}

/* ---- Requests to caches and disks ----------------------------------------------------------- */

static void oracle_records(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put_oracle(&bytes, 10, 5, 3);
    put_oracle(&bytes, 10, 0xffffffffff, -1);
    put_oracle(&bytes, 11, 5, INT64_MAX);
    put_oracle(&bytes, 12, 0, 1 << 30);
    static const VMMRef expected[] = {
        {.addr = 5 * 4096, .size = 1, .op = R},
        {.addr = UINT64_C(0xffffffffff) * 4096, .size = 1, .op = R},
        {.addr = 5 * 4096, .size = 1, .op = R},
        {.addr = 0, .size = 1, .op = R},
    };
    check_records(&bytes, "oracleGeneral", true, expected, VMM_COUNT_OF(expected));
    put_oracle(&bytes, 12, UINT64_C(1) << 52, -1);
    Result result = read_bytes(bytes.data, bytes.size, "oracle-general", false);
    assert_int_equal(result.end, VMM_E_BAD_RECORD);
    assert_contains(result.error, "record 5 at byte 96: found 0c 00 00 00");
    assert_contains(result.error, "beyond 64-bit addresses");
    free(result.refs);
    free(bytes.data);
}

static void opns_records(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put_opns(&bytes, 10, 5, 1, 7);
    put_opns(&bytes, 10, 6, 3, 8);
    put_opns(&bytes, 10, 7, 9, 8); /* deleted */
    put_opns(&bytes, 11, 8, 13, 0);
    put_opns(&bytes, 11, 9, 12, 0);
    static const VMMRef expected[] = {
        {.addr = 5 * 4096, .size = 1, .op = R, .pid = 7},
        {.addr = 6 * 4096, .size = 1, .op = W, .pid = 8},
        {.addr = 8 * 4096, .size = 1, .op = W},
        {.addr = 9 * 4096, .size = 1, .op = R},
    };
    check_records(&bytes, "oracleGeneralOpNS", true, expected, VMM_COUNT_OF(expected));
    put_opns(&bytes, 11, 9, 32, 0);
    Result result = read_bytes(bytes.data, bytes.size, "oracleGeneralOpNS", false);
    assert_int_equal(result.end, VMM_E_BAD_RECORD);
    assert_int_equal(result.info.ignored_records, 1);
    free(result.refs);
    free(bytes.data);
}

static void vscsi_records(void **state) {
    (void)state;
    static const VMMRef expected[] = {
        {.addr = UINT64_C(512) * 42932745, .size = 512, .op = W},
        {.addr = 512 * 8, .size = 65536, .op = R},
        {.addr = 0, .size = 1, .op = R},
    };
    for (int version = 1; version <= 2; version++) {
        Bytes bytes = {NULL, 0, 0};
        put_vscsi(&bytes, version, 0x2a, 512, 42932745);
        put_vscsi(&bytes, version, 0x88, 65536, 8);
        put_vscsi(&bytes, version, 0x35, 0, 0); /* SYNCHRONIZE CACHE */
        put_vscsi(&bytes, version, 0x28, 0, 0);
        char name[] = "vscsi?";
        name[5] = (char)('0' + version);
        check_records(&bytes, name, true, expected, VMM_COUNT_OF(expected));
        put_vscsi(&bytes, version, 0x28, 8, UINT64_C(1) << 60);
        Result result = read_bytes(bytes.data, bytes.size, name, false);
        assert_int_equal(result.end, VMM_E_BAD_RECORD);
        assert_int_equal(result.info.ignored_records, 1);
        assert_contains(result.error, "the block lies beyond");
        free(result.refs);
        result = read_bytes(bytes.data, bytes.size, version == 1 ? "vscsi2" : "vscsi1", false);
        assert_int_equal(result.end, VMM_E_BAD_RECORD);
        assert_contains(result.error, "the version is another one");
        free(result.refs);
        free(bytes.data);
    }
}

static void pinatrace_binary(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    static const struct {
        unsigned op;
        uint64_t addr;
    } records[] = {{'R', 0x10}, {'w', 0x20}, {'I', 0x30}, {0, 0x40}, {1, 0x50}, {2, UINT64_MAX}};
    for (size_t i = 0; i < VMM_COUNT_OF(records); i++) {
        put(&bytes, records[i].op, 1);
        put(&bytes, records[i].addr, 8);
    }
    static const VMMRef expected[] = {
        {.addr = 0x10, .size = 1, .op = R}, {.addr = 0x20, .size = 1, .op = W},
        {.addr = 0x30, .size = 1, .op = I}, {.addr = 0x40, .size = 1, .op = R},
        {.addr = 0x50, .size = 1, .op = W}, {.addr = UINT64_MAX, .size = 1, .op = I},
    };
    check_records(&bytes, "pinatrace_bin", false, expected, VMM_COUNT_OF(expected));
    Result result = read_bytes(bytes.data, bytes.size, NULL, false);
    assert_int_equal(result.open_code, VMM_E_UNKNOWN_FORMAT);
    put(&bytes, 'X', 9);
    result = read_bytes(bytes.data, bytes.size, "pinatrace-bin", false);
    assert_int_equal(result.end, VMM_E_BAD_RECORD);
    free(result.refs);
    free(bytes.data);
}

/* ---- Records in general --------------------------------------------------------------------- */

/* What is left of a record at the end is a bad record. */
static void partial_records(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    put_drmemtrace_start(&bytes);
    for (int i = 0; i < 1000; i++) {
        put_drmemtrace(&bytes, 0, 8, 0x1000);
    }
    for (size_t less = 1; less < 12; less++) {
        Result result = read_bytes(bytes.data, bytes.size - less, NULL, false);
        assert_int_equal(result.end, VMM_E_BAD_RECORD);
        assert_int_equal(result.count, 999);
        assert_contains(result.error, "record 1004 at byte 12036: found 00");
        assert_contains(result.error, "the file ends within the record");
        free(result.refs);
        result = read_bytes(bytes.data, bytes.size - less, NULL, true);
        assert_int_equal(result.end, 0);
        assert_int_equal(result.count, 999);
        assert_int_equal(result.info.bad_records, 1);
        free(result.refs);
    }
    Result result = read_bytes("\x19", 1, "drmemtrace", false);
    assert_int_equal(result.end, VMM_E_BAD_RECORD);
    assert_contains(result.error, "record 1 at byte 0: found 19 (the file ends");
    result = read_bytes("\x19", 1, "drmemtrace", true);
    assert_int_equal(result.end, VMM_E_EMPTY);
    assert_contains(result.error, "1 bad records");
    free(bytes.data);
}

/* All bad records count, the first five are described. */
static void many_bad_records(void **state) {
    (void)state;
    Bytes bytes = {NULL, 0, 0};
    for (uint64_t i = 0; i < 2000; i++) {
        put(&bytes, i % 3 == 2 ? 'X' : 'R', 1);
        put(&bytes, i, 8);
    }
    put_file(bytes.data, bytes.size);
    VMMTraceOptions options = {
        .struct_size = sizeof options, .skip_bad_records = 1, .format = "pinatrace_bin"};
    VMMTrace *trace = NULL;
    assert_int_equal(vmm_trace_open(file_path, &options, &trace, NULL), VMM_OK);
    Result result = {.refs = NULL};
    read_rest(trace, 7, &result);
    assert_int_equal(result.count, 1334);
    assert_int_equal(result.refs[1333].addr, 1999);
    assert_int_equal(result.info.bad_records, 666);
    assert_contains(vmm_trace_bad_record_text(trace, 4), "record 15 at byte 126: found 58 0e 00");
    assert_null(vmm_trace_bad_record_text(trace, 5));
    vmm_trace_close(trace);
    free(result.refs);
    free(bytes.data);
}

/* ---- Tables --------------------------------------------------------------------------------- */

static void tables(void **state) {
    (void)state;
    static const struct {
        const char *format;
        const char *text;
        VMMRef refs[3];
        size_t count;
    } cases[] = {
        {NULL,
         "version,time,op,size,lbn\n1,5,2a,512,9\n1,6,28,1024,8\n",
         {{.addr = 512 * 9, .size = 512, .op = W}, {.addr = 512 * 8, .size = 1024, .op = R}},
         2},
        {NULL,
         "# time, object, size, next_access_vtime\n0, 5, 4, -1\n",
         {{.addr = 5 * 4096, .size = 4, .op = R}},
         1},
        {NULL,
         "Address;Type;PID;Thread\r\n0x10;R;7;8\r\n\r\n32;store;7;9\r\n# text\r\n",
         {{.addr = 0x10, .size = 1, .op = R, .pid = 7, .tid = 8},
          {.addr = 32, .size = 1, .op = W, .pid = 7, .tid = 9}},
         2},
        {NULL,
         "\"op\"\t\"vpn\"\nmodify\t\"3\"\nifetch\t4\n",
         {{.addr = 3 * 4096, .size = 1, .op = R},
          {.addr = 3 * 4096, .size = 1, .op = W},
          {.addr = 4 * 4096, .size = 1, .op = I}},
         3},
        {"csv:addr=3,op=2,size=4,delimiter=space,base=16",
         "1  R  ff  8\n 2 W 0x100 0 more\n",
         {{.addr = 0xff, .size = 8, .op = R}, {.addr = 0x100, .size = 1, .op = W}},
         2},
        {"csv:page=2",
         "a,b\n1,5\n1,6\n",
         {{.addr = 5 * 4096, .size = 1, .op = R}, {.addr = 6 * 4096, .size = 1, .op = R}},
         2},
        {"csv:block=1,delimiter=tab", "5\tx\n", {{.addr = 5 * 512, .size = 1, .op = R}}, 1},
        {"csv:base=16", "addr,x\nff,y\n", {{.addr = 0xff, .size = 1, .op = R}}, 1},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        Result result = read_text(cases[i].text, cases[i].format);
        assert_refs(&result, cases[i].refs, cases[i].count);
        assert_string_equal(result.info.format, "csv");
        free(result.refs);
    }
}

static void bad_tables(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *problem;
    } cases[] = {
        {"a,b\n1,2\n", ":1: found \"a,b\" (no heading"},
        {"addr,page\n1,2\n", ":1: found \"addr,page\" (no heading"},
        {"addr,op,op\n1,R,R\n", "no heading"},
        {"addr,op\n1,R\n2\n2,X\n", ":4: found \"2,X\" (the operation is not known"},
        {"op,addr\nR,1\nR\n", ":3: found \"R\" (the line has too few columns"},
        {"addr,size\n1,4294967296\n", "a number is too large"},
        {"addr\nx\n", ":2: found \"x\" (a decimal number is missing"},
        {"addr\n1x\n", "a field is not a number"},
        {"page\n4503599627370496\n", "beyond 64-bit addresses"},
        {"addr,pid\n1,-1\n", "a decimal number is missing"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        Result result = read_text(cases[i].text, "csv");
        assert_int_equal(result.end, VMM_E_BAD_RECORD);
        assert_contains(result.error, cases[i].problem);
        free(result.refs);
    }
    static const char *const parameters[] = {
        "csv:",
        "csv:op=1",
        "csv:addr=0",
        "csv:addr=65",
        "csv:addr=1,addr=2",
        "csv:addr=1,op=1",
        "csv:addr",
        "csv:colour=1",
        "csv:addr=x",
        "csv:base=8",
        "csv:delimiter=|",
        "csv:addr=1,page=2",
        "csv:addr=1,op=2,op=3",
        "native:x=1",
        "csvv:addr=1",
    };
    for (size_t i = 1; i < VMM_COUNT_OF(parameters); i++) {
        Result result = read_text("1,2\n", parameters[i]);
        assert_int_equal(result.open_code, VMM_E_USAGE);
        assert_contains(result.error, parameters[i]);
    }
}

/* ---- zip ------------------------------------------------------------------------------------ */

#ifdef VMM_HAVE_ZLIB

typedef struct Member {
    const char *data;
    unsigned method;
    unsigned flags;
    int descriptor; /* 0: none; else the bytes of its sizes, negative: without signature */
    bool wide;      /* an extra field with sizes of 8 bytes */
} Member;

static Bytes deflate_raw(const char *data, size_t size) {
    z_stream stream = {0};
    Bytes packed = {malloc(size + 100), 0, size + 100};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)packed.data;
    stream.avail_out = (uInt)packed.room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.size = packed.room - stream.avail_out;
    deflateEnd(&stream);
    return packed;
}

static void put_member(Bytes *archive, const Member *member) {
    size_t size = strlen(member->data);
    uint64_t crc = crc32(0, (const Bytef *)member->data, (uInt)size);
    Bytes packed = member->method == 8 ? deflate_raw(member->data, size) : bytes_of(member->data);
    bool known = member->descriptor == 0;
    put(archive, 0x04034b50, 4);
    put(archive, 45, 2);
    put(archive, member->flags | (known ? 0 : 8), 2);
    put(archive, member->method, 2);
    put(archive, 0, 4);
    put(archive, known ? crc : 0, 4);
    put(archive, member->wide ? UINT32_MAX : known ? packed.size : 0, 4);
    put(archive, member->wide ? UINT32_MAX : known ? size : 0, 4);
    put(archive, 5, 2);
    put(archive, member->wide ? 28 : 0, 2);
    append(archive, "a/b.c", 5);
    if (member->wide) {
        put(archive, 0x7777, 2); /* an extra field that does not matter */
        put(archive, 4, 2);
        put(archive, 0, 4);
        put(archive, 1, 2);
        put(archive, 16, 2);
        put(archive, known ? size : 0, 8);
        put(archive, known ? packed.size : 0, 8);
    }
    append(archive, packed.data, packed.size);
    if (!known) {
        put(archive, 0x08074b50, member->descriptor > 0 ? 4 : 0);
        put(archive, crc, 4);
        put(archive, packed.size, (size_t)abs(member->descriptor));
        put(archive, size, (size_t)abs(member->descriptor));
    }
    free(packed.data);
}

/* The directory and its end are not looked into. */
static void put_directory(Bytes *archive) {
    put(archive, 0x02014b50, 4);
    put(archive, 0, 60);
    put(archive, 0x06054b50, 4);
    put(archive, 0, 18);
}

static void zip_archives(void **state) {
    (void)state;
    static const Member members[] = {
        {"0 R 0x1\n0 R", 8, 0, 0, false},
        {" 0x2\n", 0, 0, 0, false},
        {"", 0, 0, 0, false},
        {"", 8, 0, 0, false},
        {"0 R 0x3\n0 R 0", 8, 0, 4, false},
        {"x4\n", 8, 0, -4, false},
        {"0 R 0x5\n", 8, 0, 8, true},
        {"0 R 0x6\n", 0, 0, 0, true},
        {"0 R 0x7\n", 8, 0, 8, false},
        {"0 R 0x8\n", 8, 0, -8, true},
        {"0 R 0x9\n", 8, 0, 0, true},
    };
    Bytes archive = {NULL, 0, 0};
    for (size_t i = 0; i < VMM_COUNT_OF(members); i++) {
        put_member(&archive, &members[i]);
    }
    put_directory(&archive);
    Result result = read_bytes(archive.data, archive.size, NULL, false);
    assert_int_equal(result.open_code, VMM_OK);
    assert_int_equal(result.end, 0);
    assert_string_equal(result.info.compression, "zip");
    assert_int_equal(result.count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_ref(&result.refs[i], i + 1, 0, 1, R);
    }
    free(result.refs);
    /* Cut anywhere: an error, and what lies before the cut is read. */
    for (size_t size = 30; size + 86 < archive.size; size += 7) {
        result = read_bytes(archive.data, size, "native", false);
        int code = result.open_code != VMM_OK ? result.open_code : (int)result.end;
        assert_int_equal(code, VMM_E_DAMAGED);
        assert_contains(result.error, "damaged zip data at byte");
        free(result.refs);
    }
    free(archive.data);
}

static void zip_archives_refused(void **state) {
    (void)state;
    static const struct {
        Member member;
        const char *what;
    } cases[] = {
        {{"0 R 0x1\n", 8, 1, 0, false}, "an encrypted member"},
        {{"0 R 0x1\n", 12, 0, 0, false}, "neither stored nor deflated"},
        {{"0 R 0x1\n", 0, 0, 4, false}, "a stored member of unknown size"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        Bytes archive = {NULL, 0, 0};
        put_member(&archive, &cases[i].member);
        put_directory(&archive);
        Result result = read_bytes(archive.data, archive.size, NULL, false);
        assert_int_equal(result.open_code, VMM_E_UNSUPPORTED);
        assert_contains(result.error, cases[i].what);
        assert_contains(result.error, "unzip -p FILE | vmm -t -");
        free(archive.data);
    }
}

static void zip_archives_damaged(void **state) {
    (void)state;
    Bytes archive = {NULL, 0, 0};
    static const Member stored = {"0 R 0x1\n0 R 0x2\n", 0, 0, 0, false};
    put_member(&archive, &stored);
    put_directory(&archive);
    archive.data[30 + 5 + 6] = '7'; /* of the first address */
    Result result = read_bytes(archive.data, archive.size, "native", false);
    assert_int_equal(result.end, VMM_E_DAMAGED);
    assert_int_equal(result.count, 2);
    assert_contains(result.error, "the checksum of a member of the zip archive is wrong");
    free(result.refs);
    archive.data[30 + 5 + 6] = '1';
    memcpy(archive.data + 30 + 5 + 16, "PK??", 4);
    result = read_bytes(archive.data, archive.size, "native", false);
    assert_int_equal(result.end, VMM_E_DAMAGED);
    assert_contains(result.error, "is no member");
    free(result.refs);
    free(archive.data);
    result = read_bytes("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, NULL, false);
    assert_int_equal(result.open_code, VMM_E_EMPTY);
}

#endif

/* ---- No input is claimed by two formats ----------------------------------------------------- */

typedef struct TextSample {
    const char *format;
    const char *text;
    bool named_only;
} TextSample;

static const TextSample text_samples[] = {
    {"native", "1 R 0x7ffc10a0 8\n1 W 4096\n2 I 0x401000 3\n", false},
    {"addrop", "0041f7a0 R\n13f5e2c0 W\n", false},
    {"lackey", "I  04001090,3\n L 1ffefff8,8\n S 10,4\n", false},
    {"din", "2 408ed4\n0 10019d94\n1 10\n", false},
    {"pages", "8\n7\n0x4\n", false},
    {"xdin", "r 1fff00 8\nw 1fff08 4\ni 400000 4\nc 0 0\n", false},
    {"addrid", "0x77ad0 I\nd D\n", false},
    {"spec", "# 0 3019b6c8 2\n# 1 7fffed80 0\n", false},
    {"usimm", "2 W 0x10000000\n7 R 0x10000040 0x400500\n", true},
    {"pinatrace", "#\n# Memory Access Trace Generated By Pin\n#\n0x7f2b: R 0x10\n#eof\n", false},
    {"drview",
     "Output format:\n<--record#-> <--instr#->: <---tid---> <record details>\n---------\n"
     "   1   0:   71 <marker: version 7>\n   2   1:   71 ifetch  3 byte(s) @ 0x1000 48 89 e7 mov\n"
     "   3   1:   71 read    8 byte(s) @ 0x2000 by PC 0x1000\n",
     false},
    {"csv", "version,time,op,size,lbn\n1,5633898,2a,512,42932745\n", false},
};

static void text_is_recognised(void **state) {
    (void)state;
    for (size_t i = 0; i < VMM_COUNT_OF(text_samples); i++) {
        const TextSample *sample = &text_samples[i];
        Result result = read_text(sample->text, sample->named_only ? sample->format : NULL);
        assert_int_equal(result.open_code, VMM_OK);
        assert_int_equal(result.end, 0);
        assert_string_equal(result.info.format, sample->format);
        free(result.refs);
    }
    /* A comment in another format is no trace of this one. */
    Result result = read_text("# 0 3019b6c8 2\n2 408ed4\n", NULL);
    assert_string_equal(result.info.format, "din");
    free(result.refs);
    result = read_text("# 0 3019b6c8 2\n# a comment\n", NULL);
    assert_int_equal(result.open_code, VMM_E_EMPTY);
}

/* No line of a sample is a record of another format that is guessed. */
static void text_is_claimed_once(void **state) {
    (void)state;
    for (size_t i = 0; i < VMM_COUNT_OF(text_samples); i++) {
        for (size_t f = 0; trace_format_at(f) != NULL; f++) {
            const TraceFormat *format = trace_format_at(f);
            if (format->line == NULL || format->named_only || text_samples[i].named_only ||
                strcmp(format->name, text_samples[i].format) == 0) {
                continue;
            }
            uint64_t memory[TRACE_STATE_BYTES / 8] = {0};
            const char *text = text_samples[i].text;
            while (*text != '\0') {
                const char *newline = strchr(text, '\n');
                TraceLine line = {.text = text,
                                  .length = (size_t)(newline - text),
                                  .page_size = 4096,
                                  .state = memory};
                TraceLineKind kind = format->line(&line);
                if (kind == TRACE_LINE_REF || kind == TRACE_LINE_TWO_REFS) {
                    fail_msg("%s takes a line of %s", format->name, text_samples[i].format);
                }
                text = newline + 1;
            }
        }
    }
}

/*
 * Which formats claim some records of one? With 8 it must be this one alone; fewer may leave it
 * undecided, but are not taken for another.
 */
static void assert_only(const Bytes *bytes, const char *name, size_t records) {
    TraceView view = {(const unsigned char *)bytes->data, bytes->size, true};
    TraceGuess guess = trace_format_sniff(&view);
    bool undecided = guess.format == NULL && records < 8;
    if (!undecided && (guess.format == NULL || strcmp(guess.format->name, name) != 0)) {
        fail_msg("%zu records of %s are taken for %s", records, name,
                 guess.format != NULL  ? guess.format->name
                 : guess.equal != NULL ? "one of two formats"
                                       : "none");
    }
}

static void records_are_claimed_once(void **state) {
    (void)state;
    Rng rng = rng_seed(3, "test.imports");
    for (int round = 0; round < 200; round++) {
        Bytes all[8] = {{NULL, 0, 0}};
        size_t records = 1 + rng_below(&rng, 40);
        put_drmemtrace_start(&all[2]);
        for (size_t i = 0; i < records; i++) {
            uint64_t a = 0x7f0000000000 + rng_below(&rng, UINT64_C(1) << 38);
            uint64_t b = rng_below(&rng, 2) ? 0x600000 + rng_below(&rng, 1 << 20) : 0;
            uint64_t ip = 0x400000 + rng_below(&rng, 1 << 20);
            put_champsim(&all[0], ip, (uint64_t[]){b, 0}, (uint64_t[]){a, 0, 0, 0});
            put_cloudsuite(&all[1], ip, (uint64_t[]){b, 0, 0, 0}, (uint64_t[]){a, b, 0, 0}, 1);
            put_drmemtrace(&all[2], rng_below(&rng, 2) ? 10 : 0, 4, a);
            put_oracle(&all[3], (uint32_t)(1000 + i), b, i % 2 ? -1 : (int64_t)(i + 2));
            put_opns(&all[4], (uint32_t)(1000 + i), b, 1, 3);
            put_vscsi(&all[5], 1, 0x28, 4096, b);
            put_vscsi(&all[6], 2, 0x28, 4096, b);
        }
        static const char *const names[] = {"champsim",      "cloudsuite",        "drmemtrace",
                                            "oracleGeneral", "oracleGeneralOpNS", "vscsi1",
                                            "vscsi2"};
        for (size_t i = 0; i < VMM_COUNT_OF(names); i++) {
            assert_only(&all[i], names[i], records);
            free(all[i].data);
        }
    }
}

/* Text, nothing, zeros and noise are no records. */
static void others_are_no_records(void **state) {
    (void)state;
    Rng rng = rng_seed(4, "test.imports");
    for (int round = 0; round < 300; round++) {
        Bytes bytes = {NULL, 0, 0};
        size_t size = 1 + rng_below(&rng, 2000);
        int kind = round % 4;
        for (size_t i = 0; i < size; i++) {
            uint64_t byte = kind == 0   ? 0
                            : kind == 1 ? rng_below(&rng, 256)
                            : kind == 2 ? 32 + rng_below(&rng, 95)
                                        : UINT64_C(0xff);
            put(&bytes, kind == 2 && rng_below(&rng, 20) == 0 ? '\n' : byte, 1);
        }
        TraceView view = {(const unsigned char *)bytes.data, bytes.size, true};
        TraceGuess guess = trace_format_sniff(&view);
        if (guess.format != NULL || guess.rival != NULL) {
            fail_msg("kind %d, %zu bytes: %s", kind, size,
                     guess.format != NULL ? guess.format->name : "two");
        }
        free(bytes.data);
    }
}

static void all_formats_are_listed(void **state) {
    (void)state;
    static const char *const names[] = {
        "native",
        "addrop",
        "lackey",
        "din",
        "pages",
        "xdin",
        "addrid",
        "spec",
        "usimm",
        "pinatrace",
        "drview",
        "pinatrace_bin",
        "drmemtrace",
        "champsim",
        "cloudsuite",
        "oracleGeneral",
        "oracleGeneralOpNS",
        "vscsi1",
        "vscsi2",
        "csv",
    };
    for (size_t i = 0; i < VMM_COUNT_OF(names); i++) {
        const TraceFormat *format = trace_format_find(names[i]);
        assert_non_null(format);
        assert_string_equal(format->name, names[i]);
    }
    for (size_t i = 0; trace_format_at(i) != NULL; i++) {
        assert_true(strlen(vmm_trace_format_help(i)) > 10);
        assert_true(strlen(trace_format_at(i)->expects) > 10);
    }
    Result result = read_text("8\n", "nosuch");
    assert_contains(result.error, "vscsi2"); /* the list of names is whole */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(champsim_records),
        cmocka_unit_test(cloudsuite_records),
        cmocka_unit_test(drmemtrace_records),
        cmocka_unit_test(drmemtrace_many_threads),
        cmocka_unit_test(drmemtrace_bad_records),
        cmocka_unit_test(drmemtrace_raw_is_refused),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(oracle_records),
        cmocka_unit_test(opns_records),
        cmocka_unit_test(vscsi_records),
        cmocka_unit_test(pinatrace_binary),
        cmocka_unit_test(partial_records),
        cmocka_unit_test(many_bad_records),
        cmocka_unit_test(tables),
        cmocka_unit_test(bad_tables),
#ifdef VMM_HAVE_ZLIB
        cmocka_unit_test(zip_archives),
        cmocka_unit_test(zip_archives_refused),
        cmocka_unit_test(zip_archives_damaged),
#endif
        cmocka_unit_test(text_is_recognised),
        cmocka_unit_test(text_is_claimed_once),
        cmocka_unit_test(records_are_claimed_once),
        cmocka_unit_test(others_are_no_records),
        cmocka_unit_test(all_formats_are_listed),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
