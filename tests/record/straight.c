/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References that a recorder which looks at optimised or unfinished blocks of code would lose, in
 * straight lines without a branch. Prints where its memory is.
 *
 *     mark 1   loads of pages 0 to 3 into one register: no result is used but the last    mark 2
 *     mark 2   stores to pages 0 to 4; pages 1 and 3 may not be written, a handler of
 *              SIGSEGV allows it, and the store is made again                               mark 3
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../../include/vmm/record.h"

enum { PAGE = 4096, PAGES = 8 };

static void allow(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1);
    mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = allow, .sa_flags = SA_SIGINFO};
    char *memory =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) != 0) {
        return 1;
    }
    printf("%p\n", (void *)memory);
    fflush(stdout);
    vmm_record_mark(1);
    __asm__ volatile("movzbl (%0), %%eax\n\t"
                     "movzbl 4096(%0), %%eax\n\t"
                     "movzbl 8192(%0), %%eax\n\t"
                     "movzbl 12288(%0), %%eax"
                     :
                     : "r"(memory)
                     : "eax");
    vmm_record_mark(2);
    mprotect(memory + PAGE, PAGE, PROT_READ);
    mprotect(memory + 3 * PAGE, PAGE, PROT_NONE);
    __asm__ volatile("movb $1, (%0)\n\t"
                     "movb $1, 4096(%0)\n\t"
                     "movb $1, 8192(%0)\n\t"
                     "movb $1, 12288(%0)\n\t"
                     "movb $1, 16384(%0)"
                     :
                     : "r"(memory)
                     : "memory");
    vmm_record_mark(3);
    return 0;
}
