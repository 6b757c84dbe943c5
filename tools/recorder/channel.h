/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * The channel between recorded processes and `vmm record`: one memory file that all of them map.
 *
 *     recorded process                                        vmm record
 *       its slot: cursor ──► a segment, being filled
 *                                 │ publish                     takes segments in the order of
 *                                 ▼                             the queue, writes the trace,
 *            queue   | 5 | 17 | 2 | . |  ───────────────────►   puts them back
 *             free   | 9 | 4 | ...    ◄──────────────────────
 *
 * A segment holds records of 8 bytes of one process. The place of a segment in the queue is the
 * global order, so a process publishes what it has before anything by which another process could
 * learn what it did: before a system call that may synchronise, and at fork, exec and exit. While
 * it waits in the kernel it holds no segment; so there may be more processes than segments.
 *
 * The owner of a slot is a producer: a process whose threads run one at a time, or one thread of a
 * process. The cursor lives in the slot, in shared memory, so that the records of a producer that
 * was killed are found. The other side of the contract, which is the consumer's, is at the end.
 *
 * Records. A reference has the layout of VMMPackedRef (include/vmm/types.h). A record whose `op` is
 * 3 is a control record: it has a type, a value, and a number of words that follow it.
 *
 *     63 61 60 59 58  56 55                  24 23            8 7      0
 *    |  0  | 3   |   0  |        value        |  words behind  |  type  |
 *
 * This file stands on no library: it is used inside of Valgrind, too. Who includes it defines the
 * four functions of "What the system gives".
 */
#ifndef VMM_RECORDER_CHANNEL_H
#define VMM_RECORDER_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

/* The memory file for Valgrind's own messages has this name; the tool knows it by that. */
#define CHANNEL_LOG_NAME "vmm-record-log"

#define CHANNEL_MAGIC UINT64_C(0x4c4e4843764d4d56)
enum {
    CHANNEL_VERSION = 1,
    CHANNEL_PAGE = 4096,
    CHANNEL_SEGMENTS = 64,
    CHANNEL_SEGMENT_RECORDS = 1 << 16,
    CHANNEL_QUEUE = 128, /* places; a power of two, more than segments */
    CHANNEL_SLOTS = 1024,
    CHANNEL_SLACK = 4096,                /* records that may be stored after a look at the limit */
    CHANNEL_SCRATCH = 2 * CHANNEL_SLACK, /* records; where references go while nobody wants them */
    CHANNEL_WAIT_MS = 100
};

/* ---- Records -------------------------------------------------------------------------------- */

#define CHANNEL_SIZE_SHIFT 48
#define CHANNEL_OP_SHIFT 59
#define CHANNEL_OP_MASK UINT64_C(3)
#define CHANNEL_KERNEL (UINT64_C(1) << 47)
#define CHANNEL_MAX_SIZE 2048u

enum { CHANNEL_READ = 0, CHANNEL_WRITE = 1, CHANNEL_FETCH = 2, CHANNEL_CONTROL = 3 };

/* A reference of 1 to CHANNEL_MAX_SIZE bytes. */
#define CHANNEL_REF(op, addr, size)                                                         \
    (((uint64_t)(op) << CHANNEL_OP_SHIFT) | ((uint64_t)((size)-1u) << CHANNEL_SIZE_SHIFT) | \
     (uint64_t)(addr))

enum {
    CHANNEL_WORDS_SHIFT = 8,
    CHANNEL_VALUE_SHIFT = 24,
    CHANNEL_TYPE_MASK = 0xff,
    CHANNEL_WORDS_MAX = 1024
};

#define CHANNEL_CONTROL_RECORD(type, value, words)          \
    (((uint64_t)CHANNEL_CONTROL << CHANNEL_OP_SHIFT) |      \
     ((uint64_t)(uint32_t)(value) << CHANNEL_VALUE_SHIFT) | \
     ((uint64_t)(words) << CHANNEL_WORDS_SHIFT) | (uint64_t)(type))

/* Types of control records. */
enum {
    CHANNEL_THREAD = 1, /* what follows is of thread `value` */
    CHANNEL_EVENT = 2,  /* words: a ChannelEvent, then its path */
    CHANNEL_TOUCH = 3,  /* words: address, bytes; the kernel touched more than a record holds;
                           value: CHANNEL_READ or _WRITE */
    CHANNEL_IMAGE = 4,  /* a program begins here; words: as CHANNEL_EVENT; file: the executable;
                           `value` of the event: the parent's pid. START, or EXEC if it is known */
    CHANNEL_STOP = 5,   /* recording pauses here by a call of the program */
    CHANNEL_RESUME = 6  /* and goes on here */
};

/*
 * An event; the numbers of `type`, `prot` and `flags` are those of include/vmm/event.h. The path
 * follows as path_bytes bytes without a 0, filled up to a whole word.
 */
typedef struct ChannelEvent {
    uint32_t type;
    uint32_t prot;
    uint32_t flags;
    uint32_t path_bytes; /* 0: no file */
    uint64_t time_ns;    /* CLOCK_MONOTONIC */
    uint64_t start;
    uint64_t length;
    uint64_t target;
    uint64_t value;
    uint64_t offset;
    uint64_t device;
    uint64_t inode;
} ChannelEvent;

enum {
    CHANNEL_EVENT_WORDS = sizeof(ChannelEvent) / 8,
    CHANNEL_PATH_MAX = 4096,
    CHANNEL_EVENT_WORDS_MAX = CHANNEL_EVENT_WORDS + CHANNEL_PATH_MAX / 8
};

#define CHANNEL_ALIGNED(bytes) __attribute__((aligned(bytes)))

/* ---- Layout --------------------------------------------------------------------------------- */

/* ChannelSegment.state */
enum { CHANNEL_SEGMENT_FREE = 0, CHANNEL_SEGMENT_FILLING = 1, CHANNEL_SEGMENT_QUEUED = 2 };

typedef struct ChannelSegment {
    uint32_t state;
    uint32_t next;  /* in the free list, plus 1; 0: the last */
    uint32_t slot;  /* of the producer */
    uint32_t count; /* records; known once it is queued */
    uint32_t pid;
    uint32_t tid;      /* of the first record */
    uint64_t ticket;   /* its place in the queue */
    uint64_t time_ns;  /* CLOCK_MONOTONIC when it was queued */
    uint64_t controls; /* control records in it, so that nobody looks for what is not there */
    uint64_t padding[2];
} ChannelSegment;

/* ChannelOwner.state */
enum {
    CHANNEL_OWNER_NONE = 0,
    CHANNEL_OWNER_RESERVED = 1, /* for a child being made, which must not queue anything yet */
    CHANNEL_OWNER_RUNS = 2
};

/* Who has a slot. */
typedef struct ChannelOwner {
    uint32_t state; /* a futex */
    uint32_t pid;   /* 0: not known yet */
    uint32_t tid;   /* of the system; pid if the producer is the whole process */
    uint32_t birth; /* rises from owner to owner: of two with one pid the younger one lives */
} ChannelOwner;

/* What of a producer must outlive it. A page, so that it can be mapped at an address of its own. */
typedef struct ChannelSlot {
    uint64_t cursor;     /* address of the next record, in the producer's mapping */
    uint64_t limit;      /* a cursor beyond calls for channel_flush() */
    uint64_t base;       /* address of the segment's first record; 0: no segment */
    uint32_t segment;    /* its number */
    uint32_t publishing; /* 1: between drawing a ticket and filling the place in the queue */
    /*
     * Of an exec that is under way: argv[0], for which Valgrind gives the new program its path; and
     * the path, if it was that of /proc/self/exe, which by then is Valgrind. Empty: nothing to say.
     */
    char exec_name[CHANNEL_PAGE / 2];
    char exec_path[CHANNEL_PAGE / 2 - 32];
} ChannelSlot;

/* Rounded up to what its last member is aligned to: its size is that of the file. */
typedef struct Channel {
    uint64_t magic;
    uint32_t version;
    uint32_t consumer_pid;
    uint32_t fetches; /* CHANNEL_FETCHES_... */
    uint32_t births;

    /* 1: references are not wanted now; events are. */
    uint32_t paused;
    /* 1: nothing is wanted any more: the program runs on alone. */
    uint32_t discard;
    /* Processes for which there was no slot. */
    uint32_t unrecorded;
    /* Calls of clone(2) that no recorder can carry out: the processes ended there. */
    uint32_t refused_clones;
    /* References that producers left out while recording paused. */
    uint64_t passed_over;

    /* Free segments: a stack; the upper half of its head is a counter against ABA. */
    CHANNEL_ALIGNED(64) uint64_t free_head;
    uint32_t free_sequence; /* a futex: changes when a segment comes back and somebody waits */
    uint32_t free_waiters;

    CHANNEL_ALIGNED(64) uint64_t queue_tail; /* tickets drawn */
    CHANNEL_ALIGNED(64) uint64_t queue_head; /* tickets served; the consumer's */
    uint32_t consumer_waiting;               /* a futex: 1 while it sleeps */
    CHANNEL_ALIGNED(64)
    uint32_t queue[CHANNEL_QUEUE]; /* by ticket: a segment plus 1; 0: not filled yet */

    ChannelSegment segments[CHANNEL_SEGMENTS];
    ChannelOwner owners[CHANNEL_SLOTS];
    CHANNEL_ALIGNED(CHANNEL_PAGE) ChannelSlot slots[CHANNEL_SLOTS];
    uint64_t records[CHANNEL_SEGMENTS][CHANNEL_SEGMENT_RECORDS];
} Channel;

enum { CHANNEL_FETCHES_NONE = 0, CHANNEL_FETCHES_PAGE = 1, CHANNEL_FETCHES_ALL = 2 };

_Static_assert(sizeof(ChannelSegment) == 64, "a cache line");
_Static_assert(sizeof(ChannelSlot) == CHANNEL_PAGE, "a page");
_Static_assert(offsetof(Channel, slots) % CHANNEL_PAGE == 0, "slots are mapped one by one");
_Static_assert((int)CHANNEL_EVENT_WORDS_MAX <= (int)CHANNEL_WORDS_MAX, "an event fits");

/* ---- What the system gives ------------------------------------------------------------------ */

/* Sleeps while *word is `value`, CHANNEL_WAIT_MS at most; may wake without a reason. */
static void channel_futex_wait(uint32_t *word, uint32_t value);
/* Wakes up to `count` sleepers, of other processes too. */
static void channel_futex_wake(uint32_t *word, int count);
/* CLOCK_MONOTONIC in nanoseconds. */
static uint64_t channel_now(void);
/* Is there such a process? */
static int channel_process_exists(uint32_t pid);

/* ---- Free segments: for producers and the consumer ------------------------------------------ */

static inline void channel_free_push(Channel *channel, uint32_t number) {
    ChannelSegment *segment = &channel->segments[number];
    __atomic_store_n(&segment->state, CHANNEL_SEGMENT_FREE, __ATOMIC_RELEASE);
    uint64_t head = __atomic_load_n(&channel->free_head, __ATOMIC_RELAXED);
    uint64_t mine;
    do {
        __atomic_store_n(&segment->next, (uint32_t)head, __ATOMIC_RELAXED);
        mine = ((head >> 32) + 1) << 32 | (number + 1);
    } while (!__atomic_compare_exchange_n(&channel->free_head, &head, mine, 0, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    if (__atomic_load_n(&channel->free_waiters, __ATOMIC_SEQ_CST) != 0) {
        __atomic_fetch_add(&channel->free_sequence, 1, __ATOMIC_SEQ_CST);
        channel_futex_wake(&channel->free_sequence, 1);
    }
}

/* 0: there is none; else its number plus 1. */
static inline uint32_t channel_free_pop(Channel *channel) {
    uint64_t head = __atomic_load_n(&channel->free_head, __ATOMIC_SEQ_CST);
    uint64_t rest;
    do {
        if ((uint32_t)head == 0) {
            return 0;
        }
        uint32_t next =
            __atomic_load_n(&channel->segments[(uint32_t)head - 1].next, __ATOMIC_RELAXED);
        rest = ((head >> 32) + 1) << 32 | next;
    } while (!__atomic_compare_exchange_n(&channel->free_head, &head, rest, 0, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return (uint32_t)head;
}

/* ---- Owners of slots ------------------------------------------------------------------------ */

/* A slot with that state; its number, or -1 if all are taken. */
static inline int channel_slot_take(Channel *channel, uint32_t state, uint32_t pid, uint32_t tid) {
    for (int i = 0; i < CHANNEL_SLOTS; i++) {
        ChannelOwner *owner = &channel->owners[i];
        uint32_t none = CHANNEL_OWNER_NONE;
        if (__atomic_load_n(&owner->state, __ATOMIC_RELAXED) != none) {
            continue;
        }
        /* The slot belongs to nobody: RESERVED without a pid is nobody's to bury. */
        if (__atomic_compare_exchange_n(&owner->state, &none, CHANNEL_OWNER_RESERVED, 0,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            ChannelSlot *slot = &channel->slots[i];
            slot->cursor = 1;
            slot->limit = 0;
            slot->base = 0;
            slot->publishing = 0;
            owner->birth = __atomic_add_fetch(&channel->births, 1, __ATOMIC_SEQ_CST);
            owner->tid = tid;
            __atomic_store_n(&owner->pid, pid, __ATOMIC_SEQ_CST);
            __atomic_store_n(&owner->state, state, __ATOMIC_SEQ_CST);
            return i;
        }
    }
    return -1;
}

static inline void channel_slot_free(Channel *channel, int slot) {
    __atomic_store_n(&channel->owners[slot].pid, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&channel->owners[slot].state, CHANNEL_OWNER_NONE, __ATOMIC_SEQ_CST);
}

/* The slot that this process had before exec; -1: it had none. */
static inline int channel_slot_of(Channel *channel, uint32_t pid) {
    int found = -1;
    for (int i = 0; i < CHANNEL_SLOTS; i++) {
        const ChannelOwner *owner = &channel->owners[i];
        if (__atomic_load_n(&owner->state, __ATOMIC_SEQ_CST) == CHANNEL_OWNER_RUNS &&
            owner->pid == pid && (found < 0 || owner->birth > channel->owners[found].birth)) {
            found = i;
        }
    }
    return found;
}

/* ---- Producers ------------------------------------------------------------------------------ */

/* Zeroed memory, then channel, slot, slot_number, pid, tid and scratch set. */
typedef struct ChannelProducer {
    Channel *channel;
    ChannelSlot *slot; /* its slot, wherever it is mapped */
    int slot_number;
    uint32_t pid;
    uint32_t tid;      /* as the trace shall say */
    uint64_t *scratch; /* CHANNEL_SCRATCH records of its own */
} ChannelProducer;

static inline uint64_t *channel_record_at(uint64_t address) {
    union {
        uint64_t address;
        uint64_t *record;
    } place = {.address = address};
    return place.record;
}

static inline int channel_discards(const ChannelProducer *producer) {
    return __atomic_load_n(&producer->channel->discard, __ATOMIC_RELAXED) != 0;
}

static inline int channel_is_paused(const ChannelProducer *producer) {
    return __atomic_load_n(&producer->channel->paused, __ATOMIC_RELAXED) != 0;
}

/* From now on without a segment: the next look at the limit calls channel_flush(). */
static inline void channel_let_go(ChannelProducer *producer) {
    ChannelSlot *slot = producer->slot;
    slot->limit = 0;
    slot->cursor = 1;
    slot->base = 0;
}

/* References go nowhere, until the scratch is full and somebody looks again. */
static inline void channel_use_scratch(ChannelProducer *producer) {
    ChannelSlot *slot = producer->slot;
    slot->base = 0;
    slot->cursor = (uint64_t)(uintptr_t)producer->scratch;
    slot->limit = (uint64_t)(uintptr_t)(producer->scratch + (CHANNEL_SCRATCH - CHANNEL_SLACK));
}

/* Waits for a free segment; 0: nothing is wanted any more; else its number plus 1. */
static inline uint32_t channel_wait_for_segment(ChannelProducer *producer) {
    Channel *channel = producer->channel;
    uint32_t found = channel_free_pop(channel);
    if (found != 0) {
        return found;
    }
    __atomic_fetch_add(&channel->free_waiters, 1, __ATOMIC_SEQ_CST);
    while (!channel_discards(producer)) {
        uint32_t sequence = __atomic_load_n(&channel->free_sequence, __ATOMIC_SEQ_CST);
        found = channel_free_pop(channel);
        if (found != 0) {
            break;
        }
        channel_futex_wait(&channel->free_sequence, sequence);
        if (!channel_process_exists(channel->consumer_pid)) {
            __atomic_store_n(&channel->discard, 1, __ATOMIC_SEQ_CST);
        }
    }
    __atomic_fetch_sub(&channel->free_waiters, 1, __ATOMIC_SEQ_CST);
    return found;
}

/* Has a segment afterwards, or writes to scratch if nothing is wanted any more. */
static inline void channel_begin(ChannelProducer *producer) {
    uint32_t found = channel_wait_for_segment(producer);
    if (found == 0) {
        channel_use_scratch(producer);
        return;
    }
    ChannelSlot *slot = producer->slot;
    ChannelSegment *segment = &producer->channel->segments[found - 1];
    uint64_t *records = producer->channel->records[found - 1];
    segment->slot = (uint32_t)producer->slot_number;
    segment->pid = producer->pid;
    segment->tid = producer->tid;
    segment->controls = 0;
    __atomic_store_n(&segment->state, CHANNEL_SEGMENT_FILLING, __ATOMIC_RELEASE);
    slot->cursor = (uint64_t)(uintptr_t)records;
    slot->segment = found - 1;
    __atomic_store_n(&slot->base, (uint64_t)(uintptr_t)records, __ATOMIC_RELEASE);
    slot->limit = (uint64_t)(uintptr_t)(records + (CHANNEL_SEGMENT_RECORDS - CHANNEL_SLACK));
}

/* Puts the segment of `count` records into the queue. */
static inline void channel_enqueue(ChannelProducer *producer, uint32_t number, uint32_t count) {
    Channel *channel = producer->channel;
    ChannelSegment *segment = &channel->segments[number];
    segment->count = count;
    segment->time_ns = channel_now();
    __atomic_store_n(&producer->slot->publishing, 1, __ATOMIC_SEQ_CST);
    uint64_t ticket = __atomic_fetch_add(&channel->queue_tail, 1, __ATOMIC_SEQ_CST);
    segment->ticket = ticket;
    __atomic_store_n(&segment->state, CHANNEL_SEGMENT_QUEUED, __ATOMIC_SEQ_CST);
    __atomic_store_n(&channel->queue[ticket % CHANNEL_QUEUE], number + 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&producer->slot->publishing, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&channel->consumer_waiting, __ATOMIC_SEQ_CST) != 0) {
        __atomic_store_n(&channel->consumer_waiting, 0, __ATOMIC_SEQ_CST);
        channel_futex_wake(&channel->consumer_waiting, 1);
    }
}

/* `count` references were left out: told, if that is because recording pauses. */
static inline void channel_pass_over(ChannelProducer *producer, uint64_t count) {
    if (count > 0 && !channel_discards(producer)) {
        __atomic_fetch_add(&producer->channel->passed_over, count, __ATOMIC_RELAXED);
    }
}

/* Hands over what there is, and holds no segment afterwards. */
static inline void channel_publish(ChannelProducer *producer) {
    ChannelSlot *slot = producer->slot;
    uint64_t scratch = (uint64_t)(uintptr_t)producer->scratch;
    if (slot->base == 0) {
        channel_pass_over(producer, slot->cursor > scratch ? (slot->cursor - scratch) / 8 : 0);
        channel_let_go(producer); /* out of scratch, too */
        return;
    }
    uint32_t count = (uint32_t)((slot->cursor - slot->base) / 8);
    uint32_t number = slot->segment;
    if (count == 0) {
        channel_let_go(producer);
        channel_free_push(producer->channel, number);
        return;
    }
    channel_enqueue(producer, number, count);
    channel_let_go(producer);
}

/* To be called when the cursor is beyond the limit: there is room afterwards. */
static inline void channel_flush(ChannelProducer *producer) {
    channel_publish(producer);
    if (channel_discards(producer) || channel_is_paused(producer)) {
        channel_use_scratch(producer);
    } else {
        channel_begin(producer);
    }
}

/* Adds a control record and its words; while recording pauses, too. */
static inline void channel_put(ChannelProducer *producer, uint32_t type, uint32_t value,
                               const uint64_t *words, size_t count) {
    ChannelSlot *slot = producer->slot;
    if (channel_discards(producer)) {
        return;
    }
    if (slot->base == 0 || slot->cursor > slot->limit) {
        channel_publish(producer);
        channel_begin(producer);
        if (slot->base == 0) {
            return; /* discarded meanwhile */
        }
    }
    producer->channel->segments[slot->segment].controls++;
    uint64_t *to = channel_record_at(slot->cursor);
    *to++ = CHANNEL_CONTROL_RECORD(type, value, count);
    for (size_t i = 0; i < count; i++) {
        *to++ = words[i];
    }
    __atomic_store_n(&slot->cursor, (uint64_t)(uintptr_t)to, __ATOMIC_RELEASE);
    if (channel_is_paused(producer)) {
        channel_publish(producer);
    }
}

/* From here on it is thread `tid` of the process that runs. */
static inline void channel_set_thread(ChannelProducer *producer, uint32_t tid) {
    if (producer->tid != tid) {
        producer->tid = tid;
        if (producer->slot->base != 0) {
            channel_put(producer, CHANNEL_THREAD, tid, NULL, 0);
        }
    }
}

/* Adds an event. `path` may be NULL; a longer one than CHANNEL_PATH_MAX is cut off. */
static inline void channel_put_event(ChannelProducer *producer, uint32_t type, ChannelEvent *event,
                                     const char *path) {
    uint64_t words[CHANNEL_EVENT_WORDS_MAX];
    uint32_t bytes = 0;
    uint8_t *to = (uint8_t *)words + sizeof *event;
    while (path != NULL && path[bytes] != '\0' && bytes < CHANNEL_PATH_MAX) {
        to[bytes] = (uint8_t)path[bytes];
        bytes++;
    }
    event->path_bytes = bytes;
    event->time_ns = channel_now();
    size_t count = CHANNEL_EVENT_WORDS + (bytes + 7) / 8;
    for (size_t i = bytes; i < (count - CHANNEL_EVENT_WORDS) * 8; i++) {
        to[i] = 0;
    }
    *(ChannelEvent *)words = *event;
    channel_put(producer, type, 0, words, count);
}

/* A touch by the kernel, on behalf of the program. */
static inline void channel_put_touch(ChannelProducer *producer, uint32_t op, uint64_t addr,
                                     uint64_t bytes) {
    ChannelSlot *slot = producer->slot;
    if (bytes == 0) {
        return;
    }
    if (slot->cursor > slot->limit) {
        channel_flush(producer);
    }
    if (bytes <= CHANNEL_MAX_SIZE) {
        *channel_record_at(slot->cursor) = CHANNEL_REF(op, addr, bytes) | CHANNEL_KERNEL;
        slot->cursor += 8;
    } else if (slot->base != 0) {
        uint64_t words[2] = {addr, bytes};
        channel_put(producer, CHANNEL_TOUCH, op, words, 2);
    } else {
        channel_pass_over(producer, 1);
    }
}

/*
 * ---- Fork ----
 *
 * The parent reserves a slot for the child and publishes before it forks. The child waits until its
 * slot says that it runs; the parent says so once the FORK event is in the queue. If the parent is
 * gone by then, or if it is suspended until the child ends or calls exec (CLONE_VFORK), the child
 * does not wait: it tells the event in the parent's name.
 */

/* In the child. `slot` is what was reserved; returns 0 if the parent will not speak any more. */
static inline int channel_fork_wait(Channel *channel, int slot, uint32_t parent_pid,
                                    int (*parent_is_gone)(uint32_t parent_pid)) {
    ChannelOwner *owner = &channel->owners[slot];
    while (__atomic_load_n(&owner->state, __ATOMIC_SEQ_CST) == CHANNEL_OWNER_RESERVED) {
        if (__atomic_load_n(&channel->discard, __ATOMIC_SEQ_CST) != 0) {
            break;
        }
        channel_futex_wait(&owner->state, CHANNEL_OWNER_RESERVED);
        if (parent_is_gone(parent_pid)) {
            return __atomic_load_n(&owner->state, __ATOMIC_SEQ_CST) == CHANNEL_OWNER_RUNS;
        }
        if (!channel_process_exists(channel->consumer_pid)) {
            __atomic_store_n(&channel->discard, 1, __ATOMIC_SEQ_CST);
        }
    }
    return 1;
}

/* In the parent, after the event was published; in the child, if it had to tell it itself. */
static inline void channel_fork_done(Channel *channel, int slot, uint32_t child_pid) {
    ChannelOwner *owner = &channel->owners[slot];
    owner->tid = child_pid;
    __atomic_store_n(&owner->pid, child_pid, __ATOMIC_SEQ_CST);
    __atomic_store_n(&owner->state, CHANNEL_OWNER_RUNS, __ATOMIC_SEQ_CST);
    channel_futex_wake(&owner->state, 1);
}

/*
 * ---- The consumer ----
 *
 * It makes the file, sets the first fields, pushes all segments to the free list, and then serves
 * tickets one after the other: reads queue[head % CHANNEL_QUEUE], writes 0 there, advances head,
 * uses the segment, pushes it. Asleep it waits on consumer_waiting, which it sets to 1 before its
 * last look.
 *
 * A producer that was killed leaves: a segment that is FILLING, whose records end at its cursor; or
 * a ticket drawn and no place filled, with `publishing` 1. The consumer takes such a ticket for
 * void once no living producer is publishing. (Killed between taking a segment off the free list
 * and setting `base` it leaves a segment that nobody will use again: a few instructions, one of
 * many.)
 */

#endif
