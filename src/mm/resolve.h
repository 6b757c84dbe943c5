/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver: which page of which memory object a translation leads to, as events (map, unmap,
 * fork, exec, exit, ...) and references come along. docs/internals/processes.md tells the whole.
 *
 *     translation t ──► object_of[t], rights[t]          t: the page ids of the directory
 *     space ──► mappings, the translations that are mapped, chained
 *     object page ──► kind, owners (object.h)
 *
 * It depends on the order of references and events alone, never on what is resident, so one
 * resolver serves all machines that are fed from its stream. As long as it is off, the object page
 * of a translation is the one of the same number; the first event switches it on. What an event
 * does to translations and object pages is left in `ops` for those machines.
 */
#ifndef VMM_MM_RESOLVE_H
#define VMM_MM_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/vmm/event.h"
#include "../base/error.h"
#include "../config/settings.h"
#include "directory.h"
#include "mapping.h"
#include "object.h"

/* Resolver.rights: what a reference may do without a closer look, and why it may not write. */
enum {
    RIGHT_READ = 1,
    RIGHT_WRITE = 2,
    RIGHT_COPY_ON_WRITE = 4,
    RIGHT_LOCKED = 8 /* its mapping is locked */
};

/* VMMEvent.type of the one event that no trace has: the process is killed. */
enum { RESOLVER_KILL = 0 };

/* Pages of which one MADV_WILLNEED takes notice: 4 GiB of 4 KiB pages. */
enum { RESOLVE_MOST_NEEDED = 1 << 20 };

typedef enum ResolveOpType {
    RESOLVE_UNMAP,   /* translation `page`, which led to `object`, has no entry any more */
    RESOLVE_PROTECT, /* fewer references are allowed through it */
    RESOLVE_COPY,    /* translation `to` has got the entry of `page`, both to `object` */
    RESOLVE_CLEAN,   /* the content of `object` may be lost: MADV_FREE */
    RESOLVE_NEED,    /* `object` is to be read: MADV_WILLNEED; `page` 1: first of a request */
    RESOLVE_LOCK,    /* `object` stays in memory from now on, */
    RESOLVE_UNLOCK,  /* and it need not any more */
    RESOLVE_DROP,    /* `object` is gone; its number will be given to another */
    RESOLVE_END      /* the address space `page` is given up, page tables and all */
} ResolveOpType;

typedef struct ResolveOp {
    ResolveOpType type;
    uint32_t page;
    uint32_t object;
    uint32_t to;
} ResolveOp;

typedef struct ResolveSpace {
    Mappings maps;
    uint32_t first;  /* of its mapped translations, which are chained; 0: none */
    uint32_t mapped; /* how many there are */
    uint32_t within; /* the space that its process runs in: its parent's after a vfork */
    uint32_t users;  /* the processes that run in this one; with the last one it is given up */
    bool ended;      /* the process that has it ended, and none of its number has begun since */
} ResolveSpace;

/* What a reference does that is no plain look-up. */
typedef enum ResolvedHow {
    RESOLVED_PLAINLY,
    RESOLVED_COPY,     /* a write makes a private copy, `object`, of `source` */
    RESOLVED_REUSE,    /* a write takes the page over: there is no other owner any more */
    RESOLVED_FORBIDDEN /* there is no mapping, or it forbids the reference; `object` is what loads
                          of the same element lead to, or none */
} ResolvedHow;

typedef struct Resolved {
    ResolvedHow how;
    uint32_t object;
    uint32_t source;
    uint32_t locked;   /* an object page that is locked by that, before it; 0: none */
    uint32_t unlocked; /* one that is not any more, behind it; 0: none */
} Resolved;

/* What an event brings into memory at once: mlock(2), MAP_LOCKED, MAP_POPULATE. */
typedef struct ResolvePopulate {
    uint32_t space;
    uint64_t start, end; /* bytes; start = end: nothing */
} ResolvePopulate;

/* Pages of a file around one that faults, as one mapping shows them. */
typedef struct ResolveWindow {
    uint32_t space;
    uint32_t object;       /* the file, */
    uint64_t index;        /* and its page at the first VPN */
    uint64_t first, count; /* VPNs; count 0: nothing is mapped around */
} ResolveWindow;

typedef struct Resolver {
    Memory memory;
    Directory *directory;
    Objects objects;
    uint32_t *object_of;     /* by translation; OBJECT_NO_PAGE: it is not mapped */
    uint8_t *rights;         /* by translation */
    uint32_t *next, *before; /* by mapped translation: the chain of its space */
    uint32_t pages;          /* translations that the arrays have room for and that are set up */
    uint32_t page_capacity;
    uint32_t rooms[4];    /* of these arrays, each: they are alike unless memory ran out */
    ResolveSpace *spaces; /* by space */
    uint32_t space_count;
    uint32_t space_capacity;
    ResolveOp *ops; /* of the event that was applied last */
    uint32_t op_count;
    uint32_t op_capacity;
    ResolvePopulate populate;  /* by the event that was applied last */
    uint32_t locked, unlocked; /* by the reference under way: see Resolved */
    bool in_event;
    uint32_t *killed; /* pids of processes that were killed and whose numbers are not used again, */
    uint32_t killed_count; /* in their order */
    uint32_t killed_capacity;
    uint32_t zeros; /* the page of zeros, if there is one */
    unsigned page_shift;
    bool on;
    bool strict;       /* references outside of mappings are forbidden */
    bool shares_zeros; /* a read of anonymous memory that was never written shows the page of zeros
                        */
    uint64_t around;   /* pages of a fault-around window, a power of two; 1 or 0: none */
    uint64_t around_shift; /* by which pages are higher for that */
    uint64_t ahead;        /* pages of a read-ahead window; 0: nothing is read ahead */
    bool failed;           /* out of memory: nothing can be resolved any more */
    uint64_t stack_limit;  /* bytes that a stack may have */
} Resolver;

void resolver_init(Resolver *resolver, const Memory *memory, Directory *directory,
                   const Settings *settings);
void resolver_free(Resolver *resolver);

/* For resolver_is_killed(). */
bool resolver_finds_killed(const Resolver *resolver, uint32_t pid);

/* Whether the event changes address spaces, and the resolver has to be on for it; */
bool resolver_wants(const VMMEvent *event);
/* whether it changes address spaces or processes: those that the counter `events` counts. */
bool resolver_counts(const VMMEvent *event);

/*
 * Applies an event; what is to be done about it is in `ops` until the next one. `is_shared_memory`:
 * the file of a mapping is a segment of shared memory, not a file of a device. VMM_OK or
 * VMM_E_NO_MEMORY, VMM_E_LIMIT.
 */
int resolver_apply(Resolver *resolver, const VMMEvent *event, bool is_shared_memory, Error *error);

/*
 * Whether there is a process of this number: it is known, and it has not ended, or another one has
 * begun since: forked, by a mapping, or by a reference.
 */
bool resolver_has_process(const Resolver *resolver, uint32_t pid);

/* A process of a known number begins without a mapping or a reference. */
void resolver_begin_process(Resolver *resolver, uint32_t pid);

/* Whether a process was killed: it makes no references, and no events happen to it. */
static inline bool resolver_is_killed(const Resolver *resolver, uint32_t pid) {
    return resolver->killed_count != 0 && resolver_finds_killed(resolver, pid);
}

/*
 * Whether an event is one of a killed process, and so does not happen. The end of the process in
 * the trace makes its number free for another; what it forks is not there either.
 */
bool resolver_drops(Resolver *resolver, const VMMEvent *event);

/* Room for all translations that the directory knows. VMM_OK or VMM_E_NO_MEMORY. */
int resolver_reserve(Resolver *resolver, Error *error);

/* The space that a process runs in. */
static inline uint32_t resolver_within(const Resolver *resolver, uint32_t space) {
    return resolver->on && space < resolver->space_count ? resolver->spaces[space].within : space;
}

/*
 * The next page from *address on, up to populate.end, that is to be brought into memory, and
 * whether by a write, as Linux does where that makes private pages. False: there is none.
 */
bool resolver_next_populated(Resolver *resolver, uint64_t *address, bool *write);

/* Whether a reference is a plain look-up of object_of[page]. */
static inline bool resolver_is_plain(const Resolver *resolver, uint32_t page, bool write) {
    return (resolver->rights[page] & (write ? RIGHT_WRITE : RIGHT_READ)) != 0;
}

/* A reference that is none. After VMM_E_NO_MEMORY (`failed`) nothing more is resolved. */
Resolved resolver_reference(Resolver *resolver, uint32_t page, bool write);

/*
 * The window of a translation to a file's page: that of Linux's do_fault_around(), whose pages lie
 * in one mapping and one lowest table of 512 entries. Remembers nothing, and nothing but events and
 * growing stacks changes what it says.
 */
ResolveWindow resolver_window(const Resolver *resolver, uint32_t page);

/* What madvise(2) said of the mapping that a translation lies in: MAPPING_ADVICE. As above. */
uint8_t resolver_advice(const Resolver *resolver, uint32_t page);

/* Chains, owners and mappings agree. For checking builds. */
bool resolver_is_valid(const Resolver *resolver);

/* Owners, uses of memory objects and users of spaces are as many as counted (check.c). */
bool resolver_agrees(const Resolver *resolver);

#endif
