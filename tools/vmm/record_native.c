/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --compare-native: the recorded program once more, unrecorded, so that the slow-down is measured
 * and not guessed. It gets the same input from the same place on, and its output goes nowhere:
 *
 *     input of the recording      of the run alone
 *     a file                      the file, opened anew, from where the recording began
 *     /dev/null, a terminal       /dev/null
 *     a pipe, a socket            cannot be read twice: refused before the recording
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"

int record_native_check(RecordNative *native) {
    struct stat input, null;
    native->offset = -1;
    if (fstat(STDIN_FILENO, &input) != 0 || isatty(STDIN_FILENO)) {
        return CLI_OK;
    }
    if (S_ISREG(input.st_mode)) {
        native->offset = lseek(STDIN_FILENO, 0, SEEK_CUR);
        if (native->offset >= 0) {
            return CLI_OK;
        }
    }
    if (S_ISCHR(input.st_mode) && stat("/dev/null", &null) == 0 && input.st_rdev == null.st_rdev) {
        return CLI_OK;
    }
    cli_error("--compare-native runs the program twice, but its standard input is no file and "
              "cannot be read twice; give it one (< FILE) or none (< /dev/null)");
    return CLI_FAILURE;
}

/* In the child. */
static _Noreturn void record_native_exec(const RecordNative *native, char **words) {
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    int input = nowhere;
    if (native->offset >= 0) {
        input = open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC);
        if (input < 0 || lseek(input, native->offset, SEEK_SET) != native->offset) {
            _exit(RECORD_NOT_EXECUTABLE);
        }
    }
    dup2(input, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    signal(SIGXFSZ, SIG_DFL);
    execvp(words[0], words);
    _exit(RECORD_NOT_FOUND);
}

bool record_native_run(RecordNative *native, char **words) {
    native->seconds = -cli_now();
    pid_t pid = fork();
    if (pid == 0) {
        record_native_exec(native, words);
    }
    if (pid < 0) {
        cli_error("cannot run the program once more: %s", strerror(errno));
        return false;
    }
    record_signals_pass_to(pid);
    while (waitpid(pid, &native->wait_status, 0) < 0 && errno == EINTR) {}
    record_signals_pass_to(0);
    native->seconds += cli_now();
    return true;
}
