/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages around the one that is referenced, whose numbers machines need before the program
 * refers to them: those of a fault-around window and those that a fault may read ahead.
 */
#include "resolve_parts.h"

/* Of the lowest level of x86-64's page tables: what a fault maps around it is in one table. */
enum { RESOLVE_TABLE_ENTRIES = 512 };

/* ---- Fault-around -----------------------------------------------------------------------------
 */

ResolveWindow resolver_window(const Resolver *resolver, uint32_t page) {
    const Directory *directory = resolver->directory;
    uint64_t vpn = directory_vpn(directory, page);
    unsigned shift = resolver->page_shift;
    uint32_t space = directory_space_of(directory, page);
    const Mapping *mapping = mappings_of(&resolver->spaces[space].maps, vpn << shift);
    if (mapping == NULL || mapping->object == OBJECT_NONE || (mapping->flags & MAPPING_SYSV) != 0) {
        return (ResolveWindow){.space = space};
    }
    uint64_t lowest = (mapping->start + (UINT64_C(1) << shift) - 1) >> shift;
    uint64_t end = mapping->end >> shift;
    uint64_t shifted = vpn + resolver->around_shift;
    uint64_t table = (shifted | (RESOLVE_TABLE_ENTRIES - 1)) + 1 - resolver->around_shift;
    uint64_t first = shifted & ~(resolver->around - 1);
    first = first > resolver->around_shift ? first - resolver->around_shift : 0;
    first = first > lowest ? first : lowest;
    uint64_t last = first + resolver->around;
    last = last < end ? last : end;
    last = last < table ? last : table;
    uint64_t index = ((first << shift) - mapping->start + mapping->offset) >> shift;
    return (ResolveWindow){space, mapping->object, index, first, last > first ? last - first : 0};
}

/* Lets a translation that led nowhere show the page of a window, for reading. */
static void resolver_know(Resolver *resolver, const ResolveWindow *window, uint64_t vpn) {
    if (directory_reserve(resolver->directory, 1, NULL) != VMM_OK) {
        resolver->failed = true;
        return;
    }
    uint32_t page = directory_intern(resolver->directory,
                                     directory_key(resolver->directory, window->space, vpn));
    if (!resolver_reserve_pages(resolver) || resolver->object_of[page] != OBJECT_NO_PAGE) {
        return;
    }
    uint32_t object = objects_page(&resolver->objects, &resolver->memory, window->object,
                                   window->index + (vpn - window->first), window->space,
                                   directory_name_of(resolver->directory, page));
    if (object == OBJECT_NO_PAGE) {
        resolver->failed = true;
        return;
    }
    resolver_lead(resolver, page, object, 0); /* its own first reference asks for rights */
}

void resolver_know_around(Resolver *resolver, uint32_t page) {
    if (resolver->around < 2) {
        return;
    }
    ResolveWindow window = resolver_window(resolver, page);
    for (uint64_t i = 0; i < window.count && !resolver->failed; i++) {
        resolver_know(resolver, &window, window.first + i);
    }
}

/* ---- Read-ahead ------------------------------------------------------------------------------ */

void resolver_know_pages(Resolver *resolver, uint32_t object, uint64_t first, uint64_t end,
                         uint32_t space, uint64_t base) {
    uint32_t pid = resolver->directory->pids[space];
    for (uint64_t i = first; i < end && !resolver->failed; i++) {
        resolver->failed |= objects_page(&resolver->objects, &resolver->memory, object, i, space,
                                         directory_name(pid, base + i)) == OBJECT_NO_PAGE;
    }
}

void resolver_know_ahead(Resolver *resolver, const Mapping *mapping, uint32_t page) {
    if (resolver->ahead == 0 || mapping->object == OBJECT_NONE ||
        resolver->objects.objects[mapping->object].kind != OBJECT_FILE) {
        return;
    }
    MemoryObject *file = &resolver->objects.objects[mapping->object];
    uint64_t vpn = directory_vpn(resolver->directory, page);
    uint64_t index = resolver_index(resolver, mapping, vpn);
    if (index >= file->extent) {
        return;
    }
    uint64_t half = resolver->ahead / 2;
    uint64_t first = index > half ? index - half : 0;
    uint64_t end = index + 2 * resolver->ahead;
    end = end < file->extent ? end : file->extent;
    uint32_t space = directory_space_of(resolver->directory, page);
    if (first > file->known_end || end < file->known) {
        resolver_know_pages(resolver, mapping->object, first, end, space, vpn - index);
        file->known = first;
        file->known_end = end;
        return;
    }
    if (first < file->known) {
        resolver_know_pages(resolver, mapping->object, first, file->known, space, vpn - index);
        file->known = first;
    }
    if (end > file->known_end) {
        resolver_know_pages(resolver, mapping->object, file->known_end, end, space, vpn - index);
        file->known_end = end;
    }
}

void resolver_extend(Resolver *resolver, uint32_t space, const Mapping *mapping) {
    uint64_t bytes = mapping->offset + (mapping->end - mapping->start);
    if (resolver->ahead == 0 || resolver->failed || mapping->object == OBJECT_NONE ||
        resolver->objects.objects[mapping->object].kind != OBJECT_FILE || bytes < mapping->offset) {
        return;
    }
    MemoryObject *file = &resolver->objects.objects[mapping->object];
    unsigned shift = resolver->page_shift;
    uint64_t page_size = UINT64_C(1) << shift;
    uint64_t most = UINT64_C(1) << RESOLVE_EXTENT_BITS;
    uint64_t extent = (bytes >> shift) + ((bytes & (page_size - 1)) != 0);
    extent = extent < most ? extent : most;
    uint64_t before = file->extent;
    if (extent <= before) {
        return;
    }
    file->extent = extent;
    if (before != 0 && file->first != OBJECT_NO_PAGE) {
        uint64_t vpn = (mapping->start >> shift) + ((mapping->start & (page_size - 1)) != 0);
        uint64_t base = vpn - resolver_index(resolver, mapping, vpn);
        uint64_t end = before + 2 * resolver->ahead;
        resolver_know_pages(resolver, mapping->object, before, end < extent ? end : extent, space,
                            base);
    }
}

uint8_t resolver_advice(const Resolver *resolver, uint32_t page) {
    const Directory *directory = resolver->directory;
    const ResolveSpace *space = &resolver->spaces[directory_space_of(directory, page)];
    uint64_t start = directory_vpn(directory, page) << resolver->page_shift;
    const Mapping *mapping =
        mappings_first(&space->maps, start, start + (UINT64_C(1) << resolver->page_shift));
    return mapping == NULL ? 0 : mapping->flags & MAPPING_ADVICE;
}
