/* SPDX-License-Identifier: Apache-2.0 */
/* A curve as a consumer of a run: see curve.h. */
#include "curve.h"

/* Room for what the batch or the event may bring. */
static int curve_reserve(VMMCurve *curve) {
    int status = curve->type->reserve(curve, &curve->error);
    curve->spaces = curve->stream->directory.space_count;
    return status;
}

static uint32_t curve_charged(const Stream *stream, const Batch *batch, size_t i, uint32_t own) {
    uint32_t object = batch->object[i];
    return object == OBJECT_NO_PAGE ? own : stream_charged(stream, object);
}

/* The elements of one process. Where each has memory of its own, a page that another process is
   charged for is that one's. */
static void curve_take_run(VMMCurve *curve, const Batch *batch, const Run *run, size_t first) {
    const Stream *stream = curve->stream;
    size_t end = first + run->length;
    if (!stream->by_pool || !stream->resolver.on) {
        CurvePart part = {batch, first, end, run->space};
        curve->type->take(curve, &part);
        return;
    }
    while (first < end) {
        uint32_t space = curve_charged(stream, batch, first, run->memory);
        size_t to = first + 1;
        while (to < end && curve_charged(stream, batch, to, run->memory) == space) {
            to++;
        }
        CurvePart part = {batch, first, to, space};
        curve->type->take(curve, &part);
        first = to;
    }
}

static int curve_batch(void *self, const Batch *batch) {
    VMMCurve *curve = self;
    int status = curve_reserve(curve);
    if (status != VMM_OK) {
        return status;
    }
    if (!curve->by_space) {
        CurvePart part = {batch, 0, batch->count, 0};
        curve->type->take(curve, &part);
        return VMM_OK;
    }
    size_t first = 0;
    for (size_t i = 0; i < batch->run_count; i++) {
        const Run *run = &batch->runs[i];
        curve_take_run(curve, batch, run, first);
        first += run->length;
    }
    return VMM_OK;
}

static int curve_event(void *self, const VMMEvent *event, const Resolver *resolver) {
    VMMCurve *curve = self;
    (void)event;
    curve->status = curve_reserve(curve);
    for (uint32_t i = 0; curve->status == VMM_OK && i < resolver->op_count; i++) {
        if (resolver->ops[i].type == RESOLVE_DROP) {
            curve->status = curve->type->discard(curve, resolver->ops[i].object, &curve->error);
        } else if (resolver->ops[i].type == RESOLVE_CLEAN && curve->type->clean != NULL) {
            curve->type->clean(curve, resolver->ops[i].object);
        }
    }
    return curve->status;
}

RunConsumer curve_consumer(VMMCurve *curve) {
    return (RunConsumer){curve, curve_batch, curve_event, VMM_OK};
}

size_t curve_series_count(const VMMCurve *curve) {
    return 1 + (curve->per_process ? curve->spaces : 0);
}
