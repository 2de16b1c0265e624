// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where virtio devices are. On PCI a scan finds them; on MMIO nothing enumerates, so the addresses come
 * from the setting `virtio_mmio.device`, from ACPI, and, on a machine that has neither these nor PCI,
 * from the slots of QEMU's microvm (R-T-23). Task level.
 */
#pragma once

#include "drivers/bus/mmio.h"
#include "drivers/bus/pci.h"

struct virtio_place {
    uint32_t device_id; /* virtio 1.3, 5: what it is */
    bool is_mmio;
    struct pci_dev pci; /* where, one of the two */
    struct mmio_dev mmio;
};

/* Is this PCI function a virtio device? Then *out is complete. R-V-01: by vendor and device number,
 * nothing else. */
bool virtio_place_of_pci(const struct pci_dev *dev, struct virtio_place *out);

/* Call found() for each device, once, whoever names it. `pci` NULL: there is no PCI. */
typedef void virtio_found_fn(const struct virtio_place *place);
void virtio_find(struct pci_host *pci, virtio_found_fn *found);
