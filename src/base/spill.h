/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spills: unnamed temporary files for data that is too long for memory. The file lies in $TMPDIR
 * (else /tmp), has no name and goes with the process, whatever ends it.
 */
#ifndef VMM_BASE_SPILL_H
#define VMM_BASE_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* An open file descriptor, or -1 with the reason in *error (VMM_E_OPEN). */
int spill_open(Error *error);

/* All or nothing; VMM_OK, VMM_E_WRITE (disk full, say) or VMM_E_READ. */
int spill_write(int file, uint64_t offset, const void *data, size_t size, Error *error);
int spill_read(int file, uint64_t offset, void *data, size_t size, Error *error);

#endif
