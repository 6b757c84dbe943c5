/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm record: a program runs, and its memory references become a trace.
 *
 *     program under a recorder ──► channel in shared memory ──► this process ──► FILE.vmt
 *
 * The program is not to notice: its streams, exit status, folder and signals are its own, and what
 * goes wrong with the trace ends the recording and not the program. The trace is written as it
 * comes, under its name, so that it can be read whatever ends the recording.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"
#include "trace_cmd.h"

static const CliFlag recordcmd_flags[] = {
    {"output", NULL, 'o', "FILE", NULL, "Trace",
     "the trace; default: the name of the program and .vmt, in the current folder",
     offsetof(RecordFlags, output)},
    {"codec", NULL, 0, "runs|full", "runs", "Trace", "page runs, or full addresses and sizes",
     offsetof(RecordFlags, codec)},
    {"level", NULL, 0, "N", "3", "Trace", "of compression, 1 to 22", offsetof(RecordFlags, level)},
    {"to", NULL, 0, "NAME", NULL, "Trace",
     "format of the trace, see vmm trace convert; default: by the ending of its name, else vmt",
     offsetof(RecordFlags, format)},
    {"fetches", NULL, 0, "none|page|all", "page", "What is recorded",
     "instruction fetches: none, one for each block of code and each page, or one for each "
     "instruction",
     offsetof(RecordFlags, fetches)},
    {"start-after", NULL, 0, "N", NULL, "What is recorded", "leave out the first N references",
     offsetof(RecordFlags, start_after)},
    {"stop-after", NULL, 0, "N", NULL, "What is recorded",
     "end the trace after N references; the program runs on", offsetof(RecordFlags, stop_after)},
    {"max-size", NULL, 0, "SIZE", NULL, "What is recorded",
     "end the trace before the file is larger than this; the program runs on",
     offsetof(RecordFlags, max_size)},
    {"paused", NULL, 0, NULL, NULL, "What is recorded",
     "begin without recording: SIGUSR1 to vmm, or vmm_record_start() in the program, starts it",
     offsetof(RecordFlags, paused)},
    {"left-behind", NULL, 0, "wait|leave", "wait", "What is recorded",
     "processes that outlive the program: wait for them, or end the trace with the program",
     offsetof(RecordFlags, left_behind)},
    {"recorder", NULL, 0, "NAME", "auto", "Recorder",
     "auto, valgrind (our own tool), lackey (any Valgrind; very slow), fast (a program compiled "
     "by vmm cc)",
     offsetof(RecordFlags, recorder)},
    {"fast", NULL, 0, NULL, NULL, "Recorder",
     "as --recorder fast; if the program is a compiler, it is run as by vmm cc",
     offsetof(RecordFlags, fast)},
    {"compare-native", NULL, 0, NULL, NULL, "Messages",
     "run the program once more afterwards, unrecorded and with its output going nowhere, and "
     "tell how many times longer the recording took; its input must be a file, or none",
     offsetof(RecordFlags, compare_native)},
    {"progress", NULL, 0, "auto|always|never", "auto", "Messages",
     "the line that tells how far it is, if standard error is a terminal; auto: unless standard "
     "output is one, which the program writes to",
     offsetof(RecordFlags, progress)},
    {"quiet", NULL, 'q', NULL, NULL, "Messages", "only errors on standard error",
     offsetof(RecordFlags, quiet)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(RecordFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

/* ---- The command line ----------------------------------------------------------------------- */

enum { RECORD_MAX_LEVEL = 22 };

static int record_choice(const char *flag, const char *text, const char *const *names,
                         unsigned *value) {
    for (unsigned i = 0; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *value = i;
            return CLI_OK;
        }
    }
    char *list = cli_format("%s", names[0]);
    for (unsigned i = 1; names[i] != NULL; i++) {
        char *longer = cli_format("%s%s%s", list, names[i + 1] != NULL ? ", " : " or ", names[i]);
        free(list);
        list = longer;
    }
    int status = cli_usage_error("record", "%s: found \"%s\", expected %s", flag, text, list);
    free(list);
    return status;
}

/* A count as the library reads them: 1000, 64Ki, 10M. */
static int record_count(const char *flag, const char *text, uint64_t least, uint64_t *value) {
    VMMGeneratorOptions options;
    if (text == NULL) {
        return CLI_OK;
    }
    vmm_generator_options_init(&options);
    if (vmm_generator_options_set(&options, "seed", text, NULL) != VMM_OK || options.seed < least) {
        return cli_usage_error("record",
                               "%s: found \"%s\", expected a number%s such as 1000, 64Ki or 10M",
                               flag, text, least > 0 ? " above 0" : "");
    }
    *value = options.seed;
    return CLI_OK;
}

/* A size as the library reads them: 65536, 64K, 10MiB; and 64Ki, as a count is written. */
static int record_size(const char *flag, const char *text, uint64_t *bytes) {
    VMMGeneratorOptions options;
    if (text == NULL) {
        return CLI_OK;
    }
    size_t length = strlen(text);
    bool needs_unit = length > 0 && strchr("0123456789i", text[length - 1]) != NULL;
    char *with_unit = cli_format("%s%s", text, needs_unit ? "B" : "");
    vmm_generator_options_init(&options);
    int code = vmm_generator_options_set(&options, "memory", with_unit, NULL);
    free(with_unit);
    if (code != VMM_OK) {
        return cli_usage_error("record",
                               "%s: found \"%s\", expected a size of at least 512 bytes such as "
                               "64K, 10MiB or 1G",
                               flag, text);
    }
    *bytes = options.memory;
    return CLI_OK;
}

static int record_level(const char *text, int32_t *level) {
    VMMGeneratorOptions options;
    if (text == NULL) {
        return CLI_OK;
    }
    vmm_generator_options_init(&options);
    if (vmm_generator_options_set(&options, "seed", text, NULL) != VMM_OK || options.seed < 1 ||
        options.seed > RECORD_MAX_LEVEL) {
        return cli_usage_error("record", "--level: found \"%s\", expected a number from 1 to %d",
                               text, RECORD_MAX_LEVEL);
    }
    *level = (int32_t)options.seed;
    return CLI_OK;
}

/* Flags that would have no effect. */
static int record_check_flags(const Record *record) {
    const RecordFlags *flags = &record->flags;
    bool is_vmt = cli_name_matches(record->format, "vmt");
    if (!is_vmt && (flags->codec != NULL || flags->level != NULL)) {
        return cli_usage_error("record", "--%s is for .vmt, and the trace is %s",
                               flags->codec != NULL ? "codec" : "level", record->format);
    }
    if (record->recorder == RECORD_FAST && flags->fetches != NULL &&
        record->fetches != CHANNEL_FETCHES_NONE) {
        return cli_usage_error(
            "record", "--fetches %s: the fast recorder sees loads and stores only", flags->fetches);
    }
    if (record->recorder == RECORD_LACKEY && flags->paused) {
        return cli_usage_error("record", "--paused: Lackey cannot be paused");
    }
    return CLI_OK;
}

static int record_read_flags(Record *record) {
    static const char *const fetches[] = {"none", "page", "all", NULL};
    static const char *const recorders[] = {"auto", "valgrind", "lackey", "fast", NULL};
    static const char *const whens[] = {"auto", "always", "never", NULL};
    static const char *const ends[] = {"wait", "leave", NULL};
    const RecordFlags *flags = &record->flags;
    unsigned recorder = RECORD_AUTO;
    record->fetches = CHANNEL_FETCHES_PAGE;
    record->stream.left = UINT64_MAX;
    record->stream.most_bytes = UINT64_MAX;
    int status = CLI_OK;
    if (flags->fetches != NULL) {
        status = record_choice("--fetches", flags->fetches, fetches, &record->fetches);
    }
    if (status == CLI_OK && flags->recorder != NULL) {
        status = record_choice("--recorder", flags->recorder, recorders, &recorder);
    }
    if (status == CLI_OK && flags->progress != NULL) {
        status = record_choice("--progress", flags->progress, whens, &record->progress_when);
    }
    if (status == CLI_OK && flags->left_behind != NULL) {
        status = record_choice("--left-behind", flags->left_behind, ends, &record->left_behind);
    }
    if (status == CLI_OK && flags->fast && recorder != RECORD_AUTO && recorder != RECORD_FAST) {
        status = cli_usage_error("record", "--fast and --recorder %s exclude each other",
                                 flags->recorder);
    }
    record->recorder = flags->fast ? RECORD_FAST : (RecordRecorder)recorder;
    if (status == CLI_OK) {
        status = record_count("--start-after", flags->start_after, 0, &record->stream.skip);
    }
    if (status == CLI_OK) {
        status = record_count("--stop-after", flags->stop_after, 1, &record->stream.left);
    }
    if (status == CLI_OK) {
        status = record_size("--max-size", flags->max_size, &record->stream.most_bytes);
    }
    if (status == CLI_OK) {
        status = record_level(flags->level, &record->level);
    }
    record->stream.paused = flags->paused;
    return status == CLI_OK ? record_check_flags(record) : status;
}

/* sort.vmt of /usr/bin/sort; and the format, as vmm trace convert takes it. */
static int record_name(Record *record) {
    record->path = record->flags.output;
    record->format = record->flags.format;
    if (record->path == NULL) {
        const char *slash = strrchr(record->words[0], '/');
        record->format = record->format != NULL ? record->format : "vmt";
        record->own_path =
            cli_format("%s%s", slash != NULL && slash[1] != '\0' ? slash + 1 : record->words[0],
                       tracecmd_ending(record->format));
        record->path = record->own_path;
    }
    record->stream.path = record->path;
    if (record->format == NULL && tracecmd_is_compressed(record->path)) {
        return cli_usage_error("record",
                               "'%s': a trace is not packed by another program; a .vmt is packed "
                               "by itself",
                               record->path);
    }
    if (record->format == NULL) {
        record->format = tracecmd_format_by_ending(record->path);
    }
    record->format = record->format != NULL ? record->format : "vmt";
    return CLI_OK;
}

/* ---- The trace ------------------------------------------------------------------------------ */

static bool record_is_file(const char *path, const struct stat *trace) {
    struct stat status;
    return stat(path, &status) == 0 && status.st_dev == trace->st_dev &&
           status.st_ino == trace->st_ino;
}

/* The program's own files must not be where the trace goes: streams, executable, arguments. */
static int record_check_own(const Record *record, const struct stat *trace) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat stream;
        if (fstat(fd, &stream) == 0 && stream.st_dev == trace->st_dev &&
            stream.st_ino == trace->st_ino) {
            cli_error("the trace %s is also a standard stream of the program; each needs a file "
                      "of its own",
                      record->path);
            return CLI_FAILURE;
        }
    }
    for (size_t i = 0; record->words[i] != NULL; i++) {
        const char *word = record->words[i];
        const char *value = i > 0 && *word == '-' ? strchr(word, '=') : NULL; /* --file=NAME */
        if ((i == 0 && strchr(word, '/') == NULL) ||
            (!record_is_file(word, trace) &&
             (value == NULL || !record_is_file(value + 1, trace)))) {
            continue;
        }
        cli_error("the trace %s would overwrite %s \"%s\"; choose another name with -o",
                  record->path, i == 0 ? "the program" : "what the program is given,", word);
        return CLI_FAILURE;
    }
    return CLI_OK;
}

/* Is the file a trace such as is to be written? */
static bool record_is_trace(const Record *record) {
    VMMTraceOptions options = {.struct_size = (uint32_t)sizeof options};
    VMMTraceInfo info = {.struct_size = (uint32_t)sizeof info};
    VMMTrace *trace = NULL;
    char start[8] = "";
    int fd = open(record->path, O_RDONLY | O_CLOEXEC);
    bool is_vmt = fd >= 0 && read(fd, start, sizeof start) == (ssize_t)sizeof start &&
                  memcmp(start, "\x89VMT\r\n\x1a\n", sizeof start) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (is_vmt || vmm_trace_open(record->path, &options, &trace, NULL) != VMM_OK) {
        return is_vmt;
    }
    vmm_trace_info(trace, &info);
    bool same = cli_name_matches(info.format, record->format);
    vmm_trace_close(trace);
    return same;
}

static int record_check_path(const Record *record) {
    struct stat trace;
    if (strcmp(record->path, "-") == 0) {
        return cli_usage_error("record", "-o -: standard output is the program's; name a file, "
                                         "such as /dev/fd/3");
    }
    if (stat(record->path, &trace) != 0 || !S_ISREG(trace.st_mode)) {
        return CLI_OK;
    }
    int status = record_check_own(record, &trace);
    if (status == CLI_OK && trace.st_size > 0 && !record_is_trace(record)) {
        cli_error("'%s' exists and is no trace that vmm record would overwrite (format %s); remove "
                  "it, or choose another name with -o",
                  record->path, record->format);
        status = CLI_FAILURE;
    }
    return status;
}

/* What the file held goes only when the program has started; record_begins(). */
static int record_open_trace(Record *record) {
    struct stat status;
    bool existed = access(record->path, F_OK) == 0;
    record->fd = open(record->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (record->fd < 0) {
        cli_error("cannot open '%s' for writing: %s", record->path, strerror(errno));
        return CLI_FAILURE;
    }
    if (fstat(record->fd, &status) == 0 && S_ISREG(status.st_mode) &&
        flock(record->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        cli_error("'%s' is being written by another recording; choose another name with -o",
                  record->path);
        return CLI_FAILURE;
    }
    record->created = !existed;
    return CLI_OK;
}

/* A word as a shell reads it back; free() it. */
static char *record_quoted(const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./:,@%";
    if (*word != '\0' && strspn(word, plain) == strlen(word)) {
        return cli_format("%s", word);
    }
    char *quoted = cli_alloc(strlen(word) + 1, 4);
    char *to = quoted;
    *to++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            to = stpcpy(to, "'\\''");
        } else {
            *to++ = *word;
        }
    }
    memcpy(to, "'", sizeof "'");
    return quoted;
}

static char *record_command_line(char **words) {
    char *line = cli_format("%s", "");
    for (; *words != NULL; words++) {
        char *word = record_quoted(*words);
        char *longer = cli_format("%s%s%s", line, *line != '\0' ? " " : "", word);
        free(word);
        free(line);
        line = longer;
    }
    return line;
}

static const char *record_recorder_text(const Record *record) {
    switch (record->recorder) {
    case RECORD_LACKEY:
        return "vmm " VMM_VERSION_STRING ", Valgrind's Lackey";
    case RECORD_FAST:
        return "vmm " VMM_VERSION_STRING ", compiled in (vmm cc)";
    default:
        return "vmm " VMM_VERSION_STRING ", vmmrec on Valgrind";
    }
}

static char *record_note(const Record *record) {
    const char *fetches = record->fetches == CHANNEL_FETCHES_NONE  ? "no fetches"
                          : record->fetches == CHANNEL_FETCHES_ALL ? "fetches of each instruction"
                                                                   : "fetches by block and page";
    if (record->recorder == RECORD_FAST) {
        return cli_format("loads and stores of recompiled code only; threads ran in parallel");
    }
    return cli_format("%s; addresses as Valgrind lays a process out; threads took turns", fetches);
}

static int record_open_writer(Record *record) {
    struct utsname system = {0};
    char error[VMM_ERROR_TEXT_BYTES] = "";
    uname(&system);
    char *command = record_command_line(record->words);
    /* The number alone: what follows it names one build of a kernel, or the machine's owner. */
    int release = (int)strspn(system.release, "0123456789.");
    char *host = cli_format("%s, %s %.*s", system.machine, system.sysname, release, system.release);
    char *note = record_note(record);
    int status = CLI_OK;
    VMMTraceWriterOptions options = {
        .struct_size = (uint32_t)sizeof options,
        .mappings_complete = record->recorder == RECORD_VALGRIND,
        .format = record->format,
        .codec = record->flags.codec,
        .threads = 1,
        .level = record->level,
        .command = command,
        .host = host,
        .recorder = record_recorder_text(record),
        .note = note,
    };
    if (vmm_trace_writer_open(record->fd, &options, &record->stream.writer, error) != VMM_OK) {
        status = cli_usage_error("record", "%s", error);
    }
    free(command);
    free(host);
    free(note);
    return status;
}

/* ---- Running -------------------------------------------------------------------------------- */

static void record_is_over(Record *record) {
    record->running = false;
    record->ended = cli_now();
    record->interrupts = record_signals_interrupts();
    record_signals_pass_to(0);
}

static void record_reap(Record *record) {
    if (record->running && waitpid(record->pid, &record->wait_status, WNOHANG) == record->pid) {
        record_is_over(record);
    }
}

static void record_toggle(Record *record) {
    if (record_signals_toggled()) {
        bool paused = !record->stream.paused;
        uint32_t first = record->stream.first_pid;
        record_stream_pause(&record->stream, paused, first, first, 0);
        __atomic_store_n(&record->queue.channel->paused, paused, __ATOMIC_SEQ_CST);
    }
}

/* The program goes on without us as soon as the trace is at its end. */
static void record_let_go(Record *record) {
    if (record->stream.end != RECORD_GOES_ON) {
        __atomic_store_n(&record->queue.channel->discard, 1, __ATOMIC_SEQ_CST);
    }
}

static void record_progress(Record *record) {
    VMMProgress now = {0};
    now.references = record->stream.taken;
    now.pass = 1;
    now.passes = 1;
    cli_progress_step(&record->progress, &now);
}

/*
 * How a process ended that said nothing. Of the program itself we know; else only SIGKILL leaves no
 * time for a word, or it had become a program that is not recorded: how that ended nobody knows.
 */
static int record_how_it_ended(Record *record, const RecordPart *part) {
    if (part->pid != (uint32_t)record->pid) {
        return part->replaced ? 0 : SIGKILL;
    }
    if (record->running) {
        while (waitpid(record->pid, &record->wait_status, 0) < 0 && errno == EINTR) {}
        record_is_over(record);
    }
    return record->wait_status;
}

/* What producers left that died without a word. */
static void record_bury(Record *record) {
    RecordPart part;
    int segment;
    while (record_queue_next_dead(&record->queue, &part, &segment)) {
        if (segment >= 0) {
            record_stream_take(&record->stream, &part);
            record_queue_return(&record->queue, (unsigned)segment);
        } else if (part.pid == part.tid) {
            record->unrecorded += part.replaced;
            record_stream_died(&record->stream, part.pid, record_how_it_ended(record, &part),
                               part.time_ns);
        }
    }
}

/* The program is over, and some that it left behind are not. False: they are not waited for. */
static bool record_waits(Record *record, size_t living) {
    if (record->left_behind != 0 || record_signals_interrupts() > record->interrupts) {
        record->gave_up = true;
        return false;
    }
    if (!record->told && cli_now() > record->ended + 1.0) {
        record->told = true;
        cli_warning("the program is over, but not %zu process%s that it left behind; Ctrl-C ends "
                    "the recording",
                    living, living == 1 ? "" : "es");
    }
    return true;
}

/* Nothing is queued. False: nothing will be any more. */
static bool record_idle(Record *record) {
    record_reap(record);
    record_bury(record);
    if (record->running) {
        return true;
    }
    size_t living = record_queue_living(&record->queue);
    if (living > 0) {
        return record_waits(record, living);
    }
    return record->queue.channel->queue_head !=
           __atomic_load_n(&record->queue.channel->queue_tail, __ATOMIC_SEQ_CST);
}

/* Once a second what there is goes to the file: a SIGKILL of vmm loses no more than that. */
static void record_flush(Record *record) {
    double now = cli_now();
    if (now > record->flushed + 1.0) {
        record->flushed = now;
        if (record->stream.end == RECORD_GOES_ON) {
            record_stream_check(&record->stream, vmm_trace_writer_flush(record->stream.writer));
        }
    }
}

static void record_loop(Record *record) {
    RecordPart part;
    unsigned segment;
    bool goes_on = true;
    while (goes_on) {
        record_toggle(record);
        if (record_queue_next(&record->queue, &part, &segment)) {
            record_stream_take(&record->stream, &part);
            record_queue_return(&record->queue, segment);
        } else {
            goes_on = record_idle(record);
        }
        record_let_go(record);
        record_flush(record);
        record_progress(record);
    }
    /* Whoever still runs is on its own. */
    __atomic_store_n(&record->queue.channel->discard, 1, __ATOMIC_SEQ_CST);
}

/* The writer has written nothing yet, as vmm_trace_writer_open() promises. */
void record_begins(Record *record) {
    record->running = true;
    record->created = false;
    record_signals_catch(record);
    if (ftruncate(record->fd, 0) != 0 && errno != EINVAL) {
        cli_error("cannot empty '%s': %s", record->path, strerror(errno));
        record->stream.end = RECORD_ENDED_ERROR;
    }
}

static int record_run(Record *record) {
    record->pid = record_launch(record->recorder, &record->queue, record->words);
    if (record->pid < 0) {
        return CLI_FAILURE;
    }
    record_begins(record);
    record_loop(record);
    return CLI_OK;
}

/* ---- The end -------------------------------------------------------------------------------- */

static void record_say_why_it_ended(const Record *record) {
    if (record->stream.end == RECORD_ENDED_REFERENCES) {
        cli_info("the trace ended at --stop-after; the program ran on");
    } else if (record->stream.end == RECORD_ENDED_SIZE) {
        cli_warning("the trace ended at --max-size; the program ran on unrecorded");
    }
    uint64_t unrecorded =
        record->unrecorded + __atomic_load_n(&record->queue.channel->unrecorded, __ATOMIC_SEQ_CST);
    if (unrecorded > 0) {
        cli_warning("%" PRIu64 " program%s ran unrecorded: of another architecture, user or pid "
                    "namespace, set-user-id, in a jail, Valgrind itself, or beyond %d processes at "
                    "once",
                    unrecorded, unrecorded == 1 ? "" : "s", (int)CHANNEL_SLOTS);
    }
    uint32_t clones = __atomic_load_n(&record->queue.channel->refused_clones, __ATOMIC_SEQ_CST);
    if (clones > 0) {
        cli_error("%" PRIu32
                  " process%s ended at a call of clone() that Valgrind cannot carry out: "
                  "one that shares memory, files or folder with its child, but is neither a thread "
                  "nor vfork()",
                  clones, clones == 1 ? "" : "es");
    }
    if (record->gave_up) {
        cli_warning("%sprocesses that the program left behind run on unrecorded",
                    record->left_behind != 0 ? "" : "interrupted: ");
    }
    if (record->stream.process_count == 0 && record->stream.end == RECORD_GOES_ON) {
        cli_warning(
            "nothing was recorded: the recorder never spoke; %s",
            record->recorder == RECORD_FAST
                ? "the program was not compiled by vmm cc, or its recorder could not start"
                : "the program may be of another architecture, or Valgrind itself, or may not "
                  "be traced, or "
                  "ended before its first instruction");
    }
}

static double record_cpu_seconds(void) {
    struct rusage usage = {0};
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* "1 process", "2 processes" */
static void record_say_count(uint64_t count, const char *name, const char *ending) {
    fprintf(stderr, "%" PRIu64 " %s%s", count, name, count == 1 ? "" : ending);
}

static void record_say_status(int status) {
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "signal %d", WTERMSIG(status));
    } else {
        fprintf(stderr, "status %d", WEXITSTATUS(status));
    }
}

static void record_say_slow_down(Record *record) {
    RecordNative *native = &record->native;
    double recorded = record->ended - record->started;
    if (record_native_run(native, record->words) && native->wait_status != record->wait_status) {
        fputs("vmm: unrecorded it ended with ", stderr);
        record_say_status(native->wait_status);
        fputs(", recorded with ", stderr);
        record_say_status(record->wait_status);
        fputs(": their times cannot be compared\n", stderr);
    } else if (native->seconds > 0.0) {
        fprintf(stderr, "vmm: unrecorded it takes %.3f s: the recording took %.1f times as long\n",
                native->seconds, recorded / native->seconds);
    }
}

/* After an error: what can be read, which the trace itself says best. */
static void record_say_what_is_left(const Record *record) {
    VMMTraceOptions options = {.struct_size = (uint32_t)sizeof options};
    VMMTrace *trace = NULL;
    struct stat status;
    if (fstat(record->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    const VMMTraceHeader *header = vmm_trace_open(record->path, &options, &trace, NULL) == VMM_OK
                                       ? vmm_trace_header(trace)
                                       : NULL;
    if (header != NULL && header->complete) {
        cli_warning("%s: the first %" PRIu64 " references can be read, those of the kernel "
                    "included; the rest is lost",
                    record->path, header->total_references);
    } else if (header != NULL) {
        cli_warning("%s: the trace was cut off; --skip-bad-records reads what is there",
                    record->path);
    } else {
        cli_warning("%s: the trace is not whole%s", record->path,
                    cli_name_matches(record->format, "vmt")
                        ? ", and nothing of it can be read"
                        : "; a .vmt holds all, and vmm trace convert and cut make of it what "
                          "other formats can hold");
    }
    vmm_trace_close(trace);
}

static void record_summary(Record *record) {
    VMMTraceWriterInfo info = {.struct_size = (uint32_t)sizeof info};
    vmm_trace_writer_info(record->stream.writer, &info);
    const RecordStream *stream = &record->stream;
    fprintf(stderr, "vmm: %s: ", record->path);
    record_say_count(info.references - info.kernel_references, "reference", "s");
    fputs(" and ", stderr);
    record_say_count(info.kernel_references, "touch", "es");
    fputs(" of the kernel", stderr);
    if (info.pages > 0) {
        fputs(", ", stderr);
        record_say_count(info.pages, "page", "s");
    }
    fputs(", ", stderr);
    record_say_count(stream->process_count, "process", "es");
    fputs(", ", stderr);
    record_say_count(stream->thread_count, "thread", "s");
    fputs(", ", stderr);
    record_say_count(info.events, "event", "s");
    fprintf(stderr, "\nvmm: %" PRIu64 " bytes", info.bytes);
    if (info.references > 0) {
        fprintf(stderr, ", %.3f a reference", (double)info.bytes / (double)info.references);
    }
    fprintf(stderr, "; the program took %.2f s, %.2f s of processor time%s\n",
            record->ended - record->started, record_cpu_seconds(),
            record->flags.compare_native ? "" : " (slow-down: --compare-native)");
    uint64_t passed_over = stream->passed_over +
                           __atomic_load_n(&record->queue.channel->passed_over, __ATOMIC_SEQ_CST);
    if (passed_over > 0) {
        fputs("vmm: ", stderr);
        record_say_count(passed_over, "reference", "s");
        fputs(" left out before the start or while paused\n", stderr);
    }
    if (record->flags.compare_native) {
        record_say_slow_down(record);
    }
}

static int record_exit_status(const Record *record) {
    if (record->stream.end == RECORD_ENDED_ERROR) {
        return CLI_FAILURE;
    }
    if (WIFSIGNALED(record->wait_status)) {
        return CLI_SIGNALLED + WTERMSIG(record->wait_status);
    }
    return WEXITSTATUS(record->wait_status);
}

static int record_start(Record *record) {
    int status = record_launch_check(record->words[0]);
    if (status == CLI_OK) {
        status = record_launch_choose(&record->recorder);
    }
    if (status == CLI_OK && record->recorder == RECORD_LACKEY && record->flags.paused) {
        cli_error("--paused: recording with Lackey, which cannot be paused");
        status = CLI_FAILURE;
    }
    if (status == CLI_OK && record->flags.compare_native) {
        status = record_native_check(&record->native);
    }
    if (status == CLI_OK) {
        status = record_check_path(record);
    }
    if (status == CLI_OK) {
        status = record_open_trace(record);
    }
    if (status == CLI_OK) {
        status = record_open_writer(record);
    }
    if (status == CLI_OK) {
        status = record_queue_open(&record->queue, record->fetches, record->flags.paused);
    }
    return status;
}

/* Where the program writes to the terminal itself, a line of ours would stand in its output. */
static bool record_draws(const Record *record) {
    return !record->flags.quiet && record->progress_when != RECORD_WHEN_NEVER &&
           (record->progress_when == RECORD_WHEN_ALWAYS || !isatty(STDOUT_FILENO));
}

static int record_whole(Record *record) {
    int status = record_start(record);
    if (status != CLI_OK) {
        return status;
    }
    cli_progress_init(&record->progress, record_draws(record), 0);
    record->started = record->flushed = cli_now();
    status = record->recorder == RECORD_LACKEY ? record_run_lackey(record) : record_run(record);
    record->ended = record->ended > 0.0 ? record->ended : cli_now();
    cli_progress_end(&record->progress);
    if (status == CLI_OK) {
        record_stream_finish(&record->stream);
        tracecmd_warn_losses(record->stream.writer, record->path, record->format);
        record_say_why_it_ended(record);
        if (record->stream.end == RECORD_ENDED_ERROR) {
            record_say_what_is_left(record);
        } else if (!record->flags.quiet) {
            record_summary(record);
        }
        status = record_exit_status(record);
    }
    record_signals_release();
    return status;
}

/* A compiler is run as by vmm cc: nothing is recorded, and flags of a recording mean nothing. */
static int record_compile(const RecordFlags *flags, const CliArguments *arguments) {
    const char *const given[][2] = {{"-o", flags->output},
                                    {"--codec", flags->codec},
                                    {"--level", flags->level},
                                    {"--to", flags->format},
                                    {"--fetches", flags->fetches},
                                    {"--start-after", flags->start_after},
                                    {"--stop-after", flags->stop_after},
                                    {"--max-size", flags->max_size},
                                    {"--paused", flags->paused ? "" : NULL},
                                    {"--left-behind", flags->left_behind},
                                    {"--compare-native", flags->compare_native ? "" : NULL}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (given[i][1] != NULL) {
            return cli_usage_error("record",
                                   "%s is for a recording, but '%s' only compiles, as by vmm cc; "
                                   "record the program that it makes",
                                   given[i][0], arguments->words[0]);
        }
    }
    return cli_compile(arguments->words[0], (int)arguments->word_count - 1, arguments->words + 1);
}

static int record_main(const CliCommand *command, int argc, char **argv) {
    Record record = {.fd = -1, .queue = {.fd = -1, .log_fd = -1}};
    CliArguments arguments = {0};
    int status = cli_parse(command, argc, argv, &record.flags, &arguments);
    if (status == CLI_OK && arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK && arguments.word_count == 0) {
        status =
            cli_usage_error("record", "no program to record: vmm record -- PROGRAM ARGUMENT...");
    } else if (status == CLI_OK && record.flags.fast && cli_is_compiler(arguments.words[0])) {
        status = record_compile(&record.flags, &arguments);
    } else if (status == CLI_OK) {
        record.words = arguments.words; /* one longer than the command line, and zeroed */
        cli_set_level(record.flags.quiet ? CLI_QUIET : CLI_NORMAL);
        status = record_name(&record);
        status = status == CLI_OK ? record_read_flags(&record) : status;
        status = status == CLI_OK ? record_whole(&record) : status;
    }
    record_stream_free(&record.stream);
    record_queue_close(&record.queue);
    if (record.fd >= 0 && record.created) {
        unlink(record.path); /* nothing was recorded */
    }
    if (record.fd >= 0) {
        close(record.fd);
    }
    free(record.own_path);
    cli_arguments_free(&arguments);
    if (status > CLI_SIGNALLED && WIFSIGNALED(record.wait_status)) {
        record_signals_die(WTERMSIG(record.wait_status));
    }
    return status;
}

const CliCommand cli_record_command = {
    .name = "record",
    .summary = "run a program and write its memory references to a trace",
    .synopsis = "[-o FILE.vmt] [FLAGS] [--] PROGRAM [ARGUMENT]...",
    .story =
        "Runs the program under a recorder and writes every memory reference of it and of all "
        "processes that it starts to one trace: loads, stores, instruction fetches, what the "
        "kernel touches for it, and what happens to its address spaces (mappings, threads, fork, "
        "exec, exit). The program's streams, exit status and signals are its own; a signal that "
        "ends it ends vmm, too. Ctrl-C goes to the program; "
        "the trace is complete up to its end. Recorded, a program runs ten to fifty times longer, "
        "and each program that it starts some tenths of a second.",
    .examples = "vmm record -- sort words.txt\n"
                "vmm record -o build.vmt -- gcc -c hello.c\n"
                "vmm cc -O2 -o prog prog.c && vmm record --fast -- ./prog\n"
                "vmm record --stop-after 100M --fetches none -- python3 script.py\n"
                "vmm -t sort.vmt --frames 200 -a lru",
    .flags = recordcmd_flags,
    .takes_words = true,
    .words_end_flags = true,
    .run = record_main,
};
