// SPDX-License-Identifier: BSD-2-Clause
/* The shapes of ACPI tables (ACPI 6.4, 5.2): root pointer, headers, lists. Bytes in, facts out; pure. */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_HEADER_BYTES 36
#define ACPI_RSDP_BYTES   36                  /* of revision 2; revision 0 has 20 */
#define ACPI_TABLE_MAX    (UINT32_C(1) << 20) /* longer tables are refused */

/* The header every table but FACS begins with. */
struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
};
_Static_assert(sizeof(struct acpi_header) == ACPI_HEADER_BYTES, "ACPI 6.4, 5.2.6");

struct acpi_root {
    paddr_t list; /* RSDT or XSDT */
    bool is_xsdt; /* entries of 8 bytes, else of 4 */
};

/* Check a root pointer of ACPI_RSDP_BYTES readable bytes. 0 or -EINVAL. */
int acpi_parse_rsdp(const uint8_t *rsdp, struct acpi_root *out);

/* The length a header claims; 0 when it is impossible. `bytes` has ACPI_HEADER_BYTES. */
uint32_t acpi_table_length(const uint8_t *bytes);

/* All bytes of a table add up to zero. */
bool acpi_checksum_ok(const uint8_t *bytes, size_t len);

/* Entries of an RSDT or XSDT of `len` bytes, and one of them. */
size_t acpi_list_count(const struct acpi_root *root, size_t len);
paddr_t acpi_list_entry(const struct acpi_root *root, const uint8_t *list, size_t index);
