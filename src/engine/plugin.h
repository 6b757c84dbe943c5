/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of the user's, in shared libraries: what such a library shows, and how it is made and
 * loaded.
 *
 *     mine.c ──► cc, with plugin.c and loop.h ──► cache/….so ──► dlopen ──► PolicySpec
 *
 * A plug-in has the policy's type and, unless it was compiled plainly, the engine's loop for it.
 * The loop works on the machine's own structs, so it fits only the very program that it was
 * compiled for: plug-in and program each carry a list of the sizes and places that the loop relies
 * on, and a plug-in whose list differs is refused. Out of the loop lead only the MachineCalls of
 * the machine, on misses; a TLB hit stays inside.
 */
#ifndef VMM_ENGINE_PLUGIN_H
#define VMM_ENGINE_PLUGIN_H

#include <stddef.h>

#include "../../include/vmm/policy_build.h"
#include "../../include/vmm/version.h"
#include "engine.h"

#define PLUGIN_SYMBOL "vmm_policy_plugin"

/* Changes when the loop expects something else of the machine that its structs do not show. */
#define PLUGIN_LOOP_VERSION 1

/* What the loop relies on: its version, sizes of structs, and places of what it touches. */
/* clang-format off */
#define PLUGIN_LAYOUT {                                                                           \
    PLUGIN_LOOP_VERSION,                                                                          \
    sizeof(Machine), sizeof(MachineCalls), sizeof(Pool), sizeof(Tlb), sizeof(Recency),            \
    sizeof(Batch), sizeof(Directory), sizeof(VMMPolicy), sizeof(VMMPolicyType),                   \
    offsetof(Machine, calls), offsetof(Machine, directory), offsetof(Machine, frame_of),          \
    offsetof(Machine, slot_of), offsetof(Machine, pages), offsetof(Machine, tlb),                 \
    offsetof(Machine, invalid_seen), offsetof(Machine, stopped_at), offsetof(Machine, fault),     \
    offsetof(Machine, touch_on_hit), offsetof(Machine, status), offsetof(Pool, policy),           \
    offsetof(Tlb, slot_of), offsetof(Tlb, frame), offsetof(Tlb, written), offsetof(Tlb, stamp),   \
    offsetof(Tlb, mark), offsetof(Tlb, round), offsetof(Tlb, order), offsetof(Tlb, clock),        \
    offsetof(Tlb, entries), offsetof(Tlb, note), offsetof(Recency, last), offsetof(Recency, log), \
    offsetof(Recency, head), offsetof(Recency, capacity), offsetof(Batch, page),                  \
    offsetof(Batch, op), offsetof(Batch, repeat), offsetof(Batch, stores),                        \
    offsetof(Batch, next), offsetof(Batch, invalid), offsetof(Batch, first),                      \
    offsetof(Directory, keys), VMM_FAULT_NONE, TLB_NOTE_COUNT                                     \
}
/* clang-format on */
#define PLUGIN_LAYOUT_WORDS (sizeof((uint32_t[])PLUGIN_LAYOUT) / sizeof(uint32_t))

/* The constant vmm_policy_plugin. The first two members stay what they are in all versions. */
typedef struct PolicyPlugin {
    uint32_t interface; /* VMM_POLICY_INTERFACE */
    uint32_t size;      /* of this struct */
    const VMMPolicyType *type;
    VMMPolicyMeter *meter; /* NULL: not metered */
    EngineLoop *loop;      /* NULL: compiled plainly */
    const char *version;   /* of the simulator that it was compiled for */
    uint32_t layout[PLUGIN_LAYOUT_WORDS];
} PolicyPlugin;

/* Names of files, as the plug-in's builder handles them. */
#define PLUGIN_PATH_BYTES 4096

/* Does a policy's name, `length` characters of `text`, name a file? */
bool plugin_is_path(const char *text, size_t length);

/* mine.c, my-lru.so ──► mine, my_lru: the beginning of the constant's name. */
int plugin_stem(const char *path, char *stem, size_t size, Error *error);

/* VMM_OK, or VMM_E_OPEN: `path` is no file that can be read. Messages call it `named`. */
int plugin_check_file(const char *path, const char *named, Error *error);

/*
 * Opens a policy in a file: fills type, library and loop of *spec, whose library must be closed by
 * plugin_close(). VMM_OK, VMM_E_OPEN or VMM_E_POLICY.
 */
int plugin_open(const char *path, PolicySpec *spec, Error *error);

/* Accepts a policy of the simulator. */
void plugin_close(PolicySpec *spec);

/* NULL: the policy is not metered. */
VMMPolicyMeter *plugin_meter(const PolicySpec *spec);

/* A number made from a file's content, never 0. False: it cannot be read. */
bool plugin_fingerprint(const char *path, uint64_t *fingerprint);

/* As vmm_policy_compile(). */
int plugin_build(const VMMPolicyBuild *build, Error *error);

/*
 * The shared library of a source file, out of the cache or compiled. *temporary: it was made for
 * this once, and is to be removed by plugin_remove_built() when it is open.
 */
int plugin_find_built(const char *source, char path[PLUGIN_PATH_BYTES], bool *temporary,
                      Error *error);
void plugin_remove_built(char *path);

#endif
