/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What events take from machines: the pages that an address space gives up.
 *
 * There are no mappings yet: any address is anonymous memory, mapped at its first reference. So of
 * all events only those matter that end the content of pages, for an address that is used anew must
 * begin anew:
 *
 *     UNMAP                the range
 *     ADVISE, value 4      the range: MADV_DONTNEED
 *     MAP with FIXED       the range: what was mapped there is replaced
 *     REMAP                the range that was left, or what was cut off
 *     EXIT, EXEC           all pages, and the page table
 *
 * Of a range only the pages that lie in it wholly are given up: a page of the machine may be larger
 * than one of the trace.
 */
#ifndef VMM_MM_DISCARD_H
#define VMM_MM_DISCARD_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/vmm/event.h"
#include "machine.h"

/* Pages of one address space. */
typedef struct Discard {
    uint32_t space;
    bool all;       /* else VPNs [first, first + count) */
    uint64_t first; /* VPN */
    uint64_t count;
} Discard;

/* Whether the event takes pages that the directory may know, and which. */
bool discard_of(const VMMEvent *event, const Directory *directory, unsigned page_shift,
                Discard *discard);

/* Calls `visit` for each known page; for large sets, directory_chain() before makes it fast. */
typedef void DiscardVisit(void *user, uint32_t page);
void discard_each(const Discard *discard, const Directory *directory, DiscardVisit *visit,
                  void *user);

/* Whether the event changes address spaces or processes: those the counter `events` counts. */
bool discard_counts(const VMMEvent *event);

/*
 * Applies an event to a machine that stands between two batches. `discard` is what discard_of()
 * said, NULL for nothing.
 */
void discard_apply(Machine *machine, const VMMEvent *event, const Discard *discard);

#endif
