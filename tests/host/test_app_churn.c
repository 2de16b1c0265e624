// SPDX-License-Identifier: BSD-2-Clause
/*
 * apps/churn: distributions of sizes and lifetimes, the order of deaths, contents of objects.
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

#include "apps/churn/objects.h"
#include "apps/churn/sizes.h"
#include "base/units.h"

#define DRAWS 100000

static struct rng rng;

static int start(void **state)
{
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20260101;

    (void)state;
    printf("TEST_SEED=%lu\n", seed);
    rng_seed(&rng, seed);
    return 0;
}

static void sizes_as_written(void **state)
{
    const char *const bad[] = {
        "",           "fixed",       "fixed:",      "fixed:0",        "fixed:1-2",
        "uniform:5",  "uniform:9-5", "log:64-1M-2", "log:64-2G",      "log:64-50%",
        "pareto:1-2", "log:-5-6",    "uniform:-2",  "fixed:1000 000", "log:0-5"};
    struct churn_sizes sizes;

    (void)state;
    assert_true(churn_sizes_parse("fixed:4K", &sizes));
    assert_true(sizes.shape == CHURN_FIXED && sizes.min == 4096 && sizes.max == 4096);
    assert_true(churn_sizes_parse("uniform:1-100", &sizes));
    assert_true(sizes.shape == CHURN_UNIFORM && sizes.min == 1 && sizes.max == 100);
    assert_true(churn_sizes_parse("log:64-1M", &sizes));
    assert_true(sizes.shape == CHURN_LOG && sizes.min == 64 && sizes.max == MIB);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (churn_sizes_parse(bad[i], &sizes))
            fail_msg("\"%s\" is no distribution", bad[i]);
}

static void sizes_keep_bounds_and_mean(void **state)
{
    const char *const texts[] = {"fixed:100", "uniform:1-3", "uniform:64-4K", "log:64-1M",
                                 "log:7-7"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct churn_sizes sizes;
        double sum = 0;

        assert_true(churn_sizes_parse(texts[i], &sizes));
        for (int k = 0; k < DRAWS; k++) {
            uint64_t size = churn_sizes_draw(&sizes, &rng);

            assert_in_range(size, sizes.min, sizes.max);
            sum += (double)size;
        }
        double mean = churn_sizes_mean(&sizes);

        assert_true(fabs(sum / DRAWS - mean) <= 0.03 * mean);
    }
}

static void each_power_of_two_is_as_likely(void **state)
{
    struct churn_sizes sizes = {CHURN_LOG, 64, MIB};
    unsigned seen[64] = {0};

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        seen[63 - __builtin_clzll(churn_sizes_draw(&sizes, &rng))]++;
    for (int bit = 6; bit < 20; bit++) /* 7143 each, standard deviation 81 */
        assert_in_range(seen[bit], 6700, 7600);
}

static void lifetimes_have_their_mean(void **state)
{
    (void)state;
    for (unsigned life = CHURN_EXPONENTIAL; life <= CHURN_FIFO; life++) {
        double sum = 0, longest = 0;

        for (int i = 0; i < DRAWS; i++) {
            double value = churn_life_draw(life, 100, &rng);

            assert_true(value >= 0 && value < INFINITY);
            sum += value;
            longest = fmax(longest, value);
        }
        assert_true(fabs(sum / DRAWS - 100) < 2);
        if (life == CHURN_SPREAD)
            assert_true(longest <= 200);
        if (life == CHURN_EXPONENTIAL)
            assert_true(longest > 500);
        if (life == CHURN_FIFO)
            assert_true(longest == 100);
    }
}

static void add(struct churn_objects *objects, size_t bytes, double death)
{
    static uint64_t number;
    struct churn_object object = {malloc(bytes), bytes, number++, death};

    assert_true(churn_add(objects, object));
}

static void the_earliest_death_is_next(void **state)
{
    struct churn_objects objects = {.seed = 1};
    double last = 0;
    size_t good;

    (void)state;
    assert_null(churn_next(&objects));
    for (int i = 0; i < 1000; i++)
        add(&objects, 1 + rng_below(&rng, 100), (double)rng_below(&rng, 500));
    for (int i = 0; i < 5000; i++) { /* in turn, so that the heap is stirred */
        struct churn_object object = churn_remove(&objects, &good);

        assert_true(object.death >= last);
        assert_int_equal(good, object.bytes);
        last = object.death;
        free(object.start);
        if (i % 5 != 4)
            add(&objects, 1 + rng_below(&rng, 100), last + (double)rng_below(&rng, 500));
    }
    assert_int_equal(objects.count, 0);
    assert_int_equal(objects.live_bytes, 0);
    free(objects.heap);
}

static void live_bytes_count_entries_too(void **state)
{
    struct churn_objects objects = {.seed = 1};
    size_t good;

    (void)state;
    add(&objects, 1000, 1);
    add(&objects, 24, 2);
    assert_int_equal(objects.live_bytes, 1024 + 2 * sizeof(struct churn_object));
    free(churn_remove(&objects, &good).start);
    assert_int_equal(objects.live_bytes, churn_cost(24));
    free(churn_remove(&objects, &good).start);
    free(objects.heap);
}

static void a_damaged_object_is_found(void **state)
{
    struct churn_objects objects = {.seed = 1};
    size_t good;

    (void)state;
    add(&objects, 1001, 1);
    ((char *)churn_next(&objects)->start)[1000] ^= 1;
    free(churn_remove(&objects, &good).start);
    assert_int_equal(good, 1000);
    free(objects.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sizes_as_written, start),
        cmocka_unit_test_setup(sizes_keep_bounds_and_mean, start),
        cmocka_unit_test_setup(each_power_of_two_is_as_likely, start),
        cmocka_unit_test_setup(lifetimes_have_their_mean, start),
        cmocka_unit_test_setup(the_earliest_death_is_next, start),
        cmocka_unit_test_setup(live_bytes_count_entries_too, start),
        cmocka_unit_test_setup(a_damaged_object_is_found, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
