/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when a page reference misses the TLB: walk, fault, eviction, load; and how pages and
 * whole processes are given up. The counting rules are those of docs/reference/counting.md.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pressure.h"

static void machine_stop(Machine *machine, int status, const char *sentence) {
    machine->status = error_set(&machine->error, status, "%s", sentence);
}

/*
 * Whether a frame that the policy names holds a page. A policy may be anybody's: one that names
 * another frame stops the machine, for what it would count from there on is worth nothing.
 */
static VMM_NOINLINE bool machine_refuses(Machine *machine, const Pool *pool, uint32_t frame,
                                         const char *deed) {
    machine->status =
        error_set(&machine->error, VMM_E_POLICY,
                  "the policy %.40s %s frame %" PRIu32 ", which holds no page (frames 0 to %" PRIu32
                  " are in use): mend the policy; vmm policy check finds out more",
                  pool->policy->type->info.name, deed, frame, pool->unused - 1);
    return true;
}

VMM_ALWAYS_INLINE bool machine_accepts(Machine *machine, const Pool *pool, uint32_t frame,
                                       const char *deed) {
    return VMM_LIKELY(frame < pool->unused && pool->page[frame] != DIRECTORY_NO_PAGE) ||
           !machine_refuses(machine, pool, frame, deed);
}

/* A process that had ended begins anew. */
static void machine_revive(Machine *machine, Process *process) {
    if (process->table.type == NULL && !machine_add_table(machine, process)) {
        machine_stop(machine, VMM_E_NO_MEMORY, "out of memory for the modelled page tables");
    }
}

/* The entries read on the way to a page's own. */
VMM_ALWAYS_INLINE uint32_t machine_walk(Machine *machine, Process *process, uint32_t page) {
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

/* The process whose address space a translation is of. Another may make the reference: after a
   vfork. */
static Process *machine_owner(Machine *machine, uint32_t page) {
    return &machine->processes[directory_space_of(machine->directory, page)];
}

/*
 * Nearly all runs are without objects, and what a miss costs must not grow with what only the
 * others need. So the steps of a miss take `objects`, the machine's, as a parameter: the functions
 * that engines call ask once whether it is NULL, and each step is stamped for both.
 */
VMM_ALWAYS_INLINE ObjectKind machine_kind_in(const Objects *objects, uint32_t object) {
    return objects == NULL ? OBJECT_ANONYMOUS : objects->kind[object];
}

static ObjectKind machine_kind(const Machine *machine, uint32_t object) {
    return machine_kind_in(machine->objects, object);
}

/* ---- Entries ---------------------------------------------------------------------------------
 */

/* An entry more of a process leads to a frame. */
static void machine_add_resident(Process *owner, ObjectKind kind) {
    owner->resident[kind]++;
    uint64_t resident = machine_resident(owner);
    owner->resident_peak = resident > owner->resident_peak ? resident : owner->resident_peak;
}

/* Whether several entries lead to an object page; that of zeros is nobody's memory. */
static bool machine_is_shared(const Machine *machine, uint32_t object) {
    return machine->mapper_count[object] > 1 && machine->objects->kind[object] != OBJECT_ZEROS;
}

/* The page of a frame is about to leave it: no entry may lead there any more. */
VMM_ALWAYS_INLINE void machine_take_entries(Machine *machine, uint32_t object,
                                            const Objects *objects) {
    if (objects == NULL) {
        Process *owner = machine_owner(machine, object);
        owner->resident[OBJECT_ANONYMOUS]--;
        owner->swapped += machine->slot_of[object] != SWAP_NO_SLOT;
        tlb_invalidate(&machine->tlb, object);
        return;
    }
    machine_forget_ahead(machine, object);
    machine->frames_shared -= machine_is_shared(machine, object);
    for (uint32_t page = machine->mapper[object]; page != 0; page = machine->mapper_next[page]) {
        machine->state[page] &= (uint8_t) ~(PAGE_PRESENT | PAGE_WRITABLE);
        machine_owner(machine, page)->resident[objects->kind[object]]--;
        tlb_invalidate(&machine->tlb, page);
        machine->rmap_steps++;
    }
    machine->mapper[object] = 0;
    machine->mapper_count[object] = 0;
}

void machine_take_all_entries(Machine *machine, uint32_t object) {
    machine_take_entries(machine, object, machine->objects);
}

void machine_lead(Machine *machine, uint32_t page, uint32_t object) {
    uint32_t before = machine->leads_to[page];
    machine->entry_count[before] -= before != 0;
    machine->entry_count[object] += object != 0;
    machine->leads_to[page] = object;
}

void machine_link(Machine *machine, uint32_t page, uint32_t object) {
    uint32_t first = machine->mapper[object];
    machine->state[page] |= PAGE_PRESENT;
    machine->mapper_next[page] = first;
    machine->mapper_before[page] = 0;
    machine->mapper[object] = page;
    machine_lead(machine, page, object);
    if (first != 0) {
        machine->mapper_before[first] = page;
    }
    machine_add_resident(machine_owner(machine, page), machine_kind(machine, object));
    machine->mapper_count[object]++;
    if (machine->mapper_count[object] == 2 && machine_is_shared(machine, object)) {
        machine->frames_shared++;
        if (machine->frames_shared > machine->frames_shared_peak) {
            machine->frames_shared_peak = machine->frames_shared;
        }
    }
}

void machine_unlink(Machine *machine, uint32_t page, uint32_t object) {
    if ((machine->state[page] & PAGE_PRESENT) == 0) {
        return;
    }
    uint32_t next = machine->mapper_next[page];
    uint32_t before = machine->mapper_before[page];
    machine->state[page] &= (uint8_t) ~(PAGE_PRESENT | PAGE_WRITABLE);
    if (next != 0) {
        machine->mapper_before[next] = before;
    }
    if (before != 0) {
        machine->mapper_next[before] = next;
    } else {
        machine->mapper[object] = next;
    }
    machine_owner(machine, page)->resident[machine->objects->kind[object]]--;
    machine->frames_shared -= machine_is_shared(machine, object);
    machine->mapper_count[object]--;
    machine->frames_shared += machine_is_shared(machine, object);
    tlb_invalidate(&machine->tlb, page);
}

VMM_ALWAYS_INLINE bool machine_map(Machine *machine, uint32_t page) {
    if ((machine->state[page] & PAGE_MAPPED) == 0) {
        Process *owner = machine_owner(machine, page);
        machine_revive(machine, owner);
        uint64_t vpn = directory_vpn(machine->directory, page);
        uint64_t tables = owner->table.tables;
        uint64_t bytes = owner->table.bytes;
        bool mapped = machine->status == VMM_OK && owner->table.type->map(&owner->table, vpn, page);
        machine->page_tables += owner->table.tables - tables; /* of a failure's upper tables, too */
        machine->page_table_bytes += owner->table.bytes - bytes;
        if (!mapped) {
            machine_stop(machine, VMM_E_NO_MEMORY, "out of memory for the modelled page tables");
            return false;
        }
        machine->state[page] |= PAGE_MAPPED;
    }
    return true;
}

bool machine_map_entry(Machine *machine, uint32_t page) {
    return machine_map(machine, page);
}

bool machine_make_entry(Machine *machine, uint32_t page, uint32_t object) {
    if (!machine_map(machine, page)) {
        return false;
    }
    if (machine->objects != NULL && (machine->state[page] & PAGE_PRESENT) == 0) {
        machine_link(machine, page, object);
    }
    return true;
}

/* ---- Frames ----------------------------------------------------------------------------------
 */

/* Tells an observer of a page that leaves. */
static void machine_note_eviction(Machine *machine, const Pool *pool, uint32_t frame) {
    if (machine->eviction_count == MACHINE_MAX_EVICTIONS) {
        return;
    }
    uint32_t object = pool->page[frame];
    uint32_t page = machine->objects == NULL ? object : machine->mapper[object];
    const Policy *policy = pool->policy;
    VMMEviction *eviction = &machine->evictions[machine->eviction_count++];
    *eviction = (VMMEviction){
        .pid =
            page == 0 ? 0 : machine->directory->pids[directory_space_of(machine->directory, page)],
        .frame = frame,
        .vpn = page == 0 ? 0 : directory_vpn(machine->directory, page),
        .swap_slot = machine->slot_of[object] != SWAP_NO_SLOT && pool->dirty[frame] != 0
                         ? machine->slot_of[object]
                         : VMM_NO_SLOT,
        .dirty = pool->dirty[frame],
    };
    if (policy->type->why != NULL) {
        policy->type->why(policy, frame, eviction->why, sizeof eviction->why);
    }
}

/* Takes the page out of `frame`, saving it if it must be. False: swap is full, nothing is done. */
VMM_ALWAYS_INLINE bool machine_evict_in(Machine *machine, Pool *pool, uint32_t frame,
                                        const Objects *objects) {
    uint32_t page = pool->page[frame];
    if (pool->dirty[frame] != 0 && machine_kind_in(objects, page) == OBJECT_FILE) {
        machine->file_writes++;
    } else if (pool->dirty[frame] != 0) {
        uint32_t slot = swap_take(&machine->swap);
        if (slot == SWAP_NO_SLOT) {
            pressure_out_of_memory(machine, pool);
            return false;
        }
        machine->slot_of[page] = slot;
        machine->swap_outs++;
    } else {
        machine->clean_evictions++;
        machine->clean_file_evictions += machine_kind_in(objects, page) == OBJECT_FILE;
    }
    if (machine->observer != NULL) {
        machine_note_eviction(machine, pool, frame);
    }
    if (pool->policy->type->remove != NULL) {
        pool->policy->type->remove(pool->policy, frame);
    }
    machine->frame_of[page] = MACHINE_NO_FRAME;
    machine_take_entries(machine, page, objects);
    machine->replacements++;
    return true;
}

static bool machine_evict(Machine *machine, Pool *pool, uint32_t frame) {
    return machine->objects == NULL ? machine_evict_in(machine, pool, frame, NULL)
                                    : machine_evict_in(machine, pool, frame, machine->objects);
}

/* The number of resident pages is about to change, in the page reference under way or between two.
 */
static void machine_settle(const Machine *machine, Pool *pool) {
    if (pool->policy->type->uses_clock) {
        pool_settle(pool, pool->policy->clock - (machine->between ? 0 : 1));
    }
}

void machine_give_back(Machine *machine, Pool *pool, uint32_t frame) {
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

/* Whether the page in `frame` can leave: there is no place for a dirty one when swap is full. */
static bool machine_can_evict(const Machine *machine, const Pool *pool, uint32_t frame) {
    return pool->dirty[frame] == 0 || machine_kind(machine, pool->page[frame]) == OBJECT_FILE ||
           swap_has_room(&machine->swap);
}

/* Nothing can leave a pool. */
static void machine_stop_locked(Machine *machine) {
    machine->oom_events++;
    machine_stop(machine, VMM_E_OUT_OF_MEMORY,
                 "out of memory in the simulated machine: a page must come in, and all frames hold "
                 "locked ones; give more memory, or lock less");
}

/* A page that may leave: the policy's victim, unless that stays. MACHINE_NO_FRAME: there is none,
   or the policy's frame holds no page. */
static uint32_t machine_pick(Machine *machine, Pool *pool, bool quietly) {
    if (pool->locked != 0 && pool->locked == pool_resident(pool)) {
        if (!quietly) {
            machine_stop_locked(machine);
        }
        return MACHINE_NO_FRAME;
    }
    uint32_t frame = pool->policy->type->victim(pool->policy);
    if (!machine_accepts(machine, pool, frame, "names as its victim")) {
        return MACHINE_NO_FRAME;
    }
    return pool->locked != 0 ? machine_pass_over(machine, pool, frame) : frame;
}

bool machine_reclaim(Machine *machine, Pool *pool, bool quietly) {
    uint32_t frame = machine_pick(machine, pool, quietly);
    if (frame == MACHINE_NO_FRAME || (quietly && !machine_can_evict(machine, pool, frame))) {
        return false;
    }
    machine_cancel_write(pool->policy, frame);
    if (!machine_evict(machine, pool, frame)) {
        return false;
    }
    machine_give_back(machine, pool, frame);
    pool->given_up++;
    return true;
}

/* A frame for a pool that has not as many as it may have. */
static uint32_t machine_take_free(Machine *machine, Pool *pool) {
    int status = VMM_OK;
    if (machine->presses && !pressure_make_room(machine)) {
        return MACHINE_NO_FRAME;
    }
    uint32_t frame = pool_take_frame(pool, &machine->memory, &status);
    if (status != VMM_OK) {
        machine_stop(machine, status, "out of memory for the frames of the simulated machine");
        return MACHINE_NO_FRAME;
    }
    machine->frames_used++;
    if (machine->frames_used > machine->frames_used_peak) {
        machine->frames_used_peak = machine->frames_used;
    }
    pool->peak = pool_resident(pool) > pool->peak ? pool_resident(pool) : pool->peak;
    return frame;
}

/* A frame for a new page: a free one, or the victim's. */
VMM_ALWAYS_INLINE uint32_t machine_find_frame(Machine *machine, Pool *pool,
                                              const Objects *objects) {
    machine_settle(machine, pool);
    if (pool_has_free_frame(pool)) {
        return machine_take_free(machine, pool);
    }
    if (objects != NULL && pool->locked == pool->capacity) {
        machine_stop_locked(machine);
        return MACHINE_NO_FRAME;
    }
    uint32_t frame = pool->policy->type->victim(pool->policy);
    if (!machine_accepts(machine, pool, frame, "names as its victim")) {
        return MACHINE_NO_FRAME;
    }
    machine_cancel_write(pool->policy, frame);
    pool->reclaimed++;
    if (objects != NULL && machine_is_locked(machine, pool, frame)) {
        machine_displace(machine, pool, frame);
        return frame;
    }
    return machine_evict(machine, pool, frame) ? frame : MACHINE_NO_FRAME;
}

/* The same for lock.c. */
bool machine_evict_page(Machine *machine, Pool *pool, uint32_t frame) {
    return machine_evict(machine, pool, frame);
}

uint32_t machine_ask_victim(Machine *machine, Pool *pool) {
    uint32_t frame = pool->policy->type->victim(pool->policy);
    if (!machine_accepts(machine, pool, frame, "names as its victim")) {
        return MACHINE_NO_FRAME;
    }
    machine_cancel_write(pool->policy, frame);
    return frame;
}

/* Of a page that is in no frame. */
VMM_ALWAYS_INLINE VMMFaultClass machine_classify_in(Machine *machine, uint32_t object,
                                                    const Objects *objects) {
    if (machine->slot_of[object] != SWAP_NO_SLOT) {
        machine->swap_ins++;
        return VMM_FAULT_swap_in;
    }
    switch (machine_kind_in(objects, object)) {
    case OBJECT_FILE:
        return machine->settings.file_cache == FILE_CACHE_WARM && machine->loaded[object] == 0
                   ? VMM_FAULT_file_cached
                   : VMM_FAULT_file_read;
    case OBJECT_ZEROS:
        return VMM_FAULT_zero_map;
    case OBJECT_SHARED:
        return VMM_FAULT_zero_fill;
    default:
        return machine->store_backed ? VMM_FAULT_file_read : VMM_FAULT_zero_fill;
    }
}

/* Of a page that is in a frame which the entry does not lead to. */
static VMMFaultClass machine_classify_resident(const Machine *machine, uint32_t object) {
    switch (machine_kind(machine, object)) {
    case OBJECT_FILE:
        return VMM_FAULT_file_cached;
    case OBJECT_ZEROS:
        return VMM_FAULT_zero_map;
    case OBJECT_SHARED:
        return VMM_FAULT_shared_attach;
    default:
        return VMM_FAULT_swap_cached;
    }
}

/* The copy in swap is no longer that of the page. */
void machine_free_slot(Machine *machine, uint32_t page) {
    if (machine->slot_of[page] == SWAP_NO_SLOT) {
        return;
    }
    if (!swap_give_back(&machine->swap, &machine->memory, machine->slot_of[page])) {
        machine_stop(machine, VMM_E_NO_MEMORY, "out of memory for the list of free swap slots");
    }
    machine->slot_of[page] = SWAP_NO_SLOT;
}

/* `object` is the page that the entry led to, or is to lead to. */
VMM_ALWAYS_INLINE void machine_count_fault_in(Machine *machine, Process *process,
                                              VMMFaultClass fault, uint32_t object,
                                              const Objects *objects) {
    machine->fault = fault;
    process->faults[fault]++;
    if (objects != NULL) {
        machine->faults_on[objects->kind[object]]++;
    }
}

static void machine_count_fault(Machine *machine, Process *process, VMMFaultClass fault,
                                uint32_t object) {
    machine_count_fault_in(machine, process, fault, object, machine->objects);
}

VMM_ALWAYS_INLINE uint32_t machine_load_in(Machine *machine, Pool *pool, uint32_t object,
                                           uint32_t page, bool write, const Objects *objects) {
    Policy *policy = pool->policy;
    policy->incoming = object;
    if (policy->type->miss != NULL) {
        policy->type->miss(policy, object);
    }
    uint32_t frame = machine_find_frame(machine, pool, objects);
    if (frame == MACHINE_NO_FRAME) {
        return MACHINE_NO_FRAME;
    }
    if (objects == NULL ? !machine_map(machine, page)
                        : page != 0 && !machine_make_entry(machine, page, object)) {
        machine_give_back(machine, pool, frame);
        return MACHINE_NO_FRAME;
    }
    pool->page[frame] = object;
    pool->dirty[frame] = write;
    machine->frame_of[object] = frame;
    if (objects != NULL) {
        machine->loaded[object] |= OBJECT_LOADED;
        pool->locked += machine->locked[object];
    }
    if (write) {
        if (machine_kind_in(objects, object) == OBJECT_FILE) {
            machine->state[page] |= PAGE_WRITABLE;
        }
        machine_free_slot(machine, object);
    }
    if (policy->type->insert != NULL) {
        policy->type->insert(policy, frame);
    }
    return objects != NULL && machine->homeless != OBJECT_NO_PAGE
               ? machine_rehouse(machine, pool, object)
               : frame;
}

uint32_t machine_load(Machine *machine, Pool *pool, uint32_t object, uint32_t page, bool write) {
    return machine_load_in(machine, pool, object, page, write, machine->objects);
}

/* A fault of a page that is in no frame. */
VMM_ALWAYS_INLINE uint32_t machine_fault_in(Machine *machine, Process *process, Pool *pool,
                                            uint32_t page, uint32_t object, bool write,
                                            const Objects *objects) {
    VMMFaultClass fault = machine_classify_in(machine, object, objects);
    machine_count_fault_in(machine, process, fault, object, objects);
    process->misses++;
    if (objects != NULL && machine->settings.read_ahead != 0 && fault == VMM_FAULT_file_read) {
        machine_read_around(machine, pool, page, object, true);
        if (machine->status != VMM_OK) {
            return MACHINE_NO_FRAME;
        }
    }
    uint32_t frame = objects == NULL ? machine_load_in(machine, pool, object, page, write, NULL)
                                     : machine_load(machine, pool, object, page, write);
    if (objects == NULL && frame != MACHINE_NO_FRAME) {
        uint64_t resident = ++process->resident[OBJECT_ANONYMOUS];
        process->swapped -= machine->fault == VMM_FAULT_swap_in;
        process->resident_peak =
            resident > process->resident_peak ? resident : process->resident_peak;
    }
    return frame;
}

/* A walk of the page table, after a TLB miss. */
VMM_ALWAYS_INLINE void machine_count_walk(Machine *machine, Process *process, Process *owner,
                                          uint32_t page) {
    process->tlb_misses++;
    machine->fault = VMM_FAULT_NONE;
    machine->walk_read_count = machine_walk(machine, owner, page);
    machine->walk_reads += machine->walk_read_count;
}

static void machine_note_seen(Machine *machine, uint32_t page) {
    machine->distinct_pages += (machine->state[page] & PAGE_SEEN) == 0;
    machine->state[page] |= PAGE_SEEN;
}

/* With read-ahead: what the page that a reference wants has to do with it. False: the machine must
   stop. */
static bool machine_look_ahead(Machine *machine, uint32_t page, uint32_t object) {
    if (machine->frame_of[object] != MACHINE_NO_FRAME &&
        (machine->state[page] & PAGE_PRESENT) == 0 &&
        machine_kind(machine, object) == OBJECT_FILE) {
        Pool *pool = machine_pool(machine, machine->objects->charged[object]);
        machine_found_in_cache(machine, pool, page, object);
    }
    if (machine->status != VMM_OK) {
        return false;
    }
    machine_use_ahead(machine, object);
    return true;
}

/* With the resolver: a first reference, and an entry that does not lead to the resident page. */
static bool machine_find_entry(Machine *machine, Process *process, uint32_t page, uint32_t object) {
    machine_note_seen(machine, page);
    if (machine->settings.read_ahead != 0 && !machine_look_ahead(machine, page, object)) {
        return false;
    }
    if (machine->frame_of[object] == MACHINE_NO_FRAME ||
        (machine->state[page] & PAGE_PRESENT) != 0) {
        return true;
    }
    machine_count_fault(machine, process, machine_classify_resident(machine, object), object);
    return machine_make_entry(machine, page, object);
}

/* Whether a read that faulted so may map the pages around, which needs no device: of a file, or of
   shared memory, which Linux keeps as a file of a file system in memory. */
static bool machine_faults_around(unsigned fault, ObjectKind kind) {
    return fault == VMM_FAULT_file_cached || fault == VMM_FAULT_shared_attach ||
           (fault == VMM_FAULT_zero_fill && kind == OBJECT_SHARED);
}

VMM_ALWAYS_INLINE uint32_t machine_miss_in(Machine *machine, Pool *pool, uint32_t page,
                                           uint32_t object, bool write, const Objects *objects) {
    Process *owner = machine_owner(machine, page);
    Process *process = objects == NULL ? owner : &machine->processes[machine->running];
    machine_count_walk(machine, process, owner, page);
    if (VMM_UNLIKELY(machine->status != VMM_OK) ||
        (objects != NULL && !machine_find_entry(machine, process, page, object))) {
        return MACHINE_NO_FRAME;
    }
    uint32_t frame = machine->frame_of[object];
    machine->was_resident = frame != MACHINE_NO_FRAME;
    if (frame == MACHINE_NO_FRAME) {
        frame = machine_fault_in(machine, process, pool, page, object, write, objects);
    }
    if (objects == NULL && machine->tlb.sets == 1 && frame != MACHINE_NO_FRAME) {
        tlb_fill_set(&machine->tlb, 0, page, frame, write, true);
    } else if (frame != MACHINE_NO_FRAME && machine->tlb.entries != 0) {
        tlb_fill(&machine->tlb, page, frame, write);
    }
    if (objects != NULL && !write && machine->settings.fault_around != 0 &&
        machine_faults_around(machine->fault, objects->kind[object])) {
        machine_map_around(machine, pool, page);
    }
    return frame;
}

uint32_t machine_miss(Machine *machine, Pool *pool, uint32_t page, uint32_t object, bool write) {
    return machine->objects == NULL
               ? machine_miss_in(machine, pool, page, page, write, NULL)
               : machine_miss_in(machine, pool, page, object, write, machine->objects);
}

void machine_invalid(Machine *machine, uint32_t space) {
    Process *process = &machine->processes[space];
    uint32_t memory = machine->resolver == NULL ? space : resolver_within(machine->resolver, space);
    machine_revive(machine, &machine->processes[memory]);
    process->tlb_misses++;
    process->faults[VMM_FAULT_invalid]++;
    machine->fault = VMM_FAULT_invalid;
    machine->walk_read_count = 0;
}

/* Linux keeps the entries of a file's pages read-only until a write faults, so that it knows of it;
   cleaning a page makes them so again (page_mkclean()). */
static void machine_notice_write(Machine *machine, uint32_t page, uint32_t object) {
    if ((machine->state[page] & PAGE_WRITABLE) != 0) {
        return;
    }
    machine->state[page] |= PAGE_WRITABLE;
    if (machine->fault == VMM_FAULT_NONE) {
        machine_count_fault(machine, &machine->processes[machine->running], VMM_FAULT_write_notify,
                            object);
    }
}

void machine_write(Machine *machine, Pool *pool, uint32_t page, uint32_t frame) {
    uint32_t object = pool->page[frame];
    if (machine_kind(machine, object) == OBJECT_FILE) {
        machine_notice_write(machine, page, object);
    }
    if (pool->dirty[frame] != 0) {
        return;
    }
    pool->dirty[frame] = 1;
    machine_free_slot(machine, object);
    if (pool->policy->type->dirtied != NULL) {
        pool->policy->type->dirtied(pool->policy, frame);
    }
}

/* The next write to an object page through any entry must be noticed. */
void machine_forget_written(Machine *machine, uint32_t object) {
    if (machine->objects == NULL) {
        tlb_invalidate(&machine->tlb, object);
        return;
    }
    for (uint32_t page = machine->mapper[object]; page != 0; page = machine->mapper_next[page]) {
        machine->state[page] &= (uint8_t)~PAGE_WRITABLE;
        tlb_invalidate(&machine->tlb, page);
        machine->rmap_steps++;
    }
}

/* Writes a dirty page that stays. Its TLB entry goes, or the next write would not be noticed. */
static void machine_clean(Machine *machine, Pool *pool, uint32_t frame) {
    uint32_t object = pool->page[frame];
    if (object == OBJECT_NO_PAGE || pool->dirty[frame] == 0) {
        return;
    }
    if (machine_kind(machine, object) == OBJECT_FILE) {
        machine->file_writes++;
        machine->file_cleanings++;
    } else {
        uint32_t slot = swap_take(&machine->swap);
        if (slot == SWAP_NO_SLOT) {
            return; /* it will be written when it has to leave, or the run ends then */
        }
        machine->slot_of[object] = slot;
        machine->swap_outs++;
        machine->cleanings++;
    }
    pool->dirty[frame] = 0;
    machine_forget_written(machine, object);
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
    uint32_t count = policy->parting.count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t frame = policy->parting.frames[i];
        machine_settle(machine, pool);
        if (!machine_accepts(machine, pool, frame, "parts with")) {
            return false;
        }
        if (machine_is_locked(machine, pool, frame)) {
            machine_keep(pool, frame);
            continue;
        }
        if (!machine_evict(machine, pool, frame)) {
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

/* ---- References that the resolver marked ------------------------------------------------------
 */

/* Looks a translation up without following it. */
static uint32_t machine_look_up(Machine *machine, Process *process, uint32_t page, bool *tlb_hit) {
    Tlb *tlb = &machine->tlb;
    uint32_t entry = tlb->entries == 0 ? UINT32_MAX : tlb_lookup(tlb, page);
    machine->fault = VMM_FAULT_NONE;
    *tlb_hit = entry != UINT32_MAX;
    if (*tlb_hit) {
        tlb_touch(tlb, entry);
    } else {
        machine_count_walk(machine, process, machine_owner(machine, page), page);
    }
    return entry;
}

/*
 * The fault of a write that copies: by where the content comes from. It is read straight into the
 * new frame: the page that is copied does not come in, and is not used by that.
 */
static VMMFaultClass machine_classify_copy(Machine *machine, uint32_t source) {
    if (machine_kind(machine, source) == OBJECT_ZEROS) {
        return VMM_FAULT_zero_fill;
    }
    if (machine->frame_of[source] != MACHINE_NO_FRAME) {
        return VMM_FAULT_cow;
    }
    VMMFaultClass fault = machine_classify_in(machine, source, machine->objects);
    return vmm_fault_class_is_major(fault) ? fault : VMM_FAULT_cow;
}

static uint32_t machine_copy(Machine *machine, Process *process, uint32_t page,
                             const Resolved *resolved) {
    if (machine->settings.read_ahead != 0 && !machine_look_ahead(machine, page, resolved->source)) {
        return MACHINE_NO_FRAME;
    }
    machine->was_resident = false;
    process->misses++;
    ObjectKind kind = machine_kind(machine, resolved->source);
    machine_count_fault(machine, process, machine_classify_copy(machine, resolved->source),
                        resolved->source);
    if (machine->settings.read_ahead != 0 && machine->fault == VMM_FAULT_file_read) {
        Pool *pool = machine_pool(machine, machine->objects->charged[resolved->source]);
        machine_read_around(machine, pool, page, resolved->source, false);
        if (machine->status != VMM_OK) {
            return MACHINE_NO_FRAME;
        }
    }
    machine->private_copies += kind == OBJECT_ANONYMOUS;
    machine->cached_copies += kind == OBJECT_FILE && machine->fault == VMM_FAULT_cow;
    machine_unlink(machine, page, resolved->source);
    Pool *pool = machine_pool(machine, machine->objects->charged[resolved->object]);
    machine->copies++;
    machine->state[page] |= PAGE_OWN;
    return machine_load(machine, pool, resolved->object, page, true);
}

uint32_t machine_resolved(Machine *machine, uint32_t page, const Resolved *resolved,
                          bool *tlb_hit) {
    Process *process = &machine->processes[machine->running];
    uint32_t object = resolved->object;
    if (resolved->how == RESOLVED_REUSE && (machine->state[page] & PAGE_PRESENT) == 0) {
        *tlb_hit = false;
        return machine_miss(machine, machine_pool(machine, machine->objects->charged[object]), page,
                            object, true);
    }
    uint32_t entry = machine_look_up(machine, process, page, tlb_hit);
    if (machine->status != VMM_OK) {
        return MACHINE_NO_FRAME;
    }
    if (resolved->how == RESOLVED_FORBIDDEN) {
        machine->fault = VMM_FAULT_invalid;
        process->faults[VMM_FAULT_invalid]++;
        return MACHINE_NO_FRAME;
    }
    uint32_t frame;
    machine_note_seen(machine, page);
    if (resolved->how == RESOLVED_COPY) {
        frame = machine_copy(machine, process, page, resolved);
        entry = UINT32_MAX; /* it went with the entry of the page table */
    } else {
        machine_count_fault(machine, process, VMM_FAULT_reuse, object);
        machine->was_resident = true;
        frame = machine->frame_of[object];
    }
    if (entry != UINT32_MAX) {
        machine->tlb.written[entry] = 1;
    } else if (frame != MACHINE_NO_FRAME && machine->tlb.entries != 0) {
        tlb_fill(&machine->tlb, page, frame, true);
    }
    return frame;
}
