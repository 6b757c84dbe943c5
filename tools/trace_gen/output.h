/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of a made trace: references in, text of one of the trace formats out, through one large
 * buffer that is written when it is full and always ends with a whole line.
 */
#ifndef TRACE_GEN_OUTPUT_H
#define TRACE_GEN_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/vmm.h"

typedef struct OutputFormat {
    const char *name;
    const char *help;
    int holds_pids; /* 0: the format has no place for process numbers */
    /* Writes one reference and returns the end of its text, at most OUTPUT_LINE_BYTES further. */
    char *(*line)(char *at, const VMMRef *ref, unsigned page_shift);
} OutputFormat;

enum { OUTPUT_LINE_BYTES = 64 };

/* NULL past the last; by name, NULL if there is none. */
const OutputFormat *output_format_at(size_t index);
const OutputFormat *output_format_find(const char *name);

typedef struct Output {
    int file;
    const char *path; /* "-" is standard output */
    const OutputFormat *format;
    unsigned page_shift;
    char *buffer;
    size_t used;
    uint64_t written;    /* bytes that are in the file */
    uint64_t references; /* formatted so far */
} Output;

/*
 * Each returns 0, or -1 after a failure that errno describes. A failed write leaves whole lines
 * only, if the file can be shortened. close gives back everything in any case.
 */
int output_open(Output *output, const char *path, const OutputFormat *format, uint64_t page_size);
int output_write(Output *output, const VMMRef *refs, size_t count);
int output_close(Output *output);

#endif
