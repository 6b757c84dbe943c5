/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast recorder's end of the channel. A process is one producer, whatever threads it has. It
 * holds a segment only while one of them hands something over, so that nobody ever waits for
 * anything while he holds one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../channel.h"
#include "fast.h"

/* ---- What the system gives ------------------------------------------------------------------ */

static void channel_futex_wait(uint32_t *word, uint32_t value) {
    struct timespec limit = {.tv_nsec = CHANNEL_WAIT_MS * 1000000L};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

static void channel_futex_wake(uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static uint64_t channel_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int channel_process_exists(uint32_t pid) {
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* ---- The producer --------------------------------------------------------------------------- */

/* One for the process, as its address space is. `channel` NULL: nothing is recorded. */
static ChannelProducer fast_producer;

static Channel *fast_producer_map(const char *path) {
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    long at = -1;
    if (fstat(fd, &status) == 0 && (uint64_t)status.st_size == sizeof(Channel)) {
        at = syscall(SYS_mmap, NULL, sizeof(Channel), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    return at != -1 ? fast_pointer((uintptr_t)at) : NULL;
}

static void fast_producer_take_slot(int number, uint32_t pid) {
    fast_producer.slot_number = number;
    fast_producer.slot = &fast_producer.channel->slots[number];
    fast_producer.pid = pid;
    fast_producer.tid = 0;
}

bool fast_producer_attach(const char *path) {
    static uint64_t scratch[CHANNEL_SCRATCH]; /* only for the words of an event that nobody wants */
    uint32_t pid = (uint32_t)getpid();
    Channel *channel = fast_producer_map(path);
    if (channel == NULL) {
        return false;
    }
    int slot = -1;
    if (channel->magic == CHANNEL_MAGIC && channel->version == CHANNEL_VERSION) {
        slot = channel_slot_of(channel, pid);
        slot = slot >= 0 ? slot : channel_slot_take(channel, CHANNEL_OWNER_RUNS, pid, pid);
    }
    if (slot < 0) {
        fast_memory_free(channel, sizeof *channel);
        return false;
    }
    fast_producer.channel = channel;
    fast_producer.scratch = scratch;
    fast_producer_take_slot(slot, pid);
    return true;
}

/* memcpy is recorded; this is not. */
static void fast_producer_copy(void *to, const void *from, size_t bytes) {
#if defined __x86_64__
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++) {
        ((volatile uint64_t *)to)[i] = ((const uint64_t *)from)[i];
    }
#endif
}

/* Is there room for `count` records in the segment that is being filled? */
static bool fast_producer_has_room(size_t count) {
    const ChannelSlot *slot = fast_producer.slot;
    return slot->base != 0 && slot->cursor + count * sizeof(uint64_t) <= slot->limit;
}

bool fast_producer_send(uint32_t tid, const VMMPackedRef *refs, size_t count) {
    ChannelSlot *slot = fast_producer.slot;
    channel_set_thread(&fast_producer, tid);
    if (channel_discards(&fast_producer)) {
        return false;
    }
    if (count == 0 || channel_is_paused(&fast_producer)) {
        channel_pass_over(&fast_producer, count);
        return true;
    }
    if (!fast_producer_has_room(count)) {
        channel_publish(&fast_producer);
        channel_begin(&fast_producer);
        if (slot->base == 0) {
            return false;
        }
    }
    fast_producer_copy(fast_pointer(slot->cursor), refs, count * sizeof *refs);
    __atomic_store_n(&slot->cursor, slot->cursor + count * sizeof *refs, __ATOMIC_RELEASE);
    return true;
}

void fast_producer_publish(void) {
    if (fast_producer.channel != NULL) {
        channel_publish(&fast_producer);
    }
}

static ChannelEvent fast_producer_event(const VMMEvent *event, const FastFile *file) {
    ChannelEvent told = {
        .type = event->type,
        .prot = event->prot,
        .flags = event->flags,
        .start = event->start,
        .length = event->length,
        .target = event->target,
        .value = event->value,
        .offset = event->offset,
        .device = file != NULL ? file->device : 0,
        .inode = file != NULL ? file->inode : 0,
    };
    return told;
}

bool fast_producer_tell(uint32_t tid, const VMMEvent *event, const FastFile *file) {
    ChannelEvent told = fast_producer_event(event, file);
    channel_set_thread(&fast_producer, tid);
    channel_put_event(&fast_producer, CHANNEL_EVENT, &told, file != NULL ? file->path : NULL);
    return !channel_discards(&fast_producer);
}

bool fast_producer_image(const FastFile *executable, uint32_t parent) {
    VMMEvent event = {.value = parent};
    ChannelEvent told = fast_producer_event(&event, executable);
    channel_set_thread(&fast_producer, fast_producer.pid);
    channel_put_event(&fast_producer, CHANNEL_IMAGE, &told, executable->path);
    return !channel_discards(&fast_producer);
}

void fast_producer_pause(uint32_t tid, bool paused) {
    channel_set_thread(&fast_producer, tid);
    if (!paused) {
        __atomic_store_n(&fast_producer.channel->paused, 0, __ATOMIC_SEQ_CST);
    }
    channel_put(&fast_producer, paused ? CHANNEL_STOP : CHANNEL_RESUME, 0, NULL, 0);
    if (paused) {
        __atomic_store_n(&fast_producer.channel->paused, 1, __ATOMIC_SEQ_CST);
    }
}

void fast_producer_end(uint32_t tid, uint32_t status) {
    VMMEvent event = {.type = VMM_EVENT_EXIT, .value = status};
    fast_producer_tell(tid, &event, NULL);
    channel_publish(&fast_producer);
    channel_slot_free(fast_producer.channel, fast_producer.slot_number);
    fast_producer.channel = NULL;
}

uint32_t fast_producer_pid(void) {
    return fast_producer.pid;
}

bool fast_producer_is_mapping(uint64_t start) {
    return start == (uint64_t)(uintptr_t)fast_producer.channel;
}

/* ---- Fork ----------------------------------------------------------------------------------- */

int fast_producer_reserve(void) {
    return channel_slot_take(fast_producer.channel, CHANNEL_OWNER_RESERVED, 0, 0);
}

void fast_producer_release(int place) {
    if (place >= 0) {
        channel_slot_free(fast_producer.channel, place);
    }
}

void fast_producer_fork_done(int place, uint32_t child) {
    channel_publish(&fast_producer); /* the event comes before anything that the child does */
    if (place >= 0) {
        channel_fork_done(fast_producer.channel, place, child);
    }
}

static int fast_producer_parent_is_gone(uint32_t parent) {
    return (uint32_t)getppid() != parent;
}

bool fast_producer_become_child(int place, bool told) {
    Channel *channel = fast_producer.channel;
    uint32_t parent = fast_producer.pid, self = (uint32_t)getpid();
    bool reserved = place >= 0;
    if (!reserved) {
        place = channel_slot_take(channel, CHANNEL_OWNER_RUNS, self, self);
    }
    if (place < 0) {
        return false;
    }
    fast_producer_take_slot(place, self);
    if (reserved && told &&
        channel_fork_wait(channel, place, parent, fast_producer_parent_is_gone)) {
        return !channel_discards(&fast_producer);
    }
    VMMEvent event = {.type = VMM_EVENT_FORK, .value = self};
    fast_producer.pid = parent;
    fast_producer_tell(parent, &event, NULL);
    channel_publish(&fast_producer);
    fast_producer.pid = self;
    channel_fork_done(channel, place, self);
    return !channel_discards(&fast_producer);
}
