/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vmm advise says: plain words and the numbers behind them, a small picture of the working set
 * over time, JSON, and plots by gnuplot.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise.h"

enum { SHOW_BAR = 46, SHOW_SLICES = 20, SHOW_PHASES = 5, SHOW_CURVE_PLACES = 16384 };

/* ---- Words ---------------------------------------------------------------------------------- */

static const char *adviseshow_plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

/* So many pages in bytes, as people say it. */
static char *adviseshow_size(const Advise *advise, uint64_t pages) {
    static const char units[] = "KMGTP";
    uint64_t page = cli_config_bytes(&advise->config, "page-size");
    double size = (double)pages * (double)page / 1024.0;
    size_t unit = 0;
    while (size >= 10000.0 && unit + 2 < sizeof units) {
        size /= 1024.0;
        unit++;
    }
    bool whole = size >= 100.0 || unit == 0;
    return cli_format("%.*f%c", whole && size >= 1.0 ? 0 : 1, size, units[unit]);
}

static void adviseshow_print_head(const Advise *advise) {
    char value[CLI_VALUE_BYTES];
    const AdvisePlace *all = &advise->places[ADVISE_ALL];
    char *trace = cli_visible(advise->flags.trace);
    char *size = adviseshow_size(advise, all->frames);
    printf("%s: %" PRIu64 " page references, pages of %s\n\n", trace, advise->about.page_references,
           cli_config_text(&advise->config, "page-size", value));
    printf("With %" PRIu64 " page%s of memory (%s) it reads no page twice.\n", all->frames,
           adviseshow_plural(all->frames), size);
    free(trace);
    free(size);
}

/* The answer itself. */
static void adviseshow_print_answer(const Advise *advise) {
    const AdvisePlace *thrash = &advise->places[ADVISE_THRASH];
    uint64_t needed = advise_needed(advise);
    char *enough = adviseshow_size(advise, needed);
    char *least = adviseshow_size(advise, thrash->frames);
    printf("It needs %" PRIu64 " page%s (%s): with these it does not thrash, and misses at most "
           "1 %% more often.\n",
           needed, adviseshow_plural(needed), enough);
    if (thrash->frames <= 1) {
        puts("It never thrashes: with a single page it still works more than it waits.");
    } else {
        printf("With less than %" PRIu64 " pages (%s) it thrashes: it waits for pages for more "
               "than %g %% of\nits time.\n",
               thrash->frames, least, 100.0 * advise->thrash);
    }
    free(enough);
    free(least);
}

static void adviseshow_print_places(const Advise *advise) {
    printf("\n%-28s %9s %8s %12s %8s %9s %9s\n", "memory", "pages", "size", "misses", "ratio",
           "waiting", "time");
    for (size_t i = 0; i < ADVISE_PLACES; i++) {
        const AdvisePlace *place = &advise->places[i];
        char *size = adviseshow_size(advise, place->frames);
        printf("%-28s %9" PRIu64 " %8s %12" PRIu64 " %7.3f%% %8.1f%% %7.2f x\n", place->meaning,
               place->frames, size, place->misses, 100.0 * place->miss_ratio,
               100.0 * place->waiting, place->times);
        free(size);
    }
}

static void adviseshow_print_model(const Advise *advise) {
    char memory[CLI_VALUE_BYTES], fault[CLI_VALUE_BYTES], in[CLI_VALUE_BYTES], out[CLI_VALUE_BYTES];
    bool stalls = advise->costs.write > 0.0;
    printf("\nLRU, every size exactly. Waiting is the share of time that goes into pages that had "
           "to come\nback%s: a page reference takes %s, a fault %s, reading a\npage from swap %s, "
           "writing one %s%s. Other costs give other answers: see vmm help\nadvise.\n",
           stalls ? " and pages that were written out" : "",
           cli_config_text(&advise->config, "cost-memory", memory),
           cli_config_text(&advise->config, "cost-fault", fault),
           cli_config_text(&advise->config, "cost-swap-read", in),
           cli_config_text(&advise->config, "cost-swap-write", out),
           stalls ? "" : " in the background");
}

/* ---- The working set over time -------------------------------------------------------------- */

static uint64_t adviseshow_largest(const Advise *advise, size_t from, size_t to) {
    uint64_t most = 0;
    for (size_t i = from; i < to; i++) {
        most = advise->windows[i].pages > most ? advise->windows[i].pages : most;
    }
    return most;
}

/* Does a phase begin in these windows? The first one is no change. */
static bool adviseshow_changes(const Advise *advise, size_t from, size_t to) {
    for (size_t i = from > 0 ? from : 1; i < to; i++) {
        if (advise->windows[i].phase != advise->windows[i - 1].phase) {
            return true;
        }
    }
    return false;
}

static double adviseshow_share(const Advise *advise, size_t window) {
    return 100.0 * (double)advise->windows[window].first / (double)advise->about.page_references;
}

/* A bar for each slice of time: its largest working set. */
static void adviseshow_print_picture(const Advise *advise) {
    size_t slices = advise->window_count < SHOW_SLICES ? advise->window_count : SHOW_SLICES;
    uint64_t most = adviseshow_largest(advise, 0, advise->window_count);
    printf("\nWorking set over time: different pages in each window of %" PRIu64
           " page references\n\n",
           advise->window);
    for (size_t slice = 0; slice < slices; slice++) {
        size_t from = advise->window_count * slice / slices;
        size_t to = advise->window_count * (slice + 1) / slices;
        uint64_t pages = adviseshow_largest(advise, from, to);
        size_t length = most == 0 ? 0 : (size_t)((pages * SHOW_BAR + most - 1) / most);
        printf("%5.0f %% %c %8" PRIu64 " ", adviseshow_share(advise, from),
               adviseshow_changes(advise, from, to) ? '>' : ' ', pages);
        for (size_t i = 0; i < length; i++) {
            putchar('#');
        }
        putchar('\n');
    }
    puts("\nThe bar is the largest working set of its part of the trace; > a phase begins there.");
}

/* The longest first, of equal ones the earlier. */
static int adviseshow_compare_phases(const void *left, const void *right) {
    const AdvisePhase *a = *(const AdvisePhase *const *)left;
    const AdvisePhase *b = *(const AdvisePhase *const *)right;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : (a->first > b->first ? 1 : -1);
}

static void adviseshow_print_phase(const Advise *advise, const AdvisePhase *phase) {
    size_t end = phase->first + phase->count;
    printf("%7.1f %% %7.1f %% %9zu %12.1f %12" PRIu64 "\n", adviseshow_share(advise, phase->first),
           end < advise->window_count ? adviseshow_share(advise, end) : 100.0, phase->count,
           phase->mean, phase->most);
}

static void adviseshow_print_phases(const Advise *advise) {
    if (advise->phase_count == 1) {
        puts("\nOne phase: it works on much the same pages from one window to the next.");
        return;
    }
    printf("\n%zu phases: a new one begins where two windows share less than half of their pages",
           advise->phase_count);
    puts(advise->phase_count > SHOW_PHASES ? ";\nthe longest are:\n" : ":\n");
    printf("%9s %9s %9s %12s %12s\n", "from", "to", "windows", "mean pages", "most pages");
    const AdvisePhase **longest = cli_alloc(advise->phase_count, sizeof(AdvisePhase *));
    for (size_t i = 0; i < advise->phase_count; i++) {
        longest[i] = &advise->phases[i];
    }
    if (advise->phase_count > SHOW_PHASES) {
        qsort(longest, advise->phase_count, sizeof(AdvisePhase *), adviseshow_compare_phases);
    }
    for (size_t i = 0; i < advise->phase_count && i < SHOW_PHASES; i++) {
        adviseshow_print_phase(advise, longest[i]);
    }
    if (advise->phase_count > SHOW_PHASES) {
        printf("and %zu more; -o FILE has all windows with their phases\n",
               advise->phase_count - SHOW_PHASES);
    }
    free(longest);
}

void advise_print(const Advise *advise) {
    adviseshow_print_head(advise);
    adviseshow_print_answer(advise);
    adviseshow_print_places(advise);
    adviseshow_print_model(advise);
    adviseshow_print_picture(advise);
    adviseshow_print_phases(advise);
    if (advise->info.damaged_bytes > 0) {
        puts("\nThe input is damaged: all of this covers only what could be read.");
    }
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void adviseshow_json_place(const AdvisePlace *place, FILE *out) {
    fprintf(out,
            "{\"pages\": %" PRIu64 ", \"misses\": %" PRIu64 ", \"writebacks\": %" PRIu64
            ", \"miss_ratio\": %.9f, \"waiting\": %.6f, \"times\": %.4f}",
            place->frames, place->misses, place->writebacks, place->miss_ratio, place->waiting,
            place->times);
}

/* The curve at powers of two, up to where it ends. */
static void adviseshow_json_curve(const Advise *advise, FILE *out) {
    uint64_t last = advise->places[ADVISE_ALL].frames;
    fputs("  \"curve\": [\n", out);
    for (uint64_t frames = 1;; frames = frames * 2 < last ? frames * 2 : last) {
        AdvisePlace place = advise_place(advise, frames);
        fputs("    ", out);
        adviseshow_json_place(&place, out);
        if (frames >= last) {
            break;
        }
        fputs(",\n", out);
    }
    fputs("\n  ],\n", out);
}

static void adviseshow_json_windows(const Advise *advise, FILE *out) {
    fputs("  \"windows\": [\n", out);
    for (size_t i = 0; i < advise->window_count; i++) {
        const VMMWindow *window = &advise->windows[i];
        fprintf(out,
                "    {\"first\": %" PRIu64 ", \"length\": %" PRIu64 ", \"pages\": %" PRIu64
                ", \"shared\": %" PRIu64 ", \"new_pages\": %" PRIu64
                ", \"distance\": %.6f, \"phase\": %" PRIu64 "}%s\n",
                window->first, window->length, window->pages, window->shared, window->new_pages,
                window->distance, window->phase, i + 1 < advise->window_count ? "," : "");
    }
    fputs("  ]\n}\n", out);
}

/* What was looked at, and what waiting costs. */
static void adviseshow_json_question(const Advise *advise, FILE *out) {
    static const char *const costs[] = {"cost-memory", "cost-fault", "cost-swap-read",
                                        "cost-swap-write", "swap-write"};
    char value[CLI_VALUE_BYTES];
    fprintf(out, "{\n  \"version\": \"%s\",\n  \"trace\": ", vmm_version());
    cli_print_json_string(out, advise->flags.trace);
    fprintf(out,
            ",\n  \"page_references\": %" PRIu64 ",\n  \"first_references\": %" PRIu64
            ",\n  \"page_size\": %" PRIu64 ",\n  \"thrash_share\": %g,\n  \"costs\": {",
            advise->about.page_references, advise->about.cold_misses,
            cli_config_bytes(&advise->config, "page-size"), advise->thrash);
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
        fprintf(out, "%s\"%s\": \"%s\"", i == 0 ? "" : ", ", costs[i],
                cli_config_text(&advise->config, costs[i], value));
    }
    fputs("},\n", out);
}

static void adviseshow_json_answers(const Advise *advise, FILE *out) {
    fprintf(out, "  \"needed_pages\": %" PRIu64 ",\n  \"memory\": {\n", advise_needed(advise));
    for (size_t i = 0; i < ADVISE_PLACES; i++) {
        fprintf(out, "    \"%s\": ", advise->places[i].name);
        adviseshow_json_place(&advise->places[i], out);
        fputs(i + 1 < ADVISE_PLACES ? ",\n" : "\n  },\n", out);
    }
}

int advise_write_json(Advise *advise) {
    char *text = NULL;
    size_t length = 0;
    if (advise->json.path == NULL) {
        return CLI_OK;
    }
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    adviseshow_json_question(advise, out);
    adviseshow_json_answers(advise, out);
    adviseshow_json_curve(advise, out);
    fprintf(out, "  \"window\": %" PRIu64 ",\n  \"phases\": %zu,\n", advise->window,
            advise->phase_count);
    adviseshow_json_windows(advise, out);
    int status = CLI_FAILURE;
    if (fclose(out) == 0) {
        status = cli_output_write(&advise->json, text, length);
    }
    free(text);
    return status;
}

/* ---- Plots ---------------------------------------------------------------------------------- */

static const char *adviseshow_base(const Advise *advise) {
    const char *slash = strrchr(advise->flags.trace, '/');
    return slash != NULL ? slash + 1 : advise->flags.trace;
}

static int adviseshow_plot_windows(Advise *advise) {
    static const char *const series[] = {"working set", "new pages"};
    size_t count = advise->window_count;
    double *x = cli_alloc(count, sizeof *x);
    double *y = cli_alloc(2 * count, sizeof *y);
    const char **names = cli_alloc(count, sizeof *names);
    double *rules = cli_alloc(advise->phase_count, sizeof *rules);
    for (size_t i = 0; i < count; i++) {
        const VMMWindow *window = &advise->windows[i];
        x[i] = (double)(window->first + window->length) / 1e6;
        y[i] = (double)window->pages;
        y[count + i] = (double)window->new_pages;
        names[i] = "";
    }
    for (size_t i = 1; i < advise->phase_count; i++) { /* the first begins with the trace */
        rules[i - 1] = (double)advise->windows[advise->phases[i].first].first / 1e6;
    }
    char *title = cli_format("%s: working set in windows of %" PRIu64 " page references",
                             adviseshow_base(advise), advise->window);
    CliPlot plot = {.title = title,
                    .x_title = "page references (millions); vertical lines: a phase begins",
                    .y_title = "pages",
                    .series = series,
                    .series_count = 2,
                    .x = x,
                    .x_names = names,
                    .x_count = count,
                    .y = y,
                    .linear = true,
                    .rules = rules,
                    .rule_count = advise->phase_count - 1};
    int status = cli_plot_write(&plot, &advise->plot);
    free(title);
    free(x);
    free(y);
    free(rules);
    free(names);
    return status;
}

/*
 * Places of the curve that a picture needs: all that can be told apart on a logarithmic axis, and
 * the answers, so that their circles lie on the line. Returns how many.
 */
static size_t adviseshow_curve_places(const Advise *advise, AdvisePlace *places) {
    uint64_t last = advise->places[ADVISE_ALL].frames;
    size_t count = 0;
    for (uint64_t frames = 1; count < SHOW_CURVE_PLACES;) {
        places[count++] = advise_place(advise, frames);
        if (frames == last) {
            break;
        }
        uint64_t next = frames + frames / 256 + 1;
        for (size_t i = 0; i < ADVISE_HALF; i++) {
            uint64_t answer = advise->places[i].frames;
            next = answer > frames && answer < next ? answer : next;
        }
        frames = next < last ? next : last;
    }
    return count;
}

static int adviseshow_plot_places(Advise *advise, const AdvisePlace *places, size_t count,
                                  double *numbers) {
    double *x = numbers, *misses = x + count, *waiting = misses + count;
    double mark_x[ADVISE_HALF], mark_y[ADVISE_HALF];
    for (size_t i = 0; i < count; i++) {
        x[i] = (double)places[i].frames;
        misses[i] = 100.0 * places[i].miss_ratio;
        waiting[i] = 100.0 * places[i].waiting;
    }
    for (size_t i = 0; i < ADVISE_HALF; i++) {
        mark_x[i] = (double)advise->places[i].frames;
        mark_y[i] = 100.0 * advise->places[i].waiting;
    }
    const CliPlotLine lines[] = {
        {.name = "waiting",
         .x = x,
         .y = waiting,
         .count = count,
         .mark_x = mark_x,
         .mark_y = mark_y,
         .mark_count = ADVISE_HALF},
        {.name = "misses", .x = x, .y = misses, .count = count},
    };
    char *title = cli_format("%s: how much memory it needs", adviseshow_base(advise));
    CliCurvePlot plot = {.title = title,
                         .x_title = "memory (pages); circles: the answers",
                         .y_title = "share of time waiting, misses for each page reference",
                         .lines = lines,
                         .line_count = sizeof lines / sizeof lines[0]};
    int status = cli_plot_curves(&plot, &advise->plot_curve);
    free(title);
    return status;
}

/* Misses and waiting by memory size, with circles where the answers are. */
static int adviseshow_plot_curve(Advise *advise) {
    AdvisePlace *places = cli_alloc(SHOW_CURVE_PLACES, sizeof *places);
    size_t count = adviseshow_curve_places(advise, places);
    double *numbers = cli_alloc(3 * count, sizeof *numbers);
    int status = adviseshow_plot_places(advise, places, count, numbers);
    free(places);
    free(numbers);
    return status;
}

int advise_write_plots(Advise *advise) {
    int windows = advise->plot.path != NULL ? adviseshow_plot_windows(advise) : CLI_OK;
    int curve = advise->plot_curve.path != NULL ? adviseshow_plot_curve(advise) : CLI_OK;
    return windows != CLI_OK ? windows : curve;
}
