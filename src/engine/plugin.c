/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy of the user's is compiled as, no part of the library:
 *
 *     cc -shared -fPIC ... -include mine.c -DPLUGIN_POLICY=mine_policy plugin.c -o mine.so
 *
 * mine.c stands first, as if this file had included it, so that its messages have its own lines.
 * Its static hooks and its constant are then visible to the loop, as those of the simulator's own
 * policies are in specialised.c.
 *
 * Types that the user's file may well call the same get other names here, unless that file took
 * them from the simulator's headers itself, as the simulator's own policies do.
 */
#ifndef VMM_MM_POLICY_POLICY_H
#define Policy VMMPluginPolicy
#define PolicyType VMMPluginPolicyType
#define PolicySpec VMMPluginPolicySpec
#define PolicyLoop VMMPluginPolicyLoop
#define Batch VMMPluginBatch
#define Machine VMMPluginMachine
#define Pool VMMPluginPool
#endif
#ifndef VMM_BASE_ERROR_H
#define Error VMMPluginError
#endif
#ifndef VMM_BASE_MEMORY_H
#define Memory VMMPluginMemory
#endif
#ifndef VMM_BASE_RNG_H
#define Rng VMMPluginRng
#endif
#ifndef VMM_MM_RECENCY_H
#define Recency VMMPluginRecency
#endif
#define Directory VMMPluginDirectory
#define PageTable VMMPluginPageTable
#define Process VMMPluginProcess
#define Run VMMPluginRun
#define Settings VMMPluginSettings
#define Stream VMMPluginStream
#define Swap VMMPluginSwap
#define Tlb VMMPluginTlb

#pragma GCC diagnostic ignored "-Wunused-function"

#include "plugin.h"
#include "../base/error.c"
#include "../base/memory.c"
#include "loop.h"

#ifdef PLUGIN_METERED
static __attribute__((noreturn)) void plugin_at_no_limit(void) {
    __builtin_trap();
}

static VMMPolicyMeter plugin_meter_of = {0, UINT64_MAX, plugin_at_no_limit};

/* The compiler calls it at each basic block (-fsanitize-coverage=trace-pc). */
#if defined(__clang__)
__attribute__((no_sanitize("coverage")))
#else
__attribute__((no_sanitize_coverage))
#endif
void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void) {
    if (++plugin_meter_of.steps == plugin_meter_of.limit) {
        plugin_meter_of.at_limit();
    }
}
#endif

#ifndef PLUGIN_PLAIN
/* The machine's functions, as the loop calls them. */
uint32_t machine_miss(Machine *machine, Pool *pool, uint32_t page, uint32_t object, bool write) {
    return machine->calls->miss(machine, pool, page, object, write);
}

void machine_invalid(Machine *machine, uint32_t space) {
    machine->calls->invalid(machine, space);
}

void machine_write(Machine *machine, Pool *pool, uint32_t page, uint32_t frame) {
    machine->calls->write(machine, pool, page, frame);
}

bool machine_part(Machine *machine, Pool *pool) {
    return machine->calls->part(machine, pool);
}

static size_t plugin_loop(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                          size_t to) {
    return loop_run(machine, pool, batch, from, to, &PLUGIN_POLICY);
}
#endif

extern const PolicyPlugin vmm_policy_plugin;
VMM_API const PolicyPlugin vmm_policy_plugin = {
    .interface = VMM_POLICY_INTERFACE,
    .size = sizeof(PolicyPlugin),
    .type = &PLUGIN_POLICY,
#ifdef PLUGIN_METERED
    .meter = &plugin_meter_of,
#endif
#ifndef PLUGIN_PLAIN
    .loop = plugin_loop,
#endif
    .version = VMM_VERSION_STRING,
    .layout = PLUGIN_LAYOUT,
};
