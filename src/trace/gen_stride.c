/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stride: every process goes through its address space in steps of `stride` bytes from address 0,
 * modulo its size, as a program does that reads a column of a matrix.
 */
#include "../base/memory.h"
#include "generator.h"

#define GEN_STRIDE_PARAMETERS(P)     \
    PATTERN_COMMON(P, "100", "0.25") \
    P(stride, SIZE, "64K", "1..1024T", "bytes from one reference of a process to its next")

static const PatternParameter gen_stride_parameters[] = {GEN_STRIDE_PARAMETERS(PATTERN_PARAMETER)};

typedef struct GenStride {
    uint64_t bytes; /* of the address space */
    uint64_t stride;
    uint32_t processes;
    uint64_t *place; /* next address of each process */
} GenStride;

static int gen_stride_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenStride *self = state;
    self->bytes = setup->address_space;
    self->stride = generator_number(setup, "stride");
    self->processes = setup->processes;
    self->place = generator_per_process(setup, sizeof *self->place, error);
    return self->place != NULL ? VMM_OK : VMM_E_NO_MEMORY;
}

static void gen_stride_fill(void *state, VMMRef *refs, size_t count) {
    GenStride *self = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t *place = &self->place[refs[i].pid];
        refs[i].addr = *place;
        *place = (*place + self->stride) % self->bytes;
    }
}

static void gen_stride_stop(void *state) {
    GenStride *self = state;
    memory_free(&memory_default, self->place, self->processes, sizeof *self->place);
}

static const GeneratorPattern pattern_stride = {
    .name = "stride",
    .help = "each process goes through its address space in steps of fixed size",
    .parameters_help = GEN_STRIDE_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_stride_parameters,
    .parameter_count = VMM_COUNT_OF(gen_stride_parameters),
    .state_size = sizeof(GenStride),
    .start = gen_stride_start,
    .fill = gen_stride_fill,
    .stop = gen_stride_stop,
};
