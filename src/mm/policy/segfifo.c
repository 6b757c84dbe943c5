/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segmented FIFO, as VMS pages: a FIFO resident set, and lists from which pages are reclaimed.
 *
 *                            oldest goes                 clean
 *      new page ---> [ resident set: FIFO ] ---+---> [ free list ] ---> victim: its oldest
 *                        ^                     |           ^
 *                        |                     | dirty     | written
 *                        |                     '---> [ modified list ]
 *                        '---- referenced again: reclaimed ----'
 *
 * The hardware has no accessed bits. A page that leaves the resident set loses its translation, not
 * its frame: a reference to it is a soft fault that reclaims it, from either list, to the young end
 * of the resident set, whose oldest page then goes to a list. So the order of the lists is that of
 * last use, and with half the memory there the misses are nearly those of LRU. Here a reclaim is
 * not yet counted as a fault of its own.
 *
 * The lists have `lists` per cent of memory, the resident set the rest. The modified list may hold
 * `modified` per cent of them: when a fault finds it longer, its oldest pages are written together,
 * up to `cluster`, and go to the free list. A victim is taken from there, so it needs no write;
 * only if all pages on the lists are dirty must the oldest of those leave.
 *
 * Sources: Turner and Levy, "Segmented FIFO page replacement", SIGMETRICS 1981; Levy and Lipman,
 * "Virtual memory management in the VAX/VMS operating system", IEEE Computer 15(3), 1982.
 */
#include "queued.h"

enum { SEGFIFO_FREE, SEGFIFO_MODIFIED, SEGFIFO_RESIDENT, SEGFIFO_QUEUES };

typedef struct SegFifo {
    Queued queued; /* used: 1 if the page is on the free or the modified list */
    List queues[SEGFIFO_QUEUES];
    uint32_t resident_limit;
    uint32_t modified_limit;
    uint32_t cluster;
} SegFifo;

static int segfifo_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    SegFifo *seg = (SegFifo *)policy;
    queued_create(&seg->queued, 0);
    for (unsigned i = 0; i < SEGFIFO_QUEUES; i++) {
        seg->queues[i] = LIST_EMPTY;
    }
    uint32_t lists = queued_share(policy, params[0]);
    seg->resident_limit = policy->capacity - lists;
    seg->modified_limit = (uint32_t)(lists * params[1] / 100);
    seg->cluster = (uint32_t)params[2];
    return VMM_OK;
}

static inline void segfifo_enter(SegFifo *seg, unsigned number, uint32_t frame) {
    seg->queued.used[frame] = number != SEGFIFO_RESIDENT;
    queued_append(&seg->queued, &seg->queues[number], number, frame);
}

static inline void segfifo_leave(SegFifo *seg, uint32_t frame) {
    list_remove(&seg->queues[seg->queued.frames[frame].queue], queued_links(&seg->queued), frame);
}

/* The page in `frame` enters the resident set, and what is too much of that leaves it. */
static inline void segfifo_admit(SegFifo *seg, uint32_t frame) {
    List *resident = &seg->queues[SEGFIFO_RESIDENT];
    segfifo_enter(seg, SEGFIFO_RESIDENT, frame);
    if (resident->count > seg->resident_limit) {
        uint32_t oldest = list_take_oldest(resident, queued_links(&seg->queued));
        bool dirty = seg->queued.base.dirty[oldest] != 0;
        queued_clear(&seg->queued.base, oldest);
        segfifo_enter(seg, dirty ? SEGFIFO_MODIFIED : SEGFIFO_FREE, oldest);
    }
}

/* Has pages of the modified list written, oldest first. */
static void segfifo_write(SegFifo *seg) {
    uint32_t frame = seg->queues[SEGFIFO_MODIFIED].oldest;
    for (uint32_t i = 0; i < seg->cluster && frame != LIST_NONE; i++) {
        vmm_policy_write_back(&seg->queued.base, frame);
        frame = list_younger(queued_links(&seg->queued), frame);
    }
}

static inline void segfifo_insert(Policy *policy, uint32_t frame) {
    SegFifo *seg = (SegFifo *)policy;
    segfifo_admit(seg, frame);
    if (seg->queues[SEGFIFO_MODIFIED].count > seg->modified_limit) {
        segfifo_write(seg);
    }
}

static inline void segfifo_touch(Policy *policy, uint32_t frame) {
    SegFifo *seg = (SegFifo *)policy;
    if (VMM_UNLIKELY(seg->queued.used[frame] != 0)) {
        segfifo_leave(seg, frame);
        segfifo_admit(seg, frame);
    }
}

static void segfifo_cleaned(Policy *policy, uint32_t frame) {
    SegFifo *seg = (SegFifo *)policy;
    if (seg->queued.frames[frame].queue == SEGFIFO_MODIFIED) {
        segfifo_leave(seg, frame);
        segfifo_enter(seg, SEGFIFO_FREE, frame);
    }
}

static inline uint32_t segfifo_victim(Policy *policy) {
    const SegFifo *seg = (const SegFifo *)policy;
    unsigned number = SEGFIFO_FREE;
    while (seg->queues[number].oldest == LIST_NONE) {
        number++;
    }
    return seg->queues[number].oldest;
}

static inline void segfifo_remove(Policy *policy, uint32_t frame) {
    segfifo_leave((SegFifo *)policy, frame);
}

static void segfifo_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    static const char *const names[] = {"free list", "modified list: no page is free",
                                        "resident set: the lists are empty"};
    snprintf(text, size, "oldest of the %s",
             names[((const SegFifo *)policy)->queued.frames[victim].queue]);
}

static uint32_t segfifo_order(Policy *policy, uint32_t *frames) {
    const SegFifo *seg = (const SegFifo *)policy;
    uint32_t count = 0;
    for (unsigned i = 0; i < SEGFIFO_QUEUES; i++) {
        count += list_write(&seg->queues[i], queued_links(&seg->queued), frames + count);
    }
    return count;
}

static bool segfifo_is_valid(const Policy *policy) {
    const SegFifo *seg = (const SegFifo *)policy;
    for (unsigned i = 0; i < SEGFIFO_QUEUES; i++) {
        if (!queued_is_valid(&seg->queued, &seg->queues[i], i)) {
            return false;
        }
    }
    return seg->queues[SEGFIFO_RESIDENT].count <= seg->resident_limit;
}

static const PolicyType segfifo_policy = {
    .info.name = "segfifo",
    .info.label = "Segmented FIFO",
    .info.summary = "VMS: a FIFO resident set; free and modified lists to reclaim from",
    .info.source = "Turner, Levy, SIGMETRICS 1981",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .state_size = sizeof(SegFifo),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"lists", 25, 0, 99, "per cent of memory for the free and the modified list", NULL},
            {"modified", 50, 0, 100, "per cent of these that may be modified pages", NULL},
            {"cluster", 16, 1, 4096, "pages written together", NULL},
            {.name = NULL},
        },
    .create = segfifo_create,
    .destroy = queued_destroy,
    .reserve = queued_reserve,
    .insert = segfifo_insert,
    .touch = segfifo_touch,
    .cleaned = segfifo_cleaned,
    .victim = segfifo_victim,
    .remove = segfifo_remove,
    .why = segfifo_why,
    .order = segfifo_order,
    .is_valid = segfifo_is_valid,
};
