/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-ahead: windows of 32 pages around, behind and not at all, their marks, when a file is given
 * up on, and MADV_WILLNEED. All numbers are worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vmm/process.h"
#include "../../include/vmm/vmm.h"
#include "lives.h"

enum { START = 64, ENGINES = TEST_ENGINES }; /* where files are mapped, in pages */

/* A page of the mapped file. */
static void touch(VMM *vmm, uint64_t index) {
    test_feed(vmm, 1, START + index, VMM_OP_READ);
}

static void map_file(VMM *vmm, uint64_t pages) {
    test_event(vmm, (VMMEvent){.pid = 1,
                               .type = VMM_EVENT_MAP,
                               .start = START * PAGE,
                               .length = pages * PAGE,
                               .prot = VMM_PROT_READ,
                               .file = 1});
}

static void advise(VMM *vmm, uint64_t page, uint64_t pages, uint64_t advice) {
    test_event(vmm, (VMMEvent){.pid = 1,
                               .type = VMM_EVENT_ADVISE,
                               .start = page * PAGE,
                               .length = pages * PAGE,
                               .value = advice});
}

static void assert_ahead(VMM *vmm, uint64_t major, uint64_t pages, uint64_t requests,
                         uint64_t hits) {
    VMMStats stats = test_stats(vmm);
    assert_int_equal(stats.major_faults, major);
    assert_int_equal(stats.pages_read_ahead, pages);
    assert_int_equal(stats.read_ahead_requests, requests);
    assert_int_equal(stats.read_ahead_hits, hits);
}

/* 24 to 55, marked at 48; from there 56 to 87, marked at 56; from there to the end, without. */
static void a_fault_reads_around_and_marks_lead_on(void **state) {
    (void)state;
    for (size_t engine = 0; engine < ENGINES; engine++) {
        VMM *vmm = test_machine("frames=200 read-ahead=linux", engine);
        map_file(vmm, 100);
        touch(vmm, 40);
        assert_ahead(vmm, 1, 31, 0, 0);
        assert_int_equal(test_stats(vmm).frames_used, 32);
        touch(vmm, 30);
        touch(vmm, 30);
        assert_ahead(vmm, 1, 31, 0, 1);
        touch(vmm, 48);
        assert_ahead(vmm, 1, 63, 1, 2);
        touch(vmm, 56);
        assert_ahead(vmm, 1, 75, 2, 3);
        touch(vmm, 99);
        assert_ahead(vmm, 1, 75, 2, 4);
        assert_int_equal(test_stats(vmm).faults[VMM_FAULT_file_cached], 4);
        assert_int_equal(test_stats(vmm).misses, 1);
        vmm_destroy(vmm);
    }
}

static void advice_makes_windows_begin_at_the_fault_or_not_at_all(void **state) {
    (void)state;
    for (size_t engine = 0; engine < ENGINES; engine++) {
        VMM *vmm = test_machine("frames=200 read-ahead=linux", engine);
        map_file(vmm, 100);
        advise(vmm, START, 50, VMM_ADVICE_SEQUENTIAL);
        advise(vmm, START + 50, 50, VMM_ADVICE_RANDOM);
        touch(vmm, 0); /* 0 to 31, marked at 16 */
        assert_ahead(vmm, 1, 31, 0, 0);
        touch(vmm, 16); /* 32 to 63 */
        assert_ahead(vmm, 1, 63, 1, 1);
        touch(vmm, 70);
        touch(vmm, 71);
        assert_ahead(vmm, 3, 63, 1, 1);
        advise(vmm, START, 100, VMM_ADVICE_NORMAL);
        touch(vmm, 90); /* 74 to 99 */
        assert_ahead(vmm, 4, 88, 1, 1);
        vmm_destroy(vmm);

        vmm = test_machine("frames=200 read-ahead=linux", engine);
        map_file(vmm, 100);
        advise(vmm, START, 100, VMM_ADVICE_SEQUENTIAL);
        touch(vmm, 10); /* 10 to 41, no mark */
        touch(vmm, 41);
        assert_ahead(vmm, 1, 31, 0, 1);
        touch(vmm, 42);
        assert_ahead(vmm, 2, 62, 0, 1);
        vmm_destroy(vmm);
    }
}

/* The first 100 misses read around; one hit more, and one miss more may. */
static void a_file_that_always_misses_is_given_up_on(void **state) {
    (void)state;
    for (size_t engine = 0; engine < ENGINES; engine++) {
        VMM *vmm = test_machine("frames=40 read-ahead=linux", engine);
        map_file(vmm, 12000);
        for (uint64_t i = 0; i < 100; i++) {
            touch(vmm, 50 + 100 * i);
        }
        assert_ahead(vmm, 100, 3100, 0, 0);
        touch(vmm, 10050);
        assert_ahead(vmm, 101, 3100, 0, 0);
        touch(vmm, 9951); /* 101 - 1 */
        touch(vmm, 10150);
        assert_ahead(vmm, 102, 3100, 0, 1);
        touch(vmm, 9952);
        touch(vmm, 9953);
        touch(vmm, 10250);
        assert_ahead(vmm, 103, 3131, 0, 3);
        vmm_destroy(vmm);
    }
}

static void needed_pages_of_a_file_are_one_request(void **state) {
    (void)state;
    for (size_t engine = 0; engine < ENGINES; engine++) {
        VMM *vmm = test_machine(
            "frames=20 read-ahead=linux cost-store-read=1ms cost-read-ahead=20us", engine);
        map_file(vmm, 100);
        advise(vmm, START + 50, 10, VMM_ADVICE_WILLNEED);
        assert_ahead(vmm, 0, 10, 1, 0);
        assert_int_equal(test_stats(vmm).background_time_ps,
                         UINT64_C(1180000000)); /* 1 ms + 9 x 20 us */
        for (uint64_t i = 50; i < 60; i++) {
            touch(vmm, i);
        }
        assert_ahead(vmm, 0, 10, 1, 10);
        vmm_destroy(vmm);

        vmm = test_machine("frames=20", engine); /* read-ahead=off */
        map_file(vmm, 100);
        advise(vmm, START + 50, 10, VMM_ADVICE_WILLNEED);
        touch(vmm, 50);
        assert_ahead(vmm, 1, 0, 0, 0);
        vmm_destroy(vmm);
    }
}

static void needed_pages_come_back_from_swap(void **state) {
    (void)state;
    for (size_t engine = 0; engine < ENGINES; engine++) {
        VMM *vmm = test_machine("frames=4 read-ahead=linux initial=zero", engine);
        for (uint64_t page = 0; page < 6; page++) {
            test_feed(vmm, 1, page, VMM_OP_WRITE); /* 0 and 1 are in swap */
        }
        advise(vmm, 0, 2, VMM_ADVICE_WILLNEED); /* 0 and 1 come in, 2 and 3 leave */
        VMMStats stats = test_stats(vmm);
        assert_int_equal(stats.swap_ins, 2);
        assert_int_equal(stats.swap_ins_ahead, 2);
        assert_int_equal(stats.faults[VMM_FAULT_swap_in], 0);
        test_feed(vmm, 1, 0, VMM_OP_READ);
        assert_int_equal(test_stats(vmm).faults[VMM_FAULT_swap_cached], 1);
        assert_int_equal(test_stats(vmm).read_ahead_hits, 1);
        advise(vmm, 1, 1, VMM_ADVICE_DONTNEED);
        assert_int_equal(test_stats(vmm).read_ahead_wasted, 1);
        vmm_destroy(vmm);
    }
}

/* The page that is asked for comes last: it is never the victim of what comes with it. */
static void one_frame_is_enough(void **state) {
    (void)state;
    for (size_t engine = 0; engine < ENGINES; engine++) {
        VMM *vmm = test_machine("frames=1 read-ahead=linux", engine);
        map_file(vmm, 100);
        touch(vmm, 40);
        assert_ahead(vmm, 1, 31, 0, 0);
        assert_int_equal(test_stats(vmm).read_ahead_wasted, 31);
        touch(vmm, 40);
        assert_ahead(vmm, 1, 31, 0, 0);
        vmm_destroy(vmm);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_reads_around_and_marks_lead_on),
        cmocka_unit_test(advice_makes_windows_begin_at_the_fault_or_not_at_all),
        cmocka_unit_test(a_file_that_always_misses_is_given_up_on),
        cmocka_unit_test(needed_pages_of_a_file_are_one_request),
        cmocka_unit_test(needed_pages_come_back_from_swap),
        cmocka_unit_test(one_frame_is_enough),
    };
    return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
