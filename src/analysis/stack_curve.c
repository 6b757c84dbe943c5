/* SPDX-License-Identifier: Apache-2.0 */
/* What the curves of stack algorithms share: see stack_curve.h. */
#include "stack_curve.h"

#include <string.h>

void stackcurve_create(VMMCurve *curve) {
    StackCurve *stack = (StackCurve *)curve;
    curve->by_space = curve->per_process || curve->settings.scope == SCOPE_PROCESS;
    stack->met = 1; /* id 0 is no page */
    stack->wide = vmm_is_wide();
}

void stackcurve_destroy(VMMCurve *curve) {
    StackCurve *stack = (StackCurve *)curve;
    const Memory *memory = &curve->memory;
    for (uint32_t i = 0; i < stack->count; i++) {
        depths_free(&stack->series[i], memory);
    }
    depths_free(&stack->whole, memory);
    memory_free(memory, stack->series, stack->count, sizeof *stack->series);
    memory_free(memory, stack->wanted, stack->count, sizeof *stack->wanted);
    memory_free(memory, stack->pages, stack->page_count, sizeof *stack->pages);
}

/* A longer array with the same beginning, and zeros behind it; NULL: no memory, nothing changes. */
static void *stackcurve_longer(const Memory *memory, const void *old, size_t had, size_t count,
                               size_t size) {
    void *longer = memory_zalloc(memory, count, size);
    if (longer != NULL && had > 0) {
        memcpy(longer, old, had * size);
    }
    return longer;
}

/* As many stacks and series as address spaces. */
static int stackcurve_reserve_spaces(StackCurve *curve, uint32_t count, void **stacks, size_t size,
                                     Error *error) {
    const Memory *memory = &curve->base.memory;
    uint32_t had = curve->count;
    if (count <= had) {
        return VMM_OK;
    }
    void *new_stacks = stackcurve_longer(memory, *stacks, had, count, size);
    Depths *series = stackcurve_longer(memory, curve->series, had, count, sizeof *series);
    uint32_t *wanted = stackcurve_longer(memory, curve->wanted, had, count, sizeof *wanted);
    bool all = new_stacks != NULL && series != NULL && wanted != NULL;
    uint32_t useless = all ? had : count;
    memory_free(memory, all ? *stacks : new_stacks, useless, size);
    memory_free(memory, all ? curve->series : series, useless, sizeof *series);
    memory_free(memory, all ? curve->wanted : wanted, useless, sizeof *wanted);
    if (!all) {
        return error_no_memory(error, count * sizeof *series, "the curves of processes");
    }
    *stacks = new_stacks;
    curve->series = series;
    curve->wanted = wanted;
    curve->count = count;
    return VMM_OK;
}

static int stackcurve_reserve_pages(StackCurve *curve, uint32_t count, Error *error) {
    if (count <= curve->page_count) {
        return VMM_OK;
    }
    uint32_t wanted = count < UINT32_MAX / 2 ? count + count / 2 : UINT32_MAX;
    StackPage *pages =
        memory_grow(&curve->base.memory, curve->pages, curve->page_count, wanted, sizeof *pages);
    if (pages == NULL) {
        return error_no_memory(error, wanted * sizeof *pages, "the pages of a curve");
    }
    for (uint32_t i = curve->page_count; i < wanted; i++) {
        pages[i] = (StackPage){STACK_NOWHERE, DEPTHS_CLEAN};
    }
    curve->pages = pages;
    curve->page_count = wanted;
    return VMM_OK;
}

int stackcurve_reserve(VMMCurve *base, void **stacks, size_t size, Error *error) {
    StackCurve *curve = (StackCurve *)base;
    const Directory *directory = &base->stream->directory;
    uint32_t spaces = base->by_space ? directory->space_count : 1;
    int status = stackcurve_reserve_pages(curve, stream_object_pages(base->stream), error);
    if (status == VMM_OK) {
        status = stackcurve_reserve_spaces(curve, spaces, stacks, size, error);
    }
    for (; status == VMM_OK && curve->met < stream_object_pages(base->stream); curve->met++) {
        curve->wanted[stackcurve_stack(curve, stream_charged(base->stream, curve->met))]++;
    }
    for (uint32_t i = 0; status == VMM_OK && i < spaces; i++) {
        uint32_t deepest = curve->wanted[stackcurve_stack(curve, i)];
        status = depths_reserve(&curve->series[i], &base->memory, deepest, error);
    }
    return status;
}

Depths *stackcurve_count(StackCurve *curve, const CurvePart *part) {
    Depths *depths = stackcurve_series(curve, part->space);
    uint64_t repeats = curve_repeats(part);
    depths->references += part->to - part->from + repeats;
    depths->hits[1] += repeats;
    return depths;
}

void stackcurve_discard(StackCurve *curve, uint32_t page, uint32_t depth) {
    StackPage *kept = &curve->pages[page];
    depths_sink(stackcurve_series(curve, stackcurve_space(curve, page)), depth, &kept->dirty_from);
    *kept = (StackPage){STACK_NOWHERE, DEPTHS_CLEAN};
}

void stackcurve_clean(StackCurve *curve, uint32_t page, uint32_t depth) {
    uint32_t *dirty_from = &curve->pages[page].dirty_from;
    depths_sink(stackcurve_series(curve, stackcurve_space(curve, page)), depth, dirty_from);
    *dirty_from = DEPTHS_CLEAN;
}

void stackcurve_end(void *user, uint32_t page, uint32_t depth) {
    StackCurve *curve = user;
    Depths *depths = stackcurve_series(curve, stackcurve_space(curve, page));
    depths_end(depths, depth, &curve->pages[page].dirty_from);
}

/* ---- Reading -------------------------------------------------------------------------------- */

int stackcurve_finish(VMMCurve *base, Error *error) {
    StackCurve *curve = (StackCurve *)base;
    return depths_finish(&curve->whole, curve->series, curve->count, &base->memory, error);
}

static const Depths *stackcurve_read(const VMMCurve *base, size_t series) {
    const StackCurve *curve = (const StackCurve *)base;
    return series == 0 ? &curve->whole : &curve->series[series - 1];
}

void stackcurve_describe(const VMMCurve *curve, size_t series, VMMCurveSeries *description) {
    depths_describe(stackcurve_read(curve, series), description);
}

void stackcurve_at(const VMMCurve *curve, size_t series, uint64_t size, VMMCurvePoint *point) {
    depths_at(stackcurve_read(curve, series), size, point);
}

uint64_t stackcurve_next(const VMMCurve *curve, size_t series, uint64_t size) {
    return depths_next(stackcurve_read(curve, series), size);
}
