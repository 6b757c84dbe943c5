/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events and files as bytes: records that begin with their length, so that what later versions add
 * to a record is passed over.
 *
 *     event   | length | type | field, value | field, value | ...     fields that are 0 are left
 * out file    | length | number | device | inode | bytes of the path | path |
 *
 * And the table of files: the writer looks a file's number up in it, the reader fills it.
 */
#ifndef VMM_TRACE_VMT_EVENTS_H
#define VMM_TRACE_VMT_EVENTS_H

#include "vmt_format.h"

/* At most: an event's length, type and 11 fields; a file's numbers without its path. */
#define VMT_EVENT_BYTES (2 * VMT_VARINT_BYTES + 11 * (1 + VMT_VARINT_BYTES))
#define VMT_FILE_BYTES (5 * VMT_VARINT_BYTES)

/* Return the byte behind the record. */
uint8_t *vmt_event_put(uint8_t *to, const VMMEvent *event);
uint8_t *vmt_file_put(uint8_t *to, uint32_t number, const VMMTraceFile *file);

/* The record at the cursor; false: it is damaged, and so is what follows. */
bool vmt_event_get(VmtCursor *cursor, VMMEvent *event);

/* The files by number, from 1. They own their paths and stay where they are. */
typedef struct VmtFiles {
    VMMTraceFile **files; /* [number - 1]; NULL: not met */
    uint32_t count;
    uint32_t room;
    uint64_t path_bytes; /* of all paths */
    uint32_t *slots;     /* for looking up: number, 0: free; a power of two */
    uint32_t slot_count;
} VmtFiles;

#define VMT_PATHS_MAX (64u * 1024 * 1024) /* bytes of all paths */

/*
 * The number of a file, a new one if it has none; 0: no memory, or a limit. Where device and inode
 * are known (neither is 0), they alone say which file it is, and it keeps the path it had first.
 */
uint32_t vmt_files_number(VmtFiles *files, const VMMTraceFile *file);

/* Takes the record at the cursor; what is known already stays. False as vmt_event_get(). */
bool vmt_files_get(VmtFiles *files, VmtCursor *cursor);

void vmt_files_free(VmtFiles *files);

#endif
