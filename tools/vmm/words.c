/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists on command lines and in files: words separated by commas.
 *
 *     100,200,400                          three numbers
 *     fifo,clock:bits=2,enter=0,lru        three policies: parameters stay with theirs
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

void cli_words_add(CliWords *words, char *word) {
    size_t count = words->count;
    if ((count & (count - 1)) == 0) { /* full: there is room for a power of two */
        words->items = cli_realloc(words->items, count == 0 ? 1 : 2 * count, sizeof *words->items);
    }
    words->items[words->count++] = word;
}

void cli_words_free(CliWords *words) {
    for (size_t i = 0; i < words->count; i++) {
        free(words->items[i]);
    }
    free(words->items);
    *words = (CliWords){0};
}

/* "enter=0" goes on with the parameters of the policy before it; "clock:bits=2" is a new one. */
static bool words_is_parameter(const char *part, size_t length) {
    const char *equals = memchr(part, '=', length);
    return equals != NULL && memchr(part, ':', (size_t)(equals - part)) == NULL;
}

void cli_words_split(CliWords *words, const char *text, bool parameters) {
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        if (parameters && words->count > 0 && words_is_parameter(text, length)) {
            char **last = &words->items[words->count - 1];
            char *longer = cli_format("%s,%.*s", *last, (int)length, text);
            free(*last);
            *last = longer;
        } else {
            cli_words_add(words, cli_copy(text, length));
        }
        text += length + (text[length] == ',');
    }
}

void cli_words_add_policies(CliWords *words) {
    const VMMPolicyInfo *info;
    for (size_t i = 0; (info = vmm_policy_at(i)) != NULL; i++) {
        cli_words_add(words, cli_format("%s", info->name));
    }
}
