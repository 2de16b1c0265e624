// SPDX-License-Identifier: BSD-2-Clause
/* The MADT (ACPI 6.4, 5.2.12): where the interrupt controllers are and how ISA lines are wired. Pure. */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MADT_IOAPIC_MAX 8
#define MADT_ISA_IRQS   16

#define LAPIC_DEFAULT_ADDR  UINT64_C(0xFEE00000)
#define IOAPIC_DEFAULT_ADDR UINT64_C(0xFEC00000)

struct madt_ioapic {
    paddr_t addr;
    uint32_t gsi_base;
};

/* An ISA line: where it comes in and how. Unless overridden: GSI = number (2 for the PIT), edge, active high. */
struct madt_isa {
    uint32_t gsi;
    bool is_listed; /* the table has an override for it */
    bool level, active_low;
};

struct madt {
    paddr_t lapic;
    unsigned ioapic_count;
    struct madt_ioapic ioapics[MADT_IOAPIC_MAX];
    struct madt_isa isa[MADT_ISA_IRQS];
};

/* What holds without a table: LAPIC at `lapic` (MSR 0x1B), one IOAPIC at the fixed place. */
void madt_defaults(paddr_t lapic, struct madt *out);

/* Read a table of `len` bytes (checksum already verified) over the defaults in *out. 0, or -EINVAL
 * with *out unchanged when an entry is broken or the table names no IOAPIC. */
int madt_parse(const uint8_t *table, size_t len, struct madt *out);
