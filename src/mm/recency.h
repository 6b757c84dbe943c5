/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recency: the order in which a set of items was last touched, oldest and youngest at hand.
 *
 * A linked list would be relinked at every touch. Instead each touch is noted in a log, and each
 * item remembers its newest place there; older places of the same item are stale and are skipped
 * when the log is read. A touch is two stores, and every place is skipped at most once:
 *
 *     log    | 3 | 1 | 3 | 2 | 1 | 0 |            last[3] = 2: place 0 is stale
 *              ^tail               ^head          last[1] = 4: place 1 is stale
 *     oldest = 3, then 2, 1, 0 = youngest
 *
 * When the log is full its live places are moved to the front in order. It has room for twice the
 * items, so a move is paid by at least as many touches as there are items. Against a list this
 * halves the cost of exact LRU on hits.
 */
#ifndef VMM_MM_RECENCY_H
#define VMM_MM_RECENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/compiler.h"
#include "../base/memory.h"

#define RECENCY_NONE UINT32_MAX
#define RECENCY_SLACK 1024u /* places beyond twice the items, so that small orders move seldom */
#define RECENCY_FETCH 8u

typedef struct Recency {
    uint32_t *last;    /* by item: its newest place in the log; RECENCY_NONE: not in the order */
    uint32_t *log;     /* by place: the item */
    uint32_t head;     /* the place of the next touch */
    uint32_t tail;     /* every live place is at or behind it */
    uint32_t capacity; /* places of the log */
    uint32_t items;    /* items 0 .. items - 1 may be touched */
} Recency;

static inline bool recency_contains(const Recency *r, uint32_t item) {
    return r->last[item] != RECENCY_NONE;
}

static inline bool recency_is_live(const Recency *r, uint32_t place) {
    return r->last[r->log[place]] == place;
}

/*
 * Moves the live places to the front of `log`, which may be the log itself or a larger one. The
 * branch is right to be one: most places are stale, and an unconditional store to last[] would
 * make each step wait for the one before (measured: 25 % of the whole simulation).
 */
static VMM_NOINLINE VMM_UNUSED void recency_compact(Recency *r, uint32_t *log) {
    uint32_t *last = r->last;
    const uint32_t *old = r->log;
    uint32_t head = r->head;
    uint32_t to = 0;
    for (uint32_t from = r->tail; from < head; from++) {
        uint32_t item = old[from];
        if (last[item] == from) {
            last[item] = to;
            log[to++] = item;
        }
    }
    r->log = log;
    r->tail = 0;
    r->head = to;
}

/* Makes room for items 0 .. items - 1; new ones are not in the order. False: out of memory. */
static inline bool recency_reserve(Recency *r, const Memory *memory, uint32_t items) {
    uint64_t slack = 16 * (uint64_t)items < RECENCY_SLACK ? 16 * (uint64_t)items : RECENCY_SLACK;
    uint64_t capacity = 2 * (uint64_t)items + slack;
    if (capacity > UINT32_MAX - 1) {
        return false;
    }
    uint32_t *last = memory_grow(memory, r->last, r->items, items, sizeof *last);
    if (last == NULL) {
        return false;
    }
    r->last = last;
    for (uint32_t item = r->items; item < items; item++) {
        last[item] = RECENCY_NONE;
    }
    r->items = items;
    uint32_t *old_log = r->log;
    uint32_t *log = memory_zalloc(memory, (size_t)capacity, sizeof *log);
    if (log == NULL) {
        return false;
    }
    recency_compact(r, log);
    memory_free(memory, old_log, r->capacity, sizeof *log);
    r->capacity = (uint32_t)capacity;
    return true;
}

static inline void recency_free(Recency *r, const Memory *memory) {
    memory_free(memory, r->last, r->items, sizeof *r->last);
    memory_free(memory, r->log, r->capacity, sizeof *r->log);
}

/* Makes `item` the youngest. */
static inline void recency_touch(Recency *r, uint32_t item) {
    uint32_t place = r->head;
    r->last[item] = place;
    r->log[place] = item;
    r->head = place + 1;
    if (VMM_UNLIKELY(place + 1 == r->capacity)) {
        recency_compact(r, r->log);
    }
}

static inline void recency_remove(Recency *r, uint32_t item) {
    r->last[item] = RECENCY_NONE;
}

/* The item touched longest ago. There must be one. */
static inline uint32_t recency_oldest(Recency *r) {
    uint32_t tail = r->tail;
    while (!recency_is_live(r, tail)) {
        tail++;
    }
    r->tail = tail;
    if (tail + RECENCY_FETCH < r->head) { /* it will be asked for soon */
        VMM_PREFETCH(&r->last[r->log[tail + RECENCY_FETCH]]);
    }
    return r->log[tail];
}

/* The item touched last. There must be one. */
static inline uint32_t recency_youngest(Recency *r) {
    while (!recency_is_live(r, r->head - 1)) {
        r->head--;
    }
    return r->log[r->head - 1];
}

/* Writes the items from oldest to youngest; returns how many. */
static inline uint32_t recency_list(const Recency *r, uint32_t *items) {
    uint32_t count = 0;
    for (uint32_t place = r->tail; place < r->head; place++) {
        if (recency_is_live(r, place)) {
            items[count++] = r->log[place];
        }
    }
    return count;
}

#endif
