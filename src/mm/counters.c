/* SPDX-License-Identifier: Apache-2.0 */
/* The names and meanings of counters and fault classes, from their .def lists. */
#include <stddef.h>

#include "../../include/vmm/stats.h"
#include "../base/compiler.h"

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
