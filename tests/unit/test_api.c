/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public functions on configurations and machines: options by name, errors, references one by
 * one and in numbers, events, observation, results, whole traces through several machines, threads,
 * and what is left when the host has no memory.
 */
#include <fcntl.h>
#include <pthread.h>
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
#include "../../src/api/handle.h"
#include "../../src/base/compiler.h"
#include "../../src/base/rng.h"
#include "common.h"

#define LIMIT_48 (UINT64_C(1) << 48)

static char path[TEST_PATH_BYTES]; /* of the file that a test makes */

static int make_path(void **state) {
    (void)state;
    test_path_template(path, "api");
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int drop_path(void **state) {
    (void)state;
    return unlink(path);
}

static void put_text(const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static VMM *make_with(const char *options, const VMMAllocator *allocator) {
    VMMConfig config = test_configure(options);
    VMM *vmm = NULL;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    int status = vmm_create_with(&config, allocator, &vmm, error);
    if (status != VMM_OK && (allocator == NULL || status != VMM_E_NO_MEMORY)) {
        fail_msg("%s: %s", options, error);
    }
    return vmm;
}

static VMM *make(const char *options) {
    return make_with(options, NULL);
}

static VMMStats stats_of(const VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    return stats;
}

static void assert_same_stats(const VMMStats *a, const VMMStats *b, const char *what) {
    const VMMStatInfo *info;
    for (size_t i = 0; (info = vmm_stat_at(i)) != NULL; i++) {
        uint64_t x, y;
        memcpy(&x, (const char *)a + info->offset, sizeof x);
        memcpy(&y, (const char *)b + info->offset, sizeof y);
        if (x != y) {
            fail_msg("%s: %s is %llu and %llu", what, info->name, (unsigned long long)x,
                     (unsigned long long)y);
        }
    }
}

static VMMRef *random_refs(size_t count, uint64_t seed) {
    VMMRef *refs = calloc(count, sizeof *refs);
    assert_non_null(refs);
    Rng rng = rng_seed(seed, "refs");
    uint32_t pid = 1;
    for (size_t i = 0; i < count; i++) {
        pid = rng_below(&rng, 8) == 0 ? 1 + (uint32_t)rng_below(&rng, 3) : pid;
        uint64_t page = rng_below(&rng, rng_below(&rng, 2) == 0 ? 16 : 64);
        refs[i] = (VMMRef){.addr = page * 4096 + rng_below(&rng, 4096),
                           .pid = pid,
                           .size = 1 + (uint32_t)rng_below(&rng, 64),
                           .op = (uint8_t)rng_below(&rng, VMM_OP_COUNT)};
        if (rng_below(&rng, 100) == 0) {
            refs[i].addr = LIMIT_48 - 4096 + rng_below(&rng, 8192);
        }
    }
    return refs;
}

/* ---- Configuration -----------------------------------------------------------------------------
 */

/* What an option shows is what it takes: for defaults, bounds, choices and words. */
static void options_round_trip(void **state) {
    (void)state;
    const VMMOption *option;
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        VMMConfig config;
        char first[300];
        char second[300];
        vmm_config_init_default(&config);
        assert_int_equal(vmm_config_is_set(&config, option->name), 0);
        assert_true(vmm_config_get(&config, option->name, first, sizeof first) > 0);
        assert_int_equal(vmm_config_set(&config, option->name, first, NULL), VMM_OK);
        assert_int_equal(vmm_config_is_set(&config, option->name), 1);
        assert_true(vmm_config_get(&config, option->name, second, sizeof second) > 0);
        assert_string_equal(first, second);
        VMMConfig fresh;
        vmm_config_init_default(&fresh);
        assert_int_equal(vmm_config_set(&fresh, option->name, option->default_text, NULL), VMM_OK);
        assert_memory_equal(&fresh, &config, sizeof fresh);
        if (option->alias != NULL) {
            assert_ptr_equal(vmm_option_find(option->alias), option);
        }
    }
    assert_int_equal(vmm_option_count() > 20, 1);
    assert_null(vmm_option_at(vmm_option_count()));
    assert_null(vmm_option_find("no-such-option"));
    assert_null(vmm_option_find(NULL));
}

static bool is_number(const VMMOption *option) {
    return option->type == VMM_OPTION_COUNT || option->type == VMM_OPTION_SIZE ||
           option->type == VMM_OPTION_SIZE_MB || option->type == VMM_OPTION_DURATION;
}

/* A number in the unit of its bounds. */
static const char *number(const VMMOption *option, uint64_t value, char *text, size_t size) {
    const char *unit = option->type == VMM_OPTION_COUNT      ? ""
                       : option->type == VMM_OPTION_DURATION ? "ps"
                                                             : "B";
    snprintf(text, size, "%llu%s", (unsigned long long)value, unit);
    return text;
}

/* The bounds of the table are those that are kept; one step beyond is refused and changes nothing.
 */
static void numbers_have_bounds(void **state) {
    (void)state;
    const VMMOption *option;
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        if (!is_number(option)) {
            continue;
        }
        char text[64];
        char shown[64];
        char error[VMM_ERROR_TEXT_BYTES];
        VMMConfig config;
        vmm_config_init_default(&config);
        number(option, option->min, text, sizeof text);
        assert_int_equal(vmm_config_set(&config, option->name, text, error), VMM_OK);
        number(option, option->max, text, sizeof text);
        assert_int_equal(vmm_config_set(&config, option->name, text, error), VMM_OK);
        VMMConfig before = config;
        if (option->max != UINT64_MAX) {
            number(option, option->max + 1, text, sizeof text);
            assert_int_equal(vmm_config_set(&config, option->name, text, error), VMM_E_RANGE);
            assert_non_null(strstr(error, option->name));
            assert_non_null(strstr(error, text)); /* what was found */
        }
        if (option->min > 0) {
            number(option, option->min - 1, text, sizeof text);
            assert_int_equal(vmm_config_set(&config, option->name, text, error), VMM_E_RANGE);
        }
        static const char *const wrong[] = {"", " ", "x", "-1", "1x", "0x", "1 2", "1..2"};
        for (size_t w = 0; w < VMM_COUNT_OF(wrong); w++) {
            assert_int_equal(vmm_config_set(&config, option->name, wrong[w], error), VMM_E_USAGE);
            assert_non_null(strstr(error, option->name));
        }
        assert_int_equal(vmm_config_set(&config, option->name, "99999999999999999999999", NULL),
                         VMM_E_RANGE);
        assert_memory_equal(&before, &config, sizeof config);
        assert_true(vmm_config_get(&config, option->name, shown, sizeof shown) > 0);
        assert_int_equal(vmm_config_set(&config, option->name, shown, NULL), VMM_OK);
        assert_memory_equal(&before, &config, sizeof config);
    }
}

/* Each word of a choice is taken in any spelling, and nothing else. */
static void choices_are_words(void **state) {
    (void)state;
    const VMMOption *option;
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        if (option->type != VMM_OPTION_CHOICE && option->type != VMM_OPTION_SWITCH) {
            continue;
        }
        VMMConfig config;
        char words[128];
        char error[VMM_ERROR_TEXT_BYTES];
        char *rest = NULL;
        vmm_config_init_default(&config);
        snprintf(words, sizeof words, "%s",
                 option->type == VMM_OPTION_SWITCH ? "on|off" : option->choices);
        for (char *word = strtok_r(words, "|", &rest); word != NULL;
             word = strtok_r(NULL, "|", &rest)) {
            char shown[64];
            char spelt[64];
            snprintf(spelt, sizeof spelt, "%s", word);
            for (char *c = spelt; *c != '\0'; c++) {
                *c = (char)(*c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
            }
            assert_int_equal(vmm_config_set(&config, option->name, spelt, error), VMM_OK);
            vmm_config_get(&config, option->name, shown, sizeof shown);
            assert_string_equal(shown, word);
        }
        VMMConfig before = config;
        assert_int_equal(vmm_config_set(&config, option->name, "maybe", error), VMM_E_USAGE);
        assert_non_null(strstr(error, "maybe"));
        assert_int_equal(vmm_config_set(&config, option->name, "", error), VMM_E_USAGE);
        assert_memory_equal(&before, &config, sizeof config);
    }
}

/* Names match like all names; units are understood; words stand for "as needed". */
static void options_are_set_by_name(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *shown_by, *shown;
    } cases[] = {
        {"RAM", "4G", "ram", "4G"},
        {"ram", "8", "ram", "8M"},
        {"ram", "512K", "ram", "512K"},
        {"frames", "0x10", "frames", "16"},
        {"frames", "AUTO", "frames", "auto"},
        {"page_size", "2MiB", "page-size", "2M"},
        {"Algorithm", "lru", "policy", "lru"},
        {"tlb-entries", "1Ki", "tlb-size", "1024"},
        {"page-table", "four_level", "pt-type", "four_level"},
        {"swap", "unlimited", "swap", "unlimited"},
        {"tlb-ways", "full", "tlb-ways", "full"},
        {"cost-memory", "0.5", "cost-memory", "500ps"},
        {"cost-fault", "2us", "cost-fault", "2us"},
        {"seed", "18446744073709551615", "seed", "18446744073709551615"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        VMMConfig config;
        char shown[300];
        vmm_config_init_default(&config);
        assert_int_equal(vmm_config_set(&config, cases[i].name, cases[i].value, NULL), VMM_OK);
        vmm_config_get(&config, cases[i].shown_by, shown, sizeof shown);
        assert_string_equal(shown, cases[i].shown);
    }
}

/* Wrong calls are told apart from wrong values, and never write. */
static void options_refuse_nonsense(void **state) {
    (void)state;
    VMMConfig config;
    char error[VMM_ERROR_TEXT_BYTES];
    char text[300];
    vmm_config_init_default(&config);
    assert_int_equal(vmm_config_set(&config, "speed", "1", error), VMM_E_USAGE);
    assert_non_null(strstr(error, "speed"));
    assert_int_equal(vmm_config_set(&config, NULL, "1", error), VMM_E_USAGE);
    assert_int_equal(vmm_config_set(&config, "ram", NULL, error), VMM_E_USAGE);
    assert_int_equal(vmm_config_set(NULL, "ram", "1", error), VMM_E_USAGE);
    assert_int_equal(vmm_config_set(&config, "page-size", "5000", error), VMM_E_RANGE);
    assert_non_null(strstr(error, "power of two"));
    assert_int_equal(vmm_config_get(&config, "speed", text, sizeof text), VMM_E_USAGE);
    assert_int_equal(vmm_config_is_set(&config, "speed"), 0);
    memset(text, 'l', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(vmm_config_set(&config, "policy", text, error), VMM_E_USAGE);
    assert_int_equal(vmm_config_set(&config, "policy", "", error), VMM_E_USAGE);
    VMMConfig fresh;
    vmm_config_init_default(&fresh);
    assert_memory_equal(&fresh, &config, sizeof config);
}

/* As snprintf: the whole length, and never more than there is room for. */
static void values_are_cut_to_the_room(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=clock:bits=2,enter=0");
    char text[8];
    memset(text, '!', sizeof text);
    assert_int_equal(vmm_config_get(&config, "policy", text, 6), 20);
    assert_string_equal(text, "clock");
    assert_int_equal(text[6], '!');
    assert_int_equal(vmm_config_get(&config, "policy", NULL, 0), 20);
    assert_int_equal(vmm_config_get(&config, "ram", text, 1), 3);
    assert_string_equal(text, "");
}

/* A file sets what its lines say: comments, blanks, a last line without an end. */
static void files_are_loaded(void **state) {
    (void)state;
    VMMConfig config;
    char shown[64];
    vmm_config_init_default(&config);
    put_text(
        "# a server\n\n  ram = 1G  # plenty\r\n\tPOLICY=lru\nframes = 7\nframes=8\nswap\t=\t2");
    assert_int_equal(vmm_config_load(&config, path, NULL), VMM_OK);
    VMMConfig expected = test_configure("ram=1G policy=lru frames=8 swap=2M");
    assert_memory_equal(&config, &expected, sizeof config);
    vmm_config_get(&config, "ram", shown, sizeof shown);
    assert_string_equal(shown, "1G");
    put_text("");
    assert_int_equal(vmm_config_load(&config, path, NULL), VMM_OK);
    assert_memory_equal(&config, &expected, sizeof config);
}

/* The first bad line is named, and nothing of the file is taken. */
static void bad_files_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *part;
    } cases[] = {
        {"ram = 1G\nspeed = 3\n", VMM_E_USAGE, ":2: "},
        {"ram = 1G\n\n# x\nram\n", VMM_E_USAGE, ":4: "},
        {"frames = 0\n", VMM_E_RANGE, ":1: "},
        {"frames =\n", VMM_E_USAGE, ":1: "},
        {"= 3\n", VMM_E_USAGE, ":1: "},
        {"ram = 1G = 2G\n", VMM_E_USAGE, "1G = 2G"},
        {"tlb-policy = best", VMM_E_USAGE, "LRU|FIFO|RANDOM|LFU"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        VMMConfig config;
        VMMConfig before;
        char error[VMM_ERROR_TEXT_BYTES] = "";
        vmm_config_init_default(&config);
        before = config;
        put_text(cases[i].text);
        assert_int_equal(vmm_config_load(&config, path, error), cases[i].status);
        assert_non_null(strstr(error, path));
        assert_non_null(strstr(error, cases[i].part));
        assert_memory_equal(&config, &before, sizeof config);
    }
    VMMConfig config;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    vmm_config_init_default(&config);
    assert_int_equal(vmm_config_load(&config, "/nonexistent/file", error), VMM_E_OPEN);
    assert_non_null(strstr(error, "/nonexistent/file"));
    assert_int_equal(vmm_config_load(&config, "/", error), VMM_E_READ);
}

/* Contradictions are found when a machine is made, by check and create alike. */
static void contradictions_are_found(void **state) {
    (void)state;
    static const struct {
        const char *options;
        int status;
        const char *part;
    } cases[] = {
        {"ram=1K", VMM_E_CONFIG, "no frame"},
        {"ram=4096T page-size=512", VMM_E_CONFIG, "too many"},
        {"swap=512B", VMM_E_CONFIG, "swap"},
        {"vspace=512B", VMM_E_CONFIG, "vspace"},
        {"tlb-size=64 tlb-ways=3", VMM_E_CONFIG, "does not divide"},
        {"tlb-size=4 tlb-ways=8", VMM_E_CONFIG, "8"},
        {"policy=nosuch", VMM_E_USAGE, "nosuch"},
        {"policy=clock:bits=9", VMM_E_RANGE, "1 to 8"},
        {"policy=approxlru:bits=12", VMM_E_RANGE, "8, 16 or 32"},
        {"pt-type=nosuch", VMM_E_USAGE, "nosuch"},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        VMMConfig config = test_configure(cases[i].options);
        char checked[VMM_ERROR_TEXT_BYTES] = "";
        char created[VMM_ERROR_TEXT_BYTES] = "";
        VMM *vmm = (VMM *)&config;
        assert_int_equal(vmm_config_check(&config, checked), cases[i].status);
        assert_int_equal(vmm_create_with(&config, NULL, &vmm, created), cases[i].status);
        assert_null(vmm);
        assert_string_equal(checked, created);
        assert_non_null(strstr(checked, cases[i].part));
        assert_null(vmm_create(&config));
        assert_int_equal(vmm_config_check(&config, NULL), cases[i].status);
    }
    VMMConfig config = test_configure("ram=1K frames=5");
    assert_int_equal(vmm_config_check(&config, NULL), VMM_OK); /* frames go before ram */
    assert_int_equal(vmm_config_frames(&config), 5);
    config = test_configure("ram=1M page-size=64K");
    assert_int_equal(vmm_config_frames(&config), 16);
    config = test_configure("ram=1K");
    assert_int_equal(vmm_config_frames(&config), 0);
}

/* Memory that was never filled is no configuration. */
static void configurations_must_be_filled(void **state) {
    (void)state;
    VMMConfig config;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMM *vmm = NULL;
    memset(&config, 0, sizeof config);
    assert_int_equal(vmm_config_check(&config, error), VMM_E_USAGE);
    assert_non_null(strstr(error, "vmm_config_init_default"));
    assert_int_equal(vmm_config_frames(&config), 0);
    assert_null(vmm_create(&config));
    assert_null(vmm_create(NULL));
    assert_int_equal(vmm_create_with(NULL, NULL, &vmm, error), VMM_E_USAGE);
    assert_int_equal(vmm_create_with(&config, NULL, NULL, error), VMM_E_USAGE);
    vmm_destroy(NULL);
    VMMConfig filled;
    memset(&config, 0xff, sizeof config); /* what was there before does not matter */
    vmm_config_init_default(&config);
    memset(&filled, 0, sizeof filled);
    vmm_config_init_default(&filled);
    assert_memory_equal(&config, &filled, sizeof config);
}

/* ---- Tables -------------------------------------------------------------------------------------
 */

/* Codes, counters and classes have names that lead back to them. */
static void tables_have_names(void **state) {
    (void)state;
#define X(name, value, text)                                  \
    assert_string_equal(vmm_error_name(VMM_##name), #name);   \
    assert_string_equal(vmm_error_message(VMM_##name), text); \
    assert_int_equal(VMM_##name, value);
#include "../../include/vmm/errors.def"
#undef X
    assert_string_equal(vmm_error_name(1), "E_?");
    const VMMStatInfo *info;
    size_t count = 0;
    VMMStats stats;
    for (; (info = vmm_stat_at(count)) != NULL; count++) {
        assert_true(info->offset % 8 == 0 && info->offset < sizeof stats);
        assert_true(strlen(info->unit) > 0 && strlen(info->help) > 0);
    }
    assert_int_equal(count, vmm_stat_count());
    assert_int_equal(count, sizeof stats / 8 - 1); /* all but struct_size */
    for (int class = 0; class < VMM_FAULT_CLASS_COUNT; class ++) {
        char name[64];
        info = vmm_stat_at(count - VMM_FAULT_CLASS_COUNT + (size_t) class);
        snprintf(name, sizeof name, "fault_%s", vmm_fault_class_name(class));
        assert_string_equal(info->name, name);
        assert_int_equal(info->offset, (char *)&stats.faults[class] - (char *)&stats);
        assert_string_equal(info->help, vmm_fault_class_help(class));
    }
    assert_int_equal(vmm_fault_class_is_major(VMM_FAULT_swap_in), 1);
    assert_int_equal(vmm_fault_class_is_major(VMM_FAULT_zero_fill), 0);
    assert_null(vmm_fault_class_name(VMM_FAULT_CLASS_COUNT));
    assert_null(vmm_fault_class_help(-1));
    assert_int_equal(vmm_fault_class_is_major(99), 0);
    assert_string_equal(vmm_version(), VMM_VERSION_STRING);
    assert_non_null(vmm_build_features());
    for (size_t i = 0; vmm_page_table_at(i) != NULL; i++) {
        assert_true(vmm_page_table_at(i)->levels >= 1);
    }
}

/* ---- One reference -----------------------------------------------------------------------------
 */

/* The life of a page, one reference after the other. */
static void outcomes_tell_what_a_reference_met(void **state) {
    (void)state;
    VMM *vmm = make("frames=2 policy=lru pt-type=FOUR_LEVEL tlb-size=2");
    static const struct {
        VMMRef ref;
        VMMOutcome outcome;
    } steps[] = {
        {{.pid = 5, .addr = 0x1000, .op = VMM_OP_WRITE}, {0, 1, VMM_FAULT_zero_fill, 0}},
        {{.pid = 5, .addr = 0x1fff}, {1, 0, VMM_FAULT_NONE, 0}},
        {{.pid = 5, .addr = 0x2000}, {0, 4, VMM_FAULT_zero_fill, 1}},
        {{.pid = 6, .addr = 0x1000}, {0, 1, VMM_FAULT_zero_fill, 0}}, /* evicts the written page */
        {{.pid = 5, .addr = 0x1000}, {0, 4, VMM_FAULT_swap_in, 1}},   /* and it comes back */
        {{.pid = 5, .addr = LIMIT_48}, {0, 0, VMM_FAULT_invalid, VMM_NO_FRAME}},
        {{.pid = 6, .addr = 0x0ff8, .size = 16}, {1, 0, VMM_FAULT_NONE, 0}}, /* of its last page */
    };
    for (size_t i = 0; i < VMM_COUNT_OF(steps); i++) {
        VMMOutcome outcome;
        if (i == 6) { /* page 0 of 6 goes where page 1 of 5 is; page 1 of 6 stays */
            assert_true(vmm_access(vmm, 6, 0x1000, false));
        }
        assert_int_equal(vmm_access_outcome(vmm, &steps[i].ref, &outcome), VMM_OK);
        assert_memory_equal(&outcome, &steps[i].outcome, sizeof outcome);
    }
    vmm_destroy(vmm);
}

/* vmm_access() says no to what is beyond, and why, and the machine goes on. */
static void access_tells_success(void **state) {
    (void)state;
    VMM *vmm = make("frames=2 policy=lru");
    assert_int_equal(vmm_last_error(vmm), VMM_OK);
    assert_string_equal(vmm_error_text(vmm), "");
    assert_true(vmm_access(vmm, 1, 0, false));
    assert_true(vmm_access(vmm, 1, LIMIT_48 - 1, true));
    assert_int_equal(vmm_last_error(vmm), VMM_OK);
    assert_false(vmm_access(vmm, 77, LIMIT_48, false));
    assert_int_equal(vmm_last_error(vmm), VMM_E_INVALID_ADDRESS);
    assert_non_null(strstr(vmm_error_text(vmm), "0x1000000000000"));
    assert_non_null(strstr(vmm_error_text(vmm), "77"));
    assert_true(vmm_access(vmm, 1, 0, false)); /* a TLB hit right after it */
    VMMStats stats = stats_of(vmm);
    assert_int_equal(stats.accesses, 4);
    assert_int_equal(stats.writes, 1);
    assert_int_equal(stats.faults[VMM_FAULT_invalid], 1);
    vmm_destroy(vmm);
}

/* Swap that is full ends the machine's life; it says so again and again, whatever else is asked. */
static void a_full_swap_ends_the_machine(void **state) {
    (void)state;
    VMM *vmm = make("frames=1 policy=lru swap=4K tlb=off");
    assert_true(vmm_access(vmm, 1, 0x0000, true));
    assert_true(vmm_access(vmm, 1, 0x1000, true)); /* page 0 to the one slot */
    assert_false(vmm_access(vmm, 1, 0x2000, true));
    assert_int_equal(vmm_last_error(vmm), VMM_E_OUT_OF_MEMORY);
    assert_non_null(strstr(vmm_error_text(vmm), "swap is full"));
    VMMStats stats = stats_of(vmm);
    assert_int_equal(stats.oom_events, 1);
    assert_int_equal(stats.accesses, 3);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(stats.faults[VMM_FAULT_zero_fill], 3);
    assert_int_equal(stats.swap_outs, 1);
    assert_int_equal(stats.frames_used, 1);
    VMMResident page;
    assert_int_equal(vmm_resident_pages(vmm, &page, 1), 1);
    assert_int_equal(page.vpn, 1); /* the victim stays */
    assert_false(vmm_access(vmm, 1, 0x1000, false));
    VMMEvent nonsense = {.struct_size = sizeof nonsense, .type = 99, .pid = 1};
    assert_int_equal(vmm_apply(vmm, &nonsense), VMM_E_USAGE);
    VMMRef ref = {.addr = 0x1000, .pid = 1};
    assert_int_equal(vmm_feed(vmm, &ref, 1), VMM_E_OUT_OF_MEMORY);
    assert_int_equal(vmm_add_process(vmm, 9), VMM_E_OUT_OF_MEMORY);
    VMMStats after = stats_of(vmm);
    assert_same_stats(&stats, &after, "after the end");
    vmm_destroy(vmm);
}

/* ---- Processes ---------------------------------------------------------------------------------
 */

/* Known before the first reference, in order, found by any number. */
static void processes_are_added_and_found(void **state) {
    (void)state;
    VMM *vmm = make("frames=4 pt-type=TWO_LEVEL");
    VMMProcessStats process = {.struct_size = sizeof process};
    assert_int_equal(vmm_process_count(vmm), 0);
    assert_int_equal(vmm_get_process(vmm, 0, &process), VMM_E_USAGE);
    assert_int_equal(vmm_process_stats(vmm, 0, &process), VMM_E_USAGE);
    assert_int_equal(vmm_add_process(vmm, UINT32_MAX), VMM_OK);
    assert_int_equal(vmm_add_process(vmm, 0), VMM_OK);
    assert_int_equal(vmm_add_process(vmm, UINT32_MAX), VMM_OK);
    assert_int_equal(vmm_process_count(vmm), 2);
    assert_int_equal(vmm_get_process(vmm, 0, &process), VMM_OK);
    assert_int_equal(process.pid, 0);
    assert_int_equal(process.accesses, 0);
    assert_int_equal(process.page_table_bytes, 8 << 18); /* its root */
    assert_int_equal(stats_of(vmm).processes, 2);
    assert_true(vmm_access(vmm, UINT32_MAX, 0x5000, true));
    assert_true(vmm_access(vmm, 3, 0x5000, false));
    assert_int_equal(vmm_process_count(vmm), 3);
    assert_int_equal(vmm_process_stats(vmm, 0, &process), VMM_OK);
    assert_int_equal(process.pid, UINT32_MAX);
    assert_int_equal(process.writes, 1);
    assert_int_equal(process.misses, 1);
    assert_int_equal(process.page_table_bytes, 2 * (8 << 18));
    assert_int_equal(vmm_process_stats(vmm, 3, &process), VMM_E_USAGE);
    assert_int_equal(vmm_get_process(vmm, 4, &process), VMM_E_USAGE);
    vmm_destroy(vmm);
}

/* Processes sum to the machine. */
static void processes_sum_to_totals(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    VMMRef *refs = random_refs(COUNT, 1);
    VMM *vmm = make("frames=9 policy=lru scope=process pt-type=THREE_LEVEL");
    assert_int_equal(vmm_feed(vmm, refs, COUNT), VMM_OK);
    VMMStats stats = stats_of(vmm);
    VMMProcessStats sum = {0};
    for (size_t i = 0; i < vmm_process_count(vmm); i++) {
        VMMProcessStats process = {.struct_size = sizeof process};
        assert_int_equal(vmm_process_stats(vmm, i, &process), VMM_OK);
        assert_int_equal(process.accesses, process.reads + process.writes + process.fetches);
        sum.accesses += process.accesses;
        sum.tlb_hits += process.tlb_hits;
        sum.page_references += process.page_references;
        sum.major_faults += process.major_faults;
        sum.minor_faults += process.minor_faults;
        sum.misses += process.misses;
        sum.page_table_bytes += process.page_table_bytes;
    }
    assert_int_equal(sum.accesses, stats.accesses);
    assert_int_equal(sum.tlb_hits, stats.tlb_hits);
    assert_int_equal(sum.page_references, stats.page_references);
    assert_int_equal(sum.major_faults, stats.major_faults);
    assert_int_equal(sum.minor_faults, stats.minor_faults);
    assert_int_equal(sum.misses, stats.misses);
    assert_int_equal(sum.page_table_bytes, stats.page_table_bytes);
    assert_int_equal(stats.frames, 3 * 9);
    vmm_destroy(vmm);
    free(refs);
}

/* ---- Events ------------------------------------------------------------------------------------
 */

static int unmap(VMM *vmm, uint32_t pid, uint64_t start, uint64_t length) {
    VMMEvent event = {.struct_size = sizeof event,
                      .type = VMM_EVENT_UNMAP,
                      .pid = pid,
                      .start = start,
                      .length = length};
    return vmm_apply(vmm, &event);
}

static int end_process(VMM *vmm, uint32_t pid) {
    VMMEvent event = {.struct_size = sizeof event, .type = VMM_EVENT_EXIT, .pid = pid};
    return vmm_apply(vmm, &event);
}

static VMMOutcome outcome_of(VMM *vmm, uint32_t pid, uint64_t addr) {
    VMMOutcome outcome;
    VMMRef ref = {.pid = pid, .addr = addr};
    assert_int_equal(vmm_access_outcome(vmm, &ref, &outcome), VMM_OK);
    return outcome;
}

/* The page is gone: frame free, content lost, no TLB entry; the tables stay. */
static void unmap_gives_pages_up(void **state) {
    (void)state;
    VMM *vmm = make("frames=3 policy=lru pt-type=FOUR_LEVEL");
    for (uint64_t page = 0; page < 5; page++) { /* pages 0 and 1 go to swap */
        assert_true(vmm_access(vmm, 1, page << 12, true));
    }
    VMMStats before = stats_of(vmm);
    assert_int_equal(before.swap_slots_used, 2);
    assert_int_equal(unmap(vmm, 1, 1 << 12, 2 << 12), VMM_OK); /* one in swap, one in memory */
    VMMStats after = stats_of(vmm);
    assert_int_equal(after.swap_slots_used, 1);
    assert_int_equal(after.frames_used, 2);
    assert_int_equal(after.page_table_bytes, before.page_table_bytes);
    assert_int_equal(after.swap_outs, before.swap_outs);
    assert_int_equal(after.replacements, before.replacements);
    assert_int_equal(after.tlb_invalidations, before.tlb_invalidations + 1);
    assert_true(machine_is_valid(&vmm->machine));
    VMMOutcome outcome = outcome_of(vmm, 1, 2 << 12);
    assert_int_equal(outcome.tlb_hit, 0);
    assert_int_equal(outcome.walk_reads, 4);
    assert_int_equal(outcome.fault, VMM_FAULT_zero_fill);
    assert_int_equal(outcome_of(vmm, 1, 1 << 12).fault, VMM_FAULT_zero_fill); /* not swap_in */
    assert_int_equal(outcome_of(vmm, 1, 0).fault,
                     VMM_FAULT_swap_in); /* a neighbour keeps its own */
    vmm_destroy(vmm);
}

/* A range is the same given up page by page or, when larger than memory, by search. */
static void large_unmaps_equal_small_ones(void **state) {
    (void)state;
    VMMStats stats[2];
    for (int large = 0; large < 2; large++) {
        VMM *vmm = make("frames=10 policy=clock");
        for (uint64_t page = 0; page < 20; page++) {
            assert_true(vmm_access(vmm, 1, page << 12, page % 2 == 0));
            assert_true(vmm_access(vmm, 2, page << 12, page % 3 == 0));
        }
        if (large != 0) {
            assert_int_equal(unmap(vmm, 1, 4 << 12, LIMIT_48 - (4 << 12)), VMM_OK);
        } else {
            for (uint64_t page = 4; page < 24; page++) {
                assert_int_equal(unmap(vmm, 1, page << 12, 1 << 12), VMM_OK);
            }
        }
        assert_true(machine_is_valid(&vmm->machine));
        for (uint64_t page = 0; page < 20; page++) {
            assert_true(vmm_access(vmm, 1 + page % 2, page << 12, false));
        }
        stats[large] = stats_of(vmm);
        assert_int_equal(stats[large].events, large != 0 ? 1 : 20);
        stats[large].events = 0;
        vmm_destroy(vmm);
    }
    assert_same_stats(&stats[0], &stats[1], "unmap");
}

/* Everything of a process goes, its tables too; the others do not notice; it may come again. */
static void exit_frees_everything(void **state) {
    (void)state;
    static const char *const scopes[] = {"global", "process"};
    for (size_t s = 0; s < 2; s++) {
        char options[128];
        snprintf(options, sizeof options, "frames=4 policy=lru pt-type=FOUR_LEVEL scope=%s",
                 scopes[s]);
        VMM *vmm = make(options);
        for (uint64_t page = 0; page < 3; page++) {
            assert_true(vmm_access(vmm, 1, page << 12, true));
        }
        VMMStats alone = stats_of(vmm);
        for (uint64_t page = 0; page < 8; page++) {
            assert_true(vmm_access(vmm, 2, page << 30, true));
        }
        assert_int_equal(end_process(vmm, 2), VMM_OK);
        assert_true(machine_is_valid(&vmm->machine));
        VMMStats after = stats_of(vmm);
        assert_int_equal(after.page_table_bytes, alone.page_table_bytes);
        assert_int_equal(after.page_tables, alone.page_tables);
        assert_int_equal(after.frames_used + after.swap_slots_used, 3); /* those of process 1 */
        VMMProcessStats process = {.struct_size = sizeof process};
        assert_int_equal(vmm_get_process(vmm, 2, &process), VMM_OK);
        assert_int_equal(process.page_table_bytes, 0);
        assert_int_equal(process.writes, 8);           /* what it did stays counted */
        assert_int_equal(end_process(vmm, 2), VMM_OK); /* an end without a life */
        VMMOutcome outcome = outcome_of(vmm, 2, 0);
        assert_int_equal(outcome.tlb_hit, 0);
        assert_int_equal(outcome.walk_reads, 1);
        assert_int_equal(outcome.fault, VMM_FAULT_zero_fill);
        assert_true(machine_is_valid(&vmm->machine));
        assert_int_equal(vmm_get_process(vmm, 2, &process), VMM_OK);
        assert_int_equal(process.page_table_bytes, 4 * 4096);
        vmm_destroy(vmm);
    }
}

/* What cannot be applied is refused with a sentence. */
static void bad_events_are_refused(void **state) {
    (void)state;
    VMM *vmm = make("frames=4");
    assert_int_equal(unmap(vmm, 1, 0, 4096), VMM_E_USAGE); /* nothing has begun */
    assert_true(vmm_access(vmm, 1, 0, true));
    VMMStats before = stats_of(vmm);
    static const uint64_t ranges[][2] = {
        {1, 4096},
        {0, 1},
        {0, 0},
        {4096, 4097},
        {LIMIT_48, 4096},
        {LIMIT_48 - 4096, 8192},
        {UINT64_MAX - 4095, 4096},
        {4096, UINT64_MAX - 4095},
        {0, LIMIT_48 + 4096},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(ranges); i++) {
        assert_int_equal(unmap(vmm, 1, ranges[i][0], ranges[i][1]), VMM_E_USAGE);
        assert_int_equal(vmm_last_error(vmm), VMM_E_USAGE);
        assert_non_null(strstr(vmm_error_text(vmm), "unmap"));
    }
    assert_int_equal(unmap(vmm, 2, 0, 4096), VMM_E_USAGE);
    assert_non_null(strstr(vmm_error_text(vmm), "process 2"));
    assert_int_equal(end_process(vmm, 2), VMM_E_USAGE);
    VMMEvent event = {.struct_size = sizeof event, .type = 99, .pid = 1};
    assert_int_equal(vmm_apply(vmm, &event), VMM_E_USAGE);
    assert_non_null(strstr(vmm_error_text(vmm), "type 99"));
    VMMStats after = stats_of(vmm);
    assert_same_stats(&before, &after, "refused events");
    assert_int_equal(unmap(vmm, 1, 0, LIMIT_48), VMM_OK); /* the largest range there is */
    assert_int_equal(stats_of(vmm).frames_used, 0);
    vmm_destroy(vmm);
}

static VMMEvent event_of(uint32_t type, uint64_t start, uint64_t length) {
    return (VMMEvent){
        .struct_size = sizeof(VMMEvent), .type = type, .pid = 1, .start = start, .length = length};
}

/* Which events take which of eight pages; all but remarks are counted, and the rest does nothing.
 */
static void events_take_what_they_end(void **state) {
    (void)state;
    static const struct {
        uint32_t type, flags;
        uint64_t value, target;
        uint32_t left, events;
    } cases[] = {
        {VMM_EVENT_UNMAP, 0, 0, 0, 5, 1},
        {VMM_EVENT_EXIT, 0, 0, 0, 0, 1},
        {VMM_EVENT_EXEC, 0, 0, 0, 0, 1},
        {VMM_EVENT_ADVISE, 0, 4, 0, 5, 1}, /* MADV_DONTNEED */
        {VMM_EVENT_ADVISE, 0, 3, 0, 8, 1},
        {VMM_EVENT_MAP, VMM_MAP_FIXED, 0, 0, 5, 1},
        {VMM_EVENT_MAP, 0, 0, 0, 5, 1},
        {VMM_EVENT_REMAP, 0, 3 << 12, 64 << 12, 8, 1}, /* moves */
        {VMM_EVENT_REMAP, 0, 1 << 12, 2 << 12, 6, 1},  /* shrinks in its place */
        {VMM_EVENT_REMAP, 0, 9 << 12, 2 << 12, 8, 1},  /* grows in its place */
        {VMM_EVENT_PROTECT, 0, 0, 0, 8, 1},
        {VMM_EVENT_FORK, 0, 77, 0, 8, 1},
        {VMM_EVENT_START, 0, 0, 0, 8, 0},
        {VMM_EVENT_MARK, 0, 0, 0, 8, 0},
        {VMM_EVENT_THREAD_EXIT, 0, 0, 0, 8, 0},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        VMM *vmm = make("frames=20 policy=lru");
        for (uint64_t page = 0; page < 8; page++) {
            assert_true(vmm_access(vmm, 1, page << 12, true));
        }
        assert_true(vmm_access(vmm, 2, 3 << 12, true)); /* it must not notice */
        VMMEvent event = event_of(cases[i].type, 2 << 12, 3 << 12);
        event.flags = cases[i].flags;
        event.value = cases[i].value;
        event.target = cases[i].target;
        assert_int_equal(vmm_apply(vmm, &event), VMM_OK);
        VMMStats stats = stats_of(vmm);
        assert_int_equal(stats.frames_used, cases[i].left + 1);
        assert_int_equal(stats.discards, 8 - cases[i].left);
        assert_int_equal(stats.events, cases[i].events);
        assert_true(machine_is_valid(&vmm->machine));
        vmm_destroy(vmm);
    }
}

/* Of a range only the pages that lie in it wholly go; events before the first reference are fine.
 */
static void events_take_whole_pages(void **state) {
    (void)state;
    VMM *vmm = make("frames=20 page-size=8192");
    VMMEvent event = event_of(VMM_EVENT_ADVISE, 0x1000, 0x4000);
    event.value = 4;
    assert_int_equal(vmm_apply(vmm, &event), VMM_OK);
    for (uint64_t page = 0; page < 4; page++) {
        assert_true(vmm_access(vmm, 1, page << 13, true));
    }
    assert_int_equal(vmm_apply(vmm, &event), VMM_OK); /* 0x2000 to 0x4000 */
    assert_int_equal(stats_of(vmm).frames_used, 3);
    event = event_of(VMM_EVENT_ADVISE, 0x7000, UINT64_MAX);
    event.value = 4;
    assert_int_equal(vmm_apply(vmm, &event), VMM_OK); /* none from 0x8000 on */
    assert_int_equal(stats_of(vmm).frames_used, 3);
    event.start = 0x5000;
    assert_int_equal(vmm_apply(vmm, &event), VMM_OK); /* 0x6000 to the end */
    assert_int_equal(stats_of(vmm).frames_used, 2);
    vmm_destroy(vmm);
}

/* Page references like others, but no accesses; data, and written if they write. */
static void the_kernel_touches_pages(void **state) {
    (void)state;
    static const VMMRef refs[] = {
        {.addr = 0x1000, .pid = 1, .op = VMM_OP_WRITE, .flags = VMM_REF_KERNEL},
        {.addr = 0x2ffe, .pid = 1, .size = 4, .op = VMM_OP_READ, .flags = VMM_REF_KERNEL},
        {.addr = 0x4000, .pid = 1, .op = VMM_OP_FETCH},
        {.addr = 0x5000, .pid = 1, .op = VMM_OP_READ},
    };
    VMM *vmm = make("frames=1 policy=lru");
    assert_int_equal(vmm_feed(vmm, refs, VMM_COUNT_OF(refs)), VMM_OK);
    VMMStats stats = stats_of(vmm);
    VMMProcessStats process = {.struct_size = sizeof process};
    assert_int_equal(vmm_get_process(vmm, 1, &process), VMM_OK);
    assert_int_equal(stats.kernel_references, 2);
    assert_int_equal(process.kernel_references, 2);
    assert_int_equal(stats.accesses, 2);
    assert_int_equal(stats.reads, 1);
    assert_int_equal(stats.writes, 0);
    assert_int_equal(stats.page_references, 5);
    assert_int_equal(stats.misses, 5);
    assert_int_equal(stats.swap_outs, 1);
    vmm_destroy(vmm);
    vmm = make("frames=1 refs=data max-accesses=2");
    assert_int_equal(vmm_feed(vmm, refs, VMM_COUNT_OF(refs)), VMM_OK);
    stats = stats_of(vmm);
    assert_int_equal(stats.kernel_references, 2);
    assert_int_equal(stats.accesses, 0);
    vmm_destroy(vmm);
    vmm = make("frames=1 refs=fetch");
    assert_int_equal(vmm_feed(vmm, refs, VMM_COUNT_OF(refs)), VMM_OK);
    stats = stats_of(vmm);
    assert_int_equal(stats.kernel_references, 0);
    assert_int_equal(stats.filtered, 3);
    VMMRef bad = {.pid = 1, .flags = 2};
    assert_int_equal(vmm_feed(vmm, &bad, 1), VMM_E_USAGE);
    assert_non_null(strstr(vmm_error_text(vmm), "flags 0x2"));
    vmm_destroy(vmm);
}

/* References, unmaps and exits in any order leave every machine whole. */
static void events_at_any_time(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    VMMRef *refs = random_refs(COUNT, 2);
    const VMMPolicyInfo *info;
    for (size_t p = 0; (info = vmm_policy_at(p)) != NULL; p++) {
        for (int scope = 0; info->needs != VMM_NEEDS_FUTURE && scope < 2; scope++) {
            char options[128];
            snprintf(options, sizeof options, "frames=11 tlb-size=8 policy=%s scope=%s", info->name,
                     scope != 0 ? "process" : "global");
            VMM *vmm = make(options);
            Rng rng = rng_seed(p, "events");
            for (size_t i = 0; i < COUNT; i += 30) {
                assert_int_equal(vmm_feed(vmm, refs + i, 30), VMM_OK);
                uint32_t pid = refs[i].pid;
                uint64_t first = rng_below(&rng, 64);
                if (rng_below(&rng, 20) == 0) {
                    assert_int_equal(end_process(vmm, pid), VMM_OK);
                } else {
                    assert_int_equal(unmap(vmm, pid, first << 12, (1 + rng_below(&rng, 64)) << 12),
                                     VMM_OK);
                }
                assert_true(machine_is_valid(&vmm->machine));
            }
            vmm_destroy(vmm);
        }
    }
    free(refs);
}

/* ---- Observation --------------------------------------------------------------------------------
 */

typedef struct Watch {
    VMMStats sum;
    uint64_t last_index, last_used;
    uint64_t crossings;
} Watch;

static void watch(void *user, const VMMStep *step) {
    Watch *seen = user;
    VMMStats *sum = &seen->sum;
    assert_true(step->index == seen->last_index || step->index == seen->last_index + 1);
    seen->crossings += step->index == seen->last_index;
    sum->accesses += step->index != seen->last_index;
    seen->last_index = step->index;
    seen->last_used = step->used_frames;
    sum->page_references++;
    sum->tlb_hits += step->tlb_hit;
    sum->walk_reads += step->walk_reads;
    assert_true(!step->tlb_hit || (step->walk_reads == 0 && step->fault == VMM_FAULT_NONE));
    if (step->fault != VMM_FAULT_NONE) {
        sum->faults[step->fault]++;
        sum->page_faults++;
    }
    assert_int_equal(step->frame == VMM_NO_FRAME, step->fault == VMM_FAULT_invalid);
    uint64_t last = (step->ref.addr + step->ref.size - 1) >> 12;
    assert_in_range(step->vpn, step->ref.addr >> 12, last);
    sum->replacements += step->eviction_count;
    for (uint32_t i = 0; i < step->eviction_count; i++) {
        sum->swap_outs += step->evictions[i].dirty;
        assert_in_range(strlen(step->evictions[i].why), 1, sizeof step->evictions[i].why - 1);
    }
}

/* What the observer saw adds up to the statistics, and watching changes none of them. */
static void observers_see_what_is_counted(void **state) {
    (void)state;
    enum { COUNT = 6000 };
    VMMRef *refs = random_refs(COUNT, 3);
    const VMMPolicyInfo *info;
    for (size_t p = 0; (info = vmm_policy_at(p)) != NULL; p++) {
        if (info->needs == VMM_NEEDS_FUTURE) {
            continue;
        }
        char options[128];
        snprintf(options, sizeof options, "frames=11 tlb-size=8 policy=%s pt-type=FOUR_LEVEL",
                 info->name);
        VMM *plain = make(options);
        VMM *watched = make(options);
        Watch seen = {.last_index = 0};
        vmm_observe(watched, watch, &seen);
        assert_int_equal(vmm_feed(plain, refs, COUNT), VMM_OK);
        assert_int_equal(vmm_feed(watched, refs, COUNT), VMM_OK);
        VMMStats a = stats_of(plain);
        VMMStats b = stats_of(watched);
        assert_same_stats(&a, &b, options);
        assert_int_equal(seen.sum.accesses, a.accesses);
        assert_int_equal(seen.sum.page_references, a.page_references);
        assert_int_equal(seen.crossings, a.page_references - a.accesses);
        assert_int_equal(seen.sum.tlb_hits, a.tlb_hits);
        assert_int_equal(seen.sum.walk_reads, a.walk_reads);
        assert_int_equal(seen.sum.page_faults, a.page_faults);
        assert_memory_equal(seen.sum.faults, a.faults, sizeof a.faults);
        assert_int_equal(seen.sum.replacements, a.replacements);
        assert_int_equal(seen.sum.swap_outs, a.swap_outs - a.cleanings); /* not by evictions */
        assert_int_equal(seen.last_used, a.frames_used);
        vmm_destroy(plain);
        vmm_destroy(watched);
    }
    free(refs);
}

static void note_vpn(void *user, const VMMStep *step) {
    uint64_t **next = user;
    *(*next)++ = step->vpn;
}

/* Each step names the page it is about, also the one that ended the reference. */
static void steps_name_their_pages(void **state) {
    (void)state;
    static const struct {
        const char *options;
        VMMRef ref;
        uint64_t vpns[4];
        size_t count;
    } cases[] = {
        {"frames=3", {.addr = 0x3ff0, .size = 0x2000}, {3, 4, 5}, 3},
        {"frames=3", {.addr = LIMIT_48 + 0x5000, .size = 9000}, {(LIMIT_48 >> 12) + 5}, 1},
        {"frames=3",
         {.addr = LIMIT_48 - 4, .size = 9000},
         {(LIMIT_48 >> 12) - 1, LIMIT_48 >> 12},
         2},
        {"frames=3 vspace=6K", {.addr = 10, .size = 9000}, {0, 1, 2}, 3},
        {"frames=3 vspace=6K", {.addr = 7000, .size = 9000}, {1}, 1},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        uint64_t vpns[8];
        uint64_t *next = vpns;
        VMM *vmm = make(cases[i].options);
        vmm_observe(vmm, note_vpn, &next);
        assert_int_equal(vmm_feed(vmm, &cases[i].ref, 1), VMM_OK);
        assert_int_equal(next - vpns, cases[i].count);
        assert_memory_equal(vpns, cases[i].vpns, cases[i].count * sizeof vpns[0]);
        vmm_destroy(vmm);
    }
}

/* Watching may begin and end at any time. */
static void observers_come_and_go(void **state) {
    (void)state;
    VMMRef *refs = random_refs(900, 4);
    VMM *vmm = make("frames=11 policy=lru");
    VMM *plain = make("frames=11 policy=lru");
    Watch seen = {.last_index = 300};
    assert_int_equal(vmm_feed(vmm, refs, 300), VMM_OK);
    vmm_observe(vmm, watch, &seen);
    assert_int_equal(vmm_feed(vmm, refs + 300, 300), VMM_OK);
    vmm_observe(vmm, NULL, NULL);
    assert_int_equal(vmm_feed(vmm, refs + 600, 300), VMM_OK);
    assert_int_equal(seen.sum.accesses, 300);
    assert_int_equal(vmm_feed(plain, refs, 900), VMM_OK);
    VMMStats a = stats_of(vmm);
    VMMStats b = stats_of(plain);
    assert_same_stats(&a, &b, "watched in between");
    vmm_destroy(vmm);
    vmm_destroy(plain);
    free(refs);
}

/* ---- Results ------------------------------------------------------------------------------------
 */

/* The next victim first; as many as there is room for; how many there are. */
static void resident_pages_are_in_order(void **state) {
    (void)state;
    VMM *vmm = make("frames=3 policy=lru");
    VMMResident pages[4];
    assert_int_equal(vmm_resident_pages(vmm, pages, 4), 0);
    static const uint32_t order[] = {1, 2, 3, 1};
    for (size_t i = 0; i < 4; i++) {
        assert_true(vmm_access(vmm, 9, (uint64_t)order[i] << 12, order[i] == 3));
    }
    assert_int_equal(vmm_resident_pages(vmm, pages, 4), 3);
    static const uint64_t expected[] = {2, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pages[i].vpn, expected[i]);
        assert_int_equal(pages[i].frame, expected[i] - 1);
        assert_int_equal(pages[i].pid, 9);
        assert_int_equal(pages[i].dirty, expected[i] == 3);
    }
    memset(pages, 0, sizeof pages);
    assert_int_equal(vmm_resident_pages(vmm, pages, 1), 3);
    assert_int_equal(pages[0].vpn, 2);
    assert_int_equal(pages[1].vpn, 0); /* not written */
    assert_int_equal(vmm_resident_pages(vmm, NULL, 0), 3);
    vmm_destroy(vmm);
}

/* A caller with an older, smaller struct gets what fits and not a byte more. */
static void smaller_structs_are_served(void **state) {
    (void)state;
    VMM *vmm = make("frames=3");
    assert_true(vmm_access(vmm, 4, 0, true));
    VMMStats stats;
    memset(&stats, 0xaa, sizeof stats);
    stats.struct_size = offsetof(VMMStats, fetches);
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    assert_int_equal(stats.struct_size, offsetof(VMMStats, fetches));
    assert_int_equal(stats.writes, 1);
    assert_true(stats.fetches == UINT64_C(0xaaaaaaaaaaaaaaaa));
    stats.struct_size = 4;
    assert_int_equal(vmm_stats(vmm, &stats), VMM_E_USAGE);
    assert_int_equal(vmm_stats(vmm, NULL), VMM_E_USAGE);
    VMMProcessStats process;
    memset(&process, 0xaa, sizeof process);
    process.struct_size = offsetof(VMMProcessStats, accesses);
    assert_int_equal(vmm_get_process(vmm, 4, &process), VMM_OK);
    assert_int_equal(process.pid, 4);
    assert_true(process.accesses == UINT64_C(0xaaaaaaaaaaaaaaaa));
    process.struct_size = 0;
    assert_int_equal(vmm_get_process(vmm, 4, &process), VMM_E_USAGE);
    struct {
        VMMStats stats;
        uint64_t more; /* of a caller that is newer than the library */
    } larger = {.stats.struct_size = sizeof larger, .more = 7};
    assert_int_equal(vmm_stats(vmm, &larger.stats), VMM_OK);
    assert_int_equal(larger.stats.struct_size, sizeof larger.stats);
    assert_int_equal(larger.more, 7);
    vmm_destroy(vmm);
}

/* The average is stall over references, and nothing before the first. */
static void average_access_time(void **state) {
    (void)state;
    VMM *vmm = make("frames=3 cost-tlb=1 cost-memory=100 cost-fault=1us cost-zero-fill=0 "
                    "cost-walk-read=10");
    assert_true(vmm_average_access_time_ns(vmm) == 0.0);
    assert_true(vmm_access(vmm, 1, 0, false));
    assert_true(vmm_average_access_time_ns(vmm) == 1111.0);
    assert_true(vmm_access(vmm, 1, 0, false));
    assert_true(vmm_average_access_time_ns(vmm) == (1111.0 + 101.0) / 2);
    char frames[32];
    vmm_config_get(vmm_configuration(vmm), "frames", frames, sizeof frames);
    assert_string_equal(frames, "3");
    vmm_destroy(vmm);
    vmm = make("ram=1M");
    vmm_config_get(vmm_configuration(vmm), "frames", frames, sizeof frames);
    assert_string_equal(frames, "256"); /* derived */
    vmm_destroy(vmm);
}

/* ---- Whole traces -------------------------------------------------------------------------------
 */

static void put_refs(FILE *file, const VMMRef *refs, size_t count) {
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "%u %c 0x%llx %u\n", refs[i].pid, "RWI"[refs[i].op],
                (unsigned long long)refs[i].addr, refs[i].size == 0 ? 1 : refs[i].size);
    }
    assert_int_equal(fclose(file), 0);
}

static VMMTrace *open_trace(const char *name) {
    VMMTrace *trace = NULL;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options};
    if (vmm_trace_open(name, &options, &trace, error) != VMM_OK) {
        fail_msg("%s", error);
    }
    return trace;
}

static const char *const machines[] = {
    "frames=12 policy=lru",
    "frames=12 policy=opt",
    "frames=40 policy=clock scope=process pt-type=FOUR_LEVEL",
    "frames=12 policy=fifo swap=64K",
    "frames=12 policy=unopt tlb=off",
    "frames=7 policy=random tlb-switch=flush",
};

/* Together or alone: each machine counts the same. One that runs out of memory stops alone. */
static void several_machines_equal_single_ones(void **state) {
    (void)state;
    enum { COUNT = 20000, MACHINES = VMM_COUNT_OF(machines) };
    VMMRef *refs = random_refs(COUNT, 5);
    put_refs(fopen(path, "w"), refs, COUNT);
    VMM *together[MACHINES];
    for (size_t i = 0; i < MACHINES; i++) {
        together[i] = make(machines[i]);
    }
    VMMTrace *trace = open_trace(path);
    assert_int_equal(vmm_run(together, MACHINES, trace, NULL, NULL), VMM_E_OUT_OF_MEMORY);
    vmm_trace_close(trace);
    for (size_t i = 0; i < MACHINES; i++) {
        VMM *alone = make(machines[i]);
        trace = open_trace(path);
        int status = vmm_run_trace(alone, trace);
        vmm_trace_close(trace);
        assert_int_equal(status, i == 3 ? VMM_E_OUT_OF_MEMORY : VMM_OK);
        assert_int_equal(vmm_last_error(together[i]), status);
        VMMStats a = stats_of(together[i]);
        VMMStats b = stats_of(alone);
        assert_same_stats(&a, &b, machines[i]);
        assert_int_equal(a.accesses == COUNT, i != 3);
        vmm_destroy(alone);
    }
    for (size_t i = 0; i < MACHINES; i++) { /* they share their address spaces: no more events */
        assert_int_not_equal(unmap(together[i], 1, 0, LIMIT_48), VMM_OK);
        assert_true(machine_is_valid(&together[i]->machine));
    }
    for (size_t i = 0; i < MACHINES; i++) {
        vmm_destroy(together[i]);
    }
    free(refs);
}

/* A machine that stopped early in a run knows nothing of the pages that came later, and takes no
   more events. */
static void stopped_machines_take_no_events(void **state) {
    (void)state;
    FILE *file = fopen(path, "w");
    for (unsigned page = 0; page < 400000; page++) {
        fprintf(file, "1 W 0x%x\n", page << 12);
    }
    fprintf(file, "2 W 0x1000\n");
    assert_int_equal(fclose(file), 0);
    VMM *pair[] = {make("frames=4 policy=lru"), make("frames=4 policy=lru swap=16K")};
    VMMTrace *trace = open_trace(path);
    assert_int_equal(vmm_run(pair, 2, trace, NULL, NULL), VMM_E_OUT_OF_MEMORY);
    vmm_trace_close(trace);
    assert_int_equal(stats_of(pair[0]).accesses, 400001);
    assert_int_equal(stats_of(pair[1]).accesses, 9);
    assert_int_equal(vmm_process_count(pair[1]), 1);
    assert_int_equal(unmap(pair[1], 1, 0, LIMIT_48), VMM_E_OUT_OF_MEMORY);
    assert_int_equal(unmap(pair[0], 1, 0, LIMIT_48), VMM_E_USAGE);
    assert_int_equal(unmap(pair[1], 2, 0, 4096), VMM_E_USAGE);
    assert_int_equal(stats_of(pair[1]).frames_used, 4);
    vmm_destroy(pair[0]);
    vmm_destroy(pair[1]);
}

/* Batches of a run are longer than those of a feed; a reference can be longer still. */
static void runs_equal_feeds(void **state) {
    (void)state;
    VMMRef refs[3] = {{.addr = 0x100, .pid = 1, .size = 8},
                      {.addr = 0x210, .pid = 1, .size = 300000 * 512u, .op = VMM_OP_WRITE},
                      {.addr = 0x300, .pid = 2, .size = 8}};
    put_refs(fopen(path, "w"), refs, 3);
    VMM *pair[] = {make("frames=99 policy=lru page-size=512"),
                   make("frames=99 policy=lru page-size=512 engine=generic")};
    VMM *fed = make("frames=99 policy=lru page-size=512");
    VMMTrace *trace = open_trace(path);
    assert_int_equal(vmm_run(pair, 2, trace, NULL, NULL), VMM_OK);
    vmm_trace_close(trace);
    assert_int_equal(vmm_feed(fed, refs, 3), VMM_OK);
    VMMStats expected = stats_of(fed);
    assert_int_equal(expected.page_references, 300001 + 2);
    for (size_t i = 0; i < 2; i++) {
        VMMStats stats = stats_of(pair[i]);
        assert_same_stats(&expected, &stats, "run and feed");
        vmm_destroy(pair[i]);
    }
    vmm_destroy(fed);
}

/* OPT has no answer before it knows the future. */
static void opt_cannot_be_fed(void **state) {
    (void)state;
    static const char *const policies[] = {"opt", "unopt"};
    for (size_t i = 0; i < 2; i++) {
        char options[64];
        snprintf(options, sizeof options, "frames=3 policy=%s", policies[i]);
        VMM *vmm = make(options);
        VMMRef ref = {.pid = 1};
        assert_int_equal(vmm_feed(vmm, &ref, 1), VMM_E_NEEDS_FUTURE);
        assert_int_equal(vmm_last_error(vmm), VMM_E_NEEDS_FUTURE);
        assert_non_null(strstr(vmm_error_text(vmm), "vmm_run"));
        assert_false(vmm_access(vmm, 1, 0, false));
        assert_int_equal(stats_of(vmm).accesses, 0);
        vmm_destroy(vmm);
    }
}

enum { OPT_FRAMES = 6, OPT_PAGES = 24 };

/* Belady's rule over an array: the fewest misses that there can be. */
static uint64_t fewest_misses(const uint8_t *pages, size_t count) {
    size_t *next = calloc(count, sizeof *next);
    size_t last[OPT_PAGES];
    for (size_t page = 0; page < OPT_PAGES; page++) {
        last[page] = SIZE_MAX;
    }
    for (size_t i = count; i-- > 0;) {
        next[i] = last[pages[i]];
        last[pages[i]] = i;
    }
    uint64_t misses = 0;
    size_t needed[OPT_PAGES]; /* by page: its next reference, 0 if it is not in memory */
    size_t resident = 0;
    memset(needed, 0, sizeof needed);
    for (size_t i = 0; i < count; i++) {
        if (needed[pages[i]] == 0) {
            misses++;
            size_t farthest = 0;
            for (size_t page = 0; page < OPT_PAGES; page++) {
                farthest = needed[page] > needed[farthest] ? page : farthest;
            }
            needed[farthest] = resident == OPT_FRAMES ? 0 : needed[farthest];
            resident += resident < OPT_FRAMES;
        }
        needed[pages[i]] = next[i];
    }
    free(next);
    return misses;
}

/* Long enough for several blocks on the way back through the run, with pages referenced twice. */
static void opt_has_the_fewest_misses(void **state) {
    (void)state;
    enum { COUNT = 600000 };
    uint8_t *pages = calloc(COUNT, 1);
    Rng rng = rng_seed(10, "pages");
    FILE *file = fopen(path, "w");
    for (size_t i = 0; i < COUNT; i++) {
        bool again = i > 0 && rng_below(&rng, 4) == 0;
        uint64_t span = rng_below(&rng, 2) == 0 ? OPT_PAGES / 3 : OPT_PAGES;
        pages[i] = again ? pages[i - 1] : (uint8_t)rng_below(&rng, span);
        fprintf(file, "1 R 0x%x000\n", pages[i]);
    }
    assert_int_equal(fclose(file), 0);
    VMM *vmm = make("frames=6 policy=opt");
    VMMTrace *trace = open_trace(path);
    assert_int_equal(vmm_run_trace(vmm, trace), VMM_OK);
    vmm_trace_close(trace);
    assert_int_equal(stats_of(vmm).accesses, COUNT);
    assert_int_equal(stats_of(vmm).misses, fewest_misses(pages, COUNT));
    vmm_destroy(vmm);
    free(pages);
}

/* A pipe can be read once; OPT reads it twice, and the run comes out as from a file. */
static void opt_runs_on_a_pipe(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    VMMRef *refs = random_refs(COUNT, 6);
    put_refs(fopen(path, "w"), refs, COUNT);
    VMM *expected = make("frames=9 policy=opt");
    VMMTrace *trace = open_trace(path);
    assert_int_equal(vmm_run_trace(expected, trace), VMM_OK);
    vmm_trace_close(trace);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    put_refs(fdopen(ends[1], "w"), refs, COUNT); /* fits the pipe */
    char name[32];
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    VMM *piped = make("frames=9 policy=opt");
    trace = open_trace(name);
    assert_int_equal(vmm_run_trace(piped, trace), VMM_OK);
    vmm_trace_close(trace);
    close(ends[0]);
    VMMStats a = stats_of(expected);
    VMMStats b = stats_of(piped);
    assert_int_equal(a.accesses, COUNT);
    assert_same_stats(&a, &b, "a pipe");
    vmm_destroy(expected);
    vmm_destroy(piped);
    free(refs);
}

/* The classic string: 9 faults for FIFO with 3 frames, 10 with 4; OPT 7 and 6. */
static void beladys_string(void **state) {
    (void)state;
    put_text("1\n2\n3\n4\n1\n2\n5\n1\n2\n3\n4\n5\n");
    static const struct {
        const char *options;
        uint64_t misses;
    } cases[] = {{"policy=fifo frames=3", 9}, {"policy=fifo frames=4", 10},
                 {"policy=lru frames=3", 10}, {"policy=lru frames=4", 8},
                 {"policy=opt frames=3", 7},  {"policy=opt frames=4", 6}};
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        VMM *vmm = make(cases[i].options);
        VMMTraceOptions options = {.struct_size = sizeof options, .format = "pages"};
        VMMTrace *trace = NULL;
        assert_int_equal(vmm_trace_open(path, &options, &trace, NULL), VMM_OK);
        assert_int_equal(vmm_run_trace(vmm, trace), VMM_OK);
        vmm_trace_close(trace);
        VMMStats stats = stats_of(vmm);
        assert_int_equal(stats.misses, cases[i].misses);
        assert_int_equal(stats.faults[VMM_FAULT_file_read], cases[i].misses); /* a page list */
        char initial[16];
        vmm_config_get(vmm_configuration(vmm), "initial", initial, sizeof initial);
        assert_string_equal(initial, "store"); /* settled by the trace */
        vmm_destroy(vmm);
    }
}

/* Machines of one run are fresh and see the same references. */
static void unfit_machines_are_refused(void **state) {
    (void)state;
    put_text("1 R 0x1000\n1 W 0x2000\n");
    VMMTrace *trace = open_trace(path);
    VMM *vmm = make("frames=3");
    assert_int_equal(vmm_run(NULL, 1, trace, NULL, NULL), VMM_E_USAGE);
    assert_int_equal(vmm_run(&vmm, 0, trace, NULL, NULL), VMM_E_USAGE);
    assert_int_equal(vmm_run(&vmm, 1, NULL, NULL, NULL), VMM_E_USAGE);
    static const char *const others[] = {"page-size=8K", "vspace=1G", "refs=data", "max-accesses=1",
                                         "pt-type=FIVE_LEVEL"};
    for (size_t i = 0; i < VMM_COUNT_OF(others); i++) {
        VMM *pair[] = {vmm, make(others[i])};
        assert_int_equal(vmm_run(pair, 2, trace, NULL, NULL), VMM_E_CONFIG);
        assert_int_equal(vmm_last_error(pair[1]), VMM_E_CONFIG);
        assert_non_null(strstr(vmm_error_text(pair[1]), "agree"));
        vmm_destroy(pair[1]);
    }
    VMM *twice[] = {vmm, vmm};
    assert_int_equal(vmm_run(twice, 2, trace, NULL, NULL), VMM_E_USAGE);
    assert_int_equal(vmm_run_trace(vmm, trace), VMM_OK); /* nothing was spoilt */
    assert_int_equal(stats_of(vmm).accesses, 2);
    assert_int_equal(vmm_run_trace(vmm, trace), VMM_E_USAGE);
    assert_non_null(strstr(vmm_error_text(vmm), "used before"));
    vmm_trace_close(trace);
    vmm_destroy(vmm);
}

/* A bad record ends the run; what came before it is simulated, and the sentence has the line. */
static void bad_records_end_a_run(void **state) {
    (void)state;
    put_text("1 R 0x1000\n1 W 0x2000\n1 X 0x3000\n1 R 0x4000\n");
    VMM *vmm = make("frames=3 policy=lru");
    VMMTraceOptions options = {.struct_size = sizeof options, .format = "native"};
    VMMTrace *trace = NULL;
    assert_int_equal(vmm_trace_open(path, &options, &trace, NULL), VMM_OK);
    assert_int_equal(vmm_run_trace(vmm, trace), VMM_E_BAD_RECORD);
    assert_int_equal(vmm_last_error(vmm), VMM_E_BAD_RECORD);
    assert_non_null(strstr(vmm_error_text(vmm), ":3"));
    assert_int_equal(stats_of(vmm).accesses, 2);
    vmm_trace_close(trace);
    vmm_destroy(vmm);
}

typedef struct Calls {
    uint64_t count, stop_at;
    VMMProgress last;
} Calls;

static int count_calls(void *user, const VMMProgress *progress) {
    Calls *calls = user;
    assert_true(progress->pass >= calls->last.pass && progress->pass <= progress->passes);
    assert_true(progress->pass > calls->last.pass ||
                progress->references >= calls->last.references);
    calls->last = *progress;
    return ++calls->count == calls->stop_at;
}

/* A run tells how far it is and can be stopped, in either pass. */
static void runs_can_be_watched_and_stopped(void **state) {
    (void)state;
    put_text("1 R 0x1000\n1 W 0x2000\n1 R 0x1000\n");
    for (uint64_t stop_at = 0; stop_at <= 2; stop_at++) {
        for (int future = 0; future < 2; future++) {
            VMM *vmm = make(future != 0 ? "frames=3 policy=opt" : "frames=3 policy=lru");
            VMMTrace *trace = open_trace(path);
            Calls calls = {.stop_at = stop_at};
            int status = vmm_run(&vmm, 1, trace, count_calls, &calls);
            bool stopped = stop_at != 0 && calls.count >= stop_at;
            assert_int_equal(status, stopped ? VMM_E_STOPPED : VMM_OK);
            assert_int_equal(vmm_last_error(vmm), status);
            assert_true(calls.count >= 1);
            assert_int_equal(calls.last.passes, 1 + future);
            assert_true(stopped || stats_of(vmm).accesses == 3);
            vmm_trace_close(trace);
            vmm_destroy(vmm);
        }
    }
}

/* Many references to one page, all one run of a .vmt. False: this build does not write .vmt. */
static bool put_long_run(uint64_t references) {
    enum { SOME = 1 << 16 };
    VMMTraceWriterOptions options = {.struct_size = sizeof options};
    VMMTraceWriter *writer = NULL;
    VMMPackedRef *refs = malloc(SOME * sizeof *refs);
    int file = open(path, O_WRONLY | O_TRUNC);
    assert_true(file >= 0 && refs != NULL);
    int status = vmm_trace_writer_open(file, &options, &writer, NULL);
    for (size_t i = 0; i < SOME; i++) {
        refs[i] = 0x1000; /* a read of one byte */
    }
    for (uint64_t i = 0; status == VMM_OK && i < references / SOME; i++) {
        status = vmm_trace_write_packed(writer, 1, 1, refs, SOME);
    }
    assert_true(status == VMM_E_UNSUPPORTED || vmm_trace_writer_finish(writer) == VMM_OK);
    vmm_trace_writer_close(writer);
    close(file);
    free(refs);
    return status == VMM_OK;
}

/* Within one run of a .vmt, too, a run tells how far it is, and can be stopped. */
static void long_runs_can_be_watched_and_stopped(void **state) {
    (void)state;
    static const char *const options[] = {"engine=generic", "tlb=off", "policy=approxlru:period=1",
                                          "policy=opt", "policy=lru"};
    enum { REFERENCES = 1 << 24, MOST = 1 << 22 };
    if (!put_long_run(REFERENCES)) {
        skip();
    }
    for (size_t i = 0; i < VMM_COUNT_OF(options); i++) {
        for (uint64_t stop_at = 0; stop_at <= 1; stop_at++) {
            VMM *vmm = make(options[i]);
            VMMTrace *trace = open_trace(path);
            Calls calls = {.stop_at = stop_at};
            int status = vmm_run(&vmm, 1, trace, count_calls, &calls);
            assert_int_equal(status, stop_at != 0 ? VMM_E_STOPPED : VMM_OK);
            assert_true(stop_at != 0 ? calls.last.references <= MOST
                                     : calls.count >= REFERENCES / MOST);
            assert_true(stop_at != 0 || stats_of(vmm).accesses == REFERENCES);
            vmm_trace_close(trace);
            vmm_destroy(vmm);
        }
    }
}

/* ---- Threads ------------------------------------------------------------------------------------
 */

typedef struct Job {
    const char *options;
    const VMMRef *refs;
    size_t count;
    VMMStats stats;
    int status;
} Job;

static void *run_job(void *user) {
    Job *job = user;
    VMMConfig config = test_configure(job->options);
    VMM *vmm = vmm_create(&config);
    job->status = vmm_feed(vmm, job->refs, job->count);
    job->stats.struct_size = sizeof job->stats;
    vmm_stats(vmm, &job->stats);
    vmm_destroy(vmm);
    return NULL;
}

/* Machines share nothing: in threads of their own they do what they do one after the other. */
static void threads_do_not_disturb_each_other(void **state) {
    (void)state;
    enum { COUNT = 60000 };
    VMMRef *refs = random_refs(COUNT, 7);
    static const char *const options[] = {
        "frames=12 policy=random tlb-policy=RANDOM tlb-size=8",
        "frames=20 policy=approxlru:period=50 pt-type=FOUR_LEVEL"};
    Job serial[2], parallel[2];
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        serial[i] = parallel[i] = (Job){.options = options[i], .refs = refs, .count = COUNT};
        run_job(&serial[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &parallel[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(parallel[i].status, VMM_OK);
        assert_same_stats(&serial[i].stats, &parallel[i].stats, options[i]);
    }
    free(refs);
}

/* ---- A host without memory
 * ------------------------------------------------------------------------
 */

/* Fails the call number fail_at, and if `lasting` all after it. */
typedef struct Scarce {
    size_t calls, fail_at, blocks;
    bool lasting, failed;
} Scarce;

static bool scarce_fails(Scarce *scarce) {
    scarce->calls++;
    bool fails = scarce->fail_at != 0 && (scarce->lasting ? scarce->calls >= scarce->fail_at
                                                          : scarce->calls == scarce->fail_at);
    scarce->failed |= fails;
    return fails;
}

static void *scarce_zalloc(void *user, size_t size) {
    Scarce *scarce = user;
    if (scarce_fails(scarce)) {
        return NULL;
    }
    scarce->blocks++;
    return calloc(1, size);
}

static void *scarce_resize(void *user, void *block, size_t old_size, size_t new_size) {
    if (scarce_fails(user)) {
        return NULL;
    }
    char *grown = realloc(block, new_size);
    if (new_size > old_size) {
        memset(grown + old_size, 0xee, new_size - old_size); /* undefined, and not zero */
    }
    return grown;
}

static void scarce_release(void *user, void *block, size_t size) {
    (void)size;
    ((Scarce *)user)->blocks--;
    free(block);
}

/* A little of everything; every call is made whatever the one before said. True: one failed. */
static bool live(const char *options, const VMMAllocator *allocator, const VMMRef *refs,
                 size_t count) {
    VMM *vmm = make_with(options, allocator);
    if (vmm == NULL) {
        return true;
    }
    bool failed = vmm_add_process(vmm, 50) == VMM_E_NO_MEMORY;
    for (size_t i = 0; i < count; i += count / 4) {
        failed |= vmm_feed(vmm, refs + i, count / 4) == VMM_E_NO_MEMORY;
        failed |= unmap(vmm, 1, i / (count / 4) << 14, 4 << 12) == VMM_E_NO_MEMORY;
    }
    failed |= end_process(vmm, 2) == VMM_E_NO_MEMORY;
    for (uint32_t pid = 100; pid < 112; pid++) {
        failed |= vmm_add_process(vmm, pid) == VMM_E_NO_MEMORY;
        failed |= !vmm_access(vmm, pid, 0, true) && vmm_last_error(vmm) == VMM_E_NO_MEMORY;
    }
    VMMOutcome outcome;
    failed |= vmm_access_outcome(vmm, &refs[0], &outcome) == VMM_E_NO_MEMORY;
    failed |= vmm_feed(vmm, refs, count) == VMM_E_NO_MEMORY;
    failed |= vmm_last_error(vmm) == VMM_E_NO_MEMORY;
    VMMStats stats = stats_of(vmm);
    assert_true(stats.tlb_hits <= stats.page_references);
    for (size_t i = 0; i < vmm_process_count(vmm); i++) {
        VMMProcessStats process = {.struct_size = sizeof process};
        assert_int_equal(vmm_process_stats(vmm, i, &process), VMM_OK);
    }
    ((Scarce *)allocator->user)->fail_at = 0; /* what is left can be looked at */
    VMMResident pages[600];
    assert_true(vmm_resident_pages(vmm, pages, 600) <= stats.frames_used);
    vmm_destroy(vmm);
    return failed;
}

/* Fails the k-th allocation for every k: no crash, no leak, and somebody is told. */
static void run_scarce(const char *options, bool lasting) {
    enum { COUNT = 1200 };
    VMMRef *refs = random_refs(COUNT, 8);
    for (size_t i = 0; i < COUNT; i++) {
        bool moves = refs[i].addr < LIMIT_48 / 2; /* more pages, in many tables */
        refs[i].addr += moves ? ((uint64_t)i / 4 << 12) + ((uint64_t)i / 16 << 21) : 0;
    }
    bool reached = true;
    for (size_t k = 1; reached; k++) {
        Scarce scarce = {.fail_at = k, .lasting = lasting};
        const VMMAllocator allocator = {scarce_zalloc, scarce_resize, scarce_release, &scarce};
        bool told = live(options, &allocator, refs, COUNT);
        if (scarce.blocks != 0 || told != scarce.failed) {
            fail_msg("%s, failure %zu: %zu blocks left, %s", options, k, scarce.blocks,
                     told ? "told" : "not told");
        }
        reached = scarce.failed;
        assert_true(k < 5000);
    }
    free(refs);
}

static const char *const scarce_options[] = {
    "frames=300 policy=lru pt-type=FOUR_LEVEL",
    "frames=290 policy=lfu scope=process refs=data",
    "frames=300 policy=approxlru pt-type=FIVE_LEVEL page-size=64K",
    "frames=20 policy=nru tlb-size=12 tlb-ways=4",
    "frames=600 policy=clock engine=generic initial=store pt-type=FOUR_LEVEL",
};

/* Once: memory may come back, and whatever is called afterwards must find a whole machine. */
static void one_failed_allocation_is_told(void **state) {
    (void)state;
    for (size_t i = 0; i < VMM_COUNT_OF(scarce_options); i++) {
        run_scarce(scarce_options[i], false);
    }
}

/* For good. */
static void lasting_lack_of_memory_is_told(void **state) {
    (void)state;
    for (size_t i = 0; i < VMM_COUNT_OF(scarce_options); i++) {
        run_scarce(scarce_options[i], true);
    }
}

/* A whole run with OPT beside another machine. */
static void runs_without_memory_are_told(void **state) {
    (void)state;
    enum { COUNT = 1500 };
    VMMRef *refs = random_refs(COUNT, 9);
    put_refs(fopen(path, "w"), refs, COUNT);
    free(refs);
    bool reached = true;
    for (size_t k = 1; reached; k++) {
        Scarce scarce = {.fail_at = k};
        const VMMAllocator allocator = {scarce_zalloc, scarce_resize, scarce_release, &scarce};
        VMM *pair[] = {make_with("frames=20 policy=opt", &allocator),
                       make_with("frames=20 policy=lru scope=process", &allocator)};
        bool told = pair[0] == NULL || pair[1] == NULL;
        if (!told) {
            VMMTrace *trace = open_trace(path);
            told = vmm_run(pair, 2, trace, NULL, NULL) == VMM_E_NO_MEMORY;
            vmm_trace_close(trace);
            assert_int_equal(told, vmm_last_error(pair[0]) == VMM_E_NO_MEMORY ||
                                       vmm_last_error(pair[1]) == VMM_E_NO_MEMORY);
            stats_of(pair[0]);
            stats_of(pair[1]);
        }
        vmm_destroy(pair[0]);
        vmm_destroy(pair[1]);
        assert_int_equal(scarce.blocks, 0);
        assert_int_equal(told, scarce.failed);
        reached = scarce.failed;
        assert_true(k < 1000);
    }
}

/* The working set, window by window: one failed allocation for every k. */
static void windows_without_memory_are_told(void **state) {
    (void)state;
    enum { COUNT = 1500 };
    VMMRef *refs = random_refs(COUNT, 9);
    put_refs(fopen(path, "w"), refs, COUNT);
    free(refs);
    const VMMConfig config = test_configure("frames=1");
    const VMMWorkingSetOptions options = {.struct_size = sizeof options, .window = 7};
    bool reached = true;
    for (size_t k = 1; reached; k++) {
        Scarce scarce = {.fail_at = k};
        const VMMAllocator allocator = {scarce_zalloc, scarce_resize, scarce_release, &scarce};
        VMMWorkingSet *set;
        char error[VMM_ERROR_TEXT_BYTES] = "";
        int status = vmm_working_set_create(&config, &options, &allocator, &set, error);
        if (status == VMM_OK) {
            VMMTrace *trace = open_trace(path);
            status = vmm_working_set_run(set, trace, NULL, NULL);
            snprintf(error, sizeof error, "%s", vmm_working_set_error_text(set));
            vmm_trace_close(trace);
        }
        assert_int_equal(status, scarce.failed ? VMM_E_NO_MEMORY : VMM_OK);
        assert_int_equal(error[0] != '\0', scarce.failed);
        assert_true(scarce.failed || vmm_working_set_count(set) > COUNT / 7);
        vmm_working_set_destroy(set);
        assert_int_equal(scarce.blocks, 0);
        reached = scarce.failed;
        assert_true(k < 1000);
    }
}

static int change_the_file(void *text, const VMMProgress *progress) {
    if (progress->pass == 1) {
        put_text(text);
    }
    return 0;
}

/* Distances collected from one trace must not be used on another. */
static void a_trace_that_changes_between_the_passes(void **state) {
    (void)state;
    static char changed[] = "1 R 0x2000\n1 R 0x2000\n1 R 0x1000\n";
    put_text("1 R 0x1000\n1 R 0x2000\n1 R 0x1000\n");
    VMM *vmm = make("policy=opt frames=1");
    VMMTrace *trace = NULL;
    VMMTraceOptions options = {.struct_size = sizeof options, .format = "native"};
    assert_int_equal(vmm_trace_open(path, &options, &trace, NULL), VMM_OK);
    assert_int_equal(vmm_run(&vmm, 1, trace, change_the_file, changed), VMM_E_READ);
    assert_non_null(strstr(vmm_error_text(vmm), "changed"));
    vmm_trace_close(trace);
    vmm_destroy(vmm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_trace_that_changes_between_the_passes, make_path,
                                        drop_path),
        cmocka_unit_test(options_round_trip),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(choices_are_words),
        cmocka_unit_test(options_are_set_by_name),
        cmocka_unit_test(options_refuse_nonsense),
        cmocka_unit_test(values_are_cut_to_the_room),
        cmocka_unit_test(files_are_loaded),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(contradictions_are_found),
        cmocka_unit_test(configurations_must_be_filled),
        cmocka_unit_test(tables_have_names),
        cmocka_unit_test(outcomes_tell_what_a_reference_met),
        cmocka_unit_test(access_tells_success),
        cmocka_unit_test(a_full_swap_ends_the_machine),
        cmocka_unit_test(processes_are_added_and_found),
        cmocka_unit_test(processes_sum_to_totals),
        cmocka_unit_test(unmap_gives_pages_up),
        cmocka_unit_test(large_unmaps_equal_small_ones),
        cmocka_unit_test(exit_frees_everything),
        cmocka_unit_test(bad_events_are_refused),
        cmocka_unit_test(events_take_what_they_end),
        cmocka_unit_test(events_take_whole_pages),
        cmocka_unit_test(the_kernel_touches_pages),
        cmocka_unit_test(events_at_any_time),
        cmocka_unit_test(observers_see_what_is_counted),
        cmocka_unit_test(steps_name_their_pages),
        cmocka_unit_test(observers_come_and_go),
        cmocka_unit_test(resident_pages_are_in_order),
        cmocka_unit_test(smaller_structs_are_served),
        cmocka_unit_test(average_access_time),
        cmocka_unit_test(several_machines_equal_single_ones),
        cmocka_unit_test(stopped_machines_take_no_events),
        cmocka_unit_test(runs_equal_feeds),
        cmocka_unit_test(opt_cannot_be_fed),
        cmocka_unit_test(opt_has_the_fewest_misses),
        cmocka_unit_test(opt_runs_on_a_pipe),
        cmocka_unit_test(beladys_string),
        cmocka_unit_test(unfit_machines_are_refused),
        cmocka_unit_test(bad_records_end_a_run),
        cmocka_unit_test(runs_can_be_watched_and_stopped),
        cmocka_unit_test(long_runs_can_be_watched_and_stopped),
        cmocka_unit_test(threads_do_not_disturb_each_other),
        cmocka_unit_test(one_failed_allocation_is_told),
        cmocka_unit_test(lasting_lack_of_memory_is_told),
        cmocka_unit_test_setup_teardown(windows_without_memory_are_told, make_path, drop_path),
        cmocka_unit_test(runs_without_memory_are_told),
    };
    return cmocka_run_group_tests_name("api", tests, make_path, drop_path);
}
