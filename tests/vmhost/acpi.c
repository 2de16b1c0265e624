// SPDX-License-Identifier: BSD-2-Clause
/* ACPI 6.4, 5.2: read where the firmware left them, which is below 4 GiB. */
#include "tests/vmhost/acpi.h"

#include <stddef.h>

#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_XSDT     24
#define HEADER_BYTES  36
#define HEADER_SUM    9
#define FADT_FACS     36
#define FADT_EVENT    56
#define FADT_CONTROL  64
#define FADT_X_FACS   132

static uint32_t read32(const uint8_t *at)
{
    uint32_t value;

    __builtin_memcpy(&value, at, sizeof(value));
    return value;
}

static uint8_t *find(uint64_t rsdp, const char *signature)
{
    if (!rsdp)
        return NULL;
    const uint8_t *root = (const uint8_t *)rsdp;
    unsigned width = root[RSDP_REVISION] >= 2 ? 8 : 4;
    const uint8_t *list =
        (const uint8_t *)(uint64_t)read32(root + (width == 8 ? RSDP_XSDT : RSDP_RSDT));
    const uint8_t *end = list + read32(list + 4);

    for (const uint8_t *at = list + HEADER_BYTES; at < end; at += width) {
        uint8_t *table = (uint8_t *)(uint64_t)read32(at);
        if (read32(table) == read32((const uint8_t *)signature))
            return table;
    }
    return NULL;
}

bool acpi_find_sleep(uint64_t rsdp, struct acpi_sleep *out)
{
    const uint8_t *fadt = find(rsdp, "FACP");

    if (!fadt)
        return false;
    out->event_port = (uint16_t)read32(fadt + FADT_EVENT);
    out->control_port = (uint16_t)read32(fadt + FADT_CONTROL);
    out->facs = read32(fadt + FADT_FACS);
    if (!out->facs && read32(fadt + 4) >= FADT_X_FACS + 8)
        out->facs = read32(fadt + FADT_X_FACS);
    return out->event_port && out->control_port && out->facs;
}

void acpi_hide_mcfg(uint64_t rsdp)
{
    uint8_t *table = find(rsdp, "MCFG");

    if (!table)
        return;
    table[HEADER_SUM] = (uint8_t)(table[HEADER_SUM] + table[0] - 'X');
    table[0] = 'X';
}
