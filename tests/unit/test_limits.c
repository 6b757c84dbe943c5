/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of processes and groups, and eviction in the background: who gives pages up, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vmm/vmm.h"
#include "../../src/config/groups.h"
#include "lives.h"

static VMM *make(const char *options) {
    VMMConfig config = test_configure(options);
    VMM *vmm = vmm_create(&config);
    assert_non_null(vmm);
    return vmm;
}

/* Whether it faulted. */
static bool touch(VMM *vmm, uint32_t pid, uint64_t page, bool write) {
    return test_touch(vmm, pid, page, write) != VMM_FAULT_NONE;
}

/* Reads pages [from, to). */
static void sweep(VMM *vmm, uint32_t pid, uint64_t from, uint64_t to) {
    for (uint64_t page = from; page < to; page++) {
        touch(vmm, pid, page, false);
    }
}

static VMMStats stats_of(VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    return stats;
}

static uint64_t rss(VMM *vmm, uint32_t pid) {
    VMMProcessStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_get_process(vmm, pid, &stats), VMM_OK);
    return stats.rss;
}

static VMMGroupStats group(VMM *vmm, size_t index) {
    VMMGroupStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_group_stats(vmm, index, &stats), VMM_OK);
    return stats;
}

static void process_at_its_limit_gives_up_its_own(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=100 resident-limit=12K");
    sweep(vmm, 1, 0, 3);
    sweep(vmm, 2, 0, 10);
    assert_int_equal(rss(vmm, 1), 3);
    assert_int_equal(rss(vmm, 2), 3);
    assert_false(touch(vmm, 1, 0, false));
    assert_true(touch(vmm, 2, 0, false));
    VMMStats stats = stats_of(vmm);
    assert_int_equal(stats.frames, 100);
    assert_int_equal(stats.frames_used, 6);
    assert_int_equal(stats.limit_reclaims, 8);
    assert_int_equal(stats.replacements, 8);
    vmm_destroy(vmm);
}

static void group_shares_its_limit(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=100 groups=db=16K:1,2");
    sweep(vmm, 1, 0, 3);
    sweep(vmm, 2, 0, 3); /* takes two of process 1's */
    sweep(vmm, 3, 0, 20);
    assert_int_equal(rss(vmm, 1), 1);
    assert_int_equal(rss(vmm, 2), 3);
    assert_int_equal(rss(vmm, 3), 20);
    assert_int_equal(vmm_group_count(vmm), 1);
    VMMGroupStats db = group(vmm, 0);
    assert_string_equal(db.name, "db");
    assert_int_equal(db.limit, 4);
    assert_int_equal(db.processes, 2);
    assert_int_equal(db.resident, 4);
    assert_int_equal(db.resident_peak, 4);
    assert_int_equal(db.limit_reclaims, 2);
    assert_int_equal(db.given_up, 0);
    assert_int_equal(vmm_group_stats(vmm, 1, &db), VMM_E_USAGE);
    vmm_destroy(vmm);
}

/* The limit of a group is no reservation: what is short is short for all, in proportion. */
static void all_give_when_memory_is_short(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=100 groups=small=400K:1");
    sweep(vmm, 1, 0, 20);
    sweep(vmm, 2, 0, 80);
    assert_int_equal(stats_of(vmm).replacements, 0);
    sweep(vmm, 2, 80,
          130); /* 50 pages more: a fifth of them from the group, or fewer as it shrinks */
    VMMGroupStats small = group(vmm, 0);
    assert_in_range(small.given_up, 6, 10);
    assert_int_equal(small.limit_reclaims, 0);
    assert_int_equal(rss(vmm, 1), 20 - small.given_up);
    assert_int_equal(stats_of(vmm).frames_used, 100);
    vmm_destroy(vmm);
}

static void children_are_in_the_group_of_their_parent(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=100 groups=db=16K:1+own=8K:3");
    touch(vmm, 1, 0, true);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_int_equal(vmm_fork(vmm, 2, 3), VMM_OK); /* named itself */
    assert_int_equal(vmm_fork(vmm, 2, 4), VMM_OK);
    sweep(vmm, 2, 10, 20);
    sweep(vmm, 3, 10, 20);
    sweep(vmm, 4, 10, 20);
    assert_int_equal(group(vmm, 0).processes, 3);
    assert_int_equal(group(vmm, 0).resident, 4);
    assert_int_equal(group(vmm, 1).processes, 1);
    assert_int_equal(group(vmm, 1).resident, 2);
    assert_int_equal(rss(vmm, 3), 2);
    vmm_destroy(vmm);
}

/* A shared page is charged to the group that touched it first, whoever uses it. */
static void first_toucher_is_charged(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=100 groups=a=8K:1+b=8K:2");
    assert_int_equal(vmm_create_shared(vmm, "s", 2 * PAGE), VMM_OK);
    assert_int_equal(vmm_attach_shared(vmm, 1, "s", 0, VMM_PROT_READ), VMM_OK);
    assert_int_equal(vmm_attach_shared(vmm, 2, "s", 0, VMM_PROT_READ), VMM_OK);
    sweep(vmm, 1, 0, 2);
    sweep(vmm, 2, 0, 2);
    sweep(vmm, 2, 10, 12);
    assert_int_equal(rss(vmm, 2), 4);
    assert_int_equal(group(vmm, 0).resident, 2);
    assert_int_equal(group(vmm, 1).resident, 2);
    assert_int_equal(stats_of(vmm).replacements, 0);
    vmm_destroy(vmm);
}

static void background_keeps_frames_free(void **state) {
    (void)state;
    VMM *vmm = make("policy=fifo page-size=4K frames=10 free-low=8K free-high=16K");
    for (uint64_t page = 0; page < 8; page++) {
        touch(vmm, 1, page, true);
    }
    assert_int_equal(stats_of(vmm).reclaim_wakeups, 0);
    touch(vmm, 1, 8, true); /* one frame would stay free: three pages leave, and four do */
    VMMStats stats = stats_of(vmm);
    assert_int_equal(stats.reclaim_wakeups, 1);
    assert_int_equal(stats.background_reclaims, 3);
    assert_int_equal(stats.background_swap_outs, 3);
    assert_int_equal(stats.replacements, 3);
    assert_int_equal(stats.frames_used, 6);
    assert_int_equal(stats.background_time_ps, 3 * UINT64_C(1000000000)); /* 1 ms each */
    vmm_destroy(vmm);
}

/* Swap is full: the background gives way, and memory fills up. */
static void background_stops_when_swap_is_full(void **state) {
    (void)state;
    VMM *vmm = make("policy=fifo page-size=4K frames=4 free-low=8K free-high=8K swap=4K");
    for (uint64_t page = 0; page < 5; page++) {
        touch(vmm, 1, page, true);
    }
    VMMStats stats = stats_of(vmm);
    assert_int_equal(stats.background_reclaims, 1);
    assert_int_equal(stats.reclaim_wakeups, 3);
    assert_int_equal(stats.frames_used, 4);
    assert_int_equal(stats.oom_events, 0);
    assert_false(vmm_access(vmm, 1, 5 * PAGE, true));
    assert_int_equal(vmm_last_error(vmm), VMM_E_OUT_OF_MEMORY);
    assert_int_equal(stats_of(vmm).oom_events, 1);
    vmm_destroy(vmm);
}

static VMMOomVictim victim_of(VMM *vmm) {
    VMMOomVictim victim = {.struct_size = sizeof victim};
    assert_int_equal(vmm_oom_victim(vmm, &victim), VMM_OK);
    return victim;
}

/* Process 2 has the most in memory and swap together, though process 1 needs the page. */
static void largest_process_is_named(void **state) {
    (void)state;
    VMM *vmm = make("policy=fifo page-size=4K frames=4 swap=8K pt-type=FOUR_LEVEL");
    VMMOomVictim none = {.struct_size = sizeof none};
    assert_int_equal(vmm_oom_victim(vmm, &none), VMM_E_USAGE);
    for (uint64_t page = 0; page < 4; page++) {
        touch(vmm, 2, page, true);
    }
    touch(vmm, 1, 0, true);
    touch(vmm, 1, 1, true);
    assert_false(vmm_access(vmm, 1, 2 * PAGE, true));
    VMMOomVictim victim = victim_of(vmm);
    assert_int_equal(victim.pid, 2);
    assert_int_equal(victim.resident, 2);
    assert_int_equal(victim.swapped, 2);
    assert_int_equal(victim.page_table, 4);
    assert_non_null(strstr(vmm_error_text(vmm),
                           "a kernel would kill process 2 (pages: 2 in memory, "
                           "2 in swap, 4 of page tables)"));
    vmm_destroy(vmm);
}

/* A group at its limit looks for its victim among its own. */
static void group_names_one_of_its_own(void **state) {
    (void)state;
    VMM *vmm = make("policy=fifo page-size=4K frames=100 swap=4K groups=small=8K:1,3");
    for (uint64_t page = 0; page < 20; page++) {
        touch(vmm, 2, page, true);
    }
    touch(vmm, 1, 0, true);
    touch(vmm, 3, 0, true);
    touch(vmm, 3, 1, true);
    assert_false(vmm_access(vmm, 1, PAGE, true));
    assert_int_equal(victim_of(vmm).pid, 3);
    vmm_destroy(vmm);
}

static void texts_of_groups_are_read(void **state) {
    (void)state;
    const char *text = "db=64M:100,101+web-1=32K:7";
    assert_int_equal(groups_check(text, NULL), VMM_OK);
    assert_int_equal(groups_check("none", NULL), VMM_OK);
    assert_int_equal(groups_count("none"), 0);
    assert_int_equal(groups_count(text), 2);
    assert_string_equal(groups_at(text, 1).name, "web-1");
    assert_int_equal(groups_at(text, 0).limit, UINT64_C(64) << 20);
    assert_int_equal(groups_at(text, 1).limit, 32 << 10);
    assert_int_equal(groups_find(text, 101), 0);
    assert_int_equal(groups_find(text, 7), 1);
    assert_int_equal(groups_find(text, 10), GROUP_NONE);
    static const char *const bad[] = {
        "",         "db",        "db=1M",     "=1M:1",         "db=:1",    "db=0:1",
        "db=1X:1",  "db=1M:",    "db=1M:1,",  "db=1M:1+",      "db=1M:x",  "db=1M:4294967296",
        "d b=1M:1", "db=1M:1:2", "db=1M:1=2", "a=1M:1+a=1M:2", "a=1M:1,1", "a=1M:1+b=1M:2,1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (groups_check(bad[i], NULL) != VMM_E_USAGE) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void refused(const char *options, const char *text) {
    VMMConfig config = test_configure(options);
    char error[VMM_ERROR_TEXT_BYTES] = "";
    assert_int_equal(vmm_config_check(&config, error), VMM_E_CONFIG);
    if (strstr(error, text) == NULL) {
        fail_msg("found \"%s\", expected \"%s\" in it", error, text);
    }
    VMM *vmm = NULL;
    assert_int_equal(vmm_create_with(&config, NULL, &vmm, NULL), VMM_E_CONFIG);
}

static void what_does_not_go_together_is_refused(void **state) {
    (void)state;
    refused("policy=lru scope=process resident-limit=1M", "memory of its own");
    refused("policy=lru scope=process groups=a=1M:1", "memory of its own");
    refused("policy=lru scope=process free-low=1M", "one memory that all share");
    refused("policy=lru resident-limit=2K", "smaller than one page");
    refused("policy=lru groups=a=2K:1", "the limit of a is smaller than one page");
    refused("policy=lru free-low=2K", "free-low is smaller than one page");
    refused("policy=lru free-high=1M", "give free-low too");
    refused("policy=lru frames=10 free-low=16K free-high=8K",
            "free-low is 4 frames and free-high 2");
    refused("policy=lru frames=10 free-low=36K", "the 10 frames of the memory");
    refused("policy=arc resident-limit=1M", "resident-limit with the policy arc");
    refused("policy=ws groups=a=1M:1", "groups with the policy ws");
    refused("policy=lirs free-low=1M", "free-low with the policy lirs");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_at_its_limit_gives_up_its_own),
        cmocka_unit_test(group_shares_its_limit),
        cmocka_unit_test(all_give_when_memory_is_short),
        cmocka_unit_test(children_are_in_the_group_of_their_parent),
        cmocka_unit_test(first_toucher_is_charged),
        cmocka_unit_test(background_keeps_frames_free),
        cmocka_unit_test(background_stops_when_swap_is_full),
        cmocka_unit_test(largest_process_is_named),
        cmocka_unit_test(group_names_one_of_its_own),
        cmocka_unit_test(texts_of_groups_are_read),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
