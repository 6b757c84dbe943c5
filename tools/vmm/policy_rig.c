/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of frames that trusts nobody: it calls the hooks of a policy in the order that
 * <vmm/policy.h> promises, as the simulator does, and judges each answer.
 *
 *     page is in a frame      touch, and dirtied at the first store
 *     page is in no frame     miss; a free frame, or victim and remove; insert
 *     then                    what the policy asked for: pages that leave, pages that are written
 *     then                    tick, if it is time
 *
 * What the policy may read and not write (page_of, dirty, time_of) it sees through a mapping that
 * cannot be written. What it may not touch of its own struct is compared after each hook. The
 * decisions are summed up in a digest, so that two runs can be compared.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_cmd.h"

enum { RIG_FIRST_FRAMES = 16, RIG_FIRST_PAGES = 32 };

bool rig_fail(Rig *rig, const char *format, ...) {
    if (!rig->report->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(rig->report->text, sizeof rig->report->text, format, args);
        va_end(args);
        rig->report->failed = true;
    }
    rig->stopped = true;
    return false;
}

/* ---- Around each hook ----------------------------------------------------------------------- */

static void rig_enter(Rig *rig, const char *hook) {
    rig->seen = *rig->policy;
    rig->report->hook = hook;
    rig->steps = rig->meter != NULL ? rig->meter->steps : 0;
    if (rig->meter != NULL) {
        rig->meter->limit = rig->meter->steps + (UINT64_C(1) << 26);
    }
}

/* The member that the hook has changed and must not, or NULL. */
static const char *rig_changed(const VMMPolicy *now, const VMMPolicy *seen) {
    const struct {
        const char *name;
        bool changed;
    } members[] = {
        {"type", now->type != seen->type},
        {"memory", now->memory != seen->memory},
        {"capacity", now->capacity != seen->capacity},
        {"incoming", now->incoming != seen->incoming},
        {"page_of", now->page_of != seen->page_of},
        {"dirty", now->dirty != seen->dirty},
        {"page_state", now->page_state != seen->page_state},
        {"seed", now->seed != seen->seed},
        {"now", now->now != seen->now},
        {"next_use", now->next_use != seen->next_use},
        {"distance", now->distance != seen->distance},
        {"clock", now->clock != seen->clock},
        {"away", now->away != seen->away},
        {"time_of", now->time_of != seen->time_of},
        {"space", now->space != seen->space},
        {"bit_cleared", now->bit_cleared != seen->bit_cleared},
        {"host", now->host != seen->host},
        {"name_of", now->name_of != seen->name_of},
        {"names", now->names != seen->names},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (members[i].changed) {
            return members[i].name;
        }
    }
    return NULL;
}

static bool rig_is_one_of(const char *hook, const char *const *hooks) {
    while (*hooks != NULL && strcmp(hook, *hooks) != 0) {
        hooks++;
    }
    return *hooks != NULL;
}

/* What the hook asked for, and may not ask for; NULL: nothing. */
static const char *rig_unasked(const Rig *rig, const char *hook) {
    static const char *const parting[] = {"insert", "passed", "tick", NULL};
    static const char *const writing[] = {"insert", "victim", "tick", NULL};
    bool from_touch = strncmp(hook, "touch", 5) == 0 && rig->type->parts_on_touch;
    if (rig->policy->parting.count > rig->seen.parting.count && !from_touch &&
        !rig_is_one_of(hook, parting)) {
        return "vmm_policy_part_with()";
    }
    if (rig->policy->writing.count > rig->seen.writing.count && !from_touch &&
        !rig_is_one_of(hook, writing)) {
        return "vmm_policy_write_back()";
    }
    return NULL;
}

static bool rig_leave(Rig *rig) {
    static const char *const watching[] = {"order", "is_valid", "why", NULL};
    const char *hook = rig->report->hook;
    const char *changed = rig_changed(rig->policy, &rig->seen);
    const char *unasked = rig_unasked(rig, hook);
    bool watches = rig_is_one_of(hook, watching);
    rig->report->hook = NULL;
    if (rig->meter != NULL) {
        rig->meter->limit = UINT64_MAX;
        rig->work += watches ? 0 : rig->meter->steps - rig->steps;
    }
    if (changed != NULL) {
        return rig_fail(rig, "%s changes policy->%s, which is not its own", hook, changed);
    }
    if (rig->policy->failed && !rig->seen.failed && rig->guard.fail_at == 0) {
        return rig_fail(rig, "%s sets policy->failed, and there is memory", hook);
    }
    if (unasked != NULL) {
        return rig_fail(rig, "%s calls %s, which is not for it%s", hook, unasked,
                        strncmp(hook, "touch", 5) == 0 ? " unless the type says parts_on_touch"
                                                       : "");
    }
    if (rig->guard.misuse != NULL) {
        return rig_fail(rig, "%s %s", hook, rig->guard.misuse);
    }
    return !rig->stopped;
}

static void rig_bit_cleared(void *host, uint32_t frame) {
    Rig *rig = host;
    if (frame >= rig->unused) {
        rig_fail(rig, "%s tells of a cleared bit of frame %u, which was never used",
                 rig->report->hook, frame);
    }
}

static void rig_decide(Rig *rig, uint64_t what, uint64_t which) {
    uint64_t word = what << 56 ^ which;
    rig->report->digest = (rig->report->digest ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    rig->report->digest ^= rig->report->digest >> 29;
}

static uint32_t *rig_page_of(Rig *rig) {
    return rig->page_of.written;
}

static uint8_t *rig_dirty(Rig *rig) {
    return rig->dirty.written;
}

/* ---- Frames that come and go ---------------------------------------------------------------- */

static bool rig_grow_frames(Rig *rig) {
    uint64_t wanted = (uint64_t)rig->reserved + rig->reserved / 2 + RIG_FIRST_FRAMES;
    uint32_t frames = wanted < rig->capacity ? (uint32_t)wanted : rig->capacity;
    bool before = rig->guard.before;
    guard_view_grow(&rig->page_of, frames * sizeof(uint32_t), before);
    guard_view_grow(&rig->dirty, frames, before);
    rig->free_frames = cli_realloc(rig->free_frames, frames, sizeof *rig->free_frames);
    rig->reserved = frames;
    rig->policy->page_of = rig->page_of.read;
    rig->policy->dirty = rig->dirty.read;
    if (rig->type->reserve == NULL) {
        return true;
    }
    rig_enter(rig, "reserve");
    bool grown = rig->type->reserve(rig->policy, frames);
    if (!grown && rig->guard.fail_at == 0) {
        return rig_fail(rig, "reserve returns false, and there is memory");
    }
    rig->stopped = rig->stopped || !grown;
    return rig_leave(rig);
}

/* Why the page leaves: asked as for the event of an eviction, with as much room. */
static bool rig_ask_why(Rig *rig, uint32_t frame) {
    if (rig->type->why == NULL) {
        return true;
    }
    memset(rig->why, '?', RIG_WHY_BYTES);
    *rig->why = '\0';
    rig_enter(rig, "why");
    rig->type->why(rig->policy, frame, rig->why, RIG_WHY_BYTES);
    if (!rig_leave(rig)) {
        return false;
    }
    return memchr(rig->why, '\0', RIG_WHY_BYTES) != NULL ||
           rig_fail(rig, "why does not end its text with a zero byte");
}

/* The page in `frame` leaves it. */
static bool rig_remove(Rig *rig, uint32_t frame) {
    uint32_t page = rig_page_of(rig)[frame];
    if (rig->type->remove != NULL) {
        rig_enter(rig, "remove");
        rig->type->remove(rig->policy, frame);
        if (!rig_leave(rig)) {
            return false;
        }
    }
    rig->frame_of[page] = VMM_POLICY_NO_FRAME;
    return true;
}

static void rig_give_back(Rig *rig, uint32_t frame) {
    rig_page_of(rig)[frame] = 0;
    rig->free_frames[rig->free_count++] = frame;
}

static bool rig_holds_page(Rig *rig, uint32_t frame) {
    return frame < rig->unused && rig_page_of(rig)[frame] != 0;
}

/* A frame that the policy gives up for another page. */
static uint32_t rig_victim(Rig *rig) {
    rig_enter(rig, "victim");
    uint32_t frame = rig->type->victim(rig->policy);
    if (!rig_leave(rig)) {
        return VMM_POLICY_NO_FRAME;
    }
    if (!rig_holds_page(rig, frame)) {
        rig_fail(rig, "victim names frame %u, which holds no page (there are %u frames)", frame,
                 rig->capacity);
        return VMM_POLICY_NO_FRAME;
    }
    rig_decide(rig, 1, frame);
    VMMPolicyList *writing = &rig->policy->writing;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < writing->count; i++) {
        if (writing->frames[i] != frame) {
            writing->frames[kept++] = writing->frames[i];
        }
    }
    writing->count = kept;
    return rig_ask_why(rig, frame) && rig_remove(rig, frame) ? frame : VMM_POLICY_NO_FRAME;
}

static uint32_t rig_take_frame(Rig *rig) {
    if (rig->free_count > 0) {
        return rig->free_frames[--rig->free_count];
    }
    if (rig->unused == rig->capacity) {
        return rig_victim(rig);
    }
    if (rig->unused == rig->reserved && !rig_grow_frames(rig)) {
        return VMM_POLICY_NO_FRAME;
    }
    return rig->unused++;
}

/* ---- What a policy asks for ----------------------------------------------------------------- */

static bool rig_part(Rig *rig) {
    VMMPolicyList *parting = &rig->policy->parting;
    if (rig->policy->failed) {
        rig->stopped = true;
        if (rig->guard.fail_at == 0) {
            rig_fail(rig, "the policy has failed, and there is memory");
        }
        return false;
    }
    for (uint32_t i = 0; i < parting->count; i++) {
        uint32_t frame = parting->frames[i];
        if (!rig_holds_page(rig, frame)) {
            return rig_fail(rig, "the policy parts with frame %u, which holds no page", frame);
        }
        rig_decide(rig, 2, frame);
        if (!rig_ask_why(rig, frame) || !rig_remove(rig, frame)) {
            return false;
        }
        rig_give_back(rig, frame);
    }
    parting->count = 0;
    return true;
}

static bool rig_write_back(Rig *rig) {
    VMMPolicyList *writing = &rig->policy->writing;
    for (uint32_t i = 0; i < writing->count; i++) {
        uint32_t frame = writing->frames[i];
        if (frame >= rig->reserved) {
            return rig_fail(rig, "the policy writes frame %u back, which is none", frame);
        }
        if (!rig_holds_page(rig, frame) || rig_dirty(rig)[frame] == 0) {
            continue;
        }
        rig_decide(rig, 3, frame);
        rig_dirty(rig)[frame] = 0;
        if (rig->type->cleaned != NULL) {
            rig_enter(rig, "cleaned");
            rig->type->cleaned(rig->policy, frame);
            if (!rig_leave(rig)) {
                return false;
            }
        }
    }
    writing->count = 0;
    return true;
}

/* ---- One reference -------------------------------------------------------------------------- */

static bool rig_miss(Rig *rig, uint32_t page, bool write) {
    rig->policy->incoming = page;
    if (rig->type->miss != NULL) {
        rig_enter(rig, "miss");
        rig->type->miss(rig->policy, page);
        if (!rig_leave(rig)) {
            return false;
        }
    }
    uint32_t frame = rig_take_frame(rig);
    if (frame == VMM_POLICY_NO_FRAME) {
        return false;
    }
    rig_page_of(rig)[frame] = page;
    rig_dirty(rig)[frame] = write;
    rig->frame_of[page] = frame;
    if (rig->type->insert != NULL) {
        rig_enter(rig, "insert");
        rig->type->insert(rig->policy, frame);
        return rig_leave(rig);
    }
    return true;
}

/* The touches that waited: of each frame the last, in their order. */
static bool rig_settle(Rig *rig) {
    bool going = true;
    for (size_t i = 0; going && i < rig->waiting_count; i++) {
        bool last = true;
        for (size_t j = i + 1; last && j < rig->waiting_count; j++) {
            last = rig->waiting[j] != rig->waiting[i];
        }
        if (last) {
            rig_enter(rig, "touch");
            rig->type->touch(rig->policy, rig->waiting[i]);
            going = rig_leave(rig);
        }
    }
    rig->waiting_count = 0;
    return going;
}

static void rig_wait(Rig *rig, uint32_t frame) {
    if (rig->waiting_count == rig->waiting_capacity) {
        rig->waiting_capacity = rig->waiting_capacity * 2 + 64;
        rig->waiting = cli_realloc(rig->waiting, rig->waiting_capacity, sizeof *rig->waiting);
    }
    rig->waiting[rig->waiting_count++] = frame;
}

static bool rig_hit(Rig *rig, uint32_t frame, bool write, uint32_t count) {
    const VMMPolicyType *type = rig->type;
    if (rig->waits) {
        rig_wait(rig, frame);
        rig_dirty(rig)[frame] |= write;
        return true;
    }
    if (type->touch != NULL && count > 1 && type->touch_many != NULL) {
        rig_enter(rig, "touch_many");
        type->touch_many(rig->policy, frame, count);
    } else if (type->touch != NULL) {
        rig_enter(rig, "touch");
        type->touch(rig->policy, frame);
    }
    if (type->touch != NULL && !rig_leave(rig)) {
        return false;
    }
    if (write && rig_dirty(rig)[frame] == 0) {
        rig_dirty(rig)[frame] = 1;
        if (type->dirtied != NULL) {
            rig_enter(rig, "dirtied");
            type->dirtied(rig->policy, frame);
            return rig_leave(rig);
        }
    }
    return true;
}

static void rig_enter_space(Rig *rig, uint32_t space) {
    VMMPolicy *policy = rig->policy;
    uint64_t *times = rig->time_of.written;
    if (!rig->type->uses_clock || space == policy->space) {
        return;
    }
    times[policy->space] = policy->clock - policy->away;
    policy->space = space;
    policy->away = policy->clock - times[space];
}

static bool rig_tick(Rig *rig, uint64_t count) {
    rig->references += count;
    if (rig->policy->period == 0 || rig->references % rig->policy->period != 0) {
        return true;
    }
    if (rig->type->tick == NULL) {
        return rig_fail(rig, "policy->period is %llu, and there is no tick",
                        (unsigned long long)rig->policy->period);
    }
    if (!rig_settle(rig)) {
        return false;
    }
    rig_enter(rig, "tick");
    rig->type->tick(rig->policy);
    return rig_leave(rig) && rig_part(rig) && rig_write_back(rig);
}

static bool rig_reference(Rig *rig, uint32_t page, bool write, uint32_t count) {
    if (rig->type->uses_clock) {
        rig->policy->clock += count;
    }
    uint32_t frame = rig->frame_of[page];
    bool hit = frame != VMM_POLICY_NO_FRAME;
    bool going =
        hit ? rig_hit(rig, frame, write, count) : rig_settle(rig) && rig_miss(rig, page, write);
    return going && rig_part(rig) && rig_write_back(rig) && rig_tick(rig, count);
}

/* How many of `left` references in a row can be told at once. */
static uint32_t rig_bulk(const Rig *rig, uint32_t page, uint32_t left) {
    const VMMPolicyType *type = rig->type;
    bool bulky = type->touch == NULL || type->touch_once || type->touch_many != NULL;
    uint64_t period = rig->policy->period;
    if (rig->by_one || !bulky || type->parts_on_touch ||
        rig->frame_of[page] == VMM_POLICY_NO_FRAME) {
        return 1;
    }
    uint64_t due = period == 0 ? left : period - rig->references % period;
    return due < left ? (uint32_t)due : left;
}

static void rig_grow_pages(Rig *rig, uint32_t page) {
    VMMPolicy *policy = rig->policy;
    uint32_t room = rig->page_room;
    if (page < room) {
        return;
    }
    uint32_t grown = page + page / 2 + RIG_FIRST_PAGES;
    rig->frame_of = cli_realloc(rig->frame_of, grown, sizeof *rig->frame_of);
    memset(rig->frame_of + room, 0xff, (grown - room) * sizeof *rig->frame_of);
    size_t size = rig->type->page_state_size;
    if (size != 0) {
        const VMMAllocator *memory = &rig->guard.memory;
        uint64_t calls = rig->guard.calls, fail_at = rig->guard.fail_at;
        rig->guard.fail_at = 0;
        unsigned char *state = memory->zalloc(memory->user, grown * size);
        if (policy->page_state != NULL) {
            memcpy(state, policy->page_state, room * size);
            memory->release(memory->user, policy->page_state, room * size);
        }
        rig->guard.calls = calls;
        rig->guard.fail_at = fail_at;
        policy->page_state = state;
    }
    rig->page_room = grown;
}

static bool rig_discard(Rig *rig, uint32_t page) {
    uint32_t frame = rig->frame_of[page];
    if (!rig_settle(rig)) {
        return false;
    }
    if (frame != VMM_POLICY_NO_FRAME) {
        if (!rig_remove(rig, frame)) {
            return false;
        }
        rig_give_back(rig, frame);
    }
    if (rig->type->forget != NULL) {
        rig_enter(rig, "forget");
        rig->type->forget(rig->policy, page);
        return rig_leave(rig);
    }
    return true;
}

/* The policy's own order must name each page in memory once. */
static bool rig_check_order(Rig *rig) {
    uint32_t resident = rig->unused - rig->free_count;
    if (rig->type->order == NULL) {
        return true;
    }
    uint32_t *frames = cli_alloc(rig->unused + 1, sizeof *frames);
    bool *met = cli_alloc(rig->unused + 1, sizeof *met);
    rig_enter(rig, "order");
    uint32_t count = rig->type->order(rig->policy, frames);
    bool right = rig_leave(rig);
    if (right && count != resident) {
        right = rig_fail(rig, "order names %u frames, and %u hold pages", count, resident);
    }
    for (uint32_t i = 0; right && i < count; i++) {
        if (!rig_holds_page(rig, frames[i]) || met[frames[i]]) {
            right = rig_fail(rig, "order names frame %u, which holds no page or is named twice",
                             frames[i]);
        }
        met[right ? frames[i] : 0] = true;
    }
    free(frames);
    free(met);
    return right;
}

static bool rig_check_state(Rig *rig) {
    if (rig->place % 64 != 0) {
        return true;
    }
    if (!rig_settle(rig)) {
        return false;
    }
    if (rig->type->is_valid != NULL) {
        rig_enter(rig, "is_valid");
        bool valid = rig->type->is_valid(rig->policy);
        if (!rig_leave(rig)) {
            return false;
        }
        if (!valid) {
            return rig_fail(rig, "is_valid says that the policy's own state is wrong");
        }
    }
    return rig_check_order(rig);
}

/* Time passes: a reference beyond the limit, which belongs to no page. */
static bool rig_pass(Rig *rig) {
    rig->policy->clock++;
    bool going = true;
    if (rig->type->passed != NULL) {
        rig_enter(rig, "passed");
        rig->type->passed(rig->policy);
        going = rig_leave(rig);
    }
    return going && rig_part(rig) && rig_write_back(rig) && rig_tick(rig, 1);
}

/* What a policy that needs the future is told with the references up to the step's `done`th. */
static void rig_foresee(Rig *rig, const RigStep *step, const RigFuture *future, uint32_t done) {
    VMMPolicy *policy = rig->policy;
    if (rig->type->info.needs != VMM_NEEDS_FUTURE) {
        return;
    }
    policy->now = rig->place;
    policy->next_use = future->next == 0 ? VMM_POLICY_NEVER : rig->place + future->next;
    if (rig->type->uses_clock) {
        uint64_t last = future->distance == 0 ? VMM_POLICY_NEVER : future->distance;
        policy->distance = done < step->count ? 1 : last;
    }
}

bool rig_step(Rig *rig, const RigStep *step, const RigFuture *future) {
    if (rig->stopped) {
        return false;
    }
    rig_grow_pages(rig, step->page);
    if (step->discard) {
        return rig_discard(rig, step->page);
    }
    rig_enter_space(rig, step->space);
    bool passes = rig->type->uses_clock && rig->type->info.needs != VMM_NEEDS_FUTURE;
    if (passes && rig->place % 16 == 5 && !rig_pass(rig)) {
        return false;
    }
    bool going = true;
    for (uint32_t done = 0; going && done < step->count;) {
        uint32_t count = rig_bulk(rig, step->page, step->count - done);
        done += count;
        rig_foresee(rig, step, future, done);
        going = rig_reference(rig, step->page, step->write, count);
    }
    rig->place++;
    return going && rig_check_state(rig);
}

bool rig_empty(Rig *rig) {
    for (uint32_t page = 1; page < rig->page_room; page++) {
        if (rig->frame_of[page] != VMM_POLICY_NO_FRAME && !rig_discard(rig, page)) {
            return false;
        }
    }
    return rig_check_order(rig);
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

int rig_begin(Rig *rig, uint32_t capacity, bool before, unsigned char junk, uint64_t fail_at) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    const VMMPolicyType *type = rig->type;
    guard_init(&rig->guard, before, junk);
    rig->policy = rig->guard.memory.zalloc(&rig->guard, type->state_size);
    rig->why = rig->guard.memory.zalloc(&rig->guard, RIG_WHY_BYTES);
    rig->guard.calls = 0;
    rig->guard.fail_at = fail_at;
    guard_view_grow(&rig->time_of, RIG_SPACES * sizeof(uint64_t), before);
    rig->capacity = type->info.variable_space != 0 ? UINT32_MAX - 1 : capacity;
    *rig->policy = (VMMPolicy){.type = type,
                               .memory = &rig->guard.memory,
                               .capacity = rig->capacity,
                               .seed = 42,
                               .time_of = rig->time_of.read,
                               .bit_cleared = rig_bit_cleared,
                               .host = rig};
    if (type->create == NULL) {
        return VMM_OK;
    }
    rig_enter(rig, "create");
    int status = type->create(rig->policy, rig->params, error);
    rig_leave(rig);
    if (status != VMM_OK && fail_at == 0) {
        rig_fail(rig, "create fails, and there is memory: %.300s",
                 *error != '\0' ? error : "without a sentence");
    }
    return status;
}

static void rig_free(Rig *rig) {
    guard_view_free(&rig->page_of);
    guard_view_free(&rig->dirty);
    guard_view_free(&rig->time_of);
    guard_free(&rig->guard);
    free(rig->free_frames);
    free(rig->waiting);
    free(rig->frame_of);
}

bool rig_end(Rig *rig) {
    const VMMAllocator *memory = &rig->guard.memory;
    VMMPolicy *policy = rig->policy;
    rig_enter(rig, "destroy");
    if (rig->type->destroy != NULL) {
        rig->type->destroy(policy);
    }
    rig->stopped = false;
    rig_leave(rig);
    vmm_policy_free(policy, policy->parting.frames, policy->parting.capacity, sizeof(uint32_t));
    vmm_policy_free(policy, policy->writing.frames, policy->writing.capacity, sizeof(uint32_t));
    vmm_policy_free(policy, policy->page_state, rig->page_room, rig->type->page_state_size);
    memory->release(memory->user, rig->why, RIG_WHY_BYTES);
    memory->release(memory->user, policy, rig->type->state_size);
    size_t leaks = guard_leaks(&rig->guard);
    if (leaks != 0) {
        rig_fail(rig, "destroy leaves %zu block%s of memory behind", leaks, leaks == 1 ? "" : "s");
    }
    rig_free(rig);
    return !rig->report->failed;
}
