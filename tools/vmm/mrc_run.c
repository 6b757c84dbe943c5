/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of vmm mrc. Policies with a one-pass curve share one pass over the trace, a sampled
 * one has its own; all others are simulated at the chosen sizes, many machines to a pass. Sizes
 * that are not given are chosen by the LRU curve: up to where it ends.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mrc.h"

/* ---- Running -------------------------------------------------------------------------------- */

static int mrc_failed(const Mrc *mrc, int code, const char *text) {
    const char *of_trace = vmm_trace_error_text(mrc->trace);
    if (of_trace != NULL && *of_trace != '\0') {
        text = of_trace;
    }
    cli_error("%s", *text != '\0' ? text : vmm_error_message(code));
    return cli_status(code);
}

/* The trace from its beginning, for one pass more. */
static int mrc_rewind(Mrc *mrc) {
    int code = mrc->progress.part == 0 ? VMM_OK : vmm_trace_rewind(mrc->trace);
    mrc->progress.part++;
    mrc->progress.pass = 0;
    return code == VMM_OK ? CLI_OK : mrc_failed(mrc, code, "");
}

static int mrc_run_curves(Mrc *mrc, VMMCurve *const *curves, size_t count) {
    int status = mrc_rewind(mrc);
    if (status != CLI_OK) {
        return status;
    }
    int code = vmm_curve_run(curves, count, mrc->trace, cli_progress_step, &mrc->progress);
    cli_progress_end(&mrc->progress);
    if (code != VMM_OK && code != VMM_E_STOPPED) {
        return mrc_failed(mrc, code, vmm_curve_error_text(curves[0]));
    }
    mrc->error = code;
    return CLI_OK;
}

static VMMCurve *mrc_create_curve(const Mrc *mrc, VMMCurveKind kind, bool sampled) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMCurveOptions options = {.struct_size = sizeof options,
                               .kind = (uint32_t)kind,
                               .per_process = mrc->flags.per_process,
                               .sample_rate = sampled ? mrc->sample_rate : 0.0,
                               .sample_pages = sampled ? mrc->sample_pages : 0};
    VMMCurve *curve = NULL;
    if (vmm_curve_create(&mrc->config, &options, NULL, &curve, error) != VMM_OK) {
        cli_error("%s", error);
    }
    return curve;
}

/* All policies that are found out in this way, in one pass. */
static int mrc_run_one_pass(Mrc *mrc, MrcHow how) {
    VMMCurve *curves[VMM_CURVE_KIND_COUNT] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < mrc->names.count; i++) {
        MrcPolicy *policy = &mrc->policies[i];
        if (policy->how == how) {
            policy->curve = mrc_create_curve(mrc, policy->kind, how == MRC_SAMPLED);
            if (policy->curve == NULL) {
                return CLI_FAILURE;
            }
            curves[count++] = policy->curve;
        }
    }
    return count == 0 ? CLI_OK : mrc_run_curves(mrc, curves, count);
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

static int mrc_compare_sizes(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* The number whose power is `value`, found by halving: the program does without libm. */
static double mrc_root(double value, uint64_t power) {
    double low = 1.0;
    double high = value;
    for (int step = 0; step < 100; step++) {
        double middle = (low + high) / 2;
        double product = 1.0;
        for (uint64_t i = 0; i < power && product <= value; i++) {
            product *= middle;
        }
        if (product <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Sizes in even steps of their logarithm, from 1 to `last`. */
static void mrc_space_sizes(Mrc *mrc, uint64_t last) {
    double factor = mrc_root((double)last, mrc->points - 1);
    double place = 1.0;
    mrc->sizes = cli_alloc(mrc->points, sizeof *mrc->sizes);
    for (uint64_t i = 0; i < mrc->points; i++, place *= factor) {
        uint64_t size = i + 1 == mrc->points ? last : (uint64_t)(place + 0.5);
        if (mrc->size_count == 0 || size > mrc->sizes[mrc->size_count - 1]) {
            mrc->sizes[mrc->size_count++] = size;
        }
    }
}

/* The last size at which the LRU curve changes: no policy that loads on demand gains behind it. */
static int mrc_find_last(Mrc *mrc, uint64_t *last) {
    VMMCurve *lru = NULL;
    for (size_t i = 0; i < mrc->names.count && lru == NULL; i++) {
        const MrcPolicy *policy = &mrc->policies[i];
        lru = policy->how == MRC_CURVE && policy->kind == VMM_CURVE_LRU ? policy->curve : NULL;
    }
    bool own = lru == NULL;
    int status = CLI_OK;
    if (own) {
        lru = mrc_create_curve(mrc, VMM_CURVE_LRU, false);
        status = lru == NULL ? CLI_FAILURE : mrc_run_curves(mrc, &lru, 1);
    }
    uint64_t cursor = 0;
    VMMCurvePoint points[256];
    size_t count;
    while (status == CLI_OK && (count = vmm_curve_read(lru, 0, &cursor, points, 256)) > 0) {
        *last = points[count - 1].size;
    }
    if (own) {
        vmm_curve_destroy(lru);
    }
    return status;
}

static int mrc_choose_sizes(Mrc *mrc) {
    uint64_t last = 1;
    if (mrc->size_names.count == 0) {
        int status = mrc_find_last(mrc, &last);
        if (status == CLI_OK) {
            mrc_space_sizes(mrc, last);
        }
        return status;
    }
    mrc->sizes = cli_alloc(mrc->size_names.count, sizeof *mrc->sizes);
    for (size_t i = 0; i < mrc->size_names.count; i++) {
        mrc->sizes[i] = strtoull(mrc->size_names.items[i], NULL, 10);
    }
    qsort(mrc->sizes, mrc->size_names.count, sizeof *mrc->sizes, mrc_compare_sizes);
    for (size_t i = 0; i < mrc->size_names.count; i++) {
        if (mrc->size_count == 0 || mrc->sizes[i] != mrc->sizes[mrc->size_count - 1]) {
            mrc->sizes[mrc->size_count++] = mrc->sizes[i];
        }
    }
    return CLI_OK;
}

/* ---- Machines ------------------------------------------------------------------------------- */

static VMM *mrc_create_machine(const Mrc *mrc, const MrcPolicy *policy, uint64_t frames) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    char text[32];
    VMMConfig config = mrc->config;
    VMM *vmm = NULL;
    snprintf(text, sizeof text, "%" PRIu64, frames);
    vmm_config_set(&config, "policy", policy->name, NULL);
    vmm_config_set(&config, "frames", text, NULL);
    if (vmm_create_with(&config, NULL, &vmm, error) != VMM_OK) {
        cli_error("%s", error);
    }
    return vmm;
}

static void mrc_collect(MrcPolicy *policy, size_t size, uint64_t frames, const VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    policy->about = (VMMCurveSeries){.struct_size = sizeof policy->about,
                                     .page_references = stats.page_references,
                                     .invalid = stats.faults[VMM_FAULT_invalid],
                                     .cold_misses = stats.distinct_pages,
                                     .sampled = stats.page_references};
    VMMCurvePoint *point = &policy->found[size];
    *point = (VMMCurvePoint){.size = frames, .misses = stats.misses, .writebacks = stats.swap_outs};
    if (stats.page_references != 0) {
        point->miss_ratio = (double)stats.misses / (double)stats.page_references;
    }
    point->low = point->high = point->miss_ratio;
}

/* Machines [first, first + count) of all: policy by policy, size by size. */
static int mrc_run_chunk(Mrc *mrc, MrcPolicy **policies, size_t first, size_t count) {
    VMM *vmms[MRC_CHUNK] = {NULL};
    int status = mrc_rewind(mrc);
    for (size_t i = 0; i < count && status == CLI_OK; i++) {
        size_t cell = first + i;
        vmms[i] = mrc_create_machine(mrc, policies[cell / mrc->size_count],
                                     mrc->sizes[cell % mrc->size_count]);
        status = vmms[i] == NULL ? CLI_FAILURE : CLI_OK;
    }
    if (status == CLI_OK) {
        int code = vmm_run(vmms, count, mrc->trace, cli_progress_step, &mrc->progress);
        cli_progress_end(&mrc->progress);
        mrc->error = code == VMM_E_STOPPED ? code : mrc->error;
        status = code == VMM_OK || code == VMM_E_STOPPED
                     ? CLI_OK
                     : mrc_failed(mrc, code, vmm_error_text(vmms[0]));
    }
    for (size_t i = 0; i < count; i++) {
        size_t cell = first + i;
        if (status == CLI_OK) {
            mrc_collect(policies[cell / mrc->size_count], cell % mrc->size_count,
                        mrc->sizes[cell % mrc->size_count], vmms[i]);
        }
        vmm_destroy(vmms[i]);
    }
    return status;
}

static int mrc_run_machines(Mrc *mrc) {
    MrcPolicy **policies = cli_alloc(mrc->names.count, sizeof(MrcPolicy *));
    size_t count = 0;
    for (size_t i = 0; i < mrc->names.count; i++) {
        if (mrc->policies[i].how == MRC_RUNS) {
            policies[count++] = &mrc->policies[i];
        }
    }
    int status = count == 0 ? CLI_OK : mrc_choose_sizes(mrc);
    for (size_t i = 0; i < count && status == CLI_OK; i++) {
        policies[i]->found = cli_alloc(mrc->size_count, sizeof *policies[i]->found);
    }
    size_t cells = count * mrc->size_count;
    for (size_t first = 0; status == CLI_OK && first < cells && cli_interrupted() == 0;
         first += MRC_CHUNK) {
        size_t left = cells - first;
        status = mrc_run_chunk(mrc, policies, first, left < MRC_CHUNK ? left : MRC_CHUNK);
    }
    free(policies);
    return status;
}

/* How many times the trace is read, for the progress line. */
static uint32_t mrc_parts(const Mrc *mrc) {
    size_t runs = 0, curves = 0, sampled = 0;
    bool lru = false;
    for (size_t i = 0; i < mrc->names.count; i++) {
        const MrcPolicy *policy = &mrc->policies[i];
        runs += policy->how == MRC_RUNS;
        curves += policy->how == MRC_CURVE;
        sampled += policy->how == MRC_SAMPLED;
        lru = lru || (policy->how == MRC_CURVE && policy->kind == VMM_CURVE_LRU);
    }
    size_t sizes = mrc->size_names.count > 0 ? mrc->size_names.count : mrc->points;
    size_t search = runs > 0 && mrc->size_names.count == 0 && !lru;
    return (uint32_t)((curves > 0) + sampled + search + (runs * sizes + MRC_CHUNK - 1) / MRC_CHUNK);
}

int mrc_run(Mrc *mrc) {
    char limit[CLI_VALUE_BYTES];
    cli_catch_interrupt();
    cli_progress_init(&mrc->progress, !mrc->flags.quiet,
                      strtoull(cli_config_text(&mrc->config, "max-accesses", limit), NULL, 10));
    mrc->progress.parts = mrc_parts(mrc);
    mrc->progress.part = 0;
    int status = CLI_OK;
    if (mrc->progress.parts > 1) {
        int code = vmm_trace_keep(mrc->trace);
        status = code == VMM_OK ? CLI_OK : mrc_failed(mrc, code, "");
    }
    if (status == CLI_OK) {
        status = mrc_run_one_pass(mrc, MRC_CURVE);
    }
    if (status == CLI_OK && mrc->error == VMM_OK) {
        status = mrc_run_one_pass(mrc, MRC_SAMPLED);
    }
    if (status == CLI_OK && mrc->error == VMM_OK) {
        status = mrc_run_machines(mrc);
    }
    cli_release_interrupt();
    return status;
}

/* ---- Reading -------------------------------------------------------------------------------- */

bool mrc_is_window(const MrcPolicy *policy) {
    return policy->how == MRC_CURVE &&
           (policy->kind == VMM_CURVE_WS || policy->kind == VMM_CURVE_VMIN);
}

size_t mrc_series_count(const MrcPolicy *policy) {
    if (policy->how == MRC_RUNS) {
        return policy->about.struct_size != 0;
    }
    return vmm_curve_series_count(policy->curve);
}

static void mrc_read_curve(MrcRows *rows, size_t series) {
    size_t room = 0;
    uint64_t cursor = 0;
    for (;;) {
        if (rows->count == room) {
            room = room * 2 + 64;
            rows->points = cli_realloc(rows->points, room, sizeof *rows->points);
        }
        size_t more = vmm_curve_read(rows->policy->curve, series, &cursor,
                                     rows->points + rows->count, room - rows->count);
        rows->count += more;
        if (more == 0) {
            return;
        }
    }
}

VMMCurvePoint mrc_at(const MrcRows *rows, uint64_t size) {
    size_t low = 0;
    size_t high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows->points[middle].size <= size) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return rows->points[low == 0 ? 0 : low - 1];
}

/* What halving the memory at a size would cost, less what doubling it would gain. */
static double mrc_bend(const MrcRows *rows, uint64_t size) {
    double here = mrc_at(rows, size).miss_ratio;
    double half = mrc_at(rows, size / 2 > 0 ? size / 2 : 1).miss_ratio;
    return half - here - (here - mrc_at(rows, 2 * size).miss_ratio);
}

/*
 * Knees: sizes at which halving the memory costs most against what doubling it gains, at least a
 * twentieth of the height of the curve; the sharpest first, and none within a factor of two of one
 * that is sharper.
 */
static void mrc_find_knees(MrcRows *rows) {
    double least =
        rows->count == 0
            ? 0.0
            : 0.05 * (rows->points[0].miss_ratio - rows->points[rows->count - 1].miss_ratio);
    double *bends = cli_alloc(rows->count + 1, sizeof *bends);
    for (size_t i = 0; i < rows->count; i++) {
        bends[i] = mrc_bend(rows, rows->points[i].size);
    }
    while (rows->knee_count < MRC_MOST_KNEES) {
        size_t best = rows->count;
        for (size_t i = 1; i < rows->count; i++) {
            bool sharper = best == rows->count || bends[i] > bends[best];
            best = bends[i] > 0.0 && bends[i] >= least && sharper ? i : best;
        }
        if (best == rows->count) {
            break;
        }
        uint64_t size = rows->points[best].size;
        rows->knees[rows->knee_count++] = size;
        for (size_t i = 0; i < rows->count; i++) {
            uint64_t other = rows->points[i].size;
            bends[i] = other <= 2 * size && 2 * other >= size ? -1.0 : bends[i];
        }
    }
    qsort(rows->knees, rows->knee_count, sizeof rows->knees[0], mrc_compare_sizes);
    free(bends);
}

MrcRows mrc_read(const Mrc *mrc, const MrcPolicy *policy, size_t series) {
    MrcRows rows = {
        .policy = policy, .whole = series == 0, .about = {.struct_size = sizeof rows.about}};
    if (policy->how == MRC_RUNS) {
        rows.about = policy->about;
        rows.points = cli_alloc(mrc->size_count, sizeof *rows.points);
        for (size_t i = 0; i < mrc->size_count; i++) {
            if (policy->found[i].size != 0) { /* else an interrupt came before */
                rows.points[rows.count++] = policy->found[i];
            }
        }
    } else {
        vmm_curve_series_at(policy->curve, series, &rows.about);
        mrc_read_curve(&rows, series);
    }
    if (rows.count > 0) {
        mrc_find_knees(&rows);
    }
    return rows;
}

void mrc_free_rows(MrcRows *rows) {
    free(rows->points);
    *rows = (MrcRows){0};
}

char *mrc_title(const MrcRows *rows) {
    const char *sampled = rows->policy->how == MRC_SAMPLED ? " (sampled)" : "";
    return rows->whole
               ? cli_format("%s%s", rows->policy->name, sampled)
               : cli_format("%s%s, process %" PRIu32, rows->policy->name, sampled, rows->about.pid);
}
