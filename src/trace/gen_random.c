/* SPDX-License-Identifier: Apache-2.0 */
/* random: process, operation and page are drawn independently, all pages alike. */
#include "generator.h"

#define GEN_RANDOM_PARAMETERS(P) PATTERN_COMMON(P, "0", "0.25")

static const PatternParameter gen_random_parameters[] = {GEN_RANDOM_PARAMETERS(PATTERN_PARAMETER)};

typedef struct GenRandom {
    uint64_t page_size, pages;
    Rng rng;
} GenRandom;

static int gen_random_start(void *state, const GeneratorSetup *setup, Error *error) {
    (void)error;
    GenRandom *self = state;
    self->page_size = setup->page_size;
    self->pages = setup->pages;
    self->rng = rng_seed(setup->seed, "trace.place");
    return VMM_OK;
}

static void gen_random_fill(void *state, VMMRef *refs, size_t count) {
    GenRandom *self = state;
    Rng rng = self->rng;
    for (size_t i = 0; i < count; i++) {
        refs[i].addr = rng_below(&rng, self->pages) * self->page_size;
    }
    self->rng = rng;
}

static const GeneratorPattern pattern_random = {
    .name = "random",
    .help = "process, operation and page drawn independently, all pages alike",
    .parameters_help = GEN_RANDOM_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_random_parameters,
    .parameter_count = VMM_COUNT_OF(gen_random_parameters),
    .state_size = sizeof(GenRandom),
    .start = gen_random_start,
    .fill = gen_random_fill,
};
