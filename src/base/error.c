/* SPDX-License-Identifier: Apache-2.0 */
/* Error sentences, and the names and meanings of the codes from errors.def. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int(error_set)(Error *error, int code, const char *format, ...) {
    if (error == NULL) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    return code;
}

int(error_no_memory)(Error *error, size_t bytes, const char *purpose) {
    return error_set(error, VMM_E_NO_MEMORY, "out of memory: %zu bytes for %s", bytes, purpose);
}

void error_publish(const Error *error, char *buffer) {
    if (buffer != NULL) {
        memcpy(buffer, error->text, sizeof error->text);
    }
}

const char *vmm_error_name(int code) {
    switch (code) {
#define X(name, value, text) \
    case value:              \
        return #name;
#include "../../include/vmm/errors.def"
#undef X
    default:
        return "E_?";
    }
}

const char *vmm_error_message(int code) {
    switch (code) {
#define X(name, value, text) \
    case value:              \
        return text;
#include "../../include/vmm/errors.def"
#undef X
    default:
        return "unknown error code";
    }
}
