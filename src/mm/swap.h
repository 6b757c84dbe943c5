/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The swap device: numbered slots of one page each. Which page a slot belongs to is kept with the
 * page (Machine.slot_of), so the device only knows which slots are free.
 */
#ifndef VMM_MM_SWAP_H
#define VMM_MM_SWAP_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/memory.h"

#define SWAP_NO_SLOT UINT32_MAX

typedef struct Swap {
    uint32_t *free; /* stack of slots that were used and given back */
    uint32_t free_count;
    uint32_t free_capacity;
    uint32_t next;  /* the first slot never used */
    uint64_t limit; /* slots of the device; UINT64_MAX: it grows as needed */
    uint64_t used;
    uint64_t peak;
} Swap;

static inline void swap_init(Swap *swap, uint64_t limit) {
    *swap = (Swap){.limit = limit};
}

static inline void swap_free(Swap *swap, const Memory *memory) {
    memory_free(memory, swap->free, swap->free_capacity, sizeof *swap->free);
}

static inline bool swap_has_room(const Swap *swap) {
    return swap->used < swap->limit && (swap->free_count > 0 || swap->next != SWAP_NO_SLOT);
}

/* A free slot, or SWAP_NO_SLOT when the device is full. */
static inline uint32_t swap_take(Swap *swap) {
    if (!swap_has_room(swap)) {
        return SWAP_NO_SLOT;
    }
    swap->used++;
    if (swap->used > swap->peak) {
        swap->peak = swap->used;
    }
    return swap->free_count > 0 ? swap->free[--swap->free_count] : swap->next++;
}

/* Gives a slot back. False: out of memory, the slot is then lost but counted as free. */
static inline bool swap_give_back(Swap *swap, const Memory *memory, uint32_t slot) {
    swap->used--;
    if (swap->free_count == swap->free_capacity) {
        uint32_t capacity = swap->free_capacity + swap->free_capacity / 2 + 64;
        uint32_t *grown =
            memory_grow(memory, swap->free, swap->free_capacity, capacity, sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        swap->free = grown;
        swap->free_capacity = capacity;
    }
    swap->free[swap->free_count++] = slot;
    return true;
}

#endif
