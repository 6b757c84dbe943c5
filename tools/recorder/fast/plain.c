/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compilers copy and clear structures by calls of memcpy and memset. In the runtime these must not
 * be the functions that it records: here are its own. They are hidden, and local once the runtime
 * is one object, so that nobody else meets them.
 */
#include <string.h>

#include "fast.h"

#define FAST_HIDDEN __attribute__((visibility("hidden")))

FAST_HIDDEN void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    volatile char *target = to;
    const char *source = from;
    for (size_t i = 0; i < size; i++) {
        target[i] = source[i];
    }
    return to;
}

FAST_HIDDEN void *memset(void *to, int value, size_t size) {
    volatile char *target = to;
    for (size_t i = 0; i < size; i++) {
        target[i] = (char)value;
    }
    return to;
}
