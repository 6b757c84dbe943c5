/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of vmm record have recorded: one action a run, named by the first argument. What
 * an action touches it brings between marks, and prints the addresses that the test must know.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../include/vmm/record.h"

enum { PAGE = 4096 };

static unsigned char *map_pages(size_t pages) {
    void *memory =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        exit(99);
    }
    return memory;
}

static void say(const void *address) {
    printf("%p\n", address);
    fflush(stdout);
}

static void store(unsigned char *memory, int page) {
    *(volatile unsigned char *)(memory + page * PAGE) = (unsigned char)(page + 1);
}

/* The parent stores to page 0, then the child to pages 0 and 1, then the parent to page 2. */
static int act_fork(const char *value) {
    (void)value;
    unsigned char *memory = map_pages(3);
    int status = 0;
    say(memory);
    store(memory, 0);
    pid_t child = fork();
    if (child == 0) {
        store(memory, 0);
        store(memory, 1);
        _exit(3);
    }
    waitpid(child, &status, 0);
    store(memory, 2);
    return WEXITSTATUS(status) == 3 ? 0 : 1;
}

/* Parent and child take turns by pipes: the parent stores to page 0, the child to page 1. */
static int act_turns(const char *value) {
    unsigned char *memory = map_pages(2);
    int to_child[2], to_parent[2];
    char turn = 0;
    if (pipe(to_child) != 0 || pipe(to_parent) != 0) {
        return 99;
    }
    say(memory);
    bool is_child = fork() == 0;
    for (int i = 0; i < atoi(value); i++) {
        if (is_child && read(to_child[0], &turn, 1) != 1) {
            return 1;
        }
        store(memory, is_child);
        if (write(is_child ? to_parent[1] : to_child[1], &turn, 1) != 1 ||
            (!is_child && read(to_parent[0], &turn, 1) != 1)) {
            return 1;
        }
    }
    return is_child || wait(NULL) > 0 ? 0 : 1;
}

/* A child that is killed when it has said, in shared memory, that its stores are done. */
static int act_kill(const char *value) {
    (void)value;
    unsigned char *memory = map_pages(2);
    volatile int *done =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    say(memory);
    pid_t child = fork();
    if (child == 0) {
        store(memory, 1);
        for (int i = 0; i < 2000; i++) {
            store(memory, 0);
        }
        *done = 1;
        for (;;) {
            __asm__ volatile("pause");
        }
    }
    while (*done == 0) {
        usleep(1000);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 1;
}

static int act_shared(const char *path) {
    int fd = open(path, O_RDWR);
    unsigned char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
    if (fd < 0 || memory == MAP_FAILED) {
        return 99;
    }
    say(memory);
    store(memory, 1);
    msync(memory, 2 * PAGE, MS_SYNC);
    return 0;
}

static int act_heap(const char *value) {
    say(value); /* and the buffer of standard output is there */
    char *start = sbrk(0);
    say(start);
    vmm_record_mark(1);
    brk(start + 5 * PAGE);
    brk(start + 2 * PAGE);
    vmm_record_mark(2);
    return 0;
}

static int act_remap(const char *value) {
    (void)value;
    unsigned char *memory = map_pages(2);
    unsigned char *target = map_pages(8);
    say(memory);
    say(target);
    vmm_record_mark(1);
    mremap(memory, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    vmm_record_mark(2);
    return 0;
}

/* The second page of three is mapped once more, wherever it likes, then over another mapping. */
static int act_again(const char *value) {
    (void)value;
    unsigned char *memory =
        mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned char *own = map_pages(3);
    store(memory, 1);
    store(own, 2);
    vmm_record_mark(1);
    unsigned char *second = mremap(memory + PAGE, 0, PAGE, MREMAP_MAYMOVE);
    void *third = mremap(memory + PAGE, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, own);
    void *refused = mremap(own + 2 * PAGE, 0, PAGE, MREMAP_MAYMOVE); /* private */
    vmm_record_mark(2);
    say(memory);
    say(second);
    say(own);
    if (second == MAP_FAILED || third != own || refused != MAP_FAILED || errno != EINVAL) {
        return 1;
    }
    if (fork() == 0) {
        second[1] = 7;
        _exit(0);
    }
    wait(NULL);
    return second[0] == 2 && memory[PAGE + 1] == 7 && own[1] == 7 && own[2 * PAGE] == 3 &&
                   munmap(second, PAGE) == 0
               ? 0
               : 2;
}

/* A file is mapped, gets another name, loses it, and is mapped each time: a page is stored to. */
static int act_renamed(const char *path) {
    char other[4096];
    int fd = open(path, O_RDWR);
    snprintf(other, sizeof other, "%s.other", path);
    for (int i = 0; i < 3; i++) {
        unsigned char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED || (i == 0 && rename(path, other) != 0) ||
            (i == 1 && unlink(other) != 0)) {
            return 99;
        }
        say(memory);
        store(memory, i);
    }
    return 0;
}

/* Shares memory with its child, which is neither a thread nor a vfork(2). */
static int clone_stores(void *memory) {
    store(memory, 1);
    return 0;
}

static int act_clone(const char *flags) {
    unsigned char *memory = map_pages(20);
    int status = 0;
    say(memory);
    pid_t child = clone(clone_stores, memory + 16 * PAGE,
                        (int)strtol(flags, NULL, 0) | CLONE_VM | SIGCHLD, memory);
    waitpid(child, &status, 0);
    return child > 0 && status == 0 && memory[PAGE] == 2 ? 0 : 98;
}

static int act_sysv(const char *value) {
    (void)value;
    int id = shmget(IPC_PRIVATE, 3 * PAGE, IPC_CREAT | 0600);
    vmm_record_mark(1);
    unsigned char *memory = shmat(id, NULL, 0);
    store(memory, 2);
    shmdt(memory);
    vmm_record_mark(2);
    say(memory);
    shmctl(id, IPC_RMID, NULL);
    return 0;
}

static void *thread_stores(void *memory) {
    store(memory, 1);
    return NULL;
}

static int act_thread(const char *value) {
    (void)value;
    unsigned char *memory = map_pages(2);
    pthread_t thread;
    say(memory);
    pthread_create(&thread, NULL, thread_stores, memory);
    pthread_join(thread, NULL);
    store(memory, 0);
    return 0;
}

/* 5000 bytes go out of page 0 on, and 3 of 4096 come in at page 3. */
static int act_kernel(const char *path) {
    unsigned char *memory = map_pages(4);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    int pipes[2];
    if (fd < 0 || pipe(pipes) != 0) {
        return 99;
    }
    say(memory);
    vmm_record_mark(1);
    long written = write(fd, memory, 5000);
    written += write(pipes[1], "abc", 3);
    long got = read(pipes[0], memory + 3 * PAGE, PAGE);
    long failed = write(-1, memory, 100);
    vmm_record_mark(2);
    return written == 5003 && got == 3 && failed == -1 ? 0 : 1;
}

/*
 * Calls that take or give less than the buffer holds: at page 0 a byte of two pages comes in, at
 * page 2 ten bytes of a longer message; at page 3 a pipe takes 65536 bytes of more, and at page 40
 * a full socket takes none.
 */
static int act_partly(const char *value) {
    unsigned char *memory = map_pages(64);
    int sockets[2], pipes[2];
    (void)value;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sockets) != 0 ||
        pipe2(pipes, O_NONBLOCK) != 0) {
        return 99;
    }
    say(memory);
    send(sockets[0], "x", 1, 0);
    send(sockets[0], "a message of more than ten bytes", 32, 0);
    vmm_record_mark(1);
    long got = recv(sockets[1], memory, 2 * PAGE, 0);
    long all = recv(sockets[1], memory + 2 * PAGE, 10, MSG_TRUNC);
    long taken = write(pipes[1], memory + 3 * PAGE, 30 * PAGE);
    vmm_record_mark(2);
    while (send(sockets[0], memory, PAGE, 0) > 0) {}
    vmm_record_mark(3);
    long failed = send(sockets[0], memory + 40 * PAGE, PAGE, 0);
    vmm_record_mark(4);
    return got == 1 && all == 32 && taken == 65536 && failed == -1 ? 0 : 1;
}

/* A message of two parts that does not fit whole, one that does not fit at all; msync(2). */
static int act_message(const char *value) {
    enum { PAGES = 1024 };
    unsigned char *memory = map_pages(PAGES);
    unsigned char *shared =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int sockets[2];
    (void)value;
    if (shared == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) != 0) {
        return 99;
    }
    struct iovec parts[2] = {{memory, 10}, {memory + 2 * PAGE, (PAGES - 2) * PAGE}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    vmm_record_mark(1);
    long taken = sendmsg(sockets[0], &message, 0);
    vmm_record_mark(2);
    while (send(sockets[0], "x", 1, 0) > 0) {}
    vmm_record_mark(3);
    long failed = sendmsg(sockets[0], &message, 0);
    vmm_record_mark(4);
    int synced = msync(shared, PAGE, MS_SYNC);
    vmm_record_mark(5);
    say(memory);
    say(shared);
    say((unsigned char *)0 + taken);
    return taken > PAGE && taken < PAGES * PAGE && failed == -1 && synced == 0 ? 0 : 1;
}

/* Atomic instructions on a page each, and the stores of a failed and a wide comparison. */
static int act_atomic(const char *value) {
    unsigned char *memory = map_pages(6);
    (void)value;
    say(memory);
    vmm_record_mark(1);
    __asm__ volatile("lock addl $1, (%0)\n\t"
                     "movl $5, %%eax\n\t"
                     "xchgl %%eax, 4096(%0)\n\t"
                     "lock xaddl %%eax, 8192(%0)\n\t"
                     "movl $7, %%eax\n\t"
                     "lock cmpxchgl %%ecx, 12288(%0)\n\t"
                     "lock cmpxchg16b 16384(%0)\n\t"
                     "lock btsq $3, 20480(%0)"
                     :
                     : "r"(memory)
                     : "eax", "ecx", "ebx", "edx", "memory", "cc");
    vmm_record_mark(2);
    return 0;
}

/* A load and a store of four numbers each, of which a mask leaves the first and the third. */
static int act_masked(const char *value) {
    static const int mask[4] = {-1, 0, -1, 0};
    unsigned char *memory = map_pages(2);
    (void)value;
    say(memory);
    if (!__builtin_cpu_supports("avx2")) {
        return 55;
    }
    vmm_record_mark(1);
    __asm__ volatile("vmovdqu (%1), %%xmm0\n\t"
                     "vpmaskmovd (%0), %%xmm0, %%xmm1\n\t"
                     "vpmaskmovd %%xmm1, %%xmm0, 4096(%0)"
                     :
                     : "r"(memory), "r"(mask)
                     : "xmm0", "xmm1", "memory");
    vmm_record_mark(2);
    return 0;
}

/*
 * Code on three pages:   | nop, jmp ...|... | jmp ...|...  ret |    the jumps cross into the next
 *                        page 0        page 1        page 2         page, and go on behind
 * themselves
 */
static int act_code(const char *value) {
    static const unsigned char jump[5] = {0xe9};
    unsigned char *memory = map_pages(3);
    (void)value;
    say(memory);
    memory[PAGE - 4] = 0x90;
    memcpy(memory + PAGE - 3, jump, sizeof jump);
    memset(memory + PAGE + 2, 0x90, 2);
    memory[PAGE + 4] = 0xe9; /* to the jump at the end of the page */
    int32_t distance = PAGE - 2 - 9;
    memcpy(memory + PAGE + 5, &distance, sizeof distance);
    memcpy(memory + 2 * PAGE - 2, jump, sizeof jump);
    memory[2 * PAGE + 3] = 0xc3;
    mprotect(memory, 3 * PAGE, PROT_READ | PROT_EXEC);
    vmm_record_mark(1);
    __asm__ volatile("call *%0" : : "r"(memory + PAGE - 4) : "memory");
    vmm_record_mark(2);
    return 0;
}

static int act_pause(const char *value) {
    (void)value;
    unsigned char *memory = map_pages(5);
    say(memory);
    store(memory, 0);
    vmm_record_stop();
    store(memory, 1);
    munmap(map_pages(1), PAGE);
    vmm_record_start();
    store(memory, 2);
    vmm_record_stop();
    store(memory, 3);
    vmm_record_start();
    store(memory, 4);
    return 0;
}

/* A child asks for a pause, and leaves it to the parent to go on. */
static int act_pause_child(const char *value) {
    (void)value;
    pid_t child = fork();
    if (child == 0) {
        vmm_record_stop();
        _exit(0);
    }
    waitpid(child, NULL, 0);
    vmm_record_start();
    return 0;
}

static int deeper(int levels) {
    volatile unsigned char frame[PAGE];
    frame[0] = (unsigned char)levels;
    return levels == 0 ? frame[0] : deeper(levels - 1) + frame[0];
}

static int act_stack(const char *value) {
    (void)value;
    return deeper(300) < 0;
}

static int act_signal(const char *value) {
    return raise(atoi(value));
}

/* At an address, or at 16. */
static int act_crash(const char *value) {
    return *(volatile int *)(value[0] == '\0' ? 16 : (uintptr_t)strtoull(value, NULL, 0));
}

static int compare(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Some hundred thousand references. */
static int act_work(const char *value) {
    static int numbers[2000];
    (void)value;
    for (int i = 0; i < 2000; i++) {
        numbers[i] = i * 7919 % 2003;
    }
    qsort(numbers, 2000, sizeof numbers[0], compare);
    return numbers[0] != 0;
}

static int act_exit(const char *value) {
    return atoi(value);
}

static const char *own_path(void) {
    static char path[4096];
    return readlink("/proc/self/exe", path, sizeof path - 1) > 0 ? path : "?";
}

static int act_exec(const char *value) {
    execl(own_path(), "renamed", "exit", value, (char *)NULL);
    return 98;
}

static int act_self(const char *value) {
    execl("/proc/self/exe", "itself", "exit", value, (char *)NULL);
    return 98;
}

/* The C library makes such a child with a parent that sleeps until it calls exec. */
static int act_spawn(const char *value) {
    char *words[] = {(char *)(uintptr_t) "spawned", (char *)(uintptr_t) "exit",
                     (char *)(uintptr_t)value, NULL};
    pid_t child;
    int status = 0;
    if (posix_spawn(&child, own_path(), NULL, NULL, words, environ) != 0) {
        return 98;
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static int act_system(const char *value) {
    int status = system(value);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* A name with which the program says its name. */
static int act_name(const char *value) {
    execl(own_path(), value, "print", (char *)NULL);
    return 98;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*act)(const char *value);
    } actions[] = {
        {"fork", act_fork},     {"kill", act_kill},
        {"shared", act_shared}, {"heap", act_heap},
        {"remap", act_remap},   {"sysv", act_sysv},
        {"thread", act_thread}, {"kernel", act_kernel},
        {"pause", act_pause},   {"stack", act_stack},
        {"signal", act_signal}, {"crash", act_crash},
        {"exit", act_exit},     {"work", act_work},
        {"exec", act_exec},     {"name", act_name},
        {"self", act_self},     {"turns", act_turns},
        {"spawn", act_spawn},   {"system", act_system},
        {"partly", act_partly}, {"message", act_message},
        {"atomic", act_atomic}, {"masked", act_masked},
        {"code", act_code},     {"pause_child", act_pause_child},
        {"again", act_again},   {"renamed", act_renamed},
        {"clone", act_clone},
    };
    const char *action = argc > 1 ? argv[1] : "";
    if (strcmp(action, "print") == 0) {
        puts(argv[0]);
        return 0;
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(action, actions[i].name) == 0) {
            return actions[i].act(argc > 2 ? argv[2] : "");
        }
    }
    return 97;
}
