/* SPDX-License-Identifier: Apache-2.0 */
/* What several unit tests need: temporary files, and configurations from one line of text. */
#ifndef VMM_TESTS_UNIT_COMMON_H
#define VMM_TESTS_UNIT_COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/vmm/vmm.h"

#define TEST_PATH_BYTES 256

/* A template for mkstemp() or mkdtemp() in $TMPDIR, else /tmp. */
static inline void test_path_template(char path[TEST_PATH_BYTES], const char *topic) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, TEST_PATH_BYTES, "%.150s/vmm-test-%.50s-XXXXXX",
             folder != NULL && *folder != '\0' ? folder : "/tmp", topic);
}

/* "name=value name=value ..." */
static inline VMMConfig test_configure(const char *options) {
    VMMConfig config;
    vmm_config_init_default(&config);
    char copy[512];
    snprintf(copy, sizeof copy, "%s", options);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char error[VMM_ERROR_TEXT_BYTES] = "";
        char *equals = strchr(word, '=');
        assert_non_null(equals);
        *equals = '\0';
        if (vmm_config_set(&config, word, equals + 1, error) != VMM_OK) {
            fail_msg("%s", error);
        }
    }
    return config;
}

#endif
