/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory whose borders are guarded. A block lies in a mapping of its own, against one border of its
 * accessible pages:
 *
 *     | no access |      junk | block | no access |     guarded behind, the usual
 *     | no access | block | junk      | no access |     guarded before
 *
 * A released block loses its access and keeps its place, so that whoever uses it is caught.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy_cmd.h"

static size_t guard_page(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t guard_rounded(size_t size) {
    return (size + guard_page() - 1) / guard_page() * guard_page();
}

/* A mapping of `size` accessible bytes, rounded up, between two pages without access. */
static void *guard_map(size_t size) {
    size_t whole = guard_rounded(size) + 2 * guard_page();
    char *map = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED ||
        mprotect(map + guard_page(), whole - 2 * guard_page(), PROT_READ | PROT_WRITE) != 0) {
        return NULL;
    }
    return map;
}

static unsigned char *guard_place(const Guard *guard, void *map, size_t size) {
    unsigned char *first = (unsigned char *)map + guard_page();
    return guard->before ? first : first + guard_rounded(size) - size;
}

/* Bytes that differ from place to place, and with other `junk` are all others. */
static void guard_fill(const Guard *guard, unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)((i * 2654435761u >> 11) * guard->junk + guard->junk);
    }
}

static void *guard_new(Guard *guard, size_t size) {
    if (++guard->calls == guard->fail_at) {
        return NULL;
    }
    void *map = guard_map(size);
    if (map == NULL) {
        return NULL;
    }
    if (guard->count == guard->capacity) {
        guard->capacity = guard->capacity * 2 + 64;
        guard->blocks = cli_realloc(guard->blocks, guard->capacity, sizeof *guard->blocks);
    }
    unsigned char *bytes = guard_place(guard, map, size);
    guard_fill(guard, (unsigned char *)map + guard_page(), guard_rounded(size));
    guard->blocks[guard->count++] =
        (GuardBlock){bytes, size, map, guard_rounded(size) + 2 * guard_page()};
    return bytes;
}

static GuardBlock *guard_find(Guard *guard, const void *bytes) {
    for (size_t i = guard->count; i-- > 0;) {
        if (guard->blocks[i].bytes == bytes) {
            return &guard->blocks[i];
        }
    }
    return NULL;
}

static void guard_close(GuardBlock *block) {
    mprotect(block->map, block->map_size, PROT_NONE);
    madvise(block->map, block->map_size, MADV_DONTNEED);
    block->bytes = NULL;
}

static void *guard_zalloc(void *user, size_t size) {
    void *bytes = guard_new(user, size);
    return bytes != NULL ? memset(bytes, 0, size) : NULL;
}

static void guard_release(void *user, void *bytes, size_t size) {
    Guard *guard = user;
    GuardBlock *block = guard_find(guard, bytes);
    if (block == NULL) {
        guard->misuse = "gives back memory that it does not have";
        return;
    }
    if (block->size != (size == 0 ? 1 : size) && guard->fail_at == 0) {
        guard->misuse = "gives memory back with another size than it asked for";
    }
    guard_close(block);
}

static void *guard_resize(void *user, void *bytes, size_t old_size, size_t new_size) {
    Guard *guard = user;
    GuardBlock *block = guard_find(guard, bytes);
    if (block == NULL) {
        guard->misuse = "grows memory that it does not have";
        return NULL;
    }
    if (block->size != (old_size == 0 ? 1 : old_size) && guard->fail_at == 0) {
        guard->misuse = "grows memory of another size than it asked for";
    }
    size_t size = block->size;
    void *grown = guard_new(guard, new_size);
    if (grown != NULL) {
        memcpy(grown, bytes, size < new_size ? size : new_size);
        guard_close(guard_find(guard, bytes));
    }
    return grown;
}

void guard_init(Guard *guard, bool before, unsigned char junk) {
    *guard = (Guard){.memory = {guard_zalloc, guard_resize, guard_release, guard},
                     .before = before,
                     .junk = junk};
}

size_t guard_leaks(const Guard *guard) {
    size_t leaks = 0;
    for (size_t i = 0; i < guard->count; i++) {
        leaks += guard->blocks[i].bytes != NULL;
    }
    return leaks;
}

bool guard_holds(const Guard *guard, const void *address) {
    for (size_t i = 0; i < guard->count; i++) {
        const char *map = guard->blocks[i].map;
        if ((const char *)address >= map &&
            (const char *)address < map + guard->blocks[i].map_size) {
            return true;
        }
    }
    return false;
}

void guard_free(Guard *guard) {
    for (size_t i = 0; i < guard->count; i++) {
        munmap(guard->blocks[i].map, guard->blocks[i].map_size);
    }
    free(guard->blocks);
    *guard = (Guard){.count = 0};
}

/* ---- Views ---------------------------------------------------------------------------------- */

/* The same pages twice: where the rig writes them, and where the policy reads them. */
void guard_view_grow(GuardView *view, size_t size, bool before) {
    GuardView grown = {.size = size, .map_size = guard_rounded(size)};
    int file = memfd_create("vmm-policy-check", MFD_CLOEXEC);
    size_t whole = grown.map_size + 2 * guard_page();
    char *reader = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *writer = MAP_FAILED;
    if (file >= 0 && ftruncate(file, (off_t)grown.map_size) == 0 && reader != MAP_FAILED) {
        writer = mmap(NULL, grown.map_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    if (writer == MAP_FAILED || mmap(reader + guard_page(), grown.map_size, PROT_READ,
                                     MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
        cli_error("cannot map memory for the check");
        _exit(CLI_FAILURE);
    }
    close(file);
    size_t shift = before ? 0 : grown.map_size - size;
    grown.written = writer + shift;
    grown.read = reader + guard_page() + shift;
    grown.read_map = reader;
    if (view->written != NULL) {
        memcpy(grown.written, view->written, view->size < size ? view->size : size);
        guard_view_free(view);
    }
    *view = grown;
}

void guard_view_free(GuardView *view) {
    if (view->written == NULL) {
        return;
    }
    size_t page = guard_page();
    char *writer = (char *)view->written -
                   ((size_t)((const char *)view->read - (char *)view->read_map) - page);
    munmap(writer, view->map_size);
    munmap(view->read_map, view->map_size + 2 * page);
    *view = (GuardView){.size = 0};
}
