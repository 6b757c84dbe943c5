/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm advise: what its files share.
 *
 *     advise.c        flags, checks, the two passes over the trace
 *     advise_find.c   the answers: places on the LRU curve, phases
 *     advise_show.c   the words, the small picture, JSON, plots
 *
 *     trace ──► exact LRU curve ──► misses and write-backs at every size ──► cost model ──► answers
 *           ──► working set over time ──► windows ──► phases
 */
#ifndef VMM_CLI_ADVISE_H
#define VMM_CLI_ADVISE_H

#include "cli.h"

typedef struct AdviseFlags {
    const char *trace, *format, *threads, *config_file, *window, *thrash, *json, *plot, *plot_curve;
    bool skip_bad_records, quiet, help;
} AdviseFlags;

/* What the program does with so much memory. */
typedef struct AdvisePlace {
    const char *name;    /* for programs: "within_1_percent" */
    const char *meaning; /* for people */
    uint64_t frames;
    uint64_t misses, writebacks;
    double miss_ratio;
    double waiting; /* share of its time that it waits for pages that it had before */
    double times;   /* its time, against that with enough memory */
} AdvisePlace;

enum {
    ADVISE_ALL,    /* no page is read twice */
    ADVISE_ONE,    /* misses within 1 % of that */
    ADVISE_TEN,    /* within 10 % */
    ADVISE_THRASH, /* the least memory with which it does not thrash */
    ADVISE_HALF,   /* half of that */
    ADVISE_PLACES
};

/* Windows of one phase that follow each other. */
typedef struct AdvisePhase {
    size_t first, count; /* windows */
    uint64_t most;       /* pages of the largest window */
    double mean;
} AdvisePhase;

/* In picoseconds. */
typedef struct AdviseCosts {
    double memory; /* a page reference */
    double miss;   /* a page that has to come back: the fault and the reading */
    double first;  /* the first reference to a page: the fault alone */
    double write;  /* a write-back that a fault waits for */
} AdviseCosts;

typedef struct Advise {
    const CliCommand *command;
    AdviseFlags flags;
    CliArguments arguments;
    VMMConfig config;
    uint32_t threads;
    uint64_t window; /* page references; 0: chosen from the length of the trace */
    double thrash;   /* share of its time that a program that thrashes waits */
    CliOutput json, plot, plot_curve;
    VMMTrace *trace;
    VMMTraceInfo info;
    VMMCurve *curve;
    VMMCurveSeries about;
    VMMWorkingSet *set;
    VMMWindow *windows;
    size_t window_count;
    AdvisePhase *phases;
    size_t phase_count;
    AdviseCosts costs;
    AdvisePlace places[ADVISE_PLACES];
    CliProgress progress;
} Advise;

/* Fills places and phases from the curve and the windows. */
void advise_find(Advise *advise);
/* The place with so many frames. */
AdvisePlace advise_place(const Advise *advise, uint64_t frames);

/* The memory that the program needs: misses within 1 %, and no thrashing. */
uint64_t advise_needed(const Advise *advise);

void advise_print(const Advise *advise);
int advise_write_json(Advise *advise);
int advise_write_plots(Advise *advise);

#endif
