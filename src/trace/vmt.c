/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The project's own format: compressed blocks of page runs or full addresses, with events and
 * files. It is neither lines nor records: vmt_read.h reads it. Here it only gets its name.
 */
#include "format.h"
#include "vmt_read.h"

static TraceSign vmt_sniff(const TraceView *view) {
    return vmt_matches(view->bytes, view->count) ? TRACE_SIGN_MAGIC : TRACE_SIGN_NONE;
}

static TraceStatus vmt_parse(TraceParse *parse) {
    parse->problem = "it is not a .vmt";
    return parse->at < parse->end ? TRACE_BAD : TRACE_DONE;
}

static const TraceFormat vmt_format = {
    .name = "vmt",
    .help = "this project's own: what vmm record writes; recognised by its first bytes",
    .expects = "the header of a .vmt",
    .marks_writes = true,
    .record_bytes = 1,
    .blocks = true,
    .sniff = vmt_sniff,
    .parse = vmt_parse,
};
