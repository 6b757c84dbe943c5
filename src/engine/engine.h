/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engines: loops that take a batch of page references through a machine.
 *
 * generic.c is the readable one and defines the numbers; it also serves observers. loop.h has the
 * same steps as a template, which specialised.c stamps once for each policy with everything known
 * at compile time inlined. Both call the machine for all that is not a TLB hit, and give the same
 * counters, bit for bit.
 */
#ifndef VMM_ENGINE_ENGINE_H
#define VMM_ENGINE_ENGINE_H

#include "../mm/machine.h"
#include "stream.h"

/* Machines of up to this many pages are checked after every page reference (checking builds). */
#define ENGINE_CHECK_PAGES 64

typedef PolicyLoop EngineLoop;

EngineLoop engine_generic;

/*
 * A page reference that the resolver marked, in the pool that its page is charged to; for a
 * forbidden one, of the process. False: the machine must stop.
 */
bool engine_resolved(Machine *machine, Pool *pool, const Batch *batch, size_t i, uint32_t place,
                     const Resolved *resolved);

/* The fastest loop that there is for a policy. */
EngineLoop *engine_specialised(const PolicySpec *policy);

/*
 * Takes a whole batch through a machine: runs, switches of address space, ticks, counts. VMM_OK
 * or the machine's status; a machine that stopped has counted up to the reference that stopped it.
 */
int engine_consume(Machine *machine, const Batch *batch);

/* `count` page references are made, for policies that use the clock. */
static inline void engine_tick_clock(Policy *policy, const PolicyType *type, uint64_t count) {
    if (type->uses_clock) {
        policy->clock += count;
    }
}

/*
 * For policies that need the future: tells the policy of this reference and the next one. `last`:
 * no repeat of the element follows.
 */
static inline void engine_tell_future(Policy *policy, const PolicyType *type, const Batch *batch,
                                      size_t i, bool last) {
    if (type->info.needs != VMM_NEEDS_FUTURE) {
        return;
    }
    policy->now = batch->first + i;
    policy->next_use = batch->next[i] == 0 ? POLICY_NEVER : policy->now + batch->next[i];
    if (policy_wants_distance(type)) {
        policy->distance = !last ? 1 : batch->distance[i] == 0 ? POLICY_NEVER : batch->distance[i];
    }
}

/* The end of a page reference that reached no page. False: the machine must stop. */
static inline bool engine_pass(Machine *machine, Pool *pool, const PolicyType *type) {
    if (type->passed != NULL) {
        type->passed(pool->policy);
        if (policy_has_asked(pool->policy) && !machine_part(machine, pool)) {
            return false;
        }
    }
    return machine->status == VMM_OK;
}

/* A page reference beyond the limit. False: the machine must stop. */
static inline bool engine_invalid(Machine *machine, Pool *pool, const PolicyType *type,
                                  const Batch *batch) {
    machine_invalid(machine, batch->invalid[machine->invalid_seen++]);
    return engine_pass(machine, pool, type);
}

#endif
