/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sampled LRU: the least recently used of a few pages drawn at random leaves.
 *
 *      frames   | 12 | 90 | 41 | 77 |  5 | 63 | ...      time of the last reference
 *                      ^         ^         ^             drawn: 63 leaves
 *
 * No order is kept: a hit notes the time, and an eviction looks at `samples` frames, each drawn
 * from all with the same chance (a frame may be drawn twice). What leaves is among the 1/(n + 1)
 * least recent of memory on average, so with 5 samples misses are between those of Random and of
 * LRU, with 2 they are what simulators call random-two. This is how Redis came by its LRU; it now
 * also keeps good candidates between evictions, which is not done here.
 *
 * Draws come from the seeded stream "policy.sampled".
 *
 * Source: Psounis and Prabhakar, "A randomized web-cache replacement scheme", INFOCOM 2001.
 */
#include "../../base/rng.h"
#include "policy.h"

typedef struct Sampled {
    Policy base;
    uint64_t *last; /* by frame: place of the last reference among all that were noted */
    uint64_t noted;
    uint32_t samples;
    uint32_t reserved;
    Rng rng;
} Sampled;

static int sampled_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Sampled *sampled = (Sampled *)policy;
    sampled->samples = (uint32_t)params[0];
    sampled->rng = rng_seed(policy->seed, "policy.sampled");
    return VMM_OK;
}

static void sampled_destroy(Policy *policy) {
    Sampled *sampled = (Sampled *)policy;
    memory_free(policy->memory, sampled->last, sampled->reserved, sizeof *sampled->last);
}

static bool sampled_reserve(Policy *policy, uint32_t frames) {
    Sampled *sampled = (Sampled *)policy;
    uint64_t *grown =
        memory_grow(policy->memory, sampled->last, sampled->reserved, frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    sampled->last = grown;
    sampled->reserved = frames;
    return true;
}

static inline void sampled_touch(Policy *policy, uint32_t frame) {
    Sampled *sampled = (Sampled *)policy;
    sampled->last[frame] = sampled->noted++;
}

/* The pool is full when a victim is asked for, so every frame below capacity holds a page. */
static inline uint32_t sampled_victim(Policy *policy) {
    Sampled *sampled = (Sampled *)policy;
    uint32_t victim = (uint32_t)rng_below(&sampled->rng, policy->capacity);
    for (uint32_t i = 1; i < sampled->samples; i++) {
        uint32_t frame = (uint32_t)rng_below(&sampled->rng, policy->capacity);
        victim = sampled->last[frame] < sampled->last[victim] ? frame : victim;
    }
    return victim;
}

static void sampled_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    snprintf(text, size, "least recently used of %u frames drawn at random (frame %u)",
             ((const Sampled *)policy)->samples, victim);
}

static const PolicyType sampled_policy = {
    .info.name = "sampled",
    .info.label = "Sampled LRU",
    .info.summary = "least recently used of a few pages drawn at random, seeded",
    .info.source = "Psounis, Prabhakar, INFOCOM 2001; Redis",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .touch_last = true,
    .state_size = sizeof(Sampled),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"samples", 5, 1, 1024, "pages drawn for each eviction", NULL},
            {.name = NULL},
        },
    .create = sampled_create,
    .destroy = sampled_destroy,
    .reserve = sampled_reserve,
    .insert = sampled_touch,
    .touch = sampled_touch,
    .victim = sampled_victim,
    .why = sampled_why,
};
