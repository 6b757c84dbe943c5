/* SPDX-License-Identifier: Apache-2.0 */
/* Full addresses: one kind byte, zigzag address difference and size a reference. */
#include "vmt_full.h"

#include "../base/memory.h"

#define FULL_RECORD_BYTES (1 + 10 + 5)

struct VmtFullEncoder {
    uint32_t count;
    uint64_t last[4];
    size_t used;
    VmtBlock counts;
    uint8_t payload[VMT_ENTRIES * FULL_RECORD_BYTES];
};

VmtFullEncoder *vmt_full_open(void) {
    return memory_zalloc(&memory_default, 1, sizeof(VmtFullEncoder));
}

void vmt_full_close(VmtFullEncoder *encoder) {
    memory_free(&memory_default, encoder, 1, sizeof *encoder);
}

bool vmt_full_pending(const VmtFullEncoder *encoder) {
    return encoder->count > 0;
}

static void full_count(VmtBlock *counts, const VMMRef *ref) {
    bool kernel = (ref->flags & VMM_REF_KERNEL) != 0;
    counts->references++;
    counts->kernel_references += kernel;
    counts->reads += !kernel && ref->op == VMM_OP_READ;
    counts->writes += !kernel && ref->op == VMM_OP_WRITE;
    counts->fetches += !kernel && ref->op == VMM_OP_FETCH;
}

size_t vmt_full_add(VmtFullEncoder *encoder, const VMMRef *refs, size_t count) {
    size_t room = VMT_ENTRIES - encoder->count;
    count = count < room ? count : room;
    uint8_t *at = encoder->payload + encoder->used;
    for (size_t i = 0; i < count; i++) {
        const VMMRef *ref = &refs[i];
        *at++ = (uint8_t)(ref->op | (ref->flags & VMM_REF_KERNEL) << 2);
        at = vmt_put_varint(at, vmt_zigzag(ref->addr - encoder->last[ref->op]));
        at = vmt_put_varint(at, ref->size);
        encoder->last[ref->op] = ref->addr;
        full_count(&encoder->counts, ref);
    }
    encoder->used = (size_t)(at - encoder->payload);
    encoder->count += (uint32_t)count;
    return count;
}

const uint8_t *vmt_full_take(VmtFullEncoder *encoder, VmtBlock *block) {
    const VmtBlock *counts = &encoder->counts;
    block->type = VMT_BLOCK_FULL;
    block->entries = encoder->count;
    block->raw_bytes = (uint32_t)encoder->used;
    block->references = block->page_references = counts->references;
    block->kernel_references = counts->kernel_references;
    block->reads = counts->reads;
    block->writes = counts->writes;
    block->fetches = counts->fetches;
    encoder->count = 0;
    encoder->used = 0;
    memset(encoder->last, 0, sizeof encoder->last);
    encoder->counts = (VmtBlock){.type = 0};
    return encoder->payload;
}

const char *vmt_full_decode(VMMRef *to, const VmtBlock *block, const uint8_t *payload) {
    VmtCursor cursor = {payload, payload + block->raw_bytes, false};
    uint64_t last[4] = {0};
    VmtBlock counts = {.type = 0};
    for (uint32_t i = 0; i < block->entries; i++) {
        uint64_t kind = vmt_get_varint(&cursor);
        if (cursor.bad || (kind & 3) >= VMM_OP_COUNT || kind > 7) {
            return "a reference is damaged";
        }
        uint64_t addr = last[kind & 3] += vmt_unzigzag(vmt_get_varint(&cursor));
        to[i] = (VMMRef){.addr = addr,
                         .pid = block->pid,
                         .tid = block->tid,
                         .size = vmt_get_varint32(&cursor),
                         .op = (uint8_t)(kind & 3),
                         .flags = (uint8_t)(kind >> 2)};
        full_count(&counts, &to[i]);
        if (cursor.bad || to[i].size == 0) {
            return "a reference is damaged";
        }
    }
    bool same = counts.references == block->references && counts.reads == block->reads &&
                counts.writes == block->writes && counts.fetches == block->fetches;
    return same && cursor.at == cursor.end ? NULL : "its counts are not those of its header";
}
