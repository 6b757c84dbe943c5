/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The final record stream of DynamoRIO's memory tracer: records of 12 bytes.
 *
 *      0  u16 type     2  u16 size     4  u64 address or value
 *
 *     HEADER version | MARKER ... | THREAD tid | PID pid | ENCODING bytes | instruction | read ...
 *
 * Types 10 to 16, 31, 48 and 49 are instructions that are fetched, 0 and 1 reads and writes. 17
 * is a bundle: the sizes of up to 8 instructions that follow the last one. 30 is a repeated string
 * instruction, which is fetched unless it is the one before. Not references, and counted as
 * ignored: prefetches, cache flushes, markers, and 29, an instruction that is not fetched again.
 * The rest is structure.
 *
 * A thread is of the process that the PID record behind its THREAD record names; where a stream
 * goes back to a thread by a THREAD record alone, its process is remembered (for the last
 * DRMEMTRACE_THREADS ones met, else it is the process of the thread before).
 *
 * Traces are kept in .zip (chunks of one stream, one after the other) or .gz. The raw traces from
 * which raw2trace makes these hold no addresses of instructions: they are told apart and refused.
 */
#include "record.h"

enum {
    DRMEMTRACE_BYTES = 12,
    DRMEMTRACE_BUNDLE = 8,   /* instructions in one record */
    DRMEMTRACE_THREADS = 32, /* a power of 2 */
    DRMEMTRACE_OLDEST = 1,   /* versions with these records */
    DRMEMTRACE_NEWEST = 7
};

/* Types that are named here; those of a kind are in drmemtrace_kinds. */
enum {
    DRMEMTRACE_TYPE_WRITE = 1,
    DRMEMTRACE_TYPE_THREAD = 22,
    DRMEMTRACE_TYPE_PID = 24,
    DRMEMTRACE_TYPE_HEADER = 25
};

typedef enum DrmemtraceKind {
    DRMEMTRACE_UNKNOWN,
    DRMEMTRACE_DATA,
    DRMEMTRACE_FETCH,
    DRMEMTRACE_BUNDLED,
    DRMEMTRACE_MAYBE_FETCH,
    DRMEMTRACE_NO_REFERENCE,
    DRMEMTRACE_STRUCTURE
} DrmemtraceKind;

static const uint8_t drmemtrace_kinds[] = {
    [0 ... 1] = DRMEMTRACE_DATA,
    [2 ... 9] = DRMEMTRACE_NO_REFERENCE,
    [10 ... 16] = DRMEMTRACE_FETCH,
    [17] = DRMEMTRACE_BUNDLED,
    [18 ... 21] = DRMEMTRACE_NO_REFERENCE,
    [22 ... 26] = DRMEMTRACE_STRUCTURE,
    [27 ... 29] = DRMEMTRACE_NO_REFERENCE,
    [30] = DRMEMTRACE_MAYBE_FETCH,
    [31] = DRMEMTRACE_FETCH,
    [32 ... 46] = DRMEMTRACE_NO_REFERENCE,
    [47] = DRMEMTRACE_STRUCTURE,
    [48 ... 49] = DRMEMTRACE_FETCH,
};

typedef struct DrmemtraceState {
    uint32_t tid;
    uint32_t pid;
    uint64_t last_pc; /* of the last instruction */
    uint64_t next_pc; /* behind it */
    uint32_t begun;   /* a HEADER was seen */
    uint32_t known;   /* threads met; their places below wrap around */
    struct {
        uint32_t tid;
        uint32_t pid;
    } threads[DRMEMTRACE_THREADS];
} DrmemtraceState;

_Static_assert(sizeof(DrmemtraceState) <= TRACE_STATE_BYTES, "the state fits");

/* The place of a thread among those remembered, or NULL. */
static uint32_t *drmemtrace_pid_of(DrmemtraceState *state, uint32_t tid) {
    for (size_t i = 0; i < DRMEMTRACE_THREADS && i < state->known; i++) {
        if (state->threads[i].tid == tid) {
            return &state->threads[i].pid;
        }
    }
    return NULL;
}

static void drmemtrace_set_pid(DrmemtraceState *state, uint32_t pid) {
    uint32_t *known = drmemtrace_pid_of(state, state->tid);
    state->pid = pid;
    if (known != NULL) {
        *known = pid;
        return;
    }
    size_t place = state->known++ % DRMEMTRACE_THREADS;
    state->threads[place].tid = state->tid;
    state->threads[place].pid = pid;
}

static VMM_NOINLINE TraceLineKind drmemtrace_structure(DrmemtraceState *state, unsigned type,
                                                       uint64_t value, TraceParse *parse) {
    switch (type) {
    case DRMEMTRACE_TYPE_HEADER:
        if (value < DRMEMTRACE_OLDEST || value > DRMEMTRACE_NEWEST) {
            parse->problem = "the version in the header is not one from 1 to 7";
            return TRACE_LINE_BAD;
        }
        state->begun = 1;
        break;
    case DRMEMTRACE_TYPE_THREAD: {
        state->tid = (uint32_t)value;
        const uint32_t *pid = drmemtrace_pid_of(state, state->tid);
        state->pid = pid != NULL ? *pid : state->pid;
        break;
    }
    case DRMEMTRACE_TYPE_PID:
        drmemtrace_set_pid(state, (uint32_t)value);
        break;
    default:
        break;
    }
    return TRACE_LINE_BLANK;
}

VMM_ALWAYS_INLINE void drmemtrace_store(const DrmemtraceState *state, VMMRef **ref, uint64_t addr,
                                        uint32_t size, unsigned op) {
    record_store(ref, addr, size != 0 ? size : 1, op);
    (*ref)[-1].pid = state->pid;
    (*ref)[-1].tid = state->tid;
}

/* The instructions of a bundle: `size` of them, one byte each says how long it is. */
static VMM_NOINLINE TraceLineKind drmemtrace_bundle(DrmemtraceState *state, VMMRef **ref,
                                                    const unsigned char *at, TraceParse *parse) {
    unsigned count = record_u16(at + 2);
    if (count > DRMEMTRACE_BUNDLE) {
        parse->problem = "a bundle of more than 8 instructions";
        return TRACE_LINE_BAD;
    }
    for (unsigned i = 0; i < count; i++) {
        state->last_pc = state->next_pc;
        state->next_pc += at[4 + i];
        drmemtrace_store(state, ref, state->last_pc, at[4 + i], VMM_OP_FETCH);
    }
    return TRACE_LINE_REF;
}

VMM_ALWAYS_INLINE TraceLineKind drmemtrace_record(const unsigned char *at, VMMRef **ref,
                                                  TraceParse *parse) {
    DrmemtraceState *state = parse->state;
    unsigned type = record_u16(at);
    unsigned size = record_u16(at + 2);
    uint64_t value = record_u64(at + 4);
    unsigned kind =
        type < VMM_COUNT_OF(drmemtrace_kinds) ? drmemtrace_kinds[type] : DRMEMTRACE_UNKNOWN;
    if (VMM_UNLIKELY(state->begun == 0 && type != DRMEMTRACE_TYPE_HEADER)) {
        parse->problem = "the first record is not a header, type 25";
        return TRACE_LINE_BAD;
    }
    switch (kind) {
    case DRMEMTRACE_DATA:
        drmemtrace_store(state, ref, value, size,
                         type == DRMEMTRACE_TYPE_WRITE ? VMM_OP_WRITE : VMM_OP_READ);
        return TRACE_LINE_REF;
    case DRMEMTRACE_MAYBE_FETCH:
        if (value == state->last_pc) {
            return TRACE_LINE_IGNORED;
        }
        /* fallthrough */
    case DRMEMTRACE_FETCH:
        state->last_pc = value;
        state->next_pc = value + size;
        drmemtrace_store(state, ref, value, size, VMM_OP_FETCH);
        return TRACE_LINE_REF;
    case DRMEMTRACE_BUNDLED:
        return drmemtrace_bundle(state, ref, at, parse);
    case DRMEMTRACE_NO_REFERENCE:
        return TRACE_LINE_IGNORED;
    case DRMEMTRACE_STRUCTURE:
        return drmemtrace_structure(state, type, value, parse);
    default:
        parse->problem = "the type is not known";
        return TRACE_LINE_BAD;
    }
}

static TraceStatus drmemtrace_parse(TraceParse *parse) {
    return trace_parse_records(parse, drmemtrace_record, DRMEMTRACE_BYTES, DRMEMTRACE_BUNDLE);
}

/* A header of a version, and what follows has a type that there is. */
static TraceSign drmemtrace_sniff(const TraceView *view) {
    const unsigned char *at = view->bytes;
    bool begins = view->count >= DRMEMTRACE_BYTES && record_u16(at) == DRMEMTRACE_TYPE_HEADER &&
                  record_u64(at + 4) - 1 < 1000;
    if (begins && view->count >= 2 * DRMEMTRACE_BYTES) {
        begins = record_u16(at + DRMEMTRACE_BYTES) < 64;
    }
    return begins ? TRACE_SIGN_MAGIC : TRACE_SIGN_NONE;
}

/*
 * A raw trace: words of 64 bits with the type in the top 3, beginning with an extended entry (6),
 * a thread (2) and a process (3).
 */
static const char *drmemtrace_relative(const TraceView *view) {
    const unsigned char *at = view->bytes;
    bool raw = view->count >= 24 && record_u64(at) >> 61 == 6 && record_u64(at + 8) >> 61 == 2 &&
               record_u64(at + 16) >> 61 == 3;
    return raw ? "a raw trace of DynamoRIO, which lacks the addresses of its instructions; turn it "
                 "into a final one with DynamoRIO's raw2trace (drrun -t drmemtrace -indir "
                 "DIRECTORY does so) and give the .trace.zip in its directory trace/"
               : NULL;
}

static const TraceFormat drmemtrace_format = {
    .name = "drmemtrace",
    .help = "DynamoRIO's memory tracer, final trace: binary records of 12 bytes, in .zip or .gz",
    .expects = "a record of DynamoRIO's memory tracer with a type from 0 to 49",
    .marks_writes = true,
    .record_bytes = DRMEMTRACE_BYTES,
    .record_refs = DRMEMTRACE_BUNDLE,
    .sniff = drmemtrace_sniff,
    .relative = drmemtrace_relative,
    .parse = drmemtrace_parse,
};
