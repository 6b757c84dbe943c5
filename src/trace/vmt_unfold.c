/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page runs, read: the bytes of a block become dictionaries and columns, every index and every
 * count checked, and runs become references again where someone wants them.
 */
#include "../base/compiler.h"
#include "vmt_runs.h"

/* ---- Counting ------------------------------------------------------------------------------- */

/* The first page reference of a continued run is part of the reference before. */
VmtTally vmt_runs_tally(const VMMRunShape *shape) {
    uint64_t references = shape->count - shape->continued;
    uint64_t writes = shape->writes - (shape->continued && shape->first_write == 0);
    VmtTally tally = {.page_references = shape->count};
    if (shape->kernel) {
        tally.fetches_kernel = references << 32;
    } else if (shape->fetch) {
        tally.fetches_kernel = references;
    } else {
        tally.reads_writes = (references - writes) | writes << 32;
    }
    return tally;
}

/* No half of a word has overflowed as long as all page references fit 32 bits. */
bool vmt_runs_count(VmtTally sum, VmtBlock *block) {
    block->page_references = (uint32_t)sum.page_references;
    block->reads = (uint32_t)sum.reads_writes;
    block->writes = (uint32_t)(sum.reads_writes >> 32);
    block->fetches = (uint32_t)sum.fetches_kernel;
    block->kernel_references = (uint32_t)(sum.fetches_kernel >> 32);
    block->references = block->reads + block->writes + block->fetches + block->kernel_references;
    return sum.page_references <= UINT32_MAX;
}

/* ---- Decoding ------------------------------------------------------------------------------- */

static void unfold_pages(VmtRuns *to, VmtCursor *cursor, unsigned page_shift) {
    uint64_t vpn = 0;
    for (uint32_t i = 0; i < to->runs.page_count; i++) {
        vpn += vmt_unzigzag(vmt_get_varint(cursor));
        cursor->bad = cursor->bad || vpn > UINT64_MAX >> page_shift;
        to->pages[i] = vpn;
    }
}

/* Returns whether one of the shapes is continued. */
static bool unfold_shapes(VmtRuns *to, VmtCursor *cursor) {
    bool continued = false;
    for (uint32_t i = 0; i < to->runs.shape_count && !cursor->bad; i++) {
        uint64_t word = vmt_get_varint(cursor);
        VMMRunShape *shape = &to->shapes[i];
        bool writes = (word & 8) != 0;
        *shape = (VMMRunShape){.count = (uint32_t)(word >> 4),
                               .fetch = (word & 1) != 0,
                               .kernel = (word & 2) != 0,
                               .continued = (word & 4) != 0};
        shape->writes = writes ? vmt_get_varint32(cursor) : 0;
        shape->first_write = writes ? vmt_get_varint32(cursor) : shape->count;
        cursor->bad = cursor->bad || word >> 36 != 0 || shape->count == 0 ||
                      (writes && (shape->writes == 0 || shape->fetch)) ||
                      (uint64_t)shape->writes + shape->first_write > shape->count;
        continued = continued || shape->continued;
    }
    return continued;
}

/* The next index, of one byte where that is enough for its dictionary, and below its size. */
static uint16_t unfold_index(VmtCursor *cursor, uint32_t dictionary) {
    size_t width = dictionary <= 256 ? 1 : 2;
    if ((size_t)(cursor->end - cursor->at) < width) {
        cursor->bad = true;
        return 0;
    }
    unsigned index = width == 1 ? cursor->at[0] : vmt_get16(cursor->at);
    cursor->at += width;
    cursor->bad = cursor->bad || index >= dictionary;
    return (uint16_t)index;
}

static void unfold_kinds(VmtRuns *to, VmtCursor *cursor, uint32_t kind_count) {
    for (uint32_t i = 0; i < kind_count && !cursor->bad; i++) {
        uint16_t page = unfold_index(cursor, to->runs.page_count);
        uint16_t shape = unfold_index(cursor, to->runs.shape_count);
        if (!cursor->bad) {
            to->kinds[i] = (VmtKind){page, shape};
            to->tallies[i] = vmt_runs_tally(&to->shapes[shape]);
        }
    }
}

static VMM_VECTORISED unsigned unfold_most(const uint8_t *bytes, size_t count) {
    uint8_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = bytes[i] > most ? bytes[i] : most;
    }
    return most;
}

static unsigned unfold_most_of_two(const uint8_t *bytes, size_t count) {
    unsigned most = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned value = vmt_get16(bytes + 2 * i);
        most = value > most ? value : most;
    }
    return most;
}

/* Page and shape of each run, and the sum of what the runs count. All kinds are good ones. */
VMM_ALWAYS_INLINE VmtTally unfold_runs(VmtRuns *to, const uint8_t *bytes, size_t width) {
    VmtTally sum = {0, 0, 0};
    for (size_t i = 0; i < to->runs.count; i++) {
        unsigned id = width == 1 ? bytes[i] : vmt_get16(bytes + 2 * i);
        VmtKind kind = to->kinds[id];
        const VmtTally *tally = &to->tallies[id];
        to->page[i] = kind.page;
        to->shape[i] = kind.shape;
        sum.page_references += tally->page_references;
        sum.reads_writes += tally->reads_writes;
        sum.fetches_kernel += tally->fetches_kernel;
    }
    return sum;
}

/* The last part of a payload; false: it does not fit the runs, or the kinds. */
static bool unfold_column(VmtRuns *to, const VmtCursor *cursor, uint32_t kind_count,
                          VmtTally *sum) {
    size_t width = kind_count <= 256 ? 1 : 2;
    const uint8_t *bytes = cursor->at;
    size_t runs = to->runs.count;
    if ((size_t)(cursor->end - bytes) != runs * width) {
        return false;
    }
    unsigned most = width == 1 ? unfold_most(bytes, runs) : unfold_most_of_two(bytes, runs);
    if (most >= kind_count) {
        return false;
    }
    *sum = width == 1 ? unfold_runs(to, bytes, 1) : unfold_runs(to, bytes, 2);
    return true;
}

static bool unfold_begins_with_store(const VMMRunShape *shape) {
    return shape->writes > 0 && shape->first_write == 0;
}

/* The order behind the first store is not kept: can the last page reference be what is asked? */
static bool unfold_can_end(const VMMRunShape *shape, bool store) {
    if (!store) {
        return shape->first_write + shape->writes < shape->count || shape->writes == 0;
    }
    return shape->writes > 1 || (shape->writes == 1 && shape->first_write == shape->count - 1);
}

/*
 * A continued run follows a run of its class on the page before, which can end with the store, or
 * with the load, that it begins with: they are one reference, whose size fits 32 bits.
 */
static bool unfold_continues(const VMMRuns *runs) {
    uint64_t longest = (uint64_t)UINT32_MAX >> runs->page_shift;
    uint64_t chain = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const VMMRunShape *shape = &runs->shapes[runs->shape[i]];
        if (VMM_LIKELY(!shape->continued)) {
            continue;
        }
        if (i == 0) {
            return false;
        }
        const VMMRunShape *before = &runs->shapes[runs->shape[i - 1]];
        chain = before->continued && before->count == 1 ? chain + 1 : 0;
        if (runs->pages[runs->page[i]] != runs->pages[runs->page[i - 1]] + 1 ||
            before->fetch != shape->fetch || before->kernel != shape->kernel || chain > longest ||
            !unfold_can_end(before, unfold_begins_with_store(shape))) {
            return false;
        }
    }
    return true;
}

static bool unfold_same_counts(const VmtBlock *a, const VmtBlock *b) {
    return a->references == b->references && a->page_references == b->page_references &&
           a->kernel_references == b->kernel_references && a->reads == b->reads &&
           a->writes == b->writes && a->fetches == b->fetches;
}

const char *vmt_runs_decode(VmtRuns *to, const VmtBlock *block, unsigned page_shift,
                            const uint8_t *payload) {
    VmtCursor cursor = {payload, payload + block->raw_bytes, false};
    uint32_t page_count = vmt_get_varint32(&cursor);
    uint32_t shape_count = vmt_get_varint32(&cursor);
    uint32_t kind_count = vmt_get_varint32(&cursor);
    to->runs = (VMMRuns){.pid = block->pid,
                         .tid = block->tid,
                         .page_shift = page_shift,
                         .page_count = page_count,
                         .shape_count = shape_count,
                         .pages = to->pages,
                         .shapes = to->shapes,
                         .count = block->entries,
                         .page = to->page,
                         .shape = to->shape};
    if (cursor.bad || page_count > block->entries || shape_count > block->entries ||
        kind_count > block->entries) {
        return "its dictionaries are longer than its runs";
    }
    unfold_pages(to, &cursor, page_shift);
    bool continued = unfold_shapes(to, &cursor);
    unfold_kinds(to, &cursor, kind_count);
    if (cursor.bad) {
        return "its dictionaries are wrong";
    }
    VmtTally sum;
    if (!unfold_column(to, &cursor, kind_count, &sum)) {
        return "its runs do not fit its dictionaries";
    }
    VmtBlock counts;
    if (!vmt_runs_count(sum, &counts) || !unfold_same_counts(&counts, block)) {
        return "its counts are not those of its header";
    }
    if (continued && !unfold_continues(&to->runs)) {
        return "a continued run does not continue the one before";
    }
    return NULL;
}

/* ---- Unfolding ------------------------------------------------------------------------------ */

static const VMMRunShape *unfold_shape(const VMMRuns *runs, size_t run) {
    return &runs->shapes[runs->shape[run]];
}

/* How many pages the last reference of this run reaches into behind its own. */
static uint32_t unfold_reach(const VMMRuns *runs, size_t run) {
    uint32_t pages = 0;
    while (run + 1 < runs->count && unfold_shape(runs, run + 1)->continued) {
        pages++;
        run++;
        if (unfold_shape(runs, run)->count > 1) {
            break;
        }
    }
    return pages;
}

/*
 * The page reference with this number in its run stores? After the first store come the other
 * stores, then the loads; if the last one crosses and is a store, the loads come before.
 */
static bool unfold_writes(const VMMRunShape *shape, uint32_t at, bool crossing_write) {
    if (crossing_write && shape->writes > 0) {
        return at == shape->first_write || at > shape->count - shape->writes;
    }
    return at >= shape->first_write && at - shape->first_write < shape->writes;
}

/* References of one run, from page reference `at` on, at most `room`. */
static size_t unfold_run(const VMMRuns *runs, VmtUnfold *unfold, VMMRef *refs, size_t room) {
    const VMMRunShape *shape = unfold_shape(runs, unfold->run);
    uint64_t page = runs->pages[runs->page[unfold->run]] << runs->page_shift;
    uint32_t reach = unfold_reach(runs, unfold->run);
    bool crossing_write = reach > 0 && unfold_shape(runs, unfold->run + 1)->first_write == 0;
    uint32_t at = unfold->at > 0 ? unfold->at : shape->continued;
    size_t count = shape->count - at < room ? shape->count - at : room;
    unsigned op = shape->fetch ? VMM_OP_FETCH : VMM_OP_READ;
    VMMRef ref = {.addr = page,
                  .pid = runs->pid,
                  .tid = runs->tid,
                  .size = 1,
                  .flags = shape->kernel ? VMM_REF_KERNEL : 0};
    for (size_t i = 0; i < count; i++, at++) {
        ref.op = (uint8_t)(unfold_writes(shape, at, crossing_write) ? VMM_OP_WRITE : op);
        refs[i] = ref;
    }
    unfold->at = at;
    if (at == shape->count) {
        if (reach > 0 && count > 0) {
            uint64_t page_size = UINT64_C(1) << runs->page_shift;
            refs[count - 1].addr = page + (page_size - 1);
            refs[count - 1].size = (uint32_t)((reach - 1) * page_size + 2);
        }
        unfold->run++;
        unfold->at = 0;
    }
    return count;
}

size_t vmt_runs_unfold(const VMMRuns *runs, VmtUnfold *unfold, VMMRef *refs, size_t room) {
    size_t count = 0;
    while (count < room && unfold->run < runs->count) {
        count += unfold_run(runs, unfold, refs + count, room - count);
    }
    return count;
}
