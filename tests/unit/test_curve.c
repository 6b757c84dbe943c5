/* SPDX-License-Identifier: Apache-2.0 */
/*
 * include/vmm/curve.h: a host without memory, feeding by hand, calls in the wrong order, long
 * stacks. That the numbers are right is shown by tests/property/test_curves.py and test_shards.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../include/vmm/vmm.h"
#include "../../src/base/rng.h"
#include "common.h"

/* ---- A trace with events -------------------------------------------------------------------- */

enum { REFS = 6000 };

static char trace_path[TEST_PATH_BYTES];

static VMMRef random_ref(Rng *rng) {
    uint64_t page = rng_below(rng, rng_below(rng, 2) ? 40 : 900);
    return (VMMRef){.addr = page << 12,
                    .pid = (uint32_t)rng_below(rng, 3) + 1,
                    .size = 4,
                    .op = rng_below(rng, 3) == 0 ? VMM_OP_WRITE : VMM_OP_READ};
}

/* In page runs, with ranges that are unmapped and processes that end. */
static int write_trace(void **state) {
    (void)state;
    Rng rng = rng_seed(7, "curve");
    VMMTraceWriterOptions options = {
        .struct_size = sizeof options, .codec = "runs", .page_size = 4096};
    VMMTraceWriter *writer;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    test_path_template(trace_path, "curve");
    int file = mkstemp(trace_path);
    assert_true(file >= 0);
    if (vmm_trace_writer_open(file, &options, &writer, error) != VMM_OK) {
        fail_msg("%s", error);
    }
    for (int i = 0; i < REFS; i++) {
        VMMRef ref = random_ref(&rng);
        assert_int_equal(vmm_trace_write(writer, &ref, 1), VMM_OK);
        if (i % 500 == 499) {
            VMMEvent event = {.struct_size = sizeof event,
                              .type = i % 1000 == 999 ? VMM_EVENT_EXIT : VMM_EVENT_UNMAP,
                              .pid = ref.pid,
                              .start = 0,
                              .length = 20 << 12};
            assert_int_equal(vmm_trace_write_event(writer, &event), VMM_OK);
        }
    }
    assert_int_equal(vmm_trace_writer_finish(writer), VMM_OK);
    vmm_trace_writer_close(writer);
    close(file);
    return 0;
}

static int remove_trace(void **state) {
    (void)state;
    return unlink(trace_path);
}

static VMMTrace *open_trace(void) {
    VMMTrace *trace;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    if (vmm_trace_open(trace_path, NULL, &trace, error) != VMM_OK) {
        fail_msg("%s", error);
    }
    return trace;
}

static VMMCurve *make(const char *config_text, VMMCurveOptions options,
                      const VMMAllocator *allocator) {
    VMMConfig config = test_configure(config_text);
    VMMCurve *curve;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    options.struct_size = sizeof options;
    int status = vmm_curve_create(&config, &options, allocator, &curve, error);
    if (status != VMM_OK && (allocator == NULL || status != VMM_E_NO_MEMORY)) {
        fail_msg("%s", error);
    }
    return curve;
}

static VMMCurve *run(const char *config, VMMCurveOptions options) {
    VMMCurve *curve = make(config, options, NULL);
    VMMTrace *trace = open_trace();
    if (vmm_curve_run(&curve, 1, trace, NULL, NULL) != VMM_OK) {
        fail_msg("%s", vmm_curve_error_text(curve));
    }
    vmm_trace_close(trace);
    return curve;
}

/* ---- A host without memory ------------------------------------------------------------------ */

/* Fails the call number fail_at. */
typedef struct Scarce {
    size_t calls, fail_at, blocks, bytes;
    bool failed;
} Scarce;

static void *scarce_zalloc(void *user, size_t size) {
    Scarce *scarce = user;
    if (++scarce->calls == scarce->fail_at) {
        scarce->failed = true;
        return NULL;
    }
    scarce->blocks++;
    scarce->bytes += size;
    return calloc(1, size);
}

static void *scarce_resize(void *user, void *block, size_t old_size, size_t new_size) {
    Scarce *scarce = user;
    if (++scarce->calls == scarce->fail_at) {
        scarce->failed = true;
        return NULL;
    }
    scarce->bytes += new_size - old_size;
    char *grown = realloc(block, new_size);
    memset(grown + old_size, 0xee, new_size - old_size); /* undefined, and not zero */
    return grown;
}

static void scarce_release(void *user, void *block, size_t size) {
    Scarce *scarce = user;
    scarce->blocks--;
    scarce->bytes -= size;
    free(block);
}

/* Fails the k-th allocation for every k: no crash, no leak, and the caller is told. */
static void run_scarce(const char *config, VMMCurveOptions options) {
    bool reached = true;
    for (size_t k = 1; reached; k++) {
        Scarce scarce = {.fail_at = k};
        const VMMAllocator allocator = {scarce_zalloc, scarce_resize, scarce_release, &scarce};
        VMMTrace *trace = open_trace();
        VMMCurve *curve = make(config, options, &allocator);
        int status = VMM_E_NO_MEMORY;
        if (curve != NULL) {
            status = vmm_curve_run(&curve, 1, trace, NULL, NULL);
            assert_int_equal(vmm_curve_series_count(curve) > 0, status == VMM_OK);
            assert_int_equal(*vmm_curve_error_text(curve) != '\0', status != VMM_OK);
        }
        vmm_curve_destroy(curve);
        vmm_trace_close(trace);
        if (scarce.blocks != 0 || scarce.bytes != 0 ||
            (status == VMM_E_NO_MEMORY) != scarce.failed) {
            fail_msg("kind %u, failure %zu: %zu blocks left, status %d", options.kind, k,
                     scarce.blocks, status);
        }
        reached = scarce.failed;
        assert_true(k < 2000);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < VMM_CURVE_KIND_COUNT; kind++) {
        run_scarce("page-size=4096", (VMMCurveOptions){.kind = kind});
        run_scarce("page-size=4096", (VMMCurveOptions){.kind = kind, .per_process = 1});
        run_scarce("scope=process", (VMMCurveOptions){.kind = kind});
    }
    run_scarce("seed=1", (VMMCurveOptions){.sample_rate = 0.5});
    run_scarce("seed=1", (VMMCurveOptions){.sample_pages = 100});
}

/* ---- By hand -------------------------------------------------------------------------------- */

static void test_by_hand(void **state) {
    (void)state;
    Rng rng = rng_seed(1, "hand");
    VMMCurve *curve = make("page-size=4096", (VMMCurveOptions){0}, NULL);
    VMM *vmm = vmm_create(&(VMMConfig){0});
    assert_null(vmm); /* a configuration that was not initialised */
    VMMConfig config = test_configure("frames=50 policy=lru");
    vmm = vmm_create(&config);
    for (int i = 0; i < 3000; i++) {
        VMMRef ref = random_ref(&rng);
        assert_int_equal(vmm_curve_feed(curve, &ref, 1), VMM_OK);
        assert_int_equal(vmm_feed(vmm, &ref, 1), VMM_OK);
    }
    VMMCurvePoint point;
    assert_int_equal(vmm_curve_at(curve, 0, 50, &point), VMM_E_USAGE); /* not at its end */
    assert_int_equal(vmm_curve_end(curve), VMM_OK);
    assert_int_equal(vmm_curve_at(curve, 0, 50, &point), VMM_OK);
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    assert_int_equal(point.misses, stats.misses);
    assert_int_equal(point.writebacks, stats.swap_outs);
    VMMRef ref = {.addr = 0, .pid = 1, .size = 1};
    assert_int_equal(vmm_curve_feed(curve, &ref, 1), VMM_E_USAGE);
    assert_int_equal(vmm_curve_end(curve), VMM_E_USAGE);
    vmm_destroy(vmm);
    vmm_curve_destroy(curve);
}

static void test_nothing_fed(void **state) {
    (void)state;
    VMMCurvePoint points[3];
    for (uint32_t kind = 0; kind < VMM_CURVE_KIND_COUNT; kind++) {
        VMMCurve *curve = make("page-size=4096", (VMMCurveOptions){.kind = kind}, NULL);
        uint64_t cursor = 0;
        if (kind == VMM_CURVE_OPT) {
            assert_int_equal(vmm_curve_end(curve), VMM_E_NEEDS_FUTURE);
        } else {
            assert_int_equal(vmm_curve_end(curve), VMM_OK);
            assert_int_equal(vmm_curve_read(curve, 0, &cursor, points, 3), 1);
            assert_int_equal(points[0].size, 1);
            assert_int_equal(points[0].misses, 0);
        }
        vmm_curve_destroy(curve);
    }
}

/* ---- Wrong calls ---------------------------------------------------------------------------- */

static void expect_refused(const char *config_text, VMMCurveOptions options, int expected) {
    VMMConfig config = test_configure(config_text);
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMCurve *curve = (VMMCurve *)&config;
    assert_int_equal(vmm_curve_create(&config, &options, NULL, &curve, error), expected);
    assert_null(curve);
    assert_true(*error != '\0');
}

static void test_refused(void **state) {
    (void)state;
    uint32_t size = sizeof(VMMCurveOptions);
    expect_refused("seed=1", (VMMCurveOptions){0}, VMM_E_USAGE);
    expect_refused("seed=1", (VMMCurveOptions){.struct_size = size, .kind = 99}, VMM_E_USAGE);
    expect_refused("seed=1", (VMMCurveOptions){.struct_size = size, .reserved = 1}, VMM_E_USAGE);
    expect_refused("seed=1", (VMMCurveOptions){.struct_size = size, .sample_rate = 1.0},
                   VMM_E_RANGE);
    expect_refused("seed=1", (VMMCurveOptions){.struct_size = size, .sample_pages = 9},
                   VMM_E_RANGE);
    expect_refused(
        "seed=1", (VMMCurveOptions){.struct_size = size, .kind = VMM_CURVE_OPT, .sample_rate = 0.1},
        VMM_E_USAGE);
    expect_refused("scope=process", (VMMCurveOptions){.struct_size = size, .sample_rate = 0.1},
                   VMM_E_CONFIG);
    assert_int_equal(vmm_curve_run(NULL, 1, NULL, NULL, NULL), VMM_E_USAGE);
    assert_int_equal(vmm_curve_series_count(NULL), 0);
    assert_string_equal(vmm_curve_error_text(NULL), "");
    vmm_curve_destroy(NULL);
}

static void test_together(void **state) {
    (void)state;
    VMMCurve *one = make("page-size=4096", (VMMCurveOptions){0}, NULL);
    VMMCurve *large = make("page-size=8192", (VMMCurveOptions){0}, NULL);
    VMMCurve *sample = make("page-size=4096", (VMMCurveOptions){.sample_rate = 0.5}, NULL);
    VMMTrace *trace = open_trace();
    assert_int_equal(vmm_curve_run((VMMCurve *[]){one, large}, 2, trace, NULL, NULL), VMM_E_CONFIG);
    assert_int_equal(vmm_curve_run((VMMCurve *[]){one, sample}, 2, trace, NULL, NULL),
                     VMM_E_CONFIG);
    assert_int_equal(vmm_curve_run((VMMCurve *[]){one, one}, 2, trace, NULL, NULL), VMM_E_USAGE);
    assert_int_equal(vmm_curve_run(&one, 1, trace, NULL, NULL), VMM_OK);
    assert_int_equal(vmm_curve_run(&one, 1, trace, NULL, NULL), VMM_E_USAGE); /* used before */
    vmm_trace_close(trace);
    vmm_curve_destroy(one);
    vmm_curve_destroy(large);
    vmm_curve_destroy(sample);
}

static int stop_at_once(void *user, const VMMProgress *progress) {
    (void)user;
    (void)progress;
    return 1;
}

static void test_stopped(void **state) {
    (void)state;
    VMMCurve *curve = make("page-size=4096", (VMMCurveOptions){0}, NULL);
    VMMTrace *trace = open_trace();
    assert_int_equal(vmm_curve_run(&curve, 1, trace, stop_at_once, NULL), VMM_E_STOPPED);
    VMMCurveSeries series = {.struct_size = sizeof series};
    assert_int_equal(vmm_curve_series_at(curve, 0, &series), VMM_OK);
    assert_int_equal(series.page_references > 0, 1);
    vmm_trace_close(trace);
    vmm_curve_destroy(curve);
}

/* ---- Long stacks ---------------------------------------------------------------------------- */

/* A loop of many pages: every depth is that number, through all counts of places, many times over.
 */
static void test_long_loop(void **state) {
    (void)state;
    enum { PAGES = 70000, ROUNDS = 9 };
    VMMCurve *curve = make("page-size=4096", (VMMCurveOptions){0}, NULL);
    VMMRef *refs = calloc(PAGES, sizeof *refs);
    for (uint64_t i = 0; i < PAGES; i++) {
        refs[i] = (VMMRef){.addr = i << 12, .pid = 1, .size = 1};
    }
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(vmm_curve_feed(curve, refs, PAGES), VMM_OK);
    }
    assert_int_equal(vmm_curve_end(curve), VMM_OK);
    VMMCurvePoint points[4];
    uint64_t cursor = 0;
    assert_int_equal(vmm_curve_read(curve, 0, &cursor, points, 4), 2);
    assert_int_equal(points[0].misses, (uint64_t)PAGES * ROUNDS);
    assert_int_equal(points[1].size, PAGES);
    assert_int_equal(points[1].misses, PAGES);
    free(refs);
    vmm_curve_destroy(curve);
}

/* Series end with their processes, and sizes behind the last row have its numbers. */
static void test_series(void **state) {
    (void)state;
    VMMCurve *curve = run("page-size=4096", (VMMCurveOptions){.per_process = 1});
    assert_int_equal(vmm_curve_series_count(curve), 4);
    uint64_t references = 0;
    uint64_t misses = 0;
    for (size_t i = 1; i < 4; i++) {
        VMMCurveSeries series = {.struct_size = sizeof series};
        VMMCurvePoint point;
        assert_int_equal(vmm_curve_series_at(curve, i, &series), VMM_OK);
        assert_int_equal(vmm_curve_at(curve, i, UINT64_MAX, &point), VMM_OK);
        assert_int_equal(point.misses, series.cold_misses);
        assert_int_equal(vmm_curve_at(curve, i, 10, &point), VMM_OK);
        references += series.page_references;
        misses += point.misses;
    }
    VMMCurvePoint whole;
    assert_int_equal(vmm_curve_at(curve, 0, 10, &whole), VMM_OK);
    assert_int_equal(references, REFS);
    assert_int_equal(misses, whole.misses);
    VMMCurveSeries series = {.struct_size = sizeof series};
    assert_int_equal(vmm_curve_series_at(curve, 4, &series), VMM_E_USAGE);
    assert_int_equal(vmm_curve_at(curve, 0, 0, &whole), VMM_E_USAGE);
    vmm_curve_destroy(curve);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),   cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_nothing_fed), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_together),    cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_long_loop),   cmocka_unit_test(test_series),
    };
    return cmocka_run_group_tests(tests, write_trace, remove_trace);
}
