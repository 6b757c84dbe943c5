/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of a replacement policy: what the simulator's own policies are written against, and
 * what a policy of your own is. The guide docs/how-to/write-a-policy.md walks through an example.
 *
 * A policy is one C file NAME.c that ends with a constant NAME_policy. It rules one pool of frames,
 * numbered from 0. It sees frames, and which page (a dense number that a page keeps for the whole
 * run) is in each; never addresses. The pool calls its hooks:
 *
 *   check     when a name with parameters is read; create once, with their values. A create that
 *             fails is followed by destroy.
 *   reserve   before a frame number at or above the last reserved count is used; the policy grows
 *             its arrays by frame, whose new elements are undefined until it sets them.
 *   miss      a page that is in no frame is referenced: before victim, if there is one, and insert.
 *             `incoming` is the page, here and in victim and insert.
 *   insert    a page has just been loaded into a frame; page_of[frame] and dirty[frame] are set.
 *   touch     a resident page is referenced (policies that need accessed bits: its bit is set,
 *             see the option accessed-bit). Never called for the reference that loaded the page.
 *   touch_many  as `count` touches one directly after the other, none of which is at a tick; NULL:
 *             such touches are made one by one. A type whose second touch directly after another
 *             changes nothing says touch_once instead: of touches in a row it gets only the first.
 *   passed    a page reference beyond the address limit was made: time has passed, nothing else.
 *             For types whose pages leave after a time.
 *   dirtied   dirty[frame] has just become 1 for a resident page, after the touch.
 *   cleaned   dirty[frame] has become 0: a write that the policy asked for (below) is done, or the
 *             content of the page may be lost (MADV_FREE).
 *   victim    the pool is full and needs a frame: the policy names one that holds a page. Any other
 *             ends the run with VMM_E_POLICY. A type that says victim_any_time is also asked while
 *             frames of the pool are free and no page comes in (`incoming` means nothing then), and
 *             the page that it names may stay: limits of processes and groups and eviction in the
 *             background take only such types. Elements of page_of whose frame has no page are 0.
 *   remove    the page is leaving the frame, as victim or because it was discarded; page_of is
 *             still valid. The frame may be used again afterwards.
 *   forget    the page is given up for good (unmapped, its process ended), after remove if it was
 *             resident. What comes back under its number is another page: no ghost of it may stay.
 *   tick      every `period` page references of the pool (period as create set it), after the
 *             reference.
 *   why, order, is_valid   for people and for the checking build.
 *
 * By page: a type with page_state_size gets that many bytes for each page, zero at first, in the
 * array page_state; they stay while the page is in no frame, and the array may move between two
 * calls. So ghost lists are links between page numbers, and cost nothing to find. Page numbers
 * begin with 1: number 0 is no page, and its element the policy's to use. With a pool for each
 * process the pools share one array, for a page belongs to one pool only: element 0 is then
 * useless.
 *
 * More than one page may leave: a policy calls vmm_policy_part_with(frame) from insert, touch,
 * passed or tick (a type that does so from touch says parts_on_touch), for any number of frames,
 * and the pool evicts those as soon as the reference or the tick is complete. That way a policy
 * evicts several pages at once, evicts on hits, and refuses a page: the page that was just inserted
 * leaves after its access. Of a run of references to a refused page each comes in anew, the stores
 * of the run behind its first one before the loads.
 *
 * Dirty pages: vmm_policy_write_back(frame), from victim, insert or tick (a type that does so from
 * touch says parts_on_touch), has a dirty page written while it stays resident. The write is done
 * as soon as the reference or the tick is complete, in the background as far as time goes; then
 * comes `cleaned`, unless the page has left or swap is full.
 *
 * Time: a type that says uses_clock finds in `clock` how many page references of the pool there
 * have been, the one under way included, in `space` the number of the process that makes it, and
 * has vmm_policy_time(): the references of that process, its virtual time. In touch_many the clock
 * is that of the last touch. One that needs the future too is told distances in virtual time.
 *
 * Variable space: a type whose info says variable_space is never asked for a victim; it gets as
 * many frames as it wants and gives pages up by vmm_policy_part_with(). It must use the clock.
 *
 * Everything that a policy remembers is in its own struct, the arrays that hang from it and
 * page_state. Variables outside (static or global ones) are forbidden: several instances run in one
 * program, in turn or at once in several threads, and would change each other's.
 *
 * Hooks must do bounded or amortised constant work and touch only their own state. Hooks that do
 * nothing are NULL. The hot ones (touch, insert) are static functions in the policy's file: the
 * loop of the engine is compiled together with that file, so the compiler sees through the constant
 * type and inlines them.
 */
#ifndef VMM_POLICY_H
#define VMM_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Changes whenever what is below does: a compiled policy of another number is refused. A version,
 * for changes of meaning, and the sizes of the structs.
 */
#define VMM_POLICY_INTERFACE \
    (1u << 24 | (uint32_t)sizeof(VMMPolicy) << 12 | (uint32_t)sizeof(VMMPolicyType))

#define VMM_POLICY_NO_FRAME UINT32_MAX
#define VMM_POLICY_NEVER UINT64_MAX
#define VMM_POLICY_MAX_PARAMS 12

struct VMMPolicyType;

/* Frames that something is to happen to when the reference is complete. */
typedef struct VMMPolicyList {
    uint32_t *frames;
    uint32_t count;
    uint32_t capacity;
} VMMPolicyList;

/* What every instance has; a policy's own struct begins with it. */
typedef struct VMMPolicy {
    const struct VMMPolicyType *type;
    const VMMAllocator *memory; /* what the policy's own memory comes from: vmm_policy_grow() */
    uint32_t capacity;          /* frames of the pool; variable space: more than there can be */
    uint32_t incoming;          /* the page that is not there: in miss, victim and insert */
    const uint32_t *page_of;    /* by frame: the page in it */
    const uint8_t *dirty;       /* by frame: 1 if the page was written since loaded or saved */
    void *page_state;           /* by page: page_state_size bytes */
    uint64_t seed;              /* for random streams */
    uint64_t period;            /* page references between ticks; 0: no ticks */
    uint64_t now, next_use;     /* needs the future: place of this reference in the stream, and of
                                   the next one to the same page, or VMM_POLICY_NEVER; repeats of a
                                   reference have its place */
    uint64_t distance;          /* needs the future and uses_clock: in how many page references of
                                   its process the page is referenced again, or VMM_POLICY_NEVER;
                                   for types that say parts_on_touch */
    uint64_t clock;             /* uses_clock: page references of the pool, this one included, */
    uint64_t away;              /* and how many of these were not of the process that runs */
    const uint64_t *time_of;    /* by process: its virtual time when it last ran */
    uint32_t space;             /* the process that runs */
    bool failed;                /* there was no memory to note a frame in a list */
    VMMPolicyList parting;      /* pages that leave */
    VMMPolicyList writing;      /* dirty pages that are written */
    void (*bit_cleared)(void *host, uint32_t frame); /* tell of each cleared accessed bit, if set */
    void *host;
    uint64_t (*name_of)(const void *names, uint32_t page); /* see vmm_policy_name() */
    const void *names;
} VMMPolicy;

typedef struct VMMPolicyType {
    uint32_t interface;     /* VMM_POLICY_INTERFACE: must be set in a shared library of your own
                               compiling; elsewhere whoever compiles the file knows */
    VMMPolicyInfo info;     /* name (lower case, no hyphens: what -a takes), what it is and needs */
    size_t state_size;      /* of the policy's own struct */
    size_t page_state_size; /* of what it keeps by page; 0: nothing */
    bool parts_on_touch;    /* may call vmm_policy_part_with() from touch */
    bool touch_once;        /* of touches in a row all but the first change nothing */
    bool touch_last; /* of touches of frames in turn only the last of each matters, and the order
                        of those; the type has no dirtied */
    bool uses_clock;
    bool victim_any_time;

    /* `error` has room for VMM_ERROR_TEXT_BYTES. VMM_OK, or a VMMError and a sentence. */
    int (*check)(const uint64_t *params, char *error); /* what bounds alone cannot say */
    int (*create)(VMMPolicy *policy, const uint64_t *params, char *error);
    void (*destroy)(VMMPolicy *policy);
    bool (*reserve)(VMMPolicy *policy, uint32_t frames); /* false: out of memory */
    void (*miss)(VMMPolicy *policy, uint32_t page);
    void (*insert)(VMMPolicy *policy, uint32_t frame);
    void (*touch)(VMMPolicy *policy, uint32_t frame);
    void (*touch_many)(VMMPolicy *policy, uint32_t frame, uint32_t count);
    void (*passed)(VMMPolicy *policy);
    void (*dirtied)(VMMPolicy *policy, uint32_t frame);
    void (*cleaned)(VMMPolicy *policy, uint32_t frame);
    uint32_t (*victim)(VMMPolicy *policy);
    void (*remove)(VMMPolicy *policy, uint32_t frame);
    void (*forget)(VMMPolicy *policy, uint32_t page);
    void (*tick)(VMMPolicy *policy);
    void (*why)(const VMMPolicy *policy, uint32_t victim, char *text, size_t size);
    uint32_t (*order)(VMMPolicy *policy,
                      uint32_t *frames); /* next victim first; returns how many */
    bool (*is_valid)(const VMMPolicy *policy);
} VMMPolicyType;

/* ---- For hooks ------------------------------------------------------------------------------ */

/*
 * Grows an array of the policy from old_count to new_count elements; the new ones are undefined.
 * Returns the new block, or NULL and leaves the old one as it was. A block that is NULL is made
 * anew, all zero.
 */
static inline void *vmm_policy_grow(const VMMPolicy *policy, void *block, size_t old_count,
                                    size_t new_count, size_t size) {
    const VMMAllocator *memory = policy->memory;
    if (size != 0 && new_count > SIZE_MAX / size) {
        return NULL;
    }
    size_t bytes = new_count * size == 0 ? 1 : new_count * size;
    return block == NULL ? memory->zalloc(memory->user, bytes)
                         : memory->resize(memory->user, block, old_count * size, bytes);
}

/* Gives an array back. Accepts a NULL block. */
static inline void vmm_policy_free(const VMMPolicy *policy, void *block, size_t count,
                                   size_t size) {
    if (block != NULL) {
        policy->memory->release(policy->memory->user, block, count * size);
    }
}

static inline void vmm_policy_note(VMMPolicy *policy, VMMPolicyList *list, uint32_t frame) {
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity * 2 + 16;
        uint32_t *grown = (uint32_t *)vmm_policy_grow(policy, list->frames, list->capacity,
                                                      capacity, sizeof *grown);
        if (grown == NULL) {
            policy->failed = true;
            return;
        }
        list->frames = grown;
        list->capacity = capacity;
    }
    list->frames[list->count++] = frame;
}

/* The page in `frame` leaves when the reference, or the tick, is complete. */
static inline void vmm_policy_part_with(VMMPolicy *policy, uint32_t frame) {
    vmm_policy_note(policy, &policy->parting, frame);
}

/* The page in `frame`, which is dirty, is written when the reference, or the tick, is complete. */
static inline void vmm_policy_write_back(VMMPolicy *policy, uint32_t frame) {
    vmm_policy_note(policy, &policy->writing, frame);
}

/*
 * A word that names a page: its virtual page number, and if its process is not 0 a mixture with
 * that. It is the same in every run, whoever else is simulated beside, as the page's number need
 * not be: so what is hashed, for a sketch or a sample, is the name.
 */
static inline uint64_t vmm_policy_name(const VMMPolicy *policy, uint32_t page) {
    return policy->name_of != NULL ? policy->name_of(policy->names, page) : page;
}

/* Virtual time of the process that runs: its page references, this one included. */
static inline uint64_t vmm_policy_time(const VMMPolicy *policy) {
    return policy->clock - policy->away;
}

/* Virtual time of any process that has run. */
static inline uint64_t vmm_policy_time_of(const VMMPolicy *policy, uint32_t space) {
    return space == policy->space ? vmm_policy_time(policy) : policy->time_of[space];
}

#ifdef __cplusplus
}
#endif

#endif
