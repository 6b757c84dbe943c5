/* SPDX-License-Identifier: Apache-2.0 */
/* Making and ending instances of policies. */
#include "policy.h"

int policy_create(const PolicySpec *spec, const Policy *base, Policy **created, Error *error) {
    const PolicyType *type = spec->type;
    Policy *policy = memory_zalloc(base->memory, 1, type->state_size);
    *created = policy;
    if (policy == NULL) {
        return error_no_memory(error, type->state_size, "a replacement policy");
    }
    *policy = *base;
    policy->type = type;
    return type->create == NULL ? VMM_OK : type->create(policy, spec->params, error);
}

void policy_part_with(Policy *policy, uint32_t frame) {
    if (policy->parting_count == policy->parting_capacity) {
        uint32_t capacity = policy->parting_capacity * 2 + 16;
        uint32_t *grown = memory_grow(policy->memory, policy->parting, policy->parting_capacity,
                                      capacity, sizeof *grown);
        if (grown == NULL) {
            policy->parting_failed = true;
            return;
        }
        policy->parting = grown;
        policy->parting_capacity = capacity;
    }
    policy->parting[policy->parting_count++] = frame;
}

void policy_destroy(Policy *policy) {
    if (policy == NULL) {
        return;
    }
    if (policy->type->destroy != NULL) {
        policy->type->destroy(policy);
    }
    memory_free(policy->memory, policy->parting, policy->parting_capacity, sizeof *policy->parting);
    memory_free(policy->memory, policy, 1, policy->type->state_size);
}
