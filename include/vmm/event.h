/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: the control plane of a machine (what happens to address spaces between references) and
 * what an observer is told of each page reference.
 */
#ifndef VMM_EVENT_H
#define VMM_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What can happen to an address space; the list of events.def. */
typedef enum VMMEventType {
#define X(name, value, text, meaning) VMM_EVENT_##name = value,
#include "events.def"
#undef X
} VMMEventType;

/* VMMEvent.prot */
enum { VMM_PROT_READ = 1, VMM_PROT_WRITE = 2, VMM_PROT_EXEC = 4 };

/* VMMEvent.flags of MAP and UNMAP, and of FORK. */
enum {
    VMM_MAP_SHARED = 1,      /* else private */
    VMM_MAP_ANONYMOUS = 2,   /* no file */
    VMM_MAP_FIXED = 4,       /* replaces what was mapped there */
    VMM_MAP_STACK = 8,       /* the stack of the first thread */
    VMM_MAP_HEAP = 16,       /* the area of brk(2) */
    VMM_MAP_AT_START = 32,   /* made by exec, before the program's first instruction */
    VMM_MAP_GROWSDOWN = 64,  /* grows down on faults, as a stack does */
    VMM_MAP_HUGETLB = 128,   /* asked for huge pages */
    VMM_MAP_POPULATE = 256,  /* asked for all pages at once */
    VMM_MAP_NORESERVE = 512, /* asked for no reservation of swap */
    VMM_MAP_LOCKED = 1024,   /* asked for pages that stay in memory */
    VMM_MAP_SYSV = 2048,     /* a System V segment: `file` has the path "/SYSVkey", inode the id */
    VMM_FORK_VFORK = 4096    /* FORK: vfork(2) */
};

/* One event. Fields that its type does not name are 0. */
typedef struct VMMEvent {
    uint32_t struct_size;
    uint32_t type; /* a VMMEventType */
    uint32_t pid;
    uint32_t tid;
    uint64_t start;   /* bytes; UNMAP: multiple of the page size */
    uint64_t length;  /* bytes; UNMAP: multiple of the page size, not 0 */
    uint64_t target;  /* bytes */
    uint64_t value;   /* see events.def */
    uint64_t offset;  /* bytes, into the file */
    uint64_t time_ns; /* CLOCK_MONOTONIC of the recording machine; 0: not known */
    uint32_t prot;
    uint32_t flags;
    uint32_t file; /* number in the trace's table of files; 0: none */
    uint32_t reserved;
} VMMEvent;

/* "unmap", ...; NULL: there is no such type. */
VMM_API const char *vmm_event_name(uint32_t type);

/*
 * A file that mappings refer to. Two with the same device and inode, neither of them 0, are one
 * file whatever its path: it may be renamed or unlinked while it is mapped. Else the path tells,
 * too.
 */
typedef struct VMMTraceFile {
    uint64_t device;
    uint64_t inode;
    const char *path; /* as it was when it was first mapped */
} VMMTraceFile;

/*
 * The event as one line without '\n', which native text holds behind an '@':
 * "map 12/1 start=0x4000 length=0x2000 prot=rw- flags=anonymous". `file` is what event->file stands
 * for, NULL if it has none or it is not known. Like snprintf(): the length that the whole line has.
 */
VMM_API int vmm_event_text(const VMMEvent *event, const VMMTraceFile *file, char *text,
                           size_t size);

/* One evicted page. */
typedef struct VMMEviction {
    uint32_t pid;
    uint32_t frame;
    uint64_t vpn;
    uint64_t swap_slot; /* where it was written; VMM_NO_SLOT if it was dropped */
    uint32_t dirty;     /* 1: it was written to swap */
    char why[100];      /* the policy's reason: "least recently used: last reference 812" */
} VMMEviction;

#define VMM_NO_SLOT UINT64_MAX
#define VMM_NO_FRAME UINT32_MAX

/* One page reference, as it went through the machine. Pointers are valid during the call. */
typedef struct VMMStep {
    uint64_t index;          /* of the reference among those simulated, from 1 */
    VMMRef ref;              /* the reference; a crossing one gives a step for each page */
    uint64_t vpn;            /* the page of this step */
    uint32_t tlb_hit;        /* 1: translation found in the TLB */
    uint32_t walk_reads;     /* page-table entries read, 0 after a hit */
    VMMFaultClass fault;     /* VMM_FAULT_NONE: no fault */
    uint32_t frame;          /* where the page is now; VMM_NO_FRAME: nowhere */
    uint32_t used_frames;    /* frames that hold a page after the step */
    uint32_t eviction_count; /* pages evicted in this step that are told: the first 17 */
    const VMMEviction *evictions;
} VMMStep;

/* Called after each page reference. Must not call functions that change the machine. */
typedef void VMMObserver(void *user, const VMMStep *step);

#ifdef __cplusplus
}
#endif

#endif
