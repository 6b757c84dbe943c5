/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native text format: one reference a line, or one event.
 *
 *     pid[/tid] op address [size] [text]        1 R 0x7ffe0010 8
 *     @ type pid[/tid] [field=value]...         @ unmap 1 start=0x7000 length=0x1000
 *     @ mappings complete | page-size BYTES | reduced FRAMES
 *
 *   pid      decimal, 0 to 4294967295
 *   tid      thread of the process, decimal, 0 to 4294967295; 0 if absent
 *   op       R read, W write, I instruction fetch, M read and then write; KR, KW a read or a write
 *            that the kernel made for the program; either case
 *   address  hexadecimal with 0x or 0X and at most 16 digits, or decimal
 *   size     bytes, decimal, 1 to 4294967295, also in K or M (1024 K); 1 if absent
 *   text     anything that does not begin with a digit, or a sign and a digit; ignored, because
 *            traces in the wild carry remarks there. A number there would be a size gone wrong.
 *
 *   type     of an event, and its fields: event_text.h
 *
 * What is said of the whole trace stands before all else: that its mappings are complete means that
 * all of them are told by events; a page-size, that addresses are known by such pages only;
 * reduced, that it is exact for LRU memories of at least so many frames only (vmm/reduce.h). Fields
 * are separated by blanks or tabs. Blank lines and lines whose first character is '#' are skipped.
 *
 * The state is room for the phrase that says what is wrong with an event.
 */
#include "event_text.h"
#include "scan.h"

_Static_assert(EVENT_PHRASE_BYTES <= TRACE_STATE_BYTES, "a phrase fits into the state");

/* op letter -> VMMOp + 1; 0: no op. M has a value of its own. */
enum { NATIVE_MODIFY = VMM_OP_COUNT + 1 };
static const uint8_t native_ops[256] = {
    ['R'] = VMM_OP_READ + 1,  ['r'] = VMM_OP_READ + 1,  ['W'] = VMM_OP_WRITE + 1,
    ['w'] = VMM_OP_WRITE + 1, ['I'] = VMM_OP_FETCH + 1, ['i'] = VMM_OP_FETCH + 1,
    ['M'] = NATIVE_MODIFY,    ['m'] = NATIVE_MODIFY,
};

/* op letter -> VMMOp for those of one reference, else FAST_NONE. */
static const uint8_t native_single_ops[256] = {
    [0 ... 'I' - 1] = FAST_NONE,       ['I'] = VMM_OP_FETCH,
    ['I' + 1 ... 'R' - 1] = FAST_NONE, ['R'] = VMM_OP_READ,
    ['R' + 1 ... 'W' - 1] = FAST_NONE, ['W'] = VMM_OP_WRITE,
    ['W' + 1 ... 'i' - 1] = FAST_NONE, ['i'] = VMM_OP_FETCH,
    ['i' + 1 ... 'r' - 1] = FAST_NONE, ['r'] = VMM_OP_READ,
    ['r' + 1 ... 'w' - 1] = FAST_NONE, ['w'] = VMM_OP_WRITE,
    ['w' + 1 ... 255] = FAST_NONE,
};

static const char *native_process(Scan *scan, uint64_t *pid, uint64_t *tid) {
    const char *problem = scan_decimal(scan, UINT32_MAX, pid);
    *tid = 0;
    if (problem == NULL && scan->at < scan->end && *scan->at == '/') {
        scan->at++;
        if (scan_decimal(scan, UINT32_MAX, tid) != NULL || !scan_at_gap(scan)) {
            return "the tid is not a number from 0 to 4294967295";
        }
    }
    return problem == NULL && scan_at_gap(scan) ? NULL
                                                : "the pid is not a number from 0 to 4294967295";
}

/* The value of native_ops, 0: none of them. */
static uint8_t native_op(Scan *scan, uint8_t *flags) {
    *flags = (*scan->at | 0x20) == 'k' ? VMM_REF_KERNEL : 0;
    scan->at += *flags != 0;
    uint8_t op = scan->at < scan->end ? native_ops[(unsigned char)*scan->at++] : 0;
    bool good = scan_at_gap(scan) && (*flags == 0 || op <= VMM_OP_WRITE + 1);
    return good ? op : 0;
}

static const char *native_address(Scan *scan, uint64_t *addr) {
    const char *problem =
        scan_hex_prefix(scan) ? scan_hex(scan, addr) : scan_decimal(scan, UINT64_MAX, addr);
    if (problem == NULL && !scan_at_gap(scan)) {
        problem = "the address is not a number";
    }
    return problem;
}

/* "64K" or "2M" of people: the unit, a power of 1024, is taken. */
static void native_unit(Scan *scan, uint64_t *size) {
    if (scan->at < scan->end && (*scan->at == 'K' || *scan->at == 'M')) {
        *size <<= *scan->at++ == 'K' ? 10 : 20; /* at most 52 bits */
    }
}

/* The size, if there is one, and the text behind. */
static const char *native_tail(Scan *scan, uint64_t *size) {
    *size = 1;
    scan_blanks(scan);
    if (scan->at < scan->end && scan_is_digit(*scan->at)) {
        const char *problem = scan_decimal(scan, UINT32_MAX, size);
        if (problem != NULL) {
            return problem;
        }
        native_unit(scan, size);
        if (*size == 0 || *size > UINT32_MAX || !scan_at_gap(scan)) {
            return "the size is not a number from 1 to 4294967295";
        }
        scan_blanks(scan);
    }
    bool sign = scan->at < scan->end && (*scan->at == '-' || *scan->at == '+');
    const char *next = scan->at + sign;
    return next < scan->end && scan_is_digit(*next) ? "a number too many or out of range" : NULL;
}

static bool native_next_is(Scan *scan, const char *text) {
    size_t length = strlen(text);
    bool is = (size_t)(scan->end - scan->at) >= length && memcmp(scan->at, text, length) == 0;
    scan->at += is ? length : 0;
    return is;
}

/* A number up to the end of the line. */
static const char *native_trait_number(Scan *scan, uint64_t *number) {
    scan_blanks(scan);
    const char *problem = scan_decimal(scan, UINT64_MAX, number);
    scan_blanks(scan);
    return problem != NULL || scan->at < scan->end ? "a number is expected at the end of the line"
                                                   : NULL;
}

/* One of the traits, if the line tells one; `problem` is of such a line. */
static bool native_read_trait(Scan *scan, TraceTraits *traits, const char **problem) {
    *traits = (TraceTraits){.page_size = 0};
    *problem = NULL;
    if (native_next_is(scan, "mappings complete")) {
        traits->mappings_complete = true;
        *problem = scan->at < scan->end ? "nothing is expected behind \"mappings complete\"" : NULL;
    } else if (native_next_is(scan, "page-size ")) {
        *problem = native_trait_number(scan, &traits->page_size);
        uint64_t size = traits->page_size;
        if (*problem == NULL &&
            (size < 64 || size > UINT64_C(1) << 40 || (size & (size - 1)) != 0)) {
            *problem = "the page-size is no power of two from 64 to 1 TiB";
        }
    } else if (native_next_is(scan, "reduced ")) {
        *problem = native_trait_number(scan, &traits->reduction);
        if (*problem == NULL && traits->reduction == 0) {
            *problem = "reduced for 0 frames means nothing";
        }
    } else {
        return false;
    }
    return true;
}

static const char *native_read_event(const TraceLine *line, TraceEvent *event) {
    const char *problem;
    Scan scan;
    TraceLine copy = *line;
    event->phrase = line->state;
    TraceLineKind kind;
    scan_begin(&copy, &scan, &kind);
    scan_blanks(&scan);
    scan.at++; /* the '@' */
    scan_blanks(&scan);
    event->is_trait = native_read_trait(&scan, &event->traits, &problem);
    return event->is_trait ? problem : event_text_read(scan.at, scan.end, event);
}

static TraceLineKind native_event_line(TraceLine *line) {
    TraceEvent event;
    const char *problem = native_read_event(line, &event);
    return problem == NULL ? TRACE_LINE_EVENT : scan_bad(line, problem);
}

static TraceLineKind native_line(TraceLine *line) {
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        return kind;
    }
    uint64_t pid;
    uint64_t tid;
    uint64_t addr;
    uint64_t size;
    uint8_t flags;
    scan_blanks(&scan);
    if (*scan.at == '@') {
        return native_event_line(line);
    }
    const char *problem = native_process(&scan, &pid, &tid);
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    scan_blanks(&scan);
    if (scan.at == scan.end) {
        return scan_bad(line, "op and address are missing");
    }
    uint8_t op = native_op(&scan, &flags);
    if (op == 0) {
        return scan_bad(line, "the op is not one of R, W, I, M");
    }
    scan_blanks(&scan);
    if (scan.at == scan.end) {
        return scan_bad(line, "the address is missing");
    }
    problem = native_address(&scan, &addr);
    if (problem == NULL) {
        problem = native_tail(&scan, &size);
    }
    if (problem != NULL) {
        return scan_bad(line, problem);
    }
    VMMOp first = op == NATIVE_MODIFY ? VMM_OP_READ : (VMMOp)(op - 1);
    line->refs[0] = scan_ref(addr, (uint32_t)pid, (uint32_t)size, first);
    line->refs[0].tid = (uint32_t)tid;
    line->refs[0].flags = flags;
    if (op != NATIVE_MODIFY) {
        return TRACE_LINE_REF;
    }
    line->refs[1] = line->refs[0];
    line->refs[1].op = VMM_OP_WRITE;
    return TRACE_LINE_TWO_REFS;
}

/*
 * "pid op 0xADDRESS size" with single blanks, pid and size of one digit, op R, W or I: what most
 * lines are. Where each field is follows from both ends of the line, so that none has to wait
 * until the one before it is read; and conditions that always hold are tested together.
 */
VMM_ALWAYS_INLINE bool native_common(const char *at, const char *newline, VMMRef **ref) {
    uint64_t addr;
    size_t digits = (size_t)(newline - at) - strlen("1 R 0x 8");
    if (VMM_UNLIKELY(digits - 1 > 15)) {
        return false;
    }
    unsigned pid = fast_digits[(unsigned char)at[0]];
    unsigned op = native_single_ops[(unsigned char)at[2]];
    unsigned size = fast_digits[(unsigned char)newline[-1]];
    if (VMM_UNLIKELY(((pid | op | size) & FAST_NONE) != 0 || size == 0 || at[1] != ' ' ||
                     memcmp(at + 3, " 0x", 3) != 0 || newline[-2] != ' ' ||
                     !fast_hex_of(at + 6, (unsigned)digits, &addr))) {
        return false;
    }
    fast_store(ref, addr, pid, size, op);
    return true;
}

/* "pid op 0xADDRESS" or "pid op 0xADDRESS size", pid or pid/tid, single blanks, op R, W or I. */
VMM_ALWAYS_INLINE bool native_fast(const char *at, const char *newline, VMMRef **ref,
                                   uint64_t page_size) {
    (void)page_size;
    uint32_t pid;
    uint32_t tid = 0;
    uint32_t size = 1;
    uint64_t addr;
    if (VMM_LIKELY(native_common(at, newline, ref))) {
        return true;
    }
    at = fast_decimal(at, &pid);
    if (VMM_UNLIKELY(at == NULL)) {
        return false;
    }
    if (*at == '/') {
        at = fast_decimal(at + 1, &tid);
        if (VMM_UNLIKELY(at == NULL)) {
            return false;
        }
    }
    uint8_t op = native_ops[(unsigned char)at[1]];
    if (VMM_UNLIKELY((uint8_t)(op - 1) > VMM_OP_FETCH || at[0] != ' ' ||
                     memcmp(at + 2, " 0x", 3) != 0)) {
        return false;
    }
    at += 5;
    unsigned digits = fast_hex(at, &addr);
    at += digits;
    if (*at == ' ') {
        at = fast_decimal(at + 1, &size);
        if (VMM_UNLIKELY(at == NULL)) {
            return false;
        }
    }
    if (VMM_UNLIKELY(!fast_at_end(at, newline) || digits == 0 || size == 0)) {
        return false;
    }
    fast_store(ref, addr, pid, size, op - 1u);
    if (tid != 0) {
        (*ref)[-1].tid = tid;
    }
    return true;
}

static TraceStatus native_parse(TraceParse *parse) {
    return trace_parse_lines(parse, native_fast, native_line);
}

static const TraceFormat native_format = {
    .name = "native",
    .help = "pid op address [size]: decimal pid; op R, W, I or M; address 0x... or decimal",
    .expects = "\"pid op address [size]\" with op R, W, I or M, or \"@ event pid [field=value]\"",
    .marks_writes = true,
    .line = native_line,
    .parse = native_parse,
    .event = native_read_event,
};
