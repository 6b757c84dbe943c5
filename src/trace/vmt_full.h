/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of full addresses: each reference exactly as it was given, at a quarter of a byte.
 *
 *     code of each reference | kinds of those that nobody foresaw | address differences
 *
 * Both sides keep the same model of the program and the code says which of its guesses came true. A
 * guess comes from a context: the instruction block that was fetched last, and how many references
 * ago. There the same instruction is at work as the last time, so it will do the same to the same
 * number of bytes, at the same address or at the same distance again. One table knows the last
 * fetch, one the last two, which foresees what depends on the way there. A fetch is foreseen in the
 * same way. The model is forgotten at the end of a block.
 */
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

/* The decoder's model, to be used for one block after the other. */
typedef struct VmtModel VmtModel;
VmtModel *vmt_model_open(void);
void vmt_model_close(VmtModel *model);

/* NULL, or the phrase that says what is wrong with the payload. `to` has room for VMT_ENTRIES. */
const char *vmt_full_decode(VmtModel *model, VMMRef *to, const VmtBlock *block,
                            const uint8_t *payload);

#endif
