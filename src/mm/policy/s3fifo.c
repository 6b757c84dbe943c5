/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3-FIFO: three FIFO queues, a small one, a main one and one of ghosts.
 *
 *                 miss                       counter >= threshold, when it leaves the small queue
 *      new page ------> [ small, 10 % ] ----------------------------> [ main, 90 % ] <-.
 *                             |  other                                  |     counter  |
 *                             v                                         |     1 to 3:  |
 *      ghost's miss <--- [ ghosts ]                                     '-- less one --'
 *          '--------------------------- straight to main ------------->    counter 0: leaves
 *
 * Most new pages are used once and leave by the small queue, fast; ghosts bring back those that
 * were judged too soon. A hit adds 1 to the page's counter of two bits and moves nothing. While the
 * main queue holds more than its share, or the small one is empty, the main queue gives a page up,
 * else the small one. A page enters either queue with counter 0. Main re-inserts a page at most as
 * often as it was hit: amortised constant work. Ghosts are as many as `ghosts` per cent of memory.
 *
 * variant=libcachesim: until the first eviction, pages that find the small queue full enter main.
 * (Without that it is the variant that its authors call v0.) The two differ where memory is large.
 *
 * Source: Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction",
 * SOSP 2023.
 */
#include "queued.h"

enum { S3FIFO_MOST = 3 }; /* a counter has two bits */
enum { S3FIFO_SMALL, S3FIFO_MAIN };

typedef struct S3Fifo {
    Queued queued; /* used: the counter */
    List queues[2];
    uint32_t small_limit;
    uint32_t threshold;
    bool fills_main; /* variant=libcachesim, and nothing was evicted yet */
} S3Fifo;

static int s3fifo_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    S3Fifo *s3 = (S3Fifo *)policy;
    queued_create(&s3->queued, queued_share(policy, params[1]));
    s3->queues[S3FIFO_SMALL] = LIST_EMPTY;
    s3->queues[S3FIFO_MAIN] = LIST_EMPTY;
    s3->small_limit = queued_share(policy, params[0]);
    s3->threshold = (uint32_t)params[2];
    s3->fills_main = params[3] != 0;
    return VMM_OK;
}

static inline void s3fifo_enter(S3Fifo *s3, unsigned number, uint32_t frame) {
    queued_append(&s3->queued, &s3->queues[number], number, frame);
}

static inline void s3fifo_insert(Policy *policy, uint32_t frame) {
    S3Fifo *s3 = (S3Fifo *)policy;
    bool small_is_full = s3->queues[S3FIFO_SMALL].count >= s3->small_limit;
    bool to_main = s3->queued.recalled || (s3->fills_main && small_is_full);
    s3->queued.used[frame] = 0;
    s3fifo_enter(s3, to_main ? S3FIFO_MAIN : S3FIFO_SMALL, frame);
}

static inline void s3fifo_touch(Policy *policy, uint32_t frame) {
    queued_count(&((S3Fifo *)policy)->queued, frame, 1, S3FIFO_MOST);
}

static inline void s3fifo_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    queued_count(&((S3Fifo *)policy)->queued, frame, count, S3FIFO_MOST);
}

/* Takes the oldest page of a queue over into main, with a counter that is lower than it was. */
static inline void s3fifo_move(S3Fifo *s3, unsigned number, uint8_t counter) {
    uint32_t frame = list_take_oldest(&s3->queues[number], queued_links(&s3->queued));
    s3->queued.used[frame] = counter;
    queued_clear(&s3->queued.base, frame);
    s3fifo_enter(s3, S3FIFO_MAIN, frame);
}

/* The page that the small queue gives up; LIST_NONE: it had to move all its pages to main. */
static inline uint32_t s3fifo_small_victim(S3Fifo *s3) {
    const List *small = &s3->queues[S3FIFO_SMALL];
    while (small->oldest != LIST_NONE && s3->queued.used[small->oldest] >= s3->threshold) {
        s3fifo_move(s3, S3FIFO_SMALL, 0);
    }
    return small->oldest;
}

static inline uint32_t s3fifo_main_victim(S3Fifo *s3) {
    const List *main = &s3->queues[S3FIFO_MAIN];
    uint8_t counter;
    while ((counter = s3->queued.used[main->oldest]) > 0) {
        s3fifo_move(s3, S3FIFO_MAIN, (uint8_t)(counter - 1));
    }
    return main->oldest;
}

static inline uint32_t s3fifo_victim(Policy *policy) {
    S3Fifo *s3 = (S3Fifo *)policy;
    uint32_t main_limit = policy->capacity - s3->small_limit;
    uint32_t victim = LIST_NONE;
    s3->fills_main = false;
    if (s3->queues[S3FIFO_MAIN].count <= main_limit) {
        victim = s3fifo_small_victim(s3);
    }
    if (victim == LIST_NONE) {
        victim = s3fifo_main_victim(s3);
    }
    s3->queued.leaving = victim;
    return victim;
}

static inline void s3fifo_remove(Policy *policy, uint32_t frame) {
    S3Fifo *s3 = (S3Fifo *)policy;
    uint32_t number = s3->queued.frames[frame].queue;
    list_remove(&s3->queues[number], queued_links(&s3->queued), frame);
    if (queued_is_evicted(&s3->queued, frame) && number == S3FIFO_SMALL) {
        queued_remember(&s3->queued, frame);
    }
}

static void s3fifo_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const S3Fifo *s3 = (const S3Fifo *)policy;
    if (s3->queued.frames[victim].queue == S3FIFO_MAIN) {
        snprintf(text, size, "oldest of the main queue, not referenced since its last turn");
    } else {
        snprintf(text, size, "oldest of the small queue, %u hits, %u are needed to stay",
                 s3->queued.used[victim], s3->threshold);
    }
}

static bool s3fifo_is_valid(const Policy *policy) {
    const S3Fifo *s3 = (const S3Fifo *)policy;
    return queued_is_valid(&s3->queued, &s3->queues[S3FIFO_SMALL], S3FIFO_SMALL) &&
           queued_is_valid(&s3->queued, &s3->queues[S3FIFO_MAIN], S3FIFO_MAIN);
}

static const PolicyType s3fifo_policy = {
    .info.name = "s3fifo",
    .info.label = "S3-FIFO",
    .info.summary = "a small FIFO queue before a main one, and ghosts",
    .info.source = "Yang, Zhang, Qiu, Yue, Rashmi, SOSP 2023",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .state_size = sizeof(S3Fifo),
    .page_state_size = sizeof(ListLink),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"small", 10, 0, 100, "per cent of memory for the small queue", NULL},
            {"ghosts", 90, 0, 1000, "pages remembered, in per cent of memory", NULL},
            {"threshold", 2, 1, 3, "hits in the small queue that lead to the main one", NULL},
            {"variant", 0, 0, 1, "libcachesim: a full small queue overflows at first",
             "paper|libcachesim"},
            {.name = NULL},
        },
    .create = s3fifo_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .miss = queued_miss,
    .insert = s3fifo_insert,
    .touch = s3fifo_touch,
    .touch_many = s3fifo_touch_many,
    .victim = s3fifo_victim,
    .remove = s3fifo_remove,
    .forget = queued_forget,
    .why = s3fifo_why,
    .is_valid = s3fifo_is_valid,
};
