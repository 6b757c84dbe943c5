/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WSClock: the working set policy with the search of Clock. A hand goes round the frames; what it
 * finds under it is asked for three things, and a page leaves that is none of them:
 *
 *     used since the hand last came by (R = 1)?   R is cleared, the time of use is now; go on
 *     used within the last `tau` references       in the working set of its process; go on
 *     dirty?                                      scheduled for writing; go on
 *
 *     frame   0        1        2        3            `idle`: page references of the page's own
 *     R       1        0        0        0            process since its time of use; tau is 100
 *     idle    -        30       250      900
 *     dirty   no       no       yes      no
 *             R = 0    stays    written  leaves       the hand stops behind frame 3
 *
 * Time is the virtual time of the process that owns the page: the pages of one that does not run
 * do not age. Source: Carr and Hennessy, "WSClock: a simple and effective algorithm for virtual
 * memory management", SOSP 1981.
 *
 * The search is bounded: the hand passes at most `sweep` frames for each fault, and at most `queue`
 * pages are scheduled in it; the device has written them before the next fault. If no page that is
 * old and clean was among them, the paper waits for the first of the scheduled writes: here the
 * first page that was old leaves, dirty. If none was old, memory is overcommitted. The paper would
 * stop a process; here, as in Tanenbaum's account, a page leaves all the same: of those the hand
 * passed the one idle longest, clean ones before dirty ones, the first of equals. 16 bytes a page.
 */
#include "policy.h"

typedef enum WsclockReason {
    WSCLOCK_OLD_CLEAN, /* the best one first */
    WSCLOCK_OLD_DIRTY,
    WSCLOCK_IDLE_CLEAN,
    WSCLOCK_IDLE_DIRTY
} WsclockReason;

typedef struct WsclockPage {
    uint64_t used;  /* virtual time of its process when it was last seen to be used */
    uint32_t space; /* its process */
    bool referenced;
} WsclockPage;

typedef struct Wsclock {
    Policy base;
    WsclockPage *pages; /* by frame */
    uint64_t tau;
    uint32_t queue;
    uint32_t sweep;
    uint32_t hand;
    uint32_t reserved;
    WsclockReason reason; /* why the last victim leaves */
    uint64_t idle;        /* and for how long it was idle */
} Wsclock;

static int wsclock_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Wsclock *wsclock = (Wsclock *)policy;
    wsclock->tau = params[0];
    wsclock->queue = (uint32_t)params[1];
    wsclock->sweep = params[2] < policy->capacity ? (uint32_t)params[2] : policy->capacity;
    return VMM_OK;
}

static void wsclock_destroy(Policy *policy) {
    Wsclock *wsclock = (Wsclock *)policy;
    vmm_policy_free(policy, wsclock->pages, wsclock->reserved, sizeof *wsclock->pages);
}

static bool wsclock_reserve(Policy *policy, uint32_t frames) {
    Wsclock *wsclock = (Wsclock *)policy;
    WsclockPage *pages =
        vmm_policy_grow(policy, wsclock->pages, wsclock->reserved, frames, sizeof *pages);
    if (pages == NULL) {
        return false;
    }
    wsclock->pages = pages;
    wsclock->reserved = frames;
    return true;
}

static void wsclock_insert(Policy *policy, uint32_t frame) {
    ((Wsclock *)policy)->pages[frame] =
        (WsclockPage){.used = vmm_policy_time(policy), .space = policy->space, .referenced = true};
}

static inline void wsclock_touch(Policy *policy, uint32_t frame) {
    ((Wsclock *)policy)->pages[frame].referenced = true;
}

/* How long the page under the hand has been idle; its R bit is cleared. */
static uint64_t wsclock_look(Wsclock *wsclock, uint32_t frame) {
    const Policy *policy = &wsclock->base;
    WsclockPage *page = &wsclock->pages[frame];
    uint64_t now = vmm_policy_time_of(policy, page->space);
    if (page->referenced) {
        page->referenced = false;
        page->used = now;
        if (policy->bit_cleared != NULL) {
            policy->bit_cleared(policy->host, frame);
        }
    }
    return now - page->used;
}

static WsclockReason wsclock_judge(const Wsclock *wsclock, uint32_t frame, uint64_t idle) {
    bool dirty = wsclock->base.dirty[frame] != 0;
    if (idle > wsclock->tau) {
        return dirty ? WSCLOCK_OLD_DIRTY : WSCLOCK_OLD_CLEAN;
    }
    return dirty ? WSCLOCK_IDLE_DIRTY : WSCLOCK_IDLE_CLEAN;
}

/* Whether a page is a better victim than the best one before it. */
static bool wsclock_is_better(const Wsclock *wsclock, WsclockReason reason, uint64_t idle) {
    if (reason != wsclock->reason) {
        return reason < wsclock->reason;
    }
    return reason >= WSCLOCK_IDLE_CLEAN && idle > wsclock->idle;
}

/* The pool is full when a victim is asked for, so every frame below capacity holds a page. */
static uint32_t wsclock_victim(Policy *policy) {
    Wsclock *wsclock = (Wsclock *)policy;
    uint32_t best = POLICY_NO_FRAME;
    uint32_t scheduled = 0;
    for (uint32_t step = 0; step < wsclock->sweep; step++) {
        uint32_t frame = wsclock->hand;
        uint64_t idle = wsclock_look(wsclock, frame);
        WsclockReason reason = wsclock_judge(wsclock, frame, idle);
        wsclock->hand = frame + 1 == policy->capacity ? 0 : frame + 1;
        if (reason == WSCLOCK_OLD_DIRTY && scheduled < wsclock->queue) {
            vmm_policy_write_back(policy, frame);
            scheduled++;
        }
        if (best == POLICY_NO_FRAME || wsclock_is_better(wsclock, reason, idle)) {
            best = frame;
            wsclock->reason = reason;
            wsclock->idle = idle;
        }
        if (reason == WSCLOCK_OLD_CLEAN) {
            break;
        }
    }
    return best;
}

static void wsclock_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)victim;
    static const char *const reasons[] = {"old and clean", "old, dirty", "none old: clean",
                                          "none old or clean"};
    const Wsclock *wsclock = (const Wsclock *)policy;
    snprintf(text, size, "%s, idle for %llu references of its process (tau %llu)",
             reasons[wsclock->reason], (unsigned long long)wsclock->idle,
             (unsigned long long)wsclock->tau);
}

static bool wsclock_is_valid(const Policy *policy) {
    const Wsclock *wsclock = (const Wsclock *)policy;
    return wsclock->hand < policy->capacity && wsclock->sweep <= policy->capacity &&
           policy->writing.count <= wsclock->queue;
}

static const PolicyType wsclock_policy = {
    .info.name = "wsclock",
    .info.label = "WSClock",
    .info.summary = "working sets found by a clock's hand; dirty pages are written ahead",
    .info.source = "Carr and Hennessy, SOSP 1981",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .uses_clock = true,
    .touch_once = true,
    .state_size = sizeof(Wsclock),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"tau", 10000, 1, UINT32_MAX,
             "page references of its process after which an unused page is old", NULL},
            {"queue", 32, 0, 65536, "old dirty pages scheduled for writing at a fault, at most",
             NULL},
            {"sweep", 128, 1, UINT32_MAX, "frames that the hand passes at a fault, at most", NULL},
            {.name = NULL},
        },
    .create = wsclock_create,
    .destroy = wsclock_destroy,
    .reserve = wsclock_reserve,
    .insert = wsclock_insert,
    .touch = wsclock_touch,
    .victim = wsclock_victim,
    .why = wsclock_why,
    .is_valid = wsclock_is_valid,
};
