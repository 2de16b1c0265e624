// SPDX-License-Identifier: BSD-2-Clause
/* The VMCI device's configuration space, reached by the ports 0xCF8 and 0xCFC only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VMCI_PORT_COUNT 64

/* Claim the configuration ports; hides ECAM. Ends the run where 00:10.0 is taken. */
void vmci_config_init(uint64_t rsdp);

/* Without it there is the line only. Before the guest looks. */
void vmci_config_has_msi(bool has);

/* Where BAR 0 points, once the guest has switched I/O on; moves with it. 0: nowhere. */
uint16_t vmci_config_ports(void);

/* Send the interrupt: by MSI when that is on, else as the line's vector of the I/O APIC. False when the
 * guest has masked it. */
bool vmci_config_interrupt(void);
