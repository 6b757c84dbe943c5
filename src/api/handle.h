/* SPDX-License-Identifier: Apache-2.0 */
/* What a VMM is inside: one machine and the stream that feeds it. */
#ifndef VMM_API_HANDLE_H
#define VMM_API_HANDLE_H

#include "../../include/vmm/sim.h"
#include "../engine/stream.h"
#include "../mm/machine.h"

/* A file or a segment of shared memory of process.h. */
typedef struct NamedFile {
    char *name;
    uint64_t size; /* bytes of a segment */
    bool is_segment;
    bool was_attached; /* since the segment was made */
} NamedFile;

struct VMM {
    VMMConfig config; /* as given, with derived values filled in */
    Machine machine;
    Stream *stream; /* NULL before the first reference; shared by the machines of one run */
    Error error;    /* the last failure */
    int error_code;
    NamedFile *files; /* those that were named so far */
    uint32_t file_count;
    uint32_t file_capacity;
};

/* What process_api.c keeps in a handle. */
void handle_free_files(VMM *vmm, const Memory *memory);

/* The name of the file of process.h that is mapped near an invalid reference. */
void handle_name_file(const VMM *vmm, VMMInvalid *invalid);

/* Notes a failure in the handle and returns its code. */
int handle_fail(VMM *vmm, int code);

/*
 * Gives the machine a stream: `stream`, which it shares from now on, or one of its own with
 * batches of `capacity` page references if that is NULL.
 */
int handle_attach(VMM *vmm, Stream *stream, size_t capacity);

#endif
