// SPDX-License-Identifier: BSD-2-Clause
/*
 * The registers of a virtio model as a PCI function in QEMU's layout: BAR 4, 64 bits, 16 KiB: common
 * 0x0, ISR 0x1000, device 0x2000, notify 0x3000 with multiplier 4; BAR 0 is 64 bytes of I/O; INTx pin
 * A. Wrong widths and orders are noted as the model's misuse.
 */
#pragma once

#include "tests/model/pci_bus.h"
#include "tests/model/virtio_dev.h"

#define VIRTIO_PCI_BAR_ADDR UINT64_C(0xE000004000)

/* Offsets of the capabilities in configuration space, for tests that bend them. */
enum virtio_pci_model_cap {
    VPM_CAP_COMMON = 0x40,
    VPM_CAP_ISR = 0x50,
    VPM_CAP_DEVICE = 0x60,
    VPM_CAP_NOTIFY = 0x70,
    VPM_CAP_WINDOW = 0x84, /* type 5, to be ignored */
};

struct virtio_pci_model {
    struct pci_model_fn fn;
    struct virtio_model *dev;
    uint32_t device_feature_select, driver_feature_select;
    uint16_t queue_select;
};

/* `device_id`: 0x1040 + type, or a transitional one. */
void virtio_pci_model_init(struct virtio_pci_model *p, struct virtio_model *dev,
                           uint16_t device_id, uint8_t slot);
