/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one object (a machine, a trace): all of it comes from one allocator, which the user
 * may have given, and every array knows its size, so that nothing has to be remembered elsewhere.
 */
#ifndef VMM_BASE_MEMORY_H
#define VMM_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/sim.h"

typedef VMMAllocator Memory;

/* The C library's calloc, realloc and free. */
extern const Memory memory_default;

/* count * size zeroed bytes; NULL when out of memory or when the product overflows. */
void *memory_zalloc(const Memory *memory, size_t count, size_t size);

/*
 * Grows an array from old_count to new_count elements; the new ones are undefined, and take no
 * memory of the host before they are written. Returns the new block, or NULL and leaves the old
 * one as it was.
 */
void *memory_grow(const Memory *memory, void *block, size_t old_count, size_t new_count,
                  size_t size);

/* Accepts a NULL block. */
void memory_free(const Memory *memory, void *block, size_t count, size_t size);

#endif
