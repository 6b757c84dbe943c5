/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bytes as a trace file, through format recognition, decompression and decoding.
 *
 * The first byte chooses the options, the rest is the file. Whatever it holds: reading ends, every
 * reference is well formed, the counts agree, and a second reading gives the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../include/vmm/vmm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input may say that it unpacks to very much: a bound keeps each run short. */
enum { FUZZ_REFS = 1000, FUZZ_READS = 2000 };

static void fuzz_must(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

/* Reads to the end or the bound; returns the last result of vmm_trace_read(). */
static long fuzz_read_all(VMMTrace *trace, uint64_t *references) {
    static VMMRef refs[FUZZ_REFS];
    long got = 0;
    *references = 0;
    for (int i = 0; i < FUZZ_READS; i++) {
        got = vmm_trace_read(trace, refs, FUZZ_REFS);
        if (got <= 0) {
            break;
        }
        fuzz_must(got <= FUZZ_REFS, "no more references than there is room for");
        *references += (uint64_t)got;
        for (long k = 0; k < got; k++) {
            fuzz_must(refs[k].op < VMM_OP_COUNT, "an op is a VMMOp");
            fuzz_must((refs[k].flags & ~VMM_REF_KERNEL) == 0, "flags are those there are");
        }
    }
    return got;
}

static void fuzz_event(void *user, const VMMEvent *event) {
    const VMMTrace *trace = user;
    char text[100];
    int length = vmm_event_text(event, vmm_trace_file(trace, event->file), text, sizeof text);
    fuzz_must(length > 0 && text[0] != '\0', "an event has a text");
}

static void fuzz_read_twice(VMMTrace *trace) {
    uint64_t first;
    uint64_t second;
    long end = fuzz_read_all(trace, &first);
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    fuzz_must(info.references == first, "info counts what was delivered");
    if (end < 0) {
        fuzz_must(vmm_trace_error_text(trace)[0] != '\0', "an error has a sentence");
        fuzz_must(strlen(vmm_trace_error_text(trace)) < VMM_ERROR_TEXT_BYTES, "which fits");
    }
    fuzz_must(vmm_trace_rewind(trace) == VMM_OK, "a file can be rewound");
    fuzz_must(fuzz_read_all(trace, &second) == end && second == first, "reading is repeatable");
    VMMTraceInfo again = {.struct_size = sizeof again};
    vmm_trace_info(trace, &again);
    fuzz_must(again.fingerprint == info.fingerprint, "and has the same fingerprint");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    int file = memfd_create("fuzz", 0);
    if (file < 0 || write(file, data + 1, size - 1) != (ssize_t)(size - 1)) {
        abort();
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);

    VMMTraceOptions options = {.struct_size = sizeof options};
    options.skip_bad_records = data[0] & 1;
    options.page_size = data[0] & 2 ? 65536 : 0;
    options.format = data[0] & 4 ? vmm_trace_format_name((size_t)data[0] >> 3) : NULL;
    VMMTrace *trace = NULL;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    int code = vmm_trace_open(path, &options, &trace, error);
    if (code == VMM_OK) {
        vmm_trace_on_event(trace, fuzz_event, trace);
        fuzz_read_twice(trace);
    } else {
        fuzz_must(trace == NULL, "no trace when opening fails");
        fuzz_must(error[0] != '\0' && strlen(error) < sizeof error, "opening says why it fails");
    }
    vmm_trace_close(trace);
    close(file);
    return 0;
}
