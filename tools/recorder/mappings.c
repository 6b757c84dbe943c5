/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings as events. What a mapping's file is, Valgrind's address-space manager knows: it noted
 * device, inode and name when the mapping was made.
 */
#include <elf.h>

#include "recorder.h"

/* The linker's: where this tool begins and ends. */
extern const char __executable_start[], _end[];

static Addr mappings_program;  /* an address in the executable; 0: not known */
static Addr mappings_heap_end; /* of brk(2), rounded up to pages; 0: not known yet */

static ULong mappings_up(ULong bytes) {
    return (bytes + CHANNEL_PAGE - 1) / CHANNEL_PAGE * CHANNEL_PAGE;
}

static void mappings_put(UInt control, ChannelEvent *event, UInt type, const HChar *path) {
    event->type = type;
    channel_put_event(&recorder_producer, control, event, path);
}

void recorder_tell(UInt type, Addr start, SizeT length, ULong value) {
    ChannelEvent event = {.start = start, .length = length, .value = value};
    mappings_put(CHANNEL_EVENT, &event, type, NULL);
}

/* ---- What exec made ----------------------------------------------------------------------- */

/* The mapping that holds the program headers is the executable's; NULL: not known. */
static const NSegment *mappings_executable(ThreadId tid) {
    const UWord *at = (const UWord *)VG_(get_SP)(tid);
    at += 1 + at[0] + 1; /* argc, argv, 0 */
    while (*at++ != 0) { /* environment, 0 */
    }
    for (; at[0] != AT_NULL; at += 2) {
        if (at[0] == AT_PHDR) {
            return VG_(am_find_nsegment)(at[1]);
        }
    }
    return NULL;
}

static void mappings_tell_program(ThreadId tid) {
    ChannelEvent event = {.value = (ULong)VG_(getppid)()};
    const NSegment *segment = mappings_executable(tid);
    const HChar *path = NULL;
    if (segment != NULL && segment->kind == SkFileC) {
        event.device = segment->dev;
        event.inode = segment->ino;
        path = VG_(am_get_filename)(segment);
        mappings_program = segment->start;
    }
    mappings_put(CHANNEL_IMAGE, &event, RECORD_EVENT_START, path);
}

void recorder_executable(HChar *path, SizeT room) {
    const NSegment *segment = VG_(am_find_nsegment)(mappings_program);
    const HChar *name = segment != NULL ? VG_(am_get_filename)(segment) : NULL;
    path[0] = '\0';
    if (name != NULL && VG_(strlen)(name) < room) {
        VG_(strcpy)(path, name);
    }
}

static UInt mappings_prot_of(const NSegment *segment) {
    return (segment->hasR ? RECORD_PROT_READ : 0u) | (segment->hasW ? RECORD_PROT_WRITE : 0u) |
           (segment->hasX ? RECORD_PROT_EXEC : 0u);
}

/* A page of this tool that the program may run, for the return from signals: no file to it. */
static Bool mappings_is_own(const NSegment *segment) {
    return segment->start >= (Addr)__executable_start && segment->start < (Addr)_end;
}

/* Mapping `event` as far as its segment tells: protection, backing, file. */
static void mappings_tell_segment(const NSegment *segment, ChannelEvent *event) {
    const HChar *path = NULL;
    if (segment != NULL && segment->kind == SkFileC && !mappings_is_own(segment)) {
        event->device = segment->dev;
        event->inode = segment->ino;
        path = VG_(am_get_filename)(segment);
        if (path == NULL) {
            path = "?";
        }
    } else {
        event->flags |= RECORD_MAP_ANONYMOUS;
    }
    mappings_put(CHANNEL_EVENT, event, RECORD_EVENT_MAP, path);
}

/* The stack, with all the room into which it may grow. */
static Bool mappings_tell_stack(const NSegment *segment) {
    Addr sp = VG_(get_SP)(1);
    if (sp < segment->start || sp > segment->end) {
        return False;
    }
    const NSegment *below = VG_(am_find_nsegment)(segment->start - 1);
    Addr start = below != NULL && below->kind == SkResvn ? below->start : segment->start;
    ChannelEvent event = {
        .prot = mappings_prot_of(segment),
        .flags = RECORD_MAP_AT_START | RECORD_MAP_STACK | RECORD_MAP_GROWSDOWN,
        .start = start,
        .length = segment->end + 1 - start,
    };
    mappings_tell_segment(segment, &event);
    return True;
}

static void mappings_tell_at_start(Addr start) {
    const NSegment *segment = VG_(am_find_nsegment)(start);
    if (segment == NULL || mappings_tell_stack(segment)) {
        return;
    }
    if (segment->isCH) {
        mappings_heap_end = segment->start; /* the heap, still empty for the program */
        return;
    }
    ChannelEvent event = {
        .prot = mappings_prot_of(segment),
        .flags = RECORD_MAP_AT_START,
        .start = segment->start,
        .length = segment->end + 1 - segment->start,
        .offset = segment->kind == SkFileC ? (ULong)segment->offset : 0,
    };
    mappings_tell_segment(segment, &event);
}

/* Calls `visit` for the start of each of the program's mappings. */
static void mappings_each(void (*visit)(Addr start)) {
    static Addr starts[4096];
    Int count = VG_(am_get_segment_starts)(SkFileC | SkAnonC | SkShmC, starts,
                                           (Int)(sizeof starts / sizeof starts[0]));
    for (Int i = 0; i < count; i++) {
        visit(starts[i]);
    }
}

void recorder_tell_image(ThreadId tid) {
    mappings_tell_program(tid);
    mappings_each(mappings_tell_at_start);
}

void recorder_tell_initial_stack(ThreadId tid) {
    Addr sp = VG_(get_SP)(tid);
    const NSegment *segment = VG_(am_find_nsegment)(sp);
    if (segment != NULL) {
        channel_put_touch(&recorder_producer, CHANNEL_WRITE, sp, segment->end + 1 - sp);
    }
}

/* ---- What system calls make --------------------------------------------------------------- */

void recorder_tell_mmap(Addr start, SizeT length, UInt prot, UInt flags, ULong offset) {
    ChannelEvent event = {
        .prot = prot,
        .flags = flags,
        .start = start,
        .length = mappings_up(length),
        .offset = (flags & RECORD_MAP_ANONYMOUS) ? 0 : offset,
    };
    mappings_tell_segment(VG_(am_find_nsegment)(start), &event);
}

void recorder_tell_protect(Addr start, SizeT length, UInt prot) {
    ChannelEvent event = {.prot = prot, .start = start, .length = mappings_up(length)};
    mappings_put(CHANNEL_EVENT, &event, RECORD_EVENT_PROTECT, NULL);
}

void recorder_tell_remap(Addr from, SizeT length, Addr to, SizeT new_length) {
    ChannelEvent event = {.start = from,
                          .length = mappings_up(length),
                          .target = to,
                          .value = mappings_up(new_length)};
    mappings_put(CHANNEL_EVENT, &event, RECORD_EVENT_REMAP, NULL);
}

/* brk(2) says that the heap ends here. */
void recorder_tell_brk(Addr end) {
    Addr now = mappings_up(end);
    Addr before = mappings_heap_end;
    mappings_heap_end = now;
    if (before == 0 || now == before) {
        return;
    }
    ChannelEvent event = {.flags = RECORD_MAP_HEAP | RECORD_MAP_ANONYMOUS};
    event.start = now > before ? before : now;
    event.length = now > before ? now - before : before - now;
    if (now > before) {
        event.prot = RECORD_PROT_READ | RECORD_PROT_WRITE;
    }
    mappings_put(CHANNEL_EVENT, &event, now > before ? RECORD_EVENT_MAP : RECORD_EVENT_UNMAP, NULL);
}

/* ---- System V segments -------------------------------------------------------------------- */

void recorder_tell_shmat(Int id, Addr start, Bool read_only) {
    struct vki_shmid64_ds status;
    HChar path[40];
    ChannelEvent event = {.flags = RECORD_MAP_SYSV | RECORD_MAP_SHARED,
                          .prot = RECORD_PROT_READ | (read_only ? 0u : RECORD_PROT_WRITE),
                          .start = start,
                          .inode = (ULong)id};
    const NSegment *segment = VG_(am_find_nsegment)(start);
    event.length = segment == NULL ? CHANNEL_PAGE : segment->end + 1 - start;
    VG_(memset)(&status, 0, sizeof status);
    if (recorder_syscall(__NR_shmctl, (ULong)id, VKI_IPC_STAT, (ULong)&status, 0, 0) == 0) {
        event.length = mappings_up(status.shm_segsz);
    }
    VG_(sprintf)(path, "/SYSV%08x", (UInt)status.shm_perm.key);
    mappings_put(CHANNEL_EVENT, &event, RECORD_EVENT_MAP, path);
}

void recorder_tell_shmdt(Addr start, SizeT length) {
    ChannelEvent event = {
        .flags = RECORD_MAP_SYSV | RECORD_MAP_SHARED, .start = start, .length = length};
    mappings_put(CHANNEL_EVENT, &event, RECORD_EVENT_UNMAP, NULL);
}

static void mappings_tell_lock(Addr start) {
    const NSegment *segment = VG_(am_find_nsegment)(start);
    if (segment != NULL) {
        recorder_tell(RECORD_EVENT_LOCK, segment->start, segment->end + 1 - segment->start, 0);
    }
}

void recorder_tell_mlockall(void) {
    mappings_each(mappings_tell_lock);
}
