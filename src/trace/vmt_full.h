/* SPDX-License-Identifier: Apache-2.0 */
/* The codec of full addresses: each reference exactly as it was given. */
#ifndef VMM_TRACE_VMT_FULL_H
#define VMM_TRACE_VMT_FULL_H

#include "vmt_format.h"

typedef struct VmtFullEncoder VmtFullEncoder;

/* NULL: no memory. */
VmtFullEncoder *vmt_full_open(void);
void vmt_full_close(VmtFullEncoder *encoder);

/* Takes references of one thread: how many were taken; fewer than given: the block is full. */
size_t vmt_full_add(VmtFullEncoder *encoder, const VMMRef *refs, size_t count);

bool vmt_full_pending(const VmtFullEncoder *encoder);

/* Ends the block: its payload (valid until the next call) and the counts of its header. */
const uint8_t *vmt_full_take(VmtFullEncoder *encoder, VmtBlock *block);

/* NULL, or the phrase that says what is wrong with the payload. `to` has room for VMT_ENTRIES. */
const char *vmt_full_decode(VMMRef *to, const VmtBlock *block, const uint8_t *payload);

#endif
