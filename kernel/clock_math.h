// SPDX-License-Identifier: BSD-2-Clause
/* The arithmetic of calibration and of TSC to nanoseconds. Pure; every input may be nonsense. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A reading of a reference counter between two of the TSC. */
struct clock_sample {
    uint64_t tsc_before, tsc_after;
    uint64_t count;
};

/* A counter of `bits` bits that runs at hz, up or down. */
struct clock_counter {
    uint64_t hz;
    unsigned bits;
    bool counts_down;
};

/* The tighter of two samples. */
struct clock_sample clock_tighter(struct clock_sample a, struct clock_sample b);

/* Counts from `a` to `b`, past at most one wrap. */
uint64_t clock_elapsed(const struct clock_counter *counter, uint64_t a, uint64_t b);

/* The TSC's rate in kHz between two samples; 0 when it cannot be right (nothing elapsed, or a rate
 * outside 1 MHz to 100 GHz). */
uint64_t clock_tsc_khz_of(const struct clock_counter *counter,
                          const struct clock_sample *a, const struct clock_sample *b);

/* `khz` when a TSC can have that rate, else 0. */
uint64_t clock_plausible_khz(uint64_t khz);

/* The same from CPUID 0x15: crystal Hz (ecx) times ebx over eax. 0 when a word is missing. */
uint64_t clock_khz_of_cpuid_15(uint32_t eax, uint32_t ebx, uint32_t ecx);

/* TSC to ns: ns = delta * mult >> 32. The error is below 1 ns a second up to 4 GHz. */
uint64_t clock_mult_of(uint64_t tsc_khz);
uint64_t clock_scale(uint64_t delta, uint64_t mult);
