/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The axes of a sweep: lists of values, from flags and from an experiment file.
 *
 *     --frames 100,200,400            a list
 *     --frames 64..4096*2             64, 128, ... 4096: each twice the one before
 *     --ram 1M..4M+512K               1M, 1536K, ... 4M: steps of 512K
 *     -a clock:bits=2,enter=0,lru     two policies; "all" is every one
 *
 * An experiment file has a line for each axis, and one for each trace:
 *
 *     trace = sort.vmt                # may stand several times
 *     policy = lru, clock, opt
 *     tlb-size/tlb-ways = 16/4, 64/4, 64/full      varied together, not multiplied
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

/* ---- Ranges --------------------------------------------------------------------------------- */

/* The number that a value stands for: a plain count, or bytes. */
static uint64_t sweepaxes_number(const VMMConfig *config, const VMMOption *option) {
    char value[CLI_VALUE_BYTES];
    if (option->type != VMM_OPTION_COUNT) {
        return cli_config_bytes(config, option->name);
    }
    return strtoull(cli_config_text(config, option->name, value), NULL, 10);
}

static bool sweepaxes_takes_ranges(const VMMOption *option) {
    return option->type == VMM_OPTION_COUNT || option->type == VMM_OPTION_SIZE ||
           option->type == VMM_OPTION_SIZE_MB;
}

/* Reads one number of a range, as the option reads its values. */
static int sweepaxes_read_number(const CliCommand *command, const SweepPlan *plan,
                                 const SweepAxis *axis, const char *text, size_t length,
                                 uint64_t *number) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMConfig config = plan->base;
    char *value = cli_copy(text, length);
    int code = vmm_config_set(&config, axis->options[0]->name, value, error);
    free(value);
    if (code != VMM_OK) {
        return cli_usage_error(command->name, "%s: %s", axis->origin, error);
    }
    *number = sweepaxes_number(&config, axis->options[0]);
    return CLI_OK;
}

static int sweepaxes_bad_range(const CliCommand *command, const SweepAxis *axis, const char *text) {
    return cli_usage_error(command->name,
                           "%s: the range \"%s\" is not FIRST..LAST*FACTOR with a factor of 2 or "
                           "more, nor FIRST..LAST+STEP, with FIRST at most LAST",
                           axis->origin, text);
}

/* FIRST..LAST*FACTOR or FIRST..LAST+STEP, as the numbers it stands for. */
static int sweepaxes_add_range(const CliCommand *command, const SweepPlan *plan, SweepAxis *axis,
                               CliWords *words, const char *text) {
    const char *dots = strstr(text, "..");
    const char *last = dots + 2;
    size_t last_length = strcspn(last, "*+");
    const char *by = last + last_length;
    uint64_t from, to, step = 0;
    int status = sweepaxes_read_number(command, plan, axis, text, (size_t)(dots - text), &from);
    if (status == CLI_OK) {
        status = sweepaxes_read_number(command, plan, axis, last, last_length, &to);
    }
    if (status == CLI_OK && *by == '+') {
        status = sweepaxes_read_number(command, plan, axis, by + 1, strlen(by + 1), &step);
    } else if (status == CLI_OK && *by == '*') {
        char *end;
        step = strtoull(by + 1, &end, 10);
        step = end == by + 1 || *end != '\0' || step < 2 ? 0 : step;
    }
    if (status != CLI_OK) {
        return status;
    }
    if (step == 0 || from == 0 || from > to) {
        return sweepaxes_bad_range(command, axis, text);
    }
    const char *unit = axis->options[0]->type == VMM_OPTION_COUNT ? "" : "B";
    for (uint64_t at = from; at <= to && words->count <= SWEEP_MOST_ROWS;) {
        cli_words_add(words, cli_format("%" PRIu64 "%s", at, unit));
        if ((*by == '+' ? to - at : to / at) < step) {
            break;
        }
        at = *by == '+' ? at + step : at * step;
    }
    return CLI_OK;
}

/* ---- Lists ---------------------------------------------------------------------------------- */

/* Checks one value and adds it as the library writes it: "64" of RAM becomes "64M". */
static int sweepaxes_add_value(const CliCommand *command, const SweepPlan *plan, SweepAxis *axis,
                               const VMMOption *option, const char *text) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    char value[CLI_VALUE_BYTES];
    VMMConfig config = plan->base;
    int code = vmm_config_set(&config, option->name, text, error);
    cli_config_text(&config, option->name, value);
    if (code == VMM_OK &&
        (option->type == VMM_OPTION_POLICY || option->type == VMM_OPTION_PAGE_TABLE)) {
        VMMConfig alone; /* there is such a thing: any machine can tell */
        vmm_config_init_default(&alone);
        vmm_config_set(&alone, option->name, text, NULL);
        code = vmm_config_check(&alone, error);
    }
    if (code != VMM_OK) {
        char *where = cli_format("%s: %s", axis->origin, error);
        int status = cli_config_error(command->name, code, where);
        free(where);
        return status;
    }
    cli_words_add(&axis->values, cli_format("%s", value));
    return CLI_OK;
}

/* The parts of a value of options that vary together: "16/4". */
static int sweepaxes_add_together(const CliCommand *command, const SweepPlan *plan, SweepAxis *axis,
                                  const char *text) {
    const char *part = text;
    for (size_t i = 0; i < axis->option_count; i++) {
        size_t length = strcspn(part, "/");
        bool last = i + 1 == axis->option_count;
        if ((part[length] == '\0') != last) {
            return cli_usage_error(command->name, "%s: \"%s\" has not %zu parts divided by '/'",
                                   axis->origin, text, axis->option_count);
        }
        char *value = cli_copy(part, length);
        int status = sweepaxes_add_value(command, plan, axis, axis->options[i], value);
        free(value);
        if (status != CLI_OK) {
            return status;
        }
        part += length + 1;
    }
    return CLI_OK;
}

static int sweepaxes_add_word(const CliCommand *command, const SweepPlan *plan, SweepAxis *axis,
                              const char *text) {
    if (axis->option_count > 1) {
        return sweepaxes_add_together(command, plan, axis, text);
    }
    if (strstr(text, "..") == NULL || !sweepaxes_takes_ranges(axis->options[0])) {
        return sweepaxes_add_value(command, plan, axis, axis->options[0], text);
    }
    CliWords words = {0};
    int status = sweepaxes_add_range(command, plan, axis, &words, text);
    for (size_t i = 0; i < words.count && status == CLI_OK; i++) {
        status = sweepaxes_add_value(command, plan, axis, axis->options[0], words.items[i]);
    }
    cli_words_free(&words);
    return status;
}

static char *sweepaxes_trimmed(char *text) {
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text + strspn(text, " \t");
}

static int sweepaxes_check_twice(const CliCommand *command, const SweepAxis *axis) {
    size_t width = axis->option_count;
    for (size_t i = 0; i < axis->values.count / width; i++) {
        for (size_t j = 0; j < i; j++) {
            size_t same = 0;
            while (same < width && strcmp(axis->values.items[i * width + same],
                                          axis->values.items[j * width + same]) == 0) {
                same++;
            }
            if (same == width) {
                return cli_usage_error(command->name, "%s: %s stands twice in the list",
                                       axis->origin, axis->values.items[i * width]);
            }
        }
    }
    return CLI_OK;
}

/* Fills the axis' values from the text of a list. */
static int sweepaxes_fill(const CliCommand *command, const SweepPlan *plan, SweepAxis *axis,
                          const char *text) {
    CliWords words = {0};
    bool policies = axis->option_count == 1 && axis->options[0]->type == VMM_OPTION_POLICY;
    int status = CLI_OK;
    if (policies && cli_name_matches(text, "all")) {
        cli_words_add_policies(&words);
    } else {
        cli_words_split(&words, text, policies);
    }
    if (words.count == 0) {
        status = cli_usage_error(command->name, "%s: the list is empty", axis->origin);
    }
    for (size_t i = 0; i < words.count && status == CLI_OK; i++) {
        char *word = sweepaxes_trimmed(words.items[i]);
        status = *word == '\0'
                     ? cli_usage_error(command->name, "%s: a value is missing between two commas",
                                       axis->origin)
                     : sweepaxes_add_word(command, plan, axis, word);
    }
    cli_words_free(&words);
    if (status == CLI_OK && axis->values.count / axis->option_count <= SWEEP_MANY_ROWS) {
        status = sweepaxes_check_twice(command, axis);
    }
    return status;
}

/* ---- The list of axes ----------------------------------------------------------------------- */

void sweep_free_axis(SweepAxis *axis) {
    cli_words_free(&axis->values);
    free(axis->origin);
}

static SweepAxis *sweepaxes_find(const SweepPlan *plan, const VMMOption *option) {
    for (size_t i = 0; i < plan->axis_count; i++) {
        for (size_t j = 0; j < plan->axes[i].option_count; j++) {
            if (plan->axes[i].options[j] == option) {
                return &plan->axes[i];
            }
        }
    }
    return NULL;
}

/* Keeps an axis: as a new one, or in the place of one of the same option. */
static void sweepaxes_keep(SweepPlan *plan, SweepAxis *old, const SweepAxis *axis) {
    if (old != NULL) {
        sweep_free_axis(old);
        *old = *axis;
        return;
    }
    plan->axes = cli_realloc(plan->axes, plan->axis_count + 1, sizeof *plan->axes);
    plan->axes[plan->axis_count++] = *axis;
}

int sweep_add_flag(const CliCommand *command, SweepPlan *plan, const CliSetting *setting) {
    SweepAxis axis = {.options = {setting->option},
                      .option_count = 1,
                      .origin = cli_format("--%s", setting->option->name)};
    SweepAxis *old = sweepaxes_find(plan, setting->option);
    int status = CLI_OK;
    if (old != NULL && old->option_count > 1) {
        status = cli_usage_error(command->name,
                                 "%s: %s varies it together with other options; one of the two "
                                 "must go",
                                 axis.origin, old->origin);
    } else {
        status = sweepaxes_fill(command, plan, &axis, setting->value);
    }
    if (status != CLI_OK) {
        sweep_free_axis(&axis);
        return status;
    }
    sweepaxes_keep(plan, old, &axis);
    return CLI_OK;
}

/* ---- The file ------------------------------------------------------------------------------- */

/* The options of a name like "tlb-size/tlb-ways". */
static int sweepaxes_name(const CliCommand *command, const SweepPlan *plan, SweepAxis *axis,
                          const char *name) {
    do {
        size_t length = strcspn(name, "/");
        char *copy = cli_copy(name, length);
        const VMMOption *option = vmm_option_find(sweepaxes_trimmed(copy));
        int status = CLI_OK;
        if (option == NULL) {
            status = cli_usage_error(command->name,
                                     "%s: there is no option \"%s\"; vmm list options shows all",
                                     axis->origin, sweepaxes_trimmed(copy));
        } else if (axis->option_count == SWEEP_TOGETHER) {
            status = cli_usage_error(command->name, "%s: more than %d options vary together",
                                     axis->origin, SWEEP_TOGETHER);
        } else if (sweepaxes_find(plan, option) != NULL) {
            status =
                cli_usage_error(command->name, "%s: %s has its values already, from %s",
                                axis->origin, option->name, sweepaxes_find(plan, option)->origin);
        }
        free(copy);
        if (status != CLI_OK) {
            return status;
        }
        axis->options[axis->option_count++] = option;
        name += length + (name[length] == '/');
    } while (*name != '\0');
    return CLI_OK;
}

/* One line: nothing, a trace, or an axis. */
static int sweepaxes_read_line(const CliCommand *command, SweepPlan *plan, char *line,
                               const char *path, unsigned number) {
    line[strcspn(line, "#")] = '\0';
    char *name = sweepaxes_trimmed(line);
    char *equals = strchr(name, '=');
    if (*name == '\0') {
        return CLI_OK;
    }
    if (equals == NULL || equals == name) {
        return cli_usage_error(command->name,
                               "%s:%u: found \"%.60s\", expected \"option = value, value, ...\"",
                               path, number, name);
    }
    *equals = '\0';
    char *value = sweepaxes_trimmed(equals + 1);
    name = sweepaxes_trimmed(name);
    if (cli_name_matches(name, "trace") && *value != '\0') {
        cli_words_add(&plan->traces, cli_format("%s", value));
        return CLI_OK;
    }
    SweepAxis axis = {.origin = cli_format("%s:%u: %s", path, number, name)};
    int status = sweepaxes_name(command, plan, &axis, name);
    if (status == CLI_OK) {
        status = sweepaxes_fill(command, plan, &axis, value);
    }
    if (status != CLI_OK) {
        sweep_free_axis(&axis);
        return status;
    }
    sweepaxes_keep(plan, NULL, &axis);
    return CLI_OK;
}

int sweep_read_file(const CliCommand *command, SweepPlan *plan, const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    int status = CLI_OK;
    if (file == NULL) {
        cli_error("%s: cannot open the experiment: %s", path, strerror(errno));
        return CLI_FAILURE;
    }
    for (unsigned number = 1; status == CLI_OK && getline(&line, &capacity, file) >= 0; number++) {
        status = sweepaxes_read_line(command, plan, line, path, number);
    }
    if (status == CLI_OK && ferror(file)) {
        cli_error("%s: cannot read the experiment: %s", path, strerror(errno));
        status = CLI_FAILURE;
    }
    free(line);
    fclose(file);
    return status;
}
