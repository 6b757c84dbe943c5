/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmmrec: a Valgrind tool that puts every memory reference of a program, and everything that
 * happens to its address space, into the channel of `vmm record`.
 *
 *     tool.c        registration, requests of the program
 *     arguments.c   arguments and environment of a program, as they were meant
 *     instrument.c  loads, stores and fetches, as code inside of the translated program
 *     syscalls.c    what system calls mean: mappings, processes, threads, what must be published
 *     touches.c     what the kernel reads and writes on the program's behalf
 *     mappings.c    mappings as events, with their files
 *     again.c       shared memory mapped a second time by mremap(2), which Valgrind refuses
 *     process.c     this process in the channel: attaching, fork, its end
 *
 * Valgrind runs one thread at a time, so nothing here needs a lock; and there is no C library: only
 * what the pub_tool headers offer, and plain system calls.
 */
#ifndef VMM_RECORDER_RECORDER_H
#define VMM_RECORDER_RECORDER_H

#include "pub_tool_basics.h"

#include "pub_tool_aspacemgr.h"
#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcfile.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_machine.h"
#include "pub_tool_options.h"
#include "pub_tool_threadstate.h"
#include "pub_tool_tooliface.h"
#include "pub_tool_vki.h"
#include "pub_tool_vkiscnums.h"

/* A system call; a result of -4095 to -1 is an error. */
static inline Long recorder_syscall6(Long number, ULong a, ULong b, ULong c, ULong d, ULong e,
                                     ULong f) {
    Long result;
    register ULong fourth __asm__("r10") = d;
    register ULong fifth __asm__("r8") = e;
    register ULong sixth __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}

static inline Long recorder_syscall(Long number, ULong a, ULong b, ULong c, ULong d, ULong e) {
    return recorder_syscall6(number, a, b, c, d, e, 0);
}

#include "channel.h"

static inline void channel_futex_wait(uint32_t *word, uint32_t value) {
    struct vki_timespec time = {CHANNEL_WAIT_MS / 1000, CHANNEL_WAIT_MS % 1000 * 1000000L};
    recorder_syscall(__NR_futex, (ULong)word, VKI_FUTEX_WAIT, value, (ULong)&time, 0);
}

static inline void channel_futex_wake(uint32_t *word, int count) {
    recorder_syscall(__NR_futex, (ULong)word, VKI_FUTEX_WAKE, (ULong)count, 0, 0);
}

static inline uint64_t channel_now(void) {
    struct vki_timespec now = {0, 0};
    recorder_syscall(__NR_clock_gettime, VKI_CLOCK_MONOTONIC, (ULong)&now, 0, 0, 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* process.c: is there a process of this number, or can that not be known here? */
Bool recorder_sees(UInt pid);

static inline int channel_process_exists(uint32_t pid) {
    return recorder_sees(pid);
}

/* Numbers of include/vmm/event.h; `vmm record` checks at compile time that they agree. */
#include "events.h"

/* ---- process.c ---------------------------------------------------------------------------- */

/* The page with the cursor: the process's slot is mapped over it. */
extern ChannelSlot recorder_slot;
extern ChannelProducer recorder_producer;

/* Maps the channel and takes a slot; ends the process with a message if that fails. */
void recorder_attach(const HChar *channel_path);

/* The cursor is beyond the limit; called from translated code. */
void recorder_flush(void);

/* What follows is of this thread, a number of Valgrind's. */
void recorder_use_thread(ThreadId tid);
void recorder_thread_begins(ThreadId tid);
void recorder_thread_ends(ThreadId tid);

/* Nothing that follows was recorded so far; may another process learn of what was? */
Bool recorder_is_alone(void);

/* A system call that may make a process begins. `sleeps`: the parent, until the child calls exec.
 */
void recorder_fork_begins(Bool sleeps);
void recorder_before_fork(ThreadId tid);
void recorder_in_child(ThreadId tid);
/* In the parent: the child has this pid. `vfork`: made by vfork(2). */
void recorder_after_fork(ThreadId tid, UInt child_pid, Bool vfork);

/* exit(2) of a thread, and exit_group(2), are about to happen. */
void recorder_exits(Int status);
void recorder_exits_all(Int status);
/* The program is over; if it did not exit, a signal ends it and recorder_killed() tells which. */
void recorder_finish(void);

/* ---- arguments.c -------------------------------------------------------------------------- */

/* Exec begins: keeps for the new program what Valgrind would not tell it. */
void recorder_keep_exec(Addr path, Addr argv);
/* Before the first instruction: puts arguments and environment back to what they should be. */
void recorder_restore_arguments(ThreadId tid);

/* ---- mappings.c --------------------------------------------------------------------------- */

/* The image, all mappings that exec made, and the stack that the kernel wrote. */
void recorder_tell_image(ThreadId tid);
void recorder_tell_initial_stack(ThreadId tid);
/* The path of the executable, as it was when this image was told; empty if it is not known. */
void recorder_executable(HChar *path, SizeT room);

void recorder_tell(UInt type, Addr start, SizeT length, ULong value);
void recorder_tell_mmap(Addr start, SizeT length, UInt prot, UInt flags, ULong offset);
void recorder_tell_protect(Addr start, SizeT length, UInt prot);
void recorder_tell_remap(Addr from, SizeT length, Addr to, SizeT new_length);
void recorder_tell_brk(Addr end);
void recorder_tell_shmat(Int id, Addr start, Bool read_only);
void recorder_tell_shmdt(Addr start, SizeT length);
void recorder_tell_mlockall(void);

/* ---- again.c ------------------------------------------------------------------------------ */

/*
 * After Valgrind refused it: mremap(2) of 0 bytes. The program gets the result; if it is not an
 * error, so does the caller.
 */
Bool recorder_map_again(ThreadId tid, const UWord *args, UWord *result);

/* ---- touches.c ---------------------------------------------------------------------------- */

void recorder_register_touches(void);
/* Bytes of a string of the program with its 0, as far as its memory goes. */
SizeT recorder_string_length(Addr start);
/*
 * A system call of the thread begins, whose reads are not to be taken from Valgrind; or it writes
 * to the buffer at `received` as many bytes as recorder_touch_received() will say.
 */
void recorder_touches_begin(ThreadId tid, Bool no_reads, Addr received);
void recorder_touch_received(ThreadId tid, SizeT length);
/* Only so many bytes were read, but for what is at `header`. */
void recorder_touches_limit(ThreadId tid, Addr header, SizeT transferred);
/* The same of a message (struct msghdr): of its name, vector and control all was read. */
void recorder_touches_limit_message(ThreadId tid, Addr message, SizeT transferred);
void recorder_touches_end(ThreadId tid);
/* Strings and vectors that execve(2) reads: there is no chance afterwards. */
void recorder_touch_exec(ThreadId tid, Addr path, Addr argv, Addr envp);

/* ---- syscalls.c, instrument.c ------------------------------------------------------------- */

void recorder_before_syscall(ThreadId tid, UInt number, UWord *args, UInt count);
void recorder_after_syscall(ThreadId tid, UInt number, UWord *args, UInt count, SysRes result);

IRSB *recorder_instrument(VgCallbackClosure *closure, IRSB *block, const VexGuestLayout *layout,
                          const VexGuestExtents *extents, const VexArchInfo *arch,
                          IRType guest_word, IRType host_word);

#endif
