/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random-looking permutation of 0..count-1 by formula, in a few words of memory.
 *
 * The number, of b bits, is cut into a low part L of floor(b/2) bits and a high part H of the
 * rest. Six rounds each change one part by a hash of the other, which can be undone, so every
 * round and all of them together are one-to-one on the 2^b numbers of b bits:
 *
 *     rounds 0, 2, 4:  H ^= mix(L ^ key[round] ^ tweak)
 *     rounds 1, 3, 5:  L ^= mix(H ^ key[round] ^ tweak)
 *
 * b is the smallest for which 2^b >= count. A result that is not below count goes through again
 * until it is (cycle walking): less than twice on average, and still one-to-one on 0..count-1.
 */
#ifndef VMM_TRACE_GEN_PERMUTATION_H
#define VMM_TRACE_GEN_PERMUTATION_H

#include <stdint.h>

#include "../base/rng.h"

enum { PERMUTATION_ROUNDS = 6 };

typedef struct Permutation {
    uint64_t count;
    uint64_t low_mask, high_mask;
    unsigned low_bits;
    uint64_t keys[PERMUTATION_ROUNDS];
} Permutation;

/* count >= 1. Takes PERMUTATION_ROUNDS draws. */
static inline void permutation_init(Permutation *permutation, uint64_t count, Rng *rng) {
    unsigned bits = count > 1 ? 64 - (unsigned)__builtin_clzll(count - 1) : 0;
    permutation->count = count;
    permutation->low_bits = bits / 2;
    permutation->low_mask = (UINT64_C(1) << permutation->low_bits) - 1;
    permutation->high_mask = (UINT64_C(1) << (bits - permutation->low_bits)) - 1;
    for (int round = 0; round < PERMUTATION_ROUNDS; round++) {
        permutation->keys[round] = rng_next(rng);
    }
}

/* Where `index`, which is below count, goes. Different tweaks give different permutations. */
static inline uint64_t permutation_at(const Permutation *permutation, uint64_t tweak,
                                      uint64_t index) {
    uint64_t low = index & permutation->low_mask;
    uint64_t high = index >> permutation->low_bits;
    uint64_t value;
    do {
        for (int round = 0; round < PERMUTATION_ROUNDS; round += 2) {
            high ^= rng_mix(low ^ permutation->keys[round] ^ tweak) & permutation->high_mask;
            low ^= rng_mix(high ^ permutation->keys[round + 1] ^ tweak) & permutation->low_mask;
        }
        value = high << permutation->low_bits | low;
    } while (value >= permutation->count);
    return value;
}

#endif
