/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The single-level page table: one array with an entry for every page of the address space.
 *
 * Such an array is far too large to exist as a whole (2^36 entries with 4 KiB pages), so it is
 * modelled as it would be in virtual memory itself: the array is contiguous in kernel space, and
 * pieces of 512 entries (4 KiB) come into being when the first page of a piece is mapped. A walk
 * always reads exactly one entry. The pieces are found by a small hash table of ours that is no
 * part of the model.
 */
#include "../directory.h"
#include "pagetable.h"

enum { SINGLE_PIECE_BITS = 9, SINGLE_PIECE = 1 << SINGLE_PIECE_BITS };

typedef struct SinglePiece {
    uint64_t number; /* VPN >> SINGLE_PIECE_BITS */
    uint32_t pages[SINGLE_PIECE];
} SinglePiece;

typedef struct SingleArray {
    SinglePiece **places; /* open addressing, at most half full */
    size_t mask;
} SingleArray;

static size_t single_place(const SingleArray *array, uint64_t number) {
    size_t place = (size_t)(number * 0x9E3779B97F4A7C15u >> 32) & array->mask;
    while (array->places[place] != NULL && array->places[place]->number != number) {
        place = (place + 1) & array->mask;
    }
    return place;
}

/* Doubles the hash table, or makes the first one. */
static bool single_grow(PageTable *table, SingleArray *array) {
    SingleArray old = *array;
    size_t old_count = old.places == NULL ? 0 : old.mask + 1;
    size_t count = old_count == 0 ? 16 : old_count * 2;
    array->places = memory_zalloc(table->memory, count, sizeof *array->places);
    if (array->places == NULL) {
        *array = old;
        return false;
    }
    array->mask = count - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (old.places[i] != NULL) {
            array->places[single_place(array, old.places[i]->number)] = old.places[i];
        }
    }
    memory_free(table->memory, old.places, old_count, sizeof *old.places);
    return true;
}

static bool single_create(PageTable *table) {
    SingleArray *array = memory_zalloc(table->memory, 1, sizeof *array);
    table->root = array;
    return array != NULL && single_grow(table, array);
}

static void single_destroy(PageTable *table) {
    SingleArray *array = table->root;
    if (array == NULL) {
        return;
    }
    for (size_t i = 0; array->places != NULL && i <= array->mask; i++) {
        memory_free(table->memory, array->places[i], 1, sizeof(SinglePiece));
    }
    memory_free(table->memory, array->places, array->mask + 1, sizeof *array->places);
    memory_free(table->memory, array, 1, sizeof *array);
}

static unsigned single_walk(const PageTable *table, uint64_t vpn) {
    (void)table;
    (void)vpn;
    return 1;
}

static uint32_t *single_entry(const PageTable *table, uint64_t vpn) {
    const SingleArray *array = table->root;
    SinglePiece *piece = array->places[single_place(array, vpn >> SINGLE_PIECE_BITS)];
    return piece == NULL ? NULL : &piece->pages[vpn % SINGLE_PIECE];
}

static bool single_map(PageTable *table, uint64_t vpn, uint32_t page) {
    SingleArray *array = table->root;
    uint32_t *entry = single_entry(table, vpn);
    if (entry == NULL) {
        if (2 * (table->tables + 1) > array->mask + 1 && !single_grow(table, array)) {
            return false;
        }
        SinglePiece *piece = memory_zalloc(table->memory, 1, sizeof *piece);
        if (piece == NULL) {
            return false;
        }
        piece->number = vpn >> SINGLE_PIECE_BITS;
        array->places[single_place(array, piece->number)] = piece;
        table->tables++;
        table->bytes += (uint64_t)SINGLE_PIECE * PAGETABLE_ENTRY_BYTES;
        entry = &piece->pages[vpn % SINGLE_PIECE];
    }
    *entry = page;
    return true;
}

static void single_unmap(PageTable *table, uint64_t vpn) {
    uint32_t *entry = single_entry(table, vpn);
    if (entry != NULL) {
        *entry = DIRECTORY_NO_PAGE;
    }
}

static uint32_t single_find(const PageTable *table, uint64_t vpn) {
    const uint32_t *entry = single_entry(table, vpn);
    return entry == NULL ? DIRECTORY_NO_PAGE : *entry;
}

static const PageTableType single_types[] = {
    {
        .info = {"SINGLE", "Single-level",
                 "one array for the whole address space, backed where it is used", 1, 48},
        .mapped_reads = 1,
        .create = single_create,
        .destroy = single_destroy,
        .walk = single_walk,
        .map = single_map,
        .unmap = single_unmap,
        .find = single_find,
    },
    {.info = {.name = NULL}},
};
