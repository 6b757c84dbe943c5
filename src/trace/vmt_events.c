/* SPDX-License-Identifier: Apache-2.0 */
/* Events and the table of files, written and read. vmt_events.h has the picture. */
#include "vmt_events.h"

#include "../base/memory.h"
#include "../base/rng.h"

/* ---- Events --------------------------------------------------------------------------------- */

/* The fields of an event by number: append, never renumber. */
#define EVENT_FIELDS(X) \
    X(1, pid)           \
    X(2, tid)           \
    X(3, start)         \
    X(4, length)        \
    X(5, target)        \
    X(6, value)         \
    X(7, offset)        \
    X(8, time_ns)       \
    X(9, prot)          \
    X(10, flags)        \
    X(11, file)

/* A record behind its length, which is known only afterwards. */
static uint8_t *events_record(uint8_t *to, const uint8_t *body, size_t length) {
    to = vmt_put_varint(to, length);
    memcpy(to, body, length);
    return to + length;
}

uint8_t *vmt_event_put(uint8_t *to, const VMMEvent *event) {
    uint8_t body[VMT_EVENT_BYTES];
    uint8_t *at = vmt_put_varint(body, event->type);
#define EVENT_PUT(number, field)               \
    if (event->field != 0) {                   \
        *at++ = number;                        \
        at = vmt_put_varint(at, event->field); \
    }
    EVENT_FIELDS(EVENT_PUT)
#undef EVENT_PUT
    return events_record(to, body, (size_t)(at - body));
}

/* The record at the cursor as a cursor of its own, which the outer one steps over. */
static VmtCursor events_open_record(VmtCursor *cursor) {
    uint64_t length = vmt_get_varint(cursor);
    VmtCursor record = {cursor->at, cursor->at, cursor->bad};
    if (cursor->bad || length > (uint64_t)(cursor->end - cursor->at)) {
        record.bad = true;
        return record;
    }
    cursor->at += length;
    record.end = cursor->at;
    return record;
}

bool vmt_event_get(VmtCursor *cursor, VMMEvent *event) {
    VmtCursor record = events_open_record(cursor);
    *event = (VMMEvent){.struct_size = sizeof *event};
    event->type = vmt_get_varint32(&record);
    while (!record.bad && record.at < record.end) {
        uint64_t number = vmt_get_varint(&record);
        uint64_t value = vmt_get_varint(&record);
        switch (number) {
#define EVENT_GET(number, field)                                    \
    case number:                                                    \
        event->field = (__typeof__(event->field))value;             \
        record.bad = record.bad || (uint64_t)event->field != value; \
        break;
            EVENT_FIELDS(EVENT_GET)
#undef EVENT_GET
        default: /* of a later version */
            break;
        }
    }
    return !record.bad;
}

/* ---- Files ---------------------------------------------------------------------------------- */

uint8_t *vmt_file_put(uint8_t *to, uint32_t number, const VMMTraceFile *file) {
    uint8_t numbers[VMT_FILE_BYTES];
    size_t path_bytes = strlen(file->path);
    uint8_t *at = vmt_put_varint(numbers, number);
    at = vmt_put_varint(at, file->device);
    at = vmt_put_varint(at, file->inode);
    at = vmt_put_varint(at, path_bytes);
    size_t length = (size_t)(at - numbers);
    to = vmt_put_varint(to, length + path_bytes);
    memcpy(to, numbers, length);
    memcpy(to + length, file->path, path_bytes);
    return to + length + path_bytes;
}

/* Makes files[number - 1]; false: no memory, or a limit. */
static bool files_add(VmtFiles *files, uint32_t number, const VMMTraceFile *about,
                      size_t path_bytes) {
    if (number == 0 || number > VMT_FILES_MAX || path_bytes >= VMT_PATH_MAX ||
        files->path_bytes + path_bytes > VMT_PATHS_MAX) {
        return false;
    }
    if (number > files->room) {
        uint32_t room = number < 32 ? 64 : 2 * number;
        VMMTraceFile **grown =
            memory_grow(&memory_default, files->files, files->room, room, sizeof *files->files);
        if (grown == NULL) {
            return false;
        }
        memset(grown + files->room, 0, (room - files->room) * sizeof *grown);
        files->files = grown;
        files->room = room;
    }
    VMMTraceFile *file = memory_zalloc(&memory_default, sizeof *file + path_bytes + 1, 1);
    if (file == NULL) {
        return false;
    }
    char *path = (char *)(file + 1);
    memcpy(path, about->path, path_bytes);
    *file = (VMMTraceFile){about->device, about->inode, path};
    files->files[number - 1] = file;
    files->count = number > files->count ? number : files->count;
    files->path_bytes += path_bytes;
    return true;
}

bool vmt_files_get(VmtFiles *files, VmtCursor *cursor) {
    VmtCursor record = events_open_record(cursor);
    uint32_t number = vmt_get_varint32(&record);
    VMMTraceFile about = {.device = 0};
    about.device = vmt_get_varint(&record);
    about.inode = vmt_get_varint(&record);
    uint64_t path_bytes = vmt_get_varint(&record);
    if (record.bad || path_bytes > (uint64_t)(record.end - record.at) ||
        memchr(record.at, '\0', (size_t)path_bytes) != NULL) {
        return false;
    }
    if (number >= 1 && number <= files->count && files->files[number - 1] != NULL) {
        return true;
    }
    about.path = (const char *)record.at;
    return files_add(files, number, &about, (size_t)path_bytes);
}

/* A file is what it is under any name; only where device or inode is not known, its path tells. */
static bool files_is_known_by_inode(const VMMTraceFile *file) {
    return file->device != 0 && file->inode != 0;
}

static bool files_are_the_same(const VMMTraceFile *a, const VMMTraceFile *b) {
    return a->device == b->device && a->inode == b->inode &&
           (files_is_known_by_inode(a) || strcmp(a->path, b->path) == 0);
}

static uint64_t files_hash(const VMMTraceFile *file) {
    uint64_t hash = rng_mix(file->device ^ rng_mix(file->inode));
    const char *path = files_is_known_by_inode(file) ? "" : file->path;
    for (const char *c = path; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    }
    return rng_mix(hash);
}

/* The slot of a file, or the free one where it belongs. */
static uint32_t *files_slot(VmtFiles *files, const VMMTraceFile *file) {
    uint64_t at = files_hash(file);
    for (;; at++) {
        uint32_t *slot = &files->slots[at % files->slot_count];
        const VMMTraceFile *other = *slot != 0 ? files->files[*slot - 1] : NULL;
        if (other == NULL || files_are_the_same(other, file)) {
            return slot;
        }
    }
}

static bool files_grow_slots(VmtFiles *files) {
    uint32_t count = files->slot_count == 0 ? 64 : 2 * files->slot_count;
    uint32_t *fresh = memory_zalloc(&memory_default, count, sizeof *fresh);
    if (fresh == NULL) {
        return false;
    }
    memory_free(&memory_default, files->slots, files->slot_count, sizeof *files->slots);
    files->slots = fresh;
    files->slot_count = count;
    for (uint32_t i = 0; i < files->count; i++) {
        *files_slot(files, files->files[i]) = i + 1;
    }
    return true;
}

uint32_t vmt_files_number(VmtFiles *files, const VMMTraceFile *file) {
    if (2 * files->count >= files->slot_count && !files_grow_slots(files)) {
        return 0;
    }
    uint32_t *slot = files_slot(files, file);
    if (*slot == 0 && files_add(files, files->count + 1, file, strlen(file->path))) {
        *slot = files->count;
    }
    return *slot;
}

void vmt_files_free(VmtFiles *files) {
    for (uint32_t i = 0; i < files->count; i++) {
        VMMTraceFile *file = files->files[i];
        if (file != NULL) {
            memory_free(&memory_default, file, sizeof *file + strlen(file->path) + 1, 1);
        }
    }
    memory_free(&memory_default, files->files, files->room, sizeof *files->files);
    memory_free(&memory_default, files->slots, files->slot_count, sizeof *files->slots);
    *files = (VmtFiles){.files = NULL};
}
