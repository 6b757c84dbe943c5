/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: bytes as a configuration file, and as the value of each option in turn.
 *
 * Whatever is set is within its bounds, shows as text that sets the same again, and a failing call
 * leaves the configuration as it was.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../include/vmm/vmm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_TEXT = 4096 };

static void fuzz_must(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

/* Every option's text, given back, makes the same text. */
static void fuzz_round_trip(const VMMConfig *config) {
    for (size_t i = 0; i < vmm_option_count(); i++) {
        const char *name = vmm_option_at(i)->name;
        char text[FUZZ_TEXT];
        char again[FUZZ_TEXT];
        VMMConfig copy = *config;
        int length = vmm_config_get(config, name, text, sizeof text);
        fuzz_must(length >= 0 && (size_t)length < sizeof text, "a value has a text");
        fuzz_must(vmm_config_set(&copy, name, text, NULL) == VMM_OK, "which sets it");
        vmm_config_get(&copy, name, again, sizeof again);
        fuzz_must(strcmp(text, again) == 0, "to the same value");
    }
}

static void fuzz_as_file(const uint8_t *data, size_t size) {
    int file = memfd_create("fuzz", 0);
    if (file < 0 || write(file, data, size) != (ssize_t)size) {
        abort();
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    VMMConfig config;
    char error[VMM_ERROR_TEXT_BYTES] = "";
    vmm_config_init_default(&config);
    if (vmm_config_load(&config, path, error) != VMM_OK) {
        fuzz_must(error[0] != '\0' && strlen(error) < sizeof error, "a bad file has a sentence");
    }
    fuzz_round_trip(&config);
    error[0] = '\0';
    if (vmm_config_check(&config, error) == VMM_OK) {
        fuzz_must(vmm_config_frames(&config) > 0, "a valid configuration has frames");
    } else {
        fuzz_must(error[0] != '\0' && strlen(error) < sizeof error, "an invalid one says why");
    }
    close(file);
}

static void fuzz_as_values(const char *value) {
    VMMConfig config;
    vmm_config_init_default(&config);
    for (size_t i = 0; i < vmm_option_count(); i++) {
        VMMConfig before = config;
        char error[VMM_ERROR_TEXT_BYTES] = "";
        if (vmm_config_set(&config, vmm_option_at(i)->name, value, error) != VMM_OK) {
            fuzz_must(error[0] != '\0' && strlen(error) < sizeof error, "a bad value is explained");
            fuzz_must(memcmp(&before, &config, sizeof config) == 0, "and changes nothing");
        }
    }
    fuzz_round_trip(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > FUZZ_TEXT) {
        return 0;
    }
    char *text = malloc(size + 1);
    if (text == NULL) {
        abort();
    }
    memcpy(text, data, size);
    text[size] = '\0';
    fuzz_as_file(data, size);
    fuzz_as_values(text);
    vmm_option_find(text);
    free(text);
    return 0;
}
