// SPDX-License-Identifier: BSD-2-Clause
/* What runs us, as it names itself in CPUID. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HYPERVISOR_LEAF            0x40000000
#define HYPERVISOR_SIGNATURE_BYTES 13

/* Its 12 letters, and the highest leaf behind HYPERVISOR_LEAF. 0 and "": CPUID does not tell of one; what is in the
 * leaf without that bit is no signature. Any context. */
uint32_t hypervisor_signature(char out[HYPERVISOR_SIGNATURE_BYTES]);

/* "QEMU TCG"; the signature where we do not know it; "none that CPUID tells of". Any context. */
void hypervisor_name(char *out, size_t size);
