/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a list of page numbers, decimal, one page reference a line: what teaching tools read. A
 * reference that crosses into another page gives a line for each. There is one process; reads,
 * writes and fetches are one, and touches of the kernel are page references like any other, because
 * the page is needed whoever touches it.
 */
#include "digits.h"
#include "writer.h"

static int write_pages_line(VMMTraceWriter *writer, uint64_t page) {
    char *line = writer_room(writer, DIGITS_DECIMAL_BYTES + 1);
    if (line == NULL) {
        return writer->error.code;
    }
    char *at = digits_decimal(line, page);
    *at++ = '\n';
    writer_advance(writer, (size_t)(at - line));
    return VMM_OK;
}

static int write_pages_refs(VMMTraceWriter *writer, const VMMRef *refs, size_t count) {
    int code = VMM_OK;
    for (size_t i = 0; i < count && code == VMM_OK; i++) {
        code = writer_one_process(writer, &refs[i]);
        writer_lose_kind(writer, &refs[i]);
        uint64_t page = writer_first_page(writer, &refs[i]);
        uint64_t last = writer_last_page(writer, &refs[i]);
        for (uint64_t left = last - page + 1; left > 0 && code == VMM_OK; left--, page++) {
            code = write_pages_line(writer, page);
        }
    }
    return code;
}

static const TraceExport pages_export = {
    .name = "pages",
    .help = "text, one page number a line; one process, reads and writes are not told apart",
    .holds_kernel = true,
    .refs = write_pages_refs,
};
