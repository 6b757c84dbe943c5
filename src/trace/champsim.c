/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instruction traces of the simulator ChampSim: records of 64 bytes, no header.
 *
 *      0  u64 instruction pointer        16  u64 addresses written [2]
 *      8  u8  is a branch                32  u64 addresses read [4]
 *      9  u8  was taken
 *     10  registers: 2 written, 4 read
 *
 * A record is an instruction: the fetch of its pointer, then its reads, then its writes. An
 * address of 0 means none. The format has neither sizes nor processes: each reference is 1 byte,
 * of process 0.
 *
 * The kind for the CloudSuite traces is in cloudsuite.c.
 */
#include "champsim.h"

#include "record.h"

VMM_ALWAYS_INLINE TraceLineKind champsim_record(const unsigned char *at, VMMRef **ref,
                                                TraceParse *parse) {
    uint64_t pointer = record_u64(at);
    if (VMM_UNLIKELY((parse->problem = champsim_problem(at)) != NULL)) {
        return TRACE_LINE_BAD;
    }
    record_store(ref, pointer, 1, VMM_OP_FETCH);
    champsim_store(ref, at + 32, 4, VMM_OP_READ, 0);
    champsim_store(ref, at + 16, 2, VMM_OP_WRITE, 0);
    return TRACE_LINE_REF;
}

static TraceStatus champsim_parse(TraceParse *parse) {
    return trace_parse_records(parse, champsim_record, 64, 7);
}

static bool champsim_is_record(const unsigned char *at, uint64_t index, void *user) {
    (void)index, (void)user;
    return champsim_problem(at) == NULL && champsim_addresses_fit(at + 16, 6);
}

static TraceSign champsim_sniff(const TraceView *view) {
    return record_all(view, 64, champsim_is_record, NULL) ? TRACE_SIGN_SHAPE : TRACE_SIGN_NONE;
}

static const TraceFormat champsim_format = {
    .name = "champsim",
    .help = "ChampSim: binary records of 64 bytes, an instruction each, no sizes",
    .expects = "an instruction pointer that is not 0, and 0 or 1 in bytes 8 and 9",
    .marks_writes = true,
    .record_bytes = 64,
    .record_refs = 7,
    .sniff = champsim_sniff,
    .parse = champsim_parse,
};
