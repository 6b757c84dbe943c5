/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CAR, Clock with adaptive replacement: ARC for hardware that only sets accessed bits.
 *
 *               R = 1: to the tail of T2               R = 1: round again
 *                 +-----------------+                  +---+
 *      hand T1 -> | T1: new pages   |       hand T2 -> | T2: used again, or back from B1, B2 |
 *                 +-----------------+                  +---+
 *               R = 0: evicted, to B1                  R = 0: evicted, to B2
 *
 * T1 and T2 are clocks, drawn here as queues whose oldest page is under the hand; a hit only sets
 * R. Pages enter with R = 0. The hand of T1 turns while T1 has at least max(1, p) pages, else that
 * of T2. p, the histories and their bounds are those of ARC (arc.c): |T1| + |B1| <= c, all four
 * <= 2c. A page passed leaves T1, or was paid for by the reference that set its bit: amortised
 * constant work.
 *
 * variant=libcachesim gives that program's misses: it adapts p at the lookup, before the eviction,
 * divides the histories as whole numbers, drops the oldest page of B1 after each eviction that
 * leaves |T1| + |B1| >= c, and never drops one of B2.
 *
 * Source: Bansal and Modha, "CAR: Clock with adaptive replacement", FAST 2004.
 */
#include "history.h"
#include "queued.h"

enum { CAR_T1, CAR_T2 };

typedef struct Car {
    Queued queued; /* used: the R bit */
    List clocks[2];
    History history;
    double target;     /* p */
    uint32_t returned; /* the history that the incoming page is in, or was */
    bool as_peer;
} Car;

static int car_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Car *car = (Car *)policy;
    queued_create(&car->queued, 0);
    car->clocks[CAR_T1] = LIST_EMPTY;
    car->clocks[CAR_T2] = LIST_EMPTY;
    history_create(&car->history);
    car->as_peer = params[0] != 0;
    return VMM_OK;
}

static double car_step(const Car *car, uint32_t own, uint32_t other) {
    if (car->as_peer && other > own) {
        uint32_t whole = other / own;
        return whole;
    }
    return history_step(own, other);
}

/* The incoming page is taken out of its history, whose size says how far p moves. */
static void car_adapt(Policy *policy) {
    Car *car = (Car *)policy;
    uint32_t recent = history_count(&car->history, HISTORY_B1);
    uint32_t frequent = history_count(&car->history, HISTORY_B2);
    if (car->returned == HISTORY_B1) {
        double target = car->target + car_step(car, recent, frequent);
        car->target = target < policy->capacity ? target : policy->capacity;
    } else if (car->returned == HISTORY_B2) {
        double target = car->target - car_step(car, frequent, recent);
        car->target = target > 0 ? target : 0;
    }
    history_recall(policy, &car->history, policy->incoming);
}

static void car_miss(Policy *policy, uint32_t page) {
    Car *car = (Car *)policy;
    car->returned = history_of(policy, page);
    if (car->as_peer) {
        car_adapt(policy);
    }
}

static bool car_takes_first(const Car *car) {
    double wanted = car->target > 1 ? car->target : 1;
    return car->clocks[CAR_T1].count >= wanted;
}

/* The page under a hand was referenced: it goes to the tail of T2. */
static void car_pass(Policy *policy, unsigned clock, uint32_t frame) {
    Car *car = (Car *)policy;
    car->queued.used[frame] = 0;
    queued_clear(policy, frame);
    list_remove(&car->clocks[clock], queued_links(&car->queued), frame);
    queued_append(&car->queued, &car->clocks[CAR_T2], CAR_T2, frame);
}

static uint32_t car_victim(Policy *policy) {
    Car *car = (Car *)policy;
    unsigned clock = car_takes_first(car) ? CAR_T1 : CAR_T2;
    uint32_t frame = car->clocks[clock].oldest;
    while (car->queued.used[frame] != 0) {
        car_pass(policy, clock, frame);
        clock = car_takes_first(car) ? CAR_T1 : CAR_T2;
        frame = car->clocks[clock].oldest;
    }
    car->queued.leaving = frame;
    return frame;
}

/* A page that nobody remembers comes in: the histories stay within bounds. */
static void car_trim(Car *car) {
    uint32_t capacity = car->queued.base.capacity;
    uint64_t first = (uint64_t)car->clocks[CAR_T1].count + history_count(&car->history, HISTORY_B1);
    uint64_t second =
        (uint64_t)car->clocks[CAR_T2].count + history_count(&car->history, HISTORY_B2);
    if (first >= capacity) {
        history_drop(&car->queued.base, &car->history, HISTORY_B1);
    } else if (first + second >= 2 * (uint64_t)capacity) {
        history_drop(&car->queued.base, &car->history, HISTORY_B2);
    }
}

static void car_insert(Policy *policy, uint32_t frame) {
    Car *car = (Car *)policy;
    if (!car->as_peer) {
        car_adapt(policy);
        if (car->returned == HISTORY_NONE) {
            car_trim(car);
        }
    }
    unsigned clock = car->returned == HISTORY_NONE ? CAR_T1 : CAR_T2;
    queued_append(&car->queued, &car->clocks[clock], clock, frame);
    car->queued.used[frame] = 0;
}

static inline void car_touch(Policy *policy, uint32_t frame) {
    ((Car *)policy)->queued.used[frame] = 1;
}

static void car_remove(Policy *policy, uint32_t frame) {
    Car *car = (Car *)policy;
    unsigned clock = car->queued.frames[frame].queue;
    list_remove(&car->clocks[clock], queued_links(&car->queued), frame);
    if (!queued_is_evicted(&car->queued, frame)) {
        return;
    }
    history_add(policy, &car->history, clock == CAR_T1 ? HISTORY_B1 : HISTORY_B2,
                policy->page_of[frame]);
    uint32_t recent = history_count(&car->history, HISTORY_B1);
    if (car->as_peer && recent > 0 &&
        car->clocks[CAR_T1].count + (uint64_t)recent >= policy->capacity) {
        history_drop(policy, &car->history, HISTORY_B1);
    }
}

static void car_forget(Policy *policy, uint32_t page) {
    history_recall(policy, &((Car *)policy)->history, page);
}

static void car_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Car *car = (const Car *)policy;
    snprintf(text, size, "first of T%u with R = 0: |T1|=%u, wants p=%.2f; |T2|=%u",
             car->queued.frames[victim].queue + 1, car->clocks[CAR_T1].count, car->target,
             car->clocks[CAR_T2].count);
}

static bool car_is_valid(const Policy *policy) {
    const Car *car = (const Car *)policy;
    uint64_t first = (uint64_t)car->clocks[CAR_T1].count + history_count(&car->history, HISTORY_B1);
    uint64_t second =
        (uint64_t)car->clocks[CAR_T2].count + history_count(&car->history, HISTORY_B2);
    bool bounded = first <= policy->capacity && first + second <= 2 * (uint64_t)policy->capacity;
    return (car->as_peer || bounded) && car->target >= 0 && car->target <= policy->capacity &&
           queued_is_valid(&car->queued, &car->clocks[CAR_T1], CAR_T1) &&
           queued_is_valid(&car->queued, &car->clocks[CAR_T2], CAR_T2) &&
           history_is_valid(policy, &car->history);
}

static const PolicyType car_policy = {
    .info.name = "car",
    .info.label = "CAR",
    .info.summary = "ARC on accessed bits: two clocks and their histories",
    .info.source = "Bansal, Modha, FAST 2004",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(Car),
    .page_state_size = sizeof(HistoryPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"variant", 0, 0, 1, "libcachesim: whole ratios, and B2 without bound",
             "paper|libcachesim"},
            {.name = NULL},
        },
    .create = car_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .miss = car_miss,
    .insert = car_insert,
    .touch = car_touch,
    .victim = car_victim,
    .remove = car_remove,
    .forget = car_forget,
    .why = car_why,
    .is_valid = car_is_valid,
};
