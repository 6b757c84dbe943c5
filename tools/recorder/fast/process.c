/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a process: how it learns of the channel, fork, exec, and the end.
 *
 * The channel is named by an environment variable. It is taken out of the environment, so that the
 * program sees what it would see without us, and put back for programs that it starts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fast.h"

#define FAST_VARIABLE "VMM_RECORD_CHANNEL"

extern char **environ;

/* "VMM_RECORD_CHANNEL=PATH"; empty: not known. */
static char fast_variable[sizeof FAST_VARIABLE + PATH_MAX];

void *fast_next(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

/*
 * X(name, result, parameters): functions of the C library that stand behind ours. They are looked
 * up at the start: the child of a vfork(2) must not do that.
 */
#define FAST_REAL_FUNCTIONS                                                                  \
    X(fork, pid_t, (void))                                                                   \
    X(execve, int, (const char *, char *const *, char *const *))                             \
    X(execvpe, int, (const char *, char *const *, char *const *))                            \
    X(fexecve, int, (int, char *const *, char *const *))                                     \
    X(posix_spawn, int,                                                                      \
      (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, \
       char *const *, char *const *))                                                        \
    X(posix_spawnp, int,                                                                     \
      (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, \
       char *const *, char *const *))                                                        \
    X(system, int, (const char *))                                                           \
    X(popen, FILE *, (const char *, const char *))                                           \
    X(pthread_create, int, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)) \
    X(quick_exit, void, (int))                                                               \
    X(pthread_join, int, (pthread_t, void **))

typedef struct FastReal {
#define X(name, result, parameters) result(*name) parameters;
    FAST_REAL_FUNCTIONS
#undef X
} FastReal;

static void fast_exit_start(void);

static const FastReal *fast_real(void) {
    static FastReal real;
    if (real.pthread_join == NULL) {
#define X(name, result, parameters) real.name = (result(*) parameters)fast_next(#name);
        FAST_REAL_FUNCTIONS
#undef X
    }
    return &real;
}

/* ---- The environment ------------------------------------------------------------------------ */

static bool fast_is_variable(const char *text) {
    for (const char *name = FAST_VARIABLE "="; *name != '\0'; name++, text++) {
        if (*text != *name) {
            return false;
        }
    }
    return true;
}

const char *fast_process_channel(void) {
    size_t length = 0;
    for (char **entry = environ; *entry != NULL; entry++) {
        if (fast_is_variable(*entry)) {
            const char *text = *entry;
            while (text[length] != '\0' && length < sizeof fast_variable - 1) {
                fast_variable[length] = text[length];
                length++;
            }
            unsetenv(FAST_VARIABLE);
            return fast_variable + sizeof FAST_VARIABLE;
        }
    }
    return NULL;
}

/* Executable and parent; the real functions are looked up while that is allowed. */
void fast_process_start(void) {
    char path[PATH_MAX];
    struct stat status = {0};
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    (void)stat(path, &status);
    FastFile executable = {path, status.st_dev, status.st_ino};
    fast_real();
    fast_exit_start();
    fast_producer_image(&executable, (uint32_t)getppid());
}

static size_t fast_entries(char *const *list) {
    size_t count = 0;
    while (list != NULL && list[count] != NULL) {
        count++;
    }
    return count;
}

/*
 * The environment of a program to be started: `entries` and the channel, in room on the caller's
 * stack, for the caller may be the child of a vfork(2).
 */
static char *const *fast_environment(char *const *entries, char **with_channel) {
    size_t count = 0;
    if (!fast_is_on()) {
        return entries;
    }
    for (; entries != NULL && entries[count] != NULL; count++) {
        with_channel[count] = entries[count];
    }
    with_channel[count] = fast_variable;
    with_channel[count + 1] = NULL;
    return with_channel;
}

/* ---- Exec ----------------------------------------------------------------------------------- */

FAST_API int execve(const char *path, char *const argv[], char *const envp[]) {
    char *with_channel[fast_entries(envp) + 2];
    fast_hand_over_all();
    return fast_real()->execve(path, argv, fast_environment(envp, with_channel));
}

FAST_API int execvpe(const char *file, char *const argv[], char *const envp[]) {
    char *with_channel[fast_entries(envp) + 2];
    fast_hand_over_all();
    return fast_real()->execvpe(file, argv, fast_environment(envp, with_channel));
}

FAST_API int fexecve(int fd, char *const argv[], char *const envp[]) {
    char *with_channel[fast_entries(envp) + 2];
    fast_hand_over_all();
    return fast_real()->fexecve(fd, argv, fast_environment(envp, with_channel));
}

FAST_API int execv(const char *path, char *const argv[]) {
    return execve(path, argv, environ);
}

FAST_API int execvp(const char *file, char *const argv[]) {
    return execvpe(file, argv, environ);
}

/* The words of execl(3) and its like: how many there are, and then into a list. */
static size_t fast_count_words(va_list words) {
    size_t count = 1; /* the first has a name of its own */
    while (va_arg(words, char *) != NULL) {
        count++;
    }
    return count;
}

#define FAST_EXEC_WORDS(first, call)          \
    va_list words;                            \
    va_start(words, first);                   \
    size_t count = fast_count_words(words);   \
    va_end(words);                            \
    char *argv[count + 1];                    \
    argv[0] = fast_pointer((uintptr_t)first); \
    va_start(words, first);                   \
    for (size_t i = 1; i <= count; i++) {     \
        argv[i] = va_arg(words, char *);      \
    }                                         \
    int result = call;                        \
    va_end(words);                            \
    return result

FAST_API int execl(const char *path, const char *word, ...) {
    FAST_EXEC_WORDS(word, execve(path, argv, environ));
}

FAST_API int execlp(const char *file, const char *word, ...) {
    FAST_EXEC_WORDS(word, execvpe(file, argv, environ));
}

/* The environment stands behind the words. */
FAST_API int execle(const char *path, const char *word, ...) {
    FAST_EXEC_WORDS(word, execve(path, argv, va_arg(words, char *const *)));
}

FAST_API int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *attributes, char *const argv[],
                         char *const envp[]) {
    char *with_channel[fast_entries(envp) + 2];
    fast_hand_over();
    return fast_real()->posix_spawn(pid, path, actions, attributes, argv,
                                    fast_environment(envp, with_channel));
}

FAST_API int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, char *const argv[],
                          char *const envp[]) {
    char *with_channel[fast_entries(envp) + 2];
    fast_hand_over();
    return fast_real()->posix_spawnp(pid, file, actions, attributes, argv,
                                     fast_environment(envp, with_channel));
}

/* For functions that give the program's environment on by themselves. */
#define FAST_LEND_CHANNEL(type, call)                                           \
    char **own = environ;                                                       \
    char *with_channel[fast_entries(own) + 2];                                  \
    fast_hand_over();                                                           \
    char **lent = fast_pointer((uintptr_t)fast_environment(own, with_channel)); \
    environ = lent;                                                             \
    type result = call;                                                         \
    environ = environ == lent ? own : environ;                                  \
    return result

FAST_API int system(const char *command) {
    FAST_LEND_CHANNEL(int, fast_real()->system(command));
}

FAST_API FILE *popen(const char *command, const char *mode) {
    FAST_LEND_CHANNEL(FILE *, fast_real()->popen(command, mode));
}

/* ---- Fork, threads, the end ----------------------------------------------------------------- */

FAST_API pid_t fork(void) {
    fast_fork_prepare();
    pid_t child = fast_real()->fork();
    if (child != 0) {
        int error = errno;
        fast_fork_parent(child);
        errno = error;
    }
    return child;
}

/* What a thread did before these calls happened before what the other one does. */
FAST_API int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                            void *(*start)(void *), void *argument) {
    fast_hand_over();
    return fast_real()->pthread_create(thread, attributes, start, argument);
}

FAST_API int pthread_join(pthread_t thread, void **result) {
    fast_hand_over();
    return fast_real()->pthread_join(thread, result);
}

FAST_API void __tsan_init(void);
void __tsan_init(void) {
    fast_start();
}

/*
 * exit(3) calls functions of which one is told the status, and destructors; either may come first.
 * Behind both the process is over.
 */
static struct {
    int status;
    int steps;
} fast_exit;

static void fast_exit_step(void) {
    if (++fast_exit.steps == 2) {
        fast_end((fast_exit.status & 0xff) << 8);
    } else {
        fast_hand_over_all();
    }
}

static void fast_exit_told(int status, void *nothing) {
    (void)nothing;
    fast_exit.status = status;
    fast_exit_step();
}

/* The last of a program's destructors. */
static void __attribute__((destructor(101))) fast_exit_last(void) {
    fast_exit_step();
}

static void fast_exit_start(void) {
    on_exit(fast_exit_told, NULL);
}

FAST_API void _exit(int status) {
    fast_end((status & 0xff) << 8);
    syscall(SYS_exit_group, status);
    __builtin_unreachable();
}

FAST_API void _Exit(int status) __attribute__((alias("_exit")));

/* What its handlers do is not recorded any more. */
FAST_API void quick_exit(int status) {
    fast_end((status & 0xff) << 8);
    fast_real()->quick_exit(status);
    __builtin_unreachable();
}
