/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mappings of one address space (what Linux calls VMAs): ranges with one backing, one
 * protection and one set of flags, sorted by address, without overlap.
 *
 *     | text r-x, file 3 +0 |    | heap rw- |          | lib r--, file 5 +8K | rw- |  | stack rw- |
 *
 * Addresses are bytes: pages of the machine may be larger than those of the recorded one. Adding to
 * a range replaces what was there; neighbours that continue each other become one. Each mapping of
 * a memory object counts as one of its users; the caller is told when there are more or fewer.
 *
 * The list lies in the middle of its block, with room on both sides:
 *
 *     |  front: room  | list[0] list[1] ... list[count - 1] |  room  |
 *
 * and an addition or a removal moves what is on its shorter side. So mappings that come at ever
 * lower addresses, as mmap(2) gives them, or ever higher ones, cost the same however many there
 * are; one in the middle of n moves n / 4 of 32 bytes on the average.
 */
#ifndef VMM_MM_MAPPING_H
#define VMM_MM_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/memory.h"

/* Mapping.flags */
enum {
    MAPPING_SHARED = 1,     /* writes go to the object, else to private copies */
    MAPPING_GROWS_DOWN = 2, /* a stack */
    MAPPING_COPIED = 4,     /* private pages have been made in it */
    MAPPING_SEQUENTIAL = 8, /* madvise(2): it will be read from its beginning to its end, */
    MAPPING_RANDOM = 16,    /* or in no order; never both */
    MAPPING_ADVICE = MAPPING_SEQUENTIAL | MAPPING_RANDOM,
    MAPPING_NOT_FORKED = 32, /* a child does not get it */
    MAPPING_SYSV = 64,       /* of a System V segment: faults map nothing around */
    MAPPING_WIPED = 128,     /* a child gets it empty; of private anonymous memory only */
    MAPPING_LOCKED = 256     /* its pages stay in memory */
};

typedef struct Mapping {
    uint64_t start, end; /* bytes, end excluded */
    uint64_t offset;     /* of start, into the object */
    uint32_t object;     /* 0: private anonymous memory */
    uint8_t prot;        /* VMM_PROT_ bits */
    uint16_t flags;
} Mapping;

/* A memory object has got (change 1) or lost (-1) a mapping. */
typedef void MappingUse(void *user, uint32_t object, int change);

typedef struct Mappings {
    Mapping *list;
    uint32_t count;
    uint32_t capacity; /* of the block that the list lies in, */
    uint32_t front;    /* and room of it before the list */
    uint32_t last;     /* where the last search ended */
} Mappings;

/* Forgets [start, end). False: out of memory, and nothing has changed. */
bool mappings_cut(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                  MappingUse *use, void *user);

/* Adds a mapping in place of what is there. False: out of memory. */
bool mappings_add(Mappings *maps, const Memory *memory, const Mapping *mapping, MappingUse *use,
                  void *user);

/* Gives what is mapped of [start, end) a protection. False: out of memory. */
bool mappings_protect(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                      uint8_t prot, MappingUse *use, void *user);

/* What is mapped of [start, end) loses flags, and then gets others: those of madvise(2). False: out
   of memory. */
bool mappings_advise(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                     uint16_t cleared, uint16_t set, MappingUse *use, void *user);

/* Locks what is mapped of [start, end), or unlocks it. False: out of memory. */
bool mappings_lock(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end, bool locked,
                   MappingUse *use, void *user);

/* The first mapping that ends behind `address`; maps->count if there is none. */
uint32_t mappings_at(Mappings *maps, uint64_t address);

/* The mapping that has the address, or NULL; remembers nothing. */
const Mapping *mappings_of(const Mappings *maps, uint64_t address);

/* As mappings_find(); remembers nothing. */
const Mapping *mappings_first(const Mappings *maps, uint64_t start, uint64_t end);

/*
 * Whether all of [start, end) is mapped, and by what one mapping could show: the same backing,
 * protection and kind.
 */
bool mappings_cover(const Mappings *maps, uint64_t start, uint64_t end, bool as_one);

/* The first mapping that has bytes of [start, end), or NULL. Valid until the next change. */
Mapping *mappings_find(Mappings *maps, uint64_t start, uint64_t end);

/* A copy of all mappings that a child gets, for an address space that has none. False: out of
   memory. */
bool mappings_copy(Mappings *maps, const Mappings *from, const Memory *memory, MappingUse *use,
                   void *user);

/* Forgets all. */
void mappings_clear(Mappings *maps, MappingUse *use, void *user);

void mappings_free(Mappings *maps, const Memory *memory);

/* Sorted, without overlap, none empty. For checking builds. */
bool mappings_are_valid(const Mappings *maps);

#endif
