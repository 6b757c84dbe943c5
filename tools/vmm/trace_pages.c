/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm trace info: the set of pages, and the footprint over time.
 *
 * The set is a hash table with open addressing. A page remembers the window of the lowest level in
 * which it was seen last. When it is seen in a later one, it is new in that window, in the window
 * of twice the length that holds it, unless that holds the earlier one too, and so on: so the
 * counts of all levels are exact, and levels with too many windows can be given up as time goes by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace_cmd.h"

enum { PAGES_FIRST_BITS = 12, PAGES_SHOWN = 64, PAGES_ROWS = 8 };

void tracecmd_pages_init(TracePages *pages) {
    pages->bits = PAGES_FIRST_BITS;
    pages->table = cli_alloc((size_t)1 << pages->bits, sizeof *pages->table);
}

void tracecmd_pages_free(TracePages *pages) {
    free(pages->table);
    pages->table = NULL;
}

/* The place of a page in the table, or the empty one where it would be. */
static size_t pages_place(const TracePages *pages, uint32_t process, uint64_t vpn) {
    size_t mask = ((size_t)1 << pages->bits) - 1;
    uint64_t hash = (vpn ^ (uint64_t)process << 44) * UINT64_C(0x9E3779B97F4A7C15);
    size_t place = (size_t)(hash >> (64 - pages->bits));
    while (pages->table[place].window != 0 &&
           (pages->table[place].vpn != vpn || pages->table[place].process != process)) {
        place = (place + 1) & mask;
    }
    return place;
}

static void pages_grow(TracePages *pages) {
    TracePage *old = pages->table;
    size_t old_places = (size_t)1 << pages->bits;
    pages->bits++;
    pages->table = cli_alloc((size_t)1 << pages->bits, sizeof *pages->table);
    for (size_t i = 0; i < old_places; i++) {
        if (old[i].window != 0) {
            pages->table[pages_place(pages, old[i].process, old[i].vpn)] = old[i];
        }
    }
    free(old);
}

/* A page is seen in a window, from 1, and was so in `before` last; 0: never. */
static void pages_see(TracePages *pages, uint64_t window, uint64_t before) {
    while ((window - 1) >> pages->lowest >= TRACE_WINDOWS) {
        pages->lowest++;
    }
    for (unsigned level = pages->lowest; level < TRACE_LEVELS; level++) {
        uint64_t place = (window - 1) >> level;
        if (before != 0 && (before - 1) >> level == place) {
            break;
        }
        pages->touched[level][place]++;
        pages->fresh[level][place] += before == 0;
    }
}

/* Sees a page in all windows from `window` to `last`. */
static void pages_see_all(TracePages *pages, TracePage *page, uint64_t window, uint64_t last) {
    if (page->window != 0 && (page->window - 1) >> pages->lowest == (last - 1) >> pages->lowest) {
        page->window = last;
        return;
    }
    while (window <= last) {
        if (page->window != window) {
            pages_see(pages, window, page->window);
            page->window = window;
        }
        window = ((((window - 1) >> pages->lowest) + 1) << pages->lowest) + 1;
    }
    page->window = last;
}

bool tracecmd_pages_touch(TracePages *pages, uint32_t process, uint64_t vpn, unsigned ops,
                          uint64_t references, uint32_t *place) {
    uint64_t window = (pages->references >> TRACE_WINDOW_SHIFT) + 1;
    uint64_t last_window = ((pages->references + references - 1) >> TRACE_WINDOW_SHIFT) + 1;
    TracePage *page = &pages->table[*place];
    if (page->window == 0 || page->vpn != vpn || page->process != process) {
        *place = (uint32_t)pages_place(pages, process, vpn);
        page = &pages->table[*place];
    }
    bool fresh = page->window == 0;
    if (page->window != last_window) {
        pages_see_all(pages, page, window, last_window);
    }
    if (fresh) {
        page->vpn = vpn;
        page->process = process;
    }
    page->ops |= (uint8_t)ops;
    if (fresh && ++pages->count > ((size_t)1 << pages->bits) / 2) {
        pages_grow(pages);
    }
    return fresh;
}

size_t tracecmd_pages_windows(const TracePages *pages, unsigned level) {
    uint64_t last = pages->references > 0 ? pages->references - 1 : 0;
    return (size_t)((last >> TRACE_WINDOW_SHIFT) >> level) + 1;
}

unsigned tracecmd_pages_level(const TracePages *pages) {
    unsigned level = pages->lowest;
    while (tracecmd_pages_windows(pages, level) > PAGES_SHOWN) {
        level++;
    }
    return level;
}

/* ---- The picture ---------------------------------------------------------------------------- */

bool tracecmd_is_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

/* One place of a bar: how much of this row it fills, in eighths. */
static void pages_print_cell(unsigned eighths, bool utf8) {
    if (eighths == 0) {
        putchar(' ');
    } else if (utf8) {
        /* U+2581 to U+2588: one to eight eighths of a block */
        printf("\xe2\x96%c", (char)(0x80 + eighths));
    } else {
        putchar(eighths >= 4 ? '#' : '.');
    }
}

void tracecmd_print_picture(const uint32_t *values, size_t count) {
    bool utf8 = tracecmd_is_utf8();
    uint32_t most = 1;
    for (size_t i = 0; i < count; i++) {
        most = values[i] > most ? values[i] : most;
    }
    for (unsigned row = PAGES_ROWS; row-- > 0;) {
        if (row == PAGES_ROWS - 1) {
            printf("  %10u |", most);
        } else {
            printf("  %10s |", "");
        }
        for (size_t i = 0; i < count; i++) {
            uint64_t eighths = ((uint64_t)values[i] * PAGES_ROWS * 8 + most - 1) / most;
            uint64_t below = (uint64_t)row * 8;
            pages_print_cell(eighths <= below      ? 0
                             : eighths - below > 8 ? 8
                                                   : (unsigned)(eighths - below),
                             utf8);
        }
        putchar('\n');
    }
    printf("  %10s +", "0");
    for (size_t i = 0; i < count; i++) {
        putchar('-');
    }
    putchar('\n');
}
