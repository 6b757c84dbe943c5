/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known references for the tests of vmm record: between two marks, and with nothing of the C
 * library between them. Prints where its memory is.
 *
 *     mark 1   a store to each page, ascending         mark 2
 *     mark 2   a load of each page, descending         mark 3
 *     mark 3   a load that crosses from page 0 to 1    mark 4
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../include/vmm/record.h"

int main(int argc, char **argv) {
    long pages = argc > 1 ? atol(argv[1]) : 16;
    unsigned char *memory = mmap(NULL, (size_t)pages * 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return 1;
    }
    printf("%p\n", (void *)memory);
    fflush(stdout);
    vmm_record_mark(1);
    for (long i = 0; i < pages; i++) {
        *(volatile unsigned char *)(memory + i * 4096) = 1;
    }
    vmm_record_mark(2);
    for (long i = pages - 1; i >= 0; i--) {
        (void)*(volatile unsigned int *)(void *)(memory + i * 4096 + 8);
    }
    vmm_record_mark(3);
    unsigned long crossing;
    __asm__ volatile("movq 4092(%1), %0" : "=r"(crossing) : "r"(memory));
    vmm_record_mark(4);
    mprotect(memory, 4096, PROT_READ);
    madvise(memory + 4096, 4096, MADV_DONTNEED);
    munmap(memory, (size_t)pages * 4096);
    vmm_record_mark(5);
    return 0;
}
