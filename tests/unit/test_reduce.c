/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/analysis/sad.c: a reduced trace has the page faults and write-backs of the original one, in
 * LRU memories of k frames and more, and the reference model of an LRU memory here says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../include/vmm/reduce.h"
#include "../../src/base/rng.h"
#include "common.h"

typedef struct Refs {
    VMMRef *at;
    size_t count, room;
    size_t fail_after; /* the sink fails when it has so many; 0: never */
} Refs;

static void add(Refs *refs, VMMRef ref) {
    if (refs->count == refs->room) {
        refs->room = refs->room * 2 + 64;
        refs->at = realloc(refs->at, refs->room * sizeof *refs->at);
        assert_non_null(refs->at);
    }
    refs->at[refs->count++] = ref;
}

static int collect(void *user, const VMMRef *refs, size_t count) {
    Refs *kept = user;
    for (size_t i = 0; i < count; i++) {
        add(kept, refs[i]);
    }
    return kept->fail_after != 0 && kept->count >= kept->fail_after ? VMM_E_WRITE : VMM_OK;
}

/* ---- An LRU memory, as plain as can be ------------------------------------------------------ */

enum { MODEL_FRAMES_MAX = 600 };

typedef struct Model {
    uint64_t key[MODEL_FRAMES_MAX]; /* most recent first */
    bool dirty[MODEL_FRAMES_MAX];
    size_t used, frames;
    uint64_t faults, write_backs;
    uint64_t order; /* depends on which page faults and is written, and when */
} Model;

static void model_touch(Model *model, uint64_t key, bool write) {
    size_t rank = 0;
    while (rank < model->used && model->key[rank] != key) {
        rank++;
    }
    bool dirty = false;
    if (rank < model->used) {
        dirty = model->dirty[rank];
    } else {
        model->faults++;
        model->order = rng_mix(model->order ^ key);
        if (model->used == model->frames) {
            rank = model->used - 1;
            model->write_backs += model->dirty[rank];
            model->order = rng_mix(model->order ^ (model->dirty[rank] ? ~model->key[rank] : 1));
        } else {
            model->used++;
        }
    }
    memmove(model->key + 1, model->key, rank * sizeof *model->key);
    memmove(model->dirty + 1, model->dirty, rank * sizeof *model->dirty);
    model->key[0] = key;
    model->dirty[0] = dirty || write;
}

static Model run_model(const Refs *refs, size_t frames, unsigned page_shift) {
    Model model = {.frames = frames};
    for (size_t i = 0; i < refs->count; i++) {
        const VMMRef *ref = &refs->at[i];
        uint64_t last = (ref->addr + (ref->size > 0 ? ref->size - 1 : 0)) >> page_shift;
        for (uint64_t page = ref->addr >> page_shift; page <= last; page++) {
            model_touch(&model, page | (uint64_t)ref->pid << 52, ref->op == VMM_OP_WRITE);
        }
    }
    return model;
}

/* ---- Traces --------------------------------------------------------------------------------- */

/* Loops, jumps and phases over some pages of some processes. */
static Refs make_trace(uint64_t seed, size_t count, uint64_t pages, uint32_t processes) {
    Refs refs = {0};
    Rng rng = rng_seed(seed, "trace");
    uint64_t base = 0, span = 1;
    for (size_t i = 0; i < count; i++) {
        if (rng_below(&rng, 200) == 0) {
            base = rng_below(&rng, pages);
            span = 1 + rng_below(&rng, rng_below(&rng, 2) == 0 ? 4 : pages / 2 + 1);
        }
        uint64_t page =
            rng_below(&rng, 20) == 0 ? rng_below(&rng, pages) : (base + (i % span)) % pages;
        uint64_t kind = rng_below(&rng, 10);
        add(&refs, (VMMRef){.addr = page * 4096 + rng_below(&rng, 4096),
                            .pid = (uint32_t)rng_below(&rng, processes),
                            .size = 1u << rng_below(&rng, 4),
                            .op = kind < 5   ? VMM_OP_READ
                                  : kind < 7 ? VMM_OP_WRITE
                                             : VMM_OP_FETCH});
    }
    return refs;
}

static Refs reduce(const Refs *refs, uint64_t frames, uint64_t page_size) {
    Refs kept = {0};
    VMMReducer *reducer;
    char error[VMM_ERROR_TEXT_BYTES];
    assert_int_equal(vmm_reducer_create(frames, page_size, collect, &kept, &reducer, error),
                     VMM_OK);
    for (size_t i = 0; i < refs->count; i += 100) {
        size_t some = refs->count - i < 100 ? refs->count - i : 100;
        assert_int_equal(vmm_reducer_add(reducer, refs->at + i, some), VMM_OK);
    }
    assert_int_equal(vmm_reducer_flush(reducer), VMM_OK);
    VMMReducerInfo info = {.struct_size = sizeof info};
    vmm_reducer_info(reducer, &info);
    assert_int_equal(info.references, refs->count);
    assert_int_equal(info.kept, kept.count);
    assert_true(info.page_references >= kept.count);
    vmm_reducer_destroy(reducer);
    return kept;
}

static void expect_equal(const Refs *refs, const Refs *kept, size_t frames, unsigned page_shift) {
    Model before = run_model(refs, frames, page_shift);
    Model after = run_model(kept, frames, page_shift);
    assert_int_equal(before.faults, after.faults);
    assert_int_equal(before.write_backs, after.write_backs);
    assert_true(before.order == after.order);
}

static void faults_and_write_backs_are_equal(void **state) {
    (void)state;
    static const size_t frames[] = {1, 2, 3, 4, 7, 8, 16, 33, 64};
    for (uint64_t seed = 0; seed < 40; seed++) {
        uint64_t pages = seed % 4 == 0 ? 5 : seed % 4 == 1 ? 20 : 120;
        Refs refs = make_trace(seed, 4000, pages, seed % 3 == 0 ? 3 : 1);
        for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
            size_t k = frames[i];
            Refs kept = reduce(&refs, k, 4096);
            expect_equal(&refs, &kept, k, 12);
            expect_equal(&refs, &kept, k + 1, 12);
            expect_equal(&refs, &kept, 2 * k, 12);
            expect_equal(&refs, &kept, 4 * k, 12);
            expect_equal(&refs, &kept, k, 14); /* larger pages */
            free(kept.at);
        }
        free(refs.at);
    }
}

/* The rule is not merely kept but used, and below k frames it does not hold. */
static void it_drops_what_it_may(void **state) {
    (void)state;
    Refs refs = {0};
    for (size_t i = 0; i < 30000; i++) { /* a loop over three pages */
        add(&refs, (VMMRef){.addr = i % 3 * 4096, .size = 1});
    }
    Refs kept = reduce(&refs, 3, 4096);
    assert_int_equal(kept.count, 6); /* the first and the last reference to each */
    free(kept.at);
    kept = reduce(&refs, 2, 4096);
    assert_int_equal(kept.count, refs.count);
    free(kept.at);
    kept = reduce(&refs, 3, 4096);
    assert_true(run_model(&refs, 2, 12).faults != run_model(&kept, 2, 12).faults);
    free(kept.at);
    free(refs.at);
}

/* The reducer against the rule in its plain, offline form: the same number is kept. */
static void it_keeps_what_the_rule_keeps(void **state) {
    (void)state;
    Refs refs = make_trace(7, 1500, 12, 1);
    for (size_t i = 0; i < refs.count; i++) {
        refs.at[i].size = 1;
    }
    for (uint64_t k = 1; k < 8; k++) {
        size_t anchor[12], held[12], kept_count = 0;
        bool has_anchor[12] = {false}, has_held[12] = {false};
        for (size_t i = 0; i < refs.count; i++) {
            size_t page = refs.at[i].addr >> 12;
            if (!has_anchor[page]) {
                has_anchor[page] = true;
                anchor[page] = i;
                kept_count++;
                continue;
            }
            bool seen[12] = {false};
            uint64_t others = 0;
            for (size_t j = anchor[page] + 1; j < i; j++) {
                size_t other = refs.at[j].addr >> 12;
                others += other != page && !seen[other];
                seen[other] = true;
            }
            if (has_held[page] && others >= k) {
                anchor[page] = held[page];
                kept_count++;
            }
            has_held[page] = true;
            held[page] = i;
        }
        for (size_t page = 0; page < 12; page++) {
            kept_count += has_held[page];
        }
        Refs kept = reduce(&refs, k, 4096);
        assert_int_equal(kept.count, kept_count);
        free(kept.at);
    }
    free(refs.at);
}

static void writes_move_to_the_next_kept_reference(void **state) {
    (void)state;
    Refs refs = {0};
    add(&refs, (VMMRef){.addr = 0x1000, .size = 8, .op = VMM_OP_READ});
    add(&refs, (VMMRef){.addr = 0x1008, .size = 8, .op = VMM_OP_WRITE});
    add(&refs, (VMMRef){.addr = 0x1010, .size = 8, .op = VMM_OP_FETCH});
    add(&refs, (VMMRef){.addr = 0x1018, .size = 8, .op = VMM_OP_READ, .tid = 4});
    Refs kept = reduce(&refs, 2, 4096);
    assert_int_equal(kept.count, 2);
    assert_int_equal(kept.at[0].op, VMM_OP_READ);
    assert_int_equal(kept.at[1].op, VMM_OP_WRITE);
    assert_int_equal(kept.at[1].tid, 4);
    assert_int_equal(kept.at[1].addr, 0x1000);
    free(kept.at);
    free(refs.at);
}

static void nothing_is_dropped_across_a_flush(void **state) {
    (void)state;
    Refs kept = {0};
    VMMReducer *reducer;
    VMMRef ref = {.addr = 0x5000, .size = 1};
    assert_int_equal(vmm_reducer_create(4, 0, collect, &kept, &reducer, NULL), VMM_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vmm_reducer_add(reducer, &ref, 1), VMM_OK);
        assert_int_equal(vmm_reducer_flush(reducer), VMM_OK);
        assert_int_equal(kept.count, i + 1);
    }
    vmm_reducer_destroy(reducer);
    free(kept.at);
}

/* A reference at the end of the address space, and one of a MiB. */
static void each_page_of_a_reference_counts(void **state) {
    (void)state;
    Refs refs = {0};
    add(&refs, (VMMRef){.addr = UINT64_MAX - 1, .size = 8});
    add(&refs, (VMMRef){.addr = 0x1800, .size = 1 << 20});
    Refs kept = reduce(&refs, 4, 4096);
    assert_int_equal(kept.count, 1 + 257);
    assert_true(kept.at[0].addr == (UINT64_MAX & ~UINT64_C(4095)));
    assert_int_equal(kept.at[257].addr, 0x101000);
    free(kept.at);
    free(refs.at);
}

static void errors_have_a_sentence(void **state) {
    (void)state;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    Refs kept = {.fail_after = 1};
    VMMReducer *reducer;
    assert_int_equal(vmm_reducer_create(0, 0, collect, &kept, &reducer, error), VMM_E_RANGE);
    assert_non_null(strstr(error, "expected 1 to"));
    assert_null(reducer);
    assert_int_equal(
        vmm_reducer_create(VMM_REDUCER_MAX_FRAMES + 1, 0, collect, &kept, &reducer, error),
        VMM_E_RANGE);
    assert_int_equal(vmm_reducer_create(8, 3000, collect, &kept, &reducer, error), VMM_E_RANGE);
    assert_non_null(strstr(error, "power of two"));
    assert_int_equal(vmm_reducer_create(8, 0, NULL, NULL, &reducer, error), VMM_E_USAGE);
    assert_int_equal(vmm_reducer_create(8, 0, collect, &kept, &reducer, error), VMM_OK);
    VMMRef ref = {.addr = 1, .size = 1};
    assert_int_equal(vmm_reducer_add(reducer, &ref, 1), VMM_OK);
    assert_int_equal(vmm_reducer_flush(reducer), VMM_E_WRITE);
    assert_int_equal(vmm_reducer_add(reducer, &ref, 1), VMM_E_WRITE);
    vmm_reducer_destroy(reducer);
    vmm_reducer_destroy(NULL);
    free(kept.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_and_write_backs_are_equal),
        cmocka_unit_test(it_drops_what_it_may),
        cmocka_unit_test(it_keeps_what_the_rule_keeps),
        cmocka_unit_test(writes_move_to_the_next_kept_reference),
        cmocka_unit_test(nothing_is_dropped_across_a_flush),
        cmocka_unit_test(each_page_of_a_reference_counts),
        cmocka_unit_test(errors_have_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
