/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm_report(): gathers what a report says from the public interface of the machine, and hands it
 * to the writer of the kind asked for.
 */
#include "report.h"

#include <string.h>

#include "../base/number.h"

uint64_t report_counter(const ReportInput *input, const VMMStatInfo *info) {
    uint64_t value;
    memcpy(&value, (const char *)&input->stats + info->offset, sizeof value);
    return value;
}

bool report_is_fault_class(const VMMStatInfo *info) {
    return info->offset >= offsetof(VMMStats, faults);
}

bool report_enforces_mappings(const ReportInput *input) {
    char text[REPORT_VALUE_BYTES] = "";
    vmm_config_get(input->config, "mappings", text, sizeof text);
    bool complete = input->trace != NULL && input->trace->mappings_complete != 0;
    return input->stats.events > 0 && strcmp(text, "partial") != 0 &&
           (complete || strcmp(text, "complete") == 0);
}

double report_pages(uint64_t share) {
    return (double)share / 4294967296.0;
}

double report_ratio(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0.0 : (double)part / (double)whole;
}

const char *report_option(const ReportInput *input, const char *name,
                          char value[REPORT_VALUE_BYTES]) {
    value[0] = '\0';
    vmm_config_get(input->config, name, value, REPORT_VALUE_BYTES);
    return value;
}

static bool report_stops_at_invalid(const ReportInput *input) {
    char value[REPORT_VALUE_BYTES];
    return name_matches(report_option(input, "invalid", value), "stop");
}

const char *report_end(const ReportInput *input) {
    switch (vmm_last_error(input->vmm)) {
    case VMM_E_OUT_OF_MEMORY:
        return "out_of_memory";
    case VMM_E_STOPPED:
        return "stopped";
    case VMM_E_INVALID_ADDRESS: /* also what vmm_access() answers, and goes on */
        if (report_stops_at_invalid(input)) {
            return "invalid";
        }
        break;
    default:
        break;
    }
    return input->trace != NULL && input->trace->damaged_bytes > 0 ? "damaged" : "complete";
}

bool report_shows_option(const VMMOption *option) {
    return !name_matches(option->name, "engine");
}

static int report_gather(const VMM *vmm, const VMMReportContext *context, ReportInput *input) {
    *input = (ReportInput){.vmm = vmm,
                           .config = vmm_configuration(vmm),
                           .config_name = "default",
                           .stats = {.struct_size = sizeof input->stats}};
    if (context != NULL) {
        input->trace = context->trace;
        if (context->config_name != NULL) {
            input->config_name = context->config_name;
        }
        if ((context->flags & VMM_REPORT_NO_TIMING) == 0) {
            input->wall_time_ms = context->wall_time_ms;
        }
    }
    return vmm_stats(vmm, &input->stats);
}

bool report_first_invalid(const ReportInput *input, char text[VMM_ERROR_TEXT_BYTES]) {
    VMMInvalid first = {.struct_size = sizeof first};
    if (vmm_first_invalid(input->vmm, &first) != VMM_OK) {
        return false;
    }
    vmm_invalid_text(&first, text, VMM_ERROR_TEXT_BYTES);
    return true;
}

long vmm_report(const VMM *vmm, VMMReportKind kind, const VMMReportContext *context, char *text,
                size_t size) {
    ReportInput input;
    ReportBuffer out;
    if (vmm == NULL || (text == NULL && size > 0)) {
        return VMM_E_USAGE;
    }
    if (context != NULL && context->struct_size < sizeof *context) {
        return VMM_E_USAGE;
    }
    int error = report_gather(vmm, context, &input);
    if (error != VMM_OK) {
        return error;
    }
    report_buffer_init(&out, text, size);
    switch (kind) {
    case VMM_REPORT_TEXT_CONFIG:
        report_text_config(&input, &out);
        break;
    case VMM_REPORT_TEXT_SUMMARY:
        report_text_summary(&input, &out);
        break;
    case VMM_REPORT_TEXT_PROCESSES:
        report_text_processes(&input, &out);
        break;
    case VMM_REPORT_JSON:
        report_json(&input, &out);
        break;
    case VMM_REPORT_CSV_HEADER:
        report_csv_header(&input, &out);
        break;
    case VMM_REPORT_CSV_ROW:
        report_csv_row(&input, &out);
        break;
    default:
        return VMM_E_USAGE;
    }
    return (long)out.length;
}
