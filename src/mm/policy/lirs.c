/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LIRS: pages are ranked by how recently they were used before their last use.
 *
 *       top                      bottom
 *     S: [ h  L  a  L  L  h  L ]            L  LIR: resident, short time between uses
 *          |              |                 h  HIR: resident, few of them, in Q
 *     Q: [ front .. end ]                   a  HIR that is absent: its last use is remembered
 *          victim
 *
 * The stack S holds pages in order of last use, down to the LIR page used longest ago: what lies
 * below it is pruned. A HIR page that is used while in S has been used again sooner than that LIR
 * page: they change places, and the demoted page goes to the end of Q. A HIR page used while not
 * in S enters it and moves to the end of Q. A page enters as LIR while there are fewer than the
 * limit, or if it is in S; else as HIR. The front of Q leaves. `hir` per cent of memory, at least
 * one page, are for HIR pages. Each page pruned was pushed once: amortised constant work.
 *
 * variant=libcachesim: S is held down to twice the memory by dropping the page that has been absent
 * longest; and a hit on a HIR page that is not in S demotes a LIR page all the same, for which the
 * front of Q leaves on a hit, so that the next new page enters as LIR. With two HIR pages or more,
 * so from 200 frames on, its misses are that program's. With a single one that front is the page in
 * use: that program counts it out and yet finds it again as long as it is in S, so holds more pages
 * than there are frames. Here it leaves after its use, so misses differ (at 100 frames of the
 * golden trace 99,960; that program's are 99,953).
 *
 * Source: Jiang and Zhang, "LIRS: an efficient low inter-reference recency set replacement policy
 * to improve buffer cache performance", SIGMETRICS 2002.
 */
#include "lists.h"
#include "policy.h"

/* A page in a frame. */
enum {
    LIRS_LIR,
    LIRS_HIR,    /* in Q */
    LIRS_LEAVING /* when the reference is complete */
};

typedef struct LirsFrame {
    ListLink link; /* in Q */
    uint32_t status;
} LirsFrame;

typedef struct LirsPage {
    ListLink stack;  /* in S */
    ListLink absent; /* among the absent pages of S, in order of leaving */
    uint32_t frame;  /* of a resident page */
} LirsPage;

typedef struct Lirs {
    Policy base;
    LirsFrame *frames;
    uint32_t reserved;
    List stack, queue, absent;
    uint32_t lir_count, lir_limit;
    bool known; /* the incoming page is in S */
    bool as_peer;
} Lirs;

static int lirs_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Lirs *lirs = (Lirs *)policy;
    uint32_t share = (uint32_t)(policy->capacity * params[0] / 100);
    lirs->lir_limit = policy->capacity - (share > 0 ? share : 1);
    lirs->stack = LIST_EMPTY;
    lirs->queue = LIST_EMPTY;
    lirs->absent = LIST_EMPTY;
    lirs->as_peer = params[1] != 0;
    return VMM_OK;
}

static void lirs_destroy(Policy *policy) {
    Lirs *lirs = (Lirs *)policy;
    memory_free(policy->memory, lirs->frames, lirs->reserved, sizeof *lirs->frames);
}

static bool lirs_reserve(Policy *policy, uint32_t frames) {
    Lirs *lirs = (Lirs *)policy;
    LirsFrame *grown =
        memory_grow(policy->memory, lirs->frames, lirs->reserved, frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    lirs->frames = grown;
    lirs->reserved = frames;
    return true;
}

static inline LirsPage *lirs_page(const Lirs *lirs, uint32_t page) {
    return (LirsPage *)lirs->base.page_state + page;
}

static inline ListLinks lirs_stack_links(const Lirs *lirs) {
    return LIST_LINKS((LirsPage *)lirs->base.page_state);
}

static inline ListLinks lirs_absent_links(const Lirs *lirs) {
    return (ListLinks){&lirs_page(lirs, 0)->absent, sizeof(LirsPage)};
}

static inline bool lirs_is_in_stack(const Lirs *lirs, uint32_t page) {
    return list_has(lirs_stack_links(lirs), page);
}

static inline bool lirs_is_absent(const Lirs *lirs, uint32_t page) {
    return list_has(lirs_absent_links(lirs), page);
}

/* A page of S goes from it. */
static void lirs_drop(Lirs *lirs, uint32_t page) {
    list_remove(&lirs->stack, lirs_stack_links(lirs), page);
    if (lirs_is_absent(lirs, page)) {
        list_remove(&lirs->absent, lirs_absent_links(lirs), page);
    }
}

static inline bool lirs_is_lir(const Lirs *lirs, uint32_t page) {
    return !lirs_is_absent(lirs, page) &&
           lirs->frames[lirs_page(lirs, page)->frame].status == LIRS_LIR;
}

/* The page at the bottom of S is a LIR page, or there is none. */
static inline void lirs_prune(Lirs *lirs) {
    while (lirs->stack.oldest != LIST_NONE && !lirs_is_lir(lirs, lirs->stack.oldest)) {
        lirs_drop(lirs, lirs->stack.oldest);
    }
}

/* To the top of S. */
static inline void lirs_push(Lirs *lirs, uint32_t page) {
    if (lirs_is_in_stack(lirs, page)) {
        list_renew(&lirs->stack, lirs_stack_links(lirs), page);
    } else {
        list_append(&lirs->stack, lirs_stack_links(lirs), page);
    }
}

static void lirs_enqueue(Lirs *lirs, uint32_t frame) {
    lirs->frames[frame].status = LIRS_HIR;
    list_append(&lirs->queue, LIST_LINKS(lirs->frames), frame);
}

/* The LIR page used longest ago becomes a HIR page. */
static void lirs_demote(Lirs *lirs) {
    uint32_t page = lirs->stack.oldest;
    lirs_drop(lirs, page);
    lirs->lir_count--;
    lirs_enqueue(lirs, lirs_page(lirs, page)->frame);
    lirs_prune(lirs);
}

/* A page becomes a LIR page, at the expense of another if there are enough. */
static void lirs_promote(Lirs *lirs, uint32_t frame) {
    lirs->frames[frame].status = LIRS_LIR;
    lirs->lir_count++;
    lirs_push(lirs, lirs->base.page_of[frame]);
    if (lirs->lir_count > lirs->lir_limit) {
        lirs_demote(lirs);
    }
    lirs_prune(lirs);
}

/* libCacheSim's bound of S. */
static inline void lirs_bound(Lirs *lirs) {
    while (lirs->as_peer && lirs->stack.count > 2 * (uint64_t)lirs->base.capacity &&
           lirs->absent.oldest != LIST_NONE) {
        lirs_drop(lirs, lirs->absent.oldest);
    }
}

static void lirs_miss(Policy *policy, uint32_t page) {
    Lirs *lirs = (Lirs *)policy;
    lirs->known = lirs_is_in_stack(lirs, page);
}

static inline uint32_t lirs_victim(Policy *policy) {
    return ((const Lirs *)policy)->queue.oldest;
}

static void lirs_insert(Policy *policy, uint32_t frame) {
    Lirs *lirs = (Lirs *)policy;
    uint32_t page = policy->page_of[frame];
    lirs_page(lirs, page)->frame = frame;
    if (lirs->known) {
        list_remove(&lirs->absent, lirs_absent_links(lirs), page);
    }
    if (lirs->known || lirs->lir_count < lirs->lir_limit) {
        lirs_promote(lirs, frame);
    } else {
        lirs_enqueue(lirs, frame);
        lirs_push(lirs, page);
        lirs_prune(lirs);
    }
    lirs_bound(lirs);
}

/* libCacheSim's hit of a HIR page that is not in S: see above. */
static void lirs_demote_on_hit(Lirs *lirs) {
    if (lirs->lir_count < lirs->lir_limit || lirs->lir_count == 0) {
        return;
    }
    if (lirs->queue.count == lirs->base.capacity - lirs->lir_limit) {
        uint32_t front = list_take_oldest(&lirs->queue, LIST_LINKS(lirs->frames));
        uint32_t page = lirs->base.page_of[front];
        lirs->frames[front].status = LIRS_LEAVING;
        vmm_policy_part_with(&lirs->base, front);
        if (lirs_is_in_stack(lirs, page)) {
            list_append(&lirs->absent, lirs_absent_links(lirs), page);
        }
    }
    lirs_demote(lirs);
}

static void lirs_touch_hir(Policy *policy, uint32_t frame, uint32_t page) {
    Lirs *lirs = (Lirs *)policy;
    if (lirs_is_in_stack(lirs, page)) {
        list_remove(&lirs->queue, LIST_LINKS(lirs->frames), frame);
        lirs_promote(lirs, frame);
    } else {
        list_renew(&lirs->queue, LIST_LINKS(lirs->frames), frame);
        if (lirs->as_peer) {
            lirs_demote_on_hit(lirs);
        }
        lirs_push(lirs, page);
        if (lirs->frames[frame].status == LIRS_LEAVING) {
            list_append(&lirs->absent, lirs_absent_links(lirs), page);
        }
        lirs_prune(lirs);
    }
    lirs_bound(lirs);
}

static inline void lirs_touch(Policy *policy, uint32_t frame) {
    Lirs *lirs = (Lirs *)policy;
    uint32_t page = policy->page_of[frame];
    if (VMM_UNLIKELY(lirs->frames[frame].status != LIRS_LIR)) {
        lirs_touch_hir(policy, frame, page);
        return;
    }
    bool was_bottom = page == lirs->stack.oldest;
    list_renew(&lirs->stack, lirs_stack_links(lirs), page);
    if (was_bottom) {
        lirs_prune(lirs);
    }
}

static void lirs_remove(Policy *policy, uint32_t frame) {
    Lirs *lirs = (Lirs *)policy;
    uint32_t page = policy->page_of[frame];
    uint32_t status = lirs->frames[frame].status;
    if (status == LIRS_LIR) { /* discarded: LIR pages are no victims */
        lirs->lir_count--;
        lirs_drop(lirs, page);
        lirs_prune(lirs);
        return;
    }
    if (status == LIRS_HIR) {
        list_remove(&lirs->queue, LIST_LINKS(lirs->frames), frame);
        if (lirs_is_in_stack(lirs, page)) {
            list_append(&lirs->absent, lirs_absent_links(lirs), page);
        }
    }
}

static void lirs_forget(Policy *policy, uint32_t page) {
    Lirs *lirs = (Lirs *)policy;
    if (lirs_is_in_stack(lirs, page)) {
        lirs_drop(lirs, page);
    }
}

static void lirs_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Lirs *lirs = (const Lirs *)policy;
    bool is_leaving = lirs->frames[victim].status == LIRS_LEAVING;
    snprintf(text, size, "front of Q%s; %u LIR pages, limit %u; %u absent pages in S",
             is_leaving ? ", on a hit" : "", lirs->lir_count, lirs->lir_limit, lirs->absent.count);
}

/* Q, then the LIR pages from the bottom of S. */
static uint32_t lirs_order(Policy *policy, uint32_t *frames) {
    const Lirs *lirs = (const Lirs *)policy;
    uint32_t count = list_write(&lirs->queue, LIST_LINKS(lirs->frames), frames);
    ListLinks links = lirs_stack_links(lirs);
    for (uint32_t p = lirs->stack.oldest; p != LIST_NONE; p = list_younger(links, p)) {
        if (lirs_is_lir(lirs, p)) {
            frames[count++] = lirs_page(lirs, p)->frame;
        }
    }
    return count;
}

/* LIR pages are in S, one at its bottom, and not too many; what is absent is in S. */
static bool lirs_is_valid(const Policy *policy) {
    const Lirs *lirs = (const Lirs *)policy;
    ListLinks links = lirs_stack_links(lirs);
    uint32_t lir = 0;
    uint32_t absent = 0;
    for (uint32_t p = lirs->stack.oldest; p != LIST_NONE; p = list_younger(links, p)) {
        lir += lirs_is_lir(lirs, p);
        absent += lirs_is_absent(lirs, p);
    }
    bool based = lirs->stack.oldest == LIST_NONE || lirs_is_lir(lirs, lirs->stack.oldest);
    return based && lir == lirs->lir_count && lir <= lirs->lir_limit &&
           absent == lirs->absent.count && list_is_valid(&lirs->stack, links) &&
           list_is_valid(&lirs->absent, lirs_absent_links(lirs)) &&
           list_is_valid(&lirs->queue, LIST_LINKS(lirs->frames));
}

static const PolicyType lirs_policy = {
    .info.name = "lirs",
    .info.label = "LIRS",
    .info.summary = "pages with short times between uses stay",
    .info.source = "Jiang, Zhang, SIGMETRICS 2002",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .parts_on_touch = true,
    .state_size = sizeof(Lirs),
    .page_state_size = sizeof(LirsPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"hir", 1, 1, 99, "per cent of memory for HIR pages, at least one page", NULL},
            {"variant", 0, 0, 1,
             "libcachesim: S of twice the memory; a HIR hit outside S demotes a LIR page; "
             "exact with two HIR pages or more",
             "paper|libcachesim"},
            {.name = NULL},
        },
    .create = lirs_create,
    .destroy = lirs_destroy,
    .reserve = lirs_reserve,
    .miss = lirs_miss,
    .insert = lirs_insert,
    .touch = lirs_touch,
    .victim = lirs_victim,
    .remove = lirs_remove,
    .forget = lirs_forget,
    .why = lirs_why,
    .order = lirs_order,
    .is_valid = lirs_is_valid,
};
