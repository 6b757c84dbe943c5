/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The .vmt format, version 1: what its writer and its reader share. docs/reference/vmt.md is the
 * specification; this is its shape:
 *
 *     file header | block | block | ... | index block | trailer
 *
 *     block   header of VMT_BLOCK_BYTES | payload of packed_bytes
 *
 * Every number is little-endian and goes through the vmt_get/vmt_put functions, never through a
 * struct laid over the bytes. Every count is checked against a limit before memory is taken.
 */
#ifndef VMM_TRACE_VMT_FORMAT_H
#define VMM_TRACE_VMT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../include/vmm/trace.h"
#include "../base/error.h"

#define VMT_VERSION 1
#define VMT_MAGIC "\x89VMT\r\n\x1a\n"
#define VMT_MAGIC_BYTES 8
#define VMT_BLOCK_MAGIC "\xb1vmtblk\n"
#define VMT_TRAILER_MAGIC "\xb1vmtend\n"

#define VMT_HEADER_FIXED 64           /* bytes before the strings */
#define VMT_HEADER_MAX (1024 * 1024)  /* of the whole header */
#define VMT_BLOCK_BYTES 104           /* of a block's header */
#define VMT_TRAILER_BYTES 48          /* the end of a complete file */
#define VMT_ENTRIES 65536             /* at most, in a block of references */
#define VMT_RAW_MAX (4 * 1024 * 1024) /* bytes of a payload, unpacked */
#define VMT_PACKED_MAX (VMT_RAW_MAX + VMT_RAW_MAX / 128 + 1024)
#define VMT_MIN_PAGE_SHIFT 6
#define VMT_MAX_PAGE_SHIFT 40
#define VMT_FILES_MAX (1u << 20) /* numbers of files */
#define VMT_PATH_MAX (1u << 16)  /* bytes of a path */

typedef enum VmtCodec { VMT_CODEC_RUNS = 0, VMT_CODEC_FULL = 1 } VmtCodec;

typedef enum VmtType {
    VMT_BLOCK_RUNS = 1,
    VMT_BLOCK_FULL = 2,
    VMT_BLOCK_EVENTS = 3,
    VMT_BLOCK_FILES = 4,
    VMT_BLOCK_INDEX = 5
} VmtType;

enum { VMT_STORED = 0, VMT_ZSTD = 1 };   /* VmtBlock.compression */
enum { VMT_FLAG_MAPPINGS_COMPLETE = 1 }; /* VmtHeader.flags */

/* The strings of the file header by their tags. */
enum { VMT_STRING_COMMAND = 1, VMT_STRING_HOST, VMT_STRING_RECORDER, VMT_STRING_NOTE };
#define VMT_STRINGS 4

typedef struct VmtHeader {
    uint16_t version;
    uint8_t codec;
    uint8_t page_shift;
    uint32_t flags;
    uint8_t uuid[16];
    uint64_t start_time_ns;
    uint64_t reduction;
    uint64_t original_references;
    const char *strings[VMT_STRINGS]; /* by tag - 1; for reading: into `text` */
    char *text;                       /* reading: all strings with their '\0' */
    size_t text_bytes;
} VmtHeader;

/* A block's header. `first` and the counts of references are 0 where the type has none. */
typedef struct VmtBlock {
    uint8_t type;
    uint8_t compression;
    uint32_t raw_bytes;
    uint32_t packed_bytes;
    uint32_t entries; /* runs, references, events, files, blocks */
    uint32_t pid;
    uint32_t tid;
    uint32_t references;      /* kernel's included */
    uint32_t page_references; /* runs: a crossing reference counts for each page */
    uint32_t kernel_references;
    uint32_t reads; /* without the kernel's, as writes and fetches */
    uint32_t writes;
    uint32_t fetches;
    uint64_t ordinal;  /* of the block, from 0 */
    uint64_t first;    /* references of the trace before this block */
    uint64_t time_ns;  /* CLOCK_MONOTONIC when it began; 0: not known */
    uint64_t checksum; /* xxh64 of the packed payload */
} VmtBlock;

/* The last bytes of a complete file. */
typedef struct VmtTrailer {
    uint64_t index;      /* offset of the last index block, from the start of the file header */
    uint64_t references; /* of the whole trace */
    uint64_t blocks;     /* index blocks included */
    uint64_t events;     /* or VMT_EVENTS_UNKNOWN */
} VmtTrailer;

#define VMT_EVENTS_UNKNOWN UINT64_MAX

/* ---- Bytes ---------------------------------------------------------------------------------- */

static inline void vmt_put16(uint8_t *to, uint16_t value) {
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static inline void vmt_put32(uint8_t *to, uint32_t value) {
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> 8 * i);
    }
}

static inline void vmt_put64(uint8_t *to, uint64_t value) {
    for (unsigned i = 0; i < 8; i++) {
        to[i] = (uint8_t)(value >> 8 * i);
    }
}

static inline uint16_t vmt_get16(const uint8_t *from) {
    return (uint16_t)(from[0] | from[1] << 8);
}

static inline uint32_t vmt_get32(const uint8_t *from) {
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static inline uint64_t vmt_get64(const uint8_t *from) {
    return vmt_get32(from) | (uint64_t)vmt_get32(from + 4) << 32;
}

/* A number of 7 bits a byte, lowest first, the top bit says that more follow. */
#define VMT_VARINT_BYTES 10

static inline uint8_t *vmt_put_varint(uint8_t *to, uint64_t value) {
    for (; value >= 128; value >>= 7) {
        *to++ = (uint8_t)(value | 128);
    }
    *to++ = (uint8_t)value;
    return to;
}

/* Bytes that are read one after the other; `bad` stays once one was missing or a number too long.
 */
typedef struct VmtCursor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
} VmtCursor;

static inline uint64_t vmt_get_varint(VmtCursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            cursor->bad = cursor->bad || (shift == 63 && byte > 1);
            return value;
        }
    }
    cursor->bad = true;
    return 0;
}

/* One that has to fit 32 bits. */
static inline uint32_t vmt_get_varint32(VmtCursor *cursor) {
    uint64_t value = vmt_get_varint(cursor);
    cursor->bad = cursor->bad || value > UINT32_MAX;
    return (uint32_t)value;
}

/* Small numbers of either sign as small numbers: 0, -1, 1, -2, ... */
static inline uint64_t vmt_zigzag(uint64_t difference) {
    return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t vmt_unzigzag(uint64_t value) {
    return value >> 1 ^ (0 - (value & 1));
}

/* How many are missing is an account of the file's: it must not wrap around. */
static inline uint64_t vmt_add_saturated(uint64_t a, uint64_t b) {
    return b < UINT64_MAX - a ? a + b : UINT64_MAX;
}

/* ---- Headers -------------------------------------------------------------------------------- */

uint64_t vmt_checksum(const void *bytes, size_t count);

/* The header as bytes, to be freed with their size; NULL: no memory. Strings are cut to fit. */
uint8_t *vmt_header_make(const VmtHeader *header, size_t *bytes);

/* How long the file header is that begins with these VMT_HEADER_FIXED bytes; 0: not one. */
size_t vmt_header_length(const uint8_t *bytes);

/* Reads a whole header. NULL, or the phrase that says what is wrong; free with vmt_header_free().
 */
const char *vmt_header_read(VmtHeader *header, const uint8_t *bytes, size_t count);
void vmt_header_free(VmtHeader *header);

void vmt_block_put(const VmtBlock *block, uint8_t *bytes);
/* Is this the header of a block, undamaged, of a known kind and within the limits? */
bool vmt_block_get(VmtBlock *block, const uint8_t *bytes);
bool vmt_checksum_fits(const void *bytes, size_t count, uint64_t checksum);

void vmt_trailer_put(const VmtTrailer *trailer, uint8_t *bytes);
bool vmt_trailer_get(VmtTrailer *trailer, const uint8_t *bytes);

/* ---- Compression ---------------------------------------------------------------------------- */

/* "zstd and xxhash", whichever of them this build lacks; NULL: none. */
const char *vmt_missing_libraries(void);

#define VMT_DEFAULT_LEVEL 3

typedef struct VmtPacker VmtPacker;
VmtPacker *vmt_packer_open(int level); /* NULL: no memory */
/* Packs into `to`, of vmt_pack_bound(count) bytes; how many, 0: not smaller, store it. */
size_t vmt_pack(VmtPacker *packer, const void *from, size_t count, void *to, size_t room);
size_t vmt_pack_bound(size_t count);
void vmt_packer_close(VmtPacker *packer);

typedef struct VmtUnpacker VmtUnpacker;
VmtUnpacker *vmt_unpacker_open(void);
/* True if exactly `raw` bytes came out. */
bool vmt_unpack(VmtUnpacker *unpacker, const void *from, size_t count, void *to, size_t raw);
void vmt_unpacker_close(VmtUnpacker *unpacker);

#endif
