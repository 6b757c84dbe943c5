/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact LRU curve: the stack depth of each page reference, by lru_stack.h, and what follows
 * from it at every size, by depths.h. (Mattson, Gecsei, Slutz, Traiger, IBM Systems Journal 9(2),
 * 1970.)
 *
 * There is one stack; with scope = process there is one for each address space. What the depths
 * tell is kept by address space where the curve goes by space, and summed up at the end.
 */
#include "curve.h"
#include "depths.h"
#include "lru_stack.h"

enum { LRU_FETCH_AHEAD = 16, LRU_NEAR_PAGES = 1 << 16 };

typedef struct LruCurve {
    VMMCurve base;
    LruPage *pages; /* by page id */
    uint32_t page_count;
    LruStack *stacks; /* by space, or one */
    Depths *series;   /* by space, or one */
    uint32_t count;   /* of both */
    uint32_t met;     /* page ids below it are counted in their stacks */
    Depths whole;     /* of all series, when finished */
    bool wide;
} LruCurve;

static bool lru_has_stacks(const VMMCurve *curve) {
    return curve->settings.scope == SCOPE_PROCESS;
}

static LruStack *lru_stack_of(LruCurve *lru, uint32_t space) {
    return &lru->stacks[lru_has_stacks(&lru->base) ? space : 0];
}

static int lrucurve_create(VMMCurve *curve, const VMMCurveOptions *options, Error *error) {
    LruCurve *lru = (LruCurve *)curve;
    (void)options;
    (void)error;
    curve->by_space = curve->per_process || lru_has_stacks(curve);
    lru->met = 1; /* id 0 is no page */
    lru->wide = vmm_is_wide();
    return VMM_OK;
}

static void lrucurve_destroy(VMMCurve *curve) {
    LruCurve *lru = (LruCurve *)curve;
    const Memory *memory = &curve->memory;
    for (uint32_t i = 0; i < lru->count; i++) {
        lru_stack_free(&lru->stacks[i], memory);
        depths_free(&lru->series[i], memory);
    }
    depths_free(&lru->whole, memory);
    memory_free(memory, lru->stacks, lru->count, sizeof *lru->stacks);
    memory_free(memory, lru->series, lru->count, sizeof *lru->series);
    memory_free(memory, lru->pages, lru->page_count, sizeof *lru->pages);
}

/* As many stacks and series as address spaces. */
static int lrucurve_reserve_spaces(LruCurve *lru, uint32_t count, Error *error) {
    const Memory *memory = &lru->base.memory;
    if (count <= lru->count) {
        return VMM_OK;
    }
    LruStack *stacks = memory_zalloc(memory, count, sizeof *stacks);
    Depths *series = memory_zalloc(memory, count, sizeof *series);
    if (stacks == NULL || series == NULL) {
        memory_free(memory, stacks, count, sizeof *stacks);
        memory_free(memory, series, count, sizeof *series);
        return error_no_memory(error, count * sizeof *series, "the curves of processes");
    }
    for (uint32_t i = 0; i < lru->count; i++) {
        stacks[i] = lru->stacks[i];
        series[i] = lru->series[i];
    }
    memory_free(memory, lru->stacks, lru->count, sizeof *lru->stacks);
    memory_free(memory, lru->series, lru->count, sizeof *lru->series);
    lru->stacks = stacks;
    lru->series = series;
    lru->count = count;
    return VMM_OK;
}

static int lrucurve_reserve_pages(LruCurve *lru, uint32_t count, Error *error) {
    if (count <= lru->page_count) {
        return VMM_OK;
    }
    uint32_t wanted = count < UINT32_MAX / 2 ? count + count / 2 : UINT32_MAX;
    LruPage *pages =
        memory_grow(&lru->base.memory, lru->pages, lru->page_count, wanted, sizeof *pages);
    if (pages == NULL) {
        return error_no_memory(error, wanted * sizeof *pages, "the pages of a curve");
    }
    for (uint32_t i = lru->page_count; i < wanted; i++) {
        pages[i] = (LruPage){LRU_NOWHERE, DEPTHS_CLEAN};
    }
    lru->pages = pages;
    lru->page_count = wanted;
    return VMM_OK;
}

/* Counts the pages that are new to the curve, each for its stack. */
static void lrucurve_meet(LruCurve *lru, const Directory *directory) {
    for (; lru->met < directory->count; lru->met++) {
        lru_stack_of(lru, directory_space_of(directory, lru->met))->pages++;
    }
}

static int lrucurve_reserve(VMMCurve *curve, Error *error) {
    LruCurve *lru = (LruCurve *)curve;
    const Memory *memory = &curve->memory;
    const Directory *directory = &curve->stream->directory;
    uint32_t spaces = curve->by_space ? directory->space_count : 1;
    int status = lrucurve_reserve_pages(lru, directory->count, error);
    if (status == VMM_OK) {
        status = lrucurve_reserve_spaces(lru, spaces, error);
    }
    if (status == VMM_OK && spaces > 0) {
        lrucurve_meet(lru, directory);
    }
    for (uint32_t i = 0; status == VMM_OK && i < spaces; i++) {
        status = lru_stack_reserve(&lru->stacks[i], memory, lru->pages, error);
        if (status == VMM_OK) {
            uint32_t deepest = lru_stack_of(lru, i)->pages;
            status = depths_reserve(&lru->series[i], memory, deepest, error);
        }
    }
    return status;
}

/* ---- References ----------------------------------------------------------------------------- */

/* One element: its first page reference, the others find the page on top. */
VMM_ALWAYS_INLINE void lrucurve_take_one(LruStack *stack, LruPage *pages, Depths *depths,
                                         uint32_t page, bool write) {
    uint32_t depth = lru_stack_touch(stack, pages, page);
    uint32_t *dirty_from = &pages[page].dirty_from;
    if (VMM_LIKELY(depth != 0)) {
        depths_hit(depths, depth, dirty_from, write);
    } else {
        depths_cold(depths, dirty_from, write);
    }
}

/* A page that was referenced last of all is on top: nothing but its number of hits changes. */
VMM_ALWAYS_INLINE void lrucurve_loop(LruCurve *lru, const CurvePart *part) {
    const Batch *batch = part->batch;
    const uint32_t *page = batch->page;
    const uint8_t *op = batch->op;
    LruStack *stack = lru_stack_of(lru, part->space);
    Depths *depths = &lru->series[curve_series(&lru->base, part->space)];
    LruPage *pages = lru->pages;
    bool far = lru->page_count > LRU_NEAR_PAGES;
    uint32_t last = DIRECTORY_NO_PAGE;
    uint64_t again = 0;
    for (size_t i = part->from; i < part->to; i++) {
        if (VMM_UNLIKELY(far) && i + LRU_FETCH_AHEAD < part->to) {
            VMM_PREFETCH(&pages[page[i + LRU_FETCH_AHEAD]]);
        }
        bool write = (op[i] & OP_WRITE_BIT) != 0;
        if (page[i] == last && last != DIRECTORY_NO_PAGE) {
            again++;
            pages[last].dirty_from = write ? 1 : pages[last].dirty_from;
            continue;
        }
        last = page[i];
        if (VMM_UNLIKELY(last == DIRECTORY_NO_PAGE)) {
            depths->invalid++;
            continue;
        }
        lrucurve_take_one(stack, pages, depths, last, write);
    }
    depths->hits[1] += again;
}

static void lrucurve_loop_plain(LruCurve *lru, const CurvePart *part) {
    lrucurve_loop(lru, part);
}

VMM_WIDE VMM_VECTORISED static void lrucurve_loop_wide(LruCurve *lru, const CurvePart *part) {
    lrucurve_loop(lru, part);
}

static void lrucurve_take(VMMCurve *curve, const CurvePart *part) {
    LruCurve *lru = (LruCurve *)curve;
    Depths *depths = &lru->series[curve_series(curve, part->space)];
    uint64_t repeats = curve_repeats(part);
    depths->references += part->to - part->from + repeats;
    depths->hits[1] += repeats;
    if (lru->wide) {
        lrucurve_loop_wide(lru, part);
    } else {
        lrucurve_loop_plain(lru, part);
    }
}

static int lrucurve_discard(VMMCurve *curve, uint32_t page, Error *error) {
    LruCurve *lru = (LruCurve *)curve;
    uint32_t space = directory_space_of(&curve->stream->directory, page);
    LruStack *stack = lru_stack_of(lru, space);
    LruPage *kept = &lru->pages[page];
    if (kept->place == LRU_NOWHERE) {
        return VMM_OK;
    }
    int status = lru_stack_reserve_holes(stack, &curve->memory, error);
    if (status == VMM_OK) {
        uint32_t depth = lru_stack_depth(stack, kept->place, stack->now - 1);
        depths_sink(&lru->series[curve_series(curve, space)], depth, &kept->dirty_from);
        kept->dirty_from = DEPTHS_CLEAN;
        lru_stack_discard(stack, lru->pages, page);
    }
    return status;
}

/* ---- Results -------------------------------------------------------------------------------- */

static void lrucurve_end(void *user, uint32_t page, uint32_t depth) {
    LruCurve *lru = user;
    uint32_t space = directory_space_of(&lru->base.stream->directory, page);
    depths_end(&lru->series[curve_series(&lru->base, space)], depth, &lru->pages[page].dirty_from);
}

static int lrucurve_finish(VMMCurve *curve, Error *error) {
    LruCurve *lru = (LruCurve *)curve;
    for (uint32_t i = 0; i < lru->count; i++) {
        lru_stack_each(&lru->stacks[i], lrucurve_end, lru);
    }
    return depths_finish(&lru->whole, lru->series, lru->count, &curve->memory, error);
}

static const Depths *lrucurve_depths(const VMMCurve *curve, size_t series) {
    const LruCurve *lru = (const LruCurve *)curve;
    return series == 0 ? &lru->whole : &lru->series[series - 1];
}

static void lrucurve_describe(const VMMCurve *curve, size_t series, VMMCurveSeries *description) {
    depths_describe(lrucurve_depths(curve, series), description);
}

static void lrucurve_at(const VMMCurve *curve, size_t series, uint64_t size, VMMCurvePoint *point) {
    depths_at(lrucurve_depths(curve, series), size, point);
}

static uint64_t lrucurve_next(const VMMCurve *curve, size_t series, uint64_t size) {
    return depths_next(lrucurve_depths(curve, series), size);
}

const CurveType curve_lru = {
    .state_size = sizeof(LruCurve),
    .create = lrucurve_create,
    .destroy = lrucurve_destroy,
    .reserve = lrucurve_reserve,
    .take = lrucurve_take,
    .discard = lrucurve_discard,
    .finish = lrucurve_finish,
    .describe = lrucurve_describe,
    .at = lrucurve_at,
    .next = lrucurve_next,
};
