/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a policy by name and reading its parameters. */
#include "policies.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/compiler.h"
#include "../base/number.h"
#include "plugin.h"

/* Names and aliases in turn. */
static const char *policy_name_at(const void *user, size_t index) {
    (void)user;
    const PolicyType *type = policy_at(index / 2);
    if (type == NULL) {
        return NULL;
    }
    return index % 2 == 1 && type->info.alias != NULL ? type->info.alias : type->info.name;
}

static const char *policy_param_name_at(const void *user, size_t index) {
    return ((const PolicyType *)user)->info.parameters[index].name;
}

static const PolicyType *policy_find(const char *name, Error *error) {
    const PolicyType *type;
    for (size_t i = 0; (type = policy_at(i)) != NULL; i++) {
        const char *alias = type->info.alias;
        if (name_matches(name, type->info.name) || (alias != NULL && name_matches(name, alias))) {
            return type;
        }
    }
    const char *nearest = vmm_nearest_name(name, policy_name_at, NULL);
    error_set(error, VMM_E_USAGE, "there is no policy \"%.60s\"%s%s%s", name,
              nearest != NULL ? "; did you mean " : " (vmm list policies shows them)",
              nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    return NULL;
}

static size_t policy_param_count(const PolicyType *type) {
    size_t count = 0;
    while (type->info.parameters != NULL && type->info.parameters[count].name != NULL) {
        count++;
    }
    VMM_CHECK(count <= POLICY_MAX_PARAMS);
    return count;
}

/* The place of a parameter, or the number of parameters if there is none of that name. */
static size_t policy_find_param(const PolicyType *type, const char *name) {
    size_t count = policy_param_count(type);
    size_t i = 0;
    while (i < count && !name_matches(name, type->info.parameters[i].name)) {
        i++;
    }
    return i;
}

static int policy_unknown_param(const PolicyType *type, const char *name, Error *error) {
    char known[VMM_ERROR_TEXT_BYTES / 2] = "";
    size_t length = 0;
    for (size_t i = 0; i < policy_param_count(type) && length < sizeof known; i++) {
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i > 0 ? ", " : "",
                                   type->info.parameters[i].name);
    }
    const char *nearest = length > 0 ? vmm_nearest_name(name, policy_param_name_at, type) : NULL;
    return error_set(error, VMM_E_USAGE, "%s has no parameter \"%.60s\"; %s%s%sit has %s",
                     type->info.name, name, nearest != NULL ? "did you mean " : "",
                     nearest != NULL ? nearest : "", nearest != NULL ? "? " : "",
                     length > 0 ? known : "none");
}

/* A parameter whose value is one of some words. */
static int policy_set_choice(PolicySpec *spec, size_t index, const char *word, Error *error) {
    const VMMPolicyParameter *param = &spec->type->info.parameters[index];
    int64_t place = name_place(param->choices, word);
    if (place < 0) {
        return error_set(error, VMM_E_USAGE, "%s: %s is \"%.60s\", expected one of %s",
                         spec->type->info.name, param->name, word, param->choices);
    }
    spec->params[index] = (uint64_t)place;
    return VMM_OK;
}

/* One name=value. */
static int policy_set_param(PolicySpec *spec, char *assignment, Error *error) {
    const PolicyType *type = spec->type;
    char *equals = strchr(assignment, '=');
    if (equals == NULL) {
        return error_set(error, VMM_E_USAGE, "%s: found \"%.60s\", expected parameter=value",
                         type->info.name, assignment);
    }
    *equals = '\0';
    size_t index = policy_find_param(type, assignment);
    if (index == policy_param_count(type)) {
        return policy_unknown_param(type, assignment, error);
    }
    const VMMPolicyParameter *param = &type->info.parameters[index];
    if (param->choices != NULL) {
        return policy_set_choice(spec, index, equals + 1, error);
    }
    uint64_t value;
    int status = number_parse_count(equals + 1, &value);
    if (status == NUMBER_BAD) {
        return error_set(error, VMM_E_USAGE, "%s: %s is \"%.60s\", expected a whole number",
                         type->info.name, param->name, equals + 1);
    }
    if (status == NUMBER_OVERFLOW || value < param->min || value > param->max) {
        return error_set(error, VMM_E_RANGE, "%s: %s is %.60s, expected %" PRIu64 " to %" PRIu64,
                         type->info.name, param->name, equals + 1, param->min, param->max);
    }
    spec->params[index] = value;
    return VMM_OK;
}

size_t policy_name_length(const char *text) {
    const char *slash = strrchr(text, '/');
    const char *last = slash != NULL ? slash + 1 : text;
    for (const char *colon = strchr(last, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        size_t length = (size_t)(colon - text);
        if ((length > 2 && memcmp(colon - 2, ".c", 2) == 0) ||
            (length > 3 && memcmp(colon - 3, ".so", 3) == 0)) {
            return length;
        }
    }
    return (size_t)(last - text) + strcspn(last, ":");
}

/* The name alone, of a policy of the simulator or of a file. */
static int policy_find_any(const char *name, PolicySpec *spec, Error *error) {
    *spec = (PolicySpec){.type = NULL};
    if (plugin_is_path(name, strlen(name))) {
        return plugin_open(name, spec, error);
    }
    spec->type = policy_find(name, error);
    return spec->type != NULL ? VMM_OK : VMM_E_USAGE;
}

/* "bits=2,enter=0"; NULL: none. Overwrites the text. */
static int policy_set_params(PolicySpec *spec, char *params, Error *error) {
    for (size_t i = 0; i < policy_param_count(spec->type); i++) {
        spec->params[i] = spec->type->info.parameters[i].default_value;
    }
    int status = VMM_OK;
    while (status == VMM_OK && params != NULL) {
        char *next = strchr(params, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        status = policy_set_param(spec, params, error);
        params = next;
    }
    if (status == VMM_OK && spec->type->check != NULL) {
        char sentence[VMM_ERROR_TEXT_BYTES] = "";
        status = spec->type->check(spec->params, sentence);
        status = status == VMM_OK ? VMM_OK : error_set(error, status, "%s", sentence);
    }
    return status;
}

int policy_parse(const char *text, PolicySpec *spec, Error *error) {
    char copy[POLICY_TEXT_BYTES];
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy) {
        return error_set(error, VMM_E_USAGE, "the policy \"%.60s...\" is too long", text);
    }
    char *params = copy + policy_name_length(copy);
    if (*params != '\0') {
        *params++ = '\0';
    } else {
        params = NULL;
    }
    int status = policy_find_any(copy, spec, error);
    if (status != VMM_OK) {
        return status;
    }
    status = policy_set_params(spec, params, error);
    if (status != VMM_OK) {
        policy_release(spec);
    }
    return status;
}

void policy_release(PolicySpec *spec) {
    plugin_close(spec);
}
