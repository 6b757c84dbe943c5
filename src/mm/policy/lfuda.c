/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LFUDA: least frequently used with dynamic aging.
 *
 * A page's key is K = F + L: its references since it was loaded, and the age L of the memory when
 * it was last referenced. The page with the smallest key leaves, among equals the one unreferenced
 * for longest, and L becomes its key:
 *
 *     L = 5      a: F 3, K 8      b: F 40, K 41 (last hit when L was 1)      c: F 1, K 6, leaves
 *     L = 6      a new page enters with K = 1 + 6
 *
 * So what was popular once is overtaken when L has grown to its frequency, which LFU's dead pages
 * never are. With pages all of one size and cost this is also what GreedyDual-Size with frequency
 * does.
 *
 * variant=libcachesim: a hit adds L to the key, and L is the smallest key after each eviction, 0
 * before the first. Keys then grow geometrically; here they stop at the largest number.
 *
 * Sources: Arlitt, Cherkasova, Dilley, Friedrich and Jin, "Evaluating content management techniques
 * for web proxy caches", Performance Evaluation Review 27(4), 2000.
 */
#include "heap.h"

typedef struct LfudaFrame {
    HeapKey key; /* K, and the place of the last reference among all */
    uint64_t frequency;
} LfudaFrame;

typedef struct Lfuda {
    Policy base;
    LfudaFrame *frames; /* by frame */
    Heap heap;
    uint64_t age; /* L */
    uint64_t references;
    uint32_t reserved;
    uint32_t leaving; /* the frame that victim() has named */
    bool adds_age;    /* variant=libcachesim */
} Lfuda;

static int lfuda_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    ((Lfuda *)policy)->adds_age = params[0] != 0;
    ((Lfuda *)policy)->leaving = POLICY_NO_FRAME;
    return VMM_OK;
}

static void lfuda_destroy(Policy *policy) {
    Lfuda *lfuda = (Lfuda *)policy;
    memory_free(policy->memory, lfuda->frames, lfuda->reserved, sizeof *lfuda->frames);
    heap_free(&lfuda->heap, policy->memory);
}

static bool lfuda_reserve(Policy *policy, uint32_t frames) {
    Lfuda *lfuda = (Lfuda *)policy;
    LfudaFrame *grown =
        memory_grow(policy->memory, lfuda->frames, lfuda->reserved, frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    lfuda->frames = grown;
    lfuda->reserved = frames;
    return heap_reserve(&lfuda->heap, policy->memory, frames);
}

static HeapKey lfuda_key(const Policy *policy, uint32_t frame) {
    return ((const Lfuda *)policy)->frames[frame].key;
}

static inline uint64_t lfuda_add(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline void lfuda_insert(Policy *policy, uint32_t frame) {
    Lfuda *lfuda = (Lfuda *)policy;
    HeapKey key = {lfuda_add(lfuda->age, 1), lfuda->references++};
    lfuda->frames[frame] = (LfudaFrame){key, 1};
    heap_push(&lfuda->heap, frame, key);
}

static inline void lfuda_touch_many(Policy *policy, uint32_t frame, uint32_t count) {
    Lfuda *lfuda = (Lfuda *)policy;
    LfudaFrame *page = &lfuda->frames[frame];
    page->frequency += count;
    if (lfuda->adds_age) {
        uint64_t growth;
        bool overflows = __builtin_mul_overflow(lfuda->age, count, &growth);
        page->key.major = overflows ? UINT64_MAX : lfuda_add(page->key.major, growth);
    } else {
        page->key.major = page->frequency + lfuda->age;
    }
    page->key.minor = lfuda->references++;
}

static inline void lfuda_touch(Policy *policy, uint32_t frame) {
    lfuda_touch_many(policy, frame, 1);
}

/* The frame with the smallest key. There must be one. */
static inline uint32_t lfuda_least(Lfuda *lfuda) {
    while (!heap_top_is(&lfuda->heap, lfuda->frames[lfuda->heap.nodes[0].frame].key)) {}
    return lfuda->heap.nodes[0].frame;
}

static inline uint32_t lfuda_victim(Policy *policy) {
    Lfuda *lfuda = (Lfuda *)policy;
    lfuda->leaving = lfuda_least(lfuda);
    return lfuda->leaving;
}

static inline void lfuda_remove(Policy *policy, uint32_t frame) {
    Lfuda *lfuda = (Lfuda *)policy;
    heap_remove(&lfuda->heap, frame);
    if (frame != lfuda->leaving) {
        return;
    }
    lfuda->leaving = POLICY_NO_FRAME;
    if (!lfuda->adds_age) {
        lfuda->age = lfuda->frames[frame].key.major;
    } else if (lfuda->heap.count > 0) {
        lfuda->age = lfuda->frames[lfuda_least(lfuda)].key.major;
    }
}

static void lfuda_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const LfudaFrame *page = &((const Lfuda *)policy)->frames[victim];
    snprintf(text, size, "smallest key %llu, with %llu references",
             (unsigned long long)page->key.major, (unsigned long long)page->frequency);
}

static uint32_t lfuda_order(Policy *policy, uint32_t *frames) {
    const Lfuda *lfuda = (const Lfuda *)policy;
    for (uint32_t node = 0; node < lfuda->heap.count; node++) {
        frames[node] = lfuda->heap.nodes[node].frame;
    }
    heap_sort(frames, lfuda->heap.count, policy, lfuda_key);
    return lfuda->heap.count;
}

static bool lfuda_is_valid(const Policy *policy) {
    return heap_is_valid(&((const Lfuda *)policy)->heap, policy, lfuda_key);
}

static const PolicyType lfuda_policy = {
    .info.name = "lfuda",
    .info.label = "LFUDA",
    .info.summary = "least frequently used, with an age that old frequency is overtaken by",
    .info.source = "Arlitt, Cherkasova, Dilley, Friedrich, Jin, PER 27(4), 2000",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .state_size = sizeof(Lfuda),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"variant", 0, 0, 1, "libcachesim: a hit adds the age to the key", "paper|libcachesim"},
            {.name = NULL},
        },
    .create = lfuda_create,
    .destroy = lfuda_destroy,
    .reserve = lfuda_reserve,
    .insert = lfuda_insert,
    .touch = lfuda_touch,
    .touch_many = lfuda_touch_many,
    .victim = lfuda_victim,
    .remove = lfuda_remove,
    .why = lfuda_why,
    .order = lfuda_order,
    .is_valid = lfuda_is_valid,
};
