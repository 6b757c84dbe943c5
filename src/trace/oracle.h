/* SPDX-License-Identifier: Apache-2.0 */
/* What libCacheSim's binary formats have in common: requests to objects, which are pages here. */
#ifndef VMM_TRACE_ORACLE_H
#define VMM_TRACE_ORACLE_H

#include "record.h"

/* One reference to the page with the object's number. */
VMM_ALWAYS_INLINE TraceLineKind oracle_store(uint64_t object, unsigned op, VMMRef **ref,
                                             TraceParse *parse) {
    uint64_t addr;
    if (VMM_UNLIKELY(__builtin_mul_overflow(object, parse->page_size, &addr))) {
        parse->problem = "the page lies beyond 64-bit addresses";
        return TRACE_LINE_BAD;
    }
    record_store(ref, addr, 1, op);
    return TRACE_LINE_REF;
}

/* Fewer requests than these could be anything. */
enum { ORACLE_FEW = 4 };

/* Detection: the place of the field in a record, and what is known of the record before. */
typedef struct OracleSniff {
    size_t next_at;
    uint32_t time;
} OracleSniff;

/*
 * Times do not go back, sizes are not huge, and the next request to an object lies behind this one
 * (requests are numbered from 1), or never comes: -1, or the largest number.
 */
static inline bool oracle_is_record(const unsigned char *at, uint64_t index, void *user) {
    OracleSniff *sniff = user;
    uint32_t time = record_u32(at);
    uint64_t next = record_u64(at + sniff->next_at);
    bool fits = time >= sniff->time && record_u32(at + 12) >> 30 == 0 &&
                (next == UINT64_MAX || next == INT64_MAX || (next > index && next >> 48 == 0));
    sniff->time = time;
    return fits;
}

static inline TraceSign oracle_sniff(const TraceView *view, size_t bytes, size_t next_at) {
    OracleSniff sniff = {next_at, 0};
    size_t count = view->count / bytes;
    if (count < ORACLE_FEW || !record_all(view, bytes, oracle_is_record, &sniff)) {
        return TRACE_SIGN_NONE;
    }
    return count < RECORD_MANY ? TRACE_SIGN_SHAPE : TRACE_SIGN_SURE;
}

#endif
