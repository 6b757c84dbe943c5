/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Curves inside: what every kind has, and what a kind must do.
 *
 *     stream ──► batch ──► curve.c cuts it by address space where the kind asks ──► take()
 *                event ──► curve.c finds the pages that go                      ──► discard()
 *     end                                                                       ──► finish()
 *     reading                                                                   ──► at(), next()
 *
 * A curve is a consumer of a run (engine/run.h), as a machine is. One kind is one file in this
 * folder that ends with a constant CurveType; a kind's own struct begins with VMMCurve.
 */
#ifndef VMM_ANALYSIS_CURVE_H
#define VMM_ANALYSIS_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/vmm/curve.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../config/settings.h"
#include "../engine/run.h"

/* Elements of a batch: [from, to), all of address space `space` if the curve goes by space. */
typedef struct CurvePart {
    const Batch *batch;
    size_t from, to;
    uint32_t space;
} CurvePart;

typedef struct CurveType {
    bool needs_future; /* batches carry Batch.next */
    bool by_space;     /* parts never mix address spaces, whatever the options */
    bool samples;      /* the stream gives a sample of the pages only */
    size_t state_size; /* of the kind's own struct */
    int (*create)(VMMCurve *curve, const VMMCurveOptions *options, Error *error);
    void (*destroy)(VMMCurve *curve);
    /* Room for all pages and address spaces that the directory knows now. */
    int (*reserve)(VMMCurve *curve, Error *error);
    void (*take)(VMMCurve *curve, const CurvePart *part);
    /* A page is given up; its next reference is its first again. */
    int (*discard)(VMMCurve *curve, uint32_t page, Error *error);
    /* The content of a page may be lost: it is as good as clean. NULL: nothing comes of that. */
    void (*clean)(VMMCurve *curve, uint32_t page);
    /* The trace is at its end: makes the curve readable. */
    int (*finish)(VMMCurve *curve, Error *error);
    void (*describe)(const VMMCurve *curve, size_t series, VMMCurveSeries *description);
    void (*at)(const VMMCurve *curve, size_t series, uint64_t size, VMMCurvePoint *point);
    /* The size of the first point of the series above `size`, 0: there is none. */
    uint64_t (*next)(const VMMCurve *curve, size_t series, uint64_t size);
} CurveType;

struct VMMCurve {
    const CurveType *type;
    Memory memory;
    Settings settings;
    unsigned address_bits;
    bool per_process;
    bool by_space;         /* parts never mix address spaces */
    bool by_hand;          /* it is fed by vmm_curve_feed() */
    bool finished;         /* it can be read */
    int status;            /* of the event under way */
    uint64_t sample_below; /* what the stream is to sample, see stream_sample(); 0: all */
    Stream *stream;        /* NULL before the run; shared by the curves of one run */
    uint32_t spaces;       /* that the kind has room for */
    Error error;
};

/* Page references of a part beside one for each element. */
static inline uint64_t curve_repeats(const CurvePart *part) {
    const Batch *batch = part->batch;
    if (batch->repeat == NULL) {
        return 0;
    }
    if (part->to - part->from == batch->count) {
        return batch->repeats;
    }
    uint64_t repeats = 0;
    for (size_t i = part->from; i < part->to; i++) {
        repeats += batch->repeat[i];
    }
    return repeats;
}

extern const CurveType curve_lru, curve_opt, curve_ws, curve_vmin, curve_shards;

/* What is known of the whole and of processes once the run is over; 0: no such series. */
size_t curve_series_count(const VMMCurve *curve);

/* A curve that is attached to a stream, as a consumer of its run. */
RunConsumer curve_consumer(VMMCurve *curve);

#endif
