/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch through one machine: cutting it where the address space, the pool or a tick demands it,
 * choosing the engine, and counting what was done.
 */
#include "engine.h"

static EngineLoop *consume_loop(const Machine *machine) {
    bool generic = machine->settings.engine == ENGINE_GENERIC || machine->observer != NULL;
    return generic ? engine_generic : engine_specialised(machine->policy.type);
}

/* Page references [from, to), all of one pool, with the policy's ticks where they are due. */
static size_t consume_stretch(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                              size_t to, EngineLoop *loop) {
    Policy *policy = pool->policy;
    while (from < to) {
        size_t end = from + (size_t)pool_until_tick(pool, to - from);
        size_t reached = loop(machine, pool, batch, from, end);
        pool->references += reached - from;
        if (reached < end) {
            return reached;
        }
        if (policy->period != 0 && pool->references % policy->period == 0) {
            policy->type->tick(policy);
            if (!machine_part(machine, pool)) {
                return end - 1; /* the reference before the tick is the last one counted */
            }
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
    return machine->settings.scope == SCOPE_PROCESS || machine->settings.tlb_switch == TLB_FLUSH;
}

/* Adds the references of a run, or of its first `length` page references, to its process. */
static void consume_count(Machine *machine, const Batch *batch, const Run *run, size_t first,
                          size_t length) {
    Process *process = &machine->processes[run->space];
    process->page_references += length;
    if (length == run->length) {
        for (int op = 0; op < VMM_OP_COUNT; op++) {
            process->count[op] += run->count[op];
            machine->references += run->count[op];
        }
        return;
    }
    for (size_t i = first; i < first + length; i++) {
        if ((batch->op[i] & OP_CONTINUED) == 0) {
            process->count[batch->op[i] & OP_MASK]++;
            machine->references++;
        }
    }
}

/* Runs the batch; returns how many page references were begun. */
static size_t consume_batch(Machine *machine, const Batch *batch, EngineLoop *loop) {
    if (!consume_by_run(machine)) {
        size_t reached = consume_stretch(machine, machine->pools[0], batch, 0, batch->count, loop);
        return reached < batch->count ? reached + 1 : reached;
    }
    size_t first = 0;
    for (const Run *run = batch->runs; run < batch->runs + batch->run_count; run++) {
        consume_enter(machine, run->space);
        size_t end = first + run->length;
        Pool *pool = machine_pool(machine, run->space);
        size_t reached = consume_stretch(machine, pool, batch, first, end, loop);
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
        return;
    }
    for (size_t i = 0; i < begun; i++) { /* ids are given in the order of first reference */
        if (batch->page[i] >= machine->seen_pages) {
            machine->seen_pages = batch->page[i] + 1;
        }
    }
    machine->filtered += batch->left_out_before != NULL ? batch->left_out_before[begun - 1] : 0;
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
    machine->batch_references = 0;
    size_t begun = consume_batch(machine, batch, consume_loop(machine));
    bool entered = consume_by_run(machine);
    size_t first = 0;
    for (const Run *run = batch->runs; first < begun; run++) {
        size_t length = begun - first < run->length ? begun - first : run->length;
        if (!entered) {
            consume_enter(machine, run->space);
        }
        consume_count(machine, batch, run, first, length);
        first += length;
    }
    consume_note_seen(machine, batch, begun);
    VMM_CHECK(machine_is_valid(machine));
    return machine->status;
}
