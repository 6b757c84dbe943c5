/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OPT stack: pages ordered so that the first n are what n frames hold.
 *
 * Each page has a key: the place in the stream of its next reference, and behind all of those, for
 * pages that are never referenced again, the later the longer ago their last reference is. Of two
 * pages a memory gives up the one with the greater key, whatever its size; that makes OPT a stack
 * algorithm (Mattson, Gecsei, Slutz, Traiger, IBM Systems Journal 9(2), 1970, who call it the
 * priority list).
 *
 * A reference puts its page on top, and the page that was there is carried down. At every depth the
 * carried page meets the one that stands there, the greater key goes on and the other one stays,
 * until the carried one falls into the place that the referenced page left:
 *
 *     keys    9 | 4 | 12 | 7 | 30 | (x)  ──►  x | 4 | 9 | 7 | 12 | 30
 *             └───────┘  └─────┘  └───┘       only where a greater key stands something moves
 *
 * So the work is to find, from one depth on, the next greater key. The keys stand in blocks, and
 * the greatest key of each block, and of each block of blocks, is known; a block without a greater
 * key is passed over.
 *
 * A page that is given up leaves a hole, whose key is greater than all: what is carried falls into
 * it, and the hole goes on to the place that the referenced page left (see lru_stack.h).
 */
#ifndef VMM_ANALYSIS_OPT_STACK_H
#define VMM_ANALYSIS_OPT_STACK_H

#include <stdint.h>

#include "../base/compiler.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "depths.h"

enum { OPT_BLOCK_BITS = 5, OPT_BLOCK = 1 << OPT_BLOCK_BITS };

#define OPT_HOLE INT64_MAX /* the key of a hole, */
#define OPT_NEVER                                                                      \
    (INT64_MAX - 1)         /* of the page that is never referenced again from place 0 \
                               on; from place p on: so much less */
#define OPT_EMPTY INT64_MIN /* and of what is behind the stack */

typedef struct OptStack {
    int64_t *keys;   /* by place: depth less one; a multiple of OPT_BLOCK * OPT_BLOCK */
    uint32_t *pages; /* by place; 0: a hole */
    int64_t *most;   /* the greatest key of each block, */
    int64_t *top;    /* and of each block of blocks */
    uint32_t places;
    uint32_t count; /* pages and holes */
} OptStack;

/* Room for so many pages and holes. VMM_OK or an error. */
int opt_stack_reserve(OptStack *stack, const Memory *memory, uint64_t count, Error *error);
void opt_stack_free(OptStack *stack, const Memory *memory);

/* The page at a place is given up. */
void opt_stack_make_hole(OptStack *stack, uint32_t place);

VMM_ALWAYS_INLINE int64_t opt_greatest(const int64_t *keys) {
    int64_t most = keys[0];
    for (uint32_t i = 1; i < OPT_BLOCK; i++) {
        most = keys[i] > most ? keys[i] : most;
    }
    return most;
}

/* The keys of a block have changed. */
VMM_ALWAYS_INLINE void opt_stack_note(OptStack *stack, uint32_t block) {
    int64_t most = opt_greatest(stack->keys + (size_t)block * OPT_BLOCK);
    if (most != stack->most[block]) {
        uint32_t above = block >> OPT_BLOCK_BITS;
        stack->most[block] = most;
        stack->top[above] = opt_greatest(stack->most + (size_t)above * OPT_BLOCK);
    }
}

/* The first of `keys` from `from` on that is greater, below `to`; else `to`. */
VMM_ALWAYS_INLINE uint32_t opt_scan(const int64_t *keys, uint32_t from, uint32_t to, int64_t key) {
    while (from < to && keys[from] <= key) {
        from++;
    }
    return from;
}

/* The first place from `from` on whose key is greater, below `to`; else `to`. */
VMM_ALWAYS_INLINE uint32_t opt_stack_greater(const OptStack *stack, uint32_t from, uint32_t to,
                                             int64_t key) {
    uint32_t end = (from | (OPT_BLOCK - 1)) + 1;
    uint32_t place = opt_scan(stack->keys, from, end < to ? end : to, key);
    if (place < end || end >= to) {
        return place < to ? place : to;
    }
    uint32_t block = end >> OPT_BLOCK_BITS;
    uint32_t last = (to - 1) >> OPT_BLOCK_BITS; /* block */
    end = (block | (OPT_BLOCK - 1)) + 1;
    if ((block & (OPT_BLOCK - 1)) != 0) {
        block = opt_scan(stack->most, block, end < last + 1 ? end : last + 1, key);
    }
    if ((block & (OPT_BLOCK - 1)) == 0) {
        uint32_t above =
            opt_scan(stack->top, block >> OPT_BLOCK_BITS, (last >> OPT_BLOCK_BITS) + 1, key);
        block = above << OPT_BLOCK_BITS;
        block = opt_scan(stack->most, block, last + 1, key);
    }
    if (block > last) {
        return to;
    }
    return opt_scan(stack->keys, block << OPT_BLOCK_BITS, to, key);
}

/* A key and its page at a place. */
VMM_ALWAYS_INLINE void opt_stack_put(OptStack *stack, StackPage *pages, uint32_t place, int64_t key,
                                     uint32_t page) {
    stack->keys[place] = key;
    stack->pages[place] = page;
    if (page != 0) {
        pages[page].place = place;
    }
}

/*
 * The page comes to the top, with its new key; returns the depth it had, 0 if it was not in the
 * stack. There is room for it.
 */
VMM_ALWAYS_INLINE uint32_t opt_stack_touch(OptStack *stack, StackPage *pages, uint32_t page,
                                           int64_t new_key) {
    uint32_t place = pages[page].place;
    uint32_t depth = place == STACK_NOWHERE ? 0 : place + 1;
    uint32_t to = depth == 0 ? stack->count : place;
    int64_t key = stack->keys[0];
    uint32_t carried = stack->pages[0];
    opt_stack_put(stack, pages, 0, new_key, page);
    if (to == 0) { /* it was on top, or the stack is empty */
        stack->count += depth == 0;
        opt_stack_note(stack, 0);
        return depth;
    }
    uint32_t changed = 0;
    for (uint32_t at = 1; key != OPT_HOLE && (at = opt_stack_greater(stack, at, to, key)) < to;
         at++) {
        int64_t next_key = stack->keys[at];
        uint32_t next = stack->pages[at];
        opt_stack_put(stack, pages, at, key, carried);
        if (at >> OPT_BLOCK_BITS != changed) {
            opt_stack_note(stack, changed);
            changed = at >> OPT_BLOCK_BITS;
        }
        key = next_key;
        carried = next;
    }
    opt_stack_note(stack, changed);
    if (depth != 0 || key != OPT_HOLE) { /* a hole that was carried all the way is filled */
        stack->count += depth == 0;
        opt_stack_put(stack, pages, to, key, carried);
        opt_stack_note(stack, to >> OPT_BLOCK_BITS);
    }
    return depth;
}

#endif
