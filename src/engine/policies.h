/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of policies. It stands with the engine because that is where the policies are
 * compiled: the specialised loops inline their hooks. The machine is given a policy ready chosen.
 */
#ifndef VMM_ENGINE_POLICIES_H
#define VMM_ENGINE_POLICIES_H

#include "../mm/policy/policy.h"

/* In the order of policies.def; NULL past the last. */
const PolicyType *policy_at(size_t index);

/*
 * Reads "clock:bits=2,enter=0". VMM_OK, or VMM_E_USAGE / VMM_E_RANGE with a sentence that says what
 * would be right.
 */
int policy_parse(const char *text, PolicySpec *spec, Error *error);

#endif
