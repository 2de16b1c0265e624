// SPDX-License-Identifier: BSD-2-Clause
/* kernel/clock_math.c: wraps, directions, nonsense, and that scaling keeps its promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/clock_math.h"

static const struct clock_counter pm24 = {.hz = 3579545, .bits = 24};
static const struct clock_counter pit = {.hz = 1193182, .bits = 16, .counts_down = true};

static struct clock_sample at(uint64_t tsc, uint64_t count)
{
    return (struct clock_sample){tsc, tsc, count};
}

static void counters_wrap_both_ways(void **state)
{
    const struct clock_counter wide = {.hz = 1, .bits = 64};

    (void)state;
    assert_int_equal(clock_elapsed(&pm24, 10, 25), 15);
    assert_int_equal(clock_elapsed(&pm24, 0xFFFFF0, 0x10), 0x20);
    assert_int_equal(clock_elapsed(&pit, 100, 40), 60);
    assert_int_equal(clock_elapsed(&pit, 0x10, 0xFFF0), 0x20);
    assert_int_equal(clock_elapsed(&wide, UINT64_MAX, 4), 5);
}

static void rate_is_exact(void **state)
{
    /* 2.7 GHz over 25 ms of the PM timer, past its wrap. */
    struct clock_sample a = at(1000, 0xFFFF00);
    struct clock_sample b = at(1000 + 67500000, (0xFFFF00 + 89488) & 0xFFFFFF);
    uint64_t khz = clock_tsc_khz_of(&pm24, &a, &b);

    (void)state;
    assert_in_range(khz, 2699980, 2700030);
}

static void middle_of_the_bracket_counts(void **state)
{
    const struct clock_counter second = {.hz = 1, .bits = 64};
    const struct clock_sample a = {0, 2000000, 0}, b = {1000000000, 1002000000, 1};

    (void)state;
    assert_int_equal(clock_tsc_khz_of(&second, &a, &b), 1000000);
}

static void nonsense_gives_zero(void **state)
{
    struct clock_sample a = at(1000, 50), same = at(2000, 50), before = at(500, 60);
    struct clock_sample slow = at(1010, 1000000), fast = at(UINT64_MAX / 2, 51);
    struct clock_sample huge = at(UINT64_MAX, 51);
    static const uint64_t odd[] = {0, 0x21F, 999, UINT32_MAX, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        assert_int_equal(clock_plausible_khz(odd[i]), 0);
    assert_int_equal(clock_plausible_khz(2700000), 2700000);
    assert_int_equal(clock_tsc_khz_of(&pm24, &a, &same), 0);
    assert_int_equal(clock_tsc_khz_of(&pm24, &a, &before), 0);
    assert_int_equal(clock_tsc_khz_of(&pm24, &a, &slow), 0);
    assert_int_equal(clock_tsc_khz_of(&pm24, &a, &fast), 0);
    assert_int_equal(clock_tsc_khz_of(&pm24, &a, &huge), 0);
}

static void tighter_sample_wins(void **state)
{
    const struct clock_sample wide = {100, 900, 1}, tight = {1000, 1010, 2};

    (void)state;
    assert_int_equal(clock_tighter(wide, tight).count, 2);
    assert_int_equal(clock_tighter(tight, wide).count, 2);
}

static void leaf_15_needs_all_its_words(void **state)
{
    (void)state;
    assert_int_equal(clock_khz_of_cpuid_15(2, 200, 24000000), 2400000);
    assert_int_equal(clock_khz_of_cpuid_15(0, 200, 24000000), 0);
    assert_int_equal(clock_khz_of_cpuid_15(2, 0, 24000000), 0);
    assert_int_equal(clock_khz_of_cpuid_15(2, 200, 0), 0);
    assert_int_equal(clock_khz_of_cpuid_15(1, UINT32_MAX, UINT32_MAX), 0);
}

/* A day at every rate stays within 1 ns a second, and never goes back. */
static void scaling_is_precise_and_monotonic(void **state)
{
    static const uint64_t rates[] = {1000, 999999, 2700017, 4999999, 100000000};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint64_t mult = clock_mult_of(rates[i]), last = 0;

        for (uint64_t s = 1; s <= 86400; s *= 3) {
            uint64_t ns = clock_scale(rates[i] * 1000 * s, mult);
            uint64_t exact = s * 1000000000;
            uint64_t error = exact > ns ? exact - ns : ns - exact;

            /* mult has 32 fractional bits: half a unit per tick */
            assert_true(error <= 1 + (rates[i] * 1000 * s >> 32));
            assert_true(ns > last);
            last = ns;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_wrap_both_ways),
        cmocka_unit_test(rate_is_exact),
        cmocka_unit_test(middle_of_the_bracket_counts),
        cmocka_unit_test(nonsense_gives_zero),
        cmocka_unit_test(tighter_sample_wins),
        cmocka_unit_test(leaf_15_needs_all_its_words),
        cmocka_unit_test(scaling_is_precise_and_monotonic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
