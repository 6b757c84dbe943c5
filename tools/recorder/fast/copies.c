/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy and its relatives: calls of functions of the C library, whose own loads and stores are not
 * seen. A program is linked with --wrap=memcpy,...: its calls come here, and __real_memcpy is the
 * library's function. (A program linked otherwise never comes here; hence the weak references.)
 *
 * Some compilers call __tsan_memcpy instead. Who has no __real_memcpy is then given a plain loop.
 */
#include "fast.h"

#define FAST_WEAK __attribute__((weak))

extern void *__real_memcpy(void *to, const void *from, size_t size) FAST_WEAK;
extern void *__real_memmove(void *to, const void *from, size_t size) FAST_WEAK;
extern void *__real_memset(void *to, int value, size_t size) FAST_WEAK;
extern void *__real___memcpy_chk(void *to, const void *from, size_t size, size_t room) FAST_WEAK;
extern void *__real___memmove_chk(void *to, const void *from, size_t size, size_t room) FAST_WEAK;
extern void *__real___memset_chk(void *to, int value, size_t size, size_t room) FAST_WEAK;

static void fast_record_copy(void *to, const void *from, size_t size) {
    fast_record_range(from, VMM_OP_READ, size);
    fast_record_range(to, VMM_OP_WRITE, size);
}

static void *fast_move(void *to, const void *from, size_t size) {
    volatile char *target = to;
    const volatile char *source = from;
    if ((uintptr_t)to <= (uintptr_t)from) {
        for (size_t i = 0; i < size; i++) {
            target[i] = source[i];
        }
    } else {
        while (size-- > 0) {
            target[size] = source[size];
        }
    }
    return to;
}

static void *fast_set(void *to, int value, size_t size) {
    for (size_t i = 0; i < size; i++) {
        ((volatile char *)to)[i] = (char)value;
    }
    return to;
}

#define FAST_COPY(name, real)                                                   \
    FAST_API void *name(void *to, const void *from, size_t size);               \
    void *name(void *to, const void *from, size_t size) {                       \
        fast_record_copy(to, from, size);                                       \
        return real != NULL ? real(to, from, size) : fast_move(to, from, size); \
    }

#define FAST_SET(name)                                                                             \
    FAST_API void *name(void *to, int value, size_t size);                                         \
    void *name(void *to, int value, size_t size) {                                                 \
        fast_record_range(to, VMM_OP_WRITE, size);                                                 \
        return __real_memset != NULL ? __real_memset(to, value, size) : fast_set(to, value, size); \
    }

#define FAST_COPY_CHECKED(name, real)                                          \
    FAST_API void *name(void *to, const void *from, size_t size, size_t room); \
    void *name(void *to, const void *from, size_t size, size_t room) {         \
        if (size <= room) {                                                    \
            fast_record_copy(to, from, size);                                  \
        }                                                                      \
        return real(to, from, size, room);                                     \
    }

FAST_COPY(__wrap_memcpy, __real_memcpy)
FAST_COPY(__wrap_memmove, __real_memmove)
FAST_COPY(__tsan_memcpy, __real_memcpy)
FAST_COPY(__tsan_memmove, __real_memmove)
FAST_SET(__wrap_memset)
FAST_SET(__tsan_memset)
FAST_COPY_CHECKED(__wrap___memcpy_chk, __real___memcpy_chk)
FAST_COPY_CHECKED(__wrap___memmove_chk, __real___memmove_chk)

FAST_API void *__wrap___memset_chk(void *to, int value, size_t size, size_t room);
void *__wrap___memset_chk(void *to, int value, size_t size, size_t room) {
    if (size <= room) {
        fast_record_range(to, VMM_OP_WRITE, size);
    }
    return __real___memset_chk(to, value, size, room);
}
