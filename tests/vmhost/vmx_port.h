// SPDX-License-Identifier: BSD-2-Clause
/* The general backdoor, as far as detection and clocks ask for it. */
#pragma once

#define VMX_PORT 0x5658

/* The guest executed `in eax, dx` on it. */
void vmx_port_call(void);
