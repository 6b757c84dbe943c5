/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fork, mappings and the end of processes cost, through the library: processor time of this
 * process, without the making of references. PAGES are mapped, written and in memory.
 *
 *     fork PAGES TIMES
 *         a process forks, and the child ends, so often: "fork_ns", "exit_ns" for each page
 *     server PAGES REFERENCES FORKS EVENTS [option=value]...
 *         one child of a server after the other makes REFERENCES / FORKS references and
 *         EVENTS / FORKS changes of its mappings: "seconds"; with EVENTS 0 the same references and
 *         no events at all, no forks either
 *     maps up|down|between COUNT
 *         mappings of one page, with gaps, at rising or falling addresses, or the odd ones after
 *         the even ones: "map_ns" for each
 *     children COUNT
 *         children of a process that live at the same time: "child_ns" from fork to exit of each
 *     sparse PAGES
 *         4 GiB are mapped, PAGES of them written, all unmapped, again and again: "page_ns"
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../include/vmm/vmm.h"

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x10000000)

enum {
    PARENT = 1,
    CHUNK = 1 << 16,
    FAMILY_PAGES = 256, /* of a process with many children: 1 MiB, as a small daemon has it */
    HOT_PAGES = 32,     /* of a server: those that most references go to */
    ARENA_PAGES = 16    /* what a child maps for itself at a time */
};

typedef struct Server {
    VMM *vmm;
    uint32_t pages;
    size_t each, piece; /* references of a child, and between two of its events */
    uint64_t forks;
    unsigned changes; /* events of a child beside fork and exit */
    bool events;
} Server;

static char text[VMM_ERROR_TEXT_BYTES];

static void check(VMM *vmm, int status) {
    if (status != VMM_OK) {
        fprintf(stderr, "processes: %s\n", vmm != NULL ? vmm_error_text(vmm) : text);
        exit(1);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static VMM *machine(int count, char **options) {
    VMMConfig config;
    VMM *vmm = NULL;
    vmm_config_init_default(&config);
    check(NULL, vmm_config_set(&config, "pt-type", "FOUR_LEVEL", text));
    check(NULL, vmm_config_set(&config, "frames", "4194304", text));
    for (int i = 0; i < count; i++) {
        char *value = strchr(options[i], '=');
        if (value == NULL) {
            fprintf(stderr, "processes: expected option=value, found %s\n", options[i]);
            exit(1);
        }
        *value++ = '\0';
        check(NULL, vmm_config_set(&config, options[i], value, text));
    }
    check(NULL, vmm_create_with(&config, NULL, &vmm, text));
    return vmm;
}

static void map(VMM *vmm, uint32_t pid, uint64_t address, uint64_t pages) {
    check(vmm,
          vmm_map(vmm, pid, address, pages * PAGE, VMM_PROT_READ | VMM_PROT_WRITE, 0, NULL, 0));
}

/* A write to each of some pages. */
static void touch(VMM *vmm, uint32_t pid, uint64_t address, uint64_t pages, uint64_t stride) {
    static VMMRef refs[CHUNK];
    for (uint64_t done = 0; done < pages;) {
        uint64_t some = pages - done < CHUNK ? pages - done : CHUNK;
        for (uint64_t i = 0; i < some; i++) {
            refs[i] = (VMMRef){.addr = address + (done + i) * stride * PAGE,
                               .pid = pid,
                               .size = 8,
                               .op = VMM_OP_WRITE};
        }
        check(vmm, vmm_feed(vmm, refs, (size_t)some));
        done += some;
    }
}

static void measure_fork(uint64_t pages, unsigned times) {
    VMM *vmm = machine(0, NULL);
    double forks = 0;
    double exits = 0;
    map(vmm, PARENT, BASE, pages);
    touch(vmm, PARENT, BASE, pages, 1);
    for (unsigned i = 0; i < times + 1; i++) { /* the first one makes room, and is not counted */
        double start = now();
        check(vmm, vmm_fork(vmm, PARENT, PARENT + 1));
        double middle = now();
        check(vmm, vmm_exit(vmm, PARENT + 1));
        double end = now();
        forks += i == 0 ? 0 : middle - start;
        exits += i == 0 ? 0 : end - middle;
    }
    printf("fork_ns %.3f\nexit_ns %.3f\n", forks / times / (double)pages * 1e9,
           exits / times / (double)pages * 1e9);
    vmm_destroy(vmm);
}

/* The next references of a child: nine of ten to the hot pages, one of four a store. */
static void make(const Server *server, VMMRef *refs, uint32_t pid, uint64_t *state) {
    for (size_t i = 0; i < server->each; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t draw = (uint32_t)(*state >> 33);
        uint32_t page = draw / 10 % (draw % 10 == 0 ? server->pages : HOT_PAGES);
        refs[i] = (VMMRef){.addr = BASE + page * PAGE + draw % 512 * 8,
                           .pid = pid,
                           .size = 8,
                           .op = (draw >> 20) % 4 == 0 ? VMM_OP_WRITE : VMM_OP_READ};
    }
}

/* A change of a child's mappings: maps an arena, protects it, unmaps it, in turn. */
static void change(const Server *server, uint32_t pid, unsigned turn) {
    VMM *vmm = server->vmm;
    uint64_t arena = BASE + (server->pages + turn / 3 * ARENA_PAGES) * PAGE;
    switch (turn % 3) {
    case 0:
        map(vmm, pid, arena, ARENA_PAGES);
        break;
    case 1:
        check(vmm, vmm_protect(vmm, pid, arena, ARENA_PAGES * PAGE, VMM_PROT_READ));
        break;
    default:
        check(vmm, vmm_unmap(vmm, pid, arena, ARENA_PAGES * PAGE));
        break;
    }
}

/* The life of a child. */
static void serve(const Server *server, const VMMRef *refs, uint32_t child) {
    VMM *vmm = server->vmm;
    unsigned turn = 0;
    if (server->events) {
        check(vmm, vmm_fork(vmm, PARENT, child));
    }
    for (size_t at = 0; at < server->each; at += server->piece) {
        size_t left = server->each - at;
        check(vmm, vmm_feed(vmm, refs + at, left < server->piece ? left : server->piece));
        if (turn < server->changes) {
            change(server, child, turn++);
        }
    }
    if (server->events) {
        check(vmm, vmm_exit(vmm, child));
    }
}

static void measure_server(Server *server, uint64_t events) {
    VMM *vmm = server->vmm;
    VMMRef *refs = calloc(server->each, sizeof *refs);
    uint64_t state = 1;
    double seconds = 0;
    server->changes = (unsigned)(events / server->forks);
    server->piece = server->each / (server->changes + 1);
    server->events = events > 0;
    if (server->events) {
        map(vmm, PARENT, BASE, server->pages);
    }
    touch(vmm, PARENT, BASE, server->pages, 1);
    for (uint64_t child = 1; refs != NULL && child <= server->forks; child++) {
        make(server, refs, (uint32_t)(PARENT + child), &state);
        double start = now();
        serve(server, refs, (uint32_t)(PARENT + child));
        seconds += now() - start;
    }
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    printf("seconds %.9f\nevents %" PRIu64 "\naccesses %" PRIu64 "\n", seconds, stats.events,
           stats.accesses);
    free(refs);
    vmm_destroy(vmm);
}

static void measure_maps(const char *order, uint64_t count) {
    VMM *vmm = machine(0, NULL);
    double start = now();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t place = i;
        if (strcmp(order, "down") == 0) {
            place = count - 1 - i;
        } else if (strcmp(order, "between") == 0) {
            place = i < count / 2 ? 2 * i : 2 * (i - count / 2) + 1;
        }
        map(vmm, PARENT, BASE + place * 2 * PAGE, 1);
    }
    printf("map_ns %.3f\n", (now() - start) / (double)count * 1e9);
    vmm_destroy(vmm);
}

static void measure_children(uint32_t count) {
    VMM *vmm = machine(0, NULL);
    map(vmm, PARENT, BASE, FAMILY_PAGES);
    touch(vmm, PARENT, BASE, FAMILY_PAGES, 1);
    double start = now();
    for (uint32_t child = PARENT + 1; child < PARENT + 1 + count; child++) {
        check(vmm, vmm_fork(vmm, PARENT, child));
        touch(vmm, child, BASE, 8, 1);
    }
    for (uint32_t child = PARENT + 1; child < PARENT + 1 + count; child++) {
        check(vmm, vmm_exit(vmm, child));
    }
    printf("child_ns %.3f\n", (now() - start) / count * 1e9);
    vmm_destroy(vmm);
}

static void measure_sparse(uint64_t pages) {
    enum { TIMES = 5 };
    const uint64_t whole = UINT64_C(1) << 20; /* 4 GiB */
    VMM *vmm = machine(0, NULL);
    double start = 0;
    for (int i = 0; i <= TIMES; i++) {
        start = i == 1 ? now() : start;
        map(vmm, PARENT, BASE, whole);
        touch(vmm, PARENT, BASE, pages, whole / pages);
        check(vmm, vmm_unmap(vmm, PARENT, BASE, whole * PAGE));
    }
    printf("page_ns %.3f\n", (now() - start) / TIMES / (double)pages * 1e9);
    vmm_destroy(vmm);
}

static uint64_t number(const char *word) {
    return strtoull(word, NULL, 10);
}

int main(int argc, char **argv) {
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "fork") == 0 && argc > 3) {
        measure_fork(number(argv[2]), (unsigned)number(argv[3]));
    } else if (strcmp(what, "server") == 0 && argc > 5) {
        Server server = {.vmm = machine(argc - 6, argv + 6),
                         .pages = (uint32_t)number(argv[2]),
                         .each = (size_t)(number(argv[3]) / number(argv[4])),
                         .forks = number(argv[4])};
        measure_server(&server, number(argv[5]));
    } else if (strcmp(what, "maps") == 0 && argc > 3) {
        measure_maps(argv[2], number(argv[3]));
    } else if (strcmp(what, "children") == 0) {
        measure_children((uint32_t)number(argv[2]));
    } else if (strcmp(what, "sparse") == 0) {
        measure_sparse(number(argv[2]));
    } else {
        fprintf(stderr, "usage: processes fork|server|maps|children|sparse ..., as told in "
                        "bench/processes.c\n");
        return 1;
    }
    return 0;
}
