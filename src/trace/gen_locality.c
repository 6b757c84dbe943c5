/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locality: every process has a place of its own. Most references are near the one before it, the
 * others jump anywhere. Addresses are bytes, not page beginnings.
 */
#include "../base/memory.h"
#include "generator.h"

#define GEN_LOCALITY_PARAMETERS(P)                                                             \
    PATTERN_COMMON(P, "50", "0.25")                                                            \
    P(near, FRACTION, "0.7", "0..1", "fraction of the references that stay near the last one") \
    P(span, SIZE, "64K", "1..1024T", "bytes within which near lies, half of them on each side")

static const PatternParameter gen_locality_parameters[] = {
    GEN_LOCALITY_PARAMETERS(PATTERN_PARAMETER)};

typedef struct GenLocality {
    uint64_t bytes; /* of the address space */
    uint64_t near, span, back;
    uint32_t processes;
    uint64_t *place; /* last address of each process */
    Rng rng;
} GenLocality;

static int gen_locality_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenLocality *self = state;
    self->bytes = setup->address_space;
    self->processes = setup->processes;
    self->near = generator_number(setup, "near");
    self->span = generator_number(setup, "span");
    self->back = self->bytes - self->span / 2 % self->bytes;
    self->rng = rng_seed(setup->seed, "trace.place");
    self->place = generator_per_process(setup, sizeof *self->place, error);
    if (self->place == NULL) {
        return VMM_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < self->processes; i++) {
        self->place[i] = rng_below(&self->rng, self->bytes);
    }
    return VMM_OK;
}

static void gen_locality_fill(void *state, VMMRef *refs, size_t count) {
    GenLocality *self = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t *place = &self->place[refs[i].pid];
        if (generator_chance(&self->rng, self->near)) {
            *place = (*place + self->back + rng_below(&self->rng, self->span)) % self->bytes;
        } else {
            *place = rng_below(&self->rng, self->bytes);
        }
        refs[i].addr = *place;
    }
}

static void gen_locality_stop(void *state) {
    GenLocality *self = state;
    memory_free(&memory_default, self->place, self->processes, sizeof *self->place);
}

static const GeneratorPattern pattern_locality = {
    .name = "locality",
    .help = "each process wanders about near its last address and sometimes jumps",
    .parameters_help = GEN_LOCALITY_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_locality_parameters,
    .parameter_count = VMM_COUNT_OF(gen_locality_parameters),
    .state_size = sizeof(GenLocality),
    .start = gen_locality_start,
    .fill = gen_locality_fill,
    .stop = gen_locality_stop,
};
