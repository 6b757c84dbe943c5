/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on standard error: "vmm: error: ...", in colour on a terminal unless NO_COLOR is set.
 * The level of talk is the one variable that the program keeps outside its stack.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static CliLevel messages_level = CLI_NORMAL;

void cli_set_level(CliLevel level) {
    messages_level = level;
}

static bool messages_in_colour(void) {
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && (no_color == NULL || *no_color == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static void messages_print(const char *kind, const char *colour, const char *format, va_list args) {
    if (messages_in_colour()) {
        fprintf(stderr, "vmm: \033[1;%sm%s:\033[0m ", colour, kind);
    } else {
        fprintf(stderr, "vmm: %s: ", kind);
    }
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void cli_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    messages_print("error", "31", format, args);
    va_end(args);
}

void cli_warning(const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (messages_level > CLI_QUIET) {
        messages_print("warning", "33", format, args);
    }
    va_end(args);
}

void cli_info(const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (messages_level >= CLI_TALKATIVE) {
        messages_print("info", "36", format, args);
    }
    va_end(args);
}

int cli_usage_error(const char *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    messages_print("error", "31", format, args);
    va_end(args);
    if (command == NULL) {
        fprintf(stderr, "Try 'vmm help'.\n");
    } else {
        fprintf(stderr, "Try 'vmm help %s'.\n", command);
    }
    return CLI_FAILURE;
}

void cli_warn_losses(const VMMTraceInfo *info) {
    if (info->bad_records > 0) {
        cli_warning("%s: %" PRIu64 " bad record%s left out", info->path, info->bad_records,
                    info->bad_records == 1 ? " was" : "s were");
    }
    if (info->ignored_records > 0) {
        cli_warning("%s: %" PRIu64 " record%s no reference (%s) and left out", info->path,
                    info->ignored_records, info->ignored_records == 1 ? " was" : "s were",
                    strcmp(info->format, "din") == 0 ? "labels 3 to 5"
                                                     : "output of the watched program");
    }
    if (info->damaged_bytes > 0) {
        cli_warning("%s: damage made at least %" PRIu64 " byte%s unreadable", info->path,
                    info->damaged_bytes, info->damaged_bytes == 1 ? "" : "s");
    }
}

int cli_status(int vmm_error) {
    switch (vmm_error) {
    case VMM_OK:
        return CLI_OK;
    case VMM_E_BAD_RECORD:
    case VMM_E_DAMAGED:
    case VMM_E_UNKNOWN_FORMAT:
    case VMM_E_EMPTY:
        return CLI_BAD_INPUT;
    case VMM_E_STOPPED:
        return CLI_INTERRUPTED;
    default:
        return CLI_FAILURE;
    }
}

/* ---- Names ---------------------------------------------------------------------------------- */

bool cli_name_matches(const char *a, const char *b) {
    for (;;) {
        while (*a == '-' || *a == '_') {
            a++;
        }
        while (*b == '-' || *b == '_') {
            b++;
        }
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return false;
        }
        if (*a == '\0') {
            return true;
        }
        a++;
        b++;
    }
}

enum { MESSAGES_NAME_MAX = 63 };

/* Edits (insert, delete, replace) that lead from one word to the other. */
static unsigned messages_distance(const char *a, const char *b) {
    unsigned row[MESSAGES_NAME_MAX + 1];
    size_t rows = strlen(a), columns = strlen(b);
    if (rows > MESSAGES_NAME_MAX || columns > MESSAGES_NAME_MAX) {
        return MESSAGES_NAME_MAX;
    }
    for (size_t j = 0; j <= columns; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= rows; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= columns; j++) {
            unsigned best = diagonal + (tolower((unsigned char)a[i - 1]) != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[columns];
}

const char *cli_nearest(const char *word, CliNameAt *name_at, const void *user) {
    const char *name, *nearest = NULL;
    unsigned least = (unsigned)strlen(word) / 3 + 2;
    for (size_t i = 0; (name = name_at(user, i)) != NULL; i++) {
        bool begins = strlen(word) >= 3 && strncmp(word, name, strlen(word)) == 0;
        unsigned distance = begins ? 1 : messages_distance(word, name);
        if (distance < least) {
            least = distance;
            nearest = name;
        }
    }
    return nearest;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static void messages_no_memory(void) {
    cli_error("out of memory");
    exit(CLI_FAILURE);
}

void *cli_alloc(size_t count, size_t size) {
    void *block = calloc(count > 0 ? count : 1, size);
    if (block == NULL) {
        messages_no_memory();
    }
    return block;
}

void *cli_realloc(void *block, size_t count, size_t size) {
    void *grown = reallocarray(block, count, size);
    if (grown == NULL) {
        messages_no_memory();
    }
    return grown;
}

char *cli_format(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        messages_no_memory();
    }
    return text;
}

char *cli_copy(const char *text, size_t length) {
    char *copy = cli_alloc(length + 1, 1);
    memcpy(copy, text, length);
    return copy;
}
