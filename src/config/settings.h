/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: what a VMMConfig holds, as the rest of the library reads it.
 *
 * The members come from options.def, one for each option: uint64_t for numbers, switches and
 * choices (the place of the chosen word in the list), text for names. `given` tells which
 * options were set by name. Derived values are functions below, never stored.
 */
#ifndef VMM_CONFIG_SETTINGS_H
#define VMM_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../include/vmm/config.h"
#include "../base/error.h"

#define SETTINGS_VERSION 1
#define SETTINGS_NAME_BYTES 256

#define SETTINGS_MEMBER_COUNT(field) uint64_t field;
#define SETTINGS_MEMBER_SIZE(field) uint64_t field;
#define SETTINGS_MEMBER_SIZE_MB(field) uint64_t field;
#define SETTINGS_MEMBER_DURATION(field) uint64_t field;
#define SETTINGS_MEMBER_SWITCH(field) uint64_t field;
#define SETTINGS_MEMBER_CHOICE(field) uint64_t field;
#define SETTINGS_MEMBER_POLICY(field) char field[SETTINGS_NAME_BYTES];
#define SETTINGS_MEMBER_PAGE_TABLE(field) char field[SETTINGS_NAME_BYTES];
#define SETTINGS_MEMBER_GROUPS(field) char field[SETTINGS_NAME_BYTES];

typedef struct Settings {
    uint64_t given[4]; /* bit i: option i of the table was set by name */
#define X(field, name, alias, letter, type, metavar, dflt, min, max, choices, group, help) \
    SETTINGS_MEMBER_##type(field)
#include "options.def"
#undef X
} Settings;

/* Places of the words of choices, in the order of options.def. */
enum { SCOPE_GLOBAL, SCOPE_PROCESS };
enum { INITIAL_AUTO, INITIAL_ZERO, INITIAL_STORE };
enum { MAPPINGS_AUTO, MAPPINGS_COMPLETE, MAPPINGS_PARTIAL };
enum { FILE_CACHE_COLD, FILE_CACHE_WARM };
enum { INVALID_COUNT, INVALID_STOP, INVALID_KILL };
enum { ACCESSED_EVERY_REFERENCE, ACCESSED_TLB_FILL };
enum { TLB_LRU, TLB_FIFO, TLB_RANDOM, TLB_LFU };
enum { TLB_TAGGED, TLB_FLUSH };
enum { REFS_ALL, REFS_DATA, REFS_FETCH };
enum { SWAP_WRITE_STALL, SWAP_WRITE_BACKGROUND };
enum { ENGINE_FAST, ENGINE_GENERIC };

/* The settings inside a configuration. */
static inline const Settings *settings_of(const VMMConfig *config) {
    return (const Settings *)(const void *)config->opaque;
}

/* The settings inside a configuration that the library may write. */
static inline Settings *settings_edit(VMMConfig *config) {
    return (Settings *)(void *)config->opaque;
}

/*
 * VMM_OK, VMM_E_USAGE for a configuration that was not initialised, or VMM_E_CONFIG, with the
 * sentence. Names of policies and page tables are not looked at.
 */
int settings_check(const VMMConfig *config, Error *error);

/* Frames of the memory (with scope = process, of each process); 0 if not even one fits. */
uint64_t settings_frames(const Settings *settings);

/* Whether processes have pools of their own: each one, or those with a limit. */
static inline bool settings_has_limits(const Settings *settings) {
    return settings->resident_limit != 0 || strcmp(settings->groups, "none") != 0;
}
static inline bool settings_pools_by_space(const Settings *settings) {
    return settings->scope == SCOPE_PROCESS || settings_has_limits(settings);
}

/* Free frames below which eviction in the background begins, 0: never, and where it ends. */
uint64_t settings_free_low(const Settings *settings);
uint64_t settings_free_high(const Settings *settings);

/* log2 of the page size. */
unsigned settings_page_shift(const Settings *settings);

/* The first address that is invalid, of those that page tables of `address_bits` translate. */
uint64_t settings_address_limit(const Settings *settings, unsigned address_bits);

/* Slots of the swap device; UINT64_MAX if it grows as needed. */
uint64_t settings_swap_slots(const Settings *settings);

#endif
