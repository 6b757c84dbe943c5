/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work ROUNDS: computes and does nothing else, for the fast recorder: compresses 4 MB by a hash of
 * three-byte strings, and sorts a million numbers. Prints what must be the same however it is run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 1 << 22, HASH_SLOTS = 1 << 16, NUMBERS = 1 << 20, SHORT = 16 };

static uint32_t work_state;

static uint32_t work_random(void) {
    work_state ^= work_state << 13;
    work_state ^= work_state >> 17;
    work_state ^= work_state << 5;
    return work_state;
}

static void work_text(unsigned char *text) {
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        text[i] = (unsigned char)(work_random() % 8 != 0 ? (i * i >> 9) & 31 : work_random() & 63);
    }
}

static size_t work_match(const unsigned char *a, const unsigned char *b, size_t most) {
    size_t length = 0;
    while (length < most && a[length] == b[length]) {
        length++;
    }
    return length;
}

/* The compressed length. */
static size_t work_compress(const unsigned char *in, unsigned char *out, uint32_t *slots) {
    size_t length = 0, i = 0;
    memset(slots, 0, HASH_SLOTS * sizeof *slots);
    while (i + SHORT < TEXT_BYTES) {
        uint32_t word = in[i] | (uint32_t)in[i + 1] << 8 | (uint32_t)in[i + 2] << 16;
        uint32_t *slot = &slots[word * 2654435761u >> 16];
        size_t from = *slot, match = 0;
        *slot = (uint32_t)i;
        if (from < i && i - from < 65536) {
            match = work_match(in + from, in + i, SHORT);
        }
        if (match > 3) {
            out[length++] = (unsigned char)(128 + match);
            out[length++] = (unsigned char)((i - from) >> 8);
            out[length++] = (unsigned char)(i - from);
            i += match;
        } else {
            out[length++] = in[i++];
        }
    }
    return length;
}

static void work_insert(uint32_t *numbers, long count) {
    for (long i = 1; i < count; i++) {
        uint32_t number = numbers[i];
        long place = i;
        for (; place > 0 && numbers[place - 1] > number; place--) {
            numbers[place] = numbers[place - 1];
        }
        numbers[place] = number;
    }
}

static void work_sort(uint32_t *numbers, long count) {
    while (count > SHORT) {
        uint32_t middle = numbers[count / 2];
        long low = 0, high = count - 1;
        while (low <= high) {
            while (numbers[low] < middle) {
                low++;
            }
            while (numbers[high] > middle) {
                high--;
            }
            if (low <= high) {
                uint32_t number = numbers[low];
                numbers[low++] = numbers[high];
                numbers[high--] = number;
            }
        }
        work_sort(numbers, high + 1);
        numbers += low;
        count -= low;
    }
    work_insert(numbers, count);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    unsigned char *text = malloc(TEXT_BYTES), *out = malloc(TEXT_BYTES);
    uint32_t *slots = malloc(HASH_SLOTS * sizeof *slots);
    uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
    size_t sum = 0;
    if (text == NULL || out == NULL || slots == NULL || numbers == NULL) {
        return 1;
    }
    for (int round = 0; round < rounds; round++) {
        work_state = (uint32_t)(round + 1);
        work_text(text);
        sum += work_compress(text, out, slots);
        for (size_t i = 0; i < NUMBERS; i++) {
            numbers[i] = work_random();
        }
        work_sort(numbers, NUMBERS);
        sum += numbers[1000];
    }
    printf("%zu\n", sum);
    free(numbers);
    free(slots);
    free(out);
    free(text);
    return 0;
}
