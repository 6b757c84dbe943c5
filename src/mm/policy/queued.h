/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What policies made of queues share: each frame is in one queue, the pages that left may be
 * remembered as ghosts, and hits write one byte.
 *
 *     frames[frame] = {links, queue}      which queue and its neighbours there (lists.h)
 *     used[frame]                         what hits have noted; a byte array of its own, so that
 *                                         the hot path touches one dense line
 *     page_state[page] = links            of the ghost list
 *
 * A page is remembered when it is evicted, not when it is discarded. Both reach the policy as
 * remove(), so victim() notes in `leaving` which frame it has named.
 */
#ifndef VMM_MM_POLICY_QUEUED_H
#define VMM_MM_POLICY_QUEUED_H

#include "lists.h"
#include "policy.h"

typedef struct QueuedFrame {
    ListLink link;
    uint32_t queue;
} QueuedFrame;

typedef struct Queued {
    Policy base;
    QueuedFrame *frames; /* by frame */
    uint8_t *used;       /* by frame */
    uint32_t reserved;
    uint32_t leaving; /* the frame that victim() has named */
    List ghosts;
    uint32_t ghost_limit;
    bool recalled; /* the incoming page was a ghost */
} Queued;

static inline void queued_create(Queued *queued, uint32_t ghost_limit) {
    queued->leaving = POLICY_NO_FRAME;
    queued->ghosts = LIST_EMPTY;
    queued->ghost_limit = ghost_limit;
}

static VMM_UNUSED void queued_destroy(Policy *policy) {
    Queued *queued = (Queued *)policy;
    memory_free(policy->memory, queued->frames, queued->reserved, sizeof *queued->frames);
    memory_free(policy->memory, queued->used, queued->reserved, 1);
}

static VMM_UNUSED bool queued_reserve(Policy *policy, uint32_t frames) {
    Queued *queued = (Queued *)policy;
    QueuedFrame *grown = memory_grow(policy->memory, queued->frames, queued->reserved, frames,
                                     sizeof *queued->frames);
    if (grown == NULL) {
        return false;
    }
    queued->frames = grown;
    uint8_t *used = memory_grow(policy->memory, queued->used, queued->reserved, frames, 1);
    if (used == NULL) {
        return false;
    }
    queued->used = used;
    queued->reserved = frames;
    return true;
}

/* A share of the pool, rounded down. */
static inline uint32_t queued_share(const Policy *policy, uint64_t percent) {
    return (uint32_t)(policy->capacity * percent / 100);
}

static inline ListLinks queued_links(const Queued *queued) {
    return LIST_LINKS(queued->frames);
}

static inline ListLinks queued_ghost_links(const Queued *queued) {
    return LIST_LINKS((ListLink *)queued->base.page_state);
}

/* The hook miss of policies with ghosts: one that comes back is a ghost no more. */
static inline void queued_miss(Policy *policy, uint32_t page) {
    Queued *queued = (Queued *)policy;
    queued->recalled = ghost_recall(&queued->ghosts, queued_ghost_links(queued), page);
}

static inline void queued_forget(Policy *policy, uint32_t page) {
    Queued *queued = (Queued *)policy;
    ghost_recall(&queued->ghosts, queued_ghost_links(queued), page);
}

/* Puts a frame that is in no queue at the young end of one. */
static inline void queued_append(Queued *queued, List *queue, uint32_t number, uint32_t frame) {
    queued->frames[frame].queue = number;
    list_append(queue, queued_links(queued), frame);
}

/* In remove(): whether the page in `frame` is evicted. Then it may be remembered. */
static inline bool queued_is_evicted(Queued *queued, uint32_t frame) {
    bool evicted = queued->leaving == frame;
    queued->leaving = evicted ? POLICY_NO_FRAME : queued->leaving;
    return evicted;
}

static inline void queued_remember(Queued *queued, uint32_t frame) {
    ghost_remember(&queued->ghosts, queued_ghost_links(queued), queued->base.page_of[frame],
                   queued->ghost_limit);
}

/* A bit of `frame`, of those that hits set, is taken back. */
static inline void queued_clear(Policy *policy, uint32_t frame) {
    if (policy->bit_cleared != NULL) {
        policy->bit_cleared(policy->host, frame);
    }
}

/* A hit of a counter with a limit, and many of them. */
static inline void queued_count(Queued *queued, uint32_t frame, uint32_t hits, uint8_t limit) {
    uint32_t room = (uint32_t)limit - queued->used[frame];
    queued->used[frame] = (uint8_t)(queued->used[frame] + (hits < room ? hits : room));
}

/* The queue is a list of frames that know that they are in it; ghosts are not too many. */
static VMM_UNUSED bool queued_is_valid(const Queued *queued, const List *queue, uint32_t number) {
    if (!list_is_valid(queue, queued_links(queued)) || queued->ghosts.count > queued->ghost_limit ||
        (queued->ghost_limit != 0 && !list_is_valid(&queued->ghosts, queued_ghost_links(queued)))) {
        return false;
    }
    for (uint32_t f = queue->oldest; f != LIST_NONE; f = list_younger(queued_links(queued), f)) {
        if (queued->frames[f].queue != number) {
            return false;
        }
    }
    return true;
}

#endif
