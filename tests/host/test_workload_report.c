// SPDX-License-Identifier: BSD-2-Clause
/* lib/workload/fill.c, run.c, report.c: contents that prove themselves, the beat of reports, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "guest.h"
#include "tests/model/guest_host.h"
#include "workload/fill.h"
#include "workload/report.h"
#include "workload/run.h"

static void every_byte_counts(void **state)
{
    uint64_t tag = fill_tag(1, 2, 3);

    (void)state;
    for (size_t bytes = 0; bytes <= 40; bytes++) {
        unsigned char *memory = malloc(bytes ? bytes : 1);

        fill_write(memory, bytes, tag);
        assert_int_equal(fill_check(memory, bytes, tag), bytes);
        for (size_t i = 0; i < bytes; i++) {
            memory[i] ^= 0x10;
            assert_int_equal(fill_check(memory, bytes, tag), i / 8 * 8);
            memory[i] ^= 0x10;
        }
        free(memory);
    }
}

static void tags_agree_in_no_word(void **state)
{
    const uint64_t tags[] = {fill_tag(1, 0, 0), fill_tag(1, 0, 1), fill_tag(1, 1, 0),
                             fill_tag(2, 0, 0), fill_tag(1, 1, 1), 0};
    uint64_t page[512];

    (void)state;
    for (size_t a = 0; a < 6; a++) {
        fill_write(page, sizeof(page), tags[a]);
        for (size_t i = 0; i < 512; i++)
            assert_true(page[i] == fill_word(tags[a], i));
        for (size_t b = 0; b < 6; b++)
            for (size_t i = 0; a != b && i < 512; i++)
                assert_true(page[i] != fill_word(tags[b], i));
        /* Not even when it lies elsewhere: a page at the place of its neighbour is found. */
        assert_int_equal(fill_check(page + 1, 64, tags[a]), 0);
    }
}

static void reports_keep_the_beat(void **state)
{
    struct run run = {
        .interval_ns = 100, .start_ns = 1000, .report_ns = 1000, .due_ns = 1100};

    (void)state;
    assert_int_equal(run_interval(&run, 1099), 0);
    assert_int_equal(run_interval(&run, 1110), 110);
    assert_int_equal(run_interval(&run, 1110), 0);
    assert_int_equal(run_interval(&run, 1200), 90); /* back on the beat */
    assert_int_equal(run_interval(&run, 1555),
                     355); /* one report for three missed ones */
    assert_int_equal(run_interval(&run, 1599), 0);
    assert_int_equal(run_interval(&run, 1600), 45);
}

static void a_run_ends_by_time_or_by_count(void **state)
{
    struct run run = {.limit_ns = 100, .limit_ops = 5, .start_ns = 1000};

    (void)state;
    assert_true(run_goes_on(&run, 1099, 4));
    assert_false(run_goes_on(&run, 1100, 0));
    assert_false(run_goes_on(&run, 1000, 5));
    run.limit_ops = 0;
    assert_true(run_goes_on(&run, 1000, UINT64_MAX));
}

static void refusals_are_told_with_numbers_but_seldom(void **state)
{
    struct refusals refusals = {0};

    (void)state;
    guest_host_reset(64 * MIB);
    uint64_t start = guest_ns();

    for (int i = 0; i < 1000; i++)
        report_refused(&refusals, 12345);
    assert_int_equal(refusals.count, 1000);
    assert_in_range(guest_host_events(), 1, 1 + (guest_ns() - start) / (100 * NS_PER_MS));
    assert_non_null(strstr(guest_host_event("workload_refused"), " bytes=12345 "));
    assert_non_null(strstr(guest_host_event("workload_refused"), " available=67108864 "));

    uint64_t told = guest_host_events();

    refusals.told_ns -= NS_PER_S; /* a second later */
    report_refused(&refusals, 1);
    assert_int_equal(guest_host_events(), told + 1);
    assert_non_null(strstr(guest_host_event("workload_refused"), " count=1001 "));
}

static void figures(void **state)
{
    (void)state;
    assert_int_equal(report_share(1, 3), 3333);
    assert_int_equal(report_share(2, 3), 6667);
    assert_int_equal(report_share(5, 5), 10000);
    assert_int_equal(report_share(0, 0), 0);
    assert_int_equal(report_rate(500, NS_PER_S / 2), 1000);
    assert_int_equal(report_rate(500, 0), 0);
    assert_true(report_mib(MIB + MIB / 2) == 1.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(tags_agree_in_no_word),
        cmocka_unit_test(reports_keep_the_beat),
        cmocka_unit_test(a_run_ends_by_time_or_by_count),
        cmocka_unit_test(refusals_are_told_with_numbers_but_seldom),
        cmocka_unit_test(figures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
