/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What -fsanitize=thread makes of loads and stores: a call with the address, before the access.
 *
 *     plain                      __tsan_read4(p)
 *     not known to be aligned    __tsan_unaligned_read4(p)
 *     volatile                   __tsan_volatile_read4(p), or as plain ones
 *     load and store of one      __tsan_read_write4(p), clang only; else a store
 *     other sizes (structs)      __tsan_read_range(p, bytes)
 *     pointers to vtables        __tsan_vptr_read(p), __tsan_vptr_update(p, new value)
 *
 * Race detection needs to know the call stack: __tsan_func_entry() and _exit(). We do not.
 */
#include "fast.h"

FAST_API void __tsan_func_entry(void *caller);
FAST_API void __tsan_func_exit(void);
FAST_API void __tsan_vptr_read(void **place);
FAST_API void __tsan_vptr_update(void **place, void *value);
FAST_API void __tsan_read_range(void *address, unsigned long size);
FAST_API void __tsan_write_range(void *address, unsigned long size);

#define FAST_ONE(name, op, size)                 \
    FAST_API void __tsan_##name(void *address);  \
    FAST_API void __tsan_##name(void *address) { \
        fast_record(address, op, size);          \
    }

#define FAST_BOTH(name, size)                     \
    FAST_API void __tsan_##name(void *address);   \
    FAST_API void __tsan_##name(void *address) {  \
        fast_record(address, VMM_OP_READ, size);  \
        fast_record(address, VMM_OP_WRITE, size); \
    }

#define FAST_SIZE(size)                                \
    FAST_ONE(read##size, VMM_OP_READ, size)            \
    FAST_ONE(write##size, VMM_OP_WRITE, size)          \
    FAST_ONE(volatile_read##size, VMM_OP_READ, size)   \
    FAST_ONE(volatile_write##size, VMM_OP_WRITE, size) \
    FAST_BOTH(read_write##size, size)

#define FAST_SIZE_UNALIGNED(size)                                \
    FAST_SIZE(size)                                              \
    FAST_ONE(unaligned_read##size, VMM_OP_READ, size)            \
    FAST_ONE(unaligned_write##size, VMM_OP_WRITE, size)          \
    FAST_ONE(unaligned_volatile_read##size, VMM_OP_READ, size)   \
    FAST_ONE(unaligned_volatile_write##size, VMM_OP_WRITE, size) \
    FAST_BOTH(unaligned_read_write##size, size)

FAST_SIZE(1)
FAST_SIZE_UNALIGNED(2)
FAST_SIZE_UNALIGNED(4)
FAST_SIZE_UNALIGNED(8)
FAST_SIZE_UNALIGNED(16)

void __tsan_func_entry(void *caller) {
    (void)caller;
}

void __tsan_func_exit(void) {}

void __tsan_vptr_read(void **place) {
    fast_record(place, VMM_OP_READ, sizeof(void *));
}

void __tsan_vptr_update(void **place, void *value) {
    (void)value;
    fast_record(place, VMM_OP_WRITE, sizeof(void *));
}

void fast_record_range(const volatile void *address, VMMOp op, size_t size) {
    const volatile char *start = address;
    while (size > 0) {
        size_t line = 64 - ((uintptr_t)start & 63);
        size_t part = size < line ? size : line;
        fast_record(start, op, part);
        start += part;
        size -= part;
    }
}

void __tsan_read_range(void *address, unsigned long size) {
    fast_record_range(address, VMM_OP_READ, size);
}

void __tsan_write_range(void *address, unsigned long size) {
    fast_record_range(address, VMM_OP_WRITE, size);
}
