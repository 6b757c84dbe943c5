/* SPDX-License-Identifier: Apache-2.0 */
/* Setting up a machine, growing it with the pages and processes that appear, and its statistics. */
#include "machine.h"

#include <stdio.h>
#include <string.h>

#include "cost.h"
#include "pressure.h"

int machine_init(Machine *machine, const Settings *settings, const PolicySpec *policy,
                 const Memory *memory, Error *error) {
    static const MachineCalls calls = {machine_miss, machine_invalid, machine_write, machine_part};
    *machine =
        (Machine){.calls = &calls, .memory = *memory, .settings = *settings, .policy = *policy};
    machine->last_space = DIRECTORY_NO_SPACE;
    machine->fault = VMM_FAULT_NONE;
    machine->table_type = pagetable_parse(settings->page_table, error);
    if (machine->table_type == NULL) {
        return error->code;
    }
    VMMPolicyNeeds needs = machine->policy.type->info.needs;
    machine->touch_on_hit =
        needs == VMM_NEEDS_EVERY_REFERENCE || needs == VMM_NEEDS_FUTURE ||
        (needs == VMM_NEEDS_ACCESSED_BIT && settings->accessed_bit == ACCESSED_EVERY_REFERENCE);
    machine->store_backed = settings->initial == INITIAL_STORE;
    swap_init(&machine->swap, settings_swap_slots(settings));
    return VMM_OK;
}

MachineArray machine_object_array(Machine *machine, unsigned i) {
    const MachineArray arrays[MACHINE_OBJECT_ARRAYS] = {
        {(void **)&machine->frame_of, sizeof *machine->frame_of, false},
        {(void **)&machine->slot_of, sizeof *machine->slot_of, false},
        {(void **)&machine->page_state, machine->policy.type->page_state_size, false},
        {(void **)&machine->mapper, sizeof *machine->mapper, true},
        {(void **)&machine->mapper_count, sizeof *machine->mapper_count, true},
        {(void **)&machine->entry_count, sizeof *machine->entry_count, true},
        {(void **)&machine->loaded, sizeof *machine->loaded, true},
        {(void **)&machine->locked, sizeof *machine->locked, true},
    };
    return arrays[i];
}

MachineArray machine_page_array(Machine *machine, unsigned i) {
    const MachineArray arrays[MACHINE_PAGE_ARRAYS] = {
        {(void **)&machine->state, sizeof *machine->state, false},
        {(void **)&machine->mapper_next, sizeof *machine->mapper_next, true},
        {(void **)&machine->mapper_before, sizeof *machine->mapper_before, true},
        {(void **)&machine->leads_to, sizeof *machine->leads_to, true},
    };
    return arrays[i];
}

void machine_free(Machine *machine) {
    const Memory *memory = &machine->memory;
    for (uint32_t i = 0; i < machine->pool_count; i++) {
        pool_free(machine->pools[i], memory);
        memory_free(memory, machine->pools[i], 1, sizeof(Pool));
    }
    memory_free(memory, machine->pools, machine->pool_capacity, sizeof *machine->pools);
    for (uint32_t i = 0; i < machine->process_count; i++) {
        PageTable *table = &machine->processes[i].table;
        if (table->type != NULL) {
            table->type->destroy(table);
        }
    }
    memory_free(memory, machine->processes, machine->process_rooms[0], sizeof(Process));
    memory_free(memory, machine->times, machine->process_rooms[1], sizeof *machine->times);
    memory_free(memory, machine->pool_of, machine->process_rooms[2], sizeof *machine->pool_of);
    for (unsigned i = 0; i < MACHINE_OBJECT_ARRAYS; i++) {
        MachineArray array = machine_object_array(machine, i);
        memory_free(memory, *array.block, machine->object_rooms[i], array.size);
    }
    memory_free(memory, machine->windows, machine->window_capacity, sizeof *machine->windows);
    for (unsigned i = 0; i < MACHINE_PAGE_ARRAYS; i++) {
        MachineArray array = machine_page_array(machine, i);
        memory_free(memory, *array.block, machine->page_rooms[i], array.size);
    }
    tlb_free(&machine->tlb);
    swap_free(&machine->swap, memory);
}

/* Pool 0 draws from the seed itself, the others from streams of their own. */
static uint64_t machine_pool_seed(const Machine *machine) {
    char name[32];
    snprintf(name, sizeof name, "pool.%u", machine->pool_count);
    return machine->pool_count == 0 ? machine->settings.seed
                                    : rng_seed(machine->settings.seed, name).state;
}

/* vmm_policy_name() */
static uint64_t machine_name_of(const void *names, uint32_t object) {
    const Machine *machine = names;
    return machine->objects == NULL ? directory_name_of(machine->directory, object)
                                    : machine->objects->name[object];
}

/* With young-flush: a page's accessed bit was cleared, and its translations leave the TLB. */
static void machine_bit_cleared(void *user, uint32_t object) {
    Machine *machine = user;
    if (machine->objects == NULL) {
        tlb_invalidate(&machine->tlb, object);
        return;
    }
    for (uint32_t page = machine->mapper[object]; page != 0; page = machine->mapper_next[page]) {
        tlb_invalidate(&machine->tlb, page);
    }
}

int machine_add_pool(Machine *machine, uint32_t frames, Error *error) {
    const Settings *settings = &machine->settings;
    if (machine->pool_count == machine->pool_capacity) {
        uint32_t capacity = machine->pool_capacity * 2 + 1;
        Pool **pools = memory_grow(&machine->memory, machine->pools, machine->pool_capacity,
                                   capacity, sizeof *pools);
        if (pools == NULL) {
            return error_no_memory(error, capacity * sizeof *pools, "pools of frames");
        }
        machine->pools = pools;
        machine->pool_capacity = capacity;
    }
    Pool *pool = memory_zalloc(&machine->memory, 1, sizeof *pool);
    if (pool == NULL) {
        return error_no_memory(error, sizeof *pool, "a pool of frames");
    }
    bool flushes = settings->young_flush != 0 && settings->accessed_bit == ACCESSED_TLB_FILL;
    bool unbounded = machine->policy.type->info.variable_space != 0;
    Policy base = {.memory = &machine->memory,
                   .capacity = unbounded ? UINT32_MAX - 1 : frames,
                   .page_state = machine->page_state,
                   .name_of = machine_name_of,
                   .names = machine,
                   .seed = machine_pool_seed(machine)};
    machine->pools[machine->pool_count++] = pool;
    return pool_init(pool, &machine->policy, &base, flushes ? machine_bit_cleared : NULL, machine,
                     error);
}

int machine_attach(Machine *machine, const Directory *directory, Error *error) {
    machine->directory = directory;
    int status = tlb_init(&machine->tlb, &machine->memory, directory, &machine->settings, error);
    status = status == VMM_OK ? pressure_begin(machine, error) : status;
    return status != VMM_OK ? status : machine_reserve(machine, error);
}

/* One array; it stays as it is if it cannot grow. */
static bool machine_grow(Machine *machine, MachineArray array, uint32_t *room, uint32_t wanted) {
    if (array.size == 0 || *room >= wanted || (array.of_objects && machine->objects == NULL)) {
        return true;
    }
    void *grown = memory_grow(&machine->memory, *array.block, *room, wanted, array.size);
    if (grown == NULL) {
        return false;
    }
    *array.block = grown;
    *room = wanted;
    return true;
}

static uint32_t machine_room(uint32_t pages) {
    uint64_t room = (uint64_t)pages + pages / 2;
    return room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
}

static bool machine_grow_object_pages(Machine *machine, uint32_t wanted) {
    bool grown = true;
    for (unsigned i = 0; grown && i < MACHINE_OBJECT_ARRAYS; i++) {
        grown = machine_grow(machine, machine_object_array(machine, i), &machine->object_rooms[i],
                             wanted);
    }
    /* It may have moved, even if others could not grow. */
    for (uint32_t i = 0; machine->page_state != NULL && i < machine->pool_count; i++) {
        if (machine->pools[i]->policy != NULL) {
            machine->pools[i]->policy->page_state = machine->page_state;
        }
    }
    machine->object_capacity = grown ? wanted : machine->object_capacity;
    return grown;
}

static int machine_reserve_object_pages(Machine *machine, uint32_t pages, Error *error) {
    if (pages > machine->object_capacity &&
        !machine_grow_object_pages(machine, machine_room(pages))) {
        return error_no_memory(error, (size_t)pages * 8, "the pages of the machine");
    }
    for (uint32_t page = machine->object_pages; page < pages; page++) {
        machine->frame_of[page] = MACHINE_NO_FRAME;
        machine->slot_of[page] = SWAP_NO_SLOT;
        if (machine->objects != NULL) {
            machine->mapper[page] = 0;
            machine->mapper_count[page] = 0;
            machine->entry_count[page] = 0;
            machine->loaded[page] = 0;
            machine->locked[page] = 0;
        }
    }
    size_t size = machine->policy.type->page_state_size;
    if (size != 0 && pages > machine->object_pages) {
        memset(machine->page_state + machine->object_pages * size, 0,
               (pages - machine->object_pages) * size);
    }
    machine->object_pages = pages;
    return VMM_OK;
}

static bool machine_grow_pages(Machine *machine, uint32_t wanted) {
    for (unsigned i = 0; i < MACHINE_PAGE_ARRAYS; i++) {
        if (!machine_grow(machine, machine_page_array(machine, i), &machine->page_rooms[i],
                          wanted)) {
            return false;
        }
    }
    machine->page_capacity = wanted;
    return true;
}

static int machine_reserve_pages(Machine *machine, uint32_t pages, Error *error) {
    if (pages > machine->page_capacity && !machine_grow_pages(machine, machine_room(pages))) {
        return error_no_memory(error, (size_t)pages * 9, "the pages of the machine");
    }
    for (uint32_t page = machine->pages; page < pages; page++) {
        machine->state[page] = 0;
        if (machine->objects != NULL) {
            machine->leads_to[page] = 0;
        }
    }
    machine->pages = pages;
    return machine->tlb.entries == 0 ? VMM_OK : tlb_reserve(&machine->tlb, pages, error);
}

bool machine_add_table(Machine *machine, Process *process) {
    process->table = (PageTable){.type = machine->table_type,
                                 .memory = &machine->memory,
                                 .vpn_bits = machine->directory->vpn_bits};
    bool made = machine->table_type->create(&process->table);
    machine->page_tables += process->table.tables;
    machine->page_table_bytes += process->table.bytes;
    if (!made) { /* not by half */
        machine->table_type->destroy(&process->table);
        process->table.root = NULL;
    }
    return made;
}

static int machine_add_process(Machine *machine, Error *error) {
    if (machine->process_count == machine->process_capacity) {
        uint32_t capacity = machine->process_capacity * 2 + 4;
        MachineArray processes = {(void **)&machine->processes, sizeof(Process), false};
        MachineArray times = {(void **)&machine->times, sizeof *machine->times, false};
        MachineArray pools = {(void **)&machine->pool_of, sizeof *machine->pool_of, false};
        if (!machine_grow(machine, processes, &machine->process_rooms[0], capacity) ||
            !machine_grow(machine, times, &machine->process_rooms[1], capacity) ||
            !machine_grow(machine, pools, &machine->process_rooms[2], capacity)) {
            return error_no_memory(error, capacity * sizeof(Process), "processes");
        }
        machine->process_capacity = capacity;
    }
    machine->times[machine->process_count] = 0;
    machine->pool_of[machine->process_count] = 0;
    uint32_t space = machine->process_count;
    Process *process = &machine->processes[machine->process_count++];
    *process = (Process){0};
    if (!machine_add_table(machine, process)) {
        return error_no_memory(error, sizeof(Process), "a page table");
    }
    return machine->by_space ? pressure_place(machine, space, error) : VMM_OK;
}

int machine_reserve(Machine *machine, Error *error) {
    const Directory *directory = machine->directory;
    int status = VMM_OK;
    uint32_t object_pages = machine->objects != NULL ? machine->objects->count : directory->count;
    if (directory->count > machine->pages) {
        status = machine_reserve_pages(machine, directory->count, error);
    }
    if (status == VMM_OK && object_pages > machine->object_pages) {
        status = machine_reserve_object_pages(machine, object_pages, error);
    }
    while (status == VMM_OK && machine->process_count < directory->space_count) {
        status = machine_add_process(machine, error);
    }
    return status;
}

static uint64_t machine_larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

void machine_end_tables(Machine *machine, Process *process) {
    PageTable *table = &process->table;
    uint64_t tables = machine->page_tables;
    uint64_t bytes = machine->page_table_bytes;
    for (uint32_t i = machine->seen_spaces; i < machine->process_count; i++) {
        tables -= machine->processes[i].table.tables; /* its first reference comes behind a kill */
        bytes -= machine->processes[i].table.bytes;
    }
    process->page_table_bytes_peak = machine_larger(process->page_table_bytes_peak, table->bytes);
    machine->page_tables_peak = machine_larger(machine->page_tables_peak, tables);
    machine->page_table_bytes_peak = machine_larger(machine->page_table_bytes_peak, bytes);
    machine->page_tables -= table->tables;
    machine->page_table_bytes -= table->bytes;
    table->type->destroy(table);
    *table = (PageTable){0};
}

static void machine_sum_processes(const Machine *machine, VMMStats *stats) {
    for (uint32_t i = 0; i < machine->seen_spaces; i++) {
        const Process *process = &machine->processes[i];
        stats->reads += process->count[VMM_OP_READ];
        stats->writes += process->count[VMM_OP_WRITE];
        stats->fetches += process->count[VMM_OP_FETCH];
        stats->kernel_references += process->count[PROCESS_KERNEL];
        stats->page_references += process->page_references;
        stats->tlb_misses += process->tlb_misses;
        stats->misses += process->misses;
        stats->page_tables += process->table.tables;
        stats->page_table_bytes += process->table.bytes;
        for (int kind = 0; kind < VMM_FAULT_CLASS_COUNT; kind++) {
            stats->faults[kind] += process->faults[kind];
            stats->page_faults += process->faults[kind];
            stats->major_faults += vmm_fault_class_is_major(kind) ? process->faults[kind] : 0;
        }
    }
}

/* Pools of processes that the machine knows of but has not met are not counted. */
static void machine_sum_pools(const Machine *machine, VMMStats *stats) {
    bool global = machine->settings.scope == SCOPE_GLOBAL;
    bool variable = machine->policy.type->info.variable_space != 0;
    uint32_t count = global ? machine->pool_count : machine->seen_spaces;
    uint64_t memories = global ? machine->pressure.frames != 0 : count;
    stats->frames = variable ? 0 : memories * settings_frames(&machine->settings);
    count = count < machine->pool_count ? count : machine->pool_count; /* if memory ran out */
    for (uint32_t i = 0; i < count; i++) {
        const Pool *pool = machine->pools[i];
        stats->frames_used += pool_resident(pool);
        stats->frames_locked += pool->locked;
        stats->space_time += pool_space_time(pool);
        stats->limit_reclaims += machine->pressure.limits ? pool->reclaimed : 0;
    }
}

/* Of faults, evictions and copies: what kind of memory they were of. After the sums. */
static void machine_fill_sharing(const Machine *machine, VMMStats *stats) {
    stats->file_faults = machine->faults_on[OBJECT_FILE];
    stats->shared_faults = machine->faults_on[OBJECT_SHARED];
    stats->anonymous_faults = stats->page_faults - stats->faults[VMM_FAULT_invalid] -
                              stats->file_faults - stats->shared_faults;
    stats->page_cache_hits = stats->faults[VMM_FAULT_file_cached] + machine->cached_copies;
    stats->clean_file_evictions = machine->clean_file_evictions;
    stats->dirty_file_evictions = machine->file_writes - machine->file_cleanings;
    stats->copies = machine->copies;
    stats->copies_avoided = machine->copied_private - machine->private_copies;
    stats->frames_shared = machine->frames_shared;
    stats->frames_shared_peak = machine->frames_shared_peak;
}

void machine_stats(const Machine *machine, VMMStats *stats) {
    *stats = (VMMStats){.struct_size = sizeof *stats};
    machine_sum_processes(machine, stats);
    machine_sum_pools(machine, stats);
    stats->accesses = stats->reads + stats->writes + stats->fetches;
    stats->tlb_hits = stats->page_references - stats->tlb_misses;
    stats->minor_faults =
        stats->page_faults - stats->major_faults - stats->faults[VMM_FAULT_invalid];
    stats->frames_used_peak = machine->frames_used_peak;
    stats->page_tables_peak = machine_larger(machine->page_tables_peak, stats->page_tables);
    stats->page_table_bytes_peak =
        machine_larger(machine->page_table_bytes_peak, stats->page_table_bytes);
    stats->walks = stats->tlb_misses;
    stats->walk_reads = machine->walk_reads;
    stats->context_switches = machine->context_switches;
    stats->filtered = machine->filtered;
    stats->events = machine->events;
    stats->kills = machine->kills;
    stats->dropped = machine->dropped;
    stats->discards = machine->discards;
    stats->tlb_evictions = machine->tlb.evictions;
    stats->tlb_writebacks = machine->tlb.writebacks;
    stats->tlb_invalidations = machine->tlb.invalidations;
    stats->tlb_flushes = machine->tlb.flushes;
    stats->replacements = machine->replacements;
    stats->reclaim_wakeups = machine->pressure.wakeups;
    stats->background_reclaims = machine->pressure.background;
    stats->background_swap_outs = machine->pressure.background_swap_outs;
    stats->background_file_writes = machine->pressure.background_file_writes;
    stats->clean_evictions = machine->clean_evictions;
    stats->swap_ins = machine->swap_ins;
    stats->swap_outs = machine->swap_outs;
    stats->cleanings = machine->cleanings;
    stats->swap_slots_used = machine->swap.used;
    stats->swap_slots_peak = machine->swap.peak;
    stats->oom_events = machine->oom_events;
    stats->distinct_pages = machine->distinct_pages;
    if (machine->objects == NULL) {
        stats->distinct_pages = machine->seen_pages > 0 ? machine->seen_pages - 1 : 0;
    }
    stats->file_writes = machine->file_writes;
    stats->file_cleanings = machine->file_cleanings;
    stats->rmap_steps = machine->rmap_steps;
    stats->copied_entries = machine->copied_entries;
    stats->mapped_around = machine->mapped_around;
    stats->pages_read_ahead = machine->pages_read_ahead;
    stats->read_ahead_requests = machine->read_ahead_requests;
    stats->read_ahead_hits = machine->read_ahead_hits;
    stats->read_ahead_wasted = machine->read_ahead_wasted;
    stats->swap_ins_ahead = machine->swap_ins_ahead;
    machine_fill_sharing(machine, stats);
    stats->processes = machine->seen_spaces;
    cost_fill(stats, &machine->settings);
}

/* A translation that the TLB or the reverse map has an entry for leads to a frame. */
static bool machine_translation_is_valid(const Machine *machine, uint32_t page) {
    bool present = (machine->state[page] & PAGE_PRESENT) != 0;
    if (machine->objects == NULL) {
        present = machine->frame_of[page] != MACHINE_NO_FRAME;
    }
    if (!present) { /* the TLB holds nothing that the page table does not */
        return machine->tlb.entries == 0 || machine->tlb.slot_of[page] == 0;
    }
    uint32_t space = directory_space_of(machine->directory, page);
    const PageTable *table = &machine->processes[space].table;
    return table->type != NULL &&
           table->type->find(table, directory_vpn(machine->directory, page)) == page;
}

/* An object page is where its pool says, and its present entries are chained. */
static bool machine_object_is_valid(const Machine *machine, uint32_t object) {
    uint32_t frame = machine->frame_of[object];
    uint32_t first = machine->objects != NULL ? machine->mapper[object] : 0;
    if (frame == MACHINE_NO_FRAME) {
        return first == 0;
    }
    uint32_t space = machine->objects != NULL ? machine->objects->charged[object]
                                              : directory_space_of(machine->directory, object);
    const Pool *pool = machine_pool(machine, space);
    for (uint32_t page = first; page != 0; page = machine->mapper_next[page]) {
        if ((machine->state[page] & PAGE_PRESENT) == 0) {
            return false;
        }
    }
    return pool->page[frame] == object &&
           (pool->dirty[frame] == 0 || machine->slot_of[object] == SWAP_NO_SLOT);
}

static bool machine_tables_are_counted(const Machine *machine) {
    uint64_t tables = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < machine->process_count; i++) {
        tables += machine->processes[i].table.tables;
        bytes += machine->processes[i].table.bytes;
    }
    return tables == machine->page_tables && bytes == machine->page_table_bytes;
}

bool machine_is_valid(const Machine *machine) {
    uint64_t resident = 0;
    uint64_t locked = 0;
    uint64_t slots = 0;
    for (uint32_t object = 1; object < machine->object_pages; object++) {
        slots += machine->slot_of[object] != SWAP_NO_SLOT;
        resident += machine->frame_of[object] != MACHINE_NO_FRAME;
        locked += machine->locked != NULL && machine->frame_of[object] != MACHINE_NO_FRAME &&
                  machine->locked[object] != 0;
        if (!machine_object_is_valid(machine, object)) {
            return false;
        }
    }
    for (uint32_t page = 1; page < machine->pages; page++) {
        if (!machine_translation_is_valid(machine, page)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < machine->pool_count; i++) {
        const Policy *policy = machine->pools[i]->policy;
        resident -= pool_resident(machine->pools[i]);
        locked -= machine->pools[i]->locked;
        if (policy->type->is_valid != NULL && !policy->type->is_valid(policy)) {
            return false;
        }
    }
    return resident == 0 && locked == 0 && slots == machine->swap.used &&
           machine_entries_are_counted(machine) && machine_tables_are_counted(machine) &&
           tlb_is_valid(&machine->tlb) && machine_agrees(machine);
}
