/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on one machine: making it, feeding it, events, statistics. */
#include <stdio.h>
#include <string.h>

#include "../config/settings.h"
#include "../engine/engine.h"
#include "../engine/policies.h"
#include "../mm/invalid.h"
#include "../mm/pressure.h"
#include "handle.h"

/* Page references in a batch of a machine that is fed by hand or runs alone: fits in the L2. */
enum { FEED_BATCH = 4096 };

int handle_fail(VMM *vmm, int code) {
    vmm->error_code = code;
    return code;
}

static int create_checked(const VMMConfig *config, const Memory *memory, VMM **created,
                          Error *error) {
    int status = settings_check(config, error);
    if (status != VMM_OK) {
        return status;
    }
    PolicySpec policy;
    status = policy_parse(settings_of(config)->policy, &policy, error);
    if (status != VMM_OK) {
        return status;
    }
    status = pressure_check(settings_of(config), policy.type, error);
    if (status != VMM_OK) {
        policy_release(&policy);
        return status;
    }
    VMM *vmm = memory_zalloc(memory, 1, sizeof *vmm);
    if (vmm == NULL) {
        policy_release(&policy);
        return error_no_memory(error, sizeof *vmm, "a machine");
    }
    vmm->config = *config;
    status = machine_init(&vmm->machine, settings_of(config), &policy, memory, error);
    if (status != VMM_OK) {
        policy_release(&policy);
        memory_free(memory, vmm, 1, sizeof *vmm);
        return status;
    }
    settings_edit(&vmm->config)->frames = settings_frames(settings_of(config));
    *created = vmm;
    return VMM_OK;
}

int vmm_create_with(const VMMConfig *config, const VMMAllocator *allocator, VMM **vmm,
                    char *error_text) {
    Error error = {0};
    if (vmm == NULL) {
        return VMM_E_USAGE;
    }
    *vmm = NULL;
    int status =
        create_checked(config, allocator != NULL ? allocator : &memory_default, vmm, &error);
    if (status != VMM_OK) {
        error_publish(&error, error_text);
    }
    return status;
}

VMM *vmm_create(const VMMConfig *config) {
    VMM *vmm;
    vmm_create_with(config, NULL, &vmm, NULL);
    return vmm;
}

void vmm_destroy(VMM *vmm) {
    if (vmm == NULL) {
        return;
    }
    Memory memory = vmm->machine.memory;
    PolicySpec policy = vmm->machine.policy;
    machine_free(&vmm->machine);
    policy_release(&policy);
    stream_release(vmm->stream);
    handle_free_files(vmm, &memory);
    memory_free(&memory, vmm, 1, sizeof *vmm);
}

int handle_attach(VMM *vmm, Stream *stream, size_t capacity) {
    Machine *machine = &vmm->machine;
    int status = VMM_OK;
    if (stream != NULL) {
        stream->users++;
    } else {
        status = stream_create(&machine->settings, machine->table_type->info.address_bits,
                               &machine->memory, capacity, &stream, &vmm->error);
    }
    if (status == VMM_OK) {
        vmm->stream = stream;
        stream->by_pool |= settings_pools_by_space(&machine->settings);
        status = machine_attach(machine, &stream->directory, &vmm->error);
    }
    if (status == VMM_OK && machine->observer != NULL) {
        status = stream_watch(stream, &vmm->error);
    }
    if (status != VMM_OK && vmm->stream != NULL) { /* half attached: it cannot be used any more */
        machine->status = status;
        machine->error = vmm->error;
    }
    return status == VMM_OK ? VMM_OK : handle_fail(vmm, status);
}

/* A stream for references that come by hand. */
static int prepare_feed(VMM *vmm) {
    if (vmm->machine.status != VMM_OK) {
        vmm->error = vmm->machine.error;
        return handle_fail(vmm, vmm->machine.status);
    }
    if (vmm->machine.policy.type->info.needs == VMM_NEEDS_FUTURE) {
        error_set(&vmm->error, VMM_E_NEEDS_FUTURE,
                  "the policy %s needs the references to come: run a whole trace with vmm_run()",
                  vmm->machine.policy.type->info.name);
        return handle_fail(vmm, VMM_E_NEEDS_FUTURE);
    }
    if (vmm->stream != NULL && vmm->stream->users > 1) {
        error_set(
            &vmm->error, VMM_E_USAGE,
            "the machine shares its references with others of one vmm_run(); it takes no more");
        return handle_fail(vmm, VMM_E_USAGE);
    }
    return vmm->stream != NULL ? VMM_OK : handle_attach(vmm, NULL, FEED_BATCH);
}

/* What the machine says to what it was given. */
static int consumed(VMM *vmm, int status) {
    if (status != VMM_OK) {
        vmm->error = vmm->machine.error;
        return handle_fail(vmm, status);
    }
    return VMM_OK;
}

/* The batch, piece by piece where an invalid reference kills its process. */
static int consume(VMM *vmm) {
    Machine *machine = &vmm->machine;
    Stream *stream = vmm->stream;
    bool killed = true;
    int status = VMM_OK;
    while (status == VMM_OK && killed) {
        VMMEvent kill;
        killed = false;
        status = engine_consume(machine, &stream->batch);
        if (status == VMM_OK) {
            status = machine->status = stream_end_batch(stream, &kill, &killed, &machine->error);
        }
        if (status == VMM_OK && killed) {
            status = machine_apply(machine, &stream->resolver, &kill);
        }
        if (status == VMM_OK && killed) {
            status = machine->status = stream_take_tail(stream, &machine->error);
        }
    }
    return consumed(vmm, status);
}

int vmm_feed(VMM *vmm, const VMMRef *refs, size_t count) {
    int status = prepare_feed(vmm);
    while (status == VMM_OK && count > 0 && !stream_is_done(vmm->stream)) {
        size_t taken;
        stream_next_batch(vmm->stream);
        int added = stream_add(vmm->stream, refs, count, &taken, &vmm->error);
        status = consume(vmm);
        if (added != VMM_OK && status == VMM_OK) {
            status = handle_fail(vmm, added);
        }
        refs += taken;
        count -= taken;
    }
    return status;
}

/* The sentence for a reference that was invalid. */
static void access_explain(VMM *vmm, const VMMRef *ref) {
    const Stream *stream = vmm->stream;
    char text[VMM_ERROR_TEXT_BYTES];
    VMMInvalid invalid = {.index = stream->references + stream->filtered,
                          .address = ref->addr,
                          .pid = ref->pid,
                          .op = ref->op};
    if (stream->first_invalid.index == invalid.index) {
        invalid = stream->first_invalid;
    } else {
        uint32_t space = directory_find_space(&stream->directory, ref->pid);
        invalid_describe(&invalid, &stream->resolver, space, ref->addr >= stream->address_limit);
    }
    handle_name_file(vmm, &invalid);
    vmm_invalid_text(&invalid, text, sizeof text);
    error_set(&vmm->error, VMM_E_INVALID_ADDRESS, "%s", text);
}

bool vmm_access(VMM *vmm, uint32_t pid, uint64_t addr, bool is_write) {
    VMMRef ref = {.addr = addr, .pid = pid, .size = 1, .op = is_write ? VMM_OP_WRITE : VMM_OP_READ};
    if (vmm == NULL) {
        return false;
    }
    vmm->machine.fault = VMM_FAULT_NONE;
    uint64_t dropped = vmm->machine.dropped;
    if (vmm_feed(vmm, &ref, 1) != VMM_OK) {
        return false;
    }
    if (vmm->machine.dropped != dropped) {
        error_set(&vmm->error, VMM_E_INVALID_ADDRESS,
                  "the process %u makes no more references: it was killed for an invalid one", pid);
        handle_fail(vmm, VMM_E_INVALID_ADDRESS);
        return false;
    }
    if (vmm->machine.fault == VMM_FAULT_invalid) {
        access_explain(vmm, &ref);
        handle_fail(vmm, VMM_E_INVALID_ADDRESS);
        return false;
    }
    return true;
}

static void take_outcome(void *user, const VMMStep *step) {
    *(VMMOutcome *)user = (VMMOutcome){step->tlb_hit, step->walk_reads, step->fault, step->frame};
}

int vmm_access_outcome(VMM *vmm, const VMMRef *ref, VMMOutcome *outcome) {
    Machine *machine = &vmm->machine;
    VMMObserver *observer = machine->observer;
    void *user = machine->observer_user;
    *outcome = (VMMOutcome){.fault = VMM_FAULT_NONE, .frame = VMM_NO_FRAME};
    vmm_observe(vmm, take_outcome, outcome);
    int status = machine->observer != NULL ? vmm_feed(vmm, ref, 1) : vmm->error_code;
    machine->observer = observer;
    machine->observer_user = user;
    return status;
}

void vmm_observe(VMM *vmm, VMMObserver *observer, void *user) {
    vmm->machine.observer = observer;
    vmm->machine.observer_user = user;
    if (observer != NULL && vmm->stream != NULL &&
        stream_watch(vmm->stream, &vmm->error) != VMM_OK) {
        vmm->machine.observer = NULL;
        handle_fail(vmm, VMM_E_NO_MEMORY);
    }
}

int vmm_add_process(VMM *vmm, uint32_t pid) {
    int status = prepare_feed(vmm);
    if (status != VMM_OK) {
        return status;
    }
    if (directory_space(&vmm->stream->directory, pid, &vmm->error) == DIRECTORY_NO_SPACE) {
        return handle_fail(vmm, vmm->error.code);
    }
    resolver_begin_process(&vmm->stream->resolver, pid);
    Machine *machine = &vmm->machine;
    machine->status = machine_reserve(machine, &machine->error);
    if (machine->status != VMM_OK) {
        vmm->error = machine->error;
        return handle_fail(vmm, machine->status);
    }
    machine->seen_spaces = machine->process_count;
    return VMM_OK;
}

/* Whether there is an event of this type. */
static bool event_exists(uint32_t type) {
    switch (type) {
#define X(name, value, text, meaning) case VMM_EVENT_##name:
#include "../../include/vmm/events.def"
#undef X
        return true;
    default:
        return false;
    }
}

/* An unmap of whole pages inside the address space, as only callers can get it wrong. */
static int check_unmap(VMM *vmm, const VMMEvent *event) {
    const Settings *settings = &vmm->machine.settings;
    uint64_t limit = UINT64_C(1) << vmm->machine.table_type->info.address_bits;
    if (event->start % settings->page_size != 0 || event->length % settings->page_size != 0 ||
        event->length == 0 || event->start >= limit || event->length > limit - event->start) {
        return error_set(&vmm->error, VMM_E_USAGE,
                         "unmap of 0x%llx bytes at 0x%llx: expected whole pages of %llu bytes "
                         "inside the address space",
                         (unsigned long long)event->length, (unsigned long long)event->start,
                         (unsigned long long)settings->page_size);
    }
    return VMM_OK;
}

/* Whether the event makes sense for this machine. Pages can be taken of known processes only. */
static int check_event(VMM *vmm, const VMMEvent *event) {
    bool takes = event->type == VMM_EVENT_UNMAP || event->type == VMM_EVENT_EXIT;
    uint32_t space = vmm->stream == NULL
                         ? DIRECTORY_NO_SPACE
                         : directory_find_space(&vmm->stream->directory, event->pid);
    if (event->struct_size < sizeof *event) {
        return error_set(&vmm->error, VMM_E_USAGE, "vmm_apply: struct_size is %u, expected %zu",
                         event->struct_size, sizeof *event);
    }
    if (!event_exists(event->type)) {
        return error_set(&vmm->error, VMM_E_USAGE, "there is no event of type %u", event->type);
    }
    if (takes && (space == DIRECTORY_NO_SPACE || space >= vmm->machine.process_count)) {
        return error_set(&vmm->error, VMM_E_USAGE, "there is no process %u", event->pid);
    }
    return event->type == VMM_EVENT_UNMAP ? check_unmap(vmm, event) : VMM_OK;
}

/* What an event brings into memory at once, the kernel touches. */
static int populate(VMM *vmm, uint32_t pid) {
    uint64_t address = vmm->stream->resolver.populate.start;
    bool more = true;
    int status = VMM_OK;
    while (status == VMM_OK && more) {
        status = stream_populate(vmm->stream, pid, &address, &more, &vmm->error);
        if (status != VMM_OK) {
            return handle_fail(vmm, status);
        }
        status = more ? consume(vmm) : VMM_OK;
    }
    return status;
}

int vmm_apply(VMM *vmm, const VMMEvent *event) {
    int status = check_event(vmm, event);
    if (status == VMM_OK && resolver_wants(event)) {
        status = prepare_feed(vmm);
    }
    if (status != VMM_OK) {
        return handle_fail(vmm, status);
    }
    Machine *machine = &vmm->machine;
    if (vmm->stream == NULL) {
        machine->events += resolver_counts(event);
        return VMM_OK;
    }
    stream_next_batch(vmm->stream);
    if (resolver_drops(&vmm->stream->resolver, event)) {
        vmm->stream->any = false; /* its number may be free now */
        return VMM_OK;
    }
    bool is_segment = (event->flags & VMM_MAP_SYSV) != 0;
    status = stream_apply(vmm->stream, event, is_segment, &vmm->error);
    if (status != VMM_OK) { /* half applied: the machine cannot go on */
        machine->status = status;
        machine->error = vmm->error;
        return handle_fail(vmm, status);
    }
    status = machine_apply(machine, &vmm->stream->resolver, event);
    return status == VMM_OK ? populate(vmm, event->pid) : consumed(vmm, status);
}

int vmm_last_error(const VMM *vmm) {
    return vmm->error_code;
}

const char *vmm_error_text(const VMM *vmm) {
    return vmm->error.text;
}

const VMMPolicyInfo *vmm_policy_of(const VMM *vmm) {
    return &vmm->machine.policy.type->info;
}

const VMMConfig *vmm_configuration(const VMM *vmm) {
    return &vmm->config;
}

int vmm_stats(const VMM *vmm, VMMStats *stats) {
    if (stats == NULL || stats->struct_size < sizeof stats->struct_size) {
        return VMM_E_USAGE;
    }
    VMMStats all;
    machine_stats(&vmm->machine, &all);
    size_t size = stats->struct_size < sizeof all ? (size_t)stats->struct_size : sizeof all;
    all.struct_size = size;
    memcpy(stats, &all, size);
    return VMM_OK;
}

int vmm_first_invalid(const VMM *vmm, VMMInvalid *invalid) {
    if (vmm == NULL || invalid == NULL || invalid->struct_size < sizeof invalid->struct_size) {
        return VMM_E_USAGE;
    }
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    if (stats.faults[VMM_FAULT_invalid] == 0 ||
        vmm->stream->first_invalid.reason == VMM_INVALID_NONE) {
        return VMM_E_USAGE;
    }
    VMMInvalid all = vmm->stream->first_invalid;
    uint32_t size = invalid->struct_size < sizeof all ? invalid->struct_size : sizeof all;
    handle_name_file(vmm, &all);
    all.struct_size = size;
    memcpy(invalid, &all, size);
    return VMM_OK;
}

double vmm_average_access_time_ns(const VMM *vmm) {
    VMMStats stats;
    machine_stats(&vmm->machine, &stats);
    return stats.accesses == 0 ? 0.0
                               : (double)stats.stall_time_ps / (double)stats.accesses / 1000.0;
}

size_t vmm_process_count(const VMM *vmm) {
    return vmm->machine.seen_spaces;
}

int vmm_process_stats(const VMM *vmm, size_t index, VMMProcessStats *stats) {
    if (index >= vmm->machine.seen_spaces || stats == NULL ||
        stats->struct_size < sizeof stats->struct_size) {
        return VMM_E_USAGE;
    }
    const Process *process = &vmm->machine.processes[index];
    VMMProcessStats all = {
        .pid = vmm->stream->directory.pids[index],
        .reads = process->count[VMM_OP_READ],
        .writes = process->count[VMM_OP_WRITE],
        .fetches = process->count[VMM_OP_FETCH],
        .page_references = process->page_references,
        .tlb_misses = process->tlb_misses,
        .tlb_hits = process->page_references - process->tlb_misses,
        .misses = process->misses,
        .page_table_bytes = process->table.bytes,
        .kernel_references = process->count[PROCESS_KERNEL],
        .page_table_bytes_peak = process->page_table_bytes_peak > process->table.bytes
                                     ? process->page_table_bytes_peak
                                     : process->table.bytes,
        .rss = machine_resident(process),
        .rss_anonymous = process->resident[OBJECT_ANONYMOUS],
        .rss_file = process->resident[OBJECT_FILE],
        .rss_shared = process->resident[OBJECT_SHARED],
        .rss_peak = process->resident_peak,
        .cow_faults = process->faults[VMM_FAULT_cow],
        .reuse_faults = process->faults[VMM_FAULT_reuse],
    };
    Footprint memory = machine_footprint(&vmm->machine, (uint32_t)index);
    all.uss = memory.unique;
    all.pss = memory.share;
    all.swap = memory.swapped;
    all.swap_pss = memory.swap_share;
    all.accesses = all.reads + all.writes + all.fetches;
    for (int kind = 0; kind < VMM_FAULT_CLASS_COUNT; kind++) {
        all.page_faults += process->faults[kind];
        all.major_faults += vmm_fault_class_is_major(kind) ? process->faults[kind] : 0;
    }
    all.minor_faults = all.page_faults - all.major_faults - process->faults[VMM_FAULT_invalid];
    size_t size = stats->struct_size < sizeof all ? (size_t)stats->struct_size : sizeof all;
    all.struct_size = size;
    memcpy(stats, &all, size);
    return VMM_OK;
}

int vmm_get_process(const VMM *vmm, uint32_t pid, VMMProcessStats *stats) {
    if (vmm->stream == NULL) {
        return VMM_E_USAGE;
    }
    uint32_t space = directory_find_space(&vmm->stream->directory, pid);
    return space == DIRECTORY_NO_SPACE ? VMM_E_USAGE : vmm_process_stats(vmm, space, stats);
}

/* All frames that hold a page, in the policy's order or by number. */
static uint32_t list_frames(Pool *pool, uint32_t *frames) {
    const PolicyType *type = pool->policy->type;
    if (type->order != NULL) {
        return type->order(pool->policy, frames);
    }
    uint32_t count = 0;
    for (uint32_t frame = 0; frame < pool->unused; frame++) {
        if (pool->page[frame] != DIRECTORY_NO_PAGE) {
            frames[count++] = frame;
        }
    }
    return count;
}

/* What one frame holds. */
static VMMResident resident_in(const Machine *machine, const Pool *pool, uint32_t frame) {
    uint32_t object = pool->page[frame];
    uint32_t page = machine->objects == NULL ? object : machine->mapper[object];
    VMMResident resident = {.frame = frame, .dirty = pool->dirty[frame]};
    if (page != 0) { /* else no translation leads to it */
        resident.pid = machine->directory->pids[directory_space_of(machine->directory, page)];
        resident.vpn = directory_vpn(machine->directory, page);
    }
    return resident;
}

size_t vmm_resident_pages(VMM *vmm, VMMResident *pages, size_t capacity) {
    Machine *machine = &vmm->machine;
    size_t total = 0;
    for (uint32_t i = 0; i < machine->pool_count && machine->pools[i]->policy != NULL; i++) {
        Pool *pool = machine->pools[i];
        uint32_t *frames = memory_zalloc(&machine->memory, pool->unused, sizeof *frames);
        uint32_t count = frames == NULL ? 0 : list_frames(pool, frames);
        for (uint32_t place = 0; place < count; place++, total++) {
            if (total < capacity) {
                pages[total] = resident_in(machine, pool, frames[place]);
            }
        }
        memory_free(&machine->memory, frames, pool->unused, sizeof *frames);
    }
    return total;
}
