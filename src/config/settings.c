/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option table at work: defaults, setting by name, showing, checking.
 *
 * The table is built once by the preprocessor from options.def; where a value lies in Settings is
 * an offset beside it. Everything a user can set goes through config_set_option(), so a bound is
 * checked in one place whichever way the value came.
 */
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/compiler.h"
#include "../base/number.h"
#include "groups.h"

#define X(field, name, alias, letter, type, metavar, dflt, min, max, choices, group, help) \
    {name, alias, letter, VMM_OPTION_##type, metavar, dflt, min, max, choices, group, help},
static const VMMOption option_table[] = {
#include "options.def"
};
#undef X

#define X(field, name, alias, letter, type, metavar, dflt, min, max, choices, group, help) \
    offsetof(Settings, field),
static const size_t option_offsets[] = {
#include "options.def"
};
#undef X

_Static_assert(VMM_COUNT_OF(option_table) <= 8 * sizeof(((Settings *)0)->given),
               "Settings.given has a bit for each option");
_Static_assert(sizeof(Settings) <= sizeof(((VMMConfig *)0)->opaque), "Settings fit a VMMConfig");
_Static_assert(sizeof(VMMConfig) == VMM_CONFIG_BYTES, "no padding in VMMConfig");

size_t vmm_option_count(void) {
    return VMM_COUNT_OF(option_table);
}

const VMMOption *vmm_option_at(size_t index) {
    return index < VMM_COUNT_OF(option_table) ? &option_table[index] : NULL;
}

const VMMOption *vmm_option_find(const char *name) {
    for (size_t i = 0; name != NULL && i < VMM_COUNT_OF(option_table); i++) {
        const VMMOption *option = &option_table[i];
        if (name_matches(name, option->name) ||
            (option->alias != NULL && name_matches(name, option->alias))) {
            return option;
        }
    }
    return NULL;
}

static void *option_place(Settings *settings, const VMMOption *option) {
    return (char *)settings + option_offsets[option - option_table];
}

static void choice_word(const char *choices, uint64_t index, char *text, size_t size) {
    for (; index > 0; index--) {
        choices += strcspn(choices, "|") + 1;
    }
    snprintf(text, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

/* A bound or value as a user would write it. */
static void number_text(const VMMOption *option, uint64_t value, char *text, size_t size) {
    switch (option->type) {
    case VMM_OPTION_SIZE:
    case VMM_OPTION_SIZE_MB:
        number_format_size(value, text, size);
        break;
    case VMM_OPTION_DURATION:
        number_format_duration(value, text, size);
        break;
    default:
        snprintf(text, size, "%" PRIu64, value);
    }
}

static const char *number_form(VMMOptionType type) {
    switch (type) {
    case VMM_OPTION_SIZE:
        return "a size such as 4096, 4K or 2M";
    case VMM_OPTION_SIZE_MB:
        return "a size such as 64 (MiB), 512K or 4G";
    case VMM_OPTION_DURATION:
        return "a duration such as 100ns, 1.5us or 10ms";
    default:
        return "a whole number such as 100 or 64k";
    }
}

static int number_parse_option(const VMMOption *option, const char *text, uint64_t *value) {
    switch (option->type) {
    case VMM_OPTION_SIZE:
        return number_parse_size(text, 1, value);
    case VMM_OPTION_SIZE_MB:
        return number_parse_size(text, UINT64_C(1) << 20, value);
    case VMM_OPTION_DURATION:
        return number_parse_duration(text, value);
    default:
        return number_parse_count(text, value);
    }
}

/* The word that a number may be instead ("auto", "unlimited"), or NULL. It is stored as 0. */
static const char *word_for_zero(const VMMOption *option) {
    char first = option->default_text[0];
    return first < '0' || first > '9' ? option->default_text : NULL;
}

/* A word that stands for a number: "linux" of choices such as "linux=128K|...". `number` gets what
   it stands for; false: there is no such word. */
static bool word_for_number(const VMMOption *option, const char *text, char *number, size_t size) {
    const char *choices = option->choices;
    while (choices != NULL && *choices != '\0') {
        char word[32];
        size_t name = strcspn(choices, "=");
        size_t end = strcspn(choices, "|");
        snprintf(word, sizeof word, "%.*s", (int)name, choices);
        if (name_matches(text, word)) {
            snprintf(number, size, "%.*s", (int)(end - name - 1), choices + name + 1);
            return true;
        }
        choices += end + (choices[end] == '|');
    }
    return false;
}

static int set_number(const VMMOption *option, const char *text, uint64_t *place, Error *error) {
    uint64_t value;
    char number[32];
    const char *word = word_for_zero(option);
    if (word_for_number(option, text, number, sizeof number)) {
        text = number;
    }
    if (word != NULL && name_matches(text, word)) {
        *place = 0;
        return VMM_OK;
    }
    int status = number_parse_option(option, text, &value);
    if (status == NUMBER_BAD) {
        return error_set(error, VMM_E_USAGE, "%s: found \"%.60s\", expected %s", option->name, text,
                         number_form(option->type));
    }
    if (status == NUMBER_OVERFLOW || value < option->min || value > option->max) {
        char low[32];
        char high[32];
        number_text(option, option->min, low, sizeof low);
        number_text(option, option->max, high, sizeof high);
        return error_set(error, VMM_E_RANGE, "%s: \"%.60s\" is out of range, expected %s to %s%s",
                         option->name, text, low, high,
                         name_matches(option->name, "tlb-size") ? "; --tlb off removes the TLB"
                                                                : "");
    }
    bool is_power =
        name_matches(option->name, "page-size") || name_matches(option->name, "fault-around");
    if (is_power && (value & (value - 1)) != 0) {
        return error_set(error, VMM_E_RANGE, "%s: \"%.60s\" is not a power of two", option->name,
                         text);
    }
    *place = value;
    return VMM_OK;
}

static int set_choice(const VMMOption *option, const char *text, uint64_t *place, Error *error) {
    const char *choices = option->type == VMM_OPTION_SWITCH ? "off|on" : option->choices;
    int64_t index = name_place(choices, text);
    if (index < 0) {
        return error_set(error, VMM_E_USAGE, "%s: found \"%.60s\", expected one of %s",
                         option->name, text, choices);
    }
    *place = (uint64_t)index;
    return VMM_OK;
}

static int set_text(const VMMOption *option, const char *text, char *place, Error *error) {
    size_t length = strlen(text);
    if (length == 0 || length >= SETTINGS_NAME_BYTES) {
        return error_set(error, VMM_E_USAGE, "%s: expected a name of 1 to %d characters",
                         option->name, SETTINGS_NAME_BYTES - 1);
    }
    memcpy(place, text, length + 1);
    return VMM_OK;
}

static int set_groups(const VMMOption *option, const char *text, char *place, Error *error) {
    int status = groups_check(text, error);
    return status == VMM_OK ? set_text(option, text, place, error) : status;
}

static int set_option(Settings *settings, const VMMOption *option, const char *text, Error *error) {
    void *place = option_place(settings, option);
    switch (option->type) {
    case VMM_OPTION_SWITCH:
    case VMM_OPTION_CHOICE:
        return set_choice(option, text, place, error);
    case VMM_OPTION_POLICY:
    case VMM_OPTION_PAGE_TABLE:
        return set_text(option, text, place, error);
    case VMM_OPTION_GROUPS:
        return set_groups(option, text, place, error);
    default:
        return set_number(option, text, place, error);
    }
}

void vmm_config_init_default(VMMConfig *config) {
    memset(config, 0, sizeof *config);
    config->struct_size = sizeof *config;
    config->version = SETTINGS_VERSION;
    Settings *settings = settings_edit(config);
    for (size_t i = 0; i < VMM_COUNT_OF(option_table); i++) {
        set_option(settings, &option_table[i], option_table[i].default_text, NULL);
    }
}

int vmm_config_set(VMMConfig *config, const char *name, const char *value, char *error_text) {
    Error error = {0};
    const VMMOption *option = vmm_option_find(name);
    int status;
    if (config == NULL || name == NULL || value == NULL) {
        status = error_set(&error, VMM_E_USAGE, "vmm_config_set: an argument is NULL");
    } else if (option == NULL) {
        status = error_set(&error, VMM_E_USAGE, "there is no option \"%.60s\"", name);
    } else {
        status = set_option(settings_edit(config), option, value, &error);
        if (status == VMM_OK) {
            size_t index = (size_t)(option - option_table);
            settings_edit(config)->given[index / 64] |= UINT64_C(1) << (index % 64);
        }
    }
    if (status != VMM_OK) {
        error_publish(&error, error_text);
    }
    return status;
}

int vmm_config_get(const VMMConfig *config, const char *name, char *text, size_t size) {
    const VMMOption *option = vmm_option_find(name);
    if (config == NULL || option == NULL) {
        return VMM_E_USAGE;
    }
    const char *place = (const char *)settings_of(config) + option_offsets[option - option_table];
    if (option->type == VMM_OPTION_POLICY || option->type == VMM_OPTION_PAGE_TABLE ||
        option->type == VMM_OPTION_GROUPS) {
        return snprintf(text, size, "%s", place);
    }
    uint64_t value;
    memcpy(&value, place, sizeof value);
    char shown[64];
    if (option->type == VMM_OPTION_SWITCH) {
        snprintf(shown, sizeof shown, "%s", value != 0 ? "on" : "off");
    } else if (option->type == VMM_OPTION_CHOICE) {
        choice_word(option->choices, value, shown, sizeof shown);
    } else if (value == 0 && word_for_zero(option) != NULL) {
        snprintf(shown, sizeof shown, "%s", word_for_zero(option));
    } else {
        number_text(option, value, shown, sizeof shown);
    }
    return snprintf(text, size, "%s", shown);
}

int vmm_config_is_set(const VMMConfig *config, const char *name) {
    const VMMOption *option = vmm_option_find(name);
    if (option == NULL) {
        return 0;
    }
    size_t index = (size_t)(option - option_table);
    return (settings_of(config)->given[index / 64] >> (index % 64) & 1) != 0;
}

/* Cuts a comment and the blanks at both ends; returns the first character that is left. */
static char *trimmed(char *line) {
    line[strcspn(line, "#")] = '\0';
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL) {
        line[--length] = '\0';
    }
    return line + strspn(line, " \t");
}

/* One line of a configuration file: nothing, or name = value. */
static int load_line(VMMConfig *config, char *line, char *text) {
    char *name = trimmed(line);
    if (*name == '\0') {
        return VMM_OK;
    }
    char *equals = strchr(name, '=');
    if (equals == NULL) {
        snprintf(text, VMM_ERROR_TEXT_BYTES, "found \"%.60s\", expected \"name = value\"", name);
        return VMM_E_USAGE;
    }
    *equals = '\0';
    return vmm_config_set(config, trimmed(name), trimmed(equals + 1), text);
}

int vmm_config_load(VMMConfig *config, const char *path, char *error_text) {
    Error error = {0};
    int status = VMM_OK;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        status = error_set(&error, VMM_E_OPEN, "%.200s: cannot open the configuration: %s", path,
                           strerror(errno));
        error_publish(&error, error_text);
        return status;
    }
    VMMConfig loaded = *config;
    char *line = NULL;
    size_t capacity = 0;
    for (unsigned number = 1; status == VMM_OK && getline(&line, &capacity, file) >= 0; number++) {
        char text[VMM_ERROR_TEXT_BYTES] = "";
        status = load_line(&loaded, line, text);
        if (status != VMM_OK) {
            error_set(&error, status, "%.150s:%u: %.300s", path, number, text);
        }
    }
    if (status == VMM_OK && ferror(file)) {
        status = error_set(&error, VMM_E_READ, "%.200s: cannot read: %s", path, strerror(errno));
    }
    free(line);
    fclose(file);
    if (status == VMM_OK) {
        *config = loaded;
    } else {
        error_publish(&error, error_text);
    }
    return status;
}

unsigned settings_page_shift(const Settings *settings) {
    return (unsigned)__builtin_ctzll(settings->page_size);
}

uint64_t settings_address_limit(const Settings *settings, unsigned address_bits) {
    uint64_t limit = UINT64_C(1) << address_bits;
    return settings->vspace != 0 && settings->vspace < limit ? settings->vspace : limit;
}

uint64_t settings_frames(const Settings *settings) {
    if (settings->frames != 0) {
        return settings->frames;
    }
    uint64_t frames = settings->ram / settings->page_size;
    return frames < UINT32_MAX ? frames : 0;
}

uint64_t settings_swap_slots(const Settings *settings) {
    return settings->swap == 0 ? UINT64_MAX : settings->swap / settings->page_size;
}

uint64_t settings_free_low(const Settings *settings) {
    return settings->free_low / settings->page_size;
}

uint64_t settings_free_high(const Settings *settings) {
    uint64_t low = settings_free_low(settings);
    return settings->free_high != 0 ? settings->free_high / settings->page_size
                                    : low + (low + 4) / 5;
}

/* Limits of processes and groups. */
static int check_limits(const Settings *settings, const char *page, Error *error) {
    if (!settings_has_limits(settings)) {
        return VMM_OK;
    }
    if (settings->scope == SCOPE_PROCESS) {
        return error_set(error, VMM_E_CONFIG,
                         "with scope = process each process has memory of its own, so that there "
                         "is nothing to limit: leave out resident-limit and groups, or the scope");
    }
    if (settings->resident_limit != 0 && settings->resident_limit < settings->page_size) {
        return error_set(error, VMM_E_CONFIG, "resident-limit is smaller than one page of %s",
                         page);
    }
    for (uint32_t i = 0; i < groups_count(settings->groups); i++) {
        Group group = groups_at(settings->groups, i);
        if (group.limit < settings->page_size) {
            return error_set(error, VMM_E_CONFIG,
                             "groups: the limit of %s is smaller than one page of %s", group.name,
                             page);
        }
    }
    return VMM_OK;
}

/* Eviction in the background. */
static int check_watermarks(const Settings *settings, const char *page, Error *error) {
    uint64_t low = settings_free_low(settings);
    uint64_t high = settings_free_high(settings);
    if (settings->free_low == 0) {
        return settings->free_high == 0 ? VMM_OK
                                        : error_set(error, VMM_E_CONFIG,
                                                    "free-high says where eviction in the "
                                                    "background ends: give free-low too, where it "
                                                    "begins");
    }
    if (settings->scope == SCOPE_PROCESS) {
        return error_set(error, VMM_E_CONFIG,
                         "free-low is about one memory that all share, not of scope = process");
    }
    if (low == 0) {
        return error_set(error, VMM_E_CONFIG, "free-low is smaller than one page of %s", page);
    }
    if (high < low || high >= settings_frames(settings)) {
        return error_set(error, VMM_E_CONFIG,
                         "free-low is %" PRIu64 " frames and free-high %" PRIu64
                         "; expected free-low <= free-high < the %" PRIu64 " frames of the memory",
                         low, high, settings_frames(settings));
    }
    return VMM_OK;
}

static int check_sizes(const Settings *settings, Error *error) {
    char page[32];
    number_format_size(settings->page_size, page, sizeof page);
    if (settings_frames(settings) == 0) {
        char ram[32];
        number_format_size(settings->ram, ram, sizeof ram);
        return error_set(error, VMM_E_CONFIG,
                         "ram %s with pages of %s makes %s; expected 1 to %" PRIu32 " frames", ram,
                         page, settings->ram < settings->page_size ? "no frame" : "too many frames",
                         UINT32_MAX - 1);
    }
    if (settings_swap_slots(settings) == 0) {
        return error_set(error, VMM_E_CONFIG, "swap is smaller than one page of %s", page);
    }
    if (settings->vspace != 0 && settings->vspace < settings->page_size) {
        return error_set(error, VMM_E_CONFIG, "vspace is smaller than one page of %s", page);
    }
    if (settings->tlb_ways != 0 && settings->tlb_entries % settings->tlb_ways != 0) {
        return error_set(error, VMM_E_CONFIG,
                         "tlb-ways %" PRIu64 " does not divide the %" PRIu64
                         " entries of the TLB; expected a divisor, or \"full\"",
                         settings->tlb_ways, settings->tlb_entries);
    }
    int status = check_limits(settings, page, error);
    return status == VMM_OK ? check_watermarks(settings, page, error) : status;
}

int settings_check(const VMMConfig *config, Error *error) {
    if (config == NULL) {
        return error_set(error, VMM_E_USAGE, "the configuration is NULL");
    }
    if (config->struct_size != sizeof *config || config->version != SETTINGS_VERSION) {
        return error_set(error, VMM_E_USAGE,
                         "the configuration was not filled by vmm_config_init_default() of this "
                         "version");
    }
    return check_sizes(settings_of(config), error);
}

uint64_t vmm_config_frames(const VMMConfig *config) {
    return settings_check(config, NULL) == VMM_OK ? settings_frames(settings_of(config)) : 0;
}
