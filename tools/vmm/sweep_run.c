/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a sweep on all cores.
 *
 *     rows without a text ──► blocks: rows of one stream, at most so many ──► queue
 *                                                   │
 *     each thread: next block ──► its own trace and machines, one decoding ──► rows into the store
 *
 * Threads share the queue, the store and the progress line, each under the one lock; nothing of the
 * library is shared. What a row says does not depend on the block that it ran in.
 *
 * A machine that runs out of swap stops alone. One that the trace cannot serve at all is taken out
 * of its block and the rest runs without it. Any other failure that is not the trace's is looked
 * for row by row: it may be one machine's. What is wrong with the host (no memory, no file, a full
 * disk) ends the sweep; what was finished stays.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sweep.h"

enum { RUN_GO_ON = CLI_GO_ON };

/* Rows that are decoded for once. */
typedef struct RunBlock {
    size_t *rows;
    size_t count;
    double share; /* of the trace done, 0 to 1 */
} RunBlock;

typedef struct SweepRun {
    SweepPlan *plan;
    SweepStore *store;
    const SweepOrders *orders;
    RunBlock *blocks;
    size_t block_count;
    size_t rows_to_run;
    double weight; /* of all blocks */
    pthread_mutex_t lock;
    /* under the lock: */
    size_t next_block;
    size_t rows_done;
    double start, next_draw;
    bool shown;
    bool *trace_told; /* what was lost of a trace is told once */
    bool bad_input;
    int status; /* RUN_GO_ON, or how the sweep ends */
} SweepRun;

/* One block at work, in one thread. */
typedef struct RunWork {
    SweepRun *run;
    RunBlock *block;
    VMM **vmms;
    size_t *rows; /* of the block, that are run now */
    size_t count;
    VMMTrace *trace;
} RunWork;

/* ---- Blocks --------------------------------------------------------------------------------- */

static double sweeprun_weight(const SweepPlan *plan, const RunBlock *block) {
    size_t trace = sweep_trace(plan, block->rows[0]);
    return (double)block->count * (double)(plan->trace_bytes[trace] + 1);
}

/* Cuts the rows of one stream: as few blocks as the limit allows, but work for all threads. */
static void sweeprun_cut(SweepRun *run, const size_t *rows, size_t count) {
    size_t jobs = run->orders->jobs, most = run->orders->block;
    size_t least = (count + most - 1) / most;
    size_t wanted = (jobs * count + run->rows_to_run - 1) / run->rows_to_run;
    size_t blocks = wanted > least ? wanted : least;
    for (size_t i = 0, from = 0; i < blocks; i++) {
        size_t to = count * (i + 1) / blocks;
        RunBlock block = {.rows = cli_alloc(to - from, sizeof *rows), .count = to - from};
        memcpy(block.rows, rows + from, block.count * sizeof *rows);
        from = to;
        run->blocks = cli_realloc(run->blocks, run->block_count + 1, sizeof *run->blocks);
        run->blocks[run->block_count++] = block;
        run->weight += sweeprun_weight(run->plan, &block);
    }
}

static int sweeprun_compare(const void *a, const void *b) {
    const RunBlock *x = a, *y = b;
    return x->rows[0] < y->rows[0] ? -1 : x->rows[0] > y->rows[0];
}

/* The rows to run, those of one stream together; where each stream ends is in `ends`. */
static size_t *sweeprun_by_stream(SweepRun *run, size_t *ends) {
    const SweepPlan *plan = run->plan;
    size_t *rows = cli_alloc(plan->count, sizeof *rows);
    for (size_t i = 0; i < plan->count; i++) {
        ends[plan->rows[i].stream] += plan->rows[i].text == NULL;
    }
    for (uint32_t stream = 0; stream < plan->stream_count; stream++) { /* now where it begins */
        size_t count = ends[stream];
        ends[stream] = run->rows_to_run;
        run->rows_to_run += count;
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->rows[i].text == NULL) {
            rows[ends[plan->rows[i].stream]++] = i;
        }
    }
    return rows;
}

static void sweeprun_make_blocks(SweepRun *run) {
    const SweepPlan *plan = run->plan;
    size_t *ends = cli_alloc(plan->stream_count, sizeof *ends);
    size_t *rows = sweeprun_by_stream(run, ends);
    for (uint32_t stream = 0; stream < plan->stream_count; stream++) {
        size_t from = stream > 0 ? ends[stream - 1] : 0;
        if (ends[stream] > from) {
            sweeprun_cut(run, rows + from, ends[stream] - from);
        }
    }
    free(rows);
    free(ends);
    if (run->block_count > 0) {
        qsort(run->blocks, run->block_count, sizeof *run->blocks, sweeprun_compare);
    }
}

/* ---- Progress -------------------------------------------------------------------------------- */

static void sweeprun_draw(SweepRun *run, double now) {
    double done = 0.0;
    for (size_t i = 0; i < run->block_count; i++) {
        done += run->blocks[i].share * sweeprun_weight(run->plan, &run->blocks[i]);
    }
    double share = done / run->weight;
    fprintf(stderr, "%svmm: %zu of %zu configurations, %.0f %%",
            run->orders->draws ? "\r\033[K" : "", run->store->kept + run->rows_done,
            run->plan->count, share * 100.0);
    if (share > 0.0) {
        cli_print_time_left(share, now - run->start);
    }
    fputs(run->orders->draws ? "" : "\n", stderr);
    fflush(stderr);
    run->shown = run->orders->draws;
    run->next_draw = now + 0.1;
}

/* Called by vmm_run(), in the thread of a block: 0 to go on. */
static int sweeprun_step(void *user, const VMMProgress *progress) {
    RunWork *work = user;
    SweepRun *run = work->run;
    double share = progress->bytes_total == 0
                       ? 0.0
                       : (double)progress->bytes_read / (double)progress->bytes_total;
    pthread_mutex_lock(&run->lock);
    share = (share + (double)progress->pass - 1.0) / (double)progress->passes;
    work->block->share = share > 1.0 ? 1.0 : share;
    double now = cli_now();
    if (run->orders->draws && now >= run->next_draw) {
        sweeprun_draw(run, now);
    }
    bool goes_on = run->status == RUN_GO_ON && cli_interrupted() == 0;
    pthread_mutex_unlock(&run->lock);
    return goes_on ? 0 : 1;
}

/* ---- One block ------------------------------------------------------------------------------ */

/* Ends the whole sweep. */
static void sweeprun_end(SweepRun *run, int status, const char *why) {
    pthread_mutex_lock(&run->lock);
    if (run->status == RUN_GO_ON) {
        run->status = status;
        if (run->shown) {
            fputs("\r\033[K", stderr);
        }
        if (why != NULL) {
            cli_error("%s", why);
        }
    }
    pthread_mutex_unlock(&run->lock);
}

/* A row has no numbers, and why. */
static void sweeprun_fail_row(RunWork *work, size_t place, const char *why) {
    size_t row = work->rows[place];
    work->run->plan->rows[row].text = sweep_row_failed(work->run->plan, row, why);
}

static void sweeprun_take_out(RunWork *work, size_t place) {
    memmove(work->rows + place, work->rows + place + 1,
            (work->count - place - 1) * sizeof *work->rows);
    work->count--;
}

static void sweeprun_close(RunWork *work) {
    for (size_t i = 0; i < work->count; i++) {
        vmm_destroy(work->vmms[i]);
        work->vmms[i] = NULL;
    }
    vmm_trace_close(work->trace);
    work->trace = NULL;
}

static void sweeprun_give_up(RunWork *work, size_t place, const char *why) {
    sweeprun_fail_row(work, place, why);
    vmm_destroy(work->vmms[place]);
    work->vmms[place] = NULL;
    sweeprun_take_out(work, place);
}

/*
 * Machines for all rows. Those whose options contradict each other are done with, and those of a
 * policy whose file is not any more what the plan was made from.
 */
static int sweeprun_create(RunWork *work, char *error) {
    const SweepPlan *plan = work->run->plan;
    for (size_t i = 0; i < work->count;) {
        VMMConfig config;
        int code = sweep_config(plan, work->rows[i], &config, error);
        if (code != VMM_OK) {
            sweeprun_give_up(work, i, error);
            continue;
        }
        code = vmm_create_with(&config, NULL, &work->vmms[i], error);
        if (code != VMM_OK) {
            return code;
        }
        if (sweep_experiment(plan, work->rows[i], &config) !=
            plan->rows[work->rows[i]].experiment) {
            sweeprun_give_up(work, i, "the policy's file has changed since the sweep began");
            continue;
        }
        i++;
    }
    return VMM_OK;
}

static int sweeprun_open_trace(RunWork *work, char *error) {
    const SweepPlan *plan = work->run->plan;
    const VMMConfig *config = vmm_configuration(work->vmms[0]);
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = plan->skip_bad_records,
                               .page_size = cli_config_bytes(config, "page-size"),
                               .format = plan->format};
    return vmm_trace_open(plan->traces.items[sweep_trace(plan, work->rows[0])], &options,
                          &work->trace, error);
}

static void sweeprun_collect(RunWork *work) {
    SweepRun *run = work->run;
    if (work->count == 0) {
        return;
    }
    VMMTraceInfo info = {.struct_size = sizeof info};
    size_t trace = sweep_trace(run->plan, work->rows[0]);
    vmm_trace_info(work->trace, &info);
    for (size_t i = 0; i < work->count; i++) {
        size_t row = work->rows[i];
        run->plan->rows[row].text = sweep_row_of(run->plan, row, work->vmms[i], &info);
    }
    pthread_mutex_lock(&run->lock);
    if (!run->trace_told[trace]) {
        run->trace_told[trace] = true;
        cli_warn_losses(work->trace, &info);
    }
    pthread_mutex_unlock(&run->lock);
}

static bool sweeprun_is_input(int code) {
    return cli_status(code) == CLI_BAD_INPUT;
}

/* The input cannot be read to its end, for none of the rows. */
static void sweeprun_fail_all(RunWork *work, const char *why) {
    SweepRun *run = work->run;
    for (size_t i = 0; i < work->count; i++) {
        sweeprun_fail_row(work, i, why);
    }
    pthread_mutex_lock(&run->lock);
    size_t trace = sweep_trace(run->plan, work->rows[0]);
    if (!run->trace_told[trace]) {
        run->trace_told[trace] = true;
        cli_error("%s", why);
    }
    run->bad_input = true;
    pthread_mutex_unlock(&run->lock);
}

/* Rows whose own machine says that the trace cannot serve it; false: there are none. */
static bool sweeprun_take_out_unfit(RunWork *work) {
    bool any = false;
    for (size_t i = 0; i < work->count; i++) {
        any = any || vmm_last_error(work->vmms[i]) == VMM_OK;
    }
    if (!any) {
        return false; /* all say the same: nobody knows whose failure it is */
    }
    any = false;
    for (size_t i = work->count; i-- > 0;) {
        if (vmm_last_error(work->vmms[i]) == VMM_E_CONFIG) {
            sweeprun_fail_row(work, i, vmm_error_text(work->vmms[i]));
            vmm_destroy(work->vmms[i]);
            memmove(work->vmms + i, work->vmms + i + 1, (work->count - i - 1) * sizeof *work->vmms);
            sweeprun_take_out(work, i);
            work->vmms[work->count] = NULL;
            any = true;
        }
    }
    return any;
}

/* Is it the host's failure, so that going on makes no sense? */
static bool sweeprun_is_host(int code) {
    return code == VMM_E_NO_MEMORY || code == VMM_E_OPEN || code == VMM_E_READ ||
           code == VMM_E_WRITE;
}

/* Machines and trace are made, and run. VMM_OK, or an error with its sentence. */
static int sweeprun_attempt(RunWork *work, char *error) {
    int code = sweeprun_create(work, error);
    if (code != VMM_OK || work->count == 0) {
        return code;
    }
    code = sweeprun_open_trace(work, error);
    if (code != VMM_OK) {
        return code;
    }
    code = vmm_run(work->vmms, work->count, work->trace, sweeprun_step, work);
    const char *why = vmm_trace_error_text(work->trace);
    if (why == NULL || *why == '\0') {
        why = vmm_error_text(work->vmms[0]);
    }
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(work->vmms[0], &stats);
    if (code == VMM_OK && stats.accesses + stats.kernel_references + stats.filtered == 0) {
        snprintf(error, VMM_ERROR_TEXT_BYTES, "the trace holds no references");
        return VMM_E_EMPTY;
    }
    snprintf(error, VMM_ERROR_TEXT_BYTES, "%s", *why != '\0' ? why : vmm_error_message(code));
    return code;
}

/* Runs the work's rows together. VMM_OK: each has its text. */
static int sweeprun_together(RunWork *work, char *error) {
    bool again;
    int code;
    do {
        again = false;
        code = sweeprun_attempt(work, error);
        if (code == VMM_OK || code == VMM_E_OUT_OF_MEMORY) {
            sweeprun_collect(work);
            code = VMM_OK;
        } else if (sweeprun_is_input(code)) {
            sweeprun_fail_all(work, error);
            code = VMM_OK;
        } else if (code == VMM_E_CONFIG && work->trace != NULL) {
            again = sweeprun_take_out_unfit(work);
        }
        sweeprun_close(work);
    } while (again);
    return code;
}

/* The rows of a block that could not run together. False: the sweep ends. */
static bool sweeprun_one_by_one(RunWork *work) {
    size_t count = work->count;
    size_t *rows = cli_alloc(count, sizeof *rows);
    memcpy(rows, work->rows, count * sizeof *rows);
    bool goes_on = true;
    for (size_t i = 0; i < count && goes_on; i++) {
        char error[VMM_ERROR_TEXT_BYTES] = "";
        work->rows[0] = rows[i];
        work->count = 1;
        int code = sweeprun_together(work, error);
        if (code == VMM_E_STOPPED || sweeprun_is_host(code)) {
            sweeprun_end(work->run, cli_status(code), code == VMM_E_STOPPED ? NULL : error);
            goes_on = false;
        } else if (code != VMM_OK) {
            sweeprun_fail_row(work, 0, error);
        }
    }
    free(rows);
    return goes_on;
}

static bool sweeprun_try_block(RunWork *work) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    int code = sweeprun_together(work, error);
    if (code == VMM_OK) {
        return true;
    }
    if (code == VMM_E_STOPPED) {
        sweeprun_end(work->run, cli_status(code), NULL);
        return false;
    }
    return sweeprun_one_by_one(work);
}

/* The rows of a finished block into the store. */
static void sweeprun_store(SweepRun *run, RunBlock *block) {
    pthread_mutex_lock(&run->lock);
    if (run->shown) {
        fputs("\r\033[K", stderr);
        run->shown = false;
    }
    int status = sweep_store_add(run->store, block->rows, block->count);
    if (status != CLI_OK && run->status == RUN_GO_ON) {
        run->status = status;
    }
    run->rows_done += block->count;
    block->share = 1.0;
    if (run->orders->tells) {
        sweeprun_draw(run, cli_now());
    }
    pthread_mutex_unlock(&run->lock);
}

static void sweeprun_block(SweepRun *run, RunBlock *block) {
    RunWork work = {.run = run, .block = block, .count = block->count};
    work.vmms = cli_alloc(block->count, sizeof *work.vmms);
    work.rows = cli_alloc(block->count, sizeof *work.rows);
    memcpy(work.rows, block->rows, block->count * sizeof *work.rows);
    if (sweeprun_try_block(&work)) {
        sweeprun_store(run, block);
    }
    free(work.vmms);
    free(work.rows);
}

/* ---- Threads -------------------------------------------------------------------------------- */

/* The next block, NULL: there is none, or the sweep ends. */
static RunBlock *sweeprun_next(SweepRun *run) {
    RunBlock *block = NULL;
    pthread_mutex_lock(&run->lock);
    if (run->status == RUN_GO_ON && cli_interrupted() != 0) {
        run->status = cli_status(VMM_E_STOPPED);
    }
    if (run->status == RUN_GO_ON && run->next_block < run->block_count) {
        block = &run->blocks[run->next_block++];
    }
    pthread_mutex_unlock(&run->lock);
    return block;
}

static void *sweeprun_work(void *user) {
    SweepRun *run = user;
    RunBlock *block;
    while ((block = sweeprun_next(run)) != NULL) {
        sweeprun_block(run, block);
    }
    return NULL;
}

/* This thread works too: with one job, or where no thread can be had, it is the only one. */
static void sweeprun_start(SweepRun *run) {
    size_t wanted = run->orders->jobs < run->block_count ? run->orders->jobs : run->block_count;
    pthread_t *threads = cli_alloc(wanted + 1, sizeof *threads);
    size_t started = 0;
    while (started + 1 < wanted &&
           pthread_create(&threads[started], NULL, sweeprun_work, run) == 0) {
        started++;
    }
    sweeprun_work(run);
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    free(threads);
}

int sweep_run(SweepPlan *plan, SweepStore *store, const SweepOrders *orders, bool *bad_input) {
    const char *delay = getenv("VMM_PROGRESS_DELAY"); /* for tests: a run of a second is long */
    double now = cli_now();
    SweepRun run = {.plan = plan,
                    .store = store,
                    .orders = orders,
                    .lock = PTHREAD_MUTEX_INITIALIZER,
                    .start = now,
                    .next_draw = now + (delay != NULL ? strtod(delay, NULL) : 1.0),
                    .trace_told = cli_alloc(plan->traces.count, sizeof(bool)),
                    .status = RUN_GO_ON};
    sweeprun_make_blocks(&run);
    cli_catch_interrupt();
    sweeprun_start(&run);
    cli_release_interrupt();
    if (run.shown) {
        fputs("\r\033[K", stderr);
    }
    for (size_t i = 0; i < run.block_count; i++) {
        free(run.blocks[i].rows);
    }
    free(run.blocks);
    free(run.trace_told);
    pthread_mutex_destroy(&run.lock);
    *bad_input = run.bad_input;
    return run.status == RUN_GO_ON ? CLI_OK : run.status;
}
