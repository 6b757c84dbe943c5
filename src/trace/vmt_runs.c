/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page runs, written: references are collapsed into runs, and a block of runs becomes bytes.
 *
 *     reference ──► same page and class as the open run? ──► it grows
 *                   else ──► the open run is closed: its page, its shape and the kind that both
 *                            make are looked up in the dictionaries of the block; a new one is open
 *
 * Packed references, which recorders give by the hundred million, have a shorter way: an open run
 * of few references is one word, and a small cache knows the kinds of words. (In recordings four
 * runs of five are one reference, and nearly all have fewer than 32.) What crosses into the next
 * page, one reference in some thousands, is taken by itself.
 *
 * The hash tables are not cleared between blocks: an entry is valid if it carries the number of the
 * block. An entry of the cache is valid if its kind has the word that is looked for.
 */
#include "vmt_runs.h"

#include "../base/compiler.h"
#include "../base/memory.h"

/* Longer than what any block needs: three counts, the dictionaries, a column of 16 bits. */
#define RUNS_PAYLOAD_BYTES (VMT_ENTRIES * (10 + 15 + 4 + 2) + 3 * VMT_VARINT_BYTES)
_Static_assert(RUNS_PAYLOAD_BYTES <= VMT_RAW_MAX, "a block's payload is within the limit");

#define RUNS_BATCH 512 /* packed references looked at together */
#define RUNS_SLOTS (2 * VMT_ENTRIES)
#define RUNS_CACHE_BITS 14
#define RUNS_MAX_REFERENCES (1u << 30) /* of a block, so that its counts fit 32 bits */
#define RUNS_MAX_PAGES 32768u          /* of one reference; a longer one is taken as several */
#define RUNS_NO_KEY UINT64_MAX

/* Page and class of a run in one word: VPN << 2 | fetch | kernel << 1. */
enum { RUNS_FETCH = 1, RUNS_KERNEL = 2 };

/* An entry of a hash table, or of the cache: something that has a number in this block. */
typedef struct RunsSlot {
    uint64_t value;
    uint32_t id;
    uint32_t block;
} RunsSlot;

struct VmtRunsEncoder {
    unsigned page_shift;
    uint32_t block;    /* number of the block, from 1 */
    uint64_t open_key; /* RUNS_NO_KEY: no run is open */
    VMMRunShape open;
    uint64_t resumed;    /* pages of the reference to come that were already taken */
    uint32_t references; /* page references in the block */
    uint32_t runs;       /* closed ones */
    uint32_t page_count;
    uint32_t shape_count;
    uint32_t kind_count;
    uint16_t cached[1 << RUNS_CACHE_BITS]; /* by a hash of a word: the kind that may have it */
    uint64_t kind_word[VMT_ENTRIES];       /* the word of a kind, if any */
    uint16_t run[VMT_ENTRIES];             /* their kinds */
    VmtKind kinds[VMT_ENTRIES];
    uint64_t pages[VMT_ENTRIES];
    VMMRunShape shapes[VMT_ENTRIES];
    VmtTally tallies[VMT_ENTRIES]; /* by kind */
    RunsSlot page_slots[RUNS_SLOTS];
    RunsSlot shape_slots[RUNS_SLOTS];
    RunsSlot kind_slots[RUNS_SLOTS];
    uint8_t payload[RUNS_PAYLOAD_BYTES];
};

static void runs_forget_words(VmtRunsEncoder *encoder, size_t kinds) {
    memset(encoder->kind_word, 0xff, kinds * sizeof *encoder->kind_word);
}

VmtRunsEncoder *vmt_runs_open(unsigned page_shift) {
    VmtRunsEncoder *encoder = memory_zalloc(&memory_default, 1, sizeof *encoder);
    if (encoder != NULL) {
        encoder->page_shift = page_shift;
        encoder->block = 1;
        encoder->open_key = RUNS_NO_KEY;
        runs_forget_words(encoder, VMT_ENTRIES);
    }
    return encoder;
}

void vmt_runs_close(VmtRunsEncoder *encoder) {
    memory_free(&memory_default, encoder, 1, sizeof *encoder);
}

/* ---- Dictionaries --------------------------------------------------------------------------- */

VMM_ALWAYS_INLINE uint32_t runs_hash(uint64_t value) {
    return (uint32_t)(value * 0x9E3779B97F4A7C15u >> 40);
}

/*
 * The slot of a value. If its block is not the current one, the value is new and the slot is free
 * to be taken.
 */
static RunsSlot *runs_find(const VmtRunsEncoder *encoder, RunsSlot *slots, uint64_t value) {
    for (uint32_t at = runs_hash(value);; at++) {
        RunsSlot *slot = &slots[at % RUNS_SLOTS];
        if (slot->block != encoder->block || slot->value == value) {
            return slot;
        }
    }
}

/* The number of a value; *count is the next number, and raised if the value is new. */
static uint32_t runs_number(const VmtRunsEncoder *encoder, RunsSlot *slots, uint64_t value,
                            uint32_t *count) {
    RunsSlot *slot = runs_find(encoder, slots, value);
    if (slot->block != encoder->block) {
        *slot = (RunsSlot){value, (*count)++, encoder->block};
    }
    return slot->id;
}

static bool runs_same_shape(const VMMRunShape *a, const VMMRunShape *b) {
    return a->count == b->count && a->writes == b->writes && a->first_write == b->first_write &&
           a->fetch == b->fetch && a->kernel == b->kernel && a->continued == b->continued;
}

/* A shape does not fit a word: its slots carry a mixture, and what they stand for is compared. */
static uint32_t runs_shape_number(VmtRunsEncoder *encoder, const VMMRunShape *shape) {
    uint64_t value = ((uint64_t)shape->first_write << 32 | shape->count) * 8 ^
                     (uint64_t)shape->writes << 16 ^
                     (shape->fetch | shape->kernel * 2u | shape->continued * 4u);
    for (;; value++) {
        RunsSlot *slot = runs_find(encoder, encoder->shape_slots, value);
        if (slot->block != encoder->block) {
            *slot = (RunsSlot){value, encoder->shape_count, encoder->block};
            encoder->shapes[encoder->shape_count] = *shape;
            return encoder->shape_count++;
        }
        if (runs_same_shape(&encoder->shapes[slot->id], shape)) {
            return slot->id;
        }
    }
}

static uint32_t runs_kind(VmtRunsEncoder *encoder, uint64_t vpn, const VMMRunShape *shape) {
    uint32_t page = runs_number(encoder, encoder->page_slots, vpn, &encoder->page_count);
    encoder->pages[page] = vpn;
    uint32_t number = runs_shape_number(encoder, shape);
    uint32_t kind = runs_number(encoder, encoder->kind_slots, (uint64_t)page << 16 | number,
                                &encoder->kind_count);
    encoder->kinds[kind] = (VmtKind){(uint16_t)page, (uint16_t)number};
    encoder->tallies[kind] = vmt_runs_tally(shape);
    return kind;
}

static void runs_close_open(VmtRunsEncoder *encoder) {
    if (encoder->open_key != RUNS_NO_KEY) {
        uint32_t kind = runs_kind(encoder, encoder->open_key >> 2, &encoder->open);
        encoder->run[encoder->runs++] = (uint16_t)kind;
        encoder->open_key = RUNS_NO_KEY;
    }
}

/* ---- One reference, any --------------------------------------------------------------------- */

/* One page reference. A `continued` one begins a run always, as has the rest of a reference. */
static void runs_page_reference(VmtRunsEncoder *encoder, uint64_t key, bool write, bool continued) {
    VMMRunShape *open = &encoder->open;
    if (key != encoder->open_key || continued) {
        runs_close_open(encoder);
        encoder->open_key = key;
        *open = (VMMRunShape){.fetch = (key & RUNS_FETCH) != 0,
                              .kernel = (key & RUNS_KERNEL) != 0,
                              .continued = continued};
    }
    if (open->writes == 0) {
        open->first_write = open->count + !write;
    }
    open->writes += write;
    open->count++;
    encoder->references++;
}

/* False: the block has no room for it. */
static bool runs_reference(VmtRunsEncoder *encoder, uint64_t first, uint64_t last, unsigned class,
                           bool write) {
    if (last - first >= VMT_ENTRIES - 1 - encoder->runs ||
        encoder->references >= RUNS_MAX_REFERENCES) {
        return false;
    }
    for (uint64_t vpn = first; vpn <= last; vpn++) {
        runs_page_reference(encoder, vpn << 2 | class, write, vpn != first);
    }
    return true;
}

/*
 * A reference of more than RUNS_MAX_PAGES is taken as several: no block would hold it; `resumed` is
 * what was taken of it. One that goes past the end of all addresses ends there.
 */
static bool runs_add_one(VmtRunsEncoder *encoder, const VMMRef *ref) {
    uint64_t end = ref->addr + (ref->size - 1);
    uint64_t first = (ref->addr >> encoder->page_shift) + encoder->resumed;
    uint64_t last = (end >= ref->addr ? end : UINT64_MAX) >> encoder->page_shift;
    unsigned class = (ref->op == VMM_OP_FETCH ? RUNS_FETCH : 0u) |
                     ((ref->flags & VMM_REF_KERNEL) != 0 ? RUNS_KERNEL : 0u);
    bool write = ref->op == VMM_OP_WRITE;
    while (last - first >= RUNS_MAX_PAGES) {
        if (!runs_reference(encoder, first, first + RUNS_MAX_PAGES - 1, class, write)) {
            return false;
        }
        first += RUNS_MAX_PAGES;
        encoder->resumed += RUNS_MAX_PAGES;
    }
    if (!runs_reference(encoder, first, last, class, write)) {
        return false;
    }
    encoder->resumed = 0;
    return true;
}

size_t vmt_runs_add(VmtRunsEncoder *encoder, const VMMRef *refs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!runs_add_one(encoder, &refs[i])) {
            return i;
        }
    }
    return count;
}

/* ---- Packed references ---------------------------------------------------------------------- */

#define RUNS_FETCH_BIT ((uint64_t)VMM_OP_FETCH << VMM_PACKED_OP_SHIFT)
#define RUNS_WRITE_BIT ((uint64_t)VMM_OP_WRITE << VMM_PACKED_OP_SHIFT)
#define RUNS_UNUSED_BITS (~UINT64_C(0) << (VMM_PACKED_OP_SHIFT + 2))
_Static_assert(VMM_OP_WRITE == 1 && VMM_OP_FETCH == 2, "an op is two bits, one for each");

/*
 * A run of few references is a word: its first reference, with what follows in place of the offset
 * in the page, and of the size.
 *
 *     63    61   60      59         57  53     52  48   47   46   12            4   0
 *    | unused | fetch | store | . | loads | stores | kernel | page |  0 . . 0  | rest |
 *
 *     rest     references behind the first one
 *     stores   of these, stores
 *     loads    of these, those before the first store of the run, if it does not begin with one
 *
 * So a run of one reference is that reference without offset and size. There is no run in
 * RUNS_NO_WORD: it would have unused bits, and is no good one.
 */
enum {
    RUNS_REST = 31, /* at most */
    RUNS_STORES_SHIFT = VMM_PACKED_SIZE_SHIFT,
    RUNS_LOADS_SHIFT = RUNS_STORES_SHIFT + 5
};
#define RUNS_NO_WORD UINT64_MAX
_Static_assert(RUNS_REST < 1 << VMT_MIN_PAGE_SHIFT, "the rest has room below the page");
_Static_assert(RUNS_LOADS_SHIFT + 5 <= VMM_PACKED_OP_SHIFT, "and the others below the op");

/* What all references of a run have in common. */
VMM_ALWAYS_INLINE uint64_t runs_common_bits(unsigned page_shift) {
    uint64_t page = VMM_PACKED_ADDR_MASK >> page_shift << page_shift;
    return page | VMM_PACKED_KERNEL | RUNS_FETCH_BIT | RUNS_UNUSED_BITS;
}

VMM_ALWAYS_INLINE uint64_t runs_packed_key(VMMPackedRef ref, unsigned page_shift) {
    uint64_t fetch = (ref & RUNS_FETCH_BIT) != 0;
    uint64_t kernel = (ref & VMM_PACKED_KERNEL) != 0;
    return (ref & VMM_PACKED_ADDR_MASK) >> page_shift << 2 | kernel << 1 | fetch;
}

VMM_ALWAYS_INLINE uint32_t runs_cache_place(uint64_t word) {
    return (uint32_t)(word * 0x9E3779B97F4A7C15u >> (64 - RUNS_CACHE_BITS));
}

/* The word of a run that one more reference joins. */
VMM_ALWAYS_INLINE uint64_t runs_word_grown(uint64_t word, VMMPackedRef ref) {
    uint64_t write = ref >> VMM_PACKED_OP_SHIFT & 1;
    uint64_t stores = word & (RUNS_WRITE_BIT | (uint64_t)RUNS_REST << RUNS_STORES_SHIFT);
    uint64_t load = (write | (stores != 0)) ^ 1;
    return word + 1 + (write << RUNS_STORES_SHIFT) + (load << RUNS_LOADS_SHIFT);
}

static VMMRunShape runs_word_shape(uint64_t word) {
    uint32_t begins = (word & RUNS_WRITE_BIT) != 0;
    uint32_t loads = (uint32_t)(word >> RUNS_LOADS_SHIFT) & RUNS_REST;
    return (VMMRunShape){.count = 1 + (uint32_t)(word & RUNS_REST),
                         .writes = begins + ((uint32_t)(word >> RUNS_STORES_SHIFT) & RUNS_REST),
                         .first_write = begins ? 0 : 1 + loads,
                         .fetch = (word & RUNS_FETCH_BIT) != 0,
                         .kernel = (word & VMM_PACKED_KERNEL) != 0};
}

/* What the open run has in common with packed references that would join it; or RUNS_NO_WORD. */
static uint64_t runs_open_as_packed(const VmtRunsEncoder *encoder) {
    uint64_t vpn = encoder->open_key >> 2;
    if (encoder->open_key == RUNS_NO_KEY || vpn > VMM_PACKED_ADDR_MASK >> encoder->page_shift) {
        return RUNS_NO_WORD;
    }
    return vpn << encoder->page_shift |
           ((encoder->open_key & RUNS_FETCH) != 0 ? RUNS_FETCH_BIT : 0) |
           ((encoder->open_key & RUNS_KERNEL) != 0 ? VMM_PACKED_KERNEL : 0);
}

/* The word of the open run, or RUNS_NO_WORD. */
static uint64_t runs_open_word(const VmtRunsEncoder *encoder) {
    const VMMRunShape *open = &encoder->open;
    uint64_t common = runs_open_as_packed(encoder);
    if (common == RUNS_NO_WORD || open->continued || open->count > RUNS_REST) {
        return RUNS_NO_WORD;
    }
    bool begins = open->writes > 0 && open->first_write == 0;
    uint64_t loads = begins ? 0 : open->first_write - 1;
    return common | (open->count - 1) | (begins ? RUNS_WRITE_BIT : 0) |
           (uint64_t)(open->writes - begins) << RUNS_STORES_SHIFT | loads << RUNS_LOADS_SHIFT;
}

/* A fetch that stores, which an op of 3 is, or bits above the op. */
static bool runs_bad(const VMMRunShape *shape, uint64_t word) {
    return (shape->fetch && shape->writes > 0) || (word & RUNS_UNUSED_BITS) != 0;
}

/* The kind of a word that the cache does not know; it does from now on. False: the run is bad. */
static VMM_NOINLINE bool runs_put_unknown(VmtRunsEncoder *encoder, uint64_t word, uint16_t *to) {
    VMMRunShape shape = runs_word_shape(word);
    if (runs_bad(&shape, word)) {
        return false;
    }
    uint64_t vpn = runs_packed_key(word, encoder->page_shift) >> 2;
    *to = (uint16_t)runs_kind(encoder, vpn, &shape);
    encoder->cached[runs_cache_place(word)] = *to;
    encoder->kind_word[*to] = word;
    return true;
}

/*
 * Takes references none of which crosses, as long as the open run, *word, fits a word: how many.
 * More than `count`: one of them was bad.
 */
static size_t runs_add_words(VmtRunsEncoder *encoder, uint64_t *word, const VMMPackedRef *refs,
                             size_t count) {
    const uint64_t common = runs_common_bits(encoder->page_shift);
    uint16_t *to = encoder->run + encoder->runs;
    uint64_t open = *word;
    size_t at = 0;
    for (; at < count; at++) {
        VMMPackedRef ref = refs[at];
        if (((ref ^ open) & common) == 0) {
            if ((open & RUNS_REST) == RUNS_REST) {
                break;
            }
            open = runs_word_grown(open, ref);
            continue;
        }
        uint16_t kind = encoder->cached[runs_cache_place(open)];
        *to = kind;
        if (VMM_UNLIKELY(encoder->kind_word[kind] != open) &&
            !runs_put_unknown(encoder, open, to)) {
            return count + 1;
        }
        to++;
        open = ref & (common | RUNS_WRITE_BIT);
    }
    encoder->runs = (uint32_t)(to - encoder->run);
    *word = open;
    return at;
}

/* The same where the open run, if there is one, fits no word; it is closed if another one begins.
 */
static size_t runs_grow_open(VmtRunsEncoder *encoder, const VMMPackedRef *refs, size_t count) {
    const uint64_t common = runs_common_bits(encoder->page_shift);
    uint64_t packed = runs_open_as_packed(encoder);
    VMMRunShape open = encoder->open;
    size_t at = 0;
    for (; at < count && packed != RUNS_NO_WORD && ((refs[at] ^ packed) & common) == 0; at++) {
        bool write = (refs[at] & RUNS_WRITE_BIT) != 0;
        open.first_write += open.writes == 0 && !write;
        open.writes += write;
        open.count++;
    }
    encoder->open = open;
    if (open.fetch && open.writes > 0) {
        return count + 1;
    }
    if (at < count) {
        runs_close_open(encoder);
    }
    return at;
}

/* Takes references none of which crosses. False: one is bad. */
static bool runs_add_within(VmtRunsEncoder *encoder, const VMMPackedRef *refs, size_t count) {
    const uint64_t common = runs_common_bits(encoder->page_shift);
    size_t at = 0;
    while (at < count) {
        uint64_t word = runs_open_word(encoder);
        if (word == RUNS_NO_WORD) {
            at += runs_grow_open(encoder, refs + at, count - at);
            if (at >= count) {
                break;
            }
            word = refs[at++] & (common | RUNS_WRITE_BIT);
        }
        at += runs_add_words(encoder, &word, refs + at, count - at);
        encoder->open_key = runs_packed_key(word, encoder->page_shift);
        encoder->open = runs_word_shape(word);
        if (runs_bad(&encoder->open, word)) {
            return false;
        }
    }
    return at == count;
}

/* Bits of the page that adding the size changes: the reference crosses. */
VMM_ALWAYS_INLINE uint64_t runs_crosses(VMMPackedRef ref) {
    return ref ^ (ref + (ref >> VMM_PACKED_SIZE_SHIFT) % VMM_PACKED_MAX_SIZE);
}

/* How many references come before one that crosses, and whether one at all is the kernel's. */
static VMM_VECTORISED size_t runs_before_crossing(const VMMPackedRef *refs, size_t count,
                                                  unsigned page_shift, bool *has_kernel) {
    uint64_t changed = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        changed |= runs_crosses(refs[i]);
        bits |= refs[i];
    }
    *has_kernel = (bits & VMM_PACKED_KERNEL) != 0;
    size_t before = changed >> page_shift == 0 ? count : 0;
    while (before < count && runs_crosses(refs[before]) >> page_shift == 0) {
        before++;
    }
    return before;
}

static VMM_VECTORISED uint64_t runs_of_kernel(const VMMPackedRef *refs, size_t count) {
    uint64_t kernel = 0;
    for (size_t i = 0; i < count; i++) {
        kernel += refs[i] / VMM_PACKED_KERNEL & 1;
    }
    return kernel;
}

/* False: the block has no room for it. */
static bool runs_add_crossing(VmtRunsEncoder *encoder, VMMPackedRef ref, bool *bad) {
    uint64_t first = ref & VMM_PACKED_ADDR_MASK;
    uint64_t last = first + (ref >> VMM_PACKED_SIZE_SHIFT) % VMM_PACKED_MAX_SIZE;
    bool write = (ref & RUNS_WRITE_BIT) != 0;
    *bad = (ref & RUNS_UNUSED_BITS) != 0 || (write && (ref & RUNS_FETCH_BIT) != 0);
    return runs_reference(encoder, first >> encoder->page_shift, last >> encoder->page_shift,
                          runs_packed_key(ref, encoder->page_shift) & 3, write);
}

/* How many the block can surely take, at most `wanted`: each may begin a run. */
static size_t runs_room(const VmtRunsEncoder *encoder, size_t wanted) {
    size_t room = VMT_ENTRIES - 1 - encoder->runs;
    size_t left =
        RUNS_MAX_REFERENCES > encoder->references ? RUNS_MAX_REFERENCES - encoder->references : 0;
    room = room < left ? room : left;
    room = room < RUNS_BATCH ? room : RUNS_BATCH;
    return room < wanted ? room : wanted;
}

size_t vmt_runs_add_packed(VmtRunsEncoder *encoder, const VMMPackedRef *refs, size_t count,
                           uint64_t *kernel, bool *bad) {
    size_t at = 0;
    bool full = false;
    *bad = false;
    while (at < count && !*bad && !full) {
        size_t some = runs_room(encoder, count - at);
        bool has_kernel;
        size_t taken = runs_before_crossing(refs + at, some, encoder->page_shift, &has_kernel);
        *bad = !runs_add_within(encoder, refs + at, taken);
        encoder->references += (uint32_t)taken;
        full = some == 0;
        if (taken < some && !*bad) {
            full = !runs_add_crossing(encoder, refs[at + taken], bad);
            taken += !full;
        }
        *kernel += has_kernel ? runs_of_kernel(refs + at, taken) : 0;
        at += taken;
    }
    return at;
}

/* ---- The block ------------------------------------------------------------------------------ */

bool vmt_runs_pending(const VmtRunsEncoder *encoder) {
    return encoder->runs > 0 || encoder->open_key != RUNS_NO_KEY;
}

/* A shape is mostly one byte for its count and kind, and two more if it stores. */
static uint8_t *runs_put_shape(uint8_t *to, const VMMRunShape *shape) {
    uint64_t kind = (uint64_t)shape->fetch | (uint64_t)shape->kernel << 1 |
                    (uint64_t)shape->continued << 2 | (uint64_t)(shape->writes > 0) << 3;
    to = vmt_put_varint(to, (uint64_t)shape->count << 4 | kind);
    if (shape->writes > 0) {
        to = vmt_put_varint(to, shape->writes);
        to = vmt_put_varint(to, shape->first_write);
    }
    return to;
}

/* Indices, of one byte where that is enough for their dictionary. */
static uint8_t *runs_put_index(uint8_t *to, uint16_t index, uint32_t dictionary) {
    *to++ = (uint8_t)index;
    if (dictionary > 256) {
        *to++ = (uint8_t)(index >> 8);
    }
    return to;
}

static VMM_VECTORISED uint8_t *runs_put_column(uint8_t *to, const uint16_t *column, size_t runs,
                                               uint32_t dictionary) {
    if (dictionary <= 256) {
        for (size_t i = 0; i < runs; i++) {
            to[i] = (uint8_t)column[i];
        }
        return to + runs;
    }
    for (size_t i = 0; i < runs; i++) {
        vmt_put16(to + 2 * i, column[i]);
    }
    return to + 2 * runs;
}

static VmtTally runs_sum(const VmtRunsEncoder *encoder) {
    VmtTally sum = {.page_references = encoder->references};
    for (uint32_t i = 0; i < encoder->runs; i++) {
        const VmtTally *tally = &encoder->tallies[encoder->run[i]];
        sum.reads_writes += tally->reads_writes;
        sum.fetches_kernel += tally->fetches_kernel;
    }
    return sum;
}

/* The dictionaries of the next block are empty. After 2^32 blocks their numbers begin anew. */
static void runs_begin_block(VmtRunsEncoder *encoder) {
    runs_forget_words(encoder, encoder->kind_count);
    encoder->runs = encoder->page_count = encoder->shape_count = encoder->kind_count = 0;
    encoder->references = 0;
    if (++encoder->block == 0) {
        memset(encoder->page_slots, 0, sizeof encoder->page_slots);
        memset(encoder->shape_slots, 0, sizeof encoder->shape_slots);
        memset(encoder->kind_slots, 0, sizeof encoder->kind_slots);
        encoder->block = 1;
    }
}

const uint64_t *vmt_runs_pages(VmtRunsEncoder *encoder, uint32_t *count) {
    runs_close_open(encoder);
    *count = encoder->page_count;
    return encoder->pages;
}

const uint8_t *vmt_runs_take(VmtRunsEncoder *encoder, VmtBlock *block) {
    runs_close_open(encoder);
    uint8_t *to = vmt_put_varint(encoder->payload, encoder->page_count);
    to = vmt_put_varint(to, encoder->shape_count);
    to = vmt_put_varint(to, encoder->kind_count);
    uint64_t before = 0;
    for (uint32_t i = 0; i < encoder->page_count; i++) {
        to = vmt_put_varint(to, vmt_zigzag(encoder->pages[i] - before));
        before = encoder->pages[i];
    }
    for (uint32_t i = 0; i < encoder->shape_count; i++) {
        to = runs_put_shape(to, &encoder->shapes[i]);
    }
    for (uint32_t i = 0; i < encoder->kind_count; i++) {
        to = runs_put_index(to, encoder->kinds[i].page, encoder->page_count);
        to = runs_put_index(to, encoder->kinds[i].shape, encoder->shape_count);
    }
    to = runs_put_column(to, encoder->run, encoder->runs, encoder->kind_count);

    block->type = VMT_BLOCK_RUNS;
    block->entries = encoder->runs;
    block->raw_bytes = (uint32_t)(to - encoder->payload);
    vmt_runs_count(runs_sum(encoder), block);
    runs_begin_block(encoder);
    return encoder->payload;
}
