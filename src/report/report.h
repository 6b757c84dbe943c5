/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writers of reports share: the material of one report, gathered once, and the buffer
 * that it is written into.
 *
 *     vmm_report() ──► ReportInput ──► text.c | json.c | csv.c ──► ReportBuffer ──► caller's memory
 *
 * A report is a pure function of its input: the same machine, trace and context give the same
 * bytes. Nothing here allocates; the buffer writes into the caller's memory as far as it goes and
 * counts the rest. Options that do not change results (engine) are left out of every report.
 */
#ifndef VMM_REPORT_REPORT_H
#define VMM_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/vmm/report.h"
#include "buffer.h"

typedef struct ReportInput {
    const VMM *vmm;
    const VMMConfig *config;
    const VMMTraceInfo *trace; /* NULL: none */
    const char *config_name;   /* never NULL */
    double wall_time_ms;       /* 0 with VMM_REPORT_NO_TIMING */
    VMMStats stats;
} ReportInput;

/* Room for the text of any option's value. */
enum { REPORT_VALUE_BYTES = 256 };

/* The counter that a row of vmm_stat_at() stands for. */
uint64_t report_counter(const ReportInput *input, const VMMStatInfo *info);

/* 1 if the row is a fault class ("fault_swap_in") and not a counter of counters.def. */
bool report_is_fault_class(const VMMStatInfo *info);

/* Whether references outside of the mappings that the trace told were invalid. */
bool report_enforces_mappings(const ReportInput *input);

/* Pages of a number of 2^-32 page. */
double report_pages(uint64_t share);

/* part / whole, 0 for an empty whole. */
double report_ratio(uint64_t part, uint64_t whole);

/* The value of an option as text; "" if there is none. Returns `value`. */
const char *report_option(const ReportInput *input, const char *name,
                          char value[REPORT_VALUE_BYTES]);

/* The sentence for the first invalid reference. False: there was none. */
bool report_first_invalid(const ReportInput *input, char text[VMM_ERROR_TEXT_BYTES]);

/* How the run ended: "complete", "damaged" (where the input was), "out_of_memory", "invalid" (at a
   reference) or "stopped". */
const char *report_end(const ReportInput *input);

/* Options that are part of every report: all but those that cannot change a result. */
bool report_shows_option(const VMMOption *option);

void report_text_config(const ReportInput *input, ReportBuffer *out);
void report_text_summary(const ReportInput *input, ReportBuffer *out);
void report_text_processes(const ReportInput *input, ReportBuffer *out);
void report_json(const ReportInput *input, ReportBuffer *out);
void report_csv_header(const ReportInput *input, ReportBuffer *out);
void report_csv_row(const ReportInput *input, ReportBuffer *out);

#endif
