/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the native text format: "pid[/tid] op 0xaddress size", one reference a line. Events become
 * comments at their place: people read them, readers pass over them, so they count as dropped.
 */
#include <string.h>

#include "../base/memory.h"
#include "digits.h"
#include "writer.h"

/* The longest line: pid, tid, op, address and size with what separates them and the '\n'. */
enum {
    NATIVE_LINE_BYTES = 10 + 1 + 10 + 1 + 2 + 1 + 2 + 16 + 1 + 10 + 1,
    NATIVE_EVENT_BYTES = 4096
};

/* The paths of the files that events name, by number - 1. */
typedef struct NativeState {
    char **paths;
    uint32_t count, capacity;
} NativeState;

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

static int native_event(VMMTraceWriter *writer, const VMMEvent *event) {
    const NativeState *state = writer->state;
    bool known = event->file != 0 && event->file <= state->count;
    char *line = writer_room(writer, NATIVE_EVENT_BYTES);
    if (line == NULL) {
        return writer->error.code;
    }
    line[0] = '#';
    line[1] = ' ';
    int length = vmm_event_text(event, known ? state->paths[event->file - 1] : NULL, line + 2,
                                NATIVE_EVENT_BYTES - 3);
    size_t used = length < NATIVE_EVENT_BYTES - 3 ? (size_t)length : NATIVE_EVENT_BYTES - 4;
    line[2 + used] = '\n';
    writer_advance(writer, used + 3);
    writer->info.dropped_events++;
    return VMM_OK;
}

static uint32_t native_file(VMMTraceWriter *writer, const VMMTraceFile *file) {
    NativeState *state = writer->state;
    for (uint32_t i = 0; i < state->count; i++) {
        if (strcmp(state->paths[i], file->path) == 0) {
            return i + 1;
        }
    }
    if (state->count == state->capacity) {
        uint32_t capacity = state->capacity * 2 + 16;
        char **paths =
            memory_grow(&memory_default, state->paths, state->capacity, capacity, sizeof *paths);
        if (paths == NULL) {
            return 0;
        }
        state->paths = paths;
        state->capacity = capacity;
    }
    size_t size = strlen(file->path) + 1;
    char *path = memory_zalloc(&memory_default, size, 1);
    if (path == NULL) {
        return 0;
    }
    memcpy(path, file->path, size);
    state->paths[state->count++] = path;
    return state->count;
}

static void native_close(VMMTraceWriter *writer) {
    NativeState *state = writer->state;
    for (uint32_t i = 0; i < state->count; i++) {
        memory_free(&memory_default, state->paths[i], strlen(state->paths[i]) + 1, 1);
    }
    memory_free(&memory_default, state->paths, state->capacity, sizeof *state->paths);
}

static const TraceExport native_export = {
    .name = "native",
    .help = "text, \"pid[/tid] op 0xaddress size\" a line; events become comments",
    .holds_kernel = true,
    .state_bytes = sizeof(NativeState),
    .refs = native_refs,
    .event = native_event,
    .file = native_file,
    .close = native_close,
};
