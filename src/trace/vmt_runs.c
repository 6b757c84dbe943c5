/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page runs, written: references are collapsed into runs, and a block of runs becomes bytes.
 *
 *     reference ──► same page and class as the open run? ──► it grows
 *                   else ──► the open run is closed: its page and its shape are looked up in the
 *                            dictionaries of the block; a new run is open
 *
 * Packed references, which recorders give by the hundred million, go through a loop without
 * branches that depend on them: it notes where runs begin, how many stores came before, and where
 * the stores are; from these notes follow the shapes. What crosses into the next page, one in some
 * hundreds, is taken one by one.
 *
 * Tables are not cleared between blocks. An entry is valid if it carries the number of the block.
 */
#include "vmt_runs.h"

#include "../base/compiler.h"
#include "../base/memory.h"

/* Longer than what any block needs: two numbers, both dictionaries, both columns of 16 bits. */
#define RUNS_PAYLOAD_BYTES (VMT_ENTRIES * (10 + 15 + 1 + 2 + 2) + 2 * VMT_VARINT_BYTES)
_Static_assert(RUNS_PAYLOAD_BYTES <= VMT_RAW_MAX, "a block's payload is within the limit");

#define RUNS_BATCH 1024 /* packed references looked at together */
#define RUNS_PAGE_SLOTS (2 * VMT_ENTRIES)
#define RUNS_SHAPE_SLOTS (2 * VMT_ENTRIES)
#define RUNS_SMALL 16 /* shapes of fewer references have a table of their own */
#define RUNS_SMALL_SLOTS (4 * RUNS_SMALL * RUNS_SMALL * RUNS_SMALL)
#define RUNS_MAX_REFERENCES (1u << 30) /* of a block, so that its counts fit 32 bits */
#define RUNS_MAX_PAGES 32768u          /* of one reference; a longer one is taken as several */
#define RUNS_NO_KEY UINT64_MAX

/* Page and class of a run in one word: VPN << 2 | fetch | kernel << 1. */
enum { RUNS_FETCH = 1, RUNS_KERNEL = 2 };

typedef struct RunsPageSlot {
    uint64_t vpn;
    uint32_t id;
    uint32_t block;
} RunsPageSlot;

struct VmtRunsEncoder {
    unsigned page_shift;
    uint32_t block;    /* number of the block, from 1 */
    uint64_t open_key; /* RUNS_NO_KEY: no run is open */
    TraceShape open;
    uint64_t resumed;    /* pages of the reference to come that were already taken */
    uint32_t references; /* page references in the block */
    uint32_t runs;       /* closed ones */
    uint32_t page_count;
    uint32_t shape_count;
    uint64_t pages[VMT_ENTRIES];
    TraceShape shapes[VMT_ENTRIES];
    uint16_t page[VMT_ENTRIES];
    uint16_t shape[VMT_ENTRIES];
    RunsPageSlot page_slots[RUNS_PAGE_SLOTS];
    uint64_t small_slots[RUNS_SMALL_SLOTS]; /* block << 32 | id */
    uint64_t shape_slots[RUNS_SHAPE_SLOTS];
    VmtTally tallies[VMT_ENTRIES];
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
    return (uint32_t)(value * 0x9E3779B97F4A7C15u >> 47) % RUNS_PAGE_SLOTS;
}

static VMM_NOINLINE uint16_t runs_find_page(VmtRunsEncoder *encoder, uint64_t vpn) {
    uint32_t at = runs_hash(vpn);
    for (;; at = (at + 1) % RUNS_PAGE_SLOTS) {
        RunsPageSlot *slot = &encoder->page_slots[at];
        if (slot->block != encoder->block) {
            *slot = (RunsPageSlot){vpn, encoder->page_count, encoder->block};
            encoder->pages[encoder->page_count++] = vpn;
            return (uint16_t)slot->id;
        }
        if (slot->vpn == vpn) {
            return (uint16_t)slot->id;
        }
    }
}

VMM_ALWAYS_INLINE uint16_t runs_page_id(VmtRunsEncoder *encoder, uint64_t vpn) {
    const RunsPageSlot *slot = &encoder->page_slots[runs_hash(vpn)];
    if (VMM_LIKELY(slot->vpn == vpn && slot->block == encoder->block)) {
        return (uint16_t)slot->id;
    }
    return runs_find_page(encoder, vpn);
}

static bool runs_same_shape(const TraceShape *a, const TraceShape *b) {
    return a->count == b->count && a->writes == b->writes && a->first_write == b->first_write &&
           a->fetch == b->fetch && a->kernel == b->kernel && a->continued == b->continued;
}

static uint32_t runs_add_shape(VmtRunsEncoder *encoder, TraceShape shape, uint64_t *slot) {
    uint32_t id = encoder->shape_count++;
    encoder->shapes[id] = shape;
    *slot = (uint64_t)encoder->block << 32 | id;
    return id;
}

static VMM_NOINLINE uint16_t runs_find_shape(VmtRunsEncoder *encoder, TraceShape shape) {
    uint64_t word = (shape.count * 3u + shape.fetch + shape.kernel * 2u + shape.continued * 4u) ^
                    (uint64_t)shape.writes << 20 ^ (uint64_t)shape.first_write << 40;
    uint32_t at = runs_hash(word);
    for (;; at = (at + 1) % RUNS_SHAPE_SLOTS) {
        uint64_t *slot = &encoder->shape_slots[at];
        if (*slot >> 32 != encoder->block) {
            return (uint16_t)runs_add_shape(encoder, shape, slot);
        }
        if (runs_same_shape(&encoder->shapes[(uint32_t)*slot], &shape)) {
            return (uint16_t)*slot;
        }
    }
}

VMM_ALWAYS_INLINE uint16_t runs_shape_id(VmtRunsEncoder *encoder, TraceShape shape) {
    if (VMM_UNLIKELY(shape.count >= RUNS_SMALL || shape.kernel)) {
        return runs_find_shape(encoder, shape);
    }
    uint32_t at = ((shape.fetch + 2u * shape.continued) * RUNS_SMALL + shape.count) * RUNS_SMALL;
    uint64_t *slot = &encoder->small_slots[(at + shape.writes) * RUNS_SMALL + shape.first_write];
    if (VMM_UNLIKELY(*slot >> 32 != encoder->block)) {
        return (uint16_t)runs_add_shape(encoder, shape, slot);
    }
    return (uint16_t)*slot;
}

VMM_ALWAYS_INLINE void runs_put(VmtRunsEncoder *encoder, uint64_t vpn, TraceShape shape) {
    uint32_t run = encoder->runs++;
    encoder->page[run] = runs_page_id(encoder, vpn);
    encoder->shape[run] = runs_shape_id(encoder, shape);
}

static void runs_close_open(VmtRunsEncoder *encoder) {
    if (encoder->open_key != RUNS_NO_KEY) {
        runs_put(encoder, encoder->open_key >> 2, encoder->open);
        encoder->open_key = RUNS_NO_KEY;
    }
}

/* ---- One reference, any --------------------------------------------------------------------- */

/* One page reference. A `continued` one begins a run always, as has the rest of a reference. */
static void runs_page_reference(VmtRunsEncoder *encoder, uint64_t key, bool write, bool continued) {
    TraceShape *open = &encoder->open;
    if (key != encoder->open_key || continued) {
        runs_close_open(encoder);
        encoder->open_key = key;
        *open = (TraceShape){.fetch = (key & RUNS_FETCH) != 0,
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

/* What the first loop notes of a batch. */
typedef struct RunsNotes {
    uint16_t start[RUNS_BATCH + 1]; /* of each run but the one that was open */
    uint16_t writes_before[RUNS_BATCH + 1];
    uint16_t write[RUNS_BATCH + 1]; /* where the stores are */
    size_t runs;
    size_t refs; /* taken: all, or those before one that crosses */
} RunsNotes;

#define RUNS_FETCH_BIT ((uint64_t)VMM_OP_FETCH << VMM_PACKED_OP_SHIFT)
_Static_assert(VMM_OP_WRITE == 1 && VMM_OP_FETCH == 2, "an op is two bits, one for each");

/* The bits of a packed reference that are the same within a run. */
static uint64_t runs_packed_mask(unsigned page_shift) {
    uint64_t page = VMM_PACKED_ADDR_MASK >> page_shift << page_shift;
    return page | VMM_PACKED_KERNEL | RUNS_FETCH_BIT;
}

VMM_ALWAYS_INLINE uint64_t runs_packed_key(VMMPackedRef ref, unsigned page_shift) {
    uint64_t fetch = ref >> (VMM_PACKED_OP_SHIFT + 1) & 1;
    uint64_t kernel = (ref & VMM_PACKED_KERNEL) != 0;
    return (ref & VMM_PACKED_ADDR_MASK) >> page_shift << 2 | kernel << 1 | fetch;
}

/* What an open run looks like in packed references; no reference looks like UINT64_MAX. */
static uint64_t runs_open_as_packed(const VmtRunsEncoder *encoder) {
    uint64_t vpn = encoder->open_key >> 2;
    if (encoder->open_key == RUNS_NO_KEY || vpn > VMM_PACKED_ADDR_MASK >> encoder->page_shift) {
        return UINT64_MAX;
    }
    return vpn << encoder->page_shift |
           ((encoder->open_key & RUNS_FETCH) != 0 ? RUNS_FETCH_BIT : 0) |
           ((encoder->open_key & RUNS_KERNEL) != 0 ? VMM_PACKED_KERNEL : 0);
}

/* Notes where runs begin. Adding the size changes bits of the page where a reference crosses. */
static void runs_note(RunsNotes *notes, const VMMPackedRef *refs, size_t count, uint64_t open,
                      unsigned page_shift) {
    const uint64_t mask = runs_packed_mask(page_shift);
    const uint64_t crossing = ~UINT64_C(0) << page_shift;
    uint64_t before = open;
    size_t runs = 0;
    size_t writes = 0;
    size_t i = 0;
    for (; i < count; i++) {
        uint64_t ref = refs[i];
        uint64_t last = ref + (ref >> VMM_PACKED_SIZE_SHIFT) % VMM_PACKED_MAX_SIZE;
        if (VMM_UNLIKELY(((last ^ ref) & crossing) != 0)) {
            break;
        }
        uint64_t page = ref & mask;
        notes->start[runs] = (uint16_t)i;
        notes->writes_before[runs] = (uint16_t)writes;
        runs += page != before;
        before = page;
        notes->write[writes] = (uint16_t)i;
        writes += ref >> VMM_PACKED_OP_SHIFT & 1;
    }
    notes->start[runs] = (uint16_t)i;
    notes->writes_before[runs] = (uint16_t)writes;
    notes->runs = runs;
    notes->refs = i;
}

/* References refs[0] to refs[count - 1] belong to the open run. */
static void runs_grow(TraceShape *open, const RunsNotes *notes, uint32_t count, uint32_t writes) {
    if (open->writes == 0) {
        open->first_write = open->count + (writes > 0 ? notes->write[0] : count);
    }
    open->count += count;
    open->writes += writes;
}

/* The shape of the run with this number among those noted. */
VMM_ALWAYS_INLINE TraceShape runs_noted(const RunsNotes *notes, size_t run) {
    uint32_t start = notes->start[run];
    uint32_t before = notes->writes_before[run];
    uint32_t count = notes->start[run + 1] - start;
    uint32_t writes = (uint32_t)notes->writes_before[run + 1] - before;
    uint32_t first = writes > 0 ? notes->write[before] - start : count;
    return (TraceShape){.count = count, .writes = writes, .first_write = first};
}

/* Puts the runs that were noted; the last one is open afterwards. */
static void runs_put_noted(VmtRunsEncoder *encoder, const RunsNotes *notes,
                           const VMMPackedRef *refs) {
    unsigned page_shift = encoder->page_shift;
    if (encoder->open_key != RUNS_NO_KEY) {
        runs_grow(&encoder->open, notes, notes->start[0], notes->writes_before[0]);
    }
    if (notes->runs == 0) {
        return;
    }
    runs_close_open(encoder);
    for (size_t run = 0; run < notes->runs; run++) {
        uint64_t key = runs_packed_key(refs[notes->start[run]], page_shift);
        TraceShape shape = runs_noted(notes, run);
        shape.fetch = (key & RUNS_FETCH) != 0;
        shape.kernel = (key & RUNS_KERNEL) != 0;
        if (run + 1 == notes->runs) {
            encoder->open_key = key;
            encoder->open = shape;
        } else {
            runs_put(encoder, key >> 2, shape);
        }
    }
}

/* No reference may have both bits of the op, or any of the three above. */
static bool runs_packed_good(const VMMPackedRef *refs, size_t count) {
    uint64_t any = 0;
    uint64_t both = 0;
    for (size_t i = 0; i < count; i++) {
        any |= refs[i];
        both |= refs[i] & refs[i] >> 1;
    }
    return any >> (VMM_PACKED_OP_SHIFT + 2) == 0 && (both >> VMM_PACKED_OP_SHIFT & 1) == 0;
}

/* False: the block has no room for it. */
static bool runs_add_crossing(VmtRunsEncoder *encoder, VMMPackedRef ref) {
    uint64_t first = ref & VMM_PACKED_ADDR_MASK;
    uint64_t last = first + (ref >> VMM_PACKED_SIZE_SHIFT) % VMM_PACKED_MAX_SIZE;
    return runs_reference(encoder, first >> encoder->page_shift, last >> encoder->page_shift,
                          runs_packed_key(ref, encoder->page_shift) & 3,
                          ref >> VMM_PACKED_OP_SHIFT & 1);
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
    RunsNotes notes;
    size_t at = 0;
    size_t good = 0; /* that many were looked at and are */
    *bad = false;
    while (at < count) {
        size_t some = runs_room(encoder, count - at);
        if (some == 0) {
            break;
        }
        if (at + some > good) {
            *bad = !runs_packed_good(refs + good, at + some - good);
            if (*bad) {
                break;
            }
            good = at + some;
        }
        runs_note(&notes, refs + at, some, runs_open_as_packed(encoder), encoder->page_shift);
        runs_put_noted(encoder, &notes, refs + at);
        encoder->references += (uint32_t)notes.refs;
        at += notes.refs;
        if (notes.refs < some && !runs_add_crossing(encoder, refs[at++])) {
            return at - 1;
        }
    }
    return at;
}

/* ---- The block ------------------------------------------------------------------------------ */

bool vmt_runs_pending(const VmtRunsEncoder *encoder) {
    return encoder->runs > 0 || encoder->open_key != RUNS_NO_KEY;
}

/* A shape is mostly one byte for its count and kind, and two more if it stores. */
static uint8_t *runs_put_shape(uint8_t *to, const TraceShape *shape) {
    uint64_t kind = (uint64_t)shape->fetch | (uint64_t)shape->kernel << 1 |
                    (uint64_t)shape->continued << 2 | (uint64_t)(shape->writes > 0) << 3;
    to = vmt_put_varint(to, (uint64_t)shape->count << 4 | kind);
    if (shape->writes > 0) {
        to = vmt_put_varint(to, shape->writes);
        to = vmt_put_varint(to, shape->first_write);
    }
    return to;
}

/* One index a run, of one byte where that is enough for the dictionary. */
static uint8_t *runs_put_column(uint8_t *to, const uint16_t *column, size_t runs,
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

const uint8_t *vmt_runs_take(VmtRunsEncoder *encoder, VmtBlock *block) {
    runs_close_open(encoder);
    uint8_t *to = vmt_put_varint(encoder->payload, encoder->page_count);
    to = vmt_put_varint(to, encoder->shape_count);
    uint64_t before = 0;
    for (uint32_t i = 0; i < encoder->page_count; i++) {
        to = vmt_put_varint(to, vmt_zigzag(encoder->pages[i] - before));
        before = encoder->pages[i];
    }
    for (uint32_t i = 0; i < encoder->shape_count; i++) {
        to = runs_put_shape(to, &encoder->shapes[i]);
    }
    to = runs_put_column(to, encoder->page, encoder->runs, encoder->page_count);
    to = runs_put_column(to, encoder->shape, encoder->runs, encoder->shape_count);

    TraceRuns runs = {.shapes = encoder->shapes,
                      .shape_count = encoder->shape_count,
                      .shape = encoder->shape,
                      .count = encoder->runs};
    block->type = VMT_BLOCK_RUNS;
    block->entries = encoder->runs;
    block->raw_bytes = (uint32_t)(to - encoder->payload);
    vmt_runs_count(&runs, encoder->tallies, block);
    encoder->runs = encoder->page_count = encoder->shape_count = encoder->references = 0;
    if (++encoder->block == 0) {
        /* After 2^32 blocks their numbers begin anew: nothing may carry one of long ago. */
        memset(encoder->page_slots, 0, sizeof encoder->page_slots);
        memset(encoder->small_slots, 0, sizeof encoder->small_slots);
        memset(encoder->shape_slots, 0, sizeof encoder->shape_slots);
        encoder->block = 1;
    }
    return encoder->payload;
}
