/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies alone: pages are numbered beforehand, and what is timed is a loop that finds each page
 * in an array, calls the policy's hooks, and nothing else; no TLB, no page tables, no counters.
 * The loop is compiled once for each policy, as the engine's is, so hooks are inlined.
 *
 *     policies TRACE POLICY FRAMES [REPEAT]
 *
 * Prints "references", "pages", "misses", "load_seconds" (reading and numbering, processor time)
 * and "seconds", the least of REPEAT (default 1) runs of the loop, one a line.
 */
#define _GNU_SOURCE

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../include/vmm/vmm.h"

/* The library keeps these to itself; two names of the first file are its public ones. */
#define vmm_error_name policies_error_name
#define vmm_error_message policies_error_message
#include "../src/base/error.c"
#undef vmm_error_name
#undef vmm_error_message
#include "../src/base/memory.c"
#include "../src/base/number.c"
#include "../src/engine/plugin_build.c"
#include "../src/engine/plugin_load.c"
#include "../src/engine/policies.c"
#include "../src/mm/policy/policies.def"
#include "../src/mm/policy/policy.c"

/* clang-format off */
#define VMM_EACH_LIST VMM_POLICIES
#define VMM_EACH_PATH(name) ../mm/policy/name.c
/* clang-format on */
#include "../src/base/include_each.h"

typedef struct Pages {
    uint32_t *ids;  /* by reference, from 1 */
    uint64_t *next; /* by reference: place of the next one to the page; NULL: not asked for */
    size_t count;
    uint32_t pages;
} Pages;

typedef struct Drive {
    Policy *policy;
    const Pages *pages;
    uint32_t *frame_of; /* by page */
    uint32_t *page;     /* by frame */
    uint8_t *dirty;
    uint32_t *free;
    uint32_t free_count, unused, frames;
    uint64_t misses;
} Drive;

static void stop(const char *what, const char *why) {
    fprintf(stderr, "policies: %s: %s\n", what, why);
    exit(1);
}

static void *must(void *block) {
    if (block == NULL) {
        stop("memory", "there is not enough");
    }
    return block;
}

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Reading and numbering --------------------------------------------------------------------
 */

typedef struct Numbers {
    uint64_t *keys; /* VPN + 1 by place, 0: free */
    uint32_t *ids;
    size_t mask;
    uint32_t count;
} Numbers;

static void numbers_grow(Numbers *numbers) {
    Numbers old = *numbers;
    size_t places = (old.mask + 1) * 2;
    numbers->mask = places - 1;
    numbers->keys = must(calloc(places, sizeof *numbers->keys));
    numbers->ids = must(calloc(places, sizeof *numbers->ids));
    for (size_t i = 0; i <= old.mask; i++) {
        if (old.keys[i] != 0) {
            size_t place = (old.keys[i] * UINT64_C(0x9E3779B97F4A7C15) >> 20) & numbers->mask;
            while (numbers->keys[place] != 0) {
                place = (place + 1) & numbers->mask;
            }
            numbers->keys[place] = old.keys[i];
            numbers->ids[place] = old.ids[i];
        }
    }
    free(old.keys);
    free(old.ids);
}

static uint32_t number_of(Numbers *numbers, uint64_t vpn) {
    size_t place = ((vpn + 1) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & numbers->mask;
    while (numbers->keys[place] != 0 && numbers->keys[place] != vpn + 1) {
        place = (place + 1) & numbers->mask;
    }
    if (numbers->keys[place] == 0) {
        numbers->keys[place] = vpn + 1;
        numbers->ids[place] = ++numbers->count;
        if (numbers->count > numbers->mask / 2) {
            numbers_grow(numbers);
            return numbers->count;
        }
    }
    return numbers->ids[place];
}

static void load(const char *path, Pages *pages) {
    char text[VMM_ERROR_TEXT_BYTES];
    VMMTraceOptions options = {.struct_size = sizeof options};
    VMMTrace *trace;
    static VMMRef refs[1 << 16];
    Numbers numbers = {.mask = 1023};
    numbers.keys = must(calloc(1024, sizeof *numbers.keys));
    numbers.ids = must(calloc(1024, sizeof *numbers.ids));
    size_t capacity = 0;
    if (vmm_trace_open(path, &options, &trace, text) != VMM_OK) {
        stop(path, text);
    }
    long got;
    while ((got = vmm_trace_read(trace, refs, VMM_COUNT_OF(refs))) > 0) {
        if (pages->count + (size_t)got > capacity) {
            capacity = 2 * capacity + (size_t)got;
            pages->ids = must(realloc(pages->ids, capacity * sizeof *pages->ids));
        }
        for (long i = 0; i < got; i++) {
            pages->ids[pages->count++] = number_of(&numbers, refs[i].addr >> 12);
        }
    }
    if (got < 0) {
        stop(path, vmm_trace_error_text(trace));
    }
    vmm_trace_close(trace);
    pages->pages = numbers.count;
    free(numbers.keys);
    free(numbers.ids);
}

static void look_ahead(Pages *pages) {
    uint64_t *last = must(calloc((size_t)pages->pages + 1, sizeof *last));
    pages->next = must(calloc(pages->count + 1, sizeof *pages->next));
    for (size_t i = pages->count; i-- > 0;) {
        uint32_t id = pages->ids[i];
        pages->next[i] = last[id] == 0 ? POLICY_NEVER : last[id];
        last[id] = i;
    }
    free(last);
}

/* ---- The loop ---------------------------------------------------------------------------------
 */

static void drive_reserve(Drive *drive, const PolicyType *type) {
    if (type->reserve != NULL && !type->reserve(drive->policy, drive->frames)) {
        stop(type->info.name, "out of memory");
    }
}

VMM_ALWAYS_INLINE void drive_leave(Drive *drive, const PolicyType *type, uint32_t frame) {
    if (type->remove != NULL) {
        type->remove(drive->policy, frame);
    }
    drive->frame_of[drive->page[frame]] = POLICY_NO_FRAME;
}

static void drive_serve(Drive *drive, const PolicyType *type) {
    Policy *policy = drive->policy;
    for (uint32_t i = 0; i < policy->parting.count; i++) {
        uint32_t frame = policy->parting.frames[i];
        drive_leave(drive, type, frame);
        drive->free[drive->free_count++] = frame;
    }
    policy->parting.count = 0;
    policy->writing.count = 0; /* nothing is dirty here */
}

VMM_ALWAYS_INLINE void drive_miss(Drive *drive, const PolicyType *type, uint32_t page) {
    Policy *policy = drive->policy;
    drive->misses++;
    policy->incoming = page;
    if (type->miss != NULL) {
        type->miss(policy, page);
    }
    uint32_t frame;
    if (drive->free_count > 0) {
        frame = drive->free[--drive->free_count];
    } else if (drive->unused < drive->frames) {
        frame = drive->unused++;
    } else {
        frame = type->victim(policy);
        drive_leave(drive, type, frame);
    }
    drive->page[frame] = page;
    drive->frame_of[page] = frame;
    if (type->insert != NULL) {
        type->insert(policy, frame);
    }
}

VMM_ALWAYS_INLINE void drive_loop(Drive *drive, const PolicyType *type) {
    enum { AHEAD = 16 };
    Policy *policy = drive->policy;
    const uint32_t *ids = drive->pages->ids;
    const uint64_t *next = drive->pages->next;
    size_t count = drive->pages->count;
    for (size_t i = 0; i < count; i++) {
        uint32_t page = ids[i];
        VMM_PREFETCH(&drive->frame_of[ids[i + AHEAD < count ? i + AHEAD : i]]);
        if (type->uses_clock) {
            policy->clock++;
        }
        if (type->info.needs == VMM_NEEDS_FUTURE) {
            policy->now = i;
            policy->next_use = next[i];
        }
        uint32_t frame = drive->frame_of[page];
        if (frame == POLICY_NO_FRAME) {
            drive_miss(drive, type, page);
        } else if (type->touch != NULL) {
            type->touch(policy, frame);
        }
        if (policy_has_asked(policy)) {
            drive_serve(drive, type);
        }
        if (type->tick != NULL && policy->period != 0 && (i + 1) % policy->period == 0) {
            type->tick(policy);
            drive_serve(drive, type);
        }
    }
}

typedef void DriveLoop(Drive *drive);

#define X(name)                                           \
    static VMM_NOINLINE void drive_##name(Drive *drive) { \
        drive_loop(drive, &name##_policy);                \
    }
VMM_POLICIES(X)
#undef X

static const struct {
    const PolicyType *type;
    DriveLoop *loop;
} drive_policies[] = {
#define X(name) {&name##_policy, drive_##name},
    VMM_POLICIES(X)
#undef X
};

/* The registry of this program, for policy_parse(). */
const PolicyType *policy_at(size_t index) {
    return index < VMM_COUNT_OF(drive_policies) ? drive_policies[index].type : NULL;
}

static DriveLoop *loop_of(const PolicyType *type) {
    size_t i = 0;
    while (drive_policies[i].type != type) {
        i++;
    }
    return drive_policies[i].loop;
}

/* One run of the loop with a fresh policy; returns its processor time. */
static double drive_once(const PolicySpec *spec, const Pages *pages, uint32_t frames,
                         uint64_t *misses) {
    const PolicyType *type = spec->type;
    uint64_t time = 0;
    frames = type->info.variable_space ? pages->pages + 1 : frames;
    Drive drive = {.pages = pages, .frames = frames};
    drive.frame_of = must(malloc(((size_t)pages->pages + 1) * sizeof *drive.frame_of));
    memset(drive.frame_of, 0xff, ((size_t)pages->pages + 1) * sizeof *drive.frame_of);
    drive.page = must(calloc(frames, sizeof *drive.page));
    drive.dirty = must(calloc(frames, 1));
    drive.free = must(calloc(frames, sizeof *drive.free));
    void *page_state = must(calloc((size_t)pages->pages + 1, type->page_state_size + 1));
    Policy base = {.memory = &memory_default,
                   .capacity = type->info.variable_space ? UINT32_MAX - 1 : frames,
                   .page_of = drive.page,
                   .dirty = drive.dirty,
                   .page_state = page_state,
                   .time_of = &time,
                   .seed = 42};
    Error error = {0};
    if (policy_create(spec, &base, &drive.policy, &error) != VMM_OK) {
        stop(type->info.name, error.text);
    }
    drive_reserve(&drive, type);
    double begin = processor_seconds();
    loop_of(type)(&drive);
    double seconds = processor_seconds() - begin;
    *misses = drive.misses;
    policy_destroy(drive.policy);
    free(page_state);
    free(drive.free);
    free(drive.dirty);
    free(drive.page);
    free(drive.frame_of);
    return seconds;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        stop("usage", "policies TRACE POLICY FRAMES [REPEAT]");
    }
    PolicySpec spec;
    Error error = {0};
    if (policy_parse(argv[2], &spec, &error) != VMM_OK) {
        stop(argv[2], error.text);
    }
    Pages pages = {0};
    double begin = processor_seconds();
    load(argv[1], &pages);
    double load_seconds = processor_seconds() - begin;
    if (spec.type->info.needs == VMM_NEEDS_FUTURE) {
        look_ahead(&pages);
    }
    uint64_t misses = 0;
    double least = 0;
    for (int i = 0, repeat = argc > 4 ? atoi(argv[4]) : 1; i < repeat; i++) {
        double seconds = drive_once(&spec, &pages, (uint32_t)strtoul(argv[3], NULL, 10), &misses);
        least = i == 0 || seconds < least ? seconds : least;
    }
    printf("references %zu\npages %" PRIu32 "\nmisses %" PRIu64 "\nload_seconds %.6f\n"
           "seconds %.6f\n",
           pages.count, pages.pages, misses, load_seconds, least);
    free(pages.ids);
    free(pages.next);
    return 0;
}
