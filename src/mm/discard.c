/* SPDX-License-Identifier: Apache-2.0 */
/* Which pages an event takes, and taking them. */
#include "discard.h"

enum { DISCARD_DONTNEED = 4 }; /* MADV_DONTNEED of Linux */

/* The whole pages of [start, start + length). False: there are none. */
static bool discard_range(Discard *discard, const Directory *directory, unsigned page_shift,
                          uint64_t start, uint64_t length) {
    uint64_t limit = UINT64_C(1) << directory->vpn_bits;
    uint64_t end = start + length < start ? UINT64_MAX : start + length;
    uint64_t last = end >> page_shift;
    uint64_t first = start >> page_shift;
    first += first << page_shift != start;
    last = last < limit ? last : limit;
    discard->first = first;
    discard->count = last > first ? last - first : 0;
    return discard->count != 0;
}

bool discard_of(const VMMEvent *event, const Directory *directory, unsigned page_shift,
                Discard *discard) {
    *discard = (Discard){.space = directory_find_space(directory, event->pid)};
    if (discard->space == DIRECTORY_NO_SPACE) {
        return false;
    }
    uint64_t start = event->start;
    uint64_t length = event->length;
    switch (event->type) {
    case VMM_EVENT_EXIT:
    case VMM_EVENT_EXEC:
        discard->all = true;
        return true;
    case VMM_EVENT_UNMAP:
        break;
    case VMM_EVENT_ADVISE:
        length = event->value == DISCARD_DONTNEED ? length : 0;
        break;
    case VMM_EVENT_MAP:
        length = (event->flags & VMM_MAP_FIXED) != 0 ? length : 0;
        break;
    case VMM_EVENT_REMAP:
        if (event->target == start) {
            uint64_t kept = event->value < length ? event->value : length;
            start += kept;
            length -= kept;
        }
        break;
    default:
        return false;
    }
    return discard_range(discard, directory, page_shift, start, length);
}

void discard_each(const Discard *discard, const Directory *directory, DiscardVisit *visit,
                  void *user) {
    if (!discard->all && discard->count < directory->count / 2) {
        for (uint64_t vpn = discard->first; vpn < discard->first + discard->count; vpn++) {
            uint32_t page = directory_find(directory, discard->space, vpn);
            if (page != DIRECTORY_NO_PAGE) {
                visit(user, page);
            }
        }
        return;
    }
    for (uint32_t page = directory_newest(directory, discard->space); page != DIRECTORY_NO_PAGE;
         page = directory_older(directory, discard->space, page)) {
        if (discard->all || directory_vpn(directory, page) - discard->first < discard->count) {
            visit(user, page);
        }
    }
}

bool discard_counts(const VMMEvent *event) {
    switch (event->type) {
    case VMM_EVENT_START:
    case VMM_EVENT_THREAD_START:
    case VMM_EVENT_THREAD_EXIT:
    case VMM_EVENT_MARK:
    case VMM_EVENT_PAUSE:
    case VMM_EVENT_RESUME:
    case VMM_EVENT_LOST:
        return false;
    default:
        return true;
    }
}

static void discard_visit(void *user, uint32_t page) {
    Machine *machine = user;
    if (page < machine->pages) { /* else others met it */
        machine_discard(machine, page);
    }
}

void discard_apply(Machine *machine, const VMMEvent *event, const Discard *discard) {
    machine->events += discard_counts(event);
    if (discard == NULL || discard->space >= machine->process_count) {
        return;
    }
    discard_each(discard, machine->directory, discard_visit, machine);
    if (discard->all) {
        machine_end(machine, discard->space);
    }
}
