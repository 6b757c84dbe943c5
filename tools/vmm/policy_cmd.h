/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm policy: what its files share.
 *
 *     policy.c         the verbs new, build and show
 *     policy_check.c   vmm policy check: the list of checks, each in a process of its own
 *     policy_rig.c     a small pool of frames that calls a policy's hooks and judges what they do
 *     policy_guard.c   memory whose borders are guarded
 *
 * A check runs in a child process, for a policy may crash, hang or write anywhere. Child and parent
 * share one CheckReport: the child keeps noted there which hook runs, and what was found.
 */
#ifndef VMM_CLI_POLICY_CMD_H
#define VMM_CLI_POLICY_CMD_H

#include "../../include/vmm/policy_build.h"
#include "cli.h"

extern const CliCommand policycmd_new, policycmd_check, policycmd_build, policycmd_show;

#define POLICYCMD_FLAGS_END \
    { NULL, NULL, 0, NULL, NULL, NULL, NULL, 0 }

/* ---- Guarded memory (policy_guard.c) -------------------------------------------------------- */

typedef struct GuardBlock {
    unsigned char *bytes; /* NULL: released */
    size_t size;
    void *map; /* with the pages before and behind, which nobody may touch */
    size_t map_size;
} GuardBlock;

/*
 * An allocator whose blocks end (or begin) at the border of a page, with a page behind (or before)
 * that no access survives. Released blocks stay out of bounds. What the allocator leaves undefined
 * is filled with `junk`.
 */
typedef struct Guard {
    VMMAllocator memory; /* what a policy is given */
    GuardBlock *blocks;
    size_t count, capacity;
    bool before; /* the guarded border is the beginning */
    unsigned char junk;
    uint64_t calls, fail_at; /* the allocation that fails, from 1; 0: none */
    const char *misuse;      /* a release or resize that was wrong; NULL: none */
} Guard;

void guard_init(Guard *guard, bool before, unsigned char junk);
/* Blocks that were never released. */
size_t guard_leaks(const Guard *guard);
/* Does a block's surrounding hold the address? */
bool guard_holds(const Guard *guard, const void *address);
void guard_free(Guard *guard);

/* Memory that the policy may read and only the rig may write. */
typedef struct GuardView {
    void *written;    /* the rig's side */
    const void *read; /* the policy's */
    size_t size, map_size;
    void *read_map;
} GuardView;

/* A view of `size` bytes that begins with what *view held; the old one is out of bounds then. */
void guard_view_grow(GuardView *view, size_t size, bool before);
void guard_view_free(GuardView *view);

/* ---- The rig (policy_rig.c) ----------------------------------------------------------------- */

typedef struct CheckReport {
    const char *volatile hook; /* the one that runs, or NULL */
    bool done;                 /* the child came to its end */
    bool failed;
    bool endless;    /* by the limit of processor time */
    char text[600];  /* what failed, */
    char where[200]; /* and in which run */
    uint64_t digest; /* of the decisions of one run, */
    uint64_t sum;    /* and of a series of runs */
    int code;        /* VMM_OK, or the error with which the policy could not be opened */
} CheckReport;

/* One page reference, or with `discard` the end of a page. */
typedef struct RigStep {
    uint32_t page;  /* from 1 */
    uint32_t count; /* references in a row */
    uint8_t space, write, discard;
} RigStep;

/* What is known of a step's page: how many places on, and how many page references of its process
   after the step's last one, it comes again. 0: it does not. */
typedef struct RigFuture {
    uint32_t next, distance;
} RigFuture;

typedef struct Rig {
    const VMMPolicyType *type;
    const uint64_t *params;
    VMMPolicyMeter *meter; /* NULL: steps are not counted */
    CheckReport *report;
    Guard guard;
    VMMPolicy *policy;
    VMMPolicy seen; /* what the policy must leave alone, as it was */
    GuardView page_of, dirty, time_of;
    char *why; /* room for the reason of an eviction */
    uint32_t capacity, reserved, unused, free_count, pages, page_room;
    uint32_t *free_frames; /* a stack */
    uint32_t *frame_of;    /* by page; VMM_POLICY_NO_FRAME: in none */
    uint64_t references, place;
    uint64_t steps; /* of the policy, before the hook that runs, */
    uint64_t work;  /* and of all hooks that do the policy's work */
    bool by_one;    /* touches in a row are made one by one, whatever the type says */
    bool waits;     /* touches wait for the next miss, and only the last of each frame is made */
    uint32_t *waiting;
    size_t waiting_count, waiting_capacity;
    bool stopped;
} Rig;

enum { RIG_SPACES = 4, RIG_WHY_BYTES = 100 };

/* The rig's judgement: the first fault of a report counts. Always false. */
bool rig_fail(Rig *rig, const char *format, ...) CLI_PRINTF(2, 3);

/* VMM_OK, or what create returned. Ends with rig_end(), in any case. */
int rig_begin(Rig *rig, uint32_t capacity, bool before, unsigned char junk, uint64_t fail_at);
bool rig_step(Rig *rig, const RigStep *step, const RigFuture *future);
/* Discards all pages. */
bool rig_empty(Rig *rig);
/* False if something is wrong that shows at the end. */
bool rig_end(Rig *rig);

#endif
