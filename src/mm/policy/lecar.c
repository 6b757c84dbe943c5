/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeCaR: two experts, LRU and LFU, and regret teaches which of them to follow.
 *
 *       w_LRU : w_LFU                 history of LRU: pages that it made leave, oldest first
 *     draw one, follow it   <--       history of LFU
 *                                     a page missed after t references, found in a history:
 *                                     the other expert's weight is multiplied by e^(0.45 d^t)
 *
 * The expert to follow is drawn by the weights, which begin equal and always sum to 1; the page
 * that it gives up goes to its history. Regret fades: d = 0.005^(1/frames). LFU counts the uses
 * since the page was loaded, and of equals takes the one used longest ago. Each history has
 * `history` per cent of memory, at least one page.
 *
 * Constant time for a hit, logarithmic for a victim (rising.h).
 *
 * Source: Vietri, Rodriguez, Martinez, Lyons, Liu, Rangaswami, Zhao and Narasimhan, "Driving cache
 * replacement with ML-based LeCaR", HotStorage 2018.
 */
#include "../../base/rng.h"
#include "../recency.h"
#include "exponential.h"
#include "lists.h"
#include "rising.h"

enum { LECAR_LRU, LECAR_LFU, LECAR_EXPERTS };

static const double LECAR_RATE = 0.45;
static const double LECAR_LOG_DISCOUNT = -5.298317366548036; /* ln 0.005 */

typedef struct LecarPage {
    ListLink link;
    uint32_t history; /* expert + 1; 0: in none */
    uint64_t left;    /* the clock when it left */
} LecarPage;

typedef struct Lecar {
    Policy base;
    Recency order;
    Rising uses;
    List histories[LECAR_EXPERTS];
    uint32_t history_limit;
    double weight; /* of LRU; that of LFU is what is missing to 1 */
    Rng rng;
    uint32_t leaving; /* the frame that victim() has named, on the word of */
    unsigned expert;
} Lecar;

static int lecar_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Lecar *lecar = (Lecar *)policy;
    uint64_t limit = policy->capacity * params[0] / 100;
    lecar->history_limit = limit == 0 ? 1 : limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
    lecar->histories[LECAR_LRU] = LIST_EMPTY;
    lecar->histories[LECAR_LFU] = LIST_EMPTY;
    lecar->weight = 0.5;
    lecar->rng = rng_seed(policy->seed, "policy.random");
    lecar->leaving = POLICY_NO_FRAME;
    return VMM_OK;
}

static void lecar_destroy(Policy *policy) {
    recency_free(&((Lecar *)policy)->order, policy->memory);
    rising_free(&((Lecar *)policy)->uses, policy->memory);
}

static bool lecar_reserve(Policy *policy, uint32_t frames) {
    return recency_reserve(&((Lecar *)policy)->order, policy->memory, frames) &&
           rising_reserve(&((Lecar *)policy)->uses, policy->memory, frames);
}

/* Takes a page off its history, if it is in one. */
static void lecar_forget(Policy *policy, uint32_t page) {
    Lecar *lecar = (Lecar *)policy;
    LecarPage *pages = policy->page_state;
    if (pages[page].history != 0) {
        list_remove(&lecar->histories[pages[page].history - 1], LIST_LINKS(pages), page);
        pages[page].history = 0;
    }
}

static void lecar_miss(Policy *policy, uint32_t page) {
    Lecar *lecar = (Lecar *)policy;
    const LecarPage *state = (const LecarPage *)policy->page_state + page;
    if (state->history == 0) {
        return;
    }
    double time = (double)(policy->clock - state->left) / policy->capacity;
    double regret = exponential(LECAR_LOG_DISCOUNT * time);
    double factor = exponential(LECAR_RATE * regret);
    double lru = lecar->weight * (state->history == LECAR_LFU + 1 ? factor : 1);
    double lfu = (1 - lecar->weight) * (state->history == LECAR_LRU + 1 ? factor : 1);
    lecar->weight = lru / (lru + lfu);
    lecar_forget(policy, page);
}

static uint32_t lecar_victim(Policy *policy) {
    Lecar *lecar = (Lecar *)policy;
    double drawn = (double)(rng_next(&lecar->rng) >> 11) * 0x1p-53;
    lecar->expert = drawn < lecar->weight ? LECAR_LRU : LECAR_LFU;
    lecar->leaving =
        lecar->expert == LECAR_LRU ? recency_oldest(&lecar->order) : rising_least(&lecar->uses);
    return lecar->leaving;
}

static void lecar_insert(Policy *policy, uint32_t frame) {
    Lecar *lecar = (Lecar *)policy;
    recency_touch(&lecar->order, frame);
    rising_insert(&lecar->uses, frame, 1);
}

static inline void lecar_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    Lecar *lecar = (Lecar *)policy;
    recency_touch(&lecar->order, frame);
    rising_use(&lecar->uses, frame, count);
}

static inline void lecar_touch(Policy *policy, uint32_t frame) {
    lecar_touch_many(policy, frame, 1);
}

static void lecar_remove(Policy *policy, uint32_t frame) {
    Lecar *lecar = (Lecar *)policy;
    recency_remove(&lecar->order, frame);
    rising_remove(&lecar->uses, frame);
    if (frame != lecar->leaving) {
        return;
    }
    lecar->leaving = POLICY_NO_FRAME;
    LecarPage *pages = policy->page_state;
    List *history = &lecar->histories[lecar->expert];
    if (history->count >= lecar->history_limit) {
        lecar_forget(policy, history->oldest);
    }
    uint32_t page = policy->page_of[frame];
    pages[page].history = lecar->expert + 1;
    pages[page].left = policy->clock;
    list_append(history, LIST_LINKS(pages), page);
}

static void lecar_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Lecar *lecar = (const Lecar *)policy;
    snprintf(text, size, "drawn: %s; weights LRU %.3f, LFU %.3f; used %u times",
             lecar->expert == LECAR_LRU ? "LRU" : "LFU", lecar->weight, 1 - lecar->weight,
             lecar->uses.frames[victim].key.count);
}

static bool lecar_is_valid(const Policy *policy) {
    const Lecar *lecar = (const Lecar *)policy;
    ListLinks links = LIST_LINKS((LecarPage *)policy->page_state);
    return lecar->weight >= 0 && lecar->weight <= 1 && rising_is_valid(&lecar->uses) &&
           list_is_valid(&lecar->histories[LECAR_LRU], links) &&
           list_is_valid(&lecar->histories[LECAR_LFU], links) &&
           lecar->histories[LECAR_LRU].count <= lecar->history_limit &&
           lecar->histories[LECAR_LFU].count <= lecar->history_limit;
}

static const PolicyType lecar_policy = {
    .info.name = "lecar",
    .info.label = "LeCaR",
    .info.summary = "LRU or LFU, as regret has taught",
    .info.source = "Vietri, Rodriguez, Martinez, Lyons and others, HotStorage 2018",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .uses_clock = true,
    .state_size = sizeof(Lecar),
    .page_state_size = sizeof(LecarPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"history", 100, 0, 1000, "pages in each history, in per cent of memory", NULL},
            {.name = NULL},
        },
    .create = lecar_create,
    .destroy = lecar_destroy,
    .reserve = lecar_reserve,
    .miss = lecar_miss,
    .insert = lecar_insert,
    .touch = lecar_touch,
    .touch_many = lecar_touch_many,
    .victim = lecar_victim,
    .remove = lecar_remove,
    .forget = lecar_forget,
    .why = lecar_why,
    .is_valid = lecar_is_valid,
};
