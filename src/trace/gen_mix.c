/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mix: every reference is the next one of one of several parts, drawn by weight. A part is a whole
 * generator with its own processes' places, parameters and streams; parts share the numbers of the
 * processes and the address spaces, so they can meet on a page.
 *
 *     of=zipf*6+sequential(writes=0)*3+random
 *        ------ ----------------------- ------
 *        part 0        part 1           part 2, weight 1
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/memory.h"
#include "../base/number.h"
#include "generator.h"

#define GEN_MIX_PARAMETERS(P)                                                     \
    P(of, TEXT, "zipf*6+sequential*3+random*1", "pattern(parameters)*weight+...", \
      "what is mixed; the weight is 1 if none is given")                          \
    P(run, COUNT, "1", "1..1000000000", "references taken from a part before the next is drawn")

static const PatternParameter gen_mix_parameters[] = {GEN_MIX_PARAMETERS(PATTERN_PARAMETER)};

enum { GEN_MIX_MAX_PARTS = 16, GEN_MIX_MAX_DEPTH = 3, GEN_MIX_MAX_WEIGHT = 1000000 };

typedef struct GenMix {
    size_t parts;
    VMMGenerator *part[GEN_MIX_MAX_PARTS];
    uint64_t sum_to[GEN_MIX_MAX_PARTS]; /* running sum of the weights */
    uint64_t run, left;                 /* references of a run, and left of this one */
    size_t current;
    Rng rng;
} GenMix;

/* Cuts "part*weight" and gives the weight; *length becomes that of the part. */
static int gen_mix_weight(const char *text, size_t *length, uint64_t *weight, Error *error) {
    size_t name = generator_piece(text, *length, '*');
    char digits[16];
    *weight = 1;
    if (name == *length) {
        return VMM_OK;
    }
    size_t size = *length - name - 1;
    snprintf(digits, sizeof digits, "%.*s", (int)(size < 15 ? size : 15), text + name + 1);
    if (number_parse_count(digits, weight) != NUMBER_OK || size > 15 || *weight == 0 ||
        *weight > GEN_MIX_MAX_WEIGHT) {
        return error_set(error, VMM_E_USAGE,
                         "mix: the weight of \"%.*s\" is \"%.60s\", expected 1 to %d",
                         (int)(name < 60 ? name : 60), text, digits, GEN_MIX_MAX_WEIGHT);
    }
    *length = name;
    return VMM_OK;
}

static int gen_mix_add(GenMix *self, const GeneratorSetup *setup, const char *text, size_t length,
                       Error *error) {
    if (self->parts == GEN_MIX_MAX_PARTS || *setup->parts_left == 0) {
        return error_set(error, VMM_E_USAGE, "mix: too many parts, at most %d are possible",
                         GEN_MIX_MAX_PARTS);
    }
    uint64_t weight;
    int status = gen_mix_weight(text, &length, &weight, error);
    if (status != VMM_OK) {
        return status;
    }
    char component[32];
    snprintf(component, sizeof component, "trace.mix.%zu", self->parts);
    --*setup->parts_left;
    status = generator_create_part(setup, rng_seed(setup->seed, component).state, text, length,
                                   &self->part[self->parts], error);
    if (status == VMM_OK) {
        uint64_t before = self->parts == 0 ? 0 : self->sum_to[self->parts - 1];
        self->sum_to[self->parts++] = before + weight;
    }
    return status;
}

static int gen_mix_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenMix *self = state;
    self->run = generator_number(setup, "run");
    self->rng = rng_seed(setup->seed, "trace.mix");
    if (setup->depth >= GEN_MIX_MAX_DEPTH) {
        return error_set(error, VMM_E_USAGE, "mix: mixes stand inside each other more than %d deep",
                         GEN_MIX_MAX_DEPTH);
    }
    const PatternValue *of = generator_value(setup, "of");
    for (size_t at = 0; at <= of->text_length;) {
        size_t length = generator_piece(of->text + at, of->text_length - at, '+');
        int status = gen_mix_add(self, setup, of->text + at, length, error);
        if (status != VMM_OK) {
            return status;
        }
        at += length + 1;
    }
    return VMM_OK;
}

static void gen_mix_fill(void *state, VMMRef *refs, size_t count) {
    GenMix *self = state;
    while (count > 0) {
        if (self->left == 0) {
            uint64_t drawn = rng_below(&self->rng, self->sum_to[self->parts - 1]);
            self->left = self->run;
            for (self->current = 0; self->sum_to[self->current] <= drawn;) {
                self->current++;
            }
        }
        size_t taken = self->left < count ? (size_t)self->left : count;
        generator_fill(self->part[self->current], refs, taken);
        self->left -= taken;
        refs += taken;
        count -= taken;
    }
}

static void gen_mix_stop(void *state) {
    GenMix *self = state;
    for (size_t i = 0; i < self->parts; i++) {
        vmm_generator_destroy(self->part[i]);
    }
}

static const GeneratorPattern pattern_mix = {
    .name = "mix",
    .help = "references drawn from several patterns by weight",
    .parameters_help = GEN_MIX_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_mix_parameters,
    .parameter_count = VMM_COUNT_OF(gen_mix_parameters),
    .state_size = sizeof(GenMix),
    .makes_whole = 1,
    .start = gen_mix_start,
    .fill = gen_mix_fill,
    .stop = gen_mix_stop,
};
