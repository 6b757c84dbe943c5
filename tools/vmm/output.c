/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are written completely, or not at all and not without a message: open, every write
 * and close are checked, and so is standard output at the end of the program.
 *
 *     open: can a file be made there? ──► run ──► temporary file beside the target: write all
 *                                                   │ complete                 │ failed
 *                                                   ▼                          ▼
 *                                                 rename to the target       remove; the target
 *                                                                            is as it was
 *
 * The temporary file exists only while it is written, after the run: a run that is killed leaves
 * nothing, and a full disk leaves the old file. A stream is written during the run, into a file
 * that gets its name last. What is no regular file (a device, a pipe), and the
 * file that standard output goes to, is written directly; so is a CSV file that is appended to,
 * which is cut back to its old length when that fails. Symbolic links stay: their target is
 * replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

enum { OUTPUT_CLOSED = -1, OUTPUT_LINKS_MAX = 40 };

static int output_failed(const char *what, const char *path, int error) {
    cli_error("cannot %s '%s': %s", what, path, strerror(error));
    return CLI_FAILURE;
}

bool cli_output_is_stdout(const CliOutput *output) {
    return output->path != NULL && strcmp(output->path, "-") == 0;
}

/* ---- Names ---------------------------------------------------------------------------------- */

/* NAME in the folder that `path` is in. */
static char *output_beside(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    return cli_format("%.*s%s", slash != NULL ? (int)(slash + 1 - path) : 0, path, name);
}

/* Where a symbolic link leads to, one step; NULL if `path` is none. */
static char *output_follow(const char *path) {
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) {
        return NULL;
    }
    target[length] = '\0';
    return target[0] == '/' ? cli_copy(target, (size_t)length) : output_beside(path, target);
}

/* The last part of a path without links, of a file that need not exist; NULL: no such folder. */
static char *output_resolve_last(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = output_beside(path, ".");
    char *real = realpath(folder, NULL);
    char *resolved = NULL;
    if (real != NULL) {
        resolved = cli_format("%s/%s", strcmp(real, "/") == 0 ? "" : real,
                              slash != NULL ? slash + 1 : path);
    }
    free(real);
    free(folder);
    return resolved;
}

/* The path without links and dots, of a file that need not exist. NULL if its folder does not. */
static char *output_resolve(const char *path) {
    char *at = cli_copy(path, strlen(path));
    for (int links = 0; links < OUTPUT_LINKS_MAX; links++) {
        char *target = output_follow(at);
        if (target == NULL) {
            char *resolved = output_resolve_last(at);
            free(at);
            return resolved;
        }
        free(at);
        at = target;
    }
    free(at);
    return NULL;
}

/* 0, or -1 if there is no such file; "-" is the standard stream of its direction. */
static int output_stat(const CliFileName *name, struct stat *status) {
    if (strcmp(name->path, "-") == 0) {
        return fstat(name->is_output ? STDOUT_FILENO : STDIN_FILENO, status);
    }
    return stat(name->path, status);
}

/* Devices and pipes may be named twice: they do not lose what was written. */
static bool output_same_file(const CliFileName *a, const CliFileName *b) {
    struct stat of_a, of_b;
    bool found_a = output_stat(a, &of_a) == 0, found_b = output_stat(b, &of_b) == 0;
    if (found_a && found_b) {
        return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino && S_ISREG(of_a.st_mode);
    }
    if (found_a || found_b) {
        return false;
    }
    char *path_a = output_resolve(a->path), *path_b = output_resolve(b->path);
    bool same = path_a != NULL && path_b != NULL && strcmp(path_a, path_b) == 0;
    free(path_a);
    free(path_b);
    return same;
}

static int output_refuse_pair(const CliFileName *a, const CliFileName *b) {
    if (a->is_output) {
        cli_error("%s %s and %s %s are the same file; each needs a file of its own", a->flag,
                  a->path, b->flag, b->path);
    } else {
        cli_error("%s %s and %s %s are the same file, which would be overwritten; choose another "
                  "name for %s",
                  a->flag, a->path, b->flag, b->path, b->flag);
    }
    return CLI_FAILURE;
}

int cli_output_check_names(const CliFileName *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (names[i].path != NULL && names[j].path != NULL && names[j].is_output &&
                output_same_file(&names[i], &names[j])) {
                return output_refuse_pair(&names[i], &names[j]);
            }
        }
    }
    return CLI_OK;
}

int cli_output_check_files(const CliCommand *command, const CliFiles *files) {
    const CliFileName names[] = {{"-t", files->trace, false},
                                 {"--config", files->config, false},
                                 {"-o", files->json, true},
                                 {"--csv", files->csv, true},
                                 {"--plot", files->plot, true},
                                 {"--memory", files->memory, true},
                                 {"--memory-plot", files->memory_plot, true}};
    if (files->json != NULL && files->csv != NULL && strcmp(files->json, "-") == 0 &&
        strcmp(files->csv, "-") == 0) {
        return cli_usage_error(command->name, "only one of -o and --csv can be standard output");
    }
    return cli_output_check_names(names, sizeof names / sizeof names[0]);
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Makes a file beside the target; -1 with errno. *name is to be freed in any case. */
static int output_make_temporary(const char *target, char **name) {
    *name = output_beside(target, ".vmm-XXXXXX");
    return mkostemp(*name, O_CLOEXEC);
}

/* A descriptor of the stream that goes to this very file; -1 if none does. */
static int output_standard_stream(const struct stat *status) {
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat stream;
        if (fstat(fd, &stream) == 0 && stream.st_dev == status->st_dev &&
            stream.st_ino == status->st_ino) {
            return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        }
    }
    return -1;
}

/* Can a file be made there, later? 0 or an errno. Without a name, if the file system can. */
static int output_try_temporary(const char *target) {
    char *name = output_beside(target, ".");
    int fd = open(name, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    int error = 0;
    if (fd < 0) {
        free(name);
        fd = output_make_temporary(target, &name);
        error = fd < 0 ? errno : 0;
        unlink(name);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(name);
    return error;
}

/* A file that exists: the descriptor for writing it directly, or `target` set. 0 or an errno. */
static int output_open_existing(CliOutput *output, const struct stat *status) {
    if (S_ISREG(status->st_mode) && (output->fd = output_standard_stream(status)) >= 0) {
        return 0;
    }
    output->fd = open(output->path, O_WRONLY | O_CLOEXEC);
    if (output->fd < 0) {
        return errno;
    }
    output->cut = S_ISREG(status->st_mode);
    if (!output->cut) {
        return 0;
    }
    /* In a folder that takes no new files, the old one is written over. */
    output->target = realpath(output->path, NULL);
    if (output->target != NULL && output_try_temporary(output->target) != 0) {
        free(output->target);
        output->target = NULL;
    }
    return 0;
}

static int output_open_replacing(CliOutput *output) {
    struct stat status;
    if (stat(output->path, &status) == 0) {
        return output_open_existing(output, &status);
    }
    if (errno != ENOENT) {
        return errno;
    }
    output->target = output_resolve(output->path);
    return output->target == NULL ? ENOENT : output_try_temporary(output->target);
}

static int output_open_appending(CliOutput *output) {
    output->fd = open(output->path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    output->created = output->fd >= 0;
    if (output->fd < 0 && errno == EEXIST) {
        output->fd = open(output->path, O_RDWR | O_APPEND | O_CLOEXEC);
    }
    return output->fd < 0 ? errno : 0;
}

int cli_output_open(CliOutput *output, const char *path, bool append) {
    *output = (CliOutput){.path = path, .fd = OUTPUT_CLOSED, .append = append};
    if (path == NULL || cli_output_is_stdout(output)) {
        return CLI_OK;
    }
    int error = append ? output_open_appending(output) : output_open_replacing(output);
    return error != 0 ? output_failed("open for writing", path, error) : CLI_OK;
}

static void output_release(CliOutput *output) {
    if (output->path != NULL && output->fd != OUTPUT_CLOSED) {
        close(output->fd);
    }
    output->fd = OUTPUT_CLOSED;
    free(output->target);
    output->target = NULL;
}

void cli_output_discard(CliOutput *output) {
    struct stat status;
    if (output->path == NULL) {
        return;
    }
    /* Another run may have appended to the file that we made. */
    if (output->fd != OUTPUT_CLOSED && output->created && fstat(output->fd, &status) == 0 &&
        status.st_size == 0) {
        unlink(output->path);
    }
    output_release(output);
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* 0, or the errno of the write that failed. */
static int output_write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return errno;
        }
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Closes what was written: the first error counts. */
static int output_close(int fd, int error) {
    return close(fd) != 0 && error == 0 ? errno : error;
}

/* The rights that the new file shall have: those of the old one, else those that any file gets. */
static void output_set_rights(const CliOutput *output, int fd) {
    struct stat status;
    if (stat(output->target, &status) == 0) {
        /* A file of another owner becomes ours unless we may give it away. */
        if (fchown(fd, status.st_uid, status.st_gid) != 0) {
            errno = 0;
        }
        (void)fchmod(fd, status.st_mode & 0777);
        return;
    }
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(fd, 0666 & ~mask);
}

/* Holds back the signals that users send, so that none leaves the temporary file behind. */
static void output_hold_signals(sigset_t *before) {
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigprocmask(SIG_BLOCK, &held, before);
}

/* 0 or an errno; the target is new and whole, or as it was. */
static int output_replace(const CliOutput *output, const char *text, size_t length) {
    char *name;
    sigset_t before;
    output_hold_signals(&before);
    int fd = output_make_temporary(output->target, &name);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        output_set_rights(output, fd);
        error = output_close(fd, output_write_all(fd, text, length));
        if (error == 0 && rename(name, output->target) != 0) {
            error = errno;
        }
        if (error != 0) {
            unlink(name);
        }
    }
    free(name);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* 0 or an errno; a file that was appended to gets its old length back when that fails. */
static int output_write_directly(CliOutput *output, const char *text, size_t length) {
    struct stat status;
    int error = output->cut && ftruncate(output->fd, 0) != 0 ? errno : 0;
    bool regular = fstat(output->fd, &status) == 0 && S_ISREG(status.st_mode);
    if (error == 0) {
        error = output_write_all(output->fd, text, length);
    }
    if (error != 0 && output->append && regular && ftruncate(output->fd, status.st_size) != 0) {
        cli_warning("'%s' ends in a line that is cut off", output->path);
    }
    int fd = output->fd;
    output->fd = OUTPUT_CLOSED;
    return output_close(fd, error);
}

static int output_write_stdout(const char *text, size_t length) {
    /* Errors stay with the stream; cli_finish_stdout() reports them. */
    (void)fwrite(text, 1, length, stdout);
    return CLI_OK;
}

int cli_output_write(CliOutput *output, const char *text, size_t length) {
    if (output->path == NULL) {
        return CLI_OK;
    }
    if (cli_output_is_stdout(output)) {
        return output_write_stdout(text, length);
    }
    int error = output->target != NULL ? output_replace(output, text, length)
                                       : output_write_directly(output, text, length);
    output_release(output);
    return error == 0 ? CLI_OK : output_failed("write", output->path, error);
}

/* ---- Streams -------------------------------------------------------------------------------- */

/* A file without a name in the folder of the target, or else one with a name. 0 or an errno. */
static int output_start_stream(CliStream *stream) {
    if (access("/proc/self/fd", X_OK) == 0) {
        char *folder = output_beside(stream->output.target, ".");
        stream->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        free(folder);
    }
    if (stream->fd < 0) {
        stream->fd = output_make_temporary(stream->output.target, &stream->temporary);
    }
    return stream->fd < 0 ? errno : 0;
}

int cli_stream_open(CliStream *stream, const char *path) {
    *stream = (CliStream){.fd = OUTPUT_CLOSED};
    if (cli_output_open(&stream->output, path, false) != CLI_OK) {
        return CLI_FAILURE;
    }
    CliOutput *output = &stream->output;
    int error = 0;
    if (cli_output_is_stdout(output)) {
        cli_flush_stdout();
        stream->fd = STDOUT_FILENO;
    } else if (output->target != NULL) {
        error = output_start_stream(stream);
    } else {
        error = output->cut && ftruncate(output->fd, 0) != 0 ? errno : 0;
        stream->fd = output->fd;
    }
    if (error != 0) {
        output_failed("open for writing", path, error);
        cli_stream_discard(stream);
        return CLI_FAILURE;
    }
    return CLI_OK;
}

/* Gives a file without a name one beside the target. 0 or an errno. */
static int output_name_stream(CliStream *stream) {
    char *itself = cli_format("/proc/self/fd/%d", stream->fd);
    int error = EEXIST;
    for (unsigned attempt = 0; error == EEXIST && attempt < 1000; attempt++) {
        char *word = cli_format(".vmm-%ld-%u", (long)getpid(), attempt);
        free(stream->temporary);
        stream->temporary = output_beside(stream->output.target, word);
        free(word);
        error = linkat(AT_FDCWD, itself, AT_FDCWD, stream->temporary, AT_SYMLINK_FOLLOW) == 0
                    ? 0
                    : errno;
    }
    if (error != 0) {
        free(stream->temporary);
        stream->temporary = NULL;
    }
    free(itself);
    return error;
}

/* 0 or an errno. */
static int output_finish_stream(CliStream *stream) {
    sigset_t before;
    output_hold_signals(&before);
    output_set_rights(&stream->output, stream->fd);
    int error = stream->temporary == NULL ? output_name_stream(stream) : 0;
    error = output_close(stream->fd, error);
    stream->fd = OUTPUT_CLOSED;
    if (error == 0 && rename(stream->temporary, stream->output.target) != 0) {
        error = errno;
    }
    if (error == 0) {
        free(stream->temporary);
        stream->temporary = NULL;
    }
    cli_stream_discard(stream);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return error;
}

int cli_stream_finish(CliStream *stream) {
    const char *path = stream->output.path;
    if (stream->output.target == NULL) {
        stream->fd = OUTPUT_CLOSED; /* of the output, or standard output */
        int fd = stream->output.fd;
        stream->output.fd = OUTPUT_CLOSED;
        return fd == OUTPUT_CLOSED || close(fd) == 0 ? CLI_OK : output_failed("write", path, errno);
    }
    int error = output_finish_stream(stream);
    return error == 0 ? CLI_OK : output_failed("write", path, error);
}

void cli_stream_discard(CliStream *stream) {
    if (stream->output.path == NULL) {
        return;
    }
    if (stream->output.target != NULL && stream->fd != OUTPUT_CLOSED) {
        close(stream->fd);
    }
    if (stream->temporary != NULL) {
        unlink(stream->temporary);
        free(stream->temporary);
    }
    stream->fd = OUTPUT_CLOSED;
    stream->temporary = NULL;
    cli_output_discard(&stream->output);
    stream->output.path = NULL;
}

/* ---- CSV ------------------------------------------------------------------------------------ */

/* The size of a regular file, 0 for all else. */
static off_t output_size(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;
}

static bool output_ends_with_newline(int fd, off_t size) {
    char last = '\0';
    return pread(fd, &last, 1, size - 1) == 1 && last == '\n';
}

int cli_output_check_header(const CliOutput *output, const char *header) {
    if (output->path == NULL || !output->append || cli_output_is_stdout(output)) {
        return CLI_OK;
    }
    off_t size = output_size(output->fd);
    if (size == 0) {
        return CLI_OK;
    }
    size_t length = strlen(header);
    char *found = cli_alloc(length + 1, 1);
    ssize_t got = pread(output->fd, found, length, 0);
    bool equal = got == (ssize_t)length && memcmp(found, header, length) == 0;
    free(found);
    if (!equal) {
        cli_error("cannot append to '%s': its first line is not the header of this version's "
                  "CSV; choose another file or remove this one",
                  output->path);
    } else if (!output_ends_with_newline(output->fd, size)) {
        cli_error("cannot append to '%s': its last line is cut off", output->path);
    } else {
        return CLI_OK;
    }
    return CLI_FAILURE;
}

/* The lock keeps runs that append to one file at the same time from writing two headers. */
int cli_output_write_csv(CliOutput *output, const char *header, const char *rows) {
    if (output->path == NULL) {
        return CLI_OK;
    }
    if (output->append && !cli_output_is_stdout(output)) {
        (void)flock(output->fd, LOCK_EX);
    }
    if (cli_output_check_header(output, header) != CLI_OK) {
        cli_output_discard(output);
        return CLI_FAILURE;
    }
    bool empty = !output->append || cli_output_is_stdout(output) || output_size(output->fd) == 0;
    char *text = cli_format("%s%s", empty ? header : "", rows);
    int status = cli_output_write(output, text, strlen(text));
    free(text);
    return status;
}

/* ---- Standard output ------------------------------------------------------------------------ */

/* The first error of standard output, or 0: stdio forgets it. */
static int output_stdout_error;

void cli_flush_stdout(void) {
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if ((fflush(stdout) != 0 || failed) && output_stdout_error == 0) {
        output_stdout_error = errno != 0 ? errno : EIO;
    }
}

int cli_finish_stdout(void) {
    cli_flush_stdout();
    if (close(STDOUT_FILENO) != 0 && errno != EBADF && output_stdout_error == 0) {
        output_stdout_error = errno;
    }
    if (output_stdout_error == 0) {
        return CLI_OK;
    }
    /* Whoever closed the pipe early knows. */
    if (output_stdout_error != EPIPE) {
        cli_error("cannot write to standard output: %s", strerror(output_stdout_error));
    }
    return CLI_FAILURE;
}

char *cli_report(const VMM *vmm, VMMReportKind kind, const VMMReportContext *context) {
    long length = vmm_report(vmm, kind, context, NULL, 0);
    if (length < 0) {
        cli_error("cannot make the report: %s", vmm_error_message((int)length));
        return NULL;
    }
    char *text = cli_alloc((size_t)length + 1, 1);
    vmm_report(vmm, kind, context, text, (size_t)length + 1);
    return text;
}
