/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmm validate: what its files share.
 *
 *     validate.c          the command: flags, the order of the steps
 *     validate_kernel.c   the program as it is, and what the kernel counts of its processes
 *     validate_model.c    the program recorded, and simulated by Linux's rules
 *     validate_show.c     the two side by side
 */
#ifndef VMM_CLI_VALIDATE_H
#define VMM_CLI_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli.h"

/* A process of the tree that the program makes, by the kernel or by the model. */
typedef struct ValidateProcess {
    uint32_t pid;
    uint32_t born;  /* among the children of its parent, from 1 */
    size_t parent;  /* its place in the tree; SIZE_MAX: it is the first */
    char name[32];  /* of the program that it executed last */
    uint32_t execs; /* programs that it executed */
    uint64_t minor, major;
    uint64_t resident_peak;    /* bytes */
    uint64_t page_table_bytes; /* at its end */
    bool ended;
} ValidateProcess;

typedef struct ValidateTree {
    ValidateProcess *processes; /* in the order of their birth */
    size_t count, room;
} ValidateTree;

/* A new process; `parent` SIZE_MAX: the first. */
size_t validate_tree_add(ValidateTree *tree, uint32_t pid, size_t parent);
/* The latest process of that number that has not ended, or SIZE_MAX. */
size_t validate_tree_find(const ValidateTree *tree, uint32_t pid);
/* The process that stands in another tree where `place` stands in this one, or NULL. */
const ValidateProcess *validate_tree_twin(const ValidateTree *tree, size_t place,
                                          const ValidateTree *other);
void validate_tree_free(ValidateTree *tree);

/* ---- The kernel (validate_kernel.c) --------------------------------------------------------- */

/* All processes of one run, each ended. CLI_OK, or CLI_FAILURE after a message. */
int validate_kernel_run(char **words, ValidateTree *tree);

/* ---- The model (validate_model.c) ----------------------------------------------------------- */

typedef struct ValidateModel {
    ValidateTree tree;
    uint64_t faults[VMM_FAULT_CLASS_COUNT]; /* of the references in the trace */
    uint64_t beside;      /* minor faults of what no reference in the trace shows */
    uint64_t least, most; /* minor faults over all choices of addresses */
} ValidateModel;

/* Records the program into `path`; CLI_OK or a status after a message. */
int validate_record(char **words, const char *path);
int validate_model_run(const CliCommand *command, const CliArguments *arguments, const char *path,
                       ValidateModel *model);

/* ---- The comparison (validate_show.c) ------------------------------------------------------- */

enum { VALIDATE_MOST_RUNS = 1000 };

typedef struct Validate {
    char **words; /* the program and its arguments, then NULL */
    uint32_t runs;
    ValidateTree *kernel; /* one a run, by their minor faults */
    ValidateModel model;
} Validate;

/* The run in the middle. */
static inline const ValidateTree *validate_kernel(const Validate *validate) {
    return &validate->kernel[validate->runs / 2];
}

/* All processes together: counts are sums, the peak of resident memory is the largest one. */
ValidateProcess validate_total(const ValidateTree *tree);

/* On standard output; and as JSON, free() it, or NULL after a message. */
void validate_show(const Validate *validate);
char *validate_json(const Validate *validate);

#endif
