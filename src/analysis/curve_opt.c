/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact OPT curve: the depth of each page reference in the OPT stack, by opt_stack.h, and what
 * follows from it at every size, by depths.h. The batches carry the distance to each page's next
 * reference, as for a machine with that policy (engine/run.h).
 */
#include "opt_stack.h"
#include "stack_curve.h"

enum { OPT_FETCH_AHEAD = 8 };

typedef struct OptCurve {
    StackCurve of;
    OptStack *stacks;
} OptCurve;

static int optcurve_create(VMMCurve *curve, const VMMCurveOptions *options, Error *error) {
    (void)options;
    (void)error;
    stackcurve_create(curve);
    return VMM_OK;
}

static void optcurve_destroy(VMMCurve *curve) {
    OptCurve *opt = (OptCurve *)curve;
    const Memory *memory = &curve->memory;
    for (uint32_t i = 0; i < opt->of.count; i++) {
        opt_stack_free(&opt->stacks[i], memory);
    }
    memory_free(memory, opt->stacks, opt->of.count, sizeof *opt->stacks);
    stackcurve_destroy(curve);
}

static int optcurve_reserve(VMMCurve *curve, Error *error) {
    OptCurve *opt = (OptCurve *)curve;
    void *stacks = opt->stacks;
    int status = stackcurve_reserve(curve, &stacks, sizeof *opt->stacks, error);
    opt->stacks = stacks;
    for (uint32_t i = 0; status == VMM_OK && i < opt->of.count; i++) {
        status = opt_stack_reserve(&opt->stacks[i], &curve->memory, opt->of.wanted[i], error);
    }
    return status;
}

/* The key of the page of an element. */
static inline int64_t optcurve_key(const Batch *batch, size_t i) {
    int64_t now = (int64_t)(batch->first + i);
    return batch->next[i] == 0 ? OPT_NEVER - now : now + batch->next[i];
}

static void optcurve_take(VMMCurve *curve, const CurvePart *part) {
    OptCurve *opt = (OptCurve *)curve;
    const Batch *batch = part->batch;
    Depths *depths = stackcurve_count(&opt->of, part);
    OptStack *stack = &opt->stacks[stackcurve_stack(&opt->of, part->space)];
    StackPage *pages = opt->of.pages;
    for (size_t i = part->from; i < part->to; i++) {
        uint32_t page = batch->object[i];
        if (i + OPT_FETCH_AHEAD < part->to) {
            VMM_PREFETCH(&pages[batch->object[i + OPT_FETCH_AHEAD]]);
        }
        bool write = (batch->op[i] & OP_WRITE_BIT) != 0;
        if (VMM_UNLIKELY(page == DIRECTORY_NO_PAGE)) {
            depths->invalid++;
            continue;
        }
        uint32_t depth = opt_stack_touch(stack, pages, page, optcurve_key(batch, i));
        if (VMM_LIKELY(depth != 0)) {
            depths_hit(depths, depth, &pages[page].dirty_from, write);
        } else {
            depths_cold(depths, &pages[page].dirty_from, write);
        }
    }
}

static int optcurve_discard(VMMCurve *curve, uint32_t page, Error *error) {
    OptCurve *opt = (OptCurve *)curve;
    (void)error;
    if (opt->of.pages[page].place != STACK_NOWHERE) {
        uint32_t space = stackcurve_space(&opt->of, page);
        OptStack *stack = &opt->stacks[stackcurve_stack(&opt->of, space)];
        stackcurve_discard(&opt->of, page, opt_stack_make_hole(stack, opt->of.pages, page));
    }
    return VMM_OK;
}

static void optcurve_clean(VMMCurve *curve, uint32_t page) {
    OptCurve *opt = (OptCurve *)curve;
    if (opt->of.pages[page].place != STACK_NOWHERE) {
        uint32_t space = stackcurve_space(&opt->of, page);
        OptStack *stack = &opt->stacks[stackcurve_stack(&opt->of, space)];
        stackcurve_clean(&opt->of, page, opt_stack_depth(stack, opt->of.pages, page));
    }
}

static int optcurve_finish(VMMCurve *curve, Error *error) {
    OptCurve *opt = (OptCurve *)curve;
    for (uint32_t i = 0; i < opt->of.count; i++) {
        opt_stack_each(&opt->stacks[i], stackcurve_end, opt);
    }
    return stackcurve_finish(curve, error);
}

const CurveType curve_opt = {
    .needs_future = true,
    .state_size = sizeof(OptCurve),
    .create = optcurve_create,
    .destroy = optcurve_destroy,
    .reserve = optcurve_reserve,
    .take = optcurve_take,
    .discard = optcurve_discard,
    .clean = optcurve_clean,
    .finish = optcurve_finish,
    .describe = stackcurve_describe,
    .at = stackcurve_at,
    .next = stackcurve_next,
};
