/* SPDX-License-Identifier: Apache-2.0 */
/* xz, through liblzma: any number of streams one after the other, with padding. */
#include <string.h>

#include "source.h"

static bool xz_matches(const unsigned char *bytes, size_t count) {
    return count >= 6 && memcmp(bytes,
                                "\xFD"
                                "7zXZ",
                                6) == 0;
}

#ifdef VMM_HAVE_LZMA

#include <lzma.h>

#include "../base/memory.h"

static int xz_start(TraceSource *source) {
    lzma_stream *stream = memory_zalloc(&memory_default, 1, sizeof *stream);
    if (stream == NULL || lzma_stream_decoder(stream, UINT64_MAX, LZMA_CONCATENATED) != LZMA_OK) {
        memory_free(&memory_default, stream, 1, sizeof *stream);
        return error_no_memory(&source->error, sizeof *stream, "unpacking xz");
    }
    source->codec_state = stream;
    return VMM_OK;
}

static void xz_stop(TraceSource *source) {
    lzma_stream *stream = source->codec_state;
    if (stream != NULL) {
        lzma_end(stream);
        memory_free(&memory_default, stream, 1, sizeof *stream);
        source->codec_state = NULL;
    }
}

/* What a result of lzma_code() means; VMM_OK: go on, 1: the end. */
static int xz_result(TraceSource *source, lzma_ret result) {
    switch (result) {
    case LZMA_OK:
        return VMM_OK;
    case LZMA_STREAM_END:
        return 1;
    case LZMA_MEM_ERROR:
        return error_no_memory(&source->error, (size_t)lzma_memusage(source->codec_state),
                               "unpacking xz");
    case LZMA_OPTIONS_ERROR:
        return error_set(&source->error, VMM_E_UNSUPPORTED,
                         "%s uses a kind of xz compression that this build's liblzma does not "
                         "know; use: xz -dc FILE | vmm -t -",
                         source->name);
    case LZMA_FORMAT_ERROR:
        return source_damaged(source, "what follows the end of the xz data is not xz data");
    case LZMA_BUF_ERROR:
        return source_damaged(source, "the file ends within the xz data");
    default:
        return source_damaged(source, "the xz data is corrupt");
    }
}

static long xz_read(TraceSource *source, char *buffer, size_t size) {
    lzma_stream *stream = source->codec_state;
    stream->next_out = (uint8_t *)buffer;
    stream->avail_out = size;
    int code = VMM_OK;
    while (code == VMM_OK && stream->avail_out == size) {
        int more = source_refill(source);
        if (more < 0) {
            code = more;
            break;
        }
        stream->next_in = source->raw + source->raw_at;
        stream->avail_in = source->raw_end - source->raw_at;
        code = xz_result(source, lzma_code(stream, more == 0 ? LZMA_FINISH : LZMA_RUN));
        source->raw_at = source->raw_end - stream->avail_in;
    }
    long unpacked = (long)(size - stream->avail_out);
    return unpacked > 0 ? unpacked : code == 1 ? 0 : code;
}

static const SourceCodec xz_codec = {"xz", xz_matches, xz_start, xz_read, xz_stop};

#else

static int xz_start(TraceSource *source) {
    return source_cannot_unpack(source, "compressed with xz", "liblzma", "xz -dc FILE");
}

static const SourceCodec xz_codec = {"xz", xz_matches, xz_start, source_read_none,
                                     source_stop_none};

#endif
