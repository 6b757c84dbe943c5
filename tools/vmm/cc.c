/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm cc and vmm c++: the system's compiler, told to build programs for the fast recorder. What is
 * compiled calls a function at each load and store (-fsanitize=thread), and what is linked gets our
 * functions for that (tools/recorder/fast/) instead of the compiler's race detector:
 *
 *     fast/libvmm_fast.a           the runtime
 *     fast/program/libtsan.a       the same under the name by which gcc looks for it
 *     fast/shared/libtsan.a        nothing: a shared library uses the runtime of its program
 *
 * The user's words are passed on as they are; nearly all of ours stand before them.
 */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#ifndef VMM_FAST_DIRECTORY
#define VMM_FAST_DIRECTORY "/usr/local/lib/vmm/fast"
#endif

#define CC_WRAPPED                                    \
    "-Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset," \
    "--wrap=__memcpy_chk,--wrap=__memmove_chk,--wrap=__memset_chk"
#define CC_EXPORTED                                                          \
    "-Wl,--export-dynamic-symbol=__tsan_*,--export-dynamic-symbol=__wrap_*," \
    "--export-dynamic-symbol=vmm_fast_request"

extern char **environ;

typedef enum CcFamily { CC_GCC, CC_CLANG, CC_UNKNOWN } CcFamily;

/* What a compiler says that it is. */
typedef struct CcCompiler {
    CcFamily family;
    long version;
    bool is_x86;
} CcCompiler;

typedef struct CcWords {
    char **words; /* ends with NULL */
    size_t count;
} CcWords;

static void cc_add(CcWords *list, const char *word) {
    list->words = cli_realloc(list->words, list->count + 2, sizeof *list->words);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): a pointer still; only its const goes */
    list->words[list->count++] = (char *)(uintptr_t)word;
    list->words[list->count] = NULL;
}

/* ---- The compiler --------------------------------------------------------------------------- */

/* "/usr/bin/x86_64-linux-gnu-gcc-12": does it end as compilers do, but for a version? */
bool cli_is_compiler(const char *word) {
    static const char *const names[] = {"cc",  "c++", "gcc", "g++",   "clang", "clang++",
                                        "c89", "c99", "c17", "mpicc", "mpicxx"};
    const char *slash = strrchr(word, '/');
    const char *name = slash != NULL ? slash + 1 : word;
    size_t length = strlen(name);
    size_t digits = strcspn(name, "0123456789");
    if (digits > 1 && digits < length && name[digits - 1] == '-' &&
        strspn(name + digits, "0123456789.") == length - digits) {
        length = digits - 1;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t known = strlen(names[i]);
        if (length >= known && strncmp(name + length - known, names[i], known) == 0 &&
            (length == known || name[length - known - 1] == '-')) {
            return true;
        }
    }
    return false;
}

/* The macros that it defines say it. */
static CcCompiler cc_read_macros(FILE *macros) {
    char line[1024];
    CcCompiler found = {.family = CC_UNKNOWN};
    long clang = 0;
    while (fgets(line, sizeof line, macros) != NULL) {
        if (strncmp(line, "#define __GNUC__ ", 17) == 0) {
            found.version = strtol(line + 17, NULL, 10);
        }
        if (strncmp(line, "#define __clang_major__ ", 24) == 0) {
            clang = strtol(line + 24, NULL, 10);
        }
        found.is_x86 = found.is_x86 || strncmp(line, "#define __x86_64__ ", 19) == 0;
    }
    found.family = clang > 0 ? CC_CLANG : found.version > 0 ? CC_GCC : CC_UNKNOWN;
    found.version = clang > 0 ? clang : found.version;
    return found;
}

/* Starts the compiler with its output in a pipe, whose other end it returns; -1 after a message. */
static int cc_ask(const char *compiler, pid_t *child) {
    static const char *const question[] = {"-dM", "-E", "-x", "c", "/dev/null"};
    int ends[2];
    CcWords list = {0};
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0) {
        cli_error("cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    cc_add(&list, compiler);
    for (size_t i = 0; i < sizeof question / sizeof question[0]; i++) {
        cc_add(&list, question[i]);
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    int error = posix_spawnp(child, compiler, &actions, NULL, list.words, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(list.words);
    close(ends[1]);
    if (error != 0) {
        cli_error("cannot run the compiler '%s': %s", compiler, strerror(error));
        close(ends[0]);
        return -1;
    }
    return ends[0];
}

/* CC_UNKNOWN after a message. */
static CcCompiler cc_compiler(const char *compiler) {
    CcCompiler found = {.family = CC_UNKNOWN};
    pid_t child;
    int status, fd = cc_ask(compiler, &child);
    if (fd < 0) {
        return found;
    }
    FILE *macros = fdopen(fd, "r");
    if (macros != NULL) {
        found = cc_read_macros(macros);
        fclose(macros);
    } else {
        close(fd);
    }
    waitpid(child, &status, 0);
    if (found.family == CC_UNKNOWN) {
        cli_error("'%s' is neither gcc nor clang: say which compiler with --compiler=NAME",
                  compiler);
    }
    return found;
}

/* ---- The runtime ---------------------------------------------------------------------------- */

/* Is the runtime in that directory? Frees the name if not. */
static char *cc_runtime_in(char *directory) {
    char *archive = cli_format("%s/libvmm_fast.a", directory);
    bool is_there = access(archive, R_OK) == 0;
    free(archive);
    if (!is_there) {
        free(directory);
        return NULL;
    }
    return directory;
}

/* Beside the program, where the program is installed, or where it was to be installed. */
static char *cc_runtime(void) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    char *found = cc_runtime_in(cli_format("%s/fast", self));
    found = found != NULL ? found : cc_runtime_in(cli_format("%s/../lib/vmm/fast", self));
    found = found != NULL ? found : cc_runtime_in(cli_format("%s", VMM_FAST_DIRECTORY));
    if (found == NULL) {
        cli_error("the fast recorder's runtime is missing: there is no libvmm_fast.a in %s/fast or "
                  "%s; install vmm completely, or build it with ./dev build",
                  self, VMM_FAST_DIRECTORY);
    }
    return found;
}

/* ---- The command line ----------------------------------------------------------------------- */

/* What the user's words make the compiler do. */
typedef struct CcTask {
    bool links, shared, is_static;
} CcTask;

static bool cc_is_one_of(const char *word, const char *const *list) {
    for (; *list != NULL; list++) {
        if (strcmp(word, *list) == 0) {
            return true;
        }
    }
    return false;
}

static CcTask cc_task(int argc, char **argv) {
    static const char *const ends_early[] = {
        "-c", "-r", "-S", "-E", "-M", "-MM", "-fsyntax-only", "--version", NULL};
    static const char *const with_value[] = {"-o", "-x", "-I", "-D", "-L", "-include", NULL};
    CcTask task = {0};
    bool compiles_only = false, has_input = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        compiles_only = compiles_only || cc_is_one_of(word, ends_early);
        task.shared = task.shared || strcmp(word, "-shared") == 0;
        task.is_static =
            task.is_static || strcmp(word, "-static") == 0 || strcmp(word, "-static-pie") == 0;
        has_input = has_input || word[0] != '-' || word[1] == '\0';
        i += cc_is_one_of(word, with_value);
    }
    task.links = has_input && !compiles_only;
    return task;
}

/* `directory` as `form` says; the process ends or becomes another one before it could be freed. */
static void cc_add_path(CcWords *list, const char *form, const char *directory) {
    const char *mark = strchr(form, '@');
    cc_add(list, cli_format("%.*s%s%s", (int)(mark - form), form, directory, mark + 1));
}

static void cc_add_compiling(CcWords *list, CcCompiler compiler) {
    cc_add(list, "-fsanitize=thread");
    if (compiler.family == CC_GCC && compiler.version >= 12) {
        cc_add(list, "--param=tsan-instrument-func-entry-exit=0");
    }
    if (compiler.family == CC_GCC && compiler.is_x86) {
        cc_add(list, "-mstringop-strategy=libcall"); /* a large memcpy in line would not be seen */
    }
    if (compiler.family == CC_CLANG) {
        cc_add(list, "-Wno-unused-command-line-argument");
        cc_add(list, "-mllvm");
        cc_add(list, "-tsan-instrument-func-entry-exit=0");
        cc_add(list, "-fno-sanitize-link-runtime");
    }
    if (compiler.family == CC_CLANG && compiler.version >= 13) {
        cc_add(list, "-mllvm"); /* else the load of x++ goes untold */
        cc_add(list, "-tsan-compound-read-before-write=1");
    }
}

static void cc_add_linking(CcWords *list, CcFamily family, bool shared, const char *directory) {
    cc_add(list, CC_WRAPPED);
    if (shared) {
        cc_add_path(list, "-L@/shared", directory);
        return;
    }
    cc_add(list, CC_EXPORTED);
    if (family == CC_CLANG) {
        cc_add_path(list, "-Wl,--whole-archive,@/libvmm_fast.a,--no-whole-archive", directory);
    } else {
        cc_add(list, "-static-libtsan");
        cc_add_path(list, "-L@/program", directory);
    }
}

int cli_compile(const char *compiler, int argc, char **argv) {
    CcTask task = cc_task(argc, argv);
    CcWords list = {0};
    if (task.links && task.is_static) {
        cli_error("%s -static: the fast recorder stands between a program and a shared C library; "
                  "link without -static",
                  compiler);
        return CLI_FAILURE;
    }
    char *directory = cc_runtime();
    CcCompiler found = {.family = CC_UNKNOWN};
    if (directory != NULL) {
        found = cc_compiler(compiler);
    }
    if (found.family == CC_UNKNOWN) {
        free(directory);
        return CLI_FAILURE;
    }
    cc_add(&list, compiler);
    cc_add_compiling(&list, found);
    if (task.links) {
        cc_add_linking(&list, found.family, task.shared, directory);
    }
    for (int i = 0; i < argc; i++) {
        cc_add(&list, argv[i]);
    }
    if (task.links && task.shared) {
        cc_add(&list, "-Wl,-z,undefs"); /* the runtime is the program's; the last word counts */
    }
    execvp(compiler, list.words);
    cli_error("cannot run the compiler '%s': %s", compiler, strerror(errno));
    free(list.words);
    free(directory);
    return CLI_FAILURE;
}

/* ---- The sub-commands ----------------------------------------------------------------------- */

/* Every word but a leading --compiler=NAME is the compiler's; so is --help, unless it is alone. */
static int cc_run_as(const CliCommand *command, int argc, char **argv, const char *variable) {
    static const char flag[] = "--compiler=";
    const char *compiler = getenv(variable);
    if (argc == 1 && (strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "--help") == 0)) {
        return cli_print_help(command);
    }
    if (compiler == NULL || *compiler == '\0') {
        compiler = command->name;
    }
    if (argc > 0 && strncmp(argv[0], flag, sizeof flag - 1) == 0) {
        compiler = argv[0] + sizeof flag - 1;
        argv++;
        argc--;
    }
    if (*compiler == '\0') {
        return cli_usage_error(command->name, "--compiler=: the name is empty");
    }
    if (argc == 0) {
        return cli_usage_error(command->name, "nothing to compile: say what, as in vmm %s -O2 x.c",
                               command->name);
    }
    return cli_compile(compiler, argc, argv);
}

static int cc_run(const CliCommand *command, int argc, char **argv) {
    return cc_run_as(command, argc, argv, "VMM_CC");
}

static int cc_run_cxx(const CliCommand *command, int argc, char **argv) {
    return cc_run_as(command, argc, argv, "VMM_CXX");
}

static const CliFlag cc_flags[] = {
    {"compiler", NULL, 0, "NAME", NULL, "Compiler",
     "gcc, clang, or one of their kin; as the first word, with an equals sign; otherwise what "
     "VMM_CC or VMM_CXX names, or cc or c++",
     0},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

const CliCommand cli_cc_command = {
    .name = "cc",
    .summary = "compile a C program for vmm record --fast",
    .synopsis = "[--compiler=NAME] ARGUMENT...",
    .story = "Runs the C compiler with all its arguments so that the program records its loads and "
             "stores by itself, at a few times its native speed, when vmm record --fast runs it; "
             "otherwise it runs as ever, somewhat slower. Everything else is as with the compiler "
             "itself: compile and link with it, in one call or several.",
    .examples = "vmm cc -O2 -o sort sort.c\n"
                "make CC='vmm cc' CXX='vmm c++'\n"
                "vmm record --fast -o sort.vmt -- ./sort",
    .flags = cc_flags,
    .takes_words = true,
    .run = cc_run,
};

const CliCommand cli_cxx_command = {
    .name = "c++",
    .summary = "compile a C++ program for vmm record --fast",
    .synopsis = "[--compiler=NAME] ARGUMENT...",
    .story = "As vmm cc, with the C++ compiler.",
    .examples = "vmm c++ -O2 -o table table.cc\n"
                "vmm c++ --compiler=clang++ -O2 -c part.cc",
    .flags = cc_flags,
    .takes_words = true,
    .run = cc_run_cxx,
};
