/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buffers of threads, and when they are handed over.
 *
 *     FastThread   level 0   | handed over | from ... next | free ...  end |
 *                  level 1   a signal handler that interrupted level 0
 *                  level 2   one that interrupted level 1
 *
 * A thread has a buffer from its first turn to its end. What lies between `from` and `next` waits
 * to be handed over. All threads stand in a list, so that the end of the process finds what they
 * have; the list, the channel and this file's other state belong to whoever holds the lock. With
 * the lock go blocked signals: a handler cannot come to a thread that holds it.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../../include/vmm/record.h"
#include "fast.h"

enum {
    FAST_BUFFER_REFS = 16384, /* 128 KiB: much of it stays in a processor's own cache */
    FAST_SINK_REFS = 128,
    FAST_LEVELS = 8
};

typedef struct FastLevel {
    VMMPackedRef *start, *from;
} FastLevel;

typedef struct FastThread {
    struct FastThread *next;
    FastBuffer *buffer; /* of the thread it is of */
    uint32_t tid;
    uint32_t level;
    uint32_t ending; /* rounds of destructors that the thread has been through */
    FastLevel levels[FAST_LEVELS];
} FastThread;

typedef enum FastState { FAST_UNKNOWN, FAST_OFF, FAST_ON } FastState;

static struct {
    pthread_mutex_t lock;
    FastState state;
    FastThread *threads;
    pthread_key_t key; /* calls us at a thread's end */
    uint32_t *same;    /* memory that fork(2) wipes: 1, but in a child that does not know it */
} fast_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

FAST_THREAD_LOCAL FastBuffer fast_buffer;
static FAST_THREAD_LOCAL FastThread *fast_self;
static FAST_THREAD_LOCAL bool fast_busy; /* the thread holds the lock */

/* Where references go while nobody wants them: to write them is cheaper than to ask each time. */
static FAST_THREAD_LOCAL VMMPackedRef fast_sink[FAST_SINK_REFS];

/* The fork that this thread is in: the child's place, who tells of it. */
static FAST_THREAD_LOCAL int fast_child_place = -1;
static FAST_THREAD_LOCAL bool fast_parent_tells;

/* ---- The lock ------------------------------------------------------------------------------- */

static FastState fast_state(void) {
    return __atomic_load_n(&fast_process.state, __ATOMIC_ACQUIRE);
}

static void fast_set_state(FastState state) {
    __atomic_store_n(&fast_process.state, state, __ATOMIC_RELEASE);
}

bool fast_is_on(void) {
    return fast_state() == FAST_ON;
}

static void fast_become_child(void);

/* Before every lock: is this still the process it was? The child of a clone(2) is not told. */
static void fast_notice_fork(void) {
    if (fast_state() == FAST_ON && *fast_process.same == 0) {
        fast_become_child();
    }
}

static void fast_block_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

/* Signals are blocked and the lock is held afterwards, in the process that this is. */
static void fast_lock(sigset_t *before) {
    fast_block_signals(before);
    fast_notice_fork();
    pthread_mutex_lock(&fast_process.lock);
    fast_busy = true;
}

/* What was handed over meanwhile is on its way afterwards. */
static void fast_unlock(const sigset_t *before) {
    fast_producer_publish();
    fast_busy = false;
    pthread_mutex_unlock(&fast_process.lock);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/*
 * Takes the lock if there is something to record and the thread does not have it: the C library may
 * call functions of the program for us, such as a malloc of its own.
 */
static bool fast_enter(sigset_t *before) {
    if (fast_busy || fast_state() != FAST_ON) {
        return false;
    }
    fast_lock(before);
    return true;
}

/* ---- Threads, with the lock ----------------------------------------------------------------- */

/* Where the thread writes next; for the thread itself and those who stop at nothing. */
static VMMPackedRef *fast_thread_next(const FastThread *thread) {
    return __atomic_load_n(&thread->buffer->next, __ATOMIC_RELAXED);
}

/* Hands over what the current level holds. */
static void fast_thread_send(FastThread *thread) {
    FastLevel *level = &thread->levels[thread->level];
    VMMPackedRef *next = fast_thread_next(thread);
    if (fast_state() != FAST_ON || next < level->from || next > level->start + FAST_BUFFER_REFS) {
        return;
    }
    fast_mappings_heap_grew(thread->tid);
    if (!fast_producer_send(thread->tid, level->from, (size_t)(next - level->from))) {
        fast_set_state(FAST_OFF);
    }
    fast_mappings_heap_shrank(thread->tid);
    level->from = next;
}

static void fast_thread_begin_buffer(FastThread *thread) {
    FastLevel *level = &thread->levels[thread->level];
    level->from = level->start;
    *thread->buffer = (FastBuffer){level->start, level->start + FAST_BUFFER_REFS};
}

/* The state of the calling thread, made when it is first wanted; NULL: there is no memory. */
static FastThread *fast_thread_get(void) {
    FastThread *thread = fast_self;
    if (thread != NULL) {
        return thread;
    }
    thread = fast_memory(sizeof *thread);
    VMMPackedRef *refs = fast_memory(FAST_BUFFER_REFS * sizeof *refs);
    if (thread == NULL || refs == NULL) {
        fast_memory_free(thread, sizeof *thread);
        fast_memory_free(refs, FAST_BUFFER_REFS * sizeof *refs);
        return NULL;
    }
    thread->buffer = &fast_buffer;
    thread->tid = (uint32_t)syscall(SYS_gettid);
    thread->levels[0].start = refs;
    thread->next = fast_process.threads;
    fast_process.threads = thread;
    fast_self = thread;
    fast_thread_begin_buffer(thread);
    pthread_setspecific(fast_process.key, thread);
    if (thread->tid != fast_producer_pid()) {
        VMMEvent event = {.type = VMM_EVENT_THREAD_START, .value = thread->tid};
        fast_producer_tell(thread->tid, &event, NULL);
    }
    return thread;
}

static void fast_thread_free(FastThread *thread) {
    for (size_t i = 0; i < FAST_LEVELS; i++) {
        fast_memory_free(thread->levels[i].start, FAST_BUFFER_REFS * sizeof(VMMPackedRef));
    }
    fast_memory_free(thread, sizeof *thread);
}

/*
 * A destructor of thread-specific data. Those of the program may run behind it and be recorded, so
 * that it has itself called again for as long as the system does that.
 */
static void fast_thread_end(void *user) {
    FastThread *thread = user;
    FastThread **link = &fast_process.threads;
    sigset_t before;
    if (++thread->ending < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(fast_process.key, thread);
        return;
    }
    fast_lock(&before);
    fast_thread_send(thread);
    if (fast_state() == FAST_ON) {
        VMMEvent event = {.type = VMM_EVENT_THREAD_EXIT};
        fast_producer_tell(thread->tid, &event, NULL);
    }
    while (*link != NULL && *link != thread) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = thread->next;
    }
    fast_buffer = (FastBuffer){NULL, NULL};
    fast_self = NULL;
    fast_thread_free(thread);
    fast_unlock(&before);
}

static void fast_use_sink(void) {
    fast_buffer = (FastBuffer){fast_sink, fast_sink + FAST_SINK_REFS};
}

/* ---- Signal handlers ------------------------------------------------------------------------ */

/* Makes the next level the current one. Handlers left by longjmp(3) never end: levels come round.*/
static void fast_thread_raise(FastThread *thread) {
    uint32_t top = thread->level + 1;
    if (top == FAST_LEVELS) {
        FastLevel current = thread->levels[thread->level];
        thread->levels[thread->level] = thread->levels[0];
        thread->levels[0] = current;
        top = 1;
    }
    if (thread->levels[top].start == NULL) {
        thread->levels[top].start = fast_memory(FAST_BUFFER_REFS * sizeof(VMMPackedRef));
    }
    if (thread->levels[top].start != NULL) {
        thread->level = top;
        fast_thread_begin_buffer(thread);
    }
}

FastInterrupted fast_signal_enter(void) {
    FastInterrupted interrupted = {.is_recorded = false};
    sigset_t before;
    int error = errno;
    if (fast_enter(&before)) {
        FastThread *thread = fast_thread_get();
        if (thread != NULL) {
            fast_thread_send(thread);
            interrupted = (FastInterrupted){fast_buffer, thread->level, true};
            fast_thread_raise(thread);
        }
        fast_unlock(&before);
    }
    errno = error;
    return interrupted;
}

void fast_signal_leave(FastInterrupted interrupted) {
    sigset_t before;
    int error = errno;
    if (interrupted.is_recorded) {
        fast_lock(&before);
        fast_thread_send(fast_self);
        fast_self->level = interrupted.level;
        fast_buffer = interrupted.buffer;
        fast_unlock(&before);
    }
    errno = error;
}

/* ---- Start and fork ------------------------------------------------------------------------- */

/*
 * In a child: it has one thread, the calling one, and nothing to hand over. If it was made without
 * fork(3), what the buffer holds is part the parent's and part its own: that is lost.
 */
static void fast_become_child(void) {
    FastThread *self = fast_self;
    pthread_mutex_init(&fast_process.lock, NULL);
    *fast_process.same = 1;
    for (FastThread *thread = fast_process.threads, *next; thread != NULL; thread = next) {
        next = thread->next;
        if (thread != self) {
            fast_thread_free(thread);
        }
    }
    fast_process.threads = self;
    size_t lost = 0;
    if (self != NULL) {
        FastLevel *level = &self->levels[self->level];
        lost = fast_child_place < 0 ? (size_t)(fast_thread_next(self) - level->from) : 0;
        level->from = fast_thread_next(self);
        self->next = NULL;
        self->tid = (uint32_t)getpid();
    }
    bool on = fast_producer_become_child(fast_child_place, fast_parent_tells);
    if (on && lost > 0) {
        VMMEvent event = {.type = VMM_EVENT_LOST, .value = lost};
        fast_producer_tell(self->tid, &event, NULL);
    }
    fast_set_state(on ? FAST_ON : FAST_OFF);
    fast_child_place = -1;
    fast_parent_tells = false;
}

static void fast_fork_child(void) {
    sigset_t before;
    fast_block_signals(&before);
    fast_notice_fork();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Runs last of what is to run before a fork. */
static void fast_fork_last(void) {
    sigset_t before;
    if (!fast_is_on()) {
        return;
    }
    fast_hand_over();
    fast_lock(&before);
    fast_child_place = fast_producer_reserve();
    fast_unlock(&before);
}

void fast_fork_prepare(void) {
    fast_parent_tells = true;
}

void fast_fork_parent(int child) {
    sigset_t before;
    int place = fast_child_place;
    fast_child_place = -1;
    fast_parent_tells = false;
    if (place < 0 || !fast_is_on()) {
        return;
    }
    fast_lock(&before);
    if (child > 0) {
        VMMEvent event = {.type = VMM_EVENT_FORK, .value = (uint64_t)child};
        FastThread *thread = fast_thread_get();
        fast_producer_tell(thread != NULL ? thread->tid : 0, &event, NULL);
        fast_producer_fork_done(place, (uint32_t)child);
    } else {
        fast_producer_release(place);
    }
    fast_unlock(&before);
}

/* With the lock. Attaches to the channel, and makes what recording needs. */
static bool fast_start_recording(const char *path) {
    fast_process.same = fast_memory(4096);
    if (fast_process.same == NULL || madvise(fast_process.same, 4096, MADV_WIPEONFORK) != 0 ||
        pthread_key_create(&fast_process.key, fast_thread_end) != 0 ||
        pthread_atfork(fast_fork_last, NULL, fast_fork_child) != 0) {
        return false;
    }
    *fast_process.same = 1;
    return fast_producer_attach(path);
}

void fast_start(void) {
    extern char **environ;
    sigset_t before;
    if (fast_state() != FAST_UNKNOWN || fast_busy || environ == NULL) {
        return; /* environ: too early, the C library has not begun */
    }
    fast_lock(&before);
    if (fast_state() == FAST_UNKNOWN) {
        const char *path = fast_process_channel();
        bool on = path != NULL && fast_start_recording(path);
        if (on) {
            fast_process_start();
            fast_mappings_start();
            fast_thread_get();
        }
        fast_set_state(on ? FAST_ON : FAST_OFF);
        if (on) {
            fast_signals_start();
        }
    }
    fast_unlock(&before);
}

/* ---- Handing over --------------------------------------------------------------------------- */

static void fast_turn_buffer(void) {
    FastThread *thread = fast_thread_get();
    if (thread != NULL) {
        fast_thread_send(thread);
    }
    if (thread != NULL && fast_is_on()) {
        fast_thread_begin_buffer(thread);
    } else {
        fast_use_sink();
    }
}

void fast_turn(VMMPackedRef ref) {
    sigset_t before;
    int error = errno;
    if (fast_busy) {
        return; /* a few references of a malloc that serves us */
    }
    fast_start();
    if (fast_enter(&before)) {
        fast_turn_buffer();
        *fast_buffer.next++ = ref;
        fast_unlock(&before);
    } else {
        fast_use_sink();
        *fast_buffer.next++ = ref;
    }
    errno = error;
}

void fast_hand_over(void) {
    sigset_t before;
    int error = errno;
    if (fast_enter(&before)) {
        if (fast_self != NULL) {
            fast_thread_send(fast_self);
        }
        fast_unlock(&before);
    }
    errno = error;
}

static void fast_send_all(void) {
    for (FastThread *thread = fast_process.threads; thread != NULL; thread = thread->next) {
        fast_thread_send(thread);
    }
}

void fast_hand_over_all(void) {
    sigset_t before;
    int error = errno;
    if (fast_enter(&before)) {
        fast_send_all();
        fast_unlock(&before);
    }
    errno = error;
}

/* What the threads have belongs to the time before: it is recorded, or dropped if that was
 * paused.*/
static void fast_pause(bool paused) {
    sigset_t before;
    int error = errno;
    if (fast_enter(&before)) {
        fast_send_all();
        fast_producer_pause((uint32_t)syscall(SYS_gettid), paused);
        fast_unlock(&before);
    }
    errno = error;
}

/* What the program asks for by the functions of record.h; true if it is recorded. */
FAST_API unsigned long vmm_fast_request(unsigned long request, unsigned long value) {
    VMMEvent mark = {.type = VMM_EVENT_MARK, .value = value};
    switch (request) {
    case VMM_RECORD_REQUEST_START:
        fast_pause(false);
        break;
    case VMM_RECORD_REQUEST_STOP:
        fast_pause(true);
        break;
    default:
        fast_tell(&mark, NULL);
        break;
    }
    return fast_is_on();
}

void fast_end(int status) {
    sigset_t before;
    if (!fast_is_on() || (uint32_t)getpid() != fast_producer_pid()) {
        return;
    }
    fast_hand_over_all();
    fast_lock(&before);
    if (fast_is_on()) {
        fast_producer_end((uint32_t)syscall(SYS_gettid), (uint32_t)status);
        fast_set_state(FAST_OFF);
    }
    fast_unlock(&before);
}

void fast_tell(const VMMEvent *event, const FastFile *file) {
    sigset_t before;
    int error = errno;
    if (fast_enter(&before)) {
        FastThread *thread = fast_thread_get();
        if (thread != NULL) {
            fast_thread_send(thread);
        }
        if (thread != NULL && fast_state() == FAST_ON) {
            fast_producer_tell(thread->tid, event, file);
        }
        fast_unlock(&before);
    }
    errno = error;
}
