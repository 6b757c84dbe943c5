/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact LRU curve: the stack depth of each page reference, by lru_stack.h, and what follows
 * from it at every size, by depths.h. (Mattson, Gecsei, Slutz, Traiger, IBM Systems Journal 9(2),
 * 1970.)
 */
#include "lru_stack.h"
#include "stack_curve.h"

enum { LRU_FETCH_AHEAD = 16, LRU_NEAR_PAGES = 1 << 16 };

typedef struct LruCurve {
    StackCurve of;
    LruStack *stacks;
} LruCurve;

static int lrucurve_create(VMMCurve *curve, const VMMCurveOptions *options, Error *error) {
    (void)options;
    (void)error;
    stackcurve_create(curve);
    return VMM_OK;
}

static void lrucurve_destroy(VMMCurve *curve) {
    LruCurve *lru = (LruCurve *)curve;
    const Memory *memory = &curve->memory;
    for (uint32_t i = 0; i < lru->of.count; i++) {
        lru_stack_free(&lru->stacks[i], memory);
    }
    memory_free(memory, lru->stacks, lru->of.count, sizeof *lru->stacks);
    stackcurve_destroy(curve);
}

static int lrucurve_reserve(VMMCurve *curve, Error *error) {
    LruCurve *lru = (LruCurve *)curve;
    void *stacks = lru->stacks;
    int status = stackcurve_reserve(curve, &stacks, sizeof *lru->stacks, error);
    lru->stacks = stacks;
    for (uint32_t i = 0; status == VMM_OK && i < lru->of.count; i++) {
        status = lru_stack_reserve(&lru->stacks[i], &curve->memory, lru->of.pages,
                                   lru->of.wanted[i], error);
    }
    return status;
}

/* A page that was referenced last of all is on top: nothing but its number of hits changes. */
VMM_ALWAYS_INLINE void lrucurve_loop(LruStack *stack, StackPage *pages, Depths *depths,
                                     const CurvePart *part, bool far) {
    const uint32_t *page = part->batch->object;
    const uint8_t *op = part->batch->op;
    uint32_t last = DIRECTORY_NO_PAGE;
    uint64_t again = 0;
    for (size_t i = part->from; i < part->to; i++) {
        if (VMM_UNLIKELY(far) && i + LRU_FETCH_AHEAD < part->to) {
            VMM_PREFETCH(&pages[page[i + LRU_FETCH_AHEAD]]);
        }
        bool write = (op[i] & OP_WRITE_BIT) != 0;
        if (VMM_UNLIKELY(page[i] == DIRECTORY_NO_PAGE)) {
            depths->invalid++;
            continue;
        }
        if (page[i] == last) {
            again++;
            pages[last].dirty_from = write ? 1 : pages[last].dirty_from;
            continue;
        }
        last = page[i];
        uint32_t depth = lru_stack_touch(stack, pages, last);
        if (VMM_LIKELY(depth != 0)) {
            depths_hit(depths, depth, &pages[last].dirty_from, write);
        } else {
            depths_cold(depths, &pages[last].dirty_from, write);
        }
    }
    depths->hits[1] += again;
}

static void lrucurve_loop_plain(LruStack *stack, StackPage *pages, Depths *depths,
                                const CurvePart *part, bool far) {
    lrucurve_loop(stack, pages, depths, part, far);
}

VMM_WIDE VMM_VECTORISED static void lrucurve_loop_wide(LruStack *stack, StackPage *pages,
                                                       Depths *depths, const CurvePart *part,
                                                       bool far) {
    lrucurve_loop(stack, pages, depths, part, far);
}

static void lrucurve_take(VMMCurve *curve, const CurvePart *part) {
    LruCurve *lru = (LruCurve *)curve;
    Depths *depths = stackcurve_count(&lru->of, part);
    LruStack *stack = &lru->stacks[stackcurve_stack(&lru->of, part->space)];
    bool far = lru->of.page_count > LRU_NEAR_PAGES;
    if (lru->of.wide) {
        lrucurve_loop_wide(stack, lru->of.pages, depths, part, far);
    } else {
        lrucurve_loop_plain(stack, lru->of.pages, depths, part, far);
    }
}

static int lrucurve_discard(VMMCurve *curve, uint32_t page, Error *error) {
    LruCurve *lru = (LruCurve *)curve;
    uint32_t place = lru->of.pages[page].place;
    if (place == STACK_NOWHERE) {
        return VMM_OK;
    }
    LruStack *stack = &lru->stacks[stackcurve_stack(&lru->of, stackcurve_space(&lru->of, page))];
    int status = lru_stack_reserve_holes(stack, &curve->memory, error);
    if (status == VMM_OK) {
        stackcurve_discard(&lru->of, page, lru_stack_depth(stack, place, stack->now - 1));
        lru_stack_make_hole(stack, place);
    }
    return status;
}

static void lrucurve_clean(VMMCurve *curve, uint32_t page) {
    LruCurve *lru = (LruCurve *)curve;
    uint32_t place = lru->of.pages[page].place;
    if (place != STACK_NOWHERE) {
        LruStack *stack =
            &lru->stacks[stackcurve_stack(&lru->of, stackcurve_space(&lru->of, page))];
        stackcurve_clean(&lru->of, page, lru_stack_depth(stack, place, stack->now - 1));
    }
}

static int lrucurve_finish(VMMCurve *curve, Error *error) {
    LruCurve *lru = (LruCurve *)curve;
    for (uint32_t i = 0; i < lru->of.count; i++) {
        lru_stack_each(&lru->stacks[i], stackcurve_end, lru);
    }
    return stackcurve_finish(curve, error);
}

const CurveType curve_lru = {
    .state_size = sizeof(LruCurve),
    .create = lrucurve_create,
    .destroy = lrucurve_destroy,
    .reserve = lrucurve_reserve,
    .take = lrucurve_take,
    .discard = lrucurve_discard,
    .clean = lrucurve_clean,
    .finish = lrucurve_finish,
    .describe = stackcurve_describe,
    .at = stackcurve_at,
    .next = stackcurve_next,
};
