/* SPDX-License-Identifier: Apache-2.0 */
/* The exported tables of policies and page tables, the version, and checks of a configuration. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../include/vmm/version.h"
#include "../../include/vmm/vmm.h"
#include "../config/settings.h"
#include "../engine/policies.h"
#include "../mm/pagetable/pagetable.h"
#include "../mm/pressure.h"

const VMMPolicyInfo *vmm_policy_at(size_t index) {
    const PolicyType *type = policy_at(index);
    return type != NULL ? &type->info : NULL;
}

const char *vmm_policy_needs_text(VMMPolicyNeeds needs) {
    switch (needs) {
    case VMM_NEEDS_NOTHING:
        return "nothing";
    case VMM_NEEDS_ACCESSED_BIT:
        return "accessed bit";
    case VMM_NEEDS_EVERY_REFERENCE:
        return "every reference";
    default:
        return "the future";
    }
}

const VMMPageTableInfo *vmm_page_table_at(size_t index) {
    const PageTableType *type = pagetable_at(index);
    return type != NULL ? &type->info : NULL;
}

const char *vmm_version(void) {
    return VMM_VERSION_STRING;
}

const char *vmm_build_features(void) {
    static const char features[] = ""
#ifdef VMM_HAVE_ZLIB
                                   "zlib "
#endif
#ifdef VMM_HAVE_LZMA
                                   "lzma "
#endif
#ifdef VMM_HAVE_ZSTD
                                   "zstd "
#endif
#ifdef VMM_HAVE_BZIP2
                                   "bzip2 "
#endif
#ifdef VMM_HAVE_XXHASH
                                   "xxhash "
#endif
#ifdef VMM_CHECKING
                                   "checking "
#endif
        ;
    return features;
}

int vmm_config_check(const VMMConfig *config, char *error_text) {
    Error error = {0};
    PolicySpec spec;
    int status = settings_check(config, &error);
    if (status == VMM_OK) {
        status = policy_parse(settings_of(config)->policy, &spec, &error);
    }
    if (status == VMM_OK) {
        status = pressure_check(settings_of(config), spec.type, &error);
        policy_release(&spec);
    }
    if (status == VMM_OK && pagetable_parse(settings_of(config)->page_table, &error) == NULL) {
        status = error.code;
    }
    if (status != VMM_OK) {
        error_publish(&error, error_text);
    }
    return status;
}

void vmm_config_print(const VMMConfig *config) {
    for (size_t i = 0; i < vmm_option_count(); i++) {
        char value[SETTINGS_NAME_BYTES];
        const VMMOption *option = vmm_option_at(i);
        vmm_config_get(config, option->name, value, sizeof value);
        printf("%s = %s\n", option->name, value);
    }
}
