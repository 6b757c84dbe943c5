/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm policy check: does a policy keep the contract of <vmm/policy.h>?
 *
 *     mine.c ──► compiled as usual ─────► whole machines: both engines, and without the loop
 *           └──► compiled with a meter ─► the rig: rules, memory, replay, work
 *
 * Each check runs in a child, which the policy may crash or hang. What the child finds it leaves in
 * shared memory; a signal that a wrong access brings is told with the hook that ran. A policy that
 * has no source is checked without the meter: then processor time is the limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy_cmd.h"

enum { CHECK_SECONDS = 30, CHECK_STEPS = 3000, CHECK_MESSAGES = 65536 };

typedef struct CheckFlags {
    const char *compiler;
    bool quiet, help;
} CheckFlags;

/* What is checked: where its compiled forms are, and what is known of it. */
typedef struct Check {
    CheckFlags flags;
    const char *text;        /* as given: "./mine.c:window=3" */
    const char *params;      /* ":window=3", or "" */
    char *source;            /* NULL: it comes compiled */
    char *folder;            /* of what is compiled */
    char *rigged;            /* the text of what the rig is given, */
    char *whole, *plain;     /* and machines */
    CheckReport *report;     /* shared with the children */
    VMMPolicyHandle *handle; /* in a child */
    int errors;              /* a file with what the child wrote to standard error */
    uint64_t sum;            /* of the decisions that the first check saw */
    char last[600];          /* the last fault that was told */
    uint32_t run, failed;
} Check;

/* The child's rig, and where to tell of a signal: a handler has no other way to know. */
static Rig *policycheck_rig;
static CheckReport *policycheck_report;

/* ---- In the child --------------------------------------------------------------------------- */

static const char *policycheck_place(const void *address) {
    const Rig *rig = policycheck_rig;
    if ((uintptr_t)address < 65536) {
        return "through a null pointer";
    }
    if (rig == NULL) {
        return "outside its memory";
    }
    const char *page_of = rig->page_of.read_map;
    const char *dirty = rig->dirty.read_map;
    const char *at = address;
    if (page_of != NULL && at >= page_of && at < page_of + rig->page_of.map_size + 8192) {
        return "page_of, outside of it or writing";
    }
    if (dirty != NULL && at >= dirty && at < dirty + rig->dirty.map_size + 8192) {
        return "dirty, outside of it or writing";
    }
    return guard_holds(&rig->guard, address) ? "memory before, behind or after the life of a block"
                                             : "memory that is not its own";
}

static void policycheck_on_signal(int number, siginfo_t *info, void *context) {
    CheckReport *report = policycheck_report;
    const char *hook = report->hook != NULL ? report->hook : "the engine with the policy";
    (void)context;
    if (!report->failed) {
        report->failed = true;
        if (number == SIGVTALRM) {
            report->endless = true;
            snprintf(report->text, sizeof report->text,
                     "%s does not come to an end (%d s of processor time)", hook, CHECK_SECONDS);
        } else if (number == SIGSEGV || number == SIGBUS) {
            snprintf(report->text, sizeof report->text, "%s touches %s (address %p)", hook,
                     policycheck_place(info->si_addr), info->si_addr);
        } else {
            snprintf(report->text, sizeof report->text, "%s ends the program: %s", hook,
                     strsignal(number));
        }
    }
    _exit(CLI_FAILURE);
}

static void policycheck_at_limit(void) {
    CheckReport *report = policycheck_report;
    report->failed = true;
    snprintf(report->text, sizeof report->text,
             "%s does not come to an end (more than 67 million steps in one call)",
             report->hook != NULL ? report->hook : "a hook");
    _exit(CLI_FAILURE);
}

static void policycheck_catch(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGVTALRM};
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
    struct itimerval limit = {.it_value.tv_sec = CHECK_SECONDS};
    action.sa_sigaction = policycheck_on_signal;
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &action, NULL);
    }
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

static void policycheck_fault(Check *check, const char *format, const char *text) {
    check->report->failed = true;
    snprintf(check->report->text, sizeof check->report->text, format, text);
}

/* ---- References ----------------------------------------------------------------------------- */

typedef struct CheckRandom {
    uint64_t state;
} CheckRandom;

static uint32_t policycheck_below(CheckRandom *random, uint32_t bound) {
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random->state >> 33) % bound);
}

typedef enum CheckKind {
    CHECK_RANDOM,
    CHECK_SKEWED,
    CHECK_LOOP,
    CHECK_YOUNG,
    CHECK_DIRTY,
    CHECK_ONE,
    CHECK_MIXED,
    CHECK_KINDS
} CheckKind;

static const char *const policycheck_kind_names[] = {
    "random pages",    "skewed pages", "a loop larger than memory", "all pages young",
    "all pages dirty", "one page",     "everything, with discards",
};

static RigStep policycheck_step(CheckKind kind, uint32_t i, uint32_t capacity,
                                CheckRandom *random) {
    uint32_t pages = 2 * capacity + 2;
    RigStep step = {.page = 1 + policycheck_below(random, pages), .count = 1};
    step.write = policycheck_below(random, 3) == 0;
    switch (kind) {
    case CHECK_SKEWED:
        step.page = 1 + policycheck_below(random, 1 + policycheck_below(random, pages));
        break;
    case CHECK_LOOP:
        step.page = 1 + i % (capacity + 1);
        break;
    case CHECK_YOUNG: /* twice through memory, then one new page */
        step.page = i % (2 * capacity + 1) == 2 * capacity
                        ? capacity + 1 + i / (2 * capacity + 1) % pages
                        : 1 + i % capacity;
        break;
    case CHECK_DIRTY:
        step.write = 1;
        break;
    case CHECK_ONE:
        step.page = 1;
        break;
    case CHECK_MIXED:
        step.count = policycheck_below(random, 4) == 0 ? 1 + policycheck_below(random, 40) : 1;
        step.space = (uint8_t)(i / 50 % RIG_SPACES); /* a page is of one process */
        step.page = (step.page - 1) / RIG_SPACES * RIG_SPACES + step.space + 1;
        step.discard = policycheck_below(random, 25) == 0;
        break;
    default:
        break;
    }
    return step;
}

static RigStep *policycheck_steps(CheckKind kind, uint32_t capacity, uint32_t count) {
    RigStep *steps = cli_alloc(count, sizeof *steps);
    CheckRandom random = {.state = 1 + (uint64_t)kind * 1000 + capacity};
    for (uint32_t i = 0; i < count; i++) {
        steps[i] = policycheck_step(kind, i, capacity, &random);
    }
    return steps;
}

/* By step: when its page comes again, if it does and does not end before. */
static RigFuture *policycheck_outlook(const RigStep *steps, uint32_t count) {
    uint32_t pages = 0;
    for (uint32_t i = 0; i < count; i++) {
        pages = steps[i].page > pages ? steps[i].page : pages;
    }
    RigFuture *futures = cli_alloc(count, sizeof *futures);
    RigFuture *known = cli_alloc(pages + 1, sizeof *known); /* counted from the end */
    uint32_t place = 0;
    uint32_t times[RIG_SPACES] = {0};
    for (uint32_t i = count; i-- > 0;) {
        const RigStep *step = &steps[i];
        RigFuture *page = &known[step->page];
        if (step->discard) {
            *page = (RigFuture){0};
            continue;
        }
        place++;
        if (page->next != 0) {
            futures[i].next = place - page->next;
            futures[i].distance = times[step->space] - page->distance + 1;
        }
        times[step->space] += step->count;
        *page = (RigFuture){place, times[step->space]};
    }
    free(known);
    return futures;
}

/* ---- Runs of the rig ------------------------------------------------------------------------ */

/* One way to run the rig over references. */
typedef struct CheckRun {
    uint32_t capacity;
    bool before, by_one, waits;
    bool ends; /* without discarding all and filling memory once more */
    unsigned char junk;
    uint64_t fail_at;
    uint64_t steps; /* of the policy, that it made */
    uint64_t calls; /* allocations */
} CheckRun;

static Rig policycheck_make_rig(const Check *check, const CheckRun *how) {
    Rig rig = {.type = vmm_policy_type(check->handle),
               .params = vmm_policy_values(check->handle),
               .meter = vmm_policy_meter(check->handle),
               .report = check->report,
               .by_one = how->by_one,
               .waits = how->waits};
    if (rig.meter != NULL) {
        rig.meter->at_limit = policycheck_at_limit;
        rig.meter->steps = 0;
    }
    return rig;
}

static bool policycheck_run(Check *check, CheckRun *how, const RigStep *steps, uint32_t count) {
    static const RigFuture none = {0};
    Rig rig = policycheck_make_rig(check, how);
    RigFuture *futures = policycheck_outlook(steps, count);
    policycheck_rig = &rig;
    check->report->digest = 1;
    if (rig_begin(&rig, how->capacity, how->before, how->junk, how->fail_at) == VMM_OK) {
        for (uint32_t i = 0; i < count && rig_step(&rig, &steps[i], &futures[i]); i++) {}
        how->steps = rig.work;
        if (!how->ends && !rig.stopped && rig_empty(&rig)) { /* and it can be filled once more */
            for (uint32_t i = 0; i < count / 4 && rig_step(&rig, &steps[i], &none); i++) {}
        }
    }
    how->calls = rig.guard.calls;
    bool right = rig_end(&rig);
    policycheck_rig = NULL;
    free(futures);
    return right;
}

/* Adds what was decided in a run to the sum of a series. */
static void policycheck_add(CheckReport *report) {
    report->sum = (report->sum ^ report->digest) * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

static const uint32_t policycheck_sizes[] = {1, 2, 3, 7, 64};

/* Runs `body` for each memory size and kind of references until it says false. */
static bool policycheck_each(Check *check,
                             bool (*body)(Check *, uint32_t, const RigStep *, uint32_t)) {
    for (size_t s = 0; s < sizeof policycheck_sizes / sizeof policycheck_sizes[0]; s++) {
        for (int kind = 0; kind < CHECK_KINDS; kind++) {
            uint32_t capacity = policycheck_sizes[s];
            RigStep *steps = policycheck_steps((CheckKind)kind, capacity, CHECK_STEPS);
            snprintf(check->report->where, sizeof check->report->where, "with %u frame%s, %s",
                     capacity, capacity == 1 ? "" : "s", policycheck_kind_names[kind]);
            bool right = body(check, capacity, steps, CHECK_STEPS);
            free(steps);
            if (!right) {
                return false;
            }
        }
    }
    return true;
}

static bool policycheck_plainly(Check *check, uint32_t capacity, const RigStep *steps,
                                uint32_t count) {
    CheckRun how = {.capacity = capacity, .junk = 0xA5};
    bool right = policycheck_run(check, &how, steps, count);
    policycheck_add(check->report);
    return right;
}

static void policycheck_rules(Check *check) {
    policycheck_each(check, policycheck_plainly);
}

static bool policycheck_before(Check *check, uint32_t capacity, const RigStep *steps,
                               uint32_t count) {
    CheckRun how = {.capacity = capacity, .junk = 0x5A, .before = true};
    return policycheck_run(check, &how, steps, count);
}

static void policycheck_memory(Check *check) {
    policycheck_each(check, policycheck_before);
}

/* Two runs whose decisions must be the same. */
static bool policycheck_same(Check *check, CheckRun first, CheckRun second, const RigStep *steps,
                             uint32_t count, const char *sentence) {
    if (!policycheck_run(check, &first, steps, count)) {
        return false;
    }
    uint64_t digest = check->report->digest;
    policycheck_add(check->report);
    if (!policycheck_run(check, &second, steps, count)) {
        return false;
    }
    if (digest != check->report->digest) {
        check->report->failed = true;
        snprintf(check->report->text, sizeof check->report->text, "%s", sentence);
        return false;
    }
    return true;
}

static bool policycheck_twice(Check *check, uint32_t capacity, const RigStep *steps,
                              uint32_t count) {
    CheckRun first = {.capacity = capacity, .junk = 0xA5};
    CheckRun second = {.capacity = capacity, .junk = 0x3C};
    return policycheck_same(check, first, second, steps, count,
                            "a second run decides otherwise: it depends on memory that was never "
                            "set, or on state outside of the policy's own struct");
}

/* Twice in this process, and as in that of the first check. */
static void policycheck_replay(Check *check) {
    CheckReport *report = check->report;
    if (policycheck_each(check, policycheck_twice) && check->sum != 0 &&
        report->sum != check->sum) {
        *report->where = '\0';
        policycheck_fault(check, "%s",
                          "in another process it decides otherwise: it depends on time, the number "
                          "of the process, or other things outside of the simulation");
    }
}

/* ---- Two at once ---------------------------------------------------------------------------- */

/* Two instances of different sizes, a step of each in turn. Their digests, or false: a fault. */
static bool policycheck_in_turn(Check *check, const CheckRun how[2], const RigStep *steps,
                                uint32_t count, uint64_t digests[2]) {
    Rig rigs[2];
    RigFuture *futures = policycheck_outlook(steps, count);
    bool going = true;
    for (int k = 0; k < 2; k++) {
        rigs[k] = policycheck_make_rig(check, &how[k]);
        policycheck_rig = &rigs[k];
        digests[k] = 1;
        going = rig_begin(&rigs[k], how[k].capacity, false, how[k].junk, 0) == VMM_OK && going;
    }
    for (uint32_t i = 0; going && i < count; i++) {
        for (int k = 0; going && k < 2; k++) {
            policycheck_rig = &rigs[k];
            check->report->digest = digests[k];
            going = rig_step(&rigs[k], &steps[i], &futures[i]);
            digests[k] = check->report->digest;
        }
    }
    for (int k = 0; k < 2; k++) {
        policycheck_rig = &rigs[k];
        going = rig_end(&rigs[k]) && going;
    }
    policycheck_rig = NULL;
    free(futures);
    return going;
}

static bool policycheck_side_by_side(Check *check, uint32_t capacity, const RigStep *steps,
                                     uint32_t count) {
    CheckRun how[2] = {{.capacity = capacity, .junk = 0xA5, .ends = true},
                       {.capacity = 2 * capacity + 1, .junk = 0xA5, .ends = true}};
    uint64_t alone[2], together[2];
    for (int k = 0; k < 2; k++) {
        if (!policycheck_run(check, &how[k], steps, count)) {
            return false;
        }
        alone[k] = check->report->digest;
    }
    if (!policycheck_in_turn(check, how, steps, count, together)) {
        return false;
    }
    if (alone[0] != together[0] || alone[1] != together[1]) {
        policycheck_fault(check, "%s",
                          "beside another instance it decides otherwise than alone: it has state "
                          "outside of the policy's own struct (a static or global variable), which "
                          "comparisons and sweeps, with many instances at once, cannot bear");
        return false;
    }
    return true;
}

static void policycheck_two(Check *check) {
    policycheck_each(check, policycheck_side_by_side);
}

static bool policycheck_bulk(Check *check, uint32_t capacity, const RigStep *steps,
                             uint32_t count) {
    CheckRun first = {.capacity = capacity, .junk = 0xA5};
    CheckRun second = {.capacity = capacity, .junk = 0xA5, .by_one = true};
    return policycheck_same(check, first, second, steps, count,
                            "touches in a row, told at once (touch_many, touch_once), are not what "
                            "they are one by one");
}

static bool policycheck_last(Check *check, uint32_t capacity, const RigStep *steps,
                             uint32_t count) {
    CheckRun first = {.capacity = capacity, .junk = 0xA5, .by_one = true};
    CheckRun second = {.capacity = capacity, .junk = 0xA5, .by_one = true, .waits = true};
    return policycheck_same(check, first, second, steps, count,
                            "touch_last is wrong: with the last touch of each frame alone it "
                            "decides otherwise");
}

static void policycheck_touches(Check *check) {
    const VMMPolicyType *type = vmm_policy_type(check->handle);
    if (policycheck_each(check, policycheck_bulk) && type->touch_last && !type->parts_on_touch &&
        !type->uses_clock) {
        policycheck_each(check, policycheck_last);
    }
}

/* Every allocation fails once. */
static bool policycheck_scarce_run(Check *check, uint32_t capacity, const RigStep *steps,
                                   uint32_t count) {
    enum { MOST = 60 };
    for (uint64_t k = 1; k <= MOST; k++) {
        CheckRun how = {.capacity = capacity, .junk = 0xA5, .fail_at = k};
        if (!policycheck_run(check, &how, steps, count)) {
            return false;
        }
        if (how.calls < k) {
            break;
        }
    }
    return true;
}

static void policycheck_scarce(Check *check) {
    RigStep *steps = policycheck_steps(CHECK_MIXED, 64, CHECK_STEPS / 2);
    snprintf(check->report->where, sizeof check->report->where,
             "when there is no memory for one of its blocks");
    policycheck_scarce_run(check, 64, steps, CHECK_STEPS / 2);
    free(steps);
}

/* ---- Pages that end ------------------------------------------------------------------------- */

/* Gives pages other numbers: turned round, or a fresh one after each discard. */
static RigStep *policycheck_renumbered(const RigStep *steps, uint32_t count, bool fresh) {
    enum { PAGES = 1024 };
    RigStep *other = cli_alloc(count, sizeof *other);
    uint32_t number[PAGES] = {0}, last = 0;
    for (uint32_t i = 0; i < count; i++) {
        other[i] = steps[i];
        if (!fresh) {
            other[i].page = PAGES - steps[i].page;
            continue;
        }
        if (number[steps[i].page] == 0) {
            number[steps[i].page] = ++last;
        }
        other[i].page = number[steps[i].page];
        number[steps[i].page] = steps[i].discard ? 0 : number[steps[i].page];
    }
    return other;
}

static uint64_t policycheck_digest_of(Check *check, uint32_t capacity, RigStep *steps,
                                      uint32_t count) {
    CheckRun how = {.capacity = capacity, .junk = 0xA5, .ends = true};
    policycheck_run(check, &how, steps, count);
    free(steps);
    return check->report->digest;
}

static void policycheck_forget(Check *check) {
    enum { FRAMES = 24 };
    RigStep *steps = policycheck_steps(CHECK_MIXED, FRAMES, CHECK_STEPS);
    snprintf(check->report->where, sizeof check->report->where, "with %d frames", FRAMES);
    uint64_t as_it_is = policycheck_digest_of(
        check, FRAMES, policycheck_steps(CHECK_MIXED, FRAMES, CHECK_STEPS), CHECK_STEPS);
    uint64_t turned = policycheck_digest_of(
        check, FRAMES, policycheck_renumbered(steps, CHECK_STEPS, false), CHECK_STEPS);
    uint64_t fresh = policycheck_digest_of(
        check, FRAMES, policycheck_renumbered(steps, CHECK_STEPS, true), CHECK_STEPS);
    free(steps);
    if (check->report->failed) {
        return;
    }
    if (turned != as_it_is) {
        snprintf(check->report->text, sizeof check->report->text,
                 "not to be told: its decisions depend on the numbers of pages");
    } else if (fresh != as_it_is) {
        check->report->failed = true;
        snprintf(check->report->text, sizeof check->report->text,
                 "a page that comes back under the number of one that ended is treated as that "
                 "one: forget must take all that is known of a page");
    }
}

/* ---- Work ----------------------------------------------------------------------------------- */

static double policycheck_work_of(Check *check, CheckKind kind, uint32_t capacity) {
    enum { LEAST = 4096 };
    uint32_t count = 10 * capacity > LEAST ? 10 * capacity : LEAST;
    RigStep *steps = policycheck_steps(kind, capacity, count);
    CheckRun how = {.capacity = capacity, .junk = 0xA5};
    policycheck_run(check, &how, steps, count);
    uint64_t references = 0;
    for (uint32_t i = 0; i < count; i++) {
        references += steps[i].count;
    }
    free(steps);
    return (double)how.steps / (double)references;
}

/* A reference may cost a little more in a large memory, as a heap does, but not in proportion. */
static void policycheck_work(Check *check) {
    enum { FEW = 64, MANY = 4096, GROWTH = 4, SLACK = 64 };
    CheckReport *report = check->report;
    double most[2] = {0, 0};
    for (int kind = 0; kind < CHECK_KINDS && !report->failed; kind++) {
        snprintf(report->where, sizeof report->where, "%s", policycheck_kind_names[kind]);
        double few = policycheck_work_of(check, (CheckKind)kind, FEW);
        double many = policycheck_work_of(check, (CheckKind)kind, MANY);
        if (!report->failed && many > GROWTH * few + SLACK) {
            report->failed = true;
            snprintf(report->text, sizeof report->text,
                     "the work grows with memory: %.0f steps a reference with %d frames, %.0f with "
                     "%d",
                     few, FEW, many, MANY);
        }
        most[0] = few > most[0] ? few : most[0];
        most[1] = many > most[1] ? many : most[1];
    }
    if (!report->failed) {
        snprintf(report->text, sizeof report->text,
                 "at most %.0f steps a reference with %d frames, %.0f with %d", most[0], FEW,
                 most[1], MANY);
    }
}

/* ---- Whole machines ------------------------------------------------------------------------- */

/* A trace with runs, several processes and pages that end. */
static bool policycheck_write_trace(Check *check, const char *path) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceWriterOptions options = {.struct_size = sizeof options};
    VMMTraceWriter *writer;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || vmm_trace_writer_open(fd, &options, &writer, error) != VMM_OK) {
        policycheck_fault(check, "a trace for the check cannot be written: %s",
                          fd < 0 ? strerror(errno) : error);
        return false;
    }
    RigStep *steps = policycheck_steps(CHECK_MIXED, 30, 4 * CHECK_STEPS);
    for (uint32_t i = 0; i < 4 * CHECK_STEPS; i++) {
        const RigStep *step = &steps[i];
        uint64_t addr = (uint64_t)step->page << 12;
        VMMRef ref = {.addr = addr,
                      .pid = 1 + step->space,
                      .size = 4,
                      .op = step->write ? VMM_OP_WRITE : VMM_OP_READ};
        VMMEvent event = {.struct_size = sizeof event,
                          .type = VMM_EVENT_UNMAP,
                          .pid = 1 + step->space,
                          .start = addr,
                          .length = 4096};
        if (step->discard && i > CHECK_STEPS) {
            vmm_trace_write_event(writer, &event);
        }
        for (uint32_t j = 0; j < step->count; j++) {
            vmm_trace_write(writer, &ref, 1);
        }
    }
    free(steps);
    int status = vmm_trace_writer_finish(writer);
    vmm_trace_writer_close(writer);
    close(fd);
    if (status != VMM_OK) {
        policycheck_fault(check, "a trace for the check cannot be written: %s",
                          vmm_error_message(status));
    }
    return status == VMM_OK;
}

/* The report of one machine over the trace; NULL if something fails. */
static char *policycheck_machine(Check *check, const char *trace, const char *policy,
                                 const char *engine, const char *const *options) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMConfig config;
    VMMTraceOptions reading = {.struct_size = sizeof reading};
    VMMTrace *input = NULL;
    VMM *vmm = NULL;
    char *text = NULL;
    vmm_config_init_default(&config);
    int status = vmm_config_set(&config, "policy", policy, error);
    vmm_config_set(&config, "engine", engine, NULL);
    for (; *options != NULL; options += 2) {
        vmm_config_set(&config, options[0], options[1], NULL);
    }
    status = status == VMM_OK ? vmm_create_with(&config, NULL, &vmm, error) : status;
    status = status == VMM_OK ? vmm_trace_open(trace, &reading, &input, error) : status;
    if (status == VMM_OK && vmm_run_trace(vmm, input) != VMM_OK) {
        policycheck_fault(check, "a run fails: %s", vmm_error_text(vmm));
    } else if (status == VMM_OK) {
        VMMTraceInfo info = {.struct_size = sizeof info};
        vmm_trace_info(input, &info);
        VMMReportContext context = {
            .struct_size = sizeof context, .trace = &info, .flags = VMM_REPORT_NO_TIMING};
        text = cli_report(vmm, VMM_REPORT_JSON, &context);
    } else {
        policycheck_fault(check, "a machine cannot be made: %s", error);
    }
    vmm_trace_close(input);
    vmm_destroy(vmm);
    return text;
}

/* Both are named the same in reports: the working directory tells which is meant. */
static bool policycheck_equal(Check *check, const char *first, const char *other,
                              const char *sentence) {
    if (first != NULL && other != NULL && strcmp(first, other) != 0) {
        policycheck_fault(check, "%s", sentence);
    }
    return !check->report->failed;
}

static void policycheck_engines(Check *check) {
    static const char *const machines[][11] = {
        {"frames", "20", "tlb-size", "8", NULL},
        {"frames", "20", "tlb", "off", NULL},
        {"frames", "7", "tlb-size", "8", "tlb-ways", "2", "pt-type", "FOUR_LEVEL", NULL},
        {"frames", "5", "scope", "process", "tlb-size", "4", NULL},
        {"frames", "20", "accessed-bit", "tlb-fill", "tlb-policy", "LFU", NULL},
        {"frames", "40", "tlb-switch", "flush", "tlb-size", "30", NULL},
        {"frames", "1", NULL},
    };
    char *trace = cli_format("%s/check.vmt", check->folder);
    char *name = strrchr(check->whole, '/') + 1;
    char *policy = cli_format("./%s%s", name, check->params);
    bool going = policycheck_write_trace(check, trace);
    for (size_t i = 0; going && i < sizeof machines / sizeof machines[0]; i++) {
        snprintf(check->report->where, sizeof check->report->where, "machine %zu", i + 1);
        going = chdir(check->folder) == 0;
        char *generic = policycheck_machine(check, trace, policy, "generic", machines[i]);
        char *fast = policycheck_machine(check, trace, policy, "fast", machines[i]);
        going = going && policycheck_equal(check, generic, fast,
                                           "the generic engine and the compiled loop do not give "
                                           "the same report");
        if (going && check->plain != NULL && chdir("plain") == 0) {
            char *plain = policycheck_machine(check, trace, policy, "fast", machines[i]);
            going = policycheck_equal(check, generic, plain,
                                      "compiled without the loop it does not give the same report");
            free(plain);
        }
        free(generic);
        free(fast);
    }
    free(policy);
    free(trace);
}

/* ---- In the parent -------------------------------------------------------------------------- */

typedef struct CheckItem {
    const char *title;
    void (*body)(Check *check);
    bool is_metered; /* needs the meter */
    bool is_whole;   /* whole machines: for policies in which nothing else is wrong */
} CheckItem;

static const CheckItem policycheck_items[] = {
    {"gives up only what is in memory, and loses no frame", policycheck_rules, false, false},
    {"stays within its memory at the lower border too", policycheck_memory, false, false},
    {"decides the same when it runs again", policycheck_replay, false, false},
    {"is not disturbed by another instance", policycheck_two, false, false},
    {"touches in a row, told at once, change nothing", policycheck_touches, false, false},
    {"forgets pages that ended", policycheck_forget, false, false},
    {"says so when there is no memory, and gives all back", policycheck_scarce, false, false},
    {"does bounded work", policycheck_work, true, false},
    {"gives the same reports in all engines", policycheck_engines, false, true},
};

/* The child: never returns. It does not outlive its parent. */
static void policycheck_child(Check *check, const CheckItem *item) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    CheckReport *report = check->report;
    policycheck_report = report;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cli_release_interrupt();
    dup2(check->errors, STDERR_FILENO);
    policycheck_catch();
    if (!item->is_whole) {
        report->hook = "what runs when it is loaded";
        report->code = vmm_policy_open(check->rigged, &check->handle, error);
        report->hook = NULL;
    }
    if (report->code != VMM_OK) {
        policycheck_fault(check, "%s", error);
    } else {
        item->body(check);
        vmm_policy_close(check->handle);
    }
    report->done = true;
    _exit(CLI_OK);
}

/* What the checks of the compiler for undefined behaviour said, if the child ended by them. */
static void policycheck_read_errors(Check *check) {
    char said[4096];
    ssize_t length = pread(check->errors, said, sizeof said - 1, 0);
    said[length > 0 ? length : 0] = '\0';
    char *found = strstr(said, "runtime error");
    const char *hook = check->report->hook != NULL ? check->report->hook : "a hook";
    check->report->failed = true;
    if (found == NULL) {
        snprintf(check->report->text, sizeof check->report->text, "%s ends the program", hook);
        return;
    }
    while (found > said && found[-1] != '\n') {
        found--;
    }
    found[strcspn(found, "\n")] = '\0';
    snprintf(check->report->text, sizeof check->report->text, "%s: %.500s", hook, found);
}

/* Runs one check in a child. False: it was interrupted. */
static bool policycheck_in_child(Check *check, const CheckItem *item) {
    CheckReport *report = check->report;
    int status = 0;
    *report = (CheckReport){.done = false};
    fflush(NULL);
    if (ftruncate(check->errors, 0) != 0 || lseek(check->errors, 0, SEEK_SET) != 0) {
        policycheck_fault(check, "what the check says cannot be read: %s", strerror(errno));
        return true;
    }
    pid_t child = fork();
    if (child == 0) {
        policycheck_child(check, item);
    }
    if (child < 0) {
        policycheck_fault(check, "there is no process to check it in: %s", strerror(errno));
        return true;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        if (cli_interrupted() != 0) {
            kill(child, SIGKILL);
        }
    }
    if (cli_interrupted() == 0 && !report->done && !report->failed) {
        policycheck_read_errors(check);
    }
    return cli_interrupted() == 0;
}

static void policycheck_do(Check *check, const CheckItem *item) {
    CheckReport *report = check->report;
    if (!policycheck_in_child(check, item)) {
        return;
    }
    check->run++;
    check->failed += report->failed;
    if (check->run == 1 && !report->failed) {
        check->sum = report->sum;
    }
    if (!report->failed) {
        printf("ok    %s%s%s%s\n", item->title, *report->text != '\0' ? " (" : "", report->text,
               *report->text != '\0' ? ")" : "");
        return;
    }
    bool again = strcmp(check->last, report->text) == 0;
    printf("FAIL  %s\n      %s%s%s%s\n", item->title, again ? "the same" : report->text,
           *report->where != '\0' ? " (" : "", report->where, *report->where != '\0' ? ")" : "");
    snprintf(check->last, sizeof check->last, "%s", report->text);
    if (report->endless) {
        printf("      (the other checks, which would take as long, are left out)\n");
    }
}

/* ---- Compiling ------------------------------------------------------------------------------ */

static int policycheck_build(Check *check, const char *output, uint32_t flags, char *messages) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMPolicyBuild build = {.struct_size = sizeof build,
                            .flags = flags,
                            .source = check->source,
                            .output = output,
                            .compiler = check->flags.compiler,
                            .messages = messages,
                            .messages_size = CHECK_MESSAGES};
    int code = vmm_policy_compile(&build, error);
    if (code != VMM_OK && cli_interrupted() == 0) {
        cli_error("%s", error);
    }
    return cli_interrupted() == 0 ? cli_status(code) : CLI_SIGNALLED + cli_interrupted();
}

/* The compiler's words are shown: its errors, and its warnings. */
static int policycheck_compile(Check *check) {
    char *messages = cli_alloc(CHECK_MESSAGES, 1);
    const char *slash = strrchr(check->source, '/');
    const char *name = slash != NULL ? slash + 1 : check->source;
    int stem = (int)(strlen(name) - strlen(".c"));
    char *metered = cli_format("%s/metered/%.*s.so", check->folder, stem, name);
    check->whole = cli_format("%s/%.*s.so", check->folder, stem, name);
    check->plain = cli_format("%s/plain/%.*s.so", check->folder, stem, name);
    check->rigged = cli_format("%s%s", metered, check->params);
    int status = policycheck_build(check, check->whole, VMM_POLICY_BUILD_WARNINGS, messages);
    if (*messages != '\0') {
        fputs(messages, stderr);
    }
    if (status == CLI_OK) {
        printf("ok    compiles%s\n", *messages != '\0' ? ", with warnings" : "");
        status = policycheck_build(check, check->plain, VMM_POLICY_BUILD_PLAIN, messages);
    }
    if (status == CLI_OK) {
        status = policycheck_build(check, metered,
                                   VMM_POLICY_BUILD_PLAIN | VMM_POLICY_BUILD_METERED, messages);
    }
    free(metered);
    free(messages);
    return status;
}

static int policycheck_make_folder(Check *check) {
    static const char *const parts[] = {"plain", "metered"};
    const char *base = getenv("TMPDIR");
    check->folder = cli_format("%s/vmm-check-XXXXXX", base != NULL && *base ? base : "/tmp");
    if (mkdtemp(check->folder) == NULL) {
        cli_error("%s: cannot make a folder: %s", check->folder, strerror(errno));
        return CLI_FAILURE;
    }
    for (size_t i = 0; i < 2; i++) {
        char *path = cli_format("%s/%s", check->folder, parts[i]);
        mkdir(path, 0700);
        free(path);
    }
    return CLI_OK;
}

static void policycheck_remove_folder(const Check *check) {
    static const char *const parts[] = {"plain/", "metered/", ""};
    const char *name = check->whole != NULL ? strrchr(check->whole, '/') + 1 : "";
    for (size_t i = 0; i < 3; i++) {
        char *file = cli_format("%s/%s%s", check->folder, parts[i], name);
        char *folder = cli_format("%s/%s", check->folder, parts[i]);
        char *trace = cli_format("%s/check.vmt", check->folder);
        unlink(file);
        unlink(trace);
        rmdir(folder);
        free(file);
        free(folder);
        free(trace);
    }
}

/* A policy that comes compiled is checked as it is. */
static void policycheck_take_compiled(Check *check, size_t length) {
    char *file = cli_copy(check->text, length);
    char *real = realpath(file, NULL);
    check->rigged = cli_format("%s%s", real != NULL ? real : file, check->params);
    if (vmm_policy_is_file(check->text)) {
        check->whole = cli_format("%s/%s", check->folder,
                                  strrchr(real != NULL ? real : file, '/') != NULL
                                      ? strrchr(real != NULL ? real : file, '/') + 1
                                      : file);
        if (symlink(real != NULL ? real : file, check->whole) != 0) {
            cli_warning("%s: cannot be named in a folder of its own", check->whole);
        }
    }
    free(real);
    free(file);
}

/* ---- A reader that goes away ---------------------------------------------------------------- */

static volatile sig_atomic_t policycheck_unread;

static void policycheck_on_pipe(int signal_number) {
    (void)signal_number;
    policycheck_unread = 1;
}

/* `vmm policy check ... | head -1`: what is compiled goes then, too. */
static void policycheck_catch_pipe(void) {
    if (signal(SIGPIPE, policycheck_on_pipe) == SIG_IGN) {
        signal(SIGPIPE, SIG_IGN);
    }
}

/* Ends the program as the signal would have, were it not for the folder. */
static void policycheck_end_by_pipe(void) {
    fflush(stdout); /* the last lines may find it out first */
    if (policycheck_unread) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
}

/* ---- The verb ------------------------------------------------------------------------------- */

static const CliFlag policycheck_flags[] = {
    {"compiler", NULL, 0, "NAME", NULL, "Compiler",
     "gcc, clang, or one of their kin; otherwise what VMM_CC names, or cc",
     offsetof(CheckFlags, compiler)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(CheckFlags, help)},
    POLICYCMD_FLAGS_END,
};

static void policycheck_nothing(Check *check) {
    (void)check;
}

/* Its declaration and its parameters: code of the policy runs as soon as it is loaded. */
static int policycheck_declaration(Check *check) {
    static const CheckItem opening = {"can be opened", policycheck_nothing, false, false};
    const CheckReport *report = check->report;
    if (!policycheck_in_child(check, &opening)) {
        return CLI_SIGNALLED + cli_interrupted();
    }
    if (!report->failed) {
        return CLI_OK;
    }
    if (report->code != VMM_OK) {
        cli_error("%s", report->text);
        return cli_status(report->code);
    }
    cli_error("%s: %s", check->text, report->text);
    return CLI_BAD_INPUT;
}

static int policycheck_prepare(Check *check, const char *text) {
    size_t length = vmm_policy_name_length(text);
    bool is_source = length > 2 && memcmp(text + length - 2, ".c", 2) == 0;
    check->text = text;
    check->params = text + length;
    check->source = is_source ? cli_copy(text, length) : NULL;
    check->report = mmap(NULL, sizeof *check->report, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check->errors = memfd_create("vmm-policy-check", MFD_CLOEXEC);
    if (check->report == MAP_FAILED || check->errors < 0) {
        cli_error("cannot make memory for the check: %s", strerror(errno));
        return CLI_FAILURE;
    }
    int status = policycheck_make_folder(check);
    if (status == CLI_OK && is_source) {
        status = policycheck_compile(check);
    } else if (status == CLI_OK) {
        policycheck_take_compiled(check, length);
    }
    return status == CLI_OK ? policycheck_declaration(check) : status;
}

static bool policycheck_ends_early(const Check *check) {
    return cli_interrupted() != 0 || policycheck_unread || check->report->endless;
}

static int policycheck_all(Check *check) {
    size_t count = sizeof policycheck_items / sizeof policycheck_items[0];
    for (size_t i = 0; i < count && !policycheck_ends_early(check); i++) {
        const CheckItem *item = &policycheck_items[i];
        if ((!item->is_metered || check->source != NULL) &&
            (!item->is_whole || (check->whole != NULL && check->failed == 0))) {
            policycheck_do(check, item);
        }
    }
    if (cli_interrupted() != 0) {
        return CLI_SIGNALLED + cli_interrupted();
    }
    if (check->failed == 0) {
        printf("%s keeps the contract\n", check->text);
        return CLI_OK;
    }
    printf("%s breaks the contract: %u of %u checks failed\n", check->text, check->failed,
           check->run);
    return CLI_BAD_INPUT;
}

static int policycheck_main(const CliCommand *command, int argc, char **argv) {
    Check check = {.errors = -1};
    CliArguments arguments;
    int status = cli_parse(command, argc, argv, &check.flags, &arguments);
    if (status == CLI_OK && check.flags.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK && arguments.word_count != 1) {
        status =
            cli_usage_error(command->name, "say which policy: its file, ./mine.c or ./mine.so");
    } else if (status == CLI_OK) {
        cli_catch_interrupt(); /* what is compiled goes in any case */
        policycheck_catch_pipe();
        status = policycheck_prepare(&check, arguments.words[0]);
        status = status == CLI_OK ? policycheck_all(&check) : status;
    }
    if (check.folder != NULL) {
        policycheck_remove_folder(&check);
    }
    policycheck_end_by_pipe();
    free(check.folder);
    free(check.source);
    free(check.rigged);
    free(check.whole);
    free(check.plain);
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand policycmd_check = {
    .name = "policy check",
    .summary = "try whether a policy keeps its contract",
    .synopsis = "FILE[:PARAMETER=VALUE,...]",
    .story = "Compiles the policy, with all warnings, and calls its hooks in every way that the "
             "simulator may: with memory whose borders are guarded, with pages that end, without "
             "memory, twice, in small memories and large ones; then runs whole machines with it in "
             "every engine. Each check has a process of its own. The exit status is 0 if all is "
             "well and 2 if something fails. A policy that comes compiled (.so) is checked as "
             "far as that goes.",
    .examples = "vmm policy check ./mine.c\n"
                "vmm policy check ./mine.c:window=3",
    .flags = policycheck_flags,
    .takes_words = true,
    .run = policycheck_main,
};
