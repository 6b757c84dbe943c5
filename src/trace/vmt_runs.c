/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page runs, written: references are collapsed into runs, and a block of runs becomes bytes.
 *
 *     reference ──► same page and class as the open run? ──► it grows
 *                   else ──► the open run is closed: its page, its shape and the kind that both
 *                            make are looked up in the dictionaries of the block; a new one is open
 *
 * Packed references, which recorders give by the hundred million, go through a loop without
 * branches that depend on them: it notes where runs begin, how many stores came before, and where
 * the stores are. From these notes a run becomes one word, which a small cache knows to be a kind.
 * What crosses into the next page, one in some thousands, is taken by itself.
 *
 * The hash tables are not cleared between blocks: an entry is valid if it carries the number of the
 * block. Of the cache only what was used is cleared.
 */
#include "vmt_runs.h"

#include "../base/compiler.h"
#include "../base/memory.h"

/* Longer than what any block needs: three counts, the dictionaries, a column of 16 bits. */
#define RUNS_PAYLOAD_BYTES (VMT_ENTRIES * (10 + 15 + 4 + 2) + 3 * VMT_VARINT_BYTES)
_Static_assert(RUNS_PAYLOAD_BYTES <= VMT_RAW_MAX, "a block's payload is within the limit");

#define RUNS_BATCH 256 /* packed references looked at together */
#define RUNS_SLOTS (2 * VMT_ENTRIES)
#define RUNS_CACHED 16384              /* kinds in the cache; a power of two */
#define RUNS_SMALL 64                  /* runs of fewer references fit a word */
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
    uint64_t cached[RUNS_CACHED]; /* runs in one word; 0: none */
    uint16_t cached_kind[RUNS_CACHED];
    uint16_t kind_cached[VMT_ENTRIES]; /* where a kind is cached, if it is */
    uint16_t run[VMT_ENTRIES];         /* their kinds */
    VmtKind kinds[VMT_ENTRIES];
    uint64_t pages[VMT_ENTRIES];
    VMMRunShape shapes[VMT_ENTRIES];
    VmtTally tallies[VMT_ENTRIES]; /* by kind */
    RunsSlot page_slots[RUNS_SLOTS];
    RunsSlot shape_slots[RUNS_SLOTS];
    RunsSlot kind_slots[RUNS_SLOTS];
    uint8_t payload[RUNS_PAYLOAD_BYTES];
};

VmtRunsEncoder *vmt_runs_open(unsigned page_shift) {
    VmtRunsEncoder *encoder = memory_zalloc(&memory_default, 1, sizeof *encoder);
    if (encoder != NULL) {
        encoder->page_shift = page_shift;
        encoder->block = 1;
        encoder->open_key = RUNS_NO_KEY;
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

/* What is noted of a batch. */
typedef struct RunsNotes {
    uint16_t start[RUNS_BATCH + 1]; /* of each run but the one that was open */
    uint16_t writes_before[RUNS_BATCH + 1];
    uint16_t write[RUNS_BATCH + 1]; /* where the stores are */
    size_t runs;
} RunsNotes;

#define RUNS_FETCH_BIT ((uint64_t)VMM_OP_FETCH << VMM_PACKED_OP_SHIFT)
#define RUNS_UNUSED_BITS (~UINT64_C(0) << (VMM_PACKED_OP_SHIFT + 2))
_Static_assert(VMM_OP_WRITE == 1 && VMM_OP_FETCH == 2, "an op is two bits, one for each");

/*
 * A run in one word: the bits that all its references have in common, and in the room of the others
 * its count (below the page), its stores and its first store (in place of size and write).
 */
static uint64_t runs_common_bits(unsigned page_shift) {
    uint64_t page = VMM_PACKED_ADDR_MASK >> page_shift << page_shift;
    return page | VMM_PACKED_KERNEL | RUNS_FETCH_BIT | RUNS_UNUSED_BITS;
}
_Static_assert(RUNS_SMALL <= 1 << VMT_MIN_PAGE_SHIFT, "a count has room below the page");
_Static_assert(RUNS_SMALL *RUNS_SMALL <= 1 << (VMM_PACKED_OP_SHIFT + 1 - VMM_PACKED_SIZE_SHIFT),
               "two more have room between the address and the fetch bit");

VMM_ALWAYS_INLINE uint64_t runs_packed_key(VMMPackedRef ref, unsigned page_shift) {
    uint64_t fetch = (ref & RUNS_FETCH_BIT) != 0;
    uint64_t kernel = (ref & VMM_PACKED_KERNEL) != 0;
    return (ref & VMM_PACKED_ADDR_MASK) >> page_shift << 2 | kernel << 1 | fetch;
}

/* What an open run looks like in packed references; no good reference looks like UINT64_MAX. */
static uint64_t runs_open_as_packed(const VmtRunsEncoder *encoder) {
    uint64_t vpn = encoder->open_key >> 2;
    if (encoder->open_key == RUNS_NO_KEY || vpn > VMM_PACKED_ADDR_MASK >> encoder->page_shift) {
        return UINT64_MAX;
    }
    return vpn << encoder->page_shift |
           ((encoder->open_key & RUNS_FETCH) != 0 ? RUNS_FETCH_BIT : 0) |
           ((encoder->open_key & RUNS_KERNEL) != 0 ? VMM_PACKED_KERNEL : 0);
}

/* Bits of the page that adding the size changes: the reference crosses. */
VMM_ALWAYS_INLINE uint64_t runs_crosses(VMMPackedRef ref, unsigned page_shift) {
    uint64_t last = ref + (ref >> VMM_PACKED_SIZE_SHIFT) % VMM_PACKED_MAX_SIZE;
    return (last ^ ref) >> page_shift;
}

/* How many references come before one that crosses. */
static VMM_VECTORISED size_t runs_before_crossing(const VMMPackedRef *refs, size_t count,
                                                  unsigned page_shift) {
    uint64_t any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= runs_crosses(refs[i], page_shift);
    }
    size_t before = any == 0 ? count : 0;
    while (before < count && runs_crosses(refs[before], page_shift) == 0) {
        before++;
    }
    return before;
}

/* Notes where runs begin in references none of which crosses. */
static void runs_note(RunsNotes *notes, const VMMPackedRef *refs, size_t count, uint64_t open,
                      uint64_t common) {
    uint64_t before = open;
    size_t runs = 0;
    size_t writes = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t page = refs[i] & common;
        notes->start[runs] = (uint16_t)i;
        notes->writes_before[runs] = (uint16_t)writes;
        runs += page != before;
        before = page;
        notes->write[writes] = (uint16_t)i;
        writes += refs[i] >> VMM_PACKED_OP_SHIFT & 1;
    }
    notes->start[runs] = (uint16_t)count;
    notes->writes_before[runs] = (uint16_t)writes;
    notes->runs = runs;
}

/* The references before the first new run belong to the open one. */
static void runs_grow(VMMRunShape *open, const RunsNotes *notes) {
    uint32_t count = notes->start[0];
    uint32_t writes = notes->writes_before[0];
    if (open->writes == 0) {
        open->first_write = open->count + (writes > 0 ? notes->write[0] : count);
    }
    open->count += count;
    open->writes += writes;
}

/* The run with this number among those noted, which begins with `ref`. */
static VMMRunShape runs_noted(const RunsNotes *notes, size_t run, VMMPackedRef ref) {
    uint32_t start = notes->start[run];
    uint32_t before = notes->writes_before[run];
    uint32_t count = notes->start[run + 1] - start;
    uint32_t writes = (uint32_t)notes->writes_before[run + 1] - before;
    uint32_t first = writes > 0 ? notes->write[before] - start : count;
    return (VMMRunShape){.count = count,
                         .writes = writes,
                         .first_write = first,
                         .fetch = (ref & RUNS_FETCH_BIT) != 0,
                         .kernel = (ref & VMM_PACKED_KERNEL) != 0};
}

/* The op of a store and that of a fetch in one run: a reference had both, or bits above the op. */
static bool runs_bad(const VMMRunShape *shape, VMMPackedRef ref) {
    return (shape->fetch && shape->writes > 0) || (ref & RUNS_UNUSED_BITS) != 0;
}

/* The kind of a noted run that the cache does not know, and may know then. False: it is bad. */
static VMM_NOINLINE bool runs_put_unknown(VmtRunsEncoder *encoder, const RunsNotes *notes,
                                          size_t run, VMMPackedRef ref, uint64_t word) {
    VMMRunShape shape = runs_noted(notes, run, ref);
    uint32_t at = runs_hash(word) % RUNS_CACHED;
    if (runs_bad(&shape, ref)) {
        return false;
    }
    uint64_t vpn = runs_packed_key(ref, encoder->page_shift) >> 2;
    uint16_t kind = (uint16_t)runs_kind(encoder, vpn, &shape);
    if (shape.count < RUNS_SMALL) {
        encoder->cached[at] = word;
        encoder->cached_kind[at] = kind;
        encoder->kind_cached[kind] = (uint16_t)at;
    }
    encoder->run[encoder->runs++] = kind;
    return true;
}

/* Puts the first `count` runs that were noted. False: one is bad. */
static bool runs_put_closed(VmtRunsEncoder *encoder, const RunsNotes *notes, size_t count,
                            const VMMPackedRef *refs, uint64_t common) {
    uint16_t *to = encoder->run + encoder->runs;
    uint64_t start = notes->start[0];
    uint64_t before = notes->writes_before[0];
    for (size_t run = 0; run < count; run++) {
        uint64_t length = notes->start[run + 1] - start;
        uint64_t writes = notes->writes_before[run + 1] - before;
        uint64_t first = writes > 0 ? notes->write[before] - start : length;
        VMMPackedRef ref = refs[start];
        uint64_t word =
            (ref & common) | length | (writes | first * RUNS_SMALL) << VMM_PACKED_SIZE_SHIFT;
        uint32_t at = runs_hash(word) % RUNS_CACHED;
        *to = encoder->cached_kind[at];
        if (VMM_UNLIKELY(encoder->cached[at] != word || length >= RUNS_SMALL)) {
            encoder->runs = (uint32_t)(to - encoder->run);
            if (!runs_put_unknown(encoder, notes, run, ref, word)) {
                return false;
            }
        }
        to++;
        start += length;
        before += writes;
    }
    encoder->runs = (uint32_t)(to - encoder->run);
    return true;
}

/* Closes the open run; its kind is mostly known to the cache, as that of any other run. */
static void runs_close_open_cached(VmtRunsEncoder *encoder) {
    const VMMRunShape *open = &encoder->open;
    uint64_t common = runs_open_as_packed(encoder);
    if (common == UINT64_MAX || open->count >= RUNS_SMALL || open->continued) {
        runs_close_open(encoder);
        return;
    }
    uint64_t word = common | open->count |
                    (uint64_t)(open->writes | open->first_write * RUNS_SMALL)
                        << VMM_PACKED_SIZE_SHIFT;
    uint32_t at = runs_hash(word) % RUNS_CACHED;
    if (encoder->cached[at] != word) {
        runs_close_open(encoder);
        return;
    }
    encoder->run[encoder->runs++] = encoder->cached_kind[at];
    encoder->open_key = RUNS_NO_KEY;
}

/* Takes over what was noted; its last run is open afterwards. False: a reference is bad. */
static bool runs_put_noted(VmtRunsEncoder *encoder, const RunsNotes *notes,
                           const VMMPackedRef *refs, uint64_t common) {
    if (encoder->open_key != RUNS_NO_KEY) {
        runs_grow(&encoder->open, notes);
        if (encoder->open.fetch && encoder->open.writes > 0) {
            return false;
        }
    }
    if (notes->runs == 0) {
        return true;
    }
    runs_close_open_cached(encoder);
    size_t last = notes->runs - 1;
    if (!runs_put_closed(encoder, notes, last, refs, common)) {
        return false;
    }
    VMMPackedRef ref = refs[notes->start[last]];
    encoder->open_key = runs_packed_key(ref, encoder->page_shift);
    encoder->open = runs_noted(notes, last, ref);
    return !runs_bad(&encoder->open, ref);
}

/* False: the block has no room for it. */
static bool runs_add_crossing(VmtRunsEncoder *encoder, VMMPackedRef ref, bool *bad) {
    uint64_t first = ref & VMM_PACKED_ADDR_MASK;
    uint64_t last = first + (ref >> VMM_PACKED_SIZE_SHIFT) % VMM_PACKED_MAX_SIZE;
    bool write = (ref >> VMM_PACKED_OP_SHIFT & 1) != 0;
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
                           bool *bad) {
    const unsigned page_shift = encoder->page_shift;
    const uint64_t common = runs_common_bits(page_shift);
    RunsNotes notes;
    size_t at = 0;
    *bad = false;
    while (at < count && !*bad) {
        size_t some = runs_room(encoder, count - at);
        if (some == 0) {
            break;
        }
        size_t before = runs_before_crossing(refs + at, some, page_shift);
        runs_note(&notes, refs + at, before, runs_open_as_packed(encoder), common);
        *bad = !runs_put_noted(encoder, &notes, refs + at, common);
        encoder->references += (uint32_t)before;
        at += before;
        if (before < some && !*bad) {
            if (!runs_add_crossing(encoder, refs[at], bad)) {
                break;
            }
            at++;
        }
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
    VmtTally sum = {0, 0, 0};
    for (uint32_t i = 0; i < encoder->runs; i++) {
        const VmtTally *tally = &encoder->tallies[encoder->run[i]];
        sum.page_references += tally->page_references;
        sum.reads_writes += tally->reads_writes;
        sum.fetches_kernel += tally->fetches_kernel;
    }
    return sum;
}

/* The dictionaries of the next block are empty. After 2^32 blocks their numbers begin anew. */
static void runs_begin_block(VmtRunsEncoder *encoder) {
    for (uint32_t kind = 0; kind < encoder->kind_count; kind++) {
        encoder->cached[encoder->kind_cached[kind]] = 0;
    }
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
