/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XXH64 of one 64-bit word, as eight little-endian bytes: what the general algorithm (Collet,
 * "xxHash fast digest algorithm", specification 0.2.0) comes to for that length.
 */
#ifndef VMM_MM_POLICY_XXH64_H
#define VMM_MM_POLICY_XXH64_H

#include <stdint.h>

#define XXH64_PRIME_1 0x9E3779B185EBCA87u
#define XXH64_PRIME_2 0xC2B2AE3D27D4EB4Fu
#define XXH64_PRIME_3 0x165667B19E3779F9u
#define XXH64_PRIME_4 0x85EBCA77C2B2AE63u
#define XXH64_PRIME_5 0x27D4EB2F165667C5u

static inline uint64_t xxh64_rotate(uint64_t word, unsigned bits) {
    return word << bits | word >> (64 - bits);
}

static inline uint64_t xxh64_of_word(uint64_t word, uint64_t seed) {
    uint64_t lane = xxh64_rotate(word * XXH64_PRIME_2, 31) * XXH64_PRIME_1;
    uint64_t hash = (seed + XXH64_PRIME_5 + sizeof word) ^ lane;
    hash = xxh64_rotate(hash, 27) * XXH64_PRIME_1 + XXH64_PRIME_4;
    hash = (hash ^ hash >> 33) * XXH64_PRIME_2;
    hash = (hash ^ hash >> 29) * XXH64_PRIME_3;
    return hash ^ hash >> 32;
}

#endif
