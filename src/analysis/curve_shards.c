/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHARDS: the LRU curve of a sample of the pages (Waldspurger, Park, Garthwaite, Ahmad, FAST 2015).
 *
 * The stream gives the pages whose hash is below a bound, a share R of all. Between two references
 * to a page as many sampled pages lie as others, times R: a page found at depth d of the sample's
 * LRU stack is taken to be at depth 1 + (d - 1) / R, and stands for 1 / R page references. With a
 * bound on the number of pages, the page with the greatest hash leaves the sample for good when one
 * is too many, and its hash becomes the bound: R shrinks (the paper's fixed size).
 *
 * What is counted are misses alone. The paper's correction, SHARDS-adj, adds what the sample lacks
 * to the hits of the smallest memory, so that references sum up to their true number; misses
 * divided by that number are the same, and we have no use for the hits. A popular page that is in
 * the sample or not then changes little, for it seldom misses.
 *
 * THE INTERVAL has two sources. Which pages are in the sample: they fall by a second hash into
 * SHARDS_GROUPS groups, whose misses vary as the sample's do; the standard error of their sum is
 * the square root of G / (G - 1) times the sum of squares of what each differs from their mean. And
 * the depths: of the C other pages in a memory of C frames, C R are in the sample, give or take
 * sqrt(C R), so the size itself is known to sqrt(C / R) only, where a curve has a cliff that is all
 * that matters. So the exact curve at C lies between the sampled one at C + SHARDS_SHIFT
 * sqrt(C / R) + 1 / R, less SHARDS_ERRORS standard errors, and that at C less as much, plus as
 * many; wide enough for the whole curve at once, which tests/property/test_shards.py shows over
 * seeds.
 *
 * Depths are kept in buckets of 1/256 of an octave, so memory depends on the pages of the sample
 * only.
 */
#include <string.h>

#include "../base/rng.h"
#include "curve.h"
#include "lru_stack.h"

enum {
    SHARDS_GROUPS = 32,
    SHARDS_FINE_BITS = 8, /* buckets of an octave, as a power of two */
    SHARDS_BUCKETS = (48 - SHARDS_FINE_BITS) << SHARDS_FINE_BITS
};

#define SHARDS_ALL (UINT64_C(1) << 32) /* the bound that no hash reaches */
#define SHARDS_SHIFT 3.0
#define SHARDS_ERRORS 4.0

typedef struct ShardsCurve {
    VMMCurve base;
    LruStack stack;
    StackPage *pages; /* by page id; dirty_from is a bucket */
    uint32_t page_count;
    uint32_t live;  /* pages of the sample now */
    uint32_t most;  /* at most so many, 0: any number */
    uint32_t *heap; /* with `most`: page ids, the greatest hash on top; some are gone */
    uint32_t heap_count, heap_capacity;
    double *misses;  /* by bucket and group: first page references found there; then misses */
    double *written; /* by bucket: differences of write-backs; then write-backs */
    double *left;    /* by bucket: pages that end dirty; likewise */
    double *error;   /* by bucket, when finished: standard error of misses */
    double cold[SHARDS_GROUPS];
    uint64_t references, invalid, sampled;
} ShardsCurve;

/* ---- Buckets -------------------------------------------------------------------------------- */

static uint32_t shards_bucket(uint64_t size) {
    if (size < UINT64_C(1) << SHARDS_FINE_BITS) {
        return (uint32_t)size;
    }
    unsigned octave = 63u - (unsigned)__builtin_clzll(size) - SHARDS_FINE_BITS;
    uint64_t bucket = ((uint64_t)octave << SHARDS_FINE_BITS) + (size >> octave);
    return bucket < SHARDS_BUCKETS ? (uint32_t)bucket : SHARDS_BUCKETS - 1;
}

/* The smallest size in a bucket. */
static uint64_t shards_size(uint32_t bucket) {
    uint32_t octave = bucket >> SHARDS_FINE_BITS;
    if (octave < 2) {
        return bucket;
    }
    uint64_t mantissa = (bucket & ((1u << SHARDS_FINE_BITS) - 1)) | 1u << SHARDS_FINE_BITS;
    return mantissa << (octave - 1);
}

static double shards_rate(const ShardsCurve *shards) {
    return (double)shards->base.stream->sample_below / (double)SHARDS_ALL;
}

/* Without libm: Newton's method, from above. */
static double shards_root(double square) {
    double root = square > 1.0 ? square : 1.0;
    for (int step = 0; step < 200 && root * root > square; step++) {
        double next = (root + square / root) / 2;
        if (next >= root) {
            break;
        }
        root = next;
    }
    return root;
}

/* ---- Room ----------------------------------------------------------------------------------- */

static int shardscurve_create(VMMCurve *curve, const VMMCurveOptions *options, Error *error) {
    ShardsCurve *shards = (ShardsCurve *)curve;
    const Memory *memory = &curve->memory;
    size_t buckets = SHARDS_BUCKETS;
    double rate = options->sample_rate;
    uint64_t below = (uint64_t)(rate * (double)SHARDS_ALL);
    if (options->sample_pages != 0 &&
        (options->sample_pages < 64 || options->sample_pages > UINT32_MAX / 16)) {
        return error_set(error, VMM_E_RANGE, "a sample of %llu pages, expected 64 to %u",
                         (unsigned long long)options->sample_pages, UINT32_MAX / 16);
    }
    if (curve->settings.scope == SCOPE_PROCESS) {
        return error_set(error, VMM_E_CONFIG,
                         "a sample tells of one memory that all share, not of scope = process");
    }
    shards->most = (uint32_t)options->sample_pages;
    curve->sample_below = rate > 0.0 ? (below > 0 ? below : 1) : SHARDS_ALL;
    shards->misses = memory_zalloc(memory, buckets * SHARDS_GROUPS, sizeof *shards->misses);
    shards->written = memory_zalloc(memory, buckets, sizeof *shards->written);
    shards->left = memory_zalloc(memory, buckets, sizeof *shards->left);
    shards->error = memory_zalloc(memory, buckets, sizeof *shards->error);
    return shards->misses != NULL && shards->written != NULL && shards->left != NULL &&
                   shards->error != NULL
               ? VMM_OK
               : error_no_memory(error, buckets * SHARDS_GROUPS * sizeof *shards->misses,
                                 "a sampled curve");
}

static void shardscurve_destroy(VMMCurve *curve) {
    ShardsCurve *shards = (ShardsCurve *)curve;
    const Memory *memory = &curve->memory;
    size_t buckets = SHARDS_BUCKETS;
    lru_stack_free(&shards->stack, memory);
    memory_free(memory, shards->pages, shards->page_count, sizeof *shards->pages);
    memory_free(memory, shards->heap, shards->heap_capacity, sizeof *shards->heap);
    memory_free(memory, shards->misses, buckets * SHARDS_GROUPS, sizeof *shards->misses);
    memory_free(memory, shards->written, buckets, sizeof *shards->written);
    memory_free(memory, shards->left, buckets, sizeof *shards->left);
    memory_free(memory, shards->error, buckets, sizeof *shards->error);
}

static int shardscurve_reserve(VMMCurve *curve, Error *error) {
    ShardsCurve *shards = (ShardsCurve *)curve;
    const Memory *memory = &curve->memory;
    uint32_t count = curve->stream->directory.count;
    uint64_t heap =
        shards->most == 0 ? 0 : (uint64_t)shards->heap_count + curve->stream->batch.count;
    if (count > shards->page_count) {
        uint32_t wanted = count < UINT32_MAX / 2 ? count + count / 2 : UINT32_MAX;
        StackPage *pages =
            memory_grow(memory, shards->pages, shards->page_count, wanted, sizeof *pages);
        if (pages == NULL) {
            return error_no_memory(error, wanted * sizeof *pages, "the pages of a sample");
        }
        for (uint32_t i = shards->page_count; i < wanted; i++) {
            pages[i] = (StackPage){STACK_NOWHERE, DEPTHS_CLEAN};
        }
        shards->pages = pages;
        shards->page_count = wanted;
    }
    if (heap > shards->heap_capacity) {
        uint32_t wanted = (uint32_t)(heap + heap / 2);
        uint32_t *grown =
            memory_grow(memory, shards->heap, shards->heap_capacity, wanted, sizeof *grown);
        if (grown == NULL) {
            return error_no_memory(error, wanted * sizeof *grown, "the pages of a sample");
        }
        shards->heap = grown;
        shards->heap_capacity = wanted;
    }
    return lru_stack_reserve(&shards->stack, memory, shards->pages, count, error);
}

/* ---- The bound on the number of pages ------------------------------------------------------- */

static uint32_t shards_hash(const ShardsCurve *shards, uint32_t page) {
    const Stream *stream = shards->base.stream;
    return stream_hash(stream->directory.keys[page], stream->sample_seed);
}

static void shards_push(ShardsCurve *shards, uint32_t page) {
    uint32_t *heap = shards->heap;
    uint32_t hash = shards_hash(shards, page);
    uint32_t at = shards->heap_count++;
    for (; at > 0 && shards_hash(shards, heap[(at - 1) / 2]) < hash; at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = page;
}

static uint32_t shards_pop(ShardsCurve *shards) {
    uint32_t *heap = shards->heap;
    uint32_t top = heap[0];
    uint32_t last = heap[--shards->heap_count];
    uint32_t hash = shards_hash(shards, last);
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < shards->heap_count &&
            shards_hash(shards, heap[child + 1]) > shards_hash(shards, heap[child])) {
            child++;
        }
        if (child >= shards->heap_count || shards_hash(shards, heap[child]) <= hash) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

/* Makes the greatest hash the bound, and takes the pages out that have it. */
static void shards_shrink(ShardsCurve *shards) {
    Stream *stream = shards->base.stream;
    stream->sample_below = shards_hash(shards, shards->heap[0]);
    while (shards->heap_count > 0 && shards_hash(shards, shards->heap[0]) >= stream->sample_below) {
        uint32_t page = shards_pop(shards);
        if (shards->pages[page].place != STACK_NOWHERE) { /* else it was given up */
            lru_stack_remove(&shards->stack, shards->pages, page);
            shards->live--;
        }
    }
}

/* ---- References ----------------------------------------------------------------------------- */

/* The page has gone down to a depth of this bucket: smaller memories have saved it. */
static void shards_sink(ShardsCurve *shards, StackPage *page, uint32_t bucket, double weight) {
    if (page->dirty_from < bucket) {
        shards->written[page->dirty_from] += weight;
        shards->written[bucket] -= weight;
        page->dirty_from = bucket;
    }
}

static uint32_t shards_bucket_of_depth(uint32_t depth, double rate) {
    return shards_bucket((uint64_t)(1.0 + (double)(depth - 1) / rate));
}

static void shards_take_one(ShardsCurve *shards, uint32_t page, bool write) {
    uint64_t key = shards->base.stream->directory.keys[page];
    uint32_t group = (uint32_t)(rng_mix(key ^ shards->base.settings.seed) >> 59);
    double rate = shards_rate(shards);
    StackPage *kept = &shards->pages[page];
    uint32_t depth = lru_stack_touch(&shards->stack, shards->pages, page);
    if (depth != 0) {
        uint32_t bucket = shards_bucket_of_depth(depth, rate);
        shards->misses[(size_t)bucket * SHARDS_GROUPS + group] += 1.0 / rate;
        shards_sink(shards, kept, bucket, 1.0 / rate);
    } else {
        shards->cold[group] += 1.0 / rate;
        shards->live++;
    }
    kept->dirty_from = write ? 1 : depth != 0 ? kept->dirty_from : DEPTHS_CLEAN;
    if (depth == 0 && shards->most != 0) {
        shards_push(shards, page);
        if (shards->live > shards->most) {
            shards_shrink(shards);
        }
    }
}

static void shardscurve_take(VMMCurve *curve, const CurvePart *part) {
    ShardsCurve *shards = (ShardsCurve *)curve;
    const Batch *batch = part->batch;
    const Stream *stream = curve->stream;
    uint64_t repeats = curve_repeats(part);
    shards->references += batch->count + repeats + batch->unsampled;
    for (size_t i = 0; i < batch->count; i++) {
        uint32_t page = batch->page[i];
        if (VMM_UNLIKELY(page == DIRECTORY_NO_PAGE)) {
            shards->invalid++;
        } else if (shards->most == 0 || shards_hash(shards, page) < stream->sample_below) {
            shards_take_one(shards, page, (batch->op[i] & OP_WRITE_BIT) != 0);
            bool stays = shards->pages[page].place != STACK_NOWHERE;
            shards->sampled += 1 + (stays ? (uint64_t)batch_repeat(batch, i) : 0);
        }
    }
}

static int shardscurve_discard(VMMCurve *curve, uint32_t page, Error *error) {
    ShardsCurve *shards = (ShardsCurve *)curve;
    StackPage *kept = &shards->pages[page];
    if (kept->place == STACK_NOWHERE) {
        return VMM_OK;
    }
    int status = lru_stack_reserve_holes(&shards->stack, &curve->memory, error);
    if (status == VMM_OK) {
        double rate = shards_rate(shards);
        uint32_t depth = lru_stack_depth(&shards->stack, kept->place, shards->stack.now - 1);
        shards_sink(shards, kept, shards_bucket_of_depth(depth, rate), 1.0 / rate);
        lru_stack_make_hole(&shards->stack, kept->place);
        *kept = (StackPage){STACK_NOWHERE, DEPTHS_CLEAN};
        shards->live--;
    }
    return status;
}

/* ---- Results -------------------------------------------------------------------------------- */

static void shards_end(void *user, uint32_t page, uint32_t depth) {
    ShardsCurve *shards = user;
    StackPage *kept = &shards->pages[page];
    double rate = shards_rate(shards);
    if (kept->dirty_from != DEPTHS_CLEAN) {
        shards_sink(shards, kept, shards_bucket_of_depth(depth, rate), 1.0 / rate);
        shards->left[kept->dirty_from] += 1.0 / rate;
    }
}

/* Misses by size in place of page references by depth, group by group, and their error. */
static int shardscurve_finish(VMMCurve *curve, Error *unused) {
    ShardsCurve *shards = (ShardsCurve *)curve;
    double groups[SHARDS_GROUPS];
    (void)unused;
    lru_stack_each(&shards->stack, shards_end, shards);
    memcpy(groups, shards->cold, sizeof groups);
    for (uint32_t bucket = SHARDS_BUCKETS; bucket-- > 0;) {
        double *found = shards->misses + (size_t)bucket * SHARDS_GROUPS;
        double sum = 0.0;
        double squares = 0.0;
        for (uint32_t group = 0; group < SHARDS_GROUPS; group++) {
            double deeper = groups[group];
            groups[group] += found[group];
            found[group] = deeper;
            sum += deeper;
        }
        for (uint32_t group = 0; group < SHARDS_GROUPS; group++) {
            double difference = found[group] - sum / SHARDS_GROUPS;
            squares += difference * difference;
        }
        found[0] = sum;
        shards->error[bucket] = shards_root(squares * SHARDS_GROUPS / (SHARDS_GROUPS - 1) *
                                            (1.0 - shards_rate(shards)));
    }
    for (uint32_t bucket = 1; bucket < SHARDS_BUCKETS; bucket++) {
        shards->written[bucket] += shards->written[bucket - 1];
        shards->left[bucket] += shards->left[bucket - 1];
    }
    return VMM_OK;
}

static double shards_misses(const ShardsCurve *shards, uint32_t bucket) {
    return shards->misses[(size_t)bucket * SHARDS_GROUPS];
}

static uint64_t shards_rounded(double number) {
    return number > 0.0 ? (uint64_t)(number + 0.5) : 0;
}

static void shardscurve_describe(const VMMCurve *curve, size_t series,
                                 VMMCurveSeries *description) {
    const ShardsCurve *shards = (const ShardsCurve *)curve;
    (void)series;
    description->page_references = shards->references;
    description->invalid = shards->invalid;
    description->cold_misses = shards_rounded(shards_misses(shards, SHARDS_BUCKETS - 1));
    description->sampled = shards->sampled;
}

/* A share of the page references, from 0 to 1. */
static double shards_share(const ShardsCurve *shards, double misses) {
    double all = (double)(shards->references - shards->invalid);
    double share = all == 0.0 ? 0.0 : misses / all;
    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    return all == 0.0 ? 0.0 : share * all / (double)shards->references;
}

static void shardscurve_at(const VMMCurve *curve, size_t series, uint64_t size,
                           VMMCurvePoint *point) {
    const ShardsCurve *shards = (const ShardsCurve *)curve;
    double rate = shards_rate(shards);
    double shift = rate < 1.0 ? SHARDS_SHIFT * shards_root((double)size / rate) + 1.0 / rate : 0.0;
    uint32_t bucket = shards_bucket(size);
    uint32_t less = (double)size > shift ? shards_bucket((uint64_t)((double)size - shift)) : 0;
    uint32_t more = shards_bucket((uint64_t)((double)size + shift)) + 1;
    more = more < SHARDS_BUCKETS ? more : SHARDS_BUCKETS - 1;
    (void)series;
    double all = (double)(shards->references - shards->invalid);
    double misses = shards_misses(shards, bucket);
    point->misses = shards_rounded(misses < all ? misses : all);
    point->writebacks = shards_rounded(shards->written[bucket]);
    point->dirty_left = shards_rounded(shards->left[bucket]);
    point->low =
        shards_share(shards, shards_misses(shards, more) - SHARDS_ERRORS * shards->error[more]);
    point->high = less == 0 ? shards_share(shards, all)
                            : shards_share(shards, shards_misses(shards, less) +
                                                       SHARDS_ERRORS * shards->error[less]);
}

static uint64_t shardscurve_next(const VMMCurve *curve, size_t series, uint64_t size) {
    const ShardsCurve *shards = (const ShardsCurve *)curve;
    (void)series;
    if (size == 0) {
        return 1;
    }
    for (uint32_t bucket = shards_bucket(size) + 1; bucket < SHARDS_BUCKETS; bucket++) {
        if (shards_misses(shards, bucket) < shards_misses(shards, bucket - 1) ||
            shards_rounded(shards->written[bucket]) !=
                shards_rounded(shards->written[bucket - 1])) {
            return shards_size(bucket);
        }
    }
    return 0;
}

const CurveType curve_shards = {
    .samples = true,
    .state_size = sizeof(ShardsCurve),
    .create = shardscurve_create,
    .destroy = shardscurve_destroy,
    .reserve = shardscurve_reserve,
    .take = shardscurve_take,
    .discard = shardscurve_discard,
    .finish = shardscurve_finish,
    .describe = shardscurve_describe,
    .at = shardscurve_at,
    .next = shardscurve_next,
};
