/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests of test_trace.c on a build of src/trace/ that reads 7 bytes at a time, so that every
 * buffer ends within a record, and that has no vector instructions, as on other processors.
 */
#define VMM_TRACE_BUFFER 7
#define VMM_TRACE_PORTABLE 1

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
#include "../../src/trace/vmt_frame.c"
#include "../../src/trace/vmt_full.c"
#include "../../src/trace/vmt_index.c"
#include "../../src/trace/vmt_read.c"
#include "../../src/trace/vmt_runs.c"
#include "../../src/trace/vmt_unfold.c"

#include "test_trace.c"
