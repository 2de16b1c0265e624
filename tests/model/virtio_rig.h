// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio device model and the driver side's objects on it, put together: what most driver tests start
 * from. rig_init() stops before the device is opened, so that a test may bend things first. The modern
 * PCI transport is the usual one; rig_init_on() takes any.
 */
#pragma once

#include "drivers/virtio/device.h"
#include "drivers/virtio/transport/mmio.h"
#include "drivers/virtio/transport/pci_legacy.h"
#include "drivers/virtio/transport/pci_modern.h"
#include "tests/model/hal_model.h"
#include "tests/model/virtio_mmio.h"
#include "tests/model/virtio_pci.h"

/* What QEMU offers a balloon: bits 1, INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_RESET. */
#define RIG_FEATURES                                                        \
    (BIT64(1) | BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX) | \
     BIT64(VIRTIO_F_VERSION_1) | BIT64(40))

enum rig_kind {
    RIG_PCI_MODERN,
    RIG_PCI_LEGACY,
    RIG_MMIO,
    RIG_MMIO_LEGACY,
    RIG_KINDS,
};

/* The mixes of ring features, counted by their bits: EVENT_IDX, INDIRECT_DESC, RING_PACKED, IN_ORDER. */
#define RIG_MIXES 16u
uint64_t rig_mix(unsigned mix);
const char *rig_mix_name(unsigned mix);

struct virtio_rig {
    enum rig_kind kind;
    struct hal_model hal;
    struct pci_model bus;
    struct virtio_model model;
    struct virtio_pci_model pci;   /* on PCI */
    struct virtio_mmio_model mmio; /* elsewhere */
    struct pci_host host;
    struct pci_dev pci_dev;
    struct pci_modern transport; /* of the kind, one of the three */
    struct pci_legacy legacy;
    struct virtio_mmio mmio_transport;
    const struct virtio_transport *ops; /* the one that is open; NULL: none */
    struct virtio_device dev;
};

/* A device with these features and three queues of 128 entries on an ECAM bus. */
void rig_init(struct virtio_rig *r, uint64_t features);
/* The same on another transport. */
void rig_init_on(struct virtio_rig *r, enum rig_kind kind, uint64_t features);
/* Scan, open, virtio_init(). 0 or the error of the transport's open(). */
int rig_open(struct virtio_rig *r);
/* Enable MSI-X and unmask its entries, as the owner of interrupts does; after rig_open(). */
void rig_enable_msix(struct virtio_rig *r);
/* The messages that were sent since the last call, as causes (enum virtio_isr). */
uint8_t rig_take_messages(struct virtio_rig *r, const struct virtio_vectors *vectors);
/* Negotiate `features` and create `queues` queues with `opts`; 0 or the first error. */
int rig_negotiate(struct virtio_rig *r, uint64_t features, unsigned queues,
                  const struct virtio_queue_opts *opts);
/* Reset, free, close; returns what leaked (allocations and windows), 0 when nothing did. */
unsigned rig_end(struct virtio_rig *r);
