/* SPDX-License-Identifier: Apache-2.0 */
/* vmm trace info: what is counted of a trace, in one visit and in memory for its set of pages. */
#include <stdlib.h>
#include <string.h>

#include "trace_cmd.h"

void tracecmd_count_init(TraceCount *count, const TraceReading *input) {
    *count = (TraceCount){.input = input};
    count->page_shift = (unsigned)__builtin_ctzll(tracecmd_page_size(input));
    tracecmd_pages_init(&count->pages);
}

void tracecmd_count_free(TraceCount *count) {
    for (uint32_t i = 0; i < count->process_count; i++) {
        free(count->processes[i].threads);
    }
    free(count->processes);
    free(count->files);
    free(count->places);
    free(count->uses);
    tracecmd_pages_free(&count->pages);
}

/* The index of a process, in order of appearance. */
static uint32_t count_process(TraceCount *count, uint32_t pid) {
    if (count->last_process < count->process_count &&
        count->processes[count->last_process].pid == pid) {
        return count->last_process;
    }
    for (uint32_t i = 0; i < count->process_count; i++) {
        if (count->processes[i].pid == pid) {
            return count->last_process = i;
        }
    }
    count->processes =
        cli_realloc(count->processes, (size_t)count->process_count + 1, sizeof *count->processes);
    count->processes[count->process_count] = (TraceProcess){.pid = pid, .ended = -1};
    return count->last_process = count->process_count++;
}

/* Threads that switch stand at the end of the list, where they are found at once. */
static void count_thread(TraceProcess *process, uint32_t tid) {
    for (uint32_t i = process->thread_count; i-- > 0;) {
        if (process->threads[i] == tid) {
            return;
        }
    }
    process->threads =
        cli_realloc(process->threads, (size_t)process->thread_count + 1, sizeof *process->threads);
    process->threads[process->thread_count++] = tid;
}

/* What is remembered of a page that was touched so. */
static unsigned count_page_ops(bool kernel, bool reads, bool writes, bool fetches) {
    if (kernel) {
        return TRACE_PAGE_KERNEL | (writes ? TRACE_PAGE_KERNEL_WRITE : 0u);
    }
    return (reads ? 1u << VMM_OP_READ : 0u) | (writes ? 1u << VMM_OP_WRITE : 0u) |
           (fetches ? 1u << VMM_OP_FETCH : 0u);
}

static void count_ref(TraceCount *count, const VMMRef *ref) {
    uint32_t number = count_process(count, ref->pid);
    TraceProcess *process = &count->processes[number];
    bool kernel = (ref->flags & VMM_REF_KERNEL) != 0;
    if (kernel) {
        count->kernel_references++;
        count->kernel_writes += ref->op == VMM_OP_WRITE;
        process->kernel_references++;
    } else {
        count->references[ref->op]++;
        process->references[ref->op]++;
    }
    uint64_t end = ref->addr + (ref->size > 1 ? ref->size - 1 : 0);
    uint64_t vpn = ref->addr >> count->page_shift;
    uint64_t last = (end >= ref->addr ? end : UINT64_MAX) >> count->page_shift;
    unsigned ops = count_page_ops(kernel, ref->op == VMM_OP_READ, ref->op == VMM_OP_WRITE,
                                  ref->op == VMM_OP_FETCH);
    uint32_t *last_place = &count->pages.last[ref->op == VMM_OP_FETCH];
    count->crossings += last != vpn;
    for (uint64_t left = last - vpn + 1; left > 0; left--) {
        process->pages += tracecmd_pages_touch(&count->pages, number, vpn++, ops, 1, last_place);
    }
    count->pages.references++;
}

int tracecmd_count_refs(void *user, const VMMRef *refs, size_t number) {
    TraceCount *count = user;
    uint32_t pid = refs[0].pid, tid = refs[0].tid;
    uint32_t process = count_process(count, pid);
    count_thread(&count->processes[process], tid);
    for (size_t i = 0; i < number; i++) {
        if (refs[i].pid != pid || refs[i].tid != tid) {
            pid = refs[i].pid;
            tid = refs[i].tid;
            process = count_process(count, pid);
            count_thread(&count->processes[process], tid);
        }
        count_ref(count, &refs[i]);
    }
    return CLI_GO_ON;
}

/* ---- Page runs ------------------------------------------------------------------------------ */

/* Runs know their pages by their own size, and by no other. */
bool tracecmd_count_takes_runs(const TraceCount *count) {
    const TraceReading *input = count->input;
    return vmm_trace_has_runs(input->trace) && input->header->page_size == UINT64_C(1)
                                                                               << count->page_shift;
}

/* References by what they are, of all runs of a shape. */
static void count_shape(TraceCount *count, TraceProcess *process, const VMMRunShape *shape,
                        uint64_t uses) {
    uint64_t references = uses * (shape->count - shape->continued);
    uint64_t writes = uses * (shape->writes - (shape->continued && shape->first_write == 0));
    if (shape->kernel) {
        count->kernel_references += references;
        count->kernel_writes += writes;
        process->kernel_references += references;
        return;
    }
    VMMOp others = shape->fetch ? VMM_OP_FETCH : VMM_OP_READ;
    count->references[others] += references - writes;
    count->references[VMM_OP_WRITE] += writes;
    process->references[others] += references - writes;
    process->references[VMM_OP_WRITE] += writes;
}

/* The page of a run. What it continues was a reference of the time before. */
static bool count_run(TraceCount *count, uint32_t number, const VMMRunShape *shape, uint64_t vpn,
                      uint32_t *place) {
    TracePages *pages = &count->pages;
    unsigned ops = count_page_ops(
        shape->kernel, !shape->fetch && shape->writes<shape->count, shape->writes> 0, shape->fetch);
    if (!shape->continued) {
        bool fresh = tracecmd_pages_touch(pages, number, vpn, ops, shape->count, place);
        count->in_crossing = false;
        pages->references += shape->count;
        return fresh;
    }
    bool earlier = pages->references > 0;
    pages->references -= earlier;
    bool fresh = tracecmd_pages_touch(pages, number, vpn, ops, shape->count, place);
    count->crossings += !count->in_crossing;
    count->in_crossing = shape->count == 1;
    pages->references += earlier + shape->count - 1u;
    return fresh;
}

static void count_make_room(uint32_t **numbers, uint32_t *room, uint32_t count) {
    if (count > *room) {
        *numbers = cli_realloc(*numbers, count, sizeof **numbers);
        *room = count;
    }
    memset(*numbers, 0, count * sizeof **numbers);
}

int tracecmd_count_runs(void *user, const VMMRuns *runs) {
    TraceCount *count = user;
    uint32_t number = count_process(count, runs->pid);
    TraceProcess *process = &count->processes[number];
    count_thread(process, runs->tid);
    count_make_room(&count->places, &count->place_room, runs->page_count);
    count_make_room(&count->uses, &count->use_room, runs->shape_count);
    for (size_t i = 0; i < runs->count; i++) {
        uint16_t page = runs->page[i], shape = runs->shape[i];
        count->uses[shape]++;
        process->pages +=
            count_run(count, number, &runs->shapes[shape], runs->pages[page], &count->places[page]);
    }
    for (uint32_t i = 0; i < runs->shape_count; i++) {
        count_shape(count, process, &runs->shapes[i], count->uses[i]);
    }
    return CLI_GO_ON;
}

/* ---- Events --------------------------------------------------------------------------------- */

static void count_mapping(TraceCount *count, const VMMEvent *event) {
    if (event->file == 0 || vmm_trace_file(count->input->trace, event->file) == NULL) {
        return;
    }
    if (event->file > count->file_count) {
        count->files = cli_realloc(count->files, event->file, sizeof *count->files);
        memset(count->files + count->file_count, 0,
               (event->file - count->file_count) * sizeof *count->files);
        count->file_count = event->file;
    }
    count->files[event->file - 1].mappings++;
    count->files[event->file - 1].bytes += event->length;
}

int tracecmd_count_event(void *user, const VMMEvent *event) {
    TraceCount *count = user;
    count->events[event->type < TRACE_EVENT_TYPES ? event->type : 0]++;
    if (event->type == VMM_EVENT_LOST) { /* by damage, and then of no known process */
        count->lost = tracecmd_add_lost(count->lost, event->value);
        return CLI_GO_ON;
    }
    uint32_t number = count_process(count, event->pid); /* may move the processes */
    TraceProcess *process = &count->processes[number];
    switch (event->type) {
    case VMM_EVENT_MAP:
        count_mapping(count, event);
        break;
    case VMM_EVENT_START:
        process->parent = (uint32_t)event->value;
        break;
    case VMM_EVENT_EXEC:
        process->executable = event->file;
        break;
    case VMM_EVENT_EXIT:
        process->ended = (int64_t)event->value;
        break;
    case VMM_EVENT_FORK: {
        uint32_t executable = process->executable;
        number = count_process(count, (uint32_t)event->value);
        count->processes[number].parent = event->pid;
        count->processes[number].executable = executable;
        break;
    }
    default:
        break;
    }
    return CLI_GO_ON;
}
