/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact curves of Working Set and VMIN for every window, from the reuse times.
 *
 * Time is that of the process: its page references, counted from 1. A page referenced at time t and
 * again at t + d is a hit in every window of d or more, in both. In between it is in memory:
 *
 *     Working Set, window w    min(d, w) references long: t ... t + w - 1, or up to the next one
 *     VMIN, window w           d references if d <= w; else 1, the reference itself
 *
 * The last interval of a page ends with its process's references, or where the page is given up: if
 * it is e references long, that is min(e, w) and 1. The sum of all that is the memory held, in
 * pages times references; divided by the page references it is the mean. With H(d), E(e) the
 * numbers of intervals of each length, all of it is sums over H and E, whatever the window.
 * (Denning and Slutz, CACM 21(9), 1978; Prieve and Fabry, CACM 19(5), 1976.)
 *
 *     steps    one for each length there is, ascending
 *     window   |  1  |  2  |  7  | ...
 *     hits     |     |     |     |          intervals of at most so long
 *     held     |     |     |     |          their sum; with the slope up to the next step
 */
#include <string.h>

#include "curve.h"
#include "reuse_times.h"

/* A place where a curve changes. */
typedef struct WsStep {
    uint64_t window;
    uint64_t hits;     /* intervals between references, of at most `window` */
    uint64_t hit_time; /* their sum */
    uint64_t ends;     /* intervals to the end of a page's life, likewise */
    uint64_t end_time;
} WsStep;

typedef struct WsSeries {
    uint64_t near[REUSE_NEAR]; /* intervals between references by their length */
    uint64_t references, invalid, cold;
    WsStep *steps; /* when finished */
    uint64_t step_count;
    uint64_t step_capacity;
} WsSeries;

typedef struct WsCurve {
    VMMCurve base;
    uint64_t *last;    /* by page id: time of its last reference, 0: none */
    uint64_t *now;     /* by space: its page references so far */
    WsSeries **series; /* the whole; with per_process then each space */
    ReuseTable table;
    uint32_t page_count;
    uint32_t space_count; /* of now */
    uint32_t series_count;
} WsCurve;

/* ---- Room ----------------------------------------------------------------------------------- */

static int wscurve_create(VMMCurve *curve, const VMMCurveOptions *options, Error *error) {
    (void)curve;
    (void)options;
    (void)error;
    return VMM_OK;
}

static void wscurve_destroy(VMMCurve *curve) {
    WsCurve *ws = (WsCurve *)curve;
    const Memory *memory = &curve->memory;
    for (uint32_t i = 0; i < ws->series_count; i++) {
        WsSeries *series = ws->series[i];
        memory_free(memory, series->steps, series->step_capacity, sizeof *series->steps);
        memory_free(memory, series, 1, sizeof *series);
    }
    memory_free(memory, ws->series, ws->series_count, sizeof(WsSeries *));
    memory_free(memory, ws->last, ws->page_count, sizeof *ws->last);
    memory_free(memory, ws->now, ws->space_count, sizeof *ws->now);
    reuse_free(&ws->table, memory);
}

/* Grows an array of times to `wanted`; *had says how long it is. False: no memory. */
static bool wscurve_grow(const Memory *memory, uint64_t **times, uint32_t *had, uint32_t wanted) {
    if (wanted <= *had) {
        return true;
    }
    uint32_t count = wanted < UINT32_MAX / 2 ? wanted + wanted / 2 : UINT32_MAX;
    uint64_t *grown = memory_grow(memory, *times, *had, count, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    memset(grown + *had, 0, (count - *had) * sizeof *grown);
    *times = grown;
    *had = count;
    return true;
}

static bool wscurve_add_series(WsCurve *ws, const Memory *memory) {
    WsSeries **grown = memory_zalloc(memory, ws->series_count + 1, sizeof *grown);
    WsSeries *series = memory_zalloc(memory, 1, sizeof *series);
    if (grown == NULL || series == NULL) {
        memory_free(memory, grown, ws->series_count + 1, sizeof *grown);
        memory_free(memory, series, 1, sizeof *series);
        return false;
    }
    if (ws->series_count > 0) {
        memcpy(grown, ws->series, ws->series_count * sizeof *grown);
    }
    memory_free(memory, ws->series, ws->series_count, sizeof *grown);
    ws->series = grown;
    ws->series[ws->series_count++] = series;
    return true;
}

static int wscurve_reserve(VMMCurve *curve, Error *error) {
    WsCurve *ws = (WsCurve *)curve;
    const Memory *memory = &curve->memory;
    const Directory *directory = &curve->stream->directory;
    uint64_t series = 1 + (curve->per_process ? (uint64_t)directory->space_count : 0);
    bool room =
        wscurve_grow(memory, &ws->last, &ws->page_count, stream_object_pages(curve->stream)) &&
        wscurve_grow(memory, &ws->now, &ws->space_count, directory->space_count) &&
        reuse_reserve(&ws->table, memory, curve->stream->batch.count);
    while (room && ws->series_count < series) {
        room = wscurve_add_series(ws, memory);
    }
    return room ? VMM_OK
                : error_no_memory(error, directory->count * sizeof *ws->last, "reuse times");
}

/* ---- References ----------------------------------------------------------------------------- */

/* The series that a space counts in: its own, else the whole; which is summed up at the end. */
static uint32_t wscurve_series(const WsCurve *ws, uint32_t space) {
    return ws->base.per_process ? 1 + space : 0;
}

static void wscurve_take(VMMCurve *curve, const CurvePart *part) {
    WsCurve *ws = (WsCurve *)curve;
    const Batch *batch = part->batch;
    uint32_t number = wscurve_series(ws, part->space);
    WsSeries *series = ws->series[number];
    uint64_t *last = ws->last;
    uint64_t now = ws->now[part->space];
    uint64_t repeats = 0;
    for (size_t i = part->from; i < part->to; i++) {
        uint32_t page = batch->object[i];
        uint64_t time = now + 1 - last[page];
        uint64_t repeat = batch_repeat(batch, i);
        now += 1 + repeat;
        repeats += repeat;
        if (VMM_UNLIKELY(page == DIRECTORY_NO_PAGE)) {
            series->invalid++;
            continue;
        }
        if (VMM_UNLIKELY(last[page] == 0)) {
            series->cold++;
        } else if (VMM_LIKELY(time < REUSE_NEAR)) {
            series->near[time]++;
        } else {
            reuse_add(&ws->table, time, number, 0, 1);
        }
        last[page] = now;
    }
    series->near[1] += repeats;
    series->references += part->to - part->from + repeats;
    ws->now[part->space] = now;
}

/* The life of a page ends. */
static int wscurve_end(WsCurve *ws, uint32_t page, Error *error) {
    uint32_t space = stream_charged(ws->base.stream, page);
    if (ws->last[page] == 0) {
        return VMM_OK;
    }
    if (!reuse_reserve(&ws->table, &ws->base.memory, 1)) {
        return error_no_memory(error, 2 * ws->table.places * sizeof *ws->table.counts,
                               "reuse times");
    }
    uint64_t time = ws->now[space] - ws->last[page] + 1;
    reuse_add(&ws->table, time, wscurve_series(ws, space), 1, 1);
    ws->last[page] = 0;
    return VMM_OK;
}

static int wscurve_discard(VMMCurve *curve, uint32_t page, Error *error) {
    return wscurve_end((WsCurve *)curve, page, error);
}

/* ---- Results -------------------------------------------------------------------------------- */

/* The whole as the sum of processes: their counts once more, under its number. */
static int wscurve_sum_up(WsCurve *ws, Error *error) {
    WsSeries *whole = ws->series[0];
    ReuseTable all = {0};
    for (uint32_t i = 1; i < ws->series_count; i++) {
        for (uint32_t time = 0; time < REUSE_NEAR; time++) {
            whole->near[time] += ws->series[i]->near[time];
        }
        whole->references += ws->series[i]->references;
        whole->invalid += ws->series[i]->invalid;
        whole->cold += ws->series[i]->cold;
    }
    if (ws->series_count == 1) {
        return VMM_OK;
    }
    if (!reuse_reserve(&all, &ws->base.memory, 2 * ws->table.used)) {
        return error_no_memory(error, 4 * ws->table.used * sizeof *all.counts, "reuse times");
    }
    for (uint64_t i = 0; i < ws->table.places; i++) {
        const ReuseCount *count = &ws->table.counts[i];
        if (count->time != 0) {
            reuse_add(&all, count->time, count->series, count->last, count->count);
            reuse_add(&all, count->time, 0, count->last, count->count);
        }
    }
    reuse_free(&ws->table, &ws->base.memory);
    ws->table = all;
    return VMM_OK;
}

/* Adds intervals of a length to the steps, whose lengths come in ascending order. */
static void wscurve_step(WsSeries *series, uint64_t window, uint64_t hits, uint64_t ends) {
    WsStep *step = series->step_count == 0 ? NULL : &series->steps[series->step_count - 1];
    if (step == NULL || step->window != window) {
        WsStep next = {0};
        if (step != NULL) {
            next = *step;
        }
        next.window = window;
        step = &series->steps[series->step_count++];
        *step = next;
    }
    step->hits += hits;
    step->hit_time += hits * window;
    step->ends += ends;
    step->end_time += ends * window;
}

/* The steps of one series, from its near counts and its part [from, to) of the sorted table. */
static int wscurve_make_steps(WsCurve *ws, WsSeries *series, uint64_t from, uint64_t to,
                              Error *error) {
    const ReuseCount *count = ws->table.counts + from;
    const ReuseCount *end = ws->table.counts + to;
    series->step_capacity = REUSE_NEAR + (to - from);
    series->steps = memory_zalloc(&ws->base.memory, series->step_capacity, sizeof *series->steps);
    if (series->steps == NULL) {
        return error_no_memory(error, series->step_capacity * sizeof *series->steps, "a curve");
    }
    for (uint64_t time = 1; time < REUSE_NEAR; time++) {
        if (series->near[time] != 0) {
            wscurve_step(series, time, series->near[time], 0);
        }
        for (; count < end && count->time == time; count++) { /* short lives are in the table */
            wscurve_step(series, time, 0, count->count);
        }
    }
    for (; count < end; count++) {
        wscurve_step(series, count->time, count->last ? 0 : count->count,
                     count->last ? count->count : 0);
    }
    return VMM_OK;
}

static int wscurve_finish(VMMCurve *curve, Error *error) {
    WsCurve *ws = (WsCurve *)curve;
    uint32_t pages = stream_object_pages(curve->stream);
    int status = wscurve_reserve(curve, error);
    for (uint32_t page = 1; status == VMM_OK && page < pages; page++) {
        status = wscurve_end(ws, page, error);
    }
    if (status == VMM_OK) {
        status = wscurve_sum_up(ws, error);
    }
    uint64_t count = status == VMM_OK ? reuse_sort(&ws->table) : 0;
    uint64_t from = 0;
    for (uint32_t i = 0; status == VMM_OK && i < ws->series_count; i++) {
        uint64_t to = from;
        while (to < count && ws->table.counts[to].series == i) {
            to++;
        }
        status = wscurve_make_steps(ws, ws->series[i], from, to, error);
        from = to;
    }
    return status;
}

static void wscurve_describe(const VMMCurve *curve, size_t number, VMMCurveSeries *description) {
    const WsSeries *series = ((const WsCurve *)curve)->series[number];
    description->page_references = series->references;
    description->invalid = series->invalid;
    description->cold_misses = series->cold;
    description->sampled = series->references;
}

/* The number of steps with a window of at most `size`. */
static uint64_t wscurve_find(const WsSeries *series, uint64_t size) {
    uint64_t low = 0;
    uint64_t high = series->step_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (series->steps[middle].window <= size) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void wscurve_at(const VMMCurve *curve, size_t number, uint64_t size, VMMCurvePoint *point) {
    const WsSeries *series = ((const WsCurve *)curve)->series[number];
    uint64_t found = wscurve_find(series, size);
    WsStep step = {0};
    if (found > 0) {
        step = series->steps[found - 1];
    }
    uint64_t valid = series->references - series->invalid; /* and as many intervals */
    uint64_t held = step.hit_time + (valid - step.hits);
    if (curve->type == &curve_ws) {
        held = step.hit_time + step.end_time + (valid - step.hits - step.ends) * size;
    }
    point->misses = valid - step.hits;
    if (series->references != 0) {
        point->mean_resident = (double)held / (double)series->references;
    }
}

/* VMIN changes with the intervals between references only. */
static uint64_t wscurve_next(const VMMCurve *curve, size_t number, uint64_t size) {
    const WsSeries *series = ((const WsCurve *)curve)->series[number];
    if (size == 0) {
        return 1;
    }
    uint64_t next = wscurve_find(series, size);
    uint64_t hits = next == 0 ? 0 : series->steps[next - 1].hits;
    while (curve->type != &curve_ws && next < series->step_count &&
           series->steps[next].hits == hits) {
        next++;
    }
    return next < series->step_count ? series->steps[next].window : 0;
}

#define WS_CURVE                                                                            \
    {                                                                                       \
        .by_space = true, .state_size = sizeof(WsCurve), .create = wscurve_create,          \
        .destroy = wscurve_destroy, .reserve = wscurve_reserve, .take = wscurve_take,       \
        .discard = wscurve_discard, .finish = wscurve_finish, .describe = wscurve_describe, \
        .at = wscurve_at, .next = wscurve_next,                                             \
    }

const CurveType curve_ws = WS_CURVE;
const CurveType curve_vmin = WS_CURVE;
