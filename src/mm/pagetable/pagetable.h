/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of page-table organisations. One organisation is one file in this folder and one
 * line in organisations.def; the file ends with <name>_types, an array of PageTableTypes ended by
 * a NULL name (a radix tree is one organisation with several depths).
 *
 * A page table here is a model, faithful in what is counted: tables are really allocated when the
 * modelled kernel would, a walk reads the entries that hardware would read, and table bytes are
 * those of the modelled machine. The engine itself finds pages by their dense number, so walks
 * need not be fast. Each process has one PageTable; the machine calls:
 *
 *   create   when the process begins: the root, if the organisation has one.
 *   walk     after a TLB miss: how many entries are read until the translation is found, or it is
 *            known that there is none. Not called for a page that is mapped if mapped_reads is
 *            not 0, since the walk then always reads that many.
 *   map      at the first fault of a page: allocates the tables that lead to its entry.
 *   unmap    when the page is given up (not when it is merely evicted: its entry then stays and
 *            says where the page is).
 *   find     the page id of a mapped page, DIRECTORY_NO_PAGE if it is not mapped.
 *   destroy  when the process ends.
 */
#ifndef VMM_MM_PAGETABLE_PAGETABLE_H
#define VMM_MM_PAGETABLE_PAGETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../../include/vmm/sim.h"
#include "../../base/compiler.h"
#include "../../base/error.h"
#include "../../base/memory.h"

#define PAGETABLE_ENTRY_BYTES 8
#define PAGETABLE_MAX_LEVELS 5

struct PageTable;

typedef struct PageTableType {
    VMMPageTableInfo info; /* name (upper case, as --pt-type takes it), levels, address bits */
    unsigned mapped_reads; /* entries read by the walk of any mapped page; 0: it depends */
    bool (*create)(struct PageTable *table);
    void (*destroy)(struct PageTable *table);
    unsigned (*walk)(const struct PageTable *table, uint64_t vpn);
    bool (*map)(struct PageTable *table, uint64_t vpn, uint32_t page); /* false: out of memory */
    void (*unmap)(struct PageTable *table, uint64_t vpn);
    uint32_t (*find)(const struct PageTable *table, uint64_t vpn);
} PageTableType;

/* The page table of one process. */
typedef struct PageTable {
    const PageTableType *type;
    const Memory *memory;
    void *root;      /* the organisation's own */
    uint64_t tables; /* nodes allocated */
    uint64_t bytes;  /* modelled bytes of them */
    unsigned vpn_bits;
} PageTable;

/* All types, in the order of organisations.def; NULL past the last. */
const PageTableType *pagetable_at(size_t index);

/* The type of that name (matched like all names), or NULL with a sentence (VMM_E_USAGE). */
const PageTableType *pagetable_parse(const char *name, Error *error);

#endif
