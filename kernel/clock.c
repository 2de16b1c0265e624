// SPDX-License-Identifier: BSD-2-Clause
/* Monotonic time. */
#include "kernel/clock.h"

uint64_t clock_ns(void)
{
    return 0;
}
