// SPDX-License-Identifier: BSD-2-Clause
/*
 * The monitor's lines, on port 0xE9 (-debugcon). They have the form of the guest's events:
 * `@ t=<ns> vmhost=<what> key=value …`, so that the same parser reads them. README.md lists them.
 */
#pragma once

#include <stdint.h>

/* Measure the TSC against the PIT. Before it t is 0. */
void log_start_clock(void);

/* Ticks of the TSC a millisecond, which is kHz. */
uint64_t log_tsc_khz(void);

/* Nanoseconds since log_start_clock(). */
uint64_t log_now_ns(void);

/* One line. Conversions: %s, %u, %x, %lu, %lx. */
__attribute__((format(printf, 1, 2))) void log_say(const char *fmt, ...);
