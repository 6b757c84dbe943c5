/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip archives, through zlib: the members one after the other, as one stream.
 *
 *     local header | member | data descriptor | local header | member | ... | central directory
 *
 * The archive is read from front to back, so that a pipe will do: by the local headers, and not by
 * the directory at the end, where reading stops. A member may be deflated or stored. Where it was
 * written to a pipe, its sizes and checksum follow it in a data descriptor; the end of deflated
 * data shows itself. (A stored member of unknown size has no end to be seen, and is refused.)
 * Checksums are checked; sizes in headers are not needed and not trusted, but of stored members.
 */
#include <string.h>

#include "source.h"

static bool zip_matches(const unsigned char *bytes, size_t count) {
    return count >= 4 && bytes[0] == 'P' && bytes[1] == 'K' &&
           ((bytes[2] == 3 && bytes[3] == 4) || (bytes[2] == 5 && bytes[3] == 6));
}

#ifdef VMM_HAVE_ZLIB

#include <zlib.h>

#include "../base/compiler.h"
#include "../base/memory.h"

enum {
    ZIP_LOCAL = 0x04034b50,      /* "PK\3\4": header of a member */
    ZIP_DESCRIPTOR = 0x08074b50, /* "PK\7\8" */
    ZIP_CENTRAL = 0x02014b50,    /* "PK\1\2": the directory, behind the last member */
    ZIP_END = 0x06054b50,        /* "PK\5\6": its end; of an empty archive all there is */
    ZIP_END_64 = 0x06064b50
};
enum {
    ZIP_ENCRYPTED = 1, /* flags */
    ZIP_DESCRIPTOR_FOLLOWS = 8,
    ZIP_STORED = 0, /* methods */
    ZIP_DEFLATED = 8,
    ZIP_EXTRA_64 = 1,     /* extra field with sizes of 8 bytes */
    ZIP_HEADER_BYTES = 26 /* of a local header, without its signature */
};

typedef enum ZipPlace { ZIP_BETWEEN, ZIP_DEFLATE, ZIP_STORE, ZIP_AT_END } ZipPlace;

typedef struct ZipState {
    z_stream stream;
    ZipPlace place;
    bool descriptor; /* of the member: one follows it */
    bool wide;       /* its sizes have 8 bytes */
    uint32_t crc;    /* of the member, as its header says */
    uint32_t sum;    /* of what was unpacked of it */
    uint64_t left;   /* of a stored member */
} ZipState;

static int zip_start(TraceSource *source) {
    ZipState *state = memory_zalloc(&memory_default, 1, sizeof *state);
    if (state == NULL || inflateInit2(&state->stream, -15) != Z_OK) {
        memory_free(&memory_default, state, 1, sizeof *state);
        return error_no_memory(&source->error, sizeof *state, "unpacking zip");
    }
    source->codec_state = state;
    return VMM_OK;
}

static void zip_stop(TraceSource *source) {
    ZipState *state = source->codec_state;
    if (state != NULL) {
        inflateEnd(&state->stream);
        memory_free(&memory_default, state, 1, sizeof *state);
        source->codec_state = NULL;
    }
}

static uint64_t zip_number(const unsigned char *at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = bytes; i > 0; i--) {
        value = value << 8 | at[i - 1];
    }
    return value;
}

/* The next bytes of the archive, which must be there; NULL: passes over them. */
static int zip_take(TraceSource *source, unsigned char *bytes, size_t count) {
    while (count > 0) {
        int more = source_refill(source);
        if (more <= 0) {
            return more < 0 ? more : source_damaged(source, "the file ends within the zip archive");
        }
        size_t left = source->raw_end - source->raw_at;
        size_t part = left < count ? left : count;
        if (bytes != NULL) {
            memcpy(bytes, source->raw + source->raw_at, part);
            bytes += part;
        }
        source->raw_at += part;
        count -= part;
    }
    return VMM_OK;
}

/* The extra fields of a header: of all of them only the sizes of 8 bytes matter. */
static int zip_read_extra(TraceSource *source, ZipState *state, size_t bytes) {
    while (bytes >= 4) {
        unsigned char field[4];
        unsigned char sizes[16];
        int code = zip_take(source, field, sizeof field);
        if (code != VMM_OK) {
            return code;
        }
        bytes -= sizeof field;
        size_t length = (size_t)zip_number(field + 2, 2);
        length = length < bytes ? length : bytes;
        bytes -= length;
        if (zip_number(field, 2) == ZIP_EXTRA_64 && length >= sizeof sizes) {
            code = zip_take(source, sizes, sizeof sizes);
            length -= sizeof sizes;
            state->wide = true;
            state->left = zip_number(sizes + 8, 8);
        }
        code = code == VMM_OK ? zip_take(source, NULL, length) : code;
        if (code != VMM_OK) {
            return code;
        }
    }
    return zip_take(source, NULL, bytes);
}

static int zip_refuse(TraceSource *source, const char *reason) {
    return error_set(
        &source->error, VMM_E_UNSUPPORTED,
        "%s is a zip archive with %s, which is not read; use: unzip -p FILE | vmm -t -",
        source->name, reason);
}

/* A local header, behind its signature. */
static int zip_open_member(TraceSource *source, ZipState *state) {
    unsigned char header[ZIP_HEADER_BYTES];
    int code = zip_take(source, header, sizeof header);
    if (code != VMM_OK) {
        return code;
    }
    unsigned flags = (unsigned)zip_number(header + 2, 2);
    unsigned method = (unsigned)zip_number(header + 4, 2);
    state->descriptor = (flags & ZIP_DESCRIPTOR_FOLLOWS) != 0;
    state->crc = (uint32_t)zip_number(header + 10, 4);
    state->left = zip_number(header + 14, 4);
    state->wide = false;
    state->sum = 0;
    code = zip_take(source, NULL, (size_t)zip_number(header + 22, 2));
    if (code == VMM_OK) {
        code = zip_read_extra(source, state, (size_t)zip_number(header + 24, 2));
    }
    if (code != VMM_OK) {
        return code;
    }
    if ((flags & ZIP_ENCRYPTED) != 0) {
        return zip_refuse(source, "an encrypted member");
    }
    if (method == ZIP_STORED && state->descriptor) {
        return zip_refuse(source, "a stored member of unknown size");
    }
    if (method != ZIP_STORED && method != ZIP_DEFLATED) {
        return zip_refuse(source, "a member that is neither stored nor deflated");
    }
    state->place = method == ZIP_STORED ? ZIP_STORE : ZIP_DEFLATE;
    inflateReset(&state->stream);
    return VMM_OK;
}

/*
 * Between members: the next one, or the directory. Some writers make the sizes of a data
 * descriptor 8 bytes long without saying so: then 8 bytes of it are left.
 */
static int zip_next_member(TraceSource *source, ZipState *state) {
    unsigned char signature[4];
    bool once_more = state->descriptor && !state->wide;
    for (;;) {
        int code = zip_take(source, signature, sizeof signature);
        if (code != VMM_OK) {
            return code;
        }
        switch (zip_number(signature, sizeof signature)) {
        case ZIP_LOCAL:
            return zip_open_member(source, state);
        case ZIP_CENTRAL:
        case ZIP_END:
        case ZIP_END_64:
            state->place = ZIP_AT_END;
            return VMM_OK;
        default:
            break;
        }
        if (!once_more) {
            return source_damaged(source, "what follows a member of the zip archive is no member");
        }
        once_more = false;
        code = zip_take(source, NULL, 4);
        if (code != VMM_OK) {
            return code;
        }
    }
}

/* The data descriptor: [signature] checksum, packed size, size. */
static int zip_read_descriptor(TraceSource *source, ZipState *state) {
    unsigned char bytes[4];
    int code = zip_take(source, bytes, sizeof bytes);
    if (code == VMM_OK && zip_number(bytes, 4) == ZIP_DESCRIPTOR && state->sum != ZIP_DESCRIPTOR) {
        code = zip_take(source, bytes, sizeof bytes);
    }
    state->crc = (uint32_t)zip_number(bytes, 4);
    return code == VMM_OK ? zip_take(source, NULL, state->wide ? 16 : 8) : code;
}

/* Behind the data of a member. */
static int zip_close_member(TraceSource *source, ZipState *state) {
    int code = state->descriptor ? zip_read_descriptor(source, state) : VMM_OK;
    state->place = ZIP_BETWEEN;
    if (code == VMM_OK && state->crc != state->sum) {
        return source_damaged(source, "the checksum of a member of the zip archive is wrong");
    }
    return code;
}

static int zip_inflate(TraceSource *source, ZipState *state) {
    int more = source_refill(source);
    if (more <= 0) {
        return more < 0 ? more : source_damaged(source, "the file ends within the zip archive");
    }
    z_stream *stream = &state->stream;
    const Bytef *start = stream->next_out;
    stream->next_in = source->raw + source->raw_at;
    stream->avail_in = (uInt)(source->raw_end - source->raw_at);
    int result = inflate(stream, Z_NO_FLUSH);
    source->raw_at = source->raw_end - stream->avail_in;
    state->sum = (uint32_t)crc32(state->sum, start, (uInt)(stream->next_out - start));
    switch (result) {
    case Z_STREAM_END:
        return zip_close_member(source, state);
    case Z_OK:
    case Z_BUF_ERROR: /* no progress without more input */
        return VMM_OK;
    case Z_MEM_ERROR:
        return error_no_memory(&source->error, 1 << 15, "unpacking zip");
    default:
        return source_damaged(source, stream->msg != NULL ? stream->msg : "not deflated data");
    }
}

static int zip_copy_stored(TraceSource *source, ZipState *state) {
    if (state->left == 0) {
        return zip_close_member(source, state);
    }
    int more = source_refill(source);
    if (more <= 0) {
        return more < 0 ? more : source_damaged(source, "the file ends within the zip archive");
    }
    z_stream *stream = &state->stream;
    size_t count = source->raw_end - source->raw_at;
    count = count < state->left ? count : (size_t)state->left;
    count = count < stream->avail_out ? count : stream->avail_out;
    memcpy(stream->next_out, source->raw + source->raw_at, count);
    state->sum = (uint32_t)crc32(state->sum, stream->next_out, (uInt)count);
    stream->next_out += count;
    stream->avail_out -= (uInt)count;
    source->raw_at += count;
    state->left -= count;
    return VMM_OK;
}

static long zip_read(TraceSource *source, char *buffer, size_t size) {
    ZipState *state = source->codec_state;
    uInt room = size < UINT32_MAX ? (uInt)size : UINT32_MAX;
    state->stream.next_out = (Bytef *)buffer;
    state->stream.avail_out = room;
    int code = VMM_OK;
    while (code == VMM_OK && state->stream.avail_out == room && state->place != ZIP_AT_END) {
        switch (state->place) {
        case ZIP_DEFLATE:
            code = zip_inflate(source, state);
            break;
        case ZIP_STORE:
            code = zip_copy_stored(source, state);
            break;
        default:
            code = zip_next_member(source, state);
            break;
        }
    }
    long unpacked = (long)(room - state->stream.avail_out);
    return unpacked > 0 ? unpacked : code;
}

static const SourceCodec zip_codec = {"zip", zip_matches, zip_start, zip_read, zip_stop};

#else

static int zip_start(TraceSource *source) {
    return source_cannot_unpack(source, "a zip archive", "zlib", "unzip -p FILE");
}

static const SourceCodec zip_codec = {"zip", zip_matches, zip_start, source_read_none,
                                      source_stop_none};

#endif
