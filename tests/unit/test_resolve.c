/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver by itself, without machines: which object pages references lead to, what events
 * leave to be done, whose space is whose, and what happens where memory runs out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/mm/resolve.h"
#include "account.h"
#include "common.h"

#define PAGE UINT64_C(4096)
#define RW (VMM_PROT_READ | VMM_PROT_WRITE)

typedef struct World {
    Account account;
    Memory memory;
    Directory directory;
    Resolver resolver;
    Error error;
    int status; /* of the first call that failed */
} World;

/* False: out of memory. */
static bool world_begin(World *world, const char *options, size_t fail_at) {
    VMMConfig config = test_configure(options);
    *world = (World){.account.fail_at = fail_at};
    world->memory = account_memory(&world->account);
    world->status = directory_init(&world->directory, &world->memory, 36, &world->error);
    resolver_init(&world->resolver, &world->memory, &world->directory, settings_of(&config));
    return world->status == VMM_OK;
}

static void world_end(World *world) {
    resolver_free(&world->resolver);
    directory_free(&world->directory);
    account_is_settled(&world->account);
}

static void note(World *world, int status) {
    world->status = world->status == VMM_OK ? status : world->status;
    assert_true(world->status == VMM_OK || world->status == VMM_E_NO_MEMORY);
}

static void apply(World *world, VMMEvent event) {
    if (world->status == VMM_OK) {
        event.struct_size = sizeof event;
        note(world, resolver_apply(&world->resolver, &event, false, &world->error));
        assert_true(world->status != VMM_OK || resolver_is_valid(&world->resolver));
    }
}

static void map(World *world, uint32_t pid, uint64_t page, uint64_t pages, uint32_t prot,
                uint32_t flags, uint32_t file) {
    apply(world, (VMMEvent){.type = VMM_EVENT_MAP,
                            .pid = pid,
                            .start = page * PAGE,
                            .length = pages * PAGE,
                            .prot = prot,
                            .flags = flags,
                            .file = file});
}

static void on_range(World *world, uint32_t type, uint32_t pid, uint64_t page, uint64_t pages) {
    apply(world, (VMMEvent){.type = type,
                            .pid = pid,
                            .start = page * PAGE,
                            .length = pages * PAGE,
                            .prot = VMM_PROT_READ});
}

static void of_process(World *world, uint32_t type, uint32_t pid, uint32_t child, uint32_t flags) {
    apply(world, (VMMEvent){.type = type, .pid = pid, .value = child, .flags = flags});
}

/* The translation of a process's page, made if need be. */
static uint32_t translation(World *world, uint32_t pid, uint64_t page) {
    if (world->status != VMM_OK) {
        return DIRECTORY_NO_PAGE;
    }
    uint32_t space = directory_space(&world->directory, pid, &world->error);
    note(world, space == DIRECTORY_NO_SPACE ? world->error.code : VMM_OK);
    note(world, directory_reserve(&world->directory, 1, &world->error));
    if (world->status != VMM_OK) {
        return DIRECTORY_NO_PAGE;
    }
    space = resolver_within(&world->resolver, space);
    uint32_t id =
        directory_intern(&world->directory, directory_key(&world->directory, space, page));
    note(world, resolver_reserve(&world->resolver, &world->error));
    return id;
}

static Resolved refer(World *world, uint32_t pid, uint64_t page, bool write) {
    uint32_t id = translation(world, pid, page);
    if (world->status != VMM_OK) {
        return (Resolved){.how = RESOLVED_FORBIDDEN};
    }
    if (!world->resolver.on || resolver_is_plain(&world->resolver, id, write)) {
        return (Resolved){.object = world->resolver.on ? world->resolver.object_of[id] : id};
    }
    Resolved resolved = resolver_reference(&world->resolver, id, write);
    note(world, world->resolver.failed ? VMM_E_NO_MEMORY : VMM_OK);
    assert_true(world->status != VMM_OK || resolver_is_valid(&world->resolver));
    return resolved;
}

/* Operations of one type that the last event left. */
static uint32_t left(const World *world, ResolveOpType type) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->resolver.op_count; i++) {
        count += world->resolver.ops[i].type == type;
    }
    return count;
}

static uint32_t owners(const World *world, uint32_t object) {
    return world->resolver.objects.owners[object];
}

/* ---- What references and events do ------------------------------------------------------------
 */

static void pages_so_far_become_objects(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K", 0);
    uint32_t one = translation(&world, 1, 16);
    uint32_t two = translation(&world, 2, 16);
    assert_false(world.resolver.on);
    on_range(&world, VMM_EVENT_MARK, 1, 16, 1);
    assert_false(world.resolver.on); /* changes nothing */
    of_process(&world, VMM_EVENT_EXIT, 99, 0, 0);
    assert_false(world.resolver.on); /* there is nothing to take */
    on_range(&world, VMM_EVENT_UNMAP, 1, 16, 1);
    assert_true(world.resolver.on);
    assert_int_equal(left(&world, RESOLVE_UNMAP), 1);
    assert_int_equal(left(&world, RESOLVE_DROP), 1);
    assert_int_equal(world.resolver.object_of[two], two);
    assert_int_equal(world.resolver.object_of[one], OBJECT_NO_PAGE);
    assert_int_equal(refer(&world, 1, 16, false).object, one); /* its number was free */
    world_end(&world);
}

static void writes_after_a_fork_copy_or_take_over(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K mappings=complete", 0);
    map(&world, 1, 16, 4, RW, 0, 0);
    uint32_t page = refer(&world, 1, 16, true).object;
    of_process(&world, VMM_EVENT_FORK, 1, 2, 0);
    assert_int_equal(left(&world, RESOLVE_PROTECT), 1);
    assert_int_equal(left(&world, RESOLVE_COPY), 1);
    assert_int_equal(owners(&world, page), 2);
    assert_int_equal(refer(&world, 2, 16, false).object, page);
    Resolved copy = refer(&world, 2, 16, true);
    assert_int_equal(copy.how, RESOLVED_COPY);
    assert_int_equal(copy.source, page);
    assert_int_not_equal(copy.object, page);
    Resolved reuse = refer(&world, 1, 16, true);
    assert_int_equal(reuse.how, RESOLVED_REUSE);
    assert_int_equal(reuse.object, page);
    assert_int_equal(refer(&world, 1, 16, true).how, RESOLVED_PLAINLY);
    of_process(&world, VMM_EVENT_FORK, 2, 3, 0); /* of a child, which then goes first */
    of_process(&world, VMM_EVENT_EXIT, 2, 0, 0);
    assert_int_equal(left(&world, RESOLVE_UNMAP), 1);
    assert_int_equal(left(&world, RESOLVE_DROP), 0);
    assert_int_equal(left(&world, RESOLVE_END), 1);
    assert_int_equal(refer(&world, 3, 16, true).how, RESOLVED_REUSE);
    of_process(&world, VMM_EVENT_EXIT, 3, 0, 0);
    assert_int_equal(left(&world, RESOLVE_DROP), 1);
    world_end(&world);
}

static void spaces_count_who_runs_in_them(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K mappings=complete", 0);
    map(&world, 1, 16, 1, RW, 0, 0);
    uint32_t page = refer(&world, 1, 16, true).object;
    of_process(&world, VMM_EVENT_FORK, 1, 2, VMM_FORK_VFORK);
    of_process(&world, VMM_EVENT_FORK, 2, 3, VMM_FORK_VFORK);
    assert_int_equal(refer(&world, 3, 16, true).object, page);
    of_process(&world, VMM_EVENT_EXEC, 2, 0, 0);
    assert_int_equal(world.resolver.op_count, 0);
    assert_int_equal(refer(&world, 2, 16, false).how, RESOLVED_FORBIDDEN);
    of_process(&world, VMM_EVENT_EXIT, 1, 0, 0); /* its space goes on with process 3 */
    assert_int_equal(world.resolver.op_count, 0);
    assert_int_equal(refer(&world, 1, 16, false).how, RESOLVED_FORBIDDEN);
    assert_int_equal(refer(&world, 3, 16, true).object, page);
    of_process(&world, VMM_EVENT_EXIT, 3, 0, 0);
    assert_int_equal(left(&world, RESOLVE_DROP), 1);
    assert_int_equal(left(&world, RESOLVE_END), 2);
    for (uint32_t space = 0; space < 3; space++) {
        assert_int_equal(world.resolver.spaces[space].within, space); /* their own again */
    }
    world_end(&world);
}

static void memory_is_what_its_mapping_says(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K mappings=complete zero-page=on stack-limit=1", 0);
    assert_int_equal(refer(&world, 1, 5, false).how, RESOLVED_PLAINLY); /* nothing was told yet */
    map(&world, 1, 16, 2, RW, 0, 0);
    map(&world, 1, 32, 4, RW, VMM_MAP_SHARED, 7);
    map(&world, 2, 64, 4, RW, 0, 7);
    map(&world, 2, 1000, 1, RW, VMM_MAP_GROWSDOWN, 0);
    uint32_t zeros = refer(&world, 1, 16, false).object;
    assert_int_equal(world.resolver.objects.kind[zeros], OBJECT_ZEROS);
    assert_int_equal(refer(&world, 1, 17, false).object, zeros);
    assert_int_equal(refer(&world, 1, 17, true).how, RESOLVED_COPY);
    uint32_t file = refer(&world, 1, 33, true).object;
    assert_int_equal(world.resolver.objects.kind[file], OBJECT_FILE);
    assert_int_equal(refer(&world, 2, 65, false).object, file);
    assert_int_equal(refer(&world, 2, 65, true).source, file);
    assert_int_equal(refer(&world, 1, 33, false).object, file);
    assert_int_equal(refer(&world, 2, 1000 - 255, true).how, RESOLVED_PLAINLY);
    assert_int_equal(refer(&world, 2, 1000 - 256, true).how, RESOLVED_FORBIDDEN);
    on_range(&world, VMM_EVENT_PROTECT, 1, 32, 4);
    assert_int_equal(left(&world, RESOLVE_PROTECT), 1);
    assert_int_equal(refer(&world, 1, 33, true).how, RESOLVED_FORBIDDEN);
    on_range(&world, VMM_EVENT_UNMAP, 1, 0, 100);
    assert_int_equal(left(&world, RESOLVE_DROP), 2); /* the copy of zeros, and the first page */
    assert_int_equal(owners(&world, file), 1);       /* the page cache */
    world_end(&world);
}

static void what_moves_keeps_its_pages(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K mappings=complete", 0);
    map(&world, 1, 16, 2, RW, VMM_MAP_SHARED, 0);
    uint32_t page = refer(&world, 1, 17, true).object;
    VMMEvent remap = {.type = VMM_EVENT_REMAP,
                      .pid = 1,
                      .start = 16 * PAGE,
                      .length = 2 * PAGE,
                      .target = 64 * PAGE,
                      .value = 3 * PAGE};
    apply(&world, remap);
    assert_int_equal(left(&world, RESOLVE_COPY), 1);
    assert_int_equal(left(&world, RESOLVE_UNMAP), 1);
    assert_int_equal(left(&world, RESOLVE_DROP), 0);
    assert_int_equal(refer(&world, 1, 65, false).object, page);
    assert_int_equal(refer(&world, 1, 66, false).how, RESOLVED_PLAINLY);
    assert_int_equal(refer(&world, 1, 17, false).how, RESOLVED_FORBIDDEN);
    remap.start = 64 * PAGE;
    remap.target = UINT64_MAX - PAGE + 1;
    apply(&world, remap); /* beyond the end of all addresses: refused */
    assert_int_equal(world.resolver.op_count, 0);
    remap.target = 65 * PAGE;
    apply(&world, remap); /* onto itself: refused */
    assert_int_equal(world.resolver.op_count, 0);
    of_process(&world, VMM_EVENT_EXIT, 1, 0, 0);
    assert_int_equal(left(&world, RESOLVE_DROP), 2); /* the segment and all it has */
    world_end(&world);
}

/* mremap(2) of 0 bytes: the pages are at both places, and stay while one of them is mapped. */
static void what_is_shared_is_mapped_a_second_time(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K mappings=complete", 0);
    map(&world, 1, 16, 2, RW, VMM_MAP_SHARED, 0);
    map(&world, 1, 32, 2, RW, 0, 0);
    uint32_t page = refer(&world, 1, 17, true).object;
    refer(&world, 1, 33, true);
    VMMEvent remap = {.type = VMM_EVENT_REMAP,
                      .pid = 1,
                      .start = 17 * PAGE,
                      .target = 64 * PAGE,
                      .value = 2 * PAGE};
    apply(&world, remap);
    assert_int_equal(world.resolver.op_count, 0);
    assert_int_equal(refer(&world, 1, 64, true).object, page);
    assert_int_equal(refer(&world, 1, 17, true).object, page);
    on_range(&world, VMM_EVENT_UNMAP, 1, 16, 2);
    assert_int_equal(left(&world, RESOLVE_DROP), 0);
    assert_int_equal(refer(&world, 1, 64, true).object, page);
    remap.start = 64 * PAGE;
    remap.target = 63 * PAGE;
    apply(&world, remap); /* onto itself: refused */
    assert_int_equal(refer(&world, 1, 63, false).how, RESOLVED_FORBIDDEN);
    remap.start = 33 * PAGE;
    remap.target = 80 * PAGE;
    apply(&world, remap); /* private memory: refused */
    assert_int_equal(refer(&world, 1, 80, false).how, RESOLVED_FORBIDDEN);
    on_range(&world, VMM_EVENT_UNMAP, 1, 64, 2);
    assert_int_equal(left(&world, RESOLVE_DROP), 1);
    world_end(&world);
}

/* Where something has an end, it is an error that says so, and nothing wraps. */
static void a_mapping_beyond_all_files_is_refused(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K", 0);
    VMMEvent event = {.struct_size = sizeof event,
                      .type = VMM_EVENT_MAP,
                      .pid = 1,
                      .start = PAGE,
                      .length = 2 * PAGE,
                      .file = UINT32_MAX,
                      .offset = UINT64_MAX - PAGE};
    assert_int_equal(resolver_apply(&world.resolver, &event, false, &world.error), VMM_E_LIMIT);
    assert_non_null(strstr(world.error.text, "process 1 maps 8192 bytes at offset "));
    event.offset = UINT64_MAX - 2 * PAGE + 1 - PAGE;
    apply(&world, event);
    uint32_t first = refer(&world, 1, 1, false).object;
    uint32_t second = refer(&world, 1, 2, false).object;
    assert_int_not_equal(first, second);
    assert_int_equal(world.resolver.objects.index[second], (UINT64_MAX >> 12) - 1);
    world_end(&world);
}

/* Only what lies in the mapping, in one table of 512 entries and in the aligned window. */
static void windows_have_borders(void **state) {
    (void)state;
    World world;
    world_begin(&world, "page-size=4K fault-around=64K", 0);
    map(&world, 1, 500, 100, VMM_PROT_READ, 0, 3);
    map(&world, 1, 700, 100, RW, 0, 0);
    uint32_t page = translation(&world, 1, 501);
    ResolveWindow window = resolver_window(&world.resolver, page);
    assert_int_equal(window.first, 500);
    assert_int_equal(window.count, 12); /* up to entry 512 */
    refer(&world, 1, 501, false);
    assert_int_not_equal(directory_find(&world.directory, 0, 511), DIRECTORY_NO_PAGE);
    assert_int_equal(directory_find(&world.directory, 0, 512), DIRECTORY_NO_PAGE);
    window = resolver_window(&world.resolver, translation(&world, 1, 515));
    assert_int_equal(window.first, 512);
    assert_int_equal(window.count, 16);
    assert_int_equal(window.index, 12);
    window = resolver_window(&world.resolver, translation(&world, 1, 701));
    assert_int_equal(window.count, 0); /* no file */
    world_end(&world);
}

/* ---- Without memory ---------------------------------------------------------------------------
 */

/* A life in which everything grows. */
static void live(World *world) {
    for (uint64_t i = 0; i < 40; i++) {
        refer(world, 1, 3 * i, true);
    }
    map(world, 1, 0, 8, RW, 0, 0);
    for (uint32_t i = 1; i < 12; i++) {
        map(world, i, 100 * i, 40, RW, i % 2 == 0 ? VMM_MAP_SHARED : 0, i % 3 * 100000);
        refer(world, i, 100 * i + 5, false);
        refer(world, i, 100 * i + 5, true);
        of_process(world, VMM_EVENT_FORK, i, i + 1, i % 4 == 3 ? VMM_FORK_VFORK : 0);
        refer(world, i + 1, 100 * i + 5, true);
        on_range(world, VMM_EVENT_PROTECT, i, 100 * i + 10, 5);
        on_range(world, VMM_EVENT_UNMAP, i, 100 * i + 12, 1);
    }
    apply(world, (VMMEvent){.type = VMM_EVENT_REMAP,
                            .pid = 1,
                            .start = 100 * PAGE,
                            .length = 10 * PAGE,
                            .target = 5000 * PAGE,
                            .value = 10 * PAGE});
    for (uint32_t i = 1; i < 9; i++) {
        of_process(world, i % 2 == 0 ? VMM_EVENT_EXIT : VMM_EVENT_EXEC, i, 0, 0);
    }
}

/* Whichever allocation fails, the call says so, nothing is resolved any more, nothing leaks. */
static void lack_of_memory_is_told(void **state) {
    (void)state;
    size_t k = 0;
    for (bool lived = false; !lived;) {
        World world;
        if (world_begin(&world, "page-size=4K zero-page=on fault-around=64K", ++k)) {
            live(&world);
        }
        lived = world.status == VMM_OK;
        assert_int_equal(lived, world.account.calls < k);
        world_end(&world);
    }
    assert_true(k > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_so_far_become_objects),
        cmocka_unit_test(writes_after_a_fork_copy_or_take_over),
        cmocka_unit_test(spaces_count_who_runs_in_them),
        cmocka_unit_test(memory_is_what_its_mapping_says),
        cmocka_unit_test(what_moves_keeps_its_pages),
        cmocka_unit_test(what_is_shared_is_mapped_a_second_time),
        cmocka_unit_test(a_mapping_beyond_all_files_is_refused),
        cmocka_unit_test(windows_have_borders),
        cmocka_unit_test(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
