/* SPDX-License-Identifier: Apache-2.0 */
/* Version of the library: compile-time constants. vmm_version() gives the run-time answer. */
#ifndef VMM_VERSION_H
#define VMM_VERSION_H

#define VMM_VERSION_MAJOR 0
#define VMM_VERSION_MINOR 1
#define VMM_VERSION_PATCH 0
#define VMM_VERSION_STRING "0.1.0"
#define VMM_VERSION_HEX ((VMM_VERSION_MAJOR << 16) | (VMM_VERSION_MINOR << 8) | VMM_VERSION_PATCH)

#endif
