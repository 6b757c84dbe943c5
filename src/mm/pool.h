/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool: frames that are given to pages and taken away by one policy instance. The machine has
 * one pool, or with scope = process one for each process. What is known of a frame lies in arrays
 * by frame number; they grow with the frames really used, so a huge memory costs nothing until it
 * is touched.
 */
#ifndef VMM_MM_POOL_H
#define VMM_MM_POOL_H

#include <stdint.h>

#include "../base/error.h"
#include "../base/memory.h"
#include "policy/policy.h"

#define POOL_NO_FRAME POLICY_NO_FRAME

/* The accessed bit of the page, which is in a frame, was cleared. */
typedef void PoolCleared(void *user, uint32_t page);

typedef struct Pool {
    uint32_t *page; /* by frame: the page id in it, DIRECTORY_NO_PAGE if none */
    uint8_t *dirty; /* by frame: 1 if the page was written since it was loaded */
    uint32_t *free; /* stack of frames that held a page and were given back */
    Policy *policy;
    PoolCleared *cleared; /* with young-flush: who is to hear of accessed bits that are cleared */
    void *user;
    uint32_t capacity;
    uint32_t reserved; /* frames the arrays have room for */
    uint32_t rooms[3]; /* of the three arrays, each: they are alike unless memory ran out */
    uint32_t unused;   /* the first frame never used */
    uint32_t free_count;
    uint32_t peak;       /* most pages at a time, */
    uint64_t reclaimed;  /* pages that left because the pool was full, */
    uint64_t given_up;   /* and because memory as a whole was short */
    uint32_t locked;     /* frames whose pages are locked */
    uint64_t references; /* page references of this pool, completed */
    uint64_t space_time; /* resident pages, summed over the page references until `settled` */
    uint64_t settled;
} Pool;

/*
 * `base` carries what the policy is to know (see policy_create). `cleared` is NULL unless somebody
 * is to hear of it when an accessed bit is cleared; the pool must then not move in memory.
 */
int pool_init(Pool *pool, const PolicySpec *spec, const Policy *base, PoolCleared *cleared,
              void *user, Error *error);
void pool_free(Pool *pool, const Memory *memory);

/* A free frame, or POOL_NO_FRAME if all hold pages. VMM_E_NO_MEMORY goes to *status. */
uint32_t pool_take_frame(Pool *pool, const Memory *memory, int *status);

/* A frame that holds no page any more goes back. */
void pool_give_back(Pool *pool, uint32_t frame);

static inline uint32_t pool_resident(const Pool *pool) {
    return pool->unused - pool->free_count;
}

static inline bool pool_has_free_frame(const Pool *pool) {
    return pool_resident(pool) < pool->capacity;
}

/*
 * Of a policy that uses the clock: counts the resident pages after each page reference up to
 * `reference`, before their number changes.
 */
static inline void pool_settle(Pool *pool, uint64_t reference) {
    pool->space_time += pool_resident(pool) * (reference - pool->settled);
    pool->settled = reference;
}

/* Resident pages, summed over all page references; 0 where nobody uses the clock, and in a pool
   whose policy could not be made. */
static inline uint64_t pool_space_time(const Pool *pool) {
    if (pool->policy == NULL) {
        return 0;
    }
    return pool->space_time + pool_resident(pool) * (pool->policy->clock - pool->settled);
}

/* How many of the next `count` page references come before the policy's next tick is due. */
static inline uint64_t pool_until_tick(const Pool *pool, uint64_t count) {
    uint64_t period = pool->policy->period;
    if (period == 0) {
        return count;
    }
    uint64_t left = period - pool->references % period;
    return left < count ? left : count;
}

#endif
