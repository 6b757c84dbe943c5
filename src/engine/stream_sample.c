/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples: a stream that gives only the page references to pages whose hash is below a bound.
 *
 * All references to a page are in the sample or none is (Waldspurger, Park, Garthwaite, Ahmad, FAST
 * 2015). So pages are chosen before they are interned, and what is left out costs no more than its
 * hash; of page runs not even that, for a block's dictionary names each page once. Hashes have 32
 * bits, which vector units multiply.
 */
#include "stream.h"

enum { SAMPLE_GROUP = 32 };

void stream_sample(Stream *stream, uint64_t seed, uint64_t below) {
    stream->sample_seed = rng_seed(seed, "sample").state;
    stream->sample_below = below;
}

VMM_ALWAYS_INLINE void sample_hash_all(const uint64_t *restrict keys, uint32_t *restrict hashes,
                                       size_t count, uint64_t seed) {
    for (size_t i = 0; i < count; i++) {
        uint32_t hash = stream_hash(keys[i], seed);
        hashes[i] = keys[i] == DIRECTORY_NO_KEY ? 0 : hash; /* the invalid ones are kept */
    }
}

VMM_VECTORISED static void sample_hash_plain(const uint64_t *keys, uint32_t *hashes, size_t count,
                                             uint64_t seed) {
    sample_hash_all(keys, hashes, count, seed);
}

VMM_WIDE VMM_VECTORISED static void sample_hash_wide(const uint64_t *keys, uint32_t *hashes,
                                                     size_t count, uint64_t seed) {
    sample_hash_all(keys, hashes, count, seed);
}

/* Whether one of a group is below. */
static bool sample_any(const uint32_t *hashes, uint64_t below) {
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < SAMPLE_GROUP; i++) {
        least = hashes[i] < least ? hashes[i] : least;
    }
    return least < below;
}

void stream_sample_stretch(Stream *stream) {
    Batch *batch = &stream->batch;
    uint64_t *keys = stream->keys;
    uint8_t *op = batch->op + stream->stretch_begin;
    size_t count = batch->count - stream->stretch_begin;
    uint64_t below = stream->sample_below;
    uint32_t hashes[STREAM_STRETCH + SAMPLE_GROUP];
    size_t kept = 0;
    if (vmm_is_wide()) {
        sample_hash_wide(keys, hashes, count, stream->sample_seed);
    } else {
        sample_hash_plain(keys, hashes, count, stream->sample_seed);
    }
    for (size_t i = 0; i < SAMPLE_GROUP; i++) {
        hashes[count + i] = UINT32_MAX;
    }
    for (size_t group = 0; group < count; group += SAMPLE_GROUP) {
        if (!sample_any(hashes + group, below)) {
            continue;
        }
        size_t end = group + SAMPLE_GROUP < count ? group + SAMPLE_GROUP : count;
        for (size_t i = group; i < end; i++) {
            if (hashes[i] < below) {
                keys[kept] = keys[i];
                op[kept++] = op[i];
            }
        }
    }
    batch->unsampled += count - kept;
    batch->count -= count - kept;
    batch->run_count = 0; /* a sample tells nothing of runs */
    batch->invalid_count = 0;
}
