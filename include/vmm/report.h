/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports: what a machine found out, as text for people and as JSON and CSV for programs.
 */
#ifndef VMM_REPORT_H
#define VMM_REPORT_H

#include <stddef.h>

#include "error.h"
#include "sim.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum VMMReportKind {
    VMM_REPORT_TEXT_CONFIG = 1, /* the banner and the configuration */
    VMM_REPORT_TEXT_SUMMARY,    /* the summary of a finished run */
    VMM_REPORT_TEXT_PROCESSES,  /* the table of processes */
    VMM_REPORT_JSON,
    VMM_REPORT_CSV_HEADER,
    VMM_REPORT_CSV_ROW
} VMMReportKind;

enum { VMM_REPORT_NO_TIMING = 1 /* 0 where wall-clock time would stand */ };

/* What a report says besides the machine's own numbers. */
typedef struct VMMReportContext {
    uint32_t struct_size;
    uint32_t flags;            /* VMM_REPORT_NO_TIMING */
    const VMMTraceInfo *trace; /* NULL: no trace */
    const char *config_name;   /* first CSV column; NULL: "default" */
    double wall_time_ms;       /* of the simulation */
} VMMReportContext;

/*
 * Writes a report into memory: up to `size` bytes, always ended by a zero. Returns the length
 * the whole report has, as snprintf does, or a negative VMMError.
 */
VMM_API long vmm_report(const VMM *vmm, VMMReportKind kind, const VMMReportContext *context,
                        char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
