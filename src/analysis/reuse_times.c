/* SPDX-License-Identifier: Apache-2.0 */
/* The table of long reuse times: see reuse_times.h. */
#include "reuse_times.h"

#include <stdlib.h>

bool reuse_reserve(ReuseTable *table, const Memory *memory, uint64_t more) {
    uint64_t wanted = 2 * (table->used + more);
    if (wanted <= table->places) {
        return true;
    }
    ReuseTable grown = {.places = 1024};
    while (grown.places < 2 * wanted) {
        grown.places *= 2;
    }
    grown.counts = memory_zalloc(memory, grown.places, sizeof *grown.counts);
    if (grown.counts == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < table->places; i++) {
        const ReuseCount *old = &table->counts[i];
        if (old->time != 0) {
            reuse_add(&grown, old->time, old->series, old->last, old->count);
        }
    }
    reuse_free(table, memory);
    *table = grown;
    return true;
}

void reuse_free(ReuseTable *table, const Memory *memory) {
    memory_free(memory, table->counts, table->places, sizeof *table->counts);
    *table = (ReuseTable){0};
}

static int reuse_compare(const void *left, const void *right) {
    const ReuseCount *a = left;
    const ReuseCount *b = right;
    if (a->series != b->series) {
        return a->series < b->series ? -1 : 1;
    }
    return a->time != b->time ? (a->time < b->time ? -1 : 1) : (int)a->last - (int)b->last;
}

uint64_t reuse_sort(ReuseTable *table) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < table->places; i++) {
        if (table->counts[i].time != 0) {
            table->counts[count++] = table->counts[i];
        }
    }
    if (count > 0) {
        qsort(table->counts, count, sizeof *table->counts, reuse_compare);
    }
    return count;
}
