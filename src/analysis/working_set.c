/* SPDX-License-Identifier: Apache-2.0 */
/* The working set, window by window: see working_set.h. */
#include "working_set.h"

#include <string.h>

/* ---- Windows -------------------------------------------------------------------------------- */

/* How far the window lies from the one before it. */
static double workingset_distance(const VMMWindow *before, const VMMWindow *window) {
    uint64_t either = before->pages + window->pages - window->shared;
    return either == 0 ? 0.0 : 1.0 - (double)window->shared / (double)either;
}

/* The open window is complete, or as complete as it will be. */
static void workingset_close(VMMWorkingSet *set) {
    VMMWindow *window = &set->windows[set->count - 1];
    window->length = set->window - set->left;
    window->phase = 1;
    if (set->count > 1) {
        const VMMWindow *before = window - 1;
        bool whole = set->left == 0;
        window->distance = workingset_distance(before, window);
        window->phase = before->phase + (whole && window->distance > set->threshold);
    }
}

/* Opens a window behind the last one. VMM_OK or an error. */
static int workingset_open(VMMWorkingSet *set) {
    if (set->count >= UINT32_MAX - 1) {
        return error_set(&set->error, VMM_E_LIMIT,
                         "the trace has more than %u windows: choose a longer window",
                         UINT32_MAX - 1);
    }
    if (set->count == set->capacity) {
        size_t wanted = set->capacity == 0 ? 64 : 2 * set->capacity;
        VMMWindow *windows =
            memory_grow(&set->memory, set->windows, set->capacity, wanted, sizeof *windows);
        if (windows == NULL) {
            return error_no_memory(&set->error, wanted * sizeof *windows, "the windows");
        }
        set->windows = windows;
        set->capacity = wanted;
    }
    set->windows[set->count] = (VMMWindow){.first = set->count * set->window};
    set->count++;
    set->left = set->window;
    return VMM_OK;
}

void workingset_finish(VMMWorkingSet *set) {
    if (set->count > 0 && set->left == set->window) {
        set->count--;
    } else if (set->count > 0) {
        workingset_close(set);
    }
}

/* ---- Taking --------------------------------------------------------------------------------- */

/* Room for all pages that the directory knows. */
static int workingset_reserve(VMMWorkingSet *set) {
    uint32_t count = stream_object_pages(set->stream);
    if (count > set->page_count) {
        uint32_t wanted = count < UINT32_MAX / 2 ? count + count / 2 : UINT32_MAX;
        uint32_t *last =
            memory_grow(&set->memory, set->last, set->page_count, wanted, sizeof *last);
        if (last == NULL) {
            return error_no_memory(&set->error, wanted * sizeof *last, "the pages of windows");
        }
        memset(last + set->page_count, 0, (wanted - set->page_count) * sizeof *last);
        set->last = last;
        set->page_count = wanted;
    }
    return set->count == 0 ? workingset_open(set) : VMM_OK;
}

/* A page that the open window, of this number, has not yet. */
static void workingset_add(VMMWorkingSet *set, uint32_t page, uint32_t number) {
    VMMWindow *window = &set->windows[set->count - 1];
    window->pages++;
    window->shared += number > 1 && set->last[page] == number - 1;
    window->new_pages += set->last[page] == 0;
    set->last[page] = number;
}

/* So many references to a page, one directly after the other. */
static int workingset_take(VMMWorkingSet *set, uint32_t page, uint64_t count) {
    while (count > 0) {
        uint32_t number = (uint32_t)set->count;
        if (page != DIRECTORY_NO_PAGE && set->last[page] != number) {
            workingset_add(set, page, number);
        }
        uint64_t taken = count < set->left ? count : set->left;
        set->left -= taken;
        count -= taken;
        if (set->left == 0) {
            workingset_close(set);
            int status = workingset_open(set);
            if (status != VMM_OK) {
                return status;
            }
        }
    }
    return VMM_OK;
}

static int workingset_batch(void *self, const Batch *batch) {
    VMMWorkingSet *set = self;
    int status = workingset_reserve(set);
    for (size_t i = 0; status == VMM_OK && i < batch->count; i++) {
        status = workingset_take(set, batch->object[i], (uint64_t)batch_repeat(batch, i) + 1);
    }
    return status;
}

static int workingset_event(void *self, const VMMEvent *event, const Resolver *resolver) {
    VMMWorkingSet *set = self;
    (void)event;
    int status = workingset_reserve(set);
    for (uint32_t i = 0; status == VMM_OK && i < resolver->op_count; i++) {
        if (resolver->ops[i].type == RESOLVE_DROP) {
            set->last[resolver->ops[i].object] = 0;
        }
    }
    return status;
}

RunConsumer workingset_consumer(VMMWorkingSet *set) {
    return (RunConsumer){set, workingset_batch, workingset_event, VMM_OK};
}

void workingset_free(VMMWorkingSet *set) {
    memory_free(&set->memory, set->last, set->page_count, sizeof *set->last);
    memory_free(&set->memory, set->windows, set->capacity, sizeof *set->windows);
}
