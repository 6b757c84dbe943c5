/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/mm, its parts one by one: recency order, directory of pages, swap device, TLB, page tables,
 * pools and costs. Where a part keeps its state in a clever way, it runs beside a naive model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/base/rng.h"
#include "../../src/engine/policies.h"
#include "../../src/mm/cost.h"
#include "../../src/mm/machine.h"
#include "account.h"

/* ---- Recency ------------------------------------------------------------------------------------
 */

enum { LIST_ROOM = 64 };

/* The same order as a plain array, oldest first. */
typedef struct List {
    uint32_t items[LIST_ROOM];
    uint32_t count;
} List;

static bool list_remove(List *list, uint32_t item) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i] == item) {
            memmove(&list->items[i], &list->items[i + 1],
                    (list->count - i - 1) * sizeof list->items[0]);
            list->count--;
            return true;
        }
    }
    return false;
}

static void list_touch(List *list, uint32_t item) {
    list_remove(list, item);
    list->items[list->count++] = item;
}

static void assert_same_order(const Recency *recency, const List *list) {
    uint32_t items[LIST_ROOM];
    assert_int_equal(recency_list(recency, items), list->count);
    assert_memory_equal(items, list->items, list->count * sizeof items[0]);
}

/* Many more touches than places in the log, so that it is compacted many times. */
static void recency_is_a_list(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    Rng rng = rng_seed(1, "recency");
    Recency recency = {0};
    List list = {0};
    uint32_t items = 3;
    assert_true(recency_reserve(&recency, &memory, items));
    for (int step = 0; step < 40000; step++) {
        uint32_t item = (uint32_t)rng_below(&rng, items);
        if (rng_below(&rng, 8) != 0) {
            recency_touch(&recency, item);
            list_touch(&list, item);
        } else if (list_remove(&list, item)) {
            recency_remove(&recency, item);
        }
        assert_int_equal(recency_contains(&recency, item),
                         list.count > 0 && list.items[list.count - 1] == item);
        if (list.count > 0 && step % 3 == 0) {
            assert_int_equal(recency_oldest(&recency), list.items[0]);
        }
        if (list.count > 0 && step % 5 == 0) {
            assert_int_equal(recency_youngest(&recency), list.items[list.count - 1]);
        }
        if (step % 64 == 0) {
            assert_same_order(&recency, &list);
        }
        if (step % 5000 == 4999 && items + 8 <= LIST_ROOM) {
            items += 8;
            assert_true(recency_reserve(&recency, &memory, items));
            assert_same_order(&recency, &list);
        }
    }
    recency_free(&recency, &memory);
    assert_int_equal(account.bytes, 0);
}

/* The log holds every touch until it is full; the touch that fills it must not lose the order. */
static void recency_survives_the_touch_that_fills_the_log(void **state) {
    (void)state;
    for (uint32_t extra = 0; extra < 4; extra++) {
        Recency recency = {0};
        assert_true(recency_reserve(&recency, &memory_default, 2));
        recency_touch(&recency, 0);
        for (uint32_t i = 1; i < recency.capacity - 2 + extra; i++) {
            recency_touch(&recency, 1);
        }
        assert_int_equal(recency_oldest(&recency), 0);
        assert_int_equal(recency_youngest(&recency), 1);
        recency_touch(&recency, 0);
        assert_int_equal(recency_oldest(&recency), 1);
        recency_free(&recency, &memory_default);
    }
}

/* 2^31 items would need a log that 32-bit places cannot number. */
static void recency_refuses_too_many_items(void **state) {
    (void)state;
    Recency recency = {0};
    assert_false(recency_reserve(&recency, &memory_default, UINT32_C(1) << 31));
    recency_free(&recency, &memory_default);
}

/* ---- Directory --------------------------------------------------------------------------------
 */

/* Dense ids in order of first appearance, whatever the number of pages; found again by page. */
static void directory_numbers_pages_in_order(void **state) {
    (void)state;
    enum { PAGES = 60000 };
    Account account = {0};
    const Memory memory = account_memory(&account);
    Directory directory;
    Rng rng = rng_seed(2, "directory");
    assert_int_equal(directory_init(&directory, &memory, 36, NULL), VMM_OK);
    uint64_t *keys = calloc(PAGES, sizeof *keys);
    for (uint32_t i = 0; i < PAGES; i++) {
        uint32_t space = directory_space(&directory, (uint32_t)rng_below(&rng, 3), NULL);
        uint64_t vpn = i % 2 == 0 ? i / 2 : rng_below(&rng, UINT64_C(1) << 36);
        keys[i] = directory_key(&directory, space, vpn);
        assert_int_equal(directory_reserve(&directory, 1, NULL), VMM_OK);
        uint32_t known = directory_find(&directory, space, vpn);
        uint32_t before = directory.count;
        uint32_t id = directory_intern(&directory, keys[i]);
        assert_int_equal(id, known != DIRECTORY_NO_PAGE ? known : before);
        assert_int_equal(directory.count, before + (known == DIRECTORY_NO_PAGE));
        assert_true(directory_vpn(&directory, id) == vpn);
        assert_int_equal(directory_space_of(&directory, id), space);
    }
    for (uint32_t i = 0; i < PAGES; i++) { /* and after all the growth */
        uint32_t id = directory_intern(&directory, keys[i]);
        assert_true(id < directory.count && directory.keys[id] == keys[i]);
    }
    free(keys);
    directory_free(&directory);
    assert_int_equal(account.bytes, 0);
}

/* A page that was never interned has no id, not even next to ones that were. */
static void directory_does_not_find_the_unknown(void **state) {
    (void)state;
    Directory directory;
    assert_int_equal(directory_init(&directory, &memory_default, 36, NULL), VMM_OK);
    assert_int_equal(directory_find(&directory, 0, 0), DIRECTORY_NO_PAGE);
    assert_int_equal(directory_find_space(&directory, 0), DIRECTORY_NO_SPACE);
    assert_int_equal(directory_space(&directory, 7, NULL), 0);
    assert_int_equal(directory_find_space(&directory, 7), 0);
    assert_int_equal(directory_find_space(&directory, 8), DIRECTORY_NO_SPACE);
    assert_int_equal(directory_reserve(&directory, 10, NULL), VMM_OK);
    uint32_t id = directory_intern(&directory, directory_key(&directory, 0, 100));
    assert_int_equal(id, 1);
    assert_int_equal(directory_find(&directory, 0, 100), id);
    assert_int_equal(directory_find(&directory, 0, 99), DIRECTORY_NO_PAGE);
    assert_int_equal(directory_find(&directory, 0, 101), DIRECTORY_NO_PAGE);
    assert_int_equal(directory_find(&directory, 1, 100), DIRECTORY_NO_PAGE);
    directory_free(&directory);
}

/* Process ids are any numbers, in any amount; spaces count them in order of appearance. */
static void directory_numbers_many_processes(void **state) {
    (void)state;
    enum { SPACES = 3000 };
    Directory directory;
    assert_int_equal(directory_init(&directory, &memory_default, 36, NULL), VMM_OK);
    for (uint32_t i = 0; i < SPACES; i++) {
        uint32_t pid = i == 0 ? UINT32_MAX : (i - 1) * 64; /* 0 among them */
        assert_int_equal(directory_space(&directory, pid, NULL), i);
    }
    for (uint32_t i = 1; i < SPACES; i++) {
        assert_int_equal(directory_find_space(&directory, (i - 1) * 64), i);
        assert_int_equal(directory_space(&directory, (i - 1) * 64, NULL), i);
        assert_int_equal(directory_find_space(&directory, (i - 1) * 64 + 1), DIRECTORY_NO_SPACE);
    }
    assert_int_equal(directory_find_space(&directory, UINT32_MAX), 0);
    directory_free(&directory);
}

/* With 48 bits of page number a key has 16 for the space: 2^16 - 1 processes, and a clear no to
   more (one less than fit, so that all ones are no key). */
static void directory_keys_hold_what_they_promise(void **state) {
    (void)state;
    Directory directory;
    Error error = {0};
    assert_int_equal(directory_init(&directory, &memory_default, 48, &error), VMM_OK);
    for (uint32_t i = 0; i < 65535; i++) {
        assert_int_equal(directory_space(&directory, i, &error), i);
    }
    assert_int_equal(directory_space(&directory, 65535, &error), DIRECTORY_NO_SPACE);
    assert_int_equal(error.code, VMM_E_LIMIT);
    assert_non_null(strstr(error.text, "65535"));
    uint64_t vpn = (UINT64_C(1) << 48) - 1;
    assert_int_equal(directory_reserve(&directory, 2, &error), VMM_OK);
    assert_int_equal(directory_find(&directory, 65534, vpn), DIRECTORY_NO_PAGE);
    uint32_t id = directory_intern(&directory, directory_key(&directory, 65534, vpn));
    assert_int_equal(id, 1);
    assert_int_equal(directory_space_of(&directory, id), 65534);
    assert_true(directory_vpn(&directory, id) == vpn);
    assert_int_equal(directory_find(&directory, 65534, vpn), id);
    assert_int_equal(directory_reserve(&directory, UINT32_MAX - 2, &error), VMM_E_LIMIT);
    directory_free(&directory);
}

/* ---- Swap -------------------------------------------------------------------------------------
 */

/* Slots are numbered from 0, never given out twice, reused when given back, and limited. */
static void swap_slots_are_limited_and_reused(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    Swap swap;
    swap_init(&swap, 3);
    assert_int_equal(swap_take(&swap), 0);
    assert_int_equal(swap_take(&swap), 1);
    assert_int_equal(swap_take(&swap), 2);
    assert_int_equal(swap_take(&swap), SWAP_NO_SLOT);
    assert_int_equal(swap.used, 3);
    assert_true(swap_give_back(&swap, &memory, 1));
    assert_int_equal(swap.used, 2);
    assert_int_equal(swap_take(&swap), 1);
    assert_int_equal(swap_take(&swap), SWAP_NO_SLOT);
    assert_int_equal(swap.peak, 3);
    swap_free(&swap, &memory);
    assert_int_equal(account.bytes, 0);
}

/* Random taking and giving back of more slots than the first list has room for. */
static void swap_never_gives_a_slot_twice(void **state) {
    (void)state;
    enum { SLOTS = 500 };
    Rng rng = rng_seed(3, "swap");
    bool taken[SLOTS] = {false};
    uint64_t used = 0;
    uint64_t peak = 0;
    Swap swap;
    swap_init(&swap, SLOTS);
    for (int step = 0; step < 20000; step++) {
        bool fill = step / 1000 % 2 == 0 ? rng_below(&rng, 4) != 0 : rng_below(&rng, 4) == 0;
        uint32_t slot = (uint32_t)rng_below(&rng, SLOTS);
        if (fill) {
            slot = swap_take(&swap);
            assert_int_equal(slot == SWAP_NO_SLOT, used == SLOTS);
            if (slot != SWAP_NO_SLOT) {
                assert_true(slot < SLOTS && !taken[slot]);
                taken[slot] = true;
                used++;
            }
        } else if (taken[slot]) {
            assert_true(swap_give_back(&swap, &memory_default, slot));
            taken[slot] = false;
            used--;
        }
        peak = used > peak ? used : peak;
        assert_int_equal(swap.used, used);
        assert_int_equal(swap.peak, peak);
    }
    assert_int_equal(peak, SLOTS); /* the limit was met */
    swap_free(&swap, &memory_default);
}

/* A device that grows as needed has no end within 32-bit numbers. */
static void swap_without_limit_grows(void **state) {
    (void)state;
    Swap swap;
    swap_init(&swap, UINT64_MAX);
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(swap_take(&swap), i);
    }
    swap.next = SWAP_NO_SLOT; /* as after 2^32 - 1 of them */
    assert_int_equal(swap_take(&swap), SWAP_NO_SLOT);
    swap_free(&swap, &memory_default);
}

/* ---- TLB --------------------------------------------------------------------------------------
 */

enum { TLB_ROOM = 64, TLB_PAGES = 200 };

/* The hardware as a table: way by way, with the time of fill and last use and the use count. */
typedef struct NaiveEntry {
    uint32_t page; /* 0: invalid */
    uint32_t frame;
    bool written;
    uint64_t filled, used, count;
} NaiveEntry;

typedef struct NaiveTlb {
    NaiveEntry entry[TLB_ROOM];
    uint32_t ways, sets;
    uint64_t policy, time;
    Rng rng;
    uint64_t evictions, writebacks, invalidations, flushes;
} NaiveTlb;

static uint64_t naive_rank(const NaiveTlb *tlb, const NaiveEntry *entry) {
    return tlb->policy == TLB_LRU    ? entry->used
           : tlb->policy == TLB_FIFO ? entry->filled
                                     : entry->count;
}

static uint32_t naive_victim(NaiveTlb *tlb, uint32_t first) {
    if (tlb->policy == TLB_RANDOM) {
        return first + (uint32_t)rng_below(&tlb->rng, tlb->ways);
    }
    uint32_t best = first;
    for (uint32_t i = first + 1; i < first + tlb->ways; i++) {
        if (naive_rank(tlb, &tlb->entry[i]) < naive_rank(tlb, &tlb->entry[best])) {
            best = i;
        }
    }
    return best;
}

static void naive_fill(NaiveTlb *tlb, uint64_t vpn, uint32_t page, uint32_t frame, bool write) {
    uint32_t first = (uint32_t)(vpn % tlb->sets) * tlb->ways;
    uint32_t place = UINT32_MAX;
    for (uint32_t i = first; i < first + tlb->ways && place == UINT32_MAX; i++) {
        place = tlb->entry[i].page == 0 ? i : place;
    }
    if (place == UINT32_MAX) {
        place = naive_victim(tlb, first);
        tlb->evictions++;
        tlb->writebacks += tlb->entry[place].written;
    }
    tlb->time++;
    tlb->entry[place] = (NaiveEntry){page, frame, write, tlb->time, tlb->time, 1};
}

static uint32_t naive_find(const NaiveTlb *tlb, uint32_t page) {
    for (uint32_t i = 0; i < tlb->sets * tlb->ways; i++) {
        if (tlb->entry[i].page == page) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void assert_same_tlb(const Tlb *tlb, const NaiveTlb *naive) {
    for (uint32_t i = 0; i < tlb->entries; i++) {
        assert_int_equal(tlb->page[i], naive->entry[i].page);
        if (naive->entry[i].page != 0) {
            assert_int_equal(tlb->frame[i], naive->entry[i].frame);
            assert_int_equal(tlb->written[i], naive->entry[i].written);
        }
    }
    assert_int_equal(tlb->evictions, naive->evictions);
    assert_int_equal(tlb->writebacks, naive->writebacks);
    assert_int_equal(tlb->invalidations, naive->invalidations);
    assert_int_equal(tlb->flushes, naive->flushes);
}

/* A page is looked up; it is filled on a miss. */
static void tlb_reference(Tlb *tlb, NaiveTlb *naive, uint32_t page, bool write) {
    uint32_t entry = tlb_lookup(tlb, page);
    assert_int_equal(entry, naive_find(naive, page));
    assert_int_equal(entry, tlb_search(tlb, page));
    if (entry == UINT32_MAX) {
        tlb_fill(tlb, page, page + 1000, write);
        naive_fill(naive, directory_vpn(tlb->directory, page), page, page + 1000, write);
    } else {
        tlb_touch(tlb, entry);
        tlb->written[entry] |= write;
        naive->entry[entry].used = ++naive->time;
        naive->entry[entry].count++;
        naive->entry[entry].written |= write;
    }
}

static void tlb_drop_both(Tlb *tlb, NaiveTlb *naive, uint32_t page) {
    uint32_t entry = naive_find(naive, page);
    if (entry != UINT32_MAX) {
        naive->entry[entry].page = 0;
        naive->invalidations++;
    }
    tlb_invalidate(tlb, page);
}

static void tlb_flush_both(Tlb *tlb, NaiveTlb *naive) {
    for (uint32_t i = 0; i < tlb->entries; i++) {
        naive->entry[i].page = 0;
    }
    naive->flushes++;
    tlb_flush(tlb);
}

/* A directory of pages 1 .. TLB_PAGES - 1 with VPNs that do not follow the ids. */
static void make_pages(Directory *directory) {
    assert_int_equal(directory_init(directory, &memory_default, 36, NULL), VMM_OK);
    assert_int_equal(directory_reserve(directory, TLB_PAGES, NULL), VMM_OK);
    for (uint32_t i = 1; i < TLB_PAGES; i++) {
        uint32_t space = i % 2;
        uint64_t vpn = (uint64_t)i * 7919 % 512;
        assert_int_equal(directory_intern(directory, directory_key(directory, space, vpn)), i);
    }
}

static Settings tlb_settings(uint64_t entries, uint64_t ways, uint64_t policy) {
    return (Settings){
        .tlb = 1, .tlb_entries = entries, .tlb_ways = ways, .tlb_policy = policy, .seed = 42};
}

static void run_tlb(const Directory *directory, uint64_t entries, uint64_t ways, uint64_t policy) {
    Account account = {0};
    const Memory memory = account_memory(&account);
    Settings settings = tlb_settings(entries, ways, policy);
    Tlb tlb;
    assert_int_equal(tlb_init(&tlb, &memory, directory, &settings, NULL), VMM_OK);
    assert_int_equal(tlb_reserve(&tlb, 1, NULL), VMM_OK);
    assert_int_equal(tlb_reserve(&tlb, TLB_PAGES, NULL), VMM_OK);
    uint32_t real_ways = (uint32_t)(ways == 0 ? entries : ways);
    NaiveTlb naive = {.ways = real_ways,
                      .sets = (uint32_t)entries / real_ways,
                      .policy = policy,
                      .rng = rng_seed(42, "tlb.random")};
    Rng rng = rng_seed(entries * 100 + ways * 10 + policy, "operations");
    for (int step = 0; step < 6000; step++) {
        uint64_t span =
            step / 500 % 2 == 0 ? TLB_PAGES - 1 : entries + 2; /* both many and few hits */
        span = span < TLB_PAGES - 1 ? span : TLB_PAGES - 1;
        uint32_t page = 1 + (uint32_t)rng_below(&rng, span);
        uint64_t what = rng_below(&rng, 100);
        if (what < 88) {
            tlb_reference(&tlb, &naive, page, what % 4 == 0);
        } else if (what < 99 || rng_below(&rng, 4) != 0) {
            tlb_drop_both(&tlb, &naive, page);
        } else {
            tlb_flush_both(&tlb, &naive);
        }
        assert_same_tlb(&tlb, &naive);
        assert_true(tlb_is_valid(&tlb));
    }
    assert_true(naive.evictions > 0 && naive.writebacks > 0 && naive.flushes > 0);
    tlb_free(&tlb);
    assert_int_equal(account.bytes, 0);
}

/* Full, 4-way and direct-mapped; 12 entries make 3 sets of 4, no power of two. */
static void run_tlb_policy(uint64_t policy) {
    static const uint64_t shapes[][2] = {{12, 0}, {12, 4}, {12, 1}, {1, 0}, {64, 4}, {60, 60}};
    Directory directory;
    make_pages(&directory);
    for (size_t i = 0; i < VMM_COUNT_OF(shapes); i++) {
        run_tlb(&directory, shapes[i][0], shapes[i][1], policy);
    }
    directory_free(&directory);
}

static void tlb_lru_is_a_table_by_last_use(void **state) {
    (void)state;
    run_tlb_policy(TLB_LRU);
}

static void tlb_fifo_is_a_table_by_fill(void **state) {
    (void)state;
    run_tlb_policy(TLB_FIFO);
}

static void tlb_random_draws_a_way(void **state) {
    (void)state;
    run_tlb_policy(TLB_RANDOM);
}

static void tlb_lfu_is_a_table_by_count(void **state) {
    (void)state;
    run_tlb_policy(TLB_LFU);
}

/* Invalid ways are filled before anything is replaced, the lowest first. */
static void tlb_fills_holes_lowest_first(void **state) {
    (void)state;
    Directory directory;
    make_pages(&directory);
    for (uint64_t policy = TLB_LRU; policy <= TLB_LFU; policy++) {
        Settings settings = tlb_settings(4, 0, policy);
        Tlb tlb;
        assert_int_equal(tlb_init(&tlb, &memory_default, &directory, &settings, NULL), VMM_OK);
        assert_int_equal(tlb_reserve(&tlb, TLB_PAGES, NULL), VMM_OK);
        for (uint32_t page = 1; page <= 4; page++) {
            tlb_fill(&tlb, page, page, false);
            assert_int_equal(tlb_lookup(&tlb, page), page - 1);
        }
        tlb_invalidate(&tlb, 4);
        tlb_invalidate(&tlb, 2);
        tlb_fill(&tlb, 5, 5, false);
        assert_int_equal(tlb_lookup(&tlb, 5), 1);
        tlb_fill(&tlb, 6, 6, false);
        assert_int_equal(tlb_lookup(&tlb, 6), 3);
        assert_int_equal(tlb.evictions, 0);
        tlb_fill(&tlb, 7, 7, false);
        assert_int_equal(tlb.evictions, 1);
        tlb_free(&tlb);
    }
    directory_free(&directory);
}

/* An invalidation of what is not there counts nothing; a flush counts once, entries or not. */
static void tlb_counts_only_what_happened(void **state) {
    (void)state;
    Directory directory;
    make_pages(&directory);
    Settings settings = tlb_settings(2, 0, TLB_LRU);
    Tlb tlb;
    assert_int_equal(tlb_init(&tlb, &memory_default, &directory, &settings, NULL), VMM_OK);
    assert_int_equal(tlb_reserve(&tlb, TLB_PAGES, NULL), VMM_OK);
    tlb_invalidate(&tlb, 1);
    assert_int_equal(tlb.invalidations, 0);
    tlb_flush(&tlb);
    assert_int_equal(tlb.flushes, 1);
    tlb_fill(&tlb, 1, 1, true); /* written */
    tlb_fill(&tlb, 2, 2, false);
    tlb_invalidate(&tlb, 1); /* no replacement, so no writeback */
    assert_int_equal(tlb.invalidations, 1);
    assert_int_equal(tlb.writebacks, 0);
    tlb_fill(&tlb, 3, 3, true);
    tlb_fill(&tlb, 4, 4, false); /* replaces 2, clean */
    assert_int_equal(tlb.writebacks, 0);
    tlb_fill(&tlb, 5, 5, false); /* replaces 3, written */
    assert_int_equal(tlb.writebacks, 1);
    assert_int_equal(tlb.evictions, 2);
    assert_int_equal(tlb.invalidations, 1);
    tlb_free(&tlb);
    directory_free(&directory);
}

/* tlb = off: no memory, and dropping entries is nothing. */
static void tlb_can_be_absent(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    Settings settings = {.tlb = 0, .tlb_entries = 64};
    Tlb tlb;
    assert_int_equal(tlb_init(&tlb, &memory, NULL, &settings, NULL), VMM_OK);
    assert_int_equal(tlb.entries, 0);
    assert_int_equal(account.blocks, 0);
    tlb_invalidate(&tlb, 1);
    assert_true(tlb_is_valid(&tlb));
    tlb_free(&tlb);
}

/* The largest TLB has the largest number that slot_of holds. */
static void tlb_of_65535_entries(void **state) {
    (void)state;
    Directory directory;
    assert_int_equal(directory_init(&directory, &memory_default, 36, NULL), VMM_OK);
    assert_int_equal(directory_reserve(&directory, 65537, NULL), VMM_OK);
    Settings settings = tlb_settings(65535, 0, TLB_LRU);
    Tlb tlb;
    assert_int_equal(tlb_init(&tlb, &memory_default, &directory, &settings, NULL), VMM_OK);
    assert_int_equal(tlb_reserve(&tlb, 65538, NULL), VMM_OK);
    for (uint32_t page = 1; page <= 65536; page++) {
        assert_int_equal(directory_intern(&directory, page), page);
        tlb_fill(&tlb, page, page, false);
    }
    assert_int_equal(tlb.evictions, 1);
    assert_int_equal(tlb_lookup(&tlb, 1), UINT32_MAX);
    assert_int_equal(tlb_lookup(&tlb, 65535), 65534);
    assert_int_equal(tlb_lookup(&tlb, 65536), 0);
    assert_true(tlb_is_valid(&tlb));
    tlb_free(&tlb);
    directory_free(&directory);
}

/* ---- Page tables --------------------------------------------------------------------------------
 */

static PageTable make_table(const char *name, const Memory *memory, unsigned page_shift) {
    const PageTableType *type = pagetable_parse(name, NULL);
    assert_non_null(type);
    PageTable table = {
        .type = type, .memory = memory, .vpn_bits = type->info.address_bits - page_shift};
    assert_true(type->create(&table));
    return table;
}

/* What mapping one page does: reads of a walk before it, and what exists after it. */
typedef struct MapStep {
    uint64_t vpn;
    unsigned reads_before;
    uint64_t tables;
    uint64_t bytes;
} MapStep;

static void run_steps(const char *name, unsigned shift, uint64_t root_bytes, const MapStep *steps,
                      size_t count) {
    Account account = {0};
    const Memory memory = account_memory(&account);
    PageTable table = make_table(name, &memory, shift);
    assert_int_equal(table.tables, root_bytes > 0);
    assert_int_equal(table.bytes, root_bytes);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(table.type->walk(&table, steps[i].vpn), steps[i].reads_before);
        assert_int_equal(table.type->find(&table, steps[i].vpn), DIRECTORY_NO_PAGE);
        assert_true(table.type->map(&table, steps[i].vpn, (uint32_t)i + 1));
        assert_int_equal(table.type->walk(&table, steps[i].vpn), table.type->info.levels);
        assert_int_equal(table.tables, steps[i].tables);
        assert_int_equal(table.bytes, steps[i].bytes);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(table.type->find(&table, steps[i].vpn), i + 1);
    }
    table.type->destroy(&table);
    assert_int_equal(account.bytes, 0);
    assert_int_equal(account.blocks, 0);
}

#define RUN_STEPS(name, shift, root_bytes, ...)                           \
    do {                                                                  \
        const MapStep steps_[] = __VA_ARGS__;                             \
        run_steps(name, shift, root_bytes, steps_, VMM_COUNT_OF(steps_)); \
    } while (0)

/* Pieces of 512 entries of 8 bytes; one read always. */
static void single_table_by_hand(void **state) {
    (void)state;
    RUN_STEPS("SINGLE", 12, 0,
              {{0, 1, 1, 4096},
               {511, 1, 1, 4096},
               {512, 1, 2, 8192},
               {(UINT64_C(1) << 36) - 1, 1, 3, 12288}});
    RUN_STEPS("SINGLE", 21, 0, {{0, 1, 1, 4096}, {(1 << 27) - 1, 1, 2, 8192}});
}

/* 4K: 18 + 18 bits, so nodes of 2 MiB. 2M: 14 + 13 bits. */
static void two_level_table_by_hand(void **state) {
    (void)state;
    enum { NODE = 2 << 20 };
    RUN_STEPS("TWO_LEVEL", 12, NODE,
              {{0, 1, 2, 2 * NODE},
               {(1 << 18) - 1, 2, 2, 2 * NODE},
               {1 << 18, 1, 3, 3 * NODE},
               {(UINT64_C(1) << 36) - 1, 1, 4, 4 * NODE}});
    enum { ROOT = 8 << 14, LEAF = 8 << 13 };
    RUN_STEPS("TWO_LEVEL", 21, ROOT,
              {{0, 1, 2, ROOT + LEAF},
               {(1 << 13) - 1, 2, 2, ROOT + LEAF},
               {(1 << 27) - 1, 1, 3, ROOT + 2 * LEAF}});
}

/* 4K: 12 bits a level. 2M: 9 bits a level. */
static void three_level_table_by_hand(void **state) {
    (void)state;
    enum { NODE = 8 << 12 };
    RUN_STEPS("THREE_LEVEL", 12, NODE,
              {{0, 1, 3, 3 * NODE},
               {4095, 3, 3, 3 * NODE},
               {4096, 2, 4, 4 * NODE},
               {UINT64_C(1) << 24, 1, 6, 6 * NODE}});
    RUN_STEPS("THREE_LEVEL", 21, 4096,
              {{0, 1, 3, 12288}, {512, 2, 4, 16384}, {1 << 18, 1, 6, 24576}});
}

/* 4K: x86-64's 9 bits a level. 2M: 9 + 6 + 6 + 6. */
static void four_level_table_by_hand(void **state) {
    (void)state;
    RUN_STEPS("FOUR_LEVEL", 12, 4096,
              {{0, 1, 4, 4 * 4096},
               {1, 4, 4, 4 * 4096},
               {512, 3, 5, 5 * 4096},
               {1 << 18, 2, 7, 7 * 4096},
               {1 << 27, 1, 10, 10 * 4096},
               {(UINT64_C(1) << 36) - 1, 1, 13, 13 * 4096}});
    RUN_STEPS("FOUR_LEVEL", 21, 4096,
              {{0, 1, 4, 4096 + 3 * 512},
               {63, 4, 4, 4096 + 3 * 512},
               {64, 3, 5, 4096 + 4 * 512},
               {1 << 18, 1, 8, 4096 + 7 * 512}});
}

/* 57-bit addresses. 4K: 9 bits a level. 2M: 8 + 7 + 7 + 7 + 7. */
static void five_level_table_by_hand(void **state) {
    (void)state;
    RUN_STEPS("FIVE_LEVEL", 12, 4096,
              {{0, 1, 5, 5 * 4096},
               {UINT64_C(1) << 27, 2, 8, 8 * 4096},
               {UINT64_C(1) << 36, 1, 12, 12 * 4096},
               {(UINT64_C(1) << 45) - 1, 1, 16, 16 * 4096}});
    RUN_STEPS("FIVE_LEVEL", 21, 2048,
              {{0, 1, 5, 2048 + 4 * 1024},
               {127, 5, 5, 2048 + 4 * 1024},
               {128, 4, 6, 2048 + 5 * 1024},
               {UINT64_C(1) << 28, 1, 10, 2048 + 9 * 1024}});
}

/* The largest pages leave the fewest bits, the smallest the most: both ends of every table. */
static void tables_take_every_page_size(void **state) {
    (void)state;
    const PageTableType *type;
    for (size_t i = 0; (type = pagetable_at(i)) != NULL; i++) {
        for (unsigned shift = 9; shift <= 30; shift += 7) {
            Account account = {0};
            const Memory memory = account_memory(&account);
            PageTable table = make_table(type->info.name, &memory, shift);
            uint64_t last = (UINT64_C(1) << table.vpn_bits) - 1;
            assert_true(type->map(&table, 0, 1));
            assert_true(type->map(&table, last, 2));
            assert_int_equal(type->find(&table, 0), 1);
            assert_int_equal(type->find(&table, last), 2);
            assert_int_equal(type->find(&table, last - 1), DIRECTORY_NO_PAGE);
            type->destroy(&table);
            assert_int_equal(account.bytes, 0);
        }
    }
}

enum { MAPPED_PAGES = 60 };

static void random_vpns(uint64_t *vpns) {
    Rng rng = rng_seed(5, "vpn");
    for (size_t i = 0; i < MAPPED_PAGES; i++) {
        vpns[i] = i < 30 ? i * 37 : rng_below(&rng, UINT64_C(1) << 36);
    }
    vpns[MAPPED_PAGES - 2] = UINT64_C(1) << 35;
    vpns[MAPPED_PAGES - 1] = (UINT64_C(1) << 36) - 1;
}

/* Whatever the organisation, a page that is mapped is found and one that is not, is not. */
static void tables_of_all_types_map_alike(void **state) {
    (void)state;
    uint64_t vpns[MAPPED_PAGES];
    random_vpns(vpns);
    const PageTableType *type;
    for (size_t t = 0; (type = pagetable_at(t)) != NULL; t++) {
        Account account = {0};
        const Memory memory = account_memory(&account);
        PageTable table = make_table(type->info.name, &memory, 12);
        uint32_t mapped[MAPPED_PAGES] = {0};
        Rng rng = rng_seed(6, "mapping"); /* the same for all types */
        for (int step = 0; step < 3000; step++) {
            size_t i = (size_t)rng_below(&rng, MAPPED_PAGES);
            if (rng_below(&rng, 3) == 0) {
                type->unmap(&table, vpns[i]); /* of an unmapped page too */
                mapped[i] = 0;
            } else {
                mapped[i] = (uint32_t)step + 1;
                assert_true(type->map(&table, vpns[i], mapped[i]));
            }
            size_t j = (size_t)rng_below(&rng, MAPPED_PAGES);
            assert_int_equal(type->find(&table, vpns[j]), mapped[j]);
            assert_in_range(type->walk(&table, vpns[j]), 1, type->info.levels);
            if (mapped[j] != 0 && type->mapped_reads != 0) {
                assert_int_equal(type->walk(&table, vpns[j]), type->mapped_reads);
            }
        }
        type->destroy(&table);
        assert_int_equal(account.bytes, 0);
        assert_int_equal(account.blocks, 0);
    }
}

/* Tables stay when pages go, as kernels keep them. */
static void tables_stay_after_unmap(void **state) {
    (void)state;
    const PageTableType *type;
    for (size_t t = 0; (type = pagetable_at(t)) != NULL; t++) {
        PageTable table = make_table(type->info.name, &memory_default, 12);
        assert_true(type->map(&table, 12345, 1));
        uint64_t bytes = table.bytes;
        type->unmap(&table, 12345);
        assert_int_equal(table.bytes, bytes);
        assert_int_equal(type->walk(&table, 12345), type->info.levels);
        assert_true(type->map(&table, 12345, 2));
        assert_int_equal(table.bytes, bytes);
        type->destroy(&table);
    }
}

/* Without memory a map says so, the table stays whole, and a later map works. */
static void tables_survive_lack_of_memory(void **state) {
    (void)state;
    const PageTableType *type;
    for (size_t t = 0; (type = pagetable_at(t)) != NULL; t++) {
        bool mapped = false;
        for (size_t k = 1; !mapped; k++) {
            Account account = {0};
            const Memory memory = account_memory(&account);
            PageTable table = make_table(type->info.name, &memory, 12);
            account.fail_at = account.calls + k;
            mapped = true;
            for (uint64_t i = 0; mapped && i < 20; i++) {
                mapped = type->map(&table, i << 9, 7);
            }
            account.fail_at = 0;
            assert_true(type->map(&table, 1234567, 8));
            assert_int_equal(type->find(&table, 1234567), 8);
            type->destroy(&table);
            assert_int_equal(account.bytes, 0);
        }
    }
}

/* Names match like all names; an unknown one is answered with those that exist. */
static void tables_are_found_by_name(void **state) {
    (void)state;
    Error error = {0};
    const PageTableType *type;
    for (size_t i = 0; (type = pagetable_at(i)) != NULL; i++) {
        assert_ptr_equal(pagetable_parse(type->info.name, &error), type);
        assert_true(type->info.levels >= 1 && type->info.levels <= PAGETABLE_MAX_LEVELS);
        assert_true(strlen(type->info.label) > 0 && strlen(type->info.summary) > 0);
    }
    assert_ptr_equal(pagetable_parse("four-level", &error), pagetable_parse("FOUR_LEVEL", NULL));
    assert_null(pagetable_parse("SIX_LEVEL", &error));
    assert_int_equal(error.code, VMM_E_USAGE);
    assert_non_null(strstr(error.text, "SIX_LEVEL"));
    assert_non_null(strstr(error.text, "FOUR_LEVEL"));
}

/* ---- Pool -------------------------------------------------------------------------------------
 */

/* Frames come as 0, 1, 2 ... up to the capacity; those given back come first. */
static void pool_hands_out_frames_in_order(void **state) {
    (void)state;
    Account account = {0};
    const Memory memory = account_memory(&account);
    PolicySpec spec;
    assert_int_equal(policy_parse("lru", &spec, NULL), VMM_OK);
    Policy base = {.memory = &memory, .capacity = 1000};
    Pool pool;
    assert_int_equal(pool_init(&pool, &spec, &base, NULL, NULL, NULL), VMM_OK);
    int status = VMM_OK;
    for (uint32_t i = 0; i < 1000; i++) { /* across the growth of its arrays */
        assert_int_equal(pool_take_frame(&pool, &memory, &status), i);
        pool.page[i] = i + 1;
        assert_int_equal(pool_resident(&pool), i + 1);
    }
    assert_int_equal(pool_take_frame(&pool, &memory, &status), POOL_NO_FRAME);
    assert_int_equal(status, VMM_OK); /* full is no failure */
    pool_give_back(&pool, 17);
    assert_int_equal(pool.page[17], DIRECTORY_NO_PAGE);
    assert_int_equal(pool_resident(&pool), 999);
    assert_int_equal(pool_take_frame(&pool, &memory, &status), 17);
    pool_free(&pool, &memory);
    assert_int_equal(account.bytes, 0);
}

/* A tick is due when the pool's page references reach a multiple of the period. */
static void pool_knows_when_the_tick_is_due(void **state) {
    (void)state;
    Policy policy = {.period = 10};
    Pool pool = {.policy = &policy, .references = 7};
    assert_int_equal(pool_until_tick(&pool, 100), 3);
    assert_int_equal(pool_until_tick(&pool, 2), 2);
    pool.references = 10;
    assert_int_equal(pool_until_tick(&pool, 100), 10);
    policy.period = 0;
    assert_int_equal(pool_until_tick(&pool, 100), 100);
}

/* ---- Cost -------------------------------------------------------------------------------------
 */

/* One of each event, costs that are powers of ten: every digit of the sum is one term. */
static void costs_are_products_of_counters(void **state) {
    (void)state;
    Settings settings = {.tlb = 1,
                         .cost_tlb = 1,
                         .cost_memory = 10,
                         .cost_walk_read = 100,
                         .cost_fault = 1000,
                         .cost_zero_fill = 10000,
                         .cost_swap_read = 100000,
                         .cost_store_read = 1000000,
                         .cost_swap_write = 10000000};
    VMMStats stats = {.page_references = 1,
                      .accesses = 2,
                      .walk_reads = 3,
                      .page_faults = 4,
                      .swap_ins = 6,
                      .swap_outs = 8};
    stats.faults[VMM_FAULT_zero_fill] = 5;
    stats.faults[VMM_FAULT_file_read] = 7;
    cost_fill(&stats, &settings);
    assert_int_equal(stats.stall_time_ps, 87654321);
    assert_int_equal(stats.background_time_ps, 0);
    settings.swap_write = SWAP_WRITE_BACKGROUND;
    cost_fill(&stats, &settings);
    assert_int_equal(stats.stall_time_ps, 7654321);
    assert_int_equal(stats.background_time_ps, 80000000);
    settings.tlb = 0; /* no TLB, no lookups to pay */
    cost_fill(&stats, &settings);
    assert_int_equal(stats.stall_time_ps, 7654320);
}

/* Sums beyond 64 bits stay at the largest number instead of starting again. */
static void costs_saturate(void **state) {
    (void)state;
    Settings settings = {.cost_memory = UINT64_C(1000000000000000),
                         .swap_write = 1,
                         .cost_swap_write = UINT64_C(1000000000000000)};
    VMMStats stats = {.accesses = UINT64_C(1) << 60, .swap_outs = UINT64_C(1) << 60};
    cost_fill(&stats, &settings);
    assert_true(stats.stall_time_ps == UINT64_MAX);
    assert_true(stats.background_time_ps == UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recency_is_a_list),
        cmocka_unit_test(recency_survives_the_touch_that_fills_the_log),
        cmocka_unit_test(recency_refuses_too_many_items),
        cmocka_unit_test(directory_numbers_pages_in_order),
        cmocka_unit_test(directory_does_not_find_the_unknown),
        cmocka_unit_test(directory_numbers_many_processes),
        cmocka_unit_test(directory_keys_hold_what_they_promise),
        cmocka_unit_test(swap_slots_are_limited_and_reused),
        cmocka_unit_test(swap_never_gives_a_slot_twice),
        cmocka_unit_test(swap_without_limit_grows),
        cmocka_unit_test(tlb_lru_is_a_table_by_last_use),
        cmocka_unit_test(tlb_fifo_is_a_table_by_fill),
        cmocka_unit_test(tlb_random_draws_a_way),
        cmocka_unit_test(tlb_lfu_is_a_table_by_count),
        cmocka_unit_test(tlb_fills_holes_lowest_first),
        cmocka_unit_test(tlb_counts_only_what_happened),
        cmocka_unit_test(tlb_can_be_absent),
        cmocka_unit_test(tlb_of_65535_entries),
        cmocka_unit_test(single_table_by_hand),
        cmocka_unit_test(two_level_table_by_hand),
        cmocka_unit_test(three_level_table_by_hand),
        cmocka_unit_test(four_level_table_by_hand),
        cmocka_unit_test(five_level_table_by_hand),
        cmocka_unit_test(tables_take_every_page_size),
        cmocka_unit_test(tables_of_all_types_map_alike),
        cmocka_unit_test(tables_stay_after_unmap),
        cmocka_unit_test(tables_survive_lack_of_memory),
        cmocka_unit_test(tables_are_found_by_name),
        cmocka_unit_test(pool_hands_out_frames_in_order),
        cmocka_unit_test(pool_knows_when_the_tick_is_due),
        cmocka_unit_test(costs_are_products_of_counters),
        cmocka_unit_test(costs_saturate),
    };
    return cmocka_run_group_tests_name("mm", tests, NULL, NULL);
}
