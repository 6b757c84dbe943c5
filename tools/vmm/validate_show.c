/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel and the model count, side by side: a table, and JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "validate.h"

ValidateProcess validate_total(const ValidateTree *tree) {
    ValidateProcess total = {.name = "all"};
    for (size_t i = 0; i < tree->count; i++) {
        const ValidateProcess *process = &tree->processes[i];
        total.minor += process->minor;
        total.major += process->major;
        total.page_table_bytes += process->page_table_bytes;
        if (process->resident_peak > total.resident_peak) {
            total.resident_peak = process->resident_peak;
        }
    }
    return total;
}

/* Minor faults of the runs with the fewest and the most. */
static uint64_t validateshow_least(const Validate *validate) {
    return validate_total(&validate->kernel[0]).minor;
}

static uint64_t validateshow_most(const Validate *validate) {
    return validate_total(&validate->kernel[validate->runs - 1]).minor;
}

/* How far the model may be from the run in the middle: 2 %, 5 faults or the kernel's own spread. */
static uint64_t validateshow_allowed(const Validate *validate) {
    uint64_t allowed = validate_total(validate_kernel(validate)).minor / 50;
    uint64_t spread = validateshow_most(validate) - validateshow_least(validate);
    allowed = allowed > 5 ? allowed : 5;
    return allowed > spread ? allowed : spread;
}

static uint64_t validateshow_distance(const Validate *validate) {
    uint64_t kernel = validate_total(validate_kernel(validate)).minor;
    uint64_t model = validate_total(&validate->model.tree).minor;
    return kernel > model ? kernel - model : model - kernel;
}

/* ---- The table ------------------------------------------------------------------------------ */

static void validateshow_row(const char *name, const ValidateProcess *kernel,
                             const ValidateProcess *model) {
    printf("%-12.12s", name);
    if (kernel == NULL || model == NULL) {
        const ValidateProcess *only = kernel != NULL ? kernel : model;
        printf(" %7" PRIu64 " minor faults, %s only\n", only->minor,
               kernel != NULL ? "by the kernel" : "simulated");
        return;
    }
    printf(" %7" PRIu64 " %9" PRIu64 " %+6.1f %%", kernel->minor, model->minor,
           kernel->minor == 0
               ? 0.0
               : 100.0 * ((double)model->minor - (double)kernel->minor) / (double)kernel->minor);
    printf(" %4" PRIu64 " %4" PRIu64, kernel->major, model->major);
    printf(" %7" PRIu64 "K %7" PRIu64 "K", kernel->resident_peak >> 10, model->resident_peak >> 10);
    printf(" %5" PRIu64 "K %5" PRIu64 "K\n", kernel->page_table_bytes >> 10,
           model->page_table_bytes >> 10);
}

static void validateshow_table(const Validate *validate) {
    const ValidateTree *kernel = validate_kernel(validate), *model = &validate->model.tree;
    puts("            minor faults                 major     max resident      page tables\n"
         "process      kernel simulated          kern. sim.   kernel     sim. kernel   sim.");
    for (size_t i = 0; i < kernel->count; i++) {
        validateshow_row(kernel->processes[i].name, &kernel->processes[i],
                         validate_tree_twin(kernel, i, model));
    }
    for (size_t i = 0; i < model->count; i++) {
        if (validate_tree_twin(model, i, kernel) == NULL) {
            validateshow_row(model->processes[i].name, NULL, &model->processes[i]);
        }
    }
    ValidateProcess left = validate_total(kernel), right = validate_total(model);
    validateshow_row("all", &left, &right);
}

static void validateshow_classes(const ValidateModel *model) {
    puts("\nSimulated, by class:");
    for (int i = 0; i < VMM_FAULT_CLASS_COUNT; i++) {
        if (model->faults[i] > 0) {
            printf("  %9" PRIu64 "  %s: %s\n", model->faults[i], vmm_fault_class_name(i),
                   vmm_fault_class_help(i));
        }
    }
    printf("  %9" PRIu64 "  beside the trace: for each program executed, the page of the vDSO and "
           "a page of\n"
           "             the stack that the kernel skips at random\n",
           model->beside);
}

void validate_show(const Validate *validate) {
    uint64_t kernel = validate_total(validate_kernel(validate)).minor;
    uint64_t model = validate_total(&validate->model.tree).minor;
    uint64_t distance = validateshow_distance(validate), allowed = validateshow_allowed(validate);
    validateshow_table(validate);
    validateshow_classes(&validate->model);
    printf("\nThe kernel counted %" PRIu64 " to %" PRIu64 " minor faults in %" PRIu32
           " runs, %" PRIu64 " in the middle; simulated %" PRIu64 " to %" PRIu64
           " as addresses fall, %" PRIu64 " in the middle:\n",
           validateshow_least(validate), validateshow_most(validate), validate->runs, kernel,
           validate->model.least, validate->model.most, model);
    printf("%" PRIu64 " apart, %s the %" PRIu64 " that 2 %%, 5 faults or the kernel's own spread "
           "allow.\n",
           distance, distance <= allowed ? "within" : "more than", allowed);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void validateshow_json_counts(const ValidateProcess *process, FILE *out) {
    fprintf(out,
            "\"minor_faults\": %" PRIu64 ", \"major_faults\": %" PRIu64
            ", \"max_resident_bytes\": %" PRIu64 ", \"page_table_bytes\": %" PRIu64,
            process->minor, process->major, process->resident_peak, process->page_table_bytes);
}

static void validateshow_json_tree(const ValidateTree *tree, FILE *out) {
    ValidateProcess total = validate_total(tree);
    fputs("{", out);
    validateshow_json_counts(&total, out);
    fputs(",\n    \"processes\": [", out);
    for (size_t i = 0; i < tree->count; i++) {
        const ValidateProcess *process = &tree->processes[i];
        fprintf(out, "%s\n      {\"name\": ", i > 0 ? "," : "");
        cli_print_json_string(out, process->name);
        if (process->parent == SIZE_MAX) {
            fputs(", \"parent\": null, ", out);
        } else {
            fprintf(out, ", \"parent\": %zu, ", process->parent);
        }
        validateshow_json_counts(process, out);
        fputs("}", out);
    }
    fputs("\n    ]}", out);
}

static void validateshow_json_text(const Validate *validate, FILE *out) {
    fputs("{\n  \"command\": [", out);
    for (size_t i = 0; validate->words[i] != NULL; i++) {
        fputs(i > 0 ? ", " : "", out);
        cli_print_json_string(out, validate->words[i]);
    }
    fprintf(out,
            "],\n  \"runs\": %" PRIu32 ",\n  \"minor_faults_least\": %" PRIu64
            ",\n  \"minor_faults_most\": %" PRIu64 ",\n  \"simulated_least\": %" PRIu64
            ",\n  \"simulated_most\": %" PRIu64 ",\n  \"kernel\": ",
            validate->runs, validateshow_least(validate), validateshow_most(validate),
            validate->model.least, validate->model.most);
    validateshow_json_tree(validate_kernel(validate), out);
    fputs(",\n  \"simulated\": ", out);
    validateshow_json_tree(&validate->model.tree, out);
    fprintf(out, ",\n  \"simulated_classes\": {\"beside_the_trace\": %" PRIu64,
            validate->model.beside);
    for (int i = 0; i < VMM_FAULT_CLASS_COUNT; i++) {
        fprintf(out, ", \"%s\": %" PRIu64, vmm_fault_class_name(i), validate->model.faults[i]);
    }
    fprintf(out, "},\n  \"difference\": %" PRIu64 ",\n  \"allowed\": %" PRIu64 "\n}\n",
            validateshow_distance(validate), validateshow_allowed(validate));
}

char *validate_json(const Validate *validate) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        cli_error("out of memory");
        return NULL;
    }
    validateshow_json_text(validate, out);
    if (fclose(out) != 0) {
        cli_error("out of memory");
        free(text);
        return NULL;
    }
    return text;
}
