// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio over PCI, legacy interface, virtio 1.3, 4.1.4.10 (R-T-04, R-T-19): registers in the I/O ports of
 * BAR 0. Transitional devices have it beside the modern one, which is tried first. It starts with INTx;
 * MSI-X may be enabled and disabled while the device is reset, the next reset() notices. One object per
 * device, owned by the driver's task.
 *
 *     struct pci_legacy pl;
 *     pci_legacy_open(&pl, &pci_dev);       // 0: pl.transport works
 *     ...                                   // as pci_modern.h
 *     pci_legacy_close(&pl);
 */
#pragma once

#include "drivers/bus/pci.h"
#include "drivers/virtio/transport/legacy.h"

struct pci_legacy_errors {
    uint64_t bar_missing;   /* BAR 0 is not there, not assigned, or absurd */
    uint64_t bar_kind;      /* it is memory */
    uint64_t bar_short;     /* no room for the registers and a word of configuration */
    uint64_t queue_busy;    /* a queue had an address before its set-up */
    uint64_t queue_size;    /* its size is not the one that was read before */
    uint64_t queue_refused; /* its page number does not read back */
    uint64_t queue_address; /* the ring's page number does not fit 32 bits */
};

struct pci_legacy {
    struct virtio_transport transport; /* ctx is this object */
    struct pci_dev pci;
    struct reg_io ports;
    struct legacy_status status;
    uint32_t config_at; /* where the configuration begins: MSI-X moves it */
    uint32_t queues_on; /* a bit per queue that was set up: its doorbell may ring */
    struct pci_legacy_errors errors;
};

/* Take BAR 0, turn I/O decoding on, MSI-X off, and write status 0 (its completion is the matter of
 * virtio_reset()). Bus mastering comes with the first queue. 0; -ENODEV: no transitional device number,
 * or no BAR 0; -EPROTO: a BAR 0 that cannot be it; -ENOMEM: no window. */
int pci_legacy_open(struct pci_legacy *pl, const struct pci_dev *dev);
void pci_legacy_close(struct pci_legacy *pl);
