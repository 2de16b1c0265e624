// SPDX-License-Identifier: BSD-2-Clause
/*
 * The registers of a virtio model as a PCI function in QEMU's layout: BAR 4, 64 bits, 16 KiB: common
 * 0x0, ISR 0x1000, device 0x2000, notify 0x3000 with multiplier 4; BAR 0: the legacy interface in 64
 * ports; INTx pin A; MSI-X in BAR 1 where a test asks for it. Wrong widths and orders are noted as the model's misuse.
 */
#pragma once

#include "tests/model/pci_bus.h"
#include "tests/model/virtio_dev.h"

#define VIRTIO_PCI_BAR_ADDR  UINT64_C(0xE000004000)
#define VIRTIO_PCI_MSIX_ADDR UINT64_C(0xFEBF0000)
#define VPM_MSIX_ENTRIES     64
#define VPM_MSIX_PBA         0x800 /* in the same BAR; the table is at its beginning */

/* Offsets of the capabilities in configuration space, for tests that bend them. */
enum virtio_pci_model_cap {
    VPM_CAP_COMMON = 0x40,
    VPM_CAP_ISR = 0x50,
    VPM_CAP_DEVICE = 0x60,
    VPM_CAP_NOTIFY = 0x70,
    VPM_CAP_WINDOW = 0x84, /* type 5, to be ignored */
    VPM_CAP_MSIX = 0x98,   /* virtio_pci_model_add_msix() */
};

struct virtio_pci_model {
    struct pci_model_fn fn;
    struct virtio_model *dev;
    uint32_t device_feature_select, driver_feature_select;
    uint16_t queue_select;

    unsigned msix_entries; /* 0: no MSI-X */
    uint32_t msix_at;      /* where in its BAR the table begins */
    struct virtio_pci_model_entry {
        uint32_t word[4]; /* address low, high, data, control: bit 0 masks */
    } msix[VPM_MSIX_ENTRIES];
    uint32_t msix_flip[4]; /* a lie: these bits of an entry's words read wrong */
    uint64_t fired;   /* a bit per vector that sent its message: the test clears it */
    uint64_t pending; /* had to wait: the entry or the function is masked */
};

/* `device_id`: 0x1040 + type, or a transitional one. */
void virtio_pci_model_init(struct virtio_pci_model *p, struct virtio_model *dev,
                           uint16_t device_id, uint8_t slot);
/* A table of this many entries, the whole of it masked, and MSI-X not enabled. */
void virtio_pci_model_add_msix(struct virtio_pci_model *p, unsigned entries);
/* Leave only the legacy interface, R-T-04. */
void virtio_pci_model_make_legacy(struct virtio_pci_model *p);
/* Enabled in the capability. */
bool virtio_pci_model_has_msix_on(const struct virtio_pci_model *p);

/* BAR 0 (virtio_pci_legacy.c). */
uint32_t virtio_pci_model_port_read(struct virtio_pci_model *p, uint64_t offset,
                                    unsigned width);
void virtio_pci_model_port_write(struct virtio_pci_model *p, uint64_t offset,
                                 unsigned width, uint32_t value);
