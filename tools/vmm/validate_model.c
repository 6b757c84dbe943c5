/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program recorded, and simulated by Linux's rules:
 *
 *     fault-around of 64 KiB, as /sys/kernel/debug/fault_around_bytes has it by default
 *     the page of zeros for the first read of anonymous memory
 *     stacks that grow down to the limit of this process
 *     files in the page cache, as the kernel's runs before have left them there
 *     four levels of page tables, memory without limit, pages of 4 KiB
 *
 * A kernel chooses addresses at random, and so where windows of fault-around begin in mappings;
 * Valgrind chooses the same ones each time. So each of the 16 places where a window may begin is
 * simulated, and the one in the middle is taken.
 *
 * Two things that a program's start costs are not in a recorded trace, for Valgrind does them in
 * another way; they are counted beside, for each program executed (mm and fs of Linux 6):
 *
 *     the vDSO, a page of the kernel's that the C library reads at start      1 fault
 *     the stack: the kernel puts up to 8 KiB of chance between the strings of arguments and
 *     environment and the tables above the program's first frame              1 fault
 *
 * Nothing here knows what the kernel counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "validate.h"

enum { MODEL_REFS = 4096, MODEL_BESIDE_EXEC = 2, MODEL_SHIFTS = 16 };

/* ---- Recording ------------------------------------------------------------------------------ */

/* In the child. */
static _Noreturn void model_exec_recorder(char **words, const char *path) {
    static const char *const options[] = {"vmm", "record", "-q", "--left-behind", "wait", "-o"};
    size_t option_count = sizeof options / sizeof options[0], count = 0;
    while (words[count] != NULL) {
        count++;
    }
    char **joined = cli_alloc(option_count + count + 3, sizeof *joined);
    for (size_t i = 0; i < option_count; i++) {
        joined[i] = cli_format("%s", options[i]);
    }
    joined[option_count] = cli_format("%s", path);
    joined[option_count + 1] = cli_format("--");
    memcpy(joined + option_count + 2, words, count * sizeof *words);
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    execv("/proc/self/exe", joined);
    _exit(CLI_FAILURE);
}

int validate_record(char **words, const char *path) {
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        model_exec_recorder(words, path);
    }
    if (pid < 0) {
        cli_error("cannot make a process: %s", strerror(errno));
        return CLI_FAILURE;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (access(path, R_OK) != 0) { /* the exit status is the program's, the message was given */
        return CLI_FAILURE;
    }
    return CLI_OK;
}

/* ---- The tree of processes ------------------------------------------------------------------ */

typedef struct ModelReader {
    ValidateTree *tree;
    const VMMTrace *trace;
} ModelReader;

static size_t model_process(ValidateTree *tree, uint32_t pid) {
    size_t place = validate_tree_find(tree, pid);
    return place != SIZE_MAX ? place : validate_tree_add(tree, pid, SIZE_MAX);
}

static void model_note_event(void *user, const VMMEvent *event) {
    ModelReader *reader = user;
    size_t place = model_process(reader->tree, event->pid);
    if (event->type == VMM_EVENT_FORK) {
        validate_tree_add(reader->tree, (uint32_t)event->value, place);
    } else if (event->type == VMM_EVENT_EXEC) {
        const VMMTraceFile *file = vmm_trace_file(reader->trace, event->file);
        const char *path = file != NULL ? file->path : "";
        const char *slash = strrchr(path, '/');
        ValidateProcess *process = &reader->tree->processes[place];
        snprintf(process->name, sizeof process->name, "%.15s", slash != NULL ? slash + 1 : path);
        process->execs++;
    }
}

static int model_failed(int code, const char *text) {
    cli_error("%s", text);
    return cli_status(code);
}

/* Reads the trace once for its events. */
static int model_read_tree(VMMTrace *trace, ValidateTree *tree) {
    ModelReader reader = {tree, trace};
    VMMRef *refs = cli_alloc(MODEL_REFS, sizeof *refs);
    long count;
    vmm_trace_on_event(trace, model_note_event, &reader);
    while ((count = vmm_trace_read(trace, refs, MODEL_REFS)) > 0) {}
    vmm_trace_on_event(trace, NULL, NULL);
    free(refs);
    if (count == 0) {
        count = vmm_trace_rewind(trace);
    }
    return count == VMM_OK ? CLI_OK : model_failed((int)count, vmm_trace_error_text(trace));
}

/* ---- The simulation ------------------------------------------------------------------------- */

/* Linux's rules first: what the user sets wins. */
static int model_configure(const CliCommand *command, const CliArguments *arguments,
                           VMMConfig *config) {
    static const char *const rules[][2] = {
        {"ram", "4T"},          {"policy", "lru"},   {"pt-type", "FOUR_LEVEL"},
        {"file-cache", "warm"}, {"zero-page", "on"}, {"fault-around", "64K"}};
    size_t count = sizeof rules / sizeof rules[0];
    CliArguments all = {0};
    char stack[32];
    struct rlimit limit;
    bool limited = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    snprintf(stack, sizeof stack, "%" PRIu64 "B",
             limited && limit.rlim_cur >= 4096 ? (uint64_t)limit.rlim_cur : UINT64_C(1) << 40);
    all.settings = cli_alloc(count + 1 + arguments->setting_count, sizeof *all.settings);
    for (size_t i = 0; i < count; i++) {
        all.settings[all.setting_count++] = (CliSetting){vmm_option_find(rules[i][0]), rules[i][1]};
    }
    all.settings[all.setting_count++] = (CliSetting){vmm_option_find("stack-limit"), stack};
    for (size_t i = 0; i < arguments->setting_count; i++) {
        all.settings[all.setting_count++] = arguments->settings[i];
    }
    int status = cli_configure(command, &all, NULL, config);
    free(all.settings);
    return status;
}

/* What one process, by its number, has counted. Numbers that were used again count together. */
static void model_take_process(const VMM *vmm, ValidateProcess *process) {
    VMMProcessStats stats = {.struct_size = sizeof stats};
    process->ended = true;
    if (vmm_get_process(vmm, process->pid, &stats) == VMM_OK) {
        process->minor = stats.minor_faults;
        process->major = stats.major_faults;
        process->page_table_bytes = stats.page_table_bytes_peak;
        process->resident_peak =
            stats.rss_peak * cli_config_bytes(vmm_configuration(vmm), "page-size");
    }
}

static void model_take(const VMM *vmm, ValidateModel *model) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    memcpy(model->faults, stats.faults, sizeof model->faults);
    for (size_t i = 0; i < model->tree.count; i++) {
        ValidateProcess *process = &model->tree.processes[i];
        uint64_t beside = (uint64_t)process->execs * MODEL_BESIDE_EXEC;
        model_take_process(vmm, process);
        process->minor += beside;
        model->beside += beside;
    }
}

/* One choice of addresses: its minor faults into *minor, and all into `model` if that is not NULL.
 */
static int model_simulate(const VMMConfig *config, VMMTrace *trace, uint64_t *minor,
                          ValidateModel *model) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMM *vmm = NULL;
    int code = vmm_trace_rewind(trace);
    if (code != VMM_OK) {
        return model_failed(code, vmm_trace_error_text(trace));
    }
    code = vmm_create_with(config, NULL, &vmm, error);
    if (code != VMM_OK) {
        return model_failed(code, error);
    }
    code = vmm_run(&vmm, 1, trace, NULL, NULL);
    int status = code == VMM_OK ? CLI_OK : model_failed(code, vmm_error_text(vmm));
    if (status == CLI_OK) {
        VMMStats stats = {.struct_size = sizeof stats};
        vmm_stats(vmm, &stats);
        *minor = stats.minor_faults;
        if (model != NULL) {
            model_take(vmm, model);
        }
    }
    vmm_destroy(vmm);
    return status;
}

/* Sets how addresses fall: `shift` pages higher than they were recorded. */
static void model_shift(VMMConfig *config, unsigned shift) {
    char text[16];
    snprintf(text, sizeof text, "%u", shift);
    (void)vmm_config_set(config, "fault-around-shift", text, NULL);
}

/* The choice with so many of the others below it as above it, and the range of all. */
static int model_simulate_all(VMMConfig *config, VMMTrace *trace, ValidateModel *model) {
    uint64_t minor[MODEL_SHIFTS];
    unsigned order[MODEL_SHIFTS];
    int status = CLI_OK;
    for (unsigned shift = 0; shift < MODEL_SHIFTS && status == CLI_OK; shift++) {
        model_shift(config, shift);
        status = model_simulate(config, trace, &minor[shift], NULL);
        unsigned place = shift;
        for (; status == CLI_OK && place > 0 && minor[order[place - 1]] > minor[shift]; place--) {
            order[place] = order[place - 1];
        }
        order[place] = shift;
    }
    if (status == CLI_OK) {
        uint64_t taken;
        model_shift(config, order[MODEL_SHIFTS / 2]);
        status = model_simulate(config, trace, &taken, model);
        model->least = minor[order[0]] + model->beside;
        model->most = minor[order[MODEL_SHIFTS - 1]] + model->beside;
    }
    return status;
}

int validate_model_run(const CliCommand *command, const CliArguments *arguments, const char *path,
                       ValidateModel *model) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMConfig config;
    VMMTrace *trace = NULL;
    int status = model_configure(command, arguments, &config);
    if (status != CLI_OK) {
        return status;
    }
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .page_size = cli_config_bytes(&config, "page-size")};
    int code = vmm_trace_open(path, &options, &trace, error);
    if (code != VMM_OK) {
        return model_failed(code, error);
    }
    status = model_read_tree(trace, &model->tree);
    status = status == CLI_OK ? model_simulate_all(&config, trace, model) : status;
    vmm_trace_close(trace);
    return status;
}
