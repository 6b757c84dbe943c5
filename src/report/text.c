/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for people: a banner with the configuration, the summary, the table of processes.
 *
 * The classic sections come first, with the labels and units that scripts have long looked for;
 * what is new follows in sections of its own (page walks, fault classes, residence, swap slots,
 * page tables, simulated time). A line is "  Label:          value".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/number.h"
#include "../engine/plugin.h"
#include "../engine/policies.h"
#include "report.h"

enum { REPORT_KB = 1024, REPORT_MB = 1024 * 1024 };

/* ---- Lines ---------------------------------------------------------------------------------- */

static void report_text_label(ReportBuffer *out, const char *label) {
    report_print(out, "  %-17s", label);
}

static void report_text_line(ReportBuffer *out, const char *label, const char *value) {
    report_text_label(out, label);
    report_print(out, "%s\n", value);
}

static void report_text_count(ReportBuffer *out, const char *label, uint64_t value) {
    report_text_label(out, label);
    report_print(out, "%" PRIu64 "\n", value);
}

static void report_text_note(ReportBuffer *out, const char *label, uint64_t value,
                             const char *note) {
    report_text_label(out, label);
    report_print(out, "%" PRIu64 " (%s)\n", value, note);
}

static void report_text_share(ReportBuffer *out, const char *label, uint64_t part, uint64_t whole) {
    report_text_label(out, label);
    report_print(out, "%" PRIu64 " (%s%%)\n", part,
                 report_decimal(100.0 * report_ratio(part, whole), 1).text);
}

static void report_text_decimal(ReportBuffer *out, const char *label, double value, int decimals,
                                const char *unit) {
    report_text_label(out, label);
    report_print(out, "%s%s\n", report_decimal(value, decimals).text, unit);
}

static void report_text_section(ReportBuffer *out, const char *title) {
    report_print(out, "\n%s:\n", title);
}

static void report_text_banner(ReportBuffer *out, const char *title) {
    report_print(out, "==================== %s ====================\n", title);
}

/* ---- Configuration -------------------------------------------------------------------------- */

static uint64_t report_text_bytes(const ReportInput *input, const char *option) {
    char value[REPORT_VALUE_BYTES];
    uint64_t bytes = 0;
    (void)number_parse_size(report_option(input, option, value), 1, &bytes);
    return bytes;
}

/* In MB when that is exact, as ever, else in the largest unit that is. */
static void report_text_size(ReportBuffer *out, uint64_t bytes) {
    if (bytes % REPORT_MB == 0) {
        report_print(out, "%" PRIu64 " MB", bytes / REPORT_MB);
    } else if (bytes % REPORT_KB == 0) {
        report_print(out, "%" PRIu64 " KB", bytes / REPORT_KB);
    } else {
        report_print(out, "%" PRIu64 " bytes", bytes);
    }
}

static void report_text_memory(const ReportInput *input, ReportBuffer *out) {
    char scope[REPORT_VALUE_BYTES];
    uint64_t page_size = report_text_bytes(input, "page-size");
    uint64_t frames = vmm_config_frames(input->config);
    bool private_pools = name_matches(report_option(input, "scope", scope), "process");
    report_text_label(out, "RAM:");
    report_text_size(out, frames * page_size);
    report_print(out, " (%" PRIu64 " frames%s)\n", frames,
                 private_pools ? " for each process" : "");
    report_text_label(out, "Page size:");
    report_print(out, "%" PRIu64 " bytes\n", page_size);
}

/* Virtual and swap space: a size if one was given, else what bounds them. */
static void report_text_space(const ReportInput *input, ReportBuffer *out, const char *label,
                              const char *option, const char *unlimited) {
    uint64_t bytes = report_text_bytes(input, option);
    report_text_label(out, label);
    if (bytes == 0) {
        report_add(out, unlimited);
    } else {
        report_text_size(out, bytes);
    }
    report_add(out, "\n");
}

static void report_text_tlb(const ReportInput *input, ReportBuffer *out) {
    char state[REPORT_VALUE_BYTES], entries[REPORT_VALUE_BYTES], ways[REPORT_VALUE_BYTES];
    char policy[REPORT_VALUE_BYTES];
    report_text_label(out, "TLB:");
    if (name_matches(report_option(input, "tlb", state), "off")) {
        report_add(out, "off\n");
        return;
    }
    report_print(out, "%s entries", report_option(input, "tlb-size", entries));
    if (!name_matches(report_option(input, "tlb-ways", ways), "full")) {
        report_print(out, ", %s ways", ways);
    }
    report_print(out, " (%s)\n", report_option(input, "tlb-policy", policy));
}

static void report_text_page_table(const ReportInput *input, ReportBuffer *out) {
    char name[REPORT_VALUE_BYTES];
    const VMMPageTableInfo *info;
    report_option(input, "pt-type", name);
    for (size_t i = 0; (info = vmm_page_table_at(i)) != NULL; i++) {
        if (name_matches(info->name, name)) {
            break;
        }
    }
    report_text_line(out, "Page table:", info != NULL ? info->label : name);
}

/* A path may hold anything: a line break would make lines that look like others. */
static void report_text_path(ReportBuffer *out, const char *path) {
    for (; *path != '\0'; path++) {
        if ((unsigned char)*path < 0x20 || *path == 0x7f) {
            report_print(out, "\\x%02x", (unsigned char)*path);
        } else {
            report_add_bytes(out, path, 1);
        }
    }
}

/*
 * "Clock", or "Clock (bits=2,enter=0)" if parameters were given. A policy of the user's is told
 * with its file: "./mine.c: Mine (window=3)".
 */
static void report_text_policy(const ReportInput *input, ReportBuffer *out) {
    char name[REPORT_VALUE_BYTES];
    const VMMPolicyInfo *info = vmm_policy_of(input->vmm);
    const char *label = info->label != NULL ? info->label : info->name;
    report_option(input, "policy", name);
    size_t length = policy_name_length(name);
    report_text_label(out, "Replacement:");
    if (plugin_is_path(name, length)) {
        char path[REPORT_VALUE_BYTES];
        snprintf(path, sizeof path, "%.*s", (int)length, name);
        report_text_path(out, path);
        report_add(out, ": ");
    }
    report_add(out, label);
    if (name[length] != '\0') {
        report_print(out, " (%s)", name + length + 1);
    }
    report_add(out, "\n");
}

/* Has the option a line of its own above? */
static bool report_text_has_line(const char *name) {
    static const char *const shown[] = {"ram",    "frames",   "page-size", "swap",
                                        "vspace", "scope",    "policy",    "pt-type",
                                        "tlb",    "tlb-size", "tlb-ways",  "tlb-policy"};
    for (size_t i = 0; i < VMM_COUNT_OF(shown); i++) {
        if (strcmp(name, shown[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void report_text_other_options(const ReportInput *input, ReportBuffer *out) {
    const VMMOption *option;
    const char *label = "Other options:";
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        char value[REPORT_VALUE_BYTES];
        if (report_text_has_line(option->name) || !report_shows_option(option) ||
            !vmm_config_is_set(input->config, option->name)) {
            continue;
        }
        report_text_label(out, label);
        report_print(out, "%s = %s\n", option->name, report_option(input, option->name, value));
        label = "";
    }
}

static void report_text_trace(const VMMTraceInfo *trace, ReportBuffer *out) {
    report_add(out, "\nTrace file: ");
    report_text_path(out, trace->path);
    report_print(out, " (%s", trace->format);
    if (strcmp(trace->compression, "none") != 0) {
        report_print(out, ", %s", trace->compression);
    }
    report_add(out, ")\n");
}

void report_text_config(const ReportInput *input, ReportBuffer *out) {
    char type[REPORT_VALUE_BYTES];
    bool five = name_matches(report_option(input, "pt-type", type), "FIVE_LEVEL");
    report_text_banner(out, "VMM SIMULATOR");
    report_add(out, "VMM Configuration:\n");
    report_text_memory(input, out);
    report_text_space(input, out, "Virtual space:", "vspace",
                      five ? "57 bits (the page table's)" : "48 bits (the page table's)");
    report_text_tlb(input, out);
    report_text_page_table(input, out);
    report_text_policy(input, out);
    report_text_space(input, out, "Swap:", "swap", "as needed");
    report_text_line(out, "Max processes:", "unlimited");
    report_text_other_options(input, out);
    if (input->trace != NULL) {
        report_text_trace(input->trace, out);
    }
}

/* ---- Summary: classic sections -------------------------------------------------------------- */

static void report_text_accesses(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Memory Accesses");
    report_text_count(out, "Total:", s->accesses);
    report_text_share(out, "Reads:", s->reads, s->accesses);
    report_text_share(out, "Writes:", s->writes, s->accesses);
    report_text_share(out, "Fetches:", s->fetches, s->accesses);
    if (s->kernel_references > 0) {
        report_text_note(out, "By the kernel:", s->kernel_references, "not among the accesses");
    }
}

static void report_text_faults(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Page Faults");
    report_text_count(out, "Total:", s->page_faults);
    report_text_note(out, "Major:", s->major_faults,
                     s->major_faults > s->swap_ins ? "required swap-in or file read"
                                                   : "required swap-in");
    report_text_note(out, "Minor:", s->minor_faults, "no I/O");
    if (s->faults[VMM_FAULT_invalid] > 0) {
        report_text_note(out, "Invalid:", s->faults[VMM_FAULT_invalid],
                         "no such address, or forbidden");
    }
    report_text_decimal(out, "Fault Rate:", 100.0 * report_ratio(s->page_faults, s->accesses), 4,
                        "%");
}

static void report_text_tlb_performance(const VMMStats *s, ReportBuffer *out) {
    double rate = report_ratio(s->tlb_hits, s->tlb_hits + s->tlb_misses);
    report_text_section(out, "TLB Performance");
    report_text_count(out, "Hits:", s->tlb_hits);
    report_text_count(out, "Misses:", s->tlb_misses);
    report_text_decimal(out, "Hit Rate:", 100.0 * rate, 2, "%");
}

static void report_text_swap(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Swap I/O");
    report_text_count(out, "Swap-ins:", s->swap_ins);
    report_text_count(out, "Swap-outs:", s->swap_outs);
    report_text_count(out, "Replacements:", s->replacements);
}

static double report_text_cost_ns(const ReportInput *input, const char *option) {
    char value[REPORT_VALUE_BYTES];
    uint64_t picoseconds = 0;
    (void)number_parse_duration(report_option(input, option, value), &picoseconds);
    return (double)picoseconds / 1000.0;
}

/* The slowdown compares with a reference that hits the TLB: one lookup and one memory access. */
static void report_text_access_time(const ReportInput *input, ReportBuffer *out) {
    double average = vmm_average_access_time_ns(input->vmm);
    double hit = report_text_cost_ns(input, "cost-tlb") + report_text_cost_ns(input, "cost-memory");
    report_text_section(out, "Average Memory Access Time");
    report_text_decimal(out, "AMT:", average, 2, " ns");
    if (hit > 0.0) {
        report_text_decimal(out, "Slowdown:", average / hit, 2, "x (vs TLB hit)");
    } else {
        report_text_line(out, "Slowdown:", "- (a TLB hit costs nothing)");
    }
}

static void report_text_wall_time(const ReportInput *input, ReportBuffer *out) {
    double ms = input->wall_time_ms;
    double rate = ms > 0.0 ? (double)input->stats.accesses / ms : 0.0;
    report_text_section(out, "Simulation Time");
    report_text_decimal(out, "Wall time:", ms, 3, " ms");
    report_text_decimal(out, "Throughput:", rate, 1, " accesses/ms");
}

/* ---- Summary: what came later --------------------------------------------------------------- */

static void report_text_walks(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Page Walks");
    report_text_count(out, "Walks:", s->walks);
    report_text_count(out, "Entries read:", s->walk_reads);
    report_text_decimal(out, "Reads per walk:", report_ratio(s->walk_reads, s->walks), 2, "");
}

static void report_text_fault_classes(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Fault Classes");
    for (int i = 0; i < VMM_FAULT_CLASS_COUNT; i++) {
        char label[64];
        ReportBuffer name;
        if (s->faults[i] == 0) {
            continue;
        }
        report_buffer_init(&name, label, sizeof label);
        report_print(&name, "%s:", vmm_fault_class_name(i));
        report_text_note(out, label, s->faults[i], vmm_fault_class_help(i));
    }
    if (s->page_faults == 0) {
        report_add(out, "  none\n");
    }
}

static void report_text_residence(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Residence");
    report_text_share(out, "Misses:", s->misses, s->page_references);
    report_text_count(out, "Page references:", s->page_references);
    report_text_count(out, "Distinct pages:", s->distinct_pages);
    report_text_label(out, "Frames used:");
    if (s->frames == 0) { /* variable space */
        report_print(out, "%" PRIu64 ", as many as needed\n", s->frames_used);
    } else {
        report_print(out, "%" PRIu64 " of %" PRIu64 "\n", s->frames_used, s->frames);
    }
    report_text_count(out, "Peak frames:", s->frames_used_peak);
    if (s->space_time > 0) {
        report_text_label(out, "Mean frames:");
        report_print(out, "%.1f\n", (double)s->space_time / (double)s->page_references);
    }
    report_text_count(out, "Clean evictions:", s->clean_evictions);
    if (s->frames_locked > 0) {
        report_text_count(out, "Locked frames:", s->frames_locked);
    }
}

static void report_text_slots(const ReportInput *input, ReportBuffer *out) {
    const VMMStats *s = &input->stats;
    VMMOomVictim victim = {.struct_size = sizeof victim};
    report_text_section(out, "Swap Slots");
    report_text_count(out, "In use:", s->swap_slots_used);
    report_text_count(out, "Peak:", s->swap_slots_peak);
    if (s->oom_events > 0) {
        report_text_note(out, "Swap full:", s->oom_events, "out of memory, the run ended there");
    }
    if (vmm_oom_victim(input->vmm, &victim) == VMM_OK) {
        report_text_label(out, "Victim:");
        report_print(out,
                     "process %" PRIu32 ", which a kernel would kill (pages: %" PRIu64
                     " in memory, %" PRIu64 " in swap, %" PRIu64 " of page tables)\n",
                     victim.pid, victim.resident, victim.swapped, victim.page_table);
    }
}

static void report_text_page_tables(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Page Tables");
    report_text_count(out, "Tables:", s->page_tables);
    report_text_count(out, "Bytes:", s->page_table_bytes);
    report_text_count(out, "Peak tables:", s->page_tables_peak);
    report_text_count(out, "Peak bytes:", s->page_table_bytes_peak);
    report_text_count(out, "Processes:", s->processes);
}

static void report_text_simulated_time(const VMMStats *s, ReportBuffer *out) {
    report_text_section(out, "Simulated Time");
    report_text_decimal(out, "Stall:", (double)s->stall_time_ps / 1e9, 3, " ms");
    report_text_decimal(out, "Background:", (double)s->background_time_ps / 1e9, 3, " ms");
}

/* What is not in the numbers above. */
static void report_text_losses(const VMMTraceInfo *trace, ReportBuffer *out) {
    if (trace == NULL || (trace->bad_records == 0 && trace->ignored_records == 0 &&
                          trace->damaged_bytes == 0 && trace->lost_references == 0)) {
        return;
    }
    report_text_section(out, "Input");
    report_text_count(out, "Bad records:", trace->bad_records);
    report_text_count(out, "Ignored records:", trace->ignored_records);
    report_text_count(out, "Damaged bytes:", trace->damaged_bytes);
    if (trace->lost_references > 0) {
        report_text_count(out, "Lost references:", trace->lost_references);
    }
}

/* What is to be known of the trace to read the numbers rightly. */
static void report_text_events(const ReportInput *input, ReportBuffer *out) {
    uint64_t reduction = input->trace == NULL ? 0 : input->trace->reduction;
    if (input->stats.events > 0) {
        report_text_section(out, "Mappings");
        report_text_note(out, "Events:", input->stats.events,
                         report_enforces_mappings(input)
                             ? "a reference outside of the mappings, or against their protection, "
                               "is invalid"
                             : "not all mappings are told: an address outside of them is anonymous "
                               "memory");
        report_text_note(out, "Discards:", input->stats.discards,
                         "pages in memory that events gave up");
    }
    if (reduction > 0) {
        report_text_section(out, "Reduced Trace");
        report_text_note(
            out, "SAD:", reduction,
            "misses, faults and write-backs are those of the whole trace, for LRU with "
            "at least so many frames; all else counts the references kept");
    }
}

static void report_text_invalid(const ReportInput *input, ReportBuffer *out) {
    const VMMStats *s = &input->stats;
    char text[VMM_ERROR_TEXT_BYTES];
    if (!report_first_invalid(input, text)) {
        return;
    }
    report_text_section(out, "Invalid References");
    report_text_count(out, "Faults:", s->faults[VMM_FAULT_invalid]);
    report_text_line(out, "First:", text);
    if (s->kills > 0) {
        report_text_note(out, "Killed:", s->kills, "processes");
        report_text_note(out, "Dropped:", s->dropped, "references of killed processes");
    }
}

/* Of groups in pages: most resident at a time, and what left because of their limits. */
static void report_text_groups(const ReportInput *input, ReportBuffer *out) {
    VMMGroupStats group = {.struct_size = sizeof group};
    for (size_t i = 0; vmm_group_stats(input->vmm, i, &group) == VMM_OK; i++) {
        char label[64];
        ReportBuffer name;
        report_buffer_init(&name, label, sizeof label);
        report_print(&name, "%s:", group.name);
        report_text_label(out, label);
        report_print(out,
                     "%" PRIu64 " of %" PRIu64 " pages, at most %" PRIu64 "; %" PRIu64
                     " left at the limit, %" PRIu64 " when memory was short\n",
                     group.resident, group.limit, group.resident_peak, group.limit_reclaims,
                     group.given_up);
    }
}

static void report_text_pressure(const ReportInput *input, ReportBuffer *out) {
    const VMMStats *s = &input->stats;
    bool limits =
        vmm_group_count(input->vmm) > 0 || vmm_config_is_set(input->config, "resident-limit") != 0;
    bool marks = vmm_config_is_set(input->config, "free-low") != 0;
    if (!limits && !marks) {
        return;
    }
    report_text_section(out, "Limits and Pressure");
    if (limits) {
        report_text_note(out, "At limits:", s->limit_reclaims,
                         "evictions because a group or process was at its limit");
        report_text_groups(input, out);
    }
    if (marks) {
        report_text_note(out, "Woken:", s->reclaim_wakeups, "times that few frames were free");
        report_text_note(out, "Background:", s->background_reclaims,
                         "evictions that nobody waited for");
    }
}

/* Only where events have made memory that can be shared. */
static void report_text_sharing(const VMMStats *s, ReportBuffer *out) {
    if (s->copied_entries + s->copies + s->frames_shared_peak + s->file_faults + s->shared_faults ==
        0) {
        return;
    }
    report_text_section(out, "Sharing");
    report_text_note(out, "Forked entries:", s->copied_entries, "page-table entries copied");
    report_text_count(out, "Copies:", s->copies);
    report_text_note(out, "Copies avoided:", s->copies_avoided, "by copy-on-write, so far");
    report_text_count(out, "Shared frames:", s->frames_shared);
    report_text_count(out, "Peak shared:", s->frames_shared_peak);
    report_text_note(out, "Reverse map:", s->rmap_steps, "entries visited");
    if (s->mapped_around > 0) {
        report_text_note(out, "Mapped around:", s->mapped_around,
                         "entries that faults on neighbouring pages made");
    }
    report_text_section(out, "Faults and Evictions by Kind");
    report_text_count(out, "Anonymous:", s->anonymous_faults);
    report_text_count(out, "Of files:", s->file_faults);
    report_text_count(out, "Of segments:", s->shared_faults);
    report_text_note(out, "Cache hits:", s->page_cache_hits, "of the file faults");
    report_text_note(out, "Clean evictions:", s->clean_file_evictions, "of files, dropped");
    report_text_note(out, "Dirty evictions:", s->dirty_file_evictions, "of files, written back");
}

void report_text_summary(const ReportInput *input, ReportBuffer *out) {
    const VMMStats *s = &input->stats;
    report_add(out, "\n");
    report_text_banner(out, "SIMULATION SUMMARY");
    report_text_accesses(s, out);
    report_text_faults(s, out);
    report_text_tlb_performance(s, out);
    report_text_swap(s, out);
    report_text_access_time(input, out);
    report_text_wall_time(input, out);
    report_text_walks(s, out);
    report_text_fault_classes(s, out);
    report_text_residence(s, out);
    report_text_slots(input, out);
    report_text_page_tables(s, out);
    report_text_simulated_time(s, out);
    report_text_invalid(input, out);
    report_text_pressure(input, out);
    report_text_sharing(s, out);
    report_text_events(input, out);
    report_text_losses(input->trace, out);
}

/* ---- Processes ------------------------------------------------------------------------------ */

/* Memory of each process, in pages; of its page table the most bytes it had. */
static void report_text_memory_of_processes(const ReportInput *input, ReportBuffer *out) {
    VMMProcessStats p = {.struct_size = sizeof p};
    report_add(out, "\n");
    report_text_banner(out, "MEMORY OF PROCESSES (PAGES)");
    report_print(out, "%10s | %8s | %8s | %8s | %8s | %8s | %8s | %10s | %8s | %8s | %8s | %10s\n",
                 "PID", "RSS", "Anon", "File", "Shared", "Peak", "USS", "PSS", "Swap", "COW",
                 "Reuse", "Tables (B)");
    for (size_t i = 0; i < vmm_process_count(input->vmm); i++) {
        if (vmm_process_stats(input->vmm, i, &p) != VMM_OK) {
            break;
        }
        report_print(out,
                     "%10" PRIu64 " | %8" PRIu64 " | %8" PRIu64 " | %8" PRIu64 " | %8" PRIu64
                     " | %8" PRIu64 " | %8" PRIu64 " | %10s | %8" PRIu64 " | %8" PRIu64
                     " | %8" PRIu64 " | %10" PRIu64 "\n",
                     p.pid, p.rss, p.rss_anonymous, p.rss_file, p.rss_shared, p.rss_peak, p.uss,
                     report_decimal(report_pages(p.pss), 2).text, p.swap, p.cow_faults,
                     p.reuse_faults, p.page_table_bytes_peak);
    }
}

void report_text_processes(const ReportInput *input, ReportBuffer *out) {
    VMMProcessStats p = {.struct_size = sizeof p};
    report_add(out, "\n");
    report_text_banner(out, "PER-PROCESS METRICS");
    report_print(out, "%10s | %12s | %12s | %12s | %12s | %12s | %12s\n", "PID", "Accesses",
                 "Reads", "Writes", "Faults", "TLB Hits", "TLB Misses");
    for (size_t i = 0; i < vmm_process_count(input->vmm); i++) {
        if (vmm_process_stats(input->vmm, i, &p) != VMM_OK) {
            break;
        }
        report_print(out,
                     "%10" PRIu64 " | %12" PRIu64 " | %12" PRIu64 " | %12" PRIu64 " | %12" PRIu64
                     " | %12" PRIu64 " | %12" PRIu64 "\n",
                     p.pid, p.accesses, p.reads, p.writes, p.page_faults, p.tlb_hits, p.tlb_misses);
    }
    if (input->stats.events > 0) {
        report_text_memory_of_processes(input, out);
    }
}
