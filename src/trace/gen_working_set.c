/* SPDX-License-Identifier: Apache-2.0 */
/*
 * working_set: every process has a set of neighbouring pages that most of its references go to.
 * The set of each process moves on after every `shift` references of that process, whatever the
 * number of processes and the order in which they run:
 *
 *     page 0 ........[ set ]..................... pages - 1
 *                    ^base -> + step, modulo the places where a whole set fits
 */
#include "../base/memory.h"
#include "generator.h"

#define GEN_WORKING_SET_PARAMETERS(P)                                                     \
    PATTERN_COMMON(P, "0", "0.2")                                                         \
    P(set, COUNT, "64", "1..1000000000000", "pages of the working set of each process")   \
    P(inside, FRACTION, "0.9", "0..1", "fraction of the references that stay in the set") \
    P(shift, COUNT, "500", "0..1000000000000",                                            \
      "references of a process after which its set moves; 0: never")                      \
    P(step, COUNT, "16", "1..1000000000000", "pages by which the set moves")

static const PatternParameter gen_working_set_parameters[] = {
    GEN_WORKING_SET_PARAMETERS(PATTERN_PARAMETER)};

typedef struct GenWorkingSetProcess {
    uint64_t base;  /* first page of the set */
    uint64_t count; /* references since the set moved */
} GenWorkingSetProcess;

typedef struct GenWorkingSet {
    uint64_t page_size, pages;
    uint64_t set, inside, shift, step;
    uint32_t processes;
    GenWorkingSetProcess *process;
    Rng rng;
} GenWorkingSet;

static int gen_working_set_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenWorkingSet *self = state;
    self->page_size = setup->page_size;
    self->pages = setup->pages;
    self->processes = setup->processes;
    self->inside = generator_number(setup, "inside");
    self->shift = generator_number(setup, "shift");
    self->rng = rng_seed(setup->seed, "trace.place");
    int status = generator_pages(setup, "set", &self->set, error);
    if (status != VMM_OK) {
        return status;
    }
    self->step = generator_number(setup, "step") % (self->pages - self->set + 1);
    self->process = generator_per_process(setup, sizeof *self->process, error);
    if (self->process == NULL) {
        return VMM_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < self->processes; i++) {
        self->process[i].base = rng_below(&self->rng, self->pages - self->set + 1);
    }
    return VMM_OK;
}

static void gen_working_set_fill(void *state, VMMRef *refs, size_t count) {
    GenWorkingSet *self = state;
    for (size_t i = 0; i < count; i++) {
        GenWorkingSetProcess *process = &self->process[refs[i].pid];
        if (self->shift != 0 && process->count == self->shift) {
            process->base = (process->base + self->step) % (self->pages - self->set + 1);
            process->count = 0;
        }
        process->count++;
        uint64_t page = generator_chance(&self->rng, self->inside)
                            ? process->base + rng_below(&self->rng, self->set)
                            : rng_below(&self->rng, self->pages);
        refs[i].addr = page * self->page_size;
    }
}

static void gen_working_set_stop(void *state) {
    GenWorkingSet *self = state;
    memory_free(&memory_default, self->process, self->processes, sizeof *self->process);
}

static const GeneratorPattern pattern_working_set = {
    .name = "working_set",
    .help = "each process stays mostly in a set of pages, which moves on as it runs",
    .parameters_help = GEN_WORKING_SET_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_working_set_parameters,
    .parameter_count = VMM_COUNT_OF(gen_working_set_parameters),
    .state_size = sizeof(GenWorkingSet),
    .start = gen_working_set_start,
    .fill = gen_working_set_fill,
    .stop = gen_working_set_stop,
};
