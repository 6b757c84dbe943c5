/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLB: sets of ways, each with the translation of one page.
 *
 * A page's set is its VPN modulo the number of sets; entries are tagged with the address space.
 * Since pages are dense numbers, the search of a set is replaced by an array that tells for each
 * page in which entry it is:
 *
 *     slot_of[page id] = entry + 1, or 0          page[entry], frame[entry], written[entry]
 *
 * Both directions are kept equal; tlb_is_valid() proves it in the checking build, where
 * tlb_search() also looks through the ways as hardware does. What is replaced:
 *
 *     LRU, FIFO   the entry touched, or filled, longest ago: by time stamps within a set, by one
 *                 order (recency.h) if there is a single set, so that a miss costs the same for 64
 *                 and for 4096 entries
 *     RANDOM      a uniform way, from the stream "tlb.random"
 *     LFU         the smallest counter, then the lowest way; a counter starts at 0 when its entry
 *                 is filled and counts every access, the filling one included
 *
 * Invalid ways are filled first, the lowest one first.
 */
#ifndef VMM_MM_TLB_TLB_H
#define VMM_MM_TLB_TLB_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../base/compiler.h"
#include "../../base/error.h"
#include "../../base/memory.h"
#include "../../base/rng.h"
#include "../../config/settings.h"
#include "../directory.h"
#include "../recency.h"

/* What a hit has to note. */
typedef enum TlbNote { TLB_NOTE_NOTHING, TLB_NOTE_ORDER, TLB_NOTE_STAMP, TLB_NOTE_COUNT } TlbNote;

typedef struct Tlb {
    const Memory *memory;
    const Directory *directory;
    uint16_t *slot_of; /* by page id */
    uint32_t *page;    /* by entry: page id, DIRECTORY_NO_PAGE in an invalid entry */
    uint32_t *frame;   /* by entry */
    uint8_t *written;  /* by entry: 1 if the page was written through it */
    uint64_t *stamp;   /* by entry: time of the last touch or fill, or LFU's counter */
    uint32_t *valid;   /* by set: valid ways */
    uint32_t *hole;    /* by set: all ways below it are valid */
    uint32_t *mark; /* by entry: the last round that met it, for those who note many hits at once */
    uint32_t round;
    Recency order;  /* of entries, if there is a single set */
    uint64_t clock; /* for stamps */
    Rng rng;
    uint32_t entries, ways, sets; /* entries 0: no TLB */
    uint32_t pages;               /* ids that slot_of has room for */
    uint64_t policy;              /* TLB_LRU, ... */
    TlbNote note;
    uint64_t evictions, writebacks, invalidations, flushes;
} Tlb;

int tlb_init(Tlb *tlb, const Memory *memory, const Directory *directory, const Settings *settings,
             Error *error);
void tlb_free(Tlb *tlb);

/* Room for page ids below `pages`. */
int tlb_reserve(Tlb *tlb, uint32_t pages, Error *error);

/* Loads the translation of a page that is not in the TLB. */
void tlb_fill(Tlb *tlb, uint32_t page, uint32_t frame, bool written);

void tlb_invalidate_entry(Tlb *tlb, uint32_t entry);

/* Drops the entry of a page, if it has one. */
static inline void tlb_invalidate(Tlb *tlb, uint32_t page) {
    if (tlb->entries != 0 && VMM_UNLIKELY(tlb->slot_of[page] != 0)) {
        tlb_invalidate_entry(tlb, tlb->slot_of[page] - 1u);
    }
}

/* Drops all entries. */
void tlb_flush(Tlb *tlb);

/* The entry of a page as hardware finds it, way by way; UINT32_MAX: a miss. */
uint32_t tlb_search(const Tlb *tlb, uint32_t page);

bool tlb_is_valid(const Tlb *tlb);

/* A number that no entry is marked with. */
static inline uint32_t tlb_next_round(Tlb *tlb) {
    if (VMM_UNLIKELY(++tlb->round == 0)) {
        memset(tlb->mark, 0, tlb->entries * sizeof *tlb->mark);
        tlb->round = 1;
    }
    return tlb->round;
}

/* The entry of a page, or UINT32_MAX: a miss. */
static inline uint32_t tlb_lookup(const Tlb *tlb, uint32_t page) {
    return (uint32_t)tlb->slot_of[page] - 1;
}

/* Notes a hit; the caller knows tlb->note, perhaps as a constant. */
static inline void tlb_touch_as(Tlb *tlb, uint32_t entry, TlbNote note) {
    switch (note) {
    case TLB_NOTE_ORDER:
        recency_touch(&tlb->order, entry);
        break;
    case TLB_NOTE_STAMP:
        tlb->stamp[entry] = ++tlb->clock;
        break;
    case TLB_NOTE_COUNT:
        tlb->stamp[entry]++;
        break;
    case TLB_NOTE_NOTHING:
        break;
    }
}

static inline void tlb_touch(Tlb *tlb, uint32_t entry) {
    tlb_touch_as(tlb, entry, tlb->note);
}

/* The lowest invalid way of a set that has one; the entry to be replaced of one that has none. */
uint32_t tlb_find_hole(Tlb *tlb, uint32_t set);
uint32_t tlb_victim(Tlb *tlb, uint32_t set);

/* tlb_fill() for a page of `set`. `single`, whether there is one set alone, is a constant wherever
 * this is stamped. */
VMM_ALWAYS_INLINE void tlb_fill_set(Tlb *tlb, uint32_t set, uint32_t page, uint32_t frame,
                                    bool written, bool single) {
    uint32_t entry;
    if (tlb->valid[set] < tlb->ways) {
        entry = tlb_find_hole(tlb, set);
    } else {
        entry =
            single && tlb->policy <= TLB_FIFO ? recency_oldest(&tlb->order) : tlb_victim(tlb, set);
        tlb->evictions++;
        tlb->writebacks += tlb->written[entry];
        tlb->slot_of[tlb->page[entry]] = 0;
    }
    tlb->page[entry] = page;
    tlb->frame[entry] = frame;
    tlb->written[entry] = written;
    tlb->slot_of[page] = (uint16_t)(entry + 1);
    if (tlb->policy == TLB_LFU) {
        tlb->stamp[entry] = 1;
    } else if (single) {
        recency_touch(&tlb->order, entry);
    } else {
        tlb->stamp[entry] = ++tlb->clock;
    }
}

#endif
