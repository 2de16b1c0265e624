// SPDX-License-Identifier: BSD-2-Clause
/* Checks and reads root pointer, headers and table lists. */
#include "kernel/acpi_parse.h"

#include "base/err.h"

#define RSDP_V1_BYTES 20

/* ACPI 6.4, 5.2.5.3 */
struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; /* from here on revision 2 */
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct rsdp) == ACPI_RSDP_BYTES, "ACPI 6.4, 5.2.5.3");

bool acpi_checksum_ok(const uint8_t *bytes, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

int acpi_parse_rsdp(const uint8_t *bytes, struct acpi_root *out)
{
    struct rsdp rsdp;

    __builtin_memcpy(&rsdp, bytes, sizeof(rsdp));
    if (__builtin_memcmp(rsdp.signature, "RSD PTR ", 8) != 0 ||
        !acpi_checksum_ok(bytes, RSDP_V1_BYTES))
        return -EINVAL;
    /* A bad extension leaves what revision 0 had. */
    if (rsdp.revision >= 2 && rsdp.xsdt != 0 && acpi_checksum_ok(bytes, ACPI_RSDP_BYTES))
        *out = (struct acpi_root){.list = rsdp.xsdt, .is_xsdt = true};
    else if (rsdp.rsdt != 0)
        *out = (struct acpi_root){.list = rsdp.rsdt};
    else
        return -EINVAL;
    return 0;
}

uint32_t acpi_table_length(const uint8_t *bytes)
{
    struct acpi_header header;

    __builtin_memcpy(&header, bytes, sizeof(header));
    return header.length >= ACPI_HEADER_BYTES && header.length <= ACPI_TABLE_MAX
               ? header.length
               : 0;
}

size_t acpi_list_count(const struct acpi_root *root, size_t len)
{
    return len < ACPI_HEADER_BYTES ? 0
                                   : (len - ACPI_HEADER_BYTES) / (root->is_xsdt ? 8 : 4);
}

paddr_t acpi_list_entry(const struct acpi_root *root, const uint8_t *list, size_t index)
{
    size_t size = root->is_xsdt ? 8 : 4;
    uint64_t addr = 0;

    __builtin_memcpy(&addr, list + ACPI_HEADER_BYTES + index * size, size);
    return addr;
}
