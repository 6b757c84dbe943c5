/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that people write: counts, sizes and durations with units, checked for overflow.
 * Each function takes the whole text or nothing: 0 on success, -1 for text of the wrong form,
 * -2 for a number that does not fit. No signs, no blanks. Fractions ("1.5G", "0.5ns") are taken
 * when the result is a whole number of bytes or picoseconds.
 */
#ifndef VMM_BASE_NUMBER_H
#define VMM_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_OK = 0, NUMBER_BAD = -1, NUMBER_OVERFLOW = -2 };

/* 123, 0x7b, 10k (1000), 4M, 2Ki (1024), 1Gi. */
int number_parse_count(const char *text, uint64_t *value);

/* 4096, 64K, 64KiB, 4G, 1T: powers of 1024; no unit means `unit` bytes. */
int number_parse_size(const char *text, uint64_t unit, uint64_t *bytes);

/* 500ns, 1.5us, 10ms, 1s, 250ps; no unit means nanoseconds. */
int number_parse_duration(const char *text, uint64_t *picoseconds);

/* Exact text that parses back, in the largest unit that leaves a whole number: "64M", "1500ns". */
void number_format_size(uint64_t bytes, char *text, size_t size);
void number_format_duration(uint64_t picoseconds, char *text, size_t size);

/* Names match when they are equal but for case, '-' and '_'. */
int name_matches(const char *a, const char *b);

/* The place of `name` among `names`, "a|b|c", or -1. */
int64_t name_place(const char *names, const char *name);

#endif
