/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that trace_gen writes, and the buffer they are written through. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_BUFFER_BYTES = 1 << 20 };

/* ---- Numbers --------------------------------------------------------------------------------- */

static char *output_decimal(char *at, uint64_t number) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

/* At least `least` hexadecimal digits. */
static char *output_hex(char *at, uint64_t number, unsigned least) {
    unsigned digits = (67 - (unsigned)__builtin_clzll(number | 1)) / 4;
    if (digits < least) {
        digits = least;
    }
    for (unsigned i = digits; i-- > 0; number >>= 4) {
        at[i] = "0123456789abcdef"[number & 15];
    }
    return at + digits;
}

/* ---- Formats --------------------------------------------------------------------------------- */

/* 3 W 0x7f001000 */
static char *output_native(char *at, const VMMRef *ref, unsigned page_shift) {
    (void)page_shift;
    at = output_decimal(at, ref->pid);
    memcpy(at, ref->op == VMM_OP_WRITE ? " W 0x" : " R 0x", 5);
    at = output_hex(at + 5, ref->addr, 1);
    *at++ = '\n';
    return at;
}

/* 520193: a page number and nothing else */
static char *output_pages(char *at, const VMMRef *ref, unsigned page_shift) {
    at = output_decimal(at, ref->addr >> page_shift);
    *at++ = '\n';
    return at;
}

/* 1 7f001000: label 0 reads, 1 writes */
static char *output_din(char *at, const VMMRef *ref, unsigned page_shift) {
    (void)page_shift;
    *at++ = ref->op == VMM_OP_WRITE ? '1' : '0';
    *at++ = ' ';
    at = output_hex(at, ref->addr, 1);
    *at++ = '\n';
    return at;
}

/* 7f001000 W */
static char *output_addrop(char *at, const VMMRef *ref, unsigned page_shift) {
    (void)page_shift;
    at = output_hex(at, ref->addr, 8);
    memcpy(at, ref->op == VMM_OP_WRITE ? " W\n" : " R\n", 3);
    return at + 3;
}

/* " S 7f001000,1" */
static char *output_lackey(char *at, const VMMRef *ref, unsigned page_shift) {
    (void)page_shift;
    memcpy(at, ref->op == VMM_OP_WRITE ? " S " : " L ", 3);
    at = output_hex(at + 3, ref->addr, 8);
    *at++ = ',';
    at = output_decimal(at, ref->size != 0 ? ref->size : 1);
    *at++ = '\n';
    return at;
}

static const OutputFormat output_formats[] = {
    {"native", "process, operation, address: 3 W 0x7f001000", 1, output_native},
    {"pages", "page numbers, without processes and operations", 0, output_pages},
    {"din", "Dinero: label and address, without processes", 0, output_din},
    {"addrop", "address and operation, without processes", 0, output_addrop},
    {"lackey", "Valgrind Lackey, without processes", 0, output_lackey},
};

const OutputFormat *output_format_at(size_t index) {
    size_t count = sizeof output_formats / sizeof output_formats[0];
    return index < count ? &output_formats[index] : NULL;
}

const OutputFormat *output_format_find(const char *name) {
    const OutputFormat *format;
    for (size_t i = 0; (format = output_format_at(i)) != NULL; i++) {
        if (strcmp(format->name, name) == 0) {
            return format;
        }
    }
    return NULL;
}

/* ---- The file -------------------------------------------------------------------------------- */

int output_open(Output *output, const char *path, const OutputFormat *format, uint64_t page_size) {
    memset(output, 0, sizeof *output);
    output->path = path;
    output->format = format;
    output->page_shift = (unsigned)__builtin_ctzll(page_size);
    output->buffer = malloc(OUTPUT_BUFFER_BYTES);
    if (output->buffer == NULL) {
        return -1;
    }
    output->file = strcmp(path, "-") == 0
                       ? STDOUT_FILENO
                       : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output->file < 0) {
        free(output->buffer);
        output->buffer = NULL;
        return -1;
    }
    return 0;
}

/* Cuts off the piece of a line that a failed write may have left. */
static void output_keep_whole_lines(const Output *output) {
    int reason = errno;
    if (output->file != STDOUT_FILENO && ftruncate(output->file, (off_t)output->written) != 0) {
        errno = reason; /* a pipe or a device: nothing to shorten */
    }
    errno = reason;
}

static int output_flush(Output *output) {
    for (size_t done = 0; done < output->used;) {
        ssize_t got = write(output->file, output->buffer + done, output->used - done);
        if (got >= 0) {
            done += (size_t)got;
        } else if (errno != EINTR) {
            output_keep_whole_lines(output);
            output->used = 0;
            return -1;
        }
    }
    output->written += output->used;
    output->used = 0;
    return 0;
}

int output_write(Output *output, const VMMRef *refs, size_t count) {
    char *at = output->buffer + output->used;
    const char *full = output->buffer + OUTPUT_BUFFER_BYTES - OUTPUT_LINE_BYTES;
    for (size_t i = 0; i < count; i++) {
        at = output->format->line(at, &refs[i], output->page_shift);
        if (at > full) {
            output->used = (size_t)(at - output->buffer);
            if (output_flush(output) != 0) {
                return -1;
            }
            at = output->buffer;
        }
    }
    output->used = (size_t)(at - output->buffer);
    output->references += count;
    return 0;
}

int output_close(Output *output) {
    int failed = output_flush(output);
    int reason = errno;
    if (close(output->file) != 0 && failed == 0) {
        failed = -1;
        reason = errno;
    }
    free(output->buffer);
    output->buffer = NULL;
    errno = reason;
    return failed;
}
