/* SPDX-License-Identifier: Apache-2.0 */
/* A set of pages: an open hash table that doubles. */
#include "vmt_pages.h"

#include <stdbool.h>

#include "../base/memory.h"

enum { PAGES_FIRST = 1024 };

/* Where the page is, or would be. */
static VmtPage *pages_find(const VmtPages *pages, VmtPage page) {
    uint64_t hash = (page.vpn * 0x9E3779B97F4A7C15u) ^ (page.owner * 0xC2B2AE3D27D4EB4Fu);
    for (size_t at = (size_t)(hash >> 32);; at++) {
        VmtPage *slot = &pages->slots[at & (pages->slot_count - 1)];
        if (slot->owner == 0 || (slot->vpn == page.vpn && slot->owner == page.owner)) {
            return slot;
        }
    }
}

static bool pages_double(VmtPages *pages) {
    VmtPages larger = {.slot_count = pages->slot_count > 0 ? pages->slot_count * 2 : PAGES_FIRST,
                       .count = pages->count};
    larger.slots = memory_zalloc(&memory_default, larger.slot_count, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < pages->slot_count; i++) {
        if (pages->slots[i].owner != 0) {
            *pages_find(&larger, pages->slots[i]) = pages->slots[i];
        }
    }
    vmt_pages_free(pages);
    *pages = larger;
    return true;
}

void vmt_pages_add(VmtPages *pages, uint32_t pid, const uint64_t *vpns, size_t count) {
    for (size_t i = 0; i < count && pages->count < VMT_PAGES_MAX; i++) {
        if (pages->count * 2 >= pages->slot_count && !pages_double(pages)) {
            return;
        }
        VmtPage page = {.vpn = vpns[i], .owner = (uint64_t)pid + 1};
        VmtPage *slot = pages_find(pages, page);
        pages->count += slot->owner == 0;
        *slot = page;
    }
}

void vmt_pages_free(VmtPages *pages) {
    memory_free(&memory_default, pages->slots, pages->slot_count, sizeof *pages->slots);
    *pages = (VmtPages){0};
}
