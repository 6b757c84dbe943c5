/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .vmt format: what is written is read again, in both codecs, by one thread or several, from
 * files and pipes; and damage costs what it must and no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../include/vmm/runs.h"
#include "../../include/vmm/trace.h"
#include "../../include/vmm/trace_write.h"
#include "../../src/base/compiler.h"
#include "../../src/base/rng.h"
#include "../../src/trace/vmt_format.h"
#include "common.h"

#define PAGE 4096u

/* ---- Scripts: what to write, and what to expect --------------------------------------------- */

typedef struct Step {
    enum { STEP_REF, STEP_EVENT, STEP_FLUSH } kind;
    VMMRef ref;
    VMMEvent event;
} Step;

typedef struct Script {
    Step *steps;
    size_t count;
    size_t room;
} Script;

static Step *script_step(Script *script) {
    if (script->count == script->room) {
        script->room = 2 * script->room + 64;
        script->steps = realloc(script->steps, script->room * sizeof *script->steps);
        assert_non_null(script->steps);
    }
    Step *step = &script->steps[script->count++];
    memset(step, 0, sizeof *step);
    return step;
}

static void add_ref_of(Script *script, uint32_t pid, uint32_t tid, VMMOp op, uint64_t addr,
                       uint32_t size, bool kernel) {
    Step *step = script_step(script);
    step->kind = STEP_REF;
    step->ref = (VMMRef){.addr = addr,
                         .pid = pid,
                         .tid = tid,
                         .size = size,
                         .op = (uint8_t)op,
                         .flags = kernel ? VMM_REF_KERNEL : 0};
}

static void add_ref(Script *script, VMMOp op, uint64_t addr, uint32_t size) {
    add_ref_of(script, 7, 1, op, addr, size, false);
}

static void add_event(Script *script, uint32_t type, uint64_t start, uint64_t length) {
    Step *step = script_step(script);
    step->kind = STEP_EVENT;
    step->event = (VMMEvent){.struct_size = sizeof step->event,
                             .type = type,
                             .pid = 7,
                             .tid = 1,
                             .start = start,
                             .length = length};
}

static void add_flush(Script *script) {
    script_step(script)->kind = STEP_FLUSH;
}

/* Page references of both sides in a form that keeps all that page runs keep. */
typedef struct Run {
    uint32_t pid, tid;
    uint64_t vpn;
    uint32_t count, writes, first_write;
    bool fetch, kernel, continued;
    uint32_t event; /* type: no run, but an event */
} Run;

typedef struct Runs {
    Run *list;
    size_t count;
    size_t room;
    bool closed; /* the last run does not go on */
} Runs;

static Run *runs_new(Runs *runs) {
    if (runs->count == runs->room) {
        runs->room = 2 * runs->room + 64;
        runs->list = realloc(runs->list, runs->room * sizeof *runs->list);
        assert_non_null(runs->list);
    }
    Run *run = &runs->list[runs->count++];
    memset(run, 0, sizeof *run);
    runs->closed = false;
    return run;
}

static void runs_page(Runs *runs, const VMMRef *ref, uint64_t vpn, bool continued) {
    Run *last = runs->count > 0 ? &runs->list[runs->count - 1] : NULL;
    bool fetch = ref->op == VMM_OP_FETCH;
    bool kernel = (ref->flags & VMM_REF_KERNEL) != 0;
    if (last == NULL || runs->closed || continued || last->event != 0 || last->pid != ref->pid ||
        last->tid != ref->tid || last->vpn != vpn || last->fetch != fetch ||
        last->kernel != kernel) {
        last = runs_new(runs);
        last->pid = ref->pid;
        last->tid = ref->tid;
        last->vpn = vpn;
        last->fetch = fetch;
        last->kernel = kernel;
        last->continued = continued;
    }
    if (ref->op == VMM_OP_WRITE && last->writes++ == 0) {
        last->first_write = last->count;
    }
    last->count++;
}

static void runs_ref(Runs *runs, const VMMRef *ref) {
    uint32_t size = ref->size > 0 ? ref->size : 1;
    uint64_t end = ref->addr + (size - 1);
    uint64_t last = (end < ref->addr ? UINT64_MAX : end) / PAGE;
    for (uint64_t vpn = ref->addr / PAGE; vpn <= last; vpn++) {
        runs_page(runs, ref, vpn, vpn != ref->addr / PAGE);
    }
}

static void runs_event(Runs *runs, const VMMEvent *event) {
    Run *run = runs_new(runs);
    run->event = event->type;
    run->vpn = event->start;
    run->count = (uint32_t)event->length;
}

static bool same_run(const Run *a, const Run *b) {
    return a->pid == b->pid && a->tid == b->tid && a->vpn == b->vpn && a->count == b->count &&
           a->writes == b->writes && a->first_write == b->first_write && a->fetch == b->fetch &&
           a->kernel == b->kernel && a->continued == b->continued && a->event == b->event;
}

static void assert_same_runs(const Runs *got, const Runs *wanted) {
    for (size_t i = 0; i < got->count && i < wanted->count; i++) {
        if (!same_run(&got->list[i], &wanted->list[i])) {
            const Run *a = &got->list[i];
            const Run *b = &wanted->list[i];
            fail_msg("run %zu: page %#llx x%u w%u@%u k%d f%d c%d e%u t%u, expected page %#llx x%u "
                     "w%u@%u k%d f%d c%d e%u t%u",
                     i, (unsigned long long)a->vpn, a->count, a->writes, a->first_write, a->kernel,
                     a->fetch, a->continued, a->event, a->tid, (unsigned long long)b->vpn, b->count,
                     b->writes, b->first_write, b->kernel, b->fetch, b->continued, b->event,
                     b->tid);
        }
    }
    assert_int_equal(got->count, wanted->count);
}

/* ---- Files ---------------------------------------------------------------------------------- */

typedef struct Bytes {
    uint8_t *data;
    size_t size;
} Bytes;

static int open_memory(void) {
    int file = memfd_create("vmt", 0);
    assert_true(file >= 0);
    return file;
}

static Bytes take_bytes(int file) {
    off_t size = lseek(file, 0, SEEK_END);
    assert_true(size >= 0);
    Bytes bytes = {malloc((size_t)size + 1), (size_t)size};
    assert_int_equal(pread(file, bytes.data, bytes.size, 0), size);
    close(file);
    return bytes;
}

static bool packable(const VMMRef *ref) {
    return ref->size >= 1 && ref->size <= VMM_PACKED_MAX_SIZE && ref->addr <= VMM_PACKED_ADDR_MASK;
}

static VMMPackedRef pack(const VMMRef *ref) {
    return ref->addr | (uint64_t)(ref->size - 1) << VMM_PACKED_SIZE_SHIFT |
           (uint64_t)ref->op << VMM_PACKED_OP_SHIFT |
           (ref->flags & VMM_REF_KERNEL ? VMM_PACKED_KERNEL : 0);
}

/* The steps from `from` on that are references and go into one call: how many. */
static size_t gather(const Script *script, size_t from, size_t most, bool packed, VMMRef *refs,
                     VMMPackedRef *words) {
    size_t count = 0;
    while (count < most && from + count < script->count) {
        const Step *step = &script->steps[from + count];
        if (step->kind != STEP_REF ||
            (packed && (!packable(&step->ref) || step->ref.pid != script->steps[from].ref.pid ||
                        step->ref.tid != script->steps[from].ref.tid))) {
            break;
        }
        refs[count] = step->ref;
        words[count++] = pack(&step->ref);
    }
    return count;
}

/* References from this step on, in calls of any length; returns how many. */
static size_t write_refs(VMMTraceWriter *writer, const Script *script, size_t from, bool packed,
                         Rng *rng) {
    static VMMRef refs[3000];
    static VMMPackedRef words[3000];
    const VMMRef *first = &script->steps[from].ref;
    bool pack_it = packed && packable(first);
    size_t count = gather(script, from, 1 + rng_below(rng, 3000), pack_it, refs, words);
    int code = pack_it ? vmm_trace_write_packed(writer, first->pid, first->tid, words, count)
                       : vmm_trace_write(writer, refs, count);
    if (code != VMM_OK) {
        fail_msg("%s", vmm_trace_writer_error_text(writer));
    }
    return count;
}

static VMMTraceWriter *open_writer(int file, const char *codec) {
    VMMTraceWriterOptions options = {.struct_size = sizeof options,
                                     .codec = codec,
                                     .command = "sort 'a b'",
                                     .host = "host",
                                     .recorder = "test",
                                     .note = "",
                                     .mappings_complete = 1,
                                     .start_time_ns = 5};
    VMMTraceWriter *writer = NULL;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    if (vmm_trace_writer_open(file, &options, &writer, error) != VMM_OK) {
        fail_msg("%s", error);
    }
    return writer;
}

static void assert_counted(const VMMTraceWriter *writer, const Script *script) {
    VMMTraceWriterInfo info = {.struct_size = sizeof info};
    uint64_t references = 0;
    uint64_t kernel = 0;
    for (size_t i = 0; i < script->count; i++) {
        const Step *step = &script->steps[i];
        references += step->kind == STEP_REF;
        kernel += step->kind == STEP_REF && (step->ref.flags & VMM_REF_KERNEL) != 0;
    }
    vmm_trace_writer_info(writer, &info);
    assert_int_equal(info.references, references);
    assert_int_equal(info.kernel_references, kernel);
}

static Bytes write_script(const Script *script, const char *codec, bool packed) {
    int file = open_memory();
    VMMTraceWriter *writer = open_writer(file, codec);
    Rng rng = rng_seed(1, "calls");
    for (size_t i = 0; i < script->count;) {
        const Step *step = &script->steps[i];
        if (step->kind == STEP_EVENT) {
            assert_int_equal(vmm_trace_write_event(writer, &step->event), VMM_OK);
        } else if (step->kind == STEP_FLUSH) {
            assert_int_equal(vmm_trace_writer_flush(writer), VMM_OK);
        }
        i += step->kind == STEP_REF ? write_refs(writer, script, i, packed, &rng) : 1;
    }
    assert_int_equal(vmm_trace_writer_finish(writer), VMM_OK);
    assert_counted(writer, script);
    vmm_trace_writer_close(writer);
    return take_bytes(file);
}

/* ---- Reading -------------------------------------------------------------------------------- */

typedef struct Result {
    int open_code;
    long end;
    Runs runs;
    VMMRef *refs;
    size_t count;
    uint64_t lost;
    uint64_t lost_events;
    VMMTraceInfo info;
    char error[VMM_ERROR_TEXT_BYTES];
} Result;

static void hear_event(void *user, const VMMEvent *event) {
    Result *result = user;
    if (event->type == VMM_EVENT_LOST) {
        result->lost += event->value;
        result->lost_events++;
        return;
    }
    runs_event(&result->runs, event);
}

static void read_refs(VMMTrace *trace, Result *result, size_t batch) {
    VMMRef *buffer = calloc(batch, sizeof *buffer);
    size_t room = 0;
    while ((result->end = vmm_trace_read(trace, buffer, batch)) > 0) {
        size_t fresh = (size_t)result->end;
        assert_true(fresh <= batch);
        if (result->count + fresh > room) {
            room = 2 * (result->count + fresh);
            result->refs = realloc(result->refs, room * sizeof *buffer);
        }
        memcpy(result->refs + result->count, buffer, fresh * sizeof *buffer);
        result->count += fresh;
        for (size_t i = 0; i < fresh; i++) {
            runs_ref(&result->runs, &buffer[i]);
        }
    }
    assert_int_equal(vmm_trace_read(trace, buffer, batch), result->end);
    free(buffer);
}

static void read_runs(VMMTrace *trace, Result *result) {
    const VMMRuns *block = NULL;
    assert_true(vmm_trace_has_runs(trace));
    while ((result->end = vmm_trace_next_runs(trace, &block)) > 0) {
        for (size_t i = 0; i < block->count; i++) {
            assert_true(block->page[i] < block->page_count);
            assert_true(block->shape[i] < block->shape_count);
            const VMMRunShape *shape = &block->shapes[block->shape[i]];
            Run run;
            memset(&run, 0, sizeof run);
            run.pid = block->pid;
            run.tid = block->tid;
            run.vpn = block->pages[block->page[i]];
            run.count = shape->count;
            run.writes = shape->writes;
            run.first_write = shape->writes > 0 ? shape->first_write : 0;
            run.fetch = shape->fetch;
            run.kernel = shape->kernel;
            run.continued = shape->continued;
            *runs_new(&result->runs) = run;
            result->count += shape->count - shape->continued;
        }
    }
}

/* batch 0: page runs. */
static Result read_path(const char *path, bool skip, unsigned threads, size_t batch) {
    VMMTraceOptions options = {
        .struct_size = sizeof options, .skip_bad_records = skip, .threads = threads};
    Result result;
    memset(&result, 0, sizeof result);
    VMMTrace *trace = NULL;
    result.open_code = vmm_trace_open(path, &options, &trace, result.error);
    if (result.open_code != VMM_OK) {
        assert_null(trace);
        assert_true(strlen(result.error) > 10);
        return result;
    }
    vmm_trace_on_event(trace, hear_event, &result);
    if (batch > 0) {
        read_refs(trace, &result, batch);
    } else {
        read_runs(trace, &result);
    }
    snprintf(result.error, sizeof result.error, "%s", vmm_trace_error_text(trace));
    result.info = (VMMTraceInfo){.struct_size = sizeof result.info};
    vmm_trace_info(trace, &result.info);
    if (result.end >= 0) {
        assert_int_equal(result.info.references, result.count);
    }
    vmm_trace_close(trace);
    return result;
}

static Result read_bytes(const void *data, size_t size, bool skip, unsigned threads, size_t batch) {
    int file = open_memory();
    assert_int_equal(write(file, data, size), (ssize_t)size);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    Result result = read_path(path, skip, threads, batch);
    close(file);
    return result;
}

static void free_result(Result *result) {
    free(result->refs);
    free(result->runs.list);
}

/* ---- Round trips ---------------------------------------------------------------------------- */

/* What reading a script must give. Blocks cut runs: at flushes, events, other threads. */
static Runs expect(const Script *script) {
    Runs runs = {NULL, 0, 0, false};
    for (size_t i = 0; i < script->count; i++) {
        const Step *step = &script->steps[i];
        if (step->kind == STEP_REF) {
            runs_ref(&runs, &step->ref);
        } else if (step->kind == STEP_EVENT) {
            runs_event(&runs, &step->event);
        } else {
            runs.closed = true;
        }
    }
    return runs;
}

/* Joins what only the end of a block or of a batch keeps apart. */
static Runs joined(const Runs *runs) {
    Runs all = {NULL, 0, 0, false};
    for (size_t i = 0; i < runs->count; i++) {
        Run run = runs->list[i];
        if (run.writes == 0) {
            run.first_write = 0;
        }
        Run *last = all.count > 0 ? &all.list[all.count - 1] : NULL;
        if (last != NULL && run.event == 0 && last->event == 0 && !run.continued &&
            last->pid == run.pid && last->tid == run.tid && last->vpn == run.vpn &&
            last->fetch == run.fetch && last->kernel == run.kernel) {
            if (last->writes == 0 && run.writes > 0) {
                last->first_write = last->count + run.first_write;
            }
            last->writes += run.writes;
            last->count += run.count;
        } else {
            *runs_new(&all) = run;
        }
    }
    return all;
}

static void assert_reads_as(const Bytes *bytes, const Script *script, unsigned threads,
                            size_t batch) {
    Runs wanted = expect(script);
    Runs wanted_joined = joined(&wanted);
    Result result = read_bytes(bytes->data, bytes->size, false, threads, batch);
    if (result.open_code != VMM_OK || result.end != 0) {
        fail_msg("%s", result.error);
    }
    Runs got = joined(&result.runs);
    assert_same_runs(&got, &wanted_joined);
    assert_int_equal(result.info.damaged_bytes, 0);
    assert_int_equal(result.info.bad_records, 0);
    assert_int_equal(result.lost_events, 0);
    assert_string_equal(result.info.format, "vmt");
    assert_int_equal(result.info.mappings_complete, 1);
    free(got.list);
    free(wanted.list);
    free(wanted_joined.list);
    free_result(&result);
}

static void assert_exact(const Bytes *bytes, const Script *script, unsigned threads) {
    Result result = read_bytes(bytes->data, bytes->size, false, threads, 1000);
    assert_int_equal(result.open_code, VMM_OK);
    assert_int_equal(result.end, 0);
    size_t at = 0;
    for (size_t i = 0; i < script->count; i++) {
        if (script->steps[i].kind == STEP_REF) {
            assert_true(at < result.count);
            assert_memory_equal(&result.refs[at], &script->steps[i].ref, sizeof(VMMRef));
            at++;
        }
    }
    assert_int_equal(at, result.count);
    free_result(&result);
}

static void check_round_trip(const Script *script) {
    for (int packed = 0; packed < 2; packed++) {
        Bytes runs = write_script(script, "runs", packed);
        Bytes full = write_script(script, "full", packed);
        for (unsigned threads = 0; threads < 3; threads++) {
            assert_reads_as(&runs, script, threads, 1);
            assert_reads_as(&runs, script, threads, 1000);
            assert_reads_as(&runs, script, threads, 0);
            assert_reads_as(&full, script, threads, 7);
            assert_exact(&full, script, threads);
        }
        free(runs.data);
        free(full.data);
    }
}

static void a_few_references(void **state) {
    (void)state;
    Script script = {NULL, 0, 0};
    add_ref(&script, VMM_OP_READ, 0x1000, 8);
    add_ref(&script, VMM_OP_READ, 0x1008, 8);
    add_ref(&script, VMM_OP_WRITE, 0x1010, 8);
    add_ref(&script, VMM_OP_WRITE, 0x1010, 1);
    add_ref(&script, VMM_OP_READ, 0x1018, 4);
    add_ref(&script, VMM_OP_FETCH, 0x1000, 4);
    add_ref(&script, VMM_OP_READ, 0x1000, 4);
    add_ref_of(&script, 7, 1, VMM_OP_WRITE, 0x1000, 4, true);
    add_ref(&script, VMM_OP_WRITE, 0x7fffffffeff8, 8);
    check_round_trip(&script);
    free(script.steps);
}

/* A run whose stores are the references from `first` on, each `step`th; of a fetch none is. */
static void add_run(Script *script, uint32_t length, uint32_t first, uint32_t step, int kind) {
    for (uint32_t i = 0; i < length; i++) {
        bool write = kind != 2 && i >= first && (i - first) % step == 0;
        VMMOp op = kind == 2 ? VMM_OP_FETCH : write ? VMM_OP_WRITE : VMM_OP_READ;
        add_ref_of(script, 7, 1, op, PAGE * (1 + length % 3) + i, 1 + i % 8, kind == 1);
    }
}

/* Short and long runs are kept in different ways while they grow. */
static void runs_of_all_lengths(void **state) {
    (void)state;
    Script script = {NULL, 0, 0};
    for (uint32_t length = 1; length < 70; length++) {
        for (int kind = 0; kind < 3; kind++) {
            add_run(&script, length, 0, 1, kind);
            add_run(&script, length + 1, length / 2, 3, kind);
            add_run(&script, length, length - 1, 1, kind);
            add_run(&script, length + 1, length + 1, 1, kind);
        }
    }
    check_round_trip(&script);
    free(script.steps);
}

static void crossings(void **state) {
    (void)state;
    Script script = {NULL, 0, 0};
    for (int op = 0; op < 3; op++) {
        add_ref(&script, (VMMOp)op, 0x1ffc, 8);
        add_ref(&script, VMM_OP_WRITE, 0x1ff0, 4);
        add_ref(&script, VMM_OP_READ, 0x1ff0, 4);
        add_ref(&script, (VMMOp)op, 0x1fff, 2);
        add_ref(&script, (VMMOp)op, 0x2000, 8);
        add_ref(&script, (VMMOp)op, 0x2ffe, 3);
        add_ref(&script, (VMMOp)op, 0x3ffe, 3);
        add_ref(&script, VMM_OP_WRITE, 0x4000, 1);
        add_ref(&script, VMM_OP_READ, 0x4fff, 2);
        add_ref(&script, VMM_OP_READ, 0x4000, 1);
        add_ref(&script, VMM_OP_WRITE, 0x4001, 1);
        add_ref(&script, VMM_OP_WRITE, 0x4fff, 2);
        add_ref(&script, VMM_OP_WRITE, 0x4800, 2048);
        add_ref(&script, VMM_OP_WRITE, 0x4801, 2048);
    }
    check_round_trip(&script);
    free(script.steps);
}

static void large_touches_of_the_kernel(void **state) {
    (void)state;
    Script script = {NULL, 0, 0};
    add_ref(&script, VMM_OP_READ, 0x10000, 8);
    add_ref_of(&script, 7, 1, VMM_OP_WRITE, 0x10010, 65536, true);
    add_ref_of(&script, 7, 1, VMM_OP_WRITE, 0x20020, 65536, true);
    add_ref_of(&script, 7, 1, VMM_OP_READ, 0x20000, 4096, true);
    add_ref_of(&script, 7, 1, VMM_OP_READ, 0x20000, 4097, true);
    add_ref_of(&script, 7, 1, VMM_OP_READ, 0x21001, 1, true);
    add_ref(&script, VMM_OP_READ, 0x10000, 3 * PAGE);
    check_round_trip(&script);
    free(script.steps);
}

static void processes_threads_events_and_flushes(void **state) {
    (void)state;
    Script script = {NULL, 0, 0};
    for (uint32_t i = 0; i < 40; i++) {
        add_ref_of(&script, i % 3, i % 2, VMM_OP_READ, 0x5000, 4, false);
        if (i % 4 == 0) {
            add_event(&script, VMM_EVENT_UNMAP, PAGE * i, PAGE);
            add_event(&script, VMM_EVENT_MAP, PAGE * i, 2 * PAGE);
        }
        if (i % 5 == 0) {
            add_flush(&script);
        }
    }
    add_event(&script, VMM_EVENT_EXIT, 0, 0);
    check_round_trip(&script);
    free(script.steps);
}

static void extremes(void **state) {
    (void)state;
    Script script = {NULL, 0, 0};
    add_ref(&script, VMM_OP_READ, 0, 1);
    add_ref(&script, VMM_OP_READ, UINT64_MAX, 1);
    add_ref(&script, VMM_OP_WRITE, UINT64_MAX - 4095, 4096);
    add_ref(&script, VMM_OP_WRITE, UINT64_MAX, 8);
    add_ref_of(&script, UINT32_MAX, UINT32_MAX, VMM_OP_FETCH, UINT64_C(1) << 63, 16, false);
    add_ref(&script, VMM_OP_READ, (UINT64_C(1) << 47) - 1, 1);
    add_ref(&script, VMM_OP_READ, (UINT64_C(1) << 47) - 1, 2);
    check_round_trip(&script);
    free(script.steps);
}

/* Longer than any block, with pages and shapes beyond one byte and beyond two. */
static void many_references(void **state) {
    (void)state;
    for (unsigned spread = 4; spread <= 20; spread += 8) {
        Script script = {NULL, 0, 0};
        Rng rng = rng_seed(spread, "many");
        for (int i = 0; i < 200000; i++) {
            uint64_t page = rng_below(&rng, UINT64_C(1) << spread);
            uint64_t times = rng_below(&rng, 1 + spread);
            for (uint64_t k = 0; k <= times; k++) {
                unsigned r = (unsigned)rng_below(&rng, 100);
                add_ref(&script,
                        r < 60   ? VMM_OP_READ
                        : r < 90 ? VMM_OP_WRITE
                                 : VMM_OP_FETCH,
                        page * PAGE + rng_below(&rng, PAGE), 1 + (uint32_t)rng_below(&rng, 16));
            }
        }
        Bytes runs = write_script(&script, "runs", spread == 4);
        Bytes full = write_script(&script, "full", spread == 4);
        for (unsigned threads = 0; threads < 4; threads += 3) {
            assert_reads_as(&runs, &script, threads, 5000);
            assert_reads_as(&runs, &script, threads, 0);
            assert_exact(&full, &script, threads);
        }
        free(runs.data);
        free(full.data);
        free(script.steps);
    }
}

/* ---- Headers, files, empty traces, pipes, seeking -------------------------------------------- */

/* Writes two references, with more files and events between than a block of them holds. */
static void write_many_files(int file) {
    VMMTraceWriter *writer = open_writer(file, "runs");
    VMMRef ref = {.addr = 0x1000, .pid = 7, .size = 4};
    VMMTraceFile lib = {2049, 77, "/lib/x y.so"};
    VMMTraceFile other = {2049, 78, "/lib/x y.so"};
    VMMEvent event = {.struct_size = sizeof event, .type = VMM_EVENT_MAP, .file = 2};
    assert_int_equal(vmm_trace_write(writer, &ref, 1), VMM_OK);
    assert_int_equal(vmm_trace_write_time(writer, 1234), VMM_OK);
    assert_int_equal(vmm_trace_write_file(writer, &lib), 1);
    assert_int_equal(vmm_trace_write_file(writer, &other), 2);
    assert_int_equal(vmm_trace_write_file(writer, &lib), 1);
    event.time_ns = 5678;
    assert_int_equal(vmm_trace_write_event(writer, &event), VMM_OK);
    for (int i = 0; i < 20000; i++) {
        char path[64];
        snprintf(path, sizeof path, "/a/rather/long/path/of/a/file/%d", i);
        VMMTraceFile many = {1, (uint64_t)i, path};
        assert_int_equal(vmm_trace_write_file(writer, &many), i + 3);
        event.file = (uint32_t)i + 3;
        assert_int_equal(vmm_trace_write_event(writer, &event), VMM_OK);
    }
    assert_int_equal(vmm_trace_write(writer, &ref, 1), VMM_OK);
    assert_int_equal(vmm_trace_writer_finish(writer), VMM_OK);
    VMMTraceWriterInfo info = {.struct_size = sizeof info};
    vmm_trace_writer_info(writer, &info);
    assert_int_equal(info.references, 2);
    assert_int_equal(info.events, 20001);
    assert_int_equal(info.bytes, lseek(file, 0, SEEK_END));
    vmm_trace_writer_close(writer);
}

/* A file keeps its number under another name; what is not known by its inode goes by the path. */
static void files_under_other_names(void **state) {
    (void)state;
    static const VMMTraceFile files[] = {
        {2049, 77, "/a"}, {2049, 77, "/a (deleted)"},
        {2049, 78, "/a"}, {2050, 77, "/a"},
        {0, 77, "/a"},    {0, 77, "/b"},
        {0, 0, "/a"},     {0, 0, "/b"},
        {2049, 0, "/a"},  {2049, 0, "/b"},
        {0, 0, "/a"},
    };
    static const uint32_t numbers[] = {1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 6};
    int file = open_memory();
    VMMTraceWriter *writer = open_writer(file, "runs");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(vmm_trace_write_file(writer, &files[i]), numbers[i]);
    }
    vmm_trace_writer_close(writer);
    close(file);
}

static void assert_header(const VMMTraceHeader *header) {
    assert_string_equal(header->command, "sort 'a b'");
    assert_string_equal(header->host, "host");
    assert_string_equal(header->recorder, "test");
    assert_string_equal(header->note, "");
    assert_string_equal(header->codec, "runs");
    assert_int_equal(header->start_time_ns, 5);
    assert_int_equal(header->page_size, PAGE);
    assert_int_equal(header->total_references, 2);
}

static void header_and_files(void **state) {
    (void)state;
    int file = open_memory();
    write_many_files(file);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    VMMTrace *trace = NULL;
    VMMRef ref;
    assert_int_equal(vmm_trace_open(path, NULL, &trace, NULL), VMM_OK);
    assert_header(vmm_trace_header(trace));
    assert_null(vmm_trace_file(trace, 1));
    assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
    assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
    assert_int_equal(vmm_trace_file(trace, 2)->inode, 78);
    assert_string_equal(vmm_trace_file(trace, 1)->path, "/lib/x y.so");
    assert_string_equal(vmm_trace_file(trace, 20002)->path, "/a/rather/long/path/of/a/file/19999");
    assert_null(vmm_trace_file(trace, 20003));
    assert_null(vmm_trace_file(trace, 0));
    VMMTraceInfo read = {.struct_size = sizeof read};
    vmm_trace_info(trace, &read);
    assert_int_equal(read.events, 20001);
    assert_int_equal(read.time_ns, 5678);
    vmm_trace_close(trace);
    assert_int_equal(vmm_trace_open(path, NULL, &trace, NULL), VMM_OK);
    assert_int_equal(vmm_trace_seek(trace, 1), VMM_OK); /* files are known behind it */
    assert_string_equal(vmm_trace_file(trace, 1)->path, "/lib/x y.so");
    assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
    vmm_trace_close(trace);
    close(file);
}

static void keep_event(void *user, const VMMEvent *event) {
    *(VMMEvent *)user = *event;
}

static void events_keep_every_field(void **state) {
    (void)state;
    int file = open_memory();
    VMMTraceWriter *writer = open_writer(file, "full");
    VMMEvent event = {sizeof event, VMM_EVENT_REMAP, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0};
    VMMEvent heard;
    VMMRef ref = {.addr = 0x1000, .pid = 7, .size = 4};
    memset(&heard, 0, sizeof heard);
    vmm_trace_write_event(writer, &event);
    vmm_trace_write(writer, &ref, 1);
    assert_int_equal(vmm_trace_writer_finish(writer), VMM_OK);
    vmm_trace_writer_close(writer);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    VMMTrace *trace = NULL;
    assert_int_equal(vmm_trace_open(path, NULL, &trace, NULL), VMM_OK);
    vmm_trace_on_event(trace, keep_event, &heard);
    assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
    assert_memory_equal(&heard, &event, sizeof event);
    vmm_trace_close(trace);
    close(file);
}

static void empty_traces(void **state) {
    (void)state;
    for (int events = 0; events < 2; events++) {
        Script script = {NULL, 0, 0};
        if (events) {
            add_event(&script, VMM_EVENT_UNMAP, PAGE, PAGE);
        }
        Bytes bytes = write_script(&script, "runs", false);
        Result result = read_bytes(bytes.data, bytes.size, false, 0, 10);
        assert_int_equal(result.open_code, VMM_OK);
        assert_int_equal(result.end, VMM_E_EMPTY);
        assert_int_equal(result.runs.count, events);
        free_result(&result);
        free(bytes.data);
        free(script.steps);
    }
}

/* Two processes, events, many small blocks; each block's addresses are its own. */
static Script small_script(void) {
    Script script = {NULL, 0, 0};
    for (uint32_t block = 0; block < 12; block++) {
        for (uint32_t i = 0; i < 5 + block; i++) {
            add_ref_of(&script, block % 2, block, i % 3 == 1 ? VMM_OP_WRITE : VMM_OP_READ,
                       (uint64_t)PAGE * (100 * block + i / 2) + i, 4, i == 7);
        }
        if (block % 4 == 3) {
            add_event(&script, VMM_EVENT_UNMAP, PAGE * block, PAGE);
        }
    }
    return script;
}

static void pipes_are_read_and_kept(void **state) {
    (void)state;
    Script script = small_script();
    Bytes bytes = write_script(&script, "runs", false);
    for (unsigned threads = 0; threads < 2; threads++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_true(bytes.size < 65536);
        assert_int_equal(write(ends[1], bytes.data, bytes.size), (ssize_t)bytes.size);
        close(ends[1]);
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
        VMMTraceOptions options = {.struct_size = sizeof options, .threads = threads};
        VMMTrace *trace = NULL;
        assert_int_equal(vmm_trace_open(path, &options, &trace, NULL), VMM_OK);
        assert_int_equal(vmm_trace_keep(trace), VMM_OK);
        VMMTraceInfo info[3];
        for (int pass = 0; pass < 3; pass++) {
            VMMRef refs[10];
            while (vmm_trace_read(trace, refs, pass == 1 ? 1 : 10) > 0) {}
            info[pass] = (VMMTraceInfo){.struct_size = sizeof info[pass]};
            vmm_trace_info(trace, &info[pass]);
            assert_int_equal(info[pass].references, 12 * 5 + 66);
            assert_int_equal(info[pass].events, 3);
            assert_int_equal(info[pass].fingerprint, info[0].fingerprint);
            assert_int_equal(vmm_trace_rewind(trace), VMM_OK);
        }
        vmm_trace_close(trace);
        close(ends[0]);
    }
    free(bytes.data);
    free(script.steps);
}

static void seek_goes_anywhere(void **state) {
    (void)state;
    Script script = small_script();
    for (int full = 0; full < 2; full++) {
        Bytes bytes = write_script(&script, full ? "full" : "runs", false);
        Result all = read_bytes(bytes.data, bytes.size, false, 0, 1000);
        int file = open_memory();
        assert_int_equal(write(file, bytes.data, bytes.size), (ssize_t)bytes.size);
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        for (unsigned threads = 0; threads < 2; threads++) {
            VMMTraceOptions options = {.struct_size = sizeof options, .threads = threads};
            VMMTrace *trace = NULL;
            assert_int_equal(vmm_trace_open(path, &options, &trace, NULL), VMM_OK);
            Rng rng = rng_seed(threads, "seek");
            for (int i = 0; i < 300; i++) {
                uint64_t to = rng_below(&rng, all.count + 3);
                assert_int_equal(vmm_trace_seek(trace, to), VMM_OK);
                VMMRef ref;
                long got = vmm_trace_read(trace, &ref, 1);
                assert_int_equal(got, to < all.count);
                if (got == 1) {
                    assert_memory_equal(&ref, &all.refs[to], sizeof ref);
                }
                VMMTraceInfo info = {.struct_size = sizeof info};
                vmm_trace_info(trace, &info);
                assert_int_equal(info.references, to < all.count ? to + 1 : all.count);
            }
            vmm_trace_close(trace);
        }
        close(file);
        free(bytes.data);
        free_result(&all);
    }
    free(script.steps);
}

static void count_event(void *user, const VMMEvent *event) {
    (void)event;
    (*(unsigned *)user)++;
}

/* Events right before the place are told, those passed over are not; with the index and without. */
static void seeking_tells_no_events_on_the_way(void **state) {
    (void)state;
    Script script = {NULL, 0, 0};
    for (uint32_t i = 0; i < 10; i++) {
        add_event(&script, VMM_EVENT_UNMAP, PAGE * i, PAGE);
        add_ref(&script, VMM_OP_READ, PAGE * i, 1);
        add_ref(&script, VMM_OP_READ, PAGE * i, 1);
    }
    add_event(&script, VMM_EVENT_EXIT, 0, 0);
    Bytes bytes = write_script(&script, "runs", false);
    for (int cut = 0; cut < 2; cut++) {
        int file = open_memory();
        size_t size = bytes.size - (cut ? VMT_TRAILER_BYTES : 0); /* without index */
        assert_int_equal(write(file, bytes.data, size), (ssize_t)size);
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        VMMTraceOptions options = {.struct_size = sizeof options, .skip_bad_records = 1};
        VMMTrace *trace = NULL;
        assert_int_equal(vmm_trace_open(path, &options, &trace, NULL), VMM_OK);
        unsigned told = 0;
        vmm_trace_on_event(trace, count_event, &told);
        for (uint64_t to = 0; to <= 20; to++) {
            VMMRef ref;
            assert_int_equal(vmm_trace_seek(trace, to), VMM_OK);
            assert_int_equal(told, 0);
            assert_int_equal(vmm_trace_read(trace, &ref, 1), to < 20);
            assert_int_equal(told, to % 2 == 0);
            told = 0;
        }
        vmm_trace_close(trace);
        close(file);
    }
    free(bytes.data);
    free(script.steps);
}

static void text_is_sought_by_reading_on(void **state) {
    (void)state;
    int file = open_memory();
    assert_int_equal(dprintf(file, "1 R 0x1000\n1 W 0x2000\n1 R 0x3000\n"), 33);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    VMMTrace *trace = NULL;
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    assert_int_equal(vmm_trace_open(path, NULL, &trace, NULL), VMM_OK);
    assert_null(vmm_trace_header(trace));
    assert_false(vmm_trace_has_runs(trace));
    for (uint64_t to = 3; to-- > 0;) {
        VMMRef ref;
        assert_int_equal(vmm_trace_seek(trace, to), VMM_OK);
        assert_int_equal(vmm_trace_read(trace, &ref, 1), 1);
        assert_int_equal(ref.addr, 0x1000 * (to + 1));
    }
    vmm_trace_close(trace);
    close(file);
}

/* A fetch that stores, among good ones: in a run that is short, and in one that is long. */
static void a_bad_reference_is_found_anywhere(void **state) {
    (void)state;
    static const VMMPackedRef bad[] = {UINT64_C(1) << 59, UINT64_C(1) << 61, UINT64_C(1) << 63};
    VMMPackedRef refs[100];
    int file = open_memory();
    for (size_t i = 0; i < 300; i++) {
        for (int k = 0; k < 100; k++) {
            refs[k] = 0x1000 | (uint64_t)VMM_OP_FETCH << VMM_PACKED_OP_SHIFT;
        }
        refs[i / 3] |= bad[i % 3];
        VMMTraceWriter *writer = open_writer(file, "runs");
        assert_int_equal(vmm_trace_write_packed(writer, 1, 1, refs, 100), VMM_E_USAGE);
        vmm_trace_writer_close(writer);
    }
    close(file);
}

static void what_cannot_be_written_is_refused(void **state) {
    (void)state;
    char error[VMM_ERROR_TEXT_BYTES];
    VMMTraceWriter *writer = NULL;
    int file = open_memory();
    VMMTraceWriterOptions options = {.struct_size = sizeof options, .codec = "walks"};
    assert_int_equal(vmm_trace_writer_open(file, &options, &writer, error), VMM_E_USAGE);
    assert_non_null(strstr(error, "runs or full"));
    options = (VMMTraceWriterOptions){.struct_size = sizeof options, .page_size = 32};
    assert_int_equal(vmm_trace_writer_open(file, &options, &writer, error), VMM_E_USAGE);
    options = (VMMTraceWriterOptions){.struct_size = sizeof options, .level = 23};
    assert_int_equal(vmm_trace_writer_open(file, &options, &writer, error), VMM_E_USAGE);
    for (int i = 0; i < 6; i++) {
        static const VMMPackedRef bad[] = {UINT64_C(3) << 59, UINT64_C(1) << 61, UINT64_C(1) << 63};
        VMMPackedRef refs[600];
        for (int k = 0; k < 600; k++) {
            refs[k] = 0x1000 | UINT64_C(7) << 48 | (uint64_t)(k % 2) << 59;
        }
        refs[i < 3 ? 599 : 300] |= bad[i % 3];
        writer = open_writer(file, i % 2 ? "runs" : "full");
        int code = vmm_trace_write_packed(writer, 1, 1, refs, 600);
        assert_int_equal(code, VMM_E_USAGE);
        assert_non_null(strstr(vmm_trace_writer_error_text(writer), "op"));
        vmm_trace_writer_close(writer);
    }
    close(file);
    file = open("/dev/full", O_WRONLY);
    if (file >= 0) {
        writer = open_writer(file, "runs");
        assert_int_equal(vmm_trace_writer_finish(writer), VMM_E_WRITE);
        assert_int_equal(vmm_trace_writer_finish(writer), VMM_E_WRITE);
        assert_non_null(strstr(vmm_trace_writer_error_text(writer), "No space left"));
        vmm_trace_writer_close(writer);
        close(file);
    }
}

/* A limit on the size of files is a disk that is full: the trace ends before, whole. */
static void a_full_disk_leaves_a_whole_trace(void **state) {
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 1000; limit < 200000; limit += 17000) {
        int file = open_memory();
        struct rlimit full = {limit, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
        VMMTraceWriter *writer = open_writer(file, "full");
        Rng rng = rng_seed(limit, "full disk");
        uint64_t written = 0;
        int code = VMM_OK;
        for (; code == VMM_OK && written < 300000; written++) {
            VMMRef ref = {.addr = rng_next(&rng), .size = 8, .pid = (uint32_t)(written / 500)};
            code = vmm_trace_write(writer, &ref, 1);
        }
        assert_int_equal(code, VMM_E_WRITE);
        assert_int_equal(vmm_trace_writer_finish(writer), VMM_E_WRITE);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        VMMTraceWriterInfo info = {.struct_size = sizeof info};
        vmm_trace_writer_info(writer, &info);
        assert_int_equal(info.bytes, lseek(file, 0, SEEK_END));
        vmm_trace_writer_close(writer);

        Bytes bytes = take_bytes(file);
        Result result = read_bytes(bytes.data, bytes.size, false, 0, 1000);
        assert_int_equal(result.open_code, VMM_OK);
        assert_int_equal(result.end, result.count > 0 ? 0 : VMM_E_EMPTY);
        assert_int_equal(result.lost_events, 1);
        assert_int_equal(result.count + result.lost, info.references);
        assert_true(result.count % 500 == 0);
        assert_true(bytes.size + 12000 > limit && bytes.size <= limit);
        free_result(&result);
        free(bytes.data);
    }
    signal(SIGXFSZ, handler);
}

/* ---- Damage --------------------------------------------------------------------------------- */

/* What was delivered is part of the whole, in order. */
static void assert_part_of(const Result *part, const Result *whole) {
    size_t at = 0;
    for (size_t i = 0; i < part->count; i++) {
        while (at < whole->count && memcmp(&part->refs[i], &whole->refs[at], sizeof(VMMRef)) != 0) {
            at++;
        }
        assert_true(at < whole->count);
        at++;
    }
}

static void assert_begins(const Result *part, const Result *whole) {
    assert_true(part->count <= whole->count);
    if (part->count > 0) {
        assert_memory_equal(part->refs, whole->refs, part->count * sizeof(VMMRef));
    }
}

static void cut_off_anywhere(void **state) {
    (void)state;
    Script script = small_script();
    for (int full = 0; full < 2; full++) {
        Bytes bytes = write_script(&script, full ? "full" : "runs", false);
        Result whole = read_bytes(bytes.data, bytes.size, false, 0, 100);
        assert_int_equal(whole.end, 0);
        for (size_t size = 0; size < bytes.size; size++) {
            Result strict = read_bytes(bytes.data, size, false, size % 2, 100);
            Result loose = read_bytes(bytes.data, size, true, 0, 100);
            assert_int_not_equal(strict.open_code == VMM_OK ? strict.end : strict.open_code, 0);
            assert_true(strlen(strict.error) > 20);
            assert_begins(&strict, &whole);
            assert_begins(&loose, &whole);
            assert_int_equal(loose.open_code, strict.open_code);
            assert_int_equal(loose.count, strict.count);
            if (loose.open_code == VMM_OK) {
                assert_int_equal(loose.end, loose.count > 0 ? 0 : VMM_E_EMPTY);
                assert_true(loose.info.damaged_bytes > 0);
                assert_int_equal(loose.info.bad_records, 1);
                assert_int_equal(strict.end, VMM_E_DAMAGED);
                assert_non_null(strstr(strict.error, "--skip-bad-records"));
            }
            free_result(&strict);
            free_result(&loose);
        }
        free_result(&whole);
        free(bytes.data);
    }
    free(script.steps);
}

/* Every bit of a file is flipped once: a block is lost at most, and all is accounted for. */
static void every_flipped_bit_costs_one_block(void **state) {
    (void)state;
    Script script = small_script();
    Bytes bytes = write_script(&script, "runs", false);
    Result whole = read_bytes(bytes.data, bytes.size, false, 0, 100);
    for (size_t bit = 0; bit < 8 * bytes.size; bit += 3) {
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        Result strict = read_bytes(bytes.data, bytes.size, false, 0, 100);
        Result loose = read_bytes(bytes.data, bytes.size, true, 0, 100);
        assert_int_not_equal(strict.open_code == VMM_OK ? strict.end : strict.open_code, 0);
        assert_begins(&strict, &whole);
        if (loose.open_code == VMM_OK) {
            assert_int_equal(loose.end, 0);
            assert_part_of(&loose, &whole);
            assert_true(loose.count + 16 >= whole.count);
            assert_int_equal(loose.count + loose.lost, whole.count);
            assert_true(loose.info.damaged_bytes > 0);
        }
        free_result(&strict);
        free_result(&loose);
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free_result(&whole);
    free(bytes.data);
    free(script.steps);
}

/* Flips, cuts, bytes that are missing, doubled or overwritten, several at a time. */
static size_t hurt(uint8_t *data, size_t size, Rng *rng) {
    for (uint64_t times = 1 + rng_below(rng, 4); times > 0 && size > 1; times--) {
        size_t at = (size_t)rng_below(rng, size);
        size_t length = (size_t)rng_below(rng, size - at < 200 ? size - at : 200);
        switch (rng_below(rng, 8)) {
        case 0:
            size = at;
            break;
        case 1:
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        case 2:
            memset(data + at, (int)rng_below(rng, 256), length);
            break;
        case 3:
            memcpy(data + at, data, length < at ? length : at);
            break;
        default:
            data[at] ^= (uint8_t)(1 << rng_below(rng, 8));
        }
    }
    return size;
}

static void ten_thousand_kinds_of_damage(void **state) {
    (void)state;
    Script script = small_script();
    for (int full = 0; full < 2; full++) {
        Bytes bytes = write_script(&script, full ? "full" : "runs", false);
        Result whole = read_bytes(bytes.data, bytes.size, false, 0, 100);
        uint8_t *copy = malloc(bytes.size);
        Rng rng = rng_seed((uint64_t)full, "damage");
        for (int i = 0; i < 5000; i++) {
            memcpy(copy, bytes.data, bytes.size);
            size_t size = hurt(copy, bytes.size, &rng);
            bool skip = i % 4 != 0;
            Result result = read_bytes(copy, size, skip, i % 16 == 1, full || i % 3 ? 100 : 0);
            assert_true(result.count <= whole.count);
            if (full || i % 3) {
                assert_part_of(&result, &whole);
            }
            if (result.open_code == VMM_OK && skip) {
                assert_int_equal(result.end, result.count > 0 ? 0 : VMM_E_EMPTY);
                assert_true(result.info.damaged_bytes > 0 || result.count == whole.count);
            }
            free_result(&result);
        }
        free(copy);
        free_result(&whole);
        free(bytes.data);
    }
    free(script.steps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_references),
        cmocka_unit_test(runs_of_all_lengths),
        cmocka_unit_test(crossings),
        cmocka_unit_test(large_touches_of_the_kernel),
        cmocka_unit_test(processes_threads_events_and_flushes),
        cmocka_unit_test(extremes),
        cmocka_unit_test(many_references),
        cmocka_unit_test(files_under_other_names),
        cmocka_unit_test(header_and_files),
        cmocka_unit_test(events_keep_every_field),
        cmocka_unit_test(empty_traces),
        cmocka_unit_test(pipes_are_read_and_kept),
        cmocka_unit_test(seek_goes_anywhere),
        cmocka_unit_test(seeking_tells_no_events_on_the_way),
        cmocka_unit_test(text_is_sought_by_reading_on),
        cmocka_unit_test(a_bad_reference_is_found_anywhere),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(a_full_disk_leaves_a_whole_trace),
        cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(every_flipped_bit_costs_one_block),
        cmocka_unit_test(ten_thousand_kinds_of_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
