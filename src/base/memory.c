/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation with overflow checks, on top of a replaceable allocator. */
#include "memory.h"

#include <stdlib.h>

#include "compiler.h"

static void *default_zalloc(void *user, size_t size) {
    (void)user;
    return calloc(1, size);
}

static void *default_resize(void *user, void *block, size_t old_size, size_t new_size) {
    (void)user;
    (void)old_size;
    return realloc(block, new_size);
}

static void default_release(void *user, void *block, size_t size) {
    (void)user;
    (void)size;
    free(block);
}

const Memory memory_default = {default_zalloc, default_resize, default_release, NULL};

void *memory_zalloc(const Memory *memory, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return memory->zalloc(memory->user, bytes == 0 ? 1 : bytes);
}

void *memory_grow(const Memory *memory, void *block, size_t old_count, size_t new_count,
                  size_t size) {
    if (block == NULL) {
        return memory_zalloc(memory, new_count, size);
    }
    size_t bytes;
    if (__builtin_mul_overflow(new_count, size, &bytes)) {
        return NULL;
    }
    return memory->resize(memory->user, block, old_count * size, bytes);
}

void memory_free(const Memory *memory, void *block, size_t count, size_t size) {
    if (block != NULL) {
        memory->release(memory->user, block, count * size);
    }
}
