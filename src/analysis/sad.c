/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SAD, safely allowed drop: include/vmm/reduce.h says what it does and who found it. Online, in
 * memory that grows with k alone:
 *
 *     stack   the k + 1 pages referenced last, most recent first; a hash table finds them
 *
 *             rank 1 ... rank k | rank k + 1
 *                                 └ its last reference is the newest that k other pages, counted
 *                                   from a page of rank <= k, reach back to
 *
 *     queue   page references that are decided to be kept but have to wait for an older one, and
 *             undecided ones, oldest first:    kept | undecided | kept | undecided
 *
 * Of a page in the stack two references matter: `anchor`, when its last one that is surely kept was
 * made, and the newest one, `held` in the queue and undecided. When the page is referenced again,
 * these are the three of the rule: fewer than k other pages were referenced since the anchor if
 * there is no page of rank k + 1, or its last reference is older than the anchor. Then the held one
 * is dropped; else it is kept and becomes the anchor. A page that leaves the stack has k others
 * behind it: its held reference is kept, and if it comes back it begins anew.
 *
 * Behind an event the first write to a page may make a copy of it, which is another page in memory.
 * Whether it does is not known here, so it is taken for one: what stood at its address stays in the
 * stack without a name, and the write begins anew. Pages counted too often only make references be
 * kept.
 *
 * An undecided reference at the front of the queue is kept as soon as k others were met since its
 * anchor, so behind it lie at most two references of each of k pages: the queue is short.
 *
 * Time is the number of the page reference, from 1; an anchor of 0 is none.
 */
#include <stdbool.h>
#include <string.h>

#include "../../include/vmm/reduce.h"
#include "../base/compiler.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/rng.h"

#define SAD_NONE UINT32_MAX
#define SAD_FIRST_BITS 8
#define SAD_SINK_REFS 512

typedef struct SadPage {
    uint64_t vpn;
    uint64_t anchor; /* time of the last reference that is kept for sure */
    uint64_t last;   /* time of the last reference */
    uint32_t pid;
    uint32_t held;         /* undecided reference in the queue, or SAD_NONE */
    uint32_t newer, older; /* stack */
    uint32_t chain;        /* next page in the same place of the hash table */
    bool near;             /* rank at most k */
    bool written;          /* since it was met */
    bool nameless;         /* a copy has its address now: not in the hash table */
} SadPage;

typedef struct SadItem {
    VMMRef ref;
    uint32_t page; /* whose held reference this is; SAD_NONE: kept */
    uint32_t before, behind;
} SadItem;

/* An array of records with a list of free ones, linked by their number. */
typedef struct SadPool {
    uint32_t count, capacity;
    uint32_t free; /* first free one, or SAD_NONE */
} SadPool;

struct VMMReducer {
    uint64_t frames;
    unsigned page_shift;
    VMMReducerSink *sink;
    void *user;

    SadPage *pages;
    SadPool page_pool;
    uint32_t *table; /* hash table: page, or SAD_NONE */
    unsigned table_bits;
    uint32_t newest, oldest; /* stack */
    uint32_t stack_count;
    uint32_t edge; /* the page of rank k, if there is one */

    SadItem *items;
    SadPool item_pool;
    uint32_t front, back; /* queue */
    bool flushed;         /* there was an event: pages may be shared */

    VMMRef out[SAD_SINK_REFS];
    size_t out_count;
    VMMReducerInfo info;
    Error error;
};

/* ---- Pools ---------------------------------------------------------------------------------- */

/* Room for one more record; `link` is where a free one keeps the number of the next. */
static uint32_t sad_pool_take(SadPool *pool, void **records, size_t size, size_t link) {
    if (pool->free != SAD_NONE) {
        uint32_t number = pool->free;
        memcpy(&pool->free, (char *)*records + number * size + link, sizeof pool->free);
        return number;
    }
    if (pool->count == pool->capacity) {
        uint32_t capacity = pool->capacity * 2 + 64;
        void *grown = memory_grow(&memory_default, *records, pool->capacity, capacity, size);
        if (grown == NULL) {
            return SAD_NONE;
        }
        *records = grown;
        pool->capacity = capacity;
    }
    return pool->count++;
}

static void sad_pool_give(SadPool *pool, void *records, uint32_t number, size_t size, size_t link) {
    memcpy((char *)records + number * size + link, &pool->free, sizeof pool->free);
    pool->free = number;
}

static int sad_no_memory(VMMReducer *reducer) {
    return error_no_memory(&reducer->error, sizeof(SadPage) * (reducer->stack_count + (size_t)1),
                           "the reduction of the trace");
}

/* ---- Output --------------------------------------------------------------------------------- */

static int sad_send(VMMReducer *reducer) {
    size_t count = reducer->out_count;
    reducer->out_count = 0;
    reducer->info.kept += count;
    int code = count > 0 ? reducer->sink(reducer->user, reducer->out, count) : VMM_OK;
    return code == VMM_OK ? VMM_OK
                          : error_set(&reducer->error, code, "what is kept could not be written");
}

/* ---- The queue ------------------------------------------------------------------------------ */

static int sad_append(VMMReducer *reducer, const VMMRef *ref, uint32_t page) {
    void *records = reducer->items;
    uint32_t number = sad_pool_take(&reducer->item_pool, &records, sizeof *reducer->items,
                                    offsetof(SadItem, behind));
    reducer->items = records;
    if (number == SAD_NONE) {
        return sad_no_memory(reducer);
    }
    reducer->items[number] =
        (SadItem){.ref = *ref, .page = page, .before = reducer->back, .behind = SAD_NONE};
    if (reducer->back != SAD_NONE) {
        reducer->items[reducer->back].behind = number;
    } else {
        reducer->front = number;
    }
    reducer->back = number;
    if (page != SAD_NONE) {
        reducer->pages[page].held = number;
    }
    return VMM_OK;
}

static void sad_remove(VMMReducer *reducer, uint32_t number) {
    SadItem item = reducer->items[number];
    if (item.before != SAD_NONE) {
        reducer->items[item.before].behind = item.behind;
    } else {
        reducer->front = item.behind;
    }
    if (item.behind != SAD_NONE) {
        reducer->items[item.behind].before = item.before;
    } else {
        reducer->back = item.before;
    }
    sad_pool_give(&reducer->item_pool, reducer->items, number, sizeof item,
                  offsetof(SadItem, behind));
}

/* The held reference of a page is kept for sure, and is its new anchor. */
static void sad_keep_held(VMMReducer *reducer, SadPage *page) {
    if (page->held != SAD_NONE) {
        reducer->items[page->held].page = SAD_NONE;
        page->held = SAD_NONE;
        page->anchor = page->last;
    }
}

/* Were k other pages referenced since the anchor of a page in the stack? */
static bool sad_is_far(const VMMReducer *reducer, const SadPage *page) {
    if (!page->near) {
        return true;
    }
    uint32_t beyond = reducer->edge != SAD_NONE ? reducer->pages[reducer->edge].older : SAD_NONE;
    return beyond != SAD_NONE && reducer->pages[beyond].last > page->anchor;
}

/* Sends what stands at the front and is decided. */
static int sad_advance(VMMReducer *reducer) {
    int code = VMM_OK;
    while (code == VMM_OK && reducer->front != SAD_NONE) {
        uint32_t number = reducer->front;
        SadItem *item = &reducer->items[number];
        if (item->page != SAD_NONE) {
            SadPage *page = &reducer->pages[item->page];
            if (!sad_is_far(reducer, page)) {
                return VMM_OK;
            }
            sad_keep_held(reducer, page);
        }
        reducer->out[reducer->out_count++] = item->ref;
        sad_remove(reducer, number);
        if (reducer->out_count == SAD_SINK_REFS) {
            code = sad_send(reducer);
        }
    }
    return code;
}

/* ---- The hash table ------------------------------------------------------------------------- */

static uint32_t *sad_place(const VMMReducer *reducer, uint32_t pid, uint64_t vpn) {
    uint64_t hash = rng_mix(vpn ^ (uint64_t)pid << 40);
    return &reducer->table[hash >> (64 - reducer->table_bits)];
}

static uint32_t sad_find(const VMMReducer *reducer, uint32_t pid, uint64_t vpn) {
    uint32_t number = *sad_place(reducer, pid, vpn);
    while (number != SAD_NONE &&
           (reducer->pages[number].vpn != vpn || reducer->pages[number].pid != pid)) {
        number = reducer->pages[number].chain;
    }
    return number;
}

static void sad_forget(VMMReducer *reducer, uint32_t number) {
    if (reducer->pages[number].nameless) {
        return;
    }
    uint32_t *link = sad_place(reducer, reducer->pages[number].pid, reducer->pages[number].vpn);
    while (*link != number) {
        link = &reducer->pages[*link].chain;
    }
    *link = reducer->pages[number].chain;
}

static void sad_enter(VMMReducer *reducer, uint32_t number) {
    if (reducer->pages[number].nameless) {
        return;
    }
    uint32_t *link = sad_place(reducer, reducer->pages[number].pid, reducer->pages[number].vpn);
    reducer->pages[number].chain = *link;
    *link = number;
}

/* A table with at least as many places as pages. */
static int sad_grow_table(VMMReducer *reducer) {
    size_t old_places = reducer->table != NULL ? (size_t)1 << reducer->table_bits : 0;
    unsigned bits = reducer->table != NULL ? reducer->table_bits + 1 : SAD_FIRST_BITS;
    uint32_t *table = memory_zalloc(&memory_default, (size_t)1 << bits, sizeof *table);
    if (table == NULL) {
        return sad_no_memory(reducer);
    }
    memset(table, 0xff, sizeof *table << bits);
    memory_free(&memory_default, reducer->table, old_places, sizeof *table);
    reducer->table = table;
    reducer->table_bits = bits;
    for (uint32_t page = reducer->newest; page != SAD_NONE; page = reducer->pages[page].older) {
        sad_enter(reducer, page);
    }
    return VMM_OK;
}

/* ---- The stack ------------------------------------------------------------------------------ */

static void sad_unlink(VMMReducer *reducer, const SadPage *page) {
    if (page->newer != SAD_NONE) {
        reducer->pages[page->newer].older = page->older;
    } else {
        reducer->newest = page->older;
    }
    if (page->older != SAD_NONE) {
        reducer->pages[page->older].newer = page->newer;
    } else {
        reducer->oldest = page->newer;
    }
    reducer->stack_count--;
}

/* Puts a page that is in no place of the stack to its top; the edge moves by one. */
static void sad_push(VMMReducer *reducer, uint32_t number) {
    SadPage *page = &reducer->pages[number];
    page->newer = SAD_NONE;
    page->older = reducer->newest;
    page->near = true;
    if (reducer->newest != SAD_NONE) {
        reducer->pages[reducer->newest].newer = number;
    } else {
        reducer->oldest = number;
    }
    reducer->newest = number;
    reducer->stack_count++;
    if (reducer->edge != SAD_NONE) {
        reducer->pages[reducer->edge].near = false;
        reducer->edge = reducer->pages[reducer->edge].newer;
    } else if (reducer->stack_count == reducer->frames) {
        reducer->edge = reducer->oldest;
    }
}

/* Takes a page out; if it was of rank k or nearer, the one behind the edge moves up. */
static void sad_pull(VMMReducer *reducer, uint32_t number) {
    const SadPage *page = &reducer->pages[number];
    if (page->near && reducer->edge != SAD_NONE) {
        uint32_t beyond = reducer->pages[reducer->edge].older;
        if (beyond != SAD_NONE) {
            reducer->pages[beyond].near = true;
        }
        reducer->edge = beyond;
    }
    sad_unlink(reducer, page);
}

/* A page that leaves the stack has k others behind it. */
static void sad_drop_oldest(VMMReducer *reducer) {
    uint32_t number = reducer->oldest;
    sad_keep_held(reducer, &reducer->pages[number]);
    sad_pull(reducer, number);
    sad_forget(reducer, number);
    sad_pool_give(&reducer->page_pool, reducer->pages, number, sizeof *reducer->pages,
                  offsetof(SadPage, chain));
}

/* ---- Page references ------------------------------------------------------------------------ */

/* A page that is not in the stack: its reference is kept, and is its anchor. */
static int sad_meet(VMMReducer *reducer, const VMMRef *ref, uint64_t vpn, uint64_t now) {
    if (reducer->table == NULL || reducer->stack_count >> reducer->table_bits != 0) {
        int code = sad_grow_table(reducer);
        if (code != VMM_OK) {
            return code;
        }
    }
    void *records = reducer->pages;
    uint32_t number = sad_pool_take(&reducer->page_pool, &records, sizeof *reducer->pages,
                                    offsetof(SadPage, chain));
    reducer->pages = records;
    if (number == SAD_NONE) {
        return sad_no_memory(reducer);
    }
    reducer->pages[number] = (SadPage){.vpn = vpn,
                                       .pid = ref->pid,
                                       .anchor = now,
                                       .last = now,
                                       .held = SAD_NONE,
                                       .written = ref->op == VMM_OP_WRITE};
    sad_enter(reducer, number);
    sad_push(reducer, number);
    if (reducer->stack_count > reducer->frames + 1) {
        sad_drop_oldest(reducer);
    }
    return sad_append(reducer, ref, SAD_NONE);
}

static int sad_meet_again(VMMReducer *reducer, uint32_t number, VMMRef *ref, uint64_t now) {
    SadPage *page = &reducer->pages[number];
    if (sad_is_far(reducer, page)) {
        sad_keep_held(reducer, page);
    } else if (page->held != SAD_NONE) {
        if (reducer->items[page->held].ref.op == VMM_OP_WRITE) {
            ref->op = VMM_OP_WRITE;
        }
        sad_remove(reducer, page->held);
        page->held = SAD_NONE;
    }
    page->last = now;
    if (reducer->newest != number) {
        sad_pull(reducer, number);
        sad_push(reducer, number);
    }
    return sad_append(reducer, ref, number);
}

/* May this write to a page in the stack make a copy of it? */
static bool sad_may_copy(const VMMReducer *reducer, uint32_t number, const VMMRef *ref) {
    return reducer->flushed && ref->op == VMM_OP_WRITE && !reducer->pages[number].written;
}

static int sad_page_reference(VMMReducer *reducer, const VMMRef *ref, uint64_t vpn) {
    uint64_t now = ++reducer->info.page_references;
    VMMRef kept = *ref;
    kept.addr = vpn << reducer->page_shift;
    kept.size = 1;
    uint32_t number = reducer->table != NULL ? sad_find(reducer, ref->pid, vpn) : SAD_NONE;
    if (number != SAD_NONE && sad_may_copy(reducer, number, ref)) {
        sad_forget(reducer, number);
        reducer->pages[number].nameless = true;
        number = SAD_NONE;
    }
    int code = number == SAD_NONE ? sad_meet(reducer, &kept, vpn, now)
                                  : sad_meet_again(reducer, number, &kept, now);
    return code == VMM_OK ? sad_advance(reducer) : code;
}

int vmm_reducer_add(VMMReducer *reducer, const VMMRef *refs, size_t count) {
    if (reducer == NULL || (refs == NULL && count > 0)) {
        return VMM_E_USAGE;
    }
    for (size_t i = 0; i < count && reducer->error.code == VMM_OK; i++) {
        uint64_t end = refs[i].addr + (refs[i].size > 1 ? refs[i].size - 1 : 0);
        uint64_t vpn = refs[i].addr >> reducer->page_shift;
        uint64_t last = (end >= refs[i].addr ? end : UINT64_MAX) >> reducer->page_shift;
        reducer->info.references++;
        for (uint64_t left = last - vpn + 1; left > 0 && reducer->error.code == VMM_OK; left--) {
            (void)sad_page_reference(reducer, &refs[i], vpn++);
        }
    }
    return reducer->error.code;
}

int vmm_reducer_flush(VMMReducer *reducer) {
    if (reducer == NULL) {
        return VMM_E_USAGE;
    }
    reducer->flushed = true;
    while (reducer->stack_count > 0) {
        sad_drop_oldest(reducer);
    }
    int code = reducer->error.code == VMM_OK ? sad_advance(reducer) : reducer->error.code;
    return code == VMM_OK ? sad_send(reducer) : code;
}

/* ---- The object ----------------------------------------------------------------------------- */

static int sad_check(uint64_t frames, uint64_t page_size, Error *error) {
    if (frames == 0 || frames > VMM_REDUCER_MAX_FRAMES) {
        return error_set(error, VMM_E_RANGE,
                         "found %llu as number of frames of a reduction, expected 1 to %llu",
                         (unsigned long long)frames, (unsigned long long)VMM_REDUCER_MAX_FRAMES);
    }
    if ((page_size & (page_size - 1)) != 0) {
        return error_set(error, VMM_E_RANGE,
                         "found %llu as page size of a reduction, expected a power of two",
                         (unsigned long long)page_size);
    }
    return VMM_OK;
}

int vmm_reducer_create(uint64_t frames, uint64_t page_size, VMMReducerSink *sink, void *user,
                       VMMReducer **reducer, char *error) {
    Error failure = {.code = VMM_OK};
    int code = sad_check(frames, page_size, &failure);
    if (reducer == NULL || sink == NULL) {
        code = error_set(&failure, VMM_E_USAGE, "vmm_reducer_create: reducer or sink is NULL");
    } else {
        *reducer = NULL;
    }
    VMMReducer *fresh = code == VMM_OK ? memory_zalloc(&memory_default, 1, sizeof *fresh) : NULL;
    if (code == VMM_OK && fresh == NULL) {
        code = error_no_memory(&failure, sizeof *fresh, "the reduction of the trace");
    }
    if (code != VMM_OK) {
        error_publish(&failure, error);
        return code;
    }
    fresh->frames = frames;
    fresh->page_shift = page_size != 0 ? (unsigned)__builtin_ctzll(page_size) : 12;
    fresh->sink = sink;
    fresh->user = user;
    fresh->page_pool.free = fresh->item_pool.free = SAD_NONE;
    fresh->newest = fresh->oldest = fresh->edge = SAD_NONE;
    fresh->front = fresh->back = SAD_NONE;
    *reducer = fresh;
    return VMM_OK;
}

void vmm_reducer_info(const VMMReducer *reducer, VMMReducerInfo *info) {
    VMMReducerInfo full = reducer->info;
    uint32_t size = info->struct_size;
    if (size == 0 || size > sizeof full) {
        size = sizeof full;
    }
    full.struct_size = size;
    memcpy(info, &full, size);
}

void vmm_reducer_destroy(VMMReducer *reducer) {
    if (reducer == NULL) {
        return;
    }
    memory_free(&memory_default, reducer->pages, reducer->page_pool.capacity,
                sizeof *reducer->pages);
    memory_free(&memory_default, reducer->items, reducer->item_pool.capacity,
                sizeof *reducer->items);
    memory_free(&memory_default, reducer->table,
                reducer->table != NULL ? (size_t)1 << reducer->table_bits : 0,
                sizeof *reducer->table);
    memory_free(&memory_default, reducer, 1, sizeof *reducer);
}
