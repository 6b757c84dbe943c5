/* SPDX-License-Identifier: Apache-2.0 */
/* zstd, through libzstd: any number of frames one after the other, skippable ones among them. */
#include "source.h"

static bool zstd_matches(const unsigned char *bytes, size_t count) {
    if (count < 4 || bytes[3] == 0) {
        return false;
    }
    bool frame = bytes[0] == 0x28 && bytes[1] == 0xB5 && bytes[2] == 0x2F && bytes[3] == 0xFD;
    bool skippable =
        (bytes[0] & 0xF0) == 0x50 && bytes[1] == 0x2A && bytes[2] == 0x4D && bytes[3] == 0x18;
    return frame || skippable;
}

#ifdef VMM_HAVE_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

#include "../base/memory.h"

typedef struct ZstdState {
    ZSTD_DStream *stream;
    bool within; /* a frame has begun and not ended */
} ZstdState;

static void zstd_stop(TraceSource *source) {
    ZstdState *state = source->codec_state;
    if (state != NULL) {
        ZSTD_freeDStream(state->stream);
        memory_free(&memory_default, state, 1, sizeof *state);
        source->codec_state = NULL;
    }
}

static int zstd_start(TraceSource *source) {
    ZstdState *state = memory_zalloc(&memory_default, 1, sizeof *state);
    source->codec_state = state;
    if (state != NULL) {
        state->stream = ZSTD_createDStream();
    }
    if (state == NULL || state->stream == NULL) {
        zstd_stop(source);
        return error_no_memory(&source->error, 1 << 17, "unpacking zstd");
    }
    return VMM_OK;
}

static int zstd_failure(TraceSource *source, size_t result) {
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return error_no_memory(&source->error, 1 << 27, "unpacking zstd");
    case ZSTD_error_frameParameter_windowTooLarge:
        return error_set(&source->error, VMM_E_UNSUPPORTED,
                         "%s was compressed with a zstd window above 128 MiB; use: "
                         "zstd -dc --long=31 FILE | vmm -t -",
                         source->name);
    case ZSTD_error_prefix_unknown:
        return source_damaged(source, "what follows the end of the zstd data is not zstd data");
    default:
        return source_damaged(source, ZSTD_getErrorName(result));
    }
}

/*
 * The decoder returns 0 exactly when a frame is complete and all of it is delivered; called again
 * it begins the next one. Between frames, and only there, the input may end.
 */
static long zstd_read(TraceSource *source, char *buffer, size_t size) {
    ZstdState *state = source->codec_state;
    ZSTD_outBuffer out = {buffer, size, 0};
    while (out.pos == 0) {
        int more = source_refill(source);
        if (more < 0) {
            return more;
        }
        ZSTD_inBuffer in = {source->raw, source->raw_end, source->raw_at};
        size_t wanted = ZSTD_decompressStream(state->stream, &out, &in);
        bool progress = in.pos > source->raw_at || out.pos > 0;
        source->raw_at = in.pos;
        if (ZSTD_isError(wanted)) {
            int code = zstd_failure(source, wanted);
            return out.pos > 0 ? (long)out.pos : code;
        }
        if (progress) {
            state->within = wanted != 0;
        } else if (more == 0) {
            return state->within ? source_damaged(source, "the file ends within the zstd data") : 0;
        }
    }
    return (long)out.pos;
}

static const SourceCodec zstd_codec = {"zstd", zstd_matches, zstd_start, zstd_read, zstd_stop};

#else

static int zstd_start(TraceSource *source) {
    return source_cannot_unpack(source, "compressed with zstd", "libzstd", "zstd -dc FILE");
}

static const SourceCodec zstd_codec = {"zstd", zstd_matches, zstd_start, source_read_none,
                                       source_stop_none};

#endif
