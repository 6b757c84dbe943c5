/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors inside the library: a code and the sentence that goes with it. Functions take an Error *
 * that may be NULL, fill it once where the failure is known best, and return the code.
 */
#ifndef VMM_BASE_ERROR_H
#define VMM_BASE_ERROR_H

#include <stddef.h>

#include "../../include/vmm/error.h"
#include "compiler.h"

typedef struct Error {
    int code;
    char text[VMM_ERROR_TEXT_BYTES];
} Error;

/* Sets *error (NULL: nothing) and returns code, so that callers write return error_set(...). */
int error_set(Error *error, int code, const char *format, ...) VMM_PRINTF(3, 4);

/* As error_set() for memory: says how many bytes were wanted for what. */
int error_no_memory(Error *error, size_t bytes, const char *purpose);

/* Copies the sentence to a public buffer of VMM_ERROR_TEXT_BYTES (NULL: nothing). */
void error_publish(const Error *error, char *buffer);

#ifdef __clang_analyzer__
/* clang-tidy reads one file at a time: this tells it that an error's code is never VMM_OK. */
#define error_set(error, code, ...) ((void)(error_set)(error, code, __VA_ARGS__), (code))
#define error_no_memory(error, bytes, purpose) \
    ((void)(error_no_memory)(error, bytes, purpose), VMM_E_NO_MEMORY)
#endif

#endif
