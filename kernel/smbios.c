// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finds the SMBIOS table: the EFI loader names its entry point, a PC BIOS leaves one in the F
 * segment. What is in it is smbios_parse.c's business.
 */
#include "kernel/smbios.h"

#include "boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/smbios_parse.h"

#include <stdbool.h>

#define SCAN_START 0xF0000
#define SCAN_END   0x100000
#define SCAN_STEP  16

#define TABLE_MAX (256 * KIB) /* QEMU's has under 2 KiB, large servers under 64 */

static const uint8_t *low_bytes(paddr_t addr)
{
    return (const uint8_t *)(uintptr_t)(DIRECT_MAP_BASE + addr);
}

static bool find_table(const struct boot_info *info, struct smbios_table *out)
{
    if (info->smbios != 0)
        return info->smbios < 4 * GIB - SMBIOS_ENTRY_MAX &&
               smbios_parse_entry(low_bytes(info->smbios), SMBIOS_ENTRY_MAX, out) == 0;
    if (info->front != BOOT_FRONT_PVH)
        return false;
    for (paddr_t addr = SCAN_START; addr < SCAN_END; addr += SCAN_STEP) {
        size_t len =
            SCAN_END - addr < SMBIOS_ENTRY_MAX ? SCAN_END - addr : SMBIOS_ENTRY_MAX;

        if (smbios_parse_entry(low_bytes(addr), len, out) == 0)
            return true;
    }
    return false;
}

/* The table that can be read, or false. */
static bool open_table(const struct boot_info *info, struct smbios_table *table)
{
    if (!find_table(info, table))
        return false;
    if (table->addr > 4 * GIB - TABLE_MAX) {
        log_error("smbios: table at 0x%llx lies above 4 GiB, not read",
                  (unsigned long long)table->addr);
        return false;
    }
    /* A 3.0 entry point gives a maximum only; the end structure comes earlier. */
    if (table->size_bytes > TABLE_MAX)
        table->size_bytes = TABLE_MAX;
    return true;
}

void smbios_each_option(const struct boot_info *info, smbios_option_fn *fn, void *ctx)
{
    struct smbios_table table;

    if (open_table(info, &table) &&
        smbios_each_oem_option(low_bytes(table.addr), table.size_bytes, fn, ctx))
        log_warn("smbios: a structure does not fit the table, the rest is not read");
}

bool smbios_system_serial(const struct boot_info *info, char *out, size_t size)
{
    struct smbios_table table;

    return open_table(info, &table) &&
           smbios_find_serial(low_bytes(table.addr), table.size_bytes, out, size) == 0;
}
