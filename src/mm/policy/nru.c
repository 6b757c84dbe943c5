/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NRU, not recently used: four classes by the accessed (R) and the modified (M) bit.
 *
 *     class 0: R = 0, M = 0      class 2: R = 1, M = 0
 *     class 1: R = 0, M = 1      class 3: R = 1, M = 1
 *
 * Every `period` page references all R bits are cleared. A page of the lowest class that is not
 * empty leaves, so an unused dirty page goes before a used clean one. Where the textbook draws
 * "at random", the page that has been in its class longest goes: fair and reproducible. Source:
 * Tanenbaum, "Modern Operating Systems"; a cousin of the Macintosh's enhanced second chance.
 *
 * Each class is a list in order of entry. Clearing all R bits appends class 2 to 0 and 3 to 1, in
 * constant time: R is not stored but means "referenced in the current epoch".
 */
#include "policy.h"

#define NRU_NONE UINT32_MAX

typedef struct NruPage {
    uint32_t older, younger; /* neighbours in the class */
    uint32_t epoch;          /* of the last reference */
    uint32_t modified;       /* 0 or 1: M as the lists know it */
} NruPage;

typedef struct NruClass {
    uint32_t oldest, youngest;
} NruClass;

typedef struct Nru {
    Policy base;
    NruPage *pages; /* by frame */
    NruClass classes[4];
    uint32_t epoch;
    uint32_t reserved;
} Nru;

static int nru_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Nru *nru = (Nru *)policy;
    policy->period = params[0];
    for (unsigned i = 0; i < VMM_COUNT_OF(nru->classes); i++) {
        nru->classes[i] = (NruClass){NRU_NONE, NRU_NONE};
    }
    return VMM_OK;
}

static void nru_destroy(Policy *policy) {
    Nru *nru = (Nru *)policy;
    memory_free(policy->memory, nru->pages, nru->reserved, sizeof *nru->pages);
}

static bool nru_reserve(Policy *policy, uint32_t frames) {
    Nru *nru = (Nru *)policy;
    NruPage *grown = memory_grow(policy->memory, nru->pages, nru->reserved, frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    nru->pages = grown;
    nru->reserved = frames;
    return true;
}

static NruClass *nru_class_of(Nru *nru, uint32_t frame) {
    const NruPage *page = &nru->pages[frame];
    return &nru->classes[(page->epoch == nru->epoch ? 2u : 0u) + page->modified];
}

static void nru_append(Nru *nru, uint32_t frame) {
    NruClass *group = nru_class_of(nru, frame);
    nru->pages[frame].older = group->youngest;
    nru->pages[frame].younger = NRU_NONE;
    if (group->youngest == NRU_NONE) {
        group->oldest = frame;
    } else {
        nru->pages[group->youngest].younger = frame;
    }
    group->youngest = frame;
}

static void nru_unlink(Nru *nru, uint32_t frame) {
    NruClass *group = nru_class_of(nru, frame);
    NruPage page = nru->pages[frame];
    if (page.older == NRU_NONE) {
        group->oldest = page.younger;
    } else {
        nru->pages[page.older].younger = page.younger;
    }
    if (page.younger == NRU_NONE) {
        group->youngest = page.older;
    } else {
        nru->pages[page.younger].older = page.older;
    }
}

static void nru_insert(Policy *policy, uint32_t frame) {
    Nru *nru = (Nru *)policy;
    nru->pages[frame].epoch = nru->epoch;
    nru->pages[frame].modified = policy->dirty[frame];
    nru_append(nru, frame);
}

static inline void nru_touch(Policy *policy, uint32_t frame) {
    Nru *nru = (Nru *)policy;
    if (VMM_UNLIKELY(nru->pages[frame].epoch != nru->epoch)) {
        nru_unlink(nru, frame);
        nru->pages[frame].epoch = nru->epoch;
        nru_append(nru, frame);
    }
}

static void nru_modify(Nru *nru, uint32_t frame, uint32_t modified) {
    nru_unlink(nru, frame);
    nru->pages[frame].modified = modified;
    nru_append(nru, frame);
}

static void nru_dirtied(Policy *policy, uint32_t frame) {
    nru_modify((Nru *)policy, frame, 1);
}

/* Its content may be lost (MADV_FREE): M is cleared. */
static void nru_cleaned(Policy *policy, uint32_t frame) {
    nru_modify((Nru *)policy, frame, 0);
}

static uint32_t nru_victim(Policy *policy) {
    const Nru *nru = (const Nru *)policy;
    unsigned group = 0;
    while (nru->classes[group].oldest == NRU_NONE) {
        group++;
    }
    return nru->classes[group].oldest;
}

static void nru_remove(Policy *policy, uint32_t frame) {
    nru_unlink((Nru *)policy, frame);
}

/* Appends class `from` to class `to` and leaves it empty. */
static void nru_splice(Nru *nru, unsigned from, unsigned to) {
    NruClass *source = &nru->classes[from];
    NruClass *target = &nru->classes[to];
    if (source->oldest == NRU_NONE) {
        return;
    }
    if (target->youngest == NRU_NONE) {
        *target = *source;
    } else {
        nru->pages[target->youngest].younger = source->oldest;
        nru->pages[source->oldest].older = target->youngest;
        target->youngest = source->youngest;
    }
    *source = (NruClass){NRU_NONE, NRU_NONE};
}

/* After 2^32 ticks: all pages, now in classes 0 and 1, get an epoch that is over. */
static void nru_restart_epochs(Nru *nru) {
    for (unsigned group = 0; group < 2; group++) {
        for (uint32_t f = nru->classes[group].oldest; f != NRU_NONE; f = nru->pages[f].younger) {
            nru->pages[f].epoch = 0;
        }
    }
    nru->epoch = 1;
}

static void nru_tick(Policy *policy) {
    Nru *nru = (Nru *)policy;
    for (unsigned group = 2; policy->bit_cleared != NULL && group < 4; group++) {
        for (uint32_t f = nru->classes[group].oldest; f != NRU_NONE; f = nru->pages[f].younger) {
            policy->bit_cleared(policy->host, f);
        }
    }
    nru_splice(nru, 2, 0);
    nru_splice(nru, 3, 1);
    if (++nru->epoch == 0) {
        nru_restart_epochs(nru);
    }
}

static void nru_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Nru *nru = (const Nru *)policy;
    const NruPage *page = &nru->pages[victim];
    unsigned referenced = page->epoch == nru->epoch;
    snprintf(text, size, "longest in the lowest class, %u (R=%u M=%u)",
             2 * referenced + page->modified, referenced, page->modified);
}

static uint32_t nru_order(Policy *policy, uint32_t *frames) {
    const Nru *nru = (const Nru *)policy;
    uint32_t count = 0;
    for (unsigned group = 0; group < 4; group++) {
        for (uint32_t f = nru->classes[group].oldest; f != NRU_NONE; f = nru->pages[f].younger) {
            frames[count++] = f;
        }
    }
    return count;
}

static const PolicyType nru_policy = {
    .info.name = "nru",
    .info.label = "NRU",
    .info.summary = "not recently used: classes by accessed and modified bit",
    .info.source = "Tanenbaum, Modern Operating Systems",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .victim_any_time = true,
    .state_size = sizeof(Nru),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"period", 1000, 1, UINT32_MAX, "page references between clearings of the R bits",
             NULL},
            {.name = NULL},
        },
    .create = nru_create,
    .destroy = nru_destroy,
    .reserve = nru_reserve,
    .insert = nru_insert,
    .touch = nru_touch,
    .dirtied = nru_dirtied,
    .cleaned = nru_cleaned,
    .victim = nru_victim,
    .remove = nru_remove,
    .tick = nru_tick,
    .why = nru_why,
    .order = nru_order,
};
