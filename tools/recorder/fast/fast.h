/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast recorder: a runtime that is linked into programs compiled with -fsanitize=thread. The
 * compiler then calls a function at every load and store; here these functions write references.
 *
 *     abi.c       reads and writes             threads.c   buffers, and handing them over
 *     atomics.c   atomic operations            process.c   fork, exec, exit
 *     copies.c    memcpy and its relatives     signals.c   handlers, and ends by a signal
 *     notes.c     what race detection needs    mappings.c  mmap and its relatives
 *                 and recording does not       plain.c     the runtime's own memcpy
 *
 *     a load:   next == end ?  no: *next++ = reference           yes: fast_turn()
 *
 *      one per thread          one per process             one per recording
 *     +----------------+   copied when full, at calls   +-----------------------+
 *     | buffer         |   that wait, fork, and at the  | channel.h, shared     |
 *     | 16 Ki refs     | ---------- end --------------> | with `vmm record`     |
 *     +----------------+                                +-----------------------+
 *
 * A thread keeps its references to itself until its buffer is full: threads run in parallel and
 * meet only every few thousand references. What a thread owns in the channel it owns for the time
 * of the copy: a thread that waits holds nothing that another one may need.
 *
 * Without a channel nothing is recorded: a thread then writes over a small buffer again and again.
 *
 * The code here must not be instrumented, must call no memcpy (the linker turns that into a
 * recorded one), and uses nothing but the C library.
 */
#ifndef VMM_RECORDER_FAST_FAST_H
#define VMM_RECORDER_FAST_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../include/vmm/event.h"
#include "../../../include/vmm/types.h"

/* What compilers and programs call. All else is hidden. */
#define FAST_API __attribute__((visibility("default")))

#define FAST_LIKELY(condition) __builtin_expect(!!(condition), 1)

/* ---- References ------------------------------------------------------------------------------ */

/* Where the calling thread writes: the next free place, and the end. Both NULL: nowhere. */
typedef struct FastBuffer {
    VMMPackedRef *next, *end;
} FastBuffer;

#define FAST_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
extern FAST_THREAD_LOCAL FastBuffer fast_buffer;

/* The buffer is full, or there is none yet: makes room, and records `ref` if recording is on. */
void fast_turn(VMMPackedRef ref);

static inline void fast_record(const volatile void *address, VMMOp op, size_t size) {
    VMMPackedRef ref = ((uintptr_t)address & VMM_PACKED_ADDR_MASK) |
                       (VMMPackedRef)(size - 1) << VMM_PACKED_SIZE_SHIFT |
                       (VMMPackedRef)op << VMM_PACKED_OP_SHIFT;
    VMMPackedRef *next = fast_buffer.next;
    if (FAST_LIKELY(next != fast_buffer.end)) {
        *next = ref;
        fast_buffer.next = next + 1;
    } else {
        fast_turn(ref);
    }
}

/* `size` bytes, one reference for each line of 64 bytes that they touch. */
void fast_record_range(const volatile void *address, VMMOp op, size_t size);

/* ---- Threads (threads.c) --------------------------------------------------------------------- */

/* Looks once for a channel; whatever else is called before does it, too. */
void fast_start(void);

/* Is there a channel, and does anybody listen? */
bool fast_is_on(void);

/* Hands over what the calling thread, or every thread, has recorded. */
void fast_hand_over(void);
void fast_hand_over_all(void);

/* The process ends, with that status of wait(2): hands over all there is, and is off afterwards. */
void fast_end(int status);

/* A file that is mapped or executed. */
typedef struct FastFile {
    const char *path; /* NULL: none */
    uint64_t device, inode;
} FastFile;

/* Hands over and tells an event behind it: the fields that its type has. `file` may be NULL. */
void fast_tell(const VMMEvent *event, const FastFile *file);

/* Where a thread was writing when a signal came. */
typedef struct FastInterrupted {
    FastBuffer buffer;
    uint32_t level;
    bool is_recorded;
} FastInterrupted;

/*
 * Around a signal handler: it writes to a buffer of its own, for it may have come in the midst of
 * fast_record().
 */
FastInterrupted fast_signal_enter(void);
void fast_signal_leave(FastInterrupted interrupted);

/* Around fork(2): before, and afterwards in the parent; `child` -1: it failed. */
void fast_fork_prepare(void);
void fast_fork_parent(int child);

/* ---- The channel (producer.c); calls are made one at a time, with all signals blocked ---------
 */

/* False: there is none, or it is no channel. */
bool fast_producer_attach(const char *path);
/* False: nobody listens any more. */
bool fast_producer_send(uint32_t tid, const VMMPackedRef *refs, size_t count);
/* Queues what was sent and told since the last time. */
void fast_producer_publish(void);
bool fast_producer_tell(uint32_t tid, const VMMEvent *event, const FastFile *file);
/* A program begins in this process. */
bool fast_producer_image(const FastFile *executable, uint32_t parent);
/* A place for the process that is about to be made; -1: there is none. */
int fast_producer_reserve(void);
void fast_producer_release(int place);
/* The process was made, in the parent; and in the child, which is now process `pid`. */
void fast_producer_fork_done(int place, uint32_t child);
/* `told`: the parent will tell of the fork; else the child does, in the parent's name. */
bool fast_producer_become_child(int place, bool told);
/* From here on references are not wanted, or wanted again. */
void fast_producer_pause(uint32_t tid, bool paused);
/* The process ends with that status of wait(2); nothing can be sent any more. */
void fast_producer_end(uint32_t tid, uint32_t status);
/* The process whose references these are; the child of a vfork(2) is another one. */
uint32_t fast_producer_pid(void);
/* Is [start, end) the channel itself? */
bool fast_producer_is_mapping(uint64_t start);

/* ---- Mappings (mappings.c) ------------------------------------------------------------------- */

/* Tells what is mapped when the program starts. */
void fast_mappings_start(void);
/* What the C library did to the heap since the last call: told before, and behind references. */
void fast_mappings_heap_grew(uint32_t tid);
void fast_mappings_heap_shrank(uint32_t tid);

/* A pointer that was a number for a while: the answer of a system call, a word of the channel. */
static inline void *fast_pointer(uintptr_t address) {
    return (void *)address; /* NOLINT(performance-no-int-to-ptr): it can come in no other way */
}

/* Memory of our own, told to nobody; NULL: there is none. */
void *fast_memory(size_t size);
void fast_memory_free(void *memory, size_t size);

/* ---- Processes (process.c), signals (signals.c) -----------------------------------------------
 */

/* The environment variable that names the channel; it is taken out of the environment. */
const char *fast_process_channel(void);
void fast_process_start(void);
void fast_signals_start(void);

/* The function of that name behind ours. */
void *fast_next(const char *name);

#endif
