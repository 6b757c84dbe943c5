/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What system calls mean for a trace: mappings and processes that they make and end, and when other
 * processes may learn of what this one did.
 */
#include "recorder.h"

enum {
    SYSCALLS_CLONE_VM = 0x100,
    SYSCALLS_CLONE_FS = 0x200,
    SYSCALLS_CLONE_FILES = 0x400,
    SYSCALLS_CLONE_VFORK = 0x4000,
    SYSCALLS_CLONE_THREAD = 0x10000,
    SYSCALLS_MREMAP_DONTUNMAP = 4,
    SYSCALLS_MCL_CURRENT = 1,
    SYSCALLS_FUTEX_COMMAND = 127,
    SYSCALLS_FUTEX_WAKE = 1,
    SYSCALLS_PKEY_MPROTECT = 329,
    SYSCALLS_RSEQ = 334,
    SYSCALLS_MLOCK2 = 325,
    SYSCALLS_EXECVEAT = 322,
    SYSCALLS_GETRANDOM = 318,
    SYSCALLS_CLONE3 = 435
};

/*
 * May another process learn by this call of what was done before it, or may it wait? All calls but
 * those that certainly do neither: reading about oneself, one's memory, and the file system. What
 * is not known here publishes, which costs a little time and is always right.
 */
static Bool syscalls_publishes(UInt number, const UWord *args) {
    switch (number) {
    case __NR_stat:
    case __NR_fstat:
    case __NR_lstat:
    case __NR_newfstatat:
    case __NR_access:
    case __NR_faccessat:
    case __NR_readlink:
    case __NR_readlinkat:
    case __NR_getdents64:
    case __NR_getcwd:
    case __NR_lseek:
    case __NR_mmap:
    case __NR_munmap:
    case __NR_mprotect:
    case SYSCALLS_PKEY_MPROTECT:
    case __NR_mremap:
    case __NR_madvise:
    case __NR_mincore:
    case __NR_mlock:
    case SYSCALLS_MLOCK2:
    case __NR_munlock:
    case __NR_brk:
    case __NR_arch_prctl:
    case __NR_prlimit64:
    case __NR_getrlimit:
    case __NR_getrusage:
    case __NR_set_tid_address:
    case __NR_set_robust_list:
    case SYSCALLS_RSEQ:
    case SYSCALLS_GETRANDOM:
    case __NR_rt_sigaction:
    case __NR_rt_sigprocmask:
    case __NR_rt_sigreturn:
    case __NR_sigaltstack:
    case __NR_getpid:
    case __NR_getppid:
    case __NR_gettid:
    case __NR_getuid:
    case __NR_geteuid:
    case __NR_getgid:
    case __NR_getegid:
    case __NR_getpgrp:
    case __NR_getpgid:
    case __NR_getsid:
    case __NR_uname:
    case __NR_sysinfo:
    case __NR_time:
    case __NR_times:
    case __NR_gettimeofday:
    case __NR_clock_gettime:
    case __NR_clock_getres:
    case __NR_sched_getaffinity:
    case __NR_getcpu:
    case __NR_dup:
    case __NR_dup2:
    case __NR_dup3:
        return False;
    case __NR_futex:
        return ((UInt)args[1] & SYSCALLS_FUTEX_COMMAND) != SYSCALLS_FUTEX_WAKE ||
               ((UInt)args[1] & VKI_FUTEX_PRIVATE_FLAG) == 0;
    default:
        return True;
    }
}

/* ---- Before ------------------------------------------------------------------------------- */

/* What shmdt(2) gives up is known only before it. One thread at a time is in there. */
static SizeT syscalls_detached;

static SizeT syscalls_length_at(Addr start) {
    const NSegment *segment = VG_(am_find_nsegment)(start);
    return segment != NULL && segment->kind == SkShmC ? segment->end + 1 - segment->start : 0;
}

static void syscalls_before_exec(ThreadId tid, Addr path, Addr argv, Addr envp) {
    recorder_touch_exec(tid, path, argv, envp);
    recorder_keep_exec(path, argv);
    channel_publish(&recorder_producer);
}

/* What clone(2) makes, for Valgrind: by these flags alone. */
typedef enum SyscallsClone {
    SYSCALLS_FORKS,
    SYSCALLS_MAKES_A_THREAD,
    SYSCALLS_REFUSES
} SyscallsClone;

static SyscallsClone syscalls_clone_of(UWord flags) {
    switch (flags &
            (SYSCALLS_CLONE_VM | SYSCALLS_CLONE_FS | SYSCALLS_CLONE_FILES | SYSCALLS_CLONE_VFORK)) {
    case 0:
    case SYSCALLS_CLONE_VM | SYSCALLS_CLONE_VFORK:
        return SYSCALLS_FORKS;
    case SYSCALLS_CLONE_VM | SYSCALLS_CLONE_FS | SYSCALLS_CLONE_FILES:
        return SYSCALLS_MAKES_A_THREAD;
    default:
        return SYSCALLS_REFUSES;
    }
}

/* Valgrind ends the process at a call that it refuses, and tells nobody. */
static void syscalls_end_at_clone(void) {
    __atomic_add_fetch(&recorder_producer.channel->refused_clones, 1, __ATOMIC_SEQ_CST);
    recorder_exits_all(1);
    recorder_finish();
}

static Bool syscalls_clone3_sleeps(Addr arguments) {
    return VG_(am_is_valid_for_client)(arguments, sizeof(ULong), VKI_PROT_READ) &&
           (*(const ULong *)arguments & SYSCALLS_CLONE_VFORK) != 0;
}

void recorder_before_syscall(ThreadId tid, UInt number, UWord *args, UInt count) {
    Bool is_exec = number == __NR_execve || number == SYSCALLS_EXECVEAT;
    /* For msync(2) nobody reads the range: it names pages. */
    recorder_touches_begin(tid, is_exec || number == __NR_msync,
                           number == __NR_recvfrom ? args[1] : 0);
    switch (number) {
    case __NR_execve:
        syscalls_before_exec(tid, args[0], args[1], args[2]);
        return;
    case SYSCALLS_EXECVEAT:
        syscalls_before_exec(tid, args[1], args[2], args[3]);
        return;
    case __NR_exit:
        recorder_exits((Int)args[0]);
        return;
    case __NR_exit_group:
        recorder_exits_all((Int)args[0]);
        return;
    case __NR_shmdt:
        syscalls_detached = syscalls_length_at(args[0]);
        break;
    case __NR_fork:
    case __NR_vfork: /* which Valgrind makes a fork */
        recorder_fork_begins(False);
        break;
    case __NR_clone:
        if (syscalls_clone_of(args[0]) == SYSCALLS_REFUSES) {
            syscalls_end_at_clone();
            return;
        }
        recorder_fork_begins((args[0] & SYSCALLS_CLONE_VFORK) != 0); /* which Valgrind keeps */
        break;
    case SYSCALLS_CLONE3:
        recorder_fork_begins(syscalls_clone3_sleeps(args[0]));
        break;
    default:
        break;
    }
    if (!recorder_is_alone() && syscalls_publishes(number, args)) {
        channel_publish(&recorder_producer);
    }
}

/* ---- After -------------------------------------------------------------------------------- */

static UInt syscalls_prot(UWord prot) {
    return ((prot & VKI_PROT_READ) ? RECORD_PROT_READ : 0u) |
           ((prot & VKI_PROT_WRITE) ? RECORD_PROT_WRITE : 0u) |
           ((prot & VKI_PROT_EXEC) ? RECORD_PROT_EXEC : 0u);
}

static UInt syscalls_map_flags(UWord flags) {
    static const struct {
        UWord ours;
        UInt told;
    } names[] = {
        {0x1, RECORD_MAP_SHARED},      {0x10, RECORD_MAP_FIXED},
        {0x20, RECORD_MAP_ANONYMOUS},  {0x100, RECORD_MAP_GROWSDOWN},
        {0x2000, RECORD_MAP_LOCKED},   {0x4000, RECORD_MAP_NORESERVE},
        {0x8000, RECORD_MAP_POPULATE}, {0x40000, RECORD_MAP_HUGETLB},
        {0x100000, RECORD_MAP_FIXED},
    };
    UInt told = 0;
    for (UInt i = 0; i < sizeof names / sizeof names[0]; i++) {
        told |= (flags & names[i].ours) ? names[i].told : 0u;
    }
    return told;
}

/* A size of 0 maps shared pages a second time. */
static void syscalls_after_mremap(const UWord *args, Addr target) {
    recorder_tell_remap(args[0], args[1], target, args[2]);
    if (args[3] & SYSCALLS_MREMAP_DONTUNMAP) {
        recorder_tell_mmap(args[0], args[1], RECORD_PROT_READ | RECORD_PROT_WRITE,
                           RECORD_MAP_ANONYMOUS, 0);
    }
}

static void syscalls_after_clone(ThreadId tid, UWord flags, UWord child) {
    if (child == 0) {
        return; /* this is the child */
    }
    if ((flags & SYSCALLS_CLONE_THREAD) || syscalls_clone_of(flags) == SYSCALLS_MAKES_A_THREAD) {
        recorder_tell(RECORD_EVENT_THREAD_START, 0, 0, child);
    } else {
        recorder_after_fork(tid, (UInt)child, (flags & SYSCALLS_CLONE_VFORK) != 0);
    }
}

/* Long: one case for each call. */
static void syscalls_after_success(ThreadId tid, UInt number, const UWord *args, UWord result) {
    switch (number) {
    case __NR_mmap:
        recorder_tell_mmap(result, args[1], syscalls_prot(args[2]), syscalls_map_flags(args[3]),
                           args[5]);
        break;
    case __NR_munmap:
        recorder_tell(RECORD_EVENT_UNMAP, args[0],
                      (args[1] + CHANNEL_PAGE - 1) / CHANNEL_PAGE * CHANNEL_PAGE, 0);
        break;
    case __NR_mprotect:
    case SYSCALLS_PKEY_MPROTECT:
        recorder_tell_protect(args[0], args[1], syscalls_prot(args[2]));
        break;
    case __NR_brk:
        recorder_tell_brk(result);
        break;
    case __NR_mremap:
        syscalls_after_mremap(args, result);
        break;
    case __NR_madvise:
        recorder_tell(RECORD_EVENT_ADVISE, args[0], args[1], args[2]);
        break;
    case __NR_mlock:
    case SYSCALLS_MLOCK2:
        recorder_tell(RECORD_EVENT_LOCK, args[0], args[1], 0);
        break;
    case __NR_munlock:
        recorder_tell(RECORD_EVENT_UNLOCK, args[0], args[1], 0);
        break;
    case __NR_mlockall:
        if (args[0] & SYSCALLS_MCL_CURRENT) {
            recorder_tell_mlockall();
        }
        break;
    case __NR_shmat:
        recorder_tell_shmat((Int)args[0], result, (args[2] & VKI_SHM_RDONLY) != 0);
        break;
    case __NR_shmdt:
        if (syscalls_detached > 0) {
            recorder_tell_shmdt(args[0], syscalls_detached);
        }
        break;
    case __NR_fork:
        syscalls_after_clone(tid, 0, result);
        break;
    case __NR_vfork:
        syscalls_after_clone(tid, SYSCALLS_CLONE_VFORK, result);
        break;
    case __NR_clone:
        syscalls_after_clone(tid, args[0], result);
        break;
    case SYSCALLS_CLONE3:
        syscalls_after_clone(tid, *(const ULong *)args[0], result);
        break;
    default:
        break;
    }
}

/* A call that takes bytes from a buffer has read only as many as it says. */
static void syscalls_limit_reads(ThreadId tid, UInt number, const UWord *args, SizeT taken) {
    switch (number) {
    case __NR_write:
    case __NR_pwrite64:
        recorder_touches_limit(tid, 0, taken);
        break;
    case __NR_sendto:
        recorder_touches_limit(tid, args[4], taken);
        break;
    case __NR_sendmsg:
        recorder_touches_limit_message(tid, args[1], taken);
        break;
    case __NR_writev:
    case __NR_pwritev:
        recorder_touches_limit(tid, args[1], taken);
        break;
    default:
        break;
    }
}

void recorder_after_syscall(ThreadId tid, UInt number, UWord *args, UInt count, SysRes result) {
    Bool failed = sr_isError(result);
    UWord value = failed ? 0 : sr_Res(result);
    if (failed && number == __NR_mremap && args[1] == 0) {
        failed = !recorder_map_again(tid, args, &value);
    }
    syscalls_limit_reads(tid, number, args, value);
    if (number == __NR_recvfrom && !failed) { /* Valgrind takes it for the whole buffer */
        recorder_touch_received(tid, value < args[2] ? value : args[2]);
    }
    recorder_touches_end(tid);
    if (number == __NR_execve || number == SYSCALLS_EXECVEAT) {
        recorder_slot.exec_name[0] = '\0'; /* this program goes on */
    }
    if (!failed) {
        recorder_use_thread(tid);
        syscalls_after_success(tid, number, args, value);
    }
}
