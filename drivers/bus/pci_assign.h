// SPDX-License-Identifier: BSD-2-Clause
/*
 * Addresses and an interrupt line for a function that was plugged in after firmware had gone: BARs are
 * measured and placed into what the bridge above forwards and nobody else on the bus uses.
 *
 *     pci_space_of_bridge(&bridge, &space);          // or the windows firmware tables name
 *     pci_space_use_bus(&space, host, bus);
 *     pci_assign(&dev, &space);                      // for each new function
 *     pci_lines_give(&dev, &lines);                  // lines: pci_lines_learn() at start
 *
 * All that is read comes from devices and is not believed: a bus that claims everything gets -ENOSPC,
 * a function whose BARs are nonsense -EPROTO. Task context; functions that are in use are only read.
 */
#pragma once

#include "drivers/bus/pci.h"

/* Addresses first to last, both inside; first > last: none. */
struct pci_range {
    uint64_t first, last;
};

enum pci_window {
    PCI_WINDOW_IO,
    PCI_WINDOW_MEM,
    PCI_WINDOW_PREF, /* memory whose reads have no side effects */
    PCI_WINDOWS,
};

#define PCI_USED_MAX 128

/* Where a bus may have addresses, and which are taken. */
struct pci_space {
    struct pci_range window[PCI_WINDOWS];
    unsigned used_count;
    struct pci_used {
        struct pci_range range;
        bool is_io;
    } used[PCI_USED_MAX];
};

/* No windows, nothing used. */
void pci_space_init(struct pci_space *space);

/* The windows a bridge forwards to its secondary bus; closed ones are empty. */
void pci_space_of_bridge(const struct pci_dev *bridge, struct pci_space *space);

/* Take a range out. -ENOSPC: the table is full. */
int pci_space_use(struct pci_space *space, struct pci_range range, bool is_io);

/*
 * Take out what the functions of a bus have: BARs and bridge windows. No size is measured, as that
 * would stop a device in use: a BAR counts for as much as the alignment of its address allows (I/O:
 * at most 256, PCI 3.0, 6.2.5.1). -ENOSPC: more than the table holds.
 */
int pci_space_use_bus(struct pci_space *space, struct pci_host *host, uint8_t bus);

/*
 * Place all BARs of a function that nobody uses, the largest first, from the top of the window, and
 * take their addresses out of `space`. Decoding is off afterwards. An I/O BAR without room stays
 * unassigned. 0; -ENOTSUP: a bridge; -ENOSPC: memory does not fit; -EPROTO: its claims make no sense
 * (counted in pci_errors). On an error its BARs are unassigned again.
 */
int pci_assign(const struct pci_dev *dev, struct pci_space *space);

/* The interrupt line of each of the four wires of a bus; 0: not known. */
struct pci_lines {
    uint8_t line[4];
};

/*
 * Ask the functions that firmware set up: slot and pin make a wire (PCI 3.0, 2.2.6), behind a bridge
 * the wires are those of its own bus. `bridge` NULL: a root bus, where a chipset that is known is asked
 * as well. Further functions of a slot do not count, as chipsets wire theirs otherwise.
 */
void pci_lines_learn(struct pci_host *host, uint8_t bus, const struct pci_dev *bridge,
                     struct pci_lines *out);

/* Write the line into the function's register, for pci_intx_line(); 0 where it is not known. */
void pci_lines_give(const struct pci_dev *dev, const struct pci_lines *lines);
