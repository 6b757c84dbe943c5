/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic engine: one page reference after the other, step by step, the repeats of an element
 * too. This file is the specification of what the specialised loops do.
 */
#include "engine.h"

/* The page of a page reference; one that no page can have is the reference's own first, or behind
   other pages of the reference the first beyond the limit. */
static uint64_t generic_vpn(const Machine *machine, const Batch *batch, size_t i) {
    const Settings *settings = &machine->settings;
    unsigned shift = settings_page_shift(settings);
    if (batch->page[i] != DIRECTORY_NO_PAGE) {
        return directory_vpn(machine->directory, batch->page[i]);
    }
    if ((batch->op[i] & OP_CONTINUED) == 0) {
        return batch->origin[i].addr >> shift;
    }
    uint64_t limit = settings_address_limit(settings, machine->table_type->info.address_bits);
    return (limit + settings->page_size - 1) >> shift;
}

/* Shows the page reference that was just simulated to the observer. */
static void generic_show(Machine *machine, const Pool *pool, const Batch *batch, size_t i,
                         uint32_t place, bool tlb_hit, uint32_t frame) {
    VMMRef ref = batch->origin[i];
    if (place > 0 && place >= batch_stores(batch, i) && ref.op == VMM_OP_WRITE) {
        ref.op = VMM_OP_READ; /* a load among the repeats of a store */
    }
    machine->batch_references += place > 0 || (batch->op[i] & OP_CONTINUED) == 0;
    VMMStep step = {
        .index = machine->references + machine->batch_references,
        .ref = ref,
        .vpn = generic_vpn(machine, batch, i),
        .tlb_hit = tlb_hit,
        .walk_reads = tlb_hit ? 0 : machine->walk_read_count,
        .fault = machine->fault,
        .frame = frame,
        .used_frames = pool_resident(pool),
        .eviction_count = machine->eviction_count,
        .evictions = machine->evictions,
    };
    machine->observer(machine->observer_user, &step);
}

/*
 * Looks the page up: in the TLB, else by walk and fault. Returns the frame, or MACHINE_NO_FRAME if
 * the machine must stop. *resident: the page was in memory before.
 */
static uint32_t generic_translate(Machine *machine, Pool *pool, uint32_t page, uint32_t object,
                                  bool write, bool *tlb_hit, bool *resident) {
    Tlb *tlb = &machine->tlb;
    uint32_t entry = tlb->entries == 0 ? UINT32_MAX : tlb_lookup(tlb, page);
    VMM_CHECK(tlb->entries == 0 || entry == tlb_search(tlb, page));
    *tlb_hit = entry != UINT32_MAX;
    if (*tlb_hit) {
        tlb_touch(tlb, entry);
        tlb->written[entry] |= write;
        machine->fault = VMM_FAULT_NONE;
        *resident = true;
        return tlb->frame[entry];
    }
    uint32_t frame = machine_miss(machine, pool, page, object, write);
    *resident = machine->was_resident;
    return frame;
}

/* What the policy and the page see of a reference that has found its frame. */
static bool generic_finish(Machine *machine, Pool *pool, uint32_t page, uint32_t frame, bool write,
                           bool tlb_hit, bool resident) {
    Policy *policy = pool->policy;
    if (resident && policy->type->touch != NULL && (machine->touch_on_hit || !tlb_hit)) {
        policy->type->touch(policy, frame);
    }
    if (resident && write) {
        machine_write(machine, pool, page, frame);
    }
    return !policy_has_asked(policy) || machine_part(machine, pool);
}

/* The end of a page reference. False: the machine must stop. */
static bool generic_tell(Machine *machine, const Pool *pool, const Batch *batch, size_t i,
                         uint32_t place, bool tlb_hit, uint32_t frame) {
    if (machine->observer != NULL) {
        generic_show(machine, pool, batch, i, place, tlb_hit, frame);
    }
    return machine->status == VMM_OK;
}

/* One page reference, the first of an element or a repeat. False: the machine must stop. */
static bool generic_reference(Machine *machine, Pool *pool, const Batch *batch, size_t i,
                              uint32_t place) {
    Policy *policy = pool->policy;
    bool write = place < batch_stores(batch, i);
    bool tlb_hit;
    bool resident;
    machine->eviction_count = 0;
    engine_tick_clock(policy, policy->type, 1);
    engine_tell_future(policy, policy->type, batch, i, place == batch_repeat(batch, i));
    uint32_t object = batch->object[i];
    uint32_t frame =
        generic_translate(machine, pool, batch->page[i], object, write, &tlb_hit, &resident);
    if (frame == MACHINE_NO_FRAME) {
        return false;
    }
    return generic_finish(machine, pool, batch->page[i], frame, write, tlb_hit, resident) &&
           generic_tell(machine, pool, batch, i, place, tlb_hit, machine->frame_of[object]);
}

bool engine_resolved(Machine *machine, Pool *pool, const Batch *batch, size_t i, uint32_t place,
                     const Resolved *resolved) {
    Policy *policy = pool->policy;
    bool tlb_hit;
    machine->eviction_count = 0;
    engine_tick_clock(policy, policy->type, 1);
    engine_tell_future(policy, policy->type, batch, i, place == batch_repeat(batch, i));
    uint32_t frame = machine_resolved(machine, batch->page[i], resolved, &tlb_hit);
    if (resolved->how == RESOLVED_FORBIDDEN) {
        return engine_pass(machine, pool, policy->type) &&
               generic_tell(machine, pool, batch, i, place, tlb_hit, MACHINE_NO_FRAME);
    }
    if (frame == MACHINE_NO_FRAME || !generic_finish(machine, pool, batch->page[i], frame, true,
                                                     tlb_hit, machine->was_resident)) {
        return false;
    }
    Pool *source = resolved->how == RESOLVED_COPY
                       ? machine_pool(machine, machine->objects->charged[resolved->source])
                       : pool;
    if (source != pool && policy_has_asked(source->policy) && !machine_part(machine, source)) {
        return false;
    }
    return generic_tell(machine, pool, batch, i, place, tlb_hit,
                        machine->frame_of[resolved->object]);
}

/* A page reference beyond the limit: it stands alone. False: the machine must stop. */
static bool generic_invalid(Machine *machine, Pool *pool, const Batch *batch, size_t i) {
    const PolicyType *type = pool->policy->type;
    machine->eviction_count = 0;
    engine_tick_clock(pool->policy, type, 1);
    if (!engine_invalid(machine, pool, type, batch)) {
        return false;
    }
    if (machine->observer != NULL) {
        generic_show(machine, pool, batch, i, 0, false, MACHINE_NO_FRAME);
    }
    return machine->status == VMM_OK;
}

size_t engine_generic(Machine *machine, Pool *pool, const Batch *batch, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (batch->page[i] == DIRECTORY_NO_PAGE) {
            if (!generic_invalid(machine, pool, batch, i)) {
                return i;
            }
            continue;
        }
        uint32_t repeat = batch_repeat(batch, i);
        for (uint32_t place = 0;; place++) {
            if (!generic_reference(machine, pool, batch, i, place)) {
                machine->stopped_at = place;
                return i;
            }
            VMM_CHECK(machine->pages > ENGINE_CHECK_PAGES || machine_is_valid(machine));
            if (place == repeat) {
                break;
            }
        }
    }
    return to;
}
