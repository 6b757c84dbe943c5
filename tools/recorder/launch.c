/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmmrec: starts a program under the Valgrind tool that lies beside this one.
 *
 *     vmmrec [OPTION OF VALGRIND]... [--] PROGRAM [ARGUMENT]...
 *
 * It stands where Valgrind's own launcher would: `vmm record` calls it for the program, and
 * Valgrind calls it again for each program that a recorded one starts. Being ours it finds the tool
 * without VALGRIND_LIB, and a program that the tool cannot record (of another architecture, or one
 * that may not open the channel: another user's, or one that sees another /proc) runs unrecorded
 * instead of not at all.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "channel.h"

static const char launch_tool[] = "vmmrec-amd64-linux";

/* The first word that is no option, or NULL. */
static char **launch_program(char **argv) {
    char **word = argv + 1;
    while (*word != NULL && (*word)[0] == '-') {
        if (strcmp(*word++, "--") == 0) {
            break;
        }
    }
    return *word != NULL ? word : NULL;
}

/* Opens a file by its name, in $PATH if it has no slash. */
static int launch_open(const char *name) {
    const char *path = getenv("PATH");
    char candidate[PATH_MAX];
    if (strchr(name, '/') != NULL || path == NULL) {
        return open(name, O_RDONLY | O_CLOEXEC);
    }
    while (*path != '\0') {
        size_t length = strcspn(path, ":");
        int written = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length,
                               length > 0 ? path : ".", name);
        if (written > 0 && written < (int)sizeof candidate && access(candidate, X_OK) == 0) {
            return open(candidate, O_RDONLY | O_CLOEXEC);
        }
        path += length + (path[length] == ':');
    }
    return -1;
}

/*
 * Is it an executable of another architecture, or one with rights of its own (set-user-id), which
 * Valgrind refuses? Scripts, and what cannot be read, are not.
 */
static int launch_is_foreign(const char *name) {
    Elf64_Ehdr header;
    struct stat status;
    int fd = launch_open(name);
    if (fd < 0) {
        return 0;
    }
    ssize_t got = read(fd, &header, sizeof header);
    int rights = fstat(fd, &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
    rights |= fgetxattr(fd, "security.capability", NULL, 0) > 0;
    close(fd);
    if (rights) {
        return 1;
    }
    return got == (ssize_t)sizeof header && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
           (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64);
}

/* Valgrind, and the recorder of a recording within this one, cannot run under Valgrind. */
static int launch_is_valgrind(const char *path) {
    static const char *const names[] = {"valgrind", "valgrind.bin", "vmmrec"};
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Of the channel, this program only reads. */
static void channel_futex_wait(uint32_t *word, uint32_t value) {
    (void)word;
    (void)value;
}

static void channel_futex_wake(uint32_t *word, int count) {
    (void)word;
    (void)count;
}

static uint64_t channel_now(void) {
    return 0;
}

static int channel_process_exists(uint32_t pid) {
    return pid != 0;
}

/* `asked`: was a channel named at all? */
static Channel *launch_channel(char **argv, int *asked) {
    static const char option[] = "--channel=";
    for (char **word = argv + 1; *word != NULL && (*word)[0] == '-'; word++) {
        if (strncmp(*word, option, sizeof option - 1) == 0) {
            *asked = 1;
            int fd = open(*word + sizeof option - 1, O_RDWR | O_CLOEXEC);
            void *mapped =
                fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(Channel), PROT_READ, MAP_SHARED, fd, 0);
            if (fd >= 0) {
                close(fd);
            }
            return mapped != MAP_FAILED ? mapped : NULL;
        }
    }
    return NULL;
}

/* As outside of all pid namespaces; process.c of the tool says why. */
static uint32_t launch_own_pid(void) {
    char text[32] = "";
    ssize_t length = readlink("/proc/self", text, sizeof text - 1);
    long pid = length > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 ? (uint32_t)pid : (uint32_t)getpid();
}

/* What is to be run instead of /proc/self/exe, which is this program by now; NULL: not known. */
static char *launch_meant(Channel *channel) {
    int slot = channel != NULL ? channel_slot_of(channel, launch_own_pid()) : -1;
    if (slot < 0 || channel->slots[slot].exec_path[0] == '\0') {
        return NULL;
    }
    return channel->slots[slot].exec_path;
}

/* Without the recorder. */
static int launch_natively(char **program) {
    unsetenv("VALGRIND_LIB");
    execvp(*program, program);
    fprintf(stderr, "vmmrec: error: cannot run '%s': %s\n", *program, strerror(errno));
    return errno == ENOENT ? 127 : 126;
}

int main(int argc, char **argv) {
    char self[PATH_MAX];
    char tool[PATH_MAX + sizeof launch_tool];
    char **program = launch_program(argv);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (argc < 2 || program == NULL || length <= 0) {
        fputs("usage: vmmrec [OPTION OF VALGRIND]... [--] PROGRAM [ARGUMENT]...\n"
              "vmm record calls it; see vmm help record\n",
              stderr);
        return 1;
    }
    self[length] = '\0';
    int asked = 0;
    Channel *channel = launch_channel(argv, &asked);
    char *meant = launch_meant(channel);
    if (meant != NULL) {
        *program = meant;
    }
    if ((asked && channel == NULL) || launch_is_foreign(*program) || launch_is_valgrind(*program)) {
        return launch_natively(program);
    }
    snprintf(tool, sizeof tool, "%.*s/%s", (int)(strrchr(self, '/') - self), self, launch_tool);
    setenv("VALGRIND_LAUNCHER", self, 1);
    execv(tool, argv);
    fprintf(stderr, "vmmrec: error: cannot run '%s': %s\n", tool, strerror(errno));
    return 126;
}
