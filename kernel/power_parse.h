// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the FADT and the DSDT say about switching off, sleeping and resetting (ACPI 6.4, 4.8.3, 5.2.9, 7.4.2).
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
    paddr_t facs;                                /* 0: there is none */
    struct power_reg pm1a_control, pm1b_control; /* 16 bit */
    struct power_reg pm1a_event, pm1b_event;     /* status, then enable */
    uint8_t pm1_event_bytes;                     /* of both together */
    struct power_reg gpe0; /* its status bytes come first, then as many that enable */
    struct power_reg sleep_control; /* 8 bit; machines without the fixed hardware */
    struct power_reg reset;         /* 8 bit */
    uint8_t reset_value;
    uint16_t smi_command; /* port; 0: always in ACPI mode */
    uint8_t acpi_enable;  /* value for smi_command */
};

/* Decode a FADT of `len` bytes (checksum already verified). Fields beyond `len` are absent. */
void power_parse_fadt(const uint8_t *fadt, size_t len, struct power_tables *out);

/* SLP_TYPa and SLP_TYPb of the package `name` ("_S3_", "_S5_") in a DSDT. 0, or -EINVAL when there is
 * none. */
int power_parse_sleep(const uint8_t *dsdt, size_t len, const char name[4],
                      uint8_t sleep_type[2]);

/*
 * Where firmware looks when the machine wakes (ACPI 6.4, 5.2.10). Only the 32-bit vector is used: the
 * other one must be 0, or firmware prefers it and comes in protected mode.
 */
#define FACS_BYTES       64
#define FACS_VECTOR      12 /* 32 bit: a physical address below 1 MiB, entered in real mode */
#define FACS_X_VECTOR    24 /* 64 bit; in tables longer than this */
#define FACS_BYTES_LEAST 16

/* The length of a FACS whose first FACS_BYTES_LEAST bytes are readable, at most FACS_BYTES; 0: it is none. */
size_t power_facs_length(const uint8_t *facs);
