/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The product of the axes: which rows there are, in which order, and which can share a decoding.
 *
 * The trace varies slowest, then what decides whether two machines can be fed together (vmm_run()
 * says what), then the rest in the order in which it was named; the last axis varies fastest. So
 * rows of one stream stand together, and a file that grows row by row grows in order.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../include/vmm/policy_build.h"
#include "sweep.h"

/* ---- Rows and places ------------------------------------------------------------------------ */

static size_t sweepplan_places(const SweepAxis *axis) {
    return axis->values.count / axis->option_count;
}

/* Rows from one value of the axis to the next. */
static size_t sweepplan_stride(const SweepPlan *plan, size_t axis) {
    size_t stride = 1;
    for (size_t i = axis + 1; i < plan->axis_count; i++) {
        stride *= sweepplan_places(&plan->axes[i]);
    }
    return stride;
}

const char *sweep_value(const SweepPlan *plan, size_t row, size_t axis, size_t option) {
    const SweepAxis *of = &plan->axes[axis];
    size_t place = row / sweepplan_stride(plan, axis) % sweepplan_places(of);
    return of->values.items[place * of->option_count + option];
}

size_t sweep_trace(const SweepPlan *plan, size_t row) {
    return row / (plan->count / plan->traces.count);
}

int sweep_config(const SweepPlan *plan, size_t row, VMMConfig *config, char *error) {
    *config = plan->base;
    for (size_t i = 0; i < plan->axis_count; i++) {
        for (size_t j = 0; j < plan->axes[i].option_count; j++) {
            int code = vmm_config_set(config, plan->axes[i].options[j]->name,
                                      sweep_value(plan, row, i, j), error);
            if (code != VMM_OK) {
                return code;
            }
        }
    }
    return vmm_config_check(config, error);
}

/* ---- The order of the axes ------------------------------------------------------------------ */

/* What machines that are fed together must agree in, beside the width of addresses. */
static const char *const sweepplan_dividing[] = {"page-size", "vspace", "refs", "max-accesses"};

/* Can machines that differ in the axis not be fed together? */
static bool sweepplan_divides(const SweepAxis *axis) {
    for (size_t i = 0; i < axis->option_count; i++) {
        if (axis->options[i]->type == VMM_OPTION_PAGE_TABLE) {
            return true;
        }
        for (size_t j = 0; j < sizeof sweepplan_dividing / sizeof sweepplan_dividing[0]; j++) {
            if (strcmp(axis->options[i]->name, sweepplan_dividing[j]) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void sweepplan_order(SweepPlan *plan) {
    SweepAxis *ordered = cli_alloc(plan->axis_count, sizeof *ordered);
    size_t count = 0;
    for (int divides = 1; divides >= 0; divides--) {
        for (size_t i = 0; i < plan->axis_count; i++) {
            if (sweepplan_divides(&plan->axes[i]) == (divides != 0)) {
                ordered[count++] = plan->axes[i];
            }
        }
    }
    free(plan->axes);
    plan->axes = ordered;
}

static const SweepAxis *sweepplan_axis_of(const SweepPlan *plan, const char *option) {
    for (size_t i = 0; i < plan->axis_count; i++) {
        for (size_t j = 0; j < plan->axes[i].option_count; j++) {
            if (strcmp(plan->axes[i].options[j]->name, option) == 0) {
                return &plan->axes[i];
            }
        }
    }
    return NULL;
}

/* Memory is given in frames or in bytes; a number of frames would win over all bytes. */
static int sweepplan_settle_memory(const CliCommand *command, SweepPlan *plan) {
    const SweepAxis *frames = sweepplan_axis_of(plan, "frames");
    const SweepAxis *ram = sweepplan_axis_of(plan, "ram");
    if (frames != NULL && ram != NULL) {
        return cli_usage_error(command->name, "%s and %s exclude each other", frames->origin,
                               ram->origin);
    }
    if (ram != NULL) {
        vmm_config_set(&plan->base, "frames", "auto", NULL);
    }
    return CLI_OK;
}

/* ---- How many ------------------------------------------------------------------------------- */

static int sweepplan_count(const CliCommand *command, SweepPlan *plan) {
    plan->count = plan->traces.count;
    for (size_t i = 0; i < plan->axis_count; i++) {
        plan->count *= sweepplan_places(&plan->axes[i]);
        if (plan->count > SWEEP_MOST_ROWS) {
            return cli_usage_error(command->name,
                                   "the lists multiply to more than %d configurations; sweep "
                                   "fewer values at a time",
                                   SWEEP_MOST_ROWS);
        }
    }
    if (plan->count > SWEEP_MANY_ROWS) {
        cli_warning("the lists multiply to %zu configurations", plan->count);
    }
    return CLI_OK;
}

/* ---- What a row depends on ------------------------------------------------------------------ */

/* FNV-1a over the text and its end. */
static uint64_t sweepplan_hash(uint64_t hash, const char *text) {
    do {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    } while (*text++ != '\0');
    return hash;
}

/* A policy in a file of the user's, whose name says nothing of its content; 0: it is none. */
static uint64_t sweepplan_fingerprint(const char *text) {
    VMMPolicyHandle *policy;
    if (!vmm_policy_is_file(text) || vmm_policy_open(text, &policy, NULL) != VMM_OK) {
        return 0;
    }
    uint64_t fingerprint = vmm_policy_fingerprint(policy);
    vmm_policy_close(policy);
    return fingerprint;
}

uint64_t sweep_experiment(const SweepPlan *plan, size_t row, const VMMConfig *config) {
    const VMMOption *option;
    size_t trace = sweep_trace(plan, row);
    uint64_t hash = sweepplan_hash(UINT64_C(0xcbf29ce484222325), vmm_version());
    char *input =
        cli_format("%s %" PRIu64 " %s %d", plan->traces.items[trace], plan->trace_bytes[trace],
                   plan->format != NULL ? plan->format : "auto", plan->skip_bad_records);
    hash = sweepplan_hash(hash, input);
    free(input);
    for (size_t i = 0; (option = vmm_option_at(i)) != NULL; i++) {
        char value[CLI_VALUE_BYTES];
        hash = sweepplan_hash(hash, option->name);
        hash = sweepplan_hash(hash, cli_config_text(config, option->name, value));
        uint64_t content = option->type == VMM_OPTION_POLICY ? sweepplan_fingerprint(value) : 0;
        if (content != 0) {
            char *number = cli_format("%016" PRIx64, content);
            hash = sweepplan_hash(hash, number);
            free(number);
        }
    }
    return hash;
}

/* All that two rows must agree in to share a decoding, as text. */
static char *sweepplan_stream_key(const SweepPlan *plan, size_t row, const VMMConfig *config) {
    char *key = cli_format("%zu %u", sweep_trace(plan, row), cli_config_address_bits(config));
    for (size_t i = 0; i < sizeof sweepplan_dividing / sizeof sweepplan_dividing[0]; i++) {
        char value[CLI_VALUE_BYTES];
        char *longer =
            cli_format("%s %s", key, cli_config_text(config, sweepplan_dividing[i], value));
        free(key);
        key = longer;
    }
    return key;
}

/*
 * The number of a key, a new one if it is none of the latest: rows of one stream stand together,
 * but for page tables of one width between those of another.
 */
static uint32_t sweepplan_stream(CliWords *keys, char *key) {
    enum { LATEST = 256 };
    size_t last = keys->count > LATEST ? keys->count - LATEST : 0;
    for (size_t i = keys->count; i-- > last;) {
        if (strcmp(keys->items[i], key) == 0) {
            free(key);
            return (uint32_t)i;
        }
    }
    cli_words_add(keys, key);
    return (uint32_t)keys->count - 1;
}

static int sweepplan_compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Rows that are the same experiment would be one row of the file. */
static int sweepplan_check_twice(const CliCommand *command, const SweepPlan *plan) {
    uint64_t *sorted = cli_alloc(plan->count, sizeof *sorted);
    bool twice = false;
    for (size_t i = 0; i < plan->count; i++) {
        sorted[i] = plan->rows[i].experiment;
    }
    qsort(sorted, plan->count, sizeof *sorted, sweepplan_compare);
    for (size_t i = 1; i < plan->count; i++) {
        twice = twice || sorted[i] == sorted[i - 1];
    }
    free(sorted);
    return twice ? cli_usage_error(command->name, "a trace or a value is named twice") : CLI_OK;
}

static int sweepplan_make_rows(const CliCommand *command, SweepPlan *plan) {
    char error[VMM_ERROR_TEXT_BYTES] = "";
    CliWords keys = {0};
    plan->rows = cli_alloc(plan->count, sizeof *plan->rows);
    for (size_t i = 0; i < plan->count; i++) {
        VMMConfig config;
        SweepRow *row = &plan->rows[i];
        bool good = sweep_config(plan, i, &config, error) == VMM_OK;
        row->experiment = sweep_experiment(plan, i, &config);
        row->stream = sweepplan_stream(&keys, sweepplan_stream_key(plan, i, &config));
        plan->contradictions += !good;
    }
    plan->stream_count = (uint32_t)keys.count;
    cli_words_free(&keys);
    if (plan->contradictions == plan->count) {
        return cli_usage_error(command->name, "%s", error);
    }
    return sweepplan_check_twice(command, plan);
}

/* ---- Traces --------------------------------------------------------------------------------- */

/* A trace is read several times, and by several threads: it must be a file. */
static int sweepplan_look_at(const CliCommand *command, SweepPlan *plan, size_t index) {
    const char *path = plan->traces.items[index];
    struct stat status;
    if (strcmp(path, "-") == 0) {
        return cli_usage_error(command->name,
                               "a sweep cannot read standard input, since it reads traces more "
                               "than once; name a file");
    }
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        cli_error("%s: is no file; a sweep reads traces more than once", path);
        return CLI_FAILURE;
    }
    VMMTrace *trace;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMTraceOptions options = {.struct_size = sizeof options,
                               .skip_bad_records = plan->skip_bad_records,
                               .format = plan->format};
    int code = vmm_trace_open(path, &options, &trace, error);
    if (code != VMM_OK) {
        cli_error("%s", error);
        return cli_status(code);
    }
    vmm_trace_close(trace);
    plan->trace_bytes[index] = stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
    return CLI_OK;
}

int sweep_make_plan(const CliCommand *command, SweepPlan *plan) {
    int status = CLI_OK;
    if (plan->traces.count == 0) {
        return cli_usage_error(command->name, "no trace is named; say -t FILE, or name them in "
                                              "the experiment: trace = FILE");
    }
    plan->trace_bytes = cli_alloc(plan->traces.count, sizeof *plan->trace_bytes);
    status = sweepplan_settle_memory(command, plan);
    if (status == CLI_OK) {
        sweepplan_order(plan);
        status = sweepplan_count(command, plan);
    }
    for (size_t i = 0; i < plan->traces.count && status == CLI_OK; i++) {
        status = sweepplan_look_at(command, plan, i);
    }
    return status == CLI_OK ? sweepplan_make_rows(command, plan) : status;
}

void sweep_free_plan(SweepPlan *plan) {
    for (size_t i = 0; i < plan->axis_count; i++) {
        sweep_free_axis(&plan->axes[i]);
    }
    for (size_t i = 0; plan->rows != NULL && i < plan->count; i++) {
        free(plan->rows[i].text);
    }
    free(plan->axes);
    free(plan->rows);
    free(plan->trace_bytes);
    cli_words_free(&plan->traces);
}
