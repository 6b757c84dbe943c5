/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures, drawn by gnuplot in a process of its own.
 *
 *     script with the data in it ──► gnuplot's standard input
 *     picture                    ◄── its standard output ──► CliOutput
 *
 * No temporary files, and the picture is written as any other output: completely, or with an
 * error. Several memory sizes give a line for each policy, a single one gives bars. Panels are
 * several pictures of one time axis, one below the other.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

/* ---- What can be drawn ---------------------------------------------------------------------- */

/* What gnuplot is told for a kind of file: a size, and the rest. */
typedef struct PlotTerminal {
    const char *ending, *name, *settings;
    double width, height;
    const char *unit;
} PlotTerminal;

static const PlotTerminal plot_terminals[] = {
    {".svg", "svg", "dynamic background '#ffffff' font 'sans-serif,14' noenhanced", 960, 600, ""},
    {".png", "pngcairo",
     "background '#ffffff' font 'sans,18' linewidth 1.5 pointscale 2 noenhanced", 1440, 900, ""},
    {".pdf", "pdfcairo", "font 'sans,14' noenhanced", 24, 15, "cm"},
};

/* NULL: the name has another ending. */
static const PlotTerminal *plot_terminal(const char *path) {
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof plot_terminals / sizeof *plot_terminals; i++) {
        if (strcmp(dot, plot_terminals[i].ending) == 0) {
            return &plot_terminals[i];
        }
    }
    return NULL;
}

static bool plot_have_gnuplot(void) {
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        char *program = cli_format("%.*s/gnuplot", (int)length, path);
        bool found = access(program, X_OK) == 0;
        free(program);
        if (found) {
            return true;
        }
        path += length + (path[length] == ':');
    }
    return false;
}

int cli_plot_check(const CliCommand *command, const char *flag, const char *path) {
    if (path == NULL) {
        return CLI_OK;
    }
    if (plot_terminal(path) == NULL) {
        return cli_usage_error(command->name, "%s: '%s' does not end in .svg, .png or .pdf", flag,
                               path);
    }
    if (plot_have_gnuplot()) {
        return CLI_OK;
    }
    cli_error("%s needs the program gnuplot, which is not installed; on Debian and Ubuntu it is in "
              "the package gnuplot-nox",
              flag);
    return CLI_FAILURE;
}

/* ---- The script ----------------------------------------------------------------------------- */

/* A gnuplot string: in single quotes, where only the quote itself is special. */
static void plot_print_string(FILE *script, const char *text) {
    fputc('\'', script);
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputc('\'', script);
        }
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, script);
    }
    fputc('\'', script);
}

static void plot_print_setting(FILE *script, const char *setting, const char *text) {
    fprintf(script, "set %s ", setting);
    plot_print_string(script, text);
    fputc('\n', script);
}

/* Colours that stay apart for colour-blind readers (Okabe and Ito), darkest first. */
static const char *plot_colour(size_t index) {
    static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#e69f00", "#56b4e9", "#7a5195", "#8c8c00"};
    return colours[index % (sizeof colours / sizeof colours[0])];
}

/* The bound that nothing beats is black, and dashed where it is no steps. */
static bool plot_is_bound(const char *series) {
    return cli_name_matches(series, "opt");
}

/* Are all values 0? The axis then needs an end of its own. */
static bool plot_is_flat(const CliPlot *plot) {
    for (size_t i = 0; i < plot->series_count * plot->x_count; i++) {
        if (plot->y[i] > 0.0) {
            return false;
        }
    }
    return true;
}

/* `height` as a multiple of the usual one. */
static void plot_print_terminal(FILE *script, const char *path, double height) {
    const PlotTerminal *terminal = plot_terminal(path);
    fprintf(script, "set terminal %s size %g%s,%g%s %s\n", terminal->name, terminal->width,
            terminal->unit, terminal->height * height, terminal->unit, terminal->settings);
    fputs("set encoding utf8\n", script);
}

static void plot_print_frame(FILE *script, const char *title, const char *y_title) {
    plot_print_setting(script, "title", title);
    plot_print_setting(script, "ylabel", y_title);
    fputs("set border 3 linecolor '#555555'\nset tics nomirror\n"
          "set grid ytics linecolor '#dddddd' linewidth 1 dashtype 1\n",
          script);
}

static void plot_print_head(FILE *script, const CliPlot *plot, const char *path) {
    plot_print_terminal(script, path, 1.0);
    plot_print_frame(script, plot->title, plot->y_title);
    fprintf(script, "set yrange [0:%s]\n", plot_is_flat(plot) ? "1" : "*");
    if (plot->percent) {
        fputs("set format y '%g %%'\n", script);
    }
}

static void plot_print_data(FILE *script, const CliPlot *plot) {
    for (size_t s = 0; s < plot->series_count; s++) {
        fprintf(script, "$series%zu << END\n", s);
        for (size_t i = 0; i < plot->x_count; i++) {
            if (plot->y[s * plot->x_count + i] >= 0.0) {
                fprintf(script, "%.17g %.17g\n", plot->x[i], plot->y[s * plot->x_count + i]);
            }
        }
        fputs("END\n", script);
    }
}

static void plot_print_x_axis(FILE *script, const CliPlot *plot) {
    double least = plot->x[0], most = plot->x[0];
    plot_print_setting(script, "xlabel", plot->x_title);
    for (size_t i = 1; i < plot->x_count; i++) {
        least = plot->x[i] < least ? plot->x[i] : least;
        most = plot->x[i] > most ? plot->x[i] : most;
    }
    if (plot->linear) {
        fprintf(script, "set xrange [0:%.17g]\n", most);
        return;
    }
    if (most > 8.0 * least) {
        fputs("set logscale x 2\n", script);
        fprintf(script, "set xrange [%.17g:%.17g]\n", least / 1.1, most * 1.1);
    } else {
        double margin = (most - least) * 0.04;
        fprintf(script, "set xrange [%.17g:%.17g]\n", least - margin, most + margin);
    }
    if (plot->x_count > 12) {
        return;
    }
    fputs("set xtics (", script);
    for (size_t i = 0; i < plot->x_count; i++) {
        fputs(i == 0 ? "" : ", ", script);
        plot_print_string(script, plot->x_names[i]);
        fprintf(script, " %.17g", plot->x[i]);
    }
    fputs(")\n", script);
}

static void plot_print_lines(FILE *script, const CliPlot *plot) {
    plot_print_x_axis(script, plot);
    for (size_t i = 0; i < plot->rule_count; i++) {
        fprintf(script,
                "set arrow from %.17g, graph 0 to %.17g, graph 1 nohead back linewidth 1 linecolor "
                "'#999999'\n",
                plot->rules[i], plot->rules[i]);
    }
    fputs("set key outside right top vertical Left reverse samplen 2 spacing 1.2\n", script);
    plot_print_data(script, plot);
    fputs("plot ", script);
    for (size_t s = 0; s < plot->series_count; s++) {
        bool bound = plot_is_bound(plot->series[s]);
        fprintf(script, "%s$series%zu using 1:2 smooth unique with ", s == 0 ? "" : ", ", s);
        if (plot->linear) {
            fputs("lines", script);
        } else {
            fprintf(script, "linespoints pointtype %zu pointsize 0.8", 4 + s % 12);
        }
        fprintf(script, " linewidth 2 dashtype %s linecolor '%s' title ", bound ? "2" : "1",
                bound ? "#000000" : plot_colour(s));
        plot_print_string(script, plot->series[s]);
    }
    fputs("\n", script);
}

static void plot_print_bars(FILE *script, const CliPlot *plot) {
    fprintf(script,
            "set xrange [-0.6:%.1f]\nset boxwidth 0.7\nset style fill solid 0.9\n"
            "unset key\n",
            (double)plot->series_count - 0.4);
    char *label = cli_format("policy, %s: %s", plot->x_title, plot->x_names[0]);
    plot_print_setting(script, "xlabel", label);
    free(label);
    fputs("set xtics (", script);
    for (size_t s = 0; s < plot->series_count; s++) {
        fputs(s == 0 ? "" : ", ", script);
        plot_print_string(script, plot->series[s]);
        fprintf(script, " %zu", s);
    }
    fputs(")\n", script);
    plot_print_data(script, plot);
    fputs("plot ", script);
    for (size_t s = 0; s < plot->series_count; s++) {
        fprintf(script, "%s$series%zu using (%zu):2 with boxes linecolor '%s'", s == 0 ? "" : ", ",
                s, s, plot_is_bound(plot->series[s]) ? "#000000" : plot_colour(s));
    }
    fputs("\n", script);
}

static char *plot_script(const CliPlot *plot, const char *path, size_t *length) {
    char *text = NULL;
    FILE *script = open_memstream(&text, length);
    if (script == NULL) {
        return NULL;
    }
    plot_print_head(script, plot, path);
    if (plot->x_count > 1) {
        plot_print_lines(script, plot);
    } else {
        plot_print_bars(script, plot);
    }
    if (fclose(script) == 0) {
        return text;
    }
    free(text);
    return NULL;
}

/* ---- Curves --------------------------------------------------------------------------------- */

static void plot_print_pairs(FILE *script, const char *name, size_t number, const double *x,
                             const double *y, size_t count) {
    fprintf(script, "$%s%zu << END\n", name, number);
    for (size_t i = 0; i < count; i++) {
        if (y[i] >= 0.0) {
            fprintf(script, "%.17g %.17g\n", x[i], y[i]);
        }
    }
    fputs("END\n", script);
}

/* Steps as one path: its corners only. */
static void plot_print_steps(FILE *script, size_t number, const CliPlotLine *line) {
    double before = -1.0;
    fprintf(script, "$line%zu << END\n", number);
    for (size_t i = 0; i < line->count; i++) {
        double y = line->y[i];
        if (y < 0.0 || (y == before && i + 1 < line->count)) {
            continue;
        }
        if (before >= 0.0 && y != before) {
            fprintf(script, "%.17g %.17g\n", line->x[i], before);
        }
        fprintf(script, "%.17g %.17g\n", line->x[i], y);
        before = y;
    }
    fputs("END\n", script);
}

static void plot_print_curve_lines(FILE *script, const CliCurvePlot *plot) {
    fputs("plot ", script);
    for (size_t i = 0; i < plot->line_count; i++) {
        const CliPlotLine *line = &plot->lines[i];
        const char *colour = plot_is_bound(line->name) ? "#000000" : plot_colour(i);
        fprintf(script, "%s$line%zu using 1:2 with %s linewidth 2 linecolor '%s' title ",
                i == 0 ? "" : ", ", i,
                line->pointwise ? "linespoints pointtype 7 pointsize 0.5" : "lines", colour);
        plot_print_string(script, line->name);
        if (line->mark_count > 0) {
            fprintf(script,
                    ", $mark%zu using 1:2 with points pointtype 6 pointsize 1.2 linewidth 2 "
                    "linecolor '%s' notitle",
                    i, colour);
        }
    }
    fputs("\n", script);
}

static char *plot_curve_script(const CliCurvePlot *plot, const char *path, size_t *length) {
    char *text = NULL;
    FILE *script = open_memstream(&text, length);
    if (script == NULL) {
        return NULL;
    }
    plot_print_terminal(script, path, 1.0);
    plot_print_frame(script, plot->title, plot->y_title);
    plot_print_setting(script, "xlabel", plot->x_title);
    fputs("set yrange [0:*]\nset format y '%g %%'\nset logscale x 2\nset xrange [1:*]\n"
          "set key outside right top vertical Left reverse samplen 2 spacing 1.2\n",
          script);
    for (size_t i = 0; i < plot->line_count; i++) {
        const CliPlotLine *line = &plot->lines[i];
        if (line->pointwise) {
            plot_print_pairs(script, "line", i, line->x, line->y, line->count);
        } else {
            plot_print_steps(script, i, line);
        }
        if (line->mark_count > 0) {
            plot_print_pairs(script, "mark", i, line->mark_x, line->mark_y, line->mark_count);
        }
    }
    plot_print_curve_lines(script, plot);
    if (fclose(script) == 0) {
        return text;
    }
    free(text);
    return NULL;
}

/* ---- Panels --------------------------------------------------------------------------------- */

/* A line ends where a series has no point, and begins anew behind it. */
static void plot_print_panel_data(FILE *script, const CliPanelPlot *plot, size_t number) {
    const CliPlotPanel *panel = &plot->panels[number];
    for (size_t s = 0; s < panel->series_count; s++) {
        fprintf(script, "$panel%zu_%zu << END\n", number, s);
        for (size_t i = 0; i < plot->x_count; i++) {
            double y = panel->y[s * plot->x_count + i];
            if (y >= 0.0) {
                fprintf(script, "%.17g %.17g\n", plot->x[i], y);
            } else {
                fputs("\n", script);
            }
        }
        fputs("END\n", script);
    }
}

/* Lines that lie on each other can all be seen: the first ones are wider. */
static void plot_print_panel(FILE *script, const CliPanelPlot *plot, size_t number) {
    const CliPlotPanel *panel = &plot->panels[number];
    bool last = number + 1 == plot->panel_count;
    double point_size = plot->x_count > 64 ? 0.25 : 0.6;
    fprintf(script, "set tmargin at screen %.6f\nset bmargin at screen %.6f\n",
            1.0 - ((double)number + 0.35) / ((double)plot->panel_count + 0.3),
            1.0 - ((double)number + 1.0) / ((double)plot->panel_count + 0.3));
    plot_print_frame(script, panel->title, panel->y_title);
    plot_print_setting(script, "xlabel", last ? plot->x_title : "");
    fputs("plot ", script);
    for (size_t s = 0; s < panel->series_count; s++) {
        fprintf(script,
                "%s$panel%zu_%zu using 1:2 with linespoints pointtype 7 pointsize %g "
                "linewidth %g linecolor '%s' title ",
                s == 0 ? "" : ", ", number, s, point_size,
                1.8 + 0.5 * (double)(panel->series_count - 1 - s),
                plot_colour(panel->first_colour + s));
        plot_print_string(script, panel->series[s]);
    }
    fputs("\n", script);
}

static char *plot_panels_script(const CliPanelPlot *plot, const char *path, size_t *length) {
    char *text = NULL;
    FILE *script = open_memstream(&text, length);
    if (script == NULL) {
        return NULL;
    }
    plot_print_terminal(script, path, 0.4 * (double)plot->panel_count + 0.12);
    for (size_t i = 0; i < plot->panel_count; i++) {
        plot_print_panel_data(script, plot, i);
    }
    fputs("set multiplot\nset lmargin at screen 0.09\nset rmargin at screen 0.8\n"
          "set yrange [0:*]\nset format x '%.0f'\nset format y '%.10g'\n"
          "set key outside right top vertical maxcols 1 Left reverse samplen 2 spacing 0.9 font "
          "',12'\n",
          script);
    fprintf(script, "set xrange [0:%.17g]\n", plot->x[plot->x_count - 1]);
    plot_print_setting(script, "label 1", plot->title);
    fputs("set label 1 at screen 0.445, screen 0.985 center\n", script);
    for (size_t i = 0; i < plot->panel_count; i++) {
        plot_print_panel(script, plot, i);
        fputs("unset label 1\n", script);
    }
    fputs("unset multiplot\n", script);
    if (fclose(script) == 0) {
        return text;
    }
    free(text);
    return NULL;
}

/* ---- The process ---------------------------------------------------------------------------- */

typedef struct PlotProcess {
    pid_t pid;
    int to, from;
} PlotProcess;

static void plot_exec(const int to[2], const int from[2]) {
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    close(to[0]);
    close(to[1]);
    close(from[0]);
    close(from[1]);
    execlp("gnuplot", "gnuplot", "-", (char *)NULL);
    _exit(127);
}

static int plot_start(PlotProcess *process) {
    int to[2], from[2];
    if (pipe(to) != 0) {
        return errno;
    }
    if (pipe(from) != 0) {
        int error = errno;
        close(to[0]);
        close(to[1]);
        return error;
    }
    cli_flush_stdout(); /* else the child has a copy of it */
    process->pid = fork();
    int error = process->pid < 0 ? errno : 0;
    if (process->pid == 0) {
        plot_exec(to, from);
    }
    close(to[0]);
    close(from[1]);
    process->to = to[1];
    process->from = from[0];
    return error;
}

/* gnuplot reads the whole script before it draws: the last line of the script is the plot. */
static void plot_send(int to, const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(to, text, length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            break; /* it has ended: its exit status tells */
        }
        text += written;
        length -= (size_t)written;
    }
    close(to);
}

static char *plot_receive(int from, size_t *length) {
    size_t capacity = 1 << 16;
    char *picture = cli_alloc(capacity, 1);
    ssize_t got;
    *length = 0;
    while ((got = read(from, picture + *length, capacity - *length)) != 0) {
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            break;
        }
        *length += (size_t)got;
        if (*length == capacity) {
            capacity *= 2;
            picture = cli_realloc(picture, capacity, 1);
        }
    }
    close(from);
    return picture;
}

static bool plot_ended_well(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int plot_failed(CliOutput *output, const char *why) {
    cli_error("cannot draw '%s': %s", output->path, why);
    cli_output_discard(output);
    return CLI_FAILURE;
}

/* Draws a script, which is freed; NULL: there was no memory for it. */
static int plot_draw(char *script, size_t script_length, CliOutput *output) {
    size_t length = 0;
    PlotProcess process = {.to = -1, .from = -1};
    if (script == NULL) {
        return plot_failed(output, "out of memory");
    }
    void (*old_handler)(int) = signal(SIGPIPE, SIG_IGN);
    int error = plot_start(&process);
    if (error == 0) {
        plot_send(process.to, script, script_length);
    }
    free(script);
    if (error != 0) {
        signal(SIGPIPE, old_handler);
        return plot_failed(output, strerror(error));
    }
    char *picture = plot_receive(process.from, &length);
    bool drawn = plot_ended_well(process.pid) && length > 0;
    signal(SIGPIPE, old_handler);
    int status =
        drawn ? cli_output_write(output, picture, length) : plot_failed(output, "gnuplot failed");
    free(picture);
    return status;
}

int cli_plot_write(const CliPlot *plot, CliOutput *output) {
    size_t length = 0;
    char *script = plot_script(plot, output->path, &length);
    return plot_draw(script, length, output);
}

int cli_plot_curves(const CliCurvePlot *plot, CliOutput *output) {
    size_t length = 0;
    char *script = plot_curve_script(plot, output->path, &length);
    return plot_draw(script, length, output);
}

int cli_plot_panels(const CliPanelPlot *plot, CliOutput *output) {
    size_t length = 0;
    char *script = plot_panels_script(plot, output->path, &length);
    return plot_draw(script, length, output);
}
