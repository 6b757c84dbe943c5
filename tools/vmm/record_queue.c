/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer's side of the channel: it makes the memory file, serves the queue in order, gives
 * segments back, and buries producers that died without a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "record.h"

/* ---- Opening -------------------------------------------------------------------------------- */

/*
 * `ulimit -f` counts a memory file too, though nothing of it is ever on a disk. So the limit is
 * raised as far as it goes for this one call; the trace and the program keep theirs.
 */
static bool record_queue_resize(int fd, size_t bytes) {
    struct rlimit limit, raised;
    bool limited = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes;
    if (limited) {
        raised = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY}; /* root may */
        if (setrlimit(RLIMIT_FSIZE, &raised) != 0) {
            raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
            setrlimit(RLIMIT_FSIZE, &raised);
        }
    }
    int code = ftruncate(fd, (off_t)bytes);
    int error = errno;
    if (limited) {
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    errno = error;
    return code == 0;
}

static int record_queue_no_memory(void) {
    if (errno == EFBIG) {
        cli_error("cannot make memory to share with the recorder: the largest size of a file "
                  "(ulimit -f) holds for it too, and is below the %zu MiB it takes; raise it",
                  sizeof(Channel) >> 20);
    } else {
        cli_error("cannot make memory to share with the recorder: %s", strerror(errno));
    }
    return CLI_FAILURE;
}

int record_queue_open(RecordQueue *queue, uint32_t fetches, bool paused) {
    *queue = (RecordQueue){.fd = memfd_create("vmm-record", MFD_CLOEXEC),
                           .log_fd = memfd_create(CHANNEL_LOG_NAME, MFD_CLOEXEC)};
    if (queue->fd < 0 || queue->log_fd < 0 || !record_queue_resize(queue->fd, sizeof(Channel))) {
        return record_queue_no_memory();
    }
    void *mapped = mmap(NULL, sizeof(Channel), PROT_READ | PROT_WRITE, MAP_SHARED, queue->fd, 0);
    if (mapped == MAP_FAILED) {
        cli_error("cannot map memory to share with the recorder: %s", strerror(errno));
        return CLI_FAILURE;
    }
    Channel *channel = mapped;
    channel->version = CHANNEL_VERSION;
    channel->consumer_pid = (uint32_t)getpid();
    channel->fetches = fetches;
    channel->paused = paused;
    for (uint32_t i = CHANNEL_SEGMENTS; i-- > 0;) {
        channel_free_push(channel, i);
    }
    channel->magic = CHANNEL_MAGIC;
    queue->channel = channel;
    return CLI_OK;
}

void record_queue_close(RecordQueue *queue) {
    if (queue->channel != NULL) {
        munmap(queue->channel, sizeof(Channel));
    }
    if (queue->fd >= 0) {
        close(queue->fd);
    }
    if (queue->log_fd >= 0) {
        close(queue->log_fd);
    }
    *queue = (RecordQueue){.fd = -1, .log_fd = -1};
}

/* ---- Who lives ------------------------------------------------------------------------------ */

/* The fields of /proc/PID/task/TID/stat that follow the name: state, and the number of threads. */
static bool record_queue_stat(uint32_t pid, uint32_t tid, char *state, long *threads) {
    char text[1024];
    snprintf(text, sizeof text, "/proc/%u/task/%u/stat", pid, tid);
    FILE *file = fopen(text, "re");
    if (file == NULL) {
        return false;
    }
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *at = strrchr(text, ')');
    return at != NULL &&
           sscanf(at, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
                  state, threads) == 2;
}

/* A process whose first thread has ended looks dead, but has other threads. */
static bool record_queue_lives(const ChannelOwner *owner) {
    char state;
    long threads;
    if (!record_queue_stat(owner->pid, owner->tid, &state, &threads)) {
        return false;
    }
    return (state != 'Z' && state != 'X') || (owner->pid == owner->tid && threads > 1);
}

static bool record_queue_is_owner(const ChannelOwner *owner) {
    return __atomic_load_n(&owner->state, __ATOMIC_SEQ_CST) == CHANNEL_OWNER_RUNS &&
           owner->pid != 0;
}

size_t record_queue_living(const RecordQueue *queue) {
    size_t count = 0;
    for (size_t i = 0; i < CHANNEL_SLOTS; i++) {
        const ChannelOwner *owner = &queue->channel->owners[i];
        count += record_queue_is_owner(owner) && record_queue_lives(owner);
    }
    return count;
}

/* ---- Serving the queue ---------------------------------------------------------------------- */

static uint32_t *record_queue_place(RecordQueue *queue) {
    return &queue->channel->queue[queue->channel->queue_head % CHANNEL_QUEUE];
}

static void record_queue_part(const RecordQueue *queue, unsigned number, size_t count,
                              RecordPart *part) {
    const ChannelSegment *segment = &queue->channel->segments[number];
    *part =
        (RecordPart){.pid = segment->pid,
                     .tid = segment->tid,
                     .time_ns = segment->time_ns,
                     .controls = segment->controls,
                     .records = queue->channel->records[number],
                     .count = count < CHANNEL_SEGMENT_RECORDS ? count : CHANNEL_SEGMENT_RECORDS};
}

/*
 * A ticket was drawn, and its place has stayed empty for long. If nobody that lives is about to
 * fill it, a dead one drew it: it is passed over. What the dead one meant to queue is found, or is
 * still FILLING and left for record_queue_next_dead(). True: `segment` is the one.
 */
static bool record_queue_pass_hole(RecordQueue *queue, unsigned *segment) {
    Channel *channel = queue->channel;
    bool found = false;
    for (size_t i = 0; i < CHANNEL_SLOTS; i++) {
        ChannelSlot *slot = &channel->slots[i];
        if (!record_queue_is_owner(&channel->owners[i]) ||
            __atomic_load_n(&slot->publishing, __ATOMIC_SEQ_CST) == 0) {
            continue;
        }
        if (record_queue_lives(&channel->owners[i])) {
            return false;
        }
        const ChannelSegment *left = &channel->segments[slot->segment % CHANNEL_SEGMENTS];
        if (left->state == CHANNEL_SEGMENT_QUEUED && left->ticket == channel->queue_head) {
            *segment = slot->segment % CHANNEL_SEGMENTS;
            found = true;
        }
    }
    if (__atomic_load_n(record_queue_place(queue), __ATOMIC_SEQ_CST) != 0) {
        return false; /* it came meanwhile */
    }
    channel->queue_head++;
    return found;
}

/* Sleeps until something is queued, a signal comes, or time is up. */
static void record_queue_wait(RecordQueue *queue) {
    Channel *channel = queue->channel;
    __atomic_store_n(&channel->consumer_waiting, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(record_queue_place(queue), __ATOMIC_SEQ_CST) == 0 && !queue->attention) {
        channel_futex_wait(&channel->consumer_waiting, 1);
    }
    __atomic_store_n(&channel->consumer_waiting, 0, __ATOMIC_SEQ_CST);
    queue->attention = 0;
}

void record_queue_wake(RecordQueue *queue) {
    queue->attention = 1;
    __atomic_store_n(&queue->channel->consumer_waiting, 0, __ATOMIC_SEQ_CST);
}

bool record_queue_next(RecordQueue *queue, RecordPart *part, unsigned *segment) {
    Channel *channel = queue->channel;
    uint32_t entry = __atomic_load_n(record_queue_place(queue), __ATOMIC_SEQ_CST);
    if (entry == 0) {
        uint64_t started = channel_now();
        record_queue_wait(queue);
        entry = __atomic_load_n(record_queue_place(queue), __ATOMIC_SEQ_CST);
        if (entry == 0 && channel->queue_head != channel->queue_tail &&
            channel_now() - started >= CHANNEL_WAIT_MS * 900000u &&
            record_queue_pass_hole(queue, segment)) {
            record_queue_part(queue, *segment, channel->segments[*segment].count, part);
            return true;
        }
    }
    if (entry == 0 || entry > CHANNEL_SEGMENTS) {
        return false;
    }
    __atomic_store_n(record_queue_place(queue), 0, __ATOMIC_SEQ_CST);
    channel->queue_head++;
    *segment = entry - 1;
    record_queue_part(queue, *segment, channel->segments[*segment].count, part);
    return true;
}

void record_queue_return(RecordQueue *queue, unsigned segment) {
    channel_free_push(queue->channel, segment);
}

/* ---- The dead ------------------------------------------------------------------------------- */

/* The segment that the owner of a slot was filling, and how far; -1: none. */
static int record_queue_unfinished(const RecordQueue *queue, size_t number, size_t *count) {
    const ChannelSlot *slot = &queue->channel->slots[number];
    const ChannelSegment *segment = &queue->channel->segments[slot->segment % CHANNEL_SEGMENTS];
    if (slot->base == 0 || segment->slot != number ||
        __atomic_load_n(&segment->state, __ATOMIC_SEQ_CST) != CHANNEL_SEGMENT_FILLING) {
        return -1;
    }
    *count = slot->cursor > slot->base ? (size_t)(slot->cursor - slot->base) / 8 : 0;
    return (int)(slot->segment % CHANNEL_SEGMENTS);
}

bool record_queue_next_dead(RecordQueue *queue, RecordPart *part, int *segment) {
    Channel *channel = queue->channel;
    for (size_t i = 0; i < CHANNEL_SLOTS; i++) {
        const ChannelOwner *owner = &channel->owners[i];
        if (!record_queue_is_owner(owner) || record_queue_lives(owner)) {
            continue;
        }
        if (channel->queue_head != __atomic_load_n(&channel->queue_tail, __ATOMIC_SEQ_CST)) {
            return false; /* what it queued before comes first */
        }
        size_t count = 0;
        *segment = record_queue_unfinished(queue, i, &count);
        if (*segment >= 0) {
            record_queue_part(queue, (unsigned)*segment, count, part);
            part->time_ns = channel_now();
            return true;
        }
        *part = (RecordPart){.pid = owner->pid,
                             .tid = owner->tid,
                             .time_ns = channel_now(),
                             .replaced = channel->slots[i].exec_name[0] != '\0'};
        channel_slot_free(channel, (int)i);
        return true;
    }
    return false;
}
