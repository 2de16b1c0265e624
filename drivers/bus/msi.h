// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSI of one PCI function, PCI Local Bus 3.0, 6.8.1, as far as one message goes: for functions that have it
 * and no MSI-X (msix.h). What an address and a data word mean is the machine's matter; they come from the
 * caller.
 *
 *     msi_enable(&pci_dev, address, data);  // 0: INTx is off from here on
 *     ...
 *     msi_disable(&pci_dev);                // INTx on
 *
 * The capability's registers lie in configuration space: there is nothing to map. Task context.
 */
#pragma once

#include "drivers/bus/pci.h"

/* Have the function send `data` to `address`, one message for all it has to say. 0; -ENODEV: it has no MSI;
 * -EPROTO: its capability runs past configuration space; -EINVAL: not for this one: an address that is not aligned
 * to 4 or above 4 GiB for a function of 32 bits, data above 16 bits; -EIO: it does not hold what was written. On
 * failure MSI is off and INTx on. */
int msi_enable(const struct pci_dev *dev, paddr_t address, uint32_t data);

/* Turn it off, also where firmware left it on, and INTx on. */
void msi_disable(const struct pci_dev *dev);
