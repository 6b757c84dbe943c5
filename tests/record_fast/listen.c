/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen OUTPUT PROGRAM [ARGUMENT...]: runs a program of the fast recorder and writes what it sends
 * as text, one record a line, in the order of the queue. Its exit status is the program's, 128 more
 * than the signal if one ended it.
 *
 *     PID TID R ADDRESS SIZE          also W
 *     PID TID NAME START LENGTH TARGET VALUE PROT FLAGS OFFSET PATH
 *     PID TID image PARENT PATH
 *     PID TID stop                    also resume
 *
 * With LISTEN_DEAF=1 it says from the start that nothing is wanted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../include/vmm/event.h"
#include "../../tools/recorder/channel.h"

static void channel_futex_wait(uint32_t *word, uint32_t value) {
    struct timespec limit = {.tv_nsec = 10 * 1000000L};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

static void channel_futex_wake(uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static uint64_t channel_now(void) {
    return 0;
}

static int channel_process_exists(uint32_t pid) {
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

static const char *listen_event_name(uint32_t type) {
    switch (type) {
#define X(name, value, text, meaning) \
    case value:                       \
        return text;
#include "../../include/vmm/events.def"
#undef X
    default:
        return "unknown";
    }
}

static void listen_event(FILE *out, uint32_t control, const uint64_t *words) {
    ChannelEvent event;
    memcpy(&event, words, sizeof event);
    const char *path = (const char *)(words + CHANNEL_EVENT_WORDS);
    if (control == CHANNEL_IMAGE) {
        fprintf(out, "image %lu %.*s\n", event.value, (int)event.path_bytes, path);
        return;
    }
    fprintf(out, "%s %lx %lx %lx %lu %x %x %lx %.*s\n", listen_event_name(event.type), event.start,
            event.length, event.target, event.value, event.prot, event.flags, event.offset,
            (int)event.path_bytes, path);
}

static void listen_segment(FILE *out, const Channel *channel, uint32_t number) {
    const ChannelSegment *segment = &channel->segments[number];
    const uint64_t *records = channel->records[number];
    uint32_t tid = segment->tid;
    for (uint32_t i = 0; i < segment->count; i++) {
        uint64_t record = records[i];
        uint32_t op = (uint32_t)(record >> CHANNEL_OP_SHIFT & CHANNEL_OP_MASK);
        if (op != CHANNEL_CONTROL) {
            fprintf(out, "%u %u %c %lx %u\n", segment->pid, tid, "RWF"[op],
                    record & VMM_PACKED_ADDR_MASK,
                    (unsigned)(record >> CHANNEL_SIZE_SHIFT & (CHANNEL_MAX_SIZE - 1)) + 1);
            continue;
        }
        uint32_t type = (uint32_t)(record & CHANNEL_TYPE_MASK);
        if (type == CHANNEL_STOP || type == CHANNEL_RESUME) {
            fprintf(out, "%u %u %s\n", segment->pid, tid, type == CHANNEL_STOP ? "stop" : "resume");
        } else if (type == CHANNEL_THREAD) {
            tid = (uint32_t)(record >> CHANNEL_VALUE_SHIFT);
        } else {
            fprintf(out, "%u %u ", segment->pid, tid);
            listen_event(out, type, &records[i + 1]);
        }
        i += (uint32_t)(record >> CHANNEL_WORDS_SHIFT) & 0xffff;
    }
}

static Channel *listen_channel(char path[64]) {
    int fd = memfd_create("listen", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(Channel)) != 0) {
        return MAP_FAILED;
    }
    Channel *channel = mmap(NULL, sizeof *channel, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (channel != MAP_FAILED) {
        channel->magic = CHANNEL_MAGIC;
        channel->version = CHANNEL_VERSION;
        channel->consumer_pid = (uint32_t)getpid();
        channel->discard = getenv("LISTEN_DEAF") != NULL;
        for (uint32_t i = 0; i < CHANNEL_SEGMENTS; i++) {
            channel_free_push(channel, i);
        }
        snprintf(path, 64, "/proc/%ld/fd/%d", (long)getpid(), fd);
    }
    return channel;
}

/* The next segment of the queue is written; false: there is none. */
static int listen_next(FILE *out, Channel *channel) {
    uint32_t *place = &channel->queue[channel->queue_head % CHANNEL_QUEUE];
    uint32_t entry = __atomic_load_n(place, __ATOMIC_SEQ_CST);
    if (entry == 0) {
        return 0;
    }
    *place = 0;
    channel->queue_head++;
    listen_segment(out, channel, entry - 1);
    channel_free_push(channel, entry - 1);
    return 1;
}

int main(int argc, char **argv) {
    char path[64];
    int status = 0, over = 0;
    Channel *channel = listen_channel(path);
    FILE *out = argc > 2 ? fopen(argv[1], "we") : NULL;
    if (out == NULL || channel == MAP_FAILED) {
        return 127;
    }
    pid_t child = fork();
    if (child == 0) {
        unsetenv("LISTEN_DEAF");
        setenv("VMM_RECORD_CHANNEL", path, 1);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    for (;;) {
        if (listen_next(out, channel)) {
            continue;
        }
        if (over) {
            break;
        }
        if (waitpid(child, &status, WNOHANG) == child) {
            over = 1;
        } else {
            channel->consumer_waiting = 1;
            channel_futex_wait(&channel->consumer_waiting, 1);
        }
    }
    fclose(out);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
