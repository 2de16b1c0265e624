// SPDX-License-Identifier: BSD-2-Clause
/* Words and numbers of the command line and of the control port. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool text_equal(const char *a, const char *b);

/* The rest of `text` behind `prefix`, or NULL when it does not begin so. */
const char *text_after(const char *text, const char *prefix);

/* A number, decimal or 0x…, at *text, which is moved behind it. False and unmoved when there is none. */
bool text_number(const char **text, uint64_t *out);

/* As text_number(), and nothing may follow. */
bool text_is_number(const char *text, uint64_t *out);
