// SPDX-License-Identifier: BSD-2-Clause
/*
 * Device interrupts: from a PCI interrupt line, a GSI or a message (MSI, MSI-X) to a handler. The
 * handler runs at isr level: acknowledge, record the cause, wake a task; it returns true when its device
 * had raised the line.
 */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

typedef bool irq_fn(void *ctx);

/* Find LAPIC and IOAPICs (MADT or the fixed places), mask everything. Boot context. */
void irq_init(void);

/* How a line is wired. */
struct irq_wiring {
    bool is_edge, is_active_low;
};

/* Route `gsi` (level, low or as the MADT says) to `fn`. 0; -ENODEV no such pin, -ENOSPC no vector
 * left, -ENOTSUP when irq=poll. On an error the caller polls its device. Shared lines are called in
 * turn. The second form is for a line whose wiring is known. */
int irq_attach(uint32_t gsi, irq_fn *fn, void *ctx);
int irq_attach_wired(uint32_t gsi, struct irq_wiring wiring, irq_fn *fn, void *ctx);
void irq_detach(uint32_t gsi, irq_fn *fn, void *ctx);

/* The same for an ISA line (edge, high, or as the MADT overrides it); *gsi is for irq_detach(). */
int irq_attach_isa(unsigned line, irq_fn *fn, void *ctx, uint32_t *gsi);

/* A write of `data` to `addr` by a device calls the handler: edge-triggered, for this CPU, never shared. */
struct irq_message {
    paddr_t addr;
    uint32_t data; /* the vector */
};

/* Get one. 0; -ENOSPC no vector left, -ENOTSUP when irq=intx or irq=poll, or when this CPU cannot be
 * named in a message. Close it when no device can send it any more: a late one is counted, no more. */
int irq_message_open(irq_fn *fn, void *ctx, struct irq_message *out);
void irq_message_close(const struct irq_message *message);

/* True when the configuration says irq=poll; true when it leaves messages in. */
bool irq_is_polled(void);
bool irq_has_messages(void);

/* After a sleep that the chips have not survived: set them up again, with the lines in use routed as before.
 * Interrupts off. */
void irq_resume(void);

/* Counters since boot. A line that comes many times in a row and nobody claims it, or that is level and comes
 * again and again before any task has its turn, is masked: its device is noticed as silent and polled. */
struct irq_stats {
    uint64_t device, timer, unclaimed, spurious;
    uint32_t lines_masked;
    unsigned ioapics;
};

void irq_stats(struct irq_stats *out);
