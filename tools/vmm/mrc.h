/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm mrc: what its files share.
 *
 *     mrc.c        flags, checks, the order of things
 *     mrc_run.c    one-pass curves and single runs, and reading them as rows
 *     mrc_show.c   tables, knees, the small picture for terminals, the large one
 *     mrc_files.c  CSV and JSON
 *
 *     policies x (the whole, processes) = series; a series is read as rows, ascending
 */
#ifndef VMM_CLI_MRC_H
#define VMM_CLI_MRC_H

#include "cli.h"

enum { MRC_CHUNK = 64, MRC_MOST_KNEES = 4 };

typedef struct MrcFlags {
    const char *trace, *format, *threads, *config_file, *policies, *frames, *points;
    const char *sample_rate, *sample_pages, *json, *csv, *plot;
    bool per_process, skip_bad_records, quiet, help;
} MrcFlags;

/* How the numbers of a policy are found. */
typedef enum MrcHow { MRC_CURVE, MRC_SAMPLED, MRC_RUNS } MrcHow;

typedef struct MrcPolicy {
    const char *name; /* as given */
    MrcHow how;
    VMMCurveKind kind;
    VMMCurve *curve;      /* NULL with MRC_RUNS */
    VMMCurvePoint *found; /* MRC_RUNS: by place of the size; */
    VMMCurveSeries about;
} MrcPolicy;

/* One series, read out. */
typedef struct MrcRows {
    const MrcPolicy *policy;
    VMMCurveSeries about; /* of the whole: pid 0 */
    bool whole;
    VMMCurvePoint *points;
    size_t count;
    uint64_t knees[MRC_MOST_KNEES]; /* sizes, ascending */
    size_t knee_count;
} MrcRows;

typedef struct Mrc {
    const CliCommand *command;
    MrcFlags flags;
    CliArguments arguments;
    VMMConfig config; /* all but policy and size */
    uint32_t threads;
    uint64_t points; /* sizes to choose for runs */
    double sample_rate;
    uint64_t sample_pages;
    CliWords names;
    MrcPolicy *policies; /* as many as names */
    CliWords size_names;
    uint64_t *sizes; /* of runs, ascending */
    size_t size_count;
    CliOutput json, csv, plot;
    VMMTrace *trace;
    CliProgress progress;
    int error; /* VMM_OK or VMM_E_STOPPED */
} Mrc;

/* Runs everything. CLI_OK, or an exit status after a message. */
int mrc_run(Mrc *mrc);

/* Series of a policy, and one of them with its knees; to be freed. */
size_t mrc_series_count(const MrcPolicy *policy);
MrcRows mrc_read(const Mrc *mrc, const MrcPolicy *policy, size_t series);
void mrc_free_rows(MrcRows *rows);

/* The point at a size: that of the row at or below it. */
VMMCurvePoint mrc_at(const MrcRows *rows, uint64_t size);

/* Working Set and VMIN: sizes are windows. */
bool mrc_is_window(const MrcPolicy *policy);

/* "lru", "lru, process 7". */
char *mrc_title(const MrcRows *rows);

/*
 * The name of a series' own file, after the name that a flag gives: "c.csv" becomes "c.lru.csv" or
 * "c.lru.pid7.csv"; policy NULL: "c.pid7.csv". free() it.
 */
char *mrc_file_name(const char *path, const char *policy, const MrcRows *rows);

void mrc_print(const Mrc *mrc);
int mrc_write_plot(Mrc *mrc);
int mrc_write_csv(Mrc *mrc);
int mrc_write_json(Mrc *mrc);

#endif
