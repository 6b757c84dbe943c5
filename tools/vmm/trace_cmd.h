/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace: what its verbs share.
 *
 *     trace.c          picks the verb            trace_convert.c   convert, cut, reduce
 *     trace_io.c       reading and writing       trace_merge.c     merge
 *     trace_text.c     head, cat                 trace_verify.c    verify
 *     trace_info.c     info                      trace_count.c     what info counts
 *     trace_pages.c    sets of pages, footprint over time
 *
 * Every verb is a visit: the references and events of an input go, in order, to two functions of
 * the verb, which count them or hand them to an output.
 */
#ifndef VMM_CLI_TRACE_CMD_H
#define VMM_CLI_TRACE_CMD_H

#include "cli.h"

extern const CliCommand tracecmd_info, tracecmd_convert, tracecmd_head, tracecmd_cat;
extern const CliCommand tracecmd_cut, tracecmd_merge, tracecmd_verify, tracecmd_reduce;

/* ---- Flags that all verbs have -------------------------------------------------------------- */

typedef struct TraceCommon {
    const char *from, *page_size;
    bool skip_bad_records, quiet, help;
    bool check; /* no flag: compare what the trace says twice */
} TraceCommon;

/* `type` holds a TraceCommon named common. */
#define TRACE_COMMON_FLAGS(type)                                                                 \
    {"from",                                                                                     \
     "format",                                                                                   \
     0,                                                                                          \
     "NAME",                                                                                     \
     "auto",                                                                                     \
     "Input",                                                                                    \
     "format of the input, see vmm list formats; auto finds out from the content",               \
     offsetof(type, common.from)},                                                               \
        {"page-size",                                                                            \
         NULL,                                                                                   \
         'p',                                                                                    \
         "SIZE",                                                                                 \
         NULL,                                                                                   \
         "Input",                                                                                \
         "bytes of a page, where pages count; default: as the trace says, else 4K",              \
         offsetof(type, common.page_size)},                                                      \
        {"skip-bad-records",                                                                     \
         NULL,                                                                                   \
         0,                                                                                      \
         NULL,                                                                                   \
         NULL,                                                                                   \
         "Input",                                                                                \
         "go on past bad records and damage, and say at the end how many were left out",         \
         offsetof(type, common.skip_bad_records)},                                               \
        {"quiet",                                                                                \
         NULL,                                                                                   \
         'q',                                                                                    \
         NULL,                                                                                   \
         NULL,                                                                                   \
         "Messages",                                                                             \
         "only errors on standard error",                                                        \
         offsetof(type, common.quiet)},                                                          \
    {                                                                                            \
        "help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(type, common.help) \
    }

#define TRACE_FLAGS_END \
    { NULL, NULL, 0, NULL, NULL, NULL, NULL, 0 }

/*
 * Parses the command line of a verb: CLI_GO_ON, or the status that ends it (after its help, say).
 * `least` and `most` words, called as in `words`: "IN OUT".
 */
int tracecmd_start(const CliCommand *verb, int argc, char **argv, void *flags, TraceCommon *common,
                   CliArguments *arguments, size_t least, size_t most, const char *words);

/* A number like 10M or 64Ki; -1 after a usage error. */
int tracecmd_count(const CliCommand *verb, const char *flag, const char *text, uint64_t *value);

/* ---- Inputs --------------------------------------------------------------------------------- */

typedef struct TraceReading {
    const char *path;
    VMMTrace *trace;
    const VMMTraceHeader *header; /* NULL: no .vmt */
    uint64_t page_size;           /* --page-size; 0: not given */
    uint32_t *files;              /* numbers of files in the output, by number here; 0: none yet */
    uint32_t file_count;
    uint64_t references; /* visited */
    uint64_t time_ns;    /* CLOCK_MONOTONIC of those visited last; 0: not known */
    CliProgress progress;
    int status;    /* of the visit */
    bool repeated; /* this is a second visit: losses were told */
    const struct TraceVisit *visit;
    /* Takes page runs in place of the visit's refs; NULL: as a rule, and where there are none. */
    int (*runs)(void *user, const VMMRuns *runs);
} TraceReading;

/* CLI_OK or the exit status after a message. close() accepts a zeroed input. */
int tracecmd_open_input(const CliCommand *verb, TraceReading *input, const TraceCommon *common,
                        const char *path);
void tracecmd_close_input(TraceReading *input);

/* What pages of this trace have: --page-size, else what the trace knows, else 4096. */
uint64_t tracecmd_page_size(const TraceReading *input);
VMMTraceInfo tracecmd_info_of(const TraceReading *input);

/* Is this a .vmt whose end can be looked at first: no pipe, and not packed once more? */
bool tracecmd_sees_index(const TraceReading *input);

/* A trace's own account of what is missing: its sum must not wrap around. */
static inline uint64_t tracecmd_add_lost(uint64_t lost, uint64_t more) {
    return more < UINT64_MAX - lost ? lost + more : UINT64_MAX;
}

/* All return CLI_GO_ON, or the status that ends the visit: CLI_OK when enough was seen. */
typedef struct TraceVisit {
    int (*refs)(void *user, const VMMRef *refs, size_t count);
    int (*event)(void *user, const VMMEvent *event); /* NULL: events are passed over */
    void *user;
} TraceVisit;

/* The exit status, after a message if it is not CLI_OK. */
int tracecmd_visit(TraceReading *input, const TraceVisit *visit);

/* A part of a visit: up to `room` references, CLI_GO_ON if there may be more. */
int tracecmd_visit_some(TraceReading *input, const TraceVisit *visit, size_t room);

/* Back to the beginning, for a second visit. CLI_OK or a status after a message. */
int tracecmd_rewind(TraceReading *input);

/* ---- Outputs -------------------------------------------------------------------------------- */

/* How an output is asked for. */
typedef struct TraceTarget {
    const char *path;  /* "-": standard output */
    const char *to;    /* format; NULL: by the ending of the path */
    const char *codec; /* of .vmt; NULL: the default */
} TraceTarget;

#define TRACE_TARGET_FLAGS(type)                                                                 \
    {"to",                                                                                       \
     NULL,                                                                                       \
     0,                                                                                          \
     "NAME",                                                                                     \
     NULL,                                                                                       \
     "Output",                                                                                   \
     "format of the output: vmt, native, din, pages, champsim or oracleGeneral; default: by "    \
     "the ending of its name",                                                                   \
     offsetof(type, target.to)},                                                                 \
    {                                                                                            \
        "codec", NULL, 0, "runs|full", NULL, "Output",                                           \
            "of a .vmt: page runs, or full addresses and sizes; default: as the input, runs if " \
            "it "                                                                                \
            "is no .vmt",                                                                        \
            offsetof(type, target.codec)                                                         \
    }

typedef struct TraceOutput {
    const char *path;
    CliStream stream;
    VMMTraceWriter *writer;
    const char *format;
    uint64_t time_ns;
    uint64_t known_page_size; /* of the input, as VMMTraceInfo says; and so the next */
    uint64_t reduction;
    bool loses_addresses; /* page runs of exact references */
    bool is_view;         /* for people: needs no references, and loses nothing of note */
    bool finished;
} TraceOutput;

/* Options of a writer that hold what the input says of itself. */
VMMTraceWriterOptions tracecmd_options(const TraceReading *input);

/* The format to write that the ending of a name tells; NULL: none. And the ending for a format. */
const char *tracecmd_format_by_ending(const char *path);
const char *tracecmd_ending(const char *format);
/* Does a name end as that of a file packed by another program? */
bool tracecmd_is_compressed(const char *path);

/* Neither output is an input. CLI_OK or a status after a message. */
int tracecmd_check_names(const char *const *inputs, size_t count, const char *output);

/* Does the name tell of another format than .vmt? CLI_OK or a usage error. */
int tracecmd_check_vmt(const CliCommand *verb, const char *path);

/* CLI_OK or a status after a message. */
int tracecmd_open_output(const CliCommand *verb, TraceOutput *output, const TraceTarget *target,
                         const TraceReading *input, VMMTraceWriterOptions *options);

/* CLI_GO_ON, or CLI_FAILURE after a message. What comes next was recorded at time_ns, if known. */
int tracecmd_write_time(TraceOutput *output, uint64_t time_ns);
int tracecmd_write(TraceOutput *output, const VMMRef *refs, size_t count);
int tracecmd_write_event(TraceOutput *output, TraceReading *from, const VMMEvent *event);

/*
 * The end of it all: with CLI_OK the output gets its name and what it lost is told, else it is
 * given up. Returns the exit status.
 */
int tracecmd_close_output(TraceOutput *output, int status);

/* Tells what the format did not keep of what its writer was given. */
void tracecmd_warn_losses(VMMTraceWriter *writer, const char *path, const char *format);

/* ---- Sets of pages (trace_pages.c) ---------------------------------------------------------- */

/*
 * Footprint over time, exact and in constant memory though the length is not known: windows of
 * 2^4 references, and of twice as many on each level above; a level that has more than 128 windows
 * is given up.
 */
enum { TRACE_LEVELS = 60, TRACE_WINDOWS = 128, TRACE_WINDOW_SHIFT = 4 };

typedef struct TracePage {
    uint64_t vpn;
    uint64_t window; /* where it was seen last, on the lowest level, from 1; 0: no page */
    uint32_t process;
    uint8_t ops; /* bits 1 << VMMOp, and the kernel's */
} TracePage;

#define TRACE_PAGE_KERNEL 8
#define TRACE_PAGE_KERNEL_WRITE 16

typedef struct TracePages {
    TracePage *table;
    unsigned bits;
    uint64_t count;
    uint64_t references; /* that time goes by */
    uint32_t last[2];    /* where the page referenced last is; of data, of fetches */
    unsigned lowest;     /* level */
    uint32_t touched[TRACE_LEVELS][TRACE_WINDOWS]; /* different pages */
    uint32_t fresh[TRACE_LEVELS][TRACE_WINDOWS];   /* of them, for the first time */
} TracePages;

void tracecmd_pages_init(TracePages *pages);
void tracecmd_pages_free(TracePages *pages);
/*
 * A page that `references` references from now on touch, at least 1; their time does not go by.
 * True if the page is new. `ops` are what is to be remembered of it. *place is where it may be in
 * the table, and afterwards is.
 */
bool tracecmd_pages_touch(TracePages *pages, uint32_t process, uint64_t vpn, unsigned ops,
                          uint64_t references, uint32_t *place);

/* The level to be shown: at most 64 windows. */
unsigned tracecmd_pages_level(const TracePages *pages);
size_t tracecmd_pages_windows(const TracePages *pages, unsigned level);

/* Bars in the terminal, from the table of one level. */
void tracecmd_print_picture(const uint32_t *values, size_t count);
bool tracecmd_is_utf8(void);

/* ---- What info counts (trace_count.c) ------------------------------------------------------- */

typedef struct TraceProcess {
    uint32_t pid;
    uint32_t parent;
    uint64_t references[VMM_OP_COUNT];
    uint64_t kernel_references;
    uint64_t pages;
    uint32_t *threads; /* tids, in order of appearance */
    uint32_t thread_count;
    uint32_t executable; /* number of the file of its last exec; 0: not known */
    int64_t ended;       /* status as of wait(2); -1: not seen */
} TraceProcess;

typedef struct TraceMapped {
    uint64_t mappings, bytes;
} TraceMapped;

enum { TRACE_EVENT_TYPES = 32 };

typedef struct TraceCount {
    const TraceReading *input;
    unsigned page_shift;
    TracePages pages;
    TraceProcess *processes;
    uint32_t process_count, last_process;
    uint64_t references[VMM_OP_COUNT];
    uint64_t kernel_references, kernel_writes;
    uint64_t crossings; /* references that touch more than one page */
    bool in_crossing;   /* the last run was nothing but a further page of one */
    uint32_t *places;   /* in the table of pages, by the dictionary of a stretch of runs */
    uint32_t *uses;     /* of the stretch's shapes */
    uint32_t place_room, use_room;
    uint64_t events[TRACE_EVENT_TYPES];
    uint64_t lost;      /* references that LOST events tell */
    TraceMapped *files; /* by number - 1 */
    uint32_t file_count;
} TraceCount;

void tracecmd_count_init(TraceCount *count, const TraceReading *input);
void tracecmd_count_free(TraceCount *count);
extern int tracecmd_count_refs(void *count, const VMMRef *refs, size_t number);
/* The same of page runs, for tracecmd_count_takes_runs(). */
extern int tracecmd_count_runs(void *count, const VMMRuns *runs);
bool tracecmd_count_takes_runs(const TraceCount *count);
extern int tracecmd_count_event(void *count, const VMMEvent *event);

#endif
