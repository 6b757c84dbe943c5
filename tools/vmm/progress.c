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
#include <time.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t progress_interrupted;

static void progress_on_interrupt(int signal_number) {
    (void)signal_number;
    progress_interrupted = 1;
}

void cli_catch_interrupt(void) {
    struct sigaction action = {.sa_handler = progress_on_interrupt};
    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool cli_interrupted(void) {
    return progress_interrupted != 0;
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
    progress->start = cli_now();
    progress->next = progress->start + 1.0;
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

static void progress_draw_left(double share, double seconds) {
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
        progress_draw_left(share, seconds);
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
