/* SPDX-License-Identifier: Apache-2.0 */
/* The exported tables: policies, page tables, counters, fault classes, version; configuration. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../include/vmm/version.h"
#include "../../include/vmm/vmm.h"
#include "../config/settings.h"
#include "../mm/pagetable/pagetable.h"
#include "../mm/policy/policy.h"

static const VMMStatInfo stat_table[] = {
#define X(name, unit, text) {#name, unit, text, offsetof(VMMStats, name)},
#include "../../include/vmm/counters.def"
#undef X
#define X(name, major, text) \
    {"fault_" #name, "faults", text, offsetof(VMMStats, faults) + 8 * VMM_FAULT_##name},
#include "../../include/vmm/fault_classes.def"
#undef X
};

static const struct {
    const char *name;
    int is_major;
    const char *help;
} fault_class_table[] = {
#define X(name, major, text) {#name, major, text},
#include "../../include/vmm/fault_classes.def"
#undef X
};

size_t vmm_stat_count(void) {
    return VMM_COUNT_OF(stat_table);
}

const VMMStatInfo *vmm_stat_at(size_t index) {
    return index < VMM_COUNT_OF(stat_table) ? &stat_table[index] : NULL;
}

static int is_fault_class(int fault_class) {
    return fault_class >= 0 && fault_class < VMM_FAULT_CLASS_COUNT;
}

const char *vmm_fault_class_name(int fault_class) {
    return is_fault_class(fault_class) ? fault_class_table[fault_class].name : NULL;
}

const char *vmm_fault_class_help(int fault_class) {
    return is_fault_class(fault_class) ? fault_class_table[fault_class].help : NULL;
}

int vmm_fault_class_is_major(int fault_class) {
    return is_fault_class(fault_class) ? fault_class_table[fault_class].is_major : 0;
}

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
