/* SPDX-License-Identifier: Apache-2.0 */
/* bzip2, through libbz2: any number of streams one after the other. */
#include "source.h"

static bool bzip2_matches(const unsigned char *bytes, size_t count) {
    return count >= 4 && bytes[0] == 'B' && bytes[1] == 'Z' && bytes[2] == 'h' && bytes[3] >= '1' &&
           bytes[3] <= '9';
}

#ifdef VMM_HAVE_BZIP2

#include <bzlib.h>

#include "../base/memory.h"

typedef struct Bzip2State {
    bz_stream stream;
    bool open; /* the stream was initialised: a compressed stream has begun and not ended */
} Bzip2State;

static int bzip2_start(TraceSource *source) {
    source->codec_state = memory_zalloc(&memory_default, 1, sizeof(Bzip2State));
    return source->codec_state != NULL
               ? VMM_OK
               : error_no_memory(&source->error, sizeof(Bzip2State), "unpacking bzip2");
}

static void bzip2_stop(TraceSource *source) {
    Bzip2State *state = source->codec_state;
    if (state == NULL) {
        return;
    }
    if (state->open) {
        BZ2_bzDecompressEnd(&state->stream);
    }
    memory_free(&memory_default, state, 1, sizeof *state);
    source->codec_state = NULL;
}

static int bzip2_failure(TraceSource *source, int result) {
    switch (result) {
    case BZ_MEM_ERROR:
        return error_no_memory(&source->error, (size_t)4 << 20, "unpacking bzip2");
    case BZ_DATA_ERROR_MAGIC:
        return source_damaged(source, "what follows the end of the bzip2 data is not bzip2 data");
    default:
        return source_damaged(source, "the bzip2 data is corrupt");
    }
}

/* Begins the next stream: VMM_OK, 1 at the end of the input, or a code. */
static int bzip2_next_stream(TraceSource *source, Bzip2State *state) {
    int more = source_refill(source);
    if (more <= 0) {
        return more == 0 ? 1 : more;
    }
    int result = BZ2_bzDecompressInit(&state->stream, 0, 0);
    if (result != BZ_OK) {
        return bzip2_failure(source, result);
    }
    state->open = true;
    return VMM_OK;
}

/* One call of the decoder; VMM_OK or a code. */
static int bzip2_unpack(TraceSource *source, Bzip2State *state) {
    int more = source_refill(source);
    if (more <= 0) {
        return more < 0 ? more : source_damaged(source, "the file ends within the bzip2 data");
    }
    bz_stream *stream = &state->stream;
    stream->next_in = (char *)source->raw + source->raw_at;
    stream->avail_in = (unsigned)(source->raw_end - source->raw_at);
    int result = BZ2_bzDecompress(stream);
    source->raw_at = source->raw_end - stream->avail_in;
    if (result == BZ_STREAM_END) {
        BZ2_bzDecompressEnd(stream);
        state->open = false;
        return VMM_OK;
    }
    return result == BZ_OK ? VMM_OK : bzip2_failure(source, result);
}

static long bzip2_read(TraceSource *source, char *buffer, size_t size) {
    Bzip2State *state = source->codec_state;
    unsigned room = size < INT32_MAX ? (unsigned)size : INT32_MAX;
    char *at = buffer;
    int code = VMM_OK;
    while (code == VMM_OK && at == buffer) {
        if (!state->open) {
            code = bzip2_next_stream(source, state);
            if (code == 1) {
                return 0;
            }
            continue;
        }
        state->stream.next_out = buffer;
        state->stream.avail_out = room;
        code = bzip2_unpack(source, state);
        at = buffer + (room - state->stream.avail_out);
    }
    return at > buffer ? at - buffer : code;
}

static const SourceCodec bzip2_codec = {"bzip2", bzip2_matches, bzip2_start, bzip2_read,
                                        bzip2_stop};

#else

static int bzip2_start(TraceSource *source) {
    return source_cannot_unpack(source, "compressed with bzip2", "libbz2", "bzip2 -dc FILE");
}

static const SourceCodec bzip2_codec = {"bzip2", bzip2_matches, bzip2_start, source_read_none,
                                        source_stop_none};

#endif
