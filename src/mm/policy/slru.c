/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segmented LRU: a page has to be hit to rise into segments that are safer.
 *
 *                      hit                    hit, again and again
 *      new page ---> [ probation ] ---> [ protected 1 ] ---> ... ---> [ protected n - 1 ]
 *         victim <--- oldest     <--- too many: its oldest    <--- ...
 *
 * Each segment is an LRU list. A hit takes a page to the young end of the next segment, or of its
 * own if there is no next; a protected segment that then holds too many gives its oldest to the
 * young end of the one below, which may then do the same. The oldest page of the lowest segment
 * that has any leaves. With two segments it is the paper's; a page that is hit only once, as in a
 * scan, never drives out one that was hit twice. With one it is LRU.
 *
 * All segments hold capacity / segments pages, or, with `protected`, the upper ones together that
 * share of memory. The lowest one takes what is left.
 *
 * variant=libcachesim: a new page enters the lowest segment that has room, so that at first the
 * upper ones are filled with pages that nobody hit; the lowest one has room for no more pages than
 * the others, but takes what finds no room anywhere. So it may hold too many, by what the division
 * leaves over: a hit there that gives pages back to it then evicts its oldest, until it does not.
 * With fewer frames than segments no segment has room for any page: none is kept.
 *
 * Source: Karedla, Love and Wherry, "Caching strategies to improve disk system performance", IEEE
 * Computer 27(3), 1994.
 */
#include "queued.h"

enum { SLRU_MOST = 16 };

typedef struct Slru {
    Queued queued;
    List segments[SLRU_MOST];
    uint32_t top;    /* the highest segment */
    uint32_t limit;  /* pages of each protected segment */
    uint32_t lowest; /* pages of the lowest segment, in libCacheSim's rules */
    bool as_peer;    /* variant=libcachesim */
} Slru;

static int slru_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Slru *slru = (Slru *)policy;
    queued_create(&slru->queued, 0);
    for (unsigned i = 0; i < SLRU_MOST; i++) {
        slru->segments[i] = LIST_EMPTY;
    }
    slru->top = (uint32_t)params[0] - 1;
    bool is_even = params[1] == 0 || slru->top == 0;
    slru->limit =
        is_even ? policy->capacity / (slru->top + 1) : queued_share(policy, params[1]) / slru->top;
    slru->lowest = is_even ? slru->limit : policy->capacity - slru->top * slru->limit;
    slru->as_peer = params[2] != 0;
    return VMM_OK;
}

/* libCacheSim's, when a page was demoted to the lowest segment: what is too much there leaves. */
static void slru_evict_on_hit(Slru *slru) {
    ListLinks links = queued_links(&slru->queued);
    uint32_t frame = slru->segments[0].oldest;
    for (uint32_t count = slru->segments[0].count; count > slru->lowest; count--) {
        vmm_policy_part_with(&slru->queued.base, frame);
        frame = list_younger(links, frame);
    }
}

/* Gives the oldest pages of segments that hold too many down, from segment `from` on. */
static inline void slru_demote(Slru *slru, uint32_t from) {
    ListLinks links = queued_links(&slru->queued);
    uint32_t i = from;
    for (; i > 0 && slru->segments[i].count > slru->limit; i--) {
        uint32_t frame = list_take_oldest(&slru->segments[i], links);
        queued_append(&slru->queued, &slru->segments[i - 1], i - 1, frame);
    }
    if (slru->as_peer && i == 0) {
        slru_evict_on_hit(slru);
    }
}

/* Where a new page enters. */
static inline uint32_t slru_entrance(const Slru *slru) {
    if (!slru->as_peer || slru->segments[0].count < slru->lowest) {
        return 0;
    }
    uint32_t i = 1;
    while (i <= slru->top && slru->segments[i].count >= slru->limit) {
        i++;
    }
    return i <= slru->top ? i : 0;
}

static inline void slru_insert(Policy *policy, uint32_t frame) {
    Slru *slru = (Slru *)policy;
    uint32_t segment = slru_entrance(slru);
    queued_append(&slru->queued, &slru->segments[segment], segment, frame);
    if (slru->as_peer && slru->limit == 0 && slru->lowest == 0) {
        vmm_policy_part_with(policy, frame);
    }
}

static inline void slru_touch(Policy *policy, uint32_t frame) {
    Slru *slru = (Slru *)policy;
    ListLinks links = queued_links(&slru->queued);
    uint32_t segment = slru->queued.frames[frame].queue;
    if (segment == slru->top) {
        list_renew(&slru->segments[segment], links, frame);
        return;
    }
    list_remove(&slru->segments[segment], links, frame);
    queued_append(&slru->queued, &slru->segments[segment + 1], segment + 1, frame);
    slru_demote(slru, segment + 1);
}

static inline uint32_t slru_victim(Policy *policy) {
    const Slru *slru = (const Slru *)policy;
    uint32_t segment = 0;
    while (slru->segments[segment].oldest == LIST_NONE) {
        segment++;
    }
    return slru->segments[segment].oldest;
}

static inline void slru_remove(Policy *policy, uint32_t frame) {
    Slru *slru = (Slru *)policy;
    list_remove(&slru->segments[slru->queued.frames[frame].queue], queued_links(&slru->queued),
                frame);
}

static void slru_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Slru *slru = (const Slru *)policy;
    snprintf(text, size, "least recently used of the lowest segment with pages, %u of 0 to %u",
             slru->queued.frames[victim].queue, slru->top);
}

static uint32_t slru_order(Policy *policy, uint32_t *frames) {
    const Slru *slru = (const Slru *)policy;
    uint32_t count = 0;
    for (uint32_t i = 0; i <= slru->top; i++) {
        count += list_write(&slru->segments[i], queued_links(&slru->queued), frames + count);
    }
    return count;
}

static bool slru_is_valid(const Policy *policy) {
    const Slru *slru = (const Slru *)policy;
    for (uint32_t i = 0; i <= slru->top; i++) {
        if (!queued_is_valid(&slru->queued, &slru->segments[i], i) ||
            (i > 0 && slru->segments[i].count > slru->limit)) {
            return false;
        }
    }
    return true;
}

static const PolicyType slru_policy = {
    .info.name = "slru",
    .info.label = "SLRU",
    .info.summary = "segmented LRU: each hit takes a page one segment up",
    .info.source = "Karedla, Love, Wherry, IEEE Computer 27(3), 1994",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .parts_on_touch = true,
    .state_size = sizeof(Slru),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"segments", 2, 1, SLRU_MOST, "segments, the lowest included", NULL},
            {"protected", 0, 0, 100, "per cent of memory above the lowest; 0: equal parts", NULL},
            {"variant", 0, 0, 1,
             "libcachesim: new pages enter the lowest segment with room, and hits may evict",
             "paper|libcachesim"},
            {.name = NULL},
        },
    .create = slru_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .insert = slru_insert,
    .touch = slru_touch,
    .victim = slru_victim,
    .remove = slru_remove,
    .why = slru_why,
    .order = slru_order,
    .is_valid = slru_is_valid,
};
