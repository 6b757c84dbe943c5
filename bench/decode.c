/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes a .vmt in page runs and does nothing with them but count.
 *
 *     decode TRACE [THREADS]        THREADS that decode ahead, 0 by default
 *
 * Prints "references" and "seconds", wall clock of the reading alone, one a line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../include/vmm/vmm.h"

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* References of a stretch: its page references without the second parts of crossing ones. */
static uint64_t count_references(const VMMRuns *runs) {
    uint64_t count = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const VMMRunShape *shape = &runs->shapes[runs->shape[i]];
        count += shape->count - shape->continued;
    }
    return count;
}

int main(int argc, char **argv) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .threads = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0};
    VMMTrace *trace;
    if (argc < 2 || vmm_trace_open(argv[1], &options, &trace, error) != VMM_OK) {
        fprintf(stderr, "decode: %s\n", argc < 2 ? "usage: decode TRACE [THREADS]" : error);
        return 1;
    }
    uint64_t references = 0;
    double start = now();
    const VMMRuns *runs;
    int got;
    while ((got = vmm_trace_next_runs(trace, &runs)) > 0) {
        references += count_references(runs);
    }
    double seconds = now() - start;
    if (got < 0) {
        fprintf(stderr, "decode: %s\n", vmm_trace_error_text(trace));
        return 1;
    }
    printf("references %" PRIu64 "\nseconds %.6f\n", references, seconds);
    vmm_trace_close(trace);
    return 0;
}
