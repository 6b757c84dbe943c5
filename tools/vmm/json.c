/* SPDX-License-Identifier: Apache-2.0 */
/* Strings in JSON: names of files and programs are any bytes, and JSON is UTF-8. */
#include <stdio.h>

#include "cli.h"

/* The length of the UTF-8 character that a text begins with; 0: it is none. */
static size_t json_utf8_length(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80                              ? 1
                    : (at[0] & 0xe0) == 0xc0 && at[0] >= 0xc2 ? 2
                    : (at[0] & 0xf0) == 0xe0                  ? 3
                    : (at[0] & 0xf8) == 0xf0 && at[0] <= 0xf4 ? 4
                                                              : 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool surrogate = at[0] == 0xed && length == 3 && at[1] >= 0xa0;
    bool overlong = (at[0] == 0xe0 && length == 3 && at[1] < 0xa0) ||
                    (at[0] == 0xf0 && length == 4 && at[1] < 0x90) ||
                    (at[0] == 0xf4 && length == 4 && at[1] > 0x8f);
    return surrogate || overlong ? 0 : length;
}

void cli_print_json_string(FILE *out, const char *text) {
    fputc('"', out);
    while (*text != '\0') {
        size_t length = json_utf8_length(text);
        if (length == 0) {
            fputs("\\ufffd", out);
            text++;
        } else if (length > 1) {
            fwrite(text, 1, length, out);
            text += length;
        } else {
            unsigned char c = (unsigned char)*text++;
            if (c == '"' || c == '\\') {
                fprintf(out, "\\%c", c);
            } else if (c < 0x20 || c == 0x7f) {
                fprintf(out, "\\u%04x", c);
            } else {
                fputc(c, out);
            }
        }
    }
    fputc('"', out);
}
