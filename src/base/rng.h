/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). One 64-bit word of state, and
 * the same sequence on every machine. Each component of a simulation has a stream of its own,
 * seeded by rng_seed(seed, "component"), so that adding one component does not disturb another.
 */
#ifndef VMM_BASE_RNG_H
#define VMM_BASE_RNG_H

#include <stdint.h>

typedef struct Rng {
    uint64_t state;
} Rng;

/* The finaliser of SplitMix64: a bijection of 64-bit words that mixes every bit into every bit. */
static inline uint64_t rng_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint64_t rng_next(Rng *rng) {
    rng->state += 0x9E3779B97F4A7C15u;
    return rng_mix(rng->state);
}

/* Uniform in [0, n), n > 0: the upper half of the 128-bit product (bias below n / 2^64). */
static inline uint64_t rng_below(Rng *rng, uint64_t n) {
    return (uint64_t)(((unsigned __int128)rng_next(rng) * n) >> 64);
}

/* The stream of one component: SplitMix64 started at the seed mixed with the name's FNV-1a. */
static inline Rng rng_seed(uint64_t seed, const char *component) {
    uint64_t name = 0xCBF29CE484222325u;
    for (; *component != '\0'; component++) {
        name = (name ^ (uint8_t)*component) * 0x100000001B3u;
    }
    return (Rng){rng_mix(seed ^ rng_mix(name))};
}

#endif
