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
 *     keys   9 | 4 | 12 | 7 | 30 | (x)   ──►   x | 4 | 9 | 7 | 12 | 30
 *
 * Depth by depth that is work for each key that is greater than all above it, and deep in the
 * stack, which is nearly sorted, that is nearly every one. As a list it is little: cut the part
 * above x before each such key; then in each piece the first, which is the greatest of it, goes to
 * its end, and x comes to the front.
 *
 *     pieces   9 4 | 12 7 | 30 | x       ──►   x | 4 9 | 7 12 | 30
 *
 * A piece of one page does not change. So only pieces with a DESCENT, a key followed by a smaller
 * one, cost anything, and a page that has been moved stands before a greater one: measured on Zipf,
 * uniform and cyclic references, 1 to 4 pieces for each reference, however deep the stack.
 *
 * The list is kept in chunks; an array has their order, and with it their sizes, their greatest
 * keys, and a bit for those with a descent. The depth of a page is the sum of the sizes before its
 * chunk.
 *
 * A page that is given up leaves a hole, whose key is greater than all: what is carried falls into
 * it, and the hole goes on to the place that the referenced page left (see lru_stack.h). In pieces
 * it moves as any page does.
 */
#ifndef VMM_ANALYSIS_OPT_STACK_H
#define VMM_ANALYSIS_OPT_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/compiler.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "depths.h"

enum { OPT_CHUNK = 64 };

#define OPT_LIMIT INT64_MAX      /* the key of the page that is referenced, while others move, */
#define OPT_HOLE (INT64_MAX - 1) /* of a hole, */
#define OPT_NEVER                                                                      \
    (INT64_MAX - 2) /* and of the page that is never referenced again from place 0 on; \
                       from place p on: so much less */

/* A part of the list. StackPage.place of its pages is its number. */
typedef struct OptChunk {
    int64_t keys[OPT_CHUNK];
    uint32_t pages[OPT_CHUNK]; /* 0: a hole */
} OptChunk;

typedef struct OptStack {
    OptChunk *chunks;
    uint32_t *where;    /* by chunk: its place in the order; of a free one, the next free one */
    uint32_t *order;    /* by place in the order: the chunk, */
    uint32_t *sizes;    /* pages and holes in it, */
    int64_t *most;      /* and its greatest key */
    uint8_t *falls;     /* 1: a key in it is followed by a smaller one */
    uint64_t *descents; /* a bit by place in the order: a key of the chunk is followed by a smaller
                           one, in it or at the beginning of the next */
    uint32_t capacity;  /* chunks there is room for */
    uint32_t used;      /* in the order */
    uint32_t made;      /* chunks that were ever used */
    uint32_t free;      /* the first free one of those; UINT32_MAX: none */
} OptStack;

/* Room for so many pages and holes. VMM_OK or an error. */
int opt_stack_reserve(OptStack *stack, const Memory *memory, uint64_t count, Error *error);
void opt_stack_free(OptStack *stack, const Memory *memory);

/*
 * The page comes to the top, with its new key; returns the depth it had, 0 if it was not in the
 * stack. There is room for it.
 */
uint32_t opt_stack_touch(OptStack *stack, StackPage *pages, uint32_t page, int64_t new_key);

/* Where a page of the stack is. */
uint32_t opt_stack_depth(const OptStack *stack, const StackPage *pages, uint32_t page);

/* The page is given up; returns the depth it had. */
uint32_t opt_stack_make_hole(OptStack *stack, const StackPage *pages, uint32_t page);

/* Calls for each page in the stack, from depth 1 on. */
typedef void OptVisit(void *user, uint32_t page, uint32_t depth);
void opt_stack_each(const OptStack *stack, OptVisit *visit, void *user);

#endif
