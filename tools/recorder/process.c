/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This process in the channel: attaching, its threads, fork, and its end.
 *
 * The cursor is at a fixed address, in recorder_slot; the process's page of the channel is mapped
 * over it. After a fork the child maps its own page over the same place, and the translated code,
 * which both share, needs no change. Where the channel cannot be had (a program in a jail without
 * /proc), the program runs unrecorded on a channel of its own that wants nothing.
 */
#include "recorder.h"

enum { PROCESS_THREADS_MAX = 4096 };

ChannelSlot recorder_slot CHANNEL_ALIGNED(CHANNEL_PAGE);
ChannelProducer recorder_producer;

static uint64_t process_scratch[CHANNEL_SCRATCH];
static UInt process_threads[PROCESS_THREADS_MAX]; /* their numbers of the system, 0: not known */
static UInt process_live_threads;
static Int process_child_slot = -1; /* reserved for the next fork */
static UInt process_parent;         /* whose child this is, */
static UInt process_parent_tid;     /* of which thread, */
static Bool process_parent_sleeps;  /* until the child ends or calls exec, */
static Bool process_child_tells;    /* so that the child tells of the fork */
static Bool process_alone;          /* on a channel of its own */
static Bool process_exiting;
static Int process_status;

/* Of Valgrind, for the inside of it: a copy of a descriptor where no program looks. */
extern Int vgPlain_safe_fd(Int fd);

/* ---- Numbers ------------------------------------------------------------------------------ */

/*
 * The number of this process outside of all pid namespaces, as far as its /proc is of outside: by
 * it the recorder knows who lives.
 */
static UInt process_own_pid(void) {
    HChar text[32];
    SSizeT length = VG_(readlink)("/proc/self", text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    Long pid = VG_(strtoll10)(text, NULL);
    return pid > 0 ? (UInt)pid : (UInt)VG_(getpid)();
}

static Bool process_is_inside(void) {
    return recorder_producer.pid != (UInt)VG_(getpid)();
}

Bool recorder_sees(UInt pid) {
    HChar folder[32];
    if (!process_is_inside()) {
        return recorder_syscall(__NR_kill, pid, 0, 0, 0, 0) != -VKI_ESRCH;
    }
    VG_(sprintf)(folder, "/proc/%u", pid);
    return process_own_pid() != recorder_producer.pid || /* /proc is another one now */
           recorder_syscall(__NR_access, (ULong)folder, 0, 0, 0, 0) == 0;
}

static UInt process_own_tid(void) {
    Int tid = VG_(gettid)();
    return tid == VG_(getpid)() ? recorder_producer.pid : (UInt)tid;
}

/* ---- The channel -------------------------------------------------------------------------- */

/* Maps a file (-1: fresh memory) over what is at `place`. */
static Bool process_map_over(void *place, SizeT length, UInt flags, Int fd) {
    return recorder_syscall6(__NR_mmap, (ULong)place, length, VKI_PROT_READ | VKI_PROT_WRITE,
                             flags | VKI_MAP_FIXED, (ULong)fd, 0) == (Long)place;
}

static Channel *process_map_channel(const HChar *path) {
    SysRes opened = VG_(open)(path, VKI_O_RDWR, 0);
    if (sr_isError(opened)) {
        return NULL;
    }
    Int fd = (Int)sr_Res(opened);
    /* Valgrind finds a place and knows that it is taken. */
    Channel *place = VG_(am_shadow_alloc)(sizeof(Channel));
    Bool mapped = place != NULL && process_map_over(place, sizeof(Channel), VKI_MAP_SHARED, fd);
    VG_(close)(fd);
    return mapped && place->magic == CHANNEL_MAGIC && place->version == CHANNEL_VERSION ? place
                                                                                        : NULL;
}

static void process_use_slot(Int number) {
    ULong page = (ULong)&recorder_producer.channel->slots[number];
    /* A size of 0 maps the same pages a second time. */
    Long mapped = recorder_syscall(__NR_mremap, page, 0, CHANNEL_PAGE,
                                   VKI_MREMAP_MAYMOVE | VKI_MREMAP_FIXED, (ULong)&recorder_slot);
    tl_assert(mapped == (Long)&recorder_slot);
    recorder_producer.slot_number = number;
}

/* Nothing of this process is recorded any more. */
static void process_go_alone(void) {
    if (process_alone) {
        return;
    }
    process_alone = True;
    Channel *channel = VG_(am_shadow_alloc)(sizeof(Channel));
    tl_assert(channel != NULL);
    channel->discard = 1;
    channel->fetches = recorder_producer.channel == NULL ? 0 : recorder_producer.channel->fetches;
    recorder_producer.channel = channel;
    recorder_producer.slot_number = 0;
    tl_assert(
        process_map_over(&recorder_slot, CHANNEL_PAGE, VKI_MAP_PRIVATE | VKI_MAP_ANONYMOUS, -1));
    channel_let_go(&recorder_producer);
}

void recorder_attach(const HChar *channel_path) {
    UInt pid = process_own_pid();
    recorder_producer.slot = &recorder_slot;
    recorder_producer.pid = pid;
    recorder_producer.tid = pid;
    recorder_producer.scratch = process_scratch;
    Channel *channel = channel_path == NULL ? NULL : process_map_channel(channel_path);
    recorder_producer.channel = channel;
    Int slot = -1;
    if (channel != NULL) {
        slot = channel_slot_of(channel, pid);
        if (slot < 0) {
            slot = channel_slot_take(channel, CHANNEL_OWNER_RUNS, pid, pid);
        }
    }
    if (slot < 0) {
        if (channel != NULL) {
            __atomic_add_fetch(&channel->unrecorded, 1, __ATOMIC_RELAXED);
        }
        process_go_alone();
        return;
    }
    process_use_slot(slot);
    channel_let_go(&recorder_producer);
}

void recorder_flush(void) {
    channel_flush(&recorder_producer);
}

Bool recorder_is_alone(void) {
    return __atomic_load_n(&recorder_producer.channel->births, __ATOMIC_SEQ_CST) == 1;
}

/* ---- Threads ------------------------------------------------------------------------------ */

void recorder_use_thread(ThreadId tid) {
    UInt number = tid;
    if (tid < PROCESS_THREADS_MAX) {
        if (process_threads[tid] == 0) {
            process_threads[tid] = process_own_tid();
        }
        number = process_threads[tid];
    }
    channel_set_thread(&recorder_producer, number);
}

void recorder_thread_begins(ThreadId tid) {
    process_live_threads++;
    if (tid < PROCESS_THREADS_MAX) {
        process_threads[tid] = process_own_tid();
    }
}

void recorder_thread_ends(ThreadId tid) {
    process_live_threads--;
    if (!process_exiting && process_live_threads > 0) {
        recorder_use_thread(tid);
        recorder_tell(RECORD_EVENT_THREAD_EXIT, 0, 0, 0);
    }
    if (tid < PROCESS_THREADS_MAX) {
        process_threads[tid] = 0;
    }
}

/* ---- Fork --------------------------------------------------------------------------------- */

void recorder_before_fork(ThreadId tid) {
    channel_publish(&recorder_producer);
    if (process_child_slot < 0 && !channel_discards(&recorder_producer)) {
        process_child_slot =
            channel_slot_take(recorder_producer.channel, CHANNEL_OWNER_RESERVED, 0, 0);
    }
    process_parent = recorder_producer.pid;
    recorder_use_thread(tid);
    process_parent_tid = recorder_producer.tid;
    /* Inside of a pid namespace the parent does not learn the child's number. */
    process_child_tells = process_parent_sleeps || process_is_inside();
}

void recorder_fork_begins(Bool sleeps) {
    process_parent_sleeps = sleeps;
}

void recorder_after_fork(ThreadId tid, UInt child_pid, Bool vfork) {
    ChannelEvent event = {.flags = vfork ? RECORD_FORK_VFORK : 0, .value = child_pid};
    if (process_child_tells && process_child_slot >= 0) {
        process_child_slot = -1; /* the child has told all */
        return;
    }
    recorder_use_thread(tid);
    event.type = RECORD_EVENT_FORK;
    channel_put_event(&recorder_producer, CHANNEL_EVENT, &event, NULL);
    channel_publish(&recorder_producer);
    if (process_child_slot >= 0) {
        channel_fork_done(recorder_producer.channel, process_child_slot, child_pid);
    }
    process_child_slot = -1;
}

static int process_parent_is_gone(uint32_t parent) {
    Int now = VG_(getppid)();
    return now == 0 ? !recorder_sees(parent) : now != (Int)parent; /* 0: it is outside */
}

/* The parent died before it could tell, or does not: the child tells it in the parent's name. */
static void process_tell_own_fork(UInt pid) {
    ChannelEvent event = {.type = RECORD_EVENT_FORK,
                          .flags = process_parent_sleeps ? RECORD_FORK_VFORK : 0,
                          .value = pid};
    recorder_producer.pid = process_parent;
    recorder_producer.tid = process_parent_tid;
    channel_put_event(&recorder_producer, CHANNEL_EVENT, &event, NULL);
    channel_publish(&recorder_producer);
    channel_fork_done(recorder_producer.channel, recorder_producer.slot_number, pid);
}

void recorder_in_child(ThreadId tid) {
    UInt pid = process_own_pid();
    Int slot = process_child_slot;
    process_child_slot = -1;
    process_live_threads = 1;
    VG_(memset)(process_threads, 0, sizeof process_threads);
    if (slot < 0) {
        recorder_producer.pid = pid;
        __atomic_add_fetch(&recorder_producer.channel->unrecorded, 1, __ATOMIC_RELAXED);
        process_go_alone();
        return;
    }
    process_use_slot(slot);
    recorder_producer.pid = pid;
    if (process_child_tells || !channel_fork_wait(recorder_producer.channel, slot, process_parent,
                                                  process_parent_is_gone)) {
        process_tell_own_fork(pid);
    }
    recorder_producer.pid = pid;
    recorder_producer.tid = pid;
}

/* ---- The end ------------------------------------------------------------------------------ */

void recorder_exits(Int status) {
    process_status = status;
    if (process_live_threads <= 1) {
        process_exiting = True;
    }
}

void recorder_exits_all(Int status) {
    process_status = status;
    process_exiting = True;
}

static void process_tell_end(Int wait_status) {
    recorder_tell(RECORD_EVENT_EXIT, 0, 0, (ULong)wait_status);
    channel_publish(&recorder_producer);
    channel_slot_free(recorder_producer.channel, recorder_producer.slot_number);
}

void recorder_finish(void) {
    if (process_exiting) {
        process_tell_end((process_status & 0xff) << 8);
    } else {
        channel_publish(&recorder_producer);
    }
}

/*
 * Valgrind ends a process that a signal killed by the same signal, and calls this function of its
 * own for it; the linker puts ours in its place.
 */
void __real_vgPlain_kill_self(Int signal_number);
void __wrap_vgPlain_kill_self(Int signal_number);

void __wrap_vgPlain_kill_self(Int signal_number) {
    if (!process_exiting) {
        process_exiting = True;
        process_tell_end(signal_number & 0x7f);
    }
    __real_vgPlain_kill_self(signal_number);
}

/*
 * Valgrind refuses to run a program with rights of its own (set-user-id, capabilities) under a
 * tool, and it cannot start one where the launcher is not to be seen (a jail). Such programs are
 * not followed: they run unrecorded.
 */
extern const HChar *vgPlain_name_of_launcher;
Bool __real_vgPlain_should_we_trace_this_child(const HChar *name, const HChar **argv);
Bool __wrap_vgPlain_should_we_trace_this_child(const HChar *name, const HChar **argv);

static Bool process_has_own_rights(const HChar *name) {
    enum { SET_USER_OR_GROUP = 06000 };
    struct vg_stat status;
    return !sr_isError(VG_(stat)(name, &status)) &&
           ((status.mode & SET_USER_OR_GROUP) != 0 ||
            recorder_syscall(__NR_getxattr, (ULong)name, (ULong) "security.capability", 0, 0, 0) >
                0);
}

/* Valgrind, and the recorder of a recording within this one, cannot run under Valgrind. */
static Bool process_is_valgrind(const HChar *path) {
    static const HChar *const names[] = {"valgrind", "valgrind.bin", "vmmrec"};
    const HChar *slash = VG_(strrchr)(path, '/');
    const HChar *name = slash != NULL ? slash + 1 : path;
    for (UInt i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (VG_(strcmp)(name, names[i]) == 0) {
            return True;
        }
    }
    return False;
}

Bool __wrap_vgPlain_should_we_trace_this_child(const HChar *name, const HChar **argv) {
    enum { EXECUTABLE = 1 };
    const HChar *launcher = vgPlain_name_of_launcher;
    if (name != NULL && ((launcher != NULL && recorder_syscall(__NR_access, (ULong)launcher,
                                                               EXECUTABLE, 0, 0, 0) != 0) ||
                         process_has_own_rights(name) || process_is_valgrind(name))) {
        return False;
    }
    return __real_vgPlain_should_we_trace_this_child(name, argv);
}

/*
 * Valgrind makes two small files before the program starts, in $TMPDIR or not at all. What the
 * program is given as $TMPDIR, rightly or not, need not be our concern.
 */
Int __wrap_vgPlain_mkstemp(const HChar *part_of_name, HChar *full_name);

Int __wrap_vgPlain_mkstemp(const HChar *part_of_name, HChar *full_name) {
    /* Not longer than any name that Valgrind would make. */
    static const HChar *const folders[] = {"/tmp", "/var/tmp", "/dev/shm"};
    static UInt made;
    for (UInt i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        for (UInt tries = 0; tries < 100; tries++) {
            VG_(sprintf)(full_name, "%s/vr%x.%x", folders[i], (UInt)VG_(getpid)(), made++);
            SysRes opened = VG_(open)(full_name, VKI_O_CREAT | VKI_O_RDWR | VKI_O_EXCL, 0600);
            if (!sr_isError(opened)) {
                return vgPlain_safe_fd((Int)sr_Res(opened));
            }
            if (sr_Err(opened) != VKI_EEXIST) {
                break;
            }
        }
    }
    return -1;
}

/*
 * Valgrind reads the symbols of every file that the program maps; half a second for a shell.
 * Nothing of what it would find is needed to record.
 */
ULong __wrap_vgPlain_di_notify_mmap(Addr start, Bool allow_valgrind, Int fd);

ULong __wrap_vgPlain_di_notify_mmap(Addr start, Bool allow_valgrind, Int fd) {
    return 0;
}

/*
 * Valgrind's translator checks its own code after each step, a tenth of the time that a program
 * takes to start. These checks find mistakes of tools while they are made.
 */
void __wrap_sanityCheckIRSB(void);

void __wrap_sanityCheckIRSB(void) {}
