/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classic programs: a parent of a thousand children, a fork bomb, a sparse mapping. Each has to
 * cost what it touches. Work is counted without a clock: operations that events make, entries that
 * are copied, bytes that are taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vmm/vmm.h"
#include "../../src/api/handle.h"
#include "../../src/engine/stream.h"
#include "account.h"
#include "common.h"

#define PAGE UINT64_C(4096)
#define RW (VMM_PROT_READ | VMM_PROT_WRITE)

static VMM *make(const char *options, const VMMAllocator *allocator) {
    VMMConfig config = test_configure(options);
    VMM *vmm = NULL;
    assert_int_equal(vmm_create_with(&config, allocator, &vmm, NULL), VMM_OK);
    return vmm;
}

static void touch(VMM *vmm, uint32_t pid, uint64_t page) {
    VMMRef ref = {.pid = pid, .addr = page * PAGE, .size = 1, .op = VMM_OP_WRITE};
    assert_int_equal(vmm_feed(vmm, &ref, 1), VMM_OK);
}

static VMMStats stats_of(const VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    return stats;
}

static uint32_t operations(const VMM *vmm) {
    return vmm->stream->resolver.op_count;
}

enum { CHILDREN = 1000, MAPPED = 20 };

/* Children come and go, each with a number of its own: a fork costs what is mapped, an end what is
   there, and nothing of them stays but what is kept of a process. */
static void a_parent_has_a_thousand_children(void **state) {
    (void)state;
    Account account = {0};
    const VMMAllocator memory = account_memory(&account);
    VMM *vmm = make("policy=lru page-size=4K frames=100", &memory);
    assert_int_equal(vmm_map(vmm, 1, 0, MAPPED * PAGE, RW, 0, NULL, 0), VMM_OK);
    for (uint64_t page = 0; page < MAPPED; page++) {
        touch(vmm, 1, page);
    }
    for (uint32_t child = 2; child < 2 + CHILDREN; child++) {
        assert_int_equal(vmm_fork(vmm, 1, child), VMM_OK);
        /* The number begins anew, a copy for each page; what the parent wrote since is protected.
         */
        assert_int_equal(operations(vmm), child == 2 ? 2 * MAPPED + 1 : MAPPED + 2);
        touch(vmm, child, child % MAPPED);
        touch(vmm, 1, child % MAPPED);
        assert_int_equal(vmm_exit(vmm, child), VMM_OK);
        assert_in_range(operations(vmm), MAPPED, MAPPED + 2);
        assert_true(stats_of(vmm).frames_used <= MAPPED + 1);
    }
    assert_int_equal(stats_of(vmm).copied_entries, CHILDREN * MAPPED);
    assert_int_equal(stats_of(vmm).swap_outs, 0);
    assert_true(vmm->stream->resolver.objects.count < 3 * MAPPED + 2 * CHILDREN);
    assert_true(machine_is_valid(&vmm->machine) && resolver_is_valid(&vmm->stream->resolver));
    vmm_destroy(vmm);
    account_is_settled(&account);
}

/* All alive at once: each doubles, until no more can be told apart; then the call says so. */
static void a_fork_bomb_ends_at_the_limit(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=512 pt-type=FIVE_LEVEL frames=4", NULL);
    assert_int_equal(vmm_map(vmm, 1, 0, 512, RW, 0, NULL, 0), VMM_OK);
    const uint32_t limit =
        (1 << 16) - 1; /* 64 bits of a key less 48 of a page's number, less one */
    for (uint32_t child = 2; child <= limit; child++) {
        assert_int_equal(vmm_fork(vmm, child / 2, child), VMM_OK);
        assert_int_equal(operations(vmm), 1); /* the child's number begins anew */
    }
    assert_int_equal(vmm_fork(vmm, 1, limit + 1), VMM_E_LIMIT);
    assert_non_null(strstr(vmm_error_text(vmm), "more than 65535 processes"));
    assert_int_equal(stats_of(vmm).copied_entries, 0);
    assert_int_equal(stats_of(vmm).processes, limit);
    vmm_destroy(vmm);
}

/* 4 GiB of which a page in each 2 MiB is touched. */
static void a_sparse_mapping_costs_what_is_touched(void **state) {
    (void)state;
    enum { TOUCHED = 2048, APART = 512 };
    Account account = {0};
    const VMMAllocator memory = account_memory(&account);
    VMM *vmm = make("policy=lru page-size=4K frames=64", &memory);
    const uint64_t length = UINT64_C(4) << 30;
    assert_int_equal(vmm_map(vmm, 1, 0, length, RW, 0, NULL, 0), VMM_OK);
    assert_int_equal(operations(vmm), 0);
    size_t before = account.bytes;
    for (uint64_t i = 0; i < TOUCHED; i++) {
        touch(vmm, 1, i * APART);
    }
    /* Each is alone in its lowest page table of 4 KiB. */
    assert_true(account.bytes - before < TOUCHED * UINT64_C(8192));
    assert_int_equal(vmm_protect(vmm, 1, 0, length, VMM_PROT_READ), VMM_OK);
    assert_int_equal(vmm_fork(vmm, 1, 2), VMM_OK);
    assert_true(operations(vmm) <= 2 * TOUCHED + 1);
    assert_int_equal(vmm_unmap(vmm, 1, 0, length), VMM_OK);
    assert_int_equal(operations(vmm), TOUCHED);
    assert_int_equal(vmm_exit(vmm, 2), VMM_OK);
    assert_int_equal(operations(vmm), 2 * TOUCHED + 1);
    assert_int_equal(stats_of(vmm).swap_slots_used, 0);
    vmm_destroy(vmm);
    account_is_settled(&account);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parent_has_a_thousand_children),
        cmocka_unit_test(a_fork_bomb_ends_at_the_limit),
        cmocka_unit_test(a_sparse_mapping_costs_what_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
