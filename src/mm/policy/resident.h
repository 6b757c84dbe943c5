/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Working Set and PFF share: the resident set of each process, ordered by last reference.
 *
 *     sets[space 0]  oldest ──► frame 4 ──► frame 0 ──► frame 7 ◄── youngest
 *     sets[space 1]  oldest ──► frame 2 ◄── youngest
 *
 * Pages leave at the old end. `time` is what the policy measures in: the virtual time of the last
 * reference, or the number of a span in which there was one. 24 bytes a page.
 */
#ifndef VMM_MM_POLICY_RESIDENT_H
#define VMM_MM_POLICY_RESIDENT_H

#include "policy.h"

#define RESIDENT_NONE UINT32_MAX

typedef struct ResidentPage {
    uint64_t time;
    uint32_t older, younger; /* frames of the same process */
    uint32_t space;          /* RESIDENT_NONE: in no set */
} ResidentPage;

typedef struct ResidentSet {
    uint64_t time;   /* of the process's last fault, */
    uint64_t number; /* and what the policy counts */
    uint32_t oldest, youngest;
} ResidentSet;

typedef struct Resident {
    Policy base;
    ResidentPage *pages; /* by frame */
    ResidentSet *sets;   /* by space */
    uint64_t limit;      /* the policy's parameter */
    uint32_t reserved;
    uint32_t spaces;
} Resident;

static int resident_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    ((Resident *)policy)->limit = params[0];
    return VMM_OK;
}

static void resident_destroy(Policy *policy) {
    Resident *resident = (Resident *)policy;
    vmm_policy_free(policy, resident->pages, resident->reserved, sizeof *resident->pages);
    vmm_policy_free(policy, resident->sets, resident->spaces, sizeof *resident->sets);
}

static bool resident_reserve(Policy *policy, uint32_t frames) {
    Resident *resident = (Resident *)policy;
    ResidentPage *pages =
        vmm_policy_grow(policy, resident->pages, resident->reserved, frames, sizeof *pages);
    if (pages == NULL) {
        return false;
    }
    for (uint32_t frame = resident->reserved; frame < frames; frame++) {
        pages[frame].space = RESIDENT_NONE;
    }
    resident->pages = pages;
    resident->reserved = frames;
    return true;
}

/* The set of the process that runs; NULL: it has none yet, or there is no memory to make it. */
static inline ResidentSet *resident_set(Resident *resident) {
    uint32_t space = resident->base.space;
    return space < resident->spaces ? &resident->sets[space] : NULL;
}

/* The same, made if it must be. */
static ResidentSet *resident_make_set(Resident *resident) {
    Policy *policy = &resident->base;
    if (policy->space >= resident->spaces) {
        uint32_t spaces = policy->space + policy->space / 2 + 1;
        ResidentSet *sets =
            vmm_policy_grow(policy, resident->sets, resident->spaces, spaces, sizeof *sets);
        if (sets == NULL) {
            policy->failed = true;
            return NULL;
        }
        for (uint32_t space = resident->spaces; space < spaces; space++) {
            sets[space] = (ResidentSet){.oldest = RESIDENT_NONE, .youngest = RESIDENT_NONE};
        }
        resident->sets = sets;
        resident->spaces = spaces;
    }
    return &resident->sets[policy->space];
}

static inline void resident_append(Resident *resident, ResidentSet *set, uint32_t frame) {
    ResidentPage *page = &resident->pages[frame];
    page->older = set->youngest;
    page->younger = RESIDENT_NONE;
    if (set->youngest == RESIDENT_NONE) {
        set->oldest = frame;
    } else {
        resident->pages[set->youngest].younger = frame;
    }
    set->youngest = frame;
}

static inline void resident_unlink(Resident *resident, ResidentSet *set, uint32_t frame) {
    const ResidentPage *page = &resident->pages[frame];
    if (page->older == RESIDENT_NONE) {
        set->oldest = page->younger;
    } else {
        resident->pages[page->older].younger = page->younger;
    }
    if (page->younger == RESIDENT_NONE) {
        set->youngest = page->older;
    } else {
        resident->pages[page->younger].older = page->older;
    }
}

/* A page of the process that runs has been loaded. */
static inline void resident_enter(Resident *resident, ResidentSet *set, uint32_t frame,
                                  uint64_t time) {
    resident->pages[frame].space = resident->base.space;
    resident->pages[frame].time = time;
    resident_append(resident, set, frame);
}

/* A resident page of the process that runs is referenced: it is the youngest now. */
static inline void resident_renew(Resident *resident, uint32_t frame, uint64_t time) {
    ResidentSet *set = &resident->sets[resident->base.space];
    resident->pages[frame].time = time;
    if (set->youngest != frame) {
        resident_unlink(resident, set, frame);
        resident_append(resident, set, frame);
    }
}

static void resident_remove(Policy *policy, uint32_t frame) {
    Resident *resident = (Resident *)policy;
    uint32_t space = resident->pages[frame].space;
    if (space != RESIDENT_NONE) {
        resident_unlink(resident, &resident->sets[space], frame);
        resident->pages[frame].space = RESIDENT_NONE;
    }
}

/* Parts with the pages of a set that were not referenced since `time`: the oldest ones. */
static inline void resident_part(Resident *resident, const ResidentSet *set, uint64_t time) {
    uint32_t frame = set->oldest;
    while (frame != RESIDENT_NONE && resident->pages[frame].time < time) {
        vmm_policy_part_with(&resident->base, frame);
        frame = resident->pages[frame].younger;
    }
}

/* The links go both ways, and times do not fall from the oldest page to the youngest. */
static bool resident_is_valid(const Policy *policy) {
    const Resident *resident = (const Resident *)policy;
    for (uint32_t space = 0; space < resident->spaces; space++) {
        const ResidentSet *set = &resident->sets[space];
        uint32_t older = RESIDENT_NONE;
        for (uint32_t f = set->oldest; f != RESIDENT_NONE; f = resident->pages[f].younger) {
            const ResidentPage *page = &resident->pages[f];
            if (page->space != space || page->older != older ||
                (older != RESIDENT_NONE && resident->pages[older].time > page->time)) {
                return false;
            }
            older = f;
        }
        if (set->youngest != older) {
            return false;
        }
    }
    return true;
}

#endif
