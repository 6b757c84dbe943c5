/* SPDX-License-Identifier: Apache-2.0 */
/* Filling, replacing and invalidating TLB entries; the hit path is in tlb.h. */
#include "tlb.h"

#include <string.h>

static TlbNote tlb_note(uint64_t policy, bool single_set) {
    switch (policy) {
    case TLB_LRU:
        return single_set ? TLB_NOTE_ORDER : TLB_NOTE_STAMP;
    case TLB_LFU:
        return TLB_NOTE_COUNT;
    default:
        return TLB_NOTE_NOTHING;
    }
}

int tlb_init(Tlb *tlb, const Memory *memory, const Directory *directory, const Settings *settings,
             Error *error) {
    *tlb = (Tlb){.memory = memory, .directory = directory, .policy = settings->tlb_policy};
    if (settings->tlb == 0) {
        return VMM_OK;
    }
    uint32_t entries = (uint32_t)settings->tlb_entries;
    tlb->entries = entries;
    tlb->ways = settings->tlb_ways == 0 ? entries : (uint32_t)settings->tlb_ways;
    tlb->sets = entries / tlb->ways;
    tlb->note = tlb_note(tlb->policy, tlb->sets == 1);
    tlb->rng = rng_seed(settings->seed, "tlb.random");
    tlb->page = memory_zalloc(memory, entries, sizeof *tlb->page);
    tlb->frame = memory_zalloc(memory, entries, sizeof *tlb->frame);
    tlb->written = memory_zalloc(memory, entries, sizeof *tlb->written);
    tlb->stamp = memory_zalloc(memory, entries, sizeof *tlb->stamp);
    tlb->valid = memory_zalloc(memory, tlb->sets, sizeof *tlb->valid);
    tlb->hole = memory_zalloc(memory, tlb->sets, sizeof *tlb->hole);
    tlb->mark = memory_zalloc(memory, entries, sizeof *tlb->mark);
    bool ordered = recency_reserve(&tlb->order, memory, entries);
    if (!ordered || tlb->page == NULL || tlb->frame == NULL || tlb->written == NULL ||
        tlb->stamp == NULL || tlb->valid == NULL || tlb->hole == NULL || tlb->mark == NULL) {
        return error_no_memory(error, (size_t)entries * 32, "the TLB");
    }
    return VMM_OK;
}

void tlb_free(Tlb *tlb) {
    const Memory *memory = tlb->memory;
    if (memory == NULL) {
        return;
    }
    memory_free(memory, tlb->slot_of, tlb->pages, sizeof *tlb->slot_of);
    memory_free(memory, tlb->page, tlb->entries, sizeof *tlb->page);
    memory_free(memory, tlb->frame, tlb->entries, sizeof *tlb->frame);
    memory_free(memory, tlb->written, tlb->entries, sizeof *tlb->written);
    memory_free(memory, tlb->stamp, tlb->entries, sizeof *tlb->stamp);
    memory_free(memory, tlb->valid, tlb->sets, sizeof *tlb->valid);
    memory_free(memory, tlb->hole, tlb->sets, sizeof *tlb->hole);
    memory_free(memory, tlb->mark, tlb->entries, sizeof *tlb->mark);
    recency_free(&tlb->order, memory);
}

int tlb_reserve(Tlb *tlb, uint32_t pages, Error *error) {
    if (pages <= tlb->pages) {
        return VMM_OK;
    }
    uint64_t capacity = (uint64_t)pages + pages / 2;
    capacity = capacity < UINT32_MAX ? capacity : UINT32_MAX;
    uint16_t *grown =
        memory_grow(tlb->memory, tlb->slot_of, tlb->pages, (size_t)capacity, sizeof *grown);
    if (grown == NULL) {
        return error_no_memory(error, (size_t)capacity * sizeof *grown, "the TLB");
    }
    memset(grown + tlb->pages, 0, ((size_t)capacity - tlb->pages) * sizeof *grown);
    tlb->slot_of = grown;
    tlb->pages = (uint32_t)capacity;
    return VMM_OK;
}

static uint32_t tlb_set_of(const Tlb *tlb, uint32_t page) {
    return tlb->sets == 1 ? 0 : (uint32_t)(directory_vpn(tlb->directory, page) % tlb->sets);
}

uint32_t tlb_find_hole(Tlb *tlb, uint32_t set) {
    uint32_t way = tlb->hole[set];
    while (tlb->page[set * tlb->ways + way] != DIRECTORY_NO_PAGE) {
        way++;
    }
    tlb->hole[set] = way + 1;
    tlb->valid[set]++;
    return set * tlb->ways + way;
}

/* The entry with the smallest stamp, the lowest way among equals. */
static uint32_t tlb_smallest_stamp(const Tlb *tlb, uint32_t set) {
    uint32_t first = set * tlb->ways;
    uint32_t smallest = first;
    for (uint32_t entry = first + 1; entry < first + tlb->ways; entry++) {
        smallest = tlb->stamp[entry] < tlb->stamp[smallest] ? entry : smallest;
    }
    return smallest;
}

uint32_t tlb_victim(Tlb *tlb, uint32_t set) {
    if (tlb->policy == TLB_RANDOM) {
        return set * tlb->ways + (uint32_t)rng_below(&tlb->rng, tlb->ways);
    }
    if (tlb->policy != TLB_LFU && tlb->sets == 1) {
        return recency_oldest(&tlb->order);
    }
    return tlb_smallest_stamp(tlb, set);
}

void tlb_fill(Tlb *tlb, uint32_t page, uint32_t frame, bool written) {
    if (tlb->sets == 1) {
        tlb_fill_set(tlb, 0, page, frame, written, true);
    } else {
        tlb_fill_set(tlb, tlb_set_of(tlb, page), page, frame, written, false);
    }
}

static void tlb_drop(Tlb *tlb, uint32_t entry) {
    uint32_t set = entry / tlb->ways;
    uint32_t way = entry % tlb->ways;
    tlb->slot_of[tlb->page[entry]] = 0;
    tlb->page[entry] = DIRECTORY_NO_PAGE;
    tlb->valid[set]--;
    tlb->hole[set] = way < tlb->hole[set] ? way : tlb->hole[set];
    recency_remove(&tlb->order, entry);
}

void tlb_invalidate_entry(Tlb *tlb, uint32_t entry) {
    tlb_drop(tlb, entry);
    tlb->invalidations++;
}

void tlb_flush(Tlb *tlb) {
    for (uint32_t entry = 0; entry < tlb->entries; entry++) {
        if (tlb->page[entry] != DIRECTORY_NO_PAGE) {
            tlb_drop(tlb, entry);
        }
    }
    tlb->flushes++;
}

uint32_t tlb_search(const Tlb *tlb, uint32_t page) {
    uint32_t first = tlb_set_of(tlb, page) * tlb->ways;
    for (uint32_t entry = first; entry < first + tlb->ways; entry++) {
        if (tlb->page[entry] == page) {
            return entry;
        }
    }
    return UINT32_MAX;
}

bool tlb_is_valid(const Tlb *tlb) {
    for (uint32_t set = 0; set < tlb->sets; set++) {
        uint32_t valid = 0;
        for (uint32_t way = 0; way < tlb->ways; way++) {
            uint32_t page = tlb->page[set * tlb->ways + way];
            if (page == DIRECTORY_NO_PAGE) {
                continue;
            }
            valid++;
            if (tlb_set_of(tlb, page) != set || tlb_lookup(tlb, page) != set * tlb->ways + way) {
                return false;
            }
        }
        if (valid != tlb->valid[set]) {
            return false;
        }
    }
    return true;
}
