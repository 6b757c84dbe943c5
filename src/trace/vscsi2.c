/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block traces of VMware's vscsiStats, version 2: records of 40 bytes.
 *
 *      0  u16 command     2  u16 version     4  u32 number     8  u32 bytes     12  u32 parts
 *     16  u64 block     24  u64 time     32  u64 duration
 *
 * A request references `bytes` bytes from block * 512 on, in process 0: the disk is taken for an
 * address space, such as a file mapped whole. The SCSI commands that read and write are known
 * (vscsi.h); others are no references and counted as ignored.
 */
#include "vscsi.h"

VMM_ALWAYS_INLINE TraceLineKind vscsi2_record(const unsigned char *at, VMMRef **ref,
                                              TraceParse *parse) {
    return vscsi_store(record_u16(at + 0), record_u16(at + 2), 2, record_u64(at + 16),
                       record_u32(at + 8), ref, parse);
}

static TraceStatus vscsi2_parse(TraceParse *parse) {
    return trace_parse_records(parse, vscsi2_record, 40, 1);
}

static bool vscsi2_is_record(const unsigned char *at, uint64_t index, void *user) {
    (void)index, (void)user;
    return at[3] == 2 && at[1] == 0;
}

static TraceSign vscsi2_sniff(const TraceView *view) {
    return vscsi_sniff(view, 40, vscsi2_is_record);
}

static const TraceFormat vscsi2_format = {
    .name = "vscsi2",
    .help = "vscsiStats block trace, version 2: binary records of 40 bytes",
    .expects = "a record of version 2 with a block within 64-bit addresses",
    .marks_writes = true,
    .record_bytes = 40,
    .record_refs = 1,
    .sniff = vscsi2_sniff,
    .parse = vscsi2_parse,
};
