/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program `vmm`: what its files share.
 *
 *     main.c      picks the sub-command            options.c   flags into structs and settings
 *     sim.c       one run, one report              messages.c  errors, warnings, exit statuses
 *     compare.c   many runs over one decode        output.c    files that are written completely
 *     explain.c   tiny strings, step by step       progress.c  the progress line, and Ctrl-C
 *     list.c      the tables of the library        steps.c     one line for each page reference
 *     cc.c        the compiler of vmm record --fast
 *     help.c      help, from the same tables       plot.c      pictures, through gnuplot
 *     words.c     lists separated by commas        picture.c   pictures made of characters
 *     memory.c    the memory of processes over time, memory_plot.c draws it
 *     sweep.c     many runs into one file: sweep.h
 *     mrc.c       every memory size at once: mrc.h
 *     advise.c    how much memory a program needs: advise.h
 *     validate.c  the kernel's counts beside simulated ones: validate.h
 *     trace.c     verbs on traces: trace_cmd.h
 *     policy.c    verbs on policies of the user's: policy_cmd.h
 *
 * The program uses the library through <vmm/...> alone. Reports and tables go to standard output,
 * everything else to standard error.
 */
#ifndef VMM_CLI_CLI_H
#define VMM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../include/vmm/vmm.h"

/* ---- Exit statuses and messages (messages.c) ------------------------------------------------ */

enum {
    CLI_OK = 0,
    CLI_FAILURE = 1,     /* usage; cannot open or write; out of memory, real or simulated */
    CLI_BAD_INPUT = 2,   /* bad, damaged or empty input */
    CLI_SIGNALLED = 128, /* plus the number of the signal that ended the run: 130 for Ctrl-C */
    CLI_GO_ON = -1       /* no exit status yet */
};

typedef enum CliLevel { CLI_QUIET, CLI_NORMAL, CLI_TALKATIVE } CliLevel;

#define CLI_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))

void cli_set_level(CliLevel level);
void cli_error(const char *format, ...) CLI_PRINTF(1, 2);   /* always shown */
void cli_warning(const char *format, ...) CLI_PRINTF(1, 2); /* not with --quiet */
void cli_info(const char *format, ...) CLI_PRINTF(1, 2);    /* only with --verbose or --debug */

/* A usage error: the message, then where help is to be had. Returns CLI_FAILURE. */
int cli_usage_error(const char *command, const char *format, ...) CLI_PRINTF(2, 3);

/* Says what of a trace was left out, if anything: the first bad records, then how many. */
void cli_warn_losses(const VMMTrace *trace, const VMMTraceInfo *info);

/* Says that `count` page references are invalid, if any; which is the first, where a machine that
   met them is given; and what to do. Then the processes that were killed for them. */
void cli_warn_invalid(const VMMConfig *config, uint64_t count, const VMM *vmm);
void cli_warn_killed(const VMM *vmm);

/* Says which options about memory were given that the curves of the trace do not know; */
void cli_warn_unknown_to_curves(const VMMConfig *config);
/* that there was none to read ahead for a policy that takes no page before it is referenced. */
void cli_warn_unread(const VMMConfig *config);

/*
 * A text with its control characters as \x1b. Names and values are whatever a user or a file says:
 * none may reach a terminal as a command. Messages are made so as a whole. free() it.
 */
char *cli_visible(const char *text);

/* The beginning of a text fit for a message, cut off and marked so if it is long; free() it. */
char *cli_excerpt(const char *text, size_t length);

/* The exit status that a VMMError of the library means. */
int cli_status(int vmm_error);

/* A configuration that vmm_config_check() refuses: a message, and the exit status. */
int cli_config_error(const char *command, int code, const char *error);

/* Memory, or the end of the program with a message: the program itself needs very little. */
void *cli_alloc(size_t count, size_t size);
void *cli_realloc(void *block, size_t count, size_t size);
char *cli_format(const char *format, ...) CLI_PRINTF(1, 2);
char *cli_copy(const char *text, size_t length);

/* Do names match but for case, '-' and '_'? */
bool cli_name_matches(const char *a, const char *b);

/* ---- Lists (words.c) ------------------------------------------------------------------------ */

/* Words that were separated by commas. Each is memory of its own; cli_words_free() frees all. */
typedef struct CliWords {
    char **items;
    size_t count;
} CliWords;

/* Takes over `word`. */
void cli_words_add(CliWords *words, char *word);
/* Splits at commas and adds; with `parameters`, key=value parts stay with the word before them. */
void cli_words_split(CliWords *words, const char *text, bool parameters);
/* The names of all policies. */
void cli_words_add_policies(CliWords *words);
void cli_words_free(CliWords *words);

/* ---- Sub-commands and their flags (options.c) ----------------------------------------------- */

/* A flag of a sub-command itself; beside these most take the options of the machine. */
typedef struct CliFlag {
    const char *name;         /* long flag */
    const char *alias;        /* another one, or NULL */
    char letter;              /* short flag, or 0 */
    const char *metavar;      /* NULL: a switch that takes no value */
    const char *default_text; /* shown in help; NULL: none */
    const char *group;        /* heading in help */
    const char *help;
    size_t offset; /* in the command's struct: const char *, or bool for a switch */
} CliFlag;

typedef struct CliCommand {
    const char *name;
    const char *summary;  /* one line */
    const char *synopsis; /* behind "vmm NAME" */
    const char *story;    /* what it does, a paragraph or two */
    const char *examples; /* command lines */
    const CliFlag *flags; /* ends with a NULL name */
    bool takes_options;   /* takes the options of the machine, too */
    /* of these the ones that help shows in their groups, NULL at the end; NULL: all */
    const char *const *options;
    const char *other_options; /* the group of the others in help; NULL: they do nothing here */
    const char *const *refused_options; /* never shown, NULL at the end; NULL: none */
    bool takes_words;                   /* takes words that are no flags */
    bool words_end_flags;               /* what follows the first word is words, too */
    /* the verbs, named "NAME VERB", NULL at the end; NULL: none */
    const struct CliCommand *const *verbs;
    int (*run)(const struct CliCommand *command, int argc, char **argv);
} CliCommand;

extern const CliCommand cli_sim_command, cli_compare_command, cli_explain_command;
extern const CliCommand cli_trace_command, cli_list_command, cli_cc_command, cli_cxx_command;
extern const CliCommand cli_help_command, cli_version_command;
extern const CliCommand cli_mrc_command, cli_advise_command;
extern const CliCommand cli_record_command, cli_sweep_command, cli_validate_command;

/* The sub-commands in the order of help; NULL past the last. */
const CliCommand *cli_command_at(size_t index);
const CliCommand *cli_command_find(const char *name);

extern const CliCommand cli_policy_command;

/* What a command with verbs has for flags, and how it runs: it picks the verb. */
extern const CliFlag cli_verb_flags[];
int cli_run_verb(const CliCommand *command, int argc, char **argv);

/* The verb of a command that has verbs, or NULL; and the name of a verb without its command's. */
const CliCommand *cli_verb_find(const CliCommand *command, const char *name);
const char *cli_verb_name(const CliCommand *verb);

typedef struct CliSetting {
    const VMMOption *option;
    const char *value;
} CliSetting;

/* A parsed command line. Pointers are into argv; release with cli_arguments_free(). */
typedef struct CliArguments {
    CliSetting *settings; /* options of the machine, in order */
    size_t setting_count;
    char **words;
    size_t word_count;
    bool help;
} CliArguments;

/*
 * Parses argv[0 .. argc) (without program and sub-command) into the command's own struct and the
 * arguments. CLI_OK, or CLI_FAILURE after a message.
 */
int cli_parse(const CliCommand *command, int argc, char **argv, void *values,
              CliArguments *arguments);
void cli_arguments_free(CliArguments *arguments);

/*
 * A command that reads one trace takes its name from -t or from a word; `*trace` is what -t says
 * or NULL. CLI_OK, or CLI_FAILURE after a message if there is none, or more than one.
 */
int cli_take_trace(const CliCommand *command, const CliArguments *arguments, const char **trace);

/* The flag of a command by its long name, or NULL. Options so named are hidden behind it. */
const CliFlag *cli_flag_find(const CliCommand *command, const char *name);

/* Is it a policy, with parameters that it knows? CLI_OK, or an exit status after a message. */
int cli_check_policy(const CliCommand *command, const VMMConfig *config, const char *policy);

/* Defaults, then the file (NULL: none), then the settings of the command line. */
int cli_configure(const CliCommand *command, const CliArguments *arguments, const char *file,
                  VMMConfig *config);

/* The value of --threads, NULL: the default. CLI_OK, or CLI_FAILURE after a message. */
int cli_parse_threads(const CliCommand *command, const char *text, uint32_t *threads);

/* One option of a configuration, as text and, for sizes, in bytes. */
enum { CLI_VALUE_BYTES = 256 };
const char *cli_config_text(const VMMConfig *config, const char *name, char value[CLI_VALUE_BYTES]);
uint64_t cli_config_bytes(const VMMConfig *config, const char *name);
/* The width of addresses that its page tables translate. */
unsigned cli_config_address_bits(const VMMConfig *config);

/* ---- Help (help.c) -------------------------------------------------------------------------- */

int cli_print_help(const CliCommand *command);
void cli_print_overview(void);
/* Text in lines of at most 80 columns, from column `indent` on, the first line from `column`. */
void cli_print_wrapped(const char *text, int indent, int column);

/* ---- Output (output.c) ---------------------------------------------------------------------- */

/* A file that is named on the command line, and by which flag. */
typedef struct CliFileName {
    const char *flag;
    const char *path; /* NULL: the flag is not given */
    bool is_output;
} CliFileName;

/*
 * Is no output the file of an input or of another output, under whatever name? Inputs stand first.
 * CLI_OK, or CLI_FAILURE after a message.
 */
int cli_output_check_names(const CliFileName *names, size_t count);

/* The files of a command that runs machines; NULL: not named. */
typedef struct CliFiles {
    const char *trace, *config, *json, *csv, *plot, *memory, *memory_plot;
} CliFiles;

/* As cli_output_check_names(); and not both JSON and CSV go to standard output. */
int cli_output_check_files(const CliCommand *command, const CliFiles *files);

/*
 * A file to be written at the end of a run but tried at its start, so that a long run is not lost
 * to a wrong name. What the file held before stays until the new content is complete.
 */
typedef struct CliOutput {
    const char *path; /* NULL: nothing to write */
    char *target;     /* the file that a temporary one will be renamed to; NULL: write to fd */
    int fd;
    bool cut;     /* fd is a regular file: what it held goes */
    bool created; /* by us, to be appended to: removed again if nothing is written */
    bool append;
} CliOutput;

/* path NULL: nothing; "-": standard output. CLI_OK, or CLI_FAILURE after a message. */
int cli_output_open(CliOutput *output, const char *path, bool append);
/* Writes all or reports why not; closes in any case. */
int cli_output_write(CliOutput *output, const char *text, size_t length);
/*
 * CSV with append: the header is written only into an empty file; one that differs is an error,
 * which cli_output_check_header() finds before the run.
 */
int cli_output_check_header(const CliOutput *output, const char *header);
int cli_output_write_csv(CliOutput *output, const char *header, const char *rows);
/* Gives up an output that was not written. Accepts one that was never opened or is closed. */
void cli_output_discard(CliOutput *output);
bool cli_output_is_stdout(const CliOutput *output);

/*
 * A file that is written while the run goes on, and is seen under its name only when it is
 * complete. Until then it has no name where the system can do that, so that nothing is left behind
 * whatever ends the program.
 */
typedef struct CliStream {
    CliOutput output;
    int fd;          /* to be written */
    char *temporary; /* its name, if it has to have one */
} CliStream;

/* "-": standard output. CLI_OK, or CLI_FAILURE after a message. */
int cli_stream_open(CliStream *stream, const char *path);
/* The file is complete: CLI_OK, or CLI_FAILURE after a message. Closes in any case. */
int cli_stream_finish(CliStream *stream);
/* Gives up; what was there before stays. Accepts a stream that is zeroed, finished or given up. */
void cli_stream_discard(CliStream *stream);

/* Writes out what is buffered; an error is kept for cli_finish_stdout(). */
void cli_flush_stdout(void);

/* Ends standard output: CLI_OK, or CLI_FAILURE if anything could not be written. */
int cli_finish_stdout(void);

/* A whole report in memory of its own (free()), or NULL after a message. */
char *cli_report(const VMM *vmm, VMMReportKind kind, const VMMReportContext *context);

/* ---- JSON (json.c) -------------------------------------------------------------------------- */

/* Any bytes as a JSON string, quotes included; what is no UTF-8 becomes U+FFFD. */
void cli_print_json_string(FILE *out, const char *text);

/* ---- Compiling for the fast recorder (cc.c) -------------------------------------------------- */

/* The environment variable that tells a program so compiled where it shall record to. */
#define CLI_FAST_VARIABLE "VMM_RECORD_CHANNEL"

/* Does the word name a C or C++ compiler? */
bool cli_is_compiler(const char *word);
/* Becomes the compiler, with its arguments and ours; CLI_FAILURE after a message if it cannot. */
int cli_compile(const char *compiler, int argc, char **argv);

/* ---- Progress (progress.c) ------------------------------------------------------------------ */

typedef struct CliProgress {
    bool on_terminal;
    bool shown;
    uint64_t limit; /* references that end the run; 0: none */
    uint32_t part;  /* of a run in several parts, from 1 */
    uint32_t parts;
    uint32_t pass;
    double start; /* seconds; of the pass */
    double next;  /* when to draw again */
} CliProgress;

/* `allowed` false: never draws. */
void cli_progress_init(CliProgress *progress, bool allowed, uint64_t limit);
/* A VMMProgressCallback whose user is a CliProgress: draws, and stops the run after Ctrl-C. */
int cli_progress_step(void *user, const VMMProgress *now);
/* "  12 s left" on standard error, when a share (above 0) of the work took so many seconds. */
void cli_print_time_left(double share, double seconds);
/* Erases the line. */
void cli_progress_end(CliProgress *progress);

/*
 * From now on Ctrl-C, SIGTERM and SIGHUP end the run with what it has so far, and only a second
 * one kills. What was ignored when the program began (nohup, background jobs) stays so.
 */
void cli_catch_interrupt(void);
/* The run is over: they kill again. */
void cli_release_interrupt(void);
/* The signal that came, 0 if none did. */
int cli_interrupted(void);

/*
 * If the command line names the file of a policy: from now on a crash, or a call of exit(), is told
 * with a sentence. Until the end, after which the program may call exit() itself.
 */
void cli_watch_policies(int argc, char **argv);
void cli_watch_end(void);

/* Seconds of a clock that only goes forward. */
double cli_now(void);

/* ---- Steps (steps.c) ------------------------------------------------------------------------ */

/* How addresses are split, for printing steps. */
typedef struct CliSteps {
    unsigned levels;  /* 0: organisation without levels */
    unsigned bits[5]; /* of the index of each level, top first */
    unsigned offset_bits;
} CliSteps;

void cli_steps_init(CliSteps *steps, const VMMConfig *config);
/* A VMMObserver whose user is a CliSteps: one line on standard error. */
void cli_steps_print(void *user, const VMMStep *step);

/* ---- Memory over time (memory.c, memory_plot.c) ---------------------------------------------- */

enum { CLI_MEMORY_RSS, CLI_MEMORY_PSS, CLI_MEMORY_USS, CLI_MEMORY_SWAP, CLI_MEMORY_KINDS };

/* What a process has at a point, in pages. */
typedef struct CliMemoryRow {
    size_t point;
    uint64_t pid;
    double pages[CLI_MEMORY_KINDS];
} CliMemoryRow;

/* What the machine has there. */
typedef struct CliMemoryPoint {
    uint64_t references;
    double frames_used, frames_shared;
} CliMemoryPoint;

/* The memory of processes: the text of a CSV file, and the same as numbers for pictures. */
typedef struct CliMemory {
    uint64_t every;  /* references between two points; 0: none are wanted */
    uint64_t next;   /* where the next one is due */
    bool begun;      /* there is a point; the last one: */
    uint64_t last;   /* where it was */
    uint64_t events; /* that had happened then */
    FILE *csv;
    char *text;
    size_t length;
    bool draws; /* points and rows are kept */
    CliMemoryPoint *points;
    size_t point_count, point_room;
    CliMemoryRow *rows;
    size_t row_count, row_room;
} CliMemory;

/* `every` is the value of --memory-every or NULL. CLI_OK or an exit status after a message. */
int cli_memory_init(const CliCommand *command, CliMemory *memory, const char *every, bool draws);
/* Adds a point, if one is due; and the one at the end of a run, if there is none yet. */
void cli_memory_add(CliMemory *memory, const VMM *vmm, uint64_t references);
void cli_memory_end(CliMemory *memory, const VMM *vmm, uint64_t references);
int cli_memory_write(CliMemory *memory, CliOutput *output);
void cli_memory_free(CliMemory *memory);

/* Draws it: by characters on standard output; into a file, with this title. */
void cli_memory_print(const CliMemory *memory);
int cli_memory_plot(const CliMemory *memory, const char *title, CliOutput *output);

/* ---- Plots (plot.c) ------------------------------------------------------------------------- */

typedef struct CliPlot {
    const char *title;
    const char *x_title, *y_title;
    const char *const *series; /* names of the lines */
    size_t series_count;
    const double *x; /* x_count places, ascending */
    const char *const *x_names;
    size_t x_count;
    const double *y; /* y[series * x_count + place]; negative: no point */
    bool percent;
    bool linear;         /* the places are times: evenly spaced, from 0; lines without points */
    const double *rules; /* of times: where vertical lines stand */
    size_t rule_count;
} CliPlot;

/* Can a plot be made at all: known ending, gnuplot present? CLI_OK or CLI_FAILURE. */
int cli_plot_check(const CliCommand *command, const char *flag, const char *path);
int cli_plot_write(const CliPlot *plot, CliOutput *output);

/* A curve in percent, with marks on it. */
typedef struct CliPlotLine {
    const char *name;
    const double *x, *y; /* x ascending; y below 0: no point */
    size_t count;
    bool pointwise; /* known at these places alone: points, with straight lines; else steps */
    const double *mark_x, *mark_y;
    size_t mark_count;
} CliPlotLine;

typedef struct CliCurvePlot {
    const char *title;
    const char *x_title, *y_title;
    const CliPlotLine *lines;
    size_t line_count;
} CliCurvePlot;

int cli_plot_curves(const CliCurvePlot *plot, CliOutput *output);

/* One picture of several that stand below each other. */
typedef struct CliPlotPanel {
    const char *title, *y_title;
    const char *const *series;
    size_t series_count;
    size_t first_colour; /* so that a series has the same colour in all panels */
    const double *y;     /* y[series * x_count + place]; negative: no point */
} CliPlotPanel;

typedef struct CliPanelPlot {
    const char *title, *x_title;
    const double *x; /* x_count places, 1 or more, ascending, from above 0 */
    size_t x_count;
    const CliPlotPanel *panels;
    size_t panel_count;
} CliPanelPlot;

int cli_plot_panels(const CliPanelPlot *plot, CliOutput *output);

/* ---- Pictures made of characters (picture.c) ------------------------------------------------ */

enum { CLI_PICTURE_COLUMNS = 64, CLI_PICTURE_MARKS = 8 };

typedef struct CliPicture {
    const char *const *series; /* names */
    size_t series_count;
    const double *y;          /* y[series * CLI_PICTURE_COLUMNS + column]; negative: no point */
    double top;               /* of the axis, above 0 */
    size_t lines;             /* 2 or more */
    bool percent;             /* y are shares */
    const char *left, *right; /* what stands below the ends of the axis */
} CliPicture;

/* On standard output: the picture, its axes, and which mark is what. */
void cli_picture_print(const CliPicture *picture);

#endif
