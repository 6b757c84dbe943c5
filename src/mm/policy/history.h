/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two histories of pages that left, B1 and B2, for policies that learn from what they regret: ARC,
 * CAR, CART, LeCaR. A page is in one of them at most.
 *
 *     page_state[page] = {links, list}         list: HISTORY_NONE, HISTORY_B1 or HISTORY_B2
 *     History           = two List ends        oldest page first (lists.h)
 */
#ifndef VMM_MM_POLICY_HISTORY_H
#define VMM_MM_POLICY_HISTORY_H

#include "lists.h"
#include "policy.h"

enum { HISTORY_NONE, HISTORY_B1, HISTORY_B2 };

typedef struct HistoryPage {
    ListLink link;
    uint32_t list;
} HistoryPage;

typedef struct History {
    List lists[3]; /* by number; that of HISTORY_NONE is not used */
} History;

static inline void history_create(History *history) {
    history->lists[HISTORY_B1] = LIST_EMPTY;
    history->lists[HISTORY_B2] = LIST_EMPTY;
}

static inline HistoryPage *history_pages(const Policy *policy) {
    return policy->page_state;
}

static inline uint32_t history_count(const History *history, uint32_t list) {
    return history->lists[list].count;
}

/* The list that a page is in. */
static inline uint32_t history_of(const Policy *policy, uint32_t page) {
    return history_pages(policy)[page].list;
}

/* Remembers a page that is in no list as the youngest of one. */
static inline void history_add(const Policy *policy, History *history, uint32_t list,
                               uint32_t page) {
    HistoryPage *pages = history_pages(policy);
    pages[page].list = list;
    list_append(&history->lists[list], LIST_LINKS(pages), page);
}

/* Takes a page off its list, if it is in one. Returns the list. */
static inline uint32_t history_recall(const Policy *policy, History *history, uint32_t page) {
    HistoryPage *pages = history_pages(policy);
    uint32_t list = pages[page].list;
    if (list != HISTORY_NONE) {
        list_remove(&history->lists[list], LIST_LINKS(pages), page);
        pages[page].list = HISTORY_NONE;
    }
    return list;
}

/* Forgets the oldest page of a list that has one. */
static inline void history_drop(const Policy *policy, History *history, uint32_t list) {
    history_recall(policy, history, history->lists[list].oldest);
}

/* How much a target moves when a page of a list of `own` pages comes back: CAR and ARC alike. */
static inline double history_step(uint32_t own, uint32_t other) {
    return other > own ? (double)other / (double)own : 1.0;
}

/* The pages of both lists know where they are. */
static VMM_UNUSED bool history_is_valid(const Policy *policy, const History *history) {
    HistoryPage *pages = history_pages(policy);
    ListLinks links = LIST_LINKS(pages);
    for (uint32_t list = HISTORY_B1; list <= HISTORY_B2; list++) {
        if (!list_is_valid(&history->lists[list], links)) {
            return false;
        }
        uint32_t page = history->lists[list].oldest;
        for (; page != LIST_NONE; page = list_younger(links, page)) {
            if (pages[page].list != list) {
                return false;
            }
        }
    }
    return true;
}

#endif
