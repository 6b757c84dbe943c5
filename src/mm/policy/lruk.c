/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LRU-K: the page whose K-th last reference is longest ago leaves.
 *
 *     K = 2    now = 100             last     last but one
 *     a                                99           3       leaves first of a and b: its one burst
 *     b                                80          60       of use is not yet proof of interest
 *     c                                70           -       before both: never used a second time
 *
 * References that follow one another within the correlated reference period `crp` are one use:
 * they only move the page's last reference. The use before counts as if it had happened at the end
 * of its period: when a new use begins, the older times shift down by one and by the length of the
 * period that ended. A page whose current period may still go on is no candidate (unless all are:
 * then the least recently used page leaves, on which the paper is silent). Among pages with the
 * same K-th last use, those with fewer than K above all, the least recently used leaves. Times are
 * page references of the pool; the default crp = 0 makes each reference a use.
 *
 * What is known of a page stays when it leaves, and counts if it is back within the retained
 * information period `rip` after its last reference. It lies by page, so keeping it costs nothing.
 *
 *     page_state[page]    times of the last K uses, time of the last reference
 *     recent              frames referenced since they were last looked at, by last reference
 *     heap                the others, by (K-th last use, last reference); a frame that is
 *                         referenced stays there until it comes to the top
 *
 * To find a victim, frames whose period is over go from `recent` to the heap, the paper's search
 * tree: O(log n) for each page and eviction between two of its references.
 *
 * Source: O'Neil, O'Neil and Weikum, "The LRU-K page replacement algorithm for database disk
 * buffering", SIGMOD 1993.
 */
#include "../recency.h"
#include "heap.h"

enum { LRUK_MOST = 4 };

typedef struct LrukPage {
    uint64_t use[LRUK_MOST]; /* HIST: times of the last uses, newest first; 0: there was none */
    uint64_t last;           /* LAST: time of the last reference */
} LrukPage;

typedef struct Lruk {
    Policy base;
    Recency recent;
    Heap heap;
    uint32_t recent_count;
    uint32_t k;
    uint64_t crp, rip;
} Lruk;

static int lruk_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Lruk *lruk = (Lruk *)policy;
    lruk->k = (uint32_t)params[0];
    lruk->crp = params[1];
    lruk->rip = params[2];
    return VMM_OK;
}

static void lruk_destroy(Policy *policy) {
    Lruk *lruk = (Lruk *)policy;
    recency_free(&lruk->recent, policy->memory);
    heap_free(&lruk->heap, policy->memory);
}

static bool lruk_reserve(Policy *policy, uint32_t frames) {
    Lruk *lruk = (Lruk *)policy;
    return recency_reserve(&lruk->recent, policy->memory, frames) &&
           heap_reserve(&lruk->heap, policy->memory, frames);
}

static inline LrukPage *lruk_page(const Policy *policy, uint32_t frame) {
    return (LrukPage *)policy->page_state + policy->page_of[frame];
}

static HeapKey lruk_key(const Policy *policy, uint32_t frame) {
    const LrukPage *page = lruk_page(policy, frame);
    return (HeapKey){page->use[((const Lruk *)policy)->k - 1], page->last};
}

static inline void lruk_note(Lruk *lruk, uint32_t frame) {
    lruk->recent_count += !recency_contains(&lruk->recent, frame);
    recency_touch(&lruk->recent, frame);
}

/* A use begins at `time`; earlier ones are older by one, and later by `period`. */
static inline void lruk_use(LrukPage *page, uint64_t period, uint64_t time) {
    for (unsigned i = LRUK_MOST - 1; i > 0; i--) {
        page->use[i] = page->use[i - 1] == 0 ? 0 : page->use[i - 1] + period;
    }
    page->use[0] = time;
    page->last = time;
}

static inline void lruk_insert(Policy *policy, uint32_t frame) {
    Lruk *lruk = (Lruk *)policy;
    LrukPage *page = lruk_page(policy, frame);
    if (lruk->rip != 0 && policy->clock - page->last > lruk->rip) {
        *page = (LrukPage){{0}, 0};
    }
    lruk_use(page, 0, policy->clock);
    lruk_note(lruk, frame);
}

static inline void lruk_reference(const Lruk *lruk, LrukPage *page, uint64_t time) {
    if (time - page->last > lruk->crp) {
        lruk_use(page, page->last - page->use[0], time);
    } else {
        page->last = time;
    }
}

static inline void lruk_touch(Policy *policy, uint32_t frame) {
    Lruk *lruk = (Lruk *)policy;
    lruk_reference(lruk, lruk_page(policy, frame), policy->clock);
    lruk_note(lruk, frame);
}

/* Touches in a row: with crp = 0 the last K of them are all that is remembered, else one use. */
static inline void lruk_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    Lruk *lruk = (Lruk *)policy;
    LrukPage *page = lruk_page(policy, frame);
    uint64_t time = policy->clock - count + 1;
    if (lruk->crp == 0 && count > LRUK_MOST) {
        time = policy->clock - LRUK_MOST + 1;
    }
    lruk_reference(lruk, page, time);
    if (lruk->crp == 0) {
        while (time < policy->clock) {
            lruk_reference(lruk, page, ++time);
        }
    }
    page->last = policy->clock;
    lruk_note(lruk, frame);
}

/* Whether the correlated period of a frame's page is over. */
static inline bool lruk_is_over(const Lruk *lruk, uint64_t last) {
    return lruk->base.clock - last > lruk->crp;
}

static inline void lruk_forget_recent(Lruk *lruk, uint32_t frame) {
    if (recency_contains(&lruk->recent, frame)) {
        recency_remove(&lruk->recent, frame);
        lruk->recent_count--;
    }
}

/* Moves the frames whose period is over to the heap. */
static inline void lruk_settle(Lruk *lruk) {
    while (lruk->recent_count > 0) {
        uint32_t frame = recency_oldest(&lruk->recent);
        HeapKey key = lruk_key(&lruk->base, frame);
        if (!lruk_is_over(lruk, key.minor)) {
            break;
        }
        lruk_forget_recent(lruk, frame);
        if (!heap_has(&lruk->heap, frame)) {
            heap_push(&lruk->heap, frame, key);
        }
    }
}

static inline uint32_t lruk_victim(Policy *policy) {
    Lruk *lruk = (Lruk *)policy;
    Heap *heap = &lruk->heap;
    lruk_settle(lruk);
    while (heap->count > 0) {
        uint32_t frame = heap->nodes[0].frame;
        HeapKey key = lruk_key(policy, frame);
        if (!lruk_is_over(lruk, key.minor)) {
            heap_remove(heap, frame); /* it is in `recent` as well */
        } else if (heap_top_is(heap, key)) {
            return frame;
        }
    }
    return recency_oldest(&lruk->recent);
}

static inline void lruk_remove(Policy *policy, uint32_t frame) {
    Lruk *lruk = (Lruk *)policy;
    lruk_forget_recent(lruk, frame);
    if (heap_has(&lruk->heap, frame)) {
        heap_remove(&lruk->heap, frame);
    }
}

static inline void lruk_forget(Policy *policy, uint32_t page) {
    ((LrukPage *)policy->page_state)[page] = (LrukPage){{0}, 0};
}

static void lruk_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Lruk *lruk = (const Lruk *)policy;
    HeapKey key = lruk_key(policy, victim);
    if (!lruk_is_over(lruk, key.minor)) {
        snprintf(text, size, "least recently used, for all periods may still go on");
    } else if (key.major == 0) {
        snprintf(text, size, "least recently used of those with less than %u uses", lruk->k);
    } else {
        snprintf(text, size, "%u. last use longest ago, %llu references", lruk->k,
                 (unsigned long long)(policy->clock - key.major));
    }
}

static bool lruk_is_valid(const Policy *policy) {
    const Lruk *lruk = (const Lruk *)policy;
    uint32_t recent = 0;
    for (uint32_t frame = 0; frame < lruk->recent.items; frame++) {
        recent += recency_contains(&lruk->recent, frame);
    }
    return recent == lruk->recent_count && heap_is_valid(&lruk->heap, policy, lruk_key);
}

static const PolicyType lruk_policy = {
    .info.name = "lruk",
    .info.label = "LRU-K",
    .info.summary = "the page whose K-th last use is longest ago leaves",
    .info.source = "O'Neil, O'Neil, Weikum, SIGMOD 1993",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .uses_clock = true,
    .state_size = sizeof(Lruk),
    .page_state_size = sizeof(LrukPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"k", 2, 1, LRUK_MOST, "uses that are remembered", NULL},
            {"crp", 0, 0, UINT32_MAX, "page references within which two are one use", NULL},
            {"rip", 0, 0, UINT32_MAX, "page references that an absent page is remembered; 0: all",
             NULL},
            {.name = NULL},
        },
    .create = lruk_create,
    .destroy = lruk_destroy,
    .reserve = lruk_reserve,
    .insert = lruk_insert,
    .touch = lruk_touch,
    .touch_many = lruk_touch_many,
    .victim = lruk_victim,
    .remove = lruk_remove,
    .forget = lruk_forget,
    .why = lruk_why,
    .is_valid = lruk_is_valid,
};
