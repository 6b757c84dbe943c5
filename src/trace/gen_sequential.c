/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sequential: every process walks through its address space page by page from page 0, and starts
 * again at its end. Nothing is used twice before that.
 */
#include "../base/memory.h"
#include "generator.h"

#define GEN_SEQUENTIAL_PARAMETERS(P) PATTERN_COMMON(P, "100", "0.25")

static const PatternParameter gen_sequential_parameters[] = {
    GEN_SEQUENTIAL_PARAMETERS(PATTERN_PARAMETER)};

typedef struct GenSequential {
    uint64_t page_size, pages;
    uint32_t processes;
    uint64_t *page; /* next of each process */
} GenSequential;

static int gen_sequential_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenSequential *self = state;
    self->page_size = setup->page_size;
    self->pages = setup->pages;
    self->processes = setup->processes;
    self->page = generator_per_process(setup, sizeof *self->page, error);
    return self->page != NULL ? VMM_OK : VMM_E_NO_MEMORY;
}

static void gen_sequential_fill(void *state, VMMRef *refs, size_t count) {
    GenSequential *self = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t *page = &self->page[refs[i].pid];
        refs[i].addr = *page * self->page_size;
        *page = *page + 1 < self->pages ? *page + 1 : 0;
    }
}

static void gen_sequential_stop(void *state) {
    GenSequential *self = state;
    memory_free(&memory_default, self->page, self->processes, sizeof *self->page);
}

static const GeneratorPattern pattern_sequential = {
    .name = "sequential",
    .help = "each process walks through its address space page by page",
    .parameters_help = GEN_SEQUENTIAL_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_sequential_parameters,
    .parameter_count = VMM_COUNT_OF(gen_sequential_parameters),
    .state_size = sizeof(GenSequential),
    .start = gen_sequential_start,
    .fill = gen_sequential_fill,
    .stop = gen_sequential_stop,
};
