/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of processes that live need: small machines of both engines, pages of 4 KiB,
   references and events with the invariants looked at after each. */
#ifndef VMM_TESTS_UNIT_LIVES_H
#define VMM_TESTS_UNIT_LIVES_H

#include "../../src/api/handle.h"
#include "common.h"

#define PAGE UINT64_C(4096)

enum { TEST_ENGINES = 2 };

/* A machine with LRU unless the options say another policy. */
static inline VMM *test_machine(const char *options, size_t engine) {
    static const char *const engines[TEST_ENGINES] = {"fast", "generic"};
    char text[256];
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMM *vmm = NULL;
    snprintf(text, sizeof text, "policy=lru page-size=4K engine=%s %s", engines[engine], options);
    VMMConfig config = test_configure(text);
    if (vmm_create_with(&config, NULL, &vmm, error) != VMM_OK) {
        fail_msg("%s", error);
    }
    return vmm;
}

/* Gives a reference to the first byte of a page as part of a batch. */
static inline void test_feed(VMM *vmm, uint32_t pid, uint64_t page, VMMOp op) {
    VMMRef ref = {.pid = pid, .addr = page * PAGE, .size = 1, .op = (uint8_t)op};
    assert_int_equal(vmm_feed(vmm, &ref, 1), VMM_OK);
    assert_true(machine_is_valid(&vmm->machine));
}

/* The same alone; what it was. */
static inline VMMFaultClass test_touch(VMM *vmm, uint32_t pid, uint64_t page, bool write) {
    VMMRef ref = {.pid = pid,
                  .addr = page * PAGE,
                  .size = 1,
                  .op = (uint8_t)(write ? VMM_OP_WRITE : VMM_OP_READ)};
    VMMOutcome outcome;
    assert_int_equal(vmm_access_outcome(vmm, &ref, &outcome), VMM_OK);
    return outcome.fault;
}

static inline void test_event(VMM *vmm, VMMEvent event) {
    event.struct_size = sizeof event;
    if (vmm_apply(vmm, &event) != VMM_OK) {
        fail_msg("%s", vmm_error_text(vmm));
    }
    assert_true(machine_is_valid(&vmm->machine));
}

static inline VMMStats test_stats(const VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    return stats;
}

#endif
