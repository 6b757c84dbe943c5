/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MGLRU, the multi-generational LRU of Linux since 6.1. Sources: Linux 6.1, mm/vmscan.c and
 * mm/workingset.c; Zhao, "Multigenerational LRU", 2022; Documentation/mm/multigen_lru.rst.
 *
 * Pages are in two to four generations, numbered on and on:
 *
 *     generation   7 = youngest    6            5            4 = oldest
 *                  [ f9 f3 ]       [ f1 f7 ]    [ f4 ]       [ f8 f2 f5 ] ──► eviction
 *                       ▲  ▲             ▲            ▲         │    │
 *       fault ──────────┘  └── R = 1 ────│────────────│─────────┘    │
 *                          aging: R = 1 ─┘            └─ tier too high
 *
 * AGING makes a new youngest generation; before that all pages with R = 1 go to the one that was
 * youngest so far, R cleared. It happens before an eviction if there are two generations, or three
 * of which the youngest has more than half of all pages or the oldest less than a quarter.
 *
 * EVICTION takes the first page of the oldest generation. If R = 1 it is cleared and the page goes
 * to the youngest generation. If its tier is above the limit it goes to the next generation. Else
 * it leaves. When the oldest generation is empty, the next is the oldest.
 *
 * TIERS. A page counts how often its R bit was found set, up to 4; its tier is the logarithm of
 * that count plus 1, rounded up: 0, 1, 2, 2, 3. The page that leaves keeps a shadow with the
 * generation that was oldest and its count; if it comes back while that is still so, its tier had a
 * refault, and it counts on. A controller (the P of a PID) compares the refaults of each tier with
 * those of tier 0, which has half the gain:
 *
 *     refaults(t) < 64   or   refaults(t) x (total(0) + 64) x 1 <= (refaults(0) + 1) x total(t) x 2
 *
 * The limit is the last tier below the first of which that is not so. Total is what was evicted or
 * kept; when the oldest generation changes, the counts move into averages that halve each time.
 *
 * Simplified: the kernel's counts are of accesses through file descriptors, which a machine of
 * page tables has not; here they are of R bits found set, and a page that is kept for its tier
 * starts counting anew. The kernel walks page tables to find R bits, steered by Bloom filters, and
 * on eviction looks around at neighbours; here pages whose bit was set since it was cleared are on
 * a list, in that order, and neighbours are not looked at. One set of generations serves anonymous
 * and file pages; dirty pages are written as they leave. 20 bytes a frame, 8 a page.
 */
#include "lists.h"
#include "policy.h"

enum {
    MGLRU_GENERATIONS = 4, /* at most, */
    MGLRU_LEAST = 2,       /* and at least */
    MGLRU_TIERS = 4,
    MGLRU_MOST_FOUND = 4
};

typedef struct MglruPage {
    ListLink link;      /* in its generation */
    ListLink young;     /* while R = 1: among those */
    uint8_t generation; /* its number modulo MGLRU_GENERATIONS */
    uint8_t found;      /* times that R was found set */
    bool referenced;    /* the R bit */
} MglruPage;

typedef struct MglruShadow {
    uint32_t oldest; /* the low bits of one more than the oldest generation; 0: no shadow */
    uint32_t found;
} MglruShadow;

/* The history of a tier. */
typedef struct MglruTier {
    uint64_t refaults, evicted, kept; /* in this oldest generation */
    uint64_t old_refaults, old_total; /* in those before, less and less */
} MglruTier;

typedef struct Mglru {
    Policy base;
    MglruPage *pages; /* by frame */
    List generations[MGLRU_GENERATIONS];
    List young;
    uint64_t oldest, youngest; /* numbers of generations */
    MglruTier tiers[MGLRU_TIERS];
    uint64_t least_refaults;
    uint32_t reserved;
} Mglru;

static int mglru_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Mglru *mglru = (Mglru *)policy;
    for (unsigned i = 0; i < MGLRU_GENERATIONS; i++) {
        mglru->generations[i] = LIST_EMPTY;
    }
    mglru->young = LIST_EMPTY;
    mglru->youngest = MGLRU_LEAST - 1;
    mglru->least_refaults = params[0];
    return VMM_OK;
}

static void mglru_destroy(Policy *policy) {
    Mglru *mglru = (Mglru *)policy;
    vmm_policy_free(policy, mglru->pages, mglru->reserved, sizeof *mglru->pages);
}

static bool mglru_reserve(Policy *policy, uint32_t frames) {
    Mglru *mglru = (Mglru *)policy;
    MglruPage *pages =
        vmm_policy_grow(policy, mglru->pages, mglru->reserved, frames, sizeof *pages);
    if (pages == NULL) {
        return false;
    }
    mglru->pages = pages;
    mglru->reserved = frames;
    return true;
}

/* ---- Lists ---------------------------------------------------------------------------------- */

static ListLinks mglru_young_links(const Mglru *mglru) {
    return (ListLinks){&mglru->pages[0].young, sizeof *mglru->pages};
}

static List *mglru_list(Mglru *mglru, uint64_t generation) {
    return &mglru->generations[generation % MGLRU_GENERATIONS];
}

static void mglru_enter(Mglru *mglru, uint32_t frame, uint64_t generation) {
    mglru->pages[frame].generation = (uint8_t)(generation % MGLRU_GENERATIONS);
    list_append(mglru_list(mglru, generation), LIST_LINKS(mglru->pages), frame);
}

static void mglru_move(Mglru *mglru, uint32_t frame, uint64_t generation) {
    list_remove(mglru_list(mglru, mglru->pages[frame].generation), LIST_LINKS(mglru->pages), frame);
    mglru_enter(mglru, frame, generation);
}

static inline void mglru_touch(Policy *policy, uint32_t frame) {
    Mglru *mglru = (Mglru *)policy;
    if (!mglru->pages[frame].referenced) {
        mglru->pages[frame].referenced = true;
        list_append(&mglru->young, mglru_young_links(mglru), frame);
    }
}

/* R was found set: it is cleared, and the page goes to the youngest generation. */
static void mglru_promote(Mglru *mglru, uint32_t frame) {
    const Policy *policy = &mglru->base;
    MglruPage *page = &mglru->pages[frame];
    list_remove(&mglru->young, mglru_young_links(mglru), frame);
    page->referenced = false;
    page->found = (uint8_t)(page->found + (page->found < MGLRU_MOST_FOUND));
    if (policy->bit_cleared != NULL) {
        policy->bit_cleared(policy->host, frame);
    }
    mglru_move(mglru, frame, mglru->youngest);
}

/* ---- Tiers ---------------------------------------------------------------------------------- */

static unsigned mglru_tier_of(uint32_t found) {
    return found < 3 ? found : found < 4 ? 2 : 3;
}

static uint64_t mglru_refaults(const MglruTier *tier) {
    return tier->old_refaults + tier->refaults;
}

static uint64_t mglru_total(const MglruTier *tier) {
    return tier->old_total + tier->evicted + tier->kept;
}

/* The highest tier whose pages are evicted. */
static unsigned mglru_tier_limit(const Mglru *mglru) {
    const MglruTier *base = &mglru->tiers[0];
    uint64_t least = mglru->least_refaults;
    unsigned tier = 1;
    for (; tier < MGLRU_TIERS; tier++) {
        uint64_t refaults = mglru_refaults(&mglru->tiers[tier]);
        uint64_t total = mglru_total(&mglru->tiers[tier]);
        if (refaults >= least &&
            refaults * (mglru_total(base) + least) > (mglru_refaults(base) + 1) * total * 2) {
            break;
        }
    }
    return tier - 1;
}

/* The oldest generation is empty: the next one is the oldest. */
static void mglru_next_oldest(Mglru *mglru) {
    mglru->oldest++;
    for (unsigned i = 0; i < MGLRU_TIERS; i++) {
        MglruTier *tier = &mglru->tiers[i];
        *tier = (MglruTier){.old_refaults = mglru_refaults(tier) / 2,
                            .old_total = mglru_total(tier) / 2};
    }
}

/* ---- Faults --------------------------------------------------------------------------------- */

static MglruShadow *mglru_shadow(const Policy *policy, uint32_t page) {
    return &((MglruShadow *)policy->page_state)[page];
}

static void mglru_insert(Policy *policy, uint32_t frame) {
    Mglru *mglru = (Mglru *)policy;
    MglruShadow *shadow = mglru_shadow(policy, policy->page_of[frame]);
    mglru->pages[frame] = (MglruPage){.found = 0};
    if (shadow->oldest == (uint32_t)(mglru->oldest + 1)) {
        mglru->pages[frame].found = (uint8_t)shadow->found;
        mglru->tiers[mglru_tier_of(shadow->found)].refaults++;
    }
    *shadow = (MglruShadow){0};
    mglru_enter(mglru, frame, mglru->youngest);
    mglru_touch(policy, frame);
}

static bool mglru_is_due(Mglru *mglru) {
    uint64_t between = mglru->youngest - mglru->oldest;
    uint64_t total = mglru->base.capacity;
    if (between != MGLRU_LEAST) {
        return between < MGLRU_LEAST;
    }
    return (uint64_t)mglru_list(mglru, mglru->youngest)->count * MGLRU_LEAST > total ||
           (uint64_t)mglru_list(mglru, mglru->oldest)->count * (MGLRU_LEAST + 2) < total;
}

static void mglru_age(Mglru *mglru) {
    while (mglru->young.count > 0) {
        mglru_promote(mglru, mglru->young.oldest);
    }
    mglru->youngest++;
}

static uint32_t mglru_victim(Policy *policy) {
    Mglru *mglru = (Mglru *)policy;
    unsigned limit = mglru_tier_limit(mglru);
    for (;;) {
        if (mglru_is_due(mglru)) {
            mglru_age(mglru);
        }
        uint32_t frame = mglru_list(mglru, mglru->oldest)->oldest;
        if (frame == LIST_NONE) {
            mglru_next_oldest(mglru);
            continue;
        }
        MglruPage *page = &mglru->pages[frame];
        MglruTier *tier = &mglru->tiers[mglru_tier_of(page->found)];
        if (page->referenced) {
            mglru_promote(mglru, frame);
        } else if (mglru_tier_of(page->found) > limit) {
            tier->kept++;
            page->found = 0;
            mglru_move(mglru, frame, mglru->oldest + 1);
        } else {
            tier->evicted++;
            *mglru_shadow(policy, policy->page_of[frame]) =
                (MglruShadow){(uint32_t)(mglru->oldest + 1), page->found};
            return frame;
        }
    }
}

static void mglru_remove(Policy *policy, uint32_t frame) {
    Mglru *mglru = (Mglru *)policy;
    const MglruPage *page = &mglru->pages[frame];
    list_remove(mglru_list(mglru, page->generation), LIST_LINKS(mglru->pages), frame);
    if (page->referenced) {
        list_remove(&mglru->young, mglru_young_links(mglru), frame);
    }
}

static void mglru_forget(Policy *policy, uint32_t page) {
    *mglru_shadow(policy, page) = (MglruShadow){0};
}

static void mglru_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Mglru *mglru = (const Mglru *)policy;
    snprintf(text, size, "first of the oldest generation, %llu of %llu to %llu; tier %u",
             (unsigned long long)mglru->oldest, (unsigned long long)mglru->oldest,
             (unsigned long long)mglru->youngest, mglru_tier_of(mglru->pages[victim].found));
}

static bool mglru_is_valid(const Policy *policy) {
    const Mglru *mglru = (const Mglru *)policy;
    for (unsigned i = 0; i < MGLRU_GENERATIONS; i++) {
        if (!list_is_valid(&mglru->generations[i], LIST_LINKS(mglru->pages))) {
            return false;
        }
    }
    uint64_t generations = mglru->youngest - mglru->oldest + 1;
    return generations >= MGLRU_LEAST && generations <= MGLRU_GENERATIONS &&
           (mglru->pages == NULL || list_is_valid(&mglru->young, mglru_young_links(mglru)));
}

static const PolicyType mglru_policy = {
    .info.name = "mglru",
    .info.label = "MGLRU",
    .info.summary = "generations, tiers and refault feedback (Linux since 6.1)",
    .info.source = "Zhao, 2022; Linux 6.1, mm/vmscan.c",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(Mglru),
    .page_state_size = sizeof(MglruShadow),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"refaults", 64, 1, 1000000, "refaults of a tier below which it is not protected",
             NULL},
            {.name = NULL},
        },
    .create = mglru_create,
    .destroy = mglru_destroy,
    .reserve = mglru_reserve,
    .insert = mglru_insert,
    .touch = mglru_touch,
    .victim = mglru_victim,
    .remove = mglru_remove,
    .forget = mglru_forget,
    .why = mglru_why,
    .is_valid = mglru_is_valid,
};
