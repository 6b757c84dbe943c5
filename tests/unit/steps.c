/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the steps of code that is compiled with -fsanitize-coverage=trace-pc: that code calls here
 * in each basic block. This file itself must not be compiled so.
 */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t steps_done, steps_limit = UINT64_MAX;
const char *steps_what = "";

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) {
    if (++steps_done > steps_limit) { /* it may go on for days */
        fprintf(stderr, "# %s: more than %llu steps\n", steps_what,
                (unsigned long long)steps_limit);
        abort();
    }
}
