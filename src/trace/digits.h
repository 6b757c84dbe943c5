/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text, for the formats that are written. */
#ifndef VMM_TRACE_DIGITS_H
#define VMM_TRACE_DIGITS_H

#include <stdint.h>

/* The longest that is written. */
enum { DIGITS_DECIMAL_BYTES = 20, DIGITS_HEX_BYTES = 16 };

/* Both return the place behind the last digit; nothing terminates them. */
static inline char *digits_decimal(char *to, uint64_t value) {
    char digits[DIGITS_DECIMAL_BYTES];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        *to++ = digits[--count];
    }
    return to;
}

/* Lower case, without 0x, as few digits as the value needs. */
static inline char *digits_hex(char *to, uint64_t value) {
    unsigned digits = value == 0 ? 1 : (67u - (unsigned)__builtin_clzll(value)) / 4;
    for (unsigned i = digits; i-- > 0; value >>= 4) {
        to[i] = "0123456789abcdef"[value & 15];
    }
    return to + digits;
}

#endif
