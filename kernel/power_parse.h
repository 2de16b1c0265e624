// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the FADT and the DSDT say about switching off and resetting (ACPI 6.4, 4.8.3, 5.2.9, 7.4.2).
 * Bytes in, registers out; no AML beyond the shape of one package. Pure.
 */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stddef.h>

struct power_reg {
    bool is_port;  /* else memory */
    uint64_t addr; /* 0: there is none */
};

struct power_tables {
    paddr_t dsdt;
    struct power_reg pm1a_control, pm1b_control; /* 16 bit */
    struct power_reg sleep_control; /* 8 bit; machines without the fixed hardware */
    struct power_reg reset;         /* 8 bit */
    uint8_t reset_value;
    uint16_t smi_command; /* port; 0: always in ACPI mode */
    uint8_t acpi_enable;  /* value for smi_command */
};

/* Decode a FADT of `len` bytes (checksum already verified). Fields beyond `len` are absent. */
void power_parse_fadt(const uint8_t *fadt, size_t len, struct power_tables *out);

/* SLP_TYPa and SLP_TYPb of the package _S5_ in a DSDT. 0, or -EINVAL when there is none. */
int power_parse_s5(const uint8_t *dsdt, size_t len, uint8_t sleep_type[2]);
