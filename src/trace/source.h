/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a trace: a file or standard input, unpacked on the way if it is compressed, and
 * readable a second time.
 *
 *     file, pipe ──► fetch ──► raw buffer ──► codec ──► caller's buffer
 *                      │  ▲
 *                      ▼  │ second pass         uncompressed input goes from fetch straight to
 *                     copy                      the caller's buffer
 *
 * What can be seeked is read again from where it began. What cannot (a pipe) is copied as it
 * comes, packed as it is, to an unnamed temporary file once trace_source_keep() was called; a
 * second pass reads that copy first and then goes on with the pipe. Because the first bytes have
 * to be looked at before anyone can call keep(), they are held in memory (`head`) until
 * trace_source_go() says that the real reading begins.
 *
 * The source owns its descriptors (but not standard input), its buffers and the codec's state.
 */
#ifndef VMM_TRACE_SOURCE_H
#define VMM_TRACE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/error.h"

/*
 * Bytes that one read asks for: few enough that they are still in the processor's cache when they
 * are parsed. Tests make it tiny to have every record cut in two once.
 */
#ifndef VMM_TRACE_BUFFER
#define VMM_TRACE_BUFFER (32 * 1024)
#endif

#define SOURCE_MAGIC_BYTES 8
/* The raw buffer has to hold what recognises a codec. */
#define SOURCE_RAW_BYTES (VMM_TRACE_BUFFER < 16 ? 16 : VMM_TRACE_BUFFER)
#define SOURCE_NAME_BYTES 200

typedef struct TraceSource TraceSource;

/*
 * A way of compression. `matches` sees the first bytes of the input, SOURCE_MAGIC_BYTES if there
 * are as many. start() makes source->codec_state, stop() frees it (NULL is possible). read()
 * unpacks up to `size` bytes, taking input by source_refill(); it returns how many, 0 at the
 * end, or a negative code after setting source->error. If it has unpacked some bytes before an
 * error it returns these: the caller asks again and finds the error set.
 */
typedef struct SourceCodec {
    const char *name;
    bool (*matches)(const unsigned char *bytes, size_t count);
    int (*start)(TraceSource *source);
    long (*read)(TraceSource *source, char *buffer, size_t size);
    void (*stop)(TraceSource *source);
} SourceCodec;

struct TraceSource {
    char name[SOURCE_NAME_BYTES]; /* the path as messages show it */
    int fd;
    bool is_stdin;
    bool seekable;
    off_t start;          /* seekable: where the trace begins */
    uint64_t bytes_read;  /* of this pass */
    uint64_t bytes_total; /* 0: not known */

    unsigned char *raw; /* SOURCE_RAW_BYTES; raw_at .. raw_end are unread */
    size_t raw_at;
    size_t raw_end;
    bool raw_ended; /* no more input behind raw_end */

    unsigned char *head; /* not seekable: all input so far, until trace_source_go() */
    size_t head_bytes;
    size_t head_capacity;
    bool gone; /* trace_source_go() was called */

    int copy_fd; /* -1: nothing is kept */
    uint64_t copy_bytes;
    uint64_t copy_at; /* below copy_bytes: a second pass reads the copy */

    const SourceCodec *codec; /* NULL: not compressed */
    void *codec_state;
    Error error; /* sticky until rewound */
};

/* VMM_E_OPEN, VMM_E_READ, VMM_E_UNSUPPORTED, VMM_E_NO_MEMORY. On failure nothing is to close. */
int trace_source_open(TraceSource *source, const char *path, Error *error);

/*
 * Up to `size` bytes, unpacked: how many, 0 at the end, or a negative code (source->error).
 * VMM_E_DAMAGED: what could be unpacked was delivered before, the rest is lost.
 */
long trace_source_read(TraceSource *source, char *buffer, size_t size);

/* From now on bytes are not held in memory any more. */
void trace_source_go(TraceSource *source);

/* VMM_E_USAGE after trace_source_go(), VMM_E_WRITE. Does nothing for what can be seeked. */
int trace_source_keep(TraceSource *source, Error *error);

/* VMM_E_UNSUPPORTED if the input cannot be had again, VMM_E_READ, VMM_E_NO_MEMORY. */
int trace_source_rewind(TraceSource *source, Error *error);

/* To a byte of the input, which can be seeked and is not compressed. VMM_OK or VMM_E_READ. */
int trace_source_seek(TraceSource *source, uint64_t offset, Error *error);

/* "none", "gzip", ... */
const char *trace_source_compression(const TraceSource *source);

/* Bytes of the input that lie behind what was unpacked, as far as known. */
uint64_t trace_source_unread(const TraceSource *source);

void trace_source_close(TraceSource *source);

/* ---- For codecs ----------------------------------------------------------------------------- */

/* Makes raw_at < raw_end if there is more input: 1; at the end 0; a negative code on error. */
int source_refill(TraceSource *source);

/* Sets source->error to VMM_E_DAMAGED with the place and the reason; returns the code. */
int source_damaged(TraceSource *source, const char *reason);

/*
 * Without its library a codec recognises its files, start() says with the first function why they
 * cannot be read (VMM_E_UNSUPPORTED), and the other two never have anything to do.
 */
int source_cannot_unpack(TraceSource *source, const char *what, const char *library,
                         const char *command);
long source_read_none(TraceSource *source, char *buffer, size_t size);
void source_stop_none(TraceSource *source);

#endif
