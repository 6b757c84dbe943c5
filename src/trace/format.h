/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trace format is. Adding one: a file src/trace/NAME.c and a line in formats.def; help
 * texts, `vmm list`, detection and --format find it there.
 *
 * A format turns lines of text, or records of a fixed size, into references.
 *
 * TEXT. A format of lines says twice how:
 *
 *   line()   one line, carefully. This is the specification of the format: it decides what is a
 *            record, what may be left out and what is bad, and it names the problem.
 *   parse()  a buffer of whole lines, fast. It consists of trace_parse_lines() (scan.h) and a
 *            hand-written function for the common form of a line; whatever that one does not
 *            recognise at once goes to line(). The fast function may only accept lines that
 *            line() accepts, with the same references; a test compares the two.
 *
 * The contract of line(): `line->text[0 .. length)` is one line without its '\n', nothing is
 * known of its bytes; text[length] may be read. On TRACE_LINE_BAD, line->problem is a phrase
 * that completes "found ... (<problem>)". What it has to know of earlier lines is in
 * line->state; most formats keep nothing.
 *
 * RECORDS. A format with record_bytes has no line(): its parse() consists of
 * trace_parse_records() (record.h) and a function for one record, which is the specification.
 * sniff() says whether the first bytes of an input can be nothing else.
 *
 * The contract of parse(): parse->at .. parse->end are whole lines, each with its '\n', or whole
 * records, and at least TRACE_PADDING readable bytes follow `end`. There is room for at least as
 * many references as one record can make. On return `at` is the first byte not consumed, always
 * the beginning of a line or record, `refs` is behind the last reference stored, `records`,
 * `ignored` and `bad` are raised by what was consumed.
 *
 * STATE. What a format remembers from record to record is in the TRACE_STATE_BYTES at `state`,
 * which belong to the trace and are zeroed when a pass begins (but for what configure() put
 * there, which each pass begins with).
 *
 * DETECTION. Records are recognised by sniff(), and no two formats claim one input. Else no line
 * is a record of two formats: trace_format_guess() counts, for every format, the records among
 * the first data lines; the format with the most wins if it is the only one. Formats that cannot
 * be told from others are read only when they are named (named_only).
 */
#ifndef VMM_TRACE_FORMAT_H
#define VMM_TRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/event.h"

#define TRACE_LINE_BYTES 4096  /* longer lines are bad records; without the line's end */
#define TRACE_PADDING 64       /* readable bytes behind the lines */
#define TRACE_LINE_REFS 2      /* references one line can make */
#define TRACE_RECORD_REFS 9    /* references one record of any format can make */
#define TRACE_RECORD_BYTES 96  /* of the longest record */
#define TRACE_STATE_BYTES 512  /* what a format can remember */
#define EVENT_PHRASE_BYTES 200 /* of what is wrong with an event */
#define TRACE_SLICE 512        /* lines, or references, handled at a time */
#define TRACE_GUESS_LINES 32   /* data lines that detection looks at */

typedef enum TraceLineKind {
    TRACE_LINE_BAD = -1,
    TRACE_LINE_BLANK = 0, /* blank, a comment, or a message of the tool that wrote the trace */
    TRACE_LINE_REF = 1,
    TRACE_LINE_TWO_REFS = 2,
    TRACE_LINE_IGNORED = 3, /* understood, but no reference: counted in ignored_records */
    TRACE_LINE_EVENT = 4    /* event() says which */
} TraceLineKind;

typedef struct TraceLine {
    const char *text;
    size_t length;
    uint64_t page_size;
    void *state;
    VMMRef refs[TRACE_LINE_REFS];
    const char *problem;
} TraceLine;

/* What the first lines say of the whole trace; VMMTraceInfo says what it means. Zeroed: nothing. */
typedef struct TraceTraits {
    bool mappings_complete;
    uint64_t page_size;
    uint64_t reduction;
} TraceTraits;

/* What a line tells that is no reference. */
typedef struct TraceEvent {
    bool is_trait;      /* no event, but one of the traits */
    TraceTraits traits; /* the others are 0 */
    VMMEvent event;     /* the number of its file is not known yet */
    VMMTraceFile file;  /* path NULL: none */
    char path[TRACE_LINE_BYTES];
    char *phrase; /* room for EVENT_PHRASE_BYTES, which outlives this: the format's state */
} TraceEvent;

typedef enum TraceStatus {
    TRACE_DONE, /* all lines or records are consumed */
    TRACE_FULL, /* there is no room for what one more record can make */
    TRACE_BAD,  /* at `at` is a bad record; not with skip_bad */
    TRACE_EVENT /* at `at` is a line that tells an event */
} TraceStatus;

typedef struct TraceParse {
    const char *at;
    const char *end;
    VMMRef *refs;
    VMMRef *refs_end;
    uint64_t page_size;
    void *state;
    bool skip_bad;    /* bad records are counted and passed over */
    uint64_t records; /* lines or records consumed; bad ones, and blank lines, too */
    uint64_t ignored;
    uint64_t bad;
    const char *problem; /* of the last bad record */
} TraceParse;

/* The first bytes of an input. */
typedef struct TraceView {
    const unsigned char *bytes;
    size_t count;
    bool whole; /* there are no more */
} TraceView;

/* What the first bytes of an input say of a format of records; the surest one wins. */
typedef enum TraceSign {
    TRACE_SIGN_NONE,
    TRACE_SIGN_SHAPE, /* no record in sight contradicts it */
    TRACE_SIGN_SURE,  /* the records in sight confirm each other: chance would not make them so */
    TRACE_SIGN_MAGIC  /* a mark of its own */
} TraceSign;

typedef struct TraceFormat {
    const char *name;
    const char *help;      /* one line of description */
    const char *expects;   /* completes "expected ..." */
    bool marks_writes;     /* reads can be told from writes */
    unsigned record_bytes; /* 0: a format of lines */
    unsigned record_refs;  /* references one record can make; 0: TRACE_LINE_REFS */
    bool blocks;           /* has a reader of its own, vmt_read.h */
    bool named_only;       /* is never guessed: it cannot be told from others */
    bool hash_records;     /* its lines begin with '#': guessed if there are no others */
    TraceSign (*sniff)(const TraceView *view);
    /* What the input is, and the advice, if it is a relative of the format that is not read. */
    const char *(*relative)(const TraceView *view);
    /* Takes what followed "NAME:" into a zeroed state, with which each pass then begins: the
       problem, or NULL. NULL: the format has no parameters. */
    const char *(*configure)(const char *text, void *state);
    TraceLineKind (*line)(TraceLine *line);
    TraceStatus (*parse)(TraceParse *parse);
    /* What a line tells for which line() returned TRACE_LINE_EVENT: the problem, or NULL. */
    const char *(*event)(const TraceLine *line, TraceEvent *event);
} TraceFormat;

/* The formats in the order of formats.def; NULL past the last. */
const TraceFormat *trace_format_at(size_t index);

/* By name (case, '-' and '_' do not matter); NULL if there is none. */
const TraceFormat *trace_format_find(const char *name);

/* "native, addrop, ..." for messages. */
void trace_format_names(char *text, size_t size);

/* What detection found in the first lines of a trace. */
typedef struct TraceGuess {
    const TraceFormat *format; /* NULL: undecided */
    const TraceFormat *rival;  /* undecided: two formats that fit equally well, or NULL, NULL */
    const TraceFormat *equal;
    const char *first; /* the first line that is neither blank nor a comment; NULL: none */
    size_t first_length;
    uint64_t first_line; /* its number, from 1 */
} TraceGuess;

/*
 * The format of records that the first bytes show, and no other one; format NULL: none, or, with
 * rival and equal, two.
 */
TraceGuess trace_format_sniff(const TraceView *view);

/* What the input is, if it is something that is known and not read, and the advice; else NULL. */
const char *trace_format_relative(const TraceView *view);

/* text .. end are whole lines. */
TraceGuess trace_format_guess(const char *text, const char *end, uint64_t page_size);

#endif
