/* SPDX-License-Identifier: Apache-2.0 */
/* Unnamed temporary files, read and written at offsets. */
#include "spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *spill_folder(void) {
    const char *folder = getenv("TMPDIR");
    return folder != NULL && *folder != '\0' ? folder : "/tmp";
}

int spill_open(Error *error) {
    char path[4096];
    int file = -1;
    if (snprintf(path, sizeof path, "%s/vmm-XXXXXX", spill_folder()) < (int)sizeof path) {
        file = mkostemp(path, O_CLOEXEC);
    } else {
        errno = ENAMETOOLONG;
    }
    if (file < 0) {
        error_set(error, VMM_E_OPEN,
                  "cannot make a temporary file in %.200s: %s; set TMPDIR to a folder with room",
                  spill_folder(), strerror(errno));
        return -1;
    }
    unlink(path);
    return file;
}

int spill_write(int file, uint64_t offset, const void *data, size_t size, Error *error) {
    const char *at = data;
    while (size > 0) {
        ssize_t done = pwrite(file, at, size, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return error_set(error, VMM_E_WRITE,
                             "cannot write a temporary file in %.200s: %s; set TMPDIR to a folder "
                             "with room",
                             spill_folder(), strerror(done < 0 ? errno : ENOSPC));
        }
        at += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return VMM_OK;
}

int spill_read(int file, uint64_t offset, void *data, size_t size, Error *error) {
    char *at = data;
    while (size > 0) {
        ssize_t done = pread(file, at, size, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return error_set(error, VMM_E_READ, "cannot read back a temporary file in %.200s: %s",
                             spill_folder(), done < 0 ? strerror(errno) : "it ends early");
        }
        at += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return VMM_OK;
}
