/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approximate LRU by aging: a shift register of accessed bits for each page.
 *
 * Every `period` page references each page's R bit is shifted into the top of its counter of
 * `bits` bits and cleared:
 *
 *     count = count >> 1 | R << (bits - 1)          1000 0000 -> 0100 0000 -> 1010 0000
 *
 * so the counter orders pages by recency in units of the period. The page with the smallest
 * counter leaves; among equals the first at or after a hand that goes round the frames, so that
 * ties are served in FIFO order and not always at frame 0. A page is loaded with R = 0 and, with
 * enter = 1, the top bit set, as if the load had been seen by the last tick; with enter = 0 a
 * fresh page is the first to go. Source: Tanenbaum, "Modern Operating Systems", aging (NFU).
 *
 * Counters lie side by side in the narrowest integers that hold them, so that aging and the
 * search for the minimum are plain loops that the compiler vectorises (8 bits: 16 to 64 pages an
 * instruction). Between two ticks counters change only by loading, so the smallest value found is
 * kept and the hand looks for that value first: a full search happens once for each value.
 */
#include <string.h>

#include "policy.h"

typedef struct ApproxLru {
    Policy base;
    void *count;         /* by frame: uint8_t, uint16_t or uint32_t */
    uint8_t *referenced; /* by frame: the R bit */
    uint32_t used;       /* frames 0 .. used - 1 have been loaded at least once */
    uint32_t hand;
    uint32_t reserved;
    uint32_t smallest; /* no counter is below it */
    unsigned bits;
    bool enter;
} ApproxLru;

/* The loops over all frames, for one width of counter. */
#define APPROXLRU_WIDTH(bits, type)                                                               \
    VMM_VECTORISED static void approxlru_age_##bits(                                              \
        type *restrict count, uint8_t *restrict referenced, uint32_t frames) {                    \
        for (uint32_t frame = 0; frame < frames; frame++) {                                       \
            count[frame] = (type)(count[frame] >> 1 | (type)referenced[frame] << (bits - 1));     \
            referenced[frame] = 0;                                                                \
        }                                                                                         \
    }                                                                                             \
    VMM_VECTORISED static uint32_t approxlru_minimum_##bits(const type *count, uint32_t frames) { \
        type minimum = count[0];                                                                  \
        for (uint32_t frame = 1; frame < frames; frame++) {                                       \
            minimum = count[frame] < minimum ? count[frame] : minimum;                            \
        }                                                                                         \
        return minimum;                                                                           \
    }

APPROXLRU_WIDTH(8, uint8_t)
APPROXLRU_WIDTH(16, uint16_t)
APPROXLRU_WIDTH(32, uint32_t)

static void approxlru_age(ApproxLru *lru) {
    if (lru->bits == 8) {
        approxlru_age_8(lru->count, lru->referenced, lru->used);
    } else if (lru->bits == 16) {
        approxlru_age_16(lru->count, lru->referenced, lru->used);
    } else {
        approxlru_age_32(lru->count, lru->referenced, lru->used);
    }
}

static uint32_t approxlru_minimum(const ApproxLru *lru) {
    return lru->bits == 8    ? approxlru_minimum_8(lru->count, lru->used)
           : lru->bits == 16 ? approxlru_minimum_16(lru->count, lru->used)
                             : approxlru_minimum_32(lru->count, lru->used);
}

static uint32_t approxlru_count(const ApproxLru *lru, uint32_t frame) {
    return lru->bits == 8    ? ((const uint8_t *)lru->count)[frame]
           : lru->bits == 16 ? ((const uint16_t *)lru->count)[frame]
                             : ((const uint32_t *)lru->count)[frame];
}

/* The first frame of [from, to) whose counter is `value`, or `to`. */
static uint32_t approxlru_find(const ApproxLru *lru, uint32_t from, uint32_t to, uint32_t value) {
    if (lru->bits == 8) {
        const uint8_t *count = lru->count;
        const uint8_t *found = from < to ? memchr(count + from, (int)value, to - from) : NULL;
        return found == NULL ? to : (uint32_t)(found - count);
    }
    while (from < to && approxlru_count(lru, from) != value) {
        from++;
    }
    return from;
}

static int approxlru_check(const uint64_t *params, char *error) {
    if (params[1] != 8 && params[1] != 16 && params[1] != 32) {
        snprintf(error, VMM_ERROR_TEXT_BYTES, "approxlru: bits is %llu, expected 8, 16 or 32",
                 (unsigned long long)params[1]);
        return VMM_E_RANGE;
    }
    return VMM_OK;
}

static int approxlru_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    ApproxLru *lru = (ApproxLru *)policy;
    policy->period = params[0];
    lru->bits = (unsigned)params[1];
    lru->enter = params[2] != 0;
    return VMM_OK;
}

static void approxlru_destroy(Policy *policy) {
    ApproxLru *lru = (ApproxLru *)policy;
    memory_free(policy->memory, lru->count, lru->reserved, lru->bits / 8);
    memory_free(policy->memory, lru->referenced, lru->reserved, 1);
}

static bool approxlru_reserve(Policy *policy, uint32_t frames) {
    ApproxLru *lru = (ApproxLru *)policy;
    void *count = memory_grow(policy->memory, lru->count, lru->reserved, frames, lru->bits / 8);
    if (count == NULL) {
        return false;
    }
    lru->count = count;
    uint8_t *referenced = memory_grow(policy->memory, lru->referenced, lru->reserved, frames, 1);
    if (referenced == NULL) {
        return false;
    }
    lru->referenced = referenced;
    lru->reserved = frames;
    return true;
}

static void approxlru_insert(Policy *policy, uint32_t frame) {
    ApproxLru *lru = (ApproxLru *)policy;
    uint32_t count = lru->enter ? UINT32_C(1) << (lru->bits - 1) : 0;
    if (lru->bits == 8) {
        ((uint8_t *)lru->count)[frame] = (uint8_t)count;
    } else if (lru->bits == 16) {
        ((uint16_t *)lru->count)[frame] = (uint16_t)count;
    } else {
        ((uint32_t *)lru->count)[frame] = count;
    }
    lru->referenced[frame] = 0;
    lru->smallest = count < lru->smallest ? count : lru->smallest;
    lru->used = frame >= lru->used ? frame + 1 : lru->used;
}

static inline void approxlru_touch(Policy *policy, uint32_t frame) {
    ((ApproxLru *)policy)->referenced[frame] = 1;
}

/* The pool is full when a victim is asked for, so every frame below `used` holds a page. */
static uint32_t approxlru_victim(Policy *policy) {
    ApproxLru *lru = (ApproxLru *)policy;
    for (;;) {
        uint32_t frame = approxlru_find(lru, lru->hand, lru->used, lru->smallest);
        if (frame == lru->used) {
            frame = approxlru_find(lru, 0, lru->hand, lru->smallest);
            if (frame == lru->hand) {
                lru->smallest = approxlru_minimum(lru);
                continue;
            }
        }
        lru->hand = frame + 1 == lru->used ? 0 : frame + 1;
        return frame;
    }
}

static void approxlru_tick(Policy *policy) {
    ApproxLru *lru = (ApproxLru *)policy;
    for (uint32_t frame = 0; policy->bit_cleared != NULL && frame < lru->used; frame++) {
        if (lru->referenced[frame] != 0) {
            policy->bit_cleared(policy->host, frame);
        }
    }
    approxlru_age(lru);
    lru->smallest = 0;
}

static void approxlru_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const ApproxLru *lru = (const ApproxLru *)policy;
    snprintf(text, size, "smallest age counter (0x%x) from the hand (frame %u)", lru->smallest,
             victim);
}

static const PolicyType approxlru_policy = {
    .info.name = "approxlru",
    .info.alias = "aging",
    .info.label = "Approx-LRU",
    .info.summary = "LRU approximated by aging: periodic shifts of accessed bits",
    .info.source = "Tanenbaum, Modern Operating Systems (aging)",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .touch_last = true,
    .state_size = sizeof(ApproxLru),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"period", 1000, 1, UINT32_MAX, "page references between two shifts", NULL},
            {"bits", 8, 8, 32, "width of the counters: 8, 16 or 32", NULL},
            {"enter", 1, 0, 1, "top bit of the counter of a page that was just loaded", NULL},
            {.name = NULL},
        },
    .check = approxlru_check,
    .create = approxlru_create,
    .destroy = approxlru_destroy,
    .reserve = approxlru_reserve,
    .insert = approxlru_insert,
    .touch = approxlru_touch,
    .victim = approxlru_victim,
    .tick = approxlru_tick,
    .why = approxlru_why,
};
