/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Atomic operations. Compilers replace them by calls, so these functions perform them, too. The
 * order that the program asked for is given as a number; the strongest one satisfies all.
 *
 * A load is a read, a store a write, all others are both: a processor writes the line even when a
 * comparison fails.
 */
#include "fast.h"

#define FAST_ATOMIC_FETCH(type, bits, name)                                                   \
    FAST_API type __tsan_atomic##bits##_##name(volatile type *place, type value, int order);  \
    FAST_API type __tsan_atomic##bits##_##name(volatile type *place, type value, int order) { \
        (void)order;                                                                          \
        fast_record(place, VMM_OP_READ, sizeof(type));                                        \
        fast_record(place, VMM_OP_WRITE, sizeof(type));                                       \
        return FAST_DO(name, type, place, value);                                             \
    }

/* The comparison that returns what it found, and those that store it and return how it ended. */
#define FAST_ATOMIC_COMPARE(type, bits)                                                            \
    FAST_API type __tsan_atomic##bits##_compare_exchange_val(volatile type *place, type expected,  \
                                                             type value, int order, int failure);  \
    FAST_API type __tsan_atomic##bits##_compare_exchange_val(volatile type *place, type expected,  \
                                                             type value, int order, int failure) { \
        (void)order;                                                                               \
        (void)failure;                                                                             \
        fast_record(place, VMM_OP_READ, sizeof(type));                                             \
        fast_record(place, VMM_OP_WRITE, sizeof(type));                                            \
        return __sync_val_compare_and_swap(place, expected, value);                                \
    }                                                                                              \
    FAST_ATOMIC_COMPARE_NAMED(type, bits, strong)                                                  \
    FAST_ATOMIC_COMPARE_NAMED(type, bits, weak)

#define FAST_ATOMIC_COMPARE_NAMED(type, bits, name)                                           \
    FAST_API int __tsan_atomic##bits##_compare_exchange_##name(                               \
        volatile type *place, type *expected, type value, int order, int failure);            \
    FAST_API int __tsan_atomic##bits##_compare_exchange_##name(                               \
        volatile type *place, type *expected, type value, int order, int failure) {           \
        type wanted = *expected;                                                              \
        type found =                                                                          \
            __tsan_atomic##bits##_compare_exchange_val(place, wanted, value, order, failure); \
        if (found == wanted) {                                                                \
            return 1;                                                                         \
        }                                                                                     \
        *expected = found;                                                                    \
        return 0;                                                                             \
    }

#define FAST_ATOMIC(type, bits)                                                              \
    FAST_API type __tsan_atomic##bits##_load(const volatile type *place, int order);         \
    FAST_API type __tsan_atomic##bits##_load(const volatile type *place, int order) {        \
        (void)order;                                                                         \
        fast_record(place, VMM_OP_READ, sizeof(type));                                       \
        return FAST_LOAD(type, place);                                                       \
    }                                                                                        \
    FAST_API void __tsan_atomic##bits##_store(volatile type *place, type value, int order);  \
    FAST_API void __tsan_atomic##bits##_store(volatile type *place, type value, int order) { \
        (void)order;                                                                         \
        fast_record(place, VMM_OP_WRITE, sizeof(type));                                      \
        FAST_STORE(type, place, value);                                                      \
    }                                                                                        \
    FAST_ATOMIC_FETCH(type, bits, exchange)                                                  \
    FAST_ATOMIC_FETCH(type, bits, fetch_add)                                                 \
    FAST_ATOMIC_FETCH(type, bits, fetch_sub)                                                 \
    FAST_ATOMIC_FETCH(type, bits, fetch_and)                                                 \
    FAST_ATOMIC_FETCH(type, bits, fetch_or)                                                  \
    FAST_ATOMIC_FETCH(type, bits, fetch_xor)                                                 \
    FAST_ATOMIC_FETCH(type, bits, fetch_nand)                                                \
    FAST_ATOMIC_COMPARE(type, bits)

/* Up to 8 bytes the compiler's builtins are instructions. */
#define FAST_LOAD(type, place) __atomic_load_n(place, __ATOMIC_SEQ_CST)
#define FAST_STORE(type, place, value) __atomic_store_n(place, value, __ATOMIC_SEQ_CST)
#define FAST_DO(name, type, place, value) FAST_DO_##name(place, value)
#define FAST_DO_exchange(place, value) __atomic_exchange_n(place, value, __ATOMIC_SEQ_CST)
#define FAST_DO_fetch_add(place, value) __atomic_fetch_add(place, value, __ATOMIC_SEQ_CST)
#define FAST_DO_fetch_sub(place, value) __atomic_fetch_sub(place, value, __ATOMIC_SEQ_CST)
#define FAST_DO_fetch_and(place, value) __atomic_fetch_and(place, value, __ATOMIC_SEQ_CST)
#define FAST_DO_fetch_or(place, value) __atomic_fetch_or(place, value, __ATOMIC_SEQ_CST)
#define FAST_DO_fetch_xor(place, value) __atomic_fetch_xor(place, value, __ATOMIC_SEQ_CST)
#define FAST_DO_fetch_nand(place, value) __atomic_fetch_nand(place, value, __ATOMIC_SEQ_CST)

FAST_ATOMIC(uint8_t, 8)
FAST_ATOMIC(uint16_t, 16)
FAST_ATOMIC(uint32_t, 32)
FAST_ATOMIC(uint64_t, 64)

/*
 * 16 bytes: the builtins would call libatomic. What is an instruction everywhere is the comparison,
 * with -mcx16 on x86-64; all others are made of it, in a loop until nobody else came between.
 */
#if defined __SIZEOF_INT128__ && defined __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16
__extension__ typedef unsigned __int128 FastWide;

#define FAST_WIDE(name, result)                                                         \
    static inline FastWide fast_wide_##name(volatile FastWide *place, FastWide value) { \
        FastWide old = *place, found;                                                   \
        while ((found = __sync_val_compare_and_swap(place, old, result)) != old) {      \
            old = found;                                                                \
        }                                                                               \
        return old;                                                                     \
    }

FAST_WIDE(exchange, value)
FAST_WIDE(fetch_add, old + value)
FAST_WIDE(fetch_sub, old - value)
FAST_WIDE(fetch_and, old &value)
FAST_WIDE(fetch_or, old | value)
FAST_WIDE(fetch_xor, old ^ value)
FAST_WIDE(fetch_nand, ~(old &value))

#undef FAST_LOAD
#undef FAST_STORE
#undef FAST_DO
#define FAST_LOAD(type, place) __sync_val_compare_and_swap((volatile type *)(place), 0, 0)
#define FAST_STORE(type, place, value) (void)fast_wide_exchange(place, value)
#define FAST_DO(name, type, place, value) fast_wide_##name(place, value)

FAST_ATOMIC(FastWide, 128)
#endif

FAST_API void __tsan_atomic_thread_fence(int order);
FAST_API void __tsan_atomic_signal_fence(int order);

void __tsan_atomic_thread_fence(int order) {
    (void)order;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order) {
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
