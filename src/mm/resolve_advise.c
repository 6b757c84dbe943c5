/* SPDX-License-Identifier: Apache-2.0 */
/* What madvise(2) and mlock(2) do: content that may be lost, pages to be read, pages that stay. */
#include <stdlib.h>

#include "resolve_parts.h"

/* Values of madvise(2) on Linux. */
enum {
    ADVICE_NORMAL,
    ADVICE_RANDOM,
    ADVICE_SEQUENTIAL,
    ADVICE_WILLNEED,
    ADVICE_DONTNEED,
    ADVICE_FREE = 8,
    ADVICE_DONTFORK = 10,
    ADVICE_DOFORK,
    ADVICE_WIPEONFORK = 18,
    ADVICE_KEEPONFORK
};

static void resolver_visit_free(Resolver *resolver, uint32_t page, void *user) {
    (void)user;
    uint32_t object = resolver->object_of[page];
    if (resolver->objects.kind[object] == OBJECT_ANONYMOUS &&
        resolver->objects.owners[object] == 1) {
        resolver_note(resolver, RESOLVE_CLEAN, page, object, 0);
    }
}

typedef struct ResolvePlace {
    uint64_t vpn;
    ResolveOp op;
} ResolvePlace;

static int resolver_compare_places(const void *a, const void *b) {
    uint64_t one = ((const ResolvePlace *)a)->vpn;
    uint64_t other = ((const ResolvePlace *)b)->vpn;
    return (one > other) - (one < other);
}

/* Orders what is noted by address, as a kernel goes through a range: policies may see the order. */
static void resolver_sort_ops(Resolver *resolver) {
    uint32_t count = resolver->op_count;
    ResolvePlace *places =
        count > 1 ? memory_zalloc(&resolver->memory, count, sizeof *places) : NULL;
    resolver->failed |= count > 1 && places == NULL;
    if (places == NULL) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        places[i] = (ResolvePlace){directory_vpn(resolver->directory, resolver->ops[i].page),
                                   resolver->ops[i]};
    }
    qsort(places, count, sizeof *places, resolver_compare_places);
    for (uint32_t i = 0; i < count; i++) {
        resolver->ops[i] = places[i].op;
    }
    memory_free(&resolver->memory, places, count, sizeof *places);
}

/* What a mapping of a file or a segment shows of [start, end) is to be read. */
static void resolver_need_object(Resolver *resolver, uint32_t space, const Mapping *mapping,
                                 uint64_t start, uint64_t end) {
    unsigned shift = resolver->page_shift;
    uint32_t object = mapping->object;
    bool file = resolver->objects.objects[object].kind == OBJECT_FILE;
    uint64_t index = (start - mapping->start + mapping->offset) >> shift;
    uint64_t last = (end - 1 - mapping->start + mapping->offset) >> shift;
    if (last >> RESOLVE_EXTENT_BITS != 0) {
        return;
    }
    uint64_t vpn =
        (mapping->start >> shift) + ((mapping->start & ((UINT64_C(1) << shift) - 1)) != 0);
    uint64_t base = vpn - resolver_index(resolver, mapping, vpn);
    uint32_t begins = 1;
    for (; index <= last && !resolver->failed; index++) {
        if (file) {
            resolver_know_pages(resolver, object, index, index + 1, space, base);
        }
        uint32_t page = objects_find(&resolver->objects, object, index);
        if (page != OBJECT_NO_PAGE) {
            resolver_note(resolver, RESOLVE_NEED, begins, page, 0);
            begins = 0;
        }
    }
}

/* MADV_WILLNEED: what is mapped of a range is read, in the order of addresses; first what files and
   segments have of it, then private memory. */
static void resolver_need(Resolver *resolver, uint32_t space, uint64_t start, uint64_t end) {
    uint64_t most = (uint64_t)RESOLVE_MOST_NEEDED << resolver->page_shift;
    end = end - start < most ? end : start + most;
    const Mappings *maps = &resolver->spaces[space].maps;
    for (uint64_t from = start; from < end && !resolver->failed;) {
        const Mapping *mapping = mappings_first(maps, from, end);
        if (mapping == NULL) {
            break;
        }
        from = from > mapping->start ? from : mapping->start;
        uint64_t to = end < mapping->end ? end : mapping->end;
        if (mapping->object != OBJECT_NONE) {
            resolver_need_object(resolver, space, mapping, from, to);
        }
        from = to;
    }
    ResolveRange range = resolver_whole_pages(resolver, space, start, end);
    for (uint64_t i = 0; i < range.count; i++) {
        uint32_t page = directory_find(resolver->directory, space, range.first + i);
        if (page == DIRECTORY_NO_PAGE || page >= resolver->pages ||
            resolver->object_of[page] == OBJECT_NO_PAGE) {
            continue;
        }
        const Mapping *mapping = resolver_find_mapping(resolver, page);
        if (mapping == NULL || mapping->object == OBJECT_NONE) {
            resolver_note(resolver, RESOLVE_NEED, 0, resolver->object_of[page], 0);
        }
    }
}

/* The advice that is a property of mappings: flags of them that go, and those that come. */
static bool resolver_sets_flags(uint64_t advice, uint8_t *cleared, uint8_t *set) {
    static const struct {
        uint8_t advice, cleared, set;
    } flags[] = {
        {ADVICE_NORMAL, MAPPING_ADVICE, 0},
        {ADVICE_RANDOM, MAPPING_ADVICE, MAPPING_RANDOM},
        {ADVICE_SEQUENTIAL, MAPPING_ADVICE, MAPPING_SEQUENTIAL},
        {ADVICE_DONTFORK, 0, MAPPING_NOT_FORKED},
        {ADVICE_DOFORK, MAPPING_NOT_FORKED, 0},
        {ADVICE_WIPEONFORK, 0, MAPPING_WIPED},
        {ADVICE_KEEPONFORK, MAPPING_WIPED, 0},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(flags); i++) {
        if (flags[i].advice == advice) {
            *cleared = flags[i].cleared;
            *set = flags[i].set;
            return true;
        }
    }
    return false;
}

/* MADV_DONTNEED is refused for what is locked. */
static void resolver_visit_discard(Resolver *resolver, uint32_t page, void *user) {
    (void)user;
    if ((resolver->rights[page] & RIGHT_LOCKED) == 0) {
        resolver_unmap_page(resolver, page);
    }
}

/* A translation whose mapping is locked or unlocked now. */
static void resolver_visit_lock(Resolver *resolver, uint32_t page, void *user) {
    (void)user;
    const Mapping *mapping = resolver_find_mapping(resolver, page);
    bool locked = mapping != NULL && (mapping->flags & MAPPING_LOCKED) != 0;
    uint8_t rights = resolver->rights[page] & (uint8_t)~RIGHT_LOCKED;
    resolver_set_rights(resolver, page, (uint8_t)(rights | (locked ? RIGHT_LOCKED : 0)));
}

void resolver_lock(Resolver *resolver, uint32_t space, const VMMEvent *event) {
    bool locks = event->type == VMM_EVENT_LOCK;
    uint64_t end = resolver_end(event);
    resolver->failed |= !mappings_lock(&resolver->spaces[space].maps, &resolver->memory,
                                       event->start, end, locks, resolver_use, resolver);
    ResolveRange range = resolver_whole_pages(resolver, space, event->start, end);
    resolver_each(resolver, &range, resolver_visit_lock, NULL);
    if (locks) {
        resolver->populate = (ResolvePopulate){space, event->start, end};
    }
}

bool resolver_next_populated(Resolver *resolver, uint64_t *address, bool *write) {
    const ResolvePopulate *populate = &resolver->populate;
    if (populate->start >= populate->end) {
        return false;
    }
    Mappings *maps = &resolver->spaces[populate->space].maps;
    uint64_t size = UINT64_C(1) << resolver->page_shift;
    uint64_t limit = UINT64_C(1) << (resolver->directory->vpn_bits + resolver->page_shift);
    uint64_t end = populate->end < limit ? populate->end : limit;
    for (uint32_t i = mappings_at(maps, *address); i < maps->count; i++) {
        const Mapping *mapping = &maps->list[i];
        uint64_t from = mapping->start > *address ? mapping->start : *address;
        uint64_t to = mapping->end < end ? mapping->end : end;
        from = (from + size - 1) >> resolver->page_shift << resolver->page_shift;
        if (from < to && to - from >= size && mapping->prot != 0) {
            *address = from;
            *write =
                (mapping->prot & VMM_PROT_WRITE) != 0 && (mapping->flags & MAPPING_SHARED) == 0;
            return true;
        }
    }
    return false;
}

void resolver_advise(Resolver *resolver, uint32_t space, const VMMEvent *event) {
    uint64_t end = resolver_end(event);
    ResolveRange range = resolver_whole_pages(resolver, space, event->start, end);
    uint8_t cleared, set;
    if (resolver_sets_flags(event->value, &cleared, &set)) {
        resolver->failed |=
            !mappings_advise(&resolver->spaces[space].maps, &resolver->memory, event->start, end,
                             cleared, set, resolver_use, resolver);
        return;
    }
    switch (event->value) {
    case ADVICE_WILLNEED:
        if (resolver->ahead != 0) {
            resolver_need(resolver, space, event->start, resolver_end(event));
        }
        break;
    case ADVICE_DONTNEED:
        resolver_each(resolver, &range, resolver_visit_discard, NULL);
        break;
    case ADVICE_FREE:
        resolver_each(resolver, &range, resolver_visit_free, NULL);
        resolver_sort_ops(resolver);
        break;
    default:
        break;
    }
}
