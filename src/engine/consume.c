/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch through one machine: cutting it where the address space, the pool or a tick demands it,
 * choosing the engine, and counting what was done.
 */
#include "engine.h"

static EngineLoop *consume_loop(const Machine *machine) {
    bool generic = machine->settings.engine == ENGINE_GENERIC || machine->observer != NULL;
    return generic ? engine_generic : engine_specialised(&machine->policy);
}

/* ---- Elements that the resolver marked ------------------------------------------------------ */

/* The page references of an element behind the first `done` ones, which were stores. */
static bool consume_rest(Machine *machine, Pool *pool, const Batch *batch, size_t i, uint32_t done,
                         EngineLoop *loop) {
    if (batch_repeat(batch, i) < done) {
        return true;
    }
    uint32_t repeat = batch->repeat[i];
    uint32_t stores = batch->stores[i];
    uint8_t op = batch->op[i];
    batch->repeat[i] = repeat - done;
    batch->stores[i] = stores - done;
    batch->op[i] = (uint8_t)((op & ~(OP_CONTINUED | OP_WRITE_BIT)) | (stores > done));
    bool going = loop(machine, pool, batch, i, i + 1) != i;
    batch->repeat[i] = repeat;
    batch->stores[i] = stores;
    batch->op[i] = op;
    machine->stopped_at += going ? 0 : done;
    return going;
}

/* Each reference of a forbidden element is a fault of its own; or each store, if loads may be. */
static bool consume_forbidden(Machine *machine, Pool *pool, const Batch *batch, size_t i,
                              const Resolved *resolved, EngineLoop *loop) {
    bool loads = resolved->object != OBJECT_NO_PAGE;
    uint32_t count = loads ? batch_stores(batch, i) : batch_repeat(batch, i) + 1;
    for (uint32_t place = 0; place < count; place++) {
        if (!engine_resolved(machine, pool, batch, i, place, resolved)) {
            machine->stopped_at = place;
            return false;
        }
    }
    return !loads || consume_rest(machine, pool, batch, i, count, loop);
}

/*
 * A marked element: its first reference is done by itself, unless that was before a tick within
 * the element; then come the others, in the pool that the page is charged to. The clock of the
 * process goes on in its own pool.
 */
static bool consume_special(Machine *machine, Pool *pool, const Batch *batch, size_t i,
                            EngineLoop *loop) {
    const Resolved *resolved = &batch->special[machine->special_at].resolved;
    if (resolved->locked != OBJECT_NO_PAGE) {
        machine_set_lock(machine, resolved->locked, true);
    }
    Pool *own = resolved->object == OBJECT_NO_PAGE
                    ? pool
                    : machine_pool(machine, machine->objects->charged[resolved->object]);
    Policy *policy = own->policy;
    uint64_t clock = policy->clock;
    if (own != pool) {
        policy->space = pool->policy->space;
        policy->time_of = machine->times;
        policy->away = clock - vmm_policy_time(pool->policy);
    }
    bool going;
    if (resolved->how == RESOLVED_FORBIDDEN) {
        going = consume_forbidden(machine, own, batch, i, resolved, loop);
    } else if (resolved->how != RESOLVED_PLAINLY && !machine->special_begun) {
        machine->special_begun = true;
        going = engine_resolved(machine, own, batch, i, 0, resolved);
        machine->stopped_at = going ? machine->stopped_at : 0;
        going = going && consume_rest(machine, own, batch, i, 1, loop);
    } else {
        going = loop(machine, own, batch, i, i + 1) != i;
    }
    if (own != pool) {
        pool->policy->clock += policy->clock - clock;
    }
    if (going && resolved->unlocked != OBJECT_NO_PAGE) {
        machine_set_lock(machine, resolved->unlocked, false);
    }
    return going;
}

/* Elements [from, to), those that the resolver marked apart. */
static size_t consume_elements(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                               size_t to, EngineLoop *loop) {
    while (from < to) {
        while (machine->special_at < batch->special_count &&
               batch->special[machine->special_at].at < from) {
            machine->special_at++;
            machine->special_begun = false;
        }
        bool any = machine->special_at < batch->special_count &&
                   batch->special[machine->special_at].at < to;
        size_t end = any ? batch->special[machine->special_at].at : to;
        size_t reached = loop(machine, pool, batch, from, end);
        if (reached < end) {
            return reached;
        }
        if (any && !consume_special(machine, pool, batch, end, loop)) {
            return end;
        }
        from = any ? end + 1 : end;
    }
    return to;
}

/* ---- Ticks ---------------------------------------------------------------------------------- */

/* The policy's tick, if it is due. False: the machine must stop. */
static bool consume_tick(Machine *machine, Pool *pool, uint64_t references) {
    Policy *policy = pool->policy;
    pool->references += references;
    if (pool->references % policy->period != 0) {
        return true;
    }
    policy->type->tick(policy);
    return machine_part(machine, pool);
}

/*
 * One element with a tick between two of its page references: piece by piece. The batch is given
 * back as it was, for other machines. False: the machine must stop; stopped_at tells where.
 */
static bool consume_split(Machine *machine, Pool *pool, const Batch *batch, size_t i,
                          EngineLoop *loop) {
    uint32_t repeat = batch->repeat[i];
    uint32_t stores = batch->stores[i];
    uint32_t distance = batch->distance == NULL ? 0 : batch->distance[i];
    uint8_t op = batch->op[i];
    uint64_t count = (uint64_t)repeat + 1;
    bool going = true;
    for (uint64_t done = 0; going && done < count;) {
        uint64_t piece = pool_until_tick(pool, count - done);
        uint64_t left = stores > done ? stores - done : 0;
        batch->repeat[i] = (uint32_t)(piece - 1);
        batch->stores[i] = (uint32_t)(left < piece ? left : piece);
        if (batch->distance != NULL) {
            batch->distance[i] = done + piece < count ? 1 : distance;
        }
        if (done > 0) {
            batch->op[i] = (uint8_t)((op & ~(OP_CONTINUED | OP_WRITE_BIT)) | (left > 0));
        }
        going = consume_elements(machine, pool, batch, i, i + 1, loop) != i;
        machine->stopped_at += going ? 0 : done;
        done += piece;
        if (going && !consume_tick(machine, pool, piece)) {
            machine->stopped_at = done - 1; /* the reference before the tick is the last counted */
            going = false;
        }
    }
    batch->repeat[i] = repeat;
    batch->stores[i] = stores;
    batch->op[i] = op;
    if (batch->distance != NULL) {
        batch->distance[i] = distance;
    }
    return going;
}

/* The end of the elements from `from` on that are over before the tick; *left are left till it. */
static size_t consume_until_tick(const Batch *batch, size_t from, size_t to, uint64_t *left) {
    size_t end = from;
    if (batch->repeat == NULL) {
        end = to - from < *left ? to : from + (size_t)*left;
        *left -= end - from;
        return end;
    }
    while (end < to && batch->repeat[end] < *left) {
        *left -= (uint64_t)batch->repeat[end++] + 1;
    }
    return end;
}

/* Elements [from, to), all of one pool, with the policy's ticks where they are due. */
static size_t consume_stretch(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                              size_t to, EngineLoop *loop) {
    uint64_t period = pool->policy->period;
    if (period == 0) {
        return consume_elements(machine, pool, batch, from, to, loop);
    }
    while (from < to) {
        uint64_t due = period - pool->references % period;
        uint64_t left = due;
        size_t end = consume_until_tick(batch, from, to, &left);
        size_t reached = consume_elements(machine, pool, batch, from, end, loop);
        if (reached < end) {
            return reached;
        }
        if (end > from && !consume_tick(machine, pool, due - left)) {
            machine->stopped_at = batch_repeat(batch, end - 1);
            return end - 1; /* the reference before the tick is the last one counted */
        }
        if (end < to && left > 0) {
            if (!consume_split(machine, pool, batch, end, loop)) {
                return end;
            }
            end++;
        }
        from = end;
    }
    return to;
}

/* Notes the address space of the next run; the first one of all is no switch. */
static void consume_enter(Machine *machine, uint32_t space) {
    if (space >= machine->seen_spaces) {
        machine->seen_spaces = space + 1;
    }
    if (machine->last_space != space) {
        if (machine->last_space != DIRECTORY_NO_SPACE) {
            machine->context_switches++;
            if (machine->settings.tlb_switch == TLB_FLUSH && machine->tlb.entries != 0) {
                tlb_flush(&machine->tlb);
            }
        }
        machine->last_space = space;
    }
}

/* Whether the batch must be simulated run by run. */
static bool consume_by_run(const Machine *machine) {
    return machine->by_space || machine->settings.tlb_switch == TLB_FLUSH ||
           machine->policy.type->uses_clock || machine->objects != NULL;
}

/* The elements [from, to), which are of one process. */
static size_t consume_run(Machine *machine, const Run *run, const Batch *batch, size_t from,
                          size_t to, EngineLoop *loop) {
    Pool *pool = machine_pool(machine, run->memory);
    Policy *policy = pool->policy;
    uint32_t space = run->space;
    machine->running = space;
    policy->space = space;
    policy->time_of = machine->times;
    policy->away = policy->clock - machine->times[space];
    size_t reached = consume_stretch(machine, pool, batch, from, to, loop);
    machine->times[space] = policy->clock - policy->away;
    return reached;
}

/* Counts the references among the first `count` page references of an element. */
static void consume_count_element(Machine *machine, Process *process, const Batch *batch, size_t i,
                                  uint64_t count) {
    uint8_t op = batch->op[i];
    bool continued = (op & OP_CONTINUED) != 0;
    uint64_t references = count - continued;
    process->page_references += count;
    machine->references += references;
    if ((op & OP_KERNEL) != 0) {
        process->count[PROCESS_KERNEL] += references;
        return;
    }
    uint64_t writes = batch_stores(batch, i) < count ? batch_stores(batch, i) : count;
    writes -= continued && writes > 0;
    process->count[VMM_OP_WRITE] += writes;
    process->count[(op & OP_MASK) == VMM_OP_FETCH ? VMM_OP_FETCH : VMM_OP_READ] +=
        references - writes;
}

/* Adds the references of a run to its process; or those of its first `length` elements, up to where
   the machine stopped in the last one. */
static void consume_count(Machine *machine, const Batch *batch, const Run *run, size_t first,
                          size_t length, bool stopped) {
    Process *process = &machine->processes[run->space];
    if (length == run->length && !stopped) {
        process->page_references += length + run->repeats;
        for (int kind = 0; kind < PROCESS_KINDS; kind++) {
            process->count[kind] += run->count[kind];
            machine->references += run->count[kind];
        }
        return;
    }
    for (size_t i = first; i < first + length; i++) {
        bool last = stopped && i == first + length - 1;
        uint64_t count = last ? machine->stopped_at + 1 : (uint64_t)batch_repeat(batch, i) + 1;
        consume_count_element(machine, process, batch, i, count);
    }
}

/* Runs the batch; returns how many elements were begun. */
static size_t consume_batch(Machine *machine, const Batch *batch, EngineLoop *loop) {
    if (!consume_by_run(machine)) {
        size_t reached = consume_stretch(machine, machine->pools[0], batch, 0, batch->count, loop);
        return reached < batch->count ? reached + 1 : reached;
    }
    size_t first = 0;
    for (const Run *run = batch->runs; run < batch->runs + batch->run_count; run++) {
        consume_enter(machine, run->space);
        size_t end = first + run->length;
        size_t reached = consume_run(machine, run, batch, first, end, loop);
        if (reached < end) {
            return reached + 1;
        }
        first = end;
    }
    return batch->count;
}

/* What this machine has met of the batch: all of it, or less if it stopped on the way. */
static void consume_note_seen(Machine *machine, const Batch *batch, size_t begun) {
    if (machine->status == VMM_OK) {
        machine->seen_pages = machine->directory->count;
        machine->filtered += batch->left_out;
        machine->dropped += batch->dropped;
        return;
    }
    for (size_t i = 0; i < begun; i++) { /* ids are given in the order of first reference */
        if (batch->page[i] >= machine->seen_pages) {
            machine->seen_pages = batch->page[i] + 1;
        }
    }
    machine->filtered += batch->left_out_before != NULL ? batch->left_out_before[begun - 1] : 0;
    machine->dropped += batch->dropped_before != NULL ? batch->dropped_before[begun - 1] : 0;
}

int engine_consume(Machine *machine, const Batch *batch) {
    if (machine->status != VMM_OK) {
        return machine->status;
    }
    machine->status = machine_reserve(machine, &machine->error);
    if (machine->status != VMM_OK) {
        return machine->status;
    }
    machine->invalid_seen = 0;
    machine->special_at = 0;
    machine->special_begun = false;
    machine->batch_references = 0;
    machine->stopped_at = 0;
    size_t begun = consume_batch(machine, batch, consume_loop(machine));
    bool entered = consume_by_run(machine);
    size_t first = 0;
    for (const Run *run = batch->runs; first < begun; run++) {
        size_t length = begun - first < run->length ? begun - first : run->length;
        if (!entered) {
            consume_enter(machine, run->space);
        }
        bool stopped = machine->status != VMM_OK && first + length == begun;
        consume_count(machine, batch, run, first, length, stopped);
        first += length;
    }
    consume_note_seen(machine, batch, begun);
    VMM_CHECK(machine_is_valid(machine));
    return machine->status;
}
