/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index at the end of a .vmt, for going to a reference. It is read as a whole: a line for each
 * block, which takes less memory than the header of the block takes in the file.
 */
#ifndef VMM_TRACE_VMT_INDEX_H
#define VMM_TRACE_VMT_INDEX_H

#include "source.h"
#include "vmt_decode.h"

typedef struct VmtIndexLine {
    uint64_t offset;
    uint64_t first; /* references before the block */
    uint64_t ordinal;
    uint8_t type;
} VmtIndexLine;

typedef struct VmtIndex {
    VmtIndexLine *lines;
    size_t count; /* 0: there is none that can be used */
    size_t room;
    VmtIndexLine end; /* the last index block */
} VmtIndex;

/* Of a source that can be seeked. An index that is damaged, or contradicts itself, is left empty.
 */
void vmt_index_read(VmtIndex *index, const TraceSource *source, const VmtTrailer *trailer);
void vmt_index_free(VmtIndex *index);

/*
 * The block that holds the reference, or the first one of those behind the reference before it; the
 * end if there is none.
 */
VmtIndexLine vmt_index_find(const VmtIndex *index, uint64_t reference);

/* Reads the block at an offset and unpacks it. False: it is damaged. */
bool vmt_index_read_block(const TraceSource *source, uint64_t offset, VmtSlot *slot);

#endif
