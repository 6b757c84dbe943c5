/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix page tables of 2 to 5 levels.
 *
 * Every level but the top indexes with floor(vpn_bits / levels) bits of the VPN, the top takes
 * the rest. With 4 KiB pages, 4 levels of 48-bit and 5 of 57-bit addresses this is the split of
 * x86-64 (Intel SDM vol. 3A, 4.5):
 *
 *      47     39 38     30 29     21 20     12 11         0
 *     +---------+---------+---------+---------+------------+
 *     |  PML4   |  PDPT   |   PD    |   PT    |   offset   |     9 + 9 + 9 + 9 + 12
 *     +---------+---------+---------+---------+------------+
 *
 * The root exists from the start, every other node from the first page mapped below it. Nodes
 * stay until the process ends, as kernels keep them. A modelled entry has 8 bytes; ours hold a
 * pointer to the next node, or in a leaf the page id.
 *
 * A modelled node can be large (2 MiB with two levels), and there may be very many processes, so a
 * node of more than 512 entries is kept in pieces of 512 that exist where entries are in use:
 *
 *     node ──► | piece 0 | - | piece 2 | - | ... |      of no concern to what is counted
 */
#include "../directory.h"
#include "pagetable.h"

static unsigned radix_bits(const PageTable *table, unsigned level) {
    unsigned each = table->vpn_bits / table->type->info.levels;
    return level > 0 ? each : table->vpn_bits - each * (table->type->info.levels - 1);
}

/* The VPN bits below those of `level`; level 0 is the root. */
static unsigned radix_shift(const PageTable *table, unsigned level) {
    return table->vpn_bits / table->type->info.levels * (table->type->info.levels - 1 - level);
}

static size_t radix_index(const PageTable *table, unsigned level, uint64_t vpn) {
    return (vpn >> radix_shift(table, level)) & ((UINT64_C(1) << radix_bits(table, level)) - 1);
}

static bool radix_is_leaf(const PageTable *table, unsigned level) {
    return level + 1 == table->type->info.levels;
}

enum { RADIX_PIECE_BITS = 9 };

static size_t radix_entry_size(const PageTable *table, unsigned level) {
    return radix_is_leaf(table, level) ? sizeof(uint32_t) : sizeof(void *);
}

/* log2 of the pieces of a node. */
static unsigned radix_piece_count_bits(const PageTable *table, unsigned level) {
    unsigned bits = radix_bits(table, level);
    return bits > RADIX_PIECE_BITS ? bits - RADIX_PIECE_BITS : 0;
}

/* log2 of the entries of a piece. */
static unsigned radix_piece_bits(const PageTable *table, unsigned level) {
    return radix_bits(table, level) - radix_piece_count_bits(table, level);
}

static void **radix_add_node(PageTable *table, unsigned level) {
    size_t pieces = (size_t)1 << radix_piece_count_bits(table, level);
    void **node = memory_zalloc(table->memory, pieces, sizeof *node);
    if (node != NULL) {
        table->tables++;
        table->bytes += (UINT64_C(1) << radix_bits(table, level)) * PAGETABLE_ENTRY_BYTES;
    }
    return node;
}

static bool radix_create(PageTable *table) {
    table->root = radix_add_node(table, 0);
    return table->root != NULL;
}

static void radix_free_node(PageTable *table, void **node, unsigned level) {
    size_t pieces = (size_t)1 << radix_piece_count_bits(table, level);
    size_t entries = (size_t)1 << radix_piece_bits(table, level);
    for (size_t piece = 0; piece < pieces; piece++) {
        void **children = node[piece];
        for (size_t i = 0; children != NULL && !radix_is_leaf(table, level) && i < entries; i++) {
            if (children[i] != NULL) {
                radix_free_node(table, children[i], level + 1);
            }
        }
        memory_free(table->memory, children, entries, radix_entry_size(table, level));
    }
    memory_free(table->memory, node, pieces, sizeof *node);
}

static void radix_destroy(PageTable *table) {
    if (table->root != NULL) {
        radix_free_node(table, table->root, 0);
    }
}

/* The entry of `vpn` in a node of `level`: void ** or, in a leaf, uint32_t *; NULL if the piece
   that would hold it does not exist. */
static void *radix_entry_of(const PageTable *table, void **node, unsigned level, uint64_t vpn) {
    size_t index = radix_index(table, level, vpn);
    unsigned piece_bits = radix_piece_bits(table, level);
    char *piece = node[index >> piece_bits];
    size_t place = index & (((size_t)1 << piece_bits) - 1);
    return piece == NULL ? NULL : piece + place * radix_entry_size(table, level);
}

/* The same, and makes the piece. NULL: out of memory. */
static void *radix_make_entry(const PageTable *table, void **node, unsigned level, uint64_t vpn) {
    unsigned piece_bits = radix_piece_bits(table, level);
    void **piece = &node[radix_index(table, level, vpn) >> piece_bits];
    if (*piece == NULL) {
        *piece =
            memory_zalloc(table->memory, (size_t)1 << piece_bits, radix_entry_size(table, level));
    }
    return radix_entry_of(table, node, level, vpn);
}

/* The entry of `vpn` in its leaf, or NULL; *reads counts the entries read on the way. */
static uint32_t *radix_descend(const PageTable *table, uint64_t vpn, unsigned *reads) {
    void **node = table->root;
    *reads = 1;
    unsigned level = 0;
    for (; !radix_is_leaf(table, level); level++) {
        void **entry = radix_entry_of(table, node, level, vpn);
        if (entry == NULL || *entry == NULL) {
            return NULL;
        }
        node = *entry;
        ++*reads;
    }
    return radix_entry_of(table, node, level, vpn);
}

static unsigned radix_walk(const PageTable *table, uint64_t vpn) {
    unsigned reads;
    radix_descend(table, vpn, &reads);
    return reads;
}

static bool radix_map(PageTable *table, uint64_t vpn, uint32_t page) {
    void **node = table->root;
    unsigned level = 0;
    for (; !radix_is_leaf(table, level); level++) {
        void **entry = radix_make_entry(table, node, level, vpn);
        if (entry != NULL && *entry == NULL) {
            *entry = radix_add_node(table, level + 1);
        }
        if (entry == NULL || *entry == NULL) {
            return false;
        }
        node = *entry;
    }
    uint32_t *leaf = radix_make_entry(table, node, level, vpn);
    if (leaf == NULL) {
        return false;
    }
    *leaf = page;
    return true;
}

static void radix_unmap(PageTable *table, uint64_t vpn) {
    unsigned reads;
    uint32_t *entry = radix_descend(table, vpn, &reads);
    if (entry != NULL) {
        *entry = DIRECTORY_NO_PAGE;
    }
}

static uint32_t radix_find(const PageTable *table, uint64_t vpn) {
    unsigned reads;
    const uint32_t *entry = radix_descend(table, vpn, &reads);
    return entry == NULL ? DIRECTORY_NO_PAGE : *entry;
}

#define RADIX_TYPE(name_, label_, summary_, levels_, bits_)                                     \
    {                                                                                           \
        .info = {name_, label_, summary_, levels_, bits_}, .mapped_reads = (levels_),           \
        .create = radix_create, .destroy = radix_destroy, .walk = radix_walk, .map = radix_map, \
        .unmap = radix_unmap, .find = radix_find,                                               \
    }

static const PageTableType radix_types[] = {
    RADIX_TYPE("TWO_LEVEL", "Two-level", "radix tree, 18 + 18 bits with 4K pages", 2, 48),
    RADIX_TYPE("THREE_LEVEL", "Three-level", "radix tree, 12 + 12 + 12 bits with 4K pages", 3, 48),
    RADIX_TYPE("FOUR_LEVEL", "Four-level", "x86-64, 9 bits a level with 4K pages", 4, 48),
    RADIX_TYPE("FIVE_LEVEL", "Five-level", "x86-64 with 57-bit addresses, 9 bits a level", 5, 57),
    {.info = {.name = NULL}},
};
