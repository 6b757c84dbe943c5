/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the native text format: "pid op 0xaddress size", one reference a line. */
#include "digits.h"
#include "writer.h"

/* The longest line: pid, op, address and size with their blanks and the '\n'. */
enum { NATIVE_LINE_BYTES = 10 + 1 + 1 + 1 + 2 + 16 + 1 + 10 + 1 };

static int native_refs(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *line = writer_room(writer, NATIVE_LINE_BYTES);
        if (line == NULL) {
            return writer->error.code;
        }
        char *at = digits_decimal(line, refs[i].pid);
        *at++ = ' ';
        *at++ = "RWI"[refs[i].op];
        *at++ = ' ';
        *at++ = '0';
        *at++ = 'x';
        at = digits_hex(at, refs[i].addr);
        *at++ = ' ';
        at = digits_decimal(at, refs[i].size);
        *at++ = '\n';
        writer_advance(writer, (size_t)(at - line));
    }
    return VMM_OK;
}

static const TraceExport native_export = {
    .name = "native",
    .help = "text, \"pid op 0xaddress size\" a line; without threads and events",
    .refs = native_refs,
};
