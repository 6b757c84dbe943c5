/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine alone costs: references are decoded or made beforehand, then given to a fresh
 * machine by vmm_feed(), and only that is timed (processor time of this process).
 *
 *     feed TRACE [option=value]...               a trace file, decoded into memory
 *     feed generate:PATTERN:N:SIZE [option=...]  N references of a pattern in an address space of
 *                                                SIZE, after one pass over all of its pages
 *     feed policies                              the policies of fixed space, and what each needs
 *
 * Options are those of vmm (frames=1024, policy=lru). Prints "seconds", "references" and the
 * counters that the runner needs, one a line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../include/vmm/vmm.h"

typedef struct References {
    VMMRef *refs;
    size_t count;
    size_t warm; /* of them, the first ones are fed before the clock starts */
} References;

static char text[VMM_ERROR_TEXT_BYTES];

static void stop(const char *what) {
    fprintf(stderr, "feed: %s: %s\n", what, text);
    exit(1);
}

static VMMRef *grown(VMMRef *refs, size_t capacity) {
    refs = realloc(refs, capacity * sizeof *refs);
    if (refs == NULL) {
        snprintf(text, sizeof text, "out of memory");
        stop("references");
    }
    return refs;
}

static References decode(const char *path) {
    References all = {NULL, 0, 0};
    VMMTraceOptions options = {.struct_size = sizeof options};
    VMMTrace *trace;
    size_t capacity = 1 << 20;
    all.refs = grown(NULL, capacity);
    if (vmm_trace_open(path, &options, &trace, text) != VMM_OK) {
        stop(path);
    }
    long got;
    while ((got = vmm_trace_read(trace, all.refs + all.count, capacity - all.count)) > 0) {
        all.count += (size_t)got;
        if (all.count == capacity) {
            capacity *= 2;
            all.refs = grown(all.refs, capacity);
        }
    }
    if (got < 0) {
        snprintf(text, sizeof text, "%.500s", vmm_trace_error_text(trace));
        stop(path);
    }
    vmm_trace_close(trace);
    return all;
}

static size_t append(References *all, VMMGeneratorOptions *options) {
    VMMGenerator *generator;
    all->refs = grown(all->refs, all->count + (size_t)options->references);
    if (vmm_generator_create(options, &generator, text) != VMM_OK) {
        stop(options->pattern);
    }
    all->count +=
        vmm_generator_read(generator, all->refs + all->count, (size_t)options->references);
    vmm_generator_destroy(generator);
    return all->count;
}

/* "PATTERN:N:SIZE" */
static References generate(char *description) {
    References all = {NULL, 0, 0};
    VMMGeneratorOptions options;
    vmm_generator_options_init(&options);
    char *references = strchr(description, ':');
    char *size = references != NULL ? strchr(references + 1, ':') : NULL;
    if (size == NULL) {
        snprintf(text, sizeof text, "expected generate:PATTERN:N:SIZE");
        stop(description);
    }
    *references++ = '\0';
    *size++ = '\0';
    options.processes = 1;
    if (vmm_generator_options_set(&options, "address-space", size, text) != VMM_OK) {
        stop(size);
    }
    options.pattern = "sequential";
    options.references = options.address_space / options.page_size;
    all.warm = append(&all, &options);
    options.pattern = description;
    if (vmm_generator_options_set(&options, "references", references, text) != VMM_OK) {
        stop(references);
    }
    append(&all, &options);
    return all;
}

static int list_policies(void) {
    const VMMPolicyInfo *policy;
    for (size_t i = 0; (policy = vmm_policy_at(i)) != NULL; i++) {
        if (policy->variable_space == 0) { /* else it has no fixed memory to fill */
            printf("%s %s\n", policy->name, vmm_policy_needs_text(policy->needs));
        }
    }
    return 0;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void feed(VMM *vmm, const VMMRef *refs, size_t count) {
    if (vmm_feed(vmm, refs, count) != VMM_OK) {
        snprintf(text, sizeof text, "%.500s", vmm_error_text(vmm));
        stop("vmm_feed");
    }
}

int main(int argc, char **argv) {
    VMMConfig config;
    if (argc < 2) {
        fprintf(stderr, "usage: feed TRACE|generate:PATTERN:N:SIZE [option=value]...\n");
        return 1;
    }
    if (strcmp(argv[1], "policies") == 0) {
        return list_policies();
    }
    vmm_config_init_default(&config);
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            snprintf(text, sizeof text, "expected option=value");
            stop(argv[i]);
        }
        *value++ = '\0';
        if (vmm_config_set(&config, argv[i], value, text) != VMM_OK) {
            stop(argv[i]);
        }
    }
    References all =
        strncmp(argv[1], "generate:", 9) == 0 ? generate(argv[1] + 9) : decode(argv[1]);
    VMM *vmm;
    if (vmm_create_with(&config, NULL, &vmm, text) != VMM_OK) {
        stop("vmm_create");
    }
    VMMStats before = {.struct_size = sizeof before};
    VMMStats after = {.struct_size = sizeof after};
    feed(vmm, all.refs, all.warm);
    vmm_stats(vmm, &before);
    double start = now();
    feed(vmm, all.refs + all.warm, all.count - all.warm);
    double seconds = now() - start;
    vmm_stats(vmm, &after);
    printf("seconds %.9f\nreferences %zu\n", seconds, all.count - all.warm);
    printf("tlb_hits %" PRIu64 "\nmisses %" PRIu64 "\nreplacements %" PRIu64 "\n",
           after.tlb_hits - before.tlb_hits, after.misses - before.misses,
           after.replacements - before.replacements);
    vmm_destroy(vmm);
    free(all.refs);
    return 0;
}
