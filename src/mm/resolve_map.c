/* SPDX-License-Identifier: Apache-2.0 */
/* What mmap(2), munmap(2), mprotect(2) and mremap(2) do to mappings and translations. */
#include "resolve_parts.h"

void resolver_each(Resolver *resolver, const ResolveRange *range, ResolveVisit *visit, void *user) {
    const ResolveSpace *space = &resolver->spaces[range->space];
    if (range->count < space->mapped) {
        for (uint64_t i = 0; i < range->count; i++) {
            uint32_t page = directory_find(resolver->directory, range->space, range->first + i);
            if (page != DIRECTORY_NO_PAGE && page < resolver->pages &&
                resolver->object_of[page] != OBJECT_NO_PAGE) {
                visit(resolver, page, user);
            }
        }
        return;
    }
    uint32_t next;
    for (uint32_t page = space->first; page != 0; page = next) {
        next = resolver->next[page];
        if (directory_vpn(resolver->directory, page) - range->first < range->count) {
            visit(resolver, page, user);
        }
    }
}

ResolveRange resolver_whole_pages(const Resolver *resolver, uint32_t space, uint64_t start,
                                  uint64_t end) {
    uint64_t limit = UINT64_C(1) << resolver->directory->vpn_bits;
    uint64_t last = end >> resolver->page_shift;
    uint64_t first = start >> resolver->page_shift;
    first += first << resolver->page_shift != start;
    last = last < limit ? last : limit;
    return (ResolveRange){space, first, last > first ? last - first : 0};
}

ResolveRange resolver_all_pages(const Resolver *resolver, uint32_t space) {
    return (ResolveRange){space, 0, UINT64_C(1) << resolver->directory->vpn_bits};
}

uint64_t resolver_end(const VMMEvent *event) {
    return event->start + event->length < event->start ? UINT64_MAX : event->start + event->length;
}

void resolver_visit_unmap(Resolver *resolver, uint32_t page, void *user) {
    (void)user;
    resolver_unmap_page(resolver, page);
}

void resolver_use(void *user, uint32_t object, int change) {
    Resolver *resolver = user;
    MemoryObject *used = &resolver->objects.objects[object];
    used->mappings += (uint32_t)change;
    if (used->mappings > 0 || used->kind == OBJECT_FILE) {
        return;
    }
    uint32_t page;
    while ((page = objects_take_page(&resolver->objects, object)) != OBJECT_NO_PAGE) {
        resolver_release(resolver, page);
    }
    objects_remove(&resolver->objects, object);
}

/* An object that is looked at for longer than its mappings may last has one use more meanwhile. */
static void resolver_hold(Resolver *resolver, uint32_t object, int change) {
    if (object != OBJECT_NONE) {
        resolver_use(resolver, object, change);
    }
}

void resolver_unmap(Resolver *resolver, uint32_t space, uint64_t start, uint64_t end) {
    ResolveRange range = resolver_whole_pages(resolver, space, start, end);
    resolver_each(resolver, &range, resolver_visit_unmap, NULL);
    resolver->failed |= !mappings_cut(&resolver->spaces[space].maps, &resolver->memory, start, end,
                                      resolver_use, resolver);
}

void resolver_map(Resolver *resolver, uint32_t space, const VMMEvent *event,
                  bool is_shared_memory) {
    Mapping mapping = {.start = event->start,
                       .end = resolver_end(event),
                       .offset = event->offset,
                       .prot = (uint8_t)event->prot};
    if (mapping.start >= mapping.end) {
        return;
    }
    bool shared = (event->flags & VMM_MAP_SHARED) != 0;
    if (event->file != 0) {
        mapping.object = objects_file(&resolver->objects, &resolver->memory, event->file,
                                      is_shared_memory ? OBJECT_SHARED : OBJECT_FILE);
    } else if (shared) {
        mapping.object = objects_add(&resolver->objects, &resolver->memory, OBJECT_SHARED);
    }
    resolver->failed |= (event->file != 0 || shared) && mapping.object == OBJECT_NONE;
    bool grows =
        mapping.object == OBJECT_NONE && (event->flags & (VMM_MAP_GROWSDOWN | VMM_MAP_STACK)) != 0;
    bool locked = (event->flags & VMM_MAP_LOCKED) != 0;
    bool sysv = mapping.object != OBJECT_NONE && (event->flags & VMM_MAP_SYSV) != 0;
    mapping.flags = (uint16_t)((locked ? MAPPING_LOCKED : 0) | (shared ? MAPPING_SHARED : 0) |
                               (grows ? MAPPING_GROWS_DOWN : 0) | (sysv ? MAPPING_SYSV : 0));
    if (resolver->failed) {
        return;
    }
    resolver_extend(resolver, space, &mapping);
    resolver->spaces[space].ended = false;
    resolver_hold(resolver, mapping.object, 1);
    resolver_unmap(resolver, space, mapping.start, mapping.end);
    resolver->failed |= !mappings_add(&resolver->spaces[space].maps, &resolver->memory, &mapping,
                                      resolver_use, resolver);
    resolver_hold(resolver, mapping.object, -1);
    if ((event->flags & (VMM_MAP_LOCKED | VMM_MAP_POPULATE)) != 0) {
        resolver->populate = (ResolvePopulate){space, mapping.start, mapping.end};
    }
}

/* A translation under a new protection: rights that it loses go at once, others are found anew. */
static void resolver_visit_protect(Resolver *resolver, uint32_t page, void *user) {
    (void)user;
    const Mapping *mapping = resolver_find_mapping(resolver, page);
    uint8_t allowed =
        mapping == NULL ? RIGHT_READ | RIGHT_WRITE : resolver_rights(resolver, mapping);
    uint8_t lost = resolver->rights[page] & (RIGHT_READ | RIGHT_WRITE) & (uint8_t)~allowed;
    if (lost != 0) {
        resolver->rights[page] &= (uint8_t)~lost;
        resolver_note(resolver, RESOLVE_PROTECT, page, resolver->object_of[page], 0);
    }
}

void resolver_protect(Resolver *resolver, uint32_t space, const VMMEvent *event) {
    uint64_t end = resolver_end(event);
    resolver->failed |=
        !mappings_protect(&resolver->spaces[space].maps, &resolver->memory, event->start, end,
                          (uint8_t)event->prot, resolver_use, resolver);
    ResolveRange range = resolver_whole_pages(resolver, space, event->start, end);
    resolver_each(resolver, &range, resolver_visit_protect, NULL);
}

uint32_t resolver_twin(Resolver *resolver, uint32_t page, uint32_t space, uint64_t vpn,
                       uint8_t rights) {
    if (directory_reserve(resolver->directory, 1, NULL) != VMM_OK) {
        resolver->failed = true;
        return DIRECTORY_NO_PAGE;
    }
    uint32_t twin =
        directory_intern(resolver->directory, directory_key(resolver->directory, space, vpn));
    if (!resolver_reserve_pages(resolver)) {
        return DIRECTORY_NO_PAGE;
    }
    uint32_t object = resolver->object_of[page];
    resolver_lead(resolver, twin, object, rights);
    resolver_note(resolver, RESOLVE_COPY, page, object, twin);
    return twin;
}

/* By how many VPNs translations move. */
static void resolver_visit_move(Resolver *resolver, uint32_t page, void *user) {
    const uint64_t *by = user;
    uint32_t space = directory_space_of(resolver->directory, page);
    uint64_t vpn = directory_vpn(resolver->directory, page) + *by;
    if (vpn >> resolver->directory->vpn_bits == 0 && !resolver->failed) {
        resolver_twin(resolver, page, space, vpn, resolver->rights[page]);
    }
    resolver_unmap_page(resolver, page);
}

/* mremap(2) of 0 bytes: what is shared from there on is mapped a second time. */
static void resolver_map_again(Resolver *resolver, uint32_t space, const VMMEvent *event) {
    Mappings *maps = &resolver->spaces[space].maps;
    const Mapping *found =
        event->start == UINT64_MAX ? NULL : mappings_find(maps, event->start, event->start + 1);
    if (found == NULL || (found->flags & MAPPING_SHARED) == 0 || event->value == 0 ||
        event->target > UINT64_MAX - event->value ||
        (event->target <= event->start && event->start - event->target < event->value)) {
        return; /* the system call refuses that, and a place onto itself */
    }
    Mapping second = *found;
    second.offset += event->start - found->start;
    if (second.offset > UINT64_MAX - event->value) {
        return; /* and the end of all files */
    }
    second.start = event->target;
    second.end = event->target + event->value;
    resolver_extend(resolver, space, &second);
    resolver_unmap(resolver, space, second.start, second.end);
    resolver->failed |= !mappings_add(maps, &resolver->memory, &second, resolver_use, resolver);
}

/* Whether private pages were made in any piece of what is mapped of [start, end). */
static bool resolver_has_copies(const Mappings *maps, uint64_t start, uint64_t end) {
    const Mapping *mapping = mappings_first(maps, start, end);
    while (mapping != NULL && (mapping->flags & MAPPING_COPIED) == 0) {
        mapping = mappings_first(maps, mapping->end, end);
    }
    return mapping != NULL;
}

void resolver_remap(Resolver *resolver, uint32_t space, const VMMEvent *event) {
    if (event->length == 0) {
        resolver_map_again(resolver, space, event);
        return;
    }
    uint64_t start = event->start;
    uint64_t end = resolver_end(event);
    uint64_t kept = event->value < event->length ? event->value : event->length;
    uint64_t apart = event->target > start ? event->target - start : start - event->target;
    if (apart != 0 && apart < (event->target > start ? end - start : event->value)) {
        return; /* onto itself: the system call refuses that, */
    }
    if (event->target > UINT64_MAX - event->value) {
        return; /* and the end of all addresses, */
    }
    Mappings *maps = &resolver->spaces[space].maps;
    Mapping *found = mappings_find(maps, start, end);
    Mapping moved = found == NULL ? (Mapping){0} : *found;
    moved.offset += found != NULL && start > found->start ? start - found->start : 0;
    if (moved.object != OBJECT_NONE && moved.offset > UINT64_MAX - event->value) {
        return; /* and that of all files */
    }
    if (resolver_has_copies(maps, start, end)) {
        moved.flags |= MAPPING_COPIED;
    }
    moved.start = event->target;
    moved.end = event->target + event->value;
    bool known = found != NULL && moved.end > moved.start;
    resolver_hold(resolver, moved.object, 1); /* it stays while it is moved */
    if (known) {
        resolver_extend(resolver, space, &moved);
    }
    resolver_unmap(resolver, space, start + kept, end);
    if (event->target != start) {
        resolver_unmap(resolver, space, moved.start, moved.end);
        uint64_t by = (event->target >> resolver->page_shift) - (start >> resolver->page_shift);
        ResolveRange range = resolver_whole_pages(resolver, space, start, start + kept);
        resolver_each(resolver, &range, resolver_visit_move, &by);
        resolver->failed |=
            !mappings_cut(maps, &resolver->memory, start, start + kept, resolver_use, resolver);
    }
    if (known && !resolver->failed) {
        resolver->failed |= !mappings_add(maps, &resolver->memory, &moved, resolver_use, resolver);
    }
    resolver_hold(resolver, moved.object, -1);
    if (known && (moved.flags & MAPPING_LOCKED) != 0) { /* what it grew by */
        resolver->populate = (ResolvePopulate){space, moved.start + kept, moved.end};
    }
}
