/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_gen: makes a trace with a known shape.
 *
 *     arguments -> VMMGeneratorOptions -> vmm_generator_read() -> output.c -> file
 *
 * The flags are read here; what their values mean, and every message about a bad value, comes from
 * the library. Nothing is created on disk before all arguments are known to be good.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../../include/vmm/vmm.h"
#include "output.h"

enum { BATCH = 4096 };
enum { FLAG_MEMORY = 256, FLAG_PAGE_SIZE, FLAG_FORMAT, FLAG_LIST, FLAG_VERSION };

typedef struct Arguments {
    VMMGeneratorOptions options;
    const char *output;
    const OutputFormat *format;
    int processes_given;
} Arguments;

static const struct option long_flags[] = {
    {"output", required_argument, NULL, 'o'},
    {"type", required_argument, NULL, 't'},
    {"num-accesses", required_argument, NULL, 'n'},
    {"num-processes", required_argument, NULL, 'p'},
    {"addr-space", required_argument, NULL, 'a'},
    {"seed", required_argument, NULL, 's'},
    {"memory", required_argument, NULL, FLAG_MEMORY},
    {"page-size", required_argument, NULL, FLAG_PAGE_SIZE},
    {"format", required_argument, NULL, FLAG_FORMAT},
    {"list", no_argument, NULL, FLAG_LIST},
    {"version", no_argument, NULL, FLAG_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* A flag and the option of the generator that it sets. */
typedef struct FlagOption {
    int flag;
    const char *shown;
    const char *option;
} FlagOption;

static const FlagOption flag_options[] = {
    {'t', "--type", "pattern"},
    {'n', "--num-accesses", "references"},
    {'p', "--num-processes", "processes"},
    {'a', "--addr-space", "address-space"},
    {'s', "--seed", "seed"},
    {FLAG_MEMORY, "--memory", "memory"},
    {FLAG_PAGE_SIZE, "--page-size", "page-size"},
};

static void print_help(void) {
    printf("Usage: trace_gen -o FILE [options]\n"
           "Makes a memory trace with a known shape; the same options make the same bytes on\n"
           "every machine.\n\n"
           "  -o, --output FILE        trace to write; - is standard output (required)\n"
           "  -t, --type PATTERN       pattern, parameters behind a colon: zipf:alpha=0.8\n"
           "                           (default sequential; --list shows all)\n"
           "  -n, --num-accesses N     references to make (default 10000)\n"
           "  -p, --num-processes N    processes, numbered from 0 (default 4; 1 for formats\n"
           "                           that hold no process numbers)\n"
           "  -a, --addr-space SIZE    address space of each process, MiB without a unit\n"
           "                           (default 1024)\n"
           "  -s, --seed SEED          seed of everything random (default 42)\n"
           "      --memory SIZE        memory that the pattern thrashing exceeds, MiB without a\n"
           "                           unit (default 8)\n"
           "      --page-size SIZE     bytes of a page, a power of two (default 4096)\n"
           "      --format FORMAT      format of the trace (default native):\n");
    const OutputFormat *format;
    for (size_t i = 0; (format = output_format_at(i)) != NULL; i++) {
        printf("                             %-8s %s\n", format->name, format->help);
    }
    printf("      --list               show the patterns and their parameters\n"
           "      --version            show the version\n"
           "  -h, --help               show this help\n\n"
           "Counts take k, M, G (1000) and Ki, Mi, Gi (1024); sizes take K, M, G, T (1024).\n"
           "Exit status: 0 success; 1 bad usage, or the trace cannot be written.\n");
}

static void print_patterns(void) {
    for (size_t i = 0; vmm_pattern_name(i) != NULL; i++) {
        printf("%-12s %s\n", vmm_pattern_name(i), vmm_pattern_help(i));
        const char *line = vmm_pattern_parameters(i);
        while (*line != '\0') {
            size_t length = strcspn(line, "\n");
            printf("    %.*s\n", (int)length, line);
            line += length + (line[length] == '\n');
        }
    }
}

static int usage_error(void) {
    fprintf(stderr, "trace_gen: \"trace_gen --help\" shows how it is used\n");
    return 1;
}

/* 0, or 1 after a message. */
static int set_option(Arguments *arguments, const FlagOption *flag, const char *value) {
    char error[VMM_ERROR_TEXT_BYTES];
    if (vmm_generator_options_set(&arguments->options, flag->option, value, error) == VMM_OK) {
        return 0;
    }
    /* The library speaks of its option; the user wrote a flag. */
    size_t name = strlen(flag->option);
    int begins = strncmp(error, flag->option, name) == 0 && strncmp(error + name, ": ", 2) == 0;
    fprintf(stderr, "trace_gen: %s: %s\n", flag->shown, begins ? error + name + 2 : error);
    return usage_error();
}

static int set_format(Arguments *arguments, const char *name) {
    arguments->format = output_format_find(name);
    if (arguments->format != NULL) {
        return 0;
    }
    fprintf(stderr, "trace_gen: --format: found \"%.60s\", expected one of", name);
    const OutputFormat *format;
    for (size_t i = 0; (format = output_format_at(i)) != NULL; i++) {
        fprintf(stderr, "%s %s", i == 0 ? "" : ",", format->name);
    }
    fprintf(stderr, "\n");
    return usage_error();
}

/* One flag; 0 to go on, 1 after a message, -1 when all is done. */
static int take_flag(Arguments *arguments, int flag) {
    for (size_t i = 0; i < sizeof flag_options / sizeof flag_options[0]; i++) {
        if (flag == flag_options[i].flag) {
            arguments->processes_given |= flag == 'p';
            return set_option(arguments, &flag_options[i], optarg);
        }
    }
    switch (flag) {
    case 'o':
        arguments->output = optarg;
        return 0;
    case FLAG_FORMAT:
        return set_format(arguments, optarg);
    case FLAG_LIST:
        print_patterns();
        return -1;
    case FLAG_VERSION:
        printf("trace_gen %s\n", VMM_VERSION_STRING);
        return -1;
    case 'h':
        print_help();
        return -1;
    default:
        return usage_error(); /* getopt has said what is wrong */
    }
}

/* 0 to go on, 1 after a message, -1 when all is done. */
static int read_arguments(Arguments *arguments, int argc, char **argv) {
    int flag;
    while ((flag = getopt_long(argc, argv, "o:t:n:p:a:s:h", long_flags, NULL)) != -1) {
        int status = take_flag(arguments, flag);
        if (status != 0) {
            return status;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "trace_gen: \"%.200s\" is left over, nothing but flags is expected\n",
                argv[optind]);
        return usage_error();
    }
    if (arguments->output == NULL || arguments->output[0] == '\0') {
        fprintf(stderr, "trace_gen: -o FILE is missing: where shall the trace go?\n");
        return usage_error();
    }
    if (!arguments->format->holds_pids) {
        if (arguments->processes_given && arguments->options.processes > 1) {
            fprintf(stderr,
                    "trace_gen: --format %s holds no process numbers, so it takes one process, "
                    "not %" PRIu32 "; use -p 1, or --format native\n",
                    arguments->format->name, arguments->options.processes);
            return usage_error();
        }
        arguments->options.processes = 1;
    }
    return 0;
}

static int write_failed(const Output *output) {
    int is_file = strcmp(output->path, "-") != 0;
    fprintf(stderr, "trace_gen: %.300s: cannot write: %s",
            is_file ? output->path : "standard output", strerror(errno));
    if (is_file && output->written > 0) {
        fprintf(stderr, "; it holds the first %" PRIu64 " bytes of the trace", output->written);
    }
    fprintf(stderr, "\n");
    return 1;
}

static int write_trace(VMMGenerator *generator, const Arguments *arguments) {
    static VMMRef refs[BATCH];
    Output output;
    if (output_open(&output, arguments->output, arguments->format, arguments->options.page_size) !=
        0) {
        fprintf(stderr, "trace_gen: %.300s: cannot open for writing: %s\n", arguments->output,
                strerror(errno));
        return 1;
    }
    size_t count;
    while ((count = vmm_generator_read(generator, refs, BATCH)) > 0) {
        if (output_write(&output, refs, count) != 0) {
            int status = write_failed(&output);
            output_close(&output);
            return status;
        }
    }
    return output_close(&output) != 0 ? write_failed(&output) : 0;
}

int main(int argc, char **argv) {
    Arguments arguments = {.output = NULL, .format = output_format_at(0)};
    vmm_generator_options_init(&arguments.options);
    int status = read_arguments(&arguments, argc, argv);
    if (status != 0) {
        if (status < 0 && (fflush(stdout) != 0 || ferror(stdout))) {
            fprintf(stderr, "trace_gen: standard output: cannot write: %s\n", strerror(errno));
            return 1;
        }
        return status < 0 ? 0 : 1;
    }
    char error[VMM_ERROR_TEXT_BYTES];
    VMMGenerator *generator;
    if (vmm_generator_create(&arguments.options, &generator, error) != VMM_OK) {
        fprintf(stderr, "trace_gen: %s\n", error);
        return usage_error();
    }
    signal(SIGPIPE, SIG_IGN); /* a closed pipe, or a limit on file sizes, is a failed write */
    signal(SIGXFSZ, SIG_IGN);
    status = write_trace(generator, &arguments);
    vmm_generator_destroy(generator);
    return status;
}
