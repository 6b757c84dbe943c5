/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sweep as an SQLite database: one table, `sweep`, with the columns and rows of the CSV file.
 *
 *     CSV text ──► database in memory ──► its bytes ──► the file, under its name when complete
 *
 * In names of columns '.' and '-' become '_', so that queries need no quotes. Counters and numbers
 * of options are integers, the average time is a real number, an empty field is NULL. The rows go
 * into a fresh database in the plan's order: equal rows give an equal file.
 *
 * Builds without the library can do everything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

#ifndef VMM_HAVE_SQLITE

int sweep_sqlite_check(const char *path) {
    cli_error("--sqlite %s: this build is without SQLite; install its development package "
              "(libsqlite3-dev) and build again, or use --csv",
              path);
    return CLI_FAILURE;
}

int sweep_sqlite_read(const char *path, const char *header, char **text) {
    (void)path, (void)header, (void)text;
    return CLI_FAILURE;
}

int sweep_sqlite_write(const char *path, const char *text, size_t length) {
    (void)path, (void)text, (void)length;
    return CLI_FAILURE;
}

#else

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <unistd.h>

int sweep_sqlite_check(const char *path) {
    (void)path;
    return CLI_OK;
}

static int sweepsqlite_failed(const char *path, sqlite3 *database) {
    cli_error("%s: SQLite says: %s", path,
              database != NULL ? sqlite3_errmsg(database) : "out of memory");
    return CLI_FAILURE;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* What a column holds, by its name in the CSV file. */
static const char *sweepsqlite_type(const char *column) {
    static const char config[] = "config.";
    if (strncmp(column, config, strlen(config)) == 0) {
        const VMMOption *option = vmm_option_find(column + strlen(config));
        bool fits = option != NULL && option->max <= INT64_MAX; /* SQLite's integers have a sign */
        return fits && option->type == VMM_OPTION_COUNT ? "INTEGER" : "TEXT";
    }
    for (size_t i = 0; vmm_stat_at(i) != NULL; i++) {
        if (strcmp(vmm_stat_at(i)->name, column) == 0) {
            return "INTEGER";
        }
    }
    return strcmp(column, "avg_memory_access_time_ns") == 0 ? "REAL" : "TEXT";
}

/* The name of a column in the database. */
static void sweepsqlite_rename(char *column) {
    for (char *at = column; *at != '\0'; at++) {
        if (*at == '.' || *at == '-') {
            *at = '_';
        }
    }
}

/* The statements that make the table and insert a row. free() them. */
static void sweepsqlite_statements(const char *text, const SweepRecord *header, char **create,
                                   char **insert) {
    *create = cli_format("CREATE TABLE sweep (");
    *insert = cli_format("INSERT INTO sweep VALUES (");
    for (size_t i = 0; i < header->field_count; i++) {
        char *column = sweep_field(text, header, i);
        const char *type = sweepsqlite_type(column);
        sweepsqlite_rename(column);
        const char *end = i + 1 < header->field_count ? ", " : ")";
        char *longer_create = cli_format("%s\"%s\" %s%s", *create, column, type, end);
        char *longer_insert = cli_format("%s?%s", *insert, end);
        free(column);
        free(*create);
        free(*insert);
        *create = longer_create;
        *insert = longer_insert;
    }
}

static int sweepsqlite_insert(sqlite3_stmt *statement, const char *text,
                              const SweepRecord *record) {
    for (size_t i = 0; i < record->field_count; i++) {
        char *field = sweep_field(text, record, i);
        int code = *field == '\0'
                       ? sqlite3_bind_null(statement, (int)i + 1)
                       : sqlite3_bind_text(statement, (int)i + 1, field, -1, SQLITE_TRANSIENT);
        free(field);
        if (code != SQLITE_OK) {
            return code;
        }
    }
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Makes the table and fills it. An SQLite code. */
static int sweepsqlite_fill(sqlite3 *database, const char *text, size_t length) {
    SweepRecord record = {0};
    char *create, *insert;
    sqlite3_stmt *statement = NULL;
    sweep_scan(text, length, &record);
    sweepsqlite_statements(text, &record, &create, &insert);
    int code = sqlite3_exec(database, create, NULL, NULL, NULL);
    code = code == SQLITE_OK ? sqlite3_prepare_v2(database, insert, -1, &statement, NULL) : code;
    code = code == SQLITE_OK ? sqlite3_exec(database, "BEGIN", NULL, NULL, NULL) : code;
    for (size_t at = record.length; code == SQLITE_OK && at < length; at += record.length) {
        sweep_scan(text + at, length - at, &record);
        code = sweepsqlite_insert(statement, text + at, &record);
    }
    code = code == SQLITE_OK ? sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) : code;
    sqlite3_finalize(statement);
    free(record.field);
    free(create);
    free(insert);
    return code;
}

static int sweepsqlite_save(const char *path, const unsigned char *bytes, size_t length) {
    CliStream stream;
    int status = cli_stream_open(&stream, path);
    size_t done = 0;
    while (status == CLI_OK && done < length) {
        ssize_t written = write(stream.fd, bytes + done, length - done);
        if (written < 0 && errno != EINTR) {
            cli_error("cannot write '%s': %s", path, strerror(errno));
            status = CLI_FAILURE;
        }
        done += written < 0 ? 0 : (size_t)written;
    }
    status = status == CLI_OK ? cli_stream_finish(&stream) : status;
    cli_stream_discard(&stream);
    return status;
}

int sweep_sqlite_write(const char *path, const char *text, size_t length) {
    sqlite3 *database = NULL;
    unsigned char *bytes = NULL;
    sqlite3_int64 size = 0;
    int status = CLI_FAILURE;
    int code = sqlite3_open(":memory:", &database);
    if (code == SQLITE_OK) {
        code = sweepsqlite_fill(database, text, length);
    }
    if (code == SQLITE_OK) {
        bytes = sqlite3_serialize(database, "main", &size, 0);
    }
    if (bytes == NULL) {
        sweepsqlite_failed(path, database);
    } else {
        status = sweepsqlite_save(path, bytes, (size_t)size);
    }
    sqlite3_free(bytes);
    sqlite3_close(database);
    return status;
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* Is the database one table of this name and nothing else? */
static bool sweepsqlite_is_sweep(sqlite3 *database) {
    sqlite3_stmt *statement = NULL;
    bool good = false;
    if (sqlite3_prepare_v2(database,
                           "SELECT count(*), sum(name = 'sweep' AND type = 'table') "
                           "FROM sqlite_master",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        good = sqlite3_column_int(statement, 0) == 1 && sqlite3_column_int(statement, 1) == 1;
    }
    sqlite3_finalize(statement);
    return good;
}

static void sweepsqlite_print(sqlite3_stmt *statement, FILE *out) {
    int count = sqlite3_column_count(statement);
    for (int i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", out);
        if (sqlite3_column_type(statement, i) == SQLITE_FLOAT) {
            fprintf(out, "%.2f", sqlite3_column_double(statement, i));
        } else if (sqlite3_column_type(statement, i) == SQLITE_INTEGER) {
            fprintf(out, "%" PRIu64, (uint64_t)sqlite3_column_int64(statement, i));
        } else if (sqlite3_column_type(statement, i) != SQLITE_NULL) {
            sweep_print_field(out, (const char *)sqlite3_column_text(statement, i));
        }
    }
    fputc('\n', out);
}

/* Prints all rows in order, below the header if the columns are its. An SQLite code. */
static int sweepsqlite_print_all(sqlite3 *database, const char *header, FILE *out) {
    sqlite3_stmt *statement = NULL;
    int code =
        sqlite3_prepare_v2(database, "SELECT * FROM sweep ORDER BY rowid", -1, &statement, NULL);
    char *expected = cli_format("%s", header);
    char *column = expected;
    bool same = code == SQLITE_OK;
    for (int i = 0; same && i < sqlite3_column_count(statement); i++) {
        size_t length = strcspn(column, ",\n");
        column[length] = '\0';
        sweepsqlite_rename(column);
        same = strcmp(column, sqlite3_column_name(statement, i)) == 0;
        column += length + 1;
    }
    fputs(same ? header : "", out);
    while (same && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        sweepsqlite_print(statement, out);
    }
    free(expected);
    sqlite3_finalize(statement);
    return code == SQLITE_DONE || !same ? SQLITE_OK : code;
}

int sweep_sqlite_read(const char *path, const char *header, char **text) {
    sqlite3 *database = NULL;
    size_t length;
    int status = CLI_FAILURE;
    *text = NULL;
    if (access(path, F_OK) != 0) {
        return CLI_OK;
    }
    FILE *out = open_memstream(text, &length);
    bool opened =
        out != NULL && sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    if (opened && !sweepsqlite_is_sweep(database)) {
        cli_error("%s: holds something else than a sweep; write to another file", path);
    } else if (!opened || sweepsqlite_print_all(database, header, out) != SQLITE_OK) {
        sweepsqlite_failed(path, database);
    } else {
        status = CLI_OK;
    }
    if (out != NULL) {
        fclose(out);
    }
    if (status == CLI_OK && **text == '\0') {
        cli_error("%s: its columns are not those of this sweep: it is of another experiment; "
                  "write to another file, or say --restart to give up what this one holds",
                  path);
        status = CLI_FAILURE;
    }
    sqlite3_close(database);
    return status;
}

#endif
