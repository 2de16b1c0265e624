// SPDX-License-Identifier: BSD-2-Clause
/*
 * Function names for panics. The table is made by tools/symtab from the first link: a count, then
 * pairs of 32-bit offsets (function from the image base, name from the names), sorted by address,
 * then the names. Pure, so that a host test looks up in tables good and bad.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct symbol_table {
    const uint8_t *blob;
    size_t size_bytes;
};

/* The function that holds `offset` (from the image base), and how far into it; NULL when the table is
 * empty or broken or the offset lies before the first function. Any context. */
const char *symbol_find(const struct symbol_table *table, uint32_t offset,
                        uint32_t *delta);
