/* SPDX-License-Identifier: Apache-2.0 */
/* What the code asks of the compiler beyond C17, in one place. gcc and clang understand it all. */
#ifndef VMM_BASE_COMPILER_H
#define VMM_BASE_COMPILER_H

#define VMM_LIKELY(x) __builtin_expect(!!(x), 1)
#define VMM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define VMM_ALWAYS_INLINE static inline __attribute__((always_inline))
#define VMM_NOINLINE __attribute__((noinline))
#define VMM_COLD __attribute__((noinline, cold))
#define VMM_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#define VMM_UNUSED __attribute__((unused))
/* A loop over an array that is worth vectorising; gcc does so only at -O3, clang by itself. */
#if defined(__GNUC__) && !defined(__clang__)
#define VMM_VECTORISED __attribute__((optimize("O3")))
#else
#define VMM_VECTORISED
#endif
/*
 * Most x86-64 processors have wider vectors and instructions for bits; a function that gains much
 * from them is compiled twice, the second time with VMM_WIDE, and chosen by vmm_is_wide().
 */
#if defined(__x86_64__)
#define VMM_WIDE __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define vmm_is_wide()                                                   \
    (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && \
     __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
#else
#define VMM_WIDE
#define vmm_is_wide() 0
#endif
#define VMM_PREFETCH(address) __builtin_prefetch(address)

/* Array length, for arrays only. */
#define VMM_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A check of the checking build (-DVMM_CHECKING): an invariant, too dear for the release. */
#include <assert.h>
#ifdef VMM_CHECKING
#define VMM_CHECK(condition) assert(condition)
#else
#define VMM_CHECK(condition) ((void)0)
#endif

#endif
