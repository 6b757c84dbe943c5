/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of records into a trace: control records become events, limits are kept to the
 * reference, and every process has a START or FORK at its beginning and an EXIT at its end.
 *
 *     | ref ref ref | EVENT ... | ref ref | THREAD | ref ... |
 *       one call of   an event    again     from here on another
 *       the writer                          thread
 *
 * What comes out of a segment is checked as if it came from a file: the program that is recorded
 * can write into the channel, if it goes astray.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../recorder/events.h"
#include "record.h"

/* The recorder's numbers are the library's. */
#define RECORD_AGREES(name) \
    _Static_assert((int)RECORD_##name == (int)VMM_##name, "events.h and event.h disagree")
RECORD_AGREES(EVENT_UNMAP);
RECORD_AGREES(EVENT_EXIT);
RECORD_AGREES(EVENT_START);
RECORD_AGREES(EVENT_MAP);
RECORD_AGREES(EVENT_PROTECT);
RECORD_AGREES(EVENT_REMAP);
RECORD_AGREES(EVENT_ADVISE);
RECORD_AGREES(EVENT_FORK);
RECORD_AGREES(EVENT_EXEC);
RECORD_AGREES(EVENT_THREAD_START);
RECORD_AGREES(EVENT_THREAD_EXIT);
RECORD_AGREES(EVENT_LOCK);
RECORD_AGREES(EVENT_UNLOCK);
RECORD_AGREES(EVENT_MARK);
RECORD_AGREES(PROT_READ);
RECORD_AGREES(PROT_WRITE);
RECORD_AGREES(PROT_EXEC);
RECORD_AGREES(MAP_SHARED);
RECORD_AGREES(MAP_ANONYMOUS);
RECORD_AGREES(MAP_FIXED);
RECORD_AGREES(MAP_STACK);
RECORD_AGREES(MAP_HEAP);
RECORD_AGREES(MAP_AT_START);
RECORD_AGREES(MAP_GROWSDOWN);
RECORD_AGREES(MAP_HUGETLB);
RECORD_AGREES(MAP_POPULATE);
RECORD_AGREES(MAP_NORESERVE);
RECORD_AGREES(MAP_LOCKED);
RECORD_AGREES(MAP_SYSV);
RECORD_AGREES(FORK_VFORK);
#undef RECORD_AGREES

/* References between two looks at the size of the file, where it has a limit. */
enum { RECORD_PIECE = 1024, RECORD_REF_BYTES = 4, RECORD_RESERVE = 16 * 1024 };

/* So is the layout of a reference. */
enum {
    RECORD_SIZE_SHIFT = CHANNEL_SIZE_SHIFT,
    RECORD_OP_SHIFT = CHANNEL_OP_SHIFT,
    RECORD_MAX_SIZE = CHANNEL_MAX_SIZE,
    RECORD_KERNEL_BIT = 47 /* of CHANNEL_KERNEL */
};
_Static_assert(CHANNEL_KERNEL == UINT64_C(1) << RECORD_KERNEL_BIT, "RECORD_KERNEL_BIT");
_Static_assert(RECORD_SIZE_SHIFT == VMM_PACKED_SIZE_SHIFT &&
                   RECORD_OP_SHIFT == VMM_PACKED_OP_SHIFT &&
                   RECORD_MAX_SIZE == (int)VMM_PACKED_MAX_SIZE &&
                   VMM_PACKED_KERNEL == UINT64_C(1) << RECORD_KERNEL_BIT &&
                   CHANNEL_READ == (int)VMM_OP_READ && CHANNEL_WRITE == (int)VMM_OP_WRITE &&
                   CHANNEL_FETCH == (int)VMM_OP_FETCH,
               "channel.h and types.h disagree");

/* ---- Processes ------------------------------------------------------------------------------ */

static RecordProcess *record_stream_find(RecordStream *stream, uint32_t pid) {
    if (stream->last < stream->used && stream->processes[stream->last].pid == pid) {
        return &stream->processes[stream->last];
    }
    for (size_t i = 0; i < stream->used; i++) {
        if (stream->processes[i].pid == pid) {
            stream->last = i;
            return &stream->processes[i];
        }
    }
    return NULL;
}

static bool record_stream_is_alive(RecordStream *stream, uint32_t pid) {
    const RecordProcess *process = record_stream_find(stream, pid);
    return process != NULL && process->alive;
}

static void record_stream_add(RecordStream *stream, uint32_t pid) {
    RecordProcess *process = record_stream_find(stream, pid);
    for (size_t i = 0; process == NULL && i < stream->used; i++) {
        if (!stream->processes[i].alive) {
            process = &stream->processes[i];
        }
    }
    if (process == NULL) {
        if (stream->used == stream->room) {
            stream->room = stream->room * 2 + 16;
            stream->processes =
                cli_realloc(stream->processes, stream->room, sizeof *stream->processes);
        }
        process = &stream->processes[stream->used++];
    }
    *process = (RecordProcess){.pid = pid, .alive = true};
    stream->first_pid = stream->process_count == 0 ? pid : stream->first_pid;
    stream->process_count++;
    stream->thread_count++;
}

/* ---- Writing -------------------------------------------------------------------------------- */

void record_stream_check(RecordStream *stream, int code) {
    if (code != VMM_OK && stream->end == RECORD_GOES_ON) {
        cli_error("%s: %s; the program goes on unrecorded", stream->path,
                  vmm_trace_writer_error_text(stream->writer));
        stream->end = RECORD_ENDED_ERROR;
    }
}

size_t record_stream_wanted(RecordStream *stream, size_t count, size_t *skipped) {
    *skipped = 0;
    if (stream->paused) {
        *skipped = count;
    } else if (stream->skip > 0) {
        *skipped = count < stream->skip ? count : (size_t)stream->skip;
        stream->skip -= *skipped;
    }
    stream->passed_over += *skipped;
    size_t wanted = count - *skipped;
    if (wanted > stream->left) {
        wanted = (size_t)stream->left;
    }
    stream->taken += wanted;
    if (stream->left != UINT64_MAX) {
        stream->left -= wanted;
    }
    return wanted;
}

/*
 * A reference takes RECORD_REF_BYTES at most, or nearly so: the file is looked at once it may have
 * become too large, so the looks come closer as it gets full. Some room is left for what follows,
 * another piece of references and the index.
 */
static void record_stream_check_size(RecordStream *stream) {
    VMMTraceWriterInfo info = {.struct_size = (uint32_t)sizeof info};
    uint64_t most = stream->most_bytes - stream->most_bytes / 8;
    if (stream->most_bytes / 8 > RECORD_RESERVE) {
        most = stream->most_bytes - RECORD_RESERVE;
    }
    if (stream->taken < stream->next_look) {
        return;
    }
    record_stream_check(stream, vmm_trace_writer_flush(stream->writer));
    vmm_trace_writer_info(stream->writer, &info);
    if (stream->end == RECORD_GOES_ON && info.bytes >= most) {
        stream->end = RECORD_ENDED_SIZE;
    } else {
        stream->next_look = stream->taken + (most - info.bytes) / RECORD_REF_BYTES;
    }
}

void record_stream_check_limits(RecordStream *stream) {
    if (stream->end == RECORD_GOES_ON && stream->left == 0) {
        stream->end = RECORD_ENDED_REFERENCES;
    }
    if (stream->end == RECORD_GOES_ON && stream->most_bytes != UINT64_MAX) {
        record_stream_check_size(stream);
    }
}

static void record_stream_refs(RecordStream *stream, const RecordPart *part, uint32_t tid,
                               const uint64_t *records, size_t count) {
    size_t piece = stream->most_bytes != UINT64_MAX ? RECORD_PIECE : count;
    for (size_t at = 0; at < count && stream->end == RECORD_GOES_ON; at += piece) {
        size_t skipped;
        size_t some = count - at < piece ? count - at : piece;
        size_t wanted = record_stream_wanted(stream, some, &skipped);
        if (wanted > 0) {
            record_stream_check(stream, vmm_trace_write_packed(stream->writer, part->pid, tid,
                                                               records + at + skipped, wanted));
        }
        record_stream_check_limits(stream);
    }
}

static void record_stream_touch(RecordStream *stream, const RecordPart *part, uint32_t tid,
                                uint32_t op, const uint64_t *words) {
    size_t skipped;
    VMMRef ref = {.addr = words[0],
                  .pid = part->pid,
                  .tid = tid,
                  .size = words[1] < UINT32_MAX ? (uint32_t)words[1] : UINT32_MAX,
                  .op = op == CHANNEL_WRITE ? VMM_OP_WRITE : VMM_OP_READ,
                  .flags = VMM_REF_KERNEL};
    if (record_stream_wanted(stream, 1, &skipped) > 0) {
        record_stream_check(stream, vmm_trace_write(stream->writer, &ref, 1));
    }
    record_stream_check_limits(stream);
}

static void record_stream_event(RecordStream *stream, const VMMEvent *event) {
    if (stream->end == RECORD_GOES_ON) {
        record_stream_check(stream, vmm_trace_write_event(stream->writer, event));
    }
}

/* ---- Events --------------------------------------------------------------------------------- */

static VMMEvent record_stream_new_event(uint32_t type, uint32_t pid, uint32_t tid,
                                        uint64_t time_ns) {
    return (VMMEvent){.struct_size = (uint32_t)sizeof(VMMEvent),
                      .type = type,
                      .pid = pid,
                      .tid = tid,
                      .time_ns = time_ns};
}

/* A process of which nothing was heard yet has a START before all else. */
static void record_stream_meet(RecordStream *stream, uint32_t pid, uint64_t time_ns) {
    if (!record_stream_is_alive(stream, pid)) {
        record_stream_add(stream, pid);
        VMMEvent event = record_stream_new_event(VMM_EVENT_START, pid, pid, time_ns);
        record_stream_event(stream, &event);
    }
}

static void record_stream_file(RecordStream *stream, const ChannelEvent *from, VMMEvent *event) {
    char path[CHANNEL_PATH_MAX + 1];
    size_t length = from->path_bytes < CHANNEL_PATH_MAX ? from->path_bytes : CHANNEL_PATH_MAX;
    if (length == 0) {
        return;
    }
    memcpy(path, from + 1, length);
    path[length] = '\0';
    VMMTraceFile file = {.device = from->device, .inode = from->inode, .path = path};
    event->file = vmm_trace_write_file(stream->writer, &file);
}

/* A program began: a new process, or a new image of one that is known. */
static void record_stream_image(RecordStream *stream, VMMEvent *event) {
    if (record_stream_is_alive(stream, event->pid)) {
        event->type = VMM_EVENT_EXEC;
        event->value = 0;
        stream->exec_count++;
        record_stream_event(stream, event);
        return;
    }
    VMMEvent start =
        record_stream_new_event(VMM_EVENT_START, event->pid, event->tid, event->time_ns);
    if (event->value <= UINT32_MAX && record_stream_is_alive(stream, (uint32_t)event->value)) {
        start.value = event->value;
    }
    record_stream_add(stream, event->pid);
    record_stream_event(stream, &start);
    event->type = VMM_EVENT_EXEC;
    event->value = 0;
    record_stream_event(stream, event);
}

static void record_stream_fork(RecordStream *stream, const VMMEvent *event) {
    uint32_t child = (uint32_t)event->value;
    if (!record_stream_is_alive(stream, child)) { /* else it was told twice */
        record_stream_add(stream, child);
        record_stream_event(stream, event);
    }
}

static void record_stream_exit(RecordStream *stream, const VMMEvent *event) {
    RecordProcess *process = record_stream_find(stream, event->pid);
    if (process != NULL && process->alive) {
        process->alive = false;
        record_stream_event(stream, event);
    }
}

static void record_stream_told(RecordStream *stream, const RecordPart *part, uint32_t tid,
                               uint32_t control, const uint64_t *words) {
    ChannelEvent from;
    memcpy(&from, words, sizeof from);
    VMMEvent event = record_stream_new_event(from.type, part->pid, tid, from.time_ns);
    event.start = from.start;
    event.length = from.length;
    event.target = from.target;
    event.value = from.value;
    event.offset = from.offset;
    event.prot = from.prot;
    event.flags = from.flags;
    record_stream_file(stream, (const ChannelEvent *)(const void *)words, &event);
    if (control == CHANNEL_IMAGE) {
        record_stream_image(stream, &event);
        return;
    }
    record_stream_meet(stream, part->pid, from.time_ns);
    if (from.type == VMM_EVENT_FORK) {
        record_stream_fork(stream, &event);
    } else if (from.type == VMM_EVENT_EXIT) {
        record_stream_exit(stream, &event);
    } else if (vmm_event_name(from.type) != NULL) {
        stream->thread_count += from.type == VMM_EVENT_THREAD_START;
        record_stream_event(stream, &event);
    }
}

void record_stream_pause(RecordStream *stream, bool paused, uint32_t pid, uint32_t tid,
                         uint64_t time_ns) {
    if (stream->paused != paused) {
        stream->paused = paused;
        VMMEvent event =
            record_stream_new_event(paused ? VMM_EVENT_PAUSE : VMM_EVENT_RESUME, pid, tid, time_ns);
        record_stream_event(stream, &event);
    }
}

void record_stream_died(RecordStream *stream, uint32_t pid, int wait_status, uint64_t time_ns) {
    VMMEvent event = record_stream_new_event(VMM_EVENT_EXIT, pid, pid, time_ns);
    event.value = (uint64_t)(unsigned)wait_status;
    record_stream_exit(stream, &event);
}

/* ---- Segments ------------------------------------------------------------------------------- */

/* The control record at words[0] with `after` words behind it; how many are its own. */
static size_t record_stream_control(RecordStream *stream, const RecordPart *part, uint32_t *tid,
                                    const uint64_t *words, size_t after) {
    uint64_t record = words[0];
    uint32_t type = (uint32_t)(record & CHANNEL_TYPE_MASK);
    uint32_t value = (uint32_t)(record >> CHANNEL_VALUE_SHIFT);
    size_t count = (size_t)(record >> CHANNEL_WORDS_SHIFT) & 0xffff;
    if (count > after) {
        return after;
    }
    if (type == CHANNEL_THREAD) {
        *tid = value;
    } else if ((type == CHANNEL_EVENT || type == CHANNEL_IMAGE) && count >= CHANNEL_EVENT_WORDS &&
               ((const ChannelEvent *)(const void *)(words + 1))->path_bytes <=
                   (count - CHANNEL_EVENT_WORDS) * 8) {
        record_stream_told(stream, part, *tid, type, words + 1);
    } else if (type == CHANNEL_TOUCH && count == 2) {
        record_stream_touch(stream, part, *tid, value, words + 1);
    } else if (type == CHANNEL_STOP || type == CHANNEL_RESUME) {
        record_stream_meet(stream, part->pid, part->time_ns);
        record_stream_pause(stream, type == CHANNEL_STOP, part->pid, *tid, part->time_ns);
    }
    return count;
}

static bool record_stream_is_control(uint64_t record) {
    return ((record >> CHANNEL_OP_SHIFT) & CHANNEL_OP_MASK) == CHANNEL_CONTROL;
}

void record_stream_take(RecordStream *stream, const RecordPart *part) {
    uint32_t tid = part->tid;
    uint64_t controls = part->controls;
    size_t at = 0;
    while (at < part->count && stream->end == RECORD_GOES_ON) {
        size_t next = controls > 0 ? at : part->count;
        while (next < part->count && !record_stream_is_control(part->records[next])) {
            next++;
        }
        if (next > at) {
            record_stream_meet(stream, part->pid, part->time_ns);
            record_stream_refs(stream, part, tid, part->records + at, next - at);
        }
        at = next;
        if (at < part->count) {
            at += 1 + record_stream_control(stream, part, &tid, part->records + at,
                                            part->count - at - 1);
            controls--;
        }
    }
}

void record_stream_finish(RecordStream *stream) {
    int code = vmm_trace_writer_finish(stream->writer);
    if (code != VMM_OK && stream->end != RECORD_ENDED_ERROR) {
        cli_error("%s: %s", stream->path, vmm_trace_writer_error_text(stream->writer));
        stream->end = RECORD_ENDED_ERROR;
    }
}

void record_stream_free(RecordStream *stream) {
    vmm_trace_writer_close(stream->writer);
    free(stream->processes);
    *stream = (RecordStream){0};
}
