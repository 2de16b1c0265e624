// SPDX-License-Identifier: BSD-2-Clause
/* apps/hello: pi by throwing darts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apps/hello/pi.h"

#define PI     3.14159265358979
#define POINTS 1000000

static void estimates_by_the_share(void **state)
{
    (void)state;
    assert_true(pi_estimate(0, 0) == 0);
    assert_true(pi_estimate(0, 10) == 0);
    assert_true(pi_estimate(3, 4) == 3);
    assert_true(pi_estimate(10, 10) == 4);
}

/* Five standard deviations of that many points are 0.0082. */
static void comes_close_with_any_seed(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        double error = pi_estimate(pi_throw(POINTS, seed), POINTS) - PI;

        assert_true(error < 0.0082 && error > -0.0082);
    }
}

static void a_seed_repeats_and_another_differs(void **state)
{
    (void)state;
    assert_int_equal(pi_throw(0, 1), 0);
    assert_int_equal(pi_throw(POINTS, 1), pi_throw(POINTS, 1));
    assert_int_not_equal(pi_throw(POINTS, 1), pi_throw(POINTS, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_by_the_share),
        cmocka_unit_test(comes_close_with_any_seed),
        cmocka_unit_test(a_seed_repeats_and_another_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
