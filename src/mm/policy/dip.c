/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DIP, dynamic insertion: LRU in which new pages may enter at the old end, when that pays.
 *
 *      victim <--- oldest [ LRU stack ] youngest <--- hits; new pages by LRU
 *                    ^
 *                    '--- new pages by LIP; by BIP all but each `epsilon`-th
 *
 * In a loop larger than memory LRU misses always: each page leaves before its turn comes. LIP
 * inserts at the old end, so that a part of the loop stays; BIP lets each epsilon-th page in at the
 * young end, so that a new working set can take over. DIP follows whichever misses less: of one
 * page in `sample` it keeps two directories of what a memory smaller by that factor would hold, one
 * by LRU and one by BIP. A miss in the first adds 1 to a counter of 10 bits, one in the second
 * takes 1 away; from the middle on pages enter as by BIP. With insertion=bip or lip that is fixed.
 *
 * This is the paper's DIP-Global. Its other form lets sets of a processor's cache duel, but memory
 * is one set, where pages that enter at the old end would only make room for those that do not.
 *
 *     page_state[page] = links in both directories, number in the order of first misses
 *     observed[frame]  = 1 if its page is one of those in `sample`, drawn by its number
 *
 * Source: Qureshi, Jaleel, Patt, Steely and Emer, "Adaptive insertion policies for high performance
 * caching", ISCA 2007.
 */
#include "../../base/rng.h"
#include "lists.h"
#include "policy.h"

enum { DIP_DUEL, DIP_BIP, DIP_LIP };              /* insertion=dip|bip|lip */
enum { DIP_BY_LRU, DIP_BY_BIP, DIP_DIRECTORIES }; /* directories */
enum { DIP_MIDDLE = 512, DIP_MOST = 1023 };

typedef struct DipPage {
    ListLink link[DIP_DIRECTORIES];
    uint32_t number; /* from 1; 0: it was never missed */
} DipPage;

typedef struct Dip {
    Policy base;
    ListLink *links;   /* by frame */
    uint8_t *observed; /* by frame */
    List stack;
    List directories[DIP_DIRECTORIES];
    uint32_t entered[DIP_DIRECTORIES + 1]; /* pages that BIP let in: directories, memory */
    uint32_t directory_limit;
    uint32_t reserved;
    uint32_t numbered;
    uint32_t insertion;
    uint32_t epsilon;
    uint32_t sample;
    uint32_t selector; /* PSEL; DIP_MIDDLE and more: LRU misses more */
} Dip;

static int dip_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Dip *dip = (Dip *)policy;
    dip->insertion = (uint32_t)params[0];
    dip->epsilon = (uint32_t)params[1];
    dip->sample = (uint32_t)params[2];
    dip->directory_limit = policy->capacity / dip->sample;
    dip->directory_limit += dip->directory_limit == 0;
    dip->selector = DIP_MIDDLE - 1;
    dip->stack = LIST_EMPTY;
    dip->directories[DIP_BY_LRU] = LIST_EMPTY;
    dip->directories[DIP_BY_BIP] = LIST_EMPTY;
    return VMM_OK;
}

static void dip_destroy(Policy *policy) {
    Dip *dip = (Dip *)policy;
    memory_free(policy->memory, dip->links, dip->reserved, sizeof *dip->links);
    memory_free(policy->memory, dip->observed, dip->reserved, 1);
}

static bool dip_reserve(Policy *policy, uint32_t frames) {
    Dip *dip = (Dip *)policy;
    ListLink *links = memory_grow(policy->memory, dip->links, dip->reserved, frames, sizeof *links);
    if (links == NULL) {
        return false;
    }
    dip->links = links;
    uint8_t *observed = memory_grow(policy->memory, dip->observed, dip->reserved, frames, 1);
    if (observed == NULL) {
        return false;
    }
    dip->observed = observed;
    dip->reserved = frames;
    return true;
}

static inline DipPage *dip_page(const Dip *dip, uint32_t page) {
    return (DipPage *)dip->base.page_state + page;
}

/* The links of a directory: one of the two of each page. */
static inline ListLinks dip_links(const Dip *dip, unsigned directory) {
    return (ListLinks){&dip_page(dip, 0)->link[directory], sizeof(DipPage)};
}

/* Whether a page is one of those in `sample` that tell how others should enter. */
static inline bool dip_is_observed(const Dip *dip, uint32_t page) {
    return dip->insertion == DIP_DUEL && rng_mix(dip_page(dip, page)->number) % dip->sample == 0;
}

/* Puts an item into a stack as BIP does; `entered` counts those that it let in. */
static inline void dip_enter_by_bip(const Dip *dip, List *list, ListLinks links, uint32_t item,
                                    uint32_t *entered) {
    *entered = *entered + 1 == dip->epsilon ? 0 : *entered + 1;
    if (*entered == 0) {
        list_append(list, links, item);
    } else {
        list_prepend(list, links, item);
    }
}

/* An observed page is referenced. Returns by how much the selector moves: 1 for a miss. */
static uint32_t dip_refer(Dip *dip, unsigned directory, uint32_t page) {
    List *list = &dip->directories[directory];
    ListLinks links = dip_links(dip, directory);
    if (list_has(links, page)) {
        list_renew(list, links, page);
        return 0;
    }
    if (list->count >= dip->directory_limit) {
        list_take_oldest(list, links);
    }
    if (directory == DIP_BY_LRU) {
        list_append(list, links, page);
    } else {
        dip_enter_by_bip(dip, list, links, page, &dip->entered[directory]);
    }
    return 1;
}

static VMM_NOINLINE void dip_observe(Dip *dip, uint32_t page) {
    uint32_t up = dip_refer(dip, DIP_BY_LRU, page);
    uint32_t down = dip_refer(dip, DIP_BY_BIP, page);
    dip->selector += up > down && dip->selector < DIP_MOST;
    dip->selector -= down > up && dip->selector > 0;
}

static inline void dip_miss(Policy *policy, uint32_t page) {
    Dip *dip = (Dip *)policy;
    if (dip_page(dip, page)->number == 0) {
        dip_page(dip, page)->number = ++dip->numbered;
    }
    if (dip_is_observed(dip, page)) {
        dip_observe(dip, page);
    }
}

static inline void dip_insert(Policy *policy, uint32_t frame) {
    Dip *dip = (Dip *)policy;
    ListLinks links = LIST_LINKS(dip->links);
    dip->observed[frame] = dip_is_observed(dip, policy->page_of[frame]);
    if (dip->insertion == DIP_LIP) {
        list_prepend(&dip->stack, links, frame);
    } else if (dip->insertion == DIP_DUEL && dip->selector < DIP_MIDDLE) {
        list_append(&dip->stack, links, frame);
    } else {
        dip_enter_by_bip(dip, &dip->stack, links, frame, &dip->entered[DIP_DIRECTORIES]);
    }
}

static inline void dip_touch(Policy *policy, uint32_t frame) {
    Dip *dip = (Dip *)policy;
    list_renew(&dip->stack, LIST_LINKS(dip->links), frame);
    if (VMM_UNLIKELY(dip->observed[frame] != 0)) {
        dip_observe(dip, policy->page_of[frame]);
    }
}

/* The first may bring the page into a directory, the second to its young end. */
static inline void dip_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    dip_touch(policy, frame);
    if (count > 1) {
        dip_touch(policy, frame);
    }
}

static inline uint32_t dip_victim(Policy *policy) {
    return ((const Dip *)policy)->stack.oldest;
}

static inline void dip_remove(Policy *policy, uint32_t frame) {
    Dip *dip = (Dip *)policy;
    list_remove(&dip->stack, LIST_LINKS(dip->links), frame);
}

static inline void dip_forget(Policy *policy, uint32_t page) {
    Dip *dip = (Dip *)policy;
    for (unsigned i = 0; i < DIP_DIRECTORIES; i++) {
        ghost_recall(&dip->directories[i], dip_links(dip, i), page);
    }
    dip_page(dip, page)->number = 0;
}

static void dip_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Dip *dip = (const Dip *)policy;
    (void)victim;
    snprintf(text, size, "at the old end of the stack; %s",
             dip->insertion != DIP_DUEL    ? "most pages enter there"
             : dip->selector >= DIP_MIDDLE ? "most pages enter there now"
                                           : "pages enter at the young end now");
}

static uint32_t dip_order(Policy *policy, uint32_t *frames) {
    const Dip *dip = (const Dip *)policy;
    return list_write(&dip->stack, LIST_LINKS(dip->links), frames);
}

static bool dip_is_valid(const Policy *policy) {
    const Dip *dip = (const Dip *)policy;
    for (unsigned i = 0; i < DIP_DIRECTORIES; i++) {
        if (dip->directories[i].count > dip->directory_limit ||
            (dip->directories[i].count != 0 &&
             !list_is_valid(&dip->directories[i], dip_links(dip, i)))) {
            return false;
        }
    }
    return list_is_valid(&dip->stack, LIST_LINKS(dip->links)) && dip->selector <= DIP_MOST;
}

static const PolicyType dip_policy = {
    .info.name = "dip",
    .info.label = "DIP",
    .info.summary = "LRU whose new pages enter at the old end when that misses less",
    .info.source = "Qureshi, Jaleel, Patt, Steely, Emer, ISCA 2007",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .state_size = sizeof(Dip),
    .page_state_size = sizeof(DipPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"insertion", 0, 0, 2,
             "dip: the better of LRU and bip; bip: old end but for a few; "
             "lip: old end",
             "dip|bip|lip"},
            {"epsilon", 32, 1, 65536, "of so many pages bip lets one in at the young end", NULL},
            {"sample", 32, 1, 65536, "of so many pages one is in the directories of dip", NULL},
            {.name = NULL},
        },
    .create = dip_create,
    .destroy = dip_destroy,
    .reserve = dip_reserve,
    .miss = dip_miss,
    .insert = dip_insert,
    .touch = dip_touch,
    .touch_many = dip_touch_many,
    .victim = dip_victim,
    .remove = dip_remove,
    .forget = dip_forget,
    .why = dip_why,
    .order = dip_order,
    .is_valid = dip_is_valid,
};
