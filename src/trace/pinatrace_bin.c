/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What copies of Pin's example pinatrace write when they were made to write binary: records of 9
 * bytes, an operation and an address.
 *
 *      0  u8 operation     1  u64 address
 *
 * The operation is a letter as in the text (R, W, I; either case) or its number (0 read, 1 write,
 * 2 fetch). The format has no mark of its own, so it is never guessed: --format pinatrace-bin.
 */
#include "record.h"

/* Operation -> VMMOp + 1; 0: none. */
static const uint8_t pinatrace_bin_ops[256] = {
    [0] = VMM_OP_READ + 1,   [1] = VMM_OP_WRITE + 1,   [2] = VMM_OP_FETCH + 1,
    ['R'] = VMM_OP_READ + 1, ['W'] = VMM_OP_WRITE + 1, ['I'] = VMM_OP_FETCH + 1,
    ['r'] = VMM_OP_READ + 1, ['w'] = VMM_OP_WRITE + 1, ['i'] = VMM_OP_FETCH + 1,
};

VMM_ALWAYS_INLINE TraceLineKind pinatrace_bin_record(const unsigned char *at, VMMRef **ref,
                                                     TraceParse *parse) {
    unsigned op = pinatrace_bin_ops[at[0]];
    if (VMM_UNLIKELY(op == 0)) {
        parse->problem = "the operation is not R, W, I, 0, 1 or 2";
        return TRACE_LINE_BAD;
    }
    record_store(ref, record_u64(at + 1), 1, op - 1);
    return TRACE_LINE_REF;
}

static TraceStatus pinatrace_bin_parse(TraceParse *parse) {
    return trace_parse_records(parse, pinatrace_bin_record, 9, 1);
}

static const TraceFormat pinatrace_bin_format = {
    .name = "pinatrace_bin",
    .help = "binary records of 9 bytes, operation and address; only by --format",
    .expects = "an operation R, W, I, 0, 1 or 2 and an address of 8 bytes",
    .marks_writes = true,
    .named_only = true,
    .record_bytes = 9,
    .record_refs = 1,
    .parse = pinatrace_bin_parse,
};
