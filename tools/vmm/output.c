/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are written completely, or not without a message: open, every write and close are
 * checked, and so is standard output at the end of the program.
 *
 *     open (early, nothing is cut off) ──► run ──► cut off, write all, close
 *                                            └──► discard: a file that we made is removed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

enum { OUTPUT_CLOSED = -1 };

static int output_failed(const char *what, const char *path, int error) {
    cli_error("cannot %s '%s': %s", what, path, strerror(error));
    return CLI_FAILURE;
}

bool cli_output_is_stdout(const CliOutput *output) {
    return output->path != NULL && strcmp(output->path, "-") == 0;
}

int cli_output_open(CliOutput *output, const char *path, bool append) {
    *output = (CliOutput){.path = path, .fd = OUTPUT_CLOSED, .append = append};
    if (path == NULL || cli_output_is_stdout(output)) {
        return CLI_OK;
    }
    int access_mode = append ? O_RDWR | O_APPEND : O_WRONLY;
    output->fd = open(path, access_mode | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    output->created = output->fd >= 0;
    if (output->fd < 0 && errno == EEXIST) {
        output->fd = open(path, access_mode | O_CLOEXEC);
    }
    return output->fd < 0 ? output_failed("open for writing", path, errno) : CLI_OK;
}

void cli_output_discard(CliOutput *output) {
    if (output->path == NULL || output->fd == OUTPUT_CLOSED) {
        return;
    }
    close(output->fd);
    output->fd = OUTPUT_CLOSED;
    if (output->created) {
        unlink(output->path);
    }
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

/* Devices and pipes cannot be cut off, and need not be. */
static int output_truncate(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return errno;
    }
    return S_ISREG(status.st_mode) && ftruncate(fd, 0) != 0 ? errno : 0;
}

static int output_close(CliOutput *output, int error) {
    if (close(output->fd) != 0 && error == 0) {
        error = errno;
    }
    output->fd = OUTPUT_CLOSED;
    return error == 0 ? CLI_OK : output_failed("write", output->path, error);
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
    int error = output->append ? 0 : output_truncate(output->fd);
    if (error == 0) {
        error = output_write_all(output->fd, text, length);
    }
    return output_close(output, error);
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
