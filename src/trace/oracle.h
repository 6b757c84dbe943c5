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

/*
 * For detection: times do not go back, and the next request to an object lies behind this one
 * (requests are numbered from 1), or never comes: -1, or the largest number. `user` is the time
 * before.
 */
static inline bool oracle_times_fit(uint32_t time, uint64_t next, uint64_t index, void *user) {
    uint32_t *before = user;
    bool fits = time >= *before && (next == UINT64_MAX || next == INT64_MAX ||
                                    (next > index && next < UINT64_C(1) << 48));
    *before = time;
    return fits;
}

#endif
