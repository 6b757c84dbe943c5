/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQ, multi-queue: LRU queues by the logarithm of a page's references, which it sinks through when
 * it is not used.
 *
 *      Q3   8 and more references    [ ... ]
 *      Q2   4 to 7                   [ ... ]   head not used for a life time: to the tail of Q1
 *      Q1   2, 3                     [ ... ]   ... to the tail of Q0
 *      Q0   1                        [ ... ] ---> victim: head of the lowest queue that has pages
 *      Qout pages that left          [ ... ]   with their counts, which go on when they come back
 *
 * A reference takes a page to the tail of the queue of its count. After each reference the head of
 * every queue is looked at: if it was not used for `life` page references it goes to the tail of
 * the queue below, and may stay there for as long. So frequency wins over recency, but not for
 * ever.
 *
 * The paper sets the life time to the distance at which most pages come back, which is that of the
 * workload; 0 takes four times the frames. Qout holds `history` per cent of memory, in the paper
 * 400. A page that comes back is taken off Qout before its victim enters it.
 *
 * The heads are looked at only when one of them is due. Work a reference is bounded by the number
 * of queues, amortised.
 *
 * Source: Zhou, Philbin and Li, "The multi-queue replacement algorithm for second level buffer
 * caches", USENIX Annual Technical Conference 2001.
 */
#include "lists.h"
#include "policy.h"

enum { MQ_MOST = 16 };

typedef struct MqFrame {
    ListLink link;
    uint32_t queue;
    uint64_t expires; /* time of the pool after which it sinks */
} MqFrame;

typedef struct MqPage {
    ListLink link;       /* in Qout */
    uint32_t references; /* kept for pages in memory and in Qout */
} MqPage;

typedef struct Mq {
    Policy base;
    MqFrame *frames; /* by frame */
    List queues[MQ_MOST];
    List history; /* Qout */
    uint64_t life;
    uint64_t due; /* no head expires before */
    uint32_t top; /* the highest queue */
    uint32_t history_limit;
    uint32_t reserved;
    uint32_t leaving; /* the frame that victim() has named */
} Mq;

static int mq_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Mq *mq = (Mq *)policy;
    mq->top = (uint32_t)params[0] - 1;
    mq->life = params[1] != 0 ? params[1] : 4 * (uint64_t)policy->capacity;
    mq->history_limit = (uint32_t)(policy->capacity * params[2] / 100);
    mq->due = POLICY_NEVER;
    mq->leaving = POLICY_NO_FRAME;
    mq->history = LIST_EMPTY;
    for (unsigned i = 0; i < MQ_MOST; i++) {
        mq->queues[i] = LIST_EMPTY;
    }
    return VMM_OK;
}

static void mq_destroy(Policy *policy) {
    Mq *mq = (Mq *)policy;
    memory_free(policy->memory, mq->frames, mq->reserved, sizeof *mq->frames);
}

static bool mq_reserve(Policy *policy, uint32_t frames) {
    Mq *mq = (Mq *)policy;
    MqFrame *grown = memory_grow(policy->memory, mq->frames, mq->reserved, frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    mq->frames = grown;
    mq->reserved = frames;
    return true;
}

static inline MqPage *mq_page(const Mq *mq, uint32_t page) {
    return (MqPage *)mq->base.page_state + page;
}

static inline ListLinks mq_ghosts(const Mq *mq) {
    return LIST_LINKS((MqPage *)mq->base.page_state);
}

/* The tail of a queue, to stay there until `expires` is over. */
static inline void mq_append(Mq *mq, uint32_t queue, uint32_t frame, uint64_t expires) {
    mq->frames[frame].queue = queue;
    mq->frames[frame].expires = expires;
    list_append(&mq->queues[queue], LIST_LINKS(mq->frames), frame);
    if (queue > 0 && expires < mq->due) {
        mq->due = expires;
    }
}

static inline void mq_unlink(Mq *mq, uint32_t frame) {
    list_remove(&mq->queues[mq->frames[frame].queue], LIST_LINKS(mq->frames), frame);
}

/* Adjust() of the paper at a time when a head may be due: each queue's head is looked at once. */
static VMM_NOINLINE void mq_sink(Mq *mq, uint64_t now) {
    for (uint32_t queue = 1; queue <= mq->top; queue++) {
        uint32_t head = mq->queues[queue].oldest;
        if (head != LIST_NONE && mq->frames[head].expires < now) {
            mq_unlink(mq, head);
            mq_append(mq, queue - 1, head, now + mq->life);
        }
    }
    mq->due = POLICY_NEVER;
    for (uint32_t queue = 1; queue <= mq->top; queue++) {
        uint32_t head = mq->queues[queue].oldest;
        if (head != LIST_NONE && mq->frames[head].expires - 1 < mq->due) {
            mq->due = mq->frames[head].expires - 1;
        }
    }
}

/* The page in `frame`, in no queue, has just been referenced. */
static inline void mq_enter(Mq *mq, uint32_t frame, uint32_t references) {
    uint64_t now = mq->base.clock;
    uint32_t queue = 31u - (uint32_t)__builtin_clz(references);
    mq_append(mq, queue < mq->top ? queue : mq->top, frame, now - 1 + mq->life);
    if (mq->due < now) {
        mq_sink(mq, now);
    }
}

static inline void mq_miss(Policy *policy, uint32_t page) {
    Mq *mq = (Mq *)policy;
    ghost_recall(&mq->history, mq_ghosts(mq), page);
}

static inline void mq_insert(Policy *policy, uint32_t frame) {
    Mq *mq = (Mq *)policy;
    MqPage *page = mq_page(mq, policy->page_of[frame]);
    page->references += page->references < UINT32_MAX;
    mq_enter(mq, frame, page->references);
}

/*
 * Touches in a row: the page is out of the way while the heads are looked at after each of them,
 * for it cannot expire in between.
 */
static inline void mq_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    Mq *mq = (Mq *)policy;
    MqPage *page = mq_page(mq, policy->page_of[frame]);
    uint32_t room = UINT32_MAX - page->references;
    page->references += count < room ? count : room;
    mq_unlink(mq, frame);
    uint64_t time = policy->clock - count + 1;
    while (time < policy->clock && mq->due < policy->clock - 1) {
        time = time > mq->due ? time : mq->due + 1;
        mq_sink(mq, time++);
    }
    mq_enter(mq, frame, page->references);
}

static inline void mq_touch(Policy *policy, uint32_t frame) {
    mq_touch_many(policy, frame, 1);
}

static inline uint32_t mq_victim(Policy *policy) {
    Mq *mq = (Mq *)policy;
    uint32_t queue = 0;
    while (mq->queues[queue].oldest == LIST_NONE) {
        queue++;
    }
    mq->leaving = mq->queues[queue].oldest;
    return mq->leaving;
}

static inline void mq_remove(Policy *policy, uint32_t frame) {
    Mq *mq = (Mq *)policy;
    uint32_t page = policy->page_of[frame];
    mq_unlink(mq, frame);
    if (frame != mq->leaving) {
        return; /* discarded: it will be forgotten */
    }
    mq->leaving = POLICY_NO_FRAME;
    uint32_t dropped = ghost_remember(&mq->history, mq_ghosts(mq), page, mq->history_limit);
    dropped = mq->history_limit == 0 ? page : dropped;
    if (dropped != LIST_NONE) {
        mq_page(mq, dropped)->references = 0;
    }
}

static inline void mq_forget(Policy *policy, uint32_t page) {
    Mq *mq = (Mq *)policy;
    ghost_recall(&mq->history, mq_ghosts(mq), page);
    mq_page(mq, page)->references = 0;
}

static void mq_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Mq *mq = (const Mq *)policy;
    snprintf(text, size, "least recently used of Q%u, the lowest with pages (%u references)",
             mq->frames[victim].queue, mq_page(mq, policy->page_of[victim])->references);
}

static uint32_t mq_order(Policy *policy, uint32_t *frames) {
    const Mq *mq = (const Mq *)policy;
    uint32_t count = 0;
    for (uint32_t queue = 0; queue <= mq->top; queue++) {
        count += list_write(&mq->queues[queue], LIST_LINKS(mq->frames), frames + count);
    }
    return count;
}

/*
 * Frames know their queues; those of each queue expire in order, none before it is due. In order
 * but for one: a page that is read ahead comes in behind one that sank with the same reference, and
 * expires one reference before it.
 */
static bool mq_is_valid(const Policy *policy) {
    const Mq *mq = (const Mq *)policy;
    ListLinks links = LIST_LINKS(mq->frames);
    for (uint32_t queue = 0; queue <= mq->top; queue++) {
        uint64_t earliest = queue == 0 ? 0 : mq->due;
        if (!list_is_valid(&mq->queues[queue], links)) {
            return false;
        }
        for (uint32_t f = mq->queues[queue].oldest; f != LIST_NONE; f = list_younger(links, f)) {
            if (mq->frames[f].queue != queue || mq->frames[f].expires < earliest) {
                return false;
            }
            earliest = queue == 0 ? 0 : mq->frames[f].expires - 1;
        }
    }
    return mq->history.count <= mq->history_limit &&
           (mq->history_limit == 0 || list_is_valid(&mq->history, mq_ghosts(mq)));
}

static const PolicyType mq_policy = {
    .info.name = "mq",
    .info.label = "MQ",
    .info.summary = "LRU queues by frequency, which unused pages sink through, and ghosts",
    .info.source = "Zhou, Philbin, Li, USENIX 2001",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .uses_clock = true,
    .state_size = sizeof(Mq),
    .page_state_size = sizeof(MqPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"queues", 8, 1, MQ_MOST, "queues", NULL},
            {"life", 0, 0, UINT32_MAX, "page references after which a page sinks; 0: 4 x frames",
             NULL},
            {"history", 400, 0, 10000, "pages remembered, in per cent of memory", NULL},
            {.name = NULL},
        },
    .create = mq_create,
    .destroy = mq_destroy,
    .reserve = mq_reserve,
    .miss = mq_miss,
    .insert = mq_insert,
    .touch = mq_touch,
    .touch_many = mq_touch_many,
    .victim = mq_victim,
    .remove = mq_remove,
    .forget = mq_forget,
    .why = mq_why,
    .order = mq_order,
    .is_valid = mq_is_valid,
};
