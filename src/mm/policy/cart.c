/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CART, CAR with temporal filtering: references close together count as one, so that bursts do not
 * make a page look long-lived.
 *
 *      R = 1: round again                          S  a page that may have had one burst of uses
 *        +---+                                     L  one that has come back after a while
 *     -> | T1: S and L |  -- head L, R = 0 -->  | T2: L only |
 *        +-------------+  <-- head R = 1 -----  +------------+
 *        head S, R = 0: evicted, to B1            head R = 0: evicted, to B2
 *
 * All pages enter at the tail of T1 with R = 0: new ones as S, those from B1 as L. A page that goes
 * round T1 becomes L if T1 is large, |T1| >= min(p + 1, |B1|). The victim comes from T1 while it
 * has at least max(1, p) pages, else from T2. p grows by max(1, nS / |B1|) when a page comes back
 * from B1 and shrinks by max(1, nL / |B2|) when one comes back from B2; nS and nL count the S and L
 * pages in memory. The histories have at most c pages together; q is the size that B1 aims at. Each
 * page that a hand passes was referenced, or changes from T1 to T2 for good until it is referenced:
 * amortised constant work.
 *
 * p and q are real numbers, as in the paper; steps as in its figure 3. Source: Bansal and Modha,
 * "CAR: Clock with adaptive replacement", FAST 2004, section V.
 */
#include "history.h"
#include "queued.h"

enum { CART_T1, CART_T2, CART_CLOCKS, CART_LONG = 2 }; /* CART_LONG: a bit, the page is an L page */

typedef struct Cart {
    Queued queued; /* used: the R bit; queue: the clock and CART_LONG */
    List clocks[CART_CLOCKS];
    History history;
    double target;         /* p */
    double history_target; /* q */
    uint32_t shorts;       /* S pages; the others are L pages */
    uint32_t returned;     /* the history that the incoming page is in */
} Cart;

static int cart_create(Policy *policy, const uint64_t *params, char *error) {
    (void)params;
    (void)error;
    Cart *cart = (Cart *)policy;
    queued_create(&cart->queued, 0);
    cart->clocks[CART_T1] = LIST_EMPTY;
    cart->clocks[CART_T2] = LIST_EMPTY;
    history_create(&cart->history);
    return VMM_OK;
}

static inline unsigned cart_clock(const Cart *cart, uint32_t frame) {
    return cart->queued.frames[frame].queue & 1u;
}

static inline bool cart_is_long(const Cart *cart, uint32_t frame) {
    return (cart->queued.frames[frame].queue & CART_LONG) != 0;
}

/* From one clock, or none of them, to the tail of another. */
static void cart_append(Cart *cart, unsigned clock, uint32_t frame, bool is_long) {
    cart->queued.used[frame] = 0;
    queued_append(&cart->queued, &cart->clocks[clock], clock | (is_long ? CART_LONG : 0), frame);
}

static void cart_move(Cart *cart, uint32_t frame, unsigned to) {
    if (cart->queued.used[frame] != 0) {
        queued_clear(&cart->queued.base, frame);
    }
    bool is_long = cart_is_long(cart, frame);
    list_remove(&cart->clocks[cart_clock(cart, frame)], queued_links(&cart->queued), frame);
    cart_append(cart, to, frame, is_long);
}

static uint32_t cart_size(const Cart *cart, unsigned clock) {
    return cart->clocks[clock].count;
}

/* B1 may be larger when L pages, remembered ones included, fill the memory. */
static void cart_raise_history_target(Cart *cart) {
    uint32_t capacity = cart->queued.base.capacity;
    uint64_t longs = (uint64_t)cart_size(cart, CART_T2) + cart_size(cart, CART_T1) +
                     history_count(&cart->history, HISTORY_B2) - cart->shorts;
    if (longs >= capacity) {
        double most = 2.0 * capacity - cart_size(cart, CART_T1);
        double raised = cart->history_target + 1;
        cart->history_target = raised < most ? raised : most;
    }
}

static void cart_lower_history_target(Cart *cart) {
    double least = (double)cart->queued.base.capacity - cart_size(cart, CART_T1);
    double lowered = cart->history_target - 1;
    cart->history_target = lowered > least ? lowered : least;
}

/* Referenced pages at the head of T2 go back to T1. */
static void cart_turn_second(Cart *cart) {
    while (cart_size(cart, CART_T2) > 0 && cart->queued.used[cart->clocks[CART_T2].oldest] != 0) {
        cart_move(cart, cart->clocks[CART_T2].oldest, CART_T1);
        cart_raise_history_target(cart);
    }
}

/* Until the head of T1 is an S page with R = 0. */
static void cart_turn_first(Cart *cart) {
    while (cart_size(cart, CART_T1) > 0) {
        uint32_t frame = cart->clocks[CART_T1].oldest;
        if (cart->queued.used[frame] != 0) {
            cart_move(cart, frame, CART_T1);
            double wanted = cart->target + 1;
            uint32_t recent = history_count(&cart->history, HISTORY_B1);
            double enough = wanted < recent ? wanted : recent;
            if (!cart_is_long(cart, frame) && cart_size(cart, CART_T1) >= enough) {
                cart->queued.frames[frame].queue |= CART_LONG;
                cart->shorts--;
            }
        } else if (cart_is_long(cart, frame)) {
            cart_move(cart, frame, CART_T2);
            cart_lower_history_target(cart);
        } else {
            return;
        }
    }
}

static void cart_miss(Policy *policy, uint32_t page) {
    ((Cart *)policy)->returned = history_of(policy, page);
}

static uint32_t cart_victim(Policy *policy) {
    Cart *cart = (Cart *)policy;
    cart_turn_second(cart);
    cart_turn_first(cart);
    double wanted = cart->target > 1 ? cart->target : 1;
    unsigned clock = cart_size(cart, CART_T1) >= wanted ? CART_T1 : CART_T2;
    cart->queued.leaving = cart->clocks[clock].oldest;
    return cart->queued.leaving;
}

/* A page that nobody remembers comes in: the histories stay within memory's size. */
static void cart_trim(Cart *cart) {
    uint32_t recent = history_count(&cart->history, HISTORY_B1);
    uint32_t frequent = history_count(&cart->history, HISTORY_B2);
    if (recent + (uint64_t)frequent > cart->queued.base.capacity) {
        bool from_recent = recent > 0 && (recent > cart->history_target || frequent == 0);
        history_drop(&cart->queued.base, &cart->history, from_recent ? HISTORY_B1 : HISTORY_B2);
    }
}

/* A page comes back from a history, which still counts it. */
static void cart_adapt(Cart *cart) {
    uint32_t capacity = cart->queued.base.capacity;
    uint32_t longs = cart_size(cart, CART_T1) + cart_size(cart, CART_T2) - cart->shorts;
    if (cart->returned == HISTORY_B1) {
        uint32_t recent = history_count(&cart->history, HISTORY_B1);
        double target = cart->target + history_step(recent, cart->shorts);
        cart->target = target < capacity ? target : capacity;
    } else {
        uint32_t frequent = history_count(&cart->history, HISTORY_B2);
        double target = cart->target - history_step(frequent, longs);
        cart->target = target > 0 ? target : 0;
    }
}

static void cart_insert(Policy *policy, uint32_t frame) {
    Cart *cart = (Cart *)policy;
    if (cart->returned == HISTORY_NONE) {
        cart_trim(cart);
        cart->shorts++;
        cart_append(cart, CART_T1, frame, false);
        return;
    }
    cart_adapt(cart);
    history_recall(policy, &cart->history, policy->incoming);
    cart_append(cart, CART_T1, frame, true);
    if (cart->returned == HISTORY_B2) {
        cart_raise_history_target(cart);
    }
}

static inline void cart_touch(Policy *policy, uint32_t frame) {
    ((Cart *)policy)->queued.used[frame] = 1;
}

static void cart_remove(Policy *policy, uint32_t frame) {
    Cart *cart = (Cart *)policy;
    unsigned clock = cart_clock(cart, frame);
    cart->shorts -= !cart_is_long(cart, frame);
    list_remove(&cart->clocks[clock], queued_links(&cart->queued), frame);
    if (queued_is_evicted(&cart->queued, frame)) {
        history_add(policy, &cart->history, clock == CART_T1 ? HISTORY_B1 : HISTORY_B2,
                    policy->page_of[frame]);
    }
}

static void cart_forget(Policy *policy, uint32_t page) {
    history_recall(policy, &((Cart *)policy)->history, page);
}

static void cart_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Cart *cart = (const Cart *)policy;
    snprintf(text, size, "head of T%u with R = 0: |T1|=%u, wants p=%.2f; |T2|=%u; %u short",
             cart_clock(cart, victim) + 1, cart_size(cart, CART_T1), cart->target,
             cart_size(cart, CART_T2), cart->shorts);
}

/* Pages of T2 are L pages; the histories are bounded. */
static bool cart_is_valid(const Policy *policy) {
    const Cart *cart = (const Cart *)policy;
    ListLinks links = queued_links(&cart->queued);
    uint32_t shorts = 0;
    for (unsigned clock = CART_T1; clock < CART_CLOCKS; clock++) {
        for (uint32_t f = cart->clocks[clock].oldest; f != LIST_NONE; f = list_younger(links, f)) {
            bool is_short = !cart_is_long(cart, f);
            shorts += is_short;
            if (cart_clock(cart, f) != clock || (is_short && clock == CART_T2)) {
                return false;
            }
        }
        if (!list_is_valid(&cart->clocks[clock], links)) {
            return false;
        }
    }
    uint64_t remembered = (uint64_t)history_count(&cart->history, HISTORY_B1) +
                          history_count(&cart->history, HISTORY_B2);
    return shorts == cart->shorts && remembered <= policy->capacity && cart->target >= 0 &&
           cart->target <= policy->capacity && history_is_valid(policy, &cart->history);
}

static const PolicyType cart_policy = {
    .info.name = "cart",
    .info.label = "CART",
    .info.summary = "CAR with a filter: references close together count as one",
    .info.source = "Bansal, Modha, FAST 2004",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(Cart),
    .page_state_size = sizeof(HistoryPage),
    .create = cart_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .miss = cart_miss,
    .insert = cart_insert,
    .touch = cart_touch,
    .victim = cart_victim,
    .remove = cart_remove,
    .forget = cart_forget,
    .why = cart_why,
    .is_valid = cart_is_valid,
};
