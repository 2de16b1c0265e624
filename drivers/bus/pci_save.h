// SPDX-License-Identifier: BSD-2-Clause
/*
 * Configuration space over a sleep that loses it (ACPI S3): what every function had is noted and written
 * back: bus numbers and windows of bridges, BARs, interrupt lines, command registers, the control registers
 * of PCI Express, and those registers of known chipsets that say where the rest is found (power management,
 * interrupt routing, ECAM).
 *
 *     struct pci_saved saved = {.capacity = pci_count(&host)};
 *     saved.fns = ... room for that many ...
 *     pci_save(&host, &saved);
 *     ... sleep, wake ...
 *     pci_restore(&saved);
 *
 * `host` must be one without ECAM: at the wake it is not there before the chipset has been restored.
 * What only drivers know (virtio, MSI-X tables) is theirs to set up again. Task context.
 */
#pragma once

#include "drivers/bus/pci.h"

#include <stddef.h>

/* One function as it was. */
struct pci_saved_fn {
    struct pci_dev dev;
    uint32_t cfg[PCI_CFG_SIZE / 4];
};

struct pci_saved {
    struct pci_saved_fn *fns; /* the owner's storage */
    size_t count, capacity;
};

/* How many functions there are. */
size_t pci_count(struct pci_host *host);

/* Note all of them, by ascending bus. 0; -ENOSPC: more than the capacity. */
int pci_save(struct pci_host *host, struct pci_saved *out);

/* Write back what was noted. A function that is not there, or another one in its place, is left alone.
 * Returns how many those are. */
size_t pci_restore(const struct pci_saved *saved);
