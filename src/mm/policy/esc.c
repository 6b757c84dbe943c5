/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enhanced second chance: a clock that looks at the accessed (R) and the modified (M) bit.
 *
 *             hand
 *              v
 *      | 1,0 | 0,1 | 1,1 | 0,0 | 1,0 |        R, M of each frame
 *
 * 1. The hand goes round once and takes the first page with R = 0, M = 0, changing nothing.
 * 2. Failing that, it goes round again and takes the first with R = 0, M = 1; the R bits of pages
 *    that it passes are cleared.
 * 3. Failing that, all R bits are 0 now and the hand is where it was: 1 and if need be 2 again.
 *
 * So an unused clean page goes before an unused dirty one, which goes before a used one. A page is
 * loaded with R = 1, for the load was a use. The hand then stands behind the victim.
 *
 * As written, step 1 would go over all of memory for each fault of a program whose pages are all
 * dirty. But pages get R = 0 only in step 2, which is taken only when no page has R = 0, M = 0; so
 * all that can ever be such pages are those that step 2 cleared last, in the order of the ring.
 * They wait in a queue, and step 1 looks at these alone, each once. Step 2 passes only pages with R
 * = 1, and each of these bits was set by a reference: amortised constant work a fault.
 *
 * Sources: the virtual memory of the Macintosh, in Goldman, "Mac VM revealed", BYTE, November 1989;
 * Stallings, "Operating Systems"; Silberschatz, Galvin, Gagne, "Operating System Concepts".
 */
#include "policy.h"

typedef struct Esc {
    Policy base;
    uint8_t *referenced; /* by frame: R */
    uint32_t *waiting;   /* frames whose R bit was cleared while M was 0, in order of the ring */
    uint32_t first, end; /* of these, those that step 1 has not looked at */
    uint32_t hand;
    uint32_t reserved;
} Esc;

static void esc_destroy(Policy *policy) {
    Esc *esc = (Esc *)policy;
    memory_free(policy->memory, esc->referenced, esc->reserved, 1);
    memory_free(policy->memory, esc->waiting, esc->reserved, sizeof *esc->waiting);
}

static bool esc_reserve(Policy *policy, uint32_t frames) {
    Esc *esc = (Esc *)policy;
    uint8_t *referenced = memory_grow(policy->memory, esc->referenced, esc->reserved, frames, 1);
    if (referenced == NULL) {
        return false;
    }
    esc->referenced = referenced;
    uint32_t *waiting =
        memory_grow(policy->memory, esc->waiting, esc->reserved, frames, sizeof *waiting);
    if (waiting == NULL) {
        return false;
    }
    esc->waiting = waiting;
    esc->reserved = frames;
    return true;
}

static inline void esc_touch(Policy *policy, uint32_t frame) {
    ((Esc *)policy)->referenced[frame] = 1;
}

static inline uint32_t esc_next(const Esc *esc, uint32_t frame) {
    return frame + 1 == esc->base.capacity ? 0 : frame + 1;
}

/* How far a frame is from the hand. */
static uint32_t esc_distance(const Esc *esc, uint32_t frame) {
    return frame >= esc->hand ? frame - esc->hand : esc->base.capacity - esc->hand + frame;
}

/* A page that is clean without having left (MADV_FREE) waits at its place in the ring. */
static void esc_cleaned(Policy *policy, uint32_t frame) {
    Esc *esc = (Esc *)policy;
    uint32_t at = esc->first;
    while (at < esc->end && esc_distance(esc, esc->waiting[at]) < esc_distance(esc, frame)) {
        at++;
    }
    if (esc->referenced[frame] != 0 || (at < esc->end && esc->waiting[at] == frame)) {
        return;
    }
    if (esc->first > 0) { /* room before, else behind: each frame waits once */
        memmove(&esc->waiting[esc->first - 1], &esc->waiting[esc->first],
                (at - esc->first) * sizeof frame);
        esc->first--;
        at--;
    } else {
        memmove(&esc->waiting[at + 1], &esc->waiting[at], (esc->end - at) * sizeof frame);
        esc->end++;
    }
    esc->waiting[at] = frame;
}

/* Step 1: a frame with both bits 0, or POLICY_NO_FRAME. */
static inline uint32_t esc_find_clean(Esc *esc) {
    while (esc->first < esc->end) {
        uint32_t frame = esc->waiting[esc->first++];
        if (esc->referenced[frame] == 0 && esc->base.dirty[frame] == 0) {
            return frame;
        }
    }
    return POLICY_NO_FRAME;
}

/* Step 2: a frame with R = 0, which is dirty since step 1 failed; POLICY_NO_FRAME after a turn. */
static inline uint32_t esc_find_dirty(Esc *esc) {
    esc->first = 0;
    esc->end = 0;
    for (uint32_t passed = 0; passed < esc->base.capacity; passed++) {
        uint32_t frame = esc->hand;
        if (esc->referenced[frame] == 0) {
            VMM_CHECK(esc->base.dirty[frame] != 0);
            return frame;
        }
        esc->referenced[frame] = 0;
        if (esc->base.bit_cleared != NULL) {
            esc->base.bit_cleared(esc->base.host, frame);
        }
        esc->waiting[esc->end] = frame;
        esc->end += esc->base.dirty[frame] == 0;
        esc->hand = esc_next(esc, frame);
    }
    return POLICY_NO_FRAME;
}

/* The pool is full when a victim is asked for, so every frame below capacity holds a page. */
static inline uint32_t esc_victim(Policy *policy) {
    Esc *esc = (Esc *)policy;
    uint32_t victim = POLICY_NO_FRAME;
    while (victim == POLICY_NO_FRAME) {
        victim = esc_find_clean(esc);
        if (victim == POLICY_NO_FRAME) {
            victim = esc_find_dirty(esc);
        }
    }
    esc->hand = esc_next(esc, victim);
    return victim;
}

static void esc_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    snprintf(text, size, "first from the hand with R=0 M=%u%s", policy->dirty[victim],
             policy->dirty[victim] != 0 ? ", for no page has R=0 M=0" : "");
}

static const PolicyType esc_policy = {
    .info.name = "esc",
    .info.alias = "enhanced_second_chance",
    .info.label = "Enhanced second chance",
    .info.summary = "a clock that takes unused clean pages before unused dirty ones",
    .info.source = "Goldman, BYTE 11/1989; Silberschatz, Galvin, Gagne",
    .info.needs = VMM_NEEDS_ACCESSED_BIT,
    .touch_once = true,
    .state_size = sizeof(Esc),
    .destroy = esc_destroy,
    .reserve = esc_reserve,
    .insert = esc_touch,
    .touch = esc_touch,
    .cleaned = esc_cleaned,
    .victim = esc_victim,
    .why = esc_why,
};
