/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in and out of a pool, and the growth of its arrays. */
#include "pool.h"

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
    memory_free(memory, pool->page, pool->rooms[0], sizeof *pool->page);
    memory_free(memory, pool->dirty, pool->rooms[1], sizeof *pool->dirty);
    memory_free(memory, pool->free, pool->rooms[2], sizeof *pool->free);
}

static bool pool_grow_array(const Memory *memory, void **array, uint32_t *room, uint32_t wanted,
                            size_t size) {
    void *grown = *room < wanted ? memory_grow(memory, *array, *room, wanted, size) : *array;
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *room = wanted;
    return true;
}

/* Room for more frames in all arrays, the policy's included. */
static bool pool_grow(Pool *pool, const Memory *memory) {
    uint64_t wanted = (uint64_t)pool->reserved + pool->reserved / 2 + POOL_FIRST_FRAMES;
    uint32_t frames = wanted < pool->capacity ? (uint32_t)wanted : pool->capacity;
    bool grown =
        pool_grow_array(memory, (void **)&pool->page, &pool->rooms[0], frames, sizeof(uint32_t)) &&
        pool_grow_array(memory, (void **)&pool->dirty, &pool->rooms[1], frames, 1) &&
        pool_grow_array(memory, (void **)&pool->free, &pool->rooms[2], frames, sizeof(uint32_t));
    for (uint32_t frame = pool->reserved; grown && frame < frames; frame++) {
        pool->page[frame] = DIRECTORY_NO_PAGE;
    }
    Policy *policy = pool->policy;
    policy->page_of = pool->page; /* some have moved, even if others could not */
    policy->dirty = pool->dirty;
    pool->reserved = grown ? frames : pool->reserved;
    return grown && (policy->type->reserve == NULL || policy->type->reserve(policy, frames));
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
