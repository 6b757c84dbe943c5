/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the field, as this project uses them, and the two plain types that cross the API.
 *
 *   page      a fixed-size piece of a virtual address space (4 KiB unless configured otherwise)
 *   frame     a piece of physical memory that holds one page
 *   VPN, PFN  virtual page number, physical frame number
 *   PTE       page-table entry: what a page table says of one page
 *   TLB       translation look-aside buffer: a cache of PTEs
 *   page walk the reading of page-table entries after a TLB miss
 *   fault     a walk ended at a PTE that is absent or forbids the access
 *   minor, major fault   handled without, with a read from a device
 *   miss      a page reference whose page is in no frame
 *   slot      a page-sized place on the swap device
 */
#ifndef VMM_TYPES_H
#define VMM_TYPES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a reference does. A read-modify-write is two references, a read and a write. */
typedef enum VMMOp {
    VMM_OP_READ = 0,
    VMM_OP_WRITE = 1,
    VMM_OP_FETCH = 2, /* instruction fetch */
    VMM_OP_COUNT = 3
} VMMOp;

/* One memory reference of a program. 24 bytes, no padding; unused fields are 0. */
typedef struct VMMRef {
    uint64_t addr; /* first byte, virtual */
    uint32_t pid;  /* process, any number; an unknown one is created by its first reference */
    uint32_t size; /* bytes referenced; 0 means 1 */
    uint32_t tid;  /* thread within the process */
    uint16_t core; /* processor core */
    uint8_t op;    /* a VMMOp */
    uint8_t flags; /* VMM_REF_KERNEL or 0 */
} VMMRef;

/*
 * VMMRef.flags: the kernel touched the memory, on behalf of the program (the buffer of a read(2)).
 * Such a reference brings pages in like any other; it counts in kernel_references and not in
 * accesses.
 */
enum { VMM_REF_KERNEL = 1 };

/*
 * A reference in 8 bytes, for recorders: user addresses of 47 bits, sizes up to 2048.
 *
 *     63  61 60 59 58        48   47   46                                   0
 *    |   0  |  op |  size - 1  | kernel |              address               |
 */
typedef uint64_t VMMPackedRef;
#define VMM_PACKED_SIZE_SHIFT 48
#define VMM_PACKED_OP_SHIFT 59
#define VMM_PACKED_KERNEL (UINT64_C(1) << 47)
#define VMM_PACKED_ADDR_MASK ((UINT64_C(1) << 47) - 1)
#define VMM_PACKED_MAX_SIZE 2048u

/* Why a page fault happened; the classes of fault_classes.def. */
typedef enum VMMFaultClass {
#define X(name, major, text) VMM_FAULT_##name,
#include "fault_classes.def"
#undef X
    VMM_FAULT_CLASS_COUNT,
    VMM_FAULT_NONE = VMM_FAULT_CLASS_COUNT
} VMMFaultClass;

#ifdef __cplusplus
}
#endif

#endif
