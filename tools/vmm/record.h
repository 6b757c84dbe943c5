/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm record: what its files share.
 *
 *     record.c          the command: flags, the loop, what is said at the end
 *     record_queue.c    the consumer's side of the channel to the recorded processes
 *     record_stream.c   segments of records into a trace: order, processes, limits
 *     record_launch.c   finds a recorder and starts the program under it
 *     record_native.c   the program once more, unrecorded: the slow-down
 *     record_signals.c  Ctrl-C, what is passed on to the program, SIGUSR1
 *     record_lackey.c   the same with Lackey, whose text is read like a trace
 */
#ifndef VMM_CLI_RECORD_H
#define VMM_CLI_RECORD_H

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#include "../recorder/channel.h"

/* ---- What the channel asks of the system ---------------------------------------------------- */

static inline void channel_futex_wait(uint32_t *word, uint32_t value) {
    struct timespec time = {CHANNEL_WAIT_MS / 1000, CHANNEL_WAIT_MS % 1000 * 1000000L};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &time, NULL, 0);
}

static inline void channel_futex_wake(uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static inline uint64_t channel_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int channel_process_exists(uint32_t pid) {
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* ---- The queue (record_queue.c) ------------------------------------------------------------- */

typedef struct RecordQueue {
    Channel *channel;
    int fd;                          /* of the memory file; others open it as /proc/PID/fd/N */
    int log_fd;                      /* where Valgrind's own messages go; so too */
    volatile sig_atomic_t attention; /* a signal came: there is something else to look at */
} RecordQueue;

/* Records of one producer, in order. */
typedef struct RecordPart {
    uint32_t pid;
    uint32_t tid;
    uint64_t time_ns;
    uint64_t controls; /* of them control records; at least 1 if it is not known */
    const uint64_t *records;
    size_t count;
    bool replaced; /* of a dead producer: by exec of a program that was not recorded */
} RecordPart;

/* CLI_OK, or CLI_FAILURE after a message. */
int record_queue_open(RecordQueue *queue, uint32_t fetches, bool paused);
void record_queue_close(RecordQueue *queue);

/*
 * The next part, after CHANNEL_WAIT_MS at most; false: there was none. To be given back with
 * record_queue_return() before the next one is asked for.
 */
bool record_queue_next(RecordQueue *queue, RecordPart *part, unsigned *segment);
void record_queue_return(RecordQueue *queue, unsigned segment);

/* From a signal handler: ends the wait of record_queue_next(). */
void record_queue_wake(RecordQueue *queue);

/*
 * A producer that has died without a word, when the queue is empty: `segment` is what it left, to
 * be returned; -1: nothing is left, its slot is free again, and `part` says only who it was.
 */
bool record_queue_next_dead(RecordQueue *queue, RecordPart *part, int *segment);
/* Producers that live. */
size_t record_queue_living(const RecordQueue *queue);

/* ---- The stream (record_stream.c) ----------------------------------------------------------- */

typedef enum RecordEnd {
    RECORD_GOES_ON = 0,
    RECORD_ENDED_REFERENCES, /* --stop-after */
    RECORD_ENDED_SIZE,       /* --max-size */
    RECORD_ENDED_ERROR       /* the trace could not be written; the message was given */
} RecordEnd;

typedef struct RecordProcess {
    uint32_t pid;
    bool alive;
} RecordProcess;

typedef struct RecordStream {
    VMMTraceWriter *writer;
    const char *path;    /* for messages */
    uint64_t skip;       /* references still to be left out */
    uint64_t left;       /* references still to be taken; UINT64_MAX: no limit */
    uint64_t most_bytes; /* UINT64_MAX: no limit */
    uint64_t next_look;  /* at the size of the file: once so many references are taken */
    bool paused;
    RecordEnd end;
    uint64_t taken;         /* references */
    uint64_t passed_over;   /* references left out: before the start, or while paused */
    uint32_t process_count; /* seen at all */
    uint32_t thread_count;
    uint32_t exec_count;
    uint32_t first_pid;
    RecordProcess *processes; /* seen; those that ended are used again */
    size_t used, room;
    size_t last; /* looked up */
} RecordStream;

/* A code of the writer: anything but VMM_OK ends the recording, with a message. */
void record_stream_check(RecordStream *stream, int code);
/* How many of the next `count` references are wanted, and how many before them are not. */
size_t record_stream_wanted(RecordStream *stream, size_t count, size_t *skipped);
void record_stream_check_limits(RecordStream *stream);

void record_stream_take(RecordStream *stream, const RecordPart *part);
/* The process ended without a word; its status as of wait(2). */
void record_stream_died(RecordStream *stream, uint32_t pid, int wait_status, uint64_t time_ns);
/* Asked for by this process and thread. */
void record_stream_pause(RecordStream *stream, bool paused, uint32_t pid, uint32_t tid,
                         uint64_t time_ns);
/* Writes what is left; after an error, makes whole what was written. */
void record_stream_finish(RecordStream *stream);
void record_stream_free(RecordStream *stream);

/* ---- The program (record_launch.c) ---------------------------------------------------------- */

typedef enum RecordRecorder {
    RECORD_AUTO = 0,
    RECORD_VALGRIND, /* our own tool */
    RECORD_LACKEY,
    RECORD_FAST /* compiled into the program */
} RecordRecorder;

enum { RECORD_NOT_FOUND = 127, RECORD_NOT_EXECUTABLE = 126 };

/* Can the program be started? CLI_OK, or 126 or 127 after a message. */
int record_launch_check(const char *program);

/* RECORD_AUTO becomes what can be had. CLI_OK, or CLI_FAILURE after a message. */
int record_launch_choose(RecordRecorder *recorder);

/* Starts the program; its pid, or -1 after a message. */
pid_t record_launch(RecordRecorder recorder, const RecordQueue *queue, char **words);
/* The same under Lackey, which writes text to the descriptor `log`. */
pid_t record_launch_lackey(char **words, int log);

/* ---- The program alone (record_native.c) ---------------------------------------------------- */

typedef struct RecordNative {
    off_t offset; /* of its input, a file; negative: there is none */
    int wait_status;
    double seconds;
} RecordNative;

/* Before the recording: can its input be read twice? CLI_OK, or CLI_FAILURE after a message. */
int record_native_check(RecordNative *native);
/* False after a message: it could not be started. */
bool record_native_run(RecordNative *native, char **words);

/* ---- The command (record.c) ----------------------------------------------------------------- */

typedef struct RecordFlags {
    const char *output, *codec, *format, *level;
    const char *fetches, *recorder;
    const char *start_after, *stop_after, *max_size;
    const char *progress, *left_behind;
    bool fast, paused, compare_native, quiet, help;
} RecordFlags;

typedef enum RecordWhen { RECORD_WHEN_AUTO = 0, RECORD_WHEN_ALWAYS, RECORD_WHEN_NEVER } RecordWhen;

/* One recording. */
typedef struct Record {
    RecordFlags flags;
    RecordRecorder recorder;
    uint32_t fetches;
    int32_t level; /* of compression; 0: the default */
    const char *format;
    const char *path; /* of the trace */
    char *own_path;   /* the same, if it was made up */
    int fd;
    char **words; /* the program and its arguments, then NULL */
    RecordQueue queue;
    RecordStream stream;
    RecordNative native;
    pid_t pid;
    bool created;           /* the file of the trace, and nothing is in it yet */
    bool running;           /* the program */
    int wait_status;        /* once it is over */
    uint64_t unrecorded;    /* programs that took the place of recorded ones */
    unsigned progress_when; /* RecordWhen */
    unsigned left_behind;   /* 1: processes that go on are not waited for */
    bool gave_up;           /* while processes went on */
    bool told;              /* that processes go on */
    unsigned interrupts;    /* before the program was over */
    double started, ended;
    double flushed; /* when what there was was written to the file */
    CliProgress progress;
} Record;

/* The program was started: from here on it is recorded. */
void record_begins(Record *record);

/* A recording by Lackey, from start to end (record_lackey.c); CLI_OK or a status after a message.
 */
int record_run_lackey(Record *record);

/* Signals for vmm itself, from before the program starts (record_signals.c). */
void record_signals_catch(Record *record);
void record_signals_release(void);
/* The process that signals are passed on to; 0: none. */
void record_signals_pass_to(pid_t pid);
/* Ends vmm as the signal ended the program, so that whoever waits for vmm sees the same. */
void record_signals_die(int number);
/* Interrupts by the user so far. */
unsigned record_signals_interrupts(void);
/* Was SIGUSR1 received since the last call? */
bool record_signals_toggled(void);

#endif
