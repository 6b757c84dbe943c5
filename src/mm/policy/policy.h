/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A replacement policy inside the simulator. The interface itself is public, include/vmm/policy.h:
 * read it first. One policy is one file in this folder and one line in policies.def; the file ends
 * with a constant PolicyType called <name>_policy.
 */
#ifndef VMM_MM_POLICY_POLICY_H
#define VMM_MM_POLICY_POLICY_H

#include "../../../include/vmm/policy.h"
#include "../../base/compiler.h"
#include "../../base/error.h"
#include "../../base/memory.h"

#define POLICY_NO_FRAME VMM_POLICY_NO_FRAME
#define POLICY_NEVER VMM_POLICY_NEVER
#define POLICY_MAX_PARAMS VMM_POLICY_MAX_PARAMS

typedef VMMPolicy Policy;
typedef VMMPolicyType PolicyType;

/* Whether there is something for machine_part() to do. */
static inline bool policy_has_asked(const Policy *policy) {
    return (policy->parting.count | policy->writing.count) != 0 || policy->failed;
}

/* Whether it wants to know the virtual time until a page's next reference. */
static inline bool policy_wants_distance(const PolicyType *type) {
    return type->info.needs == VMM_NEEDS_FUTURE && type->uses_clock;
}

struct Machine;
struct Pool;
struct Batch;

/*
 * A loop of the engine. It simulates page references [from, to) of a batch, all of one pool.
 * Returns `to`, or the index of the page reference at which the machine had to stop.
 */
typedef size_t PolicyLoop(struct Machine *machine, struct Pool *pool, const struct Batch *batch,
                          size_t from, size_t to);

/* What "clock:bits=2,enter=0" means. Of a plug-in, whoever parsed it gives it back. */
typedef struct PolicySpec {
    const PolicyType *type;
    uint64_t params[POLICY_MAX_PARAMS];
    void *library;    /* the open shared library of a plug-in; NULL: a policy of the simulator */
    PolicyLoop *loop; /* that was compiled with it; NULL: none, or the simulator knows */
    uint64_t fingerprint; /* of the library's content; 0: there is none */
} PolicySpec;

/* An instance for a pool of `capacity` frames; base fields that matter are copied from `base`. */
int policy_create(const PolicySpec *spec, const Policy *base, Policy **policy, Error *error);
void policy_destroy(Policy *policy);

#endif
