/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve_feed KIND SHARE PAGES FRAMES: how fast decoded references become a curve, and how fast one
 * machine of the same policy takes them.
 *
 * Made references, PAGES pages by Zipf's law (exponent 1), are in memory; blocks of them are given
 * to a curve of KIND (lru, or shards with a sample of SHARE of the pages), and to an LRU machine of
 * FRAMES frames. Prints nanoseconds of processor time for each reference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../include/vmm/vmm.h"

enum { REFS = 1 << 17, ROUNDS = 24 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "curve_feed: %s\n", what);
    exit(1);
}

/* References to pages of Zipf's law: the inverse of its sum, by halving. */
static VMMRef *make_refs(unsigned long pages) {
    VMMRef *refs = calloc(REFS, sizeof *refs);
    double *sums = calloc(pages + 1, sizeof *sums);
    unsigned long long state = 42;
    if (refs == NULL || sums == NULL) {
        fail("no memory");
    }
    for (unsigned long i = 1; i <= pages; i++) {
        sums[i] = sums[i - 1] + 1.0 / (double)i;
    }
    for (size_t i = 0; i < REFS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double place = (double)(state >> 11) / 9007199254740992.0 * sums[pages];
        unsigned long low = 0, high = pages;
        while (low + 1 < high) {
            unsigned long middle = (low + high) / 2;
            *(sums[middle] <= place ? &low : &high) = middle;
        }
        unsigned long page = low * 2654435761u % (4 * pages);
        refs[i] = (VMMRef){.addr = (unsigned long long)page << 12, .size = 4, .pid = 1};
    }
    free(sums);
    return refs;
}

static double time_curve(const VMMConfig *config, const VMMRef *refs, double share) {
    VMMCurveOptions options = {.struct_size = sizeof options, .sample_rate = share};
    VMMCurve *curve;
    if (vmm_curve_create(config, &options, NULL, &curve, NULL) != VMM_OK) {
        fail("no curve");
    }
    vmm_curve_feed(curve, refs, REFS);
    double start = now();
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t at = 0; at < REFS; at += 2048) { /* as if just decoded: in the caches */
            if (vmm_curve_feed(curve, refs + at % 32768, 2048) != VMM_OK) {
                fail(vmm_curve_error_text(curve));
            }
        }
    }
    double time = (now() - start) / ((double)REFS * ROUNDS);
    vmm_curve_destroy(curve);
    return time;
}

static double time_machine(VMMConfig *config, const VMMRef *refs, const char *frames) {
    vmm_config_set(config, "policy", "lru", NULL);
    vmm_config_set(config, "frames", frames, NULL);
    VMM *vmm = vmm_create(config);
    if (vmm == NULL) {
        fail("no machine");
    }
    vmm_feed(vmm, refs, REFS);
    double start = now();
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t at = 0; at < REFS; at += 2048) {
            if (vmm_feed(vmm, refs + at % 32768, 2048) != VMM_OK) {
                fail(vmm_error_text(vmm));
            }
        }
    }
    double time = (now() - start) / ((double)REFS * ROUNDS);
    vmm_destroy(vmm);
    return time;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fail("KIND SHARE PAGES FRAMES");
    }
    VMMConfig *config = malloc(sizeof *config);
    if (config == NULL) {
        fail("no memory");
    }
    vmm_config_init_default(config);
    VMMRef *refs = make_refs(strtoul(argv[3], NULL, 10));
    double share = strcmp(argv[1], "shards") == 0 ? strtod(argv[2], NULL) : 0.0;
    printf("curve_ns %.4f\n", time_curve(config, refs, share));
    printf("machine_ns %.4f\n", time_machine(config, refs, argv[4]));
    free(refs);
    free(config);
    return 0;
}
