// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSI-X of one PCI function, PCI Local Bus 3.0, 6.8.2: find the capability, check what it claims, map
 * the table, fill entries. What an address and a data word mean is the machine's matter; they come from
 * the caller. The device is untrusted: its table is checked before it is mapped and never read for
 * anything we act on.
 *
 *     struct msix mx;
 *     msix_open(&mx, &pci_dev);             // 0: mx.entries of them, all masked
 *     msix_set(&mx, 0, address, data);      // for each entry that is used
 *     msix_enable(&mx);                     // INTx is off from here on
 *     ...
 *     msix_close(&mx);                      // masked, MSI-X off, INTx on
 *
 * Enable it while the device is reset: a legacy virtio device moves its registers then. Task context.
 */
#pragma once

#include "drivers/bus/pci.h"

#define MSIX_ENTRIES 32 /* more than we use of any table: what is mapped of it */

/* What a capability claimed that cannot be. */
struct msix_errors {
    uint64_t cap_short;  /* runs past configuration space */
    uint64_t bar_index;  /* BAR number above 5 */
    uint64_t bar_kind;   /* a BAR that is not there, absurd, or I/O */
    uint64_t out_of_bar; /* table or pending bits beyond the BAR */
    uint64_t overlap;    /* the pending bits lie in the table */
    uint64_t not_taken;  /* an entry or the enable bit does not read back */
};

struct msix {
    struct pci_dev pci;
    unsigned cap;     /* offset of the capability; 0: not open */
    unsigned entries; /* that may be used: at most MSIX_ENTRIES */
    struct reg_io table;
    struct msix_errors errors;
};

/* Find, check, map; mask every entry. MSI-X stays off. 0; -ENODEV: the function has none; -EPROTO: a
 * claim that cannot be (counted); -ENOMEM: no window. On failure nothing stays mapped and the function
 * is as before. Memory decoding is turned on. */
int msix_open(struct msix *mx, const struct pci_dev *dev);

/* Let entry `index` send `data` to `address` and unmask it. 0; -EINVAL: no such entry, an address that
 * is not aligned to 4; -EIO: the entry does not hold what was written (counted): it is masked again. */
int msix_set(struct msix *mx, unsigned index, paddr_t address, uint32_t data);
/* Entry `index` sends nothing any more. */
void msix_mask(struct msix *mx, unsigned index);

/* Switch from INTx to messages. 0; -EIO: the function does not take it (counted): INTx is back on. */
int msix_enable(struct msix *mx);
/* Mask all, switch back to INTx, unmap. */
void msix_close(struct msix *mx);

/* Does the function say that MSI-X is on? One that has none says no. */
bool msix_is_enabled(const struct pci_dev *dev);
/* Turn it off where firmware left it on, and INTx on. */
void msix_disable(const struct pci_dev *dev);
