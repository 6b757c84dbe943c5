/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines. A word that begins with '-' is a flag of the sub-command's own table, or else an
 * option of the machine (vmm_option_at()); what these tables say is all that this file knows.
 *
 *     --name value   --name=value   -x value   -xvalue   -xyz (switches)   -- (no flags from here)
 *
 * A flag given twice counts as given last. Options of the machine are collected in order and set
 * after the configuration file, so the command line always wins over the file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What a flag turned out to be: one of the two is not NULL. */
typedef struct OptionsFlag {
    const CliFlag *own;
    const VMMOption *machine;
} OptionsFlag;

typedef struct OptionsParser {
    const CliCommand *command;
    char **argv;
    int argc, next;
    void *values;
    CliArguments *arguments;
} OptionsParser;

/* ---- Finding flags -------------------------------------------------------------------------- */

const CliFlag *cli_flag_find(const CliCommand *command, const char *name) {
    for (const CliFlag *flag = command->flags; flag->name != NULL; flag++) {
        if (cli_name_matches(flag->name, name) ||
            (flag->alias != NULL && cli_name_matches(flag->alias, name))) {
            return flag;
        }
    }
    return NULL;
}

static OptionsFlag options_find_long(const CliCommand *command, const char *name) {
    OptionsFlag found = {.own = cli_flag_find(command, name)};
    if (found.own == NULL && command->takes_options) {
        found.machine = vmm_option_find(name);
    }
    return found;
}

static OptionsFlag options_find_short(const CliCommand *command, char letter) {
    OptionsFlag found = {0};
    const VMMOption *option;
    for (const CliFlag *flag = command->flags; flag->name != NULL; flag++) {
        if (flag->letter == letter) {
            found.own = flag;
        }
    }
    if (found.own != NULL || !command->takes_options) {
        return found;
    }
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        if (option->letter == letter) {
            found.machine = option;
        }
    }
    return found;
}

static const char *options_name_at(const void *user, size_t index) {
    const CliCommand *command = user;
    const CliFlag *flag = command->flags;
    while (flag->name != NULL && index > 0) {
        flag++;
        index--;
    }
    if (flag->name != NULL) {
        return flag->name;
    }
    const VMMOption *option = command->takes_options ? vmm_option_at(index) : NULL;
    return option != NULL ? option->name : NULL;
}

static int options_unknown(const OptionsParser *parser, const char *name) {
    const CliCommand *command = parser->command;
    const char *nearest =
        strlen(name) > 1 ? vmm_nearest_name(name, options_name_at, command) : NULL;
    if (nearest != NULL) {
        return cli_usage_error(command->name, "unknown flag --%s; did you mean --%s?", name,
                               nearest);
    }
    char *found = cli_excerpt(name, strlen(name));
    int status = cli_usage_error(command->name, "unknown flag --%s", found);
    free(found);
    return status;
}

static int options_unknown_letter(const OptionsParser *parser, char letter, const char *word) {
    if (word[2] == '\0') {
        return cli_usage_error(parser->command->name, "unknown flag %s", word);
    }
    return cli_usage_error(parser->command->name,
                           "unknown flag -%c in '%s'; long flags begin with "
                           "two dashes",
                           letter, word);
}

/* ---- Taking them ---------------------------------------------------------------------------- */

static bool options_is_switch(OptionsFlag flag) {
    return flag.own != NULL && flag.own->metavar == NULL;
}

static void options_switch_on(const OptionsParser *parser, const CliFlag *flag) {
    bool *value = (bool *)((char *)parser->values + flag->offset);
    *value = true;
    if (strcmp(flag->name, "help") == 0) {
        parser->arguments->help = true;
    }
}

static void options_take(const OptionsParser *parser, OptionsFlag flag, const char *value) {
    CliArguments *arguments = parser->arguments;
    if (flag.own != NULL) {
        const char **place = (const char **)(void *)((char *)parser->values + flag.own->offset);
        *place = value;
    } else {
        arguments->settings[arguments->setting_count++] = (CliSetting){flag.machine, value};
    }
}

/* The value of a flag: `attached` if there is one, else the next word. */
static int options_take_value(OptionsParser *parser, OptionsFlag flag, const char *written,
                              const char *attached) {
    if (attached == NULL && parser->next < parser->argc) {
        attached = parser->argv[parser->next++];
    }
    if (attached == NULL) {
        return cli_usage_error(parser->command->name, "%s needs a value: %s %s", written, written,
                               flag.own != NULL ? flag.own->metavar : flag.machine->metavar);
    }
    if (flag.own != NULL && *attached == '\0') {
        return cli_usage_error(parser->command->name, "%s: the value is empty", written);
    }
    options_take(parser, flag, attached);
    return CLI_OK;
}

static int options_parse_long(OptionsParser *parser, const char *word) {
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    char *name = cli_copy(word + 2, length - 2);
    char *written = cli_copy(word, length);
    OptionsFlag flag = options_find_long(parser->command, name);
    int status = CLI_OK;
    if (flag.own == NULL && flag.machine == NULL) {
        status = options_unknown(parser, name);
    } else if (options_is_switch(flag) && equals != NULL) {
        status = cli_usage_error(parser->command->name, "%s takes no value", written);
    } else if (options_is_switch(flag)) {
        options_switch_on(parser, flag.own);
    } else {
        status = options_take_value(parser, flag, written, equals != NULL ? equals + 1 : NULL);
    }
    free(name);
    free(written);
    return status;
}

static int options_parse_short(OptionsParser *parser, const char *word) {
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        OptionsFlag flag = options_find_short(parser->command, *letter);
        char written[3] = {'-', *letter, '\0'};
        if (flag.own == NULL && flag.machine == NULL) {
            return options_unknown_letter(parser, *letter, word);
        }
        if (!options_is_switch(flag)) {
            return options_take_value(parser, flag, written, letter[1] != '\0' ? letter + 1 : NULL);
        }
        options_switch_on(parser, flag.own);
    }
    return CLI_OK;
}

static int options_parse_word(OptionsParser *parser, char *word) {
    if (!parser->command->takes_words) {
        char *found = cli_excerpt(word, strlen(word));
        int status = cli_usage_error(parser->command->name, "left-over word '%s'%s", found,
                                     cli_flag_find(parser->command, "trace") != NULL
                                         ? "; a trace is named with -t FILE"
                                         : "");
        free(found);
        return status;
    }
    parser->arguments->words[parser->arguments->word_count++] = word;
    return CLI_OK;
}

int cli_parse(const CliCommand *command, int argc, char **argv, void *values,
              CliArguments *arguments) {
    OptionsParser parser = {
        .command = command, .argv = argv, .argc = argc, .values = values, .arguments = arguments};
    bool only_words = false;
    int status = CLI_OK;
    *arguments = (CliArguments){.settings = cli_alloc((size_t)argc + 1, sizeof(CliSetting)),
                                .words = cli_alloc((size_t)argc + 1, sizeof(char *))};
    while (parser.next < argc && status == CLI_OK) {
        char *word = argv[parser.next++];
        if (only_words || word[0] != '-' || word[1] == '\0') {
            status = options_parse_word(&parser, word);
            only_words = only_words || command->words_end_flags;
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
        } else if (word[1] == '-') {
            status = options_parse_long(&parser, word);
        } else {
            status = options_parse_short(&parser, word);
        }
    }
    return status;
}

void cli_arguments_free(CliArguments *arguments) {
    free(arguments->settings);
    free(arguments->words);
    *arguments = (CliArguments){0};
}

int cli_take_trace(const CliCommand *command, const CliArguments *arguments, const char **trace) {
    size_t named = (*trace != NULL) + arguments->word_count;
    if (named != 1) {
        return cli_usage_error(command->name,
                               named == 0 ? "no trace is named; say vmm %s TRACE"
                                          : "more than one trace is named to vmm %s",
                               command->name);
    }
    if (arguments->word_count > 0) {
        *trace = arguments->words[0];
    }
    return CLI_OK;
}

/* ---- Configuration -------------------------------------------------------------------------- */

static int options_set(const CliCommand *command, const CliSetting *setting, VMMConfig *config) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    if (vmm_config_set(config, setting->option->name, setting->value, error) == VMM_OK) {
        return CLI_OK;
    }
    return cli_usage_error(command->name, "%s", error);
}

int cli_configure(const CliCommand *command, const CliArguments *arguments, const char *file,
                  VMMConfig *config) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    vmm_config_init_default(config);
    if (file != NULL && vmm_config_load(config, file, error) != VMM_OK) {
        cli_error("%s", error);
        return CLI_FAILURE;
    }
    for (size_t i = 0; i < arguments->setting_count; i++) {
        if (options_set(command, &arguments->settings[i], config) != CLI_OK) {
            return CLI_FAILURE;
        }
    }
    return CLI_OK;
}

int cli_check_policy(const CliCommand *command, const VMMConfig *config, const char *policy) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMConfig asked = *config;
    int code = vmm_config_set(&asked, "policy", policy, error);
    if (code == VMM_OK) {
        vmm_config_set(&asked, "frames", "1", NULL); /* one is enough to ask */
        code = vmm_config_check(&asked, error);
    }
    return code == VMM_OK ? CLI_OK : cli_config_error(command->name, code, error);
}

int cli_parse_threads(const CliCommand *command, const char *text, uint32_t *threads) {
    enum { MOST = 64 };
    const char *digits = text != NULL ? text : "1";
    char *end;
    unsigned long value = strtoul(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || *end != '\0' || value > MOST) {
        return cli_usage_error(command->name, "--threads is \"%s\", expected a number from 0 to %d",
                               digits, MOST);
    }
    *threads = (uint32_t)value;
    return CLI_OK;
}

const char *cli_config_text(const VMMConfig *config, const char *name,
                            char value[CLI_VALUE_BYTES]) {
    value[0] = '\0';
    vmm_config_get(config, name, value, CLI_VALUE_BYTES);
    return value;
}

/* vmm_config_get() writes sizes as a number and at most one unit letter, a power of 1024. */
unsigned cli_config_address_bits(const VMMConfig *config) {
    char name[CLI_VALUE_BYTES];
    const VMMPageTableInfo *info;
    cli_config_text(config, "pt-type", name);
    for (size_t i = 0; (info = vmm_page_table_at(i)) != NULL; i++) {
        if (cli_name_matches(info->name, name)) {
            return info->address_bits;
        }
    }
    return 64;
}

uint64_t cli_config_bytes(const VMMConfig *config, const char *name) {
    static const char units[] = "KMGTPE";
    char value[CLI_VALUE_BYTES];
    char *end;
    double bytes = strtod(cli_config_text(config, name, value), &end);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
    for (long i = unit != NULL ? unit - units : -1; i >= 0; i--) {
        bytes *= 1024.0;
    }
    return (uint64_t)bytes;
}
