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

#include "lists.h"
#include "policy.h"

#define RESIDENT_NOWHERE UINT32_MAX

typedef struct ResidentPage {
    ListLink link; /* in the set of its process */
    uint64_t time;
    uint32_t space; /* RESIDENT_NOWHERE: in no set */
} ResidentPage;

typedef struct ResidentSet {
    uint64_t time;   /* of the process's last fault, */
    uint64_t number; /* and what the policy counts */
    List frames;
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
        pages[frame].space = RESIDENT_NOWHERE;
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
            sets[space] = (ResidentSet){.frames = LIST_EMPTY};
        }
        resident->sets = sets;
        resident->spaces = spaces;
    }
    return &resident->sets[policy->space];
}

/* A page of the process that runs has been loaded. */
static inline void resident_enter(Resident *resident, ResidentSet *set, uint32_t frame,
                                  uint64_t time) {
    resident->pages[frame].space = resident->base.space;
    resident->pages[frame].time = time;
    list_append(&set->frames, LIST_LINKS(resident->pages), frame);
}

static void resident_remove(Policy *policy, uint32_t frame) {
    Resident *resident = (Resident *)policy;
    uint32_t space = resident->pages[frame].space;
    if (space != RESIDENT_NOWHERE) {
        list_remove(&resident->sets[space].frames, LIST_LINKS(resident->pages), frame);
        resident->pages[frame].space = RESIDENT_NOWHERE;
    }
}

/* A page of another process's set is referenced by the one that runs: it is in its set from now on.
 */
static void resident_take_over(Resident *resident, uint32_t frame, uint64_t time) {
    ResidentSet *set = resident_make_set(resident);
    if (set != NULL) {
        resident_remove(&resident->base, frame);
        resident_enter(resident, set, frame, time);
    }
}

/* A resident page is referenced by the process that runs: it is the youngest of its pages now. */
static inline void resident_renew(Resident *resident, uint32_t frame, uint64_t time) {
    if (resident->pages[frame].space != resident->base.space) {
        resident_take_over(resident, frame, time);
        return;
    }
    ResidentSet *set = &resident->sets[resident->base.space];
    resident->pages[frame].time = time;
    list_renew(&set->frames, LIST_LINKS(resident->pages), frame);
}

/* Parts with the pages of a set that were not referenced since `time`: the oldest ones. */
static inline void resident_part(Resident *resident, const ResidentSet *set, uint64_t time) {
    uint32_t frame = set->frames.oldest;
    while (frame != LIST_NONE && resident->pages[frame].time < time) {
        vmm_policy_part_with(&resident->base, frame);
        frame = resident->pages[frame].link.younger;
    }
}

/* The lists are whole, and times do not fall from the oldest page to the youngest. */
static bool resident_is_valid(const Policy *policy) {
    const Resident *resident = (const Resident *)policy;
    for (uint32_t space = 0; space < resident->spaces; space++) {
        const List *frames = &resident->sets[space].frames;
        uint64_t time = 0;
        for (uint32_t f = frames->oldest; f != LIST_NONE; f = resident->pages[f].link.younger) {
            if (resident->pages[f].space != space || resident->pages[f].time < time) {
                return false;
            }
            time = resident->pages[f].time;
        }
        if (!list_is_valid(frames, LIST_LINKS(resident->pages))) {
            return false;
        }
    }
    return true;
}

#endif
