/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces: streams of memory references from files, pipes and generators.
 *
 * A trace is read in batches and in constant memory, whatever its length. Compressed input
 * (gzip, xz, zstd, bzip2, zip, as far as the build has the libraries) is recognised by its first
 * bytes and unpacked on the way. A VMMTrace belongs to one thread at a time.
 */
#ifndef VMM_TRACE_H
#define VMM_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "event.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VMMTrace VMMTrace;

/* How to read. Zeroed memory with struct_size set means all defaults. */
typedef struct VMMTraceOptions {
    uint32_t struct_size;
    uint32_t skip_bad_records; /* 1: go on past bad records and damage, and count them */
    uint64_t page_size;        /* bytes; what one number of a page list stands for; 0: 4096 */
    const char *format;        /* a format's name, some with parameters ("csv:addr=1,op=2"); NULL
                                  or "auto": find out from the content */
    uint32_t threads;          /* that decode .vmt blocks ahead; 0: none, the caller's decodes */
    uint32_t check; /* 1: what a .vmt says twice is compared, too: its index and its trailer
                       with its blocks; a contradiction is a bad record */
} VMMTraceOptions;

/* What is known of a trace; valid at any time, final once vmm_trace_read() has returned 0. */
typedef struct VMMTraceInfo {
    uint32_t struct_size;
    uint32_t marks_writes;      /* 1: the format tells reads from writes */
    const char *path;           /* as given to open; "-" for standard input */
    const char *format;         /* "native", "lackey", ... */
    const char *compression;    /* "none", "gzip", "xz", "zstd", "bzip2", "zip" */
    uint64_t bytes_read;        /* of the file, compressed if it is */
    uint64_t bytes_total;       /* of the file; 0 if not known (a pipe) */
    uint64_t references;        /* delivered */
    uint64_t bad_records;       /* left out with skip_bad_records */
    uint64_t ignored_records;   /* records that are no references (din labels 3 to 5; in a lackey
                                   log, output of the watched program) */
    uint64_t damaged_bytes;     /* of the file, from the damage that ended reading, at least 1 */
    uint64_t fingerprint;       /* of all references delivered, in order; independent of format
                                   and compression. Of a .vmt in page runs: of its blocks */
    uint64_t kernel_references; /* delivered with VMM_REF_KERNEL; part of `references` */
    uint64_t events;            /* passed so far */
    uint64_t page_size;         /* bytes: addresses are known by the page only, the first byte of
                                   it stands for all; 0: addresses are exact */
    uint64_t reduction;         /* k of a trace reduced by SAD: exact for LRU memories of at least
                                   k frames only; 0: not reduced */
    uint32_t mappings_complete; /* 1: an address outside the mappings told by events is invalid */
    uint32_t reserved;
    uint64_t time_ns; /* CLOCK_MONOTONIC of what was delivered last, as near as the trace knows it:
                         when its block began; 0: not known */
    uint64_t lost_references; /* at least so many are missing, by the trace's own account: its
                                 "lost" events, and blocks that were damaged */
    uint64_t pauses; /* events so far that say that recording paused: what followed up to the next
                        "resume" is missing */
} VMMTraceInfo;

/*
 * What a .vmt says of itself. Strings are never NULL; "" is not known. Valid as long as the trace.
 */
typedef struct VMMTraceHeader {
    uint32_t struct_size;
    uint32_t version;     /* of the format */
    const char *codec;    /* "runs": page runs; "full": full addresses */
    const char *command;  /* the command line that was recorded, quoted for a shell */
    const char *host;     /* machine, kernel */
    const char *recorder; /* program and version that recorded it */
    const char *note;     /* what to know of it: layout, serialised threads, reduction */
    uint8_t uuid[16];
    uint64_t start_time_ns;       /* since 1970-01-01 UTC */
    uint64_t page_size;           /* bytes, of the machine it was recorded on */
    uint64_t total_references;    /* of the whole trace, from its trailer, if it is complete */
    uint64_t original_references; /* before a reduction; else 0 */
    uint32_t complete;            /* 1: its trailer was seen; 0: it was cut off, or is a pipe */
    uint32_t reserved;
} VMMTraceHeader;

/* NULL: the trace is no .vmt. */
VMM_API const VMMTraceHeader *vmm_trace_header(const VMMTrace *trace);

/* The file with this number, from 1, as far as it was met; else NULL. */
VMM_API const VMMTraceFile *vmm_trace_file(const VMMTrace *trace, uint32_t number);

/*
 * Is called by vmm_trace_read() for each event of the trace, at its exact place: all references
 * before it have been delivered by earlier calls, and all after it come later. The event is valid
 * during the call.
 */
typedef void VMMTraceEventHandler(void *user, const VMMEvent *event);

/* NULL: events are passed over, and counted. */
VMM_API void vmm_trace_on_event(VMMTrace *trace, VMMTraceEventHandler *handler, void *user);

/*
 * Opens a trace. path "-" is standard input. On success *trace is to be closed by the caller; on
 * failure *trace is NULL and `error` (may be NULL; VMM_ERROR_TEXT_BYTES) holds the sentence.
 * VMM_E_OPEN, VMM_E_READ, VMM_E_EMPTY, VMM_E_UNKNOWN_FORMAT, VMM_E_UNSUPPORTED, VMM_E_USAGE,
 * VMM_E_DAMAGED, VMM_E_NO_MEMORY.
 */
VMM_API int vmm_trace_open(const char *path, const VMMTraceOptions *options, VMMTrace **trace,
                           char *error);

/*
 * Reads up to `capacity` references. Returns how many (0 at the end of the trace) or a negative
 * VMMError; vmm_trace_error_text() then has the sentence with file and line. References read
 * before a bad record are delivered first; the error comes with the next call. VMM_E_STOPPED: a
 * signal whose handler was installed without SA_RESTART came while input was waited for.
 */
VMM_API long vmm_trace_read(VMMTrace *trace, VMMRef *refs, size_t capacity);

/*
 * Back to the first reference. A file is read again. Input that cannot be repeated (a pipe) can
 * be rewound only if vmm_trace_keep() was called before the first read, which copies what is
 * read to an unnamed temporary file in $TMPDIR.
 */
VMM_API int vmm_trace_keep(VMMTrace *trace);
VMM_API int vmm_trace_rewind(VMMTrace *trace);

/*
 * Goes to a reference of the trace, counted from 0: it is the next to be read, and info.references
 * says how many are before it. A .vmt file finds the place through its index, anything else is read
 * on to it (and rewound if it lies behind). Past the end there is nothing more to read. Events
 * that are passed over are not told, those right before the reference are told by the next read;
 * files are known; the fingerprint means nothing afterwards.
 * VMM_OK or what vmm_trace_read() and vmm_trace_rewind() return.
 */
VMM_API int vmm_trace_seek(VMMTrace *trace, uint64_t reference);

VMM_API void vmm_trace_info(const VMMTrace *trace, VMMTraceInfo *info);
VMM_API const char *vmm_trace_error_text(const VMMTrace *trace);

/*
 * The sentences about the first bad records that skip_bad_records left out (VMM_TRACE_BAD_TEXTS
 * at most), each with file, line, what was found and what was expected. NULL past the last one
 * kept. Valid until the next call with this trace.
 */
#define VMM_TRACE_BAD_TEXTS 5
VMM_API const char *vmm_trace_bad_record_text(const VMMTrace *trace, size_t index);

/* Accepts NULL. */
VMM_API void vmm_trace_close(VMMTrace *trace);

/* The formats that can be read: name and one line of description; NULL past the last. */
VMM_API const char *vmm_trace_format_name(size_t index);
VMM_API const char *vmm_trace_format_help(size_t index);

#ifdef __cplusplus
}
#endif

#endif
