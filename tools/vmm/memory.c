/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of processes over time, as CSV: at each point a row "all" for the whole machine and
 * one for each process that has memory, or page tables, or had pages in swap.
 *
 *     references,pid,rss,rss_anonymous,rss_file,rss_shared,uss,pss,swap,page_table_bytes,
 *     frames_shared,frames_used,frames_free              the last three: of the machine
 *
 * A point stands behind each so many references, and one at the end. All sizes are pages but those
 * of page tables. The rows are kept until the run is over, as every output.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MEMORY_EVERY = 100000 };

int cli_memory_init(const CliCommand *command, CliMemory *memory, const char *every) {
    char *end = NULL;
    *memory = (CliMemory){.every = MEMORY_EVERY};
    if (every != NULL) {
        memory->every = strtoull(every, &end, 10);
        if (*every < '0' || *every > '9' || *end != '\0' || memory->every == 0 ||
            memory->every > UINT64_MAX / 2) {
            return cli_usage_error(command->name,
                                   "--memory-every is \"%s\", expected a number of references, 1 "
                                   "or more",
                                   every);
        }
    }
    memory->next = memory->every;
    memory->rows = open_memstream(&memory->text, &memory->length);
    if (memory->rows == NULL) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    fputs("references,pid,rss,rss_anonymous,rss_file,rss_shared,uss,pss,swap,page_table_bytes,"
          "frames_shared,frames_used,frames_free\n",
          memory->rows);
    return CLI_OK;
}

static void memory_print_sizes(FILE *rows, const VMMProcessStats *p) {
    uint64_t thousandths = ((p->pss & UINT32_MAX) * 1000 + (UINT64_C(1) << 31)) >> 32;
    fprintf(rows,
            "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ".%03" PRIu64
            ",%" PRIu64 ",%" PRIu64,
            p->rss, p->rss_anonymous, p->rss_file, p->rss_shared, p->uss,
            (p->pss >> 32) + thousandths / 1000, thousandths % 1000, p->swap, p->page_table_bytes);
}

static void memory_sum(VMMProcessStats *sum, const VMMProcessStats *p) {
    sum->rss += p->rss;
    sum->rss_anonymous += p->rss_anonymous;
    sum->rss_file += p->rss_file;
    sum->rss_shared += p->rss_shared;
    sum->uss += p->uss;
    sum->pss += p->pss;
    sum->swap += p->swap;
    sum->page_table_bytes += p->page_table_bytes;
}

static void memory_add_point(CliMemory *memory, const VMM *vmm, uint64_t references) {
    VMMProcessStats p = {.struct_size = sizeof p};
    VMMProcessStats sum = {0};
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    for (size_t i = 0; vmm_process_stats(vmm, i, &p) == VMM_OK; i++) {
        memory_sum(&sum, &p);
        if (p.rss + p.swap + p.page_table_bytes > 0) {
            fprintf(memory->rows, "%" PRIu64 ",%" PRIu64 ",", references, p.pid);
            memory_print_sizes(memory->rows, &p);
            fputs(",,,\n", memory->rows);
        }
    }
    fprintf(memory->rows, "%" PRIu64 ",all,", references);
    memory_print_sizes(memory->rows, &sum);
    fprintf(memory->rows, ",%" PRIu64 ",%" PRIu64 ",", stats.frames_shared, stats.frames_used);
    if (stats.frames > 0) { /* of variable space there is no number */
        fprintf(memory->rows, "%" PRIu64, stats.frames - stats.frames_used);
    }
    fputc('\n', memory->rows);
}

void cli_memory_add(CliMemory *memory, const VMM *vmm, uint64_t references) {
    if (references >= memory->next) {
        memory_add_point(memory, vmm, references);
        memory->next = (references / memory->every + 1) * memory->every;
        memory->last = references;
    }
}

void cli_memory_end(CliMemory *memory, const VMM *vmm, uint64_t references) {
    if (references != memory->last) {
        memory_add_point(memory, vmm, references);
        memory->last = references;
    }
}

int cli_memory_write(CliMemory *memory, CliOutput *output) {
    fflush(memory->rows);
    if (ferror(memory->rows) != 0) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    return cli_output_write(output, memory->text, memory->length);
}

void cli_memory_free(CliMemory *memory) {
    if (memory->rows != NULL) {
        fclose(memory->rows);
        free(memory->text);
    }
}
