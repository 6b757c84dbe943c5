/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of blocks that wait for a thread, are packed by one, and wait for the writer. */
#include "vmt_behind.h"

#include <pthread.h>
#include <signal.h>

#include "../base/memory.h"

enum { BEHIND_JOBS = 8, BEHIND_MAX_THREADS = 4 };

typedef struct BehindJob {
    VmtPackedBlock packed;
    bool done;
    uint8_t *payload; /* as it came, and behind it the packed bytes */
    size_t room;      /* of both */
    size_t packed_room;
} BehindJob;

struct VmtBehind {
    BehindJob jobs[BEHIND_JOBS];
    uint64_t submitted, started,
        taken; /* jobs so far; a job's place is its number mod BEHIND_JOBS */
    int level;
    unsigned thread_count;
    pthread_t threads[BEHIND_MAX_THREADS];
    pthread_mutex_t lock; /* of the three numbers, `done` and `closing` */
    pthread_cond_t work;
    pthread_cond_t done;
    bool closing;
};

static void behind_pack(BehindJob *job, VmtPacker *packer) {
    VmtBlock *block = &job->packed.block;
    uint8_t *to = job->payload + block->raw_bytes;
    size_t bytes = packer == NULL
                       ? 0 /* no memory: as it is */
                       : vmt_pack(packer, job->payload, block->raw_bytes, to, job->packed_room);
    block->compression = bytes > 0 ? VMT_ZSTD : VMT_STORED;
    block->packed_bytes = bytes > 0 ? (uint32_t)bytes : block->raw_bytes;
    job->packed.bytes = bytes > 0 ? to : job->payload;
    block->checksum = vmt_checksum(job->packed.bytes, block->packed_bytes);
}

/* The next job, or NULL at the end of all. */
static BehindJob *behind_next_job(VmtBehind *behind) {
    while (behind->started == behind->submitted && !behind->closing) {
        pthread_cond_wait(&behind->work, &behind->lock);
    }
    if (behind->closing) {
        return NULL;
    }
    return &behind->jobs[behind->started++ % BEHIND_JOBS];
}

static void *behind_thread(void *user) {
    VmtBehind *behind = user;
    VmtPacker *packer = vmt_packer_open(behind->level);
    BehindJob *job;
    pthread_mutex_lock(&behind->lock);
    while ((job = behind_next_job(behind)) != NULL) {
        pthread_mutex_unlock(&behind->lock);
        behind_pack(job, packer);
        pthread_mutex_lock(&behind->lock);
        job->done = true;
        pthread_cond_signal(&behind->done);
    }
    pthread_mutex_unlock(&behind->lock);
    vmt_packer_close(packer);
    return NULL;
}

/* Signals are for the threads of the program that writes. */
static void behind_start_threads(VmtBehind *behind, unsigned threads) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (behind->thread_count < threads && behind->thread_count < BEHIND_MAX_THREADS &&
           pthread_create(&behind->threads[behind->thread_count], NULL, behind_thread, behind) ==
               0) {
        behind->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

VmtBehind *vmt_behind_open(unsigned threads, int level) {
    VmtBehind *behind = memory_zalloc(&memory_default, 1, sizeof *behind);
    if (behind == NULL) {
        return NULL;
    }
    behind->level = level;
    pthread_mutex_init(&behind->lock, NULL);
    pthread_cond_init(&behind->work, NULL);
    pthread_cond_init(&behind->done, NULL);
    behind_start_threads(behind, threads);
    if (behind->thread_count == 0) {
        vmt_behind_close(behind);
        return NULL;
    }
    return behind;
}

void vmt_behind_close(VmtBehind *behind) {
    if (behind == NULL) {
        return;
    }
    pthread_mutex_lock(&behind->lock);
    behind->closing = true;
    pthread_cond_broadcast(&behind->work);
    pthread_mutex_unlock(&behind->lock);
    for (unsigned i = 0; i < behind->thread_count; i++) {
        pthread_join(behind->threads[i], NULL);
    }
    for (size_t i = 0; i < BEHIND_JOBS; i++) {
        memory_free(&memory_default, behind->jobs[i].payload, behind->jobs[i].room, 1);
    }
    pthread_cond_destroy(&behind->work);
    pthread_cond_destroy(&behind->done);
    pthread_mutex_destroy(&behind->lock);
    memory_free(&memory_default, behind, 1, sizeof *behind);
}

bool vmt_behind_is_full(VmtBehind *behind) {
    return behind->submitted - behind->taken == BEHIND_JOBS;
}

static bool behind_reserve(BehindJob *job, size_t raw_bytes) {
    size_t bound = vmt_pack_bound(raw_bytes);
    if (raw_bytes + bound > job->room) {
        memory_free(&memory_default, job->payload, job->room, 1);
        job->room = (raw_bytes + bound) * 5 / 4;
        job->payload = memory_zalloc(&memory_default, job->room, 1);
        job->room = job->payload != NULL ? job->room : 0;
    }
    job->packed_room = bound;
    return job->payload != NULL;
}

bool vmt_behind_submit(VmtBehind *behind, const VmtBlock *block, const uint8_t *payload) {
    BehindJob *job = &behind->jobs[behind->submitted % BEHIND_JOBS];
    if (!behind_reserve(job, block->raw_bytes)) {
        return false;
    }
    memcpy(job->payload, payload, block->raw_bytes);
    job->packed.block = *block;
    job->done = false;
    pthread_mutex_lock(&behind->lock);
    behind->submitted++;
    pthread_cond_signal(&behind->work);
    pthread_mutex_unlock(&behind->lock);
    return true;
}

const VmtPackedBlock *vmt_behind_take(VmtBehind *behind, bool wait) {
    if (behind->taken == behind->submitted) {
        return NULL;
    }
    const BehindJob *job = &behind->jobs[behind->taken % BEHIND_JOBS];
    pthread_mutex_lock(&behind->lock);
    while (wait && !job->done) {
        pthread_cond_wait(&behind->done, &behind->lock);
    }
    bool done = job->done;
    pthread_mutex_unlock(&behind->lock);
    return done ? &job->packed : NULL;
}

void vmt_behind_release(VmtBehind *behind) {
    behind->taken++;
}
