// SPDX-License-Identifier: BSD-2-Clause
/* The CPU's name for itself. */
#pragma once

#define CPU_BRAND_BYTES 49

/* Without padding and quotes; "unknown" when it has none. Any context. */
void cpu_brand(char out[CPU_BRAND_BYTES]);
