/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lazy heap: the frame with the smallest key, where keys only rise while a page is resident.
 *
 * A hit raises a key, often, and matters only if the page is near the top when a victim is wanted.
 * So the policy keeps the true keys wherever it likes and raises them there for nothing; the heap
 * has the keys it was told last, which are never above the true ones:
 *
 *     told            [ 4, d ]                  true: d 9, a 7, e 11, b 8
 *                [ 7, a ]    [ 8, b ]
 *           [ 11, e ]
 *
 * When the top's true key is larger than told it sinks with that, and the next one is looked at; a
 * top that is told truly is the smallest of all. Each correction is paid for by at least one hit:
 * a hit costs nothing here, an eviction O(log n) amortised. Ties are broken by the minor key.
 */
#ifndef VMM_MM_POLICY_HEAP_H
#define VMM_MM_POLICY_HEAP_H

#include "policy.h"

#define HEAP_CHILDREN 4u
#define HEAP_NOWHERE UINT32_MAX

typedef struct HeapKey {
    uint64_t major, minor;
} HeapKey;

typedef struct HeapNode {
    HeapKey key; /* as told */
    uint32_t frame;
} HeapNode;

typedef struct Heap {
    HeapNode *nodes;
    uint32_t *node_of; /* by frame; HEAP_NOWHERE: it is not in the heap */
    uint32_t count;    /* nodes */
    uint32_t reserved;
} Heap;

static inline bool heap_below(HeapKey a, HeapKey b) {
    return a.major != b.major ? a.major < b.major : a.minor < b.minor;
}

static inline VMM_UNUSED void heap_free(Heap *heap, const Memory *memory) {
    memory_free(memory, heap->nodes, heap->reserved, sizeof *heap->nodes);
    memory_free(memory, heap->node_of, heap->reserved, sizeof *heap->node_of);
}

/* Makes room for more frames, which are not in the heap yet. False: out of memory. */
static inline VMM_UNUSED bool heap_reserve(Heap *heap, const Memory *memory, uint32_t frames) {
    HeapNode *nodes = memory_grow(memory, heap->nodes, heap->reserved, frames, sizeof *nodes);
    if (nodes == NULL) {
        return false;
    }
    heap->nodes = nodes;
    uint32_t *node_of = memory_grow(memory, heap->node_of, heap->reserved, frames, sizeof *node_of);
    if (node_of == NULL) {
        return false;
    }
    for (uint32_t frame = heap->reserved; frame < frames; frame++) {
        node_of[frame] = HEAP_NOWHERE;
    }
    heap->node_of = node_of;
    heap->reserved = frames;
    return true;
}

static inline void heap_put(Heap *heap, uint32_t node, HeapNode value) {
    heap->nodes[node] = value;
    heap->node_of[value.frame] = node;
}

/* Moves a value up from a node that is free; returns where it came to stand. */
static inline uint32_t heap_rise(Heap *heap, uint32_t node, HeapNode value) {
    while (node > 0) {
        uint32_t parent = (node - 1) / HEAP_CHILDREN;
        if (!heap_below(value.key, heap->nodes[parent].key)) {
            break;
        }
        heap_put(heap, node, heap->nodes[parent]);
        node = parent;
    }
    heap_put(heap, node, value);
    return node;
}

/* Moves a value down from a node that is free. */
static inline void heap_sink(Heap *heap, uint32_t node, HeapNode value) {
    for (;;) {
        uint64_t first = (uint64_t)node * HEAP_CHILDREN + 1;
        uint64_t end = first + HEAP_CHILDREN < heap->count ? first + HEAP_CHILDREN : heap->count;
        uint32_t least = node;
        HeapKey key = value.key;
        for (uint64_t child = first; child < end; child++) {
            if (heap_below(heap->nodes[child].key, key)) {
                least = (uint32_t)child;
                key = heap->nodes[child].key;
            }
        }
        if (least == node) {
            break;
        }
        heap_put(heap, node, heap->nodes[least]);
        node = least;
    }
    heap_put(heap, node, value);
}

static inline bool heap_has(const Heap *heap, uint32_t frame) {
    return heap->node_of[frame] != HEAP_NOWHERE;
}

static inline void heap_push(Heap *heap, uint32_t frame, HeapKey key) {
    heap_rise(heap, heap->count++, (HeapNode){key, frame});
}

/* Takes out a frame that is in the heap. */
static inline void heap_remove(Heap *heap, uint32_t frame) {
    uint32_t node = heap->node_of[frame];
    HeapNode last = heap->nodes[--heap->count];
    heap->node_of[frame] = HEAP_NOWHERE;
    if (last.frame != frame && heap_rise(heap, node, last) == node) {
        heap_sink(heap, node, last);
    }
}

/* Tells the true key of the top, if the heap has an older one. Whether it had the true one. */
static inline bool heap_top_is(Heap *heap, HeapKey key) {
    HeapNode top = heap->nodes[0];
    if (top.key.major == key.major && top.key.minor == key.minor) {
        return true;
    }
    heap_sink(heap, 0, (HeapNode){key, top.frame});
    return false;
}

/* Sorts frames by their true keys, smallest first (Shell's sort). */
static VMM_UNUSED void heap_sort(uint32_t *frames, uint32_t count, const Policy *policy,
                                 HeapKey (*key_of)(const Policy *policy, uint32_t frame)) {
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            uint32_t frame = frames[i];
            HeapKey key = key_of(policy, frame);
            uint32_t at = i;
            for (; at >= gap && heap_below(key, key_of(policy, frames[at - gap])); at -= gap) {
                frames[at] = frames[at - gap];
            }
            frames[at] = frame;
        }
    }
}

/* Frames know their nodes, no child is below its parent, no key was told too large. */
static VMM_UNUSED bool heap_is_valid(const Heap *heap, const Policy *policy,
                                     HeapKey (*key_of)(const Policy *policy, uint32_t frame)) {
    for (uint32_t node = 0; node < heap->count; node++) {
        HeapNode value = heap->nodes[node];
        uint32_t parent = node == 0 ? 0 : (node - 1) / HEAP_CHILDREN;
        if (heap->node_of[value.frame] != node || heap_below(value.key, heap->nodes[parent].key) ||
            heap_below(key_of(policy, value.frame), value.key)) {
            return false;
        }
    }
    return true;
}

#endif
