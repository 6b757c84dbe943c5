/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARC, adaptive replacement: recency and frequency share memory, and the history of what left
 * decides how.
 *
 *     evicted <- B1 <--- T1 <--- new pages          T1: seen once lately       |T1| wants to be p
 *                        |  hit
 *                        v
 *     evicted <- B2 <--- T2 <--- hits, and          T2: seen twice or more
 *                                returns from B1, B2
 *
 * T1 and T2 hold pages, in LRU order; B1 and B2 remember which pages left them. A page that comes
 * back from B1 says that T1 was too small: p, the size aimed at, grows; from B2: p shrinks. The
 * step is 1 or the ratio of the histories, whichever is larger. T1 gives up its oldest page while
 * it is larger than p (a return from B2 decides a draw against it), else T2. T1 and B1 have at most
 * c pages, all four lists at most 2c, c being the frames: a cold miss drops the oldest page of B1,
 * or of B2, first.
 *
 * p is a real number, as in the paper's text. T1 and T2 are logs of touches (recency.h): a hit
 * relinks nothing. When discarded pages have left room, misses still keep the histories within
 * bounds, and evict nothing.
 *
 * Source: Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003.
 */
#include "../recency.h"
#include "history.h"

typedef struct Arc {
    Policy base;
    Recency once;  /* T1, by frame */
    Recency often; /* T2, by frame */
    uint32_t once_count, often_count;
    History history;
    double target;     /* p */
    uint32_t returned; /* the list that the incoming page was in */
    uint32_t leaving;  /* the frame that victim() has named, */
    uint32_t goes_to;  /* and the list that its page goes to */
} Arc;

static int arc_create(Policy *policy, const uint64_t *params, char *error) {
    (void)params;
    (void)error;
    history_create(&((Arc *)policy)->history);
    ((Arc *)policy)->leaving = POLICY_NO_FRAME;
    return VMM_OK;
}

static void arc_destroy(Policy *policy) {
    recency_free(&((Arc *)policy)->once, policy->memory);
    recency_free(&((Arc *)policy)->often, policy->memory);
}

static bool arc_reserve(Policy *policy, uint32_t frames) {
    return recency_reserve(&((Arc *)policy)->once, policy->memory, frames) &&
           recency_reserve(&((Arc *)policy)->often, policy->memory, frames);
}

/* A page that nobody remembers will come in: the histories stay within bounds. */
static void arc_trim(Arc *arc) {
    uint32_t capacity = arc->base.capacity;
    uint64_t first = (uint64_t)arc->once_count + history_count(&arc->history, HISTORY_B1);
    uint64_t second = (uint64_t)arc->often_count + history_count(&arc->history, HISTORY_B2);
    if (first >= capacity) {
        if (history_count(&arc->history, HISTORY_B1) > 0) {
            history_drop(&arc->base, &arc->history, HISTORY_B1);
        }
    } else if (first + second >= 2 * (uint64_t)capacity) {
        history_drop(&arc->base, &arc->history, HISTORY_B2);
    }
}

static void arc_miss(Policy *policy, uint32_t page) {
    Arc *arc = (Arc *)policy;
    uint32_t recent = history_count(&arc->history, HISTORY_B1);
    uint32_t frequent = history_count(&arc->history, HISTORY_B2);
    arc->returned = history_recall(policy, &arc->history, page);
    if (arc->returned == HISTORY_B1) {
        double target = arc->target + history_step(recent, frequent);
        arc->target = target < policy->capacity ? target : policy->capacity;
    } else if (arc->returned == HISTORY_B2) {
        double target = arc->target - history_step(frequent, recent);
        arc->target = target > 0 ? target : 0;
    } else {
        arc_trim(arc);
    }
}

/* Whether REPLACE takes a page of T1. */
static bool arc_takes_once(const Arc *arc) {
    uint32_t once = arc->once_count;
    bool draw = arc->returned == HISTORY_B2 && once == arc->target;
    return once > 0 && (arc->often_count == 0 || once > arc->target || draw);
}

/* A cold miss with T1 as large as memory leaves no room in B1 for the page that goes. */
static uint32_t arc_victim(Policy *policy) {
    Arc *arc = (Arc *)policy;
    bool once = arc_takes_once(arc);
    bool no_room = arc->returned == HISTORY_NONE && arc->once_count == policy->capacity;
    arc->leaving = recency_oldest(once ? &arc->once : &arc->often);
    arc->goes_to = no_room ? HISTORY_NONE : once ? HISTORY_B1 : HISTORY_B2;
    return arc->leaving;
}

static inline void arc_insert(Policy *policy, uint32_t frame) {
    Arc *arc = (Arc *)policy;
    if (arc->returned == HISTORY_NONE) {
        arc->once_count++;
        recency_touch(&arc->once, frame);
    } else {
        arc->often_count++;
        recency_touch(&arc->often, frame);
    }
}

static inline void arc_touch(Policy *policy, uint32_t frame) {
    Arc *arc = (Arc *)policy;
    if (VMM_UNLIKELY(recency_contains(&arc->once, frame))) {
        recency_remove(&arc->once, frame);
        arc->once_count--;
        arc->often_count++;
    }
    recency_touch(&arc->often, frame);
}

static inline void arc_remove(Policy *policy, uint32_t frame) {
    Arc *arc = (Arc *)policy;
    if (recency_contains(&arc->once, frame)) {
        recency_remove(&arc->once, frame);
        arc->once_count--;
    } else {
        recency_remove(&arc->often, frame);
        arc->often_count--;
    }
    if (frame == arc->leaving && arc->goes_to != HISTORY_NONE) {
        history_add(policy, &arc->history, arc->goes_to, policy->page_of[frame]);
    }
    arc->leaving = POLICY_NO_FRAME;
}

static void arc_forget(Policy *policy, uint32_t page) {
    history_recall(policy, &((Arc *)policy)->history, page);
}

static void arc_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Arc *arc = (const Arc *)policy;
    bool once = recency_contains(&arc->once, victim);
    snprintf(text, size, "oldest of %s: |T1|=%u, wants p=%.2f; |T2|=%u", once ? "T1" : "T2",
             arc->once_count, arc->target, arc->often_count);
}

/* The list that REPLACE takes from, then the other. */
static uint32_t arc_order(Policy *policy, uint32_t *frames) {
    const Arc *arc = (const Arc *)policy;
    bool once = arc_takes_once(arc);
    uint32_t count = recency_list(once ? &arc->once : &arc->often, frames);
    return count + recency_list(once ? &arc->often : &arc->once, frames + count);
}

static bool arc_is_valid(const Policy *policy) {
    const Arc *arc = (const Arc *)policy;
    uint64_t first = (uint64_t)arc->once_count + history_count(&arc->history, HISTORY_B1);
    uint64_t second = (uint64_t)arc->often_count + history_count(&arc->history, HISTORY_B2);
    uint32_t once = 0;
    uint32_t often = 0;
    for (uint32_t frame = 0; frame < arc->once.items; frame++) {
        once += recency_contains(&arc->once, frame);
        often += recency_contains(&arc->often, frame);
        if (recency_contains(&arc->once, frame) && recency_contains(&arc->often, frame)) {
            return false;
        }
    }
    return once == arc->once_count && often == arc->often_count && first <= policy->capacity &&
           first + second <= 2 * (uint64_t)policy->capacity && arc->target >= 0 &&
           arc->target <= policy->capacity && history_is_valid(policy, &arc->history);
}

static const PolicyType arc_policy = {
    .info.name = "arc",
    .info.label = "ARC",
    .info.summary = "recency and frequency share memory as their histories advise",
    .info.source = "Megiddo, Modha, FAST 2003",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .touch_last = true,
    .state_size = sizeof(Arc),
    .page_state_size = sizeof(HistoryPage),
    .create = arc_create,
    .destroy = arc_destroy,
    .reserve = arc_reserve,
    .miss = arc_miss,
    .insert = arc_insert,
    .touch = arc_touch,
    .victim = arc_victim,
    .remove = arc_remove,
    .forget = arc_forget,
    .why = arc_why,
    .order = arc_order,
    .is_valid = arc_is_valid,
};
