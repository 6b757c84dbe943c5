/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phases: a process works for `length` references on one set of neighbouring pages, then leaves it
 * for another at a random place, and so on. Within a phase it goes to the pages of the set at
 * random, or loops over them; by default one kind of phase follows the other.
 */
#include "../base/memory.h"
#include "generator.h"

#define GEN_PHASES_PARAMETERS(P)                                                         \
    PATTERN_COMMON(P, "100", "0.25")                                                     \
    P(length, COUNT, "1000", "1..1000000000000", "references of a process in one phase") \
    P(set, COUNT, "256", "1..1000000000000", "pages of a phase")                         \
    P(order, CHOICE, "alternate", "alternate|random|loop", "how a phase goes over its pages")

static const PatternParameter gen_phases_parameters[] = {GEN_PHASES_PARAMETERS(PATTERN_PARAMETER)};

enum { GEN_PHASES_ALTERNATE, GEN_PHASES_RANDOM, GEN_PHASES_LOOP };

typedef struct GenPhasesProcess {
    uint64_t phases; /* begun so far */
    uint64_t left;   /* references left in this one */
    uint64_t base;   /* first page of its set */
    uint64_t turn;   /* page of the set that a loop is at */
} GenPhasesProcess;

typedef struct GenPhases {
    uint64_t page_size, pages;
    uint64_t length, set, order;
    uint64_t key; /* of the places of the sets */
    uint32_t processes;
    GenPhasesProcess *process;
    Rng rng;
} GenPhases;

static int gen_phases_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenPhases *self = state;
    self->page_size = setup->page_size;
    self->pages = setup->pages;
    self->processes = setup->processes;
    self->length = generator_number(setup, "length");
    self->order = generator_number(setup, "order");
    self->key = rng_seed(setup->seed, "trace.phases").state;
    self->rng = rng_seed(setup->seed, "trace.place");
    int status = generator_pages(setup, "set", &self->set, error);
    if (status != VMM_OK) {
        return status;
    }
    self->process = generator_per_process(setup, sizeof *self->process, error);
    return self->process != NULL ? VMM_OK : VMM_E_NO_MEMORY;
}

/* The place of a phase depends on its process and number only, not on who ran before. */
static void gen_phases_begin(const GenPhases *self, GenPhasesProcess *process, uint32_t pid) {
    Rng rng = {self->key ^ rng_mix((uint64_t)pid << 40 ^ process->phases)};
    process->base = rng_below(&rng, self->pages - self->set + 1);
    process->turn = 0;
    process->left = self->length;
    process->phases++;
}

static void gen_phases_fill(void *state, VMMRef *refs, size_t count) {
    GenPhases *self = state;
    for (size_t i = 0; i < count; i++) {
        GenPhasesProcess *process = &self->process[refs[i].pid];
        if (process->left == 0) {
            gen_phases_begin(self, process, refs[i].pid);
        }
        process->left--;
        int loop = self->order == GEN_PHASES_LOOP ||
                   (self->order == GEN_PHASES_ALTERNATE && process->phases % 2 == 0);
        uint64_t page;
        if (loop) {
            page = process->turn;
            process->turn = process->turn + 1 < self->set ? process->turn + 1 : 0;
        } else {
            page = rng_below(&self->rng, self->set);
        }
        refs[i].addr = (process->base + page) * self->page_size;
    }
}

static void gen_phases_stop(void *state) {
    GenPhases *self = state;
    memory_free(&memory_default, self->process, self->processes, sizeof *self->process);
}

static const GeneratorPattern pattern_phases = {
    .name = "phases",
    .help = "each process works on one set of pages, then on another: phase changes",
    .parameters_help = GEN_PHASES_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_phases_parameters,
    .parameter_count = VMM_COUNT_OF(gen_phases_parameters),
    .state_size = sizeof(GenPhases),
    .start = gen_phases_start,
    .fill = gen_phases_fill,
    .stop = gen_phases_stop,
};
