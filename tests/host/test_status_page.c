// SPDX-License-Identifier: BSD-2-Clause
/* kernel/status_page.c, status_lines.c, status_sheet.c: what the screen shows, as cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "kernel/status_page.h"

#define COLS 128
#define ROWS 48
/* Rows of the large layout. */
#define FIGURES 10
#define BAR     13
#define LINES   (ROWS - 3) /* the last line, above a blank row and the keys */

static struct status_page page;

static int start(void **state)
{
    (void)state;
    status_page_init(&page, COLS, ROWS);
    page.has_keys = true;
    return 0;
}

static int start_small(void **state)
{
    (void)state;
    status_page_init(&page, 80, 25);
    return 0;
}

static void feed(const char *text)
{
    status_page_feed(&page, text, strlen(text));
}

/* Characters of a row from..end without the blanks at its end. */
static const char *text_at(unsigned row, unsigned from, unsigned end)
{
    static char text[PAGE_COLS_MAX + 1];
    size_t len = 0;

    for (unsigned col = from; col < end && col < page.grid.cols; col++)
        text[len++] = page.grid.cells[row][col].c;
    while (len > 0 && text[len - 1] == ' ')
        len--;
    text[len] = '\0';
    return text;
}

static const char *row(unsigned n)
{
    return text_at(n, 0, COLS);
}

/* Text of double size: every second cell, and the four parts in their places. */
static const char *large_at(unsigned at, unsigned from, unsigned end)
{
    static char text[PAGE_COLS_MAX];
    size_t len = 0;

    for (unsigned col = from; col + 1 < end; col += 2) {
        const struct page_cell *top = &page.grid.cells[at][col];
        const struct page_cell *bottom = &page.grid.cells[at + 1][col];

        if (top[0].part != PART_TOP_LEFT)
            break;
        assert_int_equal(top[1].part, PART_TOP_RIGHT);
        assert_int_equal(bottom[0].part, PART_BOTTOM_LEFT);
        assert_int_equal(bottom[1].part, PART_BOTTOM_RIGHT);
        assert_true(top[0].c == top[1].c && top[0].c == bottom[0].c &&
                    top[0].c == bottom[1].c);
        text[len++] = top[0].c;
    }
    text[len] = '\0';
    return text;
}

static void set(uint64_t ms, uint64_t target, uint64_t balloon, uint64_t free)
{
    const struct status_figures now = {.time_ns = ms * NS_PER_MS,
                                       .total = GIB,
                                       .target = target,
                                       .balloon = balloon,
                                       .free = free};

    status_page_set(&page, &now);
    status_page_draw(&page);
}

/* The four figures, of which each has a quarter of the width. */
static const char *figure(unsigned n)
{
    unsigned width = (COLS - 4) / 4;

    return large_at(FIGURES, 2 + n * width, 2 + (n + 1) * width);
}

static void figures_and_their_rate(void **state)
{
    (void)state;
    set(1000, 512 * MIB, 0, 900 * MIB);
    assert_string_equal(figure(0), "512.0 MiB");
    assert_string_equal(figure(1), "0.0 MiB");
    assert_string_equal(figure(2), "900.0 MiB");
    assert_string_equal(figure(3), "0.0 MiB/s");
    set(1200, 512 * MIB, 100 * MIB, 900 * MIB);
    assert_string_equal(figure(1), "100.0 MiB");
    assert_string_equal(figure(3), "0.0 MiB/s"); /* too soon to say */
    set(2000, 512 * MIB, 200 * MIB, 700 * MIB);
    assert_string_equal(figure(3), "+200.0 MiB/s");
    set(4000, 512 * MIB, 100 * MIB + MIB / 2, 700 * MIB);
    assert_string_equal(figure(1), "100.5 MiB");
    assert_string_equal(figure(3), "-49.7 MiB/s");
    set(5000, 512 * MIB, 100 * MIB + MIB / 2, 700 * MIB);
    assert_string_equal(figure(3), "0.0 MiB/s"); /* at rest */
    assert_string_equal(text_at(2, COLS - 12, COLS), "up 0:00:05");
    set(3000, 0, 0, 0); /* time does not step back */
    assert_string_equal(figure(0), "512.0 MiB");
    set(3723000, 0, 12 * GIB, 0);
    assert_string_equal(figure(1), "12.0 GiB");
    assert_string_equal(text_at(2, COLS - 12, COLS), "up 1:02:03");
}

static unsigned count_style(unsigned at, enum page_style style)
{
    unsigned count = 0;

    for (unsigned col = 0; col < COLS; col++)
        count += page.grid.cells[at][col].style == style;
    return count;
}

static void bar(void **state)
{
    unsigned width = COLS - 4;

    (void)state;
    set(1000, 0, 256 * MIB, 512 * MIB);
    assert_int_equal(count_style(BAR, STYLE_BALLOON_PAPER), width / 4);
    assert_int_equal(count_style(BAR, STYLE_FREE_PAPER), width / 2);
    assert_int_equal(count_style(BAR, STYLE_USED_PAPER), width / 4);
    assert_int_equal(page.grid.cells[BAR][2].style, STYLE_BALLOON_PAPER);
    assert_int_equal(page.grid.cells[BAR][COLS - 3].style, STYLE_FREE_PAPER);
    set(2000, 0, UINT64_MAX, UINT64_MAX); /* nonsense stays inside */
    /* A target of more frames than have bytes is no small one. */
    assert_int_equal(bytes_of_frames((UINT64_C(1) << 52) - 1), UINT64_MAX - 4095);
    assert_int_equal(bytes_of_frames((UINT64_C(1) << 52) + 3), UINT64_MAX);
    assert_int_equal(count_style(BAR, STYLE_BALLOON_PAPER), width);
    page.now.total = 0; /* must not divide by it */
    status_page_draw(&page);
    assert_int_equal(count_style(BAR, STYLE_USED_PAPER), 0);
}

static void facts(void **state)
{
    (void)state;
    snprintf(page.facts.machine, PAGE_TEXT_MAX, "a machine");
    snprintf(page.facts.hypervisor, PAGE_TEXT_MAX, "a host");
    status_page_draw(&page);
    assert_string_equal(row(4), "  machine      a machine");
    assert_string_equal(row(5), "  hypervisor   a host");
    assert_string_equal(row(6), "  balloon      none");
    snprintf(page.facts.balloon[0], PAGE_TEXT_MAX, "one");
    snprintf(page.facts.balloon[1], PAGE_TEXT_MAX, "two");
    page.facts.balloons = 2;
    status_page_draw(&page);
    assert_string_equal(row(6), "  balloon      one");
    assert_string_equal(row(7), "               two");
    assert_string_equal(row(8), "");
    assert_string_equal(large_at(1, 2, COLS), "Aerostat");
    assert_string_equal(row(ROWS - 1), "   p  power off    r  reboot    d  details");
    page.has_keys = false;
    status_page_draw(&page);
    assert_string_equal(row(ROWS - 1), "");
}

static void lines_are_listed_with_their_time(void **state)
{
    (void)state;
    feed("@ t=1234567890 event=ready\r\n[    2.345678] clock: fine\nplain\nhalf");
    status_page_draw(&page);
    assert_string_equal(row(LINES), "  plain");
    assert_string_equal(row(LINES - 1), "       2.345  clock: fine");
    assert_string_equal(row(LINES - 2), "       1.234  event=ready");
    assert_string_equal(row(LINES - 3), "");
    assert_int_equal(page.grid.cells[LINES - 1][14].style, STYLE_DIM);
    assert_int_equal(page.grid.cells[LINES - 2][14].style, STYLE_PLAIN);
    feed(" a line\n");
    status_page_draw(&page);
    assert_string_equal(row(LINES), "  half a line");
}

static void errors_stand_out(void **state)
{
    static const char *const lines[] = {
        "@ t=1 event=error command=x\n", "@ t=1 event=panic reason=x\n",
        "[    0.000001] error: x\n", "[    0.000001] warning: x\n", "panic: x\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        feed("@ t=1 event=ok\n");
        feed(lines[i]);
        status_page_draw(&page);
        assert_int_equal(count_style(LINES, STYLE_BAD) > 0, 1);
        assert_int_equal(count_style(LINES - 1, STYLE_BAD), 0);
    }
}

static void progress_is_not_listed(void **state)
{
    (void)state;
    feed("before\n"
         "@ t=1000000000 balloon=virtio target=1024 actual=0\n"
         "@ t=2000000000 balloon=vmware target=1024 actual=512\n");
    status_page_draw(&page);
    assert_string_equal(row(LINES), "  before");
    feed("@ t=2 balloon=virtio event=shortfall target=1 actual=0 limit=1\n");
    status_page_draw(&page);
    assert_string_equal(
        row(LINES),
        "       0.000  balloon=virtio event=shortfall target=1 actual=0 limit=1");
}

static void what_is_no_event_is_listed_as_it_is(void **state)
{
    static const char *const lines[] = {
        "@ t=99999999999999999999 event=x",
        "@ t= event=x",
        "@ event=x balloon=x target=1 actual=1",
        "@t=1 x",
        "@ t=12",
        "[ 1.2",
        "[ x.000000] y",
        "[    1.1000000] y",
        "[99999999999999999.000000] y",
        "[] y",
        "@",
        "[",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        feed(lines[i]);
        feed("\n");
        status_page_draw(&page);
        assert_string_equal(text_at(LINES, 2, COLS), lines[i]);
    }
}

static void the_list_scrolls_and_stays_below_the_graph(void **state)
{
    char line[16];
    unsigned first;

    (void)state;
    assert_int_equal(page.graph_area.rows, 0); /* as long as nothing is known */
    set(1, 0, 0, 0);
    first = page.graph_area.row + page.graph_area.rows + 2;
    assert_in_range(page.graph_area.rows, 6, 12);
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        feed(line);
    }
    status_page_draw(&page);
    assert_string_equal(row(LINES), "  line 199");
    snprintf(line, sizeof(line), "  line %u", 199 - (LINES - first));
    assert_string_equal(row(first), line);
    assert_int_equal(page.grid.cells[first - 1][10].part, PART_RULE);
    assert_string_equal(row(LINES + 1), "");
}

static void control_characters_and_long_lines(void **state)
{
    (void)state;
    feed("a\x1b[31mb\tc\x80\n");
    status_page_draw(&page);
    assert_string_equal(row(LINES), "  a[31mbc");
    for (int i = 0; i < 1000; i++)
        feed("x");
    feed("\n");
    status_page_draw(&page);
    assert_int_equal(strlen(row(LINES)), COLS);
}

static void details_take_the_place_of_figures(void **state)
{
    (void)state;
    sheet_clear(&page.sheet);
    sheet_group(&page.sheet, "first");
    sheet_number(&page.sheet, "a number", 42);
    sheet_size(&page.sheet, "a size", 3 * MIB / 2);
    sheet_group(&page.sheet, "second");
    sheet_put(&page.sheet, "words", "%s %d", "x", -1);
    page.shows_sheet = true;
    status_page_draw(&page);
    assert_int_equal(page.graph_area.rows, 0);
    assert_string_equal(text_at(5, 0, 40), "  first");
    assert_string_equal(text_at(6, 0, 40), "  a number            42");
    assert_string_equal(text_at(7, 0, 40), "  a size              1.5 MiB");
    assert_string_equal(text_at(5, 41, COLS), "second"); /* a column of its own */
    assert_string_equal(text_at(6, 41, COLS), "words               x -1");
    assert_string_equal(row(ROWS - 1), "   p  power off    r  reboot    d  back");
}

static void details_without_end_stay_inside(void **state)
{
    (void)state;
    sheet_clear(&page.sheet);
    for (int i = 0; i < 1000; i++) {
        if (i % 7 == 0)
            sheet_group(&page.sheet,
                        "a heading that is longer than any column has room for");
        sheet_put(&page.sheet, "a name that is too long for it", "%01000d", i);
    }
    assert_int_equal(page.sheet.count, SHEET_ROWS_MAX);
    page.shows_sheet = true;
    status_page_draw(&page);
    assert_string_equal(text_at(5, 2, 12), "a heading");
    assert_string_equal(row(ROWS - 2), "");
    assert_string_equal(row(ROWS - 1), "   p  power off    r  reboot    d  back");
}

static void a_small_screen_has_no_graph(void **state)
{
    (void)state;
    snprintf(page.facts.hypervisor, PAGE_TEXT_MAX, "a host");
    feed("@ t=5 event=x\n");
    set(7000, 100 * MIB, 50 * MIB, 500 * MIB);
    assert_int_equal(page.graph_area.rows, 0);
    assert_string_equal(text_at(0, 0, 40), "  Aerostat");
    assert_string_equal(row(1), "  a host; no balloon");
    assert_string_equal(row(2), "  target 100.0 MiB   balloon 50.0 MiB   +7.1 MiB/s");
    assert_string_equal(row(3), "  free 500.0 MiB of 1024.0 MiB");
    assert_int_equal(count_style(4, STYLE_FREE_PAPER), 76 * 500 / 1024);
    assert_string_equal(row(24), "       0.000  event=x");
}

static void sizes_are_clamped(void **state)
{
    (void)state;
    status_page_init(&page, 1000000, 1);
    assert_int_equal(page.grid.cols, PAGE_COLS_MAX);
    assert_int_equal(page.grid.rows, PAGE_ROWS_MIN);
    feed("still fine\n");
    status_page_draw(&page);
    assert_string_equal(row(PAGE_ROWS_MIN - 1), "  still fine");
    status_page_init(&page, 0, 1000000);
    assert_int_equal(page.grid.cols, PAGE_COLS_MIN);
    assert_int_equal(page.grid.rows, PAGE_ROWS_MAX);
    status_page_draw(&page);
}

/* Whatever size, figures and text: it is drawn inside its memory, which the sanitizers watch. */
static void anything_can_be_drawn(void **state)
{
    static const char alphabet[] =
        "@ t=target=actual=0123456789 event=mem balloon=[].\n\n\n\x01";
    unsigned seed = 7;

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 300; i++) {
        status_page_init(&page, (unsigned)rand() % 200, (unsigned)rand() % 80);
        page.has_keys = rand() % 2;
        page.facts.balloons = (unsigned)rand() % 4;
        for (int n = 0; n < 2000; n++) {
            char c = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];

            status_page_feed(&page, &c, 1);
        }
        set((uint64_t)rand() * 1000, (uint64_t)rand() << (rand() % 33),
            (uint64_t)rand() << (rand() % 33), (uint64_t)rand() << (rand() % 33));
        sheet_group(&page.sheet, "x");
        page.shows_sheet = rand() % 2;
        status_page_draw(&page);
        assert_true(page.graph_area.rows == 0 ||
                    page.graph_area.row + page.graph_area.rows < page.grid.rows);
        assert_true(page.graph_area.rows == 0 ||
                    page.graph_area.col + page.graph_area.cols < page.grid.cols);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(figures_and_their_rate, start),
        cmocka_unit_test_setup(bar, start),
        cmocka_unit_test_setup(facts, start),
        cmocka_unit_test_setup(lines_are_listed_with_their_time, start),
        cmocka_unit_test_setup(errors_stand_out, start),
        cmocka_unit_test_setup(progress_is_not_listed, start),
        cmocka_unit_test_setup(what_is_no_event_is_listed_as_it_is, start),
        cmocka_unit_test_setup(the_list_scrolls_and_stays_below_the_graph, start),
        cmocka_unit_test_setup(control_characters_and_long_lines, start),
        cmocka_unit_test_setup(details_take_the_place_of_figures, start),
        cmocka_unit_test_setup(details_without_end_stay_inside, start),
        cmocka_unit_test_setup(a_small_screen_has_no_graph, start_small),
        cmocka_unit_test(sizes_are_clamped),
        cmocka_unit_test(anything_can_be_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
