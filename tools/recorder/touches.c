/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel reads and writes on the program's behalf: buffers, paths, structures of system
 * calls, and the frames of signals.
 *
 * Valgrind tells before a system call what the kernel will read, and after it what it wrote. While
 * the call may wait, its process must hold no segment: so the reads are noted, and recorded once it
 * is over; of a write(2) that took only a part, only that part.
 */
#include "recorder.h"

enum { TOUCHES_NOTED = 64, TOUCHES_THREADS = 4096 };

typedef struct Touch {
    Addr start;
    SizeT length;
} Touch;

typedef struct TouchList {
    Bool no_reads; /* what Valgrind says of them is not so, or was told already */
    Addr received; /* a buffer of which only the call's result says how much was written; 0: none */
    Int count;
    Touch noted[TOUCHES_NOTED];
} TouchList;

static TouchList *touches_of_thread[TOUCHES_THREADS];
static TouchList touches_spare;

static TouchList *touches_list(ThreadId tid) {
    if (tid >= TOUCHES_THREADS) {
        return &touches_spare;
    }
    if (touches_of_thread[tid] == NULL) {
        touches_of_thread[tid] = VG_(am_shadow_alloc)(sizeof(TouchList));
    }
    return touches_of_thread[tid] != NULL ? touches_of_thread[tid] : &touches_spare;
}

static void touches_put(ThreadId tid, UInt op, Addr start, SizeT length) {
    if (length > 0 && VG_(am_is_valid_for_client)(start, length, VKI_PROT_NONE)) {
        recorder_use_thread(tid);
        channel_put_touch(&recorder_producer, op, start, length);
    }
}

static void touches_put_noted(ThreadId tid) {
    TouchList *list = touches_list(tid);
    for (Int i = 0; i < list->count; i++) {
        touches_put(tid, CHANNEL_READ, list->noted[i].start, list->noted[i].length);
    }
    list->count = 0;
}

/* Bytes of a string with its 0, as far as the program's memory goes. */
SizeT recorder_string_length(Addr start) {
    SizeT length = 0;
    while (VG_(am_is_valid_for_client)(start + length, 1, VKI_PROT_READ)) {
        do {
            if (((const HChar *)start)[length++] == '\0') {
                return length;
            }
        } while ((start + length) % CHANNEL_PAGE != 0);
    }
    return length;
}

/* ---- What Valgrind calls ------------------------------------------------------------------ */

static void touches_before_read(CorePart part, ThreadId tid, const HChar *what, Addr start,
                                SizeT length) {
    TouchList *list = touches_list(tid);
    if (part != Vg_CoreSysCall || list->no_reads || length == 0) {
        return;
    }
    if (list->count == TOUCHES_NOTED) {
        touches_put_noted(tid);
    }
    list->noted[list->count++] = (Touch){start, length};
}

static void touches_before_read_string(CorePart part, ThreadId tid, const HChar *what, Addr start) {
    if (part == Vg_CoreSysCall) {
        touches_before_read(part, tid, what, start, recorder_string_length(start));
    }
}

static void touches_after_write(CorePart part, ThreadId tid, Addr start, SizeT length) {
    if (part == Vg_CoreSysCall) {
        touches_put_noted(tid);
        if (touches_list(tid)->received == start) {
            return;
        }
    }
    if (part == Vg_CoreSysCall || part == Vg_CoreSignal) {
        touches_put(tid, CHANNEL_WRITE, start, length);
    }
}

void recorder_register_touches(void) {
    VG_(track_pre_mem_read)(touches_before_read);
    VG_(track_pre_mem_read_asciiz)(touches_before_read_string);
    VG_(track_post_mem_write)(touches_after_write);
}

/* ---- Around a system call ----------------------------------------------------------------- */

void recorder_touches_begin(ThreadId tid, Bool no_reads, Addr received) {
    touches_put_noted(tid); /* of a call that was interrupted */
    touches_list(tid)->no_reads = no_reads;
    touches_list(tid)->received = received;
}

void recorder_touch_received(ThreadId tid, SizeT length) {
    touches_put_noted(tid);
    touches_put(tid, CHANNEL_WRITE, touches_list(tid)->received, length);
}

void recorder_touches_limit(ThreadId tid, Addr header, SizeT transferred) {
    TouchList *list = touches_list(tid);
    for (Int i = 0; i < list->count; i++) {
        Touch *touch = &list->noted[i];
        if (touch->start != header) {
            touch->length = touch->length < transferred ? touch->length : transferred;
            transferred -= touch->length;
        }
    }
}

void recorder_touches_limit_message(ThreadId tid, Addr message, SizeT transferred) {
    const struct vki_msghdr *header = (const struct vki_msghdr *)message;
    TouchList *list = touches_list(tid);
    Int k = 0;
    if (!VG_(am_is_valid_for_client)(message, sizeof *header, VKI_PROT_READ) ||
        !VG_(am_is_valid_for_client)((Addr)header->msg_iov,
                                     header->msg_iovlen * sizeof *header->msg_iov, VKI_PROT_READ)) {
        return;
    }
    for (SizeT i = 0; i < header->msg_iovlen; i++) {
        const struct vki_iovec *part = &header->msg_iov[i];
        while (k < list->count && (list->noted[k].start != (Addr)part->iov_base ||
                                   list->noted[k].length != part->iov_len)) {
            k++;
        }
        if (k < list->count) {
            Touch *touch = &list->noted[k++];
            touch->length = touch->length < transferred ? touch->length : transferred;
            transferred -= touch->length;
        }
    }
}

void recorder_touches_end(ThreadId tid) {
    touches_put_noted(tid);
    touches_list(tid)->no_reads = False;
    touches_list(tid)->received = 0;
}

/* A vector of strings with a NULL at its end. */
static void touches_put_vector(ThreadId tid, Addr vector) {
    SizeT bytes = 0;
    while (VG_(am_is_valid_for_client)(vector + bytes, sizeof(Addr), VKI_PROT_READ)) {
        Addr string = *(const Addr *)(vector + bytes);
        bytes += sizeof(Addr);
        if (string == 0) {
            break;
        }
        touches_put(tid, CHANNEL_READ, string, recorder_string_length(string));
    }
    touches_put(tid, CHANNEL_READ, vector, bytes);
}

void recorder_touch_exec(ThreadId tid, Addr path, Addr argv, Addr envp) {
    touches_put(tid, CHANNEL_READ, path, recorder_string_length(path));
    touches_put_vector(tid, argv);
    touches_put_vector(tid, envp);
}
