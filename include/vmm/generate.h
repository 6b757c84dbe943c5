/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generators: made traces with a known shape, for teaching, tests and stress.
 *
 * A generator draws its references one after the other from a documented random generator
 * (SplitMix64; docs/reference/patterns.md) and integer arithmetic only, so the same parameters
 * give the same references on every machine. It needs constant memory, whatever the length.
 */
#ifndef VMM_GENERATE_H
#define VMM_GENERATE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VMMGenerator VMMGenerator;

typedef struct VMMGeneratorOptions {
    uint32_t struct_size;
    uint32_t processes;     /* 0: 4; numbered from 0 */
    uint64_t references;    /* length of the trace */
    uint64_t address_space; /* bytes each process uses at most; 0: 1 GiB, and more if the
                               thrashing pattern needs it to exceed `memory` */
    uint64_t memory;        /* bytes that the thrashing pattern exceeds; 0: 8 MiB */
    uint64_t page_size;     /* bytes; 0: 4096 */
    uint64_t seed;          /* as given; 0 is a seed like any other */
    const char *pattern;    /* name, parameters behind a colon: "zipf:alpha=0.8" */
} VMMGeneratorOptions;

/* Fills in the defaults named above, the pattern sequential, seed 42, 10000 references. */
VMM_API void vmm_generator_options_init(VMMGeneratorOptions *options);

/*
 * Sets one option from text with units: "references" 10M, "processes" 4, "address-space" and
 * "memory" 64M (a bare number counts MiB), "page-size" 4K, "seed" 42, "pattern" zipf:alpha=0.8,
 * which is not copied and must stay until the generator is created. VMM_E_USAGE or VMM_E_RANGE
 * with a sentence in `error`; the options are then unchanged.
 */
VMM_API int vmm_generator_options_set(VMMGeneratorOptions *options, const char *name,
                                      const char *value, char *error);

/* VMM_E_USAGE or VMM_E_RANGE with a sentence in `error` (may be NULL; VMM_ERROR_TEXT_BYTES). */
VMM_API int vmm_generator_create(const VMMGeneratorOptions *options, VMMGenerator **generator,
                                 char *error);

/* Up to `capacity` next references; 0 at the end. */
VMM_API size_t vmm_generator_read(VMMGenerator *generator, VMMRef *refs, size_t capacity);

VMM_API void vmm_generator_destroy(VMMGenerator *generator);

/*
 * The patterns: name, one line of description, and a line "name=default (range): meaning" for each
 * parameter. NULL past the last.
 */
VMM_API const char *vmm_pattern_name(size_t index);
VMM_API const char *vmm_pattern_help(size_t index);
VMM_API const char *vmm_pattern_parameters(size_t index);

#ifdef __cplusplus
}
#endif

#endif
