/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of .vmt that lie: all checksums fit, but what they say contradicts itself or the format.
 * No damage of a disk makes these; the reader refuses them, or finds its way without what lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../include/vmm/runs.h"
#include "../../include/vmm/trace.h"
#include "../../src/trace/vmt_events.h"
#include "../../src/trace/vmt_frame.h"
/* The encoder's own counts are set below: a thousand million references take too long. */
#include "../../src/trace/vmt_runs.c"
#include "common.h"

#define FILE_ROOM (24u << 20)

/* ---- Making files --------------------------------------------------------------------------- */

typedef struct Lie {
    uint8_t *bytes;
    size_t size;
    uint64_t ordinal;
    uint64_t first;
    uint64_t events;
    VmtBlock blocks[64]; /* that the index has to tell of */
    uint64_t offsets[64];
    uint32_t count;
    uint64_t index; /* offset of the index block before */
} Lie;

static Lie lie_begin(VmtHeader header) {
    Lie lie = {.bytes = malloc(FILE_ROOM)};
    header.version = VMT_VERSION;
    header.page_shift = header.page_shift != 0 ? header.page_shift : 12;
    assert_non_null(lie.bytes);
    uint8_t *bytes = vmt_header_make(&header, &lie.size);
    assert_non_null(bytes);
    memcpy(lie.bytes, bytes, lie.size);
    memory_free(&memory_default, bytes, lie.size, 1);
    return lie;
}

/* What the caller leaves 0 is as it must be. */
static void lie_block(Lie *lie, VmtBlock block, const void *payload, size_t count) {
    block.packed_bytes = (uint32_t)count;
    block.raw_bytes = block.raw_bytes != 0 ? block.raw_bytes : (uint32_t)count;
    block.ordinal = lie->ordinal++;
    block.first = lie->first;
    block.checksum = vmt_checksum(payload, count);
    assert_true(lie->size + VMT_BLOCK_BYTES + count < FILE_ROOM);
    if (block.type != VMT_BLOCK_INDEX) {
        assert_true(lie->count < 64);
        lie->offsets[lie->count] = lie->size;
        lie->blocks[lie->count++] = block;
    }
    vmt_block_put(&block, lie->bytes + lie->size);
    memcpy(lie->bytes + lie->size + VMT_BLOCK_BYTES, payload, count);
    lie->size += VMT_BLOCK_BYTES + count;
    lie->first += block.references;
}

/* Runs, each of its own kind. */
typedef struct LieRun {
    uint64_t page;
    VMMRunShape shape;
} LieRun;

static VmtBlock lie_runs_payload(const LieRun *runs, uint8_t count, uint8_t *to, size_t *bytes) {
    uint8_t *at = to;
    VmtTally sum = {0, 0, 0};
    VmtBlock block = {.type = VMT_BLOCK_RUNS, .entries = count, .pid = 7, .tid = 1};
    for (int i = 0; i < 3; i++) {
        *at++ = count;
    }
    for (uint8_t i = 0; i < count; i++) {
        at = vmt_put_varint(at, vmt_zigzag(runs[i].page - (i > 0 ? runs[i - 1].page : 0)));
    }
    for (uint8_t i = 0; i < count; i++) {
        VmtTally tally = vmt_runs_tally(&runs[i].shape);
        at = runs_put_shape(at, &runs[i].shape);
        sum.page_references += tally.page_references;
        sum.reads_writes += tally.reads_writes;
        sum.fetches_kernel += tally.fetches_kernel;
    }
    for (uint8_t i = 0; i < count; i++) {
        *at++ = i;
        *at++ = i;
    }
    for (uint8_t i = 0; i < count; i++) {
        *at++ = i;
    }
    vmt_runs_count(sum, &block);
    *bytes = (size_t)(at - to);
    return block;
}

static void lie_runs(Lie *lie, const LieRun *runs, uint8_t count) {
    uint8_t payload[4096];
    size_t bytes;
    VmtBlock block = lie_runs_payload(runs, count, payload, &bytes);
    lie_block(lie, block, payload, bytes);
}

/* References that load from a page, in a block of their own. */
static void lie_loads(Lie *lie, uint64_t page, uint32_t count) {
    LieRun run = {page, {.count = count, .first_write = count}};
    lie_runs(lie, &run, 1);
}

static void lie_event(Lie *lie, VMMEvent event) {
    uint8_t payload[VMT_EVENT_BYTES + VMT_VARINT_BYTES];
    size_t bytes = (size_t)(vmt_event_put(payload, &event) - payload);
    lie_block(lie, (VmtBlock){.type = VMT_BLOCK_EVENTS, .entries = 1}, payload, bytes);
    lie->events++;
}

static void lie_file(Lie *lie, uint32_t number, const char *path, size_t path_bytes) {
    uint8_t body[256];
    uint8_t payload[300];
    uint8_t *at = vmt_put_varint(body, number);
    at = vmt_put_varint(at, 1);
    at = vmt_put_varint(at, 2);
    at = vmt_put_varint(at, path_bytes);
    memcpy(at, path, path_bytes);
    size_t length = (size_t)(at - body) + path_bytes;
    uint8_t *to = vmt_put_varint(payload, length);
    memcpy(to, body, length);
    lie_block(lie, (VmtBlock){.type = VMT_BLOCK_FILES, .entries = 1}, payload,
              (size_t)(to - payload) + length);
}

/* The index as lie->blocks has it, which a test may have changed; `before` names the one before. */
static void lie_index(Lie *lie, uint64_t before) {
    uint8_t payload[64 * 60];
    uint8_t *at = vmt_put_varint(payload, before);
    VmtBlock last = {.type = 0};
    uint64_t offset = 0;
    for (uint32_t i = 0; i < lie->count; i++) {
        const VmtBlock *block = &lie->blocks[i];
        at = vmt_put_varint(at, lie->offsets[i] - offset);
        at = vmt_put_varint(at, block->type);
        at = vmt_put_varint(at, block->references);
        at = vmt_put_varint(at, vmt_zigzag((uint64_t)block->pid - last.pid));
        at = vmt_put_varint(at, vmt_zigzag((uint64_t)block->tid - last.tid));
        at = vmt_put_varint(at, vmt_zigzag(block->time_ns - last.time_ns));
        last = *block;
        offset = lie->offsets[i];
    }
    lie->index = lie->size;
    VmtBlock block = {.type = VMT_BLOCK_INDEX, .entries = lie->count};
    lie->count = 0;
    lie_block(lie, block, payload, (size_t)(at - payload));
}

static void lie_trailer(Lie *lie) {
    VmtTrailer trailer = {lie->index, lie->first, lie->ordinal, lie->events};
    vmt_trailer_put(&trailer, lie->bytes + lie->size);
    lie->size += VMT_TRAILER_BYTES;
}

static void lie_end(Lie *lie) {
    lie_index(lie, 0);
    lie_trailer(lie);
}

/* ---- Reading them --------------------------------------------------------------------------- */

typedef struct Told {
    VMMTrace *trace;
    int file;
    int code;
    uint64_t references;
    uint64_t lost;
    uint64_t lost_events;
    uint64_t events;
    uint64_t last_addr;
    VMMTraceInfo info;
} Told;

static void told_event(void *user, const VMMEvent *event) {
    Told *told = user;
    told->events++;
    if (event->type == VMM_EVENT_LOST) {
        told->lost_events++;
        told->lost = vmt_add_saturated(told->lost, event->value);
    }
}

static void told_open(Told *told, const Lie *lie, VMMTraceOptions options) {
    char path[64];
    memset(told, 0, sizeof *told);
    told->file = memfd_create("lie", 0);
    assert_true(told->file >= 0);
    assert_int_equal(write(told->file, lie->bytes, lie->size), (ssize_t)lie->size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", told->file);
    options.struct_size = sizeof options;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    if (vmm_trace_open(path, &options, &told->trace, error) != VMM_OK) {
        fail_msg("%s", error);
    }
    vmm_trace_on_event(told->trace, told_event, told);
}

static void told_read(Told *told) {
    VMMRef refs[100];
    long got;
    while ((got = vmm_trace_read(told->trace, refs, 100)) > 0) {
        told->references += (uint64_t)got;
        told->last_addr = refs[got - 1].addr;
    }
    told->code = (int)got;
    told->info.struct_size = sizeof told->info;
    vmm_trace_info(told->trace, &told->info);
}

static void told_close(Told *told) {
    vmm_trace_close(told->trace);
    close(told->file);
}

/* A good block is before the lie, and one behind it: `count` references are read of both. */
static void assert_refused(Lie *lie, const char *sentence, uint64_t count) {
    for (uint32_t threads = 0; threads < 2; threads++) {
        Told told;
        told_open(&told, lie, (VMMTraceOptions){.threads = threads});
        told_read(&told);
        assert_int_equal(told.code, VMM_E_DAMAGED);
        if (strstr(vmm_trace_error_text(told.trace), sentence) == NULL) {
            fail_msg("expected \"%s\" in: %s", sentence, vmm_trace_error_text(told.trace));
        }
        told_close(&told);
        told_open(&told, lie, (VMMTraceOptions){.threads = threads, .skip_bad_records = 1});
        told_read(&told);
        assert_int_equal(told.code, VMM_OK);
        assert_int_equal(told.references, count);
        assert_true(told.info.bad_records >= 1);
        assert_non_null(strstr(vmm_trace_bad_record_text(told.trace, 0), sentence));
        told_close(&told);
    }
    free(lie->bytes);
}

static void assert_good(Lie *lie, uint64_t count) {
    Told told;
    told_open(&told, lie, (VMMTraceOptions){.threads = 0});
    told_read(&told);
    if (told.code != VMM_OK) {
        fail_msg("%s", vmm_trace_error_text(told.trace));
    }
    assert_int_equal(told.references, count);
    assert_int_equal(told.info.bad_records, 0);
    told_close(&told);
    free(lie->bytes);
}

/* ---- Page runs ------------------------------------------------------------------------------ */

static VMMRunShape shape_of(uint32_t count, uint32_t first_write, uint32_t writes, bool continued) {
    return (VMMRunShape){.count = count,
                         .writes = writes,
                         .first_write = writes > 0 ? first_write : count,
                         .continued = continued};
}

static Lie lie_of_runs(const LieRun *runs, uint8_t count, uint8_t page_shift) {
    Lie lie = lie_begin((VmtHeader){.page_shift = page_shift});
    lie_loads(&lie, 1, 1);
    lie_runs(&lie, runs, count);
    lie_loads(&lie, 2, 1);
    lie_end(&lie);
    return lie;
}

/* A reference that crosses is one: it does the same to both pages. */
static void crossing_references_do_the_same_to_both_pages(void **state) {
    (void)state;
    static const struct {
        VMMRunShape before, behind;
        bool good;
    } cases[] = {
        {{2, 0, 2, false, false, false}, {2, 0, 2, false, false, true}, true},
        {{2, 0, 2, false, false, false}, {2, 1, 1, false, false, true}, true},
        {{2, 1, 1, false, false, false}, {1, 1, 0, false, false, true}, true},
        {{3, 2, 0, false, false, false}, {1, 1, 0, false, false, true}, true},
        {{3, 2, 0, false, false, false}, {1, 0, 1, false, false, true}, true},
        {{1, 0, 1, true, false, false}, {1, 0, 1, true, false, true}, true},
        {{2, 0, 2, false, false, false}, {3, 1, 0, false, false, true}, false},
        {{2, 1, 0, false, false, false}, {1, 1, 0, false, false, true}, false},
        {{2, 2, 0, false, false, false}, {1, 0, 1, false, false, true}, false},
        {{2, 1, 1, false, false, false}, {2, 1, 1, false, false, true}, false},
        {{1, 0, 1, true, false, false}, {1, 0, 1, false, false, true}, false},
        {{1, 0, 1, false, true, false}, {1, 0, 1, false, false, true}, false},
    };
    for (size_t i = 0; i < VMM_COUNT_OF(cases); i++) {
        LieRun runs[] = {{5, cases[i].before}, {6, cases[i].behind}};
        Lie lie = lie_of_runs(runs, 2, 12);
        if (cases[i].good) {
            assert_good(&lie, lie.first);
        } else {
            assert_refused(&lie, "does not continue", 2);
        }
    }
}

static void continued_runs_are_on_the_next_page(void **state) {
    (void)state;
    for (uint64_t page = 4; page <= 7; page++) {
        LieRun runs[] = {{5, shape_of(1, 0, 0, false)}, {page, shape_of(1, 0, 0, true)}};
        Lie lie = lie_of_runs(runs, 2, 12);
        if (page == 6) {
            assert_good(&lie, 3);
        } else {
            assert_refused(&lie, "does not continue", 2);
        }
    }
    LieRun alone = {5, shape_of(2, 0, 0, true)}; /* nothing in its block that it could continue */
    Lie lie = lie_of_runs(&alone, 1, 12);
    assert_refused(&lie, "does not continue", 2);
}

/* Of pages of 1 GiB, a reference whose size has 32 bits touches five. */
static void references_of_more_than_32_bits_are_refused(void **state) {
    (void)state;
    LieRun runs[6] = {{0, shape_of(1, 0, 0, false)}};
    for (uint8_t i = 1; i < 6; i++) {
        runs[i] = (LieRun){i, shape_of(1, 0, 0, true)};
    }
    Lie five = lie_of_runs(runs, 5, 30);
    assert_good(&five, 3);
    Lie six = lie_of_runs(runs, 6, 30);
    assert_refused(&six, "does not continue", 2);
}

/* A page that comes twice in its dictionary is a page. */
static void pages_may_come_twice(void **state) {
    (void)state;
    LieRun runs[] = {{5, shape_of(1, 0, 0, false)}, {5, shape_of(1, 0, 0, false)}};
    Lie lie = lie_of_runs(runs, 2, 12);
    assert_good(&lie, 4);
}

static void a_block_ends_before_its_counts_overflow(void **state) {
    (void)state;
    VmtRunsEncoder *encoder = vmt_runs_open(12);
    VMMRef refs[4] = {
        {.addr = 4096, .size = 1}, {.addr = 4096, .size = 1}, {.addr = 4096, .size = 1}};
    VMMPackedRef packed[4] = {4096, 4096, 4096, 4096};
    uint64_t kernel = 0;
    bool bad;
    assert_non_null(encoder);
    assert_int_equal(vmt_runs_add(encoder, refs, 1), 1);
    encoder->references = RUNS_MAX_REFERENCES - 2;
    assert_int_equal(vmt_runs_add(encoder, refs, 1), 1);
    assert_int_equal(vmt_runs_add_packed(encoder, packed, 4, &kernel, &bad), 1);
    assert_false(bad);
    assert_int_equal(vmt_runs_add_packed(encoder, packed, 4, &kernel, &bad), 0);
    assert_int_equal(vmt_runs_add(encoder, refs, 3), 0);
    VmtBlock block = {.type = 0};
    vmt_runs_take(encoder, &block);
    assert_int_equal(block.references, 3);
    assert_int_equal(vmt_runs_add(encoder, refs, 3), 3);
    vmt_runs_close(encoder);
}

/* ---- Full addresses ------------------------------------------------------------------------- */

/* One load whose columns have `kinds` and `addresses` bytes behind what it needs. */
static Lie lie_of_full(size_t kinds, size_t addresses) {
    uint8_t good[] = {2, 5, 0, 4, 2};
    uint8_t payload[16] = {(uint8_t)(2 + kinds), 5, 0, 4};
    VmtBlock block = {.type = VMT_BLOCK_FULL,
                      .entries = 1,
                      .pid = 7,
                      .references = 1,
                      .page_references = 1,
                      .reads = 1};
    payload[4 + kinds] = 2;
    Lie lie = lie_begin((VmtHeader){.codec = VMT_CODEC_FULL});
    lie_block(&lie, block, good, sizeof good);
    lie_block(&lie, block, payload, 5 + kinds + addresses);
    lie_block(&lie, block, good, sizeof good);
    lie_end(&lie);
    return lie;
}

static void columns_are_used_up(void **state) {
    (void)state;
    Lie lie = lie_of_full(0, 0);
    assert_good(&lie, 3);
    lie = lie_of_full(1, 0);
    assert_refused(&lie, "do not fit its columns", 2);
    lie = lie_of_full(0, 1);
    assert_refused(&lie, "do not fit its columns", 2);
}

/* ---- Blocks --------------------------------------------------------------------------------- */

static void stored_payloads_have_one_size(void **state) {
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        Lie lie = lie_begin((VmtHeader){.flags = 0});
        LieRun run = {5, shape_of(1, 0, 0, false)};
        uint8_t payload[4096];
        size_t bytes;
        VmtBlock block = lie_runs_payload(&run, 1, payload, &bytes);
        lie_loads(&lie, 1, 1);
        block.raw_bytes = wrong ? (uint32_t)bytes + 1 : 0;
        lie_block(&lie, block, payload, bytes);
        lie_loads(&lie, 1, 1);
        lie_end(&lie);
        if (wrong) {
            assert_refused(&lie, "expected the header of a block", 2);
        } else {
            assert_good(&lie, 3);
        }
    }
}

static void no_block_has_type_0(void **state) {
    (void)state;
    Lie lie = lie_begin((VmtHeader){.flags = 0});
    lie_loads(&lie, 1, 1);
    lie_block(&lie, (VmtBlock){.type = 0}, "x", 1);
    lie_loads(&lie, 1, 1);
    lie_end(&lie);
    assert_refused(&lie, "expected the header of a block", 2);
    lie = lie_begin((VmtHeader){.flags = 0});
    lie_block(&lie, (VmtBlock){.type = 77}, "x", 1); /* of a later version */
    lie_loads(&lie, 1, 1);
    lie_end(&lie);
    assert_good(&lie, 1);
}

static void blocks_of_the_other_codec_are_told(void **state) {
    (void)state;
    uint8_t payload[] = {2, 5, 0, 4, 2};
    VmtBlock block = {
        .type = VMT_BLOCK_FULL, .entries = 1, .references = 1, .page_references = 1, .reads = 1};
    Lie lie = lie_begin((VmtHeader){.codec = VMT_CODEC_RUNS});
    lie_loads(&lie, 1, 1);
    lie_block(&lie, block, payload, sizeof payload);
    lie_loads(&lie, 1, 1);
    lie_end(&lie);
    assert_refused(&lie, "full addresses in a trace of page runs", 2);
    lie = lie_begin((VmtHeader){.codec = VMT_CODEC_FULL});
    lie_block(&lie, block, payload, sizeof payload);
    lie_loads(&lie, 1, 5);
    lie_block(&lie, block, payload, sizeof payload);
    lie_end(&lie);
    assert_refused(&lie, "page runs in a trace of full addresses", 2);
}

/* ---- Events and files ----------------------------------------------------------------------- */

static void event_fields_fit_their_types(void **state) {
    (void)state;
    for (uint8_t field = 1; field <= 11; field++) {
        bool narrow = field <= 2 || field >= 9;
        uint8_t body[32] = {1, field};
        uint8_t payload[40];
        uint8_t *end = vmt_put_varint(body + 2, UINT64_C(1) << 32);
        uint8_t *at = vmt_put_varint(payload, (uint64_t)(end - body));
        memcpy(at, body, (size_t)(end - body));
        Lie lie = lie_begin((VmtHeader){.flags = 0});
        lie_loads(&lie, 1, 1);
        lie_block(&lie, (VmtBlock){.type = VMT_BLOCK_EVENTS, .entries = 1}, payload,
                  (size_t)(at - payload) + (size_t)(end - body));
        lie.events++;
        lie_loads(&lie, 1, 1);
        lie_end(&lie);
        if (narrow) {
            assert_refused(&lie, "an event is damaged", 2);
        } else {
            assert_good(&lie, 2);
        }
    }
}

static void records_are_counted(void **state) {
    (void)state;
    VMMEvent event = {.type = VMM_EVENT_MARK, .pid = 7};
    uint8_t payload[2 * VMT_EVENT_BYTES];
    size_t bytes = (size_t)(vmt_event_put(payload, &event) - payload);
    for (uint32_t entries = 0; entries < 3; entries++) {
        Lie lie = lie_begin((VmtHeader){.flags = 0});
        lie_loads(&lie, 1, 1);
        lie_block(&lie, (VmtBlock){.type = VMT_BLOCK_EVENTS, .entries = entries}, payload, bytes);
        lie.events = 1;
        lie_loads(&lie, 1, 1);
        lie_end(&lie);
        if (entries == 1) {
            assert_good(&lie, 2);
        } else {
            assert_refused(&lie, "not as many as its header says", 2);
        }
    }
    uint8_t record[] = {6, 1, 1, 2, 2, 'a', 'b'};
    for (uint32_t entries = 0; entries < 3; entries++) {
        Lie lie = lie_begin((VmtHeader){.flags = 0});
        lie_loads(&lie, 1, 1);
        lie_block(&lie, (VmtBlock){.type = VMT_BLOCK_FILES, .entries = entries}, record,
                  sizeof record);
        lie_loads(&lie, 1, 1);
        lie_end(&lie);
        if (entries == 1) {
            assert_good(&lie, 2);
        } else {
            assert_refused(&lie, "not as many as its header says", 2);
        }
    }
}

static void paths_have_no_zero_byte(void **state) {
    (void)state;
    for (size_t at = 0; at < 4; at++) {
        char path[4] = "/lib";
        Lie lie = lie_begin((VmtHeader){.flags = 0});
        path[at] = '\0';
        lie_loads(&lie, 1, 1);
        lie_file(&lie, 1, path, sizeof path);
        lie_loads(&lie, 1, 1);
        lie_end(&lie);
        assert_refused(&lie, "a file is damaged", 2);
    }
}

static void losses_add_up_to_what_a_number_holds(void **state) {
    (void)state;
    Lie lie = lie_begin((VmtHeader){.flags = 0});
    lie_loads(&lie, 1, 1);
    for (int i = 0; i < 3; i++) {
        lie_event(&lie, (VMMEvent){.type = VMM_EVENT_LOST, .value = UINT64_MAX - 5});
    }
    lie_end(&lie);
    Told told;
    told_open(&told, &lie, (VMMTraceOptions){.threads = 0});
    told_read(&told);
    assert_int_equal(told.lost_events, 3);
    assert_int_equal(told.info.lost_references, UINT64_MAX);
    told_close(&told);
    free(lie.bytes);
}

/* ---- The index ------------------------------------------------------------------------------ */

/* Block `i` has i + 1 loads of page i. */
static Lie lie_of_blocks(void) {
    Lie lie = lie_begin((VmtHeader){.flags = 0});
    for (uint32_t i = 0; i < 6; i++) {
        lie_loads(&lie, i, i + 1);
    }
    return lie;
}

/* Going anywhere works: an index that is believed would lead astray, or never end. */
static void assert_seeks(Lie *lie) {
    Told told;
    told_open(&told, lie, (VMMTraceOptions){.threads = 0});
    uint32_t to = 0;
    for (uint32_t page = 0; page < 6; page++) {
        for (uint32_t i = 0; i <= page; i++) {
            VMMRef ref;
            assert_int_equal(vmm_trace_seek(told.trace, to++), VMM_OK);
            assert_int_equal(vmm_trace_read(told.trace, &ref, 1), 1);
            assert_int_equal(ref.addr, page << 12);
        }
    }
    told_close(&told);
    free(lie->bytes);
}

static void an_index_is_not_believed(void **state) {
    (void)state;
    Lie lie = lie_of_blocks();
    lie_end(&lie);
    assert_seeks(&lie);
    lie = lie_of_blocks();
    lie_index(&lie, lie.size); /* names itself as the one before */
    lie_trailer(&lie);
    assert_seeks(&lie);
    lie = lie_of_blocks();
    lie.offsets[5] = lie.size; /* the index itself, as a block of references */
    lie_end(&lie);
    assert_seeks(&lie);
    lie = lie_of_blocks();
    lie.blocks[2].references++; /* more than the trailer says */
    lie_end(&lie);
    assert_seeks(&lie);
    lie = lie_of_blocks();
    lie.blocks[0].references--;
    lie_end(&lie);
    assert_seeks(&lie);
}

/* Behind a place that is gone to, files are known, or it is said that they are not. */
static void files_that_cannot_be_read_are_told(void **state) {
    (void)state;
    for (uint32_t skip = 0; skip < 2; skip++) {
        Lie lie = lie_begin((VmtHeader){.flags = 0});
        Told told;
        lie_loads(&lie, 1, 1);
        lie_file(&lie, 1, "/lib", 4);
        lie_loads(&lie, 1, 1);
        lie_end(&lie);
        lie.bytes[lie.offsets[1] + VMT_BLOCK_BYTES] ^= 1;
        told_open(&told, &lie, (VMMTraceOptions){.skip_bad_records = skip});
        assert_int_equal(vmm_trace_seek(told.trace, 1), skip ? VMM_OK : VMM_E_DAMAGED);
        told_read(&told);
        assert_int_equal(told.code, skip ? VMM_OK : VMM_E_DAMAGED);
        assert_int_equal(told.references, skip);
        assert_non_null(strstr(skip ? vmm_trace_bad_record_text(told.trace, 0)
                                    : vmm_trace_error_text(told.trace),
                               "a damaged block of files"));
        told_close(&told);
        free(lie.bytes);
    }
}

/* ---- What is said twice --------------------------------------------------------------------- */

/* Found only by who asks for it; with its place. */
static void assert_contradicts(Lie *lie, const char *sentence, uint64_t offset) {
    Told told;
    told_open(&told, lie, (VMMTraceOptions){.threads = 0});
    told_read(&told);
    assert_int_equal(told.code, VMM_OK);
    assert_int_equal(told.info.bad_records, 0);
    told_close(&told);
    for (uint32_t threads = 0; threads < 2; threads++) {
        char place[64];
        told_open(&told, lie, (VMMTraceOptions){.check = 1, .threads = threads});
        told_read(&told);
        assert_int_equal(told.code, sentence != NULL ? VMM_E_DAMAGED : VMM_OK);
        told_close(&told);
        told_open(&told, lie,
                  (VMMTraceOptions){.check = 1, .skip_bad_records = 1, .threads = threads});
        told_read(&told);
        assert_int_equal(told.code, VMM_OK);
        assert_int_equal(told.references, lie->first);
        assert_int_equal(told.info.bad_records, sentence != NULL);
        snprintf(place, sizeof place, "at byte %llu:", (unsigned long long)offset);
        const char *text = vmm_trace_bad_record_text(told.trace, 0);
        if (sentence != NULL && (strstr(text, sentence) == NULL || strstr(text, place) == NULL)) {
            fail_msg("expected \"%s\" %s in: %s", sentence, place, text);
        }
        told_close(&told);
    }
    free(lie->bytes);
}

static Lie lie_of_all_types(void) {
    Lie lie = lie_begin((VmtHeader){.flags = 0});
    lie_loads(&lie, 1, 1);
    lie_file(&lie, 1, "/lib", 4);
    lie_event(&lie, (VMMEvent){.type = VMM_EVENT_MAP, .pid = 7, .file = 1});
    lie_loads(&lie, 2, 3);
    return lie;
}

static void index_lines_tell_what_blocks_tell(void **state) {
    (void)state;
    static const char *const sentences[] = {NULL,
                                            "line 4 has another number of references",
                                            "line 4 has another pid",
                                            "line 4 has another tid",
                                            "line 4 has another time",
                                            "line 4 has another type",
                                            "line 4 has another offset",
                                            "an index of 3 lines for 4 blocks",
                                            "names another one before it"};
    for (size_t i = 0; i < VMM_COUNT_OF(sentences); i++) {
        Lie lie = lie_of_all_types();
        lie.blocks[3].references += i == 1;
        lie.blocks[3].pid += i == 2;
        lie.blocks[3].tid += i == 3;
        lie.blocks[3].time_ns += i == 4;
        lie.blocks[3].type = i == 5 ? VMT_BLOCK_FULL : VMT_BLOCK_RUNS;
        lie.offsets[3] += i == 6;
        lie.count -= i == 7;
        lie_index(&lie, i == 8 ? 5 : 0);
        lie_trailer(&lie);
        assert_contradicts(&lie, sentences[i], lie.index);
    }
    Lie two = lie_of_all_types(); /* a second index block tells of what is behind the first */
    lie_index(&two, 0);
    uint64_t first = two.index;
    lie_loads(&two, 3, 1);
    lie_index(&two, first);
    lie_trailer(&two);
    assert_contradicts(&two, NULL, 0);
}

static void the_trailer_tells_what_blocks_tell(void **state) {
    (void)state;
    for (int wrong = 0; wrong < 3; wrong++) {
        Lie lie = lie_of_all_types();
        lie_index(&lie, 0);
        lie.events += wrong == 1;
        lie.index -= wrong == 2;
        uint64_t at = lie.size;
        lie_trailer(&lie);
        assert_contradicts(&lie,
                           wrong == 0   ? NULL
                           : wrong == 1 ? "another number of events"
                                        : "another place than that of the last index",
                           at);
    }
    Lie lie = lie_of_all_types();
    lie.events = VMT_EVENTS_UNKNOWN;
    lie_end(&lie);
    assert_contradicts(&lie, NULL, 0);
}

static void files_and_reductions_are_there(void **state) {
    (void)state;
    Lie lie = lie_of_all_types();
    lie_event(&lie, (VMMEvent){.type = VMM_EVENT_MAP, .pid = 7, .file = 77});
    uint64_t at = lie.offsets[lie.count - 1];
    lie_end(&lie);
    assert_contradicts(&lie, "names a file which is not there", at);
    lie = lie_begin((VmtHeader){.original_references = 9});
    lie_loads(&lie, 1, 1);
    lie_end(&lie);
    assert_contradicts(&lie, "references before a reduction", 56);
    lie = lie_begin((VmtHeader){.original_references = 9, .reduction = 2});
    lie_loads(&lie, 1, 1);
    lie_end(&lie);
    assert_contradicts(&lie, NULL, 0);
}

/* ---- Work ----------------------------------------------------------------------------------- */

/* Thousands of headers name payloads of 4 MiB, over the same bytes; a good block comes behind. */
static void damage_is_not_summed_again_and_again(void **state) {
    (void)state;
    Lie lie = lie_begin((VmtHeader){.flags = 0});
    VmtBlock block = {.type = VMT_BLOCK_RUNS,
                      .compression = VMT_ZSTD,
                      .raw_bytes = VMT_RAW_MAX,
                      .packed_bytes = VMT_RAW_MAX,
                      .entries = 1,
                      .references = 1,
                      .reads = 1,
                      .checksum = 12345};
    for (int i = 0; i < 8000; i++) {
        vmt_block_put(&block, lie.bytes + lie.size);
        lie.size += VMT_BLOCK_BYTES;
    }
    memset(lie.bytes + lie.size, 0, VMT_RAW_MAX);
    lie.size += VMT_RAW_MAX;
    lie_loads(&lie, 1, 1);
    lie_end(&lie);
    int file = memfd_create("lie", 0);
    char path[64];
    TraceSource source;
    Error error = {.code = VMM_OK};
    assert_int_equal(write(file, lie.bytes, lie.size), (ssize_t)lie.size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    assert_int_equal(trace_source_open(&source, path, &error), VMM_OK);
    VmtFramer framer;
    VmtSlot slot = {.state = 0};
    assert_true(vmt_framer_open(&framer, &source, true, "", 0));
    unsigned good = 0;
    while (vmt_framer_next(&framer, &slot)) {
        good += slot.block.type == VMT_BLOCK_RUNS;
    }
    assert_int_equal(framer.stop.code, VMM_OK);
    assert_int_equal(good, 1);
    assert_int_equal(framer.passed, lie.size);
    assert_true(framer.summed_in_vain >= VMT_RAW_MAX);
    assert_true(framer.summed_in_vain <= 2 * lie.size + 2 * (uint64_t)VMT_PACKED_MAX);
    vmt_slot_free(&slot);
    vmt_framer_close(&framer);
    trace_source_close(&source);
    close(file);
    free(lie.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crossing_references_do_the_same_to_both_pages),
        cmocka_unit_test(continued_runs_are_on_the_next_page),
        cmocka_unit_test(references_of_more_than_32_bits_are_refused),
        cmocka_unit_test(pages_may_come_twice),
        cmocka_unit_test(a_block_ends_before_its_counts_overflow),
        cmocka_unit_test(columns_are_used_up),
        cmocka_unit_test(stored_payloads_have_one_size),
        cmocka_unit_test(no_block_has_type_0),
        cmocka_unit_test(blocks_of_the_other_codec_are_told),
        cmocka_unit_test(event_fields_fit_their_types),
        cmocka_unit_test(records_are_counted),
        cmocka_unit_test(paths_have_no_zero_byte),
        cmocka_unit_test(losses_add_up_to_what_a_number_holds),
        cmocka_unit_test(an_index_is_not_believed),
        cmocka_unit_test(files_that_cannot_be_read_are_told),
        cmocka_unit_test(index_lines_tell_what_blocks_tell),
        cmocka_unit_test(the_trailer_tells_what_blocks_tell),
        cmocka_unit_test(files_and_reductions_are_there),
        cmocka_unit_test(damage_is_not_summed_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
