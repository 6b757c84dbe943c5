/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clock, n bits: second chance on a ring of frames.
 *
 *            hand
 *             v
 *      | 1 | 0 | 1 | 1 | 0 |      counter of each frame, 0 .. 2^bits - 1
 *
 * A reference adds 1 to its page's counter, which saturates. To find a victim the hand goes round:
 * a counter above 0 is decremented and passed, the first 0 is the victim. A page enters with
 * `enter`: 1 is the textbook's and the hardware's second chance (the load itself was a use), 0 is
 * what some cache simulators do; the two differ by up to 7 % of misses on skewed traces. The hand
 * then stands behind the victim's place, so with all counters equal Clock is FIFO.
 *
 * Each decrement was paid for by an increment: amortised constant work. Sources: Corbato, "A
 * paging experiment with the Multics system", 1968; n bits: Smith, ACM TODS 3(3), 1978 (GCLOCK).
 */
#include <string.h>

#include "policy.h"

typedef struct Clock {
    Policy base;
    uint8_t *count; /* by frame: the counter */
    uint32_t hand;
    uint32_t reserved;
    uint8_t limit; /* 2^bits - 1 */
    uint8_t enter;
} Clock;

static int clock_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Clock *clock = (Clock *)policy;
    clock->limit = (uint8_t)((1u << params[0]) - 1);
    clock->enter = (uint8_t)(params[1] < clock->limit ? params[1] : clock->limit);
    return VMM_OK;
}

static void clock_destroy(Policy *policy) {
    Clock *clock = (Clock *)policy;
    memory_free(policy->memory, clock->count, clock->reserved, 1);
}

static bool clock_reserve(Policy *policy, uint32_t frames) {
    Clock *clock = (Clock *)policy;
    uint8_t *grown = memory_grow(policy->memory, clock->count, clock->reserved, frames, 1);
    if (grown == NULL) {
        return false;
    }
    memset(grown + clock->reserved, 0, frames - clock->reserved);
    clock->count = grown;
    clock->reserved = frames;
    return true;
}

static inline void clock_insert(Policy *policy, uint32_t frame) {
    Clock *clock = (Clock *)policy;
    clock->count[frame] = clock->enter;
}

static inline void clock_touch(Policy *policy, uint32_t frame) {
    Clock *clock = (Clock *)policy;
    uint8_t count = clock->count[frame];
    clock->count[frame] = (uint8_t)(count + (count < clock->limit));
}

static inline void clock_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    Clock *clock = (Clock *)policy;
    uint32_t room = (uint32_t)clock->limit - clock->count[frame];
    clock->count[frame] = (uint8_t)(clock->count[frame] + (count < room ? count : room));
}

/* The ring has the pool's capacity of places; those from `reserved` on never held a page. */
static inline uint32_t clock_next(const Clock *clock, uint32_t hand) {
    return hand + 1 == clock->reserved ? 0 : hand + 1;
}

/* Frames without a page are passed: there are some when one is to leave before the pool is full. */
static inline uint32_t clock_victim(Policy *policy) {
    Clock *clock = (Clock *)policy;
    uint32_t hand = clock->hand < clock->reserved ? clock->hand : 0;
    for (;; hand = clock_next(clock, hand)) {
        if (clock->count[hand] > 0) {
            clock->count[hand]--;
            if (policy->bit_cleared != NULL && policy->page_of[hand] != 0) {
                policy->bit_cleared(policy->host, hand);
            }
        } else if (policy->page_of[hand] != 0) {
            break;
        }
    }
    clock->hand = hand + 1 == policy->capacity ? 0 : hand + 1;
    return hand;
}

static void clock_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    snprintf(text, size, "first frame from the hand with counter 0 (frame %u)", victim);
}

static const PolicyType clock_policy = {
    .info.name = "clock",
    .info.label = "Clock",
    .info.summary = "second chance on a ring of frames, n bits",
    .info.source = "Corbato 1968; Smith, ACM TODS 3(3), 1978",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .victim_any_time = true,
    .state_size = sizeof(Clock),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"bits", 1, 1, 8, "bits of the counter of each page", NULL},
            {"enter", 1, 0, 255, "counter of a page that was just loaded", NULL},
            {.name = NULL},
        },
    .create = clock_create,
    .destroy = clock_destroy,
    .reserve = clock_reserve,
    .insert = clock_insert,
    .touch = clock_touch,
    .touch_many = clock_touch_many,
    .victim = clock_victim,
    .why = clock_why,
};
