/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locked pages: those of locked mappings (mlock(2), MAP_LOCKED), which stay in memory.
 *
 * No policy knows of them. One that names a locked page L as its victim is taken at its word and
 * sees L return at once, as after a fault; so all that it is told is what it could have been told:
 *
 *     miss(N)  victim() = L's frame f  remove(f)  insert(f)    N is in f, L without a frame
 *     miss(L)  victim() = X's frame g  remove(g)  insert(g)    X is evicted, L is in g
 *
 * X may be locked as well, or N itself, and then is the next to return. A policy that names only
 * such pages, as MRU may, is made to give up one that nobody maps, else that with the lowest
 * address. A locked page moves to another frame by that, as a page that a kernel migrates: its
 * translations leave the TLB. A policy of variable space that parts with L sees it return to its
 * frame.
 */
#include "machine.h"

void machine_set_lock(Machine *machine, uint32_t object, bool locked) {
    if (machine->locked[object] == locked) {
        return;
    }
    machine->locked[object] = locked;
    if (machine->frame_of[object] != MACHINE_NO_FRAME) {
        Pool *pool = machine_pool(machine, machine->objects->charged[object]);
        pool->locked += locked ? 1 : UINT32_MAX;
    }
}

/* The page has another frame, or none for a while. */
static void lock_leave_tlb(Machine *machine, uint32_t object) {
    for (uint32_t page = machine->mapper[object]; page != 0; page = machine->mapper_next[page]) {
        tlb_invalidate(&machine->tlb, page);
    }
}

void machine_displace(Machine *machine, Pool *pool, uint32_t frame) {
    machine->homeless = pool->page[frame];
    machine->homeless_dirty = pool->dirty[frame];
    lock_leave_tlb(machine, machine->homeless);
    if (pool->policy->type->remove != NULL) {
        pool->policy->type->remove(pool->policy, frame);
    }
}

/*
 * The policy sees a page come into a frame that nobody refers to now. One that looks ahead is told
 * that it is used next: what it thinks of it is right again after its next reference.
 */
static void lock_insert(Pool *pool, uint32_t frame) {
    Policy *policy = pool->policy;
    uint64_t next_use = policy->next_use;
    uint64_t distance = policy->distance;
    policy->next_use = policy->now + 1;
    policy->distance = 1;
    if (policy->type->insert != NULL) {
        policy->type->insert(policy, frame);
    }
    policy->next_use = next_use;
    policy->distance = distance;
}

static void lock_miss(Pool *pool, uint32_t object) {
    pool->policy->incoming = object;
    if (pool->policy->type->miss != NULL) {
        pool->policy->type->miss(pool->policy, object);
    }
}

/* The page without a frame gets one. */
static void lock_settle(Machine *machine, Pool *pool, uint32_t frame, uint32_t object,
                        uint8_t dirty) {
    pool->page[frame] = object;
    pool->dirty[frame] = dirty;
    machine->frame_of[object] = frame;
    lock_insert(pool, frame);
}

/* What pages are ordered by where no policy says. */
typedef struct LockOrder {
    uint64_t mapped; /* 0: by nobody */
    uint64_t vpn;    /* of its lowest entry, else its name */
    uint64_t pid;
    uint64_t kind;
} LockOrder;

static bool lock_order_less(const LockOrder *a, const LockOrder *b) {
    if (a->mapped != b->mapped) {
        return a->mapped < b->mapped;
    }
    if (a->vpn != b->vpn) {
        return a->vpn < b->vpn;
    }
    return a->pid != b->pid ? a->pid < b->pid : a->kind < b->kind;
}

static LockOrder lock_order(const Machine *machine, uint32_t object) {
    const Directory *directory = machine->directory;
    uint32_t page = machine->mapper[object];
    LockOrder least = {.mapped = 1, .vpn = UINT64_MAX};
    if (page == 0) {
        return (LockOrder){.vpn = machine->objects->name[object],
                           .kind = machine->objects->kind[object]};
    }
    for (; page != 0; page = machine->mapper_next[page]) {
        LockOrder order = {.mapped = 1,
                           .vpn = directory_vpn(directory, page),
                           .pid = directory->pids[directory_space_of(directory, page)],
                           .kind = machine->objects->kind[object]};
        least = lock_order_less(&order, &least) ? order : least;
    }
    return least;
}

/* The page that may leave and is mapped nowhere, else that with the lowest address. */
static uint32_t lock_find_lowest(const Machine *machine, const Pool *pool, uint32_t spared) {
    uint32_t found = MACHINE_NO_FRAME;
    LockOrder least = {0};
    for (uint32_t frame = 0; frame < pool->unused; frame++) {
        uint32_t object = pool->page[frame];
        if (object == OBJECT_NO_PAGE || object == spared || machine->locked[object] != 0) {
            continue;
        }
        LockOrder order = lock_order(machine, object);
        if (found == MACHINE_NO_FRAME || lock_order_less(&order, &least)) {
            found = frame;
            least = order;
        }
    }
    return found;
}

/* The policy names none but pages that stay: one of the others goes, and the last of these comes.
 */
static bool lock_force(Machine *machine, Pool *pool, uint32_t spared) {
    uint32_t frame = lock_find_lowest(machine, pool, spared);
    VMM_CHECK(frame != MACHINE_NO_FRAME);
    uint32_t object = pool->page[frame];
    if (!machine_evict_page(machine, pool, frame)) {
        return false;
    }
    if (pool->policy->type->forget != NULL) {
        pool->policy->type->forget(pool->policy, object);
    }
    lock_miss(pool, machine->homeless);
    lock_settle(machine, pool, frame, machine->homeless, machine->homeless_dirty);
    return true;
}

/* A frame for the page without one; pages that stay change places. False: the machine stops. */
static bool lock_find_place(Machine *machine, Pool *pool, uint32_t spared) {
    uint64_t tries = (uint64_t)pool->locked + 1;
    for (; tries > 0; tries--) {
        lock_miss(pool, machine->homeless);
        uint32_t frame = machine_ask_victim(machine, pool);
        if (frame == MACHINE_NO_FRAME) {
            return false;
        }
        uint32_t object = machine->homeless;
        uint8_t dirty = machine->homeless_dirty;
        if (pool->page[frame] != spared && !machine_is_locked(machine, pool, frame)) {
            if (!machine_evict_page(machine, pool, frame)) {
                return false;
            }
            lock_settle(machine, pool, frame, object, dirty);
            return true;
        }
        machine_displace(machine, pool, frame);
        lock_settle(machine, pool, frame, object, dirty);
    }
    return lock_force(machine, pool, spared);
}

uint32_t machine_rehouse(Machine *machine, Pool *pool, uint32_t object) {
    bool found = lock_find_place(machine, pool, object);
    if (!found) { /* the machine stands, and this page has left */
        pool->locked -= machine->locked[machine->homeless];
        machine->frame_of[machine->homeless] = MACHINE_NO_FRAME;
        machine_take_all_entries(machine, machine->homeless);
    }
    machine->homeless = OBJECT_NO_PAGE;
    return found ? machine->frame_of[object] : MACHINE_NO_FRAME;
}

void machine_keep(Pool *pool, uint32_t frame) {
    uint32_t object = pool->page[frame];
    if (pool->policy->type->remove != NULL) {
        pool->policy->type->remove(pool->policy, frame);
    }
    lock_miss(pool, object);
    lock_insert(pool, frame);
}

uint32_t machine_pass_over(Machine *machine, Pool *pool, uint32_t frame) {
    for (uint64_t tries = (uint64_t)pool->locked + 1; tries > 0; tries--) {
        if (!machine_is_locked(machine, pool, frame)) {
            return frame;
        }
        machine_keep(pool, frame);
        frame = machine_ask_victim(machine, pool);
        if (frame == MACHINE_NO_FRAME) {
            return frame;
        }
    }
    return lock_find_lowest(machine, pool, OBJECT_NO_PAGE);
}
