/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a sweep: it grows by the rows of each finished block, so that a sweep that is killed
 * loses only the blocks that were running, and what it holds is taken over when it is opened again.
 *
 *     open: lock ──► read ──► cut off a half-written last row ──► match rows with the plan
 *     run:  rows of a block at its end, in one write; a write that fails is undone
 *     end:  blocks end in any order: if the file is not in the plan's order it is replaced by one
 *           that is, which gets its name when it is complete
 *
 * Rows that could not be run are taken out when the file is opened, and run again: whatever was in
 * their way may be gone. Standard output, pipes and devices get the rows in order, as far as they
 * are complete, and cannot be gone on with.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sweep.h"

static int sweepstore_failed(const SweepStore *store, const char *what, int error) {
    cli_error("cannot %s '%s': %s", what, store->file != NULL ? store->file : store->path,
              strerror(error));
    return CLI_FAILURE;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* 0, or the errno of the write that failed. */
static int sweepstore_write(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        text += written < 0 ? 0 : written;
        length -= written < 0 ? 0 : (size_t)written;
    }
    return 0;
}

/* Adds text to the file, all of it or nothing. */
static int sweepstore_append(SweepStore *store, const char *text, size_t length) {
    off_t before = store->file != NULL ? lseek(store->fd, 0, SEEK_END) : 0;
    int error = sweepstore_write(store->fd, text, length);
    if (error == 0) {
        return CLI_OK;
    }
    if (store->file != NULL && ftruncate(store->fd, before) != 0) {
        cli_warning("'%s' ends in a line that is cut off", store->file);
    }
    return sweepstore_failed(store, "write", error);
}

/* The rows behind those that were written, as far as they are complete. */
static int sweepstore_add_in_order(SweepStore *store) {
    const SweepPlan *plan = store->plan;
    int status = CLI_OK;
    while (status == CLI_OK && store->next_row < plan->count &&
           plan->rows[store->next_row].text != NULL) {
        const char *text = plan->rows[store->next_row++].text;
        status = sweepstore_append(store, text, strlen(text));
    }
    return status;
}

int sweep_store_add(SweepStore *store, const size_t *rows, size_t count) {
    if (store->file == NULL) {
        return sweepstore_add_in_order(store);
    }
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (size_t i = 0; out != NULL && i < count; i++) {
        store->in_order =
            store->in_order && (store->last_row == SIZE_MAX || rows[i] > store->last_row);
        store->last_row = rows[i];
        fputs(store->plan->rows[rows[i]].text, out);
    }
    int status = CLI_FAILURE;
    if (out == NULL || fclose(out) != 0) {
        cli_error("out of memory");
    } else {
        status = sweepstore_append(store, text, length);
    }
    free(text);
    return status;
}

char *sweep_store_text(const SweepStore *store, size_t *length) {
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    if (out == NULL) {
        return NULL;
    }
    fputs(store->header, out);
    for (size_t i = 0; i < store->plan->count; i++) {
        fputs(store->plan->rows[i].text != NULL ? store->plan->rows[i].text : "", out);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Replaces the file by one that holds the rows there are, in order. */
static int sweepstore_rewrite(SweepStore *store) {
    CliStream stream;
    size_t length;
    char *text = sweep_store_text(store, &length);
    if (text == NULL) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    int status = cli_stream_open(&stream, store->file);
    if (status == CLI_OK) {
        int error = sweepstore_write(stream.fd, text, length);
        status = error != 0 ? sweepstore_failed(store, "write", error) : cli_stream_finish(&stream);
        cli_stream_discard(&stream);
    }
    free(text);
    return status;
}

/* ---- Taking over what a file holds ----------------------------------------------------------- */

/* Reads the whole file; NULL after a message. */
static char *sweepstore_read(const SweepStore *store, size_t *length) {
    struct stat status;
    if (fstat(store->fd, &status) != 0) {
        sweepstore_failed(store, "read", errno);
        return NULL;
    }
    char *text = cli_alloc((size_t)status.st_size + 1, 1);
    *length = 0;
    while (*length < (size_t)status.st_size) {
        ssize_t got =
            pread(store->fd, text + *length, (size_t)status.st_size - *length, (off_t)*length);
        if (got < 0) {
            sweepstore_failed(store, "read", errno);
            free(text);
            return NULL;
        }
        if (got == 0) {
            break;
        }
        *length += (size_t)got;
    }
    return text;
}

typedef struct StoreKey {
    uint64_t experiment;
    size_t row;
} StoreKey;

static int sweepstore_compare(const void *a, const void *b) {
    const StoreKey *x = a, *y = b;
    return x->experiment < y->experiment ? -1 : x->experiment > y->experiment;
}

/* The plan's rows by their experiments; free() them. */
static StoreKey *sweepstore_keys(const SweepPlan *plan) {
    StoreKey *keys = cli_alloc(plan->count, sizeof *keys);
    for (size_t i = 0; i < plan->count; i++) {
        keys[i] = (StoreKey){plan->rows[i].experiment, i};
    }
    qsort(keys, plan->count, sizeof *keys, sweepstore_compare);
    return keys;
}

static int sweepstore_refuse(const SweepStore *store, size_t line, const char *why) {
    cli_error("%s: row %zu %s; write to another file, or say --restart to give up what this one "
              "holds",
              store->file, line, why);
    return CLI_FAILURE;
}

/* One row of the file: kept if the plan wants it. */
static int sweepstore_take(SweepStore *store, const StoreKey *keys, const char *text,
                           const SweepRecord *record, size_t columns, size_t line) {
    if (record->field_count != columns) {
        return sweepstore_refuse(store, line, "has another number of fields than the header");
    }
    char *end = sweep_field(text, record, columns - SWEEP_END_FROM_END);
    bool failed = strcmp(end, SWEEP_FAILED) == 0;
    free(end);
    if (failed) { /* it is run again */
        store->in_order = false;
        return CLI_OK;
    }
    char *experiment = sweep_field(text, record, columns - SWEEP_EXPERIMENT_FROM_END);
    StoreKey wanted = {.experiment = strtoull(experiment, NULL, 16)};
    free(experiment);
    const StoreKey *key =
        bsearch(&wanted, keys, store->plan->count, sizeof *keys, sweepstore_compare);
    if (key == NULL) {
        return sweepstore_refuse(store, line,
                                 "is of another experiment: its values, an option that does not "
                                 "vary, the trace, a policy's file or the version of vmm are not "
                                 "those of now");
    }
    SweepRow *row = &store->plan->rows[key->row];
    char *begin = sweep_row_begin(store->plan, key->row);
    bool same = strncmp(text, begin, strlen(begin)) == 0;
    free(begin);
    if (!same || row->text != NULL) {
        return sweepstore_refuse(store, line, same ? "stands twice" : "was changed");
    }
    row->text = cli_copy(text, record->length);
    store->in_order = store->in_order && (store->kept == 0 || key->row > store->last_row);
    store->last_row = key->row;
    store->kept++;
    return CLI_OK;
}

/* What a file begins with that was killed while its header was written. */
static bool sweepstore_is_begun(const SweepStore *store, const char *text, size_t length) {
    return length < strlen(store->header) && strncmp(text, store->header, length) == 0;
}

/* All rows of the text; *good is where the last complete one ends. */
static int sweepstore_take_all(SweepStore *store, const char *text, size_t length, size_t *good) {
    SweepRecord record = {0};
    int status = CLI_OK;
    *good = 0;
    if (sweepstore_is_begun(store, text, length)) {
        return CLI_OK;
    }
    if (strncmp(text, store->header, strlen(store->header)) != 0) {
        cli_error("%s: its first line is not the header that this sweep writes: it is of another "
                  "experiment, or no sweep at all; write to another file, or say --restart to "
                  "give up what this one holds",
                  store->file);
        return CLI_FAILURE;
    }
    StoreKey *keys = sweepstore_keys(store->plan);
    sweep_scan(text, length, &record);
    size_t columns = record.field_count;
    for (size_t line = 1; status == CLI_OK && record.length > 0; line++) {
        *good += record.length;
        sweep_scan(text + *good, length - *good, &record);
        if (record.length > 0) {
            status = sweepstore_take(store, keys, text + *good, &record, columns, line);
        }
    }
    free(record.field);
    free(keys);
    return status;
}

static int sweepstore_take_file(SweepStore *store) {
    size_t length, good;
    char *text = sweepstore_read(store, &length);
    if (text == NULL) {
        return CLI_FAILURE;
    }
    int status = sweepstore_take_all(store, text, length, &good);
    if (status == CLI_OK && good < length) {
        cli_warning("%s: its last line was cut off, and is made anew", store->file);
        status = ftruncate(store->fd, (off_t)good) == 0 ? CLI_OK
                                                        : sweepstore_failed(store, "write", errno);
    }
    if (status == CLI_OK && good == 0) {
        status = sweepstore_append(store, store->header, strlen(store->header));
    }
    free(text);
    return status;
}

/* ---- Opening and closing -------------------------------------------------------------------- */

/* Opens and locks the file. The lock ends with the descriptor. */
static int sweepstore_open_file(SweepStore *store, bool restart, const char *first) {
    struct stat status;
    store->fd = open(store->file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (store->fd < 0) {
        return sweepstore_failed(store, "open for writing", errno);
    }
    if (flock(store->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        cli_error("%s: another sweep is writing to it", store->file);
        return CLI_FAILURE;
    }
    if (restart && ftruncate(store->fd, 0) != 0) {
        return sweepstore_failed(store, "write", errno);
    }
    if (first != NULL && fstat(store->fd, &status) == 0 && status.st_size == 0) {
        return sweepstore_append(store, first, strlen(first));
    }
    return CLI_OK;
}

/* The file without the rows that were taken out, and in order. */
static int sweepstore_clean(SweepStore *store) {
    int status = sweepstore_rewrite(store);
    if (status != CLI_OK) {
        return status;
    }
    close(store->fd); /* of the file that was replaced */
    status = sweepstore_open_file(store, false, NULL);
    store->in_order = true;
    store->last_row = SIZE_MAX;
    for (size_t i = 0; i < store->plan->count; i++) {
        store->last_row = store->plan->rows[i].text != NULL ? i : store->last_row;
    }
    return status;
}

static bool sweepstore_is_device(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

int sweep_store_open(SweepStore *store, const SweepPlan *plan, const char *path, const char *file,
                     bool restart, const char *first) {
    *store = (SweepStore){.plan = plan,
                          .path = path,
                          .fd = -1,
                          .in_order = true,
                          .last_row = SIZE_MAX,
                          .header = sweep_header(plan)};
    if (strcmp(path, "-") == 0 || sweepstore_is_device(path)) {
        store->fd = strcmp(path, "-") == 0 ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC);
        return store->fd < 0 ? sweepstore_failed(store, "open for writing", errno)
                             : sweepstore_append(store, store->header, strlen(store->header));
    }
    store->file = cli_format("%s", file);
    int status = sweepstore_open_file(store, restart, first);
    if (status == CLI_OK) {
        status = sweepstore_take_file(store);
    }
    return status == CLI_OK && !store->in_order ? sweepstore_clean(store) : status;
}

int sweep_store_finish(SweepStore *store) {
    return store->in_order || store->file == NULL ? CLI_OK : sweepstore_rewrite(store);
}

void sweep_store_close(SweepStore *store) {
    if (store->fd > STDOUT_FILENO) {
        close(store->fd);
    }
    free(store->file);
    free(store->header);
    store->file = NULL;
    store->header = NULL;
    store->fd = -1;
}
