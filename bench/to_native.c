/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any trace that vmm reads, as native text on standard output: what the loops with fscanf can read.
 *
 *     to_native PID TIMES TRACE...      traces get the process numbers PID, PID + 1, ...; all of
 *                                       it TIMES times over
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../include/vmm/vmm.h"

enum { BATCH = 4096 };

static int convert(const char *path, uint32_t pid) {
    static VMMRef refs[BATCH];
    static char text[VMM_ERROR_TEXT_BYTES];
    VMMTraceOptions options = {.struct_size = sizeof options};
    VMMTrace *trace;
    if (vmm_trace_open(path, &options, &trace, text) != VMM_OK) {
        fprintf(stderr, "to_native: %s\n", text);
        return 1;
    }
    long count;
    while ((count = vmm_trace_read(trace, refs, BATCH)) > 0) {
        for (long i = 0; i < count; i++) {
            printf("%" PRIu32 " %c 0x%" PRIx64 " %" PRIu32 "\n", pid, "RWI"[refs[i].op],
                   refs[i].addr, refs[i].size != 0 ? refs[i].size : 1);
        }
    }
    if (count < 0) {
        fprintf(stderr, "to_native: %s\n", vmm_trace_error_text(trace));
    }
    vmm_trace_close(trace);
    return count < 0;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: to_native PID TIMES TRACE...\n");
        return 1;
    }
    /* As cp and unpackers write: in whole, large pieces, which the kernel then keeps as such. */
    static char buffer[128 * 1024];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    uint32_t pid = (uint32_t)strtoul(argv[1], NULL, 10);
    long times = strtol(argv[2], NULL, 10);
    for (long round = 0; round < times; round++) {
        for (int i = 3; i < argc; i++) {
            if (convert(argv[i], pid + (uint32_t)(i - 3)) != 0) {
                return 1;
            }
        }
    }
    return fflush(stdout) != 0 || ferror(stdout);
}
