// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finds ACPI tables. The list is read once at boot; tables are mapped read-only and stay mapped,
 * few and small as they are. The shapes are acpi_parse.c's.
 */
#include "kernel/acpi.h"
#include "kernel/acpi_parse.h"
#include "kernel/log.h"
#include "kernel/power_parse.h"
#include "kernel/string.h"
#include "kernel/x86/mmio.h"

#include "base/bits.h"

#define TABLES_MAX 32
/* entries looked at: a root table of megabytes must not cost a boot */
#define LISTED_MAX 128

static struct {
    const uint8_t *bytes;
    size_t len;
} tables[TABLES_MAX];
static unsigned table_count, left_out;

/* Map a table by the length its header claims and verify it. */
static const uint8_t *map_table(paddr_t addr, size_t *len)
{
    const uint8_t *header = mmio_map_table(addr, ACPI_HEADER_BYTES);
    uint32_t length = header ? acpi_table_length(header) : 0;
    const uint8_t *table = length ? mmio_map_table(addr, length) : NULL;

    if (!table) {
        log_warn("acpi: table at 0x%llx is not readable", (unsigned long long)addr);
        return NULL;
    }
    if (!acpi_checksum_ok(table, length)) {
        log_warn("acpi: table %.4s at 0x%llx has a bad checksum", (const char *)table,
                 (unsigned long long)addr);
        return NULL;
    }
    *len = length;
    return table;
}

/* `limit`: how many tables there may be then. */
static void add_table(paddr_t addr, unsigned limit)
{
    size_t len;
    const uint8_t *bytes = addr && table_count < limit ? map_table(addr, &len) : NULL;

    if (addr && table_count >= limit)
        left_out++;
    if (!bytes)
        return;
    tables[table_count].bytes = bytes;
    tables[table_count++].len = len;
}

void acpi_init(paddr_t rsdp)
{
    const uint8_t *root_bytes = rsdp ? mmio_map_table(rsdp, ACPI_RSDP_BYTES) : NULL;
    struct acpi_root root;
    size_t len;

    if (!root_bytes) {
        log_info("acpi: no tables");
        return;
    }
    if (acpi_parse_rsdp(root_bytes, &root)) {
        log_warn("acpi: bad root pointer at 0x%llx, tables ignored",
                 (unsigned long long)rsdp);
        return;
    }
    const uint8_t *list = map_table(root.list, &len);
    size_t count = list ? acpi_list_count(&root, len) : 0;
    size_t listed = min_u64(count, LISTED_MAX);
    left_out = (unsigned)(count - listed);
    for (size_t i = 0; i < listed; i++)
        add_table(acpi_list_entry(&root, list, i), TABLES_MAX - 1); /* and the DSDT */

    const void *fadt = acpi_find("FACP", &len);
    struct power_tables power;
    if (fadt) {
        power_parse_fadt(fadt, len, &power);
        add_table(power.dsdt, TABLES_MAX);
    }
    if (left_out)
        log_warn("acpi: %u tables are left out: too many", left_out);
    log_info("acpi: %u tables", table_count);
}

bool acpi_is_there(void)
{
    return table_count > 0;
}

const void *acpi_next(const char *signature, unsigned *at, size_t *len)
{
    while (*at < table_count) {
        unsigned i = (*at)++;

        if (memcmp(tables[i].bytes, signature, 4) == 0) {
            *len = tables[i].len;
            return tables[i].bytes;
        }
    }
    return NULL;
}

const void *acpi_find(const char *signature, size_t *len)
{
    unsigned at = 0;

    return acpi_next(signature, &at, len);
}
