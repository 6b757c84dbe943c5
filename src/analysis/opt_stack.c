/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OPT stack: see opt_stack.h.
 *
 * Two chunks side by side hold together more than half of what one can, else they become one; so
 * there are at most 4 / OPT_CHUNK times as many chunks as pages, and two more. Places in the list
 * are told by the place of the chunk in the order and the index in it; a Cursor follows its element
 * while chunks are cut and joined.
 */
#include "opt_stack.h"

#include <string.h>

#define OPT_NO_CHUNK UINT32_MAX

enum { OPT_SKIP = 16 }; /* chunks that are passed over together */

typedef struct Cursor {
    uint32_t chunk; /* the number of the chunk, not its place */
    uint32_t index;
} Cursor;

static size_t optlist_bit_words(uint32_t capacity) {
    return capacity / 64 + 1;
}

void opt_stack_free(OptStack *stack, const Memory *memory) {
    memory_free(memory, stack->chunks, stack->capacity, sizeof *stack->chunks);
    memory_free(memory, stack->where, stack->capacity, sizeof *stack->where);
    memory_free(memory, stack->order, stack->capacity, sizeof *stack->order);
    memory_free(memory, stack->sizes, stack->capacity, sizeof *stack->sizes);
    memory_free(memory, stack->most, stack->capacity, sizeof *stack->most);
    memory_free(memory, stack->falls, stack->capacity, sizeof *stack->falls);
    memory_free(memory, stack->descents, optlist_bit_words(stack->capacity), sizeof(uint64_t));
    *stack = (OptStack){0};
}

int opt_stack_reserve(OptStack *stack, const Memory *memory, uint64_t count, Error *error) {
    uint64_t least = count * 4 / OPT_CHUNK + 4;
    if (least <= stack->capacity) {
        return VMM_OK;
    }
    uint64_t wanted = least + least / 2 + 4;
    if (wanted > UINT32_MAX / 2) {
        return error_set(error, VMM_E_LIMIT, "%llu pages are too many for a curve",
                         (unsigned long long)count);
    }
    OptStack grown = *stack;
    grown.capacity = (uint32_t)wanted;
    grown.chunks = memory_zalloc(memory, wanted, sizeof *grown.chunks);
    grown.where = memory_zalloc(memory, wanted, sizeof *grown.where);
    grown.order = memory_zalloc(memory, wanted, sizeof *grown.order);
    grown.sizes = memory_zalloc(memory, wanted, sizeof *grown.sizes);
    grown.most = memory_zalloc(memory, wanted, sizeof *grown.most);
    grown.falls = memory_zalloc(memory, wanted, sizeof *grown.falls);
    grown.descents = memory_zalloc(memory, optlist_bit_words(grown.capacity), sizeof(uint64_t));
    if (grown.chunks == NULL || grown.where == NULL || grown.order == NULL || grown.sizes == NULL ||
        grown.most == NULL || grown.falls == NULL || grown.descents == NULL) {
        opt_stack_free(&grown, memory);
        return error_no_memory(error, wanted * sizeof *grown.chunks, "an OPT stack");
    }
    if (stack->capacity == 0) {
        grown.free = OPT_NO_CHUNK;
    } else {
        memcpy(grown.chunks, stack->chunks, stack->made * sizeof *grown.chunks);
        memcpy(grown.where, stack->where, stack->made * sizeof *grown.where);
        memcpy(grown.order, stack->order, stack->used * sizeof *grown.order);
        memcpy(grown.sizes, stack->sizes, stack->used * sizeof *grown.sizes);
        memcpy(grown.most, stack->most, stack->used * sizeof *grown.most);
        memcpy(grown.falls, stack->falls, stack->used * sizeof *grown.falls);
        memcpy(grown.descents, stack->descents,
               optlist_bit_words(stack->capacity) * sizeof(uint64_t));
    }
    opt_stack_free(stack, memory);
    *stack = grown;
    return VMM_OK;
}

/* ---- What is known of chunks ---------------------------------------------------------------- */

static inline OptChunk *optlist_at(const OptStack *stack, uint32_t place) {
    return &stack->chunks[stack->order[place]];
}

/* The greatest of some keys; below 0 in *falls: one is followed by a smaller one. */
VMM_ALWAYS_INLINE int64_t optlist_greatest(const int64_t *keys, uint32_t size, int64_t *falls) {
    int64_t most = keys[size - 1];
    int64_t sum = 0;
    for (uint32_t i = 0; i + 1 < size; i++) {
        most = keys[i] > most ? keys[i] : most;
        sum |= keys[i + 1] - keys[i]; /* keys are not negative: no overflow */
    }
    *falls = sum;
    return most;
}

static int64_t optlist_greatest_plain(const int64_t *keys, uint32_t size, int64_t *falls) {
    return optlist_greatest(keys, size, falls);
}

VMM_WIDE VMM_VECTORISED static int64_t optlist_greatest_wide(const int64_t *keys, uint32_t size,
                                                             int64_t *falls) {
    return optlist_greatest(keys, size, falls);
}

/* The descent bit of a chunk whose own keys are noted. */
static void optlist_note_border(OptStack *stack, uint32_t place) {
    bool descends = stack->falls[place];
    if (place + 1 < stack->used) {
        int64_t last = optlist_at(stack, place)->keys[stack->sizes[place] - 1];
        descends |= optlist_at(stack, place + 1)->keys[0] < last;
    }
    uint64_t bit = UINT64_C(1) << (place & 63);
    uint64_t *word = &stack->descents[place / 64];
    *word = descends ? *word | bit : *word & ~bit;
}

/* The keys of the chunk at a place have changed, but not the first one. */
static void optlist_note(OptStack *stack, uint32_t place) {
    const int64_t *keys = optlist_at(stack, place)->keys;
    uint32_t size = stack->sizes[place];
    int64_t falls;
    stack->most[place] = vmm_is_wide() ? optlist_greatest_wide(keys, size, &falls)
                                       : optlist_greatest_plain(keys, size, &falls);
    stack->falls[place] = falls < 0;
    optlist_note_border(stack, place);
}

/* The keys have changed, the first one too. */
static void optlist_note_first(OptStack *stack, uint32_t place) {
    optlist_note(stack, place);
    if (place > 0) {
        optlist_note_border(stack, place - 1);
    }
}

/* ---- Chunks in the order -------------------------------------------------------------------- */

/* From `place` on all chunks have other places, and what is known of them has moved. */
static void optlist_reorder(OptStack *stack, uint32_t place) {
    for (uint32_t i = place; i < stack->used; i++) {
        stack->where[stack->order[i]] = i;
    }
}

/* Moves the bits of places from `place` on by one, up or down. */
static void optlist_shift_bits(OptStack *stack, uint32_t place, bool up) {
    uint64_t *words = stack->descents;
    uint32_t first = place / 64;
    uint32_t last = stack->used / 64;
    uint64_t below = (UINT64_C(1) << (place & 63)) - 1; /* that stay */
    if (up) {
        for (uint32_t i = last; i > first; i--) {
            words[i] = words[i] << 1 | words[i - 1] >> 63;
        }
        words[first] = (words[first] & below) | (words[first] & ~below) << 1;
        return;
    }
    uint64_t kept = words[first] & below;
    for (uint32_t i = first; i <= last; i++) {
        words[i] = words[i] >> 1 | (i < last ? words[i + 1] << 63 : 0);
    }
    words[first] = (words[first] & ~below) | kept;
}

/* An empty chunk behind the one at `place`; or the first of all, if there is none. */
static void optlist_add_chunk(OptStack *stack, uint32_t place) {
    uint32_t chunk = stack->free;
    if (chunk != OPT_NO_CHUNK) {
        stack->free = stack->where[chunk];
    } else {
        chunk = stack->made++;
    }
    size_t behind = stack->used - place;
    memmove(stack->order + place + 1, stack->order + place, behind * sizeof *stack->order);
    memmove(stack->sizes + place + 1, stack->sizes + place, behind * sizeof *stack->sizes);
    memmove(stack->most + place + 1, stack->most + place, behind * sizeof *stack->most);
    memmove(stack->falls + place + 1, stack->falls + place, behind * sizeof *stack->falls);
    optlist_shift_bits(stack, place, true);
    stack->order[place] = chunk;
    stack->sizes[place] = 0;
    stack->used++;
    optlist_reorder(stack, place);
}

static void optlist_drop_chunk(OptStack *stack, uint32_t place) {
    uint32_t chunk = stack->order[place];
    size_t behind = stack->used - place - 1;
    memmove(stack->order + place, stack->order + place + 1, behind * sizeof *stack->order);
    memmove(stack->sizes + place, stack->sizes + place + 1, behind * sizeof *stack->sizes);
    memmove(stack->most + place, stack->most + place + 1, behind * sizeof *stack->most);
    memmove(stack->falls + place, stack->falls + place + 1, behind * sizeof *stack->falls);
    optlist_shift_bits(stack, place, false);
    stack->used--;
    optlist_reorder(stack, place);
    stack->where[chunk] = stack->free;
    stack->free = chunk;
}

/* Moves the elements from `from` on of the chunk at `place` to the end of another. */
static void optlist_move_elements(OptStack *stack, StackPage *pages, uint32_t place, uint32_t from,
                                  uint32_t to, Cursor *cursor) {
    const OptChunk *source = optlist_at(stack, place);
    OptChunk *target = optlist_at(stack, to);
    uint32_t chunk = stack->order[to];
    uint32_t size = stack->sizes[to];
    uint32_t count = stack->sizes[place] - from;
    memcpy(target->keys + size, source->keys + from, count * sizeof *target->keys);
    memcpy(target->pages + size, source->pages + from, count * sizeof *target->pages);
    for (uint32_t i = size; i < size + count; i++) {
        if (target->pages[i] != 0) {
            pages[target->pages[i]].place = chunk;
        }
    }
    if (cursor->chunk == stack->order[place] && cursor->index >= from) {
        *cursor = (Cursor){chunk, cursor->index - from + size};
    }
    stack->sizes[to] += count;
    stack->sizes[place] = from;
}

/* Makes the chunk of the cursor two, if it is full. */
static void optlist_make_room(OptStack *stack, StackPage *pages, Cursor *cursor) {
    uint32_t place = stack->where[cursor->chunk];
    if (stack->sizes[place] == OPT_CHUNK) {
        optlist_add_chunk(stack, place + 1);
        optlist_move_elements(stack, pages, place, OPT_CHUNK / 2, place + 1, cursor);
        optlist_note(stack, place + 1);
        optlist_note(stack, place);
    }
}

/* Joins the chunk at `place` and the next one, if they are small. */
static void optlist_join(OptStack *stack, StackPage *pages, uint32_t place, Cursor *cursor) {
    if (place + 1 < stack->used && stack->sizes[place] + stack->sizes[place + 1] <= OPT_CHUNK / 2) {
        optlist_move_elements(stack, pages, place + 1, 0, place, cursor);
        optlist_drop_chunk(stack, place + 1);
        optlist_note_first(stack, place);
    }
}

/* ---- Elements ------------------------------------------------------------------------------- */

/* Puts an element before the cursor's, which it still follows. */
static void optlist_insert(OptStack *stack, StackPage *pages, Cursor *cursor, int64_t key,
                           uint32_t page) {
    optlist_make_room(stack, pages, cursor);
    OptChunk *chunk = &stack->chunks[cursor->chunk];
    uint32_t index = cursor->index++;
    size_t behind = stack->sizes[stack->where[cursor->chunk]]++ - index;
    memmove(chunk->keys + index + 1, chunk->keys + index, behind * sizeof *chunk->keys);
    memmove(chunk->pages + index + 1, chunk->pages + index, behind * sizeof *chunk->pages);
    chunk->keys[index] = key;
    chunk->pages[index] = page;
    if (page != 0) {
        pages[page].place = cursor->chunk;
    }
    optlist_note_first(stack, stack->where[cursor->chunk]);
}

/* Takes an element out; the cursor follows its own, which is another one. */
static void optlist_remove(OptStack *stack, StackPage *pages, Cursor element, Cursor *cursor) {
    OptChunk *chunk = &stack->chunks[element.chunk];
    uint32_t place = stack->where[element.chunk];
    size_t behind = --stack->sizes[place] - element.index;
    memmove(chunk->keys + element.index, chunk->keys + element.index + 1,
            behind * sizeof *chunk->keys);
    memmove(chunk->pages + element.index, chunk->pages + element.index + 1,
            behind * sizeof *chunk->pages);
    cursor->index -= cursor->chunk == element.chunk && cursor->index > element.index;
    if (stack->sizes[place] == 0) {
        optlist_drop_chunk(stack, place);
        if (place > 0) {
            optlist_note_border(stack, place - 1);
            optlist_join(stack, pages, place - 1, cursor);
        }
        return;
    }
    optlist_note_first(stack, place);
    optlist_join(stack, pages, place, cursor);
    if (place > 0) {
        optlist_join(stack, pages, place - 1, cursor);
    }
}

/* Where a page is. */
static Cursor optlist_find(const OptStack *stack, const StackPage *pages, uint32_t page) {
    uint32_t chunk = pages[page].place;
    uint32_t index = 0;
    while (stack->chunks[chunk].pages[index] != page) {
        index++;
    }
    return (Cursor){chunk, index};
}

VMM_ALWAYS_INLINE uint32_t optlist_sum(const uint32_t *sizes, uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += sizes[i];
    }
    return sum;
}

static uint32_t optlist_sum_plain(const uint32_t *sizes, uint32_t count) {
    return optlist_sum(sizes, count);
}

VMM_WIDE VMM_VECTORISED static uint32_t optlist_sum_wide(const uint32_t *sizes, uint32_t count) {
    return optlist_sum(sizes, count);
}

static uint32_t optlist_depth(const OptStack *stack, Cursor cursor) {
    uint32_t before = stack->where[cursor.chunk];
    uint32_t sum = vmm_is_wide() ? optlist_sum_wide(stack->sizes, before)
                                 : optlist_sum_plain(stack->sizes, before);
    return sum + cursor.index + 1;
}

/* The next place of a chunk with a descent; there is one, since the referenced page has one. */
static uint32_t optlist_next_descent(const OptStack *stack, uint32_t place) {
    uint64_t word = stack->descents[place / 64] & UINT64_MAX << (place & 63);
    uint32_t i = place / 64;
    uint32_t last = stack->used / 64;
    while (word == 0 && i < last) {
        word = stack->descents[++i];
    }
    return word == 0 ? stack->used : i * 64 + (uint32_t)__builtin_ctzll(word);
}

/* Moves the cursor on to the first element that is followed by a smaller one. False: there is none.
 */
static bool optlist_seek_descent(const OptStack *stack, Cursor *cursor) {
    uint32_t place = stack->where[cursor->chunk];
    uint32_t index = cursor->index;
    for (uint32_t next; (next = optlist_next_descent(stack, place)) < stack->used;) {
        index = next == place ? index : 0;
        place = next;
        const int64_t *keys = optlist_at(stack, place)->keys;
        uint32_t size = stack->sizes[place];
        for (; index + 1 < size; index++) {
            if (keys[index + 1] < keys[index]) {
                *cursor = (Cursor){stack->order[place], index};
                return true;
            }
        }
        if (place + 1 < stack->used && optlist_at(stack, place + 1)->keys[0] < keys[size - 1]) {
            *cursor = (Cursor){stack->order[place], size - 1};
            return true;
        }
        place++;
        index = 0;
    }
    return false;
}

/* The first chunk from `place` on whose greatest key is greater; there is one. */
VMM_ALWAYS_INLINE uint32_t optlist_skip(const int64_t *most, uint32_t place, uint32_t used,
                                        int64_t key) {
    for (; place + OPT_SKIP <= used; place += OPT_SKIP) {
        int64_t less = -1; /* stays so as long as none is greater */
        for (uint32_t i = 0; i < OPT_SKIP; i++) {
            less &= most[place + i] - key - 1;
        }
        if (less >= 0) {
            break;
        }
    }
    while (most[place] <= key) {
        place++;
    }
    return place;
}

static uint32_t optlist_skip_plain(const int64_t *most, uint32_t place, uint32_t used,
                                   int64_t key) {
    return optlist_skip(most, place, used, key);
}

VMM_WIDE VMM_VECTORISED static uint32_t optlist_skip_wide(const int64_t *most, uint32_t place,
                                                          uint32_t used, int64_t key) {
    return optlist_skip(most, place, used, key);
}

/* The first element behind the cursor with a greater key; there is one, the referenced page. */
static Cursor optlist_seek_greater(const OptStack *stack, Cursor cursor) {
    uint32_t place = stack->where[cursor.chunk];
    int64_t key = stack->chunks[cursor.chunk].keys[cursor.index];
    uint32_t index = cursor.index + 1;
    const int64_t *keys = optlist_at(stack, place)->keys;
    while (index < stack->sizes[place] && keys[index] <= key) {
        index++;
    }
    if (index == stack->sizes[place]) {
        place = vmm_is_wide() ? optlist_skip_wide(stack->most, place + 1, stack->used, key)
                              : optlist_skip_plain(stack->most, place + 1, stack->used, key);
        keys = optlist_at(stack, place)->keys;
        for (index = 0; keys[index] <= key; index++) {}
    }
    return (Cursor){stack->order[place], index};
}

/* Takes the element at `from` to just before the cursor's, of the same chunk. */
static void optlist_turn(OptStack *stack, Cursor from, uint32_t to) {
    OptChunk *chunk = &stack->chunks[from.chunk];
    int64_t key = chunk->keys[from.index];
    uint32_t page = chunk->pages[from.index];
    size_t between = to - 1 - from.index;
    memmove(chunk->keys + from.index, chunk->keys + from.index + 1, between * sizeof key);
    memmove(chunk->pages + from.index, chunk->pages + from.index + 1, between * sizeof page);
    chunk->keys[to - 1] = key;
    chunk->pages[to - 1] = page;
    optlist_note_first(stack, stack->where[from.chunk]);
}

/* All pieces above the referenced page: the first of each goes to its end. */
static void optlist_turn_pieces(OptStack *stack, StackPage *pages, uint32_t page) {
    Cursor at = {stack->order[0], 0};
    while (optlist_seek_descent(stack, &at)) {
        const OptChunk *chunk = &stack->chunks[at.chunk];
        if (chunk->pages[at.index] == page) {
            return;
        }
        Cursor end = optlist_seek_greater(stack, at);
        if (end.chunk == at.chunk) {
            optlist_turn(stack, at, end.index);
        } else {
            int64_t key = chunk->keys[at.index];
            uint32_t moved = chunk->pages[at.index];
            optlist_remove(stack, pages, at, &end);
            optlist_insert(stack, pages, &end, key, moved);
        }
        at = end;
    }
}

/* The page at the end of the list, with the greatest key of all. */
static void optlist_append(OptStack *stack, StackPage *pages, uint32_t page) {
    if (stack->used == 0) {
        optlist_add_chunk(stack, 0);
    }
    Cursor end = {stack->order[stack->used - 1], stack->sizes[stack->used - 1]};
    optlist_insert(stack, pages, &end, OPT_LIMIT, page);
}

/* A page that comes new fills the hole that is now last, if one is. */
static void optlist_fill_hole(OptStack *stack, StackPage *pages) {
    uint32_t last = stack->used - 1;
    Cursor end = {stack->order[last], stack->sizes[last] - 1};
    Cursor none = {OPT_NO_CHUNK, 0};
    if (stack->chunks[end.chunk].keys[end.index] == OPT_HOLE) {
        optlist_remove(stack, pages, end, &none);
    }
}

/* A page of the first chunk: depth by depth, as the definition has it. */
static uint32_t optlist_touch_near(OptStack *stack, Cursor at, uint32_t page, int64_t new_key) {
    OptChunk *chunk = &stack->chunks[at.chunk];
    int64_t key = chunk->keys[0];
    uint32_t carried = chunk->pages[0];
    chunk->keys[0] = new_key;
    chunk->pages[0] = page;
    for (uint32_t i = 1; i < at.index; i++) {
        if (chunk->keys[i] > key) {
            int64_t next_key = chunk->keys[i];
            uint32_t next = chunk->pages[i];
            chunk->keys[i] = key;
            chunk->pages[i] = carried;
            key = next_key;
            carried = next;
        }
    }
    if (at.index > 0) {
        chunk->keys[at.index] = key;
        chunk->pages[at.index] = carried;
    }
    optlist_note(stack, 0);
    return at.index + 1;
}

/* The first chunk has room for the page on top; there is one, even if the list is empty. */
static void optlist_put_on_top(OptStack *stack, StackPage *pages, uint32_t page, int64_t key) {
    if (stack->used == 0) {
        optlist_add_chunk(stack, 0);
    }
    Cursor top = {stack->order[0], 0};
    optlist_insert(stack, pages, &top, key, page);
}

uint32_t opt_stack_touch(OptStack *stack, StackPage *pages, uint32_t page, int64_t new_key) {
    Cursor none = {OPT_NO_CHUNK, 0};
    uint32_t depth = 0;
    if (pages[page].place == STACK_NOWHERE) {
        optlist_append(stack, pages, page);
    } else {
        Cursor at = optlist_find(stack, pages, page);
        if (at.chunk == stack->order[0]) {
            return optlist_touch_near(stack, at, page, new_key);
        }
        depth = optlist_depth(stack, at);
        stack->chunks[at.chunk].keys[at.index] = OPT_LIMIT;
        optlist_note_first(stack, stack->where[at.chunk]);
    }
    optlist_turn_pieces(stack, pages, page);
    optlist_remove(stack, pages, optlist_find(stack, pages, page), &none);
    if (depth == 0 && stack->used > 0) {
        optlist_fill_hole(stack, pages);
    }
    optlist_put_on_top(stack, pages, page, new_key);
    return depth;
}

uint32_t opt_stack_depth(const OptStack *stack, const StackPage *pages, uint32_t page) {
    return optlist_depth(stack, optlist_find(stack, pages, page));
}

uint32_t opt_stack_make_hole(OptStack *stack, const StackPage *pages, uint32_t page) {
    Cursor at = optlist_find(stack, pages, page);
    stack->chunks[at.chunk].keys[at.index] = OPT_HOLE;
    stack->chunks[at.chunk].pages[at.index] = 0;
    optlist_note_first(stack, stack->where[at.chunk]);
    return optlist_depth(stack, at);
}

void opt_stack_each(const OptStack *stack, OptVisit *visit, void *user) {
    uint32_t depth = 0;
    for (uint32_t place = 0; place < stack->used; place++) {
        const OptChunk *chunk = optlist_at(stack, place);
        for (uint32_t i = 0; i < stack->sizes[place]; i++) {
            depth++;
            if (chunk->pages[i] != 0) {
                visit(user, chunk->pages[i], depth);
            }
        }
    }
}
