/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libCacheSim's oracleGeneral: requests to a cache, records of 24 bytes.
 *
 *      0  u32 time     4  u64 object     12  u32 size     16  i64 next request to the object
 *
 * An object stands for a page of the page size the trace was opened with, and a request for a
 * read of its first byte by process 0: objects are what is kept or evicted whole, whatever their
 * size. An object whose page would not fit 64-bit addresses is a bad record (hashed names are;
 * give objects small numbers first).
 */
#include "oracle.h"

VMM_ALWAYS_INLINE TraceLineKind oracle_general_record(const unsigned char *at, VMMRef **ref,
                                                      TraceParse *parse) {
    return oracle_store(record_u64(at + 4), VMM_OP_READ, ref, parse);
}

static TraceStatus oracle_general_parse(TraceParse *parse) {
    return trace_parse_records(parse, oracle_general_record, 24, 1);
}

static TraceSign oracle_general_sniff(const TraceView *view) {
    return oracle_sniff(view, 24, 16);
}

static const TraceFormat oracle_general_format = {
    .name = "oracleGeneral",
    .help = "libCacheSim oracleGeneral: binary records of 24 bytes, a request to a page each",
    .expects = "an object whose number times the page size fits 64 bits",
    .marks_writes = false,
    .record_bytes = 24,
    .record_refs = 1,
    .sniff = oracle_general_sniff,
    .parse = oracle_general_parse,
};
