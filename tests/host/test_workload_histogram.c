// SPDX-License-Identifier: BSD-2-Clause
/*
 * lib/workload/histogram.c: percentiles against the sorted values, at all scales.
 *
 * TEST_SEED=n chooses the values.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workload/histogram.h"
#include "workload/rng.h"

#define VALUES 5000

static struct histogram histogram, other;

static int start(void **state)
{
    (void)state;
    histogram_clear(&histogram);
    histogram_clear(&other);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The smallest of the sorted values that `percent` of them do not exceed. */
static uint64_t exact(const uint64_t *sorted, size_t count, double percent)
{
    size_t rank = (size_t)ceil((double)count * percent / 100);

    return sorted[rank ? rank - 1 : 0];
}

static void percentiles_of_random_values(void **state)
{
    const double percents[] = {0, 1, 10, 50, 90, 99, 99.9, 100};
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20260101;
    static uint64_t values[VALUES];
    struct rng rng;

    (void)state;
    printf("TEST_SEED=%lu\n", seed);
    rng_seed(&rng, seed);
    for (unsigned bits = 1; bits <= 41; bits++) {
        histogram_clear(&histogram);
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = rng_next(&rng) >> (64 - bits) >> rng_below(&rng, bits);
            histogram_add(&histogram, values[i]);
        }
        qsort(values, VALUES, sizeof(values[0]), by_value);
        for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
            uint64_t want = exact(values, VALUES, percents[i]);
            uint64_t got = histogram_percentile(&histogram, percents[i]);

            assert_true(got >= want);
            assert_true(got - want <= want / 16);
        }
        assert_true(histogram.min == values[0] && histogram.max == values[VALUES - 1]);
    }
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 32; value++) {
        histogram_clear(&histogram);
        histogram_add(&histogram, value);
        histogram_add(&histogram, 1000);
        assert_int_equal(histogram_percentile(&histogram, 50), value);
    }
}

static void an_empty_one_is_all_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    histogram_print(&histogram, "ns");
}

static void huge_values_share_the_last_bucket(void **state)
{
    (void)state;
    histogram_add(&histogram, 1);
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, UINT64_C(1) << 50);
    assert_int_equal(histogram_percentile(&histogram, 30), 1);
    assert_true(histogram_percentile(&histogram, 60) == UINT64_MAX);
}

static void merging_is_adding_all(void **state)
{
    static struct histogram both;

    (void)state;
    histogram_clear(&both);
    for (uint64_t value = 1; value < 100000; value = value * 3 + 1) {
        histogram_add(value % 2 ? &histogram : &other, value);
        histogram_add(&both, value);
    }
    histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &both, sizeof(both));
    histogram_clear(&other);
    histogram_merge(&histogram,
                    &other); /* empty: changes nothing, not even the minimum */
    assert_memory_equal(&histogram, &both, sizeof(both));
    histogram_merge(&other, &histogram);
    assert_memory_equal(&other, &both, sizeof(both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(percentiles_of_random_values, start),
        cmocka_unit_test_setup(small_values_are_exact, start),
        cmocka_unit_test_setup(an_empty_one_is_all_zero, start),
        cmocka_unit_test_setup(huge_values_share_the_last_bucket, start),
        cmocka_unit_test_setup(merging_is_adding_all, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
