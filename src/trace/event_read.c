/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events read from text (event_text.h): what the program writes, and the shorter forms for hands.
 *
 *     field=value                  start=0x4000 length=8K new_length=1M advice=dontneed
 *     address+length               start and length in one: 0x4000+8K
 *     rwx                          the protection, as in rw- or r-x
 *     shared private fixed ...     what flags= may have, one by one
 *     file=NAME segment=NAME       a file; a segment of shared memory, which is a shared mapping
 *     # ...                        a comment, up to the end of the line
 *
 * Lines come as traces do, by the million, but hands make mistakes: messages name the word that is
 * wrong and what it may have been meant to be.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../../include/vmm/error.h"
#include "../base/compiler.h"
#include "event_text.h"
#include "scan.h"

enum { EVENT_WORD_BYTES = 32 };

/* The advice of madvise(2) on Linux by name. */
static const struct {
    uint64_t value;
    const char *word;
} event_advice[] = {
    {0, "normal"},    {1, "random"},      {2, "sequential"},  {3, "willneed"},
    {4, "dontneed"},  {8, "free"},        {10, "dontfork"},   {11, "dofork"},
    {14, "hugepage"}, {15, "nohugepage"}, {18, "wipeonfork"}, {19, "keeponfork"},
};

/* ---- What is wrong -------------------------------------------------------------------------- */

/* The letters, digits, '-' and '_' that come next, cut off where they are more than a name has. */
static void event_word_ahead(const Scan *scan, char word[EVENT_WORD_BYTES]) {
    size_t used = 0;
    for (const char *at = scan->at; at < scan->end && used + 1 < EVENT_WORD_BYTES; at++) {
        unsigned char c = (unsigned char)*at;
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !scan_is_digit(*at) && c != '-' && c != '_') {
            break;
        }
        word[used++] = *at;
    }
    word[used] = '\0';
}

static const char *event_type_at(const void *user, size_t i) {
    static const char *const names[] = {
#define X(name, value, text, meaning) text,
#include "../../include/vmm/events.def"
#undef X
    };
    (void)user;
    return i < VMM_COUNT_OF(names) ? names[i] : NULL;
}

static const char *event_advice_at(const void *user, size_t i) {
    (void)user;
    return i < VMM_COUNT_OF(event_advice) ? event_advice[i].word : NULL;
}

/* All words that an event may have: `user` is the name of its value, then fields, then flags. */
static const char *event_word_at(const void *user, size_t i) {
    static const char *const fields[] = {
#define X(field) #field,
        EVENT_BYTES(X)
#undef X
            "time_ns",
        "prot",
        "flags",
        "device",
        "inode",
        "path",
        "file",
        "segment",
        "private",
    };
    size_t count = VMM_COUNT_OF(fields) + 1;
    return i == 0 ? user : i < count ? fields[i - 1] : event_flags[i - count].word;
}

/* The phrase for a word that is not `what`, in the room of `told`. */
static const char *event_unknown(TraceEvent *told, const Scan *scan, const char *what,
                                 VMMNameAt *name_at, const char *value_name) {
    char word[EVENT_WORD_BYTES];
    event_word_ahead(scan, word);
    const char *nearest = word[0] != '\0' ? vmm_nearest_name(word, name_at, value_name) : NULL;
    snprintf(told->phrase, EVENT_PHRASE_BYTES, "\"%s\" is %s%s%s%s", word, what,
             nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
             nearest != NULL ? "\"?" : "");
    return told->phrase;
}

/* ---- Values --------------------------------------------------------------------------------- */

/* Whether this text comes next; it is stepped over then. */
static bool event_next_is(Scan *scan, const char *text) {
    size_t length = strlen(text);
    bool is = (size_t)(scan->end - scan->at) >= length && memcmp(scan->at, text, length) == 0;
    scan->at += is ? length : 0;
    return is;
}

static const char *event_number(Scan *scan, uint64_t max, uint64_t *value) {
    const char *problem =
        scan_hex_prefix(scan) ? scan_hex(scan, value) : scan_decimal(scan, UINT64_MAX, value);
    return problem == NULL && *value > max ? "a number is too large" : problem;
}

static const char *event_number32(Scan *scan, uint32_t *value) {
    uint64_t wide = 0;
    const char *problem = event_number(scan, UINT32_MAX, &wide);
    *value = (uint32_t)wide;
    return problem;
}

/* Bytes: a number, or one with K, M, G or T, which are powers of 1024. */
static const char *event_bytes(Scan *scan, uint64_t *value) {
    static const char units[] = "KMGT";
    const char *problem = event_number(scan, UINT64_MAX, value);
    const char *unit =
        problem == NULL && scan->at < scan->end ? memchr(units, *scan->at, strlen(units)) : NULL;
    if (unit == NULL) {
        return problem;
    }
    unsigned shift = 10 * (unsigned)(unit - units + 1);
    if (*value > UINT64_MAX >> shift) {
        return "a number is too large";
    }
    *value <<= shift;
    scan->at++;
    return NULL;
}

/* Whether a protection as in "rw-" comes next. */
static bool event_next_is_prot(Scan *scan, uint32_t *prot) {
    static const char letters[] = "rwx";
    uint32_t bits = 0;
    if (scan->end - scan->at < 3 || !scan_at_gap(&(Scan){scan->at + 3, scan->end})) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (scan->at[i] != letters[i] && scan->at[i] != '-') {
            return false;
        }
        bits |= scan->at[i] == letters[i] ? 1u << i : 0u;
    }
    *prot = bits;
    scan->at += 3;
    return true;
}

static const char *event_read_prot(Scan *scan, uint32_t *prot) {
    if (scan->at < scan->end && scan_is_digit(*scan->at)) {
        return event_number32(scan, prot);
    }
    return event_next_is_prot(scan, prot) ? NULL : "prot is not as in r-x";
}

/* Whether a word of flags comes next, a whole one. */
static bool event_next_is_flag(Scan *scan, uint32_t *flags) {
    char word[EVENT_WORD_BYTES];
    event_word_ahead(scan, word);
    for (size_t i = 0; event_flags[i].word != NULL; i++) {
        if (strcmp(word, event_flags[i].word) == 0) {
            scan->at += strlen(word);
            *flags |= event_flags[i].flag;
            return true;
        }
    }
    bool is_private = strcmp(word, "private") == 0; /* no flag: what is not shared */
    scan->at += is_private ? strlen(word) : 0;
    return is_private;
}

static const char *event_read_flags(Scan *scan, TraceEvent *told) {
    uint32_t *flags = &told->event.flags;
    do {
        uint32_t bits = 0;
        if (scan->at < scan->end && scan_is_digit(*scan->at)) {
            const char *problem = event_number32(scan, &bits);
            if (problem != NULL) {
                return problem;
            }
        } else if (!event_next_is_flag(scan, &bits)) {
            return event_unknown(told, scan, "no word of flags", event_word_at, "flags");
        }
        *flags |= bits;
    } while (event_next_is(scan, ","));
    return NULL;
}

static const char *event_read_quoted(Scan *scan, TraceEvent *event, size_t used) {
    while (scan->at < scan->end && *scan->at != '"') {
        char c = *scan->at++;
        if (c == '\\') {
            bool whole = scan->end - scan->at >= 3 && *scan->at == 'x';
            unsigned high = whole ? scan_hex_digit(scan->at[1]) : 16;
            unsigned low = whole ? scan_hex_digit(scan->at[2]) : 16;
            if (high > 15 || low > 15 || high + low == 0) {
                return "the path has a backslash that is none of \\x01 to \\xff";
            }
            c = (char)(high << 4 | low);
            scan->at += 3;
        }
        event->path[used++] = c;
    }
    event->path[used] = '\0';
    return event_next_is(scan, "\"") ? NULL : "the path has no quote at its end";
}

/* A name in quotes, or up to the next blank. `before` stands before it in the path. */
static const char *event_read_name(Scan *scan, TraceEvent *event, const char *before) {
    size_t used = strlen(before);
    if (event->file.path != NULL) {
        return "a mapping shows one file or segment, and this names two";
    }
    memcpy(event->path, before, used);
    event->file.path = event->path;
    if (scan->at < scan->end && *scan->at == '"') {
        scan->at++;
        return event_read_quoted(scan, event, used);
    }
    const char *name = scan->at;
    while (!scan_at_gap(scan)) {
        if (*scan->at == '"' || used + 1 == sizeof event->path) {
            return "a name has a quote inside, or it is too long";
        }
        event->path[used++] = *scan->at++;
    }
    event->path[used] = '\0';
    return scan->at > name ? NULL : "the name of the file is missing";
}

static const char *event_read_advice(Scan *scan, TraceEvent *told) {
    uint64_t *value = &told->event.value;
    char word[EVENT_WORD_BYTES];
    event_word_ahead(scan, word);
    for (size_t i = 0; i < VMM_COUNT_OF(event_advice); i++) {
        if (strcmp(word, event_advice[i].word) == 0) {
            scan->at += strlen(word);
            *value = event_advice[i].value;
            return NULL;
        }
    }
    return scan_is_digit(word[0])
               ? event_number(scan, UINT64_MAX, value)
               : event_unknown(told, scan, "no advice of madvise(2)", event_advice_at, NULL);
}

static const char *event_read_value(Scan *scan, TraceEvent *told) {
    VMMEvent *event = &told->event;
    switch (event->type) {
    case VMM_EVENT_REMAP:
        return event_bytes(scan, &event->value);
    case VMM_EVENT_ADVISE:
        return event_read_advice(scan, told);
    default:
        return event_number(scan, UINT64_MAX, &event->value);
    }
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* "address+length" */
static const char *event_read_range(Scan *scan, VMMEvent *event) {
    const char *problem = event_bytes(scan, &event->start);
    if (problem == NULL && !event_next_is(scan, "+")) {
        problem = "a range is not as in 0x4000+8K";
    }
    return problem == NULL ? event_bytes(scan, &event->length) : problem;
}

/* One of those words that have no value. */
static const char *event_read_word(Scan *scan, TraceEvent *told) {
    VMMEvent *event = &told->event;
    if (event_next_is_prot(scan, &event->prot) || event_next_is_flag(scan, &event->flags)) {
        return NULL;
    }
    return event_unknown(told, scan, "nothing that this event has", event_word_at,
                         event_value_name(event->type));
}

/* What says where the content of a mapping comes from, if it is that; `problem` is of such. */
static bool event_read_file(Scan *scan, TraceEvent *told, const char **problem) {
    if (event_next_is(scan, "device=")) {
        *problem = event_number(scan, UINT64_MAX, &told->file.device);
    } else if (event_next_is(scan, "inode=")) {
        *problem = event_number(scan, UINT64_MAX, &told->file.inode);
    } else if (event_next_is(scan, "path=")) {
        bool quoted = scan->at < scan->end && *scan->at == '"';
        *problem = quoted ? event_read_name(scan, told, "") : "the path is not in quotes";
    } else if (event_next_is(scan, "file=")) {
        *problem = event_read_name(scan, told, "");
    } else if (event_next_is(scan, "segment=")) {
        told->event.flags |= VMM_MAP_SHARED;
        *problem = event_read_name(scan, told, "/dev/shm/");
    } else {
        return false;
    }
    return true;
}

/* One "field=value", or a word. */
static const char *event_read_field(Scan *scan, TraceEvent *told) {
    VMMEvent *event = &told->event;
    const char *problem = NULL;
    if (scan_is_digit(*scan->at)) {
        return event_read_range(scan, event);
    }
#define EVENT_READ(field)                        \
    if (event_next_is(scan, #field "=")) {       \
        return event_bytes(scan, &event->field); \
    }
    EVENT_BYTES(EVENT_READ)
#undef EVENT_READ
    Scan ahead = *scan;
    if (event_next_is(&ahead, event_value_name(event->type)) && event_next_is(&ahead, "=")) {
        *scan = ahead;
        return event_read_value(scan, told);
    }
    if (event_next_is(scan, "time_ns=")) {
        return event_number(scan, UINT64_MAX, &event->time_ns);
    }
    if (event_next_is(scan, "prot=")) {
        return event_read_prot(scan, &event->prot);
    }
    if (event_next_is(scan, "flags=")) {
        return event_read_flags(scan, told);
    }
    return event_read_file(scan, told, &problem) ? problem : event_read_word(scan, told);
}

/* ---- What must be there --------------------------------------------------------------------- */

/* What an event without would mean something else than its writer thinks. */
typedef struct EventGiven {
    bool range, value;
} EventGiven;

/* Notes what the field that comes next says. */
static void event_note(EventGiven *given, const Scan *scan, uint32_t type) {
    Scan length = *scan, value = *scan;
    given->range |= scan_is_digit(*scan->at) || event_next_is(&length, "length=");
    given->value |= event_next_is(&value, event_value_name(type)) && event_next_is(&value, "=");
}

static const char *event_missing(const EventGiven *given, const VMMEvent *event) {
    if (event_has_range(event->type) && !given->range) {
        return "the range is missing, as in 0x4000+8K";
    }
    return event->type == VMM_EVENT_FORK && !given->value ? "the child is missing, as in child=2"
                                                          : NULL;
}

static const char *event_read_type(Scan *scan, TraceEvent *told) {
    static const uint32_t types[] = {
#define X(name, value, text, meaning) value,
#include "../../include/vmm/events.def"
#undef X
    };
    char word[EVENT_WORD_BYTES];
    event_word_ahead(scan, word);
    for (size_t i = 0; i < VMM_COUNT_OF(types); i++) {
        if (strcmp(word, vmm_event_name(types[i])) == 0) {
            scan->at += strlen(word);
            told->event.type = types[i];
            return scan->at < scan->end ? NULL : "the process is missing behind the event's name";
        }
    }
    return event_unknown(told, scan, "no event", event_type_at, NULL);
}

const char *event_text_read(const char *at, const char *end, TraceEvent *event) {
    Scan scan = {at, end};
    event->event = (VMMEvent){.struct_size = sizeof event->event};
    event->file = (VMMTraceFile){.path = NULL};
    EventGiven given = {false, false};
    const char *problem = event_read_type(&scan, event);
    if (problem != NULL) {
        return problem;
    }
    scan_blanks(&scan);
    problem = event_number32(&scan, &event->event.pid);
    if (problem == NULL && event_next_is(&scan, "/")) {
        problem = event_number32(&scan, &event->event.tid);
    }
    while (problem == NULL && scan.at < scan.end) {
        if (!scan_is_blank(*scan.at)) {
            return "fields are not separated by blanks";
        }
        scan_blanks(&scan);
        if (scan.at == scan.end || *scan.at == '#') {
            break;
        }
        event_note(&given, &scan, event->event.type);
        problem = event_read_field(&scan, event);
    }
    return problem == NULL ? event_missing(&given, &event->event) : problem;
}
