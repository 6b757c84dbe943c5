/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No policy hangs or degrades without bound on adversarial traces: the work for a page reference is
 * bounded, on average over the trace, and does not grow with memory.
 *
 * Work is counted without a clock. The policies and the engine's loop are compiled into this test
 * once more, with a call in each basic block (steps.c); what the test defines here takes the place
 * of src/engine/specialised.c. Every registered policy is tried, without a change here.
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
#include "../../src/engine/engine.h"
#include "../../src/engine/policies.h"
#include "../../src/mm/policy/policies.def"
#include "common.h"
#include "steps.h"

/* clang-format off */
#define VMM_EACH_LIST VMM_POLICIES
#define VMM_EACH_PATH(name) ../mm/policy/name.c
/* clang-format on */
#include "../../src/base/include_each.h"

#include "../../src/engine/loop.h"

/* ---- In place of specialised.c --------------------------------------------------------------- */

static const PolicyType *const bounded_policies[] = {
#define X(name) &name##_policy,
    VMM_POLICIES(X)
#undef X
};

/* Without their checks: the checking build calls these now and then, and they are not the work. */
static PolicyType bounded_types[VMM_COUNT_OF(bounded_policies)];

static void make_bounded_types(void) {
    for (size_t i = 0; i < VMM_COUNT_OF(bounded_policies); i++) {
        bounded_types[i] = *bounded_policies[i];
        bounded_types[i].is_valid = NULL;
    }
}

const PolicyType *policy_at(size_t index) {
    return index < VMM_COUNT_OF(bounded_types) ? &bounded_types[index] : NULL;
}

static size_t bounded_loop(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                           size_t to) {
    return loop_run(machine, pool, batch, from, to, pool->policy->type);
}

EngineLoop *engine_specialised(const PolicySpec *policy) {
    (void)policy;
    return bounded_loop;
}

/* ---- Adversarial traces ------------------------------------------------------------------------
 */

enum { SMALL = 1 << 10, LARGE = 1 << 15, HUGE_MEMORY = 1 << 20, TAIL = 1 << 14 };

/* The page of reference i, where memory has `frames` frames. */
typedef uint64_t PageOf(uint64_t i, uint64_t frames);

static uint64_t one_page(uint64_t i, uint64_t frames) {
    (void)i;
    (void)frames;
    return 0;
}

/* A loop that is a quarter larger than memory. */
static uint64_t cyclic(uint64_t i, uint64_t frames) {
    return i % (frames + frames / 4);
}

/* Each page is new and referenced twice: all R bits are set, and nothing is old. */
static uint64_t always_new(uint64_t i, uint64_t frames) {
    return i / 2 % (16 * frames);
}

/* Every other reference is a new page, the others keep all that came last young. */
static uint64_t all_young(uint64_t i, uint64_t frames) {
    uint64_t newest = frames + i / 2;
    uint64_t back = (i * UINT64_C(0x9E3779B97F4A7C15) >> 32) % (frames - 1);
    return i % 2 == 0 ? newest : newest - back;
}

/* All pages of memory in turn, young again before each new page. */
static uint64_t laps(uint64_t i, uint64_t frames) {
    uint64_t lap = i / frames;
    return i % frames == frames - 1 ? frames + lap : i % frames;
}

typedef struct Adversary {
    const char *name;
    PageOf *page_of;
    bool writes; /* all are */
} Adversary;

static const Adversary adversaries[] = {
    {"one page", one_page, false},
    {"a loop larger than memory", cyclic, false},
    {"the same, all dirty", cyclic, true},
    {"new pages only", always_new, false},
    {"new pages only, all dirty", always_new, true},
    {"all young", all_young, false},
    {"all young and dirty", all_young, true},
    {"all of memory young before each new page", laps, false},
};

/* A file with `count` references of an adversary. */
static void write_trace(char path[TEST_PATH_BYTES], const Adversary *adversary, uint64_t count,
                        uint64_t frames) {
    test_path_template(path, "bounded");
    int file = mkstemp(path);
    assert_true(file >= 0);
    FILE *out = fdopen(file, "w");
    assert_non_null(out);
    for (uint64_t i = 0; i < count; i++) {
        fprintf(out, "1 %c 0x%llx 1\n", adversary->writes ? 'W' : 'R',
                (unsigned long long)(adversary->page_of(i, frames) << 12));
    }
    assert_int_equal(fclose(out), 0);
}

/* Steps for each reference of a run over the file. */
static double steps_of(const char *path, const char *policy, uint64_t count, uint64_t frames) {
    char options[160];
    char error[VMM_ERROR_TEXT_BYTES] = "";
    snprintf(options, sizeof options, "frames=%llu policy=%s engine=fast",
             (unsigned long long)frames, policy);
    VMMConfig config = test_configure(options);
    VMM *vmm = NULL;
    if (vmm_create_with(&config, NULL, &vmm, error) != VMM_OK) {
        fail_msg("%s: %s", options, error);
    }
    VMMTrace *trace = NULL;
    VMMTraceOptions format = {.struct_size = sizeof format, .format = "native"};
    assert_int_equal(vmm_trace_open(path, &format, &trace, NULL), VMM_OK);
    steps_done = 0;
    steps_limit = count * 20000;
    steps_what = policy;
    assert_int_equal(vmm_run_trace(vmm, trace), VMM_OK);
    uint64_t steps = steps_done;
    steps_limit = UINT64_MAX;
    assert_true(steps >= count); /* else nothing was counted */
    vmm_trace_close(trace);
    vmm_destroy(vmm);
    return (double)steps / (double)count;
}

/*
 * The policy with what its own design makes grow with memory held constant: a sweep over all frames
 * once in a period (aging) is shared out over as many references as there are frames.
 */
static const char *bounded_text(const PolicyType *type, uint64_t frames, char *text, size_t size) {
    const VMMPolicyParameter *parameter = type->info.parameters;
    snprintf(text, size, "%s", type->info.name);
    for (; parameter != NULL && parameter->name != NULL; parameter++) {
        if (strcmp(parameter->name, "period") == 0) {
            snprintf(text, size, "%s:period=%llu", type->info.name, (unsigned long long)frames);
        }
    }
    return text;
}

/* Cases that defaults do not meet: nothing is ever old, or all is and no write is scheduled. */
static const char *const extremes[] = {"wsclock:tau=4294967295", "wsclock:tau=1,queue=0",
                                       "clock:bits=8", "ws:window=2", "pff:threshold=1"};

static const char *nth_policy(size_t n, uint64_t frames, char *text, size_t size) {
    if (n < VMM_COUNT_OF(extremes)) {
        return extremes[n];
    }
    const PolicyType *type = policy_at(n - VMM_COUNT_OF(extremes));
    return type == NULL ? NULL : bounded_text(type, frames, text, size);
}

/* Logarithms are allowed, and so is a bounded number of steps at each fault. */
static void assert_bounded(const char *policy, const char *trace, double few, double many) {
    if (many > 2.5 * few + 30 || many > 10000) {
        fail_msg("%s, %s: %.0f steps a reference in a small memory, %.0f in a large one", policy,
                 trace, few, many);
    }
}

/* 32 times the memory, about the same work a reference. */
static void work_does_not_grow_with_memory(void **state) {
    (void)state;
    for (size_t a = 0; a < VMM_COUNT_OF(adversaries); a++) {
        const Adversary *adversary = &adversaries[a];
        char small[TEST_PATH_BYTES];
        char large[TEST_PATH_BYTES];
        char text[64];
        write_trace(small, adversary, 4 * SMALL, SMALL);
        write_trace(large, adversary, 4 * LARGE, LARGE);
        for (size_t n = 0; nth_policy(n, SMALL, text, sizeof text) != NULL; n++) {
            const char *policy = nth_policy(n, SMALL, text, sizeof text);
            double few = steps_of(small, policy, 4 * SMALL, SMALL);
            policy = nth_policy(n, LARGE, text, sizeof text);
            double many = steps_of(large, policy, 4 * LARGE, LARGE);
            assert_bounded(policy, adversary->name, few, many);
        }
        unlink(small);
        unlink(large);
    }
}

/* A million frames with none old: a fault must not look at all of them. */
static void a_million_young_frames_are_not_swept_at_every_fault(void **state) {
    (void)state;
    static const Adversary filled = {"a million frames, none old", cyclic, true};
    uint64_t count = HUGE_MEMORY + TAIL;
    char path[TEST_PATH_BYTES];
    char text[64];
    write_trace(path, &filled, count, HUGE_MEMORY);
    for (size_t n = 0; nth_policy(n, HUGE_MEMORY, text, sizeof text) != NULL; n++) {
        const char *policy = nth_policy(n, HUGE_MEMORY, text, sizeof text);
        double steps = steps_of(path, policy, count, HUGE_MEMORY);
        if (steps > 400) {
            fail_msg("%s: %.0f steps a reference", policy, steps);
        }
    }
    unlink(path);
}

int main(void) {
    make_bounded_types();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_does_not_grow_with_memory),
        cmocka_unit_test(a_million_young_frames_are_not_swept_at_every_fault),
    };
    return cmocka_run_group_tests_name("bounded", tests, NULL, NULL);
}
