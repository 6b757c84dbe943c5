/* SPDX-License-Identifier: Apache-2.0 */
/* Room for depths, and their sums: see depths.h. */
#include "depths.h"

#include <string.h>

/* The arrays lie in one block, one behind the other, of `count` elements each. */
static void depths_place(Depths *depths, uint64_t *block, uint64_t count) {
    depths->hits = block;
    depths->written = block + count;
    depths->left = block + 2 * count;
    depths->deepest = count - 1;
}

int depths_reserve(Depths *depths, const Memory *memory, uint64_t deepest, Error *error) {
    if (depths->hits != NULL && deepest <= depths->deepest) {
        return VMM_OK;
    }
    uint64_t count = deepest + deepest / 2 + 64;
    Depths grown = *depths;
    uint64_t *block = memory_zalloc(memory, 3 * count, sizeof *block);
    if (block == NULL) {
        return error_no_memory(error, 3 * count * sizeof *block, "a curve");
    }
    depths_place(&grown, block, count);
    if (depths->hits != NULL) {
        size_t had = (depths->deepest + 1) * sizeof *block;
        memcpy(grown.hits, depths->hits, had);
        memcpy(grown.written, depths->written, had);
        memcpy(grown.left, depths->left, had);
        depths_free(depths, memory);
    }
    *depths = grown;
    return VMM_OK;
}

void depths_free(Depths *depths, const Memory *memory) {
    memory_free(memory, depths->hits, 3 * (depths->deepest + 1), sizeof *depths->hits);
    *depths = (Depths){0};
}

/* Adds what another one has counted, which is no deeper. */
static void depths_add(Depths *depths, const Depths *other) {
    for (uint64_t i = 0; other->hits != NULL && i <= other->deepest; i++) {
        depths->hits[i] += other->hits[i];
        depths->written[i] += other->written[i];
        depths->left[i] += other->left[i];
    }
    depths->references += other->references;
    depths->invalid += other->invalid;
    depths->cold += other->cold;
}

/* From counts by depth to counts by size. */
static void depths_sum_up(Depths *depths) {
    uint64_t misses = depths->references - depths->invalid;
    if (depths->hits == NULL) {
        return;
    }
    depths->hits[0] = misses;
    for (uint64_t size = 1; size <= depths->deepest; size++) {
        misses -= depths->hits[size];
        depths->hits[size] = misses;
        depths->written[size] += depths->written[size - 1];
        depths->left[size] += depths->left[size - 1];
    }
}

int depths_finish(Depths *whole, Depths *series, size_t count, const Memory *memory, Error *error) {
    uint64_t deepest = 1;
    for (size_t i = 0; i < count; i++) {
        deepest = series[i].deepest > deepest ? series[i].deepest : deepest;
    }
    int status = depths_reserve(whole, memory, deepest, error);
    for (size_t i = 0; status == VMM_OK && i < count; i++) {
        depths_add(whole, &series[i]);
        depths_sum_up(&series[i]);
    }
    if (status == VMM_OK) {
        depths_sum_up(whole);
    }
    return status;
}

void depths_describe(const Depths *depths, VMMCurveSeries *description) {
    description->page_references = depths->references;
    description->invalid = depths->invalid;
    description->cold_misses = depths->cold;
    description->sampled = depths->references;
}

void depths_at(const Depths *depths, uint64_t size, VMMCurvePoint *point) {
    if (depths->hits == NULL) {
        return;
    }
    uint64_t i = size < depths->deepest ? size : depths->deepest;
    point->misses = depths->hits[i];
    point->writebacks = depths->written[i];
    point->dirty_left = depths->left[i];
}

uint64_t depths_next(const Depths *depths, uint64_t size) {
    if (size == 0) {
        return 1;
    }
    for (uint64_t next = size + 1; depths->hits != NULL && next <= depths->deepest; next++) {
        if (depths->hits[next] != depths->hits[next - 1] ||
            depths->written[next] != depths->written[next - 1]) {
            return next;
        }
    }
    return 0;
}
