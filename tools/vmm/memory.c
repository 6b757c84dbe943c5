/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of processes over time, as CSV: at each point a row "all" for the whole machine and
 * one for each process that has memory, or page tables, or had pages in swap.
 *
 *     references,pid,rss,rss_anonymous,rss_file,rss_shared,uss,pss,swap,page_table_bytes,
 *     frames_shared,frames_used,frames_free              the last three: of the machine
 *
 * A point stands behind each so many references, and one at the end. All sizes are pages but those
 * of page tables. The rows are kept until the run is over, as every output; as numbers, too, if
 * they are to be drawn (memory_plot.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MEMORY_EVERY = 100000 };

int cli_memory_init(const CliCommand *command, CliMemory *memory, const char *every, bool draws) {
    char *end = NULL;
    *memory = (CliMemory){.every = MEMORY_EVERY, .draws = draws};
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
    memory->csv = open_memstream(&memory->text, &memory->length);
    if (memory->csv == NULL) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    fputs("references,pid,rss,rss_anonymous,rss_file,rss_shared,uss,pss,swap,page_table_bytes,"
          "frames_shared,frames_used,frames_free\n",
          memory->csv);
    return CLI_OK;
}

static void memory_print_sizes(FILE *csv, const VMMProcessStats *p) {
    uint64_t thousandths = ((p->pss & UINT32_MAX) * 1000 + (UINT64_C(1) << 31)) >> 32;
    fprintf(csv,
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

static double memory_pages(uint64_t fixed) {
    return (double)fixed / ((double)UINT32_MAX + 1.0);
}

static void memory_keep_point(CliMemory *memory, const VMMStats *stats, uint64_t references) {
    if (memory->point_count == memory->point_room) {
        memory->point_room = 2 * memory->point_room + 64;
        memory->points = cli_realloc(memory->points, memory->point_room, sizeof *memory->points);
    }
    memory->points[memory->point_count++] =
        (CliMemoryPoint){.references = references,
                         .frames_used = (double)stats->frames_used,
                         .frames_shared = (double)stats->frames_shared};
}

static void memory_keep_row(CliMemory *memory, const VMMProcessStats *p) {
    if (memory->row_count == memory->row_room) {
        memory->row_room = 2 * memory->row_room + 64;
        memory->rows = cli_realloc(memory->rows, memory->row_room, sizeof *memory->rows);
    }
    CliMemoryRow *row = &memory->rows[memory->row_count++];
    *row = (CliMemoryRow){.point = memory->point_count - 1, .pid = p->pid};
    row->pages[CLI_MEMORY_RSS] = (double)p->rss;
    row->pages[CLI_MEMORY_PSS] = memory_pages(p->pss);
    row->pages[CLI_MEMORY_USS] = (double)p->uss;
    row->pages[CLI_MEMORY_SWAP] = (double)p->swap;
}

/* Of one process: into the CSV file, and among the numbers. */
static void memory_add_process(CliMemory *memory, const VMMProcessStats *p, uint64_t references) {
    if (p->rss + p->swap + p->page_table_bytes == 0) {
        return;
    }
    fprintf(memory->csv, "%" PRIu64 ",%" PRIu64 ",", references, p->pid);
    memory_print_sizes(memory->csv, p);
    fputs(",,,\n", memory->csv);
    if (memory->draws) {
        memory_keep_row(memory, p);
    }
}

static void memory_add_point(CliMemory *memory, const VMM *vmm, uint64_t references) {
    VMMProcessStats p = {.struct_size = sizeof p};
    VMMProcessStats sum = {0};
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    memory->begun = true;
    memory->last = references;
    memory->events = stats.events;
    if (memory->draws) {
        memory_keep_point(memory, &stats, references);
    }
    for (size_t i = 0; vmm_process_stats(vmm, i, &p) == VMM_OK; i++) {
        memory_sum(&sum, &p);
        memory_add_process(memory, &p, references);
    }
    fprintf(memory->csv, "%" PRIu64 ",all,", references);
    memory_print_sizes(memory->csv, &sum);
    fprintf(memory->csv, ",%" PRIu64 ",%" PRIu64 ",", stats.frames_shared, stats.frames_used);
    if (stats.frames > 0) { /* of variable space there is no number */
        fprintf(memory->csv, "%" PRIu64, stats.frames - stats.frames_used);
    }
    fputc('\n', memory->csv);
}

void cli_memory_add(CliMemory *memory, const VMM *vmm, uint64_t references) {
    if (references >= memory->next) {
        memory_add_point(memory, vmm, references);
        memory->next = (references / memory->every + 1) * memory->every;
    }
}

/* Events behind the last reference give a second point there. */
void cli_memory_end(CliMemory *memory, const VMM *vmm, uint64_t references) {
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    if (!memory->begun || references != memory->last || stats.events != memory->events) {
        memory_add_point(memory, vmm, references);
    }
}

int cli_memory_write(CliMemory *memory, CliOutput *output) {
    fflush(memory->csv);
    if (ferror(memory->csv) != 0) {
        cli_error("out of memory");
        return CLI_FAILURE;
    }
    return cli_output_write(output, memory->text, memory->length);
}

void cli_memory_free(CliMemory *memory) {
    if (memory->csv != NULL) {
        fclose(memory->csv);
        free(memory->text);
    }
    free(memory->points);
    free(memory->rows);
}
