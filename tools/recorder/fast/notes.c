/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs tell a race detector when they find that they are compiled for one: locks, fibers,
 * what happens before what. They would not link without these functions; recording needs none.
 */
#include "fast.h"

#define FAST_NOTE(name)       \
    FAST_API void name(void); \
    void name(void) {}

/* Parameters are passed in registers: what the callers give beyond these is left where it is. */
#define FAST_NOTES(X)               \
    X(__tsan_acquire)               \
    X(__tsan_release)               \
    X(__tsan_mutex_create)          \
    X(__tsan_mutex_destroy)         \
    X(__tsan_mutex_pre_lock)        \
    X(__tsan_mutex_post_lock)       \
    X(__tsan_mutex_post_unlock)     \
    X(__tsan_mutex_pre_signal)      \
    X(__tsan_mutex_post_signal)     \
    X(__tsan_mutex_pre_divert)      \
    X(__tsan_mutex_post_divert)     \
    X(__tsan_destroy_fiber)         \
    X(__tsan_switch_to_fiber)       \
    X(__tsan_set_fiber_name)        \
    X(__tsan_flush_memory)          \
    X(__tsan_ignore_thread_begin)   \
    X(__tsan_ignore_thread_end)     \
    X(AnnotateHappensBefore)        \
    X(AnnotateHappensAfter)         \
    X(AnnotateRWLockCreate)         \
    X(AnnotateRWLockCreateStatic)   \
    X(AnnotateRWLockDestroy)        \
    X(AnnotateRWLockAcquired)       \
    X(AnnotateRWLockReleased)       \
    X(AnnotateBenignRace)           \
    X(AnnotateBenignRaceSized)      \
    X(AnnotateIgnoreReadsBegin)     \
    X(AnnotateIgnoreReadsEnd)       \
    X(AnnotateIgnoreWritesBegin)    \
    X(AnnotateIgnoreWritesEnd)      \
    X(AnnotateIgnoreSyncBegin)      \
    X(AnnotateIgnoreSyncEnd)        \
    X(AnnotatePublishMemoryRange)   \
    X(AnnotateUnpublishMemoryRange) \
    X(AnnotateThreadName)           \
    X(AnnotateNewMemory)            \
    X(AnnotateEnableRaceDetection)  \
    X(AnnotateMutexIsNotPHB)        \
    X(AnnotateMutexIsUsedAsCondVar) \
    X(WTFAnnotateHappensBefore)     \
    X(WTFAnnotateHappensAfter)      \
    X(WTFAnnotateBenignRaceSized)

FAST_NOTES(FAST_NOTE)

/* These return something: how deep a lock was held, and which fiber runs. */
FAST_API int __tsan_mutex_pre_unlock(void *lock, unsigned flags);
FAST_API void *__tsan_get_current_fiber(void);
FAST_API void *__tsan_create_fiber(unsigned flags);
FAST_API int RunningOnValgrind(void);

int __tsan_mutex_pre_unlock(void *lock, unsigned flags) {
    (void)lock;
    (void)flags;
    return 0;
}

void *__tsan_get_current_fiber(void) {
    return &fast_buffer;
}

void *__tsan_create_fiber(unsigned flags) {
    (void)flags;
    return &fast_buffer;
}

int RunningOnValgrind(void) {
    return 0;
}
