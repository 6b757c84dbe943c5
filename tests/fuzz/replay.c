/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives files to a fuzz target, one after the other: a test over the corpus, a way to look at an
 * input that a fuzzer found, and what AFL++ runs (build with CC=afl-clang-fast, input as @@).
 *
 *     replay_trace FILE...
 *
 * A target fails by crashing; it has passed when the last line is printed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *replay_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    size_t capacity = 1 << 16;
    uint8_t *data = malloc(capacity);
    *size = 0;
    while (data != NULL) {
        *size += fread(data + *size, 1, capacity - *size, file);
        if (*size < capacity) {
            break;
        }
        capacity *= 2;
        uint8_t *grown = realloc(data, capacity);
        if (grown == NULL) {
            free(data);
        }
        data = grown;
    }
    fclose(file);
    return data;
}

int main(int argc, char **argv) {
    int failed = 0;
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++) {
        size_t size = 0;
        uint8_t *data = replay_read(argv[i], &size);
        if (data == NULL) {
            printf("not ok %d - cannot read %s\n", i, argv[i]);
            failed = 1;
            continue;
        }
        /* A block of exactly that size, so that a read past its end is seen by a sanitizer. */
        uint8_t *exact = realloc(data, size == 0 ? 1 : size);
        LLVMFuzzerTestOneInput(exact != NULL ? exact : data, size);
        free(exact != NULL ? exact : data);
        printf("ok %d - %s\n", i, argv[i]);
        fflush(stdout);
    }
    return failed;
}
