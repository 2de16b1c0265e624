// SPDX-License-Identifier: BSD-2-Clause
/*
 * ACPI tables without AML: find, verify, read. Tables are firmware input: lengths and checksums are
 * checked, a bad table is logged and counts as absent. The parsers take bytes and are pure (host tests).
 */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Remember the root (0: none), verify RSDP and RSDT/XSDT. Boot context. */
void acpi_init(paddr_t rsdp);

/* True when the firmware has any. */
bool acpi_is_there(void);

/* The table with this 4-letter signature, verified and mapped, or NULL. *len is its length. */
const void *acpi_find(const char *signature, size_t *len);

/* The same for kinds of which there are several: start with *at = 0, NULL at the end. */
const void *acpi_next(const char *signature, unsigned *at, size_t *len);
