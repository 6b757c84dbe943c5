/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as lines of text, read: what vmm_event_text() writes, and what a person would.
 *
 *     map 12/1 start=0x4000 length=0x2000 prot=rw- flags=anonymous,fixed
 *     fork 12/12 child=13 time_ns=81234
 *     map 12/1 start=0x7000 length=0x1000 prot=r-x device=2 inode=77 path="/usr/bin/a \x22b\x22"
 *
 * The type, the process and its thread, then fields of VMMEvent by name, in any order; what is 0
 * may be left out. `value` has the name of what it means for the type, events.def says what.
 */
#ifndef VMM_TRACE_EVENT_TEXT_H
#define VMM_TRACE_EVENT_TEXT_H

#include "format.h"

/* NULL, or the phrase that says what is wrong with the text at .. end. */
const char *event_text_read(const char *at, const char *end, TraceEvent *event);

#endif
