/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 2Q, the full version: a page has to come back after it left a FIFO queue before LRU keeps it.
 *
 *      new page ---> [ A1in: FIFO ] --- leaves, is remembered ---> [ A1out: ghosts ]
 *                                                                        | comes back
 *                                                                        v
 *                                                                  [ Am: LRU ]
 *
 * Hits in A1in change nothing: references close together are one use of the page. A page that is
 * missed soon after it left A1in is in use for longer, and enters Am. While A1in holds more than
 * Kin pages it gives one up, else Am gives up its least recently used one, without remembering it.
 * Kin and Kout, the length of A1out, are `kin` and `kout` per cent of memory; the paper recommends
 * 25 and 50.
 *
 * A page that comes back leaves A1out before its frame is found, as in libCacheSim, whose misses
 * are the same. The paper's pseudo-code leaves open whether it still counts there meanwhile, when
 * the page that A1in gives up for it may push another off the end.
 *
 * Source: Johnson and Shasha, "2Q: a low overhead high performance buffer management replacement
 * algorithm", VLDB 1994.
 */
#include "../recency.h"
#include "queued.h"

typedef struct TwoQ {
    Queued queued; /* used: 1 if the page is in Am */
    List in;
    Recency hot; /* Am */
    uint32_t in_limit;
} TwoQ;

static int twoq_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    TwoQ *twoq = (TwoQ *)policy;
    queued_create(&twoq->queued, queued_share(policy, params[1]));
    twoq->in = LIST_EMPTY;
    twoq->in_limit = queued_share(policy, params[0]);
    return VMM_OK;
}

static void twoq_destroy(Policy *policy) {
    recency_free(&((TwoQ *)policy)->hot, policy->memory);
    queued_destroy(policy);
}

static bool twoq_reserve(Policy *policy, uint32_t frames) {
    return queued_reserve(policy, frames) &&
           recency_reserve(&((TwoQ *)policy)->hot, policy->memory, frames);
}

static inline void twoq_insert(Policy *policy, uint32_t frame) {
    TwoQ *twoq = (TwoQ *)policy;
    twoq->queued.used[frame] = twoq->queued.recalled;
    if (twoq->queued.recalled) {
        recency_touch(&twoq->hot, frame);
    } else {
        queued_append(&twoq->queued, &twoq->in, 0, frame);
    }
}

static inline void twoq_touch(Policy *policy, uint32_t frame) {
    TwoQ *twoq = (TwoQ *)policy;
    if (twoq->queued.used[frame] != 0) {
        recency_touch(&twoq->hot, frame);
    }
}

/* The pool is full when a victim is asked for: what is not in A1in is in Am. */
static inline uint32_t twoq_victim(Policy *policy) {
    TwoQ *twoq = (TwoQ *)policy;
    bool from_in = twoq->in.count > twoq->in_limit || twoq->in.count == policy->capacity;
    twoq->queued.leaving = from_in ? twoq->in.oldest : recency_oldest(&twoq->hot);
    return twoq->queued.leaving;
}

static inline void twoq_remove(Policy *policy, uint32_t frame) {
    TwoQ *twoq = (TwoQ *)policy;
    bool evicted = queued_is_evicted(&twoq->queued, frame);
    if (twoq->queued.used[frame] != 0) {
        recency_remove(&twoq->hot, frame);
        return;
    }
    list_remove(&twoq->in, queued_links(&twoq->queued), frame);
    if (evicted) {
        queued_remember(&twoq->queued, frame);
    }
}

static void twoq_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const TwoQ *twoq = (const TwoQ *)policy;
    if (twoq->queued.used[victim] != 0) {
        snprintf(text, size, "least recently used of Am; A1in has %u of %u pages", twoq->in.count,
                 twoq->in_limit);
    } else {
        snprintf(text, size, "oldest of A1in, which has %u pages, more than %u", twoq->in.count,
                 twoq->in_limit);
    }
}

/* A1in down to its limit, then Am, then the rest of A1in. */
static uint32_t twoq_order(Policy *policy, uint32_t *frames) {
    const TwoQ *twoq = (const TwoQ *)policy;
    ListLinks links = queued_links(&twoq->queued);
    uint32_t count = 0;
    uint32_t frame = twoq->in.oldest;
    for (; twoq->in.count - count > twoq->in_limit; frame = list_younger(links, frame)) {
        frames[count++] = frame;
    }
    count += recency_list(&twoq->hot, frames + count);
    for (; frame != LIST_NONE; frame = list_younger(links, frame)) {
        frames[count++] = frame;
    }
    return count;
}

static bool twoq_is_valid(const Policy *policy) {
    const TwoQ *twoq = (const TwoQ *)policy;
    for (uint32_t frame = 0; frame < twoq->queued.reserved; frame++) {
        if (recency_contains(&twoq->hot, frame) && twoq->queued.used[frame] == 0) {
            return false;
        }
    }
    return queued_is_valid(&twoq->queued, &twoq->in, 0);
}

static const PolicyType twoq_policy = {
    .info.name = "twoq",
    .info.alias = "2q",
    .info.label = "2Q",
    .info.summary = "LRU for pages that come back after they left a FIFO queue",
    .info.source = "Johnson, Shasha, VLDB 1994",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .touch_last = true,
    .state_size = sizeof(TwoQ),
    .page_state_size = sizeof(ListLink),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"kin", 25, 0, 100, "per cent of memory for A1in", NULL},
            {"kout", 50, 0, 1000, "pages remembered, in per cent of memory", NULL},
            {.name = NULL},
        },
    .create = twoq_create,
    .destroy = twoq_destroy,
    .reserve = twoq_reserve,
    .miss = queued_miss,
    .insert = twoq_insert,
    .touch = twoq_touch,
    .victim = twoq_victim,
    .remove = twoq_remove,
    .forget = queued_forget,
    .why = twoq_why,
    .order = twoq_order,
    .is_valid = twoq_is_valid,
};
