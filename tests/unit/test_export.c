/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/trace/write_*.c: the formats of other programs, byte by byte; what they lose is counted, and
 * what they cannot hold is refused.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../include/vmm/trace_write.h"
#include "../../src/base/compiler.h"
#include "../../src/base/rng.h"
#include "common.h"

enum { FILE_BYTES = 1 << 16 };

/* A writer on an unnamed file, and what the file holds in the end. */
typedef struct Export {
    VMMTraceWriter *writer;
    int fd;
    unsigned char bytes[FILE_BYTES];
    size_t size;
} Export;

static void start(Export *export, const char *format, uint64_t page_size) {
    char path[TEST_PATH_BYTES];
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceWriterOptions options = {
        .struct_size = sizeof options, .format = format, .page_size = page_size};
    test_path_template(path, "export");
    export->fd = mkstemp(path);
    assert_true(export->fd >= 0);
    unlink(path);
    if (vmm_trace_writer_open(export->fd, &options, &export->writer, error) != VMM_OK) {
        fail_msg("%s", error);
    }
}

static void put(Export *export, VMMOp op, uint64_t addr, uint32_t size) {
    VMMRef ref = {.addr = addr, .op = (uint8_t)op, .size = size, .pid = 7};
    assert_int_equal(vmm_trace_write(export->writer, &ref, 1), VMM_OK);
}

static void end(Export *export) {
    assert_int_equal(vmm_trace_writer_finish(export->writer), VMM_OK);
    ssize_t size = pread(export->fd, export->bytes, sizeof export->bytes - 1, 0);
    assert_true(size >= 0);
    export->size = (size_t)size;
    export->bytes[size] = '\0';
}

static void stop(Export *export) {
    vmm_trace_writer_close(export->writer);
    close(export->fd);
}

static uint64_t number(const Export *export, size_t at, unsigned bytes) {
    uint64_t value = 0;
    assert_true(at + bytes <= export->size);
    for (unsigned i = bytes; i-- > 0;) {
        value = value << 8 | export->bytes[at + i];
    }
    return value;
}

static bool loses(Export *export, const char *sentence) {
    const char *text;
    for (size_t i = 0; (text = vmm_trace_writer_loss_text(export->writer, i)) != NULL; i++) {
        if (strcmp(text, sentence) == 0) {
            return true;
        }
    }
    return false;
}

static VMMTraceWriterInfo info_of(const Export *export) {
    VMMTraceWriterInfo info = {.struct_size = sizeof info};
    vmm_trace_writer_info(export->writer, &info);
    return info;
}

static void refuses(const char *format, VMMRef second, const char *why) {
    Export export;
    start(&export, format, 0);
    put(&export, VMM_OP_READ, 0x1000, 1);
    assert_int_equal(vmm_trace_write(export.writer, &second, 1), VMM_E_UNSUPPORTED);
    assert_non_null(strstr(vmm_trace_writer_error_text(export.writer), why));
    stop(&export);
}

/* ---- native --------------------------------------------------------------------------------- */

static void native_keeps_all_of_a_reference(void **state) {
    (void)state;
    Export export;
    start(&export, "native", 0);
    put(&export, VMM_OP_READ, 0x1000, 8);
    VMMRef refs[2] = {{.addr = UINT64_MAX, .op = VMM_OP_FETCH, .pid = UINT32_MAX, .tid = 1},
                      {.op = VMM_OP_WRITE, .size = 3, .pid = 7, .flags = VMM_REF_KERNEL}};
    assert_int_equal(vmm_trace_write(export.writer, refs, 2), VMM_OK);
    end(&export);
    assert_string_equal((char *)export.bytes,
                        "7 R 0x1000 8\n4294967295/1 I 0xffffffffffffffff 1\n7 KW 0x0 3\n");
    assert_int_equal(info_of(&export).references, 3);
    assert_int_equal(info_of(&export).kernel_references, 1);
    assert_null(vmm_trace_writer_loss_text(export.writer, 0));
    stop(&export);
}

static void event(Export *export, VMMEvent event) {
    event.struct_size = sizeof event;
    assert_int_equal(vmm_trace_write_event(export->writer, &event), VMM_OK);
}

static void native_has_a_line_for_each_event(void **state) {
    (void)state;
    Export export;
    start(&export, "native", 0);
    VMMTraceFile file = {.inode = 5, .path = "/a \"b\"\n"};
    assert_int_equal(vmm_trace_write_file(export.writer, &file), 1);
    assert_int_equal(vmm_trace_write_file(export.writer, &file), 1);
    event(&export, (VMMEvent){.type = VMM_EVENT_START, .pid = 7, .value = 1});
    event(&export, (VMMEvent){.type = VMM_EVENT_MAP,
                              .pid = 7,
                              .tid = 2,
                              .start = 0x4000,
                              .length = 0x2000,
                              .prot = VMM_PROT_READ | VMM_PROT_EXEC,
                              .file = 1,
                              .offset = 0x1000,
                              .flags = VMM_MAP_AT_START});
    event(&export, (VMMEvent){.type = VMM_EVENT_MAP,
                              .pid = 7,
                              .start = 0x8000,
                              .length = 0x1000,
                              .prot = VMM_PROT_READ | VMM_PROT_WRITE,
                              .flags = VMM_MAP_SHARED | VMM_MAP_ANONYMOUS});
    event(&export, (VMMEvent){.type = VMM_EVENT_REMAP,
                              .pid = 7,
                              .start = 0x8000,
                              .length = 0x1000,
                              .target = 0xa000,
                              .value = 0x2000});
    put(&export, VMM_OP_READ, 1, 1);
    event(&export,
          (VMMEvent){.type = VMM_EVENT_FORK, .pid = 7, .value = 8, .flags = VMM_FORK_VFORK});
    event(&export, (VMMEvent){.type = VMM_EVENT_EXEC, .pid = 8, .file = 1});
    event(&export, (VMMEvent){.type = VMM_EVENT_EXIT, .pid = 8, .value = 3 << 8});
    event(&export, (VMMEvent){.type = VMM_EVENT_EXIT, .pid = 7, .value = 9});
    end(&export);
    assert_string_equal((char *)export.bytes,
                        "@ start 7 parent=1\n"
                        "@ map 7/2 start=0x4000 length=0x2000 offset=0x1000 prot=r-x "
                        "flags=at-start device=0 inode=5 path=\"/a \\x22b\\x22\\x0a\"\n"
                        "@ map 7 start=0x8000 length=0x1000 prot=rw- flags=shared,anonymous\n"
                        "@ remap 7 new_length=8192 start=0x8000 length=0x1000 target=0xa000\n"
                        "7 R 0x1 1\n"
                        "@ fork 7 child=8 flags=vfork\n"
                        "@ exec 8 device=0 inode=5 path=\"/a \\x22b\\x22\\x0a\"\n"
                        "@ exit 8 status=768\n"
                        "@ exit 7 status=9\n");
    assert_int_equal(info_of(&export).events, 8);
    assert_int_equal(info_of(&export).dropped_events, 0);
    stop(&export);
}

/* What was read back: events and references in one row, in their order. */
typedef struct Heard {
    const VMMTrace *trace;
    VMMEvent events[500];
    char paths[500][40];
    size_t places[500]; /* references before the event */
    size_t count, references;
} Heard;

static void hear(void *user, const VMMEvent *event) {
    Heard *heard = user;
    assert_true(heard->count < 500);
    const VMMTraceFile *file = vmm_trace_file(heard->trace, event->file);
    snprintf(heard->paths[heard->count], sizeof heard->paths[0], "%s",
             file != NULL ? file->path : "");
    heard->places[heard->count] = heard->references;
    heard->events[heard->count++] = *event;
}

static VMMEvent any_event(Rng *rng) {
    VMMEvent event = {.struct_size = sizeof event, .type = 1 + (uint32_t)rng_below(rng, 17)};
    uint64_t *const wide[] = {&event.start,  &event.length, &event.target,
                              &event.offset, &event.value,  &event.time_ns};
    uint32_t *const narrow[] = {&event.pid, &event.tid, &event.prot, &event.flags};
    for (size_t i = 0; i < VMM_COUNT_OF(wide); i++) {
        *wide[i] = rng_below(rng, 3) == 0 ? 0 : rng_next(rng) >> rng_below(rng, 64);
    }
    for (size_t i = 0; i < VMM_COUNT_OF(narrow); i++) {
        *narrow[i] = (uint32_t)(rng_next(rng) >> (32 + rng_below(rng, 32)));
    }
    event.file = (uint32_t)rng_below(rng, 3);
    return event;
}

/* Reads what was written, `room` references a call, and compares with what was meant. */
static void assert_heard(const Export *export, const Heard *meant, size_t room) {
    static Heard heard;
    char path[TEST_PATH_BYTES];
    VMMTraceInfo info = {.struct_size = sizeof info};
    VMMTrace *trace = NULL;
    VMMRef refs[8];
    long count;
    memset(&heard, 0, sizeof heard);
    snprintf(path, sizeof path, "/proc/self/fd/%d", export->fd);
    assert_int_equal(vmm_trace_open(path, NULL, &trace, NULL), VMM_OK);
    vmm_trace_info(trace, &info);
    assert_string_equal(info.format, "native");
    heard.trace = trace;
    vmm_trace_on_event(trace, hear, &heard);
    while ((count = vmm_trace_read(trace, refs, room)) > 0) {
        heard.references += (size_t)count;
    }
    assert_int_equal(count, 0);
    assert_int_equal(heard.count, meant->count);
    assert_int_equal(heard.references, meant->references);
    for (size_t i = 0; i < meant->count; i++) {
        assert_memory_equal(&heard.events[i], &meant->events[i], sizeof(VMMEvent));
        assert_string_equal(heard.paths[i], meant->paths[i]);
        assert_int_equal(heard.places[i], meant->places[i]);
    }
    vmm_trace_info(trace, &info);
    assert_int_equal(info.events, meant->count);
    vmm_trace_close(trace);
}

static void native_events_come_back(void **state) {
    (void)state;
    static Heard meant;
    static const char *const paths[] = {"", "/a \\ \"b\"\n\xff", "/c"};
    static Export export;
    Rng rng = rng_seed(3, "events");
    start(&export, "native", 0);
    for (uint32_t i = 1; i < 3; i++) {
        VMMTraceFile file = {.device = i, .inode = 77, .path = paths[i]};
        assert_int_equal(vmm_trace_write_file(export.writer, &file), i);
    }
    meant.events[0] =
        (VMMEvent){.struct_size = sizeof(VMMEvent), .type = VMM_EVENT_EXEC, .file = 1};
    while (meant.count < 300) { /* files are numbered as they are met: 1 comes first */
        VMMEvent *next = &meant.events[meant.count];
        *next = meant.count == 0 ? *next : any_event(&rng);
        event(&export, *next);
        meant.places[meant.count] = meant.references;
        snprintf(meant.paths[meant.count++], sizeof meant.paths[0], "%s", paths[next->file]);
        for (uint64_t some = rng_below(&rng, 4); some > 0; some--, meant.references++) {
            put(&export, (VMMOp)rng_below(&rng, 3), rng_next(&rng), 1);
        }
    }
    end(&export);
    for (size_t room = 1; room < 9; room++) {
        assert_heard(&export, &meant, room);
    }
    stop(&export);
}

/* Of an event that no line holds nothing is written, and it is counted. */
static void native_drops_what_is_too_long(void **state) {
    (void)state;
    static char path[2000];
    Export export;
    start(&export, "native", 0);
    memset(path, '"', sizeof path - 1);
    VMMTraceFile file = {.path = path};
    event(&export, (VMMEvent){.type = VMM_EVENT_EXEC,
                              .pid = 7,
                              .file = vmm_trace_write_file(export.writer, &file)});
    put(&export, VMM_OP_READ, 1, 1);
    end(&export);
    assert_string_equal((char *)export.bytes, "7 R 0x1 1\n");
    assert_int_equal(info_of(&export).dropped_events, 1);
    stop(&export);
}

/* ---- din ------------------------------------------------------------------------------------ */

static void din_is_label_and_address(void **state) {
    (void)state;
    Export export;
    start(&export, "din", 0);
    put(&export, VMM_OP_READ, 0x1000, 1);
    put(&export, VMM_OP_WRITE, 0xfff, 8);
    put(&export, VMM_OP_FETCH, UINT64_MAX, 4);
    put(&export, VMM_OP_READ, 0, 0);
    VMMRef touch = {.addr = 5, .size = 1, .pid = 7, .flags = VMM_REF_KERNEL};
    assert_int_equal(vmm_trace_write(export.writer, &touch, 1), VMM_OK);
    VMMRef thread = {.addr = 16, .size = 1, .pid = 7, .tid = 2};
    assert_int_equal(vmm_trace_write(export.writer, &thread, 1), VMM_OK);
    VMMEvent event = {.struct_size = sizeof event, .type = VMM_EVENT_MARK};
    assert_int_equal(vmm_trace_write_event(export.writer, &event), VMM_OK);
    end(&export);
    assert_string_equal((char *)export.bytes, "0 1000\n1 fff\n2 ffffffffffffffff\n0 0\n0 10\n");
    VMMTraceWriterInfo info = info_of(&export);
    assert_int_equal(info.references, 5);
    assert_int_equal(info.dropped_references, 1);
    assert_int_equal(info.dropped_events, 1);
    assert_true(loses(&export, "sizes: 2 references are longer than a byte"));
    assert_true(loses(&export, "second pages: 1 references reach into another page"));
    assert_true(loses(&export, "threads: they change 1 times"));
    assert_null(vmm_trace_writer_loss_text(export.writer, 3));
    stop(&export);
}

static void formats_without_processes_refuse_a_second_one(void **state) {
    (void)state;
    VMMRef other = {.addr = 0x2000, .size = 1, .pid = 8};
    refuses("din", other, "the format din cannot hold a reference of process 8");
    refuses("pages", other, "it has no processes");
    refuses("champsim", other, "it has no processes");
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void pages_are_numbers(void **state) {
    (void)state;
    Export export;
    start(&export, "pages", 8192);
    put(&export, VMM_OP_READ, 0x1000, 1);
    put(&export, VMM_OP_WRITE, 0x3ffc, 8);
    put(&export, VMM_OP_FETCH, UINT64_MAX, 8);
    VMMRef touch = {.addr = 0x8000, .size = 16384, .pid = 7, .flags = VMM_REF_KERNEL};
    assert_int_equal(vmm_trace_write(export.writer, &touch, 1), VMM_OK);
    end(&export);
    assert_string_equal((char *)export.bytes, "0\n1\n2\n2251799813685247\n4\n5\n");
    assert_true(loses(&export, "kinds: 2 references are writes or fetches and pass for reads"));
    assert_true(loses(&export, "the kernel: 1 of its touches pass for the program's own"));
    assert_int_equal(info_of(&export).dropped_references, 0);
    stop(&export);
}

/* ---- ChampSim ------------------------------------------------------------------------------- */

static void expect_champsim(const Export *export, size_t record, uint64_t ip,
                            const uint64_t stores[2], const uint64_t loads[4]) {
    size_t at = record * 64;
    assert_int_equal(number(export, at, 8), ip);
    assert_int_equal(number(export, at + 8, 8), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(number(export, at + 16 + 8 * i, 8), stores[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(number(export, at + 32 + 8 * i, 8), loads[i]);
    }
}

static void champsim_is_a_record_an_instruction(void **state) {
    (void)state;
    Export export;
    start(&export, "champsim", 0);
    put(&export, VMM_OP_READ, 0x99, 1); /* in front of the first fetch */
    put(&export, VMM_OP_FETCH, 0x400000, 1);
    put(&export, VMM_OP_READ, 0x1000, 1);
    put(&export, VMM_OP_READ, 0x2000, 1);
    put(&export, VMM_OP_WRITE, 0x3000, 1);
    put(&export, VMM_OP_READ, 0x4000, 1); /* behind a store: a record more */
    put(&export, VMM_OP_READ, 0, 1);      /* cannot be held */
    put(&export, VMM_OP_FETCH, 0x400004, 1);
    put(&export, VMM_OP_FETCH, 0x400008, 1);
    for (uint64_t i = 1; i <= 5; i++) {
        put(&export, VMM_OP_READ, i, 1); /* one too many */
    }
    for (uint64_t i = 11; i <= 13; i++) {
        put(&export, VMM_OP_WRITE, i, 1); /* one too many */
    }
    end(&export);
    assert_int_equal(export.size, 7 * 64);
    expect_champsim(&export, 0, 0, (uint64_t[2]){0}, (uint64_t[4]){0x99});
    expect_champsim(&export, 1, 0x400000, (uint64_t[2]){0x3000}, (uint64_t[4]){0x1000, 0x2000});
    expect_champsim(&export, 2, 0x400000, (uint64_t[2]){0}, (uint64_t[4]){0x4000});
    expect_champsim(&export, 3, 0x400004, (uint64_t[2]){0}, (uint64_t[4]){0});
    expect_champsim(&export, 4, 0x400008, (uint64_t[2]){0}, (uint64_t[4]){1, 2, 3, 4});
    expect_champsim(&export, 5, 0x400008, (uint64_t[2]){11, 12}, (uint64_t[4]){5});
    expect_champsim(&export, 6, 0x400008, (uint64_t[2]){13}, (uint64_t[4]){0});
    VMMTraceWriterInfo info = info_of(&export);
    assert_int_equal(info.references, 16);
    assert_int_equal(info.dropped_references, 1);
    assert_true(loses(&export, "instructions: 3 are repeated for the references that follow them"));
    stop(&export);
}

/* ---- oracleGeneral -------------------------------------------------------------------------- */

static void expect_oracle(const Export *export, size_t record, uint64_t object, int64_t next) {
    size_t at = record * 24;
    assert_int_equal(number(export, at, 4), 0);
    assert_int_equal(number(export, at + 4, 8), object);
    assert_int_equal(number(export, at + 12, 4), 4096);
    assert_int_equal((int64_t)number(export, at + 16, 8), next);
}

static void oracle_general_knows_the_next_reference(void **state) {
    (void)state;
    Export export;
    start(&export, "oracleGeneral", 4096);
    put(&export, VMM_OP_READ, 0x1000, 1);
    put(&export, VMM_OP_READ, 0x2000, 1);
    put(&export, VMM_OP_WRITE, 0x1ffc, 8); /* two pages */
    put(&export, VMM_OP_READ, 0x1000, 1);
    end(&export);
    assert_int_equal(export.size, 5 * 24);
    expect_oracle(&export, 0, 1, 3);
    expect_oracle(&export, 1, 2, 4);
    expect_oracle(&export, 2, 1, 5);
    expect_oracle(&export, 3, 2, -1);
    expect_oracle(&export, 4, 1, -1);
    stop(&export);
}

static void oracle_general_tells_processes_apart(void **state) {
    (void)state;
    Export export;
    start(&export, "oracle_general", 4096);
    VMMRef refs[3] = {{.addr = 0x1000, .size = 1, .pid = 7},
                      {.addr = 0x1000, .size = 1, .pid = 4000000},
                      {.addr = 0x1000, .size = 1, .pid = 7}};
    assert_int_equal(vmm_trace_write(export.writer, refs, 3), VMM_OK);
    end(&export);
    expect_oracle(&export, 0, UINT64_C(7) << 42 | 1, 3);
    expect_oracle(&export, 1, UINT64_C(4000000) << 42 | 1, -1);
    expect_oracle(&export, 2, UINT64_C(7) << 42 | 1, -1);
    stop(&export);
    start(&export, "oracleGeneral", 4096);
    refs[1].pid = 1u << 22;
    assert_int_equal(vmm_trace_write(export.writer, refs, 3), VMM_OK);
    assert_int_equal(vmm_trace_writer_finish(export.writer), VMM_E_UNSUPPORTED);
    assert_non_null(strstr(vmm_trace_writer_error_text(export.writer), "of process 4194304"));
    stop(&export);
}

/* More requests than a block of the spill file has. */
static void oracle_general_turns_blocks(void **state) {
    (void)state;
    enum { REQUESTS = 200000, PAGES = 70000 };
    Export export;
    start(&export, "oracleGeneral", 4096);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        put(&export, VMM_OP_READ, i % PAGES << 12, 1);
    }
    assert_int_equal(vmm_trace_writer_finish(export.writer), VMM_OK);
    for (uint64_t i = 0; i < REQUESTS; i += 777) {
        assert_int_equal(pread(export.fd, export.bytes, 24, (off_t)(i * 24)), 24);
        export.size = 24;
        expect_oracle(&export, 0, i % PAGES, i + PAGES < REQUESTS ? (int64_t)(i + PAGES + 1) : -1);
    }
    stop(&export);
}

static void oracle_general_needs_a_page_size_it_can_hold(void **state) {
    (void)state;
    VMMTraceWriter *writer;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceWriterOptions options = {
        .struct_size = sizeof options, .format = "oracleGeneral", .page_size = 256};
    assert_int_equal(vmm_trace_writer_open(1, &options, &writer, error), VMM_E_UNSUPPORTED);
    assert_non_null(strstr(error, "pages of 256 bytes"));
    options.page_size = UINT64_C(1) << 32;
    assert_int_equal(vmm_trace_writer_open(1, &options, &writer, error), VMM_E_UNSUPPORTED);
    assert_null(writer);
}

/* ---- All ------------------------------------------------------------------------------------ */

static void a_full_disk_is_an_error(void **state) {
    (void)state;
    const char *name;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) {
        skip();
    }
    for (size_t i = 0; (name = vmm_trace_writer_format_name(i)) != NULL; i++) {
        VMMTraceWriterOptions options = {.struct_size = sizeof options, .format = name};
        VMMTraceWriter *writer = NULL;
        VMMRef ref = {.addr = 0x1000, .size = 1};
        int code = vmm_trace_writer_open(full, &options, &writer, NULL);
        if (code == VMM_OK) {
            (void)vmm_trace_write(writer, &ref, 1);
            code = vmm_trace_writer_finish(writer);
            assert_non_null(strstr(vmm_trace_writer_error_text(writer), "cannot write"));
        }
        assert_int_equal(code, VMM_E_WRITE);
        vmm_trace_writer_close(writer);
    }
    close(full);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_keeps_all_of_a_reference),
        cmocka_unit_test(native_has_a_line_for_each_event),
        cmocka_unit_test(native_events_come_back),
        cmocka_unit_test(native_drops_what_is_too_long),
        cmocka_unit_test(din_is_label_and_address),
        cmocka_unit_test(formats_without_processes_refuse_a_second_one),
        cmocka_unit_test(pages_are_numbers),
        cmocka_unit_test(champsim_is_a_record_an_instruction),
        cmocka_unit_test(oracle_general_knows_the_next_reference),
        cmocka_unit_test(oracle_general_tells_processes_apart),
        cmocka_unit_test(oracle_general_turns_blocks),
        cmocka_unit_test(oracle_general_needs_a_page_size_it_can_hold),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
