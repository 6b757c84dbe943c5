/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doubly linked lists of numbers, for queues of frames and for ghost lists of pages.
 *
 * A list keeps items, frame numbers or page numbers, in order of entry. The links are the first
 * member of whatever the policy keeps for an item; a list itself is two ends and a count:
 *
 *     List {oldest = 3, youngest = 7, count = 3}
 *
 *     items   |   3   |   5   |   7   |               oldest <- 3 <-> 5 <-> 7 -> youngest
 *     older   | NONE  |   3   |   5   |
 *     younger |   5   |   7   | NONE  |
 *
 * All steps take constant time and no memory. One array of links can serve several lists as long as
 * an item is in one of them at a time: which one is the policy's to know.
 *
 *     typedef struct QueuePage {
 *         ListLink link;
 *         uint8_t queue;
 *     } QueuePage;
 *
 *     list_append(&queue->small, LIST_LINKS(queue->pages), frame);           by frame
 *     list_append(&queue->ghosts, LIST_LINKS(ghosts), page);                 by page
 *
 * GHOSTS. Elements of page_state are zero at first, pages are numbered from 1, and a removed item's
 * links become 0: so list_has() tells whether a page is in a list, at no further cost. (Of frames
 * it cannot tell.) Take policy->page_state anew in every hook, for it moves. A policy that serves
 * pools of several processes shares page_state with its twins, so the ends belong to its struct.
 *
 * For pure orders of frames by last touch recency.h is cheaper: a touch there relinks nothing.
 */
#ifndef VMM_MM_POLICY_LISTS_H
#define VMM_MM_POLICY_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../base/compiler.h"

#define LIST_NONE UINT32_MAX

typedef struct ListLink {
    uint32_t older, younger; /* LIST_NONE: it is at that end */
} ListLink;

typedef struct List {
    uint32_t oldest, youngest; /* LIST_NONE: the list is empty */
    uint32_t count;
} List;

/* Where the links of items are: in elements of `stride` bytes, at their beginning. */
typedef struct ListLinks {
    void *first;
    size_t stride;
} ListLinks;

#define LIST_EMPTY ((List){LIST_NONE, LIST_NONE, 0})
/* `array` points to ListLinks, or to structs that begin with one. */
#define LIST_LINKS(array) ((ListLinks){(array), sizeof *(array)})

VMM_ALWAYS_INLINE ListLink *list_link(ListLinks links, uint32_t item) {
    return (ListLink *)(void *)((unsigned char *)links.first + links.stride * item);
}

/* Of an item of page_state: whether it is in a list. */
VMM_ALWAYS_INLINE bool list_has(ListLinks links, uint32_t item) {
    return list_link(links, item)->older != 0;
}

/* Makes `item`, which is in no list, the youngest. */
VMM_ALWAYS_INLINE void list_append(List *list, ListLinks links, uint32_t item) {
    uint32_t older = list->youngest;
    *list_link(links, item) = (ListLink){older, LIST_NONE};
    *(older == LIST_NONE ? &list->oldest : &list_link(links, older)->younger) = item;
    list->youngest = item;
    list->count++;
}

/* Makes `item`, which is in no list, the oldest. */
VMM_ALWAYS_INLINE void list_prepend(List *list, ListLinks links, uint32_t item) {
    uint32_t younger = list->oldest;
    *list_link(links, item) = (ListLink){LIST_NONE, younger};
    *(younger == LIST_NONE ? &list->youngest : &list_link(links, younger)->older) = item;
    list->oldest = item;
    list->count++;
}

/* Takes `item` out of the list it is in. */
VMM_ALWAYS_INLINE void list_remove(List *list, ListLinks links, uint32_t item) {
    ListLink *link = list_link(links, item);
    ListLink gone = *link;
    *(gone.older == LIST_NONE ? &list->oldest : &list_link(links, gone.older)->younger) =
        gone.younger;
    *(gone.younger == LIST_NONE ? &list->youngest : &list_link(links, gone.younger)->older) =
        gone.older;
    *link = (ListLink){0, 0};
    list->count--;
}

/* Makes an item of the list its youngest. */
VMM_ALWAYS_INLINE void list_renew(List *list, ListLinks links, uint32_t item) {
    if (item != list->youngest) {
        list_remove(list, links, item);
        list_append(list, links, item);
    }
}

/* The next item towards the young end; LIST_NONE after the youngest. */
VMM_ALWAYS_INLINE uint32_t list_younger(ListLinks links, uint32_t item) {
    return list_link(links, item)->younger;
}

/* The next item towards the old end; LIST_NONE before the oldest. */
VMM_ALWAYS_INLINE uint32_t list_older(ListLinks links, uint32_t item) {
    return list_link(links, item)->older;
}

/* Takes the oldest item out and returns it; LIST_NONE: the list is empty. */
VMM_ALWAYS_INLINE uint32_t list_take_oldest(List *list, ListLinks links) {
    uint32_t item = list->oldest;
    if (item != LIST_NONE) {
        list_remove(list, links, item);
        if (list->oldest != LIST_NONE) { /* it is likely to be asked for soon */
            VMM_PREFETCH(list_link(links, list->oldest));
        }
    }
    return item;
}

/* Writes the items from oldest to youngest behind `items`; returns how many. */
static inline VMM_UNUSED uint32_t list_write(const List *list, ListLinks links, uint32_t *items) {
    uint32_t count = 0;
    for (uint32_t item = list->oldest; item != LIST_NONE; item = list_younger(links, item)) {
        items[count++] = item;
    }
    return count;
}

/* The links lead from end to end both ways, over as many items as are counted. */
static inline VMM_UNUSED bool list_is_valid(const List *list, ListLinks links) {
    uint32_t count = 0;
    uint32_t older = LIST_NONE;
    uint32_t item = list->oldest;
    for (; item != LIST_NONE && count <= list->count; item = list_younger(links, item)) {
        if (list_older(links, item) != older) {
            return false;
        }
        older = item;
        count++;
    }
    return item == LIST_NONE && older == list->youngest && count == list->count;
}

/* ---- Ghosts: a list of pages of bounded length ---------------------------------------------- */

/*
 * Remembers `page`, which is in no list, as the youngest of a ghost list of at most `limit` pages;
 * a full one drops its oldest first. Returns the dropped page, or LIST_NONE.
 */
VMM_ALWAYS_INLINE uint32_t ghost_remember(List *ghosts, ListLinks links, uint32_t page,
                                          uint32_t limit) {
    uint32_t dropped = LIST_NONE;
    if (limit == 0) {
        return dropped;
    }
    if (ghosts->count >= limit) {
        dropped = list_take_oldest(ghosts, links);
    }
    list_append(ghosts, links, page);
    return dropped;
}

/* Takes `page` off a ghost list; whether it was there. The links serve this list alone. */
VMM_ALWAYS_INLINE bool ghost_recall(List *ghosts, ListLinks links, uint32_t page) {
    bool found = list_has(links, page);
    if (VMM_UNLIKELY(found)) {
        list_remove(ghosts, links, page);
    }
    return found;
}

#endif
