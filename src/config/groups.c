/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the text of the option groups. */
#include "groups.h"

#include <inttypes.h>
#include <string.h>

#include "../base/number.h"

static bool groups_is_none(const char *text) {
    return strcmp(text, "none") == 0;
}

/* Copies [from, from + length), if it fits and is not empty. */
static bool groups_cut(const char *from, size_t length, char *part, size_t size) {
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(part, from, length);
    part[length] = '\0';
    return true;
}

/* Reads NAME=SIZE: at `at`; returns the list of processes behind it, or NULL. */
static const char *groups_read_head(const char *at, Group *group) {
    char size[GROUP_NAME_BYTES];
    size_t name = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (at[name] != '=' || !groups_cut(at, name, group->name, sizeof group->name)) {
        return NULL;
    }
    at += name + 1;
    size_t digits = strcspn(at, "=:,+");
    if (at[digits] != ':' || !groups_cut(at, digits, size, sizeof size) ||
        number_parse_size(size, UINT64_C(1) << 20, &group->limit) != NUMBER_OK ||
        group->limit == 0) {
        return NULL;
    }
    return at + digits + 1;
}

/* Reads one process of a list; returns what is behind it, at a comma, a + or the end, or NULL. */
static const char *groups_read_pid(const char *at, uint32_t *pid) {
    char digits[GROUP_NAME_BYTES];
    uint64_t number;
    size_t length = strcspn(at, "=:,+");
    if (!groups_cut(at, length, digits, sizeof digits) ||
        number_parse_count(digits, &number) != NUMBER_OK || number > UINT32_MAX ||
        at[length] == '=' || at[length] == ':') {
        return NULL;
    }
    *pid = (uint32_t)number;
    return at + length;
}

/* The groups before `end` that name a process, or have a name. */
static bool groups_know(const char *text, const char *end, const char *name, uint32_t pid) {
    while (text < end) {
        Group group;
        uint32_t one;
        text = groups_read_head(text, &group);
        if (name != NULL && strcmp(group.name, name) == 0) {
            return true;
        }
        do {
            text = groups_read_pid(text, &one);
            if (name == NULL && text <= end && one == pid) {
                return true;
            }
        } while (text < end && *text++ == ',');
    }
    return false;
}

static int groups_refuse(const char *found, Error *error) {
    return error_set(error, VMM_E_USAGE,
                     "groups: found \"%.60s\", expected NAME=SIZE:PID,PID with a + between groups, "
                     "as in db=64M:100,101+web=32M:7",
                     found);
}

/* The group at `at` of a text that is in order before it; *next is behind it. */
static int groups_check_one(const char *text, const char *at, const char **next, Error *error) {
    Group group;
    const char *list = groups_read_head(at, &group);
    if (list == NULL) {
        return groups_refuse(at, error);
    }
    if (groups_know(text, at, group.name, 0)) {
        return error_set(error, VMM_E_USAGE, "groups: two groups are called \"%s\"", group.name);
    }
    while (true) {
        uint32_t pid;
        const char *behind = groups_read_pid(list, &pid);
        if (behind == NULL) {
            return groups_refuse(list, error);
        }
        if (groups_know(text, list, NULL, pid)) {
            return error_set(error, VMM_E_USAGE, "groups: process %" PRIu32 " is named twice", pid);
        }
        if (*behind != ',') {
            *next = behind;
            return VMM_OK;
        }
        list = behind + 1;
    }
}

int groups_check(const char *text, Error *error) {
    const char *at = text;
    while (!groups_is_none(text)) {
        const char *behind = at;
        int status = groups_check_one(text, at, &behind, error);
        if (status != VMM_OK || *behind == '\0') {
            return status;
        }
        at = behind + 1;
    }
    return VMM_OK;
}

uint32_t groups_count(const char *text) {
    uint32_t count = groups_is_none(text) ? 0 : 1;
    for (; *text != '\0'; text++) {
        count += *text == '+';
    }
    return count;
}

/* Where the text of a group begins. */
static const char *groups_text(const char *text, uint32_t index) {
    for (; index > 0; index--) {
        text += strcspn(text, "+") + 1;
    }
    return text;
}

Group groups_at(const char *text, uint32_t index) {
    Group group;
    groups_read_head(groups_text(text, index), &group);
    return group;
}

uint32_t groups_find(const char *text, uint32_t pid) {
    for (uint32_t i = 0; i < groups_count(text); i++) {
        Group group;
        const char *list = groups_read_head(groups_text(text, i), &group);
        uint32_t one;
        do {
            list = groups_read_pid(list, &one);
            if (one == pid) {
                return i;
            }
        } while (*list++ == ',');
    }
    return GROUP_NONE;
}
