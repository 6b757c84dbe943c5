/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream: references in, page references out.
 *
 * A stream filters references, splits those that cross page boundaries, and interns each page
 * once. What comes out is a batch, arrays side by side that any number of machines can simulate:
 *
 *     refs   | pid 7 R 0x1ff8 size 16 | pid 7 W 0x5000 | pid 9 R 0x5000 |
 *     page   |    12    |    13    |    40    |    41    |      page ids; 0: beyond the limit
 *     op     |  R       |  R more  |  W       |  R       |
 *     runs   | space 0: 3 page references      | space 1: 1 |
 *
 * Runs are the longest stretches of one address space, with the number of reads, writes and
 * fetches in each. A reference longer than a batch goes on in the next one.
 *
 * From a trace in page runs (stream_runs.c) an element of the batch stands for several page
 * references to its page, one directly after the other; `repeat` tells how many more follow the
 * first, and `stores` how many of them all are stores:
 *
 *     trace  | 9 references to 0x5, the 3rd a store, 4 in all | 2 fetches of 0x1 |
 *     page   |      40      |      40      |    41    |
 *     op     |  R           |  W           |  I       |
 *     repeat |  1           |  6           |  1       |
 *     stores |  0           |  4           |  0       |
 *
 * The stores of an element come first, so an element with a store begins with one. The order behind
 * the first store is not the trace's, which does not keep it: nothing depends on it but where a cut
 * by max-accesses falls.
 */
#ifndef VMM_ENGINE_STREAM_H
#define VMM_ENGINE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/runs.h"
#include "../../include/vmm/sim.h"
#include "../../include/vmm/types.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/rng.h"
#include "../config/settings.h"
#include "../mm/machine.h"

/* Bits of Batch.op beside the VMMOp: this is not the first page of its reference; the kernel's. */
enum { OP_WRITE_BIT = 1, OP_MASK = 3, OP_CONTINUED = 4, OP_KERNEL = 8 };

/* An element whose first page reference is no plain look-up. */
typedef struct Special {
    uint32_t at;
    Resolved resolved; /* RESOLVED_PLAINLY: its page is charged to another process */
} Special;

typedef struct Run {
    uint32_t space;                /* the process */
    uint32_t memory;               /* the address space it runs in: its own, but after a vfork */
    uint32_t length;               /* elements */
    uint64_t repeats;              /* page references beside one for each element */
    uint64_t count[PROCESS_KINDS]; /* references whose first page is in this run, by kind */
} Run;

typedef struct Batch { /* arrays by element, a page reference and its repeats */
    uint32_t *page;    /* translations, */
    uint32_t *object;  /* and the object pages they lead to; without events the same array */
    uint8_t *op;
    uint32_t *repeat; /* further page references to the page directly after; NULL: no element has */
    uint32_t *stores; /* with repeat: how many of the element's page references are stores */
    VMMRef *origin;   /* the reference it is part of; NULL unless watched */
    uint32_t *next;   /* how many elements away its page's next one is, 0: nowhere; NULL: unknown */
    uint32_t *distance; /* in how many page references of its process its page is referenced again
                           behind the element, 0: never; NULL: unknown */
    uint64_t *left_out_before; /* references of the batch that the filter left out before it;
                                  NULL: nothing is filtered */
    uint64_t *dropped_before;  /* the same of killed processes; NULL: none can be killed */
    Special *special;          /* in the order of their places */
    size_t special_count;
    size_t special_capacity;
    Run *runs;
    uint32_t *invalid; /* the spaces of the elements with page 0, in their order */
    size_t count;      /* elements */
    size_t run_count;
    size_t invalid_count;
    uint64_t repeats;   /* of all elements */
    uint64_t left_out;  /* references that the filter left out, in all */
    uint64_t dropped;   /* of killed processes, in all */
    uint64_t unsampled; /* page references that are not in the sample; runs are then not kept */
    size_t capacity;    /* elements that the arrays have room for, */
    size_t room;        /* and after how many the batch ends */
    uint64_t first;     /* place of the first element in the stream */
} Batch;

/*
 * Several machines simulate a batch one after the other. A long batch gives each its own state in
 * the caches for a while, but leaves them itself; so it ends after this many elements for each page
 * known, but at least STREAM_SHARED_LEAST.
 */
#define STREAM_SHARED_PER_PAGE 8
#define STREAM_SHARED_LEAST 4096

/* Page references that are split first and then interned together. */
#define STREAM_STRETCH 4096

/*
 * A batch of page runs ends when its elements have that many repeats, and a run of more than an
 * eighth of that becomes several elements: some machines take repeats one by one, and it is between
 * batches that a run can be stopped.
 */
#define STREAM_MOST_REPEATS (1u << 21)

/* What the runs of one shape become: one or two elements (see stream_runs.c). */
typedef struct StreamShape {
    uint32_t repeat[2];
    uint32_t stores[2];
    uint64_t reads_writes; /* two counts of references in 32 bits each, */
    uint64_t fetches_all;  /* and two more, that sum up together */
    uint8_t op[2];
    uint8_t elements;
    bool plain; /* nothing about it needs a closer look */
} StreamShape;

/* The stretch of page runs that is being taken. */
typedef struct StreamRuns {
    uint32_t *local;     /* by number in the stretch's dictionary: page id, 0: not yet known */
    StreamShape *shapes; /* by number in the stretch's dictionary */
    uint32_t *repeat;    /* Batch.repeat of batches of runs */
    uint32_t *stores;
    size_t local_capacity, shape_capacity;
    size_t at;         /* the run to go on with, */
    uint32_t done;     /* and how many of its page references are done with */
    uint64_t last_key; /* of the run before; DIRECTORY_NO_KEY: beyond the limit */
    bool any;          /* references come from page runs */
    bool ended;        /* max_references is reached, and no more of the last reference comes */
} StreamRuns;

/* Where the elements that are being added come from, for what is told of an invalid one. */
typedef struct StreamSource {
    const VMMRef *refs; /* NULL: from page runs */
    size_t count;
    size_t first;      /* element of the batch */
    uint64_t number;   /* of the references before, those left out among them, */
    uint64_t left_out; /* which in this batch are so many */
    uint64_t vpn;      /* of a reference that goes on; UINT64_MAX: none */
    uint64_t beyond;   /* address of the first page run beyond the limit; UINT64_MAX: none */
} StreamSource;

/* Behind an element that kills its process, the rest of the batch (stream_invalid.c). */
typedef struct StreamTail {
    size_t end;       /* of the elements; 0: there is none */
    size_t run;       /* the run that was cut, */
    Run whole;        /* as it was, */
    size_t run_count; /* and how many there were */
    uint64_t left_out, dropped;
    uint32_t extra; /* page references of the element that killed, dropped as well */
} StreamTail;

typedef struct Stream {
    Memory memory;
    Directory directory;
    Resolver resolver;
    uint32_t *objects; /* Batch.object, once the resolver is on */
    Batch batch;
    uint64_t address_limit;
    uint64_t references; /* taken, after the filter */
    uint64_t filtered;   /* left out by the filter, in all batches */
    uint64_t places;     /* elements given out */
    uint64_t max_references;
    uint32_t most_repeats;    /* of a batch: STREAM_MOST_REPEATS, or less in tests */
    uint32_t most_in_one;     /* page references of an element; the same for all passes of a run */
    uint64_t refs;            /* REFS_ALL, ... */
    uint64_t mappings;        /* MAPPINGS_AUTO, ... */
    uint64_t invalid;         /* INVALID_COUNT, ... */
    VMMInvalid first_invalid; /* reason VMM_INVALID_NONE: there was none yet */
    StreamSource source;
    StreamTail tail;
    size_t fatal;     /* the batch ends with an element that kills its process, or ends the run: one
                         more than its place; 0: it does not */
    bool halted;      /* the batch takes no more for that */
    bool last_killed; /* the process of last_pid was killed */
    bool by_pool;     /* processes of a machine have pools of their own */
    unsigned page_shift;
    uint64_t sample_below; /* only pages whose hash is below it; 0: all (stream_sample.c) */
    uint64_t sample_seed;
    uint32_t users;    /* machines that hold this stream */
    uint32_t last_pid; /* of the last reference, and its space */
    uint32_t last_space;
    uint32_t last_memory;
    bool any;            /* last_pid is valid */
    uint64_t resume_vpn; /* of a reference cut by the end of a stretch; UINT64_MAX: none */
    size_t stretch_begin, stretch_end; /* the part of the batch that is being filled */
    uint64_t keys[STREAM_STRETCH];     /* of its page references, before they are interned */
    StreamRuns taking;
} Stream;

/* A stream for machines with these settings, batches of `capacity` page references. */
int stream_create(const Settings *settings, unsigned address_bits, const Memory *memory,
                  size_t capacity, Stream **stream, Error *error);

/* Gives up one use; the last one frees the stream. Accepts NULL. */
void stream_release(Stream *stream);

/* From now on batches carry the references themselves. */
int stream_watch(Stream *stream, Error *error);

/* Forgets the batch, to make place for the next. */
void stream_next_batch(Stream *stream);

/*
 * Adds references to the batch until it is full or all are taken; *taken says how many are done
 * with. After max_references nothing more is taken (stream_is_done).
 */
int stream_add(Stream *stream, const VMMRef *refs, size_t count, size_t *taken, Error *error);

/* The same from page runs. Begins a stretch, which must stay valid until it is taken. */
int stream_begin_runs(Stream *stream, const VMMRuns *runs, Error *error);

/* Adds runs of the stretch; *taken: all of them, else the batch is full or stream_is_done(). */
int stream_add_runs(Stream *stream, const VMMRuns *runs, bool *taken, Error *error);

void stream_free_runs(Stream *stream);

/*
 * Applies an event to the address spaces; the batch must be empty. What it did is in
 * stream->resolver.ops. VMM_OK or an error.
 */
int stream_apply(Stream *stream, const VMMEvent *event, bool is_shared_memory, Error *error);

/*
 * The pages that the last event, of process `pid`, brings into memory, as references by the kernel:
 * the next of them from *address on become the batch. *more: there were any.
 */
int stream_populate(Stream *stream, uint32_t pid, uint64_t *address, bool *more, Error *error);

/* Resolves the elements of the batch from `from` on. VMM_OK or an error. */
int stream_resolve(Stream *stream, size_t from, Error *error);

/*
 * Looks at the elements of the batch from `from` on that may be invalid, while the resolver is off.
 */
void stream_check_limit(Stream *stream, size_t from);

/* Element `i` is invalid; `beyond`: it lies beyond the limit. True: the batch ends with it. */
bool stream_meet_invalid(Stream *stream, size_t i, bool beyond);

/*
 * When the batch, which may have been cut, was taken by all. VMM_OK with *killed: the process of
 * the element that ended it is given up, by the event *kill; when all have taken that, too,
 * stream_take_tail() makes the rest of the batch the batch. VMM_E_INVALID_ADDRESS: the run ends.
 */
int stream_end_batch(Stream *stream, VMMEvent *kill, bool *killed, Error *error);
int stream_take_tail(Stream *stream, Error *error);

/* References come from process `pid` from now on. VMM_OK or an error. */
int stream_enter(Stream *stream, uint32_t pid, Error *error);

/* From now on only a sample of the pages is given: those with a hash below `below`, up to 2^32. */
void stream_sample(Stream *stream, uint64_t seed, uint64_t below);

/* As stream_add_stretch(), without what is not in the sample. */
int stream_add_sampled(Stream *stream, const VMMRef *refs, size_t count, size_t *taken,
                       Error *error);

/* Fills the batch up to the end of the stretch; *taken says how many references are done with. */
int stream_add_stretch(Stream *stream, const VMMRef *refs, size_t count, size_t *taken,
                       Error *error);

/* The hash of a page: the finaliser of MurmurHash3 (Appleby), of both halves of the key. */
static inline uint32_t stream_hash(uint64_t key, uint64_t seed) {
    uint32_t hash = (uint32_t)key ^ (uint32_t)seed;
    hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
    hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
    hash ^= (uint32_t)(key >> 32) * 0x9E3779B1u ^ (uint32_t)(seed >> 32);
    hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
    hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
    return hash ^ hash >> 16;
}

/* Whether a page is in the sample. */
static inline bool stream_samples(const Stream *stream, uint64_t key) {
    return stream->sample_below == 0 ||
           stream_hash(key, stream->sample_seed) < stream->sample_below;
}

/* Whether the option refs leaves it in. What the kernel touched is data. */
static inline bool stream_wants(const Stream *stream, bool fetch) {
    return stream->refs == REFS_ALL || (stream->refs == REFS_FETCH) == fetch;
}

/* The run that the next page reference of the current process belongs to. */
static inline Run *stream_run(Stream *stream) {
    Batch *batch = &stream->batch;
    if (batch->run_count == 0 || batch->runs[batch->run_count - 1].space != stream->last_space) {
        batch->runs[batch->run_count++] =
            (Run){.space = stream->last_space, .memory = stream->last_memory};
    }
    return &batch->runs[batch->run_count - 1];
}

/* Further page references of an element, */
static inline uint32_t batch_repeat(const Batch *batch, size_t i) {
    return batch->repeat == NULL ? 0 : batch->repeat[i];
}

/* and how many of it are stores: the first ones. */
static inline uint32_t batch_stores(const Batch *batch, size_t i) {
    return batch->repeat == NULL ? batch->op[i] & OP_WRITE_BIT : batch->stores[i];
}

static inline bool stream_is_done(const Stream *stream) {
    if (stream->taking.any) {
        return stream->taking.ended;
    }
    return stream->references >= stream->max_references && stream->resume_vpn == UINT64_MAX;
}

/* How many object pages there are, number 0 included, */
static inline uint32_t stream_object_pages(const Stream *stream) {
    return stream->resolver.on ? stream->resolver.objects.count : stream->directory.count;
}

/* and the address space that one is charged to. */
static inline uint32_t stream_charged(const Stream *stream, uint32_t object) {
    return stream->resolver.on ? stream->resolver.objects.charged[object]
                               : directory_space_of(&stream->directory, object);
}

static inline bool stream_is_full(const Stream *stream) {
    return stream->batch.count == stream->batch.room || stream->halted;
}

#endif
