/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a recorder, and starts the program under it.
 *
 *     our own tool   bin/vmmrec beside vmm, or ../libexec/vmm/vmmrec; $VMM_RECORDER names another
 *     Lackey         a tool of every Valgrind; slow, without processes, threads and mappings
 *     fast           the program itself, compiled by vmm cc
 *
 * The program gets the streams, the folder, the environment and the process group that vmm has, and
 * no descriptor more.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"

/* ---- Files ---------------------------------------------------------------------------------- */

/* The first file of that name that can be executed, in the folders of $PATH; free() it. */
static char *record_launch_in_path(const char *name) {
    const char *path = getenv("PATH");
    path = path != NULL ? path : "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t length = strcspn(path, ":");
        char *candidate = cli_format("%.*s%s%s", (int)length, path, length > 0 ? "/" : "", name);
        struct stat status;
        if (access(candidate, X_OK) == 0 && stat(candidate, &status) == 0 &&
            S_ISREG(status.st_mode)) {
            return candidate;
        }
        free(candidate);
        if (path[length] == '\0') {
            return NULL;
        }
        path += length + 1;
    }
}

int record_launch_check(const char *program) {
    struct stat status;
    if (strchr(program, '/') == NULL) {
        char *found = record_launch_in_path(program);
        if (found == NULL) {
            cli_error("cannot run '%s': not found in the folders of $PATH", program);
            return RECORD_NOT_FOUND;
        }
        free(found);
        return CLI_OK;
    }
    if (stat(program, &status) != 0) {
        int error = errno;
        cli_error("cannot run '%s': %s", program, strerror(error));
        return error == ENOENT || error == ENOTDIR ? RECORD_NOT_FOUND : RECORD_NOT_EXECUTABLE;
    }
    if (!S_ISREG(status.st_mode) || access(program, X_OK) != 0) {
        cli_error("cannot run '%s': %s", program,
                  S_ISDIR(status.st_mode) ? strerror(EISDIR) : strerror(EACCES));
        return RECORD_NOT_EXECUTABLE;
    }
    return CLI_OK;
}

/* Our launcher of the tool, if the tool lies beside it; free() it. NULL: it is not there. */
static char *record_launch_find_tool(void) {
    static const char *const places[] = {"vmmrec", "../libexec/vmm/vmmrec"};
    const char *given = getenv("VMM_RECORDER");
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (given != NULL) {
        return access(given, X_OK) == 0 ? cli_format("%s", given) : NULL;
    }
    if (length <= 0) {
        return NULL;
    }
    self[length] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int folder = (int)(strrchr(self, '/') - self);
        char *launcher = cli_format("%.*s/%s", folder, self, places[i]);
        char *tool = cli_format("%s-amd64-linux", launcher);
        bool found = access(launcher, X_OK) == 0 && access(tool, X_OK) == 0;
        free(tool);
        if (found) {
            return launcher;
        }
        free(launcher);
    }
    return NULL;
}

int record_launch_choose(RecordRecorder *recorder) {
    char *tool = record_launch_find_tool();
    char *valgrind = record_launch_in_path("valgrind");
    bool has_tool = tool != NULL, has_valgrind = valgrind != NULL;
    free(tool);
    free(valgrind);
    if (*recorder == RECORD_FAST || (*recorder == RECORD_VALGRIND && has_tool) ||
        (*recorder == RECORD_LACKEY && has_valgrind)) {
        return CLI_OK;
    }
    if (*recorder == RECORD_VALGRIND) {
        cli_error("our Valgrind tool vmmrec is not there; with the package valgrind installed, "
                  "./dev build makes it");
        return CLI_FAILURE;
    }
    if (*recorder == RECORD_AUTO && has_tool) {
        *recorder = RECORD_VALGRIND;
        return CLI_OK;
    }
    if (!has_valgrind) {
        cli_error("no recorder is there: please install Valgrind (apt-get install valgrind) and "
                  "build vmm anew, or compile the program with vmm cc");
        return CLI_FAILURE;
    }
    cli_warning("our Valgrind tool vmmrec is not there; recording with Lackey: about a "
                "thousand times slower than the program, one stream without processes, threads "
                "and mappings, nothing of the kernel");
    *recorder = RECORD_LACKEY;
    return CLI_OK;
}

/* ---- Starting ------------------------------------------------------------------------------- */

static char **record_launch_join(const char *const *options, size_t count, char **words) {
    size_t word_count = 0;
    while (words[word_count] != NULL) {
        word_count++;
    }
    char **joined = cli_alloc(count + word_count + 1, sizeof *joined);
    for (size_t i = 0; i < count; i++) {
        joined[i] = cli_format("%s", options[i]);
    }
    memcpy(joined + count, words, (word_count + 1) * sizeof *words);
    return joined;
}

/* The name under which another process opens a descriptor of this one. */
static char *record_launch_own(int fd) {
    return cli_format("/proc/%ld/fd/%d", (long)getpid(), fd);
}

static char **record_launch_tool_words(const RecordQueue *queue, char **words) {
    char *launcher = record_launch_find_tool();
    char *channel = record_launch_own(queue->fd);
    char *log = record_launch_own(queue->log_fd);
    char *option = cli_format("--channel=%s", channel);
    char *log_option = cli_format("--log-file=%s", log);
    const char *const options[] = {
        launcher != NULL ? launcher : "vmmrec",
        "--tool=vmmrec",
        "--command-line-only=yes", /* no ~/.valgrindrc, no $VALGRIND_OPTS */
        "-q",
        log_option, /* its own messages are not the program's */
        "--vgdb=no",
        "--max-threads=2000",
        "--px-default=allregs-at-each-insn", /* keeps loads whose result nobody uses */
        "--px-file-backed=allregs-at-each-insn",
        "--trace-children=yes",
        "--child-silent-after-fork=yes",
        "--fair-sched=try", /* threads take turns, as they would */
        "--sigill-diagnostics=no",
        option,
        "--",
    };
    char **joined = record_launch_join(options, sizeof options / sizeof options[0], words);
    free(option);
    free(log_option);
    free(channel);
    free(log);
    free(launcher);
    return joined;
}

static char **record_launch_lackey_words(int log, char **words) {
    char *option = cli_format("--log-fd=%d", log);
    const char *const options[] = {
        "valgrind",
        "--tool=lackey",
        "--command-line-only=yes",
        "-q",
        "--vgdb=no",
        "--trace-mem=yes",
        option,
        "--",
    };
    char **joined = record_launch_join(options, sizeof options / sizeof options[0], words);
    free(option);
    return joined;
}

/* In the child: what vmm ignores for itself is the program's again. */
static _Noreturn void record_launch_exec(RecordRecorder recorder, char **words, const char *channel,
                                         int error_pipe) {
    signal(SIGXFSZ, SIG_DFL);
    if (recorder == RECORD_FAST) {
        setenv("VMM_RECORD_CHANNEL", channel, 1);
    }
    execvp(words[0], words);
    int error = errno;
    ssize_t written = write(error_pipe, &error, sizeof error);
    (void)written;
    _exit(RECORD_NOT_EXECUTABLE);
}

/* Forks and waits until the exec has happened, or says why it has not. */
static pid_t record_launch_start(RecordRecorder recorder, char **words, const char *channel,
                                 int log) {
    int pipes[2];
    int error = 0;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        cli_error("cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (log >= 0) {
            fcntl(log, F_SETFD, 0);
        }
        record_launch_exec(recorder, words, channel, pipes[1]);
    }
    close(pipes[1]);
    if (pid < 0) {
        cli_error("cannot make a process: %s", strerror(errno));
    } else if (read(pipes[0], &error, sizeof error) == (ssize_t)sizeof error) {
        cli_error("cannot run '%s': %s", words[0], strerror(error));
        pid = -1;
    }
    close(pipes[0]);
    return pid;
}

static void record_launch_free(char **joined, char **words) {
    size_t count = 0, own = 0;
    while (joined[count] != NULL) {
        count++;
    }
    while (words[own] != NULL) {
        own++;
    }
    for (size_t i = 0; i + own < count; i++) {
        free(joined[i]);
    }
    free(joined);
}

pid_t record_launch(RecordRecorder recorder, const RecordQueue *queue, char **words) {
    char *channel = record_launch_own(queue->fd);
    pid_t pid;
    if (recorder == RECORD_FAST) {
        pid = record_launch_start(recorder, words, channel, -1);
    } else {
        char **joined = record_launch_tool_words(queue, words);
        pid = record_launch_start(recorder, joined, channel, -1);
        record_launch_free(joined, words);
    }
    free(channel);
    return pid;
}

pid_t record_launch_lackey(char **words, int log) {
    char **joined = record_launch_lackey_words(log, words);
    pid_t pid = record_launch_start(RECORD_LACKEY, joined, NULL, log);
    record_launch_free(joined, words);
    return pid;
}
