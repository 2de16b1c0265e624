// SPDX-License-Identifier: BSD-2-Clause
/* kernel/status_page.c and glyphs.c: what the screen shows for the text of the console. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "kernel/glyphs.h"
#include "kernel/status_page.h"

static struct status_page page;

static int start(void **state)
{
    (void)state;
    status_page_init(&page, 80, 12);
    return 0;
}

static void feed(const char *text)
{
    status_page_feed(&page, text, strlen(text));
}

/* A row without the blanks at its end. */
static const char *row(unsigned n)
{
    static char text[PAGE_COLS_MAX + 1];
    size_t len = page.cols;

    memcpy(text, page.cells[n], len);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    text[len] = '\0';
    return text;
}

static void lines_scroll_below_the_head(void **state)
{
    char line[16];

    (void)state;
    feed("first\r\nsecond");
    assert_string_equal(row(11), "first");
    feed(" half\n");
    assert_string_equal(row(11), "second half");
    assert_string_equal(row(10), "first");
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        feed(line);
    }
    assert_string_equal(row(PAGE_HEAD_ROWS), "line 14");
    assert_string_equal(row(PAGE_HEAD_ROWS - 1), "");
    assert_string_equal(row(0), " Aerostat   up 0.0 s");
}

static void progress_moves_the_head_and_is_not_listed(void **state)
{
    (void)state;
    assert_string_equal(row(2), " balloon  none yet");
    feed("@ t=1000000000 balloon=virtio target=1024 actual=0\n");
    feed("@ t=2000000000 balloon=virtio target=1024 actual=512\n");
    assert_string_equal(row(0), " Aerostat   up 2.0 s");
    assert_string_equal(row(2), " balloon  target 4.0 MiB   actual 2.0 MiB   +2.0 MiB/s");
    assert_string_equal(row(11), "");
    feed("@ t=3000000000 balloon=virtio target=0 actual=0\n");
    assert_string_equal(row(2), " balloon  target 0.0 MiB   actual 0.0 MiB   -2.0 MiB/s");
    feed("@ t=3500000000 event=ready\n");
    assert_string_equal(row(11), "@ t=3500000000 event=ready");
}

static void the_rate_comes_to_rest(void **state)
{
    (void)state;
    feed("@ t=1000000000 balloon=virtio target=512 actual=256\n");
    assert_string_equal(row(2), " balloon  target 2.0 MiB   actual 1.0 MiB   +1.0 MiB/s");
    status_page_set_state(&page, 1200000000, MIB, MIB); /* too soon to say */
    assert_string_equal(row(2), " balloon  target 2.0 MiB   actual 1.0 MiB   +1.0 MiB/s");
    status_page_set_state(&page, 2000000000, MIB, MIB);
    assert_string_equal(row(2), " balloon  target 2.0 MiB   actual 1.0 MiB   +0.0 MiB/s");
    assert_string_equal(row(0), " Aerostat   up 2.0 s");
}

static void memory_and_bar(void **state)
{
    (void)state;
    feed("@ t=5 event=mem total=1073741824 free=536870912 available=1\n");
    assert_string_equal(row(3), " memory   total 1024.0 MiB   free 512.0 MiB");
    feed("@ t=6 balloon=virtio target=65536 actual=65536\n"); /* a quarter of 1 GiB */
    assert_int_equal(page.cells[4][1], '[');
    assert_int_equal(page.cells[4][2], '#');
    assert_int_equal(page.cells[4][2 + 76 / 4 - 1], '#');
    assert_int_equal(page.cells[4][2 + 76 / 4], '=');
    assert_int_equal(page.cells[4][2 + 76 / 2], '.');
    assert_int_equal(page.cells[4][78], ']');
    status_page_set_state(&page, 7, 0, 0); /* must not divide by it */
    status_page_set_state(&page, 7, 4096, UINT64_MAX);
}

static void nonsense_is_listed_and_not_believed(void **state)
{
    static const char *const lines[] = {
        "@ t=99999999999999999999 target=1 actual=1",
        "@ t=1 target=99999999999999 actual=1",
        "@ t=1 target= actual=1",
        "@ t=1 total=18446744073709551615 free=1",
        "@ target=1 actual=1",
        "@x t=1 target=1 actual=1",
        "# t=1 target=1 actual=1",
        "@ t=1 target=1099511627776 actual=1",
        "@ t=1 target=1 actual=1099511627776",
        "@ t=1 total=4503599627370496 free=1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        feed(lines[i]);
        feed("\n");
        assert_string_equal(row(11), lines[i]);
        assert_string_equal(row(2), " balloon  none yet");
        assert_string_equal(row(3), "");
    }
}

static void control_characters_and_long_lines(void **state)
{
    (void)state;
    feed("a\x1b[31mb\tc\x80\n");
    assert_string_equal(row(11), "a[31mbc");
    for (int i = 0; i < 1000; i++)
        feed("x");
    feed("\n");
    assert_int_equal(strlen(row(11)), 80);
}

static void random_text(void **state)
{
    static const char alphabet[] =
        "@ t=target=actual=0123456789 event=mem total=free=\n\n\x01";
    unsigned seed = 7;

    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 300000; i++) {
        char c = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];

        if (i % 50000 == 0)
            start(state);
        status_page_feed(&page, &c, 1);
    }
    assert_int_equal(strncmp(page.cells[0], " Aerostat", 9), 0);
}

static void sizes_are_clamped(void **state)
{
    (void)state;
    status_page_init(&page, 1000000, 1);
    assert_int_equal(page.cols, PAGE_COLS_MAX);
    assert_int_equal(page.rows, PAGE_ROWS_MIN);
    feed("still fine\n");
    assert_string_equal(row(PAGE_ROWS_MIN - 1), "still fine");
    status_page_init(&page, PAGE_COLS_MAX, 1000000);
    assert_int_equal(page.rows, PAGE_ROWS_MAX);
    feed("one\n~two\n");
    assert_string_equal(row(PAGE_ROWS_MAX - 1), "~two");
    assert_string_equal(row(PAGE_ROWS_MAX - 2), "one");
}

static void glyphs(void **state)
{
    (void)state;
    for (int row_n = 0; row_n < GLYPH_ROWS; row_n++)
        assert_int_equal(glyph_of(' ')[row_n], 0);
    assert_ptr_equal(glyph_of('\n'), glyph_of('?'));
    assert_ptr_equal(glyph_of((char)0xFF), glyph_of('?'));
    assert_ptr_equal(glyph_of('~'), glyph_bitmaps[GLYPH_COUNT - 1]);
    for (int c = '!'; c <= '~'; c++) /* every one leaves a mark of its own */
        for (int d = c + 1; d <= '~'; d++)
            assert_memory_not_equal(glyph_of((char)c), glyph_of((char)d), GLYPH_ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_scroll_below_the_head, start),
        cmocka_unit_test_setup(progress_moves_the_head_and_is_not_listed, start),
        cmocka_unit_test_setup(the_rate_comes_to_rest, start),
        cmocka_unit_test_setup(memory_and_bar, start),
        cmocka_unit_test_setup(nonsense_is_listed_and_not_believed, start),
        cmocka_unit_test_setup(control_characters_and_long_lines, start),
        cmocka_unit_test_setup(random_text, start),
        cmocka_unit_test_setup(sizes_are_clamped, start),
        cmocka_unit_test_setup(glyphs, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
