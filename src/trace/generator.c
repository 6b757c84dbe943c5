/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generators: the list of patterns, the reading of their parameters, and what all patterns share:
 * whose turn it is and whether a reference writes. generator.h has the contract.
 *
 *     "zipf:alpha=0.8,pages=10k"      name, then parameters separated by commas
 *     "zipf(alpha=0.8,pages=10k)"     the same, as it stands within a mix
 *
 * A VMMGenerator owns the state of its pattern; a mix's state owns the generators of its parts.
 */
#include "generator.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/compiler.h"
#include "../base/memory.h"
#include "../base/number.h"
#include "patterns.def"

/* clang-format off */
#define VMM_EACH_LIST VMM_PATTERNS
#define VMM_EACH_PATH(name) ../trace/gen_##name.c
/* clang-format on */
#include "../base/include_each.h"

#define X(name) &pattern_##name,
static const GeneratorPattern *const generator_patterns[] = {VMM_PATTERNS(X)};
#undef X

enum {
    GENERATOR_MAX_PROCESSES = 1 << 20,
    GENERATOR_MAX_PARTS = 64, /* of all mixes of a generator together */
    GENERATOR_TEXT_BYTES = 64 /* of a single parameter's value, texts excepted */
};
#define GENERATOR_MAX_ADDRESS_SPACE (UINT64_C(1) << 57)

struct VMMGenerator {
    const GeneratorPattern *pattern;
    void *state;
    uint64_t references_left; /* that vmm_generator_read() will give */
    uint32_t processes;
    uint32_t pid;   /* whose turn it is */
    uint64_t slice; /* references of a turn; 0: the process is drawn */
    uint64_t turn_left;
    uint64_t writes; /* millionths */
    Rng pid_rng, op_rng;
};

/* ---- The list -------------------------------------------------------------------------------- */

const char *vmm_pattern_name(size_t index) {
    return index < VMM_COUNT_OF(generator_patterns) ? generator_patterns[index]->name : NULL;
}

const char *vmm_pattern_help(size_t index) {
    return index < VMM_COUNT_OF(generator_patterns) ? generator_patterns[index]->help : NULL;
}

const char *vmm_pattern_parameters(size_t index) {
    return index < VMM_COUNT_OF(generator_patterns) ? generator_patterns[index]->parameters_help
                                                    : NULL;
}

/* A piece of a text as a string of its own, cut to what fits. */
static void generator_copy(char *copy, size_t size, const char *text, size_t length) {
    snprintf(copy, size, "%.*s", (int)(length < size ? length : size), text);
}

static const GeneratorPattern *generator_find(const char *text, size_t length, Error *error) {
    char name[GENERATOR_TEXT_BYTES];
    generator_copy(name, sizeof name, text, length);
    for (size_t i = 0; i < VMM_COUNT_OF(generator_patterns); i++) {
        if (name_matches(name, generator_patterns[i]->name)) {
            return generator_patterns[i];
        }
    }
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < VMM_COUNT_OF(generator_patterns) && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ",
                                 generator_patterns[i]->name);
    }
    error_set(error, VMM_E_USAGE, "there is no pattern \"%s\", expected one of %s", name, known);
    return NULL;
}

/* ---- Parameters ------------------------------------------------------------------------------ */

size_t generator_piece(const char *text, size_t length, char separator) {
    size_t depth = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == separator && depth == 0) {
            return i;
        }
        if (text[i] == '(') {
            depth++;
        } else if (text[i] == ')' && depth > 0) {
            depth--;
        }
    }
    return length;
}

static int generator_parse_number(ParameterType type, const char *text, uint64_t *number) {
    if (type == PARAMETER_COUNT) {
        return number_parse_count(text, number);
    }
    if (type == PARAMETER_SIZE) {
        return number_parse_size(text, 1, number);
    }
    /* A fraction has no unit, so its last character is a digit. */
    size_t length = strlen(text);
    if (length == 0 || text[length - 1] < '0' || text[length - 1] > '9' ||
        strspn(text, "0123456789.") != length) {
        return NUMBER_BAD;
    }
    return number_parse_size(text, PARAMETER_ONE, number);
}

/* The place of `text` in "a|b|c", or -1. */
static int generator_choice(const char *choices, const char *text) {
    for (int index = 0;; index++) {
        char word[GENERATOR_TEXT_BYTES];
        size_t length = strcspn(choices, "|");
        generator_copy(word, sizeof word, choices, length);
        if (name_matches(word, text)) {
            return index;
        }
        if (choices[length] == '\0') {
            return -1;
        }
        choices += length + 1;
    }
}

static int generator_in_range(const PatternParameter *parameter, uint64_t number) {
    char low_text[GENERATOR_TEXT_BYTES];
    uint64_t low = 0;
    uint64_t high = 0;
    const char *dots = strstr(parameter->range, "..");
    generator_copy(low_text, sizeof low_text, parameter->range, (size_t)(dots - parameter->range));
    generator_parse_number(parameter->type, low_text, &low);
    generator_parse_number(parameter->type, dots + 2, &high);
    return number >= low && number <= high;
}

static const char *generator_form(ParameterType type) {
    return type == PARAMETER_SIZE     ? "a size such as 4096 or 64K"
           : type == PARAMETER_COUNT  ? "a whole number such as 100 or 64k"
           : type == PARAMETER_CHOICE ? "one of its words"
                                      : "a decimal number with at most 6 decimals";
}

static int generator_set_value(const GeneratorPattern *pattern, const PatternParameter *parameter,
                               PatternValue *value, const char *text, size_t length, Error *error) {
    value->text = text;
    value->text_length = length;
    if (parameter->type == PARAMETER_TEXT) {
        return VMM_OK;
    }
    char copy[GENERATOR_TEXT_BYTES];
    generator_copy(copy, sizeof copy, text, length);
    int status = length < sizeof copy ? NUMBER_OK : NUMBER_BAD;
    if (parameter->type == PARAMETER_CHOICE) {
        int choice = generator_choice(parameter->range, copy);
        value->number = (uint64_t)choice;
        status = choice < 0 ? NUMBER_BAD : status;
    } else if (status == NUMBER_OK) {
        status = generator_parse_number(parameter->type, copy, &value->number);
        if (status == NUMBER_OK && !generator_in_range(parameter, value->number)) {
            status = NUMBER_OVERFLOW;
        }
    }
    if (status == NUMBER_OK) {
        return VMM_OK;
    }
    return error_set(error, status == NUMBER_BAD ? VMM_E_USAGE : VMM_E_RANGE,
                     "pattern %s: %s is \"%s\", expected %s (%s)", pattern->name, parameter->name,
                     copy, generator_form(parameter->type), parameter->range);
}

/* One "name=value". */
static int generator_set_parameter(GeneratorSetup *setup, const char *text, size_t length,
                                   Error *error) {
    const GeneratorPattern *pattern = setup->pattern;
    char name[GENERATOR_TEXT_BYTES];
    size_t name_length = generator_piece(text, length, '=');
    generator_copy(name, sizeof name, text, name_length);
    for (size_t i = 0; i < pattern->parameter_count; i++) {
        PatternValue *value = &setup->values[i];
        if (!name_matches(name, pattern->parameters[i].name)) {
            continue;
        }
        if (name_length == length) {
            return error_set(error, VMM_E_USAGE, "pattern %s: \"%s\" has no value, expected %s=...",
                             pattern->name, name, name);
        }
        if (value->given) {
            return error_set(error, VMM_E_USAGE, "pattern %s: %s is given twice", pattern->name,
                             name);
        }
        value->given = 1;
        return generator_set_value(pattern, &pattern->parameters[i], value, text + name_length + 1,
                                   length - name_length - 1, error);
    }
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < pattern->parameter_count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ",
                                 pattern->parameters[i].name);
    }
    return error_set(error, VMM_E_USAGE, "pattern %s has no parameter \"%s\", it has %s",
                     pattern->name, name, known);
}

/* Finds the pattern of "name:parameters" or "name(parameters)" and reads its parameters. */
static int generator_parse(GeneratorSetup *setup, const char *text, size_t length, Error *error) {
    size_t name_length = 0;
    while (name_length < length && text[name_length] != ':' && text[name_length] != '(') {
        name_length++;
    }
    setup->pattern = generator_find(text, name_length, error);
    if (setup->pattern == NULL) {
        return VMM_E_USAGE;
    }
    VMM_CHECK(setup->pattern->parameter_count <= PATTERN_MAX_PARAMETERS);
    memset(setup->values, 0, sizeof setup->values);
    int status = VMM_OK;
    for (size_t i = 0; status == VMM_OK && i < setup->pattern->parameter_count; i++) {
        const PatternParameter *parameter = &setup->pattern->parameters[i];
        status =
            generator_set_value(setup->pattern, parameter, &setup->values[i],
                                parameter->default_text, strlen(parameter->default_text), error);
    }
    if (status != VMM_OK || name_length == length) {
        return status;
    }
    const char *at = text + name_length + 1;
    size_t left = length - name_length - 1;
    if (text[name_length] == '(') {
        if (left == 0 || at[left - 1] != ')') {
            return error_set(error, VMM_E_USAGE, "pattern %s: the closing parenthesis is missing",
                             setup->pattern->name);
        }
        left--;
    }
    for (;;) {
        size_t piece = generator_piece(at, left, ',');
        status = generator_set_parameter(setup, at, piece, error);
        if (status != VMM_OK || piece == left) {
            return status;
        }
        at += piece + 1;
        left -= piece + 1;
    }
}

const PatternValue *generator_value(const GeneratorSetup *setup, const char *name) {
    static const PatternValue none;
    for (size_t i = 0; i < setup->pattern->parameter_count; i++) {
        if (strcmp(setup->pattern->parameters[i].name, name) == 0) {
            return &setup->values[i];
        }
    }
    VMM_CHECK(!"the pattern has this parameter");
    return &none;
}

uint64_t generator_number(const GeneratorSetup *setup, const char *name) {
    return generator_value(setup, name)->number;
}

int generator_pages(const GeneratorSetup *setup, const char *name, uint64_t *pages, Error *error) {
    const PatternValue *value = generator_value(setup, name);
    *pages = value->number;
    if (*pages > setup->pages && value->given) {
        return error_set(error, VMM_E_RANGE,
                         "pattern %s: %s is %" PRIu64 ", but the address space has only %" PRIu64
                         " pages; enlarge address-space",
                         setup->pattern->name, name, *pages, setup->pages);
    }
    if (*pages == 0 || *pages > setup->pages) {
        *pages = setup->pages;
    }
    return VMM_OK;
}

void *generator_per_process(const GeneratorSetup *setup, size_t size, Error *error) {
    void *array = memory_zalloc(&memory_default, setup->processes, size);
    if (array == NULL) {
        error_no_memory(error, setup->processes * size, "the state of the processes");
    }
    return array;
}

/* ---- References ------------------------------------------------------------------------------ */

/* Who: a turn each, or drawn. */
static void generator_fill_pids(VMMGenerator *generator, VMMRef *refs, size_t count) {
    if (generator->slice == 0) {
        for (size_t i = 0; i < count; i++) {
            refs[i].pid = (uint32_t)rng_below(&generator->pid_rng, generator->processes);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (generator->turn_left == 0) {
            generator->turn_left = generator->slice;
            generator->pid = generator->pid + 1 < generator->processes ? generator->pid + 1 : 0;
        }
        generator->turn_left--;
        refs[i].pid = generator->pid;
    }
}

void generator_fill(VMMGenerator *generator, VMMRef *refs, size_t count) {
    memset(refs, 0, count * sizeof *refs);
    if (!generator->pattern->makes_whole) {
        generator_fill_pids(generator, refs, count);
        for (size_t i = 0; i < count; i++) {
            refs[i].op = generator_chance(&generator->op_rng, generator->writes) ? VMM_OP_WRITE
                                                                                 : VMM_OP_READ;
        }
    }
    generator->pattern->fill(generator->state, refs, count);
}

size_t vmm_generator_read(VMMGenerator *generator, VMMRef *refs, size_t capacity) {
    if (generator == NULL || refs == NULL) {
        return 0;
    }
    /* Pieces that stay in the first cache between the passes over them. */
    enum { PIECE = 512 };
    size_t count =
        generator->references_left < capacity ? (size_t)generator->references_left : capacity;
    for (size_t done = 0; done < count; done += PIECE) {
        generator_fill(generator, refs + done, count - done < PIECE ? count - done : PIECE);
    }
    generator->references_left -= count;
    return count;
}

/* ---- Creation -------------------------------------------------------------------------------- */

static int generator_create(GeneratorSetup *setup, const char *text, size_t length,
                            VMMGenerator **result, Error *error) {
    *result = NULL;
    int status = generator_parse(setup, text, length, error);
    if (status != VMM_OK) {
        return status;
    }
    VMMGenerator *generator = memory_zalloc(&memory_default, 1, sizeof *generator);
    if (generator == NULL) {
        return error_no_memory(error, sizeof *generator, "a generator");
    }
    generator->pattern = setup->pattern;
    generator->processes = setup->processes;
    if (!setup->pattern->makes_whole) {
        generator->slice = generator_number(setup, "slice");
        generator->turn_left = generator->slice;
        generator->writes = generator_number(setup, "writes");
    }
    generator->pid_rng = rng_seed(setup->seed, "trace.pid");
    generator->op_rng = rng_seed(setup->seed, "trace.op");
    generator->state = memory_zalloc(&memory_default, 1, setup->pattern->state_size);
    if (generator->state == NULL) {
        status = error_no_memory(error, setup->pattern->state_size, "a pattern");
    } else {
        status = setup->pattern->start(generator->state, setup, error);
    }
    if (status != VMM_OK) {
        vmm_generator_destroy(generator);
        return status;
    }
    *result = generator;
    return VMM_OK;
}

int generator_create_part(const GeneratorSetup *outer, uint64_t seed, const char *text,
                          size_t length, VMMGenerator **part, Error *error) {
    GeneratorSetup setup = *outer;
    setup.seed = seed;
    setup.depth++;
    return generator_create(&setup, text, length, part, error);
}

void vmm_generator_destroy(VMMGenerator *generator) {
    if (generator == NULL) {
        return;
    }
    if (generator->state != NULL && generator->pattern->stop != NULL) {
        generator->pattern->stop(generator->state);
    }
    memory_free(&memory_default, generator->state, 1, generator->pattern->state_size);
    memory_free(&memory_default, generator, 1, sizeof *generator);
}

/* ---- Options --------------------------------------------------------------------------------- */

enum { GENERATOR_COUNT, GENERATOR_BYTES, GENERATOR_MIB, GENERATOR_NAME };

/* One option: its name, where it lies, how a number without a unit counts, and its bounds. */
typedef struct GeneratorOption {
    const char *name;
    size_t offset;
    int kind;
    uint64_t low, high;
    const char *expected;
} GeneratorOption;

#define GENERATOR_AT(field) offsetof(VMMGeneratorOptions, field)

static const GeneratorOption generator_options[] = {
    {"references", GENERATOR_AT(references), GENERATOR_COUNT, 1, UINT64_MAX,
     "a whole number such as 10000 or 10M, from 1"},
    {"processes", GENERATOR_AT(processes), GENERATOR_COUNT, 1, GENERATOR_MAX_PROCESSES,
     "a whole number, 1 to 1048576"},
    {"address-space", GENERATOR_AT(address_space), GENERATOR_MIB, 512, GENERATOR_MAX_ADDRESS_SPACE,
     "a size such as 1024 (MiB), 512K or 4G, 512 bytes to 131072T"},
    {"memory", GENERATOR_AT(memory), GENERATOR_MIB, 512, GENERATOR_MAX_ADDRESS_SPACE,
     "a size such as 8 (MiB), 512K or 4G, 512 bytes to 131072T"},
    {"page-size", GENERATOR_AT(page_size), GENERATOR_BYTES, 512, UINT64_C(1) << 30,
     "a power of two such as 4096 or 64K, 512 to 1G"},
    {"seed", GENERATOR_AT(seed), GENERATOR_COUNT, 0, UINT64_MAX,
     "a whole number, 0 to 18446744073709551615"},
    {"pattern", GENERATOR_AT(pattern), GENERATOR_NAME, 0, 0, "the name of a pattern"},
};

static const GeneratorOption *generator_find_option(const char *name) {
    for (size_t i = 0; i < VMM_COUNT_OF(generator_options); i++) {
        if (name_matches(name, generator_options[i].name)) {
            return &generator_options[i];
        }
    }
    return NULL;
}

static int generator_check(const char *name, uint64_t value, const char *text, Error *error) {
    const GeneratorOption *option = generator_find_option(name);
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, value);
    if (value < option->low || value > option->high ||
        (option->kind == GENERATOR_BYTES && (value & (value - 1)) != 0)) {
        return error_set(error, VMM_E_RANGE, "%s: \"%.60s\" is out of range, expected %s",
                         option->name, text != NULL ? text : number, option->expected);
    }
    return VMM_OK;
}

void vmm_generator_options_init(VMMGeneratorOptions *options) {
    *options = (VMMGeneratorOptions){
        .struct_size = sizeof *options,
        .processes = 4,
        .references = 10000,
        .memory = UINT64_C(8) << 20,
        .page_size = 4096,
        .seed = 42,
        .pattern = "sequential",
    };
}

static int generator_parse_option(const GeneratorOption *option, const char *text, uint64_t *value,
                                  Error *error) {
    int status =
        option->kind == GENERATOR_COUNT
            ? number_parse_count(text, value)
            : number_parse_size(text, option->kind == GENERATOR_MIB ? UINT64_C(1) << 20 : 1, value);
    if (status == NUMBER_BAD) {
        return error_set(error, VMM_E_USAGE, "%s: found \"%.60s\", expected %s", option->name, text,
                         option->expected);
    }
    if (status == NUMBER_OVERFLOW) {
        return error_set(error, VMM_E_RANGE, "%s: \"%.60s\" is out of range, expected %s",
                         option->name, text, option->expected);
    }
    return generator_check(option->name, *value, text, error);
}

static int generator_set_option(VMMGeneratorOptions *options, const char *name, const char *text,
                                Error *error) {
    if (options == NULL || name == NULL || text == NULL) {
        return error_set(error, VMM_E_USAGE, "vmm_generator_options_set: an argument is NULL");
    }
    const GeneratorOption *option = generator_find_option(name);
    if (option == NULL) {
        return error_set(error, VMM_E_USAGE, "a generator has no option \"%.60s\"", name);
    }
    if (option->kind == GENERATOR_NAME) {
        options->pattern = text;
        return VMM_OK;
    }
    uint64_t value;
    int status = generator_parse_option(option, text, &value, error);
    if (status != VMM_OK) {
        return status;
    }
    if (option->offset == GENERATOR_AT(processes)) {
        options->processes = (uint32_t)value; /* the one that is not 64 bits wide */
    } else {
        memcpy((char *)options + option->offset, &value, sizeof value);
    }
    return VMM_OK;
}

int vmm_generator_options_set(VMMGeneratorOptions *options, const char *name, const char *value,
                              char *error_text) {
    Error error = {0};
    int status = generator_set_option(options, name, value, &error);
    if (status != VMM_OK) {
        error_publish(&error, error_text);
    }
    return status;
}

/* Puts defaults for zeros and checks what remains. */
static int generator_prepare(const VMMGeneratorOptions *given, VMMGeneratorOptions *options,
                             Error *error) {
    vmm_generator_options_init(options);
    if (given == NULL || given->struct_size < sizeof *given || given->pattern == NULL) {
        return error_set(error, VMM_E_USAGE,
                         "vmm_generator_create: options are NULL, have no pattern, or were not "
                         "prepared with vmm_generator_options_init()");
    }
    VMMGeneratorOptions defaults = *options;
    *options = *given;
    options->processes = given->processes != 0 ? given->processes : defaults.processes;
    options->memory = given->memory != 0 ? given->memory : defaults.memory;
    options->page_size = given->page_size != 0 ? given->page_size : defaults.page_size;
    options->address_space = given->address_space != 0 ? given->address_space : UINT64_C(1) << 30;
    int status = generator_check("references", options->references, NULL, error);
    status =
        status != VMM_OK ? status : generator_check("processes", options->processes, NULL, error);
    status = status != VMM_OK ? status : generator_check("memory", options->memory, NULL, error);
    status =
        status != VMM_OK ? status : generator_check("page-size", options->page_size, NULL, error);
    status = status != VMM_OK
                 ? status
                 : generator_check("address-space", options->address_space, NULL, error);
    if (status == VMM_OK && options->address_space < options->page_size) {
        return error_set(error, VMM_E_RANGE,
                         "address-space: %" PRIu64 " bytes hold no page of %" PRIu64 " bytes",
                         options->address_space, options->page_size);
    }
    return status;
}

int vmm_generator_create(const VMMGeneratorOptions *given, VMMGenerator **generator,
                         char *error_text) {
    Error error = {0};
    VMMGeneratorOptions options;
    if (generator == NULL) {
        error_set(&error, VMM_E_USAGE, "vmm_generator_create: there is no place for the result");
        error_publish(&error, error_text);
        return VMM_E_USAGE;
    }
    *generator = NULL;
    int status = generator_prepare(given, &options, &error);
    if (status == VMM_OK) {
        unsigned parts_left = GENERATOR_MAX_PARTS;
        GeneratorSetup setup = {
            .seed = options.seed,
            .page_size = options.page_size,
            .pages = options.address_space / options.page_size,
            .address_space = options.address_space / options.page_size * options.page_size,
            .memory_pages = (options.memory + options.page_size - 1) / options.page_size,
            .processes = options.processes,
            .any_address_space = given->address_space == 0,
            .parts_left = &parts_left,
        };
        status =
            generator_create(&setup, options.pattern, strlen(options.pattern), generator, &error);
    }
    if (status != VMM_OK) {
        error_publish(&error, error_text);
        return status;
    }
    (*generator)->references_left = options.references;
    return VMM_OK;
}
