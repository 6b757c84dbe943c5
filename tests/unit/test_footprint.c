/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of processes: resident, unique and proportional sizes, shared frames, copies spared,
 * and what kind of memory faults and evictions were of. All numbers are worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vmm/vmm.h"
#include "lives.h"

#define WHOLE (UINT64_C(1) << 32) /* a page, in the unit of shares */

static void fork_process(VMM *vmm, uint32_t parent, uint32_t child) {
    test_event(vmm, (VMMEvent){.type = VMM_EVENT_FORK, .pid = parent, .value = child});
}

static void end_process(VMM *vmm, uint32_t pid) {
    test_event(vmm, (VMMEvent){.type = VMM_EVENT_EXIT, .pid = pid});
}

/* One page of file 1, or of memory of its own if file is 0. */
static void map_page(VMM *vmm, uint32_t pid, uint64_t page, uint32_t file, uint32_t flags) {
    test_event(vmm, (VMMEvent){.type = VMM_EVENT_MAP,
                               .pid = pid,
                               .start = page * PAGE,
                               .length = PAGE,
                               .prot = VMM_PROT_READ | VMM_PROT_WRITE,
                               .file = file,
                               .flags = flags});
}

static VMMProcessStats of(VMM *vmm, uint32_t pid) {
    VMMProcessStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_get_process(vmm, pid, &stats), VMM_OK);
    return stats;
}

static void assert_memory(VMM *vmm, uint32_t pid, uint64_t rss, uint64_t uss, uint64_t pss) {
    VMMProcessStats stats = of(vmm, pid);
    assert_int_equal(stats.rss, rss);
    assert_int_equal(stats.rss, stats.rss_anonymous + stats.rss_file + stats.rss_shared);
    assert_int_equal(stats.uss, uss);
    assert_int_equal(stats.pss, pss);
}

static void assert_sharing(VMM *vmm, uint64_t frames, uint64_t peak, uint64_t copies,
                           uint64_t avoided) {
    VMMStats stats = test_stats(vmm);
    assert_int_equal(stats.frames_shared, frames);
    assert_int_equal(stats.frames_shared_peak, peak);
    assert_int_equal(stats.copies, copies);
    assert_int_equal(stats.copies_avoided, avoided);
}

static void forks_share_until_they_write(void **state) {
    (void)state;
    for (size_t engine = 0; engine < 2; engine++) {
        VMM *vmm = test_machine("zero-page=off frames=16", engine);
        for (uint64_t page = 0; page < 4; page++) {
            test_feed(vmm, 1, page, VMM_OP_WRITE);
        }
        assert_memory(vmm, 1, 4, 4, 4 * WHOLE);
        fork_process(vmm, 1, 2);
        assert_memory(vmm, 1, 4, 0, 2 * WHOLE);
        assert_memory(vmm, 2, 4, 0, 2 * WHOLE);
        assert_sharing(vmm, 4, 4, 0, 4);
        test_feed(vmm, 2, 0, VMM_OP_WRITE); /* a copy */
        assert_memory(vmm, 1, 4, 1, 2 * WHOLE + WHOLE / 2);
        assert_memory(vmm, 2, 4, 1, 2 * WHOLE + WHOLE / 2);
        assert_sharing(vmm, 3, 4, 1, 3);
        test_feed(vmm, 1, 0, VMM_OP_WRITE); /* the last owner takes it over */
        assert_int_equal(of(vmm, 1).reuse_faults, 1);
        assert_int_equal(of(vmm, 1).cow_faults, 0);
        assert_int_equal(of(vmm, 2).cow_faults, 1);
        fork_process(vmm, 1, 3); /* pages 1 to 3 have three entries each */
        uint64_t third = WHOLE / 3;
        assert_memory(vmm, 1, 4, 0, WHOLE / 2 + 3 * third);
        assert_memory(vmm, 2, 4, 1, WHOLE + 3 * third);
        assert_memory(vmm, 3, 4, 0, WHOLE / 2 + 3 * third);
        assert_sharing(vmm, 4, 4, 1, 7);
        end_process(vmm, 2);
        assert_memory(vmm, 1, 4, 0, 2 * WHOLE);
        assert_memory(vmm, 2, 0, 0, 0);
        assert_int_equal(of(vmm, 2).rss_peak, 4);
        assert_true(of(vmm, 2).page_table_bytes_peak > 0);
        end_process(vmm, 1);
        assert_memory(vmm, 3, 4, 4, 4 * WHOLE);
        assert_sharing(vmm, 0, 4, 1, 7);
        vmm_destroy(vmm);
    }
}

static void swapped_pages_are_shared_by_their_owners(void **state) {
    (void)state;
    for (size_t engine = 0; engine < 2; engine++) {
        VMM *vmm = test_machine("zero-page=off frames=2", engine);
        for (uint64_t page = 0; page < 3; page++) { /* page 0 goes to swap */
            test_feed(vmm, 1, page, VMM_OP_WRITE);
        }
        assert_int_equal(of(vmm, 1).swap, 1);
        assert_int_equal(of(vmm, 1).swap_pss, WHOLE);
        assert_memory(vmm, 1, 2, 2, 2 * WHOLE);
        fork_process(vmm, 1, 2);
        assert_int_equal(of(vmm, 1).swap, 1);
        assert_int_equal(of(vmm, 2).swap, 1);
        assert_int_equal(of(vmm, 2).swap_pss, WHOLE / 2);
        assert_memory(vmm, 2, 2, 0, WHOLE);
        assert_sharing(vmm, 2, 2, 0, 3);
        test_feed(vmm, 2, 0, VMM_OP_READ); /* comes in for 2 alone; page 1 leaves both */
        assert_memory(vmm, 1, 1, 0, WHOLE / 2);
        assert_memory(vmm, 2, 2, 1, WHOLE + WHOLE / 2);
        assert_int_equal(of(vmm, 1).swap, 1); /* page 1; page 0 is in memory */
        assert_int_equal(of(vmm, 2).swap, 1);
        assert_int_equal(of(vmm, 2).rss_peak, 2);
        assert_int_equal(test_stats(vmm).rmap_steps, 2);
        vmm_destroy(vmm);
    }
}

/* Without events: one entry a page, in swap or in memory. */
static void processes_without_events_have_memory_too(void **state) {
    (void)state;
    for (size_t engine = 0; engine < 2; engine++) {
        VMM *vmm = test_machine("zero-page=off frames=3", engine);
        test_feed(vmm, 1, 0, VMM_OP_WRITE);
        test_feed(vmm, 1, 1, VMM_OP_WRITE);
        test_feed(vmm, 2, 0, VMM_OP_WRITE);
        test_feed(vmm, 2, 1, VMM_OP_READ); /* page 0 of 1 goes to swap */
        assert_memory(vmm, 1, 1, 1, WHOLE);
        assert_memory(vmm, 2, 2, 2, 2 * WHOLE);
        assert_int_equal(of(vmm, 1).rss_peak, 2);
        assert_int_equal(of(vmm, 1).swap, 1);
        test_feed(vmm, 1, 0, VMM_OP_READ); /* and page 1 of it */
        assert_int_equal(of(vmm, 1).swap, 1);
        assert_int_equal(of(vmm, 1).rss, 1);
        VMMStats stats = test_stats(vmm);
        assert_int_equal(stats.anonymous_faults, 5);
        assert_int_equal(stats.file_faults, 0);
        vmm_destroy(vmm);
    }
}

static void faults_and_evictions_of_files_are_told_apart(void **state) {
    (void)state;
    for (size_t engine = 0; engine < 2; engine++) {
        VMM *vmm = test_machine("zero-page=off frames=2 fault-around=off", engine);
        map_page(vmm, 1, 16, 1, 0);
        map_page(vmm, 2, 32, 1, VMM_MAP_SHARED);
        test_feed(vmm, 1, 16, VMM_OP_READ); /* file_read */
        test_feed(vmm, 2, 32, VMM_OP_READ); /* file_cached */
        assert_int_equal(of(vmm, 1).rss_file, 1);
        assert_memory(vmm, 2, 1, 0, WHOLE / 2);
        test_feed(vmm, 1, 16, VMM_OP_WRITE); /* cow, of a page in memory */
        assert_int_equal(of(vmm, 1).rss_file, 0);
        assert_int_equal(of(vmm, 1).rss_anonymous, 1);
        assert_memory(vmm, 2, 1, 1, WHOLE);
        test_feed(vmm, 2, 32, VMM_OP_WRITE); /* write_notify */
        test_feed(vmm, 1, 0, VMM_OP_WRITE);  /* the copy goes to swap */
        test_feed(vmm, 1, 1, VMM_OP_WRITE);  /* the page of the file is written back */
        test_feed(vmm, 2, 32, VMM_OP_READ);  /* file_read; page 0 goes */
        test_feed(vmm, 1, 2, VMM_OP_WRITE);  /* page 1 goes */
        test_feed(vmm, 1, 3, VMM_OP_WRITE);  /* the page of the file, clean */
        VMMStats stats = test_stats(vmm);
        assert_int_equal(stats.file_faults, 5);
        assert_int_equal(stats.anonymous_faults, 4);
        assert_int_equal(stats.shared_faults, 0);
        assert_int_equal(stats.page_cache_hits, 2);
        assert_int_equal(stats.dirty_file_evictions, 1);
        assert_int_equal(stats.clean_file_evictions, 1);
        assert_int_equal(stats.swap_outs, 3);
        assert_sharing(vmm, 0, 1, 1, 0);
        vmm_destroy(vmm);
    }
}

static void segments_are_shared_memory(void **state) {
    (void)state;
    VMM *vmm = test_machine("zero-page=off frames=8", 0);
    map_page(vmm, 1, 16, 0, VMM_MAP_SHARED | VMM_MAP_ANONYMOUS);
    test_feed(vmm, 1, 16, VMM_OP_WRITE);
    fork_process(vmm, 1, 2); /* entries of shared mappings are not copied */
    assert_int_equal(of(vmm, 2).rss, 0);
    test_feed(vmm, 2, 16, VMM_OP_WRITE);
    assert_int_equal(of(vmm, 2).rss_shared, 1);
    assert_memory(vmm, 1, 1, 0, WHOLE / 2);
    VMMStats stats = test_stats(vmm);
    assert_int_equal(stats.shared_faults, 2);
    assert_int_equal(stats.anonymous_faults, 0);
    assert_sharing(vmm, 1, 1, 0, 0);
    vmm_destroy(vmm);
}

static void the_page_of_zeros_is_nobodys_memory(void **state) {
    (void)state;
    VMM *vmm = test_machine("zero-page=off frames=8 zero-page=on", 0);
    map_page(vmm, 1, 16, 0, VMM_MAP_ANONYMOUS);
    map_page(vmm, 1, 17, 0, VMM_MAP_ANONYMOUS);
    test_feed(vmm, 1, 16, VMM_OP_READ);
    test_feed(vmm, 1, 17, VMM_OP_READ);
    assert_memory(vmm, 1, 0, 0, 0);
    assert_sharing(vmm, 0, 0, 0, 0);
    test_feed(vmm, 1, 16, VMM_OP_WRITE);
    assert_memory(vmm, 1, 1, 1, WHOLE);
    assert_int_equal(test_stats(vmm).anonymous_faults, 3);
    vmm_destroy(vmm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forks_share_until_they_write),
        cmocka_unit_test(swapped_pages_are_shared_by_their_owners),
        cmocka_unit_test(processes_without_events_have_memory_too),
        cmocka_unit_test(faults_and_evictions_of_files_are_told_apart),
        cmocka_unit_test(segments_are_shared_memory),
        cmocka_unit_test(the_page_of_zeros_is_nobodys_memory),
    };
    return cmocka_run_group_tests_name("footprint", tests, NULL, NULL);
}
