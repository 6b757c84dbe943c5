/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of object pages and memory objects: given out, found again, given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/base/rng.h"
#include "../../src/mm/object.h"
#include "account.h"

/* A free number goes to the space that it was charged to, and to no other. */
static void numbers_stay_with_their_space(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    Objects objects = {0};
    assert_true(objects_begin(&objects, &memory, 4, 2));
    uint32_t one = objects_new_page(&objects, &memory, OBJECT_ANONYMOUS, 0, 9);
    assert_int_equal(one, 4);
    assert_int_equal(objects.owners[one], 0);
    assert_int_equal(objects.name[one], 9);
    objects.owners[one] = 2;
    assert_false(objects_release(&objects, one));
    assert_true(objects_release(&objects, one));
    assert_int_equal(objects_new_page(&objects, &memory, OBJECT_ANONYMOUS, 70, 1), 5);
    assert_int_equal(objects_new_page(&objects, &memory, OBJECT_ZEROS, 0, 3), one);
    assert_int_equal(objects.kind[one], OBJECT_ZEROS);
    assert_int_equal(objects.name[one], 3);
    objects_free(&objects, &memory);
    account_is_settled(&account);
}

enum { FILES = 5, INDICES = 400 };

/* Places of a file that differ in their highest bits only, too. */
static uint64_t index_of(uint32_t i) {
    return (uint64_t)i << (i % 2 == 0 ? 0 : 45);
}

/* Across the growth of the table, and while others are taken out of its chains. */
static void named_pages_are_found_again(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    Objects objects = {0};
    uint32_t page_of[FILES][INDICES];
    uint32_t object[FILES];
    assert_int_equal(objects_find(&objects, 1, 0), OBJECT_NO_PAGE);
    assert_true(objects_begin(&objects, &memory, 1, 1));
    for (uint32_t f = 0; f < FILES; f++) {
        object[f] = objects_add(&objects, &memory, OBJECT_SHARED);
        for (uint32_t i = 0; i < INDICES; i++) {
            page_of[f][i] = objects_page(&objects, &memory, object[f], index_of(i), 0, 1);
            assert_int_equal(objects.owners[page_of[f][i]], 1);
        }
    }
    for (uint32_t gone = 0; gone <= FILES; gone++) {
        for (uint32_t f = 0; f < FILES; f++) {
            for (uint32_t i = 0; i < INDICES; i++) {
                uint32_t expected = f < gone ? OBJECT_NO_PAGE : page_of[f][i];
                assert_int_equal(objects_find(&objects, object[f], index_of(i)), expected);
            }
        }
        for (uint32_t page;
             gone < FILES && (page = objects_take_page(&objects, object[gone])) != 0;) {
            assert_true(objects_release(&objects, page));
        }
    }
    assert_int_equal(objects.named, 0);
    objects_free(&objects, &memory);
    account_is_settled(&account);
}

/* Anonymous segments come and go without end; files of the trace keep their objects. */
static void numbers_of_segments_are_given_out_again(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    Objects objects = {0};
    uint32_t file = objects_file(&objects, &memory, 7, OBJECT_FILE);
    uint32_t segment = objects_add(&objects, &memory, OBJECT_SHARED);
    uint32_t other = objects_add(&objects, &memory, OBJECT_SHARED);
    size_t bytes = account.bytes;
    for (int i = 0; i < 100000; i++) {
        objects_remove(&objects, segment);
        assert_int_equal(objects_add(&objects, &memory, OBJECT_SHARED), segment);
    }
    objects_remove(&objects, other);
    objects_remove(&objects, segment);
    assert_int_equal(objects_add(&objects, &memory, OBJECT_SHARED), segment);
    assert_int_equal(objects_add(&objects, &memory, OBJECT_SHARED), other);
    objects_remove(&objects, file);
    assert_int_equal(objects_file(&objects, &memory, 7, OBJECT_FILE), file);
    assert_int_equal(account.bytes, bytes);
    objects_free(&objects, &memory);
    account_is_settled(&account);
}

/* The largest number of a file costs what the smallest costs. */
static void files_may_have_any_number(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    Objects objects = {0};
    assert_int_equal(objects_find_file(&objects, 1), OBJECT_NONE);
    uint32_t highest = objects_file(&objects, &memory, UINT32_MAX, OBJECT_FILE);
    assert_true(account.bytes < 65536);
    uint32_t numbers[1000];
    for (uint32_t i = 0; i < 1000; i++) { /* across the growth of the table */
        numbers[i] = objects_file(&objects, &memory, 1 + i * 4000037, OBJECT_FILE);
        assert_int_not_equal(numbers[i], OBJECT_NONE);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(objects_find_file(&objects, 1 + i * 4000037), numbers[i]);
        assert_int_equal(objects_file(&objects, &memory, 1 + i * 4000037, OBJECT_FILE), numbers[i]);
    }
    assert_int_equal(objects_find_file(&objects, UINT32_MAX), highest);
    assert_int_equal(objects_find_file(&objects, 2), OBJECT_NONE);
    objects_free(&objects, &memory);
    account_is_settled(&account);
}

/* Makes pages and objects of all kinds; false at the first that cannot be had. */
static bool make_some(Objects *objects, const Memory *memory) {
    if (!objects_begin(objects, memory, 3, 1)) {
        return false;
    }
    for (uint32_t i = 1; i <= 300; i++) {
        uint32_t object = objects_file(objects, memory, i * 1000, OBJECT_FILE);
        if (object == OBJECT_NONE || objects_add(objects, memory, OBJECT_SHARED) == OBJECT_NONE ||
            objects_page(objects, memory, object, i, i % 40, 1) == OBJECT_NO_PAGE ||
            objects_new_page(objects, memory, OBJECT_ANONYMOUS, i % 50, 1) == OBJECT_NO_PAGE) {
            return false;
        }
    }
    return true;
}

/* Whichever allocation fails: what was made before is still found, and nothing leaks. */
static void lack_of_memory_is_told(void **state) {
    (void)state;
    bool made = false;
    size_t k = 0;
    while (!made) {
        Account account = {.fail_at = ++k};
        const Memory memory = account_memory(&account);
        Objects objects = {0};
        made = make_some(&objects, &memory);
        assert_int_equal(made, account.calls < k);
        for (uint32_t page = 3; page < objects.count; page++) {
            if (objects.kind[page] == OBJECT_FILE) {
                assert_int_equal(objects_find(&objects, objects.within[page], objects.index[page]),
                                 page);
            }
        }
        assert_int_equal(objects_find_file(&objects, 1) == OBJECT_NONE, true);
        objects_free(&objects, &memory);
        account_is_settled(&account);
    }
    assert_true(k > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stay_with_their_space),
        cmocka_unit_test(named_pages_are_found_again),
        cmocka_unit_test(numbers_of_segments_are_given_out_again),
        cmocka_unit_test(files_may_have_any_number),
        cmocka_unit_test(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
