// SPDX-License-Identifier: BSD-2-Clause
/*
 * lib/workload/rng.c against its published sequence; zipf.c against the law it draws from.
 *
 * TEST_SEED=n chooses the draws.
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

#include "workload/rng.h"
#include "workload/zipf.h"

#define DRAWS 200000

static uint64_t seed(void)
{
    const char *text = getenv("TEST_SEED");
    uint64_t value = text ? strtoull(text, NULL, 0) : 20260101;

    printf("TEST_SEED=%lu\n", value);
    return value;
}

static void splitmix64_as_published(void **state)
{
    const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u,
                                 9817491932198370423u, 4593380528125082431u,
                                 16408922859458223821u};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1234567);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(rng_next(&rng) == expected[i]);
}

static void below_reaches_all_and_no_more(void **state)
{
    struct rng rng;
    unsigned seen[7] = {0};

    (void)state;
    rng_seed(&rng, seed());
    for (int i = 0; i < 7000; i++) {
        uint64_t value = rng_below(&rng, 7);

        assert_true(value < 7);
        seen[value]++;
    }
    for (int i = 0; i < 7; i++) /* 1000 each; the standard deviation is 29 */
        assert_in_range(seen[i], 800, 1200);
    assert_true(rng_below(&rng, 1) == 0);
}

static void unit_is_even_and_below_one(void **state)
{
    struct rng rng;
    double sum = 0;

    (void)state;
    rng_seed(&rng, seed());
    for (int i = 0; i < DRAWS; i++) {
        double value = rng_unit(&rng);

        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 0.005);
}

static double weight(uint64_t rank, double theta)
{
    return pow((double)rank + 1, -theta);
}

/* Each of the first ranks, and all others together, as often as the law says: within 5 standard
 * deviations. */
static void check_law(uint64_t n, double theta)
{
    enum { FIRST = 20 };
    uint64_t seen[FIRST + 1] = {0};
    double total = 0, rest = 1;
    struct rng rng;
    struct zipf zipf;

    rng_seed(&rng, seed() + n);
    zipf_init(&zipf, n, theta);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t rank = zipf_next(&zipf, &rng);

        assert_true(rank < n);
        seen[rank < FIRST ? rank : FIRST]++;
    }
    for (uint64_t rank = 0; rank < n; rank++)
        total += weight(rank, theta);
    for (uint64_t rank = 0; rank <= FIRST && rank < n; rank++) {
        double share = rank < FIRST ? weight(rank, theta) / total : rest;
        double expected = share * DRAWS;

        if (fabs((double)seen[rank] - expected) > 5 * sqrt(expected * (1 - share)) + 1)
            fail_msg("n %lu theta %g rank %lu: %lu, expected %g", n, theta, rank,
                     seen[rank], expected);
        rest -= share;
    }
}

static void zipf_follows_its_law(void **state)
{
    const double thetas[] = {0, 0.3, 0.99, 1, 1.0000001, 1.5, 3};
    const uint64_t counts[] = {1, 2, 3, 17, 1000, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof(thetas) / sizeof(thetas[0]); i++)
        for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
            check_law(counts[k], thetas[i]);
}

static void zipf_stays_in_range_at_the_extremes(void **state)
{
    const double thetas[] = {0, 1, 10};
    struct rng rng;
    struct zipf zipf;

    (void)state;
    rng_seed(&rng, seed());
    for (size_t i = 0; i < sizeof(thetas) / sizeof(thetas[0]); i++) {
        zipf_init(&zipf, UINT64_C(1) << 40, thetas[i]);
        for (int k = 0; k < 10000; k++)
            assert_true(zipf_next(&zipf, &rng) < UINT64_C(1) << 40);
    }
}

static void the_same_seed_gives_the_same_draws(void **state)
{
    struct rng one, two;
    struct zipf zipf;

    (void)state;
    rng_seed(&one, 5);
    rng_seed(&two, 5);
    zipf_init(&zipf, 1000, 0.99);
    for (int i = 0; i < 1000; i++)
        assert_true(zipf_next(&zipf, &one) == zipf_next(&zipf, &two));
}

static void scatter_is_one_to_one_and_apart(void **state)
{
    const uint64_t counts[] = {1, 2, 1000, 4096, 65536, 99991};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint64_t n = counts[i];
        char *taken = calloc(n, 1);

        for (uint64_t rank = 0; rank < n; rank++) {
            uint64_t place = zipf_scatter(rank, n);

            assert_true(place < n);
            assert_int_equal(taken[place]++, 0);
        }
        free(taken);
    }
    /* The three most popular of 64 Ki pages are in different blocks of 512. */
    assert_true(zipf_scatter(1, 65536) / 512 != zipf_scatter(0, 65536) / 512);
    assert_true(zipf_scatter(2, 65536) / 512 != zipf_scatter(1, 65536) / 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix64_as_published),
        cmocka_unit_test(below_reaches_all_and_no_more),
        cmocka_unit_test(unit_is_even_and_below_one),
        cmocka_unit_test(zipf_follows_its_law),
        cmocka_unit_test(zipf_stays_in_range_at_the_extremes),
        cmocka_unit_test(the_same_seed_gives_the_same_draws),
        cmocka_unit_test(scatter_is_one_to_one_and_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
