/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CFLRU, clean-first LRU: a dirty page costs a write when it leaves, so among the pages that were
 * not used for long the clean ones leave first. Source: Park, Jung, Kang, Kim, Lee, "CFLRU: a
 * replacement algorithm for flash memory", CASES 2006.
 *
 *      working region            clean-first region, `window` per cent of the frames
 *     youngest                                                            oldest
 *     [ p9 p8 p7 p6 ]           [ p5 dirty, p4 clean, p3 dirty, p2 clean, p1 dirty ]
 *                                             next        first victim
 *
 * The victim is the oldest clean page of the region, or if all of it is dirty its oldest page. With
 * window = 0 it is LRU.
 *
 * The region is kept in two lists, its clean and its dirty pages, so that nothing is searched: a
 * page in it does not change, for a write makes it the youngest of the working region, which has
 * room for one page at least. 12 bytes a page.
 */
#include "lists.h"
#include "policy.h"

typedef enum CflruList { CFLRU_WORKING, CFLRU_CLEAN, CFLRU_DIRTY, CFLRU_LISTS } CflruList;

typedef struct CflruPage {
    ListLink link;
    uint8_t list;
} CflruPage;

typedef struct Cflru {
    Policy base;
    CflruPage *pages; /* by frame */
    List lists[CFLRU_LISTS];
    uint32_t working; /* pages in the working region, at most */
    uint32_t reserved;
} Cflru;

static int cflru_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Cflru *cflru = (Cflru *)policy;
    cflru->working = policy->capacity - (uint32_t)(policy->capacity * params[0] / 100);
    cflru->working = cflru->working > 0 ? cflru->working : 1;
    for (unsigned i = 0; i < CFLRU_LISTS; i++) {
        cflru->lists[i] = LIST_EMPTY;
    }
    return VMM_OK;
}

static void cflru_destroy(Policy *policy) {
    Cflru *cflru = (Cflru *)policy;
    vmm_policy_free(policy, cflru->pages, cflru->reserved, sizeof *cflru->pages);
}

static bool cflru_reserve(Policy *policy, uint32_t frames) {
    Cflru *cflru = (Cflru *)policy;
    CflruPage *pages =
        vmm_policy_grow(policy, cflru->pages, cflru->reserved, frames, sizeof *pages);
    if (pages == NULL) {
        return false;
    }
    cflru->pages = pages;
    cflru->reserved = frames;
    return true;
}

static inline void cflru_append(Cflru *cflru, uint32_t frame, CflruList list) {
    cflru->pages[frame].list = (uint8_t)list;
    list_append(&cflru->lists[list], LIST_LINKS(cflru->pages), frame);
}

/* What the working region has no room for falls into the clean-first region. */
static inline void cflru_overflow(Cflru *cflru) {
    List *working = &cflru->lists[CFLRU_WORKING];
    while (working->count > cflru->working) {
        uint32_t frame = list_take_oldest(working, LIST_LINKS(cflru->pages));
        bool dirty = cflru->base.dirty[frame] != 0;
        cflru_append(cflru, frame, dirty ? CFLRU_DIRTY : CFLRU_CLEAN);
    }
}

static void cflru_remove(Policy *policy, uint32_t frame) {
    Cflru *cflru = (Cflru *)policy;
    list_remove(&cflru->lists[cflru->pages[frame].list], LIST_LINKS(cflru->pages), frame);
}

static void cflru_insert(Policy *policy, uint32_t frame) {
    Cflru *cflru = (Cflru *)policy;
    cflru_append(cflru, frame, CFLRU_WORKING);
    cflru_overflow(cflru);
}

static inline void cflru_touch(Policy *policy, uint32_t frame) {
    Cflru *cflru = (Cflru *)policy;
    if (frame != cflru->lists[CFLRU_WORKING].youngest) {
        cflru_remove(policy, frame);
        cflru_insert(policy, frame);
    }
}

static uint32_t cflru_victim(Policy *policy) {
    const Cflru *cflru = (const Cflru *)policy;
    CflruList list = cflru->lists[CFLRU_CLEAN].count > 0   ? CFLRU_CLEAN
                     : cflru->lists[CFLRU_DIRTY].count > 0 ? CFLRU_DIRTY
                                                           : CFLRU_WORKING;
    return cflru->lists[list].oldest;
}

static void cflru_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    static const char *const reasons[] = {"least recently used", "oldest clean page of the region",
                                          "oldest page, all of the region is dirty"};
    snprintf(text, size, "%s", reasons[((const Cflru *)policy)->pages[victim].list]);
}

static uint32_t cflru_order(Policy *policy, uint32_t *frames) {
    const Cflru *cflru = (const Cflru *)policy;
    ListLinks links = LIST_LINKS(cflru->pages);
    uint32_t count = list_write(&cflru->lists[CFLRU_CLEAN], links, frames);
    count += list_write(&cflru->lists[CFLRU_DIRTY], links, frames + count);
    return count + list_write(&cflru->lists[CFLRU_WORKING], links, frames + count);
}

static bool cflru_is_valid(const Policy *policy) {
    const Cflru *cflru = (const Cflru *)policy;
    for (unsigned i = 0; i < CFLRU_LISTS; i++) {
        if (!list_is_valid(&cflru->lists[i], LIST_LINKS(cflru->pages))) {
            return false;
        }
    }
    return cflru->lists[CFLRU_WORKING].count <= cflru->working;
}

static const PolicyType cflru_policy = {
    .info.name = "cflru",
    .info.label = "CFLRU",
    .info.summary = "clean-first LRU: among the oldest pages those leave that need no writing",
    .info.source = "Park et al., CASES 2006",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .touch_last = true,
    .state_size = sizeof(Cflru),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"window", 50, 0, 100, "the clean-first region, per cent of the frames", NULL},
            {.name = NULL},
        },
    .create = cflru_create,
    .destroy = cflru_destroy,
    .reserve = cflru_reserve,
    .insert = cflru_insert,
    .touch = cflru_touch,
    .victim = cflru_victim,
    .remove = cflru_remove,
    .why = cflru_why,
    .order = cflru_order,
    .is_valid = cflru_is_valid,
};
