/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm sweep: what its files share.
 *
 *     sweep.c         the command: flags, the order of things, what is said at the end
 *     sweep_axes.c    the lists of values, from flags and from a file
 *     sweep_plan.c    the product of the lists: rows, and which of them can share a decoding
 *     sweep_run.c     blocks of rows on all cores
 *     sweep_row.c     a row as text, and text as rows
 *     sweep_store.c   the file that grows while the sweep runs, and what it held before
 *     sweep_sqlite.c  the same rows as an SQLite database
 *
 *     axes  trace   page-size   policy      frames          rows in the order of the product,
 *           a.vmt   4K          lru         100             the last axis fastest
 *           b.vmt   64K         clock       200
 *           └──── a stream ─┘   └─ share its decoding ─┘
 *
 * A row is known by its experiment, a number made from everything its values depend on. What a file
 * holds of the rows of a plan, in whatever order, is kept; the rest is run.
 */
#ifndef VMM_CLI_SWEEP_H
#define VMM_CLI_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli.h"

enum {
    SWEEP_TOGETHER = 8,        /* options that one axis can vary together */
    SWEEP_MOST_ROWS = 1000000, /* more are refused, */
    SWEEP_MANY_ROWS = 10000    /* and so many are worth a word */
};

/* One axis of the product: an option, or several that vary together. */
typedef struct SweepAxis {
    const VMMOption *options[SWEEP_TOGETHER];
    size_t option_count;
    CliWords values; /* place * option_count + option, as vmm_config_get() writes them */
    char *origin;    /* how messages call it: "--frames", "sweep.conf:3: frames" */
} SweepAxis;

/* One row of the product. */
typedef struct SweepRow {
    uint64_t experiment; /* made from all that the row's values depend on */
    uint32_t stream;     /* rows of the same number can share a decoding */
    char *text;          /* the finished line, its newline included; NULL: not yet */
} SweepRow;

typedef struct SweepPlan {
    VMMConfig base; /* all that no axis varies */
    CliWords traces;
    uint64_t *trace_bytes; /* sizes of the files */
    const char *format;    /* of the traces; NULL: found out from their content */
    bool skip_bad_records;
    SweepAxis *axes; /* slowest first */
    size_t axis_count;
    SweepRow *rows;
    size_t count;
    size_t contradictions; /* rows whose options contradict each other */
    uint32_t stream_count;
} SweepPlan;

/* ---- Axes (sweep_axes.c). CLI_OK, or CLI_FAILURE after a message. -----------------------------
 */

/* Adds the axes and traces of an experiment file. */
int sweep_read_file(const CliCommand *command, SweepPlan *plan, const char *path);
/* An axis of the command line: it replaces one of the same option from the file. */
int sweep_add_flag(const CliCommand *command, SweepPlan *plan, const CliSetting *setting);
void sweep_free_axis(SweepAxis *axis);

/* ---- Plan (sweep_plan.c) --------------------------------------------------------------------- */

/* Orders the axes and makes the rows. CLI_OK, or CLI_FAILURE after a message. */
int sweep_make_plan(const CliCommand *command, SweepPlan *plan);
void sweep_free_plan(SweepPlan *plan);

/* The configuration of a row. VMM_OK, or an error with its sentence. */
int sweep_config(const SweepPlan *plan, size_t row, VMMConfig *config, char *error);
/* The number that the row's values are known by, of its configuration as it is now. */
uint64_t sweep_experiment(const SweepPlan *plan, size_t row, const VMMConfig *config);
/* The trace of a row, as a place in plan->traces. */
size_t sweep_trace(const SweepPlan *plan, size_t row);
/* The value of an axis' option in a row. */
const char *sweep_value(const SweepPlan *plan, size_t row, size_t axis, size_t option);

/* ---- Rows as text (sweep_row.c) -------------------------------------------------------------- */

/* The header line; the line's beginning that tells trace and options. free() them. */
char *sweep_header(const SweepPlan *plan);
char *sweep_row_begin(const SweepPlan *plan, size_t row);

/* A field, in quotes if it needs them. */
void sweep_print_field(FILE *out, const char *text);

/* The whole line of a machine that has run; `info` as the trace was left. free() it. */
char *sweep_row_of(const SweepPlan *plan, size_t row, const VMM *vmm, const VMMTraceInfo *info);
/* The line of a row that could not be run: no numbers, but the reason. free() it. */
char *sweep_row_failed(const SweepPlan *plan, size_t row, const char *reason);

/*
 * One record of CSV text, from `at` on. Fields may be quoted, and then hold anything.
 */
typedef struct SweepRecord {
    size_t length; /* its newline included; 0: it is cut off */
    size_t field_count;
    size_t *field; /* where each begins, from the record's beginning; free() it */
    size_t capacity;
} SweepRecord;
void sweep_scan(const char *text, size_t length, SweepRecord *record);
/* A field without its quotes; free() it. */
char *sweep_field(const char *text, const SweepRecord *record, size_t field);

/* Where the columns with these meanings stand, from the right: */
enum { SWEEP_EXPERIMENT_FROM_END = 1, SWEEP_END_FROM_END = 5 };
/* What stands in the column "end" of a row that could not be run. */
#define SWEEP_FAILED "failed"

/* ---- The file (sweep_store.c) ---------------------------------------------------------------- */

typedef struct SweepStore {
    const SweepPlan *plan;
    const char *path; /* as named by the user, for messages */
    char *file;       /* the CSV file that grows; NULL: `fd` cannot be read again */
    int fd;
    bool in_order;   /* so far the file holds its rows in the plan's order */
    size_t last_row; /* in the file, if in order */
    size_t next_row; /* to be written to what cannot be read again */
    size_t kept;     /* rows that were there */
    char *header;
} SweepStore;

/*
 * Opens the file and takes over the rows it holds. `path` "-": standard output. restart: what it
 * holds is given up. `first` (may be NULL) is what a file that is made anew holds at first.
 */
int sweep_store_open(SweepStore *store, const SweepPlan *plan, const char *path, const char *file,
                     bool restart, const char *first);
/* Writes finished rows, whose text is in the plan. */
int sweep_store_add(SweepStore *store, const size_t *rows, size_t count);
/* All rows are there: puts them in order. */
int sweep_store_finish(SweepStore *store);
void sweep_store_close(SweepStore *store);
/* All rows in order, with their header; free() it. */
char *sweep_store_text(const SweepStore *store, size_t *length);

/* ---- SQLite (sweep_sqlite.c) ----------------------------------------------------------------- */

/* Can databases be written at all? CLI_OK, or CLI_FAILURE after a message. */
int sweep_sqlite_check(const char *path);
/* What a database holds, as CSV text under this header; *text NULL: there is no such file. */
int sweep_sqlite_read(const char *path, const char *header, char **text);
/* Makes the database from CSV text. */
int sweep_sqlite_write(const char *path, const char *text, size_t length);

/* ---- Running (sweep_run.c) ------------------------------------------------------------------- */

typedef struct SweepOrders {
    uint32_t jobs;
    uint32_t block; /* rows that share a decoding, at most */
    bool draws;     /* progress on a terminal */
    bool tells;     /* progress in lines */
} SweepOrders;

/*
 * Runs the rows that have no text yet. CLI_OK, or an exit status after a message; what was finished
 * until then is in the store. *bad_input: some trace could not be read to its end.
 */
int sweep_run(SweepPlan *plan, SweepStore *store, const SweepOrders *orders, bool *bad_input);

#endif
