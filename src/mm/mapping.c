/* SPDX-License-Identifier: Apache-2.0 */
/* Searching, splitting and joining the mappings of an address space. */
#include "mapping.h"

#include <string.h>

enum { MAPPINGS_ROOM = 2 }; /* a cut in the middle of a mapping makes one, an addition another */

/* The block that the list lies in. */
static Mapping *mappings_block(const Mappings *maps) {
    return maps->list == NULL ? NULL : maps->list - maps->front;
}

static bool mappings_grow(Mappings *maps, const Memory *memory, uint32_t capacity) {
    Mapping *grown =
        memory_grow(memory, mappings_block(maps), maps->capacity, capacity, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    maps->list = grown + maps->front;
    maps->capacity = capacity;
    return true;
}

/* Room on both sides. Moving the list costs what it is long, and makes room of the same order. */
static bool mappings_reserve(Mappings *maps, const Memory *memory) {
    uint32_t behind = maps->capacity - maps->front - maps->count;
    if (maps->front >= MAPPINGS_ROOM && behind >= MAPPINGS_ROOM) {
        return true;
    }
    if (maps->capacity < maps->count + maps->count / 2 + 4 * MAPPINGS_ROOM &&
        !mappings_grow(maps, memory, maps->count * 2 + 4 * MAPPINGS_ROOM)) {
        return false;
    }
    Mapping *block = mappings_block(maps);
    maps->front = (maps->capacity - maps->count) / 2;
    memmove(block + maps->front, maps->list, maps->count * sizeof *block);
    maps->list = block + maps->front;
    return true;
}

/* Makes a place in the list; there is room. What was there is the next one now. */
static Mapping *mappings_open(Mappings *maps, uint32_t at) {
    Mapping *list = maps->list;
    if (at < maps->count / 2) {
        memmove(list - 1, list, at * sizeof *list);
        maps->list--;
        maps->front--;
    } else {
        memmove(list + at + 1, list + at, (maps->count - at) * sizeof *list);
    }
    maps->count++;
    return &maps->list[at];
}

/* Takes the places [from, to) out of the list. */
static void mappings_close(Mappings *maps, uint32_t from, uint32_t to) {
    Mapping *list = maps->list;
    uint32_t gone = to - from;
    if (from < maps->count - to) {
        memmove(list + gone, list, from * sizeof *list);
        maps->list += gone;
        maps->front += gone;
    } else {
        memmove(list + from, list + to, (maps->count - to) * sizeof *list);
    }
    maps->count -= gone;
}

/* The first mapping that ends behind `address`. */
static uint32_t mappings_search(const Mappings *maps, uint64_t address) {
    uint32_t low = 0;
    uint32_t high = maps->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (maps->list[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t mappings_at(Mappings *maps, uint64_t address) {
    uint32_t last = maps->last;
    if (last < maps->count && maps->list[last].start <= address && address < maps->list[last].end) {
        return last;
    }
    maps->last = mappings_search(maps, address);
    return maps->last;
}

const Mapping *mappings_of(const Mappings *maps, uint64_t address) {
    uint32_t at = mappings_search(maps, address);
    return at < maps->count && maps->list[at].start <= address ? &maps->list[at] : NULL;
}

const Mapping *mappings_first(const Mappings *maps, uint64_t start, uint64_t end) {
    uint32_t at = mappings_search(maps, start);
    return at < maps->count && maps->list[at].start < end ? &maps->list[at] : NULL;
}

Mapping *mappings_find(Mappings *maps, uint64_t start, uint64_t end) {
    uint32_t at = mappings_at(maps, start);
    return at < maps->count && maps->list[at].start < end ? &maps->list[at] : NULL;
}

static void mapping_uses(const Mapping *mapping, int change, MappingUse *use, void *user) {
    if (mapping->object != 0) {
        use(user, mapping->object, change);
    }
}

/* Makes `address` a border between mappings. There is room. */
static void mappings_split(Mappings *maps, uint64_t address, MappingUse *use, void *user) {
    uint32_t at = mappings_at(maps, address);
    if (at == maps->count || maps->list[at].start >= address) {
        return;
    }
    Mapping *lower = mappings_open(maps, at);
    *lower = lower[1];
    lower->end = address;
    lower[1].offset += address - lower[1].start;
    lower[1].start = address;
    mapping_uses(lower, 1, use, user);
}

/* Makes [start, end) begin and end with mappings, of which `from` is the first. False: nothing is
   mapped there, or (*fits false) out of memory. */
static bool mappings_isolate(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                             MappingUse *use, void *user, uint32_t *from, bool *fits) {
    bool mapped = start < end && mappings_find(maps, start, end) != NULL;
    *fits = !mapped || mappings_reserve(maps, memory);
    if (!mapped || !*fits) {
        return false;
    }
    mappings_split(maps, start, use, user);
    mappings_split(maps, end, use, user);
    *from = mappings_at(maps, start);
    return true;
}

bool mappings_cut(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                  MappingUse *use, void *user) {
    uint32_t from;
    bool fits;
    if (!mappings_isolate(maps, memory, start, end, use, user, &from, &fits)) {
        return fits;
    }
    uint32_t to = from;
    for (; to < maps->count && maps->list[to].start < end; to++) {
        mapping_uses(&maps->list[to], -1, use, user);
    }
    mappings_close(maps, from, to);
    return true;
}

static bool mapping_continues(const Mapping *a, const Mapping *b) {
    return a->end == b->start && a->object == b->object && a->prot == b->prot &&
           a->flags == b->flags && (a->object == 0 || a->offset + (a->end - a->start) == b->offset);
}

bool mappings_cover(const Mappings *maps, uint64_t start, uint64_t end, bool as_one) {
    uint32_t at = mappings_search(maps, start);
    for (uint64_t reached = start; reached < end; reached = maps->list[at++].end) {
        if (at >= maps->count || maps->list[at].start > reached) {
            return false;
        }
        if (as_one && reached > start) {
            Mapping former = maps->list[at - 1];
            Mapping next = maps->list[at];
            former.flags |= MAPPING_COPIED; /* private pages in one alone make no difference */
            next.flags |= MAPPING_COPIED;
            if (!mapping_continues(&former, &next)) {
                return false;
            }
        }
    }
    return true;
}

/* Joins the mapping at `at` with the one before it, if it continues that. */
static void mappings_join(Mappings *maps, uint32_t at, MappingUse *use, void *user) {
    if (at == 0 || at >= maps->count || !mapping_continues(&maps->list[at - 1], &maps->list[at])) {
        return;
    }
    mapping_uses(&maps->list[at], -1, use, user);
    maps->list[at - 1].end = maps->list[at].end;
    mappings_close(maps, at, at + 1);
}

bool mappings_add(Mappings *maps, const Memory *memory, const Mapping *mapping, MappingUse *use,
                  void *user) {
    mapping_uses(mapping, 1, use, user); /* first, for the object may be that of the old one */
    if (!mappings_reserve(maps, memory) ||
        !mappings_cut(maps, memory, mapping->start, mapping->end, use, user) ||
        !mappings_reserve(maps, memory)) {
        mapping_uses(mapping, -1, use, user);
        return false;
    }
    uint32_t at = mappings_at(maps, mapping->start);
    *mappings_open(maps, at) = *mapping;
    mappings_join(maps, at + 1, use, user);
    mappings_join(maps, at, use, user);
    return true;
}

/* What mprotect(2) and madvise(2) change in a mapping. */
typedef struct MappingChange {
    uint8_t protects; /* 1: the protection becomes `prot` */
    uint8_t prot;
    uint16_t cleared, set; /* flags */
} MappingChange;

/* Changes what is mapped of [start, end), in mappings of its own. False: out of memory. */
static bool mappings_change(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                            MappingChange change, MappingUse *use, void *user) {
    uint32_t from;
    bool fits;
    if (!mappings_isolate(maps, memory, start, end, use, user, &from, &fits)) {
        return fits;
    }
    uint32_t to = from;
    for (; to < maps->count && maps->list[to].start < end; to++) {
        Mapping *mapping = &maps->list[to];
        uint16_t set = mapping->object == 0 ? change.set : change.set & (uint16_t)~MAPPING_WIPED;
        mapping->prot = change.protects ? change.prot : mapping->prot;
        mapping->flags = (uint16_t)((mapping->flags & ~change.cleared) | set);
    }
    for (uint32_t at = to + 1; at-- > from;) {
        mappings_join(maps, at, use, user);
    }
    return true;
}

bool mappings_protect(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                      uint8_t prot, MappingUse *use, void *user) {
    MappingChange change = {.protects = 1, .prot = prot};
    return mappings_change(maps, memory, start, end, change, use, user);
}

bool mappings_advise(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                     uint16_t cleared, uint16_t set, MappingUse *use, void *user) {
    MappingChange change = {.cleared = cleared, .set = set};
    return mappings_change(maps, memory, start, end, change, use, user);
}

bool mappings_lock(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end, bool locked,
                   MappingUse *use, void *user) {
    MappingChange change = {.cleared = MAPPING_LOCKED, .set = locked ? MAPPING_LOCKED : 0};
    return mappings_change(maps, memory, start, end, change, use, user);
}

bool mappings_copy(Mappings *maps, const Mappings *from, const Memory *memory, MappingUse *use,
                   void *user) {
    maps->list = mappings_block(maps);
    maps->front = 0;
    if (from->count > maps->capacity && !mappings_grow(maps, memory, from->count)) {
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        Mapping mapping = from->list[i];
        if ((mapping.flags & MAPPING_NOT_FORKED) != 0) {
            continue;
        }
        if ((mapping.flags & MAPPING_WIPED) != 0) {
            mapping.flags &= (uint16_t)~MAPPING_COPIED;
        }
        mapping.flags &= (uint16_t)~MAPPING_LOCKED; /* locks are not inherited */
        mapping_uses(&mapping, 1, use, user);
        maps->list[count++] = mapping;
    }
    maps->count = count;
    return true;
}

void mappings_clear(Mappings *maps, MappingUse *use, void *user) {
    uint32_t count = maps->count;
    maps->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        mapping_uses(&maps->list[i], -1, use, user);
    }
}

void mappings_free(Mappings *maps, const Memory *memory) {
    memory_free(memory, mappings_block(maps), maps->capacity, sizeof *maps->list);
    *maps = (Mappings){0};
}

bool mappings_are_valid(const Mappings *maps) {
    for (uint32_t i = 0; i < maps->count; i++) {
        const Mapping *mapping = &maps->list[i];
        if (mapping->start >= mapping->end || (i > 0 && maps->list[i - 1].end > mapping->start)) {
            return false;
        }
    }
    return true;
}
