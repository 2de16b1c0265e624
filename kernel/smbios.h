// SPDX-License-Identifier: BSD-2-Clause
/*
 * Settings from the SMBIOS table: OEM strings (type 11) of the form "aerostat:key=value"; and the serial
 * number of the machine (type 1). The table is input from outside: bounded and checked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct boot_info;

/* Called with the text after "aerostat:", not NUL-terminated, gone afterwards. */
typedef void smbios_option_fn(void *ctx, const char *text, size_t len);

/* Every option there is; none without a table. Boot context, while the low 4 GiB are mapped. */
void smbios_each_option(const struct boot_info *info, smbios_option_fn *fn, void *ctx);

/* The system's serial number, cut to fit, NUL at the end. False: there is none. Context as above. */
bool smbios_system_serial(const struct boot_info *info, char *out, size_t size);
