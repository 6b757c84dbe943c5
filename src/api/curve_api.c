/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on curves. */
#include <string.h>

#include "../analysis/curve.h"
#include "../mm/pagetable/pagetable.h"

/* ---- Making --------------------------------------------------------------------------------- */

/* Is it a kind that samples, if it is to? */
static int curveapi_check_sample(const VMMCurveOptions *options, Error *error) {
    bool samples = options->sample_rate != 0.0 || options->sample_pages != 0;
    if (samples && options->kind != VMM_CURVE_LRU) {
        return error_set(error, VMM_E_USAGE, "only the curve of LRU can be made of a sample");
    }
    if (samples && options->per_process != 0) {
        return error_set(error, VMM_E_USAGE,
                         "a sample tells of the whole only, not of each process");
    }
    if (!(options->sample_rate >= 0.0 && options->sample_rate < 1.0)) {
        return error_set(error, VMM_E_RANGE, "the sample rate is %g, expected above 0 and below 1",
                         options->sample_rate);
    }
    return VMM_OK;
}

/* The type of curve that the options ask for. VMM_OK or an error. */
static int curveapi_type(const VMMCurveOptions *options, const CurveType **type, Error *error) {
    static const CurveType *const types[VMM_CURVE_KIND_COUNT] = {&curve_lru, &curve_opt, &curve_ws,
                                                                 &curve_vmin};
    if (options == NULL || options->struct_size < sizeof *options || options->reserved != 0 ||
        options->kind >= VMM_CURVE_KIND_COUNT) {
        return error_set(error, VMM_E_USAGE,
                         "the options of a curve have no struct_size, or an unknown kind");
    }
    bool samples = options->sample_rate != 0.0 || options->sample_pages != 0;
    *type = samples ? &curve_shards : types[options->kind];
    return curveapi_check_sample(options, error);
}

static int curveapi_create(const VMMConfig *config, const VMMCurveOptions *options,
                           const Memory *memory, VMMCurve **created, Error *error) {
    const CurveType *type = NULL;
    int status = settings_check(config, error);
    if (status == VMM_OK) {
        status = curveapi_type(options, &type, error);
    }
    if (status != VMM_OK) {
        return status;
    }
    const PageTableType *table = pagetable_parse(settings_of(config)->page_table, error);
    if (table == NULL) {
        return VMM_E_USAGE;
    }
    VMMCurve *curve = memory_zalloc(memory, 1, type->state_size);
    if (curve == NULL) {
        return error_no_memory(error, type->state_size, "a curve");
    }
    curve->type = type;
    curve->memory = *memory;
    curve->settings = *settings_of(config);
    curve->address_bits = table->info.address_bits;
    curve->per_process = options->per_process != 0;
    curve->by_space = curve->per_process || type->by_space;
    status = type->create(curve, options, error);
    if (status != VMM_OK) {
        vmm_curve_destroy(curve);
        return status;
    }
    *created = curve;
    return VMM_OK;
}

int vmm_curve_create(const VMMConfig *config, const VMMCurveOptions *options,
                     const VMMAllocator *allocator, VMMCurve **curve, char *error_text) {
    Error error = {0};
    if (curve == NULL) {
        return VMM_E_USAGE;
    }
    *curve = NULL;
    int status = curveapi_create(config, options, allocator != NULL ? allocator : &memory_default,
                                 curve, &error);
    if (status != VMM_OK) {
        error_publish(&error, error_text);
    }
    return status;
}

void vmm_curve_destroy(VMMCurve *curve) {
    if (curve == NULL) {
        return;
    }
    Memory memory = curve->memory;
    size_t size = curve->type->state_size;
    curve->type->destroy(curve);
    stream_release(curve->stream);
    memory_free(&memory, curve, 1, size);
}

/* ---- Running -------------------------------------------------------------------------------- */

static bool curveapi_agree(const VMMCurve *a, const VMMCurve *b) {
    return a->settings.page_size == b->settings.page_size &&
           a->settings.vspace == b->settings.vspace && a->settings.refs == b->settings.refs &&
           a->settings.max_accesses == b->settings.max_accesses &&
           a->settings.invalid == b->settings.invalid && a->address_bits == b->address_bits &&
           !a->type->samples && !b->type->samples;
}

/* Whether curves of these settings can be made as they say. */
static int curveapi_check_invalid(const VMMCurve *curve, Error *error) {
    return curve->settings.invalid == INVALID_COUNT || !curve->type->samples
               ? VMM_OK
               : error_set(error, VMM_E_CONFIG,
                           "a sample does not see every invalid reference, so that invalid can "
                           "only be count");
}

static int curveapi_check_trace(const VMMCurve *curve, const VMMTrace *trace, Error *error) {
    VMMTraceInfo info = {.struct_size = sizeof info};
    vmm_trace_info(trace, &info);
    if (info.reduction != 0) {
        return error_set(error, VMM_E_CONFIG,
                         "the trace was reduced for LRU of at least %llu frames, and a curve tells "
                         "of all sizes: use the whole trace",
                         (unsigned long long)info.reduction);
    }
    return run_check_page_size(&curve->settings, trace, error);
}

static int curveapi_check(VMMCurve *const *curves, size_t count, const VMMTrace *trace,
                          Error *error) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (curves[i] == curves[j]) {
                return error_set(error, VMM_E_USAGE, "vmm_curve_run: a curve is given twice");
            }
        }
        if (curves[i]->stream != NULL) {
            return error_set(error, VMM_E_USAGE, "vmm_curve_run: a curve was used before");
        }
        if (i > 0 && !curveapi_agree(curves[0], curves[i])) {
            return error_set(
                error, VMM_E_CONFIG,
                "curves of one run must agree in page-size, vspace, refs, "
                "max-accesses, invalid and the address width of their page tables, and one of "
                "a sample runs alone");
        }
    }
    int status = curveapi_check_invalid(curves[0], error);
    return status != VMM_OK ? status : curveapi_check_trace(curves[0], trace, error);
}

static int curveapi_attach(VMMCurve *const *curves, size_t count, Error *error) {
    const VMMCurve *first = curves[0];
    Stream *stream;
    int status = stream_create(&first->settings, first->address_bits, &first->memory,
                               count > 1 ? RUN_BATCH_SHARED : RUN_BATCH_ALONE, &stream, error);
    if (status != VMM_OK) {
        return status;
    }
    stream->users = (uint32_t)count;
    if (first->sample_below != 0) {
        stream_sample(stream, first->settings.seed, first->sample_below);
    }
    for (size_t i = 0; i < count; i++) {
        curves[i]->stream = stream;
    }
    return VMM_OK;
}

/* The pass itself; a curve that fails ends it. */
static int curveapi_pass(VMMCurve *const *curves, RunConsumer *consumers, size_t count,
                         Outlook *outlook, VMMTrace *trace, RunWatch *watch, Error *error) {
    for (size_t i = 0; i < count; i++) {
        consumers[i] = curve_consumer(curves[i]);
    }
    int status = run_simulate(consumers, count, curves[0]->stream, outlook, trace, watch, error);
    for (size_t i = 0; i < count; i++) {
        if (consumers[i].status != VMM_OK) {
            *error = curves[i]->error;
            return consumers[i].status;
        }
    }
    for (size_t i = 0; (status == VMM_OK || status == VMM_E_STOPPED) && i < count; i++) {
        int finished = curves[i]->type->finish(curves[i], error);
        status = finished != VMM_OK ? finished : status;
        curves[i]->finished = finished == VMM_OK;
    }
    return status;
}

static int curveapi_run(VMMCurve *const *curves, size_t count, VMMTrace *trace, RunWatch *watch,
                        Error *error) {
    const VMMCurve *first = curves[0];
    Outlook outlook = {.file = -1, .notes = -1, .times = -1};
    RunConsumer *consumers = memory_zalloc(&first->memory, count, sizeof *consumers);
    if (consumers == NULL) {
        return error_no_memory(error, count * sizeof *consumers, "a list of curves");
    }
    int status = VMM_OK;
    if (watch->progress.passes > 1) {
        status = run_look_ahead(&first->settings, first->address_bits, &first->memory, trace, watch,
                                &outlook, error);
    }
    if (status == VMM_OK) {
        status = curveapi_attach(curves, count, error);
    }
    if (status == VMM_OK) {
        status = curveapi_pass(curves, consumers, count, &outlook, trace, watch, error);
    }
    run_free_outlook(&outlook);
    memory_free(&first->memory, consumers, count, sizeof *consumers);
    return status;
}

int vmm_curve_run(VMMCurve *const *curves, size_t count, VMMTrace *trace,
                  VMMProgressCallback *progress, void *user) {
    if (curves == NULL || count == 0 || trace == NULL) {
        return VMM_E_USAGE;
    }
    Error error = {0};
    RunWatch watch = {progress, user, {.pass = 1, .passes = 1}, 0, 0};
    for (size_t i = 0; i < count; i++) {
        watch.progress.passes = curves[i]->type->needs_future ? 2 : watch.progress.passes;
    }
    int status = curveapi_check(curves, count, trace, &error);
    if (status == VMM_OK) {
        status = curveapi_run(curves, count, trace, &watch, &error);
    }
    for (size_t i = 0; status != VMM_OK && i < count; i++) {
        curves[i]->error = error;
    }
    return status;
}

/* A stream for references that come by hand. */
static int curveapi_prepare_feed(VMMCurve *curve) {
    Error *error = &curve->error;
    if (curve->type->needs_future) {
        return error_set(error, VMM_E_NEEDS_FUTURE,
                         "the curve of opt needs the references to come: run a whole trace with "
                         "vmm_curve_run()");
    }
    if (curve->finished || (curve->stream != NULL && !curve->by_hand)) {
        return error_set(error, VMM_E_USAGE, "the curve is at its end: it takes no more");
    }
    int status = curve->stream != NULL ? VMM_OK : curveapi_attach(&curve, 1, error);
    curve->by_hand = status == VMM_OK;
    if (curve->by_hand) {
        curve->stream->invalid = INVALID_COUNT; /* there are no mappings, and nobody to kill */
    }
    return status;
}

int vmm_curve_feed(VMMCurve *curve, const VMMRef *refs, size_t count) {
    if (curve == NULL || (refs == NULL && count > 0)) {
        return VMM_E_USAGE;
    }
    int status = curveapi_prepare_feed(curve);
    RunConsumer consumer = curve_consumer(curve);
    while (status == VMM_OK && count > 0 && !stream_is_done(curve->stream)) {
        size_t taken;
        stream_next_batch(curve->stream);
        int added = stream_add(curve->stream, refs, count, &taken, &curve->error);
        status = consumer.batch(curve, &curve->stream->batch);
        status = status == VMM_OK ? added : status;
        refs += taken;
        count -= taken;
    }
    return status;
}

int vmm_curve_end(VMMCurve *curve) {
    if (curve == NULL) {
        return VMM_E_USAGE;
    }
    int status = curveapi_prepare_feed(curve);
    if (status == VMM_OK) {
        status = curve->type->finish(curve, &curve->error);
        curve->finished = status == VMM_OK;
    }
    return status;
}

const char *vmm_curve_error_text(const VMMCurve *curve) {
    return curve == NULL ? "" : curve->error.text;
}

/* ---- Reading -------------------------------------------------------------------------------- */

size_t vmm_curve_series_count(const VMMCurve *curve) {
    return curve == NULL || !curve->finished ? 0 : curve_series_count(curve);
}

int vmm_curve_series_at(const VMMCurve *curve, size_t index, VMMCurveSeries *series) {
    VMMCurveSeries found = {0};
    if (index >= vmm_curve_series_count(curve) || series == NULL ||
        series->struct_size <= sizeof series->struct_size) {
        return VMM_E_USAGE;
    }
    found.pid = index == 0 ? 0 : curve->stream->directory.pids[index - 1];
    curve->type->describe(curve, index, &found);
    uint32_t size = series->struct_size; /* of a caller whose struct may be shorter or longer */
    memcpy(series, &found, size < sizeof found ? size : sizeof found);
    series->struct_size = size;
    return VMM_OK;
}

/* One point of a series whose description is known. */
static VMMCurvePoint curveapi_point(const VMMCurve *curve, size_t series, uint64_t references,
                                    uint64_t size) {
    VMMCurvePoint point = {.size = size};
    curve->type->at(curve, series, size, &point);
    if (references != 0) {
        point.miss_ratio = (double)point.misses / (double)references;
    }
    if (!curve->type->samples) {
        point.low = point.high = point.miss_ratio;
    }
    return point;
}

static uint64_t curveapi_references(const VMMCurve *curve, size_t series) {
    VMMCurveSeries description = {0};
    curve->type->describe(curve, series, &description);
    return description.page_references;
}

size_t vmm_curve_read(const VMMCurve *curve, size_t series, uint64_t *cursor, VMMCurvePoint *points,
                      size_t capacity) {
    if (series >= vmm_curve_series_count(curve) || cursor == NULL || points == NULL) {
        return 0;
    }
    uint64_t references = curveapi_references(curve, series);
    size_t count = 0;
    while (count < capacity) {
        uint64_t size = curve->type->next(curve, series, *cursor);
        if (size == 0) {
            break;
        }
        points[count++] = curveapi_point(curve, series, references, size);
        *cursor = size;
    }
    return count;
}

int vmm_curve_at(const VMMCurve *curve, size_t series, uint64_t size, VMMCurvePoint *point) {
    if (series >= vmm_curve_series_count(curve) || size == 0 || point == NULL) {
        return VMM_E_USAGE;
    }
    *point = curveapi_point(curve, series, curveapi_references(curve, series), size);
    return VMM_OK;
}
