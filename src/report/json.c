/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON report: one object, two spaces a level, a newline at its end.
 *
 *     classic keys ... per_process | version | end | config {} | trace {} | first_invalid {} |
 *     fault_classes {} | counters | groups | oom_victim
 *
 * The classic keys come first and in their old order; keys are added, never renamed. Every other
 * counter follows flat, by its name in counters.def, so that each counter is found by its name
 * (accesses, too, whose classic key is total_accesses). Text is always valid UTF-8: bytes of a
 * path that are none are written as U+FFFD.
 */
#include <inttypes.h>
#include <string.h>

#include "report.h"

/* ---- Text ----------------------------------------------------------------------------------- */

/* Smallest code point that needs a sequence of this length: what is below is an overlong form. */
static const uint32_t report_utf8_least[5] = {0, 0, 0x80, 0x800, 0x10000};

/* Bytes of the valid UTF-8 sequence at `text`, 0 if there is none. */
static size_t report_utf8_length(const unsigned char *text) {
    size_t length = *text < 0x80 ? 1 : *text < 0xc2 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
    if (length == 0 || *text > 0xf4) {
        return 0;
    }
    uint32_t point = length == 1 ? *text : *text & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < report_utf8_least[length] || surrogate || point > 0x10ffff ? 0 : length;
}

static void report_json_text(ReportBuffer *out, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    report_add(out, "\"");
    while (*at != '\0') {
        size_t length = report_utf8_length(at);
        if (length == 0) {
            report_add(out, "\\ufffd");
        } else if (*at == '"' || *at == '\\') {
            report_print(out, "\\%c", *at);
        } else if (*at < 0x20 || *at == 0x7f) {
            report_print(out, "\\u%04x", *at);
        } else {
            report_add_bytes(out, (const char *)at, length);
        }
        at += length == 0 ? 1 : length;
    }
    report_add(out, "\"");
}

/* ---- Parts ---------------------------------------------------------------------------------- */

static const char *const report_json_classic_counters[] = {
    "reads",    "writes",     "page_faults", "major_faults", "minor_faults",
    "tlb_hits", "tlb_misses", "swap_ins",    "swap_outs",    "replacements",
};

static bool report_json_is_classic(const char *name) {
    for (size_t i = 0; i < VMM_COUNT_OF(report_json_classic_counters); i++) {
        if (strcmp(name, report_json_classic_counters[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void report_json_count(ReportBuffer *out, const char *key, uint64_t value) {
    report_print(out, "  \"%s\": %" PRIu64 ",\n", key, value);
}

static void report_json_decimal(ReportBuffer *out, const char *key, double value, int decimals) {
    report_print(out, "  \"%s\": %s,\n", key, report_decimal(value, decimals).text);
}

static void report_json_classic(const ReportInput *input, ReportBuffer *out) {
    const VMMStats *s = &input->stats;
    report_json_count(out, "total_accesses", s->accesses);
    report_json_count(out, "reads", s->reads);
    report_json_count(out, "writes", s->writes);
    report_json_count(out, "page_faults", s->page_faults);
    report_json_count(out, "major_faults", s->major_faults);
    report_json_count(out, "minor_faults", s->minor_faults);
    report_json_decimal(out, "page_fault_rate", report_ratio(s->page_faults, s->accesses), 6);
    report_json_count(out, "tlb_hits", s->tlb_hits);
    report_json_count(out, "tlb_misses", s->tlb_misses);
    report_json_decimal(out, "tlb_hit_rate", report_ratio(s->tlb_hits, s->tlb_hits + s->tlb_misses),
                        4);
    report_json_count(out, "swap_ins", s->swap_ins);
    report_json_count(out, "swap_outs", s->swap_outs);
    report_json_count(out, "replacements", s->replacements);
    report_json_decimal(out, "avg_memory_access_time_ns", vmm_average_access_time_ns(input->vmm),
                        2);
    report_json_decimal(out, "simulation_time_ms", input->wall_time_ms, 3);
}

/* In pages. */
static void report_json_memory(const VMMProcessStats *p, ReportBuffer *out) {
    report_print(out, ", \"rss\": %" PRIu64 ", \"rss_anonymous\": %" PRIu64, p->rss,
                 p->rss_anonymous);
    report_print(out, ", \"rss_file\": %" PRIu64 ", \"rss_shared\": %" PRIu64, p->rss_file,
                 p->rss_shared);
    report_print(out, ", \"rss_peak\": %" PRIu64 ", \"uss\": %" PRIu64, p->rss_peak, p->uss);
    report_print(out, ", \"pss\": %s", report_decimal(report_pages(p->pss), 3).text);
    report_print(out, ", \"swap\": %" PRIu64 ", \"swap_pss\": %s", p->swap,
                 report_decimal(report_pages(p->swap_pss), 3).text);
    report_print(out, ", \"cow_faults\": %" PRIu64 ", \"reuse_faults\": %" PRIu64, p->cow_faults,
                 p->reuse_faults);
}

static void report_json_process(const VMMProcessStats *p, ReportBuffer *out) {
    report_print(out, "    {\"pid\": %" PRIu64 ", \"accesses\": %" PRIu64, p->pid, p->accesses);
    report_print(out, ", \"reads\": %" PRIu64 ", \"writes\": %" PRIu64, p->reads, p->writes);
    report_print(out, ", \"page_faults\": %" PRIu64, p->page_faults);
    report_print(out, ", \"tlb_hits\": %" PRIu64 ", \"tlb_misses\": %" PRIu64, p->tlb_hits,
                 p->tlb_misses);
    report_print(out, ", \"fetches\": %" PRIu64 ", \"page_references\": %" PRIu64, p->fetches,
                 p->page_references);
    report_print(out, ", \"major_faults\": %" PRIu64 ", \"minor_faults\": %" PRIu64,
                 p->major_faults, p->minor_faults);
    report_print(out, ", \"misses\": %" PRIu64 ", \"page_table_bytes\": %" PRIu64, p->misses,
                 p->page_table_bytes);
    report_print(out, ", \"kernel_references\": %" PRIu64, p->kernel_references);
    report_print(out, ", \"page_table_bytes_peak\": %" PRIu64, p->page_table_bytes_peak);
    report_json_memory(p, out);
    report_add(out, "}");
}

static void report_json_processes(const ReportInput *input, ReportBuffer *out) {
    VMMProcessStats process = {.struct_size = sizeof process};
    report_add(out, "  \"per_process\": [");
    for (size_t i = 0; i < vmm_process_count(input->vmm); i++) {
        if (vmm_process_stats(input->vmm, i, &process) != VMM_OK) {
            break;
        }
        report_add(out, i == 0 ? "\n" : ",\n");
        report_json_process(&process, out);
    }
    report_add(out, vmm_process_count(input->vmm) > 0 ? "\n  ],\n" : "],\n");
}

static void report_json_groups(const ReportInput *input, ReportBuffer *out) {
    VMMGroupStats group = {.struct_size = sizeof group};
    size_t count = vmm_group_count(input->vmm);
    report_add(out, ",\n  \"groups\": [");
    for (size_t i = 0; i < count && vmm_group_stats(input->vmm, i, &group) == VMM_OK; i++) {
        report_print(out, "%s    {\"name\": \"%s\", \"limit\": %" PRIu64, i == 0 ? "\n" : ",\n",
                     group.name, group.limit);
        report_print(out, ", \"processes\": %" PRIu64 ", \"resident\": %" PRIu64, group.processes,
                     group.resident);
        report_print(out, ", \"resident_peak\": %" PRIu64, group.resident_peak);
        report_print(out, ", \"limit_reclaims\": %" PRIu64 ", \"given_up\": %" PRIu64 "}",
                     group.limit_reclaims, group.given_up);
    }
    report_add(out, count > 0 ? "\n  ]" : "]");
}

/* Plain counts are numbers, all else is the text that the flag of that name takes. */
static void report_json_option(const ReportInput *input, const VMMOption *option,
                               ReportBuffer *out) {
    char value[REPORT_VALUE_BYTES];
    report_option(input, option->name, value);
    bool digits = value[0] != '\0' && value[strspn(value, "0123456789")] == '\0';
    if (option->type == VMM_OPTION_COUNT && digits) {
        report_add(out, value);
    } else {
        report_json_text(out, value);
    }
}

static void report_json_config(const ReportInput *input, ReportBuffer *out) {
    const VMMOption *option;
    const char *separator = "\n";
    report_add(out, "  \"config\": {");
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        if (!report_shows_option(option)) {
            continue;
        }
        report_print(out, "%s    \"%s\": ", separator, option->name);
        report_json_option(input, option, out);
        separator = ",\n";
    }
    report_add(out, "\n  },\n");
}

static void report_json_trace(const ReportInput *input, ReportBuffer *out) {
    const VMMTraceInfo *trace = input->trace;
    if (trace == NULL) {
        report_add(out, "  \"trace\": null,\n");
        return;
    }
    report_add(out, "  \"trace\": {\n    \"path\": ");
    report_json_text(out, trace->path);
    report_add(out, ",\n    \"format\": ");
    report_json_text(out, trace->format);
    report_add(out, ",\n    \"compression\": ");
    report_json_text(out, trace->compression);
    report_print(out, ",\n    \"marks_writes\": %s", trace->marks_writes ? "true" : "false");
    report_print(out, ",\n    \"references\": %" PRIu64, trace->references);
    report_print(out, ",\n    \"kernel_references\": %" PRIu64, trace->kernel_references);
    report_print(out, ",\n    \"events\": %" PRIu64, trace->events);
    report_print(out, ",\n    \"mappings_enforced\": %s",
                 report_enforces_mappings(input) ? "true" : "false");
    report_print(out, ",\n    \"page_size\": %" PRIu64, trace->page_size);
    report_print(out, ",\n    \"reduction\": %" PRIu64, trace->reduction);
    report_print(out, ",\n    \"bad_records\": %" PRIu64, trace->bad_records);
    report_print(out, ",\n    \"ignored_records\": %" PRIu64, trace->ignored_records);
    report_print(out, ",\n    \"damaged_bytes\": %" PRIu64, trace->damaged_bytes);
    report_print(out, ",\n    \"lost_references\": %" PRIu64, trace->lost_references);
    report_print(out, ",\n    \"fingerprint\": \"%016" PRIx64 "\"\n  },\n", trace->fingerprint);
}

/* The first invalid reference, or null. */
static void report_json_invalid(const ReportInput *input, ReportBuffer *out) {
    VMMInvalid first = {.struct_size = sizeof first};
    char text[VMM_ERROR_TEXT_BYTES];
    if (vmm_first_invalid(input->vmm, &first) != VMM_OK || !report_first_invalid(input, text)) {
        report_add(out, "  \"first_invalid\": null,\n");
        return;
    }
    report_print(out, "  \"first_invalid\": {\n    \"reference\": %" PRIu64, first.index);
    report_print(out, ",\n    \"pid\": %" PRIu32, first.pid);
    report_print(out, ",\n    \"address\": \"0x%" PRIx64 "\",\n    \"text\": ", first.address);
    report_json_text(out, text);
    report_add(out, "\n  },\n");
}

static void report_json_fault_classes(const ReportInput *input, ReportBuffer *out) {
    const char *name;
    report_add(out, "  \"fault_classes\": {");
    for (int i = 0; i < VMM_FAULT_CLASS_COUNT && (name = vmm_fault_class_name(i)) != NULL; i++) {
        report_print(out, "%s\n    \"%s\": %" PRIu64, i == 0 ? "" : ",", name,
                     input->stats.faults[i]);
    }
    report_add(out, "\n  }");
}

static void report_json_counters(const ReportInput *input, ReportBuffer *out) {
    const VMMStatInfo *info;
    for (size_t i = 0; (info = vmm_stat_at(i)) != NULL; i++) {
        if (!report_is_fault_class(info) && !report_json_is_classic(info->name)) {
            report_print(out, ",\n  \"%s\": %" PRIu64, info->name, report_counter(input, info));
        }
    }
}

/* Whom a kernel would kill where memory ran out, or null. */
static void report_json_oom_victim(const ReportInput *input, ReportBuffer *out) {
    VMMOomVictim victim = {.struct_size = sizeof victim};
    if (vmm_oom_victim(input->vmm, &victim) != VMM_OK) {
        report_add(out, ",\n  \"oom_victim\": null");
        return;
    }
    report_print(out, ",\n  \"oom_victim\": {\"pid\": %" PRIu32, victim.pid);
    report_print(out, ", \"resident\": %" PRIu64 ", \"swapped\": %" PRIu64, victim.resident,
                 victim.swapped);
    report_print(out, ", \"page_table\": %" PRIu64 "}", victim.page_table);
}

void report_json(const ReportInput *input, ReportBuffer *out) {
    report_add(out, "{\n");
    report_json_classic(input, out);
    report_json_processes(input, out);
    report_print(out, "  \"version\": \"%s\",\n", vmm_version());
    report_print(out, "  \"end\": \"%s\",\n", report_end(input));
    report_json_config(input, out);
    report_json_trace(input, out);
    report_json_invalid(input, out);
    report_json_fault_classes(input, out);
    report_json_counters(input, out);
    report_json_groups(input, out);
    report_json_oom_victim(input, out);
    report_add(out, "\n}\n");
}
