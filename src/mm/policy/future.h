/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OPT and UNOPT share: the resident pages in order of their next reference.
 *
 * A page that is referenced again has a place in a heap of four children a node, ordered by the
 * place of its next reference in the run; the frame at the top is the victim. Pages that are never
 * referenced again stand apart, in the order of their last reference.
 *
 *     OPT: farthest on top            [ 912 ]
 *                          [ 700 ][ 44 ][ 812 ][ 35 ]      numbers: place of the next reference
 *
 * The page that is referenced now is always the one with the nearest next reference, so OPT finds
 * it at the bottom of its heap and usually leaves it there: a hit costs a comparison with the
 * parent. Nothing depends on the length of the run.
 */
#ifndef VMM_MM_POLICY_FUTURE_H
#define VMM_MM_POLICY_FUTURE_H

#include "../recency.h"
#include "policy.h"

#define FUTURE_CHILDREN 4u
#define FUTURE_NOWHERE UINT32_MAX

typedef struct Future {
    Policy base;
    uint64_t *next; /* by frame: place of the next reference in the run, or POLICY_NEVER */
    uint32_t *node; /* by frame: its node in the heap, FUTURE_NOWHERE if it is not in it */
    uint32_t *heap; /* by node: the frame */
    uint32_t count; /* nodes */
    Recency dead;   /* pages never referenced again, by last reference */
    uint32_t dead_count;
    uint32_t reserved;
} Future;

static void future_destroy(Policy *policy) {
    Future *future = (Future *)policy;
    memory_free(policy->memory, future->next, future->reserved, sizeof *future->next);
    memory_free(policy->memory, future->node, future->reserved, sizeof *future->node);
    memory_free(policy->memory, future->heap, future->reserved, sizeof *future->heap);
    recency_free(&future->dead, policy->memory);
}

static bool future_reserve(Policy *policy, uint32_t frames) {
    Future *future = (Future *)policy;
    const Memory *memory = policy->memory;
    uint32_t had = future->reserved;
    uint64_t *next = memory_grow(memory, future->next, had, frames, sizeof *next);
    future->next = next != NULL ? next : future->next;
    uint32_t *node = memory_grow(memory, future->node, had, frames, sizeof *node);
    future->node = node != NULL ? node : future->node;
    uint32_t *heap = memory_grow(memory, future->heap, had, frames, sizeof *heap);
    future->heap = heap != NULL ? heap : future->heap;
    if (next == NULL || node == NULL || heap == NULL) {
        return false;
    }
    for (uint32_t frame = had; frame < frames; frame++) {
        node[frame] = FUTURE_NOWHERE;
    }
    future->reserved = frames;
    return recency_reserve(&future->dead, memory, frames);
}

/* Whether frame a belongs above frame b: the nearer one for UNOPT, else the farther one. */
static inline bool future_above(const Future *future, uint32_t a, uint32_t b, bool nearest) {
    return nearest ? future->next[a] < future->next[b] : future->next[a] > future->next[b];
}

static inline void future_put(Future *future, uint32_t node, uint32_t frame) {
    future->heap[node] = frame;
    future->node[frame] = node;
}

/* Moves a frame up from a node that is free; returns where it came to stand. */
static inline uint32_t future_rise(Future *future, uint32_t node, uint32_t frame, bool nearest) {
    while (node > 0) {
        uint32_t parent = (node - 1) / FUTURE_CHILDREN;
        if (!future_above(future, frame, future->heap[parent], nearest)) {
            break;
        }
        future_put(future, node, future->heap[parent]);
        node = parent;
    }
    future_put(future, node, frame);
    return node;
}

/* The child of a node that belongs on top of its siblings, or `node` if it has none. */
static inline uint32_t future_top_child(const Future *future, uint32_t node, bool nearest) {
    uint64_t first = (uint64_t)node * FUTURE_CHILDREN + 1;
    uint64_t end =
        first + FUTURE_CHILDREN < future->count ? first + FUTURE_CHILDREN : future->count;
    uint32_t top = first < end ? (uint32_t)first : node;
    for (uint64_t child = first + 1; child < end; child++) {
        if (future_above(future, future->heap[child], future->heap[top], nearest)) {
            top = (uint32_t)child;
        }
    }
    return top;
}

/* Moves a frame down from a node that is free. */
static inline void future_sink(Future *future, uint32_t node, uint32_t frame, bool nearest) {
    for (;;) {
        uint32_t child = future_top_child(future, node, nearest);
        if (child == node || !future_above(future, future->heap[child], frame, nearest)) {
            break;
        }
        future_put(future, node, future->heap[child]);
        node = child;
    }
    future_put(future, node, frame);
}

/* Puts the frame where it belongs, given that `node` is free for it. */
static inline void future_settle(Future *future, uint32_t node, uint32_t frame, bool nearest) {
    if (future_rise(future, node, frame, nearest) == node) {
        future_sink(future, node, frame, nearest);
    }
}

static inline void future_take_out(Future *future, uint32_t frame, bool nearest) {
    uint32_t node = future->node[frame];
    if (node == FUTURE_NOWHERE) {
        recency_remove(&future->dead, frame);
        future->dead_count--;
        return;
    }
    future->node[frame] = FUTURE_NOWHERE;
    uint32_t last = future->heap[--future->count];
    if (last != frame) {
        future_settle(future, node, last, nearest);
    }
}

/* A page has just been loaded. */
static inline void future_enter(Policy *policy, uint32_t frame, bool nearest) {
    Future *future = (Future *)policy;
    future->next[frame] = policy->next_use;
    if (policy->next_use == POLICY_NEVER) {
        future->node[frame] = FUTURE_NOWHERE;
        recency_touch(&future->dead, frame);
        future->dead_count++;
    } else {
        future_rise(future, future->count++, frame, nearest);
    }
}

/* A resident page is referenced: its next reference is another now. */
static inline void future_move(Policy *policy, uint32_t frame, bool nearest) {
    Future *future = (Future *)policy;
    uint32_t node = future->node[frame];
    if (VMM_LIKELY(node != FUTURE_NOWHERE && policy->next_use != POLICY_NEVER)) {
        future->next[frame] = policy->next_use;
        future_settle(future, node, frame, nearest);
    } else {
        future_take_out(future, frame, nearest);
        future_enter(policy, frame, nearest);
    }
}

/* The frames of the heap, sorted as the heap orders them (Shell's sort); returns how many. */
static uint32_t future_list(const Future *future, bool nearest, uint32_t *frames) {
    uint32_t count = future->count;
    for (uint32_t i = 0; i < count; i++) {
        frames[i] = future->heap[i];
    }
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            uint32_t frame = frames[i];
            uint32_t at = i;
            for (; at >= gap && future_above(future, frame, frames[at - gap], nearest); at -= gap) {
                frames[at] = frames[at - gap];
            }
            frames[at] = frame;
        }
    }
    return count;
}

static void future_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    uint64_t next = ((const Future *)policy)->next[victim];
    if (next == POLICY_NEVER) {
        snprintf(text, size, "never referenced again");
    } else {
        snprintf(text, size, "next referenced %llu page references from now",
                 (unsigned long long)(next - policy->now));
    }
}

/* The frames of the heap know their nodes, no child belongs above its parent, the dead are counted.
 */
static bool future_is_valid(const Future *future, bool nearest) {
    uint32_t dead = 0;
    for (uint32_t frame = 0; frame < future->dead.items; frame++) {
        dead += recency_contains(&future->dead, frame);
    }
    if (dead != future->dead_count) {
        return false;
    }
    for (uint32_t node = 0; node < future->count; node++) {
        uint32_t frame = future->heap[node];
        uint32_t parent = node == 0 ? 0 : (node - 1) / FUTURE_CHILDREN;
        if (future->node[frame] != node ||
            future_above(future, frame, future->heap[parent], nearest)) {
            return false;
        }
    }
    return true;
}

#endif
