// SPDX-License-Identifier: BSD-2-Clause
/* What the TSC can be calibrated against, best first. Boot context. */
#pragma once

#include "kernel/clock_math.h"

enum clock_source_id {
    CLOCK_PM_TIMER,
    CLOCK_HPET,
    CLOCK_PIT,   /* channel 0, read by latch: channel 2 is missing on microvm */
    CLOCK_LAPIC, /* only under TCG, whose LAPIC timer counts at 1 GHz */
    CLOCK_SOURCE_COUNT,
};

struct clock_source {
    const char *name;
    struct clock_counter counter;
    uint64_t (*read)(void);
};

/* Set a counter going. False when the machine has none. */
bool clock_source_open(enum clock_source_id id, struct clock_source *out);

/* What the CPU or the hypervisor says by itself (0x40000010, 0x15); 0 when they say nothing. */
uint64_t clock_khz_from_cpuid(const char **name);

/* Between two seconds of the RTC: exact, takes 1 to 2 seconds, the last resort. 0 without an RTC. */
uint64_t clock_khz_from_rtc(const char **name);
