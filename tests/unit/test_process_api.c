/* SPDX-License-Identifier: Apache-2.0 */
/* System calls as functions: what each does to the pages of processes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vmm/vmm.h"
#include "../../src/api/handle.h"
#include "common.h"

#define PAGE UINT64_C(4096)
#define RW (VMM_PROT_READ | VMM_PROT_WRITE)

static VMM *make(void) {
    VMMConfig config = test_configure("policy=lru page-size=4K frames=64 mappings=complete");
    VMM *vmm = vmm_create(&config);
    assert_non_null(vmm);
    return vmm;
}

static VMMFaultClass touch(VMM *vmm, uint32_t pid, uint64_t page, bool write) {
    VMMRef ref = {.pid = pid,
                  .addr = page * PAGE,
                  .size = 1,
                  .op = (uint8_t)(write ? VMM_OP_WRITE : VMM_OP_READ)};
    VMMOutcome outcome;
    assert_int_equal(vmm_access_outcome(vmm, &ref, &outcome), VMM_OK);
    return outcome.fault;
}

static void map(VMM *vmm, uint32_t pid, uint64_t page, uint64_t pages, uint32_t flags) {
    assert_int_equal(vmm_map(vmm, pid, page * PAGE, pages * PAGE, RW, flags, NULL, 0), VMM_OK);
}

static uint64_t frames_used(VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    return stats.frames_used;
}

static void refused(VMM *vmm, int code, const char *text) {
    assert_int_equal(code, VMM_E_USAGE);
    assert_int_equal(vmm_last_error(vmm), VMM_E_USAGE);
    if (strstr(vmm_error_text(vmm), text) == NULL) {
        fail_msg("found \"%s\", expected \"%s\" in it", vmm_error_text(vmm), text);
    }
}

static void fork_copies_on_write(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 2, 0);
    assert_int_equal(touch(vmm, 1, 16, true), VMM_FAULT_zero_fill);
    assert_int_equal(touch(vmm, 1, 17, true), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_int_equal(touch(vmm, 2, 16, false), VMM_FAULT_NONE);
    assert_int_equal(frames_used(vmm), 2);
    assert_int_equal(touch(vmm, 2, 16, true), VMM_FAULT_cow);
    assert_int_equal(touch(vmm, 1, 16, true), VMM_FAULT_reuse); /* the parent is the last one */
    assert_int_equal(frames_used(vmm), 3);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(frames_used(vmm), 2);
    assert_int_equal(vmm_exec(vmm, 1), VMM_OK);
    assert_int_equal(frames_used(vmm), 0);
    assert_int_equal(touch(vmm, 1, 16, false), VMM_FAULT_invalid);
    vmm_destroy(vmm);
}

static void vfork_runs_in_the_parent(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 1, 0);
    touch(vmm, 1, 16, true);
    assert_int_equal(vmm_vfork(vmm, 1, 2), VMM_OK);
    assert_int_equal(touch(vmm, 2, 16, true), VMM_FAULT_NONE);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(touch(vmm, 1, 16, true), VMM_FAULT_NONE);
    vmm_destroy(vmm);
}

static void a_space_goes_with_its_last_process(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 1, 0);
    touch(vmm, 1, 16, true);
    assert_int_equal(vmm_vfork(vmm, 1, 2), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK); /* killed while its child runs in its space */
    assert_int_equal(touch(vmm, 2, 16, true), VMM_FAULT_NONE);
    map(vmm, 1, 16, 1, 0); /* another process of that number */
    assert_int_equal(touch(vmm, 1, 16, false), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_fork(vmm, 2, 1), VMM_OK); /* and another, of the same memory */
    assert_int_equal(touch(vmm, 1, 16, false), VMM_FAULT_NONE);
    assert_int_equal(touch(vmm, 1, 16, true), VMM_FAULT_cow);
    assert_int_equal(frames_used(vmm), 2);
    assert_int_equal(vmm_exec(vmm, 2), VMM_OK);
    assert_int_equal(frames_used(vmm), 1);
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK);
    assert_int_equal(frames_used(vmm), 0);
    vmm_destroy(vmm);
}

static void mappings_change(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 4, 0);
    touch(vmm, 1, 16, true);
    touch(vmm, 1, 17, true);
    assert_int_equal(vmm_protect(vmm, 1, 16 * PAGE, PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(touch(vmm, 1, 16, true), VMM_FAULT_invalid);
    assert_int_equal(touch(vmm, 1, 16, false), VMM_FAULT_NONE);
    assert_int_equal(vmm_unmap(vmm, 1, 17 * PAGE, PAGE), VMM_OK);
    assert_int_equal(touch(vmm, 1, 17, false), VMM_FAULT_invalid);
    assert_int_equal(vmm_remap(vmm, 1, 16 * PAGE, PAGE, 64 * PAGE, 2 * PAGE), VMM_OK);
    assert_int_equal(touch(vmm, 1, 16, false), VMM_FAULT_invalid);
    assert_int_equal(touch(vmm, 1, 64, false), VMM_FAULT_NONE);
    assert_int_equal(touch(vmm, 1, 64, true), VMM_FAULT_invalid); /* its protection came along */
    assert_int_equal(touch(vmm, 1, 65, false), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_advise(vmm, 1, 64 * PAGE, PAGE, VMM_ADVICE_DONTNEED), VMM_OK);
    assert_int_equal(touch(vmm, 1, 64, false), VMM_FAULT_zero_fill);
    vmm_destroy(vmm);
}

static void files_are_the_same_by_name(void **state) {
    (void)state;
    VMM *vmm = make();
    assert_int_equal(vmm_map(vmm, 1, 0, PAGE, VMM_PROT_READ, VMM_MAP_SHARED, "data", PAGE), VMM_OK);
    assert_int_equal(vmm_map(vmm, 2, 8 * PAGE, 2 * PAGE, VMM_PROT_READ, 0, "data", 0), VMM_OK);
    assert_int_equal(vmm_map(vmm, 3, 0, PAGE, VMM_PROT_READ, 0, "other", PAGE), VMM_OK);
    assert_int_equal(touch(vmm, 1, 0, false), VMM_FAULT_file_read);
    assert_int_equal(touch(vmm, 2, 9, false), VMM_FAULT_file_cached); /* the same page of it */
    assert_int_equal(touch(vmm, 2, 8, false), VMM_FAULT_file_read);
    assert_int_equal(touch(vmm, 3, 0, false), VMM_FAULT_file_read);
    vmm_destroy(vmm);
}

static void segments_live_until_the_last_leaves(void **state) {
    (void)state;
    VMM *vmm = make();
    assert_int_equal(vmm_create_shared(vmm, "ring", 2 * PAGE), VMM_OK);
    refused(vmm, vmm_create_shared(vmm, "ring", PAGE), "\"ring\" already");
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), VMM_OK);
    assert_int_equal(vmm_attach_shared(vmm, 2, "ring", 32 * PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(touch(vmm, 1, 17, true), VMM_FAULT_zero_fill);
    assert_int_equal(touch(vmm, 2, 33, false), VMM_FAULT_shared_attach);
    assert_int_equal(touch(vmm, 2, 33, true), VMM_FAULT_invalid);
    assert_int_equal(frames_used(vmm), 1);
    refused(vmm, vmm_detach_shared(vmm, 1, 17 * PAGE), "begins at 0x11000");
    assert_int_equal(vmm_detach_shared(vmm, 1, 16 * PAGE), VMM_OK);
    assert_int_equal(touch(vmm, 1, 17, true), VMM_FAULT_invalid);
    assert_int_equal(touch(vmm, 2, 33, false), VMM_FAULT_NONE);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(frames_used(vmm), 0);
    refused(vmm, vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), "no segment");
    assert_int_equal(vmm_create_shared(vmm, "ring", PAGE), VMM_OK); /* a new one, of zeros */
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), VMM_OK);
    assert_int_equal(touch(vmm, 1, 16, false), VMM_FAULT_zero_fill);
    assert_int_equal(touch(vmm, 1, 17, false), VMM_FAULT_invalid); /* it is smaller */
    vmm_destroy(vmm);
}

static void a_segment_stays_where_it_replaces_itself(void **state) {
    (void)state;
    VMM *vmm = make();
    assert_int_equal(vmm_create_shared(vmm, "ring", 2 * PAGE), VMM_OK);
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), VMM_OK);
    assert_int_equal(touch(vmm, 1, 17, true), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(touch(vmm, 1, 17, false), VMM_FAULT_shared_attach); /* not zeros */
    map(vmm, 1, 16, 2, 0);
    assert_int_equal(frames_used(vmm), 0);
    vmm_destroy(vmm);
}

static void what_is_refused_changes_nothing(void **state) {
    (void)state;
    VMM *vmm = make();
    refused(vmm, vmm_fork(vmm, 1, 2), "there is no process 1");
    refused(vmm, vmm_exit(vmm, 1), "there is no process 1");
    map(vmm, 1, 16, 1, 0);
    refused(vmm, vmm_fork(vmm, 1, 1), "its own child");
    refused(vmm, vmm_map(vmm, 1, 1, PAGE, RW, 0, NULL, 0), "expected whole pages of 4096 bytes");
    refused(vmm, vmm_map(vmm, 1, 0, 0, RW, 0, NULL, 0), "whole pages");
    refused(vmm, vmm_map(vmm, 1, PAGE, UINT64_MAX - PAGE + 1, RW, 0, NULL, 0), "inside");
    refused(vmm, vmm_map(vmm, 1, 0, PAGE, 8, 0, NULL, 0), "protection 0x8");
    refused(vmm, vmm_map(vmm, 1, 0, PAGE, RW, VMM_FORK_VFORK, NULL, 0), "flags 0x1000");
    refused(vmm, vmm_map(vmm, 1, 0, PAGE, RW, 0, NULL, PAGE), "offset 4096");
    refused(vmm, vmm_map(vmm, 1, 0, PAGE, RW, 0, "data", 5), "offset 5");
    refused(vmm, vmm_unmap(vmm, 1, 0, 0), "whole pages");
    refused(vmm, vmm_remap(vmm, 1, 16 * PAGE, 2 * PAGE, 17 * PAGE, PAGE), "overlaps");
    refused(vmm, vmm_attach_shared(vmm, 1, "ring", 0, RW), "no segment");
    refused(vmm, vmm_detach_shared(vmm, 1, 16 * PAGE), "begins at 0x10000");
    refused(vmm, vmm_create_shared(vmm, "ring", 1), "whole pages");
    assert_int_equal(touch(vmm, 1, 16, true), VMM_FAULT_zero_fill);
    assert_int_equal(touch(vmm, 1, 0, true), VMM_FAULT_invalid);
    vmm_destroy(vmm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_copies_on_write),
        cmocka_unit_test(vfork_runs_in_the_parent),
        cmocka_unit_test(a_space_goes_with_its_last_process),
        cmocka_unit_test(mappings_change),
        cmocka_unit_test(files_are_the_same_by_name),
        cmocka_unit_test(segments_live_until_the_last_leaves),
        cmocka_unit_test(a_segment_stays_where_it_replaces_itself),
        cmocka_unit_test(what_is_refused_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
