// SPDX-License-Identifier: BSD-2-Clause
/* This CPU's local APIC: EOI and the one-shot timer. */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Where MSR 0x1B puts it; false when the CPU has none or firmware switched it off for good. */
bool lapic_find(paddr_t *addr);

/* Map and set up; x2APIC only if firmware left it on. Boot context, after paging_init(). 0, -ENOMEM. */
int lapic_init(paddr_t addr);

/* Set it up again, its registers having been reset. Interrupts off. */
void lapic_setup(void);

uint32_t lapic_id(void);
bool lapic_is_x2apic(void);

/* Any context from here on. */
void lapic_eoi(void);
unsigned lapic_in_service(void); /* the highest vector without EOI; 0: none */
void lapic_timer_start(uint32_t ticks);
uint32_t lapic_timer_left(void);

/* Send this CPU an NMI, or an interrupt of this vector: tests. */
void lapic_self_nmi(void);
void lapic_self_interrupt(uint8_t vector);
