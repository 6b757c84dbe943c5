/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least of frames whose keys only rise: for policies that need the least frequently used page
 * now and then, while references must stay cheap.
 *
 *     frames[frame] = {count, stamp}             the key: uses, and among equals the last use, in
 *                                                the order of all uses
 *                     {known count, stamp}       the key when the heap was last looked at
 *     heap = frames by known key, least first
 *
 * A use raises the key and leaves the heap alone. As keys only rise, the known ones are lower
 * bounds: the frame at the top is brought up to date and sinks, until one is there that was up to
 * date. So each frame that was used costs one sinking at most when a least one is asked for.
 */
#ifndef VMM_MM_POLICY_RISING_H
#define VMM_MM_POLICY_RISING_H

#include "policy.h"

typedef struct RisingKey {
    uint64_t stamp;
    uint32_t count;
} RisingKey;

typedef struct RisingFrame {
    RisingKey key, known;
    uint32_t place; /* in the heap */
} RisingFrame;

typedef struct Rising {
    RisingFrame *frames; /* by frame */
    uint32_t *heap;
    uint64_t stamp; /* of the last use of any frame */
    uint32_t count;
    uint32_t reserved;
} Rising;

static inline bool rising_reserve(Rising *rising, const Memory *memory, uint32_t frames) {
    RisingFrame *grown =
        memory_grow(memory, rising->frames, rising->reserved, frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    rising->frames = grown;
    uint32_t *heap = memory_grow(memory, rising->heap, rising->reserved, frames, sizeof *heap);
    if (heap == NULL) {
        return false;
    }
    rising->heap = heap;
    rising->reserved = frames;
    return true;
}

static inline void rising_free(Rising *rising, const Memory *memory) {
    memory_free(memory, rising->frames, rising->reserved, sizeof *rising->frames);
    memory_free(memory, rising->heap, rising->reserved, sizeof *rising->heap);
}

static inline bool rising_is_less(const RisingKey *a, const RisingKey *b) {
    return a->count != b->count ? a->count < b->count : a->stamp < b->stamp;
}

static inline void rising_put(Rising *rising, uint32_t frame, uint32_t place) {
    rising->heap[place] = frame;
    rising->frames[frame].place = place;
}

static void rising_sink(Rising *rising, uint32_t frame, uint32_t place) {
    RisingFrame *frames = rising->frames;
    for (uint64_t child; (child = 2 * (uint64_t)place + 1) < rising->count;) {
        const uint32_t *heap = rising->heap;
        child += child + 1 < rising->count &&
                 rising_is_less(&frames[heap[child + 1]].known, &frames[heap[child]].known);
        if (!rising_is_less(&frames[heap[child]].known, &frames[frame].known)) {
            break;
        }
        rising_put(rising, heap[child], place);
        place = (uint32_t)child;
    }
    rising_put(rising, frame, place);
}

static void rising_climb(Rising *rising, uint32_t frame, uint32_t place) {
    while (place > 0) {
        uint32_t above = rising->heap[(place - 1) / 2];
        if (!rising_is_less(&rising->frames[frame].known, &rising->frames[above].known)) {
            break;
        }
        rising_put(rising, above, place);
        place = (place - 1) / 2;
    }
    rising_put(rising, frame, place);
}

static void rising_insert(Rising *rising, uint32_t frame, uint32_t count) {
    rising->frames[frame].key = (RisingKey){++rising->stamp, count};
    rising->frames[frame].known = rising->frames[frame].key;
    rising_climb(rising, frame, rising->count++);
}

static inline void rising_use(Rising *rising, uint32_t frame, uint32_t uses) {
    RisingKey *key = &rising->frames[frame].key;
    key->count = uses < UINT32_MAX - key->count ? key->count + uses : UINT32_MAX;
    key->stamp = ++rising->stamp;
}

static void rising_remove(Rising *rising, uint32_t frame) {
    uint32_t place = rising->frames[frame].place;
    uint32_t last = rising->heap[--rising->count];
    if (last != frame) {
        rising_climb(rising, last, place);
        rising_sink(rising, last, rising->frames[last].place);
    }
}

/* The frame used least, of those used longest ago. There must be one. */
static uint32_t rising_least(Rising *rising) {
    for (;;) {
        uint32_t frame = rising->heap[0];
        RisingFrame *top = &rising->frames[frame];
        if (top->key.count == top->known.count && top->key.stamp == top->known.stamp) {
            return frame;
        }
        top->known = top->key;
        rising_sink(rising, frame, 0);
    }
}

static VMM_UNUSED bool rising_is_valid(const Rising *rising) {
    for (uint32_t place = 0; place < rising->count; place++) {
        const RisingFrame *frame = &rising->frames[rising->heap[place]];
        const RisingFrame *above = &rising->frames[rising->heap[place == 0 ? 0 : (place - 1) / 2]];
        if (frame->place != place || rising_is_less(&frame->known, &above->known) ||
            rising_is_less(&frame->key, &frame->known)) {
            return false;
        }
    }
    return true;
}

#endif
