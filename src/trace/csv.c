/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables: comma-separated values, as libCacheSim and many scripts write them.
 *
 *     version,time,op,size,lbn             a heading that names the columns, or
 *     1,5633898,2a,512,42932745            --format csv:block=5,op=3,size=4
 *
 * What a column holds:
 *
 *     addr    a byte address; also named address, vaddr, va
 *     page    a page number; also vpn, obj, obj_id, object, id, key
 *     block   a number of blocks of 512 bytes; also lbn, lba, sector
 *     size    bytes; also len, length, bytes, obj_size; 0 or absent: 1
 *     op      also type, rw, kind, access: R, L, read, load, get, 0, SCSI's 8, 28, 88, a8 are
 * reads; W, S, write, store, set, 1, a, 2a, 8a, aa writes; I, F, fetch, ifetch, 2 fetches; M,
 * modify a read and a write; absent: a read pid     also process, asid          tid     also thread
 *
 * One column must say where: addr, page or block. Others are passed over. Case, '-' and '_' do not
 * matter in names. Numbers are decimal, or 0x and hexadecimal; base=16 makes addr, page and block
 * hexadecimal without 0x. Columns are separated by the first of comma, semicolon and tab in the
 * heading; delimiter=comma, semicolon, tab or space says so for columns given by number. A heading
 * may begin with '#'; other '#' comments and blank lines are skipped. Values may stand in double
 * quotes. Of columns given by number the first line may be a heading.
 */
#include "../base/compiler.h"
#include "../base/number.h"
#include "scan.h"

enum { CSV_COLUMNS = 64, CSV_WORD_BYTES = 24 };

typedef enum CsvRole {
    CSV_NOTHING,
    CSV_ADDR,
    CSV_PAGE,
    CSV_BLOCK,
    CSV_SIZE,
    CSV_OP,
    CSV_PID,
    CSV_TID,
    CSV_ROLE_COUNT
} CsvRole;

typedef struct CsvState {
    uint8_t roles[CSV_COLUMNS];
    uint8_t known;  /* the columns are known */
    uint8_t begun;  /* the line that can be a heading was seen */
    uint8_t base16; /* base=16 */
    char delimiter; /* 0: not said */
} CsvState;

_Static_assert(sizeof(CsvState) <= TRACE_STATE_BYTES, "the state fits");

static const struct {
    const char *name;
    CsvRole role;
} csv_names[] = {
    {"addr", CSV_ADDR},   {"address", CSV_ADDR}, {"vaddr", CSV_ADDR},    {"va", CSV_ADDR},
    {"page", CSV_PAGE},   {"vpn", CSV_PAGE},     {"obj", CSV_PAGE},      {"obj_id", CSV_PAGE},
    {"object", CSV_PAGE}, {"id", CSV_PAGE},      {"key", CSV_PAGE},      {"block", CSV_BLOCK},
    {"lbn", CSV_BLOCK},   {"lba", CSV_BLOCK},    {"sector", CSV_BLOCK},  {"size", CSV_SIZE},
    {"len", CSV_SIZE},    {"length", CSV_SIZE},  {"obj_size", CSV_SIZE}, {"bytes", CSV_SIZE},
    {"op", CSV_OP},       {"type", CSV_OP},      {"rw", CSV_OP},         {"kind", CSV_OP},
    {"access", CSV_OP},   {"pid", CSV_PID},      {"process", CSV_PID},   {"asid", CSV_PID},
    {"tid", CSV_TID},     {"thread", CSV_TID},
};

/* Words for operations: VMMOp, or CSV_MODIFY. */
enum { CSV_MODIFY = VMM_OP_COUNT };
static const struct {
    const char *name;
    int op;
} csv_ops[] = {
    {"R", VMM_OP_READ},    {"W", VMM_OP_WRITE},     {"L", VMM_OP_READ},
    {"S", VMM_OP_WRITE},   {"read", VMM_OP_READ},   {"write", VMM_OP_WRITE},
    {"load", VMM_OP_READ}, {"store", VMM_OP_WRITE}, {"get", VMM_OP_READ},
    {"set", VMM_OP_WRITE}, {"0", VMM_OP_READ},      {"1", VMM_OP_WRITE},
    {"28", VMM_OP_READ},   {"2a", VMM_OP_WRITE},    {"88", VMM_OP_READ},
    {"8a", VMM_OP_WRITE},  {"a8", VMM_OP_READ},     {"aa", VMM_OP_WRITE},
    {"8", VMM_OP_READ},    {"a", VMM_OP_WRITE},     {"I", VMM_OP_FETCH},
    {"F", VMM_OP_FETCH},   {"fetch", VMM_OP_FETCH}, {"ifetch", VMM_OP_FETCH},
    {"2", VMM_OP_FETCH},   {"M", CSV_MODIFY},       {"modify", CSV_MODIFY},
};

/* ---- Fields --------------------------------------------------------------------------------- */

/* The next field, without the blanks and quotes around it; false: there is none. */
static bool csv_next_field(Scan *scan, char delimiter, bool *more, Scan *field) {
    if (!*more) {
        return false;
    }
    if (delimiter == ' ') {
        scan_blanks(scan);
    }
    const char *end = scan->at;
    while (end < scan->end && *end != delimiter && !(delimiter == ' ' && *end == '\t')) {
        end++;
    }
    *field = (Scan){scan->at, end};
    *more = end < scan->end;
    scan->at = end + *more;
    scan_blanks(field);
    while (field->end > field->at && scan_is_blank(field->end[-1])) {
        field->end--;
    }
    if (field->end - field->at >= 2 && field->at[0] == '"' && field->end[-1] == '"') {
        field->at++;
        field->end--;
    }
    return true;
}

/* The field as a string; one that is too long for any name becomes empty. */
static void csv_word(const Scan *field, char word[CSV_WORD_BYTES]) {
    size_t length = (size_t)(field->end - field->at);
    length = length < CSV_WORD_BYTES ? length : 0;
    memcpy(word, field->at, length);
    word[length] = '\0';
}

static CsvRole csv_role(const char *word) {
    for (size_t i = 0; i < VMM_COUNT_OF(csv_names); i++) {
        if (name_matches(csv_names[i].name, word)) {
            return csv_names[i].role;
        }
    }
    return CSV_NOTHING;
}

/* ---- The columns ---------------------------------------------------------------------------- */

/* Exactly one column says where, and no role is given twice. */
static bool csv_columns_fit(const CsvState *state) {
    unsigned count[CSV_ROLE_COUNT] = {0};
    for (size_t i = 0; i < CSV_COLUMNS; i++) {
        count[state->roles[i]]++;
    }
    for (size_t role = CSV_SIZE; role < CSV_ROLE_COUNT; role++) {
        if (count[role] > 1) {
            return false;
        }
    }
    return count[CSV_ADDR] + count[CSV_PAGE] + count[CSV_BLOCK] == 1;
}

/* A heading; false: it does not name the columns. */
static bool csv_read_heading(CsvState *state, Scan scan) {
    CsvState fresh = *state;
    Scan field;
    bool more = true;
    if (fresh.delimiter == 0) {
        size_t length = (size_t)(scan.end - scan.at);
        const char *likely = ",;\t";
        while (*likely != '\t' && memchr(scan.at, *likely, length) == NULL) {
            likely++;
        }
        fresh.delimiter = *likely;
    }
    for (size_t i = 0; i < CSV_COLUMNS && csv_next_field(&scan, fresh.delimiter, &more, &field);
         i++) {
        char word[CSV_WORD_BYTES];
        csv_word(&field, word);
        fresh.roles[i] = (uint8_t)csv_role(word);
    }
    if (!csv_columns_fit(&fresh)) {
        return false;
    }
    fresh.known = 1;
    *state = fresh;
    return true;
}

/* One "name=value" of the columns given with --format; the problem or NULL. */
static const char *csv_configure_one(CsvState *state, const char *name, const char *value) {
    static const char *const delimiters[] = {"comma", "semicolon", "tab", "space"};
    if (name_matches(name, "delimiter")) {
        for (size_t i = 0; i < VMM_COUNT_OF(delimiters); i++) {
            if (name_matches(value, delimiters[i])) {
                state->delimiter = ",;\t "[i];
                return NULL;
            }
        }
        return "a delimiter is comma, semicolon, tab or space";
    }
    if (name_matches(name, "base")) {
        state->base16 = strcmp(value, "16") == 0;
        return state->base16 != 0 || strcmp(value, "10") == 0 ? NULL : "a base is 10 or 16";
    }
    CsvRole role = csv_role(name);
    uint64_t column = 0;
    if (role == CSV_NOTHING) {
        return "a column is one of addr, page, block, size, op, pid, tid";
    }
    if (number_parse_count(value, &column) != NUMBER_OK || column - 1 >= CSV_COLUMNS) {
        return "the number of a column is from 1 to 64";
    }
    if (state->roles[column - 1] != CSV_NOTHING) {
        return "a column is given twice";
    }
    state->roles[column - 1] = (uint8_t)role;
    state->known = 1;
    return NULL;
}

/* "addr=5,op=3,delimiter=tab" */
static const char *csv_configure(const char *text, void *memory) {
    CsvState *state = memory;
    while (*text != '\0') {
        char name[CSV_WORD_BYTES];
        char value[CSV_WORD_BYTES];
        size_t length = strcspn(text, ",");
        const char *sign = memchr(text, '=', length);
        if (sign == NULL) {
            return "each part is NAME=VALUE";
        }
        csv_word(&(Scan){text, sign}, name);
        csv_word(&(Scan){sign + 1, text + length}, value);
        const char *problem = csv_configure_one(state, name, value);
        if (problem != NULL) {
            return problem;
        }
        text += length + (text[length] == ',');
    }
    if (state->known != 0 && !csv_columns_fit(state)) {
        return "one of the columns addr, page and block must be given, and none twice";
    }
    if (state->known != 0 && state->delimiter == 0) {
        state->delimiter = ',';
    }
    return NULL;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

typedef struct CsvRow {
    uint64_t addr;
    uint64_t size;
    uint64_t pid;
    uint64_t tid;
    int op;
    bool found; /* the column that says where */
} CsvRow;

/* A whole field as a number. */
static const char *csv_number(Scan field, bool base16, uint64_t max, uint64_t *value) {
    const char *problem = scan_hex_prefix(&field) || base16 ? scan_hex(&field, value)
                                                            : scan_decimal(&field, max, value);
    if (problem == NULL && (field.at != field.end || *value > max)) {
        problem = "a field is not a number, or it is too large";
    }
    return problem;
}

static const char *csv_place(const Scan *field, const CsvState *state, uint64_t unit, CsvRow *row) {
    const char *problem = csv_number(*field, state->base16 != 0, UINT64_MAX, &row->addr);
    row->found = problem == NULL;
    if (problem == NULL && __builtin_mul_overflow(row->addr, unit, &row->addr)) {
        problem = "the page or block lies beyond 64-bit addresses";
    }
    return problem;
}

static const char *csv_operation(const Scan *field, CsvRow *row) {
    char word[CSV_WORD_BYTES];
    csv_word(field, word);
    for (size_t i = 0; i < VMM_COUNT_OF(csv_ops); i++) {
        if (name_matches(csv_ops[i].name, word)) {
            row->op = csv_ops[i].op;
            return NULL;
        }
    }
    return "the operation is not known";
}

static const char *csv_field(const Scan *field, CsvRole role, const CsvState *state,
                             uint64_t page_size, CsvRow *row) {
    switch (role) {
    case CSV_ADDR:
        return csv_place(field, state, 1, row);
    case CSV_PAGE:
        return csv_place(field, state, page_size, row);
    case CSV_BLOCK:
        return csv_place(field, state, 512, row);
    case CSV_SIZE:
        return csv_number(*field, false, UINT32_MAX, &row->size);
    case CSV_OP:
        return csv_operation(field, row);
    case CSV_PID:
        return csv_number(*field, false, UINT32_MAX, &row->pid);
    case CSV_TID:
        return csv_number(*field, false, UINT32_MAX, &row->tid);
    default:
        return NULL;
    }
}

static const char *csv_row(Scan scan, const CsvState *state, uint64_t page_size, CsvRow *row) {
    Scan field;
    bool more = true;
    for (size_t i = 0; i < CSV_COLUMNS && csv_next_field(&scan, state->delimiter, &more, &field);
         i++) {
        const char *problem = csv_field(&field, (CsvRole)state->roles[i], state, page_size, row);
        if (problem != NULL) {
            return problem;
        }
    }
    return row->found ? NULL : "the line has too few columns";
}

static TraceLineKind csv_line(TraceLine *line) {
    CsvState *state = line->state;
    Scan scan;
    TraceLineKind kind;
    if (!scan_begin(line, &scan, &kind)) {
        scan_blanks(&scan);
        if (kind == TRACE_LINE_BLANK && state->known == 0 && scan.at < scan.end) {
            scan.at++; /* behind '#' */
            state->begun = csv_read_heading(state, scan);
        }
        return kind;
    }
    bool first = state->begun == 0;
    state->begun = 1;
    if (state->known == 0) {
        return first && csv_read_heading(state, scan)
                   ? TRACE_LINE_BLANK
                   : scan_bad(line, "no heading names a column addr, page or block");
    }
    CsvRow row = {.size = 0, .op = VMM_OP_READ};
    const char *problem = csv_row(scan, state, line->page_size, &row);
    if (problem != NULL) {
        return first && !row.found ? TRACE_LINE_BLANK : scan_bad(line, problem);
    }
    VMMOp op = row.op == CSV_MODIFY ? VMM_OP_READ : (VMMOp)row.op;
    line->refs[0] =
        scan_ref(row.addr, (uint32_t)row.pid, row.size != 0 ? (uint32_t)row.size : 1, op);
    line->refs[0].tid = (uint32_t)row.tid;
    if (row.op != CSV_MODIFY) {
        return TRACE_LINE_REF;
    }
    line->refs[1] = line->refs[0];
    line->refs[1].op = VMM_OP_WRITE;
    return TRACE_LINE_TWO_REFS;
}

static TraceStatus csv_parse(TraceParse *parse) {
    return trace_parse_lines(parse, fast_none, csv_line);
}

static const TraceFormat csv_format = {
    .name = "csv",
    .help = "a table whose heading names addr, page or block, size, op, pid; or csv:addr=1,op=2",
    .expects = "columns as the heading, or --format csv:NAME=COLUMN,..., says",
    .marks_writes = true,
    .configure = csv_configure,
    .line = csv_line,
    .parse = csv_parse,
};
