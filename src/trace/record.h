/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading records of a fixed size: what the binary formats share. All are little-endian.
 */
#ifndef VMM_TRACE_RECORD_H
#define VMM_TRACE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../base/compiler.h"
#include "format.h"

/* With so many whole records in sight, a part of one behind them does not speak against it. */
#define RECORD_MANY 8

VMM_ALWAYS_INLINE uint16_t record_u16(const unsigned char *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}

VMM_ALWAYS_INLINE uint32_t record_u32(const unsigned char *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

VMM_ALWAYS_INLINE uint64_t record_u64(const unsigned char *at) {
    return record_u32(at) | (uint64_t)record_u32(at + 4) << 32;
}

/*
 * One record: stores its references at *ref and steps *ref behind them. TRACE_LINE_BAD with
 * parse->problem set, and nothing stored; TRACE_LINE_IGNORED: counted; anything else: fine.
 */
typedef TraceLineKind TraceRecord(const unsigned char *at, VMMRef **ref, TraceParse *parse);

/* `record` and `bytes` are constants where this is called, so that the compiler inlines it. */
VMM_ALWAYS_INLINE TraceStatus trace_parse_records(TraceParse *parse, TraceRecord *record,
                                                  size_t bytes, size_t refs) {
    const unsigned char *at = (const unsigned char *)parse->at;
    const unsigned char *end = (const unsigned char *)parse->end;
    VMMRef *ref = parse->refs;
    TraceStatus status = TRACE_DONE;
    uint64_t records = 0;
    for (; at < end; at += bytes, records++) {
        if (VMM_UNLIKELY((size_t)(parse->refs_end - ref) < refs)) {
            status = TRACE_FULL;
            break;
        }
        TraceLineKind kind = record(at, &ref, parse);
        if (VMM_UNLIKELY(kind == TRACE_LINE_BAD)) {
            parse->bad++;
            if (!parse->skip_bad) {
                status = TRACE_BAD;
                break;
            }
        }
        parse->ignored += kind == TRACE_LINE_IGNORED;
    }
    parse->at = (const char *)at;
    parse->refs = ref;
    parse->records += records;
    return status;
}

/*
 * For sniff(): do the first bytes consist of records of this size that `is_record` knows? Its
 * arguments are a record, its number from 0, and `user`. Files that are a record or two and a bit
 * are somebody else's.
 */
static inline bool record_all(const TraceView *view, size_t bytes,
                              bool (*is_record)(const unsigned char *, uint64_t, void *),
                              void *user) {
    size_t count = view->count / bytes;
    if (count == 0 || (view->whole && view->count % bytes != 0 && count < RECORD_MANY)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_record(view->bytes + i * bytes, i, user)) {
            return false;
        }
    }
    return true;
}

/* Stores a reference field by field, as fast_store() does. */
VMM_ALWAYS_INLINE void record_store(VMMRef **ref, uint64_t addr, uint32_t size, unsigned op) {
    VMMRef *to = (*ref)++;
    to->addr = addr;
    to->pid = 0;
    to->size = size;
    to->tid = 0;
    to->core = 0;
    to->op = (uint8_t)op;
    to->flags = 0;
}

#endif
