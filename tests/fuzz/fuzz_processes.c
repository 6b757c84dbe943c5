/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bytes as the lives of a few processes in a tiny memory: map, unmap, protect, remap,
 * advise, fork, vfork, exec, exit, shared segments, files, reads and writes.
 *
 * Beside the machine lives a naive memory, in which fork copies everything at once. Each write
 * leaves a version of its own in the page, and each read has to find the naive memory's; versions
 * are kept with the object pages that the machine leads to. After each step all that is counted
 * twice has to agree (machine_is_valid() and its like), in any build.
 *
 *     byte 0..2   the configuration
 *     then        4 bytes a step: what and who, page, and two arguments
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/vmm/vmm.h"
#include "../../src/api/handle.h"
#include "../../src/engine/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LIFE_CONFIG_BYTES = 3,
    LIFE_STEP_BYTES = 4,
    LIFE_MAX_STEPS = 400,
    LIFE_PIDS = 8,
    LIFE_PAGES = 32,   /* of each address space */
    LIFE_INDICES = 64, /* places of a file or segment */
    LIFE_FILES = 2,    /* the first backings; segments are those behind them */
    LIFE_BACKINGS = 200,
    LIFE_OBJECTS = 1 << 16
};

#define LIFE_PAGE UINT64_C(4096)

typedef struct PlainPage {
    uint32_t backing; /* + 1; 0: anonymous, if it is mapped at all */
    uint32_t index;
    uint32_t mapping; /* which call made it; 0: nothing is mapped */
    uint32_t content; /* of a private page, if it has */
    uint8_t own;
    uint8_t shared;
} PlainPage;

typedef struct PlainSpace {
    PlainPage pages[LIFE_PAGES];
    int users;
} PlainSpace;

typedef struct Life {
    VMM *vmm;
    PlainSpace spaces[LIFE_PIDS];
    int space_of[LIFE_PIDS];
    uint32_t common[LIFE_BACKINGS][LIFE_INDICES];
    uint32_t backings, calls, versions;
    uint32_t ring;                     /* the backing of the segment "ring", + 1 */
    uint32_t version_of[LIFE_OBJECTS]; /* by object page */
} Life;

static void life_must(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

/* ---- The naive memory -------------------------------------------------------------------------
 */

static PlainSpace *plain_of(Life *life, uint32_t pid) {
    return &life->spaces[life->space_of[pid]];
}

static void plain_leave(Life *life, uint32_t pid) {
    plain_of(life, pid)->users--;
    int space = 0;
    while (life->spaces[space].users != 0) {
        space++; /* there are as many as processes */
    }
    life->spaces[space] = (PlainSpace){.users = 1};
    life->space_of[pid] = space;
}

static void plain_fork(Life *life, uint32_t parent, uint32_t child, int is_vfork) {
    plain_leave(life, child);
    if (is_vfork) {
        plain_of(life, child)->users--;
        life->space_of[child] = life->space_of[parent];
        plain_of(life, child)->users++;
        return;
    }
    memcpy(plain_of(life, child)->pages, plain_of(life, parent)->pages,
           sizeof plain_of(life, parent)->pages);
}

static uint32_t *plain_content(Life *life, PlainPage *page, int writes) {
    static uint32_t zeros;
    if (!page->own && page->mapping != 0 && page->backing != 0 && (page->shared || !writes)) {
        return &life->common[page->backing - 1][page->index];
    }
    if (writes || page->mapping == 0) { /* memory of which nothing was told is in use from now on */
        page->content = page->own ? page->content : 0;
        page->own = 1;
    }
    zeros = 0;
    return page->own ? &page->content : &zeros;
}

static void plain_map(Life *life, uint32_t pid, uint32_t first, uint32_t count, uint32_t backing,
                      uint32_t index, int shared) {
    life->calls++;
    for (uint32_t i = 0; i < count; i++) {
        plain_of(life, pid)->pages[first + i] =
            (PlainPage){backing, index + i, life->calls, 0, 0, (uint8_t)shared};
    }
}

/* A range that is one mapping: only of those it is defined what a remap does. */
static int plain_is_one(const PlainSpace *space, uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const PlainPage *page = &space->pages[first + i];
        if (page->mapping == 0 || page->mapping != space->pages[first].mapping ||
            page->index != space->pages[first].index + i) {
            return 0;
        }
    }
    return 1;
}

/* ---- Both -------------------------------------------------------------------------------------
 */

/* The object page that a process's page leads to. */
static uint32_t life_object(const Life *life, uint32_t pid, uint32_t page) {
    const Stream *stream = life->vmm->stream;
    uint32_t space = directory_find_space(&stream->directory, pid + 1);
    uint32_t id =
        directory_find(&stream->directory, resolver_within(&stream->resolver, space), page);
    const Machine *machine = &life->vmm->machine;
    uint32_t object = machine->objects != NULL ? machine->leads_to[id] : id;
    life_must(object != OBJECT_NO_PAGE && object < LIFE_OBJECTS, "a reference has its page");
    return object;
}

static uint64_t life_invalid(const VMM *vmm) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    return stats.faults[VMM_FAULT_invalid];
}

/* False: the machine stands still. */
static int life_refer(Life *life, uint32_t pid, uint32_t page, int writes) {
    VMMRef ref = {.addr = page * LIFE_PAGE,
                  .pid = pid + 1,
                  .size = 1,
                  .op = (uint8_t)(writes ? VMM_OP_WRITE : VMM_OP_READ)};
    uint64_t before = life_invalid(life->vmm);
    if (vmm_feed(life->vmm, &ref, 1) != VMM_OK) {
        return 0;
    }
    if (life_invalid(life->vmm) != before) {
        return 1;
    }
    uint32_t *plain = plain_content(life, &plain_of(life, pid)->pages[page], writes);
    uint32_t *found = &life->version_of[life_object(life, pid, page)];
    if (writes) {
        *plain = *found = ++life->versions;
    }
    life_must(*plain == *found, "a read sees what was written");
    return 1;
}

static int life_map(Life *life, uint32_t pid, uint32_t first, uint32_t count, const uint8_t *step) {
    static const char *const files[LIFE_FILES] = {"one", "two"};
    uint32_t prot = step[2] & 1 ? VMM_PROT_READ : VMM_PROT_READ | VMM_PROT_WRITE;
    int shared = (step[2] >> 1) & 1;
    uint32_t index = (step[2] >> 4) * 2u;
    uint32_t which = (step[2] >> 2) & 3; /* a file, or none */
    uint32_t backing = which < LIFE_FILES ? which + 1 : 0;
    if (backing == 0 && shared) {
        if (life->backings == LIFE_BACKINGS) {
            return 1;
        }
        backing = ++life->backings;
    }
    plain_map(life, pid, first, count, backing, which < LIFE_FILES ? index : 0, shared);
    return vmm_map(life->vmm, pid + 1, first * LIFE_PAGE, count * LIFE_PAGE, prot,
                   shared ? VMM_MAP_SHARED : 0, which < LIFE_FILES ? files[which] : NULL,
                   which < LIFE_FILES ? index * LIFE_PAGE : 0) == VMM_OK;
}

/* What is refused changes nothing. */
static int life_goes_on(int code) {
    return code == VMM_OK || code == VMM_E_USAGE;
}

static int life_remap(Life *life, uint32_t pid, uint32_t first, uint32_t count, uint32_t target) {
    PlainSpace *space = plain_of(life, pid);
    uint32_t apart = target > first ? target - first : first - target;
    if (!plain_is_one(space, first, count) || apart < count || target + count > LIFE_PAGES) {
        return 1;
    }
    int code = vmm_remap(life->vmm, pid + 1, first * LIFE_PAGE, count * LIFE_PAGE,
                         target * LIFE_PAGE, count * LIFE_PAGE);
    if (code == VMM_OK) {
        memcpy(&space->pages[target], &space->pages[first], count * sizeof space->pages[0]);
        memset(&space->pages[first], 0, count * sizeof space->pages[0]);
    }
    return life_goes_on(code);
}

/* A segment with a name, made anew where nobody has it. */
static int life_attach(Life *life, uint32_t pid, uint32_t first) {
    if (vmm_create_shared(life->vmm, "ring", 3 * LIFE_PAGE) == VMM_OK) {
        if (life->backings == LIFE_BACKINGS) {
            return 0;
        }
        life->ring = ++life->backings;
    }
    if (first + 3 > LIFE_PAGES) {
        return 1;
    }
    plain_map(life, pid, first, 3, life->ring, 0, 1);
    return vmm_attach_shared(life->vmm, pid + 1, "ring", first * LIFE_PAGE,
                             VMM_PROT_READ | VMM_PROT_WRITE) == VMM_OK;
}

static int life_take(Life *life, uint32_t pid, uint32_t first, uint32_t count, int content_only) {
    PlainPage *pages = &plain_of(life, pid)->pages[first];
    uint64_t start = first * LIFE_PAGE;
    uint64_t length = count * LIFE_PAGE;
    int code = content_only ? vmm_advise(life->vmm, pid + 1, start, length, VMM_ADVICE_DONTNEED)
                            : vmm_unmap(life->vmm, pid + 1, start, length);
    for (uint32_t i = 0; i < count && code == VMM_OK; i++) {
        if (content_only) {
            pages[i].own = 0;
        } else {
            pages[i] = (PlainPage){0};
        }
    }
    return life_goes_on(code);
}

static int life_fork(Life *life, uint32_t pid, uint32_t child, int is_vfork) {
    if (child == pid) {
        return 1;
    }
    plain_fork(life, pid, child, is_vfork);
    return (is_vfork ? vmm_vfork : vmm_fork)(life->vmm, pid + 1, child + 1) == VMM_OK;
}

static int life_leave(Life *life, uint32_t pid, int executes) {
    plain_leave(life, pid);
    return (executes ? vmm_exec : vmm_exit)(life->vmm, pid + 1) == VMM_OK;
}

/* One step; false: the machine stands still. */
static int life_step(Life *life, const uint8_t *step) {
    uint32_t pid = step[0] >> 5;
    uint32_t first = step[1] % LIFE_PAGES;
    uint32_t count = 1 + step[3] % 8;
    count = count < LIFE_PAGES - first ? count : LIFE_PAGES - first;
    if (!resolver_has_process(&life->vmm->stream->resolver, pid + 1)) { /* its first breath */
        return vmm_add_process(life->vmm, pid + 1) == VMM_OK && life_refer(life, pid, first, 1);
    }
    switch (step[0] & 31) {
    case 0:
    case 1:
        return life_map(life, pid, first, count, step);
    case 2:
        return life_take(life, pid, first, count, 0);
    case 3:
        return life_goes_on(
            vmm_protect(life->vmm, pid + 1, first * LIFE_PAGE, count * LIFE_PAGE, step[2] & 3));
    case 4:
        return life_remap(life, pid, first, count, step[2] % LIFE_PAGES);
    case 5:
        return life_take(life, pid, first, count, 1);
    case 6:
        return life_goes_on(
            vmm_advise(life->vmm, pid + 1, first * LIFE_PAGE, count * LIFE_PAGE, VMM_ADVICE_FREE));
    case 7:
    case 8:
        return life_fork(life, pid, step[2] % LIFE_PIDS, 0);
    case 9:
        return life_fork(life, pid, step[2] % LIFE_PIDS, 1);
    case 10:
    case 11:
        return life_leave(life, pid, step[0] & 1);
    case 12:
        return life_attach(life, pid, first);
    default:
        return life_refer(life, pid, first, step[0] & 1);
    }
}

/* Versions of pages that went are forgotten; what is counted twice agrees. */
static void life_look(Life *life) {
    const Resolver *resolver = &life->vmm->stream->resolver;
    const Machine *machine = &life->vmm->machine;
    for (uint32_t page = 1; resolver->on && page < resolver->objects.count; page++) {
        if (resolver->objects.owners[page] == 0) {
            life->version_of[page] = 0;
        }
    }
    life_must(machine_is_valid(machine), "the machine is valid");
    if (resolver->on) {
        life_must(resolver_is_valid(resolver), "the resolver is valid");
        life_must(machine->objects == NULL || machine_agrees_with(machine, resolver),
                  "both go by the same pages");
    }
}

static void life_set(VMMConfig *config, const char *name, const char *value) {
    life_must(vmm_config_set(config, name, value, NULL) == VMM_OK, name);
}

static void life_configure(VMMConfig *config, const uint8_t *bytes) {
    char text[32];
    size_t policies = 0;
    while (vmm_policy_at(policies) != NULL) {
        policies++;
    }
    vmm_config_init_default(config);
    life_set(config, "policy", vmm_policy_at(bytes[0] % policies)->name);
    snprintf(text, sizeof text, "%u", 1 + (bytes[1] & 7));
    life_set(config, "frames", text);
    life_set(config, "page-size", "4K");
    life_set(config, "scope", bytes[1] & 8 ? "process" : "global");
    life_set(config, "initial", bytes[1] & 16 ? "store" : "zero");
    life_set(config, "swap", bytes[1] & 32 ? "64K" : "4M");
    life_set(config, "engine", bytes[1] & 64 ? "generic" : "fast");
    life_set(config, "tlb-size", bytes[1] & 128 ? "2" : "64");
    life_set(config, "mappings", bytes[2] & 1 ? "complete" : "partial");
    life_set(config, "zero-page", bytes[2] & 2 ? "on" : "off");
    life_set(config, "fault-around", bytes[2] & 4 ? "16K" : "off");
    life_set(config, "swap-write", bytes[2] & 8 ? "background" : "stall");
    life_set(config, "tlb-switch", bytes[2] & 16 ? "flush" : "tagged");
    life_set(config, "accessed-bit", bytes[2] & 32 ? "tlb-fill" : "every-reference");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Life life;
    if (size < LIFE_CONFIG_BYTES) {
        return 0;
    }
    VMMConfig config;
    life_configure(&config, data);
    memset(&life, 0, sizeof life);
    life.vmm = vmm_create(&config);
    if (life.vmm == NULL) {
        return 0; /* a policy that needs the future, ... */
    }
    life.backings = LIFE_FILES;
    for (int pid = 0; pid < LIFE_PIDS; pid++) {
        life.space_of[pid] = pid;
        life.spaces[pid].users = 1;
    }
    const VMMRef first = {.addr = 0, .pid = 1, .size = 1, .op = VMM_OP_READ};
    int lives = vmm_feed(life.vmm, &first, 1) == VMM_OK;
    if (lives) {
        plain_content(&life, &life.spaces[0].pages[0], 0);
    }
    const uint8_t *end = data + size;
    size_t steps = 0;
    for (data += LIFE_CONFIG_BYTES;
         lives && end - data >= LIFE_STEP_BYTES && steps < LIFE_MAX_STEPS;
         data += LIFE_STEP_BYTES, steps++) {
        lives = life_step(&life, data);
        if (lives) {
            life_look(&life);
        }
    }
    vmm_destroy(life.vmm);
    return 0;
}
