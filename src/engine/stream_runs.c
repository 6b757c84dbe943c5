/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page runs into batches, without unfolding them.
 *
 * A stretch comes with the pages and the shapes of its runs as dictionaries (vmm/runs.h). A page
 * is interned at its first run that is simulated, since ids are given in the order of first
 * reference; a shape is turned once into the elements that its runs become:
 *
 *     loads only, or fetches      one element
 *     a store first               one element
 *     loads, then a store         two: the loads, and all from the store on
 *
 * Then a run is two look-ups and one or two elements, without a branch that depends on its kind.
 * All else takes the slow way, run by run: what the filter leaves out, a run that goes on with a
 * reference of the run before, a page met first or beyond the limit, the end by max-accesses, a
 * run of so many page references that it becomes several elements.
 *
 * The pages of the trace may be smaller than those of the machine. A reference that crosses into a
 * page of the trace that is the same page of the machine makes no second page reference there.
 */
#include <string.h>

#include "stream.h"

enum {
    PLAIN_COUNT = (1 << 15) - 1, /* page references of a run that is taken the fast way */
    PLAIN_RUNS = 1 << 16         /* such runs in a row: their number fits 32 bits */
};

#define RUN_UNSAMPLED UINT32_MAX /* in StreamRuns.local: the page is not in the sample */

/* A run, or what is to be done of it. */
typedef struct StreamRest {
    uint64_t key; /* of the page; DIRECTORY_NO_KEY: beyond the limit */
    uint32_t count, first_write, stores;
    uint8_t op; /* of what is no load and no store; the kernel's bit */
    bool continued;
    bool cut; /* the last reference that is taken is among them */
} StreamRest;

void stream_free_runs(Stream *stream) {
    const Memory *memory = &stream->memory;
    StreamRuns *taking = &stream->taking;
    size_t capacity = stream->batch.capacity;
    memory_free(memory, taking->local, taking->local_capacity, sizeof *taking->local);
    memory_free(memory, taking->shapes, taking->shape_capacity, sizeof *taking->shapes);
    memory_free(memory, taking->repeat, capacity, sizeof *taking->repeat);
    memory_free(memory, taking->stores, capacity, sizeof *taking->stores);
}

static int stream_reserve_runs(Stream *stream, const VMMRuns *runs, Error *error) {
    const Memory *memory = &stream->memory;
    StreamRuns *taking = &stream->taking;
    size_t capacity = stream->batch.capacity;
    if (taking->repeat == NULL) {
        taking->repeat = memory_zalloc(memory, capacity, sizeof *taking->repeat);
    }
    if (taking->stores == NULL) {
        taking->stores = memory_zalloc(memory, capacity, sizeof *taking->stores);
    }
    if (runs->page_count > taking->local_capacity) {
        memory_free(memory, taking->local, taking->local_capacity, sizeof *taking->local);
        taking->local = memory_zalloc(memory, runs->page_count, sizeof *taking->local);
        taking->local_capacity = taking->local == NULL ? 0 : runs->page_count;
    }
    if (runs->shape_count > taking->shape_capacity) {
        memory_free(memory, taking->shapes, taking->shape_capacity, sizeof *taking->shapes);
        taking->shapes = memory_zalloc(memory, runs->shape_count, sizeof *taking->shapes);
        taking->shape_capacity = taking->shapes == NULL ? 0 : runs->shape_count;
    }
    if (taking->repeat == NULL || taking->stores == NULL || taking->local_capacity == 0 ||
        taking->shape_capacity == 0) {
        return error_no_memory(error, (size_t)runs->page_count * sizeof *taking->local,
                               "the pages of a block");
    }
    return VMM_OK;
}

/* The operation of a run's references that are neither loads nor stores of the program. */
static uint8_t stream_shape_op(const VMMRunShape *shape) {
    return (uint8_t)((shape->fetch ? VMM_OP_FETCH : VMM_OP_READ) | (shape->kernel ? OP_KERNEL : 0));
}

/* What the runs of a shape become. */
static StreamShape stream_shape(const Stream *stream, const VMMRunShape *shape) {
    uint8_t op = stream_shape_op(shape);
    uint8_t store = (uint8_t)((op & OP_KERNEL) | VMM_OP_WRITE);
    uint32_t loads = shape->first_write;
    bool plain = !shape->continued && !shape->kernel && shape->count <= PLAIN_COUNT &&
                 shape->count <= stream->most_in_one && stream_wants(stream, shape->fetch);
    StreamShape made = {.plain = plain, .elements = 1};
    if (loads > 0) {
        made.op[0] = op;
        made.repeat[0] = loads - 1;
        made.elements = (uint8_t)(loads < shape->count ? 2 : 1);
    }
    if (loads < shape->count) {
        unsigned i = made.elements - 1u;
        made.op[i] = store;
        made.repeat[i] = shape->count - loads - 1;
        made.stores[i] = shape->writes;
    }
    uint64_t others = shape->count - shape->writes;
    made.reads_writes = (shape->fetch ? 0 : others) | (uint64_t)shape->writes << 32;
    made.fetches_all = (shape->fetch ? others : 0) | (uint64_t)shape->count << 32;
    return made;
}

int stream_begin_runs(Stream *stream, const VMMRuns *runs, Error *error) {
    StreamRuns *taking = &stream->taking;
    if (!taking->any) {
        taking->any = true;
        taking->last_key = DIRECTORY_NO_KEY;
    }
    taking->at = 0;
    taking->done = 0;
    if (runs->count == 0) {
        return VMM_OK;
    }
    if (runs->page_shift > stream->page_shift) {
        return error_set(error, VMM_E_CONFIG,
                         "the trace knows addresses by pages of %llu bytes only: a page-size of "
                         "%llu is too small",
                         1ULL << runs->page_shift, 1ULL << stream->page_shift);
    }
    int status = stream_reserve_runs(stream, runs, error);
    if (status != VMM_OK) {
        return status;
    }
    memset(taking->local, 0, runs->page_count * sizeof *taking->local);
    for (uint32_t i = 0; i < runs->shape_count; i++) {
        taking->shapes[i] = stream_shape(stream, &runs->shapes[i]);
    }
    return VMM_OK;
}

/* Whether the batch takes two elements more, and has not yet enough repeats. */
static bool stream_has_room(const Stream *stream) {
    const Batch *batch = &stream->batch;
    return batch->count + 2 <= batch->room && batch->repeats < stream->most_repeats &&
           !stream->halted;
}

/* ---- One run, the slow way ------------------------------------------------------------------ */

VMM_ALWAYS_INLINE void stream_put_element(Stream *stream, uint32_t page, uint8_t op,
                                          uint32_t repeat, uint32_t stores) {
    Batch *batch = &stream->batch;
    size_t i = batch->count++;
    batch->page[i] = page;
    batch->op[i] = op;
    batch->repeat[i] = repeat;
    batch->stores[i] = stores;
    if (batch->left_out_before != NULL) {
        batch->left_out_before[i] = batch->left_out;
    }
    if (batch->dropped_before != NULL) {
        batch->dropped_before[i] = batch->dropped;
    }
}

/* The references themselves, for observers: their first bytes are those of the trace's page. */
static void stream_put_origins(Stream *stream, const VMMRuns *runs, size_t at, size_t from) {
    Batch *batch = &stream->batch;
    for (size_t i = from; batch->origin != NULL && i < batch->count; i++) {
        batch->origin[i] = (VMMRef){
            .addr = runs->pages[runs->page[at]] << runs->page_shift,
            .pid = runs->pid,
            .size = 1,
            .tid = runs->tid,
            .op = batch->op[i] & OP_MASK,
            .flags = (batch->op[i] & OP_KERNEL) != 0 ? VMM_REF_KERNEL : 0,
        };
    }
}

/* The key of a run's page: one whose first byte is beyond the limit is none. */
static uint64_t stream_run_key(const Stream *stream, const VMMRuns *runs, size_t at) {
    uint64_t vpn = runs->pages[runs->page[at]];
    return vpn > (stream->address_limit - 1) >> runs->page_shift
               ? DIRECTORY_NO_KEY
               : directory_key(&stream->directory, stream->last_memory,
                               vpn >> (stream->page_shift - runs->page_shift));
}

/* Without the first `count` page references. */
static void stream_drop(StreamRest *rest, uint32_t count) {
    uint32_t loads = count < rest->first_write ? count : rest->first_write;
    uint32_t behind = count - loads;
    rest->count -= count;
    rest->continued = rest->continued && count == 0;
    rest->stores -= rest->stores < behind ? rest->stores : behind;
    rest->first_write = rest->stores != 0 ? rest->first_write - loads : rest->count;
}

/* The first `count` page references. */
static void stream_cut_rest(StreamRest *rest, uint32_t count) {
    uint32_t behind = count > rest->first_write ? count - rest->first_write : 0;
    rest->count = count;
    rest->stores = rest->stores < behind ? rest->stores : behind;
    rest->first_write = rest->stores != 0 ? rest->first_write : count;
}

/* Counts the references among the page references of `rest`. */
static void stream_count_rest(Stream *stream, Run *run, const StreamRest *rest) {
    bool store_first = rest->stores != 0 && rest->first_write == 0;
    uint64_t references = rest->count - rest->continued;
    uint64_t writes = rest->stores - (rest->continued && store_first);
    stream->references += references;
    if ((rest->op & OP_KERNEL) != 0) {
        run->count[PROCESS_KERNEL] += references;
        return;
    }
    run->count[rest->op & OP_MASK] += references - writes;
    run->count[VMM_OP_WRITE] += writes;
}

/* The elements of `rest`, all on one page. */
static void stream_put_rest(Stream *stream, Run *run, const StreamRest *rest, uint32_t page) {
    uint8_t continued = rest->continued ? OP_CONTINUED : 0;
    uint8_t store = (uint8_t)((rest->op & OP_KERNEL) | VMM_OP_WRITE);
    uint32_t loads = rest->stores != 0 ? rest->first_write : rest->count;
    size_t before = stream->batch.count;
    if (loads > 0) {
        stream_put_element(stream, page, rest->op | continued, loads - 1, 0);
        continued = 0;
    }
    if (loads < rest->count) {
        stream_put_element(stream, page, store | continued, rest->count - loads - 1, rest->stores);
    }
    uint32_t elements = (uint32_t)(stream->batch.count - before);
    run->length += elements;
    run->repeats += rest->count - elements;
    stream->batch.repeats += rest->count - elements;
    stream_count_rest(stream, run, rest);
}

/*
 * The page references of a run in pieces that are not too long; those beyond the limit an element
 * each, for each is a fault of its own. False: the batch is full.
 */
static bool stream_put_pieces(Stream *stream, Run *run, const StreamRest *rest, uint32_t page) {
    Batch *batch = &stream->batch;
    uint32_t *done = &stream->taking.done;
    uint32_t most = page == DIRECTORY_NO_PAGE ? 1 : stream->most_in_one;
    while (*done < rest->count) {
        if (!stream_has_room(stream)) {
            return false;
        }
        StreamRest piece = *rest;
        stream_drop(&piece, *done);
        if (piece.count > most) {
            stream_cut_rest(&piece, most);
        }
        if (page == DIRECTORY_NO_PAGE) {
            batch->invalid[batch->invalid_count++] = run->space;
            stream->halted = stream->invalid != INVALID_COUNT;
        }
        stream_put_rest(stream, run, &piece, page);
        *done += piece.count;
    }
    *done = 0;
    return true;
}

/*
 * What is to be done of a run: its page references without one that is none for this machine, and
 * without those behind max_references.
 */
VMM_ALWAYS_INLINE StreamRest stream_rest(const Stream *stream, const VMMRuns *runs, size_t at) {
    const StreamRuns *taking = &stream->taking;
    const VMMRunShape *shape = &runs->shapes[runs->shape[at]];
    StreamRest rest = {.key = stream_run_key(stream, runs, at),
                       .count = shape->count,
                       .first_write = shape->first_write,
                       .stores = shape->writes,
                       .op = stream_shape_op(shape),
                       .continued = shape->continued};
    if (rest.continued && (taking->last_key == DIRECTORY_NO_KEY || taking->last_key == rest.key)) {
        stream_drop(&rest, 1); /* it is none for this machine */
    }
    uint64_t left = stream->max_references - stream->references;
    uint64_t before = taking->done != 0 ? taking->done : rest.continued;
    if (left < rest.count - before) {
        stream_cut_rest(&rest, (uint32_t)(left + before));
        rest.cut = true;
    }
    return rest;
}

/* One run. False: it was not finished, since the batch is full. */
static bool stream_add_run(Stream *stream, const VMMRuns *runs, size_t at) {
    StreamRuns *taking = &stream->taking;
    size_t before = stream->batch.count;
    StreamRest rest = stream_rest(stream, runs, at);
    bool finished = true;
    if (rest.count > 0 && rest.key == DIRECTORY_NO_KEY) {
        if (stream->source.beyond == UINT64_MAX) {
            stream->source.beyond = runs->pages[runs->page[at]] << runs->page_shift;
        }
        finished = stream_put_pieces(stream, stream_run(stream), &rest, DIRECTORY_NO_PAGE);
    } else if (rest.count > 0 && !stream_samples(stream, rest.key)) {
        taking->local[runs->page[at]] = RUN_UNSAMPLED;
        stream->batch.unsampled += rest.count;
        stream->references += rest.count - rest.continued;
    } else if (rest.count > 0) {
        uint32_t *local = &taking->local[runs->page[at]];
        *local = *local != 0 ? *local : directory_intern(&stream->directory, rest.key);
        finished = stream_put_pieces(stream, stream_run(stream), &rest, *local);
    }
    stream_put_origins(stream, runs, at, before);
    if (finished) {
        taking->last_key = rest.key;
        taking->ended = rest.cut;
    }
    return finished;
}

/* One run of a process that was killed. */
static VMM_NOINLINE void stream_drop_run(Stream *stream, const VMMRuns *runs, size_t at) {
    StreamRuns *taking = &stream->taking;
    StreamRest rest = stream_rest(stream, runs, at);
    uint32_t done = taking->done != 0 ? taking->done : rest.continued;
    uint64_t left = rest.count > done ? rest.count - done : 0;
    stream->references += left;
    stream->batch.dropped += left;
    taking->done = 0;
    taking->last_key = rest.key;
    taking->ended = rest.cut;
}

/* ---- Many runs ------------------------------------------------------------------------------ */

/* How many runs from `at` on can be taken, whatever their number of references. */
static size_t stream_plain_runs(const Stream *stream, const VMMRuns *runs, size_t at) {
    uint64_t left = (stream->max_references - stream->references) / PLAIN_COUNT;
    size_t count = runs->count - at < PLAIN_RUNS ? runs->count - at : PLAIN_RUNS;
    return left < count ? (size_t)left : count;
}

/*
 * Runs of known pages with nothing special, in a tight loop; returns how many are done. Everything
 * the loop needs is in locals. Each run writes two elements and counts one or two.
 */
static size_t stream_add_plain(Stream *stream, const VMMRuns *runs, size_t at, Run *run) {
    Batch *batch = &stream->batch;
    const uint32_t *local = stream->taking.local;
    const StreamShape *shapes = stream->taking.shapes;
    const uint16_t *page_at = runs->page + at;
    const uint16_t *shape_at = runs->shape + at;
    uint32_t *restrict page = batch->page;
    uint8_t *restrict op = batch->op;
    uint32_t *restrict repeat = batch->repeat;
    uint32_t *restrict stores = batch->stores;
    size_t to = batch->count;
    size_t last = batch->room - 2;
    size_t count = stream_plain_runs(stream, runs, at);
    uint64_t enough = (stream->most_repeats - batch->repeats) << 32; /* as fetches_all counts */
    uint64_t reads_writes = 0;
    uint64_t fetches_all = 0;
    size_t i = 0;
    for (; i < count && to <= last && fetches_all < enough; i++) {
        uint32_t id = local[page_at[i]];
        const StreamShape *shape = &shapes[shape_at[i]];
        if (VMM_UNLIKELY((id == 0) | !shape->plain)) {
            break;
        }
        page[to] = id;
        page[to + 1] = id;
        memcpy(&op[to], shape->op, sizeof shape->op);
        memcpy(&repeat[to], shape->repeat, sizeof shape->repeat);
        memcpy(&stores[to], shape->stores, sizeof shape->stores);
        to += shape->elements;
        reads_writes += shape->reads_writes;
        fetches_all += shape->fetches_all;
    }
    size_t elements = to - batch->count;
    batch->count = to;
    stream->references += fetches_all >> 32;
    run->length += (uint32_t)elements;
    run->repeats += (fetches_all >> 32) - elements;
    batch->repeats += (fetches_all >> 32) - elements;
    run->count[VMM_OP_READ] += reads_writes & UINT32_MAX;
    run->count[VMM_OP_WRITE] += reads_writes >> 32;
    run->count[VMM_OP_FETCH] += fetches_all & UINT32_MAX;
    return i;
}

/* Runs of pages that are known not to be in the sample, with nothing special; how many are done. */
static size_t stream_pass_over(Stream *stream, const VMMRuns *runs, size_t at) {
    const uint32_t *local = stream->taking.local;
    const StreamShape *shapes = stream->taking.shapes;
    size_t count = stream_plain_runs(stream, runs, at);
    uint64_t references = 0;
    size_t i = 0;
    for (; i < count && local[runs->page[at + i]] == RUN_UNSAMPLED; i++) {
        const StreamShape *shape = &shapes[runs->shape[at + i]];
        if (VMM_UNLIKELY(!shape->plain)) {
            break;
        }
        references += shape->fetches_all >> 32;
    }
    if (i > 0) {
        stream->references += references;
        stream->batch.unsampled += references;
        stream->taking.last_key = stream_run_key(stream, runs, at + i - 1);
    }
    return i;
}

/* Whether the next run is behind the last reference that is taken. */
static bool stream_ends_here(const Stream *stream, const VMMRunShape *shape) {
    return stream->taking.done == 0 && !shape->continued &&
           stream->references >= stream->max_references;
}

/* The runs from `at` on that can be taken in one step; how many, 0: the batch is full. */
static size_t stream_add_some(Stream *stream, const VMMRuns *runs, size_t at) {
    StreamRuns *taking = &stream->taking;
    const Batch *batch = &stream->batch;
    bool watched =
        batch->origin != NULL || batch->left_out_before != NULL || batch->dropped_before != NULL;
    bool samples = stream->sample_below != 0;
    uint32_t page = taking->local[runs->page[at]];
    size_t some = 0;
    if (samples && taking->done == 0) {
        some = stream_pass_over(stream, runs, at);
    } else if (!watched && taking->done == 0 && page != 0 &&
               taking->shapes[runs->shape[at]].plain && stream_plain_runs(stream, runs, at) > 0) {
        some = stream_add_plain(stream, runs, at, stream_run(stream));
    }
    if (some == 0) {
        return stream_add_run(stream, runs, at);
    }
    if (samples) {
        return some;
    }
    taking->last_key = stream->directory.keys[taking->local[runs->page[at + some - 1]]];
    return some;
}

int stream_add_runs(Stream *stream, const VMMRuns *runs, bool *taken, Error *error) {
    Batch *batch = &stream->batch;
    StreamRuns *taking = &stream->taking;
    size_t before = batch->count;
    /* Anew for each batch: resolving the one before may have made pages, too. */
    int status = directory_reserve(&stream->directory, runs->page_count, error);
    if (status != VMM_OK) {
        *taken = false;
        return status;
    }
    stream->source = (StreamSource){
        .first = before,
        .number = stream->references + stream->filtered + batch->left_out,
        .left_out = batch->left_out,
        .beyond = UINT64_MAX,
    };
    batch->repeat = taking->repeat;
    batch->stores = taking->stores;
    while (taking->at < runs->count && stream_has_room(stream) && !taking->ended) {
        const VMMRunShape *shape = &runs->shapes[runs->shape[taking->at]];
        if (stream_ends_here(stream, shape)) {
            taking->ended = true;
            break;
        }
        if (!stream_wants(stream, shape->fetch && !shape->kernel)) {
            batch->left_out += shape->count - shape->continued;
            taking->at++;
            continue;
        }
        status = stream_enter(stream, runs->pid, error);
        if (status != VMM_OK) {
            break;
        }
        if (VMM_UNLIKELY(stream->last_killed)) {
            stream_drop_run(stream, runs, taking->at++);
            continue;
        }
        size_t some = stream_add_some(stream, runs, taking->at);
        if (some == 0) {
            break;
        }
        taking->at += some;
    }
    *taken = taking->at == runs->count;
    stream->places += batch->count - before;
    int resolved = stream_resolve(stream, before, error);
    return status != VMM_OK ? status : resolved;
}
