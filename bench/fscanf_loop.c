/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare loop that every simulator written in an afternoon begins with: fscanf over a native
 * text trace, and nothing done with what was read. The yardstick of the speed ratios.
 *
 *     fscanf_loop TRACE          lines "pid op address" or "pid op address size"
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Fields of the first line, 3 or 4; the file stands at its beginning again. */
static int count_fields(FILE *file) {
    char line[256];
    unsigned pid, size;
    char op;
    uint64_t addr;
    int fields = 0;
    if (fgets(line, sizeof line, file) != NULL) {
        fields = sscanf(line, "%u %c %" SCNx64 " %u", &pid, &op, &addr, &size);
    }
    rewind(file);
    return fields;
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: fscanf_loop TRACE (a native text trace that can be read)\n");
        return 1;
    }
    int fields = count_fields(file);
    unsigned pid, size;
    char op;
    uint64_t addr;
    uint64_t count = 0;
    uint64_t sum = 0; /* so that no compiler can leave anything out */
    if (fields == 4) {
        while (fscanf(file, "%u %c %" SCNx64 " %u", &pid, &op, &addr, &size) == 4) {
            count++;
            sum += addr + pid + (unsigned char)op + size;
        }
    } else {
        while (fscanf(file, "%u %c %" SCNx64, &pid, &op, &addr) == 3) {
            count++;
            sum += addr + pid + (unsigned char)op;
        }
    }
    fclose(file);
    printf("%" PRIu64 " references, sum %" PRIx64 "\n", count, sum);
    return 0;
}
