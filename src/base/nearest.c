/* SPDX-License-Identifier: Apache-2.0 */
/* What a mistyped word was meant to be: the name with the fewest edits (Damerau, 1964). */
#include "../../include/vmm/error.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { NEAREST_NAME_MAX = 63 };

static char nearest_small(char letter) {
    return (char)tolower((unsigned char)letter);
}

static unsigned nearest_least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap two neighbours) that lead from one word to the other. */
static unsigned nearest_distance(const char *a, const char *b) {
    unsigned rows[3][NEAREST_NAME_MAX + 1];
    size_t height = strlen(a), width = strlen(b);
    if (height > NEAREST_NAME_MAX || width > NEAREST_NAME_MAX) {
        return UINT_MAX;
    }
    for (size_t j = 0; j <= width; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= height; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= width; j++) {
            unsigned replaced = above[j - 1] + (nearest_small(a[i - 1]) != b[j - 1]);
            row[j] = nearest_least(replaced, nearest_least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && nearest_small(a[i - 1]) == b[j - 2] &&
                nearest_small(a[i - 2]) == b[j - 1]) {
                row[j] = nearest_least(row[j], twice[j - 2] + 1);
            }
        }
    }
    return rows[height % 3][width];
}

const char *vmm_nearest_name(const char *word, VMMNameAt *name_at, const void *user) {
    const char *name, *nearest = NULL;
    unsigned least = ((unsigned)strlen(word) + 1) / 3 + 1; /* one edit for three letters */
    for (size_t i = 0; (name = name_at(user, i)) != NULL; i++) {
        bool begins = strlen(word) >= 3 && strncmp(word, name, strlen(word)) == 0;
        unsigned distance = begins ? 1 : nearest_distance(word, name);
        if (distance < least) {
            least = distance;
            nearest = name;
        }
    }
    return nearest;
}
