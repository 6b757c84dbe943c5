/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LRU stack, as marks on a line of places: the place of a page is that of its last reference.
 *
 *     place   0 1 2 3 4 5 6 7 8 | now
 *     mark    . # . . # # . # # |          5 pages in the stack
 *     page      7     3 -   9 4 |          - is a hole
 *
 * The depth of a page is the number of marks from its own place on: page 3 is at depth 4. So a
 * reference is: count the marks behind its place, take its mark away, set one at `now`. Counting is
 * made short by the number of marks in each block of 512 places and in each super of 64 blocks:
 *
 *     depth = marks in the rest of its block  (8 words, popcount)
 *           + in the rest of its super        (64 counts)
 *           + in all supers behind            (one for 32768 places)
 *
 * (Bennett and Kruskal, IBM J. Res. Dev. 19(4), 1975, had the line of places, with a tree above it;
 * blocks suit the vector units of processors of today.) When the places are used up, the marks move
 * to the front in order. There are four places for each mark at least, so that costs a third of a
 * mark's move each reference.
 *
 * A page that is given up leaves a HOLE: in every memory that held it a frame is free. The next
 * page that comes into that memory takes it and pushes nothing out, so what lies below the hole
 * stays where it is. A reference to a page below the topmost hole therefore fills that hole, and
 * the page leaves one behind at its old depth; in marks: the mark of the hole goes, that of the
 * page becomes a hole. A mark without a page is a hole; `holes` knows where they are, in words with
 * a bit for each place and in words with a bit for each of those that is not 0.
 */
#ifndef VMM_ANALYSIS_LRU_STACK_H
#define VMM_ANALYSIS_LRU_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/compiler.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "depths.h"

enum {
    LRU_WORD_BITS = 6,                   /* places of a word, */
    LRU_BLOCK_BITS = 9,                  /* of a block, */
    LRU_SUPER_BITS = LRU_BLOCK_BITS + 6, /* and of a super, as powers of two */
    LRU_BLOCK_WORDS = 1 << (LRU_BLOCK_BITS - LRU_WORD_BITS),
    LRU_SUPER_BLOCKS = 1 << (LRU_SUPER_BITS - LRU_BLOCK_BITS)
};

typedef struct LruStack {
    uint64_t *marks;  /* a bit for each place */
    uint16_t *blocks; /* marks in each block */
    uint32_t *supers; /* and in each super */
    uint32_t *page;   /* by place that is marked: the page, or 0 for a hole */
    uint64_t *holes;  /* a bit for each place that is a hole; NULL as long as there never was one */
    uint64_t *some;   /* a bit for each word of holes that is not 0 */
    uint32_t places;  /* a multiple of a super */
    uint32_t now;     /* the place of the next reference */
    uint32_t count;   /* marks */
    uint32_t pages;   /* different pages that were ever in it: what it must have room for */
    uint32_t hole_count;
} LruStack;

/* Room for so many different pages, so that touching them cannot fail. VMM_OK or an error. */
int lru_stack_reserve(LruStack *stack, const Memory *memory, StackPage *pages, uint64_t count,
                      Error *error);
/* Room for holes, before the first one. */
int lru_stack_reserve_holes(LruStack *stack, const Memory *memory, Error *error);
void lru_stack_free(LruStack *stack, const Memory *memory);

/* Moves the marks to the front, to make places free. */
void lru_stack_compact(LruStack *stack, StackPage *pages);

/* The page was never in the stack: no hole, all below it rise. */
void lru_stack_remove(LruStack *stack, StackPage *pages, uint32_t page);

/* Fills the topmost hole; there must be one. */
void lru_stack_fill_hole(LruStack *stack);

/* The place of the topmost hole; there must be one. */
uint32_t lru_stack_top_hole(const LruStack *stack);

/* The page at a place is given up. */
void lru_stack_make_hole(LruStack *stack, uint32_t place);

/* Calls for each page in the stack, from depth 1 on. */
typedef void LruVisit(void *user, uint32_t page, uint32_t depth);
void lru_stack_each(const LruStack *stack, LruVisit *visit, void *user);

/* ---- The hot part --------------------------------------------------------------------------- */

/* As many elements of 0 and then of all ones as a block has words, as a super has blocks: from the
   right place on, they mask what is not behind a given word or block, without a branch to miss. */
extern const uint64_t lru_word_masks[2 * LRU_BLOCK_WORDS];
extern const uint16_t lru_block_masks[2 * LRU_SUPER_BLOCKS];

/* Marks of a block from bit `bit` of word `word` on. */
VMM_ALWAYS_INLINE uint32_t lru_marks_in_block(const uint64_t *words, uint32_t word, uint32_t bit) {
    const uint64_t *masks = lru_word_masks + (LRU_BLOCK_WORDS - 1) - word;
    uint32_t sum = (uint32_t)__builtin_popcountll(words[word] >> bit);
    for (uint32_t i = 0; i < LRU_BLOCK_WORDS; i++) {
        sum += (uint32_t)__builtin_popcountll(words[i] & masks[i]);
    }
    return sum;
}

/* Marks in the blocks of a super behind block `block`. */
VMM_ALWAYS_INLINE uint32_t lru_marks_in_super(const uint16_t *blocks, uint32_t block) {
    const uint16_t *masks = lru_block_masks + (LRU_SUPER_BLOCKS - 1) - block;
    uint16_t sum = 0; /* a super has 2^15 places */
    for (uint32_t i = 0; i < LRU_SUPER_BLOCKS; i++) {
        sum = (uint16_t)(sum + (blocks[i] & masks[i]));
    }
    return sum;
}

/* The depth of the page at `place`. */
VMM_ALWAYS_INLINE uint32_t lru_stack_depth(const LruStack *stack, uint32_t place, uint32_t now) {
    uint32_t block = place >> LRU_BLOCK_BITS;
    const uint64_t *words = stack->marks + (size_t)block * LRU_BLOCK_WORDS;
    uint32_t depth = lru_marks_in_block(words, place >> LRU_WORD_BITS & (LRU_BLOCK_WORDS - 1),
                                        place & ((1u << LRU_WORD_BITS) - 1));
    if (block == now >> LRU_BLOCK_BITS) {
        return depth;
    }
    uint32_t super = place >> LRU_SUPER_BITS;
    depth += lru_marks_in_super(stack->blocks + (size_t)super * LRU_SUPER_BLOCKS,
                                block & (LRU_SUPER_BLOCKS - 1));
    for (uint32_t i = super + 1; i <= now >> LRU_SUPER_BITS; i++) {
        depth += stack->supers[i];
    }
    return depth;
}

VMM_ALWAYS_INLINE void lru_stack_mark(LruStack *stack, uint32_t place) {
    stack->marks[place >> LRU_WORD_BITS] |= UINT64_C(1) << (place & 63);
    stack->blocks[place >> LRU_BLOCK_BITS]++;
    stack->supers[place >> LRU_SUPER_BITS]++;
}

VMM_ALWAYS_INLINE void lru_stack_unmark(LruStack *stack, uint32_t place) {
    stack->marks[place >> LRU_WORD_BITS] &= ~(UINT64_C(1) << (place & 63));
    stack->blocks[place >> LRU_BLOCK_BITS]--;
    stack->supers[place >> LRU_SUPER_BITS]--;
}

/*
 * The page becomes the topmost; returns the depth it had, 0 if it was not in the stack. There is
 * room for it.
 */
VMM_ALWAYS_INLINE uint32_t lru_stack_touch(LruStack *stack, StackPage *pages, uint32_t page) {
    if (VMM_UNLIKELY(stack->now == stack->places)) {
        lru_stack_compact(stack, pages);
    }
    uint32_t now = stack->now++;
    uint32_t place = pages[page].place;
    uint32_t depth = 0;
    stack->page[now] = page;
    pages[page].place = now;
    if ((place ^ now) >> LRU_WORD_BITS == 0 && stack->hole_count == 0) { /* not long ago */
        uint64_t *word = &stack->marks[now >> LRU_WORD_BITS];
        depth = (uint32_t)__builtin_popcountll(*word >> (place & 63));
        *word ^= UINT64_C(1) << (place & 63) | UINT64_C(1) << (now & 63);
        return depth;
    }
    if (VMM_LIKELY(place != STACK_NOWHERE)) {
        depth = lru_stack_depth(stack, place, now);
        if (VMM_UNLIKELY(stack->hole_count != 0) && lru_stack_top_hole(stack) > place) {
            lru_stack_fill_hole(stack);
            lru_stack_make_hole(stack, place);
        } else {
            lru_stack_unmark(stack, place);
        }
    } else if (VMM_UNLIKELY(stack->hole_count != 0)) {
        lru_stack_fill_hole(stack);
    } else {
        stack->count++;
    }
    lru_stack_mark(stack, now);
    return depth;
}

#endif
