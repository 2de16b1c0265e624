// SPDX-License-Identifier: BSD-2-Clause
/*
 * Entry points and structures of SMBIOS, byte by byte: nothing here trusts a length or a count of
 * the table. Where the bytes are is smbios.c's business. Pure. Sections are those of DSP0134 3.x.
 */
#include "kernel/smbios_parse.h"

#include "base/err.h"

#include <stdbool.h>

#define TYPE_SYSTEM      1
#define TYPE_OEM_STRINGS 11
#define TYPE_END         127
#define HEADER_BYTES     4 /* type, length, handle */
#define SYSTEM_SERIAL    7 /* 7.2: where the serial number's string is named */

#define OPTION_PREFIX     "aerostat:"
#define OPTION_PREFIX_LEN (sizeof(OPTION_PREFIX) - 1)

static uint64_t get_le(const uint8_t *bytes, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static bool is_sum_zero(const uint8_t *bytes, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

/* 5.2.2: 64-bit entry point, length at 6. */
static int parse_entry_3(const uint8_t *bytes, size_t len, struct smbios_table *out)
{
    if (len < 24 || bytes[6] < 24 || bytes[6] > len || !is_sum_zero(bytes, bytes[6]))
        return -EINVAL;
    out->addr = get_le(bytes + 16, 8);
    out->size_bytes = (uint32_t)get_le(bytes + 12, 4);
    return 0;
}

/* 5.2.1: 32-bit entry point, length at 5; some 2.1 firmware says 30 where 31 is meant. */
static int parse_entry_2(const uint8_t *bytes, size_t len, struct smbios_table *out)
{
    if (len < 31 || bytes[5] < 30 || bytes[5] > len || !is_sum_zero(bytes, bytes[5]) ||
        __builtin_memcmp(bytes + 16, "_DMI_", 5) != 0)
        return -EINVAL;
    out->addr = get_le(bytes + 24, 4);
    out->size_bytes = (uint32_t)get_le(bytes + 22, 2);
    return 0;
}

int smbios_parse_entry(const uint8_t *bytes, size_t len, struct smbios_table *out)
{
    if (len >= 5 && __builtin_memcmp(bytes, "_SM3_", 5) == 0)
        return parse_entry_3(bytes, len, out);
    if (len >= 4 && __builtin_memcmp(bytes, "_SM_", 4) == 0)
        return parse_entry_2(bytes, len, out);
    return -EINVAL;
}

/* 6.1.3: strings follow the formatted area, each with its NUL; an empty one ends them. A structure
 * without strings ends with two NULs. Returns the offset behind them, or 0 when they run out of the
 * table. With `fn`, options among them are handed out. */
static size_t walk_strings(const uint8_t *table, size_t at, size_t len,
                           void (*fn)(void *ctx, const char *text, size_t len), void *ctx)
{
    if (at + 2 <= len && table[at] == 0 && table[at + 1] == 0)
        return at + 2;
    while (at < len && table[at] != 0) {
        const char *text = (const char *)table + at;
        const char *end = __builtin_memchr(text, '\0', len - at);

        if (!end)
            return 0;
        size_t n = (size_t)(end - text);
        if (fn && n > OPTION_PREFIX_LEN &&
            __builtin_memcmp(text, OPTION_PREFIX, OPTION_PREFIX_LEN) == 0)
            fn(ctx, text + OPTION_PREFIX_LEN, n - OPTION_PREFIX_LEN);
        at += n + 1;
    }
    return at < len ? at + 1 : 0;
}

int smbios_each_oem_option(const uint8_t *table, size_t len,
                           void (*fn)(void *ctx, const char *text, size_t len), void *ctx)
{
    size_t at = 0;

    while (len - at >= HEADER_BYTES) {
        uint8_t type = table[at], size = table[at + 1];

        if (type == TYPE_END)
            return 0;
        if (size < HEADER_BYTES || size > len - at)
            return -EINVAL;
        at = walk_strings(table, at + size, len, type == TYPE_OEM_STRINGS ? fn : NULL,
                          ctx);
        if (at == 0)
            return -EINVAL;
    }
    return at == len ? 0 : -EINVAL;
}

/* String `number`, from 1, of those behind a structure. 0: there is none. */
static size_t copy_string(const uint8_t *table, size_t at, size_t len, unsigned number,
                          char *out, size_t size)
{
    size_t n = 0;

    for (; number > 1 && at < len && table[at] != 0; number--) {
        const uint8_t *end = __builtin_memchr(table + at, '\0', len - at);

        if (!end)
            return 0;
        at = (size_t)(end - table) + 1;
    }
    while (number == 1 && at + n < len && table[at + n] != 0 && n + 1 < size) {
        out[n] = (char)table[at + n];
        n++;
    }
    out[n] = '\0';
    return n;
}

int smbios_find_serial(const uint8_t *table, size_t len, char *out, size_t size)
{
    size_t at = 0;

    while (len - at >= HEADER_BYTES && table[at] != TYPE_END) {
        uint8_t type = table[at], fixed = table[at + 1];

        if (fixed < HEADER_BYTES || fixed > len - at)
            return -EINVAL;
        if (type == TYPE_SYSTEM && fixed > SYSTEM_SERIAL)
            return copy_string(table, at + fixed, len, table[at + SYSTEM_SERIAL], out,
                               size)
                       ? 0
                       : -ENODEV;
        at = walk_strings(table, at + fixed, len, NULL, NULL);
        if (at == 0)
            return -EINVAL;
    }
    return -ENODEV;
}
