/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as lines of text: what vmm_event_text() writes, and what a person would.
 *
 *     map 12/1 start=0x4000 length=0x2000 prot=rw- flags=anonymous,fixed
 *     fork 12/12 child=13 time_ns=81234
 *     map 12/1 start=0x7000 length=0x1000 prot=r-x device=2 inode=77 path="/usr/bin/a \x22b\x22"
 *
 *     map 12 0x4000+8K rw- private             # the same by hand: event_read.c
 *     map 12 0x7000+4K r-x file=/usr/bin/a
 *
 * The type, the process and its thread, then fields of VMMEvent by name, in any order; what is 0
 * may be left out, but for the length of a range and the child of a fork. `value` has the name of
 * what it means for the type, events.def says what.
 */
#ifndef VMM_TRACE_EVENT_TEXT_H
#define VMM_TRACE_EVENT_TEXT_H

#include "format.h"

/* Fields that are bytes, in the order in which they are written. */
#define EVENT_BYTES(X) \
    X(start)           \
    X(length)          \
    X(target)          \
    X(offset)

typedef struct EventFlag {
    uint32_t flag;
    const char *word;
} EventFlag;

/* The words for VMMEvent.flags; behind the last one is one without a word. */
extern const EventFlag event_flags[];

/* What VMMEvent.value is called in events of a type. */
const char *event_value_name(uint32_t type);

/* Is it about [start, start + length)? */
bool event_has_range(uint32_t type);

/* NULL, or the phrase that says what is wrong with the text at .. end; it may be in event->phrase.
 */
const char *event_text_read(const char *at, const char *end, TraceEvent *event);

#endif
