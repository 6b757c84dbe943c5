/* SPDX-License-Identifier: Apache-2.0 */
/* Searching, splitting and joining the mappings of an address space. */
#include "mapping.h"

#include <string.h>

/* Room for two more: a cut in the middle of a mapping makes one, an addition another. */
static bool mappings_reserve(Mappings *maps, const Memory *memory) {
    if (maps->count + 2 <= maps->capacity) {
        return true;
    }
    uint32_t capacity = maps->capacity * 2 + 8;
    Mapping *grown = memory_grow(memory, maps->list, maps->capacity, capacity, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    maps->list = grown;
    maps->capacity = capacity;
    return true;
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
    Mapping *lower = &maps->list[at];
    memmove(lower + 1, lower, (maps->count - at) * sizeof *lower);
    maps->count++;
    lower->end = address;
    lower[1].offset += address - lower[1].start;
    lower[1].start = address;
    mapping_uses(lower, 1, use, user);
}

bool mappings_cut(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                  MappingUse *use, void *user) {
    if (start >= end || mappings_find(maps, start, end) == NULL) {
        return true;
    }
    if (!mappings_reserve(maps, memory)) {
        return false;
    }
    mappings_split(maps, start, use, user);
    mappings_split(maps, end, use, user);
    uint32_t from = mappings_at(maps, start);
    uint32_t to = from;
    for (; to < maps->count && maps->list[to].start < end; to++) {
        mapping_uses(&maps->list[to], -1, use, user);
    }
    memmove(&maps->list[from], &maps->list[to], (maps->count - to) * sizeof *maps->list);
    maps->count -= to - from;
    return true;
}

static bool mapping_continues(const Mapping *a, const Mapping *b) {
    return a->end == b->start && a->object == b->object && a->prot == b->prot &&
           a->flags == b->flags && (a->object == 0 || a->offset + (a->end - a->start) == b->offset);
}

/* Joins the mapping at `at` with the one before it, if it continues that. */
static void mappings_join(Mappings *maps, uint32_t at, MappingUse *use, void *user) {
    if (at == 0 || at >= maps->count || !mapping_continues(&maps->list[at - 1], &maps->list[at])) {
        return;
    }
    mapping_uses(&maps->list[at], -1, use, user);
    maps->list[at - 1].end = maps->list[at].end;
    memmove(&maps->list[at], &maps->list[at + 1], (maps->count - at - 1) * sizeof *maps->list);
    maps->count--;
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
    memmove(&maps->list[at + 1], &maps->list[at], (maps->count - at) * sizeof *maps->list);
    maps->list[at] = *mapping;
    maps->count++;
    mappings_join(maps, at + 1, use, user);
    mappings_join(maps, at, use, user);
    return true;
}

bool mappings_protect(Mappings *maps, const Memory *memory, uint64_t start, uint64_t end,
                      uint8_t prot, MappingUse *use, void *user) {
    if (start >= end || mappings_find(maps, start, end) == NULL) {
        return true;
    }
    if (!mappings_reserve(maps, memory)) {
        return false;
    }
    mappings_split(maps, start, use, user);
    mappings_split(maps, end, use, user);
    uint32_t from = mappings_at(maps, start);
    uint32_t to = from;
    for (; to < maps->count && maps->list[to].start < end; to++) {
        maps->list[to].prot = prot;
    }
    for (uint32_t at = to + 1; at-- > from;) {
        mappings_join(maps, at, use, user);
    }
    return true;
}

bool mappings_copy(Mappings *maps, const Mappings *from, const Memory *memory, MappingUse *use,
                   void *user) {
    if (from->count > maps->capacity) {
        Mapping *grown =
            memory_grow(memory, maps->list, maps->capacity, from->count, sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        maps->list = grown;
        maps->capacity = from->count;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        maps->list[i] = from->list[i];
        mapping_uses(&maps->list[i], 1, use, user);
    }
    maps->count = from->count;
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
    memory_free(memory, maps->list, maps->capacity, sizeof *maps->list);
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
