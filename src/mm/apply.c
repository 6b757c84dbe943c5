/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What events do to a machine: the operations that the resolver made of them, on its page tables,
 * TLB, reverse map, frames and swap.
 */
#include "machine.h"

/* From now on object pages have numbers of their own; those so far are the translations' numbers.
 */
static int machine_begin_objects(Machine *machine, const Resolver *resolver) {
    for (unsigned i = 0; i < MACHINE_OBJECT_ARRAYS + MACHINE_PAGE_ARRAYS; i++) {
        bool by_page = i >= MACHINE_OBJECT_ARRAYS;
        MachineArray array = by_page ? machine_page_array(machine, i - MACHINE_OBJECT_ARRAYS)
                                     : machine_object_array(machine, i);
        uint32_t room = by_page ? machine->page_capacity : machine->object_capacity;
        if (!array.of_objects || room == 0) {
            continue;
        }
        *array.block = memory_zalloc(&machine->memory, room, array.size);
        if (*array.block == NULL) {
            return error_no_memory(&machine->error, room * array.size, "the reverse map");
        }
        *(by_page ? &machine->page_rooms[i - MACHINE_OBJECT_ARRAYS] : &machine->object_rooms[i]) =
            room;
    }
    machine->resolver = resolver;
    machine->objects = &resolver->objects;
    for (uint32_t space = 0; space < machine->process_count; space++) {
        machine->processes[space].resident[OBJECT_ANONYMOUS] = 0; /* counted anew below */
    }
    for (uint32_t page = 1; page < machine->pages; page++) {
        if (page < machine->seen_pages) {
            machine->state[page] |= PAGE_SEEN;
            machine->distinct_pages++;
        }
        machine_lead(machine, page, (machine->state[page] & PAGE_MAPPED) != 0 ? page : 0);
        if (machine->frame_of[page] != MACHINE_NO_FRAME) {
            machine_link(machine, page, page);
        }
    }
    return VMM_OK;
}

/* A translation is given up. */
static void machine_unmap(Machine *machine, uint32_t page, uint32_t object) {
    machine_unlink(machine, page, object);
    machine_lead(machine, page, 0);
    if ((machine->state[page] & PAGE_MAPPED) != 0) {
        PageTable *table = &machine->processes[directory_space_of(machine->directory, page)].table;
        table->type->unmap(table, directory_vpn(machine->directory, page));
        machine->state[page] &= (uint8_t) ~(PAGE_MAPPED | PAGE_OWN);
    }
}

/* An object page is gone, content and all. */
static void machine_drop(Machine *machine, uint32_t object) {
    uint32_t frame = machine->frame_of[object];
    Pool *pool = machine_pool(machine, machine->objects->charged[object]);
    const PolicyType *type = pool->policy->type;
    machine_set_lock(machine, object, false);
    if (frame != MACHINE_NO_FRAME) {
        machine_forget_ahead(machine, object);
        pool_settle(pool, pool->policy->clock);
        if (type->remove != NULL) {
            type->remove(pool->policy, frame);
        }
        machine_give_back(machine, pool, frame);
        machine->discards++;
        machine->frame_of[object] = MACHINE_NO_FRAME;
    }
    if (type->forget != NULL) {
        type->forget(pool->policy, object);
    }
    machine_free_slot(machine, object);
    machine->loaded[object] = 0;
}

/* The content of an object page may be lost: it is dropped rather than written. */
static void machine_free_lazily(Machine *machine, uint32_t object) {
    uint32_t frame = machine->frame_of[object];
    Pool *pool = machine_pool(machine, machine->objects->charged[object]);
    machine_free_slot(machine, object);
    if (frame != MACHINE_NO_FRAME && pool->dirty[frame] != 0) {
        pool->dirty[frame] = 0;
        machine_forget_written(machine, object);
        if (pool->policy->type->cleaned != NULL) {
            pool->policy->type->cleaned(pool->policy, frame);
        }
    }
}

/* A translation gets the entry of another, as far as there is one: a child's, or one that moves. */
static void machine_copy_entry(Machine *machine, const ResolveOp *op) {
    if ((machine->state[op->page] & PAGE_MAPPED) == 0) {
        return;
    }
    bool present = (machine->state[op->page] & PAGE_PRESENT) != 0;
    if (present ? machine_make_entry(machine, op->to, op->object)
                : machine_map_entry(machine, op->to)) {
        machine_lead(machine, op->to, op->object);
    }
    machine->state[op->to] |= machine->state[op->page] & PAGE_OWN;
    const Directory *directory = machine->directory;
    bool forked = directory_space_of(directory, op->page) != directory_space_of(directory, op->to);
    machine->copied_entries += forked; /* else it moves */
    machine->copied_private += forked && machine->objects->kind[op->object] == OBJECT_ANONYMOUS;
}

static void machine_end(Machine *machine, uint32_t space) {
    if (machine->processes[space].table.type != NULL) {
        machine_end_tables(machine, &machine->processes[space]);
    }
}

static void machine_do(Machine *machine, const ResolveOp *op) {
    switch (op->type) {
    case RESOLVE_UNMAP:
        machine_unmap(machine, op->page, op->object);
        break;
    case RESOLVE_PROTECT:
        tlb_invalidate(&machine->tlb, op->page);
        break;
    case RESOLVE_COPY:
        machine_copy_entry(machine, op);
        break;
    case RESOLVE_CLEAN:
        machine_free_lazily(machine, op->object);
        break;
    case RESOLVE_NEED:
        machine_need(machine, op);
        break;
    case RESOLVE_LOCK:
        machine_set_lock(machine, op->object, true);
        break;
    case RESOLVE_UNLOCK:
        machine_set_lock(machine, op->object, false);
        break;
    case RESOLVE_DROP:
        machine_drop(machine, op->object);
        break;
    case RESOLVE_END:
        machine_end(machine, op->page);
        break;
    }
}

int machine_apply(Machine *machine, const Resolver *resolver, const VMMEvent *event) {
    machine->events += resolver_counts(event);
    if (machine->status != VMM_OK || !resolver->on) {
        return machine->status;
    }
    machine->kills += event->type == RESOLVER_KILL;
    if (machine->objects == NULL) {
        machine->status = machine_begin_objects(machine, resolver);
    }
    if (machine->status == VMM_OK) {
        machine->status = machine_reserve(machine, &machine->error);
    }
    if (event->type != RESOLVER_KILL) {
        machine->seen_spaces = machine->process_count; /* not all of them, if memory ran out */
    }
    machine->between = true;
    for (uint32_t i = 0; machine->status == VMM_OK && i < resolver->op_count; i++) {
        machine_do(machine, &resolver->ops[i]);
    }
    machine->between = false;
    VMM_CHECK(machine->status != VMM_OK || machine->pages + machine->process_count > 4096 ||
              (machine_is_valid(machine) && machine_agrees_with(machine, resolver) &&
               resolver_is_valid(resolver)));
    return machine->status;
}
