/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of the user's run inside this program, and may end it: by a wrong access, or by a call
 * of exit(). Then somebody must say what happened; a run that just stops, perhaps with status 0,
 * looks like one that is over. Without a policy's file on the command line nothing of this is
 * active.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../include/vmm/policy_build.h"
#include "cli.h"

static volatile sig_atomic_t watch_active;

static const struct {
    int number;
    const char *name;
} watch_signals[] = {
    {SIGSEGV, "a wrong access to memory"},
    {SIGBUS, "a wrong access to memory"},
    {SIGFPE, "a division by zero or the like"},
    {SIGILL, "an impossible instruction"},
    {SIGABRT, "a call of abort()"},
};

/* Where only system calls are allowed. */
static void watch_say(const char *text) {
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

static void watch_advise(void) {
    watch_say("'vmm policy check FILE' finds out which part of the policy it is\n");
}

static void watch_on_signal(int number) {
    const char *name = "a signal";
    for (size_t i = 0; i < sizeof watch_signals / sizeof watch_signals[0]; i++) {
        name = watch_signals[i].number == number ? watch_signals[i].name : name;
    }
    watch_say("vmm: error: the run is broken off by ");
    watch_say(name);
    watch_say(", most likely in the code of the policy; there is no result\n");
    watch_advise();
    raise(number); /* it is blocked until this returns, and then ends the program */
}

static void watch_at_exit(void) {
    if (watch_active != 0) {
        watch_say("vmm: error: the code of the policy has called exit(); there is no result\n");
        watch_advise();
        _exit(CLI_BAD_INPUT);
    }
}

/* Whether one of the names in a list, "lru,./mine.c:window=3", is that of a policy's file. */
static bool watch_names_file(const char *word) {
    while (*word != '\0') {
        size_t length = vmm_policy_name_length(word);
        size_t part = strcspn(word, ",");
        length = length < part ? length : part;
        if ((length > 2 && memcmp(word + length - 2, ".c", 2) == 0) ||
            (length > 3 && memcmp(word + length - 3, ".so", 3) == 0)) {
            return true;
        }
        word += part + (word[part] == ',');
    }
    return false;
}

void cli_watch_policies(int argc, char **argv) {
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
    bool any = false;
    for (int i = 1; i < argc; i++) {
        any = any || watch_names_file(argv[i]);
    }
    if (!any || atexit(watch_at_exit) != 0) {
        return;
    }
    watch_active = 1;
    action.sa_handler = watch_on_signal;
    sigemptyset(&action.sa_mask);
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof watch_signals / sizeof watch_signals[0]; i++) {
        sigaction(watch_signals[i].number, &action, NULL);
    }
}

void cli_watch_end(void) {
    watch_active = 0;
}
