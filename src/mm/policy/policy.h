/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of a replacement policy. One policy is one file in this folder and one line in
 * policies.def; the file ends with a constant PolicyType called <name>_policy.
 *
 * A policy rules one pool of frames, numbered from 0. It sees frames, and which page (a dense
 * number that a page keeps for the whole run) is in each; never addresses. The pool calls it:
 *
 *   check     when a name with parameters is read; create once, with their values. A create that
 *             fails is followed by destroy.
 *   reserve   before a frame number at or above the last reserved count is used; the policy grows
 *             its arrays by frame, whose new elements are undefined until it sets them.
 *   insert    a page has just been loaded into a frame; page_of[frame] and dirty[frame] are set.
 *   touch     a resident page is referenced (policies that need accessed bits: its bit is set,
 *             see the option accessed-bit). Never called for the reference that loaded the page.
 *   touch_many  as `count` touches one directly after the other, none of which is at a tick; NULL:
 *             such touches are made one by one. A type whose second touch directly after another,
 *             changes nothing says touch_once instead: of touches in a row it gets only the first.
 *   dirtied   dirty[frame] has just become 1 for a resident page, after the touch.
 *   victim    the pool is full and needs a frame: the policy names one that holds a page.
 *   remove    the page is leaving the frame, as victim or because it was discarded; page_of is
 *             still valid. The frame may be used again afterwards.
 *   tick      every `period` page references of the pool (period as create set it), after the
 *             reference.
 *   why, order, is_valid   for people and for the checking build.
 *
 * More than one page may leave: a policy calls policy_part_with(frame) from insert, touch or tick
 * (a type that does so from touch says parts_on_touch), for any number of frames, and the pool
 * evicts those as soon as the reference or the tick is complete. That way a policy evicts several
 * pages at once, evicts on hits, and refuses a page: the page that was just inserted leaves after
 * its access. Of a run of references to a refused page each comes in anew, the stores of the run
 * behind its first one before the loads.
 *
 * Hooks must do bounded or amortised constant work and touch only their own state. Hooks that do
 * nothing are NULL. The hot ones (touch, insert) are static functions in the policy's file: the
 * specialised engine includes that file, so the compiler sees through the constant PolicyType and
 * inlines them.
 */
#ifndef VMM_MM_POLICY_POLICY_H
#define VMM_MM_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../../include/vmm/sim.h"
#include "../../base/compiler.h"
#include "../../base/error.h"
#include "../../base/memory.h"

#define POLICY_NO_FRAME UINT32_MAX
#define POLICY_NEVER UINT64_MAX
#define POLICY_MAX_PARAMS 8

struct PolicyType;

/* What every instance has; a policy's own struct begins with it. */
typedef struct Policy {
    const struct PolicyType *type;
    const Memory *memory;
    uint32_t capacity;       /* frames of the pool */
    const uint32_t *page_of; /* by frame: the page in it */
    const uint8_t *dirty;    /* by frame: 1 if the page was written since it was loaded or saved */
    uint64_t seed;           /* for Rng streams */
    uint64_t period;         /* page references between ticks; 0: no ticks */
    uint64_t now, next_use;  /* needs the future: place of this reference in the stream, and of the
                                next one to the same page, or POLICY_NEVER; repeats of a reference
                                have its place */
    void (*bit_cleared)(void *host, uint32_t frame); /* tell of each cleared accessed bit, if set */
    void *host;
    uint32_t *parting; /* frames whose pages leave when the reference is complete */
    uint32_t parting_count;
    uint32_t parting_capacity;
    bool parting_failed; /* there was no memory to note one */
} Policy;

typedef struct PolicyType {
    VMMPolicyInfo info;  /* name (lower case, no hyphens: what -a takes), what it is and needs */
    bool parts_on_touch; /* may call policy_part_with() from touch */
    bool touch_once;     /* of touches in a row all but the first change nothing */
    bool touch_last;   /* of touches of frames in turn only the last of each matters, and the order
                          of those; the type has no dirtied */
    size_t state_size; /* of the policy's own struct */

    int (*check)(const uint64_t *params, Error *error); /* what bounds alone cannot say */
    int (*create)(Policy *policy, const uint64_t *params, Error *error);
    void (*destroy)(Policy *policy);
    bool (*reserve)(Policy *policy, uint32_t frames); /* false: out of memory */
    void (*insert)(Policy *policy, uint32_t frame);
    void (*touch)(Policy *policy, uint32_t frame);
    void (*touch_many)(Policy *policy, uint32_t frame, uint32_t count);
    void (*dirtied)(Policy *policy, uint32_t frame);
    uint32_t (*victim)(Policy *policy);
    void (*remove)(Policy *policy, uint32_t frame);
    void (*tick)(Policy *policy);
    void (*why)(const Policy *policy, uint32_t victim, char *text, size_t size);
    uint32_t (*order)(Policy *policy, uint32_t *frames); /* next victim first; returns how many */
    bool (*is_valid)(const Policy *policy);
} PolicyType;

/* The page in `frame` leaves when the reference, or the tick, is complete. */
void policy_part_with(Policy *policy, uint32_t frame);

/* Whether there is something for machine_part() to do. */
static inline bool policy_is_parting(const Policy *policy) {
    return policy->parting_count != 0 || policy->parting_failed;
}

/* What "clock:bits=2,enter=0" means. */
typedef struct PolicySpec {
    const PolicyType *type;
    uint64_t params[POLICY_MAX_PARAMS];
} PolicySpec;

/* An instance for a pool of `capacity` frames; base fields that matter are copied from `base`. */
int policy_create(const PolicySpec *spec, const Policy *base, Policy **policy, Error *error);
void policy_destroy(Policy *policy);

#endif
