/* SPDX-License-Identifier: Apache-2.0 */
/* src/trace/vmt_behind.c: blocks packed by threads make the same file, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../include/vmm/trace_write.h"
#include "common.h"

enum { PARTS = 60, PART = 20000, CHANGES = 32 };

typedef struct Bytes {
    unsigned char *bytes;
    size_t size;
} Bytes;

static void write_part(VMMTraceWriter *writer, uint32_t part, uint64_t *random) {
    static VMMPackedRef refs[PART];
    VMMEvent event = {.struct_size = sizeof event,
                      .type = VMM_EVENT_UNMAP,
                      .pid = part % 2,
                      .start = 4096,
                      .length = 4096};
    for (size_t i = 0; i < PART; i++) {
        *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        refs[i] = (*random >> 40) | (UINT64_C(7) << VMM_PACKED_SIZE_SHIFT);
    }
    assert_int_equal(vmm_trace_write_packed(writer, part % 2, 0, refs, part % 3 ? PART : PART / 7),
                     VMM_OK);
    if (part % 5 == 0) {
        assert_int_equal(vmm_trace_write_event(writer, &event), VMM_OK);
    }
}

static Bytes write_with(uint32_t threads) {
    char path[TEST_PATH_BYTES];
    VMMTraceWriterOptions options = {
        .struct_size = sizeof options, .threads = threads, .start_time_ns = 1};
    VMMTraceWriter *writer;
    uint64_t random = 1;
    test_path_template(path, "behind");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(vmm_trace_writer_open(fd, &options, &writer, NULL), VMM_OK);
    for (uint32_t part = 0; part < PARTS; part++) {
        write_part(writer, part, &random);
    }
    assert_int_equal(vmm_trace_writer_finish(writer), VMM_OK);
    vmm_trace_writer_close(writer);
    Bytes whole = {.size = (size_t)lseek(fd, 0, SEEK_END)};
    whole.bytes = malloc(whole.size);
    assert_non_null(whole.bytes);
    assert_int_equal(pread(fd, whole.bytes, whole.size, 0), (ssize_t)whole.size);
    close(fd);
    return whole;
}

/* The uuid in the header differs, and its checksum. */
static void same_bytes(void **state) {
    (void)state;
    Bytes alone = write_with(0);
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        Bytes behind = write_with(threads);
        size_t differing = 0;
        assert_int_equal(behind.size, alone.size);
        for (size_t i = 0; i < alone.size; i++) {
            differing += alone.bytes[i] != behind.bytes[i];
        }
        assert_true(differing <= CHANGES);
        free(behind.bytes);
    }
    free(alone.bytes);
}

/* A writer that is given up while threads pack. */
static void given_up(void **state) {
    (void)state;
    char path[TEST_PATH_BYTES];
    VMMTraceWriterOptions options = {.struct_size = sizeof options, .threads = 2};
    VMMTraceWriter *writer;
    uint64_t random = 1;
    test_path_template(path, "behind");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(vmm_trace_writer_open(fd, &options, &writer, NULL), VMM_OK);
    for (uint32_t part = 0; part < 10; part++) {
        write_part(writer, part, &random);
    }
    vmm_trace_writer_close(writer);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes),
        cmocka_unit_test(given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
