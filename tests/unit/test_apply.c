/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What events do to a machine: page tables, TLB, reverse map, frames and swap after each; that each
 * invariant of the checking build finds the damage it is for; and what happens without memory.
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

static VMM *make(const char *options) {
    VMMConfig config = test_configure(options);
    VMM *vmm = vmm_create(&config);
    assert_non_null(vmm);
    return vmm;
}

static int touch(VMM *vmm, uint32_t pid, uint64_t page, bool write) {
    VMMRef ref = {.pid = pid,
                  .addr = page * PAGE,
                  .size = 1,
                  .op = (uint8_t)(write ? VMM_OP_WRITE : VMM_OP_READ)};
    return vmm_feed(vmm, &ref, 1);
}

static int map(VMM *vmm, uint32_t pid, uint64_t page, uint64_t pages, uint32_t flags,
               const char *file) {
    return vmm_map(vmm, pid, page * PAGE, pages * PAGE, RW, flags, file, 0);
}

static VMMStats stats_of(const VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    assert_int_equal(vmm_stats(vmm, &stats), VMM_OK);
    return stats;
}

static bool is_valid(const VMM *vmm) {
    return machine_is_valid(&vmm->machine) &&
           machine_agrees_with(&vmm->machine, &vmm->stream->resolver) &&
           resolver_is_valid(&vmm->stream->resolver);
}

/* The translation of a page of the first process. */
static uint32_t id_of(const VMM *vmm, uint64_t page) {
    uint32_t id = directory_find(&vmm->stream->directory, 0, page);
    assert_int_not_equal(id, DIRECTORY_NO_PAGE);
    return id;
}

/* ---- What events do ---------------------------------------------------------------------------
 */

static void an_unmap_takes_all_that_a_page_had(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=8");
    map(vmm, 1, 16, 4, 0, NULL);
    touch(vmm, 1, 16, true);
    touch(vmm, 1, 17, false);
    const Machine *machine = &vmm->machine;
    uint32_t id = id_of(vmm, 16);
    uint32_t object = machine->leads_to[id];
    assert_int_equal(machine->mapper[object], id);
    assert_int_not_equal(machine->tlb.slot_of[id], 0);
    vmm_unmap(vmm, 1, 16 * PAGE, PAGE);
    assert_int_equal(machine->leads_to[id], OBJECT_NO_PAGE);
    assert_int_equal(machine->mapper[object], 0);
    assert_int_equal(machine->entry_count[object], 0);
    assert_int_equal(machine->tlb.slot_of[id], 0);
    assert_int_equal(machine->frame_of[object], MACHINE_NO_FRAME);
    assert_int_equal(machine->state[id] & (PAGE_MAPPED | PAGE_PRESENT), 0);
    assert_int_equal(stats_of(vmm).discards, 1);
    assert_int_equal(stats_of(vmm).frames_used, 1);
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

static void a_fork_copies_entries_and_their_reverse(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=2");
    map(vmm, 1, 16, 4, 0, NULL);
    for (uint64_t page = 16; page < 19; page++) {
        touch(vmm, 1, page, true); /* the first goes to swap */
    }
    vmm_fork(vmm, 1, 2);
    const Machine *machine = &vmm->machine;
    assert_int_equal(stats_of(vmm).copied_entries, 3);
    assert_int_equal(stats_of(vmm).frames_shared, 2);
    uint32_t swapped = machine->leads_to[id_of(vmm, 16)];
    uint32_t resident = machine->leads_to[id_of(vmm, 18)];
    assert_int_equal(machine->entry_count[swapped], 2);
    assert_int_equal(machine->mapper_count[swapped], 0);
    assert_int_equal(machine->mapper_count[resident], 2);
    assert_int_equal(stats_of(vmm).swap_slots_used, 1); /* one for both */
    vmm_exit(vmm, 1);
    assert_int_equal(machine->entry_count[swapped], 1);
    assert_int_equal(machine->mapper_count[resident], 1);
    assert_int_equal(stats_of(vmm).swap_slots_used, 1);
    touch(vmm, 2, 16, false);
    assert_int_equal(stats_of(vmm).swap_ins, 1);
    vmm_exit(vmm, 2);
    assert_int_equal(stats_of(vmm).swap_slots_used, 0);
    assert_int_equal(stats_of(vmm).frames_used, 0);
    assert_int_equal(stats_of(vmm).page_tables, 0);
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

static void an_eviction_takes_the_entries_of_all_owners(void **state) {
    (void)state;
    VMM *vmm = make("policy=fifo page-size=4K frames=2");
    map(vmm, 1, 16, 1, 0, NULL);
    touch(vmm, 1, 16, true);
    for (uint32_t child = 2; child < 6; child++) {
        vmm_fork(vmm, 1, child);
        touch(vmm, child, 16, false);
    }
    uint64_t before = stats_of(vmm).tlb_invalidations;
    touch(vmm, 9, 1, true);
    touch(vmm, 9, 2, true);
    assert_int_equal(stats_of(vmm).rmap_steps, 5);
    assert_int_equal(stats_of(vmm).tlb_invalidations - before, 4); /* the fork took the parent's */
    assert_int_equal(stats_of(vmm).swap_outs, 1);
    assert_int_equal(stats_of(vmm).frames_shared, 0);
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

static void freed_pages_are_dropped_unless_written_again(void **state) {
    (void)state;
    VMM *vmm = make("policy=fifo page-size=4K frames=2");
    map(vmm, 1, 16, 4, 0, NULL);
    touch(vmm, 1, 16, true);
    touch(vmm, 1, 17, true);
    vmm_advise(vmm, 1, 16 * PAGE, 2 * PAGE, VMM_ADVICE_FREE);
    touch(vmm, 1, 17, true);
    touch(vmm, 1, 18, true);
    assert_int_equal(stats_of(vmm).swap_outs, 0);
    assert_int_equal(stats_of(vmm).clean_evictions, 1);
    touch(vmm, 1, 19, true);
    assert_int_equal(stats_of(vmm).swap_outs, 1);
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

static void what_moves_stays_in_its_frame(void **state) {
    (void)state;
    VMM *vmm = make("policy=lru page-size=4K frames=8");
    map(vmm, 1, 16, 1, 0, NULL);
    touch(vmm, 1, 16, true);
    vmm_remap(vmm, 1, 16 * PAGE, PAGE, 64 * PAGE, PAGE);
    uint64_t faults = stats_of(vmm).page_faults;
    touch(vmm, 1, 64, true);
    assert_int_equal(stats_of(vmm).page_faults, faults);
    assert_int_equal(stats_of(vmm).copied_entries, 0); /* by forks */
    assert_int_equal(vmm->machine.leads_to[id_of(vmm, 16)], OBJECT_NO_PAGE);
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

/* ---- Each invariant can fail ------------------------------------------------------------------
 */

/* A small machine with everything: shared frames, a page in swap, a free frame and a free slot, a
   file, a segment, a child in its parent's space. */
static VMM *make_rich(void) {
    VMM *vmm = make("policy=lru page-size=4K frames=4 mappings=complete");
    map(vmm, 1, 16, 12, 0, NULL);
    map(vmm, 1, 32, 2, VMM_MAP_SHARED, NULL);
    map(vmm, 1, 40, 2, VMM_MAP_SHARED, "data");
    for (uint64_t page = 16; page < 28; page++) {
        touch(vmm, 1, page, true);
    }
    touch(vmm, 1, 16, false);               /* back from swap: its slot stays, for it is clean */
    vmm_unmap(vmm, 1, 17 * PAGE, 3 * PAGE); /* of swap */
    touch(vmm, 1, 32, true);
    touch(vmm, 1, 40, false);
    vmm_fork(vmm, 1, 2);
    vmm_vfork(vmm, 2, 3);
    touch(vmm, 2, 16, false);
    touch(vmm, 1, 27, false);
    vmm_unmap(vmm, 1, 40 * PAGE, PAGE);
    assert_true(is_valid(vmm));
    return vmm;
}

/* An object page in a frame, with `entries` present entries at least. */
static uint32_t resident_of(const Machine *machine, uint32_t entries) {
    uint32_t object = 1;
    while (machine->frame_of[object] == MACHINE_NO_FRAME ||
           machine->mapper_count[object] < entries) {
        object++;
        assert_true(object < machine->object_pages);
    }
    return object;
}

static uint32_t swapped_of(const Machine *machine, uint32_t from) {
    while (machine->slot_of[from] == SWAP_NO_SLOT) {
        from++;
        assert_true(from < machine->object_pages);
    }
    return from;
}

static void a_frame_that_is_free_and_used_is_found(void **state) {
    (void)state;
    VMM *vmm = make_rich();
    Pool *pool = vmm->machine.pools[0];
    for (uint32_t pid = 1; pid < 3; pid++) {
        vmm_unmap(vmm, pid, 16 * PAGE, 12 * PAGE); /* frees frames */
    }
    assert_true(is_valid(vmm));
    assert_true(pool->free_count > 1);
    uint32_t frame = pool->free[0];
    pool->free[0] = pool->free[1]; /* one twice, another nowhere */
    assert_false(machine_agrees(&vmm->machine));
    pool->free[0] = vmm->machine.frame_of[resident_of(&vmm->machine, 0)];
    assert_false(machine_agrees(&vmm->machine));
    pool->free[0] = frame;
    pool->page[frame] = resident_of(&vmm->machine, 0); /* two frames of one page */
    assert_false(machine_agrees(&vmm->machine));
    pool->page[frame] = DIRECTORY_NO_PAGE;
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

static void a_slot_of_two_is_found(void **state) {
    (void)state;
    VMM *vmm = make_rich();
    Machine *machine = &vmm->machine;
    uint32_t one = swapped_of(machine, 1);
    uint32_t two = swapped_of(machine, one + 1);
    uint32_t slot = machine->slot_of[one];
    machine->slot_of[one] = machine->slot_of[two];
    assert_false(machine_is_valid(machine));
    machine->slot_of[one] = SWAP_NO_SLOT; /* nobody's */
    assert_false(machine_is_valid(machine));
    machine->slot_of[one] = machine->swap.next;
    assert_false(machine_is_valid(machine));
    assert_true(machine->swap.free_count > 0);
    machine->slot_of[one] = machine->swap.free[0]; /* free, and used */
    assert_false(machine_is_valid(machine));
    machine->slot_of[one] = slot;
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

static void an_entry_of_one_side_only_is_found(void **state) {
    (void)state;
    VMM *vmm = make_rich();
    Machine *machine = &vmm->machine;
    uint32_t object = resident_of(machine, 1);
    uint32_t page = machine->mapper[object];
    machine->entry_count[object]++;
    assert_false(machine_is_valid(machine));
    machine->entry_count[object]--;
    machine->mapper_count[object]++;
    assert_false(machine_is_valid(machine));
    machine->mapper_count[object]--;
    machine->mapper[object] = 0; /* the reverse map has lost them */
    assert_false(machine_is_valid(machine));
    machine->mapper[object] = page;
    machine->state[page] &= (uint8_t)~PAGE_PRESENT;
    assert_false(machine_is_valid(machine));
    machine->state[page] |= PAGE_PRESENT;
    machine->state[page] &= (uint8_t)~PAGE_MAPPED;
    assert_false(machine_is_valid(machine));
    machine->state[page] |= PAGE_MAPPED;
    PageTable *table = &machine->processes[directory_space_of(machine->directory, page)].table;
    table->type->unmap(table, directory_vpn(machine->directory, page));
    assert_false(machine_is_valid(machine));
    assert_true(table->type->map(table, directory_vpn(machine->directory, page), page));
    assert_true(is_valid(vmm));
    vmm->stream->resolver.object_of[page]++; /* the two go by different pages */
    assert_false(machine_agrees_with(machine, &vmm->stream->resolver));
    vmm->stream->resolver.object_of[page]--;
    vmm_destroy(vmm);
}

static void a_stale_entry_of_the_tlb_is_found(void **state) {
    (void)state;
    VMM *vmm = make_rich();
    Machine *machine = &vmm->machine;
    Tlb *tlb = &machine->tlb;
    uint32_t entry = 0;
    while (tlb->page[entry] == DIRECTORY_NO_PAGE || tlb->written[entry] != 0) {
        entry++;
        assert_true(entry < tlb->entries);
    }
    tlb->frame[entry]++;
    assert_false(machine_is_valid(machine));
    tlb->frame[entry]--;
    uint8_t *dirty = &machine->pools[0]->dirty[tlb->frame[entry]];
    uint8_t was_dirty = *dirty;
    *dirty = 0;
    tlb->written[entry] = 1; /* a write that memory does not know of */
    assert_false(machine_is_valid(machine));
    tlb->written[entry] = 0;
    *dirty = was_dirty;
    assert_true(is_valid(vmm));
    uint32_t absent = 1; /* a translation without a present entry: the TLB may not have it */
    while ((machine->state[absent] & PAGE_PRESENT) != 0) {
        absent++;
        assert_true(absent < machine->pages);
    }
    tlb_fill(tlb, absent, 0, false);
    assert_false(machine_is_valid(machine));
    tlb_invalidate(tlb, absent);
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

static void wrong_counts_of_the_resolver_are_found(void **state) {
    (void)state;
    VMM *vmm = make_rich();
    Resolver *resolver = &vmm->stream->resolver;
    uint32_t object = resident_of(&vmm->machine, 1);
    resolver->objects.owners[object]++;
    assert_false(resolver_is_valid(resolver));
    resolver->objects.owners[object]--;
    resolver->objects.objects[1].mappings++;
    assert_false(resolver_is_valid(resolver));
    resolver->objects.objects[1].mappings--;
    resolver->spaces[0].users++;
    assert_false(resolver_is_valid(resolver));
    resolver->spaces[0].users--;
    resolver->spaces[0].mapped++;
    assert_false(resolver_is_valid(resolver));
    resolver->spaces[0].mapped--;
    uint32_t first = resolver->spaces[0].first;
    resolver->spaces[0].first = resolver->next[first]; /* one is lost from the chain */
    assert_false(resolver_is_valid(resolver));
    resolver->spaces[0].first = first;
    assert_true(is_valid(vmm));
    vmm_destroy(vmm);
}

/* ---- Without memory ---------------------------------------------------------------------------
 */

/* A life with all kinds of events, which goes on for a few more calls after the first failure. */
static int live(VMM *vmm) {
    int status = map(vmm, 1, 16, 64, 0, NULL);
    for (uint32_t i = 0; i < 12 && status == VMM_OK; i++) {
        const char *file = i % 2 == 0 ? "data" : NULL;
        const int steps[] = {
            touch(vmm, 1 + i, 20 + i, true),
            map(vmm, 1 + i, 700 * (i + 1), 16, VMM_MAP_SHARED, file),
            touch(vmm, 1 + i, 700 * (i + 1) + 1, true),
            vmm_fork(vmm, 1 + i, 2 + i),
            touch(vmm, 2 + i, 20 + i, true),
            vmm_advise(vmm, 2 + i, 16 * PAGE, 6 * PAGE, VMM_ADVICE_FREE),
            vmm_remap(vmm, 1 + i, 16 * PAGE, 4 * PAGE, (90000 + i) * PAGE, 4 * PAGE),
            vmm_protect(vmm, 1 + i, 24 * PAGE, 2 * PAGE, VMM_PROT_READ),
            i % 3 == 0 ? vmm_exit(vmm, 1 + i) : VMM_OK,
        };
        for (size_t step = 0; step < sizeof steps / sizeof steps[0] && status == VMM_OK; step++) {
            status = steps[step];
        }
    }
    return status;
}

/* Whichever allocation fails, the call says so, what is left stays valid, and nothing leaks. */
static void lack_of_memory_is_told(void **state) {
    (void)state;
    VMMConfig config = test_configure("policy=lru page-size=4K frames=5 scope=process "
                                      "fault-around=16K zero-page=on");
    size_t k = 0;
    for (bool lived = false; !lived;) {
        Account account = {.fail_at = ++k};
        const VMMAllocator memory = account_memory(&account);
        VMM *vmm = NULL;
        int status = vmm_create_with(&config, &memory, &vmm, NULL);
        if (status == VMM_OK) {
            status = live(vmm);
            lived = status == VMM_OK;
            assert_int_equal(lived, account.calls < k);
            assert_true(!lived || is_valid(vmm));
            stats_of(vmm); /* can be had of a machine that stands still, too */
        }
        assert_true(status == VMM_OK || status == VMM_E_NO_MEMORY);
        vmm_destroy(vmm);
        account_is_settled(&account);
    }
    assert_true(k > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unmap_takes_all_that_a_page_had),
        cmocka_unit_test(a_fork_copies_entries_and_their_reverse),
        cmocka_unit_test(an_eviction_takes_the_entries_of_all_owners),
        cmocka_unit_test(freed_pages_are_dropped_unless_written_again),
        cmocka_unit_test(what_moves_stays_in_its_frame),
        cmocka_unit_test(a_frame_that_is_free_and_used_is_found),
        cmocka_unit_test(a_slot_of_two_is_found),
        cmocka_unit_test(an_entry_of_one_side_only_is_found),
        cmocka_unit_test(a_stale_entry_of_the_tlb_is_found),
        cmocka_unit_test(wrong_counts_of_the_resolver_are_found),
        cmocka_unit_test(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
