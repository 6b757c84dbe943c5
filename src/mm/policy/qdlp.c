/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QD-LP-FIFO: quick demotion by a probation queue before a Clock that promotes lazily.
 *
 *      new page ---> [ probation, FIFO ] --- hit since it came ---> [ main, Clock of 2 bits ]
 *                           |  not hit                                   |
 *                           v                                            v
 *                       [ ghosts ] ... comes back: straight to main     leaves
 *
 * Memory fills through probation. When a page must go, probation is asked first, as long as it has
 * pages: its oldest leaves and is remembered, or, if it was hit, moves to main, with counter 0.
 * Main holds what probation does not, by default 90 per cent; when it is full it gives up a page
 * for each that enters: the oldest whose counter is 0, others lose one and go round. A ghost that
 * comes back into a full main also costs main a page, so there may be a free frame then.
 *
 * Main re-inserts a page at most as often as it was hit: amortised constant work.
 *
 * Source: Yang, Qiu, Zhang, Yue and Rashmi, "FIFO can be better than LRU: the power of lazy
 * promotion and quick demotion", HotOS 2023; what it leaves open is as in its authors' simulator,
 * libCacheSim.
 */
#include "queued.h"

enum { QDLP_MOST = 3 }; /* a counter has two bits */
enum { QDLP_PROBATION, QDLP_MAIN };

typedef struct Qdlp {
    Queued queued; /* used: the counter */
    List queues[2];
    uint32_t main_limit;
} Qdlp;

static int qdlp_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Qdlp *qdlp = (Qdlp *)policy;
    queued_create(&qdlp->queued, queued_share(policy, params[1]));
    qdlp->queues[QDLP_PROBATION] = LIST_EMPTY;
    qdlp->queues[QDLP_MAIN] = LIST_EMPTY;
    qdlp->main_limit = policy->capacity - queued_share(policy, params[0]);
    return VMM_OK;
}

/* The page that main gives up. */
static inline uint32_t qdlp_main_victim(Qdlp *qdlp) {
    List *main = &qdlp->queues[QDLP_MAIN];
    ListLinks links = queued_links(&qdlp->queued);
    while (qdlp->queued.used[main->oldest] > 0) {
        uint32_t frame = list_take_oldest(main, links);
        qdlp->queued.used[frame]--;
        queued_clear(&qdlp->queued.base, frame);
        list_append(main, links, frame);
    }
    return main->oldest;
}

static inline void qdlp_insert(Policy *policy, uint32_t frame) {
    Qdlp *qdlp = (Qdlp *)policy;
    unsigned number = qdlp->queued.recalled ? QDLP_MAIN : QDLP_PROBATION;
    if (number == QDLP_MAIN && qdlp->queues[QDLP_MAIN].count >= qdlp->main_limit) {
        vmm_policy_part_with(policy, qdlp_main_victim(qdlp));
    }
    qdlp->queued.used[frame] = 0;
    queued_append(&qdlp->queued, &qdlp->queues[number], number, frame);
}

static inline void qdlp_touch(Policy *policy, uint32_t frame) {
    queued_count(&((Qdlp *)policy)->queued, frame, 1, QDLP_MOST);
}

static inline void qdlp_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    queued_count(&((Qdlp *)policy)->queued, frame, count, QDLP_MOST);
}

static inline uint32_t qdlp_victim(Policy *policy) {
    Qdlp *qdlp = (Qdlp *)policy;
    List *probation = &qdlp->queues[QDLP_PROBATION];
    List *main = &qdlp->queues[QDLP_MAIN];
    uint32_t victim = LIST_NONE;
    while (victim == LIST_NONE && probation->oldest != LIST_NONE) {
        if (qdlp->queued.used[probation->oldest] == 0) {
            victim = probation->oldest;
            qdlp->queued.leaving = victim;
            break;
        }
        if (main->count >= qdlp->main_limit) {
            victim = qdlp_main_victim(qdlp);
        }
        uint32_t frame = list_take_oldest(probation, queued_links(&qdlp->queued));
        qdlp->queued.used[frame] = 0;
        queued_clear(policy, frame);
        queued_append(&qdlp->queued, main, QDLP_MAIN, frame);
    }
    return victim != LIST_NONE ? victim : qdlp_main_victim(qdlp);
}

static inline void qdlp_remove(Policy *policy, uint32_t frame) {
    Qdlp *qdlp = (Qdlp *)policy;
    list_remove(&qdlp->queues[qdlp->queued.frames[frame].queue], queued_links(&qdlp->queued),
                frame);
    if (queued_is_evicted(&qdlp->queued, frame)) {
        queued_remember(&qdlp->queued, frame);
    }
}

static void qdlp_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Qdlp *qdlp = (const Qdlp *)policy;
    snprintf(text, size, "%s",
             qdlp->queued.frames[victim].queue == QDLP_MAIN
                 ? "first page from the main queue's hand with counter 0"
                 : "oldest on probation, not referenced since it was loaded");
}

static bool qdlp_is_valid(const Policy *policy) {
    const Qdlp *qdlp = (const Qdlp *)policy;
    return queued_is_valid(&qdlp->queued, &qdlp->queues[QDLP_PROBATION], QDLP_PROBATION) &&
           queued_is_valid(&qdlp->queued, &qdlp->queues[QDLP_MAIN], QDLP_MAIN) &&
           qdlp->queues[QDLP_MAIN].count <= qdlp->main_limit + 1;
}

static const PolicyType qdlp_policy = {
    .info.name = "qdlp",
    .info.label = "QD-LP-FIFO",
    .info.summary = "a probation queue before a 2-bit Clock, and ghosts",
    .info.source = "Yang, Qiu, Zhang, Yue, Rashmi, HotOS 2023",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .state_size = sizeof(Qdlp),
    .page_state_size = sizeof(ListLink),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"probation", 10, 0, 99, "per cent of memory that the main queue leaves free", NULL},
            {"ghosts", 90, 0, 1000, "pages remembered, in per cent of memory", NULL},
            {.name = NULL},
        },
    .create = qdlp_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .miss = queued_miss,
    .insert = qdlp_insert,
    .touch = qdlp_touch,
    .touch_many = qdlp_touch_many,
    .victim = qdlp_victim,
    .remove = qdlp_remove,
    .forget = queued_forget,
    .why = qdlp_why,
    .is_valid = qdlp_is_valid,
};
