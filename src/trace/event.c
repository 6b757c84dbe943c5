/* SPDX-License-Identifier: Apache-2.0 */
/* Events by name, and as lines of text: event_text.h has the picture. */
#include "event_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../base/compiler.h"
#include "scan.h"

const char *vmm_event_name(uint32_t type) {
    switch (type) {
#define X(name, value, text, meaning) \
    case value:                       \
        return text;
#include "../../include/vmm/events.def"
#undef X
    default:
        return NULL;
    }
}

/* ---- What both directions know -------------------------------------------------------------- */

/* Fields that are bytes, in the order in which they are written. */
#define EVENT_BYTES(X) \
    X(start)           \
    X(length)          \
    X(target)          \
    X(offset)

static const struct {
    uint32_t flag;
    const char *word;
} event_flags[] = {
    {VMM_MAP_SHARED, "shared"},       {VMM_MAP_ANONYMOUS, "anonymous"},
    {VMM_MAP_FIXED, "fixed"},         {VMM_MAP_STACK, "stack"},
    {VMM_MAP_HEAP, "heap"},           {VMM_MAP_AT_START, "at-start"},
    {VMM_MAP_GROWSDOWN, "growsdown"}, {VMM_MAP_HUGETLB, "hugetlb"},
    {VMM_MAP_POPULATE, "populate"},   {VMM_MAP_NORESERVE, "noreserve"},
    {VMM_MAP_LOCKED, "locked"},       {VMM_MAP_SYSV, "sysv"},
    {VMM_FORK_VFORK, "vfork"},
};

static const char *event_value_name(uint32_t type) {
    switch (type) {
    case VMM_EVENT_EXIT:
        return "status";
    case VMM_EVENT_START:
        return "parent";
    case VMM_EVENT_REMAP:
        return "new_length";
    case VMM_EVENT_ADVISE:
        return "advice";
    case VMM_EVENT_FORK:
        return "child";
    case VMM_EVENT_THREAD_START:
        return "thread";
    case VMM_EVENT_MARK:
        return "mark";
    case VMM_EVENT_LOST:
        return "references";
    default:
        return "value";
    }
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* A text that is put together piece by piece and cut off where it does not fit. */
typedef struct EventText {
    char *text;
    size_t size, used; /* used: what a text without end would have */
} EventText;

static VMM_PRINTF(2, 3) void event_add(EventText *to, const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t room = to->used < to->size ? to->size - to->used : 0;
    int count = vsnprintf(room > 0 ? to->text + to->used : NULL, room, format, args);
    to->used += count > 0 ? (size_t)count : 0;
    va_end(args);
}

/* Paths may hold any byte but 0: the line stays one line. */
static void event_add_path(EventText *to, const char *path) {
    event_add(to, " path=\"");
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;
        bool plain = c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
        event_add(to, plain ? "%c" : "\\x%02x", c);
    }
    event_add(to, "\"");
}

static void event_add_prot(EventText *to, uint32_t prot) {
    if (prot > (VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC)) {
        event_add(to, " prot=0x%" PRIx32, prot);
    } else if (prot != 0) {
        event_add(to, " prot=%c%c%c", (prot & VMM_PROT_READ) != 0 ? 'r' : '-',
                  (prot & VMM_PROT_WRITE) != 0 ? 'w' : '-',
                  (prot & VMM_PROT_EXEC) != 0 ? 'x' : '-');
    }
}

static void event_add_flags(EventText *to, uint32_t flags) {
    const char *before = " flags=";
    for (size_t i = 0; i < VMM_COUNT_OF(event_flags); i++) {
        if ((flags & event_flags[i].flag) != 0) {
            event_add(to, "%s%s", before, event_flags[i].word);
            flags &= ~event_flags[i].flag;
            before = ",";
        }
    }
    if (flags != 0) {
        event_add(to, "%s0x%" PRIx32, before, flags);
    }
}

int vmm_event_text(const VMMEvent *event, const VMMTraceFile *file, char *text, size_t size) {
    EventText to = {.text = text, .size = size};
    const char *name = vmm_event_name(event->type);
    event_add(&to, "%s %" PRIu32, name != NULL ? name : "?", event->pid);
    if (event->tid != 0) {
        event_add(&to, "/%" PRIu32, event->tid);
    }
    if (event->value != 0) {
        event_add(&to, " %s=%" PRIu64, event_value_name(event->type), event->value);
    }
#define EVENT_ADD(field)                                        \
    if (event->field != 0) {                                    \
        event_add(&to, " " #field "=0x%" PRIx64, event->field); \
    }
    EVENT_BYTES(EVENT_ADD)
#undef EVENT_ADD
    event_add_prot(&to, event->prot);
    event_add_flags(&to, event->flags);
    if (event->time_ns != 0) {
        event_add(&to, " time_ns=%" PRIu64, event->time_ns);
    }
    if (file != NULL) {
        event_add(&to, " device=%" PRIu64 " inode=%" PRIu64, file->device, file->inode);
        event_add_path(&to, file->path);
    }
    return (int)to.used;
}

/* ---- Reading -------------------------------------------------------------------------------- */

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

/* Whether this text comes next; it is stepped over then. */
static bool event_next_is(Scan *scan, const char *text) {
    size_t length = strlen(text);
    bool is = (size_t)(scan->end - scan->at) >= length && memcmp(scan->at, text, length) == 0;
    scan->at += is ? length : 0;
    return is;
}

static const char *event_read_prot(Scan *scan, uint32_t *prot) {
    if (scan->at < scan->end && scan_is_digit(*scan->at)) {
        return event_number32(scan, prot);
    }
    static const char letters[] = "rwx";
    *prot = 0;
    for (unsigned i = 0; i < 3; i++, scan->at++) {
        if (scan->end == scan->at || (*scan->at != letters[i] && *scan->at != '-')) {
            return "prot is not as in r-x";
        }
        *prot |= *scan->at == letters[i] ? 1u << i : 0u;
    }
    return NULL;
}

static const char *event_read_flag(Scan *scan, uint32_t *flags) {
    if (scan->at < scan->end && scan_is_digit(*scan->at)) {
        return event_number32(scan, flags);
    }
    for (size_t i = 0; i < VMM_COUNT_OF(event_flags); i++) {
        if (event_next_is(scan, event_flags[i].word)) {
            *flags = event_flags[i].flag;
            return NULL;
        }
    }
    return "flags has an unknown word";
}

static const char *event_read_flags(Scan *scan, uint32_t *flags) {
    const char *problem;
    *flags = 0;
    do {
        uint32_t flag = 0;
        problem = event_read_flag(scan, &flag);
        *flags |= flag;
    } while (problem == NULL && event_next_is(scan, ","));
    return problem;
}

static const char *event_read_path(Scan *scan, TraceEvent *event) {
    size_t used = 0;
    if (!event_next_is(scan, "\"")) {
        return "the path is not in quotes";
    }
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
    event->file.path = event->path;
    return event_next_is(scan, "\"") ? NULL : "the path has no quote at its end";
}

/* One "field=value". */
static const char *event_read_field(Scan *scan, TraceEvent *told) {
    VMMEvent *event = &told->event;
#define EVENT_READ(field)                                     \
    if (event_next_is(scan, #field "=")) {                    \
        return event_number(scan, UINT64_MAX, &event->field); \
    }
    EVENT_BYTES(EVENT_READ)
    EVENT_READ(time_ns)
#undef EVENT_READ
    Scan ahead = *scan;
    if (event_next_is(&ahead, event_value_name(event->type)) && event_next_is(&ahead, "=")) {
        *scan = ahead;
        return event_number(scan, UINT64_MAX, &event->value);
    }
    if (event_next_is(scan, "prot=")) {
        return event_read_prot(scan, &event->prot);
    }
    if (event_next_is(scan, "flags=")) {
        return event_read_flags(scan, &event->flags);
    }
    if (event_next_is(scan, "device=")) {
        return event_number(scan, UINT64_MAX, &told->file.device);
    }
    if (event_next_is(scan, "inode=")) {
        return event_number(scan, UINT64_MAX, &told->file.inode);
    }
    if (event_next_is(scan, "path=")) {
        return event_read_path(scan, told);
    }
    return "an event of this type has no such field";
}

static bool event_read_type(Scan *scan, uint32_t *type) {
    static const uint32_t types[] = {
#define X(name, value, text, meaning) value,
#include "../../include/vmm/events.def"
#undef X
    };
    for (size_t i = 0; i < VMM_COUNT_OF(types); i++) {
        Scan ahead = *scan;
        if (event_next_is(&ahead, vmm_event_name(types[i])) && ahead.at < ahead.end &&
            scan_is_blank(*ahead.at)) {
            *scan = ahead;
            *type = types[i];
            return true;
        }
    }
    return false;
}

const char *event_text_read(const char *at, const char *end, TraceEvent *event) {
    Scan scan = {at, end};
    event->event = (VMMEvent){.struct_size = sizeof event->event};
    event->file = (VMMTraceFile){.path = NULL};
    if (!event_read_type(&scan, &event->event.type)) {
        return "there is no event of this name, or its process is missing";
    }
    scan_blanks(&scan);
    const char *problem = event_number32(&scan, &event->event.pid);
    if (problem == NULL && event_next_is(&scan, "/")) {
        problem = event_number32(&scan, &event->event.tid);
    }
    while (problem == NULL && scan.at < scan.end) {
        if (!scan_is_blank(*scan.at)) {
            return "fields are not separated by blanks";
        }
        scan_blanks(&scan);
        problem = scan.at < scan.end ? event_read_field(&scan, event) : NULL;
    }
    return problem;
}
