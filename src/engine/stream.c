/* SPDX-License-Identifier: Apache-2.0 */
/* Filtering, splitting and interning of references. */
#include "stream.h"

#include <string.h>

enum {
    STREAM_AHEAD = 128,   /* references fetched ahead of the loop that reads them */
    STREAM_FETCH = 8,     /* page references fetched ahead of the loop that interns them */
    STREAM_NEAR_BITS = 16 /* a directory of up to 2^16 places is in the caches anyway */
};

static int stream_init(Stream *stream, const Settings *settings, unsigned address_bits,
                       size_t capacity, Error *error) {
    Batch *batch = &stream->batch;
    stream->page_shift = settings_page_shift(settings);
    stream->address_limit = settings_address_limit(settings, address_bits);
    stream->refs = settings->refs;
    stream->max_references = settings->max_accesses == 0 ? UINT64_MAX : settings->max_accesses;
    stream->most_repeats = STREAM_MOST_REPEATS;
    stream->most_in_one = STREAM_MOST_REPEATS / 8;
    stream->resume_vpn = UINT64_MAX;
    stream->users = 1;
    batch->capacity = capacity;
    batch->room = capacity;
    batch->page = memory_zalloc(&stream->memory, capacity, sizeof *batch->page);
    batch->op = memory_zalloc(&stream->memory, capacity, sizeof *batch->op);
    batch->runs = memory_zalloc(&stream->memory, capacity, sizeof *batch->runs);
    batch->invalid = memory_zalloc(&stream->memory, capacity, sizeof *batch->invalid);
    bool filters = settings->refs != REFS_ALL;
    if (filters) {
        batch->left_out_before =
            memory_zalloc(&stream->memory, capacity, sizeof *batch->left_out_before);
    }
    stream->invalid = settings->invalid;
    if (stream->invalid == INVALID_KILL) {
        batch->dropped_before =
            memory_zalloc(&stream->memory, capacity, sizeof *batch->dropped_before);
    }
    if (batch->page == NULL || batch->op == NULL || batch->runs == NULL || batch->invalid == NULL ||
        (filters && batch->left_out_before == NULL) ||
        (stream->invalid == INVALID_KILL && batch->dropped_before == NULL)) {
        return error_no_memory(error, capacity * sizeof(Run), "a batch of references");
    }
    batch->object = batch->page;
    resolver_init(&stream->resolver, &stream->memory, &stream->directory, settings);
    stream->mappings = settings->mappings;
    stream->by_pool = settings_pools_by_space(settings);
    return directory_init(&stream->directory, &stream->memory, address_bits - stream->page_shift,
                          error);
}

int stream_create(const Settings *settings, unsigned address_bits, const Memory *memory,
                  size_t capacity, Stream **created, Error *error) {
    Stream *stream = memory_zalloc(memory, 1, sizeof *stream);
    *created = NULL;
    if (stream == NULL) {
        return error_no_memory(error, sizeof *stream, "a stream of references");
    }
    stream->memory = *memory;
    int status = stream_init(stream, settings, address_bits, capacity, error);
    if (status != VMM_OK) {
        stream->users = 1;
        stream_release(stream);
        return status;
    }
    *created = stream;
    return VMM_OK;
}

void stream_release(Stream *stream) {
    if (stream == NULL || --stream->users > 0) {
        return;
    }
    Memory memory = stream->memory;
    Batch *batch = &stream->batch;
    resolver_free(&stream->resolver);
    directory_free(&stream->directory);
    memory_free(&memory, stream->objects, batch->capacity, sizeof *stream->objects);
    memory_free(&memory, batch->special, batch->special_capacity, sizeof *batch->special);
    memory_free(&memory, batch->page, batch->capacity, sizeof *batch->page);
    memory_free(&memory, batch->op, batch->capacity, sizeof *batch->op);
    memory_free(&memory, batch->runs, batch->capacity, sizeof *batch->runs);
    memory_free(&memory, batch->invalid, batch->capacity, sizeof *batch->invalid);
    memory_free(&memory, batch->left_out_before, batch->capacity, sizeof *batch->left_out_before);
    memory_free(&memory, batch->dropped_before, batch->capacity, sizeof *batch->dropped_before);
    memory_free(&memory, batch->origin, batch->capacity, sizeof *batch->origin);
    memory_free(&memory, batch->next, batch->capacity, sizeof *batch->next);
    memory_free(&memory, batch->distance, batch->capacity, sizeof *batch->distance);
    stream_free_runs(stream);
    memory_free(&memory, stream, 1, sizeof *stream);
}

int stream_watch(Stream *stream, Error *error) {
    Batch *batch = &stream->batch;
    if (batch->origin == NULL) {
        batch->origin = memory_zalloc(&stream->memory, batch->capacity, sizeof *batch->origin);
    }
    return batch->origin != NULL
               ? VMM_OK
               : error_no_memory(error, batch->capacity * sizeof *batch->origin, "watching");
}

/* How long the next batch may be: see STREAM_SHARED_PER_PAGE. */
static size_t stream_room(const Stream *stream) {
    size_t capacity = stream->batch.capacity;
    size_t room = STREAM_SHARED_PER_PAGE * (size_t)stream->directory.count;
    if (stream->users == 1) {
        return capacity;
    }
    room = room < STREAM_SHARED_LEAST ? STREAM_SHARED_LEAST : room;
    return room < capacity ? room : capacity;
}

void stream_next_batch(Stream *stream) {
    stream->batch.room = stream_room(stream);
    stream->batch.first = stream->places;
    stream->batch.count = 0;
    stream->batch.repeat = NULL;
    stream->batch.stores = NULL;
    stream->batch.repeats = 0;
    stream->batch.run_count = 0;
    stream->batch.special_count = 0;
    stream->batch.invalid_count = 0;
    stream->filtered += stream->batch.left_out;
    stream->batch.left_out = 0;
    stream->batch.dropped = 0;
    stream->fatal = 0;
    stream->halted = false;
    stream->batch.unsampled = 0;
}

static void stream_put(Stream *stream, uint64_t key, uint8_t op, const VMMRef *ref) {
    Batch *batch = &stream->batch;
    if (batch->origin != NULL) {
        batch->origin[batch->count] = *ref;
    }
    if (batch->left_out_before != NULL) {
        batch->left_out_before[batch->count] = batch->left_out;
    }
    if (batch->dropped_before != NULL) {
        batch->dropped_before[batch->count] = batch->dropped;
    }
    stream->keys[batch->count - stream->stretch_begin] = key;
    batch->op[batch->count] = op;
    batch->count++;
}

int stream_enter(Stream *stream, uint32_t pid, Error *error) {
    if (stream->any && pid == stream->last_pid) {
        return VMM_OK;
    }
    stream->last_killed = resolver_is_killed(&stream->resolver, pid);
    uint32_t space = stream->last_killed ? 0 : directory_space(&stream->directory, pid, error);
    if (space == DIRECTORY_NO_SPACE) {
        return error != NULL ? error->code : VMM_E_NO_MEMORY;
    }
    stream->last_pid = pid;
    stream->last_space = space;
    stream->last_memory = resolver_within(&stream->resolver, space);
    stream->any = true;
    return VMM_OK;
}

static uint8_t stream_op(const VMMRef *ref) {
    return (uint8_t)(ref->op | ((ref->flags & VMM_REF_KERNEL) != 0 ? OP_KERNEL : 0));
}

/* Whether a reference says something that there is. */
static int stream_check(const VMMRef *ref, Error *error) {
    if (ref->op >= VMM_OP_COUNT) {
        return error_set(error, VMM_E_USAGE,
                         "a reference has the operation %u, expected 0 (read), 1 (write) or 2 "
                         "(fetch)",
                         ref->op);
    }
    return (ref->flags & ~VMM_REF_KERNEL) == 0
               ? VMM_OK
               : error_set(error, VMM_E_USAGE,
                           "a reference has the flags 0x%x, expected 0 or 1 (of the kernel)",
                           ref->flags);
}

static bool stream_wants_ref(const Stream *stream, const VMMRef *ref) {
    return stream_wants(stream, ref->op == VMM_OP_FETCH && (ref->flags & VMM_REF_KERNEL) == 0);
}

/*
 * The pages of one reference that crosses page boundaries, goes on after a cut, or leaves the
 * address space. Returns false at the end of the stretch; resume_vpn then says where to go on.
 */
static bool stream_add_long(Stream *stream, const VMMRef *ref, Run *run, bool cut) {
    uint64_t size = ref->size == 0 ? 1 : ref->size;
    uint64_t last_byte = ref->addr + size - 1 < ref->addr ? UINT64_MAX : ref->addr + size - 1;
    uint64_t last = last_byte >> stream->page_shift;
    uint64_t vpn = cut ? stream->resume_vpn : ref->addr >> stream->page_shift;
    uint8_t op = (uint8_t)(stream_op(ref) | (cut ? OP_CONTINUED : 0));
    for (;; vpn++, op |= OP_CONTINUED) {
        if (stream->batch.count == stream->stretch_end) {
            stream->resume_vpn = vpn;
            return false;
        }
        uint64_t first_byte = (op & OP_CONTINUED) != 0 ? vpn << stream->page_shift : ref->addr;
        bool valid = first_byte < stream->address_limit;
        uint64_t key = DIRECTORY_NO_KEY;
        if (valid) {
            key = directory_key(&stream->directory, run->memory, vpn);
        } else {
            stream->batch.invalid[stream->batch.invalid_count++] = run->space;
        }
        run->length++;
        stream_put(stream, key, op, ref);
        if (!valid && stream->invalid != INVALID_COUNT) {
            stream->halted = true; /* what comes behind must not be interned yet */
            stream->stretch_end = stream->batch.count;
        }
        if (vpn == last || !valid) {
            stream->resume_vpn = UINT64_MAX;
            return true;
        }
    }
}

/*
 * The common case, in a tight loop: references of the current process that lie in one page below
 * the limit. Stops at the first other one, and at the end of the stretch. Everything the loop
 * needs is in locals, since the compiler must assume that its stores change the stream. Returns
 * how many references are done with.
 */
static size_t stream_add_simple(Stream *stream, const VMMRef *refs, size_t count, Run *run) {
    Batch *batch = &stream->batch;
    uint64_t *restrict key = stream->keys + (batch->count - stream->stretch_begin);
    uint8_t *restrict op = batch->op + batch->count;
    VMMRef *restrict origin = batch->origin == NULL ? NULL : batch->origin + batch->count;
    uint64_t left = stream->max_references - stream->references;
    size_t room = stream->stretch_end - batch->count;
    room = left < room ? (size_t)left : room;
    bool filters = stream->refs != REFS_ALL;
    uint64_t *left_out_before = filters ? batch->left_out_before + batch->count : NULL;
    uint32_t pid = stream->last_pid;
    unsigned shift = stream->page_shift;
    uint64_t limit = stream->address_limit;
    uint64_t space_key = directory_key(&stream->directory, run->memory, 0);
    size_t added = 0;
    uint32_t writes = 0;
    uint32_t fetches = 0;
    size_t i = 0;
    for (; i < count && added < room; i++) {
        const VMMRef *ref = &refs[i];
        uint64_t last_byte = ref->addr + ref->size - (ref->size != 0);
        VMM_PREFETCH(ref + STREAM_AHEAD);
        if (VMM_UNLIKELY(ref->pid != pid || (ref->addr ^ last_byte) >> shift != 0 ||
                         last_byte >= limit || ref->op >= VMM_OP_COUNT || ref->flags != 0)) {
            break;
        }
        if (filters) {
            if (!stream_wants(stream, ref->op == VMM_OP_FETCH)) {
                continue;
            }
            left_out_before[added] = batch->left_out + (i - added);
        }
        if (VMM_UNLIKELY(origin != NULL)) {
            origin[added] = *ref;
        }
        key[added] = space_key | ref->addr >> shift;
        op[added] = ref->op;
        writes += ref->op == VMM_OP_WRITE;
        fetches += ref->op == VMM_OP_FETCH;
        added++;
    }
    for (size_t j = 0; batch->dropped_before != NULL && j < added; j++) {
        batch->dropped_before[batch->count + j] = batch->dropped;
    }
    batch->left_out += i - added;
    stream->references += added;
    batch->count += added;
    run->length += (uint32_t)added;
    run->count[VMM_OP_READ] += (uint32_t)added - writes - fetches;
    run->count[VMM_OP_WRITE] += writes;
    run->count[VMM_OP_FETCH] += fetches;
    return i;
}

int stream_add_stretch(Stream *stream, const VMMRef *refs, size_t count, size_t *taken,
                       Error *error) {
    size_t i = *taken;
    while (i < count && stream->batch.count < stream->stretch_end && !stream_is_done(stream)) {
        const VMMRef *ref = &refs[i];
        bool cut = stream->resume_vpn != UINT64_MAX;
        int status = stream_check(ref, error);
        if (status == VMM_OK && !cut && !stream_wants_ref(stream, ref)) {
            stream->batch.left_out++;
            i++;
            continue;
        }
        if (status == VMM_OK) {
            status = stream_enter(stream, ref->pid, error);
        }
        if (status != VMM_OK) {
            *taken = i;
            return status;
        }
        if (VMM_UNLIKELY(stream->last_killed)) {
            stream->references += !cut;
            stream->batch.dropped += !cut;
            stream->resume_vpn = UINT64_MAX;
            i++;
            continue;
        }
        Run *run = stream_run(stream);
        size_t simple = cut ? 0 : stream_add_simple(stream, refs + i, count - i, run);
        if (simple == 0) {
            if (!cut) {
                run->count[(ref->flags & VMM_REF_KERNEL) != 0 ? PROCESS_KERNEL : ref->op]++;
                stream->references++;
            }
            simple = stream_add_long(stream, ref, run, cut);
        }
        i += simple;
        if (simple == 0) {
            break; /* cut by the end of the stretch */
        }
    }
    *taken = i;
    return VMM_OK;
}

/*
 * Gives the page references of the stretch their page ids. With a large directory each waits for
 * two places in memory; they are fetched for page references to come, first the place in the hash
 * table, and when that has arrived the key.
 */
static void stream_intern_stretch(Stream *stream) {
    Directory *directory = &stream->directory;
    const uint64_t *keys = stream->keys;
    size_t count = stream->batch.count - stream->stretch_begin;
    uint32_t *restrict page = stream->batch.page + stream->stretch_begin;
    bool far = directory->table_bits > STREAM_NEAR_BITS;
    for (size_t i = 0; i < count; i++) {
        if (VMM_UNLIKELY(far) && i + 2 * STREAM_FETCH < count) {
            directory_fetch_place(directory, keys[i + 2 * STREAM_FETCH]);
            directory_fetch_key(directory, keys[i + STREAM_FETCH]);
        }
        page[i] = VMM_UNLIKELY(keys[i] == DIRECTORY_NO_KEY) ? DIRECTORY_NO_PAGE
                                                            : directory_intern(directory, keys[i]);
    }
}

int stream_add(Stream *stream, const VMMRef *refs, size_t count, size_t *taken, Error *error) {
    Batch *batch = &stream->batch;
    size_t before = batch->count;
    int status = VMM_OK;
    stream->source = (StreamSource){
        .refs = refs,
        .count = count,
        .first = before,
        .number = stream->references + stream->filtered + batch->left_out,
        .vpn = stream->resume_vpn,
    };
    *taken = 0;
    while (status == VMM_OK && *taken < count && !stream_is_full(stream) &&
           !stream_is_done(stream)) {
        size_t room = batch->room - batch->count;
        size_t length = room < STREAM_STRETCH ? room : STREAM_STRETCH;
        stream->stretch_begin = batch->count;
        stream->stretch_end = batch->count + length;
        status = directory_reserve(&stream->directory, (uint32_t)length, error);
        if (status == VMM_OK) {
            size_t some = 0;
            status = stream->sample_below == 0
                         ? stream_add_stretch(stream, refs + *taken, count - *taken, &some, error)
                         : stream_add_sampled(stream, refs + *taken, count - *taken, &some, error);
            *taken += some;
            stream_intern_stretch(stream);
        }
    }
    stream->places += batch->count - before;
    int resolved = stream_resolve(stream, before, error);
    return status != VMM_OK ? status : resolved;
}
