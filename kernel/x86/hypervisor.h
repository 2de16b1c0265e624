// SPDX-License-Identifier: BSD-2-Clause
/* What runs us, as it names itself in CPUID. */
#pragma once

#include <stddef.h>

/* "QEMU TCG"; the signature where we do not know it; "none that CPUID tells of". Any context. */
void hypervisor_name(char *out, size_t size);
