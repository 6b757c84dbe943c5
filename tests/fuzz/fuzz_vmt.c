/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bytes as a .vmt. Checksums are not looked at (VMM_VMT_UNCHECKED), or no input but
 * the corpus would get past them; for that the reader is compiled anew here.
 *
 *     byte 0   1: past damage, 2: by runs, 4: with a thread, 8: as a pipe, 16: after a seek
 *     then     the file
 *
 * What is delivered is well-formed and adds up, and a second pass gives the same.
 */
#define VMM_VMT_UNCHECKED 1

#include "../../src/base/error.c"
#include "../../src/base/memory.c"
#include "../../src/base/number.c"
#include "../../src/base/spill.c"
#include "../../src/trace/format.c"
#include "../../src/trace/source.c"
#include "../../src/trace/trace.c"
#include "../../src/trace/trace_vmt.c"
#include "../../src/trace/vmt_check.c"
#include "../../src/trace/vmt_decode.c"
#include "../../src/trace/vmt_events.c"
#include "../../src/trace/vmt_format.c"
#include "../../src/trace/vmt_frame.c"
#include "../../src/trace/vmt_full.c"
#include "../../src/trace/vmt_index.c"
#include "../../src/trace/vmt_read.c"
#include "../../src/trace/vmt_runs.c"
#include "../../src/trace/vmt_unfold.c"

#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_REFS = 1000, FUZZ_READS = 300 };
enum { FUZZ_SKIP = 1, FUZZ_RUNS = 2, FUZZ_THREAD = 4, FUZZ_PIPE = 8, FUZZ_SEEK = 16 };

static void fuzz_must(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void fuzz_hear(void *user, const VMMEvent *event) {
    (*(uint64_t *)user)++;
    fuzz_must(vmm_event_name(event->type) != NULL, "an event is of a known type");
}

static long fuzz_read_refs(VMMTrace *trace, uint64_t *references) {
    static VMMRef refs[FUZZ_REFS];
    long got = 0;
    for (int i = 0; i < FUZZ_READS && (got = vmm_trace_read(trace, refs, FUZZ_REFS)) > 0; i++) {
        *references += (uint64_t)got;
        for (long k = 0; k < got; k++) {
            fuzz_must(refs[k].op < VMM_OP_COUNT, "an op is a VMMOp");
            fuzz_must(refs[k].flags <= VMM_REF_KERNEL, "a flag is one");
            fuzz_must(refs[k].size >= 1, "a size is not 0");
        }
    }
    return got;
}

static long fuzz_read_runs(VMMTrace *trace, uint64_t *references) {
    const VMMRuns *runs;
    long got = 0;
    for (int i = 0; i < FUZZ_READS && (got = vmm_trace_next_runs(trace, &runs)) > 0; i++) {
        for (size_t k = 0; k < runs->count; k++) {
            fuzz_must(runs->page[k] < runs->page_count, "a page is in its dictionary");
            fuzz_must(runs->shape[k] < runs->shape_count, "a shape is in its dictionary");
            const VMMRunShape *shape = &runs->shapes[runs->shape[k]];
            fuzz_must(shape->count >= 1, "a run is not empty");
            fuzz_must(shape->first_write <= shape->count && shape->writes <= shape->count,
                      "stores are within their run");
            fuzz_must(!shape->continued || k > 0, "a block does not begin with a continued run");
            *references += shape->count - shape->continued;
        }
    }
    return got;
}

static void fuzz_pass(VMMTrace *trace, unsigned how, uint64_t *references, uint64_t *fingerprint) {
    uint64_t told = 0;
    *references = 0;
    vmm_trace_on_event(trace, fuzz_hear, &told);
    bool runs = (how & FUZZ_RUNS) != 0 && vmm_trace_has_runs(trace);
    long end = runs ? fuzz_read_runs(trace, references) : fuzz_read_refs(trace, references);
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    fuzz_must(info.references == *references, "info counts what was delivered");
    fuzz_must(info.events == told, "and what was told");
    if (end < 0) {
        fuzz_must(vmm_trace_error_text(trace)[0] != '\0', "an error has a sentence");
    }
    for (uint32_t i = 0; i < 5; i++) {
        const VMMTraceFile *file = vmm_trace_file(trace, i);
        fuzz_must(file == NULL || strlen(file->path) < VMT_PATH_MAX, "a path is within its limit");
    }
    *fingerprint = info.fingerprint;
    vmm_trace_on_event(trace, NULL, NULL);
}

static void fuzz_twice(VMMTrace *trace, unsigned how) {
    uint64_t references[2];
    uint64_t fingerprints[2];
    if ((how & FUZZ_PIPE) != 0) {
        fuzz_must(vmm_trace_keep(trace) == VMM_OK, "a pipe can be kept");
    }
    fuzz_pass(trace, how, &references[0], &fingerprints[0]);
    fuzz_must(vmm_trace_rewind(trace) == VMM_OK, "a trace can be rewound");
    fuzz_pass(trace, how, &references[1], &fingerprints[1]);
    fuzz_must(references[0] == references[1], "reading is repeatable");
    fuzz_must(fingerprints[0] == fingerprints[1], "and has the same fingerprint");
    if ((how & FUZZ_SEEK) != 0) {
        VMMRef ref;
        if (vmm_trace_seek(trace, references[0] / 2) == VMM_OK) {
            (void)vmm_trace_read(trace, &ref, 1);
        }
    }
}

static int fuzz_file(const uint8_t *data, size_t size, bool as_pipe) {
    int ends[2];
    if (!as_pipe || size > 60000) {
        ends[0] = memfd_create("fuzz", 0);
        ends[1] = ends[0];
    } else if (pipe(ends) != 0) {
        abort();
    }
    if (ends[0] < 0 || write(ends[1], data, size) != (ssize_t)size) {
        abort();
    }
    if (ends[1] != ends[0]) {
        close(ends[1]);
    }
    return ends[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    unsigned how = data[0];
    int file = fuzz_file(data + 1, size - 1, (how & FUZZ_PIPE) != 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = how & FUZZ_SKIP,
                               .format = "vmt",
                               .threads = (how & FUZZ_THREAD) != 0};
    VMMTrace *trace = NULL;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    int code = vmm_trace_open(path, &options, &trace, error);
    if (code == VMM_OK) {
        fuzz_twice(trace, how);
    } else {
        fuzz_must(trace == NULL && error[0] != '\0', "opening says why it fails");
    }
    vmm_trace_close(trace);
    close(file);
    return 0;
}
