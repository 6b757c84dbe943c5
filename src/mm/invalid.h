/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invalid references in words: which mapping is near an address, and the sentence. Nothing here is
 * kept or changed; a stream describes the first invalid reference that it meets, once.
 */
#ifndef VMM_MM_INVALID_H
#define VMM_MM_INVALID_H

#include "../../include/vmm/sim.h"
#include "resolve.h"

/*
 * Says of a reference of the process `space`, whose index, address, pid and op are filled in, what
 * is wrong and what is mapped nearby. `beyond`: it lies beyond the address space.
 */
void invalid_describe(VMMInvalid *invalid, const Resolver *resolver, uint32_t space, bool beyond);

/* Copies the path of its file, as far as it fits. */
void invalid_set_path(VMMInvalid *invalid, const char *path);

#endif
