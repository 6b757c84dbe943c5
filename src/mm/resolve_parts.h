/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the resolver have in common, and nobody else needs. */
#ifndef VMM_MM_RESOLVE_PARTS_H
#define VMM_MM_RESOLVE_PARTS_H

#include "resolve.h"

/* Read-ahead and MADV_WILLNEED know so many pages of a file, as a power of two. */
enum { RESOLVE_EXTENT_BITS = 40 };

/* Whole pages of an address space. */
typedef struct ResolveRange {
    uint32_t space;
    uint64_t first, count; /* VPNs */
} ResolveRange;

typedef void ResolveVisit(Resolver *resolver, uint32_t page, void *user);

/* ---- resolve.c ------------------------------------------------------------------------------ */

/* An array of so many elements gets more. False: out of memory. */
bool resolver_grow(Resolver *resolver, void **array, uint32_t old, uint32_t wanted, size_t size);

/* Room for all translations that the directory knows. False: out of memory. */
bool resolver_reserve_pages(Resolver *resolver);

/* What machines have to do about the event. */
void resolver_note(Resolver *resolver, ResolveOpType type, uint32_t page, uint32_t object,
                   uint32_t to);

/* Lets a translation, which led nowhere, lead to an object page. */
void resolver_lead(Resolver *resolver, uint32_t page, uint32_t object, uint8_t rights);

/* True: the page is gone. */
bool resolver_release(Resolver *resolver, uint32_t object);

/* Gives a translation up. */
void resolver_unmap_page(Resolver *resolver, uint32_t page);

/* Everything so far: anonymous memory, each translation with the page of its own number. */
bool resolver_begin(Resolver *resolver);

/* What a page of the machine lies in; NULL: in nothing that is known. A stack grows to it. */
Mapping *resolver_find_mapping(Resolver *resolver, uint32_t page);

/* Which page of the object a mapping shows at a virtual page. */
uint64_t resolver_index(const Resolver *resolver, const Mapping *mapping, uint64_t vpn);

/* What a mapping's protection lets a translation to a page of its own do. */
uint8_t resolver_rights(const Resolver *resolver, const Mapping *mapping);

/* A translation that leads to a page gets other rights, and maybe its mapping's lock. */
void resolver_set_rights(Resolver *resolver, uint32_t page, uint8_t rights);

/* ---- resolve_window.c ----------------------------------------------------------------------- */

/*
 * Where pages are mapped around those that fault, machines need the translations and pages of the
 * window, whether or not the program ever refers to them.
 */
void resolver_know_around(Resolver *resolver, uint32_t page);

/* The pages [first, end) of a file get numbers. `base`: the VPN of its first page, as a mapping of
   `space` shows it, which gives them their names. */
void resolver_know_pages(Resolver *resolver, uint32_t object, uint64_t first, uint64_t end,
                         uint32_t space, uint64_t base);

/*
 * Where machines read ahead they need the numbers of the pages that a fault may bring in, whether
 * or not the program ever refers to them: half a window before it, and two behind it, for the next
 * one may begin anywhere in that of the fault. They are remembered as one stretch, so that who goes
 * through a file in order makes each once.
 */
void resolver_know_ahead(Resolver *resolver, const Mapping *mapping, uint32_t page);

/* A new mapping tells that a file is longer than was known: faults near the old end may read what
   is behind it from now on. Before the event takes pages away, for the machines have not heard of
   that when the numbers of those are given out again. */
void resolver_extend(Resolver *resolver, uint32_t space, const Mapping *mapping);

/* ---- resolve_map.c -------------------------------------------------------------------------- */

/* Calls `visit`, which may unmap it, for each mapped translation of a range. */
void resolver_each(Resolver *resolver, const ResolveRange *range, ResolveVisit *visit, void *user);

/* Pages that lie in [start, end) wholly. */
ResolveRange resolver_whole_pages(const Resolver *resolver, uint32_t space, uint64_t start,
                                  uint64_t end);

ResolveRange resolver_all_pages(const Resolver *resolver, uint32_t space);

/* Where the range of an event ends, at most at the end of addresses. */
uint64_t resolver_end(const VMMEvent *event);

/* A visit that gives the translation up. */
void resolver_visit_unmap(Resolver *resolver, uint32_t page, void *user);

/* A memory object has one mapping more or less; with the last one a segment goes. */
void resolver_use(void *user, uint32_t object, int change);

/* The translations of [start, end) are given up, and what was mapped there. */
void resolver_unmap(Resolver *resolver, uint32_t space, uint64_t start, uint64_t end);

/* mmap(2). The descriptor that mmap(2) is given holds the object: it outlives a last mapping that
   this one replaces. */
void resolver_map(Resolver *resolver, uint32_t space, const VMMEvent *event, bool is_shared_memory);

/* mprotect(2) */
void resolver_protect(Resolver *resolver, uint32_t space, const VMMEvent *event);

/* A new translation for the object page of another, in the same space or in one of a child. */
uint32_t resolver_twin(Resolver *resolver, uint32_t page, uint32_t space, uint64_t vpn,
                       uint8_t rights);

/* mremap(2): a mapping is cut off, grows, or moves. */
void resolver_remap(Resolver *resolver, uint32_t space, const VMMEvent *event);

/* ---- resolve_advise.c ----------------------------------------------------------------------- */

/* mlock(2), munlock(2) */
void resolver_lock(Resolver *resolver, uint32_t space, const VMMEvent *event);

/* madvise(2) */
void resolver_advise(Resolver *resolver, uint32_t space, const VMMEvent *event);

#endif
