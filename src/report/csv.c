/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CSV report: one header and one row a run, after RFC 4180 but with plain newlines.
 *
 *     the 14 classic columns | the other counters | version, end, trace.* | config.* | losses
 *
 * Losses are what was left out of the input: trace.bad_records and others. New columns are only
 * ever added at the right end of their part. Columns of the last three parts carry the names that
 * the nested keys of the JSON report have when they are joined by a dot.
 */
#include <inttypes.h>
#include <string.h>

#include "report.h"

static const char report_csv_classic[] =
    "config,total_accesses,reads,writes,page_faults,pf_rate,tlb_hits,tlb_misses,tlb_hit_rate,"
    "swap_ins,swap_outs,replacements,amt_ns,runtime_ms";

/* Is the counter one of the classic columns, under its own name? */
static bool report_csv_is_classic(const char *name) {
    size_t length = strlen(name);
    const char *found = report_csv_classic;
    while ((found = strstr(found, name)) != NULL) {
        if (found > report_csv_classic && found[-1] == ',' && found[length] == ',') {
            return true;
        }
        found += length;
    }
    return false;
}

/* A field; quoted if it holds what would end it. */
static void report_csv_text(ReportBuffer *out, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        report_add(out, text);
        return;
    }
    report_add(out, "\"");
    for (; *text != '\0'; text++) {
        report_add_bytes(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    }
    report_add(out, "\"");
}

void report_csv_header(const ReportInput *input, ReportBuffer *out) {
    const VMMStatInfo *info;
    const VMMOption *option;
    (void)input;
    report_add(out, report_csv_classic);
    for (size_t i = 0; (info = vmm_stat_at(i)) != NULL; i++) {
        if (!report_csv_is_classic(info->name)) {
            report_print(out, ",%s", info->name);
        }
    }
    report_add(out, ",version,end,trace.path,trace.format,trace.fingerprint");
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        if (report_shows_option(option)) {
            report_print(out, ",config.%s", option->name);
        }
    }
    report_add(out, ",trace.events,trace.reduction");
    report_add(out, ",trace.bad_records,trace.ignored_records,trace.damaged_bytes\n");
}

static void report_csv_classic_row(const ReportInput *input, ReportBuffer *out) {
    const VMMStats *s = &input->stats;
    report_csv_text(out, input->config_name);
    report_print(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, s->accesses, s->reads,
                 s->writes, s->page_faults);
    report_print(out, ",%s", report_decimal(report_ratio(s->page_faults, s->accesses), 6).text);
    report_print(out, ",%" PRIu64 ",%" PRIu64, s->tlb_hits, s->tlb_misses);
    report_print(out, ",%s",
                 report_decimal(report_ratio(s->tlb_hits, s->tlb_hits + s->tlb_misses), 4).text);
    report_print(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, s->swap_ins, s->swap_outs,
                 s->replacements);
    report_print(out, ",%s", report_decimal(vmm_average_access_time_ns(input->vmm), 2).text);
    report_print(out, ",%s", report_decimal(input->wall_time_ms, 3).text);
}

static void report_csv_trace(const VMMTraceInfo *trace, ReportBuffer *out) {
    if (trace == NULL) {
        report_add(out, ",,,");
        return;
    }
    report_add(out, ",");
    report_csv_text(out, trace->path);
    report_print(out, ",%s,%016" PRIx64, trace->format, trace->fingerprint);
}

static void report_csv_losses(const VMMTraceInfo *trace, ReportBuffer *out) {
    if (trace == NULL) {
        report_add(out, ",,,,,");
    } else {
        report_print(out, ",%" PRIu64 ",%" PRIu64, trace->events, trace->reduction);
        report_print(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, trace->bad_records,
                     trace->ignored_records, trace->damaged_bytes);
    }
}

void report_csv_row(const ReportInput *input, ReportBuffer *out) {
    const VMMStatInfo *info;
    const VMMOption *option;
    report_csv_classic_row(input, out);
    for (size_t i = 0; (info = vmm_stat_at(i)) != NULL; i++) {
        if (!report_csv_is_classic(info->name)) {
            report_print(out, ",%" PRIu64, report_counter(input, info));
        }
    }
    report_print(out, ",%s,%s", vmm_version(), report_end(input));
    report_csv_trace(input->trace, out);
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        char value[REPORT_VALUE_BYTES];
        if (!report_shows_option(option)) {
            continue;
        }
        report_add(out, ",");
        report_csv_text(out, report_option(input, option->name, value));
    }
    report_csv_losses(input->trace, out);
    report_add(out, "\n");
}
