/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws the memory of processes over time. One panel for each of RSS, PSS, USS and swap, with a
 * line for each process; below them one for the frames of the machine:
 *
 *     rows by point (memory.c) ──► the processes with most memory ──► panels ──► characters
 *                                                                           └──► gnuplot
 *
 * A process has a line from the point where it has memory, or a page table, to where it has not.
 * A panel in which everything is 0 is left out, but for that of the frames.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum {
    PANEL_PROCESSES = CLI_PICTURE_MARKS, /* that have a line: as many as can be told apart */
    PANEL_FRAMES = CLI_MEMORY_KINDS,     /* the panel of the machine */
    PANEL_KINDS,
    PANEL_PLACES = 1000, /* of a file: more points than that cannot be seen */
    PANEL_LINES = 9      /* of a picture made of characters */
};

static const char *const panel_titles[PANEL_KINDS] = {
    "RSS: pages in memory that the process has entries for",
    "PSS: the same, a page that n entries lead to counted 1/n",
    "USS: pages in memory that it alone has",
    "Swap: pages of it that are in swap and not in memory",
    "Frames of the machine",
};

static const char *const panel_frames[] = {"in use", "shared"};

/* Lines over common places of the time axis, ready to be drawn. */
typedef struct Panels {
    uint64_t pids[PANEL_PROCESSES]; /* in ascending order */
    char *names[PANEL_PROCESSES];
    size_t count;     /* of these */
    size_t processes; /* of all */
    size_t place_count;
    double *places;
    size_t *points;         /* of each place; SIZE_MAX: there is none yet */
    double *y[PANEL_KINDS]; /* y[line * place_count + place] */
    bool drawn[PANEL_KINDS];
} Panels;

/* ---- Which processes ------------------------------------------------------------------------ */

typedef struct PanelProcess {
    uint64_t pid;
    double most; /* of its RSS */
} PanelProcess;

static int panel_by_pid(const void *left, const void *right) {
    const PanelProcess *a = left, *b = right;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

/* The largest first, of equal ones the lower number. */
static int panel_by_most(const void *left, const void *right) {
    const PanelProcess *a = left, *b = right;
    return a->most != b->most ? (a->most < b->most ? 1 : -1) : panel_by_pid(left, right);
}

static void panel_pick(Panels *panels, const CliMemory *memory) {
    PanelProcess *all = cli_alloc(memory->row_count + 1, sizeof *all);
    size_t count = 0;
    for (size_t i = 0; i < memory->row_count; i++) {
        all[i] = (PanelProcess){memory->rows[i].pid, memory->rows[i].pages[CLI_MEMORY_RSS]};
    }
    qsort(all, memory->row_count, sizeof *all, panel_by_pid);
    for (size_t i = 0; i < memory->row_count; i++) {
        if (count == 0 || all[count - 1].pid != all[i].pid) {
            all[count++] = all[i];
        } else if (all[i].most > all[count - 1].most) {
            all[count - 1].most = all[i].most;
        }
    }
    qsort(all, count, sizeof *all, panel_by_most);
    panels->processes = count;
    panels->count = count < PANEL_PROCESSES ? count : PANEL_PROCESSES;
    qsort(all, panels->count, sizeof *all, panel_by_pid);
    for (size_t i = 0; i < panels->count; i++) {
        panels->pids[i] = all[i].pid;
        panels->names[i] = cli_format("pid %" PRIu64, all[i].pid);
    }
    free(all);
}

/* ---- The lines ------------------------------------------------------------------------------ */

static void panel_fill_place(Panels *panels, const CliMemory *memory, size_t place, size_t row) {
    size_t point = panels->points[place];
    for (; row < memory->row_count && memory->rows[row].point == point; row++) {
        for (size_t line = 0; line < panels->count; line++) {
            for (int kind = 0; panels->pids[line] == memory->rows[row].pid && kind < PANEL_FRAMES;
                 kind++) {
                double pages = memory->rows[row].pages[kind];
                panels->y[kind][line * panels->place_count + place] = pages;
                panels->drawn[kind] = panels->drawn[kind] || pages > 0.0;
            }
        }
    }
    panels->y[PANEL_FRAMES][place] = memory->points[point].frames_used;
    panels->y[PANEL_FRAMES][panels->place_count + place] = memory->points[point].frames_shared;
}

/* Rows and places both stand in the order of time. */
static void panel_fill(Panels *panels, const CliMemory *memory) {
    size_t row = 0;
    panels->drawn[PANEL_FRAMES] = true;
    for (int kind = 0; kind < PANEL_KINDS; kind++) {
        size_t count = panels->place_count * (kind == PANEL_FRAMES ? 2 : panels->count);
        panels->y[kind] = cli_alloc(count + 1, sizeof **panels->y);
        for (size_t i = 0; i < count; i++) {
            panels->y[kind][i] = -1.0;
        }
    }
    for (size_t place = 0; place < panels->place_count; place++) {
        if (panels->points[place] == SIZE_MAX) {
            continue;
        }
        while (row < memory->row_count && memory->rows[row].point < panels->points[place]) {
            row++;
        }
        panel_fill_place(panels, memory, place, row);
    }
}

static void panel_init(Panels *panels, const CliMemory *memory, size_t place_count) {
    *panels = (Panels){.place_count = place_count};
    panels->places = cli_alloc(place_count, sizeof *panels->places);
    panels->points = cli_alloc(place_count, sizeof *panels->points);
    panel_pick(panels, memory);
}

static void panel_free(Panels *panels) {
    for (size_t i = 0; i < panels->count; i++) {
        free(panels->names[i]);
    }
    for (int kind = 0; kind < PANEL_KINDS; kind++) {
        free(panels->y[kind]);
    }
    free(panels->places);
    free(panels->points);
}

/* "the 8 largest of 20 processes", or nothing if all have a line. */
static char *panel_remark(const Panels *panels) {
    return panels->count == panels->processes
               ? cli_copy("", 0)
               : cli_format("the %zu largest of %zu processes", panels->count, panels->processes);
}

/* ---- Characters ----------------------------------------------------------------------------- */

/*
 * The end of the axis, and how many lines it has: numbers on it are whole. A line for each page if
 * there are few, else the end is a multiple of the lines.
 */
static double panel_scale(const double *y, size_t count, size_t *lines) {
    double most = 1.0;
    for (size_t i = 0; i < count; i++) {
        most = y[i] > most ? y[i] : most;
    }
    uint64_t pages = (uint64_t)most + ((double)(uint64_t)most < most);
    uint64_t step = (pages + PANEL_LINES - 2) / (PANEL_LINES - 1);
    *lines = step == 1 ? (size_t)pages + 1 : PANEL_LINES;
    return (double)(step * (*lines - 1));
}

static void panel_print(const Panels *panels, int kind, double last) {
    char *right = cli_format("%.0f references", last);
    bool frames = kind == PANEL_FRAMES;
    size_t count = frames ? 2 : panels->count;
    size_t lines = 0;
    double top = panel_scale(panels->y[kind], count * panels->place_count, &lines);
    CliPicture picture = {.series = frames ? panel_frames : (const char *const *)panels->names,
                          .series_count = count,
                          .y = panels->y[kind],
                          .top = top,
                          .lines = lines,
                          .left = "0",
                          .right = right};
    printf("\n%s:\n\n", panel_titles[kind]);
    cli_picture_print(&picture);
    free(right);
}

void cli_memory_print(const CliMemory *memory) {
    Panels panels;
    size_t next = 0;
    double last = (double)memory->points[memory->point_count - 1].references;
    panel_init(&panels, memory, CLI_PICTURE_COLUMNS);
    for (size_t i = 0; i < CLI_PICTURE_COLUMNS;
         i++) { /* a column: what the last point in it says */
        double end = last * (double)(i + 1) / CLI_PICTURE_COLUMNS;
        while (next < memory->point_count && (double)memory->points[next].references <= end) {
            next++;
        }
        panels.points[i] = next > 0 ? next - 1 : SIZE_MAX;
    }
    panel_fill(&panels, memory);
    char *remark = panel_remark(&panels);
    printf("\nMemory over time, in pages%s%s\n", *remark != '\0' ? "; " : "", remark);
    for (int kind = 0; kind < PANEL_KINDS; kind++) {
        if (panels.drawn[kind]) {
            panel_print(&panels, kind, last);
        }
    }
    free(remark);
    panel_free(&panels);
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* Every so many points, and the last one. */
static void panel_place(Panels *panels, const CliMemory *memory, size_t step) {
    for (size_t i = 0; i < panels->place_count; i++) {
        size_t point = (i + 1) * step - 1;
        panels->points[i] = point < memory->point_count ? point : memory->point_count - 1;
        panels->places[i] = (double)memory->points[panels->points[i]].references;
    }
}

int cli_memory_plot(const CliMemory *memory, const char *title, CliOutput *output) {
    Panels panels;
    CliPlotPanel drawn[PANEL_KINDS];
    CliPanelPlot plot = {.x_title = "references", .panels = drawn};
    size_t step = memory->point_count / PANEL_PLACES + 1;
    panel_init(&panels, memory, (memory->point_count + step - 1) / step);
    panel_place(&panels, memory, step);
    panel_fill(&panels, memory);
    for (int kind = 0; kind < PANEL_KINDS; kind++) {
        bool frames = kind == PANEL_FRAMES;
        if (panels.drawn[kind]) {
            drawn[plot.panel_count++] =
                (CliPlotPanel){.title = panel_titles[kind],
                               .y_title = "pages",
                               .series = frames ? panel_frames : (const char *const *)panels.names,
                               .series_count = frames ? 2 : panels.count,
                               .first_colour = frames ? PANEL_PROCESSES - 2 : 0,
                               .y = panels.y[kind]};
        }
    }
    char *remark = panel_remark(&panels);
    char *whole = cli_format("%s%s%s", title, *remark != '\0' ? ", " : "", remark);
    plot.title = whole;
    plot.x = panels.places;
    plot.x_count = panels.place_count;
    int status = cli_plot_panels(&plot, output);
    free(whole);
    free(remark);
    panel_free(&panels);
    return status;
}
