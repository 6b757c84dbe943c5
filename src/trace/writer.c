/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing traces: what all formats share. References are counted and checked, those that the format
 * cannot hold are dropped and counted, and bytes go to the file through one buffer. The writer owns
 * the buffer and the format's state; the descriptor is the caller's.
 */
#include "writer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "../base/number.h"
#include "exports.def"

/* clang-format off */
#define VMM_EACH_LIST TRACE_EXPORTS
#define VMM_EACH_PATH(name) ../trace/write_##name.c
/* clang-format on */
#include "../base/include_each.h"

#define TRACE_EXPORT_ENTRY(name) &name##_export,
static const TraceExport *const writer_formats[] = {TRACE_EXPORTS(TRACE_EXPORT_ENTRY)};

#define WRITER_DEFAULT_PAGE_SIZE 4096
#define WRITER_UNPACKED 256 /* packed references that are unpacked at a time */

/* ---- The registry --------------------------------------------------------------------------- */

const char *vmm_trace_writer_format_name(size_t index) {
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): no entry is NULL */
    return index < VMM_COUNT_OF(writer_formats) ? writer_formats[index]->name : NULL;
}

const char *vmm_trace_writer_format_help(size_t index) {
    return index < VMM_COUNT_OF(writer_formats) ? writer_formats[index]->help : NULL;
}

static const TraceExport *writer_find_format(const char *name) {
    for (size_t i = 0; i < VMM_COUNT_OF(writer_formats); i++) {
        if (name_matches(writer_formats[i]->name, name)) {
            return writer_formats[i];
        }
    }
    return NULL;
}

static int writer_unknown_format(const char *name, Error *error) {
    char names[128] = "";
    size_t used = 0;
    const char *known;
    for (size_t i = 0; (known = vmm_trace_writer_format_name(i)) != NULL && used < sizeof names;
         i++) {
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ", known);
    }
    return error_set(error, VMM_E_USAGE, "found \"%.60s\" as format to write, expected one of: %s",
                     name, names);
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

/* All of it, whatever signals come: a recording must not lose a block to one. */
static int writer_to_file(VMMTraceWriter *writer, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t done = write(writer->fd, bytes, count);
        if (done < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = writer->fd, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
            continue;
        }
        if (done < 0 && errno != EINTR) {
            return error_set(&writer->error, VMM_E_WRITE,
                             "cannot write the trace after %llu bytes: %s; what was written before "
                             "stays readable",
                             (unsigned long long)writer->info.bytes, strerror(errno));
        }
        if (done > 0) {
            bytes += done;
            count -= (size_t)done;
            writer->info.bytes += (uint64_t)done;
        }
    }
    return VMM_OK;
}

int writer_send(VMMTraceWriter *writer) {
    size_t count = writer->used;
    writer->used = 0;
    return writer_to_file(writer, writer->buffer, count);
}

/* What a format writes while it is opened stays in the buffer, however long it is. */
static int writer_make_room(VMMTraceWriter *writer, size_t count) {
    if (count <= writer->room - writer->used) {
        return VMM_OK;
    }
    if (writer->opened) {
        return writer_send(writer);
    }
    size_t room = writer->used + count;
    char *buffer = memory_grow(&memory_default, writer->buffer, writer->room, room, 1);
    if (buffer == NULL) {
        return error_no_memory(&writer->error, room, "writing the trace");
    }
    writer->buffer = buffer;
    writer->room = room;
    return VMM_OK;
}

int writer_put(VMMTraceWriter *writer, const void *bytes, size_t count) {
    int code = writer_make_room(writer, count);
    if (code != VMM_OK) {
        return code;
    }
    if (count > writer->room - writer->used) {
        return writer_to_file(writer, bytes, count);
    }
    if (count > 0) {
        memcpy(writer->buffer + writer->used, bytes, count);
        writer->used += count;
    }
    return VMM_OK;
}

char *writer_room(VMMTraceWriter *writer, size_t count) {
    return writer_make_room(writer, count) == VMM_OK ? writer->buffer + writer->used : NULL;
}

void writer_advance(VMMTraceWriter *writer, size_t count) {
    writer->used += count;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int writer_take_options(VMMTraceWriter *writer, const VMMTraceWriterOptions *given) {
    VMMTraceWriterOptions *options = &writer->options;
    if (given != NULL) {
        if (given->struct_size == 0) {
            return error_set(
                &writer->error, VMM_E_USAGE,
                "VMMTraceWriterOptions.struct_size is 0, expected sizeof(VMMTraceWriterOptions)");
        }
        memcpy(options, given,
               given->struct_size < sizeof *options ? given->struct_size : sizeof *options);
    }
    options->struct_size = sizeof *options;
    if (options->format == NULL) {
        options->format = "vmt";
    }
    if (options->page_size == 0) {
        options->page_size = WRITER_DEFAULT_PAGE_SIZE;
    }
    if ((options->page_size & (options->page_size - 1)) != 0) {
        return error_set(&writer->error, VMM_E_USAGE,
                         "found %llu as page size of the trace to write, expected a power of two",
                         (unsigned long long)options->page_size);
    }
    writer->page_shift = (unsigned)__builtin_ctzll(options->page_size);
    writer->format = writer_find_format(options->format);
    return writer->format != NULL ? VMM_OK : writer_unknown_format(options->format, &writer->error);
}

/* The strings belong to the caller and are gone after open(). */
static void writer_forget_strings(VMMTraceWriter *writer) {
    VMMTraceWriterOptions *options = &writer->options;
    options->format = options->codec = NULL;
    options->command = options->host = options->recorder = options->note = NULL;
}

static int writer_start(VMMTraceWriter *writer, const VMMTraceWriterOptions *options) {
    int code = writer_take_options(writer, options);
    if (code != VMM_OK) {
        return code;
    }
    writer->room = WRITER_BUFFER_BYTES;
    writer->buffer = memory_zalloc(&memory_default, writer->room, 1);
    writer->state = memory_zalloc(&memory_default, 1, writer->format->state_bytes);
    if (writer->buffer == NULL || writer->state == NULL) {
        return error_no_memory(&writer->error, WRITER_BUFFER_BYTES + writer->format->state_bytes,
                               "writing the trace");
    }
    code = writer->format->open != NULL ? writer->format->open(writer) : VMM_OK;
    writer->opened = true;
    return code;
}

int vmm_trace_writer_open(int fd, const VMMTraceWriterOptions *options, VMMTraceWriter **writer,
                          char *error) {
    Error failure = {.code = VMM_OK};
    if (writer == NULL || fd < 0) {
        int code = error_set(&failure, VMM_E_USAGE,
                             "vmm_trace_writer_open: writer is NULL or fd is not open");
        error_publish(&failure, error);
        return code;
    }
    *writer = NULL;
    VMMTraceWriter *fresh = memory_zalloc(&memory_default, 1, sizeof *fresh);
    if (fresh == NULL) {
        int code = error_no_memory(&failure, sizeof *fresh, "writing the trace");
        error_publish(&failure, error);
        return code;
    }
    fresh->fd = fd;
    int code = writer_start(fresh, options);
    if (code != VMM_OK) {
        error_publish(&fresh->error, error);
        vmm_trace_writer_close(fresh);
        return code;
    }
    writer_forget_strings(fresh);
    *writer = fresh;
    return VMM_OK;
}

void vmm_trace_writer_close(VMMTraceWriter *writer) {
    if (writer == NULL) {
        return;
    }
    if (writer->state != NULL && writer->format->close != NULL) {
        writer->format->close(writer);
    }
    if (writer->state != NULL) {
        memory_free(&memory_default, writer->state, 1, writer->format->state_bytes);
    }
    memory_free(&memory_default, writer->buffer, writer->room, 1);
    memory_free(&memory_default, writer, 1, sizeof *writer);
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Whether anything can still be written; else the code. */
static int writer_ready(VMMTraceWriter *writer) {
    if (writer == NULL) {
        return VMM_E_USAGE;
    }
    if (writer->error.code == VMM_OK && writer->finished) {
        return error_set(&writer->error, VMM_E_USAGE, "the trace is already finished");
    }
    return writer->error.code;
}

int writer_cannot_hold(VMMTraceWriter *writer, const VMMRef *ref, const char *why) {
    return error_set(&writer->error, VMM_E_UNSUPPORTED,
                     "the format %s cannot hold a reference of process %u to %u bytes at 0x%llx: "
                     "%s; use another format, vmt holds all",
                     writer->format->name, ref->pid, ref->size, (unsigned long long)ref->addr, why);
}

int writer_meet_process(VMMTraceWriter *writer, const VMMRef *ref) {
    if (writer->has_process && ref->pid != writer->process) {
        return writer_cannot_hold(writer, ref,
                                  "it has no processes, and other references were of another one");
    }
    writer->lost[WRITER_LOST_THREADS] += writer->has_process;
    writer->has_process = true;
    writer->process = ref->pid;
    writer->thread = ref->tid;
    return VMM_OK;
}

VMM_COLD int writer_bad_op(VMMTraceWriter *writer, unsigned op) {
    return error_set(&writer->error, VMM_E_USAGE,
                     "found %u as op of reference %llu, expected a VMMOp, 0 to 2", op,
                     (unsigned long long)writer->info.references + 1);
}

/* A stretch that the format takes as it is. */
static int writer_stretch(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    if (count == 0) {
        return VMM_OK;
    }
    uint64_t dropped = writer->info.dropped_references;
    int code = writer->format->refs(writer, refs, count);
    dropped = writer->info.dropped_references - dropped;
    writer->info.references += code == VMM_OK ? count - dropped : 0;
    return code;
}

/* Gives stretches to the format, without what it cannot hold. */
int vmm_trace_write(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    int code = writer_ready(writer);
    size_t from = 0;
    for (size_t i = 0; i < count && code == VMM_OK; i++) {
        if (VMM_UNLIKELY(refs[i].op >= VMM_OP_COUNT)) {
            code = writer_bad_op(writer, refs[i].op);
        } else if (VMM_UNLIKELY(refs[i].size == 0)) {
            VMMRef one = refs[i];
            one.size = 1;
            code = writer_stretch(writer, refs + from, i - from);
            code = code == VMM_OK ? vmm_trace_write(writer, &one, 1) : code;
            from = i + 1;
        } else if ((refs[i].flags & VMM_REF_KERNEL) != 0) {
            if (writer->format->holds_kernel) {
                writer->info.kernel_references++;
                continue;
            }
            writer->info.dropped_references++;
            code = writer_stretch(writer, refs + from, i - from);
            from = i + 1;
        }
    }
    return code == VMM_OK ? writer_stretch(writer, refs + from, count - from) : code;
}

int vmm_trace_write_packed(VMMTraceWriter *writer, uint32_t pid, uint32_t tid,
                           const VMMPackedRef *refs, size_t count) {
    int code = writer_ready(writer);
    if (code == VMM_OK && writer->format->packed != NULL) {
        return count > 0 ? writer->format->packed(writer, pid, tid, refs, count) : VMM_OK;
    }
    VMMRef unpacked[WRITER_UNPACKED];
    for (size_t at = 0; at < count && code == VMM_OK;) {
        size_t some = count - at < WRITER_UNPACKED ? count - at : WRITER_UNPACKED;
        for (size_t i = 0; i < some; i++) {
            writer_unpack(&unpacked[i], refs[at + i], pid, tid);
        }
        code = vmm_trace_write(writer, unpacked, some);
        at += some;
    }
    return code;
}

int vmm_trace_write_event(VMMTraceWriter *writer, const VMMEvent *event) {
    int code = writer_ready(writer);
    if (code != VMM_OK) {
        return code;
    }
    if (event == NULL || event->struct_size == 0) {
        return error_set(&writer->error, VMM_E_USAGE,
                         "vmm_trace_write_event: event is NULL or its struct_size is 0");
    }
    if (writer->format->event == NULL) {
        writer->info.dropped_events++;
        return VMM_OK;
    }
    VMMEvent whole = {.struct_size = sizeof whole};
    memcpy(&whole, event, event->struct_size < sizeof whole ? event->struct_size : sizeof whole);
    whole.struct_size = sizeof whole;
    code = writer->format->event(writer, &whole);
    writer->info.events += code == VMM_OK;
    return code;
}

uint32_t vmm_trace_write_file(VMMTraceWriter *writer, const VMMTraceFile *file) {
    if (writer_ready(writer) != VMM_OK || file == NULL || writer->format->file == NULL) {
        return 0;
    }
    return writer->format->file(writer, file);
}

int vmm_trace_write_time(VMMTraceWriter *writer, uint64_t time_ns) {
    int code = writer_ready(writer);
    return code == VMM_OK && writer->format->time != NULL ? writer->format->time(writer, time_ns)
                                                          : code;
}

int vmm_trace_writer_flush(VMMTraceWriter *writer) {
    int code = writer_ready(writer);
    if (code == VMM_OK && writer->format->flush != NULL) {
        code = writer->format->flush(writer);
    }
    return code == VMM_OK ? writer_send(writer) : code;
}

/* After a failed write what the file holds is made whole, if the format can; the failure stays. */
int vmm_trace_writer_finish(VMMTraceWriter *writer) {
    if (writer == NULL) {
        return VMM_E_USAGE;
    }
    int code = writer->error.code;
    if (writer->finished) {
        return code;
    }
    if (code == VMM_OK && writer->format->finish != NULL) {
        code = writer->format->finish(writer);
    }
    if (code == VMM_OK) {
        code = writer_send(writer);
    }
    writer->finished = true;
    if (code == VMM_E_WRITE && writer->format->rescue != NULL) {
        Error first = writer->error;
        writer->format->rescue(writer);
        writer->error = first;
    }
    return code;
}

/* ---- The rest ------------------------------------------------------------------------------- */

void vmm_trace_writer_info(const VMMTraceWriter *writer, VMMTraceWriterInfo *info) {
    VMMTraceWriterInfo full = writer->info;
    uint32_t size = info->struct_size;
    if (size == 0 || size > sizeof full) {
        size = sizeof full;
    }
    full.struct_size = size;
    memcpy(info, &full, size);
}

static const char *const writer_loss_texts[WRITER_LOSS_COUNT] = {
    [WRITER_LOST_SIZES] = "sizes: %llu references are longer than a byte",
    [WRITER_LOST_CROSSINGS] = "second pages: %llu references reach into another page",
    [WRITER_LOST_KINDS] = "kinds: %llu references are writes or fetches and pass for reads",
    [WRITER_LOST_KERNEL_MARKS] = "the kernel: %llu of its touches pass for the program's own",
    [WRITER_LOST_THREADS] = "threads: they change %llu times",
    [WRITER_ADDED_FETCHES] = "instructions: %llu are repeated for the references that follow them",
};

const char *vmm_trace_writer_loss_text(VMMTraceWriter *writer, size_t index) {
    for (size_t i = 0; writer != NULL && i < WRITER_LOSS_COUNT; i++) {
        if (writer->lost[i] != 0 && index-- == 0) {
            snprintf(writer->loss_text, sizeof writer->loss_text, writer_loss_texts[i],
                     (unsigned long long)writer->lost[i]);
            return writer->loss_text;
        }
    }
    return NULL;
}

const char *vmm_trace_writer_error_text(const VMMTraceWriter *writer) {
    return writer != NULL ? writer->error.text : "the writer is NULL";
}
