/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of a sweep as a line of CSV (RFC 4180 with plain newlines), and such lines read again.
 *
 *     trace.path,config.policy,config.frames | accesses,...,avg_memory_access_time_ns |
 *         beginning: what varies             |   numbers, empty if it could not run   |
 *                                            end,error,trace.fingerprint,version,experiment
 *
 * `end` says how the run ended: complete, out_of_memory, damaged, or failed if there was none. All
 * of a line is the same whichever rows were run with it, and on however many threads: the
 * fingerprint stands only where the whole trace was read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

/* ---- Writing -------------------------------------------------------------------------------- */

/* Quoted if it holds what would end it, and without control characters. */
void sweep_print_field(FILE *out, const char *text) {
    char *visible = cli_visible(text);
    bool quotes = strpbrk(visible, ",\"") != NULL;
    fputs(quotes ? "\"" : "", out);
    for (const char *at = visible; *at != '\0'; at++) {
        fputs(*at == '"' ? "\"" : "", out);
        fputc(*at, out);
    }
    fputs(quotes ? "\"" : "", out);
    free(visible);
}

/* A line is made in memory: it is complete or not there. */
typedef struct RowText {
    char *text;
    size_t length;
    FILE *out;
} RowText;

static void sweeprow_open(RowText *row) {
    row->out = open_memstream(&row->text, &row->length);
    if (row->out == NULL) {
        cli_error("out of memory");
        cli_watch_end();
        exit(CLI_FAILURE);
    }
}

static char *sweeprow_close(RowText *row) {
    if (fclose(row->out) != 0) {
        cli_error("out of memory");
        cli_watch_end();
        exit(CLI_FAILURE);
    }
    return row->text;
}

char *sweep_header(const SweepPlan *plan) {
    const VMMStatInfo *info;
    RowText header;
    sweeprow_open(&header);
    fputs("trace.path", header.out);
    for (size_t i = 0; i < plan->axis_count; i++) {
        for (size_t j = 0; j < plan->axes[i].option_count; j++) {
            fprintf(header.out, ",config.%s", plan->axes[i].options[j]->name);
        }
    }
    for (size_t i = 0; (info = vmm_stat_at(i)) != NULL; i++) {
        fprintf(header.out, ",%s", info->name);
    }
    fputs(",avg_memory_access_time_ns,end,error,trace.fingerprint,version,experiment\n",
          header.out);
    return sweeprow_close(&header);
}

static void sweeprow_begin(const SweepPlan *plan, size_t row, FILE *out) {
    sweep_print_field(out, plan->traces.items[sweep_trace(plan, row)]);
    for (size_t i = 0; i < plan->axis_count; i++) {
        for (size_t j = 0; j < plan->axes[i].option_count; j++) {
            fputc(',', out);
            sweep_print_field(out, sweep_value(plan, row, i, j));
        }
    }
    fputc(',', out);
}

char *sweep_row_begin(const SweepPlan *plan, size_t row) {
    RowText begin;
    sweeprow_open(&begin);
    sweeprow_begin(plan, row, begin.out);
    return sweeprow_close(&begin);
}

static void sweeprow_finish(const SweepPlan *plan, size_t row, FILE *out) {
    fprintf(out, ",%s,%016" PRIx64 "\n", vmm_version(), plan->rows[row].experiment);
}

char *sweep_row_of(const SweepPlan *plan, size_t row, const VMM *vmm, const VMMTraceInfo *trace) {
    VMMStats stats = {.struct_size = sizeof stats};
    const VMMStatInfo *info;
    bool full = vmm_last_error(vmm) == VMM_E_OUT_OF_MEMORY;
    RowText text;
    sweeprow_open(&text);
    sweeprow_begin(plan, row, text.out);
    vmm_stats(vmm, &stats);
    for (size_t i = 0; (info = vmm_stat_at(i)) != NULL; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + info->offset, sizeof value);
        fprintf(text.out, "%" PRIu64 ",", value);
    }
    fprintf(text.out, "%.2f,%s,", vmm_average_access_time_ns(vmm),
            full                       ? "out_of_memory"
            : trace->damaged_bytes > 0 ? "damaged"
                                       : "complete");
    sweep_print_field(text.out, full ? vmm_error_text(vmm) : "");
    if (full) {
        fputc(',', text.out);
    } else {
        fprintf(text.out, ",%016" PRIx64, trace->fingerprint);
    }
    sweeprow_finish(plan, row, text.out);
    return sweeprow_close(&text);
}

char *sweep_row_failed(const SweepPlan *plan, size_t row, const char *reason) {
    RowText text;
    sweeprow_open(&text);
    sweeprow_begin(plan, row, text.out);
    for (size_t i = 0; vmm_stat_at(i) != NULL; i++) {
        fputc(',', text.out);
    }
    fputs("," SWEEP_FAILED ",", text.out);
    sweep_print_field(text.out, reason);
    fputc(',', text.out);
    sweeprow_finish(plan, row, text.out);
    return sweeprow_close(&text);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static void sweeprow_note_field(SweepRecord *record, size_t at) {
    if (record->field_count == record->capacity) {
        record->capacity = record->capacity * 2 + 64;
        record->field = cli_realloc(record->field, record->capacity, sizeof *record->field);
    }
    record->field[record->field_count++] = at;
}

void sweep_scan(const char *text, size_t length, SweepRecord *record) {
    bool quoted = false;
    record->field_count = 0;
    record->length = 0;
    sweeprow_note_field(record, 0);
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '"') {
            quoted = !quoted; /* a doubled quote is two turns */
        } else if (text[at] == ',' && !quoted) {
            sweeprow_note_field(record, at + 1);
        } else if (text[at] == '\n' && !quoted) {
            record->length = at + 1;
            return;
        }
    }
}

char *sweep_field(const char *text, const SweepRecord *record, size_t field) {
    size_t from = record->field[field];
    size_t to = field + 1 < record->field_count ? record->field[field + 1] : record->length;
    char *copy = cli_copy(text + from, to - from - 1); /* without the comma or the newline */
    size_t length = strlen(copy);
    if (copy[0] != '"' || length < 2) {
        return copy;
    }
    char *out = copy;
    for (size_t at = 1; at + 1 < length; at++) {
        at += copy[at] == '"' && at + 2 < length;
        *out++ = copy[at];
    }
    *out = '\0';
    return copy;
}
