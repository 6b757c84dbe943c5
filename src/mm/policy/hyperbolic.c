/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hyperbolic: the page used at the lowest rate since it was loaded leaves.
 *
 *     priority = uses / (references since it was loaded)
 *
 * A page's priority decays like a hyperbola while it is not used, at its own speed: so no order of
 * the pages lasts. Instead `sample` frames are drawn, and the one with the lowest priority of them
 * leaves, the first drawn among equals. Bounded work: a hit counts, a victim costs the sample.
 *
 * Source: Blankstein, Sen and Freedman, "Hyperbolic caching: flexible caching for web
 * applications", USENIX ATC 2017.
 */
#include "../../base/rng.h"
#include "policy.h"

typedef struct HyperbolicFrame {
    uint64_t uses;
    uint64_t loaded; /* the clock then */
} HyperbolicFrame;

typedef struct Hyperbolic {
    Policy base;
    HyperbolicFrame *frames;
    uint32_t reserved;
    uint32_t sample;
    Rng rng;
} Hyperbolic;

static int hyperbolic_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Hyperbolic *hyperbolic = (Hyperbolic *)policy;
    hyperbolic->sample = (uint32_t)params[0];
    hyperbolic->rng = rng_seed(policy->seed, "policy.random");
    return VMM_OK;
}

static void hyperbolic_destroy(Policy *policy) {
    Hyperbolic *hyperbolic = (Hyperbolic *)policy;
    memory_free(policy->memory, hyperbolic->frames, hyperbolic->reserved,
                sizeof *hyperbolic->frames);
}

static bool hyperbolic_reserve(Policy *policy, uint32_t frames) {
    Hyperbolic *hyperbolic = (Hyperbolic *)policy;
    HyperbolicFrame *grown = memory_grow(policy->memory, hyperbolic->frames, hyperbolic->reserved,
                                         frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    hyperbolic->frames = grown;
    hyperbolic->reserved = frames;
    return true;
}

static inline void hyperbolic_insert(Policy *policy, uint32_t frame) {
    ((Hyperbolic *)policy)->frames[frame] = (HyperbolicFrame){1, policy->clock};
}

static inline void hyperbolic_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    ((Hyperbolic *)policy)->frames[frame].uses += count;
}

static inline void hyperbolic_touch(Policy *policy, uint32_t frame) {
    hyperbolic_touch_many(policy, frame, 1);
}

static double hyperbolic_priority(const Hyperbolic *hyperbolic, uint32_t frame) {
    const HyperbolicFrame *state = &hyperbolic->frames[frame];
    return (double)state->uses / (double)(hyperbolic->base.clock - state->loaded);
}

/* The pool is full: any frame holds a page. */
static uint32_t hyperbolic_victim(Policy *policy) {
    Hyperbolic *hyperbolic = (Hyperbolic *)policy;
    uint32_t victim = (uint32_t)rng_below(&hyperbolic->rng, policy->capacity);
    double least = hyperbolic_priority(hyperbolic, victim);
    for (uint32_t drawn = 1; drawn < hyperbolic->sample; drawn++) {
        uint32_t frame = (uint32_t)rng_below(&hyperbolic->rng, policy->capacity);
        double priority = hyperbolic_priority(hyperbolic, frame);
        if (priority < least) {
            victim = frame;
            least = priority;
        }
    }
    return victim;
}

static void hyperbolic_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Hyperbolic *hyperbolic = (const Hyperbolic *)policy;
    snprintf(text, size, "lowest rate of %u drawn: %llu uses in %llu references",
             hyperbolic->sample, (unsigned long long)hyperbolic->frames[victim].uses,
             (unsigned long long)(policy->clock - hyperbolic->frames[victim].loaded));
}

static const PolicyType hyperbolic_policy = {
    .info.name = "hyperbolic",
    .info.label = "Hyperbolic",
    .info.summary = "lowest rate of uses since loaded, of a sample",
    .info.source = "Blankstein, Sen, Freedman, USENIX ATC 2017",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .uses_clock = true,
    .state_size = sizeof(Hyperbolic),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"sample", 64, 1, 1024, "frames drawn for each victim", NULL},
            {.name = NULL},
        },
    .create = hyperbolic_create,
    .destroy = hyperbolic_destroy,
    .reserve = hyperbolic_reserve,
    .insert = hyperbolic_insert,
    .touch = hyperbolic_touch,
    .touch_many = hyperbolic_touch_many,
    .victim = hyperbolic_victim,
    .why = hyperbolic_why,
};
