/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIEVE: a queue in order of loading and a hand that sifts it from the old end to the young one.
 *
 *     oldest                        youngest
 *       a1 -> b0 -> c1 -> d0 -> e0 -> f1          0, 1: referenced since the hand passed
 *                   ^hand
 *
 * A hit sets the page's bit and moves nothing. To find a victim the hand clears bits that are set
 * and steps towards the young end, from there back to the oldest; the first page whose bit is clear
 * leaves, and the hand stays where it was. Unlike Clock, survivors keep their places, so new pages,
 * which enter at the young end with a clear bit, are sifted soon after they came: quick demotion
 * without a second queue. The hand forgets its place when it evicts the youngest page.
 *
 * Each step of the hand was paid for by a hit: amortised constant work. Good on skewed popularity,
 * poor where the program changes phase: what was hot keeps its place until the hand comes round.
 *
 * Source: Zhang, Yang, Yue, Vigfusson and Rashmi, "SIEVE is simpler than LRU: an efficient
 * turn-key eviction algorithm for web caches", NSDI 2024.
 */
#include "queued.h"

typedef struct Sieve {
    Queued queued; /* used: the bit */
    List queue;
    uint32_t hand; /* LIST_NONE: it starts at the oldest */
} Sieve;

static int sieve_create(Policy *policy, const uint64_t *params, char *error) {
    (void)params;
    (void)error;
    Sieve *sieve = (Sieve *)policy;
    queued_create(&sieve->queued, 0);
    sieve->queue = LIST_EMPTY;
    sieve->hand = LIST_NONE;
    return VMM_OK;
}

static inline void sieve_insert(Policy *policy, uint32_t frame) {
    Sieve *sieve = (Sieve *)policy;
    sieve->queued.used[frame] = 0;
    queued_append(&sieve->queued, &sieve->queue, 0, frame);
}

static inline void sieve_touch(Policy *policy, uint32_t frame) {
    ((Sieve *)policy)->queued.used[frame] = 1;
}

static inline uint32_t sieve_victim(Policy *policy) {
    Sieve *sieve = (Sieve *)policy;
    ListLinks links = queued_links(&sieve->queued);
    uint8_t *used = sieve->queued.used;
    uint32_t hand = sieve->hand == LIST_NONE ? sieve->queue.oldest : sieve->hand;
    while (used[hand] != 0) {
        used[hand] = 0;
        queued_clear(policy, hand);
        uint32_t next = list_younger(links, hand);
        hand = next == LIST_NONE ? sieve->queue.oldest : next;
    }
    sieve->hand = hand;
    return hand;
}

static inline void sieve_remove(Policy *policy, uint32_t frame) {
    Sieve *sieve = (Sieve *)policy;
    ListLinks links = queued_links(&sieve->queued);
    if (frame == sieve->hand) {
        sieve->hand = list_younger(links, frame);
    }
    list_remove(&sieve->queue, links, frame);
}

static void sieve_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    snprintf(text, size, "first page from the hand that was not referenced (frame %u)", victim);
}

/* From the hand round to it: first those with a clear bit, which go in the first turn. */
static uint32_t sieve_order(Policy *policy, uint32_t *frames) {
    const Sieve *sieve = (const Sieve *)policy;
    ListLinks links = queued_links(&sieve->queued);
    uint32_t start = sieve->hand == LIST_NONE ? sieve->queue.oldest : sieve->hand;
    uint32_t count = 0;
    for (uint8_t bit = 0; bit < 2; bit++) {
        uint32_t frame = start;
        for (uint32_t i = 0; i < sieve->queue.count; i++) {
            if (sieve->queued.used[frame] == bit) {
                frames[count++] = frame;
            }
            uint32_t next = list_younger(links, frame);
            frame = next == LIST_NONE ? sieve->queue.oldest : next;
        }
    }
    return count;
}

static bool sieve_is_valid(const Policy *policy) {
    const Sieve *sieve = (const Sieve *)policy;
    return queued_is_valid(&sieve->queued, &sieve->queue, 0);
}

static const PolicyType sieve_policy = {
    .info.name = "sieve",
    .info.label = "SIEVE",
    .info.summary = "a queue whose unreferenced pages a hand sifts out, newest ones soon",
    .info.source = "Zhang, Yang, Yue, Vigfusson, Rashmi, NSDI 2024",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .victim_any_time = true,
    .state_size = sizeof(Sieve),
    .create = sieve_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .insert = sieve_insert,
    .touch = sieve_touch,
    .victim = sieve_victim,
    .remove = sieve_remove,
    .why = sieve_why,
    .order = sieve_order,
    .is_valid = sieve_is_valid,
};
