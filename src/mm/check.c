/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to agree in a machine and in its resolver, looked at from both sides. For checking
 * builds and tests: dear, and a check for which there is no memory is left out.
 *
 *     frame      free in its pool, or its page is resident there: never both, never neither
 *     slot       one object page has it, or it is free
 *     entry      in the page table, and counted by the object page that it leads to
 *     TLB        as the page table has it: same frame, and written only if the frame is dirty
 *     owners     of an object page: translations that lead there, and its name
 *     uses       of a memory object: the mappings that show it
 *     users      of an address space: the processes that run in it
 */
#include <stdlib.h>

#include "machine.h"

/* A zeroed array of the host's memory, so that a test's allocator is not disturbed. */
static uint32_t *check_array(uint32_t count) {
    return calloc((size_t)count + 1, sizeof(uint32_t));
}

/* ---- Machine -------------------------------------------------------------------------------- */

static const Pool *check_pool(const Machine *machine, uint32_t object) {
    uint32_t space = machine->objects != NULL ? machine->objects->charged[object]
                                              : directory_space_of(machine->directory, object);
    return machine_pool(machine, space);
}

static bool check_frames(const Machine *machine, const Pool *pool) {
    uint32_t empty = 0;
    for (uint32_t frame = 0; frame < pool->unused; frame++) {
        uint32_t object = pool->page[frame];
        empty += object == DIRECTORY_NO_PAGE;
        if (object != DIRECTORY_NO_PAGE &&
            (object >= machine->object_pages || machine->frame_of[object] != frame ||
             check_pool(machine, object) != pool)) {
            return false;
        }
    }
    uint32_t *seen = check_array(pool->unused);
    bool agree = empty == pool->free_count;
    for (uint32_t i = 0; agree && seen != NULL && i < pool->free_count; i++) {
        uint32_t frame = pool->free[i];
        agree = frame < pool->unused && pool->page[frame] == DIRECTORY_NO_PAGE && !seen[frame]++;
    }
    free(seen);
    return agree;
}

/* Slots that could not be noted as free, for lack of memory, are nowhere. */
static bool check_slots(const Machine *machine) {
    const Swap *swap = &machine->swap;
    uint32_t *seen = check_array(swap->next);
    bool agree = true;
    for (uint32_t object = 1; agree && seen != NULL && object < machine->object_pages; object++) {
        uint32_t slot = machine->slot_of[object];
        agree = slot == SWAP_NO_SLOT || (slot < swap->next && !seen[slot]++);
    }
    for (uint32_t i = 0; agree && seen != NULL && i < swap->free_count; i++) {
        agree = swap->free[i] < swap->next && !seen[swap->free[i]]++;
    }
    free(seen);
    return agree;
}

/* The object page that a translation leads to, OBJECT_NO_PAGE: nowhere. */
static uint32_t check_object_of(const Machine *machine, uint32_t page) {
    return machine->objects != NULL ? machine->leads_to[page] : page;
}

static bool check_tlb(const Machine *machine) {
    const Tlb *tlb = &machine->tlb;
    for (uint32_t entry = 0; entry < tlb->entries; entry++) {
        uint32_t page = tlb->page[entry];
        if (page == DIRECTORY_NO_PAGE) {
            continue;
        }
        uint32_t object = check_object_of(machine, page);
        uint32_t frame = object == OBJECT_NO_PAGE ? MACHINE_NO_FRAME : machine->frame_of[object];
        if (frame == MACHINE_NO_FRAME || frame != tlb->frame[entry] ||
            (tlb->written[entry] != 0 && check_pool(machine, object)->dirty[frame] == 0)) {
            return false;
        }
    }
    return true;
}

static bool check_table_has(const Machine *machine, uint32_t page) {
    uint32_t space = directory_space_of(machine->directory, page);
    const PageTable *table = &machine->processes[space].table;
    return table->root != NULL && /* it could be made */
           table->type->find(table, directory_vpn(machine->directory, page)) == page;
}

/* Entries from the side of the translations; footprint.c counts them from that of the frames. */
static bool check_entries(const Machine *machine) {
    uint32_t *entries = check_array(machine->object_pages);
    uint32_t *present = check_array(machine->object_pages);
    bool agree = true;
    for (uint32_t page = 1; agree && entries != NULL && present != NULL && page < machine->pages;
         page++) {
        uint32_t object = machine->leads_to[page];
        agree = object < machine->object_pages &&
                ((machine->state[page] & PAGE_MAPPED) != 0) == check_table_has(machine, page) &&
                (object != OBJECT_NO_PAGE) == check_table_has(machine, page) &&
                ((machine->state[page] & PAGE_PRESENT) == 0 || object != OBJECT_NO_PAGE);
        if (agree) {
            entries[object]++;
            present[object] += (machine->state[page] & PAGE_PRESENT) != 0;
        }
    }
    for (uint32_t object = 1;
         agree && entries != NULL && present != NULL && object < machine->object_pages; object++) {
        agree = machine->entry_count[object] == entries[object] &&
                machine->mapper_count[object] == present[object];
    }
    free(entries);
    free(present);
    return agree;
}

bool machine_agrees(const Machine *machine) {
    for (uint32_t i = 0; i < machine->pool_count; i++) {
        if (!check_frames(machine, machine->pools[i])) {
            return false;
        }
    }
    return check_slots(machine) && check_tlb(machine) &&
           (machine->objects == NULL || check_entries(machine));
}

bool machine_agrees_with(const Machine *machine, const Resolver *resolver) {
    for (uint32_t page = 1; page < machine->pages && page < resolver->pages; page++) {
        uint32_t object = machine->leads_to[page];
        if (object != OBJECT_NO_PAGE && object != resolver->object_of[page]) {
            return false;
        }
    }
    return true;
}

/* ---- Resolver ------------------------------------------------------------------------------- */

static bool check_owners(const Resolver *resolver) {
    const Objects *objects = &resolver->objects;
    uint32_t *owners = check_array(objects->count);
    if (owners == NULL) {
        return true;
    }
    for (uint32_t page = 1; page < resolver->pages; page++) {
        owners[resolver->object_of[page]]++;
    }
    for (uint32_t object = 1; object < objects->object_count; object++) {
        for (uint32_t page = objects->objects[object].first;
             objects->objects[object].kind != OBJECT_ANONYMOUS && page != 0;
             page = objects->next[page]) {
            owners[page]++;
        }
    }
    owners[resolver->zeros]++;
    bool agree = true;
    for (uint32_t page = 1; agree && page < objects->count; page++) {
        agree = objects->owners[page] == owners[page];
    }
    free(owners);
    return agree;
}

static bool check_uses(const Resolver *resolver) {
    const Objects *objects = &resolver->objects;
    uint32_t *uses = check_array(objects->object_count);
    for (uint32_t i = 0; uses != NULL && i < resolver->space_count; i++) {
        Mappings maps = resolver->spaces[i].maps; /* a search moves where the last one ended */
        uint64_t from = 0;
        for (const Mapping *one; (one = mappings_find(&maps, from, UINT64_MAX)) != NULL;
             from = one->end) {
            uses[one->object]++;
        }
    }
    bool agree = true;
    for (uint32_t object = 1; agree && uses != NULL && object < objects->object_count; object++) {
        agree = objects->objects[object].mappings == uses[object];
    }
    free(uses);
    return agree;
}

static bool check_users(const Resolver *resolver) {
    uint32_t *users = check_array(resolver->space_count);
    bool agree = true;
    for (uint32_t i = 0; agree && users != NULL && i < resolver->space_count; i++) {
        agree = resolver->spaces[i].within < resolver->space_count;
        users[agree ? resolver->spaces[i].within : 0]++;
    }
    for (uint32_t i = 0; agree && users != NULL && i < resolver->space_count; i++) {
        const ResolveSpace *space = &resolver->spaces[i];
        agree = space->users == users[i] && (space->users != 0 || space->first == 0);
    }
    free(users);
    return agree;
}

bool resolver_agrees(const Resolver *resolver) {
    return check_owners(resolver) && check_uses(resolver) && check_users(resolver);
}
