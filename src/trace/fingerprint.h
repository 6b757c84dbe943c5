/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fingerprint of a stream of references: 64 bits that tell whether two runs were fed the
 * same references in the same order, whatever file, format, compression or batch they came in.
 * It protects against mix-ups, not against an adversary.
 *
 * Definition, all arithmetic modulo 2^64:
 *
 *   four lanes, lane[k] = rng_mix(k + 1) before the first reference
 *   reference number i (from 0) goes to lane k = i mod 4:
 *       word    = addr + (pid + size * 2^32) * A + op * B
 *       lane[k] = (lane[k] ^ word) * C;   lane[k] = lane[k] ^ (lane[k] >> 32)
 *   at the end of n references:
 *       h = n;   for k = 0..3:  h = rng_mix(h ^ lane[k])
 *
 * Four lanes because one multiplication must not wait for the one before it.
 */
#ifndef VMM_TRACE_FINGERPRINT_H
#define VMM_TRACE_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/types.h"
#include "../base/compiler.h"
#include "../base/rng.h"

#define FINGERPRINT_LANES 4
#define FINGERPRINT_A 0x9E3779B97F4A7C15u
#define FINGERPRINT_B 0xD6E8FEB86659FD93u
#define FINGERPRINT_C 0xC2B2AE3D27D4EB4Fu

typedef struct Fingerprint {
    uint64_t lane[FINGERPRINT_LANES];
    uint64_t count;
} Fingerprint;

static inline Fingerprint fingerprint_start(void) {
    Fingerprint fingerprint = {.count = 0};
    for (uint64_t k = 0; k < FINGERPRINT_LANES; k++) {
        fingerprint.lane[k] = rng_mix(k + 1);
    }
    return fingerprint;
}

VMM_ALWAYS_INLINE uint64_t fingerprint_step(uint64_t lane, const VMMRef *ref) {
    uint64_t who = ref->pid | (uint64_t)ref->size << 32;
    lane = (lane ^ (ref->addr + who * FINGERPRINT_A + ref->op * FINGERPRINT_B)) * FINGERPRINT_C;
    return lane ^ (lane >> 32);
}

static inline void fingerprint_add(Fingerprint *fingerprint, const VMMRef *refs, size_t count) {
    size_t i = 0;
    size_t lane = fingerprint->count % FINGERPRINT_LANES;
    fingerprint->count += count;
    /* A batch may begin anywhere: up to lane 0 one by one, then by fours. */
    for (; i < count && lane != 0; i++, lane = (lane + 1) % FINGERPRINT_LANES) {
        fingerprint->lane[lane] = fingerprint_step(fingerprint->lane[lane], &refs[i]);
    }
    uint64_t lane0 = fingerprint->lane[0];
    uint64_t lane1 = fingerprint->lane[1];
    uint64_t lane2 = fingerprint->lane[2];
    uint64_t lane3 = fingerprint->lane[3];
    for (; count - i >= FINGERPRINT_LANES; i += FINGERPRINT_LANES) {
        lane0 = fingerprint_step(lane0, &refs[i]);
        lane1 = fingerprint_step(lane1, &refs[i + 1]);
        lane2 = fingerprint_step(lane2, &refs[i + 2]);
        lane3 = fingerprint_step(lane3, &refs[i + 3]);
    }
    fingerprint->lane[0] = lane0;
    fingerprint->lane[1] = lane1;
    fingerprint->lane[2] = lane2;
    fingerprint->lane[3] = lane3;
    for (; i < count; i++, lane++) {
        fingerprint->lane[lane] = fingerprint_step(fingerprint->lane[lane], &refs[i]);
    }
}

static inline uint64_t fingerprint_value(const Fingerprint *fingerprint) {
    uint64_t h = fingerprint->count;
    for (size_t k = 0; k < FINGERPRINT_LANES; k++) {
        h = rng_mix(h ^ fingerprint->lane[k]);
    }
    return h;
}

#endif
