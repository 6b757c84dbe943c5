/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated machine. One VMM is one machine with its memory, TLB, page tables and processes.
 *
 * THREADS. A VMM belongs to one thread at a time: no two threads may be inside functions on the
 * same VMM, VMMTrace or VMMGenerator at once. Different ones share nothing and may be used from
 * different threads freely. The tables (options, policies, counters, names of errors) are
 * constant and may be read from any thread.
 *
 * DETERMINISM. The same references, configuration and version give the same counters and the
 * same report, byte for byte, on every machine and for every engine; only the fields that
 * measure wall-clock time differ, and VMM_REPORT_NO_TIMING writes 0 there.
 */
#ifndef VMM_SIM_H
#define VMM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "event.h"
#include "stats.h"
#include "trace.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct VMM VMM;

/*
 * Memory for the simulator's own data. zalloc returns zeroed memory; resize keeps the first
 * min(old, new) bytes (what lies beyond is undefined); both may return NULL. All three get `user`.
 * Sizes are those that were asked for before; only after a call has failed with VMM_E_NO_MEMORY may
 * the size of a block that was being resized be told as an earlier one.
 */
typedef struct VMMAllocator {
    void *(*zalloc)(void *user, size_t size);
    void *(*resize)(void *user, void *block, size_t old_size, size_t new_size);
    void (*release)(void *user, void *block, size_t size);
    void *user;
} VMMAllocator;

/*
 * vmm_create() makes a machine, or returns NULL. vmm_create_with() does the same, says why not
 * (VMM_E_CONFIG, VMM_E_USAGE, VMM_E_NO_MEMORY; `error` may be NULL or has VMM_ERROR_TEXT_BYTES)
 * and takes the memory from `allocator` (NULL: the C library). The configuration is copied.
 */
VMM_API VMM *vmm_create(const VMMConfig *config);
VMM_API int vmm_create_with(const VMMConfig *config, const VMMAllocator *allocator, VMM **vmm,
                            char *error);
/* Accepts NULL. */
VMM_API void vmm_destroy(VMM *vmm);

/* ---- One reference -------------------------------------------------------------------------- */

/*
 * One byte at `addr` is read or written by process `pid`; an unknown pid is created. True if the
 * reference succeeded; false if `vmm` is NULL, the reference is invalid, the process was killed for
 * one (VMM_E_INVALID_ADDRESS both) or the machine cannot go on (vmm_last_error() tells which). A
 * reference that the configuration leaves out (refs, max-accesses) is no failure and counts
 * nowhere. One call costs several times what the same reference costs in vmm_feed().
 */
VMM_API bool vmm_access(VMM *vmm, uint32_t pid, uint64_t addr, bool is_write);

/* What a reference met. For one that crosses pages: of its last page. */
typedef struct VMMOutcome {
    uint32_t tlb_hit;
    uint32_t walk_reads;
    VMMFaultClass fault; /* VMM_FAULT_NONE: no fault */
    uint32_t frame;      /* VMM_NO_FRAME: the page is in no frame */
} VMMOutcome;

/* As vmm_access(), and fills *outcome. VMM_OK or a VMMError. */
VMM_API int vmm_access_outcome(VMM *vmm, const VMMRef *ref, VMMOutcome *outcome);

/* ---- Many references: the data plane -------------------------------------------------------- */

/*
 * Simulates `count` references in order. VMM_OK; VMM_E_OUT_OF_MEMORY when swap is full (the
 * machine then stands right after the reference that failed and accepts no more);
 * VMM_E_NEEDS_FUTURE for OPT, UNOPT and VMIN, which only vmm_run() can serve; VMM_E_NO_MEMORY,
 * VMM_E_LIMIT. Invalid references are counted and no errors, unless the option invalid is stop:
 * VMM_E_INVALID_ADDRESS, and the machine accepts no more.
 */
VMM_API int vmm_feed(VMM *vmm, const VMMRef *refs, size_t count);

/* How far a run has come. */
typedef struct VMMProgress {
    uint64_t references;  /* delivered by the trace so far */
    uint64_t bytes_read;  /* of the trace file */
    uint64_t bytes_total; /* 0: not known */
    uint32_t pass;        /* 1, or 2 when the future had to be collected first */
    uint32_t passes;
} VMMProgress;

/*
 * Called now and then and once at the end. Returns 0 to go on, else the run ends with VMM_E_STOPPED
 * and readable statistics.
 */
typedef int VMMProgressCallback(void *user, const VMMProgress *progress);

/*
 * Feeds a whole trace to `count` fresh machines at once: it is decoded once, pages are numbered
 * once, and each machine simulates every batch in turn. The machines must agree in page-size,
 * pt-type's address width, vspace and refs (else VMM_E_CONFIG). A machine that runs out of memory
 * stops alone and is told by its vmm_last_error(); the run then returns VMM_E_OUT_OF_MEMORY at
 * its end. Stops after max-accesses references, and with the option invalid=stop at the first
 * invalid one: VMM_E_INVALID_ADDRESS, and all machines have readable statistics. Events of the
 * trace reach all machines at their place; a handler set by vmm_trace_on_event() is replaced.
 * VMM_E_CONFIG also for what a trace of page runs or a reduced trace cannot answer. `progress` may
 * be NULL. OPT and UNOPT make a first pass over the trace and keep 4 bytes a page reference in an
 * unnamed file in $TMPDIR (VMIN 8), whatever their number. Machines of one run share what they were
 * fed from: they belong to one thread together, and take no more references afterwards.
 */
VMM_API int vmm_run(VMM *const *vmms, size_t count, VMMTrace *trace, VMMProgressCallback *progress,
                    void *user);

/*
 * vmm_run(), and `progress` is called after each `every` references that the machines take too, for
 * time series: the machines can be asked for their statistics then. 0: as vmm_run(). In page runs
 * it is the first end of a stretch behind that. The results are those of vmm_run().
 */
VMM_API int vmm_run_every(VMM *const *vmms, size_t count, VMMTrace *trace, uint64_t every,
                          VMMProgressCallback *progress, void *user);

/* vmm_run() for one machine, without progress. */
VMM_API int vmm_run_trace(VMM *vmm, VMMTrace *trace);

/* ---- Control plane -------------------------------------------------------------------------- */

/* Creates a process before its first reference; succeeds if it exists. */
VMM_API int vmm_add_process(VMM *vmm, uint32_t pid);

/*
 * Applies one event, as the trace of a process would have it: docs/reference/counting.md says what
 * each does to pages; process.h has the same as functions with the checks that a kernel makes.
 * VMM_E_USAGE: unknown type; UNMAP of a range that is misaligned or of an unknown process, EXIT of
 * one. What a killed process does
 * (invalid=kill) is dropped: VMM_OK, and it is counted nowhere; its EXIT makes the number free.
 */
VMM_API int vmm_apply(VMM *vmm, const VMMEvent *event);

/* ---- Results -------------------------------------------------------------------------------- */

/* The code and the sentence of the last failure of this machine; VMM_OK and "" if none. */
VMM_API int vmm_last_error(const VMM *vmm);
VMM_API const char *vmm_error_text(const VMM *vmm);

/* Fills *stats; stats->struct_size must be set by the caller. */
VMM_API int vmm_stats(const VMM *vmm, VMMStats *stats);

/* What is wrong with an invalid reference. */
typedef enum VMMInvalidReason {
    VMM_INVALID_NONE,
    VMM_INVALID_BEYOND,   /* it lies beyond the address space */
    VMM_INVALID_UNMAPPED, /* nothing is mapped there */
    VMM_INVALID_FORBIDDEN /* the protection of its mapping forbids it */
} VMMInvalidReason;

/* Where the mapping that is told of an invalid reference lies. */
typedef enum VMMNearby {
    VMM_NEARBY_NONE, /* the process has no mappings */
    VMM_NEARBY_HERE,
    VMM_NEARBY_BELOW, /* the nearest one; below the address, */
    VMM_NEARBY_ABOVE  /* or above it */
} VMMNearby;

/* An invalid reference, and the mapping nearby as it was then. */
typedef struct VMMInvalid {
    uint32_t struct_size;
    uint32_t reason;  /* a VMMInvalidReason */
    uint64_t index;   /* of the reference among all that came, those left out too, from 1 */
    uint64_t address; /* first byte of it in the page in question; of page runs, of the page */
    uint32_t pid;
    uint32_t op;        /* a VMMOp */
    uint32_t by_kernel; /* 1: on behalf of the process */
    uint32_t nearby;    /* a VMMNearby; what follows is 0 with VMM_NEARBY_NONE */
    uint64_t start;     /* bytes */
    uint64_t end;
    uint64_t offset; /* of start, in the file; bytes */
    uint32_t prot;   /* VMM_PROT_ bits */
    uint32_t flags;  /* VMM_MAP_SHARED, _ANONYMOUS, _GROWSDOWN */
    uint32_t file;   /* number in the trace's table of files; 0: none */
    uint32_t reserved;
    char path[200]; /* of the file, its end if it is longer; "": none, or not known */
} VMMInvalid;

/*
 * The first invalid reference of a machine: VMM_OK and *invalid, whose struct_size must be set, or
 * VMM_E_USAGE if there was none.
 */
VMM_API int vmm_first_invalid(const VMM *vmm, VMMInvalid *invalid);

/*
 * The same as one line without '\n': "reference 17: process 7 writes to 0x4010, which its mapping
 * forbids: 0x4000-0x6000 r--, private, file /lib/x from 0x1000 on". Like snprintf(): the length
 * that the whole line has.
 */
VMM_API int vmm_invalid_text(const VMMInvalid *invalid, char *text, size_t size);

/* Simulated stall time over references, in ns; 0 before the first reference. */
VMM_API double vmm_average_access_time_ns(const VMM *vmm);

/* The processes in the order of their first reference; VMM_E_USAGE past the last. */
VMM_API size_t vmm_process_count(const VMM *vmm);
VMM_API int vmm_process_stats(const VMM *vmm, size_t index, VMMProcessStats *stats);

/* The statistics of process `pid`: VMM_OK, or VMM_E_USAGE if there is no such process. */
VMM_API int vmm_get_process(const VMM *vmm, uint32_t pid, VMMProcessStats *stats);

/*
 * The process that a kernel would kill when swap is full and a written page must leave: of those
 * that have pages the one with the most, in memory, in swap and of page tables, as Linux scores
 * them (oom_badness()); of equals the first. When a group is at its limit and the machine has free
 * frames it is one of the group.
 */
typedef struct VMMOomVictim {
    uint32_t struct_size;
    uint32_t pid;
    uint64_t resident;   /* its pages in memory, */
    uint64_t swapped;    /* those in swap alone, */
    uint64_t page_table; /* and whole pages of its page tables */
} VMMOomVictim;

/* That of the run that ended for that reason; VMM_E_USAGE: none did. Set struct_size. */
VMM_API int vmm_oom_victim(const VMM *vmm, VMMOomVictim *victim);

/* The groups of the option groups, as it names them; VMM_E_USAGE past the last. Set struct_size. */
VMM_API size_t vmm_group_count(const VMM *vmm);
VMM_API int vmm_group_stats(const VMM *vmm, size_t index, VMMGroupStats *stats);

/* The configuration of a machine, with what was derived (frames, initial) filled in. */
VMM_API const VMMConfig *vmm_configuration(const VMM *vmm);

/*
 * Watches every page reference from now on (NULL: stop watching). A watched machine runs in the
 * generic engine; its numbers are the same.
 */
VMM_API void vmm_observe(VMM *vmm, VMMObserver *observer, void *user);

/*
 * The pages in memory, in the order in which the policy would give them up if it knew nothing more,
 * next victim first, where the policy has such an order (else by frame). With several pools (scope
 * = process, limits) one pool after the other; each numbers its frames from 0.
 * Fills up to `capacity` pairs; returns how many there are.
 */
typedef struct VMMResident {
    uint32_t pid;
    uint32_t frame;
    uint64_t vpn;
    uint32_t dirty;
    uint32_t reserved;
} VMMResident;
VMM_API size_t vmm_resident_pages(VMM *vmm, VMMResident *pages, size_t capacity);

/* ---- Tables --------------------------------------------------------------------------------- */

/* What a policy must be told of the references. */
typedef enum VMMPolicyNeeds {
    VMM_NEEDS_NOTHING,         /* faults alone */
    VMM_NEEDS_ACCESSED_BIT,    /* the accessed bits of its frames */
    VMM_NEEDS_EVERY_REFERENCE, /* each reference, in order */
    VMM_NEEDS_FUTURE           /* the references to come */
} VMMPolicyNeeds;

/* "nothing", "accessed bit", "every reference", "the future". */
VMM_API const char *vmm_policy_needs_text(VMMPolicyNeeds needs);

typedef struct VMMPolicyParameter {
    const char *name; /* NULL ends a list */
    uint64_t default_value, min, max;
    const char *help;
    const char *choices; /* words separated by '|', whose places are the values; NULL: a number */
} VMMPolicyParameter;

typedef struct VMMPolicyInfo {
    const char *name;    /* "clock" */
    const char *label;   /* as reports call it: "Clock" */
    const char *summary; /* one line */
    const char *source;  /* paper or book */
    VMMPolicyNeeds needs;
    const VMMPolicyParameter *parameters; /* NULL: none */
    uint32_t variable_space; /* 1: takes as many frames as it wants and gives them up by itself */
    uint32_t reserved;
    const char *alias; /* another name, "2q"; NULL: none */
} VMMPolicyInfo;

/* NULL past the last. */
VMM_API const VMMPolicyInfo *vmm_policy_at(size_t index);

/* The policy of a machine, which may be one that the user wrote; valid as long as the machine. */
VMM_API const VMMPolicyInfo *vmm_policy_of(const VMM *vmm);

typedef struct VMMPageTableInfo {
    const char *name;    /* "FOUR_LEVEL" */
    const char *label;   /* "Four-level" */
    const char *summary; /* one line */
    uint32_t levels;
    uint32_t address_bits; /* of the virtual addresses it translates */
} VMMPageTableInfo;

/* NULL past the last. */
VMM_API const VMMPageTableInfo *vmm_page_table_at(size_t index);

/* "0.1.0", and what the build can do: "zlib lzma zstd xxhash". */
VMM_API const char *vmm_version(void);
VMM_API const char *vmm_build_features(void);

/* Writes the configuration to standard output: the one function of the library that prints. */
VMM_API void vmm_config_print(const VMMConfig *config);

#ifdef __cplusplus
}
#endif

#endif
