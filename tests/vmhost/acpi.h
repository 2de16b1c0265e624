// SPDX-License-Identifier: BSD-2-Clause
/* The few facts of the ACPI tables that the monitor needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct acpi_sleep {
    uint16_t event_port, control_port; /* PM1a */
    uint64_t facs;
};

/* False when the machine has no such tables (microvm). */
bool acpi_find_sleep(uint64_t rsdp, struct acpi_sleep *out);

/* Rename the MCFG table, so that the guest reaches PCI configuration space by its ports only. */
void acpi_hide_mcfg(uint64_t rsdp);
