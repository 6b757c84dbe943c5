/* SPDX-License-Identifier: Apache-2.0 */
/* A curve as a consumer of a run: see curve.h. */
#include "curve.h"

/* Room for what the batch or the event may bring. */
static int curve_reserve(VMMCurve *curve) {
    int status = curve->type->reserve(curve, &curve->error);
    curve->spaces = curve->stream->directory.space_count;
    return status;
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
        CurvePart part = {batch, first, first + run->length, run->space};
        curve->type->take(curve, &part);
        first += run->length;
    }
    return VMM_OK;
}

static void curve_discard(void *user, uint32_t page) {
    VMMCurve *curve = user;
    if (curve->status == VMM_OK) {
        curve->status = curve->type->discard(curve, page, &curve->error);
    }
}

static int curve_event(void *self, const VMMEvent *event, const Discard *discard) {
    VMMCurve *curve = self;
    (void)event;
    if (discard == NULL) {
        return VMM_OK;
    }
    curve->status = curve_reserve(curve);
    if (curve->status == VMM_OK) {
        discard_each(discard, &curve->stream->directory, curve_discard, curve);
    }
    return curve->status;
}

RunConsumer curve_consumer(VMMCurve *curve) {
    return (RunConsumer){curve, curve_batch, curve_event, VMM_OK};
}

size_t curve_series_count(const VMMCurve *curve) {
    return 1 + (curve->per_process ? curve->spaces : 0);
}
