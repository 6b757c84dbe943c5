/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of ChampSim records have in common. */
#ifndef VMM_TRACE_CHAMPSIM_H
#define VMM_TRACE_CHAMPSIM_H

#include "record.h"

/* What is wrong with the beginning of a record, NULL: nothing. */
VMM_ALWAYS_INLINE const char *champsim_problem(const unsigned char *at) {
    if (record_u64(at) == 0) {
        return "the instruction pointer is 0";
    }
    return (at[8] | at[9]) > 1 ? "the marks of a branch are not 0 or 1" : NULL;
}

/* Are these virtual addresses of a 64-bit processor? Only detection asks. */
static inline bool champsim_addresses_fit(const unsigned char *at, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t top = record_u64(at + 8 * i) >> 56;
        if (top != 0 && top != 0xff) {
            return false;
        }
    }
    return true;
}

/* Addresses that are not 0. */
VMM_ALWAYS_INLINE void champsim_store(VMMRef **ref, const unsigned char *at, size_t count,
                                      unsigned op, uint32_t pid) {
    for (size_t i = 0; i < count; i++) {
        uint64_t addr = record_u64(at + 8 * i);
        if (addr != 0) {
            record_store(ref, addr, 1, op);
            (*ref)[-1].pid = pid;
        }
    }
}

#endif
