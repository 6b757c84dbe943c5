/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library in one page: Belady's string through FIFO with three and with four frames.
 *
 *     cc -Iinclude examples/c/first.c -Lbin -lvmm -Wl,-rpath,bin -o first && ./first
 */
#include <inttypes.h>
#include <stdio.h>
#include <vmm/vmm.h>

static int run(const char *policy, const char *frames) {
    static const int pages[] = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
    char error[VMM_ERROR_TEXT_BYTES] = "";
    VMMConfig config;
    VMM *vmm = NULL;
    vmm_config_init_default(&config);
    if (vmm_config_set(&config, "policy", policy, error) != VMM_OK ||
        vmm_config_set(&config, "frames", frames, error) != VMM_OK ||
        vmm_create_with(&config, NULL, &vmm, error) != VMM_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        vmm_access(vmm, 1, (uint64_t)pages[i] * 4096, false);
    }
    VMMStats stats = {.struct_size = sizeof stats};
    vmm_stats(vmm, &stats);
    printf("%s, %s frames: %" PRIu64 " faults\n", policy, frames, stats.page_faults);
    vmm_destroy(vmm);
    return 0;
}

int main(void) {
    return run("fifo", "3") || run("fifo", "4") || run("lru", "4");
}
