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
    char sentence[VMM_ERROR_TEXT_BYTES] = "";
    int status = type->create == NULL ? VMM_OK : type->create(policy, spec->params, sentence);
    return status == VMM_OK ? VMM_OK : error_set(error, status, "%s", sentence);
}

static void policy_free_list(const Policy *policy, const VMMPolicyList *list) {
    vmm_policy_free(policy, list->frames, list->capacity, sizeof *list->frames);
}

void policy_destroy(Policy *policy) {
    if (policy == NULL) {
        return;
    }
    if (policy->type->destroy != NULL) {
        policy->type->destroy(policy);
    }
    policy_free_list(policy, &policy->parting);
    policy_free_list(policy, &policy->writing);
    memory_free(policy->memory, policy, 1, policy->type->state_size);
}
