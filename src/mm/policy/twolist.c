/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active and inactive list with refault distance: Linux before multi-generational LRU (6.1).
 * Sources: Linux, mm/vmscan.c and mm/workingset.c of 5.9; Weiner, "Thrash detection-based file
 * cache sizing", 2012.
 *
 *       fault, not long ago evicted ─────────► [ active   ] young ... old
 *                                                 ▲                 │ inactive is low
 *       second time found referenced ─────────────┤                 ▼
 *       fault ───────────────────────────────► [ inactive ] young ... old ──► R = 0: evicted
 *                                                 ▲                 │
 *       first time found referenced               └─────────────────┘
 *
 * Reclaim looks at the old end of the inactive list. A page with R = 1 has its bit cleared: the
 * first time it goes round the list once more, for the load has set the bit too, the second time it
 * becomes active. A page with R = 0 leaves. Before each look, if the inactive list is low, which is
 * if active > ratio x inactive, `batch` of the oldest active pages become inactive, R cleared,
 * whether they were used or not.
 *
 * The page that leaves keeps a shadow: the age of the lists, a clock that counts evictions and
 * activations. When it comes back, the clock says how much more memory it would have needed to
 * stay: the refault distance. If that is at most the size of the active list, the page would have
 * stayed in place of active ones, and comes in active, to compete with them.
 *
 * ratio = 0 is the kernel's rule by size: sqrt(10 x GiB of memory), at least 1. Not modelled: one
 * pair of lists serves all pages, not one each for anonymous and file pages; executable pages have
 * no privilege; a dirty page is written as it leaves. 12 bytes a frame, 8 a page.
 */
#include "lists.h"
#include "policy.h"

enum { TWOLIST_PAGES_PER_GIB_BITS = 18 }; /* pages of 4 KiB */

typedef struct TwolistPage {
    ListLink link;
    bool active;
    bool referenced; /* the R bit */
    bool seen;       /* it was found referenced before */
} TwolistPage;

typedef struct Twolist {
    Policy base;
    TwolistPage *pages; /* by frame */
    List active, inactive;
    uint64_t age; /* evictions and activations */
    uint64_t ratio;
    uint32_t batch;
    uint32_t reserved;
} Twolist;

/* The largest number whose square is at most n. */
static uint64_t twolist_root(uint64_t n) {
    uint64_t root = 0;
    while ((root + 1) * (root + 1) <= n) {
        root++;
    }
    return root;
}

static int twolist_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Twolist *lists = (Twolist *)policy;
    uint64_t root = twolist_root(10 * ((uint64_t)policy->capacity >> TWOLIST_PAGES_PER_GIB_BITS));
    lists->ratio = params[0] != 0 ? params[0] : root > 1 ? root : 1;
    lists->batch = (uint32_t)params[1];
    lists->active = LIST_EMPTY;
    lists->inactive = LIST_EMPTY;
    return VMM_OK;
}

static void twolist_destroy(Policy *policy) {
    Twolist *lists = (Twolist *)policy;
    vmm_policy_free(policy, lists->pages, lists->reserved, sizeof *lists->pages);
}

static bool twolist_reserve(Policy *policy, uint32_t frames) {
    Twolist *lists = (Twolist *)policy;
    TwolistPage *pages =
        vmm_policy_grow(policy, lists->pages, lists->reserved, frames, sizeof *pages);
    if (pages == NULL) {
        return false;
    }
    lists->pages = pages;
    lists->reserved = frames;
    return true;
}

static List *twolist_list_of(Twolist *lists, uint32_t frame) {
    return lists->pages[frame].active ? &lists->active : &lists->inactive;
}

/* Puts a page that is in no list at the young end of one. */
static void twolist_enter(Twolist *lists, uint32_t frame, bool active) {
    lists->pages[frame].active = active;
    lists->age += active;
    list_append(twolist_list_of(lists, frame), LIST_LINKS(lists->pages), frame);
}

/* The shadow of a page: 0: none, else one more than the age at which it was evicted. */
static uint64_t *twolist_shadow(const Policy *policy, uint32_t page) {
    return &((uint64_t *)policy->page_state)[page];
}

static void twolist_insert(Policy *policy, uint32_t frame) {
    Twolist *lists = (Twolist *)policy;
    uint64_t *shadow = twolist_shadow(policy, policy->page_of[frame]);
    bool refault = *shadow != 0 && lists->age - (*shadow - 1) <= lists->active.count;
    *shadow = 0;
    lists->pages[frame] = (TwolistPage){.referenced = true};
    twolist_enter(lists, frame, refault);
}

static inline void twolist_touch(Policy *policy, uint32_t frame) {
    ((Twolist *)policy)->pages[frame].referenced = true;
}

/* Whether R was set; it is cleared. */
static bool twolist_harvest(Twolist *lists, uint32_t frame) {
    const Policy *policy = &lists->base;
    bool referenced = lists->pages[frame].referenced;
    if (referenced && policy->bit_cleared != NULL) {
        policy->bit_cleared(policy->host, frame);
    }
    lists->pages[frame].referenced = false;
    return referenced;
}

/* Makes the oldest active pages inactive. */
static void twolist_shrink_active(Twolist *lists) {
    for (uint32_t i = 0; i < lists->batch && lists->active.count > 0; i++) {
        uint32_t frame = list_take_oldest(&lists->active, LIST_LINKS(lists->pages));
        twolist_harvest(lists, frame);
        lists->pages[frame].seen = false;
        twolist_enter(lists, frame, false);
    }
}

static uint32_t twolist_victim(Policy *policy) {
    Twolist *lists = (Twolist *)policy;
    for (;;) {
        if (lists->active.count > lists->ratio * lists->inactive.count) {
            twolist_shrink_active(lists);
        }
        uint32_t frame = lists->inactive.oldest;
        TwolistPage *page = &lists->pages[frame];
        if (!twolist_harvest(lists, frame)) {
            *twolist_shadow(policy, policy->page_of[frame]) = ++lists->age;
            return frame;
        }
        list_remove(&lists->inactive, LIST_LINKS(lists->pages), frame);
        bool again = page->seen;
        page->seen = !again;
        twolist_enter(lists, frame, again);
    }
}

static void twolist_remove(Policy *policy, uint32_t frame) {
    Twolist *lists = (Twolist *)policy;
    list_remove(twolist_list_of(lists, frame), LIST_LINKS(lists->pages), frame);
}

static void twolist_forget(Policy *policy, uint32_t page) {
    *twolist_shadow(policy, page) = 0;
}

static void twolist_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Twolist *lists = (const Twolist *)policy;
    (void)victim;
    snprintf(text, size, "oldest inactive page, not referenced (%u inactive, %u active)",
             lists->inactive.count, lists->active.count);
}

static bool twolist_is_valid(const Policy *policy) {
    const Twolist *lists = (const Twolist *)policy;
    return list_is_valid(&lists->active, LIST_LINKS(lists->pages)) &&
           list_is_valid(&lists->inactive, LIST_LINKS(lists->pages));
}

static const PolicyType twolist_policy = {
    .info.name = "twolist",
    .info.label = "Two-list",
    .info.summary = "active and inactive list with refault distance (Linux before 6.1)",
    .info.source = "Weiner, 2012; Linux 5.9, mm/vmscan.c, mm/workingset.c",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(Twolist),
    .page_state_size = sizeof(uint64_t),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"ratio", 0, 0, 1000, "active pages for each inactive one, at most; 0: by memory size",
             NULL},
            {"batch", 32, 1, 65536, "active pages made inactive at one time", NULL},
            {.name = NULL},
        },
    .create = twolist_create,
    .destroy = twolist_destroy,
    .reserve = twolist_reserve,
    .insert = twolist_insert,
    .touch = twolist_touch,
    .victim = twolist_victim,
    .remove = twolist_remove,
    .forget = twolist_forget,
    .why = twolist_why,
    .is_valid = twolist_is_valid,
};
