/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program as it is, and what the kernel counts of each of its processes.
 *
 *     vmm ──vfork──► program ──fork──► child ...       all followed with ptrace(2)
 *                       │ about to end: /proc/PID/status: VmHWM, VmPTE
 *                       │ ended: /proc/PID/stat of the zombie: minor and major faults
 *
 * Faults are those of the whole process, all of its threads and whatever it executed. Following
 * stops a process at forks, execs and exits; it touches none of its pages, so the counts are those
 * of a run by itself. The first process is made by vfork and executes at once: what it counted
 * before that, in memory of vmm, is taken off.
 *
 * Transparent huge pages are switched off for the program, as the model has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "validate.h"

enum { KERNEL_TEXT_BYTES = 8192 };

/* A file of /proc/PID as a text; empty if it cannot be read. */
static void kernel_read(uint32_t pid, const char *name, char text[KERNEL_TEXT_BYTES]) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRIu32 "/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, KERNEL_TEXT_BYTES - 1);
    text[length > 0 ? length : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

/* The number behind "Name:" of a status file; 0: there is none. */
static uint64_t kernel_field(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

/* Before a process, or one of its threads, ends. Its memory is still there. */
static void kernel_note_memory(ValidateTree *tree, uint32_t tid) {
    char text[KERNEL_TEXT_BYTES];
    kernel_read(tid, "status", text);
    size_t place = validate_tree_find(tree, (uint32_t)kernel_field(text, "\nTgid:"));
    if (place == SIZE_MAX) {
        return;
    }
    ValidateProcess *process = &tree->processes[place];
    uint64_t peak = kernel_field(text, "\nVmHWM:") << 10;
    uint64_t tables = kernel_field(text, "\nVmPTE:") << 10;
    process->resident_peak = peak > process->resident_peak ? peak : process->resident_peak;
    process->page_table_bytes = tables > 0 ? tables : process->page_table_bytes;
    snprintf(process->name, sizeof process->name, "%.*s", (int)strcspn(text + 6, "\n"), text + 6);
}

/* A process that has ended and was not waited for yet. */
static void kernel_note_faults(ValidateTree *tree, uint32_t pid) {
    char text[KERNEL_TEXT_BYTES];
    size_t place = validate_tree_find(tree, pid);
    kernel_read(pid, "stat", text);
    const char *at = strrchr(text, ')');
    uint64_t minor = 0, major = 0;
    if (place == SIZE_MAX || at == NULL ||
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64, &minor, &major) !=
            2) {
        return;
    }
    ValidateProcess *process = &tree->processes[place];
    process->minor += minor; /* what was counted before it executed the program is in there */
    process->major = major;
    process->ended = true;
}

/* A process or a thread was made. */
static void kernel_note_birth(ValidateTree *tree, uint32_t tid) {
    char text[KERNEL_TEXT_BYTES];
    unsigned long born = 0;
    ptrace(PTRACE_GETEVENTMSG, (pid_t)tid, NULL, &born);
    kernel_read((uint32_t)born, "status", text);
    bool is_thread = kernel_field(text, "\nTgid:") != born;
    kernel_read(tid, "status", text);
    size_t parent = validate_tree_find(tree, (uint32_t)kernel_field(text, "\nTgid:"));
    if (!is_thread && parent != SIZE_MAX) {
        validate_tree_add(tree, (uint32_t)born, parent);
    }
}

/* Executed by a process: what the memory before had at most does not count. */
static void kernel_note_exec(ValidateTree *tree, uint32_t pid) {
    size_t place = validate_tree_find(tree, pid);
    if (place != SIZE_MAX) {
        tree->processes[place].execs++;
        tree->processes[place].resident_peak = 0;
    }
}

/* What a stop is about; the signal that the process is to get when it goes on. */
static int kernel_note_stop(ValidateTree *tree, uint32_t tid, int status) {
    int signal = WSTOPSIG(status);
    switch (status >> 16) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        kernel_note_birth(tree, tid);
        return 0;
    case PTRACE_EVENT_EXEC:
        kernel_note_exec(tree, tid);
        return 0;
    case PTRACE_EVENT_EXIT:
        kernel_note_memory(tree, tid);
        return 0;
    default:
        /* Children begin with a SIGSTOP that is for us. */
        return signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
    }
}

/* Follows all processes to their ends. */
static void kernel_follow(ValidateTree *tree) {
    siginfo_t info;
    for (;;) {
        memset(&info, 0, sizeof info);
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) != 0) {
            if (errno == EINTR) {
                continue;
            }
            return; /* there are none any more */
        }
        int status = 0;
        if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
            info.si_code == CLD_DUMPED) {
            kernel_note_faults(tree, (uint32_t)info.si_pid);
            waitpid(info.si_pid, &status, __WALL);
        } else if (waitpid(info.si_pid, &status, __WALL) == info.si_pid && WIFSTOPPED(status)) {
            int signal = kernel_note_stop(tree, (uint32_t)info.si_pid, status);
            ptrace(PTRACE_CONT, info.si_pid, NULL, signal);
        }
    }
}

/* Written by the child, in the memory that it shares with us. */
typedef struct KernelStart {
    volatile long minor; /* faults before it executed the program */
    volatile int error;
} KernelStart;

static pid_t kernel_start(char **words, int nowhere, KernelStart *start) {
    pid_t pid = vfork();
    if (pid != 0) {
        return pid;
    }
    struct rusage usage;
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    getrusage(RUSAGE_SELF, &usage);
    start->minor = usage.ru_minflt;
    execvp(words[0], words);
    start->error = errno;
    _exit(127);
}

int validate_kernel_run(char **words, ValidateTree *tree) {
    KernelStart start = {0};
    int status = 0;
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    pid_t pid = kernel_start(words, nowhere, &start);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    close(nowhere);
    if (pid < 0) {
        cli_error("cannot make a process: %s", strerror(errno));
        return CLI_FAILURE;
    }
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) || start.error != 0) {
        cli_error("cannot follow '%s': %s", words[0],
                  strerror(start.error != 0 ? start.error : EPERM));
        return CLI_FAILURE;
    }
    size_t first = validate_tree_add(tree, (uint32_t)pid, SIZE_MAX);
    tree->processes[first].minor = -(uint64_t)start.minor;
    tree->processes[first].execs = 1;
    ptrace(PTRACE_SETOPTIONS, pid, NULL,
           PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
               PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT);
    ptrace(PTRACE_CONT, pid, NULL, 0);
    kernel_follow(tree);
    return CLI_OK;
}
