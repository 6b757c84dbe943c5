/* SPDX-License-Identifier: Apache-2.0 */
/* The OPT stack, as far as it is not hot: see opt_stack.h. */
#include "opt_stack.h"

#include <string.h>

enum { OPT_UNIT = OPT_BLOCK * OPT_BLOCK * OPT_BLOCK };

/* Keys, the greatest of blocks, and of blocks of blocks lie in one block of memory. */
static size_t opt_key_count(uint32_t places) {
    return (size_t)places + places / OPT_BLOCK + places / (OPT_BLOCK * OPT_BLOCK);
}

void opt_stack_free(OptStack *stack, const Memory *memory) {
    memory_free(memory, stack->keys, opt_key_count(stack->places), sizeof *stack->keys);
    memory_free(memory, stack->pages, stack->places, sizeof *stack->pages);
    *stack = (OptStack){0};
}

int opt_stack_reserve(OptStack *stack, const Memory *memory, uint64_t count, Error *error) {
    if (count <= stack->places) {
        return VMM_OK;
    }
    uint64_t places = (count + count / 2 + OPT_UNIT - 1) / OPT_UNIT * OPT_UNIT;
    if (places > UINT32_MAX) {
        return error_set(error, VMM_E_LIMIT, "%llu pages are too many for a curve",
                         (unsigned long long)count);
    }
    OptStack grown = {.places = (uint32_t)places, .count = stack->count};
    size_t keys = opt_key_count(grown.places);
    grown.keys = memory_zalloc(memory, keys, sizeof *grown.keys);
    grown.pages = memory_zalloc(memory, grown.places, sizeof *grown.pages);
    if (grown.keys == NULL || grown.pages == NULL) {
        opt_stack_free(&grown, memory);
        return error_no_memory(error, keys * sizeof *grown.keys, "an OPT stack");
    }
    grown.most = grown.keys + grown.places;
    grown.top = grown.most + grown.places / OPT_BLOCK;
    for (size_t i = 0; i < keys; i++) {
        grown.keys[i] = OPT_EMPTY;
    }
    if (stack->count > 0) {
        memcpy(grown.keys, stack->keys, stack->count * sizeof *grown.keys);
        memcpy(grown.pages, stack->pages, stack->count * sizeof *grown.pages);
        for (uint32_t block = 0; block <= (stack->count - 1) / OPT_BLOCK; block++) {
            opt_stack_note(&grown, block);
        }
    }
    opt_stack_free(stack, memory);
    *stack = grown;
    return VMM_OK;
}

void opt_stack_make_hole(OptStack *stack, uint32_t place) {
    stack->keys[place] = OPT_HOLE;
    stack->pages[place] = 0;
    opt_stack_note(stack, place / OPT_BLOCK);
}
