/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a trace costs, and nothing else: file to references, fingerprint included.
 *
 *     parse TRACE [FORMAT]
 *
 * Prints the number of references and the fingerprint.
 */
#include <inttypes.h>
#include <stdio.h>

#include "../include/vmm/vmm.h"

enum { BATCH = 4096 };

int main(int argc, char **argv) {
    static VMMRef refs[BATCH];
    static char text[VMM_ERROR_TEXT_BYTES];
    VMMTraceOptions options = {.struct_size = sizeof options};
    VMMTraceInfo info = {.struct_size = sizeof info};
    VMMTrace *trace;
    if (argc < 2) {
        fprintf(stderr, "usage: parse TRACE [FORMAT]\n");
        return 1;
    }
    options.format = argc > 2 ? argv[2] : NULL;
    if (vmm_trace_open(argv[1], &options, &trace, text) != VMM_OK) {
        fprintf(stderr, "parse: %s\n", text);
        return 1;
    }
    long count;
    while ((count = vmm_trace_read(trace, refs, BATCH)) > 0) {}
    vmm_trace_info(trace, &info);
    if (count < 0) {
        fprintf(stderr, "parse: %s\n", vmm_trace_error_text(trace));
    }
    printf("references %" PRIu64 "\nfingerprint %" PRIu64 "\n", info.references, info.fingerprint);
    vmm_trace_close(trace);
    return count < 0;
}
