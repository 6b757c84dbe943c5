/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thrashing: all processes together go round a cycle of pages that is larger than the memory, so
 * that LRU, FIFO and Clock have evicted every page just before it is needed again. The cycle has
 * factor * memory pages in all, dealt evenly to the processes: more processes do not make it
 * smaller than the memory, nor fewer.
 *
 *     memory   |--------------------|
 *     cycle    |---- pid 0 ----|---- pid 1 ----|      each goes 0, 1, ... cycle - 1, 0, 1, ...
 */
#include <inttypes.h>

#include "../base/memory.h"
#include "generator.h"

#define GEN_THRASHING_PARAMETERS(P) \
    PATTERN_COMMON(P, "1", "0")     \
    P(factor, FRACTION, "1.5", "1.000001..1000", "pages of the cycle for each page of memory")

static const PatternParameter gen_thrashing_parameters[] = {
    GEN_THRASHING_PARAMETERS(PATTERN_PARAMETER)};

typedef struct GenThrashing {
    uint64_t page_size, cycle;
    uint32_t processes;
    uint64_t *page; /* next of each process */
} GenThrashing;

/* Pages that each process needs so that all together have more than the memory. */
static uint64_t gen_thrashing_cycle(const GeneratorSetup *setup) {
    unsigned __int128 pages =
        (unsigned __int128)setup->memory_pages * generator_number(setup, "factor") / PARAMETER_ONE;
    if (pages <= setup->memory_pages) {
        pages = (unsigned __int128)setup->memory_pages + 1;
    }
    pages = (pages + setup->processes - 1) / setup->processes;
    return pages > UINT64_MAX ? UINT64_MAX : (uint64_t)pages;
}

static int gen_thrashing_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenThrashing *self = state;
    self->page_size = setup->page_size;
    self->processes = setup->processes;
    self->cycle = gen_thrashing_cycle(setup);
    uint64_t bytes;
    if (__builtin_mul_overflow(self->cycle, self->page_size, &bytes)) {
        bytes = UINT64_MAX;
    }
    uint64_t limit = setup->any_address_space ? UINT64_C(1) << 57 : setup->address_space;
    if (bytes > limit) {
        return error_set(error, VMM_E_RANGE,
                         "pattern thrashing: each process needs %" PRIu64 " pages (%" PRIu64
                         " MiB) to "
                         "exceed the memory, but its address space has %" PRIu64 " MiB; enlarge "
                         "address-space, use more processes, or lower memory",
                         self->cycle, (bytes >> 20) + (bytes % (1 << 20) != 0), limit >> 20);
    }
    self->page = generator_per_process(setup, sizeof *self->page, error);
    return self->page != NULL ? VMM_OK : VMM_E_NO_MEMORY;
}

static void gen_thrashing_fill(void *state, VMMRef *refs, size_t count) {
    GenThrashing *self = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t *page = &self->page[refs[i].pid];
        refs[i].addr = *page * self->page_size;
        *page = *page + 1 < self->cycle ? *page + 1 : 0;
    }
}

static void gen_thrashing_stop(void *state) {
    GenThrashing *self = state;
    memory_free(&memory_default, self->page, self->processes, sizeof *self->page);
}

static const GeneratorPattern pattern_thrashing = {
    .name = "thrashing",
    .help = "all processes go round a cycle of pages that is larger than the memory",
    .parameters_help = GEN_THRASHING_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_thrashing_parameters,
    .parameter_count = VMM_COUNT_OF(gen_thrashing_parameters),
    .state_size = sizeof(GenThrashing),
    .start = gen_thrashing_start,
    .fill = gen_thrashing_fill,
    .stop = gen_thrashing_stop,
};
