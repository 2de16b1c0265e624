// SPDX-License-Identifier: BSD-2-Clause
/* lib/newlib/compiler.c: linked before the compiler's own library, it serves here as it does in an app. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "lib/newlib/compiler.h"

static uint64_t random_state;

static uint64_t random_word(void)
{
    random_state =
        random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state ^ random_state >> 29;
}

/* Of all lengths alike. */
static uint128 random_number(void)
{
    uint128 number = (uint128)random_word() << 64 | random_word();

    return number >> random_word() % 128;
}

static void bits_are_counted(void **state)
{
    (void)state;
    assert_int_equal(__popcountdi2(0), 0);
    assert_int_equal(__popcountdi2(UINT64_MAX), 64);
    for (int i = 0; i < 1000; i++) {
        uint64_t word = random_word();
        int count = 0;

        for (int bit = 0; bit < 64; bit++)
            count += (int)(word >> bit & 1);
        assert_int_equal(__popcountdi2(word), count);
    }
}

static void long_division_is_the_inverse_of_multiplication(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint128 a = random_number(), b = random_number() | 1, rest;
        uint128 quotient = __udivmodti4(a, b, &rest);

        assert_true(quotient * b + rest == a && rest < b && quotient <= a);
        assert_true(__udivti3(a, b) == quotient && __umodti3(a, b) == rest);
    }
    assert_true(__udivti3(~(uint128)0, 1) == ~(uint128)0);
    assert_true(__udivti3(~(uint128)0, ~(uint128)0) == 1);
    assert_true(__udivti3(0, (uint128)1 << 127) == 0);
}

static void signs_go_with_the_dividend(void **state)
{
    int128 lowest = (int128)((uint128)1 << 127);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int128 a = (int128)(random_number() >> 1), b = (int128)(random_number() >> 1 | 1);
        int128 quotient = __divti3(a, b), rest = __modti3(a, b);

        assert_true(quotient * b + rest == a && rest >= 0 && rest < b);
        assert_true(__divti3(-a, b) == -quotient && __modti3(-a, b) == -rest);
        assert_true(__divti3(a, -b) == -quotient && __modti3(a, -b) == rest);
        assert_true(__divti3(-a, -b) == quotient && __modti3(-a, -b) == -rest);
    }
    assert_true(__divti3(lowest, 2) == lowest / 2 && __divti3(lowest, 1) == lowest);
}

static void expect_complex(double complex number, double real, double imaginary)
{
    assert_true(fabs(creal(number) - real) <= 1e-12 * fabs(real));
    assert_true(fabs(cimag(number) - imaginary) <= 1e-12 * fabs(imaginary));
}

static void complex_numbers(void **state)
{
    (void)state;
    expect_complex(__muldc3(1, 2, 3, -4), 11, 2);
    expect_complex(__divdc3(11, 2, 3, -4), 1, 2);
    expect_complex(__divdc3(1e300, 2e300, 3e300, -4e300), -0.2,
                   0.4); /* their squares are not */
    expect_complex(__divdc3(1e-300, 2e-300, 3e-300, -4e-300), -0.2, 0.4);
    assert_true(crealf(__divsc3(6, 4, 2, 0)) == 3 && cimagf(__divsc3(6, 4, 2, 0)) == 2);
    assert_true(!isfinite(creal(__divdc3(1, 0, 0, 0))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_counted),
        cmocka_unit_test(long_division_is_the_inverse_of_multiplication),
        cmocka_unit_test(signs_go_with_the_dividend),
        cmocka_unit_test(complex_numbers),
    };
    const char *seed = getenv("TEST_SEED");

    random_state = seed ? strtoull(seed, NULL, 0) : 1;
    printf("TEST_SEED=%llu\n", (unsigned long long)random_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
