/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvmm: what would a virtual memory system of this shape do with these references?
 *
 * The shortest program:
 *
 *     VMMConfig config;
 *     vmm_config_init_default(&config);
 *     vmm_config_set(&config, "frames", "3", NULL);
 *     vmm_config_set(&config, "policy", "lru", NULL);
 *
 *     VMM *vmm = vmm_create(&config);
 *     vmm_access(vmm, 1, 0x1000, false);
 *     VMMStats stats = {.struct_size = sizeof stats};
 *     vmm_stats(vmm, &stats);
 *     printf("%llu faults\n", (unsigned long long)stats.page_faults);
 *     vmm_destroy(vmm);
 *
 * Reading order: types.h (the words), config.h (options by name), sim.h (the machine; threads
 * and determinism), trace.h, runs.h and generate.h (where references come from), trace_write.h
 * (where they can go), reduce.h (how they become fewer), event.h (control and observation),
 * process.h (system calls on address spaces),
 * curve.h (every memory size at once), working_set.h (windows of time), stats.h and report.h
 * (results), error.h.
 *
 * Conventions: sizes are bytes, simulated times picoseconds unless a name says otherwise. Every
 * struct that may grow opens with struct_size. Functions return VMM_OK or a negative VMMError,
 * never exit, never print (vmm_config_print() excepted), and keep no state outside the objects
 * they are given. Before version 1.0 the API may change between minor versions.
 */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include "config.h"
#include "curve.h"
#include "error.h"
#include "event.h"
#include "generate.h"
#include "process.h"
#include "reduce.h"
#include "report.h"
#include "runs.h"
#include "sim.h"
#include "stats.h"
#include "trace.h"
#include "trace_write.h"
#include "types.h"
#include "version.h"
#include "working_set.h"

#endif
