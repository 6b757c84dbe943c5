/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the native text format: "pid[/tid] op 0xaddress size", one reference a line, and
 * "@ type pid field=value ..." for each event. native.c says what a line may hold.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"
#include "format.h"
#include "vmt_events.h"
#include "writer.h"

/* The longest line: pid, tid, op, address and size with what separates them and the '\n'. */
enum { NATIVE_LINE_BYTES = 10 + 1 + 10 + 1 + 2 + 1 + 2 + 16 + 1 + 10 + 1 };

/* The files that events name. */
typedef struct NativeState {
    VmtFiles files;
} NativeState;

/* What is to be known of the whole trace. */
static int native_open(VMMTraceWriter *writer) {
    const VMMTraceWriterOptions *options = &writer->options;
    char lines[128] = "";
    size_t used = 0;
    if (options->mappings_complete) {
        used += (size_t)snprintf(lines, sizeof lines, "@ mappings complete\n");
    }
    if (options->known_page_size != 0) {
        used += (size_t)snprintf(lines + used, sizeof lines - used, "@ page-size %" PRIu64 "\n",
                                 options->known_page_size);
    }
    if (options->reduction != 0) {
        used += (size_t)snprintf(lines + used, sizeof lines - used, "@ reduced %" PRIu64 "\n",
                                 options->reduction);
    }
    return writer_put(writer, lines, used);
}

static int native_refs(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *line = writer_room(writer, NATIVE_LINE_BYTES);
        if (line == NULL) {
            return writer->error.code;
        }
        char *at = digits_decimal(line, refs[i].pid);
        if (refs[i].tid != 0) {
            *at++ = '/';
            at = digits_decimal(at, refs[i].tid);
        }
        *at++ = ' ';
        if ((refs[i].flags & VMM_REF_KERNEL) != 0) {
            *at++ = 'K';
        }
        *at++ = "RWI"[refs[i].op];
        *at++ = ' ';
        *at++ = '0';
        *at++ = 'x';
        at = digits_hex(at, refs[i].addr);
        *at++ = ' ';
        at = digits_decimal(at, refs[i].size);
        *at++ = '\n';
        writer_advance(writer, (size_t)(at - line));
    }
    return VMM_OK;
}

/* A path may be longer than what a line holds; an event without its path would be another one. */
static int native_event(VMMTraceWriter *writer, const VMMEvent *event) {
    NativeState *state = writer->state;
    bool known = event->file != 0 && event->file <= state->files.count;
    char *line = writer_room(writer, TRACE_LINE_BYTES + 1);
    if (line == NULL) {
        return writer->error.code;
    }
    memcpy(line, "@ ", 2);
    int length = vmm_event_text(event, known ? state->files.files[event->file - 1] : NULL, line + 2,
                                TRACE_LINE_BYTES - 1);
    if (length > TRACE_LINE_BYTES - 2 || vmm_event_name(event->type) == NULL) {
        writer->info.dropped_events++;
        return VMM_OK;
    }
    line[2 + length] = '\n';
    writer_advance(writer, (size_t)length + 3);
    return VMM_OK;
}

static uint32_t native_file(VMMTraceWriter *writer, const VMMTraceFile *file) {
    NativeState *state = writer->state;
    return vmt_files_number(&state->files, file);
}

static void native_close(VMMTraceWriter *writer) {
    NativeState *state = writer->state;
    vmt_files_free(&state->files);
}

static const TraceExport native_export = {
    .name = "native",
    .help = "text, \"pid[/tid] op 0xaddress size\" a line, and a line for each event",
    .holds_kernel = true,
    .state_bytes = sizeof(NativeState),
    .open = native_open,
    .refs = native_refs,
    .event = native_event,
    .file = native_file,
    .close = native_close,
};
