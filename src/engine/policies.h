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

/* Room for the text of a policy, a path and parameters included. */
#define POLICY_TEXT_BYTES 256

/*
 * The length of the name in front of the parameters. That of a file may have colons: it ends at the
 * first one behind .c or .so in the last part of its path.
 */
size_t policy_name_length(const char *text);

/*
 * Reads "clock:bits=2,enter=0", or "./mine.c:window=3" (plugin.h). VMM_OK, or VMM_E_USAGE,
 * VMM_E_RANGE, VMM_E_OPEN, VMM_E_POLICY with a sentence that says what would be right.
 */
int policy_parse(const char *text, PolicySpec *spec, Error *error);

/* Gives a spec back that policy_parse() has filled, when no machine uses it any more. */
void policy_release(PolicySpec *spec);

#endif
