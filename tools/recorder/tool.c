/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Valgrind is told of this tool; the first moment of a program, and what it asks for.
 */
#include "recorder.h"

#include "pub_tool_clientstate.h"

static const HChar *tool_channel;
static Bool tool_begun;
enum { TOOL_PR_SET_NAME = 15 };

/* ---- Threads ------------------------------------------------------------------------------ */

/* The name of a process is that of the program, not ours. */
static void tool_name_process(void) {
    const HChar *path = VG_(args_the_exename);
    const HChar *slash = path != NULL ? VG_(strrchr)(path, '/') : NULL;
    const HChar *name = slash != NULL ? slash + 1 : path;
    if (name != NULL) {
        recorder_syscall(__NR_prctl, TOOL_PR_SET_NAME, (ULong)name, 0, 0, 0);
    }
}

static void tool_client_runs(ThreadId tid, ULong blocks) {
    recorder_use_thread(tid);
    if (!tool_begun) {
        tool_begun = True;
        tool_name_process();
        recorder_restore_arguments(tid);
        recorder_tell_image(tid);
        recorder_tell_initial_stack(tid);
    }
}

/* ---- Requests of the program: include/vmm/record.h ---------------------------------------- */

enum { TOOL_REQUEST_BASE = ('V' << 24) | ('M' << 16) };
enum { TOOL_REQUEST_START, TOOL_REQUEST_STOP, TOOL_REQUEST_MARK };

static Bool tool_request(ThreadId tid, UWord *args, UWord *result) {
    if (args[0] < TOOL_REQUEST_BASE || args[0] > TOOL_REQUEST_BASE + TOOL_REQUEST_MARK) {
        return False;
    }
    recorder_use_thread(tid);
    Channel *channel = recorder_producer.channel;
    switch (args[0] - TOOL_REQUEST_BASE) {
    case TOOL_REQUEST_START:
        __atomic_store_n(&channel->paused, 0, __ATOMIC_SEQ_CST);
        channel_put(&recorder_producer, CHANNEL_RESUME, 0, NULL, 0);
        break;
    case TOOL_REQUEST_STOP:
        channel_put(&recorder_producer, CHANNEL_STOP, 0, NULL, 0);
        __atomic_store_n(&channel->paused, 1, __ATOMIC_SEQ_CST);
        channel_publish(&recorder_producer);
        break;
    default:
        recorder_tell(RECORD_EVENT_MARK, 0, 0, args[1]);
        break;
    }
    *result = 1;
    return True;
}

/* ---- Registration ------------------------------------------------------------------------- */

static Bool tool_option(const HChar *argument) {
    if (VG_STR_CLO(argument, "--channel", tool_channel)) {
        return True;
    }
    return False;
}

static void tool_usage(void) {
    VG_(printf)("    --channel=FILE            where references go; made by vmm record\n");
}

static void tool_debug_usage(void) {
    VG_(printf)("    (none)\n");
}

/* Valgrind opens its log, uses a copy that the program cannot reach, and leaves this one open. */
static void tool_close_log(void) {
    HChar link[64];
    HChar target[sizeof CHANNEL_LOG_NAME + 64];
    for (Int fd = 0; fd < 1024; fd++) {
        VG_(sprintf)(link, "/proc/self/fd/%d", fd);
        SSizeT length = VG_(readlink)(link, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (VG_(strstr)(target, CHANNEL_LOG_NAME) != NULL) {
            VG_(close)(fd);
            return;
        }
    }
}

static void tool_post_init(void) {
    tool_close_log();
    recorder_attach(tool_channel);
}

static void tool_fini(Int exit_code) {
    recorder_finish();
}

static void tool_pre_init(void) {
    VG_(details_name)("vmmrec");
    VG_(details_version)("1");
    VG_(details_description)("records memory references and mappings for vmm");
    VG_(details_copyright_author)("GPL-2.0-or-later, the authors of vmm");
    VG_(details_bug_reports_to)("the authors of vmm");
    VG_(details_avg_translation_sizeB)(400);

    VG_(basic_tool_funcs)(tool_post_init, recorder_instrument, tool_fini);
    VG_(needs_command_line_options)(tool_option, tool_usage, tool_debug_usage);
    VG_(needs_syscall_wrapper)(recorder_before_syscall, recorder_after_syscall);
    VG_(needs_client_requests)(tool_request);

    VG_(track_start_client_code)(tool_client_runs);
    VG_(track_pre_thread_first_insn)(recorder_thread_begins);
    VG_(track_pre_thread_ll_exit)(recorder_thread_ends);
    recorder_register_touches();
    VG_(atfork)(recorder_before_fork, NULL, recorder_in_child);
}

VG_DETERMINE_INTERFACE_VERSION(tool_pre_init)
