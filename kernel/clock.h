// SPDX-License-Identifier: BSD-2-Clause
/* Monotonic time from the TSC, calibrated at boot against the best source the machine has. */
#pragma once

#include <stdint.h>

/* Calibrate. Logs source and kHz. Boot context, after ACPI tables and interrupts controllers are known. */
void clock_init(void);

/* Nanoseconds since kernel entry. Any context, NMI included; 0 before clock_init(). */
uint64_t clock_ns(void);

/* TSC ticks as time. */
uint64_t clock_ns_of(uint64_t tsc);

uint64_t clock_tsc_khz(void);
const char *clock_source(void);

/* After a sleep that began when the TSC was `tsc`: where it was set back meanwhile, time goes on from there;
 * where it went on, the sleep counts. Interrupts off. */
void clock_resume(uint64_t tsc);
