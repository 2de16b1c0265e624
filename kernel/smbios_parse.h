// SPDX-License-Identifier: BSD-2-Clause
/* SMBIOS (DMTF DSP0134) as bytes: entry points and the walk over the structures. Pure. */
#pragma once

#include "base/units.h"

#include <stddef.h>

#define SMBIOS_ENTRY_MAX 32 /* bytes of the longest entry point we read */

struct smbios_table {
    paddr_t addr;
    uint32_t size_bytes; /* at most this much, the end structure may come earlier */
};

/* A 2.1 ("_SM_") or 3.0 ("_SM3_") entry point at `bytes`. 0; -EINVAL: not one, or its checksum is
 * wrong. `len` bytes may be read. */
int smbios_parse_entry(const uint8_t *bytes, size_t len, struct smbios_table *out);

/* Call `fn` for each OEM string that starts with "aerostat:", with what follows. Returns 0, or
 * -EINVAL when the structures do not fit the table (strings before that point were handed out). */
int smbios_each_oem_option(const uint8_t *table, size_t len,
                           void (*fn)(void *ctx, const char *text, size_t len),
                           void *ctx);

/* The serial number of structure type 1, cut to fit `size` with its NUL. 0; -ENODEV: it has none; -EINVAL: the
 * structures before it do not fit the table. */
int smbios_find_serial(const uint8_t *table, size_t len, char *out, size_t size);
