/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on groups of processes, and on memory that runs out. */
#include <string.h>

#include "../config/groups.h"
#include "handle.h"

size_t vmm_group_count(const VMM *vmm) {
    return groups_count(vmm->machine.settings.groups);
}

static uint64_t group_processes(const Machine *machine, uint32_t index) {
    uint64_t count = 0;
    for (uint32_t space = 0; space < machine->seen_spaces; space++) {
        count += machine->pool_of[space] == index;
    }
    return count;
}

int vmm_group_stats(const VMM *vmm, size_t index, VMMGroupStats *stats) {
    const Machine *machine = &vmm->machine;
    if (index >= vmm_group_count(vmm) || stats == NULL ||
        stats->struct_size < sizeof stats->struct_size) {
        return VMM_E_USAGE;
    }
    Group group = groups_at(machine->settings.groups, (uint32_t)index);
    uint64_t frames = settings_frames(&machine->settings);
    uint64_t limit = group.limit / machine->settings.page_size;
    VMMGroupStats all = {.limit = limit < frames ? limit : frames};
    memcpy(all.name, group.name, sizeof all.name);
    if (index < machine->pool_count) {
        const Pool *pool = machine->pools[index];
        all.processes = group_processes(machine, (uint32_t)index);
        all.resident = pool_resident(pool);
        all.resident_peak = pool->peak;
        all.limit_reclaims = pool->reclaimed;
        all.given_up = pool->given_up;
    }
    size_t size = stats->struct_size < sizeof all ? (size_t)stats->struct_size : sizeof all;
    all.struct_size = size;
    memcpy(stats, &all, size);
    return VMM_OK;
}

int vmm_oom_victim(const VMM *vmm, VMMOomVictim *victim) {
    const VMMOomVictim *found = &vmm->machine.pressure.oom;
    if (found->struct_size == 0 || victim == NULL ||
        victim->struct_size < sizeof victim->struct_size) {
        return VMM_E_USAGE;
    }
    uint32_t size = victim->struct_size < sizeof *found ? victim->struct_size : sizeof *found;
    memcpy(victim, found, size);
    victim->struct_size = size;
    return VMM_OK;
}
