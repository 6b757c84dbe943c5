/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ChampSim's kind of record for the CloudSuite traces: 96 bytes.
 *
 *      0  u64 instruction pointer        24  u64 addresses written [4]
 *      8  u8  is a branch                56  u64 addresses read [4]
 *      9  u8  was taken                  88  u8  address space [2]
 *     10  registers: 4 written, 4 read
 *
 * As in champsim.c, but that the number of the address space (16 bits) is the process.
 */
#include "champsim.h"

VMM_ALWAYS_INLINE TraceLineKind cloudsuite_record(const unsigned char *at, VMMRef **ref,
                                                  TraceParse *parse) {
    uint32_t pid = record_u16(at + 88);
    if (VMM_UNLIKELY((parse->problem = champsim_problem(at)) != NULL)) {
        return TRACE_LINE_BAD;
    }
    champsim_store(ref, at, 1, VMM_OP_FETCH, pid);
    champsim_store(ref, at + 56, 4, VMM_OP_READ, pid);
    champsim_store(ref, at + 24, 4, VMM_OP_WRITE, pid);
    return TRACE_LINE_REF;
}

static TraceStatus cloudsuite_parse(TraceParse *parse) {
    return trace_parse_records(parse, cloudsuite_record, 96, 9);
}

static bool cloudsuite_is_record(const unsigned char *at, uint64_t index, void *user) {
    (void)index, (void)user;
    return champsim_problem(at) == NULL && champsim_addresses_fit(at + 24, 8);
}

static TraceSign cloudsuite_sniff(const TraceView *view) {
    return record_all(view, 96, cloudsuite_is_record, NULL) ? TRACE_SIGN_SHAPE : TRACE_SIGN_NONE;
}

static const TraceFormat cloudsuite_format = {
    .name = "cloudsuite",
    .help = "ChampSim for CloudSuite: binary records of 96 bytes, with address spaces",
    .expects = "an instruction pointer that is not 0, and 0 or 1 in bytes 8 and 9",
    .marks_writes = true,
    .record_bytes = 96,
    .record_refs = 9,
    .sniff = cloudsuite_sniff,
    .parse = cloudsuite_parse,
};
