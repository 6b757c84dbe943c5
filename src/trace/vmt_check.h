/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a .vmt says twice, compared: the lines of its index with the headers of its blocks, its
 * trailer with what came before. Only who asks for it pays for it: a line is kept for each block
 * until the index block that tells of it.
 */
#ifndef VMM_TRACE_VMT_CHECK_H
#define VMM_TRACE_VMT_CHECK_H

#include "vmt_decode.h"

/* What an index line tells of a block. */
typedef struct VmtCheckLine {
    uint64_t offset;
    uint64_t type;
    uint64_t references;
    uint64_t pid;
    uint64_t tid;
    uint64_t time_ns;
} VmtCheckLine;

typedef struct VmtCheck {
    VmtCheckLine *lines; /* of the blocks behind the last index block */
    size_t count;
    size_t room;
    uint64_t index;  /* offset of the last index block; 0: none yet */
    uint64_t events; /* records in blocks of events */
} VmtCheck;

/* A sentence's part about what was found. */
#define VMT_CHECK_BYTES 160

/* A block that is no index block was passed. False: no memory. */
bool vmt_check_block(VmtCheck *check, const VmtSlot *slot);

/* An index block was passed. False: it contradicts the blocks, `found` says how. */
bool vmt_check_index(VmtCheck *check, const VmtSlot *slot, char found[VMT_CHECK_BYTES]);

/* The end was reached. NULL, or what is wrong with the trailer. */
const char *vmt_check_trailer(const VmtCheck *check, const VmtTrailer *trailer);

void vmt_check_free(VmtCheck *check);

#endif
