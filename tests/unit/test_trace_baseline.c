/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests of test_trace.c on a build of src/trace/ that uses only the vector instructions that
 * every x86-64 processor has.
 */
#define VMM_TRACE_BASELINE 1

#include "../../src/base/error.c"
#include "../../src/base/memory.c"
#include "../../src/base/number.c"
#include "../../src/base/spill.c"
#include "../../src/trace/format.c"
#include "../../src/trace/source.c"
#include "../../src/trace/trace.c"
#include "../../src/trace/trace_vmt.c"
#include "../../src/trace/vmt_check.c"
#include "../../src/trace/vmt_decode.c"
#include "../../src/trace/vmt_events.c"
#include "../../src/trace/vmt_format.c"
#include "../../src/trace/vmt_full.c"
#include "../../src/trace/vmt_read.c"
#include "../../src/trace/vmt_runs.c"
#include "../../src/trace/vmt_unfold.c"

#include "test_trace.c"
