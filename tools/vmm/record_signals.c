/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals while a program is recorded. It is the program that shall act on them:
 *
 *     from the terminal (Ctrl-C, Ctrl-\)   the program has got them, too; vmm waits for its end,
 *                                          and gives up waiting at the second one
 *     sent to vmm by another process       passed on to the program: all that would
 *                                          end vmm
 *     timers that vmm was started with     so too
 *     SIGUSR1                              recording pauses, or goes on
 *     SIGCHLD                              only ends a wait
 *     SIGTSTP, SIGCONT, ...                stop vmm, and let it go on
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "record.h"

static volatile sig_atomic_t record_signals_count;
static volatile sig_atomic_t record_signals_usr1;
static volatile sig_atomic_t record_signals_program;
static RecordQueue *record_signals_queue;

/* What has a meaning for vmm itself, cannot be caught, or is a fault of its own. */
static const int record_signals_own[] = {SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT,
                                         SIGCHLD, SIGUSR1, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,
                                         SIGTRAP, SIGABRT, SIGSYS,  SIGXFSZ};

static bool record_signals_is_passed(int number) {
    for (size_t i = 0; i < sizeof record_signals_own / sizeof record_signals_own[0]; i++) {
        if (record_signals_own[i] == number) {
            return false;
        }
    }
    return number < SIGSYS || number >= SIGRTMIN;
}

static void record_signals_end_wait(void) {
    if (record_signals_queue != NULL && record_signals_queue->channel != NULL) {
        record_queue_wake(record_signals_queue);
    }
}

/* From a process, or a timer; but not SIGPIPE that a write of ours has caused. */
static bool record_signals_is_sent(int number, const siginfo_t *info) {
    if (number == SIGALRM || number == SIGVTALRM || number == SIGPROF) {
        return true;
    }
    return info->si_code <= 0 && info->si_pid != getpid();
}

static void record_signals_on_pass(int number, siginfo_t *info, void *context) {
    (void)context;
    int error = errno;
    record_signals_end_wait();
    if (record_signals_is_sent(number, info) && record_signals_program > 0) {
        if (info->si_code == SI_QUEUE) {
            sigqueue((pid_t)record_signals_program, number, info->si_value);
        } else {
            kill((pid_t)record_signals_program, number);
        }
    }
    if (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT) {
        record_signals_count = record_signals_count + 1;
    }
    errno = error;
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
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction old;
        if (record_signals_is_passed(number) && sigaction(number, NULL, &old) == 0 &&
            old.sa_handler != SIG_IGN) {
            sigaction(number, &pass, NULL);
        }
    }
    sigaction(SIGUSR1, &toggle, NULL);
    sigaction(SIGCHLD, &child, NULL);
}

void record_signals_release(void) {
    record_signals_program = 0;
    record_signals_queue = NULL;
}

void record_signals_pass_to(pid_t pid) {
    record_signals_program = pid;
}

/* The program has left its core, if it leaves one; vmm leaves none, into whatever it would go. */
void record_signals_die(int number) {
    struct rlimit none = {0, 0};
    sigset_t set;
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

unsigned record_signals_interrupts(void) {
    return (unsigned)record_signals_count;
}

bool record_signals_toggled(void) {
    bool toggled = record_signals_usr1 != 0;
    record_signals_usr1 = 0;
    return toggled;
}
