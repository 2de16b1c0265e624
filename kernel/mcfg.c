// SPDX-License-Identifier: BSD-2-Clause
/* MCFG: find the entry of segment 0. */
#include "kernel/mcfg.h"

#include "base/err.h"

#define ENTRIES_AT  44 /* header, then 8 reserved bytes */
#define ENTRY_BYTES 16

static uint64_t read_le(const uint8_t *bytes, unsigned count)
{
    uint64_t value = 0;

    while (count > 0)
        value = value << 8 | bytes[--count];
    return value;
}

int mcfg_parse(const uint8_t *table, size_t len, struct mcfg_window *out)
{
    for (size_t at = ENTRIES_AT; at + ENTRY_BYTES <= len; at += ENTRY_BYTES) {
        const uint8_t *entry = table + at;
        struct mcfg_window window = {
            .base = read_le(entry, 8), .first_bus = entry[10], .last_bus = entry[11]};

        if (read_le(entry + 8, 2) != 0)
            continue;
        if (!window.base || window.base % MIB || window.last_bus < window.first_bus)
            continue;
        *out = window;
        return 0;
    }
    return -ENODEV;
}
