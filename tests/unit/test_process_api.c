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
#include "lives.h"

#define RW (VMM_PROT_READ | VMM_PROT_WRITE)

static VMM *make(void) {
    VMMConfig config = test_configure("policy=lru page-size=4K frames=64 mappings=complete");
    VMM *vmm = vmm_create(&config);
    assert_non_null(vmm);
    return vmm;
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
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_zero_fill);
    assert_int_equal(test_touch(vmm, 1, 17, true), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_int_equal(test_touch(vmm, 2, 16, false), VMM_FAULT_NONE);
    assert_int_equal(frames_used(vmm), 2);
    assert_int_equal(test_touch(vmm, 2, 16, true), VMM_FAULT_cow);
    assert_int_equal(test_touch(vmm, 1, 16, true),
                     VMM_FAULT_reuse); /* the parent is the last one */
    assert_int_equal(frames_used(vmm), 3);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(frames_used(vmm), 2);
    assert_int_equal(vmm_exec(vmm, 1), VMM_OK);
    assert_int_equal(frames_used(vmm), 0);
    assert_int_equal(test_touch(vmm, 1, 16, false), VMM_FAULT_invalid);
    vmm_destroy(vmm);
}

static void vfork_runs_in_the_parent(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 1, 0);
    test_touch(vmm, 1, 16, true);
    assert_int_equal(vmm_vfork(vmm, 1, 2), VMM_OK);
    assert_int_equal(test_touch(vmm, 2, 16, true), VMM_FAULT_NONE);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_NONE);
    vmm_destroy(vmm);
}

static void a_space_goes_with_its_last_process(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 1, 0);
    test_touch(vmm, 1, 16, true);
    assert_int_equal(vmm_vfork(vmm, 1, 2), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK); /* killed while its child runs in its space */
    assert_int_equal(test_touch(vmm, 2, 16, true), VMM_FAULT_NONE);
    map(vmm, 1, 16, 1, 0); /* another process of that number */
    assert_int_equal(test_touch(vmm, 1, 16, false), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_fork(vmm, 2, 1), VMM_OK); /* and another, of the same memory */
    assert_int_equal(test_touch(vmm, 1, 16, false), VMM_FAULT_NONE);
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_cow);
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
    test_touch(vmm, 1, 16, true);
    test_touch(vmm, 1, 17, true);
    assert_int_equal(vmm_protect(vmm, 1, 16 * PAGE, PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_invalid);
    assert_int_equal(test_touch(vmm, 1, 16, false), VMM_FAULT_NONE);
    assert_int_equal(vmm_unmap(vmm, 1, 17 * PAGE, PAGE), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 17, false), VMM_FAULT_invalid);
    assert_int_equal(vmm_remap(vmm, 1, 16 * PAGE, PAGE, 64 * PAGE, 2 * PAGE), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 16, false), VMM_FAULT_invalid);
    assert_int_equal(test_touch(vmm, 1, 64, false), VMM_FAULT_NONE);
    assert_int_equal(test_touch(vmm, 1, 64, true),
                     VMM_FAULT_invalid); /* its protection came along */
    assert_int_equal(test_touch(vmm, 1, 65, false), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_advise(vmm, 1, 64 * PAGE, PAGE, VMM_ADVICE_DONTNEED), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 64, false), VMM_FAULT_zero_fill);
    vmm_destroy(vmm);
}

/* A mapping that was cut by its protection for a while, and written in one piece meanwhile. */
static void private_pages_of_all_pieces_move_and_fork(void **state) {
    (void)state;
    VMM *vmm = make();
    assert_int_equal(vmm_map(vmm, 1, 0, 4 * PAGE, RW, 0, "data", 0), VMM_OK);
    assert_int_equal(vmm_protect(vmm, 1, 0, 2 * PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 2, true), VMM_FAULT_file_read); /* a copy of its own */
    assert_int_equal(vmm_protect(vmm, 1, 0, 2 * PAGE, RW), VMM_OK);
    assert_int_equal(vmm_remap(vmm, 1, 0, 4 * PAGE, 16 * PAGE, 4 * PAGE), VMM_OK);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_int_equal(test_touch(vmm, 2, 18, false), VMM_FAULT_NONE); /* not the file's page */
    vmm_destroy(vmm);
}

static void files_are_the_same_by_name(void **state) {
    (void)state;
    VMM *vmm = make();
    assert_int_equal(vmm_map(vmm, 1, 0, PAGE, VMM_PROT_READ, VMM_MAP_SHARED, "data", PAGE), VMM_OK);
    assert_int_equal(vmm_map(vmm, 2, 8 * PAGE, 2 * PAGE, VMM_PROT_READ, 0, "data", 0), VMM_OK);
    assert_int_equal(vmm_map(vmm, 3, 0, PAGE, VMM_PROT_READ, 0, "other", PAGE), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 0, false), VMM_FAULT_file_read);
    assert_int_equal(test_touch(vmm, 2, 9, false), VMM_FAULT_file_cached); /* the same page of it */
    assert_int_equal(test_touch(vmm, 2, 8, false), VMM_FAULT_file_read);
    assert_int_equal(test_touch(vmm, 3, 0, false), VMM_FAULT_file_read);
    vmm_destroy(vmm);
}

static void segments_live_until_the_last_leaves(void **state) {
    (void)state;
    VMM *vmm = make();
    assert_int_equal(vmm_create_shared(vmm, "ring", 2 * PAGE), VMM_OK);
    refused(vmm, vmm_create_shared(vmm, "ring", PAGE), "\"ring\" already");
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), VMM_OK);
    assert_int_equal(vmm_attach_shared(vmm, 2, "ring", 32 * PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 17, true), VMM_FAULT_zero_fill);
    assert_int_equal(test_touch(vmm, 2, 33, false), VMM_FAULT_shared_attach);
    assert_int_equal(test_touch(vmm, 2, 33, true), VMM_FAULT_invalid);
    assert_int_equal(frames_used(vmm), 1);
    refused(vmm, vmm_detach_shared(vmm, 1, 17 * PAGE), "begins at 0x11000");
    assert_int_equal(vmm_detach_shared(vmm, 1, 16 * PAGE), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 17, true), VMM_FAULT_invalid);
    assert_int_equal(test_touch(vmm, 2, 33, false), VMM_FAULT_NONE);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(frames_used(vmm), 0);
    refused(vmm, vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), "no segment");
    assert_int_equal(vmm_create_shared(vmm, "ring", PAGE), VMM_OK); /* a new one, of zeros */
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 16, false), VMM_FAULT_zero_fill);
    assert_int_equal(test_touch(vmm, 1, 17, false), VMM_FAULT_invalid); /* it is smaller */
    vmm_destroy(vmm);
}

static void a_segment_stays_where_it_replaces_itself(void **state) {
    (void)state;
    VMM *vmm = make();
    assert_int_equal(vmm_create_shared(vmm, "ring", 2 * PAGE), VMM_OK);
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, RW), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 17, true), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_attach_shared(vmm, 1, "ring", 16 * PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 17, false), VMM_FAULT_shared_attach); /* not zeros */
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
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_zero_fill);
    assert_int_equal(test_touch(vmm, 1, 0, true), VMM_FAULT_invalid);
    vmm_destroy(vmm);
}

static void ended_processes_are_not_there(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 1, 0);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    refused(vmm, vmm_exit(vmm, 2), "there is no process 2");
    refused(vmm, vmm_exec(vmm, 2), "there is no process 2");
    refused(vmm, vmm_fork(vmm, 2, 7), "there is no process 2");
    refused(vmm, vmm_vfork(vmm, 2, 7), "there is no process 2");
    refused(vmm, vmm_unmap(vmm, 2, 16 * PAGE, PAGE), "there is no process 2");
    refused(vmm, vmm_detach_shared(vmm, 2, 16 * PAGE), "there is no process 2");
    refused(vmm, vmm_exit(vmm, 7), "there is no process 7");
    map(vmm, 2, 16, 1, 0); /* a new one, by each of what makes one */
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(vmm_add_process(vmm, 2), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(vmm_create_shared(vmm, "ring", PAGE), VMM_OK);
    assert_int_equal(vmm_attach_shared(vmm, 2, "ring", 0, RW), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(vmm_exec(vmm, 1), VMM_OK);    /* its space is empty, */
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK); /* and that of a child */
    assert_int_equal(vmm_exec(vmm, 2), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    refused(vmm, vmm_exit(vmm, 2), "there is no process 2");
    vmm_destroy(vmm);
}

/* Who runs in whose space makes no difference to who has ended. */
static void ended_processes_are_known_after_vfork(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 1, 0);
    assert_int_equal(vmm_vfork(vmm, 1, 2), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK);
    refused(vmm, vmm_exit(vmm, 1), "there is no process 1");
    assert_int_equal(vmm_exec(vmm, 2), VMM_OK); /* spaces go back to whose they are */
    refused(vmm, vmm_exec(vmm, 1), "there is no process 1");
    assert_int_equal(vmm_vfork(vmm, 2, 1), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK);
    refused(vmm, vmm_fork(vmm, 1, 3), "there is no process 1");
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    refused(vmm, vmm_exit(vmm, 2), "there is no process 2");
    vmm_destroy(vmm);
}

static void references_make_processes(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=lru page-size=4K frames=64 mappings=partial");
    VMM *vmm = vmm_create(&config);
    assert_true(vmm_access(vmm, 1, 0, true));
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK);
    refused(vmm, vmm_exit(vmm, 1), "there is no process 1");
    assert_true(vmm_access(vmm, 1, 0, true));
    assert_int_equal(vmm_unmap(vmm, 1, 0, PAGE), VMM_OK); /* nothing is left, but the process */
    assert_int_equal(vmm_exec(vmm, 1), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK);
    vmm_destroy(vmm);
}

static void names_are_texts(void **state) {
    (void)state;
    VMM *vmm = make();
    refused(vmm, vmm_create_shared(vmm, NULL, PAGE), "has to have a name");
    refused(vmm, vmm_create_shared(vmm, "", PAGE), "has to have a name");
    refused(vmm, vmm_attach_shared(vmm, 1, NULL, 0, RW), "has to have a name");
    refused(vmm, vmm_map(vmm, 1, 0, PAGE, RW, 0, "", 0), "name of a file is empty");
    refused(vmm, vmm_exit(vmm, 1), "there is no process 1");
    assert_int_equal(vmm_fork(NULL, 1, 2), VMM_E_USAGE);
    assert_int_equal(vmm_fork(NULL, 1, 1), VMM_E_USAGE);
    assert_int_equal(vmm_vfork(NULL, 1, 2), VMM_E_USAGE);
    assert_int_equal(vmm_exec(NULL, 1), VMM_E_USAGE);
    assert_int_equal(vmm_exit(NULL, 1), VMM_E_USAGE);
    assert_int_equal(vmm_map(NULL, 1, 0, PAGE, RW, 0, NULL, 0), VMM_E_USAGE);
    assert_int_equal(vmm_unmap(NULL, 1, 0, PAGE), VMM_E_USAGE);
    assert_int_equal(vmm_protect(NULL, 1, 0, PAGE, RW), VMM_E_USAGE);
    assert_int_equal(vmm_protect(NULL, 1, 0, PAGE, 8), VMM_E_USAGE);
    assert_int_equal(vmm_remap(NULL, 1, 0, PAGE, PAGE, PAGE), VMM_E_USAGE);
    assert_int_equal(vmm_advise(NULL, 1, 0, PAGE, VMM_ADVICE_FREE), VMM_E_USAGE);
    assert_int_equal(vmm_create_shared(NULL, "ring", PAGE), VMM_E_USAGE);
    assert_int_equal(vmm_attach_shared(NULL, 1, "ring", 0, RW), VMM_E_USAGE);
    assert_int_equal(vmm_detach_shared(NULL, 1, 0), VMM_E_USAGE);
    vmm_destroy(vmm);
}

static void the_kernel_refuses_it_too(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 2, 0);
    map(vmm, 1, 18, 2, VMM_MAP_SHARED);
    map(vmm, 1, 32, 1, 0);
    test_touch(vmm, 1, 16, true);
    refused(vmm, vmm_remap(vmm, 1, 64 * PAGE, PAGE, 80 * PAGE, PAGE),
            "0x40000-0x41000 of process 1 is not mapped");
    refused(vmm, vmm_remap(vmm, 1, 16 * PAGE, 4 * PAGE, 80 * PAGE, 4 * PAGE), "is not one mapping");
    refused(vmm, vmm_protect(vmm, 1, 16 * PAGE, 17 * PAGE, VMM_PROT_READ), "is not mapped");
    refused(vmm, vmm_protect(vmm, 1, 15 * PAGE, 2 * PAGE, VMM_PROT_READ), "is not mapped");
    refused(vmm, vmm_advise(vmm, 1, 19 * PAGE, 2 * PAGE, VMM_ADVICE_DONTNEED), "is not mapped");
    refused(vmm, vmm_advise(vmm, 1, 16 * PAGE, PAGE, 77), "advice 77");
    refused(vmm, vmm_advise(vmm, 1, 16 * PAGE, PAGE, 5), "advice 5");
    refused(vmm, vmm_advise(vmm, 1, 16 * PAGE, PAGE, UINT32_MAX), "advice 4294967295");
    refused(vmm, vmm_map(vmm, 1, 16 * PAGE, 4 * PAGE, RW, 0, "data", UINT64_C(0xfffffffffffff000)),
            "beyond 2^63");
    refused(vmm, vmm_map(vmm, 1, 16 * PAGE, PAGE, RW, 0, "data", UINT64_C(1) << 63), "beyond 2^63");
    refused(vmm, vmm_map(vmm, 1, 0, PAGE, RW, VMM_MAP_SHARED | VMM_MAP_GROWSDOWN, NULL, 0),
            "flags 0x41");
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_NONE); /* nothing has changed, */
    assert_int_equal(test_touch(vmm, 1, 19, true), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_last_error(vmm), VMM_E_USAGE); /* and the machine goes on */
    assert_int_equal(vmm_protect(vmm, 1, 16 * PAGE, 4 * PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(vmm_advise(vmm, 1, 16 * PAGE, 4 * PAGE, VMM_ADVICE_DONTNEED), VMM_OK);
    assert_int_equal(vmm_advise(vmm, 1, 16 * PAGE, 4 * PAGE, 25), VMM_OK);
    map(vmm, 1, 33, 1, 0); /* the kernel makes it one with the page below, written or not */
    test_touch(vmm, 1, 32, true);
    assert_int_equal(vmm_remap(vmm, 1, 32 * PAGE, 2 * PAGE, 80 * PAGE, 3 * PAGE), VMM_OK);
    assert_int_equal(vmm_map(vmm, 1, 0, PAGE, RW, 0, "data", (UINT64_C(1) << 63) - PAGE), VMM_OK);
    vmm_destroy(vmm);
}

static void advice_says_what_children_get(void **state) {
    (void)state;
    VMM *vmm = make();
    map(vmm, 1, 16, 4, 0);
    map(vmm, 1, 32, 1, VMM_MAP_SHARED);
    for (uint64_t page = 16; page < 20; page++) {
        test_touch(vmm, 1, page, true);
    }
    test_touch(vmm, 1, 32, true);
    assert_int_equal(vmm_advise(vmm, 1, 16 * PAGE, PAGE, VMM_ADVICE_DONTFORK), VMM_OK);
    assert_int_equal(vmm_advise(vmm, 1, 17 * PAGE, 2 * PAGE, VMM_ADVICE_WIPEONFORK), VMM_OK);
    assert_int_equal(vmm_advise(vmm, 1, 18 * PAGE, PAGE, VMM_ADVICE_KEEPONFORK), VMM_OK);
    assert_int_equal(vmm_advise(vmm, 1, 32 * PAGE, PAGE, VMM_ADVICE_DONTFORK), VMM_OK);
    refused(vmm, vmm_advise(vmm, 1, 32 * PAGE, PAGE, VMM_ADVICE_WIPEONFORK),
            "at 0x20000 is shared");
    refused(vmm, vmm_advise(vmm, 1, 32 * PAGE, PAGE, VMM_ADVICE_FREE), "at 0x20000 is shared");
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_NONE);
    assert_int_equal(test_touch(vmm, 1, 17, true), VMM_FAULT_NONE);
    assert_int_equal(test_touch(vmm, 1, 18, true), VMM_FAULT_cow);
    assert_int_equal(test_touch(vmm, 2, 16, false), VMM_FAULT_invalid);
    assert_int_equal(test_touch(vmm, 2, 17, false), VMM_FAULT_zero_fill);
    assert_int_equal(test_touch(vmm, 2, 18, false), VMM_FAULT_NONE);
    assert_int_equal(test_touch(vmm, 2, 32, false), VMM_FAULT_invalid);
    assert_int_equal(vmm_fork(vmm, 2, 3), VMM_OK); /* the advice is inherited */
    assert_int_equal(test_touch(vmm, 3, 17, false), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_advise(vmm, 1, 16 * PAGE, PAGE, VMM_ADVICE_DOFORK), VMM_OK);
    assert_int_equal(vmm_fork(vmm, 1, 4), VMM_OK);
    assert_int_equal(test_touch(vmm, 4, 16, true), VMM_FAULT_cow);
    vmm_destroy(vmm);
}

/* Where unmapped addresses are anonymous memory, they can be advised on and moved. */
static void permissive_machines_take_what_is_not_mapped(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=lru page-size=4K frames=64 mappings=partial");
    VMM *vmm = vmm_create(&config);
    assert_int_equal(test_touch(vmm, 1, 16, true), VMM_FAULT_zero_fill);
    assert_int_equal(vmm_protect(vmm, 1, 16 * PAGE, 2 * PAGE, VMM_PROT_READ), VMM_OK);
    assert_int_equal(vmm_remap(vmm, 1, 16 * PAGE, 2 * PAGE, 80 * PAGE, 2 * PAGE), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 80, true), VMM_FAULT_NONE);
    assert_int_equal(vmm_advise(vmm, 1, 80 * PAGE, 2 * PAGE, VMM_ADVICE_DONTNEED), VMM_OK);
    assert_int_equal(test_touch(vmm, 1, 80, true), VMM_FAULT_zero_fill);
    refused(vmm, vmm_advise(vmm, 1, 80 * PAGE, PAGE, 77), "advice 77");
    vmm_destroy(vmm);
}

/* The sentence for the last reference, which was invalid. */
static void invalid(VMM *vmm, uint32_t pid, uint64_t address, bool write, const char *text) {
    assert_false(vmm_access(vmm, pid, address, write));
    assert_int_equal(vmm_last_error(vmm), VMM_E_INVALID_ADDRESS);
    assert_string_equal(vmm_error_text(vmm), text);
}

static void invalid_references_are_described(void **state) {
    (void)state;
    VMM *vmm = make();
    VMMInvalid first = {.struct_size = sizeof first};
    assert_int_equal(vmm_first_invalid(vmm, &first), VMM_E_USAGE);
    vmm_map(vmm, 7, 0x4000, 0x2000, VMM_PROT_READ, 0, "lib\nx", 0x1000);
    vmm_map(vmm, 7, 0x100000, 0x1000, RW, VMM_MAP_SHARED, NULL, 0);
    vmm_map(vmm, 7, 0x70000000, 0x1000, RW, VMM_MAP_GROWSDOWN, NULL, 0);
    assert_true(vmm_access(vmm, 7, 0x4010, false));
    assert_int_equal(vmm_first_invalid(vmm, &first), VMM_E_USAGE);
    invalid(vmm, 7, 0x4010, true,
            "reference 2: process 7 writes to 0x4010, which its mapping forbids: 0x4000-0x6000 "
            "r--, private, file lib?x from 0x1000 on");
    invalid(vmm, 7, 0x6010, false,
            "reference 3: process 7 reads 0x6010, where nothing is mapped; the nearest mapping "
            "ends 0x10 bytes below: 0x4000-0x6000 r--, private, file lib?x from 0x1000 on");
    invalid(vmm, 7, 0xff008, true,
            "reference 4: process 7 writes to 0xff008, where nothing is mapped; the nearest "
            "mapping begins 0xff8 bytes above: 0x100000-0x101000 rw-, shared, anonymous");
    invalid(vmm, 7, 0x60000000, true,
            "reference 5: process 7 writes to 0x60000000, where nothing is mapped; the nearest "
            "mapping begins 0x10000000 bytes above: 0x70000000-0x70001000 rw-, a stack, which may "
            "not grow so far (stack-limit)");
    invalid(vmm, 8, 0x4010, false,
            "reference 6: process 8 reads 0x4010, where nothing is mapped; the process has no "
            "mappings");
    invalid(vmm, 7, UINT64_C(1) << 60, true,
            "reference 7: process 7 writes to 0x1000000000000000, beyond the address space");
    assert_int_equal(vmm_first_invalid(vmm, &first), VMM_OK);
    assert_int_equal(first.index, 2);
    assert_int_equal(first.address, 0x4010);
    assert_int_equal(first.pid, 7);
    assert_int_equal(first.op, VMM_OP_WRITE);
    assert_int_equal(first.reason, VMM_INVALID_FORBIDDEN);
    assert_int_equal(first.nearby, VMM_NEARBY_HERE);
    assert_int_equal(first.start, 0x4000);
    assert_int_equal(first.prot, VMM_PROT_READ);
    assert_string_equal(first.path, "lib\nx");
    vmm_destroy(vmm);
}

/* The first one of a batch is told by the reference itself, wherever it stands in it. */
static void invalid_references_are_found_in_batches(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=lru mappings=complete refs=data");
    VMM *vmm = vmm_create(&config);
    vmm_map(vmm, 7, 0x4000, 0x2000, RW, 0, NULL, 0);
    const VMMRef refs[] = {{.pid = 7, .addr = 0x4ff0, .size = 0x20},
                           {.pid = 7, .addr = 0x4000, .size = 4, .op = VMM_OP_FETCH},
                           {.pid = 7, .addr = 0x5008, .size = 8},
                           {.pid = 7, .addr = 0x5ff0, .size = 0x1020, .op = VMM_OP_WRITE},
                           {.pid = 7, .addr = 0, .size = 1}};
    VMMInvalid first = {.struct_size = sizeof first};
    assert_int_equal(vmm_feed(vmm, refs, 5), VMM_OK);
    assert_int_equal(vmm_first_invalid(vmm, &first), VMM_OK);
    assert_int_equal(first.index, 4);
    assert_int_equal(first.address, 0x6000);
    assert_int_equal(first.nearby, VMM_NEARBY_BELOW);
    vmm_destroy(vmm);
}

static void killed_processes_do_nothing_more(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=lru mappings=complete invalid=kill");
    VMM *vmm = vmm_create(&config);
    VMMStats stats = {.struct_size = sizeof stats};
    map(vmm, 1, 16, 2, 0);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_true(vmm_access(vmm, 1, 16 * PAGE, true));
    assert_false(vmm_access(vmm, 1, 0, true));
    assert_int_equal(frames_used(vmm), 0);
    assert_false(vmm_access(vmm, 1, 16 * PAGE, true));
    assert_string_equal(vmm_error_text(vmm), "the process 1 makes no more references: it was "
                                             "killed for an invalid one");
    refused(vmm, vmm_map(vmm, 1, 0, PAGE, RW, 0, NULL, 0), "the process 1 was killed");
    refused(vmm, vmm_fork(vmm, 1, 3), "the process 1 was killed");
    assert_true(vmm_access(vmm, 2, 16 * PAGE, true));
    assert_int_equal(vmm_fork(vmm, 2, 1), VMM_OK); /* the number is used again */
    assert_true(vmm_access(vmm, 1, 16 * PAGE, true));
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    assert_int_equal(stats.kills, 1);
    assert_int_equal(stats.dropped, 1);
    assert_int_equal(stats.events, 3);
    assert_false(vmm_access(vmm, 2, 0, false));
    refused(vmm, vmm_detach_shared(vmm, 2, 0), "the process 2 was killed");
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK); /* so is that of one that ended */
    refused(vmm, vmm_exit(vmm, 2), "there is no process 2");
    map(vmm, 2, 16, 1, 0);
    assert_true(vmm_access(vmm, 2, 16 * PAGE, true));
    vmm_destroy(vmm);
}

static void the_run_stops(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=lru mappings=complete invalid=stop");
    VMM *vmm = vmm_create(&config);
    VMMStats stats = {.struct_size = sizeof stats};
    map(vmm, 1, 16, 2, 0);
    const VMMRef refs[] = {
        {.pid = 1, .addr = 16 * PAGE}, {.pid = 1}, {.pid = 1, .addr = 17 * PAGE}};
    assert_int_equal(vmm_feed(vmm, refs, 3), VMM_E_INVALID_ADDRESS);
    assert_int_equal(vmm_feed(vmm, refs, 1), VMM_E_INVALID_ADDRESS);
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    assert_int_equal(stats.accesses, 2);
    assert_int_equal(stats.faults[VMM_FAULT_invalid], 1);
    vmm_destroy(vmm);
}

/* The pages of `pid` in memory, as bits. */
static uint64_t pages_in_memory(VMM *vmm) {
    VMMResident pages[64];
    size_t count = vmm_resident_pages(vmm, pages, 64);
    uint64_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found |= UINT64_C(1) << pages[i].vpn;
    }
    return found;
}

/* Pages 0 and 1 of a machine with three frames are locked, 2 and 3 are referenced. */
static VMM *make_locked(const char *options) {
    VMMConfig config = test_configure(options);
    VMM *vmm = vmm_create(&config);
    assert_non_null(vmm);
    map(vmm, 1, 0, 8, 0);
    assert_int_equal(vmm_lock(vmm, 1, 0, 2 * PAGE), VMM_OK);
    assert_int_equal(pages_in_memory(vmm), 3);
    assert_true(vmm_access(vmm, 1, 2 * PAGE, true));
    assert_true(vmm_access(vmm, 1, 3 * PAGE, true));
    return vmm;
}

static void locked_pages_stay(void **state) {
    (void)state;
    const VMMPolicyInfo *policy;
    for (size_t i = 0; (policy = vmm_policy_at(i)) != NULL; i++) {
        char options[128];
        if (policy->needs == VMM_NEEDS_FUTURE || policy->variable_space != 0) {
            continue;
        }
        snprintf(options, sizeof options, "policy=%s page-size=4K frames=3", policy->name);
        VMM *vmm = make_locked(options);
        for (uint64_t page = 2; page < 40; page++) {
            assert_true(vmm_access(vmm, 1, (2 + page % 6) * PAGE, page % 3 == 0));
            if ((pages_in_memory(vmm) & 3) != 3) {
                fail_msg("%s evicted a locked page", policy->name);
            }
        }
        assert_int_equal(vmm_unlock(vmm, 1, 0, 2 * PAGE), VMM_OK);
        VMMStats stats = {.struct_size = sizeof stats};
        assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
        assert_int_equal(stats.frames_locked, 0);
        vmm_destroy(vmm);
    }
}

static void variable_space_keeps_locked_pages(void **state) {
    (void)state;
    const char *const policies[] = {"policy=ws:window=3", "policy=pff"};
    for (size_t i = 0; i < 2; i++) {
        VMM *vmm = make_locked(policies[i]);
        for (uint64_t page = 2; page < 400; page++) {
            assert_true(vmm_access(vmm, 1, (2 + page % 6) * PAGE, false));
            assert_int_equal(pages_in_memory(vmm) & 3, 3);
        }
        vmm_destroy(vmm);
    }
}

static void all_frames_locked_is_out_of_memory(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=lru page-size=4K frames=2");
    VMM *vmm = vmm_create(&config);
    map(vmm, 1, 0, 8, 0);
    assert_int_equal(vmm_lock(vmm, 1, 0, 2 * PAGE), VMM_OK);
    assert_false(vmm_access(vmm, 1, 2 * PAGE, true));
    assert_int_equal(vmm_last_error(vmm), VMM_E_OUT_OF_MEMORY);
    assert_string_equal(vmm_error_text(vmm),
                        "out of memory in the simulated machine: a page must come in, and all "
                        "frames hold locked ones; give more memory, or lock less");
    vmm_destroy(vmm);
}

static void locks_are_of_mappings(void **state) {
    (void)state;
    VMMStats stats = {.struct_size = sizeof stats};
    VMM *vmm = make();
    map(vmm, 1, 0, 4, VMM_MAP_LOCKED);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_int_equal(vmm_exit(vmm, 1), VMM_OK); /* the child has the pages, without the lock */
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    assert_int_equal(stats.frames_locked, 0);
    assert_int_equal(stats.frames_used, 4);
    assert_int_equal(stats.kernel_references, 4);
    assert_int_equal(vmm_lock(vmm, 2, PAGE, 2 * PAGE), VMM_OK);
    assert_int_equal(vmm_remap(vmm, 2, PAGE, 2 * PAGE, 16 * PAGE, 2 * PAGE), VMM_OK);
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    assert_int_equal(stats.frames_locked, 2);
    refused(vmm, vmm_lock(vmm, 2, 1, PAGE), "whole pages");
    refused(vmm, vmm_unlock(vmm, 3, 0, PAGE), "there is no process 3");
    vmm_destroy(vmm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_copies_on_write),
        cmocka_unit_test(vfork_runs_in_the_parent),
        cmocka_unit_test(a_space_goes_with_its_last_process),
        cmocka_unit_test(mappings_change),
        cmocka_unit_test(private_pages_of_all_pieces_move_and_fork),
        cmocka_unit_test(files_are_the_same_by_name),
        cmocka_unit_test(segments_live_until_the_last_leaves),
        cmocka_unit_test(a_segment_stays_where_it_replaces_itself),
        cmocka_unit_test(what_is_refused_changes_nothing),
        cmocka_unit_test(ended_processes_are_not_there),
        cmocka_unit_test(ended_processes_are_known_after_vfork),
        cmocka_unit_test(references_make_processes),
        cmocka_unit_test(names_are_texts),
        cmocka_unit_test(the_kernel_refuses_it_too),
        cmocka_unit_test(advice_says_what_children_get),
        cmocka_unit_test(permissive_machines_take_what_is_not_mapped),
        cmocka_unit_test(invalid_references_are_described),
        cmocka_unit_test(invalid_references_are_found_in_batches),
        cmocka_unit_test(killed_processes_do_nothing_more),
        cmocka_unit_test(the_run_stops),
        cmocka_unit_test(locked_pages_stay),
        cmocka_unit_test(variable_space_keeps_locked_pages),
        cmocka_unit_test(all_frames_locked_is_out_of_memory),
        cmocka_unit_test(locks_are_of_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
