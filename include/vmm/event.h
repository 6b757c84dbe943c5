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

/* What can happen to an address space. Values are part of the ABI. */
typedef enum VMMEventType {
    VMM_EVENT_UNMAP = 1, /* pages of [start, start + length) are given up, their content is lost */
    VMM_EVENT_EXIT = 2   /* the process ends: all its pages, slots and page tables are freed */
} VMMEventType;

typedef struct VMMEvent {
    uint32_t struct_size;
    uint32_t type; /* a VMMEventType */
    uint32_t pid;
    uint32_t reserved; /* 0 */
    uint64_t start;    /* bytes; UNMAP: multiple of the page size */
    uint64_t length;   /* bytes; UNMAP: multiple of the page size, not 0 */
} VMMEvent;

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
