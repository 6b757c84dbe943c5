/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The specialised engine: the loop of loop.h, stamped once for each policy. The policies are
 * included here, so that the loop sees their hooks.
 */
#include "../mm/policy/policies.def"
#include "engine.h"
#include "policies.h"

/* clang-format off */
#define VMM_EACH_LIST VMM_POLICIES
#define VMM_EACH_PATH(name) ../mm/policy/name.c
/* clang-format on */
#include "../base/include_each.h"

#include "loop.h"

#define X(name)                                                                        \
    static size_t specialised_##name(Machine *machine, Pool *pool, const Batch *batch, \
                                     size_t from, size_t to) {                         \
        return loop_run(machine, pool, batch, from, to, &name##_policy);               \
    }
VMM_POLICIES(X)
#undef X

/* For a policy that was compiled elsewhere: the same steps, through the pointers of its type. */
static size_t specialised_any(Machine *machine, Pool *pool, const Batch *batch, size_t from,
                              size_t to) {
    return loop_run(machine, pool, batch, from, to, pool->policy->type);
}

static const struct {
    const PolicyType *type;
    EngineLoop *loop;
} specialised_policies[] = {
#define X(name) {&name##_policy, specialised_##name},
    VMM_POLICIES(X)
#undef X
};

const PolicyType *policy_at(size_t index) {
    return index < VMM_COUNT_OF(specialised_policies) ? specialised_policies[index].type : NULL;
}

EngineLoop *engine_specialised(const PolicySpec *policy) {
    if (policy->loop != NULL) {
        return policy->loop;
    }
    for (size_t i = 0; i < VMM_COUNT_OF(specialised_policies); i++) {
        if (specialised_policies[i].type == policy->type) {
            return specialised_policies[i].loop;
        }
    }
    return specialised_any;
}
