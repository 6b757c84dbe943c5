/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What references lead to, and the resolver's own memory: see resolve.h. The rest of it:
 *
 *     resolve_window.c   the pages around a reference: fault-around, read-ahead
 *     resolve_map.c      mmap, munmap, mprotect, mremap
 *     resolve_advise.c   madvise, mlock
 *     resolve_event.c    events as they come; fork, exec and the end of processes
 */
#include "resolve_parts.h"

void resolver_init(Resolver *resolver, const Memory *memory, Directory *directory,
                   const Settings *settings) {
    *resolver = (Resolver){.memory = *memory,
                           .directory = directory,
                           .page_shift = settings_page_shift(settings),
                           .strict = settings->mappings == MAPPINGS_COMPLETE,
                           .shares_zeros = settings->zero_page != 0,
                           .around = settings->fault_around >> settings_page_shift(settings),
                           .around_shift = settings->fault_around_shift,
                           .ahead = settings->read_ahead >> settings_page_shift(settings),
                           .stack_limit = settings->stack_limit};
}

/* One array of those by translation. */
typedef struct ResolveArray {
    void **block;
    size_t size; /* of an element */
} ResolveArray;

enum { RESOLVE_ARRAYS = sizeof((Resolver *)0)->rooms / sizeof *((Resolver *)0)->rooms };

static ResolveArray resolver_array(Resolver *resolver, unsigned i) {
    const ResolveArray arrays[RESOLVE_ARRAYS] = {
        {(void **)&resolver->object_of, sizeof *resolver->object_of},
        {(void **)&resolver->rights, sizeof *resolver->rights},
        {(void **)&resolver->next, sizeof *resolver->next},
        {(void **)&resolver->before, sizeof *resolver->before},
    };
    return arrays[i];
}

void resolver_free(Resolver *resolver) {
    const Memory *memory = &resolver->memory;
    objects_free(&resolver->objects, memory);
    for (unsigned i = 0; i < RESOLVE_ARRAYS; i++) {
        ResolveArray array = resolver_array(resolver, i);
        memory_free(memory, *array.block, resolver->rooms[i], array.size);
    }
    for (uint32_t i = 0; i < resolver->space_count; i++) {
        mappings_free(&resolver->spaces[i].maps, memory);
    }
    memory_free(memory, resolver->spaces, resolver->space_capacity, sizeof *resolver->spaces);
    memory_free(memory, resolver->killed, resolver->killed_capacity, sizeof *resolver->killed);
    memory_free(memory, resolver->ops, resolver->op_capacity, sizeof *resolver->ops);
}

/* ---- Room ----------------------------------------------------------------------------------- */

bool resolver_grow(Resolver *resolver, void **array, uint32_t old, uint32_t wanted, size_t size) {
    void *grown = memory_grow(&resolver->memory, *array, old, wanted, size);
    *array = grown != NULL ? grown : *array;
    resolver->failed |= grown == NULL;
    return grown != NULL;
}

bool resolver_reserve_pages(Resolver *resolver) {
    uint32_t count = resolver->directory->count;
    if (count > resolver->page_capacity) {
        uint64_t room = (uint64_t)count + count / 2;
        uint32_t wanted = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
        for (unsigned i = 0; i < RESOLVE_ARRAYS; i++) {
            ResolveArray array = resolver_array(resolver, i);
            if (resolver->rooms[i] < wanted &&
                !resolver_grow(resolver, array.block, resolver->rooms[i], wanted, array.size)) {
                return false;
            }
            resolver->rooms[i] = wanted;
        }
        resolver->page_capacity = wanted;
    }
    for (uint32_t page = resolver->pages; page < count; page++) {
        resolver->object_of[page] = OBJECT_NO_PAGE;
        resolver->rights[page] = 0;
    }
    resolver->pages = count > resolver->pages ? count : resolver->pages;
    return true;
}

static bool resolver_reserve_spaces(Resolver *resolver) {
    uint32_t count = resolver->directory->space_count;
    if (count > resolver->space_capacity) {
        uint32_t wanted = count + count / 2 + 4;
        if (!resolver_grow(resolver, (void **)&resolver->spaces, resolver->space_capacity, wanted,
                           sizeof *resolver->spaces)) {
            return false;
        }
        resolver->space_capacity = wanted;
    }
    for (uint32_t space = resolver->space_count; space < count; space++) {
        resolver->spaces[space] = (ResolveSpace){.within = space, .users = 1};
    }
    resolver->space_count = count > resolver->space_count ? count : resolver->space_count;
    return true;
}

int resolver_reserve(Resolver *resolver, Error *error) {
    if (!resolver_reserve_pages(resolver) || !resolver_reserve_spaces(resolver)) {
        return error_no_memory(error, resolver->directory->count * (size_t)13, "address spaces");
    }
    return VMM_OK;
}

void resolver_note(Resolver *resolver, ResolveOpType type, uint32_t page, uint32_t object,
                   uint32_t to) {
    if (resolver->op_count == resolver->op_capacity) {
        uint32_t wanted = resolver->op_capacity * 2 + 64;
        if (!resolver_grow(resolver, (void **)&resolver->ops, resolver->op_capacity, wanted,
                           sizeof *resolver->ops)) {
            return;
        }
        resolver->op_capacity = wanted;
    }
    resolver->ops[resolver->op_count++] = (ResolveOp){type, page, object, to};
}

/* ---- Locks ----------------------------------------------------------------------------------
 */

/* A translation in a locked mapping more leads to an object page, */
static void resolver_add_lock(Resolver *resolver, uint32_t object) {
    if (resolver->objects.locks[object]++ > 0) {
        return;
    }
    if (resolver->in_event) {
        resolver_note(resolver, RESOLVE_LOCK, 0, object, 0);
    } else {
        resolver->locked = object;
    }
}

/* or one fewer. True: it was the last one. */
static bool resolver_take_lock(Resolver *resolver, uint32_t object) {
    return --resolver->objects.locks[object] == 0;
}

static void resolver_tell_unlocked(Resolver *resolver, uint32_t object) {
    if (resolver->in_event) {
        resolver_note(resolver, RESOLVE_UNLOCK, 0, object, 0);
    } else {
        resolver->unlocked = object;
    }
}

/* ---- Translations --------------------------------------------------------------------------- */

static ResolveSpace *resolver_space_of(Resolver *resolver, uint32_t page) {
    return &resolver->spaces[directory_space_of(resolver->directory, page)];
}

void resolver_lead(Resolver *resolver, uint32_t page, uint32_t object, uint8_t rights) {
    ResolveSpace *space = resolver_space_of(resolver, page);
    resolver->object_of[page] = object;
    resolver->rights[page] = rights;
    resolver->objects.owners[object]++;
    if ((rights & RIGHT_LOCKED) != 0) {
        resolver_add_lock(resolver, object);
    }
    resolver->before[page] = 0;
    resolver->next[page] = space->first;
    if (space->first != 0) {
        resolver->before[space->first] = page;
    }
    space->first = page;
    space->mapped++;
    space->ended = false;
}

/* The reverse, but for the owner. True: the object page is not locked any more. */
static bool resolver_unlink(Resolver *resolver, uint32_t page) {
    bool unlocked = (resolver->rights[page] & RIGHT_LOCKED) != 0 &&
                    resolver_take_lock(resolver, resolver->object_of[page]);
    ResolveSpace *space = resolver_space_of(resolver, page);
    uint32_t next = resolver->next[page];
    uint32_t before = resolver->before[page];
    if (next != 0) {
        resolver->before[next] = before;
    }
    if (before != 0) {
        resolver->next[before] = next;
    } else {
        space->first = next;
    }
    space->mapped--;
    resolver->object_of[page] = OBJECT_NO_PAGE;
    resolver->rights[page] = 0;
    return unlocked;
}

bool resolver_release(Resolver *resolver, uint32_t object) {
    if (!objects_release(&resolver->objects, object)) {
        return false;
    }
    resolver_note(resolver, RESOLVE_DROP, 0, object, 0);
    resolver->zeros = resolver->zeros == object ? 0 : resolver->zeros;
    return true;
}

void resolver_unmap_page(Resolver *resolver, uint32_t page) {
    uint32_t object = resolver->object_of[page];
    bool unlocked = resolver_unlink(resolver, page);
    resolver_note(resolver, RESOLVE_UNMAP, page, object, 0);
    if (!resolver_release(resolver, object) && unlocked) {
        resolver_tell_unlocked(resolver, object);
    }
}

bool resolver_begin(Resolver *resolver) {
    Directory *directory = resolver->directory;
    if (!objects_begin(&resolver->objects, &resolver->memory, directory->count,
                       directory->space_count)) {
        resolver->failed = true;
        return false;
    }
    for (uint32_t page = 1; page < directory->count; page++) {
        resolver->objects.owners[page] = 0;
        resolver->objects.charged[page] = directory_space_of(directory, page);
        resolver->objects.name[page] = directory_name_of(directory, page);
        resolver_lead(resolver, page, page, RIGHT_READ | RIGHT_WRITE);
    }
    resolver->on = true;
    return true;
}

/* ---- References ----------------------------------------------------------------------------- */

Mapping *resolver_find_mapping(Resolver *resolver, uint32_t page) {
    ResolveSpace *space = resolver_space_of(resolver, page);
    uint64_t start = directory_vpn(resolver->directory, page) << resolver->page_shift;
    uint64_t end = start + (UINT64_C(1) << resolver->page_shift);
    uint32_t at = mappings_at(&space->maps, start);
    if (at == space->maps.count) {
        return NULL;
    }
    Mapping *mapping = &space->maps.list[at];
    if (mapping->start < end) {
        return mapping;
    }
    if ((mapping->flags & MAPPING_GROWS_DOWN) != 0 &&
        mapping->end - start <= resolver->stack_limit) {
        mapping->start = start;
        return mapping;
    }
    return NULL;
}

uint64_t resolver_index(const Resolver *resolver, const Mapping *mapping, uint64_t vpn) {
    uint64_t start = vpn << resolver->page_shift;
    return (start - mapping->start + mapping->offset) >> resolver->page_shift;
}

/* The page of the object that a mapping shows at a translation. */
static uint32_t resolver_object_page(Resolver *resolver, const Mapping *mapping, uint32_t page) {
    uint64_t index = resolver_index(resolver, mapping, directory_vpn(resolver->directory, page));
    uint32_t object = objects_page(&resolver->objects, &resolver->memory, mapping->object, index,
                                   directory_space_of(resolver->directory, page),
                                   directory_name_of(resolver->directory, page));
    resolver->failed |= object == OBJECT_NO_PAGE;
    return object;
}

static uint32_t resolver_new_page(Resolver *resolver, ObjectKind kind, uint32_t page) {
    uint32_t object = objects_new_page(&resolver->objects, &resolver->memory, kind,
                                       directory_space_of(resolver->directory, page),
                                       directory_name_of(resolver->directory, page));
    resolver->failed |= object == OBJECT_NO_PAGE;
    return object;
}

static uint32_t resolver_zeros(Resolver *resolver, uint32_t page) {
    if (resolver->zeros == 0) {
        resolver->zeros = resolver_new_page(resolver, OBJECT_ZEROS, page);
        if (resolver->zeros != 0) {
            resolver->objects.owners[resolver->zeros] = 1; /* it stays */
        }
    }
    return resolver->zeros;
}

uint8_t resolver_rights(const Resolver *resolver, const Mapping *mapping) {
    uint8_t locked = (mapping->flags & MAPPING_LOCKED) != 0 ? RIGHT_LOCKED : 0;
    if (!resolver->strict) {
        return RIGHT_READ | RIGHT_WRITE | locked;
    }
    uint8_t read = (mapping->prot & (VMM_PROT_READ | VMM_PROT_EXEC | VMM_PROT_WRITE)) != 0;
    return (uint8_t)(locked | (read ? RIGHT_READ : 0) |
                     ((mapping->prot & VMM_PROT_WRITE) != 0 ? RIGHT_WRITE : 0));
}

void resolver_set_rights(Resolver *resolver, uint32_t page, uint8_t rights) {
    uint32_t object = resolver->object_of[page];
    uint8_t before = resolver->rights[page];
    resolver->rights[page] = rights;
    if ((rights & ~before & RIGHT_LOCKED) != 0) {
        resolver_add_lock(resolver, object);
    } else if ((before & ~rights & RIGHT_LOCKED) != 0 && resolver_take_lock(resolver, object)) {
        resolver_tell_unlocked(resolver, object);
    }
}

/* A private copy of `source`, or of the file's page that is behind a private mapping. */
static Resolved resolver_copy(Resolver *resolver, Mapping *mapping, uint32_t page,
                              uint32_t source) {
    uint32_t object = resolver_new_page(resolver, OBJECT_ANONYMOUS, page);
    if (object == OBJECT_NO_PAGE) {
        return (Resolved){.how = RESOLVED_FORBIDDEN};
    }
    if (resolver->object_of[page] != OBJECT_NO_PAGE) {
        resolver->unlocked = resolver_unlink(resolver, page) ? source : OBJECT_NO_PAGE;
        objects_release(&resolver->objects, source); /* never the last owner */
    }
    resolver_lead(resolver, page, object, resolver_rights(resolver, mapping));
    mapping->flags |= MAPPING_COPIED;
    return (Resolved){.how = RESOLVED_COPY, .object = object, .source = source};
}

/* ---- First references and writes --------------------------------------------------------------
 */

/* The first reference through a translation. */
static Resolved resolver_first(Resolver *resolver, Mapping *mapping, uint32_t page, bool write) {
    uint8_t rights = resolver_rights(resolver, mapping);
    uint32_t object;
    if (mapping->object == OBJECT_NONE && (write || !resolver->shares_zeros)) {
        object = resolver_new_page(resolver, OBJECT_ANONYMOUS, page);
        mapping->flags |= MAPPING_COPIED;
    } else if (mapping->object == OBJECT_NONE) {
        object = resolver_zeros(resolver, page);
        rights &= (uint8_t)~RIGHT_WRITE;
    } else {
        object = resolver_object_page(resolver, mapping, page);
        if ((mapping->flags & MAPPING_SHARED) == 0) {
            if (write && object != OBJECT_NO_PAGE) {
                return resolver_copy(resolver, mapping, page, object);
            }
            rights &= (uint8_t)~RIGHT_WRITE;
        }
    }
    if (object == OBJECT_NO_PAGE) {
        return (Resolved){.how = RESOLVED_FORBIDDEN};
    }
    resolver_lead(resolver, page, object, rights);
    resolver_know_around(resolver, page);
    return (Resolved){.object = object};
}

/* A write through a translation that leads somewhere without the right to it. */
static Resolved resolver_write(Resolver *resolver, Mapping *mapping, uint32_t page) {
    uint32_t object = resolver->object_of[page];
    bool shared = (mapping->flags & MAPPING_SHARED) != 0 && mapping->object != OBJECT_NONE;
    bool own =
        resolver->objects.kind[object] == OBJECT_ANONYMOUS && resolver->objects.owners[object] == 1;
    if (!shared && !own) {
        return resolver_copy(resolver, mapping, page, object);
    }
    bool taken_over = (resolver->rights[page] & RIGHT_COPY_ON_WRITE) != 0;
    resolver_set_rights(resolver, page, resolver_rights(resolver, mapping));
    return (Resolved){.how = taken_over ? RESOLVED_REUSE : RESOLVED_PLAINLY, .object = object};
}

static Resolved resolver_resolve(Resolver *resolver, uint32_t page, bool write) {
    Mapping *mapping = resolver_find_mapping(resolver, page);
    Mapping anonymous = {.prot = VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC};
    uint32_t object = resolver->object_of[page];
    if (mapping == NULL && !resolver->strict) {
        mapping = &anonymous;
    }
    uint8_t rights = mapping == NULL ? 0 : resolver_rights(resolver, mapping);
    if (resolver->failed || (rights & (write ? RIGHT_WRITE : RIGHT_READ)) == 0) {
        return (Resolved){.how = RESOLVED_FORBIDDEN, .object = OBJECT_NO_PAGE};
    }
    resolver_know_ahead(resolver, mapping, page);
    if (object == OBJECT_NO_PAGE) {
        return resolver_first(resolver, mapping, page, write);
    }
    if (write) {
        return resolver_write(resolver, mapping, page);
    }
    /* A protection was lifted, or it was only known. */
    resolver_set_rights(resolver, page,
                        (uint8_t)(resolver->rights[page] | RIGHT_READ | (rights & RIGHT_LOCKED)));
    resolver_know_around(resolver, page);
    return (Resolved){.object = object};
}

Resolved resolver_reference(Resolver *resolver, uint32_t page, bool write) {
    resolver->locked = resolver->unlocked = OBJECT_NO_PAGE;
    Resolved resolved = resolver_resolve(resolver, page, write);
    resolved.locked = resolver->locked;
    resolved.unlocked = resolver->unlocked;
    return resolved;
}

bool resolver_is_valid(const Resolver *resolver) {
    uint64_t chained = 0;
    for (uint32_t i = 0; i < resolver->space_count; i++) {
        const ResolveSpace *space = &resolver->spaces[i];
        uint32_t mapped = 0;
        for (uint32_t page = space->first; page != 0; page = resolver->next[page]) {
            uint32_t object = resolver->object_of[page];
            mapped++;
            if (object == OBJECT_NO_PAGE || resolver->objects.owners[object] == 0 ||
                directory_space_of(resolver->directory, page) != i) {
                return false;
            }
        }
        chained += mapped;
        if (mapped != space->mapped || !mappings_are_valid(&space->maps)) {
            return false;
        }
    }
    uint64_t leading = 0;
    for (uint32_t page = 1; page < resolver->pages; page++) {
        leading += resolver->object_of[page] != OBJECT_NO_PAGE;
    }
    return leading == chained && resolver_agrees(resolver);
}
