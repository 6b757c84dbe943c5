/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm policy: policies of the user's. The verbs new (a file to begin with), build (into a shared
 * library) and show (what a policy is and takes) are here, check has files of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy_cmd.h"

typedef struct PolicyFlags {
    const char *output, *compiler;
    bool plain, help;
} PolicyFlags;

/* ---- new ------------------------------------------------------------------------------------ */

/* The file, with @ where its name stands. It is tried by the tests: it must work as it is. */
static const char policycmd_template[] =
    "/*\n"
    " * @: a page that was used gets another chance before it has to leave.\n"
    " *\n"
    " *     vmm sim -t TRACE -a ./@.c --frames 100       run it; it is compiled when need be\n"
    " *     vmm sim -t TRACE -a ./@.c:chances=2          with a parameter\n"
    " *     vmm policy check ./@.c                       does it keep the rules?\n"
    " *\n"
    " * Frames lie on a ring. A reference fills its page's chances up. When a page must leave, a "
    "hand\n"
    " * goes round: it takes a chance from each page that has one, and the first that has none is "
    "the\n"
    " * victim. All hooks and when they are called: <vmm/policy.h>.\n"
    " */\n"
    "#include <vmm/policy.h>\n"
    "\n"
    "/* What one instance knows. It begins with a VMMPolicy; the rest is yours, zero at first. */\n"
    "typedef struct State {\n"
    "    VMMPolicy base;\n"
    "    uint8_t *chances; /* by frame */\n"
    "    uint32_t reserved; /* frames that the array has room for */\n"
    "    uint32_t hand;\n"
    "    uint8_t most;\n"
    "} State;\n"
    "\n"
    "/* Once, with the values of the parameters in the order in which they are declared below. */\n"
    "static int @_create(VMMPolicy *policy, const uint64_t *params, char *error) {\n"
    "    (void)error; /* gets a sentence if this returns an error, VMM_E_NO_MEMORY for one */\n"
    "    ((State *)policy)->most = (uint8_t)params[0];\n"
    "    return VMM_OK;\n"
    "}\n"
    "\n"
    "static void @_destroy(VMMPolicy *policy) {\n"
    "    State *state = (State *)policy;\n"
    "    vmm_policy_free(policy, state->chances, state->reserved, 1);\n"
    "}\n"
    "\n"
    "/* Frames 0 .. frames - 1 will be used: arrays by frame grow here. False: no memory. */\n"
    "static bool @_reserve(VMMPolicy *policy, uint32_t frames) {\n"
    "    State *state = (State *)policy;\n"
    "    uint8_t *grown = vmm_policy_grow(policy, state->chances, state->reserved, frames, 1);\n"
    "    if (grown == NULL) {\n"
    "        return false;\n"
    "    }\n"
    "    state->chances = grown;\n"
    "    state->reserved = frames;\n"
    "    return true;\n"
    "}\n"
    "\n"
    "/* A page was loaded into `frame`, or is referenced there: the hot path, so keep it short. "
    "*/\n"
    "static void @_touch(VMMPolicy *policy, uint32_t frame) {\n"
    "    State *state = (State *)policy;\n"
    "    state->chances[frame] = state->most;\n"
    "}\n"
    "\n"
    "/* All frames hold pages, and one must leave: which? */\n"
    "static uint32_t @_victim(VMMPolicy *policy) {\n"
    "    State *state = (State *)policy;\n"
    "    for (;;) {\n"
    "        uint32_t frame = state->hand;\n"
    "        state->hand = frame + 1 == policy->capacity ? 0 : frame + 1;\n"
    "        if (state->chances[frame] == 0) {\n"
    "            return frame;\n"
    "        }\n"
    "        state->chances[frame]--;\n"
    "    }\n"
    "}\n"
    "\n"
    "/* What the policy is: the file ends with a constant named as the file is. */\n"
    "const VMMPolicyType @_policy = {\n"
    "    .interface = VMM_POLICY_INTERFACE,\n"
    "    .info.name = \"@\",\n"
    "    .info.label = \"@\",\n"
    "    .info.summary = \"a page that was used gets another chance\",\n"
    "    .info.needs = VMM_NEEDS_ACCESSED_BIT,\n"
    "    .info.parameters =\n"
    "        (const VMMPolicyParameter[]){\n"
    "            {\"chances\", 1, 0, 255, \"times that a page may be passed over\", NULL},\n"
    "            {.name = NULL},\n"
    "        },\n"
    "    .state_size = sizeof(State),\n"
    "    .touch_once = true, /* a second touch right behind another changes nothing */\n"
    "    .create = @_create,\n"
    "    .destroy = @_destroy,\n"
    "    .reserve = @_reserve,\n"
    "    .insert = @_touch,\n"
    "    .touch = @_touch,\n"
    "    .victim = @_victim,\n"
    "};\n";

/* "dir/mine.c" or "dir/mine": *length of "dir/mine", and where "mine" begins. NULL: no name. */
static const char *policycmd_name(const char *word, size_t *length) {
    const char *slash = strrchr(word, '/');
    const char *name = slash != NULL ? slash + 1 : word;
    *length = strlen(word);
    if (*length > 2 && strcmp(word + *length - 2, ".c") == 0) {
        *length -= 2;
    }
    size_t size = *length - (size_t)(name - word);
    size_t fits = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return size > 0 && size <= 31 && fits >= size && (*name < '0' || *name > '9') ? name : NULL;
}

static void policycmd_fill(FILE *file, const char *name, size_t size) {
    for (const char *c = policycmd_template; *c != '\0'; c++) {
        if (*c == '@') {
            fwrite(name, 1, size, file);
        } else {
            fputc(*c, file);
        }
    }
}

static int policycmd_write_new(const CliCommand *command, const char *word) {
    size_t length;
    const char *name = policycmd_name(word, &length);
    if (name == NULL) {
        char *found = cli_excerpt(word, strlen(word));
        int status = cli_usage_error(command->name,
                                     "'%s' is no name for a policy: expected at most 31 lower-case "
                                     "letters, digits and '_', a letter first",
                                     found);
        free(found);
        return status;
    }
    char *path = cli_format("%.*s.c", (int)length, word);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool written = file != NULL;
    if (written) {
        policycmd_fill(file, name, length - (size_t)(name - word));
        written = ferror(file) == 0;
        written = fclose(file) == 0 && written;
    }
    if (written) {
        printf("%s is written: run it with -a %s%s, try it with vmm policy check %s%s\n", path,
               strchr(path, '/') == NULL ? "./" : "", path, strchr(path, '/') == NULL ? "./" : "",
               path);
    } else if (errno == EEXIST) {
        cli_error("%s exists and is not overwritten: choose another name, or remove it first",
                  path);
    } else {
        cli_error("%s: cannot write: %s", path, strerror(errno));
    }
    free(path);
    return written ? CLI_OK : CLI_FAILURE;
}

static const CliFlag policycmd_new_flags[] = {
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(PolicyFlags, help)},
    POLICYCMD_FLAGS_END,
};

/* ---- build ---------------------------------------------------------------------------------- */

static int policycmd_compile(const PolicyFlags *flags, const char *source) {
    enum { MESSAGES = 65536 };
    char error[VMM_ERROR_TEXT_BYTES] = "";
    char *messages = cli_alloc(MESSAGES, 1);
    size_t length = strlen(source);
    size_t stem = length > 2 && strcmp(source + length - 2, ".c") == 0 ? length - 2 : length;
    char *output = flags->output != NULL ? cli_copy(flags->output, strlen(flags->output))
                                         : cli_format("%.*s.so", (int)stem, source);
    VMMPolicyBuild build = {.struct_size = sizeof build,
                            .flags = VMM_POLICY_BUILD_WARNINGS |
                                     (flags->plain ? VMM_POLICY_BUILD_PLAIN : 0u),
                            .source = source,
                            .output = output,
                            .compiler = flags->compiler,
                            .messages = messages,
                            .messages_size = MESSAGES};
    int code = vmm_policy_compile(&build, error);
    fputs(messages, stderr);
    if (code != VMM_OK) {
        cli_error("%s", error);
    }
    free(output);
    free(messages);
    return cli_status(code);
}

static int policycmd_build_one(const CliCommand *command, const PolicyFlags *flags,
                               const char *word) {
    size_t length = strlen(word);
    if (length < 3 || strcmp(word + length - 2, ".c") != 0) {
        return cli_usage_error(command->name, "'%s' is no C file: its name must end in .c", word);
    }
    return policycmd_compile(flags, word);
}

static const CliFlag policycmd_build_flags[] = {
    {"output", NULL, 'o', "FILE", NULL, "Output",
     "the shared library to write; otherwise named as the source, with .so",
     offsetof(PolicyFlags, output)},
    {"plain", NULL, 0, NULL, NULL, "Output",
     "without a loop of its own: slower, and independent of the version of the engine",
     offsetof(PolicyFlags, plain)},
    {"compiler", NULL, 0, "NAME", NULL, "Compiler",
     "gcc, clang, or one of their kin; otherwise what VMM_CC names, or cc",
     offsetof(PolicyFlags, compiler)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(PolicyFlags, help)},
    POLICYCMD_FLAGS_END,
};

/* ---- show ----------------------------------------------------------------------------------- */

static void policycmd_line(const char *label, const char *text) {
    if (text != NULL && *text != '\0') {
        char *visible = cli_visible(text);
        printf("%-11s %s\n", label, visible);
        free(visible);
    }
}

static void policycmd_parameter(const VMMPolicyParameter *parameter, uint64_t value) {
    char *help = cli_visible(parameter->help != NULL ? parameter->help : "");
    if (parameter->choices != NULL) {
        const char *word = parameter->choices;
        for (uint64_t i = 0; i < value; i++) {
            word += strcspn(word, "|") + 1;
        }
        printf("  %s=%.*s  (%s) %s\n", parameter->name, (int)strcspn(word, "|"), word,
               parameter->choices, help);
    } else {
        printf("  %s=%" PRIu64 "  (%" PRIu64 " to %" PRIu64 ") %s\n", parameter->name, value,
               parameter->min, parameter->max, help);
    }
    free(help);
}

static int policycmd_show_one(const CliCommand *command, const PolicyFlags *flags,
                              const char *text) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMPolicyHandle *policy;
    (void)flags;
    int code = vmm_policy_open(text, &policy, error);
    if (code != VMM_OK) {
        return cli_config_error(command->name, code, error);
    }
    const VMMPolicyInfo *info = vmm_policy_info(policy);
    policycmd_line("name", info->name);
    policycmd_line("label", info->label);
    policycmd_line("summary", info->summary);
    policycmd_line("source", info->source);
    policycmd_line("needs", vmm_policy_needs_text(info->needs));
    policycmd_line("space", info->variable_space != 0 ? "variable" : "fixed");
    bool any = info->parameters != NULL && info->parameters[0].name != NULL;
    policycmd_line("parameters", any ? "name=value  (bounds) meaning" : "none");
    for (size_t i = 0; any && info->parameters[i].name != NULL; i++) {
        policycmd_parameter(&info->parameters[i], vmm_policy_values(policy)[i]);
    }
    vmm_policy_close(policy);
    return CLI_OK;
}

/* ---- The verbs ------------------------------------------------------------------------------ */

static int policycmd_new_one(const CliCommand *command, const PolicyFlags *flags,
                             const char *word) {
    (void)flags;
    return policycmd_write_new(command, word);
}

/* A verb that takes one word. */
static int policycmd_run_one(const CliCommand *command, int argc, char **argv,
                             int (*body)(const CliCommand *, const PolicyFlags *, const char *),
                             const char *missing) {
    PolicyFlags flags = {.help = false};
    CliArguments arguments;
    int status = cli_parse(command, argc, argv, &flags, &arguments);
    if (status == CLI_OK && flags.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK && arguments.word_count != 1) {
        status = cli_usage_error(command->name, "%s", missing);
    } else if (status == CLI_OK) {
        status = body(command, &flags, arguments.words[0]);
    }
    cli_arguments_free(&arguments);
    return status;
}

static int policycmd_run_new(const CliCommand *command, int argc, char **argv) {
    return policycmd_run_one(command, argc, argv, policycmd_new_one,
                             "say what it shall be called, as in vmm policy new mine");
}

static int policycmd_run_build(const CliCommand *command, int argc, char **argv) {
    return policycmd_run_one(command, argc, argv, policycmd_build_one,
                             "say which file, as in vmm policy build mine.c -o mine.so");
}

static int policycmd_run_show(const CliCommand *command, int argc, char **argv) {
    return policycmd_run_one(command, argc, argv, policycmd_show_one,
                             "say which policy, as in vmm policy show ./mine.c");
}

const CliCommand policycmd_new = {
    .name = "policy new",
    .summary = "write a file to begin a policy of your own with",
    .synopsis = "NAME",
    .story = "Writes NAME.c: a small policy that works as it is, with comments that say what each "
             "part is for. A file of that name is never overwritten.",
    .examples = "vmm policy new mine",
    .flags = policycmd_new_flags,
    .takes_words = true,
    .run = policycmd_run_new,
};

const CliCommand policycmd_build = {
    .name = "policy build",
    .summary = "compile a policy into a shared library",
    .synopsis = "FILE.c [-o FILE.so]",
    .story =
        "Compiles the policy together with the engine's loop. The result can be named wherever "
        "a policy is named, without a compiler; it fits the version of vmm that made it. To "
        "run a policy this is not needed: -a ./mine.c compiles it by itself.",
    .examples = "vmm policy build mine.c -o mine.so",
    .flags = policycmd_build_flags,
    .takes_words = true,
    .run = policycmd_run_build,
};

const CliCommand policycmd_show = {
    .name = "policy show",
    .summary = "show what a policy is and which parameters it takes",
    .synopsis = "NAME|FILE[:PARAMETER=VALUE,...]",
    .story = "Shows a policy, one of the simulator's or one in a file, with the values that its "
             "parameters have.",
    .examples = "vmm policy show clock\n"
                "vmm policy show ./mine.c:window=3",
    .flags = policycmd_new_flags,
    .takes_words = true,
    .run = policycmd_run_show,
};

static const CliCommand *const policycmd_verbs[] = {
    &policycmd_new, &policycmd_check, &policycmd_build, &policycmd_show, NULL,
};

const CliCommand cli_policy_command = {
    .name = "policy",
    .summary = "write, check and compile a replacement policy of your own",
    .synopsis = "VERB [...]",
    .story = "A policy of your own is a C file; wherever a policy is named it may be named: -a "
             "./mine.c. It is compiled with the engine and runs as fast as those that are built "
             "in. A policy is a program: it runs with your rights. 'vmm help policy VERB' shows "
             "the flags of a verb.",
    .examples = "vmm policy new mine\n"
                "vmm policy check ./mine.c\n"
                "vmm sim -t app.vmt -a ./mine.c --frames 100",
    .flags = cli_verb_flags,
    .verbs = policycmd_verbs,
    .run = cli_run_verb,
};
