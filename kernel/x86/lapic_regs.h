// SPDX-License-Identifier: BSD-2-Clause
/*
 * The local APIC's registers, reached as memory (xAPIC) or, where firmware left x2APIC on, as MSRs:
 * the same registers at MSR 0x800 + offset / 16. Pure: the accesses come through a table, so that a
 * host test covers the way that QEMU's TCG does not have. SDM 3A, chapter 10.
 */
#pragma once

#include "hal/reg_io.h"

#include <stdbool.h>
#include <stdint.h>

struct lapic {
    bool is_x2apic;
    struct reg_io mmio;                   /* xAPIC */
    uint64_t (*msr_read)(uint32_t index); /* x2APIC */
    void (*msr_write)(uint32_t index, uint64_t value);
};

struct lapic_vectors {
    uint8_t timer, spurious;
};

/* Software-enable it with everything masked but the timer, which is one-shot, divided by 1, not
 * running. */
void lapic_regs_setup(const struct lapic *lapic, struct lapic_vectors vectors);

uint32_t lapic_regs_id(const struct lapic *lapic);
void lapic_regs_eoi(const struct lapic *lapic);

/* The highest vector that was taken and has had no EOI yet; 0: none. */
unsigned lapic_regs_in_service(const struct lapic *lapic);

/* Count down from `ticks` and raise the timer vector at 0; 0 stops it. */
void lapic_regs_timer_start(const struct lapic *lapic, uint32_t ticks);
uint32_t lapic_regs_timer_left(const struct lapic *lapic);

/* Send this CPU an NMI, or an interrupt of this vector. */
void lapic_regs_self_nmi(const struct lapic *lapic);
void lapic_regs_self_interrupt(const struct lapic *lapic, uint8_t vector);
