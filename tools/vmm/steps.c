/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --debug: one line for each page reference, as the machine went through it.
 *
 *     7: pid 1 write 0x5008 | page 0x5 [0x0 0x0 0x0 0x5]+0x8 | TLB miss, walk 4 reads |
 *        fault zero_fill (minor) | frame 2 | evicts page 0x3 of pid 1, dropped: <why>
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { STEPS_ADDRESS_BITS = 48, STEPS_ADDRESS_BITS_FIVE = 57, STEPS_LEVELS_MAX = 5 };

static unsigned steps_levels(const char *organisation) {
    static const char *const names[STEPS_LEVELS_MAX] = {"SINGLE", "TWO_LEVEL", "THREE_LEVEL",
                                                        "FOUR_LEVEL", "FIVE_LEVEL"};
    for (unsigned i = 0; i < STEPS_LEVELS_MAX; i++) {
        if (cli_name_matches(names[i], organisation)) {
            return i + 1;
        }
    }
    return 0;
}

/* Every level has an equal share of the page number's bits, the top one what is left over, too. */
void cli_steps_init(CliSteps *steps, const VMMConfig *config) {
    char organisation[CLI_VALUE_BYTES];
    *steps = (CliSteps){.levels = steps_levels(cli_config_text(config, "pt-type", organisation))};
    for (uint64_t size = cli_config_bytes(config, "page-size"); size > 1; size >>= 1) {
        steps->offset_bits++;
    }
    if (steps->levels == 0) {
        return;
    }
    unsigned width = steps->levels == 5 ? STEPS_ADDRESS_BITS_FIVE : STEPS_ADDRESS_BITS;
    unsigned page_bits = width - steps->offset_bits;
    for (unsigned i = 0; i < steps->levels; i++) {
        steps->bits[i] = page_bits / steps->levels;
    }
    steps->bits[0] += page_bits % steps->levels;
}

static void steps_print_split(const CliSteps *steps, uint64_t vpn, uint64_t offset) {
    unsigned below = 0;
    for (unsigned i = 1; i < steps->levels; i++) {
        below += steps->bits[i];
    }
    fprintf(stderr, " | page 0x%" PRIx64 " ", vpn);
    for (unsigned i = 0; i < steps->levels; i++) {
        uint64_t index =
            i == 0 ? vpn >> below : vpn >> below & ((UINT64_C(1) << steps->bits[i]) - 1);
        fprintf(stderr, "%s0x%" PRIx64, i == 0 ? "[" : " ", index);
        below -= i + 1 < steps->levels ? steps->bits[i + 1] : 0;
    }
    fprintf(stderr, "%s+0x%" PRIx64, steps->levels > 0 ? "]" : "", offset);
}

static void steps_print_eviction(const VMMEviction *eviction) {
    fprintf(stderr, " | evicts page 0x%" PRIx64 " of pid %" PRIu32 " from frame %" PRIu32,
            eviction->vpn, eviction->pid, eviction->frame);
    if (eviction->swap_slot == VMM_NO_SLOT) {
        fputs(", dropped", stderr);
    } else if (eviction->dirty) {
        fprintf(stderr, ", written to swap slot %" PRIu64, eviction->swap_slot);
    } else {
        fprintf(stderr, ", dropped, its copy is in swap slot %" PRIu64, eviction->swap_slot);
    }
    if (eviction->why[0] != '\0') {
        fprintf(stderr, ": %s", eviction->why);
    }
}

static void steps_print_reference(const VMMStep *step) {
    static const char *const names[VMM_OP_COUNT] = {"read", "write", "fetch"};
    fprintf(stderr, "%" PRIu64 ": pid %" PRIu32 " %s 0x%" PRIx64, step->index, step->ref.pid,
            step->ref.op < VMM_OP_COUNT ? names[step->ref.op] : "?", step->ref.addr);
    if ((step->ref.flags & VMM_REF_KERNEL) != 0) {
        fputs(" by the kernel", stderr);
    }
    if (step->ref.size > 1) {
        fprintf(stderr, " (%" PRIu32 " bytes)", step->ref.size);
    }
}

void cli_steps_print(void *user, const VMMStep *step) {
    const CliSteps *steps = user;
    uint64_t page_start = step->vpn << steps->offset_bits;
    steps_print_reference(step);
    steps_print_split(steps, step->vpn,
                      step->ref.addr > page_start ? step->ref.addr - page_start : 0);
    if (step->tlb_hit) {
        fputs(" | TLB hit", stderr);
    } else {
        fprintf(stderr, " | TLB miss, walk %" PRIu32 " read%s", step->walk_reads,
                step->walk_reads == 1 ? "" : "s");
    }
    if (step->fault != VMM_FAULT_NONE) {
        fprintf(stderr, " | fault %s%s", vmm_fault_class_name((int)step->fault),
                step->fault == VMM_FAULT_invalid             ? ""
                : vmm_fault_class_is_major((int)step->fault) ? " (major)"
                                                             : " (minor)");
    }
    if (step->frame != VMM_NO_FRAME) {
        fprintf(stderr, " | frame %" PRIu32, step->frame);
    }
    for (uint32_t i = 0; i < step->eviction_count; i++) {
        steps_print_eviction(&step->evictions[i]);
    }
    fputc('\n', stderr);
}
