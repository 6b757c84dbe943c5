/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OPT and UNOPT share: the resident pages in order of their next reference.
 *
 * Time is the place of a page reference in the run. Every resident page that is referenced again
 * stands at the place of its next reference: a bit in a set over all places, and its frame in an
 * array by place. The set is a tree of 64-way bitmaps, so that a page is moved and the nearest or
 * farthest one found in log64 of the length of the run (5 steps for a thousand million):
 *
 *     level 1   |        1        |        0        |        1        |
 *     level 0   | ...0100...1.... | ............... | .1............. |   bit = a place
 *                       ^now, the nearest                 ^the farthest
 *
 * Pages never referenced again stand apart, in the order of their last reference. The array by
 * place lies in a temporary file: 4 bytes a page reference, beside the 4 of the future itself.
 */
#ifndef VMM_MM_POLICY_FUTURE_H
#define VMM_MM_POLICY_FUTURE_H

#include "../../base/spill.h"
#include "../recency.h"
#include "policy.h"

#define FUTURE_LEVELS 7

typedef struct Future {
    Policy base;
    uint64_t *bits[FUTURE_LEVELS]; /* level 0: by place; level i: words of level i - 1 not empty */
    size_t words[FUTURE_LEVELS];
    unsigned levels;
    uint32_t *frame_at; /* by place */
    uint64_t *next;     /* by frame: place of the next reference, or POLICY_NEVER */
    Recency dead;       /* pages never referenced again, by last reference */
    uint32_t dead_count;
    uint32_t reserved;
} Future;

static int future_create(Policy *policy, const uint64_t *params, Error *error) {
    (void)params;
    Future *future = (Future *)policy;
    uint64_t places = policy->horizon == 0 ? 1 : policy->horizon;
    do {
        size_t words = (size_t)(places / 64 + 1);
        uint64_t *bits = memory_zalloc(policy->memory, words, sizeof *bits);
        if (bits == NULL) {
            return error_no_memory(error, words * sizeof *bits, "the order of future references");
        }
        future->bits[future->levels] = bits;
        future->words[future->levels++] = words;
        places = words;
    } while (places > 1);
    future->frame_at = spill_map((policy->horizon + 1) * sizeof *future->frame_at, error);
    return future->frame_at == NULL ? error->code : VMM_OK;
}

static void future_destroy(Policy *policy) {
    Future *future = (Future *)policy;
    for (unsigned level = 0; level < future->levels; level++) {
        memory_free(policy->memory, future->bits[level], future->words[level], sizeof(uint64_t));
    }
    spill_unmap(future->frame_at, (policy->horizon + 1) * sizeof *future->frame_at);
    memory_free(policy->memory, future->next, future->reserved, sizeof *future->next);
    recency_free(&future->dead, policy->memory);
}

static bool future_reserve(Policy *policy, uint32_t frames) {
    Future *future = (Future *)policy;
    uint64_t *next =
        memory_grow(policy->memory, future->next, future->reserved, frames, sizeof *next);
    if (next == NULL) {
        return false;
    }
    future->next = next;
    future->reserved = frames;
    return recency_reserve(&future->dead, policy->memory, frames);
}

static inline void future_set(Future *future, uint64_t place) {
    for (unsigned level = 0; level < future->levels; level++, place /= 64) {
        uint64_t *word = &future->bits[level][place / 64];
        uint64_t had = *word;
        *word = had | UINT64_C(1) << (place % 64);
        if (had != 0) {
            return;
        }
    }
}

static inline void future_clear(Future *future, uint64_t place) {
    for (unsigned level = 0; level < future->levels; level++, place /= 64) {
        uint64_t *word = &future->bits[level][place / 64];
        *word &= ~(UINT64_C(1) << (place % 64));
        if (*word != 0) {
            return;
        }
    }
}

static inline bool future_is_empty(const Future *future) {
    return future->bits[future->levels - 1][0] == 0;
}

/* The farthest place in the set, which must not be empty. */
static inline uint64_t future_last(const Future *future) {
    uint64_t place = 0;
    for (unsigned level = future->levels; level-- > 0;) {
        place = place * 64 + 63 - (unsigned)__builtin_clzll(future->bits[level][place]);
    }
    return place;
}

/* The nearest one. */
static inline uint64_t future_first(const Future *future) {
    uint64_t place = 0;
    for (unsigned level = future->levels; level-- > 0;) {
        place = place * 64 + (unsigned)__builtin_ctzll(future->bits[level][place]);
    }
    return place;
}

/* Puts `frame` where its next reference is. */
static inline void future_insert(Policy *policy, uint32_t frame) {
    Future *future = (Future *)policy;
    uint64_t place = policy->next_use;
    future->next[frame] = place;
    if (place == POLICY_NEVER) {
        recency_touch(&future->dead, frame);
        future->dead_count++;
    } else {
        future->frame_at[place] = frame;
        future_set(future, place);
    }
}

static inline void future_remove(Policy *policy, uint32_t frame) {
    Future *future = (Future *)policy;
    if (future->next[frame] == POLICY_NEVER) {
        recency_remove(&future->dead, frame);
        future->dead_count--;
    } else {
        future_clear(future, future->next[frame]);
    }
}

static inline void future_touch(Policy *policy, uint32_t frame) {
    future_remove(policy, frame);
    future_insert(policy, frame);
}

/* All frames: those referenced again from the nearest on, or from the farthest on. */
static uint32_t future_list(const Future *future, bool nearest_first, uint32_t *frames) {
    uint32_t count = 0;
    for (size_t word = 0; word < future->words[0]; word++) {
        for (uint64_t bits = future->bits[0][word]; bits != 0; bits &= bits - 1) {
            frames[count++] = future->frame_at[word * 64 + (unsigned)__builtin_ctzll(bits)];
        }
    }
    for (uint32_t i = 0; !nearest_first && i < count / 2; i++) {
        uint32_t frame = frames[i];
        frames[i] = frames[count - 1 - i];
        frames[count - 1 - i] = frame;
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

#endif
