/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks that are packed behind the writer's back: threads compress and checksum, the writer goes
 * on collecting references, and takes the packed blocks back in the order in which it gave them.
 *
 *     submit ──► | done | busy | waiting | free | ... |
 *                  └──► take, release
 */
#ifndef VMM_TRACE_VMT_BEHIND_H
#define VMM_TRACE_VMT_BEHIND_H

#include "vmt_format.h"

typedef struct VmtBehind VmtBehind;

/* A block with its bytes as they go to the file; compression, packed_bytes and checksum are set. */
typedef struct VmtPackedBlock {
    VmtBlock block;
    const uint8_t *bytes;
} VmtPackedBlock;

/* NULL: no memory, or no threads to be had. */
VmtBehind *vmt_behind_open(unsigned threads, int level);
void vmt_behind_close(VmtBehind *behind);

/* Is there no room for one more? Then one has to be taken first. */
bool vmt_behind_is_full(VmtBehind *behind);
/* Copies the payload. False: no memory. */
bool vmt_behind_submit(VmtBehind *behind, const VmtBlock *block, const uint8_t *payload);

/*
 * The oldest block, if it is packed or `wait`; NULL: there is none. It is valid until it is
 * released, which must come before the next one is taken.
 */
const VmtPackedBlock *vmt_behind_take(VmtBehind *behind, bool wait);
void vmt_behind_release(VmtBehind *behind);

#endif
