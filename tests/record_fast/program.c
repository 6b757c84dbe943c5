/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program MODE: what it does to `area` is what test_fast.py expects to be recorded. It prints where
 * the area lies, and results that must be those of a native run.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../include/vmm/record.h"

enum { PAGE = 4096, PAGES = 32, MANY = 100000 };

__attribute__((aligned(4096))) static char area[PAGES * PAGE];

typedef struct Block {
    long words[25];
} Block;

#define APART __attribute__((noinline))

static APART void program_fill(char *to, int step, int count) {
    for (int i = 0; i < count; i++) {
        to[(long)i * step] = (char)i;
    }
}

static APART long program_sum(const volatile long *from, int step, int count) {
    long sum = 0;
    for (int i = 0; i < count; i++) {
        sum += from[(long)i * step];
    }
    return sum;
}

static APART void program_halves(volatile short *place) {
    *place = 5;
    place[1] = *place;
}

/* Sizes 1, 8, 2, and one that is no power of two. */
static void program_pattern(void) {
    program_fill(area, PAGE, PAGES);
    long sum = program_sum((const volatile long *)(void *)area, 512, 4);
    program_halves((volatile short *)(void *)(area + 64));
    printf("%ld\n", sum);
}

static APART void program_copy_block(Block *to, const Block *from) {
    *to = *from;
}

static void program_blocks(void) {
    program_copy_block((Block *)(void *)(area + PAGE), (const Block *)(void *)area);
}

/* The length is not known to the compiler: calls of the C library's functions. */
static void program_copies(size_t length) {
    memset(area, 7, length);
    __asm__ volatile("" : : : "memory"); /* the second shall not be made of the first */
    memcpy(area + PAGE, area, length);
    memmove(area + PAGE + 8, area + PAGE, length);
    printf("%d %d\n", area[0], area[PAGE + length]);
}

static void *program_work(void *argument) {
    char *page = argument;
    for (int i = 0; i < MANY; i++) {
        page[i % PAGE] = (char)i;
    }
    return (void *)syscall(SYS_gettid);
}

static void program_threads(void) {
    pthread_t threads[2];
    void *tids[2];
    program_fill(area + 2L * PAGE, PAGE, 1);
    for (long i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, program_work, area + i * PAGE);
    }
    for (long i = 0; i < 2; i++) {
        pthread_join(threads[i], &tids[i]);
    }
    program_fill(area + 3L * PAGE, PAGE, 1);
    printf("tids %ld %ld\n", (long)tids[0], (long)tids[1]);
}

/* Does what its parent does not; more than fits a buffer before and behind the fork. */
static void program_fork(void) {
    int status;
    program_work(area);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        program_work(area + PAGE);
        _exit(3);
    }
    waitpid(child, &status, 0);
    program_fill(area + 2L * PAGE, PAGE, 2);
    printf("child %ld %d\n", (long)child, WEXITSTATUS(status));
}

/* A process that the C library knows nothing of. */
static void program_clone(void) {
    int status;
    program_fill(area, PAGE, 1);
    fflush(stdout);
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        program_work(area + PAGE);
        program_work(area + PAGE);
        _exit(4);
    }
    waitpid(child, &status, 0);
    printf("child %ld %d\n", (long)child, WEXITSTATUS(status));
}

static void program_exec(const char *self, char **argv) {
    static const char *const ways[] = {"execv", "execvp", "execl", "execle", "spawn", "vfork"};
    extern char **environ;
    char *next[] = {argv[0], "exec", argv[2] + 1, NULL};
    size_t way = (size_t)(argv[2][0] - 'a');
    int status = 0;
    pid_t child;
    if (way < PAGES) {
        program_fill(area + way * PAGE, PAGE, 1);
    }
    fflush(stdout);
    switch (argv[2][0]) {
    case 'a':
        execv(self, next);
        break;
    case 'b':
        execvp(self, next);
        break;
    case 'c':
        execl(self, next[0], next[1], next[2], (char *)NULL);
        break;
    case 'd':
        execle(self, next[0], next[1], next[2], (char *)NULL, environ);
        break;
    case 'e':
        posix_spawn(&child, self, NULL, NULL, next, environ);
        waitpid(child, &status, 0);
        break;
    case 'f':
        child = vfork();
        if (child == 0) {
            execv(self, next);
            _exit(127);
        }
        waitpid(child, &status, 0);
        break;
    default:
        printf("done %s\n", getenv("VMM_RECORD_CHANNEL") == NULL ? "unseen" : "seen");
        return;
    }
    printf("%s %d\n", ways[way], WEXITSTATUS(status));
}

static void program_mappings(const char *self) {
    FILE *file = fopen(self, "rb");
    char *plain = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *mapped = mmap(NULL, 100, PROT_READ, MAP_PRIVATE, fileno(file), PAGE);
    plain[0] = 1;
    mprotect(plain + PAGE, PAGE, PROT_READ);
    madvise(plain, 2 * PAGE, MADV_DONTNEED);
    char *moved = mremap(plain + 4 * PAGE, 4 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
    moved[9 * PAGE] = 1;
    munmap(moved, 16 * PAGE);
    munmap(mapped, 100);
    int wrong = munmap(plain + 1, PAGE);
    printf("%p %p %p %d\n", (void *)plain, (void *)mapped, (void *)moved, wrong);
    fclose(file);
}

static int program_handled;
static sigjmp_buf program_back;

static void program_handler(int number) {
    program_work(area + PAGE);
    program_handled += number != 0;
}

static void program_leaper(int number) {
    program_fill(area + 2L * PAGE, 1, number != 0);
    siglongjmp(program_back, 1);
}

/* Handlers that interrupt anything, and handlers that never return. */
static void program_signals(void) {
    struct sigaction told;
    signal(SIGUSR1, program_handler);
    signal(SIGUSR2, program_leaper);
    for (int i = 0; i < 10; i++) {
        program_fill(area, 1, 1);
        raise(SIGUSR1);
    }
    for (volatile int i = 0; i < 20; i++) {
        if (sigsetjmp(program_back, 1) == 0) {
            raise(SIGUSR2);
        }
    }
    program_fill(area + 3L * PAGE, 1, 1);
    sigaction(SIGUSR1, NULL, &told);
    int own = told.sa_handler == program_handler;
    sigaction(SIGTERM, NULL, &told);
    printf("%d %d %d\n", program_handled, own, told.sa_handler == SIG_DFL);
}

static void program_end(const char *how) {
    program_fill(area, PAGE, 3);
    fflush(stdout);
    if (strcmp(how, "segv") == 0) {
        *(volatile int *)(uintptr_t)strlen(how) = 1;
    } else if (strcmp(how, "abort") == 0) {
        abort();
    } else if (strcmp(how, "term") == 0) {
        kill(getpid(), SIGTERM);
    } else if (strcmp(how, "quick") == 0) {
        quick_exit(5);
    } else if (strcmp(how, "_exit") == 0) {
        _exit(6);
    } else if (strcmp(how, "thread") == 0) {
        pthread_exit(NULL);
    }
    exit(7);
}

/* Only what is done between start and stop is wanted. */
static void program_parts(void) {
    vmm_record_mark(41);
    vmm_record_stop();
    program_work(area);
    vmm_record_start();
    program_fill(area, PAGE, 3);
    vmm_record_stop();
    program_work(area + PAGE);
    vmm_record_start();
    program_fill(area + PAGE, PAGE, 1);
}

static void program_heap(void) {
    char *block = malloc(100000);
    void *end = sbrk(0);
    program_fill(block, PAGE, 20);
    free(block);
    printf("%p\n", end);
}

static void program_library(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    void (*touch)(char *place) = NULL;
    if (library != NULL) {
        *(void **)&touch = dlsym(library, "library_touch");
    }
    if (touch == NULL) {
        printf("%s\n", dlerror());
        return;
    }
    touch(area + PAGE);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    char *self = realpath("/proc/self/exe", NULL);
    printf("area %p pid %ld\n", (void *)area, (long)getpid());
    if (strcmp(mode, "pattern") == 0) {
        program_pattern();
    } else if (strcmp(mode, "blocks") == 0) {
        program_blocks();
    } else if (strcmp(mode, "copies") == 0) {
        program_copies(strtoul(argv[2], NULL, 10));
    } else if (strcmp(mode, "threads") == 0) {
        program_threads();
    } else if (strcmp(mode, "fork") == 0) {
        program_fork();
    } else if (strcmp(mode, "clone") == 0) {
        program_clone();
    } else if (strcmp(mode, "exec") == 0) {
        program_exec(self, argv);
    } else if (strcmp(mode, "mappings") == 0) {
        program_mappings(self);
    } else if (strcmp(mode, "signals") == 0) {
        program_signals();
    } else if (strcmp(mode, "end") == 0) {
        program_end(argv[2]);
    } else if (strcmp(mode, "parts") == 0) {
        program_parts();
    } else if (strcmp(mode, "heap") == 0) {
        program_heap();
    } else if (strcmp(mode, "library") == 0) {
        program_library(argv[2]);
    }
    free(self);
    return 0;
}
