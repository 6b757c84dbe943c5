/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in and out of a pool, and the growth of its arrays. */
#include "pool.h"

#include <string.h>

#include "directory.h"

enum { POOL_FIRST_FRAMES = 16 };

static void pool_bit_cleared(void *host, uint32_t frame) {
    const Pool *pool = host;
    pool->cleared(pool->user, pool->page[frame]);
}

int pool_init(Pool *pool, const PolicySpec *spec, const Policy *base, PoolCleared *cleared,
              void *user, Error *error) {
    *pool = (Pool){.capacity = base->capacity, .cleared = cleared, .user = user};
    Policy told = *base;
    if (cleared != NULL) {
        told.bit_cleared = pool_bit_cleared;
        told.host = pool;
    }
    return policy_create(spec, &told, &pool->policy, error);
}

void pool_free(Pool *pool, const Memory *memory) {
    policy_destroy(pool->policy);
    memory_free(memory, pool->page, pool->reserved, sizeof *pool->page);
    memory_free(memory, pool->dirty, pool->reserved, sizeof *pool->dirty);
    memory_free(memory, pool->free, pool->reserved, sizeof *pool->free);
}

/* Room for more frames in all arrays, the policy's included. */
static bool pool_grow(Pool *pool, const Memory *memory) {
    uint64_t wanted = (uint64_t)pool->reserved + pool->reserved / 2 + POOL_FIRST_FRAMES;
    uint32_t frames = wanted < pool->capacity ? (uint32_t)wanted : pool->capacity;
    uint32_t *page = memory_grow(memory, pool->page, pool->reserved, frames, sizeof *page);
    if (page == NULL) {
        return false;
    }
    memset(page + pool->reserved, 0, (frames - pool->reserved) * sizeof *page);
    pool->page = page;
    uint8_t *dirty = memory_grow(memory, pool->dirty, pool->reserved, frames, sizeof *dirty);
    if (dirty == NULL) {
        return false;
    }
    pool->dirty = dirty;
    uint32_t *stack = memory_grow(memory, pool->free, pool->reserved, frames, sizeof *stack);
    if (stack == NULL) {
        return false;
    }
    pool->free = stack;
    pool->reserved = frames;
    Policy *policy = pool->policy;
    policy->page_of = page;
    policy->dirty = dirty;
    return policy->type->reserve == NULL || policy->type->reserve(policy, frames);
}

uint32_t pool_take_frame(Pool *pool, const Memory *memory, int *status) {
    if (pool->free_count > 0) {
        return pool->free[--pool->free_count];
    }
    if (pool->unused == pool->capacity) {
        return POOL_NO_FRAME;
    }
    if (pool->unused == pool->reserved && !pool_grow(pool, memory)) {
        *status = VMM_E_NO_MEMORY;
        return POOL_NO_FRAME;
    }
    return pool->unused++;
}

void pool_give_back(Pool *pool, uint32_t frame) {
    pool->page[frame] = DIRECTORY_NO_PAGE;
    pool->free[pool->free_count++] = frame;
}
