// SPDX-License-Identifier: BSD-2-Clause
/* Tells a command line from garbage. Pure. */
#include "boot/efi/load_options.h"

#include <stdbool.h>

static bool is_text(uint32_t unit)
{
    return (unit >= 0x20 && unit <= 0x7E) || unit == '\t';
}

size_t load_options_text(const uint8_t *options, size_t bytes, char *out, size_t capacity)
{
    size_t len = 0;

    out[0] = '\0';
    if (bytes % 2 != 0)
        return 0;
    for (; len < bytes / 2; len++) {
        uint32_t unit = (uint32_t)options[2 * len] | (uint32_t)options[2 * len + 1] << 8;

        if (unit == 0)
            break;
        if (!is_text(unit) || len + 1 >= capacity) {
            out[0] = '\0';
            return 0;
        }
        out[len] = (char)unit;
    }
    out[len] = '\0';
    return len;
}
