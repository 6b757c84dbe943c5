/* SPDX-License-Identifier: Apache-2.0 */
/* gzip, through zlib: any number of members one after the other, zero padding behind the last. */
#include "source.h"

static bool gzip_matches(const unsigned char *bytes, size_t count) {
    return count >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

#ifdef VMM_HAVE_ZLIB

#include <zlib.h>

#include "../base/memory.h"

typedef struct GzipState {
    z_stream stream;
    bool between; /* a member has ended and no other one has begun */
} GzipState;

static int gzip_start(TraceSource *source) {
    GzipState *state = memory_zalloc(&memory_default, 1, sizeof *state);
    if (state == NULL || inflateInit2(&state->stream, 15 + 16) != Z_OK) {
        memory_free(&memory_default, state, 1, sizeof *state);
        return error_no_memory(&source->error, sizeof *state, "unpacking gzip");
    }
    source->codec_state = state;
    return VMM_OK;
}

static void gzip_stop(TraceSource *source) {
    GzipState *state = source->codec_state;
    if (state != NULL) {
        inflateEnd(&state->stream);
        memory_free(&memory_default, state, 1, sizeof *state);
        source->codec_state = NULL;
    }
}

/* Behind a member: VMM_OK when another one begins, 1 at the end of the input. */
static int gzip_next_member(TraceSource *source, GzipState *state) {
    for (;;) {
        int more = source_refill(source);
        if (more <= 0) {
            return more == 0 ? 1 : more;
        }
        if (source->raw[source->raw_at] != 0) {
            break;
        }
        source->raw_at++;
    }
    if (source->raw[source->raw_at] != 0x1f) {
        return source_damaged(source, "what follows the end of the gzip data is not gzip data");
    }
    state->between = false;
    inflateReset(&state->stream);
    return VMM_OK;
}

/* One call of inflate(); VMM_OK or a code. */
static int gzip_inflate(TraceSource *source, GzipState *state) {
    z_stream *stream = &state->stream;
    stream->next_in = source->raw + source->raw_at;
    stream->avail_in = (uInt)(source->raw_end - source->raw_at);
    int result = inflate(stream, Z_NO_FLUSH);
    source->raw_at = source->raw_end - stream->avail_in;
    switch (result) {
    case Z_STREAM_END:
        state->between = true;
        return VMM_OK;
    case Z_OK:
    case Z_BUF_ERROR: /* no progress without more input */
        return VMM_OK;
    case Z_MEM_ERROR:
        return error_no_memory(&source->error, 1 << 15, "unpacking gzip");
    default:
        return source_damaged(source, stream->msg != NULL ? stream->msg : "not gzip data");
    }
}

static long gzip_read(TraceSource *source, char *buffer, size_t size) {
    GzipState *state = source->codec_state;
    uInt room = size < UINT32_MAX ? (uInt)size : UINT32_MAX;
    state->stream.next_out = (Bytef *)buffer;
    state->stream.avail_out = room;
    int code = VMM_OK;
    while (code == VMM_OK && state->stream.avail_out == room) {
        if (state->between) {
            code = gzip_next_member(source, state);
            if (code == 1) {
                return 0;
            }
            continue;
        }
        int more = source_refill(source);
        if (more < 0) {
            code = more;
        } else if (more == 0) {
            code = source_damaged(source, "the file ends within the gzip data");
        } else {
            code = gzip_inflate(source, state);
        }
    }
    long unpacked = (long)(room - state->stream.avail_out);
    return unpacked > 0 ? unpacked : code;
}

static const SourceCodec gzip_codec = {"gzip", gzip_matches, gzip_start, gzip_read, gzip_stop};

#else

static int gzip_start(TraceSource *source) {
    return source_cannot_unpack(source, "compressed with gzip", "zlib", "gzip -dc FILE");
}

static const SourceCodec gzip_codec = {"gzip", gzip_matches, gzip_start, source_read_none,
                                       source_stop_none};

#endif
