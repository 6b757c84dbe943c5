/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of a .vmt as bytes, its checksum and its compression. */
#include "vmt_format.h"

#include "../base/memory.h"

#ifdef VMM_HAVE_XXHASH
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif
#ifdef VMM_HAVE_ZSTD
#include <zstd.h>
#endif

/* ---- Checksum ------------------------------------------------------------------------------- */

#ifdef VMM_HAVE_XXHASH

uint64_t vmt_checksum(const void *bytes, size_t count) {
    return XXH64(bytes, count, 0);
}

#else

uint64_t vmt_checksum(const void *bytes, size_t count) {
    (void)bytes, (void)count;
    return 0;
}

#endif

/* A fuzzer that had to guess checksums would not get far: VMM_VMT_UNCHECKED lets all pass. */
bool vmt_checksum_fits(const void *bytes, size_t count, uint64_t checksum) {
#ifdef VMM_VMT_UNCHECKED
    (void)bytes, (void)count, (void)checksum;
    return true;
#else
    return vmt_checksum(bytes, count) == checksum;
#endif
}

const char *vmt_missing_libraries(void) {
#if !defined(VMM_HAVE_XXHASH) && !defined(VMM_HAVE_ZSTD)
    return "xxhash and libzstd";
#elif !defined(VMM_HAVE_XXHASH)
    return "xxhash";
#elif !defined(VMM_HAVE_ZSTD)
    return "libzstd";
#else
    return NULL;
#endif
}

/* ---- The file header ------------------------------------------------------------------------ */

/*
 *     0  magic    8  version  10 codec  11 page shift  12 bytes of the header  16 flags  20 zero
 *    24  uuid    40  start time        48 reduction    56 original references
 *    64  fields: tag (16 bits), length (32 bits), bytes
 *        xxh64 of all before it
 */
enum { VMT_FIELD_BYTES = 6, VMT_STRING_MAX = 200 * 1024, VMT_SUM_BYTES = 8 };

static size_t vmt_string_length(const char *string) {
    size_t length = string != NULL ? strlen(string) : 0;
    return length < VMT_STRING_MAX ? length : VMT_STRING_MAX;
}

uint8_t *vmt_header_make(const VmtHeader *header, size_t *bytes) {
    size_t size = VMT_HEADER_FIXED + VMT_SUM_BYTES;
    for (int i = 0; i < VMT_STRINGS; i++) {
        size += VMT_FIELD_BYTES + vmt_string_length(header->strings[i]);
    }
    uint8_t *to = memory_zalloc(&memory_default, size, 1);
    if (to == NULL) {
        return NULL;
    }
    memcpy(to, VMT_MAGIC, VMT_MAGIC_BYTES);
    vmt_put16(to + 8, header->version);
    to[10] = header->codec;
    to[11] = header->page_shift;
    vmt_put32(to + 12, (uint32_t)size);
    vmt_put32(to + 16, header->flags);
    memcpy(to + 24, header->uuid, sizeof header->uuid);
    vmt_put64(to + 40, header->start_time_ns);
    vmt_put64(to + 48, header->reduction);
    vmt_put64(to + 56, header->original_references);
    uint8_t *at = to + VMT_HEADER_FIXED;
    for (int i = 0; i < VMT_STRINGS; i++) {
        size_t length = vmt_string_length(header->strings[i]);
        vmt_put16(at, (uint16_t)(i + 1));
        vmt_put32(at + 2, (uint32_t)length);
        if (length > 0) {
            memcpy(at + VMT_FIELD_BYTES, header->strings[i], length);
        }
        at += VMT_FIELD_BYTES + length;
    }
    vmt_put64(at, vmt_checksum(to, size - VMT_SUM_BYTES));
    *bytes = size;
    return to;
}

size_t vmt_header_length(const uint8_t *bytes) {
    size_t length = vmt_get32(bytes + 12);
    bool fits = memcmp(bytes, VMT_MAGIC, VMT_MAGIC_BYTES) == 0 &&
                length >= VMT_HEADER_FIXED + VMT_SUM_BYTES && length <= VMT_HEADER_MAX;
    return fits ? length : 0;
}

/* The strings, each with a '\0' behind it; fields with unknown tags are passed over. */
static bool vmt_header_strings(VmtHeader *header, const uint8_t *at, const uint8_t *end) {
    char *text = header->text;
    while (end - at >= VMT_FIELD_BYTES) {
        unsigned tag = vmt_get16(at);
        size_t length = vmt_get32(at + 2);
        at += VMT_FIELD_BYTES;
        if (length > (size_t)(end - at)) {
            return false;
        }
        if (tag >= 1 && tag <= VMT_STRINGS) {
            memcpy(text, at, length);
            header->strings[tag - 1] = text;
            text[length] = '\0';
            text += length + 1;
        }
        at += length;
    }
    return at == end;
}

const char *vmt_header_read(VmtHeader *header, const uint8_t *bytes, size_t count) {
    *header = (VmtHeader){.version = vmt_get16(bytes + 8),
                          .codec = bytes[10],
                          .page_shift = bytes[11],
                          .flags = vmt_get32(bytes + 16),
                          .start_time_ns = vmt_get64(bytes + 40),
                          .reduction = vmt_get64(bytes + 48),
                          .original_references = vmt_get64(bytes + 56),
                          .strings = {"", "", "", ""}};
    memcpy(header->uuid, bytes + 24, sizeof header->uuid);
    size_t body = count - VMT_SUM_BYTES;
    if (!vmt_checksum_fits(bytes, body, vmt_get64(bytes + body))) {
        return "the checksum of the file header does not fit";
    }
    if (header->version != VMT_VERSION) {
        return "its version is not 1";
    }
    if (header->codec > VMT_CODEC_FULL) {
        return "its codec is not known";
    }
    if (header->page_shift < VMT_MIN_PAGE_SHIFT || header->page_shift > VMT_MAX_PAGE_SHIFT) {
        return "its page size is out of bounds";
    }
    /* A field is longer than the '\0' that its string gets. */
    header->text_bytes = count;
    header->text = memory_zalloc(&memory_default, count, 1);
    if (header->text == NULL) {
        return "there is no memory for its strings";
    }
    bool fits = vmt_header_strings(header, bytes + VMT_HEADER_FIXED, bytes + body);
    return fits ? NULL : "its strings do not fit their lengths";
}

void vmt_header_free(VmtHeader *header) {
    memory_free(&memory_default, header->text, header->text_bytes, 1);
    header->text = NULL;
}

/* ---- The header of a block ------------------------------------------------------------------ */

/*
 *     0  magic      8  xxh64 of bytes 16 to the end of the header
 *    16  type      17  compression    18 zero      20 raw bytes   24 packed bytes   28 entries
 *    32  pid       36  tid            40 references   44 page references   48 kernel references
 *    52  reads     56  writes         60 fetches
 *    64  ordinal   72  first          80 time         88 xxh64 of the payload       96 zero
 */
enum { VMT_SUMMED = 16 };

void vmt_block_put(const VmtBlock *block, uint8_t *bytes) {
    memset(bytes, 0, VMT_BLOCK_BYTES);
    memcpy(bytes, VMT_BLOCK_MAGIC, VMT_MAGIC_BYTES);
    bytes[16] = block->type;
    bytes[17] = block->compression;
    vmt_put32(bytes + 20, block->raw_bytes);
    vmt_put32(bytes + 24, block->packed_bytes);
    vmt_put32(bytes + 28, block->entries);
    vmt_put32(bytes + 32, block->pid);
    vmt_put32(bytes + 36, block->tid);
    vmt_put32(bytes + 40, block->references);
    vmt_put32(bytes + 44, block->page_references);
    vmt_put32(bytes + 48, block->kernel_references);
    vmt_put32(bytes + 52, block->reads);
    vmt_put32(bytes + 56, block->writes);
    vmt_put32(bytes + 60, block->fetches);
    vmt_put64(bytes + 64, block->ordinal);
    vmt_put64(bytes + 72, block->first);
    vmt_put64(bytes + 80, block->time_ns);
    vmt_put64(bytes + 88, block->checksum);
    vmt_put64(bytes + 8, vmt_checksum(bytes + VMT_SUMMED, VMT_BLOCK_BYTES - VMT_SUMMED));
}

static bool vmt_block_within_limits(const VmtBlock *block) {
    bool of_references = block->type == VMT_BLOCK_RUNS || block->type == VMT_BLOCK_FULL;
    uint64_t sum = (uint64_t)block->reads + block->writes + block->fetches;
    return block->type != 0 && block->raw_bytes <= VMT_RAW_MAX &&
           block->packed_bytes <= VMT_PACKED_MAX && block->compression <= VMT_ZSTD &&
           (block->compression == VMT_ZSTD || block->raw_bytes == block->packed_bytes) &&
           (of_references ? block->entries >= 1 && block->entries <= VMT_ENTRIES
                          : block->references == 0) &&
           block->references == sum + block->kernel_references;
}

bool vmt_block_get(VmtBlock *block, const uint8_t *bytes) {
    if (memcmp(bytes, VMT_BLOCK_MAGIC, VMT_MAGIC_BYTES) != 0 ||
        !vmt_checksum_fits(bytes + VMT_SUMMED, VMT_BLOCK_BYTES - VMT_SUMMED,
                           vmt_get64(bytes + 8))) {
        return false;
    }
    *block = (VmtBlock){
        .type = bytes[16],
        .compression = bytes[17],
        .raw_bytes = vmt_get32(bytes + 20),
        .packed_bytes = vmt_get32(bytes + 24),
        .entries = vmt_get32(bytes + 28),
        .pid = vmt_get32(bytes + 32),
        .tid = vmt_get32(bytes + 36),
        .references = vmt_get32(bytes + 40),
        .page_references = vmt_get32(bytes + 44),
        .kernel_references = vmt_get32(bytes + 48),
        .reads = vmt_get32(bytes + 52),
        .writes = vmt_get32(bytes + 56),
        .fetches = vmt_get32(bytes + 60),
        .ordinal = vmt_get64(bytes + 64),
        .first = vmt_get64(bytes + 72),
        .time_ns = vmt_get64(bytes + 80),
        .checksum = vmt_get64(bytes + 88),
    };
    return vmt_block_within_limits(block);
}

/* ---- The trailer ---------------------------------------------------------------------------- */

/*     0  magic   8  xxh64 of what follows   16  index   24  references   32  blocks   40  events */
void vmt_trailer_put(const VmtTrailer *trailer, uint8_t *bytes) {
    memcpy(bytes, VMT_TRAILER_MAGIC, VMT_MAGIC_BYTES);
    vmt_put64(bytes + 16, trailer->index);
    vmt_put64(bytes + 24, trailer->references);
    vmt_put64(bytes + 32, trailer->blocks);
    vmt_put64(bytes + 40, trailer->events);
    vmt_put64(bytes + 8, vmt_checksum(bytes + VMT_SUMMED, VMT_TRAILER_BYTES - VMT_SUMMED));
}

bool vmt_trailer_get(VmtTrailer *trailer, const uint8_t *bytes) {
    *trailer = (VmtTrailer){
        .index = vmt_get64(bytes + 16),
        .references = vmt_get64(bytes + 24),
        .blocks = vmt_get64(bytes + 32),
        .events = vmt_get64(bytes + 40),
    };
    return memcmp(bytes, VMT_TRAILER_MAGIC, VMT_MAGIC_BYTES) == 0 &&
           vmt_checksum_fits(bytes + VMT_SUMMED, VMT_TRAILER_BYTES - VMT_SUMMED,
                             vmt_get64(bytes + 8));
}

/* ---- Compression ---------------------------------------------------------------------------- */

#ifdef VMM_HAVE_ZSTD

/* The library's own types behind names of ours. */
VmtPacker *vmt_packer_open(int level) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (context != NULL) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    }
    return (VmtPacker *)context;
}

size_t vmt_pack(VmtPacker *packer, const void *from, size_t count, void *to, size_t room) {
    size_t packed = ZSTD_compress2((ZSTD_CCtx *)packer, to, room, from, count);
    return !ZSTD_isError(packed) && packed < count ? packed : 0;
}

size_t vmt_pack_bound(size_t count) {
    return ZSTD_compressBound(count);
}

void vmt_packer_close(VmtPacker *packer) {
    ZSTD_freeCCtx((ZSTD_CCtx *)packer);
}

VmtUnpacker *vmt_unpacker_open(void) {
    return (VmtUnpacker *)ZSTD_createDCtx();
}

bool vmt_unpack(VmtUnpacker *unpacker, const void *from, size_t count, void *to, size_t raw) {
    return ZSTD_decompressDCtx((ZSTD_DCtx *)unpacker, to, raw, from, count) == raw;
}

void vmt_unpacker_close(VmtUnpacker *unpacker) {
    ZSTD_freeDCtx((ZSTD_DCtx *)unpacker);
}

#else

/* Without the library no .vmt is opened, for reading or writing; these are never called. */
VmtPacker *vmt_packer_open(int level) {
    (void)level;
    return NULL;
}

size_t vmt_pack(VmtPacker *packer, const void *from, size_t count, void *to, size_t room) {
    (void)packer, (void)from, (void)count, (void)to, (void)room;
    return 0;
}

size_t vmt_pack_bound(size_t count) {
    return count;
}

void vmt_packer_close(VmtPacker *packer) {
    (void)packer;
}

VmtUnpacker *vmt_unpacker_open(void) {
    return NULL;
}

bool vmt_unpack(VmtUnpacker *unpacker, const void *from, size_t count, void *to, size_t raw) {
    (void)unpacker, (void)from, (void)count, (void)to, (void)raw;
    return false;
}

void vmt_unpacker_close(VmtUnpacker *unpacker) {
    (void)unpacker;
}

#endif
