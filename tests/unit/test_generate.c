/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generators: every pattern does what its name says, for any number of processes; the same options
 * give the same references for ever (checksums); options are checked; memory is constant.
 *
 * Method: references are made through the public API only and counted. Bounds on counts of random
 * events are six standard deviations or wider, and the seeds are fixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>

#include "../../include/vmm/vmm.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Helpers --------------------------------------------------------------------------------- */

static VMMGeneratorOptions options_for(const char *pattern, uint64_t references,
                                       uint32_t processes) {
    VMMGeneratorOptions options;
    vmm_generator_options_init(&options);
    options.pattern = pattern;
    options.references = references;
    options.processes = processes;
    return options;
}

static VMMGenerator *create(const VMMGeneratorOptions *options) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMGenerator *generator = NULL;
    int status = vmm_generator_create(options, &generator, error);
    if (status != VMM_OK) {
        print_message("%s: %s\n", options->pattern, error);
    }
    assert_int_equal(status, VMM_OK);
    assert_non_null(generator);
    return generator;
}

/* All references of a short trace; to be freed. */
static VMMRef *make(const VMMGeneratorOptions *options) {
    VMMRef *refs = malloc((size_t)options->references * sizeof *refs);
    assert_non_null(refs);
    VMMGenerator *generator = create(options);
    assert_int_equal(vmm_generator_read(generator, refs, (size_t)options->references),
                     options->references);
    VMMRef more;
    assert_int_equal(vmm_generator_read(generator, &more, 1), 0);
    vmm_generator_destroy(generator);
    return refs;
}

static VMMRef *make_default(const char *pattern, uint64_t references, uint32_t processes) {
    VMMGeneratorOptions options = options_for(pattern, references, processes);
    return make(&options);
}

/* FNV-1a over whole words. */
static uint64_t fold(uint64_t hash, uint64_t word) {
    return (hash ^ word) * UINT64_C(1099511628211);
}

#define FOLD_START UINT64_C(1469598103934665603)

static uint64_t checksum(const VMMRef *refs, size_t count) {
    uint64_t hash = FOLD_START;
    for (size_t i = 0; i < count; i++) {
        hash = fold(fold(fold(hash, refs[i].pid), refs[i].op), refs[i].addr);
    }
    return hash;
}

static void assert_near(const char *what, uint64_t count, uint64_t expected, uint64_t tolerance) {
    if (count + tolerance < expected || count > expected + tolerance) {
        fail_msg("%s: %llu, expected %llu within %llu", what, (unsigned long long)count,
                 (unsigned long long)expected, (unsigned long long)tolerance);
    }
}

/* ---- Fixed references ------------------------------------------------------------------------ */

/* 100000 references, 4 processes, seed 42. A change here is a change of every made trace. */
static const struct {
    const char *pattern;
    uint64_t checksum;
} fixed[] = {
    {"sequential", UINT64_C(0x0ecb15257eb80f3c)},     {"random", UINT64_C(0x86fb56cf6ae1b12b)},
    {"working_set", UINT64_C(0x3f7c1e8cb4bd0ee4)},    {"locality", UINT64_C(0x85024cd9f7dd7e22)},
    {"thrashing", UINT64_C(0xe251717b2b16f123)},      {"zipf", UINT64_C(0x7b8cba0cfce2a12b)},
    {"stride", UINT64_C(0xa3c77adfb0710f3c)},         {"chase", UINT64_C(0xe7edc4abea685f3c)},
    {"phases", UINT64_C(0x7d3d1f13d6356f3c)},         {"mix", UINT64_C(0xa0f3206fd518f971)},
    {"zipf:alpha=0.8", UINT64_C(0x92e98d683d5fb12b)},
};

static void test_references_are_fixed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        VMMRef *refs = make_default(fixed[i].pattern, 100000, 4);
        uint64_t found = checksum(refs, 100000);
        free(refs);
        if (found != fixed[i].checksum) {
            fail_msg("%s: 0x%016llx", fixed[i].pattern, (unsigned long long)found);
        }
    }
}

static void test_every_pattern_has_a_checksum(void **state) {
    (void)state;
    for (size_t i = 0; vmm_pattern_name(i) != NULL; i++) {
        assert_true(i < COUNT_OF(fixed));
        assert_string_equal(vmm_pattern_name(i), fixed[i].pattern);
        assert_true(strlen(vmm_pattern_help(i)) > 10);
        const char *parameters = vmm_pattern_parameters(i);
        assert_int_equal(parameters[strlen(parameters) - 1], '\n');
    }
    assert_null(vmm_pattern_name(1000));
    assert_null(vmm_pattern_help(1000));
    assert_null(vmm_pattern_parameters(1000));
}

/* The published sequence zipf 200000 10000 101. */
static void test_zipf_gives_the_published_sequence(void **state) {
    (void)state;
    static const uint64_t first[] = {633, 307, 2488, 2907, 6027, 8572, 2942, 4586};
    VMMGeneratorOptions options = options_for("zipf:alpha=1,pages=10000", 200000, 1);
    options.seed = 101;
    VMMRef *refs = make(&options);
    uint64_t hash = FOLD_START;
    for (size_t i = 0; i < 200000; i++) {
        if (i < COUNT_OF(first)) {
            assert_int_equal(refs[i].addr, first[i] * 4096);
        }
        hash = fold(hash, refs[i].addr / 4096);
    }
    free(refs);
    assert_int_equal(hash, UINT64_C(0x041a12ffac675bbb));
}

/* However the trace is cut into reads, the references are the same; another seed gives others. */
static void test_cuts_do_not_show(void **state) {
    (void)state;
    for (size_t i = 0; vmm_pattern_name(i) != NULL; i++) {
        VMMGeneratorOptions options = options_for(vmm_pattern_name(i), 20000, 3);
        VMMRef *whole = make(&options);
        VMMRef *cut = malloc(20000 * sizeof *cut);
        VMMGenerator *generator = create(&options);
        for (size_t done = 0, piece = 1; done < 20000; piece = piece * 7 % 1009) {
            done += vmm_generator_read(generator, cut + done, piece);
            assert_true(done <= 20000);
        }
        vmm_generator_destroy(generator);
        assert_memory_equal(whole, cut, 20000 * sizeof *cut);
        options.seed = 43;
        VMMRef *other = make(&options);
        if (strcmp(options.pattern, "thrashing") != 0) { /* where nothing is left to chance */
            assert_true(checksum(whole, 20000) != checksum(other, 20000));
        }
        free(other);
        free(cut);
        free(whole);
    }
}

/* Every reference lies in the address space and belongs to one of the processes, all of which run;
 * spaces of 1 and 3 pages and one that ends within a page included. */
static void test_references_stay_inside(void **state) {
    (void)state;
    static const uint64_t spaces[] = {4096, 3 * 4096, 1000 * 4096 + 5, UINT64_C(1) << 57};
    for (size_t i = 0; vmm_pattern_name(i) != NULL; i++) {
        for (size_t j = 0; j < COUNT_OF(spaces); j++) {
            VMMGeneratorOptions options = options_for(vmm_pattern_name(i), 5000, 5);
            options.address_space = spaces[j];
            options.memory = 8192;
            uint64_t runs[5] = {0};
            VMMRef *refs = make(&options);
            for (size_t k = 0; k < 5000; k++) {
                assert_true(refs[k].addr < spaces[j] / 4096 * 4096);
                assert_true(refs[k].pid < 5);
                assert_true(refs[k].op == VMM_OP_READ || refs[k].op == VMM_OP_WRITE);
                assert_int_equal(refs[k].size, 0);
                assert_int_equal(refs[k].flags, 0);
                runs[refs[k].pid]++;
            }
            free(refs);
            for (size_t pid = 0; pid < 5; pid++) {
                assert_true(runs[pid] > 500);
            }
        }
    }
}

/* ---- What each pattern promises -------------------------------------------------------------- */

static void test_sequential_walks_each_space(void **state) {
    (void)state;
    VMMGeneratorOptions options = options_for("sequential", 100000, 3);
    options.address_space = 1000 * 4096;
    uint64_t next[3] = {0};
    VMMRef *refs = make(&options);
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(refs[i].pid, i / 100 % 3);
        assert_int_equal(refs[i].addr, next[refs[i].pid] % 1000 * 4096);
        next[refs[i].pid]++;
    }
    free(refs);
}

/* Process, the process before, operation and page say nothing about each other. */
static void test_random_draws_are_independent(void **state) {
    (void)state;
    enum { N = 300000 };
    static uint64_t after[4][4], writes[4], residue[4][4], page_uses[262144];
    VMMRef *refs = make_default("random", N, 4);
    uint64_t distinct = 0;
    for (size_t i = 0; i < N; i++) {
        uint64_t page = refs[i].addr / 4096;
        assert_int_equal(refs[i].addr % 4096, 0);
        after[i == 0 ? 0 : refs[i - 1].pid][refs[i].pid]++;
        writes[refs[i].pid] += refs[i].op == VMM_OP_WRITE;
        residue[refs[i].pid][page % 4]++;
        distinct += page_uses[page]++ == 0;
    }
    free(refs);
    for (size_t a = 0; a < 4; a++) {
        assert_near("writes of a process", writes[a], N / 16, 800);
        for (size_t b = 0; b < 4; b++) {
            assert_near("process after process", after[a][b], N / 16, 800);
            assert_near("page modulo 4 of a process", residue[a][b], N / 16, 800);
        }
    }
    /* 262144 * (1 - e^(-300000/262144)): pages repeat long before all were used. */
    assert_near("distinct pages", distinct, 178693, 1000);
}

enum { SET_WINDOW = 400, SET_REFERENCES = 10000 };

/* Pages that a window of one process's references uses at least twice: its working set. */
static size_t set_of_window(const uint64_t *pages, uint64_t *set) {
    size_t count = 0;
    for (size_t i = 0; i < SET_WINDOW; i++) {
        size_t uses = 0;
        size_t seen = 0;
        for (size_t j = 0; j < SET_WINDOW; j++) {
            uses += pages[j] == pages[i];
            seen += j < i && pages[j] == pages[i];
        }
        if (uses >= 2 && seen == 0) {
            set[count++] = pages[i];
        }
    }
    return count;
}

static size_t common_pages(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count) {
    size_t common = 0;
    for (size_t i = 0; i < a_count; i++) {
        for (size_t j = 0; j < b_count; j++) {
            common += a[i] == b[j];
        }
    }
    return common;
}

/* Whatever the number of processes, each has a set, leaves it now and then, and it moves. */
static void check_working_sets(uint32_t processes) {
    static uint64_t pages[8][SET_REFERENCES];
    size_t count[8] = {0};
    VMMRef *refs =
        make_default("working_set", (uint64_t)processes * (SET_REFERENCES + 2000), processes);
    for (size_t i = 0; i < (size_t)processes * (SET_REFERENCES + 2000); i++) {
        uint32_t pid = refs[i].pid;
        if (count[pid] < SET_REFERENCES) {
            pages[pid][count[pid]++] = refs[i].addr / 4096;
        }
    }
    free(refs);
    for (uint32_t pid = 0; pid < processes; pid++) {
        uint64_t early[SET_WINDOW];
        uint64_t middle[SET_WINDOW];
        uint64_t late[SET_WINDOW];
        assert_int_equal(count[pid], SET_REFERENCES);
        size_t early_count = set_of_window(&pages[pid][0], early);
        size_t middle_count = set_of_window(&pages[pid][500], middle);
        size_t late_count = set_of_window(&pages[pid][SET_REFERENCES - SET_WINDOW], late);
        assert_near("pages of a set", early_count, 62, 8);
        assert_near("pages kept by one shift",
                    common_pages(early, early_count, middle, middle_count), 46, 8);
        assert_near("pages kept by nineteen shifts",
                    common_pages(early, early_count, late, late_count), 0, 2);
        uint64_t low = early[0];
        for (size_t i = 0; i < early_count; i++) {
            low = early[i] < low ? early[i] : low;
        }
        size_t outside = 0;
        for (size_t i = 0; i < 500; i++) {
            outside += pages[pid][i] < low || pages[pid][i] > low + 64;
        }
        assert_near("references outside the set", outside, 50, 42);
    }
}

static void test_every_working_set_shifts(void **state) {
    (void)state;
    for (uint32_t processes = 1; processes <= 8; processes++) {
        check_working_sets(processes);
    }
}

static void test_locality_stays_near(void **state) {
    (void)state;
    enum { N = 100000 };
    VMMRef *refs = make_default("locality", N, 4);
    uint64_t last[4] = {0};
    uint64_t near[4] = {0};
    uint64_t within_page = 0;
    const uint64_t space = UINT64_C(1) << 30;
    for (size_t i = 0; i < N; i++) {
        uint32_t pid = refs[i].pid;
        assert_int_equal(pid, i / 50 % 4);
        uint64_t ahead = (refs[i].addr - last[pid]) % space;
        near[pid] += ahead < 32768 || ahead >= space - 32768;
        within_page += refs[i].addr % 4096 != 0;
        last[pid] = refs[i].addr;
    }
    free(refs);
    for (size_t pid = 0; pid < 4; pid++) {
        assert_near("references near the last", near[pid], N / 4 * 7 / 10, 450);
    }
    assert_true(within_page > N * 9 / 10);
}

/* The references go round one cycle that has more pages than the memory. */
static void check_thrashing(const char *pattern, uint64_t memory_pages, uint32_t processes) {
    VMMGeneratorOptions options = options_for(pattern, 1, processes);
    options.memory = memory_pages * 4096;
    options.references = 5 * (memory_pages + processes);
    VMMRef *refs = make(&options);
    size_t period = 1;
    while (refs[period].pid != refs[0].pid || refs[period].addr != refs[0].addr) {
        period++;
        assert_true(period < options.references);
    }
    assert_true(period > memory_pages);
    assert_true(period <= memory_pages * 3 / 2 + 1 + processes);
    for (size_t i = period; i < options.references; i++) {
        assert_int_equal(refs[i].pid, refs[i - period].pid);
        assert_int_equal(refs[i].addr, refs[i - period].addr);
    }
    /* No page twice within a period: each process goes up page by page. */
    for (size_t i = processes; i < period; i++) {
        assert_int_equal(refs[i].pid, refs[i - processes].pid);
        assert_int_equal(refs[i].addr, refs[i - processes].addr + 4096);
    }
    free(refs);
}

static void test_thrashing_exceeds_the_memory(void **state) {
    (void)state;
    static const uint64_t memories[] = {1, 2, 3, 100, 2048};
    static const uint32_t processes[] = {1, 2, 3, 4, 7, 64, 3000};
    for (size_t i = 0; i < COUNT_OF(memories); i++) {
        for (size_t j = 0; j < COUNT_OF(processes); j++) {
            check_thrashing("thrashing", memories[i], processes[j]);
            check_thrashing("thrashing:factor=1.000001", memories[i], processes[j]);
        }
    }
    /* As documented: 8 MiB of memory, 15000 references. */
    VMMRef *refs = make_default("thrashing", 15000, 4);
    assert_int_equal(refs[3072].addr, refs[0].addr);
    assert_int_equal(refs[3071].addr, 767 * 4096);
    free(refs);
}

/* A memory larger than the default address space is exceeded all the same; a given one is a
 * limit. */
static void test_thrashing_takes_the_space_it_needs(void **state) {
    (void)state;
    char error[VMM_ERROR_TEXT_BYTES];
    VMMGenerator *generator;
    VMMGeneratorOptions options = options_for("thrashing", 600000, 1);
    options.memory = UINT64_C(2) << 30;
    VMMRef *refs = make(&options);
    assert_int_equal(refs[599999].addr, UINT64_C(599999) * 4096);
    free(refs);
    options.address_space = UINT64_C(1) << 30;
    assert_int_equal(vmm_generator_create(&options, &generator, error), VMM_E_RANGE);
    assert_non_null(strstr(error, "enlarge address-space"));
}

static void test_stride_steps(void **state) {
    (void)state;
    VMMGeneratorOptions options = options_for("stride:stride=4160,slice=7", 50000, 2);
    options.address_space = 1 << 20;
    VMMRef *refs = make(&options);
    uint64_t next[2] = {0};
    for (size_t i = 0; i < 50000; i++) {
        assert_int_equal(refs[i].pid, i / 7 % 2);
        assert_int_equal(refs[i].addr, next[refs[i].pid]);
        next[refs[i].pid] = (next[refs[i].pid] + 4160) % (1 << 20);
    }
    free(refs);
}

static void check_chase(uint64_t pages) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "chase:pages=%llu,slice=1", (unsigned long long)pages);
    VMMRef *refs = make_default(pattern, 2 * 3 * pages, 2);
    unsigned char *visits = calloc(pages, 2);
    uint64_t neighbours = 0;
    uint64_t same = 0;
    for (size_t i = 0; i < 2 * pages; i++) {
        uint64_t page = refs[i].addr / 4096;
        assert_true(page < pages);
        visits[page * 2 + refs[i].pid]++;
        assert_int_equal(refs[i].pid, i % 2);
        assert_int_equal(refs[i + 2 * pages].addr, refs[i].addr);
        assert_int_equal(refs[i + 4 * pages].addr, refs[i].addr);
        neighbours += i >= 2 && refs[i].addr == refs[i - 2].addr + 4096;
        same += i % 2 == 1 && refs[i].addr == refs[i - 1].addr;
    }
    for (size_t i = 0; i < 2 * pages; i++) {
        assert_int_equal(visits[i], 1);
    }
    if (pages >= 64) { /* of a random cycle about one page is followed by its neighbour */
        assert_true(neighbours <= 10);
        assert_true(same <= 10); /* and the two processes go different ways */
    }
    free(visits);
    free(refs);
}

static void test_chase_visits_each_page_once_a_cycle(void **state) {
    (void)state;
    static const uint64_t pages[] = {1, 2, 3, 4, 5, 7, 8, 9, 64, 1000, 1024, 1025, 4096, 65537};
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        check_chase(pages[i]);
    }
}

static void test_phases_change(void **state) {
    (void)state;
    enum { N = 3 * 20 * 500 };
    VMMRef *refs = make_default("phases:length=500,set=32,slice=1", N, 3);
    uint64_t bases[3][20];
    for (size_t pid = 0; pid < 3; pid++) {
        for (size_t phase = 0; phase < 20; phase++) {
            uint64_t low = UINT64_MAX;
            uint64_t high = 0;
            size_t ups = 0;
            uint64_t before = 0;
            for (size_t i = 0; i < 500; i++) {
                const VMMRef *ref = &refs[(phase * 500 + i) * 3 + pid];
                uint64_t page = ref->addr / 4096;
                assert_int_equal(ref->pid, pid);
                low = page < low ? page : low;
                high = page > high ? page : high;
                ups += page == before + 1;
                before = page;
            }
            assert_int_equal(high - low, 31);
            assert_true(phase % 2 == 1 ? ups >= 484 : ups < 60);
            bases[pid][phase] = low;
        }
    }
    free(refs);
    for (size_t i = 0; i < 60; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(bases[i / 20][i % 20], bases[j / 20][j % 20]);
        }
    }
}

static void test_mix_takes_parts_by_weight(void **state) {
    (void)state;
    enum { N = 100000 };
    VMMRef *refs = make_default("mix:of=sequential(writes=1)*1+random(writes=0,slice=1)*3", N, 2);
    uint64_t taken = 0;
    uint64_t pairs = 0;
    uint64_t next[2] = {0};
    for (size_t i = 0; i < N; i++) {
        if (refs[i].op == VMM_OP_WRITE) { /* the part sequential goes on where it was */
            assert_int_equal(refs[i].pid, taken / 100 % 2);
            assert_int_equal(refs[i].addr, next[refs[i].pid] % 262144 * 4096);
            next[refs[i].pid]++;
            taken++;
            pairs += i > 0 && refs[i - 1].op == VMM_OP_WRITE;
        }
    }
    free(refs);
    assert_near("references of weight 1 in 4", taken, N / 4, 850);
    assert_near("two of them in sequence", pairs, N / 16, 500);
}

static void test_mix_runs_and_nests(void **state) {
    (void)state;
    VMMRef *refs = make_default(
        "mix:run=10,of=sequential(writes=1)+mix(of=random(writes=0)+chase(writes=0),run=3)", 10000,
        1);
    for (size_t i = 0; i < 10000; i++) {
        assert_int_equal(refs[i].op, refs[i / 10 * 10].op);
    }
    free(refs);
}

/* ---- Zipf ------------------------------------------------------------------------------------ */

/* Uses of the most used page and number of distinct pages of 1000000 references. */
static void zipf_counts(const char *parameters, uint64_t pages, uint64_t *most,
                        uint64_t *distinct) {
    enum { N = 1000000 };
    VMMGeneratorOptions options = options_for(parameters, N, 1);
    options.address_space = (pages > 10000 ? pages : 10001) * 4096;
    VMMRef *refs = make(&options);
    uint32_t *uses = calloc((size_t)pages + 1, sizeof *uses);
    assert_non_null(uses);
    *most = 0;
    *distinct = 0;
    for (size_t i = 0; i < N; i++) {
        uint64_t page = refs[i].addr / 4096;
        assert_true(page < pages || (page == 10000 && pages == 10000));
        *distinct += uses[page]++ == 0;
        *most = uses[page] > *most ? uses[page] : *most;
    }
    free(uses);
    free(refs);
}

/* Of a count of rare independent events: 6 * sqrt(expected), rounded up. */
static uint64_t six_deviations(uint64_t expected) {
    uint64_t result = 0;
    while (result * result < 36 * expected) {
        result++;
    }
    return result;
}

/*
 * Expected: the share 1 / sum(r^-alpha) of the first rank, and sum(1 - (1 - share)^1000000)
 * distinct pages, both summed up in double precision. The last four lines have cells of more than
 * one rank.
 */
static void test_zipf_follows_its_exponent(void **state) {
    (void)state;
    static const struct {
        const char *parameters;
        uint64_t pages, most, distinct;
    } cases[] = {
        {"zipf:alpha=1,pages=10000", 10000, 102170, 10000},
        {"zipf:alpha=0.5,pages=10000", 10000, 5037, 10000},
        {"zipf:alpha=2,pages=10000", 10000, 607964, 1321},
        {"zipf:alpha=0.8,pages=262144", 262144, 17796, 204096},
        {"zipf:alpha=1", 4194304, 63185, 292277},
        {"zipf:alpha=0.9", 4194304, 27384, 433945},
        {"zipf:alpha=1.2", 3000000, 187324, 90417},
        {"zipf:alpha=0", 4194304, 6, 889726},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t most;
        uint64_t distinct;
        zipf_counts(cases[i].parameters, cases[i].pages, &most, &distinct);
        assert_near(cases[i].parameters, most, cases[i].most, six_deviations(cases[i].most));
        assert_near(cases[i].parameters, distinct, cases[i].distinct,
                    six_deviations(cases[i].distinct));
    }
}

static void test_zipf_takes_any_number_of_pages(void **state) {
    (void)state;
    VMMGeneratorOptions options = options_for("zipf:alpha=0.35", 30000, 4);
    options.address_space = UINT64_C(20) << 30;
    VMMRef *refs = make(&options);
    assert_true(checksum(refs, 30000) == UINT64_C(0xad629cc9d5b030fd));
    free(refs);

    options = options_for("zipf:alpha=0.5", 10000, 2);
    options.address_space = UINT64_C(1) << 57;
    options.page_size = 512;
    refs = make(&options);
    uint64_t high = 0;
    for (size_t i = 0; i < 10000; i++) {
        high += refs[i].addr >> 56;
    }
    assert_near("addresses in the upper half", high, 5000, 300);
    free(refs);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void test_memory_is_constant(void **state) {
    (void)state;
    static VMMRef refs[4096];
    for (size_t i = 0; vmm_pattern_name(i) != NULL; i++) {
        size_t taken[2];
        for (int size = 0; size < 2; size++) {
            VMMGeneratorOptions options =
                options_for(vmm_pattern_name(i), size == 0 ? 1000 : UINT64_MAX, 4);
            struct mallinfo2 before = mallinfo2();
            VMMGenerator *generator = create(&options);
            struct mallinfo2 created = mallinfo2();
            for (int batch = 0; batch < 200; batch++) {
                vmm_generator_read(generator, refs, COUNT_OF(refs));
            }
            struct mallinfo2 after = mallinfo2();
            assert_int_equal(after.uordblks, created.uordblks);
            assert_int_equal(after.hblkhd, created.hblkhd);
            taken[size] = created.uordblks + created.hblkhd - before.uordblks - before.hblkhd;
            vmm_generator_destroy(generator);
        }
        assert_near("bytes taken for a longer trace", taken[1], taken[0], 4096);
        assert_true(taken[0] < 40u << 20);
    }
}

/* ---- Bad input ------------------------------------------------------------------------------- */

static void test_bad_patterns_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        int status;
        const char *says;
    } cases[] = {
        {"", VMM_E_USAGE, "there is no pattern \"\""},
        {"nonsense", VMM_E_USAGE, "expected one of sequential, random"},
        {"random:", VMM_E_USAGE, "has no parameter \"\", it has slice, writes"},
        {"random:colour=3", VMM_E_USAGE, "has no parameter \"colour\""},
        {"random:writes", VMM_E_USAGE, "\"writes\" has no value"},
        {"random:writes=", VMM_E_USAGE, "a decimal number"},
        {"random:writes=1.5", VMM_E_RANGE, "(0..1)"},
        {"random:writes=-1", VMM_E_USAGE, "a decimal number"},
        {"random:writes=0.5K", VMM_E_USAGE, "a decimal number"},
        {"random:writes=0.1234567", VMM_E_USAGE, "a decimal number"},
        {"random:writes=0.1,writes=0.2", VMM_E_USAGE, "twice"},
        {"random:slice=1e3", VMM_E_USAGE, "a whole number"},
        {"random:slice=99999999999999999999999", VMM_E_RANGE, "(0..1000000000)"},
        {"random(slice=1", VMM_E_USAGE, "parenthesis"},
        {"random(", VMM_E_USAGE, "parenthesis"},
        {"random(slice=1)x", VMM_E_USAGE, "parenthesis"},
        {"working_set:set=0", VMM_E_RANGE, "(1..1000000000000)"},
        {"working_set:set=1000000", VMM_E_RANGE, "only 262144 pages"},
        {"thrashing:factor=1", VMM_E_RANGE, "(1.000001..1000)"},
        {"zipf:alpha=10.5", VMM_E_RANGE, "(0..10)"},
        {"zipf:pages=262145", VMM_E_RANGE, "only 262144 pages"},
        {"stride:stride=0", VMM_E_RANGE, "(1..1024T)"},
        {"phases:order=up", VMM_E_USAGE, "alternate|random|loop"},
        {"mix:of=", VMM_E_USAGE, "there is no pattern \"\""},
        {"mix:of=random+", VMM_E_USAGE, "there is no pattern \"\""},
        {"mix:of=random*0", VMM_E_USAGE, "weight"},
        {"mix:of=random*x", VMM_E_USAGE, "weight"},
        {"mix:of=random*99999999999999999999", VMM_E_USAGE, "weight"},
        {"mix:of=mix(of=mix(of=mix(of=random)))", VMM_E_USAGE, "deep"},
        {"mix:of=random+random+random+random+random+random+random+random+random+random+random+"
         "random+random+random+random+random+random",
         VMM_E_USAGE, "too many parts"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char error[VMM_ERROR_TEXT_BYTES] = "";
        VMMGenerator *generator = (VMMGenerator *)error;
        VMMGeneratorOptions options = options_for(cases[i].pattern, 10, 2);
        int status = vmm_generator_create(&options, &generator, error);
        if (status != cases[i].status || strstr(error, cases[i].says) == NULL) {
            fail_msg("%s: %s: %s", cases[i].pattern, vmm_error_name(status), error);
        }
        assert_null(generator);
        assert_int_equal(vmm_generator_create(&options, &generator, NULL), cases[i].status);
    }
}

static void test_options_are_set_from_text(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        int status;
    } cases[] = {
        {"references", "10M", VMM_OK},
        {"references", "0", VMM_E_RANGE},
        {"references", "-1", VMM_E_USAGE},
        {"references", "abc", VMM_E_USAGE},
        {"references", "", VMM_E_USAGE},
        {"references", "99999999999999999999", VMM_E_RANGE},
        {"references", "5 ", VMM_E_USAGE},
        {"references", "1.5", VMM_E_USAGE},
        {"processes", "7", VMM_OK},
        {"processes", "0", VMM_E_RANGE},
        {"processes", "-1", VMM_E_USAGE},
        {"processes", "1048577", VMM_E_RANGE},
        {"address-space", "2G", VMM_OK},
        {"address-space", "0", VMM_E_RANGE},
        {"address-space", "17592186044416", VMM_E_RANGE},
        {"address_space", "1000000000000000000000", VMM_E_RANGE},
        {"memory", "16", VMM_OK},
        {"memory", "0", VMM_E_RANGE},
        {"page-size", "64K", VMM_OK},
        {"page-size", "0", VMM_E_RANGE},
        {"page-size", "5000", VMM_E_RANGE},
        {"page-size", "2G", VMM_E_RANGE},
        {"seed", "0", VMM_OK},
        {"seed", "18446744073709551615", VMM_OK},
        {"seed", "x", VMM_E_USAGE},
        {"colour", "1", VMM_E_USAGE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char error[VMM_ERROR_TEXT_BYTES] = "";
        VMMGeneratorOptions options;
        vmm_generator_options_init(&options);
        VMMGeneratorOptions before = options;
        int status = vmm_generator_options_set(&options, cases[i].name, cases[i].value, error);
        if (status != cases[i].status || (status == VMM_OK) != (error[0] == '\0')) {
            fail_msg("%s %s: %s: %s", cases[i].name, cases[i].value, vmm_error_name(status), error);
        }
        assert_int_equal(memcmp(&options, &before, sizeof options) != 0, status == VMM_OK);
    }
    VMMGeneratorOptions options;
    vmm_generator_options_init(&options);
    vmm_generator_options_set(&options, "references", "10M", NULL);
    vmm_generator_options_set(&options, "processes", "7", NULL);
    vmm_generator_options_set(&options, "memory", "16", NULL);
    vmm_generator_options_set(&options, "pattern", "random", NULL);
    assert_int_equal(options.references, 10000000);
    assert_int_equal(options.processes, 7);
    assert_int_equal(options.memory, 16 << 20);
    assert_string_equal(options.pattern, "random");
    assert_int_equal(vmm_generator_options_set(NULL, "seed", "1", NULL), VMM_E_USAGE);
}

static void test_bad_options_are_refused(void **state) {
    (void)state;
    VMMGenerator *generator;
    VMMGeneratorOptions good = options_for("random", 10, 2);
    VMMGeneratorOptions bad = good;
    assert_int_equal(vmm_generator_create(NULL, &generator, NULL), VMM_E_USAGE);
    assert_int_equal(vmm_generator_create(&good, NULL, NULL), VMM_E_USAGE);
    bad.struct_size = 0;
    assert_int_equal(vmm_generator_create(&bad, &generator, NULL), VMM_E_USAGE);
    bad = good;
    bad.pattern = NULL;
    assert_int_equal(vmm_generator_create(&bad, &generator, NULL), VMM_E_USAGE);
    bad = good;
    bad.references = 0;
    assert_int_equal(vmm_generator_create(&bad, &generator, NULL), VMM_E_RANGE);
    bad = good;
    bad.page_size = 4097;
    assert_int_equal(vmm_generator_create(&bad, &generator, NULL), VMM_E_RANGE);
    bad = good;
    bad.address_space = 2048;
    assert_int_equal(vmm_generator_create(&bad, &generator, NULL), VMM_E_RANGE);
    /* Zeros mean the defaults. */
    bad = good;
    bad.processes = 0;
    bad.memory = 0;
    bad.page_size = 0;
    assert_int_equal(vmm_generator_create(&bad, &generator, NULL), VMM_OK);
    vmm_generator_destroy(generator);
    vmm_generator_destroy(NULL);
    assert_int_equal(vmm_generator_read(NULL, NULL, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_are_fixed),
        cmocka_unit_test(test_every_pattern_has_a_checksum),
        cmocka_unit_test(test_zipf_gives_the_published_sequence),
        cmocka_unit_test(test_cuts_do_not_show),
        cmocka_unit_test(test_references_stay_inside),
        cmocka_unit_test(test_sequential_walks_each_space),
        cmocka_unit_test(test_random_draws_are_independent),
        cmocka_unit_test(test_every_working_set_shifts),
        cmocka_unit_test(test_locality_stays_near),
        cmocka_unit_test(test_thrashing_exceeds_the_memory),
        cmocka_unit_test(test_thrashing_takes_the_space_it_needs),
        cmocka_unit_test(test_stride_steps),
        cmocka_unit_test(test_chase_visits_each_page_once_a_cycle),
        cmocka_unit_test(test_phases_change),
        cmocka_unit_test(test_mix_takes_parts_by_weight),
        cmocka_unit_test(test_mix_runs_and_nests),
        cmocka_unit_test(test_zipf_follows_its_exponent),
        cmocka_unit_test(test_zipf_takes_any_number_of_pages),
        cmocka_unit_test(test_memory_is_constant),
        cmocka_unit_test(test_bad_patterns_are_refused),
        cmocka_unit_test(test_options_are_set_from_text),
        cmocka_unit_test(test_bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
