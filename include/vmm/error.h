/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: a function that can fail returns a VMMError, 0 for success and a negative value else.
 * The sentence that goes with the last error of an object (file, line, what was found, what was
 * expected, what to do) is had from that object: vmm_error_text(), vmm_trace_error_text(), or
 * the char buffer that a function takes.
 */
#ifndef VMM_ERROR_H
#define VMM_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef VMM_API
#if defined(__GNUC__)
#define VMM_API __attribute__((visibility("default")))
#else
#define VMM_API
#endif
#endif

typedef enum VMMError {
#define X(name, value, text) VMM_##name = (value),
#include "errors.def"
#undef X
} VMMError;

/* Room that every error sentence fits into, its terminating zero included. */
#define VMM_ERROR_TEXT_BYTES 512

/* The name of a code, such as "E_RANGE"; "E_?" for a number that is no code. Never NULL. */
VMM_API const char *vmm_error_name(int code);

/* What a code means in general, a static English phrase. Never NULL. */
VMM_API const char *vmm_error_message(int code);

/*
 * The name that a word was most likely meant to be, for messages, or NULL if none is near. Names
 * come from name_at(user, 0), (user, 1), ..., NULL past the last; they are in small letters and
 * must stay valid until the answer was used.
 */
typedef const char *VMMNameAt(const void *user, size_t index);
VMM_API const char *vmm_nearest_name(const char *word, VMMNameAt *name_at, const void *user);

#ifdef __cplusplus
}
#endif

#endif
