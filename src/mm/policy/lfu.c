/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LFU: the page with the fewest references since it was loaded leaves; among equals the one
 * unreferenced for longest. A page's count is forgotten when it leaves, and nothing ages, so old
 * frequency keeps dead pages in memory: instructive on programs with phases.
 *
 * Constant time per reference, after Shah, Mitra and Matani, "An O(1) algorithm for implementing
 * the LFU cache eviction scheme", 2010: pages of one frequency form a list, the lists form a list
 * in order of frequency.
 *
 *     lowest -> [freq 1: oldest .. youngest] <-> [freq 2: ...] <-> [freq 7: ...]
 *
 * A reference moves a page to the young end of the next list, made when it does not exist; an
 * empty list goes. There are never more lists than frames, so a list is numbered like a frame.
 */
#include "policy.h"

#define LFU_NONE UINT32_MAX

typedef struct LfuPage {
    uint32_t older, younger; /* neighbours in the list of its frequency */
    uint32_t list;
} LfuPage;

typedef struct LfuList {
    uint64_t frequency;
    uint32_t oldest, youngest;
    uint32_t lower, higher; /* neighbouring lists; higher also links free lists */
} LfuList;

typedef struct Lfu {
    Policy base;
    LfuPage *pages; /* by frame */
    LfuList *lists; /* by list number */
    uint32_t lowest;
    uint32_t free_list;  /* lists given back, linked by higher */
    uint32_t used_lists; /* lists at or above it were never used */
    uint32_t reserved;
} Lfu;

static int lfu_create(Policy *policy, const uint64_t *params, char *error) {
    (void)params;
    (void)error;
    ((Lfu *)policy)->lowest = LFU_NONE;
    ((Lfu *)policy)->free_list = LFU_NONE;
    return VMM_OK;
}

static void lfu_destroy(Policy *policy) {
    Lfu *lfu = (Lfu *)policy;
    memory_free(policy->memory, lfu->pages, lfu->reserved, sizeof *lfu->pages);
    memory_free(policy->memory, lfu->lists, lfu->reserved + 1, sizeof *lfu->lists);
}

/* One list more than frames: a page that moves up needs the new list before the old one goes. */
static bool lfu_reserve(Policy *policy, uint32_t frames) {
    Lfu *lfu = (Lfu *)policy;
    uint32_t had = lfu->lists == NULL ? 0 : lfu->reserved + 1;
    LfuPage *pages = memory_grow(policy->memory, lfu->pages, lfu->reserved, frames, sizeof *pages);
    if (pages == NULL) {
        return false;
    }
    lfu->pages = pages;
    LfuList *lists =
        memory_grow(policy->memory, lfu->lists, had, (size_t)frames + 1, sizeof *lists);
    if (lists == NULL) {
        return false;
    }
    lfu->lists = lists;
    lfu->reserved = frames;
    return true;
}

static uint32_t lfu_take_list(Lfu *lfu) {
    uint32_t list = lfu->free_list;
    if (list == LFU_NONE) {
        return lfu->used_lists++;
    }
    lfu->free_list = lfu->lists[list].higher;
    return list;
}

/* A new empty list of `frequency` directly above list `below` (LFU_NONE: at the bottom). */
static uint32_t lfu_add_list(Lfu *lfu, uint64_t frequency, uint32_t below) {
    uint32_t list = lfu_take_list(lfu);
    uint32_t above = below == LFU_NONE ? lfu->lowest : lfu->lists[below].higher;
    lfu->lists[list] = (LfuList){frequency, LFU_NONE, LFU_NONE, below, above};
    if (above != LFU_NONE) {
        lfu->lists[above].lower = list;
    }
    if (below == LFU_NONE) {
        lfu->lowest = list;
    } else {
        lfu->lists[below].higher = list;
    }
    return list;
}

static void lfu_drop_list(Lfu *lfu, uint32_t list) {
    uint32_t below = lfu->lists[list].lower;
    uint32_t above = lfu->lists[list].higher;
    if (above != LFU_NONE) {
        lfu->lists[above].lower = below;
    }
    if (below == LFU_NONE) {
        lfu->lowest = above;
    } else {
        lfu->lists[below].higher = above;
    }
    lfu->lists[list].higher = lfu->free_list;
    lfu->free_list = list;
}

static void lfu_append(Lfu *lfu, uint32_t frame, uint32_t list) {
    uint32_t older = lfu->lists[list].youngest;
    lfu->pages[frame] = (LfuPage){older, LFU_NONE, list};
    if (older == LFU_NONE) {
        lfu->lists[list].oldest = frame;
    } else {
        lfu->pages[older].younger = frame;
    }
    lfu->lists[list].youngest = frame;
}

static void lfu_unlink(Lfu *lfu, uint32_t frame) {
    LfuPage page = lfu->pages[frame];
    LfuList *list = &lfu->lists[page.list];
    if (page.older == LFU_NONE) {
        list->oldest = page.younger;
    } else {
        lfu->pages[page.older].younger = page.younger;
    }
    if (page.younger == LFU_NONE) {
        list->youngest = page.older;
    } else {
        lfu->pages[page.younger].older = page.older;
    }
}

static void lfu_insert(Policy *policy, uint32_t frame) {
    Lfu *lfu = (Lfu *)policy;
    uint32_t list = lfu->lowest;
    if (list == LFU_NONE || lfu->lists[list].frequency != 1) {
        list = lfu_add_list(lfu, 1, LFU_NONE);
    }
    lfu_append(lfu, frame, list);
}

/*
 * Touches in a row: the page ends at the young end of the list of its new frequency, whatever lists
 * it went through. The search for that list's place passes the lists that the touches would visit.
 */
static void lfu_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    Lfu *lfu = (Lfu *)policy;
    uint32_t list = lfu->pages[frame].list;
    LfuList *from = &lfu->lists[list];
    uint64_t frequency = from->frequency + count;
    uint32_t below = list;
    uint32_t above = from->higher;
    while (above != LFU_NONE && lfu->lists[above].frequency < frequency) {
        below = above;
        above = lfu->lists[above].higher;
    }
    bool has_next = above != LFU_NONE && lfu->lists[above].frequency == frequency;
    if (!has_next && below == list && from->oldest == from->youngest) {
        from->frequency = frequency; /* alone in its list: the list itself moves up */
        return;
    }
    lfu_unlink(lfu, frame);
    lfu_append(lfu, frame, has_next ? above : lfu_add_list(lfu, frequency, below));
    if (lfu->lists[list].oldest == LFU_NONE) {
        lfu_drop_list(lfu, list);
    }
}

static void lfu_touch(Policy *policy, uint32_t frame) {
    lfu_touch_many(policy, frame, 1);
}

static uint32_t lfu_victim(Policy *policy) {
    const Lfu *lfu = (const Lfu *)policy;
    return lfu->lists[lfu->lowest].oldest;
}

static void lfu_remove(Policy *policy, uint32_t frame) {
    Lfu *lfu = (Lfu *)policy;
    uint32_t list = lfu->pages[frame].list;
    lfu_unlink(lfu, frame);
    if (lfu->lists[list].oldest == LFU_NONE) {
        lfu_drop_list(lfu, list);
    }
}

static void lfu_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Lfu *lfu = (const Lfu *)policy;
    snprintf(text, size, "least frequently used: %llu references",
             (unsigned long long)lfu->lists[lfu->pages[victim].list].frequency);
}

static uint32_t lfu_order(Policy *policy, uint32_t *frames) {
    const Lfu *lfu = (const Lfu *)policy;
    uint32_t count = 0;
    for (uint32_t list = lfu->lowest; list != LFU_NONE; list = lfu->lists[list].higher) {
        for (uint32_t f = lfu->lists[list].oldest; f != LFU_NONE; f = lfu->pages[f].younger) {
            frames[count++] = f;
        }
    }
    return count;
}

/* Lists are not empty, rise in frequency, and their pages point back at them. */
static bool lfu_is_valid(const Policy *policy) {
    const Lfu *lfu = (const Lfu *)policy;
    uint64_t frequency = 0;
    for (uint32_t list = lfu->lowest; list != LFU_NONE; list = lfu->lists[list].higher) {
        if (lfu->lists[list].frequency <= frequency || lfu->lists[list].oldest == LFU_NONE) {
            return false;
        }
        frequency = lfu->lists[list].frequency;
        for (uint32_t f = lfu->lists[list].oldest; f != LFU_NONE; f = lfu->pages[f].younger) {
            if (lfu->pages[f].list != list) {
                return false;
            }
        }
    }
    return true;
}

static const PolicyType lfu_policy = {
    .info.name = "lfu",
    .info.label = "LFU",
    .info.summary = "least frequently used since loaded, least recent among equals",
    .info.source = "textbook; O(1) lists: Shah, Mitra, Matani, 2010",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .victim_any_time = true,
    .state_size = sizeof(Lfu),
    .create = lfu_create,
    .destroy = lfu_destroy,
    .reserve = lfu_reserve,
    .insert = lfu_insert,
    .touch = lfu_touch,
    .touch_many = lfu_touch_many,
    .victim = lfu_victim,
    .remove = lfu_remove,
    .why = lfu_why,
    .order = lfu_order,
    .is_valid = lfu_is_valid,
};
