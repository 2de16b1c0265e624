// SPDX-License-Identifier: BSD-2-Clause
/* The MCFG table: the window of segment 0, and tables that make no sense. */
#include "base/err.h"
#include "kernel/mcfg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t table[44 + 3 * 16];

static void put_entry(unsigned i, uint64_t base, uint16_t segment, uint8_t first,
                      uint8_t last)
{
    uint8_t *entry = table + 44 + 16 * i;

    memset(entry, 0, 16);
    for (unsigned n = 0; n < 8; n++)
        entry[n] = (uint8_t)(base >> (8 * n));
    entry[8] = (uint8_t)segment;
    entry[9] = (uint8_t)(segment >> 8);
    entry[10] = first;
    entry[11] = last;
}

static void the_window_of_segment_0_is_found(void **state)
{
    struct mcfg_window window;

    (void)state;
    put_entry(0, UINT64_C(0x8000000000), 1, 0, 255);
    put_entry(1, UINT64_C(0xE0B0000000), 0, 2, 127);
    assert_int_equal(mcfg_parse(table, 44 + 32, &window), 0);
    assert_int_equal(window.base, UINT64_C(0xE0B0000000));
    assert_int_equal(window.first_bus, 2);
    assert_int_equal(window.last_bus, 127);
}

static void entries_that_make_no_sense_are_skipped(void **state)
{
    struct mcfg_window window;

    (void)state;
    put_entry(0, 0, 0, 0, 255);
    put_entry(1, 0xB0000010, 0, 0, 255);
    put_entry(2, 0xB0000000, 0, 5, 4);
    assert_int_equal(mcfg_parse(table, sizeof(table), &window), -ENODEV);
    put_entry(2, 0xB0000000, 0, 5, 5);
    assert_int_equal(mcfg_parse(table, sizeof(table), &window), 0);
}

static void a_short_table_has_no_entries(void **state)
{
    struct mcfg_window window;

    (void)state;
    put_entry(0, 0xB0000000, 0, 0, 255);
    for (size_t len = 0; len < 44 + 16; len++)
        assert_int_equal(mcfg_parse(table, len, &window), -ENODEV);
    assert_int_equal(mcfg_parse(table, 44 + 16, &window), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_of_segment_0_is_found),
        cmocka_unit_test(entries_that_make_no_sense_are_skipped),
        cmocka_unit_test(a_short_table_has_no_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
