/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that live: what system calls do to address spaces, one function for each. They are
 * fronts for vmm_apply(), with the checks that a kernel makes; references go in between them with
 * vmm_feed() or vmm_access().
 *
 *     vmm_map(vmm, 1, 0x10000, 0x10000, VMM_PROT_READ | VMM_PROT_WRITE, 0, NULL, 0);
 *     vmm_access(vmm, 1, 0x10000, true);
 *     vmm_fork(vmm, 1, 2);
 *     vmm_access(vmm, 2, 0x10000, true);    // copies the page
 *     vmm_exit(vmm, 2);
 *
 * Addresses, lengths and offsets are bytes and multiples of the page size; ranges are not empty and
 * lie inside the address space. A process is made by vmm_map(), vmm_attach_shared(), vmm_fork(),
 * vmm_add_process() or its first reference.
 *
 * All return VMM_OK; VMM_E_USAGE (a range, a protection or a name that is none, NULL for `vmm`, a
 * process that there is not, has ended or was killed, and what is said below), and then nothing has
 * changed; VMM_E_NO_MEMORY and VMM_E_LIMIT, and then the machine cannot go on. vmm_error_text()
 * says it in words. Texts are copied, and not empty. A process that was killed can still
 * vmm_exit(), which makes its number free.
 *
 * Where references may go is looked at only by machines with the option mappings=complete: others
 * take an address outside of all mappings for anonymous memory. So only the former refuse to
 * protect, to advise on and to move what is not mapped, wholly or in part, and to move what is not
 * one mapping; as the kernel does (ENOMEM, EFAULT), but before anything has changed.
 */
#ifndef VMM_PROCESS_H
#define VMM_PROCESS_H

#include <stdint.h>

#include "error.h"
#include "event.h"
#include "sim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Advice of madvise(2), with the numbers of Linux. The others change no memory, but are counted. */
enum {
    VMM_ADVICE_NORMAL = 0,
    VMM_ADVICE_RANDOM = 1,
    VMM_ADVICE_SEQUENTIAL = 2,
    VMM_ADVICE_WILLNEED = 3,
    VMM_ADVICE_DONTNEED = 4,    /* pages are given up; private content is lost */
    VMM_ADVICE_FREE = 8,        /* private content may be lost instead of written to swap */
    VMM_ADVICE_DONTFORK = 10,   /* children of vmm_fork() do not get what is mapped there, until */
    VMM_ADVICE_DOFORK = 11,     /* this; */
    VMM_ADVICE_WIPEONFORK = 18, /* or they and theirs get it with zeros, until */
    VMM_ADVICE_KEEPONFORK = 19  /* this */
};

/*
 * `child` gets a copy of the address space of `parent`: private pages are shared until one of the
 * two writes. What another process of the number `child` had is given up first. VMM_E_USAGE: the
 * two are the same.
 */
VMM_API int vmm_fork(VMM *vmm, uint32_t parent, uint32_t child);

/* `child` runs in the address space of `parent` itself, until vmm_exec() or vmm_exit(). */
VMM_API int vmm_vfork(VMM *vmm, uint32_t parent, uint32_t child);

/* The process gives up its address space and goes on with an empty one. */
VMM_API int vmm_exec(VMM *vmm, uint32_t pid);

/* The process ends and gives up its address space. */
VMM_API int vmm_exit(VMM *vmm, uint32_t pid);

/*
 * Maps [address, address + length) with VMM_PROT_ bits, in place of what was there. `file` names
 * what it shows, from `offset` on; the same name is the same file to all processes of a machine;
 * NULL is anonymous memory, and `offset` is 0. `flags`: VMM_MAP_SHARED, else private; or
 * VMM_MAP_GROWSDOWN for a stack; with these VMM_MAP_LOCKED, as by vmm_lock(); 0. Anonymous shared
 * memory is shared with children of fork.
 * VMM_E_USAGE: VMM_MAP_SHARED with _GROWSDOWN, or more of a file than its first 2^63 bytes.
 */
VMM_API int vmm_map(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint32_t prot,
                    uint32_t flags, const char *file, uint64_t offset);

/* What is mapped there, wholly or in part, is not any more. */
VMM_API int vmm_unmap(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length);

/* What is mapped there may be used as `prot` says. */
VMM_API int vmm_protect(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint32_t prot);

/*
 * A mapping moves to `target`, where it has `new_length` bytes. `target` may be `address` itself;
 * else VMM_E_USAGE: the two ranges overlap.
 */
VMM_API int vmm_remap(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint64_t target,
                      uint64_t new_length);

/*
 * One of VMM_ADVICE_, or any other number that Linux has; else VMM_E_USAGE, and so are
 * VMM_ADVICE_WIPEONFORK and VMM_ADVICE_FREE of what is mapped there and is shared or a file.
 */
VMM_API int vmm_advise(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint32_t advice);

/*
 * Locks what is mapped there: mlock(2). Its pages come into memory at once, touched by the kernel,
 * and stay until they are unlocked or unmapped; children of fork do not have the lock. As long as
 * any process has a page locked, it stays.
 */
VMM_API int vmm_lock(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length);
VMM_API int vmm_unlock(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length);

/*
 * Makes a segment of shared memory of `size` bytes, which holds zeros. It is destroyed, and its
 * pages with it, when it was attached and the last process has left it (by vmm_detach_shared(),
 * vmm_unmap(), vmm_exec() or vmm_exit()); the name is free again then. VMM_E_USAGE: there is one of
 * this name.
 */
VMM_API int vmm_create_shared(VMM *vmm, const char *name, uint64_t size);

/*
 * Maps a whole segment at an address of the process's choice. Processes may have it at different
 * ones, and with different protections. VMM_E_USAGE: there is no segment of this name.
 */
VMM_API int vmm_attach_shared(VMM *vmm, uint32_t pid, const char *name, uint64_t address,
                              uint32_t prot);

/* Takes the segment away that was attached at the address. VMM_E_USAGE: there is none. */
VMM_API int vmm_detach_shared(VMM *vmm, uint32_t pid, uint64_t address);

#ifdef __cplusplus
}
#endif

#endif
