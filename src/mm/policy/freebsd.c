/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page queues of FreeBSD: active, inactive and laundry. Sources: FreeBSD 13, vm_pageout.c and
 * its manual pages; McKusick, Neville-Neil, Watson, "The Design and Implementation of the FreeBSD
 * Operating System", 2nd edition, 2015.
 *
 *      fault ──► [ active: act_count 5 ] ◄──────────── R = 1 ──────────┐
 *                   │ act_count 0, clean        │ act_count 0, dirty   │
 *                   ▼                           ▼                      │
 *                [ inactive ] ── dirty ──► [ laundry ] ────────────────┤
 *                   │    ▲                      │                      │
 *           R = 0,  │    └── at the old end ────┘ written              │
 *            clean  ▼                                                  │
 *                leaves       (a page of inactive or laundry with R = 1)
 *
 * When a frame is needed:
 *   1. While inactive and a third of laundry hold less than the target and one page more, the
 *      oldest active page is looked at. R = 1: R is cleared, act_count grows by 4, to 64 at most;
 *      R = 0: it falls by 1. Pages with 0 leave the queue, the others go round.
 *   2. The oldest inactive page is taken, unless it has to become active again, as above, or is
 *      dirty. If there is none, the oldest of laundry is, dirty as it is.
 *   3. If laundry then holds `launder` pages, that many are written, the oldest first. What has
 * been written is the next to leave.
 *
 * The targets of the page daemon: of free pages it is the one that is needed, since the simulator
 * gives out all frames; of inactive ones `inactive` per cent of memory. Not modelled: the scan of
 * the active queue by time, the split into domains and batches of processors. 12 bytes a page.
 */
#include "lists.h"
#include "policy.h"

enum {
    FREEBSD_ACT_INIT = 5,
    FREEBSD_ACT_ADVANCE = 4, /* 3, and 1 for the reference */
    FREEBSD_ACT_MAX = 64,
    FREEBSD_LAUNDRY_WEIGHT = 3 /* pages of laundry that count as an inactive one */
};

typedef enum FreebsdQueue {
    FREEBSD_ACTIVE,
    FREEBSD_INACTIVE,
    FREEBSD_LAUNDRY,
    FREEBSD_QUEUES
} FreebsdQueue;

typedef struct FreebsdPage {
    ListLink link;
    uint8_t queue;
    uint8_t act_count;
    bool referenced; /* the R bit */
} FreebsdPage;

typedef struct Freebsd {
    Policy base;
    FreebsdPage *pages; /* by frame */
    List queues[FREEBSD_QUEUES];
    uint64_t target;
    uint32_t launder;
    uint32_t reserved;
} Freebsd;

static int freebsd_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Freebsd *freebsd = (Freebsd *)policy;
    freebsd->target = policy->capacity * params[0] / 100;
    freebsd->launder = (uint32_t)params[1];
    for (unsigned i = 0; i < FREEBSD_QUEUES; i++) {
        freebsd->queues[i] = LIST_EMPTY;
    }
    return VMM_OK;
}

static void freebsd_destroy(Policy *policy) {
    Freebsd *freebsd = (Freebsd *)policy;
    vmm_policy_free(policy, freebsd->pages, freebsd->reserved, sizeof *freebsd->pages);
}

static bool freebsd_reserve(Policy *policy, uint32_t frames) {
    Freebsd *freebsd = (Freebsd *)policy;
    FreebsdPage *pages =
        vmm_policy_grow(policy, freebsd->pages, freebsd->reserved, frames, sizeof *pages);
    if (pages == NULL) {
        return false;
    }
    freebsd->pages = pages;
    freebsd->reserved = frames;
    return true;
}

static void freebsd_enter(Freebsd *freebsd, uint32_t frame, FreebsdQueue queue) {
    freebsd->pages[frame].queue = (uint8_t)queue;
    list_append(&freebsd->queues[queue], LIST_LINKS(freebsd->pages), frame);
}

static void freebsd_remove(Policy *policy, uint32_t frame) {
    Freebsd *freebsd = (Freebsd *)policy;
    list_remove(&freebsd->queues[freebsd->pages[frame].queue], LIST_LINKS(freebsd->pages), frame);
}

static void freebsd_move(Freebsd *freebsd, uint32_t frame, FreebsdQueue queue) {
    freebsd_remove(&freebsd->base, frame);
    freebsd_enter(freebsd, frame, queue);
}

static void freebsd_insert(Policy *policy, uint32_t frame) {
    Freebsd *freebsd = (Freebsd *)policy;
    freebsd->pages[frame] = (FreebsdPage){.act_count = FREEBSD_ACT_INIT, .referenced = true};
    freebsd_enter(freebsd, frame, FREEBSD_ACTIVE);
}

static inline void freebsd_touch(Policy *policy, uint32_t frame) {
    ((Freebsd *)policy)->pages[frame].referenced = true;
}

/* If R is set, clears it and makes the page young and more active. False: R is not set. */
static bool freebsd_reactivate(Freebsd *freebsd, uint32_t frame) {
    const Policy *policy = &freebsd->base;
    FreebsdPage *page = &freebsd->pages[frame];
    if (!page->referenced) {
        return false;
    }
    if (policy->bit_cleared != NULL) {
        policy->bit_cleared(policy->host, frame);
    }
    unsigned act_count = page->act_count + FREEBSD_ACT_ADVANCE;
    page->referenced = false;
    page->act_count = (uint8_t)(act_count < FREEBSD_ACT_MAX ? act_count : FREEBSD_ACT_MAX);
    freebsd_move(freebsd, frame, FREEBSD_ACTIVE);
    return true;
}

/* Step 1. Every look either clears a bit or takes from a count that bits have made. */
static void freebsd_scan_active(Freebsd *freebsd) {
    const List *active = &freebsd->queues[FREEBSD_ACTIVE];
    uint64_t wanted = FREEBSD_LAUNDRY_WEIGHT * (freebsd->target + 1);
    while (active->count > 0 &&
           FREEBSD_LAUNDRY_WEIGHT * (uint64_t)freebsd->queues[FREEBSD_INACTIVE].count +
                   freebsd->queues[FREEBSD_LAUNDRY].count <
               wanted) {
        uint32_t frame = active->oldest;
        FreebsdPage *page = &freebsd->pages[frame];
        if (freebsd_reactivate(freebsd, frame)) {
            continue;
        }
        page->act_count = (uint8_t)(page->act_count - (page->act_count > 0));
        bool dirty = freebsd->base.dirty[frame] != 0;
        freebsd_move(freebsd, frame,
                     page->act_count > 0 ? FREEBSD_ACTIVE
                     : dirty             ? FREEBSD_LAUNDRY
                                         : FREEBSD_INACTIVE);
    }
}

/* Step 2. */
static uint32_t freebsd_take(Freebsd *freebsd) {
    const List *queues = freebsd->queues;
    for (;;) {
        freebsd_scan_active(freebsd);
        bool inactive = queues[FREEBSD_INACTIVE].count > 0;
        uint32_t frame = queues[inactive ? FREEBSD_INACTIVE : FREEBSD_LAUNDRY].oldest;
        if (freebsd_reactivate(freebsd, frame)) {
            continue;
        }
        if (!inactive || freebsd->base.dirty[frame] == 0) {
            return frame;
        }
        freebsd_move(freebsd, frame, FREEBSD_LAUNDRY);
    }
}

/* Step 3. */
static void freebsd_launder(Freebsd *freebsd, uint32_t victim) {
    const List *laundry = &freebsd->queues[FREEBSD_LAUNDRY];
    bool leaves = freebsd->pages[victim].queue == FREEBSD_LAUNDRY;
    if (laundry->count - leaves < freebsd->launder) {
        return;
    }
    uint32_t left = freebsd->launder;
    for (uint32_t next, frame = laundry->oldest; left > 0 && frame != LIST_NONE; frame = next) {
        next = list_younger(LIST_LINKS(freebsd->pages), frame);
        if (frame != victim && !freebsd_reactivate(freebsd, frame)) {
            vmm_policy_write_back(&freebsd->base, frame);
            left--;
        }
    }
}

static uint32_t freebsd_victim(Policy *policy) {
    Freebsd *freebsd = (Freebsd *)policy;
    uint32_t victim = freebsd_take(freebsd);
    freebsd_launder(freebsd, victim);
    return victim;
}

static void freebsd_cleaned(Policy *policy, uint32_t frame) {
    Freebsd *freebsd = (Freebsd *)policy;
    if (freebsd->pages[frame].queue == FREEBSD_LAUNDRY) {
        freebsd_remove(policy, frame);
        freebsd->pages[frame].queue = FREEBSD_INACTIVE;
        list_prepend(&freebsd->queues[FREEBSD_INACTIVE], LIST_LINKS(freebsd->pages), frame);
    }
}

static void freebsd_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Freebsd *freebsd = (const Freebsd *)policy;
    bool inactive = freebsd->pages[victim].queue == FREEBSD_INACTIVE;
    snprintf(text, size, "oldest %s, not referenced (%u active, %u inactive, %u laundry)",
             inactive ? "inactive page" : "page of laundry, none is inactive",
             freebsd->queues[FREEBSD_ACTIVE].count, freebsd->queues[FREEBSD_INACTIVE].count,
             freebsd->queues[FREEBSD_LAUNDRY].count);
}

static bool freebsd_is_valid(const Policy *policy) {
    const Freebsd *freebsd = (const Freebsd *)policy;
    for (unsigned i = 0; i < FREEBSD_QUEUES; i++) {
        if (!list_is_valid(&freebsd->queues[i], LIST_LINKS(freebsd->pages))) {
            return false;
        }
    }
    return true;
}

static const PolicyType freebsd_policy = {
    .info.name = "freebsd",
    .info.label = "FreeBSD",
    .info.summary = "active, inactive and laundry queues with activity counts (FreeBSD)",
    .info.source = "McKusick et al., 2015; FreeBSD 13, vm_pageout.c",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(Freebsd),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"inactive", 3, 0, 100, "target of inactive pages, per cent of the frames", NULL},
            {"launder", 32, 1, 65536, "dirty pages of the laundry queue written at one time", NULL},
            {.name = NULL},
        },
    .create = freebsd_create,
    .destroy = freebsd_destroy,
    .reserve = freebsd_reserve,
    .insert = freebsd_insert,
    .touch = freebsd_touch,
    .cleaned = freebsd_cleaned,
    .victim = freebsd_victim,
    .remove = freebsd_remove,
    .why = freebsd_why,
    .is_valid = freebsd_is_valid,
};
