/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacement policies, each by itself: what every one of them must keep to (all that the registry
 * lists, so a new one is tested without a change here), the exact victims of those that are here
 * against a table of load times, use times and counters, and reading names with parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vmm/policy_build.h"
#include "../../src/base/rng.h"
#include "../../src/engine/policies.h"
#include "../../src/mm/directory.h"
#include "../../src/mm/pool.h"

/* ---- A bench: one policy and a pool, without a machine -----------------------------------------
 */

/* A policy of variable space may want a frame for each page. */
enum { FRAMES = 24, PAGES = 64, STEPS = 4000, SAMPLE_PERIOD = 17 };

/* What a person would write down of each frame. */
typedef struct Note {
    uint64_t loaded, used, entered; /* times */
    uint64_t frequency, counter;
    bool referenced;
    uint64_t age; /* aging: the counter, and the bit that hits set */
    bool hit;
} Note;

typedef struct Bench {
    PolicySpec spec;
    Policy *policy;
    uint32_t page[PAGES]; /* by frame */
    uint8_t dirty[PAGES];
    Note note[PAGES];
    uint64_t next[PAGES]; /* by frame: place of the next reference */
    void *page_state;
    uint64_t time; /* virtual time of the one process */
    uint32_t frame_of[PAGES];
    uint32_t frames, reserved, resident, hand;
    unsigned age_bits;
    uint64_t now, entries;
    Rng rng; /* the policy's own stream, for a model of it */
    uint32_t trace[STEPS];
    bool write[STEPS];
    uint64_t next_use[STEPS];
    uint32_t victims[STEPS]; /* in order */
    size_t victim_count;
} Bench;

/* Random references with a favourite quarter of the pages, and where each page comes next. */
static void bench_make_trace(Bench *bench, uint64_t seed) {
    Rng rng = rng_seed(seed, "trace");
    for (size_t i = 0; i < STEPS; i++) {
        uint64_t span = rng_below(&rng, 2) == 0 ? PAGES / 4 : PAGES;
        bench->trace[i] = 1 + (uint32_t)rng_below(&rng, span - 1);
        bench->write[i] = rng_below(&rng, 4) == 0;
    }
    uint64_t next[PAGES];
    for (size_t page = 0; page < PAGES; page++) {
        next[page] = POLICY_NEVER;
    }
    for (size_t i = STEPS; i-- > 0;) {
        bench->next_use[i] = next[bench->trace[i]];
        next[bench->trace[i]] = i;
    }
}

static void bench_reserve(Bench *bench, uint32_t frames) {
    const PolicyType *type = bench->policy->type;
    assert_true(type->reserve == NULL || type->reserve(bench->policy, frames));
    bench->reserved = frames;
}

/* `text` names the policy; frames are reserved in two steps, as a pool grows. */
static Bench *bench_make(const char *text, uint32_t frames, uint64_t seed) {
    Bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->age_bits = 8;
    bench->rng = rng_seed(42, "policy.random");
    Error error = {0};
    assert_int_equal(policy_parse(text, &bench->spec, &error), VMM_OK);
    const PolicyType *type = bench->spec.type;
    frames = type->info.variable_space ? PAGES : frames;
    bench->frames = frames;
    bench->page_state = calloc(PAGES, type->page_state_size + 1);
    assert_non_null(bench->page_state);
    Policy base = {.memory = &memory_default,
                   .capacity = type->info.variable_space ? UINT32_MAX - 1 : frames,
                   .page_state = bench->page_state,
                   .time_of = &bench->time,
                   .seed = 42};
    assert_int_equal(policy_create(&bench->spec, &base, &bench->policy, &error), VMM_OK);
    bench->policy->page_of = bench->page;
    bench->policy->dirty = bench->dirty;
    bench_reserve(bench, (frames + 1) / 2);
    for (size_t page = 0; page < PAGES; page++) {
        bench->frame_of[page] = POLICY_NO_FRAME;
    }
    bench_make_trace(bench, seed);
    return bench;
}

static void bench_free(Bench *bench) {
    policy_destroy(bench->policy);
    free(bench->page_state);
    free(bench);
}

static void bench_leave(Bench *bench, uint32_t frame) {
    if (bench->policy->type->remove != NULL) {
        bench->policy->type->remove(bench->policy, frame);
    }
    bench->frame_of[bench->page[frame]] = POLICY_NO_FRAME;
    bench->page[frame] = DIRECTORY_NO_PAGE;
    bench->resident--;
}

/* The page is given up for good. */
static void bench_discard(Bench *bench, uint32_t page) {
    if (bench->frame_of[page] != POLICY_NO_FRAME) {
        bench_leave(bench, bench->frame_of[page]);
    }
    if (bench->policy->type->forget != NULL) {
        bench->policy->type->forget(bench->policy, page);
    }
}

/* The pages that the policy parts with leave, those that it wants written are written. */
static void bench_serve(Bench *bench) {
    Policy *policy = bench->policy;
    assert_false(policy->failed);
    for (uint32_t i = 0; i < policy->parting.count; i++) {
        uint32_t frame = policy->parting.frames[i];
        assert_true(frame < bench->frames && bench->page[frame] != DIRECTORY_NO_PAGE);
        bench_leave(bench, frame);
    }
    policy->parting.count = 0;
    for (uint32_t i = 0; i < policy->writing.count; i++) {
        uint32_t frame = policy->writing.frames[i];
        assert_true(frame < bench->frames);
        if (bench->page[frame] == DIRECTORY_NO_PAGE || bench->dirty[frame] == 0) {
            continue;
        }
        bench->dirty[frame] = 0;
        if (policy->type->cleaned != NULL) {
            policy->type->cleaned(policy, frame);
        }
    }
    policy->writing.count = 0;
}

/* The victim leaves: a write that was asked for is done by that. */
static void bench_cancel_write(Policy *policy, uint32_t frame) {
    for (uint32_t i = 0; i < policy->writing.count; i++) {
        if (policy->writing.frames[i] == frame) {
            policy->writing.frames[i--] = policy->writing.frames[--policy->writing.count];
        }
    }
}

/* order() lists every frame that holds a page, once. Returns the first of them. */
static uint32_t bench_check_order(Bench *bench) {
    uint32_t frames[PAGES];
    bool listed[PAGES] = {false};
    uint32_t count = bench->policy->type->order(bench->policy, frames);
    assert_int_equal(count, bench->resident);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(frames[i] < bench->frames);
        assert_true(bench->page[frames[i]] != DIRECTORY_NO_PAGE);
        assert_false(listed[frames[i]]);
        listed[frames[i]] = true;
    }
    return count > 0 ? frames[0] : POLICY_NO_FRAME;
}

typedef uint32_t BenchModel(Bench *bench);

/* A victim of a full pool: it holds a page, is the first in order, and is what the model says. */
static uint32_t bench_victim(Bench *bench, BenchModel *model) {
    const PolicyType *type = bench->policy->type;
    uint32_t first = type->order != NULL ? bench_check_order(bench) : POLICY_NO_FRAME;
    uint32_t expected = model != NULL ? model(bench) : POLICY_NO_FRAME;
    uint32_t victim = type->victim(bench->policy);
    assert_true(victim < bench->frames);
    assert_true(bench->page[victim] != DIRECTORY_NO_PAGE);
    if (type->order != NULL) {
        assert_int_equal(victim, first);
    }
    if (model != NULL) {
        assert_int_equal(victim, expected);
    }
    char why[sizeof((VMMEviction *)0)->why];
    memset(why, '!', sizeof why);
    assert_non_null(type->why);
    type->why(bench->policy, victim, why, sizeof why);
    assert_in_range(strnlen(why, sizeof why), 1, sizeof why - 2); /* not cut */
    bench->victims[bench->victim_count++] = victim;
    return victim;
}

static uint32_t bench_free_frame(const Bench *bench) {
    uint32_t frame = 0;
    while (frame < bench->frames && bench->page[frame] != DIRECTORY_NO_PAGE) {
        frame++;
    }
    return frame < bench->frames ? frame : POLICY_NO_FRAME;
}

static void bench_load(Bench *bench, uint32_t page, bool write, BenchModel *model) {
    Policy *policy = bench->policy;
    policy->incoming = page;
    if (policy->type->miss != NULL) {
        policy->type->miss(policy, page);
    }
    uint32_t frame = bench_free_frame(bench);
    if (frame == POLICY_NO_FRAME) {
        frame = bench_victim(bench, model);
        bench_cancel_write(policy, frame);
        bench_leave(bench, frame);
    } else if (frame >= bench->reserved) {
        bench_reserve(bench, bench->frames);
    }
    bench->page[frame] = page;
    bench->dirty[frame] = write;
    bench->frame_of[page] = frame;
    bench->resident++;
    bench->note[frame] = (Note){.loaded = bench->now,
                                .used = bench->now,
                                .frequency = 1,
                                .entered = ++bench->entries,
                                .referenced = true};
    bench->next[frame] = policy->next_use;
    bench->note[frame].age = bench->spec.params[2] << (bench->age_bits - 1);
    if (policy->type->insert != NULL) {
        policy->type->insert(policy, frame);
    }
}

static void bench_hit(Bench *bench, uint32_t frame, bool write) {
    Policy *policy = bench->policy;
    Note *note = &bench->note[frame];
    bool moves = !note->referenced || (write && bench->dirty[frame] == 0);
    note->entered = moves ? ++bench->entries : note->entered;
    note->used = bench->now;
    note->frequency++;
    note->referenced = true;
    note->hit = true;
    bench->next[frame] = policy->next_use;
    if (policy->type->touch != NULL) {
        policy->type->touch(policy, frame);
    }
    if (write && bench->dirty[frame] == 0) {
        bench->dirty[frame] = 1;
        if (policy->type->dirtied != NULL) {
            policy->type->dirtied(policy, frame);
        }
    }
}

/* Clears the R bits; a class keeps its order, and the emptied ones come behind the unused ones. */
static void bench_tick(Bench *bench) {
    for (uint32_t frame = 0; frame < bench->frames; frame++) {
        Note *note = &bench->note[frame];
        note->age = note->age >> 1 | (uint64_t)note->hit << (bench->age_bits - 1);
        note->hit = false;
        if (bench->note[frame].referenced) {
            bench->note[frame].referenced = false;
            bench->note[frame].entered += STEPS; /* behind all that were there before */
        }
    }
    bench->entries += STEPS;
    bench->policy->type->tick(bench->policy);
}

/* Runs the trace; every `discards`-th step gives up a random page (0: never). */
static void bench_run(Bench *bench, uint64_t discards, BenchModel *model) {
    Policy *policy = bench->policy;
    Rng rng = rng_seed(9, "discards");
    for (bench->now = 0; bench->now < STEPS; bench->now++) {
        uint32_t page = bench->trace[bench->now];
        bool write = bench->write[bench->now];
        policy->now = bench->now;
        policy->clock = bench->now + 1;
        policy->next_use = bench->next_use[bench->now];
        policy->distance =
            policy->next_use == POLICY_NEVER ? POLICY_NEVER : policy->next_use - bench->now;
        if (bench->frame_of[page] == POLICY_NO_FRAME) {
            bench_load(bench, page, write, model);
        } else {
            bench_hit(bench, bench->frame_of[page], write);
        }
        bench_serve(bench);
        if (policy->period != 0 && (bench->now + 1) % policy->period == 0) {
            bench_tick(bench);
            bench_serve(bench);
        }
        uint32_t gone = 1 + (uint32_t)rng_below(&rng, PAGES - 1);
        if (discards != 0 && bench->now % discards == 0) {
            bench_discard(bench, gone);
        }
        if (policy->type->order != NULL && bench->now % 16 == 0) {
            bench_check_order(bench);
        }
        if (policy->type->is_valid != NULL) {
            assert_true(policy->type->is_valid(policy));
        }
    }
}

/* "name" or "name:period=17", so that ticks happen. */
static const char *with_short_period(const PolicyType *type, char *text, size_t size) {
    snprintf(text, size, "%s", type->info.name);
    const VMMPolicyParameter *parameter = type->info.parameters;
    for (; parameter != NULL && parameter->name != NULL; parameter++) {
        if (strcmp(parameter->name, "period") == 0) {
            snprintf(text, size, "%s:period=%d", type->info.name, SAMPLE_PERIOD);
        }
    }
    return text;
}

/* ---- What every policy must keep to
 * --------------------------------------------------------------
 */

/* Names are unique, and everything that people are told is there. */
static void registry_is_complete(void **state) {
    (void)state;
    const PolicyType *type;
    size_t count = 0;
    for (; (type = policy_at(count)) != NULL; count++) {
        assert_true(strlen(type->info.name) > 0 && strlen(type->info.label) > 0);
        assert_true(strlen(type->info.summary) > 0 && strlen(type->info.source) > 0);
        assert_true((type->victim == NULL) == (type->info.variable_space != 0));
        assert_true(type->state_size >= sizeof(Policy));
        for (const char *c = type->info.name; *c != '\0'; c++) {
            assert_true((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'));
        }
        for (size_t j = 0; j < count; j++) {
            assert_string_not_equal(policy_at(j)->info.name, type->info.name);
        }
        const VMMPolicyParameter *parameter = type->info.parameters;
        for (; parameter != NULL && parameter->name != NULL; parameter++) {
            if (parameter->choices != NULL) {
                assert_int_equal(parameter->default_value, 0); /* the first word is the default */
            } else {
                assert_in_range(parameter->default_value, parameter->min, parameter->max);
            }
            assert_true(strlen(parameter->help) > 0);
        }
    }
    assert_true(count >= 10);
    assert_null(policy_at(count));
    assert_null(policy_at(SIZE_MAX));
}

/* Runs every policy over random references with several sizes of memory. */
static void run_every_policy(uint64_t discards) {
    static const uint32_t sizes[] = {1, 2, 7, FRAMES};
    const PolicyType *type;
    for (size_t i = 0; (type = policy_at(i)) != NULL; i++) {
        for (size_t s = 0; s < VMM_COUNT_OF(sizes); s++) {
            char text[64];
            Bench *bench = bench_make(with_short_period(type, text, sizeof text), sizes[s], s + 1);
            bench_run(bench, discards, NULL);
            assert_true(bench->victim_count > 0 || type->info.variable_space);
            bench_free(bench);
        }
    }
}

/* Victims hold a page, order() is the set of resident frames with the next victim first. */
static void every_policy_names_frames_that_hold_pages(void **state) {
    (void)state;
    run_every_policy(0);
}

/* The same while pages are discarded at any time, from any place in the policy's order. */
static void every_policy_forgets_discarded_pages(void **state) {
    (void)state;
    run_every_policy(5);
    run_every_policy(2);
}

/* A pool that is emptied completely can be filled again. */
static void every_policy_starts_again_after_the_last_page_left(void **state) {
    (void)state;
    const PolicyType *type;
    for (size_t i = 0; (type = policy_at(i)) != NULL; i++) {
        Bench *bench = bench_make(type->info.name, 5, 3);
        for (int round = 0; round < 3; round++) {
            for (uint32_t page = 1; page <= 12; page++, bench->now++) {
                bench->policy->now = bench->now;
                bench->policy->clock = bench->now + 1;
                bench->policy->next_use = page % 3 == 0 ? POLICY_NEVER : STEPS - 1 - bench->now;
                bench_load(bench, page, page % 2 == 0, NULL);
                bench_serve(bench);
            }
            for (uint32_t page = 1; page <= 12; page++) {
                bench_discard(bench, page);
            }
            if (type->order != NULL) {
                assert_int_equal(bench_check_order(bench), POLICY_NO_FRAME);
            }
        }
        bench_free(bench);
    }
}

/* The same references and seed give the same victims; two instances do not disturb each other. */
static void every_policy_is_deterministic(void **state) {
    (void)state;
    const PolicyType *type;
    for (size_t i = 0; (type = policy_at(i)) != NULL; i++) {
        char text[64];
        with_short_period(type, text, sizeof text);
        Bench *a = bench_make(text, 7, 4);
        Bench *other = bench_make(text, 3, 5);
        Bench *b = bench_make(text, 7, 4);
        bench_run(other, 3, NULL);
        bench_run(a, 0, NULL);
        bench_run(b, 0, NULL);
        assert_int_equal(a->victim_count, b->victim_count);
        assert_memory_equal(a->victims, b->victims, a->victim_count * sizeof a->victims[0]);
        bench_free(a);
        bench_free(other);
        bench_free(b);
    }
}

/* ---- The exact victims
 * ---------------------------------------------------------------------------
 */

/* The frame with the smallest key; keys are compared as pairs. */
typedef struct Key {
    uint64_t first, second;
} Key;

static uint32_t smallest_key(const Bench *bench, Key (*key_of)(const Bench *, uint32_t)) {
    uint32_t best = 0;
    for (uint32_t frame = 1; frame < bench->frames; frame++) {
        Key key = key_of(bench, frame);
        Key least = key_of(bench, best);
        if (key.first < least.first || (key.first == least.first && key.second < least.second)) {
            best = frame;
        }
    }
    return best;
}

static Key fifo_key(const Bench *bench, uint32_t frame) {
    return (Key){bench->note[frame].loaded, 0};
}

static Key lru_key(const Bench *bench, uint32_t frame) {
    return (Key){bench->note[frame].used, 0};
}

static Key mru_key(const Bench *bench, uint32_t frame) {
    return (Key){STEPS - bench->note[frame].used, 0};
}

static Key lfu_key(const Bench *bench, uint32_t frame) {
    return (Key){bench->note[frame].frequency, bench->note[frame].used};
}

/* Class, then time in it. */
static Key nru_key(const Bench *bench, uint32_t frame) {
    return (Key){2 * bench->note[frame].referenced + (uint64_t)bench->dirty[frame],
                 bench->note[frame].entered};
}

/* Never again before far before near; the longest dead first. */
static Key opt_key(const Bench *bench, uint32_t frame) {
    uint64_t next = bench->next[frame];
    return next == POLICY_NEVER ? (Key){0, bench->note[frame].used} : (Key){1, STEPS - next};
}

/* Near before far before never again. */
static Key unopt_key(const Bench *bench, uint32_t frame) {
    uint64_t next = bench->next[frame];
    return next == POLICY_NEVER ? (Key){1, bench->note[frame].used} : (Key){0, next};
}

static uint32_t fifo_model(Bench *bench) {
    return smallest_key(bench, fifo_key);
}

static uint32_t lru_model(Bench *bench) {
    return smallest_key(bench, lru_key);
}

static uint32_t mru_model(Bench *bench) {
    return smallest_key(bench, mru_key);
}

static uint32_t lfu_model(Bench *bench) {
    return smallest_key(bench, lfu_key);
}

static uint32_t nru_model(Bench *bench) {
    return smallest_key(bench, nru_key);
}

static uint32_t opt_model(Bench *bench) {
    return smallest_key(bench, opt_key);
}

static uint32_t unopt_model(Bench *bench) {
    return smallest_key(bench, unopt_key);
}

static uint32_t random_model(Bench *bench) {
    return (uint32_t)rng_below(&bench->rng, bench->frames);
}

static void run_model(const char *text, BenchModel *model, bool discards) {
    static const uint32_t sizes[] = {1, 3, 8, FRAMES};
    for (size_t s = 0; s < VMM_COUNT_OF(sizes); s++) {
        Bench *bench = bench_make(text, sizes[s], 10 + s);
        bench_run(bench, discards ? 6 : 0, model);
        assert_true(bench->victim_count > 20);
        bench_free(bench);
    }
}

/* Each with the rule that its own page of a textbook gives. */
static void fifo_evicts_the_longest_loaded(void **state) {
    (void)state;
    run_model("fifo", fifo_model, true);
}

static void lru_evicts_the_longest_unused(void **state) {
    (void)state;
    run_model("lru", lru_model, true);
}

static void mru_evicts_the_last_used(void **state) {
    (void)state;
    run_model("mru", mru_model, true);
}

static void lfu_evicts_the_least_used_then_oldest(void **state) {
    (void)state;
    run_model("lfu", lfu_model, true);
}

static void random_follows_its_stream(void **state) {
    (void)state;
    run_model("random", random_model, true);
}

static void nru_evicts_the_first_of_the_lowest_class(void **state) {
    (void)state;
    run_model("nru:period=17", nru_model, true);
    run_model("nru:period=1", nru_model, false);
}

static void opt_evicts_the_farthest(void **state) {
    (void)state;
    run_model("opt", opt_model, true);
}

static void unopt_evicts_the_nearest(void **state) {
    (void)state;
    run_model("unopt", unopt_model, true);
}

/* Clock as it is drawn: counters on a ring, a hand. Every hit since the last look adds one. */
typedef struct Ring {
    uint64_t counter[FRAMES];
    uint64_t seen_frequency[FRAMES], seen_load[FRAMES];
    uint64_t limit, enter;
    uint32_t hand;
} Ring;

static Ring ring;

static uint32_t clock_model(Bench *bench) {
    for (uint32_t frame = 0; frame < bench->frames; frame++) {
        const Note *note = &bench->note[frame];
        if (note->loaded != ring.seen_load[frame]) {
            ring.seen_load[frame] = note->loaded;
            ring.seen_frequency[frame] = 1;
            ring.counter[frame] = ring.enter < ring.limit ? ring.enter : ring.limit;
        }
        ring.counter[frame] += note->frequency - ring.seen_frequency[frame];
        ring.counter[frame] = ring.counter[frame] < ring.limit ? ring.counter[frame] : ring.limit;
        ring.seen_frequency[frame] = note->frequency;
    }
    for (;;) {
        uint32_t frame = ring.hand;
        ring.hand = (ring.hand + 1) % bench->frames;
        if (ring.counter[frame] == 0) {
            return frame;
        }
        ring.counter[frame]--;
    }
}

static void run_clock(uint64_t bits, uint64_t enter) {
    static const uint32_t sizes[] = {1, 2, 9, FRAMES};
    for (size_t s = 0; s < VMM_COUNT_OF(sizes); s++) {
        char text[64];
        snprintf(text, sizeof text, "clock:bits=%u,enter=%u", (unsigned)bits, (unsigned)enter);
        ring = (Ring){.limit = (UINT64_C(1) << bits) - 1, .enter = enter};
        for (size_t frame = 0; frame < FRAMES; frame++) {
            ring.seen_load[frame] = UINT64_MAX;
        }
        Bench *bench = bench_make(text, sizes[s], 20 + s);
        bench_run(bench, 7, clock_model);
        bench_free(bench);
    }
}

static void clock_goes_round(void **state) {
    (void)state;
    run_clock(1, 1);
    run_clock(1, 0);
    run_clock(2, 0);
    run_clock(3, 2);
    run_clock(8, 255);
    run_clock(2, 9); /* a page cannot enter above the limit */
    run_clock(1, 255);
}

/* All counters equal: the hand does what a queue does. */
static void clock_without_hits_is_fifo(void **state) {
    (void)state;
    Bench *bench = bench_make("clock", 4, 1);
    for (uint32_t page = 1; page < PAGES; page++) {
        uint32_t frame = (page - 1) % 4;
        bench_load(bench, page, false, NULL);
        assert_int_equal(bench->frame_of[page], frame);
    }
    bench_free(bench);
}

/* The smallest counter, the first of equals from the hand on. */
static uint32_t aging_model(Bench *bench) {
    uint32_t best = bench->hand;
    for (uint32_t i = 1; i < bench->frames; i++) {
        uint32_t frame = (bench->hand + i) % bench->frames;
        best = bench->note[frame].age < bench->note[best].age ? frame : best;
    }
    bench->hand = (best + 1) % bench->frames;
    return best;
}

static void run_aging(unsigned period, unsigned bits, unsigned enter) {
    static const uint32_t sizes[] = {1, 2, 9, FRAMES};
    for (size_t s = 0; s < VMM_COUNT_OF(sizes); s++) {
        char text[64];
        snprintf(text, sizeof text, "approxlru:period=%u,bits=%u,enter=%u", period, bits, enter);
        Bench *bench = bench_make(text, sizes[s], 30 + s);
        bench->age_bits = bits;
        bench_run(bench, 7, aging_model);
        bench_free(bench);
    }
}

/* Against counters in a table, where a load may be below all others, or above some. */
static void approxlru_evicts_the_least_aged(void **state) {
    (void)state;
    for (unsigned bits = 8; bits <= 32; bits *= 2) {
        for (unsigned enter = 0; enter < 2; enter++) {
            run_aging(1, bits, enter);
            run_aging(13, bits, enter);
            run_aging(200, bits, enter);
        }
    }
}

/* Aging by hand, 8 bits: shifts at ticks, the top bit on entry, ties from the hand on. */
static void approxlru_ages(void **state) {
    (void)state;
    Bench *bench = bench_make("approxlru:period=1000", 4, 1);
    Policy *policy = bench->policy;
    for (uint32_t page = 1; page <= 4; page++) { /* counters 80 80 80 80 */
        bench_load(bench, page, false, NULL);
    }
    bench_hit(bench, 1, false);
    policy->type->tick(policy); /* 40 c0 40 40 */
    bench_load(bench, 5, false, NULL);
    assert_int_equal(bench->victims[0], 0); /* 80 c0 40 40, hand at 1 */
    bench_load(bench, 6, false, NULL);
    assert_int_equal(bench->victims[1], 2); /* 80 c0 80 40, hand at 3 */
    bench_hit(bench, 3, false);             /* a bit, not yet a counter */
    bench_load(bench, 7, false, NULL);
    assert_int_equal(bench->victims[2], 3); /* 80 c0 80 80, hand at 0 */
    bench_hit(bench, 2, false);
    bench_hit(bench, 3, false);
    policy->type->tick(policy); /* 40 60 c0 c0 */
    bench_load(bench, 8, false, NULL);
    assert_int_equal(bench->victims[3], 0); /* 80 60 c0 c0 */
    bench_load(bench, 9, false, NULL);
    assert_int_equal(bench->victims[4], 1); /* 80 80 c0 c0, hand at 2 */
    bench_load(bench, 10, false, NULL);
    assert_int_equal(bench->victims[5], 0); /* the ring goes on past the end */
    bench_free(bench);
}

/* Between ticks a load may bring the smallest counter down, whatever was smallest before. */
static void approxlru_sees_smaller_newcomers(void **state) {
    (void)state;
    for (int enter = 0; enter < 2; enter++) {
        Bench *bench = bench_make(enter != 0 ? "approxlru" : "approxlru:enter=0", 3, 1);
        for (uint32_t page = 1; page <= 3; page++) {
            bench_load(bench, page, false, NULL);
            bench_hit(bench, page - 1, false);
        }
        bench->policy->type->tick(bench->policy);    /* all 80, or all c0 */
        for (uint32_t page = 4; page <= 6; page++) { /* enters with 0, or 80 */
            bench_load(bench, page, false, NULL);
            assert_int_equal(bench->victims[page - 4], 0);
        }
        bench_free(bench);
    }
}

/* enter = 0: a fresh page is the first to go. Wider counters keep a longer past. */
static void approxlru_has_parameters(void **state) {
    (void)state;
    Bench *bench = bench_make("approxlru:enter=0", 3, 1);
    for (uint32_t page = 1; page <= 3; page++) {
        bench_load(bench, page, false, NULL);
    }
    bench_hit(bench, 0, false);
    bench_hit(bench, 1, false);
    bench->policy->type->tick(bench->policy);
    bench_load(bench, 4, false, NULL);
    bench_load(bench, 5, false, NULL);
    assert_int_equal(bench->victims[0], 2);
    assert_int_equal(bench->victims[1], 2);
    bench_free(bench);
    for (int bits = 8; bits <= 32; bits *= 2) {
        char text[64];
        snprintf(text, sizeof text, "approxlru:bits=%d,enter=0", bits);
        bench = bench_make(text, 2, 1);
        bench_load(bench, 1, false, NULL);
        bench_load(bench, 2, false, NULL);
        bench_hit(bench, 0, false); /* frame 0 was used once, long ago */
        for (int tick = 0; tick < bits; tick++) {
            assert_true(tick == 0 || bench->policy->type->victim(bench->policy) == 1);
            bench->policy->type->tick(bench->policy);
        }
        bench->policy->type->tick(bench->policy); /* the bit falls off the end: a tie */
        uint32_t first = bench->policy->type->victim(bench->policy);
        assert_int_equal(bench->policy->type->victim(bench->policy), 1 - first);
        bench_free(bench);
    }
}

static uint32_t cleared[FRAMES];
static uint32_t cleared_count;

static void note_cleared(void *host, uint32_t frame) {
    assert_ptr_equal(host, cleared);
    cleared[cleared_count++] = frame;
}

/* Who listens to cleared accessed bits is told of each, and of no other. */
static void cleared_bits_are_told(void **state) {
    (void)state;
    static const char *const names[] = {"approxlru", "nru", "clock:enter=0"};
    for (size_t i = 0; i < VMM_COUNT_OF(names); i++) {
        Bench *bench = bench_make(names[i], 4, 1);
        Policy *policy = bench->policy;
        for (uint32_t page = 1; page <= 4; page++) {
            bench_load(bench, page, false, NULL);
        }
        if (policy->type->tick != NULL) {
            policy->type->tick(policy); /* a load may have set a bit */
        }
        policy->bit_cleared = note_cleared;
        policy->host = cleared;
        cleared_count = 0;
        bench_hit(bench, 0, false);
        bench_hit(bench, 2, false);
        if (policy->type->tick != NULL) {
            policy->type->tick(policy);
            assert_int_equal(cleared_count, 2);
            assert_int_equal(cleared[0] + cleared[1], 2);
        } else {
            assert_int_equal(policy->type->victim(policy), 1); /* the hand passes 0 */
            assert_int_equal(cleared_count, 1);
            assert_int_equal(cleared[0], 0);
        }
        bench_free(bench);
    }
}

/* ---- Names and parameters
 * -------------------------------------------------------------------------
 */

typedef struct ParseCase {
    const char *text;
    int status;
    const char *part; /* of the sentence */
} ParseCase;

/* Wrong ones are refused with what was found and what would be right. */
static void bad_parameters_are_refused(void **state) {
    (void)state;
    static const ParseCase cases[] = {
        {"", VMM_E_USAGE, "vmm list policies"},
        {"nosuch", VMM_E_USAGE, "nosuch"},
        {"lru2", VMM_E_USAGE, "lru2"},
        {":bits=1", VMM_E_USAGE, "there is no policy"},
        {"clock:", VMM_E_USAGE, "parameter=value"},
        {"clock:bits", VMM_E_USAGE, "bits"},
        {"clock:bits=", VMM_E_USAGE, "whole number"},
        {"clock:bits=x", VMM_E_USAGE, "\"x\""},
        {"clock:bits=-1", VMM_E_USAGE, "\"-1\""},
        {"clock:bits=1.5", VMM_E_USAGE, "whole number"},
        {"clock:bits=0", VMM_E_RANGE, "1 to 8"},
        {"clock:bits=9", VMM_E_RANGE, "1 to 8"},
        {"clock:enter=256", VMM_E_RANGE, "0 to 255"},
        {"clock:bits=99999999999999999999", VMM_E_RANGE, "1 to 8"},
        {"clock:speed=1", VMM_E_USAGE, "bits, enter"},
        {"clock:bits=1,", VMM_E_USAGE, "parameter=value"},
        {"clock:bits=1,,enter=1", VMM_E_USAGE, "parameter=value"},
        {"clock:bits=1;enter=1", VMM_E_USAGE, "1;enter=1"},
        {"lru:x=1", VMM_E_USAGE, "none"},
        {"approxlru:bits=9", VMM_E_RANGE, "8, 16 or 32"},
        {"approxlru:bits=64", VMM_E_RANGE, "8 to 32"},
        {"approxlru:period=0", VMM_E_RANGE, "1 to"},
        {"nru:period=4294967296", VMM_E_RANGE, "4294967295"},
        {"fbr:new=60,old=60", VMM_E_RANGE, "100 together"},
        {"slru:variant=peer", VMM_E_USAGE, "paper|libcachesim"},
        {"sieve:variant=paper", VMM_E_USAGE, "none"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        PolicySpec spec;
        Error error = {0};
        int status = policy_parse(cases[i].text, &spec, &error);
        if (status != cases[i].status || error.code != status ||
            strstr(error.text, cases[i].part) == NULL) {
            fail_msg("\"%s\": %s, \"%s\"", cases[i].text, vmm_error_name(status), error.text);
        }
        assert_int_equal(policy_parse(cases[i].text, &spec, NULL), status); /* nobody listens */
    }
}

/* Text of any length is refused and not written beyond its place. */
static void endless_names_are_refused(void **state) {
    (void)state;
    char text[2000];
    memset(text, 'l', sizeof text);
    for (size_t length = 200; length < sizeof text; length += 50) {
        text[length] = '\0';
        PolicySpec spec;
        Error error = {0};
        assert_int_equal(policy_parse(text, &spec, &error), VMM_E_USAGE);
        assert_true(strlen(error.text) > 0);
        text[length] = 'l';
    }
}

/* Names match without regard to case, '-' and '_'; values take units; what is not said is default.
 */
static void good_parameters_are_read(void **state) {
    (void)state;
    PolicySpec spec;
    assert_int_equal(policy_parse("APPROX_LRU", &spec, NULL), VMM_OK);
    assert_string_equal(spec.type->info.name, "approxlru");
    assert_int_equal(spec.params[0], 1000);
    assert_int_equal(spec.params[1], 8);
    assert_int_equal(spec.params[2], 1);
    assert_int_equal(policy_parse("Approx-LRU:Bits=16,period=2k", &spec, NULL), VMM_OK);
    assert_int_equal(spec.params[0], 2000);
    assert_int_equal(spec.params[1], 16);
    assert_int_equal(policy_parse("clock:enter=0,bits=0x3", &spec, NULL), VMM_OK);
    assert_int_equal(spec.params[0], 3);
    assert_int_equal(spec.params[1], 0);
    assert_int_equal(policy_parse("clock:bits=1,bits=2", &spec, NULL), VMM_OK);
    assert_int_equal(spec.params[0], 2); /* the last one holds */
    assert_int_equal(policy_parse("2Q:kin=30", &spec, NULL), VMM_OK);
    assert_string_equal(spec.type->info.name, "twoq"); /* by its other name */
}

/* A policy may give up any number of pages at once: the list grows. */
static void any_number_of_pages_may_part(void **state) {
    (void)state;
    Policy policy = {.memory = &memory_default};
    assert_false(policy_has_asked(&policy));
    for (uint32_t frame = 0; frame < 1000; frame++) {
        vmm_policy_part_with(&policy, 2 * frame);
    }
    assert_true(policy_has_asked(&policy));
    assert_int_equal(policy.parting.count, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(policy.parting.frames[i], 2 * i);
    }
    vmm_policy_free(&policy, policy.parting.frames, policy.parting.capacity,
                    sizeof *policy.parting.frames);
}

/* ---- Policies in files ---------------------------------------------------------------------- */

/* Where the name ends and the parameters begin, and whether it is a file's. */
static void names_of_files_are_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        bool is_file;
    } cases[] = {
        {"clock", 5, false},
        {"clock:bits=2", 5, false},
        {"", 0, false},
        {"c", 1, false},
        {".c", 2, false},
        {"x.c", 3, true},
        {"./x.c:window=3", 5, true},
        {"./x", 3, true},
        {"./x:window=3", 3, true},
        {"a:b/x.so:y=1", 8, true},
        {"d.c:e/x.c:y=1", 9, true},
        {"./a:b.c:y=1", 7, true},
        {"./a b.c", 7, true},
        {"x.so", 4, true},
        {"x.sox:y=1", 5, false},
        {"/:y=1", 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(vmm_policy_name_length(cases[i].text), cases[i].length);
        assert_int_equal(vmm_policy_is_file(cases[i].text), cases[i].is_file);
    }
}

static void policies_are_looked_at(void **state) {
    (void)state;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMPolicyHandle *policy;
    assert_int_equal(vmm_policy_open("clock:bits=3", &policy, NULL), VMM_OK);
    assert_string_equal(vmm_policy_info(policy)->name, "clock");
    assert_ptr_equal(&vmm_policy_type(policy)->info, vmm_policy_info(policy));
    assert_int_equal(vmm_policy_values(policy)[0], 3);
    assert_null(vmm_policy_meter(policy));
    assert_int_equal(vmm_policy_fingerprint(policy), 0);
    vmm_policy_close(policy);
    vmm_policy_close(NULL);
    assert_int_equal(vmm_policy_open(NULL, &policy, error), VMM_E_USAGE);
    assert_int_equal(vmm_policy_open("clock", NULL, error), VMM_E_USAGE);
    assert_int_equal(vmm_policy_open("./none.c", &policy, error), VMM_E_OPEN);
    assert_null(policy);
    assert_non_null(strstr(error, "./none.c: cannot open the policy"));
    assert_int_equal(vmm_policy_open("./none.txt", &policy, error), VMM_E_USAGE);
    assert_int_equal(vmm_policy_compile(NULL, error), VMM_E_USAGE);
    VMMPolicyBuild build = {.struct_size = sizeof build, .source = "none.c", .output = "none.so"};
    assert_int_equal(vmm_policy_compile(&build, error), VMM_E_OPEN);
    build.struct_size--;
    assert_int_equal(vmm_policy_compile(&build, NULL), VMM_E_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_pages_may_part),
        cmocka_unit_test(registry_is_complete),
        cmocka_unit_test(every_policy_names_frames_that_hold_pages),
        cmocka_unit_test(every_policy_forgets_discarded_pages),
        cmocka_unit_test(every_policy_starts_again_after_the_last_page_left),
        cmocka_unit_test(every_policy_is_deterministic),
        cmocka_unit_test(fifo_evicts_the_longest_loaded),
        cmocka_unit_test(lru_evicts_the_longest_unused),
        cmocka_unit_test(mru_evicts_the_last_used),
        cmocka_unit_test(lfu_evicts_the_least_used_then_oldest),
        cmocka_unit_test(random_follows_its_stream),
        cmocka_unit_test(nru_evicts_the_first_of_the_lowest_class),
        cmocka_unit_test(opt_evicts_the_farthest),
        cmocka_unit_test(unopt_evicts_the_nearest),
        cmocka_unit_test(clock_goes_round),
        cmocka_unit_test(clock_without_hits_is_fifo),
        cmocka_unit_test(approxlru_evicts_the_least_aged),
        cmocka_unit_test(approxlru_ages),
        cmocka_unit_test(approxlru_sees_smaller_newcomers),
        cmocka_unit_test(approxlru_has_parameters),
        cmocka_unit_test(cleared_bits_are_told),
        cmocka_unit_test(bad_parameters_are_refused),
        cmocka_unit_test(endless_names_are_refused),
        cmocka_unit_test(good_parameters_are_read),
        cmocka_unit_test(names_of_files_are_told_apart),
        cmocka_unit_test(policies_are_looked_at),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
