// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMCI device, as far as a doorbell needs it: PCI function 00:10.0, which exists only here, with its
 * registers in I/O ports and one MSI or interrupt line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Put the device on the bus. Without this the calls below do nothing. */
void vmci_init(uint64_t rsdp);

/* Whether it answers. One that does not has forgotten everything, and its registers read as all ones. */
void vmci_answer(bool answers);

/* The balloon's doorbell; all ones in both: none. */
void vmci_set_doorbell(uint32_t context, uint32_t resource);

/* The target has changed: notify, if that doorbell is linked. */
void vmci_ring(void);

/* Raise the interrupt again that the guest had masked. */
void vmci_tick(void);
