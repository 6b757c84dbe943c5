/* SPDX-License-Identifier: Apache-2.0 */
/* How much work code does, without a clock: see steps.c. */
#ifndef VMM_TESTS_STEPS_H
#define VMM_TESTS_STEPS_H

#include <stdint.h>

extern uint64_t steps_done;    /* so far */
extern uint64_t steps_limit;   /* beyond which the program is ended, */
extern const char *steps_what; /* saying whose they were */

#endif
