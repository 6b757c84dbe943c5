/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions that run whole traces. */
#include "../engine/run.h"

#include <string.h>

#include "../../include/vmm/runs.h"
#include "../base/number.h"
#include "handle.h"

static bool needs_future(VMM *const *vmms, size_t count, bool *timed) {
    bool future = false;
    *timed = false;
    for (size_t i = 0; i < count; i++) {
        const PolicyType *type = vmms[i]->machine.policy.type;
        future |= type->info.needs == VMM_NEEDS_FUTURE;
        *timed |= policy_wants_distance(type);
    }
    return future;
}

/* Whether two machines can be fed by one stream. */
static bool streams_agree(const Machine *a, const Machine *b) {
    return a->settings.page_size == b->settings.page_size &&
           a->settings.vspace == b->settings.vspace && a->settings.refs == b->settings.refs &&
           a->settings.max_accesses == b->settings.max_accesses &&
           a->settings.mappings == b->settings.mappings &&
           a->settings.zero_page == b->settings.zero_page &&
           a->settings.fault_around == b->settings.fault_around &&
           a->settings.fault_around_shift == b->settings.fault_around_shift &&
           a->settings.read_ahead == b->settings.read_ahead &&
           a->settings.stack_limit == b->settings.stack_limit &&
           a->settings.invalid == b->settings.invalid &&
           a->table_type->info.address_bits == b->table_type->info.address_bits;
}

static int check_machines(VMM *const *vmms, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (vmms[i] == vmms[j]) {
                error_set(&vmms[i]->error, VMM_E_USAGE, "vmm_run: a machine is given twice");
                return handle_fail(vmms[i], VMM_E_USAGE);
            }
        }
        if (vmms[i]->stream != NULL) {
            error_set(&vmms[i]->error, VMM_E_USAGE, "vmm_run: a machine was used before");
            return handle_fail(vmms[i], VMM_E_USAGE);
        }
        if (!streams_agree(&vmms[0]->machine, &vmms[i]->machine)) {
            error_set(&vmms[i]->error, VMM_E_CONFIG,
                      "machines of one run must agree in page-size, vspace, refs, max-accesses, "
                      "mappings, invalid, zero-page, fault-around, read-ahead, stack-limit and the "
                      "address width of their page tables");
            return handle_fail(vmms[i], VMM_E_CONFIG);
        }
    }
    return VMM_OK;
}

/* What a page holds before its first write, if the configuration leaves it to the trace. */
static void settle_initial(VMM *vmm, const VMMTrace *trace) {
    Settings *settings = settings_edit(&vmm->config);
    if (settings->initial == INITIAL_AUTO) {
        VMMTraceInfo info = {.struct_size = sizeof info};
        vmm_trace_info(trace, &info);
        settings->initial = info.marks_writes != 0 ? INITIAL_ZERO : INITIAL_STORE;
        vmm->machine.store_backed = settings->initial == INITIAL_STORE;
    }
}

/* What of a machine's configuration a trace reduced for LRU of at least k frames cannot answer. */
static const char *unfit_for_reduced(const Machine *machine, const VMMTraceInfo *info) {
    const Settings *settings = &machine->settings;
    uint64_t k = info->reduction;
    bool has_tlb = settings->tlb != 0;
    bool whole = settings->tlb_ways == 0 || settings->tlb_ways == settings->tlb_entries;
    if (machine->policy.library != NULL || !name_matches(machine->policy.type->info.name, "lru")) {
        return "the policy is not lru";
    }
    if (settings_frames(settings) < k) {
        return "the memory has fewer frames";
    }
    if (info->page_size == 0) { /* larger pages than the trace's are served too */
        return "it does not say for pages of which size";
    }
    if (settings->refs != REFS_ALL) {
        return "refs is not all";
    }
    if (settings->swap != 0 || settings->vspace != 0) {
        return "swap or vspace is limited";
    }
    if (settings_has_limits(settings) || settings->free_low != 0) {
        return "resident-limit, groups or free-low is given";
    }
    if (has_tlb && (settings->tlb_policy != TLB_LRU || !whole || settings->tlb_entries < k ||
                    settings->tlb_switch != TLB_TAGGED)) {
        return "the TLB is neither off nor LRU, fully associative, tagged and of that many entries";
    }
    return NULL;
}

/* Whether the trace can answer what the machine asks. VMM_OK, or VMM_E_CONFIG with the sentence. */
static int check_trace(Machine *machine, const VMMTrace *trace, Error *error) {
    const Settings *settings = &machine->settings;
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    int status = run_check_page_size(settings, trace, error);
    if (status != VMM_OK) {
        return status;
    }
    if (info.page_size != 0 && settings->young_flush != 0 && settings->tlb != 0 &&
        settings->accessed_bit == ACCESSED_TLB_FILL && machine->policy.type->tick != NULL) {
        return error_set(error, VMM_E_CONFIG,
                         "young-flush with %s needs the order of all loads and stores, which a "
                         "trace of page runs does not keep: use one of full addresses",
                         machine->policy.type->info.name);
    }
    const char *unfit = info.reduction == 0 ? NULL : unfit_for_reduced(machine, &info);
    if (unfit != NULL) {
        return error_set(error, VMM_E_CONFIG,
                         "the trace was reduced for LRU of at least %llu frames, and %s: use the "
                         "whole trace",
                         (unsigned long long)info.reduction, unfit);
    }
    return VMM_OK;
}

static int check_traces(VMM *const *vmms, size_t count, const VMMTrace *trace) {
    for (size_t i = 0; i < count; i++) {
        int status = check_trace(&vmms[i]->machine, trace, &vmms[i]->error);
        if (status != VMM_OK) {
            return handle_fail(vmms[i], status);
        }
    }
    return VMM_OK;
}

static int attach_all(VMM *const *vmms, size_t count, VMMTrace *trace) {
    size_t capacity = count > 1 ? RUN_BATCH_SHARED : RUN_BATCH_ALONE;
    int status = VMM_OK;
    for (size_t i = 0; status == VMM_OK && i < count; i++) {
        settle_initial(vmms[i], trace);
        status = handle_attach(vmms[i], vmms[0]->stream, capacity);
    }
    return status;
}

/* What the machines themselves say after a run: the first failure. */
static int gather(VMM *const *vmms, size_t count) {
    int status = VMM_OK;
    for (size_t i = 0; i < count; i++) {
        if (vmms[i]->machine.status != VMM_OK) {
            vmms[i]->error = vmms[i]->machine.error;
            handle_fail(vmms[i], vmms[i]->machine.status);
            status = status == VMM_OK ? vmms[i]->machine.status : status;
        }
    }
    return status;
}

/* All machines tell of a failure that is not theirs. */
static int fail_all(VMM *const *vmms, size_t count, int status) {
    Error error = vmms[0]->error;
    for (size_t i = 0; i < count; i++) {
        vmms[i]->error = error;
        handle_fail(vmms[i], status);
    }
    return status;
}

/* A reference was invalid, and the run ends with it for all machines that came so far. */
static int end_all(VMM *const *vmms, size_t count) {
    Error error = vmms[0]->error;
    for (size_t i = 0; i < count; i++) {
        if (vmms[i]->machine.status == VMM_OK) {
            vmms[i]->machine.status = VMM_E_INVALID_ADDRESS;
            vmms[i]->machine.error = error;
        }
    }
    return gather(vmms, count);
}

static int simulate(VMM *const *vmms, size_t count, Outlook *outlook, VMMTrace *trace,
                    RunWatch *watch) {
    const Memory *memory = &vmms[0]->machine.memory;
    Error *error = &vmms[0]->error;
    RunConsumer *consumers = memory_zalloc(memory, count, sizeof *consumers);
    if (consumers == NULL) {
        return error_no_memory(error, count * sizeof *consumers, "a list of machines");
    }
    for (size_t i = 0; i < count; i++) {
        consumers[i] = run_machine(&vmms[i]->machine);
    }
    int status = run_simulate(consumers, count, vmms[0]->stream, outlook, trace, watch, error);
    memory_free(memory, consumers, count, sizeof *consumers);
    return status;
}

int vmm_run_every(VMM *const *vmms, size_t count, VMMTrace *trace, uint64_t every,
                  VMMProgressCallback *progress, void *user) {
    if (vmms == NULL || count == 0 || trace == NULL) {
        return VMM_E_USAGE;
    }
    int status = check_machines(vmms, count);
    status = status != VMM_OK ? status : check_traces(vmms, count, trace);
    if (status != VMM_OK) {
        return status;
    }
    Outlook outlook = {.file = -1, .notes = -1, .times = -1};
    bool future = needs_future(vmms, count, &outlook.timed);
    RunWatch watch = {progress, user, {.pass = 1, .passes = future ? 2 : 1}, 0, every};
    if (future) {
        const Machine *machine = &vmms[0]->machine;
        status = run_look_ahead(&machine->settings, machine->table_type->info.address_bits,
                                &machine->memory, trace, &watch, &outlook, &vmms[0]->error);
    }
    if (status == VMM_OK) {
        status = attach_all(vmms, count, trace);
    }
    if (status == VMM_OK) {
        status = simulate(vmms, count, &outlook, trace, &watch);
    }
    run_free_outlook(&outlook);
    if (status == VMM_E_INVALID_ADDRESS) {
        return end_all(vmms, count);
    }
    return status != VMM_OK ? fail_all(vmms, count, status) : gather(vmms, count);
}

int vmm_run(VMM *const *vmms, size_t count, VMMTrace *trace, VMMProgressCallback *progress,
            void *user) {
    return vmm_run_every(vmms, count, trace, 0, progress, user);
}

int vmm_run_trace(VMM *vmm, VMMTrace *trace) {
    return vmm_run(&vmm, 1, trace, NULL, NULL);
}
