/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trace can do only if it is a .vmt, or does in another way then: runs, events, files, its
 * header, seeking.
 */
#include "../base/compiler.h"
#include "trace_events.h"
#include "vmt_read.h"

bool vmm_trace_has_runs(const VMMTrace *trace) {
    const VmtReader *reader = trace != NULL ? trace_vmt(trace) : NULL;
    return reader != NULL && vmt_reader_has_runs(reader);
}

int vmm_trace_next_runs(VMMTrace *trace, const VMMRuns **runs) {
    if (!vmm_trace_has_runs(trace)) {
        return VMM_E_USAGE;
    }
    trace_go(trace);
    return vmt_reader_next_runs(trace_vmt(trace), runs);
}

const VMMTraceHeader *vmm_trace_header(const VMMTrace *trace) {
    const VmtReader *reader = trace != NULL ? trace_vmt(trace) : NULL;
    return reader != NULL ? vmt_reader_header(reader) : NULL;
}

const VMMTraceFile *vmm_trace_file(const VMMTrace *trace, uint32_t number) {
    const VmtReader *reader = trace != NULL ? trace_vmt(trace) : NULL;
    if (trace == NULL || reader != NULL) {
        return reader != NULL ? vmt_reader_file(reader, number) : NULL;
    }
    const VmtFiles *files = trace_files(trace);
    return number >= 1 && number <= files->count ? files->files[number - 1] : NULL;
}

void vmm_trace_on_event(VMMTrace *trace, VMMTraceEventHandler *handler, void *user) {
    VmtReader *reader = trace != NULL ? trace_vmt(trace) : NULL;
    if (reader != NULL) {
        vmt_reader_on_event(reader, handler, user);
    } else if (trace != NULL) {
        trace_events(trace)->handler = handler;
        trace_events(trace)->user = user;
    }
}

/* Events are passed over in silence, or told again. */
static void trace_mute(VMMTrace *trace, bool mute) {
    VmtReader *reader = trace_vmt(trace);
    if (reader != NULL) {
        vmt_reader_mute(reader, mute);
    } else {
        trace_events(trace)->muted = mute;
    }
}

static uint64_t trace_position(const VMMTrace *trace) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    return info.references;
}

/* Reads on, and hands out nothing. */
static int trace_read_on(VMMTrace *trace, uint64_t references) {
    VMMRef passed[256];
    while (references > 0) {
        size_t some = references < VMM_COUNT_OF(passed) ? (size_t)references : VMM_COUNT_OF(passed);
        long count = vmm_trace_read(trace, passed, some);
        if (count <= 0) {
            return (int)count;
        }
        references -= (uint64_t)count;
    }
    return VMM_OK;
}

int vmm_trace_seek(VMMTrace *trace, uint64_t reference) {
    if (trace == NULL) {
        return VMM_E_USAGE;
    }
    VmtReader *reader = trace_vmt(trace);
    int code = VMM_OK;
    if (reader != NULL && vmt_reader_can_seek(reader)) {
        trace_go(trace);
        code = vmt_reader_seek(reader, reference);
    } else if (reference < trace_position(trace)) {
        code = vmm_trace_rewind(trace);
    }
    if (code != VMM_OK) {
        return code;
    }
    uint64_t position = trace_position(trace);
    trace_mute(trace, true);
    code = reference > position ? trace_read_on(trace, reference - position) : VMM_OK;
    trace_mute(trace, false);
    return code;
}
