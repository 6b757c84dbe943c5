/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples: a stream that gives only the page references to pages whose hash is below a bound.
 *
 * All references to a page are in the sample or none is (Waldspurger, Park, Garthwaite, Ahmad, FAST
 * 2015). So pages are chosen before they are interned, and what is left out costs no more than its
 * hash; of page runs not even that, for a block's dictionary names each page once (stream_runs.c).
 * Hashes have 32 bits, which vector units multiply.
 *
 *     512 references ──► hashes, 0: needs a closer look ──► groups of 32 without any below: skipped
 *                                                      └──► the few others: as in any stream
 */
#include <string.h>

#include "stream.h"

enum { SAMPLE_GROUP = 32, SAMPLE_LOOK = 512 };

void stream_sample(Stream *stream, uint64_t seed, uint64_t below) {
    stream->sample_seed = rng_seed(seed, "sample").state;
    stream->sample_below = below;
}

/*
 * Leaves out of the stretch what is not in the sample; the invalid ones are kept. Few of it is left
 * to look at here: see stream_add_sampled().
 */
static void sample_stretch(Stream *stream) {
    Batch *batch = &stream->batch;
    uint64_t *keys = stream->keys;
    uint8_t *op = batch->op + stream->stretch_begin;
    size_t count = batch->count - stream->stretch_begin;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (keys[i] == DIRECTORY_NO_KEY || stream_samples(stream, keys[i])) {
            keys[kept] = keys[i];
            op[kept++] = op[i];
        }
    }
    batch->unsampled += count - kept;
    batch->count -= count - kept;
    batch->run_count = 0; /* a sample tells nothing of runs */
    batch->invalid_count = 0;
}

/* ---- References that are out of the sample -------------------------------------------------- */

/* What a reference must be like to be passed over by its hash alone: as stream_add_simple(). */
typedef struct SampleFilter {
    uint64_t seed, limit, space_key;
    uint32_t pid;
    unsigned shift;
} SampleFilter;

/* Two 32-bit members of a VMMRef, or more smaller ones, that stand one behind the other. */
VMM_ALWAYS_INLINE uint64_t sample_word(const void *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/*
 * The hash of the page of each reference; 0 for those that need a closer look. References are read
 * as words and without a branch, so that compilers can make it vector code.
 */
VMM_ALWAYS_INLINE void sample_hash_refs(const VMMRef *refs, uint32_t *restrict hashes, size_t count,
                                        SampleFilter filter) {
    for (size_t i = 0; i < count; i++) {
        uint64_t addr = refs[i].addr;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint64_t pid_size = sample_word(&refs[i].pid);
        uint64_t pid = pid_size & UINT32_MAX;
        uint64_t size = pid_size >> 32;
        uint64_t kind = sample_word(&refs[i].tid) >> 48; /* operation and flags */
#else
        uint64_t pid = refs[i].pid;
        uint64_t size = refs[i].size;
        uint64_t kind = refs[i].op | (uint64_t)refs[i].flags << 8;
#endif
        uint64_t last_byte = addr + size - (size != 0);
        uint64_t odd = (pid ^ filter.pid) | ((addr ^ last_byte) >> filter.shift) |
                       (last_byte >= filter.limit) | (kind > VMM_OP_FETCH);
        uint32_t hash = stream_hash(filter.space_key | addr >> filter.shift, filter.seed);
        hashes[i] = odd != 0 ? 0 : hash;
    }
}

static void sample_refs_plain(const VMMRef *refs, uint32_t *hashes, size_t count,
                              SampleFilter filter) {
    sample_hash_refs(refs, hashes, count, filter);
}

VMM_WIDE VMM_VECTORISED static void sample_refs_wide(const VMMRef *refs, uint32_t *hashes,
                                                     size_t count, SampleFilter filter) {
    sample_hash_refs(refs, hashes, count, filter);
}

/* Whether one of a group is below. */
VMM_VECTORISED static bool sample_any(const uint32_t *hashes, uint64_t below) {
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < SAMPLE_GROUP; i++) {
        least = hashes[i] < least ? hashes[i] : least;
    }
    return least < below;
}

/* The references of `refs` that may be in the sample: their number; where[i] is the place of one.
 */
static size_t sample_choose(const Stream *stream, const VMMRef *refs, size_t count, VMMRef *few,
                            uint16_t *where) {
    uint32_t hashes[SAMPLE_LOOK + SAMPLE_GROUP];
    SampleFilter filter = {.seed = stream->sample_seed,
                           .limit = stream->address_limit,
                           .space_key = directory_key(&stream->directory, stream->last_space, 0),
                           .pid = stream->last_pid,
                           .shift = stream->page_shift};
    size_t chosen = 0;
    if (vmm_is_wide()) {
        sample_refs_wide(refs, hashes, count, filter);
    } else {
        sample_refs_plain(refs, hashes, count, filter);
    }
    if (stream->resume_vpn != UINT64_MAX) { /* the first one goes on */
        hashes[0] = 0;
    }
    memset(hashes + count, 0xFF, SAMPLE_GROUP * sizeof *hashes);
    for (size_t group = 0; group < count; group += SAMPLE_GROUP) {
        if (!sample_any(hashes + group, stream->sample_below)) {
            continue;
        }
        size_t end = group + SAMPLE_GROUP < count ? group + SAMPLE_GROUP : count;
        for (size_t i = group; i < end; i++) {
            if (hashes[i] < stream->sample_below) {
                few[chosen] = refs[i];
                where[chosen++] = (uint16_t)i;
            }
        }
    }
    return chosen;
}

int stream_add_sampled(Stream *stream, const VMMRef *refs, size_t count, size_t *taken,
                       Error *error) {
    Batch *batch = &stream->batch;
    VMMRef few[SAMPLE_LOOK];
    uint16_t where[SAMPLE_LOOK];
    uint64_t left = stream->max_references - stream->references;
    size_t look = count < SAMPLE_LOOK ? count : SAMPLE_LOOK;
    look = left < look ? (size_t)left : look;
    if (!stream->any || stream->refs != REFS_ALL || look == 0) { /* all need a closer look */
        int status = stream_add_stretch(stream, refs, count, taken, error);
        sample_stretch(stream);
        return status;
    }
    size_t done = 0;
    size_t chosen = sample_choose(stream, refs, look, few, where);
    int status = stream_add_stretch(stream, few, chosen, &done, error);
    sample_stretch(stream);
    *taken = done < chosen ? where[done] : look;
    batch->unsampled += *taken - done;
    stream->references += *taken - done;
    return status;
}
