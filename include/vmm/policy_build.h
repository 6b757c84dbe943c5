/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of your own. Wherever the name of a policy is expected, it may be the name of a file:
 * one that contains a '/', or ends in .c or .so. Parameters follow as ever: "./mine.c:window=3".
 *
 *     mine.c     a file after policy.h that ends with a constant mine_policy. It is compiled by the
 *                system's C compiler, together with the engine's loop, and kept in a cache:
 *                $XDG_CACHE_HOME/vmm/policies, else ~/.cache/vmm/policies. The compiler is what
 *                VMM_CC names, else cc.
 *     mine.so    what vmm_policy_compile() made of it; or a shared library of your own compiling
 *                (cc -shared -fPIC mine.c) with a visible constant mine_policy whose `interface` is
 *                set, which has no loop of its own and is slower.
 *
 * A policy is code: it runs with all rights of the program that loads it. Nothing is loaded that
 * was not named, and nothing from a cache that others than its owner can write.
 */
#ifndef VMM_POLICY_BUILD_H
#define VMM_POLICY_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "policy.h"
#include "sim.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    VMM_POLICY_BUILD_WARNINGS = 1, /* the compiler warns of what is doubtful */
    VMM_POLICY_BUILD_METERED = 2,  /* counts the policy's steps (VMMPolicyMeter), and checks for
                                      undefined behaviour where the compiler can */
    VMM_POLICY_BUILD_PLAIN = 4     /* without a loop of its own */
};

typedef struct VMMPolicyBuild {
    uint32_t struct_size;
    uint32_t flags;       /* VMM_POLICY_BUILD_... */
    const char *source;   /* mine.c */
    const char *output;   /* the shared library to write; it appears complete or not at all */
    const char *compiler; /* NULL: what the environment variable VMM_CC names, else cc */
    char *messages;       /* gets what the compiler said, cut off at messages_size; may be NULL */
    size_t messages_size;
} VMMPolicyBuild;

/*
 * The length of the name in front of the parameters, "./mine.c" in "./mine.c:window=3". That of a
 * file may have colons itself: it ends at the first one behind .c or .so in the last part of its
 * path. And whether it is the name of a file.
 */
VMM_API size_t vmm_policy_name_length(const char *text);
VMM_API bool vmm_policy_is_file(const char *text);

/*
 * Compiles a policy into a shared library. VMM_OK; VMM_E_OPEN: the source cannot be read, there is
 * no compiler, or the engine's files are not installed; VMM_E_POLICY: it does not compile, and the
 * sentence has the compiler's first error; VMM_E_WRITE: the output cannot be written. `error` may
 * be NULL or has room for VMM_ERROR_TEXT_BYTES.
 */
VMM_API int vmm_policy_compile(const VMMPolicyBuild *build, char *error);

/* ---- Looking at a policy -------------------------------------------------------------------- */

typedef struct VMMPolicyHandle VMMPolicyHandle;

/*
 * Reads the name of a policy, of the simulator's own or a file, with its parameters. VMM_OK, or the
 * error that vmm_config_check() would give. Close it; what it showed is valid until then.
 */
VMM_API int vmm_policy_open(const char *text, VMMPolicyHandle **policy, char *error);
/* Accepts NULL. */
VMM_API void vmm_policy_close(VMMPolicyHandle *policy);

VMM_API const VMMPolicyInfo *vmm_policy_info(const VMMPolicyHandle *policy);
VMM_API const VMMPolicyType *vmm_policy_type(const VMMPolicyHandle *policy);
/* The values of its parameters, in the order of info->parameters. */
VMM_API const uint64_t *vmm_policy_values(const VMMPolicyHandle *policy);
/*
 * A number made from the content of the shared library that a policy in a file is, or was compiled
 * to: two versions under one name differ in it, by their source or by a header they include. 0: a
 * policy of the simulator.
 */
VMM_API uint64_t vmm_policy_fingerprint(const VMMPolicyHandle *policy);

/*
 * The steps (basic blocks) that a metered policy has made. When `steps` reaches `limit`, at_limit
 * is called, which need not return. NULL: the policy is not metered.
 */
typedef struct VMMPolicyMeter {
    uint64_t steps, limit;
    void (*at_limit)(void);
} VMMPolicyMeter;
VMM_API VMMPolicyMeter *vmm_policy_meter(const VMMPolicyHandle *policy);

#ifdef __cplusplus
}
#endif

#endif
