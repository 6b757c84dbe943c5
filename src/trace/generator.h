/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns: what a pattern of the trace generators is, and what it may rely on.
 *
 * A made reference answers three questions. WHO refers (the process) and WHETHER it writes are
 * answered by generator.c, the same way for all patterns, from the common parameters `slice` and
 * `writes`. WHERE it goes is answered by the pattern:
 *
 *     generator.c      slice -> pid      writes -> op
 *                           \              /
 *     gen_<name>.c           ---- addr ----
 *
 * A pattern is one file gen_<name>.c and one line in patterns.def. The file defines a constant
 * `pattern_<name>` of the type below; generator.c includes it, so everything in it is static and
 * begins with gen_<name>.
 *
 * CALL ORDER. start once, on zeroed memory of state_size bytes; then fill any number of times;
 * then stop once, also after a start that failed. start takes all the memory that the pattern
 * will ever have; fill cannot fail and takes none, so that a trace of any length is made in
 * constant memory.
 *
 * WHAT FILL MAY CHANGE. The pid and op of refs[0..count) are set, all other fields are 0. fill
 * sets addr, below setup->address_space, and nothing else; a pattern with makes_whole set gets
 * zeroed references and sets pid and op too. How a trace is cut into calls of fill must not show:
 * the n-th reference is the same whatever the counts were.
 *
 * RANDOMNESS comes from base/rng.h, from streams that start seeds with rng_seed(setup->seed,
 * "trace.<something>"). Only integer arithmetic, or +, -, *, / and comparison of IEEE doubles
 * written so that no contraction can change them; nothing of libm. docs/reference/patterns.md
 * defines each pattern so that another program can make the same bytes; a change of what a
 * pattern makes must change that page and the checksums in the tests.
 */
#ifndef VMM_TRACE_GENERATOR_H
#define VMM_TRACE_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/generate.h"
#include "../base/error.h"
#include "../base/rng.h"

typedef enum ParameterType {
    PARAMETER_COUNT,    /* a whole number with a count's units */
    PARAMETER_SIZE,     /* bytes, with a size's units */
    PARAMETER_FRACTION, /* a decimal number, kept in millionths: "0.25" is 250000 */
    PARAMETER_CHOICE,   /* a word of `range`, kept as its place there */
    PARAMETER_TEXT      /* kept as text */
} ParameterType;

/* Fractions and exponents are counted in these. */
#define PARAMETER_ONE UINT64_C(1000000)

typedef struct PatternParameter {
    const char *name;
    ParameterType type;
    const char *default_text; /* as a user would write it */
    const char *range;        /* "low..high" of a number, "a|b|c" of a choice, shown as it is */
} PatternParameter;

/*
 * A pattern writes its parameters once, as a list macro, and gets the table and the help text:
 *
 *     #define GEN_STRIDE_PARAMETERS(P) P(stride, SIZE, "64K", "1..1024T", "bytes from ... to ...")
 */
#define PATTERN_PARAMETER(name, type, dflt, range, help) {#name, PARAMETER_##type, dflt, range},
#define PATTERN_PARAMETER_TEXT(name, type, dflt, range, help) \
#name "=" dflt " (" range "): " help "\n"

/* The parameters of every pattern that does not set makes_whole, with its own defaults. */
#define PATTERN_COMMON(P, slice_default, writes_default)                                \
    P(slice, COUNT, slice_default, "0..1000000000",                                     \
      "references that a process makes in its turn; 0: the process is drawn each time") \
    P(writes, FRACTION, writes_default, "0..1", "fraction of the references that write")

enum { PATTERN_MAX_PARAMETERS = 8 };

/* The value of one parameter, in the order of the pattern's table. */
typedef struct PatternValue {
    uint64_t number;
    const char *text; /* PARAMETER_TEXT: its first character, not ended by a zero */
    size_t text_length;
    int given; /* 1: the user wrote it; 0: the default */
} PatternValue;

struct GeneratorPattern;

/* What a pattern is started with. Valid during start only. */
typedef struct GeneratorSetup {
    const struct GeneratorPattern *pattern;
    PatternValue values[PATTERN_MAX_PARAMETERS];
    uint64_t seed;
    uint64_t page_size;
    uint64_t pages;         /* of the address space of each process, at least 1 */
    uint64_t address_space; /* bytes: pages * page_size */
    uint64_t memory_pages;  /* of the memory that thrashing exceeds, at least 1 */
    uint32_t processes;     /* at least 1; their pids are below this */
    int any_address_space;  /* 1: the user gave none, a pattern may take more than `pages` */
    unsigned depth;         /* how many mixes stand around this one */
    unsigned *parts_left;   /* parts that mixes may still make, in all */
} GeneratorSetup;

typedef struct GeneratorPattern {
    const char *name;
    const char *help;            /* one line */
    const char *parameters_help; /* a line for each parameter */
    const PatternParameter *parameters;
    size_t parameter_count;
    size_t state_size;
    int makes_whole; /* 1: fill sets pid and op too; the common parameters do not exist */
    int (*start)(void *state, const GeneratorSetup *setup, Error *error);
    void (*fill)(void *state, VMMRef *refs, size_t count);
    void (*stop)(void *state); /* NULL: nothing to give back */
} GeneratorPattern;

/* ---- What generator.c offers to patterns ---------------------------------------------------- */

/* The value of the parameter `name`, which the pattern must have. */
const PatternValue *generator_value(const GeneratorSetup *setup, const char *name);
uint64_t generator_number(const GeneratorSetup *setup, const char *name);

/*
 * A number of pages within the address space: 0 means all of it; a default that is larger is cut
 * to it, a given one is an error.
 */
int generator_pages(const GeneratorSetup *setup, const char *name, uint64_t *pages, Error *error);

/* An array with `size` bytes for each process, zeroed; NULL and an error if there is no memory. */
void *generator_per_process(const GeneratorSetup *setup, size_t size, Error *error);

/*
 * A generator within a generator: `text` is "name" or "name(parameters)", the rest of `outer` is
 * taken over with the given seed.
 */
int generator_create_part(const GeneratorSetup *outer, uint64_t seed, const char *text,
                          size_t length, VMMGenerator **part, Error *error);
void generator_fill(VMMGenerator *generator, VMMRef *refs, size_t count);

/*
 * The length of the piece of text[0..length) that ends before the first `separator` outside
 * parentheses; `length` if there is none.
 */
size_t generator_piece(const char *text, size_t length, char separator);

/* True for a share of `millionths` of the draws. */
static inline int generator_chance(Rng *rng, uint64_t millionths) {
    return rng_below(rng, PARAMETER_ONE) < millionths;
}

#endif
