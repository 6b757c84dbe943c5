/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault-around: a read that faults on a page of a file in memory, or of shared memory, also maps
 * the pages around it that are in memory, as Linux does for pages in its page cache
 * (do_fault_around() in mm/memory.c; of System V segments it does not).
 *
 *     window     | 16 | 17 | 18 | 19 |        17: the page that faults
 *     in memory    yes  yes  no   yes
 *     mapped       now  now  -    now         18 faults by itself later
 *
 * It spares faults and costs frames nothing: nothing is read and nothing evicted for it. With
 * file-cache=warm a page that was not in a frame yet is in memory too, and takes a free frame if
 * there is one. A policy that sees the future, or is of variable space, gets no such page.
 * A page whose first fault reads the next window ahead (ahead.c) is left to that fault.
 */
#include "pressure.h"

/* A page of a warm file cache takes a free frame. */
static void around_load(Machine *machine, Pool *pool, uint32_t object) {
    bool warm = machine->settings.file_cache == FILE_CACHE_WARM && machine->loaded[object] == 0 &&
                machine->objects->kind[object] == OBJECT_FILE;
    bool own = machine_pool(machine, machine->objects->charged[object]) == pool;
    if (warm && own && pressure_has_free_frame(machine, pool) && machine_takes_unasked(pool)) {
        machine_load(machine, pool, object, 0, false);
    }
}

/* Maps a translation of the window, if its page is in memory. */
static void around_map(Machine *machine, Pool *pool, uint32_t page, uint32_t object) {
    if ((machine->state[page] & (PAGE_PRESENT | PAGE_OWN)) != 0 ||
        (machine->loaded[object] & OBJECT_MARKED) != 0) {
        return;
    }
    if (machine->frame_of[object] == MACHINE_NO_FRAME) {
        around_load(machine, pool, object);
    }
    if (machine->status == VMM_OK && machine->frame_of[object] != MACHINE_NO_FRAME &&
        machine_make_entry(machine, page, object)) {
        machine->mapped_around++;
    }
}

void machine_map_around(Machine *machine, Pool *pool, uint32_t page) {
    const Resolver *resolver = machine->resolver;
    ResolveWindow window = resolver_window(resolver, page);
    for (uint64_t i = 0; i < window.count && machine->status == VMM_OK; i++) {
        uint32_t other = directory_find(resolver->directory, window.space, window.first + i);
        uint32_t object = objects_find(&resolver->objects, window.object, window.index + i);
        if (other != DIRECTORY_NO_PAGE && other != page && object != OBJECT_NO_PAGE) {
            around_map(machine, pool, other, object);
        }
    }
}
