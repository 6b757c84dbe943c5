/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on the working set over time. */
#include <string.h>

#include "../analysis/working_set.h"
#include "../mm/pagetable/pagetable.h"

/* ---- Making --------------------------------------------------------------------------------- */

static int workingsetapi_check(const VMMWorkingSetOptions *options, Error *error) {
    if (options == NULL || options->struct_size < sizeof *options || options->reserved != 0) {
        return error_set(error, VMM_E_USAGE, "the options of a working set have no struct_size");
    }
    if (options->window == 0) {
        return error_set(error, VMM_E_RANGE, "the window is 0 page references, expected 1 or more");
    }
    if (!(options->threshold >= 0.0 && options->threshold <= 1.0)) {
        return error_set(error, VMM_E_RANGE, "the threshold is %g, expected above 0, at most 1",
                         options->threshold);
    }
    return VMM_OK;
}

static int workingsetapi_create(const VMMConfig *config, const VMMWorkingSetOptions *options,
                                const Memory *memory, VMMWorkingSet **created, Error *error) {
    int status = settings_check(config, error);
    status = status == VMM_OK ? workingsetapi_check(options, error) : status;
    if (status != VMM_OK) {
        return status;
    }
    const PageTableType *table = pagetable_parse(settings_of(config)->page_table, error);
    if (table == NULL) {
        return VMM_E_USAGE;
    }
    VMMWorkingSet *set = memory_zalloc(memory, 1, sizeof *set);
    if (set == NULL) {
        return error_no_memory(error, sizeof *set, "a working set");
    }
    set->memory = *memory;
    set->settings = *settings_of(config);
    set->address_bits = table->info.address_bits;
    set->window = options->window;
    set->threshold = options->threshold != 0.0 ? options->threshold : 0.5;
    *created = set;
    return VMM_OK;
}

int vmm_working_set_create(const VMMConfig *config, const VMMWorkingSetOptions *options,
                           const VMMAllocator *allocator, VMMWorkingSet **set, char *error_text) {
    Error error = {0};
    if (set == NULL) {
        return VMM_E_USAGE;
    }
    *set = NULL;
    int status = workingsetapi_create(config, options,
                                      allocator != NULL ? allocator : &memory_default, set, &error);
    if (status != VMM_OK) {
        error_publish(&error, error_text);
    }
    return status;
}

void vmm_working_set_destroy(VMMWorkingSet *set) {
    if (set == NULL) {
        return;
    }
    Memory memory = set->memory;
    workingset_free(set);
    stream_release(set->stream);
    memory_free(&memory, set, 1, sizeof *set);
}

/* ---- Running -------------------------------------------------------------------------------- */

/* A reduced trace has not the references that fill a window. */
static int workingsetapi_check_trace(VMMWorkingSet *set, const VMMTrace *trace) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    if (set->stream != NULL) {
        return error_set(&set->error, VMM_E_USAGE, "vmm_working_set_run: it was used before");
    }
    if (info.reduction != 0) {
        return error_set(&set->error, VMM_E_CONFIG,
                         "the trace was reduced, and no longer tells how often pages are "
                         "referenced: use the whole trace");
    }
    return run_check_page_size(&set->settings, trace, &set->error);
}

int vmm_working_set_run(VMMWorkingSet *set, VMMTrace *trace, VMMProgressCallback *progress,
                        void *user) {
    if (set == NULL || trace == NULL) {
        return VMM_E_USAGE;
    }
    RunWatch watch = {progress, user, {.pass = 1, .passes = 1}, 0, 0};
    Outlook outlook = {.file = -1, .notes = -1, .times = -1};
    int status = workingsetapi_check_trace(set, trace);
    if (status == VMM_OK) {
        status = stream_create(&set->settings, set->address_bits, &set->memory, RUN_BATCH_ALONE,
                               &set->stream, &set->error);
    }
    if (status != VMM_OK) {
        return status;
    }
    Error error = {0};
    RunConsumer consumer = workingset_consumer(set);
    status = run_simulate(&consumer, 1, set->stream, &outlook, trace, &watch, &error);
    if (consumer.status != VMM_OK) {
        return consumer.status;
    }
    if (status != VMM_OK) {
        set->error = error;
    }
    workingset_finish(set);
    return status;
}

const char *vmm_working_set_error_text(const VMMWorkingSet *set) {
    return set == NULL ? "" : set->error.text;
}

/* ---- Reading -------------------------------------------------------------------------------- */

size_t vmm_working_set_count(const VMMWorkingSet *set) {
    return set == NULL ? 0 : set->count;
}

size_t vmm_working_set_read(const VMMWorkingSet *set, size_t first, VMMWindow *windows,
                            size_t capacity) {
    if (set == NULL || windows == NULL || first >= set->count) {
        return 0;
    }
    size_t left = set->count - first;
    size_t count = left < capacity ? left : capacity;
    memcpy(windows, set->windows + first, count * sizeof *windows);
    return count;
}
