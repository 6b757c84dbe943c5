/* SPDX-License-Identifier: Apache-2.0 */
/* Events by name, and as lines for people. */
#include "../../include/vmm/event.h"

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
    enum { MOST = 1000 };
    size_t length = strlen(path);
    event_add(to, " \"");
    for (size_t i = 0; i < length && i < MOST; i++) {
        unsigned char c = (unsigned char)path[i];
        bool plain = c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
        event_add(to, plain ? "%c" : "\\x%02x", c);
    }
    event_add(to, "%s\"", length > MOST ? "..." : "");
}

static void event_add_range(EventText *to, const VMMEvent *event) {
    event_add(to, " 0x%" PRIx64 "-0x%" PRIx64, event->start, event->start + event->length);
}

static void event_add_prot(EventText *to, uint32_t prot) {
    event_add(to, " %c%c%c", (prot & VMM_PROT_READ) != 0 ? 'r' : '-',
              (prot & VMM_PROT_WRITE) != 0 ? 'w' : '-', (prot & VMM_PROT_EXEC) != 0 ? 'x' : '-');
}

static void event_add_flags(EventText *to, uint32_t flags) {
    static const struct {
        uint32_t flag;
        const char *word;
    } words[] = {
        {VMM_MAP_ANONYMOUS, "anonymous"}, {VMM_MAP_FIXED, "fixed"},
        {VMM_MAP_STACK, "stack"},         {VMM_MAP_HEAP, "heap"},
        {VMM_MAP_AT_START, "at-start"},   {VMM_MAP_GROWSDOWN, "growsdown"},
        {VMM_MAP_HUGETLB, "hugetlb"},     {VMM_MAP_POPULATE, "populate"},
        {VMM_MAP_NORESERVE, "noreserve"}, {VMM_MAP_LOCKED, "locked"},
        {VMM_MAP_SYSV, "sysv"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(words); i++) {
        if ((flags & words[i].flag) != 0) {
            event_add(to, " %s", words[i].word);
        }
    }
}

static void event_add_map(EventText *to, const VMMEvent *event, const char *path) {
    event_add_range(to, event);
    event_add_prot(to, event->prot);
    event_add(to, (event->flags & VMM_MAP_SHARED) != 0 ? " shared" : " private");
    event_add_flags(to, event->flags);
    if (path != NULL) {
        event_add_path(to, path);
        event_add(to, " offset 0x%" PRIx64, event->offset);
    } else if (event->file != 0) {
        event_add(to, " file %" PRIu32 " offset 0x%" PRIx64, event->file, event->offset);
    }
}

/* What the type says beside pid and tid. */
static void event_add_details(EventText *to, const VMMEvent *event, const char *path) {
    switch (event->type) {
    case VMM_EVENT_MAP:
        event_add_map(to, event, path);
        break;
    case VMM_EVENT_UNMAP:
    case VMM_EVENT_LOCK:
    case VMM_EVENT_UNLOCK:
        event_add_range(to, event);
        event_add_flags(to, event->flags);
        break;
    case VMM_EVENT_PROTECT:
        event_add_range(to, event);
        event_add_prot(to, event->prot);
        break;
    case VMM_EVENT_REMAP:
        event_add_range(to, event);
        event_add(to, " to 0x%" PRIx64 "-0x%" PRIx64, event->target, event->target + event->value);
        break;
    case VMM_EVENT_ADVISE:
        event_add_range(to, event);
        event_add(to, " advice %" PRIu64, event->value);
        break;
    case VMM_EVENT_START:
        event_add(to, " parent %" PRIu64, event->value);
        break;
    case VMM_EVENT_FORK:
        event_add(to, " child %" PRIu64, event->value);
        event_add(to, (event->flags & VMM_FORK_VFORK) != 0 ? " vfork" : "");
        break;
    case VMM_EVENT_EXEC:
        event_add_path(to, path != NULL ? path : "");
        break;
    case VMM_EVENT_EXIT:
        event_add(to, (event->value & 0x7f) == 0 ? " status %" PRIu64 : " signal %" PRIu64,
                  (event->value & 0x7f) == 0 ? event->value >> 8 & 0xff : event->value & 0x7f);
        break;
    case VMM_EVENT_THREAD_START:
    case VMM_EVENT_MARK:
    case VMM_EVENT_LOST:
        event_add(to, " %" PRIu64, event->value);
        break;
    default:
        break;
    }
}

int vmm_event_text(const VMMEvent *event, const char *path, char *text, size_t size) {
    EventText to = {.text = text, .size = size};
    const char *name = vmm_event_name(event->type);
    event_add(&to, "%s %" PRIu32, name != NULL ? name : "?", event->pid);
    if (event->tid != 0) {
        event_add(&to, "/%" PRIu32, event->tid);
    }
    event_add_details(&to, event, path);
    return (int)to.used;
}
