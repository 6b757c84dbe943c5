/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-ahead: pages of files that come into memory before they are asked for, as Linux does for
 * mapped files (do_sync_mmap_readahead() and do_async_mmap_readahead() in mm/filemap.c, with
 * mm/readahead.c), and what MADV_WILLNEED asks for.
 *
 *     a fault reads page 40, windows of 32 pages
 *         no advice           | 24 . . . . . . . 40 . . . ^48 . . 55 |    half of them before it
 *         MADV_SEQUENTIAL                      | 40 . . . . . . . . . . . . . . 71 |
 *         MADV_RANDOM                          | 40 |
 *
 * One page of a window is marked (^): the first fault that finds it in memory reads the window
 * behind, so that who goes on finds that as well. Where a file's pages had to be read 100 times
 * more than they were found in memory, nothing is read around a fault any more. What is in memory
 * stays as it is, and no page is read that no mapping of the file has shown.
 *
 * What is read ahead takes frames, evicts as the policy says, and no entry leads to it until it is
 * touched. It comes in before the page that was asked for, so that this one cannot be its victim.
 * A policy that sees the future is told of references alone, and one of variable space keeps what
 * references say, so nothing is read ahead for them.
 */
#include "machine.h"

/* MMAP_LOTSAMISS, and up to which multiple of it misses are counted. */
enum { AHEAD_MOST_MISSES = 100, AHEAD_COUNTED_MISSES = 10 * AHEAD_MOST_MISSES };

static uint64_t ahead_pages(const Machine *machine) {
    return machine->resolver->ahead;
}

/* What is remembered of a file; NULL: out of memory, and the machine stops. */
static AheadWindow *ahead_window(Machine *machine, uint32_t file) {
    if (file >= machine->window_capacity) {
        uint32_t old = machine->window_capacity;
        uint32_t wanted = file + file / 2 + 16;
        AheadWindow *grown =
            memory_grow(&machine->memory, machine->windows, old, wanted, sizeof *grown);
        if (grown == NULL) {
            machine->status =
                error_no_memory(&machine->error, wanted * sizeof *grown, "read-ahead of files");
            return NULL;
        }
        for (uint32_t i = old; i < wanted; i++) {
            grown[i] = (AheadWindow){0};
        }
        machine->windows = grown;
        machine->window_capacity = wanted;
    }
    return &machine->windows[file];
}

/* Whether a page of a file is in memory. With a warm page cache all are at first. */
static bool ahead_is_cached(const Machine *machine, uint32_t object) {
    return machine->frame_of[object] != MACHINE_NO_FRAME ||
           (machine->settings.file_cache == FILE_CACHE_WARM && machine->loaded[object] == 0);
}

/* Brings a page in that nobody has asked for. False: there is no frame, the machine must stop. */
static bool ahead_load(Machine *machine, Pool *pool, uint32_t object) {
    if (machine_load(machine, pool, object, 0, false) == MACHINE_NO_FRAME) {
        return false;
    }
    machine->pages_read_ahead++;
    machine->loaded[object] |= OBJECT_AHEAD;
    return true;
}

/* A page of a file, if it is not in memory. True: it was read. */
static bool ahead_read(Machine *machine, Pool *pool, uint32_t object) {
    if (ahead_is_cached(machine, object) ||
        machine_pool(machine, machine->objects->charged[object]) != pool ||
        !machine_takes_unasked(pool)) {
        return false;
    }
    if (!ahead_load(machine, pool, object)) {
        return false;
    }
    machine->read_ahead_requests += machine->request_begins;
    machine->request_begins = false;
    return machine_part(machine, pool) && machine->frame_of[object] != MACHINE_NO_FRAME;
}

/*
 * Reads a window of a file. `wanted` is the page of the fault, which is still to come in unless
 * `comes_in` is false; OBJECT_NO_PAGE: there is none. `marked`: how many pages lie at or behind the
 * one that gets the mark, 0: none gets it.
 */
static void ahead_read_window(Machine *machine, Pool *pool, uint32_t file, uint64_t first,
                              uint64_t marked, uint32_t wanted, bool comes_in) {
    const Objects *objects = machine->objects;
    uint64_t end = first + ahead_pages(machine);
    end = end < objects->objects[file].extent ? end : objects->objects[file].extent;
    uint64_t mark = end > first && marked != 0 && marked <= end - first ? end - marked : UINT64_MAX;
    machine->request_begins = wanted == OBJECT_NO_PAGE;
    for (uint64_t i = first; i < end && machine->status == VMM_OK; i++) {
        uint32_t object = objects_find(objects, file, i);
        bool read = object == wanted ? comes_in : ahead_read(machine, pool, object);
        if (read && i == mark) {
            machine->loaded[object] |= OBJECT_MARKED;
        }
    }
}

void machine_read_around(Machine *machine, Pool *pool, uint32_t page, uint32_t object,
                         bool comes_in) {
    if (machine->objects == NULL || machine->objects->kind[object] != OBJECT_FILE ||
        ahead_pages(machine) == 0) {
        return;
    }
    uint8_t advice = resolver_advice(machine->resolver, page);
    uint32_t file = machine->objects->within[object];
    uint64_t index = machine->objects->index[object];
    AheadWindow *window = ahead_window(machine, file);
    if (window == NULL || advice == MAPPING_RANDOM ||
        index >= machine->objects->objects[file].extent) {
        return;
    }
    uint64_t pages = ahead_pages(machine);
    if (advice == MAPPING_SEQUENTIAL) {
        uint64_t marked = index == 0 ? pages / 2 : 0;
        if (index == 0) {
            window->start = 0;
            window->marked = marked;
        }
        ahead_read_window(machine, pool, file, index, marked, object, comes_in);
        return;
    }
    window->misses += window->misses < AHEAD_COUNTED_MISSES;
    if (window->misses <= AHEAD_MOST_MISSES) {
        window->start = index > pages / 2 ? index - pages / 2 : 0;
        window->marked = pages / 4;
        ahead_read_window(machine, pool, file, window->start, window->marked, object, comes_in);
    }
}

/* Where the window begins that a mark leads to, which was at page `index`. */
static uint64_t ahead_next_start(const Machine *machine, uint32_t file, const AheadWindow *window,
                                 uint64_t index) {
    uint64_t pages = ahead_pages(machine);
    if (index == window->start + pages - window->marked) {
        return window->start + pages;
    }
    /* The mark is of another window than the last one: behind what is in memory. */
    for (uint64_t i = index + 1; i <= index + pages; i++) {
        if (i >= machine->objects->objects[file].extent ||
            !ahead_is_cached(machine, objects_find(machine->objects, file, i))) {
            return i;
        }
    }
    return UINT64_MAX;
}

void machine_found_in_cache(Machine *machine, Pool *pool, uint32_t page, uint32_t object) {
    if (ahead_pages(machine) == 0 || resolver_advice(machine->resolver, page) == MAPPING_RANDOM) {
        return;
    }
    uint32_t file = machine->objects->within[object];
    AheadWindow *window = ahead_window(machine, file);
    if (window == NULL) {
        return;
    }
    window->misses -= window->misses != 0;
    if ((machine->loaded[object] & OBJECT_MARKED) == 0) {
        return;
    }
    machine->loaded[object] &= (uint8_t)~OBJECT_MARKED;
    uint64_t index = machine->objects->index[object];
    uint64_t start = ahead_next_start(machine, file, window, index);
    if (start != UINT64_MAX) {
        window->start = start;
        window->marked = ahead_pages(machine);
        ahead_read_window(machine, pool, file, start, window->marked, OBJECT_NO_PAGE, false);
    }
}

void machine_need(Machine *machine, const ResolveOp *op) {
    uint32_t object = op->object;
    Pool *pool = machine_pool(machine, machine->objects->charged[object]);
    machine->request_begins |= op->page != 0;
    if (machine->objects->kind[object] == OBJECT_FILE) {
        ahead_read(machine, pool, object);
    } else if (machine->slot_of[object] != SWAP_NO_SLOT &&
               machine->frame_of[object] == MACHINE_NO_FRAME && machine_takes_unasked(pool) &&
               ahead_load(machine, pool, object)) {
        machine->swap_ins++;
        machine->swap_ins_ahead++;
        machine_part(machine, pool);
    }
}

void machine_use_ahead(Machine *machine, uint32_t object) {
    machine->read_ahead_hits += (machine->loaded[object] & OBJECT_AHEAD) != 0;
    machine->loaded[object] &= (uint8_t)~OBJECT_AHEAD;
}

void machine_forget_ahead(Machine *machine, uint32_t object) {
    machine->read_ahead_wasted += (machine->loaded[object] & OBJECT_AHEAD) != 0;
    machine->loaded[object] &= (uint8_t) ~(OBJECT_AHEAD | OBJECT_MARKED);
}
