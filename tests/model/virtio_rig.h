// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio PCI device model and the driver side's objects on it, put together: what most driver tests
 * start from. rig_init() stops before the device is opened, so that a test may bend things first.
 */
#pragma once

#include "drivers/virtio/device.h"
#include "drivers/virtio/transport/pci_modern.h"
#include "tests/model/hal_model.h"
#include "tests/model/virtio_pci.h"

/* What QEMU offers a balloon: bits 1, INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_RESET. */
#define RIG_FEATURES                                                        \
    (BIT64(1) | BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX) | \
     BIT64(VIRTIO_F_VERSION_1) | BIT64(40))

struct virtio_rig {
    struct hal_model hal;
    struct pci_model bus;
    struct virtio_model model;
    struct virtio_pci_model pci;
    struct pci_host host;
    struct pci_dev pci_dev;
    struct pci_modern transport;
    struct virtio_device dev;
};

/* A device with these features and three queues of 128 entries on an ECAM bus. */
void rig_init(struct virtio_rig *r, uint64_t features);
/* Scan, open, virtio_init(). 0 or the error of pci_modern_open(). */
int rig_open(struct virtio_rig *r);
/* Enable MSI-X and unmask its entries, as the owner of interrupts does; after rig_open(). */
void rig_enable_msix(struct virtio_rig *r);
/* Negotiate `features` and create `queues` queues with `opts`; 0 or the first error. */
int rig_negotiate(struct virtio_rig *r, uint64_t features, unsigned queues,
                  const struct virtio_queue_opts *opts);
/* Reset, free, close; returns what leaked (allocations and windows), 0 when nothing did. */
unsigned rig_end(struct virtio_rig *r);
