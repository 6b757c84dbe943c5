/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zipf: the page of rank r (1, 2, 3, ...) is used in proportion to 1 / r^alpha; which page has
 * which rank is shuffled. All processes share the ranking.
 *
 * The ranks lie in cells, each with a weight; `cdf` holds the running sum of the weights divided
 * by the last sum. Drawing is: u uniform in [0, 1), the first cell with cdf > u.
 *
 *     rank     1  2  3  ...  2^20 | 2^20+1 .. +1024 | +1025 .. |  ...            | .. pages
 *     cell     0  1  2  ...       | one cell for 1/1024 of an octave each        |
 *              one rank a cell    | weight: its ranks * weight of its first rank
 *
 * The first 2^20 ranks have a cell each. Beyond, where neighbours hardly differ, a cell holds a
 * run of ranks and the weight of its first rank for all of them, which is a little too much; a
 * rank drawn from such a cell is kept with probability weight(rank) / weight(first), else all is
 * drawn again. That makes the distribution exact with at most 2^20 + 31 * 1024 cells, however
 * many pages there are. `guide` tells for each 2^20th of [0, 1) which cell to begin at, so a draw
 * looks at one or two cells.
 *
 * Reproducible to the bit: the weights of alpha = 1 are single IEEE divisions, those of any other
 * alpha come from integer arithmetic (gen_zipf_weight); the sums are IEEE additions in order of
 * rank.
 */
#include "../base/memory.h"
#include "gen_permutation.h"
#include "generator.h"

#define GEN_ZIPF_PARAMETERS(P)                                                                    \
    PATTERN_COMMON(P, "0", "0.25")                                                                \
    P(alpha, FRACTION, "1", "0..10", "exponent: 0 uses all pages alike, larger prefers few more") \
    P(pages, COUNT, "0", "0..1000000000000000", "pages that are used; 0: the whole address space")

static const PatternParameter gen_zipf_parameters[] = {GEN_ZIPF_PARAMETERS(PATTERN_PARAMETER)};

enum {
    GEN_ZIPF_SINGLE_BITS = 20,    /* ranks with a cell of their own: 2^20 */
    GEN_ZIPF_OCTAVE_CELLS = 1024, /* cells for each doubling of the rank beyond */
    GEN_ZIPF_GUIDE_BITS = 20,
    GEN_ZIPF_LOG_BITS = 58 /* binary places of logarithms */
};
#define GEN_ZIPF_SINGLE (UINT64_C(1) << GEN_ZIPF_SINGLE_BITS)
#define GEN_ZIPF_GUIDE (UINT64_C(1) << GEN_ZIPF_GUIDE_BITS)

_Static_assert(sizeof(double) == 8, "IEEE double precision");

typedef struct GenZipf {
    uint64_t page_size, space_pages;
    uint64_t pages, alpha;                 /* alpha in millionths */
    uint64_t roots[GEN_ZIPF_LOG_BITS + 1]; /* roots[k] = 2^(-2^-k) * 2^64, from k = 1 */
    size_t cells;
    double *cdf;
    uint32_t *guide;
    uint32_t *page_of_rank; /* up to 2^20 pages; NULL: permutation */
    Permutation permutation;
    Rng rng;
} GenZipf;

/* floor(sqrt(n)), bit by bit. */
static uint64_t gen_zipf_root(unsigned __int128 n) {
    uint64_t root = 0;
    for (int bit = 63; bit >= 0; bit--) {
        uint64_t next = root | UINT64_C(1) << bit;
        if ((unsigned __int128)next * next <= n) {
            root = next;
        }
    }
    return root;
}

/* log2(rank) in units of 2^-58, rounded down: the whole part is where the top bit stands, and
 * squaring the rest, which is in [1, 2), brings out one binary place after the other. */
static uint64_t gen_zipf_log2(uint64_t rank) {
    unsigned shift = (unsigned)__builtin_clzll(rank);
    uint64_t rest = rank << shift; /* 1 is 2^63 */
    uint64_t result = 63 - shift;
    for (int bit = 0; bit < GEN_ZIPF_LOG_BITS; bit++) {
        unsigned __int128 square = ((unsigned __int128)rest * rest) >> 63;
        unsigned two_or_more = (unsigned)(square >> 64);
        result = result << 1 | two_or_more;
        rest = (uint64_t)(square >> two_or_more);
    }
    return result;
}

/* 1 / rank^alpha, rank from 1. */
static double gen_zipf_weight(const GenZipf *self, uint64_t rank) {
    if (self->alpha == PARAMETER_ONE) {
        return 1.0 / (double)rank;
    }
    unsigned __int128 exponent =
        (unsigned __int128)gen_zipf_log2(rank) * self->alpha / PARAMETER_ONE;
    uint64_t fraction = (uint64_t)exponent & ((UINT64_C(1) << GEN_ZIPF_LOG_BITS) - 1);
    unsigned whole = (unsigned)(exponent >> GEN_ZIPF_LOG_BITS);
    uint64_t product = UINT64_C(1) << 63;
    for (int k = 1; k <= GEN_ZIPF_LOG_BITS; k++) {
        if (fraction >> (GEN_ZIPF_LOG_BITS - k) & 1) {
            product = (uint64_t)(((unsigned __int128)product * self->roots[k]) >> 64);
        }
    }
    double weight = (double)product * 0x1p-63;
    for (; whole >= 32; whole -= 32) {
        weight *= 0x1p-32;
    }
    return weight / (double)(UINT64_C(1) << whole);
}

/* First rank of a cell, counted from 0, for the cells that hold more than one. */
static uint64_t gen_zipf_first(uint64_t cell) {
    uint64_t beyond = cell - GEN_ZIPF_SINGLE;
    uint64_t octave = GEN_ZIPF_SINGLE << beyond / GEN_ZIPF_OCTAVE_CELLS;
    return octave + octave / GEN_ZIPF_OCTAVE_CELLS * (beyond % GEN_ZIPF_OCTAVE_CELLS);
}

/* Ranks of such a cell; the last one may be cut short. */
static uint64_t gen_zipf_ranks(const GenZipf *self, uint64_t cell) {
    uint64_t first = gen_zipf_first(cell);
    uint64_t next = gen_zipf_first(cell + 1);
    return (next < self->pages ? next : self->pages) - first;
}

static size_t gen_zipf_count_cells(uint64_t pages) {
    size_t cells = (size_t)(pages < GEN_ZIPF_SINGLE ? pages : GEN_ZIPF_SINGLE);
    while (cells >= GEN_ZIPF_SINGLE && gen_zipf_first(cells) < pages) {
        cells++;
    }
    return cells;
}

static void gen_zipf_fill_cdf(GenZipf *self) {
    double sum = 0.0;
    for (size_t cell = 0; cell < self->cells; cell++) {
        double weight;
        if (cell < GEN_ZIPF_SINGLE) {
            weight = gen_zipf_weight(self, cell + 1);
        } else {
            /* A product on its own line of its own size: nothing to contract with the sum. */
            volatile double product = (double)gen_zipf_ranks(self, cell) *
                                      gen_zipf_weight(self, gen_zipf_first(cell) + 1);
            weight = product;
        }
        sum += weight;
        self->cdf[cell] = sum;
    }
    for (size_t cell = 0; cell < self->cells; cell++) {
        self->cdf[cell] /= sum;
    }
    self->cdf[self->cells - 1] = 1.0;
    uint32_t cell = 0;
    for (uint64_t slot = 0; slot < GEN_ZIPF_GUIDE; slot++) {
        while (self->cdf[cell] <= (double)slot / (double)GEN_ZIPF_GUIDE) {
            cell++;
        }
        self->guide[slot] = cell;
    }
}

/* Fisher and Yates, from the top down. */
static void gen_zipf_shuffle(GenZipf *self) {
    uint32_t *page = self->page_of_rank;
    for (uint32_t i = 0; i < self->pages; i++) {
        page[i] = i;
    }
    for (uint32_t i = (uint32_t)self->pages - 1; i > 0; i--) {
        uint32_t j = (uint32_t)rng_below(&self->rng, (uint64_t)i + 1);
        uint32_t moved = page[i];
        page[i] = page[j];
        page[j] = moved;
    }
}

static int gen_zipf_start(void *state, const GeneratorSetup *setup, Error *error) {
    GenZipf *self = state;
    self->page_size = setup->page_size;
    self->space_pages = setup->pages;
    self->alpha = generator_number(setup, "alpha");
    /* Not rng_seed(): published Zipf sequences name the state that the generator starts from. */
    self->rng = (Rng){setup->seed};
    int status = generator_pages(setup, "pages", &self->pages, error);
    if (status != VMM_OK) {
        return status;
    }
    self->cells = gen_zipf_count_cells(self->pages);
    self->cdf = memory_zalloc(&memory_default, self->cells, sizeof *self->cdf);
    self->guide = memory_zalloc(&memory_default, GEN_ZIPF_GUIDE, sizeof *self->guide);
    if (self->pages <= GEN_ZIPF_SINGLE) {
        self->page_of_rank =
            memory_zalloc(&memory_default, (size_t)self->pages, sizeof *self->page_of_rank);
    }
    if (self->cdf == NULL || self->guide == NULL ||
        (self->pages <= GEN_ZIPF_SINGLE && self->page_of_rank == NULL)) {
        return error_no_memory(error, self->cells * 16 + GEN_ZIPF_GUIDE * 4, "the zipf tables");
    }
    unsigned __int128 square = (unsigned __int128)1 << 127; /* 2^-1, in units of 2^-128 */
    for (int k = 1; k <= GEN_ZIPF_LOG_BITS; k++) {
        self->roots[k] = gen_zipf_root(square);
        square = (unsigned __int128)self->roots[k] << 64;
    }
    if (self->page_of_rank != NULL) {
        gen_zipf_shuffle(self);
    } else {
        permutation_init(&self->permutation, self->pages, &self->rng);
    }
    gen_zipf_fill_cdf(self);
    return VMM_OK;
}

/* A rank, counted from 0. */
static uint64_t gen_zipf_draw(GenZipf *self) {
    for (;;) {
        uint64_t bits = rng_next(&self->rng) >> 11;
        double unit = (double)bits * 0x1p-53;
        uint64_t cell = self->guide[bits >> (53 - GEN_ZIPF_GUIDE_BITS)];
        while (self->cdf[cell] <= unit) {
            cell++;
        }
        if (VMM_LIKELY(cell < GEN_ZIPF_SINGLE)) {
            return cell;
        }
        uint64_t first = gen_zipf_first(cell);
        uint64_t rank = first + rng_below(&self->rng, gen_zipf_ranks(self, cell));
        double keep = (double)(rng_next(&self->rng) >> 11) * 0x1p-53;
        if (keep * gen_zipf_weight(self, first + 1) < gen_zipf_weight(self, rank + 1)) {
            return rank;
        }
    }
}

static void gen_zipf_fill(void *state, VMMRef *refs, size_t count) {
    GenZipf *self = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t rank = gen_zipf_draw(self);
        uint64_t page = self->page_of_rank != NULL ? self->page_of_rank[rank]
                                                   : permutation_at(&self->permutation, 0, rank);
        page++; /* pages are 1 to `pages`; the last one of a full address space is page 0 */
        refs[i].addr = (page < self->space_pages ? page : 0) * self->page_size;
    }
}

static void gen_zipf_stop(void *state) {
    GenZipf *self = state;
    memory_free(&memory_default, self->cdf, self->cells, sizeof *self->cdf);
    memory_free(&memory_default, self->guide, GEN_ZIPF_GUIDE, sizeof *self->guide);
    memory_free(&memory_default, self->page_of_rank, (size_t)self->pages,
                sizeof *self->page_of_rank);
}

static const GeneratorPattern pattern_zipf = {
    .name = "zipf",
    .help = "few pages are used much and many little: rank r in proportion to 1 / r^alpha",
    .parameters_help = GEN_ZIPF_PARAMETERS(PATTERN_PARAMETER_TEXT),
    .parameters = gen_zipf_parameters,
    .parameter_count = VMM_COUNT_OF(gen_zipf_parameters),
    .state_size = sizeof(GenZipf),
    .start = gen_zipf_start,
    .fill = gen_zipf_fill,
    .stop = gen_zipf_stop,
};
