// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio over PCI, modern interface, virtio 1.3, 4.1 (R-T-10..14): finds the capabilities, checks
 * them (R-H-08), maps the windows, and offers a struct virtio_transport. It starts with INTx; MSI-X is
 * enabled between open and the driver's start by whoever owns interrupts (drivers/bus/msix.h). One
 * object per device, owned by the driver's task.
 *
 *     struct pci_modern pm;
 *     pci_modern_open(&pm, &pci_dev);       // 0: pm.transport works
 *     virtio_init(&dev, &pm.transport, hal, "balloon");
 *     ...
 *     pci_modern_close(&pm);                // after virtio_reset() and virtio_fini()
 */
#pragma once

#include "drivers/bus/pci.h"
#include "drivers/virtio/transport/transport.h"

#define PCI_MODERN_QUEUES 8 /* doorbells remembered */

/* Capabilities that were refused; the first acceptable one of each type is used. */
struct pci_modern_errors {
    /* structure shorter than its type needs, or past configuration space */
    uint64_t cap_short;
    uint64_t bar_index;      /* BAR number above 5 */
    uint64_t bar_missing;    /* that BAR is not there, not assigned, or absurd */
    uint64_t bar_kind;       /* I/O BAR where memory is needed */
    uint64_t out_of_bar;     /* offset + length beyond the BAR, or overflow */
    uint64_t misaligned;     /* offset not aligned as the structure needs */
    uint64_t length_short;   /* window shorter than its registers */
    uint64_t unmappable;     /* the machine could not map the window */
    uint64_t doorbell_range; /* queue_notify_off beyond the notify window */
    uint64_t cap_missing;    /* no acceptable capability of a mandatory type */
    uint64_t cap_list;       /* the list itself is broken */
};

struct pci_modern {
    struct virtio_transport transport; /* ctx is this object */
    struct pci_dev pci;
    struct reg_io common, notify, isr, config;
    uint32_t notify_multiplier;
    /* offset in `notify`; NO_DOORBELL: not set up */
    uint64_t doorbell[PCI_MODERN_QUEUES];
    struct pci_modern_errors errors;
};

/* Find and map the windows, turn memory decoding on and write status 0 (its completion is the matter
 * of virtio_reset()). Bus mastering comes with the first queue, when the reset is known complete. 0;
 * -ENODEV: not a modern device; -EPROTO: none of its capabilities of a mandatory type (common, notify,
 * ISR, device) is acceptable; -ENOMEM: no room for windows. On failure nothing stays mapped. */
int pci_modern_open(struct pci_modern *pm, const struct pci_dev *dev);
void pci_modern_close(struct pci_modern *pm);
