/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plug-ins made: the compiler is run on the user's file, and the result kept.
 *
 * What the result depends on is known only after compiling: the file, the headers it includes, the
 * engine's files. So the cache has two steps, as compiler caches do:
 *
 *     key    = source, its folder, compiler, flags, version   ──► key.d    the files it depends on,
 *                                                                          as the compiler told
 *     result = key and the content of all files in key.d      ──► result.so
 *
 * Files appear in the cache under their names by renaming, complete; two runs at once make the same
 * file twice. One that cannot be loaded all the same (a full disk, a damaged one) is removed and
 * made anew. A cache that cannot be written, or that others could write, is not used: the library
 * is then made in $TMPDIR and removed as soon as it is open. Nothing in a cache is ever needed: it
 * may be emptied at any time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin.h"

#ifndef VMM_PLUGIN_DIRECTORY
#define VMM_PLUGIN_DIRECTORY "/usr/local/lib/vmm/plugin"
#endif

_Static_assert(PLUGIN_PATH_BYTES >= PATH_MAX, "realpath() fits");

extern char **environ;

/* One compiling under way. */
typedef struct PluginTask {
    const VMMPolicyBuild *build;
    char compiler[PLUGIN_PATH_BYTES]; /* as found in PATH */
    char root[PLUGIN_PATH_BYTES];     /* of the engine's files: root/include, root/src */
    char stem[64];
    char *said; /* what the compiler said, */
    size_t said_size;
} PluginTask;

enum { PLUGIN_SAID_BYTES = 16384, PLUGIN_WORDS = 48 };

/* ---- Where things are ----------------------------------------------------------------------- */

/* Whether the engine's files are below; tells the folder in `root`. */
static bool plugin_root_in(char *root, const char *folder, const char *below) {
    char file[PLUGIN_PATH_BYTES + 32];
    if (snprintf(root, PLUGIN_PATH_BYTES, "%s%s", folder, below) >= PLUGIN_PATH_BYTES) {
        return false;
    }
    snprintf(file, sizeof file, "%s/src/engine/plugin.c", root);
    return access(file, R_OK) == 0;
}

/* Beside the program or library, where it is installed, or in the sources it was built from. */
static bool plugin_root_near(char *root, const char *file) {
    static const char *const below[] = {"/plugin", "/vmm/plugin", "/../lib/vmm/plugin", "/.."};
    char folder[PLUGIN_PATH_BYTES];
    if (realpath(file, folder) == NULL) {
        return false;
    }
    *strrchr(folder, '/') = '\0';
    for (size_t i = 0; i < VMM_COUNT_OF(below); i++) {
        if (plugin_root_in(root, folder, below[i])) {
            return true;
        }
    }
    return false;
}

static int plugin_find_root(char *root, Error *error) {
    Dl_info self;
    static const char here[] = "";
    bool found = dladdr(here, &self) != 0 && self.dli_fname != NULL &&
                 strchr(self.dli_fname, '/') != NULL && plugin_root_near(root, self.dli_fname);
    if (found || plugin_root_near(root, "/proc/self/exe") ||
        plugin_root_in(root, VMM_PLUGIN_DIRECTORY, "")) {
        return VMM_OK;
    }
    return error_set(error, VMM_E_OPEN,
                     "the files that policies are compiled with are missing (%s/src/engine/"
                     "plugin.c): install vmm completely",
                     VMM_PLUGIN_DIRECTORY);
}

static bool plugin_is_program(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static int plugin_find_compiler(const VMMPolicyBuild *build, char *path, Error *error) {
    const char *name = build->compiler != NULL ? build->compiler : getenv("VMM_CC");
    name = name != NULL && *name != '\0' ? name : "cc";
    if (strchr(name, '/') != NULL) {
        snprintf(path, PLUGIN_PATH_BYTES, "%s", name);
        if (plugin_is_program(path)) {
            return VMM_OK;
        }
    }
    const char *folders = getenv("PATH");
    folders = folders != NULL ? folders : "/usr/local/bin:/usr/bin:/bin";
    while (strchr(name, '/') == NULL && *folders != '\0') {
        size_t length = strcspn(folders, ":");
        snprintf(path, PLUGIN_PATH_BYTES, "%.*s/%s", (int)length, folders, name);
        if (length > 0 && plugin_is_program(path)) {
            return VMM_OK;
        }
        folders += length + (folders[length] == ':');
    }
    return error_set(error, VMM_E_OPEN,
                     "there is no C compiler \"%.60s\" to compile the policy with: install one "
                     "(gcc or clang), name one with the environment variable VMM_CC, or give a "
                     "policy that is compiled already (a .so)",
                     name);
}

/* The folder of the cache, made if need be. False: there is none that can be trusted. */
static bool plugin_find_cache(char *folder, size_t size) {
    const char *base = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (base != NULL && base[0] == '/') {
        length = snprintf(folder, size, "%s", base);
    } else if (home != NULL && home[0] == '/') {
        length = snprintf(folder, size, "%s/.cache", home);
    } else {
        return false;
    }
    static const char *const parts[] = {"", "/vmm", "/policies"};
    for (size_t i = 0; i < VMM_COUNT_OF(parts); i++) {
        if (length < 0 || (size_t)length + 16 >= size) {
            return false;
        }
        length += snprintf(folder + length, size - (size_t)length, "%s", parts[i]);
        mkdir(folder, 0700);
    }
    struct stat status;
    return stat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 && access(folder, W_OK | X_OK) == 0;
}

/* ---- Running the compiler ------------------------------------------------------------------- */

/* The compiler speaks English, so that its errors can be found in what it says. */
static const char **plugin_environment(size_t *count) {
    size_t size = 0;
    while (environ[size] != NULL) {
        size++;
    }
    const char **copy = memory_zalloc(&memory_default, size + 2, sizeof *copy);
    size_t kept = 0;
    for (size_t i = 0; copy != NULL && i < size; i++) {
        if (strncmp(environ[i], "LC_ALL=", 7) != 0 && strncmp(environ[i], "LANGUAGE=", 9) != 0) {
            copy[kept++] = environ[i];
        }
    }
    if (copy != NULL) {
        copy[kept] = "LC_ALL=C";
    }
    *count = size + 2;
    return copy;
}

/* Reads what comes out of the pipe to its end; what does not fit is dropped. */
static void plugin_listen(int pipe, char *said, size_t size) {
    size_t length = 0;
    char spare[512];
    for (;;) {
        bool room = length + 1 < size;
        ssize_t got =
            read(pipe, room ? said + length : spare, room ? size - 1 - length : sizeof spare);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        length += room ? (size_t)got : 0;
    }
    said[length] = '\0';
}

/* Starts the compiler; the pipe from its messages, or -1. */
static int plugin_spawn(const char *const *words, pid_t *child) {
    int ends[2];
    posix_spawn_file_actions_t actions;
    size_t count;
    const char **environment = plugin_environment(&count);
    if (environment == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        memory_free(&memory_default, environment, count, sizeof *environment);
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    /* posix_spawn changes none of the words. NOLINTBEGIN(performance-no-int-to-ptr) */
    errno = posix_spawn(child, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                        (char *const *)(uintptr_t)environment);
    /* NOLINTEND(performance-no-int-to-ptr) */
    posix_spawn_file_actions_destroy(&actions);
    memory_free(&memory_default, environment, count, sizeof *environment);
    close(ends[1]);
    if (errno != 0) {
        close(ends[0]);
        return -1;
    }
    return ends[0];
}

/* Whether the compiler succeeded. */
static bool plugin_run(PluginTask *task, const char *const *words) {
    pid_t child;
    int pipe = plugin_spawn(words, &child);
    if (pipe < 0) {
        snprintf(task->said, task->said_size, "error: cannot run %s: %s\n", words[0],
                 strerror(errno));
        return false;
    }
    plugin_listen(pipe, task->said, task->said_size);
    close(pipe);
    int status;
    pid_t ended;
    do {
        ended = waitpid(child, &status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Of every compiling; what is asked for besides comes from the build's flags. */
static const char *const plugin_flags[] = {
    "-shared", "-fPIC",         "-O2", "-std=gnu17", "-fvisibility=hidden",      "-fno-plt",
    "-g",      "-D_GNU_SOURCE", "-x",  "c",          "-fdiagnostics-color=never"};

/* Compiles into `output`; `depends` (NULL: nowhere) gets the files that it depends on. */
static bool plugin_compile(PluginTask *task, const char *output, const char *depends,
                           bool undefined) {
    char policy[96];
    char include[PLUGIN_PATH_BYTES + 32];
    char quoted[PLUGIN_PATH_BYTES + 32];
    char unit[PLUGIN_PATH_BYTES + 32];
    char source[PLUGIN_PATH_BYTES];
    const char *words[PLUGIN_WORDS] = {task->compiler};
    size_t count = 1;
    uint32_t wanted = task->build->flags;
    for (size_t i = 0; i < VMM_COUNT_OF(plugin_flags); i++) {
        words[count++] = plugin_flags[i];
    }
    snprintf(policy, sizeof policy, "-DPLUGIN_POLICY=%s_policy", task->stem);
    snprintf(include, sizeof include, "-I%s/include", task->root);
    snprintf(quoted, sizeof quoted, "-iquote%s/src/mm/policy", task->root);
    snprintf(unit, sizeof unit, "%s/src/engine/plugin.c", task->root);
    if (realpath(task->build->source, source) == NULL) {
        snprintf(source, sizeof source, "%s", task->build->source);
    }
    const char *const places[] = {policy, include, quoted, "-include", source,
                                  unit,   "-o",    output, "-lm"};
    for (size_t i = 0; i < VMM_COUNT_OF(places); i++) {
        words[count++] = places[i];
    }
    if ((wanted & VMM_POLICY_BUILD_WARNINGS) != 0) {
        words[count++] = "-Wall";
        words[count++] = "-Wextra";
    }
    if ((wanted & VMM_POLICY_BUILD_PLAIN) != 0) {
        words[count++] = "-DPLUGIN_PLAIN";
    }
    if ((wanted & VMM_POLICY_BUILD_METERED) != 0) {
        words[count++] = "-DPLUGIN_METERED";
        words[count++] = "-fsanitize-coverage=trace-pc";
    }
    if (undefined) {
        words[count++] = "-fsanitize=undefined";
        words[count++] = "-fno-sanitize-recover=all";
    } else {
        words[count++] = "-Wl,-z,defs";
    }
    if (depends != NULL) {
        const char *const notes[] = {"-MMD", "-MF", depends, "-MT", "policy"};
        for (size_t i = 0; i < VMM_COUNT_OF(notes); i++) {
            words[count++] = notes[i];
        }
    }
    return plugin_run(task, words);
}

/* The first line that tells of an error, else the first. */
static const char *plugin_first_error(const char *said, int *length) {
    const char *line = said;
    for (const char *at = said; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
        size_t size = strcspn(at, "\n");
        if (memmem(at, size, "error: ", 7) != NULL ||
            memmem(at, size, "undefined reference", 19) != NULL) {
            line = at;
            break;
        }
    }
    *length = (int)strcspn(line, "\n");
    return line;
}

/* The sentence for a policy that does not compile. */
static int plugin_failed(const PluginTask *task, Error *error) {
    int length;
    const char *line = plugin_first_error(task->said, &length);
    char constant[96];
    if (length == 0) {
        return error_set(
            error, VMM_E_POLICY,
            "%.150s does not compile: %.200s fails and says nothing: is it a C compiler?",
            task->build->source, task->compiler);
    }
    snprintf(constant, sizeof constant, "%s_policy", task->stem);
    if (memmem(line, (size_t)length, constant, strlen(constant)) != NULL &&
        memmem(line, (size_t)length, "undeclared", 10) != NULL) {
        return error_set(error, VMM_E_POLICY,
                         "%.200s: it does not end with a constant VMMPolicyType %s, named as the "
                         "file is",
                         task->build->source, constant);
    }
    return error_set(error, VMM_E_POLICY, "%.150s does not compile: %.*s", task->build->source,
                     length < 300 ? length : 300, line);
}

static int plugin_prepare(PluginTask *task, Error *error) {
    const char *source = task->build->source;
    int status = plugin_check_file(source, source, error);
    if (status != VMM_OK) {
        return status;
    }
    status = plugin_stem(task->build->source, task->stem, sizeof task->stem, error);
    status = status == VMM_OK ? plugin_find_root(task->root, error) : status;
    return status == VMM_OK ? plugin_find_compiler(task->build, task->compiler, error) : status;
}

/* An empty file beside `place`; the path is written to `temporary`. */
static int plugin_temporary(const char *folder, char *temporary, const char *end) {
    int length = snprintf(temporary, PLUGIN_PATH_BYTES, "%s/.policy-XXXXXX%s", folder, end);
    if (length >= PLUGIN_PATH_BYTES) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int file = mkostemps(temporary, (int)strlen(end), O_CLOEXEC);
    if (file >= 0) {
        close(file);
        return 0;
    }
    return -1;
}

static bool plugin_compile_wanted(PluginTask *task, const char *output, const char *depends) {
    struct stat status;
    bool metered = (task->build->flags & VMM_POLICY_BUILD_METERED) != 0;
    bool compiles = (metered && plugin_compile(task, output, depends, true)) ||
                    plugin_compile(task, output, depends, false);
    /* Some programs are content and write nothing. */
    return compiles && stat(output, &status) == 0 && status.st_size > 0;
}

static int plugin_build_task(PluginTask *task, Error *error) {
    const char *output = task->build->output;
    int status = plugin_prepare(task, error);
    if (status != VMM_OK) {
        return status;
    }
    const char *slash = strrchr(output, '/');
    char folder[PLUGIN_PATH_BYTES], temporary[PLUGIN_PATH_BYTES];
    int length = slash != NULL ? (int)(slash - output) : 1;
    snprintf(folder, sizeof folder, "%.*s", length, slash != NULL ? output : ".");
    if (plugin_temporary(*folder != '\0' ? folder : "/", temporary, ".so") != 0) {
        return error_set(error, VMM_E_WRITE, "%.200s: cannot write: %s", output, strerror(errno));
    }
    if (!plugin_compile_wanted(task, temporary, NULL)) {
        status = plugin_failed(task, error);
    } else if (rename(temporary, output) != 0) {
        status = error_set(error, VMM_E_WRITE, "%.200s: cannot write: %s", output, strerror(errno));
    }
    unlink(temporary);
    return status;
}

int plugin_build(const VMMPolicyBuild *build, Error *error) {
    if (build == NULL || build->struct_size != sizeof *build || build->source == NULL ||
        build->output == NULL) {
        return error_set(error, VMM_E_USAGE,
                         "vmm_policy_compile: struct_size, source and output must be set");
    }
    bool own = build->messages != NULL && build->messages_size > 0;
    char spare[PLUGIN_SAID_BYTES];
    PluginTask task = {.build = build,
                       .said = own ? build->messages : spare,
                       .said_size = own ? build->messages_size : sizeof spare};
    task.said[0] = '\0';
    return plugin_build_task(&task, error);
}

/* ---- The cache ------------------------------------------------------------------------------ */

#define PLUGIN_HASH_BASIS UINT64_C(0xCBF29CE484222325)

/* FNV-1a with a final mix: tells files apart, protects against nobody. */
static uint64_t plugin_hash(uint64_t hash, const void *bytes, size_t size) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001B3);
    }
    return rng_mix(hash ^ size);
}

/* Adds the content of a file. *newer: it was changed after `since`. False: it cannot be read. */
static bool plugin_hash_file(uint64_t *hash, const char *path, const struct timespec *since,
                             bool *newer) {
    char block[4096];
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t got;
    while ((got = read(file, block, sizeof block)) > 0) {
        *hash = plugin_hash(*hash, block, (size_t)got);
    }
    if (since != NULL && fstat(file, &status) == 0) {
        *newer =
            *newer || status.st_mtim.tv_sec > since->tv_sec ||
            (status.st_mtim.tv_sec == since->tv_sec && status.st_mtim.tv_nsec > since->tv_nsec);
    }
    close(file);
    return got == 0;
}

bool plugin_fingerprint(const char *path, uint64_t *fingerprint) {
    uint64_t hash = PLUGIN_HASH_BASIS;
    bool whole = plugin_hash_file(&hash, path, NULL, NULL);
    *fingerprint = hash != 0 ? hash : 1;
    return whole;
}

/* The key of a task: what is known without compiling. */
static uint64_t plugin_key(const PluginTask *task) {
    static const uint32_t layout[] = PLUGIN_LAYOUT;
    char source[PLUGIN_PATH_BYTES];
    struct stat compiler;
    uint64_t hash = plugin_hash(PLUGIN_HASH_BASIS, layout, sizeof layout);
    hash = plugin_hash(hash, VMM_VERSION_STRING, sizeof VMM_VERSION_STRING);
    hash = plugin_hash(hash, task->root, strlen(task->root));
    hash = plugin_hash(hash, task->compiler, strlen(task->compiler));
    for (size_t i = 0; i < VMM_COUNT_OF(plugin_flags); i++) {
        hash = plugin_hash(hash, plugin_flags[i], strlen(plugin_flags[i]));
    }
    hash = plugin_hash(hash, &task->build->flags, sizeof task->build->flags);
    if (realpath(task->build->source, source) != NULL) {
        hash = plugin_hash(hash, source, strlen(source));
    }
    if (stat(task->compiler, &compiler) == 0) {
        hash = plugin_hash(hash, &compiler.st_size, sizeof compiler.st_size);
        hash = plugin_hash(hash, &compiler.st_mtim, sizeof compiler.st_mtim);
    }
    return hash;
}

/* The next name in a list of dependencies: blanks and line ends part them, \ makes one a letter. */
static bool plugin_next_name(FILE *list, char *name) {
    size_t length = 0;
    int c;
    while ((c = getc(list)) != EOF && length + 1 < PLUGIN_PATH_BYTES) {
        if (c == '\\') {
            c = getc(list);
            if (c == '\n') {
                continue;
            }
        } else if (c == '$') {
            c = getc(list); /* "$$" is a "$" */
        } else if (c == ' ' || c == '\n') {
            if (length > 0) {
                break;
            }
            continue;
        }
        name[length++] = (char)c;
    }
    name[length] = '\0';
    return length > 0;
}

/* The hash that a result is named by. False: a file of the list is not there any more. */
static bool plugin_hash_all(uint64_t key, const char *depends, const struct timespec *since,
                            uint64_t *hash, bool *newer) {
    char name[PLUGIN_PATH_BYTES];
    FILE *list = fopen(depends, "re");
    if (list == NULL) {
        return false;
    }
    bool whole = plugin_next_name(list, name); /* "policy:" */
    *hash = key;
    while (whole && plugin_next_name(list, name)) {
        *hash = plugin_hash(*hash, name, strlen(name));
        whole = plugin_hash_file(hash, name, since, newer);
    }
    fclose(list);
    return whole;
}

/* A library whose name is there is whole, even if the machine loses its power. */
static bool plugin_flush(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool flushed = file >= 0 && fsync(file) == 0;
    if (file >= 0) {
        close(file);
    }
    return flushed;
}

/* Moves what was compiled to its place in the cache. False: it stays where it is. */
static bool plugin_keep(const char *cache, uint64_t key, const char *library, const char *depends,
                        const struct timespec *since, char *path) {
    uint64_t hash;
    bool newer = false;
    char known[PLUGIN_PATH_BYTES];
    if (!plugin_hash_all(key, depends, since, &hash, &newer) || newer) {
        return false;
    }
    snprintf(known, sizeof known, "%s/%016" PRIx64 ".d", cache, key);
    snprintf(path, PLUGIN_PATH_BYTES, "%s/%016" PRIx64 ".so", cache, hash);
    return plugin_flush(library) && rename(library, path) == 0 && rename(depends, known) == 0;
}

/* Compiles into `folder`, and keeps the result there if that is the cache. */
static int plugin_make(PluginTask *task, const char *folder, bool cached, uint64_t key, char *path,
                       bool *temporary, Error *error) {
    char depends[PLUGIN_PATH_BYTES];
    char library[PLUGIN_PATH_BYTES];
    struct timespec since;
    clock_gettime(CLOCK_REALTIME, &since);
    if (plugin_temporary(folder, library, ".so") != 0) {
        return error_set(error, VMM_E_WRITE, "%.200s: cannot write a compiled policy there: %s",
                         folder, strerror(errno));
    }
    if (plugin_temporary(folder, depends, ".d") != 0) {
        int status = error_set(error, VMM_E_WRITE, "%.200s: cannot write a list of files: %s",
                               folder, strerror(errno));
        unlink(library);
        return status;
    }
    if (!plugin_compile_wanted(task, library, depends)) {
        unlink(library);
        unlink(depends);
        return plugin_failed(task, error);
    }
    *temporary = !cached || !plugin_keep(folder, key, library, depends, &since, path);
    if (*temporary) {
        snprintf(path, PLUGIN_PATH_BYTES, "%s", library);
    }
    unlink(depends);
    return VMM_OK;
}

/* Compiles without a cache, in a folder that nobody else can write. */
static int plugin_make_once(PluginTask *task, uint64_t key, char *path, bool *temporary,
                            Error *error) {
    char folder[PLUGIN_PATH_BYTES / 2];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/vmm-policy-XXXXXX",
             base != NULL && *base != '\0' ? base : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return error_set(error, VMM_E_WRITE,
                         "%.200s: cannot make a folder for a compiled policy: %s",
                         base != NULL && *base != '\0' ? base : "/tmp", strerror(errno));
    }
    int status = plugin_make(task, folder, false, key, path, temporary, error);
    if (status != VMM_OK) {
        rmdir(folder);
    }
    return status;
}

void plugin_remove_built(char *path) {
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path); /* only the folder that was made for it is empty now */
}

int plugin_find_built(const char *source, char path[PLUGIN_PATH_BYTES], bool *temporary,
                      Error *error) {
    VMMPolicyBuild build = {.struct_size = sizeof build, .source = source};
    char said[PLUGIN_SAID_BYTES] = "";
    char cache[PLUGIN_PATH_BYTES / 2];
    PluginTask task = {.build = &build, .said = said, .said_size = sizeof said};
    int status = plugin_prepare(&task, error);
    if (status != VMM_OK) {
        return status;
    }
    uint64_t key = plugin_key(&task);
    bool cached = plugin_find_cache(cache, sizeof cache);
    if (cached) {
        char depends[PLUGIN_PATH_BYTES];
        uint64_t hash;
        bool newer = false;
        snprintf(depends, sizeof depends, "%s/%016" PRIx64 ".d", cache, key);
        if (plugin_hash_all(key, depends, NULL, &hash, &newer)) {
            snprintf(path, PLUGIN_PATH_BYTES, "%s/%016" PRIx64 ".so", cache, hash);
            if (access(path, R_OK) == 0) {
                return VMM_OK;
            }
        }
        status = plugin_make(&task, cache, true, key, path, temporary, error);
        if (status != VMM_E_WRITE) {
            return status;
        }
    }
    return plugin_make_once(&task, key, path, temporary, error);
}
