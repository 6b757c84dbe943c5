/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer of reports: see buffer.h. */
#include "buffer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void report_buffer_init(ReportBuffer *buffer, char *text, size_t size) {
    *buffer = (ReportBuffer){.text = text, .size = size};
    if (size > 0) {
        text[0] = '\0';
    }
}

void report_add_bytes(ReportBuffer *buffer, const char *bytes, size_t count) {
    if (buffer->length + 1 < buffer->size) {
        size_t room = buffer->size - 1 - buffer->length;
        size_t stored = count < room ? count : room;
        memcpy(buffer->text + buffer->length, bytes, stored);
        buffer->text[buffer->length + stored] = '\0';
    }
    buffer->length += count;
}

void report_add(ReportBuffer *buffer, const char *text) {
    report_add_bytes(buffer, text, strlen(text));
}

void report_print(ReportBuffer *buffer, const char *format, ...) {
    bool fits = buffer->length < buffer->size;
    char *end = fits ? buffer->text + buffer->length : NULL;
    size_t room = fits ? buffer->size - buffer->length : 0;
    va_list args;
    va_start(args, format);
    int written = vsnprintf(end, room, format, args);
    va_end(args);
    if (written > 0) {
        buffer->length += (size_t)written;
    }
}

/*
 * printf writes the decimal separator of the locale, which may be a comma or several bytes;
 * reports are read by programs and need a point. Everything between the digits is the separator.
 */
ReportDecimal report_decimal(double value, int decimals) {
    char raw[REPORT_DECIMAL_BYTES];
    ReportDecimal decimal;
    size_t length = 0;
    bool point = false;
    snprintf(raw, sizeof raw, "%.*f", decimals, isfinite(value) ? value : 0.0);
    for (const char *from = raw; *from != '\0'; from++) {
        if ((*from >= '0' && *from <= '9') || *from == '-') {
            decimal.text[length++] = *from;
        } else if (!point) {
            decimal.text[length++] = '.';
            point = true;
        }
    }
    decimal.text[length] = '\0';
    return decimal;
}
