/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mappings of an address space beside a naive model: one cell for each page, which knows its
 * object, protection and offset. The users of an object are the mappings that show it, so their
 * number tells that neighbours are joined and pieces counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/base/rng.h"
#include "../../src/mm/mapping.h"
#include "account.h"

enum { PAGES = 48, OBJECTS = 3 };
#define PAGE UINT64_C(4096)

typedef struct Cell {
    bool mapped;
    uint32_t object;
    uint64_t offset;
    uint8_t prot;
    uint16_t flags;
} Cell;

typedef struct Uses {
    int64_t of[OBJECTS + 1];
} Uses;

static void count_use(void *user, uint32_t object, int change) {
    Uses *uses = user;
    assert_in_range(object, 1, OBJECTS);
    uses->of[object] += change;
    assert_true(uses->of[object] >= 0);
}

static bool cells_continue(const Cell *a, const Cell *b) {
    return a->mapped && b->mapped && a->object == b->object && a->prot == b->prot &&
           a->flags == b->flags && (a->object == 0 || a->offset + PAGE == b->offset);
}

static void assert_same(const Mappings *maps, const Cell *cells, const Uses *uses) {
    Uses expected = {{0}};
    assert_true(mappings_are_valid(maps));
    for (uint64_t page = 0; page < PAGES; page++) {
        const Cell *cell = &cells[page];
        const Mapping *found = mappings_of(maps, page * PAGE + 5);
        assert_int_equal(found != NULL, cell->mapped);
        if (found == NULL) {
            continue;
        }
        assert_int_equal(found->object, cell->object);
        assert_int_equal(found->prot, cell->prot);
        assert_int_equal(found->flags, cell->flags);
        if (cell->object != 0) {
            assert_int_equal(found->offset + page * PAGE - found->start, cell->offset);
        }
        expected.of[cell->object] +=
            cell->object != 0 && (page == 0 || !cells_continue(&cells[page - 1], cell));
    }
    for (int object = 1; object <= OBJECTS && uses != NULL; object++) {
        assert_int_equal(uses->of[object], expected.of[object]);
    }
}

static void random_change(Mappings *maps, Cell *cells, const Memory *memory, Uses *uses, Rng *rng) {
    uint64_t first = rng_below(rng, PAGES);
    uint64_t count = 1 + rng_below(rng, PAGES - first < 9 ? PAGES - first : 9);
    uint64_t start = first * PAGE;
    uint64_t end = start + count * PAGE;
    uint8_t prot = (uint8_t)(1 + 2 * rng_below(rng, 2));
    switch (rng_below(rng, 4)) {
    case 0:
        assert_true(mappings_cut(maps, memory, start, end, count_use, uses));
        memset(&cells[first], 0, count * sizeof *cells);
        break;
    case 1:
        assert_true(mappings_protect(maps, memory, start, end, prot, count_use, uses));
        for (uint64_t page = first; page < first + count; page++) {
            cells[page].prot = cells[page].mapped ? prot : 0;
        }
        break;
    default: {
        Mapping added = {start,
                         end,
                         (first + rng_below(rng, 2)) * PAGE,
                         (uint32_t)rng_below(rng, OBJECTS + 1),
                         prot,
                         (uint8_t)rng_below(rng, 2)};
        assert_true(mappings_add(maps, memory, &added, count_use, uses));
        for (uint64_t page = first; page < first + count; page++) {
            cells[page] = (Cell){true, added.object, added.offset + (page - first) * PAGE,
                                 added.prot, added.flags};
        }
    }
    }
}

static void mappings_are_what_cells_are(void **state) {
    (void)state;
    Rng rng = rng_seed(1, "mappings");
    for (int round = 0; round < 20; round++) {
        Account account = {0};
        const Memory memory = account_memory(&account);
        Mappings maps = {0};
        Uses uses = {{0}};
        Cell cells[PAGES] = {{0}};
        for (int i = 0; i < 500; i++) {
            random_change(&maps, cells, &memory, &uses, &rng);
            assert_same(&maps, cells, &uses);
        }
        Mappings copy = {0};
        Uses copied = {{0}};
        assert_true(mappings_copy(&copy, &maps, &memory, count_use, &copied));
        assert_same(&copy, cells, &copied);
        mappings_clear(&maps, count_use, &uses);
        assert_memory_equal(&uses, &(Uses){{0}}, sizeof uses);
        assert_null(mappings_find(&maps, 0, UINT64_MAX));
        mappings_free(&maps, &memory);
        mappings_free(&copy, &memory);
        account_is_settled(&account);
    }
}

/* The ends of the address space, ranges that are empty or hit nothing, searches. */
static void borders_are_exact(void **state) {
    (void)state;
    Mappings maps = {0};
    Uses uses = {{0}};
    const Memory *memory = &memory_default;
    const Mapping high = {UINT64_MAX - PAGE, UINT64_MAX, 0, 1, 3, 0};
    const Mapping low = {0, 1, 7, 2, 3, 0};
    assert_null(mappings_of(&maps, 0));
    assert_true(mappings_add(&maps, memory, &high, count_use, &uses));
    assert_true(mappings_add(&maps, memory, &low, count_use, &uses));
    assert_int_equal(mappings_of(&maps, 0)->object, 2);
    assert_null(mappings_of(&maps, 1));
    assert_int_equal(mappings_of(&maps, UINT64_MAX - 1)->object, 1);
    assert_null(mappings_of(&maps, UINT64_MAX));
    assert_int_equal(mappings_find(&maps, 1, UINT64_MAX)->object, 1);
    assert_null(mappings_find(&maps, 1, UINT64_MAX - PAGE));
    assert_true(mappings_cut(&maps, memory, 0, 0, count_use, &uses));
    assert_true(mappings_cut(&maps, memory, 9, 5, count_use, &uses));
    assert_true(mappings_protect(&maps, memory, 1, PAGE, 1, count_use, &uses));
    assert_int_equal(uses.of[1] + uses.of[2], 2);
    assert_true(mappings_cut(&maps, memory, 0, UINT64_MAX, count_use, &uses));
    assert_int_equal(uses.of[1] + uses.of[2], 0);
    mappings_free(&maps, memory);
}

/* Whichever allocation fails: a cut and a protection then change nothing, an addition leaves what
   is valid, and the uses are those of what is there. */
static void lack_of_memory_leaves_what_is_valid(void **state) {
    (void)state;
    bool failed = true;
    for (size_t k = 1; failed; k++) {
        Account account = {.fail_at = k};
        const Memory memory = account_memory(&account);
        Mappings maps = {0};
        Mappings copy = {0};
        Uses uses = {{0}};
        failed = false;
        for (uint64_t i = 0; i < 40; i++) {
            const Mapping one = {i * 3 * PAGE, (i * 3 + 2) * PAGE, 0, 1, 3, 0};
            failed |= !mappings_add(&maps, &memory, &one, count_use, &uses);
            uint64_t middle = one.start + PAGE / 2;
            failed |= !mappings_cut(&maps, &memory, middle, middle + 8, count_use, &uses);
            failed |=
                !mappings_protect(&maps, &memory, middle + 64, middle + 72, 1, count_use, &uses);
            assert_true(mappings_are_valid(&maps));
        }
        failed |= !mappings_copy(&copy, &maps, &memory, count_use, &uses);
        mappings_clear(&maps, count_use, &uses);
        mappings_clear(&copy, count_use, &uses);
        assert_int_equal(uses.of[1], 0);
        mappings_free(&maps, &memory);
        mappings_free(&copy, &memory);
        account_is_settled(&account);
        assert_true(failed || k > 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_are_what_cells_are),
        cmocka_unit_test(borders_are_exact),
        cmocka_unit_test(lack_of_memory_leaves_what_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
