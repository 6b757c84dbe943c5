/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole program `vmm` as one translation unit.
 *
 *     gcc -O3 -flto src/vmm.c -o bin/vmm
 *
 * needs nothing but a C compiler (compressed traces are then not readable; Meson's build finds
 * the libraries). This is the only .c file directly in src/. It includes every other one, so a
 * static name must be unique over the whole tree; the files are those of meson.build, in the order
 * of the layers, and a test compares the two lists.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

/* base: numbers, memory, errors */
#include "base/error.c"
#include "base/memory.c"
#include "base/nearest.c"
#include "base/number.c"
#include "base/spill.c"

/* config: the option table */
#include "config/settings.c"

/* trace: formats, decompression, generators */
#include "trace/event.c"
#include "trace/event_read.c"
#include "trace/format.c"
#include "trace/generator.c"
#include "trace/source.c"
#include "trace/trace.c"
#include "trace/trace_events.c"
#include "trace/trace_vmt.c"
#include "trace/vmt_behind.c"
#include "trace/vmt_check.c"
#include "trace/vmt_decode.c"
#include "trace/vmt_events.c"
#include "trace/vmt_format.c"
#include "trace/vmt_frame.c"
#include "trace/vmt_full.c"
#include "trace/vmt_index.c"
#include "trace/vmt_pages.c"
#include "trace/vmt_read.c"
#include "trace/vmt_runs.c"
#include "trace/vmt_unfold.c"
#include "trace/writer.c"

/* mm: the simulated machine */
#include "mm/apply.c"
#include "mm/cost.c"
#include "mm/counters.c"
#include "mm/directory.c"
#include "mm/fault.c"
#include "mm/footprint.c"
#include "mm/machine.c"
#include "mm/mapping.c"
#include "mm/object.c"
#include "mm/pagetable/pagetable.c"
#include "mm/policy/policy.c"
#include "mm/pool.c"
#include "mm/resolve.c"
#include "mm/around.c"
#include "mm/tlb/tlb.c"

/* engine: the hot loop */
#include "engine/consume.c"
#include "engine/generic.c"
#include "engine/plugin_build.c"
#include "engine/plugin_load.c"
#include "engine/policies.c"
#include "engine/run.c"
#include "engine/specialised.c"
#include "engine/stream.c"
#include "engine/stream_resolve.c"
#include "engine/stream_runs.c"
#include "engine/stream_sample.c"

/* analysis: what is found out of traces, without a machine */
#include "analysis/curve.c"
#include "analysis/curve_lru.c"
#include "analysis/curve_opt.c"
#include "analysis/curve_shards.c"
#include "analysis/curve_ws.c"
#include "analysis/depths.c"
#include "analysis/lru_stack.c"
#include "analysis/opt_stack.c"
#include "analysis/reuse_times.c"
#include "analysis/sad.c"
#include "analysis/stack_curve.c"
#include "analysis/working_set.c"

/* report: text, JSON, CSV */
#include "report/buffer.c"
#include "report/csv.c"
#include "report/json.c"
#include "report/report.c"
#include "report/text.c"

/* api: the exported functions */
#include "api/curve_api.c"
#include "api/machine_api.c"
#include "api/policy_api.c"
#include "api/process_api.c"
#include "api/run_api.c"
#include "api/tables_api.c"
#include "api/working_set_api.c"

/* the program */
#include "../tools/vmm/advise.c"
#include "../tools/vmm/advise_find.c"
#include "../tools/vmm/advise_show.c"
#include "../tools/vmm/validate.c"
#include "../tools/vmm/validate_kernel.c"
#include "../tools/vmm/validate_model.c"
#include "../tools/vmm/validate_show.c"
#include "../tools/vmm/cc.c"
#include "../tools/vmm/compare.c"
#include "../tools/vmm/explain.c"
#include "../tools/vmm/help.c"
#include "../tools/vmm/json.c"
#include "../tools/vmm/list.c"
#include "../tools/vmm/main.c"
#include "../tools/vmm/messages.c"
#include "../tools/vmm/memory.c"
#include "../tools/vmm/mrc.c"
#include "../tools/vmm/mrc_files.c"
#include "../tools/vmm/mrc_run.c"
#include "../tools/vmm/mrc_show.c"
#include "../tools/vmm/options.c"
#include "../tools/vmm/output.c"
#include "../tools/vmm/plot.c"
#include "../tools/vmm/policy.c"
#include "../tools/vmm/policy_check.c"
#include "../tools/vmm/policy_guard.c"
#include "../tools/vmm/policy_rig.c"
#include "../tools/vmm/progress.c"
#include "../tools/vmm/record.c"
#include "../tools/vmm/record_lackey.c"
#include "../tools/vmm/record_launch.c"
#include "../tools/vmm/record_native.c"
#include "../tools/vmm/record_queue.c"
#include "../tools/vmm/record_signals.c"
#include "../tools/vmm/record_stream.c"
#include "../tools/vmm/sim.c"
#include "../tools/vmm/steps.c"
#include "../tools/vmm/sweep.c"
#include "../tools/vmm/sweep_axes.c"
#include "../tools/vmm/sweep_plan.c"
#include "../tools/vmm/sweep_row.c"
#include "../tools/vmm/sweep_run.c"
#include "../tools/vmm/sweep_sqlite.c"
#include "../tools/vmm/sweep_store.c"
#include "../tools/vmm/trace.c"
#include "../tools/vmm/trace_convert.c"
#include "../tools/vmm/trace_count.c"
#include "../tools/vmm/trace_info.c"
#include "../tools/vmm/trace_io.c"
#include "../tools/vmm/trace_merge.c"
#include "../tools/vmm/trace_pages.c"
#include "../tools/vmm/trace_text.c"
#include "../tools/vmm/trace_verify.c"
#include "../tools/vmm/watch.c"
#include "../tools/vmm/words.c"
