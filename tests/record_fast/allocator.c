/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with a malloc of its own, which is recorded and which the C library calls at any time,
 * for the recorder's runtime, too.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 22, THREADS = 40, BLOCKS = 2000 };

__attribute__((aligned(4096))) static char room[ROOM];
static size_t room_used;

void *malloc(size_t size) {
    size_t whole = (size + 31) & ~(size_t)15;
    size_t place = __atomic_fetch_add(&room_used, whole, __ATOMIC_SEQ_CST);
    if (place + whole > ROOM) {
        return NULL;
    }
    *(size_t *)(void *)(room + place) = size;
    return room + place + 16;
}

void free(void *block) {
    if (block != NULL) {
        ((size_t *)block)[-2] = 0;
    }
}

void *calloc(size_t count, size_t size) {
    return malloc(count * size); /* never used before: zeroes */
}

void *realloc(void *block, size_t size) {
    void *larger = malloc(size);
    if (block != NULL && larger != NULL) {
        size_t old = ((size_t *)block)[-2];
        memcpy(larger, block, old < size ? old : size);
    }
    return larger;
}

static void *allocator_work(void *argument) {
    for (int i = 0; i < BLOCKS / THREADS; i++) {
        char *block = malloc(40);
        block[0] = 1;
        free(block);
    }
    return argument;
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_key_t keys[40]; /* so many that values for the last ones need memory */
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        pthread_key_create(&keys[i], NULL);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, allocator_work, NULL);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("done\n");
    return 0;
}
