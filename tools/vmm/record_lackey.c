/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording with Lackey, where our own tool is not there: its text comes through a pipe and is read
 * as any Lackey trace. All references are of one process and one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"

enum { RECORD_LACKEY_REFS = 4096 };

static void record_lackey_event(Record *record, uint32_t type, uint64_t value) {
    VMMEvent event = {.struct_size = (uint32_t)sizeof event,
                      .type = type,
                      .pid = (uint32_t)record->pid,
                      .tid = (uint32_t)record->pid,
                      .value = value};
    vmm_trace_write_event(record->stream.writer, &event);
}

/*
 * References without the fetches that are not wanted; how many are left. By page as our own tool
 * counts: the first instruction after a jump, and every one that is, or reaches, on another page
 * than the one before. `next` is where the last one would go on.
 */
static size_t record_lackey_select(const Record *record, VMMRef *refs, size_t count,
                                   uint64_t *next) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        refs[i].pid = (uint32_t)record->pid;
        refs[i].tid = (uint32_t)record->pid;
        if (refs[i].op == VMM_OP_FETCH) {
            uint64_t last = refs[i].addr + refs[i].size - 1;
            bool goes_on =
                refs[i].addr == *next && (*next - 1) / CHANNEL_PAGE == last / CHANNEL_PAGE;
            *next = last + 1;
            if (record->fetches == CHANNEL_FETCHES_NONE ||
                (record->fetches == CHANNEL_FETCHES_PAGE && goes_on)) {
                continue;
            }
        }
        refs[kept++] = refs[i];
    }
    return kept;
}

static void record_lackey_write(RecordStream *stream, const VMMRef *refs, size_t count) {
    size_t skipped = 0;
    size_t wanted = record_stream_wanted(stream, count, &skipped);
    if (wanted > 0 && stream->end == RECORD_GOES_ON) {
        record_stream_check(stream, vmm_trace_write(stream->writer, refs + skipped, wanted));
    }
    record_stream_check_limits(stream);
}

/* Lines that are no records: what Valgrind has to say of the program, as a rule. */
static void record_lackey_say_bad(const VMMTrace *trace) {
    VMMTraceInfo info = {.struct_size = (uint32_t)sizeof info};
    vmm_trace_info(trace, &info);
    if (info.bad_records > 0) {
        cli_warning("%" PRIu64 " line%s of Lackey %s no record and %s left out; the first: %s",
                    info.bad_records, info.bad_records == 1 ? "" : "s",
                    info.bad_records == 1 ? "was" : "were", info.bad_records == 1 ? "was" : "were",
                    vmm_trace_bad_record_text(trace, 0));
    }
}

/* Reads to the end in any case, or the program would wait for ever. */
static int record_lackey_convert(Record *record, int fd) {
    char path[40];
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {
        .struct_size = (uint32_t)sizeof options, .format = "lackey", .skip_bad_records = 1};
    VMMTrace *trace;
    uint64_t next = UINT64_MAX;
    long got;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int code = vmm_trace_open(path, &options, &trace, error);
    if (code != VMM_OK) {
        cli_error("what Lackey says cannot be read: %s", error);
        return cli_status(code);
    }
    VMMRef *refs = cli_alloc(RECORD_LACKEY_REFS, sizeof *refs);
    while ((got = vmm_trace_read(trace, refs, RECORD_LACKEY_REFS)) > 0) {
        size_t kept = record_lackey_select(record, refs, (size_t)got, &next);
        record_lackey_write(&record->stream, refs, kept);
    }
    if (got < 0) {
        cli_error("what Lackey says cannot be read: %s", vmm_trace_error_text(trace));
    }
    record_lackey_say_bad(trace);
    free(refs);
    vmm_trace_close(trace);
    return got < 0 ? cli_status((int)got) : CLI_OK;
}

int record_run_lackey(Record *record) {
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        cli_error("cannot make a pipe: %s", strerror(errno));
        return CLI_FAILURE;
    }
    record->pid = record_launch_lackey(record->words, pipes[1]);
    close(pipes[1]);
    if (record->pid < 0) {
        close(pipes[0]);
        return CLI_FAILURE;
    }
    record_begins(record);
    record->stream.process_count = 1;
    record->stream.thread_count = 1;
    record_lackey_event(record, VMM_EVENT_START, 0);
    int status = record_lackey_convert(record, pipes[0]);
    close(pipes[0]);
    while (waitpid(record->pid, &record->wait_status, 0) < 0 && errno == EINTR) {}
    record->running = false;
    record_lackey_event(record, VMM_EVENT_EXIT, (uint64_t)(uint32_t)record->wait_status);
    return status;
}
