/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of object pages, and finding those of files and segments. */
#include "object.h"

#include <string.h>

#include "../base/compiler.h"
#include "../base/rng.h"

enum { OBJECT_FIRST_BITS = 8 };

/* One array of those by page. */
typedef struct ObjectArray {
    void **block;
    size_t size; /* of an element */
} ObjectArray;

enum { OBJECT_ARRAYS = sizeof((Objects *)0)->rooms / sizeof *((Objects *)0)->rooms };

static ObjectArray objects_array(Objects *objects, unsigned i) {
    const ObjectArray arrays[OBJECT_ARRAYS] = {
        {(void **)&objects->kind, sizeof *objects->kind},
        {(void **)&objects->owners, sizeof *objects->owners},
        {(void **)&objects->charged, sizeof *objects->charged},
        {(void **)&objects->name, sizeof *objects->name},
        {(void **)&objects->locks, sizeof *objects->locks},
        {(void **)&objects->within, sizeof *objects->within},
        {(void **)&objects->index, sizeof *objects->index},
        {(void **)&objects->next, sizeof *objects->next},
    };
    return arrays[i];
}

void objects_free(Objects *objects, const Memory *memory) {
    for (unsigned i = 0; i < OBJECT_ARRAYS; i++) {
        ObjectArray array = objects_array(objects, i);
        memory_free(memory, *array.block, objects->rooms[i], array.size);
    }
    if (objects->places != NULL) {
        memory_free(memory, objects->places, (size_t)1 << objects->table_bits,
                    sizeof *objects->places);
    }
    if (objects->files != NULL) {
        memory_free(memory, objects->files, (size_t)1 << objects->files_bits,
                    sizeof *objects->files);
    }
    memory_free(memory, objects->free, objects->space_capacity, sizeof *objects->free);
    memory_free(memory, objects->objects, objects->object_capacity, sizeof *objects->objects);
    *objects = (Objects){0};
}

/* ---- Numbers -------------------------------------------------------------------------------- */

/* Grows one array by page; keeps the old block if it cannot. */
static bool objects_grow_array(const Memory *memory, void **array, uint32_t old, uint32_t wanted,
                               size_t size) {
    void *grown = memory_grow(memory, *array, old, wanted, size);
    *array = grown != NULL ? grown : *array;
    return grown != NULL;
}

static bool objects_reserve(Objects *objects, const Memory *memory, uint32_t count) {
    if (count <= objects->capacity) {
        return true;
    }
    uint64_t room = (uint64_t)count + count / 2 + 64;
    uint32_t wanted = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
    for (unsigned i = 0; i < OBJECT_ARRAYS; i++) {
        ObjectArray array = objects_array(objects, i);
        if (objects->rooms[i] < wanted &&
            !objects_grow_array(memory, array.block, objects->rooms[i], wanted, array.size)) {
            return false;
        }
        objects->rooms[i] = wanted;
    }
    objects->capacity = wanted;
    return true;
}

/* Room for the free numbers of a space. */
static bool objects_reserve_space(Objects *objects, const Memory *memory, uint32_t space) {
    uint32_t old = objects->space_capacity;
    if (space < old) {
        return true;
    }
    uint32_t wanted = space + space / 2 + 4;
    if (!objects_grow_array(memory, (void **)&objects->free, old, wanted, sizeof(uint32_t))) {
        return false;
    }
    memset(&objects->free[old], 0, (wanted - old) * sizeof(uint32_t));
    objects->space_capacity = wanted;
    return true;
}

bool objects_begin(Objects *objects, const Memory *memory, uint32_t count, uint32_t spaces) {
    if (!objects_reserve(objects, memory, count + 1) ||
        !objects_reserve_space(objects, memory, spaces)) {
        return false;
    }
    for (uint32_t page = 0; page < count; page++) {
        objects->kind[page] = OBJECT_ANONYMOUS;
        objects->owners[page] = 1;
        objects->locks[page] = 0;
    }
    objects->count = count;
    return true;
}

uint32_t objects_new_page(Objects *objects, const Memory *memory, ObjectKind kind, uint32_t space,
                          uint64_t name) {
    if (!objects_reserve_space(objects, memory, space)) {
        return OBJECT_NO_PAGE;
    }
    uint32_t page = objects->free[space];
    if (page != OBJECT_NO_PAGE) {
        objects->free[space] = objects->next[page];
    } else if (objects->count == UINT32_MAX - 1 ||
               !objects_reserve(objects, memory, objects->count + 1)) {
        return OBJECT_NO_PAGE;
    } else {
        page = objects->count++;
    }
    objects->kind[page] = (uint8_t)kind;
    objects->owners[page] = 0;
    objects->locks[page] = 0;
    objects->charged[page] = space;
    objects->name[page] = name;
    return page;
}

bool objects_release(Objects *objects, uint32_t page) {
    VMM_CHECK(objects->owners[page] > 0);
    if (--objects->owners[page] > 0) {
        return false;
    }
    uint32_t space = objects->charged[page];
    objects->next[page] = objects->free[space];
    objects->free[space] = page;
    return true;
}

/* ---- Files and segments --------------------------------------------------------------------- */

uint32_t objects_add(Objects *objects, const Memory *memory, ObjectKind kind) {
    uint32_t number = objects->free_object;
    if (number != OBJECT_NONE) {
        objects->free_object = objects->objects[number].first;
        objects->objects[number] = (MemoryObject){.kind = kind};
        return number;
    }
    number = objects->object_count == 0 ? 1 : objects->object_count;
    if (number >= objects->object_capacity) {
        uint64_t room = (uint64_t)objects->object_capacity * 2 + 16;
        uint32_t capacity = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
        MemoryObject *grown = memory_grow(memory, objects->objects, objects->object_capacity,
                                          capacity, sizeof *grown);
        if (number >= capacity || grown == NULL) {
            return OBJECT_NONE;
        }
        objects->objects = grown;
        objects->object_capacity = capacity;
    }
    objects->objects[number] = (MemoryObject){.kind = kind};
    objects->object_count = number + 1;
    return number;
}

void objects_remove(Objects *objects, uint32_t object) {
    MemoryObject *gone = &objects->objects[object];
    VMM_CHECK(gone->mappings == 0 && gone->first == OBJECT_NO_PAGE);
    if (gone->file == 0) {
        gone->kind = OBJECT_ANONYMOUS; /* which no memory object is */
        gone->first = objects->free_object;
        objects->free_object = object;
    }
}

/* The place of a file in their table: its own, or the empty one where it would be. */
static uint32_t objects_file_place(const Objects *objects, uint32_t file) {
    uint32_t mask = (1u << objects->files_bits) - 1;
    uint32_t place = (uint32_t)rng_mix(file) & mask;
    while (objects->files[place] != 0 && objects->objects[objects->files[place]].file != file) {
        place = (place + 1) & mask;
    }
    return place;
}

/* A table that is at most half full with one file more. */
static bool objects_grow_files(Objects *objects, const Memory *memory) {
    if (objects->files != NULL && objects->file_count < 1u << (objects->files_bits - 1)) {
        return true;
    }
    uint32_t *old = objects->files;
    size_t old_places = old == NULL ? 0 : (size_t)1 << objects->files_bits;
    unsigned bits = old == NULL ? OBJECT_FIRST_BITS : objects->files_bits + 1;
    uint32_t *table = memory_zalloc(memory, (size_t)1 << bits, sizeof *table);
    if (table == NULL) {
        return false;
    }
    objects->files = table;
    objects->files_bits = bits;
    for (size_t i = 0; i < old_places; i++) {
        if (old[i] != 0) {
            table[objects_file_place(objects, objects->objects[old[i]].file)] = old[i];
        }
    }
    memory_free(memory, old, old_places, sizeof *old);
    return true;
}

uint32_t objects_find_file(const Objects *objects, uint32_t file) {
    return objects->files == NULL ? OBJECT_NONE : objects->files[objects_file_place(objects, file)];
}

uint32_t objects_file(Objects *objects, const Memory *memory, uint32_t file, ObjectKind kind) {
    uint32_t object = objects_find_file(objects, file);
    if (object != OBJECT_NONE || !objects_grow_files(objects, memory)) {
        return object;
    }
    object = objects_add(objects, memory, kind);
    if (object != OBJECT_NONE) {
        uint32_t place = objects_file_place(objects, file);
        objects->objects[object].file = file;
        objects->files[place] = object;
        objects->file_count++;
    }
    return object;
}

/* ---- Their pages ---------------------------------------------------------------------------- */

static uint32_t objects_hash(uint32_t object, uint64_t index) {
    return (uint32_t)rng_mix(index ^ object * UINT64_C(0x9E3779B97F4A7C15));
}

/* The place of a page in the table: its own, or the empty one where it would be. */
static uint32_t objects_place(const Objects *objects, uint32_t object, uint64_t index) {
    uint32_t mask = (1u << objects->table_bits) - 1;
    uint32_t place = objects_hash(object, index) & mask;
    uint32_t page;
    while ((page = objects->places[place]) != 0 &&
           (objects->index[page] != index || objects->within[page] != object)) {
        place = (place + 1) & mask;
    }
    return place;
}

static uint32_t objects_place_of(const Objects *objects, uint32_t page) {
    return objects_place(objects, objects->within[page], objects->index[page]);
}

/* A table that is at most half full with one page more. */
static bool objects_grow_table(Objects *objects, const Memory *memory) {
    if (objects->places != NULL && objects->named < 1u << (objects->table_bits - 1)) {
        return true;
    }
    unsigned old_bits = objects->table_bits;
    uint32_t *old = objects->places;
    unsigned bits = old == NULL ? OBJECT_FIRST_BITS : old_bits + 1;
    uint32_t *places = memory_zalloc(memory, (size_t)1 << bits, sizeof *places);
    if (places == NULL) {
        return false;
    }
    objects->places = places;
    objects->table_bits = bits;
    for (size_t i = 0; old != NULL && i < (size_t)1 << old_bits; i++) {
        if (old[i] != 0) {
            places[objects_place_of(objects, old[i])] = old[i];
        }
    }
    if (old != NULL) {
        memory_free(memory, old, (size_t)1 << old_bits, sizeof *old);
    }
    return true;
}

uint32_t objects_find(const Objects *objects, uint32_t object, uint64_t index) {
    return objects->places == NULL ? OBJECT_NO_PAGE
                                   : objects->places[objects_place(objects, object, index)];
}

uint32_t objects_page(Objects *objects, const Memory *memory, uint32_t object, uint64_t index,
                      uint32_t space, uint64_t name) {
    if (!objects_grow_table(objects, memory)) {
        return OBJECT_NO_PAGE;
    }
    uint32_t place = objects_place(objects, object, index);
    if (objects->places[place] != 0) {
        return objects->places[place];
    }
    uint32_t page = objects_new_page(objects, memory, objects->objects[object].kind, space, name);
    if (page == OBJECT_NO_PAGE) {
        return OBJECT_NO_PAGE;
    }
    objects->owners[page] = 1;
    objects->within[page] = object;
    objects->index[page] = index;
    objects->next[page] = objects->objects[object].first;
    objects->objects[object].first = page;
    objects->places[place] = page;
    objects->named++;
    return page;
}

/* Empties a place of the table; what was pushed behind it moves up (linear probing). */
static void objects_empty(Objects *objects, uint32_t place) {
    uint32_t mask = (1u << objects->table_bits) - 1;
    uint32_t hole = place;
    for (uint32_t at = (place + 1) & mask; objects->places[at] != 0; at = (at + 1) & mask) {
        uint32_t page = objects->places[at];
        uint32_t home = objects_hash(objects->within[page], objects->index[page]) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            objects->places[hole] = page;
            hole = at;
        }
    }
    objects->places[hole] = 0;
    objects->named--;
}

uint32_t objects_take_page(Objects *objects, uint32_t object) {
    uint32_t page = objects->objects[object].first;
    if (page != OBJECT_NO_PAGE) {
        objects->objects[object].first = objects->next[page];
        objects_empty(objects, objects_place_of(objects, page));
    }
    return page;
}
