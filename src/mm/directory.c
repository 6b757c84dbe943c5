/* SPDX-License-Identifier: Apache-2.0 */
/* Growth of the directory's tables, and the numbering of address spaces. */
#include "directory.h"

#include <string.h>

#include "../base/rng.h"

enum { DIRECTORY_FIRST_BITS = 10, DIRECTORY_FIRST_SPACE_BITS = 6 };

int directory_init(Directory *directory, const Memory *memory, unsigned vpn_bits, Error *error) {
    *directory = (Directory){.memory = memory, .vpn_bits = vpn_bits, .count = 1};
    /* One less than fit, so that no key is DIRECTORY_NO_KEY. */
    directory->space_limit = (UINT64_C(1) << (64 - vpn_bits < 31 ? 64 - vpn_bits : 31)) - 1;
    directory->table_bits = DIRECTORY_FIRST_BITS;
    directory->space_bits = DIRECTORY_FIRST_SPACE_BITS;
    directory->places =
        memory_zalloc(memory, (size_t)1 << directory->table_bits, sizeof *directory->places);
    directory->spaces =
        memory_zalloc(memory, (size_t)1 << directory->space_bits, sizeof *directory->spaces);
    if (directory->places == NULL || directory->spaces == NULL) {
        return error_no_memory(error, sizeof(uint32_t) << DIRECTORY_FIRST_BITS, "the page table");
    }
    return VMM_OK;
}

void directory_free(Directory *directory) {
    const Memory *memory = directory->memory;
    if (memory == NULL) {
        return;
    }
    memory_free(memory, directory->keys, directory->capacity, sizeof *directory->keys);
    memory_free(memory, directory->places, (size_t)1 << directory->table_bits,
                sizeof *directory->places);
    memory_free(memory, directory->pids, directory->space_capacity, sizeof *directory->pids);
    memory_free(memory, directory->forkers, directory->space_capacity, sizeof *directory->forkers);
    memory_free(memory, directory->spaces, (size_t)1 << directory->space_bits,
                sizeof *directory->spaces);
}

/* The place of a pid in the table of spaces: its own, or the empty one where it would be. */
static uint64_t directory_space_place(const Directory *directory, uint32_t pid) {
    uint64_t mask = (UINT64_C(1) << directory->space_bits) - 1;
    uint64_t place = rng_mix(pid) & mask;
    while (directory->spaces[place] != 0 && directory->pids[directory->spaces[place] - 1] != pid) {
        place = (place + 1) & mask;
    }
    return place;
}

uint32_t directory_find_space(const Directory *directory, uint32_t pid) {
    return directory->spaces[directory_space_place(directory, pid)] - 1;
}

/* A larger table of spaces, at most half full with `capacity` of them. */
static bool directory_grow_space_table(Directory *directory, uint32_t capacity) {
    size_t old_places = (size_t)1 << directory->space_bits;
    if (capacity <= old_places / 2) {
        return true;
    }
    unsigned bits = directory->space_bits + 2;
    uint32_t *table = memory_zalloc(directory->memory, (size_t)1 << bits, sizeof *table);
    if (table == NULL) {
        return false;
    }
    memory_free(directory->memory, directory->spaces, old_places, sizeof *table);
    directory->spaces = table;
    directory->space_bits = bits;
    for (uint32_t space = 0; space < directory->space_count; space++) {
        table[directory_space_place(directory, directory->pids[space])] = space + 1;
    }
    return true;
}

/* A larger array with the same content, or NULL. */
static uint32_t *directory_larger(const Directory *directory, const uint32_t *array,
                                  uint32_t capacity) {
    uint32_t *larger = memory_zalloc(directory->memory, capacity, sizeof *larger);
    if (larger != NULL && directory->space_count > 0) {
        memcpy(larger, array, directory->space_count * sizeof *larger);
    }
    return larger;
}

/* Both arrays grow, or none. */
static bool directory_grow_spaces(Directory *directory) {
    const Memory *memory = directory->memory;
    uint32_t old = directory->space_capacity;
    uint32_t capacity = old * 2 + 8;
    if (!directory_grow_space_table(directory, capacity)) {
        return false;
    }
    uint32_t *pids = directory_larger(directory, directory->pids, capacity);
    uint32_t *forkers = directory_larger(directory, directory->forkers, capacity);
    if (pids == NULL || forkers == NULL) {
        memory_free(memory, pids, capacity, sizeof *pids);
        memory_free(memory, forkers, capacity, sizeof *forkers);
        return false;
    }
    memory_free(memory, directory->pids, old, sizeof *pids);
    memory_free(memory, directory->forkers, old, sizeof *forkers);
    directory->pids = pids;
    directory->forkers = forkers;
    directory->space_capacity = capacity;
    return true;
}

uint32_t directory_space(Directory *directory, uint32_t pid, Error *error) {
    return directory_child_space(directory, pid, DIRECTORY_NO_SPACE, error);
}

uint32_t directory_child_space(Directory *directory, uint32_t pid, uint32_t forker, Error *error) {
    uint32_t known = directory_find_space(directory, pid);
    if (known != DIRECTORY_NO_SPACE) {
        return known;
    }
    if (directory->space_count >= directory->space_limit) {
        error_set(error, VMM_E_LIMIT, "more than %llu processes cannot be told apart",
                  (unsigned long long)directory->space_limit);
        return DIRECTORY_NO_SPACE;
    }
    if (directory->space_count == directory->space_capacity && !directory_grow_spaces(directory)) {
        error_no_memory(error, (size_t)directory->space_capacity * 16, "the table of processes");
        return DIRECTORY_NO_SPACE;
    }
    uint32_t space = directory->space_count++;
    uint64_t place = directory_space_place(directory, pid);
    directory->pids[space] = pid;
    directory->forkers[space] = forker;
    directory->spaces[place] = space + 1;
    return space;
}

uint32_t directory_find(const Directory *directory, uint32_t space, uint64_t vpn) {
    uint64_t key = directory_key(directory, space, vpn);
    uint64_t mask = (UINT64_C(1) << directory->table_bits) - 1;
    uint64_t place = directory_probe(directory, key).place;
    for (;; place = (place + 1) & mask) {
        uint32_t id = directory->places[place] & directory_id_mask(directory);
        if (id == DIRECTORY_NO_PAGE || directory->keys[id] == key) {
            return id;
        }
    }
}

/* A table of 2^bits places for all pages known. */
static int directory_rehash(Directory *directory, unsigned bits, Error *error) {
    uint32_t *table = memory_zalloc(directory->memory, (size_t)1 << bits, sizeof *table);
    if (table == NULL) {
        return error_no_memory(error, sizeof *table << bits, "the table of pages");
    }
    memory_free(directory->memory, directory->places, (size_t)1 << directory->table_bits,
                sizeof *table);
    directory->places = table;
    directory->table_bits = bits;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    for (uint32_t id = 1; id < directory->count; id++) {
        DirectoryProbe probe = directory_probe(directory, directory->keys[id]);
        while (table[probe.place] != 0) {
            probe.place = (probe.place + 1) & mask;
        }
        table[probe.place] = probe.tag | id;
    }
    return VMM_OK;
}

int directory_reserve(Directory *directory, uint32_t more, Error *error) {
    uint64_t wanted = (uint64_t)directory->count + more;
    if (wanted > UINT32_MAX - 1) {
        return error_set(error, VMM_E_LIMIT,
                         "the trace references more than %u different pages; a larger page-size "
                         "makes them fewer",
                         UINT32_MAX - 2);
    }
    if (wanted > directory->capacity) {
        uint64_t capacity = wanted + wanted / 2;
        capacity = capacity < UINT32_MAX ? capacity : UINT32_MAX;
        uint64_t *keys = memory_grow(directory->memory, directory->keys, directory->capacity,
                                     (size_t)capacity, sizeof *keys);
        if (keys == NULL) {
            return error_no_memory(error, (size_t)capacity * sizeof *keys, "the table of pages");
        }
        keys[DIRECTORY_NO_PAGE] = DIRECTORY_NO_KEY;
        directory->keys = keys;
        directory->capacity = (uint32_t)capacity;
    }
    unsigned bits = directory->table_bits;
    while (wanted > UINT64_C(1) << (bits - 1)) {
        bits++;
    }
    return bits == directory->table_bits ? VMM_OK : directory_rehash(directory, bits, error);
}
