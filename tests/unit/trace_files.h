/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests of src/trace need: files of bytes, and reading a trace whole. */
#ifndef VMM_TESTS_UNIT_TRACE_FILES_H
#define VMM_TESTS_UNIT_TRACE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../include/vmm/trace.h"
#include "common.h"

/* ---- Files of bytes ------------------------------------------------------------------------- */

static char folder[TEST_PATH_BYTES];
static char file_path[TEST_PATH_BYTES + 64];

static inline int make_folder(void **state) {
    (void)state;
    test_path_template(folder, "trace");
    snprintf(file_path, sizeof file_path, "%s/t", mkdtemp(folder) != NULL ? folder : "?");
    return 0;
}

static inline int drop_folder(void **state) {
    (void)state;
    unlink(file_path);
    return rmdir(folder);
}

typedef struct Bytes {
    char *data;
    size_t size;
    size_t room;
} Bytes;

static inline Bytes bytes_of(const char *text) {
    Bytes bytes = {strdup(text), strlen(text), 0};
    return bytes;
}

/* Not inlined: gcc would see sizes there that no caller gives. */
__attribute__((noinline, unused)) static void append(Bytes *bytes, const void *data, size_t size) {
    if (bytes->size + size > bytes->room) {
        bytes->room = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->room);
        assert_non_null(bytes->data);
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static inline void append_line(Bytes *bytes, const char *line) {
    append(bytes, line, strlen(line));
    append(bytes, "\n", 1);
}

static inline void put_file(const void *data, size_t size) {
    FILE *file = fopen(file_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- Reading a trace whole ------------------------------------------------------------------ */

typedef struct Result {
    int open_code;
    long end; /* what the last read returned */
    VMMRef *refs;
    size_t count;
    VMMTraceInfo info;
    char error[VMM_ERROR_TEXT_BYTES];
} Result;

static inline void read_rest(VMMTrace *trace, size_t batch, Result *result) {
    VMMRef *buffer = calloc(batch, sizeof *buffer);
    size_t room = 0;
    free(result->refs);
    result->refs = NULL;
    result->count = 0;
    while ((result->end = vmm_trace_read(trace, buffer, batch)) > 0) {
        size_t fresh = (size_t)result->end;
        assert_true(fresh <= batch);
        if (result->count + fresh > room) {
            room = 2 * (result->count + fresh);
            result->refs = realloc(result->refs, room * sizeof *buffer);
        }
        memcpy(result->refs + result->count, buffer, fresh * sizeof *buffer);
        result->count += fresh;
    }
    assert_int_equal(vmm_trace_read(trace, buffer, batch), result->end); /* the end stays */
    snprintf(result->error, sizeof result->error, "%s", vmm_trace_error_text(trace));
    result->info = (VMMTraceInfo){.struct_size = sizeof result->info};
    vmm_trace_info(trace, &result->info);
    assert_int_equal(result->info.references, result->count);
    /* The strings of the info live as long as the trace: only these are looked at later. */
    result->info.path = NULL;
    free(buffer);
}

static inline Result read_path(const char *path, const char *format, bool skip, size_t batch) {
    VMMTraceOptions options = {
        .struct_size = sizeof options, .skip_bad_records = skip, .format = format};
    Result result = {.end = -1};
    VMMTrace *trace = NULL;
    result.open_code = vmm_trace_open(path, &options, &trace, result.error);
    if (result.open_code == VMM_OK) {
        read_rest(trace, batch, &result);
        vmm_trace_close(trace);
    } else {
        assert_null(trace);
        assert_true(strlen(result.error) > 10);
    }
    return result;
}

static inline Result read_bytes(const void *data, size_t size, const char *format, bool skip) {
    put_file(data, size);
    return read_path(file_path, format, skip, 1000);
}

static inline Result read_text(const char *text, const char *format) {
    return read_bytes(text, strlen(text), format, false);
}

static inline void assert_contains(const char *text, const char *part) {
    if (text == NULL || strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", text != NULL ? text : "nothing", part);
    }
}

static inline void assert_ref(const VMMRef *ref, uint64_t addr, uint32_t pid, uint32_t size,
                              VMMOp op) {
    VMMRef expected = {.addr = addr, .pid = pid, .size = size, .op = (uint8_t)op};
    if (memcmp(ref, &expected, sizeof expected) != 0) {
        fail_msg("pid %u op %u addr 0x%llx size %u, expected pid %u op %u addr 0x%llx size %u",
                 ref->pid, ref->op, (unsigned long long)ref->addr, ref->size, pid, (unsigned)op,
                 (unsigned long long)addr, size);
    }
}

#endif
