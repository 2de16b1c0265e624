// SPDX-License-Identifier: BSD-2-Clause
/* Numbers with and without units, on top of strtoull and strtod. */
#include "workload/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

/* The C functions would also take blanks, signs, "nan" and "inf". */
static bool starts_well(const char *text)
{
    return isdigit((unsigned char)text[0]) != 0;
}

bool parse_number(const char *text, uint64_t *out)
{
    char *end;

    errno = 0;
    unsigned long long value =
        strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);

    if (!starts_well(text) || *end != '\0' || errno != 0)
        return false;
    *out = value;
    return true;
}

static bool parse_scaled(const char *text, const struct unit *units, size_t count,
                         uint64_t *out)
{
    char *end;
    double value = strtod(text, &end);

    if (!starts_well(text))
        return false;
    for (size_t i = 0; i < count; i++) {
        double scaled = value * units[i].factor + 0.5;

        if (strcmp(end, units[i].name) != 0 || !(scaled < 0x1p63))
            continue;
        *out = (uint64_t)scaled;
        return true;
    }
    return false;
}

bool parse_real(const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);

    if (!starts_well(text) || *end != '\0' || !(value < 0x1p63))
        return false;
    *out = value;
    return true;
}

bool parse_size(const char *text, uint64_t whole, uint64_t *out)
{
    const struct unit units[] = {
        {"", 1}, {"K", 0x1p10}, {"M", 0x1p20}, {"G", 0x1p30}, {"%", (double)whole / 100},
    };

    return parse_scaled(text, units, sizeof(units) / sizeof(units[0]), out);
}

bool parse_time(const char *text, uint64_t *out)
{
    static const struct unit units[] = {
        {"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};

    return parse_scaled(text, units, sizeof(units) / sizeof(units[0]), out);
}
