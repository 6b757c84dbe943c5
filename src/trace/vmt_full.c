/* SPDX-License-Identifier: Apache-2.0 */
/* Full addresses, written and read. vmt_full.h has the idea. */
#include "vmt_full.h"

#include "../base/compiler.h"
#include "../base/memory.h"

/* What a code says: whose kind and size (op, kernel, bytes) are right, and what the address is. */
typedef enum FullCode {
    FULL_PATH_STRIDE, /* of the last two fetches: its last address and its stride */
    FULL_STRIDE,      /* of the last fetch: its last address and its stride */
    FULL_PATH_SAME,   /* of the last two: its last address */
    FULL_SAME,        /* of the last: its last address */
    FULL_MOVED,       /* of the last: its last address and a difference */
    FULL_NEW, /* kind and size are given; the last address of the same op and a difference */
    FULL_CODES
} FullCode;

#define FULL_TABLE_BITS 14
#define FULL_KIND_BITS 3 /* op, and 4 for the kernel */

/* What was done in a context the last time. */
typedef struct FullGuess {
    uint64_t addr;
    uint64_t stride;
    uint32_t size;
    uint32_t tag; /* number of the block << FULL_KIND_BITS | kind; of another block: no guess */
} FullGuess;

struct VmtModel {
    uint32_t block; /* from 1 */
    uint64_t fetch; /* address of the last fetch, 0: none */
    uint64_t fetch_before;
    uint64_t position;           /* references since the last fetch */
    uint64_t last[VMM_OP_COUNT]; /* address of the last reference by op */
    FullGuess table[1 << FULL_TABLE_BITS];
    FullGuess path_table[1 << FULL_TABLE_BITS];
};

/* ---- The model ------------------------------------------------------------------------------ */

VmtModel *vmt_model_open(void) {
    return memory_zalloc(&memory_default, 1, sizeof(VmtModel));
}

void vmt_model_close(VmtModel *model) {
    memory_free(&memory_default, model, 1, sizeof *model);
}

static void full_begin_block(VmtModel *model) {
    model->block = (model->block + 1) % (UINT32_C(1) << (32 - FULL_KIND_BITS));
    if (model->block == 0) {
        memset(model->table, 0, sizeof model->table);
        memset(model->path_table, 0, sizeof model->path_table);
        model->block = 1;
    }
    model->fetch = model->fetch_before = model->position = 0;
    memset(model->last, 0, sizeof model->last);
}

VMM_ALWAYS_INLINE FullGuess *full_guess(VmtModel *model) {
    uint64_t context = model->fetch * 31 + model->position;
    return &model->table[context * 0x9E3779B97F4A7C15u >> (64 - FULL_TABLE_BITS)];
}

VMM_ALWAYS_INLINE FullGuess *full_path_guess(VmtModel *model) {
    uint64_t context = (model->fetch * 31 + model->position) * 0x2545F491 + model->fetch_before * 7;
    return &model->path_table[context * 0x9E3779B97F4A7C15u >> (64 - FULL_TABLE_BITS)];
}

VMM_ALWAYS_INLINE void full_learn_guess(FullGuess *guess, uint64_t addr, uint32_t size,
                                        uint32_t tag, bool fetch) {
    bool again = guess->tag == tag && guess->size == size && !fetch;
    guess->stride = again ? addr - guess->addr : 0;
    guess->addr = addr;
    guess->size = size;
    guess->tag = tag;
}

VMM_ALWAYS_INLINE void full_learn(VmtModel *model, FullGuess *guess, FullGuess *path, uint64_t addr,
                                  uint32_t size, uint32_t kind) {
    bool fetch = kind == VMM_OP_FETCH;
    uint32_t tag = model->block << FULL_KIND_BITS | kind;
    full_learn_guess(guess, addr, size, tag, fetch);
    full_learn_guess(path, addr, size, tag, fetch);
    model->last[kind & 3] = addr;
    model->position++;
    if (fetch) {
        model->fetch_before = model->fetch;
        model->fetch = addr;
        model->position = 0;
    }
}

/* ---- Encoding ------------------------------------------------------------------------------- */

enum { FULL_KIND_BYTES = 1 + 5 };
#define FULL_PAYLOAD_BYTES (VMT_ENTRIES * (1 + FULL_KIND_BYTES + VMT_VARINT_BYTES) + 16)
_Static_assert(FULL_PAYLOAD_BYTES <= VMT_RAW_MAX, "a block's payload is within the limit");

struct VmtFullEncoder {
    VmtModel model;
    uint32_t count;
    uint32_t by_kind[1 << FULL_KIND_BITS];
    size_t kind_bytes;
    size_t address_bytes;
    uint8_t codes[VMT_ENTRIES];
    uint8_t kinds[VMT_ENTRIES * FULL_KIND_BYTES];
    uint8_t addresses[VMT_ENTRIES * VMT_VARINT_BYTES];
    uint8_t payload[FULL_PAYLOAD_BYTES];
};

VmtFullEncoder *vmt_full_open(void) {
    VmtFullEncoder *encoder = memory_zalloc(&memory_default, 1, sizeof *encoder);
    if (encoder != NULL) {
        full_begin_block(&encoder->model);
    }
    return encoder;
}

void vmt_full_close(VmtFullEncoder *encoder) {
    memory_free(&memory_default, encoder, 1, sizeof *encoder);
}

bool vmt_full_pending(const VmtFullEncoder *encoder) {
    return encoder->count > 0;
}

VMM_ALWAYS_INLINE FullCode full_choose(const FullGuess *guess, const FullGuess *path, uint64_t addr,
                                       uint32_t size, uint32_t tag) {
    bool on_path = path->tag == tag && path->size == size;
    bool known = guess->tag == tag && guess->size == size;
    if (on_path && path->addr + path->stride == addr) {
        return FULL_PATH_STRIDE;
    }
    if (known && guess->addr + guess->stride == addr) {
        return FULL_STRIDE;
    }
    if (on_path && path->addr == addr) {
        return FULL_PATH_SAME;
    }
    if (known && guess->addr == addr) {
        return FULL_SAME;
    }
    return known ? FULL_MOVED : FULL_NEW;
}

static uint8_t *full_put_difference(uint8_t *to, uint64_t addr, uint64_t from) {
    return vmt_put_varint(to, vmt_zigzag(addr - from));
}

size_t vmt_full_add(VmtFullEncoder *encoder, const VMMRef *refs, size_t count) {
    VmtModel *model = &encoder->model;
    size_t room = VMT_ENTRIES - encoder->count;
    count = count < room ? count : room;
    uint8_t *kinds = encoder->kinds + encoder->kind_bytes;
    uint8_t *addresses = encoder->addresses + encoder->address_bytes;
    for (size_t i = 0; i < count; i++) {
        uint64_t addr = refs[i].addr;
        uint32_t size = refs[i].size;
        uint32_t kind = refs[i].op | (refs[i].flags & (uint32_t)VMM_REF_KERNEL) << 2;
        FullGuess *guess = full_guess(model);
        FullGuess *path = full_path_guess(model);
        FullCode code = full_choose(guess, path, addr, size, model->block << FULL_KIND_BITS | kind);
        encoder->codes[encoder->count + i] = (uint8_t)code;
        encoder->by_kind[kind]++;
        if (code == FULL_MOVED) {
            addresses = full_put_difference(addresses, addr, guess->addr);
        } else if (code == FULL_NEW) {
            *kinds++ = (uint8_t)kind;
            kinds = vmt_put_varint(kinds, size);
            addresses = full_put_difference(addresses, addr, model->last[kind & 3]);
        }
        full_learn(model, guess, path, addr, size, kind);
    }
    encoder->kind_bytes = (size_t)(kinds - encoder->kinds);
    encoder->address_bytes = (size_t)(addresses - encoder->addresses);
    encoder->count += (uint32_t)count;
    return count;
}

/* The counts of a block's header from those of the kinds. */
static void full_count(const uint32_t *by_kind, VmtBlock *block) {
    block->reads = by_kind[VMM_OP_READ];
    block->writes = by_kind[VMM_OP_WRITE];
    block->fetches = by_kind[VMM_OP_FETCH];
    block->kernel_references = by_kind[4] + by_kind[5] + by_kind[6];
    block->references = block->reads + block->writes + block->fetches + block->kernel_references;
    block->page_references = block->references;
}

const uint8_t *vmt_full_take(VmtFullEncoder *encoder, VmtBlock *block) {
    uint8_t *to = vmt_put_varint(encoder->payload, encoder->kind_bytes);
    memcpy(to, encoder->codes, encoder->count);
    to += encoder->count;
    memcpy(to, encoder->kinds, encoder->kind_bytes);
    to += encoder->kind_bytes;
    memcpy(to, encoder->addresses, encoder->address_bytes);
    to += encoder->address_bytes;
    block->type = VMT_BLOCK_FULL;
    block->entries = encoder->count;
    block->raw_bytes = (uint32_t)(to - encoder->payload);
    full_count(encoder->by_kind, block);
    encoder->count = 0;
    encoder->kind_bytes = encoder->address_bytes = 0;
    memset(encoder->by_kind, 0, sizeof encoder->by_kind);
    full_begin_block(&encoder->model);
    return encoder->payload;
}

/* ---- Decoding ------------------------------------------------------------------------------- */

/* The two columns that only some references read from. */
typedef struct FullColumns {
    VmtCursor kinds;
    VmtCursor addresses;
} FullColumns;

static uint64_t full_get_address(FullColumns *columns, uint64_t from) {
    return from + vmt_unzigzag(vmt_get_varint(&columns->addresses));
}

/* A reference that needs the columns. *kind is its kind, 8 or more if it is damaged. */
static VMM_NOINLINE uint64_t full_get_given(const VmtModel *model, FullColumns *columns,
                                            const FullGuess *guess, FullCode code, uint32_t *size,
                                            uint32_t *kind) {
    if (code == FULL_MOVED) {
        *kind = guess->tag - (model->block << FULL_KIND_BITS);
        *size = guess->size;
        return full_get_address(columns, guess->addr);
    }
    uint32_t given = vmt_get_varint32(&columns->kinds);
    *size = vmt_get_varint32(&columns->kinds);
    bool bad = columns->kinds.bad || *size == 0 || (given & 3) >= VMM_OP_COUNT;
    *kind = bad ? UINT32_MAX : given;
    return full_get_address(columns, bad ? 0 : model->last[given & 3]);
}

/* The references of a block: how many are good. */
static uint32_t full_decode_all(VmtModel *model, VMMRef *to, const VmtBlock *block,
                                const uint8_t *codes, FullColumns *columns, uint32_t *by_kind) {
    for (uint32_t i = 0; i < block->entries; i++) {
        FullGuess *guess = full_guess(model);
        FullGuess *path = full_path_guess(model);
        const FullGuess *from = (codes[i] & 1) != 0 ? guess : path;
        uint64_t addr = from->addr + (codes[i] < FULL_PATH_SAME ? from->stride : 0);
        uint32_t size = from->size;
        uint32_t kind = from->tag - (model->block << FULL_KIND_BITS);
        if (VMM_UNLIKELY(codes[i] >= FULL_MOVED)) {
            addr = full_get_given(model, columns, guess, (FullCode)codes[i], &size, &kind);
        }
        if (VMM_UNLIKELY(kind >= 1 << FULL_KIND_BITS || codes[i] >= FULL_CODES)) {
            return i;
        }
        VMMRef *ref = &to[i];
        ref->addr = addr;
        ref->pid = block->pid;
        ref->size = size;
        ref->tid = block->tid;
        ref->core = 0;
        ref->op = (uint8_t)(kind & 3);
        ref->flags = (uint8_t)(kind >> 2);
        by_kind[kind]++;
        full_learn(model, guess, path, addr, size, kind);
    }
    return block->entries;
}

const char *vmt_full_decode(VmtModel *model, VMMRef *to, const VmtBlock *block,
                            const uint8_t *payload) {
    const uint8_t *end = payload + block->raw_bytes;
    VmtCursor cursor = {payload, end, false};
    uint64_t kind_bytes = vmt_get_varint(&cursor);
    size_t left = (size_t)(end - cursor.at);
    if (cursor.bad || left < block->entries || kind_bytes > left - block->entries) {
        return "its columns are longer than itself";
    }
    const uint8_t *kinds = cursor.at + block->entries;
    FullColumns columns = {{kinds, kinds + kind_bytes, false}, {kinds + kind_bytes, end, false}};
    uint32_t by_kind[1 << FULL_KIND_BITS] = {0};
    full_begin_block(model);
    uint32_t good = full_decode_all(model, to, block, cursor.at, &columns, by_kind);
    if (good < block->entries || columns.kinds.bad || columns.addresses.bad ||
        columns.kinds.at != columns.kinds.end || columns.addresses.at != end) {
        return "its references do not fit its columns";
    }
    VmtBlock counts;
    full_count(by_kind, &counts);
    bool same = counts.references == block->references && counts.reads == block->reads &&
                counts.writes == block->writes && counts.fetches == block->fetches;
    return same ? NULL : "its counts are not those of its header";
}
