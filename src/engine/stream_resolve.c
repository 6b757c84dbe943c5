/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From translations to object pages, once events have switched the resolver on: nearly every
 * element takes one look at the rights of its translation; the few that need more are put on the
 * batch's list of special elements.
 */
#include "stream.h"

enum { STREAM_POPULATED = 256 }; /* pages that are brought into memory in one batch */

/* The object pages of batches have an array of their own from the first event on. */
static int stream_split_objects(Stream *stream, Error *error) {
    Batch *batch = &stream->batch;
    if (stream->objects == NULL) {
        stream->objects = memory_zalloc(&stream->memory, batch->capacity, sizeof *stream->objects);
        if (stream->objects == NULL) {
            return error_no_memory(error, batch->capacity * sizeof *stream->objects,
                                   "object pages of a batch");
        }
    }
    batch->object = stream->objects;
    return VMM_OK;
}

int stream_apply(Stream *stream, const VMMEvent *event, bool is_shared_memory, Error *error) {
    int status = resolver_apply(&stream->resolver, event, is_shared_memory, error);
    stream->any = false; /* the process may run in another address space now */
    return status;
}

int stream_populate(Stream *stream, uint32_t pid, uint64_t *address, bool *more, Error *error) {
    VMMRef refs[STREAM_POPULATED];
    size_t count = 0;
    bool write;
    while (count < STREAM_POPULATED &&
           resolver_next_populated(&stream->resolver, address, &write)) {
        refs[count++] = (VMMRef){.addr = *address,
                                 .pid = pid,
                                 .size = 1,
                                 .op = write ? VMM_OP_WRITE : VMM_OP_READ,
                                 .flags = VMM_REF_KERNEL};
        *address += UINT64_C(1) << stream->page_shift;
    }
    *more = count > 0;
    stream_next_batch(stream);
    if (count == 0) {
        return VMM_OK;
    }
    uint64_t references = stream->references; /* these are none of the trace */
    uint64_t most = stream->max_references;
    size_t taken;
    stream->max_references = UINT64_MAX;
    int status = stream_add(stream, refs, count, &taken, error);
    stream->max_references = most;
    stream->references = references;
    return status;
}

static int stream_add_special(Stream *stream, size_t at, const Resolved *resolved, Error *error) {
    Batch *batch = &stream->batch;
    if (batch->special_count == batch->special_capacity) {
        size_t capacity = batch->special_capacity * 2 + 64;
        Special *grown = memory_grow(&stream->memory, batch->special, batch->special_capacity,
                                     capacity, sizeof *grown);
        if (grown == NULL) {
            return error_no_memory(error, capacity * sizeof *grown, "copies of pages");
        }
        batch->special = grown;
        batch->special_capacity = capacity;
    }
    batch->special[batch->special_count++] = (Special){(uint32_t)at, *resolved};
    return VMM_OK;
}

/* What loads through a translation lead to, or OBJECT_NO_PAGE: they are forbidden. */
static uint32_t stream_resolve_load(Resolver *resolver, uint32_t page) {
    if (resolver_is_plain(resolver, page, false)) {
        return resolver->object_of[page];
    }
    Resolved load = resolver_reference(resolver, page, false);
    return load.how == RESOLVED_PLAINLY ? load.object : OBJECT_NO_PAGE;
}

/* An element that needs a closer look. */
static int stream_resolve_element(Stream *stream, size_t i, Error *error) {
    Resolver *resolver = &stream->resolver;
    uint32_t page = stream->batch.page[i];
    bool write = (stream->batch.op[i] & OP_WRITE_BIT) != 0;
    Resolved resolved = resolver_reference(resolver, page, write);
    if (resolved.how == RESOLVED_FORBIDDEN && !resolver->failed) {
        stream_meet_invalid(stream, i, false);
    }
    if (resolved.how == RESOLVED_FORBIDDEN && write &&
        batch_repeat(&stream->batch, i) >= batch_stores(&stream->batch, i)) {
        resolved.object = stream_resolve_load(resolver, page);
    }
    if (resolver->failed) {
        return error_no_memory(error, resolver->pages * (size_t)4, "address spaces");
    }
    stream->batch.object[i] = resolved.object;
    bool plain = resolved.how == RESOLVED_PLAINLY && resolved.locked == OBJECT_NO_PAGE &&
                 resolved.unlocked == OBJECT_NO_PAGE;
    return plain ? VMM_OK : stream_add_special(stream, i, &resolved, error);
}

static int stream_resolve_elements(Stream *stream, size_t from, Error *error) {
    Resolver *resolver = &stream->resolver;
    Batch *batch = &stream->batch;
    int status = stream_split_objects(stream, error);
    status = status == VMM_OK ? resolver_reserve(resolver, error) : status;
    for (size_t i = from; status == VMM_OK && i < batch->count; i++) {
        uint32_t page = batch->page[i];
        size_t specials = batch->special_count;
        if (page == DIRECTORY_NO_PAGE) {
            batch->object[i] = OBJECT_NO_PAGE;
            if (stream_meet_invalid(stream, i, true)) {
                break;
            }
            continue;
        }
        batch->object[i] = resolver->object_of[page];
        if (VMM_UNLIKELY(!resolver_is_plain(resolver, page, (batch->op[i] & OP_WRITE_BIT) != 0))) {
            status = stream_resolve_element(stream, i, error);
        }
        if (stream->fatal != 0) {
            break;
        }
        if (stream->by_pool && status == VMM_OK && batch->special_count == specials &&
            resolver->objects.charged[batch->object[i]] !=
                directory_space_of(&stream->directory, page)) {
            status = stream_add_special(stream, i, &(Resolved){.object = batch->object[i]}, error);
        }
    }
    return status;
}

int stream_resolve(Stream *stream, size_t from, Error *error) {
    if (!stream->resolver.on) {
        if (stream->batch.invalid_count != 0) {
            stream_check_limit(stream, from);
        }
        return VMM_OK;
    }
    int status = stream->resolver.failed
                     ? error_no_memory(error, stream->resolver.pages * (size_t)4, "address spaces")
                     : stream_resolve_elements(stream, from, error);
    if (status != VMM_OK) { /* nobody may see elements without object pages, */
        stream_next_batch(stream);
        stream->resolver.failed = true; /* and what was resolved before them is lost */
    }
    return status;
}
