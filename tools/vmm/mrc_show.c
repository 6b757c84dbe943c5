/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vmm mrc shows: a short table, the knees, a small picture made of characters, and the large
 * one that gnuplot draws. In pictures the axis is memory: of Working Set and VMIN the mean number
 * of pages in memory, so that they can be compared with the others.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mrc.h"

enum { SHOW_LINES = 12, SHOW_PLACES = 600 };

/* ---- The series that are shown together ----------------------------------------------------- */

typedef struct ShowSeries {
    MrcRows *rows;
    size_t count;
} ShowSeries;

/* Of each policy the series with this number: the whole, or one process. */
static ShowSeries show_read(const Mrc *mrc, size_t series) {
    ShowSeries show = {.rows = cli_alloc(mrc->names.count, sizeof *show.rows)};
    for (size_t i = 0; i < mrc->names.count; i++) {
        if (series < mrc_series_count(&mrc->policies[i])) {
            show.rows[show.count] = mrc_read(mrc, &mrc->policies[i], series);
            show.count += show.rows[show.count].count > 0;
        }
    }
    return show;
}

static void show_free(ShowSeries *show) {
    for (size_t i = 0; i < show->count; i++) {
        mrc_free_rows(&show->rows[i]);
    }
    free(show->rows);
}

/* ---- The table ------------------------------------------------------------------------------ */

static bool show_is_knee(const MrcRows *rows, uint64_t size) {
    for (size_t i = 0; i < rows->knee_count; i++) {
        if (rows->knees[i] == size) {
            return true;
        }
    }
    return false;
}

/* The next size that has a line: a power of two, a knee, or where it ends; 0: none. */
static uint64_t show_next_size(const ShowSeries *show, bool window, uint64_t size) {
    uint64_t next = UINT64_MAX;
    uint64_t last = 0;
    for (size_t i = 0; i < show->count; i++) {
        const MrcRows *rows = &show->rows[i];
        if (mrc_is_window(rows->policy) != window) {
            continue;
        }
        uint64_t end = rows->points[rows->count - 1].size;
        last = end > last ? end : last;
        next = end > size && end < next ? end : next;
        for (size_t k = 0; k < rows->knee_count; k++) {
            next = rows->knees[k] > size && rows->knees[k] < next ? rows->knees[k] : next;
        }
    }
    for (uint64_t power = 1; power != 0 && power <= last; power *= 2) {
        if (power > size) {
            return power < next ? power : next;
        }
    }
    return next == UINT64_MAX ? 0 : next;
}

/*
 * "1234  12.34% <": misses, their share, and whether it is a knee. The room for the mark of the
 * cell before, `pad`, is printed first, so that no line ends in blanks; returns that for the next
 * one.
 */
static int show_print_cell(const MrcRows *rows, uint64_t size, int pad) {
    VMMCurvePoint point = mrc_at(rows, size);
    bool knee = show_is_knee(rows, size);
    if (rows->policy->how == MRC_RUNS && point.size != size) {
        printf("%*s  %20s", pad, "", "-");
    } else if (mrc_is_window(rows->policy)) {
        printf("%*s  %10.1f  %10" PRIu64 " %6.2f%%", pad, "", point.mean_resident, point.misses,
               100.0 * point.miss_ratio);
    } else {
        printf("%*s  %12" PRIu64 " %6.2f%%", pad, "", point.misses, 100.0 * point.miss_ratio);
    }
    fputs(knee ? " <" : "", stdout);
    return knee ? 0 : 2;
}

static void show_print_table(const ShowSeries *show, bool window) {
    size_t columns = 0;
    for (size_t i = 0; i < show->count; i++) {
        columns += mrc_is_window(show->rows[i].policy) == window;
    }
    if (columns == 0) {
        return;
    }
    printf("\n%12s", window ? "window" : "frames");
    for (size_t i = 0; i < show->count; i++) {
        if (mrc_is_window(show->rows[i].policy) == window) {
            char *title = mrc_title(&show->rows[i]);
            if (window) {
                printf("  %10s  %20.20s", "resident", title);
            } else {
                printf("  %22.22s", title);
            }
            free(title);
        }
    }
    putchar('\n');
    for (uint64_t size = 0; (size = show_next_size(show, window, size)) != 0;) {
        printf("%12" PRIu64, size);
        int pad = 0;
        for (size_t i = 0; i < show->count; i++) {
            if (mrc_is_window(show->rows[i].policy) == window) {
                pad = show_print_cell(&show->rows[i], size, pad);
            }
        }
        putchar('\n');
    }
}

static void show_print_knees(const ShowSeries *show) {
    bool any = false;
    putchar('\n');
    for (size_t i = 0; i < show->count; i++) {
        const MrcRows *rows = &show->rows[i];
        char *title = mrc_title(rows);
        for (size_t k = 0; k < rows->knee_count; k++) {
            if (k == 0) {
                printf("knees of %s:", title);
            }
            printf(" %" PRIu64 " (%.2f%%)%s", rows->knees[k],
                   100.0 * mrc_at(rows, rows->knees[k]).miss_ratio,
                   k + 1 < rows->knee_count ? "," : "\n");
        }
        any = any || rows->knee_count > 0;
        free(title);
    }
    if (any) {
        puts("< a knee: halving the memory there costs far more than doubling it gains");
    }
}

/* ---- Pictures ------------------------------------------------------------------------------- */

/* The memory that a point stands for. */
static double show_memory(const MrcRows *rows, size_t point) {
    return mrc_is_window(rows->policy) ? rows->points[point].mean_resident
                                       : (double)rows->points[point].size;
}

/* The miss ratio with so much memory; below 0: it has no point there. */
static double show_ratio(const MrcRows *rows, double memory) {
    size_t low = 0;
    size_t high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (show_memory(rows, middle) <= memory) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? -1.0 : rows->points[low - 1].miss_ratio;
}

static double show_most_memory(const ShowSeries *show) {
    double most = 2.0;
    for (size_t i = 0; i < show->count; i++) {
        double end = show_memory(&show->rows[i], show->rows[i].count - 1);
        most = end > most ? end : most;
    }
    return most;
}

/* `count` places of memory from 1 to `most`, each the same factor from the next. */
static double *show_places(double most, size_t count) {
    double *places = cli_alloc(count, sizeof *places);
    double low = 1.0;
    double high = most;
    for (int step = 0; step < 60; step++) { /* the root, by halving */
        double middle = (low + high) / 2;
        double product = 1.0;
        for (size_t i = 1; i < count && product <= most; i++) {
            product *= middle;
        }
        low = product <= most ? middle : low;
        high = product <= most ? high : middle;
    }
    places[0] = 1.0;
    for (size_t i = 1; i < count; i++) {
        places[i] = i + 1 == count ? most : places[i - 1] * low;
    }
    return places;
}

static void show_print_picture(const ShowSeries *show) {
    double most = show_most_memory(show);
    double *places = show_places(most, CLI_PICTURE_COLUMNS);
    double *ratios = cli_alloc(show->count * CLI_PICTURE_COLUMNS, sizeof *ratios);
    char **titles = cli_alloc(show->count, sizeof *titles);
    char *right = cli_format("%.0f pages", most);
    double top = 0.0;
    for (size_t i = 0; i < show->count; i++) {
        double first = show->rows[i].points[0].miss_ratio;
        top = first > top ? first : top;
        titles[i] = mrc_title(&show->rows[i]);
        for (size_t column = 0; column < CLI_PICTURE_COLUMNS; column++) {
            ratios[i * CLI_PICTURE_COLUMNS + column] = show_ratio(&show->rows[i], places[column]);
        }
    }
    CliPicture picture = {.series = (const char *const *)titles,
                          .series_count = show->count,
                          .y = ratios,
                          .top = top > 0.0 ? top : 1.0,
                          .lines = SHOW_LINES,
                          .percent = true,
                          .left = "1",
                          .right = right};
    putchar('\n');
    cli_picture_print(&picture);
    for (size_t i = 0; i < show->count; i++) {
        free(titles[i]);
    }
    free(titles);
    free(right);
    free(ratios);
    free(places);
}

/* ---- The report ----------------------------------------------------------------------------- */

static void show_print_head(const Mrc *mrc, const VMMCurveSeries *about, bool whole) {
    char page_size[CLI_VALUE_BYTES];
    char *trace = cli_visible(mrc->flags.trace);
    if (whole) {
        printf("misses and miss ratio by memory size, %s: %" PRIu64 " page references, pages of "
               "%s\n",
               trace, about->page_references,
               cli_config_text(&mrc->config, "page-size", page_size));
    } else {
        printf("\nprocess %" PRIu32 ": %" PRIu64 " page references\n", about->pid,
               about->page_references);
    }
    free(trace);
}

/* The whole, and as many processes as the policy with most of them has. */
static size_t show_series_count(const Mrc *mrc) {
    size_t most = 0;
    for (size_t i = 0; i < mrc->names.count; i++) {
        size_t count = mrc_series_count(&mrc->policies[i]);
        most = count > most ? count : most;
    }
    return most;
}

void mrc_print(const Mrc *mrc) {
    size_t most = show_series_count(mrc);
    for (size_t series = 0; series < most; series++) {
        ShowSeries show = show_read(mrc, series);
        if (show.count > 0) {
            show_print_head(mrc, &show.rows[0].about, series == 0);
            show_print_table(&show, false);
            show_print_table(&show, true);
            show_print_knees(&show);
            if (series == 0) { /* one picture is enough: that of the whole */
                show_print_picture(&show);
            }
        }
        show_free(&show);
    }
    if (mrc->error == VMM_E_STOPPED) {
        puts("\nInterrupted: the numbers cover only what was read so far.");
    }
}

/* ---- Plots ---------------------------------------------------------------------------------- */

/* The line of a series: of a simulated policy its sizes, of a curve as many places as can be seen.
 */
static CliPlotLine show_plot_line(const MrcRows *rows, const double *places) {
    bool simulated = rows->policy->how == MRC_RUNS;
    size_t count = simulated ? rows->count : SHOW_PLACES;
    double *x = cli_alloc(2 * count + 2 * MRC_MOST_KNEES, sizeof *x);
    double *y = x + count;
    double *mark_x = y + count, *mark_y = mark_x + MRC_MOST_KNEES;
    for (size_t i = 0; i < count; i++) {
        x[i] = simulated ? (double)rows->points[i].size : places[i];
        double ratio = show_ratio(rows, x[i]);
        y[i] = ratio < 0.0 ? ratio : 100.0 * ratio;
    }
    for (size_t k = 0; k < rows->knee_count; k++) {
        VMMCurvePoint point = mrc_at(rows, rows->knees[k]);
        mark_x[k] = mrc_is_window(rows->policy) ? point.mean_resident : (double)point.size;
        mark_y[k] = 100.0 * point.miss_ratio;
    }
    return (CliPlotLine){.name = mrc_title(rows),
                         .x = x,
                         .y = y,
                         .count = count,
                         .pointwise = simulated,
                         .mark_x = mark_x,
                         .mark_y = mark_y,
                         .mark_count = rows->knee_count};
}

static void show_free_lines(CliPlotLine *lines, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free((char *)lines[i].name);
        free((double *)lines[i].x); /* all of its numbers */
    }
    free(lines);
}

static int show_plot(const Mrc *mrc, const ShowSeries *show, CliOutput *output) {
    char page_size[CLI_VALUE_BYTES];
    const char *slash = strrchr(mrc->flags.trace, '/');
    double *places = show_places(show->count > 0 ? show_most_memory(show) : 2.0, SHOW_PLACES);
    CliPlotLine *lines = cli_alloc(show->count, sizeof *lines);
    for (size_t i = 0; i < show->count; i++) {
        lines[i] = show_plot_line(&show->rows[i], places);
    }
    char *title =
        cli_format("%s: miss ratio by memory size%s", slash != NULL ? slash + 1 : mrc->flags.trace,
                   mrc->error == VMM_E_STOPPED ? " (interrupted)" : "");
    char *x_title = cli_format("memory (pages of %s); circles: knees",
                               cli_config_text(&mrc->config, "page-size", page_size));
    CliCurvePlot plot = {.title = title,
                         .x_title = x_title,
                         .y_title = "misses (share of page references)",
                         .lines = lines,
                         .line_count = show->count};
    int status = cli_plot_curves(&plot, output);
    show_free_lines(lines, show->count);
    free(title);
    free(x_title);
    free(places);
    return status;
}

/* A process's own file: "curves.pid7.svg". */
static int show_plot_process(const Mrc *mrc, const ShowSeries *show) {
    CliOutput output = {.fd = -1};
    char *name = mrc_file_name(mrc->flags.plot, NULL, &show->rows[0]);
    int status = cli_output_open(&output, name, false);
    if (status == CLI_OK) {
        status = show_plot(mrc, show, &output);
    }
    free(name);
    return status;
}

int mrc_write_plot(Mrc *mrc) {
    int status = CLI_OK;
    size_t count = mrc->plot.path != NULL ? show_series_count(mrc) : 0;
    for (size_t series = 0; series < count; series++) {
        ShowSeries show = show_read(mrc, series);
        int drawn = CLI_OK;
        if (series == 0) {
            drawn = show_plot(mrc, &show, &mrc->plot);
        } else if (show.count > 0) {
            drawn = show_plot_process(mrc, &show);
        }
        status = status == CLI_OK ? drawn : status;
        show_free(&show);
    }
    return status;
}
