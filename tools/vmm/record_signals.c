/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals while a program is recorded. It is the program that shall act on them:
 *
 *     from the terminal (Ctrl-C, Ctrl-\)   the program has got them, too; vmm waits for its end,
 * and gives up waiting at the second one sent to vmm by another process       passed on to the
 * program SIGUSR1                              recording pauses, or goes on SIGCHLD only ends a
 * wait
 */
#include <signal.h>
#include <unistd.h>

#include "record.h"

static volatile sig_atomic_t record_signals_count;
static volatile sig_atomic_t record_signals_usr1;
static volatile sig_atomic_t record_signals_program;
static RecordQueue *record_signals_queue;

static const int record_signals_passed[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR2};

enum { RECORD_SIGNALS_PASSED = sizeof record_signals_passed / sizeof record_signals_passed[0] };

static void record_signals_end_wait(void) {
    if (record_signals_queue != NULL && record_signals_queue->channel != NULL) {
        record_queue_wake(record_signals_queue);
    }
}

static void record_signals_on_pass(int number, siginfo_t *info, void *context) {
    (void)context;
    record_signals_end_wait();
    if (info->si_code <= 0 && record_signals_program > 0) {
        kill((pid_t)record_signals_program, number);
    }
    if (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT) {
        record_signals_count = record_signals_count + 1;
    }
}

static void record_signals_on_toggle(int number) {
    (void)number;
    record_signals_usr1 = !record_signals_usr1;
    record_signals_end_wait();
}

static void record_signals_on_child(int number) {
    (void)number;
    record_signals_end_wait();
}

/* What was ignored when vmm began (nohup) stays so, for the program too. */
void record_signals_catch(Record *record) {
    struct sigaction pass = {.sa_sigaction = record_signals_on_pass, .sa_flags = SA_SIGINFO};
    struct sigaction toggle = {.sa_handler = record_signals_on_toggle, .sa_flags = SA_RESTART};
    struct sigaction child = {.sa_handler = record_signals_on_child,
                              .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    record_signals_queue = &record->queue;
    record_signals_program = record->pid;
    pass.sa_flags |= SA_RESTART;
    for (size_t i = 0; i < RECORD_SIGNALS_PASSED; i++) {
        struct sigaction old;
        if (sigaction(record_signals_passed[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(record_signals_passed[i], &pass, NULL);
        }
    }
    sigaction(SIGUSR1, &toggle, NULL);
    sigaction(SIGCHLD, &child, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void record_signals_release(void) {
    record_signals_program = 0;
    record_signals_queue = NULL;
}

unsigned record_signals_interrupts(void) {
    return (unsigned)record_signals_count;
}

bool record_signals_toggled(void) {
    bool toggled = record_signals_usr1 != 0;
    record_signals_usr1 = 0;
    return toggled;
}
