/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * The numbers of include/vmm/event.h that go through the channel, once more: what is linked into
 * Valgrind includes nothing of the library. tools/vmm/record_stream.c asserts that they agree.
 */
#ifndef VMM_RECORDER_EVENTS_H
#define VMM_RECORDER_EVENTS_H

enum {
    RECORD_EVENT_UNMAP = 1,
    RECORD_EVENT_EXIT = 2,
    RECORD_EVENT_START = 3,
    RECORD_EVENT_MAP = 4,
    RECORD_EVENT_PROTECT = 5,
    RECORD_EVENT_REMAP = 6,
    RECORD_EVENT_ADVISE = 7,
    RECORD_EVENT_FORK = 8,
    RECORD_EVENT_EXEC = 9,
    RECORD_EVENT_THREAD_START = 10,
    RECORD_EVENT_THREAD_EXIT = 11,
    RECORD_EVENT_LOCK = 12,
    RECORD_EVENT_UNLOCK = 13,
    RECORD_EVENT_MARK = 14
};

enum { RECORD_PROT_READ = 1, RECORD_PROT_WRITE = 2, RECORD_PROT_EXEC = 4 };

enum {
    RECORD_MAP_SHARED = 1,
    RECORD_MAP_ANONYMOUS = 2,
    RECORD_MAP_FIXED = 4,
    RECORD_MAP_STACK = 8,
    RECORD_MAP_HEAP = 16,
    RECORD_MAP_AT_START = 32,
    RECORD_MAP_GROWSDOWN = 64,
    RECORD_MAP_HUGETLB = 128,
    RECORD_MAP_POPULATE = 256,
    RECORD_MAP_NORESERVE = 512,
    RECORD_MAP_LOCKED = 1024,
    RECORD_MAP_SYSV = 2048,
    RECORD_FORK_VFORK = 4096
};

#endif
