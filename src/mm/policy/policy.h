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

/* What "clock:bits=2,enter=0" means. */
typedef struct PolicySpec {
    const PolicyType *type;
    uint64_t params[POLICY_MAX_PARAMS];
} PolicySpec;

/* An instance for a pool of `capacity` frames; base fields that matter are copied from `base`. */
int policy_create(const PolicySpec *spec, const Policy *base, Policy **policy, Error *error);
void policy_destroy(Policy *policy);

#endif
