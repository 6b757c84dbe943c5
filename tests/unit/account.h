/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator that counts, for unit tests of what takes its memory from a `Memory`: each size that
 * is told on growth and release is checked, and one call can be told to fail.
 */
#ifndef VMM_TESTS_UNIT_ACCOUNT_H
#define VMM_TESTS_UNIT_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/memory.h"

/* Each block is preceded by its size, so that sizes told on release can be checked. */
typedef struct Account {
    size_t bytes;
    size_t blocks;
    size_t calls;
    size_t fail_at; /* the call that gets no memory; 0: none */
} Account;

enum { ACCOUNT_HEAD = 16 };

static inline void *account_zalloc(void *user, size_t size) {
    Account *account = user;
    if (++account->calls == account->fail_at) {
        return NULL;
    }
    char *block = calloc(1, size + ACCOUNT_HEAD);
    assert_non_null(block);
    memcpy(block, &size, sizeof size);
    account->bytes += size;
    account->blocks++;
    return block + ACCOUNT_HEAD;
}

static inline void *account_resize(void *user, void *old, size_t old_size, size_t new_size) {
    Account *account = user;
    if (++account->calls == account->fail_at) {
        return NULL;
    }
    assert_memory_equal((char *)old - ACCOUNT_HEAD, &old_size, sizeof old_size);
    char *block = realloc((char *)old - ACCOUNT_HEAD, new_size + ACCOUNT_HEAD);
    assert_non_null(block);
    memcpy(block, &new_size, sizeof new_size);
    account->bytes += new_size - old_size;
    return block + ACCOUNT_HEAD;
}

static inline void account_release(void *user, void *block, size_t size) {
    Account *account = user;
    assert_memory_equal((char *)block - ACCOUNT_HEAD, &size, sizeof size);
    account->bytes -= size;
    account->blocks--;
    free((char *)block - ACCOUNT_HEAD);
}

static inline Memory account_memory(Account *account) {
    return (Memory){account_zalloc, account_resize, account_release, account};
}

/* Nothing is left. */
static inline void account_is_settled(const Account *account) {
    assert_int_equal(account->blocks, 0);
    assert_int_equal(account->bytes, 0);
}

#endif
