/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of groups and processes, global reclaim, and eviction in the background. */
#include "pressure.h"

#include <inttypes.h>
#include <stdio.h>

#include "../config/groups.h"

int pressure_check(const Settings *settings, const PolicyType *type, Error *error) {
    bool asks = settings_has_limits(settings) || settings->free_low != 0;
    if (!asks || (type->victim_any_time && !type->uses_clock)) {
        return VMM_OK;
    }
    return error_set(error, VMM_E_CONFIG,
                     "%s with the policy %.40s: it names victims only when all its frames are in "
                     "use; expected one that can at any time, such as lru, clock, fifo, lfu or "
                     "sieve",
                     settings->free_low != 0         ? "free-low"
                     : settings->resident_limit != 0 ? "resident-limit"
                                                     : "groups",
                     type->info.name);
}

/* ---- Pools ---------------------------------------------------------------------------------- */

/* A limit in frames, no more than there are. */
static uint32_t pressure_frames(const Machine *machine, uint64_t bytes) {
    uint64_t limit = bytes / machine->settings.page_size;
    return limit < machine->pressure.frames ? (uint32_t)limit : machine->pressure.frames;
}

int pressure_begin(Machine *machine, Error *error) {
    const Settings *settings = &machine->settings;
    Pressure *pressure = &machine->pressure;
    pressure->frames = (uint32_t)settings_frames(settings);
    pressure->low = (uint32_t)settings_free_low(settings);
    pressure->high = (uint32_t)settings_free_high(settings);
    pressure->limits = settings_has_limits(settings);
    pressure->groups = groups_count(settings->groups);
    machine->presses = pressure->limits || pressure->low != 0;
    machine->by_space = settings_pools_by_space(settings);
    int status = VMM_OK;
    for (uint32_t i = 0; i < pressure->groups && status == VMM_OK; i++) {
        uint64_t limit = groups_at(settings->groups, i).limit;
        status = machine_add_pool(machine, pressure_frames(machine, limit), error);
    }
    bool common = settings->scope == SCOPE_GLOBAL && settings->resident_limit == 0;
    return common && status == VMM_OK ? machine_add_pool(machine, pressure->frames, error) : status;
}

/* The group of a new process: the one that names it, or its parent's. */
static uint32_t pressure_group(const Machine *machine, uint32_t space) {
    const Directory *directory = machine->directory;
    uint32_t group = groups_find(machine->settings.groups, directory->pids[space]);
    uint32_t parent = directory->forkers[space];
    if (group == GROUP_NONE && parent != DIRECTORY_NO_SPACE) {
        uint32_t pool = machine->pool_of[parent];
        return pool < machine->pressure.groups ? pool : GROUP_NONE;
    }
    return group;
}

int pressure_place(Machine *machine, uint32_t space, Error *error) {
    const Pressure *pressure = &machine->pressure;
    uint32_t group = pressure->groups == 0 ? GROUP_NONE : pressure_group(machine, space);
    bool own = machine->settings.scope == SCOPE_PROCESS || machine->settings.resident_limit != 0;
    uint32_t limit = pressure->frames;
    if (machine->settings.resident_limit != 0) {
        limit = pressure_frames(machine, machine->settings.resident_limit);
    }
    if (group != GROUP_NONE) {
        machine->pool_of[space] = group;
        return VMM_OK;
    }
    machine->pool_of[space] = own ? machine->pool_count : pressure->groups;
    return own ? machine_add_pool(machine, limit, error) : VMM_OK;
}

/* ---- Reclaim -------------------------------------------------------------------------------- */

/* Pages in memory; frames that are about to get one hold none yet. */
static uint64_t pressure_resident(const Machine *machine) {
    return machine->frames_used;
}

/* All frames of the machine are in use. One pool alone is full then, and knows by itself. */
static bool pressure_is_full(const Machine *machine) {
    return machine->pressure.limits && pressure_resident(machine) == machine->pressure.frames;
}

/* Frames that stay free when one more is taken. */
static uint64_t pressure_left(const Machine *machine) {
    uint64_t taken = pressure_resident(machine) + 1;
    return taken < machine->pressure.frames ? machine->pressure.frames - taken : 0;
}

static bool pressure_is_low(const Machine *machine) {
    return machine->pressure.low != 0 && pressure_left(machine) < machine->pressure.low;
}

/* Whose turn it is to give a page up. */
static Pool *pressure_giver(Machine *machine) {
    Pressure *pressure = &machine->pressure;
    uint64_t turn = ++pressure->turns * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t place = (uint64_t)((unsigned __int128)turn * pressure_resident(machine) >> 64);
    uint32_t i = 0;
    while (place >= pool_resident(machine->pools[i])) {
        place -= pool_resident(machine->pools[i++]);
    }
    return machine->pools[i];
}

static void pressure_background(Machine *machine) {
    Pressure *pressure = &machine->pressure;
    uint64_t swap_outs = machine->swap_outs;
    uint64_t file_writes = machine->file_writes;
    pressure->wakeups++;
    while (pressure_left(machine) < pressure->high && pressure_resident(machine) > 0) {
        Pool *pool = pressure_giver(machine);
        if (!machine_reclaim(machine, pool, true)) {
            break;
        }
        pressure->background++;
    }
    pressure->background_swap_outs += machine->swap_outs - swap_outs;
    pressure->background_file_writes += machine->file_writes - file_writes;
}

bool pressure_make_room(Machine *machine) {
    if (pressure_is_low(machine)) {
        pressure_background(machine);
    }
    return machine->status == VMM_OK &&
           (!pressure_is_full(machine) || machine_reclaim(machine, pressure_giver(machine), false));
}

bool pressure_has_free_frame(const Machine *machine, const Pool *pool) {
    return pool_has_free_frame(pool) && !pressure_is_full(machine) && !pressure_is_low(machine);
}

/* ---- Out of memory -------------------------------------------------------------------------- */

static VMMOomVictim pressure_score(const Machine *machine, uint32_t space) {
    Footprint memory = machine_footprint(machine, space);
    return (VMMOomVictim){
        .struct_size = sizeof(VMMOomVictim),
        .pid = machine->directory->pids[space],
        .resident = memory.resident,
        .swapped = memory.swapped,
        .page_table = machine->processes[space].table.bytes / machine->settings.page_size,
    };
}

static uint64_t pressure_pages(const VMMOomVictim *victim) {
    return victim->resident + victim->swapped + victim->page_table;
}

/* Whom a kernel would kill. The machine stands still, so its footprints are those of now. */
static VMMOomVictim pressure_victim(const Machine *machine, const Pool *pool) {
    bool all = !machine->pressure.limits || pressure_is_full(machine);
    VMMOomVictim worst = {0};
    for (uint32_t space = 0; space < machine->process_count; space++) {
        if (all || machine_pool(machine, space) == pool) {
            VMMOomVictim one = pressure_score(machine, space);
            bool has_pages = one.resident + one.swapped > 0;
            worst = has_pages && pressure_pages(&one) > pressure_pages(&worst) ? one : worst;
        }
    }
    return worst;
}

void pressure_out_of_memory(Machine *machine, const Pool *pool) {
    machine->oom_events++;
    machine->status = VMM_E_OUT_OF_MEMORY;
    VMMOomVictim victim = pressure_victim(machine, pool);
    machine->pressure.oom = victim;
    char named[160] = "";
    if (victim.struct_size != 0) {
        snprintf(named, sizeof named,
                 "; a kernel would kill process %" PRIu32 " (pages: %" PRIu64 " in memory, %" PRIu64
                 " in swap, %" PRIu64 " of page tables)",
                 victim.pid, victim.resident, victim.swapped, victim.page_table);
    }
    machine->status =
        error_set(&machine->error, VMM_E_OUT_OF_MEMORY,
                  "out of memory in the simulated machine: a written page must leave, and swap is "
                  "full%s; give more swap or memory",
                  named);
}
