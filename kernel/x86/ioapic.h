// SPDX-License-Identifier: BSD-2-Clause
/* All IOAPICs of the machine: pins by GSI. Boot and task context. */
#pragma once

#include "kernel/madt.h"

struct ioapic_route {
    uint8_t vector;
    bool level, active_low;
    uint32_t lapic_id;
};

/* Map those of the MADT and mask every pin. Returns how many answered. */
unsigned ioapic_init(const struct madt *madt);

/* Route a GSI and unmask it / mask it. -ENODEV: no IOAPIC has that pin. */
int ioapic_route(uint32_t gsi, struct ioapic_route route);
void ioapic_mask(uint32_t gsi);
void ioapic_mask_all(void);
