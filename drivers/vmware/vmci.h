// SPDX-License-Identifier: BSD-2-Clause
/*
 * VMware's VMCI device, as far as a doorbell needs it: PCI 15ad:0740, by which the host wakes the balloon at
 * once when its target changes. Messages to the host go byte by byte through a port; the host rings by
 * setting a byte in a page of ours and interrupting.
 *
 *     vmci_open(&vmci, &pci_dev, &hal);
 *     opts.doorbell = &vmci.bell;            // of the balloon, which links it when it has a session
 *     vmci_start(&vmci);                     // when the interrupt is ready
 *     ...
 *     vmci_isr(&vmci);                       // level isr, where the line is shared; then wake the task
 *     if (vmci_take_ring(&vmci))
 *         vmware_balloon_ring(vb);
 *     ...
 *     vmci_close(&vmci);                     // after the balloon is off or asleep
 *
 * The device is untrusted: it is asked little, and what it says is checked. Context: task level but for
 * vmci_isr(); one owner.
 */
#pragma once

#include "drivers/bus/pci.h"
#include "drivers/vmware/balloon.h"

#define VMCI_PCI_VENDOR 0x15AD
#define VMCI_PCI_DEVICE 0x0740

/* MSI-X entries. A device with one entry sends both by it. */
#define VMCI_VECTOR_DATAGRAM     0
#define VMCI_VECTOR_NOTIFICATION 1

struct vmci {
    const struct balloon_hal *hal;
    struct pci_dev pci;
    struct reg_io regs;
    struct dma_mem bitmap; /* a byte per notification; the host sets bit 0 of it */
    struct vmware_doorbell bell;
    bool is_open, is_linked;
    uint32_t context; /* of the handle that is linked */
};

/* Map, check what it can do, hand it the page. Interrupts stay off. 0; -ENODEV: no ports, or it is gone;
 * -ENOTSUP: it lacks what a doorbell needs; -EIO: it refuses; -ENOMEM. On failure it is left reset. */
int vmci_open(struct vmci *v, const struct pci_dev *dev, const struct balloon_hal *hal);

/* Let notifications interrupt. */
void vmci_start(struct vmci *v);

/* Reset, unmap, free the page. No effect when it is not open. */
void vmci_close(struct vmci *v);

/* Read and acknowledge the cause: true when it was ours. Not where notifications have a message of their own.
 * Level isr. */
bool vmci_isr(struct vmci *v);

/* The doorbell has been rung since the last call. */
bool vmci_take_ring(struct vmci *v);
