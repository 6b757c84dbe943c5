/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random: any page leaves, each with the same chance, drawn from the seeded stream
 * "policy.random". The baseline of Belady, "A study of replacement algorithms for a
 * virtual-storage computer", IBM Systems Journal 5(2), 1966.
 */
#include "../../base/rng.h"
#include "policy.h"

typedef struct Random {
    Policy base;
    Rng rng;
} Random;

static int random_create(Policy *policy, const uint64_t *params, char *error) {
    (void)params;
    (void)error;
    ((Random *)policy)->rng = rng_seed(policy->seed, "policy.random");
    return VMM_OK;
}

/* The pool is full when a victim is asked for, so every frame below capacity holds a page. */
static inline uint32_t random_victim(Policy *policy) {
    return (uint32_t)rng_below(&((Random *)policy)->rng, policy->capacity);
}

static void random_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    snprintf(text, size, "drawn at random (frame %u)", victim);
}

static const PolicyType random_policy = {
    .info.name = "random",
    .info.label = "Random",
    .info.summary = "any page, each with the same chance, seeded",
    .info.source = "Belady, IBM Systems Journal 5(2), 1966",
    .info.needs = VMM_NEEDS_NOTHING,
    .state_size = sizeof(Random),
    .create = random_create,
    .victim = random_victim,
    .why = random_why,
};
