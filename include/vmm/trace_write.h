/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing traces: .vmt, and the formats of other programs.
 *
 * A writer takes references and events in order and writes one file. Memory is bounded, whatever
 * the length. A VMMTraceWriter belongs to one thread at a time.
 */
#ifndef VMM_TRACE_WRITE_H
#define VMM_TRACE_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "event.h"
#include "trace.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VMMTraceWriter VMMTraceWriter;

/* Zeroed memory with struct_size set means all defaults. Strings are copied. */
typedef struct VMMTraceWriterOptions {
    uint32_t struct_size;
    uint32_t mappings_complete; /* .vmt, native: all mappings are told by events */
    const char *format;         /* NULL: "vmt" */
    const char *codec;          /* .vmt: "runs" (NULL) or "full" */
    uint64_t page_size;         /* bytes of a page run, or of a page number; 0: 4096 */
    int32_t level;              /* .vmt: of zstd; 0: the default */
    uint32_t threads; /* .vmt: that compress behind the caller's; 0: none, the caller's does */
    const char *command, *host, *recorder, *note; /* .vmt: see VMMTraceHeader; NULL: "" */
    uint64_t start_time_ns;                       /* .vmt; 0: now */
    uint64_t reduction;                           /* .vmt, native: see VMMTraceInfo */
    uint64_t original_references;                 /* .vmt: see VMMTraceHeader */
    uint64_t
        known_page_size; /* native: see page_size of VMMTraceInfo; of a .vmt its codec says it */
} VMMTraceWriterOptions;

/*
 * Opens a writer on a file descriptor, which stays the caller's and is written from where it stands
 * to its end; nothing goes to it before the first reference, event or flush. On failure *writer is
 * NULL and `error` (may be NULL; VMM_ERROR_TEXT_BYTES) holds the sentence. VMM_E_USAGE,
 * VMM_E_UNSUPPORTED, VMM_E_NO_MEMORY.
 */
VMM_API int vmm_trace_writer_open(int fd, const VMMTraceWriterOptions *options,
                                  VMMTraceWriter **writer, char *error);

/*
 * Adds references. VMM_OK; VMM_E_UNSUPPORTED: the format cannot hold one of them (the sentence says
 * which and why); VMM_E_WRITE: what was completely written before stays readable.
 */
VMM_API int vmm_trace_write(VMMTraceWriter *writer, const VMMRef *refs, size_t count);

/* The same for packed references of one thread; what recorders use. */
VMM_API int vmm_trace_write_packed(VMMTraceWriter *writer, uint32_t pid, uint32_t tid,
                                   const VMMPackedRef *refs, size_t count);

/*
 * Adds an event behind all references so far. Formats without events count it as dropped (see
 * vmm_trace_writer_info()).
 */
VMM_API int vmm_trace_write_event(VMMTraceWriter *writer, const VMMEvent *event);

/* The number of a file for VMMEvent.file; the same for the same file. 0: no memory. */
VMM_API uint32_t vmm_trace_write_file(VMMTraceWriter *writer, const VMMTraceFile *file);

/*
 * What comes next was recorded at this time, of CLOCK_MONOTONIC; an event with a time says so too.
 * Formats without times pass it over.
 */
VMM_API int vmm_trace_write_time(VMMTraceWriter *writer, uint64_t time_ns);

/*
 * Ends the current block, so that what comes next begins one of its own (an order to keep), and
 * writes all so far to the file.
 */
VMM_API int vmm_trace_writer_flush(VMMTraceWriter *writer);

typedef struct VMMTraceWriterInfo {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t references; /* taken, those of the kernel included */
    uint64_t kernel_references;
    uint64_t events;
    uint64_t dropped_events;     /* the format cannot hold */
    uint64_t dropped_references; /* the format cannot hold: kernel's in formats without them */
    uint64_t bytes;              /* written */
    uint64_t blocks;
    uint64_t pages; /* .vmt in page runs: different pages of processes, up to 4 Mi; else 0 */
} VMMTraceWriterInfo;

VMM_API void vmm_trace_writer_info(const VMMTraceWriter *writer, VMMTraceWriterInfo *info);
VMM_API const char *vmm_trace_writer_error_text(const VMMTraceWriter *writer);

/*
 * What the format did not keep of the references it took, each with its count: "sizes: 412
 * references are longer than a byte". NULL past the last. Valid until the next call with this
 * writer. What was dropped as a whole is in the info.
 */
VMM_API const char *vmm_trace_writer_loss_text(VMMTraceWriter *writer, size_t index);

/*
 * Writes what is left (of a .vmt: the last block and the index). VMM_OK or VMM_E_WRITE. The writer
 * stays, for its info and error text; close() frees it and accepts NULL.
 */
VMM_API int vmm_trace_writer_finish(VMMTraceWriter *writer);
VMM_API void vmm_trace_writer_close(VMMTraceWriter *writer);

/* The formats that can be written: name and one line of description; NULL past the last. */
VMM_API const char *vmm_trace_writer_format_name(size_t index);
VMM_API const char *vmm_trace_writer_format_help(size_t index);

#ifdef __cplusplus
}
#endif

#endif
