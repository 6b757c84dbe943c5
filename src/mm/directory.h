/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory: every (address space, virtual page) that was ever referenced gets a dense number,
 * its page id, once; everything that is hot afterwards is an array indexed by it.
 *
 *     pid ──► space 0, 1, 2 ...          in order of first reference
 *     (space, VPN) ──► key = space << vpn_bits | VPN ──► id 1, 2, 3 ...
 *
 * Id 0 is no page: it stands for references that can have none (beyond the address limit). A place
 * of the hash table has four bytes: the id in the low bits, and in the bits that ids of this table
 * do not need a tag from the hash, so that hardly any wrong candidate costs a look at its key. The
 * table is at most half full. The lowest two bits of the VPN stay together, so that neighbouring
 * pages lie in one cache line. A directory is filled by one stream of references and shared, read
 * only, by all machines that simulate it.
 */
#ifndef VMM_MM_DIRECTORY_H
#define VMM_MM_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/compiler.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/rng.h"

#define DIRECTORY_NO_PAGE 0u
#define DIRECTORY_NO_SPACE UINT32_MAX
#define DIRECTORY_NO_KEY UINT64_MAX

typedef struct Directory {
    const Memory *memory;
    uint64_t *keys;    /* by page id */
    uint32_t *places;  /* hash table of tags and page ids; 0: empty */
    uint32_t *pids;    /* by space */
    uint32_t *forkers; /* by space: the space of the process whose fork made it known, or
                          DIRECTORY_NO_SPACE */
    uint32_t *spaces;  /* hash table of space + 1; 0: empty */
    uint32_t count;    /* page ids given out, id 0 included */
    uint32_t capacity; /* of keys */
    uint32_t space_count;
    uint32_t space_capacity;
    uint64_t space_limit; /* spaces that fit a key */
    unsigned table_bits;  /* log2 of the places */
    unsigned space_bits;  /* log2 of the hash table of spaces */
    unsigned vpn_bits;
} Directory;

int directory_init(Directory *directory, const Memory *memory, unsigned vpn_bits, Error *error);
void directory_free(Directory *directory);

/* The space of process `pid`, made at its first use; DIRECTORY_NO_SPACE with *error if it cannot.
 */
uint32_t directory_space(Directory *directory, uint32_t pid, Error *error);

/* The same for the child of a fork by the process of space `forker`. */
uint32_t directory_child_space(Directory *directory, uint32_t pid, uint32_t forker, Error *error);

/* The space of a known process, or DIRECTORY_NO_SPACE. */
uint32_t directory_find_space(const Directory *directory, uint32_t pid);

/* The id of a page that is known, or DIRECTORY_NO_PAGE. */
uint32_t directory_find(const Directory *directory, uint32_t space, uint64_t vpn);

/* Room for `more` new pages, so that directory_intern() cannot fail. VMM_OK or an error. */
int directory_reserve(Directory *directory, uint32_t more, Error *error);

static inline uint64_t directory_key(const Directory *directory, uint32_t space, uint64_t vpn) {
    return (uint64_t)space << directory->vpn_bits | vpn;
}

static inline uint64_t directory_vpn(const Directory *directory, uint32_t id) {
    return directory->keys[id] & ((UINT64_C(1) << directory->vpn_bits) - 1);
}

static inline uint32_t directory_space_of(const Directory *directory, uint32_t id) {
    return (uint32_t)(directory->keys[id] >> directory->vpn_bits);
}

/* What a policy knows a page by: vmm_policy_name(). */
static inline uint64_t directory_name(uint32_t pid, uint64_t vpn) {
    return vpn ^ rng_mix(pid);
}
static inline uint64_t directory_name_of(const Directory *directory, uint32_t id) {
    return directory_name(directory->pids[directory_space_of(directory, id)],
                          directory_vpn(directory, id));
}

/* Where the search for a key begins, and the tag in the place that has it. */
typedef struct DirectoryProbe {
    uint64_t place;
    uint32_t tag;
} DirectoryProbe;

/* The bits of a place that hold the id: ids are below half the number of places. */
static inline uint32_t directory_id_mask(const Directory *directory) {
    return (uint32_t)((UINT64_C(1) << (directory->table_bits - 1)) - 1);
}

/* Four neighbouring pages have four neighbouring places; the tag tells those four apart too. */
static inline DirectoryProbe directory_probe(const Directory *directory, uint64_t key) {
    uint64_t hash = (key >> 2) * 0x9E3779B97F4A7C15u;
    uint64_t group = hash >> (64 - directory->table_bits);
    uint32_t tag = (uint32_t)(hash >> 12) ^ (uint32_t)(key & 3) << 30;
    return (DirectoryProbe){(group & ~UINT64_C(3)) | (key & 3),
                            tag & ~directory_id_mask(directory)};
}

/* Brings the place where the search for a key begins nearer, */
static inline void directory_fetch_place(const Directory *directory, uint64_t key) {
    VMM_PREFETCH(&directory->places[directory_probe(directory, key).place]);
}

/* and, when it has arrived, the key that it leads to. */
static inline void directory_fetch_key(const Directory *directory, uint64_t key) {
    uint32_t content = directory->places[directory_probe(directory, key).place];
    VMM_PREFETCH(&directory->keys[content & directory_id_mask(directory)]);
}

/* The id of a key; a new one if it has none (see directory_reserve). */
static inline uint32_t directory_intern(Directory *directory, uint64_t key) {
    uint64_t mask = (UINT64_C(1) << directory->table_bits) - 1;
    uint32_t id_mask = directory_id_mask(directory);
    DirectoryProbe probe = directory_probe(directory, key);
    for (;; probe.place = (probe.place + 1) & mask) {
        uint32_t content = directory->places[probe.place];
        uint32_t id = content & id_mask;
        if (VMM_LIKELY((content & ~id_mask) == probe.tag && directory->keys[id] == key)) {
            return id;
        }
        if (content == 0) {
            id = directory->count++;
            directory->keys[id] = key;
            directory->places[probe.place] = probe.tag | id;
            return id;
        }
    }
}

#endif
