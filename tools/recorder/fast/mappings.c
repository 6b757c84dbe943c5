/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings: what is there at the start (/proc/self/maps), what the program and its libraries ask
 * for by the functions below, and the heap, which the C library moves by itself. The C library's
 * own calls of mmap(2) cannot be seen; so the mappings of a trace are never said to be complete.
 *
 * The functions stand in for those of the C library and make the same system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fast.h"

enum { FAST_PAGE = 4096, FAST_MAPS_LINE = PATH_MAX + 128 };

/* ---- Memory of our own ---------------------------------------------------------------------- */

void *fast_memory(size_t size) {
    long at =
        syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    return at != -1 ? fast_pointer((uintptr_t)at) : NULL;
}

void fast_memory_free(void *memory, size_t size) {
    if (memory != NULL) {
        syscall(SYS_munmap, memory, size);
    }
}

/* ---- At the start --------------------------------------------------------------------------- */

/* Where the heap ended when we last looked. */
static uint64_t fast_heap_end;

static uint64_t fast_page_up(uint64_t address) {
    return (address + FAST_PAGE - 1) & ~(uint64_t)(FAST_PAGE - 1);
}

static uint64_t fast_heap_now(void) {
    return fast_page_up((uint64_t)(uintptr_t)sbrk(0));
}

static bool fast_text_begins(const char *text, const char *word) {
    while (*word != '\0' && *text == *word) {
        text++;
        word++;
    }
    return *word == '\0';
}

static uint32_t fast_maps_prot(const char *letters) {
    return (letters[0] == 'r' ? VMM_PROT_READ : 0u) | (letters[1] == 'w' ? VMM_PROT_WRITE : 0u) |
           (letters[2] == 'x' ? VMM_PROT_EXEC : 0u);
}

static uint64_t fast_maps_number(const char **text, int base) {
    char *end;
    uint64_t value = strtoull(*text, &end, base);
    *text = *end != '\0' ? end + 1 : end;
    return value;
}

/* "7f00-7f10 r-xp 00002000 08:01 1234     /path" */
static void fast_maps_line(const char *line) {
    VMMEvent event = {.type = VMM_EVENT_MAP, .flags = VMM_MAP_AT_START};
    FastFile file = {0};
    event.start = fast_maps_number(&line, 16);
    event.length = fast_maps_number(&line, 16) - event.start;
    event.prot = fast_maps_prot(line);
    event.flags |= line[3] == 's' ? VMM_MAP_SHARED : 0u;
    line += 5;
    event.offset = fast_maps_number(&line, 16);
    unsigned major_number = (unsigned)fast_maps_number(&line, 16);
    file.device = makedev(major_number, (unsigned)fast_maps_number(&line, 16));
    file.inode = fast_maps_number(&line, 10);
    while (*line == ' ') {
        line++;
    }
    file.path = *line == '/' ? line : NULL;
    event.flags |= file.inode == 0 ? VMM_MAP_ANONYMOUS : 0u;
    event.flags |= fast_text_begins(line, "[stack]") ? VMM_MAP_STACK | VMM_MAP_GROWSDOWN : 0u;
    event.flags |= fast_text_begins(line, "[heap]") ? VMM_MAP_HEAP : 0u;
    if (event.start <= VMM_PACKED_ADDR_MASK && !fast_producer_is_mapping(event.start)) {
        fast_producer_tell(fast_producer_pid(), &event, file.inode != 0 ? &file : NULL);
    }
}

/* Tells the lines that are whole in text[0 .. length); returns how much of it is left over. */
static size_t fast_maps_lines(char *text, size_t length) {
    size_t start = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            text[i] = '\0';
            fast_maps_line(text + start);
            start = i + 1;
        }
    }
    for (size_t i = start; i < length; i++) {
        text[i - start] = text[i];
    }
    return length - start;
}

void fast_mappings_start(void) {
    static char text[2 * FAST_MAPS_LINE];
    size_t length = 0;
    ssize_t got;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    fast_heap_end = fast_heap_now();
    while (fd >= 0 && length < sizeof text &&
           (got = read(fd, text + length, sizeof text - length)) > 0) {
        length = fast_maps_lines(text, length + (size_t)got);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* ---- The heap ------------------------------------------------------------------------------- */

static void fast_mappings_heap(uint32_t tid, uint32_t type, uint64_t start, uint64_t end) {
    VMMEvent event = {.type = type, .start = start, .length = end - start};
    if (type == VMM_EVENT_MAP) {
        event.prot = VMM_PROT_READ | VMM_PROT_WRITE;
        event.flags = VMM_MAP_ANONYMOUS;
    }
    event.flags |= VMM_MAP_HEAP;
    fast_producer_tell(tid, &event, NULL);
}

void fast_mappings_heap_grew(uint32_t tid) {
    uint64_t now = fast_heap_now();
    if (now > fast_heap_end) {
        fast_mappings_heap(tid, VMM_EVENT_MAP, fast_heap_end, now);
        fast_heap_end = now;
    }
}

void fast_mappings_heap_shrank(uint32_t tid) {
    uint64_t now = fast_heap_now();
    if (now < fast_heap_end) {
        fast_mappings_heap(tid, VMM_EVENT_UNMAP, now, fast_heap_end);
        fast_heap_end = now;
    }
}

/* ---- The functions -------------------------------------------------------------------------- */

/* What an open file is called. */
static FastFile fast_file_of(int fd, char path[PATH_MAX]) {
    FastFile file = {.path = path};
    struct stat status;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    if (fstat(fd, &status) == 0) {
        file.device = status.st_dev;
        file.inode = status.st_ino;
    }
    return file;
}

static uint32_t fast_map_flags(int flags) {
    static const struct {
        int system;
        uint32_t told;
    } known[] = {
        {MAP_SHARED, VMM_MAP_SHARED},       {MAP_ANONYMOUS, VMM_MAP_ANONYMOUS},
        {MAP_FIXED, VMM_MAP_FIXED},         {MAP_FIXED_NOREPLACE, VMM_MAP_FIXED},
        {MAP_GROWSDOWN, VMM_MAP_GROWSDOWN}, {MAP_HUGETLB, VMM_MAP_HUGETLB},
        {MAP_POPULATE, VMM_MAP_POPULATE},   {MAP_NORESERVE, VMM_MAP_NORESERVE},
        {MAP_LOCKED, VMM_MAP_LOCKED},
    };
    uint32_t told = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        told |= (flags & known[i].system) != 0 ? known[i].told : 0u;
    }
    return told;
}

static uint32_t fast_map_prot(int prot) {
    return ((prot & PROT_READ) != 0 ? VMM_PROT_READ : 0u) |
           ((prot & PROT_WRITE) != 0 ? VMM_PROT_WRITE : 0u) |
           ((prot & PROT_EXEC) != 0 ? VMM_PROT_EXEC : 0u);
}

static void fast_tell_map(uint64_t start, size_t length, int prot, int flags, int fd,
                          off_t offset) {
    char path[PATH_MAX];
    FastFile file = {0};
    VMMEvent event = {.type = VMM_EVENT_MAP,
                      .start = start,
                      .length = fast_page_up(length),
                      .prot = fast_map_prot(prot),
                      .flags = fast_map_flags(flags)};
    if ((flags & MAP_ANONYMOUS) == 0) {
        event.offset = (uint64_t)offset;
        file = fast_file_of(fd, path);
    }
    fast_tell(&event, file.path != NULL ? &file : NULL);
}

FAST_API void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset) {
    long at = syscall(SYS_mmap, address, length, prot, flags, fd, offset);
    if (at != -1 && fast_is_on()) {
        int error = errno;
        fast_tell_map((uint64_t)at, length, prot, flags, fd, offset);
        errno = error;
    }
    return fast_pointer((uintptr_t)at);
}

FAST_API void *mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
    __attribute__((alias("mmap")));

/* An event about [start, start + length), when the call behind it went well. */
static int fast_told(long result, uint32_t type, const void *start, size_t length, uint32_t prot,
                     uint64_t value) {
    if (result == 0 && fast_is_on()) {
        VMMEvent event = {.type = type,
                          .start = (uint64_t)(uintptr_t)start,
                          .length = fast_page_up(length),
                          .prot = prot,
                          .value = value};
        fast_tell(&event, NULL);
    }
    return (int)result;
}

FAST_API int munmap(void *start, size_t length) {
    /* Told before the call: behind it another thread may be given the same addresses. */
    if (length > 0 && (uintptr_t)start % FAST_PAGE == 0) {
        fast_told(0, VMM_EVENT_UNMAP, start, length, 0, 0);
    }
    return (int)syscall(SYS_munmap, start, length);
}

FAST_API int mprotect(void *start, size_t length, int prot) {
    return fast_told(syscall(SYS_mprotect, start, length, prot), VMM_EVENT_PROTECT, start, length,
                     fast_map_prot(prot), 0);
}

FAST_API int madvise(void *start, size_t length, int advice) {
    return fast_told(syscall(SYS_madvise, start, length, advice), VMM_EVENT_ADVISE, start, length,
                     0, (uint64_t)advice);
}

FAST_API int mlock(const void *start, size_t length) {
    return fast_told(syscall(SYS_mlock, start, length), VMM_EVENT_LOCK, start, length, 0, 0);
}

FAST_API int munlock(const void *start, size_t length) {
    return fast_told(syscall(SYS_munlock, start, length), VMM_EVENT_UNLOCK, start, length, 0, 0);
}

FAST_API void *mremap(void *start, size_t length, size_t new_length, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    void *wanted = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    long at = syscall(SYS_mremap, start, length, new_length, flags, wanted);
    if (at != -1 && fast_is_on()) {
        VMMEvent event = {.type = VMM_EVENT_REMAP,
                          .start = (uint64_t)(uintptr_t)start,
                          .length = fast_page_up(length),
                          .target = (uint64_t)at,
                          .value = fast_page_up(new_length)};
        fast_tell(&event, NULL);
    }
    return fast_pointer((uintptr_t)at);
}
