/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory a process has: what its entries lead to, as Linux tells it in
 * /proc/PID/smaps_rollup.
 *
 *     frame with entries of     A      A, B    A, A, B
 *     resident (RSS) of A       1       1        2
 *     unique (USS) of A         1       0        0
 *     share (PSS) of A          1      1/2      2/3
 *
 * Resident pages and their peak are counted where entries come and go; the rest follows from the
 * number of entries of each frame, by one pass over the translations of the process. Shares are
 * counts of 2^-32 page, rounded down: those of all processes sum to the resident frames that any
 * entry leads to, less than one unit short for each entry.
 */
#include "machine.h"

static const uint64_t footprint_page = UINT64_C(1) << 32;

uint64_t machine_resident(const Process *process) {
    return process->resident[OBJECT_ANONYMOUS] + process->resident[OBJECT_SHARED] +
           process->resident[OBJECT_FILE];
}

/* One translation, which may have an entry. */
static void footprint_add(const Machine *machine, uint32_t page, Footprint *memory) {
    uint32_t object = machine->leads_to[page];
    if (object == OBJECT_NO_PAGE || machine->objects->kind[object] == OBJECT_ZEROS) {
        return;
    }
    if ((machine->state[page] & PAGE_PRESENT) != 0) {
        memory->resident++;
        memory->unique += machine->mapper_count[object] == 1;
        memory->share += footprint_page / machine->mapper_count[object];
    } else if (machine->frame_of[object] == MACHINE_NO_FRAME &&
               machine->slot_of[object] != SWAP_NO_SLOT) {
        memory->swapped++;
        memory->swap_share += footprint_page / machine->entry_count[object];
    }
}

/* The translations of a process that the resolver knows. */
static Footprint footprint_of_chain(const Machine *machine, uint32_t space) {
    const Resolver *resolver = machine->resolver;
    Footprint memory = {0};
    if (space >= resolver->space_count) {
        return memory;
    }
    for (uint32_t page = resolver->spaces[space].first; page != 0; page = resolver->next[page]) {
        if (page < machine->pages) {
            footprint_add(machine, page, &memory);
        }
    }
    return memory;
}

/* Of a machine that stopped the resolver has gone on without it: it looks at all it has. */
static Footprint footprint_of_all(const Machine *machine, uint32_t space) {
    Footprint memory = {0};
    for (uint32_t page = 1; page < machine->pages; page++) {
        if (directory_space_of(machine->directory, page) == space) {
            footprint_add(machine, page, &memory);
        }
    }
    return memory;
}

Footprint machine_footprint(const Machine *machine, uint32_t space) {
    const Process *process = &machine->processes[space];
    if (machine->objects == NULL) {
        uint64_t resident = machine_resident(process);
        return (Footprint){resident, resident, resident * footprint_page, process->swapped,
                           process->swapped * footprint_page};
    }
    return machine->status != VMM_OK ? footprint_of_all(machine, space)
                                     : footprint_of_chain(machine, space);
}

/* With objects: entries counted by frame, and frames with several. */
static bool footprint_frames_are_counted(const Machine *machine, uint64_t *entries) {
    uint64_t shared = 0;
    for (uint32_t object = 1; object < machine->object_pages; object++) {
        uint32_t count = 0;
        for (uint32_t page = machine->mapper[object]; page != 0;
             page = machine->mapper_next[page]) {
            if (machine->leads_to[page] != object) {
                return false;
            }
            count++;
        }
        if (count != machine->mapper_count[object]) {
            return false;
        }
        bool zeros = count > 0 && machine->objects->kind[object] == OBJECT_ZEROS;
        *entries += zeros ? 0 : count;
        shared += !zeros && count > 1;
    }
    return shared == machine->frames_shared;
}

bool machine_entries_are_counted(const Machine *machine) {
    uint64_t resident = 0;
    uint64_t entries = 0;
    for (uint32_t space = 0; space < machine->process_count; space++) {
        const Process *process = &machine->processes[space];
        uint64_t counted = machine_resident(process);
        if (counted > process->resident_peak ||
            machine_footprint(machine, space).resident != counted) {
            return false;
        }
        resident += counted;
    }
    if (machine->objects != NULL) {
        return footprint_frames_are_counted(machine, &entries) && entries == resident;
    }
    for (uint32_t i = 0; i < machine->pool_count; i++) {
        entries += pool_resident(machine->pools[i]);
    }
    return entries == resident;
}
