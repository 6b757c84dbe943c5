/* SPDX-License-Identifier: Apache-2.0 */
/* The LRU stack, as far as it is not hot: see lru_stack.h. */
#include "lru_stack.h"

#include <string.h>

enum { LRU_FEWEST_PLACES = 1 << LRU_SUPER_BITS, LRU_PLACES_A_MARK = 4 };

#define LRU_8(x) x, x, x, x, x, x, x, x
#define LRU_64(x) LRU_8(x), LRU_8(x), LRU_8(x), LRU_8(x), LRU_8(x), LRU_8(x), LRU_8(x), LRU_8(x)
const uint64_t lru_word_masks[2 * LRU_BLOCK_WORDS] = {LRU_8(0), LRU_8(UINT64_MAX)};
const uint16_t lru_block_masks[2 * LRU_SUPER_BLOCKS] = {LRU_64(0), LRU_64(UINT16_MAX)};

static size_t lru_words(const LruStack *stack) {
    return stack->places >> LRU_WORD_BITS;
}

void lru_stack_free(LruStack *stack, const Memory *memory) {
    size_t words = lru_words(stack);
    memory_free(memory, stack->marks, words, sizeof *stack->marks);
    memory_free(memory, stack->blocks, words / LRU_BLOCK_WORDS, sizeof *stack->blocks);
    memory_free(memory, stack->supers, stack->places >> LRU_SUPER_BITS, sizeof *stack->supers);
    memory_free(memory, stack->page, stack->places, sizeof *stack->page);
    memory_free(memory, stack->holes, words, sizeof *stack->holes);
    memory_free(memory, stack->some, words / 64, sizeof *stack->some);
    *stack = (LruStack){0};
}

int lru_stack_reserve_holes(LruStack *stack, const Memory *memory, Error *error) {
    size_t words = lru_words(stack);
    if (stack->holes == NULL) {
        stack->holes = memory_zalloc(memory, words, sizeof *stack->holes);
    }
    if (stack->some == NULL) {
        stack->some = memory_zalloc(memory, words / 64, sizeof *stack->some);
    }
    return stack->holes != NULL && stack->some != NULL
               ? VMM_OK
               : error_no_memory(error, words * sizeof *stack->holes, "the holes of an LRU stack");
}

/* An empty stack of so many places. */
static int lru_stack_make(LruStack *stack, const Memory *memory, uint32_t places, Error *error) {
    *stack = (LruStack){.places = places};
    size_t words = lru_words(stack);
    stack->marks = memory_zalloc(memory, words, sizeof *stack->marks);
    stack->blocks = memory_zalloc(memory, words / LRU_BLOCK_WORDS, sizeof *stack->blocks);
    stack->supers = memory_zalloc(memory, places >> LRU_SUPER_BITS, sizeof *stack->supers);
    stack->page = memory_zalloc(memory, places, sizeof *stack->page);
    if (stack->marks == NULL || stack->blocks == NULL || stack->supers == NULL ||
        stack->page == NULL) {
        lru_stack_free(stack, memory);
        return error_no_memory(error, places * sizeof *stack->page, "an LRU stack");
    }
    return VMM_OK;
}

/* All marks of one stack to the front of another, or of the same one, in order. */
static void lru_stack_move(const LruStack *from, LruStack *to, StackPage *pages) {
    uint32_t place = 0;
    for (size_t word = 0; word < (from->now + 63u) / 64; word++) {
        for (uint64_t left = from->marks[word]; left != 0; left &= left - 1) {
            uint32_t page = from->page[word * 64 + (size_t)__builtin_ctzll(left)];
            to->page[place] = page;
            if (page != 0) {
                pages[page].place = place;
            }
            place++;
        }
    }
    to->now = place;
}

/* Marks all places below now, and notes the holes among them. */
static void lru_stack_mark_all(LruStack *stack) {
    size_t words = lru_words(stack);
    memset(stack->marks, 0, words * sizeof *stack->marks);
    memset(stack->blocks, 0, words / LRU_BLOCK_WORDS * sizeof *stack->blocks);
    memset(stack->supers, 0, (stack->places >> LRU_SUPER_BITS) * sizeof *stack->supers);
    if (stack->holes != NULL) {
        memset(stack->holes, 0, words * sizeof *stack->holes);
        memset(stack->some, 0, words / 64 * sizeof *stack->some);
    }
    stack->hole_count = 0;
    for (uint32_t place = 0; place < stack->now; place++) {
        lru_stack_mark(stack, place);
        if (stack->page[place] == 0) {
            lru_stack_make_hole(stack, place);
        }
    }
}

void lru_stack_compact(LruStack *stack, StackPage *pages) {
    lru_stack_move(stack, stack, pages);
    lru_stack_mark_all(stack);
}

int lru_stack_reserve(LruStack *stack, const Memory *memory, StackPage *pages, uint64_t count,
                      Error *error) {
    if (count * LRU_PLACES_A_MARK <= stack->places) {
        return VMM_OK;
    }
    uint64_t supers = count * LRU_PLACES_A_MARK * 3 / 2 / LRU_FEWEST_PLACES + 1;
    uint64_t places = supers * LRU_FEWEST_PLACES;
    if (places > UINT32_MAX) {
        return error_set(error, VMM_E_LIMIT, "%llu pages are too many for a curve",
                         (unsigned long long)count);
    }
    LruStack grown;
    int status = lru_stack_make(&grown, memory, (uint32_t)places, error);
    if (status == VMM_OK && stack->holes != NULL) {
        status = lru_stack_reserve_holes(&grown, memory, error);
    }
    if (status != VMM_OK) {
        lru_stack_free(&grown, memory);
        return status;
    }
    grown.count = stack->count;
    lru_stack_move(stack, &grown, pages);
    lru_stack_mark_all(&grown);
    lru_stack_free(stack, memory);
    *stack = grown;
    return VMM_OK;
}

/* ---- Holes ---------------------------------------------------------------------------------- */

void lru_stack_make_hole(LruStack *stack, uint32_t place) {
    size_t word = place >> LRU_WORD_BITS;
    stack->page[place] = 0;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without room for holes there are none */
    stack->holes[word] |= UINT64_C(1) << (place & 63);
    stack->some[word / 64] |= UINT64_C(1) << (word & 63);
    stack->hole_count++;
}

uint32_t lru_stack_top_hole(const LruStack *stack) {
    size_t i = (stack->now - 1u) >> (2 * LRU_WORD_BITS);
    while (stack->some[i] == 0) {
        i--;
    }
    size_t word = i * 64 + 63 - (size_t)__builtin_clzll(stack->some[i]);
    return (uint32_t)(word * 64 + 63 - (size_t)__builtin_clzll(stack->holes[word]));
}

void lru_stack_fill_hole(LruStack *stack) {
    uint32_t place = lru_stack_top_hole(stack);
    size_t word = place >> LRU_WORD_BITS;
    stack->holes[word] &= ~(UINT64_C(1) << (place & 63));
    if (stack->holes[word] == 0) {
        stack->some[word / 64] &= ~(UINT64_C(1) << (word & 63));
    }
    stack->hole_count--;
    lru_stack_unmark(stack, place);
}

void lru_stack_remove(LruStack *stack, StackPage *pages, uint32_t page) {
    lru_stack_unmark(stack, pages[page].place);
    pages[page].place = STACK_NOWHERE;
    stack->count--;
}

void lru_stack_each(const LruStack *stack, LruVisit *visit, void *user) {
    uint32_t depth = 0;
    for (size_t word = (stack->now + 63u) / 64; word-- > 0;) {
        for (uint64_t left = stack->marks[word]; left != 0;) {
            unsigned bit = 63u - (unsigned)__builtin_clzll(left);
            left &= ~(UINT64_C(1) << bit);
            depth++;
            uint32_t page = stack->page[word * 64 + bit];
            if (page != 0) {
                visit(user, page, depth);
            }
        }
    }
}
