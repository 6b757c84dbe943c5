/* SPDX-License-Identifier: Apache-2.0 */
/* A shared library that uses the runtime of the program that loads it. */
#include <string.h>

void library_touch(char *place);
size_t library_length(void);

void library_touch(char *place) {
    place[0] = 1;
    place[4096] = 2;
    memset(place + 8192, 3, library_length());
}

size_t library_length(void) {
    return 64;
}
