/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What FIFO, LRU and MRU share: the frames of the pool in one order, by loading or by last use,
 * and a victim from one of its ends.
 */
#ifndef VMM_MM_POLICY_ORDERED_H
#define VMM_MM_POLICY_ORDERED_H

#include "../recency.h"
#include "policy.h"

typedef struct Ordered {
    Policy base;
    Recency order;
} Ordered;

static bool ordered_reserve(Policy *policy, uint32_t frames) {
    return recency_reserve(&((Ordered *)policy)->order, policy->memory, frames);
}

static void ordered_destroy(Policy *policy) {
    recency_free(&((Ordered *)policy)->order, policy->memory);
}

/* Makes `frame` the youngest. */
static inline void ordered_touch(Policy *policy, uint32_t frame) {
    recency_touch(&((Ordered *)policy)->order, frame);
}

static inline void ordered_remove(Policy *policy, uint32_t frame) {
    recency_remove(&((Ordered *)policy)->order, frame);
}

static inline uint32_t ordered_oldest(Policy *policy) {
    return recency_oldest(&((Ordered *)policy)->order);
}

static inline uint32_t ordered_youngest(Policy *policy) {
    return recency_youngest(&((Ordered *)policy)->order);
}

static uint32_t ordered_oldest_first(Policy *policy, uint32_t *frames) {
    return recency_list(&((Ordered *)policy)->order, frames);
}

static VMM_UNUSED uint32_t ordered_youngest_first(Policy *policy, uint32_t *frames) {
    uint32_t count = ordered_oldest_first(policy, frames);
    for (uint32_t i = 0; i < count / 2; i++) {
        uint32_t frame = frames[i];
        frames[i] = frames[count - 1 - i];
        frames[count - 1 - i] = frame;
    }
    return count;
}

#endif
