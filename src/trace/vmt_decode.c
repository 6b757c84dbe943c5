/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of blocks that are decoded, by the caller or by threads ahead of it. */
#include "vmt_decode.h"

#include <pthread.h>
#include <signal.h>

#include "../base/compiler.h"
#include "../base/memory.h"

#define RING_MAX_THREADS 64

enum { SLOT_FREE, SLOT_WAITING, SLOT_BUSY, SLOT_DONE };

struct VmtRing {
    unsigned page_shift;
    VmtSlot *slots;
    size_t slot_count;
    size_t oldest; /* the slots in use follow from here */
    size_t used;
    size_t next_job; /* counted as `oldest`: the first slot that no thread has looked at */

    unsigned thread_count;
    pthread_t threads[RING_MAX_THREADS];
    pthread_mutex_t lock; /* of all states, next_job and closing */
    pthread_cond_t submitted;
    pthread_cond_t done;
    bool closing;
};

/* ---- One slot ------------------------------------------------------------------------------- */

static bool slot_grow(uint8_t **bytes, size_t *room, size_t wanted) {
    if (wanted <= *room) {
        return true;
    }
    size_t more = wanted < 64 * 1024 ? 64 * 1024 : wanted + wanted / 4;
    memory_free(&memory_default, *bytes, *room, 1);
    *bytes = memory_zalloc(&memory_default, more, 1);
    *room = *bytes != NULL ? more : 0;
    return *bytes != NULL;
}

bool vmt_slot_reserve(VmtSlot *slot, size_t bytes) {
    return slot_grow(&slot->packed, &slot->packed_room, bytes);
}

/* False: no memory. */
static bool slot_unpack(VmtSlot *slot) {
    const VmtBlock *block = &slot->block;
    slot->raw = slot->packed;
    if (block->compression == VMT_STORED) {
        return true;
    }
    if (slot->unpacker == NULL) {
        slot->unpacker = vmt_unpacker_open();
    }
    if (slot->unpacker == NULL ||
        !slot_grow(&slot->unpacked, &slot->unpacked_room, block->raw_bytes)) {
        return false;
    }
    slot->raw = slot->unpacked;
    if (!vmt_unpack(slot->unpacker, slot->packed, block->packed_bytes, slot->raw,
                    block->raw_bytes)) {
        slot->problem = "it cannot be unpacked";
    }
    return true;
}

static bool slot_decode_references(VmtSlot *slot, unsigned page_shift) {
    const VmtBlock *block = &slot->block;
    if (block->type == VMT_BLOCK_RUNS) {
        if (slot->runs == NULL) {
            slot->runs = memory_zalloc(&memory_default, 1, sizeof *slot->runs);
        }
        if (slot->runs != NULL) {
            slot->problem = vmt_runs_decode(slot->runs, block, page_shift, slot->raw);
        }
        return slot->runs != NULL;
    }
    if (slot->refs == NULL) {
        slot->refs = memory_zalloc(&memory_default, VMT_ENTRIES, sizeof *slot->refs);
    }
    if (slot->model == NULL) {
        slot->model = vmt_model_open();
    }
    if (slot->refs == NULL || slot->model == NULL) {
        return false;
    }
    slot->problem = vmt_full_decode(slot->model, slot->refs, block, slot->raw);
    return true;
}

void vmt_slot_decode(VmtSlot *slot, unsigned page_shift) {
    slot->problem = NULL;
    slot->no_memory = false;
    if (slot->block.type == 0) {
        return;
    }
    slot->no_memory = !slot_unpack(slot);
    bool of_references = slot->block.type == VMT_BLOCK_RUNS || slot->block.type == VMT_BLOCK_FULL;
    if (of_references && slot->problem == NULL && !slot->no_memory) {
        slot->no_memory = !slot_decode_references(slot, page_shift);
    }
}

void vmt_slot_free(VmtSlot *slot) {
    memory_free(&memory_default, slot->packed, slot->packed_room, 1);
    memory_free(&memory_default, slot->unpacked, slot->unpacked_room, 1);
    memory_free(&memory_default, slot->runs, 1, sizeof *slot->runs);
    memory_free(&memory_default, slot->refs, VMT_ENTRIES, sizeof *slot->refs);
    vmt_model_close(slot->model);
    vmt_unpacker_close(slot->unpacker);
}

/* ---- The threads ---------------------------------------------------------------------------- */

static void *ring_work(void *argument) {
    VmtRing *ring = argument;
    pthread_mutex_lock(&ring->lock);
    while (!ring->closing) {
        VmtSlot *slot = &ring->slots[ring->next_job % ring->slot_count];
        if (slot->state != SLOT_WAITING) {
            pthread_cond_wait(&ring->submitted, &ring->lock);
            continue;
        }
        ring->next_job++;
        slot->state = SLOT_BUSY;
        pthread_mutex_unlock(&ring->lock);
        vmt_slot_decode(slot, ring->page_shift);
        pthread_mutex_lock(&ring->lock);
        slot->state = SLOT_DONE;
        pthread_cond_signal(&ring->done);
    }
    pthread_mutex_unlock(&ring->lock);
    return NULL;
}

/* Signals are for the threads of the program: one of these must not take them. */
static bool ring_start_threads(VmtRing *ring, unsigned threads) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (ring->thread_count < threads &&
           pthread_create(&ring->threads[ring->thread_count], NULL, ring_work, ring) == 0) {
        ring->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ring->thread_count > 0 || threads == 0;
}

VmtRing *vmt_ring_open(unsigned page_shift, unsigned threads) {
    VmtRing *ring = memory_zalloc(&memory_default, 1, sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    threads = threads < RING_MAX_THREADS ? threads : RING_MAX_THREADS;
    ring->page_shift = page_shift;
    ring->slot_count = threads == 0 ? 1 : 2 * (size_t)threads + 2;
    ring->slots = memory_zalloc(&memory_default, ring->slot_count, sizeof *ring->slots);
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->submitted, NULL);
    pthread_cond_init(&ring->done, NULL);
    if (ring->slots == NULL || !ring_start_threads(ring, threads)) {
        vmt_ring_close(ring);
        return NULL;
    }
    return ring;
}

void vmt_ring_close(VmtRing *ring) {
    if (ring == NULL) {
        return;
    }
    pthread_mutex_lock(&ring->lock);
    ring->closing = true;
    pthread_cond_broadcast(&ring->submitted);
    pthread_mutex_unlock(&ring->lock);
    for (unsigned i = 0; i < ring->thread_count; i++) {
        pthread_join(ring->threads[i], NULL);
    }
    for (size_t i = 0; ring->slots != NULL && i < ring->slot_count; i++) {
        vmt_slot_free(&ring->slots[i]);
    }
    pthread_mutex_destroy(&ring->lock);
    pthread_cond_destroy(&ring->submitted);
    pthread_cond_destroy(&ring->done);
    memory_free(&memory_default, ring->slots, ring->slot_count, sizeof *ring->slots);
    memory_free(&memory_default, ring, 1, sizeof *ring);
}

/* ---- The ring ------------------------------------------------------------------------------- */

VmtSlot *vmt_ring_free_slot(VmtRing *ring) {
    return ring->used < ring->slot_count
               ? &ring->slots[(ring->oldest + ring->used) % ring->slot_count]
               : NULL;
}

void vmt_ring_submit(VmtRing *ring) {
    VmtSlot *slot = vmt_ring_free_slot(ring);
    pthread_mutex_lock(&ring->lock);
    slot->state = SLOT_WAITING;
    pthread_cond_signal(&ring->submitted);
    pthread_mutex_unlock(&ring->lock);
    ring->used++;
}

VmtSlot *vmt_ring_take(VmtRing *ring) {
    if (ring->used == 0) {
        return NULL;
    }
    VmtSlot *slot = &ring->slots[ring->oldest % ring->slot_count];
    if (ring->thread_count == 0) {
        vmt_slot_decode(slot, ring->page_shift);
        return slot;
    }
    pthread_mutex_lock(&ring->lock);
    while (slot->state != SLOT_DONE) {
        pthread_cond_wait(&ring->done, &ring->lock);
    }
    pthread_mutex_unlock(&ring->lock);
    return slot;
}

void vmt_ring_release(VmtRing *ring) {
    VmtSlot *slot = &ring->slots[ring->oldest % ring->slot_count];
    pthread_mutex_lock(&ring->lock);
    slot->state = SLOT_FREE;
    pthread_mutex_unlock(&ring->lock);
    ring->oldest++;
    ring->used--;
}

void vmt_ring_clear(VmtRing *ring) {
    while (vmt_ring_take(ring) != NULL) {
        vmt_ring_release(ring);
    }
}
