/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line: on a terminal, for runs of more than a second, ten times a second at most.
 *
 *     vmm:  45 %  12.3 M references  38.2 M/s  3 s left
 *
 * It is drawn over itself and erased at the end. The same callback carries Ctrl-C into the run.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/*
 * Signals. A signal that comes between the last look at the flag and a read that waits would not
 * end that wait; so the first one starts an alarm that goes off again and again until the run is
 * over.
 */
enum { PROGRESS_ALARM_SECONDS = 1 };

static const int progress_signals[] = {SIGINT, SIGTERM, SIGHUP};

enum { PROGRESS_SIGNAL_COUNT = sizeof progress_signals / sizeof progress_signals[0] };

static volatile sig_atomic_t progress_interrupted;

/* The signals end the program again, if they ever did. */
static void progress_let_go(void) {
    for (size_t i = 0; i < PROGRESS_SIGNAL_COUNT; i++) {
        struct sigaction old;
        if (sigaction(progress_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            signal(progress_signals[i], SIG_DFL);
        }
    }
}

/* The first one asks for an end; whichever comes next ends the program, whatever it is doing. */
static void progress_on_interrupt(int signal_number) {
    progress_interrupted = signal_number;
    progress_let_go();
    alarm(PROGRESS_ALARM_SECONDS);
}

static void progress_on_alarm(int signal_number) {
    (void)signal_number;
    alarm(PROGRESS_ALARM_SECONDS);
}

void cli_catch_interrupt(void) {
    /* No SA_RESTART: it ends the wait for a silent pipe. */
    struct sigaction again = {.sa_handler = progress_on_alarm};
    struct sigaction once = {.sa_handler = progress_on_interrupt};
    sigemptyset(&again.sa_mask);
    sigemptyset(&once.sa_mask);
    for (size_t i = 0; i < PROGRESS_SIGNAL_COUNT; i++) {
        sigaddset(&once.sa_mask, progress_signals[i]); /* one during the first is the next one */
    }
    sigaction(SIGALRM, &again, NULL);
    for (size_t i = 0; i < PROGRESS_SIGNAL_COUNT; i++) {
        struct sigaction old;
        if (sigaction(progress_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(progress_signals[i], &once, NULL);
        }
    }
}

/* A report that is being written must not break off with EINTR. */
void cli_release_interrupt(void) {
    alarm(0);
    signal(SIGALRM, SIG_DFL);
    progress_let_go();
}

int cli_interrupted(void) {
    return progress_interrupted;
}

double cli_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void cli_progress_init(CliProgress *progress, bool allowed, uint64_t limit) {
    *progress = (CliProgress){.on_terminal = allowed && isatty(STDERR_FILENO),
                              .limit = limit,
                              .part = 1,
                              .parts = 1,
                              .pass = 1};
    /* For tests: a run of a second is long. */
    const char *delay = getenv("VMM_PROGRESS_DELAY");
    progress->start = cli_now();
    progress->next = progress->start + (delay != NULL ? strtod(delay, NULL) : 1.0);
}

/* How much of the pass is done, 0 to 1; negative if nobody can know. */
static double progress_share(const CliProgress *progress, const VMMProgress *now) {
    double share = -1.0;
    if (now->bytes_total > 0) {
        share = (double)now->bytes_read / (double)now->bytes_total;
    }
    if (progress->limit > 0 && (double)now->references / (double)progress->limit > share) {
        share = (double)now->references / (double)progress->limit;
    }
    return share > 1.0 ? 1.0 : share;
}

void cli_print_time_left(double share, double seconds) {
    double left = seconds * (1.0 - share) / share;
    if (left < 100.0) {
        fprintf(stderr, "  %.0f s left", left);
    } else if (left < 6000.0) {
        fprintf(stderr, "  %.0f min left", left / 60.0);
    } else {
        fprintf(stderr, "  %.1f h left", left / 3600.0);
    }
}

static void progress_draw(const CliProgress *progress, const VMMProgress *now, double seconds) {
    double share = progress_share(progress, now);
    double millions = (double)now->references * 1e-6;
    fputs("\r\033[Kvmm:", stderr);
    if (progress->parts > 1) {
        fprintf(stderr, " part %u of %u,", progress->part, progress->parts);
    }
    if (now->passes > 1) {
        fprintf(stderr, " pass %u of %u,", now->pass, now->passes);
    }
    if (share >= 0.0) {
        fprintf(stderr, " %3.0f %%", share * 100.0);
    }
    fprintf(stderr, "  %.1f M references  %.1f M/s", millions, millions / seconds);
    if (share > 0.0) {
        cli_print_time_left(share, seconds);
    }
    fflush(stderr);
}

int cli_progress_step(void *user, const VMMProgress *now) {
    CliProgress *progress = user;
    if (progress->on_terminal) {
        double time = cli_now();
        if (now->pass != progress->pass) {
            progress->pass = now->pass;
            progress->start = time;
        }
        if (time >= progress->next && time > progress->start) {
            progress_draw(progress, now, time - progress->start);
            progress->shown = true;
            progress->next = time + 0.1;
        }
    }
    return progress_interrupted;
}

void cli_progress_end(CliProgress *progress) {
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress->shown = false;
}
