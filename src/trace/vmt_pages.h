/* SPDX-License-Identifier: Apache-2.0 */
/* How many different pages a trace has, by the pages of its blocks as they are written. */
#ifndef VMM_TRACE_VMT_PAGES_H
#define VMM_TRACE_VMT_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define VMT_PAGES_MAX (UINT64_C(1) << 22) /* counted no further: memory stays bounded */

typedef struct VmtPage {
    uint64_t vpn;
    uint64_t owner; /* pid + 1; 0: a free slot */
} VmtPage;

/* Zeroed memory is an empty set. */
typedef struct VmtPages {
    VmtPage *slots; /* a power of two, at most half of it used */
    size_t slot_count;
    uint64_t count;
} VmtPages;

/* Without memory the set stays as it is. */
void vmt_pages_add(VmtPages *pages, uint32_t pid, const uint64_t *vpns, size_t count);
void vmt_pages_free(VmtPages *pages);

#endif
