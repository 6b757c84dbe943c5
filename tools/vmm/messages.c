/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on standard error: "vmm: error: ...", in colour on a terminal unless NO_COLOR is set.
 * The level of talk is the one variable that the program keeps outside its stack.
 */
#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
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

/* Control bytes, and in UTF-8 the control characters U+0080 to U+009F. */
static size_t messages_control_length(const char *text) {
    unsigned char c = (unsigned char)text[0], next = c != 0 ? (unsigned char)text[1] : 0;
    return c < 0x20 || c == 0x7f ? 1 : c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

char *cli_visible(const char *text) {
    char *visible = cli_alloc(strlen(text) + 1, sizeof "\\x00");
    char *to = visible;
    while (*text != '\0') {
        size_t length = messages_control_length(text);
        if (length == 0) {
            *to++ = *text++;
        }
        for (; length > 0; length--) {
            to += sprintf(to, "\\x%02x", (unsigned char)*text++);
        }
    }
    return visible;
}

static void messages_print(const char *kind, const char *colour, const char *format, va_list args) {
    char *text = NULL;
    if (messages_in_colour()) {
        fprintf(stderr, "vmm: \033[1;%sm%s:\033[0m ", colour, kind);
    } else {
        fprintf(stderr, "vmm: %s: ", kind);
    }
    if (vasprintf(&text, format, args) >= 0) {
        char *visible = cli_visible(text);
        fputs(visible, stderr);
        free(visible);
        free(text);
    }
    fputc('\n', stderr);
}

char *cli_excerpt(const char *text, size_t length) {
    enum { MOST = 60 };
    bool cut = length > MOST;
    return cli_format("%.*s%s", cut ? MOST : (int)length, text, cut ? "..." : "");
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

/* Whether an option has another value than its default. */
static bool messages_is_set(const VMMConfig *config, const char *name) {
    char value[CLI_VALUE_BYTES];
    return strcmp(cli_config_text(config, name, value), vmm_option_find(name)->default_text) != 0;
}

void cli_warn_unknown_to_curves(const VMMConfig *config) {
    static const char *const names[] = {"resident-limit", "groups", "free-low", "read-ahead",
                                        "fault-around"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (messages_is_set(config, names[i])) {
            cli_warning("--%s is unknown to exact curves, which are of one memory whose pages come "
                        "when they are referenced; vmm sweep simulates each size",
                        names[i]);
        }
    }
}

void cli_warn_unread(const VMMConfig *config) {
    char name[CLI_VALUE_BYTES];
    cli_config_text(config, "policy", name);
    name[strcspn(name, ":")] = '\0';
    for (size_t i = 0; vmm_policy_at(i) != NULL && messages_is_set(config, "read-ahead"); i++) {
        const VMMPolicyInfo *info = vmm_policy_at(i);
        if (strcmp(info->name, name) == 0 &&
            (info->needs == VMM_NEEDS_FUTURE || info->variable_space != 0)) {
            cli_warning("nothing is read ahead: %s takes pages only when they are referenced",
                        name);
        }
    }
}

void cli_warn_losses(const VMMTrace *trace, const VMMTraceInfo *info) {
    const char *bad;
    for (size_t i = 0; (bad = vmm_trace_bad_record_text(trace, i)) != NULL; i++) {
        cli_warning("%s", bad);
    }
    if (info->bad_records > 0) {
        cli_warning("%s: %" PRIu64 " bad record%s left out", info->path, info->bad_records,
                    info->bad_records == 1 ? " was" : "s were");
    }
    if (info->ignored_records > 0) {
        bool din = strcmp(info->format, "din") == 0, lackey = strcmp(info->format, "lackey") == 0;
        cli_warning("%s: %" PRIu64 " record%s no reference (%s) and left out", info->path,
                    info->ignored_records, info->ignored_records == 1 ? " was" : "s were",
                    din      ? "labels 3 to 5"
                    : lackey ? "output of the watched program"
                             : "of other kinds");
    }
    if (info->lost_references > 0) {
        cli_warning("%s: at least %" PRIu64 " reference%s missing, where the trace says \"lost\"",
                    info->path, info->lost_references,
                    info->lost_references == 1 ? " is" : "s are");
    }
    if (info->pauses > 0) {
        cli_warning("%s: recording paused %" PRIu64 " time%s: what the program did meanwhile is "
                    "missing",
                    info->path, info->pauses, info->pauses == 1 ? "" : "s");
    }
    if (info->damaged_bytes > 0) {
        cli_warning("%s: damage made at least %" PRIu64 " byte%s unreadable", info->path,
                    info->damaged_bytes, info->damaged_bytes == 1 ? "" : "s");
    }
}

/* What there is to be done about references beyond the address space. */
static const char *messages_remedy(const VMMConfig *config) {
    unsigned bits = cli_config_address_bits(config);
    uint64_t space = cli_config_bytes(config, "vspace");
    if (space > 0 && bits < 64 && space < UINT64_C(1) << bits) {
        return "; give a larger --vspace if the program may use these addresses";
    }
    return bits < 57 ? "; --pt-type FIVE_LEVEL translates 57 bits" : "";
}

void cli_warn_invalid(const VMMConfig *config, uint64_t count, const VMM *vmm) {
    const char *are = count == 1 ? " is" : "s are";
    VMMInvalid first = {.struct_size = sizeof first};
    char text[VMM_ERROR_TEXT_BYTES];
    if (count == 0) {
        return;
    }
    if (vmm == NULL || vmm_first_invalid(vmm, &first) != VMM_OK) {
        cli_warning("%" PRIu64 " page reference%s invalid: beyond the %u-bit address space or "
                    "--vspace, or outside of the mappings that the trace tells%s",
                    count, are, cli_config_address_bits(config), messages_remedy(config));
        return;
    }
    vmm_invalid_text(&first, text, sizeof text);
    cli_warning("%" PRIu64 " page reference%s invalid, the first: %s%s", count, are, text,
                first.reason == VMM_INVALID_BEYOND ? messages_remedy(config) : "");
}

void cli_warn_killed(const VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    if (stats.kills > 0) {
        cli_warning("%" PRIu64 " process%s killed for that, and %" PRIu64
                    " later reference%s dropped",
                    stats.kills, stats.kills == 1 ? " was" : "es were", stats.dropped,
                    stats.dropped == 1 ? " was" : "s were");
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
    case VMM_E_POLICY:
    case VMM_E_INVALID_ADDRESS:
        return CLI_BAD_INPUT;
    case VMM_E_STOPPED:
        return CLI_SIGNALLED + (cli_interrupted() != 0 ? cli_interrupted() : SIGINT);
    default:
        return CLI_FAILURE;
    }
}

int cli_config_error(const char *command, int code, const char *error) {
    if (code != VMM_E_POLICY && code != VMM_E_OPEN && code != VMM_E_WRITE) {
        return cli_usage_error(command, "%s", error);
    }
    cli_error("%s", error);
    if (code == VMM_E_POLICY) {
        fprintf(stderr, "'vmm policy check FILE' shows all that is wrong with a policy.\n");
    }
    return cli_status(code);
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

/* ---- Memory --------------------------------------------------------------------------------- */

static void messages_no_memory(void) {
    cli_error("out of memory");
    cli_watch_end();
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
