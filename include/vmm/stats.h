/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine counted. docs/reference/counting.md says exactly when each counter moves.
 */
#ifndef VMM_STATS_H
#define VMM_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All counters of a machine. Set struct_size before a call; the library fills at most that. */
typedef struct VMMStats {
    uint64_t struct_size;
#define X(name, unit, text) uint64_t name;
#include "counters.def"
#undef X
    uint64_t faults[VMM_FAULT_CLASS_COUNT]; /* by VMMFaultClass; they sum to page_faults */
} VMMStats;

/* The counters of one process. */
typedef struct VMMProcessStats {
    uint64_t struct_size;
    uint64_t pid;
    uint64_t accesses, reads, writes, fetches;
    uint64_t page_references, tlb_hits, tlb_misses;
    uint64_t page_faults, major_faults, minor_faults, misses;
    uint64_t page_table_bytes;
    uint64_t kernel_references;
    uint64_t page_table_bytes_peak; /* also of a process that ended */
    /*
     * Memory now, in pages. Resident: what entries of its page table lead to, one for each entry,
     * the shared page of zeros aside; rss = rss_anonymous + rss_file + rss_shared. These are kept;
     * the others below are worked out from all its entries when asked for.
     */
    uint64_t rss, rss_anonymous, rss_file, rss_shared;
    uint64_t rss_peak; /* most at a time, also of a process that ended */
    uint64_t uss;      /* pages whose frame no other entry leads to */
    uint64_t pss;      /* in 2^-32 page: a frame with n entries counts 1/n, rounded down */
    uint64_t swap;     /* pages of it that are in swap and in no frame */
    uint64_t swap_pss; /* in 2^-32 page: such a page with n entries counts 1/n, rounded down */
    uint64_t cow_faults, reuse_faults;
} VMMProcessStats;

/* A group of the option groups. */
typedef struct VMMGroupStats {
    uint64_t struct_size;
    char name[32];
    uint64_t limit;          /* in pages, at most the frames of the machine */
    uint64_t processes;      /* that are in it, ended ones among them */
    uint64_t resident;       /* pages charged to it that are in memory, */
    uint64_t resident_peak;  /* and most of them at a time */
    uint64_t limit_reclaims; /* pages that left because the group was at its limit, */
    uint64_t given_up;       /* and because the memory of the machine was short */
} VMMGroupStats;

/* A counter's name, unit and meaning, for programs that show all of them. */
typedef struct VMMStatInfo {
    const char *name;
    const char *unit;
    const char *help;
    size_t offset; /* of its uint64_t in VMMStats */
} VMMStatInfo;

/* Every counter, then every fault class as "fault_<class>". at() is NULL at and past count(). */
VMM_API size_t vmm_stat_count(void);
VMM_API const VMMStatInfo *vmm_stat_at(size_t index);

/* A fault class's name ("swap_in"), meaning, and whether it is major. NULL, 0 past the last. */
VMM_API const char *vmm_fault_class_name(int fault_class);
VMM_API const char *vmm_fault_class_help(int fault_class);
VMM_API int vmm_fault_class_is_major(int fault_class);

#ifdef __cplusplus
}
#endif

#endif
