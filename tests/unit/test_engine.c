/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/engine: the generic and the specialised loops agree in every number, batches leave no trace
 * in the results, references are split, cut and refused where they must be, and the engine serves
 * policies that part with several pages at once, on hits too, or refuse a page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../include/vmm/vmm.h"
#include "../../src/base/compiler.h"
#include "../../src/base/rng.h"
#include "../../src/engine/engine.h"
#include "../../src/engine/policies.h"
#include "common.h"

/* ---- References ---------------------------------------------------------------------------------
 */

#define LIMIT_48 (UINT64_C(1) << 48)

/*
 * Four processes on pages 0 to 63: runs of one process, a favourite quarter, references that cross
 * pages, and a few beyond 2^48.
 */
static VMMRef *random_refs(size_t count, uint64_t seed) {
    VMMRef *refs = calloc(count, sizeof *refs);
    assert_non_null(refs);
    Rng rng = rng_seed(seed, "refs");
    uint32_t pid = 1;
    for (size_t i = 0; i < count; i++) {
        pid = rng_below(&rng, 8) == 0 ? 1 + (uint32_t)rng_below(&rng, 4) : pid;
        uint64_t page = rng_below(&rng, rng_below(&rng, 2) == 0 ? 16 : 64);
        refs[i].pid = pid;
        refs[i].op = (uint8_t)rng_below(&rng, VMM_OP_COUNT);
        refs[i].addr = page * 4096 + rng_below(&rng, 4096);
        refs[i].size = (uint32_t)rng_below(&rng, 9);
        if (rng_below(&rng, 64) == 0) {
            refs[i].size = (uint32_t)rng_below(&rng, 3 * 4096);
        }
        if (rng_below(&rng, 64) == 0) {
            refs[i].addr = LIMIT_48 - 4096 + rng_below(&rng, 8192);
        }
    }
    return refs;
}

/* ---- Machines and what came of them ----------------------------------------------------- */

enum { RESULT_PROCESSES = 8, RESULT_PAGES = 256 };

/* Everything that can be asked of a machine. */
typedef struct Result {
    int status;
    VMMStats stats;
    size_t process_count;
    VMMProcessStats process[RESULT_PROCESSES];
    size_t page_count;
    VMMResident page[RESULT_PAGES];
} Result;

static Result result_of(VMM *vmm, int status) {
    Result result;
    memset(&result, 0, sizeof result);
    result.status = status;
    result.stats.struct_size = sizeof result.stats;
    assert_int_equal(vmm_stats(vmm, &result.stats), VMM_OK);
    result.process_count = vmm_process_count(vmm);
    assert_true(result.process_count <= RESULT_PROCESSES);
    for (size_t i = 0; i < result.process_count; i++) {
        result.process[i].struct_size = sizeof result.process[i];
        assert_int_equal(vmm_process_stats(vmm, i, &result.process[i]), VMM_OK);
    }
    result.page_count = vmm_resident_pages(vmm, result.page, RESULT_PAGES);
    return result;
}

static VMM *make(const char *options) {
    VMMConfig config = test_configure(options);
    VMM *vmm = NULL;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    if (vmm_create_with(&config, NULL, &vmm, error) != VMM_OK) {
        fail_msg("%s: %s", options, error);
    }
    return vmm;
}

/* A machine that looks into the future needs the whole trace, from a file. */
static int run_file(VMM *vmm, const VMMRef *refs, size_t count) {
    char path[TEST_PATH_BYTES];
    test_path_template(path, "engine");
    int file = mkstemp(path);
    assert_true(file >= 0);
    FILE *out = fdopen(file, "w");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%u %c 0x%llx %u\n", refs[i].pid, "RWI"[refs[i].op],
                (unsigned long long)refs[i].addr, refs[i].size == 0 ? 1 : refs[i].size);
    }
    assert_int_equal(fclose(out), 0);
    VMMTrace *trace = NULL;
    VMMTraceOptions options = {.struct_size = sizeof options, .format = "native"};
    assert_int_equal(vmm_trace_open(path, &options, &trace, NULL), VMM_OK);
    int status = vmm_run_trace(vmm, trace);
    vmm_trace_close(trace);
    unlink(path);
    return status;
}

static int feed(VMM *vmm, const VMMRef *refs, size_t count, size_t chunk) {
    int status = VMM_OK;
    for (size_t i = 0; status == VMM_OK && i < count; i += chunk) {
        status = vmm_feed(vmm, refs + i, count - i < chunk ? count - i : chunk);
    }
    return status;
}

/* Runs references through a fresh machine, `chunk` of them a call. */
static Result simulate(const char *options, const VMMRef *refs, size_t count, size_t chunk) {
    VMM *vmm = make(options);
    char policy[256];
    vmm_config_get(vmm_configuration(vmm), "policy", policy, sizeof policy);
    bool future = strstr(policy, "opt") != NULL || strncmp(policy, "vmin", 4) == 0;
    Result result =
        result_of(vmm, future ? run_file(vmm, refs, count) : feed(vmm, refs, count, chunk));
    vmm_destroy(vmm);
    return result;
}

/* All numbers equal; the first counter that differs is named. */
static void assert_same(const Result *a, const Result *b, const char *what) {
    const VMMStatInfo *info;
    for (size_t i = 0; (info = vmm_stat_at(i)) != NULL; i++) {
        uint64_t x, y;
        memcpy(&x, (const char *)&a->stats + info->offset, sizeof x);
        memcpy(&y, (const char *)&b->stats + info->offset, sizeof y);
        if (x != y) {
            fail_msg("%s: %s is %llu and %llu", what, info->name, (unsigned long long)x,
                     (unsigned long long)y);
        }
    }
    if (a->status != b->status || a->process_count != b->process_count ||
        a->page_count != b->page_count || memcmp(a->process, b->process, sizeof a->process) != 0 ||
        memcmp(a->page, b->page, sizeof a->page) != 0) {
        fail_msg("%s: status, processes or resident pages differ", what);
    }
}

/* The sums that hold on every run. */
static void assert_sums(const VMMStats *stats) {
    uint64_t faults = 0;
    for (int class = 0; class < VMM_FAULT_CLASS_COUNT; class ++) {
        faults += stats->faults[class];
    }
    assert_int_equal(stats->accesses, stats->reads + stats->writes + stats->fetches);
    assert_int_equal(stats->page_references, stats->tlb_hits + stats->tlb_misses);
    assert_int_equal(stats->walks, stats->tlb_misses);
    assert_int_equal(stats->page_faults, faults);
    assert_int_equal(stats->page_faults,
                     stats->major_faults + stats->minor_faults + stats->faults[VMM_FAULT_invalid]);
    assert_int_equal(stats->page_faults, stats->misses + stats->faults[VMM_FAULT_invalid]);
    assert_int_equal(stats->replacements,
                     stats->clean_evictions + stats->swap_outs - stats->cleanings);
    assert_int_equal(stats->swap_ins, stats->faults[VMM_FAULT_swap_in]);
}

/* ---- Generic and specialised
 * ----------------------------------------------------------------------
 */

static const char *const variants[] = {
    "frames=12",
    "frames=1",
    "frames=200",
    "frames=12 tlb=off",
    "frames=12 tlb-size=8",
    "frames=12 tlb-size=12 tlb-ways=4",
    "frames=12 tlb-size=8 tlb-ways=2 tlb-policy=FIFO",
    "frames=12 tlb-size=8 tlb-policy=RANDOM",
    "frames=12 tlb-size=8 tlb-policy=LFU",
    "frames=12 tlb-switch=flush",
    "frames=12 tlb=off tlb-switch=flush",
    "frames=6 scope=process",
    "frames=6 scope=process tlb-switch=flush tlb-size=4",
    "frames=12 accessed-bit=tlb-fill",
    "frames=12 accessed-bit=tlb-fill tlb-size=4",
    "frames=12 accessed-bit=tlb-fill young-flush=on",
    "frames=12 initial=store pt-type=FOUR_LEVEL",
    "frames=12 pt-type=TWO_LEVEL swap-write=background",
    "frames=12 page-size=512 pt-type=FIVE_LEVEL",
    "frames=12 swap=64K",
    "frames=6 scope=process swap=64K",
    "frames=12 refs=data max-accesses=3000",
};

/* A short period, so that aging and clearing happen. */
static const char *policy_text(const VMMPolicyInfo *info, char *text, size_t size) {
    const VMMPolicyParameter *parameter = info->parameters;
    snprintf(text, size, "%s", info->name);
    for (; parameter != NULL && parameter->name != NULL; parameter++) {
        if (strcmp(parameter->name, "period") == 0) {
            snprintf(text, size, "%s:period=37", info->name);
        }
    }
    return text;
}

/* The generic engine is the specification: every policy, every variant, every number. */
static void specialised_equals_generic(void **state) {
    (void)state;
    enum { COUNT = 6000 };
    VMMRef *refs = random_refs(COUNT, 1);
    const VMMPolicyInfo *info;
    for (size_t p = 0; (info = vmm_policy_at(p)) != NULL; p++) {
        for (size_t v = 0; v < VMM_COUNT_OF(variants); v++) {
            char policy[64];
            char options[256];
            policy_text(info, policy, sizeof policy);
            snprintf(options, sizeof options, "%s policy=%s engine=fast", variants[v], policy);
            Result fast = simulate(options, refs, COUNT, COUNT);
            snprintf(options, sizeof options, "%s policy=%s engine=generic", variants[v], policy);
            Result generic = simulate(options, refs, COUNT, COUNT);
            assert_same(&fast, &generic, options);
            assert_sums(&fast.stats);
            assert_true(fast.stats.accesses > 20 && fast.stats.misses > 0);
        }
    }
    free(refs);
}

/* With very many pages the fast engine and the directory fetch ahead; the numbers stay. */
static void specialised_equals_generic_on_many_pages(void **state) {
    (void)state;
    enum { COUNT = 260000 };
    VMMRef *refs = calloc(COUNT, sizeof *refs);
    Rng rng = rng_seed(2, "many pages");
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t span = i % 2 == 0 ? 150000 : 5000;
        refs[i] = (VMMRef){.addr = rng_below(&rng, span) << 12, .pid = 1, .op = i % 3 == 0};
    }
    static const char *const policies[] = {"lru", "clock", "nru"};
    for (size_t p = 0; p < VMM_COUNT_OF(policies); p++) {
        char options[128];
        snprintf(options, sizeof options, "frames=10000 policy=%s engine=fast", policies[p]);
        Result fast = simulate(options, refs, COUNT, COUNT);
        snprintf(options, sizeof options, "frames=10000 policy=%s engine=generic", policies[p]);
        Result generic = simulate(options, refs, COUNT, COUNT);
        assert_true(fast.stats.distinct_pages > 1 << 16);
        assert_same(&fast, &generic, options);
    }
    free(refs);
}

/* How references are cut into calls is nobody's business. */
static void batches_leave_no_trace(void **state) {
    (void)state;
    enum { COUNT = 9000 };
    VMMRef *refs = random_refs(COUNT, 3);
    const VMMPolicyInfo *info;
    for (size_t p = 0; (info = vmm_policy_at(p)) != NULL; p++) {
        for (size_t v = 0; v < VMM_COUNT_OF(variants); v++) {
            static const size_t chunks[] = {1, 7, 4096};
            char policy[64];
            char options[256];
            if (info->needs == VMM_NEEDS_FUTURE || v % 3 != p % 3) {
                continue; /* a third of the variants for each policy, all of them together */
            }
            snprintf(options, sizeof options, "%s policy=%s", variants[v],
                     policy_text(info, policy, sizeof policy));
            Result whole = simulate(options, refs, COUNT, COUNT);
            for (size_t c = 0; c < VMM_COUNT_OF(chunks); c++) {
                Result cut = simulate(options, refs, COUNT, chunks[c]);
                assert_same(&whole, &cut, options);
            }
        }
    }
    free(refs);
}

/* A machine that runs out of memory stands at the same place however it was fed. */
static void a_stop_is_where_it_is(void **state) {
    (void)state;
    static const char *const stops[] = {
        "frames=12 swap=64K policy=lru",
        "frames=12 swap=64K policy=lru tlb-switch=flush",
        "frames=12 swap=64K policy=clock refs=data",
        "frames=6 scope=process swap=32K policy=fifo",
    };
    enum { COUNT = 9000 };
    VMMRef *refs = random_refs(COUNT, 3);
    for (size_t i = 0; i < COUNT; i++) { /* one process that comes only after the stop */
        refs[i].pid = i < 4000 ? 1 + refs[i].pid % 2 : refs[i].pid;
    }
    for (size_t v = 0; v < VMM_COUNT_OF(stops); v++) {
        static const size_t chunks[] = {1, 7, 100, 4096};
        Result whole = simulate(stops[v], refs, COUNT, COUNT);
        assert_int_equal(whole.status, VMM_E_OUT_OF_MEMORY);
        assert_int_equal(whole.stats.oom_events, 1);
        assert_true(whole.stats.accesses < 3900);
        for (size_t c = 0; c < VMM_COUNT_OF(chunks); c++) {
            Result cut = simulate(stops[v], refs, COUNT, chunks[c]);
            assert_same(&whole, &cut, stops[v]);
        }
    }
    free(refs);
}

/* ---- Splitting, limits, filters
 * -------------------------------------------------------------------
 */

/* One reference over more pages than a batch has room for, between two small ones. */
static void a_reference_longer_than_a_batch(void **state) {
    (void)state;
    enum { PAGES = 3 * 4096 + 5 };
    const VMMRef refs[] = {
        {.addr = 0x1000, .pid = 1, .size = 8, .op = VMM_OP_READ},
        {.addr = 0x10ff0, .pid = 1, .size = 16 + (PAGES - 2) * 4096u + 1, .op = VMM_OP_WRITE},
        {.addr = 0x1008, .pid = 2, .size = 8, .op = VMM_OP_FETCH},
    };
    static const char *const engines[] = {"fast", "generic"};
    for (size_t e = 0; e < 2; e++) {
        char options[128];
        snprintf(options, sizeof options, "frames=100 policy=lru engine=%s", engines[e]);
        Result result = simulate(options, refs, 3, 3);
        assert_int_equal(result.status, VMM_OK);
        assert_int_equal(result.stats.accesses, 3);
        assert_int_equal(result.stats.writes, 1);
        assert_int_equal(result.stats.page_references, PAGES + 2);
        assert_int_equal(result.stats.misses, PAGES + 2);
        assert_int_equal(result.stats.swap_outs, PAGES + 1 - 100);
        assert_int_equal(result.stats.context_switches, 1);
        assert_int_equal(result.process[0].page_references, PAGES + 1);
        assert_int_equal(result.process[1].accesses, 1);
        Result again = simulate(options, refs, 3, 1);
        assert_same(&result, &again, options);
    }
}

/* Pages are counted by what a reference overlaps; size 0 is one byte. */
static void references_overlap_pages(void **state) {
    (void)state;
    static const struct {
        uint64_t addr;
        uint32_t size;
        uint64_t pages;
    } cases[] = {{0, 0, 1},    {4095, 0, 1},    {4095, 1, 1}, {4095, 2, 2},
                 {0, 4096, 1}, {0, 4097, 2},    {1, 4096, 2}, {1, 8191, 2},
                 {1, 8192, 3}, {4096, 4096, 1}, {8191, 1, 1}, {0, 40960, 10}};
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        VMMRef ref = {.addr = cases[i].addr, .size = cases[i].size, .pid = 1};
        Result result = simulate("frames=100", &ref, 1, 1);
        assert_int_equal(result.stats.page_references, cases[i].pages);
        assert_int_equal(result.stats.accesses, 1);
    }
}

typedef struct LimitCase {
    const char *options;
    uint64_t addr;
    uint32_t size;
    uint64_t pages, invalid;
} LimitCase;

/* The last byte is valid, the next is not, and what is beyond ends the reference. */
static void addresses_have_a_limit(void **state) {
    (void)state;
    static const LimitCase cases[] = {
        {"frames=9", LIMIT_48 - 1, 1, 1, 0},
        {"frames=9", LIMIT_48, 1, 1, 1},
        {"frames=9", LIMIT_48, 9000, 1, 1},
        {"frames=9", LIMIT_48 - 1, 2, 2, 1},
        {"frames=9", LIMIT_48 - 1, 9000, 2, 1},
        {"frames=9", LIMIT_48 - 4097, 9000, 3, 1},
        {"frames=9", UINT64_MAX, 1, 1, 1},
        {"frames=9", UINT64_MAX, 2, 1, 1}, /* the end of 64 bits */
        {"frames=9", UINT64_MAX - 10, UINT32_MAX, 1, 1},
        {"frames=9 pt-type=FIVE_LEVEL", LIMIT_48, 1, 1, 0},
        {"frames=9 pt-type=FIVE_LEVEL", (UINT64_C(1) << 57) - 1, 1, 1, 0},
        {"frames=9 pt-type=FIVE_LEVEL", (UINT64_C(1) << 57) - 1, 2, 2, 1},
        {"frames=9 vspace=64K", 0xffff, 1, 1, 0},
        {"frames=9 vspace=64K", 0x10000, 1, 1, 1},
        {"frames=9 vspace=64K", 0xffff, 2, 2, 1},
        {"frames=9 vspace=6K", 6143, 1, 1, 0}, /* a limit within a page: */
        {"frames=9 vspace=6K", 6144, 1, 1, 1}, /* the first byte touched decides */
        {"frames=9 vspace=6K", 6143, 100, 1, 0},
        {"frames=9 vspace=6K", 0, 9000, 3, 1},
        {"frames=9 vspace=4096G pt-type=SINGLE", LIMIT_48 - 1, 1, 1, 1},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        VMMRef ref = {.addr = cases[i].addr, .size = cases[i].size, .pid = 1};
        for (size_t generic = 0; generic < 2; generic++) {
            char options[128];
            snprintf(options, sizeof options, "%s engine=%s", cases[i].options,
                     generic != 0 ? "generic" : "fast");
            Result result = simulate(options, &ref, 1, 1);
            assert_int_equal(result.status, VMM_OK);
            assert_int_equal(result.stats.accesses, 1);
            assert_int_equal(result.stats.page_references, cases[i].pages);
            assert_int_equal(result.stats.faults[VMM_FAULT_invalid], cases[i].invalid);
            assert_int_equal(result.stats.misses, cases[i].pages - cases[i].invalid);
            assert_int_equal(result.stats.distinct_pages, cases[i].pages - cases[i].invalid);
            assert_int_equal(result.stats.frames_used, cases[i].pages - cases[i].invalid);
            assert_sums(&result.stats);
        }
    }
}

/* An invalid page reference costs a lookup and a fault, but no walk reads. */
static void an_invalid_address_reads_no_table(void **state) {
    (void)state;
    VMMRef ref = {.addr = LIMIT_48, .pid = 1, .op = VMM_OP_WRITE};
    Result result =
        simulate("frames=9 cost-tlb=1 cost-memory=10 cost-fault=1000 cost-walk-read=7", &ref, 1, 1);
    assert_int_equal(result.stats.walks, 1);
    assert_int_equal(result.stats.walk_reads, 0);
    assert_int_equal(result.stats.page_faults, 1);
    assert_int_equal(result.stats.minor_faults, 0);
    assert_int_equal(result.stats.stall_time_ps, 1011000);
    assert_int_equal(result.stats.processes, 1);
}

/* The n-th reference is the last, in whatever batch it lies. */
static void max_accesses_stops_within_batches(void **state) {
    (void)state;
    enum { COUNT = 9000 };
    VMMRef *refs = random_refs(COUNT, 4);
    static const size_t limits[] = {1, 6, 7, 8, 4095, 4096, 4097, 8192};
    for (size_t i = 0; i < VMM_COUNT_OF(limits); i++) {
        static const size_t chunks[] = {1, 7, 4096, COUNT};
        char options[128];
        snprintf(options, sizeof options, "frames=12 policy=lru max-accesses=%zu", limits[i]);
        Result expected = simulate("frames=12 policy=lru", refs, limits[i], limits[i]);
        for (size_t c = 0; c < VMM_COUNT_OF(chunks); c++) {
            Result result = simulate(options, refs, COUNT, chunks[c]);
            assert_same(&expected, &result, options);
        }
    }
    free(refs);
    const VMMRef lengthy = {.addr = 0, .size = 10000 * 4096u, .pid = 1};
    Result result = simulate("frames=12 max-accesses=1", &lengthy, 1, 1);
    assert_int_equal(result.stats.page_references, 10000); /* the last one is not cut */
}

/* refs = data or fetch is the same as a trace without the others. */
static void filters_leave_out_references(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    VMMRef *refs = random_refs(COUNT, 5);
    VMMRef *kept = calloc(COUNT, sizeof *kept);
    for (int fetches = 0; fetches < 2; fetches++) {
        size_t count = 0;
        for (size_t i = 0; i < COUNT; i++) {
            if ((refs[i].op == VMM_OP_FETCH) == (fetches != 0)) {
                kept[count++] = refs[i];
            }
        }
        static const size_t chunks[] = {1, 7, COUNT};
        for (size_t c = 0; c < VMM_COUNT_OF(chunks); c++) {
            Result expected = simulate("frames=12 policy=lru", kept, count, count);
            Result result = simulate(fetches != 0 ? "frames=12 policy=lru refs=fetch"
                                                  : "frames=12 policy=lru refs=data",
                                     refs, COUNT, chunks[c]);
            assert_int_equal(result.stats.filtered, COUNT - count);
            assert_int_equal(expected.stats.filtered, 0);
            expected.stats.filtered = result.stats.filtered;
            assert_same(&expected, &result, "filtered");
        }
    }
    free(refs);
    free(kept);
}

/* max-accesses counts what passes the filter. */
static void filter_comes_before_the_limit(void **state) {
    (void)state;
    VMMRef refs[100];
    for (size_t i = 0; i < 100; i++) {
        refs[i] =
            (VMMRef){.addr = i << 12, .pid = 1, .op = i % 2 == 0 ? VMM_OP_READ : VMM_OP_FETCH};
    }
    for (size_t chunk = 1; chunk <= 100; chunk += 33) {
        Result result = simulate("refs=fetch max-accesses=10", refs, 100, chunk);
        assert_int_equal(result.stats.fetches, 10);
        assert_int_equal(result.stats.accesses, 10);
        assert_int_equal(result.stats.filtered, 10);
    }
}

/* An operation that is none is refused; what came before it counts, and what comes after can. */
static void unknown_operations_are_refused(void **state) {
    (void)state;
    VMMRef refs[10] = {{0}};
    refs[6].op = VMM_OP_COUNT;
    VMM *vmm = make("frames=3");
    assert_int_equal(vmm_feed(vmm, refs, 10), VMM_E_USAGE);
    assert_int_equal(vmm_last_error(vmm), VMM_E_USAGE);
    assert_non_null(strstr(vmm_error_text(vmm), "3"));
    assert_int_equal(result_of(vmm, 0).stats.accesses, 6);
    assert_int_equal(vmm_feed(vmm, refs + 7, 3), VMM_OK);
    assert_int_equal(result_of(vmm, 0).stats.accesses, 9);
    vmm_destroy(vmm);
}

/* ---- A policy that parts with pages
 * --------------------------------------------------------------
 */

enum { PART_ROOM = 64, PART_FRAMES = 10, PART_PAGES = 40 };

/* FIFO, but: pages divisible by 7 are refused; the load of one divisible by 3, or a hit on one
   divisible by 5, sends off the oldest page too; a hit on one divisible by 11 sends that one off.
 */
typedef struct Parting {
    Policy base;
    uint32_t queue[PART_ROOM];
    uint32_t count;
} Parting;

static void parting_leave(uint32_t *queue, uint32_t *count, uint32_t item) {
    uint32_t i = 0;
    while (queue[i] != item) {
        i++;
        assert_true(i < *count);
    }
    memmove(&queue[i], &queue[i + 1], (*count - i - 1) * sizeof *queue);
    --*count;
}

/* What goes besides, as places in the queue; at most two. Shared by policy and model. */
static uint32_t parting_choose(uint32_t page, uint32_t place, uint32_t count, bool hit,
                               uint32_t *places) {
    uint32_t chosen = 0;
    if ((!hit && page % 7 == 0) || (hit && page % 11 == 0)) {
        places[chosen++] = place;
    }
    if (page % (hit ? 5 : 3) == 0 && count > 1) {
        places[chosen++] = place == 0 ? 1 : 0;
    }
    return chosen;
}

static void parting_seen(Policy *policy, uint32_t frame, bool hit) {
    Parting *parting = (Parting *)policy;
    uint32_t place = 0;
    while (parting->queue[place] != frame) {
        place++;
    }
    uint32_t places[2];
    uint32_t chosen = parting_choose(policy->page_of[frame], place, parting->count, hit, places);
    for (uint32_t i = 0; i < chosen; i++) {
        vmm_policy_part_with(policy, parting->queue[places[i]]);
    }
}

static void parting_insert(Policy *policy, uint32_t frame) {
    Parting *parting = (Parting *)policy;
    parting->queue[parting->count++] = frame;
    parting_seen(policy, frame, false);
}

static void parting_touch(Policy *policy, uint32_t frame) {
    parting_seen(policy, frame, true);
}

static uint32_t parting_victim(Policy *policy) {
    return ((Parting *)policy)->queue[0];
}

static void parting_remove(Policy *policy, uint32_t frame) {
    Parting *parting = (Parting *)policy;
    parting_leave(parting->queue, &parting->count, frame);
}

static bool parting_is_valid(const Policy *policy) {
    return ((const Parting *)policy)->count <= policy->capacity;
}

static const PolicyType parting_policy = {
    .info.name = "parting",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .parts_on_touch = true,
    .state_size = sizeof(Parting),
    .insert = parting_insert,
    .touch = parting_touch,
    .victim = parting_victim,
    .remove = parting_remove,
    .is_valid = parting_is_valid,
};

/* The same with pages in arrays. */
typedef struct PartModel {
    uint32_t queue[PART_ROOM]; /* page ids */
    uint32_t count;
    bool dirty[PART_PAGES + 1], slot[PART_PAGES + 1];
    uint64_t misses, swap_ins, swap_outs, clean, slots;
} PartModel;

static void model_evict(PartModel *model, uint32_t page) {
    if (model->dirty[page]) {
        model->swap_outs++;
        model->slots++;
        model->slot[page] = true;
    } else {
        model->clean++;
    }
    model->dirty[page] = false;
    parting_leave(model->queue, &model->count, page);
}

static void model_write(PartModel *model, uint32_t page) {
    model->dirty[page] = true;
    model->slots -= model->slot[page];
    model->slot[page] = false;
}

static void model_reference(PartModel *model, uint32_t page, bool write) {
    uint32_t place = 0;
    while (place < model->count && model->queue[place] != page) {
        place++;
    }
    bool hit = place < model->count;
    if (!hit) {
        model->misses++;
        model->swap_ins += model->slot[page];
        if (model->count == PART_FRAMES) {
            model_evict(model, model->queue[0]);
        }
        place = model->count;
        model->queue[model->count++] = page;
    }
    uint32_t places[2];
    uint32_t leaving[2];
    uint32_t chosen = parting_choose(page, place, model->count, hit, places);
    for (uint32_t i = 0; i < chosen; i++) {
        leaving[i] = model->queue[places[i]];
    }
    if (write) {
        model_write(model, page);
    }
    for (uint32_t i = 0; i < chosen; i++) {
        model_evict(model, leaving[i]);
    }
}

/* What an observer saw of pages that left. */
typedef struct Seen {
    uint64_t evictions, most, refused;
} Seen;

static void watch(void *user, const VMMStep *step) {
    Seen *seen = user;
    seen->evictions += step->eviction_count;
    seen->most = step->eviction_count > seen->most ? step->eviction_count : seen->most;
    seen->refused += step->frame == VMM_NO_FRAME;
    for (uint32_t i = 0; i < step->eviction_count; i++) {
        assert_int_equal(step->evictions[i].dirty, step->evictions[i].swap_slot != VMM_NO_SLOT);
    }
}

/* A machine with the policy put in by hand; ids are pages + 1, for all come in order first. */
typedef struct Rig {
    Settings settings;
    Stream *stream;
    Machine machine;
} Rig;

static void rig_make_with(Rig *rig, const char *options, const PolicyType *type, uint64_t frames) {
    VMMConfig config = test_configure(options);
    rig->settings = *settings_of(&config);
    rig->settings.frames = frames;
    rig->settings.engine = ENGINE_GENERIC;
    Error error = {0};
    assert_int_equal(stream_create(&rig->settings, 48, &memory_default, 64, &rig->stream, &error),
                     VMM_OK);
    PolicySpec spec;
    assert_int_equal(policy_parse(rig->settings.policy, &spec, &error), VMM_OK);
    assert_int_equal(machine_init(&rig->machine, &rig->settings, &spec, &memory_default, &error),
                     VMM_OK);
    rig->machine.policy.type = type;
    assert_int_equal(machine_attach(&rig->machine, &rig->stream->directory, &error), VMM_OK);
}

static void rig_make(Rig *rig, const char *options) {
    rig_make_with(rig, options, &parting_policy, PART_FRAMES);
}

static void rig_free(Rig *rig) {
    machine_free(&rig->machine);
    stream_release(rig->stream);
}

static int rig_feed(Rig *rig, const VMMRef *refs, size_t count) {
    int status = VMM_OK;
    while (status == VMM_OK && count > 0) {
        size_t taken;
        stream_next_batch(rig->stream);
        assert_int_equal(stream_add(rig->stream, refs, count, &taken, NULL), VMM_OK);
        status = engine_consume(&rig->machine, &rig->stream->batch);
        assert_true(machine_is_valid(&rig->machine));
        refs += taken;
        count -= taken;
    }
    return status;
}

/* References to PART_PAGES pages that all appear once at first, so that page i has id i. */
static void rig_refs(VMMRef *refs, size_t count) {
    Rng rng = rng_seed(7, "parting");
    for (size_t i = 0; i < count; i++) {
        uint64_t page = i < PART_PAGES ? i : rng_below(&rng, i % 100 < 50 ? 12 : PART_PAGES);
        refs[i] = (VMMRef){.addr = page << 12, .pid = 1, .op = rng_below(&rng, 3) == 0};
    }
}

static void run_parting(const char *options, bool observed) {
    enum { COUNT = 5000 };
    VMMRef refs[COUNT];
    Rig rig;
    Seen seen = {0};
    PartModel model = {.count = 0};
    rig_refs(refs, COUNT);
    rig_make(&rig, options);
    if (observed) {
        assert_int_equal(stream_watch(rig.stream, NULL), VMM_OK);
        rig.machine.observer = watch;
        rig.machine.observer_user = &seen;
    }
    assert_int_equal(rig_feed(&rig, refs, COUNT), VMM_OK);
    for (size_t i = 0; i < COUNT; i++) {
        model_reference(&model, (uint32_t)(refs[i].addr >> 12) + 1, refs[i].op == VMM_OP_WRITE);
    }
    VMMStats stats;
    machine_stats(&rig.machine, &stats);
    assert_sums(&stats);
    assert_int_equal(stats.misses, model.misses);
    assert_int_equal(stats.swap_ins, model.swap_ins);
    assert_int_equal(stats.swap_outs, model.swap_outs);
    assert_int_equal(stats.clean_evictions, model.clean);
    assert_int_equal(stats.swap_slots_used, model.slots);
    assert_int_equal(stats.frames_used, model.count);
    if (observed) {
        assert_int_equal(seen.evictions, stats.replacements);
        assert_true(seen.most >= 2 && seen.refused > 0);
    }
    rig_free(&rig);
}

/* Two pages at once, pages on hits, the page just loaded: counters and frames stay true. */
static void policies_may_part_with_pages(void **state) {
    (void)state;
    run_parting("policy=lru", false);
    run_parting("policy=lru tlb=off", false);
    run_parting("policy=lru tlb-size=4 tlb-policy=FIFO", false);
}

/* Gives up all pages, more than one allocation notes, every 40 page references. */
typedef struct Emptying {
    Policy base;
    uint32_t used;
} Emptying;

static int emptying_create(Policy *policy, const uint64_t *params, char *error) {
    (void)params;
    (void)error;
    policy->period = 40;
    return VMM_OK;
}

static void emptying_insert(Policy *policy, uint32_t frame) {
    Emptying *emptying = (Emptying *)policy;
    emptying->used = frame >= emptying->used ? frame + 1 : emptying->used;
}

static void emptying_tick(Policy *policy) {
    for (uint32_t frame = 0; frame < ((Emptying *)policy)->used; frame++) {
        if (policy->page_of[frame] != DIRECTORY_NO_PAGE) {
            vmm_policy_part_with(policy, frame);
        }
    }
}

static const PolicyType emptying_policy = {
    .info.name = "emptying",
    .info.needs = VMM_NEEDS_NOTHING,
    .state_size = sizeof(Emptying),
    .create = emptying_create,
    .insert = emptying_insert,
    .tick = emptying_tick,
};

/* What a tick gives up leaves with the tick, not with the next reference. */
static void ticks_may_part_with_pages(void **state) {
    (void)state;
    enum { COUNT = 120 };
    VMMRef refs[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        refs[i] = (VMMRef){.addr = i << 12, .pid = 1};
    }
    Rig rig;
    rig_make_with(&rig, "policy=fifo", &emptying_policy, COUNT);
    assert_int_equal(rig_feed(&rig, refs, COUNT), VMM_OK);
    VMMStats stats;
    machine_stats(&rig.machine, &stats);
    assert_int_equal(stats.misses, COUNT);
    assert_int_equal(stats.replacements, COUNT);
    assert_int_equal(stats.frames_used, 0);
    rig_free(&rig);
}

/* An observer is shown each of them. */
static void observers_see_all_partings(void **state) {
    (void)state;
    run_parting("policy=lru", true);
}

/* Swap that is full stops the machine in the middle of parting, in a state that is whole. */
static void parting_can_fill_swap(void **state) {
    (void)state;
    enum { COUNT = 500 };
    VMMRef refs[COUNT];
    Rig rig;
    rig_refs(refs, COUNT);
    for (size_t slots = 1; slots < 12; slots++) {
        char options[64];
        snprintf(options, sizeof options, "policy=lru swap=%zuK", 4 * slots);
        rig_make(&rig, options);
        assert_int_equal(rig_feed(&rig, refs, COUNT), VMM_E_OUT_OF_MEMORY);
        VMMStats stats;
        machine_stats(&rig.machine, &stats);
        assert_int_equal(stats.oom_events, 1);
        assert_int_equal(stats.swap_slots_used, slots);
        assert_int_equal(engine_consume(&rig.machine, &rig.stream->batch), VMM_E_OUT_OF_MEMORY);
        rig_free(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specialised_equals_generic),
        cmocka_unit_test(specialised_equals_generic_on_many_pages),
        cmocka_unit_test(batches_leave_no_trace),
        cmocka_unit_test(a_stop_is_where_it_is),
        cmocka_unit_test(a_reference_longer_than_a_batch),
        cmocka_unit_test(references_overlap_pages),
        cmocka_unit_test(addresses_have_a_limit),
        cmocka_unit_test(an_invalid_address_reads_no_table),
        cmocka_unit_test(max_accesses_stops_within_batches),
        cmocka_unit_test(filters_leave_out_references),
        cmocka_unit_test(filter_comes_before_the_limit),
        cmocka_unit_test(unknown_operations_are_refused),
        cmocka_unit_test(policies_may_part_with_pages),
        cmocka_unit_test(ticks_may_part_with_pages),
        cmocka_unit_test(observers_see_all_partings),
        cmocka_unit_test(parting_can_fill_swap),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
