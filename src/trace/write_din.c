/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the din format of the cache simulator Dinero: "label hexaddress", one reference a line;
 * labels are 0 read, 1 write, 2 fetch. There is one process and there are no sizes, no threads, no
 * kernel and no events: references of a second process are refused, the rest is counted as lost.
 */
#include "digits.h"
#include "writer.h"

enum { WRITE_DIN_LINE_BYTES = 1 + 1 + DIGITS_HEX_BYTES + 1 };

static int write_din_refs(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (writer_one_process(writer, &refs[i]) != VMM_OK) {
            return writer->error.code;
        }
        char *line = writer_room(writer, WRITE_DIN_LINE_BYTES);
        if (line == NULL) {
            return writer->error.code;
        }
        line[0] = (char)('0' + refs[i].op);
        line[1] = ' ';
        char *at = digits_hex(line + 2, refs[i].addr);
        *at++ = '\n';
        writer_advance(writer, (size_t)(at - line));
        writer_lose_size(writer, &refs[i]);
    }
    return VMM_OK;
}

static const TraceExport din_export = {
    .name = "din",
    .help =
        "text of the cache simulator Dinero, \"label hexaddress\" a line; one process, no sizes",
    .refs = write_din_refs,
};
