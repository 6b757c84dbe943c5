/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm validate: the real kernel as judge of the simulated one.
 *
 *     program ──► as it is, 1 + N times ──► what the kernel counts ──┐
 *        │                                                           ├──► side by side
 *        └─────► recorded once ──► simulated by Linux's rules ───────┘
 *
 * The first run is not counted: it brings the files into the page cache. The kernel's counts differ
 * from run to run, for it puts mappings and stacks at random places; the run in the middle stands
 * for all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "validate.h"

typedef struct ValidateFlags {
    const char *output, *trace, *runs;
    bool quiet, help;
} ValidateFlags;

static const CliFlag validatecmd_flags[] = {
    {"output", NULL, 'o', "FILE", NULL, "Results",
     "write all of it as JSON; - writes it to standard output in place of the text",
     offsetof(ValidateFlags, output)},
    {"trace", NULL, 't', "FILE", NULL, "Results", "keep the recorded trace as FILE.vmt",
     offsetof(ValidateFlags, trace)},
    {"runs", NULL, 0, "N", "20", "Program",
     "run the program N times by itself, 1 to 1000, beside a first run that is not counted",
     offsetof(ValidateFlags, runs)},
    {"quiet", NULL, 'q', NULL, NULL, "Messages", "only errors on standard error",
     offsetof(ValidateFlags, quiet)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(ValidateFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

/* ---- Trees of processes --------------------------------------------------------------------- */

size_t validate_tree_add(ValidateTree *tree, uint32_t pid, size_t parent) {
    uint32_t born = 1;
    for (size_t i = 0; i < tree->count; i++) {
        born += tree->processes[i].parent == parent;
    }
    if (tree->count == tree->room) {
        tree->room = tree->room * 2 + 8;
        tree->processes = cli_realloc(tree->processes, tree->room, sizeof *tree->processes);
    }
    ValidateProcess *process = &tree->processes[tree->count];
    *process = (ValidateProcess){.pid = pid, .born = born, .parent = parent};
    if (parent != SIZE_MAX) {
        memcpy(process->name, tree->processes[parent].name, sizeof process->name);
    }
    return tree->count++;
}

size_t validate_tree_find(const ValidateTree *tree, uint32_t pid) {
    for (size_t i = tree->count; i-- > 0;) {
        if (tree->processes[i].pid == pid && !tree->processes[i].ended) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* The child of `parent` that was born as number `born`, or SIZE_MAX. */
static size_t validatecmd_child(const ValidateTree *tree, size_t parent, uint32_t born) {
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->processes[i].parent == parent && tree->processes[i].born == born) {
            return i;
        }
    }
    return SIZE_MAX;
}

static size_t validatecmd_twin(const ValidateTree *tree, size_t place, const ValidateTree *other) {
    const ValidateProcess *process = &tree->processes[place];
    size_t parent = SIZE_MAX;
    if (process->parent != SIZE_MAX) {
        parent = validatecmd_twin(tree, process->parent, other);
        if (parent == SIZE_MAX) {
            return SIZE_MAX;
        }
    }
    return validatecmd_child(other, parent, process->born);
}

const ValidateProcess *validate_tree_twin(const ValidateTree *tree, size_t place,
                                          const ValidateTree *other) {
    size_t twin = validatecmd_twin(tree, place, other);
    return twin == SIZE_MAX ? NULL : &other->processes[twin];
}

void validate_tree_free(ValidateTree *tree) {
    free(tree->processes);
    *tree = (ValidateTree){0};
}

/* ---- The steps ------------------------------------------------------------------------------ */

static int validatecmd_read_runs(const CliCommand *command, const char *text, uint32_t *runs) {
    char *end;
    *runs = 20;
    if (text == NULL) {
        return CLI_OK;
    }
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number < 1 || number > VALIDATE_MOST_RUNS) {
        return cli_usage_error(command->name, "--runs is \"%s\", expected a number from 1 to %d",
                               text, VALIDATE_MOST_RUNS);
    }
    *runs = (uint32_t)number;
    return CLI_OK;
}

static int validatecmd_compare(const void *left, const void *right) {
    uint64_t a = validate_total(left).minor, b = validate_total(right).minor;
    return a < b ? -1 : a > b;
}

static int validatecmd_kernel(Validate *validate) {
    ValidateTree first = {0};
    int status = validate_kernel_run(validate->words, &first);
    validate_tree_free(&first);
    validate->kernel = cli_alloc(validate->runs, sizeof *validate->kernel);
    for (uint32_t i = 0; status == CLI_OK && i < validate->runs; i++) {
        status = validate_kernel_run(validate->words, &validate->kernel[i]);
    }
    qsort(validate->kernel, validate->runs, sizeof *validate->kernel, validatecmd_compare);
    return status;
}

/* The name of a trace that is given up afterwards; free() it. */
static char *validatecmd_temporary(void) {
    const char *folder = getenv("TMPDIR");
    char *path =
        cli_format("%s/vmm-validate-XXXXXX", folder != NULL && *folder != '\0' ? folder : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0) {
        cli_error("cannot make a file '%s': %s", path, strerror(errno));
        free(path);
        return NULL;
    }
    close(fd);
    return path;
}

static int validatecmd_model(const CliCommand *command, const CliArguments *arguments,
                             const ValidateFlags *flags, Validate *validate) {
    char *own = flags->trace == NULL ? validatecmd_temporary() : NULL;
    const char *path = flags->trace != NULL ? flags->trace : own;
    if (path == NULL) {
        return CLI_FAILURE;
    }
    int status = validate_record(validate->words, path);
    if (status == CLI_OK) {
        status = validate_model_run(command, arguments, path, &validate->model);
    }
    if (own != NULL) {
        unlink(own);
        free(own);
    }
    return status;
}

static int validatecmd_write(const Validate *validate, CliOutput *output) {
    if (output->path == NULL) {
        validate_show(validate);
        return CLI_OK;
    }
    char *text = validate_json(validate);
    if (text == NULL) {
        return CLI_FAILURE;
    }
    if (!cli_output_is_stdout(output)) {
        validate_show(validate);
    }
    int status = cli_output_write(output, text, strlen(text));
    free(text);
    return status;
}

/* The words of the machine's options stand before the program: what follows it is its own. */
static int validatecmd_run(const CliCommand *command, const CliArguments *arguments,
                           const ValidateFlags *flags) {
    Validate validate = {.words = arguments->words};
    CliOutput output = {.fd = -1};
    const CliFileName names[] = {{"-t", flags->trace, true}, {"-o", flags->output, true}};
    int status = cli_output_check_names(names, sizeof names / sizeof names[0]);
    if (status == CLI_OK) {
        status = validatecmd_read_runs(command, flags->runs, &validate.runs);
    }
    if (status == CLI_OK) {
        status = cli_output_open(&output, flags->output, false);
    }
    status = status == CLI_OK ? validatecmd_kernel(&validate) : status;
    status = status == CLI_OK ? validatecmd_model(command, arguments, flags, &validate) : status;
    status = status == CLI_OK ? validatecmd_write(&validate, &output) : status;
    cli_output_discard(&output);
    for (uint32_t i = 0; validate.kernel != NULL && i < validate.runs; i++) {
        validate_tree_free(&validate.kernel[i]);
    }
    free(validate.kernel);
    validate_tree_free(&validate.model.tree);
    int finished = cli_finish_stdout();
    return status == CLI_OK ? finished : status;
}

static int validatecmd_main(const CliCommand *command, int argc, char **argv) {
    ValidateFlags flags = {0};
    CliArguments arguments = {0};
    int status = cli_parse(command, argc, argv, &flags, &arguments);
    if (status == CLI_OK && arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK && arguments.word_count == 0) {
        status = cli_usage_error(command->name,
                                 "no program to run: vmm validate -- PROGRAM ARGUMENT...");
    } else if (status == CLI_OK) {
        cli_set_level(flags.quiet ? CLI_QUIET : CLI_NORMAL);
        status = validatecmd_run(command, &arguments, &flags);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand cli_validate_command = {
    .name = "validate",
    .summary = "compare simulated page faults with those that the kernel counts",
    .synopsis = "[-o FILE.json] [FLAGS] [--] PROGRAM [ARGUMENT]...",
    .story =
        "Runs the program several times as it is and takes the kernel's own counts of all of its "
        "processes (minor and major faults, largest resident memory, page tables), records it "
        "once, simulates the recording by Linux's rules, and prints the two side by side. "
        "Standard input and output of the program are /dev/null, in all runs. Transparent huge "
        "pages are off for it. Options of the machine change the simulation: --fault-around off "
        "shows what fault-around is worth.",
    .examples = "vmm validate -- sort words.txt\n"
                "vmm validate --runs 5 -o faults.json -- gcc -c hello.c\n"
                "vmm validate --fault-around off -- ls",
    .flags = validatecmd_flags,
    .takes_options = true,
    .takes_words = true,
    .words_end_flags = true,
    .run = validatecmd_main,
};
