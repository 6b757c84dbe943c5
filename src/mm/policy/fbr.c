/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FBR, frequency based replacement: an LRU stack in three sections and a count for each page.
 *
 *      most recent                                              least recent
 *      [ new: hits do not count ][ middle: hits count ][ old: hits count, victims ]
 *              `new` per cent                                `old` per cent
 *
 * Every hit takes a page to the top of the stack; it adds 1 to the page's count unless the page is
 * in the new section, for there it is a part of the same burst of use. Of the pages of the old
 * section that with the smallest count leaves, the least recent among equals. The middle gives
 * pages time to gather counts. When the counts exceed `amax` on average all are halved, rounded up,
 * so that the past fades. Counts from `cmax` on are not told apart.
 *
 *     sections[]      three lists, which together are the stack
 *     counts[]        the pages of the old section by count, each list in the order of the stack
 *     present         bit i is set while counts[i] has pages
 *
 * Constant work a reference, but for halving, which comes after at least half as many hits as there
 * are pages. The new section holds at least one page of two, the old one at least one.
 *
 * Source: Robinson and Devarakonda, "Data cache management using frequency-based replacement",
 * SIGMETRICS 1990.
 */
#include "lists.h"
#include "policy.h"

enum { FBR_NEW, FBR_MIDDLE, FBR_OLD, FBR_SECTIONS };
enum { FBR_MOST = 63 }; /* largest cmax: a bit of a word each */

typedef struct FbrFrame {
    ListLink link;     /* in its section */
    ListLink by_count; /* in the old section: among those of its count */
    uint32_t section;
    uint32_t count;
} FbrFrame;

typedef struct Fbr {
    Policy base;
    FbrFrame *frames; /* by frame */
    List sections[FBR_SECTIONS];
    uint32_t limits[FBR_OLD]; /* of the new and the middle section; the rest is old */
    List counts[FBR_MOST + 1];
    uint64_t present;
    uint64_t sum; /* of all counts */
    uint64_t amax;
    uint32_t cmax;
    uint32_t reserved;
} Fbr;

static int fbr_check(const uint64_t *params, char *error) {
    if (params[0] + params[1] > 100) {
        snprintf(error, VMM_ERROR_TEXT_BYTES,
                 "fbr: new is %llu and old is %llu per cent, expected at most 100 together",
                 (unsigned long long)params[0], (unsigned long long)params[1]);
        return VMM_E_RANGE;
    }
    return VMM_OK;
}

static uint32_t fbr_share(uint32_t frames, uint64_t percent, uint32_t most) {
    uint64_t share = frames * percent / 100;
    share = share < 1 ? 1 : share;
    return share < most ? (uint32_t)share : most;
}

static int fbr_create(Policy *policy, const uint64_t *params, char *error) {
    (void)error;
    Fbr *fbr = (Fbr *)policy;
    uint32_t old = fbr_share(policy->capacity, params[1], policy->capacity);
    fbr->limits[FBR_NEW] = fbr_share(policy->capacity, params[0], policy->capacity - old);
    fbr->limits[FBR_MIDDLE] = policy->capacity - old - fbr->limits[FBR_NEW];
    fbr->amax = params[2];
    fbr->cmax = (uint32_t)params[3];
    for (unsigned i = 0; i < FBR_SECTIONS; i++) {
        fbr->sections[i] = LIST_EMPTY;
    }
    for (unsigned i = 0; i <= FBR_MOST; i++) {
        fbr->counts[i] = LIST_EMPTY;
    }
    return VMM_OK;
}

static void fbr_destroy(Policy *policy) {
    Fbr *fbr = (Fbr *)policy;
    memory_free(policy->memory, fbr->frames, fbr->reserved, sizeof *fbr->frames);
}

static bool fbr_reserve(Policy *policy, uint32_t frames) {
    Fbr *fbr = (Fbr *)policy;
    FbrFrame *grown =
        memory_grow(policy->memory, fbr->frames, fbr->reserved, frames, sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    fbr->frames = grown;
    fbr->reserved = frames;
    return true;
}

static inline ListLinks fbr_links(const Fbr *fbr) {
    return LIST_LINKS(fbr->frames);
}

static inline ListLinks fbr_count_links(const Fbr *fbr) {
    return (ListLinks){&fbr->frames[0].by_count, sizeof *fbr->frames};
}

/* The list of the old section's pages with the count of `frame`. */
static inline uint32_t fbr_group(const Fbr *fbr, uint32_t frame) {
    uint32_t count = fbr->frames[frame].count;
    return count < fbr->cmax ? count : fbr->cmax;
}

static inline void fbr_join(Fbr *fbr, uint32_t frame) {
    uint32_t group = fbr_group(fbr, frame);
    list_append(&fbr->counts[group], fbr_count_links(fbr), frame);
    fbr->present |= UINT64_C(1) << group;
}

/* Takes a frame out of the stack. */
static inline void fbr_unlink(Fbr *fbr, uint32_t frame) {
    uint32_t section = fbr->frames[frame].section;
    list_remove(&fbr->sections[section], fbr_links(fbr), frame);
    if (section == FBR_OLD) {
        uint32_t group = fbr_group(fbr, frame);
        list_remove(&fbr->counts[group], fbr_count_links(fbr), frame);
        fbr->present &= ~((uint64_t)(fbr->counts[group].count == 0) << group);
    }
}

/* Puts a frame that is in no section on top of the stack; what is too much in a section sinks. */
static inline void fbr_push(Fbr *fbr, uint32_t frame) {
    for (uint32_t section = FBR_NEW;; section++) {
        fbr->frames[frame].section = section;
        list_append(&fbr->sections[section], fbr_links(fbr), frame);
        if (section == FBR_OLD) {
            fbr_join(fbr, frame);
            return;
        }
        if (fbr->sections[section].count <= fbr->limits[section]) {
            return;
        }
        frame = list_take_oldest(&fbr->sections[section], fbr_links(fbr));
    }
}

/* A page below has gone: sections that have room take the most recent page of the next one. */
static void fbr_rise(Fbr *fbr) {
    for (uint32_t section = FBR_NEW; section < FBR_OLD; section++) {
        uint32_t below = section + 1;
        below += below == FBR_MIDDLE && fbr->sections[FBR_MIDDLE].count == 0;
        uint32_t frame = fbr->sections[below].youngest;
        if (fbr->sections[section].count < fbr->limits[section] && frame != LIST_NONE) {
            fbr_unlink(fbr, frame);
            fbr->frames[frame].section = section;
            list_prepend(&fbr->sections[section], fbr_links(fbr), frame);
        }
    }
}

/* Halves all counts, and sorts the old section into the lists of its new ones. */
static VMM_NOINLINE void fbr_halve(Fbr *fbr) {
    fbr->sum = 0;
    fbr->present = 0;
    for (unsigned i = 0; i <= FBR_MOST; i++) {
        fbr->counts[i] = LIST_EMPTY;
    }
    for (uint32_t section = 0; section < FBR_SECTIONS; section++) {
        uint32_t frame = fbr->sections[section].oldest;
        for (; frame != LIST_NONE; frame = list_younger(fbr_links(fbr), frame)) {
            fbr->frames[frame].count -= fbr->frames[frame].count / 2;
            fbr->sum += fbr->frames[frame].count;
            if (section == FBR_OLD) {
                fbr_join(fbr, frame);
            }
        }
    }
}

static inline void fbr_insert(Policy *policy, uint32_t frame) {
    Fbr *fbr = (Fbr *)policy;
    fbr->frames[frame].count = 1;
    fbr->sum++;
    fbr_push(fbr, frame);
}

static inline void fbr_touch(Policy *policy, uint32_t frame) {
    Fbr *fbr = (Fbr *)policy;
    uint32_t section = fbr->frames[frame].section;
    if (section == FBR_NEW) {
        list_renew(&fbr->sections[FBR_NEW], fbr_links(fbr), frame);
        return;
    }
    fbr_unlink(fbr, frame);
    fbr->frames[frame].count++;
    fbr->sum++;
    fbr_push(fbr, frame);
    uint64_t pages = (uint64_t)fbr->sections[FBR_NEW].count + fbr->sections[FBR_MIDDLE].count +
                     fbr->sections[FBR_OLD].count;
    if (VMM_UNLIKELY(fbr->sum > fbr->amax * pages)) {
        fbr_halve(fbr);
    }
}

/* The pool is full when a victim is asked for, so the old section has pages. */
static inline uint32_t fbr_victim(Policy *policy) {
    const Fbr *fbr = (const Fbr *)policy;
    return fbr->counts[__builtin_ctzll(fbr->present)].oldest;
}

static inline void fbr_remove(Policy *policy, uint32_t frame) {
    Fbr *fbr = (Fbr *)policy;
    fbr_unlink(fbr, frame);
    fbr->sum -= fbr->frames[frame].count;
    if (fbr->frames[frame].section != FBR_OLD) {
        fbr_rise(fbr);
    }
}

static void fbr_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const Fbr *fbr = (const Fbr *)policy;
    snprintf(text, size, "smallest count of the old section, %u%s", fbr->frames[victim].count,
             fbr->frames[victim].count >= fbr->cmax ? " (cmax or more)" : "");
}

/* The lists lead through as many frames as they count, the sections keep to their limits. */
static bool fbr_is_valid(const Policy *policy) {
    const Fbr *fbr = (const Fbr *)policy;
    uint32_t old = 0;
    for (uint32_t i = 0; i <= fbr->cmax; i++) {
        if (!list_is_valid(&fbr->counts[i], fbr_count_links(fbr)) ||
            (fbr->counts[i].count != 0) != (fbr->present >> i & 1)) {
            return false;
        }
        old += fbr->counts[i].count;
    }
    uint64_t sum = 0;
    for (uint32_t section = 0; section < FBR_SECTIONS; section++) {
        const List *list = &fbr->sections[section];
        if (!list_is_valid(list, fbr_links(fbr)) ||
            (section < FBR_OLD && list->count > fbr->limits[section])) {
            return false;
        }
        for (uint32_t f = list->oldest; f != LIST_NONE; f = list_younger(fbr_links(fbr), f)) {
            sum += fbr->frames[f].section == section ? fbr->frames[f].count : UINT32_MAX;
        }
    }
    return sum == fbr->sum && old == fbr->sections[FBR_OLD].count;
}

static const PolicyType fbr_policy = {
    .info.name = "fbr",
    .info.label = "FBR",
    .info.summary = "least counted of the old third of an LRU stack, bursts counted once",
    .info.source = "Robinson, Devarakonda, SIGMETRICS 1990",
    .info.needs = VMM_NEEDS_EVERY_REFERENCE,
    .touch_once = true,
    .state_size = sizeof(Fbr),
    .info.parameters =
        (const VMMPolicyParameter[]){
            {"new", 25, 1, 99, "per cent of memory where hits do not count", NULL},
            {"old", 35, 1, 99, "per cent of memory that victims come from", NULL},
            {"amax", 100, 2, 1000000, "average count above which all counts are halved", NULL},
            {"cmax", 63, 1, FBR_MOST, "counts from it on are not told apart", NULL},
            {.name = NULL},
        },
    .check = fbr_check,
    .create = fbr_create,
    .destroy = fbr_destroy,
    .reserve = fbr_reserve,
    .insert = fbr_insert,
    .touch = fbr_touch,
    .victim = fbr_victim,
    .remove = fbr_remove,
    .why = fbr_why,
    .is_valid = fbr_is_valid,
};
