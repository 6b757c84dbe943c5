/* SPDX-License-Identifier: Apache-2.0 */
/* Events by name, and written as lines of text: event_text.h has the picture. */
#include "event_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../base/compiler.h"

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

const EventFlag event_flags[] = {
    {VMM_MAP_SHARED, "shared"},       {VMM_MAP_ANONYMOUS, "anonymous"},
    {VMM_MAP_FIXED, "fixed"},         {VMM_MAP_STACK, "stack"},
    {VMM_MAP_HEAP, "heap"},           {VMM_MAP_AT_START, "at-start"},
    {VMM_MAP_GROWSDOWN, "growsdown"}, {VMM_MAP_HUGETLB, "hugetlb"},
    {VMM_MAP_POPULATE, "populate"},   {VMM_MAP_NORESERVE, "noreserve"},
    {VMM_MAP_LOCKED, "locked"},       {VMM_MAP_SYSV, "sysv"},
    {VMM_FORK_VFORK, "vfork"},        {0, NULL},
};

const char *event_value_name(uint32_t type) {
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
    for (size_t i = 0; event_flags[i].word != NULL; i++) {
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

bool event_has_range(uint32_t type) {
    switch (type) {
    case VMM_EVENT_MAP:
    case VMM_EVENT_UNMAP:
    case VMM_EVENT_PROTECT:
    case VMM_EVENT_REMAP:
    case VMM_EVENT_ADVISE:
    case VMM_EVENT_LOCK:
    case VMM_EVENT_UNLOCK:
        return true;
    default:
        return false;
    }
}

int vmm_event_text(const VMMEvent *event, const VMMTraceFile *file, char *text, size_t size) {
    EventText to = {.text = text, .size = size};
    const char *name = vmm_event_name(event->type);
    event_add(&to, "%s %" PRIu32, name != NULL ? name : "?", event->pid);
    if (event->tid != 0) {
        event_add(&to, "/%" PRIu32, event->tid);
    }
    if (event->value != 0 || event->type == VMM_EVENT_FORK) {
        event_add(&to, " %s=%" PRIu64, event_value_name(event->type), event->value);
    }
#define EVENT_ADD(field)                                        \
    if (event->field != 0) {                                    \
        event_add(&to, " " #field "=0x%" PRIx64, event->field); \
    }
    EVENT_BYTES(EVENT_ADD)
#undef EVENT_ADD
    if (event->length == 0 && event_has_range(event->type)) { /* else it reads like a mistake */
        event_add(&to, " length=0");
    }
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
