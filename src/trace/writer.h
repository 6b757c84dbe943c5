/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a format that can be written is. Adding one: a file src/trace/write_NAME.c and a line in
 * exports.def; `vmm trace convert` and the help texts find it there.
 *
 *     vmm_trace_write...() ──► writer.c ──► the format's functions ──► writer_put() ──► fd
 *                              counts, drops what
 *                              the format cannot hold
 *
 * THE CONTRACT. All functions get the writer; `writer->state` is the format's own memory, of
 * `state_bytes`, zeroed before open(). A function returns VMM_OK or a code after it has set
 * writer->error with a sentence that needs no file name. After a failure nothing but rescue()
 * and close() is called any more. A function that is NULL has nothing to do.
 *
 *   open()    checks what the format needs of the options, writes what stands at the beginning. The
 *             strings of writer->options are valid during the call only.
 *   refs()    takes references: never none, every op a VMMOp, no size 0; of the kernel only with
 *             holds_kernel. One that the format cannot hold: return writer_cannot_hold(...), or
 *             raise info.dropped_references. What is lost of one that is taken: raise lost[].
 *   packed()  the same for packed ones, and raises info.references and info.kernel_references by
 *             what it took. NULL: they are unpacked and go to refs().
 *   event()   NULL: the format has no events; they are counted as dropped.
 *   file()    the number of a file, 0: no memory. NULL: the format has no files.
 *   time()    is told what time it is for what comes next.
 *   flush()   ends the current block, if the format has blocks.
 *   finish()  writes what is left. writer.c then writes what writer_put() still holds.
 *   rescue()  after a failed write, in place of finish(): makes a whole trace of what the file
 * holds, whose first info.bytes bytes were written. close()   frees what the state points to.
 */
#ifndef VMM_TRACE_WRITER_H
#define VMM_TRACE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/trace_write.h"
#include "../base/error.h"

#define WRITER_BUFFER_BYTES (64 * 1024)
#define WRITER_LOSS_TEXT_BYTES 160

typedef struct TraceExport {
    const char *name;
    const char *help;  /* one line of description */
    bool holds_kernel; /* references of the kernel can be told from others */
    size_t state_bytes;
    int (*open)(VMMTraceWriter *writer);
    int (*refs)(VMMTraceWriter *writer, const VMMRef *refs, size_t count);
    int (*packed)(VMMTraceWriter *writer, uint32_t pid, uint32_t tid, const VMMPackedRef *refs,
                  size_t count);
    int (*event)(VMMTraceWriter *writer, const VMMEvent *event);
    uint32_t (*file)(VMMTraceWriter *writer, const VMMTraceFile *file);
    int (*time)(VMMTraceWriter *writer, uint64_t time_ns);
    int (*flush)(VMMTraceWriter *writer);
    int (*finish)(VMMTraceWriter *writer);
    void (*rescue)(VMMTraceWriter *writer);
    void (*close)(VMMTraceWriter *writer);
} TraceExport;

/* What a format loses of references that it takes otherwise, or adds to them. */
typedef enum WriterLoss {
    WRITER_LOST_SIZES,        /* references of more than a byte */
    WRITER_LOST_CROSSINGS,    /* of them: those that reach into another page */
    WRITER_LOST_KINDS,        /* writes and fetches that cannot be told from reads */
    WRITER_LOST_KERNEL_MARKS, /* touches of the kernel that cannot be told from others */
    WRITER_LOST_THREADS,      /* changes of the thread within a process */
    WRITER_ADDED_FETCHES,     /* fetches that stand in for records without room */
    WRITER_LOSS_COUNT
} WriterLoss;

struct VMMTraceWriter {
    const TraceExport *format;
    void *state;                   /* of the format */
    VMMTraceWriterOptions options; /* whole, whatever struct_size the caller's had */
    int fd;
    unsigned page_shift;
    char *buffer;
    size_t room; /* of the buffer: WRITER_BUFFER_BYTES, or more if what open() wrote is longer */
    size_t used;
    bool opened; /* before that nothing goes to the file */
    bool finished;
    bool has_process; /* writer_one_process() saw one */
    uint32_t process;
    uint32_t thread;
    uint64_t lost[WRITER_LOSS_COUNT];
    char loss_text[WRITER_LOSS_TEXT_BYTES];
    VMMTraceWriterInfo info;
    Error error; /* sticky: the first failure ends the writing */
};

/* Appends bytes to the file, through the buffer. VMM_OK or VMM_E_WRITE. */
int writer_put(VMMTraceWriter *writer, const void *bytes, size_t count);

/* Room for `count` bytes (at most WRITER_BUFFER_BYTES) in the buffer, NULL: VMM_E_WRITE. */
char *writer_room(VMMTraceWriter *writer, size_t count);

/* Says that `count` bytes of the room were filled. */
void writer_advance(VMMTraceWriter *writer, size_t count);

/* Writes what writer_put() holds. */
int writer_send(VMMTraceWriter *writer);

/* Sets the sentence that an op is no VMMOp; VMM_E_USAGE. */
int writer_bad_op(VMMTraceWriter *writer, unsigned op);

/* Sets the sentence "reference N (...) cannot be held by FORMAT: why"; VMM_E_UNSUPPORTED. */
int writer_cannot_hold(VMMTraceWriter *writer, const VMMRef *ref, const char *why);

/*
 * A packed reference as any other. Field by field: a whole struct would be put together elsewhere
 * and copied from there, and the copy waits for the pieces.
 */
static inline void writer_unpack(VMMRef *to, VMMPackedRef packed, uint32_t pid, uint32_t tid) {
    to->addr = packed & VMM_PACKED_ADDR_MASK;
    to->pid = pid;
    to->size = (uint32_t)(packed >> VMM_PACKED_SIZE_SHIFT) % VMM_PACKED_MAX_SIZE + 1;
    to->tid = tid;
    to->core = 0;
    to->op = (uint8_t)(packed >> VMM_PACKED_OP_SHIFT);
    to->flags = (packed & VMM_PACKED_KERNEL) != 0 ? VMM_REF_KERNEL : 0;
}

/* ---- For formats that hold less than a VMMRef ----------------------------------------------- */

/* The first reference, one of another process than before, or of another thread. */
int writer_meet_process(VMMTraceWriter *writer, const VMMRef *ref);

/* Without processes: VMM_OK as long as all references are of the same one. Counts lost threads. */
static inline int writer_one_process(VMMTraceWriter *writer, const VMMRef *ref) {
    bool known = writer->has_process && ref->pid == writer->process && ref->tid == writer->thread;
    return known ? VMM_OK : writer_meet_process(writer, ref);
}

/* The pages that a reference overlaps. */
static inline uint64_t writer_first_page(const VMMTraceWriter *writer, const VMMRef *ref) {
    return ref->addr >> writer->page_shift;
}
static inline uint64_t writer_last_page(const VMMTraceWriter *writer, const VMMRef *ref) {
    uint64_t last = ref->addr + (ref->size - 1);
    return (last >= ref->addr ? last : UINT64_MAX) >> writer->page_shift;
}

/* Without sizes. */
static inline void writer_lose_size(VMMTraceWriter *writer, const VMMRef *ref) {
    writer->lost[WRITER_LOST_SIZES] += ref->size > 1;
    writer->lost[WRITER_LOST_CROSSINGS] +=
        writer_first_page(writer, ref) != writer_last_page(writer, ref);
}

/* Without ops, and without the mark of the kernel. */
static inline void writer_lose_kind(VMMTraceWriter *writer, const VMMRef *ref) {
    writer->lost[WRITER_LOST_KINDS] += ref->op != VMM_OP_READ;
    writer->lost[WRITER_LOST_KERNEL_MARKS] += (ref->flags & VMM_REF_KERNEL) != 0;
}

#endif
