/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The working set over time, inside: a consumer of a run (engine/run.h).
 *
 *     last     by page id: the number of the last window that referenced it, from 1; 0: none
 *     windows  the finished ones, and behind them the open one
 *
 * A page is looked at only where it is new in its window: that is where its old number tells
 * whether the window before had it, too.
 */
#ifndef VMM_ANALYSIS_WORKING_SET_H
#define VMM_ANALYSIS_WORKING_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/vmm/working_set.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../config/settings.h"
#include "../engine/run.h"

struct VMMWorkingSet {
    Memory memory;
    Settings settings;
    unsigned address_bits;
    uint64_t window;
    double threshold;
    Stream *stream; /* NULL before the run */
    uint32_t *last;
    uint32_t page_count; /* that `last` has room for */
    VMMWindow *windows;
    size_t capacity;
    size_t count;  /* windows, the open one included */
    uint64_t left; /* page references until the open window ends */
    Error error;
};

/* An analysis that is attached to a stream. */
RunConsumer workingset_consumer(VMMWorkingSet *set);

/* The trace is at its end: closes the open window, or drops it if nothing is in it. */
void workingset_finish(VMMWorkingSet *set);

void workingset_free(VMMWorkingSet *set);

#endif
