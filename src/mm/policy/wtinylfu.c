/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W-TinyLFU: a small LRU window before a large main area that only frequent pages get into.
 *
 *                       more frequent than the main area's victim?
 *     new -> [ window: LRU ] -- oldest --> yes: [ probation | protected ]     segmented LRU: a hit
 *                                          no: it leaves       <-- hit -->    in probation protects
 *
 * How often a page is used is estimated by a count-min sketch of all recent references, those of
 * absent pages too: four rows of small counters, in each of which a page has one; a reference
 * increments the smallest of its four (all of them, if equal) up to 15, and the estimate is the
 * smallest. After ten references for each frame all counters are halved, so the sketch forgets.
 * `window` per cent of memory, at least one page, are the window; four fifths of the rest are for
 * protected pages. variant=adaptive moves that share by hill climbing: each ten references for each
 * frame, the window goes on growing or shrinking if that did not cost hits, else turns round; steps
 * begin with 1/16 of memory and get shorter, until the hit ratio changes by 5 per cent.
 *
 * Pages are known to the sketch by their names (vmm_policy_name()), not by the order in which a
 * run numbers them. It cannot forget a single page: one that is given up leaves its counts.
 *
 * variant=libcachesim: ten hashes, 14.3776 counters for each page of the main area, all ten of
 * which are incremented, at misses, hits in the main area and admissions; halved after 32 hits for
 * each page of the main area. The window takes in everything until memory is full. A page that is
 * admitted in place of another is followed by the next of the window, until one is refused: so
 * several may leave at once. New pages of the main area enter probation, or while that is full the
 * protected part. Probation may hold one page too many, for the two parts are rounded down: a hit
 * there that demotes a page then evicts its oldest. A window below one page admits nothing. All
 * this is that program's commit 6d3d368; its Python package 0.3.5 stops after one admission.
 *
 * Sources: Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", ACM
 * TOS 13(4), 2017; climbing: Einziger, Eytan, Friedman and Manes, "Adaptive software cache
 * management", Middleware 2018.
 */
#include "../../base/rng.h"
#include "queued.h"
#include "xxh64.h"

enum { TINY_WINDOW, TINY_PROBATION, TINY_PROTECTED, TINY_LEAVING, TINY_QUEUES };

enum { TINY_ADAPTIVE = 1, TINY_LIBCACHESIM };

enum {
    TINY_ROWS = 4,
    TINY_MOST = 15,      /* a counter */
    TINY_WIDEST = 26,    /* log2 of the counters of a row */
    TINY_PERIOD = 10,    /* references for each frame between two halvings */
    TINY_PEER_ROWS = 10, /* libCacheSim's hashes */
    TINY_PEER_SEED_A = 0x12345678,
    TINY_PEER_SEED_B = 0x12344321,
    TINY_PEER_PERIOD = 32
};

/* The hash of a page, from which its counters follow; made when it is missed. */
typedef struct TinyPage {
    uint32_t start, stride;
} TinyPage;

typedef struct TinyLfu {
    Queued queued;
    List queues[TINY_QUEUES]; /* TINY_LEAVING: frames that leave with the victim */
    uint32_t *counters;       /* TINY_ROWS rows of `width`, or libCacheSim's, all in one */
    uint64_t width;
    uint64_t counted; /* references, or hits, since the last halving */
    uint64_t period;
    uint32_t window_limit, probation_limit, protected_limit;
    uint32_t candidate; /* estimates of the last admission */
    uint32_t rival;
    bool as_peer;

    bool climbs;
    uint64_t hits, requests; /* of this sample */
    double last_ratio;       /* hits of requests in the sample before; below 0: there is none */
    double step;             /* frames; its sign is the direction */
} TinyLfu;

/* ---- The sketch ----------------------------------------------------------------------------- */

static inline uint64_t tiny_count(const TinyLfu *tiny) {
    return tiny->as_peer ? tiny->width : TINY_ROWS * tiny->width;
}

static inline const TinyPage *tiny_page(const TinyLfu *tiny, uint32_t page) {
    return (const TinyPage *)tiny->queued.base.page_state + page;
}

static void tiny_name(const TinyLfu *tiny, uint32_t page) {
    uint64_t name = vmm_policy_name(&tiny->queued.base, page);
    TinyPage *state = (TinyPage *)tiny->queued.base.page_state + page;
    if (tiny->as_peer) {
        state->start = (uint32_t)xxh64_of_word(name, TINY_PEER_SEED_A);
        state->stride = (uint32_t)xxh64_of_word(name, TINY_PEER_SEED_B);
    } else {
        uint64_t hash = rng_mix(name);
        state->start = (uint32_t)hash;
        state->stride = (uint32_t)(hash >> 32);
    }
}

/* The counter of a page in a row. */
static inline uint32_t *tiny_counter(const TinyLfu *tiny, const TinyPage *page, uint32_t row) {
    uint32_t hash = page->start + row * page->stride;
    return tiny->as_peer ? &tiny->counters[hash % tiny->width]
                         : &tiny->counters[row * tiny->width + (hash & (tiny->width - 1))];
}

static uint32_t tiny_estimate(const TinyLfu *tiny, uint32_t frame) {
    const TinyPage *page = tiny_page(tiny, tiny->queued.base.page_of[frame]);
    uint32_t rows = tiny->as_peer ? TINY_PEER_ROWS : TINY_ROWS;
    uint32_t least = UINT32_MAX;
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t count = *tiny_counter(tiny, page, row);
        least = count < least ? count : least;
    }
    return least;
}

static VMM_NOINLINE void tiny_halve(TinyLfu *tiny) {
    uint64_t count = tiny_count(tiny);
    for (uint64_t i = 0; i < count; i++) {
        tiny->counters[i] /= 2;
    }
}

/* A reference, of those that bring the next halving nearer. */
static inline void tiny_age(TinyLfu *tiny) {
    if (VMM_UNLIKELY(++tiny->counted >= tiny->period)) {
        tiny_halve(tiny);
        tiny->counted = tiny->as_peer ? 0 : tiny->period / 2;
    }
}

static inline void tiny_add(TinyLfu *tiny, uint32_t number) {
    const TinyPage *page = tiny_page(tiny, number);
    if (tiny->as_peer) {
        for (uint32_t row = 0; row < TINY_PEER_ROWS; row++) {
            ++*tiny_counter(tiny, page, row);
        }
        return;
    }
    uint32_t *counters[TINY_ROWS];
    uint32_t least = TINY_MOST;
    for (uint32_t row = 0; row < TINY_ROWS; row++) {
        counters[row] = tiny_counter(tiny, page, row);
        least = *counters[row] < least ? *counters[row] : least;
    }
    for (uint32_t row = 0; row < TINY_ROWS; row++) {
        *counters[row] += *counters[row] == least && least < TINY_MOST;
    }
    tiny_age(tiny);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static int tiny_make_sketch(TinyLfu *tiny, uint32_t main_pages, char *error) {
    uint32_t capacity = tiny->queued.base.capacity;
    if (tiny->as_peer) {
        /* ceil(14.3776 * pages), in whole numbers */
        tiny->width = ((uint64_t)main_pages * 143776 + 9999) / 10000;
        tiny->width += tiny->width == 0;
        tiny->period = TINY_PEER_PERIOD * (uint64_t)main_pages;
    } else {
        unsigned bits = 4;
        while (bits < TINY_WIDEST && UINT64_C(1) << bits < capacity) {
            bits++;
        }
        tiny->width = UINT64_C(1) << bits;
        tiny->period = TINY_PERIOD * (uint64_t)capacity;
    }
    tiny->counters =
        vmm_policy_grow(&tiny->queued.base, NULL, 0, tiny_count(tiny), sizeof *tiny->counters);
    if (tiny->counters == NULL) {
        snprintf(error, VMM_ERROR_TEXT_BYTES, "out of memory for the sketch of %llu counters",
                 (unsigned long long)tiny_count(tiny));
        return VMM_E_NO_MEMORY;
    }
    return VMM_OK;
}

static void tiny_set_window(TinyLfu *tiny, uint32_t pages) {
    uint32_t main_pages = tiny->queued.base.capacity - pages;
    tiny->window_limit = pages;
    tiny->probation_limit = main_pages / 5;
    tiny->protected_limit = (uint32_t)((uint64_t)main_pages * 4 / 5);
}

static int wtinylfu_create(Policy *policy, const uint64_t *params, char *error) {
    TinyLfu *tiny = (TinyLfu *)policy;
    queued_create(&tiny->queued, 0);
    for (unsigned i = 0; i < TINY_QUEUES; i++) {
        tiny->queues[i] = LIST_EMPTY;
    }
    tiny->climbs = params[1] == TINY_ADAPTIVE;
    tiny->as_peer = params[1] == TINY_LIBCACHESIM;
    tiny->last_ratio = -1;
    tiny->step = policy->capacity / 16.0;
    uint32_t window = queued_share(policy, params[0]);
    tiny_set_window(tiny, window > 0 || tiny->as_peer ? window : 1);
    return tiny_make_sketch(tiny, policy->capacity - tiny->window_limit, error);
}

static void wtinylfu_destroy(Policy *policy) {
    TinyLfu *tiny = (TinyLfu *)policy;
    vmm_policy_free(policy, tiny->counters, tiny_count(tiny), sizeof *tiny->counters);
    queued_destroy(policy);
}

/* ---- The queues ------------------------------------------------------------------------------ */

static void tiny_move(TinyLfu *tiny, uint32_t frame, uint32_t to) {
    ListLinks links = queued_links(&tiny->queued);
    list_remove(&tiny->queues[tiny->queued.frames[frame].queue], links, frame);
    queued_append(&tiny->queued, &tiny->queues[to], to, frame);
}

static inline uint32_t tiny_main_count(const TinyLfu *tiny) {
    return tiny->queues[TINY_PROBATION].count + tiny->queues[TINY_PROTECTED].count;
}

/* The page of the main area that would leave; LIST_NONE: it is empty. */
static uint32_t tiny_main_victim(const TinyLfu *tiny) {
    uint32_t frame = tiny->queues[TINY_PROBATION].oldest;
    return frame != LIST_NONE ? frame : tiny->queues[TINY_PROTECTED].oldest;
}

/* From the window to the main area. */
static void tiny_admit(TinyLfu *tiny, uint32_t frame) {
    bool above = tiny->as_peer && tiny->queues[TINY_PROBATION].count >= tiny->probation_limit &&
                 tiny->queues[TINY_PROTECTED].count < tiny->protected_limit;
    tiny_move(tiny, frame, above ? TINY_PROTECTED : TINY_PROBATION);
}

/* libCacheSim's, when a page was demoted to probation: what is too much there leaves. */
static void tiny_evict_on_hit(TinyLfu *tiny) {
    ListLinks links = queued_links(&tiny->queued);
    uint32_t frame = tiny->queues[TINY_PROBATION].oldest;
    for (uint32_t count = tiny->queues[TINY_PROBATION].count; count > tiny->probation_limit;
         count--) {
        vmm_policy_part_with(&tiny->queued.base, frame);
        frame = list_younger(links, frame);
    }
}

/* A hit in the main area. */
static void tiny_protect(TinyLfu *tiny, uint32_t frame) {
    if (tiny->queued.frames[frame].queue == TINY_PROTECTED) {
        list_renew(&tiny->queues[TINY_PROTECTED], queued_links(&tiny->queued), frame);
        return;
    }
    tiny_move(tiny, frame, TINY_PROTECTED);
    bool demotes = tiny->queues[TINY_PROTECTED].count > tiny->protected_limit;
    while (tiny->queues[TINY_PROTECTED].count > tiny->protected_limit) {
        tiny_move(tiny, tiny->queues[TINY_PROTECTED].oldest, TINY_PROBATION);
    }
    if (tiny->as_peer && demotes) {
        tiny_evict_on_hit(tiny);
    }
}

/* ---- Hill climbing --------------------------------------------------------------------------- */

/* The sample is full: the window takes one more step, in the same direction or the other. */
static VMM_NOINLINE void tiny_climb(TinyLfu *tiny) {
    double capacity = tiny->queued.base.capacity;
    double ratio = (double)tiny->hits / (double)tiny->requests;
    double change = tiny->last_ratio < 0 ? 0 : ratio - tiny->last_ratio;
    double direction = (tiny->step < 0) == (change < 0) ? 1 : -1;
    double size = tiny->step < 0 ? -tiny->step : tiny->step;
    bool restart = change >= 0.05 || change <= -0.05;
    size = restart ? capacity / 16 : size * 0.98;
    double window = tiny->window_limit + direction * size;
    double most = capacity * 0.8;
    window = window > most ? most : window;
    tiny_set_window(tiny, window < 1 ? 1 : (uint32_t)window);
    tiny->step = direction * size;
    tiny->last_ratio = ratio;
    tiny->hits = 0;
    tiny->requests = 0;
}

static inline void tiny_sample(TinyLfu *tiny, bool hit) {
    tiny->hits += hit;
    if (VMM_UNLIKELY(++tiny->requests >= TINY_PERIOD * (uint64_t)tiny->queued.base.capacity)) {
        tiny_climb(tiny);
    }
}

/* ---- Hooks ----------------------------------------------------------------------------------- */

static void wtinylfu_miss(Policy *policy, uint32_t page) {
    TinyLfu *tiny = (TinyLfu *)policy;
    tiny_name(tiny, page);
    if (!tiny->as_peer) {
        tiny_add(tiny, page);
    }
    if (tiny->climbs) {
        tiny_sample(tiny, false);
    }
}

/* Whether the window's oldest page is used more than the one that would leave the main area. */
static bool tiny_is_better(TinyLfu *tiny, uint32_t candidate, uint32_t rival) {
    tiny->candidate = tiny_estimate(tiny, candidate);
    tiny->rival = tiny_estimate(tiny, rival);
    return tiny->candidate > tiny->rival;
}

/* libCacheSim's: notes all frames that leave in TINY_LEAVING. Each page moves once at most. */
static void tiny_evict_as_peer(TinyLfu *tiny) {
    const uint32_t *page_of = tiny->queued.base.page_of;
    for (;;) {
        uint32_t frame = tiny->queues[TINY_WINDOW].oldest;
        uint32_t rival = tiny_main_victim(tiny);
        if (frame == LIST_NONE) {
            tiny_move(tiny, rival, TINY_LEAVING);
            return;
        }
        bool has_room = tiny_main_count(tiny) < tiny->queued.base.capacity - tiny->window_limit;
        bool admitted = has_room || (rival != LIST_NONE && tiny_is_better(tiny, frame, rival));
        if (admitted) {
            if (!has_room) {
                tiny_move(tiny, rival, TINY_LEAVING);
            }
            tiny_admit(tiny, frame);
        } else {
            tiny_move(tiny, frame, TINY_LEAVING);
        }
        tiny_add(tiny, page_of[frame]);
        if (!admitted) {
            return;
        }
    }
}

/* While the window is smaller than it may be, the main area gives way. */
static uint32_t wtinylfu_victim(Policy *policy) {
    TinyLfu *tiny = (TinyLfu *)policy;
    if (tiny->as_peer) {
        tiny_evict_as_peer(tiny);
        return tiny->queues[TINY_LEAVING].oldest;
    }
    uint32_t rival = tiny_main_victim(tiny);
    uint32_t candidate = tiny->queues[TINY_WINDOW].oldest;
    if (rival == LIST_NONE) {
        return candidate;
    }
    bool is_full = tiny->queues[TINY_WINDOW].count >= tiny->window_limit;
    return !is_full || tiny_is_better(tiny, candidate, rival) ? rival : candidate;
}

static void wtinylfu_insert(Policy *policy, uint32_t frame) {
    TinyLfu *tiny = (TinyLfu *)policy;
    queued_append(&tiny->queued, &tiny->queues[TINY_WINDOW], TINY_WINDOW, frame);
    if (tiny->as_peer) {
        ListLinks links = queued_links(&tiny->queued);
        uint32_t next = tiny->queues[TINY_LEAVING].oldest;
        for (; next != LIST_NONE; next = list_younger(links, next)) {
            vmm_policy_part_with(policy, next);
        }
        if (tiny->window_limit == 0) {
            vmm_policy_part_with(policy, frame);
        }
        tiny_add(tiny, policy->page_of[frame]);
        return;
    }
    while (tiny->queues[TINY_WINDOW].count > tiny->window_limit) {
        tiny_admit(tiny, tiny->queues[TINY_WINDOW].oldest);
    }
}

static void wtinylfu_touch(Policy *policy, uint32_t frame) {
    TinyLfu *tiny = (TinyLfu *)policy;
    bool in_window = tiny->queued.frames[frame].queue == TINY_WINDOW;
    if (in_window) {
        list_renew(&tiny->queues[TINY_WINDOW], queued_links(&tiny->queued), frame);
    } else {
        tiny_protect(tiny, frame);
    }
    if (!tiny->as_peer || !in_window) {
        tiny_add(tiny, policy->page_of[frame]);
    }
    if (tiny->as_peer && !in_window) {
        tiny_age(tiny);
    }
    if (tiny->climbs) {
        tiny_sample(tiny, true);
    }
}

static void wtinylfu_remove(Policy *policy, uint32_t frame) {
    TinyLfu *tiny = (TinyLfu *)policy;
    list_remove(&tiny->queues[tiny->queued.frames[frame].queue], queued_links(&tiny->queued),
                frame);
}

static void wtinylfu_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const TinyLfu *tiny = (const TinyLfu *)policy;
    static const char *const names[TINY_QUEUES] = {"the window", "probation", "protected",
                                                   "window or main"};
    snprintf(text, size, "oldest of %s; window %u of %u; estimates %u against main's %u",
             names[tiny->queued.frames[victim].queue], tiny->queues[TINY_WINDOW].count,
             tiny->window_limit, tiny->candidate, tiny->rival);
}

static bool wtinylfu_is_valid(const Policy *policy) {
    const TinyLfu *tiny = (const TinyLfu *)policy;
    for (uint32_t i = 0; i < TINY_QUEUES; i++) {
        if (!queued_is_valid(&tiny->queued, &tiny->queues[i], i)) {
            return false;
        }
    }
    return tiny->window_limit <= policy->capacity &&
           (tiny->climbs || tiny->queues[TINY_PROTECTED].count <= tiny->protected_limit);
}

static const PolicyType wtinylfu_policy = {
    .info.name = "wtinylfu",
    .info.label = "W-TinyLFU",
    .info.summary = "a window, then admission by estimated frequency",
    .info.source = "Einziger, Friedman, Manes, ACM TOS 13(4), 2017",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .parts_on_touch = true,
    .state_size = sizeof(TinyLfu),
    .page_state_size = sizeof(TinyPage),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"window", 1, 0, 100, "per cent of memory for the window", NULL},
            {"variant", 0, 0, 2,
             "adaptive: the window climbs; libcachesim: another sketch, several evictions at once",
             "paper|adaptive|libcachesim"},
            {.name = NULL},
        },
    .create = wtinylfu_create,
    .destroy = wtinylfu_destroy,
    .reserve = queued_reserve,
    .miss = wtinylfu_miss,
    .insert = wtinylfu_insert,
    .touch = wtinylfu_touch,
    .victim = wtinylfu_victim,
    .remove = wtinylfu_remove,
    .why = wtinylfu_why,
    .is_valid = wtinylfu_is_valid,
};
