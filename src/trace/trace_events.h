/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a trace of lines: who is told of them, and the files that they name. */
#ifndef VMM_TRACE_EVENTS_H
#define VMM_TRACE_EVENTS_H

#include "../../include/vmm/trace.h"
#include "../base/error.h"
#include "format.h"
#include "vmt_events.h"

/* Zeroed: nobody is told. */
typedef struct TraceEvents {
    VMMTraceEventHandler *handler;
    void *user;
    bool muted; /* events are passed over in silence */
    bool wait;  /* the next line tells one */
    TraceTraits traits;
    uint64_t count, pauses;
    uint64_t lost; /* references */
    VmtFiles files;
} TraceEvents;

/* Of one of the first lines. */
void trace_events_add_traits(TraceEvents *events, const TraceTraits *traits);

/*
 * The line tells what line() of the format said is an event. VMM_OK, VMM_E_NO_MEMORY;
 * VMM_E_BAD_RECORD: a trait that comes too late.
 */
int trace_events_take(TraceEvents *events, const TraceFormat *format, const TraceLine *line,
                      Error *error);

/* A pass begins anew; handler and files stay. */
void trace_events_rewind(TraceEvents *events);
void trace_events_free(TraceEvents *events);

/* Those of a trace that is no .vmt (trace.c). */
TraceEvents *trace_events(VMMTrace *trace);
const VmtFiles *trace_files(const VMMTrace *trace);

#endif
