/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of page-table organisations: their files are part of this translation unit. */
#include "pagetable.h"

#include <stdio.h>

#include "../../base/number.h"
#include "organisations.def"

/* clang-format off */
#define VMM_EACH_LIST VMM_ORGANISATIONS
#define VMM_EACH_PATH(name) ../mm/pagetable/name.c
/* clang-format on */
#include "../../base/include_each.h"

static const PageTableType *const organisations[] = {
#define X(name) name##_types,
    VMM_ORGANISATIONS(X)
#undef X
};

const PageTableType *pagetable_at(size_t index) {
    for (size_t i = 0; i < VMM_COUNT_OF(organisations); i++) {
        for (const PageTableType *type = organisations[i]; type->info.name != NULL; type++) {
            if (index-- == 0) {
                return type;
            }
        }
    }
    return NULL;
}

const PageTableType *pagetable_parse(const char *name, Error *error) {
    char known[VMM_ERROR_TEXT_BYTES / 2] = "";
    size_t length = 0;
    const PageTableType *type;
    for (size_t i = 0; (type = pagetable_at(i)) != NULL; i++) {
        if (name_matches(name, type->info.name)) {
            return type;
        }
        if (length < sizeof known) {
            length +=
                (size_t)snprintf(known + length, sizeof known - length, " %s", type->info.name);
        }
    }
    error_set(error, VMM_E_USAGE, "there is no page table \"%.60s\"; expected one of:%s", name,
              known);
    return NULL;
}
