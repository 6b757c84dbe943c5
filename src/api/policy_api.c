/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on policies: compiling the user's own, and looking at any. */
#include "../../include/vmm/policy_build.h"
#include "../engine/plugin.h"
#include "../engine/policies.h"

struct VMMPolicyHandle {
    PolicySpec spec;
};

size_t vmm_policy_name_length(const char *text) {
    return policy_name_length(text);
}

bool vmm_policy_is_file(const char *text) {
    return plugin_is_path(text, policy_name_length(text));
}

int vmm_policy_compile(const VMMPolicyBuild *build, char *error_text) {
    Error error = {0};
    int status = plugin_build(build, &error);
    if (status != VMM_OK) {
        error_publish(&error, error_text);
    }
    return status;
}

int vmm_policy_open(const char *text, VMMPolicyHandle **policy, char *error_text) {
    Error error = {0};
    int status = VMM_OK;
    VMMPolicyHandle *handle = NULL;
    if (text == NULL || policy == NULL) {
        status = error_set(&error, VMM_E_USAGE, "vmm_policy_open: an argument is NULL");
    } else {
        *policy = NULL;
        handle = memory_zalloc(&memory_default, 1, sizeof *handle);
    }
    if (status == VMM_OK && handle == NULL) {
        status = error_no_memory(&error, sizeof *handle, "a policy");
    }
    status = status == VMM_OK ? policy_parse(text, &handle->spec, &error) : status;
    if (status != VMM_OK) {
        memory_free(&memory_default, handle, 1, sizeof *handle);
        error_publish(&error, error_text);
        return status;
    }
    *policy = handle;
    return VMM_OK;
}

void vmm_policy_close(VMMPolicyHandle *policy) {
    if (policy != NULL) {
        policy_release(&policy->spec);
        memory_free(&memory_default, policy, 1, sizeof *policy);
    }
}

const VMMPolicyInfo *vmm_policy_info(const VMMPolicyHandle *policy) {
    return &policy->spec.type->info;
}

const VMMPolicyType *vmm_policy_type(const VMMPolicyHandle *policy) {
    return policy->spec.type;
}

const uint64_t *vmm_policy_values(const VMMPolicyHandle *policy) {
    return policy->spec.params;
}

uint64_t vmm_policy_fingerprint(const VMMPolicyHandle *policy) {
    return policy->spec.fingerprint;
}

VMMPolicyMeter *vmm_policy_meter(const VMMPolicyHandle *policy) {
    return plugin_meter(&policy->spec);
}
