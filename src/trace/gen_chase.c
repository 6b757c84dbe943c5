/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chase: every process follows pointers round a random cycle through its pages, as a program does
 * in a shuffled linked list. The cycle visits every page once before it begins again, and a page
 * is always followed by the same next one. No list is kept: the n-th page of the cycle is where a
 * permutation by formula (gen_permutation.h) sends n.
 */
#include "../base/memory.h"
#include "gen_permutation.h"
#include "generator.h"

#define GEN_CHASE_PARAMETERS(P)      \
    PATTERN_COMMON(P, "100", "0.25") \
    P(pages, COUNT, "4096", "0..1000000000000", "pages of the cycle; 0: the whole address space")

static const PatternParameter gen_chase_parameters[] = {GEN_CHASE_PARAMETERS(PATTERN_PARAMETER)};

typedef struct GenChase {
    uint64_t page_size;
    Permutation permutation;
    uint32_t processes;
    uint64_t *position; /* of each process in its cycle */
} GenChase;

static int gen_chase_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenChase *self = state;
    self->page_size = setup->page_size;
    self->processes = setup->processes;
    uint64_t pages;
    int status = generator_pages(setup, "pages", &pages, error);
    if (status != VMM_OK) {
        return status;
    }
    Rng rng = rng_seed(setup->seed, "trace.place");
    permutation_init(&self->permutation, pages, &rng);
    self->position = generator_per_process(setup, sizeof *self->position, error);
    return self->position != NULL ? VMM_OK : VMM_E_NO_MEMORY;
}

static void gen_chase_fill(void *state, VMMRef *refs, size_t count) {
    GenChase *self = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t *position = &self->position[refs[i].pid];
        uint64_t tweak = rng_mix(refs[i].pid);
        refs[i].addr = permutation_at(&self->permutation, tweak, *position) * self->page_size;
        *position = *position + 1 < self->permutation.count ? *position + 1 : 0;
    }
}

static void gen_chase_stop(void *state) {
    GenChase *self = state;
    memory_free(&memory_default, self->position, self->processes, sizeof *self->position);
}

static const GeneratorPattern pattern_chase = {
    .name = "chase",
    .help = "each process follows pointers round a random cycle through its pages",
    .parameters_help = GEN_CHASE_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_chase_parameters,
    .parameter_count = VMM_COUNT_OF(gen_chase_parameters),
    .state_size = sizeof(GenChase),
    .start = gen_chase_start,
    .fill = gen_chase_fill,
    .stop = gen_chase_stop,
};
