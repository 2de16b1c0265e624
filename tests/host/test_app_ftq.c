// SPDX-License-Identifier: BSD-2-Clause
/* apps/ftq: units and quanta on a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apps/ftq/ftq.h"

#define QUANTUM 1000

static struct ftq ftq;
static struct ftq_tally tally, total;
static uint64_t now;

static int start(void **state)
{
    (void)state;
    now = 5000;
    ftq_start(&ftq, now, QUANTUM);
    tally = (struct ftq_tally){0};
    total = (struct ftq_tally){0};
    return 0;
}

static void units(int count, uint64_t ns_each)
{
    for (int i = 0; i < count; i++) {
        now += ns_each;
        ftq_unit_done(&ftq, now, &tally);
    }
}

static void nothing_lost(void **state)
{
    (void)state;
    units(100, 100); /* ten quanta of ten */
    assert_int_equal(tally.counts.count, 10);
    assert_int_equal(tally.units, 100);
    assert_int_equal(ftq.best, 10);
    assert_int_equal(ftq_lost_share(&ftq, &tally), 0);
    assert_int_equal(tally.lost.max, 0);
}

static void a_slow_quantum(void **state)
{
    (void)state;
    units(10, 100);
    units(5, 200); /* half as many */
    assert_int_equal(tally.counts.count, 2);
    assert_int_equal(tally.counts.min, 5);
    assert_int_equal(ftq_lost_share(&ftq, &tally), 2500);
    assert_int_equal(tally.lost.max, QUANTUM / 2);
}

static void quanta_without_a_unit_are_lost(void **state)
{
    (void)state;
    units(10, 100);
    units(1, 3000); /* begins a quantum, comes back three later */
    assert_int_equal(tally.counts.count, 4);
    assert_int_equal(tally.units, 11);
    assert_int_equal(tally.counts.min, 0);
    assert_int_equal(tally.lost.max, QUANTUM);
    assert_int_equal(ftq_lost_share(&ftq, &tally), 7250); /* 29 of 40 */
}

static void a_unit_counts_where_it_began(void **state)
{
    (void)state;
    units(3, 400); /* the third ends in the second quantum */
    assert_int_equal(tally.counts.count, 1);
    assert_int_equal(tally.units, 3);
}

static void the_measure_is_the_best_so_far(void **state)
{
    (void)state;
    units(5, 200);
    assert_int_equal(ftq_lost_share(&ftq, &tally), 0);
    units(10, 100); /* now it turns out that the first lost half */
    assert_int_equal(ftq_lost_share(&ftq, &tally), 2500);
}

static void merging(void **state)
{
    (void)state;
    units(10, 100);
    ftq_tally_merge(&total, &tally);
    tally = (struct ftq_tally){0};
    units(5, 200);
    ftq_tally_merge(&total, &tally);
    assert_int_equal(total.units, 15);
    assert_int_equal(total.counts.count, 2);
    assert_int_equal(total.lost.count, 2);
    assert_int_equal(ftq_lost_share(&ftq, &total), 2500);
}

static void nothing_yet(void **state)
{
    (void)state;
    assert_int_equal(ftq_lost_share(&ftq, &tally), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_lost, start),
        cmocka_unit_test_setup(a_slow_quantum, start),
        cmocka_unit_test_setup(quanta_without_a_unit_are_lost, start),
        cmocka_unit_test_setup(a_unit_counts_where_it_began, start),
        cmocka_unit_test_setup(the_measure_is_the_best_so_far, start),
        cmocka_unit_test_setup(merging, start),
        cmocka_unit_test_setup(nothing_yet, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
