/* SPDX-License-Identifier: Apache-2.0 */
/* Every atomic operation on every size, alone and by two threads at once; prints the results. */
#include <pthread.h>
#include <stdio.h>

enum { ROUNDS = 20000 };

/* Two words that only a 16-byte operation changes together. */
__extension__ typedef unsigned __int128 Wide;

#define ONE(type, name)                                                                         \
    static type name##_place;                                                                   \
    static void name##_all(void) {                                                              \
        type *p = &name##_place, wanted = 100, other = 77;                                      \
        unsigned long long sum = 0;                                                             \
        __atomic_store_n(p, 90, __ATOMIC_RELEASE);                                              \
        sum = sum * 31 + (unsigned long long)__atomic_exchange_n(p, 91, __ATOMIC_ACQ_REL);      \
        sum = sum * 31 + (unsigned long long)__atomic_fetch_add(p, 9, __ATOMIC_RELAXED);        \
        int first =                                                                             \
            __atomic_compare_exchange_n(p, &wanted, 60, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); \
        int second =                                                                            \
            __atomic_compare_exchange_n(p, &other, 61, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);  \
        sum = sum * 31 + (unsigned long long)other;                                             \
        sum = sum * 31 + (unsigned long long)__atomic_fetch_sub(p, 3, __ATOMIC_SEQ_CST);        \
        sum = sum * 31 + (unsigned long long)__atomic_fetch_or(p, 4, __ATOMIC_SEQ_CST);         \
        sum = sum * 31 + (unsigned long long)__atomic_fetch_and(p, 0x3d, __ATOMIC_SEQ_CST);     \
        sum = sum * 31 + (unsigned long long)__atomic_fetch_xor(p, 0x55, __ATOMIC_SEQ_CST);     \
        sum = sum * 31 + (unsigned long long)__atomic_fetch_nand(p, 0x1f, __ATOMIC_SEQ_CST);    \
        sum = sum * 31 + (unsigned long long)__atomic_load_n(p, __ATOMIC_ACQUIRE);              \
        __atomic_thread_fence(__ATOMIC_SEQ_CST);                                                \
        __atomic_signal_fence(__ATOMIC_SEQ_CST);                                                \
        printf("%s %d %d %llu %p\n", #name, first, second, sum, (void *)p);                     \
        __atomic_store_n(p, 0, __ATOMIC_SEQ_CST);                                               \
    }                                                                                           \
    static void name##_step(void) {                                                             \
        type old = __atomic_load_n(&name##_place, __ATOMIC_RELAXED);                            \
        while (!__atomic_compare_exchange_n(&name##_place, &old, (type)(old + 1), 1,            \
                                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {}             \
        __atomic_fetch_add(&name##_place, 2, __ATOMIC_SEQ_CST);                                 \
    }

ONE(unsigned char, one)
ONE(unsigned short, two)
ONE(unsigned, four)
ONE(unsigned long, eight)
ONE(Wide, sixteen)

static void *atomics_work(void *nothing) {
    for (int i = 0; i < ROUNDS; i++) {
        one_step();
        two_step();
        four_step();
        eight_step();
        sixteen_step();
    }
    return nothing;
}

int main(void) {
    pthread_t other;
    one_all();
    two_all();
    four_all();
    eight_all();
    sixteen_all();
    pthread_create(&other, NULL, atomics_work, NULL);
    atomics_work(NULL);
    pthread_join(other, NULL);
    printf("%u %u %u %lu %lu\n", one_place, two_place, four_place, eight_place,
           (unsigned long)sixteen_place);
    return 0;
}
