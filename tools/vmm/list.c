/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm list: the tables of the library, for people, for programs and for the documentation.
 *
 *     a list = names of columns + a function that fills the cells of a row
 *
 * The first column is the name, the last one what it means. One printer for each form (text,
 * JSON, Markdown) serves every list, so a new list is one entry in listcmd_tables. The form roff
 * is for the manual page and knows only the options and the verbs of vmm trace.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { LISTCMD_COLUMNS_MAX = 7 };

typedef struct ListTable {
    const char *name;
    const char *summary;
    bool stacked; /* the columns between first and last stand on lines of their own */
    const char *columns[LISTCMD_COLUMNS_MAX + 1];
    bool (*row)(size_t index, char *cells[LISTCMD_COLUMNS_MAX]); /* false past the last */
} ListTable;

/* ---- Rows ----------------------------------------------------------------------------------- */

static char *listcmd_cell(const char *text) {
    return cli_format("%s", text != NULL ? text : "");
}

/* "bits=1 (1..8): bits of the counter", "variant=paper|other: whose rules", one after the other. */
static char *listcmd_parameters(const VMMPolicyParameter *parameter) {
    char *text = cli_format("%s", "");
    for (; parameter != NULL && parameter->name != NULL; parameter++) {
        const char *sep = *text != '\0' ? "; " : "";
        char *longer = parameter->choices != NULL
                           ? cli_format("%s%s%s=%s: %s", text, sep, parameter->name,
                                        parameter->choices, parameter->help)
                           : cli_format("%s%s%s=%llu (%llu..%llu): %s", text, sep, parameter->name,
                                        (unsigned long long)parameter->default_value,
                                        (unsigned long long)parameter->min,
                                        (unsigned long long)parameter->max, parameter->help);
        free(text);
        text = longer;
    }
    return text;
}

static bool listcmd_policy_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    const VMMPolicyInfo *info = vmm_policy_at(index);
    if (info == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(info->name);
    cells[1] = listcmd_cell(info->label);
    cells[2] = listcmd_cell(vmm_policy_needs_text(info->needs));
    cells[3] = listcmd_parameters(info->parameters);
    cells[4] = listcmd_cell(info->source);
    cells[5] = listcmd_cell(info->summary);
    return true;
}

static bool listcmd_format_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    if (vmm_trace_format_name(index) == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(vmm_trace_format_name(index));
    cells[1] = listcmd_cell(vmm_trace_format_help(index));
    return true;
}

static bool listcmd_output_format_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    if (vmm_trace_writer_format_name(index) == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(vmm_trace_writer_format_name(index));
    cells[1] = listcmd_cell(vmm_trace_writer_format_help(index));
    return true;
}

static bool listcmd_verb_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    const CliCommand *verb = cli_trace_command.verbs[index];
    if (verb == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(cli_verb_name(verb));
    cells[1] = cli_format("vmm %s %s", verb->name, verb->synopsis);
    cells[2] = listcmd_cell(verb->summary);
    return true;
}

/* What records: beside vmm record the compilers of vmm record --fast. */
static const CliCommand *const listcmd_recording[] = {&cli_record_command, &cli_cc_command,
                                                      &cli_cxx_command, NULL};

static bool listcmd_recording_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    const CliCommand *command = listcmd_recording[index];
    if (command == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(command->name);
    cells[1] = cli_format("vmm %s %s", command->name, command->synopsis);
    cells[2] = listcmd_cell(command->summary);
    return true;
}

static bool listcmd_page_table_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    const VMMPageTableInfo *info = vmm_page_table_at(index);
    if (info == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(info->name);
    cells[1] = listcmd_cell(info->label);
    cells[2] = listcmd_cell(info->summary);
    return true;
}

static bool listcmd_counter_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    const VMMStatInfo *info = vmm_stat_at(index);
    if (info == NULL) {
        return false;
    }
    bool is_class = info->offset >= offsetof(VMMStats, faults);
    cells[0] = listcmd_cell(info->name);
    cells[1] = listcmd_cell(info->unit);
    cells[2] = is_class ? cli_format("%s; in JSON fault_classes.%s", info->help,
                                     info->name + strlen("fault_"))
                        : listcmd_cell(info->help);
    return true;
}

static bool listcmd_fault_class_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    const char *name = index < VMM_FAULT_CLASS_COUNT ? vmm_fault_class_name((int)index) : NULL;
    if (name == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(name);
    cells[1] = listcmd_cell(index == VMM_FAULT_invalid             ? "neither"
                            : vmm_fault_class_is_major((int)index) ? "major"
                                                                   : "minor");
    cells[2] = listcmd_cell(vmm_fault_class_help((int)index));
    return true;
}

/* ---- Rows of options ------------------------------------------------------------------------ */

static char *listcmd_size(uint64_t bytes) {
    static const char units[] = "BKMGT";
    size_t unit = 0;
    for (; bytes != 0 && bytes % 1024 == 0 && units[unit + 1] != '\0'; unit++) {
        bytes /= 1024;
    }
    return cli_format("%" PRIu64 "%c", bytes, units[unit]);
}

static char *listcmd_duration(uint64_t picoseconds) {
    static const char *const units[] = {"ps", "ns", "us", "ms", "s"};
    size_t unit = 0;
    for (; picoseconds != 0 && picoseconds % 1000 == 0 && unit < 4; unit++) {
        picoseconds /= 1000;
    }
    return cli_format("%" PRIu64 "%s", picoseconds, units[unit]);
}

static char *listcmd_bound(const VMMOption *option, uint64_t value) {
    switch (option->type) {
    case VMM_OPTION_SIZE:
    case VMM_OPTION_SIZE_MB:
        return listcmd_size(value);
    case VMM_OPTION_DURATION:
        return listcmd_duration(value);
    default:
        break;
    }
    return value == UINT64_MAX ? cli_format("2^64-1") : cli_format("%" PRIu64, value);
}

/* What the option may be set to: words, or numbers between bounds. */
static char *listcmd_values(const VMMOption *option) {
    if (option->type == VMM_OPTION_CHOICE) {
        return listcmd_cell(option->choices);
    }
    if (option->type == VMM_OPTION_SWITCH) {
        return listcmd_cell("on|off");
    }
    if (option->type == VMM_OPTION_POLICY) {
        return listcmd_cell("see vmm list policies");
    }
    if (option->type == VMM_OPTION_PAGE_TABLE) {
        return listcmd_cell("see vmm list page-tables");
    }
    if (option->type == VMM_OPTION_GROUPS) {
        return listcmd_cell("none, or NAME=SIZE:PID,PID and more of them behind a +");
    }
    char *low = listcmd_bound(option, option->min);
    char *high = listcmd_bound(option, option->max);
    char *values = option->choices == NULL ? cli_format("%s to %s", low, high)
                                           : cli_format("%s to %s, %s", low, high, option->choices);
    free(low);
    free(high);
    return values;
}

static char *listcmd_spellings(const VMMOption *option) {
    char *letter = option->letter != 0 ? cli_format("-%c, ", option->letter) : listcmd_cell("");
    char *alias = option->alias != NULL ? cli_format(", --%s", option->alias) : listcmd_cell("");
    char *flags = cli_format("%s--%s%s %s", letter, option->name, alias, option->metavar);
    free(letter);
    free(alias);
    return flags;
}

static bool listcmd_option_row(size_t index, char *cells[LISTCMD_COLUMNS_MAX]) {
    const VMMOption *option = vmm_option_at(index);
    if (option == NULL) {
        return false;
    }
    cells[0] = listcmd_cell(option->name);
    cells[1] = listcmd_spellings(option);
    cells[2] = listcmd_values(option);
    cells[3] = listcmd_cell(option->default_text);
    cells[4] = listcmd_cell(option->group);
    cells[5] = listcmd_cell(option->help);
    return true;
}

static const ListTable listcmd_tables[] = {
    {"policies",
     "replacement policies",
     true,
     {"name", "label", "needs", "parameters", "source", "summary", NULL},
     listcmd_policy_row},
    {"formats",
     "formats of traces that can be read",
     false,
     {"name", "meaning", NULL},
     listcmd_format_row},
    {"output-formats",
     "formats that traces can be written in",
     false,
     {"name", "meaning", NULL},
     listcmd_output_format_row},
    {"trace-verbs",
     "what vmm trace can do",
     true,
     {"name", "synopsis", "meaning", NULL},
     listcmd_verb_row},
    {"recording",
     "what records a program",
     true,
     {"name", "synopsis", "meaning", NULL},
     listcmd_recording_row},
    {"page-tables",
     "organisations of page tables",
     false,
     {"name", "label", "summary", NULL},
     listcmd_page_table_row},
    {"options",
     "options of the machine: flags, configuration keys, API names",
     true,
     {"name", "flags", "values", "default", "group", "meaning", NULL},
     listcmd_option_row},
    {"counters", "what is counted", false, {"name", "unit", "meaning", NULL}, listcmd_counter_row},
    {"fault-classes",
     "classes of page faults, in order of precedence",
     false,
     {"name", "kind", "meaning", NULL},
     listcmd_fault_class_row},
};

enum { LISTCMD_TABLE_COUNT = sizeof listcmd_tables / sizeof listcmd_tables[0] };

/* ---- Forms ---------------------------------------------------------------------------------- */

static size_t listcmd_column_count(const ListTable *table) {
    size_t count = 0;
    while (table->columns[count] != NULL) {
        count++;
    }
    return count;
}

static void listcmd_free_row(const ListTable *table, char *cells[LISTCMD_COLUMNS_MAX]) {
    for (size_t i = 0; i < listcmd_column_count(table); i++) {
        free(cells[i]);
    }
}

static void listcmd_widths(const ListTable *table, int widths[LISTCMD_COLUMNS_MAX]) {
    char *cells[LISTCMD_COLUMNS_MAX] = {NULL};
    size_t count = listcmd_column_count(table);
    for (size_t i = 0; i < count; i++) {
        widths[i] = (int)strlen(table->columns[i]);
    }
    for (size_t row = 0; table->row(row, cells); row++) {
        for (size_t i = 0; i < count; i++) {
            if ((int)strlen(cells[i]) > widths[i]) {
                widths[i] = (int)strlen(cells[i]);
            }
        }
        listcmd_free_row(table, cells);
    }
}

static void listcmd_print_columns(const ListTable *table, char *cells[LISTCMD_COLUMNS_MAX],
                                  const int widths[LISTCMD_COLUMNS_MAX]) {
    size_t last = listcmd_column_count(table) - 1;
    int column = 0;
    for (size_t i = 0; i < last; i++) {
        column += printf("%-*s  ", widths[i], cells[i]);
    }
    cli_print_wrapped(cells[last], column, column);
}

static void listcmd_print_stacked(const ListTable *table, char *cells[LISTCMD_COLUMNS_MAX],
                                  const int widths[LISTCMD_COLUMNS_MAX]) {
    size_t last = listcmd_column_count(table) - 1;
    int indent = widths[0] + 2;
    printf("%-*s  ", widths[0], cells[0]);
    cli_print_wrapped(cells[last], indent, indent);
    for (size_t i = 1; i < last; i++) {
        if (cells[i][0] == '\0') {
            continue;
        }
        int column = printf("%*s%s: ", indent, "", table->columns[i]);
        cli_print_wrapped(cells[i], column, column);
    }
}

static void listcmd_print_text(const ListTable *table) {
    int widths[LISTCMD_COLUMNS_MAX] = {0};
    char *cells[LISTCMD_COLUMNS_MAX] = {NULL};
    listcmd_widths(table, widths);
    if (!table->stacked) {
        for (size_t i = 0; table->columns[i] != NULL; i++) {
            cells[i] = listcmd_cell(table->columns[i]);
        }
        listcmd_print_columns(table, cells, widths);
        listcmd_free_row(table, cells);
    }
    for (size_t row = 0; table->row(row, cells); row++) {
        if (table->stacked) {
            listcmd_print_stacked(table, cells, widths);
        } else {
            listcmd_print_columns(table, cells, widths);
        }
        listcmd_free_row(table, cells);
    }
}

/* The texts of the tables are ASCII. */
static void listcmd_print_json_text(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('"');
}

static void listcmd_print_json(const ListTable *table) {
    char *cells[LISTCMD_COLUMNS_MAX] = {NULL};
    fputs("[", stdout);
    for (size_t row = 0; table->row(row, cells); row++) {
        fputs(row == 0 ? "\n  {" : ",\n  {", stdout);
        for (size_t i = 0; table->columns[i] != NULL; i++) {
            printf("%s\"%s\": ", i == 0 ? "" : ", ", table->columns[i]);
            listcmd_print_json_text(cells[i]);
        }
        fputs("}", stdout);
        listcmd_free_row(table, cells);
    }
    fputs("\n]\n", stdout);
}

/* Names stand as code; a '|' within a cell would end it. */
static void listcmd_print_markdown_cell(const char *text, bool code) {
    fputs(code ? " `" : " ", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            putchar('\\');
        }
        putchar(*text);
    }
    fputs(code ? "` |" : " |", stdout);
}

static void listcmd_print_markdown(const ListTable *table) {
    char *cells[LISTCMD_COLUMNS_MAX] = {NULL};
    fputs("|", stdout);
    for (size_t i = 0; table->columns[i] != NULL; i++) {
        printf(" %s |", table->columns[i]);
    }
    fputs("\n|", stdout);
    for (size_t i = 0; table->columns[i] != NULL; i++) {
        fputs("---|", stdout);
    }
    fputs("\n", stdout);
    for (size_t row = 0; table->row(row, cells); row++) {
        fputs("|", stdout);
        for (size_t i = 0; table->columns[i] != NULL; i++) {
            listcmd_print_markdown_cell(cells[i], i == 0);
        }
        fputs("\n", stdout);
        listcmd_free_row(table, cells);
    }
}

/* ---- The manual page ------------------------------------------------------------------------ */

static void listcmd_print_roff_text(const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '-') {
            putchar('\\');
        }
        if (*text == '\\') {
            fputs("\\e", stdout);
        } else {
            putchar(*text);
        }
    }
}

static void listcmd_print_roff_flag(char letter, const char *name, const char *metavar) {
    fputs(".TP\n", stdout);
    if (letter != 0) {
        printf("\\fB\\-%c\\fR, ", letter);
    }
    fputs("\\fB\\-\\-", stdout);
    listcmd_print_roff_text(name);
    fputs("\\fR", stdout);
    if (metavar != NULL) {
        fputs(" \\fI", stdout);
        listcmd_print_roff_text(metavar);
        fputs("\\fR", stdout);
    }
    fputs("\n", stdout);
}

static void listcmd_print_roff_option(const VMMOption *option) {
    char *values = listcmd_values(option);
    listcmd_print_roff_flag(option->letter, option->name, option->metavar);
    listcmd_print_roff_text(option->help);
    fputs(".\nValues: ", stdout);
    listcmd_print_roff_text(values);
    fputs(". Default: ", stdout);
    listcmd_print_roff_text(option->default_text);
    fputs(".\n", stdout);
    free(values);
}

static void listcmd_print_roff_command(const CliCommand *command) {
    const char *group = "";
    for (const CliFlag *flag = command->flags; flag->name != NULL; flag++) {
        if (strcmp(flag->group, group) != 0) {
            printf(".SS %s\n", flag->group);
        }
        group = flag->group;
        listcmd_print_roff_flag(flag->letter, flag->name, flag->metavar);
        listcmd_print_roff_text(flag->help);
        fputs(".\n", stdout);
    }
}

static void listcmd_print_roff_command_flag(const CliFlag *flag) {
    listcmd_print_roff_flag(flag->letter, flag->name, flag->metavar);
    listcmd_print_roff_text(flag->help);
    fputs(".\n", stdout);
    if (flag->default_text != NULL) {
        fputs("Default: ", stdout);
        listcmd_print_roff_text(flag->default_text);
        fputs(".\n", stdout);
    }
}

/* A command in a section of its own, up to its flags. */
static void listcmd_print_roff_usage(const CliCommand *command) {
    printf(".SS vmm %s ", command->name);
    listcmd_print_roff_text(command->synopsis);
    fputs("\n", stdout);
    listcmd_print_roff_text(command->story);
    fputs("\n", stdout);
}

/* The flags of a verb that are its own, or, with `common`, those that all verbs have. */
static void listcmd_print_roff_verb_flags(const CliCommand *verb, bool common) {
    const CliCommand *plain = cli_verb_find(&cli_trace_command, "cat");
    for (const CliFlag *flag = verb->flags; flag->name != NULL; flag++) {
        if ((cli_flag_find(plain, flag->name) != NULL) == common) {
            listcmd_print_roff_command_flag(flag);
        }
    }
}

static void listcmd_print_roff_verbs(void) {
    for (const CliCommand *const *verb = cli_trace_command.verbs; *verb != NULL; verb++) {
        listcmd_print_roff_usage(*verb);
        listcmd_print_roff_verb_flags(*verb, false);
    }
    puts(".SS Flags of all verbs");
    listcmd_print_roff_verb_flags(cli_verb_find(&cli_trace_command, "cat"), true);
}

static void listcmd_print_roff_recording(void) {
    for (const CliCommand *const *command = listcmd_recording; *command != NULL; command++) {
        listcmd_print_roff_usage(*command);
        for (const CliFlag *flag = (*command)->flags; flag->name != NULL; flag++) {
            listcmd_print_roff_command_flag(flag);
        }
    }
}

static void listcmd_print_roff_options(void) {
    const VMMOption *option;
    const char *group = "";
    listcmd_print_roff_command(&cli_sim_command);
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        if (strcmp(option->group, group) != 0) {
            printf(".SS %s\n", option->group);
        }
        group = option->group;
        listcmd_print_roff_option(option);
    }
}

/* ---- The sub-command ------------------------------------------------------------------------ */

typedef struct ListFlags {
    bool json, markdown, roff, help;
} ListFlags;

static const CliFlag listcmd_flags[] = {
    {"json", NULL, 0, NULL, NULL, "Form", "an array of objects", offsetof(ListFlags, json)},
    {"markdown", NULL, 0, NULL, NULL, "Form", "a table for documentation",
     offsetof(ListFlags, markdown)},
    {"roff", NULL, 0, NULL, NULL, "Form",
     "entries for a manual page (options, trace-verbs and recording only)",
     offsetof(ListFlags, roff)},
    {"help", NULL, 'h', NULL, NULL, "Messages", "show this help", offsetof(ListFlags, help)},
    {NULL, NULL, 0, NULL, NULL, NULL, NULL, 0},
};

static const char *listcmd_name_at(const void *user, size_t index) {
    (void)user;
    return index < LISTCMD_TABLE_COUNT ? listcmd_tables[index].name : NULL;
}

static const ListTable *listcmd_find(const char *name) {
    for (size_t i = 0; i < LISTCMD_TABLE_COUNT; i++) {
        if (cli_name_matches(listcmd_tables[i].name, name)) {
            return &listcmd_tables[i];
        }
    }
    return NULL;
}

static int listcmd_print_table(const ListFlags *flags, const ListTable *table) {
    if (flags->roff && strcmp(table->name, "options") == 0) {
        listcmd_print_roff_options();
    } else if (flags->roff && strcmp(table->name, "trace-verbs") == 0) {
        listcmd_print_roff_verbs();
    } else if (flags->roff && strcmp(table->name, "recording") == 0) {
        listcmd_print_roff_recording();
    } else if (flags->roff) {
        return cli_usage_error("list", "--roff knows only options, trace-verbs and recording");
    } else if (flags->json) {
        listcmd_print_json(table);
    } else if (flags->markdown) {
        listcmd_print_markdown(table);
    } else {
        listcmd_print_text(table);
    }
    return CLI_OK;
}

/* Without a word: what lists there are, and the names on them. */
static int listcmd_print_names(void) {
    char *cells[LISTCMD_COLUMNS_MAX] = {NULL};
    for (size_t i = 0; i < LISTCMD_TABLE_COUNT; i++) {
        const ListTable *table = &listcmd_tables[i];
        char *names = listcmd_cell("");
        for (size_t row = 0; table->row(row, cells); row++) {
            char *longer = cli_format("%s%s%s", names, row == 0 ? "" : " ", cells[0]);
            free(names);
            names = longer;
            listcmd_free_row(table, cells);
        }
        printf("%s%s: %s\n", i == 0 ? "" : "\n", table->name, table->summary);
        cli_print_wrapped(names, 4, 0);
        free(names);
    }
    return CLI_OK;
}

static int listcmd_print_words(const ListFlags *flags, const CliArguments *arguments) {
    if (flags->json + flags->markdown + flags->roff > 1) {
        return cli_usage_error("list", "--json, --markdown and --roff exclude each other");
    }
    if (arguments->word_count > 1) {
        return cli_usage_error("list", "left-over word '%s'", arguments->words[1]);
    }
    if (arguments->word_count == 1) {
        const ListTable *table = listcmd_find(arguments->words[0]);
        if (table != NULL) {
            return listcmd_print_table(flags, table);
        }
        const char *nearest = vmm_nearest_name(arguments->words[0], listcmd_name_at, NULL);
        return cli_usage_error("list", "there is no list '%s'%s%s%s", arguments->words[0],
                               nearest != NULL ? "; did you mean '" : "",
                               nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    }
    if (flags->json || flags->markdown || flags->roff) {
        return cli_usage_error("list", "say which list");
    }
    return listcmd_print_names();
}

static int listcmd_run(const CliCommand *command, int argc, char **argv) {
    ListFlags flags = {0};
    CliArguments arguments;
    int status = cli_parse(command, argc, argv, &flags, &arguments);
    if (status == CLI_OK && arguments.help) {
        status = cli_print_help(command);
    } else if (status == CLI_OK) {
        status = listcmd_print_words(&flags, &arguments);
    }
    cli_arguments_free(&arguments);
    return status;
}

const CliCommand cli_list_command = {
    .name = "list",
    .summary = "show policies, trace formats, page tables, options, counters",
    .synopsis = "[LIST] [--json | --markdown | --roff]",
    .story = "Shows what there is to choose from and what is counted. Without a word it names "
             "everything; with the name of a list it explains each entry. The lists are policies, "
             "formats, output-formats, trace-verbs, recording, page-tables, options, counters "
             "and fault-classes.",
    .examples = "vmm list policies\n"
                "vmm list counters --json",
    .flags = listcmd_flags,
    .takes_words = true,
    .run = listcmd_run,
};
