// SPDX-License-Identifier: BSD-2-Clause
/*
 * Numbers as people write them. Each function takes a whole text or nothing: true and *out is set, or
 * false and it is not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "42", "0x2a". */
bool parse_number(const char *text, uint64_t *out);

/* "0.99", not negative. */
bool parse_real(const char *text, double *out);

/* "4096", "4K", "1.5G", "50%": bytes; a percentage is of `whole` bytes. */
bool parse_size(const char *text, uint64_t whole, uint64_t *out);

/* "10s", "100ms", "5us", "20ns": nanoseconds; a number alone is seconds. */
bool parse_time(const char *text, uint64_t *out);
