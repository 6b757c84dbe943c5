/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the trace with events of the tests of vmm trace to standard output: two processes, three
 * threads, a fork, mappings of a file, touches of the kernel, a mark and a pause, over 0.9 s.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/vmm/vmm.h"

static VMMTraceWriter *writer;
static uint64_t now = 5000000000; /* of a clock that began earlier */

static void check(int code) {
    if (code != VMM_OK) {
        fprintf(stderr, "%s\n", vmm_trace_writer_error_text(writer));
        exit(1);
    }
}

static void event(VMMEvent one) {
    one.struct_size = sizeof one;
    one.time_ns = now;
    check(vmm_trace_write_event(writer, &one));
}

/* `count` references to neighbouring words. */
static void refs(uint32_t pid, uint32_t tid, VMMOp op, uint64_t addr, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        VMMRef ref = {.addr = addr + 8 * i, .pid = pid, .tid = tid, .size = 8, .op = (uint8_t)op};
        check(vmm_trace_write(writer, &ref, 1));
    }
}

static void begin(void) {
    VMMTraceFile program = {.device = 1, .inode = 42, .path = "/bin/prog \x1b[31m"};
    uint32_t file = vmm_trace_write_file(writer, &program);
    event((VMMEvent){.type = VMM_EVENT_START, .pid = 100, .tid = 100, .value = 1});
    event((VMMEvent){.type = VMM_EVENT_EXEC, .pid = 100, .tid = 100, .file = file});
    event((VMMEvent){.type = VMM_EVENT_MAP,
                     .pid = 100,
                     .tid = 100,
                     .start = 0x400000,
                     .length = 0x4000,
                     .prot = VMM_PROT_READ | VMM_PROT_EXEC,
                     .file = file,
                     .flags = VMM_MAP_AT_START});
    event((VMMEvent){.type = VMM_EVENT_MAP,
                     .pid = 100,
                     .tid = 100,
                     .start = 0x10000000,
                     .length = 0x100000,
                     .prot = VMM_PROT_READ | VMM_PROT_WRITE,
                     .flags = VMM_MAP_ANONYMOUS | VMM_MAP_HEAP});
}

static void run(void) {
    VMMRef buffer = {.addr = 0x10000100,
                     .pid = 100,
                     .tid = 100,
                     .size = 5000,
                     .op = VMM_OP_WRITE,
                     .flags = VMM_REF_KERNEL};
    refs(100, 100, VMM_OP_FETCH, 0x400000, 10);
    refs(100, 100, VMM_OP_WRITE, 0x10000000, 20);
    check(vmm_trace_write(writer, &buffer, 1));
    now += 300000000;
    event((VMMEvent){.type = VMM_EVENT_THREAD_START, .pid = 100, .tid = 100, .value = 101});
    refs(100, 101, VMM_OP_READ, 0x10001000, 30);
    event((VMMEvent){.type = VMM_EVENT_MARK, .pid = 100, .tid = 101, .value = 7});
    event((VMMEvent){.type = VMM_EVENT_FORK, .pid = 100, .tid = 100, .value = 200});
    event((VMMEvent){.type = VMM_EVENT_START, .pid = 200, .tid = 200, .value = 100});
    now += 300000000;
    event((VMMEvent){.type = VMM_EVENT_PAUSE, .pid = 200, .tid = 200});
    event((VMMEvent){.type = VMM_EVENT_RESUME, .pid = 200, .tid = 200});
    refs(200, 200, VMM_OP_WRITE, 0x10000ff8, 15);
    event((VMMEvent){.type = VMM_EVENT_EXIT, .pid = 200, .tid = 200, .value = 3 << 8});
    event((VMMEvent){
        .type = VMM_EVENT_UNMAP, .pid = 100, .tid = 100, .start = 0x10001000, .length = 0x1000});
    now += 300000000;
    refs(100, 100, VMM_OP_READ, 0x10002000, 24);
    event((VMMEvent){.type = VMM_EVENT_EXIT, .pid = 100, .tid = 100, .value = 9});
}

int main(void) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceWriterOptions options = {.struct_size = sizeof options,
                                     .codec = "full",
                                     .mappings_complete = 1,
                                     .command = "prog 'a b'",
                                     .host = "test host",
                                     .recorder = "tests/cli/make_events.c",
                                     .note = "made, not recorded",
                                     .start_time_ns = 1700000000000000000};
    if (vmm_trace_writer_open(1, &options, &writer, error) != VMM_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    begin();
    run();
    check(vmm_trace_writer_finish(writer));
    vmm_trace_writer_close(writer);
    return 0;
}
