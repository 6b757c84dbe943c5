/* SPDX-License-Identifier: Apache-2.0 */
/* Filtering, splitting and interning of references. */
#include "stream.h"

#include <string.h>

/* Page references added between two looks at the room in the directory. */
enum { STREAM_STRETCH = 4096 };

static int stream_init(Stream *stream, const Settings *settings, unsigned address_bits,
                       size_t capacity, Error *error) {
    Batch *batch = &stream->batch;
    stream->page_shift = settings_page_shift(settings);
    stream->address_limit = settings_address_limit(settings, address_bits);
    stream->refs = settings->refs;
    stream->max_references = settings->max_accesses == 0 ? UINT64_MAX : settings->max_accesses;
    stream->resume_vpn = UINT64_MAX;
    stream->users = 1;
    batch->capacity = capacity;
    batch->page = memory_zalloc(&stream->memory, capacity, sizeof *batch->page);
    batch->op = memory_zalloc(&stream->memory, capacity, sizeof *batch->op);
    batch->runs = memory_zalloc(&stream->memory, capacity, sizeof *batch->runs);
    batch->invalid = memory_zalloc(&stream->memory, capacity, sizeof *batch->invalid);
    if (batch->page == NULL || batch->op == NULL || batch->runs == NULL ||
        batch->invalid == NULL) {
        return error_no_memory(error, capacity * sizeof(Run), "a batch of references");
    }
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
    directory_free(&stream->directory);
    memory_free(&memory, batch->page, batch->capacity, sizeof *batch->page);
    memory_free(&memory, batch->op, batch->capacity, sizeof *batch->op);
    memory_free(&memory, batch->runs, batch->capacity, sizeof *batch->runs);
    memory_free(&memory, batch->invalid, batch->capacity, sizeof *batch->invalid);
    memory_free(&memory, batch->origin, batch->capacity, sizeof *batch->origin);
    memory_free(&memory, batch->next, batch->capacity, sizeof *batch->next);
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

void stream_next_batch(Stream *stream) {
    stream->batch.first = stream->page_references;
    stream->batch.count = 0;
    stream->batch.run_count = 0;
    stream->batch.invalid_count = 0;
}

static bool stream_wants(const Stream *stream, uint8_t op) {
    return stream->refs == REFS_ALL || (stream->refs == REFS_FETCH) == (op == VMM_OP_FETCH);
}

/* The run that the next page reference of `space` belongs to. */
static inline Run *stream_run(Batch *batch, uint32_t space) {
    Run *run = &batch->runs[batch->run_count - 1];
    if (VMM_UNLIKELY(batch->run_count == 0 || run->space != space)) {
        run = &batch->runs[batch->run_count++];
        *run = (Run){.space = space};
    }
    return run;
}

static inline void stream_put(Stream *stream, uint32_t page, uint8_t op, const VMMRef *ref) {
    Batch *batch = &stream->batch;
    if (VMM_UNLIKELY(batch->origin != NULL)) {
        batch->origin[batch->count] = *ref;
    }
    batch->page[batch->count] = page;
    batch->op[batch->count] = op;
    batch->count++;
}

static int stream_change_process(Stream *stream, uint32_t pid, Error *error) {
    uint32_t space = directory_space(&stream->directory, pid, error);
    if (space == DIRECTORY_NO_SPACE) {
        return error != NULL ? error->code : VMM_E_NO_MEMORY;
    }
    stream->last_pid = pid;
    stream->last_space = space;
    stream->any = true;
    return VMM_OK;
}

/*
 * The pages of one reference that crosses page boundaries, goes on after a cut, or leaves the
 * address space. Returns false at the end of the stretch; resume_vpn then says where to go on.
 */
static VMM_NOINLINE bool stream_add_long(Stream *stream, const VMMRef *ref, Run *run, bool cut) {
    Directory *directory = &stream->directory;
    uint64_t size = ref->size == 0 ? 1 : ref->size;
    uint64_t last_byte = ref->addr + size - 1 < ref->addr ? UINT64_MAX : ref->addr + size - 1;
    uint64_t last = last_byte >> stream->page_shift;
    uint64_t vpn = cut ? stream->resume_vpn : ref->addr >> stream->page_shift;
    uint8_t op = (uint8_t)(ref->op | (cut ? OP_CONTINUED : 0));
    for (;; vpn++, op |= OP_CONTINUED) {
        if (stream->batch.count == stream->stretch) {
            stream->resume_vpn = vpn;
            return false;
        }
        uint64_t first_byte = (op & OP_CONTINUED) != 0 ? vpn << stream->page_shift : ref->addr;
        bool valid = first_byte < stream->address_limit;
        uint32_t page = DIRECTORY_NO_PAGE;
        if (valid) {
            page = directory_intern(directory, directory_key(directory, run->space, vpn));
        } else {
            stream->batch.invalid[stream->batch.invalid_count++] = run->space;
        }
        run->length++;
        stream_put(stream, page, op, ref);
        if (vpn == last || !valid) {
            stream->resume_vpn = UINT64_MAX;
            return true;
        }
    }
}

/* One reference. False: it was cut by the end of the stretch. */
static inline bool stream_add_one(Stream *stream, const VMMRef *ref, Run *run) {
    Directory *directory = &stream->directory;
    bool cut = stream->resume_vpn != UINT64_MAX;
    if (!cut) {
        run->count[ref->op]++;
        stream->references++;
    }
    uint64_t vpn = ref->addr >> stream->page_shift;
    uint64_t last_byte = ref->addr + ref->size - (ref->size != 0);
    if (VMM_UNLIKELY(cut || last_byte >> stream->page_shift != vpn ||
                     last_byte >= stream->address_limit)) {
        return stream_add_long(stream, ref, run, cut);
    }
    run->length++;
    stream_put(stream, directory_intern(directory, directory_key(directory, run->space, vpn)),
               ref->op, ref);
    return true;
}

/* Fills the batch up to the end of the stretch. */
static int stream_add_stretch(Stream *stream, const VMMRef *refs, size_t count, size_t *taken,
                              Error *error) {
    size_t i = *taken;
    int status = VMM_OK;
    while (i < count && stream->batch.count < stream->stretch && !stream_is_done(stream)) {
        const VMMRef *ref = &refs[i];
        if (VMM_UNLIKELY(!stream_wants(stream, ref->op))) {
            stream->filtered++;
            i++;
            continue;
        }
        if (VMM_UNLIKELY(!stream->any || ref->pid != stream->last_pid)) {
            status = stream_change_process(stream, ref->pid, error);
            if (status != VMM_OK) {
                break;
            }
        }
        if (!stream_add_one(stream, ref, stream_run(&stream->batch, stream->last_space))) {
            break;
        }
        i++;
    }
    *taken = i;
    return status;
}

int stream_add(Stream *stream, const VMMRef *refs, size_t count, size_t *taken, Error *error) {
    Batch *batch = &stream->batch;
    size_t before = batch->count;
    int status = VMM_OK;
    *taken = 0;
    while (status == VMM_OK && *taken < count && !stream_is_full(stream) &&
           !stream_is_done(stream)) {
        size_t room = batch->capacity - batch->count;
        size_t length = room < STREAM_STRETCH ? room : STREAM_STRETCH;
        stream->stretch = batch->count + length;
        status = directory_reserve(&stream->directory, (uint32_t)length, error);
        if (status == VMM_OK) {
            status = stream_add_stretch(stream, refs, count, taken, error);
        }
    }
    stream->page_references += batch->count - before;
    return status;
}
