/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program `vmm`: picks the sub-command and gives it the rest of the command line. Without a
 * sub-command, flags belong to `sim`.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const CliCommand *const main_commands[] = {
    &cli_sim_command,     &cli_record_command, &cli_trace_command,   &cli_compare_command,
    &cli_mrc_command,     &cli_sweep_command,  &cli_advise_command,  &cli_validate_command,
    &cli_explain_command, &cli_list_command,   &cli_policy_command,  &cli_cc_command,
    &cli_cxx_command,     &cli_help_command,   &cli_version_command,
};

enum { MAIN_COMMAND_COUNT = sizeof main_commands / sizeof main_commands[0] };

const CliCommand *cli_command_at(size_t index) {
    return index < MAIN_COMMAND_COUNT ? main_commands[index] : NULL;
}

const CliCommand *cli_command_find(const char *name) {
    const CliCommand *command;
    for (size_t i = 0; (command = cli_command_at(i)) != NULL; i++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

const char *cli_verb_name(const CliCommand *verb) {
    const char *space = strrchr(verb->name, ' ');
    return space != NULL ? space + 1 : verb->name;
}

const CliCommand *cli_verb_find(const CliCommand *command, const char *name) {
    for (size_t i = 0; command->verbs != NULL && command->verbs[i] != NULL; i++) {
        if (strcmp(cli_verb_name(command->verbs[i]), name) == 0) {
            return command->verbs[i];
        }
    }
    return NULL;
}

/* ---- Commands with verbs -------------------------------------------------------------------- */

typedef struct MainVerbFlags {
    bool help;
} MainVerbFlags;

const CliFlag cli_verb_flags[] = {
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(MainVerbFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

static const char *main_verb_name(const void *user, size_t index) {
    const CliCommand *const *verbs = user;
    return verbs[index] != NULL ? cli_verb_name(verbs[index]) : NULL;
}

static int main_unknown_verb(const CliCommand *command, const char *word) {
    const char *nearest = vmm_nearest_name(word, main_verb_name, command->verbs);
    char *found = cli_excerpt(word, strlen(word));
    char *hint = nearest != NULL ? cli_format("; did you mean 'vmm %s %s'?", command->name, nearest)
                                 : cli_format("%s", "");
    int status =
        cli_usage_error(command->name, "there is no 'vmm %s %s'%s", command->name, found, hint);
    free(found);
    free(hint);
    return status;
}

int cli_run_verb(const CliCommand *command, int argc, char **argv) {
    const CliCommand *verb = argc > 0 ? cli_verb_find(command, argv[0]) : NULL;
    if (verb != NULL) {
        return verb->run(verb, argc - 1, argv + 1);
    }
    if (argc > 0 && argv[0][0] != '-') {
        return main_unknown_verb(command, argv[0]);
    }
    MainVerbFlags flags = {.help = false};
    CliArguments arguments;
    int status = cli_parse(command, argc, argv, &flags, &arguments);
    if (status == CLI_OK) {
        status = cli_print_help(command);
    }
    cli_arguments_free(&arguments);
    return status;
}

/* ---- The program ---------------------------------------------------------------------------- */

static const char *main_command_name(const void *user, size_t index) {
    const CliCommand *command = cli_command_at(index);
    (void)user;
    return command != NULL ? command->name : NULL;
}

static int main_unknown_command(const char *word) {
    const char *nearest = vmm_nearest_name(word, main_command_name, NULL);
    if (nearest != NULL) {
        return cli_usage_error(NULL, "unknown command '%s'; did you mean '%s'?", word, nearest);
    }
    if (access(word, F_OK) == 0) {
        return cli_usage_error(NULL, "unknown command '%s'; to simulate a trace say vmm -t %s",
                               word, word);
    }
    char *found = cli_excerpt(word, strlen(word));
    int status = cli_usage_error(NULL, "unknown command '%s'", found);
    free(found);
    return status;
}

static int main_dispatch(int argc, char **argv) {
    if (argc < 2) {
        return cli_usage_error(NULL, "nothing to do: say what to simulate, as in vmm -t FILE");
    }
    const char *word = argv[1];
    if (argc == 2 && (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)) {
        cli_print_overview();
        return CLI_OK;
    }
    if (argc == 2 && strcmp(word, "--version") == 0) {
        return cli_version_command.run(&cli_version_command, 0, NULL);
    }
    if (word[0] == '-') {
        cli_watch_policies(argc, argv);
        return cli_sim_command.run(&cli_sim_command, argc - 1, argv + 1);
    }
    const CliCommand *command = cli_command_find(word);
    if (command == NULL) {
        return main_unknown_command(word);
    }
    if (command != &cli_record_command && command != &cli_cc_command &&
        command != &cli_cxx_command) { /* there it is a program that is named */
        cli_watch_policies(argc - 1, argv + 1);
    }
    return command->run(command, argc - 2, argv + 2);
}

/*
 * A standard stream that is closed would give its number to a file of ours. So it is taken, by what
 * fails as a closed one does, and is closed again in every program that is started.
 */
static void main_fill_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            int taken = open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
            (void)taken;
        }
    }
}

int main(int argc, char **argv) {
    main_fill_streams();
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    signal(SIGXFSZ, SIG_IGN); /* a file too large for its limit is a write that fails */
    int status = main_dispatch(argc, argv);
    cli_watch_end();
    int finished = cli_finish_stdout();
    return status != CLI_OK ? status : finished;
}
