/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The template of the fast engine: the steps of generic.c for one policy, with its PolicyType and
 * the way a TLB notes a hit known at compile time. specialised.c stamps it for each policy of the
 * simulator, plugin.c for a policy of the user's; both see the policy's file before they include
 * this one.
 *
 * A policy's hooks are static functions of the same translation unit and its PolicyType a visible
 * constant: the compiler calls through it without a pointer and inlines what is hot. A TLB hit is
 * then about a dozen instructions:
 *
 *     entry = slot_of[page]      one load; a page not in the TLB has 0
 *     note the hit               one store: where only the order of last hits matters (LRU), hits
 *                                wait for the next miss, and most need never be noted
 *     the policy's touch         none (FIFO), the same store (LRU), one more (Clock)
 *     first write through this entry?    one load and compare
 *
 * The repeats of an element (stream.h) cost nothing where they change nothing: a policy or a TLB
 * that counts is told their number. Misses leave the loop through machine_miss(), which is the same
 * for both engines. Of the machine's functions the loop calls those of MachineCalls alone.
 */
#ifndef VMM_ENGINE_LOOP_H
#define VMM_ENGINE_LOOP_H

#include "engine.h"

enum {
    LOOP_NEAR_PAGES = 1 << 16, /* what is known of that many pages is in the caches anyway */
    LOOP_FETCH_AHEAD = 16,     /* with more, page references fetched ahead of the loop */
    LOOP_SETTLE_HITS = 2048    /* hits that wait to be noted together, at most */
};

/* A page reference that is no TLB hit. False: the machine must stop. */
VMM_ALWAYS_INLINE bool loop_miss(Machine *machine, Pool *pool, const Batch *batch, size_t i,
                                 uint32_t page, bool write, const PolicyType *type) {
    if (VMM_UNLIKELY(page == DIRECTORY_NO_PAGE)) {
        return engine_invalid(machine, pool, type, batch);
    }
    uint32_t frame = machine_miss(machine, pool, page, batch->object[i], write);
    if (VMM_UNLIKELY(frame == MACHINE_NO_FRAME)) {
        return false;
    }
    if (machine->was_resident) {
        if (type->touch != NULL) {
            type->touch(pool->policy, frame);
        }
        if (write) {
            machine_write(machine, pool, page, frame);
        }
    }
    if (policy_has_asked(pool->policy) && !machine_part(machine, pool)) {
        return false;
    }
    return machine->status == VMM_OK;
}

/* Whether hits touch. The loops ask once: the compiler must take it that their stores change it. */
VMM_ALWAYS_INLINE bool loop_touches(const Machine *machine, const PolicyType *type) {
    return type->touch != NULL && machine->touch_on_hit;
}

/* A TLB hit. False: the machine must stop. */
VMM_ALWAYS_INLINE bool loop_hit(Machine *machine, Pool *pool, uint32_t entry, bool write,
                                const PolicyType *type, TlbNote note, bool touches) {
    Tlb *tlb = &machine->tlb;
    tlb_touch_as(tlb, entry, note);
    if (touches) {
        type->touch(pool->policy, tlb->frame[entry]);
    }
    if (VMM_UNLIKELY(write > tlb->written[entry])) {
        tlb->written[entry] = 1;
        machine->fault = VMM_FAULT_NONE;
        machine_write(machine, pool, tlb->page[entry], tlb->frame[entry]);
    }
    return !type->parts_on_touch || !policy_has_asked(pool->policy) || machine_part(machine, pool);
}

/* Whether the policy can be told of touches in a row at once. */
VMM_ALWAYS_INLINE bool loop_is_bulky(const PolicyType *type) {
    return !type->parts_on_touch &&
           (type->touch == NULL || type->touch_once || type->touch_many != NULL);
}

/*
 * What is left of an element after its first page reference: hits. `touched`: that one touched the
 * frame.
 */
VMM_ALWAYS_INLINE void loop_repeat(Tlb *tlb, Policy *policy, uint32_t entry, const uint32_t *count,
                                   const PolicyType *type, TlbNote note, bool touches,
                                   bool touched) {
    if (note == TLB_NOTE_COUNT) {
        tlb->stamp[entry] += *count;
    }
    engine_tick_clock(policy, type, *count);
    if (touches && type->touch_many != NULL && *count != 0) {
        type->touch_many(policy, tlb->frame[entry], *count);
    }
    if (touches && type->touch_many == NULL && !touched) {
        type->touch(policy, tlb->frame[entry]);
    }
}

/*
 * The repeats of an element whose first page reference was a miss, or of a policy that must see
 * each: one by one, until the page is in the TLB and stays there. False: the machine must stop.
 */
VMM_ALWAYS_INLINE bool loop_each(Machine *machine, Pool *pool, const Batch *batch, size_t i,
                                 const PolicyType *type, TlbNote note) {
    Tlb *tlb = &machine->tlb;
    uint32_t page = batch->page[i];
    uint32_t repeat = batch->repeat[i];
    bool touches = loop_touches(machine, type);
    for (uint32_t done = 0; done < repeat; done++) {
        bool write = done + 1 < batch->stores[i];
        uint32_t slot = tlb->entries == 0 ? 0 : tlb->slot_of[page];
        if (slot != 0 && loop_is_bulky(type)) {
            uint32_t left = repeat - done;
            bool touched = machine->was_resident;
            loop_repeat(tlb, pool->policy, slot - 1, &left, type, note, touches, touched);
            return true;
        }
        engine_tick_clock(pool->policy, type, 1);
        if (policy_wants_distance(type)) {
            engine_tell_future(pool->policy, type, batch, i, done + 1 == repeat);
        }
        bool going = slot != 0 ? loop_hit(machine, pool, slot - 1, write, type, note, touches)
                               : loop_miss(machine, pool, batch, i, page, write, type);
        if (!going) {
            machine->stopped_at = done + 1;
            return false;
        }
    }
    return true;
}

/* Whether a TLB notes only in which order its entries were hit last. */
VMM_ALWAYS_INLINE bool loop_tlb_waits(TlbNote note) {
    return note == TLB_NOTE_ORDER || note == TLB_NOTE_STAMP;
}

/* Whether the touches of a policy can wait for the next miss. */
VMM_ALWAYS_INLINE bool loop_policy_waits(const PolicyType *type) {
    return type->touch_last && !type->parts_on_touch && !type->uses_clock && type->dirtied == NULL;
}

/*
 * Notes hits that waited. Where only the order of last touches matters, a page that was hit a
 * hundred times in a row of hits is touched once: the hits are read from the last one back, and
 * each entry that is met first is one to touch. Returns 0, the number of hits that still wait.
 */
VMM_ALWAYS_INLINE size_t loop_settle(Machine *machine, Policy *policy, const uint16_t *hits,
                                     size_t count, const PolicyType *type, TlbNote note,
                                     bool touches) {
    Tlb *tlb = &machine->tlb;
    uint16_t last[LOOP_SETTLE_HITS];
    size_t found = 0;
    uint32_t *mark = tlb->mark;
    uint32_t round = tlb_next_round(tlb);
    for (size_t i = count; i-- > 0;) {
        uint32_t entry = hits[i];
        if (mark[entry] != round) {
            mark[entry] = round;
            last[found++] = (uint16_t)entry;
        }
    }
    while (found-- > 0) {
        if (loop_tlb_waits(note)) {
            tlb_touch_as(tlb, last[found], note);
        }
        if (touches && loop_policy_waits(type)) {
            type->touch(policy, tlb->frame[last[found]]);
        }
    }
    return 0;
}

/*
 * The loop. `type`, `note`, and `repeats` (whether elements stand for more than one page reference)
 * are constants wherever it is stamped.
 */
VMM_ALWAYS_INLINE size_t loop_with_tlb(Machine *machine, Pool *pool, const Batch *batch,
                                       size_t from, size_t to, const PolicyType *type, TlbNote note,
                                       bool repeats) {
    Policy *policy = pool->policy;
    const uint32_t *pages = batch->page;
    const uint32_t *objects = batch->object;
    const uint8_t *ops = batch->op;
    const uint16_t *slot_of = machine->tlb.slot_of;
    bool touches = loop_touches(machine, type);
    bool far = machine->pages > LOOP_NEAR_PAGES;
    bool tlb_waits = loop_tlb_waits(note);
    bool policy_waits = loop_policy_waits(type);
    bool waits = tlb_waits || (policy_waits && touches);
    uint16_t hits[LOOP_SETTLE_HITS];
    size_t waiting = 0;
    for (size_t i = from; i < to; i++) {
        uint32_t page = pages[i];
        if (VMM_UNLIKELY(far) && i + LOOP_FETCH_AHEAD < to) {
            VMM_PREFETCH(&slot_of[pages[i + LOOP_FETCH_AHEAD]]);
            machine_fetch(machine, pages[i + LOOP_FETCH_AHEAD], objects[i + LOOP_FETCH_AHEAD]);
        }
        bool write = (ops[i] & OP_WRITE_BIT) != 0;
        uint32_t slot = slot_of[page];
        engine_tick_clock(policy, type, 1);
        engine_tell_future(policy, type, batch, i, !repeats || batch->repeat[i] == 0);
        if (VMM_UNLIKELY(slot == 0)) {
            if (waits) {
                waiting = loop_settle(machine, policy, hits, waiting, type, note, touches);
            }
            if (!loop_miss(machine, pool, batch, i, page, write, type) ||
                (repeats && !loop_each(machine, pool, batch, i, type, note))) {
                return i;
            }
            continue;
        }
        if (waits) {
            hits[waiting++] = (uint16_t)(slot - 1);
        }
        if (!loop_hit(machine, pool, slot - 1, write, type, tlb_waits ? TLB_NOTE_NOTHING : note,
                      touches && !policy_waits)) {
            return i;
        }
        if (repeats && loop_is_bulky(type)) {
            loop_repeat(&machine->tlb, policy, slot - 1, &batch->repeat[i], type, note, touches,
                        true);
        }
        if (waits && (waiting == LOOP_SETTLE_HITS || (repeats && !loop_is_bulky(type)))) {
            waiting = loop_settle(machine, policy, hits, waiting, type, note, touches);
        }
        if (repeats && !loop_is_bulky(type) && !loop_each(machine, pool, batch, i, type, note)) {
            return i;
        }
    }
    if (waits) {
        loop_settle(machine, policy, hits, waiting, type, note, touches);
    }
    return to;
}

/*
 * What nearly all page references are without a TLB: a walk of known length to a page in memory.
 * *going, as loop_miss() says. False: it is none of these, and nothing is done.
 */
VMM_ALWAYS_INLINE bool loop_walk(Machine *machine, Pool *pool, uint32_t page, bool write,
                                 const PolicyType *type, bool *going) {
    uint32_t reads = machine->table_type->mapped_reads;
    uint32_t frame = machine->frame_of[page];
    if (frame == MACHINE_NO_FRAME || reads == 0) {
        return false;
    }
    uint32_t space = machine->process_count == 1 ? 0 : directory_space_of(machine->directory, page);
    machine->processes[space].tlb_misses++;
    machine->walk_reads += reads;
    machine->fault = VMM_FAULT_NONE;
    if (type->touch != NULL) {
        type->touch(pool->policy, frame);
    }
    *going = true;
    if (write && pool->dirty[frame] == 0) {
        machine_write(machine, pool, page, frame);
        *going = machine->status == VMM_OK;
    }
    if (policy_has_asked(pool->policy)) {
        *going = *going && machine_part(machine, pool);
    }
    return true;
}

/* The same without a TLB: every page reference walks. */
VMM_ALWAYS_INLINE size_t loop_without_tlb(Machine *machine, Pool *pool, const Batch *batch,
                                          size_t from, size_t to, const PolicyType *type) {
    bool far = machine->pages > LOOP_NEAR_PAGES;
    bool plain = machine->objects == NULL; /* a translation is its page */
    for (size_t i = from; i < to; i++) {
        bool write = (batch->op[i] & OP_WRITE_BIT) != 0;
        uint32_t page = batch->page[i];
        bool going;
        if (VMM_UNLIKELY(far) && i + LOOP_FETCH_AHEAD < to) {
            machine_fetch(machine, batch->page[i + LOOP_FETCH_AHEAD],
                          batch->object[i + LOOP_FETCH_AHEAD]);
        }
        engine_tick_clock(pool->policy, type, 1);
        engine_tell_future(pool->policy, type, batch, i, batch_repeat(batch, i) == 0);
        if (!plain || !loop_walk(machine, pool, page, write, type, &going)) {
            going = loop_miss(machine, pool, batch, i, page, write, type);
        }
        if (!going || (batch->repeat != NULL &&
                       !loop_each(machine, pool, batch, i, type, TLB_NOTE_NOTHING))) {
            return i;
        }
    }
    return to;
}

/* With repeats and without: two loops. */
VMM_ALWAYS_INLINE size_t loop_either(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                                     size_t to, const PolicyType *type, TlbNote note) {
    return batch->repeat == NULL ? loop_with_tlb(machine, pool, batch, from, to, type, note, false)
                                 : loop_with_tlb(machine, pool, batch, from, to, type, note, true);
}

/* The whole loop of a policy. */
VMM_ALWAYS_INLINE size_t loop_run(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                                  size_t to, const PolicyType *type) {
    if (machine->tlb.entries == 0) {
        return loop_without_tlb(machine, pool, batch, from, to, type);
    }
    switch (machine->tlb.note) {
    case TLB_NOTE_ORDER:
        return loop_either(machine, pool, batch, from, to, type, TLB_NOTE_ORDER);
    case TLB_NOTE_STAMP:
        return loop_either(machine, pool, batch, from, to, type, TLB_NOTE_STAMP);
    case TLB_NOTE_COUNT:
        return loop_either(machine, pool, batch, from, to, type, TLB_NOTE_COUNT);
    default:
        return loop_either(machine, pool, batch, from, to, type, TLB_NOTE_NOTHING);
    }
}

#endif
