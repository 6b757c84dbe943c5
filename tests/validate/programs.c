/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs whose page faults the kernel and the model must agree on, by their first argument:
 *
 *     fork         children that write half of their parent's memory, and the parent after them
 *     shared FILE  a file mapped shared, read by the parent, written by a child, then by the parent
 *     threads      threads that allocate, write and give back
 *     map          a mapping cut in pieces, protected, given up and touched again; deep recursion
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, BYTES = 1 << 20, THREADS = 4, CHILDREN = 3, DEPTH = 300 };

static char *memory(int flags, int fd) {
    char *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (at == MAP_FAILED) {
        _exit(9);
    }
    return at;
}

static void write_each(volatile char *at, size_t bytes, size_t step) {
    for (size_t i = 0; i < bytes; i += step) {
        at[i] = 1;
    }
}

static int read_each(const volatile char *at, size_t bytes) {
    int sum = 0;
    for (size_t i = 0; i < bytes; i += PAGE) {
        sum += at[i];
    }
    return sum;
}

static void forks(void) {
    char *at = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    write_each(at, BYTES, PAGE);
    for (int child = 0; child < CHILDREN; child++) {
        if (fork() == 0) {
            write_each(at, BYTES, (size_t)2 * PAGE);
            _exit(0);
        }
        wait(NULL);
        write_each(at, BYTES / 4, PAGE);
    }
}

static void shares(const char *name) {
    char *at = memory(MAP_SHARED, open(name, O_RDWR));
    int sum = read_each(at, BYTES);
    if (fork() == 0) {
        write_each(at, BYTES / 2, PAGE);
        _exit(sum == 1);
    }
    wait(NULL);
    write_each(at, BYTES, (size_t)2 * PAGE);
}

static void *allocates(void *seed) {
    char *at = malloc(BYTES);
    memset(at, *(int *)seed, BYTES);
    free(at);
    return NULL;
}

static void threads(void) {
    pthread_t thread[THREADS];
    int seed[THREADS];
    for (int i = 0; i < THREADS; i++) {
        seed[i] = i;
        pthread_create(&thread[i], NULL, allocates, &seed[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
}

static int deep(int left) {
    volatile char frame[PAGE / 2];
    frame[0] = (char)left;
    return left == 0 ? 0 : deep(left - 1) + frame[0];
}

static void maps(void) {
    char *at = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    int sum = read_each(at, BYTES / 2); /* the page of zeros */
    write_each(at, BYTES, PAGE);
    munmap(at + BYTES / 4, BYTES / 8);
    mprotect(at, BYTES / 8, PROT_READ);
    mprotect(at, BYTES / 8, PROT_READ | PROT_WRITE);
    madvise(at + BYTES / 2, BYTES / 2, MADV_DONTNEED);
    write_each(at, BYTES / 8, PAGE);
    sum += read_each(at + BYTES / 2, BYTES / 4);
    write_each(at + BYTES / 2, BYTES / 2, PAGE);
    _exit((deep(DEPTH) + sum) == 1);
}

int main(int argc, char **argv) {
    if (argc == 3) {
        shares(argv[2]);
    } else if (strcmp(argv[1], "fork") == 0) {
        forks();
    } else if (strcmp(argv[1], "threads") == 0) {
        threads();
    } else {
        maps();
    }
    return 0;
}
