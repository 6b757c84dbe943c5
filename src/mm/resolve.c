/* SPDX-License-Identifier: Apache-2.0 */
/* References and events on address spaces: see resolve.h. */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

/* Of the lowest level of x86-64's page tables: what a fault maps around it is in one table. */
enum { RESOLVE_TABLE_ENTRIES = 512 };

/* Read-ahead and MADV_WILLNEED know so many pages of a file, as a power of two. */
enum { RESOLVE_EXTENT_BITS = 40 };

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

void resolver_init(Resolver *resolver, const Memory *memory, Directory *directory,
                   const Settings *settings) {
    *resolver = (Resolver){.memory = *memory,
                           .directory = directory,
                           .page_shift = settings_page_shift(settings),
                           .strict = settings->mappings == MAPPINGS_COMPLETE,
                           .shares_zeros = settings->zero_page != 0,
                           .around = settings->fault_around >> settings_page_shift(settings),
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

static bool resolver_grow(Resolver *resolver, void **array, uint32_t old, uint32_t wanted,
                          size_t size) {
    void *grown = memory_grow(&resolver->memory, *array, old, wanted, size);
    *array = grown != NULL ? grown : *array;
    resolver->failed |= grown == NULL;
    return grown != NULL;
}

static bool resolver_reserve_pages(Resolver *resolver) {
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

static void resolver_note(Resolver *resolver, ResolveOpType type, uint32_t page, uint32_t object,
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

/* Lets a translation, which led nowhere, lead to an object page. */
static void resolver_lead(Resolver *resolver, uint32_t page, uint32_t object, uint8_t rights) {
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

/* True: the page is gone. */
static bool resolver_release(Resolver *resolver, uint32_t object) {
    if (!objects_release(&resolver->objects, object)) {
        return false;
    }
    resolver_note(resolver, RESOLVE_DROP, 0, object, 0);
    resolver->zeros = resolver->zeros == object ? 0 : resolver->zeros;
    return true;
}

/* Gives a translation up. */
static void resolver_unmap_page(Resolver *resolver, uint32_t page) {
    uint32_t object = resolver->object_of[page];
    bool unlocked = resolver_unlink(resolver, page);
    resolver_note(resolver, RESOLVE_UNMAP, page, object, 0);
    if (!resolver_release(resolver, object) && unlocked) {
        resolver_tell_unlocked(resolver, object);
    }
}

/* Everything so far: anonymous memory, each translation with the page of its own number. */
static bool resolver_begin(Resolver *resolver) {
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

/* What a page of the machine lies in; NULL: in nothing that is known. A stack grows to it. */
static Mapping *resolver_find_mapping(Resolver *resolver, uint32_t page) {
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

/* Which page of the object a mapping shows at a virtual page. */
static uint64_t resolver_index(const Resolver *resolver, const Mapping *mapping, uint64_t vpn) {
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

/* What a mapping's protection lets a translation to a page of its own do. */
static uint8_t resolver_rights(const Resolver *resolver, const Mapping *mapping) {
    uint8_t locked = (mapping->flags & MAPPING_LOCKED) != 0 ? RIGHT_LOCKED : 0;
    if (!resolver->strict) {
        return RIGHT_READ | RIGHT_WRITE | locked;
    }
    uint8_t read = (mapping->prot & (VMM_PROT_READ | VMM_PROT_EXEC | VMM_PROT_WRITE)) != 0;
    return (uint8_t)(locked | (read ? RIGHT_READ : 0) |
                     ((mapping->prot & VMM_PROT_WRITE) != 0 ? RIGHT_WRITE : 0));
}

/* A translation that leads to a page gets other rights, and maybe its mapping's lock. */
static void resolver_set_rights(Resolver *resolver, uint32_t page, uint8_t rights) {
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
    uint64_t table = (vpn | (RESOLVE_TABLE_ENTRIES - 1)) + 1;
    uint64_t first = vpn & ~(resolver->around - 1);
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

/*
 * Where pages are mapped around those that fault, machines need the translations and pages of the
 * window, whether or not the program ever refers to them.
 */
static void resolver_know_around(Resolver *resolver, uint32_t page) {
    if (resolver->around < 2) {
        return;
    }
    ResolveWindow window = resolver_window(resolver, page);
    for (uint64_t i = 0; i < window.count && !resolver->failed; i++) {
        resolver_know(resolver, &window, window.first + i);
    }
}

/* ---- Read-ahead ------------------------------------------------------------------------------ */

/* The pages [first, end) of a file get numbers. `base`: the VPN of its first page, as a mapping of
   `space` shows it, which gives them their names. */
static void resolver_know_pages(Resolver *resolver, uint32_t object, uint64_t first, uint64_t end,
                                uint32_t space, uint64_t base) {
    uint32_t pid = resolver->directory->pids[space];
    for (uint64_t i = first; i < end && !resolver->failed; i++) {
        resolver->failed |= objects_page(&resolver->objects, &resolver->memory, object, i, space,
                                         directory_name(pid, base + i)) == OBJECT_NO_PAGE;
    }
}

/*
 * Where machines read ahead they need the numbers of the pages that a fault may bring in, whether
 * or not the program ever refers to them: half a window before it, and two behind it, for the next
 * one may begin anywhere in that of the fault. They are remembered as one stretch, so that who goes
 * through a file in order makes each once.
 */
static void resolver_know_ahead(Resolver *resolver, const Mapping *mapping, uint32_t page) {
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

/* A new mapping tells that a file is longer than was known: faults near the old end may read what
   is behind it from now on. Before the event takes pages away, for the machines have not heard of
   that when the numbers of those are given out again. */
static void resolver_extend(Resolver *resolver, uint32_t space, const Mapping *mapping) {
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

/* ---- Events --------------------------------------------------------------------------------- */

/* Whole pages of an address space. */
typedef struct ResolveRange {
    uint32_t space;
    uint64_t first, count; /* VPNs */
} ResolveRange;

typedef void ResolveVisit(Resolver *resolver, uint32_t page, void *user);

/* Calls `visit`, which may unmap it, for each mapped translation of a range. */
static void resolver_each(Resolver *resolver, const ResolveRange *range, ResolveVisit *visit,
                          void *user) {
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

/* Pages that lie in [start, end) wholly. */
static ResolveRange resolver_whole_pages(const Resolver *resolver, uint32_t space, uint64_t start,
                                         uint64_t end) {
    uint64_t limit = UINT64_C(1) << resolver->directory->vpn_bits;
    uint64_t last = end >> resolver->page_shift;
    uint64_t first = start >> resolver->page_shift;
    first += first << resolver->page_shift != start;
    last = last < limit ? last : limit;
    return (ResolveRange){space, first, last > first ? last - first : 0};
}

static ResolveRange resolver_all_pages(const Resolver *resolver, uint32_t space) {
    return (ResolveRange){space, 0, UINT64_C(1) << resolver->directory->vpn_bits};
}

static uint64_t resolver_end(const VMMEvent *event) {
    return event->start + event->length < event->start ? UINT64_MAX : event->start + event->length;
}

static void resolver_visit_unmap(Resolver *resolver, uint32_t page, void *user) {
    (void)user;
    resolver_unmap_page(resolver, page);
}

/* A memory object has one mapping more or less; with the last one a segment goes. */
static void resolver_use(void *user, uint32_t object, int change) {
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

/* The translations of [start, end) are given up, and what was mapped there. */
static void resolver_unmap(Resolver *resolver, uint32_t space, uint64_t start, uint64_t end) {
    ResolveRange range = resolver_whole_pages(resolver, space, start, end);
    resolver_each(resolver, &range, resolver_visit_unmap, NULL);
    resolver->failed |= !mappings_cut(&resolver->spaces[space].maps, &resolver->memory, start, end,
                                      resolver_use, resolver);
}

/* The descriptor that mmap(2) is given holds the object: it outlives a last mapping that this one
   replaces. */
static void resolver_map(Resolver *resolver, uint32_t space, const VMMEvent *event,
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

static void resolver_protect(Resolver *resolver, uint32_t space, const VMMEvent *event) {
    uint64_t end = resolver_end(event);
    resolver->failed |=
        !mappings_protect(&resolver->spaces[space].maps, &resolver->memory, event->start, end,
                          (uint8_t)event->prot, resolver_use, resolver);
    ResolveRange range = resolver_whole_pages(resolver, space, event->start, end);
    resolver_each(resolver, &range, resolver_visit_protect, NULL);
}

/* A new translation for the object page of another, in the same space or in one of a child. */
static uint32_t resolver_twin(Resolver *resolver, uint32_t page, uint32_t space, uint64_t vpn,
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

/* mremap(2): a mapping is cut off, grows, or moves. */
static void resolver_remap(Resolver *resolver, uint32_t space, const VMMEvent *event) {
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

/* mlock(2), munlock(2) */
static void resolver_lock(Resolver *resolver, uint32_t space, const VMMEvent *event) {
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

static void resolver_advise(Resolver *resolver, uint32_t space, const VMMEvent *event) {
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

/* Whether fork copies the entry of a translation, as Linux does: those of shared mappings, and of
   files without private pages, the child finds again by itself. Nor what it does not get. */
static bool resolver_is_copied(Resolver *resolver, uint32_t page) {
    const Mapping *mapping = resolver_find_mapping(resolver, page);
    if (mapping != NULL && (mapping->flags & (MAPPING_NOT_FORKED | MAPPING_WIPED)) != 0) {
        return false;
    }
    return mapping == NULL || mapping->object == OBJECT_NONE ||
           (mapping->flags & (MAPPING_SHARED | MAPPING_COPIED)) == MAPPING_COPIED;
}

/* `child`: its space. */
static void resolver_fork_page(Resolver *resolver, uint32_t page, uint32_t child) {
    if (!resolver_is_copied(resolver, page)) {
        return;
    }
    uint8_t rights = resolver->rights[page];
    if (resolver->objects.kind[resolver->object_of[page]] == OBJECT_ANONYMOUS) {
        if ((rights & RIGHT_WRITE) != 0) {
            resolver_note(resolver, RESOLVE_PROTECT, page, resolver->object_of[page], 0);
        }
        rights = (uint8_t)((rights & ~RIGHT_WRITE) | RIGHT_COPY_ON_WRITE);
        resolver->rights[page] = rights;
    }
    resolver_twin(resolver, page, child, directory_vpn(resolver->directory, page),
                  rights & (uint8_t)~RIGHT_LOCKED);
}

static void resolver_clear(Resolver *resolver, uint32_t space) {
    ResolveRange range = resolver_all_pages(resolver, space);
    resolver_each(resolver, &range, resolver_visit_unmap, NULL);
    mappings_clear(&resolver->spaces[space].maps, resolver_use, resolver);
}

/* Lets a process run in another space than now. */
static void resolver_enter(Resolver *resolver, uint32_t process, uint32_t space) {
    ResolveSpace *left = &resolver->spaces[resolver->spaces[process].within];
    left->users--;
    resolver->spaces[space].users++;
    resolver->spaces[space].ended = left->ended;
    resolver->spaces[process].within = space;
}

/*
 * A space for a process that left the one it had: its own. If others still run in that, the one of
 * the lowest pid that runs in another's and that nobody uses; there is always one, for there are as
 * many spaces as processes.
 */
static uint32_t resolver_free_space(const Resolver *resolver, uint32_t process) {
    const ResolveSpace *spaces = resolver->spaces;
    const uint32_t *pids = resolver->directory->pids;
    uint32_t found = process;
    for (uint32_t i = 0; spaces[process].users != 0 && i < resolver->space_count; i++) {
        bool is_free = spaces[i].users == 0 && i != process;
        found = is_free && (found == process || pids[i] < pids[found]) ? i : found;
    }
    return found;
}

/* Whoever runs in the own space of a process, alone and with nothing in it, goes home if it can:
   what a number counts is then its process's again. */
static void resolver_send_home(Resolver *resolver, uint32_t process) {
    ResolveSpace *spaces = resolver->spaces;
    if (spaces[process].users != 1 || spaces[process].first != 0 ||
        mappings_find(&spaces[process].maps, 0, UINT64_MAX) != NULL) {
        return;
    }
    uint32_t guest = 0;
    while (guest == process || spaces[guest].within != process) {
        guest++;
    }
    if (spaces[guest].users == 0) {
        resolver_note(resolver, RESOLVE_END, process, 0, 0);
        resolver_enter(resolver, guest, guest);
    }
}

/* A process executes a program or ends: it gives up its space, if nobody else runs in that. */
static void resolver_leave(Resolver *resolver, uint32_t process, bool ends) {
    uint32_t space = resolver->spaces[process].within;
    if (--resolver->spaces[space].users == 0) {
        resolver_clear(resolver, space);
        resolver_note(resolver, RESOLVE_END, space, 0, 0);
    }
    resolver_send_home(resolver, process);
    uint32_t next = resolver_free_space(resolver, process);
    resolver->spaces[next].users++;
    resolver->spaces[next].ended = ends;
    resolver->spaces[process].within = next;
}

bool resolver_has_process(const Resolver *resolver, uint32_t pid) {
    uint32_t process = directory_find_space(resolver->directory, pid);
    bool looked_at = resolver->on && process < resolver->space_count;
    return process != DIRECTORY_NO_SPACE &&
           !(looked_at && resolver->spaces[resolver->spaces[process].within].ended);
}

void resolver_begin_process(Resolver *resolver, uint32_t pid) {
    if (!resolver_has_process(resolver, pid)) {
        uint32_t process = directory_find_space(resolver->directory, pid);
        resolver->spaces[resolver->spaces[process].within].ended = false;
    }
}

/* `parent`: the space that it runs in. The child has an empty one. */
static void resolver_fork(Resolver *resolver, uint32_t parent, uint32_t child, bool vfork) {
    if (vfork) {
        resolver_enter(resolver, child, parent);
        return;
    }
    uint32_t to = resolver->spaces[child].within;
    ResolveSpace *from = &resolver->spaces[parent];
    resolver->failed |= !mappings_copy(&resolver->spaces[to].maps, &from->maps, &resolver->memory,
                                       resolver_use, resolver);
    for (uint32_t page = from->first; page != 0 && !resolver->failed; page = resolver->next[page]) {
        resolver_fork_page(resolver, page, to);
    }
}

/* ---- Killed processes -----------------------------------------------------------------------
 */

/* The first of the killed whose number is not below `pid`. */
static uint32_t resolver_killed_place(const Resolver *resolver, uint32_t pid) {
    uint32_t low = 0;
    uint32_t high = resolver->killed_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (resolver->killed[middle] < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool resolver_finds_killed(const Resolver *resolver, uint32_t pid) {
    uint32_t place = resolver_killed_place(resolver, pid);
    return place < resolver->killed_count && resolver->killed[place] == pid;
}

static void resolver_add_killed(Resolver *resolver, uint32_t pid) {
    uint32_t place = resolver_killed_place(resolver, pid);
    if (resolver_is_killed(resolver, pid)) {
        return;
    }
    if (resolver->killed_count == resolver->killed_capacity) {
        uint32_t wanted = resolver->killed_capacity * 2 + 16;
        if (!resolver_grow(resolver, (void **)&resolver->killed, resolver->killed_capacity, wanted,
                           sizeof *resolver->killed)) {
            return;
        }
        resolver->killed_capacity = wanted;
    }
    uint32_t *at = &resolver->killed[place];
    memmove(at + 1, at, (resolver->killed_count - place) * sizeof *at);
    *at = pid;
    resolver->killed_count++;
}

static void resolver_remove_killed(Resolver *resolver, uint32_t pid) {
    if (resolver_is_killed(resolver, pid)) {
        uint32_t place = resolver_killed_place(resolver, pid);
        uint32_t *at = &resolver->killed[place];
        resolver->killed_count--;
        memmove(at, at + 1, (resolver->killed_count - place) * sizeof *at);
    }
}

bool resolver_drops(Resolver *resolver, const VMMEvent *event) {
    if (event->type == RESOLVER_KILL || !resolver_is_killed(resolver, event->pid)) {
        return false;
    }
    if (event->type == VMM_EVENT_EXIT) {
        resolver_remove_killed(resolver, event->pid);
    } else if (event->type == VMM_EVENT_FORK) {
        resolver_add_killed(resolver, (uint32_t)event->value);
    }
    return true;
}

bool resolver_wants(const VMMEvent *event) {
    switch (event->type) {
    case VMM_EVENT_UNMAP:
    case VMM_EVENT_EXIT:
    case VMM_EVENT_MAP:
    case VMM_EVENT_PROTECT:
    case VMM_EVENT_REMAP:
    case VMM_EVENT_ADVISE:
    case VMM_EVENT_FORK:
    case VMM_EVENT_EXEC:
    case RESOLVER_KILL:
        return true;
    case VMM_EVENT_LOCK:
    case VMM_EVENT_UNLOCK:
        return event->length != 0;
    default:
        return false;
    }
}

bool resolver_counts(const VMMEvent *event) {
    switch (event->type) {
    case VMM_EVENT_START:
    case VMM_EVENT_THREAD_START:
    case VMM_EVENT_THREAD_EXIT:
    case VMM_EVENT_MARK:
    case VMM_EVENT_PAUSE:
    case VMM_EVENT_RESUME:
    case VMM_EVENT_LOST:
    case RESOLVER_KILL:
        return false;
    default:
        return true;
    }
}

static void resolver_visit_ask(Resolver *resolver, uint32_t page, void *user) {
    (void)user;
    uint8_t kind = resolver->objects.kind[resolver->object_of[page]];
    if (kind == OBJECT_FILE || kind == OBJECT_SHARED) {
        resolver->rights[page] &= (uint8_t)~RIGHT_READ;
    }
}

/* Windows of fault-around at [start, end) may be other ones now: the next read of a page in one
   makes its pages known again (resolver_know_around). */
static void resolver_ask_around(Resolver *resolver, uint32_t space, uint64_t start, uint64_t end) {
    if (resolver->around < 2) {
        return;
    }
    uint64_t first = start >> resolver->page_shift;
    uint64_t last = (end >> resolver->page_shift) + resolver->around;
    first -= first < resolver->around ? first : resolver->around;
    ResolveRange range = {space, first, last - first};
    resolver_each(resolver, &range, resolver_visit_ask, NULL);
}

static void resolver_change(Resolver *resolver, uint32_t process, const VMMEvent *event,
                            bool is_shared_memory) {
    uint32_t space = resolver->spaces[process].within;
    switch (event->type) {
    case VMM_EVENT_MAP:
        resolver_map(resolver, space, event, is_shared_memory);
        break;
    case VMM_EVENT_UNMAP:
        resolver_unmap(resolver, space, event->start, resolver_end(event));
        break;
    case VMM_EVENT_PROTECT:
        resolver_protect(resolver, space, event);
        break;
    case VMM_EVENT_REMAP:
        resolver_remap(resolver, space, event);
        break;
    case VMM_EVENT_ADVISE:
        resolver_advise(resolver, space, event);
        break;
    case VMM_EVENT_LOCK:
    case VMM_EVENT_UNLOCK:
        resolver_lock(resolver, space, event);
        break;
    case RESOLVER_KILL:
        resolver_add_killed(resolver, event->pid);
        resolver_leave(resolver, process, true);
        break;
    case VMM_EVENT_EXEC:
    case VMM_EVENT_EXIT:
        resolver_leave(resolver, process, event->type == VMM_EVENT_EXIT);
        break;
    default:
        break;
    }
    if (event->type == VMM_EVENT_REMAP && event->target <= UINT64_MAX - event->value) {
        resolver_ask_around(resolver, space, event->target, event->target + event->value);
    }
    if (event->type != VMM_EVENT_EXEC && event->type != VMM_EVENT_EXIT &&
        event->type != RESOLVER_KILL) {
        resolver_ask_around(resolver, space, event->start, resolver_end(event));
    }
}

/* Whether a mapping shows a place that no file has: offsets in the middle of it would wrap. */
static bool resolver_is_beyond_files(const VMMEvent *event) {
    return event->type == VMM_EVENT_MAP && event->file != 0 &&
           event->offset > UINT64_MAX - event->length;
}

int resolver_apply(Resolver *resolver, const VMMEvent *event, bool is_shared_memory, Error *error) {
    resolver->op_count = 0;
    resolver->populate = (ResolvePopulate){0};
    if (!resolver_wants(event)) {
        return VMM_OK;
    }
    if (resolver_is_beyond_files(event)) {
        return error_set(error, VMM_E_LIMIT,
                         "process %u maps %llu bytes at offset %llu of file %u: the end of what a "
                         "mapping shows has to be below 2^64",
                         event->pid, (unsigned long long)event->length,
                         (unsigned long long)event->offset, event->file);
    }
    bool makes = event->type == VMM_EVENT_MAP || event->type == VMM_EVENT_FORK;
    if (!makes && directory_find_space(resolver->directory, event->pid) == DIRECTORY_NO_SPACE) {
        return VMM_OK; /* there is nothing to take */
    }
    uint32_t process = directory_space(resolver->directory, event->pid, error);
    uint32_t child = process;
    if (process != DIRECTORY_NO_SPACE && event->type == VMM_EVENT_FORK) {
        child = directory_child_space(resolver->directory, (uint32_t)event->value, process, error);
    }
    if (process == DIRECTORY_NO_SPACE || child == DIRECTORY_NO_SPACE) {
        return error != NULL ? error->code : VMM_E_NO_MEMORY;
    }
    int status = resolver_reserve(resolver, error);
    if (status != VMM_OK || (!resolver->on && !resolver_begin(resolver))) {
        return status != VMM_OK ? status : error_no_memory(error, 0, "address spaces");
    }
    resolver->in_event = true;
    if (event->type == VMM_EVENT_FORK && child != process) {
        resolver_remove_killed(resolver, (uint32_t)event->value);
        resolver_leave(resolver, child, false); /* what a process of that number left; with that */
        uint32_t parent = resolver->spaces[process].within; /* the parent may have gone home */
        resolver_fork(resolver, parent, child, (event->flags & VMM_FORK_VFORK) != 0);
    } else if (event->type != VMM_EVENT_FORK) {
        resolver_change(resolver, process, event, is_shared_memory);
    }
    resolver->in_event = false;
    return resolver->failed ? error_no_memory(error, resolver->pages * (size_t)4, "address spaces")
                            : VMM_OK;
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
