/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine: processes, page tables, TLB, frames, swap and counters, all in memory of its own.
 *
 *     page id ──► state;  object page ──► frame_of, slot_of      what the kernel knows of a page
 *     pool: frame ──► page, dirty               what is in a frame
 *     tlb: page id ◄──► entry
 *
 * The engines drive it: they look a page up in the TLB themselves and call machine_miss() when it
 * is not there. Everything that does not happen on a TLB hit happens in machine.c and fault.c.
 */
#ifndef VMM_MM_MACHINE_H
#define VMM_MM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/vmm/event.h"
#include "../../include/vmm/sim.h"
#include "../../include/vmm/stats.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../config/settings.h"
#include "directory.h"
#include "object.h"
#include "pagetable/pagetable.h"
#include "policy/policy.h"
#include "pool.h"
#include "resolve.h"
#include "swap.h"
#include "tlb/tlb.h"

#define MACHINE_NO_FRAME POOL_NO_FRAME
/* Evictions of one step that an observer is told of. */
#define MACHINE_MAX_EVICTIONS 17

/*
 * By translation: its entry exists in the page table; the entry leads to a frame; it was
 * referenced; it is of a private copy; a write through it to a page of a file was noticed. As long
 * as the resolver is off only the first is kept: an entry leads to a frame when the page has one.
 */
enum { PAGE_MAPPED = 1, PAGE_PRESENT = 2, PAGE_SEEN = 4, PAGE_OWN = 8, PAGE_WRITABLE = 16 };

/*
 * By object page, once the resolver is on: it was in a frame once; it was read ahead, is in a frame
 * and was not used so far; the first fault that finds it there reads the next window ahead.
 */
enum { OBJECT_LOADED = 1, OBJECT_AHEAD = 2, OBJECT_MARKED = 4 };

/* What is remembered of a file's last read-ahead window, as Linux's file_ra_state. */
typedef struct AheadWindow {
    uint64_t start;  /* its first page, */
    uint64_t marked; /* and how many of its pages lie at or behind the one that is marked */
    uint32_t misses; /* faults that read, less those that found their page in memory */
} AheadWindow;

/* Kinds of references that are counted apart: the VMMOps, then what the kernel touched. */
enum { PROCESS_KERNEL = VMM_OP_COUNT, PROCESS_KINDS };

typedef struct Process {
    uint64_t page_table_bytes_peak; /* before it ended */
    PageTable table; /* type NULL between the exit of a process and its next reference */
    uint64_t count[PROCESS_KINDS];
    uint64_t page_references;
    uint64_t tlb_misses;
    uint64_t misses;
    uint64_t faults[VMM_FAULT_CLASS_COUNT];
    uint64_t resident[OBJECT_KINDS]; /* present entries, by what they lead to */
    uint64_t resident_peak;          /* most of them at a time, those to the page of zeros aside */
    uint64_t swapped;                /* pages that are in swap alone; only without objects */
} Process;

/* The memory of a process now, in pages; shares are in units of 2^-32 page. */
typedef struct Footprint {
    uint64_t resident;   /* entries that lead to frames, but for the page of zeros */
    uint64_t unique;     /* of these, those to frames that no other entry leads to */
    uint64_t share;      /* a frame with n entries counts 1/n, each share rounded down */
    uint64_t swapped;    /* entries of pages that are in swap and in no frame */
    uint64_t swap_share; /* a page with n entries counts 1/n */
} Footprint;

/* Limits and watermarks, and what they made leave: pressure.h. */
typedef struct Pressure {
    uint32_t frames;    /* of the machine; with scope = process, of each pool */
    uint32_t low, high; /* watermarks of free frames; low 0: none */
    uint32_t groups;    /* pools of named groups, which come first */
    bool limits;        /* there are pools that share the frames */
    uint64_t turns;     /* pages that anybody had to give up */
    VMMOomVictim oom;   /* struct_size 0: there was no need for one */
    uint64_t wakeups, background, background_swap_outs, background_file_writes;
} Pressure;

struct Machine;

enum { MACHINE_OBJECT_ARRAYS = 8, MACHINE_PAGE_ARRAYS = 4 };

/* One array of those by object page, or by translation. */
typedef struct MachineArray {
    void **block;
    size_t size;     /* of an element; 0: there is none */
    bool of_objects; /* only with objects */
} MachineArray;

/* What a fast loop calls when a page reference is no TLB hit, told below. */
typedef struct MachineCalls {
    uint32_t (*miss)(struct Machine *machine, Pool *pool, uint32_t page, uint32_t object,
                     bool write);
    void (*invalid)(struct Machine *machine, uint32_t space);
    void (*write)(struct Machine *machine, Pool *pool, uint32_t page, uint32_t frame);
    bool (*part)(struct Machine *machine, Pool *pool);
} MachineCalls;

typedef struct Machine {
    const MachineCalls *calls; /* how a loop in a plug-in, which is another library, finds them */
    Memory memory;
    Settings settings;
    const Directory *directory; /* of the stream that feeds this machine */
    const PageTableType *table_type;
    PolicySpec policy;

    uint32_t
        *frame_of;     /* by object page: frame in the pool it is charged to, or MACHINE_NO_FRAME */
    uint32_t *slot_of; /* by object page: swap slot that holds its content, or SWAP_NO_SLOT */
    unsigned char *page_state; /* by object page: the policy's, type->page_state_size bytes each */
    uint8_t *state;            /* by translation (page id) */
    uint32_t pages;            /* translations known to this machine */
    uint32_t page_capacity;
    uint32_t object_pages; /* object pages known to this machine */
    uint32_t object_capacity;
    const Resolver *resolver; /* NULL: it is off, object pages are page ids */
    const Objects *objects;   /* the resolver's, or NULL */
    uint32_t *mapper;         /* by object page: the first present translation to it, 0: none; */
    uint32_t *mapper_next, *mapper_before; /* by translation: the others; only with objects */
    uint32_t *mapper_count; /* by object page: present translations to it; only with objects */
    uint32_t *entry_count;  /* by object page: translations that lead there, present or not; */
    uint32_t *leads_to;     /* by translation with an entry: its object page; only with objects */
    uint8_t *locked;        /* by object page: it stays in memory; only with objects */
    uint32_t homeless;      /* an object page that the policy gave up and that stays (lock.c) */
    uint8_t homeless_dirty;
    uint8_t *loaded; /* by object page: OBJECT_LOADED, ...; only with objects */
    /* Elements of these arrays, each: they are alike unless memory ran out. */
    uint32_t object_rooms[MACHINE_OBJECT_ARRAYS], page_rooms[MACHINE_PAGE_ARRAYS];
    uint32_t process_rooms[3];
    AheadWindow *windows; /* by memory object that is a file; grows as they are read ahead */
    uint32_t window_capacity;
    bool request_begins; /* the next page of a file that is read ahead begins a request */
    bool between;        /* no page reference is under way: an event is */
    uint32_t running;    /* the process whose references come */
    bool was_resident;   /* the page of the page reference under way was in memory */

    Tlb tlb;
    Swap swap;
    Pool **pools; /* one; or several, and `by_space` is set: which one a space has is in pool_of */
    uint32_t *pool_of;
    bool by_space;
    bool presses; /* there are limits or watermarks */
    Pressure pressure;
    uint32_t pool_count;
    uint32_t pool_capacity;
    Process *processes; /* by space */
    uint32_t process_count;
    uint32_t process_capacity;
    uint64_t *times;     /* by space: virtual time, for policies that use the clock */
    uint32_t seen_pages; /* ids below it were referenced by this machine (0 counts as one) */
    uint32_t seen_spaces;
    uint32_t last_space; /* of the last page reference; DIRECTORY_NO_SPACE before the first */

    /* Counted here; everything else in VMMStats is derived when asked for. */
    uint64_t walk_reads, swap_ins, swap_outs, replacements, clean_evictions, oom_events;
    uint64_t cleanings, file_writes, file_cleanings, copies, copied_entries, rmap_steps,
        mapped_around;
    uint64_t pages_read_ahead, read_ahead_requests, read_ahead_hits, read_ahead_wasted,
        swap_ins_ahead;
    uint64_t copied_private, private_copies; /* entries that forks copied, and copies since */
    uint64_t cached_copies;                  /* of files' pages in memory */
    uint64_t clean_file_evictions;
    uint64_t faults_on[OBJECT_KINDS]; /* by kind of page; only with objects */
    uint64_t frames_shared, frames_shared_peak;
    uint64_t distinct_pages; /* with the resolver */
    uint64_t context_switches, filtered, dropped, kills, events, discards;
    uint64_t frames_used, frames_used_peak;
    uint64_t page_tables, page_table_bytes;           /* of all processes, now, */
    uint64_t page_tables_peak, page_table_bytes_peak; /* and before the last one that ended */

    uint64_t references;       /* completed in earlier batches */
    uint64_t batch_references; /* begun in this batch; kept only while observed */
    size_t invalid_seen;       /* of the batch's invalid page references */
    size_t special_at;         /* of the batch's special elements, the next one, */
    bool special_begun;        /* and whether its first page reference is done */
    uint64_t stopped_at; /* where the machine stopped: page references of the element before */

    /* The page reference under way, for engines and observers. */
    uint32_t walk_read_count;
    VMMFaultClass fault;
    uint32_t eviction_count;
    VMMEviction evictions[MACHINE_MAX_EVICTIONS];

    bool store_backed; /* initial = store */
    bool touch_on_hit; /* the policy is told of TLB hits */
    VMMObserver *observer;
    void *observer_user;
    int status; /* VMM_OK, or why the machine stands still */
    Error error;
} Machine;

/*
 * Sets up a machine with these settings, whose policy has been read into `policy`; pages and
 * processes come later. VMM_E_USAGE: there is no such page table.
 */
int machine_init(Machine *machine, const Settings *settings, const PolicySpec *policy,
                 const Memory *memory, Error *error);
void machine_free(Machine *machine);

/* The arrays by number. */
MachineArray machine_object_array(Machine *machine, unsigned i);
MachineArray machine_page_array(Machine *machine, unsigned i);

/* Joins the machine to a stream's directory, once, before the first reference. */
int machine_attach(Machine *machine, const Directory *directory, Error *error);

/* Room for all pages and processes that the directory knows now. */
int machine_reserve(Machine *machine, Error *error);

/* The page table of a process that has none. False: out of memory. */
bool machine_add_table(Machine *machine, Process *process);

/* The page-table entry of a translation, and that it leads to the frame of `object`. False: out of
   memory. The two others keep the reverse map alone: a present entry more, or less. */
bool machine_make_entry(Machine *machine, uint32_t page, uint32_t object);
bool machine_map_entry(Machine *machine, uint32_t page); /* one that leads to no frame yet */
void machine_link(Machine *machine, uint32_t page, uint32_t object);
void machine_unlink(Machine *machine, uint32_t page, uint32_t object);

/* Parts of these that events need too: a swap slot, or a frame, goes back; the next write to an
   object page is to be noticed. */
void machine_free_slot(Machine *machine, uint32_t object);
void machine_give_back(Machine *machine, Pool *pool, uint32_t frame);
void machine_forget_written(Machine *machine, uint32_t object);

/* Another pool, of so many frames. */
int machine_add_pool(Machine *machine, uint32_t frames, Error *error);

/* A page of the pool that its policy names leaves, and its frame is free. False: the machine must
   stop; or, if `quietly`, there is no place for what must be written, and nothing is done. */
bool machine_reclaim(Machine *machine, Pool *pool, bool quietly);

/* The pool that pages of a space live in. */
static inline Pool *machine_pool(const Machine *machine, uint32_t space) {
    return machine->pools[machine->by_space ? machine->pool_of[space] : 0];
}

/* Whether that pool and its policy could be made: not always, in a machine that lacked memory. */
static inline bool machine_has_pool(const Machine *machine, uint32_t space) {
    uint32_t index = 0;
    if (machine->by_space) {
        index = space < machine->process_count ? machine->pool_of[space] : UINT32_MAX;
    }
    return index < machine->pool_count && machine->pools[index]->policy != NULL;
}

/* Whether pages may come into a pool that no reference asks for: not where the policy sees the
   future, for it is told of references alone, nor where the references decide what is resident. */
static inline bool machine_takes_unasked(const Pool *pool) {
    const VMMPolicyInfo *info = &pool->policy->type->info;
    return info->needs != VMM_NEEDS_FUTURE && info->variable_space == 0;
}

/* Brings what is known of a page nearer, for a reference that will come soon. */
static inline void machine_fetch(const Machine *machine, uint32_t page, uint32_t object) {
    VMM_PREFETCH(&machine->frame_of[object]);
    VMM_PREFETCH(&machine->slot_of[object]);
    VMM_PREFETCH(&machine->directory->keys[page]);
}

/*
 * A page reference that missed the TLB: the walk, the fault if the page is not resident, the TLB
 * fill. Returns the frame, or MACHINE_NO_FRAME if the machine must stop (machine->status).
 * machine->fault tells whether there was a fault; if so the policy has seen the page inserted.
 */
uint32_t machine_miss(Machine *machine, Pool *pool, uint32_t page, uint32_t object, bool write);

/* Maps the pages in memory around a translation to a file's page that faulted on a read. */
void machine_map_around(Machine *machine, Pool *pool, uint32_t page);

/*
 * Read-ahead (ahead.c). Of a fault of translation `page` that reads `object`, a page of a file:
 * what is read with it, before the page itself comes in (`comes_in`; a private copy does not take
 * it in). Of a fault that finds it in memory: perhaps the next window. Of an event: MADV_WILLNEED,
 * for one page. All may evict, `object` too.
 */
void machine_read_around(Machine *machine, Pool *pool, uint32_t page, uint32_t object,
                         bool comes_in);
void machine_found_in_cache(Machine *machine, Pool *pool, uint32_t page, uint32_t object);
void machine_need(Machine *machine, const ResolveOp *op);

/* A page that was read ahead is used, or leaves memory. */
void machine_use_ahead(Machine *machine, uint32_t object);
void machine_forget_ahead(Machine *machine, uint32_t object);

/* Puts an object page into a frame of the pool; `page` is the translation that is to lead there, 0
   if there is none. MACHINE_NO_FRAME: the machine must stop. */
uint32_t machine_load(Machine *machine, Pool *pool, uint32_t object, uint32_t page, bool write);

/* An object page stays in memory, where it is or once it comes, or need not any more. */
void machine_set_lock(Machine *machine, uint32_t object, bool locked);

/* Whether the page in a frame stays. */
static inline bool machine_is_locked(const Machine *machine, const Pool *pool, uint32_t frame) {
    return machine->locked != NULL && machine->locked[pool->page[frame]] != 0;
}

/* What becomes of a locked page that the policy names as its victim, or parts with: see lock.c. */
void machine_displace(Machine *machine, Pool *pool, uint32_t frame);
uint32_t machine_rehouse(Machine *machine, Pool *pool, uint32_t object);
void machine_keep(Pool *pool, uint32_t frame);
/* The frame of a page that may leave, where the policy named `frame` and nothing comes in. */
uint32_t machine_pass_over(Machine *machine, Pool *pool, uint32_t frame);

/* Parts of a fault for these: the page in a frame leaves it, saved if it must be (false: swap is
   full); the policy's victim (MACHINE_NO_FRAME: the machine stops); no entry leads to a page. */
bool machine_evict_page(Machine *machine, Pool *pool, uint32_t frame);
uint32_t machine_ask_victim(Machine *machine, Pool *pool);
void machine_take_all_entries(Machine *machine, uint32_t object);

/* A page reference beyond the address limit. */
void machine_invalid(Machine *machine, uint32_t space);

/*
 * A page reference that the resolver marked (resolve.h): a copy, a take-over, or a forbidden one,
 * looked up in the TLB and all. *tlb_hit tells of that. Returns as machine_miss(); a forbidden one
 * has no frame, and the machine goes on.
 */
uint32_t machine_resolved(Machine *machine, uint32_t page, const Resolved *resolved, bool *tlb_hit);

/* The first write to a resident page through the TLB entry of `page`, or any without one. */
void machine_write(Machine *machine, Pool *pool, uint32_t page, uint32_t frame);

/* Evicts what the policy wants to part with, writes what it wants written. False: the machine must
   stop. */
bool machine_part(Machine *machine, Pool *pool);

/*
 * Does what an event did to translations and object pages; from the first one on the machine goes
 * by the resolver's numbers. The machine stands between two batches. VMM_OK or its status.
 */
int machine_apply(Machine *machine, const Resolver *resolver, const VMMEvent *event);

/* A process, which has page tables, ends. Until then they only grow, so it is here that their
   largest size is noted. */
void machine_end_tables(Machine *machine, Process *process);

/* A translation with an entry leads to an object page from now on; 0: it has no entry. */
void machine_lead(Machine *machine, uint32_t page, uint32_t object);

/* The memory of a process. Costs what its translations are; without objects nothing. */
Footprint machine_footprint(const Machine *machine, uint32_t space);

/* Present entries of a process, those to the page of zeros aside. */
uint64_t machine_resident(const Process *process);

/* Whether what is counted of entries is what there is. For checking builds. */
bool machine_entries_are_counted(const Machine *machine);

/* Fills *stats with everything counted and derived. */
void machine_stats(const Machine *machine, VMMStats *stats);

/* Frames = mapped pages, TLB within page tables, slots within the device, and all that
   machine_agrees() looks at. For checking builds. */
bool machine_is_valid(const Machine *machine);

/* Frames, slots, entries and the TLB, from both sides (check.c). */
bool machine_agrees(const Machine *machine);

/* Between two batches: entries lead where the resolver says. */
bool machine_agrees_with(const Machine *machine, const Resolver *resolver);

#endif
