/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block traces of VMware's vscsiStats, version 1: records of 32 bytes.
 *
 *      0  u32 number     4  u32 bytes     8  u32 parts     12  u16 command     14  u16 version
 *     16  u64 block     24  u64 time
 *
 * A request references `bytes` bytes from block * 512 on, in process 0: the disk is taken for an
 * address space, such as a file mapped whole. The SCSI commands that read and write are known
 * (vscsi.h); others are no references and counted as ignored.
 */
#include "vscsi.h"

VMM_ALWAYS_INLINE TraceLineKind vscsi1_record(const unsigned char *at, VMMRef **ref,
                                              TraceParse *parse) {
    return vscsi_store(record_u16(at + 12), record_u16(at + 14), 1, record_u64(at + 16),
                       record_u32(at + 4), ref, parse);
}

static TraceStatus vscsi1_parse(TraceParse *parse) {
    return trace_parse_records(parse, vscsi1_record, 32, 1);
}

static bool vscsi1_is_record(const unsigned char *at, uint64_t index, void *user) {
    (void)index, (void)user;
    return at[15] == 1 && at[13] == 0;
}

static TraceSign vscsi1_sniff(const TraceView *view) {
    return vscsi_sniff(view, 32, vscsi1_is_record);
}

static const TraceFormat vscsi1_format = {
    .name = "vscsi1",
    .help = "vscsiStats block trace, version 1: binary records of 32 bytes",
    .expects = "a record of version 1 with a block within 64-bit addresses",
    .marks_writes = true,
    .record_bytes = 32,
    .record_refs = 1,
    .sniff = vscsi1_sniff,
    .parse = vscsi1_parse,
};
