/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .vmt. A VMMTrace whose input begins with the magic number has one of these and hands
 * everything to it; source, error sentence and path stay the trace's.
 */
#ifndef VMM_TRACE_VMT_READ_H
#define VMM_TRACE_VMT_READ_H

#include "../../include/vmm/runs.h"
#include "source.h"
#include "vmt_format.h"

typedef struct VmtReader VmtReader;

/* What a reader is opened with. */
typedef struct VmtReaderSetup {
    TraceSource *source;
    Error *error;      /* gets the sentence of every failure */
    const void *bytes; /* that were already read from the source */
    size_t count;
    bool skip_bad;
    bool check; /* compare what the file says twice */
    unsigned threads;
} VmtReaderSetup;

/* Do these bytes begin a .vmt? */
bool vmt_matches(const void *bytes, size_t count);

/* VMM_OK, VMM_E_UNSUPPORTED, VMM_E_DAMAGED, VMM_E_NO_MEMORY. */
int vmt_reader_open(const VmtReaderSetup *setup, VmtReader **reader);
void vmt_reader_close(VmtReader *reader);

/* As vmm_trace_read() and vmm_trace_next_runs(). */
long vmt_reader_read(VmtReader *reader, VMMRef *refs, size_t capacity);
int vmt_reader_next_runs(VmtReader *reader, const VMMRuns **runs);

/* The source stands at its beginning again. */
int vmt_reader_rewind(VmtReader *reader);

/* Whether it has an index that can be used. */
bool vmt_reader_can_seek(VmtReader *reader);

/* As vmm_trace_seek(), as far as the index helps; the rest is to be read on. */
int vmt_reader_seek(VmtReader *reader, uint64_t reference);

/* Events are passed over in silence, or told again. */
void vmt_reader_mute(VmtReader *reader, bool mute);

void vmt_reader_on_event(VmtReader *reader, VMMTraceEventHandler *handler, void *user);
bool vmt_reader_has_runs(const VmtReader *reader);
const VMMTraceHeader *vmt_reader_header(const VmtReader *reader);
const VMMTraceFile *vmt_reader_file(const VmtReader *reader, uint32_t number);

/* Sets the fields of *info that a .vmt knows. `fingerprint` only for page runs. */
void vmt_reader_info(const VmtReader *reader, VMMTraceInfo *info);

/* The sentence about a damaged place passed over, NULL past the last one kept. */
const char *vmt_reader_bad_text(const VmtReader *reader, size_t index);

/* ---- Of trace.c ----------------------------------------------------------------------------- */

/* NULL: the trace is no .vmt. */
VmtReader *trace_vmt(const VMMTrace *trace);

/* The real reading begins. */
void trace_go(VMMTrace *trace);

#endif
