/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libCacheSim's oracleGeneralOpNS: oracleGeneral with an operation and a name space, 27 bytes.
 *
 *      0  u32 time     4  u64 object     12  u32 size     16  u8 operation     17  u16 name space
 *     19  i64 next request to the object
 *
 * As in oracle_general.c. Operations that store (set, add, cas, replace, append, prepend, incr,
 * decr, write, update: 3 to 8, 10, 11, 13, 14) are writes, deletions (9) are no references, all
 * others are reads. The name space is the process.
 */
#include "oracle.h"

enum { ORACLE_OPNS_DELETE = 9, ORACLE_OPNS_LAST = 32 };
/* Bit n: operation n stores. */
#define ORACLE_OPNS_STORES 0x6df8u

VMM_ALWAYS_INLINE TraceLineKind oracle_general_opns_record(const unsigned char *at, VMMRef **ref,
                                                           TraceParse *parse) {
    unsigned op = at[16];
    if (op == ORACLE_OPNS_DELETE) {
        return TRACE_LINE_IGNORED;
    }
    if (op >= ORACLE_OPNS_LAST) {
        parse->problem = "the operation is not a number below 32";
        return TRACE_LINE_BAD;
    }
    bool stores = (ORACLE_OPNS_STORES >> op & 1) != 0;
    TraceLineKind kind =
        oracle_store(record_u64(at + 4), stores ? VMM_OP_WRITE : VMM_OP_READ, ref, parse);
    if (kind == TRACE_LINE_REF) {
        (*ref)[-1].pid = record_u16(at + 17);
    }
    return kind;
}

static TraceStatus oracle_general_opns_parse(TraceParse *parse) {
    return trace_parse_records(parse, oracle_general_opns_record, 27, 1);
}

static TraceSign oracle_general_opns_sniff(const TraceView *view) {
    return oracle_sniff(view, 27, 19);
}

static const TraceFormat oracle_general_opns_format = {
    .name = "oracleGeneralOpNS",
    .help = "libCacheSim oracleGeneralOpNS: records of 27 bytes, with operation and name space",
    .expects = "an object whose number times the page size fits 64 bits, an operation below 32",
    .marks_writes = true,
    .record_bytes = 27,
    .record_refs = 1,
    .sniff = oracle_general_opns_sniff,
    .parse = oracle_general_opns_parse,
};
