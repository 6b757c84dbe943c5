/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with an invalid reference: see invalid.h. */
#include "invalid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/compiler.h"

/* The number of a memory object in the trace's table of files; 0: it is no file of it. */
static uint32_t invalid_file(const Resolver *resolver, uint32_t object) {
    return object == OBJECT_NONE ? 0 : resolver->objects.objects[object].file;
}

static void invalid_tell_mapping(VMMInvalid *invalid, const Resolver *resolver,
                                 const Mapping *mapping, VMMNearby nearby) {
    invalid->nearby = nearby;
    invalid->start = mapping->start;
    invalid->end = mapping->end;
    invalid->offset = mapping->object == OBJECT_NONE ? 0 : mapping->offset;
    invalid->prot = mapping->prot;
    invalid->file = invalid_file(resolver, mapping->object);
    invalid->flags = ((mapping->flags & MAPPING_SHARED) != 0 ? VMM_MAP_SHARED : 0) |
                     ((mapping->flags & MAPPING_GROWS_DOWN) != 0 ? VMM_MAP_GROWSDOWN : 0) |
                     (invalid->file == 0 ? VMM_MAP_ANONYMOUS : 0);
}

/* The mapping that has bytes of the page of the address, else the nearer one of its neighbours. */
static void invalid_look_around(VMMInvalid *invalid, const Resolver *resolver,
                                const Mappings *maps) {
    uint64_t page = invalid->address >> resolver->page_shift << resolver->page_shift;
    uint64_t end = page + (UINT64_C(1) << resolver->page_shift);
    const Mapping *below = NULL;
    const Mapping *above = NULL;
    for (uint32_t i = 0; i < maps->count && above == NULL; i++) {
        const Mapping *mapping = &maps->list[i];
        below = mapping->end <= page ? mapping : below;
        above = mapping->end > page ? mapping : NULL;
    }
    if (above != NULL && above->start < end) {
        invalid_tell_mapping(invalid, resolver, above, VMM_NEARBY_HERE);
    } else if (above != NULL && (below == NULL || above->start - end < page - below->end)) {
        invalid_tell_mapping(invalid, resolver, above, VMM_NEARBY_ABOVE);
    } else if (below != NULL) {
        invalid_tell_mapping(invalid, resolver, below, VMM_NEARBY_BELOW);
    }
}

void invalid_describe(VMMInvalid *invalid, const Resolver *resolver, uint32_t space, bool beyond) {
    uint32_t memory = resolver_within(resolver, space);
    invalid->struct_size = sizeof *invalid;
    if (resolver->on && memory < resolver->space_count) {
        invalid_look_around(invalid, resolver, &resolver->spaces[memory].maps);
    }
    invalid->reason = beyond                               ? VMM_INVALID_BEYOND
                      : invalid->nearby == VMM_NEARBY_HERE ? VMM_INVALID_FORBIDDEN
                                                           : VMM_INVALID_UNMAPPED;
}

void invalid_set_path(VMMInvalid *invalid, const char *path) {
    size_t length = strlen(path);
    size_t room = sizeof invalid->path - 1;
    snprintf(invalid->path, sizeof invalid->path, "%s",
             length > room ? path + length - room : path);
}

/* ---- The sentence --------------------------------------------------------------------------- */

static const char *invalid_deed(uint32_t op) {
    return op == VMM_OP_WRITE ? "writes to" : op == VMM_OP_FETCH ? "fetches from" : "reads";
}

/* A path may hold anything; a sentence is one line. */
static void invalid_clean(const char *path, char *text, size_t size) {
    size_t used = 0;
    for (; *path != '\0' && used + 1 < size; path++) {
        text[used++] = (unsigned char)*path < 0x20 || *path == 0x7f ? '?' : *path;
    }
    text[used] = '\0';
}

/* "private, file /lib/x from 0x1000 on", "a stack", ... */
static void invalid_kind(const VMMInvalid *invalid, char *text, size_t size) {
    const char *shared = (invalid->flags & VMM_MAP_SHARED) != 0 ? "shared" : "private";
    char path[sizeof invalid->path];
    invalid_clean(invalid->path, path, sizeof path);
    if ((invalid->flags & VMM_MAP_GROWSDOWN) != 0) {
        snprintf(text, size, "a stack");
    } else if ((invalid->flags & VMM_MAP_ANONYMOUS) != 0) {
        snprintf(text, size, "%s, anonymous", shared);
    } else if (path[0] == '\0') {
        snprintf(text, size, "%s, file %" PRIu32 " from 0x%" PRIx64 " on", shared, invalid->file,
                 invalid->offset);
    } else {
        snprintf(text, size, "%s, file %s from 0x%" PRIx64 " on", shared, path, invalid->offset);
    }
}

/* "0x4000-0x6000 r--, private, anonymous" */
static void invalid_mapping(const VMMInvalid *invalid, char *text, size_t size) {
    char kind[sizeof invalid->path + 64];
    invalid_kind(invalid, kind, sizeof kind);
    snprintf(text, size, "0x%" PRIx64 "-0x%" PRIx64 " %c%c%c, %s", invalid->start, invalid->end,
             (invalid->prot & VMM_PROT_READ) != 0 ? 'r' : '-',
             (invalid->prot & VMM_PROT_WRITE) != 0 ? 'w' : '-',
             (invalid->prot & VMM_PROT_EXEC) != 0 ? 'x' : '-', kind);
}

/* What is wrong, and the mapping nearby. */
static void invalid_why(const VMMInvalid *invalid, char *text, size_t size) {
    char mapping[sizeof invalid->path + 128];
    invalid_mapping(invalid, mapping, sizeof mapping);
    if (invalid->reason == VMM_INVALID_BEYOND) {
        snprintf(text, size, "beyond the address space");
    } else if (invalid->reason == VMM_INVALID_FORBIDDEN) {
        snprintf(text, size, "which its mapping forbids: %s", mapping);
    } else if (invalid->nearby == VMM_NEARBY_NONE) {
        snprintf(text, size, "where nothing is mapped; the process has no mappings");
    } else if (invalid->nearby == VMM_NEARBY_BELOW) {
        snprintf(text, size,
                 "where nothing is mapped; the nearest mapping ends 0x%" PRIx64 " bytes below: %s",
                 invalid->address - invalid->end, mapping);
    } else {
        snprintf(
            text, size,
            "where nothing is mapped; the nearest mapping begins 0x%" PRIx64 " bytes above: %s%s",
            invalid->start - invalid->address, mapping,
            (invalid->flags & VMM_MAP_GROWSDOWN) != 0 ? ", which may not grow so far (stack-limit)"
                                                      : "");
    }
}

int vmm_invalid_text(const VMMInvalid *invalid, char *text, size_t size) {
    char why[sizeof invalid->path + 256];
    invalid_why(invalid, why, sizeof why);
    const char *deed = invalid_deed(invalid->op);
    if (invalid->by_kernel != 0) {
        return snprintf(text, size,
                        "reference %" PRIu64 ": the kernel, for process %" PRIu32 ", %s 0x%" PRIx64
                        ", %s",
                        invalid->index, invalid->pid, deed, invalid->address, why);
    }
    return snprintf(text, size, "reference %" PRIu64 ": process %" PRIu32 " %s 0x%" PRIx64 ", %s",
                    invalid->index, invalid->pid, deed, invalid->address, why);
}
