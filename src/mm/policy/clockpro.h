/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CLOCK-Pro and CLOCK-Pro+ share: LIRS for hardware that only sets accessed bits.
 *
 *     tail                                                  head: new pages
 *      h   c   t   h   a   t   a   c   h   t   a   t   t
 *      ^   ^   ^
 *      |   |   HAND_test: the oldest page in its test       h  hot: resident
 *      |   HAND_cold: the oldest resident cold page         c  cold, resident, test is over
 *      HAND_hot: the oldest hot page                        t  cold, resident, in its test
 *                                                           a  absent, in its test
 *
 * A page enters cold, at the head, and is in its test, which goes on when it leaves memory. Used
 * again in its test it becomes hot: at once if it was absent, else when HAND_cold comes by and
 * finds its accessed bit R set. HAND_cold evicts the first cold page with R = 0; one with R = 1
 * goes to the head, hot if it was in its test, else with a new test. There may be as many hot pages
 * as the target for cold ones leaves; for one too many HAND_hot goes on: hot pages with R = 1 go to
 * the head with R = 0, the first with R = 0 goes there as a cold one, without a test; and tests of
 * pages that the hand has passed are over. When more pages are absent than there are frames,
 * HAND_test ends the oldest test. The two policies differ in how they set the target.
 *
 * The paper draws one ring on which to pass a page means to leave it at the head. Here hot pages,
 * resident cold ones and tests are three queues, and a stamp tells when a page was put at the head:
 * so no hand ever steps over a page that is not its own, and all sweeps are bounded: each step
 * clears a bit that a reference had set, ends a test, evicts, or demotes a page whose promotion had
 * paid. A cold page that HAND_hot passes keeps its turn with HAND_cold.
 */
#ifndef VMM_MM_POLICY_CLOCKPRO_H
#define VMM_MM_POLICY_CLOCKPRO_H

#include "queued.h"

enum { CLOCKPRO_HOT, CLOCKPRO_COLD, CLOCKPRO_DEMOTED };

typedef struct ClockProPage {
    ListLink test;  /* among the pages in their test */
    uint32_t place; /* its frame + 1; 0: absent */
    uint64_t stamp; /* when it was put at the head */
} ClockProPage;

typedef struct ClockPro {
    Queued queued; /* used: the R bit */
    List hot, cold;
    List test;
    uint64_t stamp;
    uint32_t absent;  /* pages in their test that are in no frame */
    uint32_t demoted; /* cold pages that have been hot, and were not used since */
    uint32_t target;  /* cold pages aimed at, 1 .. most */
    uint32_t most;
    bool came_back; /* the incoming page was in its test */
    bool plus;      /* CLOCK-Pro+ sets the target */
} ClockPro;

/* `share` is the per cent of memory that cold pages may have. */
static void clockpro_init(Policy *policy, uint64_t share) {
    ClockPro *pro = (ClockPro *)policy;
    uint32_t most = queued_share(policy, share);
    queued_create(&pro->queued, 0);
    pro->hot = LIST_EMPTY;
    pro->cold = LIST_EMPTY;
    pro->test = LIST_EMPTY;
    pro->most = most > 0 ? most : 1;
    pro->target = pro->most;
}

static inline ClockProPage *clockpro_page(const ClockPro *pro, uint32_t page) {
    return (ClockProPage *)pro->queued.base.page_state + page;
}

static inline ListLinks clockpro_tests(const ClockPro *pro) {
    return LIST_LINKS((ClockProPage *)pro->queued.base.page_state);
}

static inline bool clockpro_is_in_test(const ClockPro *pro, uint32_t page) {
    return list_has(clockpro_tests(pro), page);
}

static void clockpro_raise(ClockPro *pro, uint32_t by) {
    uint32_t room = pro->most - pro->target;
    pro->target += by < room ? by : room;
}

static void clockpro_lower(ClockPro *pro, uint32_t by) {
    uint32_t room = pro->target - 1;
    pro->target -= by < room ? by : room;
}

/* Takes a page out of the tests, however its test ended. */
static void clockpro_leave_test(ClockPro *pro, uint32_t page) {
    list_remove(&pro->test, clockpro_tests(pro), page);
    pro->absent -= clockpro_page(pro, page)->place == 0;
}

/* The oldest test is over; unless the page's bit says otherwise it was not used in it. */
static void clockpro_end_test(ClockPro *pro) {
    uint32_t page = pro->test.oldest;
    uint32_t place = clockpro_page(pro, page)->place;
    clockpro_leave_test(pro, page);
    if (!pro->plus && (place == 0 || pro->queued.used[place - 1] == 0)) {
        clockpro_lower(pro, 1);
    }
}

/* Puts a frame that is in no queue at the head. */
static void clockpro_put(ClockPro *pro, uint32_t status, uint32_t frame) {
    queued_append(&pro->queued, status == CLOCKPRO_HOT ? &pro->hot : &pro->cold, status, frame);
    clockpro_page(pro, pro->queued.base.page_of[frame])->stamp = ++pro->stamp;
}

static void clockpro_begin_test(ClockPro *pro, uint32_t frame) {
    list_append(&pro->test, clockpro_tests(pro), pro->queued.base.page_of[frame]);
}

/* Tests of pages that lie before the oldest hot page are over. */
static void clockpro_pass_tests(ClockPro *pro) {
    const uint32_t *page_of = pro->queued.base.page_of;
    while (pro->hot.oldest != LIST_NONE && pro->test.oldest != LIST_NONE &&
           clockpro_page(pro, pro->test.oldest)->stamp <
               clockpro_page(pro, page_of[pro->hot.oldest])->stamp) {
        clockpro_end_test(pro);
    }
}

static void clockpro_clear(ClockPro *pro, uint32_t frame) {
    pro->queued.used[frame] = 0;
    queued_clear(&pro->queued.base, frame);
}

/* HAND_hot, while there are too many hot pages. */
static void clockpro_run_hot(ClockPro *pro) {
    if (pro->hot.count <= pro->queued.base.capacity - pro->target) {
        return;
    }
    while (pro->hot.count > pro->queued.base.capacity - pro->target) {
        clockpro_pass_tests(pro);
        uint32_t frame = list_take_oldest(&pro->hot, queued_links(&pro->queued));
        if (pro->queued.used[frame] != 0) {
            clockpro_clear(pro, frame);
            clockpro_put(pro, CLOCKPRO_HOT, frame);
        } else {
            pro->demoted++;
            clockpro_put(pro, CLOCKPRO_DEMOTED, frame);
        }
    }
    clockpro_pass_tests(pro);
}

static void clockpro_miss(Policy *policy, uint32_t page) {
    ClockPro *pro = (ClockPro *)policy;
    pro->came_back = clockpro_is_in_test(pro, page);
    if (pro->came_back) {
        clockpro_raise(pro,
                       pro->plus && pro->demoted > pro->absent ? pro->demoted / pro->absent : 1);
        clockpro_leave_test(pro, page);
    }
}

/* HAND_cold passes a page with R = 1. */
static void clockpro_spare(ClockPro *pro, uint32_t frame) {
    uint32_t page = pro->queued.base.page_of[frame];
    clockpro_clear(pro, frame);
    if (pro->queued.frames[frame].queue == CLOCKPRO_DEMOTED) {
        if (pro->plus) {
            clockpro_lower(pro, pro->absent > pro->demoted ? pro->absent / pro->demoted : 1);
        }
        pro->demoted--;
    }
    list_remove(&pro->cold, queued_links(&pro->queued), frame);
    if (clockpro_is_in_test(pro, page)) {
        clockpro_leave_test(pro, page);
        if (!pro->plus) {
            clockpro_raise(pro, 1);
        }
        clockpro_put(pro, CLOCKPRO_HOT, frame);
        clockpro_run_hot(pro);
    } else {
        clockpro_put(pro, CLOCKPRO_COLD, frame);
        clockpro_begin_test(pro, frame);
    }
}

/* There is a cold page: the pool is full, and one frame at least is not for hot pages. */
static uint32_t clockpro_victim(Policy *policy) {
    ClockPro *pro = (ClockPro *)policy;
    while (pro->queued.used[pro->cold.oldest] != 0) {
        clockpro_spare(pro, pro->cold.oldest);
    }
    pro->queued.leaving = pro->cold.oldest;
    return pro->queued.leaving;
}

static void clockpro_insert(Policy *policy, uint32_t frame) {
    ClockPro *pro = (ClockPro *)policy;
    pro->queued.used[frame] = 0;
    clockpro_page(pro, policy->page_of[frame])->place = frame + 1;
    if (pro->came_back) {
        clockpro_put(pro, CLOCKPRO_HOT, frame);
        clockpro_run_hot(pro);
    } else {
        clockpro_put(pro, CLOCKPRO_COLD, frame);
        clockpro_begin_test(pro, frame);
    }
}

static inline void clockpro_touch(Policy *policy, uint32_t frame) {
    ((ClockPro *)policy)->queued.used[frame] = 1;
}

static void clockpro_remove(Policy *policy, uint32_t frame) {
    ClockPro *pro = (ClockPro *)policy;
    uint32_t page = policy->page_of[frame];
    uint32_t status = pro->queued.frames[frame].queue;
    list_remove(status == CLOCKPRO_HOT ? &pro->hot : &pro->cold, queued_links(&pro->queued), frame);
    pro->demoted -= status == CLOCKPRO_DEMOTED;
    bool evicted = queued_is_evicted(&pro->queued, frame);
    if (clockpro_is_in_test(pro, page)) {
        if (evicted) {
            pro->absent++;
        } else {
            clockpro_leave_test(pro, page);
        }
    }
    clockpro_page(pro, page)->place = 0;
    while (pro->absent > policy->capacity) {
        clockpro_end_test(pro);
    }
}

static void clockpro_forget(Policy *policy, uint32_t page) {
    ClockPro *pro = (ClockPro *)policy;
    if (clockpro_is_in_test(pro, page)) {
        clockpro_leave_test(pro, page);
    }
}

static void clockpro_why(const Policy *policy, uint32_t victim, char *text, size_t size) {
    const ClockPro *pro = (const ClockPro *)policy;
    bool in_test = clockpro_is_in_test(pro, policy->page_of[victim]);
    snprintf(text, size, "first cold page with R = 0, %s; %u hot, %u cold, wants %u",
             in_test ? "in its test" : "test over", pro->hot.count, pro->cold.count, pro->target);
}

/* Stamps rise along the queues, counts are true, and a frame is left for cold pages. */
static bool clockpro_is_valid(const Policy *policy) {
    const ClockPro *pro = (const ClockPro *)policy;
    ListLinks tests = clockpro_tests(pro);
    ListLinks links = queued_links(&pro->queued);
    uint32_t absent = 0;
    uint64_t stamp = 0;
    for (uint32_t page = pro->test.oldest; page != LIST_NONE; page = list_younger(tests, page)) {
        const ClockProPage *state = clockpro_page(pro, page);
        absent += state->place == 0;
        if (state->stamp <= stamp) {
            return false;
        }
        stamp = state->stamp;
    }
    uint32_t demoted = 0;
    for (uint32_t frame = pro->cold.oldest; frame != LIST_NONE;
         frame = list_younger(links, frame)) {
        demoted += pro->queued.frames[frame].queue == CLOCKPRO_DEMOTED;
        if (pro->queued.frames[frame].queue == CLOCKPRO_HOT) {
            return false;
        }
    }
    return absent == pro->absent && absent <= policy->capacity && demoted == pro->demoted &&
           pro->target >= 1 && pro->target <= pro->most && pro->hot.count < policy->capacity &&
           list_is_valid(&pro->test, tests) && list_is_valid(&pro->cold, links) &&
           queued_is_valid(&pro->queued, &pro->hot, CLOCKPRO_HOT);
}

#endif
