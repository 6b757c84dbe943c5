/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page runs: a trace given in runs leaves every number as the same trace given reference by
 * reference does, by both engines, for every policy that does not need the future, every TLB,
 * larger pages, filters, an end by max-accesses, and batches that end anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vmm/vmm.h"
#include "../../src/base/compiler.h"
#include "../../src/base/rng.h"
#include "../../src/engine/engine.h"
#include "../../src/engine/policies.h"
#include "common.h"

/* ---- A random trace, in both forms --------------------------------------------------------- */

enum {
    MOST_RUNS = 3000,
    MOST_REFS = 60000,
    MOST_PAGES = 256,
    RUN_BITS = 12, /* log2 of the trace's page */
    BATCH = 64
};

typedef struct Trace {
    VMMRef refs[MOST_REFS];
    size_t ref_count;
    VMMRuns stretches[MOST_RUNS];
    size_t stretch_count;
    uint64_t pages[MOST_PAGES]; /* one dictionary for all stretches */
    VMMRunShape shapes[MOST_RUNS];
    uint16_t page[MOST_RUNS];
    uint16_t shape[MOST_RUNS];
    size_t run_count;
} Trace;

static uint16_t trace_page(Trace *trace, uint32_t *count, uint64_t vpn) {
    uint32_t i = 0;
    while (i < *count && trace->pages[i] != vpn) {
        i++;
    }
    assert_true(i < MOST_PAGES);
    trace->pages[i] = vpn;
    *count = i == *count ? i + 1 : *count;
    return (uint16_t)i;
}

/* A run of some loads, some stores and some loads, fetches or the kernel's; at least one. */
static VMMRunShape random_shape(Rng *rng, bool fetch, bool kernel) {
    uint32_t most = rng_below(rng, 8) == 0 ? 40 : 4;
    uint32_t loads = (uint32_t)rng_below(rng, most);
    uint32_t stores = fetch || rng_below(rng, 2) == 0 ? 0 : (uint32_t)rng_below(rng, most);
    uint32_t rest = stores == 0 ? 0 : (uint32_t)rng_below(rng, most);
    loads += loads + stores == 0;
    return (VMMRunShape){.count = loads + stores + rest,
                         .writes = stores,
                         .first_write = loads,
                         .fetch = fetch,
                         .kernel = kernel};
}

/* The page references of a run as references, but for a continued first one. */
static void unfold(Trace *trace, const VMMRunShape *shape, uint32_t pid, uint64_t vpn, Rng *rng) {
    for (uint32_t i = shape->continued; i < shape->count; i++) {
        bool store = i >= shape->first_write && i - shape->first_write < shape->writes;
        assert_true(trace->ref_count < MOST_REFS);
        trace->refs[trace->ref_count++] = (VMMRef){.addr = (vpn << RUN_BITS) + rng_below(rng, 4000),
                                                   .pid = pid,
                                                   .size = (uint32_t)rng_below(rng, 9),
                                                   .op = (uint8_t)(shape->fetch ? VMM_OP_FETCH
                                                                   : store      ? VMM_OP_WRITE
                                                                                : VMM_OP_READ),
                                                   .flags = shape->kernel ? VMM_REF_KERNEL : 0};
    }
}

static void add_run(Trace *trace, uint32_t *page_count, VMMRunShape shape, uint64_t vpn) {
    trace->page[trace->run_count] = trace_page(trace, page_count, vpn);
    trace->shape[trace->run_count] = (uint16_t)trace->run_count;
    trace->shapes[trace->run_count++] = shape;
}

/*
 * Lets the last reference cross into `more` further pages: runs that begin with a continued part,
 * of which the last one may go on with references of its own.
 */
static void cross(Trace *trace, uint32_t *page_count, uint32_t pid, uint64_t vpn, uint32_t more,
                  Rng *rng) {
    VMMRef *ref = &trace->refs[trace->ref_count - 1];
    bool store = ref->op == VMM_OP_WRITE;
    VMMRunShape last = trace->shapes[trace->run_count - 1];
    ref->addr = ((vpn + 1) << RUN_BITS) - 2;
    ref->size = 4 + ((more - 1) << RUN_BITS);
    for (uint32_t i = 1; i <= more; i++) {
        VMMRunShape part = {.count = 1,
                            .writes = store,
                            .first_write = store ? 0 : 1,
                            .fetch = last.fetch,
                            .kernel = last.kernel,
                            .continued = true};
        if (i == more) {
            VMMRunShape own = random_shape(rng, last.fetch, last.kernel);
            part.count += own.count;
            part.writes += own.writes;
            part.first_write = store || own.writes == 0 ? part.first_write : own.first_write + 1;
            if (own.writes == 0 && !store) {
                part.first_write = part.count;
            }
        }
        add_run(trace, page_count, part, vpn + i);
        unfold(trace, &part, pid, vpn + i, rng);
    }
}

/* `limit`: the first page beyond the limit, near which some runs lie. */
static Trace *random_trace(uint64_t seed, uint64_t limit) {
    Trace *trace = calloc(1, sizeof *trace);
    assert_non_null(trace);
    Rng rng = rng_seed(seed, "runs");
    uint32_t page_count = 0;
    size_t runs = 20 + rng_below(&rng, 1500);
    uint64_t spread = 4 + rng_below(&rng, 40);
    uint32_t pid = 1;
    size_t begin = 0;
    while (trace->run_count < runs) {
        uint32_t kind = (uint32_t)rng_below(&rng, 12);
        uint64_t vpn = rng_below(&rng, spread) + (rng_below(&rng, 30) == 0 ? limit - 3 : 0);
        VMMRunShape shape = random_shape(&rng, kind < 4, kind == 11);
        add_run(trace, &page_count, shape, vpn);
        unfold(trace, &shape, pid, vpn, &rng);
        if (rng_below(&rng, 6) == 0) {
            cross(trace, &page_count, pid, vpn, 1 + (uint32_t)rng_below(&rng, 3), &rng);
        }
        if (rng_below(&rng, 20) == 0 || trace->run_count >= runs) {
            trace->stretches[trace->stretch_count++] = (VMMRuns){.pid = pid,
                                                                 .page_shift = RUN_BITS,
                                                                 .page_count = MOST_PAGES,
                                                                 .shape_count = MOST_RUNS,
                                                                 .pages = trace->pages,
                                                                 .shapes = trace->shapes,
                                                                 .count = trace->run_count - begin,
                                                                 .page = trace->page + begin,
                                                                 .shape = trace->shape + begin};
            begin = trace->run_count;
            pid = 1 + (uint32_t)rng_below(&rng, 4);
        }
    }
    return trace;
}

/* ---- Machines ------------------------------------------------------------------------------- */

typedef struct Rig {
    Settings settings;
    Stream *stream;
    Machine machine;
} Rig;

static void rig_make(Rig *rig, const char *options, size_t capacity) {
    VMMConfig config = test_configure(options);
    Error error = {0};
    PolicySpec spec;
    rig->settings = *settings_of(&config);
    assert_int_equal(
        stream_create(&rig->settings, 48, &memory_default, capacity, &rig->stream, &error), VMM_OK);
    assert_int_equal(policy_parse(rig->settings.policy, &spec, &error), VMM_OK);
    assert_int_equal(machine_init(&rig->machine, &rig->settings, &spec, &memory_default, &error),
                     VMM_OK);
    assert_int_equal(machine_attach(&rig->machine, &rig->stream->directory, &error), VMM_OK);
}

/* As runs of millions of page references are cut. Of some seeds: the others keep theirs whole. */
static void cut_long_runs(Rig *rig, uint64_t seed) {
    if (seed % 3 != 0) {
        rig->stream->most_in_one = 1 + (uint32_t)(seed % 5);
        rig->stream->most_repeats = 1 + (uint32_t)(seed % 31);
    }
}

static void rig_free(Rig *rig) {
    machine_free(&rig->machine);
    stream_release(rig->stream);
}

static void feed_refs(Rig *rig, const Trace *trace) {
    for (size_t i = 0; i < trace->ref_count && !stream_is_done(rig->stream);) {
        size_t taken;
        stream_next_batch(rig->stream);
        assert_int_equal(
            stream_add(rig->stream, trace->refs + i, trace->ref_count - i, &taken, NULL), VMM_OK);
        if (engine_consume(&rig->machine, &rig->stream->batch) != VMM_OK) {
            return;
        }
        i += taken;
    }
}

static void feed_runs(Rig *rig, const Trace *trace) {
    Stream *stream = rig->stream;
    int status = VMM_OK;
    stream_next_batch(stream);
    for (size_t i = 0; i < trace->stretch_count && !stream_is_done(stream); i++) {
        bool taken = false;
        assert_int_equal(stream_begin_runs(stream, &trace->stretches[i], NULL), VMM_OK);
        while (!taken && !stream_is_done(stream) && status == VMM_OK) {
            assert_int_equal(stream_add_runs(stream, &trace->stretches[i], &taken, NULL), VMM_OK);
            if (!taken) {
                status = engine_consume(&rig->machine, &stream->batch);
                stream_next_batch(stream);
            }
        }
    }
    if (status == VMM_OK) {
        engine_consume(&rig->machine, &stream->batch);
    }
}

static void assert_same_counts(const Machine *one, const Machine *other, const char *options,
                               uint64_t seed) {
    VMMStats a, b;
    machine_stats(one, &a);
    machine_stats(other, &b);
    for (size_t i = 0; i < vmm_stat_count(); i++) {
        const VMMStatInfo *info = vmm_stat_at(i);
        uint64_t x, y;
        memcpy(&x, (const char *)&a + info->offset, sizeof x);
        memcpy(&y, (const char *)&b + info->offset, sizeof y);
        if (x != y) {
            fail_msg("%s, seed %llu: %s is %llu by references, %llu by runs", options,
                     (unsigned long long)seed, info->name, (unsigned long long)x,
                     (unsigned long long)y);
        }
    }
    assert_int_equal(one->status, other->status);
    assert_int_equal(one->seen_spaces, other->seen_spaces);
    for (uint32_t i = 0; i < one->seen_spaces; i++) {
        const Process *p = &one->processes[i];
        const Process *q = &other->processes[i];
        assert_memory_equal(p->count, q->count, sizeof p->count);
        assert_int_equal(p->page_references, q->page_references);
        assert_int_equal(p->misses, q->misses);
    }
}

static void compare(const char *options, uint64_t seed, uint64_t limit) {
    static const char *const engines[] = {"fast", "generic"};
    Trace *trace = random_trace(seed, limit);
    for (size_t i = 0; i < VMM_COUNT_OF(engines); i++) {
        char with_engine[512];
        Rig by_refs, by_runs;
        snprintf(with_engine, sizeof with_engine, "%s engine=%s", options, engines[i]);
        rig_make(&by_refs, with_engine, 4096);
        rig_make(&by_runs, with_engine, seed % 2 == 0 ? BATCH : 4096);
        cut_long_runs(&by_runs, seed);
        feed_refs(&by_refs, trace);
        feed_runs(&by_runs, trace);
        assert_true(by_refs.machine.status != VMM_OK || machine_is_valid(&by_runs.machine));
        assert_same_counts(&by_refs.machine, &by_runs.machine, with_engine, seed);
        rig_free(&by_refs);
        rig_free(&by_runs);
    }
    free(trace);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void every_policy(void **state) {
    (void)state;
    static const char *const more[] = {"clock:bits=3,enter=0", "clock:bits=8",
                                       "approxlru:period=1",   "approxlru:period=7,enter=0",
                                       "nru:period=3",         "nru:period=50"};
    static const char *const tlbs[] = {"tlb-size=4",
                                       "tlb-size=4 tlb-policy=LFU",
                                       "tlb-size=8 tlb-ways=2",
                                       "tlb-size=8 tlb-ways=2 tlb-policy=RANDOM",
                                       "tlb-size=6 tlb-policy=FIFO tlb-switch=flush",
                                       "tlb=off",
                                       "tlb-size=3 accessed-bit=tlb-fill",
                                       "tlb-size=4 scope=process tlb-policy=LFU tlb-ways=2"};
    const PolicyType *type;
    for (size_t i = 0; (type = policy_at(i)) != NULL; i++) {
        const char *name = type->info.name;
        if (type->info.needs == VMM_NEEDS_FUTURE) {
            continue;
        }
        for (size_t j = 0; j < VMM_COUNT_OF(tlbs); j++) {
            char options[256];
            snprintf(options, sizeof options, "policy=%s frames=%zu %s", name, 2 + (i + j) % 9,
                     tlbs[j]);
            compare(options, 100 * i + j, UINT64_C(1) << 36);
        }
    }
    for (size_t i = 0; i < VMM_COUNT_OF(more); i++) {
        for (size_t j = 0; j < VMM_COUNT_OF(tlbs); j++) {
            char options[256];
            snprintf(options, sizeof options, "policy=%s frames=%zu %s", more[i], 2 + (i + j) % 9,
                     tlbs[j]);
            compare(options, 5000 + 100 * i + j, UINT64_C(1) << 36);
        }
    }
}

static void larger_pages(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        compare("policy=lru frames=3 tlb-size=2 page-size=8192", seed, UINT64_C(1) << 36);
        compare("policy=clock frames=2 tlb-size=2 page-size=16384 initial=store", seed,
                UINT64_C(1) << 36);
    }
}

static void pages_beyond_the_limit(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        compare("policy=lru frames=3 tlb-size=2 vspace=64K", seed, 16);
        compare("policy=nru:period=5 frames=3 vspace=64K page-size=8192", seed, 16);
        compare("policy=lfu frames=3 vspace=8K tlb=off", seed, 4);
        char options[256];
        snprintf(options, sizeof options, "policy=lru frames=3 vspace=4K max-accesses=%u",
                 1 + (unsigned)(seed * 83 % 1000));
        compare(options, 2 * seed, 16);
    }
}

static void filters_and_ends(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        char options[256];
        compare("policy=lru frames=3 tlb-size=2 refs=data", seed, UINT64_C(1) << 36);
        compare("policy=fifo frames=3 tlb-size=2 refs=fetch", seed, UINT64_C(1) << 36);
        snprintf(options, sizeof options, "policy=lru frames=3 max-accesses=%u%s",
                 1 + (unsigned)(seed * seed * 7 % 2000), seed % 3 == 0 ? " refs=data" : "");
        compare(options, seed, seed % 2 == 0 ? 16 : UINT64_C(1) << 36);
        compare("policy=lru frames=3 swap=16K tlb-size=2", seed, UINT64_C(1) << 36);
        compare("policy=clock:bits=2 frames=3 swap=16K refs=data page-size=8192", seed, 40);
    }
}

/* What an observer was told. */
typedef struct Told {
    uint64_t steps, index, hits, count[VMM_OP_COUNT], kernel;
} Told;

static void tell(void *user, const VMMStep *step) {
    Told *told = user;
    assert_true(step->index == told->index || step->index == told->index + 1);
    bool begins = step->index != told->index;
    told->steps++;
    told->hits += step->tlb_hit;
    told->index = step->index;
    assert_int_equal(step->ref.addr >> RUN_BITS, step->vpn);
    if ((step->ref.flags & VMM_REF_KERNEL) != 0) {
        told->kernel += begins;
    } else {
        told->count[step->ref.op] += begins;
    }
}

/* Each page reference of a run is a step of its own. */
static void observers_see_each(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        Trace *trace = random_trace(seed, UINT64_C(1) << 36);
        Told told = {0};
        Rig rig;
        rig_make(&rig, "policy=clock frames=5 tlb-size=3 refs=all", BATCH);
        cut_long_runs(&rig, seed);
        assert_int_equal(stream_watch(rig.stream, NULL), VMM_OK);
        rig.machine.observer = tell;
        rig.machine.observer_user = &told;
        feed_runs(&rig, trace);
        VMMStats stats;
        machine_stats(&rig.machine, &stats);
        assert_int_equal(told.steps, stats.page_references);
        assert_int_equal(told.hits, stats.tlb_hits);
        assert_int_equal(told.index, stats.accesses + stats.kernel_references);
        assert_int_equal(told.kernel, stats.kernel_references);
        assert_int_equal(told.count[VMM_OP_READ], stats.reads);
        assert_int_equal(told.count[VMM_OP_WRITE], stats.writes);
        assert_int_equal(told.count[VMM_OP_FETCH], stats.fetches);
        rig_free(&rig);
        free(trace);
    }
}

/* Pages smaller than the trace's cannot be told apart. */
static void smaller_pages_are_refused(void **state) {
    (void)state;
    Trace *trace = random_trace(1, UINT64_C(1) << 36);
    Error error = {0};
    Rig rig;
    rig_make(&rig, "policy=lru page-size=2048", BATCH);
    assert_int_equal(stream_begin_runs(rig.stream, &trace->stretches[0], &error), VMM_E_CONFIG);
    assert_non_null(strstr(error.text, "4096"));
    rig_free(&rig);
    free(trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy),           cmocka_unit_test(larger_pages),
        cmocka_unit_test(pages_beyond_the_limit), cmocka_unit_test(filters_and_ends),
        cmocka_unit_test(observers_see_each),     cmocka_unit_test(smaller_pages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
