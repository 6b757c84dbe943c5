/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a trace of lines. */
#include "trace_events.h"

int trace_events_take(TraceEvents *events, const TraceFormat *format, const TraceLine *line,
                      Error *error) {
    TraceEvent told;
    format->event(line, &told);
    if (told.mappings_complete) {
        events->mappings_complete = true;
        return VMM_OK;
    }
    if (told.file.path != NULL) {
        told.event.file = vmt_files_number(&events->files, &told.file);
        if (told.event.file == 0) {
            return error_no_memory(error, sizeof told, "the files that events name");
        }
    }
    events->count++;
    if (events->handler != NULL && !events->muted) {
        events->handler(events->user, &told.event);
    }
    return VMM_OK;
}

void trace_events_rewind(TraceEvents *events) {
    events->wait = false;
    events->count = 0;
}

void trace_events_free(TraceEvents *events) {
    vmt_files_free(&events->files);
}
