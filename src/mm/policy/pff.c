/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PFF, page fault frequency: the resident set of a process is changed only when it faults. If its
 * last fault is at most `threshold` of its page references ago it faults too often, and the new
 * page is added; else it has more than it needs, and the pages that were not referenced since the
 * last fault leave. Source: Chu and Opderbeck, "The page fault frequency replacement algorithm",
 * AFIPS FJCC 41, 1972; the interval is closed as in Gupta and Franklin, IEEE ToC C-27(8), 1978.
 *
 *     threshold 3     a fault at 5 finds the fault before at 4: add
 *                     a fault at 20 finds it at 5: whoever has R = 0 since 5 leaves, then add
 *
 * The accessed bits of the process's pages are cleared at each of its faults. R is not stored: a
 * page knows in which span between two faults it was last referenced, and the pages of a process
 * are in that order, so that those to leave are at the old end and clearing costs nothing. A page
 * that was just loaded has R = 1. 24 bytes a page.
 */
#include "resident.h"

/* With young-flush the TLB is told of the bits that were set: those of the span that is over. */
static void pff_clear_bits(Resident *pff, const ResidentSet *set) {
    const Policy *policy = &pff->base;
    uint32_t frame = policy->bit_cleared == NULL ? LIST_NONE : set->frames.youngest;
    while (frame != LIST_NONE && pff->pages[frame].time == set->number) {
        policy->bit_cleared(policy->host, frame);
        frame = pff->pages[frame].link.older;
    }
}

/* A fault: the resident set shrinks, or not, and takes in the new page. */
static void pff_insert(Policy *policy, uint32_t frame) {
    Resident *pff = (Resident *)policy;
    ResidentSet *set = resident_make_set(pff);
    if (set == NULL) {
        return;
    }
    uint64_t now = vmm_policy_time(policy);
    if (now - set->time > pff->limit) {
        resident_part(pff, set, set->number);
    }
    pff_clear_bits(pff, set);
    set->time = now;
    set->number++;
    resident_enter(pff, set, frame, set->number);
}

static inline void pff_touch(Policy *policy, uint32_t frame) {
    Resident *pff = (Resident *)policy;
    const ResidentPage *page = &pff->pages[frame];
    if (page->space == policy->space && page->time == pff->sets[page->space].number) {
        return;
    }
    const ResidentSet *set = resident_make_set(pff); /* there may be none yet: a page of others */
    if (set != NULL) {
        resident_renew(pff, frame, set->number);
    }
}

static void pff_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    (void)policy;
    snprintf(text, size, "not referenced since its process's last fault (frame %u)", victim);
}

static const PolicyType pff_policy = {
    .info.name = "pff",
    .info.label = "PFF",
    .info.summary = "page fault frequency: faults that are rare shrink the resident set",
    .info.source = "Chu and Opderbeck, AFIPS FJCC 41, 1972",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .info.variable_space = 1,
    .uses_clock = true,
    .touch_once = true,
    .state_size = sizeof(Resident),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"threshold", 1000, 1, UINT32_MAX,
             "page references of the process between two faults above which its set shrinks", NULL},
            {.name = NULL},
        },
    .create = resident_create,
    .destroy = resident_destroy,
    .reserve = resident_reserve,
    .insert = pff_insert,
    .touch = pff_touch,
    .remove = resident_remove,
    .why = pff_why,
    .is_valid = resident_is_valid,
};
