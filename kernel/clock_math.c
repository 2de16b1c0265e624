// SPDX-License-Identifier: BSD-2-Clause
/* Calibration arithmetic. 128-bit products, so that no input overflows. */
#include "kernel/clock_math.h"

#define KHZ_MIN UINT64_C(1000)
#define KHZ_MAX UINT64_C(100000000)

__extension__ typedef unsigned __int128 u128;

uint64_t clock_plausible_khz(uint64_t khz)
{
    return khz >= KHZ_MIN && khz <= KHZ_MAX ? khz : 0;
}

struct clock_sample clock_tighter(struct clock_sample a, struct clock_sample b)
{
    return b.tsc_after - b.tsc_before < a.tsc_after - a.tsc_before ? b : a;
}

uint64_t clock_elapsed(const struct clock_counter *counter, uint64_t a, uint64_t b)
{
    uint64_t mask = counter->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << counter->bits) - 1;

    return (counter->counts_down ? a - b : b - a) & mask;
}

/* x * y / z, z != 0; 0 when it does not fit in 64 bits. By shifts: a 128-bit division would need a
 * library. */
static uint64_t mul_div(uint64_t x, uint64_t y, uint64_t z)
{
    u128 rest = (u128)x * y;
    uint64_t quotient = 0;

    for (int shift = 63; shift >= 0; shift--) {
        if (rest >> shift >= z) {
            rest -= (u128)z << shift;
            quotient |= UINT64_C(1) << shift;
        }
    }
    return rest < z ? quotient : 0;
}

uint64_t clock_tsc_khz_of(const struct clock_counter *counter,
                          const struct clock_sample *a, const struct clock_sample *b)
{
    uint64_t counts = clock_elapsed(counter, a->count, b->count);
    uint64_t start = a->tsc_before + (a->tsc_after - a->tsc_before) / 2;
    uint64_t end = b->tsc_before + (b->tsc_after - b->tsc_before) / 2;

    if (counts == 0 || end <= start)
        return 0;
    /* ticks / (counts / hz) / 1000 */
    return clock_plausible_khz(mul_div(end - start, counter->hz, counts) / 1000);
}

uint64_t clock_khz_of_cpuid_15(uint32_t eax, uint32_t ebx, uint32_t ecx)
{
    if (eax == 0 || ebx == 0 || ecx == 0)
        return 0;
    return clock_plausible_khz(mul_div(ecx, ebx, eax) / 1000);
}

uint64_t clock_mult_of(uint64_t tsc_khz)
{
    return (UINT64_C(1000000) << 32) / tsc_khz;
}

uint64_t clock_scale(uint64_t delta, uint64_t mult)
{
    return (uint64_t)((u128)delta * mult >> 32);
}
