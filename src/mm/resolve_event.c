/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as they come: which of them change address spaces, what fork, exec and the end of a
 * process do, and who was killed.
 */
#include <string.h>

#include "resolve_parts.h"

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

/* ---- Events --------------------------------------------------------------------------------- */

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
