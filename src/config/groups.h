/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of the option groups: processes that share a limit of resident memory.
 *
 *     db=64M:100,101+web=32M:7         two groups, 0 and 1, with their limits and processes
 *     none                             no group
 *
 * It is kept as text and read again whenever a process appears, which is seldom.
 */
#ifndef VMM_CONFIG_GROUPS_H
#define VMM_CONFIG_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/error.h"

#define GROUP_NAME_BYTES 32
#define GROUP_NONE UINT32_MAX

typedef struct Group {
    char name[GROUP_NAME_BYTES];
    uint64_t limit; /* bytes */
} Group;

/* Whether the text is well formed: VMM_OK, or VMM_E_USAGE with the sentence. */
int groups_check(const char *text, Error *error);

/* The following are for texts that are. */
uint32_t groups_count(const char *text);
Group groups_at(const char *text, uint32_t index);

/* The number of the group that names a process, or GROUP_NONE. */
uint32_t groups_find(const char *text, uint32_t pid);

#endif
