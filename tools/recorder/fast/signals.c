/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals. A handler of the program is called through one of ours, which has it record elsewhere
 * than the code that it interrupted. Signals that end a process are caught where the program leaves
 * them alone: what it recorded is handed over, and then it ends as it would have ended.
 *
 * The program sees neither: sigaction(2) tells it what it has set.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fast.h"

typedef void FastHandler(int number, siginfo_t *info, void *context);
typedef int FastSigaction(int number, const struct sigaction *set, struct sigaction *old);

/* What the program has set where our handlers stand. */
static struct sigaction fast_signals[NSIG];

static int fast_signal_set(int number, const struct sigaction *set, struct sigaction *old) {
    static FastSigaction *real;
    if (real == NULL) {
        real = (FastSigaction *)fast_next("sigaction");
    }
    return real(number, set, old);
}

/* Those that end a process by default and can be caught. */
static bool fast_signal_ends(int number) {
    static const int ending[] = {SIGHUP,  SIGINT,  SIGQUIT,   SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                 SIGFPE,  SIGUSR1, SIGSEGV,   SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,
                                 SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,   SIGSYS};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        if (ending[i] == number) {
            return true;
        }
    }
    return false;
}

static void fast_signal_handler(int number, siginfo_t *info, void *context) {
    FastInterrupted interrupted = fast_signal_enter();
    const struct sigaction *own = &fast_signals[number];
    if ((own->sa_flags & SA_SIGINFO) != 0) {
        own->sa_sigaction(number, info, context);
    } else {
        own->sa_handler(number);
    }
    fast_signal_leave(interrupted);
}

/* A fault comes again when the instruction is repeated; what was sent is sent again. */
static void fast_signal_end(int number, siginfo_t *info, void *context) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    (void)context;
    fast_end(number);
    fast_signal_set(number, &standard, NULL);
    if (info->si_code <= 0 || info->si_code == SI_KERNEL ||
        (number != SIGSEGV && number != SIGBUS && number != SIGFPE && number != SIGILL)) {
        syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number);
    }
}

static bool fast_signal_is_ours(const struct sigaction *action) {
    return action->sa_sigaction == fast_signal_handler || action->sa_sigaction == fast_signal_end;
}

/* What the system is told instead of what the program says. */
static struct sigaction fast_signal_instead(int number, const struct sigaction *set) {
    struct sigaction instead = *set;
    bool is_standard = (set->sa_flags & SA_SIGINFO) == 0 && set->sa_handler == SIG_DFL;
    bool is_ignored = (set->sa_flags & SA_SIGINFO) == 0 && set->sa_handler == SIG_IGN;
    if (is_standard && fast_signal_ends(number)) {
        instead.sa_sigaction = fast_signal_end;
        instead.sa_flags |= SA_SIGINFO | SA_ONSTACK;
    } else if (!is_standard && !is_ignored) {
        instead.sa_sigaction = fast_signal_handler;
        instead.sa_flags |= SA_SIGINFO;
    }
    return instead;
}

FAST_API int sigaction(int number, const struct sigaction *set, struct sigaction *old) {
    struct sigaction instead, before;
    if (!fast_is_on() || number <= 0 || number >= NSIG) {
        return fast_signal_set(number, set, old);
    }
    sigset_t all, mask;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask); /* nothing comes between the table and the system */
    struct sigaction own = fast_signals[number];
    if (set != NULL) {
        instead = fast_signal_instead(number, set);
        fast_signals[number] = *set;
    }
    int result = fast_signal_set(number, set != NULL ? &instead : NULL, &before);
    if (result != 0) {
        fast_signals[number] = own;
    } else if (old != NULL) {
        *old = fast_signal_is_ours(&before) ? own : before;
    }
    int error = errno;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    errno = error;
    return result;
}

FAST_API sighandler_t signal(int number, sighandler_t handler) {
    struct sigaction set = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    sigemptyset(&set.sa_mask);
    sigaddset(&set.sa_mask, number);
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return sigaction(number, &set, &old) == 0 ? old.sa_handler : SIG_ERR;
}

void fast_signals_start(void) {
    struct sigaction now;
    for (int number = 1; number < NSIG; number++) {
        if (fast_signal_ends(number) && fast_signal_set(number, NULL, &now) == 0 &&
            (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL) {
            struct sigaction set = fast_signal_instead(number, &now);
            fast_signals[number] = now;
            fast_signal_set(number, &set, NULL);
        }
    }
}
