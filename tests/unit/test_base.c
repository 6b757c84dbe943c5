/* SPDX-License-Identifier: Apache-2.0 */
/* src/base: numbers with units, names, random streams, memory, errors, spills, registries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/base/compiler.h"
#include "../../src/base/error.h"
#include "../../src/base/memory.h"
#include "../../src/base/number.h"
#include "../../src/base/rng.h"
#include "../../src/base/spill.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* ---- Numbers -------------------------------------------------------------------------------- */

typedef struct NumberCase {
    const char *text;
    int status;
    uint64_t value;
} NumberCase;

static void counts(void **state) {
    (void)state;
    static const NumberCase cases[] = {
        {"0", NUMBER_OK, 0},
        {"123", NUMBER_OK, 123},
        {"007", NUMBER_OK, 7},
        {"0x7b", NUMBER_OK, 123},
        {"0XFF", NUMBER_OK, 255},
        {"10k", NUMBER_OK, 10000},
        {"4M", NUMBER_OK, 4000000},
        {"2Ki", NUMBER_OK, 2048},
        {"1gi", NUMBER_OK, GIB},
        {"1.5k", NUMBER_OK, 1500},
        {"2.0", NUMBER_OK, 2},
        {"18446744073709551615", NUMBER_OK, UINT64_MAX},
        {"0xFFFFFFFFFFFFFFFF", NUMBER_OK, UINT64_MAX},
        {"18446744073709551616", NUMBER_OVERFLOW, 0},
        {"0x10000000000000000", NUMBER_OVERFLOW, 0},
        {"18446744073709551615k", NUMBER_OVERFLOW, 0},
        {"99999999999999999999999999", NUMBER_OVERFLOW, 0},
        {"0.00000000000000000000000001", NUMBER_OVERFLOW, 0},
        {"", NUMBER_BAD, 0},
        {"-1", NUMBER_BAD, 0},
        {"+1", NUMBER_BAD, 0},
        {" 1", NUMBER_BAD, 0},
        {"1 ", NUMBER_BAD, 0},
        {"0x", NUMBER_BAD, 0},
        {"0xZZ", NUMBER_BAD, 0},
        {"1.", NUMBER_BAD, 0},
        {".5k", NUMBER_BAD, 0},
        {"1.2.3", NUMBER_BAD, 0},
        {"1.5", NUMBER_BAD, 0},
        {"1.0001k", NUMBER_BAD, 0},
        {"12 k", NUMBER_BAD, 0},
        {"10kk", NUMBER_BAD, 0},
        {"10KiB", NUMBER_BAD, 0},
        {"1e3", NUMBER_BAD, 0},
        {"abc", NUMBER_BAD, 0},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        uint64_t value = 0;
        int status = number_parse_count(cases[i].text, &value);
        if (status != cases[i].status || (status == NUMBER_OK && value != cases[i].value)) {
            fail_msg("count '%s': status %d, value %llu", cases[i].text, status,
                     (unsigned long long)value);
        }
    }
}

static void sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t unit;
        int status;
        uint64_t bytes;
    } cases[] = {
        {"4096", 1, NUMBER_OK, 4096},
        {"4K", 1, NUMBER_OK, 4 * KIB},
        {"4KB", 1, NUMBER_OK, 4 * KIB},
        {"4kib", 1, NUMBER_OK, 4 * KIB},
        {"1.5G", 1, NUMBER_OK, 3 * GIB / 2},
        {"64", MIB, NUMBER_OK, 64 * MIB},
        {"64K", MIB, NUMBER_OK, 64 * KIB},
        {"7B", MIB, NUMBER_OK, 7},
        {"0x10", KIB, NUMBER_OK, 16 * KIB},
        {"16777215T", 1, NUMBER_OK, UINT64_C(16777215) << 40},
        {"16777216T", 1, NUMBER_OVERFLOW, 0},
        {"18446744073709551615", MIB, NUMBER_OVERFLOW, 0},
        {"0.3B", 1, NUMBER_BAD, 0},
        {"4Ki B", 1, NUMBER_BAD, 0},
        {"4X", 1, NUMBER_BAD, 0},
        {"K", 1, NUMBER_BAD, 0},
        {"-4K", 1, NUMBER_BAD, 0},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        uint64_t bytes = 0;
        int status = number_parse_size(cases[i].text, cases[i].unit, &bytes);
        if (status != cases[i].status || (status == NUMBER_OK && bytes != cases[i].bytes)) {
            fail_msg("size '%s': status %d, %llu bytes", cases[i].text, status,
                     (unsigned long long)bytes);
        }
    }
}

static void durations(void **state) {
    (void)state;
    static const NumberCase cases[] = {
        {"100", NUMBER_OK, 100000},
        {"100ns", NUMBER_OK, 100000},
        {"250ps", NUMBER_OK, 250},
        {"0.5ns", NUMBER_OK, 500},
        {"1.5us", NUMBER_OK, 1500000},
        {"10ms", NUMBER_OK, UINT64_C(10000000000)},
        {"1s", NUMBER_OK, UINT64_C(1000000000000)},
        {"0.25ps", NUMBER_BAD, 0},
        {"1min", NUMBER_BAD, 0},
        {"20000000s", NUMBER_OVERFLOW, 0},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        uint64_t value = 0;
        int status = number_parse_duration(cases[i].text, &value);
        if (status != cases[i].status || (status == NUMBER_OK && value != cases[i].value)) {
            fail_msg("duration '%s': status %d, %llu ps", cases[i].text, status,
                     (unsigned long long)value);
        }
    }
}

static void formatted_sizes_parse_back(void **state) {
    (void)state;
    Rng rng = rng_seed(1, "test");
    for (int i = 0; i < 2000; i++) {
        uint64_t bytes = rng_next(&rng) >> rng_below(&rng, 64);
        bytes <<= rng_below(&rng, 30); /* many zero bits, so that units are used */
        char text[64];
        uint64_t back = ~bytes;
        number_format_size(bytes, text, sizeof text);
        assert_int_equal(number_parse_size(text, 1, &back), NUMBER_OK);
        assert_true(back == bytes);
    }
    char text[64];
    number_format_size(64 * MIB, text, sizeof text);
    assert_string_equal(text, "64M");
    number_format_size(4 * KIB, text, sizeof text);
    assert_string_equal(text, "4K");
}

static void formatted_durations_parse_back(void **state) {
    (void)state;
    static const uint64_t times[] = {
        0,         1,       999,     1000,       1500,
        100000,    1000000, 1500000, 2500000000, UINT64_C(1000000000000),
        UINT64_MAX};
    for (size_t i = 0; i < VMM_COUNT_OF(times); i++) {
        char text[64];
        uint64_t back = ~times[i];
        number_format_duration(times[i], text, sizeof text);
        assert_int_equal(number_parse_duration(text, &back), NUMBER_OK);
        assert_true(back == times[i]);
    }
}

static void names(void **state) {
    (void)state;
    assert_true(name_matches("approxlru", "APPROX_LRU"));
    assert_true(name_matches("page-size", "page_size"));
    assert_true(name_matches("page-size", "PageSize"));
    assert_true(name_matches("lru-", "lru"));
    assert_true(name_matches("", ""));
    assert_false(name_matches("lru", "lruk"));
    assert_false(name_matches("lruk", "lru"));
    assert_false(name_matches("lru", "lfu"));
    assert_false(name_matches("", "a"));
}

/* ---- Random streams -------------------------------------------------------------------------- */

/* The published outputs of SplitMix64 for these two seeds. */
static void rng_is_splitmix64(void **state) {
    (void)state;
    Rng zero = {0};
    assert_true(rng_next(&zero) == UINT64_C(0xE220A8397B1DCDAF));
    assert_true(rng_next(&zero) == UINT64_C(0x6E789E6AA1B965F4));
    assert_true(rng_next(&zero) == UINT64_C(0x06C45D188009454F));
    Rng other = {1234567};
    assert_true(rng_next(&other) == UINT64_C(6457827717110365317));
    assert_true(rng_next(&other) == UINT64_C(3203168211198807973));
    assert_true(rng_next(&other) == UINT64_C(9817491932198370423));
    assert_true(rng_next(&other) == UINT64_C(4593380528125082431));
    assert_true(rng_next(&other) == UINT64_C(16408922859458223821));
}

static void rng_below_stays_below_and_is_even(void **state) {
    (void)state;
    Rng rng = rng_seed(42, "test");
    unsigned seen[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t draw = rng_below(&rng, 10);
        assert_true(draw < 10);
        seen[draw]++;
    }
    for (int i = 0; i < 10; i++) {
        /* 10000 expected, standard deviation 95; the sequence is always the same. */
        assert_in_range(seen[i], 9600, 10400);
    }
    assert_true(rng_below(&rng, 1) == 0);
    assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void rng_streams_differ_by_seed_and_component(void **state) {
    (void)state;
    Rng a = rng_seed(42, "policy.random");
    Rng same = rng_seed(42, "policy.random");
    Rng component = rng_seed(42, "tlb.random");
    Rng seed = rng_seed(43, "policy.random");
    uint64_t first = rng_next(&a);
    assert_true(first == rng_next(&same));
    assert_true(first != rng_next(&component));
    assert_true(first != rng_next(&seed));
    /* FNV-1a of "a" is AF63DC4C8601EC8C, so the stream is known from the definitions. */
    assert_true(rng_seed(7, "a").state == rng_mix(7 ^ rng_mix(UINT64_C(0xAF63DC4C8601EC8C))));
}

/* ---- Memory -----------------------------------------------------------------------------------
 */

/* An allocator that counts what is in use and can be told to fail. */
typedef struct Budget {
    size_t used;
    size_t blocks;
    int failing;
} Budget;

static void *budget_zalloc(void *user, size_t size) {
    Budget *budget = user;
    if (budget->failing) {
        return NULL;
    }
    budget->used += size;
    budget->blocks++;
    return calloc(1, size);
}

static void *budget_resize(void *user, void *block, size_t old_size, size_t new_size) {
    Budget *budget = user;
    if (budget->failing) {
        return NULL;
    }
    budget->used = budget->used - old_size + new_size;
    return realloc(block, new_size);
}

static void budget_release(void *user, void *block, size_t size) {
    Budget *budget = user;
    budget->used -= size;
    budget->blocks--;
    free(block);
}

static void memory_is_zeroed_grown_and_accounted(void **state) {
    (void)state;
    Budget budget = {0};
    const Memory memory = {budget_zalloc, budget_resize, budget_release, &budget};
    uint64_t *array = memory_zalloc(&memory, 100, sizeof *array);
    assert_non_null(array);
    assert_int_equal(budget.used, 100 * sizeof *array);
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(array[i] == 0);
        array[i] = i;
    }
    array = memory_grow(&memory, array, 100, 1000, sizeof *array);
    assert_non_null(array);
    assert_int_equal(budget.used, 1000 * sizeof *array);
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(array[i] == i);
    }
    memory_free(&memory, array, 1000, sizeof *array);
    memory_free(&memory, NULL, 1000, sizeof *array);
    assert_int_equal(budget.used, 0);
    assert_int_equal(budget.blocks, 0);
}

static void memory_growing_nothing_allocates(void **state) {
    (void)state;
    unsigned char *array = memory_grow(&memory_default, NULL, 0, 64, 1);
    assert_non_null(array);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(array[i], 0);
    }
    memory_free(&memory_default, array, 64, 1);
}

/* Counts whose product with the size is small after it has overflowed. */
static void memory_overflow_is_refused(void **state) {
    (void)state;
    assert_null(memory_zalloc(&memory_default, SIZE_MAX / 8 + 2, 8));
    char *array = memory_zalloc(&memory_default, 8, 8);
    assert_non_null(array);
    assert_null(memory_grow(&memory_default, array, 8, SIZE_MAX / 8 + 9, 8));
    array[63] = 1; /* still ours */
    memory_free(&memory_default, array, 8, 8);
}

static void memory_failure_leaves_the_old_block(void **state) {
    (void)state;
    Budget budget = {0};
    const Memory memory = {budget_zalloc, budget_resize, budget_release, &budget};
    char *array = memory_zalloc(&memory, 10, 1);
    assert_non_null(array);
    array[9] = 'x';
    budget.failing = 1;
    assert_null(memory_zalloc(&memory, 10, 1));
    assert_null(memory_grow(&memory, array, 10, 20, 1));
    assert_int_equal(array[9], 'x');
    memory_free(&memory, array, 10, 1);
    assert_int_equal(budget.used, 0);
}

/* ---- Errors -----------------------------------------------------------------------------------
 */

static void error_sentences(void **state) {
    (void)state;
    Error error = {0};
    assert_int_equal(error_set(&error, VMM_E_RANGE, "frames: %d is too small", 0), VMM_E_RANGE);
    assert_int_equal(error.code, VMM_E_RANGE);
    assert_string_equal(error.text, "frames: 0 is too small");
    assert_int_equal(error_set(NULL, VMM_E_OPEN, "nobody listens"), VMM_E_OPEN);

    assert_int_equal(error_no_memory(&error, 4096, "frames"), VMM_E_NO_MEMORY);
    assert_non_null(strstr(error.text, "4096"));
    assert_non_null(strstr(error.text, "frames"));

    char published[VMM_ERROR_TEXT_BYTES];
    error_publish(&error, published);
    assert_string_equal(published, error.text);
    error_publish(&error, NULL);
}

static void error_sentences_that_are_too_long_are_cut(void **state) {
    (void)state;
    char lengthy[2 * VMM_ERROR_TEXT_BYTES];
    memset(lengthy, 'a', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    Error error = {0};
    error_set(&error, VMM_E_USAGE, "%s", lengthy);
    assert_int_equal(strlen(error.text), VMM_ERROR_TEXT_BYTES - 1);
}

static void error_names_and_messages(void **state) {
    (void)state;
    assert_string_equal(vmm_error_name(VMM_OK), "OK");
    assert_string_equal(vmm_error_name(VMM_E_BAD_RECORD), "E_BAD_RECORD");
    assert_string_equal(vmm_error_name(12345), "E_?");
    assert_string_equal(vmm_error_message(VMM_OK), "success");
    for (int code = 0; strcmp(vmm_error_name(code), "E_?") != 0; code--) {
        assert_true(strlen(vmm_error_message(code)) > 0);
        assert_string_not_equal(vmm_error_message(code), vmm_error_message(12345));
    }
}

/* ---- Spills -----------------------------------------------------------------------------------
 */

static void spill_keeps_what_is_written(void **state) {
    (void)state;
    Error error = {0};
    int file = spill_open(&error);
    assert_true(file >= 0);
    char block[1000];
    memset(block, 7, sizeof block);
    assert_int_equal(spill_write(file, 5000, block, sizeof block, &error), VMM_OK);
    memset(block, 0, sizeof block);
    assert_int_equal(spill_read(file, 5000, block, sizeof block, &error), VMM_OK);
    assert_int_equal(block[0], 7);
    assert_int_equal(block[999], 7);
    assert_int_equal(spill_read(file, 5500, block, sizeof block, &error), VMM_E_READ);
    assert_true(strlen(error.text) > 0);
    close(file);
    assert_int_equal(spill_write(file, 0, block, sizeof block, &error), VMM_E_WRITE);
}

static void spill_needs_a_folder(void **state) {
    (void)state;
    const char *old = getenv("TMPDIR");
    char *kept = old != NULL ? strdup(old) : NULL;
    setenv("TMPDIR", "/nonexistent/folder", 1);
    Error error = {0};
    assert_int_equal(spill_open(&error), -1);
    assert_int_equal(error.code, VMM_E_OPEN);
    assert_non_null(strstr(error.text, "/nonexistent/folder"));
    if (kept != NULL) {
        setenv("TMPDIR", kept, 1);
        free(kept);
    } else {
        unsetenv("TMPDIR");
    }
}

/* ---- Registries --------------------------------------------------------------------------------
 */

/* Each file of the list holds its name as a string, so the inclusion fills an array. */
#define TEST_EACH_LIST(X) \
    X(first)              \
    X(second)             \
    X(third)
/* clang-format off */
static const char *const each_order[] = {
#define VMM_EACH_LIST TEST_EACH_LIST
#define VMM_EACH_PATH(name) ../../tests/unit/each/name.h
#include "../../src/base/include_each.h"
};
/* clang-format on */

static void registries_include_each_file_in_order(void **state) {
    (void)state;
    assert_int_equal(VMM_COUNT_OF(each_order), 3);
    assert_string_equal(each_order[0], "first");
    assert_string_equal(each_order[1], "second");
    assert_string_equal(each_order[2], "third");
}

static const char *name_at(const void *names, size_t index) {
    return ((const char *const *)names)[index];
}

/* What is near: a letter more, less, another or in the wrong place for each three; a beginning. */
static void nearest_names(void **state) {
    (void)state;
    static const char *const names[] = {"lru", "clock", "frames", "fault-around", NULL};
    static const char *const words[][2] = {
        {"lur", "lru"},     {"LUR", "lru"},  {"lr", "lru"},       {"clcok", "clock"},
        {"klokc", "clock"}, {"kllox", NULL}, {"frame", "frames"}, {"fault", "fault-around"},
        {"xyz", NULL},      {"", NULL}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *nearest = vmm_nearest_name(words[i][0], name_at, names);
        if (words[i][1] == NULL) {
            assert_null(nearest);
        } else {
            assert_string_equal(nearest, words[i][1]);
        }
    }
    char *text = calloc(1, 301); /* longer than any name */
    memset(text, 'l', 300);
    assert_null(vmm_nearest_name(text, name_at, names));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations),
        cmocka_unit_test(formatted_sizes_parse_back),
        cmocka_unit_test(formatted_durations_parse_back),
        cmocka_unit_test(names),
        cmocka_unit_test(rng_is_splitmix64),
        cmocka_unit_test(rng_below_stays_below_and_is_even),
        cmocka_unit_test(rng_streams_differ_by_seed_and_component),
        cmocka_unit_test(memory_is_zeroed_grown_and_accounted),
        cmocka_unit_test(memory_growing_nothing_allocates),
        cmocka_unit_test(memory_overflow_is_refused),
        cmocka_unit_test(memory_failure_leaves_the_old_block),
        cmocka_unit_test(error_sentences),
        cmocka_unit_test(error_sentences_that_are_too_long_are_cut),
        cmocka_unit_test(error_names_and_messages),
        cmocka_unit_test(spill_keeps_what_is_written),
        cmocka_unit_test(spill_needs_a_folder),
        cmocka_unit_test(registries_include_each_file_in_order),
        cmocka_unit_test(nearest_names),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
