/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when a page reference misses the TLB: walk, fault, eviction, load; and how pages and
 * whole processes are given up. The counting rules are those of docs/reference/counting.md.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

static void machine_stop(Machine *machine, int status, const char *sentence) {
    machine->status = error_set(&machine->error, status, "%s", sentence);
}

/*
 * Whether a frame that the policy names holds a page. A policy may be anybody's: one that names
 * another frame stops the machine, for what it would count from there on is worth nothing.
 */
static bool machine_accepts(Machine *machine, const Pool *pool, uint32_t frame, const char *deed) {
    if (VMM_LIKELY(frame < pool->unused && pool->page[frame] != DIRECTORY_NO_PAGE)) {
        return true;
    }
    machine->status =
        error_set(&machine->error, VMM_E_POLICY,
                  "the policy %.40s %s frame %" PRIu32 ", which holds no page (frames 0 to %" PRIu32
                  " are in use): mend the policy; vmm policy check finds out more",
                  pool->policy->type->info.name, deed, frame, pool->unused - 1);
    return false;
}

/* A process that had ended begins anew. */
static void machine_revive(Machine *machine, Process *process) {
    if (process->table.type == NULL && !machine_add_table(machine, process)) {
        machine_stop(machine, VMM_E_NO_MEMORY, "out of memory for the modelled page tables");
    }
}

/* The entries read on the way to a page's own. */
static uint32_t machine_walk(Machine *machine, Process *process, uint32_t page) {
    const PageTableType *type = machine->table_type;
    if (type->mapped_reads != 0 && (machine->state[page] & PAGE_MAPPED) != 0) {
        return type->mapped_reads;
    }
    machine_revive(machine, process);
    if (machine->status != VMM_OK) {
        return 0;
    }
    return type->walk(&process->table, directory_vpn(machine->directory, page));
}

/* Tells an observer of a page that leaves. */
static void machine_note_eviction(Machine *machine, const Pool *pool, uint32_t frame) {
    if (machine->eviction_count == MACHINE_MAX_EVICTIONS) {
        return;
    }
    uint32_t page = pool->page[frame];
    const Policy *policy = pool->policy;
    VMMEviction *eviction = &machine->evictions[machine->eviction_count++];
    *eviction = (VMMEviction){
        .pid = machine->directory->pids[directory_space_of(machine->directory, page)],
        .frame = frame,
        .vpn = directory_vpn(machine->directory, page),
        .swap_slot = pool->dirty[frame] != 0 ? machine->slot_of[page] : VMM_NO_SLOT,
        .dirty = pool->dirty[frame],
    };
    if (policy->type->why != NULL) {
        policy->type->why(policy, frame, eviction->why, sizeof eviction->why);
    }
}

/* Takes the page out of `frame`, saving it if it must be. False: swap is full, nothing is done. */
static bool machine_evict(Machine *machine, Pool *pool, uint32_t frame) {
    uint32_t page = pool->page[frame];
    if (pool->dirty[frame] != 0) {
        uint32_t slot = swap_take(&machine->swap);
        if (slot == SWAP_NO_SLOT) {
            machine->oom_events++;
            machine_stop(machine, VMM_E_OUT_OF_MEMORY,
                         "out of memory in the simulated machine: a written page must leave, and "
                         "swap is full; give more swap or memory");
            return false;
        }
        machine->slot_of[page] = slot;
        machine->swap_outs++;
    } else {
        machine->clean_evictions++;
    }
    if (machine->observer != NULL) {
        machine_note_eviction(machine, pool, frame);
    }
    if (pool->policy->type->remove != NULL) {
        pool->policy->type->remove(pool->policy, frame);
    }
    machine->frame_of[page] = MACHINE_NO_FRAME;
    tlb_invalidate(&machine->tlb, page);
    machine->replacements++;
    return true;
}

/* The number of resident pages is about to change in the page reference under way. */
static void machine_settle(Pool *pool) {
    if (pool->policy->type->uses_clock) {
        pool_settle(pool, pool->policy->clock - 1);
    }
}

static void machine_give_back(Machine *machine, Pool *pool, uint32_t frame) {
    pool_give_back(pool, frame);
    machine->frames_used--;
}

/* The page in `frame` leaves: the write that the policy asked for is done by that. */
static void machine_cancel_write(Policy *policy, uint32_t frame) {
    VMMPolicyList *writing = &policy->writing;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < writing->count; i++) {
        if (writing->frames[i] != frame) {
            writing->frames[kept++] = writing->frames[i];
        }
    }
    writing->count = kept;
}

/* A frame for a new page: a free one, or the victim's. */
static uint32_t machine_find_frame(Machine *machine, Pool *pool) {
    int status = VMM_OK;
    machine_settle(pool);
    uint32_t frame = pool_take_frame(pool, &machine->memory, &status);
    if (frame != POOL_NO_FRAME) {
        machine->frames_used++;
        if (machine->frames_used > machine->frames_used_peak) {
            machine->frames_used_peak = machine->frames_used;
        }
        return frame;
    }
    if (status != VMM_OK) {
        machine_stop(machine, status, "out of memory for the frames of the simulated machine");
        return MACHINE_NO_FRAME;
    }
    frame = pool->policy->type->victim(pool->policy);
    if (!machine_accepts(machine, pool, frame, "names as its victim")) {
        return MACHINE_NO_FRAME;
    }
    machine_cancel_write(pool->policy, frame);
    return machine_evict(machine, pool, frame) ? frame : MACHINE_NO_FRAME;
}

static VMMFaultClass machine_classify(Machine *machine, uint32_t page) {
    if (machine->slot_of[page] != SWAP_NO_SLOT) {
        machine->swap_ins++;
        return VMM_FAULT_swap_in;
    }
    return machine->store_backed ? VMM_FAULT_file_read : VMM_FAULT_zero_fill;
}

/* The copy in swap is no longer that of the page. */
static void machine_free_slot(Machine *machine, uint32_t page) {
    if (machine->slot_of[page] == SWAP_NO_SLOT) {
        return;
    }
    if (!swap_give_back(&machine->swap, &machine->memory, machine->slot_of[page])) {
        machine_stop(machine, VMM_E_NO_MEMORY, "out of memory for the list of free swap slots");
    }
    machine->slot_of[page] = SWAP_NO_SLOT;
}

static uint32_t machine_fault(Machine *machine, Process *process, Pool *pool, uint32_t page,
                              bool write) {
    machine->fault = machine_classify(machine, page);
    process->faults[machine->fault]++;
    process->misses++;
    Policy *policy = pool->policy;
    policy->incoming = page;
    if (policy->type->miss != NULL) {
        policy->type->miss(policy, page);
    }
    uint32_t frame = machine_find_frame(machine, pool);
    if (frame == MACHINE_NO_FRAME) {
        return MACHINE_NO_FRAME;
    }
    if ((machine->state[page] & PAGE_MAPPED) == 0) {
        uint64_t vpn = directory_vpn(machine->directory, page);
        if (!process->table.type->map(&process->table, vpn, page)) {
            machine_give_back(machine, pool, frame);
            machine_stop(machine, VMM_E_NO_MEMORY, "out of memory for the modelled page tables");
            return MACHINE_NO_FRAME;
        }
        machine->state[page] |= PAGE_MAPPED;
    }
    pool->page[frame] = page;
    pool->dirty[frame] = write;
    machine->frame_of[page] = frame;
    if (write) {
        machine_free_slot(machine, page);
    }
    if (policy->type->insert != NULL) {
        policy->type->insert(policy, frame);
    }
    return frame;
}

uint32_t machine_miss(Machine *machine, Pool *pool, uint32_t page, bool write) {
    Process *process = &machine->processes[directory_space_of(machine->directory, page)];
    process->tlb_misses++;
    machine->fault = VMM_FAULT_NONE;
    machine->walk_read_count = machine_walk(machine, process, page);
    machine->walk_reads += machine->walk_read_count;
    if (VMM_UNLIKELY(machine->status != VMM_OK)) {
        return MACHINE_NO_FRAME;
    }
    uint32_t frame = machine->frame_of[page];
    if (frame == MACHINE_NO_FRAME) {
        frame = machine_fault(machine, process, pool, page, write);
    }
    if (frame != MACHINE_NO_FRAME && machine->tlb.entries != 0) {
        tlb_fill(&machine->tlb, page, frame, write);
    }
    return frame;
}

void machine_invalid(Machine *machine, uint32_t space) {
    Process *process = &machine->processes[space];
    machine_revive(machine, process);
    process->tlb_misses++;
    process->faults[VMM_FAULT_invalid]++;
    machine->fault = VMM_FAULT_invalid;
    machine->walk_read_count = 0;
}

void machine_write(Machine *machine, Pool *pool, uint32_t page, uint32_t frame) {
    if (pool->dirty[frame] != 0) {
        return;
    }
    pool->dirty[frame] = 1;
    machine_free_slot(machine, page);
    if (pool->policy->type->dirtied != NULL) {
        pool->policy->type->dirtied(pool->policy, frame);
    }
}

/* Writes a dirty page that stays. Its TLB entry goes, or the next write would not be noticed. */
static void machine_clean(Machine *machine, Pool *pool, uint32_t frame) {
    uint32_t page = pool->page[frame];
    if (page == DIRECTORY_NO_PAGE || pool->dirty[frame] == 0) {
        return;
    }
    uint32_t slot = swap_take(&machine->swap);
    if (slot == SWAP_NO_SLOT) {
        return; /* it will be written when it has to leave, or the run ends then */
    }
    machine->slot_of[page] = slot;
    machine->swap_outs++;
    machine->cleanings++;
    pool->dirty[frame] = 0;
    tlb_invalidate(&machine->tlb, page);
    if (pool->policy->type->cleaned != NULL) {
        pool->policy->type->cleaned(pool->policy, frame);
    }
}

bool machine_part(Machine *machine, Pool *pool) {
    Policy *policy = pool->policy;
    if (policy->failed) {
        machine_stop(machine, VMM_E_NO_MEMORY, "out of memory for the pages a policy gives up");
        return false;
    }
    for (uint32_t i = 0; i < policy->parting.count; i++) {
        uint32_t frame = policy->parting.frames[i];
        machine_settle(pool);
        if (!machine_accepts(machine, pool, frame, "parts with") ||
            !machine_evict(machine, pool, frame)) {
            return false;
        }
        machine_give_back(machine, pool, frame);
    }
    policy->parting.count = 0;
    for (uint32_t i = 0; i < policy->writing.count; i++) {
        uint32_t frame = policy->writing.frames[i];
        /* A frame whose page has left since is in order, one that never had any is not. */
        if (frame >= pool->unused && !machine_accepts(machine, pool, frame, "writes back")) {
            return false;
        }
        machine_clean(machine, pool, frame);
    }
    policy->writing.count = 0;
    return true;
}

void machine_discard(Machine *machine, uint32_t page) {
    uint32_t space = directory_space_of(machine->directory, page);
    uint32_t frame = machine->frame_of[page];
    bool is_pooled = machine_has_pool(machine, space);
    Pool *pool = is_pooled ? machine_pool(machine, space) : NULL;
    if (pool != NULL && frame != MACHINE_NO_FRAME) {
        pool_settle(pool, pool->policy->clock);
        if (pool->policy->type->remove != NULL) {
            pool->policy->type->remove(pool->policy, frame);
        }
        machine_give_back(machine, pool, frame);
        machine->discards++;
        machine->frame_of[page] = MACHINE_NO_FRAME;
        tlb_invalidate(&machine->tlb, page);
    }
    if (is_pooled && pool->policy->type->forget != NULL) {
        pool->policy->type->forget(pool->policy, page);
    }
    machine_free_slot(machine, page);
    if ((machine->state[page] & PAGE_MAPPED) != 0) {
        PageTable *table = &machine->processes[space].table;
        table->type->unmap(table, directory_vpn(machine->directory, page));
        machine->state[page] = 0;
    }
}

void machine_end(Machine *machine, uint32_t space) {
    PageTable *table = &machine->processes[space].table;
    if (table->type != NULL) {
        machine_note_tables(machine);
        table->type->destroy(table);
        *table = (PageTable){0};
    }
}
