/* SPDX-License-Identifier: Apache-2.0 */
/* What both versions of vscsiStats' records have in common. */
#ifndef VMM_TRACE_VSCSI_H
#define VMM_TRACE_VSCSI_H

#include "record.h"

enum { VSCSI_BLOCK_BYTES = 512 };

/* The SCSI command as a VMMOp: READ and WRITE of 6, 10, 12 and 16 bytes; else VMM_OP_COUNT. */
static inline unsigned vscsi_op(unsigned command) {
    switch (command) {
    case 0x08:
    case 0x28:
    case 0xa8:
    case 0x88:
        return VMM_OP_READ;
    case 0x0a:
    case 0x2a:
    case 0xaa:
    case 0x8a:
        return VMM_OP_WRITE;
    default:
        return VMM_OP_COUNT;
    }
}

VMM_ALWAYS_INLINE TraceLineKind vscsi_store(unsigned command, unsigned version, unsigned expected,
                                            uint64_t block, uint32_t bytes, VMMRef **ref,
                                            TraceParse *parse) {
    uint64_t addr;
    if (VMM_UNLIKELY(version >> 8 != expected)) {
        parse->problem = "the version is another one";
        return TRACE_LINE_BAD;
    }
    if (VMM_UNLIKELY(__builtin_mul_overflow(block, VSCSI_BLOCK_BYTES, &addr))) {
        parse->problem = "the block lies beyond 64-bit addresses";
        return TRACE_LINE_BAD;
    }
    unsigned op = vscsi_op(command);
    if (op == VMM_OP_COUNT) {
        return TRACE_LINE_IGNORED;
    }
    record_store(ref, addr, bytes != 0 ? bytes : 1, op);
    return TRACE_LINE_REF;
}

/* Detection: the version in every record. */
static inline TraceSign vscsi_sniff(const TraceView *view, size_t bytes,
                                    bool (*is_record)(const unsigned char *, uint64_t, void *)) {
    if (!record_all(view, bytes, is_record, NULL)) {
        return TRACE_SIGN_NONE;
    }
    return view->count / bytes < RECORD_MANY ? TRACE_SIGN_SHAPE : TRACE_SIGN_SURE;
}

#endif
