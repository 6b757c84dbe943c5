/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and formatting of numbers with units, and the matching of names. */
#include "number.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "compiler.h"

typedef struct Unit {
    const char *name;
    uint64_t factor;
} Unit;

#define KI UINT64_C(1024)
#define MI (KI << 10)
#define GI (KI << 20)
#define TI (KI << 30)
#define K UINT64_C(1000)
#define M UINT64_C(1000000)
#define G UINT64_C(1000000000)
#define T UINT64_C(1000000000000)

static const Unit count_units[] = {
    {"", 1}, {"k", K}, {"M", M}, {"G", G}, {"Ki", KI}, {"Mi", MI}, {"Gi", GI},
};

static const Unit size_units[] = {
    {"B", 1},  {"K", KI},  {"KB", KI},  {"KiB", KI}, {"M", MI},  {"MB", MI},  {"MiB", MI},
    {"G", GI}, {"GB", GI}, {"GiB", GI}, {"T", TI},   {"TB", TI}, {"TiB", TI},
};

static const Unit duration_units[] = {
    {"ps", 1}, {"ns", K}, {"us", M}, {"ms", G}, {"s", T},
};

/* Digits, 0x digits, or digits with a fraction; *scale is 10 to the number of decimals. */
static int parse_digits(const char **text, uint64_t *value, uint64_t *scale) {
    const char *at = *text;
    unsigned base = 10;
    *value = 0;
    *scale = 1;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && isxdigit((unsigned char)at[2])) {
        base = 16;
        at += 2;
    } else if (!isdigit((unsigned char)*at)) {
        return NUMBER_BAD;
    }
    int in_fraction = 0;
    for (;; at++) {
        if (*at == '.' && base == 10 && !in_fraction && isdigit((unsigned char)at[1])) {
            in_fraction = 1;
            continue;
        }
        unsigned digit;
        if (isdigit((unsigned char)*at)) {
            digit = (unsigned)(*at - '0');
        } else if (base == 16 && isxdigit((unsigned char)*at)) {
            digit = (unsigned)(tolower((unsigned char)*at) - 'a') + 10;
        } else {
            break;
        }
        if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
            __builtin_add_overflow(*value, (uint64_t)digit, value) ||
            (in_fraction && __builtin_mul_overflow(*scale, UINT64_C(10), scale))) {
            return NUMBER_OVERFLOW;
        }
    }
    *text = at;
    return NUMBER_OK;
}

static int scaled(uint64_t value, uint64_t scale, uint64_t factor, uint64_t *result) {
    unsigned __int128 product = (unsigned __int128)value * factor;
    if (product % scale != 0) {
        return NUMBER_BAD;
    }
    product /= scale;
    if (product > UINT64_MAX) {
        return NUMBER_OVERFLOW;
    }
    *result = (uint64_t)product;
    return NUMBER_OK;
}

static int parse_with_units(const char *text, const Unit *units, size_t count, uint64_t bare_factor,
                            uint64_t *result) {
    uint64_t value;
    uint64_t scale;
    int status = parse_digits(&text, &value, &scale);
    if (status != NUMBER_OK) {
        return status;
    }
    if (*text == '\0') {
        return scaled(value, scale, bare_factor, result);
    }
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(text, units[i].name) == 0) {
            return scaled(value, scale, units[i].factor, result);
        }
    }
    return NUMBER_BAD;
}

int number_parse_count(const char *text, uint64_t *value) {
    return parse_with_units(text, count_units, VMM_COUNT_OF(count_units), 1, value);
}

int number_parse_size(const char *text, uint64_t unit, uint64_t *bytes) {
    return parse_with_units(text, size_units, VMM_COUNT_OF(size_units), unit, bytes);
}

int number_parse_duration(const char *text, uint64_t *picoseconds) {
    return parse_with_units(text, duration_units, VMM_COUNT_OF(duration_units), K, picoseconds);
}

void number_format_size(uint64_t bytes, char *text, size_t size) {
    static const char suffixes[] = "KMGT";
    int power = -1;
    while (bytes != 0 && bytes % KI == 0 && power < 3) {
        bytes /= KI;
        power++;
    }
    if (power < 0) {
        snprintf(text, size, "%" PRIu64 "B", bytes);
    } else {
        snprintf(text, size, "%" PRIu64 "%c", bytes, suffixes[power]);
    }
}

void number_format_duration(uint64_t picoseconds, char *text, size_t size) {
    size_t unit = 0;
    while (unit + 1 < VMM_COUNT_OF(duration_units) && picoseconds != 0 && picoseconds % K == 0) {
        picoseconds /= K;
        unit++;
    }
    snprintf(text, size, "%" PRIu64 "%s", picoseconds, duration_units[unit].name);
}

static char fold(const char **text) {
    while (**text == '-' || **text == '_') {
        (*text)++;
    }
    char c = **text;
    if (c != '\0') {
        (*text)++;
    }
    return (char)tolower((unsigned char)c);
}

int name_matches(const char *a, const char *b) {
    char x;
    do {
        x = fold(&a);
        if (x != fold(&b)) {
            return 0;
        }
    } while (x != '\0');
    return 1;
}

int64_t name_place(const char *names, const char *name) {
    char word[64];
    for (int64_t place = 0; *names != '\0'; place++) {
        size_t length = strcspn(names, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, names);
        if (name_matches(word, name)) {
            return place;
        }
        names += length + (names[length] == '|');
    }
    return -1;
}

#undef KI
#undef MI
#undef GI
#undef TI
#undef K
#undef M
#undef G
#undef T
