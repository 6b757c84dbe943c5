/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a trace: opening, recognising compression, reading, keeping, rewinding. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "../base/spill.h"
#include "codecs.def"

/* clang-format off */
#define VMM_EACH_LIST TRACE_CODECS
#define VMM_EACH_PATH(name) ../trace/codec_##name.c
/* clang-format on */
#include "../base/include_each.h"

#define SOURCE_CODEC_ENTRY(name) &name##_codec,
static const SourceCodec *const source_codecs[] = {TRACE_CODECS(SOURCE_CODEC_ENTRY)};

/* Compressions and archives that are not read: told apart to give the right advice. */
static const struct {
    const char *magic;
    const char *name;
    const char *command;
} source_strangers[] = {
    {"\x04\x22\x4D\x18", "lz4", "lz4 -dc"},
    {"\xFF\x06", "snappy", "snzip -dc"},
    {"LZIP", "lzip", "lzip -dc"},
    {"\x1F\x9D", "compress (.Z)", "gzip -dc"},
};

/* ---- Raw bytes ------------------------------------------------------------------------------ */

/*
 * read(2) that waits when the descriptor does not; -1 with errno on failure. EINTR is one: whoever
 * waits for a slow pipe must be able to stop waiting.
 */
static ssize_t source_read_some(int fd, void *buffer, size_t size) {
    for (;;) {
        ssize_t done = read(fd, buffer, size);
        if (done >= 0 || errno != EAGAIN) {
            return done;
        }
        if (errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            if (poll(&wait, 1, -1) < 0) {
                return -1;
            }
        }
    }
}

/* Holds bytes in memory while it is not known whether they are to be kept. */
static int source_hold(TraceSource *source, const void *bytes, size_t count) {
    size_t needed = source->head_bytes + count;
    if (needed > source->head_capacity) {
        size_t capacity = 2 * needed;
        void *grown =
            memory_grow(&memory_default, source->head, source->head_capacity, capacity, 1);
        if (grown == NULL) {
            return error_no_memory(&source->error, capacity, "the beginning of the trace");
        }
        source->head = grown;
        source->head_capacity = capacity;
    }
    memcpy(source->head + source->head_bytes, bytes, count);
    source->head_bytes = needed;
    return VMM_OK;
}

static void source_drop_head(TraceSource *source) {
    memory_free(&memory_default, source->head, source->head_capacity, 1);
    source->head = NULL;
    source->head_bytes = source->head_capacity = 0;
}

static int source_copy(TraceSource *source, const void *bytes, size_t count, Error *error) {
    int code = spill_write(source->copy_fd, source->copy_bytes, bytes, count, error);
    if (code == VMM_OK) {
        source->copy_bytes += count;
        source->copy_at = source->copy_bytes;
    }
    return code;
}

/* The next bytes of the input, from the copy of an earlier pass or from the descriptor. */
static long source_fetch(TraceSource *source, void *buffer, size_t size) {
    if (source->copy_at < source->copy_bytes) {
        uint64_t left = source->copy_bytes - source->copy_at;
        size_t count = left < size ? (size_t)left : size;
        int code = spill_read(source->copy_fd, source->copy_at, buffer, count, &source->error);
        if (code != VMM_OK) {
            return code;
        }
        source->copy_at += count;
        source->bytes_read += count;
        return (long)count;
    }
    ssize_t count = source_read_some(source->fd, buffer, size);
    if (count < 0 && errno == EINTR) {
        return error_set(&source->error, VMM_E_STOPPED, "reading %s was interrupted by a signal",
                         source->name);
    }
    if (count < 0) {
        return error_set(&source->error, VMM_E_READ, "cannot read %s after %llu bytes: %s",
                         source->name, (unsigned long long)source->bytes_read, strerror(errno));
    }
    int code = VMM_OK;
    if (count > 0 && source->copy_fd >= 0) {
        code = source_copy(source, buffer, (size_t)count, &source->error);
    } else if (count > 0 && !source->seekable && !source->gone) {
        code = source_hold(source, buffer, (size_t)count);
    }
    source->bytes_read += (uint64_t)count;
    return code != VMM_OK ? code : (long)count;
}

int source_refill(TraceSource *source) {
    if (source->raw_at < source->raw_end) {
        return 1;
    }
    if (source->raw_ended) {
        return 0;
    }
    long count = source_fetch(source, source->raw, SOURCE_RAW_BYTES);
    source->raw_at = 0;
    source->raw_end = count > 0 ? (size_t)count : 0;
    source->raw_ended = count == 0;
    return count < 0 ? (int)count : count > 0;
}

int source_damaged(TraceSource *source, const char *reason) {
    uint64_t offset = source->bytes_read - (source->raw_end - source->raw_at);
    return error_set(&source->error, VMM_E_DAMAGED,
                     "%s: damaged %s data at byte %llu: %s; get the file again, or use "
                     "--skip-bad-records to take what can be read",
                     source->name, trace_source_compression(source), (unsigned long long)offset,
                     reason);
}

int source_cannot_unpack(TraceSource *source, const char *what, const char *library,
                         const char *command) {
    return error_set(&source->error, VMM_E_UNSUPPORTED,
                     "%s is %s, which this build cannot unpack (built without %s); use: %s | "
                     "vmm -t -",
                     source->name, what, library, command);
}

long source_read_none(TraceSource *source, char *buffer, size_t size) {
    (void)source, (void)buffer, (void)size;
    return VMM_E_UNSUPPORTED;
}

void source_stop_none(TraceSource *source) {
    (void)source;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int source_open_file(TraceSource *source, const char *path) {
    source->is_stdin = strcmp(path, "-") == 0;
    source->fd = source->is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (source->fd < 0 || fstat(source->fd, &about) != 0) {
        return error_set(&source->error, VMM_E_OPEN, "cannot open the trace %s: %s", source->name,
                         strerror(errno));
    }
    if (S_ISDIR(about.st_mode)) {
        return error_set(&source->error, VMM_E_OPEN,
                         "cannot open the trace %s: it is a directory, expected a file or \"-\"",
                         source->name);
    }
    if (S_ISREG(about.st_mode)) {
        source->start = lseek(source->fd, 0, SEEK_CUR);
        source->seekable = source->start >= 0;
        if (source->seekable && about.st_size > source->start) {
            source->bytes_total = (uint64_t)(about.st_size - source->start);
        }
        (void)posix_fadvise(source->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return VMM_OK;
}

/* Reads the first bytes, as many as recognise a codec. */
static int source_begin(TraceSource *source) {
    while (!source->raw_ended && source->raw_end < SOURCE_MAGIC_BYTES) {
        long count =
            source_fetch(source, source->raw + source->raw_end, SOURCE_RAW_BYTES - source->raw_end);
        if (count < 0) {
            return (int)count;
        }
        source->raw_end += (size_t)count;
        source->raw_ended = count == 0;
    }
    return VMM_OK;
}

static int source_find_codec(TraceSource *source) {
    for (size_t i = 0; i < VMM_COUNT_OF(source_codecs); i++) {
        if (source_codecs[i]->matches(source->raw, source->raw_end)) {
            source->codec = source_codecs[i];
            return source->codec->start(source);
        }
    }
    for (size_t i = 0; i < VMM_COUNT_OF(source_strangers); i++) {
        size_t length = strlen(source_strangers[i].magic);
        if (source->raw_end >= length &&
            memcmp(source->raw, source_strangers[i].magic, length) == 0) {
            return error_set(&source->error, VMM_E_UNSUPPORTED,
                             "%s looks like %s, which is not read directly; use: %s FILE | "
                             "vmm -t -",
                             source->name, source_strangers[i].name, source_strangers[i].command);
        }
    }
    return VMM_OK;
}

/* The path for messages: a very long one by its end, unprintable characters as '?'. */
static void source_set_name(TraceSource *source, const char *path) {
    if (strcmp(path, "-") == 0) {
        path = "standard input";
    }
    size_t length = strlen(path);
    size_t room = sizeof source->name - 1;
    snprintf(source->name, sizeof source->name, "%s%s", length > room ? "..." : "",
             length > room ? path + length - (room - 3) : path);
    for (char *c = source->name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

int trace_source_open(TraceSource *source, const char *path, Error *error) {
    *source = (TraceSource){.fd = -1, .copy_fd = -1};
    source_set_name(source, path);
    source->raw = memory_zalloc(&memory_default, SOURCE_RAW_BYTES, 1);
    int code = source->raw != NULL
                   ? source_open_file(source, path)
                   : error_no_memory(&source->error, SOURCE_RAW_BYTES, "reading the trace");
    if (code == VMM_OK) {
        code = source_begin(source);
    }
    if (code == VMM_OK) {
        code = source_find_codec(source);
    }
    if (code != VMM_OK) {
        *error = source->error;
        trace_source_close(source);
    }
    return code;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static long source_read_plain(TraceSource *source, char *buffer, size_t size) {
    size_t left = source->raw_end - source->raw_at;
    if (left > 0) {
        size_t count = left < size ? left : size;
        memcpy(buffer, source->raw + source->raw_at, count);
        source->raw_at += count;
        return (long)count;
    }
    if (source->raw_ended) {
        return 0;
    }
    long count = source_fetch(source, buffer, size);
    source->raw_ended = count == 0;
    return count;
}

long trace_source_read(TraceSource *source, char *buffer, size_t size) {
    if (source->error.code != VMM_OK) {
        return source->error.code;
    }
    return source->codec != NULL ? source->codec->read(source, buffer, size)
                                 : source_read_plain(source, buffer, size);
}

void trace_source_go(TraceSource *source) {
    source->gone = true;
    source_drop_head(source);
}

/* ---- A second pass -------------------------------------------------------------------------- */

int trace_source_keep(TraceSource *source, Error *error) {
    if (source->seekable || source->copy_fd >= 0) {
        return VMM_OK;
    }
    if (source->gone) {
        return error_set(error, VMM_E_USAGE,
                         "%s cannot be kept any more: keeping has to begin before reading",
                         source->name);
    }
    source->copy_fd = spill_open(error);
    if (source->copy_fd < 0) {
        return error->code;
    }
    int code = source_copy(source, source->head, source->head_bytes, error);
    if (code == VMM_OK) {
        source_drop_head(source);
        return VMM_OK;
    }
    close(source->copy_fd);
    source->copy_fd = -1;
    return code;
}

int trace_source_rewind(TraceSource *source, Error *error) {
    if (!source->seekable && source->copy_fd < 0) {
        return error_set(error, VMM_E_UNSUPPORTED,
                         "%s is a pipe and can be read only once, unless it is kept from the "
                         "beginning; use a file",
                         source->name);
    }
    if (source->seekable && lseek(source->fd, source->start, SEEK_SET) < 0) {
        return error_set(error, VMM_E_READ, "cannot go back to the start of %s: %s", source->name,
                         strerror(errno));
    }
    source->copy_at = 0;
    source->bytes_read = 0;
    source->raw_at = source->raw_end = 0;
    source->raw_ended = false;
    source->error = (Error){.code = VMM_OK};
    int code = VMM_OK;
    if (source->codec != NULL) {
        source->codec->stop(source);
        code = source->codec->start(source);
    }
    if (code != VMM_OK) {
        *error = source->error;
    }
    return code;
}

int trace_source_seek(TraceSource *source, uint64_t offset, Error *error) {
    if (lseek(source->fd, source->start + (off_t)offset, SEEK_SET) < 0) {
        return error_set(error, VMM_E_READ, "cannot go to byte %llu of %s: %s",
                         (unsigned long long)offset, source->name, strerror(errno));
    }
    source->bytes_read = offset;
    source->raw_at = source->raw_end = 0;
    source->raw_ended = false;
    source->error = (Error){.code = VMM_OK};
    return VMM_OK;
}

const char *trace_source_compression(const TraceSource *source) {
    return source->codec != NULL ? source->codec->name : "none";
}

uint64_t trace_source_unread(const TraceSource *source) {
    uint64_t unread = source->raw_end - source->raw_at;
    if (source->bytes_total > source->bytes_read) {
        unread += source->bytes_total - source->bytes_read;
    }
    return unread;
}

void trace_source_close(TraceSource *source) {
    if (source->codec != NULL) {
        source->codec->stop(source);
    }
    if (source->fd >= 0 && !source->is_stdin) {
        close(source->fd);
    }
    if (source->copy_fd >= 0) {
        close(source->copy_fd);
    }
    source_drop_head(source);
    memory_free(&memory_default, source->raw, SOURCE_RAW_BYTES, 1);
    *source = (TraceSource){.fd = -1, .copy_fd = -1};
}
