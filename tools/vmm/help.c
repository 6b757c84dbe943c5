/* SPDX-License-Identifier: Apache-2.0 */
/* vmm help and vmm version: texts from the tables of the sub-commands and of the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What the program can do beside the library. */
#ifdef VMM_HAVE_SQLITE
#define HELP_OWN_FEATURES "sqlite"
#else
#define HELP_OWN_FEATURES ""
#endif

enum { HELP_WIDTH = 80, HELP_COLUMN = 30 };

typedef struct HelpFlags {
    bool help;
} HelpFlags;

static const CliFlag help_flags[] = {
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(HelpFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

/* ---- Layout --------------------------------------------------------------------------------- */

void cli_print_wrapped(const char *text, int indent, int column) {
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + length > HELP_WIDTH) {
            putchar('\n');
            column = 0;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        for (; column < indent; column++) {
            putchar(' ');
        }
        fwrite(text, 1, (size_t)length, stdout);
        column += length;
        text += length;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static void help_print_entry(char letter, const char *name, const char *metavar, const char *help,
                             const char *default_text) {
    char *flags =
        letter != 0 ? cli_format("  -%c, --%s", letter, name) : cli_format("      --%s", name);
    int column =
        printf("%s%s%s", flags, metavar != NULL ? " " : "", metavar != NULL ? metavar : "");
    char *text = default_text != NULL ? cli_format("%s (default: %s)", help, default_text)
                                      : cli_format("%s", help);
    if (column > HELP_COLUMN - 2) {
        putchar('\n');
        column = 0;
    }
    for (; column < HELP_COLUMN; column++) {
        putchar(' ');
    }
    cli_print_wrapped(text, HELP_COLUMN, column);
    free(flags);
    free(text);
}

static void help_print_option(const VMMOption *option) {
    char *help = option->choices != NULL ? cli_format("%s: %s", option->help, option->choices)
                                         : cli_format("%s", option->help);
    help_print_entry(option->letter, option->name, option->metavar, help, option->default_text);
    free(help);
}

/* ---- One sub-command ------------------------------------------------------------------------ */

static void help_print_flags(const CliCommand *command) {
    const char *group = "";
    for (const CliFlag *flag = command->flags; flag->name != NULL; flag++) {
        if (strcmp(flag->group, group) != 0) {
            printf("\n%s:\n", flag->group);
        }
        group = flag->group;
        help_print_entry(flag->letter, flag->name, flag->metavar, flag->help, flag->default_text);
    }
}

static bool help_is_listed(const char *const *names, const char *name) {
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The options of the machine that the command's own list names, or those that it does not. */
static void help_print_options(const CliCommand *command, bool others) {
    const VMMOption *option;
    const char *group = "";
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        bool main = command->options == NULL || help_is_listed(command->options, option->name);
        if (main == others || cli_flag_find(command, option->name) != NULL ||
            help_is_listed(command->refused_options, option->name)) {
            continue;
        }
        const char *title = others ? command->other_options : option->group;
        if (strcmp(title, group) != 0) {
            printf("\n%s:\n", title);
        }
        group = title;
        help_print_option(option);
    }
}

static void help_print_examples(const char *examples) {
    fputs("\nExamples:\n", stdout);
    while (*examples != '\0') {
        size_t length = strcspn(examples, "\n");
        printf("  %.*s\n", (int)length, examples);
        examples += length + (examples[length] == '\n');
    }
}

static void help_print_verbs(const CliCommand *command) {
    if (command->verbs != NULL) {
        puts("\nVerbs:");
    }
    for (size_t i = 0; command->verbs != NULL && command->verbs[i] != NULL; i++) {
        int column = printf("  %-9s", cli_verb_name(command->verbs[i]));
        cli_print_wrapped(command->verbs[i]->summary, 12, column);
    }
}

int cli_print_help(const CliCommand *command) {
    printf("Usage: vmm %s %s\n\n", strcmp(command->name, "sim") == 0 ? "[sim]" : command->name,
           command->synopsis);
    cli_print_wrapped(command->story, 0, 0);
    help_print_verbs(command);
    help_print_flags(command);
    if (command->takes_options) {
        help_print_options(command, false);
    }
    if (command->takes_options && command->other_options != NULL) {
        help_print_options(command, true);
    }
    if (command->examples != NULL) {
        help_print_examples(command->examples);
    }
    return CLI_OK;
}

/* ---- All of it ------------------------------------------------------------------------------ */

void cli_print_overview(void) {
    const CliCommand *command;
    puts("vmm tells what a virtual memory system of any shape would do with the memory\n"
         "references of a real program: faults, TLB misses, page walks, swap, time.\n\n"
         "Usage: vmm -t TRACE [options]\n"
         "       vmm COMMAND [...]\n\nCommands:");
    for (size_t i = 0; (command = cli_command_at(i)) != NULL; i++) {
        int column = printf("  %-9s", command->name);
        cli_print_wrapped(command->summary, 12, column);
    }
    help_print_examples("vmm -t app.trace -r 64 -a clock\n"
                        "vmm compare -t app.trace -a fifo,lru,opt --frames 100,200,400\n"
                        "vmm explain -a lru --frames 3 1,2,3,4,1,2,5,1,2,3,4,5");
    puts("\n'vmm help COMMAND' shows the flags of a command, 'vmm help sim' all options of\n"
         "the machine; 'vmm list' shows policies, trace formats and counters.");
}

/* The command, or verb of a command, that the words name; NULL: one is too much or unknown. */
static const CliCommand *help_find(const CliArguments *arguments, size_t *bad_word) {
    const CliCommand *about = cli_command_find(arguments->words[0]);
    *bad_word = 0;
    for (size_t i = 1; i < arguments->word_count && about != NULL; i++) {
        about = cli_verb_find(about, arguments->words[i]);
        *bad_word = i;
    }
    return about;
}

static int help_run(const CliCommand *command, int argc, char **argv) {
    HelpFlags flags = {0};
    CliArguments arguments;
    const CliCommand *about = command;
    size_t bad_word = 0;
    int status = cli_parse(command, argc, argv, &flags, &arguments);
    if (status == CLI_OK && arguments.word_count > 0) {
        about = help_find(&arguments, &bad_word);
    }
    if (status == CLI_OK && about == NULL && bad_word > 0) {
        status = cli_usage_error("help", "left-over word '%s'", arguments.words[bad_word]);
    } else if (status == CLI_OK && about == NULL) {
        status = cli_usage_error(NULL, "there is no command '%s'", arguments.words[0]);
    } else if (status == CLI_OK && arguments.word_count == 0 && !arguments.help) {
        cli_print_overview();
    } else if (status == CLI_OK) {
        status = cli_print_help(about);
    }
    cli_arguments_free(&arguments);
    return status;
}

static int help_run_version(const CliCommand *command, int argc, char **argv) {
    HelpFlags flags = {0};
    CliArguments arguments;
    int status = cli_parse(command, argc, argv, &flags, &arguments);
    if (status == CLI_OK && arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        char *features = cli_format("%s%s", vmm_build_features(), HELP_OWN_FEATURES);
        printf("vmm %s\nfeatures:", vmm_version());
        cli_print_wrapped(*features != '\0' ? features : "none", 0, (int)strlen("features:"));
        free(features);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand cli_help_command = {
    .name = "help",
    .summary = "show help for a command",
    .synopsis = "[COMMAND [VERB]]",
    .story = "Shows what vmm can do, or the flags of one command, or of one verb of it.",
    .flags = help_flags,
    .takes_words = true,
    .run = help_run,
};

const CliCommand cli_version_command = {
    .name = "version",
    .summary = "show the version and what this build can do",
    .synopsis = "",
    .story = "Shows the version of the program and the optional parts it was built with.",
    .flags = help_flags,
    .run = help_run_version,
};
