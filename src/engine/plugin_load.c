/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plug-ins opened: what of a shared library is checked before a machine is given its policy.
 *
 * A library that vmm_policy_compile() made shows vmm_policy_plugin. One of the user's own compiling
 * shows mine_policy, whose `interface` says what header it was compiled with.
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin.h"

static bool plugin_ends_in(const char *text, size_t length, const char *end) {
    size_t size = strlen(end);
    return length > size && memcmp(text + length - size, end, size) == 0;
}

bool plugin_is_path(const char *text, size_t length) {
    return memchr(text, '/', length) != NULL || plugin_ends_in(text, length, ".c") ||
           plugin_ends_in(text, length, ".so");
}

static bool plugin_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool plugin_is_digit(char c) {
    return c >= '0' && c <= '9';
}

int plugin_stem(const char *path, char *stem, size_t size, Error *error) {
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t length = dot != NULL ? (size_t)(dot - name) : strlen(name);
    bool fits = length > 0 && length < size && plugin_is_letter(name[0]);
    for (size_t i = 0; fits && i < length; i++) {
        stem[i] = (char)(name[i] == '-' ? '_' : name[i]);
        fits = plugin_is_letter(stem[i]) || plugin_is_digit(stem[i]);
    }
    if (!fits) {
        return error_set(error, VMM_E_POLICY,
                         "%.200s: the file of a policy is named as the policy: a letter first, "
                         "then letters, digits, '_' or '-'",
                         path);
    }
    stem[length] = '\0';
    return VMM_OK;
}

int plugin_check_file(const char *path, const char *named, Error *error) {
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        return error_set(error, VMM_E_OPEN,
                         "%.200s: cannot open the policy: it is a %s, expected a regular file",
                         named, S_ISDIR(status.st_mode) ? "directory" : "pipe, socket or device");
    }
    if (access(path, R_OK) != 0) {
        return error_set(error, VMM_E_OPEN, "%.200s: cannot open the policy: %s", named,
                         strerror(errno));
    }
    return VMM_OK;
}

/* ---- What a type must be -------------------------------------------------------------------- */

static const char *plugin_fault_of_name(const char *name) {
    if (name == NULL || *name == '\0' || strlen(name) > 31) {
        return "info.name must have 1 to 31 characters";
    }
    for (; *name != '\0'; name++) {
        if (!(*name >= 'a' && *name <= 'z') && !plugin_is_digit(*name) && *name != '_') {
            return "info.name must consist of lower-case letters, digits and '_'";
        }
    }
    return NULL;
}

static const char *plugin_fault_of_parameters(const VMMPolicyParameter *params) {
    size_t count = 0;
    for (; params != NULL && params[count].name != NULL; count++) {
        const VMMPolicyParameter *param = &params[count];
        if (count == VMM_POLICY_MAX_PARAMS) {
            return "too many parameters, or a list that no {.name = NULL} ends";
        }
        uint64_t words = 0;
        for (const char *c = param->choices; c != NULL && *c != '\0'; c++) {
            words += *c == '|';
        }
        if (param->choices != NULL
                ? param->default_value > words
                : param->default_value < param->min || param->default_value > param->max) {
            return "the default of a parameter is out of its bounds";
        }
    }
    return NULL;
}

/* What the engines rely on; NULL: all is well. */
static const char *plugin_fault_of_type(const VMMPolicyType *type) {
    const char *fault = plugin_fault_of_name(type->info.name);
    fault = fault != NULL ? fault : plugin_fault_of_parameters(type->info.parameters);
    if (fault != NULL) {
        return fault;
    }
    if (type->state_size < sizeof(VMMPolicy)) {
        return "state_size is smaller than a VMMPolicy, with which a policy's own struct begins";
    }
    if (type->victim == NULL && type->info.variable_space == 0) {
        return "there is no victim hook, and the policy is not of variable space";
    }
    if (type->info.variable_space != 0 && !type->uses_clock) {
        return "a policy of variable space must say uses_clock";
    }
    if ((unsigned)type->info.needs > VMM_NEEDS_FUTURE) {
        return "info.needs is none of the VMM_NEEDS_...";
    }
    if (type->touch == NULL && (type->touch_many != NULL || type->touch_once || type->touch_last ||
                                type->parts_on_touch)) {
        return "there is no touch hook, but touch_many, touch_once, touch_last or parts_on_touch";
    }
    if (type->touch_last && type->dirtied != NULL) {
        return "a type with touch_last cannot have the hook dirtied";
    }
    return NULL;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int plugin_check_interface(const char *path, uint32_t interface, Error *error) {
    if (interface == VMM_POLICY_INTERFACE) {
        return VMM_OK;
    }
    return error_set(error, VMM_E_POLICY,
                     "%.200s: its policy is of interface 0x%" PRIx32
                     ", this program's is 0x%" PRIx32
                     ": compile it anew with the header of this version%s",
                     path, interface, VMM_POLICY_INTERFACE,
                     interface == 0 ? " (set .interface = VMM_POLICY_INTERFACE)" : "");
}

/* A library that vmm_policy_compile() has made. */
static int plugin_take_record(const char *path, const PolicyPlugin *plugin, PolicySpec *spec,
                              Error *error) {
    static const uint32_t layout[] = PLUGIN_LAYOUT;
    int status = plugin_check_interface(path, plugin->interface, error);
    if (status != VMM_OK) {
        return status;
    }
    if (plugin->size != sizeof *plugin || memcmp(plugin->layout, layout, sizeof layout) != 0 ||
        strcmp(plugin->version, VMM_VERSION_STRING) != 0) {
        return error_set(error, VMM_E_POLICY,
                         "%.200s: it was compiled for another build of the simulator than this one "
                         "(%s): compile it anew",
                         path, VMM_VERSION_STRING);
    }
    spec->type = plugin->type;
    spec->loop = plugin->loop;
    return VMM_OK;
}

/* A library of the user's own compiling. */
static int plugin_take_constant(const char *path, void *library, PolicySpec *spec, Error *error) {
    char symbol[96];
    char stem[64];
    int status = plugin_stem(path, stem, sizeof stem, error);
    if (status != VMM_OK) {
        return status;
    }
    snprintf(symbol, sizeof symbol, "%s_policy", stem);
    const VMMPolicyType *type = dlsym(library, symbol);
    if (type == NULL) {
        return error_set(error, VMM_E_POLICY,
                         "%.200s: there is no policy in it: expected a visible constant %s, or "
                         "what vmm policy build makes",
                         path, symbol);
    }
    spec->type = type;
    return plugin_check_interface(path, type->interface, error);
}

/* *damaged: the loader cannot make anything of it. */
static int plugin_open_library(const char *path, const char *named, PolicySpec *spec, bool *damaged,
                               Error *error) {
    char place[PLUGIN_PATH_BYTES];
    /* Without a slash the loader would look elsewhere. */
    const char *prefix = strchr(path, '/') == NULL ? "./" : "";
    if (snprintf(place, sizeof place, "%s%s", prefix, path) >= (int)sizeof place) {
        return error_set(error, VMM_E_OPEN, "%.200s: the name is too long", named);
    }
    int status = plugin_check_file(place, named, error);
    if (status != VMM_OK) {
        return status;
    }
    if (!plugin_fingerprint(place, &spec->fingerprint)) {
        return error_set(error, VMM_E_OPEN, "%.200s: cannot read the policy: %s", named,
                         strerror(errno));
    }
    spec->library = dlopen(place, RTLD_NOW | RTLD_LOCAL);
    *damaged = spec->library == NULL;
    if (*damaged) {
        const char *reason = dlerror();
        return error_set(error, VMM_E_POLICY, "%.150s: cannot load the policy: %.300s", named,
                         reason != NULL ? reason : "unknown reason");
    }
    const PolicyPlugin *plugin = dlsym(spec->library, PLUGIN_SYMBOL);
    status = plugin != NULL ? plugin_take_record(named, plugin, spec, error)
                            : plugin_take_constant(named, spec->library, spec, error);
    const char *fault = status == VMM_OK ? plugin_fault_of_type(spec->type) : NULL;
    if (fault != NULL) {
        status = error_set(error, VMM_E_POLICY, "%.200s: %s", named, fault);
    }
    if (status != VMM_OK) {
        plugin_close(spec);
    }
    return status;
}

/* Compiles if need be. A file in the cache that cannot be loaded is made anew, once. */
static int plugin_open_source(const char *path, PolicySpec *spec, Error *error) {
    char built[PLUGIN_PATH_BYTES];
    int status = VMM_OK;
    bool again = true;
    for (int attempt = 0; again && attempt < 2; attempt++) {
        bool temporary = false, damaged = false;
        status = plugin_find_built(path, built, &temporary, error);
        if (status != VMM_OK) {
            return status;
        }
        status = plugin_open_library(built, path, spec, &damaged, error);
        again = damaged && !temporary;
        if (temporary) {
            plugin_remove_built(built);
        } else if (damaged) {
            unlink(built);
        }
    }
    return status;
}

int plugin_open(const char *path, PolicySpec *spec, Error *error) {
    size_t length = strlen(path);
    bool damaged;
    if (plugin_ends_in(path, length, ".so")) {
        return plugin_open_library(path, path, spec, &damaged, error);
    }
    if (!plugin_ends_in(path, length, ".c")) {
        return error_set(error, VMM_E_USAGE,
                         "\"%.200s\" names a file: a policy's ends in .c or .so", path);
    }
    return plugin_open_source(path, spec, error);
}

void plugin_close(PolicySpec *spec) {
    if (spec->library != NULL) {
        dlclose(spec->library);
    }
    *spec = (PolicySpec){.type = NULL};
}

VMMPolicyMeter *plugin_meter(const PolicySpec *spec) {
    const PolicyPlugin *plugin = spec->library != NULL ? dlsym(spec->library, PLUGIN_SYMBOL) : NULL;
    return plugin != NULL ? plugin->meter : NULL;
}
