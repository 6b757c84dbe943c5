/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: a block of caller memory that is filled with defaults and then set by name.
 *
 *     VMMConfig config;
 *     vmm_config_init_default(&config);
 *     vmm_config_set(&config, "frames", "100", NULL);
 *     vmm_config_set(&config, "policy", "clock:bits=2", NULL);
 *
 * The names, bounds, defaults and explanations of all options come from one table, which
 * vmm_option_at() shows; the flags of the program `vmm`, the keys of configuration files and the
 * tables in the documentation are made from it too. A VMMConfig holds no pointers: it may be
 * copied by assignment and needs no destroy.
 */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for the options of versions to come: a caller compiled today is never overrun. */
#define VMM_CONFIG_BYTES 65536

typedef struct VMMConfig {
    uint32_t struct_size; /* bytes that vmm_config_init_default() filled */
    uint32_t version;     /* layout of the rest */
    uint64_t opaque[(VMM_CONFIG_BYTES - 8) / 8];
} VMMConfig;

typedef enum VMMOptionType {
    VMM_OPTION_COUNT,      /* a whole number; k, M, G multiply by 1000, Ki, Mi, Gi by 1024 */
    VMM_OPTION_SIZE,       /* bytes; K, M, G, T (also KiB, ...) multiply by 1024 */
    VMM_OPTION_SIZE_MB,    /* as SIZE, but a number without a unit counts MiB */
    VMM_OPTION_DURATION,   /* ps, ns, us, ms, s; a number without a unit counts ns */
    VMM_OPTION_SWITCH,     /* on, off */
    VMM_OPTION_CHOICE,     /* one of `choices` */
    VMM_OPTION_POLICY,     /* a policy's name, parameters behind a colon: clock:bits=2,enter=0 */
    VMM_OPTION_PAGE_TABLE, /* the name of a page-table organisation: FOUR_LEVEL */
    VMM_OPTION_GROUPS      /* groups of processes with a limit: db=64M:100,101+web=32M:7, or none */
} VMMOptionType;

typedef struct VMMOption {
    const char *name;  /* API name, configuration key and long flag: "page-size" */
    const char *alias; /* another long flag for the same, or NULL */
    char letter;       /* short flag, or 0 */
    VMMOptionType type;
    const char *metavar;      /* what its value is called in help: "SIZE" */
    const char *default_text; /* as a user would write it */
    uint64_t min, max;        /* bounds of numbers, in bytes, ps or plain counts */
    const char *choices;      /* names separated by '|', of numbers "name=value"; or NULL */
    const char *group;        /* heading in help */
    const char *help;         /* one sentence */
} VMMOption;

/* The table of options. at() returns NULL for an index that is not below count(). */
VMM_API size_t vmm_option_count(void);
VMM_API const VMMOption *vmm_option_at(size_t index);
/* By name, alias or spelling (case, '-' and '_' do not matter); NULL if there is none. */
VMM_API const VMMOption *vmm_option_find(const char *name);

/*
 * Fills caller memory, all VMM_CONFIG_BYTES of it, with the defaults. The caller need not have set
 * anything; one that does not know the type (ctypes, say) gives 64 KiB.
 */
VMM_API void vmm_config_init_default(VMMConfig *config);

/*
 * Sets one option from text. `error` may be NULL or has room for VMM_ERROR_TEXT_BYTES and gets a
 * sentence on failure. On failure the configuration is unchanged. A number whose default is a
 * word ("auto", "unlimited") accepts that word too.
 * VMM_E_USAGE: unknown name, or text of the wrong form; VMM_E_RANGE: out of bounds. Whether a
 * policy or page table of that name exists is the business of vmm_config_check().
 */
VMM_API int vmm_config_set(VMMConfig *config, const char *name, const char *value, char *error);

/*
 * Writes the value of one option as text that vmm_config_set() accepts, always ended by a zero.
 * Returns the length the whole text has, as snprintf does, or VMM_E_USAGE for an unknown name.
 */
VMM_API int vmm_config_get(const VMMConfig *config, const char *name, char *text, size_t size);

/* 1 if the option was set since vmm_config_init_default(), else 0 (unknown names too). */
VMM_API int vmm_config_is_set(const VMMConfig *config, const char *name);

/*
 * Reads `name = value` lines from a file; '#' begins a comment. VMM_E_OPEN, VMM_E_READ or the
 * error of the first bad line, whose number the sentence names.
 */
VMM_API int vmm_config_load(VMMConfig *config, const char *path, char *error);

/*
 * Checks what setting single options cannot show: a page larger than the memory, ways that do not
 * divide the entries, the names of policies with their parameters, and of page tables. VMM_OK,
 * VMM_E_CONFIG, VMM_E_USAGE or VMM_E_RANGE; vmm_create() does the same check.
 */
VMM_API int vmm_config_check(const VMMConfig *config, char *error);

/*
 * Frames of the configured memory: `frames` if given, else `ram` / `page-size`; 0 if the sizes do
 * not go together. With scope = process, the frames of each process.
 */
VMM_API uint64_t vmm_config_frames(const VMMConfig *config);

#ifdef __cplusplus
}
#endif

#endif
