/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bytes as a small machine and what happens to it: references, events.
 *
 * Two machines live through the same: one is fed batches and runs in the fast engine, one is fed
 * single references and runs in the generic one. They must agree in every counter at every event,
 * and the counters must add up.
 *
 *     byte 0..5   the configuration
 *     then        5 bytes a step: kind and process, address (3 bytes), size or length
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/vmm/vmm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_CONFIG_BYTES = 6, FUZZ_STEP_BYTES = 5, FUZZ_MAX_STEPS = 2000 };

static void fuzz_must(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void fuzz_set(VMMConfig *config, const char *name, const char *format, unsigned value) {
    char text[64];
    char error[VMM_ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, format, value);
    if (vmm_config_set(config, name, text, error) != VMM_OK) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
}

/* A choice by its place among those of the option. */
static void fuzz_choose(VMMConfig *config, const char *name, unsigned which) {
    const VMMOption *option = vmm_option_find(name);
    fuzz_must(option != NULL && option->choices != NULL, "an option with choices");
    unsigned count = 1;
    for (const char *at = option->choices; *at != '\0'; at++) {
        count += *at == '|';
    }
    const char *choice = option->choices;
    for (which %= count; which > 0; which--) {
        choice = strchr(choice, '|') + 1;
    }
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(choice, "|"), choice);
    fuzz_must(vmm_config_set(config, name, text, NULL) == VMM_OK, "a choice is accepted");
}

static void fuzz_configure(VMMConfig *config, const uint8_t *bytes) {
    size_t policies = 0;
    while (vmm_policy_at(policies) != NULL) {
        policies++;
    }
    vmm_config_init_default(config);
    vmm_config_set(config, "policy", vmm_policy_at(bytes[0] % policies)->name, NULL);
    fuzz_set(config, "frames", "%u", 1 + bytes[1] % 16);
    fuzz_choose(config, "scope", bytes[1] >> 4);
    fuzz_choose(config, "initial", bytes[1] >> 5);
    fuzz_set(config, "page-size", "%u", bytes[2] & 1 ? 512 : 4096);
    size_t tables = 0;
    while (vmm_page_table_at(tables) != NULL) {
        tables++;
    }
    vmm_config_set(config, "pt-type", vmm_page_table_at((size_t)(bytes[2] >> 1) % tables)->name,
                   NULL);
    if (bytes[2] & 16) {
        fuzz_set(config, "swap", "%uK", 64); /* small: it can become full */
    }
    if (bytes[2] & 32) {
        fuzz_set(config, "vspace", "%uM", 4); /* small: addresses can be beyond */
    }
    vmm_config_set(config, "tlb", bytes[3] & 64 ? "off" : "on", NULL);
    fuzz_set(config, "tlb-size", "%u", 1u << (bytes[3] & 3));
    if (bytes[3] & 4) {
        fuzz_set(config, "tlb-ways", "%u", 1);
    }
    fuzz_choose(config, "tlb-policy", bytes[3] >> 3);
    fuzz_choose(config, "tlb-switch", bytes[4]);
    fuzz_choose(config, "accessed-bit", bytes[4] >> 1);
    fuzz_choose(config, "refs", bytes[4] >> 2);
    fuzz_choose(config, "swap-write", bytes[4] >> 4);
    fuzz_set(config, "seed", "%u", bytes[5]);
}

static void fuzz_add_up(const VMM *vmm) {
    VMMStats s = {.struct_size = sizeof s};
    fuzz_must(vmm_stats(vmm, &s) == VMM_OK, "statistics can be had");
    uint64_t classes = 0;
    for (int i = 0; i < VMM_FAULT_CLASS_COUNT; i++) {
        classes += s.faults[i];
    }
    fuzz_must(classes == s.page_faults, "fault classes sum to the faults");
    fuzz_must(s.major_faults + s.minor_faults == s.misses, "valid ones are major or minor");
    fuzz_must(s.reads + s.writes + s.fetches == s.accesses, "ops sum to the references");
    fuzz_must(s.tlb_hits + s.tlb_misses == s.page_references, "TLB hits and misses to lookups");
    fuzz_must(s.misses + s.faults[VMM_FAULT_invalid] == s.page_faults, "misses are valid faults");
    fuzz_must(s.frames_used <= s.frames, "no more frames than there are");
    fuzz_must(s.swap_slots_used <= s.swap_slots_peak, "the peak is the peak");
    fuzz_must(s.clean_evictions + s.swap_outs == s.replacements + s.cleanings,
              "evictions are clean or not");
    fuzz_must(s.oom_events != 0 || s.misses - s.replacements - s.discards == s.frames_used,
              "pages in memory came in and did not leave");
    uint64_t accesses = 0;
    uint64_t faults = 0;
    for (size_t i = 0; i < vmm_process_count(vmm); i++) {
        VMMProcessStats process = {.struct_size = sizeof process};
        fuzz_must(vmm_process_stats(vmm, i, &process) == VMM_OK, "a process has statistics");
        accesses += process.accesses;
        faults += process.page_faults;
    }
    fuzz_must(accesses == s.accesses && faults == s.page_faults, "processes sum to the whole");
}

static void fuzz_agree(const VMM *fast, const VMM *generic) {
    VMMStats a = {.struct_size = sizeof a};
    VMMStats b = {.struct_size = sizeof b};
    vmm_stats(fast, &a);
    vmm_stats(generic, &b);
    for (size_t i = 0; i < vmm_stat_count(); i++) {
        const VMMStatInfo *info = vmm_stat_at(i);
        uint64_t x;
        uint64_t y;
        memcpy(&x, (const char *)&a + info->offset, sizeof x);
        memcpy(&y, (const char *)&b + info->offset, sizeof y);
        if (x != y) {
            fprintf(stderr, "%s: fast %llu, generic %llu\n", info->name, (unsigned long long)x,
                    (unsigned long long)y);
            abort();
        }
    }
    fuzz_must(vmm_last_error(fast) == vmm_last_error(generic), "both have the same last error");
    fuzz_add_up(fast);
}

/* Feeds what was collected to both; false when the machines go on no longer. */
static int fuzz_feed(VMM *fast, VMM *generic, const VMMRef *refs, size_t count) {
    if (count == 0) {
        return 1;
    }
    int code = vmm_feed(fast, refs, count);
    int other = VMM_OK;
    for (size_t i = 0; i < count && other == VMM_OK; i++) {
        other = vmm_feed(generic, refs + i, 1);
    }
    fuzz_must(code == other, "both engines end alike");
    fuzz_agree(fast, generic);
    return code == VMM_OK;
}

static void fuzz_event(VMM *fast, VMM *generic, uint32_t type, uint32_t pid, uint64_t start,
                       uint64_t length) {
    VMMEvent event = {.struct_size = sizeof event,
                      .type = type,
                      .pid = pid,
                      .start = start,
                      .length = length,
                      .target = start + length * 2,
                      .value = 4,
                      .flags = VMM_MAP_FIXED};
    int code = vmm_apply(fast, &event);
    fuzz_must(code == vmm_apply(generic, &event), "both take an event alike");
    fuzz_agree(fast, generic);
}

/* An unmap or an exit, or what the fourth byte says. */
static uint32_t fuzz_event_type(const uint8_t *data) {
    static const uint32_t types[] = {VMM_EVENT_ADVISE, VMM_EVENT_MAP,  VMM_EVENT_REMAP,
                                     VMM_EVENT_EXEC,   VMM_EVENT_FORK, 99};
    if (data[3] != 0 && data[3] <= sizeof types / sizeof types[0]) {
        return types[data[3] - 1];
    }
    return data[0] & 1 ? VMM_EVENT_EXIT : VMM_EVENT_UNMAP;
}

static void fuzz_live(VMM *fast, VMM *generic, const uint8_t *data, size_t steps) {
    static VMMRef refs[FUZZ_MAX_STEPS];
    size_t count = 0;
    for (size_t i = 0; i < steps; i++, data += FUZZ_STEP_BYTES) {
        uint32_t pid = (data[0] >> 5) & 3;
        uint64_t addr = (uint64_t)data[1] << 12 | (uint64_t)(data[2] & 15) << 8 | data[3];
        if ((data[2] & 0x70) == 0x70) {
            addr += UINT64_C(1) << (40 + (data[2] & 15)); /* far away, perhaps beyond the limit */
        }
        if ((data[0] & 31) >= 30) {
            if (!fuzz_feed(fast, generic, refs, count)) {
                return;
            }
            count = 0;
            fuzz_event(fast, generic, fuzz_event_type(data), pid, (uint64_t)data[1] << 12,
                       (uint64_t)data[4] << 12);
            continue;
        }
        refs[count++] = (VMMRef){.addr = addr,
                                 .pid = pid,
                                 .size = data[4] < 240 ? data[4] & 15u : data[4] * 64u,
                                 .op = (uint8_t)(data[0] % VMM_OP_COUNT),
                                 .flags = (data[2] & 0x80) != 0 ? VMM_REF_KERNEL : 0};
    }
    fuzz_feed(fast, generic, refs, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < FUZZ_CONFIG_BYTES) {
        return 0;
    }
    size_t steps = (size - FUZZ_CONFIG_BYTES) / FUZZ_STEP_BYTES;
    VMMConfig config;
    fuzz_configure(&config, data);
    VMM *fast = vmm_create(&config);
    vmm_config_set(&config, "engine", "generic", NULL);
    VMM *generic = vmm_create(&config);
    fuzz_must((fast == NULL) == (generic == NULL), "both are made or none");
    if (fast != NULL) {
        fuzz_live(fast, generic, data + FUZZ_CONFIG_BYTES,
                  steps < FUZZ_MAX_STEPS ? steps : FUZZ_MAX_STEPS);
    }
    vmm_destroy(fast);
    vmm_destroy(generic);
    return 0;
}
