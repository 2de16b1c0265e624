// SPDX-License-Identifier: BSD-2-Clause
/* mm/pressure.c: watermarks, levels at their borders, averages against floating point, long silences, the
 * line of text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/units.h"
#include "mm/pressure.h"
#include "tests/model/seams.h"

static const double windows[PRESSURE_WINDOWS] = {10, 60, 300};

static struct pressure machine(uint64_t total_bytes, uint64_t reserve_bytes)
{
    struct pressure p;

    pressure_init(&p, total_bytes, reserve_bytes, 0);
    return p;
}

static void watermarks_follow_the_machine(void **state)
{
    static const struct {
        uint64_t total, reserve, min, low, high;
    } machines[] = {
        {8 * MIB, MIB, 512 * KIB, MIB, 2 * MIB},
        {4 * MIB, 0, 256 * KIB, 512 * KIB, MIB}, /* min: a sixteenth */
        {256 * MIB, 4 * MIB, 512 * KIB, 4 * MIB, 8 * MIB},
        {256 * MIB, 0, 512 * KIB, MIB, 2 * MIB},
        {64 * GIB, 4 * MIB, 8 * MIB, 16 * MIB, 32 * MIB},        /* min: total / 8192 */
        {256 * MIB, 100 * MIB, 512 * KIB, 100 * MIB, 128 * MIB}, /* high: half */
        {256 * MIB, 200 * MIB, 512 * KIB, 200 * MIB, 200 * MIB}, /* ... or low */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        struct pressure p = machine(machines[i].total, machines[i].reserve);

        assert_int_equal(p.min_bytes, machines[i].min);
        assert_int_equal(p.low_bytes, machines[i].low);
        assert_int_equal(p.high_bytes, machines[i].high);
    }
}

static void levels_change_at_their_borders(void **state)
{
    /* min 512 KiB, low 4 MiB, high 8 MiB; half-way from min to low is 2304 KiB. */
    struct pressure p = machine(256 * MIB, 4 * MIB);

    (void)state;
    assert_int_equal(pressure_level_of(&p, UINT64_MAX), PRESSURE_NONE);
    assert_int_equal(pressure_level_of(&p, 8 * MIB), PRESSURE_NONE);
    assert_int_equal(pressure_level_of(&p, 8 * MIB - 1), PRESSURE_LOW);
    assert_int_equal(pressure_level_of(&p, 4 * MIB), PRESSURE_LOW);
    assert_int_equal(pressure_level_of(&p, 4 * MIB - 1), PRESSURE_MEDIUM);
    assert_int_equal(pressure_level_of(&p, 2304 * KIB + 1), PRESSURE_MEDIUM);
    assert_int_equal(pressure_level_of(&p, 2304 * KIB), PRESSURE_CRITICAL);
    assert_int_equal(pressure_level_of(&p, 0), PRESSURE_CRITICAL);
}

static void the_smallest_machine_has_all_levels(void **state)
{
    struct pressure p = machine(8 * MIB, MIB);

    (void)state;
    assert_int_equal(pressure_level_of(&p, 2 * MIB), PRESSURE_NONE);
    assert_int_equal(pressure_level_of(&p, 2 * MIB - 1), PRESSURE_LOW);
    assert_int_equal(pressure_level_of(&p, MIB - 1), PRESSURE_MEDIUM);
    assert_int_equal(pressure_level_of(&p, 768 * KIB), PRESSURE_CRITICAL);
    /* ... and comes back from the worst to the best. */
    assert_true(pressure_update(&p, 0, 1));
    assert_true(pressure_update(&p, 7 * MIB, 2));
    assert_int_equal(p.level, PRESSURE_NONE);
}

static void expect_update(struct pressure *p, uint64_t available_bytes,
                          enum pressure_level level)
{
    uint64_t changes = p->level_changes;
    bool is_other = p->level != level;

    assert_int_equal(pressure_update(p, available_bytes, p->seen_ns + 1), is_other);
    assert_int_equal(p->level, level);
    assert_int_equal(p->level_changes, changes + is_other);
}

static void relief_needs_a_margin(void **state)
{
    struct pressure p = machine(256 * MIB, 4 * MIB);
    uint64_t margin = 256 * KIB; /* min / 2 */

    (void)state;
    expect_update(&p, 9 * MIB, PRESSURE_NONE);
    expect_update(&p, 8 * MIB - 1, PRESSURE_LOW);
    for (unsigned i = 0; i < 100; i++) { /* does not flap */
        expect_update(&p, 8 * MIB, PRESSURE_LOW);
        expect_update(&p, 8 * MIB - FRAME_SIZE, PRESSURE_LOW);
    }
    expect_update(&p, 8 * MIB + margin - 1, PRESSURE_LOW);
    expect_update(&p, 8 * MIB + margin, PRESSURE_NONE);

    expect_update(&p, 0, PRESSURE_CRITICAL);
    expect_update(&p, 2304 * KIB + margin, PRESSURE_CRITICAL);
    expect_update(&p, 2304 * KIB + margin + 1, PRESSURE_MEDIUM);
    expect_update(&p, 4 * MIB + margin - 1, PRESSURE_MEDIUM);
    expect_update(&p, 4 * MIB + margin, PRESSURE_LOW);
    expect_update(&p, 4 * MIB, PRESSURE_LOW); /* no margin on the way down */
    expect_update(&p, 4 * MIB - 1, PRESSURE_MEDIUM);
    /* In the margin of a better level, but past that of one between. */
    expect_update(&p, 8 * MIB + margin - 1, PRESSURE_LOW);
    expect_update(&p, 0, PRESSURE_CRITICAL);
    expect_update(&p, UINT64_MAX, PRESSURE_NONE);
}

static void relief_never_makes_it_worse(void **state)
{
    /* A large reserve: from low to high it is less than the margin. */
    struct pressure p = machine(256 * MIB, 128 * MIB - 100 * KIB);

    (void)state;
    expect_update(&p, p.low_bytes, PRESSURE_LOW);
    expect_update(&p, p.high_bytes, PRESSURE_LOW);
    expect_update(&p, p.high_bytes + 256 * KIB, PRESSURE_NONE);
}

static void stalls_are_counted_and_timed(void **state)
{
    struct pressure p = machine(256 * MIB, 0);

    (void)state;
    pressure_stall_begin(&p, 100);
    pressure_stall_end(&p, 350);
    pressure_stall_begin(&p, 1000);
    assert_int_equal(p.stalls, 2);
    assert_int_equal(p.stall_ns, 250);
    pressure_advance(&p, 1500); /* in progress */
    assert_int_equal(p.stall_ns, 750);
    pressure_stall_end(&p, 5 * NS_PER_S);
    assert_int_equal(p.stall_ns, 250 + 5 * NS_PER_S - 1000);
    pressure_advance(&p, 100 * NS_PER_S);
    assert_int_equal(p.stall_ns, 250 + 5 * NS_PER_S - 1000);
}

static void mistakes_are_caught(void **state)
{
    struct pressure p = machine(256 * MIB, 0);

    (void)state;
    EXPECT_ASSERT(pressure_stall_end(&p, 10));
    pressure_stall_begin(&p, 10);
    EXPECT_ASSERT(pressure_stall_begin(&p, 20));
    EXPECT_ASSERT(pressure_advance(&p, 9));
}

/* exp(-2 s / window), by its series: no math library is linked here. */
static double decay_of(unsigned window)
{
    double sum = 1, term = 1;

    for (unsigned k = 1; k < 30; k++) {
        term *= -2 / windows[window] / k;
        sum += term;
    }
    return sum;
}

static bool is_near(double a, double b, double error)
{
    return a - b <= error && b - a <= error;
}

/* The same in floating point, period by period. */
struct reference {
    double averages[PRESSURE_WINDOWS];
};

static void reference_period(struct reference *r, double share)
{
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++) {
        double f = decay_of(i);

        r->averages[i] = r->averages[i] * f + share * (1 - f);
    }
}

static void expect_reference(const struct pressure *p, const struct reference *r)
{
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++) {
        double got = (double)p->averages[i] / (double)BIT64(31);
        double shown = pressure_average(p, (enum pressure_window)i);

        /* 0.02 percent of the value, or a hundredth of what the text can show. */
        assert_true(is_near(got, r->averages[i], 0.0002 * r->averages[i] + 1e-6));
        assert_true(is_near(shown, 10000 * r->averages[i], 0.52));
    }
}

/* A stall of share * 2 s in the middle of the period that begins at `start`. */
static void stall_period(struct pressure *p, uint64_t start, double share)
{
    uint64_t length = (uint64_t)(share * 2e9), from = start + (2 * NS_PER_S - length) / 2;

    pressure_stall_begin(p, from);
    pressure_stall_end(p, from + length);
    pressure_advance(p, start + 2 * NS_PER_S);
}

static void averages_equal_floating_point(void **state)
{
    static const double shares[] = {0.5, 1, 0, 0.001, 0.03, 0, 0, 0.25, 0.999, 0.1};
    struct pressure p = machine(256 * MIB, 0);
    struct reference r = {{0}};

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        double share = shares[i % ARRAY_LEN(shares)] * (i < 500 ? 1 : 0.1);

        stall_period(&p, i * 2 * NS_PER_S, share);
        reference_period(&r, share);
        expect_reference(&p, &r);
    }
}

static void one_period_alone_gives_the_constants(void **state)
{
    struct pressure p = machine(256 * MIB, 0);

    (void)state;
    pressure_stall_begin(&p, 0);
    pressure_advance(&p, 2 * NS_PER_S - 1);
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++)
        assert_int_equal(p.averages[i], 0); /* the period is not over */
    pressure_advance(&p, 2 * NS_PER_S);
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++) {
        double expected = 1 - decay_of(i);
        double got = (double)p.averages[i] / (double)BIT64(31);

        assert_true(is_near(got, expected, 1e-6 * expected));
    }
}

static void all_of_the_time_is_100_percent_and_silence_is_0(void **state)
{
    struct pressure p = machine(256 * MIB, 0);

    (void)state;
    pressure_stall_begin(&p, 0);
    pressure_advance(&p, 2 * NS_PER_S);
    assert_int_equal(pressure_average(&p, PRESSURE_10S), 1813);
    pressure_advance(&p, 8000 * NS_PER_S);
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++)
        assert_int_equal(pressure_average(&p, (enum pressure_window)i), 10000);
    pressure_stall_end(&p, 8000 * NS_PER_S);
    for (uint64_t s = 8002; s < 16000; s += 2)
        pressure_advance(&p, s * NS_PER_S);
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++)
        assert_int_equal(pressure_average(&p, (enum pressure_window)i), 0);
}

static void expect_equal(const struct pressure *a, const struct pressure *b)
{
    assert_int_equal(a->stall_ns, b->stall_ns);
    assert_int_equal(a->period_start_ns, b->period_start_ns);
    assert_int_equal(a->period_stall_ns, b->period_stall_ns);
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++) {
        int64_t difference = (int64_t)(a->averages[i] - b->averages[i]);

        assert_true(llabs(difference) < 2000); /* of 2^31: a millionth */
    }
}

/* Two of the same, one told of every few ms or s, the other of the last moment only. */
static void a_jump_equals_steps(bool is_stalled)
{
    static const uint64_t jumps_ms[] = {1,    1999,  2000,   2001,   3999,
                                        4000, 17777, 120000, 999999, 20000000};

    for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
        struct pressure steps = machine(256 * MIB, 0), jump;
        uint64_t start = 3700 * NS_PER_MS, end = start + jumps_ms[i] * NS_PER_MS;

        stall_period(&steps, 0, 0.7);
        pressure_stall_begin(&steps, 3000 * NS_PER_MS);
        pressure_advance(&steps, start);
        if (!is_stalled)
            pressure_stall_end(&steps, start);
        jump = steps;
        for (uint64_t t = start; t < end; t += 333 * NS_PER_MS)
            pressure_advance(&steps, t);
        pressure_advance(&steps, end);
        pressure_advance(&jump, end);
        expect_equal(&steps, &jump);
    }
}

static void a_jump_in_silence_equals_steps(void **state)
{
    (void)state;
    a_jump_equals_steps(false);
}

static void a_jump_in_a_stall_equals_steps(void **state)
{
    (void)state;
    a_jump_equals_steps(true);
}

static void the_largest_times_do_not_overflow(void **state)
{
    struct pressure p = machine(256 * MIB, 0);
    uint64_t end = BIT64(63);

    (void)state;
    pressure_stall_begin(&p, 1);
    pressure_advance(&p, end);
    assert_int_equal(p.stall_ns, end - 1);
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++)
        assert_int_equal(pressure_average(&p, (enum pressure_window)i), 10000);
    assert_true(end - p.period_start_ns < 2 * NS_PER_S);
    pressure_stall_end(&p, end + 5 * NS_PER_S);
    pressure_advance(&p, end + 7200 * NS_PER_S);
    assert_int_equal(pressure_average(&p, PRESSURE_300S), 0);
    assert_int_equal(p.stall_ns, end - 1 + 5 * NS_PER_S);
}

static void text_has_the_shape_of_psi(void **state)
{
    struct pressure p = machine(256 * MIB, 0);
    char buf[100];
    int length;

    (void)state;
    length = pressure_format(&p, buf, sizeof(buf));
    assert_string_equal(buf, "some avg10=0.00 avg60=0.00 avg300=0.00 total=0");
    assert_int_equal(length, strlen(buf));
    pressure_stall_begin(&p, 0);
    pressure_stall_end(&p, 123456999);
    pressure_advance(&p, 2 * NS_PER_S);
    length = pressure_format(&p, buf, sizeof(buf));
    assert_string_equal(buf, "some avg10=1.12 avg60=0.20 avg300=0.04 total=123456");
    assert_int_equal(length, strlen(buf));
    p.stall_ns = UINT64_MAX;
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++)
        p.averages[i] = BIT64(31);
    length = pressure_format(&p, buf, sizeof(buf));
    assert_string_equal(
        buf, "some avg10=100.00 avg60=100.00 avg300=100.00 total=18446744073709551");
    assert_int_equal(length, strlen(buf));
}

static void text_is_cut_as_by_snprintf(void **state)
{
    struct pressure p = machine(256 * MIB, 0);
    char whole[100], buf[100], expected[100];
    int length = pressure_format(&p, whole, sizeof(whole));

    (void)state;
    assert_int_equal(pressure_format(&p, NULL, 0), length);
    for (size_t size = 0; size <= (size_t)length + 2; size++) {
        memset(buf, '#', sizeof(buf));
        memset(expected, '#', sizeof(expected));
        assert_int_equal(pressure_format(&p, buf, size), length);
        snprintf(expected, size, "%s", whole);
        assert_memory_equal(buf, expected, sizeof(buf));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watermarks_follow_the_machine),
        cmocka_unit_test(levels_change_at_their_borders),
        cmocka_unit_test(the_smallest_machine_has_all_levels),
        cmocka_unit_test(relief_needs_a_margin),
        cmocka_unit_test(relief_never_makes_it_worse),
        cmocka_unit_test(stalls_are_counted_and_timed),
        cmocka_unit_test(mistakes_are_caught),
        cmocka_unit_test(averages_equal_floating_point),
        cmocka_unit_test(one_period_alone_gives_the_constants),
        cmocka_unit_test(all_of_the_time_is_100_percent_and_silence_is_0),
        cmocka_unit_test(a_jump_in_silence_equals_steps),
        cmocka_unit_test(a_jump_in_a_stall_equals_steps),
        cmocka_unit_test(the_largest_times_do_not_overflow),
        cmocka_unit_test(text_has_the_shape_of_psi),
        cmocka_unit_test(text_is_cut_as_by_snprintf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
