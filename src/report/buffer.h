/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text written into memory of fixed size, with the manners of snprintf: what does not fit is
 * counted but not stored, and a zero always ends the text. So a report is written twice, once to
 * learn its length and once into memory of that length, and writing it can never fail.
 *
 *     text:  | s t o r e d   p a r t ... \0 |
 *              0                    size - 1      length may be beyond
 */
#ifndef VMM_REPORT_BUFFER_H
#define VMM_REPORT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/compiler.h"

typedef struct ReportBuffer {
    char *text;    /* NULL if size is 0 */
    size_t size;   /* bytes of text */
    size_t length; /* bytes that the whole text has so far */
} ReportBuffer;

/* A number in decimal point notation, whatever the locale of the process says. */
enum { REPORT_DECIMAL_BYTES = 352 };
typedef struct ReportDecimal {
    char text[REPORT_DECIMAL_BYTES];
} ReportDecimal;

void report_buffer_init(ReportBuffer *buffer, char *text, size_t size);
void report_add_bytes(ReportBuffer *buffer, const char *bytes, size_t count);
void report_add(ReportBuffer *buffer, const char *text);
void report_print(ReportBuffer *buffer, const char *format, ...) VMM_PRINTF(2, 3);

/* Rounds to `decimals` places; what is no finite number becomes 0. */
ReportDecimal report_decimal(double value, int decimals);

#endif
