// SPDX-License-Identifier: BSD-2-Clause
/* Whether the memory of this guest is encrypted against its host. */
#pragma once

#include <stdbool.h>

/* AMD SEV that is switched on, or Intel TDX. Any context. */
bool cpu_is_confidential(void);
