/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a trace of lines. */
#include "trace_events.h"

#include "vmt_format.h"

void trace_events_add_traits(TraceEvents *events, const TraceTraits *traits) {
    TraceTraits *known = &events->traits;
    known->mappings_complete |= traits->mappings_complete;
    known->page_size = traits->page_size != 0 ? traits->page_size : known->page_size;
    known->reduction = traits->reduction != 0 ? traits->reduction : known->reduction;
}

/* The first lines come again here. What comes later says nothing of what stands before it. */
static int trace_events_check(const TraceEvents *events, const TraceTraits *traits, Error *error) {
    const TraceTraits *known = &events->traits;
    bool old = (!traits->mappings_complete || known->mappings_complete) &&
               (traits->page_size == 0 || traits->page_size == known->page_size) &&
               (traits->reduction == 0 || traits->reduction == known->reduction);
    return old ? VMM_OK
               : error_set(error, VMM_E_BAD_RECORD,
                           "found a line about the whole trace (mappings, page-size, reduced) "
                           "behind others, expected it before all references and events");
}

int trace_events_take(TraceEvents *events, const TraceFormat *format, const TraceLine *line,
                      Error *error) {
    TraceEvent told;
    format->event(line, &told);
    if (told.is_trait) {
        return trace_events_check(events, &told.traits, error);
    }
    if (told.file.path != NULL) {
        told.event.file = vmt_files_number(&events->files, &told.file);
        if (told.event.file == 0) {
            return error_no_memory(error, sizeof told, "the files that events name");
        }
    }
    events->count++;
    events->pauses += told.event.type == VMM_EVENT_PAUSE;
    if (told.event.type == VMM_EVENT_LOST) {
        events->lost = vmt_add_saturated(events->lost, told.event.value);
    }
    if (events->handler != NULL && !events->muted) {
        events->handler(events->user, &told.event);
    }
    return VMM_OK;
}

void trace_events_rewind(TraceEvents *events) {
    events->wait = false;
    events->count = events->pauses = events->lost = 0;
}

void trace_events_free(TraceEvents *events) {
    vmt_files_free(&events->files);
}
